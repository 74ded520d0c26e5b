// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include <errno.h>
#include <langinfo.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "vmalock/base.h"
#include "screen.h"
#include "stop.h"

#define FIRST_INTERVAL_NS 1000000000ULL /* nobody looks at an empty screen for longer */

struct loop {
	struct tui *t;
	struct vml_source *source;
	struct tui_canvas canvas;
	uint64_t next_ns; /* CLOCK_MONOTONIC of the next snapshot; UINT64_MAX: there is none */
	uint32_t updates;
	char *error;
};

static int fail(struct loop *l, const char *what, int err)
{
	snprintf(l->error, VML_ERROR_MAX, "%s: %s", what, strerror(-err));
	return err;
}

static int sample(struct loop *l)
{
	struct vml_snapshot *s;
	int err;

	do { /* a window that changes its size is no reason */
		err = vml_source_next(l->source, &s);
	} while (err == -EINTR && !vml_stop_requested());
	if (err == -EINTR)
		return 0;
	if (err == -ENODATA) {
		l->next_ns = UINT64_MAX;
		return 0;
	}
	if (err)
		return fail(l, "cannot take a snapshot", err);
	err = tui_data_add(l->t, s);
	return err ? fail(l, "cannot compare snapshots", err) : 0;
}

static int draw(struct loop *l)
{
	int rows, cols, err;

	tui_term_size(&rows, &cols);
	if (rows < 1 || cols < 1)
		return 0;
	err = tui_canvas_reset(&l->canvas, rows, cols);
	if (!err)
		err = tui_draw(l->t, &l->canvas);
	if (err)
		return fail(l, "cannot draw", err);
	tui_term_draw(&l->canvas);
	return 0;
}

static int update(struct loop *l)
{
	uint64_t now = vml_now_mono();
	int err;

	if (l->t->interval_changed) {
		l->t->interval_changed = false;
		l->next_ns = now + l->t->interval_ns;
	}
	if (now < l->next_ns)
		return 0;
	l->next_ns = vml_next_beat(l->next_ns, l->t->interval_ns);
	err = sample(l);
	if (!err && l->t->o.count && ++l->updates >= l->t->o.count)
		l->t->quit = true;
	return err;
}

/* All that was typed; the list is made again between keys, as one may depend on the other. */
static int read_keys(struct loop *l)
{
	int key, err = 0;

	while (!err && !l->t->quit && (key = tui_term_key()) != TUI_KEY_NONE) {
		err = tui_list_update(l->t);
		if (!err)
			err = tui_key(l->t, key);
		if (!err)
			err = draw(l);
	}
	return err;
}

static int run(struct loop *l)
{
	struct pollfd in = { .fd = STDIN_FILENO, .events = POLLIN };
	uint64_t first = l->t->interval_ns < FIRST_INTERVAL_NS ? l->t->interval_ns : FIRST_INTERVAL_NS;
	int err = sample(l);

	if (!err && !l->t->live.cur)
		return vml_stop_requested() ? 0 : fail(l, "cannot take a snapshot", -ENODATA);
	l->next_ns = vml_now_mono() + first;
	if (!err)
		err = draw(l);
	while (!err && !l->t->quit && !vml_stop_requested()) {
		vml_stop_wait(&in, l->next_ns);
		if (in.revents & (POLLERR | POLLHUP | POLLNVAL))
			break; /* the terminal is gone */
		err = read_keys(l);
		if (!err)
			err = update(l);
		if (!err)
			err = draw(l);
	}
	return err;
}

static void setup(struct tui *t, const struct vml_tui_options *o)
{
	unsigned int scope;

	t->o = *o;
	t->utf8 = !strcmp(nl_langinfo(CODESET), "UTF-8");
	t->interval_ns = o->interval_ns;
	t->filter = o->filter;
	t->list_stale = true;
	for (scope = 0; scope < VML_NSCOPES; scope++)
		t->sort[scope] = o->sort ? vml_column_find(scope, o->sort) : NULL;
	t->place[0].view = t->place[0].back = o->threads ? TUI_THREADS : TUI_PROCESSES;
}

int vml_tui_run(struct vml_source *src, const struct vml_tui_options *o, char error[VML_ERROR_MAX])
{
	const char *no_color = getenv("NO_COLOR");
	struct tui *t = calloc(1, sizeof(*t));
	struct loop l = { .t = t, .source = src, .error = error };
	int err;

	if (!t)
		return fail(&l, "cannot start the screen", -ENOMEM);
	setup(t, o);
	l.canvas.utf8 = t->utf8;
	vml_stop_install();
	err = tui_term_open(!no_color || !*no_color);
	if (err) {
		fail(&l, "cannot use the terminal", err);
	} else {
		err = run(&l);
		tui_term_close();
	}
	tui_canvas_free(&l.canvas);
	tui_data_free(t);
	free(t->row);
	free(t);
	return err;
}
