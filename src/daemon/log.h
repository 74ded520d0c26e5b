/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef VMALOCK_DAEMON_LOG_H
#define VMALOCK_DAEMON_LOG_H
/*
 * What the daemon says: one line an event, logfmt or JSON.
 *
 *	level=warn msg="cannot write the history" error="No space left on device" repeated=12
 *
 * The same message is said at most once a minute; the line that follows says how
 * often it was held back.  Names of processes, paths of theirs and stacks are for
 * VML_LOG_DEBUG only.  Any thread may call.
 */
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

enum vml_log_level { VML_LOG_DEBUG, VML_LOG_INFO, VML_LOG_WARN, VML_LOG_ERROR };

struct vml_log_options {
	FILE *out;
	enum vml_log_level level; /* of what is said at least */
	bool json;
	bool journal; /* <N> before each line: the priority, as journald takes it */
	uint64_t (*now)(void); /* ns; NULL: vml_now_mono() */
};

struct vml_log;

/* -ENOMEM */
int vml_log_open(const struct vml_log_options *o, struct vml_log **ret);
/* Says what was held back and frees @l; NULL is fine. */
void vml_log_close(struct vml_log *l);

/*
 * @msg: words of ours, without what varies; then pairs of strings, key and value,
 * ended by NULL.  A NULL value leaves its pair out.
 */
__attribute__((sentinel)) void vml_log(struct vml_log *l, enum vml_log_level level, const char *msg, ...);

/* Says what was held back for a minute; to be called now and then. */
void vml_log_flush(struct vml_log *l);

/* "debug", "info", "warn", "error". -EINVAL */
int vml_log_level_parse(const char *name, enum vml_log_level *ret);

#endif
