/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * A recording has a rollback journal, deleted with each commit: between commits the
 * file is alone and whole, and can be copied.  The history has a WAL: one sync a
 * commit instead of four, and readers do not wait.  Both sync each commit: at one a second
 * that is cheap, and a power loss takes no more than what is being written.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "db.h"
#include "vmalock/base.h"

#define ASIDE_MAX 1000

static const char *const causes[VML_STORE_NCAUSES] = {
	[VML_STORE_DISK_FULL] = "disk_full",
	[VML_STORE_READ_ONLY] = "read_only",
	[VML_STORE_BUSY] = "busy",
	[VML_STORE_CORRUPT] = "corrupt",
	[VML_STORE_IO] = "io",
	[VML_STORE_MEMORY] = "memory",
	[VML_STORE_OTHER] = "other",
};

const char *vml_store_cause_name(unsigned int cause)
{
	return cause < VML_STORE_NCAUSES ? causes[cause] : NULL;
}

static enum vml_store_cause cause_of(int err)
{
	switch (err) {
	case -ENOSPC:
	case -EFBIG:
		return VML_STORE_DISK_FULL;
	case -EROFS:
	case -EACCES:
	case -EPERM:
		return VML_STORE_READ_ONLY;
	case -EBUSY:
		return VML_STORE_BUSY;
	case -EBADMSG:
		return VML_STORE_CORRUPT;
	case -EIO:
		return VML_STORE_IO;
	case -ENOMEM:
		return VML_STORE_MEMORY;
	default:
		return VML_STORE_OTHER;
	}
}

/* ---- transactions */

int store_begin(struct vml_store *w)
{
	return db_exec(w->h, "BEGIN IMMEDIATE");
}

int store_end(struct vml_store *w, int err)
{
	if (!err)
		err = db_exec(w->h, "COMMIT");
	if (!err)
		return 0;
	if (!sqlite3_get_autocommit(w->h)) /* some errors have rolled back already */
		db_exec(w->h, "ROLLBACK");
	dicts_forget(&w->dicts, w->h);
	config_forget(&w->config);
	return err;
}

/* ---- opening what is there */

static int say(char error[VML_ERROR_MAX], int err, const char *what, const char *path, const char *why)
{
	snprintf(error, VML_ERROR_MAX, "cannot %s %s: %s", what, path, why);
	return err;
}

static int fail(char error[VML_ERROR_MAX], int err, const char *what, const char *path)
{
	const char *why = err == -EBADMSG      ? "it is damaged, or not a file of vmalock"
			  : err == -EOPNOTSUPP ? "it was written by a newer version of vmalock"
			  : err == -EBUSY      ? "another program is writing it"
					       : strerror(-err);

	return say(error, err, what, path, why);
}

struct vml_store *store_new(const char *path, const struct vml_store_options *o)
{
	struct vml_store *w = calloc(1, sizeof(*w));

	if (!w)
		return NULL;
	w->lock = -1;
	w->o = *o;
	w->path = db_path(path);
	w->options = strdup(o->options ? o->options : "");
	w->o.options = w->options;
	if (w->path && w->options)
		return w;
	vml_store_close(w);
	return NULL;
}

static void close_db(struct vml_store *w)
{
	loader_close(&w->loader);
	put_close(&w->put);
	dicts_close(&w->dicts);
	config_forget(&w->config);
	sqlite3_close(w->h);
	w->h = NULL;
	if (w->lock >= 0)
		close(w->lock); /* after SQLite: a close drops the locks that fcntl() made */
	w->lock = -1;
}

/* Opens the file and keeps others from writing it; @flags of open(2). */
static int take_file(struct vml_store *w, int flags, mode_t mode)
{
	w->lock = open(w->path, O_RDWR | O_CLOEXEC | O_NOCTTY | flags, mode);
	if (w->lock < 0)
		return -errno;
	return flock(w->lock, LOCK_EX | LOCK_NB) ? (errno == EWOULDBLOCK ? -EBUSY : -errno) : 0;
}

static int wal_hook(void *arg, sqlite3 *h, const char *name, int pages)
{
	struct vml_store *w = arg;

	(void)h;
	(void)name;
	w->wal_pages = pages;
	return SQLITE_OK;
}

/* Before there is a table: what cannot be changed afterwards. */
static int set_pragmas(struct vml_store *w)
{
	int err = db_exec(w->h, w->o.no_sync ? "PRAGMA synchronous = OFF" : "PRAGMA synchronous = FULL");

	if (!err && w->history)
		err = db_exec(w->h, "PRAGMA auto_vacuum = INCREMENTAL; PRAGMA journal_mode = WAL; "
				    "PRAGMA journal_size_limit = 4194304; PRAGMA wal_autocheckpoint = 0");
	if (!err && w->history)
		sqlite3_wal_hook(w->h, wal_hook, w);
	return err;
}

/* Where the file ends: what the next interval follows on. */
static int read_end(struct vml_store *w)
{
	sqlite3_stmt *st = NULL;
	int err = db_prepare(w->h, &st,
			     "SELECT i.id, i.real_ns, i.boot_ns, i.running_ns, c.boot_id FROM interval i "
			     "LEFT JOIN config c ON c.id = i.config ORDER BY i.id DESC LIMIT 1");

	w->next = 1;
	if (!err)
		err = db_row(st);
	if (err == 1) {
		const char *boot = (const char *)sqlite3_column_text(st, 4);

		w->next = sqlite3_column_int64(st, 0) + 1;
		w->last = (struct stamp){ .real_ns = db_u64(st, 1), .boot_ns = db_u64(st, 2), .known = true };
		w->last.slept_ns = stamp_slept();
		w->running_ns = db_u64(st, 3);
		snprintf(w->last.boot_id, sizeof(w->last.boot_id), "%s", boot ? boot : "");
		w->stats.newest_real_ns = w->last.real_ns;
		err = w->next > 0 ? 0 : -EBADMSG;
	}
	sqlite3_finalize(st);
	return err;
}

int store_measure(struct vml_store *w)
{
	int64_t pages = 0, free_pages = 0, size = 0, oldest = 0;
	int err = db_number(w->h, &pages, "PRAGMA page_count");

	if (!err)
		err = db_number(w->h, &free_pages, "PRAGMA freelist_count");
	if (!err)
		err = db_number(w->h, &size, "PRAGMA page_size");
	if (err)
		return err;
	w->stats.bytes = (uint64_t)(pages - free_pages) * (uint64_t)size;
	err = db_number(w->h, &oldest, "SELECT real_ns FROM interval ORDER BY id LIMIT 1");
	w->stats.oldest_real_ns = (uint64_t)oldest;
	return err == -ENODATA ? 0 : err;
}

static int create_tables(struct vml_store *w)
{
	return store_end(w, store_begin(w) ?: schema_create(w->h));
}

static int extend_tables(struct vml_store *w)
{
	return store_end(w, store_begin(w) ?: schema_extend(w->h));
}

static int prepare_all(struct vml_store *w)
{
	int err = dicts_open(&w->dicts, w->h, w->history);

	if (!err)
		err = put_open(&w->put, w->h);
	if (!err && w->history)
		err = loader_open(&w->loader, w->h, LOADER_FEW);
	if (!err)
		err = read_end(w);
	return err ? err : store_measure(w);
}

/* ---- recordings */

int store_fill(struct vml_store *w)
{
	int err = set_pragmas(w);

	if (!err)
		err = create_tables(w);
	return err ? err : prepare_all(w);
}

static int create_recording(struct vml_store *w)
{
	int err = take_file(w, O_CREAT | O_EXCL, 0600);

	if (!err)
		err = db_open(w->path, SQLITE_OPEN_READWRITE, &w->h);
	return err ? err : store_fill(w);
}

/* A file in the way is replaced when that was asked for; a device or a folder is not. -EINVAL */
static int make_room(const char *path, bool replace)
{
	struct stat st;

	if (lstat(path, &st))
		return errno == ENOENT ? 0 : -errno;
	if (!S_ISREG(st.st_mode) && !S_ISLNK(st.st_mode))
		return -EINVAL;
	return !replace ? -EEXIST : unlink(path) ? -errno : 0;
}

int vml_recording_create(const char *path, const struct vml_store_options *o, struct vml_store **ret,
			 char error[VML_ERROR_MAX])
{
	struct vml_store *w = store_new(path, o);
	int err = w ? 0 : -ENOMEM;
	bool ours;

	*error = '\0';
	if (!err)
		err = make_room(w->path, o->replace);
	if (!err)
		err = create_recording(w);
	ours = w && w->lock >= 0;
	if (!err) {
		*ret = w;
		return 0;
	}
	if (err == -EINVAL)
		say(error, err, "record to", path, "it is there, and not a file");
	else if (err == -EEXIST)
		say(error, err, "record to", path, "the file exists; --force replaces it");
	else
		fail(error, err, "record to", path);
	if (ours)
		unlink(w->path);
	vml_store_close(w);
	return err;
}

/* ---- the history */

/* PATH.WORD-1, -2, ..: the first that is not there. NULL: none, or out of memory. */
static char *free_name(const char *path, const char *word)
{
	char *name = NULL;
	int i;

	for (i = 1; i < ASIDE_MAX; i++) {
		free(name);
		if (asprintf(&name, "%s.%s-%d", path, word, i) < 0)
			return NULL;
		if (access(name, F_OK) && errno == ENOENT)
			return name;
	}
	free(name);
	return NULL;
}

static void rename_beside(const char *from, const char *to, const char *suffix)
{
	char *a = NULL, *b = NULL;

	if (asprintf(&a, "%s%s", from, suffix) >= 0 && asprintf(&b, "%s%s", to, suffix) >= 0)
		rename(a, b);
	free(a);
	free(b);
}

int store_set_aside(struct vml_store *w)
{
	char *name = free_name(w->path, "damaged");

	if (!name)
		return -EEXIST;
	close_db(w);
	if (rename(w->path, name)) {
		free(name);
		return -errno;
	}
	rename_beside(w->path, name, "-wal");
	rename_beside(w->path, name, "-shm");
	rename_beside(w->path, name, "-journal");
	free(w->aside);
	w->aside = name;
	w->stats.set_aside++;
	w->last.known = false;
	w->running_ns = 0;
	return 0;
}

/* A copy under another name, before anything is changed. */
static int copy_schema(struct vml_store *w, int version)
{
	char word[32], *name;
	sqlite3 *copy = NULL;
	sqlite3_backup *b;
	int err;

	snprintf(word, sizeof(word), "schema-%d", version);
	name = free_name(w->path, word);
	if (!name)
		return -EEXIST;
	err = db_open(name, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, &copy);
	b = err ? NULL : sqlite3_backup_init(copy, "main", w->h, "main");
	if (b) {
		sqlite3_backup_step(b, -1);
		err = db_errno(copy, sqlite3_backup_finish(b));
	} else if (!err) {
		err = db_errno(copy, sqlite3_errcode(copy));
	}
	sqlite3_close(copy);
	if (err)
		unlink(name);
	free(name);
	return err;
}

int store_migrate(struct vml_store *w, const struct schema_step *step, size_t n, int from, int to)
{
	struct vml_event e = { .kind = VML_EVENT_MIGRATED, .real_ns = vml_now_real(), .boot_ns = vml_now_boot() };
	char text[32];
	int err = copy_schema(w, from);

	if (!err)
		err = schema_migrate(w->h, step, n, from, to);
	snprintf(text, sizeof(text), "schema %d", from);
	e.text = text;
	return err ? err : event_put(w->h, 0, &e);
}

static int open_history(struct vml_store *w)
{
	int version = 0, err = take_file(w, O_CREAT, 0640);

	if (!err)
		err = db_open(w->path, SQLITE_OPEN_READWRITE, &w->h);
	if (!err)
		err = schema_check(w->h, &version);
	if (!err)
		err = set_pragmas(w);
	if (!err && !version)
		err = create_tables(w);
	else if (!err && version < VML_STORE_SCHEMA)
		err = store_migrate(w, schema_steps, schema_nsteps, version, VML_STORE_SCHEMA);
	if (!err && version)
		err = extend_tables(w);
	return err ? err : prepare_all(w);
}

static void history_defaults(struct vml_store_options *o)
{
	static const struct vml_store_level levels[VML_STORE_LEVELS] = VML_HISTORY_LEVELS;
	size_t i;

	if (!o->max_bytes)
		o->max_bytes = VML_HISTORY_MAX_BYTES;
	for (i = 0; i < VML_STORE_LEVELS; i++)
		if (o->level[i].keep_ns || o->level[i].step_ns)
			return;
	memcpy(o->level, levels, sizeof(levels));
}

int vml_history_open(const char *path, const struct vml_store_options *o, struct vml_store **ret,
		     char error[VML_ERROR_MAX])
{
	struct vml_store *w = store_new(path, o);
	int err;

	*error = '\0';
	if (!w)
		return fail(error, -ENOMEM, "open", path);
	w->history = true;
	history_defaults(&w->o);
	err = open_history(w);
	if (err == -EBADMSG) {
		err = store_set_aside(w);
		if (!err)
			err = open_history(w);
		if (!err)
			snprintf(error, VML_ERROR_MAX, "%s was damaged; it is now %s, and a new one was begun", path,
				 w->aside);
	}
	if (err) {
		fail(error, err, "open", path);
		vml_store_close(w);
		return err;
	}
	*ret = w;
	return 0;
}

/* ---- appending */

static int put_start(struct vml_store *w, const struct stamp *now)
{
	struct vml_event e = { .kind = VML_EVENT_START, .real_ns = now->real_ns, .boot_ns = now->boot_ns };
	int err = 0;

	if (w->aside) {
		e.kind = VML_EVENT_SET_ASIDE;
		e.text = w->aside;
		err = event_put(w->h, w->next, &e);
	}
	e.kind = VML_EVENT_START;
	e.text = w->options;
	return err || w->started ? err : event_put(w->h, w->next, &e);
}

static int put_events(struct vml_store *w, const struct stamp *now, uint64_t interval_ns)
{
	struct vml_event event[STAMP_EVENTS];
	size_t i, n = stamp_compare(&w->last, now, interval_ns, event);
	char text[96];
	int err = put_start(w, now);

	if (w->missed)
		snprintf(text, sizeof(text), "%llu interval%s lost: %s", (unsigned long long)w->missed,
			 w->missed == 1 ? "" : "s", causes[w->missed_cause]);
	for (i = 0; i < n && !err; i++) {
		if (event[i].kind == VML_EVENT_GAP)
			event[i].text = w->missed ? text : w->started ? "not observed" : "restart";
		err = event_put(w->h, w->next, &event[i]);
	}
	return err;
}

/* Age is told by a clock that does not jump: deltas of the boot, not of UTC, less what the host slept. */
static uint64_t running_after(const struct vml_store *w, const struct stamp *now, uint64_t interval_ns)
{
	bool same_boot = w->last.known && !strcmp(w->last.boot_id, now->boot_id);
	uint64_t ran = same_boot ? now->boot_ns - w->last.boot_ns : interval_ns;
	int64_t slept = same_boot ? (int64_t)(now->slept_ns - w->last.slept_ns) : 0; /* the first may be below 0 */

	if (slept > 0)
		ran -= (uint64_t)slept < ran ? (uint64_t)slept : ran;
	return w->running_ns + ran;
}

static int put_all(struct vml_store *w, const struct vml_snapshot *delta, const struct stamp *now, uint64_t running_ns)
{
	struct put_interval i = { .id = w->next, .parts = 1, .running_ns = running_ns, .stalls = true };
	int err = dicts_trim(&w->dicts, w->h);

	if (!err)
		err = put_events(w, now, delta->interval_ns);
	if (!err)
		err = config_put(&w->config, w->h, delta, &w->o, &i.config);
	return err ? err : put_delta(&w->put, &w->dicts, &i, delta, w->o.rows);
}

static int append(struct vml_store *w, const struct vml_snapshot *delta, const struct stamp *now)
{
	uint64_t running_ns = running_after(w, now, delta->interval_ns);
	int err = store_begin(w);

	if (err)
		return err;
	err = store_end(w, put_all(w, delta, now, running_ns));
	if (err)
		return err;
	w->last = *now;
	w->running_ns = running_ns;
	w->next++;
	w->started = true;
	w->missed = 0;
	free(w->aside);
	w->aside = NULL;
	w->stats.intervals++;
	w->stats.newest_real_ns = delta->real_ns;
	store_measure(w); /* it is written, whatever this says */
	return 0;
}

/* -EINVAL: it does not follow on what is there. */
static int check_order(const struct vml_store *w, const struct vml_snapshot *delta, const struct stamp *now)
{
	if (!delta->interval_ns || delta->interval_ns > delta->boot_ns)
		return -EINVAL;
	if (!w->last.known || strcmp(w->last.boot_id, now->boot_id) != 0)
		return 0;
	return delta->boot_ns - delta->interval_ns < w->last.boot_ns ? -EINVAL : 0;
}

int vml_store_append(struct vml_store *w, const struct vml_snapshot *delta)
{
	struct stamp now = { .real_ns = delta->real_ns, .boot_ns = delta->boot_ns, .known = true };
	int err;

	now.slept_ns = stamp_slept();
	snprintf(now.boot_id, sizeof(now.boot_id), "%s", delta->host.boot_id);
	err = check_order(w, delta, &now);
	if (err)
		return err;
	if (!w->h) /* what failed when a damaged file was set aside may work now */
		err = open_history(w);
	if (!err)
		err = append(w, delta, &now);
	if (err == -EBADMSG && w->history && !store_set_aside(w) && !open_history(w))
		err = append(w, delta, &now);
	if (err) {
		w->stats.lost[cause_of(err)]++;
		w->missed++;
		w->missed_cause = cause_of(err);
	}
	return err;
}

static int put_info(struct vml_store *w, const char *name, const char *text)
{
	sqlite3_stmt *st = NULL;
	int err = db_prepare(w->h, &st, "INSERT OR REPLACE INTO info (name, text) VALUES (?, ?)");

	if (!err) {
		db_bind_text(st, 1, name);
		db_bind_text(st, 2, text);
		err = db_run(st);
	}
	sqlite3_finalize(st);
	return err;
}

int vml_store_info(struct vml_store *w, const char *name, const char *text)
{
	return store_end(w, store_begin(w) ?: put_info(w, name, text));
}

/* ---- the end */

void vml_store_stats(const struct vml_store *w, struct vml_store_stats *ret)
{
	*ret = w->stats;
}

int vml_store_close(struct vml_store *w)
{
	int err = 0;

	if (!w)
		return 0;
	if (w->h && w->history)
		err = db_errno(w->h, sqlite3_wal_checkpoint_v2(w->h, NULL, SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL));
	close_db(w);
	free(w->aside);
	free(w->options);
	free(w->path);
	free(w);
	return err == -EBUSY ? 0 : err;
}
