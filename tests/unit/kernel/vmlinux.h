/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef VMALOCK_UNIT_VMLINUX_H
#define VMALOCK_UNIT_VMLINUX_H
/*
 * As much of the kernel's types as bpf/lock.bpf.c and bpf/blame.bpf.c look at, so
 * that a unit test can compile them for user space.  What is here has the names of
 * the real vmlinux.h; where it lies does not matter: but on_cpu, which is read
 * through a type that has nothing else.
 */
#include <linux/bpf.h>
#include <linux/types.h>
#include <stdbool.h>
#include <stddef.h>

typedef __u64 u64;
typedef __u32 u32;

struct pt_regs {
	unsigned long orig_ax, ip, cs, di, si, r10; /* x86 */
	unsigned long orig_x0, pc, pstate, regs[31]; /* arm64 */
	int syscallno;
};

struct task_struct;

struct rw_semaphore {
	struct {
		long counter;
	} count;
};

struct mm_struct {
	struct {
		unsigned int sequence;
	} mm_lock_seq;
	struct rw_semaphore mmap_lock;
	struct task_struct *owner;
	unsigned long brk;
};

struct vm_area_struct {
	unsigned int vm_lock_seq;
	struct {
		struct {
			int counter;
		} refs;
	} vm_refcnt;
};

struct task_delay_info;

struct task_struct {
	unsigned int on_cpu; /* first */
	unsigned int __state;
	unsigned int flags;
	int pid, tgid;
	unsigned int self_exec_id;
	__u64 start_boottime;
	unsigned long min_flt, maj_flt;
	struct task_struct *group_leader;
	struct mm_struct *mm;
	char comm[16];
	struct {
		__u64 sum_exec_runtime, exec_start;
	} se;
	struct {
		__u64 run_delay;
	} sched_info;
	struct task_delay_info *delays;
	struct {
		unsigned long flags;
		unsigned int status;
	} thread_info;
	/* not of the kernel */
	struct pt_regs regs;
	struct vml_thread *storage;
};

struct kernfs_node;
struct trace_event_raw_mmap_lock;

#endif
