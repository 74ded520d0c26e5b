// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* The last minute, kept in memory, and written between the intervals when it is asked for. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../run/recording.h"
#include "vmalock/base.h"
#include "screen.h"

#define KEEP_NS 60000000000ULL
#define KEEP_BYTES (16ULL << 20)

void tui_recent_init(struct tui *t)
{
	vml_recent_init(&t->recent.kept);
	vml_recent_init(&t->recent.writing);
}

static void trim(struct tui_recent *r)
{
	vml_recent_trim(&r->kept, r->now_ns, KEEP_NS,
			r->writing.bytes < KEEP_BYTES ? KEEP_BYTES - r->writing.bytes : 0);
}

void tui_recent_add(struct tui *t, const struct vml_snapshot *delta)
{
	vml_recent_add(&t->recent.kept, delta); /* one that is missing is a gap in the file */
	t->recent.now_ns = delta->boot_ns;
	trim(&t->recent);
}

int tui_recent_ask(struct tui *t, int key)
{
	/* one sync at the end, not one an interval: the screen stands still meanwhile */
	static const struct vml_store_options o = { .options = "vmalocktop, key w", .no_sync = true };
	struct tui_recent *r = &t->recent;
	char error[VML_ERROR_MAX] = "out of memory", *base;

	(void)key;
	if (t->replay || r->store || !r->kept.first) {
		vml_text_copy(t->message, sizeof(t->message),
			      t->replay	 ? "this key is for what is seen now; this is a recording already"
			      : r->store ? "the file before is not whole yet"
					 : "nothing to write yet: the first interval is not over");
		return 0;
	}
	base = vml_recording_base(true);
	if (!base || vml_recording_create_free(base, &o, &r->path, &r->store, error)) {
		vml_text_copy(t->message, sizeof(t->message), error);
	} else {
		vml_recent_move(&r->writing, &r->kept);
		r->next = r->writing.first;
		snprintf(t->message, sizeof(t->message), "writing %s", r->path);
	}
	free(base);
	return 0;
}

static void end_file(struct tui *t)
{
	struct tui_recent *r = &t->recent;
	struct vml_store_stats stats;
	uint64_t lost = 0;
	unsigned int i;
	int err;

	vml_store_stats(r->store, &stats);
	err = vml_recording_end(r->store, r->path);
	r->store = NULL;
	for (i = 0; i < VML_STORE_NCAUSES; i++)
		lost += stats.lost[i];
	if (err)
		snprintf(t->message, sizeof(t->message), "cannot write %s: %s", r->path, strerror(-err));
	else
		/* the name first: of what is too long for the screen the end is cut */
		snprintf(t->message, sizeof(t->message), "wrote %s: the last %.0f s%s", r->path,
			 (double)r->span_ns / 1e9,
			 lost		  ? ", but for intervals that were lost (disk full?)"
			 : r->writing.cut ? ", no room for more"
					  : "");
	free(r->path);
	r->path = NULL;
	vml_recent_put_back(&r->kept, &r->writing);
	trim(r);
}

bool tui_recent_write(struct tui *t)
{
	struct tui_recent *r = &t->recent;

	if (!r->store)
		return false;
	if (!r->next) {
		end_file(t);
		return true;
	}
	if (r->next == r->writing.first)
		r->span_ns = 0;
	r->span_ns += r->next->delta->interval_ns;
	vml_store_append(r->store, r->next->delta); /* losses are in the statistics */
	r->next = r->next->next;
	return true;
}

void tui_recent_free(struct tui *t)
{
	while (tui_recent_write(t))
		;
	vml_recent_clear(&t->recent.kept);
}
