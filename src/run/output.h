/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef VMALOCK_RUN_OUTPUT_H
#define VMALOCK_RUN_OUTPUT_H
/*
 * Standard output as a stream that a signal can end: stdio alone would try
 * again, and again be blocked by a reader that does not read.  What is being written
 * when one comes is written whole, as long as somebody reads.
 */
#include <stdio.h>

struct vml_output {
	/*
	 * What made it fail for good: -EPIPE, -ENOSPC, ...; -EINTR: after vml_stop_requested() nothing was
	 * read for a second, or until the next signal.
	 */
	int error;
};

/* @o must outlive the stream. NULL: out of memory. */
FILE *vml_output_open(struct vml_output *o);

#endif
