/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef VMALOCK_DAEMON_H
#define VMALOCK_DAEMON_H
/*
 * vmalockd: one source, read once an interval, for metrics, history and API.
 *
 *	options.c	the command line	log.c		what it says
 *	daemon.c	start and end		loop.c		signals, beats
 *	interval.c	snapshot to sinks	numbers.c	metrics of the daemon itself
 *	pages.c		what HTTP serves	latest.c	snapshots for its threads
 *	filter.c	system calls		notify.c	systemd
 *
 * Threads: the loop is the only one that takes snapshots and writes; those of the
 * server (web.h) look into struct latest and the exporter.
 */
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "vmalock/export.h"
#include "vmalock/guard.h"
#include "vmalock/source.h"
#include "vmalock/store.h"
#include "vmalock/web.h"
#include "latest.h"
#include "log.h"
#include "options.h"

struct daemon {
	const struct daemon_options *o;
	struct vml_log *log;
	struct vml_source *source;
	struct vml_export *exporter;
	struct vml_store *history; /* NULL: off, or cannot be opened for now */
	struct vml_web *web;
	struct latest *latest;
	struct vml_guard guard;
	bool guarded; /* the source has hooks that can be detached */
	uint64_t history_retry_ns; /* CLOCK_MONOTONIC; when it is opened again */
	/* since the start */
	uint64_t snapshots, snapshot_ns;
	uint64_t lost_export, lost_history; /* intervals: no memory; no history was open */
	uint64_t give_back_ns; /* CLOCK_MONOTONIC; when free memory is given back again */
	uint64_t up_real_ns; /* of the last snapshot that succeeded */
	double start_time; /* of this process, seconds since 1970 */
	atomic_bool up; /* the last snapshot succeeded */
};

/* Runs until a signal ends it.  Returns the exit status: 0, 1 failure, 2 usage, 4 this kernel cannot be observed. */
int daemon_run(const struct daemon_options *o);

/* ---- loop.c */

/* Blocks the signals that the loop waits for; before any thread is started. */
void loop_signals(void);
/* Until SIGTERM or SIGINT. */
void loop_run(struct daemon *d);

/* ---- interval.c */

/* A snapshot, and what happened since the last that succeeded, to all sinks.  What the source said; -ENOMEM. */
int interval_first(struct daemon *d);
/* The same; a failure is logged, and a metric. */
void interval_take(struct daemon *d);
/* Opens the history.  False: cannot be, and trying again is of no use; @error says why. */
bool interval_open_history(struct daemon *d, char error[VML_ERROR_MAX]);

/* ---- numbers.c */

/* Gives the exporter what it cannot know.  @delta: of the last interval; NULL: there is none. */
void numbers_update(struct daemon *d, const struct vml_snapshot *delta);

/* ---- pages.c */

#define PAGES_MAX 8
/* Fills @page, with @d for context; returns how many. */
size_t pages_fill(struct daemon *d, struct vml_web_page page[PAGES_MAX]);

#endif
