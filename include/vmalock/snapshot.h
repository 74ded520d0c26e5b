/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef VMALOCK_SNAPSHOT_H
#define VMALOCK_SNAPSHOT_H
/*
 * The one model.  A source makes snapshots; the delta of two snapshots is the
 * only computation (live rate, report, export, diff); sinks print deltas.
 * A delta is a snapshot too, with interval_ns != 0 and changes for counts.
 *
 * Pure data and pure functions: nothing here reads a clock, a file or a map.
 *
 * - Absent is never zero: a metric whose bit is not in have[scope] is unknown
 *   and must be shown as "-", left out of JSON, stored as no row.
 * - Every string is clean (base.h, vml_text_clean) and never NULL.
 * - Rows of a scope are sorted by vml_id_compare() and unique.
 * - Counts are since the source was opened, and never fall while a row exists.
 * - Everything reachable belongs to the arena: free the snapshot, not its parts.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "vmalock/base.h"

struct vml_arena;
struct vml_caps;

/* ---- words (the order is that of columns and JSON) */

enum vml_scope { VML_PROCESS, VML_THREAD, VML_VMA, VML_BLOCKER, VML_NSCOPES };

enum vml_metric {
	VML_FAULTS, /* user + kernel; = hits + fallbacks */
	VML_FAULTS_USER,
	VML_FAULTS_KERNEL,
	VML_HITS,
	VML_ABORTS,
	VML_RETRIES,
	VML_MISSES,
	VML_BYPASSES,
	VML_FALLBACKS, /* with bypasses */
	VML_WAIT_NS, /* for mmap_lock, read and write; of a VMA: read, in its faults; in total: blamed + unattributed */
	VML_MMAP_READ_WAIT_NS,
	VML_MMAP_WRITE_WAIT_NS,
	VML_MMAP_READ_HOLD_NS,
	VML_MMAP_WRITE_HOLD_NS,
	VML_LOCK_FAILED, /* mmap_lock asked for and not got: trylocks, killed waits */
	VML_VMA_WRITE_WAIT_NS, /* write-locking VMAs that had readers */
	VML_VMA_WRITE_READERS, /* readers that those write locks found */
	VML_SERVE_NS, /* serving faults, from the exception to the end of the handler */
	VML_USERFAULTFD_NS, /* inside handle_userfault */
	VML_PAGE_IO_NS, /* inside filemap_fault and do_swap_page that had to read or wait */
	/* the ledger (ledger.h): waits for the mmap_lock of the process, whoever waited */
	VML_BLAMED_NS, /* charged to holders; of a blocker: to it, for any lock */
	VML_UNATTRIBUTED_NS, /* while nobody held it; = the next two */
	VML_HANDOVER_RUNQUEUE_NS, /* the next owner was waiting for a CPU */
	VML_HANDOVER_WAKEUP_NS, /* it was being woken, or took the lock */
	VML_AVOIDABLE_NS, /* of blamed: waits for what the holder did not change; at least; of blockers, too */
	/* of blockers: holds that made somebody wait */
	VML_FOREIGN_NS, /* of blamed: waits of other processes than the one whose lock it is */
	VML_VICTIMS, /* tasks that waited when it let go */
	VML_HOLDS,
	VML_HOLD_NS, /* = the next three, when the hold has ended */
	VML_ON_CPU_NS,
	VML_RUNNABLE_NS, /* waiting for a CPU */
	VML_SLEEP_NS,
	VML_RECLAIM_NS, /* with delay accounting, of the hold: */
	VML_IO_NS,
	VML_SWAP_NS,
	VML_NMETRICS,
};
#define VML_METRIC_BIT(m) (1ULL << (m))

enum vml_unit { VML_UNIT_COUNT, VML_UNIT_NS, VML_UNIT_BYTES, VML_UNIT_RATIO, VML_UNIT_TEXT, VML_UNIT_ADDRESS };

struct vml_metric_info {
	const char *key; /* "mmap_read_wait_ns": JSON key and name for -s */
	const char *title; /* "RD WAIT": column head */
	enum vml_unit unit;
	const char *help; /* one sentence */
};
/* Never NULL for m < VML_NMETRICS.  src/model/metric.c */
const struct vml_metric_info *vml_metric_info(enum vml_metric m);

enum vml_certainty { VML_INFERRED, VML_EXACT };
/* "write_locked"; the enum vml_reason of abi.h by number.  NULL when out of range. */
const char *vml_reason_name(unsigned int reason);
/* One sentence: what it means and what to look at. */
const char *vml_reason_help(unsigned int reason);
unsigned int vml_reason_count(void);
/* Index into vml_row.reasons. */
#define VML_REASON_INDEX(reason, certainty) ((reason)*2 + (certainty))

/* The histograms of a row, by the enum vml_time of abi.h; "mmap_read_wait" .. */
#define VML_HISTS 11
const char *vml_hist_name(unsigned int which);

/* Who looks VMAs up, by the enum vml_caller of abi.h; "fault" ..  NULL when out of range. */
const char *vml_caller_name(unsigned int caller);

/* ---- sparse counts: buckets of a histogram, reasons (src/model/tally.c) */

struct vml_cell {
	uint32_t index;
	uint64_t count; /* never 0 */
};
/* Sorted by index, unique. */
struct vml_tally {
	uint32_t n;
	const struct vml_cell *cell;
};

uint64_t vml_tally_get(const struct vml_tally *t, uint32_t index);
uint64_t vml_tally_sum(const struct vml_tally *t);
/* From a dense array of @n counts. -ENOMEM */
int vml_tally_from(struct vml_arena *a, const uint64_t *dense, uint32_t n, struct vml_tally *ret);
/* ret = x + y; ret = cur - prev, where an index that fell counts as cur (reset). -ENOMEM */
int vml_tally_add(struct vml_arena *a, const struct vml_tally *x, const struct vml_tally *y, struct vml_tally *ret);
int vml_tally_delta(struct vml_arena *a, const struct vml_tally *prev, const struct vml_tally *cur,
		    struct vml_tally *ret);

/* ---- histograms (src/model/hist.c); geometry: hist.h */

struct vml_hist {
	struct vml_tally bucket; /* index: vml_hist_index() */
	uint64_t count; /* = sum of the buckets */
	uint64_t sum_ns;
	uint64_t max_ns; /* 0: not known exactly; then vml_hist_max_bound() */
};

/* Upper bound of bucket @i in ns (exact, may have a fraction); INFINITY for the last. */
double vml_hist_upper(uint32_t i);
/* Lower bound: upper(i - 1), 0 for the first. */
double vml_hist_lower(uint32_t i);
/*
 * The @q quantile (0 < q <= 1) in ns, the geometric middle of its bucket:
 * within 9.05 % of the true one, except in the under- and overflow buckets,
 * where the inner bound is returned.  Never over max_ns, when that is known.
 * -1 when the histogram is empty.
 */
double vml_hist_quantile(const struct vml_hist *h, double q);
/* Upper bound of the highest bucket that is not empty, at most max_ns when known; -1 when empty. */
double vml_hist_max_bound(const struct vml_hist *h);
int vml_hist_add(struct vml_arena *a, const struct vml_hist *x, const struct vml_hist *y, struct vml_hist *ret);
/* max_ns of the delta is cur's when it grew in the interval (then it is exact), else 0. */
int vml_hist_delta(struct vml_arena *a, const struct vml_hist *prev, const struct vml_hist *cur, struct vml_hist *ret);

/* ---- rows */

/* A process image. */
struct vml_image {
	uint32_t pid;
	uint32_t exec; /* exec generation; only equality means something */
	uint64_t start_ns; /* CLOCK_BOOTTIME */
};

/*
 * Identity.  Processes: pid, start_ns, exec.  Threads: + tid, tid_start_ns.  VMAs: + anchor.
 * Blockers: as threads (tid 0: not known which), + doing, write, target.
 */
struct vml_id {
	uint32_t pid;
	uint32_t exec; /* exec generation; only equality means something */
	uint64_t start_ns; /* CLOCK_BOOTTIME */
	uint64_t tid_start_ns;
	uint32_t tid;
	uint64_t anchor; /* VMA: start, or end when it grows down; < 4096: no address */
	uint32_t doing; /* the VML_DOING() of abi.h; vml_row.context says it */
	bool write; /* held for write */
	struct vml_image target; /* whose lock */
};
int vml_id_compare(const struct vml_id *a, const struct vml_id *b);

struct vml_area {
	uint64_t start, end; /* 0, 0: no address (kind none or unknown) */
	uint64_t offset; /* bytes into the file */
	uint64_t inode; /* 0: no file */
	uint32_t dev_major, dev_minor;
	char perms[5]; /* "rw-p" */
	const char *kind; /* "anon" "file" "heap" "stack" "vdso" "special" "none" "unknown" */
	const char *name; /* path, "[heap]", "[stack]", "[anon]", ...; "" when unknown */
};

struct vml_row {
	struct vml_id id;
	const char *comm; /* of the process or thread; of a VMA: its process's */
	const char *cgroup; /* path from the host's root; "" when unknown */
	uint32_t uid; /* UINT32_MAX: unknown */
	uint32_t ns_pid; /* pid in its own namespace; = pid when the same or unknown */
	uint32_t threads; /* processes only; 0: unknown */
	uint32_t mappings; /* of the address space: its VMAs; processes only; 0: unknown */
	bool exited; /* gone: this is its last snapshot */
	struct vml_area area; /* VMAs only */
	/* blockers only; NULL in other scopes */
	const char *context; /* "munmap", "page fault", "khugepaged", "exit", ... */
	const char *lock; /* "mmap_read", "mmap_write", "vma_read" */
	const char *target; /* comm of the process whose lock it is */
	const char *target_cgroup, *victim_cgroup; /* its cgroup; of the last that waited from elsewhere; "" unknown */
	uint64_t value[VML_NMETRICS];
	struct vml_tally reasons; /* index: VML_REASON_INDEX() */
	struct vml_hist hist[VML_HISTS];
};

struct vml_rows {
	struct vml_row *row;
	size_t n;
};

/* ---- stacks (src/model/frame.c) */

enum vml_frame_state {
	VML_FRAME_UNKNOWN, /* nothing is known of it; for the kernel also: its addresses are hidden */
	VML_FRAME_EXITED, /* the process ended before its files were known */
	VML_FRAME_FILE, /* file and offset in it; the function has no name there */
	VML_FRAME_FUNCTION, /* resolved */
};

/* One entry of a stack.  Never holds an address of the kernel. */
struct vml_frame {
	enum vml_frame_state state;
	bool kernel;
	uint64_t offset; /* in the function; VML_FRAME_FILE: in the file, or in what has only a name, as "[vdso]" */
	const char *function; /* "" when not VML_FRAME_FUNCTION */
	const char *file; /* path, "[vdso]", "[anon]"; of the kernel: the module, "[kernel]"; "" when unknown */
	const char *build_id; /* of the file, in hex; "" when unknown */
};

/* What stands for it in one word: "main", "libc.so.6+0x2a1b", "[unknown]", "[exited]". Returns @buf. */
char *vml_frame_text(const struct vml_frame *f, char *buf, size_t n);

/* ---- the snapshot */

struct vml_host {
	const char *name, *boot_id, *machine, *kernel;
	uint32_t cpus, page_size;
	uint32_t max_mappings; /* of a process (vm.max_map_count); 0: unknown */
};

/* What the kernel itself counts, of the whole host and everybody's lookups (VML_CAP_VMSTAT). */
struct vml_kernel_counts {
	bool known; /* the four are in /proc/vmstat */
	uint64_t success, abort, retry, miss; /* vma_lock_success .. */
};

struct vml_loss {
	const char *cause; /* "thread_storage", "recursion_misses_tp_page_fault_user", ... */
	const char *help; /* one sentence */
	uint64_t count;
};
/* What @cause means, one sentence; "" for one that is not known. */
const char *vml_loss_help(const char *cause);
/* All causes there are, the @i-th; NULL behind the last. One that ends in '_' goes on with the name of a program. */
const char *vml_loss_cause(size_t i);
/* All is counted where it belongs: a row, a stack, a name or a maximum is missing. */
bool vml_loss_is_detail(const char *cause);
/* What was lost would have told outcomes and reasons: events that are counted may have the wrong one. */
bool vml_loss_spoils(const char *cause);

/* Lookups of VMAs under RCU by who made them (exact detail). */
struct vml_lookup {
	const char *caller; /* "fault", "userfaultfd", "madvise", ... */
	uint64_t lookups; /* all; those of faults too */
	uint64_t aborts; /* refused; the kernel counts them in vma_lock_abort, whoever asks */
	uint64_t misses;
};

/* A thread that waits for mmap_lock now, for at least VML_STALL_NS, and who holds it. */
#define VML_STALL_NS 100000000ULL
struct vml_stall {
	struct vml_id id; /* the thread */
	const char *comm;
	bool write; /* to write */
	uint64_t wait_ns; /* so far */
	struct vml_image target; /* whose lock */
	bool held; /* false: nobody is seen to hold it, and what follows is 0 and "" */
	struct vml_id holder;
	const char *holder_comm, *context;
	const char *state; /* "running", "runnable", "sleeping", "blocked" */
	uint64_t hold_ns; /* so far */
	uint32_t waiters; /* threads that wait for this lock for as long, with this one */
	uint32_t writers; /* of them: to write */
	uint64_t other_ns; /* the longest of those who want it in the other mode than this one; 0: there is none */
	bool unsplit; /* writers and other_ns are not known: of a recording that does not have them */
};

/* Blame by code: holds during which somebody waited for longer than the threshold (vml_live_options). */
struct vml_stack {
	struct vml_id id; /* thread of the holder, and what it did */
	const char *comm, *context;
	uint32_t key; /* tells stacks of one id apart */
	const struct vml_frame *frame; /* from the innermost on: of the kernel, then of the program */
	uint32_t nframes, nkernel; /* nkernel: of the kernel among them */
	uint64_t holds, hold_ns, max_ns, blamed_ns;
};

struct vml_self {
	uint64_t foreign_mmap_locks; /* by this process on another's mm; not 0 is a bug */
	uint64_t ledger_error_ns; /* gauge: waits less what was charged, over all ledgers; not 0 is a bug */
	uint64_t maps_read; /* times /proc/PID/maps of a process was read, for user stacks */
	uint64_t bpf_runs; /* events the programs handled */
	/*
	 * CPU time of the programs on faults and on mmap_lock: runs x calibrated cost.  Those on
	 * slow paths of a fault (fentry, kprobe) are not in it.  Estimated; known: bpf_cost_known
	 */
	uint64_t bpf_cost_ns;
	uint64_t bpf_hot_ns; /* of it: the hooks on every fault */
	uint64_t bpf_full_ns; /* what they would have cost, attached all the time */
	uint64_t bpf_calibrations; /* times it was measured what a run costs */
	uint64_t cpu_ns; /* user and system time of this process */
	uint64_t rss_bytes; /* gauge */
	uint64_t map_bytes; /* gauge: memory of all maps, the sum of vml_snapshot.map; 0: not known */
	uint64_t map_limit_bytes; /* gauge: --memory; 0: not known (the first recordings) */
	uint64_t evicted_rows; /* of areas and blockers, to make room within it */
	bool evicted_known; /* not in the first recordings */
	bool bpf_cost_known;
	bool from_bpf; /* foreign_mmap_locks, ledger_error_ns, bpf_runs and map_bytes are known */
};

/*
 * How long the hooks on every fault were attached (guard.h).  While they are not:
 *
 *	exact		waits, holds, failures and blame of mmap_lock; VML_FAULTS, which are the
 *			tasks' own counts then: as getrusage(2) has them, with those that
 *			get_user_pages() made, without those that ended in a signal
 *	extrapolated	all other counts of faults, by process, thread, area and reason: the
 *			faults of a process that were not seen are divided as those that were
 *			seen of it, in samples of 128 or more, each of which stands for two
 *			seconds after it.  hits + fallbacks = faults holds.  Their reasons are
 *			VML_INFERRED.
 *	held		a process without such a sample: those of its faults that were not seen
 *			are counted nowhere, and appear when it has one: late, once
 *	borrowed	what is held when the process ends, or the hooks are back for good, is
 *			divided as what was seen of it (16 or more), or else of the host
 *	not seen	histograms and waits of areas: those of the time attached
 *
 * In an interval with `unknown` faults nothing was seen to extrapolate from (VML_DUTY_OFF):
 * a delta does not have outcomes, reasons and counts of areas.
 */
struct vml_duty {
	uint32_t step; /* gauge: enum vml_duty_step */
	uint64_t attached_ns, of_ns; /* attached for so long, of so long; both 0: all the time, no guard */
	uint64_t extrapolated; /* faults that were not seen, but given an outcome */
	uint64_t borrowed; /* of them: as the host has them, nothing was known of their process */
	uint64_t held; /* gauge: faults that were not seen and are not counted yet */
	uint64_t unknown; /* faults that were not seen, and were not */
};

/* Runs of a program, as it counts them. */
struct vml_program {
	const char *name; /* "tp_page_fault_user" */
	uint64_t runs;
};

/* Memory of a BPF map. */
struct vml_map {
	const char *name; /* "vmas" */
	uint64_t bytes;
};

struct vml_snapshot {
	struct vml_arena *arena;
	uint64_t boot_ns; /* CLOCK_BOOTTIME when taking it began: all that was over by then is in it */
	uint64_t real_ns; /* CLOCK_REALTIME then */
	uint64_t interval_ns; /* 0: a snapshot; else a delta over that long */
	struct vml_host host;
	const struct vml_caps *caps; /* a copy, in the arena */
	uint64_t have[VML_NSCOPES]; /* VML_METRIC_BIT()s that are known */
	bool have_reasons;
	struct vml_rows rows[VML_NSCOPES];
	/* of all processes, also of those whose rows are gone; of the selected after vml_select() */
	uint64_t total[VML_NMETRICS];
	struct vml_tally reasons;
	struct vml_hist hist[VML_HISTS];
	uint32_t selected; /* 0: everything; else the rows were narrowed by vml_select() */
	struct vml_loss *loss; /* every cause, also those at 0 */
	size_t nloss;
	struct vml_lookup *lookup; /* every caller, also those at 0; NULL: not known */
	size_t nlookup;
	struct vml_stall *stall; /* gauges; one for each lock: who waits for it the longest; longest first */
	size_t nstall;
	struct vml_stack *stack; /* sorted by id and key; NULL: none are taken */
	size_t nstack;
	struct vml_kernel_counts kernel;
	struct vml_duty duty;
	struct vml_program *program; /* sorted by name; NULL: not known */
	size_t nprogram;
	const struct vml_map *map; /* of a snapshot, not of a delta; NULL: not known */
	size_t nmap;
	struct vml_self self;
};

/* Share of the time that the hooks on every fault were attached: exactly 1 when always. */
double vml_duty_ratio(const struct vml_snapshot *s);

/* Events that are not counted in @s (a delta: of its interval), or not where they belong; and details beside them. */
uint64_t vml_snapshot_lost(const struct vml_snapshot *s);
uint64_t vml_snapshot_lost_details(const struct vml_snapshot *s);
/*
 * True when nothing of @s (a delta: of its interval) was skipped by a program
 * that outcomes and reasons come from, and nothing was extrapolated.  While it is
 * false, VML_EXACT must be shown as inferred.
 */
bool vml_snapshot_exact(const struct vml_snapshot *s);
/*
 * The reasons @t as they may be shown: while not @exact, what was VML_EXACT is
 * added to VML_INFERRED, but for bypasses, which are known in any case.  Room
 * for t->n in @ret; returns how many, in order of index.
 */
uint32_t vml_reasons_fold(const struct vml_tally *t, bool exact, struct vml_cell *ret);

/*
 * Sets total[VML_WAIT_NS] to what the ledgers say, when they are known: of one
 * instant with blamed and unattributed, so that the three agree exactly.  The rows
 * are read one after the other while waits go on, and add up to it at rest.
 */
void vml_total_wait(struct vml_snapshot *s);

/* An empty snapshot with an arena of its own; NULL when out of memory. (src/model/snapshot.c) */
struct vml_snapshot *vml_snapshot_new(void);
void vml_snapshot_free(struct vml_snapshot *s);

/* The row with this identity, or NULL. Binary search. */
const struct vml_row *vml_rows_find(const struct vml_rows *r, const struct vml_id *id);

/* ---- deltas (src/model/delta.c) */

/*
 * What happened between two snapshots of one source.  Rows: all of @cur (rows
 * that did not change are kept, with zeros), so the caller can drop or print
 * them; a row that is only in @prev is gone and had no changes since.  A row
 * only in @cur is new: its counts are the change.  A count that fell means that
 * the source was restarted: the change is @cur's count.  What only one of them
 * knows (have) is unknown, but from an empty @prev, as vml_snapshot_new() makes
 * it, everything is new.  Gauges (threads, rss) are @cur's.
 * -ENOMEM; -EINVAL when @cur is not later, or rows are not sorted and unique.
 */
int vml_delta(const struct vml_snapshot *prev, const struct vml_snapshot *cur, struct vml_snapshot **ret);
/*
 * The same in parts, for who knows which rows changed: first all but the rows, then row by
 * row.  @ret, which is to be a row of @d, has copies; of a row that is new, @prev is all 0.
 */
int vml_delta_rest(const struct vml_snapshot *prev, const struct vml_snapshot *cur, struct vml_snapshot **ret);
int vml_delta_row(struct vml_snapshot *d, enum vml_scope scope, const struct vml_row *prev, const struct vml_row *cur,
		  struct vml_row *ret);

/*
 * Adds the rows and stacks of an earlier snapshot of the same source that @s does not have any
 * more, so that @before can be left out: then a delta from one before it to @s has all that
 * happened.  src/model/carry.c.  -ENOMEM: @s is good for nothing but to be freed.
 */
int vml_carry(struct vml_snapshot *s, const struct vml_snapshot *before);

/* True when anything of the row changed (of a delta). */
bool vml_row_changed(const struct vml_row *r);

/*
 * What is kept of a delta (src/model/keep.c).  Rows that did not change are not, but
 * for processes that others refer to: whose lock is waited for, who held it, whose a stack is.
 */
/* For each row of a process in @delta, whether others refer to it; free() it. NULL: out of memory. */
bool *vml_processes_needed(const struct vml_snapshot *delta);
/* A copy that outlives @delta, as small as it can be. -ENOMEM */
int vml_delta_keep(const struct vml_snapshot *delta, struct vml_snapshot **ret);
/* A copy of a snapshot or delta without rows. -ENOMEM */
int vml_snapshot_rest(const struct vml_snapshot *s, struct vml_snapshot **ret);

/* ---- the same delta without names (src/model/redact.c) */

/*
 * Replaces in place what tells who and where it was: names of processes and threads by
 * comm-1, comm-2, .., names in cgroup paths by cgroup-1, .., files of areas and of user frames
 * by file-1, .., functions of programs (those of JIT code have paths in them) by function-1, ..,
 * the host by host-1 and its boot by boot-1; build ids go.  The same name is the same
 * placeholder in all deltas of one redaction, so rows can be told apart and joined.
 * What stays: pids, uids, addresses, devices and inodes; functions and modules of the
 * kernel, what holders did; "(untracked)" and "(rest)".
 */
struct vml_redaction;
struct vml_redaction *vml_redaction_new(void); /* NULL when out of memory */
void vml_redaction_free(struct vml_redaction *r); /* NULL is fine */
/* -ENOMEM; @delta is then in part as it was. */
int vml_redact(struct vml_redaction *r, struct vml_snapshot *delta);
/* Its boot is a placeholder, so its names are, and mean nothing beside those of another redaction. */
bool vml_is_redacted(const struct vml_snapshot *s);
/* The placeholder of a cgroup path or a file; lives as long as @r. NULL when out of memory. */
const char *vml_redact_cgroup(struct vml_redaction *r, const char *path);
const char *vml_redact_file(struct vml_redaction *r, const char *path);

/* ---- sums of deltas (src/model/sum.c) */

/*
 * Deltas of one host one after the other, in the order of time, as one delta over
 * all of them: counts add up, gauges and names are those of the last.  Rows and
 * stacks of any of them are there; one that a later delta leaves out did not
 * change in it.  For snapshots a, b, c of one source, delta(a, b) + delta(b, c) is
 * delta(a, c), and has what ended before c besides.
 *
 * interval_ns is the time observed: gaps between the deltas are left out.  A metric
 * is known where all of them know it.  The maximum of a histogram is exact where the
 * deltas adjoin and have it, else 0 (not known) where that cannot be told.
 */
struct vml_sum;
struct vml_sum *vml_sum_new(void); /* NULL when out of memory */
void vml_sum_free(struct vml_sum *s); /* NULL is fine */
/* -EINVAL: no delta; -ENOMEM: nothing can be done with @s but to free it. */
int vml_sum_add(struct vml_sum *s, const struct vml_snapshot *delta);
/* Frees @s in every case. -ENODATA: nothing was added; -ENOMEM */
int vml_sum_end(struct vml_sum *s, struct vml_snapshot **ret);
/* The sum of two. */
int vml_merge(const struct vml_snapshot *first, const struct vml_snapshot *then, struct vml_snapshot **ret);
/* Adds the counts of @x to those of another row of the same interval, which are in @a. -ENOMEM */
int vml_row_add(struct vml_arena *a, struct vml_row *sum, const struct vml_row *x);

struct vml_filter {
	const uint32_t *pids; /* any of these, on the host or in their namespace */
	size_t npids;
	bool by_uid;
	uint32_t uid;
	const char *cgroup; /* this path and everything below; NULL: any */
};
/*
 * Narrows a delta to the processes of @f and their threads and VMAs, in place;
 * total, reasons and hist become those of the selected processes.  An empty
 * filter changes nothing.  (src/model/select.c)  -ENOMEM
 */
int vml_select(struct vml_snapshot *s, const struct vml_filter *f);
/*
 * From the command line (src/model/filter_options.c): "12,34", which takes the place of the pids before; a path,
 * which is not copied.  -EINVAL, and in @error one line as of vml_live_set_backend(); -ENOMEM
 */
int vml_filter_set_pids(struct vml_filter *f, const char *arg, char error[VML_ERROR_MAX]);
int vml_filter_set_cgroup(struct vml_filter *f, const char *arg, char error[VML_ERROR_MAX]);
/* What vml_filter_set_pids() made. */
void vml_filter_free(struct vml_filter *f);

/* ---- who held up whom, by cgroup (src/model/cgroup.c) */

struct vml_cgroup_blame {
	const char *victim, *blocker; /* paths from the host's root; "" unknown */
	uint64_t blamed_ns;
};
/* Of a delta, largest first, in its arena. -ENOMEM */
int vml_cgroup_blame(struct vml_snapshot *s, struct vml_cgroup_blame **ret, size_t *ret_n);

/* ---- columns: one table drives screen, text, JSON and help (src/model/column.c) */

struct vml_column {
	const char *key; /* for -s, and in help: "pid", "fallbacks", "hit_ratio" */
	const char *title; /* column head */
	const char *help;
	enum vml_unit unit;
	unsigned int scopes; /* 1 << scope */
	int width; /* columns; 0: the rest of the line */
	int metric; /* enum vml_metric, or -1: identity or derived */
	bool ascending; /* vml_rank() puts the smallest first: text and identity */
	int field; /* of column.c: which identity or derived value */
};
/* All columns of a scope in display order, the most important first, ended by NULL; the last has width 0. */
const struct vml_column *const *vml_columns(enum vml_scope scope);
/* By key or by metric key, also what vml_columns() does not show; NULL when the scope has none. */
const struct vml_column *vml_column_find(enum vml_scope scope, const char *key);
/* The number behind a cell; false when it is unknown or text. */
bool vml_column_number(const struct vml_column *c, const struct vml_snapshot *s, enum vml_scope scope,
		       const struct vml_row *r, double *ret);
/* The cell as text: "-" when unknown.  @rate: counts and times per second. Returns @buf. */
char *vml_column_text(const struct vml_column *c, const struct vml_snapshot *s, enum vml_scope scope,
		      const struct vml_row *r, bool rate, char *buf, size_t n);

/*
 * Pointers to the rows of @scope that changed (all when @all), largest of @by
 * first (text and identity: smallest first; @invert: the other way), ties by
 * identity, at most @limit (0: no limit).  Array in the snapshot's arena.  (src/model/rank.c)  -ENOMEM
 */
int vml_rank(struct vml_snapshot *s, enum vml_scope scope, const struct vml_column *by, bool invert, bool all,
	     size_t limit, const struct vml_row ***ret_rows, size_t *ret_n);

#endif
