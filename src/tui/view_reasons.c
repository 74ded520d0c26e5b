// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Why faults took mmap_lock: of the host, a process, a thread or a VMA. */
#include <stdlib.h>

#include "vmalock/base.h"
#include "vmalock/sink.h"
#include "screen.h"

#define NAME_COLUMNS 15
#define CERTAINTY_COLUMNS 9
#define NUMBER_COLUMNS 8
#define SHARE_COLUMNS 7
#define HELP_LINES 4

static const char *empty_text(struct tui *t, const struct tui_subject *s, char *buf, size_t n)
{
	if (!t->delta)
		snprintf(buf, n, "The first interval is not over yet.");
	else if (!t->delta->have_reasons)
		snprintf(buf, n, "This backend does not see reasons (D says what is missing).");
	else if (!s->reasons)
		snprintf(buf, n, "Nothing happened in %s in this interval, or it has exited.", s->label);
	else
		snprintf(buf, n, "No fault of %s took mmap_lock in this interval.", s->label);
	return buf;
}

static void draw_reason(struct tui *t, struct tui_canvas *c, const struct tui_area *a, int line,
			const struct vml_cell *cell, double sum)
{
	const char *name = vml_reason_name(cell->index / 2);
	double count = (double)cell->count, share = sum > 0 ? count / sum : 0;
	double seconds = (double)t->delta->interval_ns / 1e9;
	int col = a->col + 2, bar;
	char number[32];

	tui_put_fit(c, line, col, NAME_COLUMNS, false, TUI_PLAIN, name ? name : "?");
	col += NAME_COLUMNS + 1;
	tui_put_fit(c, line, col, CERTAINTY_COLUMNS, false, TUI_PLAIN,
		    cell->index % 2 == VML_EXACT ? "exact" : "inferred");
	col += CERTAINTY_COLUMNS + 1;
	tui_put_fit(c, line, col, NUMBER_COLUMNS, true, TUI_PLAIN,
		    vml_fmt_count(number, sizeof(number), t->counts ? count : count / seconds));
	col += NUMBER_COLUMNS + 1;
	tui_put_fit(c, line, col, SHARE_COLUMNS, true, TUI_PLAIN, vml_fmt_percent(number, sizeof(number), share));
	col += SHARE_COLUMNS + 1;
	bar = a->col + a->cols - col - 1;
	tui_put_bar(c, line, col, bar < 40 ? bar : 40, share);
}

static void draw_head(struct tui *t, struct tui_canvas *c, const struct tui_area *a)
{
	int col = a->col + 2;

	tui_style_row(c, a->row, TUI_HEAD);
	tui_put_fit(c, a->row, col, NAME_COLUMNS, false, TUI_HEAD, "REASON");
	col += NAME_COLUMNS + 1;
	tui_put_fit(c, a->row, col, CERTAINTY_COLUMNS, false, TUI_HEAD, "CERTAINTY");
	col += CERTAINTY_COLUMNS + 1;
	tui_put_fit(c, a->row, col, NUMBER_COLUMNS, true, TUI_HEAD_SORT, t->counts ? "FAULTS" : "FAULTS/s");
	col += NUMBER_COLUMNS + 1;
	tui_put_fit(c, a->row, col, SHARE_COLUMNS, true, TUI_HEAD, "SHARE");
}

/* The rows, and under them what the selected one means. */
static void draw_reasons(struct tui *t, struct tui_canvas *c, const struct tui_area *a, const struct vml_cell *cell,
			 size_t n, double sum)
{
	struct tui_cursor *cursor = tui_cursor(t);
	int rows = a->rows - 1 - (a->rows > 2 * HELP_LINES ? HELP_LINES : 0);
	struct tui_area room = { 0, a->col + 2, HELP_LINES - 1, a->cols - 4 };
	size_t first, i;
	const char *help;

	if (cursor->at >= n)
		cursor->at = n - 1;
	first = tui_scroll(&cursor->top, cursor->at, n, rows);
	for (i = first; i < n && (int)(i - first) < rows; i++) {
		int line = a->row + 1 + (int)(i - first);

		draw_reason(t, c, a, line, &cell[i], sum);
		if (i == cursor->at)
			tui_put(c, line, a->col, TUI_BOLD, ">");
	}
	t->nrows = n;
	t->page = rows;
	help = vml_reason_help(cell[cursor->at].index / 2);
	room.row = a->row + 2 + (int)(i - first);
	if (help && room.row + 1 < a->row + a->rows)
		tui_put_wrapped(c, &room, TUI_DIM, help);
}

void tui_draw_reasons(struct tui *t, struct tui_canvas *c, const struct tui_area *a)
{
	struct tui_area room = { a->row + 1, a->col + 2, a->rows - 1, a->cols - 2 };
	struct tui_subject s;
	struct vml_cell *cell;
	char text[512];
	uint32_t n;

	tui_subject(t, &s);
	draw_head(t, c, a);
	t->nrows = 0;
	n = s.reasons ? s.reasons->n : 0;
	if (!n || vml_reasons_rank(s.reasons, &cell)) {
		tui_put_wrapped(c, &room, TUI_PLAIN, n ? "Out of memory." : empty_text(t, &s, text, sizeof(text)));
		return;
	}
	draw_reasons(t, c, a, cell, n, (double)vml_tally_sum(s.reasons));
	free(cell);
}
