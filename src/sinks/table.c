// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Text in batches, for pipes, logs and terminals that cannot move the cursor. */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <libsmartcols.h>

#include "vmalock/base.h"
#include "vmalock/caps.h"
#include "vmalock/snapshot.h"
#include "vmalock/sink.h"
#include "parts.h"

#define CELL_MAX 1024
#define BLOCKERS 5 /* rows */

/* ---- libsmartcols, with errors that stick */

struct table {
	struct libscols_table *tb;
	struct libscols_line *line;
	size_t column;
	bool utf8;
	int error;
};

static void table_open(struct table *t, FILE *out, bool utf8)
{
	*t = (struct table){ .tb = scols_new_table(), .utf8 = utf8 };
	if (!t->tb) {
		t->error = -ENOMEM;
		return;
	}
	t->error = scols_table_set_stream(t->tb, out);
	/* a log has no width, and the text is clean already */
	scols_table_set_termforce(t->tb, SCOLS_TERMFORCE_NEVER);
	scols_table_enable_noencoding(t->tb, 1);
}

static void table_column(struct table *t, const char *title, bool right)
{
	if (!t->error && !scols_table_new_column(t->tb, title, 0, right ? SCOLS_FL_RIGHT : 0))
		t->error = -ENOMEM;
}

static void table_row(struct table *t)
{
	if (t->error)
		return;
	t->column = 0;
	t->line = scols_table_new_line(t->tb, NULL);
	if (!t->line)
		t->error = -ENOMEM;
}

static void table_cell(struct table *t, const char *text)
{
	char ascii[CELL_MAX];

	if (t->error)
		return;
	if (!t->utf8) {
		vml_text_fit(ascii, sizeof(ascii), text, vml_text_width(text), false, false);
		text = ascii;
	}
	t->error = scols_line_set_data(t->line, t->column++, text);
}

static int table_print(struct table *t)
{
	int error = t->error;

	if (!error)
		error = scols_print_table(t->tb);
	scols_unref_table(t->tb);
	return error;
}

/* ---- the parts of a batch */

static void print_head(FILE *out, const struct vml_snapshot *d)
{
	char buf[512], when[64], span[32];

	vml_verdict(d, buf, sizeof(buf));
	fprintf(out, "%s\n", buf);
	fprintf(out, "time   %s, over %s\n", vml_fmt_time(when, sizeof(when), d->real_ns),
		vml_spaced(vml_fmt_ns(span, sizeof(span), (double)d->interval_ns), sizeof(span)));
	fprintf(out, "host   %s\n", vml_summary(d, VML_SUMMARY_HOST, buf, sizeof(buf)));
	fprintf(out, "rates  %s\n", vml_summary(d, VML_SUMMARY_RATES, buf, sizeof(buf)));
	if (*vml_summary(d, VML_SUMMARY_LOSS, buf, sizeof(buf)))
		fprintf(out, "lost   %s\n", buf);
	fprintf(out, "cost   %s\n", vml_summary(d, VML_SUMMARY_COST, buf, sizeof(buf)));
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
	struct table t;
	size_t i;
	char cell[CELL_MAX];

	table_open(&t, out, view->utf8);
	for (c = columns; *c; c++)
		table_column(&t, (*c)->title, !is_text(*c));
	for (i = 0; i < n; i++) {
		table_row(&t);
		for (c = columns; *c; c++)
			table_cell(&t, vml_column_text(*c, d, scope, rows[i], true, cell, sizeof(cell)));
	}
	return table_print(&t);
}

static int print_rows(FILE *out, struct vml_snapshot *d, const struct vml_view *view)
{
	const struct vml_row **rows;
	char text[CELL_MAX];
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
	struct table t;
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
	table_open(&t, out, view->utf8);
	table_column(&t, "REASON", false);
	table_column(&t, "CERTAINTY", false);
	table_column(&t, "FAULTS/s", true);
	table_column(&t, "SHARE", true);
	table_column(&t, "MEANING", false);
	for (i = 0; i < n; i++) {
		const char *name = vml_reason_name(cell[i].index / 2), *help = vml_reason_help(cell[i].index / 2);

		table_row(&t);
		table_cell(&t, name ? name : "?");
		table_cell(&t, cell[i].index % 2 == VML_EXACT ? "exact" : "inferred");
		table_cell(&t, vml_fmt_count(buf, sizeof(buf), (double)cell[i].count / vml_seconds(d)));
		table_cell(&t, vml_fmt_percent(buf, sizeof(buf), (double)cell[i].count / sum));
		table_cell(&t, help ? help : "");
	}
	free(cell);
	return table_print(&t);
}

static int print_lookups(FILE *out, const struct vml_snapshot *d, const struct vml_view *view)
{
	static const char *const head[] = { "LOOKUPS/s", "ABORTS/s", "MISSES/s" };
	bool misses = d->caps && vml_caps_has(d->caps, VML_CAP_MISSES);
	struct table t;
	char buf[64];
	size_t i, k;

	if (!vml_lookups_worth(d))
		return 0;
	fputc('\n', out);
	table_open(&t, out, view->utf8);
	table_column(&t, "VMA LOOKUPS BY", false);
	for (k = 0; k < VML_ARRAY_SIZE(head); k++)
		table_column(&t, head[k], true);
	for (i = 0; i < d->nlookup; i++) {
		const struct vml_lookup *l = &d->lookup[i];
		const uint64_t count[] = { l->lookups, l->aborts, l->misses };

		if (!l->lookups)
			continue;
		table_row(&t);
		table_cell(&t, l->caller);
		for (k = 0; k < VML_ARRAY_SIZE(count); k++)
			table_cell(&t, k == 2 && !misses
					       ? "-"
					       : vml_fmt_count(buf, sizeof(buf), (double)count[k] / vml_seconds(d)));
	}
	return table_print(&t);
}

static void time_cell(struct table *t, double ns)
{
	char buf[32];

	table_cell(t, ns < 0 ? "-" : isfinite(ns) ? vml_fmt_ns(buf, sizeof(buf), ns) : ">128s");
}

static int print_times(FILE *out, const struct vml_snapshot *d, const struct vml_view *view)
{
	static const double quantile[] = { 0.5, 0.9, 0.99 };
	struct table t;
	char buf[32];
	size_t i, q;
	bool any = false;

	for (i = 0; i < VML_HISTS; i++)
		any |= vml_knows(d, vml_hist_metrics[i]) && d->hist[i].count;
	if (!any)
		return 0;
	fputc('\n', out);
	table_open(&t, out, view->utf8);
	table_column(&t, "DURATION", false);
	table_column(&t, "TIMES/s", true);
	table_column(&t, "P50", true);
	table_column(&t, "P90", true);
	table_column(&t, "P99", true);
	table_column(&t, "MAX", true);
	for (i = 0; i < VML_HISTS; i++) {
		if (!vml_knows(d, vml_hist_metrics[i]) || (i >= VML_HISTS_ALWAYS && !d->hist[i].count))
			continue;
		table_row(&t);
		table_cell(&t, vml_hist_titles[i]);
		table_cell(&t, vml_fmt_count(buf, sizeof(buf), (double)d->hist[i].count / vml_seconds(d)));
		for (q = 0; q < VML_ARRAY_SIZE(quantile); q++)
			time_cell(&t, vml_hist_quantile(&d->hist[i], quantile[q]));
		time_cell(&t, vml_hist_max_bound(&d->hist[i]));
	}
	return table_print(&t);
}

int vml_table_write(FILE *out, struct vml_snapshot *delta, const struct vml_view *view)
{
	int err;

	print_head(out, delta);
	err = print_rows(out, delta, view);
	if (!err)
		err = print_blockers(out, delta, view);
	if (!err)
		err = print_reasons(out, delta, view);
	if (!err)
		err = print_lookups(out, delta, view);
	if (!err)
		err = print_times(out, delta, view);
	return err ? err : ferror(out) ? -EIO : 0;
}
