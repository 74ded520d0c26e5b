// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* What the keys do; the table at the end binds them, and is what the help shows. */
#include <inttypes.h>
#include <stdio.h>

#include "vmalock/base.h"
#include "screen.h"

/* ---- movement */

bool tui_move(struct tui_cursor *cursor, size_t n, int page, int key)
{
	size_t last = n ? n - 1 : 0, step = page > 1 ? (size_t)page - 1 : 1;

	switch (key) {
	case TUI_KEY_UP:
	case 'k':
		cursor->at -= cursor->at > 0;
		break;
	case TUI_KEY_DOWN:
	case 'j':
		cursor->at++;
		break;
	case TUI_KEY_PAGE_UP:
		cursor->at -= cursor->at < step ? cursor->at : step;
		break;
	case TUI_KEY_PAGE_DOWN:
		cursor->at += step;
		break;
	case TUI_KEY_HOME:
		cursor->at = 0;
		break;
	case TUI_KEY_END:
		cursor->at = last;
		break;
	default:
		return false;
	}
	if (cursor->at > last)
		cursor->at = last;
	return true;
}

/* ---- places */

static int show(struct tui *t, enum tui_view view)
{
	struct tui_place *p = tui_here(t);

	if (p->focus == TUI_BLOCKER && view == TUI_BLOCKERS)
		view = TUI_HOLDER;
	if (tui_is_text(view) && !tui_is_text(p->view))
		p->back = p->view;
	p->view = view;
	t->list_stale = true;
	return 0;
}

static int show_number(struct tui *t, int key)
{
	return show(t, TUI_PROCESSES + (enum tui_view)(key - '1'));
}

static int show_next(struct tui *t, int key)
{
	int by = key == TUI_KEY_BACKTAB ? TUI_NTABS - 1 : 1;
	enum tui_view now = tui_here(t)->view == TUI_HOLDER ? TUI_BLOCKERS : tui_here(t)->view;

	return show(t, (enum tui_view)(((int)now + by) % TUI_NTABS));
}

/* The same key leads there and back. */
static int show_text(struct tui *t, int key)
{
	enum tui_view view = key == 'D' ? TUI_DOCTOR : TUI_HELP;

	return show(t, tui_here(t)->view == view ? tui_here(t)->back : view);
}

static int show_threads(struct tui *t, int key)
{
	(void)key;
	return show(t, tui_here(t)->view == TUI_THREADS ? TUI_PROCESSES : TUI_THREADS);
}

static void name_place(struct tui_place *p, const struct vml_row *r)
{
	char label[1024];

	switch (p->focus) {
	case TUI_HOST:
		return;
	case TUI_CGROUP:
		snprintf(label, sizeof(label), "%s", *r->cgroup ? r->cgroup : "unknown cgroup");
		break;
	case TUI_PROCESS:
		snprintf(label, sizeof(label), "%u %s", r->id.pid, r->comm);
		break;
	case TUI_THREAD:
		snprintf(label, sizeof(label), "thread %u %s", r->id.tid, r->comm);
		break;
	case TUI_VMA:
		if (r->area.end)
			snprintf(label, sizeof(label), "%" PRIx64 " %s", r->area.start, r->area.name);
		else
			snprintf(label, sizeof(label), "%s", r->area.kind);
		break;
	case TUI_BLOCKER:
		snprintf(label, sizeof(label), "%u %s in %s", r->id.tid ? r->id.tid : r->id.pid, r->comm, r->context);
		break;
	}
	vml_text_copy(p->label, sizeof(p->label), label);
}

static int go_in(struct tui *t, int key)
{
	static const struct {
		enum tui_focus focus;
		enum tui_view view;
	} into[] = {
		[TUI_PROCESSES] = { TUI_PROCESS, TUI_THREADS },
		[TUI_THREADS] = { TUI_THREAD, TUI_HISTOGRAM },
		[TUI_VMAS] = { TUI_VMA, TUI_HISTOGRAM },
		[TUI_BLOCKERS] = { TUI_BLOCKER, TUI_HOLDER },
	};
	const struct vml_row *r = tui_selected(t);
	struct tui_place *p = tui_here(t), *next;
	bool folded = tui_is_folded(t);

	(void)key;
	if (!r) {
		vml_text_copy(t->message, sizeof(t->message), "no row is selected that has more to show");
		return 0;
	}
	/* already in this very row */
	if (p->focus == into[p->view].focus && !folded)
		return show(t, into[p->view].view);
	if (t->depth + 1 == TUI_DEPTH)
		return 0;
	next = &t->place[t->depth + 1];
	*next = (struct tui_place){ .focus = folded ? TUI_CGROUP : into[p->view].focus, .id = r->id };
	next->view = next->back = folded ? TUI_PROCESSES : into[p->view].view;
	name_place(next, r);
	t->depth++;
	t->list_stale = true;
	return 0;
}

static int go_out(struct tui *t, int key)
{
	(void)key;
	t->list_stale = true;
	if (tui_is_text(tui_here(t)->view))
		return show(t, tui_here(t)->back);
	if (t->depth)
		t->depth--;
	else
		t->row_filter[0] = '\0';
	return 0;
}

/* ---- how it is shown */

/* What finds, filters and sorts rows does so in tables. */
static bool has_rows(struct tui *t)
{
	bool table = tui_is_table(tui_here(t)->view);

	if (!table)
		vml_text_copy(t->message, sizeof(t->message), "this key is for rows of views 1, 2, 3 and 5");
	return table;
}

static int open_prompt(struct tui *t, int key)
{
	enum tui_mode mode = key == 'd'	  ? TUI_MODE_INTERVAL
			     : key == 'u' ? TUI_MODE_USER
			     : key == '/' ? TUI_MODE_SEARCH
					  : TUI_MODE_FILTER;

	if ((mode != TUI_MODE_SEARCH && mode != TUI_MODE_FILTER) || has_rows(t))
		tui_prompt_open(t, mode);
	return 0;
}

static int find_next(struct tui *t, int key)
{
	(void)key;
	if (has_rows(t))
		tui_search_next(t);
	return 0;
}

/* To the column left or right of the one it is sorted by, of those on the screen. */
static int sort_beside(struct tui *t, int key)
{
	enum vml_scope scope = tui_scope(tui_here(t)->view);
	const struct vml_column *const *all = vml_columns(scope), *now = tui_sort_column(t, scope);
	size_t i, at = 0, n;

	if (!has_rows(t))
		return 0;
	for (n = 0; all[n]; n++)
		if (all[n] == now)
			at = n;
	for (i = 0; i < n; i++) {
		at = (at + (key == '<' ? n - 1 : 1)) % n;
		/* what nothing is known of sorts nothing */
		if (all[at]->metric < 0 || tui_shown(t)->have[scope] & VML_METRIC_BIT(all[at]->metric))
			break;
	}
	tui_sort_set(t, all[at]);
	return 0;
}

static int sort_list(struct tui *t, int key)
{
	enum vml_scope scope = tui_scope(tui_here(t)->view);
	const struct vml_column *const *all = vml_columns(scope), *now = tui_sort_column(t, scope);
	size_t i;

	(void)key;
	if (!has_rows(t))
		return 0;
	t->mode = TUI_MODE_SORT;
	t->sort_at = 0;
	for (i = 0; all[i]; i++)
		if (all[i] == now)
			t->sort_at = i;
	return 0;
}

static int invert(struct tui *t, int key)
{
	(void)key;
	if (has_rows(t))
		t->invert[tui_scope(tui_here(t)->view)] ^= true;
	t->list_stale = true;
	return 0;
}

static int toggle_counts(struct tui *t, int key)
{
	(void)key;
	t->counts = !t->counts;
	return 0;
}

static int toggle_fold(struct tui *t, int key)
{
	(void)key;
	t->fold = !t->fold;
	t->list_stale = true;
	if (t->fold && (tui_here(t)->view != TUI_PROCESSES || tui_here(t)->focus != TUI_HOST)) {
		t->depth = 0;
		return show(t, TUI_PROCESSES);
	}
	return 0;
}

static int toggle_follow(struct tui *t, int key)
{
	const struct vml_row *r = tui_selected(t);

	(void)key;
	if (!t->follow && !r)
		vml_text_copy(t->message, sizeof(t->message), "no row is selected that could be followed");
	t->follow = !t->follow && r;
	if (t->follow)
		t->followed = r->id;
	t->list_stale = true;
	return 0;
}

static int toggle_pause(struct tui *t, int key)
{
	(void)key;
	return t->replay ? tui_replay_pause(t) : tui_data_pause(t, !t->paused);
}

static int jump(struct tui *t, int key)
{
	if (!t->replay)
		return tui_replay_step(t, key);
	tui_prompt_open(t, TUI_MODE_TIME);
	return 0;
}

static int quit(struct tui *t, int key)
{
	(void)key;
	t->quit = true;
	return 0;
}

/* ---- the table */

const struct tui_binding tui_bindings[] = {
	{ "F1 ? h", "this help, and back", show_text, { TUI_KEY_F1, '?', 'h' } },
	{ "1 - 8", "views", show_number, { '1', '2', '3', '4', '5', '6', '7', '8' } },
	{ "Tab Shift-Tab", "next view, view before", show_next, { TUI_KEY_TAB, TUI_KEY_BACKTAB } },
	{ "arrows j k", "select a row, or scroll", NULL, { TUI_KEY_NONE } },
	{ "PgUp PgDn Home End", "the same, further", NULL, { TUI_KEY_NONE } },
	{ "Enter", "into the selected row: threads, histogram, or holder", go_in, { TUI_KEY_ENTER } },
	{ "Backspace Esc", "back out", go_out, { TUI_KEY_BACKSPACE, TUI_KEY_ESC } },
	{ "/", "find a row by its text", open_prompt, { '/' } },
	{ "n", "find the next one", find_next, { 'n' } },
	{ "F4 \\", "show only rows with a text", open_prompt, { TUI_KEY_F4, '\\' } },
	{ "u", "show only processes of a user", open_prompt, { 'u' } },
	{ "< >", "sort by the column to the left, to the right", sort_beside, { '<', '>' } },
	{ "F6", "sort by a column from a list", sort_list, { TUI_KEY_F6 } },
	{ "I", "sort the other way round", invert, { 'I' } },
	{ "F", "follow the selected row when the order changes", toggle_follow, { 'F' } },
	{ "H", "threads instead of processes, and back", show_threads, { 'H' } },
	{ "c", "processes added up by cgroup, and back", toggle_fold, { 'c' } },
	{ "e", "counts of the interval instead of rates, and back", toggle_counts, { 'e' } },
	{ "Z p Space", "pause, and go on; in a recording: play", toggle_pause, { 'Z', 'p', ' ' } },
	{ "d", "another interval; in a recording: for playing", open_prompt, { 'd' } },
	{ "w", "write the last 60 s into a recording in this folder", tui_recent_ask, { 'w' } },
	{ "[ ] Left Right",
	  "in a recording: the interval before, the next",
	  tui_replay_step,
	  { '[', ']', TUI_KEY_LEFT, TUI_KEY_RIGHT } },
	{ "g G", "in a recording: the first interval, the last", tui_replay_step, { 'g', 'G' } },
	{ "+ -", "in a recording: play faster, slower", tui_replay_speed, { '+', '-' } },
	{ "J", "in a recording: to a time", jump, { 'J' } },
	{ "W",
	  "in a recording: where most time per second was waited for mmap_lock, of all processes",
	  tui_replay_worst,
	  { 'W' } },
	{ "S",
	  "in a recording: the sum from the first interval to the shown one, and back",
	  tui_replay_whole,
	  { 'S' } },
	{ "D", "doctor: what can be seen on this host, and back", show_text, { 'D' } },
	{ "q F10", "quit", quit, { 'q', TUI_KEY_F10 } },
	{ NULL, NULL, NULL, { TUI_KEY_NONE } },
};

/* Moving takes what is followed along. */
static void follow_cursor(struct tui *t)
{
	const struct vml_row *r = tui_selected(t);

	if (t->follow && r)
		t->followed = r->id;
}

int tui_key(struct tui *t, int key)
{
	const struct tui_binding *b;
	size_t k;

	if (key == TUI_KEY_RESIZE || key == TUI_KEY_OTHER)
		return 0;
	t->message[0] = '\0';
	if (t->mode == TUI_MODE_SORT)
		return tui_sort_key(t, key);
	if (t->mode != TUI_MODE_VIEW)
		return tui_prompt_key(t, key);
	if (tui_move(tui_cursor(t), t->nrows, t->page, key)) {
		follow_cursor(t);
		return 0;
	}
	for (b = tui_bindings; b->keys; b++)
		for (k = 0; k < VML_ARRAY_SIZE(b->key) && b->key[k]; k++)
			if (b->key[k] == key)
				return b->act(t, key);
	vml_text_copy(t->message, sizeof(t->message), "this key does nothing; ? has those that do");
	return 0;
}
