/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "db.h"
#include "vmalock/base.h"

#define INTERVALS_MAX (1U << 24)
#define EVENTS_MAX 100000

struct vml_reader {
	sqlite3 *h;
	char *path;
	struct loader loader;
	struct vml_reader_interval *interval;
	size_t n, size;
	struct vml_arena *events; /* of the last vml_reader_events() */
	char error[VML_ERROR_MAX];
};

static int say(struct vml_reader *r, int err)
{
	const char *why = err == -EBADMSG      ? "it is damaged, cut short, or not a recording of vmalock"
			  : err == -EOPNOTSUPP ? "it was written by a newer version of vmalock: upgrade this one"
			  : err == -ENODATA    ? "there is nothing recorded in it at that time"
			  : err == -ESTALE     ? "it was rolled up meanwhile"
			  : err == -EROFS
				  ? "its writer was killed in the middle, and tidying up takes the permission to write"
				  : strerror(-err);

	if (err)
		snprintf(r->error, sizeof(r->error), "cannot read %s: %s", r->path, why);
	else
		r->error[0] = '\0';
	return err;
}

const char *vml_reader_error(const struct vml_reader *r)
{
	return r->error;
}

/* ---- the list */

static struct vml_reader_interval *new_interval(struct vml_reader *r)
{
	struct vml_reader_interval *more;

	if (r->n == r->size) {
		size_t size = r->size ? 2 * r->size : 256;

		if (r->n >= INTERVALS_MAX)
			return NULL;
		more = realloc(r->interval, size * sizeof(*more));
		if (!more)
			return NULL;
		r->interval = more;
		r->size = size;
	}
	return &r->interval[r->n++];
}

static int read_rows(struct vml_reader *r)
{
	sqlite3_stmt *st = NULL;
	int err = db_prepare(r->h, &st,
			     "SELECT i.id, i.real_ns, i.boot_ns, i.interval_ns, i.parts, "
			     "(SELECT min(b.id) FROM config b WHERE b.boot_id IS c.boot_id) "
			     "FROM interval i LEFT JOIN config c ON c.id = i.config ORDER BY i.id");

	while (!err && (err = db_row(st)) == 1) {
		struct vml_reader_interval *i = new_interval(r);

		err = i ? 0 : -ENOMEM;
		if (err)
			break;
		*i = (struct vml_reader_interval){ .id = db_u64(st, 0),
						   .real_ns = db_u64(st, 1),
						   .boot_ns = db_u64(st, 2),
						   .interval_ns = db_u64(st, 3) };
		i->parts = db_u32(st, 4, UINT32_MAX, &err);
		i->boot = db_u32(st, 5, UINT32_MAX, &err);
		if (!i->interval_ns || i->interval_ns > i->boot_ns || i->interval_ns > i->real_ns)
			err = -EBADMSG;
	}
	sqlite3_finalize(st);
	return err;
}

/* What was read before stays when it fails: who shows it goes on with it. */
static int read_list(struct vml_reader *r)
{
	const struct vml_reader before = *r;
	int err;

	r->interval = NULL;
	r->n = r->size = 0;
	err = read_rows(r);
	if (!err) {
		free(before.interval);
		return 0;
	}
	free(r->interval);
	r->interval = before.interval;
	r->n = before.n;
	r->size = before.size;
	return err;
}

int vml_reader_refresh(struct vml_reader *r)
{
	return say(r, read_list(r));
}

/* WAL: writers and readers do not wait for each other. */
static int is_history(struct vml_reader *r, bool *ret)
{
	sqlite3_stmt *st = NULL;
	int err = db_prepare(r->h, &st, "PRAGMA journal_mode");

	if (!err && (err = db_row(st)) == 1) {
		const char *mode = (const char *)sqlite3_column_text(st, 0);

		*ret = mode && !strcmp(mode, "wal");
		err = mode ? 0 : -ENOMEM;
	}
	sqlite3_finalize(st);
	return err;
}

void vml_reader_release(struct vml_reader *r)
{
	if (!sqlite3_get_autocommit(r->h))
		db_exec(r->h, "COMMIT");
}

int vml_reader_hold(struct vml_reader *r)
{
	bool history = false;
	int err = is_history(r, &history);

	if (!err && history)
		err = db_exec(r->h, "BEGIN");
	if (!err)
		err = read_list(r); /* the first that is read is what the file is held at */
	if (err)
		vml_reader_release(r);
	return say(r, err);
}

const struct vml_reader_interval *vml_reader_intervals(const struct vml_reader *r, size_t *ret_n)
{
	*ret_n = r->n;
	return r->n ? r->interval : NULL;
}

/* ---- opening */

static int check(struct vml_reader *r)
{
	int version = 0, err = schema_check(r->h, &version);

	if (!err && !version)
		err = -EBADMSG;
	if (!err)
		err = loader_open(&r->loader, r->h, LOADER_MANY);
	return err ? err : read_list(r);
}

static void close_db(struct vml_reader *r)
{
	loader_close(&r->loader);
	sqlite3_close(r->h);
	r->h = NULL;
}

/*
 * A history whose daemon has stopped has no WAL, and making one takes the permission to
 * write, in its folder too.  Without one, and without a journal, nobody is in the middle of anything.
 */
static int open_still(struct vml_reader *r, int otherwise)
{
	static const char *const beside[] = { "-wal", "-journal" };
	char *name;
	size_t i;
	int err;

	for (i = 0; i < VML_ARRAY_SIZE(beside); i++) {
		if (asprintf(&name, "%s%s", r->path, beside[i]) < 0)
			return -ENOMEM;
		err = access(name, F_OK);
		free(name);
		if (!err)
			return otherwise;
	}
	close_db(r);
	err = db_open_still(r->path, &r->h);
	return err ? err : check(r);
}

/*
 * First for reading only.  Where a writer was killed in the middle, its journal has to
 * be rolled back, or its WAL be read, which takes the permission to write.
 */
static int open_file(struct vml_reader *r)
{
	struct stat st;
	int err;

	if (stat(r->path, &st))
		return -errno;
	if (!S_ISREG(st.st_mode))
		return S_ISDIR(st.st_mode) ? -EISDIR : -EBADMSG;
	if (access(r->path, R_OK))
		return -errno;
	err = db_open(r->path, SQLITE_OPEN_READONLY, &r->h);
	if (!err)
		err = check(r);
	if (err != -EROFS && err != -ENOENT)
		return err;
	close_db(r);
	err = db_open(r->path, SQLITE_OPEN_READWRITE, &r->h);
	if (!err)
		err = check(r);
	if (err != -EROFS && err != -ENOENT && err != -EACCES)
		return err;
	return open_still(r, err);
}

static int open_bytes(struct vml_reader *r, const void *bytes, size_t n)
{
	int err = db_open(DB_MEMORY, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, &r->h);

	if (!err)
		err = db_set_bytes(r->h, bytes, n);
	if (!err)
		err = check(r);
	return err == -ENOENT || err == -EROFS ? -EBADMSG : err; /* it says of itself that it has more files */
}

/* Of @bytes, or of the file @path when they are NULL. */
static int open_reader(char *path, const void *bytes, size_t n, struct vml_reader **ret, char error[VML_ERROR_MAX])
{
	struct vml_reader *r = path ? calloc(1, sizeof(*r)) : NULL;
	int err;

	*error = '\0';
	if (!r) {
		snprintf(error, VML_ERROR_MAX, "cannot read %s: %s", path ? path : "it", strerror(ENOMEM));
		free(path);
		return -ENOMEM;
	}
	r->path = path;
	err = say(r, bytes ? open_bytes(r, bytes, n) : open_file(r));
	memcpy(error, r->error, VML_ERROR_MAX);
	if (err)
		vml_reader_close(r);
	else
		*ret = r;
	return err;
}

int vml_reader_open(const char *path, struct vml_reader **ret, char error[VML_ERROR_MAX])
{
	return open_reader(db_path(path), NULL, 0, ret, error);
}

int vml_reader_open_bytes(const void *bytes, size_t n, const char *name, struct vml_reader **ret,
			  char error[VML_ERROR_MAX])
{
	return open_reader(strdup(name), bytes, n, ret, error);
}

void vml_reader_close(struct vml_reader *r)
{
	if (!r)
		return;
	close_db(r);
	vml_arena_free(r->events);
	free(r->interval);
	free(r->path);
	free(r);
}

/* ---- deltas */

int vml_reader_delta(struct vml_reader *r, size_t i, struct vml_snapshot **ret)
{
	return say(r, i < r->n ? loader_delta(&r->loader, (int64_t)r->interval[i].id, ret) : -ERANGE);
}

bool vml_interval_in(const struct vml_reader_interval *i, uint64_t since_ns, uint64_t until_ns)
{
	uint64_t before = i->interval_ns / 2, middle = i->real_ns > before ? i->real_ns - before : 0;

	return middle > since_ns && middle <= until_ns;
}

int vml_reader_range(struct vml_reader *r, size_t first, size_t n, struct vml_snapshot **ret)
{
	struct vml_sum *sum;
	size_t i;
	int err;

	if (!n || first >= r->n || n > r->n - first)
		return say(r, -ERANGE);
	sum = vml_sum_new();
	err = sum ? 0 : -ENOMEM;
	for (i = first; i < first + n && !err; i++)
		err = loader_add(&r->loader, (int64_t)r->interval[i].id, sum);
	if (!err)
		return say(r, vml_sum_end(sum, ret));
	vml_sum_free(sum);
	return say(r, err);
}

int vml_reader_worst(struct vml_reader *r, size_t *ret_i)
{
	int64_t id = 0;
	size_t i;
	int err = -ENODATA;

	if (r->loader.totals & VML_METRIC_BIT(VML_WAIT_NS))
		err = db_number(r->h, &id,
				"SELECT id FROM interval WHERE wait_ns > 0 "
				"ORDER BY 1.0 * wait_ns / interval_ns DESC, id LIMIT 1");
	for (i = 0; i < r->n && !err; i++) {
		if (r->interval[i].id == (uint64_t)id) {
			*ret_i = i;
			return say(r, 0);
		}
	}
	return say(r, err ? err : -ESTALE);
}

/* ---- events */

static unsigned int kind_of(const char *name)
{
	unsigned int i;

	for (i = 0; i < VML_NEVENTS && strcmp(name, vml_event_name(i)) != 0; i++)
		;
	return i;
}

static int read_events(struct vml_reader *r, uint64_t first, uint64_t last, struct vml_event *ret, size_t *n,
		       size_t max)
{
	sqlite3_stmt *st = NULL;
	int err = db_prepare(r->h, &st,
			     "SELECT kind, real_ns, boot_ns, ns, text FROM event WHERE interval BETWEEN %lld AND %lld "
			     "ORDER BY id",
			     (long long)first, (long long)last);

	while (!err && *n < max && (err = db_row(st)) == 1) {
		const char *name = db_text(st, 0, r->events);
		unsigned int kind = name ? kind_of(name) : VML_NEVENTS;

		err = name ? 0 : -ENOMEM;
		if (err || kind == VML_NEVENTS)
			continue; /* of a newer version */
		ret[*n] = (struct vml_event){ .kind = kind,
					      .real_ns = db_u64(st, 1),
					      .boot_ns = db_u64(st, 2),
					      .ns = (int64_t)db_u64(st, 3),
					      .text = db_text(st, 4, r->events) };
		err = ret[(*n)++].text ? 0 : -ENOMEM;
	}
	sqlite3_finalize(st);
	return err > 0 ? 0 : err;
}

int vml_reader_events(struct vml_reader *r, size_t first, size_t n, const struct vml_event **ret, size_t *ret_n)
{
	struct vml_event *event;
	int64_t max = 0;
	int err;

	*ret = NULL;
	*ret_n = 0;
	if (!n || first >= r->n || n > r->n - first)
		return say(r, -ERANGE);
	vml_arena_free(r->events);
	r->events = vml_arena_new();
	err = db_number(r->h, &max, "SELECT min(count(*), %d) FROM event", EVENTS_MAX);
	if (err)
		return say(r, err);
	event = r->events ? vml_arena_alloc(r->events, (size_t)max * sizeof(*event)) : NULL;
	if (!event)
		return say(r, -ENOMEM);
	*ret = event;
	/* what befell the file before its first interval is told with it */
	return say(r, read_events(r, first ? r->interval[first - 1].id + 1 : 0, r->interval[first + n - 1].id, event,
				  ret_n, (size_t)max));
}
