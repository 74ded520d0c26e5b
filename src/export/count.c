/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Series of a row: made, held back, counted, taken away. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "export/state.h"

_Static_assert(NSETS < UINT8_MAX, "struct row has one byte for the place of a set");

static bool is_active(const struct row *r, unsigned int set)
{
	return r->active[set / 64] >> set % 64 & 1;
}

static unsigned int series_of(unsigned int set)
{
	return set_is_hist(set) ? CLASSIC_BOUNDS + 3 : 1;
}

/* Beside the sets: process_mappings_max and cgroup_info. */
#define GAUGES 2

unsigned int row_series(const struct row *r)
{
	unsigned int n = GAUGES;

	for (uint32_t i = 0; i < r->nseries; i++)
		n += series_of(r->series[i].set);
	return n;
}

unsigned int row_wants(const struct row *r, unsigned int *ret_sets)
{
	unsigned int n = GAUGES, sets = 0;

	for (unsigned int set = 0; set < NSETS; set++) {
		if (is_active(r, set)) {
			n += series_of(set);
			sets++;
		}
	}
	*ret_sets = sets;
	return n;
}

void dense_add(struct dense *d, const struct vml_hist *h)
{
	d->sum_ns += h->sum_ns;
	for (uint32_t i = 0; i < h->bucket.n; i++)
		if (h->bucket.cell[i].index < VML_HIST_BUCKETS)
			d->bucket[h->bucket.cell[i].index] += h->bucket.cell[i].count;
}

static void dense_move(struct dense *to, struct dense *from)
{
	to->sum_ns += from->sum_ns;
	for (int i = 0; i < VML_HIST_BUCKETS; i++)
		to->bucket[i] += from->bucket[i];
	*from = (struct dense){ 0 };
}

static bool dense_empty(const struct dense *d)
{
	for (int i = 0; i < VML_HIST_BUCKETS; i++)
		if (d->bucket[i])
			return false;
	return !d->sum_ns;
}

/* ---- making and taking away */

static void free_series(struct series *s)
{
	free(s->hist);
	free(s->hist_pending);
}

static struct series *make_series(struct vml_export *e, struct row *r, unsigned int set)
{
	struct series *all, s = { .set = set, .held = scrapers_any(e), .since_gen = e->gen, .since_ns = e->now_ns };

	if (!r->at)
		r->at = calloc(NSETS, sizeof(*r->at));
	if (set_is_hist(set)) {
		s.hist = calloc(1, sizeof(*s.hist));
		s.hist_pending = s.held ? calloc(1, sizeof(*s.hist_pending)) : NULL;
	}
	all = reallocarray(r->series, r->nseries + 1, sizeof(*all));
	if (all)
		r->series = all;
	if (!r->at || !all || (set_is_hist(set) && (!s.hist || (s.held && !s.hist_pending)))) {
		free_series(&s);
		return NULL;
	}
	all[r->nseries] = s;
	r->at[set] = ++r->nseries;
	return &all[r->nseries - 1];
}

void row_drop_series(struct row *r)
{
	for (uint32_t i = 0; i < r->nseries; i++)
		free_series(&r->series[i]);
	free(r->series);
	free(r->at);
	r->series = NULL;
	r->at = NULL;
	r->nseries = 0;
}

int row_show(struct vml_export *e, struct row *r)
{
	for (unsigned int set = 0; set < NSETS; set++) {
		if (is_active(r, set) && !make_series(e, r, set)) {
			row_drop_series(r);
			return -ENOMEM;
		}
	}
	return 0;
}

/* The series of @set; one is made for what there is room for.  NULL: there is none; *@err. */
static struct series *series_for(struct vml_export *e, struct row *r, unsigned int set, int *err)
{
	bool other = r == &e->other;
	struct series *s;

	*err = 0;
	if (!other && r->state != ROW_SHOWN)
		return NULL;
	if (r->at && r->at[set])
		return &r->series[r->at[set] - 1];
	if (!other && (e->room < (int64_t)series_of(set) || e->tokens < 1))
		return NULL;
	s = make_series(e, r, set);
	if (!s)
		*err = -ENOMEM;
	else if (!other) { /* what other may have is set aside */
		e->room -= series_of(set);
		e->tokens -= 1;
	}
	return s;
}

static struct series *series_or_other(struct vml_export *e, struct row *r, unsigned int set, int *err)
{
	struct series *s = series_for(e, r, set, err);

	return s || *err ? s : series_for(e, &e->other, set, err);
}

/* ---- holding back */

static void release(struct series *s)
{
	s->value += s->pending;
	s->pending = 0;
	if (s->hist_pending)
		dense_move(s->hist, s->hist_pending);
	free(s->hist_pending);
	s->hist_pending = NULL;
	s->held = false;
}

void row_release(struct vml_export *e, struct row *r)
{
	for (uint32_t i = 0; i < r->nseries; i++) {
		struct series *s = &r->series[i];

		if (s->held && scrapers_saw(e, s->since_gen, s->since_ns))
			release(s);
	}
}

int row_leave(struct vml_export *e, struct row *r)
{
	int err = 0;

	r->state = ROW_LEAVING;
	r->state_ns = e->now_ns;
	r->state_gen = e->gen;
	for (uint32_t i = 0; i < r->nseries; i++) {
		struct series *from = &r->series[i], *to;

		if (!from->held || (from->hist_pending ? dense_empty(from->hist_pending) : !from->pending))
			continue;
		to = series_for(e, &e->other, from->set, &err);
		if (!to)
			break;
		if (from->hist_pending)
			dense_move(to->held ? to->hist_pending : to->hist, from->hist_pending);
		*(to->held ? &to->pending : &to->value) += from->pending;
		from->pending = 0;
	}
	return err;
}

/* ---- counting */

int row_count(struct vml_export *e, struct row *r, unsigned int set, uint64_t n)
{
	struct series *s;
	int err;

	if (!n)
		return 0;
	s = series_or_other(e, r, set, &err);
	if (s)
		*(s->held ? &s->pending : &s->value) += n;
	return err;
}

int row_count_hist(struct vml_export *e, struct row *r, unsigned int set, const struct vml_hist *h)
{
	struct series *s;
	int err;

	if (!h->bucket.n && !h->sum_ns)
		return 0;
	s = series_or_other(e, r, set, &err);
	if (s)
		dense_add(s->held ? s->hist_pending : s->hist, h);
	return err;
}
