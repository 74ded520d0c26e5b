/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef VMALOCK_UNIT_H
#define VMALOCK_UNIT_H
/*
 * What the unit tests share: cmocka with what it needs, repeatable random
 * numbers, snapshots made by hand, allocations that fail.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "vmalock/base.h"
#include "vmalock/snapshot.h"

/* ---- files: below $TMPDIR, which tests/run removes */

static inline const char *unit_folder(void)
{
	const char *folder = getenv("TMPDIR");

	return folder && *folder ? folder : P_tmpdir;
}

/* ---- xorshift64*: the same numbers in every run */

static inline uint64_t unit_random(uint64_t *state)
{
	*state ^= *state >> 12;
	*state ^= *state << 25;
	*state ^= *state >> 27;
	return *state * 2685821657736338717ULL;
}

/* Below @n; n > 0. */
static inline uint64_t unit_below(uint64_t *state, uint64_t n)
{
	return unit_random(state) % n;
}

/* In (0, 1]. */
static inline double unit_uniform(uint64_t *state)
{
	return ((double)(unit_random(state) >> 11) + 1) / 9007199254740992.0;
}

/* ---- allocations that fail: src/base/arena.c asks this before each */

bool vml_arena_exhausted(size_t size);

/* In a test file once: -1: none fails; n: n succeed, all others fail. */
#define UNIT_OUT_OF_MEMORY                    \
	static long unit_allocations = -1;    \
	bool vml_arena_exhausted(size_t size) \
	{                                     \
		(void)size;                   \
		if (unit_allocations > 0)     \
			unit_allocations--;   \
		else if (!unit_allocations)   \
			return true;          \
		return false;                 \
	}

/* ---- snapshots */

#define UNIT_ROWS 128
#define UNIT_SECOND 1000000000ULL

/* Taken at @boot_ns; everything is known. */
static inline struct vml_snapshot *unit_snapshot(uint64_t boot_ns)
{
	struct vml_snapshot *s = vml_snapshot_new();
	int i;

	assert_non_null(s);
	s->boot_ns = boot_ns;
	s->real_ns = 1000000 * UNIT_SECOND + boot_ns;
	s->have_reasons = true;
	for (i = 0; i < VML_NSCOPES; i++) {
		s->have[i] = VML_METRIC_BIT(VML_NMETRICS) - 1;
		s->rows[i].row = vml_arena_alloc(s->arena, UNIT_ROWS * sizeof(struct vml_row));
		assert_non_null(s->rows[i].row);
	}
	return s;
}

/* A row behind the others, of process @pid, which starts at @pid seconds; the caller keeps them in order. */
static inline struct vml_row *unit_row(struct vml_snapshot *s, enum vml_scope scope, uint32_t pid)
{
	struct vml_row *r = &s->rows[scope].row[s->rows[scope].n++];

	assert_true(s->rows[scope].n <= UNIT_ROWS);
	*r = (struct vml_row){
		.id = { .pid = pid, .start_ns = pid * UNIT_SECOND },
		.comm = "comm",
		.cgroup = "",
		.uid = UINT32_MAX,
		.ns_pid = pid,
		.area = { .kind = "", .name = "" },
	};
	return r;
}

static inline struct vml_row *unit_process(struct vml_snapshot *s, uint32_t pid)
{
	return unit_row(s, VML_PROCESS, pid);
}

static inline struct vml_row *unit_thread(struct vml_snapshot *s, uint32_t pid, uint32_t tid)
{
	struct vml_row *r = unit_row(s, VML_THREAD, pid);

	r->id.tid = tid;
	r->id.tid_start_ns = tid * UNIT_SECOND;
	return r;
}

static inline struct vml_row *unit_vma(struct vml_snapshot *s, uint32_t pid, uint64_t start)
{
	struct vml_row *r = unit_row(s, VML_VMA, pid);

	r->id.anchor = start;
	r->area = (struct vml_area){
		.start = start, .end = start + 0x2000, .perms = "rw-p", .kind = "anon", .name = "[anon]"
	};
	return r;
}

/* A tally from pairs: UNIT_TALLY(s, { 1, 10 }, { 7, 3 }) */
static inline struct vml_tally unit_tally(struct vml_snapshot *s, const struct vml_cell *cell, size_t n)
{
	struct vml_tally t = { .n = (uint32_t)n };

	t.cell = vml_arena_copy(s->arena, cell, n * sizeof(*cell));
	assert_non_null(t.cell);
	return t;
}
#define UNIT_TALLY(s, ...)                                        \
	unit_tally((s), (const struct vml_cell[]){ __VA_ARGS__ }, \
		   VML_ARRAY_SIZE(((const struct vml_cell[]){ __VA_ARGS__ })))

/* One wait of each of the buckets that are named. */
static inline struct vml_hist unit_hist(struct vml_tally bucket, uint64_t sum_ns, uint64_t max_ns)
{
	return (struct vml_hist){
		.bucket = bucket, .count = vml_tally_sum(&bucket), .sum_ns = sum_ns, .max_ns = max_ns
	};
}

static inline void unit_assert_tally(const struct vml_tally *x, const struct vml_tally *y)
{
	uint32_t i;

	assert_int_equal(x->n, y->n);
	for (i = 0; i < x->n; i++) {
		assert_int_equal(x->cell[i].index, y->cell[i].index);
		assert_int_equal(x->cell[i].count, y->cell[i].count);
	}
}

/* vml_delta() that succeeds. */
static inline struct vml_snapshot *unit_delta(const struct vml_snapshot *prev, const struct vml_snapshot *cur)
{
	struct vml_snapshot *d = NULL;

	assert_int_equal(vml_delta(prev, cur, &d), 0);
	assert_non_null(d);
	return d;
}

static inline void unit_free(struct vml_snapshot *a, struct vml_snapshot *b, struct vml_snapshot *c)
{
	vml_snapshot_free(a);
	vml_snapshot_free(b);
	vml_snapshot_free(c);
}

static inline void unit_set_loss(struct vml_snapshot *s, const struct vml_loss *loss, size_t n)
{
	s->loss = vml_arena_copy(s->arena, loss, n * sizeof(*loss));
	assert_non_null(s->loss);
	s->nloss = n;
}

static inline bool unit_near(double x, double y, double relative)
{
	double error = x > y ? x - y : y - x;

	return error <= relative * (y < 0 ? -y : y);
}

#endif
