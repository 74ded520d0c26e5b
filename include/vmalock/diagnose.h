/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef VMALOCK_DIAGNOSE_H
#define VMALOCK_DIAGNOSE_H
/*
 * What is wrong here, by name: findings over a delta, from a table of rules
 * (src/model/diagnose_rules.c).  docs/diagnose.md lists them for people.
 *
 * A rule is judged for each process whose mmap_lock somebody waits for, or whose
 * faults fall back.  It says who the culprits are (rows of blockers), which
 * conditions must hold, which make it surer, and which speak against it.
 *
 *	high	all that must hold and all that supports it was seen, nothing against it
 *	medium	all that must hold; some support is missing, or something is against it
 *	low	the same, but of little weight (VML_DIAGNOSE_WEIGHT)
 *
 * A loss of more than VML_COMPARE_MAX_LOSS of the events makes a finding one level less
 * sure.
 *
 * Absent is never zero: a condition on what the source does not know is listed under
 * unknown when it would support, and when it must hold the rule is not judged and
 * says what it needs.
 *
 * Pure: no clock, no file.  src/model/diagnose.c
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct vml_snapshot;
struct vml_row;
struct vml_stack;

enum vml_level { VML_LEVEL_NONE, VML_LOW, VML_MEDIUM, VML_HIGH };
/* "low", ...; "none". */
const char *vml_level_name(enum vml_level level);
/* VML_LEVEL_NONE when it is the name of no level. */
enum vml_level vml_level_parse(const char *name);

/*
 * Blocked time in seconds a second.  LEAST: less is nobody's problem, and no finding
 * (= VML_COMPARE_LEAST_TIME).  WEIGHT: a tenth of what the alert fires at (0.5), as for
 * the starved owners of the verdict: below it nothing is more than low.  The time a finding
 * weighs is its share of the blame and of the handover in which the next owner had no CPU.
 */
#define VML_DIAGNOSE_LEAST 0.001
#define VML_DIAGNOSE_WEIGHT 0.05
/* The same of fallbacks, as a share of the faults: a tenth of what the alert fires at (20 %). */
#define VML_DIAGNOSE_WEIGHT_FAULTS 0.02

#define VML_FINDING_LINES 8
#define VML_FINDING_ROWS 3

struct vml_lines {
	const char *line[VML_FINDING_LINES];
	size_t n;
};

/* The one finding that is of no rule. */
#define VML_FINDING_HEALTHY "healthy"

struct vml_finding {
	const char *name; /* "foreign_reader"; stable: of a rule, or VML_FINDING_HEALTHY */
	const char *title; /* one line: what it is */
	enum vml_level level;
	bool negative; /* says what is not wrong: healthy, not these locks */
	const struct vml_row *process; /* whose lock or faults; NULL: the whole delta */
	uint64_t blocked_ns; /* waits that it explains; 0: it is not about waits */
	struct vml_lines evidence, against, unknown; /* one sentence each, clean text */
	const struct vml_row *row[VML_FINDING_ROWS]; /* blockers it blames, most blamed first */
	size_t nrows, culprits; /* culprits: all of them */
	const struct vml_row *area; /* VMA, when one stands out; NULL */
	const struct vml_stack *stack; /* of the culprits, the one with most blame; NULL */
	const char *todo; /* what to do */
	const char *change; /* what would change if done */
};

struct vml_unjudged {
	const char *name; /* of the rule */
	const char *needs; /* "delay accounting (sysctl kernel.task_delayacct=1)" */
};

struct vml_diagnosis {
	struct vml_finding *finding; /* worst first: surest, then most time blocked; negatives last */
	size_t n;
	struct vml_unjudged *unjudged; /* rules that this source cannot tell */
	size_t nunjudged;
	bool inconclusive; /* neither faults nor waits are known, or nothing happened: no verdict */
};

/*
 * Judges @delta (interval_ns != 0).  All of @ret lives in its arena.  -ENOMEM; -EINVAL
 * when it is no delta.
 */
int vml_diagnose(struct vml_snapshot *delta, struct vml_diagnosis *ret);

/* The table for documents and tests: rule @i in its order; false behind the last one. */
struct vml_rule_info {
	const char *name, *title, *todo, *change;
	char must[512], support[512], against[512]; /* the conditions in words, "; " between them; "" none */
	bool negative;
};
bool vml_rule_info(size_t i, struct vml_rule_info *ret);

#endif
