/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "vmalock/base.h"
#include "vmalock/snapshot.h"

static int by_names(const void *x, const void *y)
{
	const struct vml_cgroup_blame *a = x, *b = y;
	int c = strcmp(a->victim, b->victim);

	return c ? c : strcmp(a->blocker, b->blocker);
}

static int by_blame(const void *x, const void *y)
{
	const struct vml_cgroup_blame *a = x, *b = y;

	return a->blamed_ns == b->blamed_ns ? by_names(x, y) : a->blamed_ns < b->blamed_ns ? 1 : -1;
}

int vml_cgroup_blame(struct vml_snapshot *s, struct vml_cgroup_blame **ret, size_t *ret_n)
{
	const struct vml_rows *blockers = &s->rows[VML_BLOCKER];
	struct vml_cgroup_blame *pair = vml_arena_alloc(s->arena, 2 * blockers->n * sizeof(*pair));
	size_t i, n = 0, used = 0;

	if (!pair)
		return -ENOMEM;
	for (i = 0; i < blockers->n; i++) {
		const struct vml_row *r = &blockers->row[i];
		uint64_t foreign = r->value[VML_FOREIGN_NS], own = r->value[VML_BLAMED_NS] - foreign;

		if (!strcmp(r->lock, "vma_read")) /* no wait for mmap_lock */
			continue;
		if (own)
			pair[n++] = (struct vml_cgroup_blame){ r->target_cgroup, r->cgroup, own };
		if (foreign)
			pair[n++] = (struct vml_cgroup_blame){ r->victim_cgroup, r->cgroup, foreign };
	}
	qsort(pair, n, sizeof(*pair), by_names);
	for (i = 0; i < n; i++) {
		if (used && !by_names(&pair[used - 1], &pair[i]))
			pair[used - 1].blamed_ns += pair[i].blamed_ns;
		else
			pair[used++] = pair[i];
	}
	qsort(pair, used, sizeof(*pair), by_blame);
	*ret = pair;
	*ret_n = used;
	return 0;
}
