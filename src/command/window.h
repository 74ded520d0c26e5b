/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef VMALOCK_COMMAND_WINDOW_H
#define VMALOCK_COMMAND_WINDOW_H
/*
 * A recording, or the part of it or of the history between two times, read interval by
 * interval (window.c).
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "vmalock/snapshot.h"
#include "vmalock/store.h"

struct vml_window {
	const char *path;
	uint64_t since_ns, until_ns; /* UTC; 0 and UINT64_MAX: all of it */
	const struct vml_filter *filter;
	/* set by open */
	struct vml_reader *reader;
	char name[384]; /* path, clean */
	size_t first, last; /* of the intervals in the window */
	size_t intervals; /* how many; 0: none */
	uint64_t from_ns, to_ns; /* UTC: when the first began and the last ended */
};

/*
 * Opens the file, which stays as it is now until it is closed.  The negative errno of
 * vml_reader_open(), with one line in @error.
 */
int vml_window_open(struct vml_window *w, char error[VML_ERROR_MAX]);
void vml_window_close(struct vml_window *w);

/* Of an open window without intervals, in one line: nothing was recorded, or not then. */
void vml_window_say_empty(const struct vml_window *w, bool utc, char error[VML_ERROR_MAX]);

/* Each interval of the window in the order of time, narrowed to the filter, to @take, until it fails. */
int vml_window_read(struct vml_window *w, int (*take)(void *arg, struct vml_snapshot *delta), void *arg,
		    char error[VML_ERROR_MAX]);

#endif
