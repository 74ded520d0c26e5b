/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What is read is what was written. */
#include <sqlite3.h>

#include "store.h"

#define DELTAS 5

/* ---- what a source shows is what a recording of it shows */

static struct vml_source *fake(const char *backend, const char *detail)
{
	const struct vml_live_options o = { .backend = backend, .detail = detail };
	char error[VML_ERROR_MAX];
	struct vml_source *src = NULL;

	assert_int_equal(vml_live_open(&o, &src, error), 0);
	return src;
}

static void replay_equals_live(const char *backend, const char *detail)
{
	const struct vml_store_options o = { .no_sync = true, .options = "record" };
	struct vml_source *src = fake(backend, detail);
	struct vml_snapshot *prev = NULL, *cur = NULL, *delta[DELTAS], *again;
	char *path = unit_path("replay");
	struct vml_store *w = unit_recording(path, &o);
	struct vml_reader *r;
	int i;

	assert_int_equal(vml_source_next(src, &prev), 0);
	for (i = 0; i < DELTAS; i++) {
		assert_int_equal(vml_source_next(src, &cur), 0);
		delta[i] = unit_delta(prev, cur);
		vml_snapshot_free(prev);
		prev = cur;
		assert_int_equal(vml_store_append(w, delta[i]), 0);
	}
	vml_snapshot_free(prev);
	assert_int_equal(vml_store_close(w), 0);
	r = unit_reader(path);
	assert_int_equal(unit_count(r), DELTAS);
	for (i = 0; i < DELTAS; i++) {
		assert_int_equal(vml_reader_delta(r, (size_t)i, &again), 0);
		unit_same(delta[i], again);
		vml_snapshot_free(again);
		vml_snapshot_free(delta[i]);
	}
	vml_reader_close(r);
	vml_source_close(src);
	unit_unlink(path);
}

static void every_backend_is_replayed(void **state)
{
	static const char *const worlds[] = { "VML_FAKE_EMPTY", "VML_FAKE_LOSS",     "VML_FAKE_SKIPPED",
					      "VML_FAKE_EXIT",	"VML_FAKE_MAX",	     "VML_FAKE_SWAP",
					      "VML_FAKE_BLIND", "VML_FAKE_NO_STACKS" };
	static const char *const states[] = { "falling", "waiting", "old", "stalled", "starved" };
	size_t i;

	(void)state;
	replay_equals_live("tracepoint", "default");
	replay_equals_live("fentry", "default");
	replay_equals_live("kprobe", "exact");
	for (i = 0; i < VML_ARRAY_SIZE(worlds); i++) {
		setenv(worlds[i], "1", 1);
		replay_equals_live("fentry", "exact");
		unsetenv(worlds[i]);
	}
	for (i = 0; i < VML_ARRAY_SIZE(states); i++) {
		setenv("VML_FAKE_STATE", states[i], 1);
		replay_equals_live(i % 2 ? "fentry" : "tracepoint", "default");
	}
	unsetenv("VML_FAKE_STATE");
}

static void a_busy_host_is_replayed(void **state)
{
	const struct world_options wo = {
		.seed = 7, .processes = 20, .threads = 5, .busy = 40, .mortal = true, .stacks = 3
	};
	const struct vml_store_options o = { .no_sync = true };
	struct world *world = world_new(&wo);
	char *path = unit_path("busy");
	struct vml_store *w = unit_recording(path, &o);
	struct vml_snapshot *delta[30], *again;
	struct vml_reader *r;
	int i;

	(void)state;
	for (i = 0; i < 30; i++) {
		delta[i] = unit_world_delta(world, UNIT_SECOND);
		assert_int_equal(vml_store_append(w, delta[i]), 0);
	}
	assert_int_equal(vml_store_close(w), 0);
	r = unit_reader(path);
	for (i = 29; i >= 0; i--) {
		assert_int_equal(vml_reader_delta(r, (size_t)i, &again), 0);
		unit_same(delta[i], again);
		unit_free(again, delta[i], NULL);
	}
	vml_reader_close(r);
	world_free(world);
	unit_unlink(path);
}

/* ---- docs/recording.md, which tests/run finds from the root of the repository */

#define DOC "docs/recording.md"

static char *schema_of(const char *path)
{
	sqlite3_stmt *st = NULL;
	sqlite3 *h = NULL;
	char *text = NULL;
	size_t n;
	FILE *f = open_memstream(&text, &n);

	assert_int_equal(sqlite3_open_v2(path, &h, SQLITE_OPEN_READONLY, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_prepare_v2(h, "SELECT sql FROM sqlite_schema WHERE sql NOT NULL", -1, &st, NULL), 0);
	while (sqlite3_step(st) == SQLITE_ROW)
		fprintf(f, "%s;\n", (const char *)sqlite3_column_text(st, 0));
	sqlite3_finalize(st);
	sqlite3_close(h);
	fclose(f);
	return text;
}

static char *read_doc(void)
{
	char *text = NULL;
	size_t size = 0;
	FILE *f = fopen(DOC, "r");

	if (!f)
		fail_msg("%s cannot be read", DOC);
	assert_true(getdelim(&text, &size, '\0', f) > 0);
	fclose(f);
	return text;
}

static char *empty_schema(void)
{
	char *path = unit_path("schema"), *schema;

	vml_store_close(unit_recording(path, &(struct vml_store_options){ .no_sync = true }));
	schema = schema_of(path);
	unit_unlink(path);
	return schema;
}

static void the_schema_is_documented(void **state)
{
	char *doc = read_doc(), *schema = empty_schema();

	(void)state;
	if (!strstr(doc, schema))
		fail_msg("%s has another schema than 'test_store schema' prints", DOC);
	free(schema);
	free(doc);
}

static int count_row(void *n, int columns, char **value, char **name)
{
	(void)columns;
	(void)value;
	(void)name;
	++*(int *)n;
	return 0;
}

/* Each example finds something in a recording in which everything happened. */
static void the_examples_of_the_documentation_work(void **state)
{
	const struct world_options wo = { .seed = 9, .processes = 5, .threads = 4, .busy = 70, .stacks = 3 };
	struct world *world = world_new(&wo);
	char *path = unit_path("examples"), *doc = read_doc(), *at = doc, *end;
	struct vml_store *w = unit_recording(path, &(struct vml_store_options){ .no_sync = true });
	sqlite3 *h = NULL;
	int i, examples = 0;

	(void)state;
	for (i = 0; i < 10; i++) {
		struct vml_snapshot *d = unit_world_delta(world, UNIT_SECOND);

		assert_int_equal(vml_store_append(w, d), 0);
		vml_snapshot_free(d);
	}
	assert_int_equal(vml_store_info(w, "doctor", "{\"capabilities\":[{\"name\":\"bpf\",\"state\":\"yes\"}]}"), 0);
	vml_store_close(w);
	assert_int_equal(sqlite3_open_v2(path, &h, SQLITE_OPEN_READONLY, NULL), SQLITE_OK);
	while ((at = strstr(at, "\n```sql\n"))) {
		char *message = NULL;
		int rows = 0;

		at += strlen("\n```sql\n");
		end = strstr(at, "\n```");
		assert_non_null(end);
		*end = '\0';
		if (sqlite3_exec(h, at, count_row, &rows, &message) || !rows)
			fail_msg("%s\n%s", at, message ? message : "finds nothing");
		examples++;
		at = end + 1;
	}
	assert_true(examples >= 5);
	sqlite3_close(h);
	free(doc);
	world_free(world);
	unit_unlink(path);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_backend_is_replayed),
		cmocka_unit_test(a_busy_host_is_replayed),
		cmocka_unit_test(the_schema_is_documented),
		cmocka_unit_test(the_examples_of_the_documentation_work),
	};

	if (argc > 1 && !strcmp(argv[1], "schema")) { /* for docs/recording.md */
		fputs(empty_schema(), stdout);
		return 0;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
