// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* A comparison as one page. */
#include <errno.h>
#include <math.h>
#include <stdlib.h>

#include "diff.h"
#include "html.h"
#include "parts.h"
#include "vmalock/base.h"

#define X 1000 /* of the plot; the middle is no change */

static void verdict(FILE *out, const struct vml_comparison *c, const char *text)
{
	static const char *const class[] = {
		[VML_NO_CHANGE] = "same",      [VML_REGRESSION] = "regression", [VML_IMPROVEMENT] = "improvement",
		[VML_INCONCLUSIVE] = "unsure", [VML_NOT_COMPARABLE] = "unsure",
	};

	fprintf(out, "<p class=\"verdict %s\">", class[c->verdict]);
	html_text(out, text);
	html_raw(out, "</p>\n");
}

static void side(FILE *out, const char *letter, const struct vml_diff_side *s, bool utc)
{
	char from[64], until[64], span[32], faults[32] = "-", host[512];

	html_el(out, "dt", letter);
	html_raw(out, "<dd>");
	html_text(out, s->name);
	if (!s->sum) {
		html_raw(out, ": no intervals</dd>\n");
		return;
	}
	if (vml_knows(s->sum, VML_FAULTS))
		vml_grouped(faults, sizeof(faults), (double)s->sum->total[VML_FAULTS] / vml_seconds(s->sum));
	html_elf(out, "div class=\"soft\"", "%s to %s: %s in %zu intervals, %s faults/s",
		 vml_fmt_clock(from, sizeof(from), s->from_ns, utc),
		 vml_fmt_clock(until, sizeof(until), s->until_ns, utc),
		 html_ns(span, sizeof(span), (double)s->sum->interval_ns), s->intervals, faults);
	html_el(out, "div class=\"soft\"", vml_summary(s->sum, VML_SUMMARY_HOST, host, sizeof(host)));
	html_raw(out, "</dd>\n");
}

/* ---- changes, with their intervals, on a logarithmic scale of B / A */

struct scale {
	double reach; /* logarithm at the edges */
	double tick[5]; /* B / A */
};

static void choose_scale(const struct vml_comparison *c, struct scale *s)
{
	static const struct scale scales[] = {
		{ 0.55, { 1 / 1.5, 1 / 1.25, 1, 1.25, 1.5 } },
		{ 2.0, { 0.2, 0.5, 1, 2, 5 } },
		{ 5.0, { 0.01, 0.1, 1, 10, 100 } },
	};
	double most = 0;
	size_t i;
	int k;

	for (k = 0; k < VML_NMEASURES; k++) {
		const struct vml_change *x = &c->measure[k].change;

		if (!c->measure[k].known || !isfinite(x->by))
			continue;
		most = fmax(most, fabs(log1p(x->by)));
		if (diff_has_interval(x))
			most = fmax(most, fmax(fabs(log1p(x->low)), fabs(log1p(x->high))));
	}
	for (i = 0; i + 1 < VML_ARRAY_SIZE(scales) && scales[i].reach < most; i++)
		;
	*s = scales[i];
}

/* What lies outside is at the edge. */
static int x_of(const struct scale *s, double by)
{
	double x = log1p(by) / s->reach;

	if (!isfinite(by) || isnan(x))
		return by > 0 ? X : 0;
	return (int)lround(X / 2 * (1 + fmax(-1, fmin(1, x))));
}

static void whisker(FILE *out, const struct scale *s, const struct vml_measured *m)
{
	static const char *const class[] = {
		[VML_REGRESSION] = " regression", [VML_IMPROVEMENT] = " improvement", [VML_NOT_COMPARABLE] = ""
	};
	const char *kind = class[m->verdict];
	int band = x_of(s, VML_COMPARE_MARGIN), x = x_of(s, m->change.by);

	fprintf(out,
		"<svg viewBox=\"0 0 %d 10\" preserveAspectRatio=\"none\" aria-hidden=\"true\"><rect class=\"band\" "
		"x=\"%d\" y=\"0\" width=\"%d\" height=\"10\"/><path class=\"zero\" d=\"M%d 0V10\"/>",
		X, X - band, 2 * band - X, X / 2);
	if (diff_has_interval(&m->change))
		fprintf(out, "<path class=\"whisker\" d=\"M%d 5H%d\"/>", x_of(s, m->change.low),
			x_of(s, m->change.high));
	fprintf(out, "</svg><i class=\"dot%s\" style=\"left:%d.%d%%\"></i>", kind ? kind : "", x / 10, x % 10);
}

static void plot_row(FILE *out, const struct scale *s, enum vml_measure id, const struct vml_measured *m)
{
	char by[32], interval[80];

	html_raw(out, "<div class=\"chart\"><b>");
	html_text(out, vml_measure_info(id)->title);
	html_raw(out, "<br><span class=\"soft\">");
	if (!m->known)
		html_raw(out, "not known in both");
	else if (diff_has_interval(&m->change))
		html_textf(out, "%s (%s)", diff_change(by, sizeof(by), m->change.by),
			   diff_interval(interval, sizeof(interval), &m->change));
	else
		html_textf(out, "%s, without an interval", diff_change(by, sizeof(by), m->change.by));
	html_raw(out, "</span></b><div class=\"area\">");
	if (m->known && !isnan(m->change.by))
		whisker(out, s, m);
	html_raw(out, "</div></div>\n");
}

static void plot(FILE *out, const struct vml_comparison *c)
{
	struct scale s;
	char text[32];
	size_t i;
	int k;

	choose_scale(c, &s);
	html_raw(out, "<figure class=\"dots\"><figcaption>Change from A to B");
	html_elf(out, "p",
		 "Dot: what was measured; line: %.0f %% confidence interval; band: within %.0f %%, which is no change. "
		 "The scale is logarithmic; what lies outside is drawn at its edge. The numbers are in the table.",
		 100 * VML_COMPARE_CONFIDENCE, 100 * VML_COMPARE_MARGIN);
	html_raw(out, "</figcaption>\n");
	for (k = 0; k < VML_NMEASURES; k++)
		plot_row(out, &s, (enum vml_measure)k, &c->measure[k]);
	html_raw(out, "<div class=\"chart\"><div class=\"x\" aria-hidden=\"true\">");
	for (i = 0; i < VML_ARRAY_SIZE(s.tick); i++) {
		int x = x_of(&s, s.tick[i] - 1);

		fprintf(out, "<span style=\"left:%d.%d%%\">", x / 10, x % 10);
		html_text(out, s.tick[i] == 1 ? "no change" : diff_change(text, sizeof(text), s.tick[i] - 1));
		html_raw(out, "</span>");
	}
	html_raw(out, "</div></div></figure>\n");
}

/* ---- tables */

static void measures(FILE *out, const struct vml_comparison *c)
{
	static const char *const head[] = { "Measure", "#A",	    "#B",      "#A/s", "#B/s",
					    "#Change", "#Interval", "Verdict", NULL };
	struct html_table t;
	char buf[80];
	int k;

	html_table(&t, out, NULL, head);
	for (k = 0; k < VML_NMEASURES; k++) {
		const struct vml_measured *m = &c->measure[k];
		enum vml_measure id = (enum vml_measure)k;

		html_row(&t);
		html_cell(&t, vml_measure_info(id)->title);
		html_cell(&t, m->known ? diff_ratio(buf, sizeof(buf), id, m->a) : "-");
		html_cell(&t, m->known ? diff_ratio(buf, sizeof(buf), id, m->b) : "-");
		html_cell(&t, m->known ? diff_rate(buf, sizeof(buf), id, m->a_second) : "-");
		html_cell(&t, m->known ? diff_rate(buf, sizeof(buf), id, m->b_second) : "-");
		html_cell(&t, m->known ? diff_change(buf, sizeof(buf), m->change.by) : "-");
		html_cell(&t, m->known ? diff_interval(buf, sizeof(buf), &m->change) : "-");
		html_cell(&t, !m->known ? "-" : m->weighty ? vml_verdict_name(m->verdict) : "no change: too small");
		html_row_end(&t);
	}
	html_table_end(&t);
}

/* @n rows of one measure. */
static void moved(FILE *out, const struct vml_comparison *c, const struct vml_moved *m, size_t n)
{
	static const char *const head[] = { "By", "Comm", "What", "Name", "#A", "#B", "#Of it", "Cgroup", NULL };
	struct html_table t;
	char buf[64];
	size_t i;

	html_elf(out, "h3", "%s %s", vml_measure_info(m->measure)->title,
		 diff_change(buf, sizeof(buf), c->measure[m->measure].change.by));
	html_table(&t, out, NULL, head);
	for (i = 0; i < n; i++) {
		html_row(&t);
		html_cell(&t, vml_mover_name(m[i].by));
		html_cell(&t, *m[i].comm ? m[i].comm : "-");
		html_cell(&t, *m[i].what ? m[i].what : "-");
		html_cell(&t, *m[i].name ? m[i].name : "-");
		html_cell(&t, diff_ratio(buf, sizeof(buf), m[i].measure, m[i].a));
		html_cell(&t, diff_ratio(buf, sizeof(buf), m[i].measure, m[i].b));
		html_cell(&t, diff_change(buf, sizeof(buf), m[i].share));
		html_cell(&t, *m[i].cgroup ? m[i].cgroup : "-");
		html_row_end(&t);
	}
	html_table_end(&t);
}

static void all_moved(FILE *out, const struct vml_diff *d)
{
	size_t i, n;

	html_section(out, "moved", "Who and what moved");
	html_el(out, "p class=\"soft\"",
		"For each fault. OF IT: the share of the change; below 0 it went the other way. Joined by names, never by "
		"process ids.");
	for (i = 0; i < d->nmoved; i += n) {
		for (n = 1; i + n < d->nmoved && d->moved[i + n].measure == d->moved[i].measure; n++)
			;
		moved(out, d->comparison, d->moved + i, n);
	}
	html_section_end(out);
}

int vml_diff_html_write(FILE *out, const struct vml_diff *d)
{
	char *text = NULL, nameless[256];
	size_t len;
	FILE *f = open_memstream(&text, &len);

	if (!f)
		return -ENOMEM;
	diff_verdict(f, d->comparison);
	if (vml_text_close(f, &text))
		return -ENOMEM;
	html_begin(out, "Was it better before?");
	verdict(out, d->comparison, text);
	free(text);
	html_raw(out, "<dl>");
	side(out, "A", &d->side[0], d->utc);
	side(out, "B", &d->side[1], d->utc);
	html_raw(out, "</dl>\n");
	if (diff_nameless(d, nameless, sizeof(nameless)))
		html_elf(out, "p", "%s.", nameless);
	html_section(out, "measures", "What was compared");
	plot(out, d->comparison);
	measures(out, d->comparison);
	html_section_end(out);
	if (d->nmoved)
		all_moved(out, d);
	return html_end(out);
}
