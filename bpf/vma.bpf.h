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
	WALK_DEAD, /* inside vma.bpf.c: the node was replaced */
	WALK_ERROR, /* the tree changed under three walks, or cannot be read on this kernel */
	WALK_DOWN, /* inside vma.bpf.c: not at a leaf yet */
};

/* A leaf of the tree, and the addresses it is for: the next walk may begin there while nobody wrote. */
struct leaf {
	__u64 entry; /* pointer with the type in its low bits, as the tree has it; 0: none */
	__u64 first, last;
};

/* A VMA as it was read. */
struct found {
	__u64 vma; /* pointer */
	__u64 start, end; /* addresses, [start, end) */
	__u64 flags; /* vm_flags */
	__u64 file; /* pointer; 0: anonymous */
	__u64 last; /* last address of the gap when there is none */
	struct leaf leaf; /* in: where to begin, if the address is there; out: where it ended */
};

/*
 * The VMA of @mm at @index: enum walk_result.  Begin with a @f of zeroes.  A global
 * function: the verifier checks it once, not once for every way that leads to a call.
 */
int vma_walk(__u64 mm, __u64 index, struct found *f);
/* Reads what is at @addr into @f; false when it is no VMA of @mm (any more). */
__hidden bool vma_read(__u64 addr, __u64 mm, struct found *f);
/* Writes what @f is, but no count, to @v; learns the path of its file. */
__hidden int vma_describe(__u64 mm, const struct found *f, struct vml_vma_value *v);

#endif
