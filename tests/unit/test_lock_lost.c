// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Random schedules of threads over locks through the programs themselves
 * (bpf/lock.bpf.c), with every event seen and with one in twenty lost.
 */
#include "lock.h"

#define LOCKS 3
#define MOVING 11 /* tasks; the last is of none of the processes whose locks these are */
#define STEPS 200000

enum state { IDLE, WAITING, READING, WRITING };

struct actor {
	enum state state;
	int lock;
	bool write;
};

struct play {
	struct actor actor[MOVING];
	uint64_t random;
	uint32_t lose; /* one event in so many; 0: none */
};

static bool seen(struct play *p)
{
	return !p->lose || unit_below(&p->random, p->lose);
}

static int count(const struct play *p, int lock, enum state state)
{
	int n = 0;

	for (int i = 0; i < MOVING; i++)
		n += p->actor[i].lock == lock && p->actor[i].state == state;
	return n;
}

static bool is_free(const struct play *p, int lock, bool write)
{
	return !count(p, lock, WRITING) && (!write || !count(p, lock, READING));
}

static void let_go(struct play *p, int i)
{
	struct actor *a = &p->actor[i];

	if (seen(p))
		lets_go(i, a->lock, a->state == WRITING);
	else
		unseen_lets_go(a->lock);
	a->state = IDLE;
}

static void try_to_get(struct play *p, int i)
{
	struct actor *a = &p->actor[i];

	if (!unit_below(&p->random, 8)) { /* a trylock, or it is killed */
		a->state = IDLE;
		if (seen(p))
			fails(i, a->lock, a->write);
	} else if (is_free(p, a->lock, a->write)) {
		a->state = a->write ? WRITING : READING;
		if (seen(p))
			gets(i, a->lock, a->write);
		else
			unseen_gets(a->lock);
	}
}

static void step(struct play *p)
{
	int i = (int)unit_below(&p->random, MOVING);
	struct actor *a = &p->actor[i];

	passes(unit_below(&p->random, 4) * unit_below(&p->random, 30));
	switch (a->state) {
	case IDLE:
		a->lock = (int)unit_below(&p->random, LOCKS);
		a->write = unit_below(&p->random, 3) == 0;
		a->state = WAITING;
		if (seen(p))
			asks(i, a->lock, a->write);
		break;
	case WAITING:
		try_to_get(p, i);
		break;
	case WRITING:
		if (!unit_below(&p->random, 4)) {
			a->state = READING;
			if (seen(p))
				downgrades(i, a->lock);
			break;
		}
		/* fallthrough */
	case READING:
		let_go(p, i);
		break;
	}
}

static void everybody_lets_go(struct play *p)
{
	for (int i = 0; i < MOVING; i++) {
		if (p->actor[i].state == WAITING)
			fails(i, p->actor[i].lock, p->actor[i].write);
		else if (p->actor[i].state != IDLE)
			let_go(p, i);
		p->actor[i].state = IDLE;
	}
}

static void run(struct play *p, uint32_t steps)
{
	for (uint32_t i = 0; i < steps; i++) {
		step(p);
		if (i % 16 == 0)
			for (int k = 0; k < LOCKS; k++)
				if (record(k))
					ledger(k); /* the identity */
	}
	everybody_lets_go(p);
}

struct sums {
	uint64_t waited, ledger_waited, blamed, ledger_blamed, lost;
};

static struct sums sums(void)
{
	struct sums s = { .lost = lost_at_all() };
	struct vml_blocker_value rows;
	struct vml_blocker_key key;

	for (int i = 0; i < MOVING; i++)
		s.waited += waited(i);
	for (int k = 0; k < LOCKS; k++) {
		s.ledger_waited += ledger(k).waited_ns;
		s.ledger_blamed += ledger(k).blamed_ns;
	}
	charged(0, &key, &rows);
	s.blamed = rows.blamed_ns;
	return s;
}

static void crowd(struct play *p, uint64_t seed)
{
	*p = (struct play){ .random = seed };
	for (int i = LOCKS; i < MOVING - 1; i++)
		thread_of(i, i % LOCKS);
}

/* From @before to @now nothing was lost, and rows and ledgers have seen the same. */
static void is_exact(const struct sums *before, const struct sums *now)
{
	assert_int_equal(now->lost, before->lost);
	assert_true(now->blamed > before->blamed);
	assert_int_equal(now->blamed - before->blamed, now->ledger_blamed - before->ledger_blamed);
	assert_int_equal(now->waited - before->waited, now->ledger_waited - before->ledger_waited);
}

static void all_seen(void **state)
{
	static const struct sums nothing;
	struct sums end;
	struct play p;

	(void)state;
	crowd(&p, 88172645463325252ULL);
	run(&p, STEPS);
	end = sums();
	is_exact(&nothing, &end);
	for (int k = 0; k < LOCKS; k++)
		nobody_is_left(k);
}

/* What was lost is put right by the next event of each thread at that lock; from then on all is exact. */
static void some_lost(void **state)
{
	struct sums middle, end;
	struct play p;

	(void)state;
	crowd(&p, 4101842887655102017ULL);
	p.lose = 20;
	run(&p, STEPS);
	p.lose = 0;
	everybody_lets_go(&p);
	for (int i = 0; i < MOVING; i++) {
		for (int k = 0; k < LOCKS; k++) {
			takes(i, k, false);
			lets_go(i, k, false);
		}
	}
	for (int k = 0; k < LOCKS; k++)
		nobody_is_left(k);
	assert_true(lost(VML_LOSS_LOCK_UNMATCHED) > 1000);
	assert_true(lost(VML_LOSS_LEDGER_HEALED) > 1000);
	assert_true(lost(VML_LOSS_LEDGER_STALE) > 10);
	middle = sums();
	assert_true(middle.blamed <= middle.ledger_blamed);
	run(&p, STEPS);
	end = sums();
	is_exact(&middle, &end);
	for (int k = 0; k < LOCKS; k++)
		nobody_is_left(k);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(all_seen, world),
		cmocka_unit_test_setup(some_lost, world),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
