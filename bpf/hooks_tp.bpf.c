// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * What every backend begins with: BTF-typed raw tracepoints, which need neither
 * tracefs nor kprobes nor trampolines, and survive lockdown.  Alone they are the
 * tracepoint backend.
 */
#include "core.bpf.h"
#include "compat.bpf.h"

char LICENSE[] SEC("license") = "GPL";

SEC("tp_btf/page_fault_user")
int BPF_PROG(tp_page_fault_user, unsigned long address, struct pt_regs *regs)
{
	return core_fault(address, compat_ip(regs), true);
}

SEC("tp_btf/page_fault_kernel")
int BPF_PROG(tp_page_fault_kernel, unsigned long address, struct pt_regs *regs)
{
	return core_fault(address, compat_ip(regs), false);
}

SEC("tp_btf/mmap_lock_start_locking")
int tp_mmap_lock_start_locking(__u64 *ctx)
{
	return core_lock_start(ctx, (void *)compat_mmap_lock_mm(ctx), compat_mmap_lock_write(ctx));
}

SEC("tp_btf/mmap_lock_acquire_returned")
int tp_mmap_lock_acquire_returned(__u64 *ctx)
{
	return core_lock_acquired(ctx, (void *)compat_mmap_lock_mm(ctx), compat_mmap_lock_write(ctx),
				  compat_mmap_lock_success(ctx));
}

SEC("tp_btf/mmap_lock_released")
int tp_mmap_lock_released(__u64 *ctx)
{
	return core_lock_released(ctx, (void *)compat_mmap_lock_mm(ctx), compat_mmap_lock_write(ctx));
}

SEC("tp_btf/exit_mmap")
int BPF_PROG(tp_exit_mmap, struct mm_struct *mm)
{
	return core_mm_ends(mm);
}

SEC("tp_btf/sched_process_exec")
int BPF_PROG(tp_sched_process_exec, struct task_struct *task)
{
	return core_exec(task);
}

SEC("tp_btf/sched_process_exit")
int BPF_PROG(tp_sched_process_exit, struct task_struct *task)
{
	return core_exit(task);
}

SEC("tp_btf/sched_process_free")
int BPF_PROG(tp_sched_process_free, struct task_struct *task)
{
	return core_free(task);
}

/* ---- write locks of VMAs where these are rwsems (before 6.15): session.c loads them only there */

SEC("tp_btf/contention_begin")
int BPF_PROG(tp_contention_begin, void *lock, unsigned int flags)
{
	return core_rwsem_begin((__u64)lock, flags);
}

SEC("tp_btf/contention_end")
int BPF_PROG(tp_contention_end, void *lock)
{
	return core_rwsem_end((__u64)lock);
}

/*
 * Where there are no fault tracepoints (arm64): the software event page-faults,
 * which the fault handler raises just before it looks the VMA up.
 */
SEC("perf_event")
int perf_page_fault(struct bpf_perf_event_data *ctx)
{
	core_lose(VML_COUNTER_PERF_RUNS); /* beside what the event itself counts: perf throttles */
	return core_fault(ctx->addr, compat_ip(&ctx->regs), compat_user_mode(&ctx->regs));
}
