/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef VMALOCK_COLLECT_H
#define VMALOCK_COLLECT_H
/*
 * Inside src/collect: from maps to a snapshot.  Nothing here is seen outside.
 *
 *	caps.c     what the host offers           session.c  load, attach, detach
 *	maps.c     reading maps and the iterator  table.c    rows that only grow
 *	identity.c names from what BPF saw        host.c     the host, and ourselves
 *	live.c     the source: one pass            fill.c   tables to snapshot
 *
 * Why rows only grow: a pass reads the maps first and the threads afterwards,
 * and a thread that ends in between is in neither; so what is read is never
 * more than the truth, and a count that is lower than before means "not all of
 * it was seen this time".  table.c keeps the highest value, and what was missed
 * appears in a later pass.  After everything came to rest the counts are exact.
 */
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
 */
int caps_from_btf(struct vml_caps *c, const char *btf_path, char error[VML_ERROR_MAX]);
/* Trials that are only interesting to doctor: trampolines and kprobes. */
void caps_try_hooks(struct vml_caps *c);
void caps_from_vmstat(struct vml_caps *c);
/* Fills @error for a failed bpf(2): which privilege is missing, or what refuses. */
int caps_explain(int err, const char *what, char error[VML_ERROR_MAX]);

/* ---- session.c */

struct session {
	struct vmalock_bpf *skel;
	struct bpf_link *iter_link, *link[16];
	int iter_fd; /* of iter_link */
	struct vml_caps caps;
};

/* Loads, attaches what can be attached, enables counting. */
int session_open(struct session *s, const struct vml_live_options *o, char error[VML_ERROR_MAX]);
void session_close(struct session *s);
/* Recursion misses of each program: @each(name, count). */
int session_misses(const struct session *s, void (*each)(void *arg, const char *program, uint64_t n), void *arg);

/* ---- maps.c */

/* Calls @each for every entry of a hash map. -errno of the kernel, or what @each returned. */
int map_each(int fd, size_t key_size, size_t value_size, int (*each)(void *arg, const void *key, const void *value),
	     void *arg);
/* One pass of the task iterator; @hist NULL when unchanged. */
int tasks_each(int iter_fd,
	       int (*each)(void *arg, const struct vml_task_record *r, const __u32 (*hist)[VML_HIST_BUCKETS]),
	       void *arg);
/* Sum over CPUs of all counters. */
int counters_read(int fd, uint64_t sum[VML_NCOUNTERS]);
/* Memory of all maps of the session, in bytes; 0 when unknown. */
uint64_t maps_bytes(const struct session *s);

/* ---- table.c */

/* What rows are made of; metrics follow from these. */
enum base {
	BASE_HITS, /* user faults less fallbacks */
	BASE_FALLBACKS, /* of user faults */
	BASE_KERNEL,
	BASE_BYPASSES,
	BASE_LOCK_EVENTS,
	BASE_LOCK_FAILED,
	BASE_SUM_NS, /* VML_NLOCKSTATS of them */
	NBASE = BASE_SUM_NS + VML_NLOCKSTATS,
};

/* Cells: histogram buckets, then reasons; modulo 2^32 in BPF, extended here. */
#define CELL(lockstat, bucket) ((lockstat)*VML_HIST_BUCKETS + (bucket))
#define CELL_REASON(reason) (VML_NLOCKSTATS * VML_HIST_BUCKETS + (reason))
#define NCELLS CELL_REASON(VML_NREASONS)

/* One reading, dense. */
struct reading {
	uint64_t base[NBASE];
	uint64_t max_ns[VML_NLOCKSTATS];
	uint32_t cell[NCELLS];
};

struct cell {
	uint32_t index;
	uint32_t raw; /* highest reading, modulo 2^32 */
	uint64_t sum;
};

struct item {
	struct vml_id id; /* first: the order of the table */
	uint64_t base[NBASE];
	uint64_t max_ns[VML_NLOCKSTATS];
	struct cell *cell; /* sorted by index */
	uint32_t ncells;
	uint32_t seen; /* pass that saw it last */
	uint32_t changed; /* pass that changed it last */
	uint32_t uid, ns_pid, threads;
	uint32_t live; /* processes: threads with storage, as BPF counts them */
	uint32_t alive; /* processes: threads that this pass saw */
	uint32_t lost; /* processes: threads known to have ended unseen */
	uint64_t complete_ns; /* processes: when no thread was missing for the last time */
	bool gone; /* nothing will be added any more */
	bool reported; /* was shown as exited */
	char *comm, *cgroup; /* clean; NULL: not yet known */
	uint64_t cgroup_id;
	struct vml_area area; /* VMAs; the name belongs to the entry */
	char *name;
	uint64_t name_cookie;
	struct reading *reading; /* of this pass, not yet settled; NULL: none */
};

struct table {
	void *root; /* tsearch(3) */
	size_t n;
};

/* All that the live source keeps from pass to pass. */
struct tables {
	struct table processes, threads, vmas;
	struct item retired; /* sums of processes whose rows are gone */
	uint64_t exits_missed; /* threads that ended unseen */
	uint64_t map_bytes;
};

struct item *table_find(const struct table *t, const struct vml_id *id);
/* The entry, made when it is new. NULL: out of memory. */
struct item *table_get(struct table *t, const struct vml_id *id);
void table_remove(struct table *t, struct item *e);
void table_free(struct table *t);
/* In order of identity. @each must not add or remove. */
void table_walk(const struct table *t, void (*each)(struct item *e, void *arg), void *arg);
/* Raises @e to @r.  Cells only when @cells. -ENOMEM */
int item_raise(struct item *e, const struct reading *r, bool cells, uint32_t pass);
/* Adds the counts of @e, whose row goes, to @sum. -ENOMEM */
int item_retire(struct item *sum, const struct item *e);
/* Adds the newest raw cells of @e to @r: what its histograms are now. */
void item_add_cells(const struct item *e, struct reading *r);

void reading_add_counts(struct reading *r, const struct vml_counts *c);
void reading_add_record(struct reading *r, const struct vml_task_record *t);
void reading_add_hist(struct reading *r, const __u32 hist[VML_NLOCKSTATS][VML_HIST_BUCKETS]);
void reading_add_reasons(struct reading *r, const __u32 *reason);

/* ---- identity.c: hostile text becomes clean here */

/* Replaces *@dst by the clean form when it differs. -ENOMEM */
int identity_text(char **dst, const char *src, size_t len);
/* The path in map @fd under @key as text, "" when it is not there. NULL: out of memory. */
char *identity_path(int fd, const void *key);
/* Fills the entry of a VMA from its map value. -ENOMEM */
int identity_area(struct item *e, int files_fd, const struct vml_vma_value *v);

/* ---- fill.c */

/* Everything but the arena, which @s has. -ENOMEM, or what the kernel said. */
int snapshot_fill(struct vml_snapshot *s, const struct session *session, const struct tables *t);

/* ---- host.c */

int host_read(struct vml_arena *a, struct vml_host *h);
void self_read(struct vml_self *s);

/* ---- kallsyms.c */

/* [start, end) of a kernel function. -ENOENT, -EACCES when addresses are hidden. */
int kallsyms_range(const char *name, uint64_t *ret_start, uint64_t *ret_end);

#endif
