// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "vmalock/base.h"
#include "vmalock/snapshot.h"

int vml_filter_set_pids(struct vml_filter *f, const char *arg, char error[VML_ERROR_MAX])
{
	uint32_t *pids;
	size_t n;
	int err = vml_parse_pids(arg, &pids, &n);

	if (err == -ENOMEM)
		return err;
	if (err) {
		snprintf(error, VML_ERROR_MAX, "-p: process ids with commas between them, not '%s'", arg);
		return -EINVAL;
	}
	vml_filter_free(f);
	f->pids = pids;
	f->npids = n;
	return 0;
}

int vml_filter_set_cgroup(struct vml_filter *f, const char *arg, char error[VML_ERROR_MAX])
{
	if (*arg != '/') {
		snprintf(error, VML_ERROR_MAX, "--cgroup: a path that begins with /, not '%s'", arg);
		return -EINVAL;
	}
	f->cgroup = arg;
	return 0;
}

void vml_filter_free(struct vml_filter *f)
{
	free((void *)f->pids);
	f->pids = NULL;
	f->npids = 0;
}
