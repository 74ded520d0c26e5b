/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Which rows have series. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "export/state.h"
#include "vmalock/base.h"

#define HOUR_NS (3600 * 1000000000.0)
#define MINUTE_NS 60000000000ULL

static int64_t room(const struct vml_export *e)
{
	int64_t n = (int64_t)e->options.series_budget - (int64_t)e->fixed - ROW_SERIES_MAX;

	for (size_t i = 0; i < e->nrows; i++)
		if (e->rows[i]->state != ROW_FOLDED)
			n -= row_series(e->rows[i]);
	return n;
}

/* ---- rank: blocked time, then faults, then the name */

static int by_rank(const void *a, const void *b)
{
	const struct row *x = *(struct row *const *)a, *y = *(struct row *const *)b;
	int c;

	if (x->score != y->score)
		return x->score < y->score ? 1 : -1;
	if (x->score_faults != y->score_faults)
		return x->score_faults < y->score_faults ? 1 : -1;
	c = strcmp(x->cgroup, y->cgroup);
	return c ? c : strcmp(x->comm, y->comm);
}

static bool is_busier(const struct row *x, const struct row *y)
{
	return x->score > y->score || (x->score == y->score && x->score_faults > y->score_faults);
}

/* May get series now: something happens in it, and it is there, and nobody took its old ones for these. */
static bool may_come(const struct vml_export *e, const struct row *r)
{
	bool alive = r->alive_gen == e->gen || !strcmp(r->kind, "unknown");

	return r->state == ROW_FOLDED && alive && (r->score || r->score_faults) &&
	       (!r->state_gen || scrapers_saw(e, r->state_gen, r->state_ns));
}

static bool may_go(const struct vml_export *e, const struct row *r)
{
	return r->state == ROW_SHOWN && e->now_ns - r->state_ns >= STAY_NS;
}

/* The rows that @may, by rank; the caller frees *ret. */
static int pick(const struct vml_export *e, bool (*may)(const struct vml_export *, const struct row *),
		struct row ***ret, size_t *ret_n)
{
	struct row **p = calloc(e->nrows + 1, sizeof(struct row *));
	size_t n = 0;

	if (!p)
		return -ENOMEM;
	for (size_t i = 0; i < e->nrows; i++)
		if (may(e, e->rows[i]))
			p[n++] = e->rows[i];
	qsort(p, n, sizeof(struct row *), by_rank);
	*ret = p;
	*ret_n = n;
	return 0;
}

/* ---- going */

static void gone(struct vml_export *e, struct row *r)
{
	row_drop_series(r);
	r->state = ROW_FOLDED;
	r->state_ns = e->now_ns;
	r->state_gen = e->gen;
}

static int leave_dead(struct vml_export *e)
{
	int err = 0;

	for (size_t i = 0; i < e->nrows && !err; i++) {
		struct row *r = e->rows[i];

		if (may_go(e, r) && e->now_ns - r->alive_ns >= DEAD_NS)
			err = row_leave(e, r);
	}
	return err;
}

static unsigned int leaving(const struct vml_export *e)
{
	unsigned int n = 0;

	for (size_t i = 0; i < e->nrows; i++)
		if (e->rows[i]->state == ROW_LEAVING)
			n += row_series(e->rows[i]);
	return n;
}

/* Sends off those that are less busy than @r until @need series come free, or nobody. */
static int displace(struct vml_export *e, const struct row *r, int64_t need)
{
	struct row **p;
	size_t n, last;
	int err = pick(e, may_go, &p, &n);

	if (err)
		return err;
	for (last = n; last && need > 0 && is_busier(r, p[last - 1]); last--)
		need -= row_series(p[last - 1]);
	for (size_t i = last; need <= 0 && i < n && !err; i++)
		err = row_leave(e, p[i]);
	free(p);
	return err;
}

/* ---- coming */

/* 1: it has its series; 0: it must wait, and who is behind it, too. */
static int come(struct vml_export *e, struct row *r)
{
	unsigned int sets;
	int64_t wants = row_wants(r, &sets);
	int err;

	if (e->tokens < sets && e->tokens < e->options.series_churn)
		return 0;
	if (wants > e->room) {
		wants -= e->room + leaving(e);
		return wants > 0 ? displace(e, r, wants) : 0;
	}
	err = row_show(e, r);
	if (err)
		return err;
	r->state = ROW_SHOWN;
	r->state_ns = e->now_ns;
	r->state_gen = e->gen;
	e->room -= wants;
	e->tokens -= sets;
	return 1;
}

void budget_before(struct vml_export *e, uint64_t elapsed_ns)
{
	double most = e->options.series_churn;

	e->tokens += elapsed_ns / HOUR_NS * most;
	if (e->tokens > most)
		e->tokens = most;
	row_release(e, &e->other);
	for (size_t i = 0; i < e->nrows; i++) {
		struct row *r = e->rows[i];

		row_turn(r, e->now_ns / MINUTE_NS);
		r->mappings = 0;
		if (r->state == ROW_LEAVING && scrapers_saw(e, r->state_gen, r->state_ns))
			gone(e, r);
		else if (r->state == ROW_SHOWN)
			row_release(e, r);
	}
	e->other.mappings = 0;
}

int budget_decide(struct vml_export *e)
{
	struct row **p;
	size_t n;
	int err = leave_dead(e), came = 1;

	if (!err)
		err = budget_enforce(e);
	if (!err)
		err = pick(e, may_come, &p, &n);
	if (err)
		return err;
	for (size_t i = 0; i < n && came == 1; i++)
		came = come(e, p[i]);
	free(p);
	return came < 0 ? came : 0;
}

int budget_enforce(struct vml_export *e)
{
	struct row *least;
	int err = 0;

	e->room = room(e);
	while (e->room < 0 && !err) {
		least = NULL;
		for (size_t i = 0; i < e->nrows; i++)
			if (e->rows[i]->state != ROW_FOLDED && (!least || by_rank(&e->rows[i], &least) > 0))
				least = e->rows[i];
		if (!least)
			break;
		err = row_leave(e, least);
		gone(e, least);
		e->room = room(e);
	}
	return err;
}
