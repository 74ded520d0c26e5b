/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "vmalock/base.h"

#define SECOND 1000000000ULL
#define DAY 86400

static int wrong(char *error, int err, const char *what, const char *s)
{
	snprintf(error, VML_WHEN_ERROR, "%s: '%.60s'", what, s);
	return err;
}

static int no_time(const char *s, char *error)
{
	return wrong(error, -EINVAL,
		     "a time as 2026-03-01T02:00:00Z, 02:00, -10m or @1772330400, in which nothing else stands", s);
}

/* Exactly @n digits, or -1. */
static int digits(const char **s, int n)
{
	int v = 0;

	while (n--) {
		if (**s < '0' || **s > '9')
			return -1;
		v = 10 * v + *(*s)++ - '0';
	}
	return v;
}

static bool take(const char **s, char c)
{
	if (**s != c)
		return false;
	(*s)++;
	return true;
}

/* ".123": of a second, if there is one; false: a point without digits. */
static bool fraction(const char **s, uint64_t *ret_ns)
{
	uint64_t unit = SECOND / 10;

	*ret_ns = 0;
	if (!take(s, '.'))
		return true;
	if (**s < '0' || **s > '9')
		return false;
	for (; **s >= '0' && **s <= '9'; (*s)++, unit /= 10)
		*ret_ns += (uint64_t)(**s - '0') * unit;
	return true;
}

/* ---- "-10m", "@1772330400" */

static int ago(const char *s, uint64_t now_ns, uint64_t *ret_ns, char *error)
{
	static const struct {
		char name;
		uint64_t seconds;
	} units[] = { { 's', 1 }, { 'm', 60 }, { 'h', 3600 }, { 'd', DAY } };
	const char *at = s + 1;
	uint64_t v = 0, ns;
	size_t i;

	if (*at < '0' || *at > '9')
		return no_time(s, error);
	for (; *at >= '0' && *at <= '9' && v < 1000000000; at++)
		v = 10 * v + (uint64_t)(*at - '0');
	for (i = 0; i < VML_ARRAY_SIZE(units); i++) {
		if (*at != units[i].name || at[1])
			continue;
		ns = v * units[i].seconds * SECOND;
		if (v >= 1000000000 || v > now_ns / SECOND / units[i].seconds || ns > now_ns)
			return wrong(error, -ERANGE, "before 1970", s);
		*ret_ns = now_ns - ns;
		return 0;
	}
	return no_time(s, error);
}

static int unix_time(const char *s, uint64_t *ret_ns, char *error)
{
	const char *at = s + 1;
	uint64_t v = 0, ns;

	if (*at < '0' || *at > '9')
		return no_time(s, error);
	for (; *at >= '0' && *at <= '9' && v < 100000000000; at++)
		v = 10 * v + (uint64_t)(*at - '0');
	if (!fraction(&at, &ns) || *at)
		return no_time(s, error);
	if (v > INT64_MAX / SECOND - 1)
		return wrong(error, -ERANGE, "a time after 2262", s);
	*ret_ns = v * SECOND + ns;
	return 0;
}

/* ---- RFC 3339 */

static bool is_day(const struct tm *tm)
{
	static const int days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
	int year = tm->tm_year + 1900, leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;

	return tm->tm_mon >= 0 && tm->tm_mon < 12 && tm->tm_mday >= 1 &&
	       tm->tm_mday <= days[tm->tm_mon] + (tm->tm_mon == 1 && leap);
}

static bool is_clock(const struct tm *tm)
{
	return tm->tm_hour >= 0 && tm->tm_hour < 24 && tm->tm_min >= 0 && tm->tm_min < 60 && tm->tm_sec >= 0 &&
	       tm->tm_sec < 60;
}

/* "Z", "+01:00" */
static bool offset(const char **s, long *ret_seconds)
{
	bool minus = **s == '-';
	int h, m;

	*ret_seconds = 0;
	if (take(s, 'Z') || take(s, 'z'))
		return true;
	if (!take(s, '+') && !take(s, '-'))
		return false;
	h = digits(s, 2);
	if (h < 0 || h > 23 || !take(s, ':'))
		return false;
	m = digits(s, 2);
	if (m < 0 || m > 59)
		return false;
	*ret_seconds = (minus ? -1 : 1) * (h * 3600L + m * 60L);
	return true;
}

static int rfc3339(const char *s, uint64_t *ret_ns, char *error)
{
	struct tm tm = { 0 };
	const char *at = s;
	long east;
	uint64_t ns;
	time_t t;

	tm.tm_year = digits(&at, 4) - 1900;
	if (!take(&at, '-'))
		return no_time(s, error);
	tm.tm_mon = digits(&at, 2) - 1;
	if (!take(&at, '-'))
		return no_time(s, error);
	tm.tm_mday = digits(&at, 2);
	if (!take(&at, 'T') && !take(&at, 't') && !take(&at, ' '))
		return no_time(s, error);
	tm.tm_hour = digits(&at, 2);
	if (!take(&at, ':'))
		return no_time(s, error);
	tm.tm_min = digits(&at, 2);
	if (!take(&at, ':'))
		return no_time(s, error);
	tm.tm_sec = digits(&at, 2);
	if (!is_day(&tm) || !is_clock(&tm) || !fraction(&at, &ns))
		return no_time(s, error);
	if (!*at)
		return wrong(error, -EINVAL, "the offset from UTC is missing (Z, or +01:00)", s);
	if (!offset(&at, &east) || *at)
		return no_time(s, error);
	t = timegm(&tm) - east;
	if (t < 0 || (uint64_t)t > INT64_MAX / SECOND - 1)
		return wrong(error, -ERANGE, "a time before 1970 or after 2262", s);
	*ret_ns = (uint64_t)t * SECOND + ns;
	return 0;
}

/* ---- "02:00", local */

/* The times that a clock on the wall shows @wall at: none, one or two, in order. */
static int times_of(const struct tm *wall, time_t ret[2])
{
	struct tm copy = *wall, back;
	time_t as_utc = timegm(&copy), t;
	long seen[2];
	int i, n = 0;

	/* the offsets a day before and behind: a change lies between them, if there is one */
	for (i = 0; i < 2; i++) {
		t = as_utc + (i ? DAY : -DAY);
		if (!localtime_r(&t, &back))
			return 0;
		seen[i] = back.tm_gmtoff;
	}
	for (i = 0; i < 2; i++) {
		if (i && seen[1] == seen[0])
			break;
		t = as_utc - seen[i];
		if (!localtime_r(&t, &back) || back.tm_hour != wall->tm_hour || back.tm_min != wall->tm_min ||
		    back.tm_sec != wall->tm_sec || back.tm_mday != wall->tm_mday)
			continue;
		ret[n++] = t;
	}
	if (n == 2 && ret[1] < ret[0]) {
		t = ret[0];
		ret[0] = ret[1];
		ret[1] = t;
	}
	return n;
}

static int twice(const char *s, const time_t t[2], char *error)
{
	char first[40], second[40];

	vml_fmt_clock(first, sizeof(first), (uint64_t)t[0] * SECOND, false);
	vml_fmt_clock(second, sizeof(second), (uint64_t)t[1] * SECOND, false);
	snprintf(error, VML_WHEN_ERROR, "%.20s was twice, as the clocks were set back: say %s or %s", s, first, second);
	return -EINVAL;
}

static int today(const char *s, uint64_t now_ns, const struct tm *clock, uint64_t *ret_ns, char *error)
{
	time_t now = (time_t)(now_ns / SECOND), t[2] = { 0 };
	struct tm day, wall;
	int back, n;

	for (back = 0; back < 3; back++) {
		time_t then = now - back * (time_t)DAY;

		if (!localtime_r(&then, &day))
			return no_time(s, error);
		wall = (struct tm){ .tm_year = day.tm_year,
				    .tm_mon = day.tm_mon,
				    .tm_mday = day.tm_mday,
				    .tm_hour = clock->tm_hour,
				    .tm_min = clock->tm_min,
				    .tm_sec = clock->tm_sec };
		n = times_of(&wall, t);
		while (n && t[n - 1] > now) /* not yet */
			n--;
		if (n == 2)
			return twice(s, t, error);
		if (n == 1) {
			*ret_ns = (uint64_t)t[0] * SECOND;
			return 0;
		}
	}
	return no_time(s, error);
}

static int local(const char *s, uint64_t now_ns, uint64_t *ret_ns, char *error)
{
	struct tm clock = { 0 };
	const char *at = s;

	clock.tm_hour = digits(&at, 2);
	if (!take(&at, ':'))
		return no_time(s, error);
	clock.tm_min = digits(&at, 2);
	if (take(&at, ':'))
		clock.tm_sec = digits(&at, 2);
	if (*at || !is_clock(&clock))
		return no_time(s, error);
	return today(s, now_ns, &clock, ret_ns, error);
}

int vml_parse_when(const char *s, uint64_t now_ns, uint64_t *ret_ns, char error[VML_WHEN_ERROR])
{
	if (*s == '-')
		return ago(s, now_ns, ret_ns, error);
	if (*s == '@')
		return unix_time(s, ret_ns, error);
	return strlen(s) > 8 ? rfc3339(s, ret_ns, error) : local(s, now_ns, ret_ns, error);
}
