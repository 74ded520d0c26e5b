// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Threads whose end was not seen: BPF has storage for them, as far as it counts,
 * but no pass sees them.  Their numbers went to their process when they began to
 * exit; only what they did after that is missing.
 *
 * For a moment that is true of every thread, between leaving the list of tasks
 * and sched_process_free, so one has to be missing for LOST_NS.  Where threads
 * come and go, some are always on their way: only the fewest that were missing at
 * any time have been missed.
 */
#include "collect.h"

uint32_t missed_exits(struct item *p, uint64_t now)
{
	uint32_t missing = p->live > p->alive ? p->live - p->alive : 0, n;

	if (missing <= p->lost) {
		p->missing_ns = 0;
		return 0;
	}
	if (!p->missing_ns || missing < p->missing)
		p->missing = missing;
	if (!p->missing_ns)
		p->missing_ns = now;
	if (now - p->missing_ns <= LOST_NS)
		return 0;
	n = p->missing - p->lost;
	p->lost = p->missing;
	p->missing_ns = 0;
	return n;
}

/* Of a row that was made again, threads that came before are not added, but subtracted. */
uint32_t missed_live(uint32_t live)
{
	return (int32_t)live > 0 ? live : 0;
}
