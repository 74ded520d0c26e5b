/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef VMALOCK_UNIT_EXPORT_H
#define VMALOCK_UNIT_EXPORT_H
/*
 * What the tests of expositions share: deltas made by hand, and expositions read
 * back: the text by a parser that accepts nothing but what the format allows.
 */
#include <linux/types.h>
#include <math.h>

#include "unit.h"
#include "vmalock/caps.h"
#include "vmalock/export.h"
#include "vmalock/hist.h"

#define MS 1000000ULL
#define MINUTE 60

/* ---- deltas */

enum { R_NO_VMA, R_WRITE_LOCKED = 2, R_FILE_IO = 10, R_KERNEL_MODE = 14 };
enum { H_READ_WAIT, H_WRITE_WAIT, H_READ_HOLD, H_WRITE_HOLD, H_VMA_WAIT, H_SERVE_HIT };

/* Of the second that ends @second seconds after boot; everything is known. */
static inline struct vml_snapshot *export_delta(uint64_t second)
{
	struct vml_snapshot *d = unit_snapshot(second * UNIT_SECOND);

	d->interval_ns = UNIT_SECOND;
	d->host = (struct vml_host){ .name = "h", .boot_id = "b", .machine = "x86_64", .kernel = "6.12.0" };
	return d;
}

/* One duration of @ns. */
static inline struct vml_hist export_hist(struct vml_snapshot *d, uint64_t ns, uint64_t count)
{
	static const __u64 bound[VML_HIST_BOUNDS] = VML_HIST_BOUND_TABLE;

	return unit_hist(UNIT_TALLY(d, { vml_hist_index(bound, ns), count }), ns * count, ns);
}

/*
 * A process of @cgroup: @hits faults under the VMA lock, @slow that found it
 * write-locked and waited 1 ms each, @kernel in kernel mode that waited 2 us each.
 */
static inline struct vml_row *export_process(struct vml_snapshot *d, uint32_t pid, const char *cgroup, uint64_t hits,
					     uint64_t slow, uint64_t kernel)
{
	struct vml_row *r = unit_process(d, pid);
	struct vml_hist waits;

	r->cgroup = cgroup;
	r->value[VML_HITS] = hits;
	r->value[VML_FAULTS_USER] = hits + slow;
	r->value[VML_FAULTS_KERNEL] = r->value[VML_BYPASSES] = kernel;
	r->value[VML_FAULTS] = hits + slow + kernel;
	r->value[VML_FALLBACKS] = slow + kernel;
	r->value[VML_ABORTS] = slow;
	if (slow)
		r->reasons = UNIT_TALLY(d, { VML_REASON_INDEX(R_WRITE_LOCKED, VML_EXACT), slow });
	if (kernel) {
		struct vml_tally t = UNIT_TALLY(d, { VML_REASON_INDEX(R_KERNEL_MODE, VML_EXACT), kernel });

		assert_int_equal(vml_tally_add(d->arena, &r->reasons, &t, &r->reasons), 0);
	}
	if (slow)
		r->hist[H_READ_WAIT] = export_hist(d, MS, slow);
	if (kernel) {
		waits = export_hist(d, 2000, kernel);
		assert_int_equal(vml_hist_add(d->arena, &r->hist[H_READ_WAIT], &waits, &r->hist[H_READ_WAIT]), 0);
	}
	r->value[VML_MMAP_READ_WAIT_NS] = r->value[VML_WAIT_NS] = r->hist[H_READ_WAIT].sum_ns;
	return r;
}

/* A holder in @cgroup that is charged with @blamed ns of waits for the lock of a process in @target. */
static inline struct vml_row *export_blocker(struct vml_snapshot *d, uint32_t pid, const char *cgroup,
					     const char *context, const char *target, uint64_t blamed)
{
	struct vml_row *r = unit_row(d, VML_BLOCKER, pid);

	r->id.tid = pid;
	r->id.doing = strlen(context);
	r->cgroup = cgroup;
	r->context = context;
	r->lock = "mmap_read";
	r->target = "victim";
	r->target_cgroup = target;
	r->victim_cgroup = "";
	r->value[VML_BLAMED_NS] = blamed;
	return r;
}

/* The whole host: what its processes come to; blame: what its blockers do, and the rest of the waits. */
static inline struct vml_snapshot *export_whole(struct vml_snapshot *d)
{
	const struct vml_rows *p = &d->rows[VML_PROCESS], *b = &d->rows[VML_BLOCKER];

	for (size_t i = 0; i < p->n; i++) {
		for (int m = 0; m < VML_NMETRICS; m++)
			d->total[m] += p->row[i].value[m];
		assert_int_equal(vml_tally_add(d->arena, &d->reasons, &p->row[i].reasons, &d->reasons), 0);
		for (int h = 0; h < VML_HISTS; h++)
			assert_int_equal(vml_hist_add(d->arena, &d->hist[h], &p->row[i].hist[h], &d->hist[h]), 0);
	}
	d->total[VML_BLAMED_NS] = 0;
	for (size_t i = 0; i < b->n; i++)
		d->total[VML_BLAMED_NS] += b->row[i].value[VML_BLAMED_NS];
	d->total[VML_UNATTRIBUTED_NS] = d->total[VML_WAIT_NS] - d->total[VML_BLAMED_NS];
	return d;
}

/* Adds @d, and frees it. */
static inline void export_add(struct vml_export *e, struct vml_snapshot *d)
{
	assert_int_equal(vml_export_add(e, export_whole(d)), 0);
	vml_snapshot_free(d);
}

static inline struct vml_export *export_new(uint32_t budget, uint32_t churn, bool comm)
{
	const struct vml_export_options o = { budget, churn, comm };
	struct vml_export *e = NULL;

	assert_int_equal(vml_export_new(&o, &e), 0);
	assert_non_null(e);
	return e;
}

/* ---- expositions */

struct export_line {
	char *series; /* name{labels}, as it is written */
	double value;
};

struct export_text {
	char *text;
	struct export_line *line; /* sorted by series */
	size_t n;
};

static inline int export_compare(const void *a, const void *b)
{
	return strcmp(((const struct export_line *)a)->series, ((const struct export_line *)b)->series);
}

/* Where the series of a line ends: a space outside quotes. */
static inline char *export_end(char *line)
{
	bool quoted = false;

	for (; *line; line++) {
		if (quoted && *line == '\\') {
			line++;
			assert_non_null(strchr("\\\"n", *line)); /* the format knows no other escapes */
		} else if (*line == '"') {
			quoted = !quoted;
		} else if (*line == ' ' && !quoted) {
			return line;
		}
	}
	fail_msg("no value");
	return NULL;
}

static inline struct export_text export_parse(char *text, size_t n)
{
	struct export_text x = { .text = text };
	char *line, *next, *end, *rest;
	size_t lines = 0;

	assert_true(n > 0 && text[n - 1] == '\n');
	assert_int_equal(strlen(text), n);
	for (line = text; *line; line = strchr(line, '\n') + 1)
		lines++;
	x.line = calloc(lines, sizeof(*x.line));
	assert_non_null(x.line);
	for (line = text; *line; line = next) {
		next = strchr(line, '\n') + 1;
		next[-1] = '\0';
		if (*line == '#')
			continue;
		end = export_end(line);
		*end = '\0';
		x.line[x.n].series = line;
		x.line[x.n++].value = strtod(end + 1, &rest);
		assert_true(rest > end + 1 && !*rest);
	}
	qsort(x.line, x.n, sizeof(*x.line), export_compare);
	for (size_t i = 1; i < x.n; i++)
		if (!export_compare(&x.line[i - 1], &x.line[i]))
			fail_msg("twice: %s", x.line[i].series);
	return x;
}

static inline struct export_text export_read(struct vml_export *e, uint64_t scraper)
{
	char *text = NULL;
	size_t n = 0;

	assert_int_equal(vml_export_write(e, VML_EXPORT_TEXT, scraper, &text, &n), 0);
	return export_parse(text, n);
}

static inline void export_text_free(struct export_text *x)
{
	free(x->line);
	free(x->text);
}

/* Not a number: there is no such series. */
static inline double export_value(const struct export_text *x, const char *series)
{
	const struct export_line key = { .series = (char *)series },
				 *l = bsearch(&key, x->line, x->n, sizeof(key), export_compare);

	return l ? l->value : NAN;
}

/* Of all series that begin with @prefix, and hold @part somewhere. */
static inline double export_sum(const struct export_text *x, const char *prefix, const char *part)
{
	double sum = 0;

	for (size_t i = 0; i < x->n; i++)
		if (!strncmp(x->line[i].series, prefix, strlen(prefix)) && strstr(x->line[i].series, part))
			sum += x->line[i].value;
	return sum;
}

static inline size_t export_count(const struct export_text *x, const char *prefix, const char *part)
{
	size_t n = 0;

	for (size_t i = 0; i < x->n; i++)
		n += !strncmp(x->line[i].series, prefix, strlen(prefix)) && strstr(x->line[i].series, part);
	return n;
}

static inline void export_assert(const struct export_text *x, const char *series, double value)
{
	double is = export_value(x, series);

	if (isnan(value) ? !isnan(is) : !(fabs(is - value) < 1e-9))
		fail_msg("%s is %.17g, not %.17g", series, is, value);
}

#endif
