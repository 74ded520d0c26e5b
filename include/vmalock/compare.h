/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef VMALOCK_COMPARE_H
#define VMALOCK_COMPARE_H
/*
 * Was it better before?  Two samples, each the deltas of one recording or window,
 * and one verdict with the numbers behind it.
 *
 * Every measure is a ratio of two sums over a sample: fallbacks per fault, time
 * waited per fault, and so on.  A sample is cut into blocks of consecutive
 * intervals; how much the ratio varies from block to block says how well it is
 * known (delete-one-block jackknife of its logarithm), and the change from A to B
 * gets a confidence interval by Welch's t.  Blocks, not intervals, because what
 * happens in one second is not independent of the second before.
 *
 * Pure: no clock, no file.  src/model/compare.c, src/model/statistics.c
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct vml_snapshot;

/* ---- statistics (src/model/statistics.c) */

/*
 * The @p quantile (0 < p < 1) of Student's t with @df degrees of freedom (df > 0,
 * not whole in Welch's test).  Relative error below 1e-6.
 */
double vml_t_quantile(double p, double df);
/* P(T > t) of Student's t. */
double vml_t_upper(double t, double df);

struct vml_estimate {
	double value;
	double variance; /* of the value */
	double df; /* degrees of freedom of the variance */
};

/*
 * log(sum y / sum x) from @n blocks, n >= 2, all x > 0, with its jackknife variance.
 *
 * @unit is the least that y grows by (1 for counts of events, 0 for amounts).  Half
 * of it is added to the sum, so that a ratio of 0 has a logarithm, and the variance is
 * at least that of so many independent events, 1 / (sum y / unit + 1/2): blocks that
 * are equal by chance, as those without any event, prove no more.  With unit 0 and
 * sum y = 0 value is -INFINITY and variance 0.
 */
struct vml_estimate vml_log_ratio(const double *y, const double *x, size_t n, double unit);

struct vml_change {
	double by; /* b / a - 1: 0.2 is 20 % more; INFINITY when only a is 0 */
	double low, high; /* confidence interval of it */
	double p; /* of no change at all, two-sided */
};
/* From logarithms; @confidence as 0.99.  Welch's t with Satterthwaite's degrees of freedom. */
struct vml_change vml_log_change(const struct vml_estimate *a, const struct vml_estimate *b, double confidence);

/*
 * How likely two samples of one distribution differ in their ranks as @a and @b do, two-sided
 * (Mann and Whitney; normal approximation with the corrections for ties and continuity: from
 * some 8 values each).  1 when all are equal.
 */
double vml_rank_p(const double *a, size_t na, const double *b, size_t nb);

/* ---- samples */

/* The totals of one interval. */
struct vml_beat {
	uint64_t interval_ns;
	double total[64]; /* enum vml_metric */
};

/* What compare needs of the deltas of one recording; all 0 at first. */
struct vml_sample {
	struct vml_beat *beat;
	size_t n, room;
	uint64_t have; /* VML_METRIC_BIT()s of the totals that all deltas know */
	uint64_t interval_ns; /* sum: the time observed */
	uint64_t lost; /* events that were not counted */
	uint32_t cpus, page_size; /* of the first delta */
	char machine[32], backend[16], detail[16];
	bool mixed; /* deltas of different hosts, backends or details */
	bool inexact; /* some delta is not vml_snapshot_exact() */
};
/* Takes over the totals of @delta. -ENOMEM; -EINVAL when interval_ns is 0. */
int vml_sample_add(struct vml_sample *s, const struct vml_snapshot *delta);
void vml_sample_free(struct vml_sample *s);

/* ---- the comparison */

enum vml_verdict {
	VML_NO_CHANGE,
	VML_REGRESSION,
	VML_IMPROVEMENT,
	VML_INCONCLUSIVE, /* too much noise for either */
	VML_NOT_COMPARABLE, /* vml_comparison.why_not */
};
/* "no change", "regression", ... */
const char *vml_verdict_name(enum vml_verdict v);

/* Judged: all of these.  What a measure is made of: src/model/compare.c, one table. */
enum vml_measure {
	VML_FALLBACKS_PER_FAULT,
	VML_WAIT_PER_FAULT,
	VML_READ_HOLD_PER_FAULT,
	VML_WRITE_HOLD_PER_FAULT,
	VML_VMA_WRITE_WAIT_PER_FAULT,
	VML_NMEASURES,
};

struct vml_measure_info {
	const char *key; /* "fallbacks_per_fault" */
	const char *title; /* "fallbacks per fault" */
	bool time; /* ns per fault; else a share */
	const char *help; /* one sentence */
};
const struct vml_measure_info *vml_measure_info(enum vml_measure m);

struct vml_measured {
	bool known; /* in both samples; else nothing below is set */
	double a, b; /* the ratios; NAN without faults */
	double a_second, b_second; /* the numerator per second: events, or seconds per second */
	struct vml_change change;
	double rank_p; /* of blocks that do not differ by their ranks */
	/*
	 * regression, improvement, no change or inconclusive, by the rules below.
	 * No change, too, when the measure is of no weight in both samples; not
	 * comparable when the samples are not.
	 */
	enum vml_verdict verdict;
	bool weighty; /* over VML_COMPARE_LEAST_* in at least one */
};

/*
 * The rules.  A measure is worse when the whole confidence interval lies above
 * VML_COMPARE_MARGIN, better when it lies below -MARGIN/(1+MARGIN), and in both cases the
 * blocks as such differ by their ranks: a few of them that have most of the sum, as when a
 * holder is preempted for long, make no variance that one could trust.  It did not change
 * when the change that was measured is within the margin, and the true one may not be
 * more than VML_COMPARE_BLIND; else nothing can be said.
 *
 * MARGIN: two runs of one program differ by some per cent for reasons that are in
 * no sample (where it was loaded, what else the host did); 10 % is what teams that
 * watch such numbers act on, and docs/diff.md has how often equal loads differ by it.
 * BLIND: half as much again is a change that would be seen by its users.
 * CONFIDENCE: 95 % of each measure.  A change that is not there would have to be taken
 * for one of more than the margin, which is rarer by far; test_compare.c counts it.
 * LEAST: fewer fallbacks than one in a thousand faults, or less than a millisecond
 * a second, is no problem of anybody, whatever it was before.
 */
#define VML_COMPARE_MARGIN 0.10
#define VML_COMPARE_BLIND 0.50
#define VML_COMPARE_CONFIDENCE 0.95
#define VML_COMPARE_LEAST_SHARE 0.001
#define VML_COMPARE_LEAST_TIME 0.001
#define VML_COMPARE_BLOCKS 32 /* at most; consecutive intervals together */
#define VML_COMPARE_MIN_BLOCKS 8
#define VML_COMPARE_MIN_FAULTS 1000.0
#define VML_COMPARE_MAX_LOSS 0.01 /* of the faults */

#define VML_COMPARE_WHY 8
struct vml_comparison {
	enum vml_verdict verdict; /* the worst: any regression, else any improvement, else any that cannot be told */
	struct vml_measured measure[VML_NMEASURES];
	double a_seconds, b_seconds; /* observed */
	double a_faults_second, b_faults_second;
	size_t a_blocks, b_blocks;
	char why_not[VML_COMPARE_WHY][128]; /* one line each: what is not comparable */
	size_t nwhy;
};
void vml_compare(const struct vml_sample *a, const struct vml_sample *b, struct vml_comparison *ret);

/* ---- what moved (src/model/explain.c) */

/* What the amount behind a measure is split by. */
enum vml_mover {
	VML_BY_PROCESS, /* comm, cgroup: who fell back, who waited, who held */
	VML_BY_VMA, /* comm, cgroup, kind and name of the area */
	VML_BY_REASON, /* reason and certainty */
	VML_BY_HOLDER, /* comm, cgroup, what it was doing, how it held: who was waited for */
	VML_NMOVERS,
};
/* "process", "vma", "reason", "holder" */
const char *vml_mover_name(enum vml_mover by);

/*
 * All rows of one sample that have these names, whatever their pids, and what became
 * of them in the other.  Names that only one of the samples has are the same when they
 * differ in their numbers alone (a container's id, session-12.scope), and then have '*' in
 * place of these; a name that still has no other half stays as it is.  Strings are "" where
 * they say nothing, and live as long as the deltas.
 *
 * When one of the samples is redacted (vml_is_redacted()), areas have their kind only, holders
 * only what they did and how they held, and nothing is split by process.
 */
struct vml_moved {
	enum vml_measure measure;
	enum vml_mover by;
	const char *comm, *cgroup;
	const char *what; /* kind of the area, reason, or what the holder was doing */
	const char *name; /* name of the area, certainty of the reason, or the lock as held */
	double a, b; /* of each fault of the sample: as vml_measured */
	double share; /* of the change of the measure: 1 is all of it; below 0 it went the other way */
};

/*
 * What moved in the measures of @c that are a regression or an improvement, from @a
 * and @b, the deltas over the whole samples: by measure, then mover, then the largest
 * difference of a and b first, at most @limit (0: all) of each; what did not move is
 * left out.  A split that only one sample knows is left out.
 *
 * Processes and reasons add up to the measure, but for processes whose rows are gone.
 * Areas and holders are a part of it: areas know of the waits of faults; holders of
 * holds that somebody waited for.  Waits that no holder is charged with are those of
 * the holder without names, doing "handover".  The caller frees *ret. -ENOMEM
 */
int vml_explain(const struct vml_snapshot *a, const struct vml_snapshot *b, const struct vml_comparison *c,
		size_t limit, struct vml_moved **ret, size_t *ret_n);

#endif
