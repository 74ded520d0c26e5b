// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * mmap_lock: every start, acquisition and release finds its thread's open record
 * (struct vml_slot) and the ledger of the mm (vmalock/ledger.h).  What does not fit
 * closes or opens the record by a fixed rule and is counted:
 *
 *	start while waiting		the end of the wait before was lost: it ends here
 *	acquired, neither waiting nor	it asked before the program started: the hold
 *	holding				begins here
 *	acquired for read, holding for	a downgrade: one hold ends, another begins
 *	write
 *	acquired while holding		its release was lost: that hold is dropped
 *	released, not holding		it got it before the program started, or for
 *					somebody else (mmap_read_unlock_non_owner), or
 *					its acquisition was lost: a wait ends here
 *	a thread ends			what it has open is dropped
 *	start, nobody has the lock,	releases were lost: the ledger is healed
 *	and the ledger knows holders
 *	a fourth mm at once		takes the place of one whose end was lost, or is not
 *					followed
 */
#include "core.bpf.h"
#include "compat.bpf.h"

struct vml_ledgers ledgers SEC(".maps");

static const struct vml_mm empty_mm;

/* ---- ledgers */

static __noinline struct vml_mm *ledger_new(struct task_struct *task, struct vml_thread *th, struct mm_struct *mm)
{
	__u64 key = (__u64)mm, now = bpf_ktime_get_ns();
	struct task_struct *owner;
	struct vml_mm *m;

	bpf_map_update_elem(&ledgers, &key, &empty_mm, BPF_NOEXIST);
	m = bpf_map_lookup_elem(&ledgers, &key);
	if (!m) {
		core_lose(VML_LOSS_LEDGER_MAP_FULL);
		return NULL;
	}
	if (mm == task->mm) {
		m->owner = th->row.proc;
		m->owned = 1;
	} else {
		owner = compat_mm_owner(mm);
		if (owner) {
			m->owner.start_ns = owner->group_leader->start_boottime;
			m->owner.pid = owner->tgid;
			m->owner.exec = owner->self_exec_id;
			m->owned = owner->mm == mm;
		}
	}
	bpf_spin_lock(&m->lock);
	if (!m->ledger.id) /* or another CPU was here first */
		vml_ledger_open(&m->ledger, (__u32)(now >> 8) | 1);
	bpf_spin_unlock(&m->lock);
	return m;
}

static __always_inline struct vml_mm *ledger_find(struct mm_struct *mm)
{
	__u64 key = (__u64)mm;

	return bpf_map_lookup_elem(&ledgers, &key);
}

/* After the last release: what it came to goes to the process. */
static __noinline int ledger_end(struct mm_struct *mm)
{
	__u64 key = (__u64)mm, now = bpf_ktime_get_ns();
	struct vml_ledger_sum sum;
	struct vml_proc_key owner;
	struct vml_mm *m;

	m = bpf_map_lookup_elem(&ledgers, &key);
	if (!m)
		return 0;
	owner = m->owner;
	bpf_spin_lock(&m->lock);
	vml_ledger_close(&m->ledger, now);
	sum.waited_ns = vml_ledger_waited(&m->ledger);
	sum.blamed_ns = vml_ledger_blamed(&m->ledger);
	sum.avoidable_ns = m->ledger.outside_ns;
	sum.handover_ns = m->ledger.handover_ns;
	sum.runqueue_ns = m->ledger.runqueue_ns;
	sum.error_ns = vml_ledger_error(&m->ledger);
	bpf_spin_unlock(&m->lock);
	/* out of sight before it appears elsewhere */
	bpf_map_delete_elem(&ledgers, &key);
	return process_add_ledger(&owner, &sum);
}

/*
 * The first event of who runs with @mm after somebody made it; or of a process that
 * shares it, or was given the address of one whose end was not seen.
 */
static __always_inline struct vml_mm *ledger_own(struct task_struct *task, struct vml_thread *th, struct mm_struct *mm,
						 struct vml_mm *m)
{
	struct task_struct *owner;

	if (!m->owned) {
		m->owner = th->row.proc;
		m->owned = 1;
		return m;
	}
	owner = compat_mm_owner(mm);
	if (!owner || (owner->tgid == m->owner.pid && owner->group_leader->start_boottime == m->owner.start_ns))
		return m;
	ledger_end(mm);
	return ledger_new(task, th, mm);
}

static __always_inline struct vml_mm *ledger_get(struct task_struct *task, struct vml_thread *th, struct mm_struct *mm)
{
	struct vml_mm *m = ledger_find(mm);

	/* without an id: another CPU is just making it */
	if (unlikely(!m || !*(volatile __u32 *)&m->ledger.id))
		return ledger_new(task, th, mm);
	if (mm == task->mm && unlikely(!m->owned || m->owner.pid != th->row.proc.pid))
		return ledger_own(task, th, mm, m);
	return m;
}

__hidden int core_mm_ends(struct mm_struct *mm)
{
	struct vml_mm *m;

	if (!enabled)
		return 0;
	m = ledger_find(mm);
	if (m)
		m->ended = 1;
	return 0;
}

__hidden int lock_exec(struct task_struct *task, struct vml_thread *th)
{
	struct vml_mm *m = ledger_find(task->mm);

	if (m) {
		m->owner = th->row.proc;
		m->owned = 1;
	}
	return 0;
}

/* ---- slots */

static __always_inline struct vml_slot *slot_find(struct vml_thread *th, __u64 mm)
{
	for (int i = 0; i < VML_SLOTS; i++)
		if (th->slot[i].mm == mm)
			return &th->slot[i];
	return NULL;
}

/* What @s has open is over; when, was not seen. */
static __noinline int slot_forget(struct vml_thread *th, struct vml_slot *s)
{
	__u64 now = bpf_ktime_get_ns(), mm = s->mm;
	struct vml_mm *m = bpf_map_lookup_elem(&ledgers, &mm);

	if (m) {
		bpf_spin_lock(&m->lock);
		if (s->wait.since_ns)
			core_sum_add(&th->lock[s->wait_write ? VML_MMAP_WRITE_WAIT : VML_MMAP_READ_WAIT],
				     vml_ledger_wait_end(&m->ledger, &s->wait, now));
		if (s->hold.since_ns)
			vml_ledger_drop(&m->ledger, &s->hold, now);
		bpf_spin_unlock(&m->lock);
	}
	s->wait.since_ns = 0;
	s->hold.since_ns = 0;
	s->mm = 0;
	return 0;
}

/*
 * All are taken.  One that is open for so long, in a thread that goes on with others,
 * is left from an end that was not seen: a thread holds several locks only in fork.
 */
#define SLOT_OLD_NS 1000000000ULL
static __noinline struct vml_slot *slot_reclaim(struct vml_thread *th)
{
	__u64 now = bpf_ktime_get_ns();

	core_lose(VML_LOSS_LOCK_SLOTS);
	for (int i = 0; i < VML_SLOTS; i++) {
		struct vml_slot *s = &th->slot[i];
		__u64 since = s->hold.since_ns > s->wait.since_ns ? s->hold.since_ns : s->wait.since_ns;

		if (core_since(now, since) > SLOT_OLD_NS) {
			slot_forget(th, s);
			return s;
		}
	}
	return NULL;
}

static __always_inline struct vml_slot *slot_take(struct vml_thread *th, __u64 mm)
{
	struct vml_slot *s = slot_find(th, mm);

	if (s)
		return s;
	s = slot_find(th, 0);
	if (unlikely(!s))
		s = slot_reclaim(th);
	if (s)
		s->mm = mm;
	return s;
}

static __always_inline void slot_settle(struct vml_slot *s)
{
	if (!s->wait.since_ns && !s->hold.since_ns)
		s->mm = 0;
}

/* An event without its beginning: before the first start it began before us. */
static __always_inline void lose_unmatched(struct vml_thread *th)
{
	core_lose(th->lock_started ? VML_LOSS_LOCK_UNMATCHED : VML_LOSS_LOCK_INFLIGHT);
}

/* ---- events */

/*
 * The observer's own lock has no ledger: it reads the ledgers, each under its lock, and
 * an NMI in that moment may ask for the observer's mmap_lock.
 */
static __always_inline bool is_own(struct vml_thread *th, struct task_struct *task, struct mm_struct *mm)
{
	return unlikely(th->row.proc.pid == self_tgid) && mm == task->mm;
}

static __always_inline int lock_start(void *ctx, struct vml_thread *th, struct mm_struct *mm, bool write)
{
	struct task_struct *task = bpf_get_current_task_btf();
	bool own = mm == task->mm;
	struct vml_range want = {};
	struct vml_slot *s;
	struct vml_mm *m;
	__u32 healed;
	__u64 now;

	th->lock_events++;
	th->lock_started = 1;
	if (unlikely(th->row.proc.pid == self_tgid && !own && task->mm))
		core_lose(VML_COUNTER_FOREIGN);
	s = slot_take(th, (__u64)mm);
	if (!s)
		return 0;
	if (unlikely(s->wait.since_ns))
		core_lose(VML_LOSS_LOCK_UNMATCHED);
	s->context = VML_WAIT_PLAIN;
	if (!write && th->fault != VML_FAULT_NONE && own)
		s->context = core_lock_context(ctx, task, th);
	s->wait_write = write;
	s->wait_delay_ns = compat_run_delay(task);
	m = is_own(th, task, mm) ? NULL : ledger_get(task, th, mm);
	/* its process may have done nothing yet */
	if (m && !own && unlikely(!m->known)) {
		if (compat_mm_owner(mm) && m->owned)
			process_know(compat_mm_owner(mm), &m->owner);
		m->known = 1;
	}
	/* a look without the lock: a wait that begins in an empty queue needs no place there */
	if (m && unlikely(m->ledger.waiting || m->ledger.holding)) {
		if (own)
			blame_range(th, s->context, &want);
		else
			m->victim = th->row.proc;
		if (want.start == want.end)
			want.end = 0; /* a hole: not known where */
	}
	now = bpf_ktime_get_ns();
	if (!m) {
		s->wait.since_ns = now;
		s->wait.id = 0;
		return 0;
	}
	bpf_spin_lock(&m->lock);
	healed = m->ledger.healed;
	if (unlikely(s->wait.since_ns))
		core_sum_add(&th->lock[write ? VML_MMAP_WRITE_WAIT : VML_MMAP_READ_WAIT],
			     vml_ledger_wait_end(&m->ledger, &s->wait, now));
	if (unlikely(m->ledger.holding) && !compat_mmap_lock_taken(mm))
		vml_ledger_heal(&m->ledger, now);
	vml_ledger_wait(&m->ledger, &s->wait, now, !own, &want, th->tid);
	healed = m->ledger.healed - healed;
	bpf_spin_unlock(&m->lock);
	if (unlikely(healed))
		core_lose(VML_LOSS_LEDGER_HEALED);
	return 0;
}

/* What an acquisition found open, and what it is. */
enum { HAD_WAIT = 1, HAD_WRITE = 2, FOR_WRITE = 4, SUCCESS = 8, OWN_MM = 16, NOT_FOLLOWED = 32 };
#define HAD_CONTEXT_SHIFT 8

/* All that follows from an acquisition but the ledger. */
__noinline int lock_follow(struct vml_thread *th, __u32 had)
{
	struct task_struct *task = bpf_get_current_task_btf();
	__u8 context = had >> HAD_CONTEXT_SHIFT;
	bool success = had & SUCCESS;

	if (!th || had & NOT_FOLLOWED)
		return 0;
	if (!(had & (HAD_WAIT | HAD_WRITE)))
		lose_unmatched(th); /* the wait is unknown, the hold begins here */
	if (had & HAD_WAIT)
		core_account_bucket(th, had & FOR_WRITE ? VML_MMAP_WRITE_WAIT : VML_MMAP_READ_WAIT, th->waited_ns);
	if (context == VML_WAIT_OF_FAULT && had & HAD_WAIT) {
		if (success) {
			th->fault = (th->fault & ~0xffU) | VML_FAULT_DONE;
			vma_settle(th);
		}
		vma_wait(th, th->waited_ns);
	} else if (context == VML_WAIT_IN_HANDLER && !success) {
		th->trylock_failed = 1;
	}
	/*
	 * Under the VMA lock only __vmf_anon_prepare asks for mmap_lock, and gives the VMA
	 * lock up when it does not get it.  A hook on that function would run in every
	 * fault of anonymous memory.
	 */
	if (have_outcome && !(had & (FOR_WRITE | SUCCESS)) && had & OWN_MM &&
	    compat_in_fault_handler(task, th->vma_flags, th->vma_file) != 0)
		core_inner_exit(VML_ANON_VMA, VM_FAULT_RETRY);
	return 0;
}

/* The hold of @s ends; @lost: some time ago, unseen. */
static __noinline int hold_ends(void *ctx, struct vml_thread *th, struct vml_slot *s, struct vml_mm *m, bool lost)
{
	__u64 now = bpf_ktime_get_ns();
	struct vml_blame b = {};
	bool stale = false;

	if (lost)
		core_lose(VML_LOSS_LOCK_UNMATCHED);
	if (!m) {
		b.hold_ns = core_since(now, s->hold.since_ns);
		s->hold.since_ns = 0;
	} else {
		bpf_spin_lock(&m->lock);
		stale = s->hold.epoch != m->ledger.epoch;
		if (lost)
			vml_ledger_drop(&m->ledger, &s->hold, now);
		else
			vml_ledger_release(&m->ledger, &s->hold, now, &b);
		bpf_spin_unlock(&m->lock);
	}
	if (lost)
		return 0;
	core_account(th, s->hold_write ? VML_MMAP_WRITE_HOLD : VML_MMAP_READ_HOLD, b.hold_ns);
	if (unlikely(stale))
		core_lose(VML_LOSS_LEDGER_STALE);
	return b.blamed_ns && m ? blame_charge(ctx, th, s, m, &b) : 0;
}

/* Returns what lock_follow() is told; the wait is in th->waited_ns.  Apart, for the sake of the stack. */
static __noinline __u32 lock_acquired(void *ctx, struct vml_thread *th, struct mm_struct *mm, bool write, bool success)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct vml_range range = {};
	struct vml_slot *s;
	struct vml_mm *m;
	__u64 now, runnable;
	__u32 had = 0, healed;

	th->lock_events++;
	th->waited_ns = 0;
	s = slot_take(th, (__u64)mm);
	if (!s)
		return NOT_FOLLOWED;
	m = is_own(th, task, mm) ? NULL : ledger_get(task, th, mm);
	if (s->wait.since_ns)
		had = HAD_WAIT;
	if (s->hold.since_ns && success) {
		/* nobody asks for a downgrade */
		if (!had && s->hold_write && !write)
			had = HAD_WRITE;
		hold_ends(ctx, th, s, m, !(had & HAD_WRITE));
	}
	if (write && success && mm == task->mm)
		blame_range(th, s->context, &range);
	if (success)
		blame_clock(task, &s->clock);
	runnable = had & HAD_WAIT ? core_since(s->clock.run_delay_ns, s->wait_delay_ns) : 0;
	now = bpf_ktime_get_ns();
	if (m) {
		bpf_spin_lock(&m->lock);
		healed = m->ledger.healed;
		if (had & HAD_WAIT) {
			th->waited_ns = vml_ledger_wait_end(&m->ledger, &s->wait, now);
			core_sum_add(&th->lock[write ? VML_MMAP_WRITE_WAIT : VML_MMAP_READ_WAIT], th->waited_ns);
		}
		if (success)
			vml_ledger_hold(&m->ledger, &s->hold, now, write, &range, runnable);
		healed = m->ledger.healed - healed;
		bpf_spin_unlock(&m->lock);
		if (unlikely(healed))
			core_lose(VML_LOSS_LEDGER_HEALED);
	} else {
		if (had & HAD_WAIT) {
			th->waited_ns = core_since(now, s->wait.since_ns);
			core_sum_add(&th->lock[write ? VML_MMAP_WRITE_WAIT : VML_MMAP_READ_WAIT], th->waited_ns);
			s->wait.since_ns = 0;
		}
		if (success)
			s->hold.since_ns = now;
	}
	had |= (write ? FOR_WRITE : 0) | (success ? SUCCESS : 0) | (mm == task->mm ? OWN_MM : 0) |
	       s->context << HAD_CONTEXT_SHIFT;
	if (success)
		s->hold_write = write;
	else
		th->lock_failed++;
	slot_settle(s);
	return had;
}

static __always_inline int lock_released(void *ctx, struct vml_thread *th, struct mm_struct *mm, bool write)
{
	struct vml_slot *s = slot_find(th, (__u64)mm);
	struct vml_mm *m = ledger_find(mm);

	th->lock_events++;
	if (!s || !s->hold.since_ns || s->hold_write != write) {
		lose_unmatched(th);
		if (s)
			slot_forget(th, s);
	} else {
		hold_ends(ctx, th, s, m, false);
		slot_settle(s);
	}
	if (m && unlikely(m->ended))
		ledger_end(mm);
	return 0;
}

/*
 * An NMI may ask for mmap_lock, too (the build ids of another program's stacks):
 * while its thread is in here, even with the lock of the ledger taken.
 */
static __always_inline struct vml_thread *lock_enter(void)
{
	struct vml_thread *th = enabled ? core_thread(bpf_get_current_task_btf()) : NULL;

	if (!th)
		return NULL;
	if (unlikely(th->lock_busy)) {
		core_lose(VML_LOSS_LOCK_NESTED);
		return NULL;
	}
	th->lock_busy = 1;
	barrier_memory();
	return th;
}

static __always_inline int lock_leave(struct vml_thread *th)
{
	barrier_memory();
	th->lock_busy = 0;
	return 0;
}

__hidden int core_lock_start(void *ctx, struct mm_struct *mm, bool write)
{
	struct vml_thread *th = lock_enter();

	if (!th)
		return 0;
	lock_start(ctx, th, mm, write);
	return lock_leave(th);
}

__hidden int core_lock_acquired(void *ctx, struct mm_struct *mm, bool write, bool success)
{
	struct vml_thread *th = lock_enter();

	if (!th)
		return 0;
	lock_follow(th, lock_acquired(ctx, th, mm, write, success));
	return lock_leave(th);
}

__hidden int core_lock_released(void *ctx, struct mm_struct *mm, bool write)
{
	struct vml_thread *th = lock_enter();

	if (!th)
		return 0;
	lock_released(ctx, th, mm, write);
	return lock_leave(th);
}

__hidden int lock_forget(struct vml_thread *th)
{
	for (int i = 0; i < VML_SLOTS; i++) {
		if (likely(!th->slot[i].mm))
			continue;
		core_lose(VML_LOSS_LOCK_UNMATCHED);
		slot_forget(th, &th->slot[i]);
	}
	return 0;
}

/* ---- what goes on: for the iterator, while the thread runs on another CPU */

static __noinline __u8 task_state(struct task_struct *task)
{
	__u32 state = task->__state;

	if (!state)
		return compat_on_cpu(task) ? VML_TASK_RUNNING : VML_TASK_RUNNABLE;
	return state & 2 ? VML_TASK_BLOCKED : VML_TASK_SLEEPING; /* TASK_UNINTERRUPTIBLE */
}

static __noinline int slot_goes_on(struct task_struct *task, struct vml_thread *th, struct vml_slot *s,
				   struct vml_task_record *r)
{
	__u64 now = bpf_ktime_get_ns(), mm = s->mm, wait = 0;
	__u64 since = *(volatile __u64 *)&s->hold.since_ns;
	bool wait_write = s->wait_write, hold_write;
	struct vml_blame b = {};
	struct vml_mm *m;
	__u32 doing;

	m = bpf_map_lookup_elem(&ledgers, &mm);
	if (!m)
		return 0;
	/* of that hold, if it is still the one when the ledger is locked */
	barrier_memory();
	doing = since ? blame_doing(task, th, s->context) : 0;
	barrier_memory();
	bpf_spin_lock(&m->lock);
	if (s->wait.since_ns && s->wait.id == m->ledger.id) {
		wait = vml_ledger_advance(&m->ledger, now) - s->wait.since_ns;
		/* who got the lock and waits for a CPU is the next owner */
		if (!m->ledger.holding && r->now.state == VML_TASK_RUNNABLE)
			vml_ledger_split(&m->ledger, ~0ULL >> 20);
	}
	if (since && s->hold.since_ns == since)
		vml_ledger_charge(&m->ledger, &s->hold, now, &b);
	hold_write = s->hold_write;
	bpf_spin_unlock(&m->lock);
	if (wait) {
		r->lock[wait_write ? VML_MMAP_WRITE_WAIT : VML_MMAP_READ_WAIT].sum_ns += wait;
		if (wait > r->now.wait_ns) {
			r->now.wait_ns = wait;
			r->now.wait_write = wait_write;
			r->now.wait_target = m->owner;
		}
	}
	if (b.hold_ns) {
		r->lock[hold_write ? VML_MMAP_WRITE_HOLD : VML_MMAP_READ_HOLD].sum_ns += b.hold_ns;
		if (!r->now.hold_ns || b.blamed_ns > r->now.blamed_ns) {
			r->now.hold_ns = b.hold_ns;
			r->now.blamed_ns = b.blamed_ns;
			r->now.foreign_ns = b.foreign_ns;
			r->now.avoidable_ns = b.avoidable_ns;
			r->now.victims = b.victims;
			r->now.holds.proc = th->row.proc;
			r->now.holds.start_ns = th->start_ns;
			r->now.holds.tid = th->tid;
			r->now.holds.doing = doing;
			r->now.holds.target = m->owner;
			r->now.holds.write = hold_write;
		}
	}
	return 0;
}

__hidden int lock_goes_on(struct task_struct *task, struct vml_thread *th, struct vml_task_record *r)
{
	r->now.wait_ns = 0;
	r->now.hold_ns = 0;
	r->now.blamed_ns = 0;
	r->now.state = task_state(task);
	for (int i = 0; i < VML_SLOTS; i++)
		if (*(volatile __u64 *)&th->slot[i].mm)
			slot_goes_on(task, th, &th->slot[i], r);
	return 0;
}
