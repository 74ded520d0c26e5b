// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Metrics of the daemon itself. */
#include <dirent.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "vmalock/base.h"
#include "vmalock/caps.h"
#include "vmalock/snapshot.h"
#include "daemon.h"

#define SECOND 1e9

/* Items of one list; what does not fit is left to the exporter to say: it takes no more either. */
struct list {
	struct vml_daemon_item item[VML_DAEMON_ITEMS];
	size_t n;
	char code[VML_DAEMON_ITEMS][8];
};

static void add(struct list *l, const char *label, const char *second, double value)
{
	if (l->n < VML_DAEMON_ITEMS)
		l->item[l->n++] = (struct vml_daemon_item){ .label = { label, second }, .value = value };
}

static void add_request(void *context, const char *handler, unsigned int code, uint64_t count)
{
	struct list *l = context;

	if (l->n == VML_DAEMON_ITEMS)
		return;
	snprintf(l->code[l->n], sizeof(l->code[0]), "%u", code);
	add(l, handler, l->code[l->n], (double)count);
}

/* ---- this process */

static double open_files(void)
{
	DIR *dir = opendir("/proc/self/fd");
	const struct dirent *e;
	double n = -1; /* the folder's own */

	if (!dir)
		return NAN;
	while ((e = readdir(dir)))
		n += e->d_name[0] != '.';
	closedir(dir);
	return n;
}

static double seconds(struct timeval t)
{
	return (double)t.tv_sec + (double)t.tv_usec / 1e6;
}

static double start_time(void)
{
	FILE *f = fopen("/proc/self/stat", "re");
	char text[1024] = "";
	struct vml_clocks now;
	uint64_t ticks;

	if (f) { /* all of it: a name may have newlines */
		text[fread(text, 1, sizeof(text) - 1, f)] = '\0';
		fclose(f);
	}
	if (vml_proc_start_ticks(text, &ticks))
		return NAN;
	now = vml_now_clocks();
	return ((double)now.real_ns - (double)now.boot_ns) / SECOND + (double)ticks / (double)sysconf(_SC_CLK_TCK);
}

static void set_process(struct daemon *d, double *value)
{
	unsigned long long size, resident;
	struct rlimit files;
	struct rusage u;
	FILE *f;

	if (!getrusage(RUSAGE_SELF, &u))
		value[VML_DAEMON_CPU_SECONDS] = seconds(u.ru_utime) + seconds(u.ru_stime);
	f = fopen("/proc/self/statm", "re");
	if (f) {
		if (fscanf(f, "%llu %llu", &size, &resident) == 2) {
			value[VML_DAEMON_VIRTUAL] = (double)size * (double)sysconf(_SC_PAGESIZE);
			value[VML_DAEMON_RESIDENT] = (double)resident * (double)sysconf(_SC_PAGESIZE);
		}
		fclose(f);
	}
	value[VML_DAEMON_FDS] = open_files();
	if (!getrlimit(RLIMIT_NOFILE, &files))
		value[VML_DAEMON_MAX_FDS] = (double)files.rlim_cur;
	if (!d->start_time)
		d->start_time = start_time();
	value[VML_DAEMON_START_TIME] = d->start_time;
}

/* ---- the parts */

static void set_history(const struct daemon *d, double *value, struct list *lost)
{
	struct vml_store_stats s = {};
	unsigned int i;

	if (!d->o->history)
		return;
	if (d->history) {
		vml_store_stats(d->history, &s);
		value[VML_DAEMON_HISTORY_SIZE] = (double)s.bytes;
		if (s.oldest_real_ns)
			value[VML_DAEMON_HISTORY_OLDEST] = (double)s.oldest_real_ns / SECOND;
	}
	for (i = 0; i < VML_STORE_NCAUSES; i++)
		add(lost, vml_store_cause_name(i), NULL, (double)s.lost[i]);
	add(lost, "not_open", NULL, (double)d->lost_history);
}

static void set_web(const struct daemon *d, double *value, struct list *requests, struct list *rejected)
{
	unsigned int i;

	value[VML_DAEMON_WEB_CONFIG_OK] = vml_web_config_ok(d->web);
	vml_web_requests(d->web, add_request, requests);
	for (i = 0; i < VML_WEB_REJECTED_COUNT; i++)
		add(rejected, vml_web_rejected_name(i), NULL, (double)vml_web_rejected_count(d->web, i));
}

static void set_cost(const struct daemon *d, double *value, const struct vml_snapshot *delta, struct list *runs,
		     struct list *maps)
{
	const struct vml_snapshot *all = vml_source_rest(d->source);
	size_t i;

	for (i = 0; i < all->nprogram; i++)
		add(runs, all->program[i].name, NULL, (double)all->program[i].runs);
	for (i = 0; i < all->nmap; i++)
		add(maps, all->map[i].name, NULL, (double)all->map[i].bytes);
	if (all->self.bpf_cost_known)
		value[VML_DAEMON_BPF_SECONDS] = (double)all->self.bpf_cost_ns / SECOND;
	if (d->guard.ratio_known)
		value[VML_DAEMON_OVERHEAD] = d->guard.ratio;
	if (d->guard.budget > 0)
		value[VML_DAEMON_OVERHEAD_LIMIT] = d->guard.budget;
	if (delta)
		value[VML_DAEMON_DUTY] = vml_duty_ratio(delta);
	if (all->self.map_limit_bytes)
		value[VML_DAEMON_MAP_LIMIT] = (double)all->self.map_limit_bytes;
	if (all->self.evicted_known)
		value[VML_DAEMON_EVICTED] = (double)all->self.evicted_rows;
}

static void set_snapshots(const struct daemon *d, double *value)
{
	value[VML_DAEMON_UP] = d->up;
	value[VML_DAEMON_SNAPSHOTS] = (double)d->snapshots;
	value[VML_DAEMON_SNAPSHOT_SECONDS] = (double)d->snapshot_ns / SECOND;
	if (d->up_real_ns)
		value[VML_DAEMON_SNAPSHOT_TIME] = (double)d->up_real_ns / SECOND;
}

void numbers_update(struct daemon *d, const struct vml_snapshot *delta)
{
	struct list list[VML_DAEMON_NLISTS] = {};
	struct vml_daemon n;
	unsigned int i;

	vml_daemon_init(&n);
	n.version = VML_VERSION;
	n.libbpf = vml_live_libbpf();
	set_snapshots(d, n.value);
	set_process(d, n.value);
	set_history(d, n.value, &list[VML_DAEMON_HISTORY_LOST]);
	set_web(d, n.value, &list[VML_DAEMON_WEB_REQUESTS], &list[VML_DAEMON_WEB_REJECTED]);
	set_cost(d, n.value, delta, &list[VML_DAEMON_BPF_RUNS], &list[VML_DAEMON_MAP_BYTES]);
	add(&list[VML_DAEMON_LOST], "export_memory", NULL, (double)d->lost_export);
	for (i = 0; i < VML_DAEMON_NLISTS; i++) {
		n.list[i].item = list[i].item;
		n.list[i].n = list[i].n;
	}
	if (vml_export_daemon(d->exporter, &n))
		vml_log(d->log, VML_LOG_ERROR, "metrics of the daemon are old: out of memory", NULL);
}
