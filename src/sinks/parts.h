/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef VMALOCK_SINKS_PARTS_H
#define VMALOCK_SINKS_PARTS_H
/* What the sinks share (src/sinks/parts.c, plain.c). */
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "vmalock/sink.h"

/* Length of the interval of a delta in seconds, never 0. */
double vml_seconds(const struct vml_snapshot *delta);
/* The host-wide number of @m is known. */
bool vml_knows(const struct vml_snapshot *delta, enum vml_metric m);
/* "12,345", "0.5": a count or rate in full. Returns @buf. */
char *vml_grouped(char *buf, size_t n, double v);
/* The rows of a view, ranked; -ENOMEM. */
int vml_view_rank(struct vml_snapshot *delta, const struct vml_view *view, enum vml_scope scope,
		  const struct vml_row ***ret_rows, size_t *ret_n);

/* A stream to @out with '?' for each character that is not ASCII; @out itself when @utf8. NULL: out of memory. */
FILE *vml_plain_open(FILE *out, bool utf8);
/* Closes what that returned, but not @out. @err unless that is 0, -EIO */
int vml_plain_close(FILE *f, FILE *out, int err);

#endif
