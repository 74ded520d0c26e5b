/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef VMALOCK_DAEMON_LATEST_H
#define VMALOCK_DAEMON_LATEST_H
/*
 * A source that one thread reads, and others look into: the last delta, which is kept
 * packed, and the snapshot that it ended, which the source makes when somebody asks.
 */
#include "vmalock/snapshot.h"
#include "vmalock/source.h"

struct latest;

/* @source: whose next_delta is not called by others any more; it must outlive the readers. -ENOMEM */
int latest_new(struct vml_source *source, struct latest **ret);
/* NULL is fine; nobody may read any more. */
void latest_free(struct latest *l);
/*
 * Its next delta, which the caller frees; for one thread. What vml_source_next_delta() says: the delta
 * before is still the last one.
 */
int latest_next(struct latest *l, struct vml_snapshot **ret);

enum latest_what {
	LATEST_INTERVAL, /* between the last two; only what changed */
	LATEST_ALL, /* since the beginning */
};
/* A delta, which the caller frees. -EAGAIN: nothing was put yet; -ENOMEM. */
int latest_delta(struct latest *l, enum latest_what what, struct vml_snapshot **ret);
/*
 * Calls @use with the last snapshot as it is, dressed as a delta since the beginning
 * (interval_ns), and its number, from 1 on.  Unlike LATEST_ALL it has what is not known of
 * all that time, so that vml_delta() of two of them is that of the snapshots.  -ENODATA: it
 * is not later than @after_ns of CLOCK_BOOTTIME; -EAGAIN: nothing was put yet; or what
 * @use returns.
 */
int latest_use(struct latest *l, uint64_t after_ns,
	       int (*use)(void *context, const struct vml_snapshot *s, uint64_t number), void *context);

#endif
