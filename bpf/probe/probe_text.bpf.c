// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Reading the text of the kernel, for src/collect/callsite.c. */
#include "vmlinux.h"
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>

char LICENSE[] SEC("license") = "GPL";

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
