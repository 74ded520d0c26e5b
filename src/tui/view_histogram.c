// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * How long waits, holds and the parts of a fault took: a line of quantiles each,
 * and under them bars of the selected one and of those that follow it, on one
 * time axis, so that they can be compared by eye.
 */
#include <math.h>

#include "vmalock/base.h"
#include "vmalock/sink.h"
#include "screen.h"

#define NAME_COLUMNS 13
#define NUMBER_COLUMNS 9
#define AXIS_COLUMNS 9
#define WIDE 120 /* columns from which four have bars, instead of two */
#define BARS_MAX 4

static const double quantile[] = { 0.5, 0.9, 0.99 };

/* The histograms that have a line, and those that have bars. */
struct listed {
	unsigned int which[VML_HISTS];
	size_t n, bars_at, nbars;
};

static void make_list(const struct tui_subject *s, struct listed *l)
{
	unsigned int i;

	*l = (struct listed){ 0 };
	for (i = 0; i < VML_HISTS; i++)
		if ((i < VML_HISTS_ALWAYS && !s->only_known) || (s->known[i] && s->hist[i].count))
			l->which[l->n++] = i;
}

/* The selected one and what follows it; at the end of the list what is before it. */
static void choose_bars(struct listed *l, size_t selected, int cols)
{
	l->nbars = cols >= WIDE ? BARS_MAX : BARS_MAX / 2;
	if (l->nbars > l->n)
		l->nbars = l->n;
	l->bars_at = selected + l->nbars <= l->n ? selected : l->n - l->nbars;
}

static void put_time(struct tui_canvas *c, int row, int col, double ns)
{
	char buf[32];

	tui_put_fit(c, row, col, NUMBER_COLUMNS, true, TUI_PLAIN,
		    ns < 0	   ? "-"
		    : isfinite(ns) ? vml_fmt_ns(buf, sizeof(buf), ns)
				   : ">128s");
}

static void draw_quantiles(struct tui *t, struct tui_canvas *c, int row, int col, const struct vml_hist *h,
			   const char *name)
{
	double seconds = t->counts ? 1 : (double)t->delta->interval_ns / 1e9;
	char number[32];
	size_t i;

	tui_put_fit(c, row, col, NAME_COLUMNS, false, TUI_PLAIN, name);
	col += NAME_COLUMNS;
	tui_put_fit(c, row, col, NUMBER_COLUMNS, true, TUI_PLAIN,
		    h ? vml_fmt_count(number, sizeof(number), (double)h->count / seconds) : "-");
	for (i = 0; i < VML_ARRAY_SIZE(quantile); i++)
		put_time(c, row, col += NUMBER_COLUMNS, h ? vml_hist_quantile(h, quantile[i]) : -1);
	put_time(c, row, col + NUMBER_COLUMNS, h ? vml_hist_max_bound(h) : -1);
}

static void draw_axis(struct tui *t, struct tui_canvas *c, const struct tui_area *a, const struct tui_subject *s,
		      const struct listed *l)
{
	int left = a->col + 2 + AXIS_COLUMNS + 2;
	int width = (a->cols - (left - a->col)) / (int)l->nbars, row = a->row + 1;
	const unsigned int *which = &l->which[l->bars_at];
	const struct vml_tally *bars[BARS_MAX];
	struct tui_axis x;
	char label[32];
	uint32_t line;
	size_t i;

	for (i = 0; i < l->nbars; i++)
		bars[i] = s->known[which[i]] ? &s->hist[which[i]].bucket : NULL;
	if (a->rows < 2 || !tui_axis_make(bars, l->nbars, a->rows - 1, &x))
		return;
	tui_style_row(c, a->row, TUI_HEAD);
	tui_put_fit(c, a->row, a->col + 2, AXIS_COLUMNS, true, TUI_HEAD, "UP TO");
	for (i = 0; i < l->nbars; i++) {
		tui_put_fit(c, a->row, left + (int)i * width, TUI_TIMES_COLUMNS, true, TUI_HEAD,
			    t->counts ? "TIMES" : "TIMES/s");
		tui_put_fit(c, a->row, left + (int)i * width + TUI_TIMES_COLUMNS + 1, width - TUI_TIMES_COLUMNS - 2,
			    false, TUI_HEAD, vml_hist_titles[which[i]]);
	}
	for (line = x.first; line <= x.last && row < a->row + a->rows; line++, row++) {
		tui_put_fit(c, row, a->col + 2, AXIS_COLUMNS, true, TUI_PLAIN,
			    tui_axis_label(&x, line, label, sizeof(label)));
		for (i = 0; i < l->nbars; i++)
			if (bars[i])
				tui_put_times(t, c, row, left + (int)i * width, width, bars[i], &x, line);
	}
}

/* The lines of quantiles; returns how many are on the screen: at most half of it. */
static int draw_list(struct tui *t, struct tui_canvas *c, const struct tui_area *a, const struct tui_subject *s,
		     const struct listed *l)
{
	static const char *const head[] = { "P50", "P90", "P99", "MAX" };
	int lines = a->rows / 2 - 1, col = a->col + 2;
	struct tui_cursor *cursor = tui_cursor(t);
	size_t i, first;

	if (lines < VML_HISTS_ALWAYS)
		lines = VML_HISTS_ALWAYS;
	if (lines > (int)l->n)
		lines = (int)l->n;
	if (lines > a->rows - 1)
		lines = a->rows - 1;
	first = tui_scroll(&cursor->top, cursor->at, l->n, lines);
	tui_style_row(c, a->row, TUI_HEAD);
	tui_put_fit(c, a->row, col, NAME_COLUMNS, false, TUI_HEAD, "DURATION");
	tui_put_fit(c, a->row, col += NAME_COLUMNS, NUMBER_COLUMNS, true, TUI_HEAD, t->counts ? "TIMES" : "TIMES/s");
	for (i = 0; i < VML_ARRAY_SIZE(head); i++)
		tui_put_fit(c, a->row, col += NUMBER_COLUMNS, NUMBER_COLUMNS, true, TUI_HEAD, head[i]);
	for (i = first; i < l->n && (int)(i - first) < lines; i++) {
		unsigned int which = l->which[i];
		int row = a->row + 1 + (int)(i - first);

		draw_quantiles(t, c, row, a->col + 2, s->known[which] ? &s->hist[which] : NULL, vml_hist_titles[which]);
		if (i == cursor->at)
			tui_put(c, row, a->col, TUI_BOLD, ">");
	}
	t->page = lines;
	return lines;
}

static const char *empty_text(struct tui *t, const struct tui_subject *s, char *buf, size_t n)
{
	if (!t->delta)
		snprintf(buf, n, "The first interval is not over yet.");
	else if (!s->hist)
		vml_text_printf(buf, n, "Nothing happened in %s in this interval, or it has exited.", s->label);
	else if (s->only_known)
		vml_text_printf(buf, n, "No hold of %s that made anybody wait ended in this interval.", s->label);
	else
		vml_text_printf(buf, n, "Nothing of %s took mmap_lock in this interval.", s->label);
	return buf;
}

void tui_draw_histogram(struct tui *t, struct tui_canvas *c, const struct tui_area *a)
{
	struct tui_area room = { a->row + 1, a->col + 2, a->rows - 1, a->cols - 2 }, rest = *a;
	struct tui_cursor *cursor = tui_cursor(t);
	struct tui_subject s;
	struct listed l;
	bool any = false;
	char text[512];
	int i;

	tui_subject(t, &s);
	t->nrows = 0;
	for (i = 0; i < VML_HISTS; i++)
		any |= s.hist && s.known[i] && s.hist[i].count;
	if (!any) {
		tui_style_row(c, a->row, TUI_HEAD);
		tui_put_wrapped(c, &room, TUI_PLAIN, empty_text(t, &s, text, sizeof(text)));
		return;
	}
	make_list(&s, &l);
	t->nrows = l.n;
	if (cursor->at >= l.n)
		cursor->at = l.n - 1;
	choose_bars(&l, cursor->at, a->cols);
	i = draw_list(t, c, a, &s, &l) + 2;
	rest.row += i;
	rest.rows -= i;
	draw_axis(t, c, &rest, &s, &l);
}
