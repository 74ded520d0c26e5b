/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What moved between two samples.  Rows are joined by their names: a program that was
 * started again, or runs after a reboot, has another pid and is the same to its user.
 * So is one whose name has a number of its own in each run (model_name_fold()): such names
 * are compared when only one of the samples has them.  Placeholders of names (redact.c) are of
 * one file only, and never joined.
 */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "model.h"
#include "vmalock/base.h"

const char *vml_mover_name(enum vml_mover by)
{
	static const char *const names[] = { "process", "vma", "reason", "holder" };

	return names[by];
}

/* What is being split, and the rows so far; errors stick. */
struct split {
	enum vml_measure measure;
	enum vml_mover by;
	double faults[2]; /* of a, of b */
	bool nameless; /* a or b is redacted */
	struct vml_moved *moved;
	size_t n, room;
	size_t begin; /* of this split in moved[] */
	struct vml_arena *arena; /* of names that no row has */
	int error;
};

/* @side 0: a, 1: b */
static void add(struct split *s, int side, const struct vml_moved *names, uint64_t amount)
{
	struct vml_moved *m;

	if (!amount || s->error)
		return;
	if (s->n == s->room) {
		size_t room = s->room ? 2 * s->room : 64;

		m = reallocarray(s->moved, room, sizeof(*m));
		if (!m) {
			s->error = -ENOMEM;
			return;
		}
		s->moved = m;
		s->room = room;
	}
	m = &s->moved[s->n++];
	*m = *names;
	if (s->nameless) {
		m->comm = m->cgroup = "";
		if (s->by == VML_BY_VMA)
			m->name = "";
	}
	m->measure = s->measure;
	m->by = s->by;
	*(side ? &m->b : &m->a) = (double)amount / s->faults[side];
}

/* ---- the rows of one sample */

static void add_rows(struct split *s, int side, const struct vml_snapshot *d, enum vml_scope scope)
{
	enum vml_metric metric = model_measure_metric(s->measure);
	size_t i;

	for (i = 0; i < d->rows[scope].n; i++) {
		const struct vml_row *r = &d->rows[scope].row[i];
		struct vml_moved names = { .comm = r->comm, .cgroup = r->cgroup, .what = "", .name = "" };

		if (scope == VML_VMA) {
			names.what = r->area.kind;
			names.name = r->area.name;
		}
		add(s, side, &names, r->value[metric]);
	}
}

static void add_reasons(struct split *s, int side, const struct vml_snapshot *d, bool exact)
{
	struct vml_cell *cell = calloc(d->reasons.n ? d->reasons.n : 1, sizeof(*cell));
	uint32_t i, n;

	if (!cell) {
		s->error = -ENOMEM;
		return;
	}
	n = vml_reasons_fold(&d->reasons, exact, cell);
	for (i = 0; i < n; i++) {
		const char *reason = vml_reason_name(cell[i].index / 2);
		const struct vml_moved names = { .comm = "",
						 .cgroup = "",
						 .what = reason ? reason : "unknown",
						 .name = cell[i].index % 2 == VML_EXACT ? "exact" : "inferred" };

		add(s, side, &names, cell[i].count);
	}
	free(cell);
}

/* Of blockers: what they have to do with a measure, and how they hold when they do. */
static enum vml_metric holder_metric(enum vml_measure m)
{
	return m == VML_READ_HOLD_PER_FAULT || m == VML_WRITE_HOLD_PER_FAULT ? VML_HOLD_NS : VML_BLAMED_NS;
}

static bool holds_so(enum vml_measure m, const char *lock)
{
	switch (m) {
	case VML_WAIT_PER_FAULT:
		return strcmp(lock, "vma_read") != 0;
	case VML_READ_HOLD_PER_FAULT:
		return !strcmp(lock, "mmap_read");
	case VML_WRITE_HOLD_PER_FAULT:
		return !strcmp(lock, "mmap_write");
	default:
		return !strcmp(lock, "vma_read");
	}
}

static void add_holders(struct split *s, int side, const struct vml_snapshot *d)
{
	static const struct vml_moved nobody = { .comm = "", .cgroup = "", .what = "handover", .name = "" };
	size_t i;

	for (i = 0; i < d->rows[VML_BLOCKER].n; i++) {
		const struct vml_row *r = &d->rows[VML_BLOCKER].row[i];
		const struct vml_moved names = {
			.comm = r->comm, .cgroup = r->cgroup, .what = r->context, .name = r->lock
		};

		if (holds_so(s->measure, r->lock))
			add(s, side, &names, r->value[holder_metric(s->measure)]);
	}
	if (s->measure == VML_WAIT_PER_FAULT)
		add(s, side, &nobody, d->total[VML_UNATTRIBUTED_NS]);
}

/* ---- one split */

static int by_names(const void *x, const void *y)
{
	const struct vml_moved *a = x, *b = y;
	int c = strcmp(a->comm, b->comm);

	c = c ? c : strcmp(a->cgroup, b->cgroup);
	c = c ? c : strcmp(a->what, b->what);
	return c ? c : strcmp(a->name, b->name);
}

static int by_difference(const void *x, const void *y)
{
	const struct vml_moved *a = x, *b = y;
	double da = fabs(a->b - a->a), db = fabs(b->b - b->a);

	return da == db ? by_names(x, y) : da < db ? 1 : -1;
}

/* Those with the same names become one, in @m; how many. */
static size_t join_same(struct vml_moved *m, size_t n)
{
	size_t used = 0, i;

	qsort(m, n, sizeof(*m), by_names);
	for (i = 0; i < n; i++) {
		if (used && !by_names(&m[used - 1], &m[i])) {
			m[used - 1].a += m[i].a;
			m[used - 1].b += m[i].b;
		} else {
			m[used++] = m[i];
		}
	}
	return used;
}

static const char *folded(struct split *s, const char *name)
{
	char *to = vml_arena_alloc(s->arena, strlen(name) + 1);

	if (!to) {
		s->error = -ENOMEM;
		return name;
	}
	model_name_fold(to, name);
	return to;
}

/* A row that one sample alone has, under its name without numbers. */
struct alone {
	struct vml_moved names;
	struct vml_moved *row;
};

static int by_folded_names(const void *x, const void *y)
{
	return by_names(&((const struct alone *)x)->names, &((const struct alone *)y)->names);
}

static size_t find_alone(struct split *s, struct vml_moved *m, size_t n, struct alone *alone)
{
	size_t found = 0, i;

	for (i = 0; i < n && !s->error; i++) {
		struct alone *x = &alone[found];

		if (m[i].a > 0 && m[i].b > 0)
			continue;
		*x = (struct alone){ m[i], &m[i] };
		x->names.comm = folded(s, m[i].comm);
		x->names.cgroup = folded(s, m[i].cgroup);
		if (s->by == VML_BY_VMA)
			x->names.name = folded(s, m[i].name);
		found++;
	}
	return found;
}

/* The rows of one name become the first of them, when both samples have some; the others become 0. */
static void join_alone(const struct alone *x, size_t n)
{
	struct vml_moved sum = x[0].names;
	size_t i;

	for (i = 1; i < n; i++) {
		sum.a += x[i].names.a;
		sum.b += x[i].names.b;
	}
	if (!(sum.a > 0) || !(sum.b > 0))
		return;
	for (i = 1; i < n; i++)
		x[i].row->a = x[i].row->b = 0;
	*x[0].row = sum;
}

static void join_folded(struct split *s, struct vml_moved *m, size_t n)
{
	struct alone *alone = calloc(n, sizeof(*alone));
	size_t found, i, end;

	if (!alone) {
		s->error = -ENOMEM;
		return;
	}
	found = find_alone(s, m, n, alone);
	qsort(alone, found, sizeof(*alone), by_folded_names);
	for (i = 0; i < found; i = end) {
		for (end = i + 1; end < found && !by_folded_names(&alone[i], &alone[end]); end++)
			;
		join_alone(&alone[i], end - i);
	}
	free(alone);
}

/* Rows are joined; what did not move goes; the largest come first. */
static void join(struct split *s, double change, size_t limit)
{
	struct vml_moved *m = s->moved + s->begin;
	size_t n = s->n - s->begin, used = 0, i;

	if (!n)
		return;
	n = join_same(m, n);
	if (s->by != VML_BY_REASON)
		join_folded(s, m, n);
	for (i = 0; i < n; i++) {
		m[i].share = (m[i].b - m[i].a) / change;
		if (m[i].a != m[i].b)
			m[used++] = m[i];
	}
	qsort(m, used, sizeof(*m), by_difference);
	s->n = s->begin + (limit && used > limit ? limit : used);
}

/* Both know how the measure is split. */
static bool known(const struct split *s, const struct vml_snapshot *a, const struct vml_snapshot *b)
{
	enum vml_metric metric = model_measure_metric(s->measure);

	switch (s->by) {
	case VML_BY_PROCESS:
		return !s->nameless && a->have[VML_PROCESS] & b->have[VML_PROCESS] & VML_METRIC_BIT(metric);
	case VML_BY_VMA:
		return a->have[VML_VMA] & b->have[VML_VMA] & VML_METRIC_BIT(metric);
	case VML_BY_REASON:
		return s->measure == VML_FALLBACKS_PER_FAULT && a->have_reasons && b->have_reasons;
	default:
		return s->measure != VML_FALLBACKS_PER_FAULT &&
		       a->have[VML_BLOCKER] & b->have[VML_BLOCKER] & VML_METRIC_BIT(holder_metric(s->measure));
	}
}

static void split(struct split *s, const struct vml_snapshot *a, const struct vml_snapshot *b, double change,
		  size_t limit)
{
	const struct vml_snapshot *d[] = { a, b };
	bool exact = vml_snapshot_exact(a) && vml_snapshot_exact(b);
	int side;

	s->begin = s->n;
	for (side = 0; side < 2; side++) {
		if (s->by == VML_BY_REASON)
			add_reasons(s, side, d[side], exact);
		else if (s->by == VML_BY_HOLDER)
			add_holders(s, side, d[side]);
		else
			add_rows(s, side, d[side], s->by == VML_BY_VMA ? VML_VMA : VML_PROCESS);
	}
	if (!s->error)
		join(s, change, limit);
}

int vml_explain(const struct vml_snapshot *a, const struct vml_snapshot *b, const struct vml_comparison *c,
		size_t limit, struct vml_moved **ret, size_t *ret_n)
{
	struct split s = { .faults = { (double)a->total[VML_FAULTS], (double)b->total[VML_FAULTS] },
			   .nameless = vml_is_redacted(a) || vml_is_redacted(b),
			   .arena = a->arena };
	int k, by;

	for (k = 0; k < VML_NMEASURES; k++) {
		const struct vml_measured *m = &c->measure[k];

		if (!m->known || (m->verdict != VML_REGRESSION && m->verdict != VML_IMPROVEMENT))
			continue;
		for (by = 0; by < VML_NMOVERS && !s.error; by++) {
			s.measure = (enum vml_measure)k;
			s.by = (enum vml_mover)by;
			if (known(&s, a, b))
				split(&s, a, b, m->b - m->a, limit);
		}
	}
	if (s.error) {
		free(s.moved);
		return s.error;
	}
	*ret = s.moved;
	*ret_n = s.n;
	return 0;
}
