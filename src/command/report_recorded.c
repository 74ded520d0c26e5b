// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* vmalock report of a recording, or a part of it or of the history. */
#include <errno.h>
#include <string.h>

#include "report.h"
#include "report_sum.h"
#include "vmalock/base.h"

/* What is read is added up, or printed. */
struct reading {
	struct report *r;
	struct report_sum sum;
	int write_error;
};

static int add(void *arg, struct vml_snapshot *delta)
{
	struct reading *x = arg;

	return report_sum_add(&x->sum, delta);
}

static int print(void *arg, struct vml_snapshot *delta)
{
	struct reading *x = arg;

	x->write_error = report_write(x->r, delta, NULL);
	return x->write_error;
}

static int complain(const char *error)
{
	fprintf(stderr, "vmalock report: %s\n", error);
	return EXIT_FAILED;
}

static int add_up(struct reading *x, struct vml_window *w, char error[VML_ERROR_MAX])
{
	struct vml_period period = {
		.file = w->name,
		.from_ns = w->from_ns,
		.until_ns = w->to_ns,
		.intervals = w->intervals,
		.utc = x->r->utc,
	};
	int err = report_sum_open(&x->sum, x->r);

	x->sum.series.step_ns = vml_series_step(w->intervals, w->to_ns > w->from_ns ? w->to_ns - w->from_ns : 0);
	if (!err)
		err = vml_window_read(w, add, x, error);
	if (!err)
		err = report_sum_write(&x->sum, x->r, &period, w);
	x->write_error = x->sum.write_error;
	return err;
}

static int read_window(struct reading *x, struct vml_window *w)
{
	char error[VML_ERROR_MAX] = "";
	int err;

	if (!w->intervals) {
		vml_window_say_empty(w, x->r->utc, error);
		return complain(error);
	}
	err = x->r->intervals ? vml_window_read(w, print, x, error) : add_up(x, w, error);
	if (!err)
		err = x->write_error = report_flush(x->r);
	if (x->write_error)
		return report_cannot_write(x->r, x->write_error);
	if (err && !*error)
		snprintf(error, sizeof(error), "cannot read %s: %s", w->name, strerror(-err));
	return err ? complain(error) : EXIT_OK;
}

int report_recorded(struct report *r)
{
	struct reading x = { .r = r };
	char error[VML_ERROR_MAX] = "";
	int status, err;

	r->window.filter = &r->filter;
	err = vml_window_open(&r->window, error);
	if (err) {
		complain(error);
		return err == -EOPNOTSUPP ? EXIT_UNSUPPORTED : EXIT_FAILED;
	}
	status = read_window(&x, &r->window);
	report_sum_free(&x.sum);
	vml_window_close(&r->window);
	return status;
}
