/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef NTH_H
#define NTH_H
/*
 * Memory that sweep.c shares with the program it runs, through the descriptor in the
 * environment variable NTH_FD; nth.c, which is preloaded, maps it.
 */
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct nth {
	/* before the program starts */
	uint64_t alloc; /* the allocation that fails, from 1; 0: none */
	bool onwards; /* and all later ones */
	bool trace; /* says on stderr where it was, in builds with ASan */
	/* by the program */
	_Atomic bool armed; /* from the begin of main() to its end: what loader and exit do is not ours */
	_Atomic uint64_t allocs;
};

#endif
