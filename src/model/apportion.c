// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "vmalock/guard.h"

void vml_apportion(uint64_t whole, const uint64_t *weight, size_t n, int64_t *owed, uint64_t *ret)
{
	uint64_t weights = 0, given = 0;
	unsigned __int128 part;
	size_t i, most;

	for (i = 0; i < n; i++)
		weights += weight[i];
	for (i = 0; i < n; i++) {
		part = (unsigned __int128)whole * weight[i];
		ret[i] = (uint64_t)(part / weights);
		owed[i] += (int64_t)(((part % weights) << 32) / weights);
		given += ret[i];
	}
	for (; given < whole; given++) {
		for (most = 0, i = 1; i < n; i++)
			if (owed[i] > owed[most])
				most = i;
		ret[most]++;
		owed[most] -= 1LL << 32;
	}
}
