/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef VMALOCK_RUN_RECENT_H
#define VMALOCK_RUN_RECENT_H
/* The last intervals, kept in memory until somebody wants a recording of them. */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "vmalock/snapshot.h"

/* Copies of deltas (vml_delta_keep()), the oldest first. */
struct vml_kept {
	struct vml_kept *next;
	struct vml_snapshot *delta;
	size_t bytes;
};
struct vml_recent {
	struct vml_kept *first, **end;
	uint64_t bytes;
	bool cut; /* some went before their time, as there was no room for them */
};

void vml_recent_init(struct vml_recent *r);
/* -ENOMEM: it is not kept. */
int vml_recent_add(struct vml_recent *r, const struct vml_snapshot *delta);
/* Drops what ended @keep_ns or more before @now_ns, and what there is no room for, but never the newest. */
void vml_recent_trim(struct vml_recent *r, uint64_t now_ns, uint64_t keep_ns, uint64_t max_bytes);
void vml_recent_drop_first(struct vml_recent *r);
void vml_recent_clear(struct vml_recent *r);
/* All of @from, which is empty afterwards; @to was. */
void vml_recent_move(struct vml_recent *to, struct vml_recent *from);
/* All of @from before what is in @to, where it was moved from. */
void vml_recent_put_back(struct vml_recent *to, struct vml_recent *from);

#endif
