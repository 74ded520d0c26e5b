/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef VMALOCK_TUI_H
#define VMALOCK_TUI_H
/* The screen of vmalocktop. */
#include <stdbool.h>
#include <stdint.h>

#include "vmalock/snapshot.h"
#include "vmalock/source.h"
#include "vmalock/store.h"

struct vml_tui_options {
	uint64_t interval_ns; /* of a replay: between steps; 0: as long as they were */
	uint32_t count; /* updates, then the end; 0: for ever */
	uint32_t limit; /* rows a table; 0: all, also unchanged ones; UINT32_MAX: those that changed */
	const char *sort; /* column key; NULL: fallbacks, then faults */
	bool threads; /* begin with threads */
	struct vml_filter filter;
	double max_overhead; /* share of the CPU time of all CPUs; 0: no limit */
	unsigned int duty; /* enum vml_duty_step to begin with */
	bool connected; /* to vmalockd, which has an interval of its own */
};

/*
 * Standard input and output are a terminal that can move its cursor.  A program
 * prints batches otherwise.
 */
bool vml_tui_possible(void);

/* A key was typed on the screen, and not read yet; false while there is no screen. */
bool vml_tui_key_waits(void);

/*
 * Takes snapshots from @src and shows what happened between them, until the
 * user has enough, @o->count is reached or a signal asks for the end.  The
 * terminal is as before in every case.  0, or a negative errno and one line in
 * @error.
 */
int vml_tui_run(struct vml_source *src, const struct vml_tui_options *o, char error[VML_ERROR_MAX]);

/* The same of what is in a file, @path, interval by interval, and what is added to it meanwhile. */
int vml_tui_replay(struct vml_reader *reader, const char *path, const struct vml_tui_options *o,
		   char error[VML_ERROR_MAX]);

#endif
