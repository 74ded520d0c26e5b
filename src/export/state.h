/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef EXPORT_STATE_H
#define EXPORT_STATE_H
/*
 * Inside src/export: what deltas came to.
 *
 *	add.c     a delta to counts           rows.c    rows, and the paths that lead to them
 *	count.c   series of rows              budget.c  which rows have series
 *	host.c    what has no cgroup          daemon.c  what only the daemon knows
 *	scraper.c who reads, and what they saw export.c  start and end, and an exposition for who asks
 *	gather.c  an exposition (gather.h)     text.c, protobuf.c  how it is written
 *	metric.c  the table (metric.h)         doc.c     that table for docs/metrics.md
 *	negotiate.c which of the two a scraper takes
 *
 * A delta goes over the rows twice: first it says which rows are alive, how long
 * they were blocked and what they would count; then it is decided which of them
 * have series; then they count.
 */
#include <linux/types.h>
#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "export/metric.h"
#include "vmalock/caps.h"
#include "vmalock/cgroup.h"
#include "vmalock/export.h"
#include "vmalock/hist.h"
#include "vmalock/snapshot.h"

struct dense {
	uint64_t sum_ns;
	uint64_t bucket[VML_HIST_BUCKETS];
};

void dense_add(struct dense *d, const struct vml_hist *h);

/* ---- series of a row (count.c) */

struct series {
	uint8_t set;
	bool held; /* shown with 0, counts into pending */
	uint64_t since_gen, since_ns; /* when it was made */
	uint64_t value, pending;
	struct dense *hist, *hist_pending; /* of histograms; pending only while held */
};

enum row_state {
	ROW_FOLDED, /* no series: counts in "other" */
	ROW_SHOWN,
	ROW_LEAVING, /* has series still, counts in "other" */
};

#define WINDOW_MINUTES 10
#define STAY_NS (10 * 60 * 1000000000ULL) /* after it got series */
#define DEAD_NS (5 * 60 * 1000000000ULL) /* after its cgroup died */
#define SET_WORDS ((NSETS + 63) / 64)

struct row {
	uint64_t hash;
	const char *cgroup, *comm; /* labels; comm "" without that label */
	const char *path, *kind, *unit, *pod_uid, *container_id, *runtime; /* of cgroup_info */
	enum row_state state;
	uint64_t state_ns, state_gen; /* since when */
	uint64_t alive_ns; /* when a process was seen in it last */
	uint64_t alive_gen;
	uint32_t paths; /* that lead here */
	uint32_t mappings; /* of this delta's processes, the most; 0: unknown */
	/* of the last ten minutes, by minute */
	uint64_t minute;
	uint64_t blocked[WINDOW_MINUTES], faults[WINDOW_MINUTES];
	uint64_t score, score_faults; /* their sums */
	uint64_t active[SET_WORDS]; /* sets it has counted in, ever */
	uint8_t *at; /* of NSETS: 1 + index in series; NULL: folded */
	struct series *series;
	uint32_t nseries;
};

struct path {
	uint64_t hash;
	const char *path, *comm;
	struct row *row;
	uint64_t gen; /* when it was seen last */
};

/* ---- who reads */

#define SCRAPERS 16
struct scraper {
	uint64_t id; /* 0: free */
	uint64_t gen, ns; /* of what it has seen last */
	uint64_t interval_ns; /* between its last two visits; 0: it came once */
};

/* ---- what has no cgroup */

#define LOSSES 96
#define LOOKUP_CALLERS 16
enum { LOOKUP_HIT, LOOKUP_ABORT, LOOKUP_MISS, LOOKUP_RESULTS };
enum { OUTCOME_HIT, OUTCOME_RETRY, OUTCOME_FALLBACK, OUTCOMES };
enum { STATE_ON_CPU, STATE_RUNNABLE, STATE_SLEEPING, HOLDER_STATES };
enum { KNOWN_SUCCESS, KNOWN_ABORT, KNOWN_RETRY, KNOWN_MISS, KERNEL_COUNTS };

struct host {
	bool any; /* a delta was added */
	uint64_t have[VML_NSCOPES];
	struct dense hold[2], serve[OUTCOMES];
	uint64_t misses, unattributed_ns, foreign;
	uint64_t state_ns[2][HOLDER_STATES];
	bool lookups_known;
	uint64_t lookup[LOOKUP_CALLERS][LOOKUP_RESULTS];
	bool kernel_known;
	uint64_t kernel[KERNEL_COUNTS];
	bool from_bpf;
	uint64_t ledger_error_ns;
	bool blame_known;
	uint32_t stalled[2];
	uint64_t longest_ns[2];
	uint32_t max_mappings;
	bool caps_known;
	struct {
		char name[32];
		enum vml_cap_state state;
	} cap[VML_NCAPS];
	char backend[16], detail[16], kernel_release[128];
	struct {
		char cause[64];
		uint64_t count;
	} loss[LOSSES];
	size_t nloss;
};

void host_add(struct host *h, const struct vml_snapshot *delta);

/* ---- all of it */

struct vml_export {
	pthread_mutex_t lock;
	struct vml_export_options options;
	uint64_t gen; /* deltas that were added */
	uint64_t now_ns; /* boot_ns of the last */
	void *by_path, *by_label; /* trees of struct path, struct row */
	struct path **paths;
	struct row **rows; /* without other */
	size_t npaths, nrows, paths_room, rows_room;
	struct row other;
	double tokens; /* new label sets that may be made */
	int64_t room; /* series that rows may still get */
	uint64_t fixed; /* series that are not of rows */
	uint32_t folded;
	struct scraper scraper[SCRAPERS];
	struct host host;
	struct vml_arena *daemon_arena;
	struct vml_daemon daemon;
};

/* ---- rows.c */

/* The row of a cgroup's path, and of a comm (any, without that label); NULL: out of memory. */
struct row *row_of(struct vml_export *e, const char *path, const char *comm);
/* Another minute: what is older than ten goes. */
void row_turn(struct row *r, uint64_t minute);
/* Forgets paths that the last delta did not name, and rows without any that have no series. */
void rows_sweep(struct vml_export *e);
void rows_free(struct vml_export *e);

/* ---- count.c */

/* Series that all of the row's label sets take, with its mappings and cgroup_info. */
unsigned int row_series(const struct row *r);
/* The same for what a folded row would have, and how many label sets it would be. */
unsigned int row_wants(const struct row *r, unsigned int *ret_sets);
/* Gives the row a series for all that it has counted in. -ENOMEM */
int row_show(struct vml_export *e, struct row *r);
/* Takes its series away; what they held back goes to other.  -ENOMEM: that is lost */
int row_leave(struct vml_export *e, struct row *r);
void row_drop_series(struct row *r);
/* Ends the holding back of what every scraper has seen. */
void row_release(struct vml_export *e, struct row *r);
/* Adds to the row's series, or to other's when it has none and gets none.  0 makes no series.  -ENOMEM */
int row_count(struct vml_export *e, struct row *r, unsigned int set, uint64_t n);
int row_count_hist(struct vml_export *e, struct row *r, unsigned int set, const struct vml_hist *h);

/* ---- budget.c: time passes, rows go, rows come */

void budget_before(struct vml_export *e, uint64_t elapsed_ns);
int budget_decide(struct vml_export *e);
/* The limit holds whatever changed: rows go at once.  -ENOMEM as row_leave() */
int budget_enforce(struct vml_export *e);

/* ---- scraper.c */

void scraper_came(struct vml_export *e, uint64_t id);
/* All who come back have seen what was there after delta @gen, or were waited for long enough. */
bool scrapers_saw(const struct vml_export *e, uint64_t gen, uint64_t since_ns);
/* There is somebody to wait for. */
bool scrapers_any(const struct vml_export *e);

#endif
