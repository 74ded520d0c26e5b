// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "table.h"

const struct item item_new;

struct item *table_find(const struct table *t, const struct vml_id *id)
{
	return index_find(&t->index, id);
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
	if (index_add(&t->index, e)) {
		free(e);
		return NULL;
	}
	e->table = t;
	e->before = &item_new;
	LIST_INSERT_HEAD(&t->changes, e, changes);
	return e;
}

static void drop_reading(struct item *e)
{
	if (e->reading)
		LIST_REMOVE(e, reads);
	free(e->reading);
	free(e->reading_cell);
	e->reading = NULL;
	e->reading_cell = NULL;
}

static void item_free(struct item *e)
{
	item_forget(e);
	drop_reading(e);
	free(e->cell);
	free(e->comm);
	free(e->cgroup);
	free(e->name);
	free(e->victim_cgroup);
	free(e->unseen);
	free(e);
}

void table_remove(struct table *t, struct item *e)
{
	index_remove(&t->index, e);
	item_free(e);
}

static void free_one(struct item *e, void *arg)
{
	(void)arg;
	item_free(e);
}

void table_free(struct table *t)
{
	table_walk(t, free_one, NULL);
	index_free(&t->index);
}

void table_walk(const struct table *t, void (*each)(struct item *e, void *arg), void *arg)
{
	for (size_t i = 0; i < t->index.room; i++)
		if (t->index.slot[i].item)
			each(t->index.slot[i].item, arg);
}

static int compare(const void *a, const void *b)
{
	const struct item *const *x = a, *const *y = b;

	return vml_id_compare(&(*x)->id, &(*y)->id);
}

struct item **table_sorted(const struct table *t, bool (*which)(struct item *e, void *arg), void *arg, size_t *ret_n)
{
	struct item **sorted = malloc((t->index.n + 1) * sizeof(*sorted));
	size_t n = 0;

	for (size_t i = 0; sorted && i < t->index.room; i++) {
		struct item *e = t->index.slot[i].item;

		if (e && (!which || which(e, arg)))
			sorted[n++] = e;
	}
	if (sorted)
		qsort(sorted, n, sizeof(*sorted), compare);
	*ret_n = n;
	return sorted;
}

struct item **table_changes(const struct table *t, size_t *ret_n)
{
	struct item **sorted = malloc((t->index.n + 1) * sizeof(*sorted)), *e;
	size_t n = 0;

	if (!sorted)
		return NULL;
	LIST_FOREACH(e, &t->changes, changes)
	sorted[n++] = e;
	qsort(sorted, n, sizeof(*sorted), compare);
	*ret_n = n;
	return sorted;
}

struct item *item_process(const struct tables *t, struct item *e)
{
	const struct vml_id id = { .pid = e->id.pid, .exec = e->id.exec, .start_ns = e->id.start_ns };

	if (e->table == &t->processes)
		return e;
	if (!e->process)
		e->process = table_find(&t->processes, &id);
	return e->process;
}

/* ---- what it was */

int item_remember(struct item *e)
{
	struct item *was;

	if (e->before || !e->table)
		return 0;
	was = malloc(sizeof(*was));
	if (!was)
		return -ENOMEM;
	*was = (struct item){ .ncells = e->ncells };
	memcpy(was->base, e->base, sizeof(was->base));
	memcpy(was->max_ns, e->max_ns, sizeof(was->max_ns));
	if (e->ncells) {
		was->cell = malloc(e->ncells * sizeof(*was->cell));
		if (!was->cell) {
			free(was);
			return -ENOMEM;
		}
		memcpy(was->cell, e->cell, e->ncells * sizeof(*was->cell));
	}
	e->before = was;
	LIST_INSERT_HEAD(&e->table->changes, e, changes);
	return 0;
}

void item_forget(struct item *e)
{
	struct item *was = e->before == &item_new ? NULL : (struct item *)e->before;

	if (e->before)
		LIST_REMOVE(e, changes);
	if (was)
		free(was->cell);
	free(was);
	e->before = NULL;
}

/* How far a raw count of the kernel, modulo 2^32, is above @c; 0: lower than before, not all of it was seen. */
static uint32_t cell_above(const struct cell *c, uint32_t raw)
{
	uint32_t d = raw - c->raw;

	return d > INT32_MAX ? 0 : d;
}

#define BLOCK 16
/* Most cells are 0: how many are not. */
static uint32_t count_used(const uint32_t *dense, uint32_t n)
{
	static const uint32_t zero[BLOCK];
	uint32_t i = 0, used = 0;

	while (i < n) {
		uint32_t end = i + BLOCK < n ? i + BLOCK : n;

		if (end - i == BLOCK && !memcmp(dense + i, zero, sizeof(zero)))
			i = end;
		for (; i < end; i++)
			used += dense[i] != 0;
	}
	return used;
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
	uint32_t known = 0, used = count_used(dense, n), last = 0;
	bool changed = false;

	e->seen = pass;
	for (; last < e->ncells && e->cell[last].index < n; last++) {
		changed |= cell_above(&e->cell[last], dense[e->cell[last].index]) != 0;
		known += dense[e->cell[last].index] != 0;
	}
	if (!changed && used == known)
		return 0;
	if (item_remember(e))
		return -ENOMEM;
	e->changed = pass;
	for (uint32_t at = 0; at < last; at++) {
		struct cell *c = &e->cell[at];
		uint32_t d = cell_above(c, dense[c->index]);

		c->raw += d;
		c->sum += d;
	}
	return used == known ? 0 : cells_insert(e, dense, n, e->ncells + used - known);
}

int item_raise(struct item *e, const struct reading *r, uint32_t pass)
{
	bool more = false, longer = false;

	e->seen = pass;
	for (size_t i = 0; i < NBASE; i++)
		more |= r->base[i] > e->base[i];
	for (size_t i = 0; i < VML_NTIMES; i++)
		longer |= r->max_ns[i] > e->max_ns[i];
	if (!more && !longer)
		return 0;
	if (item_remember(e))
		return -ENOMEM;
	if (more)
		e->changed = pass;
	for (size_t i = 0; i < NBASE; i++)
		if (r->base[i] > e->base[i])
			e->base[i] = r->base[i];
	for (size_t i = 0; i < VML_NTIMES; i++)
		if (r->max_ns[i] > e->max_ns[i])
			e->max_ns[i] = r->max_ns[i];
	return 0;
}

/* ---- readings that wait until all their parts are seen */

int item_read(struct item *e, bool cells)
{
	if (!e->reading) {
		e->reading = calloc(1, sizeof(*e->reading));
		if (!e->reading)
			return -ENOMEM;
		LIST_INSERT_HEAD(&e->table->reads, e, reads);
	}
	if (cells && !e->reading_cell)
		e->reading_cell = calloc(NCELLS, sizeof(*e->reading_cell));
	return !cells || e->reading_cell ? 0 : -ENOMEM;
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

static int settle(struct item *e, uint32_t pass)
{
	int err;

	settle_handover(e, e->reading);
	err = item_raise(e, e->reading, pass);
	if (!err && e->reading_cell)
		err = item_raise_cells(e, e->reading_cell, NCELLS, pass);
	return err;
}

int table_settle(struct table *t, uint32_t pass)
{
	struct item *e;
	int err = 0;

	while ((e = LIST_FIRST(&t->reads))) {
		if (!err)
			err = settle(e, pass);
		drop_reading(e); /* or the next pass would add to it */
	}
	return err;
}

bool item_orphaned(struct item *e, const struct item *process)
{
	e->orphaned = process ? 0 : e->orphaned + 1;
	return e->orphaned > 1;
}

int item_add_cell(struct item *e, uint32_t index, uint64_t n)
{
	uint32_t at = 0;
	struct cell *cell;

	if (!n)
		return 0;
	if (item_remember(e))
		return -ENOMEM;
	while (at < e->ncells && e->cell[at].index < index)
		at++;
	if (at == e->ncells || e->cell[at].index != index) {
		cell = reallocarray(e->cell, e->ncells + 1, sizeof(*cell));
		if (!cell)
			return -ENOMEM;
		memmove(&cell[at + 1], &cell[at], (e->ncells - at) * sizeof(*cell));
		cell[at] = (struct cell){ .index = index };
		e->cell = cell;
		e->ncells++;
	}
	e->cell[at].sum += n;
	return 0;
}

int item_retire(struct item *sum, const struct item *e)
{
	struct cell *cell;

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
	for (size_t i = 0; i < NBASE; i++)
		sum->base[i] += e->base[i];
	for (size_t i = 0; i < VML_NTIMES; i++)
		if (e->max_ns[i] > sum->max_ns[i])
			sum->max_ns[i] = e->max_ns[i];
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
	if (!t->torn)
		r->base[BASE_TASK_FAULTS] += t->task_faults;
	r->base[BASE_LOCK_EVENTS] += t->lock_events;
	r->base[BASE_LOCK_FAILED] += t->lock_failed;
	r->base[BASE_WRITE_READERS] += t->write_readers;
	reading_add_times(r, 0, t->lock, VML_NLOCKSTATS);
}

void reading_add_thread(struct reading *r, const struct item *thread)
{
	for (size_t i = 0; i <= BASE_WRITE_READERS; i++)
		r->base[i] += thread->base[i];
	r->base[BASE_TASK_FAULTS] += thread->base[BASE_TASK_FAULTS];
	for (size_t i = 0; i < VML_NLOCKSTATS; i++) {
		r->base[BASE_SUM_NS + i] += thread->base[BASE_SUM_NS + i];
		if (thread->max_ns[i] > r->max_ns[i])
			r->max_ns[i] = thread->max_ns[i];
	}
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
