// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "vmalock/snapshot.h"
#include "parts.h"

const enum vml_metric vml_hist_metrics[VML_HISTS] = {
	VML_MMAP_READ_WAIT_NS, VML_MMAP_WRITE_WAIT_NS, VML_MMAP_READ_HOLD_NS, VML_MMAP_WRITE_HOLD_NS,
	VML_VMA_WRITE_WAIT_NS, VML_SERVE_NS,	       VML_SERVE_NS,	      VML_SERVE_NS,
	VML_SERVE_NS,	       VML_USERFAULTFD_NS,     VML_PAGE_IO_NS,
};

const char *const vml_hist_titles[VML_HISTS] = {
	"read wait",   "write wait",  "read hold",    "write hold",  "VMA wait", "serve hit",
	"serve retry", "serve abort", "serve bypass", "userfaultfd", "page I/O",
};

double vml_seconds(const struct vml_snapshot *delta)
{
	return delta->interval_ns ? (double)delta->interval_ns / 1e9 : 1;
}

bool vml_knows(const struct vml_snapshot *delta, enum vml_metric m)
{
	return delta->have[VML_PROCESS] & VML_METRIC_BIT(m);
}

bool vml_blame_known(const struct vml_snapshot *delta)
{
	return delta->have[VML_BLOCKER] & VML_METRIC_BIT(VML_BLAMED_NS);
}

char *vml_grouped(char *buf, size_t n, double v)
{
	char digits[32];
	size_t len, i, at = 0;

	if (v < 9.95 && v != floor(v)) {
		snprintf(buf, n, v < 0.095 ? "%.2f" : "%.1f", v);
		return buf;
	}
	len = (size_t)snprintf(digits, sizeof(digits), "%.0f", fmin(fmax(v, 0), 1e18));
	for (i = 0; i < len && at + 2 < n; i++) {
		if (i && (len - i) % 3 == 0)
			buf[at++] = ',';
		buf[at++] = digits[i];
	}
	buf[at] = '\0';
	return buf;
}

int vml_view_rank(struct vml_snapshot *delta, const struct vml_view *view, enum vml_scope scope,
		  const struct vml_row ***ret_rows, size_t *ret_n)
{
	const struct vml_column *by = view->sort ? vml_column_find(scope, view->sort) : NULL;

	return vml_rank(delta, scope, by, view->invert, view->limit == 0, view->limit, ret_rows, ret_n);
}

static int more_cases(const void *a, const void *b)
{
	const struct vml_cell *x = a, *y = b;

	if (x->count != y->count)
		return x->count < y->count ? 1 : -1;
	return (x->index > y->index) - (x->index < y->index);
}

int vml_reasons_rank(const struct vml_snapshot *delta, const struct vml_tally *t, struct vml_cell **ret,
		     uint32_t *ret_n)
{
	struct vml_cell *cell = calloc(t->n ? t->n : 1, sizeof(*cell));

	if (!cell)
		return -ENOMEM;
	*ret_n = vml_reasons_fold(t, vml_snapshot_exact(delta), cell);
	qsort(cell, *ret_n, sizeof(*cell), more_cases);
	*ret = cell;
	return 0;
}

bool vml_lookups_worth(const struct vml_snapshot *delta)
{
	size_t i;

	for (i = 1; i < delta->nlookup; i++) /* 0: page faults */
		if (delta->lookup[i].lookups)
			return true;
	return false;
}
