/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The ledger against a simulator that looks at every nanosecond: tasks over locks,
 * with readers, writers, downgrades, trylocks and waits that are killed.
 */
#include <linux/types.h>
#include <math.h>
#include <stdio.h>

#include "unit.h"
#include "vmalock/ledger.h"

#define TASKS 24
#define LOCKS 5
#define EVENTS 1000000

enum state { IDLE, WAITING, HOLDING };

struct task {
	enum state state;
	uint32_t lock;
	bool write, foreign;
	struct vml_range range;
	struct vml_wait wait;
	struct vml_hold hold;
	/* by the simulator */
	uint64_t waited;
	long double charged, avoidable;
	uint64_t acquisitions; /* of its lock during its hold: each may move less than 1 ns of rest */
};

struct lock {
	struct vml_ledger ledger;
	uint64_t waits, handover, blamed;
	uint32_t most; /* holders at once */
};

struct world {
	struct task task[TASKS];
	struct lock lock[LOCKS];
	uint64_t now, random;
	uint64_t unplaced; /* waits without a place: their avoidable share is not known */
};

static uint32_t count(const struct world *w, uint32_t lock, enum state state)
{
	uint32_t n = 0;

	for (size_t i = 0; i < TASKS; i++)
		n += w->task[i].lock == lock && w->task[i].state == state;
	return n;
}

static const struct task *writer(const struct world *w, uint32_t lock)
{
	for (size_t i = 0; i < TASKS; i++)
		if (w->task[i].lock == lock && w->task[i].state == HOLDING && w->task[i].write)
			return &w->task[i];
	return NULL;
}

static bool outside(const struct task *waiting, const struct task *holder)
{
	return waiting->wait.place && holder->range.end &&
	       (waiting->range.end <= holder->range.start || waiting->range.start >= holder->range.end);
}

/* One nanosecond, as the words of ledger.h say. */
static void tick(struct world *w)
{
	for (uint32_t k = 0; k < LOCKS; k++) {
		uint32_t waiting = count(w, k, WAITING), holding = count(w, k, HOLDING), avoidable = 0;
		const struct task *owner = writer(w, k);
		struct lock *l = &w->lock[k];

		l->waits += waiting;
		if (!holding)
			l->handover += waiting;
		if (holding > l->most)
			l->most = holding;
		for (size_t i = 0; i < TASKS; i++) {
			struct task *t = &w->task[i];

			if (t->lock != k || t->state != WAITING)
				continue;
			t->waited++;
			avoidable += owner && outside(t, owner);
		}
		for (size_t i = 0; i < TASKS; i++) {
			struct task *t = &w->task[i];

			if (t->lock != k || t->state != HOLDING)
				continue;
			t->charged += (long double)waiting / holding;
			if (t->write)
				t->avoidable += avoidable;
		}
	}
	w->now++;
}

static void begin(struct world *w, struct task *t)
{
	t->lock = (uint32_t)unit_below(&w->random, LOCKS);
	t->write = unit_below(&w->random, 3) == 0;
	t->foreign = unit_below(&w->random, 8) == 0;
	t->range.start = unit_below(&w->random, 1000);
	t->range.end = t->range.start + unit_below(&w->random, 200);
	t->waited = 0;
	t->state = WAITING;
	vml_ledger_wait(&w->lock[t->lock].ledger, &t->wait, w->now, t->foreign, &t->range,
			(uint32_t)unit_below(&w->random, 256));
	w->unplaced += !t->wait.place;
}

static void gave_up(struct world *w, struct task *t)
{
	t->state = IDLE;
	assert_int_equal(vml_ledger_wait_end(&w->lock[t->lock].ledger, &t->wait, w->now), t->waited);
}

static void hold(struct world *w, struct task *t)
{
	struct vml_ledger *l = &w->lock[t->lock].ledger;

	for (size_t i = 0; i < TASKS; i++)
		w->task[i].acquisitions += w->task[i].lock == t->lock && w->task[i].state == HOLDING;
	t->state = HOLDING;
	t->charged = 0;
	t->avoidable = 0;
	t->acquisitions = 0;
	vml_ledger_hold(l, &t->hold, w->now, t->write, &t->range, unit_below(&w->random, 50));
}

static void acquired(struct world *w, struct task *t)
{
	assert_int_equal(vml_ledger_wait_end(&w->lock[t->lock].ledger, &t->wait, w->now), t->waited);
	hold(w, t);
}

static void release(struct world *w, struct task *t)
{
	struct lock *l = &w->lock[t->lock];
	struct vml_blame b;

	t->state = IDLE;
	vml_ledger_release(&l->ledger, &t->hold, w->now, &b);
	assert_int_equal(b.victims, count(w, t->lock, WAITING));
	assert_true(b.foreign_ns <= b.blamed_ns && b.watched_ns <= b.hold_ns);
	if (fabsl(b.blamed_ns - t->charged) > (long double)(l->most + t->acquisitions))
		fail_msg("charged %llu, should be %Lf", (unsigned long long)b.blamed_ns, t->charged);
	assert_int_equal(b.avoidable_ns, (uint64_t)t->avoidable);
	l->blamed += b.blamed_ns;
}

static void change(struct world *w)
{
	struct task *t = &w->task[unit_below(&w->random, TASKS)];
	uint32_t holding;

	switch (t->state) {
	case IDLE:
		begin(w, t);
		break;
	case WAITING:
		holding = count(w, t->lock, HOLDING);
		if (!unit_below(&w->random, 10)) /* a trylock that failed, or a signal */
			gave_up(w, t);
		else if (!holding || (!t->write && !writer(w, t->lock)))
			acquired(w, t);
		break;
	case HOLDING:
		if (t->write && !unit_below(&w->random, 4)) { /* downgrade: nobody waits for it */
			release(w, t);
			t->write = false;
			hold(w, t);
		} else {
			release(w, t);
		}
		break;
	}
}

static void check(const struct world *w)
{
	for (uint32_t k = 0; k < LOCKS; k++) {
		struct vml_ledger l = w->lock[k].ledger;

		vml_ledger_advance(&l, w->now);
		assert_int_equal(vml_ledger_error(&l), 0);
		assert_int_equal(vml_ledger_waited(&l), w->lock[k].waits);
		assert_int_equal(l.handover_ns, w->lock[k].handover);
		assert_int_equal(l.blamed_ns, w->lock[k].blamed);
		assert_true(l.runqueue_ns <= l.handover_ns);
		assert_int_equal(l.waiting, count(w, k, WAITING));
		assert_int_equal(l.holding, count(w, k, HOLDING));
		assert_int_equal(l.healed + l.stale + l.clamps, 0);
	}
}

static void against_simulator(void **state)
{
	static struct world w = { .now = 1000, .random = 88172645463325252ULL };

	(void)state;
	for (uint32_t k = 0; k < LOCKS; k++)
		vml_ledger_open(&w.lock[k].ledger, k + 1);
	for (uint32_t i = 0; i < EVENTS; i++) {
		/* often several events in one nanosecond */
		for (uint64_t n = unit_below(&w.random, 3) * unit_below(&w.random, 4); n; n--)
			tick(&w);
		change(&w);
		if (i % 64 == 0)
			check(&w);
	}
	check(&w);
	assert_true(w.unplaced > 1000); /* two of one place, too */
}

/* Events that are lost, come twice or go back in time: nothing is right then but the identity. */
static void whatever_comes(void **state)
{
	struct vml_ledger l = { .id = 1, .epoch = 1 };
	struct vml_wait wait[TASKS] = {};
	struct vml_hold held[TASKS] = {};
	struct vml_blame b;
	uint64_t random = 4101842887655102017ULL, now = 5000, waited = 0, blamed = 0, avoidable = 0;

	(void)state;
	for (uint32_t i = 0; i < EVENTS; i++) {
		size_t t = unit_below(&random, TASKS);
		struct vml_range range = { t * 10, t * 10 + unit_below(&random, 30) };

		now += unit_below(&random, 40) - (unit_below(&random, 10) ? 0 : 15);
		switch (unit_below(&random, 5)) {
		case 0:
			if (!wait[t].since_ns)
				vml_ledger_wait(&l, &wait[t], now, t & 1, &range, (uint32_t)t);
			break;
		case 1:
			if (wait[t].since_ns)
				waited += vml_ledger_wait_end(&l, &wait[t], now);
			break;
		case 2:
		case 3:
			if (held[t].since_ns) {
				vml_ledger_release(&l, &held[t], now, &b);
				blamed += b.blamed_ns;
				avoidable += b.avoidable_ns;
			} else {
				/* even when others hold it for write */
				vml_ledger_hold(&l, &held[t], now, unit_below(&random, 4) == 0, &range,
						unit_below(&random, 1000));
			}
			break;
		default:
			if (held[t].since_ns && unit_below(&random, 50) == 0)
				vml_ledger_heal(&l, now);
			else if (held[t].since_ns && unit_below(&random, 10) == 0)
				vml_ledger_drop(&l, &held[t], now);
		}
		if (vml_ledger_error(&l) || l.runqueue_ns > l.handover_ns ||
		    vml_ledger_avoidable(&l) > vml_ledger_blamed(&l))
			fail_msg("event %u: error %lld", i, (long long)vml_ledger_error(&l));
	}
	assert_int_equal(l.waited_ns, waited);
	assert_int_equal(l.blamed_ns, blamed);
	assert_int_equal(l.avoidable_ns, avoidable);
	assert_true(l.healed > 100 && l.stale > 100 && l.clamps > 100);
	vml_ledger_close(&l, now + 1000);
	assert_int_equal(vml_ledger_error(&l), 0);
	assert_int_equal(l.waiting + l.holding, 0);
}

/* A reader holds, a writer waits, readers queue behind it: the reader pays for all. */
static void convoy(void **state)
{
	static const struct vml_range none;
	struct vml_ledger l = { .id = 1, .epoch = 1 };
	struct vml_wait reader = {}, writer_wait = {}, queue[10] = {};
	struct vml_hold read_hold = {}, write_hold = {};
	struct vml_blame b;

	(void)state;
	vml_ledger_wait(&l, &reader, 100, 0, &none, 0);
	vml_ledger_wait_end(&l, &reader, 100);
	vml_ledger_hold(&l, &read_hold, 100, 0, &none, 0);
	vml_ledger_wait(&l, &writer_wait, 200, 0, &none, 0);
	for (size_t i = 0; i < 10; i++)
		vml_ledger_wait(&l, &queue[i], 300, i == 0, &none, 0);
	vml_ledger_release(&l, &read_hold, 1300, &b);
	assert_int_equal(b.hold_ns, 1200);
	assert_int_equal(b.blamed_ns, 1100 + 10 * 1000);
	assert_int_equal(b.foreign_ns, 1000);
	assert_int_equal(b.watched_ns, 1100);
	assert_int_equal(b.victims, 11);
	/* 40 ns pass before the writer runs: 30 of them it waited for a CPU */
	vml_ledger_wait_end(&l, &writer_wait, 1340);
	vml_ledger_hold(&l, &write_hold, 1340, 1, &none, 30);
	assert_int_equal(l.handover_ns, 11 * 40);
	assert_int_equal(l.runqueue_ns, 11 * 30);
	vml_ledger_release(&l, &write_hold, 1350, &b);
	assert_int_equal(b.blamed_ns, 10 * 10);
	assert_int_equal(vml_ledger_error(&l), 0);
}

/* Only who is known to want something else waits without need. */
static void what_a_finer_lock_would_avoid(void **state)
{
	static const struct vml_range unknown, low = { 0x1000, 0x2000 }, high = { 0x2000, 0x3000 };
	struct vml_ledger l = { .id = 1, .epoch = 1 };
	struct vml_wait first = {}, same = {}, other = {}, nobody = {};
	struct vml_hold hold = {};
	struct vml_blame b;

	(void)state;
	vml_ledger_wait(&l, &first, 10, 0, &high, 1); /* before the writer comes */
	vml_ledger_hold(&l, &hold, 20, 1, &low, 0);
	vml_ledger_wait(&l, &same, 30, 0, &low, 2);
	vml_ledger_wait(&l, &other, 40, 0, &high, 3);
	vml_ledger_wait(&l, &nobody, 40, 0, &unknown, 4);
	vml_ledger_wait_end(&l, &first, 50);
	vml_ledger_release(&l, &hold, 60, &b);
	assert_int_equal(b.avoidable_ns, (50 - 20) + (60 - 40));
	assert_int_equal(b.blamed_ns, (50 - 20) + (60 - 30) + (60 - 40) + (60 - 40));
	assert_int_equal(l.outside, 0);
}

/* A wait for the lock of an mm that was at the same address before. */
static void of_another_ledger(void **state)
{
	static const struct vml_range none;
	struct vml_ledger l = {};
	struct vml_wait wait = {};

	(void)state;
	vml_ledger_open(&l, 7);
	vml_ledger_wait(&l, &wait, 10, 1, &none, 0);
	l = (struct vml_ledger){};
	vml_ledger_open(&l, 8);
	assert_int_equal(vml_ledger_wait_end(&l, &wait, 50), 40);
	assert_int_equal(l.waiting + l.foreign + l.waited_ns, 0);
	assert_int_equal(wait.since_ns, 0);
}

/* A thousand tasks for an hour: nothing overflows. */
static void long_handover(void **state)
{
	static const uint64_t hour = 3600 * 1000000000ULL;
	static const struct vml_range none;
	struct vml_ledger l = { .id = 1, .epoch = 1 };
	struct vml_wait wait[1000] = {};
	struct vml_hold hold = {};

	(void)state;
	for (size_t i = 0; i < 1000; i++)
		vml_ledger_wait(&l, &wait[i], 1, 0, &none, 0);
	vml_ledger_wait_end(&l, &wait[0], 1 + hour);
	vml_ledger_hold(&l, &hold, 1 + hour, 0, &none, hour / 4);
	assert_int_equal(l.handover_ns, 1000 * hour);
	assert_int_equal(l.runqueue_ns, 250 * hour);
	assert_int_equal(vml_ledger_error(&l), 0);
}

static void ranges_are_disjoint(void **state)
{
	static const uint64_t at[] = { 0, 1, 2, 0x1000, 0x1001, VML_RANGE_END - 1, VML_RANGE_END };
	const size_t n = VML_ARRAY_SIZE(at);

	(void)state;
	for (size_t i = 0; i < n * n * n * n; i++) {
		struct vml_range a = { at[i % n], at[i / n % n] }, b = { at[i / n / n % n], at[i / n / n / n] };
		bool apart = a.end && b.end && (a.end <= b.start || b.end <= a.start);

		assert_int_equal(vml_ledger_disjoint(&a, &b), apart);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ranges_are_disjoint),
		cmocka_unit_test(convoy),
		cmocka_unit_test(what_a_finer_lock_would_avoid),
		cmocka_unit_test(of_another_ledger),
		cmocka_unit_test(long_handover),
		cmocka_unit_test(against_simulator),
		cmocka_unit_test(whatever_comes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
