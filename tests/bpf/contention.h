/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef CONTENTION_H
#define CONTENTION_H
/* What contention.bpf.c and contention.c share. */

/* Waits of the threads of one process for its own mmap_lock, by mode. */
enum { CONTENTION_READ, CONTENTION_WRITE, CONTENTION_MODES };

struct contention_waits {
	unsigned long long waits[CONTENTION_MODES];
	unsigned long long wait_ns[CONTENTION_MODES];
	unsigned long long gave_up; /* of them: killed while they waited */
};

#endif
