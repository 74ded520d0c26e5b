/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* A delta as it is kept: without the rows that did not change. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "model.h"
#include "vmalock/base.h"

/* ---- processes that others refer to */

static void need(const struct vml_snapshot *d, bool *needed, const struct vml_image *i)
{
	const struct vml_id id = { .pid = i->pid, .exec = i->exec, .start_ns = i->start_ns };
	const struct vml_row *r = vml_rows_find(&d->rows[VML_PROCESS], &id);

	if (r)
		needed[r - d->rows[VML_PROCESS].row] = true;
}

static struct vml_image owner(const struct vml_id *id)
{
	return (struct vml_image){ .pid = id->pid, .exec = id->exec, .start_ns = id->start_ns };
}

bool *vml_processes_needed(const struct vml_snapshot *d)
{
	const struct vml_rows *b = &d->rows[VML_BLOCKER];
	bool *needed = calloc(d->rows[VML_PROCESS].n + 1, sizeof(*needed));
	struct vml_image i;
	size_t k;

	for (k = 0; needed && k < d->nstall; k++)
		need(d, needed, &d->stall[k].target);
	for (k = 0; needed && k < b->n; k++) {
		if (!vml_row_changed(&b->row[k]))
			continue;
		i = owner(&b->row[k].id);
		need(d, needed, &i);
		need(d, needed, &b->row[k].id.target);
	}
	for (k = 0; needed && k < d->nstack; k++) {
		i = owner(&d->stack[k].id);
		need(d, needed, &i);
	}
	return needed;
}

/* ---- the copy */

int model_keep_tally(struct vml_arena *a, struct vml_tally *t)
{
	if (!t->n)
		return 0;
	t->cell = vml_arena_copy(a, t->cell, t->n * sizeof(*t->cell));
	return t->cell ? 0 : -ENOMEM;
}

int model_keep_hists(struct vml_arena *a, struct vml_hist hist[VML_HISTS])
{
	int i, err = 0;

	for (i = 0; i < VML_HISTS && !err; i++)
		err = model_keep_tally(a, &hist[i].bucket);
	return err;
}

static int keep_row(struct vml_arena *a, struct vml_row *r, enum vml_scope scope)
{
	int err = model_keep_texts(a, r, scope);

	if (!err)
		err = model_keep_tally(a, &r->reasons);
	return err ? err : model_keep_hists(a, r->hist);
}

static int keep_rows(struct vml_snapshot *s, const struct vml_snapshot *d, enum vml_scope scope, const bool *needed)
{
	const struct vml_rows *from = &d->rows[scope];
	struct vml_rows *to = &s->rows[scope];
	size_t i, n = 0;
	int err = 0;

	for (i = 0; i < from->n; i++)
		n += vml_row_changed(&from->row[i]) || (scope == VML_PROCESS && needed[i]);
	*to = (struct vml_rows){ .row = vml_arena_alloc(s->arena, n * sizeof(*to->row)) };
	if (!to->row)
		return -ENOMEM;
	for (i = 0; i < from->n && !err; i++) {
		if (!vml_row_changed(&from->row[i]) && !(scope == VML_PROCESS && needed[i]))
			continue;
		to->row[to->n] = from->row[i];
		err = keep_row(s->arena, &to->row[to->n++], scope);
	}
	return err;
}

static int keep_losses(struct vml_snapshot *s)
{
	size_t i;
	int err = 0;

	s->loss = vml_arena_copy(s->arena, s->loss, s->nloss * sizeof(*s->loss));
	for (i = 0; s->loss && i < s->nloss && !err; i++) {
		err = model_keep(s->arena, &s->loss[i].cause);
		err = err ? err : model_keep(s->arena, &s->loss[i].help);
	}
	if (s->lookup)
		s->lookup = vml_arena_copy(s->arena, s->lookup, s->nlookup * sizeof(*s->lookup));
	for (i = 0; s->lookup && i < s->nlookup && !err; i++)
		err = model_keep(s->arena, &s->lookup[i].caller);
	return err ? err : s->loss && (s->lookup || !s->nlookup) ? 0 : -ENOMEM;
}

static int keep_stacks(struct vml_snapshot *s)
{
	size_t i;
	int err = 0;

	if (!s->stack)
		return 0;
	s->stack = vml_arena_copy(s->arena, s->stack, s->nstack * sizeof(*s->stack));
	if (!s->stack)
		return -ENOMEM;
	for (i = 0; i < s->nstack && !err; i++)
		err = model_keep_stack(s->arena, &s->stack[i]);
	return err;
}

static int keep_programs(struct vml_snapshot *s)
{
	size_t i;
	int err = 0;

	if (!s->program)
		return 0;
	s->program = vml_arena_copy(s->arena, s->program, s->nprogram * sizeof(*s->program));
	if (!s->program)
		return -ENOMEM;
	for (i = 0; i < s->nprogram && !err; i++)
		err = model_keep(s->arena, &s->program[i].name);
	return err;
}

static int keep(struct vml_snapshot *s, const struct vml_snapshot *d, const bool *needed)
{
	int scope, err = model_copy_host(s, &d->host);

	if (!err)
		err = model_copy_caps(s, d->caps);
	for (scope = 0; scope < VML_NSCOPES && !err; scope++)
		err = keep_rows(s, d, scope, needed);
	if (!err)
		err = model_keep_tally(s->arena, &s->reasons);
	if (!err)
		err = model_keep_hists(s->arena, s->hist);
	if (!err)
		err = keep_losses(s);
	if (!err)
		err = model_copy_stalls(s, d);
	if (!err)
		err = keep_stacks(s);
	return err ? err : keep_programs(s);
}

int vml_delta_keep(const struct vml_snapshot *d, struct vml_snapshot **ret)
{
	bool *needed = vml_processes_needed(d);
	struct vml_snapshot *s = vml_snapshot_new();
	struct vml_arena *arena = s ? s->arena : NULL;
	int err = -ENOMEM;

	if (s && needed) {
		*s = *d;
		s->arena = arena;
		s->caps = NULL;
		err = keep(s, d, needed);
	}
	free(needed);
	if (err) {
		vml_snapshot_free(s);
		return err;
	}
	*ret = s;
	return 0;
}

/* ---- all but the rows */

static int keep_maps(struct vml_snapshot *rest, const struct vml_snapshot *s)
{
	struct vml_map *map = vml_arena_copy(rest->arena, s->map, s->nmap * sizeof(*map));
	size_t i;
	int err = map ? 0 : -ENOMEM;

	for (i = 0; i < s->nmap && !err; i++)
		err = model_keep(rest->arena, &map[i].name);
	rest->map = map;
	rest->nmap = s->nmap;
	return err;
}

int vml_snapshot_rest(const struct vml_snapshot *s, struct vml_snapshot **ret)
{
	struct vml_snapshot rest = *s, *copy;
	int err;

	memset(rest.rows, 0, sizeof(rest.rows));
	rest.map = NULL;
	rest.nmap = 0;
	err = vml_delta_keep(&rest, &copy);
	if (err)
		return err;
	if (s->map)
		err = keep_maps(copy, s);
	if (err)
		vml_snapshot_free(copy);
	else
		*ret = copy;
	return err;
}
