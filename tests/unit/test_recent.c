// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* The last intervals that are kept in memory (src/run/recent.c). */
#include "../../src/run/recent.h"
#include "unit.h"

/* An interval that ended at the second @n. */
static void add(struct vml_recent *r, uint64_t n)
{
	struct vml_snapshot *s = vml_snapshot_new();

	assert_non_null(s);
	s->boot_ns = n * UNIT_SECOND;
	s->interval_ns = UNIT_SECOND;
	assert_int_equal(vml_recent_add(r, s), 0);
	vml_snapshot_free(s);
}

/* They are the seconds @from to @to, and as large as it says. */
static void assert_kept(const struct vml_recent *r, uint64_t from, uint64_t to)
{
	const struct vml_kept *k;
	uint64_t bytes = 0, n = from;

	for (k = r->first; k; k = k->next) {
		assert_int_equal(k->delta->boot_ns, n++ * UNIT_SECOND);
		assert_true(k->bytes > 0);
		bytes += k->bytes;
	}
	assert_int_equal(n, to + 1);
	assert_int_equal(r->bytes, bytes);
}

static void fill(struct vml_recent *r, uint64_t from, uint64_t to)
{
	uint64_t n;

	vml_recent_init(r);
	for (n = from; n <= to; n++)
		add(r, n);
}

static void test_time(void **state)
{
	struct vml_recent r;

	(void)state;
	fill(&r, 1, 10);
	vml_recent_trim(&r, 10 * UNIT_SECOND, 3 * UNIT_SECOND, UINT64_MAX);
	assert_kept(&r, 8, 10);
	vml_recent_trim(&r, 100 * UNIT_SECOND, 3 * UNIT_SECOND, UINT64_MAX); /* never the newest */
	assert_kept(&r, 10, 10);
	assert_false(r.cut);
	vml_recent_clear(&r);
	assert_kept(&r, 1, 0);
}

static void test_room(void **state)
{
	struct vml_recent r;
	uint64_t each;

	(void)state;
	fill(&r, 1, 10);
	each = r.bytes / 10;
	vml_recent_trim(&r, 10 * UNIT_SECOND, 60 * UNIT_SECOND, 4 * each);
	assert_kept(&r, 7, 10);
	assert_true(r.cut);
	vml_recent_trim(&r, 10 * UNIT_SECOND, 60 * UNIT_SECOND, 0);
	assert_kept(&r, 10, 10);
	assert_true(r.cut);
	/* what goes because of its age shows that the time is covered again */
	add(&r, 11);
	vml_recent_trim(&r, 70 * UNIT_SECOND, 60 * UNIT_SECOND, UINT64_MAX);
	assert_kept(&r, 11, 11);
	assert_false(r.cut);
	vml_recent_clear(&r);
}

static void test_put_back(void **state)
{
	struct vml_recent kept, writing;

	(void)state;
	fill(&kept, 1, 3);
	vml_recent_move(&writing, &kept);
	assert_kept(&writing, 1, 3);
	assert_kept(&kept, 1, 0);
	vml_recent_put_back(&kept, &writing); /* nothing came meanwhile */
	assert_kept(&kept, 1, 3);
	vml_recent_move(&writing, &kept);
	add(&kept, 4);
	vml_recent_put_back(&kept, &writing);
	assert_kept(&writing, 1, 0);
	add(&kept, 5);
	assert_kept(&kept, 1, 5);
	vml_recent_put_back(&kept, &writing);
	assert_kept(&kept, 1, 5);
	vml_recent_clear(&kept);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_time),
		cmocka_unit_test(test_room),
		cmocka_unit_test(test_put_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
