/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Bins of plots over time: what is in them adds up, and gaps stay gaps. */
#include <errno.h>

#include "unit.h"
#include "vmalock/base.h"
#include "vmalock/series.h"

#define BEGIN (1700000000 * UNIT_SECOND)
#define FAULTS VML_METRIC_BIT(VML_FAULTS)

static struct vml_cell cell = { 40, 3 };
static struct vml_loss loss = { "cause", "", 2 };

/* The second that ends @end seconds after the begin, with @end faults. */
static int add(struct vml_series *s, uint64_t end, uint64_t have)
{
	struct vml_snapshot d = {
		.real_ns = BEGIN + end * UNIT_SECOND,
		.boot_ns = (1000 + end) * UNIT_SECOND,
		.interval_ns = UNIT_SECOND,
		.host.boot_id = "boot",
		.have = { [VML_PROCESS] = have },
		.total = { [VML_FAULTS] = end },
		.hist = { { .bucket = { 1, &cell }, .count = 3 } },
		.loss = &loss,
		.nloss = 1,
	};

	return vml_series_add(s, &d);
}

static void bins_have_what_intervals_have(void **state)
{
	struct vml_series s = { .step_ns = vml_series_step(1000, 1000 * UNIT_SECOND) };
	uint64_t faults = 0, waits = 0, lost = 0, ns = 0, end = BEGIN;
	size_t i;

	(void)state;
	assert_int_equal(s.step_ns, 1000 * UNIT_SECOND / VML_SERIES_BINS);
	assert_int_equal(vml_series_step(VML_SERIES_BINS, UNIT_SECOND), 0);
	for (i = 1; i <= 1000; i++)
		assert_int_equal(add(&s, i, FAULTS), 0);
	assert_int_equal(s.n, VML_SERIES_BINS);
	for (i = 0; i < s.n; i++) {
		assert_int_equal(s.bin[i].from_ns, end);
		assert_int_equal(s.bin[i].intervals, 5);
		assert_false(s.bin[i].gap);
		end = s.bin[i].until_ns;
		faults += s.bin[i].total[VML_FAULTS];
		waits += s.bin[i].wait[VML_SERIES_READ_WAIT][40];
		assert_int_equal(s.bin[i].wait[VML_SERIES_WRITE_WAIT][40], 0);
		lost += s.bin[i].lost;
		ns += s.bin[i].interval_ns;
	}
	assert_int_equal(faults, 1000 * 1001 / 2);
	assert_int_equal(waits, 3000);
	assert_int_equal(lost, 2000);
	assert_int_equal(ns, 1000 * UNIT_SECOND);
	assert_int_equal(end, BEGIN + 1000 * UNIT_SECOND);
	vml_series_free(&s);
}

static void gaps_end_bins(void **state)
{
	struct vml_series s = { .step_ns = 10 * UNIT_SECOND };

	(void)state;
	add(&s, 1, FAULTS);
	add(&s, 2, FAULTS);
	/* a gap that is shorter than a bin is inside of it, and is not time observed */
	add(&s, 5, FAULTS);
	assert_int_equal(s.n, 1);
	assert_int_equal(s.bin[0].interval_ns, 3 * UNIT_SECOND);
	add(&s, 30, FAULTS);
	assert_int_equal(s.n, 2);
	assert_true(s.bin[1].gap);
	assert_int_equal(s.bin[1].from_ns, BEGIN + 29 * UNIT_SECOND);
	assert_int_equal(s.bin[0].until_ns, BEGIN + 5 * UNIT_SECOND);
	vml_series_free(&s);
}

static void each_interval_without_a_step(void **state)
{
	struct vml_series s = { 0 };

	(void)state;
	add(&s, 1, FAULTS);
	add(&s, 2, FAULTS);
	add(&s, 4, FAULTS);
	assert_int_equal(s.n, 3);
	assert_false(s.bin[0].gap || s.bin[1].gap);
	assert_true(s.bin[2].gap);
	vml_series_free(&s);
}

static void reboots_and_clocks_are_gaps(void **state)
{
	struct vml_snapshot d = { .real_ns = BEGIN + 3 * UNIT_SECOND,
				  .boot_ns = 1003 * UNIT_SECOND,
				  .interval_ns = UNIT_SECOND,
				  .host.boot_id = "another" };
	struct vml_series s = { .step_ns = 100 * UNIT_SECOND };

	(void)state;
	add(&s, 2, FAULTS);
	assert_int_equal(vml_series_add(&s, &d), 0);
	assert_int_equal(s.n, 2);
	assert_true(s.bin[1].gap);
	/* set back by an hour, in the same boot */
	d.boot_ns += UNIT_SECOND;
	d.real_ns -= 3600 * UNIT_SECOND;
	assert_int_equal(vml_series_add(&s, &d), 0);
	assert_int_equal(s.n, 3);
	assert_true(s.bin[2].gap);
	vml_series_free(&s);
}

static void ends_of_time_are_gaps_or_none(void **state)
{
	struct vml_snapshot d = { .real_ns = UINT64_MAX - UNIT_SECOND,
				  .boot_ns = UINT64_MAX - UNIT_SECOND,
				  .interval_ns = UNIT_SECOND,
				  .host.boot_id = "boot" };
	struct vml_series s = { .step_ns = 3600 * UNIT_SECOND };

	(void)state;
	/* what is allowed behind the first reaches over the end of what can be counted */
	assert_int_equal(vml_series_add(&s, &d), 0);
	d.real_ns = d.boot_ns = UINT64_MAX;
	assert_int_equal(vml_series_add(&s, &d), 0);
	assert_int_equal(s.n, 1);
	/* a clock that was set there, and back */
	d.real_ns = d.boot_ns = UNIT_SECOND;
	assert_int_equal(vml_series_add(&s, &d), 0);
	assert_int_equal(s.n, 2);
	assert_true(s.bin[1].gap);
	assert_int_equal(s.bin[1].from_ns, 0);
	/* longer than there was time */
	d.interval_ns = 2 * UNIT_SECOND;
	assert_int_equal(vml_series_add(&s, &d), -EINVAL);
	assert_int_equal(s.n, 2);
	vml_series_free(&s);
}

static void unknown_in_one_is_unknown(void **state)
{
	struct vml_series s = { .step_ns = 10 * UNIT_SECOND };
	struct vml_snapshot none = { .real_ns = BEGIN, .boot_ns = 5 };

	(void)state;
	add(&s, 1, FAULTS);
	assert_int_equal(s.bin[0].have, FAULTS);
	add(&s, 2, 0);
	assert_int_equal(s.bin[0].have, 0);
	assert_int_equal(vml_series_add(&s, &none), -EINVAL);
	assert_int_equal(s.n, 1);
	vml_series_free(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bins_have_what_intervals_have), cmocka_unit_test(gaps_end_bins),
		cmocka_unit_test(each_interval_without_a_step),	 cmocka_unit_test(reboots_and_clocks_are_gaps),
		cmocka_unit_test(ends_of_time_are_gaps_or_none), cmocka_unit_test(unknown_in_one_is_unknown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
