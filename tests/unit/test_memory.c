/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Which rows make room in the maps.  The programs are opened for the sizes of their maps, and not loaded. */
#include <bpf/libbpf.h>

#include "collect/collect.h"
#include "unit.h"
#include "vmalock.skel.h"

#define ROW 1024 /* bytes, of an area and of a blocker */
#define ROOM 40 /* rows that these may have */
#define PASS 1000

static struct {
	struct tables tables;
	struct vmalock_bpf *skel;
} t;

static int set_up(void **state)
{
	(void)state;
	memset(&t, 0, sizeof(t));
	t.tables.pass = PASS;
	libbpf_set_print(NULL);
	t.skel = vmalock_bpf__open();
	if (!t.skel)
		return -1;
	t.skel->rodata->rows_limit = ROOM * ROW / 5 * 8;
	assert_int_equal(VML_ROWS_OTHERS(t.skel->rodata->rows_limit), ROOM * ROW);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	table_free(&t.tables.vmas);
	table_free(&t.tables.blockers);
	vmalock_bpf__destroy(t.skel);
	return 0;
}

/* A row in which nothing happened for @idle passes. */
static struct item *row(struct table *table, uint32_t number, uint32_t idle)
{
	struct vml_id id = { .pid = 1 + number, .start_ns = 1 };
	struct item *e = table_get(table, &id);

	assert_non_null(e);
	e->changed = PASS - idle;
	return e;
}

static struct item *area(uint32_t number, uint32_t idle, uint64_t read_wait_ns, uint64_t write_wait_ns)
{
	struct item *e = row(&t.tables.vmas, number, idle);

	e->base[BASE_SUM_NS + VML_MMAP_READ_WAIT] = read_wait_ns;
	e->base[BASE_SUM_NS + VML_VMA_WRITE_WAIT] = write_wait_ns;
	return e;
}

static struct item *blocker(uint32_t number, uint32_t idle, uint64_t blamed_ns)
{
	struct item *e = row(&t.tables.blockers, number, idle);

	e->base[BASE_BLAMED] = blamed_ns;
	return e;
}

static void make_room(uint64_t free_rows)
{
	t.skel->bss->rows_bytes = (ROOM - free_rows) * ROW;
	assert_int_equal(memory_make_room(&t.tables, t.skel), 0);
}

static void count_evicted(struct item *e, void *arg)
{
	*(size_t *)arg += e->evict;
}

static size_t evicted(void)
{
	size_t n = 0;

	table_walk(&t.tables.vmas, count_evicted, &n);
	table_walk(&t.tables.blockers, count_evicted, &n);
	return n;
}

static void least_blocked_first(void **state)
{
	struct item *least[5], *more[3];

	(void)state;
	more[0] = area(0, 100, 5, 1);
	least[0] = area(1, 100, 5, 0);
	least[1] = blocker(0, 100, 4);
	more[1] = blocker(1, 100, 1000000);
	least[2] = area(2, 100, 0, 3);
	least[3] = blocker(2, 100, 2);
	more[2] = area(3, 100, 0, 1000000);
	least[4] = area(4, 100, 0, 0);
	make_room(1);
	/* an eighth of the room, which is five rows */
	for (size_t i = 0; i < VML_ARRAY_SIZE(least); i++)
		assert_true(least[i]->evict);
	for (size_t i = 0; i < VML_ARRAY_SIZE(more); i++)
		assert_false(more[i]->evict);
}

static void nobody_while_a_quarter_is_free(void **state)
{
	(void)state;
	for (uint32_t i = 0; i < 20; i++)
		area(i, 500, 0, 0);
	make_room(ROOM / 4 + 1);
	assert_int_equal(evicted(), 0);
	make_room(ROOM / 4);
	assert_int_equal(evicted(), 5);
}

static void how_long_nothing_happened(void **state)
{
	struct item *long_ago, *lately, *now;

	(void)state;
	long_ago = area(0, 61, 100, 0);
	lately = area(1, 60, 0, 0);
	now = area(2, 5, 0, 0);
	make_room(ROOM / 4);
	assert_true(long_ago->evict);
	assert_int_equal(evicted(), 1);
	make_room(ROOM / 8);
	assert_true(lately->evict);
	assert_false(now->evict);
}

static void rows_that_would_come_back_stay(void **state)
{
	struct item *asleep = area(0, 100, 0, 0), *settled = area(1, 100, 0, 0), *nobody;
	struct vml_id id = { 0 };

	(void)state;
	/* a thread has faults that it has not added yet */
	asleep->pending.faults_user = 1;
	asleep->pending_in = PASS;
	/* it had */
	settled->pending.faults_user = 1;
	settled->pending_in = PASS - 2;
	/* what has no row of its own */
	nobody = table_get(&t.tables.vmas, &id);
	assert_non_null(nobody);
	make_room(1);
	assert_true(settled->evict);
	assert_int_equal(evicted(), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(least_blocked_first, set_up, tear_down),
		cmocka_unit_test_setup_teardown(nobody_while_a_quarter_is_free, set_up, tear_down),
		cmocka_unit_test_setup_teardown(how_long_nothing_happened, set_up, tear_down),
		cmocka_unit_test_setup_teardown(rows_that_would_come_back_stay, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
