/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "model.h"
#include "vmalock/base.h"

/* What a row is ordered by, read once. */
struct key {
	const struct vml_row *row;
	const char *text; /* NULL: the numbers */
	double first, second;
	bool known;
};

/* The columns behind a key: @second decides where @first is equal; NULL: nothing. */
struct order {
	const struct vml_column *first, *second;
	bool ascending;
};

static struct order order_of(enum vml_scope scope, const struct vml_column *by, bool invert)
{
	if (!by && scope == VML_BLOCKER)
		return (struct order){
			.first = vml_column_find(scope, vml_metric_info(VML_BLAMED_NS)->key),
			.ascending = invert,
		};
	if (!by)
		return (struct order){
			.first = vml_column_find(scope, vml_metric_info(VML_FALLBACKS)->key),
			.second = vml_column_find(scope, vml_metric_info(VML_FAULTS)->key),
			.ascending = invert,
		};
	return (struct order){ .first = by, .ascending = by->ascending != invert };
}

static struct key key_of(const struct order *o, const struct vml_snapshot *s, enum vml_scope scope,
			 const struct vml_row *r)
{
	struct key k = { .row = r };

	if (o->first->unit == VML_UNIT_TEXT) {
		k.text = vml_column_string(o->first, r);
		k.known = k.text;
	} else {
		k.known = vml_column_number(o->first, s, scope, r, &k.first);
	}
	if (o->second && !vml_column_number(o->second, s, scope, r, &k.second))
		k.second = 0;
	return k;
}

static int compare_numbers(double x, double y)
{
	return (x > y) - (x < y);
}

static int compare_keys(const void *a, const void *b, void *order)
{
	const struct key *x = a, *y = b;
	const struct order *o = order;
	int c;

	if (x->known != y->known)
		return x->known ? -1 : 1;
	c = x->text && y->text ? strcmp(x->text, y->text) : compare_numbers(x->first, y->first);
	if (!c)
		c = compare_numbers(x->second, y->second);
	if (c)
		return o->ascending ? c : -c;
	return vml_id_compare(&x->row->id, &y->row->id);
}

static size_t collect(const struct order *o, const struct vml_snapshot *s, enum vml_scope scope, bool all,
		      struct key *key)
{
	const struct vml_rows *rows = &s->rows[scope];
	size_t i, n = 0;

	for (i = 0; i < rows->n; i++) {
		if (all || vml_row_changed(&rows->row[i]))
			key[n++] = key_of(o, s, scope, &rows->row[i]);
	}
	return n;
}

int vml_rank(struct vml_snapshot *s, enum vml_scope scope, const struct vml_column *by, bool invert, bool all,
	     size_t limit, const struct vml_row ***ret_rows, size_t *ret_n)
{
	struct order o = order_of(scope, by, invert);
	const struct vml_row **ranked;
	struct key *key;
	size_t n, i;

	/* from the heap: a screen ranks the same delta again with every key that is pressed */
	key = calloc(s->rows[scope].n + 1, sizeof(*key));
	if (!key)
		return -ENOMEM;
	n = collect(&o, s, scope, all, key);
	qsort_r(key, n, sizeof(*key), compare_keys, &o);
	if (limit && n > limit)
		n = limit;
	ranked = vml_arena_alloc(s->arena, n * sizeof(*ranked));
	if (ranked) {
		for (i = 0; i < n; i++)
			ranked[i] = key[i].row;
		*ret_rows = ranked;
		*ret_n = n;
	}
	free(key);
	return ranked ? 0 : -ENOMEM;
}
