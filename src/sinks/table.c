// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Text in batches, for pipes, logs and terminals that cannot move the cursor. */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "vmalock/base.h"
#include "vmalock/caps.h"
#include "vmalock/snapshot.h"
#include "vmalock/sink.h"
#include "grid.h"
#include "parts.h"

#define BLOCKERS 5 /* rows */
#define NOTES 20

/* ---- the parts of a batch */

static void print_period(FILE *out, const struct vml_snapshot *d, const struct vml_period *p)
{
	char from[64], until[64], span[32];

	if (p->file)
		fprintf(out, "file   %s\n", p->file);
	fprintf(out, "time   %s to %s, %s observed in %zu %s\n", vml_fmt_clock(from, sizeof(from), p->from_ns, p->utc),
		vml_fmt_clock(until, sizeof(until), p->until_ns, p->utc),
		vml_fmt_spaced(vml_fmt_ns(span, sizeof(span), (double)d->interval_ns), sizeof(span)), p->intervals,
		p->intervals == 1 ? "interval" : "intervals");
}

static void print_notes(FILE *out, const struct vml_period *p)
{
	char when[64];
	size_t i, first = p->nnotes > NOTES ? p->nnotes - NOTES : 0;

	if (first)
		fprintf(out, "event  (%zu earlier ones are left out)\n", first);
	for (i = first; i < p->nnotes; i++)
		fprintf(out, "event  %s %s%s%s\n", vml_fmt_clock(when, sizeof(when), p->note[i].real_ns, p->utc),
			p->note[i].kind, *p->note[i].text ? ": " : "", p->note[i].text);
}

static void print_head(FILE *out, const struct vml_snapshot *d, const struct vml_period *p)
{
	char buf[512], when[64], span[32];

	if (p)
		vml_verdict_past(d, buf, sizeof(buf));
	else
		vml_verdict(d, buf, sizeof(buf));
	fprintf(out, "%s\n", buf);
	if (p)
		print_period(out, d, p);
	else
		fprintf(out, "time   %s, over %s\n", vml_fmt_time(when, sizeof(when), d->real_ns),
			vml_fmt_spaced(vml_fmt_ns(span, sizeof(span), (double)d->interval_ns), sizeof(span)));
	fprintf(out, "host   %s\n", vml_summary(d, VML_SUMMARY_HOST, buf, sizeof(buf)));
	fprintf(out, "rates  %s\n", vml_summary(d, VML_SUMMARY_RATES, buf, sizeof(buf)));
	if (*vml_summary(d, VML_SUMMARY_LOSS, buf, sizeof(buf)))
		fprintf(out, "lost   %s\n", buf);
	fprintf(out, "cost   %s\n", vml_summary(d, VML_SUMMARY_COST, buf, sizeof(buf)));
	if (p)
		print_notes(out, p);
}

static bool is_text(const struct vml_column *c)
{
	return c->unit == VML_UNIT_TEXT;
}

/* The first @n of @rows, with all columns of @scope. */
static int print_table(FILE *out, const struct vml_snapshot *d, const struct vml_view *view, enum vml_scope scope,
		       const struct vml_row **rows, size_t n)
{
	const struct vml_column *const *columns = vml_columns(scope), *const * c;
	struct vml_grid t;
	size_t i;
	char cell[VML_GRID_CELL];

	vml_grid_open(&t, out, view->utf8);
	for (c = columns; *c; c++)
		vml_grid_column(&t, (*c)->title, !is_text(*c));
	for (i = 0; i < n; i++) {
		vml_grid_row(&t);
		for (c = columns; *c; c++)
			vml_grid_cell(&t, vml_column_text(*c, d, scope, rows[i], true, cell, sizeof(cell)));
	}
	return vml_grid_print(&t);
}

static int print_rows(FILE *out, struct vml_snapshot *d, const struct vml_view *view)
{
	const struct vml_row **rows;
	char text[VML_GRID_CELL];
	size_t n;
	int err = vml_view_rank(d, view, view->scope, &rows, &n);

	if (err)
		return err;
	fputc('\n', out);
	if (n)
		return print_table(out, d, view, view->scope, rows, n);
	fprintf(out, "%s\n", vml_empty_text(d, view->scope, text, sizeof(text)));
	return 0;
}

/* Those with most to answer for, whatever the other table is sorted by; -l 0 shows all. */
static int print_blockers(FILE *out, struct vml_snapshot *d, const struct vml_view *view)
{
	size_t limit = view->limit && view->limit < BLOCKERS ? view->limit : BLOCKERS, n;
	const struct vml_row **rows;
	int err = vml_rank(d, VML_BLOCKER, NULL, false, false, view->limit ? limit : 0, &rows, &n);

	if (err || !n || !rows[0]->value[VML_BLAMED_NS])
		return err;
	fputs("\nBLOCKERS: who held a lock that others waited for\n", out);
	return print_table(out, d, view, VML_BLOCKER, rows, n);
}

static int print_reasons(FILE *out, const struct vml_snapshot *d, const struct vml_view *view)
{
	struct vml_cell *cell;
	struct vml_grid t;
	char buf[64];
	double sum = (double)vml_tally_sum(&d->reasons);
	uint32_t i, n;
	int err;

	if (!d->have_reasons || !d->reasons.n)
		return 0;
	err = vml_reasons_rank(d, &d->reasons, &cell, &n);
	if (err)
		return err;
	fputc('\n', out);
	vml_grid_open(&t, out, view->utf8);
	vml_grid_column(&t, "REASON", false);
	vml_grid_column(&t, "CERTAINTY", false);
	vml_grid_column(&t, "FAULTS/s", true);
	vml_grid_column(&t, "SHARE", true);
	vml_grid_column(&t, "MEANING", false);
	for (i = 0; i < n; i++) {
		const char *name = vml_reason_name(cell[i].index / 2), *help = vml_reason_help(cell[i].index / 2);

		vml_grid_row(&t);
		vml_grid_cell(&t, name ? name : "?");
		vml_grid_cell(&t, cell[i].index % 2 == VML_EXACT ? "exact" : "inferred");
		vml_grid_cell(&t, vml_fmt_count(buf, sizeof(buf), (double)cell[i].count / vml_seconds(d)));
		vml_grid_cell(&t, vml_fmt_percent(buf, sizeof(buf), (double)cell[i].count / sum));
		vml_grid_cell(&t, help ? help : "");
	}
	free(cell);
	return vml_grid_print(&t);
}

static int print_lookups(FILE *out, const struct vml_snapshot *d, const struct vml_view *view)
{
	static const char *const head[] = { "LOOKUPS/s", "ABORTS/s", "MISSES/s" };
	bool misses = d->caps && vml_caps_has(d->caps, VML_CAP_MISSES);
	struct vml_grid t;
	char buf[64];
	size_t i, k;

	if (!vml_lookups_worth(d))
		return 0;
	fputc('\n', out);
	vml_grid_open(&t, out, view->utf8);
	vml_grid_column(&t, "VMA LOOKUPS BY", false);
	for (k = 0; k < VML_ARRAY_SIZE(head); k++)
		vml_grid_column(&t, head[k], true);
	for (i = 0; i < d->nlookup; i++) {
		const struct vml_lookup *l = &d->lookup[i];
		const uint64_t count[] = { l->lookups, l->aborts, l->misses };

		if (!l->lookups)
			continue;
		vml_grid_row(&t);
		vml_grid_cell(&t, l->caller);
		for (k = 0; k < VML_ARRAY_SIZE(count); k++)
			vml_grid_cell(&t, k == 2 && !misses
						  ? "-"
						  : vml_fmt_count(buf, sizeof(buf), (double)count[k] / vml_seconds(d)));
	}
	return vml_grid_print(&t);
}

static void time_cell(struct vml_grid *t, double ns)
{
	char buf[32];

	vml_grid_cell(t, ns < 0 ? "-" : isfinite(ns) ? vml_fmt_ns(buf, sizeof(buf), ns) : ">128s");
}

static int print_times(FILE *out, const struct vml_snapshot *d, const struct vml_view *view)
{
	static const double quantile[] = { 0.5, 0.9, 0.99 };
	struct vml_grid t;
	char buf[32];
	size_t i, q;
	bool any = false;

	for (i = 0; i < VML_HISTS; i++)
		any |= vml_knows(d, vml_hist_metrics[i]) && d->hist[i].count;
	if (!any)
		return 0;
	fputc('\n', out);
	vml_grid_open(&t, out, view->utf8);
	vml_grid_column(&t, "DURATION", false);
	vml_grid_column(&t, "TIMES/s", true);
	vml_grid_column(&t, "P50", true);
	vml_grid_column(&t, "P90", true);
	vml_grid_column(&t, "P99", true);
	vml_grid_column(&t, "MAX", true);
	for (i = 0; i < VML_HISTS; i++) {
		if (!vml_knows(d, vml_hist_metrics[i]) || (i >= VML_HISTS_ALWAYS && !d->hist[i].count))
			continue;
		vml_grid_row(&t);
		vml_grid_cell(&t, vml_hist_titles[i]);
		vml_grid_cell(&t, vml_fmt_count(buf, sizeof(buf), (double)d->hist[i].count / vml_seconds(d)));
		for (q = 0; q < VML_ARRAY_SIZE(quantile); q++)
			time_cell(&t, vml_hist_quantile(&d->hist[i], quantile[q]));
		time_cell(&t, vml_hist_max_bound(&d->hist[i]));
	}
	return vml_grid_print(&t);
}

int vml_table_write(FILE *out, struct vml_snapshot *delta, const struct vml_view *view)
{
	FILE *f = vml_plain_open(out, view->utf8);
	int err;

	if (!f)
		return -ENOMEM;
	print_head(f, delta, view->period);
	err = print_rows(f, delta, view);
	if (!err)
		err = print_blockers(f, delta, view);
	if (!err)
		err = print_reasons(f, delta, view);
	if (!err)
		err = print_lookups(f, delta, view);
	if (!err)
		err = print_times(f, delta, view);
	return vml_plain_close(f, out, err);
}
