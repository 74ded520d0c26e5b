/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef VMALOCK_COMMAND_REPORT_SUM_H
#define VMALOCK_COMMAND_REPORT_SUM_H
/* Intervals one after the other, as one report (report_sum.c). */
#include "notes.h"
#include "report.h"
#include "vmalock/series.h"

struct report_sum {
	struct vml_sum *sum;
	struct vml_series series; /* of a page; its step is set by the caller */
	struct notes notes;
	bool page;
	int write_error; /* of report_sum_write(), when it was the output that failed */
};

/* All 0 before. -ENOMEM */
int report_sum_open(struct report_sum *s, const struct report *r);
int report_sum_add(struct report_sum *s, const struct vml_snapshot *delta);
/* Prints; @w: whose events belong to it, or NULL.  The notes of @period are set. */
int report_sum_write(struct report_sum *s, struct report *r, struct vml_period *period, struct vml_window *w);
void report_sum_free(struct report_sum *s);

#endif
