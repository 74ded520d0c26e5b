/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The least that any BPF tool can add to a page fault, or to mmap_lock: programs that do nothing. */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

char LICENSE[] SEC("license") = "Dual BSD/GPL";

SEC("tp_btf/page_fault_user")
int BPF_PROG(empty_page_fault_user)
{
	return 0;
}

SEC("tp_btf/mmap_lock_start_locking")
int empty_start_locking(void *ctx)
{
	return 0;
}

SEC("tp_btf/mmap_lock_acquire_returned")
int empty_acquire_returned(void *ctx)
{
	return 0;
}

SEC("tp_btf/mmap_lock_released")
int empty_released(void *ctx)
{
	return 0;
}
