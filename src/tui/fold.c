// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Processes added up by cgroup.  The rows are of scope process; their identity
 * is a hash of the path in start_ns with pid 0, so that a row is followed over
 * intervals as any other.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "vmalock/base.h"
#include "screen.h"

struct vml_id tui_fold_id(const char *cgroup)
{
	return (struct vml_id){ .start_ns = vml_hash(VML_HASH_NOTHING, cgroup, strlen(cgroup)) };
}

static int by_cgroup(const void *a, const void *b)
{
	const struct vml_row *const *x = a, *const *y = b;

	return strcmp((*x)->cgroup, (*y)->cgroup);
}

static int by_id(const void *a, const void *b)
{
	return vml_id_compare(&((const struct vml_row *)a)->id, &((const struct vml_row *)b)->id);
}

static int add_row(struct vml_arena *a, struct vml_row *sum, const struct vml_row *r)
{
	unsigned int i;
	int err;

	for (i = 0; i < VML_NMETRICS; i++)
		sum->value[i] += r->value[i];
	sum->threads += r->threads;
	sum->exited &= r->exited;
	err = vml_tally_add(a, &sum->reasons, &r->reasons, &sum->reasons);
	for (i = 0; i < VML_HISTS && !err; i++)
		err = vml_hist_add(a, &sum->hist[i], &r->hist[i], &sum->hist[i]);
	return err;
}

/* The rows of one cgroup, @n > 0 of them. */
static int fold_rows(struct vml_arena *a, const struct vml_row *const *rows, size_t n, struct vml_row *ret)
{
	size_t i, len = strlen(rows[0]->cgroup) + 48;
	char *label = vml_arena_alloc(a, len);
	int err = label ? 0 : -ENOMEM;

	*ret = (struct vml_row){ .id = tui_fold_id(rows[0]->cgroup),
				 .comm = label,
				 .cgroup = vml_arena_strdup(a, rows[0]->cgroup),
				 .uid = UINT32_MAX,
				 .exited = true,
				 .area = { .kind = "", .name = "" } };
	if (!ret->cgroup)
		err = -ENOMEM;
	for (i = 0; i < n && !err; i++)
		err = add_row(a, ret, rows[i]);
	if (!err)
		snprintf(label, len, "%s (%zu %s)", *ret->cgroup ? ret->cgroup : "unknown", n,
			 n == 1 ? "process" : "processes");
	return err;
}

static int fold_into(struct vml_snapshot *s, const struct vml_snapshot *delta, const struct vml_row **row)
{
	struct vml_rows *out = &s->rows[VML_PROCESS];
	size_t i, first, n = delta->rows[VML_PROCESS].n;
	int err = 0;

	out->row = vml_arena_alloc(s->arena, n * sizeof(*out->row));
	if (!out->row)
		return -ENOMEM;
	for (i = 0; i < n; i++)
		row[i] = &delta->rows[VML_PROCESS].row[i];
	qsort(row, n, sizeof(*row), by_cgroup);
	for (first = 0; first < n && !err; first = i) {
		for (i = first + 1; i < n && !strcmp(row[i]->cgroup, row[first]->cgroup);)
			i++;
		err = fold_rows(s->arena, row + first, i - first, &out->row[out->n++]);
	}
	qsort(out->row, out->n, sizeof(*out->row), by_id);
	return err;
}

int tui_fold(const struct vml_snapshot *delta, struct vml_snapshot **ret)
{
	struct vml_snapshot *s = vml_snapshot_new();
	const struct vml_row **row = calloc(delta->rows[VML_PROCESS].n + 1, sizeof(*row));
	int err = s && row ? 0 : -ENOMEM;

	if (!err) {
		s->interval_ns = delta->interval_ns;
		s->caps = delta->caps;
		memcpy(s->have, delta->have, sizeof(s->have));
		s->have_reasons = delta->have_reasons;
		s->selected = delta->selected;
		err = fold_into(s, delta, row);
	}
	free(row);
	if (err) {
		vml_snapshot_free(s);
		return err;
	}
	*ret = s;
	return 0;
}
