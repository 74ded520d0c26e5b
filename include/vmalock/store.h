/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef VMALOCK_STORE_H
#define VMALOCK_STORE_H
/*
 * Deltas in files: recordings (vmalock record) and the history of vmalockd.  Both
 * have one schema, in SQLite, which docs/recording.md explains to people.
 *
 * A recording is one file, without a second one beside it but while an interval is
 * written (a rollback journal).  The history is in WAL mode, so that it can be
 * read while it is written, and is rolled up with age.
 *
 * - A delta is one transaction: it is there whole, or not at all.  After SIGKILL
 *   everything is there that vml_store_append() returned 0 for; after a power loss,
 *   too, as every commit is synced.
 * - Absent is NULL and never 0.  Rows that did not change are not stored, but for
 *   processes that somebody waits for.
 * - Text and numbers of a file are as hostile as those of a process: strings are
 *   cleaned, indexes and counts checked when they are read.
 *
 * Errors are negative errno; @error gets one line that says what failed, on what,
 * why, and what to do, without the name of the program.
 *   -EEXIST      the recording exists and is not to be replaced
 *   -EBADMSG     not a file of ours, damaged, or cut short
 *   -EOPNOTSUPP  written by a newer version
 *   -EBUSY       another program writes it
 *   -ENOSPC      the disk is full
 *   -EROFS, -EACCES, -ENOENT, -EIO, ...  as the system says; -ENOMEM
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "vmalock/snapshot.h"

/* user_version of the files; raised when a table changes its meaning. A new metric is only a new column. */
#define VML_STORE_SCHEMA 1

/* ---- writing (src/store/writer.c) */

/* Intervals of @step_ns, kept until they are @keep_ns old; then they become those of the next level, or go. */
struct vml_store_level {
	uint64_t step_ns, keep_ns;
};
#define VML_STORE_LEVELS 3

struct vml_store_options {
	const char *options; /* the command line, for people; NULL: unknown */
	/*
	 * Rows a scope that an interval keeps: those with the most waits (of blockers:
	 * blame), then fallbacks.  What the others counted is added up in one row
	 * "(rest)" with pid 0, so that sums stay exact.  0: all rows.
	 */
	uint32_t rows;
	bool replace; /* a recording: delete the file that is there */
	bool no_sync; /* do not wait for the disk: a power loss may damage the file (tests, scratch files) */
	/* the history; all 0: VML_HISTORY_* below */
	struct vml_store_level level[VML_STORE_LEVELS]; /* steps and ages rise; step 0 of the first: as written */
	uint64_t max_bytes; /* the oldest intervals go when the file has more in use; 0: VML_HISTORY_MAX_BYTES */
};

#define VML_HISTORY "/var/lib/vmalock/history.db" /* of vmalockd, unless told otherwise */
/* The history unless told otherwise: as written for an hour, 10 s for a day, 1 min for 30 days. */
#define VML_HISTORY_LEVELS                                                                  \
	{                                                                                   \
		{ 0, 3600ULL * 1000000000 }, { 10ULL * 1000000000, 86400ULL * 1000000000 }, \
			{ 60ULL * 1000000000, 2592000ULL * 1000000000 },                    \
	}
#define VML_HISTORY_MAX_BYTES (1ULL << 30)
#define VML_HISTORY_ROWS 50

/* Why an interval could not be written. */
enum vml_store_cause {
	VML_STORE_DISK_FULL,
	VML_STORE_READ_ONLY, /* also: no permission any more */
	VML_STORE_BUSY, /* a reader held it for longer than a second */
	VML_STORE_CORRUPT,
	VML_STORE_IO,
	VML_STORE_MEMORY,
	VML_STORE_OTHER,
	VML_STORE_NCAUSES,
};
/* "disk_full", ...; NULL when out of range. */
const char *vml_store_cause_name(unsigned int cause);

struct vml_store_stats {
	uint64_t intervals; /* written by this writer */
	uint64_t lost[VML_STORE_NCAUSES]; /* intervals that were not, by cause */
	uint64_t set_aside; /* files that were found damaged, renamed and begun anew */
	uint64_t bytes; /* of the file in use (without its journal) */
	uint64_t oldest_real_ns, newest_real_ns; /* UTC ends of the first and last interval in the file; 0: none */
};

struct vml_store;

/*
 * Makes the recording @path, which must not exist unless o->replace.  Mode 0600
 * less the umask: other people's commands and paths are in there.
 */
int vml_recording_create(const char *path, const struct vml_store_options *o, struct vml_store **ret,
			 char error[VML_ERROR_MAX]);

/*
 * A recording of this one interval, as bytes (src/store/bytes.c); nothing is written to disk.
 * -ENOMEM, or what the store says.
 */
int vml_recording_write(FILE *out, const struct vml_snapshot *delta);

/*
 * Opens the history @path to go on with it, or makes it (0640 less the umask).  A
 * file that is damaged is renamed to PATH.damaged-N with its journal, and a new one
 * begun; that is an event in the new one, in stats.set_aside, and a line in @error
 * although 0 is returned (else @error is "").  A file of an earlier schema is copied
 * to PATH.schema-N and migrated in one transaction.
 */
int vml_history_open(const char *path, const struct vml_store_options *o, struct vml_store **ret,
		     char error[VML_ERROR_MAX]);

/*
 * Adds @delta (interval_ns != 0), which is later than those before.  What lies
 * between them - a gap, a restart, a suspend, a step of the clock, a reboot - becomes
 * an event.  On failure the interval is lost and counted by its cause, the file is as
 * it was, and the next one may succeed (after which an event says what is missing).
 * A history that turns out damaged here is set aside as on open.
 */
int vml_store_append(struct vml_store *w, const struct vml_snapshot *delta);

/*
 * Keeps @text about the whole file under @name (table info), in place of what was there;
 * for people, as nothing here reads it.
 */
int vml_store_info(struct vml_store *w, const char *name, const char *text);

/*
 * One slice of what makes a history smaller: rolls up a group of intervals, deletes
 * what is too old or too much, checkpoints the WAL.  Goes on until @budget_ns of
 * CLOCK_MONOTONIC are used; a slice takes some 10 ms.  Call it after each append,
 * with what is left of the interval.  1: there is more to do; 0: nothing.  A
 * failure changes nothing and may be tried again; after -EBADMSG the file is set
 * aside, and the next append begins a new one.  (src/store/tidy.c)
 */
int vml_history_tidy(struct vml_store *w, uint64_t budget_ns);

void vml_store_stats(const struct vml_store *w, struct vml_store_stats *ret);

/* Ends and frees it; NULL is fine.  A recording is one file afterwards.  The error of the last commit, if any. */
int vml_store_close(struct vml_store *w);

/* ---- events: what is between intervals, or befell the file */

enum vml_event_kind {
	VML_EVENT_START, /* a writer opened the file; text: its options */
	VML_EVENT_GAP, /* time of this boot without intervals: nobody observed, or they were lost; text: why */
	VML_EVENT_REBOOT, /* the intervals before are of another boot */
	VML_EVENT_SUSPEND, /* the host slept, ns long, within an interval */
	VML_EVENT_CLOCK_STEP, /* UTC was set: ns forward (negative: back) */
	VML_EVENT_SET_ASIDE, /* the file before was damaged; text: its new name */
	VML_EVENT_MIGRATED, /* text: from which schema */
	VML_EVENT_TRIMMED, /* intervals were deleted for the size cap before they were too old */
	VML_NEVENTS,
};
/* "start", "gap", ...; NULL when out of range. */
const char *vml_event_name(unsigned int kind);

struct vml_event {
	enum vml_event_kind kind;
	uint64_t real_ns, boot_ns; /* when it was noticed: the end of the interval behind it */
	int64_t ns; /* how long, how far; 0: not known */
	const char *text; /* clean; "" */
};

/* ---- reading (src/store/reader.c) */

struct vml_reader;

struct vml_reader_interval {
	uint64_t id; /* rises with time; that of the last one after a roll-up */
	uint64_t real_ns, boot_ns; /* its end: UTC, and CLOCK_BOOTTIME of its boot */
	uint64_t interval_ns; /* time observed: real_ns - interval_ns is its begin */
	uint32_t parts; /* intervals that it was made of; 1: as written */
	uint32_t boot; /* the same number: the same boot */
};

/*
 * Opens a recording or a history to read it, also while it is written; changes
 * nothing but to roll back what a killed writer had begun.
 */
int vml_reader_open(const char *path, struct vml_reader **ret, char error[VML_ERROR_MAX]);
/* The same of the @n bytes of a recording, which are copied; @name is for @error. */
int vml_reader_open_bytes(const void *bytes, size_t n, const char *name, struct vml_reader **ret,
			  char error[VML_ERROR_MAX]);
/* NULL is fine. */
void vml_reader_close(struct vml_reader *r);

/* Looks for intervals that were added (or rolled up) since; open does it, too. */
int vml_reader_refresh(struct vml_reader *r);

/*
 * Until vml_reader_release() a history is read as it is now, and no delta is -ESTALE, whatever
 * is rolled up meanwhile.  The intervals of a recording stay anyway, and its writer would have
 * to wait: of one, the list is read again and that is all.
 */
int vml_reader_hold(struct vml_reader *r);
void vml_reader_release(struct vml_reader *r);

/* In the order in which they were written, until the list is read again. NULL and 0 when there are none. */
const struct vml_reader_interval *vml_reader_intervals(const struct vml_reader *r, size_t *ret_n);

/*
 * Delta number @i, as it was given to vml_store_append() (without the rows that did not
 * change).  The caller frees it.  -ESTALE: rolled up meanwhile, refresh; -ERANGE.
 */
int vml_reader_delta(struct vml_reader *r, size_t i, struct vml_snapshot **ret);

/*
 * The intervals @first .. @first + @n - 1 as one (vml_sum, snapshot.h); n > 0.  interval_ns is the time
 * observed, gaps left out.
 */
int vml_reader_range(struct vml_reader *r, size_t first, size_t n, struct vml_snapshot **ret);

/* @i lies in [@since_ns, @until_ns] of UTC by more than half: no interval lies in both of two windows that adjoin. */
bool vml_interval_in(const struct vml_reader_interval *i, uint64_t since_ns, uint64_t until_ns);

/*
 * The interval in which most time was waited for mmap_lock per second of it, by all processes; of several the
 * first.  -ENODATA: waits are not known, or nobody waited.
 */
int vml_reader_worst(struct vml_reader *r, size_t *ret_i);

/*
 * The events from interval @first on, @n intervals long (what was noticed at their
 * ends), in order; they live until the next call or the close.
 */
int vml_reader_events(struct vml_reader *r, size_t first, size_t n, const struct vml_event **ret, size_t *ret_n);

/* What @error of the last call that failed says in one line; "" after one that did not. */
const char *vml_reader_error(const struct vml_reader *r);

#endif
