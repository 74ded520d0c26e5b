// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * From the tables to rows: the words of the model, and nothing but them.  What a row was
 * before is made from its item in the same way, so that a delta of the two is one of snapshots.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "collect.h"
#include "vmalock/base.h"

struct fill {
	const struct tables *t;
	uint32_t pass;
	enum vml_scope scope;
	struct vml_arena *arena; /* of cells, and of texts when they are not borrowed */
	bool borrow; /* texts: they need not outlive the items */
};

/* ---- numbers */

/* Seen or not. */
static uint64_t outcome(const uint64_t base[NBASE], enum base which)
{
	return base[which] + base[BASE_UNSEEN + which];
}

/* The metrics that follow from @base. */
static void rows_values(uint64_t value[VML_NMETRICS], const uint64_t base[NBASE])
{
	const uint64_t *sum = &base[BASE_SUM_NS];
	uint64_t slow;

	value[VML_HITS] = outcome(base, BASE_HITS);
	value[VML_ABORTS] = outcome(base, BASE_ABORTS);
	value[VML_RETRIES] = outcome(base, BASE_RETRIES);
	value[VML_BYPASSES] = outcome(base, BASE_BYPASSES);
	slow = outcome(base, BASE_FALLBACKS) + value[VML_ABORTS] + value[VML_RETRIES];
	value[VML_MISSES] = base[BASE_MISSES];
	value[VML_FAULTS_USER] = value[VML_HITS] + slow;
	value[VML_FAULTS_KERNEL] = value[VML_BYPASSES] + base[BASE_UNSERVED];
	value[VML_FAULTS] = value[VML_FAULTS_USER] + value[VML_FAULTS_KERNEL] + base[BASE_UNKNOWN];
	value[VML_FALLBACKS] = slow + value[VML_BYPASSES];
	value[VML_MMAP_READ_WAIT_NS] = sum[VML_MMAP_READ_WAIT];
	value[VML_MMAP_WRITE_WAIT_NS] = sum[VML_MMAP_WRITE_WAIT];
	value[VML_WAIT_NS] = sum[VML_MMAP_READ_WAIT] + sum[VML_MMAP_WRITE_WAIT];
	value[VML_MMAP_READ_HOLD_NS] = sum[VML_MMAP_READ_HOLD];
	value[VML_MMAP_WRITE_HOLD_NS] = sum[VML_MMAP_WRITE_HOLD];
	value[VML_LOCK_FAILED] = base[BASE_LOCK_FAILED];
	value[VML_VMA_WRITE_WAIT_NS] = sum[VML_VMA_WRITE_WAIT];
	value[VML_VMA_WRITE_READERS] = base[BASE_WRITE_READERS];
	value[VML_SERVE_NS] = sum[VML_SERVE_HIT] + sum[VML_SERVE_RETRY] + sum[VML_SERVE_ABORT] + sum[VML_SERVE_BYPASS];
	value[VML_USERFAULTFD_NS] = sum[VML_IN_USERFAULTFD];
	value[VML_PAGE_IO_NS] = sum[VML_IN_PAGE_IO];
	value[VML_BLAMED_NS] = base[BASE_BLAMED];
	value[VML_UNATTRIBUTED_NS] = base[BASE_HANDOVER];
	value[VML_HANDOVER_RUNQUEUE_NS] = base[BASE_RUNQUEUE];
	value[VML_HANDOVER_WAKEUP_NS] = base[BASE_HANDOVER] - base[BASE_RUNQUEUE];
	value[VML_AVOIDABLE_NS] = base[BASE_AVOIDABLE];
	value[VML_FOREIGN_NS] = base[BASE_FOREIGN];
	value[VML_VICTIMS] = base[BASE_VICTIMS];
	value[VML_HOLDS] = base[BASE_HOLDS];
	value[VML_HOLD_NS] = base[BASE_HOLD_NS];
	value[VML_ON_CPU_NS] = base[BASE_ON_CPU];
	value[VML_RUNNABLE_NS] = base[BASE_RUNNABLE];
	value[VML_SLEEP_NS] = base[BASE_SLEEP];
	value[VML_RECLAIM_NS] = base[BASE_RECLAIM];
	value[VML_IO_NS] = base[BASE_IO];
	value[VML_SWAP_NS] = base[BASE_SWAP];
}

/* The cells from @first on, @n at most, as a tally; *@at is where they begin, and is moved behind them. */
static int range(struct vml_arena *a, const struct item *e, uint32_t *at, uint32_t first, uint32_t n,
		 struct vml_tally *ret)
{
	struct vml_cell *cell = NULL;
	uint32_t end = *at, used = 0;

	while (end < e->ncells && e->cell[end].index < first + n)
		used += e->cell[end++].sum != 0;
	if (used) {
		cell = vml_arena_alloc(a, used * sizeof(*cell));
		if (!cell)
			return -ENOMEM;
	}
	*ret = (struct vml_tally){ .n = used, .cell = cell };
	for (; *at < end; ++*at)
		if (e->cell[*at].sum)
			*cell++ = (struct vml_cell){ .index = e->cell[*at].index - first, .count = e->cell[*at].sum };
	return 0;
}

static int cells(struct vml_arena *a, const struct item *e, struct vml_hist hist[VML_HISTS], struct vml_tally *reasons)
{
	uint32_t at = 0;
	int err = range(a, e, &at, CELL_REASON(0), VML_NCAUSES, reasons);

	for (size_t i = 0; !err && i < VML_NTIMES; i++) {
		struct vml_hist *h = &hist[i];

		err = range(a, e, &at, CELL(i, 0), VML_HIST_BUCKETS, &h->bucket);
		h->count = vml_tally_sum(&h->bucket);
		h->sum_ns = e->base[BASE_SUM_NS + i];
		h->max_ns = e->max_ns[i];
	}
	return err;
}

_Static_assert(VML_HISTS == VML_NTIMES, "snapshot.h has the histograms of abi.h");
_Static_assert(VML_CAUSE(VML_BUSY, 1) == VML_REASON_INDEX(VML_BUSY, VML_EXACT), "one index of reasons");

static int numbers(struct vml_arena *a, const struct item *e, struct vml_row *row)
{
	rows_values(row->value, e->base);
	return cells(a, e, row->hist, &row->reasons);
}

/* ---- one row */

static const char *text(const struct fill *f, const char *s)
{
	return !s || !*s ? "" : f->borrow ? s : vml_arena_strdup(f->arena, s);
}

/* A blocker ends with its thread; readers of VMAs, who are no thread, with their process. */
static const struct item *holder_of(const struct fill *f, const struct item *e, const struct item *process)
{
	struct vml_id id = { .pid = e->id.pid, .exec = e->id.exec, .start_ns = e->id.start_ns };

	id.tid = e->id.tid;
	id.tid_start_ns = e->id.tid_start_ns;
	return id.tid ? table_find(&f->t->threads, &id) : process;
}

/* Once: a process may stay for the sake of its ledger. */
static bool ends(const struct item *e, uint32_t pass)
{
	return e->gone && (!e->reported || e->reported_in == pass);
}

static bool row_ends(const struct fill *f, const struct item *e, const struct item *process)
{
	const struct item *whose = f->scope == VML_VMA	     ? process
				   : f->scope == VML_BLOCKER ? holder_of(f, e, process)
							     : e;

	return whose && ends(whose, f->pass);
}

static int fill_blocker(const struct fill *f, const struct item *e, const struct item *process, struct vml_row *row)
{
	const struct vml_image *i = &e->id.target;
	const struct vml_id id = { .pid = i->pid, .exec = i->exec, .start_ns = i->start_ns };
	const struct item *target = table_find(&f->t->processes, &id);
	char doing[DOING_MAX];

	if (!*row->comm && process)
		row->comm = text(f, process->comm);
	row->context = vml_arena_strdup(f->arena, doing_text(&e->id, row->comm, doing));
	row->lock = blame_lock(&e->id);
	row->target = text(f, target ? target->comm : NULL);
	row->target_cgroup = text(f, target ? target->cgroup : NULL);
	row->victim_cgroup = text(f, e->victim_cgroup);
	return row->comm && row->context && row->target && row->target_cgroup && row->victim_cgroup ? 0 : -ENOMEM;
}

static int fill_row(const struct fill *f, struct item *e, struct vml_row *row)
{
	const struct item *process = item_process(f->t, e);
	int err;

	row->id = e->id;
	row->comm = text(f, f->scope == VML_VMA && process ? process->comm : e->comm);
	row->cgroup = text(f, process ? process->cgroup : NULL);
	row->uid = process ? process->uid : e->uid;
	row->ns_pid = process && process->ns_pid ? process->ns_pid : e->id.pid;
	row->threads = f->scope == VML_PROCESS ? e->threads : 0;
	row->mappings = f->scope == VML_PROCESS ? e->mappings : 0;
	row->exited = row_ends(f, e, process);
	row->area = e->area;
	row->area.name = text(f, e->name);
	if (!row->area.kind)
		row->area.kind = "";
	if (f->scope == VML_BLOCKER && fill_blocker(f, e, process, row))
		return -ENOMEM;
	err = numbers(f->arena, e, row);
	return err ? err : row->comm && row->cgroup && row->area.name ? 0 : -ENOMEM;
}

/* ---- all of them */

static const struct table *table_of(const struct tables *t, enum vml_scope scope)
{
	const struct table *const table[VML_NSCOPES] = {
		[VML_PROCESS] = &t->processes,
		[VML_THREAD] = &t->threads,
		[VML_VMA] = &t->vmas,
		[VML_BLOCKER] = &t->blockers,
	};

	return table[scope];
}

static int fill_scope(const struct fill *f, struct vml_rows *rows)
{
	struct item **item;
	size_t n;
	int err = 0;

	item = table_sorted(table_of(f->t, f->scope), NULL, NULL, &n);
	rows->row = vml_arena_alloc(f->arena, n * sizeof(struct vml_row));
	if (!item || !rows->row)
		err = -ENOMEM;
	while (!err && rows->n < n) {
		err = fill_row(f, item[rows->n], &rows->row[rows->n]);
		rows->n++;
	}
	free(item);
	return err;
}

int rows_fill(struct vml_snapshot *s, const struct tables *t, uint32_t pass)
{
	struct fill f = { .t = t, .pass = pass, .arena = s->arena };
	int err = 0;

	for (f.scope = 0; f.scope < VML_NSCOPES && !err; f.scope++)
		err = fill_scope(&f, &s->rows[f.scope]);
	return err;
}

/* ---- those that changed */

static void find_end(struct item *e, void *any)
{
	if (e->gone && !e->reported)
		*(bool *)any = true;
}

/* Whether rows of @scope end with what a delta is about to report.  VMAs and blockers end with others. */
static bool any_ends(const struct tables *t, enum vml_scope scope)
{
	bool any = false;

	if (scope != VML_THREAD)
		table_walk(&t->processes, find_end, &any);
	if (scope != VML_VMA)
		table_walk(&t->threads, find_end, &any);
	return any;
}

static bool is_in_delta(struct item *e, void *arg)
{
	const struct fill *f = arg;

	return e->before || row_ends(f, e, item_process(f->t, e));
}

/* In order of identity. */
static struct item **those_in_delta(struct fill *f, size_t *ret_n)
{
	const struct table *t = table_of(f->t, f->scope);

	if (f->scope == VML_PROCESS) /* there are few, and others refer to them */
		return table_sorted(t, NULL, NULL, ret_n);
	return any_ends(f->t, f->scope) ? table_sorted(t, is_in_delta, f, ret_n) : table_changes(t, ret_n);
}

static int delta_row(const struct fill *f, struct item *e, struct vml_snapshot *d, struct vml_row *ret)
{
	struct vml_row now = {}, was = {};
	int err = fill_row(f, e, &now);

	if (!err && e->before)
		err = numbers(f->arena, e->before, &was);
	return err ? err : vml_delta_row(d, f->scope, e->before ? &was : &now, &now, ret);
}

static int delta_scope(struct fill *f, struct vml_snapshot *d)
{
	struct vml_rows *rows = &d->rows[f->scope];
	struct item **item;
	size_t n;
	int err = 0;

	item = those_in_delta(f, &n);
	rows->row = item ? vml_arena_alloc(d->arena, n * sizeof(struct vml_row)) : NULL;
	if (!rows->row)
		err = -ENOMEM;
	for (size_t i = 0; i < n && !err; i++) {
		err = delta_row(f, item[i], d, &rows->row[rows->n]);
		/* no more than a maximum may have changed */
		rows->n += f->scope == VML_PROCESS || vml_row_changed(&rows->row[rows->n]);
	}
	free(item);
	return err;
}

int rows_fill_delta(struct vml_snapshot *d, const struct tables *t, uint32_t pass)
{
	struct fill f = { .t = t, .pass = pass, .borrow = true };
	int err = 0;

	for (f.scope = 0; f.scope < VML_NSCOPES && !err; f.scope++) {
		f.arena = vml_arena_new();
		err = f.arena ? delta_scope(&f, d) : -ENOMEM;
		vml_arena_free(f.arena);
	}
	return err;
}

static void report(struct item *e, void *pass)
{
	if (!e->gone || e->reported)
		return;
	e->reported = true;
	e->reported_in = *(uint32_t *)pass;
}

void rows_reported(const struct tables *t, uint32_t pass)
{
	table_walk(&t->processes, report, &pass);
	table_walk(&t->threads, report, &pass);
}

void rows_forget(struct tables *t)
{
	struct item *e;

	for (int scope = 0; scope < VML_NSCOPES; scope++)
		while ((e = LIST_FIRST(&table_of(t, scope)->changes)))
			item_forget(e);
}

/* ---- the whole: the processes, and what is retired */

struct sums {
	uint64_t *base, max_ns[VML_NTIMES];
	uint64_t cell[NCELLS];
};

static void add_item(struct item *e, void *arg)
{
	struct sums *x = arg;

	for (size_t i = 0; i < NBASE; i++)
		x->base[i] += e->base[i];
	for (size_t i = 0; i < VML_NTIMES; i++)
		if (e->max_ns[i] > x->max_ns[i])
			x->max_ns[i] = e->max_ns[i];
	for (uint32_t i = 0; i < e->ncells; i++)
		x->cell[e->cell[i].index] += e->cell[i].sum;
}

int rows_sum(struct vml_snapshot *s, struct tables *t, uint64_t base[NBASE])
{
	struct sums x = { .base = base };
	int err;

	memset(base, 0, NBASE * sizeof(*base));
	add_item(&t->retired, &x);
	table_walk(&t->processes, add_item, &x);
	rows_values(s->total, base);
	vml_total_wait(s);
	err = vml_tally_from(s->arena, &x.cell[CELL_REASON(0)], VML_NCAUSES, &s->reasons);
	for (size_t i = 0; i < VML_NTIMES && !err; i++) {
		struct vml_hist *h = &s->hist[i];

		err = vml_tally_from(s->arena, &x.cell[CELL(i, 0)], VML_HIST_BUCKETS, &h->bucket);
		h->count = vml_tally_sum(&h->bucket);
		h->sum_ns = base[BASE_SUM_NS + i];
		h->max_ns = x.max_ns[i];
	}
	return err;
}
