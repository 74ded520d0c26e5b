// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * The kprobe backend: the functions of hooks_fentry.bpf.c through kprobes and
 * kretprobes.  A return does not see the arguments; what is needed of them the
 * core keeps.  A kretprobe may lack an instance when many threads sleep in its
 * function: the entry of the function marks the fault for that case.
 *
 * The programs name no function: session.c attaches them by its table, as
 * kprobe.multi where the kernel has it.
 */
#include "core.bpf.h"
#include "compat.bpf.h"

/* ---- outcome */

SEC("kprobe")
int kprobe_lock_mm_and_find_vma(struct pt_regs *ctx)
{
	return core_fallback(PT_REGS_PARM2(ctx), PT_REGS_PARM3(ctx));
}

SEC("kprobe")
int kprobe_arm64_force_sig_fault(struct pt_regs *ctx)
{
	return core_segv(PT_REGS_PARM3(ctx), PT_REGS_PARM1(ctx), PT_REGS_PARM2(ctx));
}

/* ---- why VM_FAULT_RETRY */

SEC("kprobe")
int kprobe_folio_lock_or_retry(struct pt_regs *ctx)
{
	return core_inner_enter(VML_FOLIO_LOCKED);
}

SEC("kretprobe")
int kretprobe_folio_lock_or_retry(struct pt_regs *ctx)
{
	return core_inner_exit(VML_FOLIO_LOCKED, (__u32)PT_REGS_RC(ctx) ? VM_FAULT_RETRY : 0);
}

SEC("kretprobe")
int kretprobe_shmem_fault(struct pt_regs *ctx)
{
	return core_inner_exit(VML_FILE_IO, PT_REGS_RC(ctx));
}

SEC("kprobe")
int kprobe_filemap_fault(struct pt_regs *ctx)
{
	core_inner_enter(VML_FILE_IO);
	return core_time_enter(VML_IN_PAGE_IO);
}

SEC("kretprobe")
int kretprobe_filemap_fault(struct pt_regs *ctx)
{
	core_time_exit(VML_IN_PAGE_IO, PT_REGS_RC(ctx) & (VM_FAULT_MAJOR | VM_FAULT_RETRY));
	return core_inner_exit(VML_FILE_IO, PT_REGS_RC(ctx));
}

SEC("kprobe")
int kprobe_do_swap_page(struct pt_regs *ctx)
{
	return core_time_enter(VML_IN_PAGE_IO);
}

SEC("kretprobe")
int kretprobe_do_swap_page(struct pt_regs *ctx)
{
	core_time_exit(VML_IN_PAGE_IO, PT_REGS_RC(ctx) & (VM_FAULT_MAJOR | VM_FAULT_RETRY));
	return core_inner_exit(VML_DEVICE_PRIVATE, PT_REGS_RC(ctx));
}

SEC("kretprobe")
int kretprobe_do_huge_pmd_device_private(struct pt_regs *ctx)
{
	return core_inner_exit(VML_DEVICE_PRIVATE, PT_REGS_RC(ctx));
}

SEC("kprobe")
int kprobe_handle_userfault(struct pt_regs *ctx)
{
	core_inner_enter(VML_USERFAULTFD);
	return core_time_enter(VML_IN_USERFAULTFD);
}

SEC("kretprobe")
int kretprobe_handle_userfault(struct pt_regs *ctx)
{
	core_time_exit(VML_IN_USERFAULTFD, true);
	return core_inner_exit(VML_USERFAULTFD, PT_REGS_RC(ctx));
}

/* ---- write locks of VMAs */

SEC("kprobe")
int kprobe_vma_start_write(struct pt_regs *ctx)
{
	return core_vma_write_enter(PT_REGS_PARM1(ctx));
}

SEC("kretprobe")
int kretprobe_vma_start_write(struct pt_regs *ctx)
{
	return core_vma_write_exit();
}

/* ---- exact detail */

SEC("kprobe")
int kprobe_lock_vma_under_rcu(struct pt_regs *ctx)
{
	return core_lookup_enter(PT_REGS_PARM1(ctx), PT_REGS_PARM2(ctx));
}

/* Inside lock_vma_under_rcu, at its call of mas_walk; for the fentry backend too. */
SEC("kprobe")
int call_mas_walk(struct pt_regs *ctx)
{
	return core_lookup_walk();
}

SEC("kretprobe")
int kretprobe_lock_vma_under_rcu(struct pt_regs *ctx)
{
	return core_lookup_exit(PT_REGS_RC(ctx));
}

SEC("kretprobe")
int kretprobe_lock_next_vma(struct pt_regs *ctx)
{
	return core_lookup_next(PT_REGS_RC(ctx));
}

SEC("kprobe")
int kprobe_handle_mm_fault(struct pt_regs *ctx)
{
	return core_handler_enter(PT_REGS_PARM2(ctx), PT_REGS_PARM3(ctx), PT_REGS_PARM4(ctx));
}

SEC("kretprobe")
int kretprobe_handle_mm_fault(struct pt_regs *ctx)
{
	return core_handler_return(PT_REGS_RC(ctx));
}
