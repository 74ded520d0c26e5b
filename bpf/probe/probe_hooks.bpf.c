// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Trials: is a trampoline, a kprobe, a look at the kernel's strings possible on
 * this host?  Each program is loaded and attached alone, and detached at once.
 */
#include "vmlinux.h"
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

char LICENSE[] SEC("license") = "GPL";

SEC("fentry/lock_mm_and_find_vma")
int probe_fentry(void *ctx)
{
	return 0;
}

SEC("kprobe/lock_mm_and_find_vma")
int probe_kprobe(void *ctx)
{
	return 0;
}

SEC("kprobe.multi")
int probe_kprobe_multi(void *ctx)
{
	return 0;
}

SEC("tp_btf/sched_process_free")
int BPF_PROG(probe_names, struct task_struct *task)
{
	char comm[16];

	return bpf_probe_read_kernel_str(comm, sizeof(comm), &task->comm) < 0;
}

/* Text of the kernel, for src/collect/callsite.c. */
__u64 text_addr;
__u8 text[4096];

SEC("syscall")
int read_text(void *ctx)
{
	return bpf_probe_read_kernel(text, sizeof(text), (void *)text_addr);
}

/*
 * The instruction that the kprobe at text_addr replaced, into text.  @kprobe_bucket:
 * where its chain of kprobe_table begins (kernel/kprobes.c).
 */
__u64 kprobe_bucket;
#define CHAIN_MAX 256

SEC("syscall")
int read_replaced(void *ctx)
{
	struct hlist_node *node = NULL;
	struct kprobe *p;
	int i;

	bpf_probe_read_kernel(&node, sizeof(node), (void *)kprobe_bucket);
	for (i = 0; i < CHAIN_MAX && node; i++) {
		p = (void *)node - bpf_core_field_offset(struct kprobe, hlist);
		if ((__u64)BPF_CORE_READ(p, addr) == text_addr)
			return bpf_core_read(text, sizeof(p->opcode), &p->opcode);
		node = BPF_CORE_READ(node, next);
	}
	return -2; /* ENOENT */
}
