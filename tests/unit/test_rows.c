/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What changed in the tables (src/collect/rows.c) is the delta of the snapshots before and after. */
#include <errno.h>
#include <linux/types.h>

#include "unit.h"
#include "../../src/collect/collect.h"

UNIT_OUT_OF_MEMORY

#define IDS 40
#define PASSES 60

static struct table *table_of(struct tables *t, enum vml_scope scope)
{
	struct table *const table[VML_NSCOPES] = {
		[VML_PROCESS] = &t->processes,
		[VML_THREAD] = &t->threads,
		[VML_VMA] = &t->vmas,
		[VML_BLOCKER] = &t->blockers,
	};

	return table[scope];
}

/* How often there was one before, so that nobody has the identity of who is gone. */
static uint32_t lives[VML_NSCOPES][IDS + 1];

static struct vml_id any_id(enum vml_scope scope, uint64_t *seed)
{
	uint32_t n = 1 + (uint32_t)unit_below(seed, IDS);
	struct vml_id id = { .pid = n % 7, .start_ns = lives[VML_PROCESS][n % 7] };

	if (scope == VML_THREAD || scope == VML_BLOCKER) {
		id.tid = n;
		id.tid_start_ns = lives[VML_THREAD][n];
	}
	if (scope == VML_VMA)
		id.anchor = n;
	if (scope == VML_BLOCKER)
		id.target = (struct vml_image){ .pid = n % 5, .start_ns = n % 5 };
	return id;
}

/* More of some counts, as a pass would find it. */
static void raise(struct item *e, enum vml_scope scope, uint32_t pass, uint64_t *seed)
{
	static uint32_t cell[NCELLS];
	struct reading r = { 0 };
	uint32_t n = scope == VML_PROCESS ? NCELLS : NCELLS_LOCKS;

	memcpy(r.base, e->base, sizeof(r.base));
	r.base[unit_below(seed, BASE_BLAMED)] += unit_below(seed, 3);
	if (!unit_below(seed, 3))
		r.max_ns[unit_below(seed, VML_NLOCKSTATS)] = unit_below(seed, 1000);
	assert_int_equal(item_raise(e, &r, pass), 0);
	memset(cell, 0, sizeof(cell));
	for (uint32_t i = 0; i < e->ncells; i++)
		cell[e->cell[i].index] = e->cell[i].raw;
	if (!unit_below(seed, 2))
		cell[unit_below(seed, n)] += 1 + (uint32_t)unit_below(seed, 9);
	assert_int_equal(item_raise_cells(e, cell, n, pass), 0);
	if (!unit_below(seed, 20))
		assert_int_equal(item_add_cell(e, (uint32_t)unit_below(seed, VML_NCAUSES), 2), 0);
	if (!e->comm)
		assert_int_equal(identity_text(&e->comm, "some", 4), 0);
}

static void forget_process(struct item *e, void *arg)
{
	(void)arg;
	e->process = NULL;
}

struct sweep {
	struct item *item[IDS];
	size_t n;
};

static void find_reported(struct item *e, void *arg)
{
	struct sweep *s = arg;

	if (e->reported)
		s->item[s->n++] = e;
}

static void step(struct tables *t, uint32_t pass, uint64_t *seed)
{
	for (enum vml_scope scope = 0; scope < VML_NSCOPES; scope++) {
		struct table *table = table_of(t, scope);
		struct sweep s = { .n = 0 };

		table_walk(table, find_reported, &s);
		for (int i = 0; s.n && i < VML_NSCOPES; i++)
			table_walk(table_of(t, i), forget_process, NULL);
		while (s.n) {
			struct item *e = s.item[--s.n];

			lives[scope][scope == VML_PROCESS ? e->id.pid : e->id.tid]++;
			table_remove(table, e);
		}
		for (int i = 0; i < 8; i++) {
			const struct vml_id id = any_id(scope, seed);
			struct item *e = table_get(table, &id);

			assert_non_null(e);
			if (unit_below(seed, 4))
				raise(e, scope, pass, seed);
			if (scope <= VML_THREAD && !unit_below(seed, 12))
				e->gone = true;
		}
	}
}

/* @boot_ns: all but the rows. */
static struct vml_snapshot *whole(struct tables *t, uint32_t pass)
{
	struct vml_snapshot *s = vml_snapshot_new();
	uint64_t base[NBASE];

	assert_non_null(s);
	s->boot_ns = pass;
	s->have_reasons = true;
	for (int scope = 0; scope < VML_NSCOPES; scope++)
		s->have[scope] = VML_METRIC_BIT(VML_NMETRICS) - 1;
	assert_int_equal(rows_sum(s, t, base), 0);
	assert_int_equal(rows_fill(s, t, pass), 0);
	return s;
}

static void assert_rows_equal(const struct vml_row *x, const struct vml_row *y)
{
	assert_int_equal(vml_id_compare(&x->id, &y->id), 0);
	assert_string_equal(x->comm, y->comm);
	assert_int_equal(x->exited, y->exited);
	assert_memory_equal(x->value, y->value, sizeof(x->value));
	unit_assert_tally(&x->reasons, &y->reasons);
	for (int i = 0; i < VML_HISTS; i++) {
		unit_assert_tally(&x->hist[i].bucket, &y->hist[i].bucket);
		assert_int_equal(x->hist[i].count, y->hist[i].count);
		assert_int_equal(x->hist[i].sum_ns, y->hist[i].sum_ns);
		assert_int_equal(x->hist[i].max_ns, y->hist[i].max_ns);
	}
}

/* Returns how many rows of @all are rightly not in @some. */
static size_t assert_changed_rows(const struct vml_snapshot *all, const struct vml_snapshot *some)
{
	size_t left_out = 0;

	for (enum vml_scope scope = 0; scope < VML_NSCOPES; scope++) {
		const struct vml_rows *x = &all->rows[scope], *y = &some->rows[scope];
		size_t n = 0;

		for (size_t i = 0; i < x->n; i++) {
			if (scope != VML_PROCESS && !vml_row_changed(&x->row[i])) {
				left_out++;
				continue;
			}
			assert_true(n < y->n);
			assert_rows_equal(&x->row[i], &y->row[n++]);
		}
		assert_int_equal(y->n, n);
	}
	return left_out;
}

static void assert_snapshots_equal(const struct vml_snapshot *a, const struct vml_snapshot *b)
{
	for (enum vml_scope scope = 0; scope < VML_NSCOPES; scope++) {
		assert_int_equal(a->rows[scope].n, b->rows[scope].n);
		for (size_t i = 0; i < a->rows[scope].n; i++)
			assert_rows_equal(&a->rows[scope].row[i], &b->rows[scope].row[i]);
	}
}

static void tables_free(struct tables *t)
{
	for (int scope = 0; scope < VML_NSCOPES; scope++)
		table_free(table_of(t, scope));
}

static void what_changed_is_the_delta(void **state)
{
	struct vml_snapshot *prev, *s, *again, *all, *some;
	size_t left_out = 0, exited = 0;
	struct tables t = { 0 };
	uint64_t seed = 77;

	(void)state;
	prev = vml_snapshot_new();
	assert_non_null(prev);
	for (uint32_t pass = 1; pass < PASSES; pass++) {
		step(&t, pass, &seed);
		if (!unit_below(&seed, 4))
			continue; /* this one failed */
		s = whole(&t, pass);
		all = unit_delta(prev, s);
		assert_int_equal(vml_delta_rest(prev, s, &some), 0);
		assert_int_equal(rows_fill_delta(some, &t, pass), 0);
		left_out += assert_changed_rows(all, some);
		rows_reported(&t, pass);
		rows_forget(&t);
		/* who looks afterwards sees the same */
		again = whole(&t, pass);
		assert_snapshots_equal(s, again);
		for (size_t i = 0; i < s->rows[VML_VMA].n; i++)
			exited += s->rows[VML_VMA].row[i].exited;
		unit_free(prev, all, some);
		vml_snapshot_free(again);
		prev = s;
	}
	assert_true(left_out > 100);
	assert_true(exited > 5);
	vml_snapshot_free(prev);
	tables_free(&t);
}

/* The parts that come later are in the next one, whole. */
static void out_of_memory(void **state)
{
	struct vml_snapshot *prev = vml_snapshot_new(), *s, *all, *some;
	struct tables t = { 0 };
	uint64_t seed = 5;
	long n;
	int err;

	(void)state;
	for (uint32_t pass = 1; pass < 5; pass++)
		step(&t, pass, &seed);
	s = whole(&t, 5);
	all = unit_delta(prev, s);
	for (n = 0, err = -ENOMEM; err; n++) {
		assert_int_equal(vml_delta_rest(prev, s, &some), 0);
		unit_allocations = n;
		err = rows_fill_delta(some, &t, 5);
		unit_allocations = -1;
		assert_true(!err || err == -ENOMEM);
		if (err)
			vml_snapshot_free(some);
	}
	assert_true(n > IDS);
	assert_changed_rows(all, some);
	unit_free(s, all, some);
	vml_snapshot_free(prev);
	tables_free(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_changed_is_the_delta),
		cmocka_unit_test(out_of_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
