/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include <errno.h>
#include <string.h>

#include "vmalock/base.h"
#include "vmalock/caps.h"
#include "vmalock/snapshot.h"

/* What a row that was not there before is compared with. */
static const struct vml_row nothing;

/* A count that fell was reset: what it counts since then is the change. */
static uint64_t change(uint64_t prev, uint64_t cur)
{
	return cur < prev ? cur : cur - prev;
}

static void change_values(const uint64_t *prev, const uint64_t *cur, uint64_t have, uint64_t *ret)
{
	int m;

	for (m = 0; m < VML_NMETRICS; m++)
		ret[m] = have & VML_METRIC_BIT(m) ? change(prev[m], cur[m]) : 0;
}

static int change_hists(struct vml_arena *a, const struct vml_hist *prev, const struct vml_hist *cur,
			struct vml_hist *ret)
{
	int i, err = 0;

	for (i = 0; i < VML_HISTS && !err; i++)
		err = vml_hist_delta(a, &prev[i], &cur[i], &ret[i]);
	return err;
}

/* Copies *@s into the arena: the delta outlives the snapshots it was made of. */
static int keep(struct vml_arena *a, const char **s)
{
	*s = *s ? vml_arena_strdup(a, *s) : "";
	return *s ? 0 : -ENOMEM;
}

static int keep_all(struct vml_arena *a, const char **const text[], size_t n)
{
	size_t i;
	int err = 0;

	for (i = 0; i < n && !err; i++)
		err = keep(a, text[i]);
	return err;
}

static int keep_texts(struct vml_arena *a, struct vml_row *r, enum vml_scope scope)
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

static int delta_row(struct vml_snapshot *d, enum vml_scope scope, const struct vml_row *prev,
		     const struct vml_row *cur, struct vml_row *ret)
{
	int err;

	*ret = *cur;
	change_values(prev->value, cur->value, d->have[scope], ret->value);
	err = keep_texts(d->arena, ret, scope);
	if (!err)
		err = vml_tally_delta(d->arena, &prev->reasons, &cur->reasons, &ret->reasons);
	if (!err)
		err = change_hists(d->arena, prev->hist, cur->hist, ret->hist);
	return err;
}

static bool sorted_and_unique(const struct vml_rows *r)
{
	size_t i;

	for (i = 1; i < r->n; i++) {
		if (vml_id_compare(&r->row[i - 1].id, &r->row[i].id) >= 0)
			return false;
	}
	return true;
}

static int delta_rows(struct vml_snapshot *d, enum vml_scope scope, const struct vml_rows *prev,
		      const struct vml_rows *cur)
{
	struct vml_rows *ret = &d->rows[scope];
	const struct vml_row *before;
	size_t i, j = 0;
	int err = 0;

	/* out of order, a row would look new and its whole past like a change */
	if (!sorted_and_unique(prev) || !sorted_and_unique(cur))
		return -EINVAL;
	ret->row = vml_arena_alloc(d->arena, cur->n * sizeof(*ret->row));
	if (!ret->row)
		return -ENOMEM;
	for (i = 0; i < cur->n && !err; i++) {
		while (j < prev->n && vml_id_compare(&prev->row[j].id, &cur->row[i].id) < 0)
			j++;
		before = j < prev->n && !vml_id_compare(&prev->row[j].id, &cur->row[i].id) ? &prev->row[j] : &nothing;
		err = delta_row(d, scope, before, &cur->row[i], &ret->row[i]);
	}
	ret->n = cur->n;
	return err;
}

/* A fresh vml_snapshot_new(): the delta from it is everything since the source was opened. */
static bool is_zero(const struct vml_snapshot *s)
{
	int i;

	for (i = 0; i < VML_NSCOPES; i++) {
		if (s->have[i] || s->rows[i].n)
			return false;
	}
	return !s->have_reasons;
}

/* What only one of the two knows has no change that could be told. */
static void delta_have(struct vml_snapshot *d, const struct vml_snapshot *prev, const struct vml_snapshot *cur)
{
	bool zero = is_zero(prev);
	int i;

	for (i = 0; i < VML_NSCOPES; i++)
		d->have[i] = zero ? cur->have[i] : cur->have[i] & prev->have[i];
	d->have_reasons = cur->have_reasons && (zero || prev->have_reasons);
}

static int delta_totals(struct vml_snapshot *d, const struct vml_snapshot *prev, const struct vml_snapshot *cur)
{
	int err;

	change_values(prev->total, cur->total, d->have[VML_PROCESS], d->total);
	err = vml_tally_delta(d->arena, &prev->reasons, &cur->reasons, &d->reasons);
	return err ? err : change_hists(d->arena, prev->hist, cur->hist, d->hist);
}

/* Causes are in the same order most of the time, so the same place is tried first. */
static uint64_t loss_before(const struct vml_snapshot *prev, size_t i, const char *cause)
{
	size_t j;

	if (i < prev->nloss && !strcmp(prev->loss[i].cause, cause))
		return prev->loss[i].count;
	for (j = 0; j < prev->nloss; j++) {
		if (!strcmp(prev->loss[j].cause, cause))
			return prev->loss[j].count;
	}
	return 0;
}

static int delta_loss(struct vml_snapshot *d, const struct vml_snapshot *prev, const struct vml_snapshot *cur)
{
	size_t i;
	int err = 0;

	d->loss = vml_arena_alloc(d->arena, cur->nloss * sizeof(*d->loss));
	if (!d->loss)
		return -ENOMEM;
	for (i = 0; i < cur->nloss && !err; i++) {
		struct vml_loss *l = &d->loss[i];

		*l = cur->loss[i];
		l->count = change(loss_before(prev, i, l->cause), l->count);
		err = keep(d->arena, &l->cause);
		if (!err)
			err = keep(d->arena, &l->help);
	}
	d->nloss = cur->nloss;
	return err;
}

/* What was not known before has no change that could be told; against nothing at all everything is new. */
static int delta_lookups(struct vml_snapshot *d, const struct vml_snapshot *prev, const struct vml_snapshot *cur)
{
	size_t i;
	int err = 0;

	if (!cur->lookup || (!prev->lookup && !is_zero(prev)))
		return 0;
	d->lookup = vml_arena_alloc(d->arena, cur->nlookup * sizeof(*d->lookup));
	if (!d->lookup)
		return -ENOMEM;
	for (i = 0; i < cur->nlookup && !err; i++) {
		const struct vml_lookup none = { 0 }, *before = i < prev->nlookup ? &prev->lookup[i] : &none;
		struct vml_lookup *l = &d->lookup[i];

		*l = cur->lookup[i];
		l->lookups = change(before->lookups, l->lookups);
		l->aborts = change(before->aborts, l->aborts);
		l->misses = change(before->misses, l->misses);
		err = keep(d->arena, &l->caller);
	}
	d->nlookup = cur->nlookup;
	return err;
}

/* What goes on is as @cur saw it. */
static int copy_stalls(struct vml_snapshot *d, const struct vml_snapshot *cur)
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

static int compare_stack(const struct vml_stack *a, const struct vml_stack *b)
{
	int c = vml_id_compare(&a->id, &b->id);

	return c ? c : (a->key > b->key) - (a->key < b->key);
}

static int keep_stack(struct vml_arena *a, struct vml_stack *s)
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

/* Those that changed. */
static int delta_stacks(struct vml_snapshot *d, const struct vml_snapshot *prev, const struct vml_snapshot *cur)
{
	size_t i, j = 0;
	int err = 0;

	if (!cur->stack)
		return 0;
	d->stack = vml_arena_alloc(d->arena, cur->nstack * sizeof(*d->stack));
	if (!d->stack)
		return -ENOMEM;
	for (i = 0; i < cur->nstack && !err; i++) {
		struct vml_stack x = cur->stack[i];

		while (j < prev->nstack && compare_stack(&prev->stack[j], &x) < 0)
			j++;
		if (j < prev->nstack && !compare_stack(&prev->stack[j], &x)) {
			const struct vml_stack *before = &prev->stack[j];

			x.max_ns = x.max_ns > before->max_ns ? x.max_ns : 0;
			x.holds = change(before->holds, x.holds);
			x.hold_ns = change(before->hold_ns, x.hold_ns);
			x.blamed_ns = change(before->blamed_ns, x.blamed_ns);
		}
		if (!x.holds)
			continue;
		err = keep_stack(d->arena, &x);
		d->stack[d->nstack++] = x;
	}
	return err;
}

static void delta_self(struct vml_self *ret, const struct vml_self *prev, const struct vml_self *cur)
{
	*ret = *cur;
	ret->foreign_mmap_locks = change(prev->foreign_mmap_locks, cur->foreign_mmap_locks);
	ret->maps_read = change(prev->maps_read, cur->maps_read);
	ret->bpf_runs = change(prev->bpf_runs, cur->bpf_runs);
	ret->cpu_ns = change(prev->cpu_ns, cur->cpu_ns);
}

static int copy_host(struct vml_snapshot *d, const struct vml_host *host)
{
	const char **const text[] = { &d->host.name, &d->host.boot_id, &d->host.machine, &d->host.kernel };

	d->host = *host;
	return keep_all(d->arena, text, VML_ARRAY_SIZE(text));
}

static int copy_caps(struct vml_snapshot *d, const struct vml_caps *caps)
{
	struct vml_caps *copy;
	int i, err = 0;

	if (!caps)
		return 0;
	copy = vml_arena_copy(d->arena, caps, sizeof(*caps));
	if (!copy)
		return -ENOMEM;
	for (i = 0; i < VML_NCAPS && !err; i++) {
		struct vml_cap *c = &copy->cap[i];

		err = keep(d->arena, &c->name);
		err = err ? err : keep(d->arena, &c->what);
		err = err ? err : keep(d->arena, &c->lost);
		err = err ? err : keep(d->arena, &c->get);
	}
	d->caps = copy;
	return err;
}

static int fill(struct vml_snapshot *d, const struct vml_snapshot *prev, const struct vml_snapshot *cur)
{
	int scope, err;

	d->boot_ns = cur->boot_ns;
	d->real_ns = cur->real_ns;
	d->interval_ns = cur->boot_ns - prev->boot_ns;
	d->selected = cur->selected;
	delta_have(d, prev, cur);
	delta_self(&d->self, &prev->self, &cur->self);
	err = copy_host(d, &cur->host);
	if (!err)
		err = copy_caps(d, cur->caps);
	for (scope = 0; scope < VML_NSCOPES && !err; scope++)
		err = delta_rows(d, scope, &prev->rows[scope], &cur->rows[scope]);
	if (!err)
		err = delta_totals(d, prev, cur);
	if (!err)
		err = delta_loss(d, prev, cur);
	if (!err)
		err = delta_lookups(d, prev, cur);
	if (!err)
		err = copy_stalls(d, cur);
	return err ? err : delta_stacks(d, prev, cur);
}

int vml_delta(const struct vml_snapshot *prev, const struct vml_snapshot *cur, struct vml_snapshot **ret)
{
	struct vml_snapshot *d;
	int err;

	if (cur->boot_ns <= prev->boot_ns)
		return -EINVAL;
	d = vml_snapshot_new();
	if (!d)
		return -ENOMEM;
	err = fill(d, prev, cur);
	if (err) {
		vml_snapshot_free(d);
		return err;
	}
	*ret = d;
	return 0;
}

bool vml_row_changed(const struct vml_row *r)
{
	int i;

	for (i = 0; i < VML_NMETRICS; i++) {
		if (r->value[i])
			return true;
	}
	for (i = 0; i < VML_HISTS; i++) {
		if (r->hist[i].count)
			return true;
	}
	return r->reasons.n || r->exited;
}
