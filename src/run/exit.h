/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef VMALOCK_RUN_EXIT_H
#define VMALOCK_RUN_EXIT_H

/* Exit statuses of programs and commands; those that judge have others below EXIT_UNSUPPORTED. */
enum {
	EXIT_OK,
	EXIT_FAILED,
	EXIT_USAGE,
	EXIT_UNSUPPORTED = 4, /* this kernel cannot be observed, or what is to be read is of a newer version */
};

#endif
