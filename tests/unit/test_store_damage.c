/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Files that are damaged, foreign, in the way or hostile. */
#include <errno.h>
#include <sys/stat.h>

#include "store.h"
#include "store/db.h"

static const struct world_options small = { .seed = 3, .processes = 4, .threads = 3, .busy = 50, .stacks = 2 };
static const struct vml_store_options fast = { .no_sync = true };

static char *make_history(const char *name, int n)
{
	char *path = unit_made_recording(&small, name, n);

	vml_store_close(unit_history(path, &fast)); /* one schema */
	return path;
}

static void assert_refused(const char *path, int want, const char *why)
{
	struct vml_reader *r = NULL;
	char error[VML_ERROR_MAX];
	int err = vml_reader_open(path, &r, error);

	if (err != want || !strstr(error, why) || !strstr(error, path) || strchr(error, '\n'))
		fail_msg("%s: %d %s", path, err, error);
	assert_null(r);
}

static void put_file(const char *path, const char *text)
{
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	fputs(text, f);
	fclose(f);
}

/* ---- what is no recording */

static void what_is_not_ours_is_refused_in_a_line(void **state)
{
	char *path = unit_made_recording(&small, "ours", 3), *none = unit_path("none"), *text = unit_path("text");

	(void)state;
	assert_refused(none, -ENOENT, "No such file");
	assert_refused(unit_folder(), -EISDIR, "Is a directory");
	put_file(text, "This is a text of more than sixteen bytes.\n");
	assert_refused(text, -EBADMSG, "not a recording");
	put_file(text, "");
	assert_refused(text, -EBADMSG, "not a recording");
	assert_refused("/dev/null", -EBADMSG, "not a recording");
	unit_change(path, "PRAGMA user_version = 2");
	assert_refused(path, -EOPNOTSUPP, "newer version");
	unit_change(path, "PRAGMA user_version = 1; PRAGMA application_id = 7");
	assert_refused(path, -EBADMSG, "not a recording");
	unit_change(path, "PRAGMA application_id = 1447903564");
	vml_reader_close(unit_reader(path));
	unit_change(path, "ALTER TABLE thread RENAME TO others");
	assert_refused(path, -EBADMSG, "damaged");
	free(none);
	unit_unlink(text);
	unit_unlink(path);
}

/* Reads all there is; what it says does not matter, that it ends does. */
static void read_all(const char *path)
{
	char error[VML_ERROR_MAX];
	struct vml_snapshot *d;
	struct vml_reader *r;
	const struct vml_event *e;
	size_t i, n;

	if (vml_reader_open(path, &r, error))
		return;
	for (i = 0; i < unit_count(r); i++)
		if (!vml_reader_delta(r, i, &d)) {
			free(unit_json(d));
			vml_snapshot_free(d);
		}
	if (!unit_all(r, &d))
		vml_snapshot_free(d);
	vml_reader_events(r, 0, unit_count(r), &e, &n);
	vml_reader_close(r);
}

static char *read_file(const char *path, size_t *ret_n)
{
	FILE *f = fopen(path, "r");
	char *all;

	assert_non_null(f);
	fseek(f, 0, SEEK_END);
	*ret_n = (size_t)ftell(f);
	rewind(f);
	all = malloc(*ret_n);
	assert_int_equal(fread(all, 1, *ret_n, f), *ret_n);
	fclose(f);
	return all;
}

static void write_file(const char *path, const char *all, size_t n)
{
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	assert_int_equal(fwrite(all, 1, n, f), n);
	fclose(f);
}

static void damage_is_survived(void **state)
{
	char *path = unit_made_recording(&small, "damaged", 6), *all, *broken;
	uint64_t seed = 41;
	size_t n, i;
	int round;

	(void)state;
	all = read_file(path, &n);
	broken = malloc(n);
	for (round = 0; round < 300; round++) {
		memcpy(broken, all, n);
		for (i = 0; i < 1 + (size_t)round % 30; i++)
			broken[unit_below(&seed, n)] = (char)unit_random(&seed);
		write_file(path, broken, n);
		read_all(path);
	}
	for (round = 0; round < 100; round++) {
		write_file(path, all, unit_below(&seed, n));
		read_all(path);
	}
	free(all);
	free(broken);
	unit_unlink(path);
}

static void a_file_that_was_cut_is_refused(void **state)
{
	char *path = unit_made_recording(&small, "cut", 6), *all;
	struct vml_reader *r;
	struct vml_snapshot *d;
	char error[VML_ERROR_MAX];
	size_t n;
	int err;

	(void)state;
	all = read_file(path, &n);
	write_file(path, all, n / 2 / 4096 * 4096);
	err = vml_reader_open(path, &r, error);
	if (!err) { /* the list may be in the first half */
		err = unit_all(r, &d);
		snprintf(error, sizeof(error), "%s", vml_reader_error(r));
		vml_reader_close(r);
	}
	assert_int_equal(err, -EBADMSG);
	assert_non_null(strstr(error, "damaged, cut short"));
	free(all);
	unit_unlink(path);
}

/* ---- what contradicts itself */

static void assert_damaged(const char *sql)
{
	char *path = unit_made_recording(&small, "contradiction", 3), error[VML_ERROR_MAX];
	struct vml_snapshot *d = NULL;
	struct vml_reader *r;
	int err;

	unit_change(path, sql);
	err = vml_reader_open(path, &r, error);
	if (!err) {
		err = unit_all(r, &d);
		vml_reader_close(r);
	}
	if (err != -EBADMSG)
		fail_msg("%s: %d", sql, err);
	unit_unlink(path);
}

static void contradictions_are_damage(void **state)
{
	(void)state;
	assert_damaged("UPDATE interval SET interval_ns = 0");
	assert_damaged("UPDATE interval SET interval_ns = -5");
	assert_damaged("UPDATE interval SET boot_ns = 1");
	assert_damaged("UPDATE interval SET config = 77");
	assert_damaged("UPDATE subject SET pid = -1");
	assert_damaged("UPDATE subject SET tid = 4294967296");
	assert_damaged("UPDATE subject SET scope = 9");
	assert_damaged("UPDATE subject SET scope = 1 - scope WHERE scope < 2");
	assert_damaged("DELETE FROM subject");
	assert_damaged("UPDATE histogram SET buckets = '[[-200,1]]'");
	assert_damaged("UPDATE histogram SET buckets = '[[30,1]]'");
	assert_damaged("UPDATE histogram SET buckets = '[[1,99999999999999999999]]'");
	assert_damaged("UPDATE histogram SET buckets = '[[1,1]'");
	assert_damaged("UPDATE histogram SET buckets = ''");
	assert_damaged("UPDATE histogram SET buckets = '[[1,1]] '");
	assert_damaged("INSERT INTO histogram VALUES (1, 9999, 0, 1, 1, '[]')");
	assert_damaged("INSERT INTO reason VALUES (1, 9999, 0, 1, 1)");
	assert_damaged("INSERT INTO loss VALUES (1, 999, 1)");
	assert_damaged("INSERT INTO lookup VALUES (1, -1, 1, 1, 1)");
	assert_damaged("UPDATE trace SET kernel_frames = 11");
	assert_damaged("UPDATE frame SET state = 4");
	/* the same thread twice */
	assert_damaged("INSERT INTO subject SELECT 9999, last0, last1, last2, scope, pid, start_ns, exec, tid, "
		       "tid_start_ns, anchor, doing, \"write\", target_pid, target_start_ns, target_exec, ns_pid, 5, "
		       "start, \"end\", \"offset\", inode, dev_major, dev_minor, comm, cgroup, perms, kind, name, "
		       "context, lock, target, target_cgroup, victim_cgroup FROM subject WHERE scope = 1 LIMIT 1; "
		       "INSERT INTO thread (interval, subject) SELECT interval, 9999 FROM thread WHERE subject = "
		       "(SELECT id FROM subject WHERE scope = 1 LIMIT 1)");
}

static void nothing_of_a_file_is_run(void **state)
{
	char *path = unit_made_recording(&small, "trigger", 2);

	(void)state;
	unit_change(path,
		    "ALTER TABLE process RENAME TO data; CREATE VIEW process AS "
		    "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) SELECT d.*, x FROM data d, n");
	assert_refused(path, -EBADMSG, "damaged");
	unit_unlink(path);
}

static void text_of_a_file_is_cleaned(void **state)
{
	char *path = unit_made_recording(&small, "hostile", 1);
	struct vml_snapshot *d = NULL;
	struct vml_reader *r;
	size_t i;

	(void)state;
	unit_change(path, "UPDATE string SET text = 'a' || char(27) || ']0;x' || char(7) || '\\x41' || char(8238) || "
			  "CAST(x'ff' AS TEXT) WHERE text LIKE 'worker%'");
	r = unit_reader(path);
	assert_int_equal(vml_reader_delta(r, 0, &d), 0);
	assert_true(d->rows[VML_PROCESS].n > 0);
	for (i = 0; i < d->rows[VML_PROCESS].n; i++)
		assert_string_equal(d->rows[VML_PROCESS].row[i].comm, "a\\x1b]0;x\\x07\\\\x41\\xe2\\x80\\xae\\xff");
	vml_snapshot_free(d);
	vml_reader_close(r);
	unit_unlink(path);
}

static void names_of_processes_are_only_text(void **state)
{
	static const char *const evil[] = { "'; DROP TABLE thread; --", "<script>alert(1)</script>", "\"%s%n\"",
					    "a\\x1bb\\\\c", "z\303\274rich" };
	char *path = unit_path("evil");
	struct vml_store *w = unit_recording(path, &fast);
	struct vml_snapshot *d = unit_snapshot(5 * UNIT_SECOND), *again;
	struct vml_reader *r;
	size_t i;

	(void)state;
	d->interval_ns = UNIT_SECOND;
	for (i = 0; i < VML_ARRAY_SIZE(evil); i++) {
		struct vml_row *p = unit_process(d, (uint32_t)i + 1);

		p->comm = p->cgroup = evil[i];
		p->value[VML_FAULTS] = UINT64_MAX - i; /* as it is, whatever it may mean */
	}
	d->host.name = evil[0];
	assert_int_equal(vml_store_append(w, d), 0);
	vml_store_close(w);
	r = unit_reader(path);
	assert_int_equal(vml_reader_delta(r, 0, &again), 0);
	for (i = 0; i < VML_ARRAY_SIZE(evil); i++) {
		assert_string_equal(again->rows[VML_PROCESS].row[i].comm, evil[i]);
		assert_string_equal(again->rows[VML_PROCESS].row[i].cgroup, evil[i]);
		assert_true(again->rows[VML_PROCESS].row[i].value[VML_FAULTS] == UINT64_MAX - i);
	}
	assert_string_equal(again->host.name, evil[0]);
	unit_free(d, again, NULL);
	vml_reader_close(r);
	unit_unlink(path);
}

/* A source cleans what it shows; where one does not, nothing of it comes out of a file. */
static void text_that_is_not_clean_comes_back_clean(void **state)
{
	static const char raw[] = "a\x1b[2J\n\xff\xc0\xaf\xe2\x80\xae\xed\xa0\x80",
			  clean[] = "a\\x1b[2J\\x0a\\xff\\xc0\\xaf\\xe2\\x80\\xae\\xed\\xa0\\x80";
	char *path = unit_path("raw");
	struct vml_store *w = unit_recording(path, &(struct vml_store_options){ .no_sync = true, .options = raw });
	struct vml_snapshot *d = unit_snapshot(5 * UNIT_SECOND), *again;
	struct vml_frame frame = { .state = VML_FRAME_FUNCTION, .function = raw, .file = raw, .build_id = "" };
	struct vml_stack stack = { .comm = raw, .context = raw, .frame = &frame, .nframes = 1, .holds = 1 };
	struct vml_stall stall = { .comm = raw, .holder_comm = raw, .context = raw, .state = raw, .held = true };
	const struct vml_event *e;
	struct vml_reader *r;
	struct vml_row *p;
	size_t n;

	(void)state;
	d->interval_ns = UNIT_SECOND;
	p = unit_process(d, 1);
	p->comm = p->cgroup = d->host.name = raw;
	p->value[VML_FAULTS] = 1;
	d->stack = &stack;
	d->stall = &stall;
	d->nstack = d->nstall = 1;
	assert_int_equal(vml_store_append(w, d), 0);
	vml_store_close(w);
	r = unit_reader(path);
	assert_int_equal(vml_reader_delta(r, 0, &again), 0);
	p = again->rows[VML_PROCESS].row;
	assert_string_equal(p->comm, clean);
	assert_string_equal(p->cgroup, clean);
	assert_string_equal(again->host.name, clean);
	assert_string_equal(again->stack[0].comm, clean);
	assert_string_equal(again->stack[0].context, clean);
	assert_string_equal(again->stack[0].frame[0].function, clean);
	assert_string_equal(again->stack[0].frame[0].file, clean);
	assert_string_equal(again->stall[0].comm, clean);
	assert_string_equal(again->stall[0].holder_comm, clean);
	assert_string_equal(again->stall[0].context, clean);
	assert_string_equal(again->stall[0].state, clean);
	assert_int_equal(vml_reader_events(r, 0, 1, &e, &n), 0);
	assert_string_equal(e[0].text, clean);
	unit_free(d, again, NULL);
	vml_reader_close(r);
	unit_unlink(path);
}

/* ---- files that are in the way */

static void a_recording_is_not_overwritten(void **state)
{
	char *path = unit_made_recording(&small, "twice", 2), error[VML_ERROR_MAX], *before, *after;
	struct vml_store_options o = fast;
	struct vml_store *w = NULL;
	struct stat st;
	size_t n, m;

	(void)state;
	before = read_file(path, &n);
	assert_int_equal(vml_recording_create(path, &o, &w, error), -EEXIST);
	assert_non_null(strstr(error, "--force"));
	after = read_file(path, &m);
	assert_true(n == m && !memcmp(before, after, n));
	o.replace = true;
	assert_int_equal(vml_recording_create(unit_folder(), &o, &w, error), -EINVAL);
	assert_int_equal(vml_recording_create("/dev/full", &o, &w, error), -EINVAL);
	w = unit_recording(path, &o);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	assert_int_equal(vml_store_close(w), 0);
	w = NULL;
	assert_int_equal(vml_recording_create("/nowhere/x", &o, &w, error), -ENOENT);
	assert_null(w);
	free(before);
	free(after);
	unit_unlink(path);
}

static void two_do_not_write_one_history(void **state)
{
	char *path = make_history("busy", 1), error[VML_ERROR_MAX];
	struct vml_store *w = unit_history(path, &fast), *other = NULL;

	(void)state;
	assert_int_equal(vml_history_open(path, &fast, &other, error), -EBUSY);
	assert_non_null(strstr(error, "another program"));
	vml_store_close(w);
	vml_store_close(unit_history(path, &fast));
	unit_unlink(path);
}

static void a_damaged_history_is_set_aside(void **state)
{
	char *path = unit_path("aside"), error[VML_ERROR_MAX], name[512];
	struct world *world = world_new(&small);
	struct vml_snapshot *d = unit_world_delta(world, UNIT_SECOND);
	struct vml_store *w = NULL;
	struct vml_store_stats stats;
	const struct vml_event *e;
	struct vml_reader *r;
	size_t n;
	int i;

	(void)state;
	for (i = 1; i <= 2; i++) {
		put_file(path, "no database, but long enough to look at\n");
		assert_int_equal(vml_history_open(path, &fast, &w, error), 0);
		snprintf(name, sizeof(name), "%s.damaged-%d", path, i);
		assert_non_null(strstr(error, name));
		assert_int_equal(access(name, F_OK), 0);
		assert_int_equal(vml_store_append(w, d), 0);
		vml_store_stats(w, &stats);
		assert_int_equal(stats.set_aside, 1);
		vml_store_close(w);
		unlink(name);
		if (i == 1)
			put_file(name, "still there");
	}
	snprintf(name, sizeof(name), "%s.damaged-1", path);
	unlink(name);
	r = unit_reader(path);
	assert_int_equal(vml_reader_events(r, 0, 1, &e, &n), 0);
	assert_int_equal(n, 2);
	assert_int_equal(e[0].kind, VML_EVENT_SET_ASIDE);
	assert_non_null(strstr(e[0].text, "damaged-2"));
	vml_reader_close(r);
	vml_snapshot_free(d);
	world_free(world);
	unit_unlink(path);
}

static void damage_that_is_found_later_is_set_aside(void **state)
{
	char *path = make_history("later", 2), name[512];
	struct world *world = world_new(&small);
	struct vml_store *w = unit_history(path, &fast);
	struct vml_store_stats stats;
	struct vml_snapshot *d;
	struct vml_reader *r;

	(void)state;
	world_step(world, 100 * UNIT_SECOND);
	d = unit_world_delta(world, UNIT_SECOND);
	assert_int_equal(vml_store_append(w, d), 0);
	vml_snapshot_free(d);
	unit_change(path,
		    "PRAGMA writable_schema = ON; UPDATE sqlite_schema SET rootpage = 99999 WHERE name = 'thread'; "
		    "PRAGMA user_version = 1; PRAGMA schema_version = 777");
	d = unit_world_delta(world, UNIT_SECOND);
	assert_int_equal(vml_store_append(w, d), 0);
	vml_store_stats(w, &stats);
	assert_int_equal(stats.set_aside, 1);
	assert_int_equal(stats.intervals, 2);
	vml_store_close(w);
	r = unit_reader(path);
	assert_int_equal(unit_count(r), 1);
	vml_reader_close(r);
	vml_snapshot_free(d);
	snprintf(name, sizeof(name), "%s.damaged-1", path);
	assert_int_equal(access(name, F_OK), 0);
	unit_unlink(strdup(name));
	world_free(world);
	unit_unlink(path);
}

static void a_newer_history_is_left_alone(void **state)
{
	char *path = make_history("newer", 2), error[VML_ERROR_MAX], *before, *after;
	struct vml_store *w = NULL;
	size_t n, m;

	(void)state;
	unit_change(path, "PRAGMA user_version = 2");
	before = read_file(path, &n);
	assert_int_equal(vml_history_open(path, &fast, &w, error), -EOPNOTSUPP);
	assert_non_null(strstr(error, "newer version"));
	assert_null(w);
	after = read_file(path, &m);
	assert_true(n == m && !memcmp(before, after, n));
	free(before);
	free(after);
	unit_unlink(path);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_not_ours_is_refused_in_a_line),
		cmocka_unit_test(damage_is_survived),
		cmocka_unit_test(a_file_that_was_cut_is_refused),
		cmocka_unit_test(contradictions_are_damage),
		cmocka_unit_test(nothing_of_a_file_is_run),
		cmocka_unit_test(text_of_a_file_is_cleaned),
		cmocka_unit_test(names_of_processes_are_only_text),
		cmocka_unit_test(text_that_is_not_clean_comes_back_clean),
		cmocka_unit_test(a_recording_is_not_overwritten),
		cmocka_unit_test(two_do_not_write_one_history),
		cmocka_unit_test(a_damaged_history_is_set_aside),
		cmocka_unit_test(damage_that_is_found_later_is_set_aside),
		cmocka_unit_test(a_newer_history_is_left_alone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
