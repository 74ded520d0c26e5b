// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Why faults took mmap_lock: of the host, a process, a thread or a VMA.  Under
 * those of the host, who looks VMAs up, when others than page faults did.
 */
#include <stdlib.h>

#include "vmalock/base.h"
#include "vmalock/caps.h"
#include "vmalock/sink.h"
#include "screen.h"

#define NAME_COLUMNS 15
#define CERTAINTY_COLUMNS 9
#define NUMBER_COLUMNS 8
#define SHARE_COLUMNS 7
#define HELP_LINES 4
#define CALLER_COLUMNS (NAME_COLUMNS + 1 + CERTAINTY_COLUMNS)

static const char *empty_text(struct tui *t, const struct tui_subject *s, char *buf, size_t n)
{
	if (!t->delta)
		snprintf(buf, n, "The first interval is not over yet.");
	else if (!t->delta->have_reasons)
		snprintf(buf, n, "This backend does not see reasons (D says what is missing).");
	else if (!s->reasons)
		vml_text_printf(buf, n, "Nothing happened in %s in this interval, or it has exited.", s->label);
	else
		vml_text_printf(buf, n, "No fault of %s took mmap_lock in this interval.", s->label);
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

/* ---- who looks VMAs up: of the host, so only there */

static size_t lookup_lines(struct tui *t)
{
	size_t i, n = 0;

	if (!t->delta || tui_here(t)->focus != TUI_HOST || !vml_lookups_worth(t->delta))
		return 0;
	for (i = 0; i < t->delta->nlookup; i++)
		n += t->delta->lookup[i].lookups != 0;
	return n + 2; /* a line between, and the head */
}

static void put_numbers(struct tui_canvas *c, int row, int col, enum tui_style style, const char *const text[3])
{
	int i;

	for (i = 0; i < 3; i++, col += NUMBER_COLUMNS + 2)
		tui_put_fit(c, row, col, NUMBER_COLUMNS + 1, true, style, text[i]);
}

static void draw_lookups(struct tui *t, struct tui_canvas *c, const struct tui_area *a)
{
	static const char *const rates[] = { "LOOKUPS/s", "ABORTS/s", "MISSES/s" };
	static const char *const counts[] = { "LOOKUPS", "ABORTS", "MISSES" };
	double seconds = t->counts ? 1 : (double)t->delta->interval_ns / 1e9;
	bool misses = t->delta->caps && vml_caps_has(t->delta->caps, VML_CAP_MISSES);
	int row = a->row + 1, col = a->col + 2;
	char buf[3][32];
	size_t i;

	tui_style_row(c, row, TUI_HEAD);
	tui_put_fit(c, row, col, CALLER_COLUMNS, false, TUI_HEAD, "VMA LOOKUPS BY");
	put_numbers(c, row++, col + CALLER_COLUMNS, TUI_HEAD, t->counts ? counts : rates);
	for (i = 0; i < t->delta->nlookup && row < a->row + a->rows; i++) {
		const struct vml_lookup *l = &t->delta->lookup[i];
		const char *const text[] = {
			vml_fmt_count(buf[0], sizeof(buf[0]), (double)l->lookups / seconds),
			vml_fmt_count(buf[1], sizeof(buf[1]), (double)l->aborts / seconds),
			misses ? vml_fmt_count(buf[2], sizeof(buf[2]), (double)l->misses / seconds) : "-",
		};

		if (!l->lookups)
			continue;
		tui_put_fit(c, row, col, CALLER_COLUMNS, false, TUI_PLAIN, l->caller);
		put_numbers(c, row++, col + CALLER_COLUMNS, TUI_PLAIN, text);
	}
}

/* ---- the view */

/* The rows, and under them what the selected one means; returns the line after that. */
static int draw_reasons(struct tui *t, struct tui_canvas *c, const struct tui_area *a, const struct vml_cell *cell,
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
	return room.row + room.rows - 1;
}

void tui_draw_reasons(struct tui *t, struct tui_canvas *c, const struct tui_area *a)
{
	struct tui_area room = { a->row + 1, a->col + 2, a->rows - 1, a->cols - 2 }, upper = *a, lower = *a;
	int lookups = (int)lookup_lines(t), line = a->row + HELP_LINES;
	struct tui_subject s;
	struct vml_cell *cell;
	char text[512];
	uint32_t n;

	tui_subject(t, &s);
	draw_head(t, c, a);
	t->nrows = 0;
	if (a->rows - lookups > 2 * HELP_LINES) /* or they would leave the reasons no room */
		upper.rows -= lookups;
	else
		lookups = 0;
	if (!s.reasons || !s.reasons->n) {
		tui_put_wrapped(c, &room, TUI_PLAIN, empty_text(t, &s, text, sizeof(text)));
	} else if (vml_reasons_rank(t->delta, s.reasons, &cell, &n)) {
		tui_put_wrapped(c, &room, TUI_PLAIN, "Out of memory.");
	} else {
		line = draw_reasons(t, c, &upper, cell, n, (double)vml_tally_sum(s.reasons));
		free(cell);
	}
	if (!lookups)
		return;
	lower.row = line;
	lower.rows = a->row + a->rows - line;
	draw_lookups(t, c, &lower);
}
