/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include <errno.h>

#include "unit.h"

UNIT_OUT_OF_MEMORY

/*
 * pid	uid	ns	cgroup	faults	(threads pid, pid + 1; a VMA)
 * 10	0	10	/	1
 * 20	33	7	/a	10
 * 30	33	30	/a/b	100
 * 40	1000	1	/ab	1000
 * 50	unknown	50	unknown	10000
 */
static struct vml_snapshot *five(void)
{
	static const struct {
		uint32_t pid, uid, ns_pid;
		const char *cgroup;
		uint64_t faults;
	} p[] = {
		{ 10, 0, 10, "/", 1 },	      { 20, 33, 7, "/a", 10 },		 { 30, 33, 30, "/a/b", 100 },
		{ 40, 1000, 1, "/ab", 1000 }, { 50, UINT32_MAX, 50, "", 10000 },
	};
	struct vml_snapshot *s = unit_snapshot(5 * UNIT_SECOND);
	struct vml_row *r;
	size_t i;

	s->interval_ns = UNIT_SECOND;
	for (i = 0; i < VML_ARRAY_SIZE(p); i++) {
		r = unit_process(s, p[i].pid);
		r->uid = p[i].uid;
		r->ns_pid = p[i].ns_pid;
		r->cgroup = p[i].cgroup;
		r->value[VML_FAULTS] = p[i].faults;
		r->reasons = UNIT_TALLY(s, { 4, p[i].faults });
		r->hist[0] = unit_hist(UNIT_TALLY(s, { (uint32_t)i, p[i].faults }), p[i].faults, 0);
		s->total[VML_FAULTS] += p[i].faults;
		unit_thread(s, p[i].pid, p[i].pid)->value[VML_FAULTS] = p[i].faults;
		unit_thread(s, p[i].pid, p[i].pid + 1);
		unit_vma(s, p[i].pid, 0x1000);
	}
	s->total[VML_FAULTS] += 500; /* of processes that are gone */
	return s;
}

/* Selects from a fresh five(): the sum of the faults tells which processes were kept. */
static void assert_selects(const struct vml_filter *f, uint64_t faults)
{
	struct vml_snapshot *s = five();
	uint64_t sum = 0;
	size_t i, n;

	assert_int_equal(vml_select(s, f), 0);
	n = s->rows[VML_PROCESS].n;
	for (i = 0; i < n; i++)
		sum += s->rows[VML_PROCESS].row[i].value[VML_FAULTS];
	assert_int_equal(sum, faults);
	assert_int_equal(s->total[VML_FAULTS], faults);
	assert_int_equal(vml_tally_get(&s->reasons, 4), faults);
	assert_int_equal(s->hist[0].count, faults);
	assert_int_equal(s->hist[0].sum_ns, faults);
	assert_int_equal(s->rows[VML_THREAD].n, 2 * n);
	assert_int_equal(s->rows[VML_VMA].n, n);
	for (i = 0; i < n; i++) {
		assert_int_equal(s->rows[VML_VMA].row[i].id.pid, s->rows[VML_PROCESS].row[i].id.pid);
		assert_int_equal(s->rows[VML_THREAD].row[2 * i].id.pid, s->rows[VML_PROCESS].row[i].id.pid);
		assert_int_equal(s->rows[VML_THREAD].row[2 * i + 1].id.pid, s->rows[VML_PROCESS].row[i].id.pid);
	}
	assert_true(s->selected);
	vml_snapshot_free(s);
}

static void an_empty_filter_changes_nothing(void **state)
{
	struct vml_snapshot *s = five();

	(void)state;
	assert_int_equal(vml_select(s, &(struct vml_filter){ 0 }), 0);
	assert_int_equal(s->rows[VML_PROCESS].n, 5);
	assert_int_equal(s->total[VML_FAULTS], 11611);
	assert_false(s->selected);
	vml_snapshot_free(s);
}

static void by_pid(void **state)
{
	static const uint32_t host[] = { 20 }, two[] = { 50, 10, 50 }, ns[] = { 1 }, both[] = { 7, 30 },
			      none[] = { 999 };

	(void)state;
	assert_selects(&(struct vml_filter){ .pids = host, .npids = 1 }, 10);
	assert_selects(&(struct vml_filter){ .pids = two, .npids = 3 }, 10001);
	assert_selects(&(struct vml_filter){ .pids = ns, .npids = 1 }, 1000);
	assert_selects(&(struct vml_filter){ .pids = both, .npids = 2 }, 110);
	assert_selects(&(struct vml_filter){ .pids = none, .npids = 1 }, 0);
}

static void by_uid(void **state)
{
	(void)state;
	assert_selects(&(struct vml_filter){ .by_uid = true, .uid = 33 }, 110);
	assert_selects(&(struct vml_filter){ .by_uid = true, .uid = 0 }, 1);
	assert_selects(&(struct vml_filter){ .by_uid = true, .uid = 5 }, 0);
	/* unknown is nobody's id */
	assert_selects(&(struct vml_filter){ .by_uid = true, .uid = UINT32_MAX }, 0);
}

static void by_cgroup(void **state)
{
	(void)state;
	assert_selects(&(struct vml_filter){ .cgroup = "/a" }, 110);
	assert_selects(&(struct vml_filter){ .cgroup = "/a/" }, 110);
	assert_selects(&(struct vml_filter){ .cgroup = "/a/b" }, 100);
	assert_selects(&(struct vml_filter){ .cgroup = "/ab" }, 1000);
	assert_selects(&(struct vml_filter){ .cgroup = "/a/b/c" }, 0);
	assert_selects(&(struct vml_filter){ .cgroup = "a" }, 0);
	assert_selects(&(struct vml_filter){ .cgroup = "/" }, 1111);
}

static void all_conditions_must_hold(void **state)
{
	static const uint32_t pids[] = { 20, 40 };

	(void)state;
	assert_selects(&(struct vml_filter){ .pids = pids, .npids = 2, .by_uid = true, .uid = 33 }, 10);
	assert_selects(&(struct vml_filter){ .pids = pids, .npids = 2, .cgroup = "/ab" }, 1000);
	assert_selects(&(struct vml_filter){ .by_uid = true, .uid = 1000, .cgroup = "/a" }, 0);
}

/* systemd writes \x2d into names; rows hold them with the backslash doubled. */
static void cgroup_with_a_backslash(void **state)
{
	struct vml_snapshot *s = five();

	(void)state;
	s->rows[VML_PROCESS].row[3].cgroup = "/system.slice/getty\\\\x2dtty1";
	assert_int_equal(vml_select(s, &(struct vml_filter){ .cgroup = "/system.slice/getty\\x2dtty1" }), 0);
	assert_int_equal(s->total[VML_FAULTS], 1000);
	assert_int_equal(vml_select(s, &(struct vml_filter){ .cgroup = "/system.slice/getty\\\\x2dtty1" }), 0);
	assert_int_equal(s->total[VML_FAULTS], 1000);
	vml_snapshot_free(s);
}

/* Threads and VMAs go with their process, whatever they say; without its row they speak for themselves. */
static void threads_and_vmas_follow_their_process(void **state)
{
	static const uint32_t pids[] = { 20 };
	struct vml_snapshot *s = unit_snapshot(1);
	struct vml_row *r;

	(void)state;
	unit_process(s, 20);
	r = unit_process(s, 20); /* the image after exec */
	r->id.exec = 1;
	r->uid = 33;
	unit_thread(s, 20, 20);
	r = unit_thread(s, 20, 20);
	r->id.exec = 1;
	r = unit_thread(s, 60, 60); /* no process row */
	r->uid = 33;
	unit_thread(s, 70, 70);
	r = unit_vma(s, 20, 0x1000);
	r->uid = 33; /* its process says otherwise */
	r = unit_vma(s, 20, 0x1000);
	r->id.exec = 1;
	assert_int_equal(vml_select(s, &(struct vml_filter){ .by_uid = true, .uid = 33 }), 0);
	assert_int_equal(s->rows[VML_PROCESS].n, 1);
	assert_int_equal(s->rows[VML_PROCESS].row[0].id.exec, 1);
	assert_int_equal(s->rows[VML_THREAD].n, 2);
	assert_int_equal(s->rows[VML_THREAD].row[0].id.exec, 1);
	assert_int_equal(s->rows[VML_THREAD].row[1].id.pid, 60);
	assert_int_equal(s->rows[VML_VMA].n, 1);
	assert_int_equal(s->rows[VML_VMA].row[0].id.exec, 1);
	/* once more, narrower */
	assert_int_equal(vml_select(s, &(struct vml_filter){ .pids = pids, .npids = 1 }), 0);
	assert_int_equal(s->rows[VML_THREAD].n, 1);
	vml_snapshot_free(s);
}

/* The same as adding the histograms of the kept rows one by one. */
static void histograms_are_those_of_the_selected(void **state)
{
	struct vml_hist sum = { 0 };
	struct vml_snapshot *s = unit_snapshot(1);
	struct vml_row *r;
	uint64_t seed = 9;
	uint32_t i;

	(void)state;
	for (i = 1; i <= 20; i++) {
		r = unit_process(s, i);
		r->uid = i % 2;
		if (i % 5)
			r->hist[2] = unit_hist(UNIT_TALLY(s, { 90 + i % 7, 1 + unit_below(&seed, 9) }, { 125, i }),
					       unit_below(&seed, 1000000), 200000000000 + i);
		if (i % 2)
			assert_int_equal(vml_hist_add(s->arena, &sum, &r->hist[2], &sum), 0);
	}
	assert_int_equal(vml_select(s, &(struct vml_filter){ .by_uid = true, .uid = 1 }), 0);
	unit_assert_tally(&s->hist[2].bucket, &sum.bucket);
	assert_int_equal(s->hist[2].count, sum.count);
	assert_int_equal(s->hist[2].sum_ns, sum.sum_ns);
	assert_int_equal(s->hist[2].max_ns, 200000000019);
	/* the one that does not know its maximum may have the largest */
	s->rows[VML_PROCESS].row[1].hist[2].max_ns = 0;
	assert_int_equal(vml_select(s, &(struct vml_filter){ .by_uid = true, .uid = 1 }), 0);
	assert_int_equal(s->hist[2].max_ns, 0);
	vml_snapshot_free(s);
}

/* Every histogram and both certainties are added up; who looks VMAs up is not told by process, and stays. */
static void all_that_rows_have(void **state)
{
	static struct vml_lookup lookup[] = { { "fault", 5, 1, 0 } };
	struct vml_snapshot *s = unit_snapshot(1);
	struct vml_row *r;
	uint32_t i, k;

	(void)state;
	s->lookup = lookup;
	s->nlookup = 1;
	for (i = 1; i <= 4; i++) {
		r = unit_process(s, i);
		r->uid = i / 2; /* 2 and 3 have 1 */
		r->value[VML_PAGE_IO_NS] = 100 * i;
		r->reasons = UNIT_TALLY(s, { VML_REASON_INDEX(2, VML_INFERRED), i },
					{ VML_REASON_INDEX(2, VML_EXACT), 10 * i });
		for (k = 0; k < VML_HISTS; k++)
			r->hist[k] = unit_hist(UNIT_TALLY(s, { 80 + k, i }), 1000 * i, 0);
	}
	assert_int_equal(vml_select(s, &(struct vml_filter){ .by_uid = true, .uid = 1 }), 0);
	assert_int_equal(s->total[VML_PAGE_IO_NS], 500);
	assert_int_equal(vml_tally_get(&s->reasons, VML_REASON_INDEX(2, VML_INFERRED)), 5);
	assert_int_equal(vml_tally_get(&s->reasons, VML_REASON_INDEX(2, VML_EXACT)), 50);
	for (k = 0; k < VML_HISTS; k++) {
		assert_int_equal(vml_tally_get(&s->hist[k].bucket, 80 + k), 5);
		assert_int_equal(s->hist[k].sum_ns, 5000);
	}
	assert_int_equal(s->nlookup, 1);
	assert_int_equal(s->lookup[0].lookups, 5);
	vml_snapshot_free(s);
}

/* What a reader of damaged history might hand over: an index out of range is not counted, and breaks nothing. */
static void indexes_out_of_range_are_ignored(void **state)
{
	struct vml_snapshot *s = unit_snapshot(1);
	struct vml_row *r = unit_process(s, 1);

	(void)state;
	r->uid = 1;
	r->reasons = UNIT_TALLY(s, { 1, 2 }, { 30, 3 }, { UINT32_MAX, 4 });
	r->hist[0] = unit_hist(UNIT_TALLY(s, { 125, 2 }, { 126, 3 }, { UINT32_MAX, 4 }), 0, 0);
	assert_int_equal(vml_select(s, &(struct vml_filter){ .by_uid = true, .uid = 1 }), 0);
	assert_int_equal(vml_tally_sum(&s->reasons), 2);
	assert_int_equal(s->hist[0].count, 2);
	vml_snapshot_free(s);
}

/* A failure leaves the delta as it was. */
static void out_of_memory(void **state)
{
	static const uint32_t pids[] = { 20 };
	const struct vml_filter f = { .pids = pids, .npids = 1, .cgroup = "/a" };
	struct vml_snapshot *s = five();
	long n;
	int err;

	(void)state;
	for (n = 0;; n++) {
		unit_allocations = n;
		err = vml_select(s, &f);
		unit_allocations = -1;
		if (!err)
			break;
		assert_int_equal(err, -ENOMEM);
		assert_int_equal(s->rows[VML_PROCESS].n, 5);
		assert_int_equal(s->rows[VML_THREAD].n, 10);
		assert_int_equal(s->total[VML_FAULTS], 11611);
		assert_int_equal(s->hist[0].count, 0);
		assert_false(s->selected);
	}
	assert_true(n >= 5);
	assert_int_equal(s->total[VML_FAULTS], 10);
	vml_snapshot_free(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_empty_filter_changes_nothing),
		cmocka_unit_test(by_pid),
		cmocka_unit_test(by_uid),
		cmocka_unit_test(by_cgroup),
		cmocka_unit_test(all_conditions_must_hold),
		cmocka_unit_test(cgroup_with_a_backslash),
		cmocka_unit_test(threads_and_vmas_follow_their_process),
		cmocka_unit_test(histograms_are_those_of_the_selected),
		cmocka_unit_test(all_that_rows_have),
		cmocka_unit_test(indexes_out_of_range_are_ignored),
		cmocka_unit_test(out_of_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
