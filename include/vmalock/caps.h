/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef VMALOCK_CAPS_H
#define VMALOCK_CAPS_H
/*
 * What can be seen on this host, how that was found out, and what is lost.
 *
 * Filled once by src/collect/caps.c, by trying: a program is loaded and
 * attached, a field is looked up in BTF.  Never by a version number.
 * Degradation is data: doctor, the JSON object "backend" and the header of the
 * screen all print this table.
 */
#include <stdbool.h>
#include <stddef.h>

enum vml_cap_state {
	VML_CAP_NO, /* tried, not there */
	VML_CAP_YES, /* tried, there */
	VML_CAP_UNKNOWN, /* could not be tried: something it needs is missing */
};

enum vml_cap_id {
	VML_CAP_BPF, /* bpf(2) with CAP_BPF and CAP_PERFMON */
	VML_CAP_BTF, /* type information of the running kernel */
	VML_CAP_PER_VMA_LOCK, /* the kernel has per-VMA locks at all */
	VML_CAP_FAULTS_USER, /* tp_btf page_fault_user */
	VML_CAP_FAULTS_KERNEL, /* tp_btf page_fault_kernel */
	VML_CAP_MMAP_LOCK, /* the three mmap_lock tracepoints */
	VML_CAP_TASK_ITERATOR, /* iter/task: threads in one pass */
	VML_CAP_EXIT, /* sched_process_free: numbers of dead threads */
	VML_CAP_EXEC, /* sched_process_exec: images kept apart */
	VML_CAP_FAULT_CONTEXT, /* telling a fallback from __vmf_anon_prepare */
	VML_CAP_VMA_IDENTITY, /* maple tree in BTF: faults by VMA */
	VML_CAP_CGROUP, /* cgroup paths from kernfs */
	VML_CAP_FENTRY, /* BPF trampolines load and attach */
	VML_CAP_KPROBE, /* kprobes attach */
	VML_CAP_OUTCOME, /* lock_mm_and_find_vma: aborts and retries told apart, exactly */
	VML_CAP_RETRY_REASON, /* the functions that return VM_FAULT_RETRY */
	VML_CAP_VMA_WRITE, /* write locks of VMAs that wait for readers */
	VML_CAP_USERFAULTFD_TIME, /* handle_userfault */
	VML_CAP_PAGE_IO_TIME, /* filemap_fault, do_swap_page */
	VML_CAP_LOOKUPS, /* lock_vma_under_rcu, every caller (exact detail) */
	VML_CAP_MISSES, /* mas_walk inside it (exact detail) */
	VML_CAP_SERVE_TIME, /* handle_mm_fault (exact detail) */
	VML_CAP_RUN_DELAY, /* sched_info: how long a thread waited for a CPU */
	VML_CAP_NAMES, /* strings of the kernel can be read: file names, cgroups */
	VML_CAP_VMSTAT, /* the kernel's own vma_lock_* counters */
	VML_NCAPS,
};

struct vml_cap {
	const char *name; /* stable key: "faults_user" */
	const char *what; /* one line: what it is */
	const char *lost; /* one line: what is not seen without it */
	const char *get; /* one line: how to get it */
	enum vml_cap_state state;
	char how[160]; /* one line: how it was found, with the error */
};

struct vml_caps {
	char backend[16]; /* "tracepoint"; "none" when nothing could be loaded */
	char detail[16]; /* "default", "exact" */
	bool own_pids; /* this process is in a PID namespace of its own, and rows have the host's PIDs */
	/*
	 * What vmalockd would keep of the capabilities of the system, found by a snapshot without them (doctor):
	 * "none", "cap_bpf cap_perfmon"; "": not tried
	 */
	char kept[64];
	struct vml_cap cap[VML_NCAPS];
};

/* The stable key of a capability, by which files and programs know it; never NULL for id < VML_NCAPS (src/model/caps.c) */
const char *vml_cap_name(enum vml_cap_id id);

/* With all its texts, in @a (src/model/copy.c). NULL: out of memory. */
struct vml_arena;
const struct vml_caps *vml_caps_copy(struct vml_arena *a, const struct vml_caps *caps);

static inline bool vml_caps_has(const struct vml_caps *c, enum vml_cap_id id)
{
	return c->cap[id].state == VML_CAP_YES;
}

#endif
