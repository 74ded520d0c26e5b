/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Files of other versions than this one.
 *
 * tests/fixtures/recording-N.vml.gz is a recording as the first program with schema N wrote it, and every
 * later one reads it.  That of a new schema is made before its first release, and never again:
 *
 *	build/tests/test_store_versions make recording-2.vml && gzip -9n recording-2.vml
 */
#include <errno.h>

#include <linux/types.h>
#include <zlib.h>

#include "store.h"
#include "store/db.h"
#include "vmalock/caps.h"
#include "vmalock/hist.h"

static const struct world_options small = { .seed = 3, .processes = 4, .threads = 3, .busy = 50, .stacks = 2 };
static const struct vml_store_options fast = { .no_sync = true };

static void a_metric_that_is_younger_is_a_new_column(void **state)
{
	char *path = unit_made_recording(&small, "younger", 2);
	struct world *world = world_new(&small);
	struct vml_reader *r;
	struct vml_snapshot *d, *again;
	struct vml_store *w;

	(void)state;
	unit_change(path,
		    "DROP VIEW threads; ALTER TABLE thread DROP COLUMN hits; DELETE FROM known WHERE scope = 'thread' "
		    "AND metric = 'hits'; DELETE FROM word WHERE name = 'kernel_mode' OR name = 'page_io'");
	r = unit_reader(path);
	assert_int_equal(vml_reader_delta(r, 1, &d), 0);
	assert_false(d->have[VML_THREAD] & VML_METRIC_BIT(VML_HITS));
	assert_true(d->have[VML_PROCESS] & VML_METRIC_BIT(VML_HITS));
	vml_snapshot_free(d);
	vml_reader_close(r);
	w = unit_history(path, &fast);
	world_step(world, 100 * UNIT_SECOND);
	d = unit_world_delta(world, UNIT_SECOND);
	assert_int_equal(vml_store_append(w, d), 0);
	vml_store_close(w);
	r = unit_reader(path);
	assert_int_equal(vml_reader_delta(r, 2, &again), 0);
	unit_same(d, again);
	unit_free(d, again, NULL);
	vml_reader_close(r);
	world_free(world);
	unit_unlink(path);
}

/* The counters of the kernel, and stalls by mode, came after the first files. */
static void what_is_younger_than_a_file_is_not_known(void **state)
{
	char *path = unit_made_recording(&small, "before", 3);
	struct world *world = world_new(&small);
	struct vml_reader *r;
	struct vml_snapshot *d, *again;
	struct vml_store *w;

	(void)state;
	unit_change(
		path,
		"DROP VIEW stalls; ALTER TABLE stall DROP COLUMN writers; ALTER TABLE stall DROP COLUMN other_ns; "
		"ALTER TABLE interval DROP COLUMN vma_lock_success; "
		"ALTER TABLE interval DROP COLUMN vma_lock_abort; "
		"ALTER TABLE interval DROP COLUMN vma_lock_retry; ALTER TABLE interval DROP COLUMN vma_lock_miss; "
		"ALTER TABLE interval DROP COLUMN bpf_calibrations; "
		"ALTER TABLE interval DROP COLUMN evicted_rows; ALTER TABLE interval DROP COLUMN map_limit_bytes; DROP TABLE info");
	r = unit_reader(path);
	assert_int_equal(vml_reader_delta(r, 2, &d), 0);
	assert_false(d->kernel.known);
	assert_false(d->self.evicted_known);
	assert_int_equal(d->self.map_limit_bytes, 0);
	assert_int_equal(d->nstall, 1);
	assert_true(d->stall[0].unsplit);
	assert_int_equal(d->stall[0].waiters, 3);
	vml_snapshot_free(d);
	vml_reader_close(r);
	w = unit_history(path, &fast);
	world_step(world, 100 * UNIT_SECOND);
	d = unit_world_delta(world, UNIT_SECOND);
	assert_int_equal(vml_store_append(w, d), 0);
	assert_int_equal(vml_store_info(w, "doctor", "well"), 0);
	vml_store_close(w);
	r = unit_reader(path);
	assert_int_equal(vml_reader_delta(r, 3, &again), 0);
	assert_true(again->kernel.known);
	unit_same(d, again);
	unit_free(d, again, NULL);
	/* of all together they are not known, whichever came last */
	assert_int_equal(vml_reader_range(r, 2, 2, &d), 0);
	assert_false(d->kernel.known);
	vml_snapshot_free(d);
	vml_reader_close(r);
	world_free(world);
	unit_unlink(path);
}

static void schemas_are_migrated_in_one_transaction(void **state)
{
	static const struct schema_step step[] = { { 2, "UPDATE t SET x = x * 10" },
						   { 1, "ALTER TABLE t ADD COLUMN y; UPDATE t SET y = x" },
						   { 3, "UPDATE none SET x = 1" } };
	sqlite3 *h = NULL;
	int64_t v = 0;

	(void)state;
	assert_int_equal(db_open(":memory:", SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, &h), 0);
	assert_int_equal(db_exec(h, "CREATE TABLE t (x); INSERT INTO t VALUES (4); PRAGMA user_version = 1"), 0);
	assert_int_equal(schema_migrate(h, step, 3, 1, 4), -EBADMSG);
	assert_int_equal(db_number(h, &v, "PRAGMA user_version"), 0);
	assert_int_equal(v, 1);
	assert_int_equal(db_number(h, &v, "SELECT x FROM t"), 0);
	assert_int_equal(v, 4);
	assert_int_equal(schema_migrate(h, step, 3, 1, 3), 0);
	assert_int_equal(db_number(h, &v, "SELECT x + y FROM t"), 0);
	assert_int_equal(v, 44);
	assert_int_equal(db_number(h, &v, "PRAGMA user_version"), 0);
	assert_int_equal(v, 3);
	assert_int_equal(schema_migrate(h, step, 1, 1, 3), -EBADMSG);
	sqlite3_close(h);
}

/* As vml_history_open() would, when there is a schema 2. */
static void a_migration_leaves_a_copy(void **state)
{
	static const struct schema_step good = { 1, "ALTER TABLE loss ADD COLUMN extra INTEGER" },
					bad = { 1, "DROP TABLE stack; UPDATE none SET x = 1" };
	char *path = unit_made_recording(&small, "migrated", 3), name[512];
	struct vml_store *w = unit_history(path, &fast);
	struct vml_reader *r;
	struct vml_snapshot *d, *all;
	int64_t v = 0;

	(void)state;
	/* one that fails changes nothing */
	assert_int_equal(store_migrate(w, &bad, 1, 1, 2), -EBADMSG);
	assert_int_equal(db_number(w->h, &v, "PRAGMA user_version"), 0);
	assert_int_equal(v, 1);
	r = unit_reader(path);
	assert_int_equal(unit_all(r, &all), 0);
	vml_reader_close(r);
	assert_int_equal(store_migrate(w, &good, 1, 1, 2), 0);
	assert_int_equal(db_number(w->h, &v, "PRAGMA user_version"), 0);
	assert_int_equal(v, 2);
	assert_int_equal(
		db_number(w->h, &v, "SELECT count(*) FROM event WHERE kind = 'migrated' AND text = 'schema 1'"), 0);
	assert_int_equal(v, 1);
	vml_store_close(w);
	/* both copies are what was there before */
	for (v = 1; v <= 2; v++) {
		snprintf(name, sizeof(name), "%s.schema-1-%d", path, (int)v);
		r = unit_reader(name);
		assert_int_equal(unit_all(r, &d), 0);
		unit_same(all, d);
		vml_snapshot_free(d);
		vml_reader_close(r);
		unlink(name);
	}
	vml_snapshot_free(all);
	unit_unlink(path);
}

/* ---- recordings of every schema */

static int make(const char *path)
{
	const struct world_options o = { .seed = 6, .processes = 2, .threads = 2, .busy = 80, .stacks = 4 };
	struct world *world = world_new(&o);
	struct vml_store *w = unit_recording(path, &(struct vml_store_options){ .options = "vmalock record" });
	int i;

	for (i = 0; i < 5; i++) {
		struct vml_snapshot *d;

		if (i == 2)
			world_step(world, 5 * UNIT_SECOND);
		d = unit_world_delta(world, UNIT_SECOND);
		assert_int_equal(vml_store_append(w, d), 0);
		vml_snapshot_free(d);
	}
	world_free(world);
	return vml_store_close(w);
}

static char *unpack(const char *name)
{
	char *path = unit_path("fixture"), buf[4096];
	gzFile in = gzopen(name, "r");
	FILE *out = fopen(path, "w");
	int n;

	if (!in || !out)
		fail_msg("%s cannot be unpacked", name);
	while ((n = gzread(in, buf, sizeof(buf))) > 0)
		assert_int_equal(fwrite(buf, 1, (size_t)n, out), n);
	assert_int_equal(n, 0);
	gzclose(in);
	fclose(out);
	return path;
}

static void whole_of_schema_1(const struct vml_snapshot *d)
{
	const struct vml_row *p = d->rows[VML_PROCESS].row;

	assert_string_equal(d->host.name, "world");
	assert_string_equal(d->host.kernel, "7.0.0-world");
	assert_string_equal(d->caps->backend, "fentry");
	assert_string_equal(d->caps->detail, "exact");
	assert_int_equal(d->interval_ns, 5 * UNIT_SECOND);
	assert_int_equal(d->total[VML_FAULTS], 978);
	assert_int_equal(d->total[VML_FALLBACKS], 16);
	assert_int_equal(d->total[VML_WAIT_NS], 90788075);
	assert_int_equal(d->total[VML_BLAMED_NS], 36479814);
	assert_false(d->have[VML_PROCESS] & VML_METRIC_BIT(VML_SWAP_NS));
	assert_true(d->kernel.known);
	assert_int_equal(d->kernel.success, 3500);
	assert_int_equal(d->kernel.miss, 3);
	assert_int_equal(d->self.bpf_runs, 500);
	assert_int_equal(d->rows[VML_PROCESS].n, 2);
	assert_int_equal(p[1].id.pid, 101);
	assert_string_equal(p[1].comm, "worker/3");
	assert_string_equal(p[1].cgroup, "/system.slice/service-1.service");
	assert_int_equal(p[1].value[VML_FAULTS], 505);
	assert_int_equal(p[1].value[VML_WAIT_NS], 50231328);
	assert_int_equal(d->rows[VML_THREAD].n, 4);
	assert_int_equal(d->rows[VML_THREAD].row[3].value[VML_FAULTS], 323);
	assert_int_equal(d->rows[VML_VMA].n, 4);
	assert_string_equal(d->rows[VML_VMA].row[2].area.name, "/usr/lib/lib0.so");
	assert_int_equal(d->rows[VML_VMA].row[2].value[VML_FAULTS], 229);
	assert_int_equal(d->rows[VML_BLOCKER].n, 2);
	assert_string_equal(d->rows[VML_BLOCKER].row[0].context, "call-0");
	assert_int_equal(d->rows[VML_BLOCKER].row[0].value[VML_BLAMED_NS], 11209288);
}

static void details_of_schema_1(const struct vml_snapshot *d)
{
	unsigned int i, locked = 0;

	while (strcmp(vml_reason_name(locked), "write_locked") != 0)
		locked++;
	assert_int_equal(vml_tally_sum(&d->reasons), 16);
	assert_int_equal(vml_tally_get(&d->reasons, VML_REASON_INDEX(locked, VML_EXACT)), 4);
	assert_int_equal(vml_tally_get(&d->reasons, VML_REASON_INDEX(locked, VML_INFERRED)), 2);
	for (i = 0; strcmp(vml_hist_name(i), "mmap_write_wait") != 0; i++)
		;
	assert_int_equal(d->hist[i].count, 8);
	assert_int_equal(d->hist[i].sum_ns, 56798878);
	assert_int_equal(d->hist[i].bucket.cell[0].index, -32 - VML_HIST_FIRST_K);
	assert_string_equal(d->loss[0].cause, "recursion_misses_tp_page_fault_user");
	assert_int_equal(d->loss[0].count, 1);
	assert_string_equal(d->lookup[0].caller, "fault");
	assert_int_equal(d->lookup[0].lookups, 962);
	assert_int_equal(d->nstall, 1);
	assert_string_equal(d->stall[0].comm, "waiter");
	assert_int_equal(d->stall[0].wait_ns, 6000);
	assert_int_equal(d->stall[0].waiters, 3);
	assert_int_equal(d->stall[0].writers, 0);
	assert_int_equal(d->stall[0].other_ns, 3000);
	assert_int_equal(d->nstack, 1);
	assert_int_equal(d->stack[0].blamed_ns, 11209288);
	assert_int_equal(d->stack[0].nframes, 10);
	assert_string_equal(d->stack[0].frame[4].function, "function_1_4");
	assert_string_equal(d->stack[0].frame[4].file, "/usr/bin/worker");
}

static void a_recording_of_schema_1_is_read(void **state)
{
	char *path = unpack("tests/fixtures/recording-1.vml.gz");
	struct vml_reader *r = unit_reader(path);
	const struct vml_reader_interval *i;
	const struct vml_event *e;
	struct vml_snapshot *d;
	size_t n;

	(void)state;
	i = vml_reader_intervals(r, &n);
	assert_int_equal(n, 5);
	assert_int_equal(i[2].real_ns, 1700000008 * UNIT_SECOND);
	assert_int_equal(i[2].boot_ns, 1008 * UNIT_SECOND);
	assert_int_equal(i[2].interval_ns, UNIT_SECOND);
	assert_int_equal(unit_all(r, &d), 0);
	whole_of_schema_1(d);
	details_of_schema_1(d);
	vml_snapshot_free(d);
	assert_int_equal(vml_reader_delta(r, 3, &d), 0);
	assert_true(d->stall[0].held);
	assert_string_equal(d->stall[0].holder_comm, "holder");
	assert_string_equal(d->stall[0].context, "munmap");
	assert_int_equal(d->stall[0].writers, 2);
	vml_snapshot_free(d);
	assert_int_equal(vml_reader_events(r, 0, 5, &e, &n), 0);
	assert_int_equal(n, 2);
	assert_int_equal(e[0].kind, VML_EVENT_START);
	assert_string_equal(e[0].text, "vmalock record");
	assert_int_equal(e[1].kind, VML_EVENT_GAP);
	assert_int_equal(e[1].ns, 5 * UNIT_SECOND);
	vml_reader_close(r);
	unit_unlink(path);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_metric_that_is_younger_is_a_new_column),
		cmocka_unit_test(what_is_younger_than_a_file_is_not_known),
		cmocka_unit_test(schemas_are_migrated_in_one_transaction),
		cmocka_unit_test(a_migration_leaves_a_copy),
		cmocka_unit_test(a_recording_of_schema_1_is_read),
	};

	if (argc == 3 && !strcmp(argv[1], "make"))
		return make(argv[2]) ? 1 : 0;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
