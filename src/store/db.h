/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef VMALOCK_STORE_DB_H
#define VMALOCK_STORE_DB_H
/*
 * Private to src/store, the one place that knows SQLite.
 *
 *	db.c		opening, statements, errors, clean text
 *	schema.c	the tables, which docs/recording.md prints; migrations
 *	dict.c		strings, subjects, frames: each once
 *	config.c	host, backend, what is known: what an interval shares with others
 *	shape.c		which rows are kept, and the sum of the rest
 *	put.c		a delta into rows		load*.c	rows into a delta (load.h)
 *	writer.c	recordings and the history	reader.c	both, to read
 *	events.c	what is between intervals	tidy.c	what makes a history smaller
 *	bytes.c		a recording without a file
 *
 * Numbers of 64 bits are stored as they are: over 2^63 they look negative.
 * Functions return negative errno; db_errno() translates what SQLite says.
 */
#include <stdbool.h>
#include <stdint.h>

#include <sqlite3.h>

#include "vmalock/snapshot.h"
#include "vmalock/store.h"

/* ---- db.c */

#define DB_APPLICATION_ID 0x564d414c /* "VMAL" */

/* @path as SQLite takes it: never ":memory:" or a URI. NULL: out of memory; free() it. */
char *db_path(const char *path);
/* Opens @path and makes it safe: no triggers, views or functions of a file are run. Close @ret_h in every case. */
int db_open(const char *path, int flags, sqlite3 **ret_h);
/* The same to read a file that nobody writes meanwhile: no locks, no log, nothing beside it. */
int db_open_still(const char *path, sqlite3 **ret_h);
#define DB_MEMORY ":memory:" /* as @path: no file */
/* What @rc, the result of a call on @h, is as negative errno; 0 for SQLITE_OK, _ROW and _DONE. */
int db_errno(sqlite3 *h, int rc);
int db_exec(sqlite3 *h, const char *sql);
/* The text as of sqlite3_mprintf(). */
__attribute__((format(printf, 3, 4))) int db_prepare(sqlite3 *h, sqlite3_stmt **ret, const char *fmt, ...);
/* The text is that of @s, which is freed. */
int db_prepare_str(sqlite3 *h, sqlite3_stmt **ret, sqlite3_str *s);
/* Runs a statement that has no rows, and makes it ready for the next time. */
int db_run(sqlite3_stmt *st);
/* 1: a row; 0: no more. Negative errno; not reset. */
int db_row(sqlite3_stmt *st);
/* One number; -ENODATA when there is no row, or NULL in it. */
__attribute__((format(printf, 3, 4))) int db_number(sqlite3 *h, int64_t *ret, const char *fmt, ...);

static inline void db_bind(sqlite3_stmt *st, int at, uint64_t v)
{
	sqlite3_bind_int64(st, at, (sqlite3_int64)v);
}
/* @text lives until the statement is run; "" and NULL: NULL */
void db_bind_text(sqlite3_stmt *st, int at, const char *text);
static inline void db_bind_known(sqlite3_stmt *st, int at, bool known, uint64_t v)
{
	if (known)
		sqlite3_bind_int64(st, at, (sqlite3_int64)v);
	else
		sqlite3_bind_null(st, at);
}
static inline uint64_t db_u64(sqlite3_stmt *st, int at)
{
	return (uint64_t)sqlite3_column_int64(st, at);
}
/*
 * A number of at most @max; what is over it, or negative, is damage: -EBADMSG in *@err,
 * which is left as it is otherwise.
 */
uint32_t db_u32(sqlite3_stmt *st, int at, uint32_t max, int *err);
/* The text, clean and no longer than DB_TEXT_MAX, in @a; "" for NULL. NULL: out of memory. */
#define DB_TEXT_MAX 4096
const char *db_text(sqlite3_stmt *st, int at, struct vml_arena *a);

/* ---- schema.c */

/* The tables of rows, by scope: "process", "thread", "vma", "blocker". */
extern const char *const schema_scopes[VML_NSCOPES];
/* The metrics that are columns of the table of @scope; those of VML_PROCESS are also the totals of "interval". */
uint64_t schema_metrics(enum vml_scope scope);
/* Makes all tables in the empty database @h. */
int schema_create(sqlite3 *h);
/*
 * Sees what @h is.  0; -EBADMSG: not ours; -EOPNOTSUPP: of a newer version.  *ret_version is its
 * schema, 0 when the database is empty.
 */
int schema_check(sqlite3 *h, int *ret_version);
/* Those of @metrics that are columns of @table in the file. */
uint64_t schema_has(sqlite3 *h, const char *table, uint64_t metrics);
/* @column, or "NULL" where @table of an older file does not have it. */
const char *schema_or_null(sqlite3 *h, const char *table, const char *column);
/*
 * What the file calls the words @name(0), @name(1), .. of a kind, "reason" or "histogram": numbers
 * into ret[0 .. n - 1], -1 where it does not know the word.
 */
#define SCHEMA_WORDS 64
int schema_words(sqlite3 *h, const char *kind, const char *(*name)(unsigned int), int64_t *ret, unsigned int n);
/* Adds the columns, tables and words that are younger than the file. */
int schema_extend(sqlite3 *h);

/* From schema @from to the next. */
struct schema_step {
	int from;
	const char *sql;
};
/* In one transaction, up to the schema @to. -EBADMSG: there is no way. */
int schema_migrate(sqlite3 *h, const struct schema_step *step, size_t n, int from, int to);
extern const struct schema_step schema_steps[];
extern const size_t schema_nsteps;

/* ---- dict.c: things that many rows refer to by number */

/* Columns of a subject: who or what a row is about. */
enum subject_column {
	SUBJECT_SCOPE,
	SUBJECT_PID,
	SUBJECT_START_NS,
	SUBJECT_EXEC,
	SUBJECT_TID,
	SUBJECT_TID_START_NS,
	SUBJECT_ANCHOR,
	SUBJECT_DOING,
	SUBJECT_WRITE,
	SUBJECT_TARGET_PID,
	SUBJECT_TARGET_START_NS,
	SUBJECT_TARGET_EXEC,
	SUBJECT_NS_PID,
	SUBJECT_UID,
	SUBJECT_START,
	SUBJECT_END,
	SUBJECT_OFFSET,
	SUBJECT_INODE,
	SUBJECT_DEV_MAJOR,
	SUBJECT_DEV_MINOR,
	SUBJECT_TEXTS, /* from here on numbers of strings */
	SUBJECT_COMM = SUBJECT_TEXTS,
	SUBJECT_CGROUP,
	SUBJECT_PERMS,
	SUBJECT_KIND,
	SUBJECT_NAME,
	SUBJECT_CONTEXT,
	SUBJECT_LOCK,
	SUBJECT_TARGET,
	SUBJECT_TARGET_CGROUP,
	SUBJECT_VICTIM_CGROUP,
	SUBJECT_COLUMNS,
};
struct subject_info {
	const char *name, *help;
	int64_t absent; /* the value that is NULL in the file; INT64_MIN: none */
};
extern const struct subject_info subject_info[SUBJECT_COLUMNS];
/* subject.scope; the first ones are the scopes. */
enum { SUBJECT_STALL = VML_NSCOPES, SUBJECT_STACK, SUBJECT_SCOPES };

/*
 * What was written is remembered; what is forgotten is written again.  lastN is an
 * interval of level N that needs the row, directly or through others, and not more than
 * DICT_STALE before the last that does: nobody needs a row when each is more than
 * that before the oldest interval of its level.  Only a history asks.
 */
#define DICT_STALE 64
struct dict {
	void *root;
	size_t n;
	int64_t next; /* number of the next row */
	sqlite3_stmt *insert, *touch[VML_STORE_LEVELS];
};
struct dicts {
	struct dict string, subject, frame, trace;
	sqlite3_stmt *trace_frame;
	int64_t interval; /* that is being written, and its level */
	uint32_t level;
	bool history;
};
int dicts_open(struct dicts *d, sqlite3 *h, bool history);
void dicts_close(struct dicts *d);
/* After a rollback. */
int dicts_forget(struct dicts *d, sqlite3 *h);
/* The same when a lot is remembered. */
int dicts_trim(struct dicts *d, sqlite3 *h);
/* Numbers. */
int dict_row(struct dicts *d, enum vml_scope scope, const struct vml_row *r, int64_t *ret);
/* Who waits, holds or is in a stack: identity, name and what it does. */
int dict_actor(struct dicts *d, int scope, const struct vml_id *id, const char *comm, const char *context,
	       int64_t *ret);
int dict_trace(struct dicts *d, const struct vml_stack *s, int64_t *ret);

/* ---- config.c */

struct config {
	int64_t id; /* 0: none written yet */
	char *text; /* what it says, to compare */
};
/* The number of what @delta shares with others; written when it is not that of the one before. */
int config_put(struct config *c, sqlite3 *h, const struct vml_snapshot *delta, const struct vml_store_options *o,
	       int64_t *ret);
void config_forget(struct config *c);

/* A config as it is read; in the arena of the loader. */
struct config_read {
	int64_t id;
	struct vml_host host;
	const struct vml_caps *caps; /* NULL: not known */
	uint64_t have[VML_NSCOPES];
	bool have_reasons, have_stacks, have_lookups, from_bpf, selected;
	struct vml_loss *loss; /* counts 0 */
	size_t nloss;
	struct vml_lookup *lookup;
	size_t nlookup;
};
int config_read(sqlite3 *h, int64_t id, struct vml_arena *a, struct config_read *ret);

/* ---- shape.c */

struct shape {
	struct vml_arena *arena; /* of the rests */
	const struct vml_row **row[VML_NSCOPES];
	size_t n[VML_NSCOPES];
	const struct vml_stack **stack;
	size_t nstack;
};
/* The rows and stacks of @d to be written, at most @limit a scope with the rest in one (0: all). Free it. */
int shape_make(struct shape *s, const struct vml_snapshot *d, uint32_t limit);
void shape_free(struct shape *s);

/* ---- put.c */

struct put {
	sqlite3_stmt *interval, *row[VML_NSCOPES], *reason, *histogram, *loss, *lookup, *stall, *stack;
	uint64_t metrics[VML_NSCOPES]; /* schema_metrics() */
	int64_t reason_word[SCHEMA_WORDS], hist_word[SCHEMA_WORDS]; /* their numbers in the file */
};
/* What an interval has besides its delta. */
struct put_interval {
	int64_t id, config;
	uint32_t level, parts;
	uint64_t running_ns;
	bool stalls; /* write them, too */
};
int put_open(struct put *p, sqlite3 *h);
void put_close(struct put *p);
int put_delta(struct put *p, struct dicts *d, const struct put_interval *i, const struct vml_snapshot *delta,
	      uint32_t rows);

/* ---- bytes.c */

/* Puts a copy of @bytes, a database, in the place of what @h has. */
int db_set_bytes(sqlite3 *h, const void *bytes, size_t n);

/* ---- loader.c, load.c */

struct loader {
	sqlite3 *h;
	uint64_t metrics[VML_NSCOPES], totals; /* that are columns of the file */
	int64_t reason_word[SCHEMA_WORDS], hist_word[SCHEMA_WORDS]; /* their numbers in the file */
	sqlite3_stmt *interval, *row[VML_NSCOPES], *reason, *histogram, *loss, *lookup, *stall, *stack, *subject,
		*trace;
	struct vml_arena *arena; /* of what is remembered */
	void *subjects;
	size_t nsubjects, most; /* before all are forgotten */
	struct config_read *config;
	size_t nconfigs;
};
/* Remembers up to @most subjects, of 1 KB and more, from delta to delta. */
#define LOADER_MANY 50000 /* who reads one delta after the other, with all rows */
#define LOADER_FEW 2048 /* who rolls up the history from time to time: its intervals have few rows */
int loader_open(struct loader *l, sqlite3 *h, size_t most);
void loader_close(struct loader *l);
/* -ESTALE: there is no such interval. */
int loader_delta(struct loader *l, int64_t interval, struct vml_snapshot **ret);
/* Adds it to @sum; what went wrong is as of loader_delta() and vml_sum_add(). */
int loader_add(struct loader *l, int64_t interval, struct vml_sum *sum);

/* ---- events.c */

/* When something was observed. */
struct stamp {
	uint64_t real_ns, boot_ns;
	uint64_t slept_ns; /* CLOCK_BOOTTIME less CLOCK_MONOTONIC */
	char boot_id[64];
	bool known;
};
/* For slept_ns, now. */
uint64_t stamp_slept(void);
/* What lies between the end of one interval and the next, which is @interval_ns long. Returns how many, at most 4. */
#define STAMP_EVENTS 4
size_t stamp_compare(const struct stamp *prev, const struct stamp *next, uint64_t interval_ns,
		     struct vml_event ret[STAMP_EVENTS]);
int event_put(sqlite3 *h, int64_t interval, const struct vml_event *e);

/* ---- writer.c */

struct vml_store {
	sqlite3 *h;
	char *path;
	int lock; /* of the file: nobody else may write */
	bool history;
	struct vml_store_options o;
	char *options;
	struct dicts dicts;
	struct config config;
	struct put put;
	struct loader loader; /* the history's, for roll-up */
	struct stamp last; /* end of the last interval */
	uint64_t running_ns; /* of the last interval: time the host ran while there was a history */
	int64_t next; /* number of the next interval */
	bool started; /* the event was written */
	uint64_t missed; /* intervals lost since the last one that was written */
	unsigned int missed_cause;
	char *aside; /* name of the damaged file, until its event was written */
	int64_t sweep; /* tidy.c: where the search for what nobody refers to goes on */
	unsigned int sweeping;
	bool swept; /* it went through everything since something was deleted for the size */
	uint32_t tidied; /* calls */
	int wal_pages;
	struct vml_store_stats stats;
};
/* Without a file: in memory, once store_fill() made the tables. NULL: out of memory. */
struct vml_store *store_new(const char *path, const struct vml_store_options *o);
int store_fill(struct vml_store *w);
int store_begin(struct vml_store *w);
/* Commits, or rolls back and forgets what was not written when @err. */
int store_end(struct vml_store *w, int err);
/*
 * The damaged file and its journal get another name, for whoever wants to look at them; it is
 * closed, and the next append begins a new one.
 */
int store_set_aside(struct vml_store *w);
/* Copies the file to PATH.schema-FROM, migrates it by the @n steps, and writes the event. */
int store_migrate(struct vml_store *w, const struct schema_step *step, size_t n, int from, int to);
/* Size and age of the file into w->stats. */
int store_measure(struct vml_store *w);

#endif
