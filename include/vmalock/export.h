/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef VMALOCK_EXPORT_H
#define VMALOCK_EXPORT_H
/*
 * Metrics for Prometheus, as a sink: takes deltas, interval after interval, and
 * writes what they come to.  No HTTP, no clock, no files: time comes from the
 * deltas (boot_ns), and what only the daemon knows from struct vml_daemon.
 *
 * Three rules hold for every counter of cgroups, whatever their number:
 *
 * - Each increment is in exactly one series, for ever.  The sum over the series
 *   of a name grows as the host does.
 * - No series falls while it exists.
 * - A series appears with 0.  What it counts meanwhile is held back until every
 *   scraper has seen the 0 (at most VML_EXPORT_HOLD_NS), so that increase()
 *   misses nothing.  Before the first scrape there is nothing to wait for.
 *
 * Counters without a cgroup are there from the first delta on.
 *
 * A row is a cgroup (with --web.labels=cgroup,comm: a cgroup and a comm).  The
 * rows with most blocked time in the last ten minutes (waited, and charged to
 * it) have series of their own, as many as the budget has room for.  All others
 * are counted in cgroup="other".  A row that gets series begins with 0 and takes
 * later increments only; it keeps them for ten minutes at least, and until five
 * minutes after its cgroup died.  One that loses them sends its later increments
 * to "other", and goes when every scraper has seen the last of its own.
 *
 * The budget counts series as the text has them: 16 for a histogram, the native
 * ones included.
 *
 * One writer (vml_export_add, vml_export_daemon) and any number of readers
 * (vml_export_write) may run at once; a lock is held while a reader copies into
 * memory, never while anybody reads or writes a file.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

struct vml_snapshot;
struct vml_export;

#define VML_EXPORT_BUDGET 2000
/* Below it there might be no room for what is always exported. */
#define VML_EXPORT_BUDGET_MIN 800
#define VML_EXPORT_CHURN 500
#define VML_EXPORT_HOLD_NS 120000000000ULL

struct vml_export_options {
	uint32_t series_budget; /* series in an exposition, at most; 0: VML_EXPORT_BUDGET */
	uint32_t series_churn; /* new label sets of cgroups an hour, a histogram is one; 0: VML_EXPORT_CHURN */
	bool comm; /* also by comm of the process, in which digits are '#' */
};

/* -ENOMEM; -EINVAL when the budget is below VML_EXPORT_BUDGET_MIN */
int vml_export_new(const struct vml_export_options *o, struct vml_export **ret);
/* NULL is fine. */
void vml_export_free(struct vml_export *e);

/*
 * Adds a delta of the whole host (not narrowed by vml_select()); each interval
 * once, in order.  Takes nothing of it; may use its arena.  What a delta does not
 * know (have, caps) gives no series.
 * -ENOMEM: some of the delta is missing from the counters for good (the caller
 * says so in a loss of its own); -EINVAL: no delta, or narrowed.
 */
int vml_export_add(struct vml_export *e, struct vml_snapshot *delta);

/* ---- what only the daemon knows */

/* One number each.  Counters are since the start of the daemon, and never fall. */
enum vml_daemon_value {
	VML_DAEMON_UP, /* 1: the last snapshot succeeded; 0: it failed */
	VML_DAEMON_SNAPSHOT_TIME, /* of the last one that did: seconds since 1970, with a fraction */
	VML_DAEMON_SNAPSHOT_SECONDS, /* time all snapshots took, in sum */
	VML_DAEMON_SNAPSHOTS, /* how many they were */
	VML_DAEMON_BPF_SECONDS, /* CPU time taken by BPF programs: runs times calibrated cost */
	VML_DAEMON_OVERHEAD, /* ratio, 0.01 is 1 %: programs and daemon, over the last minute */
	VML_DAEMON_OVERHEAD_LIMIT, /* --max-overhead, as a ratio */
	VML_DAEMON_DUTY, /* share of time the hooks on every fault are attached, 0 to 1 */
	VML_DAEMON_MAP_LIMIT, /* --memory, bytes */
	VML_DAEMON_EVICTED, /* rows that made room within it */
	VML_DAEMON_HISTORY_SIZE, /* bytes on disk */
	VML_DAEMON_HISTORY_OLDEST, /* seconds since 1970 of the oldest interval */
	VML_DAEMON_WEB_CONFIG_OK, /* 1: the web configuration in force is the one on disk */
	VML_DAEMON_CPU_SECONDS, /* of this process: user and system */
	VML_DAEMON_RESIDENT, /* bytes */
	VML_DAEMON_VIRTUAL, /* bytes */
	VML_DAEMON_FDS,
	VML_DAEMON_MAX_FDS,
	VML_DAEMON_START_TIME, /* seconds since 1970 */
	VML_DAEMON_NVALUES,
};

/* Numbers by label. */
enum vml_daemon_list {
	VML_DAEMON_BPF_RUNS, /* counter, by program */
	VML_DAEMON_MAP_BYTES, /* gauge, by map */
	VML_DAEMON_LOST, /* counter, by cause: losses of the daemon itself, beside those of the deltas */
	VML_DAEMON_HISTORY_LOST, /* counter, by cause: intervals that are not in the history */
	VML_DAEMON_WEB_REQUESTS, /* counter, by handler and code ("metrics", "200") */
	VML_DAEMON_WEB_REJECTED, /* counter, by cause */
	VML_DAEMON_NLISTS,
};

/* At most VML_DAEMON_ITEMS a list; what is more is added up as "other". */
#define VML_DAEMON_ITEMS 48
struct vml_daemon_item {
	const char *label[2]; /* the second: code; else NULL */
	double value;
};

/*
 * Set by vml_daemon_init() to all unknown: NAN, no items, NULL.  What is unknown
 * gives no series.  Items with the same labels are added up.
 */
struct vml_daemon {
	double value[VML_DAEMON_NVALUES];
	struct {
		const struct vml_daemon_item *item;
		size_t n;
	} list[VML_DAEMON_NLISTS];
	const char *version, *revision, *libbpf; /* of build_info; it is exported when version is known */
};

void vml_daemon_init(struct vml_daemon *d);
/* Keeps a copy in place of the one before.  -ENOMEM: the one before stays. */
int vml_export_daemon(struct vml_export *e, const struct vml_daemon *d);

/* ---- expositions */

enum vml_export_format {
	VML_EXPORT_TEXT, /* text 0.0.4; histograms with 13 bounds from 2^-20 to 16 s, and +Inf */
	VML_EXPORT_PROTOBUF, /* delimited MetricFamily; histograms native (schema 2) and with the same 13 bounds */
};

/*
 * What to answer to the header Accept (NULL: none was sent): protobuf when it is
 * asked for with a higher q than text/plain, delimited and of
 * io.prometheus.client.MetricFamily; text in all other cases, as exporters do.
 */
enum vml_export_format vml_export_negotiate(const char *accept);
/* For the header Content-Type. */
const char *vml_export_content_type(enum vml_export_format f);

/*
 * The exposition of now; the caller frees *ret.  @scraper tells those who scrape
 * apart, as a hash of the peer's address without port does; 0: nobody who comes
 * back.  Who came twice is waited for until two of its intervals have passed.
 * -ENOMEM
 */
int vml_export_write(struct vml_export *e, enum vml_export_format f, uint64_t scraper, char **ret, size_t *ret_n);

/* The table of all metrics as Markdown: docs/metrics.md.  -EIO */
int vml_export_doc_write(FILE *out);

#endif
