/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Programs that do nothing, where an observer of page faults may attach: what only being there costs. */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

char LICENSE[] SEC("license") = "Dual BSD/GPL";

SEC("tp_btf/page_fault_user")
int BPF_PROG(tracepoint_user)
{
	return 0;
}

SEC("tp_btf/page_fault_kernel")
int BPF_PROG(tracepoint_kernel)
{
	return 0;
}

SEC("fexit/handle_mm_fault")
int BPF_PROG(fexit_handler)
{
	return 0;
}

SEC("kprobe/lock_vma_under_rcu")
int kprobe_lookup(void *ctx)
{
	return 0;
}
