/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include <errno.h>
#include <string.h>

#include "model.h"
#include "vmalock/base.h"

static int keep_row(struct vml_arena *a, enum vml_scope scope, const struct vml_row *x, struct vml_row *ret)
{
	int i, err;

	*ret = *x;
	memset(ret->value, 0, sizeof(ret->value));
	memset(ret->hist, 0, sizeof(ret->hist));
	ret->reasons = (struct vml_tally){ 0 };
	err = model_keep_texts(a, ret, scope);
	if (!err)
		err = vml_row_add(a, ret, x);
	for (i = 0; i < VML_HISTS; i++)
		ret->hist[i].max_ns = x->hist[i].max_ns;
	return err;
}

static int carry_rows(struct vml_snapshot *s, enum vml_scope scope, const struct vml_rows *from)
{
	const struct vml_rows *to = &s->rows[scope];
	struct vml_row *row = vml_arena_alloc(s->arena, (to->n + from->n) * sizeof(*row));
	size_t i = 0, j = 0, n = 0;
	int c, err = 0;

	if (!row)
		return -ENOMEM;
	while (!err && (i < to->n || j < from->n)) {
		c = i == to->n ? 1 : j == from->n ? -1 : vml_id_compare(&to->row[i].id, &from->row[j].id);
		if (c > 0)
			err = keep_row(s->arena, scope, &from->row[j], &row[n++]);
		else
			row[n++] = to->row[i++];
		j += c >= 0;
	}
	s->rows[scope] = (struct vml_rows){ row, n };
	return err;
}

static int carry_stacks(struct vml_snapshot *s, const struct vml_snapshot *before)
{
	struct vml_stack *stack = vml_arena_alloc(s->arena, (s->nstack + before->nstack) * sizeof(*stack));
	size_t i = 0, j = 0, n = 0;
	int c, err = 0;

	if (!stack)
		return -ENOMEM;
	while (!err && (i < s->nstack || j < before->nstack)) {
		c = i == s->nstack	  ? 1
		    : j == before->nstack ? -1
					  : model_stack_compare(&s->stack[i], &before->stack[j]);
		stack[n] = c > 0 ? before->stack[j] : s->stack[i++];
		if (c > 0)
			err = model_keep_stack(s->arena, &stack[n]);
		j += c >= 0;
		n++;
	}
	s->stack = stack;
	s->nstack = n;
	return err;
}

int vml_carry(struct vml_snapshot *s, const struct vml_snapshot *before)
{
	int scope, err = 0;

	for (scope = 0; scope < VML_NSCOPES && !err; scope++)
		err = carry_rows(s, scope, &before->rows[scope]);
	return err || !s->stack ? err : carry_stacks(s, before);
}
