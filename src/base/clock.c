/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include <time.h>

#include "vmalock/base.h"

static uint64_t now(clockid_t clock)
{
	struct timespec t = { 0 };

	/* cannot fail: the three clocks exist on every kernel that is supported */
	clock_gettime(clock, &t);
	return (uint64_t)t.tv_sec * 1000000000U + (uint64_t)t.tv_nsec;
}

uint64_t vml_now_mono(void)
{
	return now(CLOCK_MONOTONIC);
}

uint64_t vml_now_boot(void)
{
	return now(CLOCK_BOOTTIME);
}

uint64_t vml_now_real(void)
{
	return now(CLOCK_REALTIME);
}

uint64_t vml_next_beat(uint64_t due_ns, uint64_t interval_ns)
{
	uint64_t now = vml_now_mono(), next = due_ns + interval_ns;

	return next > now ? next : now + interval_ns - (now - due_ns) % interval_ns;
}
