/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef VMALOCK_TUI_BATCH_H
#define VMALOCK_TUI_BATCH_H
/* vmalocktop without a screen: text or JSON on stdout, interval by interval. */
#include "options.h"

/*
 * What happens in @src, or what is in the file of @r, which the other is NULL for, until o->view.count
 * intervals are printed, the file ends, a signal asks for the end, or nobody reads.  SIGUSR1 ends a live
 * interval at once.  0, or a negative errno and one line in @error.
 */
int vml_batch_run(struct vml_source *src, struct vml_reader *r, const struct vml_top_options *o,
		  char error[VML_ERROR_MAX]);

#endif
