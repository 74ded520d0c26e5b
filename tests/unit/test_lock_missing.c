// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * What is done when an event of mmap_lock is missing, when there are too many at once,
 * and when somebody looks in between: the rules at the top of bpf/lock.bpf.c, in the
 * programs themselves.
 */
#include "lock.h"

/* ---- events that are missing */

/* It got the lock, unseen: the wait ends when it lets go; what was waited for is nobody's. */
static void acquisition_lost(void **state)
{
	(void)state;
	thread_of(1, 0);
	takes(0, 0, READ);
	lets_go(0, 0, READ);
	asks(0, 0, WRITE);
	unseen_gets(0);
	asks(1, 0, READ);
	passes(10);
	assert_int_equal(ledger(0).waiting, 2);
	lets_go(0, 0, WRITE);
	assert_int_equal(ledger(0).waiting, 1);
	assert_int_equal(waited(0), 10);
	assert_int_equal(held(0), 0);
	assert_int_equal(thread[0].slot[0].mm, 0);
	assert_int_equal(lost(VML_LOSS_LOCK_UNMATCHED), 1);
	gets(1, 0, READ);
	lets_go(1, 0, READ);
	assert_int_equal(ledger(0).handover_ns, 20);
	assert_int_equal(blamed(0), 0);
	nobody_is_left(0);
	assert_int_equal(lost_at_all(), 1);
}

/* The same, and the next is a start: that wait ends, another begins. */
static void end_of_wait_lost(void **state)
{
	(void)state;
	asks(0, 0, READ);
	passes(10);
	asks(0, 0, WRITE);
	assert_int_equal(waited(0), 10);
	assert_int_equal(ledger(0).waiting, 1);
	assert_int_equal(lost(VML_LOSS_LOCK_UNMATCHED), 1);
	passes(5);
	gets(0, 0, WRITE);
	assert_int_equal(thread[0].lock[VML_MMAP_READ_WAIT].sum_ns, 10);
	assert_int_equal(thread[0].lock[VML_MMAP_WRITE_WAIT].sum_ns, 5);
	lets_go(0, 0, WRITE);
	nobody_is_left(0);
	assert_int_equal(lost_at_all(), 1);
}

/* Its thread takes it again: the hold before is over, and what it was charged is nobody's. */
static void release_lost(void **state)
{
	(void)state;
	thread_of(1, 0);
	takes(0, 0, WRITE);
	asks(1, 0, READ);
	passes(10);
	unseen_lets_go(0);
	passes(5);
	gets(1, 0, READ); /* excluded by what is recorded: healed */
	assert_int_equal(lost(VML_LOSS_LEDGER_HEALED), 1);
	assert_int_equal(ledger(0).handover_ns, 15);
	assert_int_equal(ledger(0).holding, 1);
	lets_go(1, 0, READ);
	takes(0, 0, READ);
	assert_int_equal(lost(VML_LOSS_LOCK_UNMATCHED), 1);
	assert_int_equal(thread[0].lock[VML_MMAP_WRITE_HOLD].count, 0);
	lets_go(0, 0, READ);
	assert_int_equal(blamed(0), 0);
	nobody_is_left(0);
}

/* Readers that are not there any more exclude a writer, and a free lock has no holders. */
static void healed(void **state)
{
	(void)state;
	thread_of(1, 0);
	thread_of(2, 0);
	takes(0, 0, READ);
	unseen_lets_go(0);
	asks(1, 0, WRITE);
	assert_int_equal(lost(VML_LOSS_LEDGER_HEALED), 1);
	assert_int_equal(ledger(0).holding, 0);
	gets(1, 0, WRITE);
	asks(2, 0, READ);
	passes(4);
	/* the first one's release, after all: it is not of this holder */
	fake.current = &task[0];
	core_lock_released(NULL, &mm[0], READ);
	assert_int_equal(lost(VML_LOSS_LEDGER_STALE), 1);
	assert_int_equal(ledger(0).holding, 1);
	lets_go(1, 0, WRITE);
	assert_int_equal(blamed(0), 0);
	assert_int_equal(blamed(1), 4);
	gets(2, 0, READ);
	unseen_lets_go(0);
	takes(1, 0, WRITE); /* the word said that it was free when it asked */
	assert_int_equal(lost(VML_LOSS_LEDGER_HEALED), 2);
	lets_go(1, 0, WRITE);
	nobody_is_left(0);
}

/* mmap_read_unlock_non_owner: whoever runs then lets go of what it does not have. */
static void released_by_another(void **state)
{
	(void)state;
	takes(1, 1, READ); /* has a past: not in flight since before the start */
	lets_go(1, 1, READ);
	takes(0, 0, READ);
	passes(10);
	lets_go(1, 0, READ);
	assert_int_equal(lost(VML_LOSS_LOCK_UNMATCHED), 1);
	assert_int_equal(thread[1].slot[0].mm, 0);
	assert_int_equal(ledger(0).holding, 1);
	/* the next who asks finds it free */
	thread_of(2, 0);
	asks(2, 0, WRITE);
	assert_int_equal(lost(VML_LOSS_LEDGER_HEALED), 1);
	gets(2, 0, WRITE);
	lets_go(2, 0, WRITE);
	nobody_is_left(0);
	/* and the first one has no hold that goes on for ever */
	takes(0, 0, READ);
	lets_go(0, 0, READ);
	assert_int_equal(held(0), 0);
	assert_int_equal(thread[0].slot[0].mm, 0);
}

/* Held, or asked for, before the program started. */
static void in_flight_at_the_start(void **state)
{
	(void)state;
	thread_of(1, 0);
	unseen_gets(0);
	asks(1, 0, READ);
	passes(8);
	lets_go(0, 0, WRITE);
	assert_int_equal(lost(VML_LOSS_LOCK_INFLIGHT), 1);
	assert_int_equal(lost(VML_LOSS_LOCK_UNMATCHED), 0);
	gets(1, 0, READ);
	assert_int_equal(ledger(0).handover_ns, 8);
	lets_go(1, 0, READ);
	gets(3, 0, WRITE); /* its wait began before */
	assert_int_equal(lost(VML_LOSS_LOCK_INFLIGHT), 2);
	assert_int_equal(waited(3), 0);
	asks(1, 0, READ);
	passes(2);
	lets_go(3, 0, WRITE);
	assert_int_equal(blamed(3), 2);
	assert_int_equal(held(3), 2);
	gets(1, 0, READ);
	lets_go(1, 0, READ);
	nobody_is_left(0);
}

static void ends_while_it_waits(void **state)
{
	(void)state;
	thread_of(1, 0);
	takes(0, 0, WRITE);
	asks(1, 0, READ);
	passes(10);
	ends(1);
	assert_int_equal(ledger(0).waiting, 0);
	assert_int_equal(waited(1), 10);
	passes(10);
	lets_go(0, 0, WRITE);
	assert_int_equal(blamed(0), 10);
	assert_int_equal(lost(VML_LOSS_LOCK_UNMATCHED), 1);
	nobody_is_left(0);
}

static void ends_while_it_holds(void **state)
{
	(void)state;
	thread_of(1, 0);
	takes(0, 0, READ);
	asks(1, 0, WRITE);
	passes(10);
	ends(0);
	unseen_lets_go(0);
	gets(1, 0, WRITE);
	lets_go(1, 0, WRITE);
	assert_int_equal(blamed(0), 0);
	assert_int_equal(ledger(0).handover_ns, 10);
	assert_int_equal(lost(VML_LOSS_LOCK_UNMATCHED), 1);
	assert_int_equal(lost(VML_LOSS_LEDGER_HEALED), 0);
	nobody_is_left(0);
}

/* An NMI asks for it while its thread's own event is being counted. */
static void nested(void **state)
{
	(void)state;
	thread[0].lock_busy = 1;
	takes(0, 0, READ);
	assert_null(record(0));
	assert_int_equal(lost(VML_LOSS_LOCK_NESTED), 2);
	assert_int_equal(thread[0].lock_events, 0);
	assert_int_equal(thread[0].lock_busy, 1);
}

/* ---- a fourth lock at once */

static void slots_of_the_living(void **state)
{
	(void)state;
	for (int m = 0; m < VML_SLOTS; m++)
		takes(0, m, READ);
	asks(0, VML_SLOTS, READ);
	gets(0, VML_SLOTS, READ);
	lets_go(0, VML_SLOTS, READ);
	assert_null(record(VML_SLOTS)); /* not followed */
	assert_int_equal(lost(VML_LOSS_LOCK_SLOTS), 2);
	for (int m = 0; m < VML_SLOTS; m++) {
		assert_int_equal(ledger(m).holding, 1);
		lets_go(0, m, READ);
		nobody_is_left(m);
	}
}

/* All are left from ends that were not seen: the oldest go. */
static void slot_reclaimed(void **state)
{
	(void)state;
	thread_of(1, 0);
	takes(0, 0, READ);
	asks(1, 0, WRITE);
	asks(0, 1, READ);
	unseen_lets_go(0);
	passes(SLOT_OLD_NS + 1);
	asks(0, 2, READ);
	passes(10);
	takes(0, 3, WRITE);
	assert_int_equal(lost(VML_LOSS_LOCK_SLOTS), 1);
	assert_int_equal(thread[0].slot[0].mm, (__u64)&mm[3]);
	assert_int_equal(ledger(0).holding, 0);
	assert_int_equal(ledger(0).handover_ns, SLOT_OLD_NS + 11); /* what it was charged */
	takes(0, 4, WRITE); /* a wait goes, too */
	assert_int_equal(thread[0].slot[1].mm, (__u64)&mm[4]);
	assert_int_equal(ledger(1).waiting, 0);
	assert_int_equal(waited(0), SLOT_OLD_NS + 11);
	lets_go(0, 3, WRITE);
	lets_go(0, 4, WRITE);
	gets(0, 2, READ);
	lets_go(0, 2, READ);
	nobody_is_left(2);
	nobody_is_left(3);
	nobody_is_left(4);
}

/* ---- what goes on when somebody looks */

/* Charged up to then, once, and not as a hold. */
static void goes_on(void **state)
{
	struct vml_task_record r;

	(void)state;
	thread_of(1, 0);
	takes(0, 0, WRITE);
	asks(1, 0, READ);
	passes(30);
	r = looks_at(0);
	assert_int_equal(r.now.blamed_ns, 30);
	assert_int_equal(r.now.hold_ns, 30);
	assert_int_equal(r.now.victims, 1);
	assert_int_equal(r.now.holds.tid, FIRST);
	assert_int_equal(r.now.holds.doing, VML_DOING(VML_DOING_SYSCALL, NR_MADVISE));
	assert_int_equal(r.now.holds.target.pid, FIRST);
	assert_int_equal(r.lock[VML_MMAP_WRITE_HOLD].sum_ns, 30);
	assert_int_equal(r.lock[VML_MMAP_WRITE_HOLD].count, 0);
	r = looks_at(1);
	assert_int_equal(r.now.wait_ns, 30);
	assert_int_equal(r.now.wait_target.pid, FIRST);
	assert_int_equal(r.lock[VML_MMAP_READ_WAIT].sum_ns, 30);
	assert_int_equal(blamed(0), 0);
	passes(12);
	lets_go(0, 0, WRITE);
	assert_int_equal(blamed(0), 42);
	gets(1, 0, READ);
	lets_go(1, 0, READ);
	assert_int_equal(waited(1), 42);
	assert_int_equal(looks_at(0).now.hold_ns, 0);
	assert_int_equal(looks_at(1).now.wait_ns, 0);
	assert_int_equal(lost_at_all(), 0);
}

static void let_go_meanwhile(void)
{
	lets_go(0, 0, WRITE);
}

static void took_it_again_meanwhile(void)
{
	lets_go(0, 0, WRITE);
	calls(0, NR_MMAP, 0, 0x1000, 0);
	passes(1);
	takes(0, 0, WRITE);
	passes(3);
	asks(3, 0, READ); /* brings the ledger up to now: the new hold has lasted */
	fails(3, 0, READ);
}

/*
 * What a thread does is read before its ledger is locked: a hold that ended in
 * between, or is another one by then, is not charged for it.
 */
static void ends_while_it_is_looked_at(void **state)
{
	(void)state;
	thread_of(1, 0);
	takes(0, 0, WRITE);
	asks(1, 0, READ);
	passes(30);
	fake.locked = let_go_meanwhile;
	assert_int_equal(looks_at(0).now.hold_ns, 0);
	assert_int_equal(blamed(0), 30);
	gets(1, 0, READ);
	lets_go(1, 0, READ);

	takes(0, 0, WRITE);
	asks(1, 0, READ);
	passes(30);
	fake.locked = took_it_again_meanwhile;
	assert_int_equal(looks_at(0).now.hold_ns, 0);
	assert_int_equal(blamed(0), 60);
	passes(5);
	assert_int_equal(looks_at(0).now.blamed_ns, 8);
	assert_int_equal(looks_at(0).now.holds.doing, VML_DOING(VML_DOING_SYSCALL, NR_MMAP));
	assert_int_equal(lost_at_all(), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(acquisition_lost),
		T(end_of_wait_lost),
		T(release_lost),
		T(healed),
		T(released_by_another),
		T(in_flight_at_the_start),
		T(ends_while_it_waits),
		T(ends_while_it_holds),
		T(nested),
		T(slots_of_the_living),
		T(slot_reclaimed),
		T(goes_on),
		T(ends_while_it_is_looked_at),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
