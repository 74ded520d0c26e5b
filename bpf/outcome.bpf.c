// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * What became of a fault, from the functions of its path rather than from
 * mmap_lock: abort, retry, bypass, and who else looks VMAs up.
 *
 * The kernel's counters, reproduced (arch/x86/mm/fault.c, mm/mmap_lock.c):
 * abort is a lookup that returned NULL, retry a handle_mm_fault() that returned
 * VM_FAULT_RETRY under the VMA lock, success every other user fault.  Where a
 * tracepoint says that a fault begins, only what goes wrong has to be seen:
 *
 *	fault ── lookup ──── NULL: abort ────────────────┐
 *	           └─ handler ── inner function: RETRY ──┤
 *	                └─ served: hit                   └─ lock_mm_and_find_vma
 *
 * In the default detail lookup and handler are not seen.  A fallback without an
 * inner retry was an abort, unless nobody wrote in between: then the lookup
 * cannot have failed, and the mapping retried by itself (no map_pages).
 */
#include "core.bpf.h"
#include "compat.bpf.h"

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, VML_NCALLERS);
	__type(key, __u32);
	__type(value, struct vml_lookups);
} lookups SEC(".maps");

#define FAULT_FLAG_VMA_LOCK 0x1000
#define SIGSEGV 11
#define SEGV_ACCERR 2
#define SIGKILL_BIT (1UL << 8)

static __always_inline void set_state(struct vml_thread *th, __u32 state, __u32 flags)
{
	th->fault = (th->fault & ~0xffU) | state | flags;
}

static __always_inline bool is_dying(struct task_struct *task)
{
	return task->pending.signal.sig[0] & SIGKILL_BIT;
}

/* TIF_SIGPENDING has another bit on each architecture, so: is there a signal that is not blocked? */
static __always_inline bool has_signal(struct task_struct *task)
{
	return (task->pending.signal.sig[0] | task->signal->shared_pending.signal.sig[0]) & ~task->blocked.sig[0];
}

/*
 * What th->fault says is of the current fault: not when the hooks on every fault are, or
 * were, away since.  Where faults are told by the handler there is no beginning to miss.
 */
static __always_inline bool fault_is_ours(struct vml_thread *th)
{
	if (likely(core_fault_watched(th)))
		return watching;
	if (!watching || !faults_by_handler)
		return false;
	th->fault = watching | VML_FAULT_NONE;
	return true;
}

/* ---- falling back */

/* OUTCOME_UNKNOWN: a user fault asks for mmap_lock, and neither lookup nor handler were seen. */
static __always_inline __u32 tell_outcome(struct vml_thread *th, struct mm_struct *mm)
{
	if (th->fault & FAULT_INNER_MASK) /* its return was not seen */
		return OUTCOME_RETRY;
	if (faults_by_handler) /* the return of the handler would have announced it, and counted the retry */
		return OUTCOME_ABORT;
	if (vma_held_still(th, mm))
		return OUTCOME_RETRY;
	/* refused by the writer or retried by itself: not to be told in this detail */
	return vma_always_retries(th) ? OUTCOME_UNKNOWN : OUTCOME_ABORT;
}

/* Counts the current fault with its reason.  Global, for many programs end here. */
__noinline int outcome_count(struct vml_thread *th, __u32 outcome)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct mm_struct *mm = task->mm;
	__u32 inner;

	if (!th || !mm)
		return 0;
	if (!compat_has_vma_lock()) {
		th->pending.fallbacks++;
		set_state(th, VML_FAULT_REFUSED, 0);
		return 0;
	}
	if (outcome == OUTCOME_UNKNOWN)
		outcome = tell_outcome(th, mm);
	if (outcome == OUTCOME_ABORT)
		th->pending.aborts++;
	else if (outcome == OUTCOME_RETRY)
		th->pending.retries++;
	else
		th->pending.fallbacks++;
	barrier_memory();
	inner = (th->fault & FAULT_INNER_MASK) >> FAULT_INNER_SHIFT;
	set_state(th, VML_FAULT_REFUSED,
		  outcome == OUTCOME_ABORT   ? FAULT_ABORTED
		  : outcome == OUTCOME_RETRY ? FAULT_RETRIED
					     : 0);
	if (outcome != OUTCOME_RETRY || !inner)
		return vma_explain(th, outcome);
	return vma_reason(th, VML_CAUSE(is_dying(task) ? VML_KILLED : inner - 1, 1));
}

/* A fault that no tracepoint announces begins with the first function that sees it. */
__hidden int core_fallback(__u64 address, __u64 regs)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct pt_regs *entry = (void *)bpf_task_pt_regs(task);
	bool user = regs == (__u64)entry; /* else the exception came while in the kernel */
	struct vml_thread *th;
	__u32 state;

	if (!enabled)
		return 0;
	th = core_thread(task);
	if (!th)
		return 0;
	if (!fault_is_ours(th)) {
		/* it began while the hooks were away; they were never yet, so it was skipped */
		if (watching == FAULT_WATCH_ONE)
			core_lose(VML_LOSS_FAULT_UNSEEN);
		return 0;
	}
	state = VML_FAULT_STATE(th->fault);
	if (faults_by_handler) {
		if (th->fault & FAULT_LOOPING) {
			th->fault &= ~FAULT_LOOPING;
			set_state(th, VML_FAULT_LOCKING, 0);
			return 0;
		}
		if (state != VML_FAULT_REFUSED || !user) {
			core_fault(address, compat_ip(entry), user);
			state = VML_FAULT_STATE(th->fault);
		}
	}
	switch (state) {
	case VML_FAULT_USER:
		outcome_count(th, OUTCOME_UNKNOWN);
		break;
	case VML_FAULT_KERNEL:
		th->pending.bypasses++;
		th->reason[VML_CAUSE(VML_KERNEL_MODE, 1)]++;
		break;
	case VML_FAULT_REFUSED:
	case VML_FAULT_LOCKING:
	case VML_FAULT_DONE: /* asks again: a retry with mmap_lock held */
		break;
	default:
		core_lose(VML_LOSS_FAULT_UNSEEN);
		return 0;
	}
	barrier_memory();
	set_state(th, VML_FAULT_LOCKING, 0);
	return 0;
}

/*
 * The mapping forbids it, as the fault found under the VMA lock: it never gets to the
 * handler, and the kernel counts it as success.
 */
__hidden int core_segv(__u64 address, __u32 signal, __u32 code)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct vml_thread *th;

	if (!enabled || signal != SIGSEGV)
		return 0;
	th = core_thread(task);
	if (!th || !fault_is_ours(th))
		return 0;
	/* any other state is of this fault, which was seen to ask for mmap_lock */
	if (code == SEGV_ACCERR && VML_FAULT_STATE(th->fault) == VML_FAULT_NONE)
		core_fault((__s64)(address << 8) >> 8, compat_ip((struct pt_regs *)bpf_task_pt_regs(task)), true);
	th->fault = VML_FAULT_NONE;
	return 0;
}

/* ---- inner functions */

/* Under the VMA lock of the current fault?  get_user_pages() comes here as well. */
static __always_inline bool in_first_try(struct task_struct *task, struct vml_thread *th)
{
	struct pt_regs *regs = (void *)bpf_task_pt_regs(task);

	if (!fault_is_ours(th))
		return false;
	if (faults_by_handler && !exact_detail) /* it is announced by the return of the handler */
		return compat_entry(regs) == VML_NO_SYSCALL && VML_FAULT_STATE(th->fault) != VML_FAULT_LOCKING &&
		       VML_FAULT_STATE(th->fault) != VML_FAULT_DONE;
	return VML_FAULT_STATE(th->fault) == VML_FAULT_USER && core_in_last_fault(task, th);
}

__hidden int core_inner_enter(__u32 reason)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct vml_thread *th;

	if (!enabled)
		return 0;
	th = bpf_task_storage_get(&threads, task, NULL, 0);
	if (th && in_first_try(task, th))
		th->fault = (th->fault & ~FAULT_INNER_MASK) | (reason + 1) << FAULT_INNER_SHIFT;
	return 0;
}

__hidden int core_inner_exit(__u32 reason, __u64 ret)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct vml_thread *th;
	bool retry = ret & VM_FAULT_RETRY;

	if (!enabled)
		return 0;
	th = bpf_task_storage_get(&threads, task, NULL, 0);
	if (!th || !in_first_try(task, th))
		return 0;
	if (!retry) {
		/* what it was marked with is over; what an inner one said stays */
		if ((th->fault & FAULT_INNER_MASK) >> FAULT_INNER_SHIFT == reason + 1)
			th->fault &= ~FAULT_INNER_MASK;
		return 0;
	}
	/* the innermost says why: do_swap_page returns what __folio_lock_or_retry did */
	if (!(th->fault & FAULT_INNER_MASK))
		th->fault |= (reason + 1) << FAULT_INNER_SHIFT;
	if (VML_FAULT_STATE(th->fault) == VML_FAULT_USER)
		outcome_count(th, OUTCOME_RETRY);
	return 0;
}

/* ---- lookups */

static __noinline __u32 caller_of(struct task_struct *task)
{
	struct pt_regs *regs = (void *)bpf_task_pt_regs(task);
	char comm[16];

	if (task->flags & PF_KTHREAD) {
		task_comm(comm, task);
		return comm[0] == 'k' && comm[1] == 'd' && comm[2] == 'a' && comm[3] == 'm' ? VML_CALLER_DAMON
											    : VML_CALLER_OTHER;
	}
	switch (compat_entry(regs)) {
	case NR_MADVISE:
	case NR_PROCESS_MADVISE:
		return VML_CALLER_MADVISE;
	case NR_IOCTL:
		switch (compat_syscall_arg1(regs) >> 8 & 0xff) { /* _IOC_TYPE */
		case 0xaa:
			return VML_CALLER_USERFAULTFD;
		case 'b':
			return VML_CALLER_BINDER;
		case 'f':
			return VML_CALLER_PROC; /* PROCMAP_QUERY */
		}
		return VML_CALLER_OTHER;
	case NR_GETSOCKOPT:
	case NR_RECVMSG:
	case NR_RECVFROM:
		return VML_CALLER_TCP;
	case NR_READ: /* of an iterator */
	case NR_PREAD64:
	case NR_BPF:
		return VML_CALLER_BPF;
	}
	return VML_CALLER_OTHER;
}

static __noinline int count_lookup(__u32 caller, bool refused, __u32 misses)
{
	struct vml_lookups *l = bpf_map_lookup_elem(&lookups, &caller);

	if (l) {
		l->lookups++;
		l->aborts += refused;
		l->misses += misses;
	}
	return 0;
}

enum { LOOKING_OTHER = 1, LOOKING_FAULT };

__hidden int core_lookup_enter(__u64 mm, __u64 address)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct vml_thread *th;
	struct pt_regs *regs;
	bool fault;

	if (!enabled)
		return 0;
	th = core_thread(task);
	if (!th)
		return 0;
	regs = (void *)bpf_task_pt_regs(task);
	fault = mm == (__u64)task->mm && compat_entry(regs) == VML_NO_SYSCALL && !(task->flags & PF_KTHREAD);
	if (fault && faults_by_handler)
		core_fault(address, compat_ip(regs), true);
	fault = fault && VML_FAULT_STATE(th->fault) == VML_FAULT_USER && !(th->fault & FAULT_LOOKED) &&
		th->fault_addr == address;
	if (fault)
		th->fault |= FAULT_LOOKED;
	th->looking = fault ? LOOKING_FAULT : LOOKING_OTHER;
	th->walks = 0;
	return 0;
}

__hidden int core_lookup_walk(void)
{
	struct vml_thread *th = bpf_task_storage_get(&threads, bpf_get_current_task_btf(), NULL, 0);

	if (th)
		th->walks++;
	return 0;
}

__hidden int core_lookup_exit(__u64 vma)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct vml_thread *th;
	__u32 misses;
	bool fault;

	if (!enabled)
		return 0;
	th = bpf_task_storage_get(&threads, task, NULL, 0);
	if (!th || !th->looking)
		return 0;
	fault = th->looking == LOOKING_FAULT;
	th->looking = 0;
	misses = th->walks > 1 ? th->walks - 1 : 0;
	count_lookup(fault ? VML_CALLER_FAULT : caller_of(task), !vma, misses);
	if (!fault)
		return 0;
	th->pending.misses += misses;
	return vma ? 0 : outcome_count(th, OUTCOME_ABORT);
}

__hidden int core_lookup_next(__u64 vma)
{
	return enabled ? count_lookup(VML_CALLER_PROC, vma >= (__u64)-4095, 0) : 0;
}

/* ---- the handler */

/* With mmap_lock held: will the fault ask for it again?  Only where nothing announces faults. */
static __always_inline void handler_with_mmap_lock(struct task_struct *task, struct vml_thread *th, bool retry)
{
	if (!faults_by_handler)
		return;
	/* fault_signal_pending() leaves the loop */
	if (retry && !has_signal(task))
		th->fault |= FAULT_LOOPING;
	else
		th->fault = VML_FAULT_NONE;
}

static __always_inline void serve_time(struct vml_thread *th)
{
	__u32 which = VML_SERVE_HIT;

	if (!exact_detail || !th->began_ns)
		return;
	if (th->fault & FAULT_RETRIED)
		which = VML_SERVE_RETRY;
	else if (th->fault & FAULT_ABORTED)
		which = VML_SERVE_ABORT;
	else if (VML_FAULT_STATE(th->fault) != VML_FAULT_USER)
		which = VML_SERVE_BYPASS;
	time_spent(th, which, core_since(bpf_ktime_get_ns(), th->began_ns));
	th->began_ns = 0;
}

/* Inline in both of its users: calls may be nested eight deep. */
static __always_inline int handler_over(struct task_struct *task, struct vml_thread *th, __u64 address, __u64 flags,
					bool retry)
{
	__u32 inner;

	if (!fault_is_ours(th) && faults_by_handler)
		return 0;
	if (flags & FAULT_FLAG_VMA_LOCK) {
		if (faults_by_handler && !exact_detail) {
			inner = th->fault & FAULT_INNER_MASK;
			core_fault(address, compat_ip((struct pt_regs *)bpf_task_pt_regs(task)), true);
			th->fault |= inner;
		}
		if (retry && VML_FAULT_STATE(th->fault) == VML_FAULT_USER)
			outcome_count(th, OUTCOME_RETRY);
	}
	if (!retry)
		serve_time(th);
	if (!(flags & FAULT_FLAG_VMA_LOCK))
		handler_with_mmap_lock(task, th, retry);
	else if (!retry && faults_by_handler)
		th->fault = VML_FAULT_NONE;
	return 0;
}

__hidden int core_handler_exit(__u64 address, __u64 flags, __u64 regs, __u64 ret)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct vml_thread *th;

	if (!enabled || !regs)
		return 0; /* get_user_pages() */
	th = core_thread(task);
	return th ? handler_over(task, th, address, flags, ret & VM_FAULT_RETRY) : 0;
}

__hidden int core_handler_enter(__u64 address, __u64 flags, __u64 regs)
{
	struct vml_thread *th = enabled && regs ? core_thread(bpf_get_current_task_btf()) : NULL;

	if (!th)
		return 0;
	th->handler_flags = flags;
	th->handler_addr = address;
	th->in_handler = 1;
	return 0;
}

__hidden int core_handler_return(__u64 ret)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct vml_thread *th = bpf_task_storage_get(&threads, task, NULL, 0);

	if (!th || !th->in_handler)
		return 0;
	th->in_handler = 0;
	return handler_over(task, th, th->handler_addr, th->handler_flags, ret & VM_FAULT_RETRY);
}
