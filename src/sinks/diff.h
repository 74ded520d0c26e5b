/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef VMALOCK_SINKS_DIFF_H
#define VMALOCK_SINKS_DIFF_H
/* The words of a comparison, for text, pages and JSON (diff.c).  Those that take a buffer return it. */
#include <stdbool.h>
#include <stdio.h>

#include "vmalock/compare.h"

struct vml_diff;

/* "+20 %", "-1.5 %", "x12", "new": a change as vml_change has it, with a point in every locale. */
char *diff_change(char *buf, size_t n, double by);
/* What is in one of them alone, or never differs, has no interval. */
bool diff_has_interval(const struct vml_change *c);
/* "+18 % .. +23 %" */
char *diff_interval(char *buf, size_t n, const struct vml_change *c);
/* Of each fault: a share, or time; "-" */
char *diff_ratio(char *buf, size_t n, enum vml_measure m, double v);
/* Of each second: events, or time. */
char *diff_rate(char *buf, size_t n, enum vml_measure m, double v);
/* What follows when A or B is redacted, in one sentence; false: none is. */
bool diff_nameless(const struct vml_diff *d, char *buf, size_t n);
/* The verdict and what it is because of, in one line without its end. */
void diff_verdict(FILE *out, const struct vml_comparison *c);

#endif
