// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Who held mmap_lock while others waited: doing what, in which code, and where the
 * time of the hold went.  Only holds that made somebody wait come here.
 */
#include "core.bpf.h"
#include "compat.bpf.h"

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, VML_MAX_ROWS);
	__type(key, struct vml_blocker_key);
	__type(value, struct vml_blocker_value);
} blockers SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_STACK_TRACE);
	__uint(max_entries, VML_MAX_STACKS);
	__uint(key_size, sizeof(__u32));
	__uint(value_size, VML_STACK_DEPTH * sizeof(__u64));
} stack_traces SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, VML_MAX_STACKS);
	__type(key, struct vml_stack_key);
	__type(value, struct vml_stack_value);
} stack_blame SEC(".maps");

/* Stacks are taken when somebody waited for longer during a hold; ~0: never. */
volatile __u64 stacks_over_ns = ~0ULL;
const volatile __u32 user_stacks;

static const struct vml_blocker_value empty_blocker;
static const struct vml_stack_value empty_stack;

#define PF_IO_WORKER 0x10
#define PF_USER_WORKER 0x4000

__hidden __u32 blame_doing(struct task_struct *task, struct vml_thread *th, __u8 context)
{
	struct pt_regs *regs = (void *)bpf_task_pt_regs(task);
	int nr = compat_entry(regs);

	if (task->flags & PF_KTHREAD)
		return VML_DOING(VML_DOING_KTHREAD, 0);
	if (task->flags & (PF_IO_WORKER | PF_USER_WORKER))
		return VML_DOING(VML_DOING_IO_WORKER, 0);
	if (context == VML_WAIT_OF_FAULT || context == VML_WAIT_IN_HANDLER)
		return nr == VML_NO_SYSCALL ? VML_DOING(VML_DOING_FAULT, 0) : VML_DOING(VML_DOING_KERNEL_FAULT, nr);
	if (task->flags & PF_EXITING)
		return VML_DOING(VML_DOING_EXIT, 0);
	/* __vmf_anon_prepare, where nothing is inferred from the lock: under the VMA lock, still in the fault */
	if (nr == VML_NO_SYSCALL)
		return VML_DOING(compat_in_fault_handler(task, th->vma_flags, th->vma_file) == 1 ? VML_DOING_FAULT
												 : VML_DOING_EXCEPTION,
				 0);
	return VML_DOING(compat_is_32bit(task) ? VML_DOING_SYSCALL32 : VML_DOING_SYSCALL, nr);
}

__noinline int blame_range(struct vml_thread *th, __u8 context)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct pt_regs *regs = (void *)bpf_task_pt_regs(task);
	struct mm_struct *mm = task->mm;
	__u64 at, brk;

	if (!th)
		return 0;
	if (context == VML_WAIT_OF_FAULT) {
		th->range.start = th->fault_addr;
		th->range.end = th->fault_addr + 1;
		return 0;
	}
	if (!mm || task->flags & (PF_KTHREAD | PF_EXITING) || compat_is_32bit(task))
		return 0;
	at = (__s64)(compat_syscall_arg0(regs) << 8) >> 8; /* without a tag: arm64 TBI, x86 LAM */
	switch (compat_entry(regs)) {
CASE_CHANGES_RANGE:
		th->range.start = at;
		th->range.end = at + compat_syscall_arg1(regs);
		break;
CASE_CHANGES_ALL:
		th->range.start = 0;
		th->range.end = VML_RANGE_END;
		break;
	case NR_MMAP:
		if (compat_syscall_arg3(regs) & MAP_FIXED_ANY) {
			th->range.start = at;
			th->range.end = at + compat_syscall_arg1(regs);
		} else {
			/* in a hole, where nobody can wait for anything: an empty range */
			th->range.start = 1;
			th->range.end = 1;
		}
		break;
	case NR_MREMAP:
		/* what else it unmaps is not looked at: not known */
		if (!(compat_syscall_arg3(regs) & MREMAP_FIXED)) {
			th->range.start = at;
			th->range.end = at + compat_syscall_arg1(regs);
		}
		break;
	case NR_BRK:
		brk = mm->brk;
		th->range.start = at < brk ? at : brk;
		th->range.end = at < brk ? brk : at;
		break;
	}
	/* whatever the arguments were */
	th->range.start &= VML_RANGE_END;
	th->range.end &= VML_RANGE_END;
	return 0;
}

__noinline int blame_clock(struct vml_clock *ret)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct task_delay_info___all *d;

	if (!ret)
		return 0;
	ret->exec_ns = task->se.sum_exec_runtime;
	ret->exec_start_ns = task->se.exec_start;
	ret->run_delay_ns = compat_run_delay(task);
	ret->cpu = bpf_get_smp_processor_id();
	ret->accounted = 0;
	ret->reclaim_ns = 0;
	ret->io_ns = 0;
	ret->swap_ns = 0;
	if (!bpf_core_field_exists(task->delays))
		return 0;
	d = (void *)task->delays;
	if (!d || !bpf_core_field_exists(d->compact_delay))
		return 0;
	ret->accounted = 1;
	ret->reclaim_ns = d->freepages_delay + d->compact_delay;
	ret->io_ns = d->blkio_delay;
	ret->swap_ns = d->swapin_delay + d->thrashing_delay;
	return 0;
}

static __always_inline struct vml_blocker_value *blocker_get(struct vml_blocker_key *key)
{
	struct vml_blocker_value *v = bpf_map_lookup_elem(&blockers, key);

	if (likely(v))
		return v;
	row_add(&blockers, key, &empty_blocker, ROWS_LIMIT_OTHERS);
	return bpf_map_lookup_elem(&blockers, key);
}

static __noinline struct vml_blocker_value *blocker_untracked(void)
{
	struct vml_blocker_key key = {};

	core_lose(VML_LOSS_BLOCKER_MAP_FULL);
	return bpf_map_lookup_elem(&blockers, &key);
}

/* Rows of threads have one writer; that of the untracked, and of readers of VMAs, has many. */
static __always_inline void blocker_add_hold(struct vml_blocker_value *v, __u64 ns)
{
	__u32 i = core_hist_index(ns);

	core_atomic_add(&v->hold.count, 1);
	core_atomic_add(&v->hold.sum_ns, ns);
	core_atomic_max(&v->hold.max_ns, ns);
	if (i < VML_HIST_BUCKETS)
		core_atomic_add32(&v->hold_hist[i], 1);
}

/* Where the time since @began went. */
static __noinline int blocker_add_clock(struct vml_blocker_value *v, struct vml_clock *began, __u64 ns)
{
	struct vml_clock now = {};
	__u64 on_cpu, runnable;

	blame_clock(&now);
	runnable = core_since(now.run_delay_ns, began->run_delay_ns);
	if (runnable > ns)
		runnable = ns;
	on_cpu = now.exec_ns - began->exec_ns;
	/* and what it has run since that was written; clocks of two CPUs cannot be compared */
	if (now.cpu == began->cpu)
		on_cpu += ns - (now.exec_start_ns - began->exec_start_ns);
	if ((__s64)on_cpu < 0)
		on_cpu = 0;
	if (on_cpu > ns - runnable)
		on_cpu = ns - runnable;
	core_atomic_add(&v->on_cpu_ns, on_cpu);
	core_atomic_add(&v->runnable_ns, runnable);
	core_atomic_add(&v->sleep_ns, ns - runnable - on_cpu);
	if (now.accounted && began->accounted) {
		core_atomic_add(&v->accounted, 1);
		core_atomic_add(&v->reclaim_ns, core_since(now.reclaim_ns, began->reclaim_ns));
		core_atomic_add(&v->io_ns, core_since(now.io_ns, began->io_ns));
		core_atomic_add(&v->swap_ns, core_since(now.swap_ns, began->swap_ns));
	}
	return 0;
}

static __noinline int blame_stack(void *ctx, struct vml_blocker_key *who, struct vml_blame *b)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct vml_stack_key key = {
		.proc = who->proc, .start_ns = who->start_ns, .doing = who->doing, .tid = who->tid
	};
	struct vml_stack_value *v;
	long id;

	id = bpf_get_stackid(ctx, &stack_traces, 0);
	if (id < 0)
		core_lose(VML_LOSS_HOLDER_STACK);
	key.kernel = id < 0 ? -1 : id;
	key.user = -1;
	if (user_stacks && task->mm) {
		id = bpf_get_stackid(ctx, &stack_traces, BPF_F_USER_STACK);
		if (id < 0)
			core_lose(VML_LOSS_HOLDER_STACK);
		else
			key.user = id;
	}
	v = bpf_map_lookup_elem(&stack_blame, &key);
	if (!v) {
		row_add(&stack_blame, &key, &empty_stack, ROWS_LIMIT_OTHERS);
		v = bpf_map_lookup_elem(&stack_blame, &key);
		if (!v)
			return core_lose(VML_LOSS_HOLDER_STACK);
		task_comm(v->comm, task);
	}
	core_sum_add(&v->hold, b->hold_ns); /* one writer: the thread */
	v->blamed_ns += b->blamed_ns;
	return 0;
}

__hidden int blame_charge(void *ctx, struct vml_thread *th, struct vml_slot *s, struct vml_mm *m, struct vml_blame *b)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct vml_blocker_key key;
	struct vml_blocker_value *v;

	key.proc = th->row.proc;
	key.start_ns = th->start_ns;
	key.tid = th->tid;
	key.doing = blame_doing(task, th, s->context);
	key.target = m->owner;
	key.write = s->hold_write;
	v = blocker_get(&key);
	if (unlikely(!v))
		v = blocker_untracked();
	if (!v)
		return 0;
	if (!v->hold.count)
		task_comm(v->comm, task);
	blocker_add_hold(v, b->hold_ns);
	blocker_add_clock(v, &s->clock, b->hold_ns);
	core_atomic_add(&v->avoidable_ns, b->avoidable_ns);
	core_atomic_add(&v->foreign_ns, b->foreign_ns);
	core_atomic_add(&v->victims, b->victims);
	core_atomic_add(&v->blamed_ns, b->blamed_ns);
	if (b->foreign_ns)
		v->victim = m->victim;
	if (unlikely(b->watched_ns > stacks_over_ns))
		blame_stack(ctx, &key, b);
	return 0;
}

__noinline int blame_vma_readers(struct vml_proc_key *proc, __u64 ns)
{
	struct vml_blocker_key key = {};
	struct vml_blocker_value *v;

	if (!proc)
		return 0;
	key.proc = *proc;
	key.target = *proc;
	key.doing = VML_DOING(VML_DOING_VMA_READ, 0);
	v = blocker_get(&key);
	if (unlikely(!v))
		v = blocker_untracked();
	if (!v)
		return 0;
	blocker_add_hold(v, ns);
	core_atomic_add(&v->victims, 1);
	core_atomic_add(&v->blamed_ns, ns);
	return 0;
}
