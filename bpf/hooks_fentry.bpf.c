// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * The fentry backend: BPF trampolines on the slow paths of a fault.  In the
 * default detail nothing here runs in a fault that is a hit, save those that go
 * to a file system or to swap for a page.  The verifier wants to
 * see that a trampoline returns 0.
 */
#include "core.bpf.h"
#include "compat.bpf.h"

/* ---- outcome */

SEC("fentry/lock_mm_and_find_vma")
int BPF_PROG(fentry_lock_mm_and_find_vma, struct mm_struct *mm, unsigned long address, struct pt_regs *regs)
{
	core_fallback(address, (__u64)regs);
	return 0;
}

SEC("fentry/arm64_force_sig_fault")
int BPF_PROG(fentry_arm64_force_sig_fault, int signal, int code, unsigned long address)
{
	core_segv(address, signal, code);
	return 0;
}

/* ---- why VM_FAULT_RETRY */

SEC("fexit/__folio_lock_or_retry")
int BPF_PROG(fexit_folio_lock_or_retry, struct folio *folio, struct vm_fault *vmf, vm_fault_t ret)
{
	/* any error is a retry: it waited, or would have had to */
	core_inner_exit(VML_FOLIO_LOCKED, ret ? VM_FAULT_RETRY : 0);
	return 0;
}

SEC("fexit/shmem_fault")
int BPF_PROG(fexit_shmem_fault, struct vm_fault *vmf, vm_fault_t ret)
{
	core_inner_exit(VML_FILE_IO, ret);
	return 0;
}

SEC("fentry/filemap_fault")
int BPF_PROG(fentry_filemap_fault, struct vm_fault *vmf)
{
	core_time_enter(VML_IN_PAGE_IO);
	return 0;
}

SEC("fexit/filemap_fault")
int BPF_PROG(fexit_filemap_fault, struct vm_fault *vmf, vm_fault_t ret)
{
	core_time_exit(VML_IN_PAGE_IO, ret & (VM_FAULT_MAJOR | VM_FAULT_RETRY));
	core_inner_exit(VML_FILE_IO, ret);
	return 0;
}

SEC("fentry/do_swap_page")
int BPF_PROG(fentry_do_swap_page, struct vm_fault *vmf)
{
	core_time_enter(VML_IN_PAGE_IO);
	return 0;
}

SEC("fexit/do_swap_page")
int BPF_PROG(fexit_do_swap_page, struct vm_fault *vmf, vm_fault_t ret)
{
	core_time_exit(VML_IN_PAGE_IO, ret & (VM_FAULT_MAJOR | VM_FAULT_RETRY));
	core_inner_exit(VML_DEVICE_PRIVATE, ret);
	return 0;
}

SEC("fexit/do_huge_pmd_device_private")
int BPF_PROG(fexit_do_huge_pmd_device_private, struct vm_fault *vmf, vm_fault_t ret)
{
	core_inner_exit(VML_DEVICE_PRIVATE, ret);
	return 0;
}

SEC("fentry/handle_userfault")
int BPF_PROG(fentry_handle_userfault, struct vm_fault *vmf)
{
	core_inner_enter(VML_USERFAULTFD);
	core_time_enter(VML_IN_USERFAULTFD);
	return 0;
}

SEC("fexit/handle_userfault")
int BPF_PROG(fexit_handle_userfault, struct vm_fault *vmf, unsigned long reason, vm_fault_t ret)
{
	core_time_exit(VML_IN_USERFAULTFD, true);
	core_inner_exit(VML_USERFAULTFD, ret);
	return 0;
}

/* ---- write locks of VMAs (6.15 and later): the first argument is all that three signatures share */

SEC("fentry/__vma_start_write")
int BPF_PROG(fentry_vma_start_write, struct vm_area_struct *vma)
{
	core_vma_write_enter((__u64)vma);
	return 0;
}

SEC("fexit/__vma_start_write")
int BPF_PROG(fexit_vma_start_write, struct vm_area_struct *vma)
{
	core_vma_write_exit();
	return 0;
}

/* ---- exact detail */

SEC("fentry/lock_vma_under_rcu")
int BPF_PROG(fentry_lock_vma_under_rcu, struct mm_struct *mm, unsigned long address)
{
	core_lookup_enter((__u64)mm, address);
	return 0;
}

SEC("fexit/lock_vma_under_rcu")
int BPF_PROG(fexit_lock_vma_under_rcu, struct mm_struct *mm, unsigned long address, struct vm_area_struct *ret)
{
	core_lookup_exit((__u64)ret);
	return 0;
}

SEC("fexit/lock_next_vma")
int BPF_PROG(fexit_lock_next_vma, struct mm_struct *mm, void *vmi, unsigned long from, struct vm_area_struct *ret)
{
	core_lookup_next((__u64)ret);
	return 0;
}

SEC("fexit/handle_mm_fault")
int BPF_PROG(fexit_handle_mm_fault, struct vm_area_struct *vma, unsigned long address, unsigned int flags,
	     struct pt_regs *regs, vm_fault_t ret)
{
	core_handler_exit(address, flags, (__u64)regs, ret);
	return 0;
}
