// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * How long waits and holds took: a line of quantiles each, and under them bars
 * on one time axis, so that reading and writing can be compared by eye.
 */
#include <math.h>

#include "vmalock/base.h"
#include "vmalock/sink.h"
#include "screen.h"

#define NAME_COLUMNS 11
#define NUMBER_COLUMNS 9
#define AXIS_COLUMNS 9
#define COUNT_COLUMNS 7
#define WIDE 120 /* columns from which holds have bars too */
#define MAX_STEP 32

static const double quantile[] = { 0.5, 0.9, 0.99 };

/* Buckets on the screen: @step of the geometry in a line, lines @first to @last. */
struct axis {
	uint32_t step, first, last;
};

static uint32_t line_of(uint32_t bucket, uint32_t step)
{
	return (bucket + step - 1) / step;
}

/* The finest axis that holds all bars in @lines; false when there is nothing to show. */
static bool make_axis(const struct tui_subject *s, unsigned int nbars, int lines, struct axis *ret)
{
	uint32_t low = UINT32_MAX, high = 0;
	unsigned int i;

	for (i = 0; i < nbars; i++) {
		const struct vml_tally *t = &s->hist[i].bucket;

		if (!s->known[i] || !t->n)
			continue;
		if (t->cell[0].index < low)
			low = t->cell[0].index;
		if (t->cell[t->n - 1].index > high)
			high = t->cell[t->n - 1].index;
	}
	if (low > high)
		return false;
	for (ret->step = 1; ret->step < MAX_STEP; ret->step *= 2)
		if (line_of(high, ret->step) - line_of(low, ret->step) + 1 <= (uint32_t)(lines > 1 ? lines : 1))
			break;
	ret->first = line_of(low, ret->step);
	ret->last = line_of(high, ret->step);
	return true;
}

static uint64_t count_of(const struct vml_tally *t, const struct axis *x, uint32_t line)
{
	uint64_t sum = 0;
	uint32_t i;

	for (i = 0; i < t->n; i++)
		if (line_of(t->cell[i].index, x->step) == line)
			sum += t->cell[i].count;
	return sum;
}

static uint64_t highest(const struct vml_tally *t, const struct axis *x)
{
	uint64_t max = 0, count;
	uint32_t line;

	for (line = x->first; line <= x->last; line++) {
		count = count_of(t, x, line);
		max = count > max ? count : max;
	}
	return max;
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

static void draw_bars(struct tui *t, struct tui_canvas *c, int row, int col, int width, const struct vml_tally *tally,
		      const struct axis *x, uint32_t line)
{
	double seconds = t->counts ? 1 : (double)t->delta->interval_ns / 1e9;
	uint64_t count = count_of(tally, x, line), max = highest(tally, x);
	char number[32];

	if (!count)
		return;
	tui_put_fit(c, row, col, COUNT_COLUMNS, true, TUI_PLAIN,
		    vml_fmt_count(number, sizeof(number), (double)count / seconds));
	tui_put_bar(c, row, col + COUNT_COLUMNS + 1, width - COUNT_COLUMNS - 2, (double)count / (double)max);
}

static void draw_axis(struct tui *t, struct tui_canvas *c, const struct tui_area *a, const struct tui_subject *s)
{
	unsigned int nbars = a->cols >= WIDE ? VML_HISTS : 2, i;
	int left = a->col + 2 + AXIS_COLUMNS + 2;
	int width = (a->cols - (left - a->col)) / (int)nbars, row = a->row + 1;
	struct axis x;
	char label[32];
	uint32_t line;

	if (a->rows < 2 || !make_axis(s, nbars, a->rows - 1, &x))
		return;
	tui_style_row(c, a->row, TUI_HEAD);
	tui_put_fit(c, a->row, a->col + 2, AXIS_COLUMNS, true, TUI_HEAD, "UP TO");
	for (i = 0; i < nbars; i++) {
		tui_put_fit(c, a->row, left + (int)i * width, COUNT_COLUMNS, true, TUI_HEAD,
			    t->counts ? "TIMES" : "TIMES/s");
		tui_put_fit(c, a->row, left + (int)i * width + COUNT_COLUMNS + 1, width - COUNT_COLUMNS - 1, false,
			    TUI_HEAD, vml_hist_titles[i]);
	}
	for (line = x.first; line <= x.last && row < a->row + a->rows; line++, row++) {
		double up_to = vml_hist_upper(line * x.step);

		tui_put_fit(c, row, a->col + 2, AXIS_COLUMNS, true, TUI_PLAIN,
			    isfinite(up_to) ? vml_fmt_ns(label, sizeof(label), up_to) : "more");
		for (i = 0; i < nbars; i++)
			if (s->known[i])
				draw_bars(t, c, row, left + (int)i * width, width, &s->hist[i].bucket, &x, line);
	}
}

static const char *empty_text(struct tui *t, const struct tui_subject *s, char *buf, size_t n)
{
	if (!t->delta)
		snprintf(buf, n, "The first interval is not over yet.");
	else if (!s->hist)
		snprintf(buf, n, "Nothing happened in %s in this interval, or it has exited.", s->label);
	else
		snprintf(buf, n, "Nothing of %s took mmap_lock in this interval.", s->label);
	return buf;
}

void tui_draw_histogram(struct tui *t, struct tui_canvas *c, const struct tui_area *a)
{
	static const char *const head[] = { "P50", "P90", "P99", "MAX" };
	struct tui_area rest = { a->row + VML_HISTS + 2, a->col, a->rows - VML_HISTS - 2, a->cols };
	struct tui_area room = { a->row + 1, a->col + 2, a->rows - 1, a->cols - 2 };
	int col = a->col + 2, i;
	struct tui_subject s;
	bool any = false;
	char text[512];

	tui_subject(t, &s);
	t->nrows = 0;
	for (i = 0; i < VML_HISTS; i++)
		any |= s.hist && s.known[i] && s.hist[i].count;
	if (!any) {
		tui_style_row(c, a->row, TUI_HEAD);
		tui_put_wrapped(c, &room, TUI_PLAIN, empty_text(t, &s, text, sizeof(text)));
		return;
	}
	tui_style_row(c, a->row, TUI_HEAD);
	tui_put_fit(c, a->row, col, NAME_COLUMNS, false, TUI_HEAD, "MMAP_LOCK");
	tui_put_fit(c, a->row, col += NAME_COLUMNS, NUMBER_COLUMNS, true, TUI_HEAD, t->counts ? "TIMES" : "TIMES/s");
	for (i = 0; i < (int)VML_ARRAY_SIZE(head); i++)
		tui_put_fit(c, a->row, col += NUMBER_COLUMNS, NUMBER_COLUMNS, true, TUI_HEAD, head[i]);
	for (i = 0; i < VML_HISTS && i + 1 < a->rows; i++)
		draw_quantiles(t, c, a->row + 1 + i, a->col + 2, s.known[i] ? &s.hist[i] : NULL, vml_hist_titles[i]);
	draw_axis(t, c, &rest, &s);
}
