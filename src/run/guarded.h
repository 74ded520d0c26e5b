/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef VMALOCK_RUN_GUARDED_H
#define VMALOCK_RUN_GUARDED_H
/* A source under the guard, for the loops of programs. */
#include "vmalock/guard.h"
#include "vmalock/snapshot.h"
#include "vmalock/source.h"

/* Does what is due at the hooks; returns @deadline_ns (CLOCK_MONOTONIC), or when they are due again. */
uint64_t vml_guarded_tick(struct vml_source *s, uint64_t deadline_ns);
/* What happened between two snapshots, to the guard, and what it says, to the source. */
int vml_guarded_update(struct vml_guard *g, struct vml_source *s, const struct vml_snapshot *prev,
		       const struct vml_snapshot *cur);

/*
 * What happens between one call and the next, under the guard: threads, VMAs and blockers
 * that did not change are left out by a source that can tell (vml_source_next_delta()), which saves
 * it most of its time and memory.
 */
struct vml_intervals {
	struct vml_source *source;
	struct vml_guard *guard;
	bool all; /* also what did not change */
	struct vml_snapshot *prev; /* what the next one begins with, when whole snapshots are compared */
};
/* Begins with now, also a second time.  The errors of vml_source_next(). */
int vml_intervals_begin(struct vml_intervals *x);
/* The errors of vml_source_next(), of vml_source_set_duty(), -ENOMEM. */
int vml_intervals_next(struct vml_intervals *x, struct vml_snapshot **ret);
void vml_intervals_end(struct vml_intervals *x);

#endif
