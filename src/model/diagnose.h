/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef VMALOCK_MODEL_DIAGNOSE_H
#define VMALOCK_MODEL_DIAGNOSE_H
/*
 * Private to src/model: what the table of rules is made of.
 *
 * diagnose_rules.c has the rules, diagnose_measures.c the numbers their conditions
 * are about, diagnose.c judges.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "vmalock/diagnose.h"
#include "vmalock/snapshot.h"

/* ---- who can be a culprit: rows of blockers */

/*
 * CHANGE: who changes mappings.  munmap and its like downgrade to read before they free what was
 * mapped (mm/vma.c, vms_complete_munmap_vmas), so their read holds belong to it and are no READ.
 */
enum culprit_mode { MODE_ANY, MODE_READ, MODE_CHANGE };
enum culprit_origin { FROM_ANY, FROM_OWN, FROM_FOREIGN }; /* threads of the process itself, or not */

struct culprits {
	bool long_holds; /* only threads whose hold lasted over LONG_HOLD_NS on average, or goes on */
	enum culprit_mode mode;
	enum culprit_origin origin;
	const char *const *context; /* any of these, to NULL; NULL: any */
	const char *const *function; /* or a kernel stack with one of these, or any that goes on like it; NULL: none */
};

/* 1 ms: from here on the stack of a holder is kept, and 700 page faults of 1.45 us could have been served. */
#define LONG_HOLD_NS 1000000ULL

/* ---- conditions */

/*
 * Numbers of a process, of its culprits, or of the whole delta.  What is not known is
 * NAN.  Shares are of 1, times in ns, rates a second.
 */
enum measure {
	M_BLOCKED, /* time charged to the culprits, ns a second */
	M_COST, /* their share of the blame and of the handover without a CPU, ns a second */
	M_SHARE, /* of what all holders of that lock are charged with */
	M_HOLD_MEAN, /* of the culprits' holds that ended */
	M_HOLD_LONGEST, /* also of one that goes on */
	M_RUNNABLE, /* parts of the holds: waiting for a CPU */
	M_SLEEP,
	M_RECLAIM,
	M_DISK, /* block devices and swap */
	M_FOREIGN_WAITS, /* of the blame: waits of other processes */
	M_STACK, /* of the blame with stacks: those with a function of the rule */
	M_READERS, /* of the time the process's threads wait: to read */
	M_WRITTEN, /* of the interval: mmap_lock held for writing by the process's threads */
	M_NEW_THREADS, /* threads that began in the interval, a second */
	M_WRITES_PER_THREAD, /* write holds for each of them */
	M_WAIT, /* for the lock of the process, ns a second */
	M_HANDOVER, /* of that: nobody held it */
	M_NO_CPU, /* of the handover: the next owner waited for a CPU */
	M_REASON, /* fallbacks for the reasons of the rule, of the faults */
	M_REASON_RATE, /* the same, a second */
	M_REASON_COUNT,
	M_REASON_SHARE, /* of the fallbacks */
	M_AREA, /* of these fallbacks: in the VMA that has most of them */
	M_AREA_WAIT, /* what faults waited there, ns a second */
	M_SERVE, /* time of faults, ns a second */
	M_SERVE_WAIT, /* of it: waiting for mmap_lock */
	M_MAPPINGS, /* of the limit of mappings */
	M_NMEASURES,
};

enum role { MUST = 1, SUPPORT, AGAINST };

struct condition {
	enum role role; /* 0 ends a list */
	enum measure measure;
	bool below; /* < limit, instead of >= */
	double limit;
};

#define RULE_CONDITIONS 9

enum rule_class {
	RULE_WHAT, /* what the holder does; a row of blockers is explained by the first of these only */
	RULE_STATE, /* why it takes so long; beside the first kind */
	RULE_FAULTS, /* why faults fall back */
	RULE_OTHER,
};

struct rule {
	const char *name, *title, *todo, *change;
	enum rule_class class;
	bool negative;
	enum vml_level most; /* never surer than this; 0: no bound */
	const char *unless; /* a finding about the same process that explains it; NULL */
	struct culprits who; /* RULE_WHAT, RULE_STATE */
	uint32_t reasons; /* RULE_FAULTS: bits, by number of vml_reason_name() */
	struct condition condition[RULE_CONDITIONS + 1];
};

/* Ended by name NULL. */
extern const struct rule diagnose_rules[];

/* ---- what is measured */

struct facts {
	const struct vml_snapshot *delta;
	const struct rule *rule;
	const struct vml_row *process;
	/* sums over the culprits */
	struct vml_row sum;
	uint64_t longest_ns, stack_blamed_ns, stack_matched_ns;
	size_t culprits;
	const struct vml_row *row[VML_FINDING_ROWS];
	const struct vml_stack *stack;
	/* fallbacks of the process for the rule's reasons */
	uint64_t reason_count, area_count;
	const struct vml_row *area;
};

double measure_value(const struct facts *f, enum measure m);
/* "61 % of the hold time the holder waited for a CPU (from 50 %)": and the limit of @c. Returns @buf. */
char *measure_text(enum measure m, double value, const struct condition *c, char *buf, size_t n);
/* What a source must have for it: "delay accounting (...)". */
const char *measure_needs(enum measure m);
/* "part of the holds waiting for a CPU from 50 %" */
char *condition_text(const struct condition *c, char *buf, size_t n);

/* True when @r (a blocker of @process) can be a culprit of @rule. */
bool culprit_matches(const struct vml_snapshot *d, const struct rule *rule, const struct vml_row *process,
		     const struct vml_row *r);
/* Fills the sums of @f from the rows of blockers that match and that @taken does not have. */
void facts_gather(struct facts *f, const bool *taken);

#endif
