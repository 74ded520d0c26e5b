/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Keeps what happens on the invented host (tests/fixtures/fake.h) in a recording, and
 * prints it as vmalocktop -j does: kept FILE [KEY=VALUE...]
 *
 *	intervals=N	so many, of a second (10)
 *	blind=A		after interval A nobody observes, for blind_for seconds (-1: always)
 *	blind_for=N	(5)
 *	random=SEED	the other invented host (world.h), where everything happens (0: no)
 *	history=1	as a history
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fixtures/world.h"
#include "vmalock/base.h"
#include "vmalock/sink.h"
#include "vmalock/source.h"
#include "vmalock/store.h"

#define SECOND 1000000000ULL

static struct {
	double intervals, blind, blind_for, random, history;
} in = { .intervals = 10, .blind = -1, .blind_for = 5 };

static const struct {
	const char *key;
	double *number;
} keys[] = {
	{ "intervals=", &in.intervals }, { "blind=", &in.blind },     { "blind_for=", &in.blind_for },
	{ "random=", &in.random },	 { "history=", &in.history },
};

static int set(const char *arg)
{
	size_t i;

	for (i = 0; i < VML_ARRAY_SIZE(keys); i++) {
		if (strncmp(keys[i].key, arg, strlen(keys[i].key)) != 0)
			continue;
		*keys[i].number = strtod(arg + strlen(keys[i].key), NULL);
		return 0;
	}
	fprintf(stderr, "kept: no such key: %s\n", arg);
	return -EINVAL;
}

/* One of the two hosts. */
struct host {
	struct vml_source *source;
	struct world *world;
	uint64_t n;
};

static int open_host(struct host *h)
{
	const struct world_options o = {
		.seed = (uint64_t)in.random, .processes = 12, .threads = 6, .busy = 30, .mortal = true, .stacks = 9
	};
	const struct vml_live_options live = { .backend = getenv("KEPT_BACKEND") };
	char error[VML_ERROR_MAX];

	if (!in.random)
		return vml_live_open(&live, &h->source, error);
	h->world = world_new(&o);
	return h->world ? 0 : -ENOMEM;
}

static int next(struct host *h, struct vml_snapshot **ret)
{
	if (h->source)
		return vml_source_next(h->source, ret);
	/* more in some seconds than in others */
	world_step(h->world, SECOND * (1 + h->n++ % 7 / 3));
	*ret = world_snapshot(h->world);
	return *ret ? 0 : -ENOMEM;
}

static int keep(struct vml_store *w, const struct vml_snapshot *before, const struct vml_snapshot *after)
{
	const struct vml_view view = { .scope = VML_PROCESS, .limit = UINT32_MAX };
	struct vml_snapshot *delta;
	int err = vml_delta(before, after, &delta);

	if (err)
		return err;
	err = vml_store_append(w, delta);
	if (!err)
		err = vml_json_write(stdout, delta, &view);
	vml_snapshot_free(delta);
	return err;
}

static int observe(struct host *h, struct vml_store *w)
{
	struct vml_snapshot *before, *after;
	int err = next(h, &before), i, blind = 0;

	for (i = 0; i < (int)in.intervals && !err;) {
		err = next(h, &after);
		if (err)
			break;
		if (i == (int)in.blind && blind < (int)in.blind_for)
			blind++;
		else
			err = keep(w, before, after), i++;
		vml_snapshot_free(before);
		before = after;
	}
	vml_snapshot_free(before);
	return err;
}

int main(int argc, char **argv)
{
	const struct vml_store_options o = { .options = "vmalock record -p 1200", .no_sync = true };
	char error[VML_ERROR_MAX] = "";
	struct vml_store *w = NULL;
	struct host host = { 0 };
	int i, err = argc < 2 ? -EINVAL : 0;

	for (i = 2; i < argc && !err; i++)
		err = set(argv[i]);
	if (err)
		return 2;
	err = in.history > 0 ? vml_history_open(argv[1], &o, &w, error) : vml_recording_create(argv[1], &o, &w, error);
	if (!err)
		err = open_host(&host);
	if (!err)
		err = observe(&host, w);
	err = vml_store_close(w) ?: err;
	vml_source_close(host.source);
	world_free(host.world);
	if (err)
		fprintf(stderr, "kept: %s\n", *error ? error : strerror(-err));
	return err ? 1 : 0;
}
