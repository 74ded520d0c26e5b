/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include <errno.h>
#include <linux/types.h>
#include <math.h>

#include "unit.h"
#include "vmalock/hist.h"

UNIT_OUT_OF_MEMORY

static const __u64 bound[VML_HIST_BOUNDS] = VML_HIST_BOUND_TABLE;

/* ---- geometry: hist.h against long double */

static long double exact_bound(int i)
{
	static long double known[VML_HIST_BOUNDS];

	if (!known[i])
		known[i] = powl(2, (VML_HIST_FIRST_K + i) / 4.0L) * 1e9L;
	return known[i];
}

/* Bucket of @ns by the definition: the first whose bound is not below it. */
static uint32_t reference(uint64_t ns)
{
	uint32_t low = 0, high = VML_HIST_BOUNDS, middle;

	while (low < high) {
		middle = (low + high) / 2;
		if (exact_bound((int)middle) < (long double)ns)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static void assert_index(uint64_t ns)
{
	if (vml_hist_index(bound, ns) != reference(ns))
		fail_msg("%llu ns: bucket %u, should be %u", (unsigned long long)ns, vml_hist_index(bound, ns),
			 reference(ns));
}

static void table_is_exact(void **state)
{
	int i;

	(void)state;
	assert_int_equal(VML_HIST_BOUNDS, 125);
	for (i = 0; i < VML_HIST_BOUNDS; i++) {
		if (bound[i] != (uint64_t)floorl(exact_bound(i)))
			fail_msg("bound %d: %llu", i, (unsigned long long)bound[i]);
	}
	assert_int_equal(bound[96], 1000000000);
	assert_int_equal(bound[124], 128000000000);
}

static void edges(void **state)
{
	uint32_t i;

	(void)state;
	for (i = 0; i < VML_HIST_BOUNDS; i++) {
		assert_int_equal(vml_hist_index(bound, bound[i]), i);
		assert_int_equal(vml_hist_index(bound, bound[i] + 1), i + 1);
		assert_int_equal(vml_hist_index(bound, i ? bound[i - 1] + 1 : 0), i);
	}
	assert_int_equal(vml_hist_index(bound, 0), 0);
	assert_int_equal(vml_hist_index(bound, UINT64_MAX), VML_HIST_BUCKETS - 1);
}

/* Each value up to 8 ms, walking along the buckets. */
static void brute_force_small(void **state)
{
	uint32_t i = 0;
	uint64_t ns;

	(void)state;
	for (ns = 0; ns < 8000000; ns++) {
		while (i < VML_HIST_BOUNDS && (long double)ns > exact_bound((int)i))
			i++;
		if (vml_hist_index(bound, ns) != i)
			fail_msg("%llu ns", (unsigned long long)ns);
	}
}

static void brute_force_around_bounds_and_powers(void **state)
{
	uint64_t ns;
	int i, d;

	(void)state;
	for (i = 0; i < VML_HIST_BOUNDS; i++) {
		for (d = -300; d <= 300; d++)
			assert_index(bound[i] + (uint64_t)d);
	}
	for (i = 0; i < 64; i++) {
		for (d = -300; d <= 300; d++) {
			ns = (1ULL << i) + (uint64_t)d;
			assert_index(ns);
		}
	}
}

static void brute_force_random(void **state)
{
	uint64_t seed = 99;
	int i;

	(void)state;
	for (i = 0; i < 300000; i++) {
		assert_index(unit_random(&seed) >> unit_below(&seed, 64));
		assert_index(unit_below(&seed, 130000000000ULL));
	}
}

static void bounds_in_double(void **state)
{
	uint32_t i;

	(void)state;
	for (i = 0; i < VML_HIST_BOUNDS; i++) {
		assert_true(vml_hist_upper(i) == (double)exact_bound((int)i));
		assert_true(vml_hist_lower(i) == (i ? vml_hist_upper(i - 1) : 0));
		assert_int_equal((uint64_t)vml_hist_upper(i), bound[i]);
	}
	assert_true(vml_hist_upper(0) > 59.6 && vml_hist_upper(0) < 59.61);
	assert_true(isinf(vml_hist_upper(125)) && vml_hist_lower(125) == 128e9);
	assert_true(isinf(vml_hist_upper(UINT32_MAX)));
}

/* ---- what is read from a histogram */

#define SAMPLES 4000

static struct vml_hist hist_of(struct vml_arena *a, const uint64_t *ns, size_t n, bool with_max)
{
	uint64_t dense[VML_HIST_BUCKETS] = { 0 };
	struct vml_hist h = { .count = n };
	size_t i;

	for (i = 0; i < n; i++) {
		dense[vml_hist_index(bound, ns[i])]++;
		h.sum_ns += ns[i];
		if (with_max && ns[i] > h.max_ns)
			h.max_ns = ns[i];
	}
	assert_int_equal(vml_tally_from(a, dense, VML_HIST_BUCKETS, &h.bucket), 0);
	return h;
}

static int compare_u64(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

/* Shapes of waits: 0 log-uniform, 1 exponential, 2 two humps, 3 heavy tail, 4 constant, 5 narrow. */
static double sample(uint64_t *seed, int shape)
{
	double u = unit_uniform(seed);

	switch (shape) {
	case 0:
		return 60 * pow(2e9, u);
	case 1:
		return 60 - 1e5 * log(u);
	case 2:
		return unit_random(seed) & 1 ? 200 * (1 + u) : 3e7 * (1 + u);
	case 3:
		return fmin(1000 / pow(u, 1.5), 127e9);
	case 4:
		return 123456;
	default:
		return 1e6 * (1 + u / 100);
	}
}

static void quantiles_are_within_the_bound(void **state)
{
	static const double q[] = { 1e-9, 0.01, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99, 0.999, 1 };
	static uint64_t ns[SAMPLES];
	struct vml_arena *a;
	struct vml_hist h;
	uint64_t seed = 17;
	double exact, read;
	int shape, run;
	size_t i, n;

	(void)state;
	for (run = 0; run < 60; run++) {
		a = vml_arena_new();
		shape = run % 6;
		n = run < 6 ? 1 : 1 + unit_below(&seed, SAMPLES);
		for (i = 0; i < n; i++)
			ns[i] = (uint64_t)sample(&seed, shape);
		h = hist_of(a, ns, n, run & 8);
		qsort(ns, n, sizeof(*ns), compare_u64);
		for (i = 0; i < VML_ARRAY_SIZE(q); i++) {
			exact = (double)ns[(size_t)fmax(ceil(q[i] * (double)n), 1) - 1];
			read = vml_hist_quantile(&h, q[i]);
			if (read > exact * exp2(0.125) || read < exact * exp2(-0.125))
				fail_msg("shape %d, %zu samples, q %g: %g, should be %g", shape, n, q[i], read, exact);
		}
		vml_arena_free(a);
	}
}

static void quantile_of_special_buckets(void **state)
{
	const struct vml_cell both[] = { { 0, 1 }, { 125, 1 } }, second[] = { { 96, 3 }, { 97, 1 } };
	struct vml_hist h = { .bucket = { 2, both }, .count = 2 }, none = { 0 };

	(void)state;
	assert_true(vml_hist_quantile(&none, 0.5) == -1);
	assert_true(vml_hist_quantile(&h, 0.5) == vml_hist_upper(0));
	assert_true(vml_hist_quantile(&h, 0.51) == 128e9);
	h.max_ns = 300000000000;
	assert_true(vml_hist_quantile(&h, 1) == 128e9);
	h.bucket.n = 1;
	h.max_ns = 30;
	assert_true(vml_hist_quantile(&h, 1) == 30);

	/* the geometric middle, but never over the maximum */
	h = (struct vml_hist){ .bucket = { 2, second }, .count = 4 };
	assert_true(unit_near(vml_hist_quantile(&h, 0.75), 1e9 * exp2(-0.125), 1e-12));
	assert_true(unit_near(vml_hist_quantile(&h, 0.76), 1e9 * exp2(0.125), 1e-12));
	h.max_ns = 1010000000;
	assert_true(vml_hist_quantile(&h, 1) == 1010000000);
	assert_true(unit_near(vml_hist_quantile(&h, 0.5), 1e9 * exp2(-0.125), 1e-12));
}

static void max_bound(void **state)
{
	const struct vml_cell cell[] = { { 3, 1 }, { 96, 1 } }, over[] = { { 125, 1 } };
	struct vml_hist h = { .bucket = { 2, cell } }, none = { .max_ns = 5 };

	(void)state;
	assert_true(vml_hist_max_bound(&none) == -1);
	assert_true(vml_hist_max_bound(&h) == 1e9);
	h.max_ns = 900000000;
	assert_true(vml_hist_max_bound(&h) == 9e8);
	h = (struct vml_hist){ .bucket = { 1, over } };
	assert_true(isinf(vml_hist_max_bound(&h)));
	h.max_ns = 200000000000;
	assert_true(vml_hist_max_bound(&h) == 2e11);
}

/* Merging histograms is the histogram of the merged samples; a delta takes one part away again. */
static void add_and_delta_of_samples(void **state)
{
	static uint64_t ns[SAMPLES];
	struct vml_hist x, y, all, sum, back;
	struct vml_arena *a;
	uint64_t seed = 23;
	size_t i, cut, n;
	int run;

	(void)state;
	for (run = 0; run < 60; run++) {
		a = vml_arena_new();
		n = 2 + unit_below(&seed, SAMPLES - 2);
		cut = unit_below(&seed, n + 1);
		for (i = 0; i < n; i++)
			ns[i] = (uint64_t)sample(&seed, run % 6);
		x = hist_of(a, ns, cut, true);
		y = hist_of(a, ns + cut, n - cut, true);
		all = hist_of(a, ns, n, true);
		assert_int_equal(vml_hist_add(a, &x, &y, &sum), 0);
		unit_assert_tally(&sum.bucket, &all.bucket);
		assert_int_equal(sum.count, n);
		assert_int_equal(sum.sum_ns, all.sum_ns);
		assert_int_equal(sum.max_ns, all.max_ns);
		assert_int_equal(vml_hist_delta(a, &x, &all, &back), 0);
		unit_assert_tally(&back.bucket, &y.bucket);
		assert_int_equal(back.count, n - cut);
		assert_int_equal(back.sum_ns, y.sum_ns);
		assert_int_equal(back.max_ns, all.max_ns > x.max_ns ? y.max_ns : 0);
		vml_arena_free(a);
	}
}

static uint64_t added_max(uint64_t x_max, uint32_t x_index, uint64_t y_max, uint32_t y_index)
{
	const struct vml_cell cx = { x_index, 1 }, cy = { y_index, 1 };
	struct vml_hist x = { .bucket = { x_index != 999, &cx }, .max_ns = x_max };
	struct vml_hist y = { .bucket = { y_index != 999, &cy }, .max_ns = y_max }, sum, other;
	struct vml_arena *a = vml_arena_new();

	assert_int_equal(vml_hist_add(a, &x, &y, &sum), 0);
	assert_int_equal(vml_hist_add(a, &y, &x, &other), 0);
	assert_int_equal(sum.max_ns, other.max_ns);
	vml_arena_free(a);
	return sum.max_ns;
}

static void max_of_a_sum(void **state)
{
	(void)state;
	assert_int_equal(added_max(950000000, 96, 1100000000, 97), 1100000000);
	/* one is not known: the other counts if its bucket cannot hold more */
	assert_int_equal(added_max(1100000000, 97, 0, 96), 1100000000);
	assert_int_equal(added_max(1100000000, 97, 0, 97), 0);
	assert_int_equal(added_max(950000000, 96, 0, 97), 0);
	assert_int_equal(added_max(0, 96, 0, 97), 0);
	assert_int_equal(added_max(200000000000, 125, 0, 125), 0);
	/* an empty one says nothing */
	assert_int_equal(added_max(950000000, 96, 0, 999), 950000000);
	assert_int_equal(added_max(0, 999, 0, 999), 0);
}

static uint64_t delta_max(uint64_t before, uint32_t index, uint64_t now)
{
	const struct vml_cell b = { index, 1 }, c[] = { { 96, 2 }, { 97, 1 } };
	struct vml_hist prev = { .bucket = { index != 999, &b }, .max_ns = before };
	struct vml_hist cur = { .bucket = { 2, c }, .max_ns = now }, d;
	struct vml_arena *a = vml_arena_new();

	assert_int_equal(vml_hist_delta(a, &prev, &cur, &d), 0);
	vml_arena_free(a);
	return d.max_ns;
}

static void max_of_a_delta(void **state)
{
	(void)state;
	/* new row, grown, the same, fallen (a new count) */
	assert_int_equal(delta_max(0, 999, 1100000000), 1100000000);
	assert_int_equal(delta_max(950000000, 96, 1100000000), 1100000000);
	assert_int_equal(delta_max(1100000000, 97, 1100000000), 0);
	assert_int_equal(delta_max(1150000000, 97, 1100000000), 1100000000);
	/* the old one is not known: grown if it is over what that could have been */
	assert_int_equal(delta_max(0, 96, 1100000000), 1100000000);
	assert_int_equal(delta_max(0, 97, 1100000000), 0);
	assert_int_equal(delta_max(950000000, 96, 0), 0);
}

static void delta_after_a_reset(void **state)
{
	const struct vml_cell before[] = { { 10, 100 }, { 20, 5 } }, after[] = { { 10, 3 } };
	struct vml_hist prev = { .bucket = { 2, before }, .count = 105, .sum_ns = 1000, .max_ns = 90 };
	struct vml_hist cur = { .bucket = { 1, after }, .count = 3, .sum_ns = 40, .max_ns = 15 }, d;
	struct vml_arena *a = vml_arena_new();

	(void)state;
	assert_int_equal(vml_hist_delta(a, &prev, &cur, &d), 0);
	assert_int_equal(d.bucket.n, 1);
	assert_int_equal(vml_tally_get(&d.bucket, 10), 3);
	assert_int_equal(d.count, 3);
	assert_int_equal(d.sum_ns, 40);
	assert_int_equal(d.max_ns, 15);
	vml_arena_free(a);
}

static void out_of_memory(void **state)
{
	const struct vml_cell cell = { 1, 2 };
	struct vml_hist x = { .bucket = { 1, &cell }, .count = 2 }, none = { 0 }, ret = { .count = 77 };
	struct vml_arena *a = vml_arena_new();

	(void)state;
	unit_allocations = 0;
	assert_int_equal(vml_hist_add(a, &x, &x, &ret), -ENOMEM);
	assert_int_equal(vml_hist_delta(a, &none, &x, &ret), -ENOMEM);
	assert_int_equal(ret.count, 77);
	unit_allocations = -1;
	vml_arena_free(a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(table_is_exact),
		cmocka_unit_test(edges),
		cmocka_unit_test(brute_force_small),
		cmocka_unit_test(brute_force_around_bounds_and_powers),
		cmocka_unit_test(brute_force_random),
		cmocka_unit_test(bounds_in_double),
		cmocka_unit_test(quantiles_are_within_the_bound),
		cmocka_unit_test(quantile_of_special_buckets),
		cmocka_unit_test(max_bound),
		cmocka_unit_test(add_and_delta_of_samples),
		cmocka_unit_test(max_of_a_sum),
		cmocka_unit_test(max_of_a_delta),
		cmocka_unit_test(delta_after_a_reset),
		cmocka_unit_test(out_of_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
