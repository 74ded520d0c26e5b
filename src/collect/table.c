// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include <errno.h>
#include <search.h>
#include <stdlib.h>
#include <string.h>

#include "collect.h"

static int compare(const void *a, const void *b)
{
	return vml_id_compare(a, b);
}

struct item *table_find(const struct table *t, const struct vml_id *id)
{
	struct item *const *found = tfind(id, &t->root, compare);

	return found ? *found : NULL;
}

struct item *table_get(struct table *t, const struct vml_id *id)
{
	struct item *e = table_find(t, id);

	if (e)
		return e;
	e = calloc(1, sizeof(*e));
	if (!e)
		return NULL;
	e->id = *id;
	e->uid = UINT32_MAX;
	if (!tsearch(e, &t->root, compare)) {
		free(e);
		return NULL;
	}
	t->n++;
	return e;
}

static void item_free(void *p)
{
	struct item *e = p;

	free(e->cell);
	free(e->comm);
	free(e->cgroup);
	free(e->name);
	free(e->reading);
	free(e);
}

void table_remove(struct table *t, struct item *e)
{
	tdelete(e, &t->root, compare);
	item_free(e);
	t->n--;
}

void table_free(struct table *t)
{
	tdestroy(t->root, item_free);
	t->root = NULL;
	t->n = 0;
}

struct walk {
	void (*each)(struct item *e, void *arg);
	void *arg;
};

static void visit(const void *node, VISIT which, void *arg)
{
	struct walk *w = arg;

	if (which == postorder || which == leaf)
		w->each(*(struct item *const *)node, w->arg);
}

void table_walk(const struct table *t, void (*each)(struct item *e, void *arg), void *arg)
{
	struct walk w = { each, arg };

	twalk_r(t->root, visit, &w);
}

/* A raw count of the kernel, modulo 2^32, to one that never falls. */
static bool cell_raise(struct cell *c, uint32_t raw)
{
	uint32_t d = raw - c->raw;

	if (!d || d > INT32_MAX) /* lower than before: not all of it was seen */
		return false;
	c->raw = raw;
	c->sum += d;
	return true;
}

/* Merges the dense reading into the sorted cells. */
static int cells_raise(struct item *e, const struct reading *r, bool *changed)
{
	uint32_t i, old = 0, n = 0, need = e->ncells;
	struct cell *cell;

	for (i = 0; i < NCELLS; i++) {
		while (old < e->ncells && e->cell[old].index < i)
			old++;
		if (old < e->ncells && e->cell[old].index == i)
			*changed |= cell_raise(&e->cell[old], r->cell[i]);
		else if (r->cell[i])
			need++;
	}
	if (need == e->ncells)
		return 0;
	cell = calloc(need, sizeof(*cell));
	if (!cell)
		return -ENOMEM;
	for (i = 0, old = 0; i < NCELLS; i++) {
		if (old < e->ncells && e->cell[old].index == i)
			cell[n++] = e->cell[old++];
		else if (r->cell[i])
			cell[n++] = (struct cell){ .index = i, .raw = r->cell[i], .sum = r->cell[i] };
	}
	free(e->cell);
	e->cell = cell;
	e->ncells = n;
	*changed = true;
	return 0;
}

int item_raise(struct item *e, const struct reading *r, bool cells, uint32_t pass)
{
	bool changed = false;
	int err = 0;

	for (size_t i = 0; i < NBASE; i++) {
		if (r->base[i] > e->base[i]) {
			e->base[i] = r->base[i];
			changed = true;
		}
	}
	for (size_t i = 0; i < VML_NLOCKSTATS; i++)
		if (r->max_ns[i] > e->max_ns[i])
			e->max_ns[i] = r->max_ns[i];
	if (cells)
		err = cells_raise(e, r, &changed);
	e->seen = pass;
	if (changed)
		e->changed = pass;
	return err;
}

int item_retire(struct item *sum, const struct item *e)
{
	struct cell *cell;

	for (size_t i = 0; i < NBASE; i++)
		sum->base[i] += e->base[i];
	for (size_t i = 0; i < VML_NLOCKSTATS; i++)
		if (e->max_ns[i] > sum->max_ns[i])
			sum->max_ns[i] = e->max_ns[i];
	/* a dense array serves best: every bucket comes up sooner or later */
	if (!sum->cell) {
		cell = calloc(NCELLS, sizeof(*cell));
		if (!cell)
			return -ENOMEM;
		sum->cell = cell;
		sum->ncells = NCELLS;
		for (uint32_t i = 0; i < NCELLS; i++)
			cell[i].index = i;
	}
	for (uint32_t i = 0; i < e->ncells; i++)
		sum->cell[e->cell[i].index].sum += e->cell[i].sum;
	return 0;
}

void item_add_cells(const struct item *e, struct reading *r)
{
	for (uint32_t i = 0; i < e->ncells; i++)
		r->cell[e->cell[i].index] += e->cell[i].raw;
}

void reading_add_counts(struct reading *r, const struct vml_counts *c)
{
	/* read one after the other from a running thread: never below zero */
	r->base[BASE_HITS] += c->faults_user > c->fallbacks ? c->faults_user - c->fallbacks : 0;
	r->base[BASE_FALLBACKS] += c->fallbacks;
	r->base[BASE_KERNEL] += c->faults_kernel;
	r->base[BASE_BYPASSES] += c->bypasses;
}

static void add_locks(struct reading *r, const struct vml_lock_sum *lock)
{
	for (size_t i = 0; i < VML_NLOCKSTATS; i++) {
		r->base[BASE_SUM_NS + i] += lock[i].sum_ns;
		if (lock[i].max_ns > r->max_ns[i])
			r->max_ns[i] = lock[i].max_ns;
	}
}

void reading_add_reasons(struct reading *r, const __u32 *reason)
{
	for (size_t i = 0; i < VML_NREASONS; i++)
		r->cell[CELL_REASON(i)] += reason[i];
}

void reading_add_record(struct reading *r, const struct vml_task_record *t)
{
	struct vml_counts sum = {
		.faults_user = t->count.faults_user + t->pending.faults_user,
		.faults_kernel = t->count.faults_kernel + t->pending.faults_kernel,
		.fallbacks = t->count.fallbacks + t->pending.fallbacks,
		.bypasses = t->count.bypasses + t->pending.bypasses,
	};

	reading_add_counts(r, &sum);
	r->base[BASE_LOCK_EVENTS] += t->lock_events;
	r->base[BASE_LOCK_FAILED] += t->lock_failed;
	add_locks(r, t->lock);
}

void reading_add_hist(struct reading *r, const __u32 hist[VML_NLOCKSTATS][VML_HIST_BUCKETS])
{
	for (size_t i = 0; i < VML_NLOCKSTATS; i++)
		for (size_t b = 0; b < VML_HIST_BUCKETS; b++)
			r->cell[CELL(i, b)] += hist[i][b];
}
