/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What a delta has besides its rows. */
#include <errno.h>
#include <linux/types.h>
#include <stdlib.h>
#include <string.h>

#include "load.h"
#include "vmalock/base.h"
#include "vmalock/hist.h"

static unsigned int word_of(const int64_t *word, int64_t id)
{
	unsigned int i;

	for (i = 0; i < SCHEMA_WORDS && word[i] != id; i++)
		;
	return i;
}

/* ---- reasons */

struct reasons {
	int64_t subject;
	uint64_t dense[2 * SCHEMA_WORDS];
	bool any;
};

static int flush_reasons(struct load *w, struct reasons *r)
{
	struct vml_row *row = r->subject ? load_row(w, r->subject) : NULL;
	struct vml_tally *t = r->subject ? (row ? &row->reasons : NULL) : &w->s->reasons;
	int err;

	if (!r->any)
		return 0;
	if (!t)
		return -EBADMSG;
	err = vml_tally_from(w->s->arena, r->dense, VML_ARRAY_SIZE(r->dense), t);
	*r = (struct reasons){ 0 };
	return err;
}

static int read_reasons(struct load *w)
{
	sqlite3_stmt *st = w->l->reason;
	struct reasons r = { 0 };
	int err;

	db_bind(st, 1, (uint64_t)w->interval);
	while ((err = db_row(st)) == 1) {
		int64_t subject = sqlite3_column_int64(st, 0);
		unsigned int reason = word_of(w->l->reason_word, sqlite3_column_int64(st, 1));

		err = subject != r.subject ? flush_reasons(w, &r) : 0;
		if (err)
			break;
		r.subject = subject;
		if (reason >= vml_reason_count())
			continue; /* of a newer version */
		r.dense[VML_REASON_INDEX(reason, !!sqlite3_column_int64(st, 2))] = db_u64(st, 3);
		r.any = true;
	}
	sqlite3_reset(st);
	return err ? err : flush_reasons(w, &r);
}

/* ---- histograms */

/* A number with at most 20 digits at *@s; false: there is none, or it is over 2^64. */
static bool take_number(const char **s, const char *end, uint64_t *ret)
{
	const char *from = *s;
	uint64_t v = 0;

	for (; *s < end && **s >= '0' && **s <= '9'; (*s)++)
		if (__builtin_mul_overflow(v, 10, &v) || __builtin_add_overflow(v, (uint64_t)(**s - '0'), &v))
			return false;
	*ret = v;
	return *s > from;
}

static bool take(const char **s, const char *end, char c)
{
	if (*s == end || **s != c)
		return false;
	(*s)++;
	return true;
}

/* "[k,count]" */
static bool take_bucket(const char **s, const char *end, uint64_t dense[VML_HIST_BUCKETS])
{
	uint64_t k, count;
	bool minus;
	int64_t index;

	if (!take(s, end, '['))
		return false;
	minus = take(s, end, '-');
	if (!take_number(s, end, &k) || k > VML_HIST_BUCKETS || !take(s, end, ',') || !take_number(s, end, &count))
		return false;
	index = (minus ? -(int64_t)k : (int64_t)k) - VML_HIST_FIRST_K;
	if (index < 0 || index >= VML_HIST_BUCKETS || !take(s, end, ']'))
		return false;
	dense[index] = count;
	return true;
}

/* "[[-38,5],[-37,1]]" */
static int load_buckets(const char *text, size_t len, struct vml_arena *a, struct vml_tally *ret)
{
	uint64_t dense[VML_HIST_BUCKETS] = { 0 };
	const char *end = text + len;
	bool first = true;

	if (!take(&text, end, '['))
		return -EBADMSG;
	while (!take(&text, end, ']')) {
		if ((!first && !take(&text, end, ',')) || !take_bucket(&text, end, dense))
			return -EBADMSG;
		first = false;
	}
	return text == end ? vml_tally_from(a, dense, VML_HIST_BUCKETS, ret) : -EBADMSG;
}

static int read_hist(struct load *w, sqlite3_stmt *st)
{
	int64_t subject = sqlite3_column_int64(st, 0);
	unsigned int which = word_of(w->l->hist_word, sqlite3_column_int64(st, 1));
	struct vml_row *row = subject ? load_row(w, subject) : NULL;
	bool damaged = (subject && !row) || sqlite3_column_type(st, 4) == SQLITE_NULL;
	const char *text = (const char *)sqlite3_column_text(st, 4);
	struct vml_hist *h;
	int err;

	if (damaged || !text)
		return damaged ? -EBADMSG : -ENOMEM;
	if (which >= VML_HISTS)
		return 0; /* of a newer version */
	h = subject ? &row->hist[which] : &w->s->hist[which];
	err = load_buckets(text, (size_t)sqlite3_column_bytes(st, 4), w->s->arena, &h->bucket);
	h->count = err ? 0 : vml_tally_sum(&h->bucket);
	h->sum_ns = db_u64(st, 2);
	h->max_ns = db_u64(st, 3);
	return err;
}

static int read_hists(struct load *w)
{
	sqlite3_stmt *st = w->l->histogram;
	int err;

	db_bind(st, 1, (uint64_t)w->interval);
	while ((err = db_row(st)) == 1) {
		err = read_hist(w, st);
		if (err)
			break;
	}
	sqlite3_reset(st);
	return err;
}

/* ---- losses and lookups: all that the config names */

static int read_losses(struct load *w)
{
	const struct config_read *c = w->config;
	sqlite3_stmt *st = w->l->loss;
	size_t i;
	int err;

	w->s->loss = vml_arena_copy(w->s->arena, c->loss, c->nloss * sizeof(*c->loss));
	if (!w->s->loss)
		return -ENOMEM;
	w->s->nloss = c->nloss;
	for (i = 0; i < c->nloss; i++) {
		w->s->loss[i].cause = vml_arena_strdup(w->s->arena, c->loss[i].cause);
		w->s->loss[i].help = vml_arena_strdup(w->s->arena, c->loss[i].help);
		if (!w->s->loss[i].cause || !w->s->loss[i].help)
			return -ENOMEM;
	}
	db_bind(st, 1, (uint64_t)w->interval);
	while ((err = db_row(st)) == 1) {
		int64_t cause = sqlite3_column_int64(st, 0);

		if (cause < 0 || (uint64_t)cause >= c->nloss) {
			err = -EBADMSG;
			break;
		}
		w->s->loss[cause].count = db_u64(st, 1);
	}
	sqlite3_reset(st);
	return err;
}

static int read_lookups(struct load *w)
{
	const struct config_read *c = w->config;
	sqlite3_stmt *st = w->l->lookup;
	size_t i;
	int err;

	if (!c->have_lookups)
		return 0;
	w->s->lookup = vml_arena_copy(w->s->arena, c->lookup, c->nlookup * sizeof(*c->lookup));
	if (!w->s->lookup)
		return -ENOMEM;
	w->s->nlookup = c->nlookup;
	for (i = 0; i < c->nlookup; i++) {
		w->s->lookup[i].caller = vml_arena_strdup(w->s->arena, c->lookup[i].caller);
		if (!w->s->lookup[i].caller)
			return -ENOMEM;
	}
	db_bind(st, 1, (uint64_t)w->interval);
	while ((err = db_row(st)) == 1) {
		int64_t caller = sqlite3_column_int64(st, 0);

		if (caller < 0 || (uint64_t)caller >= c->nlookup) {
			err = -EBADMSG;
			break;
		}
		w->s->lookup[caller].lookups = db_u64(st, 1);
		w->s->lookup[caller].aborts = db_u64(st, 2);
		w->s->lookup[caller].misses = db_u64(st, 3);
	}
	sqlite3_reset(st);
	return err;
}

/* ---- stalls and stacks */

/* The next of an array in the arena, which has @n of them. */
static void *grow(struct vml_arena *a, void *array, size_t n, size_t size)
{
	void *more;

	if (n & (n - 1)) /* there is room up to the next power of two */
		return array;
	more = vml_arena_alloc(a, (n ? 2 * n : 1) * size);
	if (more && n)
		memcpy(more, array, n * size);
	return more;
}

static int actor(struct load *w, int64_t subject, int scope, struct vml_id *ret_id, const char **ret_comm,
		 const char **ret_context)
{
	const struct load_subject *s;
	int err = load_subject(w->l, subject, &s);

	if (err)
		return err;
	if (s->scope != scope)
		return -EBADMSG;
	*ret_id = s->row.id;
	*ret_comm = vml_arena_strdup(w->s->arena, s->row.comm);
	*ret_context = vml_arena_strdup(w->s->arena, s->row.context);
	return *ret_comm && *ret_context ? 0 : -ENOMEM;
}

static int read_stall(struct load *w, sqlite3_stmt *st, struct vml_stall *x)
{
	const char *none;
	int err = actor(w, sqlite3_column_int64(st, 0), SUBJECT_STALL, &x->id, &x->comm, &none);

	x->holder_comm = x->context = "";
	x->held = sqlite3_column_type(st, 6) != SQLITE_NULL;
	if (!err && x->held)
		err = actor(w, sqlite3_column_int64(st, 6), SUBJECT_STALL, &x->holder, &x->holder_comm, &x->context);
	x->write = sqlite3_column_int64(st, 1);
	x->wait_ns = db_u64(st, 2);
	x->target.pid = db_u32(st, 3, UINT32_MAX, &err);
	x->target.start_ns = db_u64(st, 4);
	x->target.exec = db_u32(st, 5, UINT32_MAX, &err);
	x->state = db_text(st, 7, w->s->arena);
	x->hold_ns = db_u64(st, 8);
	x->waiters = db_u32(st, 9, UINT32_MAX, &err);
	x->unsplit = sqlite3_column_type(st, 10) == SQLITE_NULL;
	x->writers = db_u32(st, 10, x->waiters, &err);
	x->other_ns = db_u64(st, 11);
	return err ? err : x->state ? 0 : -ENOMEM;
}

static int read_stalls(struct load *w)
{
	sqlite3_stmt *st = w->l->stall;
	struct vml_snapshot *s = w->s;
	int err;

	db_bind(st, 1, (uint64_t)w->interval);
	db_bind(st, 2, s->boot_ns);
	while ((err = db_row(st)) == 1) {
		s->stall = grow(s->arena, s->stall, s->nstall, sizeof(*s->stall));
		err = s->stall ? read_stall(w, st, &s->stall[s->nstall++]) : -ENOMEM;
		if (err)
			break;
	}
	sqlite3_reset(st);
	return err;
}

static int read_frame(struct load *w, sqlite3_stmt *st, struct vml_frame *f)
{
	int err = 0;

	f->state = db_u32(st, 0, VML_FRAME_FUNCTION, &err);
	f->kernel = sqlite3_column_int64(st, 1);
	f->offset = db_u64(st, 2);
	f->function = db_text(st, 3, w->s->arena);
	f->file = db_text(st, 4, w->s->arena);
	f->build_id = db_text(st, 5, w->s->arena);
	return err ? err : f->function && f->file && f->build_id ? 0 : -ENOMEM;
}

static int read_trace(struct load *w, int64_t trace, struct vml_stack *x)
{
	sqlite3_stmt *st = w->l->trace;
	struct vml_frame *frame = NULL;
	int err;

	db_bind(st, 1, (uint64_t)trace);
	while ((err = db_row(st)) == 1) {
		frame = grow(w->s->arena, frame, x->nframes, sizeof(*frame));
		err = frame ? read_frame(w, st, &frame[x->nframes++]) : -ENOMEM;
		if (err)
			break;
	}
	sqlite3_reset(st);
	x->frame = frame;
	return err ? err : x->nkernel > x->nframes ? -EBADMSG : 0;
}

static int read_stack(struct load *w, sqlite3_stmt *st, struct vml_stack *x)
{
	int err = actor(w, sqlite3_column_int64(st, 0), SUBJECT_STACK, &x->id, &x->comm, &x->context);

	x->key = db_u32(st, 1, UINT32_MAX, &err);
	x->holds = db_u64(st, 3);
	x->hold_ns = db_u64(st, 4);
	x->blamed_ns = db_u64(st, 5);
	x->max_ns = db_u64(st, 6);
	x->nkernel = db_u32(st, 7, LOAD_FRAMES_MAX, &err);
	return err ? err : read_trace(w, sqlite3_column_int64(st, 2), x);
}

static int by_id_and_key(const void *a, const void *b)
{
	const struct vml_stack *x = a, *y = b;
	int c = vml_id_compare(&x->id, &y->id);

	return c ? c : (x->key > y->key) - (x->key < y->key);
}

static int read_stacks(struct load *w)
{
	sqlite3_stmt *st = w->l->stack;
	struct vml_snapshot *s = w->s;
	int err;

	if (!w->config->have_stacks)
		return 0;
	s->stack = vml_arena_alloc(s->arena, sizeof(*s->stack));
	if (!s->stack)
		return -ENOMEM;
	db_bind(st, 1, (uint64_t)w->interval);
	while ((err = db_row(st)) == 1) {
		s->stack = grow(s->arena, s->stack, s->nstack, sizeof(*s->stack));
		err = s->stack ? read_stack(w, st, &s->stack[s->nstack++]) : -ENOMEM;
		if (err)
			break;
	}
	sqlite3_reset(st);
	qsort(s->stack, s->nstack, sizeof(*s->stack), by_id_and_key);
	return err;
}

int load_details(struct load *w)
{
	int err = read_reasons(w);

	if (!err)
		err = read_hists(w);
	if (!err)
		err = read_losses(w);
	if (!err)
		err = read_lookups(w);
	if (!err)
		err = read_stalls(w);
	return err ? err : read_stacks(w);
}
