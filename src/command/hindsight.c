// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * A list of deltas, newest last.  A file is written a delta at a time between the
 * intervals, so that they stay as long as they are; it takes the list over, and a new
 * one begins.  No file is begun within hindsight_ns of the one before, so files never
 * overlap, and what is asked for meanwhile waits: then they adjoin.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../run/recent.h"
#include "../run/recording.h"
#include "../run/stop.h"
#include "record.h"
#include "vmalock/base.h"

struct hindsight {
	const struct record *o;
	struct progress *progress;
	const char *base; /* of the names of files */
	struct vml_recent ring, writing;
	struct vml_store *store; /* being written; NULL: none */
	char *path;
	bool asked;
	uint64_t events, details; /* that were lost in the intervals of the file */
	uint64_t begun_ns; /* CLOCK_BOOTTIME of the last file; 0: none yet */
	uint64_t now_ns; /* of the last delta */
	uint64_t give_back_ns; /* CLOCK_MONOTONIC; when free memory is given back again */
	bool failed;
};

struct hindsight *hindsight_new(const struct record *o, const char *base, struct progress *p)
{
	struct hindsight *h = calloc(1, sizeof(*h));

	if (!h)
		return NULL;
	*h = (struct hindsight){ .o = o, .progress = p, .base = base };
	vml_recent_init(&h->ring);
	vml_recent_init(&h->writing);
	return h;
}

/* ---- files */

static void begin_file(struct hindsight *h)
{
	/* no sync before the end: seconds of it would be missing in what is observed */
	const struct vml_store_options so = { .options = h->o->options, .rows = h->o->rows, .no_sync = true };
	char error[VML_ERROR_MAX];
	int err;

	h->asked = false;
	h->begun_ns = h->now_ns;
	h->events = h->details = 0;
	free(h->path);
	h->path = NULL;
	err = vml_recording_create_free(h->base, &so, &h->path, &h->store, error);
	if (!err) {
		vml_recent_move(&h->writing, &h->ring);
		return;
	}
	progress_say(h->progress, "%s; going on", error);
	h->failed = true;
}

static void end_file(struct hindsight *h)
{
	struct vml_store_stats stats;
	int err, i;

	vml_store_stats(h->store, &stats);
	err = vml_recording_end(h->store, h->path);
	h->store = NULL;
	for (i = 0; i < VML_STORE_NCAUSES; i++)
		h->failed |= stats.lost[i];
	h->failed |= err;
	if (err)
		progress_say(h->progress, "cannot close %s: %s", h->path, strerror(-err));
	progress_file(h->progress, h->path, &stats, h->events, h->details,
		      h->writing.first ? ", cut short by a signal"
		      : h->writing.cut ? ", fewer than asked for: --hindsight-memory is too little"
				       : "");
	h->writing.cut = false;
}

bool hindsight_write(struct hindsight *h)
{
	if (!h->store)
		return false;
	if (h->writing.first) {
		if (!vml_store_append(h->store, h->writing.first->delta)) { /* losses are in the statistics */
			h->events += vml_snapshot_lost(h->writing.first->delta);
			h->details += vml_snapshot_lost_details(h->writing.first->delta);
		}
		vml_recent_drop_first(&h->writing);
	}
	if (!h->writing.first)
		end_file(h);
	return h->store;
}

/* ---- what happens */

void hindsight_ask(struct hindsight *h)
{
	h->asked = true;
}

static bool may_begin(const struct hindsight *h)
{
	return h->asked && !h->store && (!h->begun_ns || h->now_ns - h->begun_ns >= h->o->hindsight_ns);
}

int hindsight_add(struct hindsight *h, const struct vml_snapshot *delta)
{
	uint64_t room = h->o->hindsight_bytes;
	int err = vml_recent_add(&h->ring, delta);

	h->now_ns = delta->boot_ns;
	room -= h->writing.bytes < room ? h->writing.bytes : room;
	vml_recent_trim(&h->ring, h->now_ns, h->o->hindsight_ns, room);
	vml_memory_give_back(&h->give_back_ns);
	if (progress_wait(delta) >= (double)h->o->stall_ns)
		h->asked = true;
	if (may_begin(h))
		begin_file(h);
	return err;
}

uint64_t hindsight_bytes(const struct hindsight *h)
{
	return h->ring.bytes + h->writing.bytes;
}

/* A stop signal ends the file with what is in it. */
static void write_rest(struct hindsight *h)
{
	while (h->store && !vml_stop_requested())
		hindsight_write(h);
	if (!h->store)
		return;
	h->failed = true;
	end_file(h);
}

bool hindsight_end(struct hindsight *h)
{
	bool ok;

	if (!h)
		return true;
	write_rest(h);
	if (h->asked && h->ring.first && vml_stop_requested()) {
		progress_say(h->progress, "a signal came before what was asked for last was written");
		h->failed = true;
	} else if (h->asked && h->ring.first) {
		begin_file(h);
		write_rest(h);
	}
	ok = !h->failed;
	vml_recent_clear(&h->ring);
	vml_recent_clear(&h->writing);
	free(h->path);
	free(h);
	return ok;
}
