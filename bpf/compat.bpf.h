/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef VMALOCK_COMPAT_BPF_H
#define VMALOCK_COMPAT_BPF_H
/*
 * Every difference between kernels, one accessor each.  Tests are existence
 * tests on BTF, resolved at load: the branch not taken is never verified.
 * "Until" says when an accessor may go.
 */
#include "vmlinux.h"
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#define VM_GROWSDOWN 0x100UL
#define VM_SEQ_READ 0x8000UL
#define VM_RAND_READ 0x10000UL
#define VM_UFFD (0x200UL | 0x1000UL) /* VM_UFFD_MISSING, VM_UFFD_WP */
#define VM_HUGETLB 0x400000UL
#define VML_NO_SYSCALL (-1)
#define PF_EXITING 0x4
#define PF_KTHREAD 0x200000

/*
 * The verifier lets a program load through such a pointer directly, at one
 * instruction instead of a call of bpf_probe_read_kernel() (measured on 256
 * VMAs in turn: the walk costs a third), and under lockdown=confidentiality
 * too; a bad address reads as 0.  Kernels without it (6.1) show no VMAs:
 * have_rdonly_cast is set before the load.  For vma.bpf.c alone: bpftool 7.0
 * cannot link two objects that call one kernel function.
 */
void *bpf_rdonly_cast(const void *obj, __u32 btf_id) __ksym __weak;
extern const volatile __u32 have_rdonly_cast;
#define AS(type, addr) ((struct type *)bpf_rdonly_cast((void *)(addr), bpf_core_type_id_kernel(struct type)))

/* 6.4: per-VMA locks.  Until 6.1 is no longer supported. */
static __always_inline bool compat_has_vma_lock(void)
{
	return bpf_core_field_exists(struct mm_struct, mm_lock_seq);
}

/*
 * mm->mm_lock_seq: int until 6.13 and in 6.12.0-.73, bumped when mmap_lock is
 * write-unlocked; seqcount_t since 6.14 and in stable 6.12.94+, odd while
 * mmap_lock is write-held (eb449bd96954).  Until 6.12 is no longer supported.
 */
struct mm_struct___int_seq {
	int mm_lock_seq;
} __attribute__((preserve_access_index));

static __always_inline __u32 compat_mm_seq(struct mm_struct *mm)
{
	if (bpf_core_field_exists(mm->mm_lock_seq.sequence))
		return mm->mm_lock_seq.sequence;
	if (bpf_core_field_exists(struct mm_struct___int_seq, mm_lock_seq))
		return ((struct mm_struct___int_seq *)mm)->mm_lock_seq;
	return 0;
}

/* True while somebody holds mmap_lock for write, as seen with @seq. */
static __always_inline bool compat_mm_writer(struct mm_struct *mm, __u32 seq)
{
	if (bpf_core_field_exists(mm->mm_lock_seq.sequence))
		return seq & 1;
	return mm->mmap_lock.count.counter & 1; /* RWSEM_WRITER_LOCKED */
}

/*
 * The cache of a VMA is proven by an unchanged sequence: with seqcount_t that
 * is enough, because only even values are cached.
 */
static __always_inline bool compat_cache_holds(struct mm_struct *mm, __u32 cached_seq)
{
	if (bpf_core_field_exists(mm->mm_lock_seq.sequence))
		return mm->mm_lock_seq.sequence == cached_seq;
	if (compat_has_vma_lock())
		return compat_mm_seq(mm) == cached_seq && !compat_mm_writer(mm, 0);
	return false; /* 6.1 proves nothing without a lock: walk every time */
}

/* vma->vm_lock_seq: equal to mm_lock_seq means write-locked.  The pointer may be stale. */
static __always_inline __u32 compat_vma_seq(__u64 vma)
{
	if (bpf_core_field_exists(struct vm_area_struct, vm_lock_seq))
		return AS(vm_area_struct, vma)->vm_lock_seq;
	return -1;
}

/*
 * Somebody waits for the readers of the VMA to go.  Since 6.15 bit 30 of
 * vm_refcnt; before, the rwsem vma->vm_lock->lock has a writer, waiters or a
 * hand-off, which is when its trylock fails (RWSEM_READ_FAILED_MASK).
 */
struct vma_lock___rwsem {
	struct rw_semaphore lock;
} __attribute__((preserve_access_index));
struct vm_area_struct___rwsem {
	struct vma_lock___rwsem *vm_lock;
} __attribute__((preserve_access_index));

#define VMA_LOCK_OFFSET 0x40000000U
#define VMA_REFS_MASK (VMA_LOCK_OFFSET - 1)
#define RWSEM_READER_SHIFT 8

static __always_inline bool compat_vma_lock_is_rwsem(void)
{
	return bpf_core_field_exists(struct vm_area_struct___rwsem, vm_lock);
}

/* The rwsem of @vma; 0 when its lock is none. */
static __always_inline __u64 compat_vma_rwsem(__u64 vma)
{
	struct vm_area_struct___rwsem *v = (void *)AS(vm_area_struct, vma);

	if (!compat_vma_lock_is_rwsem())
		return 0;
	return (__u64)v->vm_lock + bpf_core_field_offset(struct vma_lock___rwsem, lock);
}

static __always_inline bool compat_vma_busy(__u64 vma)
{
	if (bpf_core_field_exists(struct vm_area_struct, vm_refcnt))
		return AS(vm_area_struct, vma)->vm_refcnt.refs.counter & VMA_LOCK_OFFSET;
	if (compat_vma_lock_is_rwsem())
		return AS(rw_semaphore, compat_vma_rwsem(vma))->count.counter & 7;
	return false;
}

/* Readers in @vma now, without its own reference; refcount kernels. */
static __always_inline __u32 compat_vma_readers(__u64 vma)
{
	__u32 refs;

	if (!bpf_core_field_exists(struct vm_area_struct, vm_refcnt))
		return 0;
	refs = AS(vm_area_struct, vma)->vm_refcnt.refs.counter & VMA_REFS_MASK;
	return refs > 1 ? refs - 1 : 0;
}

/* Readers of a rwsem that is read-locked. */
static __always_inline __u32 compat_rwsem_readers(__u64 sem)
{
	return AS(rw_semaphore, sem)->count.counter >> RWSEM_READER_SHIFT;
}

/*
 * Inside handle_mm_fault?  1 yes, 0 no, -1 cannot be told.
 * in_user_fault exists with CONFIG_MEMCG_V1 (always in 6.1), in_lru_fault with
 * CONFIG_LRU_GEN and only for VMAs with recency.
 */
struct task_struct___in_user_fault {
	unsigned int in_user_fault : 1;
} __attribute__((preserve_access_index));
struct task_struct___in_lru_fault {
	unsigned int in_lru_fault : 1;
} __attribute__((preserve_access_index));

static __always_inline int compat_in_fault_handler(struct task_struct *task, __u64 vm_flags, bool file)
{
	struct task_struct___in_user_fault *user = (void *)task;
	struct task_struct___in_lru_fault *lru = (void *)task;

	if (bpf_core_field_exists(user->in_user_fault))
		return BPF_CORE_READ_BITFIELD(user, in_user_fault);
	if (bpf_core_field_exists(lru->in_lru_fault)) {
		if (BPF_CORE_READ_BITFIELD(lru, in_lru_fault))
			return 1;
		/* a file may be FMODE_NOREUSE */
		return file || (vm_flags & (VM_SEQ_READ | VM_RAND_READ)) ? -1 : 0;
	}
	return -1;
}

/* How the task entered the kernel: the system call, or VML_NO_SYSCALL for an exception. */
static __always_inline int compat_entry(struct pt_regs *regs)
{
#if defined(__TARGET_ARCH_x86)
	return (int)regs->orig_ax;
#elif defined(__TARGET_ARCH_arm64)
	return regs->syscallno;
#else
#error "no entry decoding for this architecture"
#endif
}

/* For struct pt_regs and, in perf_event programs, struct user_pt_regs. */
#if defined(__TARGET_ARCH_x86)
#define compat_ip(regs) ((regs)->ip)
#define compat_user_mode(regs) ((*(volatile __u64 *)&(regs)->cs & 3) != 0) /* a context is read by words */
#elif defined(__TARGET_ARCH_arm64)
#define compat_ip(regs) ((regs)->pc)
#define compat_user_mode(regs) (((regs)->pstate & 0xf) == 0) /* PSR_MODE_EL0t */
#endif

/* Arguments of the system call that @regs belong to. */
#if defined(__TARGET_ARCH_x86)
#define compat_syscall_arg0(regs) ((__u64)(regs)->di)
#define compat_syscall_arg1(regs) ((__u64)(regs)->si)
#define compat_syscall_arg3(regs) ((__u64)(regs)->r10)
#elif defined(__TARGET_ARCH_arm64)
#define compat_syscall_arg0(regs) ((__u64)(regs)->orig_x0)
#define compat_syscall_arg1(regs) ((__u64)(regs)->regs[1])
#define compat_syscall_arg3(regs) ((__u64)(regs)->regs[3])
#endif

/* Is @task in a system call of a 32-bit program? */
static __always_inline bool compat_is_32bit(struct task_struct *task)
{
#if defined(__TARGET_ARCH_x86)
	return task->thread_info.status & 0x2; /* TS_COMPAT */
#elif defined(__TARGET_ARCH_arm64)
	return task->thread_info.flags & (1UL << 22); /* TIF_32BIT */
#endif
}

/* Numbers of system calls (asm/unistd_64.h, asm-generic/unistd.h). */
#if defined(__TARGET_ARCH_x86)
#define NR_IOCTL 16
#define NR_MADVISE 28
#define NR_RECVMSG 47
#define NR_RECVFROM 45
#define NR_GETSOCKOPT 55
#define NR_READ 0
#define NR_PREAD64 17
#define NR_BPF 321
#elif defined(__TARGET_ARCH_arm64)
#define NR_IOCTL 29
#define NR_MADVISE 233
#define NR_RECVMSG 212
#define NR_RECVFROM 207
#define NR_GETSOCKOPT 209
#define NR_READ 63
#define NR_PREAD64 67
#define NR_BPF 280
#endif
#define NR_PROCESS_MADVISE 440

/* System calls that change the mappings of a range: first argument and length. */
#if defined(__TARGET_ARCH_x86)
#define CASE_CHANGES_RANGE               \
	case 10: /* mprotect */          \
	case 11: /* munmap */            \
	case 28: /* madvise */           \
	case 149: /* mlock */            \
	case 150: /* munlock */          \
	case 216: /* remap_file_pages */ \
	case 237: /* mbind */            \
	case 325: /* mlock2 */           \
	case 329: /* pkey_mprotect */    \
	case 462 /* mseal */
#define CASE_CHANGES_ALL         \
	case 56: /* clone */     \
	case 57: /* fork */      \
	case 58: /* vfork */     \
	case 435: /* clone3 */   \
	case 151: /* mlockall */ \
	case 152 /* munlockall */
#define NR_MMAP 9
#define NR_MREMAP 25
#define NR_BRK 12
#elif defined(__TARGET_ARCH_arm64)
#define CASE_CHANGES_RANGE               \
	case 226: /* mprotect */         \
	case 215: /* munmap */           \
                                         \
	case 233: /* madvise */          \
	case 228: /* mlock */            \
	case 229: /* munlock */          \
	case 234: /* remap_file_pages */ \
	case 235: /* mbind */            \
	case 284: /* mlock2 */           \
	case 288: /* pkey_mprotect */    \
	case 462 /* mseal */
#define CASE_CHANGES_ALL         \
	case 220: /* clone */    \
	case 435: /* clone3 */   \
	case 230: /* mlockall */ \
	case 231 /* munlockall */
#define NR_MMAP 222
#define NR_MREMAP 216
#define NR_BRK 214
#endif
#define MREMAP_FIXED 2
#define MAP_FIXED_ANY (0x10 | 0x100000) /* MAP_FIXED, MAP_FIXED_NOREPLACE */

/*
 * Arguments of the mmap_lock tracepoints: (mm, memcg_path, write[, success])
 * until 6.13 and in all of 6.12, (mm, write[, success]) since.  The record of
 * the old form has a memcg_path.  Until 6.12 is no longer supported.
 */
struct trace_event_raw_mmap_lock___path {
	__u32 __data_loc_memcg_path;
} __attribute__((preserve_access_index));

/* In assembly, because the compiler would choose the offset at run time, which the verifier refuses. */
#define context_word(ctx, offset)                                                       \
	({                                                                              \
		__u64 __v;                                                              \
		asm volatile("%0 = *(u64 *)(%1 + " #offset ")" : "=r"(__v) : "r"(ctx)); \
		__v;                                                                    \
	})

static __always_inline bool compat_mmap_lock_has_path(void)
{
	return bpf_core_field_exists(struct trace_event_raw_mmap_lock___path, __data_loc_memcg_path);
}

static __always_inline __u64 compat_mmap_lock_mm(__u64 *ctx)
{
	return context_word(ctx, 0);
}

static __always_inline bool compat_mmap_lock_write(__u64 *ctx)
{
	return (__u8)(compat_mmap_lock_has_path() ? context_word(ctx, 16) : context_word(ctx, 8));
}

static __always_inline bool compat_mmap_lock_success(__u64 *ctx)
{
	return (__u8)(compat_mmap_lock_has_path() ? context_word(ctx, 24) : context_word(ctx, 16));
}

/* kernfs_node.parent became __parent (RCU) in 6.15.  Until 6.12 is no longer supported. */
struct kernfs_node___parent {
	struct kernfs_node *parent;
} __attribute__((preserve_access_index));
struct kernfs_node___rcu_parent {
	struct kernfs_node *__parent;
} __attribute__((preserve_access_index));

static __always_inline struct kernfs_node *compat_kernfs_parent(struct kernfs_node *kn)
{
	struct kernfs_node___rcu_parent *rcu = (void *)kn;
	struct kernfs_node___parent *old = (void *)kn;

	if (bpf_core_field_exists(rcu->__parent))
		return BPF_CORE_READ(rcu, __parent);
	return BPF_CORE_READ(old, parent);
}

/*
 * Does somebody hold the mmap_lock of @mm, or is about to?  True when that cannot
 * be told: with PREEMPT_RT its rwsem has no count.
 */
static __always_inline bool compat_mmap_lock_taken(struct mm_struct *mm)
{
	if (bpf_core_field_exists(mm->mmap_lock.count))
		return mm->mmap_lock.count.counter != 0;
	return true;
}

/* CONFIG_MEMCG; NULL without. */
static __always_inline struct task_struct *compat_mm_owner(struct mm_struct *mm)
{
	return bpf_core_field_exists(mm->owner) ? mm->owner : NULL;
}

/* CONFIG_SCHED_INFO: how long @task waited for a CPU while it was runnable. */
static __always_inline __u64 compat_run_delay(struct task_struct *task)
{
	return bpf_core_field_exists(task->sched_info.run_delay) ? task->sched_info.run_delay : 0;
}

/* CONFIG_SMP.  An int in 6.18, one byte in 7.3: a load can be narrowed when both are unsigned. */
struct task_struct___on_cpu {
	unsigned int on_cpu;
} __attribute__((preserve_access_index));

static __always_inline bool compat_on_cpu(struct task_struct *task)
{
	struct task_struct___on_cpu *t = (void *)task;

	return !bpf_core_field_exists(t->on_cpu) || t->on_cpu;
}

/* CONFIG_TASK_DELAY_ACCT, and on (kernel.task_delayacct): else task->delays is NULL. */
struct task_delay_info___all {
	__u64 blkio_delay, swapin_delay, freepages_delay, thrashing_delay, compact_delay;
} __attribute__((preserve_access_index));

#endif
