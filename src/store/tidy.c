/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Each slice is a transaction of its own: intervals become one of the next level and are
 * gone in the same instant, so nothing is counted twice whenever it is killed.  What a
 * slice touches is bounded, whatever has piled up.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "db.h"
#include "vmalock/base.h"

#define MEMBERS_MAX 64 /* intervals that a slice makes one of, or deletes */
#define STALLS_KEPT 16 /* of an interval that was rolled up: the longest */
#define SWEEP_ROWS 8000
#define SWEEP_EVERY 16 /* calls */
#define WAL_PAGES 500
#define FREE_PAGES 256

struct member {
	int64_t id, config;
	uint64_t real_ns, interval_ns, running_ns;
	uint32_t level, parts;
};

static const char *const tables[] = { "process",   "thread", "vma",    "blocker", "reason",
				      "histogram", "loss",   "lookup", "stack" };

static int run(struct vml_store *w, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static int run(struct vml_store *w, const char *fmt, ...)
{
	va_list ap;
	char *sql;
	int err;

	va_start(ap, fmt);
	sql = sqlite3_vmprintf(fmt, ap);
	va_end(ap);
	err = sql ? db_exec(w->h, sql) : -ENOMEM;
	sqlite3_free(sql);
	return err;
}

/* The intervals from @from on, at most @max. Returns how many. */
static int read_members(struct vml_store *w, int64_t from, struct member *ret, int max)
{
	sqlite3_stmt *st = NULL;
	int n = 0, err = db_prepare(w->h, &st,
				    "SELECT id, config, real_ns, interval_ns, running_ns, level, parts FROM interval "
				    "WHERE id >= %lld ORDER BY id LIMIT %d",
				    (long long)from, max);

	while (!err && (err = db_row(st)) == 1) {
		ret[n++] = (struct member){ .id = sqlite3_column_int64(st, 0),
					    .config = sqlite3_column_int64(st, 1),
					    .real_ns = db_u64(st, 2),
					    .interval_ns = db_u64(st, 3),
					    .running_ns = db_u64(st, 4),
					    .level = (uint32_t)db_u64(st, 5),
					    .parts = (uint32_t)db_u64(st, 6) };
		err = 0;
	}
	sqlite3_finalize(st);
	return err ? err : n;
}

static int delete_rows(struct vml_store *w, int64_t first, int64_t last)
{
	size_t i;
	int err = 0;

	for (i = 0; i < VML_ARRAY_SIZE(tables) && !err; i++)
		err = run(w, "DELETE FROM %s WHERE interval BETWEEN %lld AND %lld", tables[i], (long long)first,
			  (long long)last);
	return err ? err
		   : run(w, "DELETE FROM interval WHERE id BETWEEN %lld AND %lld", (long long)first, (long long)last);
}

/* ---- rolling up */

static int add_members(struct vml_store *w, const struct member *m, int n, struct vml_snapshot **ret)
{
	struct vml_sum *sum = vml_sum_new();
	int i, err = sum ? 0 : -ENOMEM;

	for (i = 0; i < n && !err; i++)
		err = loader_add(&w->loader, m[i].id, sum);
	if (!err)
		return vml_sum_end(sum, ret);
	vml_sum_free(sum);
	return err;
}

/* Stalls are of an instant: they stay what they were, and move to the interval that has it now. */
static int move_stalls(struct vml_store *w, int64_t first, int64_t last, uint32_t level)
{
	static const char who[] = "SELECT subject FROM stall WHERE interval = %lld UNION "
				  "SELECT holder FROM stall WHERE interval = %lld";
	long long at = last;
	char *subjects;
	int err = run(w, "UPDATE stall SET interval = %lld WHERE interval BETWEEN %lld AND %lld", at, (long long)first,
		      at);

	if (!err)
		err = run(w,
			  "DELETE FROM stall WHERE interval = %lld AND (boot_ns, position) NOT IN (SELECT boot_ns, "
			  "position FROM stall WHERE interval = %lld ORDER BY wait_ns DESC LIMIT %d)",
			  at, at, STALLS_KEPT);
	if (err)
		return err;
	subjects = sqlite3_mprintf(who, at, at);
	if (!subjects)
		return -ENOMEM;
	err = run(w, "UPDATE subject SET last%u = %lld WHERE id IN (%s)", level, at, subjects);
	if (!err)
		err = run(
			w,
			"UPDATE string SET last%u = %lld WHERE id IN (SELECT comm FROM subject WHERE id IN (%s) UNION "
			"SELECT context FROM subject WHERE id IN (%s))",
			level, at, subjects, subjects);
	sqlite3_free(subjects);
	return err;
}

static int replace(struct vml_store *w, const struct member *m, int n, uint32_t level, const struct vml_snapshot *sum)
{
	const struct member *last = &m[n - 1];
	struct put_interval i = {
		.id = last->id, .config = last->config, .level = level, .running_ns = last->running_ns
	};
	int k, err = delete_rows(w, m[0].id, last->id);

	for (k = 0; k < n; k++)
		i.parts += m[k].parts;
	if (!err)
		err = put_delta(&w->put, &w->dicts, &i, sum, w->o.rows);
	if (!err)
		err = move_stalls(w, m[0].id, last->id, level);
	return err ? err
		   : run(w, "UPDATE event SET interval = %lld WHERE interval BETWEEN %lld AND %lld",
			 (long long)last->id, (long long)m[0].id, (long long)last->id);
}

static uint64_t slot(const struct member *m, uint64_t step_ns)
{
	return (m->real_ns - 1) / step_ns;
}

/*
 * How many of the @n intervals make one of the next level: those in the same slot of
 * UTC, of one config, and no longer together than a step (the clock may have been set back).
 */
static int group(const struct member *m, int n, uint64_t step_ns)
{
	uint64_t ns = m[0].interval_ns;
	int i;

	for (i = 1; i < n; i++) {
		ns += m[i].interval_ns;
		if (m[i].level != m[0].level || m[i].config != m[0].config ||
		    slot(&m[i], step_ns) != slot(&m[0], step_ns) || ns > step_ns + step_ns / 2)
			break;
	}
	return i;
}

static int roll_up(struct vml_store *w, int64_t from, uint32_t level)
{
	struct member m[MEMBERS_MAX + 1];
	struct vml_snapshot *sum;
	int n = read_members(w, from, m, MEMBERS_MAX + 1), err;
	bool more;

	if (n <= 0)
		return n;
	n = group(m, n, w->o.level[level + 1].step_ns);
	more = n > MEMBERS_MAX; /* the slot goes on: what is made now is a member again */
	if (more)
		n = MEMBERS_MAX;
	err = add_members(w, m, n, &sum);
	if (err)
		return err;
	err = store_begin(w);
	if (!err)
		err = store_end(w, replace(w, m, n, more ? level : level + 1, sum));
	vml_snapshot_free(sum);
	return err;
}

/* The oldest interval of @level, and how old it is. -ENODATA */
static int oldest(struct vml_store *w, uint32_t level, int64_t *ret_id, uint64_t *ret_age)
{
	int64_t running = 0;
	int err = db_number(w->h, ret_id, "SELECT id FROM interval WHERE level = %u ORDER BY id LIMIT 1", level);

	if (!err)
		err = db_number(w->h, &running, "SELECT running_ns FROM interval WHERE id = %lld", (long long)*ret_id);
	*ret_age = w->running_ns > (uint64_t)running ? w->running_ns - (uint64_t)running : 0;
	return err;
}

/* 1: something was rolled up */
static int roll_up_oldest(struct vml_store *w)
{
	uint32_t level;

	for (level = 0; level + 1 < VML_STORE_LEVELS; level++) {
		const struct vml_store_level *l = &w->o.level[level];
		uint64_t age;
		int64_t id;
		int err = oldest(w, level, &id, &age);

		if (err == -ENODATA || (!err && age <= l->keep_ns + l[1].step_ns))
			continue;
		if (!err)
			err = roll_up(w, id, level);
		return err ? err : 1;
	}
	return 0;
}

/* ---- deleting */

static int delete_oldest(struct vml_store *w, const struct member *m, int n)
{
	int err = delete_rows(w, m[0].id, m[n - 1].id);

	if (!err)
		err = run(w, "DELETE FROM stall WHERE interval <= %lld", (long long)m[n - 1].id);
	return err ? err
		   : run(w, "DELETE FROM event WHERE interval <= %lld AND kind <> 'trimmed'", (long long)m[n - 1].id);
}

/* One event says how much was ever deleted before its time. */
static int put_trimmed(struct vml_store *w, uint64_t ns)
{
	const struct vml_event e = {
		.kind = VML_EVENT_TRIMMED, .real_ns = w->last.real_ns, .boot_ns = w->last.boot_ns, .ns = (int64_t)ns
	};
	int err = run(w,
		      "UPDATE event SET interval = %lld, real_ns = %lld, boot_ns = %lld, ns = ns + %lld "
		      "WHERE kind = 'trimmed'",
		      (long long)(w->next - 1), (long long)e.real_ns, (long long)e.boot_ns, (long long)ns);

	return err || sqlite3_changes(w->h) ? err : event_put(w->h, w->next - 1, &e);
}

static int trim(struct vml_store *w, struct member *m, int n)
{
	uint64_t ns = 0;
	int i, err = delete_oldest(w, m, n);

	for (i = 0; i < n; i++)
		ns += m[i].interval_ns;
	return err ? err : put_trimmed(w, ns);
}

/* 1: something was too old and is gone. */
static int delete_old(struct vml_store *w)
{
	const uint64_t keep_ns = w->o.level[VML_STORE_LEVELS - 1].keep_ns;
	struct member m[MEMBERS_MAX];
	int n = read_members(w, 0, m, MEMBERS_MAX), old = 0, err;

	if (n <= 0)
		return n;
	while (old < n && w->running_ns > m[old].running_ns + keep_ns)
		old++;
	if (!old)
		return 0;
	err = store_begin(w);
	if (!err)
		err = store_end(w, delete_oldest(w, m, old));
	return err ? err : 1;
}

/* ---- what nobody refers to any more */

static const char *const dictionaries[] = { "subject", "trace", "frame", "string" };

/* What is true of a row of a dictionary that no interval needs. -ENODATA: there are no intervals. */
static int unneeded(struct vml_store *w, char *buf, size_t n)
{
	size_t len = 0;
	int level, err = -ENODATA;

	for (level = 0; level < VML_STORE_LEVELS; level++) {
		int64_t first = INT64_MAX;
		int got = db_number(w->h, &first, "SELECT min(id) FROM interval WHERE level = %d", level);

		if (got && got != -ENODATA)
			return got;
		err = got ? err : 0;
		sqlite3_snprintf((int)(n - len), buf + len, "%s(last%d IS NULL OR last%d < %lld)", level ? " AND " : "",
				 level, level, (long long)(got ? INT64_MAX : first - DICT_STALE));
		len = strlen(buf);
	}
	return err;
}

static int sweep_configs(struct vml_store *w)
{
	return run(w, "DELETE FROM config WHERE id < (SELECT config FROM interval ORDER BY id LIMIT 1); "
		      "DELETE FROM known WHERE config < (SELECT min(id) FROM config); "
		      "DELETE FROM capability WHERE config < (SELECT min(id) FROM config); "
		      "DELETE FROM cause WHERE config < (SELECT min(id) FROM config); "
		      "DELETE FROM caller WHERE config < (SELECT min(id) FROM config)");
}

/* The next stretch of one dictionary. */
static int sweep(struct vml_store *w)
{
	const char *table = dictionaries[w->sweeping];
	int64_t top = 0, end = w->sweep + SWEEP_ROWS;
	char what[256];
	int err = unneeded(w, what, sizeof(what));

	if (!err)
		err = db_number(w->h, &top, "SELECT coalesce(max(id), 0) FROM %s", table);
	if (err)
		return err == -ENODATA ? 0 : err;
	if (!strcmp(table, "trace"))
		err = run(w,
			  "DELETE FROM trace_frame WHERE trace IN "
			  "(SELECT id FROM trace WHERE id > %lld AND id <= %lld AND %s)",
			  (long long)w->sweep, (long long)end, what);
	if (!err)
		err = run(w, "DELETE FROM %s WHERE id > %lld AND id <= %lld AND %s", table, (long long)w->sweep,
			  (long long)end, what);
	if (err)
		return err;
	w->sweep = end;
	if (end < top)
		return 0;
	w->sweep = 0;
	w->sweeping = (w->sweeping + 1) % VML_ARRAY_SIZE(dictionaries);
	if (w->sweeping)
		return 0;
	w->swept = true;
	return sweep_configs(w);
}

static int sweep_some(struct vml_store *w)
{
	int err = store_begin(w);

	return err ? err : store_end(w, sweep(w));
}

/* 1: the file was too large; something was deleted, the oldest interval only when there is nothing useless. */
static int delete_much(struct vml_store *w)
{
	struct member m[8 + 1];
	int n, err = store_measure(w);

	if (err || w->stats.bytes <= w->o.max_bytes)
		return err;
	if (!w->swept) {
		err = sweep_some(w);
		return err ? err : 1;
	}
	n = read_members(w, 0, m, VML_ARRAY_SIZE(m));
	if (n <= 1) /* the last is kept: what follows is compared with it */
		return n < 0 ? n : 0;
	err = store_begin(w);
	if (!err)
		err = store_end(w, trim(w, m, n - 1));
	w->swept = false;
	return err ? err : 1;
}

/* ---- pages */

static int return_pages(struct vml_store *w)
{
	int64_t pages = 0, size = 0, free_pages = 0;
	int err = db_number(w->h, &pages, "PRAGMA page_count");

	if (!err)
		err = db_number(w->h, &size, "PRAGMA page_size");
	if (!err)
		err = db_number(w->h, &free_pages, "PRAGMA freelist_count");
	if (err || free_pages < FREE_PAGES || (uint64_t)(pages * size) <= w->o.max_bytes)
		return err;
	return run(w, "PRAGMA incremental_vacuum(%d)", FREE_PAGES);
}

/* A reader may be in the way; then it is done the next time. */
static int checkpoint(struct vml_store *w)
{
	int rc;

	if (w->wal_pages < WAL_PAGES)
		return 0;
	rc = sqlite3_wal_checkpoint_v2(w->h, NULL, SQLITE_CHECKPOINT_PASSIVE, NULL, NULL);
	w->wal_pages = 0;
	return rc == SQLITE_BUSY ? 0 : db_errno(w->h, rc);
}

int vml_history_tidy(struct vml_store *w, uint64_t budget_ns)
{
	uint64_t end = vml_now_mono() + budget_ns;
	int err = 1, more;

	if (!w->history || !w->h)
		return 0;
	while (err == 1) {
		err = roll_up_oldest(w);
		if (!err)
			err = delete_old(w);
		if (!err)
			err = delete_much(w);
		if (err == 1 && vml_now_mono() >= end)
			break;
	}
	more = err;
	if (err >= 0)
		err = w->tidied++ % SWEEP_EVERY ? 0 : sweep_some(w);
	if (!err)
		err = return_pages(w);
	if (!err)
		err = checkpoint(w);
	if (err == -EBADMSG)
		store_set_aside(w);
	return err ? err : more;
}
