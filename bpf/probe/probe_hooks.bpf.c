// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Trials: is a kprobe, a look at the kernel's strings possible on this host?  Each
 * program is loaded and attached alone, and detached at once.  They need no type of
 * the kernel, so libbpf does not read its BTF for them.
 */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>

char LICENSE[] SEC("license") = "GPL";

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

SEC("raw_tp/sched_process_free")
int probe_names(void *ctx)
{
	char comm[16];

	return bpf_probe_read_kernel_str(comm, sizeof(comm), ctx) < 0;
}
