/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef VMALOCK_COLLECT_TABLE_H
#define VMALOCK_COLLECT_TABLE_H
/*
 * Inside src/collect: what is kept of processes, threads, VMAs and blockers from pass to pass.
 * A pass reads (struct reading), raises the items of a table to what it read (table.c), and
 * rows are made of these (rows.c).
 *
 * Why they only grow: a pass reads the maps first and the threads afterwards,
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
#include <sys/queue.h>

#include "vmalock/abi.h"
#include "vmalock/snapshot.h"

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
	BASE_TASK_FAULTS, /* vml_task_record.task_faults */
	/* the same as the first of all, of faults that were not seen (unseen.c) */
	BASE_UNSEEN,
	BASE_UNKNOWN = BASE_UNSEEN + BASE_BYPASSES + 1, /* such faults without an outcome */
	BASE_BORROWED, /* of BASE_UNSEEN: divided as the host's */
	BASE_SUM_NS, /* by enum vml_time */
	NBASE = BASE_SUM_NS + VML_NTIMES,
};

/* BASE_HITS .. BASE_BYPASSES: what becomes of a fault. */
#define NOUTCOMES (BASE_BYPASSES + 1)

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
	/* what each pass looks at, side by side: a table does not fit into any cache */
	struct vml_id id;
	uint32_t hash; /* of id (index.c) */
	uint32_t seen; /* pass that saw it last */
	uint32_t changed; /* pass that changed it last */
	uint32_t reported_in; /* the pass that did */
	bool gone; /* nothing will be added any more */
	bool reported; /* was shown as exited */
	bool evict; /* its row is to make room (memory.c) */
	struct table *table; /* that it is in; NULL: none */
	struct item *process; /* item_process() of the last time; NULL: not yet known */
	struct item *pending_of; /* threads: the VMA of @pending; NULL: there is none */
	uint32_t pending_in; /* VMAs: the pass of @pending */
	LIST_ENTRY(item) reads, changes; /* of its table */
	/* what it was in the last delta; NULL: the same; &item_new: there was none, or none was asked for */
	const struct item *before;
	/* this pass's, not yet settled; the cells of processes: [NCELLS] */
	struct reading *reading;
	uint32_t *reading_cell;
	uint32_t uid, ns_pid, threads, mappings;
	char *comm, *cgroup; /* clean; NULL: not yet known */
	uint64_t cgroup_id;
	struct cell *cell; /* sorted by index */
	uint32_t ncells;
	uint64_t base[NBASE];
	uint64_t max_ns[VML_NTIMES];
	struct vml_counts row; /* VMAs: as it was read last, without what is pending */
	struct vml_counts pending; /* threads: as it was read last; VMAs: of all threads that the pass saw */
	struct vml_area area; /* VMAs; the name belongs to the entry */
	char *name;
	uint64_t name_cookie;
	uint32_t orphaned; /* passes without a row of their process (VMAs), or of whose lock it is (blockers) */
	char *victim_cgroup; /* blockers: of the process that waited last from another address space */
	/* processes: threads (missed.c) */
	uint32_t ledgers; /* of its mmap_locks that this pass saw */
	uint32_t live; /* with storage, as BPF counts them */
	uint32_t alive; /* that this pass saw */
	uint32_t lost; /* whose end was not seen */
	struct unseen *unseen; /* unseen.c */
	uint32_t missing; /* fewest that were missing since missing_ns */
	uint64_t missing_ns; /* since when some are missing; 0: none is */
};
LIST_HEAD(items, item);

/* ---- index.c */

/* Items by identity; {} is empty. */
struct index {
	struct slot {
		struct item *item; /* NULL: free */
		uint32_t hash; /* its */
	} * slot;
	size_t n, room;
};
/* NULL: there is none. */
struct item *index_find(const struct index *x, const struct vml_id *id);
/* @e, of whose identity there is none. -ENOMEM */
int index_add(struct index *x, struct item *e);
/* @e, which is there. */
void index_remove(struct index *x, const struct item *e);
void index_free(struct index *x);

/* ---- table.c */

struct table {
	struct index index;
	struct items reads; /* those with a reading */
	struct items changes; /* those that are not what they were */
};

/* The entry, made when it is new, and its reading of this pass. NULL: out of memory. */
struct item *table_read(struct table *t, const struct vml_id *id, bool cells);
struct item *table_find(const struct table *t, const struct vml_id *id);
/* The entry, made when it is new. NULL: out of memory. */
struct item *table_get(struct table *t, const struct vml_id *id);
void table_remove(struct table *t, struct item *e);
void table_free(struct table *t);
/* In no order. @each must not add or remove. */
void table_walk(const struct table *t, void (*each)(struct item *e, void *arg), void *arg);
/*
 * In order of identity: those for which @which is true, NULL: all; or those that changed.  The caller
 * frees the array, which has *@ret_n of them. NULL: out of memory.
 */
struct item **table_sorted(const struct table *t, bool (*which)(struct item *e, void *arg), void *arg, size_t *ret_n);
struct item **table_changes(const struct table *t, size_t *ret_n);

/* ---- what it was (struct item, before) */

/* Has no counts. */
extern const struct item item_new;
/* Keeps the numbers of @e, which are about to change. -ENOMEM */
int item_remember(struct item *e);
/* What @e is now is in a delta. */
void item_forget(struct item *e);

/* Raises @e to @r. -ENOMEM */
int item_raise(struct item *e, const struct reading *r, uint32_t pass);
/* Raises the first @n cells of @e to @cell. -ENOMEM */
int item_raise_cells(struct item *e, const uint32_t *cell, uint32_t n, uint32_t pass);
/* Makes e->reading, and e->reading_cell when @cells, for this pass. -ENOMEM */
int item_read(struct item *e, bool cells);
/* Raises all items to their readings, which are over then. -ENOMEM: not all */
int table_settle(struct table *t, uint32_t pass);
/*
 * Once a pass: has @e, which is about @process, outlived it?  NULL: that has no row.  In
 * one pass it may only be younger than the pass's look at the processes.
 */
bool item_orphaned(struct item *e, const struct item *process);
/* Adds @n, which no reading has, to the cell of @e with @index. -ENOMEM */
int item_add_cell(struct item *e, uint32_t index, uint64_t n);
/* Adds the counts of @e, whose row goes, to @sum. -ENOMEM */
int item_retire(struct item *sum, const struct item *e);
/* Adds the newest raw cells of @e to @cell[NCELLS]: what its histograms are now. */
void item_add_cells(const struct item *e, uint32_t *cell);

/* ---- what a reading is made of (table.c) */

void reading_add_counts(struct reading *r, const struct vml_counts *c);
void reading_add_record(struct reading *r, const struct vml_task_record *t);
/* The same of a thread whose record is the same as before. */
void reading_add_thread(struct reading *r, const struct item *thread);
/* @first: what lock[0] is, an enum vml_time. */
void reading_add_times(struct reading *r, uint32_t first, const struct vml_lock_sum *lock, size_t n);
void cells_add_hists(uint32_t *cell, uint32_t first, const __u32 (*hist)[VML_HIST_BUCKETS], size_t n);
void cells_add_reasons(uint32_t *cell, const __u32 reason[VML_NCAUSES]);

struct vml_id id_of_process(const struct vml_proc_key *k);
struct vml_id id_of_vma(const struct vml_vma_key *k);

/* ---- all of them */

/* A thread that waits for long, or holds what others wait for. */
struct goes_on {
	struct vml_id id;
	char comm[16]; /* hostile text */
	struct vml_now now;
};

#define MAPS_MAX 40 /* BPF maps */

/* All that the live source keeps from pass to pass. */
struct tables {
	struct table processes, threads, vmas, blockers;
	uint32_t pass; /* 1 and up */
	struct goes_on *goes_on; /* this pass's */
	size_t ngoes_on, goes_on_room;
	uint64_t ledger_error_ns;
	struct item retired; /* sums of processes whose rows are gone */
	uint64_t exits_missed; /* threads whose end was not seen */
	uint64_t evicted; /* rows that made room */
	uint64_t perf_skipped; /* page-fault events that the program was not run for */
	struct vml_map map[MAPS_MAX];
	size_t nmap;
	struct sample_of_host *host; /* unseen.c */
	uint64_t held; /* unseen.c: sum of the processes */
	/* runs so far and what they cost, with what a run cost then */
	uint64_t hot_runs, lock_runs, faults;
	double hot_ns, lock_ns, full_ns;
};

/* The process of @e; NULL: there is none. */
struct item *item_process(const struct tables *t, struct item *e);

/* ---- rows.c */

/* The rows of @s, as they are after @pass. -ENOMEM */
int rows_fill(struct vml_snapshot *s, const struct tables *t, uint32_t pass);
/* Those of @d: what changed since rows_forget(), and all processes. -ENOMEM */
int rows_fill_delta(struct vml_snapshot *d, const struct tables *t, uint32_t pass);
/* What is gone was shown, in @pass. */
void rows_reported(const struct tables *t, uint32_t pass);
/* What there is now is what the next delta compares with. */
void rows_forget(struct tables *t);
/* Totals, reasons and histograms of @s, and the sums that they are made of. -ENOMEM */
int rows_sum(struct vml_snapshot *s, struct tables *t, uint64_t base[NBASE]);

#endif
