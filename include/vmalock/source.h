/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef VMALOCK_SOURCE_H
#define VMALOCK_SOURCE_H
/*
 * Where snapshots come from.  open, next, close; the live source (src/collect)
 * is the only one that needs privileges, a database is another.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct vml_snapshot;
struct vml_caps;

struct vml_source {
	const struct vml_source_ops *ops;
};

struct vml_source_ops {
	/*
	 * A new snapshot of everything since open; the caller frees it.  The
	 * first one is the baseline and may hold rows already.
	 * -ENOMEM, -ENODATA at the end of a finite source, or what the kernel said.
	 */
	int (*next)(struct vml_source *s, struct vml_snapshot **ret);
	/* Frees @s; detaches whatever it attached. */
	void (*close)(struct vml_source *s);
	/* What can be seen; lives as long as @s. */
	const struct vml_caps *(*caps)(const struct vml_source *s);
};

static inline int vml_source_next(struct vml_source *s, struct vml_snapshot **ret)
{
	return s->ops->next(s, ret);
}

static inline void vml_source_close(struct vml_source *s)
{
	if (s)
		s->ops->close(s);
}

static inline const struct vml_caps *vml_source_caps(const struct vml_source *s)
{
	return s->ops->caps(s);
}

/* ---- the live source (src/collect/live.c) */

#define VML_STACKS_OVER_NS 1000000ULL
#define VML_STACKS_OFF UINT64_MAX

struct vml_live_options {
	const char *backend; /* NULL or "auto", "fentry", "kprobe", "tracepoint" */
	const char *detail; /* NULL or "default", "exact" */
	const char *btf_path; /* NULL: /sys/kernel/btf/vmlinux */
	uint32_t max_processes, max_vmas; /* 0: the defaults of abi.h */
	/*
	 * The stack of a holder is kept when somebody waited for longer than this while
	 * it held mmap_lock.  0: VML_STACKS_OVER_NS; VML_STACKS_OFF: never.
	 */
	uint64_t stacks_over_ns;
	bool user_stacks; /* of the program, too: reads its /proc/PID/maps, once */
};

#define VML_ERROR_MAX 512

/*
 * Loads and attaches the BPF programs and starts counting.  On failure
 * returns a negative errno and leaves in @error one line that says what failed,
 * on what, why, and what to do:
 *   -EPERM       privileges are missing
 *   -EOPNOTSUPP  this kernel cannot be observed (exit code 4)
 *   -EINVAL      an option is not possible here
 */
int vml_live_open(const struct vml_live_options *o, struct vml_source **ret, char error[VML_ERROR_MAX]);

/*
 * The same trials without keeping anything: what doctor prints.  Fills @caps
 * also when nothing works; returns the error vml_live_open() would.
 */
int vml_live_probe(const struct vml_live_options *o, struct vml_caps *caps, char error[VML_ERROR_MAX]);

#endif
