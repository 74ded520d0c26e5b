/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef VMALOCK_COMMAND_NOTES_H
#define VMALOCK_COMMAND_NOTES_H
/* What a report says beside the numbers: events of the file, and the longest stalls (notes.c). */
#include <stddef.h>

#include "vmalock/sink.h"
#include "window.h"

struct vml_arena;

#define NOTES_STALLS 8

struct notes {
	struct vml_arena *arena;
	struct vml_note *note; /* set by end */
	size_t n;
	struct notes_stall {
		struct vml_id id;
		uint64_t wait_ns, real_ns;
		char text[272];
	} stall[NOTES_STALLS]; /* the longest, each thread once */
	size_t nstalls, dropped;
};

/* All 0 before. Keeps the stall of @delta that goes on the longest. */
void notes_stall(struct notes *n, const struct vml_snapshot *delta);
/* Adds the events of the window, when there is one, and sorts by time; -ENOMEM, or what the file says. */
int notes_end(struct notes *n, struct vml_window *w);
void notes_free(struct notes *n);

#endif
