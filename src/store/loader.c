/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What reading deltas needs for longer than one: statements, and what many rows refer to. */
#include <errno.h>
#include <search.h>
#include <stdlib.h>
#include <string.h>

#include "load.h"
#include "vmalock/base.h"

#define CONFIGS_MAX 100

/* ---- statements */

static int prepare_select(sqlite3 *h, sqlite3_stmt **ret, const char *columns, uint64_t metrics, const char *from)
{
	sqlite3_str *s = sqlite3_str_new(NULL);
	int m;

	sqlite3_str_appendf(s, "SELECT %s", columns);
	for (m = 0; m < VML_NMETRICS; m++)
		if (metrics & VML_METRIC_BIT(m))
			sqlite3_str_appendf(s, ", %s", vml_metric_info(m)->key);
	sqlite3_str_appendf(s, " FROM %s", from);
	return db_prepare_str(h, ret, s);
}

static int prepare_rows(struct loader *l)
{
	int scope, err = 0;
	char from[128];

	for (scope = 0; scope < VML_NSCOPES && !err; scope++) {
		const char *table = schema_scopes[scope];

		l->metrics[scope] = schema_has(l->h, table, schema_metrics(scope));
		sqlite3_snprintf(sizeof(from), from, "%s WHERE interval = ? ORDER BY subject LIMIT %u", table,
				 LOAD_ROWS_MAX);
		err = prepare_select(l->h, &l->row[scope],
				     scope == VML_PROCESS ? "subject, exited, threads, mappings"
							  : "subject, exited, NULL, NULL",
				     l->metrics[scope], from);
	}
	return err;
}

static int prepare_subject(struct loader *l)
{
	sqlite3_str *s = sqlite3_str_new(NULL);
	int i;

	for (i = 0; i < SUBJECT_COLUMNS; i++)
		sqlite3_str_appendf(
			s, i < SUBJECT_TEXTS ? "%s s.\"%s\"" : "%s (SELECT text FROM string WHERE id = s.\"%s\")",
			i ? "," : "SELECT", subject_info[i].name);
	sqlite3_str_appendall(s, " FROM subject s WHERE s.id = ?");
	return db_prepare_str(l->h, &l->subject, s);
}

static int prepare_details(struct loader *l)
{
	int err = db_prepare(l->h, &l->reason,
			     "SELECT subject, reason, exact, count FROM reason WHERE interval = ? ORDER BY subject");

	if (!err)
		err = db_prepare(l->h, &l->histogram,
				 "SELECT subject, histogram, sum_ns, max_ns, buckets FROM histogram WHERE interval = ? "
				 "ORDER BY subject");
	if (!err)
		err = db_prepare(l->h, &l->loss, "SELECT cause, count FROM loss WHERE interval = ?");
	if (!err)
		err = db_prepare(l->h, &l->lookup,
				 "SELECT caller, lookups, aborts, misses FROM lookup WHERE interval = ?");
	if (!err)
		err = db_prepare(l->h, &l->stall,
				 "SELECT subject, write, wait_ns, target_pid, target_start_ns, target_exec, holder, "
				 "state, hold_ns, waiters, %s, %s FROM stall WHERE interval = ? AND boot_ns = ? "
				 "ORDER BY position LIMIT %u",
				 schema_or_null(l->h, "stall", "writers"), schema_or_null(l->h, "stall", "other_ns"),
				 LOAD_ROWS_MAX);
	if (!err)
		err = db_prepare(
			l->h, &l->stack,
			"SELECT subject, \"key\", trace, holds, hold_ns, blamed_ns, max_ns, "
			"(SELECT kernel_frames FROM trace WHERE id = trace) FROM stack WHERE interval = ? LIMIT %u",
			LOAD_ROWS_MAX);
	if (!err)
		err = db_prepare(
			l->h, &l->trace,
			"SELECT f.state, f.kernel, f.\"offset\", (SELECT text FROM string WHERE id = f.function), "
			"(SELECT text FROM string WHERE id = f.file), "
			"(SELECT text FROM string WHERE id = f.build_id) "
			"FROM trace_frame t JOIN frame f ON f.id = t.frame WHERE t.trace = ? ORDER BY t.depth "
			"LIMIT %u",
			LOAD_FRAMES_MAX);
	return err;
}

static int prepare_interval(struct loader *l)
{
	char columns[512];

	l->totals = schema_has(l->h, "interval", schema_metrics(VML_PROCESS));
	sqlite3_snprintf(
		sizeof(columns), columns,
		"config, real_ns, boot_ns, interval_ns, cpu_ns, rss_bytes, map_bytes, bpf_runs, "
		"foreign_mmap_locks, ledger_error_ns, process_maps_read, bpf_cost_ns, bpf_hot_ns, "
		"bpf_full_ns, duty_attached_ns, duty_of_ns, duty_step, extrapolated_faults, "
		"borrowed_faults, held_faults, unknown_faults, %s, %s, %s, %s, %s, %s, %s",
		schema_or_null(l->h, "interval", "vma_lock_success"),
		schema_or_null(l->h, "interval", "vma_lock_abort"), schema_or_null(l->h, "interval", "vma_lock_retry"),
		schema_or_null(l->h, "interval", "vma_lock_miss"), schema_or_null(l->h, "interval", "bpf_calibrations"),
		schema_or_null(l->h, "interval", "evicted_rows"), schema_or_null(l->h, "interval", "map_limit_bytes"));
	return prepare_select(l->h, &l->interval, columns, l->totals, "interval WHERE id = ?");
}

int loader_open(struct loader *l, sqlite3 *h, size_t most)
{
	int err;

	*l = (struct loader){ .h = h, .arena = vml_arena_new(), .most = most };
	if (!l->arena)
		return -ENOMEM;
	err = schema_words(h, "reason", vml_reason_name, l->reason_word, SCHEMA_WORDS);
	if (!err)
		err = schema_words(h, "histogram", vml_hist_name, l->hist_word, SCHEMA_WORDS);
	if (!err)
		err = prepare_interval(l);
	if (!err)
		err = prepare_rows(l);
	if (!err)
		err = prepare_subject(l);
	return err ? err : prepare_details(l);
}

static void in_arena(void *item)
{
	(void)item;
}

static void forget(struct loader *l)
{
	tdestroy(l->subjects, in_arena);
	l->subjects = NULL;
	l->nsubjects = 0;
	vml_arena_free(l->arena);
	l->arena = NULL;
	free(l->config);
	l->config = NULL;
	l->nconfigs = 0;
}

void loader_close(struct loader *l)
{
	int scope;

	forget(l);
	for (scope = 0; scope < VML_NSCOPES; scope++)
		sqlite3_finalize(l->row[scope]);
	sqlite3_finalize(l->interval);
	sqlite3_finalize(l->reason);
	sqlite3_finalize(l->histogram);
	sqlite3_finalize(l->loss);
	sqlite3_finalize(l->lookup);
	sqlite3_finalize(l->stall);
	sqlite3_finalize(l->stack);
	sqlite3_finalize(l->subject);
	sqlite3_finalize(l->trace);
	*l = (struct loader){ 0 };
}

/* ---- subjects and configs, remembered */

static int compare_subjects(const void *a, const void *b)
{
	const struct load_subject *x = a, *y = b;

	return (x->id > y->id) - (x->id < y->id);
}

static int read_texts(sqlite3_stmt *st, struct vml_arena *a, struct vml_row *r, bool blocker)
{
	const char *text[SUBJECT_COLUMNS];
	int i;

	for (i = SUBJECT_TEXTS; i < SUBJECT_COLUMNS; i++) {
		text[i] = db_text(st, i, a);
		if (!text[i])
			return -ENOMEM;
	}
	r->comm = text[SUBJECT_COMM];
	r->cgroup = text[SUBJECT_CGROUP];
	strncpy(r->area.perms, text[SUBJECT_PERMS], sizeof(r->area.perms) - 1);
	r->area.kind = text[SUBJECT_KIND];
	r->area.name = text[SUBJECT_NAME];
	r->context = text[SUBJECT_CONTEXT];
	if (blocker) {
		r->lock = text[SUBJECT_LOCK];
		r->target = text[SUBJECT_TARGET];
		r->target_cgroup = text[SUBJECT_TARGET_CGROUP];
		r->victim_cgroup = text[SUBJECT_VICTIM_CGROUP];
	}
	return 0;
}

static int read_numbers(sqlite3_stmt *st, struct load_subject *s)
{
	struct vml_row *r = &s->row;
	int err = 0;

	s->scope = (int)db_u32(st, SUBJECT_SCOPE, SUBJECT_SCOPES - 1, &err);
	r->id.pid = db_u32(st, SUBJECT_PID, UINT32_MAX, &err);
	r->id.start_ns = db_u64(st, SUBJECT_START_NS);
	r->id.exec = db_u32(st, SUBJECT_EXEC, UINT32_MAX, &err);
	r->id.tid = db_u32(st, SUBJECT_TID, UINT32_MAX, &err);
	r->id.tid_start_ns = db_u64(st, SUBJECT_TID_START_NS);
	r->id.anchor = db_u64(st, SUBJECT_ANCHOR);
	r->id.doing = db_u32(st, SUBJECT_DOING, UINT32_MAX, &err);
	r->id.write = db_u32(st, SUBJECT_WRITE, 1, &err);
	r->id.target.pid = db_u32(st, SUBJECT_TARGET_PID, UINT32_MAX, &err);
	r->id.target.start_ns = db_u64(st, SUBJECT_TARGET_START_NS);
	r->id.target.exec = db_u32(st, SUBJECT_TARGET_EXEC, UINT32_MAX, &err);
	r->ns_pid = db_u32(st, SUBJECT_NS_PID, UINT32_MAX, &err);
	if (!r->ns_pid)
		r->ns_pid = r->id.pid;
	r->uid = sqlite3_column_type(st, SUBJECT_UID) == SQLITE_NULL ? UINT32_MAX
								     : db_u32(st, SUBJECT_UID, UINT32_MAX, &err);
	r->area.start = db_u64(st, SUBJECT_START);
	r->area.end = db_u64(st, SUBJECT_END);
	r->area.offset = db_u64(st, SUBJECT_OFFSET);
	r->area.inode = db_u64(st, SUBJECT_INODE);
	r->area.dev_major = db_u32(st, SUBJECT_DEV_MAJOR, UINT32_MAX, &err);
	r->area.dev_minor = db_u32(st, SUBJECT_DEV_MINOR, UINT32_MAX, &err);
	return err;
}

static int read_subject(struct loader *l, int64_t id, struct load_subject *s)
{
	int err;

	db_bind(l->subject, 1, (uint64_t)id);
	err = db_row(l->subject);
	if (err == 1) {
		err = read_numbers(l->subject, s);
		if (!err)
			err = read_texts(l->subject, l->arena, &s->row, s->scope == VML_BLOCKER);
	} else if (!err) {
		err = -EBADMSG;
	}
	sqlite3_reset(l->subject);
	return err;
}

int load_subject(struct loader *l, int64_t id, const struct load_subject **ret)
{
	const struct load_subject key = { .id = id };
	struct load_subject *const *found = tfind(&key, &l->subjects, compare_subjects), *s;
	int err;

	if (found) {
		*ret = *found;
		return 0;
	}
	s = vml_arena_copy(l->arena, &key, sizeof(key));
	if (!s)
		return -ENOMEM;
	err = read_subject(l, id, s);
	if (err)
		return err;
	if (!tsearch(s, &l->subjects, compare_subjects))
		return -ENOMEM;
	l->nsubjects++;
	*ret = s;
	return 0;
}

int load_config(struct loader *l, int64_t id, const struct config_read **ret)
{
	struct config_read *more;
	size_t i;
	int err;

	for (i = 0; i < l->nconfigs && l->config[i].id != id; i++)
		;
	if (i == l->nconfigs) {
		more = realloc(l->config, (i + 1) * sizeof(*more));
		if (!more)
			return -ENOMEM;
		l->config = more;
		err = config_read(l->h, id, l->arena, &more[i]);
		if (err)
			return err;
		l->nconfigs++;
	}
	*ret = &l->config[i];
	return 0;
}

int loader_trim(struct loader *l)
{
	if (l->nsubjects > l->most || l->nconfigs > CONFIGS_MAX)
		forget(l);
	if (!l->arena)
		l->arena = vml_arena_new();
	return l->arena ? 0 : -ENOMEM;
}
