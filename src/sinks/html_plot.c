// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "html_plot.h"

#include <math.h>
#include <string.h>
#include <time.h>

#include "html.h"
#include "html_parts.h"
#include "parts.h"
#include "vmalock/base.h"

#define SECOND 1000000000ULL
#define LABELS 6 /* of the x axis, at most */
#define DAY 86400U

void html_plot_open(struct html_plot *p, FILE *out, const struct vml_series *series, const struct vml_period *period)
{
	size_t i;

	*p = (struct html_plot){ .out = out, .series = series, .period = period };
	p->t0_ns = series->bin[0].from_ns;
	p->t1_ns = series->bin[0].until_ns;
	/* not the first and the last: the clock may have been set */
	for (i = 1; i < series->n; i++) {
		p->t0_ns = series->bin[i].from_ns < p->t0_ns ? series->bin[i].from_ns : p->t0_ns;
		p->t1_ns = series->bin[i].until_ns > p->t1_ns ? series->bin[i].until_ns : p->t1_ns;
	}
}

/* ---- time */

static double span(const struct html_plot *p)
{
	return p->t1_ns > p->t0_ns ? (double)(p->t1_ns - p->t0_ns) : 1;
}

int html_x_of(const struct html_plot *p, uint64_t t)
{
	if (t <= p->t0_ns)
		return 0;
	return t >= p->t1_ns ? PLOT_X : (int)lround(PLOT_X * (double)(t - p->t0_ns) / span(p));
}

/* "13:00:05", or with the day when the period is long. */
static char *html_time(const struct html_plot *p, uint64_t t, char *buf, size_t n)
{
	char clock[64];

	/* 2026-03-01T13:00:05+01:00 */
	vml_fmt_clock(clock, sizeof(clock), t, p->period->utc);
	if (span(p) > DAY * 1e9)
		snprintf(buf, n, "%.5s %.5s", clock + 5, clock + 11);
	else
		snprintf(buf, n, "%.8s", clock + 11);
	return buf;
}

static long offset_of(const struct html_plot *p)
{
	time_t t = (time_t)(p->t0_ns / SECOND);
	struct tm tm = { 0 };

	if (!p->period->utc)
		localtime_r(&t, &tm);
	return p->period->utc ? 0 : tm.tm_gmtoff;
}

/* Seconds between labels: a number that people count in. */
static uint64_t step_of(const struct html_plot *p)
{
	static const uint32_t nice[] = { 1,   2,    5,	  10,	15,	  30,	    60,	       120, 300,     600,
					 900, 1800, 3600, 7200, 3 * 3600, 6 * 3600, 12 * 3600, DAY, 2 * DAY, 7 * DAY };
	double least = span(p) / 1e9 / LABELS;
	size_t i;

	for (i = 0; i + 1 < VML_ARRAY_SIZE(nice) && nice[i] < least; i++)
		;
	return nice[i] > least ? nice[i] : nice[i] * (uint64_t)ceil(least / nice[i]);
}

/* Places are in hundredths of a percent: whole numbers, whatever the locale. */
static void put_place(FILE *out, const char *property, int x)
{
	fprintf(out, "%s:%d.%02d%%", property, x * 100 / PLOT_X, x * 100 % PLOT_X / (PLOT_X / 100));
}

static void x_axis(struct html_plot *p)
{
	uint64_t step = step_of(p), offset = (uint64_t)(offset_of(p) + (long)(7 * DAY));
	uint64_t t = ((p->t0_ns / SECOND + offset) / step + 1) * step - offset;
	char text[32];

	html_raw(p->out, "<div class=\"x\" aria-hidden=\"true\">");
	for (; t <= (p->t1_ns - 1) / SECOND; t += step) {
		int x = html_x_of(p, t * SECOND);

		if (x < PLOT_X / 30 || x > PLOT_X - PLOT_X / 30)
			continue; /* it would stick out */
		html_raw(p->out, "<span style=\"");
		put_place(p->out, "left", x);
		html_raw(p->out, "\">");
		html_text(p->out, html_time(p, t * SECOND, text, sizeof(text)));
		html_raw(p->out, "</span>");
	}
	html_raw(p->out, "</div>");
}

/* ---- what lies over a plot */

static void mark(struct html_plot *p, const char *class, uint64_t from_ns, uint64_t until_ns, const char *why)
{
	int from = html_x_of(p, from_ns), until = html_x_of(p, until_ns);

	fprintf(p->out, "<i class=\"%s\" style=\"", class);
	put_place(p->out, "left", from);
	if (until > from)
		put_place(p->out, ";width", until - from);
	html_raw(p->out, "\"");
	html_attr(p->out, "title", why);
	html_raw(p->out, "></i>");
}

static void gaps(struct html_plot *p, uint64_t metrics)
{
	const struct vml_bin *b = p->series->bin;
	size_t i;

	for (i = 0; i < p->series->n; i++) {
		if (b[i].gap)
			mark(p, "gap", b[i - 1].until_ns, b[i].from_ns, "nobody observed, or the clock was set");
		if ((b[i].have & metrics) != metrics)
			mark(p, "gap", b[i].from_ns, b[i].until_ns, "not known");
	}
}

static void losses(struct html_plot *p)
{
	char why[64], number[32];
	size_t i;

	for (i = 0; i < p->series->n; i++) {
		const struct vml_bin *b = &p->series->bin[i];

		if (!b->lost)
			continue;
		snprintf(why, sizeof(why), "%s events were lost", vml_grouped(number, sizeof(number), (double)b->lost));
		mark(p, "lost", b->from_ns, b->until_ns, why);
	}
}

static bool is_moment(const struct vml_note *n)
{
	return strcmp(n->kind, "start") != 0 && strcmp(n->kind, "gap") != 0;
}

static void events(struct html_plot *p)
{
	size_t n = p->period->nnotes, i;
	char what[512];

	for (i = n > HTML_NOTES ? n - HTML_NOTES : 0; i < n; i++) {
		const struct vml_note *n = &p->period->note[i];

		if (!is_moment(n))
			continue;
		vml_text_printf(what, sizeof(what), "%s: %s", n->kind, n->text);
		mark(p, "event", n->real_ns, n->real_ns, what);
	}
}

/* ---- the frame of a plot */

void html_key(struct html_plot *p, const char *class, const char *text)
{
	fprintf(p->out, "<span><i class=\"%s\"></i>", class);
	html_text(p->out, text);
	html_raw(p->out, "</span>");
}

static void marks_key(struct html_plot *p)
{
	bool gap = false, lost = false, event = false;
	size_t i;

	for (i = 0; i < p->series->n; i++) {
		gap |= p->series->bin[i].gap;
		lost |= p->series->bin[i].lost;
	}
	for (i = 0; i < p->period->nnotes; i++)
		event |= is_moment(&p->period->note[i]);
	if (gap)
		html_key(p, "gap", "nobody observed, or not known");
	if (lost)
		html_key(p, "lost", "events were lost: the numbers are too low");
	if (event)
		html_key(p, "event", "an event of the list above");
}

void html_figure(struct html_plot *p, const char *class, const char *title, const char *summary)
{
	fprintf(p->out, "<figure class=\"%s\">", class);
	html_raw(p->out, "<figcaption>");
	html_text(p->out, title);
	html_el(p->out, "p", summary);
	html_raw(p->out, "</figcaption>");
	html_raw(p->out, "<div class=\"key\">");
}

void html_chart(struct html_plot *p)
{
	marks_key(p);
	html_raw(p->out, "</div><div class=\"chart\"><div class=\"y\" aria-hidden=\"true\">");
}

void html_figure_empty(struct html_plot *p)
{
	html_raw(p->out, "</div></figure>\n");
}

void html_y(struct html_plot *p, unsigned int part, const char *text)
{
	fprintf(p->out, "<span style=\"bottom:%u.%u%%\">", part / 10, part % 10);
	html_text(p->out, text);
	html_raw(p->out, "</span>");
}

void html_svg(struct html_plot *p, int height, const char *title, const char *desc)
{
	unsigned int id = p->id++;

	fprintf(p->out,
		"</div><div class=\"area\"><svg viewBox=\"0 0 %d %d\" preserveAspectRatio=\"none\" role=\"img\" "
		"aria-labelledby=\"t%u d%u\"><title id=\"t%u\">",
		PLOT_X, height, id, id, id);
	html_text(p->out, title);
	fprintf(p->out, "</title><desc id=\"d%u\">", id);
	html_text(p->out, desc);
	html_raw(p->out, "</desc>");
}

void html_svg_end(struct html_plot *p, uint64_t metrics)
{
	html_raw(p->out, "</svg>");
	gaps(p, metrics);
	losses(p);
	events(p);
	html_raw(p->out, "</div>");
	x_axis(p);
	html_raw(p->out, "</div></figure>\n");
}

/* ---- lines */

static bool knows(const struct vml_bin *b, enum vml_metric m)
{
	return b->have & VML_METRIC_BIT(m);
}

static double rate(const struct vml_bin *b, enum vml_metric m)
{
	return (double)b->total[m] * 1e9 / (double)b->interval_ns;
}

static char *value_text(enum vml_metric m, double v, char *buf, size_t n)
{
	if (vml_metric_info(m)->unit == VML_UNIT_NS)
		return vml_fmt_spaced(vml_fmt_ns(buf, n, v), n);
	return vml_fmt_count(buf, n, v);
}

/* What a line says in words, into @buf; false: there is nothing to plot. */
static bool summarize(const struct html_plot *p, const struct html_line *l, double *max, char *buf, size_t n)
{
	const struct vml_bin *most = NULL, *least = NULL;
	double total = 0, seconds = 0;
	char mean_text[32], most_text[32], least_text[32], at[2][32];
	size_t i;

	for (i = 0; i < p->series->n; i++) {
		const struct vml_bin *b = &p->series->bin[i];

		if (!knows(b, l->metric))
			continue;
		total += (double)b->total[l->metric];
		seconds += (double)b->interval_ns / 1e9;
		if (!most || rate(b, l->metric) > rate(most, l->metric))
			most = b;
		if (!least || rate(b, l->metric) < rate(least, l->metric))
			least = b;
	}
	if (!most) {
		snprintf(buf, n, "%s: cannot be seen on this host. ", l->name);
		return false;
	}
	*max = fmax(*max, rate(most, l->metric));
	snprintf(buf, n, "%s: %s on average, most %s (%s), least %s (%s). ", l->name,
		 value_text(l->metric, total / seconds, mean_text, sizeof(mean_text)),
		 value_text(l->metric, rate(most, l->metric), most_text, sizeof(most_text)),
		 html_time(p, most->from_ns, at[0], sizeof(at[0])),
		 value_text(l->metric, rate(least, l->metric), least_text, sizeof(least_text)),
		 html_time(p, least->from_ns, at[1], sizeof(at[1])));
	return true;
}

/* 1, 2 or 5 times a power of ten. */
static double nice_above(double v)
{
	double power = pow(10, floor(log10(v)));

	return v <= power ? power : v <= 2 * power ? 2 * power : v <= 5 * power ? 5 * power : 10 * power;
}

static int y_of(double v, double top)
{
	return PLOT_Y - (int)lround(PLOT_Y * v / top);
}

/* Bins that adjoin as one line of steps; @filled: down to the axis. */
static void draw(struct html_plot *p, enum vml_metric m, double top, bool filled, const char *class)
{
	const struct vml_bin *b = p->series->bin;
	bool on = false;
	size_t i;

	fprintf(p->out, "<path class=\"%s\" d=\"", class);
	for (i = 0; i < p->series->n; i++) {
		int x = html_x_of(p, b[i].from_ns), end = html_x_of(p, b[i].until_ns), y;

		if (!knows(&b[i], m) || b[i].gap) {
			if (on && filled)
				fprintf(p->out, "V%dz", PLOT_Y);
			on = false;
		}
		if (!knows(&b[i], m))
			continue;
		y = y_of(rate(&b[i], m), top);
		if (on)
			fprintf(p->out, "V%d", y);
		else if (filled)
			fprintf(p->out, "M%d %dV%d", x, PLOT_Y, y);
		else
			fprintf(p->out, "M%d %d", x, y);
		fprintf(p->out, "H%d", end);
		on = true;
	}
	if (on && filled)
		fprintf(p->out, "V%dz", PLOT_Y);
	html_raw(p->out, "\"/>");
}

void html_plot_lines(struct html_plot *p, const char *title, const struct html_line *line, size_t n)
{
	char summary[512] = "", text[32];
	double max = 0, top;
	bool any = false;
	uint64_t metrics = 0;
	size_t i, len;

	for (i = 0; i < n; i++) {
		len = strlen(summary);
		if (!summarize(p, &line[i], &max, summary + len, sizeof(summary) - len))
			continue;
		any = true;
		metrics |= VML_METRIC_BIT(line[i].metric);
	}
	html_figure(p, "plot", title, summary);
	if (!any) {
		html_figure_empty(p);
		return;
	}
	for (i = 0; i < n && n > 1; i++)
		html_key(p, i ? "kb" : "ka", line[i].name);
	html_chart(p);
	top = nice_above(max > 0 ? max : vml_metric_info(line[0].metric)->unit == VML_UNIT_NS ? 1e6 : 1);
	html_y(p, 1000, value_text(line[0].metric, top, text, sizeof(text)));
	html_y(p, 500, value_text(line[0].metric, top / 2, text, sizeof(text)));
	html_y(p, 0, "0");
	html_svg(p, PLOT_Y, title, summary);
	fprintf(p->out, "<path class=\"grid\" d=\"M0 0H%d M0 %dH%d\"/>", PLOT_X, PLOT_Y / 2, PLOT_X);
	draw(p, line[0].metric, top, true, "fa");
	for (i = 0; i < n; i++)
		draw(p, line[i].metric, top, false, i ? "b" : "a");
	html_svg_end(p, metrics);
}

/* ---- the same in numbers */

static void number_cell(struct html_table *t, const struct vml_bin *b, enum vml_metric m)
{
	char text[32];

	html_cell(t, knows(b, m) ? value_text(m, rate(b, m), text, sizeof(text)) : "-");
}

static void share_cell(struct html_table *t, const struct vml_bin *b)
{
	bool known = knows(b, VML_FAULTS) && knows(b, VML_FALLBACKS) && b->total[VML_FAULTS];
	char text[32];

	if (known)
		vml_fmt_spaced(vml_fmt_percent(text, sizeof(text),
					       (double)b->total[VML_FALLBACKS] / (double)b->total[VML_FAULTS]),
			       sizeof(text));
	html_cell(t, known ? text : "-");
}

void html_plot_numbers(struct html_plot *p)
{
	static const char *const head[] = { "From",	      "#Observed",   "#Faults/s",    "#Fallbacks/s",
					    "#Of the faults", "#Bypasses/s", "#Read wait/s", "#Write wait/s",
					    "#Events lost",   NULL };
	struct html_table t;
	char text[64];
	size_t i;

	html_raw(p->out, "<details><summary>The same in numbers, for each bin of the plots</summary>\n");
	html_table(&t, p->out, NULL, head);
	for (i = 0; i < p->series->n; i++) {
		const struct vml_bin *b = &p->series->bin[i];

		html_row(&t);
		html_cell(&t, vml_fmt_clock(text, sizeof(text), b->from_ns, p->period->utc));
		html_cell(&t, html_ns(text, sizeof(text), (double)b->interval_ns));
		number_cell(&t, b, VML_FAULTS);
		number_cell(&t, b, VML_FALLBACKS);
		share_cell(&t, b);
		number_cell(&t, b, VML_BYPASSES);
		number_cell(&t, b, VML_MMAP_READ_WAIT_NS);
		number_cell(&t, b, VML_MMAP_WRITE_WAIT_NS);
		html_cell(&t, vml_grouped(text, sizeof(text), (double)b->lost));
		html_row_end(&t);
	}
	html_table_end(&t);
	html_raw(p->out, "</details>\n");
}
