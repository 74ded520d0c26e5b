/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include <errno.h>

#include "unit.h"

static void u32(void **state)
{
	static const char *const bad[] = { "",	" 1", "1 ", "+1",  "-1",  "0x10", "1.0", "1e3",
					   "a", "1a", "١",  "1,2", "\n1", "1\n",  "NaN" };
	static const char *const over[] = { "4294967296", "18446744073709551615", "18446744073709551616",
					    "99999999999999999999999999999999999999" };
	uint32_t v = 7;
	size_t i;

	(void)state;
	for (i = 0; i < VML_ARRAY_SIZE(bad); i++)
		assert_int_equal(vml_parse_u32(bad[i], 0, UINT32_MAX, &v), -EINVAL);
	for (i = 0; i < VML_ARRAY_SIZE(over); i++)
		assert_int_equal(vml_parse_u32(over[i], 0, UINT32_MAX, &v), -ERANGE);
	assert_int_equal(vml_parse_u32("4", 5, 10, &v), -ERANGE);
	assert_int_equal(vml_parse_u32("11", 5, 10, &v), -ERANGE);
	assert_int_equal(v, 7);
	assert_int_equal(vml_parse_u32("5", 5, 10, &v), 0);
	assert_int_equal(v, 5);
	assert_int_equal(vml_parse_u32("0010", 5, 10, &v), 0);
	assert_int_equal(v, 10);
	assert_int_equal(vml_parse_u32("4294967295", 0, UINT32_MAX, &v), 0);
	assert_int_equal(v, UINT32_MAX);
}

static void u64(void **state)
{
	static const char *const over[] = { "18446744073709551615", "18446744073709551616", "18446744073709551620",
					    "184467440737095516150", "99999999999999999999999999999999999999" };
	uint64_t v = 7;
	size_t i;

	(void)state;
	for (i = 0; i < VML_ARRAY_SIZE(over); i++)
		assert_int_equal(vml_parse_u64(over[i], &v), -ERANGE);
	assert_int_equal(vml_parse_u64("-1", &v), -EINVAL);
	assert_int_equal(vml_parse_u64("1x", &v), -EINVAL);
	assert_int_equal(v, 7);
	assert_int_equal(vml_parse_u64("0", &v), 0);
	assert_int_equal(v, 0);
	assert_int_equal(vml_parse_u64("18446744073709551614", &v), 0);
	assert_true(v == UINT64_MAX - 1);
}

static void durations(void **state)
{
	static const struct {
		const char *s;
		uint64_t ns;
	} good[] = {
		{ "1ns", 1 },
		{ "500us", 500000 },
		{ "1ms", 1000000 },
		{ "2.5s", 2500000000 },
		{ ".25ms", 250000 },
		{ "1.5ns", 1 },
		{ "86400s", 86400000000000 },
		{ "0.001us", 1 },
		{ "3.s", 3000000000 },
		{ "86400000ms", 86400000000000 },
	};
	static const char *const bad[] = { "",	   "1",	   "ms",  ".ms",   "1 ms", "1m",
					   "-1ms", "1ms ", "1MS", "1,5ms", "0x1s", "off" };
	static const char *const out[] = { "0ns", "0s", "0.5ns", "86401s", "99999999999999999999999s", "86400.1s" };
	uint64_t v = 7;
	size_t i;

	(void)state;
	for (i = 0; i < VML_ARRAY_SIZE(bad); i++)
		assert_int_equal(vml_parse_duration(bad[i], &v), -EINVAL);
	for (i = 0; i < VML_ARRAY_SIZE(out); i++)
		assert_int_equal(vml_parse_duration(out[i], &v), -ERANGE);
	assert_int_equal(v, 7);
	for (i = 0; i < VML_ARRAY_SIZE(good); i++) {
		assert_int_equal(vml_parse_duration(good[i].s, &v), 0);
		assert_int_equal(v, good[i].ns);
	}
}

static void seconds(void **state)
{
	static const struct {
		const char *s;
		uint64_t ns;
	} good[] = {
		{ "1", 1000000000 },
		{ "0.5", 500000000 },
		{ ".5", 500000000 },
		{ "2.", 2000000000 },
		{ "0.001", 1000000 },
		{ "0.1", 100000000 },
		{ "1.000000001", 1000000001 },
		{ "1.0000000019", 1000000001 },
		{ "1.00000000000000000000000001", 1000000000 },
		{ "86400", 86400000000000 },
		{ "0086400.0", 86400000000000 },
	};
	static const char *const bad[] = { "",	  ".",	 "-1",	"+1",  " 1",   "1 ",   "1s", "1e3",
					   "0x1", "inf", "nan", "1,5", "1.5.", "1..5", "a",  "1.-5" };
	static const char *const over[] = {
		"0", "0.0009999", "86400.000000001", "86401", "18446744073709551616", "99999999999999999999999"
	};
	uint64_t ns = 7;
	size_t i;

	(void)state;
	for (i = 0; i < VML_ARRAY_SIZE(bad); i++)
		assert_int_equal(vml_parse_seconds(bad[i], &ns), -EINVAL);
	for (i = 0; i < VML_ARRAY_SIZE(over); i++)
		assert_int_equal(vml_parse_seconds(over[i], &ns), -ERANGE);
	assert_int_equal(ns, 7);
	for (i = 0; i < VML_ARRAY_SIZE(good); i++) {
		assert_int_equal(vml_parse_seconds(good[i].s, &ns), 0);
		assert_int_equal(ns, good[i].ns);
	}
}

static void bytes(void **state)
{
	static const struct {
		const char *s;
		uint64_t bytes;
	} good[] = {
		{ "4096", 4096 }, { "8K", 8192 }, { "64M", 67108864 }, { "2G", 2147483648 }, { "1T", 1099511627776 },
	};
	static const char *const bad[] = { "", "M", "1m", "1MB", "1 M", "-1M", "0x1M", "1.5M", "1KM", " 1M" };
	static const char *const out[] = { "4095", "3K", "0", "1025G", "16777216T", "99999999999999999999T" };
	uint64_t v = 7;
	size_t i;

	(void)state;
	for (i = 0; i < VML_ARRAY_SIZE(bad); i++)
		assert_int_equal(vml_parse_bytes(bad[i], 4096, 1ULL << 40, &v), -EINVAL);
	for (i = 0; i < VML_ARRAY_SIZE(out); i++)
		assert_int_equal(vml_parse_bytes(out[i], 4096, 1ULL << 40, &v), -ERANGE);
	assert_int_equal(v, 7);
	for (i = 0; i < VML_ARRAY_SIZE(good); i++) {
		assert_int_equal(vml_parse_bytes(good[i].s, 4096, 1ULL << 40, &v), 0);
		assert_int_equal(v, good[i].bytes);
	}
}

static void percent(void **state)
{
	static const struct {
		const char *s;
		double percent;
	} good[] = { { "1%", 1 }, { "0.5%", 0.5 }, { "2", 2 }, { "0.25", 0.25 }, { "0.01%", 0.01 }, { "100%", 100 } };
	static const char *const bad[] = { "", "%", ".5%", "1 %", "-1%", "1%%", "0,5%", "1e0%", "nan%", "off", " 1%" };
	static const char *const out[] = { "0%", "0.009%", "100.1%", "101%", "99999999999999999999%" };
	double v = 7;
	size_t i;

	(void)state;
	for (i = 0; i < VML_ARRAY_SIZE(bad); i++)
		assert_int_equal(vml_parse_percent(bad[i], 0.01, 100, &v), -EINVAL);
	for (i = 0; i < VML_ARRAY_SIZE(out); i++)
		assert_int_equal(vml_parse_percent(out[i], 0.01, 100, &v), -ERANGE);
	assert_true(v == 7);
	for (i = 0; i < VML_ARRAY_SIZE(good); i++) {
		assert_int_equal(vml_parse_percent(good[i].s, 0.01, 100, &v), 0);
		assert_true(v == good[i].percent);
	}
}

static void pids(void **state)
{
	static const char *const bad[] = { "", ",", "1,", ",1", "1,,2", "1, 2", "1;2", "a", "1,-2", "1 " };
	static const char *const over[] = { "0", "1,0", "4194305", "1,99999999999999999999" };
	uint32_t *list = NULL;
	size_t n = 9, i;

	(void)state;
	for (i = 0; i < VML_ARRAY_SIZE(bad); i++)
		assert_int_equal(vml_parse_pids(bad[i], &list, &n), -EINVAL);
	for (i = 0; i < VML_ARRAY_SIZE(over); i++)
		assert_int_equal(vml_parse_pids(over[i], &list, &n), -ERANGE);
	assert_null(list);
	assert_int_equal(n, 9);
	assert_int_equal(vml_parse_pids("42", &list, &n), 0);
	assert_int_equal(n, 1);
	assert_int_equal(list[0], 42);
	free(list);
	assert_int_equal(vml_parse_pids("12,34,4194304", &list, &n), 0);
	assert_int_equal(n, 3);
	assert_int_equal(list[0], 12);
	assert_int_equal(list[1], 34);
	assert_int_equal(list[2], 4194304);
	free(list);
}

/* Clocks: only what no machine can break. */
static void clocks(void **state)
{
	uint64_t mono = vml_now_mono(), boot = vml_now_boot(), real = vml_now_real();

	(void)state;
	assert_true(mono > 0);
	assert_true(boot > 0);
	assert_true(real > 1600000000ULL * UNIT_SECOND);
	assert_true(vml_now_mono() >= mono);
	assert_true(vml_now_boot() >= boot);
	/* missed beats are left out, and the beat is kept */
	assert_int_equal(vml_next_beat(mono + UNIT_SECOND, UNIT_SECOND), mono + 2 * UNIT_SECOND);
	assert_true(vml_next_beat(mono % 1000, 1000) > mono);
	assert_int_equal(vml_next_beat(mono % 1000, 1000) % 1000, mono % 1000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(u32),	   cmocka_unit_test(seconds), cmocka_unit_test(durations),
		cmocka_unit_test(pids),	   cmocka_unit_test(clocks),  cmocka_unit_test(bytes),
		cmocka_unit_test(percent), cmocka_unit_test(u64),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
