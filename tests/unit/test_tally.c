/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include <errno.h>

#include "unit.h"

UNIT_OUT_OF_MEMORY

#define WIDTH 40

static void from_dense(void **state)
{
	static const uint64_t dense[] = { 0, 5, 0, 0, UINT64_MAX, 1 };
	struct vml_arena *a = vml_arena_new();
	struct vml_tally t;

	(void)state;
	assert_int_equal(vml_tally_from(a, dense, 6, &t), 0);
	assert_int_equal(t.n, 3);
	assert_int_equal(t.cell[0].index, 1);
	assert_int_equal(t.cell[1].index, 4);
	assert_int_equal(t.cell[2].index, 5);
	assert_int_equal(vml_tally_get(&t, 0), 0);
	assert_int_equal(vml_tally_get(&t, 1), 5);
	assert_int_equal(vml_tally_get(&t, 3), 0);
	assert_int_equal(vml_tally_get(&t, 4), UINT64_MAX);
	assert_int_equal(vml_tally_get(&t, 6), 0);
	assert_int_equal(vml_tally_get(&t, UINT32_MAX), 0);
	vml_arena_free(a);
}

static void empty(void **state)
{
	struct vml_tally none = { 0 }, t = { .n = 9 };
	struct vml_arena *a = vml_arena_new();
	uint64_t zeros[4] = { 0 };

	(void)state;
	assert_int_equal(vml_tally_sum(&none), 0);
	assert_int_equal(vml_tally_get(&none, 0), 0);
	assert_int_equal(vml_tally_from(a, zeros, 4, &t), 0);
	assert_int_equal(t.n, 0);
	assert_int_equal(vml_tally_add(a, &none, &none, &t), 0);
	assert_int_equal(t.n, 0);
	assert_int_equal(vml_tally_delta(a, &none, &none, &t), 0);
	assert_int_equal(t.n, 0);
	vml_arena_free(a);
}

static void random_dense(uint64_t *seed, uint64_t dense[WIDTH])
{
	uint64_t share = 1 + unit_below(seed, 8);
	int i;

	for (i = 0; i < WIDTH; i++)
		dense[i] = unit_below(seed, share) ? 0 : unit_below(seed, 6);
}

static void assert_is(const struct vml_tally *t, const uint64_t dense[WIDTH])
{
	uint64_t sum = 0;
	uint32_t i;

	for (i = 0; i < WIDTH; i++) {
		assert_int_equal(vml_tally_get(t, i), dense[i]);
		sum += dense[i];
	}
	assert_int_equal(vml_tally_sum(t), sum);
	for (i = 0; i < t->n; i++) {
		assert_true(t->cell[i].count);
		assert_true(!i || t->cell[i - 1].index < t->cell[i].index);
	}
}

/* Against the same done with dense arrays. */
static void add_and_delta(void **state)
{
	uint64_t x[WIDTH], y[WIDTH], sum[WIDTH], change[WIDTH], seed = 11;
	struct vml_tally tx, ty, t;
	struct vml_arena *a;
	int i, j;

	(void)state;
	for (i = 0; i < 3000; i++) {
		a = vml_arena_new();
		random_dense(&seed, x);
		random_dense(&seed, y);
		for (j = 0; j < WIDTH; j++) {
			sum[j] = x[j] + y[j];
			change[j] = y[j] < x[j] ? y[j] : y[j] - x[j];
		}
		assert_int_equal(vml_tally_from(a, x, WIDTH, &tx), 0);
		assert_int_equal(vml_tally_from(a, y, WIDTH, &ty), 0);
		assert_int_equal(vml_tally_add(a, &tx, &ty, &t), 0);
		assert_is(&t, sum);
		assert_int_equal(vml_tally_delta(a, &tx, &ty, &t), 0);
		assert_is(&t, change);
		/* the sum less one part is the other */
		assert_int_equal(vml_tally_add(a, &tx, &ty, &t), 0);
		assert_int_equal(vml_tally_delta(a, &tx, &t, &t), 0);
		assert_is(&t, y);
		vml_arena_free(a);
	}
}

static void an_index_that_fell_counts_anew(void **state)
{
	const struct vml_cell before[] = { { 1, 100 }, { 2, 7 }, { 5, 5 } };
	const struct vml_cell after[] = { { 1, 30 }, { 3, 4 }, { 5, 5 } };
	struct vml_tally prev = { 3, before }, cur = { 3, after }, t;
	struct vml_arena *a = vml_arena_new();

	(void)state;
	assert_int_equal(vml_tally_delta(a, &prev, &cur, &t), 0);
	assert_int_equal(t.n, 2);
	assert_int_equal(vml_tally_get(&t, 1), 30);
	assert_int_equal(vml_tally_get(&t, 3), 4);
	vml_arena_free(a);
}

/* What breaks the rule of snapshot.h gives some tally, but touches nothing else (run with ASan). */
static void disorder_is_harmless(void **state)
{
	const struct vml_cell bad[] = { { 9, 1 }, { 3, 1 }, { 3, 2 }, { 9, 5 }, { 0, 1 } };
	const struct vml_cell good[] = { { 0, 1 }, { 3, 1 }, { 9, 1 } };
	struct vml_tally x = { 5, bad }, y = { 3, good }, t;
	struct vml_arena *a = vml_arena_new();

	(void)state;
	assert_int_equal(vml_tally_add(a, &x, &y, &t), 0);
	assert_true(t.n <= 8);
	assert_int_equal(vml_tally_sum(&t), 13);
	assert_int_equal(vml_tally_delta(a, &x, &y, &t), 0);
	assert_int_equal(vml_tally_delta(a, &y, &x, &t), 0);
	assert_true(t.n <= 8);
	vml_tally_get(&x, 3);
	vml_arena_free(a);
}

static void out_of_memory(void **state)
{
	const struct vml_cell cell[] = { { 1, 2 } };
	const uint64_t dense[] = { 0, 1 };
	struct vml_tally x = { 1, cell }, none = { 0 }, t = { .n = 77 };
	struct vml_arena *a = vml_arena_new();

	(void)state;
	unit_allocations = 0;
	assert_int_equal(vml_tally_from(a, dense, 2, &t), -ENOMEM);
	assert_int_equal(vml_tally_add(a, &x, &none, &t), -ENOMEM);
	assert_int_equal(vml_tally_delta(a, &none, &x, &t), -ENOMEM);
	assert_int_equal(t.n, 77);
	/* what needs no memory asks for none */
	assert_int_equal(vml_tally_delta(a, &x, &x, &t), 0);
	assert_int_equal(t.n, 0);
	unit_allocations = -1;
	vml_arena_free(a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(from_dense),		cmocka_unit_test(empty),
		cmocka_unit_test(add_and_delta),	cmocka_unit_test(an_index_that_fell_counts_anew),
		cmocka_unit_test(disorder_is_harmless), cmocka_unit_test(out_of_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
