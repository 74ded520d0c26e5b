// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Everything around a view, the most important first:
 *
 *	replay FILE 12/345 2026-03-01 14:03:07 +01:00	only of a file
 *	healthy: 99.97 % of 12,345 faults/s hit		what is seen, in words
 *	host, kernel, backend
 *	rates
 *	lost ...					only when something was lost
 *	own cost
 *	 1 processes  2 threads  ...			views
 *	host > 1234 postgres	      by FALLBACK  1/20	where one is, and how it is shown
 *	(the view)
 *	keys, a message or what is typed
 *
 * Below 60x10 there is room for the verdict and the view only.
 */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "vmalock/base.h"
#include "vmalock/sink.h"
#include "screen.h"

#define SMALL_COLS 60
#define SMALL_ROWS 10
#define TABS_COLS 87 /* with their long names, and two spaces between */
#define TABS_COLS_CLOSE 77 /* with one */

static const struct {
	const char *name, *brief;
	void (*draw)(struct tui *t, struct tui_canvas *c, const struct tui_area *a);
} view[TUI_NVIEWS] = {
	[TUI_PROCESSES] = { "processes", "procs", tui_draw_table },
	[TUI_THREADS] = { "threads", "thrds", tui_draw_table },
	[TUI_VMAS] = { "VMAs", "VMAs", tui_draw_table },
	[TUI_REASONS] = { "reasons", "why", tui_draw_reasons },
	[TUI_BLOCKERS] = { "blockers", "block", tui_draw_table },
	[TUI_HISTOGRAM] = { "histogram", "hist", tui_draw_histogram },
	[TUI_DOCTOR] = { "doctor", "doctor", tui_draw_doctor },
	[TUI_HELP] = { "help", "help", tui_draw_help },
	[TUI_HOLDER] = { .draw = tui_draw_holder },
};

static enum tui_style health_style(const struct vml_snapshot *s)
{
	static const enum tui_style style[] = {
		[VML_QUIET] = TUI_BOLD,	 [VML_HEALTHY] = TUI_GOOD, [VML_FALLING_BACK] = TUI_WARN,
		[VML_WAITING] = TUI_BAD, [VML_STALLED] = TUI_BAD,
	};

	return style[vml_health(s)];
}

static void draw_verdict(struct tui *t, struct tui_canvas *c, int row)
{
	const struct vml_snapshot *s = tui_shown(t);
	size_t room = (size_t)c->cols + 1;
	char verdict[512];

	vml_verdict(s, verdict, room < sizeof(verdict) ? (room > 40 ? room : 40) : sizeof(verdict));
	tui_put_fit(c, row, 0, c->cols, false, health_style(s), verdict);
}

static int draw_replay(struct tui *t, struct tui_canvas *c, int row)
{
	char text[512];

	if (!t->replay)
		return row;
	tui_put_fit(c, row, 0, c->cols, false, TUI_BOLD, tui_replay_text(t, text, sizeof(text)));
	return row + 1;
}

static int draw_summary(struct tui *t, struct tui_canvas *c, int row, enum vml_summary line, const char *label,
			enum tui_style style)
{
	char text[512];
	int col;

	if (!*vml_summary(tui_shown(t), line, text, sizeof(text)))
		return row;
	col = tui_put(c, row, 0, style, label);
	tui_put_fit(c, row, col, c->cols - col, false, style, text);
	return row + 1;
}

static void draw_tabs(struct tui *t, struct tui_canvas *c, int row)
{
	enum tui_view shown = tui_here(t)->view == TUI_HOLDER ? TUI_BLOCKERS : tui_here(t)->view;
	bool brief = c->cols < TABS_COLS_CLOSE, close = c->cols < TABS_COLS;
	int col = 0;
	unsigned int i;

	for (i = 0; i < TUI_NTABS; i++)
		col = tui_printf(c, row, col, shown == i ? TUI_TAB_ON : TUI_DIM, close ? "%u %s " : " %u %s ", i + 1,
				 brief ? view[i].brief : view[i].name);
}

/* ---- where one is, and how it is shown */

struct flags {
	char text[512];
	size_t len;
};

__attribute__((format(printf, 2, 3))) static void flag(struct flags *f, const char *fmt, ...)
{
	va_list ap;
	int len;

	if (f->len && f->len + 2 < sizeof(f->text)) {
		memcpy(f->text + f->len, "  ", 3);
		f->len += 2;
	}
	va_start(ap, fmt);
	len = vsnprintf(f->text + f->len, sizeof(f->text) - f->len, fmt, ap);
	va_end(ap);
	if (len > 0)
		f->len = f->len + (size_t)len < sizeof(f->text) ? f->len + (size_t)len : sizeof(f->text) - 1;
}

static void table_flags(struct tui *t, struct flags *f)
{
	enum vml_scope scope = tui_scope(tui_here(t)->view);

	if (*t->row_filter)
		flag(f, "with \"%s\"", t->row_filter);
	if (t->follow)
		flag(f, "following");
	flag(f, "by %s%s", tui_sort_column(t, scope)->title, t->invert[scope] ? " inverted" : "");
	flag(f, "%zu/%zu", t->nrows ? tui_cursor(t)->at + 1 : 0, t->nrows);
}

/* Over which time the numbers are, and per what. */
static void unit_flags(struct tui *t, struct flags *f)
{
	char span[32];

	if (t->replay)
		flag(f, "%s %s", tui_replay_is_sum(t) ? "sum of" : "over",
		     vml_fmt_ns(span, sizeof(span), (double)tui_shown(t)->interval_ns));
	else if (t->o.connected && t->delta) /* as vmalockd has it */
		flag(f, "vmalockd, over %s", vml_fmt_ns(span, sizeof(span), (double)t->delta->interval_ns));
	else
		flag(f, "every %s", vml_fmt_ns(span, sizeof(span), (double)t->interval_ns));
	if (!tui_is_text(tui_here(t)->view))
		flag(f, t->counts ? "counts" : "per second");
}

/* @brief: without what is the same all the time. */
static void make_flags(struct tui *t, struct flags *f, bool brief)
{
	*f = (struct flags){ .len = 0 };
	if (t->paused)
		flag(f, "PAUSED");
	if (*t->user)
		flag(f, "user %s", t->user);
	if (!brief)
		unit_flags(t, f);
	if (tui_is_table(tui_here(t)->view))
		table_flags(t, f);
	else if (t->nrows > 1)
		flag(f, "%zu/%zu", tui_cursor(t)->at + 1, t->nrows);
}

/* From place @first on. */
static void make_path(struct tui *t, int first, char *path, size_t n)
{
	size_t len = 0;
	int i;

	if (first)
		len = (size_t)snprintf(path, n, "%s", t->utf8 ? "…" : "~");
	else
		len = (size_t)snprintf(path, n, "%s%s", tui_shown(t)->selected ? "selected" : "host",
				       tui_is_folded(t) ? ", by cgroup" : "");
	for (i = first ? first : 1; i <= t->depth && len < n; i++)
		len += (size_t)snprintf(path + len, n - len, " > %s", t->place[i].label);
}

static void draw_path(struct tui *t, struct tui_canvas *c, int row)
{
	int width, first, most = c->cols * 3 / 4;
	char path[TUI_DEPTH * 256];
	struct flags f;

	make_flags(t, &f, false);
	if (vml_text_width(f.text) > most)
		make_flags(t, &f, true);
	width = vml_text_width(f.text);
	if (width > most)
		width = most;
	/* the end says where one is: of a long path the beginning goes */
	make_path(t, 0, path, sizeof(path));
	for (first = 1; first <= t->depth && vml_text_width(path) > c->cols - width - 2; first++)
		make_path(t, first, path, sizeof(path));
	tui_put_fit(c, row, 0, c->cols - width - 2, false, TUI_BOLD, path);
	tui_put_fit(c, row, c->cols - width, width, true, t->paused ? TUI_WARN : TUI_PLAIN, f.text);
}

/* ---- the last line */

static void draw_prompt(struct tui *t, struct tui_canvas *c, int row)
{
	int col = tui_put(c, row, 0, TUI_BOLD, tui_prompt_label(t->mode));

	tui_put_fit(c, row, col, c->cols - col, false, TUI_PLAIN, t->typed);
	c->cursor_row = row;
	c->cursor_col = col + vml_text_width(t->typed);
	if (c->cursor_col >= c->cols)
		c->cursor_col = c->cols - 1;
}

static void draw_hints(struct tui *t, struct tui_canvas *c, int row)
{
	static const char *const replay[][2] = {
		{ "F1", "help" },   { "q", "quit" },   { "[ ]", "step" }, { "Space", "play" },
		{ "W", "worst" },   { "J", "time" },   { "S", "sum" },	  { "g G", "ends" },
		{ "+ -", "speed" }, { "Enter", "in" }, { "Esc", "back" },
	};
	static const char *const live[][2] = {
		{ "F1", "help" },   { "q", "quit" },  { "Enter", "in" },   { "Esc", "back" }, { "/", "find" },
		{ "F4", "filter" }, { "F6", "sort" }, { "p", "pause" },	   { "e", "counts" }, { "c", "cgroups" },
		{ "F", "follow" },  { "u", "user" },  { "d", "interval" }, { "I", "invert" },
	};
	const char *const(*hint)[2] = t->replay ? replay : live;
	size_t i, n = t->replay ? VML_ARRAY_SIZE(replay) : VML_ARRAY_SIZE(live);
	int col = 0;

	for (i = 0; i < n; i++) {
		int width = (int)strlen(hint[i][0]) + 1 + (int)strlen(hint[i][1]);

		if (col + width > c->cols)
			break;
		col = tui_put(c, row, col, TUI_BOLD, hint[i][0]);
		col = tui_put(c, row, col + 1, TUI_DIM, hint[i][1]) + 2;
	}
}

/* True when it drew something. */
static bool draw_last_line(struct tui *t, struct tui_canvas *c, int row, bool small)
{
	if (t->mode > TUI_MODE_SORT)
		draw_prompt(t, c, row);
	else if (*t->message)
		tui_put_fit(c, row, 0, c->cols, false, TUI_WARN, t->message);
	else if (*t->trouble)
		tui_put_fit(c, row, 0, c->cols, false, TUI_BAD, t->trouble);
	else if (!small)
		draw_hints(t, c, row);
	else
		return false;
	return true;
}

int tui_draw(struct tui *t, struct tui_canvas *c)
{
	bool small = c->cols < SMALL_COLS || c->rows < SMALL_ROWS;
	struct tui_area a = { .cols = c->cols };
	int err = tui_list_update(t), path = -1, last = c->rows;

	if (err)
		return err;
	a.row = draw_replay(t, c, a.row);
	draw_verdict(t, c, a.row++);
	if (!small) {
		a.row = draw_summary(t, c, a.row, VML_SUMMARY_HOST, "", TUI_PLAIN);
		if (t->delta) {
			a.row = draw_summary(t, c, a.row, VML_SUMMARY_RATES, "", TUI_PLAIN);
			a.row = draw_summary(t, c, a.row, VML_SUMMARY_LOSS, "lost: ", TUI_BAD);
			a.row = draw_summary(t, c, a.row, VML_SUMMARY_COST, "own cost: ", TUI_DIM);
		}
		draw_tabs(t, c, a.row++);
		path = a.row++;
	}
	if (c->rows > 1 && draw_last_line(t, c, c->rows - 1, small))
		last--;
	a.rows = last - a.row;
	if (a.rows > 0) {
		if (t->mode == TUI_MODE_SORT)
			tui_draw_sort(t, c, &a);
		else
			view[tui_here(t)->view].draw(t, c, &a);
	}
	if (path >= 0)
		draw_path(t, c, path); /* the view has counted its rows */
	return 0;
}
