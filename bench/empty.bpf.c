/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The least that any BPF tool can add to a page fault: one program that does nothing. */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

char LICENSE[] SEC("license") = "Dual BSD/GPL";

SEC("tp_btf/page_fault_user")
int BPF_PROG(empty_page_fault_user)
{
	return 0;
}
