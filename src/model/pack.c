// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * A row is packed as: which of its numbers differ from those of the row before it, in
 * 64 bits; each of them as its exclusive or with that; which texts differ, which of those
 * are NULL, and the texts; the reasons; which histograms there are, and those.  Numbers
 * take seven bits a byte, the low ones first.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "model.h"
#include "vmalock/base.h"
#include "vmalock/packed.h"

struct packed_rows {
	unsigned char *bytes;
	size_t n; /* rows */
	size_t most; /* cells that one of them has */
};

struct vml_packed {
	struct vml_snapshot *rest;
	struct packed_rows rows[VML_NSCOPES];
};

/* ---- a row as numbers and texts */

#define FIELDS(X)             \
	X(id.pid)             \
	X(id.exec)            \
	X(id.start_ns)        \
	X(id.tid_start_ns)    \
	X(id.tid)             \
	X(id.anchor)          \
	X(id.doing)           \
	X(id.write)           \
	X(id.target.pid)      \
	X(id.target.exec)     \
	X(id.target.start_ns) \
	X(uid)                \
	X(ns_pid)             \
	X(threads)            \
	X(mappings)           \
	X(exited)             \
	X(area.start)         \
	X(area.end)           \
	X(area.offset)        \
	X(area.inode)         \
	X(area.dev_major)     \
	X(area.dev_minor)

#define ONE(field) +1
enum { NFIELDS = 0 FIELDS(ONE), PERMS = NFIELDS, VALUES, NWORDS = VALUES + VML_NMETRICS };
_Static_assert(NWORDS <= 64, "which of them differ is one number");
_Static_assert(sizeof(((struct vml_area *)0)->perms) <= sizeof(uint64_t), "a number, too");

static void to_words(const struct vml_row *r, uint64_t word[NWORDS])
{
	size_t n = 0;

#define FROM_FIELD(field) word[n++] = r->field;
	FIELDS(FROM_FIELD)
	word[PERMS] = 0;
	memcpy(&word[PERMS], r->area.perms, sizeof(r->area.perms));
	memcpy(&word[VALUES], r->value, sizeof(r->value));
}

static void from_words(const uint64_t word[NWORDS], struct vml_row *r)
{
	size_t n = 0;

#define TO_FIELD(field) r->field = word[n++];
	FIELDS(TO_FIELD)
	memcpy(r->area.perms, &word[PERMS], sizeof(r->area.perms));
	memcpy(r->value, &word[VALUES], sizeof(r->value));
}

#define NTEXTS 9
static void texts_of(struct vml_row *r, const char **text[NTEXTS])
{
	const char **const of[NTEXTS] = { &r->comm, &r->cgroup, &r->area.kind,	   &r->area.name,    &r->context,
					  &r->lock, &r->target, &r->target_cgroup, &r->victim_cgroup };

	memcpy(text, of, sizeof(of));
}

static bool same_text(const char *a, const char *b)
{
	return a == b || (a && b && !strcmp(a, b));
}

static bool is_there(const struct vml_hist *h)
{
	return h->bucket.n || h->count || h->sum_ns || h->max_ns;
}

/* ---- packing */

struct out {
	unsigned char *byte;
	size_t n, room;
	int err;
};

static void put_bytes(struct out *o, const void *p, size_t n)
{
	size_t room = o->room ? o->room : 4096;
	unsigned char *more;

	while (room - o->n < n)
		room *= 2;
	if (room != o->room) {
		more = o->err ? NULL : realloc(o->byte, room);
		if (!more) {
			o->err = -ENOMEM;
			return;
		}
		o->byte = more;
		o->room = room;
	}
	memcpy(o->byte + o->n, p, n);
	o->n += n;
}

static void put(struct out *o, uint64_t v)
{
	unsigned char byte[10];
	size_t n = 0;

	for (; v >= 0x80; v >>= 7)
		byte[n++] = (unsigned char)(v | 0x80);
	byte[n++] = (unsigned char)v;
	put_bytes(o, byte, n);
}

static void put_words(struct out *o, const struct vml_row *r, const struct vml_row *before)
{
	uint64_t now[NWORDS], was[NWORDS], differ = 0;
	int i;

	to_words(r, now);
	to_words(before, was);
	for (i = 0; i < NWORDS; i++)
		differ |= (uint64_t)(now[i] != was[i]) << i;
	put_bytes(o, &differ, sizeof(differ));
	for (i = 0; i < NWORDS; i++) {
		if (differ >> i & 1)
			put(o, now[i] ^ was[i]);
	}
}

static void put_texts(struct out *o, struct vml_row r, struct vml_row before)
{
	const char **now[NTEXTS], **was[NTEXTS];
	uint32_t differ = 0, null = 0;
	int i;

	texts_of(&r, now);
	texts_of(&before, was);
	for (i = 0; i < NTEXTS; i++) {
		differ |= (uint32_t)!same_text(*now[i], *was[i]) << i;
		null |= (uint32_t) !*now[i] << i;
	}
	put(o, differ);
	put(o, differ & null);
	for (i = 0; i < NTEXTS; i++) {
		if (differ >> i & 1 && *now[i])
			put_bytes(o, *now[i], strlen(*now[i]) + 1);
	}
}

static size_t put_tally(struct out *o, const struct vml_tally *t)
{
	uint32_t i, last = 0;

	put(o, t->n);
	for (i = 0; i < t->n; i++) {
		put(o, t->cell[i].index - last);
		put(o, t->cell[i].count);
		last = t->cell[i].index;
	}
	return t->n;
}

static size_t put_hists(struct out *o, const struct vml_hist hist[VML_HISTS])
{
	uint64_t there = 0;
	size_t cells = 0;
	int i;

	for (i = 0; i < VML_HISTS; i++)
		there |= (uint64_t)is_there(&hist[i]) << i;
	put(o, there);
	for (i = 0; i < VML_HISTS; i++) {
		if (!(there >> i & 1))
			continue;
		cells += put_tally(o, &hist[i].bucket);
		put(o, hist[i].count);
		put(o, hist[i].sum_ns);
		put(o, hist[i].max_ns);
	}
	return cells;
}

/* What the first row differs from. */
static const struct vml_row nothing;

static int pack_rows(const struct vml_rows *rows, struct packed_rows *ret)
{
	const struct vml_row *before = &nothing;
	struct out o = { 0 };
	size_t i, cells;

	for (i = 0; i < rows->n && !o.err; i++) {
		const struct vml_row *r = &rows->row[i];

		if (i && vml_id_compare(&before->id, &r->id) >= 0)
			o.err = -EINVAL;
		put_words(&o, r, before);
		put_texts(&o, *r, *before);
		cells = put_tally(&o, &r->reasons) + put_hists(&o, r->hist);
		if (cells > ret->most)
			ret->most = cells;
		before = r;
	}
	if (o.err) {
		free(o.byte);
		return o.err;
	}
	ret->bytes = o.n ? realloc(o.byte, o.n) : NULL;
	if (!ret->bytes)
		ret->bytes = o.byte;
	ret->n = rows->n;
	return 0;
}

int vml_pack(const struct vml_snapshot *s, struct vml_packed **ret)
{
	struct vml_packed *p = calloc(1, sizeof(*p));
	int scope, err;

	if (!p)
		return -ENOMEM;
	err = vml_snapshot_rest(s, &p->rest);
	for (scope = 0; scope < VML_NSCOPES && !err; scope++)
		err = pack_rows(&s->rows[scope], &p->rows[scope]);
	if (err)
		vml_packed_free(p);
	else
		*ret = p;
	return err;
}

void vml_packed_free(struct vml_packed *p)
{
	int scope;

	if (!p)
		return;
	for (scope = 0; scope < VML_NSCOPES; scope++)
		free(p->rows[scope].bytes);
	vml_snapshot_free(p->rest);
	free(p);
}

/* ---- unpacking */

struct vml_unpack {
	const unsigned char *at;
	size_t left; /* rows */
	uint64_t word[NWORDS];
	struct vml_row row;
	size_t used;
	struct vml_cell cell[]; /* of this row */
};

struct vml_unpack *vml_unpack_begin(const struct vml_packed *p, enum vml_scope scope)
{
	const struct packed_rows *rows = &p->rows[scope];
	struct vml_unpack *u = calloc(1, sizeof(*u) + rows->most * sizeof(u->cell[0]));

	if (u) {
		u->at = rows->bytes;
		u->left = rows->n;
	}
	return u;
}

void vml_unpack_end(struct vml_unpack *u)
{
	free(u);
}

static uint64_t get(struct vml_unpack *u)
{
	uint64_t v = 0;
	int shift;

	for (shift = 0; *u->at & 0x80; shift += 7)
		v |= (uint64_t)(*u->at++ & 0x7f) << shift;
	return v | (uint64_t)*u->at++ << shift;
}

static void get_words(struct vml_unpack *u)
{
	uint64_t differ;
	int i;

	memcpy(&differ, u->at, sizeof(differ));
	u->at += sizeof(differ);
	for (i = 0; i < NWORDS; i++) {
		if (differ >> i & 1)
			u->word[i] ^= get(u);
	}
	from_words(u->word, &u->row);
}

static void get_texts(struct vml_unpack *u)
{
	uint64_t differ = get(u), null = get(u);
	const char **text[NTEXTS];
	int i;

	texts_of(&u->row, text);
	for (i = 0; i < NTEXTS; i++) {
		if (!(differ >> i & 1))
			continue;
		*text[i] = null >> i & 1 ? NULL : (const char *)u->at;
		if (*text[i])
			u->at += strlen(*text[i]) + 1;
	}
}

static struct vml_tally get_tally(struct vml_unpack *u)
{
	struct vml_tally t = { .n = (uint32_t)get(u), .cell = &u->cell[u->used] };
	uint32_t i, last = 0;

	for (i = 0; i < t.n; i++) {
		last += (uint32_t)get(u);
		u->cell[u->used++] = (struct vml_cell){ .index = last, .count = get(u) };
	}
	return t;
}

static void get_hists(struct vml_unpack *u)
{
	uint64_t there = get(u);
	int i;

	for (i = 0; i < VML_HISTS; i++) {
		struct vml_hist *h = &u->row.hist[i];

		*h = (struct vml_hist){ 0 };
		if (!(there >> i & 1))
			continue;
		h->bucket = get_tally(u);
		h->count = get(u);
		h->sum_ns = get(u);
		h->max_ns = get(u);
	}
}

const struct vml_row *vml_unpack_next(struct vml_unpack *u)
{
	if (!u->left)
		return NULL;
	u->left--;
	u->used = 0;
	get_words(u);
	get_texts(u);
	u->row.reasons = get_tally(u);
	get_hists(u);
	return &u->row;
}

/* ---- all at once */

static int unpack_row(struct vml_arena *a, const struct vml_row *r, struct vml_row *ret)
{
	int err;

	*ret = *r;
	err = model_keep_tally(a, &ret->reasons);
	return err ? err : model_keep_hists(a, ret->hist);
}

static int unpack_rows(struct vml_snapshot *s, const struct vml_packed *p, enum vml_scope scope)
{
	struct vml_unpack *u = vml_unpack_begin(p, scope);
	struct vml_rows *rows = &s->rows[scope];
	const struct vml_row *r;
	int err = 0;

	rows->row = vml_arena_alloc(s->arena, p->rows[scope].n * sizeof(*rows->row));
	if (!u || !rows->row)
		err = -ENOMEM;
	while (!err && (r = vml_unpack_next(u)))
		err = unpack_row(s->arena, r, &rows->row[rows->n++]);
	vml_unpack_end(u);
	return err;
}

int vml_unpack(const struct vml_packed *p, struct vml_snapshot **ret)
{
	struct vml_snapshot *s = vml_snapshot_new();
	struct vml_arena *arena;
	int scope, err = 0;

	if (!s)
		return -ENOMEM;
	arena = s->arena;
	*s = *p->rest;
	s->arena = arena;
	memset(s->rows, 0, sizeof(s->rows));
	for (scope = 0; scope < VML_NSCOPES && !err; scope++)
		err = unpack_rows(s, p, scope);
	if (err)
		vml_snapshot_free(s);
	else
		*ret = s;
	return err;
}
