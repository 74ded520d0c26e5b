// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "collect.h"

/* kallsyms is not sorted: two readings, the second for what follows. */
static int scan(FILE *f, const char *name, uint64_t after, uint64_t *ret)
{
	uint64_t best = UINT64_MAX, addr;
	char sym[256], line[512], type;

	rewind(f);
	while (fgets(line, sizeof(line), f)) {
		if (sscanf(line, "%" SCNx64 " %c %255s", &addr, &type, sym) != 3)
			continue;
		if (name) {
			if (!strcmp(sym, name) && (type == 't' || type == 'T')) {
				*ret = addr;
				return addr ? 0 : -EACCES;
			}
		} else if (addr > after && addr < best) {
			best = addr;
		}
	}
	if (best == UINT64_MAX)
		return -ENOENT;
	*ret = best;
	return 0;
}

int kallsyms_range(const char *name, uint64_t *ret_start, uint64_t *ret_end)
{
	uint64_t start = 0, end = 0;
	FILE *f;
	int err;

	f = fopen("/proc/kallsyms", "re");
	if (!f)
		return -errno;
	err = scan(f, name, 0, &start);
	if (!err)
		err = scan(f, NULL, start, &end);
	fclose(f);
	if (err)
		return err;
	*ret_start = start;
	*ret_end = end;
	return 0;
}
