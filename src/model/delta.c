/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include <errno.h>
#include <string.h>

#include "model.h"
#include "vmalock/base.h"

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

int vml_delta_row(struct vml_snapshot *d, enum vml_scope scope, const struct vml_row *prev, const struct vml_row *cur,
		  struct vml_row *ret)
{
	int err;

	*ret = *cur;
	change_values(prev->value, cur->value, d->have[scope], ret->value);
	err = model_keep_texts(d->arena, ret, scope);
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
	size_t i, j = 0;
	int c, err = 0;

	/* out of order, a row would look new and its whole past like a change */
	if (!sorted_and_unique(prev) || !sorted_and_unique(cur))
		return -EINVAL;
	ret->row = vml_arena_alloc(d->arena, cur->n * sizeof(*ret->row));
	if (!ret->row)
		return -ENOMEM;
	for (i = 0; i < cur->n && !err; i++) {
		c = -1;
		while (j < prev->n && (c = vml_id_compare(&prev->row[j].id, &cur->row[i].id)) < 0)
			j++;
		err = vml_delta_row(d, scope, j < prev->n && !c ? &prev->row[j] : &nothing, &cur->row[i],
				    &ret->row[ret->n++]);
	}
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

/*
 * Faults that nobody saw, nor others like them: their outcomes, reasons and areas are
 * not known, and so not those of the whole.
 */
static void delta_unknown(struct vml_snapshot *d)
{
	const uint64_t outcomes = VML_METRIC_BIT(VML_FAULTS_USER) | VML_METRIC_BIT(VML_FAULTS_KERNEL) |
				  VML_METRIC_BIT(VML_HITS) | VML_METRIC_BIT(VML_ABORTS) | VML_METRIC_BIT(VML_RETRIES) |
				  VML_METRIC_BIT(VML_MISSES) | VML_METRIC_BIT(VML_BYPASSES) |
				  VML_METRIC_BIT(VML_FALLBACKS);
	const uint64_t areas = outcomes | VML_METRIC_BIT(VML_FAULTS) | VML_METRIC_BIT(VML_WAIT_NS) |
			       VML_METRIC_BIT(VML_MMAP_READ_WAIT_NS);
	int i;

	if (!d->duty.unknown)
		return;
	for (i = 0; i < VML_NSCOPES; i++)
		d->have[i] &= ~(i == VML_VMA ? areas : outcomes);
	d->have_reasons = false;
}

static void delta_duty(struct vml_duty *ret, const struct vml_duty *prev, const struct vml_duty *cur)
{
	ret->step = cur->step;
	ret->attached_ns = change(prev->attached_ns, cur->attached_ns);
	ret->of_ns = change(prev->of_ns, cur->of_ns);
	ret->extrapolated = change(prev->extrapolated, cur->extrapolated);
	ret->borrowed = change(prev->borrowed, cur->borrowed);
	ret->held = cur->held;
	ret->unknown = change(prev->unknown, cur->unknown);
}

/* What only one of the two knows has no change that could be told. */
static void delta_have(struct vml_snapshot *d, const struct vml_snapshot *prev, const struct vml_snapshot *cur)
{
	bool zero = is_zero(prev);
	int i;

	for (i = 0; i < VML_NSCOPES; i++)
		d->have[i] = zero ? cur->have[i] : cur->have[i] & prev->have[i];
	d->have_reasons = cur->have_reasons && (zero || prev->have_reasons);
	delta_unknown(d);
}

static int delta_totals(struct vml_snapshot *d, const struct vml_snapshot *prev, const struct vml_snapshot *cur)
{
	int err;

	change_values(prev->total, cur->total, d->have[VML_PROCESS], d->total);
	err = vml_tally_delta(d->arena, &prev->reasons, &cur->reasons, &d->reasons);
	return err ? err : change_hists(d->arena, prev->hist, cur->hist, d->hist);
}

/* Programs are the same ones from snapshot to snapshot, in order of their names. */
static int delta_programs(struct vml_snapshot *d, const struct vml_snapshot *prev, const struct vml_snapshot *cur)
{
	size_t i, j = 0;
	int err = 0;

	if (!cur->nprogram)
		return 0;
	d->program = vml_arena_alloc(d->arena, cur->nprogram * sizeof(*d->program));
	if (!d->program)
		return -ENOMEM;
	for (i = 0; i < cur->nprogram && !err; i++) {
		struct vml_program *p = &d->program[i];

		*p = cur->program[i];
		while (j < prev->nprogram && strcmp(prev->program[j].name, p->name) < 0)
			j++;
		if (j < prev->nprogram && !strcmp(prev->program[j].name, p->name))
			p->runs = change(prev->program[j].runs, p->runs);
		err = model_keep(d->arena, &p->name);
	}
	d->nprogram = cur->nprogram;
	return err;
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
		err = model_keep(d->arena, &l->cause);
		if (!err)
			err = model_keep(d->arena, &l->help);
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
		err = model_keep(d->arena, &l->caller);
	}
	d->nlookup = cur->nlookup;
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

		while (j < prev->nstack && model_stack_compare(&prev->stack[j], &x) < 0)
			j++;
		if (j < prev->nstack && !model_stack_compare(&prev->stack[j], &x)) {
			const struct vml_stack *before = &prev->stack[j];

			x.max_ns = x.max_ns > before->max_ns ? x.max_ns : 0;
			x.holds = change(before->holds, x.holds);
			x.hold_ns = change(before->hold_ns, x.hold_ns);
			x.blamed_ns = change(before->blamed_ns, x.blamed_ns);
		}
		if (!x.holds)
			continue;
		err = model_keep_stack(d->arena, &x);
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
	ret->bpf_cost_ns = change(prev->bpf_cost_ns, cur->bpf_cost_ns);
	ret->bpf_hot_ns = change(prev->bpf_hot_ns, cur->bpf_hot_ns);
	ret->bpf_full_ns = change(prev->bpf_full_ns, cur->bpf_full_ns);
	ret->bpf_calibrations = change(prev->bpf_calibrations, cur->bpf_calibrations);
	ret->evicted_rows = change(prev->evicted_rows, cur->evicted_rows);
	ret->cpu_ns = change(prev->cpu_ns, cur->cpu_ns);
}

static void delta_kernel(struct vml_kernel_counts *ret, const struct vml_kernel_counts *prev,
			 const struct vml_kernel_counts *cur, bool zero)
{
	*ret = (struct vml_kernel_counts){
		.known = cur->known && (prev->known || zero),
		.success = change(prev->success, cur->success),
		.abort = change(prev->abort, cur->abort),
		.retry = change(prev->retry, cur->retry),
		.miss = change(prev->miss, cur->miss),
	};
}

static int fill(struct vml_snapshot *d, const struct vml_snapshot *prev, const struct vml_snapshot *cur)
{
	int err;

	d->boot_ns = cur->boot_ns;
	d->real_ns = cur->real_ns;
	d->interval_ns = cur->boot_ns - prev->boot_ns;
	d->selected = cur->selected;
	delta_duty(&d->duty, &prev->duty, &cur->duty);
	delta_have(d, prev, cur);
	delta_self(&d->self, &prev->self, &cur->self);
	delta_kernel(&d->kernel, &prev->kernel, &cur->kernel, is_zero(prev));
	err = model_copy_host(d, &cur->host);
	if (!err)
		err = model_copy_caps(d, cur->caps);
	if (!err)
		err = delta_totals(d, prev, cur);
	if (!err)
		err = delta_loss(d, prev, cur);
	if (!err)
		err = delta_lookups(d, prev, cur);
	if (!err)
		err = delta_programs(d, prev, cur);
	if (!err)
		err = model_copy_stalls(d, cur);
	return err ? err : delta_stacks(d, prev, cur);
}

int vml_delta_rest(const struct vml_snapshot *prev, const struct vml_snapshot *cur, struct vml_snapshot **ret)
{
	struct vml_snapshot *d;
	int err;

	if (cur->boot_ns <= prev->boot_ns)
		return -EINVAL;
	d = vml_snapshot_new();
	if (!d)
		return -ENOMEM;
	err = fill(d, prev, cur);
	if (err)
		vml_snapshot_free(d);
	else
		*ret = d;
	return err;
}

int vml_delta(const struct vml_snapshot *prev, const struct vml_snapshot *cur, struct vml_snapshot **ret)
{
	struct vml_snapshot *d;
	int scope, err = vml_delta_rest(prev, cur, &d);

	if (err)
		return err;
	for (scope = 0; scope < VML_NSCOPES && !err; scope++)
		err = delta_rows(d, scope, &prev->rows[scope], &cur->rows[scope]);
	if (err)
		vml_snapshot_free(d);
	else
		*ret = d;
	return err;
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
