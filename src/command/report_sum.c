// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "report_sum.h"

#include <errno.h>

#include "vmalock/diagnose.h"

int report_sum_open(struct report_sum *s, const struct report *r)
{
	s->sum = vml_sum_new();
	s->page = r->html;
	return s->sum ? 0 : -ENOMEM;
}

int report_sum_add(struct report_sum *s, const struct vml_snapshot *delta)
{
	int err = vml_sum_add(s->sum, delta);

	notes_stall(&s->notes, delta);
	if (!err && s->page)
		err = vml_series_add(&s->series, delta);
	return err;
}

static int write_page(struct report_sum *s, struct report *r, struct vml_snapshot *sum, const struct vml_period *period)
{
	struct vml_diagnosis diagnosis;
	const struct vml_html_report page = {
		.sum = sum,
		.period = period,
		.series = &s->series,
		.diagnosis = &diagnosis,
	};
	int err = vml_diagnose(sum, &diagnosis);

	if (!err)
		err = report_open(r);
	return err ? err : vml_html_report_write(r->out, &page);
}

int report_sum_write(struct report_sum *s, struct report *r, struct vml_period *period, struct vml_window *w)
{
	struct vml_snapshot *sum;
	int err = notes_end(&s->notes, w);

	if (!err) {
		err = vml_sum_end(s->sum, &sum);
		s->sum = NULL;
	}
	if (err)
		return err;
	period->note = s->notes.note;
	period->nnotes = s->notes.n;
	err = s->page ? write_page(s, r, sum, period) : report_write(r, sum, period);
	vml_snapshot_free(sum);
	s->write_error = err;
	return err;
}

void report_sum_free(struct report_sum *s)
{
	vml_sum_free(s->sum);
	vml_series_free(&s->series);
	notes_free(&s->notes);
}
