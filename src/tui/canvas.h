/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef VMALOCK_TUI_CANVAS_H
#define VMALOCK_TUI_CANVAS_H
/*
 * What the screen shall look like: a grid of characters with styles, drawn by
 * the views without a terminal.  term.c puts it on one.  Whatever lies outside
 * the grid is cut off.
 */
#include <stdbool.h>

enum tui_style {
	TUI_PLAIN,
	TUI_DIM,
	TUI_BOLD,
	TUI_HEAD, /* column heads */
	TUI_HEAD_SORT, /* the one that is sorted by */
	TUI_TAB_ON, /* the view that is shown */
	TUI_SELECTED,
	TUI_GOOD,
	TUI_WARN,
	TUI_BAD,
	TUI_BAR,
	TUI_NSTYLES,
};

#define TUI_CELL_BYTES 16
struct tui_cell {
	char text[TUI_CELL_BYTES]; /* a character with what combines with it; "": right half of a wide one */
	unsigned char style; /* enum tui_style */
};

struct tui_canvas {
	int rows, cols;
	bool utf8;
	int cursor_row, cursor_col; /* -1: hidden */
	struct tui_cell *cell; /* rows * cols */
};

/* A part of it. */
struct tui_area {
	int row, col, rows, cols;
};

/* Spaces all over, at this size. -ENOMEM */
int tui_canvas_reset(struct tui_canvas *c, int rows, int cols);
void tui_canvas_free(struct tui_canvas *c);

/* Writes clean UTF-8 text; returns the column behind it. */
int tui_put(struct tui_canvas *c, int row, int col, enum tui_style style, const char *text);
__attribute__((format(printf, 5, 6))) int tui_printf(struct tui_canvas *c, int row, int col, enum tui_style style,
						     const char *fmt, ...);
/* Exactly @width columns, cut with a mark or padded. */
void tui_put_fit(struct tui_canvas *c, int row, int col, int width, bool right, enum tui_style style, const char *text);
/* In words over several lines of @a, from its first on; returns the lines used. */
int tui_put_wrapped(struct tui_canvas *c, const struct tui_area *a, enum tui_style style, const char *text);
/* A bar of @share (0 .. 1) of @width columns. */
void tui_put_bar(struct tui_canvas *c, int row, int col, int width, double share);
/* Changes the style of a whole line. */
void tui_style_row(struct tui_canvas *c, int row, enum tui_style style);

#endif
