/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include <errno.h>

#include "vmalock/base.h"
#include "vmalock/snapshot.h"

uint64_t vml_tally_get(const struct vml_tally *t, uint32_t index)
{
	uint32_t low = 0, high = t->n, middle;

	while (low < high) {
		middle = low + (high - low) / 2;
		if (t->cell[middle].index < index)
			low = middle + 1;
		else
			high = middle;
	}
	return low < t->n && t->cell[low].index == index ? t->cell[low].count : 0;
}

uint64_t vml_tally_sum(const struct vml_tally *t)
{
	uint64_t sum = 0;
	uint32_t i;

	for (i = 0; i < t->n; i++)
		sum += t->cell[i].count;
	return sum;
}

int vml_tally_from(struct vml_arena *a, const uint64_t *dense, uint32_t n, struct vml_tally *ret)
{
	struct vml_cell *cell = NULL;
	uint32_t i, used = 0;

	for (i = 0; i < n; i++)
		used += dense[i] != 0;
	if (used) {
		cell = vml_arena_alloc(a, used * sizeof(*cell));
		if (!cell)
			return -ENOMEM;
	}
	*ret = (struct vml_tally){ .n = used, .cell = cell };
	for (i = 0; i < n; i++) {
		if (dense[i])
			*cell++ = (struct vml_cell){ .index = i, .count = dense[i] };
	}
	return 0;
}

static uint64_t sum_of(uint64_t x, uint64_t y)
{
	return x + y;
}

static uint64_t change_of(uint64_t prev, uint64_t cur)
{
	return cur < prev ? cur : cur - prev;
}

/*
 * Walks both tallies by index and stores op(x, y) where it is not 0.  @cell
 * NULL: only counts.  Returns the number of cells, at most x->n + y->n whatever the order.
 */
static uint32_t merge(const struct vml_tally *x, const struct vml_tally *y, uint64_t (*op)(uint64_t, uint64_t),
		      struct vml_cell *cell)
{
	uint32_t i = 0, j = 0, n = 0;

	while (i < x->n || j < y->n) {
		bool in_x = i < x->n && (j >= y->n || x->cell[i].index <= y->cell[j].index);
		bool in_y = j < y->n && (i >= x->n || y->cell[j].index <= x->cell[i].index);
		uint32_t index = in_x ? x->cell[i].index : y->cell[j].index;
		uint64_t count = op(in_x ? x->cell[i].count : 0, in_y ? y->cell[j].count : 0);

		if (count && cell)
			cell[n] = (struct vml_cell){ .index = index, .count = count };
		n += count != 0;
		i += in_x;
		j += in_y;
	}
	return n;
}

/* Twice, so that an arena, which takes nothing back, is asked for no more than is used. */
static int merge_alloc(struct vml_arena *a, const struct vml_tally *x, const struct vml_tally *y,
		       uint64_t (*op)(uint64_t, uint64_t), struct vml_tally *ret)
{
	uint32_t n = merge(x, y, op, NULL);
	struct vml_cell *cell = NULL;

	if (n) {
		cell = vml_arena_alloc(a, n * sizeof(*cell));
		if (!cell)
			return -ENOMEM;
		merge(x, y, op, cell);
	}
	*ret = (struct vml_tally){ .n = n, .cell = cell };
	return 0;
}

int vml_tally_add(struct vml_arena *a, const struct vml_tally *x, const struct vml_tally *y, struct vml_tally *ret)
{
	return merge_alloc(a, x, y, sum_of, ret);
}

int vml_tally_delta(struct vml_arena *a, const struct vml_tally *prev, const struct vml_tally *cur,
		    struct vml_tally *ret)
{
	return merge_alloc(a, prev, cur, change_of, ret);
}
