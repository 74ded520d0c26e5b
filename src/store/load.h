/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef VMALOCK_STORE_LOAD_H
#define VMALOCK_STORE_LOAD_H
/*
 * Private to the files that read a delta.  A file may come from anybody: every index is
 * checked, every text cleaned, and the number of rows bounded.  What contradicts
 * itself is damage, -EBADMSG.
 *
 *	loader.c	statements; subjects and configs, which many rows refer to
 *	load.c		the delta and its rows
 *	load_details.c	reasons, histograms, losses, lookups, stalls, stacks
 */
#include "db.h"

#define LOAD_ROWS_MAX (1U << 20) /* a scope in an interval */
#define LOAD_FRAMES_MAX 1024

/* ---- loader.c */

struct load_subject {
	int64_t id;
	int scope;
	struct vml_row row; /* no counts; texts of the loader */
};
int load_subject(struct loader *l, int64_t id, const struct load_subject **ret);
int load_config(struct loader *l, int64_t id, const struct config_read **ret);
/* Bounds what is remembered; before a delta. -ENOMEM */
int loader_trim(struct loader *l);

/* ---- load.c */

/* A row on its way, with the number that its reasons and histograms have. */
struct loading {
	int64_t subject;
	struct vml_row row;
};

struct load {
	struct loader *l;
	const struct config_read *config;
	int64_t interval;
	struct vml_snapshot *s;
	struct loading *row[VML_NSCOPES]; /* in the order of subjects */
	size_t n[VML_NSCOPES], size[VML_NSCOPES];
};
/* The row of a subject; NULL: a detail without a row. */
struct vml_row *load_row(struct load *w, int64_t subject);

/* ---- load_details.c; after the rows */

int load_details(struct load *w);

#endif
