// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* The guard against simulated loads: the cost of the hooks follows the step, that of the rest does not. */
#include <math.h>

#include "unit.h"

#include "vmalock/guard.h"
#include "vmalock/snapshot.h"

#define SECOND 1000000000ULL

/* What a load would cost with the hooks attached all the time, and what comes on top; shares of one CPU. */
struct load {
	double full, fixed;
};

struct run {
	struct vml_guard g;
	uint64_t now_ns, interval_ns;
	uint32_t cpus;
	uint64_t changed_ns[256]; /* when each change came */
	double spent_ns, room_ns; /* since the last reset */
};

static void start(struct run *r, double budget)
{
	*r = (struct run){ .interval_ns = SECOND, .cpus = 4 };
	vml_guard_init(&r->g, budget);
}

static void step(struct run *r, struct load l)
{
	double hot = l.full * vml_duty_share(r->g.step);
	double ns = (double)r->interval_ns;
	struct vml_guard_input in = {
		.interval_ns = r->interval_ns,
		.cpus = r->cpus,
		.hot_ns = (uint64_t)(hot * ns),
		.other_ns = (uint64_t)(l.fixed * ns / 2),
		.cpu_ns = (uint64_t)(l.fixed * ns / 2),
		.full_ns = (uint64_t)(l.full * ns),
		.known = true,
	};

	r->now_ns += r->interval_ns;
	r->spent_ns += (hot + l.fixed) * ns;
	r->room_ns += ns * r->cpus;
	if (vml_guard_update(&r->g, &in)) {
		assert_in_range(r->g.changes, 1, 256);
		r->changed_ns[r->g.changes - 1] = r->now_ns;
	}
}

static void run_for(struct run *r, struct load l, uint64_t seconds)
{
	uint64_t end = r->now_ns + seconds * SECOND;

	while (r->now_ns < end)
		step(r, l);
}

static double mean(struct run *r)
{
	double x = r->spent_ns / r->room_ns;

	r->spent_ns = r->room_ns = 0;
	return x;
}

static void test_names(void **state)
{
	(void)state;
	assert_string_equal(vml_duty_name(VML_DUTY_FULL), "1");
	assert_string_equal(vml_duty_name(VML_DUTY_4), "1/4");
	assert_string_equal(vml_duty_name(VML_DUTY_OFF), "off");
	assert_null(vml_duty_name(VML_NDUTY_STEPS));
	assert_true(vml_duty_share(VML_DUTY_FULL) == 1);
	assert_true(vml_duty_share(VML_DUTY_16) == 0.0625);
	assert_true(vml_duty_share(VML_DUTY_OFF) == 0);
}

/* Within the budget nothing happens, however long; the ratio is that of all CPUs. */
static void test_within(void **state)
{
	struct run r;

	(void)state;
	start(&r, 0.01);
	run_for(&r, (struct load){ 0.03, 0.008 }, 3600);
	assert_int_equal(r.g.step, VML_DUTY_FULL);
	assert_int_equal(r.g.changes, 0);
	assert_true(r.g.ratio_known);
	assert_true(fabs(r.g.ratio - 0.038 / 4) < 1e-9);
}

/* Over it: to the first step that fits, at once, and the mean is kept from then on. */
static void test_down(void **state)
{
	static const struct {
		struct load load;
		enum vml_duty_step step;
	} cases[] = {
		{ { 0.06, 0 }, VML_DUTY_2 }, /* 1.5 % -> 0.75 % */
		{ { 0.10, 0.01 }, VML_DUTY_4 }, /* 2.75 % -> 0.875 % */
		{ { 0.40, 0.01 }, VML_DUTY_16 }, /* 10.25 % -> 0.875 % */
		{ { 0.80, 0.01 }, VML_DUTY_OFF }, /* 20.25 %, and 5.25 % at 1/16 */
	};
	struct run r;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		start(&r, 0.01);
		run_for(&r, cases[i].load, 4);
		assert_int_equal(r.g.step, VML_DUTY_FULL);
		run_for(&r, cases[i].load, 1);
		assert_int_equal(r.g.step, cases[i].step);
		assert_int_equal(r.g.changes, 1);
		mean(&r);
		run_for(&r, cases[i].load, 1000);
		assert_true(mean(&r) <= 0.01);
		assert_int_equal(r.g.step, cases[i].step);
		assert_false(r.g.beyond);
		assert_non_null(strstr(r.g.why, "over the budget of 1.00 %"));
	}
	assert_non_null(strstr(r.g.why, "from duty 1 to off: 20.25 % of the CPU time"));
}

/* Without the hooks it is still too much: off, and it says that this is not enough. */
static void test_beyond(void **state)
{
	struct run r;

	(void)state;
	start(&r, 0.01);
	run_for(&r, (struct load){ 0.01, 0.05 }, 100);
	assert_int_equal(r.g.step, VML_DUTY_OFF);
	assert_true(r.g.beyond);
	assert_int_equal(r.g.changes, 1);
	run_for(&r, (struct load){ 0.01, 0.001 }, 10);
	assert_false(r.g.beyond);
}

/* When the load goes away: one step at a time, a minute of calm before each. */
static void test_up(void **state)
{
	struct run r;
	size_t i;

	(void)state;
	start(&r, 0.01);
	run_for(&r, (struct load){ 0.80, 0.01 }, 60);
	assert_int_equal(r.g.step, VML_DUTY_OFF);
	run_for(&r, (struct load){ 0.011, 0.001 }, 600);
	assert_int_equal(r.g.step, VML_DUTY_FULL);
	assert_int_equal(r.g.changes, 1 + VML_DUTY_OFF);
	for (i = 1; i < r.g.changes; i++)
		assert_true(r.changed_ns[i] - r.changed_ns[i - 1] >= VML_GUARD_UP_NS);
	assert_non_null(strstr(r.g.why, "from duty 1/2 to 1: it is expected to take 0.30 %"));
}

/* A step that would use the budget up to more than three quarters is not taken. */
static void test_hysteresis(void **state)
{
	struct run r;

	(void)state;
	start(&r, 0.01);
	run_for(&r, (struct load){ 0.06, 0 }, 20);
	assert_int_equal(r.g.step, VML_DUTY_2);
	run_for(&r, (struct load){ 0.032, 0 }, 3600); /* 0.8 % at full duty */
	assert_int_equal(r.g.step, VML_DUTY_2);
	run_for(&r, (struct load){ 0.028, 0 }, 120); /* 0.7 % */
	assert_int_equal(r.g.step, VML_DUTY_FULL);
}

/*
 * A load that goes up and down in any rhythm: never up within a minute of a change, and the
 * longer it goes on, the rarer the steps.
 */
static void test_rhythm(void **state)
{
	static const uint64_t rhythm[] = { 3, 7, 20, 61, 70, 90, 130, 400 };
	struct run r;
	size_t i, k;
	enum vml_duty_step before;
	uint64_t last, ups;

	(void)state;
	for (i = 0; i < sizeof(rhythm) / sizeof(*rhythm); i++) {
		start(&r, 0.01);
		last = ups = 0;
		while (r.now_ns < 6 * 3600 * SECOND) {
			for (k = 0; k < 2 * rhythm[i]; k++) {
				before = r.g.step;
				step(&r, k < rhythm[i] ? (struct load){ 0.40, 0.004 } : (struct load){ 0.01, 0.004 });
				if (r.g.step < before) {
					assert_true(r.now_ns - last >= VML_GUARD_UP_NS);
					ups++;
				}
				if (r.g.step != before)
					last = r.now_ns;
			}
		}
		/* never calm for a minute: down, and no more; else a step up brings four down at most */
		if (rhythm[i] < 60)
			assert_int_equal(ups, 0);
		assert_in_range(r.g.changes, 1, VML_DUTY_OFF + 2 * ups);
		assert_true(ups * VML_GUARD_UP_NS <= r.now_ns);
	}
}

/* Steady after the last regret: the time over the budget gets small. */
static void test_regret(void **state)
{
	const struct load busy = { 0.40, 0.004 }, idle = { 0.002, 0.004 };
	struct run r;
	int i;

	(void)state;
	start(&r, 0.01);
	for (i = 0; i < 60; i++) {
		run_for(&r, busy, 30);
		run_for(&r, idle, 90);
	}
	assert_true(r.g.patience_ns > VML_GUARD_UP_NS);
	mean(&r);
	for (i = 0; i < 60; i++) {
		run_for(&r, busy, 30);
		run_for(&r, idle, 90);
	}
	assert_true(mean(&r) <= 0.01);
}

/* Long and short intervals make the same of the same load. */
static void test_intervals(void **state)
{
	static const uint64_t interval[] = { SECOND / 10, SECOND / 3, SECOND, 4 * SECOND, 30 * SECOND };
	struct run r;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(interval) / sizeof(*interval); i++) {
		start(&r, 0.01);
		r.interval_ns = interval[i];
		run_for(&r, (struct load){ 0.10, 0.01 }, 60);
		assert_int_equal(r.g.step, VML_DUTY_4);
		assert_int_equal(r.g.changes, 1);
		assert_true(r.changed_ns[0] >= VML_GUARD_DOWN_NS);
		assert_true(r.changed_ns[0] <= VML_GUARD_DOWN_NS + interval[i]);
	}
}

/* No budget, or nothing known: no step. */
static void test_nothing(void **state)
{
	struct vml_guard_input in = { .interval_ns = SECOND, .cpus = 1, .hot_ns = SECOND, .full_ns = SECOND };
	struct run r;
	int i;

	(void)state;
	start(&r, 0);
	run_for(&r, (struct load){ 2, 0 }, 100);
	assert_int_equal(r.g.changes, 0);
	assert_true(fabs(r.g.ratio - 0.5) < 1e-9);
	start(&r, 0.01);
	for (i = 0; i < 100; i++)
		assert_false(vml_guard_update(&r.g, &in));
	assert_false(r.g.ratio_known);
}

static void test_input(void **state)
{
	struct vml_snapshot *prev = vml_snapshot_new(), *cur = vml_snapshot_new();
	struct vml_guard_input in;

	(void)state;
	prev->boot_ns = 5 * SECOND;
	prev->self = (struct vml_self){
		.bpf_cost_ns = 100, .bpf_hot_ns = 70, .bpf_full_ns = 500, .cpu_ns = 9, .bpf_cost_known = true
	};
	cur->boot_ns = 7 * SECOND;
	cur->host.cpus = 3;
	cur->self = (struct vml_self){
		.bpf_cost_ns = 1100, .bpf_hot_ns = 970, .bpf_full_ns = 4500, .cpu_ns = 19, .bpf_cost_known = true
	};
	vml_guard_input(prev, cur, &in);
	assert_int_equal(in.interval_ns, 2 * SECOND);
	assert_int_equal(in.cpus, 3);
	assert_int_equal(in.hot_ns, 900);
	assert_int_equal(in.other_ns, 100);
	assert_int_equal(in.full_ns, 4000);
	assert_int_equal(in.cpu_ns, 10);
	assert_true(in.known);
	prev->self.bpf_cost_known = false;
	vml_guard_input(prev, cur, &in);
	assert_false(in.known);
	vml_snapshot_free(prev);
	vml_snapshot_free(cur);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_names),	cmocka_unit_test(test_within), cmocka_unit_test(test_down),
		cmocka_unit_test(test_beyond),	cmocka_unit_test(test_up),     cmocka_unit_test(test_hysteresis),
		cmocka_unit_test(test_rhythm),	cmocka_unit_test(test_regret), cmocka_unit_test(test_intervals),
		cmocka_unit_test(test_nothing), cmocka_unit_test(test_input),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
