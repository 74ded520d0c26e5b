// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* What is typed in a line: search, filter, user, interval, time; and the list of columns to sort by. */
#include <stdio.h>
#include <string.h>
#include <wchar.h>
#include <wctype.h>

#include "vmalock/base.h"
#include "options.h"
#include "screen.h"

const char *tui_prompt_label(enum tui_mode mode)
{
	switch (mode) {
	case TUI_MODE_SEARCH:
		return "find: ";
	case TUI_MODE_FILTER:
		return "only rows with: ";
	case TUI_MODE_USER:
		return "user (name or uid, nothing for all): ";
	case TUI_MODE_INTERVAL:
		return "interval in seconds: ";
	case TUI_MODE_TIME:
		return "time (14:03:07, -10m, 2026-03-01T14:03:07Z): ";
	default:
		return "";
	}
}

void tui_prompt_open(struct tui *t, enum tui_mode mode)
{
	t->mode = mode;
	t->typed[0] = '\0';
	if (mode == TUI_MODE_FILTER)
		vml_text_copy(t->typed, sizeof(t->typed), t->row_filter);
}

/* Moves to the next row that matches, after the selected one and around. */
void tui_search_next(struct tui *t)
{
	struct tui_cursor *c = tui_cursor(t);
	enum vml_scope scope = tui_scope(tui_here(t)->view);
	size_t i;

	if (!*t->search) {
		vml_text_copy(t->message, sizeof(t->message), "nothing was looked for: / does");
		return;
	}
	for (i = 1; i <= t->nrows; i++) {
		size_t at = (c->at + i) % t->nrows;

		if (tui_row_matches(t->row[at], scope, t->search)) {
			c->at = at;
			t->followed = t->row[at]->id;
			return;
		}
	}
	snprintf(t->message, sizeof(t->message), "no row contains \"%s\"", t->search);
}

static int set_user(struct tui *t)
{
	uint32_t uid;

	if (!*t->typed) {
		t->filter.by_uid = t->o.filter.by_uid;
		t->filter.uid = t->o.filter.uid;
		t->user[0] = '\0';
		return tui_data_refresh(t);
	}
	if (vml_user_parse(t->typed, &uid)) {
		snprintf(t->message, sizeof(t->message), "no user \"%s\"", t->typed);
		return 0;
	}
	t->filter.by_uid = true;
	t->filter.uid = uid;
	vml_text_copy(t->user, sizeof(t->user), t->typed);
	return tui_data_refresh(t);
}

static void set_interval(struct tui *t)
{
	char span[32];
	uint64_t ns;

	if (!*t->typed)
		return;
	if (vml_parse_seconds(t->typed, &ns)) {
		snprintf(t->message, sizeof(t->message), "not an interval: \"%s\" (0.001 to 86400)", t->typed);
		return;
	}
	t->interval_ns = ns;
	t->interval_changed = true;
	if (t->replay)
		snprintf(t->message, sizeof(t->message), "an interval is played every %s",
			 vml_fmt_ns(span, sizeof(span), (double)ns));
}

static void apply_filter(struct tui *t)
{
	if (t->mode != TUI_MODE_FILTER)
		return;
	vml_text_copy(t->row_filter, sizeof(t->row_filter), t->typed);
	t->list_stale = true;
}

static int accept(struct tui *t)
{
	enum tui_mode mode = t->mode;

	t->mode = TUI_MODE_VIEW;
	if (mode == TUI_MODE_USER)
		return set_user(t);
	if (mode == TUI_MODE_TIME)
		return tui_replay_jump(t, t->typed);
	if (mode == TUI_MODE_INTERVAL)
		set_interval(t);
	if (mode == TUI_MODE_SEARCH) {
		if (*t->typed)
			vml_text_copy(t->search, sizeof(t->search), t->typed);
		tui_search_next(t);
	}
	return 0;
}

static void rub_out(struct tui *t)
{
	size_t len = strlen(t->typed);

	while (len && ((unsigned char)t->typed[len - 1] & 0xc0) == 0x80)
		len--;
	t->typed[len ? len - 1 : 0] = '\0';
}

static void type(struct tui *t, int key)
{
	size_t len = strlen(t->typed);
	mbstate_t state = { 0 };
	char bytes[16];
	size_t n;

	if (key >= TUI_KEY_SPECIAL || !iswprint((wint_t)key))
		return;
	n = wcrtomb(bytes, (wchar_t)key, &state);
	if (n == (size_t)-1 || len + n >= sizeof(t->typed))
		return;
	memcpy(t->typed + len, bytes, n);
	t->typed[len + n] = '\0';
}

int tui_prompt_key(struct tui *t, int key)
{
	switch (key) {
	case TUI_KEY_ENTER:
		return accept(t);
	case TUI_KEY_ESC:
		t->typed[0] = '\0';
		apply_filter(t);
		t->mode = TUI_MODE_VIEW;
		return 0;
	case TUI_KEY_BACKSPACE:
		rub_out(t);
		break;
	case TUI_KEY_CTRL_U:
		t->typed[0] = '\0';
		break;
	default:
		type(t, key);
		break;
	}
	apply_filter(t);
	return 0;
}

/* ---- the list of columns */

void tui_sort_set(struct tui *t, const struct vml_column *c)
{
	enum vml_scope scope = tui_scope(tui_here(t)->view);

	if (t->sort[scope] != c)
		t->invert[scope] = false;
	t->sort[scope] = c;
	t->list_stale = true;
}

static size_t column_count(const struct vml_column *const *all)
{
	size_t n = 0;

	while (all[n])
		n++;
	return n;
}

int tui_sort_key(struct tui *t, int key)
{
	const struct vml_column *const *all = vml_columns(tui_scope(tui_here(t)->view));
	struct tui_cursor c = { .at = t->sort_at, .top = t->sort_top };

	if (key == TUI_KEY_ENTER) {
		tui_sort_set(t, all[t->sort_at]);
		t->mode = TUI_MODE_VIEW;
	} else if (key == TUI_KEY_ESC || key == TUI_KEY_BACKSPACE || key == TUI_KEY_F6 || key == 'q') {
		t->mode = TUI_MODE_VIEW;
	} else if (tui_move(&c, column_count(all), t->page, key)) {
		t->sort_at = c.at;
	}
	return 0;
}

void tui_draw_sort(struct tui *t, struct tui_canvas *c, const struct tui_area *a)
{
	const struct vml_column *const *all = vml_columns(tui_scope(tui_here(t)->view));
	size_t i, n = column_count(all), first;

	t->page = a->rows - 1;
	first = tui_scroll(&t->sort_top, t->sort_at, n, t->page);
	tui_style_row(c, a->row, TUI_HEAD);
	tui_put_fit(c, a->row, a->col + 2, a->cols - 2, false, TUI_HEAD, "SORT BY   (Enter chooses, Esc goes back)");
	for (i = first; i < n && (int)(i - first) < t->page; i++) {
		int row = a->row + 1 + (int)(i - first), col;

		col = tui_put(c, row, a->col + 2, TUI_PLAIN, all[i]->title) + 1;
		if (col < a->col + 12)
			col = a->col + 12;
		tui_put_fit(c, row, col, a->cols - (col - a->col), false, TUI_PLAIN, all[i]->help);
		if (i == t->sort_at) {
			tui_put(c, row, a->col, TUI_SELECTED, ">");
			tui_style_row(c, row, TUI_SELECTED);
		}
	}
}
