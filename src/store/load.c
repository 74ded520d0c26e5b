/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "load.h"
#include "vmalock/base.h"
#include "vmalock/guard.h"
#include "vmalock/caps.h"

/* ---- one delta */

static void read_metrics(sqlite3_stmt *st, int at, uint64_t columns, uint64_t have, uint64_t *value)
{
	int m;

	for (m = 0; m < VML_NMETRICS; m++) {
		if (!(columns & VML_METRIC_BIT(m)))
			continue;
		if (have & VML_METRIC_BIT(m))
			value[m] = db_u64(st, at);
		at++;
	}
}

/* The texts of a subject are the loader's; a snapshot has its own. */
static int own_texts(struct vml_arena *a, struct vml_row *r, enum vml_scope scope)
{
	const char **const text[] = { &r->comm, &r->cgroup, &r->area.kind,     &r->area.name,	 &r->context,
				      &r->lock, &r->target, &r->target_cgroup, &r->victim_cgroup };
	size_t i, n = scope == VML_BLOCKER ? VML_ARRAY_SIZE(text) : 4;

	for (i = 0; i < n; i++) {
		*text[i] = **text[i] ? vml_arena_strdup(a, *text[i]) : "";
		if (!*text[i])
			return -ENOMEM;
	}
	if (scope != VML_BLOCKER)
		r->context = NULL;
	return 0;
}

static struct loading *new_row(struct load *w, enum vml_scope scope)
{
	struct loading *more;

	if (w->n[scope] == w->size[scope]) {
		size_t size = w->size[scope] ? 2 * w->size[scope] : 64;

		more = realloc(w->row[scope], size * sizeof(*more));
		if (!more)
			return NULL;
		w->row[scope] = more;
		w->size[scope] = size;
	}
	return &w->row[scope][w->n[scope]++];
}

static int read_row(struct load *w, sqlite3_stmt *st, enum vml_scope scope)
{
	struct loading *r = new_row(w, scope);
	const struct load_subject *subject;
	int err;

	if (!r)
		return -ENOMEM;
	r->subject = sqlite3_column_int64(st, 0);
	err = load_subject(w->l, r->subject, &subject);
	if (err)
		return err;
	if (subject->scope != (int)scope)
		return -EBADMSG;
	r->row = subject->row;
	r->row.exited = sqlite3_column_int64(st, 1);
	r->row.threads = db_u32(st, 2, UINT32_MAX, &err);
	r->row.mappings = db_u32(st, 3, UINT32_MAX, &err);
	read_metrics(st, 4, w->l->metrics[scope], w->s->have[scope], r->row.value);
	return err ? err : own_texts(w->s->arena, &r->row, scope);
}

static int read_rows(struct load *w, enum vml_scope scope)
{
	sqlite3_stmt *st = w->l->row[scope];
	int err;

	db_bind(st, 1, (uint64_t)w->interval);
	while ((err = db_row(st)) == 1) {
		err = read_row(w, st, scope);
		if (err)
			break;
	}
	sqlite3_reset(st);
	return err;
}

static int compare_loading(const void *key, const void *item)
{
	const struct loading *a = key, *b = item;

	return (a->subject > b->subject) - (a->subject < b->subject);
}

struct vml_row *load_row(struct load *w, int64_t subject)
{
	const struct loading key = { .subject = subject };
	struct loading *found = NULL;
	int scope;

	for (scope = 0; scope < VML_NSCOPES && !found; scope++)
		if (w->n[scope])
			found = bsearch(&key, w->row[scope], w->n[scope], sizeof(key), compare_loading);
	return found ? &found->row : NULL;
}

/* ---- the whole */

static int read_duty(struct vml_snapshot *s, sqlite3_stmt *st, int at)
{
	struct vml_duty *d = &s->duty;
	int err = 0;

	d->attached_ns = db_u64(st, at);
	d->of_ns = db_u64(st, at + 1);
	d->step = db_u32(st, at + 2, VML_NDUTY_STEPS - 1, &err);
	d->extrapolated = db_u64(st, at + 3);
	d->borrowed = db_u64(st, at + 4);
	d->held = db_u64(st, at + 5);
	d->unknown = db_u64(st, at + 6);
	return err ? err : d->attached_ns > d->of_ns ? -EBADMSG : 0;
}

static void read_kernel(struct vml_kernel_counts *k, sqlite3_stmt *st, int at)
{
	k->known = sqlite3_column_type(st, at) != SQLITE_NULL;
	k->success = db_u64(st, at);
	k->abort = db_u64(st, at + 1);
	k->retry = db_u64(st, at + 2);
	k->miss = db_u64(st, at + 3);
}

static int read_interval(struct load *w)
{
	sqlite3_stmt *st = w->l->interval;
	struct vml_snapshot *s = w->s;
	int err;

	db_bind(st, 1, (uint64_t)w->interval);
	err = db_row(st);
	if (err == 1) {
		err = load_config(w->l, sqlite3_column_int64(st, 0), &w->config);
		s->real_ns = db_u64(st, 1);
		s->boot_ns = db_u64(st, 2);
		s->interval_ns = db_u64(st, 3);
		s->self.cpu_ns = db_u64(st, 4);
		s->self.rss_bytes = db_u64(st, 5);
		s->self.map_bytes = db_u64(st, 6);
		s->self.bpf_runs = db_u64(st, 7);
		s->self.foreign_mmap_locks = db_u64(st, 8);
		s->self.ledger_error_ns = db_u64(st, 9);
		s->self.maps_read = db_u64(st, 10);
		s->self.bpf_cost_known = sqlite3_column_type(st, 11) != SQLITE_NULL;
		s->self.bpf_cost_ns = db_u64(st, 11);
		s->self.bpf_hot_ns = db_u64(st, 12);
		s->self.bpf_full_ns = db_u64(st, 13);
		if (!err)
			err = read_duty(s, st, 14);
		read_kernel(&s->kernel, st, 21);
		s->self.bpf_calibrations = db_u64(st, 25);
		s->self.evicted_rows = db_u64(st, 26);
		s->self.evicted_known = sqlite3_column_type(st, 26) != SQLITE_NULL;
		s->self.map_limit_bytes = db_u64(st, 27);
		if (!err)
			read_metrics(st, 28, w->l->totals, w->config->have[VML_PROCESS], s->total);
		if (!err && (!s->interval_ns || s->interval_ns > s->boot_ns))
			err = -EBADMSG;
	} else if (!err) {
		err = -ESTALE;
	}
	sqlite3_reset(st);
	return err;
}

static int own_circumstances(struct load *w)
{
	const struct config_read *c = w->config;
	struct vml_snapshot *s = w->s;
	const char **const text[] = { &s->host.name, &s->host.boot_id, &s->host.machine, &s->host.kernel };
	size_t i;

	s->host = c->host;
	s->selected = c->selected;
	s->have_reasons = c->have_reasons;
	s->self.from_bpf = c->from_bpf;
	memcpy(s->have, c->have, sizeof(s->have));
	for (i = 0; i < VML_ARRAY_SIZE(text); i++) {
		*text[i] = vml_arena_strdup(s->arena, *text[i]);
		if (!*text[i])
			return -ENOMEM;
	}
	if (!c->caps)
		return 0;
	s->caps = vml_caps_copy(s->arena, c->caps);
	return s->caps ? 0 : -ENOMEM;
}

static int by_id(const void *a, const void *b)
{
	return vml_id_compare(&((const struct vml_row *)a)->id, &((const struct vml_row *)b)->id);
}

static int sort_rows(struct load *w, enum vml_scope scope)
{
	struct vml_rows *rows = &w->s->rows[scope];
	size_t i;

	rows->row = vml_arena_alloc(w->s->arena, w->n[scope] * sizeof(*rows->row));
	if (!rows->row)
		return -ENOMEM;
	rows->n = w->n[scope];
	for (i = 0; i < rows->n; i++)
		rows->row[i] = w->row[scope][i].row;
	qsort(rows->row, rows->n, sizeof(*rows->row), by_id);
	for (i = 1; i < rows->n; i++)
		if (!by_id(&rows->row[i - 1], &rows->row[i]))
			return -EBADMSG;
	return 0;
}

static int load(struct load *w)
{
	int scope, err = read_interval(w);

	if (!err)
		err = own_circumstances(w);
	for (scope = 0; scope < VML_NSCOPES && !err; scope++)
		err = read_rows(w, scope);
	if (!err)
		err = load_details(w);
	for (scope = 0; scope < VML_NSCOPES && !err; scope++)
		err = sort_rows(w, scope);
	return err;
}

int loader_delta(struct loader *l, int64_t interval, struct vml_snapshot **ret)
{
	struct load w = { .l = l, .interval = interval, .s = vml_snapshot_new() };
	int scope, err;

	err = w.s ? loader_trim(l) : -ENOMEM;
	if (!err)
		err = load(&w);
	for (scope = 0; scope < VML_NSCOPES; scope++)
		free(w.row[scope]);
	if (err) {
		vml_snapshot_free(w.s);
		return err;
	}
	*ret = w.s;
	return 0;
}

int loader_add(struct loader *l, int64_t interval, struct vml_sum *sum)
{
	struct vml_snapshot *delta;
	int err = loader_delta(l, interval, &delta);

	if (err)
		return err;
	err = vml_sum_add(sum, delta);
	vml_snapshot_free(delta);
	return err;
}
