/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef VMALOCK_UNIT_STORE_H
#define VMALOCK_UNIT_STORE_H
/* What the tests of the store share: files, an invented host, deltas as JSON. */
#include <unistd.h>

#include <sqlite3.h>

#include "unit.h"
#include "vmalock/sink.h"
#include "vmalock/source.h"
#include "vmalock/store.h"
#include "fixtures/world.h"

/* A name below $TMPDIR that is not there; unit_unlink() frees it. */
static inline char *unit_path(const char *name)
{
	static int n;
	char *path;

	assert_true(asprintf(&path, "%s/%d-%d-%s", unit_folder(), (int)getpid(), n++, name) > 0);
	return path;
}

static inline void unit_unlink(char *path)
{
	static const char *const suffix[] = { "", "-wal", "-shm", "-journal" };
	char name[512];
	size_t i;

	for (i = 0; i < VML_ARRAY_SIZE(suffix); i++) {
		snprintf(name, sizeof(name), "%s%s", path, suffix[i]);
		unlink(name);
	}
	free(path);
}

/* The whole of it, rows that changed; the caller frees it. */
static inline char *unit_json(struct vml_snapshot *delta)
{
	const struct vml_view view = { .limit = UINT32_MAX };
	char *text = NULL;
	size_t n;
	FILE *f = open_memstream(&text, &n);

	assert_non_null(f);
	assert_int_equal(vml_json_write(f, delta, &view), 0);
	fclose(f);
	return text;
}

/* As JSON, and what JSON does not have. */
static inline void unit_same(struct vml_snapshot *a, struct vml_snapshot *b)
{
	char *x = unit_json(a), *y = unit_json(b);
	size_t i;

	assert_int_equal(a->kernel.known, b->kernel.known);
	assert_int_equal(a->kernel.success, b->kernel.success);
	assert_int_equal(a->kernel.abort, b->kernel.abort);
	assert_int_equal(a->kernel.retry, b->kernel.retry);
	assert_int_equal(a->kernel.miss, b->kernel.miss);
	assert_int_equal(a->nstall, b->nstall);
	for (i = 0; i < a->nstall; i++) {
		assert_int_equal(a->stall[i].unsplit, b->stall[i].unsplit);
		assert_int_equal(a->stall[i].writers, b->stall[i].writers);
		assert_int_equal(a->stall[i].other_ns, b->stall[i].other_ns);
	}
	for (i = 0; x[i] && x[i] == y[i]; i++)
		;
	if (x[i] != y[i])
		fail_msg("at %zu: %.200s\nis not %.200s", i, x + (i > 100 ? i - 100 : 0), y + (i > 100 ? i - 100 : 0));
	free(x);
	free(y);
}

/* What happens in @ns. */
static inline struct vml_snapshot *unit_world_delta(struct world *w, uint64_t ns)
{
	struct vml_snapshot *a = world_snapshot(w), *b, *d;

	world_step(w, ns);
	b = world_snapshot(w);
	assert_true(a && b);
	d = unit_delta(a, b);
	unit_free(a, b, NULL);
	return d;
}

static inline struct vml_store *unit_recording(const char *path, const struct vml_store_options *o)
{
	char error[VML_ERROR_MAX];
	struct vml_store *s = NULL;

	if (vml_recording_create(path, o, &s, error))
		fail_msg("%s", error);
	return s;
}

/* A recording of @n seconds of an invented host. */
static inline char *unit_made_recording(const struct world_options *o, const char *name, int n)
{
	struct world *world = world_new(o);
	char *path = unit_path(name);
	struct vml_store *w = unit_recording(path, &(struct vml_store_options){ .no_sync = true });

	while (n--) {
		struct vml_snapshot *d = unit_world_delta(world, UNIT_SECOND);

		assert_int_equal(vml_store_append(w, d), 0);
		vml_snapshot_free(d);
	}
	assert_int_equal(vml_store_close(w), 0);
	world_free(world);
	return path;
}

/* What somebody else might write into the file. */
static inline void unit_change(const char *path, const char *sql)
{
	sqlite3 *h = NULL;
	char *message = NULL;

	assert_int_equal(sqlite3_open_v2(path, &h, SQLITE_OPEN_READWRITE, NULL), SQLITE_OK);
	if (sqlite3_exec(h, sql, NULL, NULL, &message))
		fail_msg("%s: %s", sql, message);
	sqlite3_close(h);
}

static inline struct vml_store *unit_history(const char *path, const struct vml_store_options *o)
{
	char error[VML_ERROR_MAX];
	struct vml_store *s = NULL;

	if (vml_history_open(path, o, &s, error))
		fail_msg("%s", error);
	return s;
}

static inline struct vml_reader *unit_reader(const char *path)
{
	char error[VML_ERROR_MAX];
	struct vml_reader *r = NULL;

	if (vml_reader_open(path, &r, error))
		fail_msg("%s", error);
	return r;
}

static inline size_t unit_count(const struct vml_reader *r)
{
	size_t n;

	vml_reader_intervals(r, &n);
	return n;
}

/* All intervals as one. */
static inline int unit_all(struct vml_reader *r, struct vml_snapshot **ret)
{
	return vml_reader_range(r, 0, unit_count(r), ret);
}

#endif
