/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include <math.h>
#include <time.h>

#include "unit.h"

typedef char *format_fn(char *buf, size_t n, double v);

static void assert_format(format_fn *format, double v, const char *expected)
{
	char buf[32];

	assert_ptr_equal(format(buf, sizeof(buf), v), buf);
	assert_string_equal(buf, expected);
}

static void count(void **state)
{
	static const struct {
		double v;
		const char *expected;
	} t[] = {
		{ 0, "0" },
		{ 1, "1" },
		{ 42, "42" },
		{ 999, "999" },
		{ 999.4, "999" },
		{ 999.6, "1.00k" },
		{ 1000, "1.00k" },
		{ 1005, "1.00k" },
		{ 1234, "1.23k" },
		{ 9994, "9.99k" },
		{ 9996, "10.0k" },
		{ 12345, "12.3k" },
		{ 999499, "999k" },
		{ 999500, "1.00M" },
		{ 4560000, "4.56M" },
		{ 1e9, "1.00G" },
		{ 2.5e12, "2.50T" },
		{ 18446744073709551615.0, "18.4E" },
		{ 1e30, "-" },
		/* rates */
		{ 12.34, "12.3" },
		{ 123.4, "123" },
		{ 1.5, "1.5" },
		{ 1.004, "1" },
		{ 0.999, "1" },
		{ 0.5, "0.5" },
		{ 0.25, "0.25" },
		{ 0.0123, "0.01" },
		{ 0.00999, "<0.01" },
		{ 1e-300, "<0.01" },
		{ -12345, "-12.3k" },
		{ -0.5, "-0.5" },
		{ NAN, "-" },
		{ INFINITY, "-" },
	};
	size_t i;

	(void)state;
	for (i = 0; i < VML_ARRAY_SIZE(t); i++)
		assert_format(vml_fmt_count, t[i].v, t[i].expected);
}

static void ns(void **state)
{
	static const struct {
		double v;
		const char *expected;
	} t[] = {
		{ 0, "0" },
		{ 0.3, "<1ns" },
		{ 1, "1ns" },
		{ 9.4, "9ns" },
		{ 9.6, "9.6ns" },
		{ 63, "63ns" },
		{ 59.6, "60ns" },
		{ 340, "340ns" },
		{ 346, "350ns" },
		{ 999, "1.0us" },
		{ 1234, "1.2us" },
		{ 12345, "12us" },
		{ 34e6, "34ms" },
		{ 346e6, "350ms" },
		{ 996e6, "1.0s" },
		{ 5.6e9, "5.6s" },
		{ 64e9, "64s" },
		{ 99.4e9, "99s" },
		{ 99.6e9, "100s" },
		{ 128e9, "128s" },
		{ 1234.6e9, "1235s" },
		{ 9999.4e9, "9999s" },
		{ 9999.6e9, "2.8h" },
		{ 36000e9, "10h" },
		{ 5e15, "1389h" },
		{ -1234, "-1.2us" },
		{ NAN, "-" },
		{ INFINITY, "-" },
	};
	size_t i;

	(void)state;
	for (i = 0; i < VML_ARRAY_SIZE(t); i++)
		assert_format(vml_fmt_ns, t[i].v, t[i].expected);
}

static void bytes(void **state)
{
	(void)state;
	assert_format(vml_fmt_bytes, 0, "0B");
	assert_format(vml_fmt_bytes, 512, "512B");
	assert_format(vml_fmt_bytes, 999, "999B");
	assert_format(vml_fmt_bytes, 1000, "1.0K");
	assert_format(vml_fmt_bytes, 1024, "1.0K");
	assert_format(vml_fmt_bytes, 1536, "1.5K");
	assert_format(vml_fmt_bytes, 4096, "4.0K");
	assert_format(vml_fmt_bytes, 10189, "10K"); /* 9.95 */
	assert_format(vml_fmt_bytes, 132 << 10, "132K");
	assert_format(vml_fmt_bytes, 36 << 20, "36M");
	assert_format(vml_fmt_bytes, 1023 << 10, "1.0M");
	assert_format(vml_fmt_bytes, 0x1p47, "128T");
	assert_format(vml_fmt_bytes, 0x1p64, "16E");
	assert_format(vml_fmt_bytes, -1536, "-1.5K");
	assert_format(vml_fmt_bytes, NAN, "-");
}

static void spaced(void **state)
{
	static const char *const is[][2] = {
		{ "99.97%", "99.97 %" },
		{ ">99.99%", ">99.99 %" },
		{ "<0.01%", "<0.01 %" },
		{ "1.2us", "1.2 us" },
		{ "42 %", "42 %" },
		{ "7", "7" },
		{ "-", "-" },
	};
	char buf[16] = "99.97%";

	(void)state;
	assert_string_equal(vml_fmt_spaced(buf, 7), "99.97%"); /* no room */
	for (size_t i = 0; i < VML_ARRAY_SIZE(is); i++) {
		strcpy(buf, is[i][0]);
		assert_string_equal(vml_fmt_spaced(buf, sizeof(buf)), is[i][1]);
	}
}

static void percent(void **state)
{
	(void)state;
	assert_format(vml_fmt_percent, 0, "0%");
	assert_format(vml_fmt_percent, 1, "100%");
	assert_format(vml_fmt_percent, 0.9997, "99.97%");
	assert_format(vml_fmt_percent, 0.9999, "99.99%");
	assert_format(vml_fmt_percent, 0.99999, ">99.99%");
	assert_format(vml_fmt_percent, 1 - 1e-12, ">99.99%");
	assert_format(vml_fmt_percent, 0.5, "50.00%");
	assert_format(vml_fmt_percent, 0.0001, "0.01%");
	assert_format(vml_fmt_percent, 0.00004, "<0.01%");
	assert_format(vml_fmt_whole_percent, 0, "0 %");
	assert_format(vml_fmt_whole_percent, 0.004, "<1 %");
	assert_format(vml_fmt_whole_percent, 0.01, "1 %");
	assert_format(vml_fmt_whole_percent, 0.424, "42 %");
	assert_format(vml_fmt_whole_percent, 0.994, "99 %");
	assert_format(vml_fmt_whole_percent, 0.99996, ">99 %");
	assert_format(vml_fmt_whole_percent, 1, "100 %");
	assert_format(vml_fmt_whole_percent, 1.5, "150 %");
	assert_format(vml_fmt_whole_percent, NAN, "-");
	assert_format(vml_fmt_percent, 1e-300, "<0.01%");
	assert_format(vml_fmt_percent, 1.25, "125.00%");
	assert_format(vml_fmt_percent, 1.000001, ">100%");
	assert_format(vml_fmt_percent, -0.1, "-");
	assert_format(vml_fmt_percent, NAN, "-");
}

/* Columns are as wide as these; what is wider would be cut. */
static void texts_fit_their_columns(void **state)
{
	uint64_t seed = 3;
	char buf[32];
	double v;
	int i;

	(void)state;
	for (i = 0; i < 300000; i++) {
		v = exp2(unit_uniform(&seed) * 64);
		assert_true(strlen(vml_fmt_count(buf, sizeof(buf), v)) <= 5);
		assert_true(strlen(vml_fmt_bytes(buf, sizeof(buf), v)) <= 4);
		/* up to a hundred threads that wait for a year */
		assert_true(strlen(vml_fmt_ns(buf, sizeof(buf), exp2(unit_uniform(&seed) * 61))) <= 7);
		assert_true(strlen(vml_fmt_percent(buf, sizeof(buf), unit_uniform(&seed))) <= 7);
	}
}

/* The text read back is what was given, within half a unit of its last digit. */
static void texts_are_near_the_value(void **state)
{
	static const char unit[] = "kMGTPE";
	uint64_t seed = 5;
	char buf[32], *end;
	double v, read;
	int i;

	(void)state;
	for (i = 0; i < 300000; i++) {
		v = exp2(unit_uniform(&seed) * 63.9);
		vml_fmt_count(buf, sizeof(buf), v);
		read = strtod(buf, &end);
		if (*end)
			read *= pow(1000, (double)(strchr(unit, *end) - unit + 1));
		if (!unit_near(read, v, 0.00501))
			fail_msg("%s for %.17g", buf, v);
	}
}

static void small_buffers_are_respected(void **state)
{
	char buf[8] = "#######";

	(void)state;
	vml_fmt_count(buf, 3, 12345);
	assert_string_equal(buf, "12");
	vml_fmt_percent(buf, 1, 0.5);
	assert_string_equal(buf, "");
	assert_int_equal(buf[3], '#');
}

static void time_is_rfc3339(void **state)
{
	char buf[40];

	(void)state;
	assert_string_equal(vml_fmt_time(buf, sizeof(buf), 0), "1970-01-01T00:00:00.000000000Z");
	assert_string_equal(vml_fmt_time(buf, sizeof(buf), 1795234402048123457ULL), "2026-11-21T04:13:22.048123457Z");
	assert_string_equal(vml_fmt_time(buf, sizeof(buf), UINT64_MAX), "2554-07-21T23:34:33.709551615Z");
}

static void local_times(void **state)
{
	char buf[64];

	(void)state;
	setenv("TZ", "CET-1CEST,M3.5.0,M10.5.0/3", 1);
	tzset();
	assert_string_equal(vml_fmt_clock(buf, sizeof(buf), 1772366400ULL * 1000000000, false),
			    "2026-03-01T13:00:00+01:00");
	assert_string_equal(vml_fmt_clock(buf, sizeof(buf), 1782907200999999999ULL, false),
			    "2026-07-01T14:00:00+02:00");
	assert_string_equal(vml_fmt_clock(buf, sizeof(buf), 1782907200999999999ULL, true), "2026-07-01T12:00:00Z");
	setenv("TZ", "XXX5:30", 1);
	tzset();
	assert_string_equal(vml_fmt_clock(buf, sizeof(buf), 0, false), "1969-12-31T18:30:00-05:30");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(count),
		cmocka_unit_test(ns),
		cmocka_unit_test(bytes),
		cmocka_unit_test(percent),
		cmocka_unit_test(spaced),
		cmocka_unit_test(texts_fit_their_columns),
		cmocka_unit_test(texts_are_near_the_value),
		cmocka_unit_test(small_buffers_are_respected),
		cmocka_unit_test(time_is_rfc3339),
		cmocka_unit_test(local_times),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
