/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef EXPORT_GATHER_H
#define EXPORT_GATHER_H
/*
 * Inside src/export: one exposition, copied under the lock, which text and
 * protobuf are written from after it was given back.
 */
#include <stddef.h>
#include <stdint.h>

#include "export/metric.h"

struct vml_arena;
struct vml_export;
struct dense;

struct sample {
	const char *value[METRIC_LABELS]; /* of the metric's labels; "" is as good as no label */
	const char *comm; /* NULL: not by comm */
	double number; /* of a histogram: unused; of a summary: the sum */
	uint64_t count; /* of a summary */
	const struct dense *hist;
};

struct family {
	struct sample *sample;
	size_t n, room;
};

struct exposition {
	struct vml_arena *arena; /* NULL: only series are counted */
	struct family family[NMETRICS];
	uint64_t series;
	struct sample scratch; /* while counting */
	int err;
};

/* The caller frees x->arena, also on failure. -ENOMEM */
int gather(struct vml_export *e, struct exposition *x);

/* How many series there are beside those of rows, exported_series and its like included. */
uint64_t gather_fixed_series(const struct vml_export *e);

/* ---- text.c, protobuf.c: malloc'd; -ENOMEM */

int text_write(const struct exposition *x, char **ret, size_t *ret_n);
int protobuf_write(const struct exposition *x, char **ret, size_t *ret_n);

#endif
