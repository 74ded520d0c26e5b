// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Bars of histograms: some of them on one time axis. */
#include <math.h>

#include "vmalock/base.h"
#include "screen.h"

#define MAX_STEP 32

static uint32_t line_of(uint32_t bucket, uint32_t step)
{
	return (bucket + step - 1) / step;
}

bool tui_axis_make(const struct vml_tally *const *bars, size_t n, int rows, struct tui_axis *ret)
{
	uint32_t low = UINT32_MAX, high = 0;
	size_t i;

	for (i = 0; i < n; i++) {
		const struct vml_tally *t = bars[i];

		if (!t || !t->n)
			continue;
		if (t->cell[0].index < low)
			low = t->cell[0].index;
		if (t->cell[t->n - 1].index > high)
			high = t->cell[t->n - 1].index;
	}
	if (low > high)
		return false;
	for (ret->step = 1; ret->step < MAX_STEP; ret->step *= 2)
		if (line_of(high, ret->step) - line_of(low, ret->step) + 1 <= (uint32_t)(rows > 1 ? rows : 1))
			break;
	ret->first = line_of(low, ret->step);
	ret->last = line_of(high, ret->step);
	return true;
}

char *tui_axis_label(const struct tui_axis *x, uint32_t line, char *buf, size_t n)
{
	double up_to = vml_hist_upper(line * x->step);

	if (isfinite(up_to))
		vml_fmt_ns(buf, n, up_to);
	else
		vml_text_copy(buf, n, "more");
	return buf;
}

static uint64_t count_of(const struct vml_tally *t, const struct tui_axis *x, uint32_t line)
{
	uint64_t sum = 0;
	uint32_t i;

	for (i = 0; i < t->n; i++)
		if (line_of(t->cell[i].index, x->step) == line)
			sum += t->cell[i].count;
	return sum;
}

static uint64_t highest(const struct vml_tally *t, const struct tui_axis *x)
{
	uint64_t max = 0, count;
	uint32_t line;

	for (line = x->first; line <= x->last; line++) {
		count = count_of(t, x, line);
		max = count > max ? count : max;
	}
	return max;
}

void tui_put_times(struct tui *t, struct tui_canvas *c, int row, int col, int width, const struct vml_tally *tally,
		   const struct tui_axis *x, uint32_t line)
{
	double seconds = t->counts ? 1 : (double)t->delta->interval_ns / 1e9;
	uint64_t count = count_of(tally, x, line), max = highest(tally, x);
	char number[32];

	if (!count)
		return;
	tui_put_fit(c, row, col, TUI_TIMES_COLUMNS, true, TUI_PLAIN,
		    vml_fmt_count(number, sizeof(number), (double)count / seconds));
	tui_put_bar(c, row, col + TUI_TIMES_COLUMNS + 1, width - TUI_TIMES_COLUMNS - 2, (double)count / (double)max);
}
