// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Which two snapshots are compared, and what the screen is about. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "vmalock/base.h"
#include "vmalock/sink.h"
#include "screen.h"

static const struct tui_pair *shown_pair(const struct tui *t)
{
	return t->paused ? &t->frozen : &t->live;
}

struct vml_snapshot *tui_shown(struct tui *t)
{
	return t->delta ? t->delta : shown_pair(t)->cur;
}

const struct vml_snapshot *tui_counted(struct tui *t)
{
	return t->replay ? t->delta : shown_pair(t)->cur;
}

static void drop_delta(struct tui *t)
{
	vml_snapshot_free(t->folded);
	vml_snapshot_free(t->delta);
	t->folded = t->delta = NULL;
	t->nrows = 0; /* they were its rows */
	t->list_stale = true;
}

/* Takes over @delta; NULL: there is none. */
static int show_delta(struct tui *t, struct vml_snapshot *delta)
{
	int err = delta ? vml_select(delta, &t->filter) : 0;

	if (err) {
		vml_snapshot_free(delta);
		return err;
	}
	drop_delta(t);
	t->delta = delta;
	return 0;
}

int tui_data_refresh(struct tui *t)
{
	const struct tui_pair *p = shown_pair(t);
	struct vml_snapshot *delta = NULL;
	int err = 0;

	if (t->replay)
		err = tui_replay_delta(t, &delta);
	else if (p->prev && p->cur)
		err = vml_delta(p->prev, p->cur, &delta);
	return err ? err : show_delta(t, delta);
}

/* The interval that ends with the newest snapshot; while paused the first one begins with what is shown. */
static int newest_delta(struct tui *t, struct vml_snapshot **ret)
{
	const struct vml_snapshot *before = t->live.prev ? t->live.prev : t->anew ? NULL : t->frozen.cur;

	*ret = NULL;
	return before ? vml_delta(before, t->live.cur, ret) : 0;
}

int tui_data_add(struct tui *t, struct vml_snapshot *s)
{
	struct vml_snapshot *delta;
	int err;

	vml_snapshot_free(t->live.prev);
	t->live.prev = t->live.cur;
	t->live.cur = s;
	err = newest_delta(t, &delta);
	if (err)
		return err;
	if (delta)
		tui_recent_add(t, delta);
	if (!t->paused)
		return show_delta(t, delta);
	vml_snapshot_free(delta);
	return 0;
}

static void free_pair(struct tui_pair *p)
{
	vml_snapshot_free(p->prev);
	vml_snapshot_free(p->cur);
	*p = (struct tui_pair){ 0 };
}

/*
 * Snapshots go on while paused, so that nothing is lost in the kernel for lack
 * of a reader; the pair that is shown is put aside.
 */
int tui_data_pause(struct tui *t, bool pause)
{
	if (pause == t->paused)
		return 0;
	if (pause) {
		t->anew = false;
		t->frozen = t->live;
		t->live = (struct tui_pair){ 0 };
		t->paused = true;
		return 0;
	}
	t->paused = false;
	if (!t->live.cur) {
		t->live = t->frozen;
		t->frozen = (struct tui_pair){ 0 };
		return 0;
	}
	if (!t->live.prev && !t->anew) {
		/* one snapshot since: the next interval shown is the pause so far */
		t->live.prev = t->frozen.cur;
		t->frozen.cur = NULL;
	}
	free_pair(&t->frozen);
	return tui_data_refresh(t);
}

int tui_data_begin(struct tui *t)
{
	free_pair(&t->live);
	t->anew = t->paused;
	return t->paused ? 0 : tui_data_refresh(t);
}

void tui_data_free(struct tui *t)
{
	drop_delta(t);
	free_pair(&t->live);
	free_pair(&t->frozen);
}

/* ---- the subject of reasons and histograms */

/* Reasons have only those who fault: for a blocker, the process that it held up. */
static const struct vml_row *target_row(struct tui *t)
{
	const struct vml_image *i = &tui_here(t)->id.target;
	struct vml_id id = { .pid = i->pid, .exec = i->exec, .start_ns = i->start_ns };

	return vml_rows_find(&t->delta->rows[VML_PROCESS], &id);
}

static const struct vml_row *focus_row(struct tui *t, enum vml_scope *scope)
{
	static const enum vml_scope of[] = {
		[TUI_CGROUP] = VML_PROCESS, [TUI_PROCESS] = VML_PROCESS, [TUI_THREAD] = VML_THREAD,
		[TUI_VMA] = VML_VMA,	    [TUI_BLOCKER] = VML_BLOCKER,
	};
	const struct tui_place *p = tui_here(t);

	*scope = of[p->focus];
	if (!t->delta)
		return NULL;
	if (p->focus == TUI_BLOCKER && p->view == TUI_REASONS) {
		*scope = VML_PROCESS;
		return target_row(t);
	}
	if (p->focus != TUI_CGROUP)
		return vml_rows_find(&t->delta->rows[*scope], &p->id);
	if (!t->folded && tui_fold(t->delta, &t->folded))
		return NULL;
	return vml_rows_find(&t->folded->rows[VML_PROCESS], &p->id);
}

void tui_subject(struct tui *t, struct tui_subject *ret)
{
	const struct vml_snapshot *s = tui_shown(t);
	enum vml_scope scope = VML_PROCESS;
	const struct vml_row *r = NULL;
	int i;

	*ret = (struct tui_subject){ 0 };
	if (tui_here(t)->focus == TUI_HOST) {
		vml_text_copy(ret->label, sizeof(ret->label), s->selected ? "the selected processes" : "the host");
		if (t->delta) {
			ret->hist = s->hist;
			ret->reasons = &s->reasons;
		}
	} else {
		vml_text_copy(ret->label, sizeof(ret->label), tui_here(t)->label);
		r = focus_row(t, &scope);
		if (tui_here(t)->focus == TUI_BLOCKER && scope == VML_PROCESS)
			vml_text_printf(ret->label, sizeof(ret->label), "%u %s", tui_here(t)->id.target.pid,
					r ? r->comm : "process");
		if (r) {
			ret->hist = r->hist;
			ret->reasons = &r->reasons;
		}
	}
	ret->only_known = scope == VML_BLOCKER;
	for (i = 0; i < VML_HISTS && scope == VML_BLOCKER; i++)
		ret->known[i] = r && r->hist[i].count; /* its holds, under the name of their lock */
	for (i = 0; i < VML_HISTS && scope != VML_BLOCKER; i++)
		ret->known[i] = s->have[scope] & VML_METRIC_BIT(vml_hist_metrics[i]);
	if (scope == VML_VMA) /* its waits are those of its faults, which read */
		ret->known[0] = s->have[scope] & VML_METRIC_BIT(VML_WAIT_NS);
}
