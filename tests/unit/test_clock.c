/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Clocks of one instant, on a host that takes the CPU away between two readings. */
#include <time.h>

#include "unit.h"

#define SLEPT (7 * UNIT_SECOND)
#define EPOCH (1700000000 * UNIT_SECOND)
#define AWAY (UNIT_SECOND / 5)
#define MS (UNIT_SECOND / 1000)

static uint64_t mono_ns;
static unsigned int readings, lost_from, lost_until;

/* In place of the C library's. */
int clock_gettime(clockid_t clock, struct timespec *t)
{
	uint64_t ns;

	mono_ns += readings >= lost_from && readings < lost_until ? AWAY : 50;
	readings++;
	ns = mono_ns + (clock == CLOCK_BOOTTIME ? SLEPT : clock == CLOCK_REALTIME ? EPOCH : 0);
	t->tv_sec = (time_t)(ns / UNIT_SECOND);
	t->tv_nsec = (long)(ns % UNIT_SECOND);
	return 0;
}

static struct vml_clocks read_when(unsigned int from, unsigned int until)
{
	mono_ns = UNIT_SECOND;
	readings = 0;
	lost_from = from;
	lost_until = until;
	return vml_now_clocks();
}

static void assert_fit(struct vml_clocks c, uint64_t within)
{
	assert_in_range(c.boot_ns - c.mono_ns, SLEPT, SLEPT + within);
	assert_in_range(c.real_ns - c.boot_ns, EPOCH - SLEPT, EPOCH - SLEPT + within);
}

static void wherever_the_cpu_is_lost_they_fit(void **state)
{
	unsigned int from, n;

	(void)state;
	for (from = 0; from < 12; from++) {
		for (n = 0; n < 16; n++)
			assert_fit(read_when(from, from + n), MS);
	}
}

static void nobody_reads_again_without_need(void **state)
{
	(void)state;
	assert_fit(read_when(0, 0), MS);
	assert_int_equal(readings, 4);
}

static void and_nobody_for_ever(void **state)
{
	(void)state;
	assert_fit(read_when(0, 1000000), AWAY);
	assert_in_range(readings, 4, 100);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(wherever_the_cpu_is_lost_they_fit),
		cmocka_unit_test(nobody_reads_again_without_need),
		cmocka_unit_test(and_nobody_for_ever),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
