/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Causes of loss: what they say, and what they weigh. */
#include <string.h>

#include "unit.h"

static void each_cause_says_what_it_means(void **state)
{
	size_t n = 0;

	(void)state;
	for (; vml_loss_cause(n); n++)
		assert_true(strlen(vml_loss_help(vml_loss_cause(n))) > 10);
	assert_true(n > 20);
	assert_string_equal(vml_loss_help("recursion_misses_iter_tasks"), vml_loss_help("recursion_misses_"));
	assert_string_equal(vml_loss_help("of_the_future"), "");
	assert_string_equal(vml_loss_help(""), "");
}

static void details_are_no_events(void **state)
{
	static const struct vml_loss loss[] = {
		{ "vma_map_full", "", 1 },   { "walk_failed", "", 2 },	  { "exit_records", "", 4 },
		{ "holder_stack", "", 8 },   { "exits_missed", "", 16 },  { "recursion_misses_iter_vmas", "", 32 },
		{ "of_the_future", "", 64 }, { "fault_unseen", "", 128 }, { "process_map_full", "", 256 },
		{ "lock_unmatched", "", 0 },
	};
	struct vml_snapshot *s = unit_snapshot(1);

	(void)state;
	assert_int_equal(vml_snapshot_lost(s), 0);
	assert_int_equal(vml_snapshot_lost_details(s), 0);
	unit_set_loss(s, loss, VML_ARRAY_SIZE(loss));
	assert_int_equal(vml_snapshot_lost_details(s), 1 + 2 + 4 + 8);
	assert_int_equal(vml_snapshot_lost(s), 16 + 32 + 64 + 128 + 256);
	vml_snapshot_free(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_cause_says_what_it_means),
		cmocka_unit_test(details_are_no_events),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
