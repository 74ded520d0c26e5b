/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include <errno.h>
#include <linux/types.h>

#include "unit.h"
#include "vmalock/hist.h"
#include "vmalock/packed.h"

UNIT_OUT_OF_MEMORY

static void assert_text(const char *x, const char *y)
{
	if (!x || !y)
		assert_true(x == y);
	else
		assert_string_equal(x, y);
}

static void assert_row(const struct vml_row *x, const struct vml_row *y)
{
	int i;

	assert_int_equal(vml_id_compare(&x->id, &y->id), 0);
	assert_text(x->comm, y->comm);
	assert_text(x->cgroup, y->cgroup);
	assert_int_equal(x->uid, y->uid);
	assert_int_equal(x->ns_pid, y->ns_pid);
	assert_int_equal(x->threads, y->threads);
	assert_int_equal(x->mappings, y->mappings);
	assert_int_equal(x->exited, y->exited);
	assert_int_equal(x->area.start, y->area.start);
	assert_int_equal(x->area.end, y->area.end);
	assert_int_equal(x->area.offset, y->area.offset);
	assert_int_equal(x->area.inode, y->area.inode);
	assert_int_equal(x->area.dev_major, y->area.dev_major);
	assert_int_equal(x->area.dev_minor, y->area.dev_minor);
	assert_memory_equal(x->area.perms, y->area.perms, sizeof(x->area.perms));
	assert_text(x->area.kind, y->area.kind);
	assert_text(x->area.name, y->area.name);
	assert_text(x->context, y->context);
	assert_text(x->lock, y->lock);
	assert_text(x->target, y->target);
	assert_text(x->target_cgroup, y->target_cgroup);
	assert_text(x->victim_cgroup, y->victim_cgroup);
	assert_memory_equal(x->value, y->value, sizeof(x->value));
	unit_assert_tally(&x->reasons, &y->reasons);
	for (i = 0; i < VML_HISTS; i++) {
		unit_assert_tally(&x->hist[i].bucket, &y->hist[i].bucket);
		assert_int_equal(x->hist[i].count, y->hist[i].count);
		assert_int_equal(x->hist[i].sum_ns, y->hist[i].sum_ns);
		assert_int_equal(x->hist[i].max_ns, y->hist[i].max_ns);
	}
}

static void assert_rows(const struct vml_snapshot *x, const struct vml_snapshot *y)
{
	size_t i;
	int scope;

	for (scope = 0; scope < VML_NSCOPES; scope++) {
		assert_int_equal(x->rows[scope].n, y->rows[scope].n);
		for (i = 0; i < x->rows[scope].n; i++)
			assert_row(&x->rows[scope].row[i], &y->rows[scope].row[i]);
	}
}

/* Any number of up to 64 bits; most are short. */
static uint64_t any(uint64_t *seed)
{
	return unit_random(seed) >> unit_below(seed, 64);
}

static struct vml_tally any_tally(struct vml_snapshot *s, uint64_t *seed, uint32_t indices)
{
	struct vml_cell cell[VML_HIST_BUCKETS];
	uint32_t i, n = 0;

	for (i = 0; i < indices; i++) {
		if (!unit_below(seed, 4))
			cell[n++] = (struct vml_cell){ .index = i, .count = 1 + any(seed) / 2 };
	}
	return n ? unit_tally(s, cell, n) : (struct vml_tally){ 0 };
}

static const char *any_text(uint64_t *seed)
{
	static const char *const text[] = { NULL, "", "a", "/a/long/path", "\xff\\", "/a/long/path/of/another" };

	return text[unit_below(seed, VML_ARRAY_SIZE(text))];
}

static void fill(struct vml_snapshot *s, struct vml_row *r, uint64_t *seed)
{
	const char **const text[] = { &r->comm, &r->cgroup, &r->area.kind,     &r->area.name,	 &r->context,
				      &r->lock, &r->target, &r->target_cgroup, &r->victim_cgroup };
	size_t i;

	r->id.exec = (uint32_t)any(seed);
	r->id.tid_start_ns = any(seed);
	r->id.tid = (uint32_t)any(seed);
	r->id.anchor = any(seed);
	r->id.doing = (uint32_t)any(seed);
	r->id.write = unit_below(seed, 2);
	r->id.target = (struct vml_image){ (uint32_t)any(seed), (uint32_t)any(seed), any(seed) };
	r->uid = (uint32_t)any(seed);
	r->ns_pid = (uint32_t)any(seed);
	r->threads = (uint32_t)any(seed);
	r->mappings = (uint32_t)any(seed);
	r->exited = unit_below(seed, 2);
	r->area = (struct vml_area){ .start = any(seed),
				     .end = any(seed),
				     .offset = any(seed),
				     .inode = any(seed),
				     .dev_major = (uint32_t)any(seed),
				     .dev_minor = (uint32_t)any(seed),
				     .perms = "rwxs" };
	r->area.perms[unit_below(seed, 4)] = '-';
	for (i = 0; i < VML_ARRAY_SIZE(text); i++)
		*text[i] = any_text(seed);
	for (i = 0; i < VML_NMETRICS; i++)
		r->value[i] = any(seed);
	r->reasons = any_tally(s, seed, 30);
	for (i = 0; i < VML_HISTS; i++) {
		if (unit_below(seed, 2))
			r->hist[i] = (struct vml_hist){ any_tally(s, seed, VML_HIST_BUCKETS), any(seed), any(seed),
							any(seed) };
	}
}

static struct vml_snapshot *any_snapshot(uint64_t *seed)
{
	struct vml_snapshot *s = unit_snapshot(1 + any(seed) / 2);
	static const struct vml_map map[] = { { "vmas", 4096 }, { "processes", 8192 } };
	uint64_t n;
	int scope;

	for (scope = 0; scope < VML_NSCOPES; scope++)
		for (n = unit_below(seed, 20); n; n--)
			fill(s, unit_row(s, scope, 1000 - (uint32_t)n), seed);
	s->map = vml_arena_copy(s->arena, map, sizeof(map));
	s->nmap = VML_ARRAY_SIZE(map);
	s->total[VML_FAULTS] = any(seed);
	s->reasons = any_tally(s, seed, 30);
	s->hist[1] = unit_hist(any_tally(s, seed, VML_HIST_BUCKETS), any(seed), 0);
	return s;
}

static void what_comes_out_is_what_went_in(void **state)
{
	struct vml_snapshot *s, *out;
	struct vml_packed *p;
	uint64_t seed = 11;
	int run;

	(void)state;
	for (run = 0; run < 40; run++) {
		s = any_snapshot(&seed);
		assert_int_equal(vml_pack(s, &p), 0);
		assert_int_equal(vml_unpack(p, &out), 0);
		assert_rows(s, out);
		assert_int_equal(out->boot_ns, s->boot_ns);
		assert_int_equal(out->real_ns, s->real_ns);
		assert_int_equal(out->have[VML_VMA], s->have[VML_VMA]);
		assert_int_equal(out->total[VML_FAULTS], s->total[VML_FAULTS]);
		unit_assert_tally(&out->reasons, &s->reasons);
		unit_assert_tally(&out->hist[1].bucket, &s->hist[1].bucket);
		assert_int_equal(out->nmap, 2);
		vml_snapshot_free(s);
		assert_string_equal(out->map[1].name, "processes");
		assert_int_equal(out->map[1].bytes, 8192);
		vml_snapshot_free(out);
		vml_packed_free(p);
	}
	vml_packed_free(NULL);
}

static void nothing_is_nothing(void **state)
{
	struct vml_snapshot *s = vml_snapshot_new(), *out;
	struct vml_unpack *u;
	struct vml_packed *p;
	int scope;

	(void)state;
	assert_int_equal(vml_pack(s, &p), 0);
	for (scope = 0; scope < VML_NSCOPES; scope++) {
		u = vml_unpack_begin(p, scope);
		assert_non_null(u);
		assert_null(vml_unpack_next(u));
		assert_null(vml_unpack_next(u));
		vml_unpack_end(u);
	}
	vml_unpack_end(NULL);
	assert_int_equal(vml_unpack(p, &out), 0);
	assert_int_equal(out->rows[VML_VMA].n, 0);
	assert_null(out->map);
	unit_free(s, out, NULL);
	vml_packed_free(p);
}

static void rows_have_an_order(void **state)
{
	struct vml_snapshot *s = unit_snapshot(1);
	struct vml_packed *p = NULL;

	(void)state;
	unit_process(s, 2);
	unit_process(s, 2);
	assert_int_equal(vml_pack(s, &p), -EINVAL);
	s->rows[VML_PROCESS].row[1].id.pid = 1;
	assert_int_equal(vml_pack(s, &p), -EINVAL);
	assert_null(p);
	s->rows[VML_PROCESS].row[1].id.pid = 3;
	assert_int_equal(vml_pack(s, &p), 0);
	vml_packed_free(p);
	vml_snapshot_free(s);
}

/* Every allocation of an arena fails once; LeakSanitizer sees what is left behind. */
static void out_of_memory(void **state)
{
	struct vml_snapshot *s, *out = NULL;
	struct vml_packed *p = NULL;
	uint64_t seed = 3;
	long n;
	int err;

	(void)state;
	s = any_snapshot(&seed);
	for (n = 0, err = -ENOMEM; err; n++) {
		unit_allocations = n;
		err = vml_pack(s, &p);
		assert_true(!err || err == -ENOMEM);
	}
	assert_true(n > 3);
	for (n = 0, err = -ENOMEM; err; n++) {
		unit_allocations = n;
		err = vml_unpack(p, &out);
		assert_true(!err || err == -ENOMEM);
	}
	assert_true(n > 3);
	unit_allocations = -1;
	unit_free(s, out, NULL);
	vml_packed_free(p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_comes_out_is_what_went_in),
		cmocka_unit_test(nothing_is_nothing),
		cmocka_unit_test(rows_have_an_order),
		cmocka_unit_test(out_of_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
