// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include <errno.h>
#include <libgen.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../run/output.h"
#include "../run/recording.h"
#include "../run/stop.h"
#include "child.h"
#include "record.h"
#include "vmalock/base.h"
#include "vmalock/caps.h"
#include "vmalock/sink.h"

struct recorder {
	const struct record *o;
	struct progress progress;
	char *path;
	struct vml_source *source;
	struct vml_store *store; /* NULL: hindsight */
	struct hindsight *hindsight;
	struct child child;
	struct vml_output output;
	FILE *json; /* NULL: not asked for, or nobody reads it any more */
	bool stopping; /* the command was asked to end */
	bool doctor; /* what it says is in the file */
	bool failed;
	int said; /* error of the last interval */
};

/* ---- names */

static char *default_path(const struct record *o)
{
	char *base = vml_recording_base(!o->redaction), *path;

	if (!base || o->hindsight_ns)
		return base;
	path = vml_recording_path(base, 0);
	free(base);
	return path;
}

/* ---- the start; negative errno with one line in @error */

static int fail(char error[VML_ERROR_MAX], int err, const char *what, const char *on)
{
	snprintf(error, VML_ERROR_MAX, "cannot %s %s: %s", what, on, strerror(-err));
	return err;
}

/* A folder in which no file can be made is said now, and not when there is something to write. */
static int check_folder(const char *base, char error[VML_ERROR_MAX])
{
	char *copy = strdup(base), *folder = copy ? dirname(copy) : NULL;
	int err = !folder ? -ENOMEM : access(folder, W_OK | X_OK) ? -errno : 0;

	if (err)
		fail(error, err, "record to", folder ? folder : base);
	free(copy);
	return err;
}

static int open_file(struct recorder *r, char error[VML_ERROR_MAX])
{
	const struct vml_store_options so = { .options = r->o->options, .rows = r->o->rows, .replace = r->o->force };
	int err;

	if (!r->o->hindsight_ns)
		return vml_recording_create(r->path, &so, &r->store, error);
	err = check_folder(r->path, error);
	if (err)
		return err;
	r->hindsight = hindsight_new(r->o, r->path, &r->progress);
	return r->hindsight ? 0 : fail(error, -ENOMEM, "record to", r->path);
}

/* Also where nothing can be observed: that is when somebody asks what doctor says. */
static int put_doctor(struct recorder *r, char error[VML_ERROR_MAX])
{
	struct vml_caps caps = { 0 };
	char *text = NULL, why[VML_ERROR_MAX];
	size_t n;
	FILE *f = open_memstream(&text, &n);
	int err = f ? 0 : -ENOMEM;

	if (!err) {
		observing_probe(&r->o->observing.live, &caps, why);
		err = vml_doctor_json_write(f, &caps);
		if (vml_text_close(f, &text) && !err)
			err = -ENOMEM;
	}
	if (!err)
		err = vml_store_info(r->store, "doctor", text);
	free(text);
	r->doctor = !err;
	return err ? fail(error, err, "write", r->path) : 0;
}

static int open_source(struct recorder *r, int *ret_status, char error[VML_ERROR_MAX])
{
	const struct observing *o = &r->o->observing;
	int err = observing_open(o, &r->source, error);

	if (err)
		*ret_status = err == -EOPNOTSUPP ? EXIT_UNSUPPORTED : err == -EINVAL ? EXIT_USAGE : EXIT_FAILED;
	return err;
}

static int cannot_run(const struct recorder *r, int err, int *ret_status, char error[VML_ERROR_MAX])
{
	*ret_status = err == -ENOENT ? EXIT_NOT_FOUND : EXIT_CANNOT_RUN;
	return fail(error, err, "run", r->o->command[0]);
}

/*
 * A file is made when all else works, so that none is left behind, or replaced, in vain;
 * that of a snapshot first.
 */
static int open_all(struct recorder *r, int *ret_status, char error[VML_ERROR_MAX])
{
	int err = 0;

	if (r->o->command && r->o->force) /* a file that is replaced is gone before it is run */
		err = child_find(r->o->command[0]);
	if (err)
		return cannot_run(r, err, ret_status, error);
	*ret_status = EXIT_FAILED;
	if (r->o->command)
		err = child_prepare(&r->child, r->o->command);
	if (err)
		return fail(error, err, "start", r->o->command[0]);
	vml_stop_install();
	if (r->o->hindsight_ns)
		vml_stop_wake_on(SIGUSR1);
	r->path = r->o->path ? strdup(r->o->path) : default_path(r->o);
	r->json = r->o->json ? vml_output_open(&r->output) : NULL;
	if (!r->path || (r->o->json && !r->json))
		return fail(error, -ENOMEM, "record to", r->path ? r->path : "a file");
	if (!r->o->snapshot) {
		err = open_source(r, ret_status, error);
		return err ? err : open_file(r, error);
	}
	err = open_file(r, error);
	if (!err)
		err = put_doctor(r, error);
	return err ? err : open_source(r, ret_status, error);
}

/* Lets the command run, from the beginning of @loop on. */
static int begin(struct recorder *r, struct observing_loop *loop, int *ret_status, char error[VML_ERROR_MAX])
{
	int err = observing_begin(loop);

	if (err)
		return fail(error, err, "take", "a snapshot");
	err = r->o->command ? -child_go(&r->child) : 0;
	if (!err)
		return 0;
	vml_intervals_end(&loop->intervals);
	return cannot_run(r, err, ret_status, error);
}

/* ---- what the loop asks and gives */

static bool over(void *arg)
{
	struct recorder *r = arg;
	bool again = r->stopping;

	if (vml_stop_woken() && r->hindsight)
		hindsight_ask(r->hindsight);
	if (r->o->command && child_ended(&r->child))
		return true;
	if (!vml_stop_requested())
		return false;
	r->stopping = true;
	vml_stop_forget(); /* another one ends what may take long now */
	if (!r->o->command || again)
		return true;
	child_terminate(&r->child);
	return false;
}

static bool idle(void *arg)
{
	struct recorder *r = arg;

	return hindsight_write(r->hindsight);
}

static void print(struct recorder *r, struct vml_snapshot *delta)
{
	const struct vml_view view = { .scope = VML_PROCESS, .limit = UINT32_MAX };
	int err = vml_json_write(r->json, delta, &view);

	if (fflush(r->json) && !err)
		err = -errno;
	if (!err)
		return;
	err = r->output.error ? r->output.error : err;
	if (err != -EPIPE) {
		progress_say(&r->progress, "cannot write the output: %s",
			     err == -EINTR ? "a signal came, and nobody reads it" : strerror(-err));
		r->failed |= err != -EINTR;
	}
	fclose(r->json);
	r->json = NULL;
}

static int interval(void *arg, struct vml_snapshot *delta)
{
	struct recorder *r = arg;
	struct vml_store_stats stats = { 0 };
	int err = r->o->redaction ? vml_redact(r->o->redaction, delta) : 0;

	if (err)
		return err;
	err = r->hindsight ? hindsight_add(r->hindsight, delta) : vml_store_append(r->store, delta);
	if (err && err != r->said)
		progress_say(&r->progress, "cannot keep this interval: %s; going on", strerror(-err));
	r->said = err;
	r->failed |= err;
	if (r->json)
		print(r, delta);
	if (r->store)
		vml_store_stats(r->store, &stats);
	progress_interval(&r->progress, delta, r->hindsight ? hindsight_bytes(r->hindsight) : stats.bytes);
	return 0;
}

/* ---- the whole */

/* True when something was written. */
static bool end_file(struct recorder *r)
{
	struct vml_store_stats stats;
	int err;

	if (r->hindsight) {
		r->failed |= !hindsight_end(r->hindsight);
		r->hindsight = NULL;
		return true;
	}
	vml_store_stats(r->store, &stats);
	progress_file(&r->progress, r->path, &stats, r->progress.events, r->progress.details, "");
	err = vml_store_close(r->store);
	r->store = NULL;
	if (err)
		progress_say(&r->progress, "cannot close %s: %s", r->path, strerror(-err));
	r->failed |= err;
	return stats.intervals;
}

static int observe(struct recorder *r, struct observing_loop *loop)
{
	struct pollfd fd = { .fd = r->child.fd, .events = POLLIN };
	int err;
	bool any;

	if (r->o->time_ns)
		loop->until_ns = vml_now_mono() + r->o->time_ns;
	if (r->o->command)
		loop->fd = &fd;
	err = observing_run(loop);
	if (err) {
		progress_say(&r->progress, "cannot go on observing: %s", strerror(-err));
		r->failed = true;
	}
	any = end_file(r);
	/* a failure of ours does not end the command, nor hide how it ended */
	while (r->o->command && !r->child.ended && !over(r))
		vml_stop_wait(&fd, UINT64_MAX);
	if (!r->o->command)
		return r->failed ? EXIT_FAILED : EXIT_OK;
	return err || !any || !r->child.ended ? EXIT_OWN : child_status(&r->child);
}

int recorder_run(const struct record *o)
{
	struct recorder r = { .o = o, .child = { .fd = -1 } };
	char error[VML_ERROR_MAX] = "";
	struct observing_loop loop = {
		.o = &o->observing,
		.until_ns = UINT64_MAX,
		.over = over,
		.interval = interval,
		.arg = &r,
	};
	int status, err;

	progress_init(&r.progress, o);
	err = open_all(&r, &status, error);
	loop.source = r.source;
	loop.idle = r.hindsight ? idle : NULL;
	if (!err)
		err = begin(&r, &loop, &status, error);
	if (err) {
		if (o->command && status < EXIT_OWN)
			status = EXIT_OWN;
		progress_say(&r.progress, "%s", error);
		if (r.doctor)
			progress_say(&r.progress, "%s has only what doctor says", r.path);
		else if (r.store)
			unlink(r.path); /* there is nothing in it */
	} else {
		status = observe(&r, &loop);
	}
	child_close(&r.child);
	if (err)
		hindsight_end(r.hindsight);
	vml_store_close(r.store);
	vml_source_close(r.source);
	if (r.json)
		fclose(r.json);
	free(r.path);
	return status;
}
