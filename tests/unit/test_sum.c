/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Sums of deltas. */
#include <errno.h>

#include "store.h"
#include "vmalock/caps.h"

UNIT_OUT_OF_MEMORY

#define STEPS 12

static const struct world_options immortal = { .seed = 11, .processes = 6, .threads = 4, .busy = 50, .stacks = 4 };

static struct vml_snapshot *merged(const struct vml_snapshot *a, const struct vml_snapshot *b)
{
	struct vml_snapshot *ret = NULL;

	assert_int_equal(vml_merge(a, b, &ret), 0);
	return ret;
}

static void two_deltas_are_the_delta_over_both(void **state)
{
	struct world *w = world_new(&immortal);
	struct vml_snapshot *s[STEPS], *ab, *bc, *ac, *sum;
	int a, b, c;

	(void)state;
	for (a = 0; a < STEPS; a++) {
		s[a] = world_snapshot(w);
		world_step(w, UNIT_SECOND / 2);
	}
	for (a = 0; a < STEPS - 2; a++) {
		for (b = a + 1; b < STEPS - 1; b++) {
			for (c = b + 1; c < STEPS; c++) {
				ab = unit_delta(s[a], s[b]);
				bc = unit_delta(s[b], s[c]);
				ac = unit_delta(s[a], s[c]);
				sum = merged(ab, bc);
				assert_int_equal(sum->interval_ns, ac->interval_ns);
				assert_int_equal(sum->boot_ns, ac->boot_ns);
				unit_same(ac, sum);
				unit_free(ab, bc, ac);
				vml_snapshot_free(sum);
			}
		}
	}
	for (a = 0; a < STEPS; a++)
		vml_snapshot_free(s[a]);
	world_free(w);
}

static void many_deltas_are_one(void **state)
{
	struct world *w = world_new(&immortal);
	struct vml_snapshot *first = world_snapshot(w), *prev = first, *cur, *delta, *whole, *ret;
	struct vml_sum *sum = vml_sum_new();
	int i;

	(void)state;
	for (i = 0; i < 50; i++) {
		world_step(w, UNIT_SECOND);
		cur = world_snapshot(w);
		delta = unit_delta(prev, cur);
		assert_int_equal(vml_sum_add(sum, delta), 0);
		vml_snapshot_free(delta); /* the sum needs nothing of it */
		if (prev != first)
			vml_snapshot_free(prev);
		prev = cur;
	}
	assert_int_equal(vml_sum_end(sum, &ret), 0);
	whole = unit_delta(first, prev);
	unit_same(whole, ret);
	unit_free(first, prev, whole);
	vml_snapshot_free(ret);
	world_free(w);
}

static struct vml_snapshot *delta_at(uint64_t end, uint64_t interval_ns)
{
	struct vml_snapshot *d = unit_snapshot(end);

	d->interval_ns = interval_ns;
	return d;
}

static void what_ended_is_still_there(void **state)
{
	struct vml_snapshot *a = delta_at(20, 10), *b = delta_at(30, 10), *sum;
	struct vml_row *r = unit_process(a, 5);
	const struct vml_row *found;

	(void)state;
	r->value[VML_FAULTS] = 7;
	r->exited = true;
	r = unit_process(b, 6);
	r->value[VML_FAULTS] = 1;
	sum = merged(a, b);
	assert_int_equal(sum->rows[VML_PROCESS].n, 2);
	found = vml_rows_find(&sum->rows[VML_PROCESS], &a->rows[VML_PROCESS].row[0].id);
	assert_true(found && found->exited);
	assert_int_equal(found->value[VML_FAULTS], 7);
	unit_free(a, b, sum);
}

static void the_later_one_says_who_it_is(void **state)
{
	struct vml_snapshot *a = delta_at(20, 10), *b = delta_at(30, 10), *sum;
	struct vml_row *r = unit_process(a, 5);

	(void)state;
	r->comm = "before";
	r->cgroup = "/a";
	r->threads = 3;
	r->value[VML_HITS] = 2;
	r = unit_process(b, 5);
	r->comm = "after";
	r->cgroup = "/b";
	r->threads = 9;
	r->uid = 12;
	r->value[VML_HITS] = 3;
	sum = merged(a, b);
	r = sum->rows[VML_PROCESS].row;
	assert_string_equal(r->comm, "after");
	assert_string_equal(r->cgroup, "/b");
	assert_int_equal(r->threads, 9);
	assert_int_equal(r->uid, 12);
	assert_int_equal(r->value[VML_HITS], 5);
	unit_free(a, b, sum);
}

static void what_one_does_not_know_is_not_known(void **state)
{
	struct vml_snapshot *a = delta_at(20, 10), *b = delta_at(30, 10), *sum;

	(void)state;
	unit_process(a, 5)->value[VML_MISSES] = 4;
	unit_process(b, 5)->value[VML_MISSES] = 4;
	a->total[VML_MISSES] = 4;
	b->have[VML_PROCESS] &= ~VML_METRIC_BIT(VML_MISSES);
	a->lookup = (struct vml_lookup[]){ { "fault", 3, 2, 1 } };
	a->nlookup = 1;
	sum = merged(a, b);
	assert_false(sum->have[VML_PROCESS] & VML_METRIC_BIT(VML_MISSES));
	assert_true(sum->have[VML_PROCESS] & VML_METRIC_BIT(VML_HITS));
	assert_int_equal(sum->rows[VML_PROCESS].row[0].value[VML_MISSES], 0);
	assert_int_equal(sum->total[VML_MISSES], 0);
	assert_null(sum->lookup);
	unit_free(a, b, sum);
}

static void gaps_are_left_out(void **state)
{
	struct vml_snapshot *a = delta_at(20, 10), *b = delta_at(100, 10), *sum;

	(void)state;
	/* bucket 73 is of 15.6 to 18.6 ms */
	a->hist[0] = unit_hist(UNIT_TALLY(a, { 73, 1 }), 18000000, 18000000);
	b->hist[0] = unit_hist(UNIT_TALLY(b, { 73, 1 }), 16000000, 0);
	sum = merged(a, b);
	assert_int_equal(sum->interval_ns, 20);
	assert_int_equal(sum->boot_ns, 100);
	/* the second may have been longer: between them anything may have happened */
	assert_int_equal(sum->hist[0].max_ns, 0);
	assert_int_equal(sum->hist[0].count, 2);
	vml_snapshot_free(sum);
	b->boot_ns = 30;
	sum = merged(a, b);
	assert_int_equal(sum->hist[0].max_ns, 18000000);
	unit_free(a, b, sum);
}

static void a_count_that_began_anew_has_no_exact_maximum(void **state)
{
	struct vml_snapshot *a = delta_at(20, 10), *b = delta_at(30, 10), *sum;

	(void)state;
	a->hist[0] = unit_hist(UNIT_TALLY(a, { 90, 1 }), 900000000, 0);
	b->hist[0] = unit_hist(UNIT_TALLY(b, { 72, 1 }), 16000000, 16000000);
	sum = merged(a, b);
	assert_int_equal(sum->hist[0].max_ns, 0);
	unit_free(a, b, sum);
}

static void only_deltas_are_added(void **state)
{
	struct vml_sum *sum = vml_sum_new();
	struct vml_snapshot *s = unit_snapshot(20), *ret = NULL;

	(void)state;
	assert_int_equal(vml_sum_add(sum, s), -EINVAL);
	assert_int_equal(vml_sum_end(sum, &ret), -ENODATA);
	assert_null(ret);
	vml_sum_free(NULL);
	vml_snapshot_free(s);
}

static void a_lack_of_memory_is_an_error(void **state)
{
	struct world *w = world_new(&immortal);
	struct vml_snapshot *a = unit_world_delta(w, UNIT_SECOND), *b = unit_world_delta(w, UNIT_SECOND), *ret;
	long n;
	int err = -ENOMEM;

	(void)state;
	for (n = 0; err; n++) {
		ret = NULL;
		unit_allocations = n;
		err = vml_merge(a, b, &ret);
		unit_allocations = -1;
		assert_true(err == 0 || err == -ENOMEM);
		assert_true(!err == !!ret);
	}
	assert_true(n > 100);
	unit_free(a, b, ret);
	world_free(w);
}

static void every_capability_has_a_name_of_its_own(void **state)
{
	int i, k;

	(void)state;
	for (i = 0; i < VML_NCAPS; i++) {
		assert_non_null(vml_cap_name(i));
		for (k = 0; k < i; k++)
			assert_string_not_equal(vml_cap_name(i), vml_cap_name(k));
	}
	assert_null(vml_cap_name(VML_NCAPS));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(two_deltas_are_the_delta_over_both),
		cmocka_unit_test(many_deltas_are_one),
		cmocka_unit_test(what_ended_is_still_there),
		cmocka_unit_test(the_later_one_says_who_it_is),
		cmocka_unit_test(what_one_does_not_know_is_not_known),
		cmocka_unit_test(gaps_are_left_out),
		cmocka_unit_test(a_count_that_began_anew_has_no_exact_maximum),
		cmocka_unit_test(only_deltas_are_added),
		cmocka_unit_test(a_lack_of_memory_is_an_error),
		cmocka_unit_test(every_capability_has_a_name_of_its_own),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
