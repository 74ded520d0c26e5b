/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef EXPORT_METRIC_H
#define EXPORT_METRIC_H
/*
 * Inside src/export: what is exported, said once.  The table of metrics drives
 * text, protobuf and docs/metrics.md; the label sets are what a row may count.
 */
#include <stdbool.h>
#include <stdint.h>

enum metric_type { COUNTER, GAUGE, HISTOGRAM, SUMMARY, METRIC_TYPES };
extern const char *const metric_type_names[METRIC_TYPES]; /* "counter" */

enum metric_id {
	FAULTS,
	FALLBACKS,
	ABORTS,
	RETRIES,
	MISSES,
	LOOKUPS,
	LOCK_WAIT,
	LOCK_HOLD,
	FAULT_DURATION,
	BLAMED,
	UNATTRIBUTED,
	AVOIDABLE,
	CROSS_CGROUP,
	HOLDER_STATE,
	STALLED,
	LONGEST_WAIT,
	MAPPINGS,
	MAPPINGS_LIMIT,
	KERNEL_SUCCESS,
	KERNEL_ABORT,
	KERNEL_RETRY,
	KERNEL_MISS,
	CGROUP_INFO,
	BUILD_INFO,
	BACKEND_INFO,
	CAPABILITY,
	UP,
	SNAPSHOT_TIME,
	SNAPSHOT_DURATION,
	LOST,
	LEDGER_ERROR,
	BPF_RUNS,
	BPF_SECONDS,
	OVERHEAD,
	OVERHEAD_LIMIT,
	DUTY,
	MAP_BYTES,
	MAP_LIMIT,
	EVICTED,
	FOREIGN,
	SERIES,
	SERIES_LIMIT,
	FOLDED,
	HISTORY_SIZE,
	HISTORY_OLDEST,
	HISTORY_LOST,
	WEB_CONFIG_OK,
	WEB_REQUESTS,
	WEB_REJECTED,
	CPU_SECONDS,
	RESIDENT,
	VIRTUAL,
	FDS,
	MAX_FDS,
	START_TIME,
	NMETRICS,
};

#define METRIC_LABELS 7

struct metric {
	const char *name;
	enum metric_type type;
	const char *unit; /* "1", "s", "bytes", "ratio" */
	const char *label[METRIC_LABELS]; /* ended by NULL when there are less */
	const char *help;
	bool rows; /* by row: has the label comm, too, when asked for */
	/* of the daemon: 1 + enum vml_daemon_value or vml_daemon_list; 0: not of it */
	int value, list;
};
extern const struct metric metrics[NMETRICS];

/* Series of one label set, as the text has them. */
unsigned int metric_series(enum metric_id m);

/* ---- what a row may count: each is a series of its own */

#define SET_MODES 2 /* user, kernel */
enum { PATH_VMA, PATH_MMAP, PATH_NONE, PATH_UNKNOWN, SET_PATHS };
#define SET_CAUSES 32 /* VML_REASON_INDEX() */
#define SET_LOCKS 3
#define SET_CONTEXTS 32

enum {
	SET_FAULTS,
	SET_FALLBACKS = SET_FAULTS + SET_MODES * SET_PATHS,
	SET_ABORTS = SET_FALLBACKS + SET_CAUSES,
	SET_RETRIES,
	SET_WAIT,
	SET_BLAMED = SET_WAIT + SET_LOCKS,
	SET_AVOIDABLE = SET_BLAMED + SET_CONTEXTS,
	SET_CROSS = SET_AVOIDABLE + SET_CONTEXTS,
	NSETS,
};

/* All that one row may have: its sets, the histograms of waits, its mappings and cgroup_info. */
#define ROW_SERIES_MAX (NSETS + SET_LOCKS * 15 + 2)

/* The metric of a set, and its labels after cgroup. */
enum metric_id set_metric(unsigned int set, const char *ret_value[2]);
static inline bool set_is_hist(unsigned int set)
{
	return set >= SET_WAIT && set < SET_WAIT + SET_LOCKS;
}
/* Unit of a count in it: ns, or 1. */
bool set_is_time(unsigned int set);
/* The number of what a holder does: one of SET_CONTEXTS, the last for all others. */
unsigned int set_context(const char *context);

extern const char *const lock_names[SET_LOCKS];
extern const char *const mode_names[2]; /* of locks */

/* ---- classic buckets: bounds 2^-20, 2^-18 .. 2^4 s */

#define CLASSIC_BOUNDS 13
/* The last bucket of hist.h that is below or at the bound. */
#define CLASSIC_BUCKET(i) (96 - 80 + 8 * (i))
#define CLASSIC_EXPONENT(i) (-20 + 2 * (i))

#endif
