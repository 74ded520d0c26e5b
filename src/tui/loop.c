// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include <errno.h>
#include <langinfo.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "vmalock/base.h"
#include "../run/guarded.h"
#include "screen.h"
#include "../run/stop.h"

#define ASK_AGAIN_NS 1000000000ULL /* while vmalockd does not answer */
#define FIRST_INTERVAL_NS 1000000000ULL /* nobody looks at an empty screen for longer */

struct loop {
	struct tui *t;
	struct vml_source *source;
	struct vml_guard guard;
	struct tui_canvas canvas;
	uint64_t next_ns; /* CLOCK_MONOTONIC of the next snapshot; UINT64_MAX: there is none */
	uint64_t give_back_ns; /* CLOCK_MONOTONIC; when free memory is given back again */
	uint32_t shown; /* snapshots, with the baseline; intervals of a file */
	char *error;
};

static int fail(struct loop *l, const char *what, int err)
{
	snprintf(l->error, VML_ERROR_MAX, "%s: %s", what, strerror(-err));
	return err;
}

static void count_shown(struct loop *l)
{
	if (l->t->o.count && l->shown++ == l->t->o.count)
		l->t->quit = true;
}

/* 0 and no snapshot: there is none for now, and l->next_ns is when to ask again. */
static int take(struct loop *l, struct vml_snapshot **ret)
{
	int err;

	*ret = NULL;
	do { /* a window that changes its size is no reason */
		err = vml_source_next(l->source, ret);
	} while (err == -EINTR && !vml_stop_requested() && !vml_tui_key_waits());
	if (err == -ESTALE) {
		vml_text_copy(l->t->message, sizeof(l->t->message), "vmalockd was started anew");
		err = tui_data_begin(l->t) ?: vml_source_next(l->source, ret);
	}
	if (err != -EAGAIN && err != -EINTR)
		l->t->trouble[0] = '\0';
	switch (err) {
	case -ENODATA:
		l->next_ns = UINT64_MAX;
		return 0;
	case -EINTR: /* a signal, or a key while vmalockd does not answer */
	case -EAGAIN:
		l->next_ns = vml_now_mono() + VML_SOURCE_AGAIN_NS;
		return 0;
	case -ENOTCONN:
		snprintf(l->t->trouble, sizeof(l->t->trouble), "%s", vml_source_why(l->source));
		l->next_ns = vml_now_mono() + ASK_AGAIN_NS;
		return 0;
	default:
		return err ? fail(l, "cannot take a snapshot", err) : 0;
	}
}

static int sample(struct loop *l)
{
	struct vml_snapshot *s;
	int err = take(l, &s);

	if (err || !s)
		return err;
	if (l->t->live.cur)
		err = vml_guarded_update(&l->guard, l->source, l->t->live.cur, s);
	if (err) {
		vml_snapshot_free(s);
		return fail(l, "cannot detach or attach the hooks on faults", err);
	}
	count_shown(l);
	err = tui_data_add(l->t, s);
	vml_memory_give_back(&l->give_back_ns);
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

static int replay(struct loop *l)
{
	bool stepped;
	int err = tui_replay_tick(l->t, &stepped);

	if (!err && stepped)
		count_shown(l);
	l->next_ns = err ? 0 : tui_replay_due(l->t);
	return err ? fail(l, "cannot go on reading", err) : 0;
}

static int update(struct loop *l)
{
	uint64_t now = vml_now_mono();

	if (l->t->replay)
		return replay(l);

	if (l->t->interval_changed) {
		l->t->interval_changed = false;
		l->next_ns = now + l->t->interval_ns;
	}
	if (now < l->next_ns)
		return 0;
	l->next_ns = vml_next_beat(l->next_ns, l->t->interval_ns);
	return sample(l);
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

/* The baseline, or the first interval of a file. */
static int begin(struct loop *l)
{
	uint64_t first = l->t->interval_ns < FIRST_INTERVAL_NS ? l->t->interval_ns : FIRST_INTERVAL_NS;
	int err;

	if (l->t->replay) {
		count_shown(l);
		return replay(l);
	}
	err = sample(l);
	l->next_ns = vml_now_mono() + first;
	if (!err && !l->t->live.cur && !vml_stop_requested())
		return fail(l, "cannot take a snapshot", -ENODATA);
	return err;
}

static int run(struct loop *l)
{
	struct pollfd in = { .fd = STDIN_FILENO, .events = POLLIN };
	int err = begin(l);
	bool wrote;

	if (!err && !vml_stop_requested())
		err = draw(l);
	while (!err && !l->t->quit && !vml_stop_requested()) {
		wrote = tui_recent_write(l->t);
		vml_stop_wait(&in, wrote ? 0 : l->source ? vml_guarded_tick(l->source, l->next_ns) : l->next_ns);
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
	tui_recent_init(t);
	for (scope = 0; scope < VML_NSCOPES; scope++)
		t->sort[scope] = o->sort ? vml_column_find(scope, o->sort) : NULL;
	t->place[0].view = t->place[0].back = o->threads ? TUI_THREADS : TUI_PROCESSES;
}

/* @src, or a file in @t. */
static int show(struct tui *t, struct vml_source *src, char error[VML_ERROR_MAX])
{
	const char *no_color = getenv("NO_COLOR");
	struct loop l = { .t = t, .source = src, .error = error };
	int err;

	vml_guard_init(&l.guard, t->o.max_overhead);
	l.guard.step = t->o.duty;
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
	return err;
}

struct tui *tui_new(const struct vml_tui_options *o)
{
	struct tui *t = calloc(1, sizeof(*t));

	if (t)
		setup(t, o);
	return t;
}

void tui_free(struct tui *t)
{
	if (!t)
		return;
	tui_recent_free(t);
	tui_data_free(t);
	tui_replay_close(t);
	free(t->row);
	free(t);
}

static int no_memory(char error[VML_ERROR_MAX])
{
	snprintf(error, VML_ERROR_MAX, "cannot start the screen: %s", strerror(ENOMEM));
	return -ENOMEM;
}

int vml_tui_run(struct vml_source *src, const struct vml_tui_options *o, char error[VML_ERROR_MAX])
{
	struct tui *t = tui_new(o);
	int err = t ? show(t, src, error) : no_memory(error);

	tui_free(t);
	return err;
}

int vml_tui_replay(struct vml_reader *reader, const char *path, const struct vml_tui_options *o,
		   char error[VML_ERROR_MAX])
{
	struct tui *t = tui_new(o);
	int err;

	if (!t)
		return no_memory(error);
	err = tui_replay_open(t, reader, path);
	if (err == -ENODATA)
		snprintf(error, VML_ERROR_MAX, "%s: nothing is recorded in it", path);
	else if (err)
		snprintf(error, VML_ERROR_MAX, "%s", err == -ENOMEM ? strerror(ENOMEM) : vml_reader_error(reader));
	else
		err = show(t, NULL, error);
	tui_free(t);
	return err;
}
