/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "db.h"
#include "vmalock/base.h"

#define REST "(rest)"
/* pid 0 with an exec that no process has, so that it is not (untracked) */
#define REST_EXEC 1

/* How a blocker holds; each has a rest of its own, as only mmap_lock has a ledger. */
static const char *const locks[] = { "mmap_read", "mmap_write", "vma_read" };

static bool is_rest(const struct vml_id *id)
{
	return !id->pid && id->exec == REST_EXEC;
}

static int falling(uint64_t a, uint64_t b)
{
	return (a < b) - (a > b);
}

/* Who waited most, then who took mmap_lock most often. */
static int by_wait(const void *a, const void *b)
{
	const struct vml_row *x = *(const struct vml_row *const *)a, *y = *(const struct vml_row *const *)b;
	int c = falling(x->value[VML_WAIT_NS], y->value[VML_WAIT_NS]);

	c = c ? c : falling(x->value[VML_FALLBACKS], y->value[VML_FALLBACKS]);
	c = c ? c : falling(x->value[VML_FAULTS_USER], y->value[VML_FAULTS_USER]);
	return c ? c : vml_id_compare(&x->id, &y->id);
}

static int by_blame(const void *a, const void *b)
{
	const struct vml_row *x = *(const struct vml_row *const *)a, *y = *(const struct vml_row *const *)b;
	int c = falling(x->value[VML_BLAMED_NS], y->value[VML_BLAMED_NS]);

	c = c ? c : falling(x->value[VML_HOLD_NS], y->value[VML_HOLD_NS]);
	return c ? c : vml_id_compare(&x->id, &y->id);
}

static int by_stack_blame(const void *a, const void *b)
{
	const struct vml_stack *x = *(const struct vml_stack *const *)a, *y = *(const struct vml_stack *const *)b;
	int c = falling(x->blamed_ns, y->blamed_ns);

	c = c ? c : falling(x->hold_ns, y->hold_ns);
	c = c ? c : vml_id_compare(&x->id, &y->id);
	return c ? c : (x->key > y->key) - (x->key < y->key);
}

/* ---- rows and the sum of the rest */

static struct vml_row *new_rest(struct shape *s, enum vml_scope scope, size_t lock)
{
	struct vml_row *r = vml_arena_alloc(s->arena, sizeof(*r));

	if (!r)
		return NULL;
	r->id = (struct vml_id){ .exec = REST_EXEC };
	r->uid = UINT32_MAX;
	r->comm = REST;
	r->cgroup = "";
	r->area.kind = scope == VML_VMA ? "unknown" : "";
	r->area.name = "";
	if (scope == VML_BLOCKER) {
		r->id.doing = (uint32_t)lock;
		r->id.write = lock == 1;
		r->context = REST;
		r->lock = locks[lock];
		r->target = r->target_cgroup = r->victim_cgroup = "";
	}
	return r;
}

static size_t lock_of(const struct vml_row *r)
{
	size_t i;

	for (i = 0; i < VML_ARRAY_SIZE(locks) - 1; i++)
		if (r->lock && !strcmp(r->lock, locks[i]))
			break;
	return i;
}

/* Adds the rows from @keep on to rests, which take their place. */
static int fold(struct shape *s, enum vml_scope scope, size_t keep)
{
	struct vml_row *rest[VML_ARRAY_SIZE(locks)] = { 0 };
	size_t i, n = s->n[scope];
	int err = 0;

	for (i = keep; i < n && !err; i++) {
		const struct vml_row *r = s->row[scope][i];
		size_t which = scope == VML_BLOCKER ? lock_of(r) : 0;

		if (!rest[which])
			rest[which] = new_rest(s, scope, which);
		err = rest[which] ? vml_row_add(s->arena, rest[which], r) : -ENOMEM;
	}
	s->n[scope] = keep;
	for (i = 0; i < VML_ARRAY_SIZE(rest) && !err; i++) /* there is room: each took the place of a row */
		if (rest[i])
			s->row[scope][s->n[scope]++] = rest[i];
	return err;
}

/* The first @keep of all @n in order, in place; the others follow in any. */
static void best_first(const struct vml_row **row, size_t n, size_t keep, int (*compare)(const void *, const void *))
{
	size_t i, at;

	qsort(row, keep, sizeof(*row), compare);
	for (i = keep; keep && i < n; i++) {
		const struct vml_row *r = row[i];

		if (compare(&r, &row[keep - 1]) >= 0)
			continue;
		row[i] = row[keep - 1];
		for (at = keep - 1; at && compare(&r, &row[at - 1]) < 0; at--)
			row[at] = row[at - 1];
		row[at] = r;
	}
}

/* Sorts, with the rests of what was shaped before at the end, and folds. */
static int limit_rows(struct shape *s, enum vml_scope scope, uint32_t limit)
{
	const struct vml_row **row = s->row[scope];
	size_t i, n = 0, keep;

	for (i = 0; i < s->n[scope]; i++) {
		const struct vml_row *r = row[i];

		if (is_rest(&r->id))
			continue;
		row[i] = row[n];
		row[n++] = r;
	}
	keep = limit && n > limit ? limit : n;
	best_first(row, n, keep, scope == VML_BLOCKER ? by_blame : by_wait);
	return fold(s, scope, keep);
}

static int choose_rows(struct shape *s, const struct vml_snapshot *d, enum vml_scope scope, const bool *needed,
		       uint32_t limit)
{
	const struct vml_rows *rows = &d->rows[scope];
	size_t i;

	s->row[scope] = calloc(rows->n + 1, sizeof(*s->row[scope]));
	if (!s->row[scope])
		return -ENOMEM;
	for (i = 0; i < rows->n; i++)
		if (vml_row_changed(&rows->row[i]) || (scope == VML_PROCESS && needed[i]))
			s->row[scope][s->n[scope]++] = &rows->row[i];
	return limit_rows(s, scope, limit);
}

/* ---- stacks */

static int fold_stacks(struct shape *s, size_t keep)
{
	struct vml_stack *rest = vml_arena_alloc(s->arena, sizeof(*rest));
	size_t i;

	if (!rest)
		return -ENOMEM;
	*rest = (struct vml_stack){ .id = { .exec = REST_EXEC }, .comm = REST, .context = REST };
	for (i = keep; i < s->nstack; i++) {
		rest->holds += s->stack[i]->holds;
		rest->hold_ns += s->stack[i]->hold_ns;
		rest->blamed_ns += s->stack[i]->blamed_ns;
		if (s->stack[i]->max_ns > rest->max_ns)
			rest->max_ns = s->stack[i]->max_ns;
	}
	s->stack[keep] = rest;
	s->nstack = keep + 1;
	return 0;
}

static int choose_stacks(struct shape *s, const struct vml_snapshot *d, uint32_t limit)
{
	size_t i, n = 0, keep;

	s->stack = calloc(d->nstack + 1, sizeof(*s->stack));
	if (!s->stack)
		return -ENOMEM;
	for (i = 0; i < d->nstack; i++)
		s->stack[i] = &d->stack[i];
	s->nstack = d->nstack;
	for (i = 0; i < s->nstack; i++) {
		const struct vml_stack *x = s->stack[i];

		if (is_rest(&x->id))
			continue;
		s->stack[i] = s->stack[n];
		s->stack[n++] = x;
	}
	qsort(s->stack, n, sizeof(*s->stack), by_stack_blame);
	keep = limit && n > limit ? limit : n;
	return keep < s->nstack ? fold_stacks(s, keep) : 0;
}

int shape_make(struct shape *s, const struct vml_snapshot *d, uint32_t limit)
{
	bool *needed = vml_processes_needed(d);
	int scope, err = needed ? 0 : -ENOMEM;

	*s = (struct shape){ .arena = vml_arena_new() };
	if (!s->arena)
		err = -ENOMEM;
	for (scope = 0; scope < VML_NSCOPES && !err; scope++)
		err = choose_rows(s, d, scope, needed, limit);
	if (!err)
		err = choose_stacks(s, d, limit);
	free(needed);
	return err;
}

void shape_free(struct shape *s)
{
	int scope;

	for (scope = 0; scope < VML_NSCOPES; scope++)
		free(s->row[scope]);
	free(s->stack);
	vml_arena_free(s->arena);
}
