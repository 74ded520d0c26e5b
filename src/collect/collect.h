/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef VMALOCK_COLLECT_H
#define VMALOCK_COLLECT_H
/*
 * Inside src/collect: from maps to a snapshot.  Nothing here is seen outside.
 *
 *	caps.c     what the host offers           session.c  choose a backend, load, detach
 *	hooks.c    every program: what it shows, and attaching it
 *	maps.c     reading maps and the iterator  table.c    rows that only grow
 *	callsite.c where a kernel function calls    kallsyms.c addresses of functions
 *	linkinfo.c what kprobes skipped
 *	identity.c names from what BPF saw        host.c     the host, and ourselves
 *	live.c     the source: one pass            missed.c  threads whose end was not seen
 *	blame.c    ledgers, blockers, stalls       doing.c   what a holder does, in words
 *	stacks.c   stacks of holders
 *	fill.c     tables to snapshot                symbols*.c stacks as text (symbols.h)
 *
 * Why rows only grow: a pass reads the maps first and the threads afterwards,
 * and a thread that ends in between is in neither; so what is read is never
 * more than the truth, and a count that is lower than before means "not all of
 * it was seen this time".  table.c keeps the highest value, and what was missed
 * appears in a later pass.  After everything came to rest the counts are exact.
 */
#include <linux/bpf.h> /* struct bpf_spin_lock */
#include <linux/types.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include "vmalock/abi.h"
#include "vmalock/caps.h"
#include "vmalock/snapshot.h"
#include "vmalock/source.h"

struct vmalock_bpf;
struct bpf_link;
struct btf;

/* ---- caps.c */

/* The running kernel's types. */
#define CAPS_BTF_PATH "/sys/kernel/btf/vmlinux"

/* Texts of all capabilities, state unknown. */
void caps_init(struct vml_caps *c);
__attribute__((format(printf, 4, 5))) void caps_set(struct vml_caps *c, enum vml_cap_id id, enum vml_cap_state state,
						    const char *how, ...);
/*
 * What BTF alone tells.  @btf_path NULL: the running kernel's.  The errors of
 * vml_live_open(); -EOPNOTSUPP when a kernel without mmap_lock tracepoints.
 * @ret: the types, for btf__free(); NULL on error.
 */
int caps_from_btf(struct vml_caps *c, const char *btf_path, struct btf **ret, char error[VML_ERROR_MAX]);
bool caps_btf_function(const struct btf *btf, const char *name);
/* Before 6.15: write locks of VMAs are seen by the contention tracepoints. */
bool caps_vma_lock_is_rwsem(const struct btf *btf);
/*
 * What only a trial tells: trampolines, kprobes and whether strings of the
 * kernel may be read.  Each loads and attaches a program of its own, once.
 */
void caps_try_fentry(struct vml_caps *c);
/*
 * @ret_multi: only kprobe.multi can be attached (lockdown=confidentiality).  It is
 * the cheaper one, but the second choice: a 7.3 kernel of a small configuration
 * jumped to NULL when a function got its second kprobe.multi.
 */
void caps_try_kprobe(struct vml_caps *c, bool *ret_multi);
void caps_try_names(struct vml_caps *c);
void caps_from_vmstat(struct vml_caps *c);
/* Fills @error for a failed bpf(2): which privilege is missing, or what refuses. */
int caps_explain(int err, const char *what, char error[VML_ERROR_MAX]);

/* ---- session.c */

#define HOOKS_MAX 64

enum backend { BACKEND_TRACEPOINT, BACKEND_FENTRY, BACKEND_KPROBE, NBACKENDS };

struct session {
	struct btf *btf; /* while it is being opened */
	struct vmalock_bpf *skel;
	struct bpf_link *iter_link, *link[HOOKS_MAX];
	struct {
		struct bpf_link *link; /* owns fd */
		int fd;
	} * perf; /* one a CPU */
	size_t nperf;
	int64_t perf_before; /* events less runs when counting began */
	bool dropped[HOOKS_MAX]; /* programs that do not load here */
	enum backend backend;
	bool exact; /* the exact detail */
	bool multi; /* kprobes are kprobe.multi */
	bool fault_tracepoint; /* the kernel has page_fault_user */
	int iter_fd; /* of iter_link */
	struct vml_caps caps;
};

/* Chooses a backend, loads, attaches what can be attached, enables counting. */
int session_open(struct session *s, const struct vml_live_options *o, char error[VML_ERROR_MAX]);
void session_close(struct session *s);
/* What the faults are begun by when no tracepoint does it: the handler (fentry, kprobe). */
bool session_faults_by_handler(const struct session *s);
/*
 * Runs of each program that the kernel skipped: @each(name, count).  Not of those for
 * which it does not tell all of them.
 */
int session_misses(const struct session *s, void (*each)(void *arg, const char *program, uint64_t n), void *arg);

/* ---- hooks.c */

/* Tells libbpf which programs to load, and how kprobes attach. */
void hooks_choose(struct session *s);
/* The program called @name does not load: go on without it, and without what it shows. False: unknown. */
bool hooks_drop(struct session *s, const char *name, int err);
/* Attaches what was loaded. -EOPNOTSUPP when nothing is left of the backend. */
int hooks_attach(struct session *s);
void hooks_detach(struct session *s);
/*
 * Adds to @n what the kprobe of the program called @name skipped by itself; nothing for
 * programs without one.  False: it is not known.
 */
bool hooks_add_missed(const struct session *s, const char *name, uint64_t *n);
/* Software events so far less runs of the program on them: those that perf did not hand over. */
int64_t hooks_perf_skipped(const struct session *s);

/* ---- maps.c */

/* Calls @each for every entry of a hash map. -errno of the kernel, or what @each returned. */
int map_each(int fd, size_t key_size, size_t value_size, int (*each)(void *arg, const void *key, const void *value),
	     void *arg);
/* The same of a map whose values have a spin lock, each read under it. */
int map_each_locked(int fd, size_t key_size, size_t value_size,
		    int (*each)(void *arg, const void *key, const void *value), void *arg);
/* One pass of the task iterator; @hist NULL when unchanged. */
int tasks_each(int iter_fd,
	       int (*each)(void *arg, const struct vml_task_record *r, const __u32 (*hist)[VML_HIST_BUCKETS]),
	       void *arg);
/* Sum over CPUs of all counters / of the lookups of each caller. */
int counters_read(int fd, uint64_t sum[VML_NCOUNTERS]);
int lookups_read(int fd, struct vml_lookups sum[VML_NCALLERS]);
/* Memory of all maps of the session, in bytes; 0 when unknown. */
uint64_t maps_bytes(const struct session *s);

/* ---- table.c */

/* What rows are made of; metrics follow from these. */
enum base {
	BASE_HITS, /* user faults less the three below */
	BASE_FALLBACKS, /* of user faults: abort or retry, unknown which */
	BASE_ABORTS,
	BASE_RETRIES,
	BASE_BYPASSES,
	BASE_UNSERVED, /* kernel faults less bypasses */
	BASE_MISSES,
	BASE_LOCK_EVENTS,
	BASE_LOCK_FAILED,
	BASE_WRITE_READERS,
	/* of the mmap_lock of a process; of a blocker only the first two */
	BASE_BLAMED,
	BASE_AVOIDABLE,
	BASE_HANDOVER,
	BASE_RUNQUEUE, /* of it */
	/* blockers */
	BASE_FOREIGN,
	BASE_VICTIMS,
	BASE_HOLDS,
	BASE_HOLD_NS,
	BASE_ON_CPU,
	BASE_RUNNABLE,
	BASE_SLEEP,
	BASE_RECLAIM,
	BASE_IO,
	BASE_SWAP,
	BASE_SUM_NS, /* by enum vml_time */
	NBASE = BASE_SUM_NS + VML_NTIMES,
};

/*
 * Cells: reasons, then histogram buckets; modulo 2^32 in BPF, extended here.
 * Threads and VMAs have only the first NCELLS_LOCKS.
 */
#define CELL_REASON(cause) (cause)
#define CELL(time, bucket) (VML_NCAUSES + (time)*VML_HIST_BUCKETS + (bucket))
#define NCELLS_LOCKS CELL(VML_NLOCKSTATS, 0)
#define NCELLS CELL(VML_NTIMES, 0)

/* One reading; its cells are apart, as not all have as many. */
struct reading {
	uint64_t base[NBASE];
	uint64_t max_ns[VML_NTIMES];
};

struct cell {
	uint32_t index;
	uint32_t raw; /* highest reading, modulo 2^32 */
	uint64_t sum;
};

struct item {
	struct vml_id id; /* first: the order of the table */
	uint64_t base[NBASE];
	uint64_t max_ns[VML_NTIMES];
	struct cell *cell; /* sorted by index */
	uint32_t ncells;
	uint32_t seen; /* pass that saw it last */
	uint32_t changed; /* pass that changed it last */
	uint32_t uid, ns_pid, threads;
	bool gone; /* nothing will be added any more */
	bool reported; /* was shown as exited */
	char *comm, *cgroup; /* clean; NULL: not yet known */
	uint64_t cgroup_id;
	struct vml_area area; /* VMAs; the name belongs to the entry */
	char *name;
	uint64_t name_cookie;
	uint32_t orphaned; /* passes without a row of their process (VMAs), or of whose lock it is (blockers) */
	char *victim_cgroup; /* blockers: of the process that waited last from another address space */
	/* VMAs and processes: this pass's, not yet settled; the cells of processes: [NCELLS] */
	struct reading *reading;
	uint32_t *reading_cell;
	/* processes: threads (missed.c) */
	uint32_t ledgers; /* of its mmap_locks that this pass saw */
	uint32_t live; /* with storage, as BPF counts them */
	uint32_t alive; /* that this pass saw */
	uint32_t lost; /* whose end was not seen */
	uint32_t missing; /* fewest that were missing since missing_ns */
	uint64_t missing_ns; /* since when some are missing; 0: none is */
};

/* A thread that waits for long, or holds what others wait for. */
struct goes_on {
	struct vml_id id;
	char comm[16]; /* hostile text */
	struct vml_now now;
};

struct table {
	void *root; /* tsearch(3) */
	size_t n;
};

/* All that the live source keeps from pass to pass. */
struct tables {
	struct table processes, threads, vmas, blockers;
	struct goes_on *goes_on; /* this pass's */
	size_t ngoes_on, goes_on_room;
	uint64_t ledger_error_ns;
	struct item retired; /* sums of processes whose rows are gone */
	uint64_t exits_missed; /* threads whose end was not seen */
	uint64_t perf_skipped; /* page-fault events that the program was not run for */
	uint64_t map_bytes;
};

/* The entry, made when it is new, and its reading of this pass. NULL: out of memory. */
struct item *table_read(struct table *t, const struct vml_id *id, bool cells);
struct item *table_find(const struct table *t, const struct vml_id *id);
/* The entry, made when it is new. NULL: out of memory. */
struct item *table_get(struct table *t, const struct vml_id *id);
void table_remove(struct table *t, struct item *e);
void table_free(struct table *t);
/* In order of identity. @each must not add or remove. */
void table_walk(const struct table *t, void (*each)(struct item *e, void *arg), void *arg);

/* Raises @e to @r. */
void item_raise(struct item *e, const struct reading *r, uint32_t pass);
/* Raises the first @n cells of @e to @cell. -ENOMEM */
int item_raise_cells(struct item *e, const uint32_t *cell, uint32_t n, uint32_t pass);
/* Makes e->reading, and e->reading_cell when @cells, for this pass. -ENOMEM */
int item_read(struct item *e, bool cells);
/* Raises @e to its reading, which is over then. -ENOMEM */
int item_settle(struct item *e, uint32_t pass);
/* Adds the counts of @e, whose row goes, to @sum. -ENOMEM */
int item_retire(struct item *sum, const struct item *e);
/* Adds the newest raw cells of @e to @cell[NCELLS]: what its histograms are now. */
void item_add_cells(const struct item *e, uint32_t *cell);

void reading_add_counts(struct reading *r, const struct vml_counts *c);
void reading_add_record(struct reading *r, const struct vml_task_record *t);
/* @first: what lock[0] is, an enum vml_time. */
void reading_add_times(struct reading *r, uint32_t first, const struct vml_lock_sum *lock, size_t n);
void cells_add_hists(uint32_t *cell, uint32_t first, const __u32 (*hist)[VML_HIST_BUCKETS], size_t n);
void cells_add_reasons(uint32_t *cell, const __u32 reason[VML_NCAUSES]);

struct vml_id id_of_process(const struct vml_proc_key *k);
struct vml_id id_of_vma(const struct vml_vma_key *k);

/* ---- blame.c */

/* Rows of blockers, from their map. */
int blame_read_blockers(struct tables *t, const struct session *s, uint32_t pass);
/* What goes on for a thread: its hold so far is its row's, its wait may be a stall. */
int blame_read_thread(struct tables *t, const struct vml_task_record *r);
/* What the ledgers say, to their processes; after these were read. */
int blame_read_ledgers(struct tables *t, const struct session *s);
/* Stalls of this pass. -ENOMEM */
int blame_fill_stalls(struct vml_snapshot *s, const struct tables *t);
/* "mmap_read", "mmap_write", "vma_read" */
const char *blame_lock(const struct vml_id *blocker);

/* ---- stacks.c */

struct stacks;

int stacks_open(struct stacks **ret);
void stacks_close(struct stacks *s);
/* After the threads of a pass, and those that ended. */
int stacks_read(struct stacks *s, const struct session *session, const struct tables *t);
/* Fills snap->stack, with names. -ENOMEM */
int stacks_fill(struct vml_snapshot *snap, struct stacks *s, const struct session *session);

/* ---- doing.c */

/*
 * What a holder does, from the VML_DOING() of @id; @comm is its clean name.  The
 * set is small: threads of the kernel come by family.  Returns @buf.
 */
#define DOING_MAX 64
char *doing_text(const struct vml_id *id, const char *comm, char buf[DOING_MAX]);

/* ---- missed.c */

/* A thread that is neither alive nor freed for so long was freed unseen. */
#define LOST_NS 5000000000ULL

/* After a pass: how many threads of process @p are newly known to have ended unseen; p->lost has all of them. */
uint32_t missed_exits(struct item *p, uint64_t now);

/* ---- identity.c: hostile text becomes clean here */

/* Replaces *@dst by the clean form when it differs. -ENOMEM */
int identity_text(char **dst, const char *src, size_t len);
/* The name of a task, clean, in @a; NULL: out of memory. */
const char *identity_comm(struct vml_arena *a, const char comm[16]);
/* The path in map @fd under @key as text, "" when it is not there. NULL: out of memory. */
char *identity_path(int fd, const void *key);
/* Fills the entry of a VMA from its map value. -ENOMEM */
int identity_area(struct item *e, int files_fd, const struct vml_vma_value *v);

/* ---- fill.c */

/* Everything but the arena, which @s has. -ENOMEM, or what the kernel said. */
int snapshot_fill(struct vml_snapshot *s, const struct session *session, const struct tables *t);

/* ---- host.c */

/* Delay accounting is on: the kernel keeps times of reclaim, block IO and swap. */
bool host_delay_accounting(void);

int host_read(struct vml_arena *a, struct vml_host *h);
void self_read(struct vml_self *s);

/* ---- callsite.c */

/*
 * Offset in @function of its only call of @callee.  -ENOENT: there is none, or more
 * than one; or why kallsyms or the text of the kernel cannot be read.
 */
int callsite_find(const char *function, const char *callee, uint64_t *ret_offset);

/* ---- linkinfo.c */

/* Runs that the kprobe behind @link skipped. -EOPNOTSUPP: not a kprobe, or Linux before 6.7. */
int link_missed(const struct bpf_link *link, uint64_t *ret);

/* ---- kallsyms.c */

/* [start, end) of a kernel function. -ENOENT, -EACCES when addresses are hidden. */
int kallsyms_range(const char *name, uint64_t *ret_start, uint64_t *ret_end);
/* Address of a variable. -ENOENT also without CONFIG_KALLSYMS_ALL; -EACCES. */
int kallsyms_data(const char *name, uint64_t *ret);

#endif
