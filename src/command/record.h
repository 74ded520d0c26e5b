/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef VMALOCK_COMMAND_RECORD_H
#define VMALOCK_COMMAND_RECORD_H
/*
 * Private to the files that make recordings.
 *
 *	record.c	options of vmalock record and vmalock snapshot
 *	recorder.c	observing into a file, from start to end
 *	progress.c	what is said of it on stderr
 *	hindsight.c	the last seconds, in memory until something happens
 *	child.c		the command that is recorded
 *	observing.c	options and loop that others need, too
 */
#include "../run/exit.h"
#include "observing.h"
#include "vmalock/store.h"

struct record {
	const char *name; /* "vmalock record" */
	struct observing observing;
	uint64_t time_ns; /* 0: until it is over */
	const char *path; /* NULL: vml_recording_base() and the time */
	const char *options; /* the command line, as it is stored */
	bool force, json;
	uint32_t rows; /* a scope in an interval, the others in one; 0: all */
	bool snapshot; /* with what doctor says */
	struct vml_redaction *redaction; /* NULL: none */
	uint64_t hindsight_ns; /* 0: no */
	uint64_t hindsight_bytes;
	uint64_t stall_ns;
	char *const *command; /* ends with NULL; NULL: none */
};

/* With a COMMAND, as env(1): a failure of our own; it cannot be run; there is none. */
enum { EXIT_OWN = 125, EXIT_CANNOT_RUN, EXIT_NOT_FOUND };

/* All of it; the exit status. */
int recorder_run(const struct record *o);

/* ---- progress.c */

struct progress {
	const char *name;
	bool terminal; /* one line on stderr, rewritten */
	bool shown;
	double longest_ns; /* wait; -1: not known */
	uint64_t intervals, observed_ns;
	uint64_t events, details; /* that were lost (snapshot.h) */
};
void progress_init(struct progress *p, const struct record *o);
/* Longest wait for a lock that began or ended in @delta, at least; -1: not known. */
double progress_wait(const struct vml_snapshot *delta);
/* @bytes: of the file, or of what is kept. */
void progress_interval(struct progress *p, const struct vml_snapshot *delta, uint64_t bytes);
/* A line of its own: the line of progress goes first. */
__attribute__((format(printf, 2, 3))) void progress_say(struct progress *p, const char *fmt, ...);
/* The closing line of @path, in whose intervals so many events and details were lost. */
void progress_file(struct progress *p, const char *path, const struct vml_store_stats *s, uint64_t events,
		   uint64_t details, const char *more);

/* ---- hindsight.c */

struct hindsight;
/* Files are vml_recording_path(@base). NULL: out of memory. */
struct hindsight *hindsight_new(const struct record *o, const char *base, struct progress *p);
/* Takes a copy of @delta; begins a file when it is time to. Negative errno: it is not kept. */
int hindsight_add(struct hindsight *h, const struct vml_snapshot *delta);
/* Somebody asks for a file. */
void hindsight_ask(struct hindsight *h);
/* A part of the file that is being written; true: there is more. */
bool hindsight_write(struct hindsight *h);
uint64_t hindsight_bytes(const struct hindsight *h);
/*
 * Writes what was asked for, until vml_stop_requested(), and frees it; NULL is fine.  False: a file, or a part
 * of one, was not written.
 */
bool hindsight_end(struct hindsight *h);

#endif
