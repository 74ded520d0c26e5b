/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Faults that were not seen: held until there is a sample, then divided, and none twice (src/collect/unseen.c). */
#include <linux/types.h>

#include "unit.h"

#include "../../src/collect/collect.h"
#include "vmalock/guard.h"

#define SECOND 1000000000ULL
#define AREA 0x1000

static struct tables t;
static struct duty duty;
static uint64_t now;

static struct vml_id id_of(uint32_t pid)
{
	return (struct vml_id){ .pid = pid, .start_ns = 5 };
}

static struct item *process(uint32_t pid)
{
	struct vml_id id = id_of(pid);

	return table_get(&t.processes, &id);
}

static struct item *thread(uint32_t pid, uint32_t tid)
{
	struct vml_id id = id_of(pid);

	id.tid = tid;
	id.tid_start_ns = 6;
	return table_get(&t.threads, &id);
}

static struct item *area(uint32_t pid, uint64_t start)
{
	struct vml_id id = id_of(pid);

	id.anchor = start;
	return table_get(&t.vmas, &id);
}

static void seen(struct item *e, uint64_t hits, uint64_t aborts)
{
	e->base[BASE_HITS] += hits;
	e->base[BASE_ABORTS] += aborts;
	item_add_cell(e, CELL_REASON(VML_CAUSE(VML_BUSY, 1)), aborts);
	for (uint32_t i = 0; i < e->ncells; i++)
		if (e->cell[i].index == CELL_REASON(VML_CAUSE(VML_BUSY, 1)))
			e->cell[i].raw += (uint32_t)aborts;
}

/* @unseen: on top of those. */
static void faults(struct item *e, uint64_t hits, uint64_t aborts, uint64_t unseen)
{
	seen(e, hits, aborts);
	e->base[BASE_TASK_FAULTS] += hits + aborts + unseen;
}

static void next(void)
{
	now += SECOND;
	assert_int_equal(unseen_add(&t, &duty, now), 0);
}

static uint64_t added(const struct item *e)
{
	uint64_t sum = e->base[BASE_UNKNOWN];

	for (size_t k = 0; k < NOUTCOMES; k++)
		sum += e->base[BASE_UNSEEN + k];
	return sum;
}

static uint64_t reasons(const struct item *e, bool exact)
{
	uint64_t sum = 0;

	for (uint32_t i = 0; i < e->ncells; i++)
		if (e->cell[i].index < VML_NCAUSES && e->cell[i].index % 2 == exact)
			sum += e->cell[i].sum;
	return sum;
}

static int world(void **state)
{
	(void)state;
	t = (struct tables){};
	duty = (struct duty){ .possible = true, .away = true, .step = VML_DUTY_4 };
	now = 100 * SECOND;
	return 0;
}

static int end(void **state)
{
	(void)state;
	table_free(&t.processes);
	table_free(&t.threads);
	table_free(&t.vmas);
	free(t.host);
	return 0;
}

/* ---- dividing */

static void a_sum_is_exact_and_no_part_is_favoured(void **state)
{
	const uint64_t weight[4] = { 1, 0, 997, 2 };
	uint64_t ret[4], sum[4] = {}, whole = 0, of_this;
	int64_t owed[4] = {};

	(void)state;
	for (uint64_t i = 0; i < 10000; i++) {
		vml_apportion(i % 7, weight, 4, owed, ret);
		of_this = 0;
		for (size_t k = 0; k < 4; k++) {
			sum[k] += ret[k];
			of_this += ret[k];
		}
		assert_int_equal(of_this, i % 7);
		whole += i % 7;
		for (size_t k = 0; k < 4; k++) {
			assert_true((double)sum[k] < (double)whole * (double)weight[k] / 1000 + 1);
			assert_true((double)sum[k] > (double)whole * (double)weight[k] / 1000 - 4);
		}
	}
	assert_int_equal(sum[1], 0);
}

static void large_numbers_do_not_overflow(void **state)
{
	const uint64_t weight[2] = { 3ULL << 60, 1ULL << 60 };
	int64_t owed[2] = {};
	uint64_t ret[2];

	(void)state;
	vml_apportion(1ULL << 62, weight, 2, owed, ret);
	assert_int_equal(ret[0], 3ULL << 60);
	assert_int_equal(ret[1], 1ULL << 60);
}

/* ---- holding */

static void without_a_sample_nothing_is_counted(void **state)
{
	struct item *p = process(1), *th = thread(1, 1), *other = process(2);

	(void)state;
	faults(other, 0, 100000, 0); /* the host has nothing but aborts */
	faults(p, 50, 0, 150);
	faults(th, 50, 0, 150);
	next();
	assert_int_equal(added(p), 0);
	assert_int_equal(added(th), 0);
	assert_int_equal(t.held, 150);
	/* its 128th */
	faults(p, 78, 0, 222);
	faults(th, 78, 0, 222);
	next();
	assert_int_equal(t.held, 0);
	for (size_t i = 0; i < 2; i++) {
		const struct item *e = i ? th : p;

		assert_int_equal(e->base[BASE_UNSEEN + BASE_HITS], 372);
		assert_int_equal(added(e), 372);
		assert_int_equal(e->base[BASE_BORROWED], 0);
	}
}

static void divided_as_the_sample_and_reasons_are_inferred(void **state)
{
	struct item *p = process(1);

	(void)state;
	faults(p, 150, 50, 601);
	next();
	assert_int_equal(p->base[BASE_UNSEEN + BASE_ABORTS] + p->base[BASE_UNSEEN + BASE_HITS], 601);
	assert_int_equal(p->base[BASE_UNSEEN + BASE_ABORTS], 150);
	assert_int_equal(reasons(p, true), 50);
	assert_int_equal(reasons(p, false), 150);
}

static void a_sample_stands_for_two_seconds(void **state)
{
	struct item *p = process(1);

	(void)state;
	faults(p, 0, 200, 0);
	next();
	for (int i = 0; i < 2; i++) {
		faults(p, 0, 0, 10);
		next();
	}
	assert_int_equal(p->base[BASE_UNSEEN + BASE_ABORTS], 20);
	faults(p, 0, 0, 30);
	next();
	assert_int_equal(t.held, 30);
	/* what it did by then is told by what is seen next */
	faults(p, 128, 0, 2);
	next();
	assert_int_equal(p->base[BASE_UNSEEN + BASE_ABORTS], 20);
	assert_int_equal(p->base[BASE_UNSEEN + BASE_HITS], 32);
}

static void changes_of_the_mix_are_followed(void **state)
{
	struct item *p = process(1);

	(void)state;
	for (int i = 0; i < 10; i++) {
		faults(p, i % 2 ? 0 : 1000, i % 2 ? 1000 : 0, 100 * i);
		next();
	}
	assert_int_equal(p->base[BASE_UNSEEN + BASE_HITS], 100 * (0 + 2 + 4 + 6 + 8));
	assert_int_equal(p->base[BASE_UNSEEN + BASE_ABORTS], 100 * (1 + 3 + 5 + 7 + 9));
}

static void seen_before_the_task_counts_it(void **state)
{
	struct item *p = process(1);

	(void)state;
	p->base[BASE_TASK_FAULTS] += 10; /* held */
	next();
	assert_int_equal(t.held, 10);
	seen(p, 4, 0); /* of those */
	next();
	assert_int_equal(t.held, 6);
	seen(p, 200, 0);
	p->base[BASE_TASK_FAULTS] += 199;
	next();
	assert_int_equal(added(p), 5);
	assert_int_equal(p->base[BASE_TASK_FAULTS], 204 + 5);
}

/* ---- the end */

static void an_end_takes_its_own_when_there_are_16(void **state)
{
	struct item *p = process(1), *q = process(2), *host = process(3);

	(void)state;
	faults(host, 0, 1000, 0);
	faults(p, 16, 0, 100);
	faults(q, 15, 0, 100);
	next();
	assert_int_equal(t.held, 200);
	p->gone = q->gone = true;
	next();
	assert_int_equal(t.held, 0);
	assert_int_equal(p->base[BASE_UNSEEN + BASE_HITS], 100);
	assert_int_equal(p->base[BASE_BORROWED], 0);
	/* the host: 1000 aborts and 31 hits of these two */
	assert_int_equal(added(q), 100);
	assert_int_equal(q->base[BASE_UNSEEN + BASE_HITS], 3);
	assert_int_equal(q->base[BASE_BORROWED], 100);
	next();
	assert_int_equal(added(p) + added(q), 200);
}

static void back_for_good_nothing_is_held(void **state)
{
	struct item *p = process(1), *th = thread(1, 1);

	(void)state;
	faults(p, 20, 0, 40);
	faults(th, 20, 0, 40);
	next();
	duty.step = VML_DUTY_FULL;
	duty.attached = true;
	next();
	assert_int_equal(t.held, 0);
	assert_int_equal(p->base[BASE_UNSEEN + BASE_HITS], 40);
	assert_int_equal(th->base[BASE_UNSEEN + BASE_HITS], 40);
	/* the tasks' own counts are another thing from then on */
	faults(p, 1, 0, 1000);
	next();
	assert_int_equal(added(p), 40);
}

static void off_is_not_known(void **state)
{
	struct item *p = process(1);

	(void)state;
	faults(p, 1000, 0, 100);
	next();
	duty.step = VML_DUTY_OFF;
	faults(p, 0, 0, 10);
	next();
	assert_int_equal(p->base[BASE_UNSEEN + BASE_HITS], 100);
	assert_int_equal(p->base[BASE_UNKNOWN], 10);
}

/* ---- areas */

static void areas_have_their_share(void **state)
{
	struct item *p = process(1), *a = area(1, AREA), *b = area(1, 2 * AREA);

	(void)state;
	for (int i = 0; i < 3; i++) {
		faults(p, 60, 20, 240);
		seen(a, 60, 0);
		seen(b, 0, 20);
		next();
	}
	/* of the second pass on: two passes are a sample, the third goes by it */
	assert_int_equal(added(p), 720);
	assert_int_equal(a->base[BASE_UNSEEN + BASE_HITS], 540);
	assert_int_equal(b->base[BASE_UNSEEN + BASE_ABORTS], 180);
	assert_int_equal(added(a) + added(b), 720);
}

#define T(name) cmocka_unit_test_setup_teardown(name, world, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(a_sum_is_exact_and_no_part_is_favoured),
		T(large_numbers_do_not_overflow),
		T(without_a_sample_nothing_is_counted),
		T(divided_as_the_sample_and_reasons_are_inferred),
		T(a_sample_stands_for_two_seconds),
		T(changes_of_the_mix_are_followed),
		T(seen_before_the_task_counts_it),
		T(an_end_takes_its_own_when_there_are_16),
		T(back_for_good_nothing_is_held),
		T(off_is_not_known),
		T(areas_have_their_share),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
