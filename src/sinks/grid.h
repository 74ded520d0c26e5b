/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef VMALOCK_SINKS_GRID_H
#define VMALOCK_SINKS_GRID_H
/*
 * Tables as text: libsmartcols with errors that stick until vml_grid_print()
 * returns them (src/sinks/grid.c).
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#define VML_GRID_CELL 1024

struct vml_grid {
	void *table, *line; /* of libsmartcols */
	size_t column;
	bool utf8; /* else every non-ASCII character becomes '?' */
	int error;
};

void vml_grid_open(struct vml_grid *g, FILE *out, bool utf8);
void vml_grid_column(struct vml_grid *g, const char *title, bool right);
/* Begins a line; its cells follow from left to right.  @text is clean. */
void vml_grid_row(struct vml_grid *g);
void vml_grid_cell(struct vml_grid *g, const char *text);
/* Prints and frees it. -ENOMEM, or what libsmartcols says. */
int vml_grid_print(struct vml_grid *g);

#endif
