/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef VMALOCK_TUI_SCREEN_H
#define VMALOCK_TUI_SCREEN_H
/*
 * The state of the screen, private to src/tui.  Everything but term.c and
 * loop.c is pure: keys change the state, views draw it on a canvas.
 *
 *	loop.c	takes snapshots, reads keys, draws        term.c	ncurses
 *	data.c	which delta is shown, which row is meant  list.c	the rows of a table
 *	keys.c	what each key does                        prompt.c	lines that are typed
 *	frame.c	everything around a view                  view_*.c	the views
 *	bars.c	histograms as bars			replay.c  a file instead of a host
 *	recent.c  the last minute, for a file	canvas.c  what is drawn on
 *	fold.c	processes by cgroup
 *
 * options.c (the command line) and batch.c (text and JSON) are of the program, not of the screen.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../run/recent.h"
#include "vmalock/snapshot.h"
#include "canvas.h"
#include "tui.h"

enum tui_view {
	TUI_PROCESSES,
	TUI_THREADS,
	TUI_VMAS,
	TUI_REASONS,
	TUI_BLOCKERS,
	TUI_HISTOGRAM,
	TUI_DOCTOR,
	TUI_HELP,
	TUI_NTABS,
	/* instead of the blockers, when the focus is on one of them */
	TUI_HOLDER = TUI_NTABS,
	TUI_NVIEWS,
};

/* Keys are Unicode, and these. */
enum tui_key {
	TUI_KEY_NONE = 0,
	TUI_KEY_CTRL_U = 0x15,
	TUI_KEY_ESC = 0x1b,
	TUI_KEY_SPECIAL = 0x110000,
	TUI_KEY_UP,
	TUI_KEY_DOWN,
	TUI_KEY_LEFT,
	TUI_KEY_RIGHT,
	TUI_KEY_PAGE_UP,
	TUI_KEY_PAGE_DOWN,
	TUI_KEY_HOME,
	TUI_KEY_END,
	TUI_KEY_ENTER,
	TUI_KEY_BACKSPACE,
	TUI_KEY_TAB,
	TUI_KEY_BACKTAB,
	TUI_KEY_F1,
	TUI_KEY_F4,
	TUI_KEY_F6,
	TUI_KEY_F10,
	TUI_KEY_RESIZE,
	TUI_KEY_OTHER,
};

/* What the views are about; Enter goes in, Backspace out. */
enum tui_focus { TUI_HOST, TUI_CGROUP, TUI_PROCESS, TUI_THREAD, TUI_VMA, TUI_BLOCKER };

struct tui_cursor {
	size_t at; /* index of the selected row, or first line of a text */
	size_t top; /* first row on the screen */
};

struct tui_place {
	enum tui_focus focus;
	struct vml_id id; /* of what the focus is on; of a cgroup: see fold.c */
	char label[192];
	enum tui_view view, back; /* back: where help and doctor were asked for */
	struct tui_cursor cursor[TUI_NVIEWS];
};
#define TUI_DEPTH 6

enum tui_mode {
	TUI_MODE_VIEW,
	TUI_MODE_SORT, /* a list of columns instead of the view */
	TUI_MODE_SEARCH, /* these have a line that is typed */
	TUI_MODE_FILTER,
	TUI_MODE_USER,
	TUI_MODE_INTERVAL,
	TUI_MODE_TIME,
};

/* The last two snapshots. */
struct tui_pair {
	struct vml_snapshot *prev, *cur; /* NULL: not taken yet */
};

/* The last minute, whatever is selected, and the file that is being written. */
struct tui_recent {
	struct vml_recent kept, writing;
	uint64_t now_ns; /* CLOCK_BOOTTIME of the newest */
	struct vml_store *store; /* NULL: nothing is being written */
	char *path;
	const struct vml_kept *next; /* of writing; NULL: all are in the file */
	uint64_t span_ns; /* of those that are */
};

struct tui {
	struct vml_tui_options o;
	bool utf8;

	struct tui_replay *replay; /* NULL: live */
	struct tui_pair live, frozen; /* frozen: what is shown while paused */
	struct vml_snapshot *delta; /* of the shown pair, or of the file; NULL: the first interval is not over */
	struct vml_snapshot *folded; /* delta by cgroup; made when asked for */
	struct tui_recent recent;
	bool paused, quit;
	bool anew; /* frozen is of a vmalockd that was started anew since */
	uint64_t interval_ns; /* of a replay: between steps; 0: as long as they were */
	bool interval_changed;
	struct vml_filter filter; /* of the delta; o.filter and the user typed */
	char user[64]; /* as typed; "": what the options say */

	struct tui_place place[TUI_DEPTH];
	int depth; /* index of the current place */
	bool counts, follow, fold; /* counts: of the interval, not per second */
	struct vml_id followed;
	const struct vml_column *sort[VML_NSCOPES]; /* NULL: fallbacks, then faults; of blockers: blamed */
	bool invert[VML_NSCOPES];
	char row_filter[128], search[128];

	enum tui_mode mode;
	char typed[128];
	size_t sort_at, sort_top; /* in the list of columns */
	char message[192]; /* until the next key */
	char trouble[VML_ERROR_MAX]; /* as long as it lasts */

	const struct vml_row **row; /* of the table that is shown */
	size_t nrows, rows_max;
	bool list_stale;
	int page; /* rows of the view when it was drawn */
};

static inline struct tui_place *tui_here(struct tui *t)
{
	return &t->place[t->depth];
}

static inline struct tui_cursor *tui_cursor(struct tui *t)
{
	return &tui_here(t)->cursor[tui_here(t)->view];
}

/* ---- loop.c */

/* Nothing to show yet; NULL: out of memory. */
struct tui *tui_new(const struct vml_tui_options *o);
/* NULL is fine. */
void tui_free(struct tui *t);

/* ---- data.c */

/* What is shown: the delta, or the snapshot before there is one. */
struct vml_snapshot *tui_shown(struct tui *t);
/* The counts since the start; of a recording those of the interval that is shown. NULL: none yet. */
const struct vml_snapshot *tui_counted(struct tui *t);
/* Takes over @s as the newest snapshot. -ENOMEM */
int tui_data_add(struct tui *t, struct vml_snapshot *s);
/* Makes the delta again: the filter changed. -ENOMEM */
int tui_data_refresh(struct tui *t);
int tui_data_pause(struct tui *t, bool pause);
/* The next snapshot is a baseline again. -ENOMEM */
int tui_data_begin(struct tui *t);
void tui_data_free(struct tui *t);

/* What the reasons and the histograms are of. */
struct tui_subject {
	const struct vml_hist *hist; /* [VML_HISTS]; NULL: it is gone */
	const struct vml_tally *reasons;
	bool known[VML_HISTS];
	bool only_known; /* the others mean nothing to it */
	char label[256];
};
void tui_subject(struct tui *t, struct tui_subject *ret);

/* ---- fold.c */

/* The rows of processes added up by cgroup, by tui_fold_id() of it. -ENOMEM */
int tui_fold(const struct vml_snapshot *delta, struct vml_snapshot **ret);
struct vml_id tui_fold_id(const char *cgroup);

/* ---- recent.c */

void tui_recent_init(struct tui *t);
/* Keeps a copy of @delta, of which nothing was left out. */
void tui_recent_add(struct tui *t, const struct vml_snapshot *delta);
/* The key: begins a file in the current folder. */
int tui_recent_ask(struct tui *t, int key);
/* A part of it; false: there is nothing to write. */
bool tui_recent_write(struct tui *t);
/* Ends the file first. */
void tui_recent_free(struct tui *t);

/* ---- replay.c */

/* -ENODATA: there is nothing in the file; what the reader said. */
int tui_replay_open(struct tui *t, struct vml_reader *reader, const char *path);
void tui_replay_close(struct tui *t);
/* The shown interval, or the sum of all up to it; the caller frees it. */
int tui_replay_delta(struct tui *t, struct vml_snapshot **ret);
bool tui_replay_is_sum(const struct tui *t);
/* When tui_replay_tick() has something to do (CLOCK_MONOTONIC); UINT64_MAX: not before a key. */
uint64_t tui_replay_due(struct tui *t);
/* Plays, and looks for more at the end. */
int tui_replay_tick(struct tui *t, bool *ret_stepped);
/* What keys do; in a live screen the others but pause and jump say so. */
int tui_replay_pause(struct tui *t);
int tui_replay_jump(struct tui *t, const char *text);
int tui_replay_step(struct tui *t, int key);
int tui_replay_speed(struct tui *t, int key);
int tui_replay_whole(struct tui *t, int key);
int tui_replay_worst(struct tui *t, int key);
/* "replay FILE 12/345 2026-03-01 14:03:07 +01:00  playing; after a gap of 12s: restart". Returns @buf. */
char *tui_replay_text(const struct tui *t, char *buf, size_t n);

/* ---- list.c: the rows of the table in view */

bool tui_is_table(enum tui_view v);
/* Doctor and help: of the program, not of what the focus is on. */
bool tui_is_text(enum tui_view v);
enum vml_scope tui_scope(enum tui_view v);
/* The table in view shows cgroups instead of processes. */
bool tui_is_folded(struct tui *t);
/* The column it is sorted by. */
const struct vml_column *tui_sort_column(struct tui *t, enum vml_scope scope);
/* Makes t->row again when it is stale, and puts the cursor where it belongs. -ENOMEM */
int tui_list_update(struct tui *t);
const struct vml_row *tui_selected(struct tui *t);
/* Text of the row contains @what, whatever the case. */
bool tui_row_matches(const struct vml_row *r, enum vml_scope scope, const char *what);
/*
 * Columns that fit @width in display order, the last one always; one that
 * nothing is known of gives way to one that is known.  Returns how many.
 */
#define TUI_COLUMNS_MAX 32
struct tui_shown_column {
	const struct vml_column *column;
	int col, width;
};
size_t tui_list_columns(struct tui *t, int width, struct tui_shown_column ret[TUI_COLUMNS_MAX]);

/* ---- keys.c, prompt.c */

/* -ENOMEM */
int tui_key(struct tui *t, int key);
int tui_prompt_key(struct tui *t, int key);
int tui_sort_key(struct tui *t, int key);
void tui_prompt_open(struct tui *t, enum tui_mode mode);
const char *tui_prompt_label(enum tui_mode mode);
void tui_search_next(struct tui *t);
void tui_sort_set(struct tui *t, const struct vml_column *c);
/* Moves a cursor in @n rows of which @page are shown. False: no key of movement. */
bool tui_move(struct tui_cursor *cursor, size_t n, int page, int key);

/* Keys with what they do, and a line of the help. */
struct tui_binding {
	const char *keys, *help;
	int (*act)(struct tui *t, int key); /* NULL: tui_move() */
	int key[8];
};
extern const struct tui_binding tui_bindings[]; /* ended by NULL */

/* ---- frame.c, view_*.c */

/* Draws everything. -ENOMEM */
int tui_draw(struct tui *t, struct tui_canvas *c);
void tui_draw_table(struct tui *t, struct tui_canvas *c, const struct tui_area *a);
void tui_draw_reasons(struct tui *t, struct tui_canvas *c, const struct tui_area *a);
void tui_draw_histogram(struct tui *t, struct tui_canvas *c, const struct tui_area *a);
void tui_draw_doctor(struct tui *t, struct tui_canvas *c, const struct tui_area *a);
void tui_draw_help(struct tui *t, struct tui_canvas *c, const struct tui_area *a);
void tui_draw_holder(struct tui *t, struct tui_canvas *c, const struct tui_area *a);
void tui_draw_sort(struct tui *t, struct tui_canvas *c, const struct tui_area *a);

/* The bytes at the beginning of @s that fit @cols, up to a space; all of it when its first word does not fit. */
size_t tui_text_piece(const char *s, int cols);
/* First row to show so that @at is seen; remembers it in *@top. */
size_t tui_scroll(size_t *top, size_t at, size_t n, int page);

/* ---- bars.c */

/* Buckets on the screen: @step of the geometry in a line, lines @first to @last. */
struct tui_axis {
	uint32_t step, first, last;
};
/* The finest axis that holds all @n of @bars (NULL: none) in @rows; false when there is nothing to show. */
bool tui_axis_make(const struct vml_tally *const *bars, size_t n, int rows, struct tui_axis *ret);
/* Where @line ends: "1.2us". Returns @buf. */
char *tui_axis_label(const struct tui_axis *x, uint32_t line, char *buf, size_t n);
/* How many of @tally are in @line, and a bar of that; TUI_TIMES_COLUMNS for the number. */
#define TUI_TIMES_COLUMNS 7
void tui_put_times(struct tui *t, struct tui_canvas *c, int row, int col, int width, const struct vml_tally *tally,
		   const struct tui_axis *x, uint32_t line);

/* ---- term.c */

/* 0 or -EIO when the terminal is not to be had. */
int tui_term_open(bool colour);
void tui_term_close(void);
void tui_term_size(int *rows, int *cols);
void tui_term_draw(const struct tui_canvas *c);
/* The next key that was pressed, TUI_KEY_NONE when there is none. */
int tui_term_key(void);
#endif
