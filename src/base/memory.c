/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include <malloc.h>

#include "vmalock/base.h"

#define GIVE_BACK_NS 5000000000ULL
void vml_memory_give_back(uint64_t *next_ns)
{
	uint64_t now = vml_now_mono();

	if (now < *next_ns)
		return;
	malloc_trim(0);
	*next_ns = now + GIVE_BACK_NS;
}
