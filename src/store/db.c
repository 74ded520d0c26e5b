/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "db.h"
#include "vmalock/base.h"

#define BUSY_MS 1000

char *db_path(const char *path)
{
	char *copy;

	if (*path == '/')
		return strdup(path);
	copy = malloc(strlen(path) + 3);
	if (!copy)
		return NULL;
	memcpy(copy, "./", 2);
	strcpy(copy + 2, path);
	return copy;
}

/* What a file says is run by nobody; larger values than ours are not read. */
static int make_safe(sqlite3 *h)
{
	static const int off[] = { SQLITE_DBCONFIG_ENABLE_TRIGGER, SQLITE_DBCONFIG_ENABLE_VIEW,
				   SQLITE_DBCONFIG_TRUSTED_SCHEMA, SQLITE_DBCONFIG_DQS_DML,
				   SQLITE_DBCONFIG_ENABLE_LOAD_EXTENSION };
	size_t i;

	for (i = 0; i < VML_ARRAY_SIZE(off); i++)
		sqlite3_db_config(h, off[i], 0, NULL);
	sqlite3_db_config(h, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
	sqlite3_limit(h, SQLITE_LIMIT_LENGTH, 1 << 20);
	sqlite3_limit(h, SQLITE_LIMIT_ATTACHED, 0);
	sqlite3_limit(h, SQLITE_LIMIT_WORKER_THREADS, 0);
	sqlite3_busy_timeout(h, BUSY_MS);
	return db_exec(h, "PRAGMA cell_size_check = ON; PRAGMA mmap_size = 0; PRAGMA temp_store = MEMORY");
}

int db_open(const char *path, int flags, sqlite3 **ret_h)
{
	int rc = sqlite3_open_v2(path, ret_h, flags | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_PRIVATECACHE, NULL);

	if (rc)
		return db_errno(*ret_h, rc);
	sqlite3_extended_result_codes(*ret_h, 1);
	return make_safe(*ret_h);
}

int db_open_still(const char *path, sqlite3 **ret_h)
{
	sqlite3_str *uri = sqlite3_str_new(NULL);
	char *text;
	int err;

	sqlite3_str_appendall(uri, "file:");
	for (; *path; path++) {
		if (strchr("%?#", *path))
			sqlite3_str_appendf(uri, "%%%02x", (unsigned char)*path);
		else
			sqlite3_str_appendchar(uri, 1, *path);
	}
	sqlite3_str_appendall(uri, "?immutable=1");
	text = sqlite3_str_finish(uri);
	err = text ? db_open(text, SQLITE_OPEN_READONLY | SQLITE_OPEN_URI, ret_h) : -ENOMEM;
	sqlite3_free(text);
	return err;
}

static int system_errno(sqlite3 *h, int otherwise)
{
	int err = h ? sqlite3_system_errno(h) : 0;

	return err == EDQUOT ? -ENOSPC : err ? -err : otherwise;
}

int db_errno(sqlite3 *h, int rc)
{
	switch (rc & 0xff) {
	case SQLITE_OK:
	case SQLITE_ROW:
	case SQLITE_DONE:
		return 0;
	case SQLITE_FULL:
		return -ENOSPC;
	case SQLITE_NOMEM:
		return -ENOMEM;
	case SQLITE_BUSY:
	case SQLITE_LOCKED:
		return -EBUSY;
	case SQLITE_CORRUPT:
	case SQLITE_NOTADB:
	case SQLITE_ERROR: /* no such table, no such column: not our schema */
	case SQLITE_TOOBIG:
		return -EBADMSG;
	case SQLITE_READONLY:
		return -EROFS;
	case SQLITE_PERM:
	case SQLITE_AUTH:
		return -EACCES;
	case SQLITE_CANTOPEN:
		return system_errno(h, -ENOENT);
	case SQLITE_IOERR:
		return rc == SQLITE_IOERR_SHORT_READ ? -EBADMSG : system_errno(h, -EIO);
	default:
		return -EINVAL;
	}
}

int db_exec(sqlite3 *h, const char *sql)
{
	return db_errno(h, sqlite3_exec(h, sql, NULL, NULL, NULL));
}

static int prepare(sqlite3 *h, sqlite3_stmt **ret, unsigned int flags, const char *fmt, va_list ap)
{
	char *sql = sqlite3_vmprintf(fmt, ap);
	int rc;

	if (!sql)
		return -ENOMEM;
	rc = sqlite3_prepare_v3(h, sql, -1, flags, ret, NULL);
	sqlite3_free(sql);
	return db_errno(h, rc);
}

int db_prepare(sqlite3 *h, sqlite3_stmt **ret, const char *fmt, ...)
{
	va_list ap;
	int err;

	va_start(ap, fmt);
	err = prepare(h, ret, SQLITE_PREPARE_PERSISTENT, fmt, ap);
	va_end(ap);
	return err;
}

int db_prepare_str(sqlite3 *h, sqlite3_stmt **ret, sqlite3_str *s)
{
	char *sql = sqlite3_str_finish(s);
	int err = sql ? db_prepare(h, ret, "%s", sql) : -ENOMEM;

	sqlite3_free(sql);
	return err;
}

int db_run(sqlite3_stmt *st)
{
	sqlite3_step(st);
	return db_errno(sqlite3_db_handle(st), sqlite3_reset(st));
}

int db_row(sqlite3_stmt *st)
{
	int rc = sqlite3_step(st);

	return rc == SQLITE_ROW ? 1 : db_errno(sqlite3_db_handle(st), rc);
}

int db_number(sqlite3 *h, int64_t *ret, const char *fmt, ...)
{
	sqlite3_stmt *st = NULL;
	va_list ap;
	int err;

	va_start(ap, fmt);
	err = prepare(h, &st, 0, fmt, ap);
	va_end(ap);
	if (!err)
		err = db_row(st);
	if (err == 1 && sqlite3_column_type(st, 0) != SQLITE_NULL) {
		*ret = sqlite3_column_int64(st, 0);
		err = 0;
	} else if (err >= 0) {
		err = -ENODATA;
	}
	sqlite3_finalize(st);
	return err;
}

void db_bind_text(sqlite3_stmt *st, int at, const char *text)
{
	if (text && *text)
		sqlite3_bind_text(st, at, text, -1, SQLITE_STATIC);
	else
		sqlite3_bind_null(st, at);
}

uint32_t db_u32(sqlite3_stmt *st, int at, uint32_t max, int *err)
{
	sqlite3_int64 v = sqlite3_column_int64(st, at);

	if (v >= 0 && v <= max)
		return (uint32_t)v;
	*err = -EBADMSG;
	return 0;
}

const char *db_text(sqlite3_stmt *st, int at, struct vml_arena *a)
{
	const char *text = (const char *)sqlite3_column_text(st, at);
	char cut[DB_TEXT_MAX + 1], cleaned[4 * DB_TEXT_MAX + 1];
	size_t len;

	if (!text)
		return sqlite3_column_type(st, at) == SQLITE_NULL ? "" : NULL;
	len = strnlen(text, (size_t)sqlite3_column_bytes(st, at));
	if (len > DB_TEXT_MAX)
		len = DB_TEXT_MAX;
	memcpy(cut, text, len);
	cut[len] = '\0';
	/* what was cleaned has backslashes of its own, which stay */
	if (vml_text_is_clean(cut))
		return vml_arena_copy(a, cut, len + 1);
	vml_text_clean(cleaned, sizeof(cleaned), text, len);
	return vml_arena_strdup(a, cleaned);
}
