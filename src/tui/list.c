// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Which rows and columns a table has, and where its cursor stands. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "screen.h"

/* What the last column has at least: a command, less on a small screen; a cgroup. */
#define LAST_COLUMN_MIN 12
#define LAST_COLUMN_SMALL 8
#define LAST_COLUMN_FOLDED 32

bool tui_is_table(enum tui_view v)
{
	return v <= TUI_VMAS || v == TUI_BLOCKERS;
}

bool tui_is_text(enum tui_view v)
{
	return v == TUI_DOCTOR || v == TUI_HELP;
}

enum vml_scope tui_scope(enum tui_view v)
{
	static const enum vml_scope of[TUI_NVIEWS] = {
		[TUI_THREADS] = VML_THREAD,
		[TUI_VMAS] = VML_VMA,
		[TUI_BLOCKERS] = VML_BLOCKER,
	};

	return of[v];
}

bool tui_is_folded(struct tui *t)
{
	return t->fold && tui_here(t)->view == TUI_PROCESSES && tui_here(t)->focus == TUI_HOST;
}

const struct vml_column *tui_sort_column(struct tui *t, enum vml_scope scope)
{
	enum vml_metric usual = scope == VML_BLOCKER ? VML_BLAMED_NS : VML_FALLBACKS;

	return t->sort[scope] ? t->sort[scope] : vml_column_find(scope, vml_metric_info(usual)->key);
}

/* ---- rows */

static bool same_process(const struct vml_id *a, const struct vml_id *b)
{
	return a->pid == b->pid && a->start_ns == b->start_ns && a->exec == b->exec;
}

static bool is_image(const struct vml_id *a, const struct vml_image *i)
{
	return a->pid == i->pid && a->start_ns == i->start_ns && a->exec == i->exec;
}

static const char *cgroup_of(const struct vml_snapshot *s, const struct vml_row *r)
{
	struct vml_id id = { .pid = r->id.pid, .exec = r->id.exec, .start_ns = r->id.start_ns };
	const struct vml_row *process = vml_rows_find(&s->rows[VML_PROCESS], &id);

	return process ? process->cgroup : r->cgroup;
}

static bool in_cgroup(const struct vml_id *place, const char *cgroup)
{
	struct vml_id id = tui_fold_id(cgroup);

	return !vml_id_compare(&id, place);
}

/* A blocker belongs to its process, and to the one whose lock it held. */
static bool blocker_in_focus(const struct tui_place *p, const struct vml_snapshot *s, const struct vml_row *r)
{
	if (p->focus == TUI_CGROUP)
		return in_cgroup(&p->id, cgroup_of(s, r)) || in_cgroup(&p->id, r->target_cgroup);
	return same_process(&r->id, &p->id) || is_image(&p->id, &r->id.target);
}

static bool in_focus(struct tui *t, const struct vml_snapshot *s, enum vml_scope scope, const struct vml_row *r)
{
	const struct tui_place *p = tui_here(t);

	if (scope == VML_BLOCKER && p->focus != TUI_HOST)
		return blocker_in_focus(p, s, r);
	switch (p->focus) {
	case TUI_HOST:
		return true;
	case TUI_CGROUP:
		return in_cgroup(&p->id, cgroup_of(s, r));
	case TUI_PROCESS:
		return same_process(&r->id, &p->id);
	case TUI_THREAD:
		return scope == VML_THREAD ? !vml_id_compare(&r->id, &p->id) : same_process(&r->id, &p->id);
	case TUI_VMA:
		return scope == VML_VMA ? !vml_id_compare(&r->id, &p->id) : same_process(&r->id, &p->id);
	case TUI_BLOCKER: /* those it held up, and it */
		return is_image(&r->id, &p->id.target) || same_process(&r->id, &p->id);
	}
	return false;
}

bool tui_row_matches(const struct vml_row *r, enum vml_scope scope, const char *what)
{
	bool has_tid = scope == VML_THREAD || (scope == VML_BLOCKER && r->id.tid);
	char number[32];

	snprintf(number, sizeof(number), "%u", has_tid ? r->id.tid : r->id.pid);
	if (r->id.pid && strstr(number, what))
		return true;
	if (strcasestr(r->comm, what) || strcasestr(r->cgroup, what))
		return true;
	if (scope == VML_BLOCKER)
		return strcasestr(r->context, what) || strcasestr(r->lock, what) || strcasestr(r->target, what);
	return scope == VML_VMA && (strcasestr(r->area.name, what) || strcasestr(r->area.kind, what));
}

static int reserve(struct tui *t, size_t n)
{
	const struct vml_row **row;

	if (n <= t->rows_max)
		return 0;
	row = reallocarray(t->row, n, sizeof(*row));
	if (!row)
		return -ENOMEM;
	t->row = row;
	t->rows_max = n;
	return 0;
}

static bool is_listed(const struct tui *t, const struct vml_row *r)
{
	size_t i;

	for (i = 0; i < t->nrows; i++)
		if (t->row[i] == r)
			return true;
	return false;
}

/* A row that is followed stays, also while it does nothing. */
static void keep_followed(struct tui *t, const struct vml_snapshot *s, enum vml_scope scope)
{
	const struct vml_row *r = t->follow ? vml_rows_find(&s->rows[scope], &t->followed) : NULL;

	if (r && !is_listed(t, r) && in_focus(t, s, scope, r))
		t->row[t->nrows++] = r;
}

static int fill(struct tui *t, struct vml_snapshot *s, enum vml_scope scope)
{
	const struct vml_row **ranked;
	size_t i, n, limit = t->o.limit ? t->o.limit : SIZE_MAX;
	int err = vml_rank(s, scope, t->sort[scope], t->invert[scope], t->o.limit == 0, 0, &ranked, &n);

	if (!err)
		err = reserve(t, n + 1);
	if (err)
		return err;
	for (i = 0; i < n && t->nrows < limit; i++) {
		if (!in_focus(t, s, scope, ranked[i]))
			continue;
		if (*t->row_filter && !tui_row_matches(ranked[i], scope, t->row_filter))
			continue;
		t->row[t->nrows++] = ranked[i];
	}
	keep_followed(t, s, scope);
	return 0;
}

static void place_cursor(struct tui *t)
{
	struct tui_cursor *c = tui_cursor(t);
	size_t i;

	for (i = 0; t->follow && i < t->nrows; i++)
		if (!vml_id_compare(&t->row[i]->id, &t->followed)) {
			c->at = i;
			return;
		}
	if (c->at >= t->nrows)
		c->at = t->nrows ? t->nrows - 1 : 0;
}

int tui_list_update(struct tui *t)
{
	enum tui_view view = tui_here(t)->view;
	struct vml_snapshot *s = t->delta;
	int err = 0;

	if (!t->list_stale)
		return 0;
	t->nrows = 0;
	if (s && tui_is_table(view)) {
		if (tui_is_folded(t) && !t->folded)
			err = tui_fold(t->delta, &t->folded);
		if (!err)
			err = fill(t, tui_is_folded(t) ? t->folded : s, tui_scope(view));
		if (err)
			return err;
		place_cursor(t);
	}
	t->list_stale = false;
	return 0;
}

const struct vml_row *tui_selected(struct tui *t)
{
	size_t at = tui_cursor(t)->at;

	return tui_is_table(tui_here(t)->view) && !t->list_stale && at < t->nrows ? t->row[at] : NULL;
}

/* ---- columns */

static bool is_one_of(const struct vml_column *c, const char *const *keys)
{
	for (; *keys; keys++)
		if (!strcmp(c->key, *keys))
			return true;
	return false;
}

/* What a sum of processes does not have. */
static bool is_hidden(struct tui *t, const struct vml_column *c)
{
	static const char *const of_one[] = { "pid", "ns_pid", "uid", "cgroup", NULL };

	return tui_is_folded(t) && is_one_of(c, of_one);
}

static bool is_known(struct tui *t, enum vml_scope scope, const struct vml_column *c)
{
	return c->metric < 0 || tui_shown(t)->have[scope] & VML_METRIC_BIT(c->metric);
}

static int last_min(struct tui *t, const struct vml_column *last, int width)
{
	if (width < 40)
		return LAST_COLUMN_SMALL;
	if (tui_is_folded(t))
		return LAST_COLUMN_FOLDED;
	return last->width ? last->width : LAST_COLUMN_MIN;
}

size_t tui_list_columns(struct tui *t, int width, struct tui_shown_column ret[TUI_COLUMNS_MAX])
{
	enum vml_scope scope = tui_scope(tui_here(t)->view);
	const struct vml_column *const *all = vml_columns(scope), *sort = tui_sort_column(t, scope);
	bool shown[TUI_COLUMNS_MAX] = { false };
	size_t i, n = 0, last = 0;
	int pass, used, col = 0;

	while (all[last + 1] && last + 1 < TUI_COLUMNS_MAX)
		last++;
	shown[last] = true;
	used = last_min(t, all[last], width);
	/* what it is sorted by, then what is known, then what is not */
	for (pass = 0; pass < 3; pass++)
		for (i = 0; i < last; i++) {
			bool wanted = pass == 0 ? all[i] == sort : is_known(t, scope, all[i]) == (pass == 1);

			if (shown[i] || !wanted || is_hidden(t, all[i]))
				continue;
			if (used + all[i]->width + 1 > width) {
				pass = 3;
				break;
			}
			shown[i] = true;
			used += all[i]->width + 1;
		}
	for (i = 0; i <= last; i++) {
		if (!shown[i])
			continue;
		ret[n] = (struct tui_shown_column){ .column = all[i], .col = col, .width = all[i]->width };
		if (i == last)
			ret[n].width = width - col;
		col += ret[n++].width + 1;
	}
	return n;
}
