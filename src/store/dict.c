/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Trees and not hashes: names of processes are chosen by others, who could make a hash slow. */
#include <errno.h>
#include <search.h>
#include <stdlib.h>
#include <string.h>

#include "db.h"
#include "vmalock/base.h"

/*
 * Of all four together; then everything is forgotten, and what comes again is written
 * again, under another number.  Most are subjects, of some 350 bytes.  An interval of the
 * history has some 200 of them, one of a recording all threads and VMAs.
 */
#define REMEMBERED_HISTORY 4096
#define REMEMBERED_RECORDING 200000

_Static_assert(VML_STORE_LEVELS == 3, "columns last0 to last2 of the schema");

#define NONE INT64_MIN

const struct subject_info subject_info[SUBJECT_COLUMNS] = {
	[SUBJECT_SCOPE] = { "scope", "0: process, 1: thread, 2: vma, 3: blocker, 4: of a stall, 5: of a stack", NONE },
	[SUBJECT_PID] = { "pid", "0: (untracked), (rest)", NONE },
	[SUBJECT_START_NS] = { "start_ns", "of the process, since boot", NONE },
	[SUBJECT_EXEC] = { "exec", "changes with each execve", NONE },
	[SUBJECT_TID] = { "tid", "threads, blockers", 0 },
	[SUBJECT_TID_START_NS] = { "tid_start_ns", "of the thread, since boot", 0 },
	[SUBJECT_ANCHOR] = { "anchor", "of a VMA: start, or end when it grows down", 0 },
	[SUBJECT_DOING] = { "doing", "of a blocker: what context says", 0 },
	[SUBJECT_WRITE] = { "write", "of a blocker: 1: held for write", 0 },
	[SUBJECT_TARGET_PID] = { "target_pid", "of a blocker: process whose lock it is", 0 },
	[SUBJECT_TARGET_START_NS] = { "target_start_ns", "of that process", 0 },
	[SUBJECT_TARGET_EXEC] = { "target_exec", "of that process", 0 },
	[SUBJECT_NS_PID] = { "ns_pid", "in its own pid namespace, where it differs", 0 },
	[SUBJECT_UID] = { "uid", "NULL: not known", -1 },
	[SUBJECT_START] = { "start", "first address; over 2^63 negative, as all numbers", 0 },
	[SUBJECT_END] = { "end", "first address behind it", 0 },
	[SUBJECT_OFFSET] = { "offset", "bytes into the file", 0 },
	[SUBJECT_INODE] = { "inode", "of the file", 0 },
	[SUBJECT_DEV_MAJOR] = { "dev_major", "of the file", 0 },
	[SUBJECT_DEV_MINOR] = { "dev_minor", "of the file", 0 },
	[SUBJECT_COMM] = { "comm", "a string, as the next ones: name of process or thread", 0 },
	[SUBJECT_CGROUP] = { "cgroup", "path from the host's root", 0 },
	[SUBJECT_PERMS] = { "perms", "as in /proc/PID/maps", 0 },
	[SUBJECT_KIND] = { "kind", "anon, file, heap, stack, ...", 0 },
	[SUBJECT_NAME] = { "name", "file path, [heap], ...", 0 },
	[SUBJECT_CONTEXT] = { "context", "what the holder did", 0 },
	[SUBJECT_LOCK] = { "lock", "mmap_read, mmap_write, vma_read", 0 },
	[SUBJECT_TARGET] = { "target", "name of the process whose lock it is", 0 },
	[SUBJECT_TARGET_CGROUP] = { "target_cgroup", "its cgroup", 0 },
	[SUBJECT_VICTIM_CGROUP] = { "victim_cgroup", "of the last that waited from elsewhere", 0 },
};

/* ---- what is remembered; each kind of entry begins with this */

struct dict_entry {
	int64_t id, last[VML_STORE_LEVELS]; /* 0: none */
};

struct text {
	struct dict_entry e;
	const char *text;
};

struct subject {
	struct dict_entry e;
	int64_t v[SUBJECT_COLUMNS];
};

enum { FRAME_STATE, FRAME_KERNEL, FRAME_OFFSET, FRAME_FUNCTION, FRAME_FILE, FRAME_BUILD_ID, FRAME_COLUMNS };
struct frame {
	struct dict_entry e;
	int64_t v[FRAME_COLUMNS];
};

struct trace {
	struct dict_entry e;
	int64_t nkernel, n;
	const int64_t *frame;
};

static int compare_texts(const void *a, const void *b)
{
	return strcmp(((const struct text *)a)->text, ((const struct text *)b)->text);
}

static int compare_subjects(const void *a, const void *b)
{
	return memcmp(((const struct subject *)a)->v, ((const struct subject *)b)->v, sizeof(((struct subject *)0)->v));
}

static int compare_frames(const void *a, const void *b)
{
	return memcmp(((const struct frame *)a)->v, ((const struct frame *)b)->v, sizeof(((struct frame *)0)->v));
}

static int compare_traces(const void *a, const void *b)
{
	const struct trace *x = a, *y = b;

	if (x->nkernel != y->nkernel || x->n != y->n)
		return x->nkernel != y->nkernel ? (x->nkernel > y->nkernel) - (x->nkernel < y->nkernel)
						: (x->n > y->n) - (x->n < y->n);
	return x->n ? memcmp(x->frame, y->frame, (size_t)x->n * sizeof(*x->frame)) : 0;
}

/* ---- opening */

static int next_of(struct dict *d, sqlite3 *h, const char *table)
{
	int err = db_number(h, &d->next, "SELECT coalesce(max(id), 0) + 1 FROM %s", table);

	/* hostile, or so full that 2^62 were used */
	return err ? err : d->next < 1 || d->next > INT64_MAX / 2 ? -EBADMSG : 0;
}

static int find_next(struct dicts *d, sqlite3 *h)
{
	int err = next_of(&d->string, h, "string");

	if (!err)
		err = next_of(&d->subject, h, "subject");
	if (!err)
		err = next_of(&d->frame, h, "frame");
	return err ? err : next_of(&d->trace, h, "trace");
}

static int prepare_subject(sqlite3 *h, sqlite3_stmt **ret)
{
	sqlite3_str *s = sqlite3_str_new(NULL);
	int i;

	sqlite3_str_appendall(s, "INSERT INTO subject (id, last0, last1, last2");
	for (i = 0; i < SUBJECT_COLUMNS; i++)
		sqlite3_str_appendf(s, ", \"%s\"", subject_info[i].name);
	sqlite3_str_appendall(s, ") VALUES (?, ?, ?, ?");
	for (i = 0; i < SUBJECT_COLUMNS; i++)
		sqlite3_str_appendall(s, ", ?");
	sqlite3_str_appendall(s, ")");
	return db_prepare_str(h, ret, s);
}

static int prepare_touch(struct dict *d, sqlite3 *h, const char *table)
{
	int i, err = 0;

	for (i = 0; i < VML_STORE_LEVELS && !err; i++)
		err = db_prepare(h, &d->touch[i], "UPDATE %s SET last%d = ?2 WHERE id = ?1", table, i);
	return err;
}

int dicts_open(struct dicts *d, sqlite3 *h, bool history)
{
	int err;

	*d = (struct dicts){ .history = history };
	err = db_prepare(h, &d->string.insert,
			 "INSERT INTO string (id, last0, last1, last2, text) VALUES (?, ?, ?, ?, ?)");
	if (!err)
		err = prepare_subject(h, &d->subject.insert);
	if (!err)
		err = db_prepare(
			h, &d->frame.insert,
			"INSERT INTO frame (id, last0, last1, last2, state, kernel, \"offset\", function, file, "
			"build_id) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)");
	if (!err)
		err = db_prepare(h, &d->trace.insert,
				 "INSERT INTO trace (id, last0, last1, last2, kernel_frames) VALUES (?, ?, ?, ?, ?)");
	if (!err)
		err = db_prepare(h, &d->trace_frame, "INSERT INTO trace_frame (trace, depth, frame) VALUES (?, ?, ?)");
	if (!err)
		err = prepare_touch(&d->string, h, "string");
	if (!err)
		err = prepare_touch(&d->subject, h, "subject");
	if (!err)
		err = prepare_touch(&d->frame, h, "frame");
	if (!err)
		err = prepare_touch(&d->trace, h, "trace");
	return err ? err : find_next(d, h);
}

static void forget(struct dict *d)
{
	tdestroy(d->root, free);
	d->root = NULL;
	d->n = 0;
}

int dicts_forget(struct dicts *d, sqlite3 *h)
{
	forget(&d->string);
	forget(&d->subject);
	forget(&d->frame);
	forget(&d->trace);
	return find_next(d, h);
}

static void close_one(struct dict *d)
{
	int i;

	forget(d);
	sqlite3_finalize(d->insert);
	for (i = 0; i < VML_STORE_LEVELS; i++)
		sqlite3_finalize(d->touch[i]);
}

void dicts_close(struct dicts *d)
{
	close_one(&d->string);
	close_one(&d->subject);
	close_one(&d->frame);
	close_one(&d->trace);
	sqlite3_finalize(d->trace_frame);
	*d = (struct dicts){ 0 };
}

int dicts_trim(struct dicts *d, sqlite3 *h)
{
	size_t most = d->history ? REMEMBERED_HISTORY : REMEMBERED_RECORDING;

	return d->string.n + d->subject.n + d->frame.n + d->trace.n > most ? dicts_forget(d, h) : 0;
}

/* ---- one entry */

/* It is in the file, and marked as needed now; false: not (any more). */
static int refresh(const struct dicts *all, struct dict *d, struct dict_entry *e, bool *ret_there)
{
	int64_t *last = &e->last[all->level];
	sqlite3_stmt *st = d->touch[all->level];
	int err;

	*ret_there = true;
	if (!all->history || (*last && all->interval - *last <= DICT_STALE))
		return 0;
	db_bind(st, 1, (uint64_t)e->id);
	db_bind(st, 2, (uint64_t)all->interval);
	err = db_run(st);
	*ret_there = !err && sqlite3_changes(sqlite3_db_handle(st));
	*last = all->interval;
	return err;
}

/* The entry like @key, or NULL. */
static struct dict_entry *find(struct dict *d, const void *key, int (*compare)(const void *, const void *))
{
	struct dict_entry *const *found = tfind(key, &d->root, compare);

	return found ? *found : NULL;
}

/* Gives the new entry @e its number and remembers it; frees it on failure. */
static int remember(struct dict *d, struct dict_entry *e, int (*compare)(const void *, const void *))
{
	memset(e->last, 0, sizeof(e->last));
	if (!tsearch(e, &d->root, compare)) {
		free(e);
		return -ENOMEM;
	}
	d->n++;
	e->id = d->next++;
	return 0;
}

/* The columns that all have; the others are bound from here on. */
#define FIRST (2 + VML_STORE_LEVELS)

static int insert(const struct dicts *all, struct dict *d, struct dict_entry *e)
{
	int i;

	memset(e->last, 0, sizeof(e->last));
	e->last[all->level] = all->interval;
	db_bind(d->insert, 1, (uint64_t)e->id);
	for (i = 0; i < VML_STORE_LEVELS; i++)
		db_bind_known(d->insert, 2 + i, e->last[i], (uint64_t)e->last[i]);
	return db_run(d->insert);
}

/* Puts @e into the file unless it is there. */
static int settle(const struct dicts *all, struct dict *d, struct dict_entry *e, bool is_new)
{
	bool there = false;
	int err = is_new ? 0 : refresh(all, d, e, &there);

	if (err || there)
		return err;
	if (!is_new) /* it was deleted as nothing needed it */
		e->id = d->next++;
	return insert(all, d, e);
}

/* ---- strings */

static int text_entry(struct dict *d, const char *text, struct text **ret, bool *ret_new)
{
	const struct text key = { .text = text };
	struct text *t = (struct text *)find(d, &key, compare_texts);
	size_t size = strlen(text) + 1;
	int err = 0;

	*ret_new = !t;
	if (!t) {
		t = malloc(sizeof(*t) + size);
		if (!t)
			return -ENOMEM;
		t->text = memcpy(t + 1, text, size);
		err = remember(d, &t->e, compare_texts);
	}
	*ret = t;
	return err;
}

/* "" and NULL are 0. */
static int dict_string(struct dicts *d, const char *text, int64_t *ret)
{
	struct text *t;
	bool is_new;
	int err;

	*ret = 0;
	if (!text || !*text)
		return 0;
	err = text_entry(&d->string, text, &t, &is_new);
	if (err)
		return err;
	sqlite3_bind_text(d->string.insert, FIRST, text, -1, SQLITE_STATIC);
	err = settle(d, &d->string, &t->e, is_new);
	*ret = t->e.id;
	return err;
}

/* ---- subjects */

static int put_subject(struct dicts *d, const struct subject *want, int64_t *ret)
{
	struct subject *s = (struct subject *)find(&d->subject, want, compare_subjects);
	bool is_new = !s;
	int i, err = 0;

	if (is_new) {
		s = malloc(sizeof(*s));
		if (!s)
			return -ENOMEM;
		*s = *want;
		err = remember(&d->subject, &s->e, compare_subjects);
		if (err)
			return err;
	}
	for (i = 0; i < SUBJECT_COLUMNS; i++)
		db_bind_known(d->subject.insert, i + FIRST, s->v[i] != subject_info[i].absent, (uint64_t)s->v[i]);
	err = settle(d, &d->subject, &s->e, is_new);
	*ret = s->e.id;
	return err;
}

static void set_id(int64_t v[SUBJECT_COLUMNS], const struct vml_id *id)
{
	v[SUBJECT_PID] = id->pid;
	v[SUBJECT_START_NS] = (int64_t)id->start_ns;
	v[SUBJECT_EXEC] = id->exec;
	v[SUBJECT_TID] = id->tid;
	v[SUBJECT_TID_START_NS] = (int64_t)id->tid_start_ns;
	v[SUBJECT_ANCHOR] = (int64_t)id->anchor;
	v[SUBJECT_DOING] = id->doing;
	v[SUBJECT_WRITE] = id->write;
	v[SUBJECT_TARGET_PID] = id->target.pid;
	v[SUBJECT_TARGET_START_NS] = (int64_t)id->target.start_ns;
	v[SUBJECT_TARGET_EXEC] = id->target.exec;
}

static void set_area(int64_t v[SUBJECT_COLUMNS], const struct vml_area *a)
{
	v[SUBJECT_START] = (int64_t)a->start;
	v[SUBJECT_END] = (int64_t)a->end;
	v[SUBJECT_OFFSET] = (int64_t)a->offset;
	v[SUBJECT_INODE] = (int64_t)a->inode;
	v[SUBJECT_DEV_MAJOR] = a->dev_major;
	v[SUBJECT_DEV_MINOR] = a->dev_minor;
}

static int set_texts(struct dicts *d, int64_t v[SUBJECT_COLUMNS], const char *const text[SUBJECT_COLUMNS])
{
	int i, err = 0;

	for (i = SUBJECT_TEXTS; i < SUBJECT_COLUMNS && !err; i++)
		err = dict_string(d, text[i], &v[i]);
	return err;
}

int dict_row(struct dicts *d, enum vml_scope scope, const struct vml_row *r, int64_t *ret)
{
	const char *const text[SUBJECT_COLUMNS] = {
		[SUBJECT_COMM] = r->comm,
		[SUBJECT_CGROUP] = r->cgroup,
		[SUBJECT_PERMS] = scope == VML_VMA ? r->area.perms : NULL,
		[SUBJECT_KIND] = scope == VML_VMA ? r->area.kind : NULL,
		[SUBJECT_NAME] = scope == VML_VMA ? r->area.name : NULL,
		[SUBJECT_CONTEXT] = r->context,
		[SUBJECT_LOCK] = r->lock,
		[SUBJECT_TARGET] = r->target,
		[SUBJECT_TARGET_CGROUP] = r->target_cgroup,
		[SUBJECT_VICTIM_CGROUP] = r->victim_cgroup,
	};
	struct subject s = { .v[SUBJECT_SCOPE] = scope };
	int err;

	set_id(s.v, &r->id);
	if (scope == VML_VMA)
		set_area(s.v, &r->area);
	s.v[SUBJECT_NS_PID] = r->ns_pid == r->id.pid ? 0 : r->ns_pid;
	s.v[SUBJECT_UID] = r->uid == UINT32_MAX ? -1 : (int64_t)r->uid;
	err = set_texts(d, s.v, text);
	return err ? err : put_subject(d, &s, ret);
}

int dict_actor(struct dicts *d, int scope, const struct vml_id *id, const char *comm, const char *context, int64_t *ret)
{
	const char *const text[SUBJECT_COLUMNS] = { [SUBJECT_COMM] = comm, [SUBJECT_CONTEXT] = context };
	struct subject s = { .v[SUBJECT_SCOPE] = scope, .v[SUBJECT_UID] = -1 };
	int err;

	set_id(s.v, id);
	err = set_texts(d, s.v, text);
	return err ? err : put_subject(d, &s, ret);
}

/* ---- stacks */

static int put_frame(struct dicts *d, const struct vml_frame *f, int64_t *ret)
{
	struct frame want = { .v = { f->state, f->kernel, (int64_t)f->offset } }, *e;
	bool is_new;
	int i, err = dict_string(d, f->function, &want.v[FRAME_FUNCTION]);

	if (!err)
		err = dict_string(d, f->file, &want.v[FRAME_FILE]);
	if (!err)
		err = dict_string(d, f->build_id, &want.v[FRAME_BUILD_ID]);
	if (err)
		return err;
	e = (struct frame *)find(&d->frame, &want, compare_frames);
	is_new = !e;
	if (is_new) {
		e = malloc(sizeof(*e));
		if (!e)
			return -ENOMEM;
		*e = want;
		err = remember(&d->frame, &e->e, compare_frames);
		if (err)
			return err;
	}
	for (i = 0; i < FRAME_COLUMNS; i++)
		db_bind_known(d->frame.insert, i + FIRST, i < FRAME_FUNCTION || e->v[i], (uint64_t)e->v[i]);
	err = settle(d, &d->frame, &e->e, is_new);
	*ret = e->e.id;
	return err;
}

static int put_frames(struct dicts *d, const struct trace *t)
{
	int64_t i;
	int err = 0;

	for (i = 0; i < t->n && !err; i++) {
		db_bind(d->trace_frame, 1, (uint64_t)t->e.id);
		db_bind(d->trace_frame, 2, (uint64_t)i);
		db_bind(d->trace_frame, 3, (uint64_t)t->frame[i]);
		err = db_run(d->trace_frame);
	}
	return err;
}

static int put_trace(struct dicts *d, const struct trace *want, int64_t *ret)
{
	struct trace *t = (struct trace *)find(&d->trace, want, compare_traces);
	size_t size = (size_t)want->n * sizeof(*want->frame);
	bool is_new = !t;
	int64_t before;
	int err;

	if (is_new) {
		t = malloc(sizeof(*t) + size);
		if (!t)
			return -ENOMEM;
		*t = *want;
		t->frame = memcpy(t + 1, want->frame, size);
		err = remember(&d->trace, &t->e, compare_traces);
		if (err)
			return err;
	}
	before = is_new ? 0 : t->e.id;
	db_bind(d->trace.insert, FIRST, (uint64_t)t->nkernel);
	err = settle(d, &d->trace, &t->e, is_new);
	if (!err && t->e.id != before)
		err = put_frames(d, t);
	*ret = t->e.id;
	return err;
}

int dict_trace(struct dicts *d, const struct vml_stack *s, int64_t *ret)
{
	int64_t *frame = malloc((s->nframes ? s->nframes : 1) * sizeof(*frame));
	struct trace want = { .nkernel = s->nkernel, .n = s->nframes, .frame = frame };
	uint32_t i;
	int err = frame ? 0 : -ENOMEM;

	for (i = 0; i < s->nframes && !err; i++)
		err = put_frame(d, &s->frame[i], &frame[i]);
	if (!err)
		err = put_trace(d, &want, ret);
	free(frame);
	return err;
}
