// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * What each event of mmap_lock does to its thread's record and to the ledger, in the
 * programs themselves (bpf/lock.bpf.c); docs/blame.md has the list of cases.  Those
 * in which an event is missing: test_lock_missing.c.
 */
#include <sys/syscall.h>

#include "lock.h"

/* ---- events that fit */

static void who_holds_pays(void **state)
{
	struct vml_blocker_value sum;
	struct vml_blocker_key key;

	(void)state;
	thread_of(1, 0);
	thread_of(2, 0);
	takes(0, 0, READ);
	asks(1, 0, WRITE);
	passes(5);
	asks(2, 0, READ);
	passes(10);
	lets_go(0, 0, READ);
	passes(3);
	gets(1, 0, WRITE);
	passes(4);
	lets_go(1, 0, WRITE);
	gets(2, 0, READ);
	lets_go(2, 0, READ);
	assert_int_equal(charged(FIRST, &key, &sum), 1);
	assert_int_equal(sum.blamed_ns, 5 + 2 * 10);
	assert_int_equal(sum.victims, 2);
	assert_int_equal(sum.hold.sum_ns, 15);
	assert_int_equal(key.doing, VML_DOING(VML_DOING_SYSCALL, NR_MADVISE));
	assert_int_equal(key.write, 0);
	assert_int_equal(key.target.pid, FIRST);
	assert_int_equal(blamed(1), 4);
	assert_int_equal(blamed(2), 0);
	assert_int_equal(waited(1), 5 + 10 + 3);
	assert_int_equal(waited(2), 10 + 3 + 4);
	assert_int_equal(ledger(0).handover_ns, 2 * 3);
	assert_int_equal(ledger(0).waited_ns, waited(1) + waited(2));
	nobody_is_left(0);
	assert_int_equal(lost_at_all(), 0);
}

/* One hold ends and is charged, another begins. */
static void downgrade(void **state)
{
	struct vml_blocker_value sum;
	struct vml_blocker_key key;

	(void)state;
	thread_of(1, 0);
	takes(0, 0, WRITE);
	asks(1, 0, READ);
	passes(10);
	downgrades(0, 0);
	assert_int_equal(charged(FIRST, &key, &sum), 1);
	assert_int_equal(key.write, 1);
	assert_int_equal(sum.blamed_ns, 10);
	gets(1, 0, READ); /* readers share it now */
	assert_int_equal(ledger(0).holding, 2);
	assert_int_equal(ledger(0).writing, 0);
	passes(7);
	lets_go(0, 0, READ);
	lets_go(1, 0, READ);
	assert_int_equal(blamed(0), 10);
	assert_int_equal(thread[0].lock[VML_MMAP_WRITE_HOLD].sum_ns, 10);
	assert_int_equal(thread[0].lock[VML_MMAP_READ_HOLD].sum_ns, 7);
	nobody_is_left(0);
	assert_int_equal(lost_at_all(), 0);
}

/* A trylock that fails, a wait that is killed: the wait ends, and is charged; there is no hold. */
static void given_up(void **state)
{
	(void)state;
	thread_of(1, 0);
	thread_of(2, 0);
	takes(0, 0, WRITE);
	asks(1, 0, READ);
	fails(1, 0, READ);
	assert_int_equal(waited(1), 0);
	asks(2, 0, READ);
	passes(20);
	fails(2, 0, READ);
	assert_int_equal(waited(2), 20);
	assert_int_equal(thread[1].lock_failed + thread[2].lock_failed, 2);
	assert_int_equal(held(1) + held(2), 0);
	assert_int_equal(thread[1].slot[0].mm + thread[2].slot[0].mm, 0);
	lets_go(0, 0, WRITE);
	assert_int_equal(blamed(0), 20);
	nobody_is_left(0);
	assert_int_equal(lost_at_all(), 0);
}

/* fork: the old and the new mm, both for write; each ledger has its own waits. */
static void two_at_once(void **state)
{
	struct vml_blocker_value sum;
	struct vml_blocker_key key;

	(void)state;
	thread_of(1, 0);
	mm[2].owner = NULL; /* not of a process yet */
	calls(0, SYS_clone, 0, 0, 0);
	takes(0, 0, WRITE);
	takes(0, 2, WRITE);
	asks(1, 0, READ);
	asks(3, 2, READ);
	passes(6);
	lets_go(0, 2, WRITE);
	passes(3);
	lets_go(0, 0, WRITE);
	gets(1, 0, READ);
	gets(3, 2, READ);
	lets_go(1, 0, READ);
	lets_go(3, 2, READ);
	assert_int_equal(charged(FIRST, &key, &sum), 2);
	assert_int_equal(sum.blamed_ns, 6 + 9);
	assert_int_equal(sum.foreign_ns, 6);
	assert_int_equal(VML_DOING_NUMBER(key.doing), SYS_clone);
	assert_int_equal(ledger(0).blamed_ns, 9);
	assert_int_equal(ledger(2).blamed_ns, 6);
	assert_int_equal(ledger(2).handover_ns, 3);
	/* the child's first event: from here on the ledger is the child's */
	assert_int_equal(record(2)->owned, 0);
	takes(2, 2, READ);
	lets_go(2, 2, READ);
	assert_int_equal(record(2)->owned, 1);
	assert_int_equal(record(2)->owner.pid, FIRST + 2);
	nobody_is_left(0);
	nobody_is_left(2);
	assert_int_equal(lost_at_all(), 0);
}

/* process_vm_readv, ptrace, /proc: the row says whose lock it was, and who waited from elsewhere. */
static void of_another_process(void **state)
{
	struct vml_blocker_value sum;
	struct vml_blocker_key key;

	(void)state;
	thread_of(1, 0);
	calls(3, NR_PREAD64, 0, 0, 0);
	takes(3, 0, READ);
	asks(1, 0, WRITE);
	asks(4, 0, READ);
	passes(8);
	lets_go(3, 0, READ);
	assert_int_equal(charged(FIRST + 3, &key, &sum), 1);
	assert_int_equal(key.proc.pid, FIRST + 3);
	assert_int_equal(key.target.pid, FIRST);
	assert_int_equal(key.doing, VML_DOING(VML_DOING_SYSCALL, NR_PREAD64));
	assert_int_equal(sum.blamed_ns, 16);
	assert_int_equal(sum.foreign_ns, 8);
	assert_int_equal(sum.victim.pid, FIRST + 4);
	gets(1, 0, WRITE);
	lets_go(1, 0, WRITE);
	gets(4, 0, READ);
	lets_go(4, 0, READ);
	/* and the process got a row, though none of its threads did anything */
	assert_int_equal(processes.knows, 1);
	assert_int_equal(processes.known.pid, FIRST);
	nobody_is_left(0);
	assert_int_equal(lost_at_all(), 0);
}

/* khugepaged: a kernel thread, at the lock of a process that was never seen. */
static void kernel_thread(void **state)
{
	struct vml_blocker_value sum;
	struct vml_blocker_key key;

	(void)state;
	thread_of(1, 0);
	task[5].flags = PF_KTHREAD;
	task[5].mm = NULL;
	calls(5, VML_NO_SYSCALL, 0, 0, 0);
	asks(5, 0, WRITE);
	assert_int_equal(processes.knows, 1);
	assert_int_equal(processes.known.pid, FIRST);
	assert_int_equal(record(0)->owner.pid, FIRST);
	gets(5, 0, WRITE);
	asks(1, 0, READ);
	passes(4);
	lets_go(5, 0, WRITE);
	assert_int_equal(charged(FIRST + 5, &key, &sum), 1);
	assert_int_equal(key.doing, VML_DOING(VML_DOING_KTHREAD, 0));
	assert_int_equal(key.target.pid, FIRST);
	assert_int_equal(sum.blamed_ns, 4);
	gets(1, 0, READ);
	lets_go(1, 0, READ);
	/* once for each address space */
	takes(5, 0, WRITE);
	lets_go(5, 0, WRITE);
	assert_int_equal(processes.knows, 1);
	assert_int_equal(lost_at_all(), 0);
}

/* The observer reads ledgers under their locks: its own lock has none.  Its rows have all. */
static void own_lock(void **state)
{
	int me = OBSERVER - FIRST;

	(void)state;
	thread_of(1, me);
	takes(1, me, WRITE);
	asks(me, me, READ);
	passes(9);
	lets_go(1, me, WRITE);
	gets(me, me, READ);
	passes(2);
	lets_go(me, me, READ);
	assert_null(record(me));
	assert_int_equal(waited(me), 9);
	assert_int_equal(held(1), 9);
	assert_int_equal(held(me), 2);
	assert_int_equal(blamed(1), 0);
	asks(me, me, READ);
	fails(me, me, READ);
	assert_int_equal(thread[me].slot[0].mm, 0);
	assert_int_equal(lost_at_all(), 0);
	/* and it counts itself when it takes that of another */
	takes(me, 0, READ);
	lets_go(me, 0, READ);
	assert_int_equal(lost(VML_COUNTER_FOREIGN), 1);
	nobody_is_left(0);
}

/* ---- address spaces that come and go */

static void mm_ends(void **state)
{
	(void)state;
	thread_of(1, 0);
	takes(0, 0, WRITE);
	asks(1, 0, READ);
	passes(5);
	core_mm_ends(&mm[0]);
	lets_go(0, 0, WRITE);
	assert_null(record(0));
	assert_int_equal(processes.ended, 1);
	assert_int_equal(processes.owner.pid, FIRST);
	assert_int_equal(processes.gone.waited_ns, 5);
	assert_int_equal(processes.gone.blamed_ns, 5);
	assert_int_equal(processes.gone.error_ns, 0);
	/* who still waits gets a lock of the same address: of another ledger */
	passes(995);
	gets(1, 0, READ);
	assert_int_equal(waited(1), 1000);
	assert_int_equal(ledger(0).waited_ns, 0);
	lets_go(1, 0, READ);
	nobody_is_left(0);
	assert_int_equal(lost_at_all(), 0);
}

/* Its end was not seen, and another process has an mm at that address. */
static void mm_is_used_again(void **state)
{
	(void)state;
	takes(0, 0, WRITE);
	asks(3, 0, READ);
	passes(5);
	unseen_lets_go(0);
	task[4].mm = &mm[0];
	mm[0].owner = &task[4];
	takes(4, 0, READ);
	assert_int_equal(processes.owner.pid, FIRST);
	assert_int_equal(processes.gone.waited_ns, 5);
	assert_int_equal(processes.gone.handover_ns, 5); /* nobody saw who let go */
	assert_int_equal(processes.gone.error_ns, 0);
	assert_int_equal(record(0)->owner.pid, FIRST + 4);
	lets_go(4, 0, READ);
	nobody_is_left(0);
}

/* execve: the new image's row has the ledger from then on. */
static void exec(void **state)
{
	(void)state;
	takes(0, 0, WRITE);
	lets_go(0, 0, WRITE);
	thread[0].row.proc.exec = 1;
	lock_exec(&task[0], &thread[0]);
	assert_int_equal(record(0)->owner.exec, 1);
	assert_int_equal(record(0)->owned, 1);
}

/* Another CPU has put the ledger into the map and not given it an id. */
static void ledger_without_id(void **state)
{
	__u64 key = (__u64)&mm[0];

	(void)state;
	thread_of(1, 0);
	bpf_map_update_elem(&ledgers, &key, &empty_mm, BPF_NOEXIST);
	assert_int_equal(record(0)->ledger.id, 0);
	asks(0, 0, READ);
	assert_int_not_equal(record(0)->ledger.id, 0);
	assert_int_equal(record(0)->owner.pid, FIRST);
	assert_int_equal(ledger(0).waiting, 1); /* with 0 it would not have been of this ledger */
	gets(0, 0, READ);
	asks(1, 0, WRITE);
	passes(3);
	lets_go(0, 0, READ);
	gets(1, 0, WRITE);
	lets_go(1, 0, WRITE);
	assert_int_equal(blamed(0), 3);
	nobody_is_left(0);
	assert_int_equal(lost_at_all(), 0);
}

static void no_room(void **state)
{
	struct vml_blocker_value sum;
	struct vml_blocker_key key = {};

	(void)state;
	fake.full = &ledgers;
	takes(0, 0, WRITE);
	passes(4);
	lets_go(0, 0, WRITE);
	assert_int_equal(held(0), 4);
	assert_true(lost(VML_LOSS_LEDGER_MAP_FULL) > 0);
	assert_int_equal(thread[0].slot[0].mm, 0);
	/* (untracked) has its row from the start */
	thread_of(3, 2);
	fake.full = NULL;
	bpf_map_update_elem(&blockers, &key, &empty_blocker, BPF_NOEXIST);
	fake.full = &blockers;
	takes(2, 2, WRITE);
	asks(3, 2, READ);
	passes(6);
	lets_go(2, 2, WRITE);
	assert_int_equal(lost(VML_LOSS_BLOCKER_MAP_FULL), 1);
	assert_int_equal(charged(0, &key, &sum), 1);
	assert_int_equal(key.proc.pid, 0);
	assert_int_equal(sum.blamed_ns, 6);
	assert_int_equal(ledger(2).blamed_ns, 6);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(who_holds_pays),     T(downgrade),	 T(given_up),	       T(two_at_once),
		T(of_another_process), T(kernel_thread), T(own_lock),	       T(mm_ends),
		T(mm_is_used_again),   T(exec),		 T(ledger_without_id), T(no_room),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
