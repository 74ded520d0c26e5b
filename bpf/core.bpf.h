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
 * Functions marked __hidden become static, so the verifier follows each call with
 * what it knows of the caller.  The others are global: it checks them once, from
 * what their types say, which keeps programs with many ways to one place within
 * its limits and the start short.  They return 0, so that a hook can return their
 * value.  What follows a pointer of the current task belongs into a global function or
 * comes once: in 6.18 each such load costs the verifier four searches of all types of
 * the kernel, about a millisecond, on every path that it is on.
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
 * current task (lock.bpf.c).  @ctx: the program's context, for stacks.  A downgrade
 * is an acquisition for read without a start.  From programs of type tracing only:
 * others may not use a map with a spin lock.
 */
__hidden int core_lock_start(void *ctx, struct mm_struct *mm, bool write);
__hidden int core_lock_acquired(void *ctx, struct mm_struct *mm, bool write, bool success);
__hidden int core_lock_released(void *ctx, struct mm_struct *mm, bool write);
/* @mm has no mappings any more; its lock is released once more. */
__hidden int core_mm_ends(struct mm_struct *mm);

/*
 * Outcomes seen rather than inferred (outcome.bpf.c; have_outcome is set).
 *
 * lock_mm_and_find_vma is entered: a fault at @address, with the registers @regs
 * of the exception, asks for mmap_lock, for the first time or again.
 */
__hidden int core_fallback(__u64 address, __u64 regs);
/*
 * A fault at @address, which may have a tag in its highest byte, ends in @signal with
 * @code: only where the handler announces faults.
 */
__hidden int core_segv(__u64 address, __u32 signal, __u32 code);
/*
 * A function that may end in VM_FAULT_RETRY under the VMA lock is entered, or
 * returned @ret.  @reason: what its retry means.
 */
__hidden int core_inner_enter(__u32 reason);
__hidden int core_inner_exit(__u32 reason, __u64 ret);
/* lock_vma_under_rcu is entered; walks the tree, again after a miss; returned @vma (0: refused). */
__hidden int core_lookup_enter(__u64 mm, __u64 address);
__hidden int core_lookup_walk(void);
__hidden int core_lookup_exit(__u64 vma);
/* lock_next_vma returned @vma, which may be an error: a reader of /proc. */
__hidden int core_lookup_next(__u64 vma);
/*
 * handle_mm_fault of @address returned @ret; @regs: not in get_user_pages.
 * core_handler_enter keeps the arguments for hooks that cannot see them at the return.
 */
__hidden int core_handler_enter(__u64 address, __u64 flags, __u64 regs);
__hidden int core_handler_return(__u64 ret);
__hidden int core_handler_exit(__u64 address, __u64 flags, __u64 regs, __u64 ret);

/* Time spent in functions (times.bpf.c): VML_IN_USERFAULTFD, VML_IN_PAGE_IO. */
__hidden int core_time_enter(__u32 which);
/* @spent: it counts (a read of a page that was there does not). */
__hidden int core_time_exit(__u32 which, bool spent);
/* Adds a duration to the process of @th: one of VML_SERVE_HIT .. */
int time_spent(struct vml_thread *th, __u32 which, __u64 ns);
/* @vma is write-locked: asked for, got.  Refcount kernels. */
__hidden int core_vma_write_enter(__u64 vma);
__hidden int core_vma_write_exit(void);
/* A rwsem is waited for and got (or not): one of a VMA when the current task write-holds its mmap_lock. */
__hidden int core_rwsem_begin(__u64 sem, __u32 flags);
__hidden int core_rwsem_end(__u64 sem);

/* The current task replaced its image. */
__hidden int core_exec(struct task_struct *task);
/*
 * @task begins to exit: its numbers go to its process.  What it does from here on
 * (exit_mm takes mmap_lock) follows in core_free, when it is gone and about to be
 * freed, in whatever context; nothing else tells that it will do no more.  Two
 * steps, because core_free cannot be relied on for the faults of a thread: on
 * 6.18, with hundreds of threads ending in a moment, sched_process_free was not
 * called for some (0 to 5 %, every program attached to it alike).
 */
__hidden int core_exit(struct task_struct *task);
__hidden int core_free(struct task_struct *task);

/* The histogram bucket of @ns.  Global: check the range of the result. */
__u32 core_hist_index(__u64 ns);

/* ---- mmap_lock: lock.bpf.c; who held it up: blame.bpf.c */

/* @th waits for nothing and holds nothing any more, whatever was recorded. */
__hidden int lock_forget(struct vml_thread *th);
/* The mm of @task is that of a new image. */
__hidden int lock_exec(struct task_struct *task, struct vml_thread *th);
/* What goes on in the slots of @th, up to now: fills r->now, adds to r->lock.  For the iterator.  (goes_on.bpf.c) */
__hidden int lock_goes_on(struct task_struct *task, struct vml_thread *th, struct vml_task_record *r);

/* The clock of the current task. */
int blame_clock(struct vml_clock *ret);
/* What @task does with a lock of @th->slot whose context is @context: a VML_DOING(). */
__hidden __u32 blame_doing(struct task_struct *task, struct vml_thread *th, __u8 context);
/* What the current system call or fault of @th, the current thread, changes or wants of its own mm: th->range. */
int blame_range(struct vml_thread *th, __u8 context);
/* Charges the current task with @b, for the hold of @s of the lock of @m. */
__hidden int blame_charge(void *ctx, struct vml_thread *th, struct vml_slot *s, struct vml_mm *m, struct vml_blame *b);
/* Charges those who read-lock VMAs of @proc with @ns: a write lock of one waited for them. */
int blame_vma_readers(struct vml_proc_key *proc, __u64 ns);

/* ---- rows of VMAs: vma_row.bpf.c */

/* Finds the VMA of @address, caches it in @th and makes its row the current one. */
__hidden int vma_enter(struct vml_thread *th, struct mm_struct *mm, __u64 address);
/* Adds what is pending in @th to its row and to its own counts. */
__hidden int vma_flush(struct vml_thread *th);
/*
 * The current fault holds mmap_lock now, so the tree holds still: a VMA that was
 * not found when the fault began, because a writer was at it, is found here.
 */
__hidden int vma_settle(struct vml_thread *th);
/* Counts @cause, a VML_CAUSE(), for the current fault of @th. */
int vma_reason(struct vml_thread *th, __u32 cause);
/* A read wait of the current fault. */
__hidden int vma_wait(struct vml_thread *th, __u64 ns);
/* The write lock that @th waited for, for @ns, goes to the row of its VMA. */
int vma_write_wait(struct vml_thread *th, __u64 ns);

/* ---- VMAs as the kernel has them: vma.bpf.c */

enum outcome { OUTCOME_UNKNOWN, OUTCOME_ABORT, OUTCOME_RETRY };
/*
 * Counts why the current fault of the current task fell back, from what can be
 * seen now, in the thread and in the VMA.  Only a known @outcome (enum outcome)
 * has exact reasons.
 */
int vma_explain(struct vml_thread *th, __u32 outcome);
/* True when no lookup of the current fault's VMA can have failed: nobody wrote since it began. */
__hidden bool vma_held_still(struct vml_thread *th, struct mm_struct *mm);
/* True when the mapping of the current fault retries by itself: vm_ops without map_pages. */
__hidden bool vma_always_retries(struct vml_thread *th);
/* Readers of @vma now: refcount kernels. */
__hidden __u32 vma_readers(__u64 vma);
/* The VMA of @mm, at @at or soon after it, whose lock is @sem; 0: none.  @ret_readers: of the lock, now. */
__u64 vma_of_rwsem(__u64 mm, __u64 sem, __u64 at, __u32 *ret_readers);

/* ---- processes: process.bpf.c */

/*
 * Makes sure the process of @task has a row, and counts the new thread there, once: @task
 * and the iterator may both do it.
 */
__hidden int process_join(struct task_struct *task, struct vml_thread *th);
/* Who @th is: that part of it. */
__hidden int process_identify(struct task_struct *task, struct vml_thread *th);
/* Makes sure that process @key, of @task, has a row, though none of its threads was seen. */
__hidden int process_know(struct task_struct *task, struct vml_proc_key *key);
/* Adds the numbers of a thread that begins to exit to its process. */
__hidden int process_exit(struct task_struct *task, struct vml_thread *th);
/* The same for one that is gone, or leaves the image: it counts no more. */
__hidden int process_leave(struct task_struct *task, struct vml_thread *th, bool image_ends);
/* Adds what the ledger of a lock that is gone came to. */
__hidden int process_add_ledger(struct vml_proc_key *owner, struct vml_ledger_sum *sum);
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

struct vml_counters {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, VML_NCOUNTERS);
	__type(key, __u32);
	__type(value, __u64);
};
extern struct vml_counters counters SEC(".maps");

struct vml_ledgers {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, VML_MAX_ROWS);
	__type(key, __u64);
	__type(value, struct vml_mm);
};
extern struct vml_ledgers ledgers SEC(".maps");

/*
 * Memory of rows that come and go, over all maps, and how much it may be: the collector takes off what it removes.
 * A part is for rows of processes and ledgers alone, without which the others say nothing.
 */
extern __u64 rows_bytes;
extern const volatile __u64 rows_limit;
#define ROWS_LIMIT_OTHERS VML_ROWS_OTHERS(rows_limit)

/* Takes @bytes for a row, of @limit.  False: there is no room. */
static __always_inline bool rows_take(__u64 bytes, __u64 limit)
{
	if (likely(__sync_fetch_and_add(&rows_bytes, bytes) + bytes <= limit))
		return true;
	__sync_fetch_and_add(&rows_bytes, -bytes);
	return false;
}

/* Adds a row, unless there is one or no room. */
#define row_add(map, key, value, limit)                                                           \
	({                                                                                        \
		__u64 bytes = VML_ROW_BYTES(sizeof(*(key)) + sizeof(*(value)));                   \
		if (rows_take(bytes, limit) && bpf_map_update_elem(map, key, value, BPF_NOEXIST)) \
			__sync_fetch_and_add(&rows_bytes, -bytes);                                \
	})

/* Counts a loss.  Inline: calls may be nested eight deep, and everything ends here. */
static __always_inline int core_lose(__u32 cause)
{
	__u64 *n = bpf_map_lookup_elem(&counters, &cause);

	if (n)
		++*n;
	return 0;
}

/* ---- what the loader knows; set before the load, so that the verifier drops the other branch */

/* Thread group of the observer: it counts what it does to others. */
extern const volatile __u32 self_tgid;
/* Programs on lock_mm_and_find_vma say what faults do: nothing is inferred from mmap_lock. */
extern const volatile __u32 have_outcome;
/* lock_vma_under_rcu and handle_mm_fault are seen. */
extern const volatile __u32 exact_detail;
/* No tracepoint says that a fault begins: handle_mm_fault, or in the exact detail the lookup, does. */
extern const volatile __u32 faults_by_handler;
/* NUMA balancing may run. */
extern const volatile __u32 many_nodes;
/* bpf_probe_read_kernel() is allowed: not under lockdown=confidentiality. */
extern const volatile __u32 can_read_names;
/* Set last, when every hook is attached: nothing is counted by halves. */
extern volatile __u32 enabled;
/*
 * The hooks on every fault come and go (guard.h).  Each time they are there has a number,
 * which is in the upper bits here and in th->fault (VML_WATCH_SHIFT); 0 while they are away.  Set after they
 * were attached, cleared before they are detached: what is known of a fault is valid only
 * while the numbers are equal, for later faults were not seen.
 */
extern volatile __u32 watching;
/* CLOCK_BOOTTIME when "enabled" was set. */
extern volatile __u64 enabled_ns;
/* Threads that have faults without our seeing them get storage: an enum vml_adopt. */
extern volatile __u32 adopting;

/* ---- flags of th->fault beside its state */

#define FAULT_INNER_SHIFT 8 /* one more than the enum vml_reason of the inner function; 0: none */
#define FAULT_INNER_MASK 0xff00
#define FAULT_LOOKED 0x10000 /* lock_vma_under_rcu was seen in this fault */
#define FAULT_RETRIED 0x20000
#define FAULT_ABORTED 0x40000
#define FAULT_LOOPING 0x80000 /* handle_mm_fault said retry with mmap_lock held */
#define FAULT_WATCH_MASK (VML_WATCH_MAX << VML_WATCH_SHIFT) /* of "watching" */
#define FAULT_WATCH_ONE (1U << VML_WATCH_SHIFT) /* the first time */

/* The fault of @th was seen to begin, and the hooks were not away since. */
static __always_inline bool core_fault_watched(const struct vml_thread *th)
{
	return (th->fault & FAULT_WATCH_MASK) == watching;
}

/* The enum vml_fault_state as far as it is known. */
static __always_inline __u32 core_fault_state(const struct vml_thread *th)
{
	return core_fault_watched(th) ? VML_FAULT_STATE(th->fault) : VML_FAULT_NONE;
}

/* The last fault of @th was in kernel mode, and was not seen to ask for mmap_lock. */
__hidden int core_fault_unserved(struct vml_thread *th);

/* What @task counts itself. */
static __always_inline __u64 core_task_faults(struct task_struct *task)
{
	return task->min_flt + task->maj_flt;
}

/* The thread of @task, the current one, made when it is new; NULL: counted as lost. */
__hidden struct vml_thread *core_thread(struct task_struct *task);
/* Is the current task still in the exception of its last user fault? */
__hidden bool core_in_last_fault(struct task_struct *task, struct vml_thread *th);
/* One duration of the thread: a sum and a bucket; or the bucket alone. */
int core_account(struct vml_thread *th, __u32 which, __u64 ns);
int core_account_bucket(struct vml_thread *th, __u32 which, __u64 ns);
/*
 * The current task asks for mmap_lock of its own mm for read while a fault of
 * it may be going on: whose wait is it?  (enum vml_wait_context)
 */
__hidden __u8 core_lock_context(void *ctx, struct task_struct *task, struct vml_thread *th);

/* ---- small things every object needs */

#define VM_FAULT_MAJOR 0x4
#define VM_FAULT_RETRY 0x400

static __always_inline void core_sum_add(struct vml_lock_sum *sum, __u64 ns)
{
	sum->count++;
	sum->sum_ns += ns;
	if (ns > sum->max_ns)
		sum->max_ns = ns;
}

static __always_inline __u64 core_since(__u64 now, __u64 then)
{
	return now > then ? now - then : 0; /* clocks of two CPUs may differ by a little */
}

/* Without bpf_probe_read_kernel_str(), which lockdown=confidentiality refuses. */
static __always_inline void task_comm(char *to, struct task_struct *task)
{
	_Pragma("clang loop unroll(full)") for (int i = 0; i < 16; i++) to[i] = task->comm[i];
	to[15] = 0;
}

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
