/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef VMALOCK_COMMAND_H
#define VMALOCK_COMMAND_H
/*
 * Commands of `vmalock`.  Each takes its own arguments, argv[0] being its name, and
 * returns the exit status: 0 ok, 1 failure, 2 usage, 4 unsupported here.
 */

/* Observes this host for some time and says what was seen: text, JSON, folded stacks. (report.c) */
int vml_report_command(int argc, char **argv);

#endif
