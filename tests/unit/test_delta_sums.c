/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Deltas of a world that runs: they add up, and survive a lack of memory. */
#include <errno.h>

#include "unit.h"
#include "vmalock/caps.h"

UNIT_OUT_OF_MEMORY

/* Rows are born, count and die. */

#define WORLD 60

struct world {
	uint64_t seed;
	struct {
		uint32_t born, dies; /* step of the world */
		uint64_t value[VML_NMETRICS];
		uint64_t reason[8], bucket[40], sum_ns;
	} one[WORLD];
	uint64_t total[VML_NMETRICS], reason[8], bucket[40], sum_ns;
};

static void world_start(struct world *w, uint64_t seed, bool all_persist)
{
	int i;

	memset(w, 0, sizeof(*w));
	w->seed = seed;
	for (i = 0; i < WORLD; i++) {
		w->one[i].born = all_persist ? 0 : (uint32_t)unit_below(&w->seed, 30);
		w->one[i].dies = all_persist ? 1000 : w->one[i].born + 1 + (uint32_t)unit_below(&w->seed, 30);
	}
}

static void world_step(struct world *w, uint32_t step)
{
	uint64_t n;
	int i, j;

	for (i = 0; i < WORLD; i++) {
		if (step < w->one[i].born || step >= w->one[i].dies || !unit_below(&w->seed, 3))
			continue;
		for (j = 0; j < VML_NMETRICS; j++) {
			n = unit_below(&w->seed, 4) ? 0 : unit_below(&w->seed, 1000);
			w->one[i].value[j] += n;
			w->total[j] += n;
		}
		j = (int)unit_below(&w->seed, 8);
		w->one[i].reason[j]++;
		w->reason[j]++;
		j = (int)unit_below(&w->seed, 40);
		w->one[i].bucket[j] += 2;
		w->bucket[j] += 2;
		w->one[i].sum_ns += 1000 * (uint64_t)j;
		w->sum_ns += 1000 * (uint64_t)j;
	}
}

static void take_counts(struct vml_snapshot *s, const uint64_t *reason, const uint64_t *bucket, uint64_t sum_ns,
			struct vml_tally *ret_reasons, struct vml_hist *ret_hist)
{
	assert_int_equal(vml_tally_from(s->arena, reason, 8, ret_reasons), 0);
	assert_int_equal(vml_tally_from(s->arena, bucket, 40, &ret_hist->bucket), 0);
	ret_hist->count = vml_tally_sum(&ret_hist->bucket);
	ret_hist->sum_ns = sum_ns;
}

static struct vml_snapshot *world_snapshot(const struct world *w, uint32_t step)
{
	struct vml_snapshot *s = unit_snapshot(1 + step * UNIT_SECOND);
	enum vml_scope scope;
	struct vml_row *r;
	int i;

	for (i = 0; i < WORLD; i++) {
		if (step < w->one[i].born || step >= w->one[i].dies)
			continue;
		for (scope = 0; scope < VML_NSCOPES; scope++) {
			r = unit_row(s, scope, 1 + (uint32_t)i);
			memcpy(r->value, w->one[i].value, sizeof(r->value));
			take_counts(s, w->one[i].reason, w->one[i].bucket, w->one[i].sum_ns, &r->reasons, &r->hist[2]);
		}
	}
	memcpy(s->total, w->total, sizeof(s->total));
	take_counts(s, w->reason, w->bucket, w->sum_ns, &s->reasons, &s->hist[2]);
	return s;
}

static void assert_sum(struct vml_arena *a, const struct vml_row *whole, const struct vml_row *x,
		       const struct vml_row *y)
{
	struct vml_tally reasons;
	struct vml_hist hist;
	int i;

	for (i = 0; i < VML_NMETRICS; i++)
		assert_int_equal(whole->value[i], x->value[i] + y->value[i]);
	assert_int_equal(vml_tally_add(a, &x->reasons, &y->reasons, &reasons), 0);
	unit_assert_tally(&whole->reasons, &reasons);
	assert_int_equal(vml_hist_add(a, &x->hist[2], &y->hist[2], &hist), 0);
	unit_assert_tally(&whole->hist[2].bucket, &hist.bucket);
	assert_int_equal(whole->hist[2].sum_ns, hist.sum_ns);
	assert_int_equal(whole->hist[2].count, hist.count);
}

static struct vml_row total_as_row(const struct vml_snapshot *s)
{
	struct vml_row r = { .reasons = s->reasons };

	memcpy(r.value, s->total, sizeof(r.value));
	memcpy(r.hist, s->hist, sizeof(r.hist));
	return r;
}

static void assert_parts_make_the_whole(struct vml_snapshot *ab, struct vml_snapshot *bc, struct vml_snapshot *ac)
{
	struct vml_row t = total_as_row(ac), u = total_as_row(ab), v = total_as_row(bc), none = { 0 };
	const struct vml_row *x, *y;
	int scope;
	size_t i;

	assert_sum(ac->arena, &t, &u, &v);
	assert_int_equal(ac->interval_ns, ab->interval_ns + bc->interval_ns);
	for (scope = 0; scope < VML_NSCOPES; scope++) {
		assert_int_equal(ac->rows[scope].n, bc->rows[scope].n);
		for (i = 0; i < ac->rows[scope].n; i++) {
			x = vml_rows_find(&ab->rows[scope], &ac->rows[scope].row[i].id);
			y = vml_rows_find(&bc->rows[scope], &ac->rows[scope].row[i].id);
			assert_non_null(y);
			assert_sum(ac->arena, &ac->rows[scope].row[i], x ? x : &none, y);
		}
	}
}

static void two_deltas_add_up_to_one(void **state)
{
	struct vml_snapshot *s[3], *ab, *bc, *ac;
	static struct world w;
	uint32_t run, step, i;
	uint64_t seed = 5;

	(void)state;
	for (run = 0; run < 80; run++) {
		world_start(&w, 1000 + run, false);
		for (i = 0, step = 0; i < 3; i++) {
			uint32_t until = step + 1 + (uint32_t)unit_below(&seed, 12);

			for (; step < until; step++)
				world_step(&w, step);
			s[i] = world_snapshot(&w, step - 1);
		}
		ab = unit_delta(s[0], s[1]);
		bc = unit_delta(s[1], s[2]);
		ac = unit_delta(s[0], s[2]);
		assert_parts_make_the_whole(ab, bc, ac);
		unit_free(s[0], s[1], s[2]);
		unit_free(ab, bc, ac);
	}
}

static void totals_are_the_sum_of_rows_that_persist(void **state)
{
	struct vml_snapshot *a, *b, *d;
	struct vml_row sum, total;
	static struct world w;
	uint32_t run, step;
	size_t i;

	(void)state;
	for (run = 0; run < 40; run++) {
		world_start(&w, 77 + run, true);
		for (step = 0; step < 5; step++)
			world_step(&w, step);
		a = world_snapshot(&w, 4);
		for (; step < 9; step++)
			world_step(&w, step);
		b = world_snapshot(&w, 8);
		d = unit_delta(a, b);
		assert_int_equal(d->rows[VML_PROCESS].n, WORLD);
		sum = (struct vml_row){ 0 };
		for (i = 0; i < WORLD; i++) {
			const struct vml_row *r = &d->rows[VML_PROCESS].row[i];
			int m;

			for (m = 0; m < VML_NMETRICS; m++)
				sum.value[m] += r->value[m];
			assert_int_equal(vml_tally_add(d->arena, &sum.reasons, &r->reasons, &sum.reasons), 0);
			assert_int_equal(vml_hist_add(d->arena, &sum.hist[2], &r->hist[2], &sum.hist[2]), 0);
		}
		total = total_as_row(d);
		assert_sum(d->arena, &total, &sum, &(struct vml_row){ 0 });
		unit_free(a, b, d);
	}
}

/* Every allocation fails once; LeakSanitizer sees what is left behind. */
static void out_of_memory(void **state)
{
	struct vml_snapshot *a, *b, *ret = NULL;
	static struct world w;
	struct vml_caps caps = { .backend = "x", .cap[0].name = "bpf" };
	static const struct vml_loss loss[] = { { "x", "X.", 5 } };
	static struct vml_lookup lookup[] = { { "fault", 1, 2, 3 }, { "proc", 1, 2, 3 } };
	long n;
	int err;

	(void)state;
	world_start(&w, 4, true);
	world_step(&w, 1);
	a = world_snapshot(&w, 1);
	world_step(&w, 2);
	b = world_snapshot(&w, 2);
	b->caps = &caps;
	unit_set_loss(b, loss, 1);
	b->lookup = lookup;
	b->nlookup = VML_ARRAY_SIZE(lookup);
	a->lookup = lookup;
	a->nlookup = VML_ARRAY_SIZE(lookup);
	for (n = 0;; n++) {
		unit_allocations = n;
		err = vml_delta(a, b, &ret);
		unit_allocations = -1;
		if (!err)
			break;
		assert_int_equal(err, -ENOMEM);
		assert_null(ret);
	}
	assert_true(n > 3 * WORLD);
	unit_free(a, b, ret);

	unit_allocations = 0;
	assert_null(vml_snapshot_new());
	unit_allocations = 1;
	assert_null(vml_snapshot_new());
	unit_allocations = -1;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(two_deltas_add_up_to_one),
		cmocka_unit_test(totals_are_the_sum_of_rows_that_persist),
		cmocka_unit_test(out_of_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
