/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef VMALOCK_VMA_BPF_H
#define VMALOCK_VMA_BPF_H
/*
 * Between the two files about VMAs: vma.bpf.c finds and reads them in the memory of
 * the kernel, vma_row.bpf.c keeps their rows.  All that follows a pointer of the
 * kernel is in the first one, because only one object may call bpf_rdonly_cast()
 * (compat.bpf.h).
 *
 * Nothing here is locked.  What was found was so at some moment of the search; who
 * needs it to hold still compares mm_lock_seq before and after.
 */
#include "core.bpf.h"

enum walk_result {
	WALK_FOUND, /* a VMA that names the mm and covers the address */
	WALK_NONE, /* no VMA there */
	WALK_ERROR, /* the tree changed meanwhile, or cannot be read on this kernel */
};

/* A VMA as it was read. */
struct found {
	__u64 vma; /* pointer */
	__u64 start, end; /* addresses, [start, end) */
	__u64 flags; /* vm_flags */
	__u64 file; /* pointer; 0: anonymous */
	__u64 last; /* last address of the gap when there is none */
};

/*
 * The VMA of @mm at @index: enum walk_result.  @leaf is where the walk ended, or
 * nothing of use when no VMA was found.  Both begin as zeroes or as anything.
 * Global functions: the verifier checks them once, not once for every call.
 */
int vma_walk(__u64 mm, __u64 index, struct vml_leaf *leaf, struct found *f);
/*
 * The same, from the leaf on where an earlier walk ended.  The caller knows that
 * @index is in its range and that nobody wrote since.
 */
int vma_walk_leaf(__u64 mm, __u64 index, const struct vml_leaf *leaf, struct found *f);
/*
 * Reads what is at @addr into @f; false when it is no VMA of @mm (any more).  Global,
 * so that the pointers in @f are numbers for the caller, who may calculate with them.
 */
int vma_read(__u64 addr, __u64 mm, struct found *f);
/* Writes what @f is, but no count, to @v; learns the path of its file. */
__hidden int vma_describe(__u64 mm, const struct found *f, struct vml_vma_value *v);

#endif
