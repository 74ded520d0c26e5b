/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What a history makes of what befalls the host. */
#include <errno.h>

#include "history.h"

struct expected {
	enum vml_event_kind kind;
	int64_t ns;
	const char *text;
};

static void assert_events(const char *path, const struct expected *want, size_t n)
{
	struct vml_reader *r = unit_reader(path);
	const struct vml_event *e;
	size_t i, got;

	assert_int_equal(vml_reader_events(r, 0, unit_count(r), &e, &got), 0);
	for (i = 0; i < got && i < n; i++) {
		if (e[i].kind != want[i].kind || e[i].ns != want[i].ns || strcmp(e[i].text, want[i].text) != 0)
			fail_msg("event %zu is %s %lld \"%s\"", i, vml_event_name(e[i].kind), (long long)e[i].ns,
				 e[i].text);
	}
	assert_int_equal(got, n);
	vml_reader_close(r);
}

static void what_befalls_the_host_is_told(void **state)
{
	static const struct expected want[] = {
		{ VML_EVENT_START, 0, "vmalockd" },
		{ VML_EVENT_CLOCK_STEP, 3600 * (int64_t)UNIT_SECOND, "" },
		{ VML_EVENT_CLOCK_STEP, -7200 * (int64_t)UNIT_SECOND, "" },
		{ VML_EVENT_GAP, 5 * (int64_t)UNIT_SECOND, "not observed" },
		{ VML_EVENT_START, 0, "vmalockd" },
		{ VML_EVENT_GAP, 9 * (int64_t)UNIT_SECOND, "restart" },
		{ VML_EVENT_REBOOT, 61 * (int64_t)UNIT_SECOND, "" },
	};
	struct vml_store_options o = quick;
	struct world *world = world_new(&immortal);
	char *path = unit_path("events");
	struct vml_store *w;
	int i;

	(void)state;
	o.options = "vmalockd";
	w = unit_history(path, &o);
	append_world(w, world, UNIT_SECOND);
	append_world(w, world, UNIT_SECOND);
	world_set_clock(world, 3600 * (int64_t)UNIT_SECOND);
	append_world(w, world, UNIT_SECOND);
	world_set_clock(world, -7200 * (int64_t)UNIT_SECOND);
	append_world(w, world, UNIT_SECOND);
	world_step(world, 5 * UNIT_SECOND);
	append_world(w, world, UNIT_SECOND);
	vml_store_close(w);
	world_step(world, 9 * UNIT_SECOND);
	w = unit_history(path, &o);
	append_world(w, world, UNIT_SECOND);
	world_boot(world);
	append_world(w, world, UNIT_SECOND);
	assert_events(path, want, VML_ARRAY_SIZE(want));
	/* they are there as long as their time is */
	for (i = 0; i < 100; i++)
		append_world(w, world, UNIT_SECOND);
	tidy_all(w);
	assert_events(path, want, VML_ARRAY_SIZE(want));
	vml_store_close(w);
	world_free(world);
	unit_unlink(path);
}

/* The interval that it slept in is that long; it is an event, and nobody is older for it. */
static void a_host_that_sleeps_says_so(void **state)
{
	static const struct expected want[] = {
		{ VML_EVENT_START, 0, "vmalockd" },
		{ VML_EVENT_SUSPEND, 8 * (int64_t)HOUR, "" },
		{ VML_EVENT_SUSPEND, 2 * (int64_t)HOUR, "" },
		{ VML_EVENT_GAP, 5 * (int64_t)UNIT_SECOND, "not observed" },
		{ VML_EVENT_SUSPEND, 3 * (int64_t)HOUR, "" },
	};
	struct vml_store_options o = quick;
	struct world *world = world_new(&immortal);
	char *path = unit_path("sleep");
	struct vml_store *w;
	struct vml_reader *r;
	const struct vml_reader_interval *i;
	size_t n;

	(void)state;
	o.options = "vmalockd";
	w = unit_history(path, &o);
	append_world(w, world, UNIT_SECOND);
	append_world(w, world, UNIT_SECOND);
	slept_ns += 8 * HOUR;
	append_world(w, world, 8 * HOUR + UNIT_SECOND);
	append_world(w, world, UNIT_SECOND);
	slept_ns += 2 * HOUR;
	append_world(w, world, 2 * HOUR + UNIT_SECOND);
	slept_ns += 3 * HOUR; /* and before that nobody observed for a while */
	world_step(world, 5 * UNIT_SECOND);
	append_world(w, world, 3 * HOUR + UNIT_SECOND);
	tidy_all(w);
	assert_events(path, want, VML_ARRAY_SIZE(want));
	r = unit_reader(path);
	i = vml_reader_intervals(r, &n);
	assert_int_equal(n, 6); /* kept for ten minutes, and the host ran for less */
	assert_int_equal(i[2].interval_ns, 8 * HOUR + UNIT_SECOND);
	vml_reader_close(r);
	vml_store_close(w);
	slept_ns = 0;
	world_free(world);
	unit_unlink(path);
}

static void who_loses_the_cpu_did_not_sleep(void **state)
{
	static const struct expected want[] = { { VML_EVENT_START, 0, "vmalockd" } };
	struct vml_store_options o = quick;
	struct world *world = world_new(&immortal);
	char *path = unit_path("lost");
	struct vml_store *w;

	(void)state;
	o.options = "vmalockd";
	w = unit_history(path, &o);
	append_world(w, world, UNIT_SECOND);
	losing = 5;
	append_world(w, world, UNIT_SECOND);
	append_world(w, world, UNIT_SECOND);
	assert_int_equal(losing, 0);
	assert_events(path, want, VML_ARRAY_SIZE(want));
	vml_store_close(w);
	world_free(world);
	unit_unlink(path);
}

static void a_clock_that_jumps_deletes_nothing(void **state)
{
	struct world *world = world_new(&immortal);
	char *path = unit_path("jump");
	struct vml_store *w = unit_history(path, &quick);
	struct vml_reader *r;
	int i;

	(void)state;
	for (i = 0; i < 20; i++)
		append_world(w, world, UNIT_SECOND);
	world_set_clock(world, 400LL * 86400 * (int64_t)UNIT_SECOND);
	for (i = 0; i < 5; i++)
		append_world(w, world, UNIT_SECOND);
	tidy_all(w);
	r = unit_reader(path);
	assert_int_equal(unit_count(r), 25);
	vml_reader_close(r);
	vml_store_close(w);
	world_free(world);
	unit_unlink(path);
}

/* By seconds inside of a slot, by an hour, and by years, while intervals are rolled up. */
static void a_clock_set_to_and_fro_changes_no_sum(void **state)
{
	static const int64_t step_s[] = { 3, -7, 3600, -3600, -41, 86400LL * 400, -86400LL * 800, 55, -2 };
	struct world *world = world_new(&immortal);
	char *path = unit_path("fro");
	struct vml_store *w = unit_history(path, &quick);
	struct vml_snapshot *first = world_snapshot(world), *last, *whole, *all;
	const struct vml_reader_interval *i;
	struct vml_reader *r;
	uint64_t parts = 0;
	size_t n, k;

	(void)state;
	for (k = 0; k < 400; k++) {
		if (k % 6 == 0)
			world_set_clock(world, step_s[k / 6 % VML_ARRAY_SIZE(step_s)] * (int64_t)UNIT_SECOND);
		append_world(w, world, UNIT_SECOND);
		if (k % 7 == 0)
			tidy_all(w);
	}
	tidy_all(w);
	last = world_snapshot(world);
	whole = unit_delta(first, last);
	r = unit_reader(path);
	i = vml_reader_intervals(r, &n);
	assert_in_range(n, 50, 250);
	for (k = 0; k < n; k++) {
		parts += i[k].parts;
		assert_true(!k || i[k].boot_ns - i[k].interval_ns == i[k - 1].boot_ns);
		assert_in_range(i[k].interval_ns, UNIT_SECOND, MINUTE + MINUTE / 2);
	}
	assert_int_equal(parts, 400);
	all = sum_of_all(r);
	unit_same(whole, all);
	unit_free(first, last, whole);
	vml_snapshot_free(all);
	vml_reader_close(r);
	assert_int_equal(vml_store_close(w), 0);
	world_free(world);
	unit_unlink(path);
}

static void what_does_not_follow_is_refused(void **state)
{
	struct world *world = world_new(&immortal);
	char *path = unit_path("order");
	struct vml_store *w = unit_history(path, &quick);
	struct vml_snapshot *d = unit_world_delta(world, UNIT_SECOND), *s = world_snapshot(world);
	struct vml_store_stats stats;

	(void)state;
	assert_int_equal(vml_store_append(w, d), 0);
	assert_int_equal(vml_store_append(w, d), -EINVAL);
	d->boot_ns += UNIT_SECOND / 2;
	assert_int_equal(vml_store_append(w, d), -EINVAL);
	assert_int_equal(vml_store_append(w, s), -EINVAL); /* no delta */
	d->boot_ns += UNIT_SECOND / 2;
	assert_int_equal(vml_store_append(w, d), 0);
	vml_store_stats(w, &stats);
	assert_int_equal(stats.intervals, 2);
	unit_free(d, s, NULL);
	vml_store_close(w);
	world_free(world);
	unit_unlink(path);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_befalls_the_host_is_told),
		cmocka_unit_test(a_host_that_sleeps_says_so),
		cmocka_unit_test(who_loses_the_cpu_did_not_sleep),
		cmocka_unit_test(a_clock_that_jumps_deletes_nothing),
		cmocka_unit_test(a_clock_set_to_and_fro_changes_no_sum),
		cmocka_unit_test(what_does_not_follow_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
