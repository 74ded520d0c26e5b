/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef VMALOCK_COMMAND_REPORT_H
#define VMALOCK_COMMAND_REPORT_H
/*
 * vmalock report: what was asked for, and the two places it is read from.
 *
 *	report.c		options, output
 *	report_live.c		this host, or what vmalockd sees of it
 *	report_recorded.c	a file
 *	report_sum.c		intervals as one (report_sum.h)
 */
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "../run/exit.h"
#include "vmalock/sink.h"
#include "vmalock/source.h"
#include "window.h"

struct report {
	struct vml_live_options live;
	const char *connect; /* the socket of vmalockd; NULL: this program observes */
	struct vml_filter filter;
	struct vml_view view; /* its limit: when have_limit, else as the form wants it */
	bool have_limit;
	uint64_t time_ns; /* to observe; 0: not said */
	struct vml_window window; /* path NULL: this host, now */
	const char *output; /* NULL: stdout */
	bool named, json, intervals, folded, html, utc;
	FILE *out; /* once there is something to write */
};

/* Observes, or reads window.path, and prints; the exit status, after a line on stderr unless it is 0. */
int report_live(struct report *r);
int report_recorded(struct report *r);

/*
 * Makes the file of the output, once: not before there is something to write, so that what
 * cannot be read does not cost the file that was there.  Negative errno.
 */
int report_open(struct report *r);
/* Prints @delta as asked for, but for a page. Negative errno. */
int report_write(struct report *r, struct vml_snapshot *delta, const struct vml_period *period);
/* What was written is out. Negative errno. */
int report_flush(struct report *r);
/* Says why it failed; returns EXIT_FAILED. */
int report_cannot_write(const struct report *r, int err);

#endif
