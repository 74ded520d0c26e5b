/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Own loops instead of strtoul() and strtod(): those take signs, blanks, hex,
 * "inf" and the decimal point of the locale.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "vmalock/base.h"

#define SECOND 1000000000ULL
#define INTERVAL_MIN (SECOND / 1000)
#define INTERVAL_MAX (86400 * SECOND)
#define PID_LIMIT 4194304 /* PID_MAX_LIMIT of 64-bit kernels */

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* Reads digits at *@s, moves it behind them; false when there are none.  What does not fit is UINT64_MAX. */
static bool take_digits(const char **s, uint64_t *ret_v)
{
	uint64_t v = 0;

	if (!is_digit(**s))
		return false;
	for (; is_digit(**s); (*s)++) {
		if (__builtin_mul_overflow(v, 10, &v) || __builtin_add_overflow(v, (uint64_t)(**s - '0'), &v))
			v = UINT64_MAX; /* and with the next digit again */
	}
	*ret_v = v;
	return true;
}

int vml_parse_u32(const char *s, uint32_t min, uint32_t max, uint32_t *ret_v)
{
	uint64_t v;

	if (!take_digits(&s, &v) || *s)
		return -EINVAL;
	if (v < min || v > max)
		return -ERANGE;
	*ret_v = (uint32_t)v;
	return 0;
}

int vml_parse_u64(const char *s, uint64_t *ret_v)
{
	uint64_t v;

	if (!take_digits(&s, &v) || *s)
		return -EINVAL;
	if (v == UINT64_MAX)
		return -ERANGE;
	*ret_v = v;
	return 0;
}

/* The digits of a fraction of a second as nanoseconds; finer ones are dropped. */
static const char *take_fraction(const char *s, uint64_t *ret_ns)
{
	uint64_t unit = SECOND / 10;

	*ret_ns = 0;
	for (; is_digit(*s); s++, unit /= 10)
		*ret_ns += (uint64_t)(*s - '0') * unit;
	return s;
}

int vml_parse_percent(const char *s, double min, double max, double *ret)
{
	uint64_t whole, billionths = 0;
	double v;

	if (!take_digits(&s, &whole))
		return -EINVAL;
	if (*s == '.' && is_digit(s[1]))
		s = take_fraction(s + 1, &billionths);
	if (*s && strcmp(s, "%"))
		return -EINVAL;
	v = (double)whole + (double)billionths / SECOND;
	if (v < min || v > max)
		return -ERANGE;
	*ret = v;
	return 0;
}

int vml_parse_seconds(const char *s, uint64_t *ret_ns)
{
	uint64_t seconds = 0, fraction = 0;
	bool digits;

	digits = take_digits(&s, &seconds);
	if (*s == '.') {
		digits |= is_digit(s[1]);
		s = take_fraction(s + 1, &fraction);
	}
	if (!digits || *s)
		return -EINVAL;
	if (seconds > INTERVAL_MAX / SECOND)
		return -ERANGE;
	fraction += seconds * SECOND;
	if (fraction < INTERVAL_MIN || fraction > INTERVAL_MAX)
		return -ERANGE;
	*ret_ns = fraction;
	return 0;
}

int vml_parse_duration(const char *s, uint64_t *ret_ns)
{
	static const struct {
		const char *name;
		uint64_t ns;
	} units[] = { { "ns", 1 }, { "us", 1000 }, { "ms", 1000000 }, { "s", SECOND } };
	uint64_t whole = 0, fraction = 0; /* of the unit; in billionths of it */
	bool digits;

	digits = take_digits(&s, &whole);
	if (*s == '.') {
		digits |= is_digit(s[1]);
		s = take_fraction(s + 1, &fraction);
	}
	if (!digits)
		return -EINVAL;
	for (size_t i = 0; i < VML_ARRAY_SIZE(units); i++) {
		if (strcmp(s, units[i].name))
			continue;
		if (whole > INTERVAL_MAX / units[i].ns)
			return -ERANGE;
		whole = whole * units[i].ns + fraction / (SECOND / units[i].ns);
		if (!whole || whole > INTERVAL_MAX)
			return -ERANGE;
		*ret_ns = whole;
		return 0;
	}
	return -EINVAL;
}

int vml_parse_bytes(const char *s, uint64_t min, uint64_t max, uint64_t *ret_bytes)
{
	static const char units[] = "KMGT";
	const char *unit;
	uint64_t v;

	if (!take_digits(&s, &v))
		return -EINVAL;
	unit = *s ? strchr(units, *s) : NULL;
	if (*s && (!unit || s[1]))
		return -EINVAL;
	if (unit && __builtin_mul_overflow(v, 1ULL << (10 * (unit - units + 1)), &v))
		return -ERANGE;
	if (v < min || v > max)
		return -ERANGE;
	*ret_bytes = v;
	return 0;
}

int vml_parse_pids(const char *s, uint32_t **ret_pids, size_t *ret_n)
{
	size_t n = 1, i = 0;
	const char *c;
	uint32_t *pids;
	uint64_t v;
	int err = -EINVAL;

	for (c = s; *c; c++)
		n += *c == ',';
	pids = calloc(n, sizeof(*pids));
	if (!pids)
		return -ENOMEM;
	for (;; s++) {
		if (!take_digits(&s, &v) || (*s && *s != ','))
			goto out;
		if (v < 1 || v > PID_LIMIT) {
			err = -ERANGE;
			goto out;
		}
		pids[i++] = (uint32_t)v;
		if (!*s)
			break;
	}
	*ret_pids = pids;
	*ret_n = i;
	return 0;
out:
	free(pids);
	return err;
}
