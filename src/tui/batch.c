// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include <errno.h>
#include <langinfo.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "../run/guarded.h"
#include "../run/output.h"
#include "../run/stop.h"
#include "batch.h"
#include "vmalock/base.h"
#include "vmalock/sink.h"

static int write_delta(FILE *out, struct vml_snapshot *delta, const struct vml_top_options *o)
{
	struct vml_view view = {
		.scope = o->view.threads ? VML_THREAD : VML_PROCESS,
		.sort = o->view.sort,
		.limit = o->view.limit,
		.utf8 = !strcmp(nl_langinfo(CODESET), "UTF-8"),
	};
	int err = vml_select(delta, &o->view.filter);

	if (!err)
		err = o->json ? vml_json_write(out, delta, &view) : vml_table_write(out, delta, &view);
	if (!err && !o->json)
		fputc('\n', out);
	if (!err && fflush(out))
		err = -errno;
	return err;
}

/* The interval that ends at @beat or on SIGUSR1, or as soon as there is one.  0 and none: a signal to end. */
static int wait_next(struct vml_intervals *x, uint64_t *beat, uint64_t interval_ns, struct vml_snapshot **ret)
{
	bool woken = false;
	int err;

	do {
		while (!vml_stop_requested() && !(woken = vml_stop_woken()) && vml_now_mono() < *beat)
			vml_stop_wait(NULL, vml_guarded_tick(x->source, *beat));
		if (vml_stop_requested())
			return 0;
		err = vml_intervals_next(x, ret);
		if (err == -EAGAIN)
			*beat = vml_now_mono() + VML_SOURCE_AGAIN_NS;
	} while (err == -EAGAIN);
	/* an interval that was ended is followed by a whole one */
	*beat = woken ? vml_now_mono() + interval_ns : vml_next_beat(*beat, interval_ns);
	return err;
}

static int print_intervals(FILE *out, struct vml_source *src, const struct vml_top_options *o)
{
	uint64_t beat;
	struct vml_guard guard;
	struct vml_intervals x = { .source = src, .guard = &guard, .all = !o->view.limit };
	struct vml_snapshot *delta;
	uint32_t n = 0;
	int err;

	vml_guard_init(&guard, o->view.max_overhead);
	guard.step = o->view.duty;
	err = vml_intervals_begin(&x);
	beat = vml_now_mono() + o->view.interval_ns;
	while (!err && (!o->view.count || n < o->view.count)) {
		delta = NULL;
		err = wait_next(&x, &beat, o->view.interval_ns, &delta);
		if (err == -ESTALE) { /* begun anew: a baseline again */
			err = vml_intervals_begin(&x);
			continue;
		}
		if (err || !delta)
			break;
		err = write_delta(out, delta, o);
		vml_snapshot_free(delta);
		n++;
	}
	vml_intervals_end(&x);
	return err;
}

/* The same of what is in a file. */
static int print_recorded(FILE *out, struct vml_reader *r, const struct vml_top_options *o)
{
	struct vml_snapshot *delta;
	size_t i, n;
	int err = vml_reader_hold(r); /* a history may be rolled up meanwhile */

	if (err)
		return err;
	vml_reader_intervals(r, &n);
	if (o->view.count && o->view.count < n)
		n = o->view.count;
	for (i = 0; i < n && !err && !vml_stop_requested(); i++) {
		err = vml_reader_delta(r, i, &delta);
		if (err)
			break;
		err = write_delta(out, delta, o);
		vml_snapshot_free(delta);
	}
	vml_reader_release(r);
	return err;
}

int vml_batch_run(struct vml_source *src, struct vml_reader *r, const struct vml_top_options *o,
		  char error[VML_ERROR_MAX])
{
	struct vml_output output;
	FILE *out = vml_output_open(&output);
	int err = out ? 0 : -ENOMEM;
	const char *why;

	vml_stop_install();
	vml_stop_wake_on(SIGUSR1);
	if (!err && r)
		err = print_recorded(out, r, o);
	else if (!err)
		err = print_intervals(out, src, o);
	if (out)
		fclose(out);
	if (err && output.error)
		err = output.error; /* better than the -EIO of a sink */
	/* an end, a reader that has seen enough, or a signal */
	if (err == -ENODATA || err == -EPIPE || vml_stop_requested())
		return 0;
	why = r ? vml_reader_error(r) : vml_source_why(src);
	if (err && !output.error && *why)
		snprintf(error, VML_ERROR_MAX, "%s", why);
	else if (err)
		snprintf(error, VML_ERROR_MAX, "cannot %s: %s", output.error ? "write the output" : "take a snapshot",
			 strerror(-err));
	return err;
}
