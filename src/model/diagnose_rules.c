// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * The rules, in the order in which the first kind is tried.  Limits that several rules
 * share, and where they come from:
 *
 * LEAST	1 ms blocked a second: less is nobody's problem (VML_COMPARE_LEAST_TIME).
 * PART		A tenth of the blame.  To remove a cause of less changes the waits by less
 *		than the margin of `vmalock diff` (VML_COMPARE_MARGIN): nobody could tell.
 * HALF		More than by everything else together, so it comes first.
 * LONG		1 ms (diagnose.h).  Threads whose holds are shorter are left out where a rule is
 *		about long ones: being preempted in some of many short holds is chance.
 * HELD_SHARE	A fault that comes at any time finds the lock held for writing as often as it
 *		is held.  At 1 % one fault in a hundred waits, where a healthy process has 99 %
 *		hits.
 * SHARE	One fault in a thousand (VML_COMPARE_LEAST_SHARE).
 * RATE		100 faults a second: SHARE of 100,000 faults/s.  A fallback that waits for
 *		nobody costs 1 us more or so: fewer are no work.
 */
#include "diagnose.h"

#define LEAST (VML_DIAGNOSE_LEAST * 1e9)
#define WEIGHT (VML_DIAGNOSE_WEIGHT * 1e9)
#define PART 0.10
#define HALF 0.5
#define LONG ((double)LONG_HOLD_NS)
#define HELD_SHARE 0.01
#define SHARE 0.001
#define RATE 100

#define AT_LEAST(m, x) .measure = (m), .limit = (x)
#define UNDER(m, x) .measure = (m), .below = true, .limit = (x)

/* What each rule on holders begins with. */
#define BLAMED                                \
	{ MUST, AT_LEAST(M_BLOCKED, LEAST) }, \
	{                                     \
		MUST, AT_LEAST(M_SHARE, PART) \
	}
#define MOST                                     \
	{                                        \
		SUPPORT, AT_LEAST(M_SHARE, HALF) \
	}
/* What a holder does is not the reason when most of the hold it does nothing. */
#define RAN                                        \
	{ AGAINST, AT_LEAST(M_RUNNABLE, HALF) },   \
	{                                          \
		AGAINST, AT_LEAST(M_RECLAIM, HALF) \
	}

#define NAMES(...) ((const char *const[]){ __VA_ARGS__, NULL })

/* By number of vml_reason_name(); tests/unit/test_diagnose.c compares. */
enum {
	STACK_GROWTH = 1,
	WRITE_LOCKED,
	BUSY,
	RANGE_MOVED = 5,
	ANON_VMA = 8,
	FOLIO_LOCKED,
	FILE_IO,
	USERFAULTFD,
	DEVICE_PRIVATE
};
#define REASON(r) (1U << (r))

/* Source: fs/proc/task_mmu.c, mm/pagewalk.c 6.12 and 7.3. */
#define PROC_WALKERS                                                                                            \
	NAMES("smaps_", "show_smap", "show_numa_map", "m_start", "m_stop", "m_next", "pagemap_", "do_pagemap_", \
	      "clear_refs", "proc_maps_", "proc_get_vma", "query_vma_", "proc_pid_")

const struct rule diagnose_rules[] = {
	/* ---- what the holder does */
	{
		.name = "uprobes",
		.title = "uprobes are put into, or hit in, the process",
		.todo = "Use fewer or colder probes, or USDT with semaphores; from Linux 6.14 on a hit looks the VMA "
			"up without mmap_lock.",
		.change = "hits would not take mmap_lock",
		.class = RULE_WHAT,
		/* "uprobe": perf_event_open and bpf that write another's mappings; hits: kernel/events/uprobes.c */
		.who = { .context = NAMES("uprobe"),
			 .function = NAMES("find_active_uprobe", "handle_swbp", "uprobe_", "register_for_each_vma",
					   "xol_") },
		.condition = { BLAMED, MOST, RAN },
	},
	{
		.name = "foreign_reader",
		.title =
			"another process reads the memory or the maps of this one (/proc/PID: smaps, numa_maps, pagemap, clear_refs)",
		.todo = "Read less of it or more seldom: smaps_rollup instead of smaps, or neither of large processes. "
			"Linux 6.17 reads maps, 7.2 smaps and numa_maps without holding mmap_lock.",
		.change = "the process would not be held up by who watches it",
		.class = RULE_WHAT,
		/*
		 * Calls on file descriptors take the mmap_lock of another process in its files of /proc only,
		 * so no stack is needed: read, written (clear_refs), asked by ioctl (PAGEMAP_SCAN,
		 * PROCMAP_QUERY).
		 */
		.who = { .origin = FROM_FOREIGN,
			 .context = NAMES("read", "pread64", "readv", "preadv", "preadv2", "write", "pwrite64", "ioctl",
					  "process_vm_readv", "ptrace"),
			 .function = PROC_WALKERS },
		.condition = { BLAMED, MOST, RAN },
	},
	{
		.name = "fork",
		.title = "a large process is forked: all of its mappings are copied under mmap_lock",
		.todo = "Fork before memory is large, or use posix_spawn() or vfork(); huge pages make the page tables "
			"smaller; MADV_DONTFORK on what a child does not need.",
		.change = "the process would not stand still while its page tables are copied",
		.class = RULE_WHAT,
		/* clone() takes mmap_lock in dup_mmap() only, so without CLONE_VM (kernel/fork.c) */
		.who = { .mode = MODE_CHANGE,
			 .origin = FROM_OWN,
			 .context = NAMES("fork", "vfork", "clone", "clone3"),
			 .function = NAMES("dup_mmap", "dup_mm") },
		.condition = { BLAMED, MOST, { SUPPORT, AT_LEAST(M_HOLD_MEAN, LONG) }, RAN },
	},
	{
		.name = "huge_pages",
		.title = "huge pages are collapsed or memory is compacted under the lock",
		.todo = "Let the program say where huge pages are worth it (enabled=madvise), defer compaction "
			"(defrag=defer+madvise), slow khugepaged down (scan_sleep_millisecs).",
		.change = "the process would not wait for khugepaged and compaction",
		.class = RULE_WHAT,
		/* collapse_huge_page() holds it for writing; Source: mm/khugepaged.c */
		.who = { .context = NAMES("khugepaged", "kcompactd", "ksmd"),
			 .function = NAMES("collapse_", "hpage_collapse_", "madvise_collapse", "khugepaged",
					   "compact_zone", "try_to_compact_pages") },
		.condition = { BLAMED, MOST, RAN },
	},
	{
		.name = "pinning",
		.title = "memory is pinned for a device (GPU, RDMA, VFIO, io_uring buffers)",
		.todo = "Pin once at the start and keep it, in smaller pieces, of memory that was touched before.",
		.change = "pinning would not hold up faults and mappings",
		.class = RULE_WHAT,
		.who = { .function = NAMES("pin_user_pages", "pin_longterm", "__gup_longterm", "gup_longterm",
					   "io_pin_pages", "io_sqe_buffer", "ib_umem_", "vfio_pin", "vaddr_get_pfn",
					   "hmm_range_fault") },
		.condition = { BLAMED, MOST, { SUPPORT, AT_LEAST(M_HOLD_MEAN, LONG) }, RAN },
	},
	{
		.name = "userfaultfd_ioctl",
		.title = "a userfaultfd monitor and writers of the same process wait for each other",
		.todo = "Let the monitor copy larger ranges at once, and change mappings before it is busy; from Linux 6.9 on "
			"its ioctls take VMA locks.",
		.change = "the monitor would not wait for who maps and unmaps",
		.class = RULE_WHAT,
		/* Source: mm/userfaultfd.c, fs/userfaultfd.c */
		.who = { .function = NAMES("userfaultfd_", "mfill_atomic", "uffd_", "mwriteprotect_range",
					   "move_pages_pte") },
		.condition = { BLAMED, MOST, RAN },
	},
	{
		.name = "thread_starts",
		.title = "threads are started in numbers, each maps a stack, while others fault",
		.todo = "Keep threads in a pool and start them before the load comes; give them stacks of one mapping "
			"(pthread_attr_setstack), or let the C library cache more of them.",
		.change = "stacks would be mapped once",
		.class = RULE_WHAT,
		.who = { .mode = MODE_CHANGE,
			 .origin = FROM_OWN,
			 .context = NAMES("mmap", "mprotect", "munmap", "madvise", "prctl") },
		/*
		 * glibc maps a stack and protects its guard (2), an arena for malloc is mapped, trimmed at both ends and
		 * protected (4), and the end unmaps or gives back what was cached (2): 8 for a thread at most.  More
		 * write holds than that are somebody else's.
		 */
		.condition = { BLAMED,
			       { MUST, AT_LEAST(M_NEW_THREADS, 1) },
			       { MUST, UNDER(M_WRITES_PER_THREAD, 8.5) },
			       MOST,
			       RAN },
	},
	{
		.name = "mapping_storm",
		.title =
			"mappings are changed all the time (mmap, munmap, mprotect, madvise, brk) by the process itself",
		.todo = "Make the allocator keep memory (jemalloc retain and decay, tcmalloc release rate, glibc "
			"M_TRIM_THRESHOLD and M_MMAP_THRESHOLD); change larger ranges at once; let a JIT map code twice "
			"instead of protecting it back and forth.",
		.change = "faults would not meet a lock that is held for writing",
		.class = RULE_WHAT,
		.who = { .mode = MODE_CHANGE,
			 .origin = FROM_OWN,
			 .context = NAMES("mmap", "mmap2", "munmap", "mprotect", "pkey_mprotect", "madvise", "mremap",
					  "brk", "mlock", "munlock", "mlock2") },
		.condition = { BLAMED, MOST, { SUPPORT, AT_LEAST(M_WRITTEN, HELD_SHARE) }, RAN },
	},
	{
		.name = "convoy",
		.title = "a long read hold, a writer that waits for it, and everybody else behind that writer",
		.todo = "Make the hold shorter (smaller ranges at a time) or the writers fewer; do not do it in a thread of low "
			"priority.",
		.change = "nobody would queue behind a writer that waits itself",
		.class = RULE_WHAT,
		.who = { .mode = MODE_READ, .origin = FROM_OWN, .long_holds = true },
		/* readers do not exclude readers: that they wait behind one says that a writer waits in between */
		.condition = { BLAMED,
			       { MUST, AT_LEAST(M_READERS, PART) },
			       MOST,
			       { SUPPORT, AT_LEAST(M_READERS, HALF) },
			       RAN },
	},
	{
		.name = "other_holder",
		.title = "a holder that no rule knows",
		.todo = "Look at what it does and at its stack.",
		.change = "these waits would go",
		.class = RULE_WHAT,
		.most = VML_LOW,
		.condition = { BLAMED },
	},
	/* ---- why a hold takes so long */
	{
		.name = "starved_holder",
		.title = "the holder has the lock but no CPU: low priority, or a throttled cgroup",
		.todo = "Give the holder CPU time: no cpu.max on what reads other processes, no nice 19 on what takes locks, "
			"fewer threads than CPUs.",
		.change = "holds would last as long as their work",
		.class = RULE_STATE,
		.who = { .long_holds = true },
		.condition = { BLAMED,
			       { MUST, AT_LEAST(M_RUNNABLE, HALF) },
			       MOST,
			       { AGAINST, AT_LEAST(M_NO_CPU, HALF) } },
	},
	{
		.name = "reclaim",
		.title = "the holder reclaims or compacts memory while it has the lock",
		.todo = "Raise memory.high and memory.max, or keep more memory free (vm.watermark_scale_factor): direct "
			"reclaim under the lock stops everybody.",
		.change = "holds would last as long as their work",
		.class = RULE_STATE,
		.condition = { BLAMED, { MUST, AT_LEAST(M_RECLAIM, HALF) }, MOST },
	},
	{
		.name = "hanging_listing",
		.title = "ps, top or a health check waits for the lock of a process that is stuck",
		.todo = "Look at what the holder waits for: that is the root. Who lists processes is only a victim.",
		.change = "who lists processes would not hang",
		.class = RULE_STATE,
		.who = { .long_holds = true },
		/* the limit of a stall (VML_STALL_NS) */
		.condition = { BLAMED,
			       { MUST, AT_LEAST(M_FOREIGN_WAITS, HALF) },
			       { MUST, AT_LEAST(M_HOLD_LONGEST, (double)VML_STALL_NS) },
			       MOST },
	},
	{
		.name = "io_under_lock",
		.title = "the holder sleeps with the lock, in input from disk, swap or a network filesystem",
		.todo = "Read the pages before they are needed (readahead, mlock), keep them out of swap, put the file on "
			"something faster.",
		.change = "holds would last as long as their work",
		.class = RULE_STATE,
		/*
		 * Also in short holds: sleeping is what the holder does, being preempted is not.  Who holds it for
		 * writing may sleep until the readers of a VMA have left, which is no input.
		 */
		.who = { .mode = MODE_READ },
		.condition = { BLAMED,
			       { MUST, AT_LEAST(M_SLEEP, HALF) },
			       { MUST, AT_LEAST(M_HOLD_LONGEST, LONG) },
			       MOST,
			       { SUPPORT, AT_LEAST(M_DISK, HALF) } },
	},
	/* ---- why faults fall back */
	{
		.name = "hot_area",
		.title = "one area is faulted by many threads and changed at the same time",
		.todo = "Give each thread an area of its own, so that changing one (brk, mprotect, munmap of a part) does not "
			"write-lock all.",
		.change = "faults in the other parts would stay under the VMA lock",
		.class = RULE_FAULTS,
		.reasons = REASON(WRITE_LOCKED) | REASON(BUSY) | REASON(RANGE_MOVED),
		.unless = "fork", /* it write-locks every area, whichever is faulted most */
		/* not how many fall back: where a writer holds for long there are few, and each of them waits */
		.condition = { { MUST, AT_LEAST(M_AREA_WAIT, LEAST) },
			       { MUST, AT_LEAST(M_AREA, HALF) },
			       { SUPPORT, AT_LEAST(M_REASON_SHARE, HALF) } },
	},
	{
		.name = "first_touch",
		.title = "first writes to new areas fall back, because mmap_lock is busy when they need it",
		.todo = "Map fewer and larger areas and keep them; the writers that keep mmap_lock busy are findings of their "
			"own.",
		.change = "first writes would stay under the VMA lock",
		.class = RULE_FAULTS,
		.reasons = REASON(ANON_VMA),
		.condition = { { MUST, AT_LEAST(M_REASON, SHARE) },
			       { MUST, AT_LEAST(M_REASON_RATE, RATE) },
			       { SUPPORT, AT_LEAST(M_REASON_SHARE, PART) } },
	},
	{
		.name = "page_io",
		.title = "faults wait for pages from disk or swap",
		.todo = "Keep the file or the memory resident: readahead, less swapping, a larger page cache.",
		.change = "these faults would be served under the VMA lock",
		.class = RULE_FAULTS,
		.reasons = REASON(FILE_IO) | REASON(FOLIO_LOCKED),
		.condition = { { MUST, AT_LEAST(M_REASON, SHARE) },
			       { MUST, AT_LEAST(M_REASON_RATE, RATE) },
			       { SUPPORT, AT_LEAST(M_REASON_SHARE, HALF) } },
	},
	{
		.name = "userfaultfd",
		.title = "faults wait for a userfaultfd monitor",
		.todo = "Let the monitor fill more than a page at a time, in more threads, before it is asked.",
		.change = "these faults would not take mmap_lock",
		.class = RULE_FAULTS,
		.reasons = REASON(USERFAULTFD),
		.condition = { { MUST, AT_LEAST(M_REASON, SHARE) },
			       { MUST, AT_LEAST(M_REASON_RATE, RATE) },
			       { SUPPORT, AT_LEAST(M_REASON_SHARE, HALF) } },
	},
	{
		.name = "device_memory",
		.title = "pages migrate between a device and memory",
		.todo = "Keep what the CPU touches in memory, or prefetch it back before.",
		.change = "these faults would be served under the VMA lock",
		.class = RULE_FAULTS,
		.reasons = REASON(DEVICE_PRIVATE),
		.condition = { { MUST, AT_LEAST(M_REASON, SHARE) }, { MUST, AT_LEAST(M_REASON_RATE, RATE) } },
	},
	{
		.name = "stack_growth",
		.title = "stacks that grow down do so again and again",
		.todo = "Give deep recursion a stack that is mapped whole (pthread_attr_setstack), or do not map and unmap areas "
			"with MAP_GROWSDOWN.",
		.change = "these faults would be hits",
		.class = RULE_FAULTS,
		.reasons = REASON(STACK_GROWTH),
		/* a stack of the usual 8 MiB grows by 2048 pages in its life: more is more than one stack once */
		.condition = { { MUST, AT_LEAST(M_REASON, SHARE) },
			       { MUST, AT_LEAST(M_REASON_RATE, RATE) },
			       { MUST, AT_LEAST(M_REASON_COUNT, 2048) },
			       { SUPPORT, AT_LEAST(M_REASON_SHARE, PART) } },
	},
	/* ---- others */
	{
		.name = "mapping_limit",
		.title = "the process has almost as many mappings as it may (vm.max_map_count)",
		.todo = "Find who maps so many (many small mmap or mprotect calls, guard pages, memory that is never unmapped) "
			"before mmap() fails with ENOMEM; raise vm.max_map_count meanwhile.",
		.change = "mmap and mprotect would not begin to fail",
		.class = RULE_OTHER,
		/* the limit of the alert (docs/runbooks.md); from three quarters on it is worth a word */
		.condition = { { MUST, AT_LEAST(M_MAPPINGS, 0.75) }, { AGAINST, UNDER(M_MAPPINGS, 0.9) } },
	},
	/* ---- what is not wrong */
	{
		.name = "no_cpu",
		.title = "contended, but not by these locks: next owners wait for a CPU",
		.todo = "Look for CPU time: throttled cgroups, priorities, more threads than CPUs.",
		.change = "no shorter hold would help as much",
		.class = RULE_OTHER,
		.negative = true,
		/* as the verdict says it (src/sinks/verdict.c) */
		.condition = { { MUST, AT_LEAST(M_WAIT, WEIGHT) },
			       { MUST, AT_LEAST(M_HANDOVER, HALF) },
			       { MUST, AT_LEAST(M_NO_CPU, HALF) } },
	},
	{
		.name = "elsewhere",
		.title = "contended, but not by these locks: faults take long without waiting for mmap_lock",
		.todo = "Look at what faults do: zeroing, reclaim, page input, memory cgroups, other locks "
			"(perf lock contention, offcputime).",
		.change = "changing who holds mmap_lock would not help",
		.class = RULE_OTHER,
		.negative = true,
		/* half a second a second of faults: what the alert fires at for waits */
		.condition = { { MUST, AT_LEAST(M_SERVE, 0.5e9) }, { MUST, UNDER(M_SERVE_WAIT, PART) } },
	},
	{ .name = NULL },
};
