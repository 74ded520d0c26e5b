/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Which cgroups have series, and that nothing is lost or counted twice on the way. */
#include "export.h"

UNIT_OUT_OF_MEMORY

#define FAULTS_OF(name) "vmalock_faults_total{cgroup=\"" name "\",mode=\"user\",path=\"vma\"}"
#define BUDGET VML_EXPORT_BUDGET_MIN

/* ---- a host of many cgroups, in which n faults a second happen in the n-th */

static void add_cgroups(struct vml_snapshot *d, unsigned int first, unsigned int n, unsigned int waits)
{
	char path[64];

	for (unsigned int i = 0; i < n; i++) {
		snprintf(path, sizeof(path), "/system.slice/u%u.service", first + i);
		export_process(d, first + i, vml_arena_strdup(d->arena, path), first + i, waits, 0);
	}
}

static struct vml_snapshot *many(uint64_t second, unsigned int n)
{
	struct vml_snapshot *d = export_delta(second);

	add_cgroups(d, 1, n, 1);
	return d;
}

static void check_limit(const struct export_text *x)
{
	export_assert(x, "vmalock_exported_series", x->n);
	assert_true(x->n <= export_value(x, "vmalock_exported_series_limit"));
}

/* The rows that are not there are in other; the budget is used. */
static void busiest_first(void **state)
{
	struct vml_export *e = export_new(BUDGET, 0, false);
	struct export_text x;

	(void)state;
	export_add(e, many(100, 100));
	x = export_read(e, 0);
	check_limit(&x);
	/* all wait for as long: those with most faults have series */
	export_assert(&x, FAULTS_OF("u100.service"), 100);
	export_assert(&x, FAULTS_OF("u99.service"), 99);
	export_assert(&x, FAULTS_OF("u1.service"), NAN);
	assert_true(export_sum(&x, "vmalock_faults_total{", "\"vma\"") == 5050);
	assert_true(export_value(&x, FAULTS_OF("other")) > 1000);
	assert_true(export_value(&x, "vmalock_folded_cgroups") + export_count(&x, "vmalock_cgroup_info", "") == 100);
	/* 22 each: 2 faults, 1 fallback, 1 abort, 16 of the histogram, mappings, info */
	assert_true(export_count(&x, "vmalock_cgroup_info", "") >= 20);
	export_text_free(&x);
	vml_export_free(e);
}

/* Blocked time counts more than any number of faults. */
static void blocked_first(void **state)
{
	struct vml_export *e = export_new(BUDGET, 0, false);
	struct vml_snapshot *d = many(100, 100);
	struct export_text x;

	(void)state;
	d->rows[VML_PROCESS].row[0].hist[H_READ_WAIT] = export_hist(d, 50 * MS, 1);
	/* who made others wait is as much in question as who waited */
	export_blocker(d, 2, "/system.slice/u2.service", "read", "", 70 * MS);
	export_add(e, d);
	x = export_read(e, 0);
	export_assert(&x, FAULTS_OF("u1.service"), 1);
	export_assert(&x, FAULTS_OF("u2.service"), 2);
	export_assert(&x, FAULTS_OF("u3.service"), NAN);
	export_text_free(&x);
	vml_export_free(e);
}

/* ---- coming and going */

/* @n of 100 cgroups wait; all fault. */
static struct vml_snapshot *some_wait(uint64_t second, unsigned int first, unsigned int n)
{
	struct vml_snapshot *d = export_delta(second);

	add_cgroups(d, 1, first - 1, 0);
	add_cgroups(d, first, n, 5);
	add_cgroups(d, first + n, 100 - first - n + 1, 0);
	return d;
}

static bool has_series(struct vml_export *e, unsigned int unit)
{
	struct export_text x = export_read(e, 0);
	char part[64];
	size_t n;

	check_limit(&x);
	snprintf(part, sizeof(part), "\"u%u.service\"", unit);
	n = export_count(&x, "vmalock_faults_total", part);
	export_text_free(&x);
	return n;
}

/* Ten minutes after it got series, not before, a row may lose them to a busier one. */
static void stays_ten_minutes(void **state)
{
	struct vml_export *e = export_new(BUDGET, 100000, false);
	uint64_t t;

	(void)state;
	for (t = 0; t < 5 * MINUTE; t += 10)
		export_add(e, some_wait(1000 + t, 1, 20));
	assert_true(has_series(e, 1));
	assert_false(has_series(e, 60));
	for (; t < 10 * MINUTE; t += 10) {
		export_add(e, some_wait(1000 + t, 60, 40));
		assert_true(has_series(e, 1));
	}
	/* now the first ones may go; they still were blocked as long within ten minutes */
	for (; t < 21 * MINUTE; t += 10)
		export_add(e, some_wait(1000 + t, 60, 40));
	assert_false(has_series(e, 1));
	assert_true(has_series(e, 99));
	vml_export_free(e);
}

/* A cgroup that died has its series for five minutes more, and for ten after it got them. */
static void dies(void **state)
{
	struct vml_export *e = export_new(0, 0, false);
	uint64_t t;

	(void)state;
	for (t = 0; t < 7 * MINUTE; t += 10)
		export_add(e, many(1000 + t, 3));
	for (; t < 11 * MINUTE + 50; t += 10) {
		export_add(e, many(1000 + t, 2));
		assert_true(has_series(e, 3));
	}
	for (; t < 12 * MINUTE + 10; t += 10)
		export_add(e, many(1000 + t, 2));
	assert_false(has_series(e, 3));
	assert_true(has_series(e, 2));
	vml_export_free(e);
}

/* New label sets an hour: no more than was asked for, whatever comes. */
static void churn(void **state)
{
	struct vml_export *e = export_new(5000, 60, false);
	struct export_text x;
	uint64_t t;

	(void)state;
	export_add(e, many(1000, 100));
	x = export_read(e, 0);
	/* 4 label sets each: vma and mmap faults, reason, wait, abort are 5 */
	assert_int_equal(export_count(&x, "vmalock_cgroup_info", ""), 60 / 5);
	check_limit(&x);
	export_text_free(&x);
	for (t = 10; t <= 30 * MINUTE; t += 10)
		export_add(e, many(1000 + t, 100));
	x = export_read(e, 0);
	assert_int_equal(export_count(&x, "vmalock_cgroup_info", ""), 90 / 5);
	assert_true(export_sum(&x, "vmalock_faults_total{", "\"vma\"") == 5050 * 181);
	export_text_free(&x);
	vml_export_free(e);
}

/* A daemon that has more to say of itself takes the room of rows at once. */
static void limit_always_holds(void **state)
{
	static struct vml_daemon_item item[VML_DAEMON_NLISTS][60];
	static char label[60][16];
	struct vml_export *e = export_new(BUDGET, 0, false);
	struct vml_daemon d;
	struct export_text x;

	(void)state;
	export_add(e, many(100, 100));
	vml_daemon_init(&d);
	for (int i = 0; i < 60; i++)
		snprintf(label[i], sizeof(label[i]), "l%d", i);
	for (int l = 0; l < VML_DAEMON_NLISTS; l++) {
		for (int i = 0; i < 60; i++)
			item[l][i] = (struct vml_daemon_item){ { label[i], NULL }, 1 };
		d.list[l].item = item[l];
		d.list[l].n = 60;
	}
	assert_int_equal(vml_export_daemon(e, &d), 0);
	x = export_read(e, 0);
	check_limit(&x);
	/* what finds no place of its own is not lost */
	assert_true(export_sum(&x, "vmalock_bpf_program_runs_total{", "") == 60);
	export_assert(&x, "vmalock_bpf_program_runs_total{program=\"other\"}", 60 - (VML_DAEMON_ITEMS - 1));
	assert_true(export_count(&x, "vmalock_cgroup_info", "") < 20);
	export_text_free(&x);
	export_add(e, many(101, 100));
	x = export_read(e, 0);
	check_limit(&x);
	export_text_free(&x);
	vml_export_free(e);
}

/* ---- a series appears with 0, and scrapers see all of it */

static void appears_with_zero(void **state)
{
	struct vml_export *e = export_new(0, 0, false);
	struct export_text x;

	(void)state;
	export_add(e, many(100, 1));
	x = export_read(e, 7); /* the first look: there is nothing to compare with */
	export_assert(&x, FAULTS_OF("u1.service"), 1);
	export_text_free(&x);
	export_add(e, many(115, 2));
	x = export_read(e, 8); /* somebody else: 7 has not seen it */
	export_assert(&x, FAULTS_OF("u1.service"), 2);
	export_assert(&x, FAULTS_OF("u2.service"), 0);
	export_assert(&x, "vmalock_lock_wait_seconds_count{cgroup=\"u2.service\",lock=\"mmap_read\"}", 0);
	export_text_free(&x);
	export_add(e, many(116, 2));
	x = export_read(e, 7);
	export_assert(&x, FAULTS_OF("u2.service"), 0);
	export_text_free(&x);
	export_add(e, many(117, 2));
	x = export_read(e, 7);
	export_assert(&x, FAULTS_OF("u2.service"), 6); /* 3 times 2 */
	export_assert(&x, "vmalock_lock_wait_seconds_count{cgroup=\"u2.service\",lock=\"mmap_read\"}", 3);
	export_text_free(&x);
	vml_export_free(e);
}

/* Who never comes again is not waited for longer than two minutes. */
static void waits_no_longer(void **state)
{
	struct vml_export *e = export_new(0, 0, false);
	struct export_text x;

	(void)state;
	export_add(e, many(100, 1));
	x = export_read(e, 7);
	export_text_free(&x);
	export_add(e, many(110, 2));
	export_add(e, many(220, 2));
	x = export_read(e, 0);
	export_assert(&x, FAULTS_OF("u2.service"), 0);
	export_text_free(&x);
	export_add(e, many(221, 2)); /* came once, two minutes ago */
	x = export_read(e, 0);
	export_assert(&x, FAULTS_OF("u2.service"), 6);
	export_text_free(&x);
	vml_export_free(e);

	/* every 100 s: it is late after 200, but two minutes are enough */
	e = export_new(0, 0, false);
	export_add(e, many(100, 1));
	x = export_read(e, 7);
	export_text_free(&x);
	export_add(e, many(200, 1));
	x = export_read(e, 7);
	export_text_free(&x);
	export_add(e, many(210, 2));
	export_add(e, many(329, 2));
	x = export_read(e, 0);
	export_assert(&x, FAULTS_OF("u2.service"), 0);
	export_text_free(&x);
	export_add(e, many(330, 2));
	x = export_read(e, 0);
	export_assert(&x, FAULTS_OF("u2.service"), 6);
	export_text_free(&x);
	vml_export_free(e);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(busiest_first),
		cmocka_unit_test(blocked_first),
		cmocka_unit_test(stays_ten_minutes),
		cmocka_unit_test(dies),
		cmocka_unit_test(churn),
		cmocka_unit_test(limit_always_holds),
		cmocka_unit_test(appears_with_zero),
		cmocka_unit_test(waits_no_longer),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
