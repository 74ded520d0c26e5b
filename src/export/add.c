/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "export/gather.h"
#include "export/state.h"
#include "vmalock/base.h"

#define MINUTE_NS 60000000000ULL

/* By number of vml_hist_name(). */
static const unsigned int wait_hist[SET_LOCKS] = { 0, 1, 4 };
static const enum vml_metric wait_metric[SET_LOCKS] = { VML_MMAP_READ_WAIT_NS, VML_MMAP_WRITE_WAIT_NS,
							VML_VMA_WRITE_WAIT_NS };

/* One pass over a delta; @take is told of each count, of which @h is NULL or the histogram. */
struct pass {
	struct vml_export *e;
	const struct vml_snapshot *delta;
	const struct vml_cgroup_blame *pair;
	size_t npairs;
	struct row **row; /* of each process; NULL: nothing of it changed */
	uint32_t nreasons; /* room of cells */
	struct vml_cell *cell;
	int (*take)(struct pass *p, struct row *r, unsigned int set, uint64_t n, const struct vml_hist *h);
	/* what rows of processes came to, and the whole host's */
	uint64_t sum[NSETS];
	struct dense waits[SET_LOCKS];
};

static bool has(const struct pass *p, enum vml_scope scope, enum vml_metric m)
{
	return p->delta->have[scope] & VML_METRIC_BIT(m);
}

/* ---- what a process comes to */

static int pass_faults(struct pass *p, struct row *r, const uint64_t v[VML_NMETRICS])
{
	const uint64_t user = v[VML_FAULTS_USER], kernel = v[VML_FAULTS_KERNEL], hits = v[VML_HITS],
		       bypasses = v[VML_BYPASSES];
	bool known = has(p, VML_PROCESS, VML_FALLBACKS) && has(p, VML_PROCESS, VML_HITS);
	uint64_t n[SET_MODES * SET_PATHS] = { 0 }, *of_kernel = &n[SET_PATHS];
	int err = 0;

	if (known) {
		n[PATH_VMA] = hits;
		n[PATH_MMAP] = user > hits ? user - hits : 0;
		of_kernel[PATH_MMAP] = bypasses;
		of_kernel[PATH_NONE] = kernel > bypasses ? kernel - bypasses : 0;
	} else {
		n[PATH_UNKNOWN] = has(p, VML_PROCESS, VML_FAULTS_USER) ? user : 0;
		of_kernel[PATH_UNKNOWN] = has(p, VML_PROCESS, VML_FAULTS_KERNEL) ? kernel : 0;
	}
	for (unsigned int i = 0; i < VML_ARRAY_SIZE(n) && !err; i++)
		err = p->take(p, r, SET_FAULTS + i, n[i], NULL);
	return err;
}

static int pass_reasons(struct pass *p, struct row *r, const struct vml_tally *reasons)
{
	uint32_t n;
	int err = 0;

	if (!p->delta->have_reasons)
		return 0;
	if (reasons->n > p->nreasons) {
		p->cell = vml_arena_alloc(p->delta->arena, reasons->n * sizeof(*p->cell));
		if (!p->cell)
			return -ENOMEM;
		p->nreasons = reasons->n;
	}
	n = vml_reasons_fold(reasons, vml_snapshot_exact(p->delta), p->cell);
	for (uint32_t i = 0; i < n && !err; i++)
		if (p->cell[i].index < 2 * vml_reason_count())
			err = p->take(p, r, SET_FALLBACKS + p->cell[i].index, p->cell[i].count, NULL);
	return err;
}

static int pass_process(struct pass *p, struct row *r, const uint64_t v[VML_NMETRICS], const struct vml_tally *reasons,
			const struct vml_hist *hist)
{
	int err = pass_faults(p, r, v);

	if (!err)
		err = pass_reasons(p, r, reasons);
	if (!err && has(p, VML_PROCESS, VML_ABORTS))
		err = p->take(p, r, SET_ABORTS, v[VML_ABORTS], NULL);
	if (!err && has(p, VML_PROCESS, VML_RETRIES))
		err = p->take(p, r, SET_RETRIES, v[VML_RETRIES], NULL);
	for (unsigned int i = 0; i < SET_LOCKS && !err; i++)
		if (has(p, VML_PROCESS, wait_metric[i]))
			err = p->take(p, r, SET_WAIT + i, 0, &hist[wait_hist[i]]);
	return err;
}

static int pass_processes(struct pass *p)
{
	const struct vml_rows *rows = &p->delta->rows[VML_PROCESS];
	int err = 0;

	for (size_t i = 0; i < rows->n && !err; i++) {
		const struct vml_row *x = &rows->row[i];

		if (p->row[i])
			err = pass_process(p, p->row[i], x->value, &x->reasons, x->hist);
	}
	return err;
}

/* ---- who held up whom */

/* As its process is called, not the thread. */
static const char *comm_of(const struct pass *p, const struct vml_row *blocker)
{
	const struct vml_id id = { .pid = blocker->id.pid, .exec = blocker->id.exec, .start_ns = blocker->id.start_ns };
	const struct vml_row *process = vml_rows_find(&p->delta->rows[VML_PROCESS], &id);

	return process ? process->comm : blocker->comm;
}

static int pass_blockers(struct pass *p)
{
	const struct vml_rows *rows = &p->delta->rows[VML_BLOCKER];
	int err = 0;

	for (size_t i = 0; i < rows->n && !err; i++) {
		const struct vml_row *x = &rows->row[i];
		unsigned int context = set_context(x->context);
		struct row *r;

		if (!x->value[VML_BLAMED_NS] && !x->value[VML_AVOIDABLE_NS])
			continue;
		r = row_of(p->e, x->cgroup, comm_of(p, x));
		if (!r)
			return -ENOMEM;
		if (has(p, VML_BLOCKER, VML_BLAMED_NS))
			err = p->take(p, r, SET_BLAMED + context, x->value[VML_BLAMED_NS], NULL);
		if (!err && has(p, VML_BLOCKER, VML_AVOIDABLE_NS))
			err = p->take(p, r, SET_AVOIDABLE + context, x->value[VML_AVOIDABLE_NS], NULL);
	}
	return err;
}

/* Names, not paths: what is below a unit or container is one with it. */
static int pass_pairs(struct pass *p)
{
	int err = 0;

	for (size_t i = 0; i < p->npairs && !err; i++) {
		struct row *victim = row_of(p->e, p->pair[i].victim, ""), *blocker;

		blocker = victim ? row_of(p->e, p->pair[i].blocker, "") : NULL;
		if (!blocker)
			return -ENOMEM;
		if (victim != blocker)
			err = p->take(p, victim, SET_CROSS, p->pair[i].blamed_ns, NULL);
	}
	return err;
}

static int pass_all(struct pass *p)
{
	int err = pass_processes(p);

	if (!err)
		err = pass_blockers(p);
	return err ? err : pass_pairs(p);
}

/* ---- the first pass: who is there, and what it would count */

static void see(struct vml_export *e, struct row *r, const struct vml_row *x)
{
	uint64_t minute = e->now_ns / MINUTE_NS;

	row_turn(r, minute);
	if (!x->exited) {
		r->alive_ns = e->now_ns;
		r->alive_gen = e->gen;
	}
	if (x->mappings > r->mappings)
		r->mappings = x->mappings;
	r->faults[minute % WINDOW_MINUTES] += x->value[VML_FAULTS_USER] + x->value[VML_FAULTS_KERNEL];
	r->score_faults += x->value[VML_FAULTS_USER] + x->value[VML_FAULTS_KERNEL];
}

/* All processes, for who is alive; the passes need those that changed. */
static int see_all(struct pass *p)
{
	const struct vml_rows *rows = &p->delta->rows[VML_PROCESS];

	p->row = vml_arena_alloc(p->delta->arena, rows->n * sizeof(struct row *));
	if (!p->row)
		return -ENOMEM;
	for (size_t i = 0; i < rows->n; i++) {
		struct row *r = row_of(p->e, rows->row[i].cgroup, rows->row[i].comm);

		if (!r)
			return -ENOMEM;
		see(p->e, r, &rows->row[i]);
		if (vml_row_changed(&rows->row[i]))
			p->row[i] = r;
	}
	return 0;
}

static int mark(struct pass *p, struct row *r, unsigned int set, uint64_t n, const struct vml_hist *h)
{
	uint64_t minute = p->e->now_ns / MINUTE_NS, blocked = 0;

	if (h ? !h->bucket.n && !h->sum_ns : !n)
		return 0;
	r->active[set / 64] |= 1ULL << set % 64;
	if (h)
		blocked = h->sum_ns;
	else if (set >= SET_BLAMED && set < SET_AVOIDABLE)
		blocked = n;
	if (r->minute != minute) /* new, and no process of it was seen */
		row_turn(r, minute);
	r->blocked[minute % WINDOW_MINUTES] += blocked;
	r->score += blocked;
	return 0;
}

/* ---- the second pass */

static void add_sum(struct pass *p, unsigned int set, uint64_t n, const struct vml_hist *h)
{
	p->sum[set] += n;
	if (h)
		dense_add(&p->waits[set - SET_WAIT], h);
}

static int count(struct pass *p, struct row *r, unsigned int set, uint64_t n, const struct vml_hist *h)
{
	add_sum(p, set, n, h);
	return h ? row_count_hist(p->e, r, set, h) : row_count(p->e, r, set, n);
}

/* ---- what the host has and no row: a process whose last row was not seen */

static uint64_t rest(uint64_t whole, uint64_t parts)
{
	return whole > parts ? whole - parts : 0;
}

static int count_rest_of(struct pass *p, struct row *r, unsigned int set, uint64_t n, const struct vml_hist *h)
{
	int err = mark(p, r, set, n, h); /* may get series of its own next time */

	return err ? err : h ? row_count_hist(p->e, r, set, h) : row_count(p->e, r, set, n);
}

static int count_rest_hist(struct pass *p, struct row *r, unsigned int set, const struct vml_hist *h)
{
	struct dense whole = { 0 }, *parts = &p->waits[set - SET_WAIT];
	struct vml_cell cell[VML_HIST_BUCKETS];
	struct vml_hist rest_of = { .bucket.cell = cell };

	dense_add(&whole, h);
	rest_of.sum_ns = rest(whole.sum_ns, parts->sum_ns);
	for (uint32_t i = 0; i < VML_HIST_BUCKETS; i++) {
		uint64_t n = rest(whole.bucket[i], parts->bucket[i]);

		if (n)
			cell[rest_of.bucket.n++] = (struct vml_cell){ .index = i, .count = n };
	}
	return count_rest_of(p, r, set, 0, &rest_of);
}

static int count_rest(struct pass *p, struct row *r, unsigned int set, uint64_t n, const struct vml_hist *h)
{
	return h ? count_rest_hist(p, r, set, h) : count_rest_of(p, r, set, rest(n, p->sum[set]), NULL);
}

static int add_rest(struct pass *p)
{
	const struct vml_snapshot *d = p->delta;
	struct row *r = row_of(p->e, "", "");

	if (!r)
		return -ENOMEM;
	p->take = count_rest;
	return pass_process(p, r, d->total, &d->reasons, d->hist);
}

/* ---- a delta */

static void fold_gauges(struct vml_export *e)
{
	e->folded = 0;
	for (size_t i = 0; i < e->nrows; i++) {
		const struct row *r = e->rows[i];

		if (r->state == ROW_SHOWN)
			continue;
		e->folded += r->score || r->score_faults;
		if (r->mappings > e->other.mappings)
			e->other.mappings = r->mappings;
	}
}

static int add(struct vml_export *e, struct pass *p, uint64_t elapsed_ns)
{
	int err;

	budget_before(e, elapsed_ns);
	host_add(&e->host, p->delta);
	e->fixed = gather_fixed_series(e);
	p->take = mark;
	err = see_all(p);
	if (!err)
		err = pass_all(p);
	if (!err)
		err = budget_decide(e);
	p->take = count;
	if (!err)
		err = pass_all(p);
	if (!err)
		err = add_rest(p);
	fold_gauges(e);
	rows_sweep(e);
	return err;
}

int vml_export_add(struct vml_export *e, struct vml_snapshot *delta)
{
	struct vml_cgroup_blame *pair = NULL;
	struct pass p = { .e = e, .delta = delta };
	uint64_t elapsed;
	int err = 0;

	if (!delta->interval_ns || delta->selected)
		return -EINVAL;
	if (delta->have[VML_BLOCKER] & VML_METRIC_BIT(VML_FOREIGN_NS))
		err = vml_cgroup_blame(delta, &pair, &p.npairs);
	if (err)
		return err;
	p.pair = pair;
	pthread_mutex_lock(&e->lock);
	elapsed = e->gen && delta->boot_ns > e->now_ns ? delta->boot_ns - e->now_ns : 0;
	if (delta->boot_ns > e->now_ns)
		e->now_ns = delta->boot_ns;
	e->gen++;
	err = add(e, &p, elapsed);
	pthread_mutex_unlock(&e->lock);
	return err;
}
