/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef VMALOCK_TUI_OUTPUT_H
#define VMALOCK_TUI_OUTPUT_H
/*
 * Standard output as a stream that a signal can end: stdio alone would try
 * again, and again be blocked by a reader that does not read.
 */
#include <stdio.h>

struct vml_output {
	int error; /* what made it fail for good: -EPIPE, -ENOSPC, ..., -EINTR: vml_stop_requested() */
};

/* @o must outlive the stream. NULL: out of memory. */
FILE *vml_output_open(struct vml_output *o);

#endif
