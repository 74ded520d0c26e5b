// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "vmalock/base.h"
#include "window.h"

static bool in_window(const struct vml_window *w, const struct vml_reader_interval *i)
{
	return vml_interval_in(i, w->since_ns, w->until_ns);
}

static void find(struct vml_window *w)
{
	const struct vml_reader_interval *i;
	size_t k, n;

	i = vml_reader_intervals(w->reader, &n);
	for (k = 0; k < n; k++) {
		if (!in_window(w, &i[k]))
			continue;
		if (!w->intervals++) {
			w->first = k;
			w->from_ns = i[k].real_ns - i[k].interval_ns;
		}
		w->last = k;
		w->to_ns = i[k].real_ns;
	}
}

/* Who may read the history, and who writes it. */
static void explain(int err, char error[VML_ERROR_MAX])
{
	size_t len = strlen(error);

	if (err == -EACCES)
		snprintf(error + len, VML_ERROR_MAX - len, "; root and members of the group vmalock may");
	else if (err == -ENOENT)
		snprintf(error + len, VML_ERROR_MAX - len, "; vmalockd keeps one while it runs");
}

int vml_window_open(struct vml_window *w, char error[VML_ERROR_MAX])
{
	int err;

	w->intervals = 0;
	vml_text_clean(w->name, sizeof(w->name), w->path, strlen(w->path));
	err = vml_reader_open(w->path, &w->reader, error);
	if (err && !strcmp(w->path, VML_HISTORY))
		explain(err, error);
	if (err)
		return err;
	err = vml_reader_hold(w->reader);
	if (!err) {
		find(w);
		return 0;
	}
	snprintf(error, VML_ERROR_MAX, "%s", vml_reader_error(w->reader));
	vml_window_close(w);
	return err;
}

void vml_window_say_empty(const struct vml_window *w, bool utc, char error[VML_ERROR_MAX])
{
	const struct vml_reader_interval *i;
	char from[64], until[64];
	size_t n;

	i = vml_reader_intervals(w->reader, &n);
	if (!n)
		snprintf(error, VML_ERROR_MAX, "%s holds no intervals: nothing was recorded", w->name);
	else
		snprintf(error, VML_ERROR_MAX, "%s has nothing of that time: it is from %s to %s", w->name,
			 vml_fmt_clock(from, sizeof(from), i[0].real_ns - i[0].interval_ns, utc),
			 vml_fmt_clock(until, sizeof(until), i[n - 1].real_ns, utc));
}

void vml_window_close(struct vml_window *w)
{
	if (w->reader)
		vml_reader_release(w->reader);
	vml_reader_close(w->reader);
	w->reader = NULL;
}

int vml_window_read(struct vml_window *w, int (*take)(void *arg, struct vml_snapshot *delta), void *arg,
		    char error[VML_ERROR_MAX])
{
	const struct vml_reader_interval *i;
	struct vml_snapshot *delta;
	size_t k, n;
	int err = 0;

	i = vml_reader_intervals(w->reader, &n);
	for (k = w->first; w->intervals && k <= w->last && !err; k++) {
		if (!in_window(w, &i[k]))
			continue;
		err = vml_reader_delta(w->reader, k, &delta);
		if (err) {
			snprintf(error, VML_ERROR_MAX, "%s", vml_reader_error(w->reader));
			break;
		}
		err = vml_select(delta, w->filter);
		if (!err)
			err = take(arg, delta);
		vml_snapshot_free(delta);
		if (err)
			snprintf(error, VML_ERROR_MAX, "cannot read %s: %s", w->name, strerror(-err));
	}
	return err;
}
