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

/*
 * What the verifier knows of @value it forgets when that comes back from the memory of
 * a map.  Paths that differ in it alone are one path from there on.
 */
#define forget(place, value)                                 \
	({                                                   \
		*(volatile typeof(place) *)&(place) = value; \
		*(volatile typeof(place) *)&(place);         \
	})

/* ---- ledgers */

static __always_inline struct vml_mm *ledger_find(__u64 mm)
{
	return bpf_map_lookup_elem(&ledgers, &mm);
}

/* Without an id: another CPU is just making it. */
static __always_inline bool ledger_is_open(struct vml_mm *m)
{
	return m && *(volatile __u32 *)&m->ledger.id;
}

static __always_inline struct vml_mm *ledger_new(__u64 mm)
{
	struct vml_mm *m;

	row_add(&ledgers, &mm, &empty_mm, rows_limit);
	m = bpf_map_lookup_elem(&ledgers, &mm);
	if (!m)
		core_lose(VML_LOSS_LEDGER_MAP_FULL);
	return m;
}

static __always_inline void ledger_open(struct vml_mm *m)
{
	__u64 now = bpf_ktime_get_ns();

	bpf_spin_lock(&m->lock);
	if (!m->ledger.id) /* or another CPU was here first */
		vml_ledger_open(&m->ledger, (__u32)(now >> 8) | 1);
	bpf_spin_unlock(&m->lock);
}

/* After the last release: what it came to goes to the process. */
__noinline int ledger_end(__u64 mm)
{
	struct vml_ledger_sum sum;
	struct vml_proc_key owner;
	struct vml_mm *m;
	__u64 now;

	m = ledger_find(mm);
	if (!m)
		return 0;
	now = bpf_ktime_get_ns();
	owner = m->owner;
	bpf_spin_lock(&m->lock);
	vml_ledger_close(&m->ledger, now);
	sum.waited_ns = vml_ledger_waited(&m->ledger);
	sum.blamed_ns = vml_ledger_blamed(&m->ledger);
	sum.avoidable_ns = vml_ledger_avoidable(&m->ledger);
	sum.handover_ns = m->ledger.handover_ns;
	sum.runqueue_ns = m->ledger.runqueue_ns;
	sum.error_ns = vml_ledger_error(&m->ledger);
	bpf_spin_unlock(&m->lock);
	/* out of sight before it appears elsewhere */
	if (!bpf_map_delete_elem(&ledgers, &mm))
		__sync_fetch_and_add(&rows_bytes, -(__u64)VML_ROW_BYTES(sizeof(mm) + sizeof(*m)));
	return process_add_ledger(&owner, &sum);
}

/*
 * The first event of who runs with the mm of @th, the current thread, after somebody
 * made it; or of a process that shares it, or was given the address of one whose end
 * was not seen.
 */
__noinline int ledger_own(struct vml_thread *th)
{
	struct mm_struct *mm = bpf_get_current_task_btf()->mm;
	struct task_struct *owner;
	struct vml_mm *m;
	__u64 key;

	if (!th || !mm)
		return 0;
	key = th->lock_mm;
	m = ledger_find(key);
	if (ledger_is_open(m) && m->owned) {
		owner = compat_mm_owner(mm);
		if (!owner || (owner->tgid == m->owner.pid && owner->group_leader->start_boottime == m->owner.start_ns))
			return 0;
		ledger_end(key);
		m = NULL;
	}
	if (!m)
		m = ledger_new(key);
	if (!m)
		return 0;
	m->owner = th->row.proc;
	m->owned = 1;
	ledger_open(m);
	return 0;
}

/* The first event of somebody else: its process may have done nothing yet. */
static __noinline int ledger_meet(struct mm_struct *mm, __u64 key)
{
	struct task_struct *owner = compat_mm_owner(mm);
	struct vml_mm *m = ledger_find(key);

	if (!m)
		m = ledger_new(key);
	if (!m)
		return 0;
	if (owner && !ledger_is_open(m)) {
		m->owner.start_ns = owner->group_leader->start_boottime;
		m->owner.pid = owner->tgid;
		m->owner.exec = owner->self_exec_id;
		m->owned = owner->mm == mm;
	}
	ledger_open(m);
	if (owner && m->owned)
		process_know(owner, &m->owner);
	m->known = 1;
	return 0;
}

static __always_inline struct vml_mm *ledger_get(struct vml_thread *th, struct mm_struct *mm, bool own)
{
	__u64 key = forget(th->lock_mm, (__u64)mm);
	struct vml_mm *m = ledger_find(key);

	if (own) {
		if (likely(ledger_is_open(m) && m->owned && m->owner.pid == th->row.proc.pid))
			return m;
		ledger_own(th);
	} else {
		if (likely(ledger_is_open(m) && m->known))
			return m;
		ledger_meet(mm, key);
	}
	return ledger_find(key);
}

__hidden int core_mm_ends(struct mm_struct *mm)
{
	struct vml_mm *m;

	if (!enabled)
		return 0;
	m = ledger_find((__u64)mm);
	if (m)
		m->ended = 1;
	return 0;
}

__hidden int lock_exec(struct task_struct *task, struct vml_thread *th)
{
	struct vml_mm *m = ledger_find((__u64)task->mm);

	if (m) {
		m->owner = th->row.proc;
		m->owned = 1;
	}
	return 0;
}

/* ---- slots */

/* VML_SLOTS: none. */
static __always_inline __u32 slot_index(struct vml_thread *th, __u64 mm)
{
	__u32 i;

	for (i = 0; i < VML_SLOTS; i++)
		if (th->slot[i].mm == mm)
			break;
	return i;
}

static __always_inline struct vml_slot *slot_at(struct vml_thread *th, __u32 i)
{
	i = forget(th->lock_slot, i);
	if (i >= VML_SLOTS)
		return NULL;
	asm volatile("" : "+r"(i)); /* or the compiler calculates before it checks */
	return &th->slot[i];
}

/* What slot @i has open is over; when, was not seen.  @hold: only its hold. */
__noinline int slot_forget(struct vml_thread *th, __u32 i, bool hold)
{
	struct vml_slot *s;
	struct vml_mm *m;
	__u64 now, mm;

	if (!th || i >= VML_SLOTS)
		return 0;
	s = &th->slot[i];
	mm = s->mm;
	m = bpf_map_lookup_elem(&ledgers, &mm);
	now = bpf_ktime_get_ns();
	if (m) {
		bpf_spin_lock(&m->lock);
		if (!hold && s->wait.since_ns)
			core_sum_add(&th->lock[s->wait_write ? VML_MMAP_WRITE_WAIT : VML_MMAP_READ_WAIT],
				     vml_ledger_wait_end(&m->ledger, &s->wait, now));
		if (s->hold.since_ns)
			vml_ledger_drop(&m->ledger, &s->hold, now);
		bpf_spin_unlock(&m->lock);
	}
	s->hold.since_ns = 0;
	if (hold)
		return 0;
	s->wait.since_ns = 0;
	s->mm = 0;
	return 0;
}

/*
 * All are taken.  One that is open for so long, in a thread that goes on with others,
 * is left from an end that was not seen: a thread holds several locks only in fork.
 */
#define SLOT_OLD_NS 1000000000ULL
__noinline int slot_reclaim(struct vml_thread *th)
{
	__u64 now = bpf_ktime_get_ns();

	if (!th)
		return VML_SLOTS;
	core_lose(VML_LOSS_LOCK_SLOTS);
	for (int i = 0; i < VML_SLOTS; i++) {
		struct vml_slot *s = &th->slot[i];
		__u64 since = s->hold.since_ns > s->wait.since_ns ? s->hold.since_ns : s->wait.since_ns;

		if (core_since(now, since) > SLOT_OLD_NS) {
			slot_forget(th, i, false);
			return i;
		}
	}
	return VML_SLOTS;
}

static __always_inline struct vml_slot *slot_take(struct vml_thread *th, struct mm_struct *mm)
{
	__u32 i = slot_index(th, (__u64)mm);
	struct vml_slot *s;

	if (i == VML_SLOTS)
		i = slot_index(th, 0);
	if (unlikely(i == VML_SLOTS))
		i = slot_reclaim(th);
	s = slot_at(th, i);
	if (s)
		s->mm = (__u64)mm;
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

/* What an event found, and what it is: th->lock_had. */
enum { HAD_WAIT = 1, HAD_WRITE = 2, HAD_HOLD = 4, FOR_WRITE = 8, SUCCESS = 16, OWN_MM = 32, NOT_FOLLOWED = 64 };
#define HAD_CONTEXT_SHIFT 8

/*
 * The observer's own lock has no ledger: it reads the ledgers, each under its lock, and
 * an NMI in that moment may ask for the observer's mmap_lock.
 */
static __always_inline bool is_observer(struct vml_thread *th)
{
	return unlikely(th->row.proc.pid == self_tgid);
}

/* A ledger of its mm may be there all the same, made by who reads its /proc files. */
static __always_inline struct vml_mm *ledger_of(struct vml_thread *th, struct mm_struct *mm, bool own)
{
	return is_observer(th) && own ? NULL : ledger_get(th, mm, own);
}

static __always_inline int lock_start(void *ctx, struct vml_thread *th, struct mm_struct *mm, bool write)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct mm_struct *task_mm = task->mm;
	bool own = mm == task_mm, before;
	struct vml_slot *s;
	struct vml_mm *m;
	__u32 healed;
	__u64 now;

	th->lock_events++;
	th->lock_started = 1;
	if (is_observer(th) && !own && task_mm)
		core_lose(VML_COUNTER_FOREIGN);
	s = slot_take(th, mm);
	if (!s)
		return 0;
	if (unlikely(s->wait.since_ns))
		core_lose(VML_LOSS_LOCK_UNMATCHED);
	s->context = VML_WAIT_PLAIN;
	if (!write && th->fault != VML_FAULT_NONE && own)
		s->context = core_lock_context(ctx, task, th);
	before = s->wait_write;
	s->wait_write = write;
	s->wait_delay_ns = compat_run_delay(task);
	m = ledger_of(th, mm, own);
	if (!m) {
		s->wait.since_ns = bpf_ktime_get_ns();
		s->wait.id = 0;
		return 0;
	}
	own = forget(th->lock_had, own);
	th->range.start = 0;
	th->range.end = 0;
	/* a look without the lock: a wait that begins in an empty queue needs no place there */
	if (unlikely(m->ledger.waiting || m->ledger.holding)) {
		if (own)
			blame_range(th, s->context);
		else
			m->victim = th->row.proc;
		if (th->range.start == th->range.end)
			th->range.end = 0; /* a hole: not known where */
	}
	now = bpf_ktime_get_ns();
	bpf_spin_lock(&m->lock);
	healed = m->ledger.healed;
	if (unlikely(s->wait.since_ns))
		core_sum_add(&th->lock[before ? VML_MMAP_WRITE_WAIT : VML_MMAP_READ_WAIT],
			     vml_ledger_wait_end(&m->ledger, &s->wait, now));
	if (unlikely(m->ledger.holding) && !compat_mmap_lock_taken(mm))
		vml_ledger_heal(&m->ledger, now);
	vml_ledger_wait(&m->ledger, &s->wait, now, !own, &th->range, th->tid);
	healed = m->ledger.healed - healed;
	bpf_spin_unlock(&m->lock);
	if (unlikely(healed))
		core_lose(VML_LOSS_LEDGER_HEALED);
	return 0;
}

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

/* As forget(): read again for each question. */
static __always_inline __u32 lock_had(struct vml_thread *th)
{
	return *(volatile __u32 *)&th->lock_had;
}

/* The hold of @s ends. */
static __noinline int hold_ends(void *ctx, struct vml_thread *th, struct vml_slot *s, struct vml_mm *m)
{
	__u64 now = bpf_ktime_get_ns();
	struct vml_blame b = {};
	bool stale = false;

	if (!m) {
		b.hold_ns = core_since(now, s->hold.since_ns);
		s->hold.since_ns = 0;
	} else {
		bpf_spin_lock(&m->lock);
		stale = s->hold.epoch != m->ledger.epoch;
		vml_ledger_release(&m->ledger, &s->hold, now, &b);
		bpf_spin_unlock(&m->lock);
	}
	core_account(th, s->hold_write ? VML_MMAP_WRITE_HOLD : VML_MMAP_READ_HOLD, b.hold_ns);
	if (unlikely(stale))
		core_lose(VML_LOSS_LEDGER_STALE);
	return b.blamed_ns && m ? blame_charge(ctx, th, s, m, &b) : 0;
}

/* Returns what lock_follow() is told; the wait is in th->waited_ns.  Apart, for the sake of the stack. */
static __noinline __u32 lock_acquired(void *ctx, struct vml_thread *th, struct mm_struct *mm, bool write, bool success)
{
	struct task_struct *task = bpf_get_current_task_btf();
	__u32 had = (write ? FOR_WRITE : 0) | (success ? SUCCESS : 0) | (mm == task->mm ? OWN_MM : 0), healed;
	struct vml_slot *s;
	struct vml_mm *m;
	__u64 now, runnable = 0;

	th->lock_events++;
	th->waited_ns = 0;
	s = slot_take(th, mm);
	if (!s)
		return NOT_FOLLOWED;
	if (s->wait.since_ns)
		had |= HAD_WAIT;
	if (s->hold.since_ns && success)
		/* nobody asks for a downgrade */
		had |= !(had & HAD_WAIT) && s->hold_write && !write ? HAD_WRITE : HAD_HOLD;
	had = forget(th->lock_had, had | s->context << HAD_CONTEXT_SHIFT);
	m = ledger_of(th, mm, had & OWN_MM);
	if (had & HAD_WRITE) {
		hold_ends(ctx, th, s, m);
	} else if (unlikely(had & HAD_HOLD)) {
		core_lose(VML_LOSS_LOCK_UNMATCHED);
		slot_forget(th, th->lock_slot, true);
	}
	th->range.start = 0;
	th->range.end = 0;
	if (had & SUCCESS) {
		blame_clock(&s->clock);
		s->hold_write = write;
		if (had & FOR_WRITE && had & OWN_MM)
			blame_range(th, s->context);
		if (had & HAD_WAIT)
			runnable = core_since(s->clock.run_delay_ns, s->wait_delay_ns);
	} else {
		th->lock_failed++;
	}
	th->runnable_ns = runnable;
	now = bpf_ktime_get_ns();
	if (m) {
		bpf_spin_lock(&m->lock);
		healed = m->ledger.healed;
		if (lock_had(th) & HAD_WAIT)
			th->waited_ns = vml_ledger_wait_end(&m->ledger, &s->wait, now);
		if (lock_had(th) & SUCCESS)
			vml_ledger_hold(&m->ledger, &s->hold, now, lock_had(th) & FOR_WRITE, &th->range,
					th->runnable_ns);
		if (lock_had(th) & HAD_WAIT)
			core_sum_add(&th->lock[write ? VML_MMAP_WRITE_WAIT : VML_MMAP_READ_WAIT], th->waited_ns);
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
		if (had & SUCCESS)
			s->hold.since_ns = now;
	}
	slot_settle(s);
	return had;
}

static __always_inline int lock_released(void *ctx, struct vml_thread *th, struct mm_struct *mm, bool write)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct vml_slot *s = slot_at(th, slot_index(th, (__u64)mm));
	__u64 key = forget(th->lock_mm, (__u64)mm);
	struct vml_mm *m = is_observer(th) && mm == task->mm ? NULL : ledger_find(key);

	th->lock_events++;
	if (!s || !s->hold.since_ns || s->hold_write != write) {
		lose_unmatched(th);
		if (s)
			slot_forget(th, th->lock_slot, false);
	} else {
		hold_ends(ctx, th, s, m);
		slot_settle(s);
	}
	if (m && unlikely(m->ended))
		ledger_end(key);
	return 0;
}

/*
 * An NMI may ask for mmap_lock, too (the build ids of another program's stacks):
 * while its thread is in here, even with the lock of the ledger taken.
 */
static __always_inline bool lock_enter(struct vml_thread *th)
{
	if (unlikely(th->lock_busy)) {
		core_lose(VML_LOSS_LOCK_NESTED);
		return false;
	}
	th->lock_busy = 1;
	barrier_memory();
	return true;
}

static __always_inline int lock_leave(struct vml_thread *th)
{
	barrier_memory();
	th->lock_busy = 0;
	return 0;
}

__hidden int core_lock_start(void *ctx, struct mm_struct *mm, bool write)
{
	struct vml_thread *th = enabled ? core_thread(bpf_get_current_task_btf()) : NULL;

	if (!th || !lock_enter(th))
		return 0;
	lock_start(ctx, th, mm, write);
	return lock_leave(th);
}

__hidden int core_lock_acquired(void *ctx, struct mm_struct *mm, bool write, bool success)
{
	struct vml_thread *th = enabled ? core_thread(bpf_get_current_task_btf()) : NULL;

	if (!th || !lock_enter(th))
		return 0;
	lock_follow(th, lock_acquired(ctx, th, mm, write, success));
	return lock_leave(th);
}

__hidden int core_lock_released(void *ctx, struct mm_struct *mm, bool write)
{
	struct vml_thread *th;

	if (!enabled)
		return 0;
	th = bpf_task_storage_get(&threads, bpf_get_current_task_btf(), NULL, 0);
	if (!th) /* not seen before: it began before us */
		return core_lose(VML_LOSS_LOCK_INFLIGHT);
	if (!lock_enter(th))
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
		slot_forget(th, i, false);
	}
	return 0;
}
