/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef VMALOCK_GUARD_H
#define VMALOCK_GUARD_H
/*
 * The overhead guard: how much of the time the hooks on every fault are attached,
 * so that what they cost stays in a budget.
 *
 * Pure: who runs a source tells the guard what each interval cost, and gives the
 * source the step that it says.  A loop of a program with a guard is:
 *
 *	vml_source_next()
 *	vml_guard_input() of the snapshot before and this one, vml_guard_update()
 *	when it returned true: log guard.why; vml_source_set_duty(source, guard.step)
 *	sleep no longer than vml_source_tick() says, and call that again
 *
 * All times in ns.  src/model/guard.c
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct vml_snapshot;

/*
 * How long of each period (VML_DUTY_PERIOD_NS) the hooks on every fault are attached.
 * The hooks on mmap_lock always are: waits, holds and blame are the same at each step.
 */
enum vml_duty_step {
	VML_DUTY_FULL, /* always */
	VML_DUTY_2, /* one half */
	VML_DUTY_4,
	VML_DUTY_8,
	VML_DUTY_16,
	VML_DUTY_OFF, /* never: faults are counted by the tasks themselves, outcomes are not known */
	VML_NDUTY_STEPS,
};
#define VML_DUTY_PERIOD_NS 1000000000ULL

/* "1", "1/2", .. "1/16", "off"; NULL when out of range. */
const char *vml_duty_name(unsigned int step);
/* 1, 0.5, .. 0.0625, 0. */
double vml_duty_share(unsigned int step);

/*
 * Divides @whole by @weight[@n] into @ret[@n]: whole numbers, whose sum is @whole.  What
 * is lost by that to a part is kept in @owed[@n], in 2^-32 and 0 at first, and goes to the
 * part that is owed most.  So over any number of calls a part never has one more than its
 * exact share, and all together are owed less than @n.
 * The sum of the weights must not be 0, and be less than 2^63.  src/model/apportion.c
 */
void vml_apportion(uint64_t whole, const uint64_t *weight, size_t n, int64_t *owed, uint64_t *ret);

/*
 * The rules, by means over VML_GUARD_DOWN_NS that begin after the last change.  Down:
 * when the mean is over the budget, to the first step that is expected to be within it.
 * Up: one step, when for `patience` every mean said that it would cost no more than
 * VML_GUARD_UP_SHARE of the budget.  A step down within VML_GUARD_REGRET_NS of a step up
 * doubles the patience; a step up that lasts longer halves it.  So no way down and up
 * again takes less than VML_GUARD_UP_NS.
 */
#define VML_GUARD_DOWN_NS 5000000000ULL
#define VML_GUARD_UP_NS 60000000000ULL /* least patience */
#define VML_GUARD_UP_MAX_NS 960000000000ULL /* most */
#define VML_GUARD_REGRET_NS 120000000000ULL
#define VML_GUARD_UP_SHARE 0.75

struct vml_guard_input {
	uint64_t interval_ns;
	uint32_t cpus; /* online */
	uint64_t hot_ns; /* CPU time of these hooks, estimated */
	uint64_t other_ns; /* of all other programs, estimated */
	uint64_t cpu_ns; /* of this process */
	/* what the hooks on every fault would have cost, attached all the time: faults x cost of one */
	uint64_t full_ns;
	bool known; /* false: not calibrated; the guard does nothing then */
};
/* What happened between two snapshots of one source. */
void vml_guard_input(const struct vml_snapshot *prev, const struct vml_snapshot *cur, struct vml_guard_input *ret);

#define VML_GUARD_RING 64

struct vml_guard_interval {
	uint64_t time_ns;
	uint64_t room_ns; /* CPU time of all CPUs in it */
	uint64_t spent_ns; /* programs and process */
	uint64_t fixed_ns; /* of it, whatever the step */
	uint64_t full_ns;
};

struct vml_guard {
	double budget; /* share of the CPU time of all CPUs; 0: there is none, and nothing is done */
	enum vml_duty_step step; /* what the source is to be set to */
	/* overhead in the last minute: CPU time of programs and process, of that of all CPUs; for the metric */
	double ratio;
	bool ratio_known;
	char why[160]; /* one line, of the last change: "the hooks on every fault go from duty 1 to 1/4: ..." */
	uint64_t changes; /* of the step, so far */
	bool beyond; /* even without the hooks on every fault it is over the budget */
	/* private */
	uint64_t changed_ns; /* since the last change */
	uint64_t calm_ns; /* for so long the next step up would have been within the budget */
	uint64_t raised_ns; /* since a step up; 0: none, or long ago */
	uint64_t patience_ns;
	uint32_t nring;
	struct vml_guard_interval ring[VML_GUARD_RING]; /* newest last, each of VML_GUARD_SLOT_NS or more */
};
#define VML_GUARD_SLOT_NS 1000000000ULL

/* @budget: 0.01 for 1 %. */
void vml_guard_init(struct vml_guard *g, double budget);
/* True when g->step changed; g->why says why. */
bool vml_guard_update(struct vml_guard *g, const struct vml_guard_input *in);

#endif
