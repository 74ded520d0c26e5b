/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include <errno.h>

#include "unit.h"
#include "vmalock/caps.h"

static void empty_snapshots(void **state)
{
	struct vml_snapshot *a = unit_snapshot(5), *b = unit_snapshot(12), *d = unit_delta(a, b);

	(void)state;
	assert_int_equal(d->interval_ns, 7);
	assert_int_equal(d->boot_ns, 12);
	assert_int_equal(d->real_ns, b->real_ns);
	assert_int_equal(d->rows[VML_PROCESS].n, 0);
	assert_string_equal(d->host.name, "");
	assert_null(d->caps);
	assert_null(vml_rows_find(&d->rows[VML_PROCESS], &(struct vml_id){ .pid = 1 }));
	unit_free(a, b, d);
	vml_snapshot_free(NULL);
}

static void time_must_go_forward(void **state)
{
	struct vml_snapshot *a = unit_snapshot(5), *b = unit_snapshot(5), *ret = NULL;

	(void)state;
	assert_int_equal(vml_delta(a, b, &ret), -EINVAL);
	b->boot_ns = 4;
	assert_int_equal(vml_delta(a, b, &ret), -EINVAL);
	assert_int_equal(vml_delta(a, a, &ret), -EINVAL);
	assert_null(ret);
	unit_free(a, b, NULL);
}

static void counts_are_changes_and_gauges_are_not(void **state)
{
	struct vml_snapshot *a = unit_snapshot(1), *b = unit_snapshot(1 + UNIT_SECOND), *d;
	const struct vml_row *r;
	struct vml_row *p;

	(void)state;
	p = unit_process(a, 10);
	p->value[VML_FAULTS] = 100;
	p->value[VML_WAIT_NS] = 5000;
	p->threads = 3;
	p = unit_process(b, 10);
	p->value[VML_FAULTS] = 130;
	p->value[VML_WAIT_NS] = 5000;
	p->threads = 2;
	p->comm = "later";
	p->cgroup = "/x";
	p->uid = 33;
	p->ns_pid = 1;
	d = unit_delta(a, b);
	assert_int_equal(d->rows[VML_PROCESS].n, 1);
	r = &d->rows[VML_PROCESS].row[0];
	assert_int_equal(r->value[VML_FAULTS], 30);
	assert_int_equal(r->value[VML_WAIT_NS], 0);
	assert_int_equal(r->threads, 2);
	assert_string_equal(r->comm, "later");
	assert_string_equal(r->cgroup, "/x");
	assert_int_equal(r->uid, 33);
	assert_int_equal(r->ns_pid, 1);
	assert_int_equal(d->interval_ns, UNIT_SECOND);
	unit_free(a, b, d);
}

static void a_fallen_count_is_new(void **state)
{
	struct vml_snapshot *a = unit_snapshot(1), *b = unit_snapshot(2), *d;
	struct vml_row *p;

	(void)state;
	p = unit_process(a, 10);
	p->value[VML_FAULTS] = 100;
	p->value[VML_HITS] = 50;
	p->reasons = UNIT_TALLY(a, { 4, 10 }, { 5, 2 });
	a->total[VML_FAULTS] = 100;
	p = unit_process(b, 10);
	p->value[VML_FAULTS] = 7;
	p->value[VML_HITS] = 50;
	p->reasons = UNIT_TALLY(b, { 4, 3 }, { 5, 4 });
	b->total[VML_FAULTS] = 7;
	d = unit_delta(a, b);
	p = d->rows[VML_PROCESS].row;
	assert_int_equal(p->value[VML_FAULTS], 7);
	assert_int_equal(p->value[VML_HITS], 0);
	assert_int_equal(vml_tally_get(&p->reasons, 4), 3);
	assert_int_equal(vml_tally_get(&p->reasons, 5), 2);
	assert_int_equal(d->total[VML_FAULTS], 7);
	unit_free(a, b, d);
}

/* 10 goes, 20 stays, 30 comes, 40 is replaced by another process with its pid, 50 replaced by exec. */
static void new_gone_exited_and_reused(void **state)
{
	struct vml_snapshot *a = unit_snapshot(1), *b = unit_snapshot(2), *d;
	const struct vml_rows *rows;
	struct vml_row *p;

	(void)state;
	unit_process(a, 10)->value[VML_FAULTS] = 1000;
	unit_process(a, 20)->value[VML_FAULTS] = 100;
	unit_process(a, 40)->value[VML_FAULTS] = 77;
	unit_process(a, 50)->value[VML_FAULTS] = 5;
	p = unit_process(b, 20);
	p->value[VML_FAULTS] = 101;
	p->exited = true;
	unit_process(b, 30)->value[VML_FAULTS] = 9;
	p = unit_process(b, 40);
	p->value[VML_FAULTS] = 80;
	p->id.start_ns += 1;
	p = unit_process(b, 50);
	p->value[VML_FAULTS] = 5;
	p->exited = true;
	p = unit_process(b, 50);
	p->value[VML_FAULTS] = 6;
	p->id.exec = 1;
	d = unit_delta(a, b);
	rows = &d->rows[VML_PROCESS];
	assert_int_equal(rows->n, 5);
	assert_int_equal(rows->row[0].id.pid, 20);
	assert_int_equal(rows->row[0].value[VML_FAULTS], 1);
	assert_true(rows->row[0].exited);
	assert_int_equal(rows->row[1].value[VML_FAULTS], 9);
	assert_int_equal(rows->row[2].value[VML_FAULTS], 80);
	assert_int_equal(rows->row[3].value[VML_FAULTS], 0);
	assert_true(rows->row[3].exited);
	assert_int_equal(rows->row[4].value[VML_FAULTS], 6);
	assert_false(rows->row[4].exited);
	unit_free(a, b, d);
}

static void threads_and_vmas(void **state)
{
	struct vml_snapshot *a = unit_snapshot(1), *b = unit_snapshot(2), *d;
	const struct vml_row *r;
	struct vml_row *v;

	(void)state;
	unit_thread(a, 10, 10)->value[VML_FAULTS] = 1;
	unit_thread(a, 10, 12)->value[VML_FAULTS] = 2;
	unit_vma(a, 10, 0x1000)->value[VML_FAULTS] = 3;
	unit_thread(b, 10, 11)->value[VML_FAULTS] = 40;
	unit_thread(b, 10, 12)->value[VML_FAULTS] = 50;
	v = unit_vma(b, 10, 0x1000);
	v->value[VML_FAULTS] = 60;
	v->area.name = "/lib/libc.so";
	v->area.inode = 99;
	d = unit_delta(a, b);
	assert_int_equal(d->rows[VML_THREAD].n, 2);
	assert_int_equal(d->rows[VML_THREAD].row[0].value[VML_FAULTS], 40);
	assert_int_equal(d->rows[VML_THREAD].row[1].value[VML_FAULTS], 48);
	r = &d->rows[VML_VMA].row[0];
	assert_int_equal(r->value[VML_FAULTS], 57);
	assert_string_equal(r->area.name, "/lib/libc.so");
	assert_string_equal(r->area.kind, "anon");
	assert_string_equal(r->area.perms, "rw-p");
	assert_int_equal(r->area.inode, 99);
	assert_ptr_equal(vml_rows_find(&d->rows[VML_VMA], &r->id), r);
	unit_free(a, b, d);
}

static void disorder_is_refused(void **state)
{
	struct vml_snapshot *good = unit_snapshot(2), *bad = unit_snapshot(2), *twice = unit_snapshot(2);
	struct vml_snapshot *first = unit_snapshot(1), *last = unit_snapshot(3), *ret = NULL;

	(void)state;
	unit_thread(good, 10, 1);
	unit_thread(good, 10, 2);
	unit_thread(bad, 10, 2);
	unit_thread(bad, 10, 1);
	unit_vma(twice, 10, 0x1000);
	unit_vma(twice, 10, 0x1000);
	assert_int_equal(vml_delta(first, bad, &ret), -EINVAL);
	assert_int_equal(vml_delta(bad, last, &ret), -EINVAL);
	assert_int_equal(vml_delta(first, twice, &ret), -EINVAL);
	assert_int_equal(vml_delta(twice, last, &ret), -EINVAL);
	assert_null(ret);
	assert_int_equal(vml_delta(first, good, &ret), 0);
	vml_snapshot_free(ret);
	unit_free(good, bad, twice);
	unit_free(first, last, NULL);
}

/* A metric that only one of the two knows has no change; against nothing at all everything is new. */
static void what_is_known(void **state)
{
	struct vml_snapshot *a = unit_snapshot(1), *b = unit_snapshot(2), *zero = vml_snapshot_new(), *d;

	(void)state;
	a->have[VML_PROCESS] = VML_METRIC_BIT(VML_FAULTS) | VML_METRIC_BIT(VML_HITS);
	a->have_reasons = false;
	b->have[VML_PROCESS] = VML_METRIC_BIT(VML_FAULTS) | VML_METRIC_BIT(VML_ABORTS);
	unit_process(a, 10)->value[VML_FAULTS] = 1;
	unit_process(b, 10)->value[VML_FAULTS] = 3;
	b->rows[VML_PROCESS].row[0].value[VML_ABORTS] = 1000;
	b->total[VML_ABORTS] = 1000;
	d = unit_delta(a, b);
	assert_int_equal(d->have[VML_PROCESS], VML_METRIC_BIT(VML_FAULTS));
	assert_int_equal(d->rows[VML_PROCESS].row[0].value[VML_FAULTS], 2);
	assert_int_equal(d->rows[VML_PROCESS].row[0].value[VML_ABORTS], 0);
	assert_int_equal(d->total[VML_ABORTS], 0);
	assert_false(d->have_reasons);
	vml_snapshot_free(d);

	d = unit_delta(zero, b);
	assert_int_equal(d->have[VML_PROCESS], b->have[VML_PROCESS]);
	assert_int_equal(d->rows[VML_PROCESS].row[0].value[VML_ABORTS], 1000);
	assert_int_equal(d->interval_ns, 2);
	assert_true(d->have_reasons);
	unit_free(a, b, d);
	vml_snapshot_free(zero);
}

static void loss_is_matched_by_cause(void **state)
{
	static const struct vml_loss before[] = {
		{ "x", "X.", 5 }, { "y", "Y.", 10 }, { "same", "S.", 3 }, { "gone", "G.", 3 }
	};
	static const struct vml_loss after[] = {
		{ "y", "Y.", 12 }, { "x", "X.", 5 }, { "same", "S.", 10 }, { "new", "N.", 4 }, { "zero", "Z.", 0 }
	};
	struct vml_snapshot *a = unit_snapshot(1), *b = unit_snapshot(2), *d;

	(void)state;
	unit_set_loss(a, before, VML_ARRAY_SIZE(before));
	unit_set_loss(b, after, VML_ARRAY_SIZE(after));
	d = unit_delta(a, b);
	assert_int_equal(d->nloss, 5);
	assert_string_equal(d->loss[0].cause, "y");
	assert_string_equal(d->loss[0].help, "Y.");
	assert_int_equal(d->loss[0].count, 2);
	assert_int_equal(d->loss[1].count, 0);
	assert_int_equal(d->loss[2].count, 7);
	assert_int_equal(d->loss[3].count, 4);
	assert_string_equal(d->loss[4].cause, "zero");
	unit_free(a, b, d);
}

/* Hooks on every fault that were there for a part of the time. */
static void duty_of_the_interval(void **state)
{
	const uint64_t outcomes = VML_METRIC_BIT(VML_HITS) | VML_METRIC_BIT(VML_FALLBACKS) |
				  VML_METRIC_BIT(VML_BYPASSES) | VML_METRIC_BIT(VML_FAULTS_USER);
	struct vml_snapshot *a = unit_snapshot(1), *b = unit_snapshot(2), *d;

	(void)state;
	a->have[VML_PROCESS] = b->have[VML_PROCESS] = UINT64_MAX;
	a->have[VML_VMA] = b->have[VML_VMA] = UINT64_MAX;
	a->have_reasons = b->have_reasons = true;
	a->duty = (struct vml_duty){ .attached_ns = 100, .of_ns = 100 };
	b->duty = (struct vml_duty){ .step = 2, .attached_ns = 125, .of_ns = 200, .extrapolated = 70 };
	d = unit_delta(a, b);
	assert_true(vml_duty_ratio(a) == 1);
	assert_true(vml_duty_ratio(d) == 0.25);
	assert_int_equal(d->duty.step, 2);
	assert_int_equal(d->duty.extrapolated, 70);
	assert_true(vml_snapshot_exact(a));
	assert_false(vml_snapshot_exact(d));
	assert_true((d->have[VML_PROCESS] & outcomes) == outcomes);
	assert_true(d->have_reasons);
	vml_snapshot_free(d);

	/* nothing to extrapolate from: faults and waits are known, and no more */
	b->duty.unknown = 1;
	d = unit_delta(a, b);
	assert_true((d->have[VML_PROCESS] & outcomes) == 0);
	assert_true(d->have[VML_PROCESS] & VML_METRIC_BIT(VML_FAULTS));
	assert_true(d->have[VML_PROCESS] & VML_METRIC_BIT(VML_WAIT_NS));
	assert_false(d->have[VML_VMA] & VML_METRIC_BIT(VML_FAULTS));
	assert_false(d->have_reasons);
	unit_free(a, b, d);
}

static struct vml_lookup *set_lookups(struct vml_snapshot *s, const struct vml_lookup *lookup, size_t n)
{
	s->lookup = vml_arena_copy(s->arena, lookup, n * sizeof(*lookup));
	s->nlookup = n;
	return s->lookup;
}

static void lookups_are_changes_where_they_are_known(void **state)
{
	static const struct vml_lookup before[] = { { "fault", 100, 10, 1 }, { "madvise", 7, 0, 0 } };
	static const struct vml_lookup after[] = { { "fault", 130, 15, 1 },
						   { "madvise", 7, 0, 0 },
						   { "proc", 5, 4, 3 } };
	struct vml_snapshot *a = unit_snapshot(1), *b = unit_snapshot(2), *zero = vml_snapshot_new(), *d;

	(void)state;
	set_lookups(b, after, VML_ARRAY_SIZE(after))[0].caller = vml_arena_strdup(b->arena, "fault");
	/* the one before did not know: nothing can be told of the change */
	d = unit_delta(a, b);
	assert_null(d->lookup);
	assert_int_equal(d->nlookup, 0);
	vml_snapshot_free(d);
	d = unit_delta(zero, b);
	assert_int_equal(d->nlookup, 3);
	assert_int_equal(d->lookup[0].lookups, 130);
	vml_snapshot_free(d);
	set_lookups(a, before, VML_ARRAY_SIZE(before));
	d = unit_delta(a, b);
	unit_free(a, b, zero);
	assert_int_equal(d->nlookup, 3);
	assert_string_equal(d->lookup[0].caller, "fault");
	assert_int_equal(d->lookup[0].lookups, 30);
	assert_int_equal(d->lookup[0].aborts, 5);
	assert_int_equal(d->lookup[0].misses, 0);
	assert_int_equal(d->lookup[1].lookups, 0);
	assert_int_equal(d->lookup[2].lookups, 5);
	assert_int_equal(d->lookup[2].misses, 3);
	vml_snapshot_free(d);
}

static void the_kernels_counts_are_changes_where_they_are_known(void **state)
{
	struct vml_snapshot *a = unit_snapshot(UNIT_SECOND), *b = unit_snapshot(2 * UNIT_SECOND), *d;

	(void)state;
	a->kernel = (struct vml_kernel_counts){ true, 100, 20, 3, 1 };
	b->kernel = (struct vml_kernel_counts){ true, 150, 21, 3, 2 };
	d = unit_delta(a, b);
	assert_true(d->kernel.known);
	assert_int_equal(d->kernel.success, 50);
	assert_int_equal(d->kernel.abort, 1);
	assert_int_equal(d->kernel.retry, 0);
	assert_int_equal(d->kernel.miss, 1);
	vml_snapshot_free(d);
	a->kernel.known = false;
	d = unit_delta(a, b);
	assert_false(d->kernel.known);
	unit_free(a, b, d);
}

static void self_has_counters_and_gauges(void **state)
{
	struct vml_snapshot *a = unit_snapshot(1), *b = unit_snapshot(2), *d;

	(void)state;
	a->self = (struct vml_self){ .foreign_mmap_locks = 1,
				     .bpf_runs = 100,
				     .cpu_ns = 1000,
				     .rss_bytes = 5000,
				     .map_bytes = 6000,
				     .evicted_rows = 3,
				     .from_bpf = true };
	b->self = (struct vml_self){ .foreign_mmap_locks = 1,
				     .bpf_runs = 150,
				     .cpu_ns = 1700,
				     .rss_bytes = 4000,
				     .map_bytes = 7000,
				     .evicted_rows = 8,
				     .evicted_known = true,
				     .from_bpf = true };
	d = unit_delta(a, b);
	assert_int_equal(d->self.foreign_mmap_locks, 0);
	assert_int_equal(d->self.bpf_runs, 50);
	assert_int_equal(d->self.cpu_ns, 700);
	assert_int_equal(d->self.rss_bytes, 4000);
	assert_int_equal(d->self.map_bytes, 7000);
	assert_int_equal(d->self.evicted_rows, 5);
	assert_true(d->self.evicted_known);
	assert_true(d->self.from_bpf);
	unit_free(a, b, d);
}

static void stacks_are_those_that_changed_where_they_are_taken(void **state)
{
	static const struct vml_stack before[] = {
		{ .key = 1, .comm = "", .context = "", .holds = 3, .blamed_ns = 30 }
	};
	static const struct vml_stack after[] = {
		{ .key = 1, .comm = "", .context = "", .holds = 3, .blamed_ns = 30 },
		{ .key = 2, .comm = "c", .context = "read", .holds = 2, .hold_ns = 9, .max_ns = 7, .blamed_ns = 20 },
	};
	struct vml_snapshot *a = unit_snapshot(1), *b = unit_snapshot(2), *d;

	(void)state;
	d = unit_delta(a, b);
	assert_null(d->stack); /* not taken: not the same as none */
	vml_snapshot_free(d);
	b->stack = vml_arena_alloc(b->arena, 0);
	d = unit_delta(a, b);
	assert_non_null(d->stack);
	assert_int_equal(d->nstack, 0);
	vml_snapshot_free(d);
	a->stack = vml_arena_copy(a->arena, before, sizeof(before));
	a->nstack = VML_ARRAY_SIZE(before);
	b->stack = vml_arena_copy(b->arena, after, sizeof(after));
	b->nstack = VML_ARRAY_SIZE(after);
	d = unit_delta(a, b);
	assert_int_equal(d->nstack, 1);
	assert_int_equal(d->stack[0].key, 2);
	assert_int_equal(d->stack[0].blamed_ns, 20);
	unit_free(a, b, d);
}

/* Everything is reached through the delta's own arena: the sources may be freed (run with ASan). */
static void delta_outlives_its_sources(void **state)
{
	struct vml_snapshot *a = unit_snapshot(1), *b = unit_snapshot(2), *d;
	struct vml_caps *caps = vml_arena_alloc(b->arena, sizeof(*caps));
	struct vml_loss loss = { "cause", "Help.", 1 };
	struct vml_row *p;

	(void)state;
	b->host = (struct vml_host){ .name = vml_arena_strdup(b->arena, "host"),
				     .boot_id = "b",
				     .machine = "m",
				     .kernel = vml_arena_strdup(b->arena, "6.18"),
				     .cpus = 2,
				     .page_size = 4096 };
	strcpy(caps->backend, "tracepoint");
	caps->cap[VML_CAP_BTF].name = vml_arena_strdup(b->arena, "btf");
	caps->cap[VML_CAP_BTF].state = VML_CAP_YES;
	b->caps = caps;
	p = unit_process(b, 10);
	p->comm = vml_arena_strdup(b->arena, "redis");
	p->reasons = UNIT_TALLY(b, { 2, 9 });
	p->hist[1] = unit_hist(UNIT_TALLY(b, { 50, 4 }), 100, 60);
	b->hist[1] = p->hist[1];
	unit_vma(b, 10, 0x1000)->area.name = vml_arena_strdup(b->arena, "/lib");
	loss.cause = vml_arena_strdup(b->arena, loss.cause);
	loss.help = vml_arena_strdup(b->arena, loss.help);
	unit_set_loss(b, &loss, 1);
	d = unit_delta(a, b);
	vml_snapshot_free(a);
	vml_snapshot_free(b);
	assert_string_equal(d->host.name, "host");
	assert_string_equal(d->host.kernel, "6.18");
	assert_int_equal(d->host.page_size, 4096);
	assert_string_equal(d->caps->backend, "tracepoint");
	assert_string_equal(d->caps->cap[VML_CAP_BTF].name, "btf");
	assert_true(vml_caps_has(d->caps, VML_CAP_BTF));
	assert_string_equal(d->rows[VML_PROCESS].row[0].comm, "redis");
	assert_int_equal(vml_tally_get(&d->rows[VML_PROCESS].row[0].reasons, 2), 9);
	assert_int_equal(vml_tally_get(&d->rows[VML_PROCESS].row[0].hist[1].bucket, 50), 4);
	assert_int_equal(d->hist[1].count, 4);
	assert_string_equal(d->rows[VML_VMA].row[0].area.name, "/lib");
	assert_string_equal(d->loss[0].cause, "cause");
	assert_string_equal(d->loss[0].help, "Help.");
	vml_snapshot_free(d);
}

static void changed_rows(void **state)
{
	struct vml_row r = { .comm = "x", .threads = 5 };

	(void)state;
	assert_false(vml_row_changed(&r));
	r.value[VML_LOCK_FAILED] = 1;
	assert_true(vml_row_changed(&r));
	r.value[VML_LOCK_FAILED] = 0;
	r.hist[3].count = 1;
	assert_true(vml_row_changed(&r));
	r.hist[3].count = 0;
	r.reasons.n = 1;
	assert_true(vml_row_changed(&r));
	r.reasons.n = 0;
	r.exited = true;
	assert_true(vml_row_changed(&r));
}

static void ids_are_ordered_by_all_their_parts(void **state)
{
	const struct vml_id id[] = {
		{ .pid = 1, .start_ns = 9, .exec = 9, .tid = 9, .tid_start_ns = 9, .anchor = 9 },
		{ .pid = 2, .start_ns = 1, .exec = 9, .tid = 9, .tid_start_ns = 9, .anchor = 9 },
		{ .pid = 2, .start_ns = 2, .exec = 1, .tid = 9, .tid_start_ns = 9, .anchor = 9 },
		{ .pid = 2, .start_ns = 2, .exec = 2, .tid = 1, .tid_start_ns = 9, .anchor = 9 },
		{ .pid = 2, .start_ns = 2, .exec = 2, .tid = 2, .tid_start_ns = 1, .anchor = 9 },
		{ .pid = 2, .start_ns = 2, .exec = 2, .tid = 2, .tid_start_ns = 2, .anchor = 1 },
		{ .pid = 2, .start_ns = 2, .exec = 2, .tid = 2, .tid_start_ns = 2, .anchor = UINT64_MAX },
		{ .pid = UINT32_MAX },
	};
	size_t i, j;

	(void)state;
	for (i = 0; i < VML_ARRAY_SIZE(id); i++) {
		for (j = 0; j < VML_ARRAY_SIZE(id); j++)
			assert_int_equal(vml_id_compare(&id[i], &id[j]), (i > j) - (i < j));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(empty_snapshots),
		cmocka_unit_test(time_must_go_forward),
		cmocka_unit_test(counts_are_changes_and_gauges_are_not),
		cmocka_unit_test(a_fallen_count_is_new),
		cmocka_unit_test(new_gone_exited_and_reused),
		cmocka_unit_test(threads_and_vmas),
		cmocka_unit_test(disorder_is_refused),
		cmocka_unit_test(what_is_known),
		cmocka_unit_test(loss_is_matched_by_cause),
		cmocka_unit_test(duty_of_the_interval),
		cmocka_unit_test(lookups_are_changes_where_they_are_known),
		cmocka_unit_test(the_kernels_counts_are_changes_where_they_are_known),
		cmocka_unit_test(self_has_counters_and_gauges),
		cmocka_unit_test(stacks_are_those_that_changed_where_they_are_taken),
		cmocka_unit_test(delta_outlives_its_sources),
		cmocka_unit_test(changed_rows),
		cmocka_unit_test(ids_are_ordered_by_all_their_parts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
