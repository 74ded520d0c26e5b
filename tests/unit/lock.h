/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef VMALOCK_UNIT_LOCK_H
#define VMALOCK_UNIT_LOCK_H
/*
 * bpf/lock.bpf.c and bpf/blame.bpf.c in user space, with tasks and address spaces
 * that the test moves: asks(), gets(), fails() and lets_go() are the events of
 * mmap_lock as the kernel passes them, and each moves the lock word as the kernel
 * does; the same with unseen_ in front move the word alone: the event was lost.
 *
 * Task i has tid and pid 100 + i unless thread_of() put it into another process, and
 * runs with the address space of its process, mm[pid - 100].  Time stands still
 * but for passes().  For one .c file.
 */
#include "unit.h"

/* attributes and pragmas of clang, and what its -Wall leaves out */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wsign-compare"
#pragma GCC diagnostic ignored "-Wattributes"
#pragma GCC diagnostic ignored "-Wunknown-pragmas"
#include "blame.bpf.c"
#include "lock.bpf.c"
#include "goes_on.bpf.c"
#pragma GCC diagnostic pop

#define T(name) cmocka_unit_test_setup(name, world)
#define READ false
#define WRITE true
#define TASKS 12
#define FIRST 100
#define OBSERVER (FIRST + TASKS - 1)

static struct task_struct task[TASKS];
static struct mm_struct mm[TASKS];
static struct vml_thread thread[TASKS];

/* ---- what the rest of the programs does */

struct vml_threads threads;
struct vml_counters counters;
const volatile __u32 self_tgid = OBSERVER;
const volatile __u32 have_outcome;
volatile __u32 enabled = 1, watching;
__u64 rows_bytes;
const volatile __u64 rows_limit = UINT64_MAX;

static struct {
	struct vml_ledger_sum gone; /* of ledgers that ended */
	struct vml_proc_key owner, known;
	__u32 ended, knows;
} processes;

__hidden struct vml_thread *core_thread(struct task_struct *t)
{
	return t->storage;
}

__hidden __u8 core_lock_context(void *ctx, struct task_struct *t, struct vml_thread *th)
{
	(void)ctx, (void)t;
	return VML_FAULT_STATE(th->fault) == VML_FAULT_USER ? VML_WAIT_OF_FAULT : VML_WAIT_PLAIN;
}

__u32 core_hist_index(__u64 ns)
{
	return ns % VML_HIST_BUCKETS;
}

int core_account_bucket(struct vml_thread *th, __u32 which, __u64 ns)
{
	th->hist[which][core_hist_index(ns)]++;
	return 0;
}

int core_account(struct vml_thread *th, __u32 which, __u64 ns)
{
	core_sum_add(&th->lock[which], ns);
	return core_account_bucket(th, which, ns);
}

__hidden int core_inner_exit(__u32 reason, __u64 ret)
{
	(void)reason, (void)ret;
	return 0;
}

__hidden int vma_settle(struct vml_thread *th)
{
	(void)th;
	return 0;
}

__hidden int vma_wait(struct vml_thread *th, __u64 ns)
{
	(void)th, (void)ns;
	return 0;
}

__hidden int process_know(struct task_struct *t, struct vml_proc_key *key)
{
	assert_int_equal(t->tgid, key->pid);
	processes.known = *key;
	processes.knows++;
	return 0;
}

__hidden int process_add_ledger(struct vml_proc_key *owner, struct vml_ledger_sum *sum)
{
	processes.owner = *owner;
	processes.gone.waited_ns += sum->waited_ns;
	processes.gone.blamed_ns += sum->blamed_ns;
	processes.gone.handover_ns += sum->handover_ns;
	processes.gone.error_ns += sum->error_ns;
	processes.ended++;
	return 0;
}

/* ---- tasks */

static inline void thread_of(int i, int leader)
{
	task[i].pid = FIRST + i;
	task[i].tgid = FIRST + leader;
	task[i].group_leader = &task[leader];
	task[i].start_boottime = 1000 + i;
	task[i].mm = &mm[leader];
	task[i].storage = &thread[i];
	snprintf(task[i].comm, sizeof(task[i].comm), "task%d", i);
	mm[leader].owner = &task[leader];
	thread[i].tid = FIRST + i;
	thread[i].start_ns = 1000 + i;
	thread[i].row.proc = (struct vml_proc_key){ .start_ns = 1000 + leader, .pid = FIRST + leader };
}

/* In a system call, or in user mode (VML_NO_SYSCALL). */
static inline void calls(int i, int nr, __u64 arg0, __u64 arg1, __u64 arg3)
{
	struct pt_regs *r = &task[i].regs;

	*r = (struct pt_regs){ .orig_ax = nr, .syscallno = nr };
	r->di = r->orig_x0 = arg0;
	r->si = r->regs[1] = arg1;
	r->r10 = r->regs[3] = arg3;
}

static inline int world(void **state)
{
	(void)state;
	fake_reset();
	memset(&processes, 0, sizeof(processes));
	memset(task, 0, sizeof(task));
	memset(mm, 0, sizeof(mm));
	memset(thread, 0, sizeof(thread));
	for (int i = 0; i < TASKS; i++) {
		thread_of(i, i);
		calls(i, NR_MADVISE, 0x1000 * (i + 1), 0x1000, 0);
	}
	fake.now = 1000000;
	stacks_over_ns = ~0ULL;
	return 0;
}

static inline void passes(__u64 ns)
{
	fake.now += ns;
}

/* ---- events: task @i, lock @m */

static inline void asks(int i, int m, bool write)
{
	fake.current = &task[i];
	core_lock_start(NULL, &mm[m], write);
}

static inline void unseen_gets(int m)
{
	mm[m].mmap_lock.count.counter++;
}

static inline void gets(int i, int m, bool write)
{
	fake.current = &task[i];
	unseen_gets(m);
	core_lock_acquired(NULL, &mm[m], write, true);
}

static inline void fails(int i, int m, bool write)
{
	fake.current = &task[i];
	core_lock_acquired(NULL, &mm[m], write, false);
}

static inline void unseen_lets_go(int m)
{
	mm[m].mmap_lock.count.counter--;
}

static inline void lets_go(int i, int m, bool write)
{
	fake.current = &task[i];
	core_lock_released(NULL, &mm[m], write);
	unseen_lets_go(m);
}

/* Without a wait. */
static inline void takes(int i, int m, bool write)
{
	asks(i, m, write);
	gets(i, m, write);
}

static inline void downgrades(int i, int m)
{
	fake.current = &task[i];
	core_lock_acquired(NULL, &mm[m], false, true);
}

static inline void ends(int i)
{
	fake.current = &task[i];
	lock_forget(&thread[i]);
}

/* ---- what is recorded */

static inline struct vml_mm *record(int m)
{
	__u64 key = (__u64)&mm[m];

	return bpf_map_lookup_elem(&ledgers, &key);
}

/* The ledger of lock @m up to now.  The identity holds, whatever happened. */
static inline struct vml_ledger ledger(int m)
{
	struct vml_ledger l;

	assert_non_null(record(m));
	l = record(m)->ledger;
	vml_ledger_advance(&l, fake.now);
	assert_int_equal(vml_ledger_error(&l), 0);
	return l;
}

static inline void nobody_is_left(int m)
{
	struct vml_ledger l = ledger(m);

	assert_int_equal(l.waiting, 0);
	assert_int_equal(l.holding, 0);
	assert_int_equal(l.foreign, 0);
	assert_int_equal(l.outside, 0);
}

static inline __u64 lost(__u32 cause)
{
	return *(__u64 *)bpf_map_lookup_elem(&counters, &cause);
}

static inline __u64 lost_at_all(void)
{
	__u64 n = 0;

	for (__u32 i = 0; i < VML_NCOUNTERS; i++)
		n += lost(i);
	return n;
}

/* The rows of blockers of thread @tid: how many, the last one's key, and their sums; 0: of all. */
static inline int charged(__u32 tid, struct vml_blocker_key *key, struct vml_blocker_value *sum)
{
	int n = 0;

	memset(sum, 0, sizeof(*sum));
	for (size_t i = 0; i < fake.entries; i++) {
		const struct fake_entry *e = &fake.entry[i];
		const struct vml_blocker_value *v = e->value;

		if (e->map != &blockers || !e->key)
			continue;
		if (tid && ((const struct vml_blocker_key *)e->key)->tid != tid)
			continue;
		n++;
		memcpy(key, e->key, sizeof(*key));
		sum->blamed_ns += v->blamed_ns;
		sum->foreign_ns += v->foreign_ns;
		sum->avoidable_ns += v->avoidable_ns;
		sum->victims += v->victims;
		sum->hold.count += v->hold.count;
		sum->hold.sum_ns += v->hold.sum_ns;
		sum->victim = v->victim;
	}
	return n;
}

static inline __u64 blamed(int i)
{
	struct vml_blocker_value sum;
	struct vml_blocker_key key;

	charged(FIRST + i, &key, &sum);
	return sum.blamed_ns;
}

static inline __u64 waited(int i)
{
	return thread[i].lock[VML_MMAP_READ_WAIT].sum_ns + thread[i].lock[VML_MMAP_WRITE_WAIT].sum_ns;
}

static inline __u64 held(int i)
{
	return thread[i].lock[VML_MMAP_READ_HOLD].sum_ns + thread[i].lock[VML_MMAP_WRITE_HOLD].sum_ns;
}

/* What the iterator says of task @i now. */
static inline struct vml_task_record looks_at(int i)
{
	struct vml_task_record r = {};

	memcpy(r.lock, thread[i].lock, sizeof(r.lock));
	lock_goes_on(&task[i], &thread[i], &r);
	return r;
}

#endif
