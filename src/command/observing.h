/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef VMALOCK_COMMAND_OBSERVING_H
#define VMALOCK_COMMAND_OBSERVING_H
/* Observing this host, or what vmalockd sees of it, for some time, interval by interval: options and loop. */
#include <argp.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>

#include "../run/guarded.h"
#include "vmalock/caps.h"
#include "vmalock/snapshot.h"
#include "vmalock/source.h"

struct observing {
	struct vml_live_options live;
	struct vml_filter filter;
	uint64_t interval_ns;
	double max_overhead; /* 0: no limit */
	const char *connect; /* the socket of vmalockd; NULL: this program observes */
	bool overruled; /* --cgroup was there more than once: the last one counts */
};

/* A child of the parser of a command: -p, --cgroup, -d and how it is measured, into a struct observing. */
extern const struct argp observing_argp;
void observing_free(struct observing *o);

struct observing_loop {
	struct vml_source *source;
	const struct observing *o;
	uint64_t until_ns; /* CLOCK_MONOTONIC; UINT64_MAX: until it is over */
	struct pollfd *fd; /* wakes, too; may be NULL */
	/* Asked again and again; true: the last interval ends now. NULL: never. */
	bool (*over)(void *arg);
	/* Something to do until the interval ends; true: there is more. NULL: nothing. */
	bool (*idle)(void *arg);
	/* What happened, narrowed by the filter. A negative errno ends the loop. */
	int (*interval)(void *arg, struct vml_snapshot *delta);
	void *arg;
	struct vml_guard guard;
	struct vml_intervals intervals;
};

/* From now on.  A signal that interrupts is no failure; or what the source said. */
int observing_begin(struct observing_loop *l);
/*
 * From there on, to the end of @l.  The last interval may be shorter, and one in which vmalockd
 * had nothing new is a part of the next.
 * 0, also at the end of a finite source, or what the source, the guard or interval() said.
 */
int observing_run(struct observing_loop *l);
/* vml_live_probe(), and by the same trial what privileges vmalockd would keep here. */
int observing_probe(const struct vml_live_options *o, struct vml_caps *ret, char error[VML_ERROR_MAX]);
/*
 * The source that @o asks for; the negative errno of vml_live_open() or vml_connect_open(),
 * -EINVAL also for wrong pids, and one line in @error.
 */
int observing_open(const struct observing *o, struct vml_source **ret, char error[VML_ERROR_MAX]);
/*
 * From now on for @ns, to @interval as above; with vmalockd intervals are those of it.  Negative
 * errno, -ENODATA when not one interval ended, and one line in @error.
 */
int observing_for(struct vml_source *src, const struct observing *o, uint64_t ns,
		  int (*interval)(void *arg, struct vml_snapshot *delta), void *arg, char error[VML_ERROR_MAX]);

#endif
