/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include <stddef.h>

#include "vmalock/caps.h"

static const char *const names[VML_NCAPS] = {
	[VML_CAP_BPF] = "bpf",
	[VML_CAP_BTF] = "btf",
	[VML_CAP_PER_VMA_LOCK] = "per_vma_lock",
	[VML_CAP_FAULTS_USER] = "faults_user",
	[VML_CAP_FAULTS_KERNEL] = "faults_kernel",
	[VML_CAP_MMAP_LOCK] = "mmap_lock",
	[VML_CAP_TASK_ITERATOR] = "task_iterator",
	[VML_CAP_EXIT] = "exit",
	[VML_CAP_EXEC] = "exec",
	[VML_CAP_FAULT_CONTEXT] = "fault_context",
	[VML_CAP_VMA_IDENTITY] = "vma_identity",
	[VML_CAP_CGROUP] = "cgroup",
	[VML_CAP_FENTRY] = "fentry",
	[VML_CAP_KPROBE] = "kprobe",
	[VML_CAP_OUTCOME] = "outcome",
	[VML_CAP_RETRY_REASON] = "retry_reason",
	[VML_CAP_VMA_WRITE] = "vma_write",
	[VML_CAP_USERFAULTFD_TIME] = "userfaultfd_time",
	[VML_CAP_PAGE_IO_TIME] = "page_io_time",
	[VML_CAP_LOOKUPS] = "lookups",
	[VML_CAP_MISSES] = "misses",
	[VML_CAP_SERVE_TIME] = "serve_time",
	[VML_CAP_RUN_DELAY] = "run_delay",
	[VML_CAP_NAMES] = "names",
	[VML_CAP_VMSTAT] = "vmstat",
};

const char *vml_cap_name(enum vml_cap_id id)
{
	return (unsigned int)id < VML_NCAPS ? names[id] : NULL;
}
