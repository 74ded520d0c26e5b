/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "unit.h"

UNIT_OUT_OF_MEMORY

static void is_zeroed_and_aligned(void **state)
{
	struct vml_arena *a = vml_arena_new();
	static const char zero[300];
	size_t size, i;
	char *p;

	(void)state;
	assert_non_null(a);
	for (i = 0; i < 5000; i++) {
		size = i % 300;
		p = vml_arena_alloc(a, size);
		assert_non_null(p);
		assert_int_equal((uintptr_t)p % _Alignof(max_align_t), 0);
		assert_memory_equal(p, zero, size);
		memset(p, 0xff, size);
	}
	vml_arena_free(a);
}

static void size_zero_gives_different_pointers(void **state)
{
	struct vml_arena *a = vml_arena_new();
	void *x, *y;

	(void)state;
	x = vml_arena_alloc(a, 0);
	y = vml_arena_alloc(a, 0);
	assert_non_null(x);
	assert_non_null(y);
	assert_ptr_not_equal(x, y);
	vml_arena_free(a);
}

/* Large ones get blocks of their own between small ones; nothing may overlap. */
static void allocations_do_not_overlap(void **state)
{
	struct vml_arena *a = vml_arena_new();
	uint64_t seed = 1;
	size_t size[600], i, j;
	unsigned char *p[600];

	(void)state;
	for (i = 0; i < 600; i++) {
		size[i] = i % 50 == 7 ? unit_below(&seed, 3000000) : unit_below(&seed, 2000);
		p[i] = vml_arena_alloc(a, size[i]);
		assert_non_null(p[i]);
		memset(p[i], (int)(i % 251), size[i]);
	}
	for (i = 0; i < 600; i++) {
		for (j = 0; j < size[i]; j++) {
			if (p[i][j] != i % 251)
				fail_msg("allocation %zu was overwritten", i);
		}
	}
	vml_arena_free(a);
}

static void copies(void **state)
{
	struct vml_arena *a = vml_arena_new();
	char text[] = "abc";
	char *s;

	(void)state;
	s = vml_arena_strdup(a, text);
	text[0] = 'x';
	assert_string_equal(s, "abc");
	assert_memory_equal(vml_arena_copy(a, "1\0002", 3), "1\0002", 3);
	assert_string_equal(vml_arena_strdup(a, ""), "");
	assert_non_null(vml_arena_copy(a, NULL, 0));
	vml_arena_free(a);
}

static void bytes_count_what_was_taken(void **state)
{
	struct vml_arena *a = vml_arena_new();
	size_t before = vml_arena_bytes(a);

	(void)state;
	assert_true(before > 0 && before < 4096);
	assert_non_null(vml_arena_alloc(a, 10000000));
	assert_true(vml_arena_bytes(a) >= before + 10000000);
	assert_true(vml_arena_bytes(a) < before + 10100000);
	vml_arena_free(a);
}

static void impossible_sizes_fail(void **state)
{
	struct vml_arena *a = vml_arena_new();

	(void)state;
	assert_null(vml_arena_alloc(a, SIZE_MAX));
	assert_null(vml_arena_alloc(a, SIZE_MAX - 8));
	assert_null(vml_arena_alloc(a, PTRDIFF_MAX));
	assert_non_null(vml_arena_alloc(a, 8));
	vml_arena_free(a);
}

static void out_of_memory(void **state)
{
	struct vml_arena *a;

	(void)state;
	unit_allocations = 0;
	assert_null(vml_arena_new());
	unit_allocations = 2;
	a = vml_arena_new();
	assert_non_null(a);
	assert_non_null(vml_arena_alloc(a, 1));
	assert_null(vml_arena_alloc(a, 1));
	assert_null(vml_arena_strdup(a, "x"));
	unit_allocations = -1;
	assert_non_null(vml_arena_alloc(a, 1));
	vml_arena_free(a);
	vml_arena_free(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(is_zeroed_and_aligned),
		cmocka_unit_test(size_zero_gives_different_pointers),
		cmocka_unit_test(allocations_do_not_overlap),
		cmocka_unit_test(copies),
		cmocka_unit_test(bytes_count_what_was_taken),
		cmocka_unit_test(impossible_sizes_fail),
		cmocka_unit_test(out_of_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
