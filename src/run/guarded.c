// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "vmalock/base.h"
#include "guarded.h"

uint64_t vml_guarded_tick(struct vml_source *s, uint64_t deadline_ns)
{
	int64_t in = vml_source_tick(s);
	uint64_t due = vml_now_mono() + (uint64_t)in;

	return due < deadline_ns ? due : deadline_ns;
}

int vml_guarded_update(struct vml_guard *g, struct vml_source *s, const struct vml_snapshot *prev,
		       const struct vml_snapshot *cur)
{
	struct vml_guard_input in;

	vml_guard_input(prev, cur, &in);
	return vml_guard_update(g, &in) ? vml_source_set_duty(s, g->step) : 0;
}

static int next_delta(struct vml_intervals *x, struct vml_snapshot **ret)
{
	const struct vml_snapshot *rest = vml_source_rest(x->source);
	const struct vml_snapshot before = { .boot_ns = rest->boot_ns, .self = rest->self };
	int err = vml_source_next_delta(x->source, ret);

	if (err)
		return err;
	err = vml_guarded_update(x->guard, x->source, &before, vml_source_rest(x->source));
	if (err)
		vml_snapshot_free(*ret);
	return err;
}

static bool makes_deltas(const struct vml_intervals *x)
{
	return !x->all && x->source->ops->next_delta;
}

int vml_intervals_begin(struct vml_intervals *x)
{
	vml_snapshot_free(x->prev);
	x->prev = NULL;
	if (!makes_deltas(x))
		return vml_source_next(x->source, &x->prev);
	return vml_source_next_delta(x->source, NULL); /* what it would tell was before */
}

int vml_intervals_next(struct vml_intervals *x, struct vml_snapshot **ret)
{
	struct vml_snapshot *cur, *prev = x->prev;
	int err;

	if (makes_deltas(x))
		return next_delta(x, ret);
	err = vml_source_next(x->source, &cur);
	if (err)
		return err;
	x->prev = cur;
	err = vml_guarded_update(x->guard, x->source, prev, cur);
	if (!err)
		err = vml_delta(prev, cur, ret);
	vml_snapshot_free(prev);
	return err;
}

void vml_intervals_end(struct vml_intervals *x)
{
	vml_snapshot_free(x->prev);
	x->prev = NULL;
}
