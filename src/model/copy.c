/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* A delta outlives what it was made of: copies into its arena. */
#include <errno.h>

#include "model.h"
#include "vmalock/base.h"
#include "vmalock/caps.h"

int model_keep(struct vml_arena *a, const char **s)
{
	*s = *s ? vml_arena_strdup(a, *s) : "";
	return *s ? 0 : -ENOMEM;
}

static int keep_all(struct vml_arena *a, const char **const text[], size_t n)
{
	size_t i;
	int err = 0;

	for (i = 0; i < n && !err; i++)
		err = model_keep(a, text[i]);
	return err;
}

int model_keep_texts(struct vml_arena *a, struct vml_row *r, enum vml_scope scope)
{
	const char **const every[] = { &r->comm, &r->cgroup };
	const char **const vma[] = { &r->area.kind, &r->area.name };
	const char **const blocker[] = { &r->context, &r->lock, &r->target, &r->target_cgroup, &r->victim_cgroup };
	int err = keep_all(a, every, VML_ARRAY_SIZE(every));

	if (!err && scope == VML_VMA)
		err = keep_all(a, vma, VML_ARRAY_SIZE(vma));
	if (!err && scope == VML_BLOCKER)
		err = keep_all(a, blocker, VML_ARRAY_SIZE(blocker));
	return err;
}

int model_copy_stalls(struct vml_snapshot *d, const struct vml_snapshot *cur)
{
	size_t i;
	int err = 0;

	if (!cur->nstall)
		return 0;
	d->stall = vml_arena_copy(d->arena, cur->stall, cur->nstall * sizeof(*d->stall));
	if (!d->stall)
		return -ENOMEM;
	for (i = 0; i < cur->nstall && !err; i++) {
		struct vml_stall *x = &d->stall[i];
		const char **const text[] = { &x->comm, &x->holder_comm, &x->context, &x->state };

		err = keep_all(d->arena, text, VML_ARRAY_SIZE(text));
	}
	d->nstall = cur->nstall;
	return err;
}

int model_stack_compare(const struct vml_stack *a, const struct vml_stack *b)
{
	int c = vml_id_compare(&a->id, &b->id);

	return c ? c : (a->key > b->key) - (a->key < b->key);
}

int model_keep_stack(struct vml_arena *a, struct vml_stack *s)
{
	const char **const text[] = { &s->comm, &s->context };
	struct vml_frame *frame;
	uint32_t i;
	int err = keep_all(a, text, VML_ARRAY_SIZE(text));

	if (err || !s->nframes)
		return err;
	frame = vml_arena_copy(a, s->frame, s->nframes * sizeof(*frame));
	if (!frame)
		return -ENOMEM;
	for (i = 0; i < s->nframes && !err; i++) {
		const char **const of[] = { &frame[i].function, &frame[i].file, &frame[i].build_id };

		err = keep_all(a, of, VML_ARRAY_SIZE(of));
	}
	s->frame = frame;
	return err;
}

int model_copy_host(struct vml_snapshot *d, const struct vml_host *host)
{
	const char **const text[] = { &d->host.name, &d->host.boot_id, &d->host.machine, &d->host.kernel };

	d->host = *host;
	return keep_all(d->arena, text, VML_ARRAY_SIZE(text));
}

const struct vml_caps *vml_caps_copy(struct vml_arena *a, const struct vml_caps *caps)
{
	struct vml_caps *copy = vml_arena_copy(a, caps, sizeof(*caps));
	int i, err = 0;

	for (i = 0; copy && i < VML_NCAPS && !err; i++) {
		struct vml_cap *c = &copy->cap[i];

		err = model_keep(a, &c->name);
		err = err ? err : model_keep(a, &c->what);
		err = err ? err : model_keep(a, &c->lost);
		err = err ? err : model_keep(a, &c->get);
	}
	return err ? NULL : copy;
}

int model_copy_caps(struct vml_snapshot *d, const struct vml_caps *caps)
{
	if (!caps)
		return 0;
	d->caps = vml_caps_copy(d->arena, caps);
	return d->caps ? 0 : -ENOMEM;
}
