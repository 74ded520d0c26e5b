// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Recordings that somebody has changed.  The input is not a file but what is done to a good one, because
 * SQLite itself refuses most files with wrong bytes: values of cells, rows that are missing or there twice,
 * and, last, bytes and the length of the file.  Its tables have lost their types and constraints.
 *
 *	byte 0		1: read as a history, too, and tidy it
 *	then		operations, see change()
 */
#include <dirent.h>
#include <sys/stat.h>
#include <unistd.h>

#include <sqlite3.h>

#include "fixtures/world.h"
#include "fuzz/input.h"
#include "vmalock/base.h"
#include "vmalock/diagnose.h"
#include "vmalock/sink.h"
#include "vmalock/store.h"

#define BASE_SECONDS 4
#define TABLES_MAX 64
#define COLUMNS_MAX 64
#define TIDY_MAX 20

struct recording_table {
	char *name, *column[COLUMNS_MAX];
	int n;
};

static struct {
	char folder[512], path[540];
	unsigned char *image;
	sqlite3_int64 size;
	struct recording_table table[TABLES_MAX];
	int ntables;
} good;

/* ---- the good one */

/* Also what a history has set aside. */
static void empty_folder(void)
{
	DIR *dir = opendir(good.folder);
	const struct dirent *e;

	while (dir && (e = readdir(dir)))
		unlinkat(dirfd(dir), e->d_name, 0);
	if (dir)
		closedir(dir);
}

static void clean_up(void)
{
	empty_folder();
	rmdir(good.folder);
}

static void make_recording(void)
{
	const struct world_options wo = { .seed = 6, .processes = 2, .threads = 2, .busy = 80, .stacks = 4 };
	const struct vml_store_options o = { .no_sync = true, .options = "fuzz" };
	struct world *w = world_new(&wo);
	char error[VML_ERROR_MAX];
	struct vml_store *s = NULL;

	fuzz_must(w && !vml_recording_create(good.path, &o, &s, error));
	for (int i = 0; i < BASE_SECONDS; i++) {
		struct vml_snapshot *a = world_snapshot(w), *b, *d = NULL;

		world_step(w, 1000000000);
		b = world_snapshot(w);
		fuzz_must(a && b && !vml_delta(a, b, &d) && !vml_store_append(s, d));
		vml_snapshot_free(a);
		vml_snapshot_free(b);
		vml_snapshot_free(d);
	}
	vml_store_close(s);
	world_free(w);
}

static int learn_table(void *h, int n, char **value, char **name)
{
	struct recording_table *t = &good.table[good.ntables++];
	sqlite3_stmt *st = NULL;
	char *sql;

	(void)n;
	(void)name;
	fuzz_must(good.ntables <= TABLES_MAX);
	t->name = strdup(value[0]);
	sql = sqlite3_mprintf("SELECT * FROM \"%w\"", value[0]);
	fuzz_must(t->name && sql && !sqlite3_prepare_v2(h, sql, -1, &st, NULL));
	for (t->n = 0; t->n < sqlite3_column_count(st); t->n++)
		fuzz_must((t->column[t->n] = strdup(sqlite3_column_name(st, t->n))) != NULL);
	sqlite3_finalize(st);
	sqlite3_free(sql);
	return 0;
}

/* Any value in any column, any row twice: what a table of somebody else may have. */
static void loosen(sqlite3 *h)
{
	static const char tables[] = "SELECT name FROM sqlite_schema WHERE type = 'table'";

	fuzz_must(!sqlite3_exec(h, tables, learn_table, h, NULL));
	for (int i = 0; i < good.ntables; i++) {
		const char *name = good.table[i].name;
		char *sql = sqlite3_mprintf("CREATE TEMP TABLE t AS SELECT * FROM main.\"%w\"; DROP TABLE main.\"%w\"; "
					    "CREATE TABLE main.\"%w\" AS SELECT * FROM t; DROP TABLE t",
					    name, name, name);

		fuzz_must(sql && !sqlite3_exec(h, sql, NULL, NULL, NULL));
		sqlite3_free(sql);
	}
	fuzz_must(!sqlite3_exec(h, "VACUUM", NULL, NULL, NULL));
}

static void make_good(void)
{
	const char *tmp = getenv("TMPDIR");
	sqlite3 *h = NULL;

	snprintf(good.folder, sizeof(good.folder), "%.480s/fuzz-XXXXXX", tmp && *tmp ? tmp : "/tmp");
	fuzz_must(mkdtemp(good.folder) != NULL);
	snprintf(good.path, sizeof(good.path), "%s/recording", good.folder);
	make_recording();
	fuzz_must(!sqlite3_open(good.path, &h));
	loosen(h);
	good.image = sqlite3_serialize(h, "main", &good.size, 0);
	fuzz_must(good.image != NULL);
	sqlite3_close(h);
	atexit(clean_up);
}

/* ---- what is done to it */

static void bind_value(sqlite3_stmt *st, struct fuzz_input *b)
{
	static const sqlite3_int64 number[] = { 0,	    -1,	       1,	  INT64_MIN,	    INT64_MAX,
						UINT32_MAX, INT32_MIN, 1LL << 32, 4503599627370496, 65536 };
	uint8_t kind = (uint8_t)fuzz_take(b, 1);
	size_t left = (size_t)(b->end - b->at), n;

	switch (kind % 8) {
	case 0:
		sqlite3_bind_null(st, 1);
		break;
	case 1:
		sqlite3_bind_int64(st, 1, number[fuzz_take(b, 1) % VML_ARRAY_SIZE(number)]);
		break;
	case 2:
		sqlite3_bind_int64(st, 1, (sqlite3_int64)fuzz_take(b, 8));
		break;
	case 3:
		sqlite3_bind_double(st, 1, kind & 8 ? 1e300 : -0.5);
		break;
	case 4:
		sqlite3_bind_zeroblob(st, 1, (int)fuzz_take(b, 2));
		break;
	case 5:
		sqlite3_bind_int64(st, 1, (sqlite3_int64)fuzz_take(b, 1));
		break;
	default:
		n = fuzz_take(b, 1);
		n = n < left ? n : left ? left - 1 : 0;
		if (kind % 8 == 6)
			sqlite3_bind_text(st, 1, (const char *)b->at, (int)n, SQLITE_TRANSIENT);
		else
			sqlite3_bind_blob(st, 1, b->at, (int)n, SQLITE_TRANSIENT);
		b->at += n;
	}
}

static void run(sqlite3 *h, struct fuzz_input *value, char *sql)
{
	sqlite3_stmt *st = NULL;

	fuzz_must(sql != NULL);
	if (!sqlite3_prepare_v2(h, sql, -1, &st, NULL)) {
		if (value)
			bind_value(st, value);
		sqlite3_step(st);
	}
	sqlite3_finalize(st);
	sqlite3_free(sql);
}

/* One operation on rows. */
static void change(sqlite3 *h, struct fuzz_input *b)
{
	uint8_t what = (uint8_t)fuzz_take(b, 1);
	const struct recording_table *t = &good.table[fuzz_take(b, 1) % (unsigned int)good.ntables];
	const char *column = t->column[fuzz_take(b, 1) % (unsigned int)t->n];
	int row = (int)fuzz_take(b, 1);

	switch (what % 5) {
	case 0: /* a cell */
		run(h, b, sqlite3_mprintf("UPDATE \"%w\" SET \"%w\" = ?1 WHERE rowid = %d + 1", t->name, column, row));
		break;
	case 1: /* a column */
		run(h, b, sqlite3_mprintf("UPDATE \"%w\" SET \"%w\" = ?1", t->name, column));
		break;
	case 2:
		run(h, NULL, sqlite3_mprintf("DELETE FROM \"%w\" WHERE rowid = %d + 1", t->name, row));
		break;
	case 3:
		run(h, NULL,
		    sqlite3_mprintf("INSERT INTO \"%w\" SELECT * FROM \"%w\" WHERE rowid = %d + 1", t->name, t->name,
				    row));
		break;
	case 4:
		run(h, NULL, sqlite3_mprintf("ALTER TABLE \"%w\" DROP COLUMN \"%w\"", t->name, column));
		break;
	}
}

static void write_file(const unsigned char *image, size_t size, struct fuzz_input *b)
{
	FILE *f = fopen(good.path, "w");

	fuzz_must(f && fwrite(image, 1, size, f) == size);
	while (b->at < b->end) {
		long at = (long)(fuzz_take(b, 3) % size);

		if (at % 16 == 15) {
			fuzz_must(!fflush(f) && !ftruncate(fileno(f), at));
		} else {
			fuzz_must(!fseek(f, at, SEEK_SET));
			fputc((int)fuzz_take(b, 1), f);
		}
	}
	fuzz_must(!fclose(f));
}

/* Up to an operation 255 rows are changed, behind it bytes of the file. */
static void change_file(struct fuzz_input *b)
{
	unsigned char *copy = sqlite3_malloc64((sqlite3_uint64)good.size), *image;
	sqlite3_int64 size;
	sqlite3 *h = NULL;

	fuzz_must(copy && !sqlite3_open(":memory:", &h));
	memcpy(copy, good.image, (size_t)good.size);
	fuzz_must(!sqlite3_deserialize(h, "main", copy, good.size, good.size,
				       SQLITE_DESERIALIZE_FREEONCLOSE | SQLITE_DESERIALIZE_RESIZEABLE));
	while (b->at < b->end && *b->at != 255)
		change(h, b);
	fuzz_take(b, 1);
	image = sqlite3_serialize(h, "main", &size, 0);
	fuzz_must(image != NULL);
	write_file(image, (size_t)size, b);
	sqlite3_free(image);
	sqlite3_close(h);
}

/* ---- reading */

/* What the model promises of every delta (snapshot.h). */
static void check_delta(struct vml_snapshot *d)
{
	const struct vml_view view = { .limit = UINT32_MAX };
	struct vml_diagnosis found;
	char *text = NULL;
	size_t n;
	FILE *f;

	fuzz_must(d->interval_ns != 0);
	for (int scope = 0; scope < VML_NSCOPES; scope++)
		for (size_t i = 1; i < d->rows[scope].n; i++)
			fuzz_must(vml_id_compare(&d->rows[scope].row[i - 1].id, &d->rows[scope].row[i].id) < 0);
	for (size_t i = 0; i < d->nstall; i++)
		fuzz_must(d->stall[i].writers <= d->stall[i].waiters);
	for (size_t i = 0; i < d->nstack; i++)
		fuzz_must(d->stack[i].nkernel <= d->stack[i].nframes);
	f = open_memstream(&text, &n);
	fuzz_must(f && !vml_json_write(f, d, &view)); /* every text in it is UTF-8 */
	fclose(f);
	free(text);
	fuzz_must(!vml_diagnose(d, &found));
}

/* How many intervals could be read. */
static int read_all(void)
{
	char error[VML_ERROR_MAX];
	const struct vml_event *e;
	struct vml_snapshot *d;
	struct vml_reader *r;
	size_t n, k;
	int deltas = 0;

	if (vml_reader_open(good.path, &r, error)) {
		fuzz_must(*error != '\0');
		return 0;
	}
	vml_reader_intervals(r, &n);
	for (size_t i = 0; i < n; i++) {
		if (vml_reader_delta(r, i, &d)) {
			fuzz_must(*vml_reader_error(r) != '\0');
			continue;
		}
		check_delta(d);
		vml_snapshot_free(d);
		deltas++;
	}
	if (!vml_reader_range(r, 0, n, &d)) {
		check_delta(d);
		vml_snapshot_free(d);
	}
	if (!vml_reader_events(r, 0, n, &e, &k))
		for (size_t i = 0; i < k; i++)
			fuzz_must(e[i].text && e[i].kind < VML_NEVENTS);
	vml_reader_close(r);
	return deltas;
}

/* It goes on with the file, or puts it aside; it ends in any case. */
static void tidy_history(void)
{
	const struct vml_store_options o = { .no_sync = true,
					     .level = { { 0, 1 }, { 2000000000, 2 }, { 4000000000, 3 } },
					     .max_bytes = 1 << 16 };
	struct vml_store *s = NULL;
	char error[VML_ERROR_MAX];

	if (vml_history_open(good.path, &o, &s, error))
		return;
	for (int i = 0; i < TIDY_MAX && vml_history_tidy(s, 0) == 1; i++)
		;
	vml_store_close(s);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_input b = { data, data + size };
	bool history = fuzz_take(&b, 1) & 1;

	if (!good.image) {
		struct fuzz_input nothing = { data, data };

		make_good();
		change_file(&nothing);
		fuzz_must(read_all() == BASE_SECONDS);
	}
	change_file(&b);
	read_all();
	if (history) {
		tidy_history();
		read_all();
		empty_folder();
	}
	return 0;
}
