// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Start and end.  The order of the start is that of privileges: what may need them
 * comes first, threads come last.
 */
#include <errno.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <syslog.h>
#include <unistd.h>

#include "vmalock/base.h"
#include "vmalock/caps.h"
#include "../run/exit.h"
#include "../run/privileges.h"
#include "daemon.h"
#include "filter.h"
#include "notify.h"

_Static_assert(VML_WEB_ERROR_MAX == VML_ERROR_MAX, "one buffer for the line of an error");

static void log_web(void *context, int priority, const char *message)
{
	enum vml_log_level level = priority <= LOG_ERR	     ? VML_LOG_ERROR
				   : priority <= LOG_WARNING ? VML_LOG_WARN
				   : priority <= LOG_INFO    ? VML_LOG_INFO
							     : VML_LOG_DEBUG;

	vml_log(context, level, message, NULL);
}

/* ---- what may need privileges */

static int listen_everywhere(struct daemon *d, char error[VML_ERROR_MAX])
{
	const struct daemon_options *o = d->o;
	unsigned int tcp, local = 0;
	int err = 0;
	size_t i;

	for (i = 0; !err && i < o->nlisten; i++)
		err = vml_web_listen_tcp(d->web, o->listen[i], error);
	if (!err && o->systemd_socket)
		err = vml_web_listen_systemd(d->web, DAEMON_GROUP, &tcp, &local, error);
	if (err || !o->api_socket || local)
		return err;
	if (o->make_socket_dir)
		err = privileges_make_dir(o->api_socket, o->user, error);
	return err ? err : vml_web_listen_local(d->web, o->api_socket, DAEMON_GROUP, error);
}

static int open_web(struct daemon *d, const struct vml_web_page *pages, size_t npages, char error[VML_ERROR_MAX])
{
	const struct vml_web_options web = {
		.pages = pages,
		.npages = npages,
		.config_file = d->o->web_config,
		.log = log_web,
		.log_context = d->log,
	};
	int err = vml_web_new(&web, &d->web, error);

	if (!err && d->o->enable_api && !vml_web_authenticates(d->web)) {
		snprintf(error, VML_ERROR_MAX,
			 "--web.enable-api needs passwords or client certificates: see --web.config.file");
		err = -EINVAL;
	}
	return err ? err : listen_everywhere(d, error);
}

static int open_source(struct daemon *d, char error[VML_ERROR_MAX])
{
	struct vml_live_options live = d->o->live;
	const struct vml_caps *caps;
	size_t i;
	int err;

	live.guard = d->o->max_overhead > 0 && (!live.detail || strcmp(live.detail, "exact"));
	d->guarded = live.guard;
	vml_guard_init(&d->guard, d->o->max_overhead);
	err = vml_live_open(&live, &d->source, error);
	if (err)
		return err;
	caps = vml_source_caps(d->source);
	vml_log(d->log, VML_LOG_INFO, "backend chosen", "backend", caps->backend, "detail", caps->detail, NULL);
	if (caps->own_pids)
		vml_log(d->log, VML_LOG_INFO, "PIDs are the host's, not those of this container", "instead",
			"hostPID: true", NULL);
	for (i = 0; i < VML_NCAPS; i++)
		if (caps->cap[i].state == VML_CAP_NO)
			vml_log(d->log, VML_LOG_DEBUG, caps->cap[i].what, "capability", caps->cap[i].name, "how",
				caps->cap[i].how, "lost", caps->cap[i].lost, NULL);
	return 0;
}

static int become(struct daemon *d, char error[VML_ERROR_MAX])
{
	int err = 0;

	if (d->o->history && d->o->make_history_dir)
		err = privileges_make_dir(d->o->history, d->o->user, error);
	if (!err)
		err = privileges_become(d->o->user, error);
	if (err != -ENOENT || d->o->user_given)
		return err;
	vml_log(d->log, VML_LOG_WARN, "running as root, without capabilities: there is no user to become", "user",
		d->o->user, NULL);
	return 0;
}

/* ---- without them */

static int works(void *daemon)
{
	return interval_first(daemon);
}

static int drop(struct daemon *d, char error[VML_ERROR_MAX])
{
	static const char *const modes[] = {
		[DAEMON_SECCOMP_ERRNO] = "errno", [DAEMON_SECCOMP_KILL] = "kill", [DAEMON_SECCOMP_OFF] = "off"
	};
	char kept[64], uid[16];
	int err = privileges_drop(d->o->live.user_stacks, works, d, kept, error);

	if (!err)
		err = filter_install(d->o->seccomp, error);
	if (err)
		return err;
	snprintf(uid, sizeof(uid), "%u", getuid());
	vml_log(d->log, strcmp(kept, "none") ? VML_LOG_WARN : VML_LOG_INFO, "privileges dropped", "capabilities_kept",
		kept, "uid", uid, "seccomp", modes[d->o->seccomp], NULL);
	return 0;
}

static void say_where(struct daemon *d)
{
	char address[256];
	bool local, tls;
	size_t i;

	for (i = 0; !vml_web_listener(d->web, i, address, sizeof(address), &local, &tls); i++)
		vml_log(d->log, VML_LOG_INFO, local ? "serving the API" : "serving metrics", "address", address, "tls",
			local ? NULL
			: tls ? "yes"
			      : "no",
			NULL);
	if (d->o->nlisten == 1 && !strcmp(d->o->listen[0], DAEMON_LISTEN))
		vml_log(d->log, VML_LOG_INFO, "only this host can scrape", "instead", "--web.listen-address", NULL);
}

static int start(struct daemon *d, const struct vml_web_page *pages, size_t npages, char error[VML_ERROR_MAX])
{
	const struct vml_export_options metrics = {
		.series_budget = d->o->series_budget,
		.series_churn = d->o->series_churn,
		.comm = d->o->label_comm,
	};
	int err = open_web(d, pages, npages, error);

	if (!err)
		err = open_source(d, error);
	if (!err)
		err = become(d, error);
	if (err)
		return err;
	err = vml_export_new(&metrics, &d->exporter);
	if (!err)
		err = latest_new(d->source, &d->latest);
	if (err) {
		snprintf(error, VML_ERROR_MAX, "cannot start: %s", strerror(-err));
		return err;
	}
	if (d->o->history && !interval_open_history(d, error))
		return -EIO;
	err = drop(d, error);
	if (err)
		return err;
	numbers_update(d, NULL);
	return vml_web_start(d->web, error);
}

static int status_of(int err)
{
	switch (err) {
	case 0:
		return EXIT_OK;
	case -EINVAL:
		return EXIT_USAGE;
	case -EOPNOTSUPP:
		return EXIT_UNSUPPORTED;
	default:
		return EXIT_FAILED;
	}
}

/*
 * Snapshots are made by one thread and freed by another.  With a heap for each thread, as
 * glibc has it, what is freed stays there: 92 to 115 MB under a load that changes, instead
 * of 72 to 83 MB with one heap that is given back to the kernel from 1 MB on.
 */
static void keep_small(void)
{
	mallopt(M_ARENA_MAX, 1);
	mallopt(M_TRIM_THRESHOLD, 1 << 20);
}

int daemon_run(const struct daemon_options *o)
{
	const struct vml_log_options log = {
		.out = stderr,
		.level = o->log_level,
		.json = o->log_json,
		.journal = notify_journal(),
	};
	struct vml_web_page pages[PAGES_MAX];
	struct daemon d = { .o = o };
	char error[VML_ERROR_MAX] = "";
	int err;

	keep_small();
	privileges_raise();
	umask(027);
	if (vml_log_open(&log, &d.log)) {
		fputs("vmalockd: out of memory\n", stderr);
		return EXIT_FAILED;
	}
	vml_log(d.log, VML_LOG_INFO, "starting", "version", VML_VERSION, NULL);
	loop_signals();
	err = start(&d, pages, pages_fill(&d, pages), error);
	if (err) {
		vml_log(d.log, VML_LOG_ERROR, error, NULL);
	} else {
		say_where(&d);
		notify(NOTIFY_READY);
		loop_run(&d);
		notify(NOTIFY_STOPPING);
	}
	vml_web_free(d.web);
	latest_free(d.latest);
	vml_source_close(d.source);
	if (vml_store_close(d.history))
		vml_log(d.log, VML_LOG_ERROR, "cannot close the history", NULL);
	vml_export_free(d.exporter);
	if (!err)
		vml_log(d.log, VML_LOG_INFO, "ended", NULL);
	vml_log_close(d.log);
	return status_of(err);
}
