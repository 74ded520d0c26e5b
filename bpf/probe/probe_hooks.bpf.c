// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Trials for doctor: is a trampoline, is a kprobe possible on this host?  Each
 * program is loaded and attached alone, and detached at once.
 */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>

char LICENSE[] SEC("license") = "GPL";

SEC("fentry/handle_mm_fault")
int probe_fentry(void *ctx)
{
	return 0;
}

SEC("kprobe/handle_mm_fault")
int probe_kprobe(void *ctx)
{
	return 0;
}
