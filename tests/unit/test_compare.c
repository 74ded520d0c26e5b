/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include <errno.h>
#include <math.h>

#include "unit.h"
#include "vmalock/caps.h"
#include "vmalock/compare.h"

static const struct vml_caps tracepoint = { .backend = "tracepoint", .detail = "default" };
static const struct vml_caps fentry = { .backend = "fentry", .detail = "default" };

/* What one interval of a load is like. */
struct load {
	double faults; /* a second */
	double share; /* of them fall back */
	double wait_ns, hold_ns; /* for each fallback, on average */
	double noise; /* of each second, relative: 0.2 is +-20 % */
};
static const struct load usual = { 50000, 0.02, 20000, 15000, 0.2 };

static double around(uint64_t *seed, double mean, double noise)
{
	return mean * (1 + noise * (2 * unit_uniform(seed) - 1));
}

static void observe(struct vml_sample *s, const struct load *l, int seconds, uint64_t *seed)
{
	int i;

	for (i = 0; i < seconds; i++) {
		struct vml_snapshot *d = unit_snapshot(1 + i);
		double faults = around(seed, l->faults, l->noise),
		       fallbacks = faults * around(seed, l->share, l->noise);

		d->interval_ns = UNIT_SECOND;
		d->caps = &tracepoint;
		d->host.machine = "x86_64";
		d->host.cpus = 4;
		d->host.page_size = 4096;
		d->total[VML_FAULTS] = (uint64_t)faults;
		d->total[VML_FALLBACKS] = (uint64_t)fallbacks;
		d->total[VML_WAIT_NS] = (uint64_t)(fallbacks * around(seed, l->wait_ns, 2 * l->noise));
		d->total[VML_MMAP_WRITE_HOLD_NS] = (uint64_t)(fallbacks * around(seed, l->hold_ns, l->noise));
		assert_int_equal(vml_sample_add(s, d), 0);
		vml_snapshot_free(d);
	}
}

/* How many of 100 pairs get @verdict. */
static int verdicts(const struct load *a, const struct load *b, enum vml_verdict verdict)
{
	uint64_t seed = 0x9e3779b97f4a7c15ULL;
	int i, n = 0;

	for (i = 0; i < 100; i++) {
		struct vml_sample sa = { 0 }, sb = { 0 };
		struct vml_comparison c;

		observe(&sa, a, 60, &seed);
		observe(&sb, b, 60, &seed);
		vml_compare(&sa, &sb, &c);
		n += c.verdict == verdict;
		vml_sample_free(&sa);
		vml_sample_free(&sb);
	}
	return n;
}

static void the_same_load(void **state)
{
	(void)state;
	assert_true(verdicts(&usual, &usual, VML_NO_CHANGE) >= 95);
}

static void more_fallbacks(void **state)
{
	struct load l = usual;

	(void)state;
	l.share *= 1.2;
	assert_true(verdicts(&usual, &l, VML_REGRESSION) >= 95);
	assert_true(verdicts(&l, &usual, VML_IMPROVEMENT) >= 95);
}

static void longer_holds(void **state)
{
	struct load l = usual;

	(void)state;
	l.hold_ns *= 2;
	assert_true(verdicts(&usual, &l, VML_REGRESSION) >= 95);
}

/* Twice the traffic is no regression: everything is for each fault. */
static void more_of_the_same(void **state)
{
	struct load l = usual;

	(void)state;
	l.faults *= 2;
	assert_true(verdicts(&usual, &l, VML_NO_CHANGE) >= 95);
}

/* What nobody would notice is no change, however many times it grew. */
static void of_no_weight(void **state)
{
	struct load quiet = { 50000, 0.00001, 100, 100, 0.3 }, l = quiet;

	(void)state;
	l.share *= 10;
	assert_int_equal(verdicts(&quiet, &l, VML_NO_CHANGE), 100);
}

/* A few wild seconds: nothing can be said. */
static void too_noisy(void **state)
{
	struct vml_sample a = { 0 }, b = { 0 };
	struct vml_comparison c;
	uint64_t seed = 7;

	(void)state;
	observe(&a, &usual, 8, &seed);
	observe(&b, &usual, 8, &seed);
	b.beat[3].total[VML_WAIT_NS] *= 20;
	vml_compare(&a, &b, &c);
	assert_int_equal(c.verdict, VML_INCONCLUSIVE);
	assert_int_equal(c.measure[VML_WAIT_PER_FAULT].verdict, VML_INCONCLUSIVE);
	assert_true(c.measure[VML_WAIT_PER_FAULT].weighty);
	vml_sample_free(&a);
	vml_sample_free(&b);
}

/* Five seconds of a minute in which somebody holds very long prove nothing of the others. */
static void rare(void **state)
{
	struct vml_sample a = { 0 }, b = { 0 };
	struct vml_comparison c;
	uint64_t seed = 7;
	int i;

	(void)state;
	observe(&a, &usual, 60, &seed);
	observe(&b, &usual, 60, &seed);
	for (i = 10; i < 60; i += 12)
		b.beat[i].total[VML_MMAP_WRITE_HOLD_NS] *= 300;
	vml_compare(&a, &b, &c);
	assert_true(c.measure[VML_WRITE_HOLD_PER_FAULT].change.low > VML_COMPARE_MARGIN);
	assert_true(c.measure[VML_WRITE_HOLD_PER_FAULT].rank_p > 0.05);
	assert_int_equal(c.measure[VML_WRITE_HOLD_PER_FAULT].verdict, VML_INCONCLUSIVE);
	assert_int_equal(c.verdict, VML_INCONCLUSIVE);
	vml_sample_free(&a);
	vml_sample_free(&b);
}

/* Sums and rates of two samples without noise. */
static void the_numbers(void **state)
{
	struct load l = { 10000, 0.02, 50000, 1000, 0 }, m = { 5000, 0.03, 50000, 1000, 0 };
	struct vml_sample a = { 0 }, b = { 0 };
	const struct vml_measured *f;
	struct vml_comparison c;
	uint64_t seed = 7;

	(void)state;
	observe(&a, &l, 40, &seed);
	observe(&b, &m, 10, &seed);
	vml_compare(&a, &b, &c);
	f = &c.measure[VML_FALLBACKS_PER_FAULT];
	assert_true(f->known && f->a == 0.02 && f->b == 0.03);
	assert_true(f->a_second == 200 && f->b_second == 150);
	/* half a fallback is added to each sum: 8000 and 1500 */
	assert_true(unit_near(f->change.by, 1500.5 / 1500 * 8000 / 8000.5 * 1.5 - 1, 1e-9));
	assert_true(f->change.low < f->change.by && f->change.by < f->change.high);
	assert_true(c.measure[VML_WAIT_PER_FAULT].a_second == 0.01);
	assert_true(c.a_seconds == 40 && c.b_faults_second == 5000);
	assert_int_equal(c.a_blocks, 32);
	assert_int_equal(c.b_blocks, 10);
	assert_int_equal(c.verdict, VML_REGRESSION);
	vml_sample_free(&a);
	vml_sample_free(&b);
}

/* What only one sample knows is judged in neither. */
static void unknown(void **state)
{
	struct vml_sample a = { 0 }, b = { 0 };
	struct vml_comparison c;
	uint64_t seed = 7;

	(void)state;
	observe(&a, &usual, 20, &seed);
	observe(&b, &usual, 20, &seed);
	b.have &= ~VML_METRIC_BIT(VML_WAIT_NS);
	vml_compare(&a, &b, &c);
	assert_false(c.measure[VML_WAIT_PER_FAULT].known);
	assert_true(c.measure[VML_FALLBACKS_PER_FAULT].known);
	vml_sample_free(&a);
	vml_sample_free(&b);
}

static void assert_not_comparable(struct vml_sample *a, struct vml_sample *b, const char *why)
{
	struct vml_comparison c;

	vml_compare(a, b, &c);
	assert_int_equal(c.verdict, VML_NOT_COMPARABLE);
	assert_int_equal(c.nwhy, 1);
	assert_string_equal(c.why_not[0], why);
}

static void not_comparable(void **state)
{
	struct vml_sample a = { 0 }, b = { 0 }, none = { 0 };
	struct vml_comparison c;
	uint64_t seed = 7;

	(void)state;
	observe(&a, &usual, 20, &seed);
	observe(&b, &usual, 20, &seed);
	vml_compare(&a, &b, &c);
	assert_int_equal(c.nwhy, 0);
	b.cpus = 8;
	assert_not_comparable(&a, &b, "A was made with 4 CPUs, B with 8");
	b.cpus = 4;
	strcpy(b.backend, "fentry");
	assert_not_comparable(&a, &b, "A was made by the tracepoint backend in default detail, B by fentry in default");
	strcpy(b.backend, "tracepoint");
	b.lost = 20000;
	assert_not_comparable(&a, &b, "B lost 20000 events, more than 1 % of its page faults");
	b.lost = 0;
	b.n = 7;
	assert_not_comparable(&a, &b, "B has 7 intervals with page faults, and 8 are needed");
	/* what is shown of the measures is not judged either */
	vml_compare(&a, &b, &c);
	assert_true(c.measure[VML_FALLBACKS_PER_FAULT].known);
	assert_int_equal(c.measure[VML_FALLBACKS_PER_FAULT].verdict, VML_NOT_COMPARABLE);
	vml_compare(&none, &none, &c);
	assert_int_equal(c.verdict, VML_NOT_COMPARABLE);
	assert_int_equal(c.nwhy, 2);
	assert_string_equal(c.why_not[0], "A has no intervals");
	assert_string_equal(c.why_not[1], "B has no intervals");
	vml_sample_free(&a);
	vml_sample_free(&b);
}

/* A sample of deltas that do not belong together says so. */
static void mixed(void **state)
{
	struct vml_snapshot *d = unit_snapshot(5);
	struct vml_sample a = { 0 };
	uint64_t seed = 7;

	(void)state;
	observe(&a, &usual, 2, &seed);
	assert_false(a.mixed);
	assert_int_equal(vml_sample_add(&a, d), -EINVAL);
	d->interval_ns = UNIT_SECOND;
	d->caps = &fentry;
	d->host.machine = "x86_64";
	d->host.cpus = 4;
	d->host.page_size = 4096;
	assert_int_equal(vml_sample_add(&a, d), 0);
	assert_true(a.mixed);
	vml_snapshot_free(d);
	vml_sample_free(&a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_same_load), cmocka_unit_test(more_fallbacks),
		cmocka_unit_test(longer_holds),	 cmocka_unit_test(more_of_the_same),
		cmocka_unit_test(of_no_weight),	 cmocka_unit_test(too_noisy),
		cmocka_unit_test(rare),		 cmocka_unit_test(the_numbers),
		cmocka_unit_test(unknown),	 cmocka_unit_test(not_comparable),
		cmocka_unit_test(mixed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
