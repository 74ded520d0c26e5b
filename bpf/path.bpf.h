/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef VMALOCK_PATH_BPF_H
#define VMALOCK_PATH_BPF_H
/* Building a struct vml_path, last component first. */
#include "core.bpf.h"

static __always_inline void path_begin(struct vml_path *p)
{
	p->len = 0;
	p->truncated = 0;
}

/* Appends the component at kernel address @name.  False when it is full. */
static __always_inline bool path_add(struct vml_path *p, const void *name)
{
	__u32 len = p->len;
	long n;

	if (len >= VML_PATH_MAX - 1)
		goto full;
	n = bpf_probe_read_kernel_str(&p->text[len], VML_PATH_COMPONENT, name);
	if (n <= 0)
		goto full;
	if (n == VML_PATH_COMPONENT)
		p->truncated = 1;
	p->len = len + n;
	return true;
full:
	p->truncated = 1;
	return false;
}

static __always_inline void path_end(struct vml_path *p)
{
	__u32 len = p->len;

	if (len < VML_PATH_MAX + VML_PATH_COMPONENT)
		p->text[len] = 0;
	p->len = len + 1;
}

#endif
