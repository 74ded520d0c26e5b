/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What a history makes of age and size. */
#include <errno.h>
#include <fcntl.h>

#include "history.h"

static void age_makes_fewer_intervals_and_keeps_every_sum(void **state)
{
	struct world *world = world_new(&immortal);
	char *path = unit_path("age");
	struct vml_store *w = unit_history(path, &quick);
	struct vml_snapshot *first = world_snapshot(world), *last, *whole, *all;
	struct vml_reader *r = unit_reader(path);
	const struct vml_reader_interval *i;
	size_t n, k;
	uint64_t parts = 0;
	int step;

	(void)state;
	for (step = 0; step < 400; step++) {
		append_world(w, world, UNIT_SECOND);
		if (step % 7 == 0)
			tidy_all(w);
	}
	tidy_all(w);
	last = world_snapshot(world);
	whole = unit_delta(first, last);
	assert_int_equal(vml_reader_refresh(r), 0);
	i = vml_reader_intervals(r, &n);
	/* 40 of a second, 12 of ten, and minutes */
	assert_in_range(n, 50, 75);
	for (k = 0; k < n; k++) {
		parts += i[k].parts;
		assert_true(!k || i[k].boot_ns - i[k].interval_ns == i[k - 1].boot_ns);
		assert_true(i[k].interval_ns <= MINUTE);
	}
	assert_int_equal(parts, 400);
	assert_int_equal(i[n - 1].interval_ns, UNIT_SECOND);
	assert_int_equal(i[1].interval_ns, MINUTE);
	all = sum_of_all(r);
	unit_same(whole, all);
	unit_free(first, last, whole);
	vml_snapshot_free(all);
	vml_reader_close(r);
	assert_int_equal(vml_store_close(w), 0);
	world_free(world);
	unit_unlink(path);
}

static uint64_t row_sum(const struct vml_snapshot *d, enum vml_scope scope, enum vml_metric m)
{
	uint64_t sum = 0;
	size_t i;

	for (i = 0; i < d->rows[scope].n; i++)
		sum += d->rows[scope].row[i].value[m];
	return sum;
}

static uint64_t hist_sum(const struct vml_snapshot *d, enum vml_scope scope, int which)
{
	uint64_t sum = 0;
	size_t i;

	for (i = 0; i < d->rows[scope].n; i++)
		sum += d->rows[scope].row[i].hist[which].sum_ns;
	return sum;
}

static uint64_t reason_sum(const struct vml_snapshot *d, enum vml_scope scope)
{
	uint64_t sum = 0;
	size_t i;

	for (i = 0; i < d->rows[scope].n; i++)
		sum += vml_tally_sum(&d->rows[scope].row[i].reasons);
	return sum;
}

static void same_sums(const struct vml_snapshot *a, const struct vml_snapshot *b)
{
	int scope, m, which;

	for (scope = 0; scope < VML_NSCOPES; scope++) {
		for (m = 0; m < VML_NMETRICS; m++)
			assert_int_equal(row_sum(a, scope, m), row_sum(b, scope, m));
		for (which = 0; which < VML_HISTS; which++)
			assert_int_equal(hist_sum(a, scope, which), hist_sum(b, scope, which));
		assert_int_equal(reason_sum(a, scope), reason_sum(b, scope));
	}
	assert_memory_equal(a->total, b->total, sizeof(a->total));
	unit_assert_tally(&a->reasons, &b->reasons);
}

/* Few rows, which change places; what is behind them is in one. */
static void the_rest_is_added_up(void **state)
{
	struct vml_store_options o = quick;
	struct world *world = world_new(&mortal);
	char *path = unit_path("rest");
	struct vml_sum *sum = vml_sum_new();
	struct vml_snapshot *d, *whole, *all;
	struct vml_store *w;
	struct vml_reader *r;
	size_t i, n;
	int step;

	(void)state;
	o.rows = 3;
	w = unit_history(path, &o);
	for (step = 0; step < 300; step++) {
		d = unit_world_delta(world, UNIT_SECOND);
		assert_int_equal(vml_sum_add(sum, d), 0);
		assert_int_equal(vml_store_append(w, d), 0);
		vml_snapshot_free(d);
		if (step % 50 == 49)
			tidy_all(w);
	}
	assert_int_equal(vml_sum_end(sum, &whole), 0);
	r = unit_reader(path);
	n = unit_count(r);
	for (i = 0; i < n; i++) {
		assert_int_equal(vml_reader_delta(r, i, &d), 0);
		assert_in_range(d->rows[VML_PROCESS].n, 0, 4);
		assert_in_range(d->rows[VML_THREAD].n, 0, 4);
		assert_in_range(d->rows[VML_BLOCKER].n, 0, 6);
		vml_snapshot_free(d);
	}
	all = sum_of_all(r);
	same_sums(whole, all);
	assert_string_equal(all->rows[VML_PROCESS].row[0].comm, "(rest)");
	assert_int_equal(all->rows[VML_PROCESS].row[0].id.pid, 0);
	unit_free(whole, all, NULL);
	vml_reader_close(r);
	assert_int_equal(vml_store_close(w), 0);
	world_free(world);
	unit_unlink(path);
}

static void windows_that_adjoin_make_the_whole(void **state)
{
	struct world *world = world_new(&mortal);
	char *path = unit_path("window");
	struct vml_store *w = unit_history(path, &quick);
	struct vml_snapshot *all, *part;
	struct vml_sum *sum = vml_sum_new();
	struct vml_reader *r;
	const struct vml_reader_interval *interval;
	uint64_t from, seed = 99;
	size_t i, n;
	int step;

	(void)state;
	for (step = 0; step < 200; step++)
		append_world(w, world, UNIT_SECOND);
	tidy_all(w);
	r = unit_reader(path);
	all = sum_of_all(r);
	interval = vml_reader_intervals(r, &n);
	for (from = BASE; from < BASE + 200 * UNIT_SECOND;) {
		uint64_t until = from + 1 + unit_below(&seed, 20 * UNIT_SECOND);

		for (i = 0; i < n; i++) {
			if (!vml_interval_in(&interval[i], from, until))
				continue;
			assert_int_equal(vml_reader_delta(r, i, &part), 0);
			assert_int_equal(vml_sum_add(sum, part), 0);
			vml_snapshot_free(part);
		}
		from = until;
	}
	assert_int_equal(vml_sum_end(sum, &part), 0);
	unit_same(all, part);
	unit_free(all, NULL, NULL);
	vml_snapshot_free(part);
	vml_reader_close(r);
	vml_store_close(w);
	world_free(world);
	unit_unlink(path);
}

static bool lies_in(uint64_t real_ns, uint64_t interval_ns, uint64_t since_ns, uint64_t until_ns)
{
	const struct vml_reader_interval i = { .real_ns = real_ns, .interval_ns = interval_ns };

	return vml_interval_in(&i, since_ns, until_ns);
}

static void in_a_window_by_more_than_half(void **state)
{
	(void)state;
	assert_true(lies_in(200, 100, 149, 300));
	assert_false(lies_in(200, 100, 150, 300));
	assert_true(lies_in(200, 100, 0, 150));
	assert_false(lies_in(200, 100, 0, 149));
	/* at the ends of what can be counted, and longer than there was time */
	assert_true(lies_in(UINT64_MAX, 2, UINT64_MAX - 2, UINT64_MAX));
	assert_false(lies_in(UINT64_MAX, 2, 0, UINT64_MAX - 2));
	assert_true(lies_in(UINT64_MAX, UINT64_MAX, 0, UINT64_MAX / 2 + 1));
	assert_true(lies_in(200, 300, 0, 50));
	assert_false(lies_in(200, 300, 50, UINT64_MAX));
	assert_false(lies_in(100, UINT64_MAX, 50, UINT64_MAX));
}

static void a_range_is_the_sum_of_its_intervals(void **state)
{
	struct world *world = world_new(&immortal);
	char *path = unit_path("range");
	struct vml_store *w = unit_recording(path, &(struct vml_store_options){ .no_sync = true });
	struct vml_snapshot *at[11], *d, *want;
	struct vml_reader *r;
	int i;

	(void)state;
	for (i = 0; i < 10; i++) {
		at[i] = world_snapshot(world);
		append_world(w, world, UNIT_SECOND);
	}
	at[10] = world_snapshot(world);
	assert_int_equal(vml_store_close(w), 0);
	r = unit_reader(path);
	for (i = 0; i < 10; i++) {
		assert_int_equal(vml_reader_range(r, (size_t)i, (size_t)(10 - i), &d), 0);
		want = unit_delta(at[i], at[10]);
		unit_same(want, d);
		unit_free(want, d, NULL);
	}
	assert_int_equal(vml_reader_range(r, 5, 6, &d), -ERANGE);
	assert_int_equal(vml_reader_range(r, 0, 0, &d), -ERANGE);
	assert_int_equal(vml_reader_range(r, 1, SIZE_MAX, &d), -ERANGE);
	assert_int_equal(vml_reader_delta(r, 10, &d), -ERANGE);
	for (i = 0; i < 11; i++)
		vml_snapshot_free(at[i]);
	vml_reader_close(r);
	world_free(world);
	unit_unlink(path);
}

/* ---- size */

static void old_and_much_are_deleted(void **state)
{
	struct vml_store_options o = quick;
	struct world *world = world_new(&mortal);
	char *path = unit_path("size");
	struct vml_store_stats stats;
	struct vml_store *w;
	uint64_t most = 0;
	int i;

	(void)state;
	o.max_bytes = 1 << 20;
	w = unit_history(path, &o);
	for (i = 0; i < 1500; i++) {
		append_world(w, world, UNIT_SECOND);
		if (i % 10)
			continue;
		tidy_all(w);
		vml_store_stats(w, &stats);
		if (stats.bytes > most)
			most = stats.bytes;
	}
	vml_store_stats(w, &stats);
	assert_int_equal(stats.intervals, 1500);
	assert_true(most <= o.max_bytes);
	assert_int_equal(stats.newest_real_ns, BASE + 1500 * UNIT_SECOND);
	/* 10 minutes are kept, of 25 */
	assert_true(stats.oldest_real_ns >= stats.newest_real_ns - 12 * MINUTE);
	vml_store_close(w);
	o.max_bytes = 400 << 10;
	w = unit_history(path, &o);
	append_world(w, world, UNIT_SECOND);
	tidy_all(w);
	vml_store_stats(w, &stats);
	assert_true(stats.bytes <= o.max_bytes);
	vml_store_close(w);
	world_free(world);
	unit_unlink(path);
}

static void what_is_held_stays_while_it_is_rolled_up(void **state)
{
	struct world *world = world_new(&immortal);
	char *path = unit_path("held");
	struct vml_store *w = unit_history(path, &quick);
	struct vml_reader *held = unit_reader(path), *loose = unit_reader(path);
	struct vml_snapshot *d;
	size_t n, i;
	int step;

	(void)state;
	for (step = 0; step < 100; step++)
		append_world(w, world, UNIT_SECOND);
	assert_int_equal(vml_reader_hold(held), 0);
	assert_int_equal(vml_reader_refresh(loose), 0);
	n = unit_count(held);
	assert_int_equal(n, 100);
	for (step = 0; step < 10; step++) {
		append_world(w, world, UNIT_SECOND);
		tidy_all(w);
	}
	assert_int_equal(vml_reader_delta(loose, 0, &d), -ESTALE);
	for (i = 0; i < n; i++) {
		assert_int_equal(vml_reader_delta(held, i, &d), 0);
		assert_int_equal(d->interval_ns, UNIT_SECOND);
		vml_snapshot_free(d);
	}
	vml_reader_release(held);
	assert_int_equal(vml_reader_refresh(held), 0);
	assert_true(unit_count(held) < n);
	vml_reader_close(held);
	vml_reader_close(loose);
	assert_int_equal(vml_store_close(w), 0);
	world_free(world);
	unit_unlink(path);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(age_makes_fewer_intervals_and_keeps_every_sum),
		cmocka_unit_test(the_rest_is_added_up),
		cmocka_unit_test(windows_that_adjoin_make_the_whole),
		cmocka_unit_test(in_a_window_by_more_than_half),
		cmocka_unit_test(a_range_is_the_sum_of_its_intervals),
		cmocka_unit_test(old_and_much_are_deleted),
		cmocka_unit_test(what_is_held_stays_while_it_is_rolled_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
