/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include <math.h>

#include "unit.h"
#include "vmalock/compare.h"

/* The table of quantiles of Student's t that every textbook has. */
static void quantiles(void **state)
{
	static const struct {
		double p, df, t;
	} table[] = {
		{ 0.975, 1, 12.7062047 },  { 0.975, 2, 4.30265273 },  { 0.975, 5, 2.57058184 },
		{ 0.975, 10, 2.22813885 }, { 0.975, 30, 2.04227246 }, { 0.975, 120, 1.97993041 },
		{ 0.995, 1, 63.6567412 },  { 0.995, 5, 4.03214298 },  { 0.995, 10, 3.16927267 },
		{ 0.995, 30, 2.74999565 }, { 0.95, 4, 2.13184679 },   { 0.9, 3, 1.63774435 },
		{ 0.9995, 8, 5.04130543 },
	};
	size_t i;

	(void)state;
	for (i = 0; i < VML_ARRAY_SIZE(table); i++) {
		assert_true(unit_near(vml_t_quantile(table[i].p, table[i].df), table[i].t, 1e-8));
		assert_true(unit_near(vml_t_quantile(1 - table[i].p, table[i].df), -table[i].t, 1e-8));
		assert_true(unit_near(vml_t_upper(table[i].t, table[i].df), 1 - table[i].p, 1e-6));
	}
	/* the normal distribution, in the limit; and Cauchy's: P(T > 1) = 1/4 */
	assert_true(unit_near(vml_t_quantile(0.975, 1e9), 1.95996398, 1e-8));
	assert_true(unit_near(vml_t_upper(1, 1), 0.25, 1e-12));
	assert_true(vml_t_upper(0, 7) == 0.5);
	assert_true(vml_t_upper(INFINITY, 7) == 0 && vml_t_upper(-INFINITY, 7) == 1);
}

/* With x = 1 the jackknife variance of a mean is s^2 / n exactly, and that of its log nearly that over mean^2. */
static void jackknife(void **state)
{
	static const double y[] = { 100, 101, 99, 102, 98, 100, 103, 97 };
	static const double x[] = { 1, 1, 1, 1, 1, 1, 1, 1 };
	struct vml_estimate e = vml_log_ratio(y, x, 8, 0);

	(void)state;
	assert_true(unit_near(e.value, log(100), 1e-12));
	/* s^2 = 28 / 7 = 4 */
	assert_true(unit_near(e.variance, 4.0 / 8 / 10000, 1e-3));
	assert_true(e.df == 7);
}

/* The ratio is one of sums, whatever the sizes of the blocks; a common factor changes nothing. */
static void ratio_of_sums(void **state)
{
	static const double y[] = { 10, 400, 90 }, x[] = { 1000, 20000, 9000 };
	double y7[3], x7[3];
	struct vml_estimate e = vml_log_ratio(y, x, 3, 0), f;
	int i;

	(void)state;
	for (i = 0; i < 3; i++) {
		y7[i] = 7 * y[i];
		x7[i] = 7 * x[i];
	}
	f = vml_log_ratio(y7, x7, 3, 0);
	assert_true(unit_near(exp(e.value), 500.0 / 30000, 1e-12));
	assert_true(unit_near(f.value, e.value, 1e-12) && unit_near(f.variance, e.variance, 1e-9));
}

/* Blocks that are equal, or without any event, are not certain. */
static void few_events(void **state)
{
	static const double none[] = { 0, 0, 0, 0 }, one[] = { 0, 0, 1, 0 }, x[] = { 100, 100, 100, 100 };
	static const double equal[] = { 25, 25, 25, 25 };
	struct vml_estimate a = vml_log_ratio(none, x, 4, 1), b = vml_log_ratio(one, x, 4, 1);
	struct vml_estimate c = vml_log_ratio(equal, x, 4, 1), d = vml_log_ratio(none, x, 4, 0);

	(void)state;
	assert_true(unit_near(exp(a.value), 0.5 / 400, 1e-12) && unit_near(a.variance, 2, 1e-12));
	assert_true(unit_near(exp(b.value), 1.5 / 400, 1e-12) && b.variance >= 1 / 1.5);
	assert_true(unit_near(c.variance, 1 / 100.5, 1e-12));
	assert_true(isinf(d.value) && d.variance == 0);
	assert_true(vml_log_change(&a, &b, 0.95).low < 0 && vml_log_change(&a, &b, 0.95).high > 0);
}

/*
 * Welch's test of the two samples of 15 that are the usual example of it (means 20.82
 * and 22.98667, variances 7.9 and 3.8): t = -2.46, 24.9 degrees of freedom, p = 0.021.
 */
static void welch(void **state)
{
	static const double one[] = { 27.5, 21.0, 19.0, 23.6, 17.0, 17.9, 16.9, 20.1,
				      21.9, 22.6, 23.1, 19.6, 19.0, 21.7, 21.4 };
	static const double two[] = { 27.1, 22.0, 20.8, 23.4, 23.4, 23.5, 25.8, 22.0,
				      24.8, 20.2, 21.9, 22.1, 22.9, 20.5, 24.4 };
	struct vml_estimate e[2];
	struct vml_change c;
	int i, k;

	(void)state;
	for (k = 0; k < 2; k++) {
		double mean = 0, squares = 0;

		for (i = 0; i < 15; i++)
			mean += (k ? two : one)[i] / 15;
		for (i = 0; i < 15; i++)
			squares += ((k ? two : one)[i] - mean) * ((k ? two : one)[i] - mean);
		e[k] = (struct vml_estimate){ mean, squares / 14 / 15, 14 };
	}
	c = vml_log_change(&e[0], &e[1], 0.95);
	assert_true(fabs(c.p - 0.021) < 0.0005);
	/* of the logarithms: what is a difference here is a factor there */
	assert_true(unit_near(log1p(c.by), 22.98667 - 20.82, 1e-5));
	assert_true(unit_near(log1p(c.by) - log1p(c.low), log1p(c.high) - log1p(c.by), 1e-9));
	assert_true(unit_near(log1p(c.high) - log1p(c.by), 2.0599 * 0.8825, 2e-3));
}

/*
 * Student, "The probable error of a mean", Biometrika 6 (1908), table of the hours of sleep gained with two drugs
 * (Cushny and Peebles; the data set "sleep" of R).  As R prints them: Welch's t-test t = -1.8608, df = 17.776,
 * p = 0.07939, interval -3.3654832 to 0.2054832; Wilcoxon's rank sum with ties W = 25.5, p = 0.06933.
 */
static void sleep_of_student(void **state)
{
	static const double hours[2][10] = { { 0.7, -1.6, -0.2, -1.2, -0.1, 3.4, 3.7, 0.8, 0.0, 2.0 },
					     { 1.9, 0.8, 1.1, 0.1, -0.1, 4.4, 5.5, 1.6, 4.6, 3.4 } };
	static const double mean[] = { 0.75, 2.33 }, variance[] = { 3.200556, 4.009 };
	struct vml_estimate e[2];
	struct vml_change c;
	int k;

	(void)state;
	for (k = 0; k < 2; k++)
		e[k] = (struct vml_estimate){ mean[k], variance[k] / 10, 9 };
	c = vml_log_change(&e[0], &e[1], 0.95);
	assert_true(fabs(c.p - 0.07939) < 0.000005);
	assert_true(fabs(log1p(c.low) + 0.2054832) < 2e-6 && fabs(log1p(c.high) - 3.3654832) < 2e-6);
	assert_true(fabs(vml_rank_p(hours[0], 10, hours[1], 10) - 0.06933) < 0.000005);
}

static void nothing_in_one(void **state)
{
	struct vml_estimate none = { -INFINITY, 0, 7 }, some = { -3, 0.01, 7 };
	struct vml_change c;

	(void)state;
	c = vml_log_change(&none, &some, 0.99);
	assert_true(isinf(c.by) && c.by > 0 && isinf(c.low) && c.p == 0);
	c = vml_log_change(&some, &none, 0.99);
	assert_true(c.by == -1 && c.high == -1 && c.p == 0);
	c = vml_log_change(&none, &none, 0.99);
	assert_true(c.by == 0 && c.low == 0 && c.high == 0 && c.p == 1);
}

/* The interval holds the truth as often as it says: 4,000 pairs of 20 blocks of Poisson-like counts. */
static void coverage(void **state)
{
	uint64_t seed = 88172645463325252ULL;
	double y[2][20], x[20];
	int hit = 0, k, i, j, n, trials = 4000;

	(void)state;
	for (k = 0; k < trials; k++) {
		struct vml_estimate e[2];
		struct vml_change c;

		for (j = 0; j < 2; j++) {
			for (i = 0; i < 20; i++) {
				x[i] = 1000;
				/* 1,000 faults of which 5 % fall back, 6 % in the second */
				for (y[j][i] = 0, n = 0; n < 1000; n++)
					y[j][i] += unit_uniform(&seed) < (j ? 0.06 : 0.05);
			}
			e[j] = vml_log_ratio(y[j], x, 20, 1);
		}
		c = vml_log_change(&e[0], &e[1], 0.95);
		hit += c.low <= 0.2 && c.high >= 0.2;
	}
	/* 95 % of 4,000, four standard deviations of the binomial; more, for the floor of the variance */
	assert_true(hit >= 3745 && hit <= 3930);
}

/* Hollander and Wolfe, permeability of human membranes: U = 35 of 50; and ties. */
static void ranks(void **state)
{
	static const double x[] = { 0.80, 0.83, 1.89, 1.04, 1.45, 1.38, 1.91, 1.64, 0.73, 1.46 };
	static const double y[] = { 1.15, 0.88, 0.90, 0.74, 1.21 };
	static const double few[] = { 0, 0, 0, 0, 0, 0, 0, 0 }, more[] = { 0, 0, 0, 0, 0, 0, 1, 1 };

	(void)state;
	assert_true(unit_near(vml_rank_p(y, 5, x, 10), 0.2446236051, 1e-9));
	assert_true(vml_rank_p(x, 10, y, 5) == vml_rank_p(y, 5, x, 10));
	assert_true(vml_rank_p(few, 8, few, 8) == 1);
	/* U = 40 of 64; 14 are equal, and 2: 64 / 12 * (17 - (14^3 - 14 + 2^3 - 2) / 240) = 29.8667 */
	assert_true(unit_near(vml_rank_p(few, 8, more, 8), erfc(7.5 / sqrt(2 * 29.866666666666667)), 1e-9));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(quantiles),  cmocka_unit_test(jackknife), cmocka_unit_test(ratio_of_sums),
		cmocka_unit_test(few_events), cmocka_unit_test(welch),	   cmocka_unit_test(nothing_in_one),
		cmocka_unit_test(coverage),   cmocka_unit_test(ranks),	   cmocka_unit_test(sleep_of_student),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
