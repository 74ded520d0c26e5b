// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* vmalock report of what happens from now on. */
#include <errno.h>
#include <string.h>

#include "observing.h"
#include "report.h"
#include "report_sum.h"

#define TIME_NS 10000000000ULL
#define LOOK_NS 500000000ULL

struct live {
	struct report *r;
	struct report_sum page;
	struct vml_period period; /* of the page */
	int write_error;
};

/* An interval is over: printed, or of a page one of many. */
static int take(void *arg, struct vml_snapshot *delta)
{
	struct live *l = arg;

	if (!l->r->html) {
		l->write_error = report_write(l->r, delta, NULL) ?: report_flush(l->r);
		return l->write_error;
	}
	if (!l->period.intervals++)
		l->period.from_ns = delta->real_ns - delta->interval_ns;
	l->period.until_ns = delta->real_ns;
	return report_sum_add(&l->page, delta);
}

/* What was seen, as a page. */
static int write_page(struct live *l)
{
	int err = report_sum_write(&l->page, l->r, &l->period, NULL);

	if (!err)
		err = report_flush(l->r);
	l->write_error = err;
	return err;
}

/*
 * In one interval; stacks and pages in many: the names in a stack are those of a
 * process that lives, and tools add up lines that are alike.
 */
static int observe(struct live *l, struct vml_source *src, struct observing *o, char error[VML_ERROR_MAX])
{
	uint64_t time_ns = l->r->time_ns ? l->r->time_ns : TIME_NS;
	int err = l->r->html ? report_sum_open(&l->page, l->r) : 0;

	if (err) {
		snprintf(error, VML_ERROR_MAX, "cannot observe: %s", strerror(-err));
		return err;
	}
	o->interval_ns = l->r->folded || l->r->html ? LOOK_NS : time_ns;
	l->page.series.step_ns = vml_series_step(time_ns / o->interval_ns, time_ns);
	err = observing_for(src, o, time_ns, take, l, error);
	return err || !l->r->html ? err : write_page(l);
}

int report_live(struct report *r)
{
	struct observing o = { .live = r->live, .filter = r->filter, .connect = r->connect };
	struct live l = { .r = r, .period.utc = r->utc };
	char error[VML_ERROR_MAX] = "";
	struct vml_source *src;
	int err = observing_open(&o, &src, error), status = EXIT_FAILED;

	if (err) {
		status = err == -EOPNOTSUPP ? EXIT_UNSUPPORTED : err == -EINVAL ? EXIT_USAGE : EXIT_FAILED;
	} else {
		err = observe(&l, src, &o, error);
		vml_source_close(src);
	}
	report_sum_free(&l.page);
	if (!err)
		return EXIT_OK;
	if (l.write_error)
		return report_cannot_write(r, l.write_error);
	fprintf(stderr, "vmalock report: %s\n", error);
	return status;
}
