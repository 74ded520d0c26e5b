/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef VMALOCK_RUN_RECORDING_H
#define VMALOCK_RUN_RECORDING_H
/* Recordings (store.h) with names of their own. */
#include <stdbool.h>

#include "vmalock/store.h"

/* "vmalock-HOST", without HOST unless @host, as files are called by default; free() it. NULL: out of memory. */
char *vml_recording_base(bool host);
/* @base, without ".vml", and -TIME.vml; a number when there is such a file. @n: 0, then 1, .. */
char *vml_recording_path(const char *base, unsigned int n);
/*
 * A recording with the first of these names that is free; never in place of a file.  *ret_path: free() it.
 * As vml_recording_create().
 */
int vml_recording_create_free(const char *base, const struct vml_store_options *o, char **ret_path,
			      struct vml_store **ret, char error[VML_ERROR_MAX]);
/* Closes @s, the recording @path that was made with no_sync, and waits for the disk. */
int vml_recording_end(struct vml_store *s, const char *path);

#endif
