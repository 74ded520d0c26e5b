/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The tables, with their comments, which stay in the file: ".schema" in the sqlite3
 * shell explains it.  Columns of metrics come from the table of metrics.
 */
#include <errno.h>
#include <linux/types.h>
#include <string.h>

#include "db.h"
#include "vmalock/base.h"
#include "vmalock/hist.h"

const char *const schema_scopes[VML_NSCOPES] = { "process", "thread", "vma", "blocker" };

static uint64_t of_columns(enum vml_scope scope)
{
	uint64_t metrics = 0;
	int m;

	for (m = 0; m < VML_NMETRICS; m++)
		if (vml_column_find(scope, vml_metric_info(m)->key))
			metrics |= VML_METRIC_BIT(m);
	return metrics;
}

/* A source may know more of an area than its table shows: what threads have, too. */
uint64_t schema_metrics(enum vml_scope scope)
{
	uint64_t metrics = of_columns(scope);

	return scope == VML_VMA ? metrics | of_columns(VML_THREAD) : metrics;
}

/* ---- tables */

#define INFO                                                                                                   \
	"CREATE TABLE IF NOT EXISTS info ( -- texts about the whole file\n"                                    \
	"  name TEXT PRIMARY KEY, -- doctor: what vmalock doctor --json said, of a file of vmalock snapshot\n" \
	"  text TEXT NOT NULL\n"                                                                               \
	") STRICT, WITHOUT ROWID;\n"

static const char head[] =
	"CREATE TABLE config ( -- what intervals share: host, program, what can be seen\n"
	"  id INTEGER PRIMARY KEY,\n"
	"  version TEXT NOT NULL, -- of the program that wrote it\n"
	"  options TEXT, -- its command line\n"
	"  \"rows\" INTEGER NOT NULL, -- most rows a scope in an interval, the others are in one '(rest)'; 0: all\n"
	"  host TEXT, boot_id TEXT, machine TEXT, kernel TEXT, cpus INTEGER, page_size INTEGER, max_mappings INTEGER,\n"
	"  backend TEXT, detail TEXT, -- NULL: not known\n"
	"  selected INTEGER NOT NULL, -- 1: of some processes only\n"
	"  reasons INTEGER NOT NULL, -- 1: reasons are known\n"
	"  stacks INTEGER NOT NULL, -- 1: stacks of holders are taken\n"
	"  lookups INTEGER NOT NULL, -- 1: lookups by caller are known\n"
	"  bpf INTEGER NOT NULL -- 1: what interval says of the BPF programs is known\n"
	") STRICT;\n"
	"CREATE TABLE known ( -- metrics that can be seen; the columns of others are NULL\n"
	"  config INTEGER NOT NULL,\n"
	"  scope TEXT NOT NULL, -- process (also of totals), thread, vma, blocker\n"
	"  metric TEXT NOT NULL,\n"
	"  PRIMARY KEY (config, scope, metric)\n"
	") STRICT, WITHOUT ROWID;\n"
	"CREATE TABLE capability ( -- what vmalock doctor says\n"
	"  config INTEGER NOT NULL, position INTEGER NOT NULL,\n"
	"  name TEXT, state INTEGER NOT NULL, -- 0: not there, 1: there, 2: could not be tried\n"
	"  how TEXT, what TEXT, lost TEXT, get TEXT,\n"
	"  PRIMARY KEY (config, position)\n"
	") STRICT, WITHOUT ROWID;\n"
	"CREATE TABLE cause ( -- of losses\n"
	"  config INTEGER NOT NULL, position INTEGER NOT NULL,\n"
	"  name TEXT, help TEXT,\n"
	"  PRIMARY KEY (config, position)\n"
	") STRICT, WITHOUT ROWID;\n"
	"CREATE TABLE caller ( -- who looks VMAs up\n"
	"  config INTEGER NOT NULL, position INTEGER NOT NULL,\n"
	"  name TEXT,\n"
	"  PRIMARY KEY (config, position)\n"
	") STRICT, WITHOUT ROWID;\n"
	"CREATE TABLE word ( -- what the numbers in reason and histogram mean\n"
	"  kind TEXT NOT NULL, -- reason, histogram\n"
	"  id INTEGER NOT NULL,\n"
	"  name TEXT NOT NULL,\n"
	"  PRIMARY KEY (kind, id)\n"
	") STRICT, WITHOUT ROWID;\n"
	"CREATE TABLE bound ( -- of buckets: bucket k has durations over that of k - 1 up to upper_ns\n"
	"  k INTEGER PRIMARY KEY, -- upper_ns is 2^(k/4) s\n"
	"  upper_ns REAL -- NULL: no bound\n"
	") STRICT;\n"
	"CREATE TABLE string ( -- each text once\n"
	"  id INTEGER PRIMARY KEY,\n"
	"  last0 INTEGER, last1 INTEGER, last2 INTEGER, -- intervals by level that need it; so in the tables below\n"
	"  text TEXT NOT NULL -- control characters as \\xNN, a backslash as \\\\\n"
	") STRICT;\n";

static const char middle[] =
	"CREATE TABLE frame ( -- an entry of a stack\n"
	"  id INTEGER PRIMARY KEY, last0 INTEGER, last1 INTEGER, last2 INTEGER,\n"
	"  state INTEGER NOT NULL, -- 0: unknown, 1: its process had ended, 2: file and offset, 3: function\n"
	"  kernel INTEGER NOT NULL, -- 1: of the kernel\n"
	"  \"offset\" INTEGER NOT NULL, -- in the function, or in the file\n"
	"  function INTEGER, file INTEGER, build_id INTEGER -- strings\n"
	") STRICT;\n"
	"CREATE TABLE trace ( -- the frames of a stack\n"
	"  id INTEGER PRIMARY KEY, last0 INTEGER, last1 INTEGER, last2 INTEGER,\n"
	"  kernel_frames INTEGER NOT NULL -- of the kernel, the first ones\n"
	") STRICT;\n"
	"CREATE TABLE trace_frame (\n"
	"  trace INTEGER NOT NULL,\n"
	"  depth INTEGER NOT NULL, -- 0: the innermost\n"
	"  frame INTEGER NOT NULL,\n"
	"  PRIMARY KEY (trace, depth)\n"
	") STRICT, WITHOUT ROWID;\n"
	"CREATE TABLE interval ( -- counts are the changes within it\n"
	"  id INTEGER PRIMARY KEY, -- rises with time\n"
	"  config INTEGER NOT NULL,\n"
	"  level INTEGER NOT NULL, -- 0: as written; higher: rolled up\n"
	"  parts INTEGER NOT NULL, -- intervals that it was made of\n"
	"  real_ns INTEGER NOT NULL, -- its end, UTC, since 1970\n"
	"  boot_ns INTEGER NOT NULL, -- its end since boot, with suspend\n"
	"  interval_ns INTEGER NOT NULL, -- time observed\n"
	"  running_ns INTEGER NOT NULL, -- its end on a clock that only runs while the host does: age is told by it\n"
	"  cpu_ns INTEGER, -- of the program itself, as the next ones\n"
	"  rss_bytes INTEGER, map_bytes INTEGER,\n"
	"  bpf_runs INTEGER, -- events that the BPF programs handled\n"
	"  foreign_mmap_locks INTEGER, -- taken on other processes; not 0 is a bug\n"
	"  ledger_error_ns INTEGER, -- waits less what was charged for them; not 0 is a bug\n"
	"  process_maps_read INTEGER, -- times that /proc/PID/maps was read\n"
	"  bpf_calibrations INTEGER, -- times it was measured what a run costs\n"
	"  evicted_rows INTEGER, -- of areas and blockers that made room for others; NULL: not known\n"
	"  map_limit_bytes INTEGER, -- what the maps may take\n"
	"  bpf_cost_ns INTEGER, bpf_hot_ns INTEGER, bpf_full_ns INTEGER, -- CPU time of the BPF programs, estimated\n"
	"  duty_attached_ns INTEGER, duty_of_ns INTEGER, -- hooks on faults: attached for so long of so long; NULL: always\n"
	"  duty_step INTEGER, -- 0: always, 1: one half, .. 5: never\n"
	"  extrapolated_faults INTEGER, borrowed_faults INTEGER, held_faults INTEGER, unknown_faults INTEGER,\n"
	"  vma_lock_success INTEGER, vma_lock_abort INTEGER, -- the kernel's own counters in /proc/vmstat, of everybody's\n"
	"  vma_lock_retry INTEGER, vma_lock_miss INTEGER, -- lookups; NULL: it has none\n"
	"  -- totals of all processes, also of those without a row\n";

static const char tail[] =
	"CREATE TABLE reason ( -- why faults took mmap_lock\n"
	"  interval INTEGER NOT NULL,\n"
	"  subject INTEGER NOT NULL, -- 0: all processes\n"
	"  reason INTEGER NOT NULL, -- a word\n"
	"  exact INTEGER NOT NULL, -- 0: inferred\n"
	"  count INTEGER NOT NULL,\n"
	"  PRIMARY KEY (interval, subject, reason, exact)\n"
	") STRICT, WITHOUT ROWID;\n"
	"CREATE TABLE histogram ( -- how long things took\n"
	"  interval INTEGER NOT NULL,\n"
	"  subject INTEGER NOT NULL, -- 0: all processes\n"
	"  histogram INTEGER NOT NULL, -- a word\n"
	"  sum_ns INTEGER NOT NULL,\n"
	"  max_ns INTEGER, -- NULL: not known exactly\n"
	"  buckets TEXT NOT NULL, -- [[k,count],...]: k as in bound\n"
	"  PRIMARY KEY (interval, subject, histogram)\n"
	") STRICT, WITHOUT ROWID;\n"
	"CREATE TABLE loss ( -- what was lost; causes without a row: nothing\n"
	"  interval INTEGER NOT NULL,\n"
	"  cause INTEGER NOT NULL, -- position in cause\n"
	"  count INTEGER NOT NULL,\n"
	"  PRIMARY KEY (interval, cause)\n"
	") STRICT, WITHOUT ROWID;\n"
	"CREATE TABLE lookup ( -- of VMAs; callers without a row: none\n"
	"  interval INTEGER NOT NULL,\n"
	"  caller INTEGER NOT NULL, -- position in caller\n"
	"  lookups INTEGER NOT NULL, aborts INTEGER NOT NULL, misses INTEGER NOT NULL,\n"
	"  PRIMARY KEY (interval, caller)\n"
	") STRICT, WITHOUT ROWID;\n"
	"CREATE TABLE stall ( -- threads that had been waiting for mmap_lock for long, and waited on\n"
	"  interval INTEGER NOT NULL,\n"
	"  boot_ns INTEGER NOT NULL, -- when they were seen\n"
	"  position INTEGER NOT NULL,\n"
	"  subject INTEGER NOT NULL, -- who waits\n"
	"  write INTEGER NOT NULL, -- 1: to write\n"
	"  wait_ns INTEGER NOT NULL, -- so far\n"
	"  target_pid INTEGER NOT NULL, target_start_ns INTEGER NOT NULL, target_exec INTEGER NOT NULL, -- whose lock\n"
	"  holder INTEGER, -- subject; NULL: nobody was seen to hold it\n"
	"  state TEXT, -- of the holder: running, runnable, sleeping, blocked\n"
	"  hold_ns INTEGER NOT NULL, -- so far\n"
	"  waiters INTEGER NOT NULL, -- threads that waited for this lock for as long\n"
	"  writers INTEGER, -- of them: to write; NULL: not known\n"
	"  other_ns INTEGER, -- the longest wait in the other mode than this one; 0: nobody's; NULL: not known\n"
	"  PRIMARY KEY (interval, boot_ns, position)\n"
	") STRICT, WITHOUT ROWID;\n"
	"CREATE TABLE stack ( -- code that held mmap_lock while others waited\n"
	"  interval INTEGER NOT NULL,\n"
	"  subject INTEGER NOT NULL, -- who held\n"
	"  \"key\" INTEGER NOT NULL, -- tells stacks of one subject apart\n"
	"  trace INTEGER NOT NULL,\n"
	"  holds INTEGER NOT NULL, hold_ns INTEGER NOT NULL, blamed_ns INTEGER NOT NULL,\n"
	"  max_ns INTEGER, -- longest hold; NULL: not known\n"
	"  PRIMARY KEY (interval, subject, \"key\", trace)\n"
	") STRICT, WITHOUT ROWID;\n"
	"CREATE TABLE event ( -- what lies between intervals\n"
	"  id INTEGER PRIMARY KEY,\n"
	"  interval INTEGER NOT NULL, -- at the end of which it was noticed\n"
	"  kind TEXT NOT NULL, -- start, gap, reboot, suspend, clock_step, set_aside, migrated, trimmed\n"
	"  real_ns INTEGER NOT NULL, boot_ns INTEGER NOT NULL,\n"
	"  ns INTEGER NOT NULL, -- how long, how far\n"
	"  text TEXT\n"
	") STRICT;\n"
	"CREATE INDEX interval_level ON interval(level, id);\n";

/* For people: nothing of ours reads them. */
static const char views[] =
	"CREATE VIEW time AS -- of intervals\n"
	"SELECT id, strftime('%Y-%m-%dT%H:%M:%S', real_ns / 1000000000, 'unixepoch') ||\n"
	"  printf('.%03dZ', real_ns / 1000000 % 1000) AS time, interval_ns / 1e9 AS seconds\n"
	"FROM interval;\n"
	"CREATE VIEW who AS -- subjects in words\n"
	"SELECT s.id, CASE s.scope WHEN 0 THEN 'process' WHEN 1 THEN 'thread' WHEN 2 THEN 'vma'\n"
	"    WHEN 3 THEN 'blocker' WHEN 4 THEN 'stall' ELSE 'stack' END AS scope,\n"
	"  s.pid, s.tid, s.uid, comm.text AS comm, cgroup.text AS cgroup,\n"
	"  iif(s.\"end\", printf('0x%x', s.start), NULL) AS start, iif(s.\"end\", printf('0x%x', s.\"end\"), NULL) AS \"end\",\n"
	"  name.text AS name, context.text AS context, lock.text AS lock, s.target_pid, target.text AS target\n"
	"FROM subject s\n"
	"  LEFT JOIN string comm ON comm.id = s.comm LEFT JOIN string cgroup ON cgroup.id = s.cgroup\n"
	"  LEFT JOIN string name ON name.id = s.name LEFT JOIN string context ON context.id = s.context\n"
	"  LEFT JOIN string lock ON lock.id = s.lock LEFT JOIN string target ON target.id = s.target;\n"
	"CREATE VIEW processes AS\n"
	"SELECT t.time, w.pid, w.comm, w.cgroup, r.*\n"
	"FROM process r JOIN time t ON t.id = r.interval JOIN who w ON w.id = r.subject;\n"
	"CREATE VIEW threads AS\n"
	"SELECT t.time, w.pid, w.tid, w.comm, r.*\n"
	"FROM thread r JOIN time t ON t.id = r.interval JOIN who w ON w.id = r.subject;\n"
	"CREATE VIEW vmas AS\n"
	"SELECT t.time, w.pid, w.comm, w.start, w.\"end\", w.name, r.*\n"
	"FROM vma r JOIN time t ON t.id = r.interval JOIN who w ON w.id = r.subject;\n"
	"CREATE VIEW blockers AS\n"
	"SELECT t.time, w.pid, w.tid, w.comm, w.cgroup, w.context, w.lock, w.target_pid, w.target, r.*\n"
	"FROM blocker r JOIN time t ON t.id = r.interval JOIN who w ON w.id = r.subject;\n"
	"CREATE VIEW reasons AS -- scope 'host': of all processes\n"
	"SELECT t.time, coalesce(w.scope, 'host') AS scope, w.pid, w.comm, d.name AS reason,\n"
	"  iif(r.exact, 'exact', 'inferred') AS certainty, r.count, r.interval\n"
	"FROM reason r JOIN time t ON t.id = r.interval JOIN word d ON d.kind = 'reason' AND d.id = r.reason\n"
	"  LEFT JOIN who w ON w.id = r.subject;\n"
	"CREATE VIEW buckets AS -- of histograms\n"
	"SELECT t.time, coalesce(w.scope, 'host') AS scope, w.pid, w.tid, w.comm, d.name AS histogram,\n"
	"  b.k, b.upper_ns, j.value ->> 1 AS count, r.interval\n"
	"FROM histogram r JOIN json_each(r.buckets) j JOIN bound b ON b.k = j.value ->> 0\n"
	"  JOIN time t ON t.id = r.interval JOIN word d ON d.kind = 'histogram' AND d.id = r.histogram\n"
	"  LEFT JOIN who w ON w.id = r.subject;\n"
	"CREATE VIEW losses AS\n"
	"SELECT t.time, c.name AS cause, c.help, l.count, l.interval\n"
	"FROM loss l JOIN interval i ON i.id = l.interval JOIN time t ON t.id = l.interval\n"
	"  JOIN cause c ON c.config = i.config AND c.position = l.cause;\n"
	"CREATE VIEW stalls AS\n"
	"SELECT t.time, w.pid, w.tid, w.comm, s.wait_ns, s.waiters, h.pid AS holder_pid, h.tid AS holder_tid,\n"
	"  h.comm AS holder_comm, h.context, s.state, s.hold_ns, s.interval\n"
	"FROM stall s JOIN time t ON t.id = s.interval JOIN who w ON w.id = s.subject\n"
	"  LEFT JOIN who h ON h.id = s.holder;\n"
	"CREATE VIEW frames AS -- of stacks, depth 0 is the innermost\n"
	"SELECT t.time, w.pid, w.tid, w.comm, w.context, s.holds, s.blamed_ns, f.depth, function.text AS function,\n"
	"  file.text AS file, s.trace, s.interval\n"
	"FROM stack s JOIN time t ON t.id = s.interval JOIN who w ON w.id = s.subject\n"
	"  JOIN trace_frame f ON f.trace = s.trace JOIN frame r ON r.id = f.frame\n"
	"  LEFT JOIN string function ON function.id = r.function LEFT JOIN string file ON file.id = r.file;\n";

static void put_metrics(sqlite3_str *s, enum vml_scope scope, bool more)
{
	uint64_t metrics = schema_metrics(scope);
	int m;

	for (m = 0; m < VML_NMETRICS; m++) {
		const struct vml_metric_info *info = vml_metric_info(m);

		if (!(metrics & VML_METRIC_BIT(m)))
			continue;
		metrics &= ~VML_METRIC_BIT(m);
		sqlite3_str_appendf(s, "  %s INTEGER%s -- %s\n", info->key, metrics || more ? "," : "", info->help);
	}
}

static void put_subject(sqlite3_str *s)
{
	int i;

	sqlite3_str_appendall(s, "CREATE TABLE subject ( -- who or what a row is about\n"
				 "  id INTEGER PRIMARY KEY, last0 INTEGER, last1 INTEGER, last2 INTEGER");
	for (i = 0; i < SUBJECT_COLUMNS; i++)
		sqlite3_str_appendf(s, ",%s%s\n  \"%s\" INTEGER%s", i ? " -- " : "", i ? subject_info[i - 1].help : "",
				    subject_info[i].name, subject_info[i].absent == INT64_MIN ? " NOT NULL" : "");
	sqlite3_str_appendf(s, " -- %s\n) STRICT;\n", subject_info[SUBJECT_COLUMNS - 1].help);
}

static void put_rows(sqlite3_str *s, enum vml_scope scope)
{
	sqlite3_str_appendf(
		s,
		"CREATE TABLE %s ( -- rows that changed\n"
		"  interval INTEGER NOT NULL,\n"
		"  subject INTEGER NOT NULL,\n"
		"  exited INTEGER, -- 1: it is gone\n"
		"%s",
		schema_scopes[scope],
		scope == VML_PROCESS
			? "  threads INTEGER, -- alive at the end\n  mappings INTEGER, -- areas of its memory\n"
			: "");
	put_metrics(s, scope, true);
	sqlite3_str_appendall(s, "  PRIMARY KEY (interval, subject)\n) STRICT, WITHOUT ROWID;\n");
}

/* Words that the file does not have yet get the next numbers. */
static int put_words(sqlite3 *h, const char *kind, const char *(*name)(unsigned int))
{
	sqlite3_stmt *st = NULL;
	unsigned int i;
	int err = db_prepare(
		h, &st,
		"INSERT INTO word SELECT ?1, (SELECT coalesce(max(id) + 1, 0) FROM word WHERE kind = ?1), ?2 "
		"WHERE NOT EXISTS (SELECT 1 FROM word WHERE kind = ?1 AND name = ?2)");

	for (i = 0; !err && name(i); i++) {
		db_bind_text(st, 1, kind);
		db_bind_text(st, 2, name(i));
		err = db_run(st);
	}
	sqlite3_finalize(st);
	return err;
}

static int put_bounds(sqlite3 *h)
{
	sqlite3_stmt *st = NULL;
	uint32_t i;
	int err = db_prepare(h, &st, "INSERT INTO bound VALUES (?, ?)");

	for (i = 0; !err && i < VML_HIST_BUCKETS; i++) {
		sqlite3_bind_int(st, 1, (int)i + VML_HIST_FIRST_K);
		if (i < VML_HIST_BOUNDS)
			sqlite3_bind_double(st, 2, vml_hist_upper(i));
		else
			sqlite3_bind_null(st, 2);
		err = db_run(st);
	}
	sqlite3_finalize(st);
	return err;
}

static char *all_tables(void)
{
	sqlite3_str *s = sqlite3_str_new(NULL);
	int scope;

	sqlite3_str_appendall(s, head);
	put_subject(s);
	sqlite3_str_appendall(s, middle);
	put_metrics(s, VML_PROCESS, false);
	sqlite3_str_appendall(s, ") STRICT;\n");
	for (scope = 0; scope < VML_NSCOPES; scope++)
		put_rows(s, scope);
	sqlite3_str_appendall(s, tail);
	sqlite3_str_appendall(s, INFO);
	sqlite3_str_appendall(s, views);
	sqlite3_str_appendf(s, "PRAGMA application_id = %d; PRAGMA user_version = %d;", DB_APPLICATION_ID,
			    VML_STORE_SCHEMA);
	return sqlite3_str_finish(s);
}

int schema_create(sqlite3 *h)
{
	char *sql = all_tables();
	int err = sql ? db_exec(h, sql) : -ENOMEM;

	sqlite3_free(sql);
	if (!err)
		err = put_words(h, "reason", vml_reason_name);
	if (!err)
		err = put_words(h, "histogram", vml_hist_name);
	return err ? err : put_bounds(h);
}

/* ---- files that are there */

int schema_check(sqlite3 *h, int *ret_version)
{
	int64_t application = 0, version = 0, objects = 0;
	int err = db_number(h, &objects, "SELECT count(*) FROM sqlite_schema");

	if (!err)
		err = db_number(h, &application, "PRAGMA application_id");
	if (!err)
		err = db_number(h, &version, "PRAGMA user_version");
	if (err)
		return err;
	*ret_version = 0;
	if (!objects && !application && !version)
		return 0;
	if (application != DB_APPLICATION_ID || version < 1)
		return -EBADMSG;
	if (version > VML_STORE_SCHEMA)
		return -EOPNOTSUPP;
	*ret_version = (int)version;
	return 0;
}

static bool has_column(sqlite3 *h, const char *table, const char *column)
{
	return !sqlite3_table_column_metadata(h, NULL, table, column, NULL, NULL, NULL, NULL, NULL);
}

uint64_t schema_has(sqlite3 *h, const char *table, uint64_t metrics)
{
	int m;

	for (m = 0; m < VML_NMETRICS; m++)
		if (metrics & VML_METRIC_BIT(m) && !has_column(h, table, vml_metric_info(m)->key))
			metrics &= ~VML_METRIC_BIT(m);
	return metrics;
}

const char *schema_or_null(sqlite3 *h, const char *table, const char *column)
{
	return has_column(h, table, column) ? column : "NULL";
}

static int add_column(sqlite3 *h, const char *table, const char *column)
{
	sqlite3_stmt *st = NULL;
	int err = db_prepare(h, &st, "ALTER TABLE %s ADD COLUMN %s INTEGER", table, column);

	if (!err)
		err = db_run(st);
	sqlite3_finalize(st);
	return err;
}

static int add_columns(sqlite3 *h, const char *table, uint64_t metrics)
{
	uint64_t missing = metrics & ~schema_has(h, table, metrics);
	int m, err = 0;

	for (m = 0; m < VML_NMETRICS && !err; m++)
		if (missing & VML_METRIC_BIT(m))
			err = add_column(h, table, vml_metric_info(m)->key);
	return err;
}

/* Columns that are not metrics and that the first files do not have; loader.c reads them by schema_or_null(). */
static int add_later(sqlite3 *h)
{
	static const char *const later[][2] = {
		{ "interval", "vma_lock_success" }, { "interval", "vma_lock_abort" }, { "interval", "vma_lock_retry" },
		{ "interval", "vma_lock_miss" },    { "stall", "writers" },	      { "stall", "other_ns" },
		{ "interval", "bpf_calibrations" }, { "interval", "evicted_rows" },   { "interval", "map_limit_bytes" },
	};
	size_t i;
	int err = 0;

	for (i = 0; i < VML_ARRAY_SIZE(later) && !err; i++)
		if (!has_column(h, later[i][0], later[i][1]))
			err = add_column(h, later[i][0], later[i][1]);
	return err;
}

int schema_extend(sqlite3 *h)
{
	int scope, err = add_later(h);

	if (!err)
		err = add_columns(h, "interval", schema_metrics(VML_PROCESS));
	for (scope = 0; scope < VML_NSCOPES && !err; scope++)
		err = add_columns(h, schema_scopes[scope], schema_metrics(scope));
	if (!err)
		err = db_exec(h, INFO);
	if (!err)
		err = put_words(h, "reason", vml_reason_name);
	return err ? err : put_words(h, "histogram", vml_hist_name);
}

/* None yet: schema 1 is the first.  A step leads from its schema to the next. */
const struct schema_step schema_steps[] = { { 0, NULL } };
const size_t schema_nsteps = 0;

static int migrate(sqlite3 *h, const struct schema_step *step, size_t n, int from, int to)
{
	char set[64];
	size_t i;
	int err = 0;

	while (from < to && !err) {
		for (i = 0; i < n && step[i].from != from; i++)
			;
		if (i == n)
			return -EBADMSG;
		err = db_exec(h, step[i].sql);
		from++;
	}
	sqlite3_snprintf(sizeof(set), set, "PRAGMA user_version = %d", to);
	return err ? err : db_exec(h, set);
}

int schema_migrate(sqlite3 *h, const struct schema_step *step, size_t n, int from, int to)
{
	int err = db_exec(h, "BEGIN IMMEDIATE");

	if (err)
		return err;
	err = migrate(h, step, n, from, to);
	if (!err)
		err = db_exec(h, "COMMIT");
	if (err)
		db_exec(h, "ROLLBACK");
	return err;
}

/* ---- numbers of words, which a file gives */

int schema_words(sqlite3 *h, const char *kind, const char *(*name)(unsigned int), int64_t *ret, unsigned int n)
{
	sqlite3_stmt *st = NULL;
	unsigned int i;
	int err = db_prepare(h, &st, "SELECT id, name FROM word WHERE kind = '%s'", kind);

	for (i = 0; i < n; i++)
		ret[i] = -1;
	while (!err && (err = db_row(st)) == 1) {
		const char *text = (const char *)sqlite3_column_text(st, 1);

		for (i = 0; text && i < n && name(i); i++)
			if (!strcmp(text, name(i)))
				ret[i] = sqlite3_column_int64(st, 0);
		err = 0;
	}
	sqlite3_finalize(st);
	return err;
}
