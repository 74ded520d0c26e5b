/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* When reasons may be called exact. */
#include "unit.h"

static bool exact_with(const char *cause, uint64_t count)
{
	const struct vml_loss loss[] = { { "vma_map_full", "M.", 5 },
					 { "recursion_misses_tp_mmap_lock_released", "R.", 9 },
					 { cause, "C.", count } };
	struct vml_snapshot *s = unit_snapshot(1);
	bool exact;

	unit_set_loss(s, loss, VML_ARRAY_SIZE(loss));
	exact = vml_snapshot_exact(s);
	vml_snapshot_free(s);
	return exact;
}

static void losses_that_spoil_it(void **state)
{
	static const char *const spoils[] = { "recursion_misses_fentry_lock_mm_and_find_vma",
					      "recursion_misses_kprobe_lock_vma_under_rcu",
					      "recursion_misses_kretprobe_handle_userfault",
					      "recursion_misses_tp_page_fault_user",
					      "recursion_misses_tp_page_fault_kernel",
					      "return_unseen",
					      "fault_unseen" };
	static const char *const other[] = { "recursion_misses_tp_mmap_lock_start_locking",
					     "recursion_misses_iter_tasks",
					     "exits_missed",
					     "stack_failed",
					     "time_map_full",
					     "recursion_misses_",
					     "x_recursion_misses_fentry_a" };
	struct vml_snapshot *s = unit_snapshot(1);
	size_t i;

	(void)state;
	assert_true(vml_snapshot_exact(s)); /* no loss is known at all */
	vml_snapshot_free(s);
	for (i = 0; i < VML_ARRAY_SIZE(spoils); i++) {
		assert_false(exact_with(spoils[i], 1));
		assert_true(exact_with(spoils[i], 0));
	}
	for (i = 0; i < VML_ARRAY_SIZE(other); i++)
		assert_true(exact_with(other[i], 1));
}

/* What was skipped before the interval spoils no number in it. */
static void of_the_interval_only(void **state)
{
	const struct vml_loss loss[] = { { "return_unseen", "R.", 3 } }, more[] = { { "return_unseen", "R.", 4 } };
	struct vml_snapshot *a = unit_snapshot(1), *b = unit_snapshot(2), *c = unit_snapshot(3), *d;

	(void)state;
	unit_set_loss(a, loss, 1);
	unit_set_loss(b, loss, 1);
	unit_set_loss(c, more, 1);
	assert_false(vml_snapshot_exact(b));
	d = unit_delta(a, b);
	assert_true(vml_snapshot_exact(d));
	vml_snapshot_free(d);
	d = unit_delta(b, c);
	assert_false(vml_snapshot_exact(d));
	unit_free(a, b, c);
	vml_snapshot_free(d);
}

static void fold(void **state)
{
	const uint32_t bypass = vml_reason_count() - 1;
	struct vml_snapshot *s = unit_snapshot(1);
	struct vml_tally t =
		UNIT_TALLY(s, { VML_REASON_INDEX(0, VML_EXACT), 7 }, { VML_REASON_INDEX(2, VML_INFERRED), 10 },
			   { VML_REASON_INDEX(2, VML_EXACT), 5 }, { VML_REASON_INDEX(3, VML_INFERRED), 1 },
			   { VML_REASON_INDEX(bypass, VML_EXACT), 100 });
	struct vml_cell cell[5];

	(void)state;
	assert_string_equal(vml_reason_name(bypass), "kernel_mode");
	assert_int_equal(vml_reasons_fold(&t, true, cell), 5);
	unit_assert_tally(&(struct vml_tally){ .n = 5, .cell = cell }, &t);
	assert_int_equal(vml_reasons_fold(&t, false, cell), 4);
	assert_int_equal(cell[0].index, VML_REASON_INDEX(0, VML_INFERRED));
	assert_int_equal(cell[0].count, 7);
	assert_int_equal(cell[1].index, VML_REASON_INDEX(2, VML_INFERRED));
	assert_int_equal(cell[1].count, 15);
	assert_int_equal(cell[2].index, VML_REASON_INDEX(3, VML_INFERRED));
	assert_int_equal(cell[3].index, VML_REASON_INDEX(bypass, VML_EXACT));
	assert_int_equal(cell[3].count, 100);
	t.n = 0;
	assert_int_equal(vml_reasons_fold(&t, false, NULL), 0);
	vml_snapshot_free(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(losses_that_spoil_it),
		cmocka_unit_test(of_the_interval_only),
		cmocka_unit_test(fold),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
