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

volatile __u32 enabled, watching, adopting;
const volatile __u32 self_tgid, have_outcome, exact_detail, faults_by_handler, can_read_names, many_nodes;
volatile __u64 enabled_ns;
__u64 rows_bytes;
const volatile __u64 rows_limit;
/* Text of lock_mm_and_find_vma, when kallsyms could be read and is needed. */
const volatile __u64 fallback_text_start, fallback_text_end;

__noinline __u32 core_hist_index(__u64 ns)
{
	return vml_hist_index(hist_bound, ns);
}

/* ---- the thread */

/* Makes that of the current task; false: counted as lost. */
__noinline int thread_new(void)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct vml_thread *th;

	th = bpf_task_storage_get(&threads, task, NULL, BPF_LOCAL_STORAGE_GET_F_CREATE);
	if (!th) {
		core_lose(VML_LOSS_THREAD_STORAGE);
		return false;
	}
	/* of one that is younger than we are, all are ours, seen or not */
	th->task_faults = task->start_boottime > enabled_ns ? 0 : core_task_faults(task);
	process_join(task, th);
	return true;
}

/* @task is the current one. */
static __always_inline struct vml_thread *thread_get(struct task_struct *task)
{
	struct vml_thread *th = bpf_task_storage_get(&threads, task, NULL, 0);

	if (likely(th))
		return th;
	return thread_new() ? bpf_task_storage_get(&threads, task, NULL, 0) : NULL;
}

__hidden struct vml_thread *core_thread(struct task_struct *task)
{
	return thread_get(task);
}

/* ---- faults */

__hidden int core_fault(__u64 address, __u64 ip, bool user)
{
	__u32 watch = watching;
	struct task_struct *task;
	struct mm_struct *mm;
	struct vml_thread *th;

	if (unlikely((__s64)address < 0 || !watch))
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
		core_fault_unserved(th);
	if (unlikely(th->vma_mm != (__u64)mm || address - th->vma_start >= th->vma_len ||
		     !compat_cache_holds(mm, th->vma_seq)))
		vma_enter(th, mm, address);
	th->fault_addr = address;
	th->fault_ip = ip;
	th->fault_tasks = core_task_faults(task);
	if (exact_detail)
		th->began_ns = bpf_ktime_get_ns();
	th->fault = watch | (user ? VML_FAULT_USER : VML_FAULT_KERNEL);
	barrier_memory(); /* the state before the count: tasks.bpf.c reads the other way round */
	if (user)
		th->pending.faults_user++;
	else
		th->pending.faults_kernel++;
	return 0;
}

__hidden int core_fault_unserved(struct vml_thread *th)
{
	if (core_fault_watched(th))
		return core_lose(VML_LOSS_KERNEL_FAULT_UNSERVED);
	/* it asked when the hooks were away: nothing else ends a fault in kernel mode */
	th->pending.bypasses++;
	th->reason[VML_CAUSE(VML_KERNEL_MODE, 1)]++;
	return 0;
}

static __always_inline void fault_locks(struct vml_thread *th)
{
	th->fault = (th->fault & FAULT_WATCH_MASK) | VML_FAULT_LOCKING;
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
	int inside = compat_in_fault_handler(task, th->vma_flags, th->vma_file), stack;

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
	fault_locks(th);
	vma_explain(th, OUTCOME_UNKNOWN);
	return VML_WAIT_OF_FAULT;
}

__hidden __u8 core_lock_context(void *ctx, struct task_struct *task, struct vml_thread *th)
{
	switch (core_fault_state(th)) {
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
		fault_locks(th);
		return VML_WAIT_OF_FAULT;
	case VML_FAULT_LOCKING: /* a trylock that failed comes first */
		return VML_WAIT_OF_FAULT;
	case VML_FAULT_DONE: /* a retry with mmap_lock held asks again */
		return core_in_last_fault(task, th) ? VML_WAIT_OF_FAULT : VML_WAIT_PLAIN;
	default:
		return VML_WAIT_PLAIN;
	}
}

/* ---- durations */

__noinline int core_account_bucket(struct vml_thread *th, __u32 which, __u64 ns)
{
	__u32 i = core_hist_index(ns);

	if (th && which < VML_NLOCKSTATS && i < VML_HIST_BUCKETS)
		th->hist[which][i]++;
	return 0;
}

__noinline int core_account(struct vml_thread *th, __u32 which, __u64 ns)
{
	if (!th || which >= VML_NLOCKSTATS)
		return 0;
	core_sum_add(&th->lock[which], ns);
	return core_account_bucket(th, which, ns);
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
	lock_forget(th);
	process_leave(task, th, true);
	/* the new image is known by name even if it never faults again */
	th = thread_get(task);
	if (!th)
		return 0;
	th->task_faults = core_task_faults(task); /* those before are of the image before */
	return lock_exec(task, th);
}

__hidden int core_exit(struct task_struct *task)
{
	struct vml_thread *th;

	if (!enabled)
		return 0;
	th = bpf_task_storage_get(&threads, task, NULL, 0);
	if (!th && unlikely(adopting) && task->mm && core_task_faults(task))
		th = thread_get(task);
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
	lock_forget(th);
	process_leave(task, th, task->pid == task->tgid);
	return 0;
}
