/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include <ctype.h>
#include <errno.h>
#include <search.h>
#include <stdlib.h>
#include <string.h>

#include "export/state.h"
#include "vmalock/base.h"

/* With their zeros: "a", "bc" is not "ab", "c". */
static uint64_t hash_of(const char *a, const char *b)
{
	return vml_hash(vml_hash(VML_HASH_NOTHING, a, strlen(a) + 1), b, strlen(b) + 1);
}

static int compare(uint64_t x, uint64_t y, const char *xa, const char *ya, const char *xb, const char *yb)
{
	int c = (x > y) - (x < y);

	c = c ? c : strcmp(xa, ya);
	return c ? c : strcmp(xb, yb);
}

static int compare_paths(const void *a, const void *b)
{
	const struct path *x = a, *y = b;

	return compare(x->hash, y->hash, x->path, y->path, x->comm, y->comm);
}

static int compare_rows(const void *a, const void *b)
{
	const struct row *x = a, *y = b;

	return compare(x->hash, y->hash, x->cgroup, y->cgroup, x->comm, y->comm);
}

/* Room for one more pointer in an array of them. */
static int grow(void *array, size_t n, size_t *room)
{
	void **p = *(void ***)array;
	size_t more = *room ? 2 * *room : 64;

	if (n < *room)
		return 0;
	p = reallocarray(p, more, sizeof(*p));
	if (!p)
		return -ENOMEM;
	*(void ***)array = p;
	*room = more;
	return 0;
}

/* @n strings behind a structure of @size in one allocation. */
static void *with_texts(size_t size, const char *const text[], size_t n, const char *ret_text[])
{
	size_t bytes = size, i;
	char *p, *at;

	for (i = 0; i < n; i++)
		bytes += strlen(text[i]) + 1;
	p = calloc(1, bytes);
	if (!p)
		return NULL;
	for (i = 0, at = p + size; i < n; i++) {
		ret_text[i] = strcpy(at, text[i]);
		at += strlen(text[i]) + 1;
	}
	return p;
}

/* ---- rows */

static struct row *make_row(struct vml_export *e, const struct vml_cgroup *c, const char *comm, uint64_t hash)
{
	const char *const text[] = {
		c->name, comm, c->path, c->kind, c->unit, c->pod_uid, c->container_id, c->runtime
	};
	const char *copy[VML_ARRAY_SIZE(text)];
	struct row *r;

	if (grow(&e->rows, e->nrows, &e->rows_room))
		return NULL;
	r = with_texts(sizeof(*r), text, VML_ARRAY_SIZE(text), copy);
	if (!r)
		return NULL;
	r->hash = hash;
	r->cgroup = copy[0];
	r->comm = copy[1];
	r->path = copy[2];
	r->kind = copy[3];
	r->unit = copy[4];
	r->pod_uid = copy[5];
	r->container_id = copy[6];
	r->runtime = copy[7];
	if (!tsearch(r, &e->by_label, compare_rows)) {
		free(r);
		return NULL;
	}
	e->rows[e->nrows++] = r;
	return r;
}

static struct row *row_by_label(struct vml_export *e, const struct vml_cgroup *c, const char *comm)
{
	const struct row key = { .hash = hash_of(c->name, comm), .cgroup = c->name, .comm = comm };
	struct row *const *found = tfind(&key, &e->by_label, compare_rows);

	return found ? *found : make_row(e, c, comm, key.hash);
}

static void free_row(struct row *r)
{
	row_drop_series(r);
	free(r);
}

void row_turn(struct row *r, uint64_t minute)
{
	uint64_t old = r->minute ? minute - r->minute : WINDOW_MINUTES;

	for (uint64_t i = 0; i < old && i < WINDOW_MINUTES; i++) {
		r->blocked[(minute - i) % WINDOW_MINUTES] = 0;
		r->faults[(minute - i) % WINDOW_MINUTES] = 0;
	}
	r->minute = minute;
	r->score = r->score_faults = 0;
	for (int i = 0; i < WINDOW_MINUTES; i++) {
		r->score += r->blocked[i];
		r->score_faults += r->faults[i];
	}
}

/* ---- paths */

/* Digits to '#': "worker-17" and "worker-18" are one. */
static void fold_comm(char *dst, size_t n, const char *comm)
{
	size_t i;

	for (i = 0; i + 1 < n && comm[i]; i++)
		dst[i] = isdigit((unsigned char)comm[i]) ? '#' : comm[i];
	dst[i] = '\0';
}

/*
 * What comes from a delta is clean.  It is looked at again before it becomes a
 * label: one byte that is no UTF-8 would make the whole exposition unreadable.
 */
static const char *make_clean(const char *text, char *buf, size_t n)
{
	if (vml_text_is_clean(text))
		return text;
	vml_text_clean(buf, n, text, strlen(text));
	return buf;
}

static struct path *make_path(struct vml_export *e, const struct path *key)
{
	const char *const text[] = { key->path, key->comm };
	const char *copy[VML_ARRAY_SIZE(text)];
	char clean[4096], clean_comm[256];
	struct vml_cgroup c;
	struct path *p;

	if (grow(&e->paths, e->npaths, &e->paths_room))
		return NULL;
	vml_cgroup_parse(make_clean(key->path, clean, sizeof(clean)), &c);
	p = with_texts(sizeof(*p), text, VML_ARRAY_SIZE(text), copy);
	if (!p)
		return NULL;
	p->hash = key->hash;
	p->path = copy[0];
	p->comm = copy[1];
	p->row = row_by_label(e, &c, make_clean(key->comm, clean_comm, sizeof(clean_comm)));
	if (!p->row || !tsearch(p, &e->by_path, compare_paths)) {
		free(p);
		return NULL;
	}
	p->row->paths++;
	e->paths[e->npaths++] = p;
	return p;
}

struct row *row_of(struct vml_export *e, const char *path, const char *comm)
{
	char folded[64] = "";
	struct path key = { .path = path, .comm = folded }, *p, *const * found;

	if (e->options.comm)
		fold_comm(folded, sizeof(folded), comm);
	key.hash = hash_of(path, folded);
	found = tfind(&key, &e->by_path, compare_paths);
	p = found ? *found : make_path(e, &key);
	if (!p)
		return NULL;
	p->gen = e->gen;
	return p->row;
}

static void forget_path(struct vml_export *e, size_t i)
{
	struct path *p = e->paths[i];

	tdelete(p, &e->by_path, compare_paths);
	p->row->paths--;
	free(p);
	e->paths[i] = e->paths[--e->npaths];
}

static void forget_row(struct vml_export *e, size_t i)
{
	tdelete(e->rows[i], &e->by_label, compare_rows);
	free_row(e->rows[i]);
	e->rows[i] = e->rows[--e->nrows];
}

void rows_sweep(struct vml_export *e)
{
	for (size_t i = e->npaths; i--;)
		if (e->paths[i]->gen != e->gen)
			forget_path(e, i);
	for (size_t i = e->nrows; i--;)
		if (e->rows[i]->state == ROW_FOLDED && !e->rows[i]->paths)
			forget_row(e, i);
}

void rows_free(struct vml_export *e)
{
	while (e->npaths)
		forget_path(e, e->npaths - 1);
	while (e->nrows)
		forget_row(e, e->nrows - 1);
	free(e->paths);
	free(e->rows);
	row_drop_series(&e->other);
}
