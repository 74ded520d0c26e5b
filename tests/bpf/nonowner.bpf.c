/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Takes mmap_lock for read where its release comes in another context: the build
 * ids of a user stack need it, and with interrupts off, as when a thread leaves the
 * CPU, it is released by an irq_work, when the next thread is there already
 * (mmap_read_unlock_non_owner; Source: kernel/bpf/stackmap.c, mmap_unlock_work.h).
 */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#define FRAMES 16

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct bpf_stack_build_id[FRAMES]);
} stacks SEC(".maps");

const volatile __u32 of_process;
__u64 with_build_id;

char LICENSE[] SEC("license") = "Dual BSD/GPL";

SEC("tp_btf/sched_switch")
int BPF_PROG(sched_switch, bool preempt, struct task_struct *prev)
{
	struct bpf_stack_build_id *s;
	__u32 zero = 0;
	long n;

	if (prev->tgid != of_process || preempt)
		return 0;
	s = bpf_map_lookup_elem(&stacks, &zero);
	if (!s)
		return 0;
	n = bpf_get_stack(ctx, s, sizeof(*s) * FRAMES, BPF_F_USER_STACK | BPF_F_USER_BUILD_ID);
	if (n >= (long)sizeof(*s) && s->status == BPF_STACK_BUILD_ID_VALID)
		__sync_fetch_and_add(&with_build_id, 1);
	return 0;
}
