/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "unit.h"

static void blocker(struct vml_snapshot *s, uint32_t pid, const char *lock, uint64_t blamed, uint64_t foreign)
{
	struct vml_row *r = unit_row(s, VML_BLOCKER, pid);

	r->cgroup = "/holder";
	r->target_cgroup = "/own";
	r->victim_cgroup = "/victim";
	r->lock = lock;
	r->value[VML_BLAMED_NS] = blamed;
	r->value[VML_FOREIGN_NS] = foreign;
}

/* Only waits for mmap_lock; rows of a recording that stand for the rest have no pid. */
static void of_mmap_lock(void **state)
{
	struct vml_snapshot *s = unit_snapshot(5);
	struct vml_cgroup_blame *pair = NULL;
	size_t n = 0;

	(void)state;
	blocker(s, 0, "mmap_write", 100, 0);
	blocker(s, 0, "vma_read", 7000, 0);
	blocker(s, 3, "vma_read", 9000, 0);
	blocker(s, 4, "mmap_read", 40, 30);
	assert_int_equal(vml_cgroup_blame(s, &pair, &n), 0);
	assert_int_equal(n, 2);
	assert_string_equal(pair[0].victim, "/own");
	assert_string_equal(pair[0].blocker, "/holder");
	assert_int_equal(pair[0].blamed_ns, 110);
	assert_string_equal(pair[1].victim, "/victim");
	assert_int_equal(pair[1].blamed_ns, 30);
	vml_snapshot_free(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(of_mmap_lock),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
