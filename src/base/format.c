/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Numbers as people read them.
 *
 *	count	three digits from 1,000 on; below it, what three digits give
 *		without zeros at the end ("7", "12.3", "0.5"); "<0.01"
 *	ns	two digits ("1.2us", "34ms", "350ms"), whole ns below 10,
 *		whole seconds from 100 s on, hours from 10,000 s on; "<1ns"
 *	bytes	one decimal below 10, else none
 *	percent	two decimals; "<0.01%" and ">99.99%" for what would round to
 *		0 % or 100 % without being it; in a sentence whole ones,
 *		"<1 %" and ">99 %"
 *
 * "-" for what is no number.  The decimal point is always '.': nothing but %e
 * is left to the locale, and of that only the digits are read.
 */
#include <inttypes.h>
#include <string.h>
#include <time.h>

#include "vmalock/base.h"

/* @n digits of a number >= 1, correctly rounded: d.dd * 10^exp */
struct decimal {
	char digit[4];
	int n;
	int exp;
};

static struct decimal decimal_of(double v, int n)
{
	struct decimal d = { .n = 0 };
	char e[40];
	char *p;

	snprintf(e, sizeof(e), "%.*e", n - 1, v);
	for (p = e; *p && *p != 'e'; p++) {
		if (*p >= '0' && *p <= '9' && d.n < n)
			d.digit[d.n++] = *p;
	}
	for (; *p; p++) {
		if (*p >= '0' && *p <= '9')
			d.exp = d.exp * 10 + (*p - '0');
	}
	return d;
}

/* The digits with the point after @whole of them; zeros fill up; @trim: without zeros behind the point. */
static void layout(char out[8], const struct decimal *d, int whole, bool trim)
{
	int n = d->n, i, len = 0;

	while (trim && n > whole && d->digit[n - 1] == '0')
		n--;
	for (i = 0; i < whole || i < n; i++) {
		if (i == whole)
			out[len++] = '.';
		out[len++] = i < n ? d->digit[i] : '0';
	}
	out[len] = 0;
}

static bool no_number(double v)
{
	return __builtin_isnan(v) || __builtin_isinf(v);
}

/* Hundredths as "1.20", or "1.2" when @trim. */
static char *put_hundredths(char *buf, size_t n, const char *sign, uint64_t v, bool trim, const char *unit)
{
	if (trim && v % 100 == 0)
		snprintf(buf, n, "%s%" PRIu64 "%s", sign, v / 100, unit);
	else if (trim && v % 10 == 0)
		snprintf(buf, n, "%s%" PRIu64 ".%" PRIu64 "%s", sign, v / 100, v / 10 % 10, unit);
	else
		snprintf(buf, n, "%s%" PRIu64 ".%02" PRIu64 "%s", sign, v / 100, v % 100, unit);
	return buf;
}

static char *put(char *buf, size_t n, const char *text)
{
	snprintf(buf, n, "%s", text);
	return buf;
}

char *vml_fmt_count(char *buf, size_t n, double v)
{
	static const char *const unit[] = { "", "k", "M", "G", "T", "P", "E", "Z", "Y" };
	const char *sign = v < 0 ? "-" : "";
	struct decimal d;
	char text[8];

	if (no_number(v))
		return put(buf, n, "-");
	if (v < 0)
		v = -v;
	if (v < 0.01)
		return put(buf, n, v > 0 ? "<0.01" : "0");
	if (v < 1)
		return put_hundredths(buf, n, sign, (uint64_t)(v * 100 + 0.5), true, "");
	d = decimal_of(v, 3);
	if (d.exp / 3 >= (int)VML_ARRAY_SIZE(unit))
		return put(buf, n, "-");
	layout(text, &d, d.exp % 3 + 1, d.exp < 3);
	snprintf(buf, n, "%s%s%s", sign, text, unit[d.exp / 3]);
	return buf;
}

static char *put_seconds(char *buf, size_t n, const char *sign, double seconds)
{
	double hours = seconds / 3600;
	struct decimal d;
	char text[8];

	if (seconds < 9999.5) {
		snprintf(buf, n, "%s%.0fs", sign, seconds);
		return buf;
	}
	d = decimal_of(hours, 2);
	if (d.exp > 1) {
		snprintf(buf, n, "%s%.0fh", sign, hours);
		return buf;
	}
	layout(text, &d, d.exp + 1, false);
	snprintf(buf, n, "%s%sh", sign, text);
	return buf;
}

char *vml_fmt_ns(char *buf, size_t n, double ns)
{
	static const char *const unit[] = { "ns", "us", "ms", "s" };
	const char *sign = ns < 0 ? "-" : "";
	struct decimal d;
	char text[8];

	if (no_number(ns))
		return put(buf, n, "-");
	if (ns < 0)
		ns = -ns;
	if (ns < 0.5)
		return put(buf, n, ns > 0 ? "<1ns" : "0");
	if (ns < 9.5) {
		snprintf(buf, n, "%s%.0fns", sign, ns);
		return buf;
	}
	d = decimal_of(ns, 2);
	if (d.exp >= 11)
		return put_seconds(buf, n, sign, ns / 1e9);
	layout(text, &d, d.exp % 3 + 1, false);
	snprintf(buf, n, "%s%s%s", sign, text, unit[d.exp / 3]);
	return buf;
}

char *vml_fmt_bytes(char *buf, size_t n, double bytes)
{
	static const char unit[] = "BKMGTPEZY";
	const char *sign = bytes < 0 ? "-" : "";
	unsigned int tenths;
	size_t i = 0;

	if (no_number(bytes))
		return put(buf, n, "-");
	if (bytes < 0)
		bytes = -bytes;
	for (; bytes >= 999.5 && unit[i + 1]; i++)
		bytes /= 1024;
	tenths = bytes < 100 ? (unsigned int)(bytes * 10 + 0.5) : 1000;
	if (i && tenths < 100)
		snprintf(buf, n, "%s%u.%u%c", sign, tenths / 10, tenths % 10, unit[i]);
	else
		snprintf(buf, n, "%s%.0f%c", sign, bytes, unit[i]);
	return buf;
}

char *vml_fmt_percent(char *buf, size_t n, double ratio)
{
	uint64_t hundredths;

	if (no_number(ratio) || ratio < 0 || ratio > 1e12)
		return put(buf, n, "-");
	hundredths = (uint64_t)(ratio * 10000 + 0.5);
	if (!hundredths)
		return put(buf, n, ratio > 0 ? "<0.01%" : "0%");
	if (hundredths == 10000)
		return put(buf, n, ratio < 1 ? ">99.99%" : ratio > 1 ? ">100%" : "100%");
	return put_hundredths(buf, n, "", hundredths, false, "%");
}

char *vml_fmt_spaced(char *buf, size_t n)
{
	size_t sign = strspn(buf, "<>"), number = strspn(buf + sign, "0123456789."), len = strlen(buf);
	char *unit = buf + sign + number;

	if (number && *unit && *unit != ' ' && len + 1 < n) {
		memmove(unit + 1, unit, len - sign - number + 1);
		*unit = ' ';
	}
	return buf;
}

char *vml_fmt_whole_percent(char *buf, size_t n, double ratio)
{
	if (no_number(ratio) || ratio < 0 || ratio > 1e12)
		return put(buf, n, "-");
	if (ratio > 0 && ratio < 0.01)
		return put(buf, n, "<1 %");
	if (ratio >= 0.995 && ratio < 1)
		return put(buf, n, ">99 %");
	snprintf(buf, n, "%.0f %%", 100 * ratio);
	return buf;
}

char *vml_fmt_time(char *buf, size_t n, uint64_t real_ns)
{
	time_t seconds = (time_t)(real_ns / 1000000000U);
	char date[32];
	struct tm tm;

	/* cannot fail: 2^64 ns end in the year 2554 */
	gmtime_r(&seconds, &tm);
	strftime(date, sizeof(date), "%Y-%m-%dT%H:%M:%S", &tm);
	snprintf(buf, n, "%s.%09uZ", date, (unsigned int)(real_ns % 1000000000U));
	return buf;
}

char *vml_fmt_clock(char *buf, size_t n, uint64_t real_ns, bool utc)
{
	time_t seconds = (time_t)(real_ns / 1000000000U);
	char text[40];
	struct tm tm;
	size_t len;

	if (utc)
		gmtime_r(&seconds, &tm);
	else
		localtime_r(&seconds, &tm);
	len = strftime(text, sizeof(text), utc ? "%Y-%m-%dT%H:%M:%SZ" : "%Y-%m-%dT%H:%M:%S%z", &tm);
	/* "+0100" to "+01:00" */
	if (utc || len < 2)
		snprintf(buf, n, "%s", text);
	else
		snprintf(buf, n, "%.*s:%s", (int)(len - 2), text, text + len - 2);
	return buf;
}
