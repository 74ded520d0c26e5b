// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include <errno.h>
#include <stdlib.h>

#include "html.h"
#include "html_parts.h"
#include "parts.h"
#include "vmalock/base.h"

#define PROCESSES 20
#define BLOCKERS 10
#define PAIRS 12
#define STACKS 5
#define HEADS 20 /* columns */

/* ---- rows of a scope, by the table of columns */

/* @keys: of columns, ended by NULL. */
static void rows_table(FILE *out, const struct vml_snapshot *d, enum vml_scope scope, const char *const *keys,
		       const struct vml_row **row, size_t n)
{
	const struct vml_column *column[HEADS];
	char title[HEADS][40], cell[1024];
	const char *head[HEADS + 1] = { NULL };
	struct html_table t;
	size_t i, k, columns;

	for (columns = 0; keys[columns]; columns++) {
		const struct vml_column *c = vml_column_find(scope, keys[columns]);

		column[columns] = c;
		snprintf(title[columns], sizeof(title[0]), "%s%s", c->unit == VML_UNIT_TEXT ? "" : "#", c->title);
		head[columns] = title[columns];
	}
	html_table(&t, out, NULL, head);
	for (i = 0; i < n; i++) {
		html_row(&t);
		for (k = 0; k < columns; k++)
			html_cell(&t, vml_column_text(column[k], d, scope, row[i], true, cell, sizeof(cell)));
		html_row_end(&t);
	}
	html_table_end(&t);
}

static void left_out(FILE *out, const struct vml_snapshot *d, enum vml_scope scope, size_t n, const char *what)
{
	size_t i, changed = 0;

	for (i = 0; i < d->rows[scope].n; i++)
		changed += vml_row_changed(&d->rows[scope].row[i]);
	if (changed > n)
		html_elf(out, "p class=\"soft\"", "%zu more %s are not shown.", changed - n, what);
}

int html_processes(FILE *out, struct vml_snapshot *d)
{
	static const char *const keys[] = { "comm",
					    "pid",
					    "faults",
					    "hit_ratio",
					    "fallbacks",
					    "bypasses",
					    "mmap_read_wait_ns",
					    "mmap_write_wait_ns",
					    "mmap_read_hold_ns",
					    "mmap_write_hold_ns",
					    "read_wait_p99",
					    "blamed_ns",
					    "unattributed_ns",
					    "cgroup",
					    NULL };
	const struct vml_row **row;
	char why[256];
	size_t n;
	int err = vml_rank(d, VML_PROCESS, NULL, false, false, PROCESSES, &row, &n);

	if (err)
		return err;
	html_section(out, "processes", "Processes");
	if (!n) {
		html_el(out, "p", vml_empty_text(d, VML_PROCESS, why, sizeof(why)));
	} else {
		html_el(out, "p class=\"soft\"",
			"Per second. RD and WR: to read and to write. BLAMED: what was waited for its mmap_lock and is "
			"charged to holders; HANDOVER: the rest, while nobody held it.");
		rows_table(out, d, VML_PROCESS, keys, row, n);
		left_out(out, d, VML_PROCESS, n, "processes");
	}
	html_section_end(out);
	return 0;
}

/* ---- who held the lock */

static int more_blame(const void *a, const void *b)
{
	const struct vml_stack *x = *(const struct vml_stack *const *)a, *y = *(const struct vml_stack *const *)b;

	return x->blamed_ns == y->blamed_ns ? (x > y) - (x < y) : x->blamed_ns < y->blamed_ns ? 1 : -1;
}

static void one_stack(FILE *out, const struct vml_snapshot *d, const struct vml_stack *s)
{
	char text[512], blamed[32];
	uint32_t i;

	html_raw(out, "<h3>");
	html_textf(out, "%s (%u) in %s: %s a second", s->comm, s->id.tid ? s->id.tid : s->id.pid, s->context,
		   html_ns(blamed, sizeof(blamed), (double)s->blamed_ns / vml_seconds(d)));
	html_raw(out, "</h3><pre>");
	for (i = 0; i < s->nframes; i++) {
		html_text(out, vml_frame_text(&s->frame[i], text, sizeof(text)));
		html_raw(out, "\n");
	}
	html_raw(out, "</pre>\n");
}

static int stacks(FILE *out, const struct vml_snapshot *d)
{
	const struct vml_stack **s = calloc(d->nstack ? d->nstack : 1, sizeof(*s));
	size_t i, n = 0;

	if (!s)
		return -ENOMEM;
	for (i = 0; i < d->nstack; i++)
		if (d->stack[i].blamed_ns)
			s[n++] = &d->stack[i];
	qsort(s, n, sizeof(*s), more_blame);
	if (n)
		html_raw(out, "<details><summary>Code that held the lock while others waited</summary>\n");
	for (i = 0; i < n && i < STACKS; i++)
		one_stack(out, d, s[i]);
	if (n > STACKS)
		html_elf(out, "p class=\"soft\"", "%zu more stacks are not shown.", n - STACKS);
	if (n)
		html_raw(out, "</details>\n");
	free(s);
	return 0;
}

int html_blockers(FILE *out, struct vml_snapshot *d)
{
	static const char *const keys[] = { "comm",	 "tid",		"context",  "lock",	    "target",
					    "blamed_ns", "longest",	"victims",  "avoidable_ns", "holds",
					    "on_cpu_ns", "runnable_ns", "sleep_ns", "cgroup",	    NULL };
	const struct vml_row **row;
	char why[256];
	size_t n;
	int err = vml_rank(d, VML_BLOCKER, NULL, false, false, BLOCKERS, &row, &n);

	if (err)
		return err;
	html_section(out, "blockers", "Who held up others");
	if (!n || !row[0]->value[VML_BLAMED_NS]) {
		html_el(out, "p", vml_empty_text(d, VML_BLOCKER, why, sizeof(why)));
	} else {
		html_el(out, "p class=\"soft\"",
			"Per second. BLAMED: time that others waited, each nanosecond charged once. AVOIDABLE: of it, at "
			"least, for addresses that the holder did not change. ON CPU, RUNQ, SLEEP: where the time of its "
			"holds went.");
		rows_table(out, d, VML_BLOCKER, keys, row, n);
		left_out(out, d, VML_BLOCKER, n, "blockers");
		err = stacks(out, d);
	}
	html_section_end(out);
	return err;
}

int html_cgroups(FILE *out, struct vml_snapshot *d)
{
	static const char *const head[] = { "Who waited", "For whom", "#A second", NULL };
	struct vml_cgroup_blame *pair;
	struct html_table t;
	char text[32];
	size_t i, n;
	int err = vml_cgroup_blame(d, &pair, &n);

	if (err || !n || !vml_blame_known(d))
		return err;
	html_section(out, "cgroups", "By cgroup");
	html_table(&t, out, "Time waited for mmap_lock, by the cgroup of who waited and of who held it", head);
	for (i = 0; i < n && i < PAIRS; i++) {
		html_row(&t);
		html_cell(&t, *pair[i].victim ? pair[i].victim : "-");
		html_cell(&t, *pair[i].blocker ? pair[i].blocker : "-");
		html_cell(&t, html_ns(text, sizeof(text), (double)pair[i].blamed_ns / vml_seconds(d)));
		html_row_end(&t);
	}
	html_table_end(&t);
	if (n > PAIRS)
		html_elf(out, "p class=\"soft\"", "%zu more pairs are not shown.", n - PAIRS);
	html_section_end(out);
	return 0;
}

/* ---- reasons */

static void one_reason(struct html_table *t, const struct vml_snapshot *d, const struct vml_cell *c, double sum)
{
	const char *name = vml_reason_name(c->index / 2), *help = vml_reason_help(c->index / 2);
	bool exact = c->index % 2 == VML_EXACT;
	double share = (double)c->count / sum;
	int place = (int)(share * 10000);
	char text[64];

	html_row(t);
	html_cell(t, name ? name : "?");
	html_cell(t, exact ? "exact" : "inferred");
	html_cell(t, vml_fmt_count(text, sizeof(text), (double)c->count / vml_seconds(d)));
	html_cell(t, vml_fmt_spaced(vml_fmt_percent(text, sizeof(text), share), sizeof(text)));
	html_cell(t, help ? help : "");
	html_raw(t->out, "<td class=\"bar\" aria-hidden=\"true\">");
	fprintf(t->out, "<span class=\"share%s\" style=\"width:%d.%02d%%\"></span></td>", exact ? "" : " inferred",
		place / 100, place % 100);
	html_row_end(t);
}

int html_reasons(FILE *out, const struct vml_snapshot *d)
{
	static const char *const head[] = { "Reason", "Certainty", "#Faults/s", "#Share", "What it means", "", NULL };
	double sum = (double)vml_tally_sum(&d->reasons);
	struct html_table t;
	struct vml_cell *cell;
	uint32_t i, n;
	int err;

	html_section(out, "reasons", "Why faults took mmap_lock");
	if (!d->have_reasons || !d->reasons.n) {
		html_el(out, "p",
			d->have_reasons ? "No fault did."
					: "Reasons cannot be seen on this host; vmalock doctor says why.");
		html_section_end(out);
		return 0;
	}
	err = vml_reasons_rank(d, &d->reasons, &cell, &n);
	if (err)
		return err;
	html_table(&t, out, "Exact: a hook saw it. Inferred: from the state of the area; the bar is broken.", head);
	for (i = 0; i < n; i++)
		one_reason(&t, d, &cell[i], sum);
	html_table_end(&t);
	free(cell);
	html_section_end(out);
	return 0;
}

/* ---- how long things took */

void html_times(FILE *out, const struct vml_snapshot *d)
{
	static const char *const head[] = { "What", "#Times/s", "#P50", "#P90", "#P99", "#Max", NULL };
	static const double quantile[] = { 0.5, 0.9, 0.99 };
	struct html_table t;
	char text[32];
	size_t i, q;

	html_section(out, "times", "How long it took");
	html_table(&t, out, "A quantile is within 9 % of the true one", head);
	for (i = 0; i < VML_HISTS; i++) {
		bool known = vml_knows(d, vml_hist_metrics[i]);

		if (i >= VML_HISTS_ALWAYS && (!known || !d->hist[i].count))
			continue;
		html_row(&t);
		html_cell(&t, vml_hist_titles[i]);
		html_cell(&t,
			  known ? vml_fmt_count(text, sizeof(text), (double)d->hist[i].count / vml_seconds(d)) : "-");
		for (q = 0; q < VML_ARRAY_SIZE(quantile); q++)
			html_cell(&t, html_ns(text, sizeof(text),
					      known ? vml_hist_quantile(&d->hist[i], quantile[q]) : -1));
		html_cell(&t, html_ns(text, sizeof(text), known ? vml_hist_max_bound(&d->hist[i]) : -1));
		html_row_end(&t);
	}
	html_table_end(&t);
	html_section_end(out);
}
