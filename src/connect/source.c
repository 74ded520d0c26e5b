// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* The snapshots of a daemon as a source. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "http.h"
#include "vmalock/base.h"
#include "vmalock/caps.h"
#include "vmalock/connect.h"
#include "vmalock/snapshot.h"
#include "vmalock/store.h"

#define BETWEEN_PART 10
#define BUSY_NS 1000000000ULL /* after a failure */

struct connected {
	struct vml_source base;
	struct http *http;
	char *path;
	struct vml_arena *arena; /* of caps */
	const struct vml_caps *caps;
	struct vml_snapshot *pending; /* not given out yet */
	bool anew; /* pending is of a daemon that was started since */
	uint64_t last_ns, begin_ns; /* CLOCK_BOOTTIME of the last snapshot; of the daemon's first */
	uint64_t number, interval_ns; /* of the last one; between two */
	uint64_t missed; /* snapshots that were not fetched */
	uint64_t took_ns; /* the last fetch, here and there */
	uint64_t due_ns; /* CLOCK_MONOTONIC of the next look */
	char error[VML_ERROR_MAX];
};

/* ---- what went wrong */

__attribute__((format(printf, 3, 4))) static int fail(struct connected *c, int err, const char *fmt, ...)
{
	int len = snprintf(c->error, sizeof(c->error), "cannot connect to %s: ", c->path);
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(c->error + len, len < (int)sizeof(c->error) ? sizeof(c->error) - (size_t)len : 0, fmt, ap);
	va_end(ap);
	return err;
}

static int fail_unanswered(struct connected *c, int err)
{
	switch (err) {
	case -ENOENT:
		return fail(c, err, "there is no such socket; is vmalockd running? (systemctl start vmalockd)");
	case -ECONNREFUSED:
		return fail(c, err, "vmalockd has ended (systemctl start vmalockd)");
	case -EACCES:
	case -EPIPE: /* a peer that is not in the group is hung up on */
		return fail(c, -EACCES, "not allowed for uid %u; its group, vmalock, and root may (then log in again)",
			    (unsigned int)geteuid());
	case -EAGAIN:
		return fail(c, err, "too many wait for an answer of vmalockd");
	case -ETIMEDOUT:
		return fail(c, err, "no answer within %u s", HTTP_TIMEOUT_S);
	case -EBADMSG:
		return fail(c, err, "what answers there is not vmalockd");
	default:
		return fail(c, err, "%s", strerror(-err));
	}
}

static int fail_status(struct connected *c, const struct http_answer *a)
{
	const char *end = a->size ? memchr(a->body, '\n', a->size) : NULL;
	char text[128];

	if (a->status == 404)
		return fail(c, -EBADMSG, "vmalockd there is older than this program, or not vmalockd: upgrade it");
	if (a->status != 503)
		return fail(c, -EBADMSG, "what answers there is not vmalockd (HTTP status %ld)", a->status);
	vml_text_clean(text, sizeof(text), a->size ? a->body : "", end ? (size_t)(end - a->body) : a->size);
	return fail(c, -EBUSY, "vmalockd is busy or has no snapshot (%s); try again", text);
}

/* ---- one look */

static int read_recording(struct connected *c, const struct http_answer *a, struct vml_snapshot **ret)
{
	char error[VML_ERROR_MAX];
	struct vml_reader *r = NULL;
	int err = vml_reader_open_bytes(a->body ? a->body : "", a->size, c->path, &r, error);

	if (!err)
		err = vml_reader_delta(r, 0, ret);
	vml_reader_close(r);
	if (err == -EOPNOTSUPP)
		return fail(c, err, "vmalockd is newer than this program (schema %d): upgrade vmalock",
			    VML_STORE_SCHEMA);
	if (err == -ENOMEM)
		return fail(c, err, "%s", strerror(ENOMEM));
	return err ? fail(c, -EBADMSG, "what answers there is not vmalockd: that is no recording") : 0;
}

/* A cause more; the delta of two has what was missed between them. */
static int add_missed(struct connected *c, struct vml_snapshot *s)
{
	struct vml_loss *loss = vml_arena_alloc(s->arena, (s->nloss + 1) * sizeof(*loss));

	if (!loss)
		return -ENOMEM;
	if (s->nloss)
		memcpy(loss, s->loss, s->nloss * sizeof(*loss));
	loss[s->nloss++] = (struct vml_loss){
		.cause = "missed_snapshots",
		.help = vml_loss_help("missed_snapshots"),
		.count = c->missed,
	};
	s->loss = loss;
	return 0;
}

/* Takes over @s, a delta since the daemon began. */
static int take(struct connected *c, struct vml_snapshot *s, uint64_t number, uint64_t interval_ns)
{
	uint64_t begin_ns = s->boot_ns - s->interval_ns;
	bool anew = c->number && (begin_ns != c->begin_ns || number <= c->number);
	int err;

	if (anew)
		c->missed = 0;
	else if (c->number)
		c->missed += number - c->number - 1;
	s->interval_ns = 0;
	err = add_missed(c, s);
	if (!err && c->pending && !anew)
		err = vml_carry(s, c->pending);
	if (err) {
		vml_snapshot_free(s);
		return fail(c, err, "%s", strerror(-err));
	}
	vml_snapshot_free(c->pending);
	c->pending = s;
	c->anew |= anew;
	c->begin_ns = begin_ns;
	c->last_ns = s->boot_ns;
	c->number = number;
	c->interval_ns = interval_ns;
	return 0;
}

/* 0 also when there is none that is newer. */
static int fetch(struct connected *c)
{
	uint64_t number, interval_ns;
	struct vml_snapshot *s;
	struct http_answer a;
	char target[96], type[80];
	int err;

	snprintf(target, sizeof(target), VML_RECORDING_PATH "?after=%" PRIu64, c->last_ns);
	err = http_get(c->http, target, &a);
	if (err)
		return fail_unanswered(c, err);
	if (a.status == 204 && c->number)
		return 0;
	if (a.status != 200)
		return fail_status(c, &a);
	err = read_recording(c, &a, &s);
	if (err)
		return err;
	if (sscanf(a.type, VML_RECORDING_TYPE, &number, &interval_ns) != 2 || !number || !interval_ns) {
		vml_snapshot_free(s);
		vml_text_clean(type, sizeof(type), a.type, strlen(a.type));
		return fail(c, -EBADMSG, "what answers there is not vmalockd (%s)", type);
	}
	return take(c, s, number, interval_ns);
}

static int look(struct connected *c)
{
	uint64_t before = c->last_ns, again_ns = c->interval_ns / 10, from = vml_now_mono();
	int err = fetch(c);

	if (c->last_ns != before)
		c->took_ns = vml_now_mono() - from;

	if (again_ns > VML_SOURCE_AGAIN_NS || !again_ns)
		again_ns = VML_SOURCE_AGAIN_NS;
	c->due_ns = vml_now_mono() + (err ? BUSY_NS : c->last_ns == before ? again_ns : c->interval_ns);
	return err;
}

/* ---- the source */

static int next(struct vml_source *base, struct vml_snapshot **ret)
{
	struct connected *c = (struct connected *)base;
	int err = look(c);

	if (err == -EINTR && c->pending)
		err = 0;
	if (err == -ENOMEM || err == -EINTR)
		return err;
	if (err)
		return -ENOTCONN;
	if (!c->pending)
		return -EAGAIN;
	if (c->anew) {
		c->anew = false;
		return -ESTALE;
	}
	*ret = c->pending;
	c->pending = NULL;
	return 0;
}

/* Looks in between are worth a part of the time, and no more. */
static int64_t tick(struct vml_source *base)
{
	struct connected *c = (struct connected *)base;
	uint64_t now = vml_now_mono();

	if (c->took_ns > c->interval_ns / BETWEEN_PART)
		return INT64_MAX;
	if (now >= c->due_ns)
		look(c); /* what fails is said by next() */
	now = vml_now_mono();
	return c->due_ns > now ? (int64_t)(c->due_ns - now) : 0;
}

static const struct vml_caps *caps(const struct vml_source *base)
{
	return ((const struct connected *)base)->caps;
}

static const char *why(const struct vml_source *base)
{
	return ((const struct connected *)base)->error;
}

static void close_it(struct vml_source *base)
{
	struct connected *c = (struct connected *)base;

	vml_snapshot_free(c->pending);
	vml_arena_free(c->arena);
	http_free(c->http);
	free(c->path);
	free(c);
}

static int open_it(struct connected *c, const char *path, bool (*stop)(uint64_t waited_ns))
{
	static const struct vml_caps none;
	int err;

	c->path = strdup(path);
	c->arena = vml_arena_new();
	if (!c->path || !c->arena)
		return -ENOMEM;
	err = http_new(path, stop, &c->http);
	if (err == -ELIBACC)
		return fail(c, err,
			    "libcurl is missing, here or where this program was built (apt-get install libcurl4)");
	if (!err)
		err = look(c);
	if (err)
		return err;
	c->caps = vml_caps_copy(c->arena, c->pending->caps ? c->pending->caps : &none);
	return c->caps ? 0 : -ENOMEM;
}

int vml_connect_open(const char *path, bool (*stop)(uint64_t waited_ns), struct vml_source **ret,
		     char error[VML_ERROR_MAX])
{
	static const struct vml_source_ops ops = {
		.next = next, .close = close_it, .caps = caps, .tick = tick, .why = why
	};
	struct connected *c = calloc(1, sizeof(*c));
	int err;

	snprintf(error, VML_ERROR_MAX, "cannot connect to %s: %s", path, strerror(ENOMEM));
	if (!c)
		return -ENOMEM;
	c->base.ops = &ops;
	err = open_it(c, path, stop);
	if (!err) {
		*ret = &c->base;
		return 0;
	}
	if (*c->error)
		memcpy(error, c->error, VML_ERROR_MAX);
	close_it(&c->base);
	return err;
}
