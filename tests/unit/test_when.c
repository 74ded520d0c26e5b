/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Times of --since and --until. */
#include <errno.h>
#include <time.h>

#include "unit.h"

#define CET "CET-1CEST,M3.5.0,M10.5.0/3"

static void set_zone(const char *tz)
{
	setenv("TZ", tz, 1);
	tzset();
}

/* What @s is at @now, both in seconds. */
static int64_t at(const char *s, int64_t now)
{
	char error[VML_WHEN_ERROR] = "";
	uint64_t ns = 0;
	int err = vml_parse_when(s, (uint64_t)now * UNIT_SECOND, &ns, error);

	if (err)
		fail_msg("'%s': %d %s", s, err, error);
	assert_int_equal(ns % UNIT_SECOND, 0);
	return (int64_t)(ns / UNIT_SECOND);
}

static const char *refused(const char *s, int64_t now, int want)
{
	static char error[VML_WHEN_ERROR];
	uint64_t ns = 77;
	int err;

	error[0] = '\0';
	err = vml_parse_when(s, (uint64_t)now * UNIT_SECOND, &ns, error);
	if (err != want || ns != 77 || !*error || strchr(error, '\n'))
		fail_msg("'%s': %d %s", s, err, error);
	return error;
}

#define NOON 1772366400 /* 2026-03-01T12:00:00Z, a Sunday */

static void times_that_say_everything(void **state)
{
	uint64_t ns;
	char error[VML_WHEN_ERROR];

	(void)state;
	set_zone(CET);
	assert_int_equal(at("2026-03-01T12:00:00Z", 0), NOON);
	assert_int_equal(at("2026-03-01t12:00:00z", 0), NOON);
	assert_int_equal(at("2026-03-01 13:00:00+01:00", 0), NOON);
	assert_int_equal(at("2026-03-01T06:30:00-05:30", 0), NOON);
	assert_int_equal(at("1970-01-01T00:00:00Z", 0), 0);
	assert_int_equal(at("2024-02-29T00:00:00Z", 0), 1709164800);
	assert_int_equal(at("@1772366400", 0), NOON);
	assert_int_equal(vml_parse_when("2026-03-01T12:00:00.25Z", 0, &ns, error), 0);
	assert_int_equal(ns, NOON * UNIT_SECOND + UNIT_SECOND / 4);
	assert_int_equal(vml_parse_when("2026-03-01T12:00:00.1234567899Z", 0, &ns, error), 0);
	assert_int_equal(ns, NOON * UNIT_SECOND + 123456789);
	assert_int_equal(vml_parse_when("@1.5", 0, &ns, error), 0);
	assert_int_equal(ns, 1500000000);
}

static void times_ago(void **state)
{
	(void)state;
	assert_int_equal(at("-0s", NOON), NOON);
	assert_int_equal(at("-90s", NOON), NOON - 90);
	assert_int_equal(at("-10m", NOON), NOON - 600);
	assert_int_equal(at("-2h", NOON), NOON - 7200);
	assert_int_equal(at("-30d", NOON), NOON - 30 * 86400);
	refused("-9999999999d", NOON, -ERANGE);
	refused("-30000d", NOON, -ERANGE);
}

static void local_times_are_the_latest_past(void **state)
{
	(void)state;
	set_zone(CET); /* noon UTC is 13:00 */
	assert_int_equal(at("13:00", NOON), NOON);
	assert_int_equal(at("12:59", NOON), NOON - 60);
	assert_int_equal(at("12:59:30", NOON), NOON - 30);
	assert_int_equal(at("13:01", NOON), NOON + 60 - 86400); /* yesterday */
	assert_int_equal(at("00:00", NOON), NOON - 13 * 3600);
	set_zone("UTC0");
	assert_int_equal(at("12:00", NOON), NOON);
	set_zone("NPT-5:45");
	assert_int_equal(at("17:45", NOON), NOON);
}

/* 2026-10-25T03:00 CEST becomes 02:00 CET at 01:00 UTC. */
#define BACK 1792890000

static void an_hour_that_was_twice(void **state)
{
	const char *error;

	(void)state;
	set_zone(CET);
	error = refused("02:30", BACK + 7200, -EINVAL);
	assert_non_null(strstr(error, "2026-10-25T02:30:00+02:00"));
	assert_non_null(strstr(error, "2026-10-25T02:30:00+01:00"));
	assert_int_equal(at("2026-10-25T02:30:00+02:00", 0), BACK - 1800);
	assert_int_equal(at("2026-10-25T02:30:00+01:00", 0), BACK + 1800);
	/* before it is there for the second time, it was once */
	assert_int_equal(at("02:30", BACK + 1799), BACK - 1800);
	refused("02:30", BACK + 1800, -EINVAL);
	/* the edges are not twice */
	assert_int_equal(at("01:59:59", BACK + 7200), BACK - 3601);
	assert_int_equal(at("03:00", BACK + 7200), BACK + 3600);
	refused("02:00", BACK + 7200, -EINVAL);
	refused("02:59:59", BACK + 7200, -EINVAL);
	/* the day behind it, again once */
	assert_int_equal(at("02:30", BACK + 100000), BACK + 1800 + 86400);
}

/* 2026-03-29T02:00 CET becomes 03:00 CEST at 01:00 UTC. */
#define FORWARD 1774746000

static void an_hour_that_was_not(void **state)
{
	(void)state;
	set_zone(CET);
	assert_int_equal(at("03:00", FORWARD + 7200), FORWARD);
	assert_int_equal(at("01:59", FORWARD + 7200), FORWARD - 60);
	/* of the day before */
	assert_int_equal(at("02:30", FORWARD + 7200), FORWARD + 1800 - 86400);
}

static void other_texts_are_no_times(void **state)
{
	static const char *const texts[] = { "",
					     "-",
					     "@",
					     "-10",
					     "-10x",
					     "-10mm",
					     "- 10m",
					     "--10m",
					     "@-5",
					     "@1.",
					     "@12x",
					     "now",
					     "2:00",
					     "24:00",
					     "02:60",
					     "02:00:60",
					     "02:00x",
					     "02.00",
					     "2026-03-01",
					     "2026-03-01T12:00Z",
					     "2026-02-29T12:00:00Z",
					     "2026-13-01T12:00:00Z",
					     "2026-03-01T12:00:00+1:00",
					     "2026-03-01T12:00:00+24:00",
					     "2026-03-01T12:00:00.Z",
					     "2026-03-01T12:00:00Zx",
					     "02:00\n",
					     "\x1b[2J" };
	size_t i;

	(void)state;
	for (i = 0; i < VML_ARRAY_SIZE(texts); i++) {
		char error[VML_WHEN_ERROR];
		uint64_t ns;

		if (vml_parse_when(texts[i], NOON * UNIT_SECOND, &ns, error) != -EINVAL)
			fail_msg("'%s' is a time", texts[i]);
	}
	assert_non_null(strstr(refused("2026-03-01T12:00:00", NOON, -EINVAL), "offset"));
	refused("1969-12-31T23:59:59Z", NOON, -ERANGE);
	refused("@99999999999", NOON, -ERANGE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(times_that_say_everything),
		cmocka_unit_test(times_ago),
		cmocka_unit_test(local_times_are_the_latest_past),
		cmocka_unit_test(an_hour_that_was_twice),
		cmocka_unit_test(an_hour_that_was_not),
		cmocka_unit_test(other_texts_are_no_times),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
