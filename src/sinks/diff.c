// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* What was better before: the comparison of two samples as text. */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "vmalock/base.h"
#include "vmalock/sink.h"
#include "diff.h"
#include "grid.h"
#include "parts.h"

/* ---- numbers */

char *diff_change(char *buf, size_t n, double by)
{
	long tenths;

	if (isnan(by)) {
		snprintf(buf, n, "-");
	} else if (isinf(by)) {
		snprintf(buf, n, by > 0 ? "new" : "-");
	} else if (by >= 9.995) {
		snprintf(buf, n, "x%.0f", 1 + by);
	} else if (fabs(by) >= 0.0995) {
		snprintf(buf, n, "%+.0f %%", 100 * by);
	} else {
		tenths = lround(1000 * by);
		snprintf(buf, n, "%s%ld.%ld %%", tenths < 0 ? "-" : "+", labs(tenths) / 10, labs(tenths) % 10);
	}
	return buf;
}

bool diff_has_interval(const struct vml_change *c)
{
	return isfinite(c->by) && c->low < c->high;
}

char *diff_interval(char *buf, size_t n, const struct vml_change *c)
{
	char low[32], high[32];

	if (!diff_has_interval(c))
		snprintf(buf, n, "-");
	else
		snprintf(buf, n, "%s .. %s", diff_change(low, sizeof(low), c->low),
			 diff_change(high, sizeof(high), c->high));
	return buf;
}

char *diff_ratio(char *buf, size_t n, enum vml_measure m, double v)
{
	if (isnan(v))
		snprintf(buf, n, "-");
	else if (vml_measure_info(m)->time)
		vml_fmt_ns(buf, n, v);
	else
		vml_fmt_percent(buf, n, v);
	return buf;
}

char *diff_rate(char *buf, size_t n, enum vml_measure m, double v)
{
	return vml_measure_info(m)->time ? vml_fmt_ns(buf, n, v * 1e9) : vml_fmt_count(buf, n, v);
}

/* ---- the head */

/* The measures that the verdict is because of: ": fallbacks per fault +20 % (+18 % .. +23 %), ..." */
static void print_because(FILE *out, const struct vml_comparison *c)
{
	const char *before = ": ";
	char by[32], interval[80];
	int k;

	for (k = 0; k < VML_NMEASURES; k++) {
		const struct vml_measured *m = &c->measure[k];

		if (!m->known || m->verdict != c->verdict)
			continue;
		fprintf(out, "%s%s %s", before, vml_measure_info((enum vml_measure)k)->title,
			diff_change(by, sizeof(by), m->change.by));
		if (diff_has_interval(&m->change))
			fprintf(out, " (%s)", diff_interval(interval, sizeof(interval), &m->change));
		before = ", ";
	}
}

void diff_verdict(FILE *out, const struct vml_comparison *c)
{
	size_t i;

	fputs(vml_verdict_name(c->verdict), out);
	if (c->verdict == VML_NO_CHANGE)
		fprintf(out, ": every measure is within %.0f %%, or too small to matter", 100 * VML_COMPARE_MARGIN);
	else if (c->verdict == VML_NOT_COMPARABLE)
		for (i = 0; i < c->nwhy; i++)
			fprintf(out, "%s%s", i ? "; " : ": ", c->why_not[i]);
	else
		print_because(out, c);
}

static void print_side(FILE *out, char letter, const struct vml_diff_side *s, bool utc)
{
	char from[64], until[64], span[32], faults[32] = "-", host[512];

	if (!s->sum) {
		fprintf(out, "%c  %s: no intervals\n", letter, s->name);
		return;
	}
	if (vml_knows(s->sum, VML_FAULTS))
		vml_grouped(faults, sizeof(faults), (double)s->sum->total[VML_FAULTS] / vml_seconds(s->sum));
	fprintf(out, "%c  %s: %s in %zu intervals, %s to %s, %s faults/s\n   %s\n", letter, s->name,
		vml_fmt_spaced(vml_fmt_ns(span, sizeof(span), (double)s->sum->interval_ns), sizeof(span)), s->intervals,
		vml_fmt_clock(from, sizeof(from), s->from_ns, utc),
		vml_fmt_clock(until, sizeof(until), s->until_ns, utc), faults,
		vml_summary(s->sum, VML_SUMMARY_HOST, host, sizeof(host)));
}

bool diff_nameless(const struct vml_diff *d, char *buf, size_t n)
{
	static const char *const who[] = { NULL, "A is", "B is", "A and B are" };
	unsigned int i, which = 0;

	for (i = 0; i < 2; i++)
		if (d->side[i].sum && vml_is_redacted(d->side[i].sum))
			which |= 1U << i;
	if (which)
		snprintf(buf, n,
			 "%s without names (vmalock snapshot --redact): areas are joined by their kind, holders by "
			 "what they did, processes not at all",
			 who[which]);
	return which;
}

/* ---- the tables */

static int print_measures(FILE *out, const struct vml_comparison *c, bool utf8)
{
	char buf[80], title[32];
	struct vml_grid g;
	int k;

	fputc('\n', out);
	vml_grid_open(&g, out, utf8);
	snprintf(title, sizeof(title), "%.0f %% INTERVAL", 100 * VML_COMPARE_CONFIDENCE);
	vml_grid_column(&g, "MEASURE", false);
	vml_grid_column(&g, "A", true);
	vml_grid_column(&g, "B", true);
	vml_grid_column(&g, "A/s", true);
	vml_grid_column(&g, "B/s", true);
	vml_grid_column(&g, "CHANGE", true);
	vml_grid_column(&g, title, true);
	vml_grid_column(&g, "VERDICT", false);
	for (k = 0; k < VML_NMEASURES; k++) {
		const struct vml_measured *m = &c->measure[k];
		enum vml_measure id = (enum vml_measure)k;

		vml_grid_row(&g);
		vml_grid_cell(&g, vml_measure_info(id)->title);
		vml_grid_cell(&g, m->known ? diff_ratio(buf, sizeof(buf), id, m->a) : "-");
		vml_grid_cell(&g, m->known ? diff_ratio(buf, sizeof(buf), id, m->b) : "-");
		vml_grid_cell(&g, m->known ? diff_rate(buf, sizeof(buf), id, m->a_second) : "-");
		vml_grid_cell(&g, m->known ? diff_rate(buf, sizeof(buf), id, m->b_second) : "-");
		vml_grid_cell(&g, m->known ? diff_change(buf, sizeof(buf), m->change.by) : "-");
		vml_grid_cell(&g, m->known ? diff_interval(buf, sizeof(buf), &m->change) : "-");
		vml_grid_cell(&g, !m->known ? "-" : m->weighty ? vml_verdict_name(m->verdict) : "no change: too small");
	}
	return vml_grid_print(&g);
}

static void moved_row(struct vml_grid *g, const struct vml_moved *m)
{
	char buf[64];

	vml_grid_row(g);
	vml_grid_cell(g, vml_mover_name(m->by));
	vml_grid_cell(g, *m->comm ? m->comm : "-");
	vml_grid_cell(g, *m->what ? m->what : "-");
	vml_grid_cell(g, *m->name ? m->name : "-");
	vml_grid_cell(g, diff_ratio(buf, sizeof(buf), m->measure, m->a));
	vml_grid_cell(g, diff_ratio(buf, sizeof(buf), m->measure, m->b));
	vml_grid_cell(g, diff_change(buf, sizeof(buf), m->share));
	vml_grid_cell(g, *m->cgroup ? m->cgroup : "-");
}

/* What moved in one measure: @n rows. */
static int print_moved(FILE *out, const struct vml_comparison *c, const struct vml_moved *m, size_t n, bool utf8)
{
	char by[32];
	struct vml_grid g;
	size_t i;

	fprintf(out, "\n%s %s, by who and what moved\n", vml_measure_info(m->measure)->title,
		diff_change(by, sizeof(by), c->measure[m->measure].change.by));
	vml_grid_open(&g, out, utf8);
	vml_grid_column(&g, "BY", false);
	vml_grid_column(&g, "COMM", false);
	vml_grid_column(&g, "WHAT", false);
	vml_grid_column(&g, "NAME", false);
	vml_grid_column(&g, "A", true);
	vml_grid_column(&g, "B", true);
	vml_grid_column(&g, "OF IT", true);
	vml_grid_column(&g, "CGROUP", false);
	for (i = 0; i < n; i++)
		moved_row(&g, &m[i]);
	return vml_grid_print(&g);
}

int vml_diff_write(FILE *out, const struct vml_diff *d, bool utf8)
{
	FILE *f = vml_plain_open(out, utf8);
	char text[256];
	size_t i, n;
	int err;

	if (!f)
		return -ENOMEM;
	diff_verdict(f, d->comparison);
	fputc('\n', f);
	print_side(f, 'A', &d->side[0], d->utc);
	print_side(f, 'B', &d->side[1], d->utc);
	if (diff_nameless(d, text, sizeof(text)))
		fprintf(f, "%s\n", text);
	err = print_measures(f, d->comparison, utf8);
	for (i = 0; i < d->nmoved && !err; i += n) {
		for (n = 1; i + n < d->nmoved && d->moved[i + n].measure == d->moved[i].measure; n++)
			;
		err = print_moved(f, d->comparison, d->moved + i, n, utf8);
	}
	return vml_plain_close(f, out, err);
}
