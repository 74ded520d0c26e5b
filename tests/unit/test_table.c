/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Rows that only grow, and threads whose end was not seen (src/collect/table.c, missed.c). */
#include <linux/types.h>

#include "unit.h"
#include "../../src/collect/collect.h"

#define PID 100

/* ---- from what BPF counts to readings */

static void counts(void **state)
{
	const struct vml_counts c = { .faults_user = 100,
				      .faults_kernel = 7,
				      .fallbacks = 1,
				      .aborts = 20,
				      .retries = 9,
				      .bypasses = 6,
				      .misses = 3 };
	const struct vml_counts early = { .faults_user = 2, .faults_kernel = 4, .aborts = 3, .bypasses = 5 };
	struct reading r = { 0 };

	(void)state;
	reading_add_counts(&r, &c);
	assert_int_equal(r.base[BASE_HITS], 70);
	assert_int_equal(r.base[BASE_FALLBACKS], 1);
	assert_int_equal(r.base[BASE_ABORTS], 20);
	assert_int_equal(r.base[BASE_RETRIES], 9);
	assert_int_equal(r.base[BASE_BYPASSES], 6);
	assert_int_equal(r.base[BASE_UNSERVED], 1);
	assert_int_equal(r.base[BASE_MISSES], 3);
	/* an abort and a bypass that were added between the two looks */
	reading_add_counts(&r, &early);
	assert_int_equal(r.base[BASE_HITS], 70);
	assert_int_equal(r.base[BASE_ABORTS], 23);
	assert_int_equal(r.base[BASE_BYPASSES], 11);
	assert_int_equal(r.base[BASE_UNSERVED], 1);
}

static void records(void **state)
{
	struct vml_task_record t = { .count = { .faults_user = 10, .aborts = 1, .misses = 4 },
				     .pending = { .faults_user = 5, .retries = 2, .bypasses = 1 },
				     .lock_events = 8,
				     .write_readers = 3 };
	struct reading r = { 0 };

	(void)state;
	t.lock[VML_VMA_WRITE_WAIT] = (struct vml_lock_sum){ 2, 900, 700 };
	reading_add_record(&r, &t);
	reading_add_record(&r, &t);
	assert_int_equal(r.base[BASE_HITS], 2 * 12);
	assert_int_equal(r.base[BASE_ABORTS], 2);
	assert_int_equal(r.base[BASE_RETRIES], 4);
	assert_int_equal(r.base[BASE_BYPASSES], 2);
	assert_int_equal(r.base[BASE_MISSES], 8);
	assert_int_equal(r.base[BASE_WRITE_READERS], 6);
	assert_int_equal(r.base[BASE_SUM_NS + VML_VMA_WRITE_WAIT], 1800);
	assert_int_equal(r.max_ns[VML_VMA_WRITE_WAIT], 700);
}

/* ---- rows */

static uint64_t cell(const struct item *e, uint32_t index)
{
	for (uint32_t i = 0; i < e->ncells; i++)
		if (e->cell[i].index == index)
			return e->cell[i].sum;
	return 0;
}

static void cells_grow_and_stay_sorted(void **state)
{
	struct table t = { 0 };
	struct vml_id id = { .pid = PID };
	struct item *e = table_get(&t, &id);
	uint32_t dense[NCELLS] = { 0 };

	(void)state;
	dense[CELL(VML_VMA_WRITE_WAIT, 3)] = UINT32_MAX - 1;
	assert_int_equal(item_raise_cells(e, dense, NCELLS_LOCKS, 1), 0);
	assert_int_equal(e->changed, 1);
	/* what is not looked at stays */
	dense[CELL(VML_IN_PAGE_IO, 125)] = 4;
	assert_int_equal(item_raise_cells(e, dense, NCELLS, 2), 0);
	dense[CELL_REASON(VML_CAUSE(VML_BUSY, 1))] = 2;
	assert_int_equal(item_raise_cells(e, dense, VML_NCAUSES, 3), 0);
	assert_int_equal(e->ncells, 3);
	for (uint32_t i = 1; i < e->ncells; i++)
		assert_true(e->cell[i - 1].index < e->cell[i].index);
	/* round modulo 2^32; lower is not all of it */
	dense[CELL(VML_VMA_WRITE_WAIT, 3)] += 5;
	dense[CELL_REASON(VML_CAUSE(VML_BUSY, 1))] = 1;
	assert_int_equal(item_raise_cells(e, dense, NCELLS, 4), 0);
	assert_int_equal(cell(e, CELL(VML_VMA_WRITE_WAIT, 3)), UINT32_MAX + 4ULL);
	assert_int_equal(cell(e, CELL(VML_IN_PAGE_IO, 125)), 4);
	assert_int_equal(cell(e, CELL_REASON(VML_CAUSE(VML_BUSY, 1))), 2);
	assert_int_equal(e->changed, 4);
	assert_int_equal(item_raise_cells(e, dense, NCELLS, 5), 0);
	assert_int_equal(e->changed, 4);
	assert_int_equal(e->seen, 5);
	table_free(&t);
}

/* Threads of a few processes come and go. */
static void items_are_found_until_they_are_removed(void **state)
{
	enum { THREADS = 5000 };
	static bool there[THREADS];
	struct table t = { 0 };
	uint64_t seed = 3;
	size_t n = 0;

	(void)state;
	for (uint32_t i = 0; i < 60000; i++) {
		uint32_t tid = (uint32_t)unit_below(&seed, THREADS);
		const struct vml_id id = { .pid = tid % 7, .tid = tid, .tid_start_ns = tid % 3 };
		struct item *e = table_find(&t, &id);

		assert_true(there[tid] == (e != NULL));
		/* more and more of them, then fewer and fewer */
		if (e && unit_below(&seed, 60000) < i) {
			assert_int_equal(e->id.tid, tid);
			table_remove(&t, e);
			there[tid] = false;
			n--;
		} else if (!e && unit_below(&seed, 60000) > i) {
			assert_non_null(table_get(&t, &id));
			there[tid] = true;
			n++;
		}
		assert_int_equal(t.index.n, n);
	}
	for (uint32_t tid = 0; tid < THREADS; tid++) {
		const struct vml_id id = { .pid = tid % 7, .tid = tid, .tid_start_ns = tid % 3 };

		assert_true(there[tid] == (table_find(&t, &id) != NULL));
	}
	table_free(&t);
}

static void rows_never_fall(void **state)
{
	struct vml_id id = { .pid = PID };
	struct table t = { 0 };
	struct item *e = table_get(&t, &id), sum = { 0 };

	(void)state;
	for (uint32_t pass = 1; pass <= 3; pass++) {
		assert_int_equal(item_read(e, true), 0);
		e->reading->base[BASE_HITS] = pass == 2 ? 5 : 10 * pass;
		e->reading->max_ns[VML_IN_USERFAULTFD] = pass == 2 ? 9 : 1;
		e->reading_cell[CELL(VML_SERVE_HIT, 9)] = pass == 2 ? 0 : pass;
		assert_int_equal(table_settle(&t, pass), 0);
		assert_null(e->reading);
	}
	assert_int_equal(table_settle(&t, 4), 0); /* nothing was read */
	assert_int_equal(e->base[BASE_HITS], 30);
	assert_int_equal(e->max_ns[VML_IN_USERFAULTFD], 9);
	assert_int_equal(cell(e, CELL(VML_SERVE_HIT, 9)), 3);
	assert_int_equal(item_retire(&sum, e), 0);
	assert_int_equal(item_retire(&sum, e), 0);
	assert_int_equal(sum.base[BASE_HITS], 60);
	assert_int_equal(cell(&sum, CELL(VML_SERVE_HIT, 9)), 6);
	free(sum.cell);
	table_free(&t);
}

/* ---- threads whose end was not seen */

struct world {
	struct item process;
	uint64_t now;
};

/* A second later, with @alive of @live threads in sight: how many are newly missed. */
static uint32_t second(struct world *w, uint32_t live, uint32_t alive)
{
	w->now += UNIT_SECOND;
	w->process.live = missed_live(live);
	w->process.alive = alive;
	return missed_exits(&w->process, w->now);
}

static void missed_is_told_once(void **state)
{
	struct world w = { 0 };

	(void)state;
	assert_int_equal(second(&w, 5, 5), 0);
	/* two are freed, and BPF was not told */
	for (int i = 0; i < 6; i++)
		assert_int_equal(second(&w, 5, 3), 0);
	assert_int_equal(second(&w, 5, 3), 2);
	for (int i = 0; i < 20; i++)
		assert_int_equal(second(&w, 5, 3), 0);
	assert_int_equal(w.process.lost, 2);
	/* all the others end; then one more is missed, and that is told too */
	assert_int_equal(second(&w, 3, 1), 0);
	for (int i = 0; i < 6; i++)
		assert_int_equal(second(&w, 3, 0), 0);
	assert_int_equal(second(&w, 3, 0), 1);
	assert_int_equal(w.process.lost, 3);
}

static void a_late_end_is_no_loss(void **state)
{
	struct world w = { 0 };

	(void)state;
	for (int i = 0; i < 5; i++)
		assert_int_equal(second(&w, 2, 1), 0);
	for (int i = 0; i < 20; i++)
		assert_int_equal(second(&w, 1, 1), 0);
	assert_int_equal(w.process.lost, 0);
}

/* Two that had no room in the map end when their process has a row. */
static void who_was_not_added_is_not_missed(void **state)
{
	struct world w = { 0 };

	(void)state;
	for (int i = 0; i < 20; i++)
		assert_int_equal(second(&w, (uint32_t)-2, 0), 0);
	assert_int_equal(w.process.lost, 0);
	/* one of three after that */
	for (int i = 0; i < 6; i++)
		assert_int_equal(second(&w, 3, 2), 0);
	assert_int_equal(second(&w, 3, 2), 1);
}

/* Where threads come and go, some are always on their way: as many as the fewest are lost. */
static void the_fewest_count(void **state)
{
	struct world w = { 0 };

	(void)state;
	for (uint32_t i = 0; i < 30; i++)
		assert_int_equal(second(&w, 100, i % 4 ? 90 : 100), 0);
	/* more in sight than there were a moment before */
	for (uint32_t i = 0; i < 30; i++)
		assert_int_equal(second(&w, 100, i % 4 ? 90 : 101), 0);
	assert_int_equal(w.process.lost, 0);
	for (uint32_t i = 0; i < 20; i++)
		second(&w, 100, i % 4 ? 90 : 97);
	assert_int_equal(w.process.lost, 3);
}

/* A row that is read before its process is: that is there in the next pass. */
static void younger_than_the_look(void **state)
{
	struct item e = {}, process = {};

	(void)state;
	assert_false(item_orphaned(&e, NULL));
	assert_false(item_orphaned(&e, &process));
	assert_false(item_orphaned(&e, NULL));
	assert_true(item_orphaned(&e, NULL));
	assert_true(item_orphaned(&e, NULL));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(counts),
		cmocka_unit_test(records),
		cmocka_unit_test(cells_grow_and_stay_sorted),
		cmocka_unit_test(items_are_found_until_they_are_removed),
		cmocka_unit_test(rows_never_fall),
		cmocka_unit_test(missed_is_told_once),
		cmocka_unit_test(a_late_end_is_no_loss),
		cmocka_unit_test(who_was_not_added_is_not_missed),
		cmocka_unit_test(the_fewest_count),
		cmocka_unit_test(younger_than_the_look),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
