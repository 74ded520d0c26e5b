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
	free(e->victim_cgroup);
	free(e->reading);
	free(e->reading_cell);
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

/* Merges the cells that are new in @dense into the sorted ones: @need then. */
static int cells_insert(struct item *e, const uint32_t *dense, uint32_t n, uint32_t need)
{
	struct cell *cell = calloc(need, sizeof(*cell));
	uint32_t old = 0, at = 0;

	if (!cell)
		return -ENOMEM;
	for (uint32_t i = 0; i < n; i++) {
		if (old < e->ncells && e->cell[old].index == i)
			cell[at++] = e->cell[old++];
		else if (dense[i])
			cell[at++] = (struct cell){ .index = i, .raw = dense[i], .sum = dense[i] };
	}
	while (old < e->ncells)
		cell[at++] = e->cell[old++];
	free(e->cell);
	e->cell = cell;
	e->ncells = at;
	return 0;
}

int item_raise_cells(struct item *e, const uint32_t *dense, uint32_t n, uint32_t pass)
{
	uint32_t at = 0, need = e->ncells;
	bool changed = false;
	int err = 0;

	for (uint32_t i = 0; i < n; i++) {
		if (at < e->ncells && e->cell[at].index == i)
			changed |= cell_raise(&e->cell[at++], dense[i]);
		else
			need += dense[i] != 0;
	}
	if (need != e->ncells) {
		err = cells_insert(e, dense, n, need);
		changed = true;
	}
	e->seen = pass;
	if (changed)
		e->changed = pass;
	return err;
}

void item_raise(struct item *e, const struct reading *r, uint32_t pass)
{
	e->seen = pass;
	for (size_t i = 0; i < NBASE; i++) {
		if (r->base[i] > e->base[i]) {
			e->base[i] = r->base[i];
			e->changed = pass;
		}
	}
	for (size_t i = 0; i < VML_NTIMES; i++)
		if (r->max_ns[i] > e->max_ns[i])
			e->max_ns[i] = r->max_ns[i];
}

/* ---- readings that wait until all their parts are seen */

int item_read(struct item *e, bool cells)
{
	if (!e->reading)
		e->reading = calloc(1, sizeof(*e->reading));
	if (cells && !e->reading_cell)
		e->reading_cell = calloc(NCELLS, sizeof(*e->reading_cell));
	return e->reading && (!cells || e->reading_cell) ? 0 : -ENOMEM;
}

struct item *table_read(struct table *t, const struct vml_id *id, bool cells)
{
	struct item *e = table_get(t, id);

	return e && !item_read(e, cells) ? e : NULL;
}

/*
 * While a handover goes on its part without a CPU is not known, and is told later:
 * never more than leaves what was said to be waking up.
 */
static void settle_handover(const struct item *e, struct reading *r)
{
	uint64_t wakeup = e->base[BASE_HANDOVER] - e->base[BASE_RUNQUEUE];

	if (r->base[BASE_HANDOVER] < e->base[BASE_HANDOVER])
		r->base[BASE_RUNQUEUE] = 0; /* not all was seen */
	else if (r->base[BASE_RUNQUEUE] > r->base[BASE_HANDOVER] - wakeup)
		r->base[BASE_RUNQUEUE] = r->base[BASE_HANDOVER] - wakeup;
}

int item_settle(struct item *e, uint32_t pass)
{
	int err = 0;

	if (!e->reading)
		return 0;
	settle_handover(e, e->reading);
	item_raise(e, e->reading, pass);
	if (e->reading_cell)
		err = item_raise_cells(e, e->reading_cell, NCELLS, pass);
	free(e->reading);
	free(e->reading_cell);
	e->reading = NULL;
	e->reading_cell = NULL;
	return err;
}

int item_retire(struct item *sum, const struct item *e)
{
	struct cell *cell;

	for (size_t i = 0; i < NBASE; i++)
		sum->base[i] += e->base[i];
	for (size_t i = 0; i < VML_NTIMES; i++)
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

void item_add_cells(const struct item *e, uint32_t *cell)
{
	for (uint32_t i = 0; i < e->ncells; i++)
		cell[e->cell[i].index] += e->cell[i].raw;
}

/* ---- from what BPF counts to readings */

void reading_add_counts(struct reading *r, const struct vml_counts *c)
{
	uint64_t slow = c->fallbacks + c->aborts + c->retries;

	/* read one after the other from a running thread: never below zero */
	r->base[BASE_HITS] += c->faults_user > slow ? c->faults_user - slow : 0;
	r->base[BASE_FALLBACKS] += c->fallbacks;
	r->base[BASE_ABORTS] += c->aborts;
	r->base[BASE_RETRIES] += c->retries;
	r->base[BASE_BYPASSES] += c->bypasses;
	r->base[BASE_UNSERVED] += c->faults_kernel > c->bypasses ? c->faults_kernel - c->bypasses : 0;
	r->base[BASE_MISSES] += c->misses;
}

void reading_add_times(struct reading *r, uint32_t first, const struct vml_lock_sum *lock, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		r->base[BASE_SUM_NS + first + i] += lock[i].sum_ns;
		if (lock[i].max_ns > r->max_ns[first + i])
			r->max_ns[first + i] = lock[i].max_ns;
	}
}

void reading_add_record(struct reading *r, const struct vml_task_record *t)
{
	struct vml_counts sum = {
		.faults_user = t->count.faults_user + t->pending.faults_user,
		.faults_kernel = t->count.faults_kernel + t->pending.faults_kernel,
		.fallbacks = t->count.fallbacks + t->pending.fallbacks,
		.aborts = t->count.aborts + t->pending.aborts,
		.retries = t->count.retries + t->pending.retries,
		.bypasses = t->count.bypasses + t->pending.bypasses,
		.misses = t->count.misses + t->pending.misses,
	};

	reading_add_counts(r, &sum);
	r->base[BASE_LOCK_EVENTS] += t->lock_events;
	r->base[BASE_LOCK_FAILED] += t->lock_failed;
	r->base[BASE_WRITE_READERS] += t->write_readers;
	reading_add_times(r, 0, t->lock, VML_NLOCKSTATS);
}

void cells_add_hists(uint32_t *cell, uint32_t first, const __u32 (*hist)[VML_HIST_BUCKETS], size_t n)
{
	for (size_t i = 0; i < n; i++)
		for (size_t b = 0; b < VML_HIST_BUCKETS; b++)
			cell[CELL(first + i, b)] += hist[i][b];
}

void cells_add_reasons(uint32_t *cell, const __u32 reason[VML_NCAUSES])
{
	for (size_t i = 0; i < VML_NCAUSES; i++)
		cell[CELL_REASON(i)] += reason[i];
}

struct vml_id id_of_process(const struct vml_proc_key *k)
{
	return (struct vml_id){ .pid = k->pid, .exec = k->exec, .start_ns = k->start_ns };
}

struct vml_id id_of_vma(const struct vml_vma_key *k)
{
	struct vml_id id = id_of_process(&k->proc);

	id.anchor = k->anchor;
	return id;
}
