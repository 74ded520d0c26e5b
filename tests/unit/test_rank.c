/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include <errno.h>

#include "unit.h"

UNIT_OUT_OF_MEMORY

/* Ranks and compares the pids, 0 ends the list. */
static void assert_ranked(struct vml_snapshot *s, enum vml_scope scope, const char *key, bool invert, bool all,
			  size_t limit, const uint32_t *pid)
{
	const struct vml_column *by = key ? vml_column_find(scope, key) : NULL;
	const struct vml_row **rows = NULL;
	size_t n = 99, i;

	assert_true(!key || by);
	assert_int_equal(vml_rank(s, scope, by, invert, all, limit, &rows, &n), 0);
	assert_non_null(rows);
	for (i = 0; i < n; i++)
		assert_int_equal(rows[i]->id.pid, pid[i]);
	assert_int_equal(pid[n], 0);
}
#define PIDS(...) ((const uint32_t[]){ __VA_ARGS__, 0 })
#define RANKED(key, invert, all, limit, ...) assert_ranked(s, VML_PROCESS, key, invert, all, limit, PIDS(__VA_ARGS__))

/*
 * pid	faults	fallbacks	hits/user	comm	threads
 * 1	50	5		1/2		b	3
 * 2	70	5		3/4		a	0
 * 3	70	0		-		a	1
 * 4	0	0		-		""	2	(unchanged)
 * 5	60	9		0/1		c	9
 */
static struct vml_snapshot *five(void)
{
	static const struct {
		uint64_t faults, fallbacks, hits, user;
		const char *comm;
		uint32_t threads;
	} p[] = { { 50, 5, 1, 2, "b", 3 },
		  { 70, 5, 3, 4, "a", 0 },
		  { 70, 0, 0, 0, "a", 1 },
		  { 0, 0, 0, 0, "", 2 },
		  { 60, 9, 0, 1, "c", 9 } };
	struct vml_snapshot *s = unit_snapshot(5);
	struct vml_row *r;
	uint32_t i;

	s->interval_ns = UNIT_SECOND;
	for (i = 0; i < VML_ARRAY_SIZE(p); i++) {
		r = unit_process(s, i + 1);
		r->value[VML_FAULTS] = p[i].faults;
		r->value[VML_FALLBACKS] = p[i].fallbacks;
		r->value[VML_HITS] = p[i].hits;
		r->value[VML_FAULTS_USER] = p[i].user;
		r->comm = p[i].comm;
		r->threads = p[i].threads;
	}
	return s;
}

static void largest_first_ties_by_identity(void **state)
{
	struct vml_snapshot *s = five();

	(void)state;
	RANKED("faults", false, false, 0, 2, 3, 5, 1);
	RANKED("faults", true, false, 0, 1, 5, 2, 3);
	RANKED("faults", false, true, 0, 2, 3, 5, 1, 4);
	RANKED("fallbacks", false, false, 0, 5, 1, 2, 3);
	RANKED("fallbacks", true, true, 0, 3, 4, 1, 2, 5);
	vml_snapshot_free(s);
}

static void limit_cuts_after_sorting(void **state)
{
	struct vml_snapshot *s = five();

	(void)state;
	RANKED("faults", false, false, 2, 2, 3);
	RANKED("faults", false, true, 1, 2);
	RANKED("faults", false, true, 100, 2, 3, 5, 1, 4);
	vml_snapshot_free(s);
}

static void without_a_key_fallbacks_then_faults(void **state)
{
	struct vml_snapshot *s = five();

	(void)state;
	RANKED(NULL, false, true, 0, 5, 2, 1, 3, 4);
	RANKED(NULL, true, true, 0, 4, 3, 1, 2, 5);
	/* no fallbacks known: faults alone */
	s->have[VML_PROCESS] &= ~VML_METRIC_BIT(VML_FALLBACKS);
	RANKED(NULL, false, true, 0, 2, 3, 5, 1, 4);
	s->have[VML_PROCESS] = 0;
	RANKED(NULL, false, true, 0, 1, 2, 3, 4, 5);
	vml_snapshot_free(s);
}

static void identity_and_text_smallest_first(void **state)
{
	struct vml_snapshot *s = five();

	(void)state;
	RANKED("pid", false, true, 0, 1, 2, 3, 4, 5);
	RANKED("pid", true, true, 0, 5, 4, 3, 2, 1);
	/* the one without a name is last both ways */
	RANKED("comm", false, true, 0, 2, 3, 1, 5, 4);
	RANKED("comm", true, true, 0, 5, 1, 2, 3, 4);
	vml_snapshot_free(s);
}

static void unknown_is_last_both_ways(void **state)
{
	struct vml_snapshot *s = five();

	(void)state;
	RANKED("hit_ratio", false, true, 0, 2, 1, 5, 3, 4);
	RANKED("hit_ratio", true, true, 0, 5, 1, 2, 3, 4);
	RANKED("threads", false, true, 0, 5, 1, 4, 3, 2);
	RANKED("threads", true, true, 0, 3, 4, 1, 5, 2);
	/* nobody knows: by identity */
	s->have[VML_PROCESS] &= ~VML_METRIC_BIT(VML_FAULTS);
	RANKED("faults", false, true, 0, 1, 2, 3, 4, 5);
	RANKED("faults", true, true, 0, 1, 2, 3, 4, 5);
	vml_snapshot_free(s);
}

static void by_metric_key(void **state)
{
	struct vml_snapshot *s = five();

	(void)state;
	s->rows[VML_PROCESS].row[3].value[VML_MMAP_WRITE_HOLD_NS] = 5;
	RANKED("mmap_write_hold_ns", false, true, 2, 4, 1);
	RANKED("write_hold", false, true, 2, 4, 1);
	vml_snapshot_free(s);
}

static void addresses(void **state)
{
	struct vml_snapshot *s = unit_snapshot(1);
	struct vml_row *r;

	(void)state;
	unit_vma(s, 1, 0x7f0000000000);
	unit_vma(s, 2, 0x1000)->area.end = 0x9000;
	unit_vma(s, 3, 0xffffffffff600000);
	r = unit_vma(s, 4, 1); /* no address */
	r->area = (struct vml_area){ .kind = "none", .name = "" };
	assert_ranked(s, VML_VMA, "start", false, true, 0, PIDS(2, 1, 3, 4));
	assert_ranked(s, VML_VMA, "start", true, true, 0, PIDS(3, 1, 2, 4));
	assert_ranked(s, VML_VMA, "size", false, true, 0, PIDS(2, 1, 3, 4));
	assert_ranked(s, VML_VMA, "kind", false, true, 0, PIDS(1, 2, 3, 4));
	vml_snapshot_free(s);
}

static void nothing_to_rank(void **state)
{
	struct vml_snapshot *s = unit_snapshot(1);

	(void)state;
	assert_ranked(s, VML_VMA, "start", false, true, 0, PIDS(0));
	unit_process(s, 3);
	assert_ranked(s, VML_PROCESS, "pid", false, false, 0, PIDS(0));
	unit_thread(s, 3, 3)->exited = true;
	assert_ranked(s, VML_THREAD, "tid", false, false, 0, PIDS(3));
	vml_snapshot_free(s);
}

/* Large random sets against what the order means, for every column of processes. */
static void random_order(void **state)
{
	const struct vml_column *const *c;
	const struct vml_row **rows;
	struct vml_snapshot *s;
	struct vml_row *r;
	uint64_t seed = 31;
	double x, y;
	bool kx, ky;
	size_t n, i;
	uint32_t p;

	(void)state;
	s = unit_snapshot(1);
	for (p = 1; p <= 100; p++) {
		r = unit_process(s, p);
		for (i = 0; i < VML_NMETRICS; i++)
			r->value[i] = unit_below(&seed, 10);
	}
	for (c = vml_columns(VML_PROCESS); *c; c++) {
		assert_int_equal(vml_rank(s, VML_PROCESS, *c, false, true, 0, &rows, &n), 0);
		assert_int_equal(n, 100);
		for (i = 1; i < n; i++) {
			kx = vml_column_number(*c, s, VML_PROCESS, rows[i - 1], &x);
			ky = vml_column_number(*c, s, VML_PROCESS, rows[i], &y);
			assert_true(kx || !ky);
			if (kx && ky && x != y)
				assert_true((*c)->ascending ? x < y : x > y);
			if ((!kx && !ky) || (kx && ky && x == y))
				assert_true(vml_id_compare(&rows[i - 1]->id, &rows[i]->id) < 0);
		}
	}
	vml_snapshot_free(s);
}

static void out_of_memory(void **state)
{
	struct vml_snapshot *s = five();
	const struct vml_row **rows = NULL;
	size_t n = 99;

	(void)state;
	unit_allocations = 0;
	assert_int_equal(vml_rank(s, VML_PROCESS, NULL, false, true, 0, &rows, &n), -ENOMEM);
	unit_allocations = -1;
	assert_null(rows);
	assert_int_equal(n, 99);
	vml_snapshot_free(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(largest_first_ties_by_identity),
		cmocka_unit_test(limit_cuts_after_sorting),
		cmocka_unit_test(without_a_key_fallbacks_then_faults),
		cmocka_unit_test(identity_and_text_smallest_first),
		cmocka_unit_test(unknown_is_last_both_ways),
		cmocka_unit_test(by_metric_key),
		cmocka_unit_test(addresses),
		cmocka_unit_test(nothing_to_rank),
		cmocka_unit_test(random_order),
		cmocka_unit_test(out_of_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
