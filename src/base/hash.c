/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "vmalock/base.h"

uint64_t vml_hash(uint64_t hash, const void *p, size_t n)
{
	const unsigned char *byte = p;

	for (size_t i = 0; i < n; i++)
		hash = (hash ^ byte[i]) * 0x100000001b3ULL;
	return hash;
}
