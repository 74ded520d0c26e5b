// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* A file instead of a host: which of its intervals is shown, and when the next one. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "screen.h"
#include "vmalock/base.h"

#define SECOND_NS 1000000000ULL
#define LOOK_NS SECOND_NS /* at the end: for intervals that were added */
#define STEP_MIN_NS 10000000ULL
#define SPEED_MAX 6 /* 64 times as fast */
#define SUMS 8 /* sums of the first so many intervals that are kept, at equal distances */

struct tui_replay {
	struct vml_reader *reader;
	const struct vml_reader_interval *interval; /* of the reader */
	size_t n, at;
	char name[128];
	bool playing, whole; /* whole: from the first interval to the shown one */
	int speed; /* 2^speed times as fast; negative: slower */
	uint64_t due_ns; /* CLOCK_MONOTONIC of the next step, or look */
	size_t apart; /* intervals between sums that are kept */
	struct vml_snapshot *sum[SUMS + 1]; /* [i]: of the first i * apart */
	struct vml_snapshot *last; /* of the first nlast */
	size_t nlast;
	char event[256]; /* what was before the shown one */
};

/* ---- sums from the first interval on */

static void forget_sums(struct tui_replay *r)
{
	size_t i;

	for (i = 0; i <= SUMS; i++) {
		vml_snapshot_free(r->sum[i]);
		r->sum[i] = NULL;
	}
	vml_snapshot_free(r->last);
	r->last = NULL;
	r->nlast = 0;
}

static int copy(const struct vml_snapshot *delta, struct vml_snapshot **ret)
{
	struct vml_sum *sum = vml_sum_new();
	int err = sum ? vml_sum_add(sum, delta) : -ENOMEM;

	if (!err)
		return vml_sum_end(sum, ret);
	vml_sum_free(sum);
	return err;
}

/* The kept sum of most intervals up to @n; NULL: of none. */
static const struct vml_snapshot *nearest(const struct tui_replay *r, size_t n, size_t *ret_n)
{
	size_t i = n / r->apart < SUMS ? n / r->apart : SUMS;

	while (i && !r->sum[i])
		i--;
	*ret_n = i * r->apart;
	if (r->last && r->nlast <= n && r->nlast > *ret_n) {
		*ret_n = r->nlast;
		return r->last;
	}
	return r->sum[i];
}

/* Takes over @sum, of the first @n. */
static void keep(struct tui_replay *r, struct vml_snapshot *sum, size_t n)
{
	size_t i = n / r->apart;

	if (n % r->apart || i > SUMS) {
		vml_snapshot_free(r->last);
		r->last = sum;
		r->nlast = n;
	} else {
		vml_snapshot_free(r->sum[i]);
		r->sum[i] = sum;
	}
}

static int sum_first(struct tui_replay *r, size_t n, struct vml_snapshot **ret)
{
	struct vml_snapshot *part, *both;
	const struct vml_snapshot *sum;
	size_t at, to;
	int err;

	while ((sum = nearest(r, n, &at), at < n)) {
		to = (at / r->apart + 1) * r->apart;
		to = to < n ? to : n;
		err = vml_reader_range(r->reader, at, to - at, &part);
		if (err)
			return err;
		if (sum) {
			err = vml_merge(sum, part, &both);
			vml_snapshot_free(part);
			if (err)
				return err;
			part = both;
		}
		keep(r, part, to);
	}
	return copy(sum, ret);
}

/* ---- the shown interval */

int tui_replay_delta(struct tui *t, struct vml_snapshot **ret)
{
	struct tui_replay *r = t->replay;

	return r->whole ? sum_first(r, r->at + 1, ret) : vml_reader_delta(r->reader, r->at, ret);
}

static void put_event(FILE *f, const struct vml_event *e)
{
	char ns[32];

	vml_fmt_ns(ns, sizeof(ns), e->ns < 0 ? -(double)e->ns : (double)e->ns);
	switch (e->kind) {
	case VML_EVENT_GAP:
		fprintf(f, "; after a gap of %s%s%s", ns, *e->text ? ": " : "", e->text);
		break;
	case VML_EVENT_REBOOT:
		fputs("; after a reboot", f);
		break;
	case VML_EVENT_SUSPEND:
		fprintf(f, "; the host slept for %s", ns);
		break;
	case VML_EVENT_CLOCK_STEP:
		fprintf(f, "; the clock was set %s by %s", e->ns < 0 ? "back" : "forward", ns);
		break;
	case VML_EVENT_SET_ASIDE:
		fputs("; the file before was damaged", f);
		break;
	case VML_EVENT_TRIMMED:
		fputs("; older intervals were deleted for the size of the file", f);
		break;
	default: /* that a writer began is no news of the host */
		break;
	}
}

static int read_events(struct tui_replay *r)
{
	const struct vml_event *e;
	size_t i, n;
	int err = vml_reader_events(r->reader, r->at, 1, &e, &n);
	FILE *f = err ? NULL : fmemopen(r->event, sizeof(r->event), "w");

	r->event[0] = '\0';
	if (err)
		return err;
	if (!f)
		return -ENOMEM;
	for (i = 0; i < n; i++)
		put_event(f, &e[i]);
	fclose(f);
	r->event[sizeof(r->event) - 1] = '\0';
	return 0;
}

/* ---- the list of intervals */

/* The interval that has @id, or the one that it became a part of. */
static size_t find_id(const struct tui_replay *r, uint64_t id)
{
	size_t i = 0;

	while (i + 1 < r->n && r->interval[i].id < id)
		i++;
	return i;
}

static int read_list(struct tui_replay *r)
{
	uint64_t first = r->n ? r->interval[0].id : 0, shown = r->n ? r->interval[r->at].id : 0, before = r->n;
	int err = vml_reader_refresh(r->reader);

	if (err)
		return err;
	r->interval = vml_reader_intervals(r->reader, &r->n);
	if (!r->n)
		return -ENODATA;
	/* a history is rolled up from its beginning on, and its end stays where it was */
	if (before && (r->interval[0].id != first || r->n < before || r->interval[r->at].id != shown)) {
		r->at = find_id(r, shown);
		forget_sums(r);
	}
	return 0;
}

/* Shows interval @at; one that cannot be read is said, and the one before stays. */
static int go(struct tui *t, size_t at)
{
	struct tui_replay *r = t->replay;
	size_t before = r->at;
	int err;

	r->at = at;
	err = tui_data_refresh(t);
	if (err == -ESTALE) { /* rolled up meanwhile */
		err = read_list(r);
		if (!err)
			err = tui_data_refresh(t);
	}
	if (!err)
		err = read_events(r);
	r->due_ns = 0;
	if (!err || err == -ENOMEM)
		return err;
	r->at = before < r->n ? before : r->n - 1;
	r->playing = false;
	vml_text_copy(t->message, sizeof(t->message), vml_reader_error(r->reader));
	return 0;
}

int tui_replay_open(struct tui *t, struct vml_reader *reader, const char *path)
{
	const char *base = strrchr(path, '/');
	struct tui_replay *r = calloc(1, sizeof(*r));
	int err;

	if (!r)
		return -ENOMEM;
	t->replay = r;
	r->reader = reader;
	vml_text_clean(r->name, sizeof(r->name), base ? base + 1 : path, strlen(base ? base + 1 : path));
	err = read_list(r);
	r->apart = r->n / SUMS + 1;
	r->playing = t->o.count;
	if (!err)
		err = tui_data_refresh(t);
	return err ? err : read_events(r);
}

void tui_replay_close(struct tui *t)
{
	if (t->replay)
		forget_sums(t->replay);
	free(t->replay);
	t->replay = NULL;
}

/* ---- playing */

static uint64_t step_ns(const struct tui *t)
{
	const struct tui_replay *r = t->replay;
	uint64_t ns = t->interval_ns ? t->interval_ns : r->interval[r->at + 1].interval_ns;

	ns = r->speed < 0 ? ns << -r->speed : ns >> r->speed;
	return ns > STEP_MIN_NS ? ns : STEP_MIN_NS;
}

uint64_t tui_replay_due(struct tui *t)
{
	struct tui_replay *r = t->replay;
	bool end = r->at + 1 == r->n;

	if (!r->due_ns)
		r->due_ns = end ? vml_now_mono() + LOOK_NS : r->playing ? vml_now_mono() + step_ns(t) : UINT64_MAX;
	return r->due_ns;
}

int tui_replay_tick(struct tui *t, bool *ret_stepped)
{
	struct tui_replay *r = t->replay;
	int err = 0;

	*ret_stepped = false;
	if (vml_now_mono() < tui_replay_due(t))
		return 0;
	r->due_ns = 0;
	if (r->at + 1 == r->n)
		err = read_list(r);
	if (err == -EBUSY) /* its writer is at it: the next look */
		return 0;
	if (err || !r->playing || r->at + 1 == r->n)
		return err;
	*ret_stepped = true;
	return go(t, r->at + 1);
}

/* ---- keys */

static int no_replay(struct tui *t)
{
	vml_text_copy(t->message, sizeof(t->message), "this key is for recordings: vmalocktop -r FILE");
	return 0;
}

int tui_replay_pause(struct tui *t)
{
	t->replay->playing = !t->replay->playing;
	t->replay->due_ns = 0;
	return 0;
}

int tui_replay_step(struct tui *t, int key)
{
	struct tui_replay *r = t->replay;

	if (!r)
		return no_replay(t);
	r->playing = false;
	switch (key) {
	case 'g':
		return go(t, 0);
	case 'G':
		return go(t, r->n - 1);
	case '[':
	case TUI_KEY_LEFT:
		if (r->at)
			return go(t, r->at - 1);
		vml_text_copy(t->message, sizeof(t->message), "this is the first interval");
		return 0;
	default:
		return r->at + 1 < r->n ? go(t, r->at + 1) : 0;
	}
}

int tui_replay_speed(struct tui *t, int key)
{
	struct tui_replay *r = t->replay;

	if (!r)
		return no_replay(t);
	if (key == '-')
		r->speed -= r->speed > -SPEED_MAX;
	else
		r->speed += r->speed < SPEED_MAX;
	r->due_ns = 0;
	/* in the first line there is room for it when the name of the file is short */
	snprintf(t->message, sizeof(t->message), "%s %s%dx", r->playing ? "playing" : "Space plays",
		 r->speed < 0 ? "1/" : "", 1 << abs(r->speed));
	return 0;
}

int tui_replay_whole(struct tui *t, int key)
{
	struct tui_replay *r = t->replay;

	(void)key;
	if (!r)
		return no_replay(t);
	r->whole = !r->whole;
	return go(t, r->at);
}

int tui_replay_worst(struct tui *t, int key)
{
	struct tui_replay *r = t->replay;
	size_t at;
	int err;

	(void)key;
	if (!r)
		return no_replay(t);
	err = vml_reader_worst(r->reader, &at);
	if (err == -ENODATA)
		vml_text_copy(t->message, sizeof(t->message), "nobody is seen to wait for mmap_lock in this file");
	else if (err)
		vml_text_copy(t->message, sizeof(t->message), vml_reader_error(r->reader));
	if (err)
		return 0;
	r->playing = false;
	return go(t, at);
}

/* The interval that @ns lies in, or the first behind it, or the last. */
static size_t find_time(const struct tui_replay *r, uint64_t ns)
{
	size_t i, behind = r->n - 1;

	for (i = r->n; i-- > 0;) {
		if (r->interval[i].real_ns <= ns)
			continue;
		if (r->interval[i].real_ns - r->interval[i].interval_ns <= ns)
			return i;
		behind = i;
	}
	return behind;
}

int tui_replay_jump(struct tui *t, const char *text)
{
	struct tui_replay *r = t->replay;
	const struct vml_reader_interval *i = &r->interval[r->n - 1];
	char error[VML_WHEN_ERROR];
	uint64_t ns;
	int err;

	if (!*text)
		return 0;
	/* what is past is so for who sat there at the end */
	err = vml_parse_when(text, i->real_ns, &ns, error);
	if (err == -EINVAL) /* shorter than @error, which a line of a terminal would cut before what is wrong */
		snprintf(t->message, sizeof(t->message), "not a time: \"%.30s\" (as 14:03:07, -10m, @1772330400)",
			 text);
	else if (err)
		vml_text_copy(t->message, sizeof(t->message), error);
	if (err)
		return 0;
	i = &r->interval[find_time(r, ns)];
	if (ns >= i->real_ns)
		vml_text_copy(t->message, sizeof(t->message), "that is behind the end; this is the last interval");
	else if (ns < i->real_ns - i->interval_ns)
		vml_text_copy(t->message, sizeof(t->message), "nothing was recorded then; this is what follows");
	r->playing = false;
	return go(t, (size_t)(i - r->interval));
}

/* ---- what is said of it */

static void put_state(const struct tui_replay *r, char *buf, size_t n)
{
	bool end = r->at + 1 == r->n;

	buf[0] = '\0';
	if (end && r->playing)
		snprintf(buf, n, "  at the end, waiting for more");
	else if (r->playing && !r->speed)
		snprintf(buf, n, "  playing");
	else if (r->playing)
		snprintf(buf, n, "  playing, %s%dx", r->speed < 0 ? "1/" : "", 1 << abs(r->speed));
	else if (end)
		snprintf(buf, n, "  the end");
}

char *tui_replay_text(const struct tui *t, char *buf, size_t n)
{
	const struct tui_replay *r = t->replay;
	time_t second = (time_t)(r->interval[r->at].real_ns / SECOND_NS);
	char when[40] = "", zone[8] = "", state[40];
	struct tm tm;

	if (localtime_r(&second, &tm)) {
		strftime(when, sizeof(when), "%Y-%m-%d %H:%M:%S", &tm);
		strftime(zone, sizeof(zone), "%z", &tm); /* "+0100" */
	}
	put_state(r, state, sizeof(state));
	snprintf(buf, n, "replay %s %zu/%zu %s %.3s:%s%s%s", r->name, r->at + 1, r->n, when, zone,
		 strlen(zone) > 3 ? zone + 3 : "", state, r->event);
	return buf;
}

bool tui_replay_is_sum(const struct tui *t)
{
	return t->replay->whole;
}
