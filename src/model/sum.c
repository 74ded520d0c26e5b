/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Rows are found by identity in a tree and added to in place, so that summing n
 * deltas costs what their rows do, and not n times the rows of the sum.
 */
#include <errno.h>
#include <search.h>
#include <stdlib.h>
#include <string.h>

#include "model.h"
#include "vmalock/base.h"
#include "vmalock/caps.h"

/* Things in the arena of the sum that are found by identity. */
struct list {
	void **item;
	size_t n, size;
	void *root;
	int (*compare)(const void *a, const void *b);
};

struct vml_sum {
	struct vml_snapshot *sum;
	struct list row[VML_NSCOPES], stack;
	bool any;
};

static void in_arena(void *item)
{
	(void)item;
}

static void list_free(struct list *l)
{
	tdestroy(l->root, in_arena);
	free(l->item);
}

/* What is like @key; otherwise a copy of it (@size bytes), and *ret_new. NULL: out of memory. */
static void *list_get(struct list *l, struct vml_arena *a, const void *key, size_t size, bool *ret_new)
{
	void *const *found = tfind(key, &l->root, l->compare);
	void *item, **more;

	*ret_new = !found;
	if (found)
		return *found;
	if (l->n == l->size) {
		more = realloc(l->item, (l->size ? 2 * l->size : 64) * sizeof(*more));
		if (!more)
			return NULL;
		l->item = more;
		l->size = l->size ? 2 * l->size : 64;
	}
	item = vml_arena_copy(a, key, size);
	if (!item || !tsearch(item, &l->root, l->compare))
		return NULL;
	l->item[l->n++] = item;
	return item;
}

static int compare_rows(const void *a, const void *b)
{
	return vml_id_compare(&((const struct vml_row *)a)->id, &((const struct vml_row *)b)->id);
}

static int compare_stacks(const void *a, const void *b)
{
	return model_stack_compare(a, b);
}

struct vml_sum *vml_sum_new(void)
{
	struct vml_sum *s = calloc(1, sizeof(*s));
	int i;

	if (!s)
		return NULL;
	s->sum = vml_snapshot_new();
	if (!s->sum) {
		free(s);
		return NULL;
	}
	for (i = 0; i < VML_NSCOPES; i++)
		s->row[i].compare = compare_rows;
	s->stack.compare = compare_stacks;
	return s;
}

void vml_sum_free(struct vml_sum *s)
{
	int i;

	if (!s)
		return;
	for (i = 0; i < VML_NSCOPES; i++)
		list_free(&s->row[i]);
	list_free(&s->stack);
	vml_snapshot_free(s->sum);
	free(s);
}

/* ---- counts */

static void add_values(uint64_t *sum, const uint64_t *x)
{
	int m;

	for (m = 0; m < VML_NMETRICS; m++)
		sum[m] += x[m];
}

/* In place when @sum has all indexes of @x. */
static int add_tally(struct vml_arena *a, struct vml_tally *sum, const struct vml_tally *x)
{
	struct vml_cell *cell = (struct vml_cell *)sum->cell; /* ours: the sum copies what it takes */
	uint32_t i, j = 0;

	for (i = 0; i < x->n; i++) {
		while (j < sum->n && cell[j].index < x->cell[i].index)
			j++;
		if (j == sum->n || cell[j].index != x->cell[i].index)
			return vml_tally_add(a, sum, x, sum);
	}
	for (i = j = 0; i < x->n; i++) {
		while (cell[j].index < x->cell[i].index)
			j++;
		cell[j].count += x->cell[i].count;
	}
	return 0;
}

/*
 * The maximum since the source was opened only grows: where the later of two deltas
 * that adjoin knows it, it is that of both; where it does not, nothing in it was over
 * that of the earlier.  A count that began anew contradicts that, and shows in the
 * buckets.
 */
static uint64_t max_in_sequence(const struct vml_hist *first, const struct vml_hist *then)
{
	const struct vml_tally *other = then->max_ns ? &first->bucket : &then->bucket;
	uint64_t max_ns = then->max_ns ? then->max_ns : first->max_ns;

	if (!other->n || (double)max_ns > vml_hist_lower(other->cell[other->n - 1].index))
		return max_ns;
	return 0;
}

static int add_hist(struct vml_arena *a, struct vml_hist *sum, const struct vml_hist *x, bool adjoins)
{
	uint64_t max_ns = adjoins ? max_in_sequence(sum, x) : 0;

	if (!x->bucket.n && !x->max_ns && !x->sum_ns)
		return 0;
	sum->max_ns = max_ns ? max_ns : model_hist_max(sum, x);
	sum->count += x->count;
	sum->sum_ns += x->sum_ns;
	return add_tally(a, &sum->bucket, &x->bucket);
}

static int add_hists(struct vml_arena *a, struct vml_hist *sum, const struct vml_hist *x, bool adjoins)
{
	int i, err = 0;

	for (i = 0; i < VML_HISTS && !err; i++)
		err = add_hist(a, &sum[i], &x[i], adjoins);
	return err;
}

/* ---- rows */

static bool same(const char *a, const char *b)
{
	return a == b || !strcmp(a ? a : "", b ? b : "");
}

static bool same_texts(const struct vml_row *a, const struct vml_row *b)
{
	return same(a->comm, b->comm) && same(a->cgroup, b->cgroup) && same(a->area.kind, b->area.kind) &&
	       same(a->area.name, b->area.name) && same(a->context, b->context) && same(a->lock, b->lock) &&
	       same(a->target, b->target) && same(a->target_cgroup, b->target_cgroup) &&
	       same(a->victim_cgroup, b->victim_cgroup);
}

/* What @x says of itself replaces what was said before; counts stay. */
static int describe(struct vml_arena *a, struct vml_row *sum, const struct vml_row *x, enum vml_scope scope)
{
	struct vml_row with = *x;
	int err = 0;

	if (same_texts(sum, x)) {
		with = *sum;
		with.uid = x->uid;
		with.ns_pid = x->ns_pid;
		with.threads = x->threads;
		with.mappings = x->mappings;
		with.exited = x->exited;
		with.area = x->area;
		with.area.kind = sum->area.kind;
		with.area.name = sum->area.name;
		*sum = with;
		return 0;
	}
	err = model_keep_texts(a, &with, scope);
	memcpy(with.value, sum->value, sizeof(with.value));
	memcpy(with.hist, sum->hist, sizeof(with.hist));
	with.reasons = sum->reasons;
	if (!err)
		*sum = with;
	return err;
}

/* A row that is new in the sum: its own texts, no counts yet. */
static int begin_row(struct vml_arena *a, struct vml_row *sum, enum vml_scope scope)
{
	memset(sum->value, 0, sizeof(sum->value));
	memset(sum->hist, 0, sizeof(sum->hist));
	sum->reasons = (struct vml_tally){ 0 };
	return model_keep_texts(a, sum, scope);
}

static int add_counts(struct vml_arena *a, struct vml_row *sum, const struct vml_row *x, bool adjoins)
{
	int err = add_tally(a, &sum->reasons, &x->reasons);

	add_values(sum->value, x->value);
	return err ? err : add_hists(a, sum->hist, x->hist, adjoins);
}

int vml_row_add(struct vml_arena *a, struct vml_row *sum, const struct vml_row *x)
{
	return add_counts(a, sum, x, false);
}

static int add_row(struct vml_sum *s, enum vml_scope scope, const struct vml_row *x, bool adjoins)
{
	struct vml_arena *a = s->sum->arena;
	bool is_new;
	struct vml_row *sum = list_get(&s->row[scope], a, x, sizeof(*x), &is_new);
	int err;

	if (!sum)
		return -ENOMEM;
	err = is_new ? begin_row(a, sum, scope) : describe(a, sum, x, scope);
	return err ? err : add_counts(a, sum, x, adjoins);
}

static int add_stack(struct vml_sum *s, const struct vml_stack *x)
{
	bool is_new;
	struct vml_stack *sum = list_get(&s->stack, s->sum->arena, x, sizeof(*x), &is_new);

	if (!sum)
		return -ENOMEM;
	if (is_new)
		return model_keep_stack(s->sum->arena, sum);
	sum->holds += x->holds;
	sum->hold_ns += x->hold_ns;
	sum->blamed_ns += x->blamed_ns;
	if (x->max_ns > sum->max_ns)
		sum->max_ns = x->max_ns;
	return 0;
}

/* ---- what is one for the whole */

static int add_loss(struct vml_snapshot *sum, const struct vml_loss *x)
{
	struct vml_loss *more;
	size_t i;
	int err;

	for (i = 0; i < sum->nloss; i++) {
		if (!strcmp(sum->loss[i].cause, x->cause)) {
			sum->loss[i].count += x->count;
			return 0;
		}
	}
	more = vml_arena_alloc(sum->arena, (sum->nloss + 1) * sizeof(*more));
	if (!more)
		return -ENOMEM;
	if (sum->nloss)
		memcpy(more, sum->loss, sum->nloss * sizeof(*more));
	more[sum->nloss] = *x;
	err = model_keep(sum->arena, &more[sum->nloss].cause);
	if (!err)
		err = model_keep(sum->arena, &more[sum->nloss].help);
	sum->loss = more;
	sum->nloss++;
	return err;
}

static int first_lookups(struct vml_snapshot *sum, const struct vml_snapshot *x)
{
	size_t i;
	int err = 0;

	if (!x->lookup)
		return 0;
	sum->lookup = vml_arena_copy(sum->arena, x->lookup, x->nlookup * sizeof(*x->lookup));
	sum->nlookup = x->nlookup;
	if (!sum->lookup)
		return -ENOMEM;
	for (i = 0; i < sum->nlookup && !err; i++)
		err = model_keep(sum->arena, &sum->lookup[i].caller);
	return err;
}

/* Known only where both know it. */
static void add_lookups(struct vml_snapshot *sum, const struct vml_snapshot *x)
{
	size_t i, j;

	if (!x->lookup) {
		sum->lookup = NULL;
		sum->nlookup = 0;
	}
	for (i = 0; i < sum->nlookup; i++) {
		for (j = 0; j < x->nlookup; j++) {
			if (strcmp(sum->lookup[i].caller, x->lookup[j].caller) != 0)
				continue;
			sum->lookup[i].lookups += x->lookup[j].lookups;
			sum->lookup[i].aborts += x->lookup[j].aborts;
			sum->lookup[i].misses += x->lookup[j].misses;
			break;
		}
	}
}

static void add_self(struct vml_self *sum, const struct vml_self *x)
{
	const struct vml_self before = *sum;

	*sum = *x;
	sum->foreign_mmap_locks += before.foreign_mmap_locks;
	sum->maps_read += before.maps_read;
	sum->bpf_runs += before.bpf_runs;
	sum->cpu_ns += before.cpu_ns;
	sum->bpf_cost_ns += before.bpf_cost_ns;
	sum->bpf_hot_ns += before.bpf_hot_ns;
	sum->bpf_full_ns += before.bpf_full_ns;
	sum->bpf_calibrations += before.bpf_calibrations;
	sum->evicted_rows += before.evicted_rows;
}

static void add_kernel(struct vml_kernel_counts *sum, const struct vml_kernel_counts *x, bool first)
{
	*sum = (struct vml_kernel_counts){
		.known = x->known && (first || sum->known),
		.success = sum->success + x->success,
		.abort = sum->abort + x->abort,
		.retry = sum->retry + x->retry,
		.miss = sum->miss + x->miss,
	};
}

/* Both 0 says attached all the time, so the rest of the other's sum is known then. */
static void add_duty(struct vml_duty *sum, const struct vml_duty *x, uint64_t sum_ns, uint64_t x_ns)
{
	bool guarded = sum->of_ns || x->of_ns;

	if (guarded) {
		sum->attached_ns = (sum->of_ns ? sum->attached_ns : sum_ns) + (x->of_ns ? x->attached_ns : x_ns);
		sum->of_ns = (sum->of_ns ? sum->of_ns : sum_ns) + (x->of_ns ? x->of_ns : x_ns);
	}
	sum->step = x->step;
	sum->extrapolated += x->extrapolated;
	sum->borrowed += x->borrowed;
	sum->held = x->held;
	sum->unknown += x->unknown;
}

static bool same_host(const struct vml_host *a, const struct vml_host *b)
{
	return same(a->name, b->name) && same(a->boot_id, b->boot_id) && same(a->machine, b->machine) &&
	       same(a->kernel, b->kernel);
}

static bool same_caps(const struct vml_caps *a, const struct vml_caps *b)
{
	int i;

	if (!a || !b)
		return a == b;
	if (strcmp(a->backend, b->backend) != 0 || strcmp(a->detail, b->detail) != 0)
		return false;
	for (i = 0; i < VML_NCAPS; i++) {
		if (a->cap[i].state != b->cap[i].state || strcmp(a->cap[i].how, b->cap[i].how) != 0)
			return false;
	}
	return true;
}

/* The later one says on what host and how. */
static int add_circumstances(struct vml_snapshot *sum, const struct vml_snapshot *x)
{
	int err = 0;

	if (!same_host(&sum->host, &x->host))
		err = model_copy_host(sum, &x->host);
	sum->host.cpus = x->host.cpus;
	sum->host.page_size = x->host.page_size;
	sum->host.max_mappings = x->host.max_mappings;
	if (!err && !same_caps(sum->caps, x->caps)) {
		sum->caps = NULL;
		err = model_copy_caps(sum, x->caps);
	}
	sum->selected |= x->selected;
	sum->stall = NULL;
	sum->nstall = 0;
	return err ? err : model_copy_stalls(sum, x);
}

static int add_whole(struct vml_sum *s, const struct vml_snapshot *x, bool adjoins)
{
	struct vml_snapshot *sum = s->sum;
	size_t i;
	int scope, err;

	for (scope = 0; scope < VML_NSCOPES; scope++)
		sum->have[scope] = s->any ? sum->have[scope] & x->have[scope] : x->have[scope];
	sum->have_reasons = x->have_reasons && (!s->any || sum->have_reasons);
	add_values(sum->total, x->total);
	add_self(&sum->self, &x->self);
	add_duty(&sum->duty, &x->duty, sum->interval_ns, x->interval_ns);
	add_kernel(&sum->kernel, &x->kernel, !s->any);
	err = add_tally(sum->arena, &sum->reasons, &x->reasons);
	if (!err)
		err = add_hists(sum->arena, sum->hist, x->hist, adjoins);
	for (i = 0; i < x->nloss && !err; i++)
		err = add_loss(sum, &x->loss[i]);
	if (!err && !s->any)
		err = first_lookups(sum, x);
	else if (!err)
		add_lookups(sum, x);
	return err ? err : add_circumstances(sum, x);
}

static bool adjoin(const struct vml_snapshot *sum, const struct vml_snapshot *x)
{
	return same(sum->host.boot_id, x->host.boot_id) && x->boot_ns - x->interval_ns == sum->boot_ns;
}

int vml_sum_add(struct vml_sum *s, const struct vml_snapshot *x)
{
	struct vml_snapshot *sum = s->sum;
	bool adjoins = s->any && adjoin(sum, x);
	size_t i;
	int scope, err;

	if (!x->interval_ns)
		return -EINVAL;
	err = add_whole(s, x, adjoins);
	for (scope = 0; scope < VML_NSCOPES && !err; scope++)
		for (i = 0; i < x->rows[scope].n && !err; i++)
			err = add_row(s, scope, &x->rows[scope].row[i], adjoins);
	for (i = 0; i < x->nstack && !err; i++)
		err = add_stack(s, &x->stack[i]);
	if (!err && x->stack && !sum->stack) { /* replaced at the end */
		sum->stack = vml_arena_alloc(sum->arena, 0);
		err = sum->stack ? 0 : -ENOMEM;
	}
	sum->boot_ns = x->boot_ns;
	sum->real_ns = x->real_ns;
	sum->interval_ns += x->interval_ns;
	s->any = true;
	return err;
}

/* ---- the end */

static int by_id(const void *a, const void *b)
{
	return compare_rows(*(void *const *)a, *(void *const *)b);
}

static int by_id_and_key(const void *a, const void *b)
{
	return compare_stacks(*(void *const *)a, *(void *const *)b);
}

static void forget_unknown(uint64_t *value, uint64_t have)
{
	int m;

	for (m = 0; m < VML_NMETRICS; m++)
		if (!(have & VML_METRIC_BIT(m)))
			value[m] = 0;
}

static int end_rows(struct vml_sum *s, enum vml_scope scope)
{
	struct list *l = &s->row[scope];
	struct vml_rows *ret = &s->sum->rows[scope];
	size_t i;

	ret->row = vml_arena_alloc(s->sum->arena, l->n * sizeof(*ret->row));
	if (!ret->row)
		return -ENOMEM;
	if (l->n)
		qsort(l->item, l->n, sizeof(*l->item), by_id);
	for (i = 0; i < l->n; i++) {
		ret->row[i] = *(struct vml_row *)l->item[i];
		forget_unknown(ret->row[i].value, s->sum->have[scope]);
	}
	ret->n = l->n;
	return 0;
}

static int end_stacks(struct vml_sum *s)
{
	struct list *l = &s->stack;
	size_t i;

	if (!s->sum->stack)
		return 0;
	s->sum->stack = vml_arena_alloc(s->sum->arena, l->n * sizeof(*s->sum->stack));
	if (!s->sum->stack)
		return -ENOMEM;
	if (l->n)
		qsort(l->item, l->n, sizeof(*l->item), by_id_and_key);
	for (i = 0; i < l->n; i++)
		s->sum->stack[i] = *(struct vml_stack *)l->item[i];
	s->sum->nstack = l->n;
	return 0;
}

int vml_sum_end(struct vml_sum *s, struct vml_snapshot **ret)
{
	int scope, err = s->any ? 0 : -ENODATA;

	for (scope = 0; scope < VML_NSCOPES && !err; scope++)
		err = end_rows(s, scope);
	if (!err)
		err = end_stacks(s);
	if (!err) {
		forget_unknown(s->sum->total, s->sum->have[VML_PROCESS]);
		*ret = s->sum;
		s->sum = NULL;
	}
	vml_sum_free(s);
	return err;
}

int vml_merge(const struct vml_snapshot *first, const struct vml_snapshot *then, struct vml_snapshot **ret)
{
	struct vml_sum *s = vml_sum_new();
	int err;

	if (!s)
		return -ENOMEM;
	err = vml_sum_add(s, first);
	if (!err)
		err = vml_sum_add(s, then);
	if (!err)
		return vml_sum_end(s, ret);
	vml_sum_free(s);
	return err;
}
