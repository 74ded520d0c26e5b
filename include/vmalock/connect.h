/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef VMALOCK_CONNECT_H
#define VMALOCK_CONNECT_H
/*
 * What vmalockd sees, for programs without privileges (src/connect): a source over
 * its local socket.
 *
 * GET VML_RECORDING_PATH answers with a recording (store.h) of one interval, from the
 * start of the daemon to its last snapshot, with all rows: SQLite, as everything that is
 * kept or sent.  With "?after=NS" (CLOCK_BOOTTIME) 204 when there is none later than
 * that, which costs next to nothing.  Its Content-Type says which snapshot it is, and how
 * far they are apart.
 *
 * Why not deltas: who comes late for one would have lost it, and its sums would be wrong
 * for ever.  The delta of two of these is right whatever lies between them.
 */
#include <inttypes.h>
#include <stdbool.h>
#include <stdint.h>

#include "vmalock/source.h"

#define VML_RECORDING_PATH "/api/v1/recording"
/* As of printf() and scanf(): number of the snapshot, ns between two. */
#define VML_RECORDING_TYPE "application/vnd.sqlite3; snapshot=%" PRIu64 "; interval_ns=%" PRIu64

/*
 * The source at the socket @path; the first snapshot is fetched here.  next() gives the
 * last one of the daemon; rows that came and went between two calls are in it, because tick()
 * looks at each in between, unless that took more than a tenth of the daemon's interval.
 * Those that were not fetched are counted as the loss "missed_snapshots": what ended in
 * them is in the totals only.
 *
 * @stop, which may be NULL, is asked after each signal and once a second while vmalockd has not answered for
 * @waited_ns; true: next() is -EINTR, unless it has what was fetched before, or what began ends without.
 *
 * On failure @error has one line that says what failed, on what, why, and what to do:
 *   -ENOENT, -ECONNREFUSED  there is no daemon
 *   -EACCES                 not allowed: not in its group
 *   -EBUSY                  it has no snapshot, or too much to do
 *   -EBADMSG                what answers is not vmalockd, or too old
 *   -EOPNOTSUPP             it is newer than this program
 *   -ELIBACC                there is no libcurl
 *   -ETIMEDOUT, -EAGAIN, -EINTR, -EIO, -ENOMEM
 */
int vml_connect_open(const char *path, bool (*stop)(uint64_t waited_ns), struct vml_source **ret,
		     char error[VML_ERROR_MAX]);

#endif
