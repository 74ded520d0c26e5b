// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "vmalock/base.h"

int vml_proc_start_ticks(const char *stat, uint64_t *ret_ticks)
{
	/* the name, in parentheses, may hold anything */
	const char *p = strrchr(stat, ')');
	int field;

	for (field = 2; p && field < 22; field++)
		p = strchr(p + 1, ' ');
	if (!p || p[1] < '0' || p[1] > '9')
		return -EINVAL;
	*ret_ticks = strtoull(p + 1, NULL, 10);
	return 0;
}
