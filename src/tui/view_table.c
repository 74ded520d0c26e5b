// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* The list of what is ranked, processes, threads, VMAs, holders or cgroups: one row each. */
#include "vmalock/base.h"
#include "vmalock/sink.h"
#include "screen.h"

#define GUTTER 2 /* "> " before the selected row */
#define CELL_MAX 1024

size_t tui_scroll(size_t *top, size_t at, size_t n, int page)
{
	size_t lines = page > 0 ? (size_t)page : 1;

	if (at < *top)
		*top = at;
	if (at >= *top + lines)
		*top = at - lines + 1;
	if (n <= lines)
		*top = 0;
	else if (*top > n - lines)
		*top = n - lines;
	return *top;
}

static bool is_right(const struct vml_column *c)
{
	return c->unit != VML_UNIT_TEXT;
}

static void draw_heads(struct tui *t, struct tui_canvas *c, const struct tui_area *a,
		       const struct tui_shown_column *shown, size_t n)
{
	const struct vml_column *sort = tui_sort_column(t, tui_scope(tui_here(t)->view));
	size_t i;

	tui_style_row(c, a->row, TUI_HEAD);
	for (i = 0; i < n; i++) {
		const struct vml_column *column = shown[i].column;
		bool folded_name = tui_is_folded(t) && i == n - 1;

		tui_put_fit(c, a->row, a->col + GUTTER + shown[i].col, shown[i].width, is_right(column),
			    column == sort ? TUI_HEAD_SORT : TUI_HEAD, folded_name ? "CGROUP" : column->title);
	}
}

/* A path says most at its end: of one that is too long the beginning is cut. */
static void put_text(struct tui_canvas *c, int row, int col, int width, enum tui_style style, const char *text)
{
	const char *tail = text;

	if (*text != '/' || vml_text_width(text) <= width || width < 2) {
		tui_put_fit(c, row, col, width, false, style, text);
		return;
	}
	while (vml_text_width(tail) > width - 1)
		do
			tail++;
		while (((unsigned char)*tail & 0xc0) == 0x80);
	tui_put(c, row, col, style, c->utf8 ? "…" : "~");
	tui_put_fit(c, row, col + 1, width - 1, true, style, tail);
}

static void draw_row(struct tui *t, struct tui_canvas *c, int line, int col, const struct vml_row *r,
		     const struct tui_shown_column *shown, size_t n)
{
	struct vml_snapshot *s = tui_is_folded(t) ? t->folded : t->delta;
	enum vml_scope scope = tui_scope(tui_here(t)->view);
	char cell[CELL_MAX];
	size_t i;

	for (i = 0; i < n; i++) {
		enum tui_style style = r->exited ? TUI_DIM : TUI_PLAIN;
		int at = col + GUTTER + shown[i].col;

		vml_column_text(shown[i].column, s, scope, r, !t->counts, cell, sizeof(cell));
		if (is_right(shown[i].column))
			tui_put_fit(c, line, at, shown[i].width, true, style, cell);
		else
			put_text(c, line, at, shown[i].width, style, cell);
	}
}

static const char *empty_text(struct tui *t, char *buf, size_t n)
{
	const struct tui_place *p = tui_here(t);
	bool blockers = p->view == TUI_BLOCKERS, blind = blockers && t->delta && !vml_blame_known(t->delta);

	if (*t->row_filter)
		vml_text_printf(buf, n, "No row contains \"%s\" (F4 changes the filter).", t->row_filter);
	else if (t->delta && p->focus != TUI_HOST && !blind)
		snprintf(
			buf, n,
			blockers
				? "Nobody held up %s in this interval, nor was held up by it."
				: "Nothing of %s had a page fault or took mmap_lock in this interval, or it has exited.",
			p->label);
	else if (t->delta && t->filter.by_uid && !blind)
		snprintf(buf, n,
			 blockers ? "Nobody held up a process of user %u in this interval, nor was held up by one."
				  : "No process of user %u had a page fault or took mmap_lock in this interval.",
			 t->filter.uid);
	else
		vml_empty_text(tui_shown(t), tui_scope(p->view), buf, n);
	return buf;
}

void tui_draw_table(struct tui *t, struct tui_canvas *c, const struct tui_area *a)
{
	struct tui_shown_column shown[TUI_COLUMNS_MAX];
	size_t n = tui_list_columns(t, a->cols - GUTTER, shown), first, i;
	struct tui_cursor *cursor = tui_cursor(t);
	char text[512];

	draw_heads(t, c, a, shown, n);
	t->page = a->rows - 1;
	if (!t->nrows) {
		struct tui_area room = { a->row + 1, a->col + GUTTER, a->rows - 1, a->cols - GUTTER };

		tui_put_wrapped(c, &room, TUI_PLAIN, empty_text(t, text, sizeof(text)));
		return;
	}
	first = tui_scroll(&cursor->top, cursor->at, t->nrows, t->page);
	for (i = first; i < t->nrows && (int)(i - first) < t->page; i++) {
		int line = a->row + 1 + (int)(i - first);

		draw_row(t, c, line, a->col, t->row[i], shown, n);
		if (i == cursor->at) {
			tui_put(c, line, a->col, TUI_SELECTED, ">");
			tui_style_row(c, line, TUI_SELECTED);
		}
	}
}
