/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Texts of /proc: src/base/proc.c, and what src/collect reads there. */
#include <errno.h>

#include "unit.h"
#include "../../src/collect/collect.h"
#include "../../src/collect/symbols.h"

static FILE *text_file(const char *text)
{
	FILE *f = fmemopen((void *)text, strlen(text), "r");

	assert_non_null(f);
	return f;
}

static void start_is_field_22_whatever_the_name(void **state)
{
	static const char *const names[] = { "x", "", "a b", ") S 1 (", "a)\nb", "((()))" };
	uint64_t ticks = 0;
	char stat[256];

	(void)state;
	for (size_t i = 0; i < VML_ARRAY_SIZE(names); i++) {
		snprintf(stat, sizeof(stat), "7 (%s) S 1 7 7 0 -1 4194560 107 0 0 0 1 2 3 4 20 0 1 0 %zu 8 9\n",
			 names[i], 1000 + i);
		assert_int_equal(vml_proc_start_ticks(stat, &ticks), 0);
		assert_int_equal(ticks, 1000 + i);
	}
}

static void start_needs_the_field(void **state)
{
	uint64_t ticks = 5;

	(void)state;
	assert_int_equal(vml_proc_start_ticks("", &ticks), -EINVAL);
	assert_int_equal(vml_proc_start_ticks("7 (x) S 1 7 7 0 -1 4194560 107 0 0 0 1 2 3 4 20 0 1 0", &ticks),
			 -EINVAL);
	assert_int_equal(vml_proc_start_ticks("7 (x) S 1 7 7 0 -1 4194560 107 0 0 0 1 2 3 4 20 0 1 0 ", &ticks),
			 -EINVAL);
	assert_int_equal(vml_proc_start_ticks("7 (x) S 1 7 7 0 -1 4194560 107 0 0 0 1 2 3 4 20 0 1 0 -3", &ticks),
			 -EINVAL);
	assert_int_equal(ticks, 5);
}

static uint32_t status_pid(const char *text)
{
	FILE *f = text_file(text);
	uint32_t pid = symbols_status_pid(f);

	fclose(f);
	return pid;
}

static void inner_pid_is_the_last_one(void **state)
{
	char text[512] = "Name:\tx\nNSpid:";
	size_t n = strlen(text);

	(void)state;
	assert_int_equal(status_pid("Name:\tNSpid:\t5\nPid:\t7\nNSpid:\t7\t31\t2\nNSpgid:\t7\t9\t1\n"), 2);
	assert_int_equal(status_pid("Name:\tx\nNSpid:\t7\n"), 7);
	assert_int_equal(status_pid("Name:\tx\nPid:\t7\n"), 0);
	/* as deep as namespaces can be: MAX_PID_NS_LEVEL is 32 */
	for (int i = 0; i < 33; i++)
		n += (size_t)snprintf(text + n, sizeof(text) - n, "\t%d", 4194304 - i);
	snprintf(text + n, sizeof(text) - n, "\nNSpgid:\t1\n");
	assert_int_equal(status_pid(text), 4194304 - 32);
}

static void kernel_counts_are_known_when_all_are_there(void **state)
{
	struct vml_kernel_counts c = { 0 };
	FILE *f = text_file("vma_lock_success 700\nvma_lock_abort 50\nvma_lock_retry 7\nvma_lock_miss 1\n");

	(void)state;
	host_vmstat(f, &c);
	fclose(f);
	assert_true(c.known);
	assert_int_equal(c.success, 700);
	assert_int_equal(c.abort, 50);
	assert_int_equal(c.retry, 7);
	assert_int_equal(c.miss, 1);

	c = (struct vml_kernel_counts){ 0 };
	f = text_file("vma_lock_success 700\nvma_lock_abort 50\nvma_lock_retry 7\nvma_lock_retry 7\n");
	host_vmstat(f, &c);
	fclose(f);
	assert_false(c.known);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(start_is_field_22_whatever_the_name),
		cmocka_unit_test(start_needs_the_field),
		cmocka_unit_test(inner_pid_is_the_last_one),
		cmocka_unit_test(kernel_counts_are_known_when_all_are_there),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
