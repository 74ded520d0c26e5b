// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include <errno.h>
#include <stdlib.h>

#include "recent.h"
#include "vmalock/base.h"

void vml_recent_init(struct vml_recent *r)
{
	*r = (struct vml_recent){ .end = &r->first };
}

int vml_recent_add(struct vml_recent *r, const struct vml_snapshot *delta)
{
	struct vml_kept *k = calloc(1, sizeof(*k));
	int err = k ? vml_delta_keep(delta, &k->delta) : -ENOMEM;

	if (err) {
		free(k);
		return err;
	}
	k->bytes = vml_arena_bytes(k->delta->arena);
	r->bytes += k->bytes;
	*r->end = k;
	r->end = &k->next;
	return 0;
}

void vml_recent_drop_first(struct vml_recent *r)
{
	struct vml_kept *k = r->first;

	r->first = k->next;
	if (!r->first)
		r->end = &r->first;
	r->bytes -= k->bytes;
	vml_snapshot_free(k->delta);
	free(k);
}

void vml_recent_trim(struct vml_recent *r, uint64_t now_ns, uint64_t keep_ns, uint64_t max_bytes)
{
	while (r->first && r->first->next && r->first->delta->boot_ns + keep_ns <= now_ns) {
		vml_recent_drop_first(r);
		r->cut = false;
	}
	while (r->first && r->first->next && r->bytes > max_bytes) {
		vml_recent_drop_first(r);
		r->cut = true;
	}
}

void vml_recent_clear(struct vml_recent *r)
{
	while (r->first)
		vml_recent_drop_first(r);
	r->cut = false;
}

void vml_recent_move(struct vml_recent *to, struct vml_recent *from)
{
	*to = *from;
	if (!to->first)
		to->end = &to->first;
	vml_recent_init(from);
}

void vml_recent_put_back(struct vml_recent *to, struct vml_recent *from)
{
	if (!from->first)
		return;
	*from->end = to->first;
	if (to->first)
		from->end = to->end;
	from->bytes += to->bytes;
	from->cut |= to->cut;
	vml_recent_move(to, from);
}
