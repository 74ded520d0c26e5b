/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef VMALOCK_PACKED_H
#define VMALOCK_PACKED_H
/*
 * A snapshot, or a delta, that is kept: its rows as bytes, each as what differs from the
 * row before it, a fraction of what they take otherwise.  They can be read in
 * order only; all else of it is there as it was.
 *
 * Any number of threads may read one; nothing here writes to it.  src/model/pack.c
 */
#include "vmalock/snapshot.h"

struct vml_packed;

/* A copy of @s, in the order of its rows. -EINVAL: they are not sorted and unique; -ENOMEM */
int vml_pack(const struct vml_snapshot *s, struct vml_packed **ret);
/* NULL is fine. */
void vml_packed_free(struct vml_packed *p);

/* All of it; what it points to lives as long as @p, too. -ENOMEM */
int vml_unpack(const struct vml_packed *p, struct vml_snapshot **ret);

/* The rows of one scope, one after the other. */
struct vml_unpack;
/* NULL: out of memory. */
struct vml_unpack *vml_unpack_begin(const struct vml_packed *p, enum vml_scope scope);
/* NULL: there is no more.  The texts of a row live as long as @p, the rest until the next call. */
const struct vml_row *vml_unpack_next(struct vml_unpack *u);
/* NULL is fine. */
void vml_unpack_end(struct vml_unpack *u);

#endif
