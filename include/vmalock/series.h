/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef VMALOCK_SERIES_H
#define VMALOCK_SERIES_H
/*
 * Deltas one after the other as a few bins, for plots over time.
 *
 * A bin is made of whole intervals that follow each other: nothing is spread or
 * interpolated, and rates are of the time observed.  A bin ends when the next interval
 * would make it longer than the step, and where nobody observed for longer than
 * that: what is not in a bin is a gap, and not zero.  Of a file with more than 3,200 gaps
 * the last bin has the rest.
 *
 * Pure: no clock, no file.  src/model/series.c
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "vmalock/snapshot.h"

/* Bins that a plot has room for. */
#define VML_SERIES_BINS 200

enum vml_series_hist { VML_SERIES_READ_WAIT, VML_SERIES_WRITE_WAIT, VML_SERIES_HISTS };
#define VML_SERIES_BUCKETS 126 /* VML_HIST_BUCKETS of hist.h */

struct vml_bin {
	uint64_t from_ns, until_ns; /* UTC: when its first interval began, and its last ended */
	uint64_t interval_ns; /* time observed */
	uint64_t have; /* VML_METRIC_BIT()s of the totals that all its intervals know */
	uint64_t total[VML_NMETRICS];
	uint64_t wait[VML_SERIES_HISTS][VML_SERIES_BUCKETS];
	uint64_t lost; /* events that were not counted */
	uint32_t intervals;
	bool gap; /* nobody observed just before it, or the clock was set; of the first bin: false */
};

/* All 0 at first, but for the step. */
struct vml_series {
	uint64_t step_ns; /* 0: each interval is a bin */
	struct vml_bin *bin;
	size_t n, room;
	/* the end of the last interval */
	uint64_t boot_ns, real_ns;
	char boot_id[64];
};

/* The step for @n intervals that take @span_ns together: at most about VML_SERIES_BINS bins. */
uint64_t vml_series_step(size_t n, uint64_t span_ns);
/* @delta is later than those before. -ENOMEM; -EINVAL: no delta */
int vml_series_add(struct vml_series *s, const struct vml_snapshot *delta);
void vml_series_free(struct vml_series *s);

#endif
