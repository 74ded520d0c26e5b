/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef VMALOCK_DAEMON_FILTER_H
#define VMALOCK_DAEMON_FILTER_H
#include "options.h"
#include "vmalock/source.h"

/*
 * From here on only the system calls that a running daemon makes.  Negative errno, with one line in @error;
 * -EOPNOTSUPP: this kernel has no filters.
 */
int filter_install(enum daemon_seccomp mode, char error[VML_ERROR_MAX]);

#endif
