/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef VMALOCK_ABI_H
#define VMALOCK_ABI_H
/*
 * What the BPF programs and src/collect share: map keys, map values and the
 * records of the task iterator.  Nobody else includes it: from the snapshot on
 * only snapshot.h is known.
 *
 * Time is CLOCK_MONOTONIC nanoseconds unless a name says otherwise; start
 * times are CLOCK_BOOTTIME nanoseconds, as /proc/PID/stat has them (in ticks).
 * Counters only grow.  Included after the fixed-width types (see hist.h).
 */
#include "hist.h"
#include "ledger.h"

/*
 * Durations.  The first VML_NLOCKSTATS are kept by each thread (and two of them,
 * MMAP_READ_WAIT and VMA_WRITE_WAIT, by each VMA); the others by each process,
 * in the map "times".
 */
enum vml_time {
	VML_MMAP_READ_WAIT,
	VML_MMAP_WRITE_WAIT,
	VML_MMAP_READ_HOLD,
	VML_MMAP_WRITE_HOLD,
	VML_VMA_WRITE_WAIT, /* write-locking a VMA that had readers (fentry, kprobe; tracepoint on rwsem kernels) */
	VML_NLOCKSTATS,
	/* from the exception to the end of handle_mm_fault, by outcome (exact detail) */
	VML_SERVE_HIT = VML_NLOCKSTATS,
	VML_SERVE_RETRY,
	VML_SERVE_ABORT,
	VML_SERVE_BYPASS,
	VML_IN_USERFAULTFD, /* inside handle_userfault: the monitor's latency */
	VML_IN_PAGE_IO, /* inside filemap_fault and do_swap_page when they had to read or to wait */
	VML_NTIMES,
};
#define VML_NPROCTIMES (VML_NTIMES - VML_NLOCKSTATS)

/* Why a user fault fell back (Source: mm/mmap_lock.c, mm/memory.c). */
enum vml_reason {
	VML_NO_VMA, /* no mapping at the address */
	VML_STACK_GROWTH, /* below a stack that will grow */
	VML_WRITE_LOCKED, /* vm_lock_seq equalled mm_lock_seq */
	VML_BUSY, /* a writer was draining the readers */
	VML_WRONG_MM, /* the VMA was reused by another mm */
	VML_RANGE_MOVED, /* the VMA no longer covered the address */
	VML_RACED, /* nothing left to see: the state changed meanwhile */
	VML_NO_MAP_PAGES, /* vm_ops without map_pages: always retries */
	VML_ANON_VMA, /* anon_vma missing and the trylock failed */
	VML_FOLIO_LOCKED, /* somebody held the folio lock */
	VML_FILE_IO, /* file page not there, or not up to date */
	VML_USERFAULTFD, /* userfaultfd dropped the lock */
	VML_DEVICE_PRIVATE, /* device-private entry */
	VML_KILLED, /* fatal signal while waiting */
	VML_KERNEL_MODE, /* bypass: the VMA lock is never tried */
	VML_NREASONS,
};

/* Everything that was not counted, by cause. */
enum vml_loss_cause {
	VML_LOSS_THREAD_STORAGE, /* events without task storage: not counted at all */
	VML_LOSS_PROCESS_MAP_FULL, /* folded into the row of the untracked */
	VML_LOSS_VMA_MAP_FULL, /* counted in the process, but in no VMA row */
	VML_LOSS_WALK_FAILED, /* faults whose VMA could not be found: row "unknown" */
	VML_LOSS_FILE_MAP_FULL, /* VMA rows without a file name */
	VML_LOSS_CGROUP_MAP_FULL, /* processes without a cgroup path */
	VML_LOSS_EXIT_RECORDS, /* threads that are missing from threads[]; their process has them */
	VML_LOSS_LOCK_INFLIGHT, /* lock events of threads that held or waited before the start */
	VML_LOSS_LOCK_UNMATCHED, /* lock events that fit no open record */
	VML_LOSS_LOCK_SLOTS, /* a thread in flight on more than VML_SLOTS mm */
	VML_LOSS_STACK_FAILED, /* fault context could not be told for lack of a stack */
	VML_LOSS_KERNEL_FAULT_UNSERVED, /* kernel-mode faults that never took mmap_lock */
	VML_LOSS_MAX_RACE, /* a maximum given up under contention */
	VML_LOSS_EXEC_MIXED, /* an exec whose numbers stayed in the image before */
	VML_LOSS_RETURN_UNSEEN, /* functions whose return was not seen: no instance of a kretprobe was free */
	VML_LOSS_FAULT_UNSEEN, /* fallbacks and bypasses whose fault was not seen to begin: not counted */
	VML_LOSS_TIME_MAP_FULL, /* durations without room for their process */
	VML_LOSS_LOCK_NESTED, /* lock events inside the handling of another (from an NMI) */
	VML_LOSS_LEDGER_MAP_FULL, /* waits for locks without a ledger: charged to nobody */
	VML_LOSS_LEDGER_HEALED, /* times the recorded holders were found not to hold it */
	VML_LOSS_LEDGER_STALE, /* releases after that: their blame is in handover */
	VML_LOSS_BLOCKER_MAP_FULL, /* blame in the row of the untracked */
	VML_LOSS_HOLDER_STACK, /* stacks of holders that could not be kept */
	VML_NLOSS,
};
/* The map of losses has more counters: our own mmap_locks on other mm. */
#define VML_COUNTER_FOREIGN VML_NLOSS
/* And runs of the program on the software event page-faults. */
#define VML_COUNTER_PERF_RUNS (VML_NLOSS + 1)
#define VML_NCOUNTERS (VML_NLOSS + 2)

/* One process image: (pid, start, exec generation).  All zero: the untracked. */
struct vml_proc_key {
	__u64 start_ns; /* CLOCK_BOOTTIME of the thread group leader */
	__u32 pid; /* thread group id in the initial pid namespace */
	__u32 exec; /* task->self_exec_id: grows by one with each execve */
};

/*
 * A user fault is a hit unless it is counted as fallback, abort or retry; each
 * is in one of the three.
 */
struct vml_counts {
	__u64 faults_user;
	__u64 faults_kernel;
	__u64 fallbacks; /* user faults that took mmap_lock, abort or retry unknown (tracepoint) */
	__u64 aborts; /* user faults whose lookup was refused */
	__u64 retries; /* user faults with VM_FAULT_RETRY under the VMA lock */
	__u64 bypasses; /* kernel-mode faults that took mmap_lock */
	__u64 misses; /* lookups restarted, of faults (exact detail) */
};

/* Who looked up a VMA under RCU (exact detail). */
enum vml_caller {
	VML_CALLER_FAULT,
	VML_CALLER_USERFAULTFD, /* ioctls of the monitor */
	VML_CALLER_MADVISE,
	VML_CALLER_PROC, /* readers of /proc/PID/maps and the like */
	VML_CALLER_BINDER,
	VML_CALLER_TCP, /* zero-copy receive */
	VML_CALLER_DAMON,
	VML_CALLER_BPF, /* iterators and build ids of any BPF program */
	VML_CALLER_OTHER,
	VML_NCALLERS,
};

/* Per CPU; lookups = those that got the lock + aborts. */
struct vml_lookups {
	__u64 lookups;
	__u64 aborts;
	__u64 misses;
};

/* Index of a count by reason and certainty; = VML_REASON_INDEX() of snapshot.h. */
#define VML_CAUSE(reason, exact) ((reason)*2 + (exact))
#define VML_NCAUSES (VML_NREASONS * 2)

struct vml_lock_sum {
	__u64 count;
	__u64 sum_ns;
	__u64 max_ns; /* since the row exists */
};

/* Anchors below 4096 are no addresses. */
#define VML_ANCHOR_NONE 1 /* no VMA at the faulting address */
#define VML_ANCHOR_UNKNOWN 2 /* the walk failed */

/*
 * A VMA by where it is anchored: its start, or its end when it grows down
 * (a stack keeps its end).  Pointers are no identity: the slab reuses them.
 */
struct vml_vma_key {
	struct vml_proc_key proc;
	__u64 anchor;
};

enum vml_vma_kind {
	VML_VMA_ANON,
	VML_VMA_FILE,
	VML_VMA_HEAP,
	VML_VMA_STACK,
	VML_VMA_VDSO,
	VML_VMA_SPECIAL, /* vm_ops but no file: vvar, device mappings, aio */
	VML_VMA_NONE,
	VML_VMA_UNKNOWN,
	VML_NVMA_KINDS,
};

struct vml_file_key {
	__u64 inode;
	__u32 dev; /* kernel encoding: major << 20 | minor */
	__u32 pad;
};

/*
 * A path as the kernel stores it: the last component first, each ended by NUL,
 * an empty one at the end.  "/usr/lib/x" is "x\0lib\0usr\0\0".  Hostile text.
 */
#define VML_PATH_MAX 512
#define VML_PATH_DEPTH 24
#define VML_PATH_COMPONENT 128
struct vml_path {
	__u32 len; /* bytes used, with the last NUL */
	__u8 truncated; /* components are missing at the front of the path */
	__u8 pad[3];
	char text[VML_PATH_MAX + VML_PATH_COMPONENT];
};

/*
 * What the iterators said of a row or a thread last: it is left out, or said in brief, when
 * it did not change.  What changed is said twice: of what is counted one after the other the
 * first time may have only a part.
 */
struct vml_emitted {
	__u32 state; /* (the generation << 1) | it was said twice */
	__u64 mark; /* of its numbers */
};

/*
 * What a row of a hash map takes whose rows come and go, with @n bytes of key and value: with what the kernel
 * adds, rounded up, in the sizes that bpf_mem_alloc() has.  Source: kernel/bpf/memalloc.c, 6.1 to 7.3
 */
#define VML_ROW_OVERHEAD 64
#define VML_ROW_BYTES(n) VML_ALLOC_BYTES((n) + VML_ROW_OVERHEAD)
#define VML_ALLOC_BYTES(n)     \
	((n) <= 96     ? 96U   \
	 : (n) <= 128  ? 128U  \
	 : (n) <= 192  ? 192U  \
	 : (n) <= 256  ? 256U  \
	 : (n) <= 512  ? 512U  \
	 : (n) <= 1024 ? 1024U \
	 : (n) <= 2048 ? 2048U \
		       : 4096U)

/* Of the room for all rows, what those of areas, blockers, stacks and times may fill. */
#define VML_ROWS_OTHERS(limit) ((limit) / 8 * 5)

struct vml_vma_value {
	/* what a change of VMAs touches, close to the key */
	struct vml_counts count;
	__u64 start, end;
	__u64 flags; /* vm_flags */
	__u64 file_cookie; /* tells one file from the next at this address; never printed */
	__u64 pgoff; /* pages */
	struct vml_file_key file; /* inode 0: no file */
	__u32 kind; /* enum vml_vma_kind */
	struct vml_emitted emitted;
	struct vml_lock_sum wait; /* read waits of fallbacks and bypasses here */
	__u32 wait_hist[VML_HIST_BUCKETS];
	__u32 reason[VML_NCAUSES];
};
/* There may be many, each with a kernel allocation of this size. */
_Static_assert(VML_ROW_BYTES(sizeof(struct vml_vma_key) + sizeof(struct vml_vma_value)) == 1024, "a row of a VMA");

/* Write locks of a VMA that waited for readers: few VMAs have one.  Key: struct vml_vma_key. */
struct vml_write_wait {
	struct vml_lock_sum sum;
	__u64 readers; /* how many they found */
	__u32 hist[VML_HIST_BUCKETS];
};

/* What the ledgers of a process's mmap_lock come to. */
struct vml_ledger_sum {
	__u64 waited_ns, blamed_ns, avoidable_ns, handover_ns, runqueue_ns;
	__s64 error_ns; /* not 0 is a bug */
};

/* What dead threads left to their process, and how it is called. */
struct vml_proc_value {
	char comm[16]; /* hostile text */
	__u32 uid; /* of the leader, in the initial user namespace */
	__u32 ns_pid; /* pid in the process's own pid namespace */
	__u64 cgroup_id; /* key of the cgroups map */
	__u32 live; /* threads with storage */
	__u32 exited; /* all threads exit, the leader is freed, or the image was replaced by exec */
	struct vml_counts count;
	__u64 task_faults; /* vml_task_record.task_faults of the threads that are gone */
	__u64 lock_events;
	__u64 lock_failed;
	__u64 write_readers;
	struct vml_ledger_sum ledger; /* of its mmap_locks that are gone */
	struct vml_lock_sum lock[VML_NLOCKSTATS];
	__u32 reason[VML_NCAUSES];
	__u32 hist[VML_NLOCKSTATS][VML_HIST_BUCKETS];
};

/* Durations of a process: index is enum vml_time less VML_NLOCKSTATS.  Key: struct vml_proc_key. */
struct vml_times_value {
	struct vml_lock_sum sum[VML_NPROCTIMES];
	__u32 hist[VML_NPROCTIMES][VML_HIST_BUCKETS];
};

/* State of the last fault of a thread; other flags of th->fault are in core.bpf.h. */
enum vml_fault_state {
	VML_FAULT_NONE,
	VML_FAULT_USER, /* began in user mode; a hit unless a fallback follows */
	VML_FAULT_KERNEL, /* began in kernel mode; mmap_lock must follow */
	VML_FAULT_REFUSED, /* counted as abort or retry; mmap_lock will follow, unless a signal came */
	VML_FAULT_LOCKING, /* asks for mmap_lock; counted */
	VML_FAULT_DONE, /* has it, or is over */
};
#define VML_FAULT_STATE(fault) ((fault)&0xff)
/* In its upper bits: which time it was that the hooks on every fault were attached, from 1 on. */
#define VML_WATCH_SHIFT 20
#define VML_WATCH_MAX 4095U

/* What the iterator does with threads that have no storage. */
enum vml_adopt {
	VML_ADOPT_NONE,
	VML_ADOPT_GO_ON, /* makes it: they may have faults that nobody sees */
	VML_ADOPT_ALL, /* the same, and writes nothing */
};

/* Where the numbers of a thread go; once known, that stays. */
enum vml_joined {
	VML_JOINED_NOT_YET, /* it is being made */
	VML_JOINED,
	VML_JOINED_NOBODY, /* no room for a row of its process: those of the untracked */
};

/* Whose wait it is. */
enum vml_wait_context {
	VML_WAIT_PLAIN,
	VML_WAIT_OF_FAULT, /* the fallback or bypass of the current fault */
	VML_WAIT_IN_HANDLER, /* __vmf_anon_prepare under the VMA lock: no fallback */
};

/*
 * Where a thread's time goes, from its own scheduler fields: two of these tell
 * what happened in between.
 */
struct vml_clock {
	__u64 exec_ns, exec_start_ns; /* on CPU until that time, by a clock of the CPU */
	__u64 run_delay_ns; /* waited for a CPU so far */
	__u64 reclaim_ns, io_ns, swap_ns; /* delay accounting, where it is on */
	__u32 cpu;
	__u32 accounted; /* the line above is there */
};

/* One mmap_lock a thread waits for or holds; fork is in flight on two. */
#define VML_SLOTS 3
struct vml_slot {
	__u64 mm; /* 0: free */
	struct vml_wait wait; /* both change under the lock of the ledger */
	struct vml_hold hold;
	__u64 wait_delay_ns; /* vml_clock.run_delay_ns when it began to wait */
	struct vml_clock clock; /* when the hold began */
	__u8 wait_write;
	__u8 hold_write;
	__u8 context; /* enum vml_wait_context, of the wait and of the hold after it */
	__u8 pad[5];
};

/* A node of the tree of VMAs, and what it is for: most often another VMA is in it, too. */
struct vml_leaf {
	__u64 entry; /* pointer with the type in its low bits, as the tree has it; 0: not known */
	__u64 first, last; /* addresses */
};

/* The ledger of one mm.  Key: its address, as long as it lives. */
struct vml_mm {
	struct bpf_spin_lock lock;
	__u32 ended; /* exit_mmap() is through: it goes with the next release */
	__u32 owned; /* owner is the process that runs with it; before, who makes it (fork, exec) */
	__u32 known; /* somebody of another process asked for it: owner has a row */
	struct vml_proc_key owner; /* the process it is of */
	struct vml_proc_key victim; /* that asked last from another address space, when it was not free */
	struct vml_ledger ledger;
};

/* What somebody is doing while it holds a lock: VML_DOING(what, number of the system call). */
enum vml_doing {
	VML_DOING_UNKNOWN,
	VML_DOING_SYSCALL,
	VML_DOING_SYSCALL32, /* a 32-bit program's: numbers of that table */
	VML_DOING_FAULT, /* page fault in user mode */
	VML_DOING_KERNEL_FAULT, /* page fault inside that system call */
	VML_DOING_EXCEPTION, /* on the way back to user mode: task work, signals, uprobes, NUMA balancing */
	VML_DOING_EXIT,
	VML_DOING_KTHREAD, /* khugepaged, ksmd, ...: the comm says */
	VML_DOING_IO_WORKER, /* of io_uring, vhost */
	VML_DOING_VMA_READ, /* faults and others that read-lock the VMA; not known which */
	VML_NDOING,
};
#define VML_DOING(what, number) ((__u32)(what) << 16 | ((__u32)(number)&0xffff))
#define VML_DOING_WHAT(doing) ((doing) >> 16)
#define VML_DOING_NUMBER(doing) ((doing)&0xffff)

/* Who held whose lock, doing what.  All zero: untracked. */
struct vml_blocker_key {
	struct vml_proc_key proc;
	__u64 start_ns; /* of the thread, CLOCK_BOOTTIME; 0 with VML_DOING_VMA_READ */
	__u32 tid;
	__u32 doing;
	struct vml_proc_key target; /* whose lock */
	__u64 write; /* held for write */
};

/* Holds that made somebody wait.  Times in ns. */
struct vml_blocker_value {
	char comm[16]; /* hostile text */
	struct vml_proc_key victim; /* that waited last from another address space; all 0: none */
	__u64 blamed_ns;
	__u64 foreign_ns; /* of it: waits from other address spaces */
	__u64 avoidable_ns; /* of it: waits for what the holder did not change */
	__u64 victims; /* waiting when it let go */
	struct vml_lock_sum hold;
	__u64 on_cpu_ns, runnable_ns, sleep_ns; /* = hold.sum_ns */
	__u64 reclaim_ns, io_ns, swap_ns; /* of them, with delay accounting */
	__u64 accounted; /* holds with delay accounting */
	__u32 hold_hist[VML_HIST_BUCKETS];
};

/* Blame by stack: holds during which somebody waited for longer than the threshold. */
struct vml_stack_key {
	struct vml_proc_key proc; /* of the holder */
	__u64 start_ns; /* of its thread, CLOCK_BOOTTIME */
	__u32 kernel, user; /* keys of the map of stacks; -1: none */
	__u32 doing;
	__u32 tid;
};
struct vml_stack_value {
	char comm[16]; /* hostile text; of the thread */
	struct vml_lock_sum hold;
	__u64 blamed_ns;
};
#define VML_STACK_DEPTH 64

/* What goes on for a thread at the time of its record. */
struct vml_now {
	/* the lock it waits for the longest; wait_ns 0: it does not wait */
	__u64 wait_ns;
	struct vml_proc_key wait_target;
	/* the hold with most blame; hold_ns 0: it holds nothing */
	struct vml_blocker_key holds;
	__u64 hold_ns;
	__u64 blamed_ns, foreign_ns, avoidable_ns;
	__u32 victims;
	__u8 wait_write;
	__u8 state; /* enum vml_task_state */
	__u8 pad[2];
};
enum vml_task_state { VML_TASK_RUNNING, VML_TASK_RUNNABLE, VML_TASK_SLEEPING, VML_TASK_BLOCKED /* D */ };

/*
 * Task storage: written by its own thread only, so there are no atomics, and
 * read by the task iterator.  The first cache lines are what a fault touches.
 * It lives as long as the thread runs one image: exec starts a new one.
 *
 * Reading while the thread runs: count first, then pending.  The thread clears
 * pending before it adds it elsewhere, so a reader may miss a fault for one
 * pass but never sees it twice.
 */
struct vml_thread {
	/* cache of the last VMA; valid while mm and seq are what they were */
	__u64 vma_start;
	__u64 vma_len; /* 0: nothing cached */
	__u64 vma_mm;
	__u32 vma_seq; /* mm_lock_seq when the fault looked */
	__u32 fault; /* enum vml_fault_state */
	__u64 fault_ip;
	__u64 fault_addr;
	__u64 fault_tasks; /* what the task itself had counted when it began; more: it is over */
	struct vml_counts pending; /* of the row below, not yet added to it */
	struct vml_vma_key row;
	struct vml_counts count; /* without pending */

	__u64 start_ns; /* who the thread was when it was first seen: in an execve by */
	__u32 tid; /* another thread than the first it takes the first one's identity */
	__u32 folded; /* it is exiting, and its numbers are in the process row */
	__u64 vma; /* pointer to the VMA of the last fault; 0: none */
	struct vml_leaf leaf; /* of the tree, which it is in; valid as vma_start */
	__u64 vma_flags;
	__u64 vma_file; /* pointer; 0: none */
	__u32 lookup; /* enum vml_reason when the fault found no VMA, else VML_NREASONS */
	__u32 trylock_failed; /* __vmf_anon_prepare gave up in this fault (tracepoint) */
	__u32 lock_started; /* a start_locking was seen: later events have a record */
	__u32 lock_busy; /* handling a lock event: one from an NMI finds it set */
	/* of the lock event being handled */
	__u32 lock_had; /* what it found, and is */
	__u32 lock_slot; /* index */
	__u32 joined; /* enum vml_joined */
	__u64 task_faults; /* its own count of faults, as it was when we began to count */
	__u64 lock_mm;
	__u64 runnable_ns; /* waited for a CPU before it was acquired */
	__u64 waited_ns; /* for the lock that was just acquired, or given up */
	struct vml_range range; /* what is wanted or changed */
	__u64 began_ns; /* when the fault began (exact detail) */
	__u64 uffd_ns; /* when handle_userfault was entered; 0: not in it */
	__u64 io_ns; /* the same of filemap_fault and do_swap_page */
	__u64 write_vma; /* the VMA being write-locked, when it has readers; 0: none */
	__u64 write_ns; /* since when */
	__u64 write_sem; /* its lock, where that is a rwsem */
	__u32 write_found; /* readers it had then */
	__u32 looking; /* inside lock_vma_under_rcu (exact detail) */
	__u32 in_handler; /* inside handle_mm_fault of a fault, where its return does not see */
	__u32 handler_flags; /* the arguments */
	__u64 handler_addr;
	__u32 walks; /* of the tree in it */
	__u32 flushes; /* odd while pending goes to the row: a reader leaves pending out then */
	__u64 emitted_hists; /* lock_events at the iterator's last record with histograms */
	struct vml_emitted emitted;
	struct vml_slot slot[VML_SLOTS];
	__u64 lock_events; /* start, acquired and released, seen */
	__u64 lock_failed; /* given up: trylocks that failed, killed waits */
	__u64 write_readers; /* readers that write locks of VMAs found and waited for */
	struct vml_lock_sum lock[VML_NLOCKSTATS];
	__u32 reason[VML_NCAUSES];
	__u32 hist[VML_NLOCKSTATS][VML_HIST_BUCKETS];
};

/*
 * What the task iterator and the ring of exited threads say of a thread.  In
 * the iterator's stream __u32 hist[VML_NLOCKSTATS][VML_HIST_BUCKETS] follows
 * when has_hist is set; else the histograms are as in the record before.  A record that is
 * folded or the same ends before cgroup_id.
 */
struct vml_task_record {
	struct vml_proc_key proc;
	__u64 start_ns; /* of the thread, CLOCK_BOOTTIME */
	__u32 tid;
	__u8 leader;
	__u8 exited;
	__u8 has_hist;
	__u8 folded; /* it is exiting: its numbers are in its process, and here are none */
	__u8 same; /* nothing changed since the last record that was not; nor does anything go on */
	__u8 torn; /* pending could not be read: task_faults does not belong to the counts */
	__u8 pad[6];
	__u64 cgroup_id; /* key of the cgroups map */
	__u32 uid;
	__u32 ns_pid; /* of the process */
	__u32 threads; /* of the process; 0 from a thread that exited */
	__u32 mappings; /* VMAs of the process; 0: it has no memory any more */
	char comm[16]; /* hostile text */
	struct vml_vma_key row; /* where pending belongs */
	struct vml_counts count; /* without pending */
	struct vml_counts pending; /* a fault still in flight is left out */
	/*
	 * What the task counts itself (min_flt, maj_flt) since we know it: also while no hook
	 * sees its faults.  With those of get_user_pages(), without those that failed.
	 */
	__u64 task_faults;
	__u64 lock_events;
	__u64 lock_failed;
	__u64 write_readers;
	struct vml_lock_sum lock[VML_NLOCKSTATS]; /* sums with what goes on */
	struct vml_now now;
	__u32 reason[VML_NCAUSES];
};

#define VML_TASK_BRIEF offsetof(struct vml_task_record, cgroup_id)

/* Sizes of the maps whose memory is taken when they are made, and most entries of those whose rows come and go. */
#define VML_MAX_FILES 8192
#define VML_MAX_CGROUPS 4096
#define VML_MAX_STACKS 8192
#define VML_MAX_WRITE_WAITS 8192
#define VML_EXIT_RING_BYTES (8 << 20) /* a power of two */
#define VML_MAX_ROWS (1 << 20) /* src/collect/memory.c makes it less, for the budget */

#endif
