// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "command.h"

int command_written(int err)
{
	if (!err && !fflush(stdout))
		return EXIT_OK;
	fprintf(stderr, "vmalock: cannot write to stdout: %s\n", strerror(err ? -err : errno));
	return EXIT_FAILED;
}
