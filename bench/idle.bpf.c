/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Programs that do nothing, where an observer of page faults may attach: what only being there costs.
 * And one that does the least for numbers by thread.
 */
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

struct {
	__uint(type, BPF_MAP_TYPE_TASK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, __u64);
} counters SEC(".maps");

SEC("tp_btf/page_fault_user")
int BPF_PROG(storage_user)
{
	__u64 *n = bpf_task_storage_get(&counters, bpf_get_current_task_btf(), NULL, BPF_LOCAL_STORAGE_GET_F_CREATE);

	if (n)
		++*n;
	return 0;
}
