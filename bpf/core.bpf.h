/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef VMALOCK_CORE_BPF_H
#define VMALOCK_CORE_BPF_H
/*
 * The contract from hooks to core.
 *
 * A hook (hooks_*.bpf.c) translates one kernel event into one call below and
 * holds no state.  The core keeps all state: per thread in task storage, per
 * process, VMA, file and cgroup in maps (layouts: vmalock/abi.h).
 *
 * All functions are __hidden: the linker makes them static, so the verifier
 * follows each call with what it knows of the caller.  They return 0, so that a
 * hook can return their value.
 *
 * Kernel addresses are passed as __u64 and only compared or probe-read.
 */
#include "vmlinux.h"
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>
#include "vmalock/abi.h"

#define likely(x) __builtin_expect(!!(x), 1)
#define unlikely(x) __builtin_expect(!!(x), 0)

/* ---- events: core.bpf.c */

/*
 * A page fault begins.  @address: faulting address (kernel ones are ignored),
 * @ip: instruction that faulted, @user: in user mode.  The hot path.
 */
__hidden int core_fault(__u64 address, __u64 ip, bool user);

/*
 * mmap_lock of @mm: asked for / got or given up / about to be released, by the
 * current task.  @ctx: the program's context, for a stack when nothing else
 * tells a fallback.  A downgrade is an acquisition for read without a start.
 */
__hidden int core_lock_start(void *ctx, __u64 mm, bool write);
__hidden int core_lock_acquired(__u64 mm, bool write, bool success);
__hidden int core_lock_released(__u64 mm, bool write);

/* The current task replaced its image. */
__hidden int core_exec(struct task_struct *task);
/* @task is gone and about to be freed; runs in whatever context. */
__hidden int core_free(struct task_struct *task);

/* Counts a loss. */
__hidden int core_lose(__u32 cause);

/*
 * The histogram bucket of @ns.  Not hidden, so a global function: the verifier
 * checks it once and takes any number for its result (check the range).
 */
__u32 core_hist_index(__u64 ns);

/* ---- VMAs: vma.bpf.c */

/* Finds the VMA of @address, caches it in @th and makes its row the current one. */
__hidden int vma_enter(struct vml_thread *th, struct mm_struct *mm, __u64 address);
/* Adds what is pending in @th to its row and to its own counts. */
__hidden int vma_flush(struct vml_thread *th);
/* A fallback of the current fault: counts its reason, in the thread and in the row. */
__hidden int vma_fallback(struct vml_thread *th, struct mm_struct *mm);
/*
 * The current fault holds mmap_lock now, so the tree holds still: a VMA that was
 * not found when the fault began, because a writer was at it, is found here.
 */
__hidden int vma_settle(struct vml_thread *th);
/* A read wait of the current fault. */
__hidden int vma_wait(struct vml_thread *th, __u64 ns);

/* ---- processes: process.bpf.c */

/* Makes sure the process of @task has a row, and counts the new thread there. */
__hidden int process_join(struct task_struct *task, struct vml_thread *th);
/* Adds the numbers of a thread that ends, or leaves the image, to its process. */
__hidden int process_leave(struct task_struct *task, struct vml_thread *th, bool image_ends);
/* Id of the cgroup of @task; its path is in the map afterwards. */
__hidden __u64 process_cgroup(struct task_struct *task);
/* Pid of @task in its own namespace. */
__hidden __u32 process_ns_pid(struct task_struct *task);

/* ---- maps shared by several objects */

struct vml_threads {
	__uint(type, BPF_MAP_TYPE_TASK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct vml_thread);
};
extern struct vml_threads threads SEC(".maps");

/* ---- small things every object needs */

#define barrier_memory() asm volatile("" ::: "memory")

/* The largest of two, with other CPUs doing the same. */
static __always_inline void core_atomic_max(__u64 *p, __u64 v)
{
	for (int i = 0; i < 8; i++) {
		__u64 old = *(volatile __u64 *)p;

		if (old >= v || __sync_val_compare_and_swap(p, old, v) == old)
			return;
	}
	core_lose(VML_LOSS_MAX_RACE);
}

static __always_inline void core_atomic_add(__u64 *p, __u64 v)
{
	if (v)
		__sync_fetch_and_add(p, v);
}

static __always_inline void core_atomic_add32(__u32 *p, __u32 v)
{
	if (v)
		__sync_fetch_and_add(p, v);
}

#endif
