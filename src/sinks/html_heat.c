// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* How long waits took, over time: rows are octaves of the histograms, colours how often. */
#include <linux/types.h>
#include <math.h>

#include "html.h"
#include "html_plot.h"
#include "vmalock/base.h"
#include "vmalock/hist.h"

/* Row 0 is the underflow bucket, row r has the four of an octave, the last one the overflow bucket. */
#define ROWS ((VML_HIST_BUCKETS + 2) / 4 + 1)
#define LEVELS 7
#define ROW_Y 10

struct heat {
	const struct vml_series *series;
	enum vml_series_hist which;
	uint32_t first, last; /* rows that have any */
	double least, most; /* a second, of those that are not 0 */
	uint64_t count;
};

static double row_count(const struct vml_bin *b, enum vml_series_hist which, uint32_t row)
{
	uint32_t i = row ? 4 * row - 3 : 0, end = 4 * row;
	uint64_t sum = 0;

	for (; i <= end && i < VML_HIST_BUCKETS; i++)
		sum += b->wait[which][i];
	return (double)sum;
}

static double row_rate(const struct heat *h, size_t bin, uint32_t row)
{
	const struct vml_bin *b = &h->series->bin[bin];

	return row_count(b, h->which, row) * 1e9 / (double)b->interval_ns;
}

/* The longest that belongs to a row. */
static double row_upper(uint32_t row)
{
	return row + 1 < ROWS ? vml_hist_upper(4 * row) : INFINITY;
}

static void find(struct heat *h)
{
	uint32_t row;
	size_t i;

	h->first = ROWS;
	for (row = 0; row < ROWS; row++)
		for (i = 0; i < h->series->n; i++) {
			double rate = row_rate(h, i, row);

			if (rate <= 0)
				continue;
			h->count += (uint64_t)row_count(&h->series->bin[i], h->which, row);
			h->first = row < h->first ? row : h->first;
			h->last = row;
			h->most = fmax(h->most, rate);
			h->least = h->least > 0 ? fmin(h->least, rate) : rate;
		}
}

static int level(const struct heat *h, size_t bin, uint32_t row)
{
	double rate = row_rate(h, bin, row);

	if (rate <= 0)
		return 0;
	if (h->most <= h->least)
		return LEVELS;
	return 1 + (int)fmin(LEVELS - 1, LEVELS * log(rate / h->least) / log(h->most / h->least));
}

/* All cells of one colour as one path; those side by side as one rectangle. */
static void cells(struct html_plot *p, const struct heat *h, int of)
{
	const struct vml_bin *b = h->series->bin;
	uint32_t row;
	size_t i, end;

	fprintf(p->out, "<path class=\"h%d\" d=\"", of);
	for (row = h->first; row <= h->last; row++)
		for (i = 0; i < h->series->n; i = end) {
			int x = html_x_of(p, b[i].from_ns);

			end = i + 1;
			if (level(h, i, row) != of)
				continue;
			while (end < h->series->n && !b[end].gap && level(h, end, row) == of)
				end++;
			fprintf(p->out, "M%d %dH%dv%dH%dz", x, (int)(h->last - row) * ROW_Y,
				html_x_of(p, b[end - 1].until_ns), ROW_Y, x);
		}
	html_raw(p->out, "\"/>");
}

static void y_axis(struct html_plot *p, const struct heat *h)
{
	uint32_t rows = h->last - h->first + 1, step = rows / 6 + 1, row;
	char text[32];

	/* the lowest bound is the label below; none so near that they overlap */
	for (row = h->first + (step > 1 ? step : 0); row <= h->last; row += step)
		html_y(p, (row - h->first + 1) * 1000 / rows, html_ns(text, sizeof(text), row_upper(row)));
	html_y(p, 0, h->first ? html_ns(text, sizeof(text), row_upper(h->first - 1)) : "0");
}

static void scale(struct html_plot *p, const struct heat *h)
{
	char text[32], name[32];
	int i;

	for (i = 1; i <= LEVELS; i++) {
		double from = h->least * pow(h->most / h->least, (double)(i - 1) / LEVELS);

		snprintf(name, sizeof(name), "h%d", i);
		html_key(p, name, vml_fmt_count(text, sizeof(text), i == 1 ? h->least : from));
	}
	html_raw(p->out, "<span>and more waits a second</span>");
}

void html_plot_heat(struct html_plot *p, const char *title, enum vml_series_hist which)
{
	static const enum vml_metric metric[] = { VML_MMAP_READ_WAIT_NS, VML_MMAP_WRITE_WAIT_NS };
	struct heat h = { .series = p->series, .which = which };
	char summary[256], count[32], from[32], to[32];
	bool known = false;
	size_t i;
	int of;

	for (i = 0; i < p->series->n; i++)
		known |= p->series->bin[i].have & VML_METRIC_BIT(metric[which]);
	find(&h);
	if (!known)
		snprintf(summary, sizeof(summary), "Cannot be seen on this host.");
	else if (!h.count)
		snprintf(summary, sizeof(summary), "There was none.");
	else
		snprintf(
			summary, sizeof(summary),
			"%s waits, from %s up to %s; the darker (on dark pages: the lighter) the more of them a second.",
			vml_fmt_count(count, sizeof(count), (double)h.count),
			h.first ? html_ns(from, sizeof(from), row_upper(h.first - 1)) : "0",
			html_ns(to, sizeof(to), row_upper(h.last)));
	html_figure(p, "plot heat", title, summary);
	if (!known || !h.count) {
		html_figure_empty(p);
		return;
	}
	scale(p, &h);
	html_chart(p);
	y_axis(p, &h);
	html_svg(p, (int)(h.last - h.first + 1) * ROW_Y, title, summary);
	for (of = 1; of <= LEVELS; of++)
		cells(p, &h, of);
	html_svg_end(p, VML_METRIC_BIT(metric[which]));
}
