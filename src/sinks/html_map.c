// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Where in its memory a process falls back: its areas side by side, in the order of addresses. */
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "html.h"
#include "html_parts.h"
#include "parts.h"
#include "vmalock/base.h"

#define PROCESSES 4
#define BLOCKS 96 /* areas of a process that are drawn */
#define ROWS 8 /* that are listed */
#define MAP_X 10000
#define MAP_Y 100

struct map {
	const struct vml_row *process;
	const struct vml_row **area; /* those of the process that a fault fell into */
	size_t n;
	uint64_t known; /* fallbacks of the areas */
	uint64_t all; /* of the process; where its own were lost with its last threads, those of the areas */
};

static bool is_of(const struct vml_row *area, const struct vml_row *process)
{
	return area->id.pid == process->id.pid && area->id.start_ns == process->id.start_ns &&
	       area->id.exec == process->id.exec;
}

static int more_fallbacks(const void *a, const void *b)
{
	const struct vml_row *x = *(const struct vml_row *const *)a, *y = *(const struct vml_row *const *)b;

	if (x->value[VML_FALLBACKS] != y->value[VML_FALLBACKS])
		return x->value[VML_FALLBACKS] < y->value[VML_FALLBACKS] ? 1 : -1;
	return vml_id_compare(&x->id, &y->id);
}

static int by_address(const void *a, const void *b)
{
	const struct vml_row *x = *(const struct vml_row *const *)a, *y = *(const struct vml_row *const *)b;

	if (x->area.start != y->area.start)
		return x->area.start < y->area.start ? -1 : 1;
	return vml_id_compare(&x->id, &y->id);
}

/* The areas of a process, most fallbacks first. */
static int find(const struct vml_snapshot *d, struct map *m)
{
	const struct vml_rows *all = &d->rows[VML_VMA];
	size_t i;

	m->area = calloc(all->n ? all->n : 1, sizeof(*m->area));
	if (!m->area)
		return -ENOMEM;
	for (i = 0; i < all->n; i++) {
		if (!is_of(&all->row[i], m->process) || !all->row[i].value[VML_FAULTS])
			continue;
		m->area[m->n++] = &all->row[i];
		m->known += all->row[i].value[VML_FALLBACKS];
	}
	qsort(m->area, m->n, sizeof(*m->area), more_fallbacks);
	m->all = m->process->value[VML_FALLBACKS] > m->known ? m->process->value[VML_FALLBACKS] : m->known;
	return 0;
}

static double share_of(const struct map *m, const struct vml_row *area)
{
	return m->all ? (double)area->value[VML_FALLBACKS] / (double)m->all : 0;
}

static const double bounds[] = { 0.01, 0.05, 0.10, 0.25, 0.50, 0.75 };

static int level(double share)
{
	int l = 1;

	if (share <= 0)
		return 0;
	while (l <= (int)VML_ARRAY_SIZE(bounds) && share > bounds[l - 1])
		l++;
	return l;
}

/* As the logarithm of the size: a stack of some pages and a heap of gigabytes are both seen. */
static double width(const struct vml_row *area)
{
	return 1 + log2(1 + (double)(area->area.end - area->area.start) / 4096);
}

static const char *name_of(const struct vml_row *area)
{
	return *area->area.name ? area->area.name : area->area.kind;
}

static void block(FILE *out, const struct map *m, const struct vml_row *r, double at, double wide)
{
	char percent[32];

	vml_fmt_spaced(vml_fmt_percent(percent, sizeof(percent), share_of(m, r)), sizeof(percent));
	fprintf(out, "<rect class=\"h%d\" x=\"%ld\" y=\"0\" width=\"%ld\" height=\"%d\"><title>", level(share_of(m, r)),
		lround(at), lround(wide), MAP_Y);
	html_textf(out, "%s: %s of the fallbacks", name_of(r), percent);
	html_raw(out, "</title></rect>");
}

static void strip(FILE *out, const struct map *m)
{
	size_t n = m->n < BLOCKS ? m->n : BLOCKS, i;
	const struct vml_row *sorted[BLOCKS];
	double all = 0, at = 0;

	memcpy(sorted, m->area, n * sizeof(*sorted));
	qsort(sorted, n, sizeof(*sorted), by_address);
	for (i = 0; i < n; i++)
		all += width(sorted[i]);
	html_raw(out, "<div class=\"area\">");
	fprintf(out, "<svg viewBox=\"0 0 %d %d\" preserveAspectRatio=\"none\" role=\"img\"", MAP_X, MAP_Y);
	html_attr(out, "aria-label", "areas in the order of addresses; the table below has the same");
	html_raw(out, ">");
	for (i = 0; i < n; i++) {
		double wide = MAP_X * width(sorted[i]) / all;

		block(out, m, sorted[i], at, wide);
		at += wide;
	}
	html_raw(out, "</svg></div>");
}

static void list(FILE *out, const struct vml_snapshot *d, const struct map *m)
{
	static const char *const head[] = { "Area",	    "Name",   "#Size",	 "Perm", "#Faults/s",
					    "#Fallbacks/s", "#Share", "#Wait/s", NULL };
	bool wait = d->have[VML_VMA] & VML_METRIC_BIT(VML_WAIT_NS);
	struct html_table t;
	char buf[64];
	size_t i;

	html_table(&t, out, NULL, head);
	for (i = 0; i < m->n && i < ROWS; i++) {
		const struct vml_row *r = m->area[i];

		html_row(&t);
		if (r->area.end)
			html_cellf(&t, "%" PRIx64 "-%" PRIx64, r->area.start, r->area.end);
		else
			html_cell(&t, "-");
		html_cell(&t, name_of(r));
		html_cell(&t,
			  r->area.end ? vml_fmt_bytes(buf, sizeof(buf), (double)(r->area.end - r->area.start)) : "-");
		html_cell(&t, *r->area.perms ? r->area.perms : "-");
		html_cell(&t, vml_fmt_count(buf, sizeof(buf), (double)r->value[VML_FAULTS] / vml_seconds(d)));
		html_cell(&t, vml_fmt_count(buf, sizeof(buf), (double)r->value[VML_FALLBACKS] / vml_seconds(d)));
		html_cell(&t, vml_fmt_spaced(vml_fmt_percent(buf, sizeof(buf), share_of(m, r)), sizeof(buf)));
		html_cell(&t, wait ? html_ns(buf, sizeof(buf), (double)r->value[VML_WAIT_NS] / vml_seconds(d)) : "-");
		html_row_end(&t);
	}
	html_table_end(&t);
}

static void one_map(FILE *out, const struct vml_snapshot *d, const struct map *m)
{
	uint64_t all = m->all;
	char rate[32], percent[32];

	html_raw(out, "<figure class=\"strip\"><figcaption>");
	html_textf(out, "%s (%u)", m->process->comm, m->process->id.pid);
	html_elf(out, "p", "%s fallbacks/s; faults were seen in %zu of its areas%s.",
		 vml_fmt_count(rate, sizeof(rate), (double)all / vml_seconds(d)), m->n,
		 m->n > BLOCKS ? ", of which those with most fallbacks are drawn" : "");
	html_raw(out, "</figcaption>");
	strip(out, m);
	html_raw(out, "</figure>\n");
	list(out, d, m);
	if (m->n > ROWS)
		html_elf(out, "p class=\"soft\"", "%zu more areas are not listed.", m->n - ROWS);
	if (all > m->known)
		html_elf(out, "p class=\"soft\"", "%s of the fallbacks fell into no area that is known by name.",
			 vml_fmt_spaced(vml_fmt_percent(percent, sizeof(percent),
							(double)(all - m->known) / (double)all),
					sizeof(percent)));
}

static void key(FILE *out)
{
	static const char *const text[] = { "none", "up to 1 %", "5 %", "10 %", "25 %", "50 %", "75 %", "100 %" };
	size_t i;

	html_raw(out, "<div class=\"key\">");
	for (i = 0; i < VML_ARRAY_SIZE(text); i++) {
		fprintf(out, "<span><i class=\"h%zu\"></i>", i);
		html_text(out, text[i]);
		html_raw(out, "</span>");
	}
	html_raw(out, "</div>\n");
}

static int maps(FILE *out, struct vml_snapshot *d)
{
	const struct vml_row **process;
	size_t i, n, drawn = 0;
	char why[256];
	int err = vml_rank(d, VML_PROCESS, vml_column_find(VML_PROCESS, "fallbacks"), false, false, PROCESSES, &process,
			   &n);

	for (i = 0; i < n && !err && process[i]->value[VML_FALLBACKS]; i++) {
		struct map m = { .process = process[i] };

		err = find(d, &m);
		if (!err && m.n) {
			if (!drawn++)
				key(out);
			one_map(out, d, &m);
		}
		free(m.area);
	}
	if (!err && !drawn)
		html_el(out, "p",
			d->rows[VML_VMA].n ? "No fault in an area that is known took mmap_lock."
					   : vml_empty_text(d, VML_VMA, why, sizeof(why)));
	return err;
}

int html_map(FILE *out, struct vml_snapshot *d)
{
	char why[256];
	int err = 0;

	html_section(out, "areas", "Memory areas");
	if (!(d->have[VML_VMA] & VML_METRIC_BIT(VML_FALLBACKS))) {
		html_el(out, "p", vml_empty_text(d, VML_VMA, why, sizeof(why)));
	} else {
		html_el(out, "p class=\"soft\"",
			"The processes with most fallbacks. Areas with page faults stand in the order of their "
			"addresses; what lies between them is left out. The colour is the share of the process's "
			"fallbacks that fell into an area, the width the logarithm of its size.");
		err = maps(out, d);
	}
	html_section_end(out);
	return err;
}
