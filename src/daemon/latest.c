// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>

#include "vmalock/packed.h"
#include "latest.h"

struct held {
	struct vml_packed *packed;
	unsigned int users;
};

struct latest {
	struct vml_source *source;
	uint64_t begin_ns; /* CLOCK_BOOTTIME, when there was nothing */
	/* the source, for as long as it works; taken first */
	pthread_mutex_t busy;
	uint64_t number;
	pthread_mutex_t lock; /* of the pointer and users; never held over work */
	struct held *delta;
};

int latest_new(struct vml_source *source, struct latest **ret)
{
	struct latest *l = calloc(1, sizeof(*l));

	if (!l)
		return -ENOMEM;
	l->source = source;
	l->begin_ns = vml_source_rest(source)->boot_ns;
	pthread_mutex_init(&l->busy, NULL);
	pthread_mutex_init(&l->lock, NULL);
	*ret = l;
	return 0;
}

static void held_free(struct held *h)
{
	if (!h)
		return;
	vml_packed_free(h->packed);
	free(h);
}

void latest_free(struct latest *l)
{
	if (!l)
		return;
	held_free(l->delta);
	pthread_mutex_destroy(&l->busy);
	pthread_mutex_destroy(&l->lock);
	free(l);
}

/* ---- the last delta */

/* NULL: there is none. */
static struct held *hold(struct latest *l)
{
	struct held *h;

	pthread_mutex_lock(&l->lock);
	h = l->delta;
	if (h)
		h->users++;
	pthread_mutex_unlock(&l->lock);
	return h;
}

static void drop(struct latest *l, struct held *h)
{
	bool last;

	pthread_mutex_lock(&l->lock);
	last = h && !--h->users;
	pthread_mutex_unlock(&l->lock);
	if (last)
		held_free(h);
}

/* Without memory there is none. */
static void replace(struct latest *l, const struct vml_snapshot *delta)
{
	struct held *h = calloc(1, sizeof(*h)), *old;

	if (h && vml_pack(delta, &h->packed)) {
		free(h);
		h = NULL;
	}
	if (h)
		h->users = 1;
	pthread_mutex_lock(&l->lock);
	old = l->delta;
	l->delta = h;
	pthread_mutex_unlock(&l->lock);
	drop(l, old);
}

int latest_next(struct latest *l, struct vml_snapshot **ret)
{
	int err;

	pthread_mutex_lock(&l->busy);
	err = vml_source_next_delta(l->source, ret);
	if (!err) {
		l->number++;
		replace(l, *ret);
	}
	pthread_mutex_unlock(&l->busy);
	return err;
}

/* ---- for readers */

/* From nothing at @boot_ns to @s: all that is in it, also when that is a delta. */
static int since(uint64_t boot_ns, const struct vml_snapshot *s, struct vml_snapshot **ret)
{
	struct vml_snapshot *nothing = vml_snapshot_new();
	int err = -ENOMEM;

	if (nothing) {
		nothing->boot_ns = boot_ns;
		err = vml_delta(nothing, s, ret);
	}
	vml_snapshot_free(nothing);
	return err;
}

static int last_interval(struct latest *l, struct vml_snapshot **ret)
{
	struct vml_snapshot *s = NULL;
	struct held *h = hold(l);
	int err = h ? vml_unpack(h->packed, &s) : -EAGAIN;

	if (!err)
		err = since(s->boot_ns - s->interval_ns, s, ret);
	vml_snapshot_free(s);
	drop(l, h);
	return err;
}

static int all(struct latest *l, struct vml_snapshot **ret, uint64_t *ret_number)
{
	int err;

	pthread_mutex_lock(&l->busy);
	*ret_number = l->number;
	err = vml_source_peek(l->source, ret);
	pthread_mutex_unlock(&l->busy);
	return err;
}

int latest_delta(struct latest *l, enum latest_what what, struct vml_snapshot **ret)
{
	struct vml_snapshot *s = NULL;
	uint64_t number;
	int err;

	if (what == LATEST_INTERVAL)
		return last_interval(l, ret);
	err = all(l, &s, &number);
	if (!err)
		err = since(l->begin_ns, s, ret);
	vml_snapshot_free(s);
	return err;
}

/* So that who asks too early costs nothing. */
static bool is_known(struct latest *l, uint64_t after_ns)
{
	bool known;

	pthread_mutex_lock(&l->busy);
	known = l->number && vml_source_rest(l->source)->boot_ns <= after_ns;
	pthread_mutex_unlock(&l->busy);
	return known;
}

int latest_use(struct latest *l, uint64_t after_ns,
	       int (*use)(void *context, const struct vml_snapshot *s, uint64_t number), void *context)
{
	struct vml_snapshot *s = NULL;
	uint64_t number;
	int err = is_known(l, after_ns) ? -ENODATA : all(l, &s, &number);

	if (err)
		return err;
	s->interval_ns = s->boot_ns - l->begin_ns;
	err = use(context, s, number);
	vml_snapshot_free(s);
	return err;
}
