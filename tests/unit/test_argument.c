// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Options that may be without an argument (src/run/argument.c). */
#include "../../src/run/argument.h"
#include "unit.h"

static void with_and_without(void **state)
{
	char option[] = "--connect", path[] = "a b", other[] = "-j";
	char *argv[] = { option, path, other, option, NULL };
	int next = 1;

	(void)state;
	assert_ptr_equal(vml_optional_argument(path, 4, argv, &next), path);
	assert_int_equal(next, 1);
	assert_ptr_equal(vml_optional_argument(NULL, 4, argv, &next), path);
	assert_int_equal(next, 2);
	assert_null(vml_optional_argument(NULL, 4, argv, &next));
	assert_int_equal(next, 2);
	next = 4;
	assert_null(vml_optional_argument(NULL, 4, argv, &next));
	assert_int_equal(next, 4);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(with_and_without) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
