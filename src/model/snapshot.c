/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include <stdlib.h>
#include <string.h>

#include "vmalock/base.h"
#include "vmalock/snapshot.h"

struct vml_snapshot *vml_snapshot_new(void)
{
	struct vml_arena *a = vml_arena_new();
	struct vml_snapshot *s;

	if (!a)
		return NULL;
	s = vml_arena_alloc(a, sizeof(*s));
	if (!s) {
		vml_arena_free(a);
		return NULL;
	}
	s->arena = a;
	s->host = (struct vml_host){ .name = "", .boot_id = "", .machine = "", .kernel = "" };
	return s;
}

void vml_total_wait(struct vml_snapshot *s)
{
	if (s->have[VML_PROCESS] & VML_METRIC_BIT(VML_BLAMED_NS))
		s->total[VML_WAIT_NS] = s->total[VML_BLAMED_NS] + s->total[VML_UNATTRIBUTED_NS];
}

void vml_snapshot_free(struct vml_snapshot *s)
{
	/* the snapshot itself is in its arena */
	if (s)
		vml_arena_free(s->arena);
}

#define COMPARE(a, b) (((a) > (b)) - ((a) < (b)))

static int compare_image(const struct vml_image *a, const struct vml_image *b)
{
	if (a->pid != b->pid)
		return COMPARE(a->pid, b->pid);
	if (a->start_ns != b->start_ns)
		return COMPARE(a->start_ns, b->start_ns);
	return COMPARE(a->exec, b->exec);
}

int vml_id_compare(const struct vml_id *a, const struct vml_id *b)
{
	if (a->pid != b->pid)
		return COMPARE(a->pid, b->pid);
	if (a->start_ns != b->start_ns)
		return COMPARE(a->start_ns, b->start_ns);
	if (a->exec != b->exec)
		return COMPARE(a->exec, b->exec);
	if (a->tid != b->tid)
		return COMPARE(a->tid, b->tid);
	if (a->tid_start_ns != b->tid_start_ns)
		return COMPARE(a->tid_start_ns, b->tid_start_ns);
	if (a->anchor != b->anchor)
		return COMPARE(a->anchor, b->anchor);
	if (a->doing != b->doing)
		return COMPARE(a->doing, b->doing);
	if (a->write != b->write)
		return COMPARE(a->write, b->write);
	return compare_image(&a->target, &b->target);
}

static int compare_row(const void *id, const void *row)
{
	return vml_id_compare(id, &((const struct vml_row *)row)->id);
}

const struct vml_row *vml_rows_find(const struct vml_rows *r, const struct vml_id *id)
{
	return r->n ? bsearch(id, r->row, r->n, sizeof(*r->row), compare_row) : NULL;
}

double vml_duty_ratio(const struct vml_snapshot *s)
{
	const struct vml_duty *d = &s->duty;

	return d->of_ns && d->attached_ns < d->of_ns ? (double)d->attached_ns / (double)d->of_ns : 1;
}

static uint64_t sum_losses(const struct vml_snapshot *s, bool details)
{
	uint64_t sum = 0;
	size_t i;

	for (i = 0; i < s->nloss; i++)
		if (vml_loss_is_detail(s->loss[i].cause) == details)
			sum += s->loss[i].count;
	return sum;
}

uint64_t vml_snapshot_lost(const struct vml_snapshot *s)
{
	return sum_losses(s, false);
}

uint64_t vml_snapshot_lost_details(const struct vml_snapshot *s)
{
	return sum_losses(s, true);
}

bool vml_snapshot_exact(const struct vml_snapshot *s)
{
	size_t i;

	if (s->duty.attached_ns < s->duty.of_ns || s->duty.extrapolated || s->duty.unknown)
		return false;
	for (i = 0; i < s->nloss; i++) {
		if (s->loss[i].count && vml_loss_spoils(s->loss[i].cause))
			return false;
	}
	return true;
}
