/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What is kept of a delta, and what is left of it without names: both as the store and JSON show them. */
#include <errno.h>

#include "store.h"

UNIT_OUT_OF_MEMORY

static const struct world_options quiet = { .seed = 5, .processes = 20, .threads = 10, .busy = 10, .stacks = 4 };

/* ---- copies */

static void a_copy_says_the_same_and_is_small(void **state)
{
	struct world *w = world_new(&quiet);
	struct vml_snapshot *d = unit_world_delta(w, UNIT_SECOND), *kept = NULL;
	char *before = unit_json(d), *after;
	size_t i, n = 0;

	(void)state;
	assert_int_equal(vml_delta_keep(d, &kept), 0);
	for (i = 0; i < d->rows[VML_THREAD].n; i++)
		n += vml_row_changed(&d->rows[VML_THREAD].row[i]);
	assert_true(n && n < d->rows[VML_THREAD].n);
	assert_int_equal(kept->rows[VML_THREAD].n, n);
	assert_true(2 * vml_arena_bytes(kept->arena) < vml_arena_bytes(d->arena));
	vml_snapshot_free(d); /* nothing of it is needed */
	after = unit_json(kept);
	assert_string_equal(before, after);
	vml_snapshot_free(kept);
	free(before);
	free(after);
	world_free(w);
}

static void processes_that_others_refer_to_are_kept(void **state)
{
	struct vml_snapshot *d = unit_snapshot(9 * UNIT_SECOND), *kept = NULL;
	struct vml_stall stall = { .comm = "", .holder_comm = "", .context = "", .state = "", .target.pid = 3 };

	(void)state;
	d->interval_ns = UNIT_SECOND;
	unit_process(d, 1);
	unit_process(d, 2)->value[VML_FAULTS] = 1;
	unit_process(d, 3);
	stall.target.start_ns = d->rows[VML_PROCESS].row[2].id.start_ns;
	d->stall = &stall;
	d->nstall = 1;
	assert_int_equal(vml_delta_keep(d, &kept), 0);
	assert_int_equal(kept->rows[VML_PROCESS].n, 2);
	assert_int_equal(kept->rows[VML_PROCESS].row[0].id.pid, 2);
	assert_int_equal(kept->rows[VML_PROCESS].row[1].id.pid, 3);
	unit_free(d, kept, NULL);
}

/* ---- without names */

static struct vml_snapshot *named(struct vml_frame *frame, struct vml_stack *stack)
{
	struct vml_snapshot *d = unit_snapshot(9 * UNIT_SECOND);
	struct vml_row *r = unit_process(d, 0), *b;

	d->interval_ns = UNIT_SECOND;
	d->host.name = "db7.example";
	d->host.boot_id = "4711";
	d->host.kernel = "6.12";
	r->comm = "(untracked)";
	r = unit_process(d, 10);
	r->comm = "mysqld";
	r->cgroup = "/system.slice/mysql.service";
	unit_process(d, 20)->cgroup = "/";
	r = unit_process(d, 30);
	r->comm = "mysqld";
	r->cgroup = "/system.slice";
	unit_vma(d, 10, 0x1000);
	r = unit_vma(d, 10, 0x5000);
	r->area.kind = "file";
	r->area.name = "/srv/secret.db";
	b = unit_row(d, VML_BLOCKER, 20);
	b->id.target = (struct vml_image){ .pid = 10 };
	b->context = "pread64";
	b->lock = "mmap_read";
	b->target = "mysqld";
	b->target_cgroup = "/system.slice/mysql.service";
	b->victim_cgroup = "";
	frame[0] = (struct vml_frame){ VML_FRAME_FUNCTION, true, 1, "down_read", "[kernel]", "" };
	frame[1] = (struct vml_frame){ VML_FRAME_FUNCTION, false, 2, "secret()", "/srv/secret.db", "cafe" };
	frame[2] = (struct vml_frame){ VML_FRAME_FILE, false, 3, "", "[vdso]", "" };
	*stack = (struct vml_stack){
		.id = { .pid = 20 }, .comm = "agent", .context = "pread64", .frame = frame, .nframes = 3, .nkernel = 1
	};
	d->stack = stack;
	d->nstack = 1;
	return d;
}

static void names_are_replaced_by_the_same_placeholder(void **state)
{
	struct vml_redaction *r = vml_redaction_new();
	struct vml_frame frame[3];
	struct vml_stack stack;
	int round;

	(void)state;
	for (round = 0; round < 2; round++) {
		struct vml_snapshot *d = named(frame, &stack);
		const struct vml_row *p = d->rows[VML_PROCESS].row, *v = d->rows[VML_VMA].row,
				     *b = d->rows[VML_BLOCKER].row;

		assert_false(vml_is_redacted(d));
		assert_int_equal(vml_redact(r, d), 0);
		assert_true(vml_is_redacted(d));
		assert_string_equal(d->host.name, "host-1");
		assert_string_equal(d->host.boot_id, "boot-1");
		assert_string_equal(d->host.kernel, "6.12");
		assert_string_equal(p[0].comm, "(untracked)");
		assert_string_equal(p[1].comm, "comm-1");
		assert_string_equal(p[1].cgroup, "/cgroup-1/cgroup-2");
		assert_string_equal(p[2].comm, "comm-2");
		assert_string_equal(p[2].cgroup, "/");
		assert_string_equal(p[3].comm, "comm-1");
		assert_string_equal(p[3].cgroup, "/cgroup-1");
		assert_string_equal(v[0].area.name, "[anon]");
		assert_string_equal(v[1].area.name, "file-1");
		assert_string_equal(b->context, "pread64");
		assert_string_equal(b->target, "comm-1");
		assert_string_equal(b->target_cgroup, "/cgroup-1/cgroup-2");
		assert_string_equal(b->victim_cgroup, "");
		assert_string_equal(d->stack->comm, "comm-3");
		assert_string_equal(d->stack->frame[0].function, "down_read");
		assert_string_equal(d->stack->frame[0].file, "[kernel]");
		assert_string_equal(d->stack->frame[1].function, "function-1");
		assert_string_equal(d->stack->frame[1].file, "file-1");
		assert_string_equal(d->stack->frame[1].build_id, "");
		assert_string_equal(d->stack->frame[2].file, "[vdso]");
		vml_snapshot_free(d);
	}
	assert_string_equal(vml_redact_cgroup(r, "/system.slice/other"), "/cgroup-1/cgroup-3");
	assert_string_equal(vml_redact_file(r, "/srv/secret.db"), "file-1");
	vml_redaction_free(r);
	vml_redaction_free(NULL);
}

/* ---- */

static void a_lack_of_memory_is_an_error(void **state)
{
	struct world *w = world_new(&quiet);
	struct vml_snapshot *d = unit_world_delta(w, UNIT_SECOND), *kept;
	struct vml_redaction *r;
	long n;
	int err = -ENOMEM;

	(void)state;
	for (n = 0; err; n++) {
		unit_allocations = n;
		err = vml_delta_keep(d, &kept);
		unit_allocations = -1;
		assert_true(!err || err == -ENOMEM);
	}
	assert_true(n > 10);
	vml_snapshot_free(kept);
	for (n = 0, err = -ENOMEM; err; n++) {
		r = vml_redaction_new();
		unit_allocations = n;
		err = vml_redact(r, d);
		unit_allocations = -1;
		assert_true(!err || err == -ENOMEM);
		free(unit_json(d)); /* every text is one */
		vml_redaction_free(r);
	}
	vml_snapshot_free(d);
	world_free(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_copy_says_the_same_and_is_small),
		cmocka_unit_test(processes_that_others_refer_to_are_kept),
		cmocka_unit_test(names_are_replaced_by_the_same_placeholder),
		cmocka_unit_test(a_lack_of_memory_is_an_error),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
