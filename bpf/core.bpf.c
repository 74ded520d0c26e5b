// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "core.bpf.h"
#include "compat.bpf.h"

struct vml_threads threads SEC(".maps");

static const __u64 hist_bound[VML_HIST_BOUNDS] = VML_HIST_BOUND_TABLE;

struct vml_counters counters SEC(".maps");

#define STACK_FRAMES 32
struct stack {
	__u64 ip[STACK_FRAMES];
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct stack);
} stacks SEC(".maps");

volatile __u32 enabled;
const volatile __u32 self_tgid, have_outcome, exact_detail, faults_by_handler, can_read_names, many_nodes;
/* Text of lock_mm_and_find_vma, when kallsyms could be read and is needed. */
const volatile __u64 fallback_text_start, fallback_text_end;

__noinline __u32 core_hist_index(__u64 ns)
{
	return vml_hist_index(hist_bound, ns);
}

/* ---- the thread */

static __noinline struct vml_thread *thread_new(struct task_struct *task)
{
	struct vml_thread *th;

	th = bpf_task_storage_get(&threads, task, NULL, BPF_LOCAL_STORAGE_GET_F_CREATE);
	if (!th) {
		core_lose(VML_LOSS_THREAD_STORAGE);
		return NULL;
	}
	process_join(task, th);
	return th;
}

static __always_inline struct vml_thread *thread_get(struct task_struct *task)
{
	struct vml_thread *th = bpf_task_storage_get(&threads, task, NULL, 0);

	return likely(th) ? th : thread_new(task);
}

__hidden struct vml_thread *core_thread(struct task_struct *task)
{
	return thread_get(task);
}

/* ---- faults */

__hidden int core_fault(__u64 address, __u64 ip, bool user)
{
	struct task_struct *task;
	struct mm_struct *mm;
	struct vml_thread *th;

	if (unlikely((__s64)address < 0 || !enabled))
		return 0;
	task = bpf_get_current_task_btf();
	mm = task->mm;
	if (unlikely(!mm))
		return 0;
	/* under pagefault_disable() the handler looks nothing up: no fault is served */
	if (!user && task->pagefault_disabled)
		return 0;
	th = thread_get(task);
	if (unlikely(!th))
		return 0;
	if (unlikely(VML_FAULT_STATE(th->fault) == VML_FAULT_KERNEL))
		core_lose(VML_LOSS_KERNEL_FAULT_UNSERVED);
	if (unlikely(th->vma_mm != (__u64)mm || address - th->vma_start >= th->vma_len ||
		     !compat_cache_holds(mm, th->vma_seq)))
		vma_enter(th, mm, address);
	th->fault_addr = address;
	th->fault_ip = ip;
	if (exact_detail)
		th->began_ns = bpf_ktime_get_ns();
	th->fault = user ? VML_FAULT_USER : VML_FAULT_KERNEL;
	barrier_memory(); /* the state before the count: tasks.bpf.c reads the other way round */
	if (user)
		th->pending.faults_user++;
	else
		th->pending.faults_kernel++;
	return 0;
}

/* Is lock_mm_and_find_vma on the stack? -1: cannot be told. */
static __noinline int stack_has_fallback(void *ctx)
{
	__u64 start = fallback_text_start, end = fallback_text_end;
	struct stack *s;
	__u32 zero = 0;
	long len;

	s = bpf_map_lookup_elem(&stacks, &zero);
	if (!s || !start)
		return -1;
	len = bpf_get_stack(ctx, s->ip, sizeof(s->ip), 0);
	if (len < 0)
		return -1;
	for (int i = 0; i < STACK_FRAMES; i++) {
		if (i >= len / 8)
			break;
		if (s->ip[i] >= start && s->ip[i] < end)
			return 1;
	}
	return 0;
}

__hidden bool core_in_last_fault(struct task_struct *task, struct vml_thread *th)
{
	struct pt_regs *regs = (void *)bpf_task_pt_regs(task);

	return compat_entry(regs) == VML_NO_SYSCALL && compat_ip(regs) == th->fault_ip;
}

/*
 * A user fault asks for mmap_lock for read, or something else does after it was
 * a hit.  Nobody said which (have_outcome is not set), so it is inferred.
 */
static __noinline __u8 user_fault_takes_lock(void *ctx, struct task_struct *task, struct vml_thread *th)
{
	int inside = compat_in_fault_handler(task, th->vma_flags, th->vma_is_file), stack;

	/* task_numa_work() asks on the way back to user mode, too */
	if (many_nodes && inside == 0)
		inside = -1;
	if (inside == 1)
		return VML_WAIT_IN_HANDLER;
	if (!core_in_last_fault(task, th)) {
		th->fault = VML_FAULT_NONE; /* it was a hit and is over */
		return VML_WAIT_PLAIN;
	}
	if (inside < 0) {
		stack = stack_has_fallback(ctx);
		if (stack < 0)
			core_lose(VML_LOSS_STACK_FAILED);
		if (stack <= 0)
			return VML_WAIT_IN_HANDLER;
	}
	th->pending.fallbacks++;
	barrier_memory();
	th->fault = VML_FAULT_LOCKING;
	vma_explain(th, OUTCOME_UNKNOWN);
	return VML_WAIT_OF_FAULT;
}

/*
 * The current task asks for mmap_lock of its own mm for read while a fault of
 * it may be going on: whose wait is it?
 */
static __noinline __u8 read_lock_context(void *ctx, struct task_struct *task, struct vml_thread *th)
{
	switch (VML_FAULT_STATE(th->fault)) {
	case VML_FAULT_USER:
		if (!have_outcome)
			return user_fault_takes_lock(ctx, task, th);
		/* __vmf_anon_prepare, or it was a hit and is over */
		return VML_WAIT_PLAIN;
	case VML_FAULT_KERNEL:
		if (have_outcome)
			return VML_WAIT_PLAIN;
		/* nothing comes between the tracepoint and the lock */
		th->pending.bypasses++;
		th->reason[VML_CAUSE(VML_KERNEL_MODE, 1)]++;
		barrier_memory();
		th->fault = VML_FAULT_LOCKING;
		return VML_WAIT_OF_FAULT;
	case VML_FAULT_LOCKING: /* a trylock that failed comes first */
		return VML_WAIT_OF_FAULT;
	case VML_FAULT_DONE: /* a retry with mmap_lock held asks again */
		return core_in_last_fault(task, th) ? VML_WAIT_OF_FAULT : VML_WAIT_PLAIN;
	default:
		return VML_WAIT_PLAIN;
	}
}

/* ---- mmap_lock */

static __always_inline struct vml_slot *slot_find(struct vml_thread *th, __u64 mm)
{
	for (int i = 0; i < VML_SLOTS; i++)
		if (th->slot[i].mm == mm)
			return &th->slot[i];
	return NULL;
}

static __always_inline struct vml_slot *slot_take(struct vml_thread *th, __u64 mm)
{
	struct vml_slot *s = slot_find(th, mm);

	if (!s)
		s = slot_find(th, 0);
	if (!s) {
		core_lose(VML_LOSS_LOCK_SLOTS);
		s = &th->slot[0];
		s->wait_ns = s->hold_ns = 0;
	}
	s->mm = mm;
	return s;
}

static __always_inline void slot_settle(struct vml_slot *s)
{
	if (!s->wait_ns && !s->hold_ns)
		s->mm = 0;
}

__noinline int core_account(struct vml_thread *th, __u32 which, __u64 ns)
{
	struct vml_lock_sum *sum;
	__u32 i;

	if (!th || which >= VML_NLOCKSTATS)
		return 0;
	sum = &th->lock[which];
	sum->count++;
	sum->sum_ns += ns;
	if (ns > sum->max_ns)
		sum->max_ns = ns;
	i = core_hist_index(ns);
	if (i < VML_HIST_BUCKETS)
		th->hist[which][i]++;
	return 0;
}

/* An event without its beginning: before the first start it began before us. */
static __always_inline void lose_unmatched(struct vml_thread *th)
{
	core_lose(th->lock_started ? VML_LOSS_LOCK_UNMATCHED : VML_LOSS_LOCK_INFLIGHT);
}

__hidden int core_lock_start(void *ctx, __u64 mm, bool write)
{
	struct task_struct *task;
	struct vml_thread *th;
	struct vml_slot *s;

	if (!enabled)
		return 0;
	task = bpf_get_current_task_btf();
	th = thread_get(task);
	if (!th)
		return 0;
	th->lock_events++;
	th->lock_started = 1;
	if (unlikely(th->row.proc.pid == self_tgid && mm != (__u64)task->mm && task->mm))
		core_lose(VML_COUNTER_FOREIGN);
	s = slot_take(th, mm);
	if (s->wait_ns)
		core_lose(VML_LOSS_LOCK_UNMATCHED);
	s->context = VML_WAIT_PLAIN;
	if (!write && th->fault != VML_FAULT_NONE && mm == (__u64)task->mm)
		s->context = read_lock_context(ctx, task, th);
	s->wait_write = write;
	s->wait_ns = bpf_ktime_get_ns();
	return 0;
}

__hidden int core_lock_acquired(__u64 mm, bool write, bool success)
{
	__u64 now = bpf_ktime_get_ns(), wait;
	struct task_struct *task;
	struct vml_thread *th;
	struct vml_slot *s;

	if (!enabled)
		return 0;
	task = bpf_get_current_task_btf();
	th = thread_get(task);
	if (!th)
		return 0;
	th->lock_events++;
	s = slot_take(th, mm);
	if (s->wait_ns) {
		wait = core_since(now, s->wait_ns);
		s->wait_ns = 0;
		core_account(th, write ? VML_MMAP_WRITE_WAIT : VML_MMAP_READ_WAIT, wait);
		if (s->context == VML_WAIT_OF_FAULT) {
			if (success) {
				th->fault = (th->fault & ~0xffU) | VML_FAULT_DONE;
				vma_settle(th);
			}
			vma_wait(th, wait);
		} else if (s->context == VML_WAIT_IN_HANDLER && !success) {
			th->trylock_failed = 1;
		}
		if (s->hold_ns && success)
			core_lose(VML_LOSS_LOCK_UNMATCHED); /* its release was missed */
	} else if (s->hold_ns && s->hold_write && !write && success) {
		/* downgrade: the write hold ends and a read hold begins */
		core_account(th, VML_MMAP_WRITE_HOLD, core_since(now, s->hold_ns));
	} else {
		lose_unmatched(th); /* the wait is unknown, the hold begins here */
	}
	if (success) {
		s->hold_ns = now;
		s->hold_write = write;
	} else {
		th->lock_failed++;
	}
	slot_settle(s);
	/*
	 * Under the VMA lock only __vmf_anon_prepare asks for mmap_lock, and gives the VMA
	 * lock up when it does not get it.  A hook on that function would run in every
	 * fault of anonymous memory.
	 */
	if (have_outcome && !write && !success && mm == (__u64)task->mm &&
	    compat_in_fault_handler(task, th->vma_flags, th->vma_is_file) != 0)
		return core_inner_exit(VML_ANON_VMA, VM_FAULT_RETRY);
	return 0;
}

__hidden int core_lock_released(__u64 mm, bool write)
{
	struct vml_thread *th;
	struct vml_slot *s;

	if (!enabled)
		return 0;
	th = thread_get(bpf_get_current_task_btf());
	if (!th)
		return 0;
	th->lock_events++;
	s = slot_find(th, mm);
	if (!s || !s->hold_ns || s->hold_write != write)
		lose_unmatched(th);
	else
		core_account(th, write ? VML_MMAP_WRITE_HOLD : VML_MMAP_READ_HOLD,
			     core_since(bpf_ktime_get_ns(), s->hold_ns));
	if (s) {
		s->hold_ns = 0;
		slot_settle(s);
	}
	return 0;
}

/* ---- exec and exit */

__hidden int core_exec(struct task_struct *task)
{
	struct vml_thread *th = bpf_task_storage_get(&threads, task, NULL, 0);

	if (!th || th->row.proc.exec == (__u32)task->self_exec_id)
		return 0;
	/* gone for the iterator before its numbers appear elsewhere; freed after us */
	if (bpf_task_storage_delete(&threads, task)) {
		core_lose(VML_LOSS_EXEC_MIXED);
		return 0;
	}
	vma_flush(th);
	process_leave(task, th, true);
	/* the new image is known by name even if it never faults again */
	thread_get(task);
	return 0;
}

__hidden int core_exit(struct task_struct *task)
{
	struct vml_thread *th;

	if (!enabled)
		return 0;
	th = bpf_task_storage_get(&threads, task, NULL, 0);
	if (!th || th->folded)
		return 0;
	vma_flush(th);
	return process_exit(task, th);
}

__hidden int core_free(struct task_struct *task)
{
	struct vml_thread *th;

	if (!enabled)
		return 0;
	th = bpf_task_storage_get(&threads, task, NULL, 0);
	if (!th)
		return 0;
	vma_flush(th);
	process_leave(task, th, task->pid == task->tgid);
	return 0;
}
