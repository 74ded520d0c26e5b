// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Student's t, ratios with their jackknife variance, Welch's comparison. */
#include <float.h>
#include <math.h>

#include "vmalock/compare.h"

/* ---- Student's t */

/* The continued fraction of the incomplete beta function, by Lentz's method; x < (a + 1) / (a + b + 2). */
static double beta_fraction(double a, double b, double x)
{
	double c = 1, d = 1 - (a + b) * x / (a + 1), h, step;
	int m;

	d = 1 / (fabs(d) < DBL_MIN ? DBL_MIN : d);
	h = d;
	for (m = 1; m < 10000; m++) {
		double even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m));
		double odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1));

		d = 1 / (1 + even * d);
		c = 1 + even / c;
		h *= d * c;
		d = 1 / (1 + odd * d);
		c = 1 + odd / c;
		step = d * c;
		h *= step;
		if (fabs(step - 1) < 1e-15)
			break;
	}
	return h;
}

/* The regularized incomplete beta function. */
static double beta_share(double a, double b, double x)
{
	double front;

	if (x <= 0 || x >= 1)
		return x > 0;
	front = exp(lgamma(a + b) - lgamma(a) - lgamma(b) + a * log(x) + b * log1p(-x));
	return x < (a + 1) / (a + b + 2) ? front * beta_fraction(a, b, x) / a
					 : 1 - front * beta_fraction(b, a, 1 - x) / b;
}

double vml_t_upper(double t, double df)
{
	double tail;

	if (isinf(t))
		return t < 0;
	if (df > 1e6) /* lgamma() has too few digits there, and the normal distribution differs by 1 / df */
		return erfc(t / sqrt(2)) / 2;
	tail = beta_share(df / 2, 0.5, df / (df + t * t)) / 2;
	return t < 0 ? 1 - tail : tail;
}

double vml_t_quantile(double p, double df)
{
	double low = 0, high = 1, mid;
	int i;

	if (p < 0.5)
		return -vml_t_quantile(1 - p, df);
	while (vml_t_upper(high, df) > 1 - p && high < 1e300)
		high *= 2;
	for (i = 0; i < 200; i++) {
		mid = (low + high) / 2;
		if (mid <= low || mid >= high)
			break;
		if (vml_t_upper(mid, df) > 1 - p)
			low = mid;
		else
			high = mid;
	}
	return (low + high) / 2;
}

/* ---- ratios */

struct vml_estimate vml_log_ratio(const double *y, const double *x, size_t n, double unit)
{
	double sum_y = unit / 2, sum_x = 0, mean = 0, squares = 0, without;
	struct vml_estimate e = { .df = (double)(n - 1) };
	size_t i;

	for (i = 0; i < n; i++) {
		sum_y += y[i];
		sum_x += x[i];
	}
	e.value = log(sum_y / sum_x);
	if (!(sum_y > 0))
		return e;
	for (i = 0; i < n; i++)
		mean += log(sum_y - y[i] > 0 ? (sum_y - y[i]) / (sum_x - x[i]) : DBL_MIN) / (double)n;
	for (i = 0; i < n; i++) {
		without = log(sum_y - y[i] > 0 ? (sum_y - y[i]) / (sum_x - x[i]) : DBL_MIN);
		squares += (without - mean) * (without - mean);
	}
	e.variance = squares * (double)(n - 1) / (double)n;
	if (unit > 0 && e.variance < unit / sum_y)
		e.variance = unit / sum_y;
	return e;
}

struct vml_change vml_log_change(const struct vml_estimate *a, const struct vml_estimate *b, double confidence)
{
	double variance = a->variance + b->variance, by, half, df;
	struct vml_change c = { .p = 1 };

	if (isinf(a->value) || isinf(b->value)) {
		/* nothing in one of them, or in both */
		c.by = isinf(a->value) && isinf(b->value) ? 0 : isinf(a->value) ? INFINITY : -1;
		c.low = c.high = c.by;
		c.p = c.by == 0;
		return c;
	}
	by = b->value - a->value;
	c.by = expm1(by);
	if (!(variance > 0)) {
		c.low = c.high = c.by;
		c.p = by == 0;
		return c;
	}
	df = variance * variance / (a->variance * a->variance / a->df + b->variance * b->variance / b->df);
	half = vml_t_quantile((1 + confidence) / 2, df) * sqrt(variance);
	c.low = expm1(by - half);
	c.high = expm1(by + half);
	c.p = 2 * vml_t_upper(fabs(by) / sqrt(variance), df);
	return c;
}

/* ---- ranks */

/* How many of @v are equal to @x. */
static double equals(double x, const double *v, size_t n)
{
	double equal = 0;
	size_t i;

	for (i = 0; i < n; i++)
		equal += v[i] == x;
	return equal;
}

/* What the ties of @v, within all of @a and @b, take from the variance: t * t - 1 for each. */
static double ties(const double *v, size_t n, const double *a, size_t na, const double *b, size_t nb)
{
	double sum = 0, t;
	size_t i;

	for (i = 0; i < n; i++) {
		t = equals(v[i], a, na) + equals(v[i], b, nb);
		sum += t * t - 1;
	}
	return sum;
}

double vml_rank_p(const double *a, size_t na, const double *b, size_t nb)
{
	double n = (double)(na + nb), pairs = (double)na * (double)nb, above = 0, variance, apart;
	size_t i, j;

	for (i = 0; i < na; i++)
		for (j = 0; j < nb; j++)
			above += b[j] > a[i] ? 1 : b[j] == a[i] ? 0.5 : 0;
	variance = pairs / 12 * (n + 1 - (ties(a, na, a, na, b, nb) + ties(b, nb, a, na, b, nb)) / (n * (n - 1)));
	apart = fabs(above - pairs / 2) - 0.5;
	if (!(variance > 0) || apart <= 0)
		return 1;
	return erfc(apart / sqrt(2 * variance));
}
