/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef VMALOCK_COMMAND_H
#define VMALOCK_COMMAND_H
/*
 * Commands of `vmalock`.  Each takes its own arguments, argv[0] being its name, and
 * returns the exit status, one of exit.h unless said otherwise.
 */
#include "../run/exit.h"

/* What can be observed on this host, or (--cost) what that costs. (doctor.c) */
int vml_doctor_command(int argc, char **argv);

/* What is in a recording or the history, or is seen here for some time: text, JSON, folded stacks, a page. (report.c) */
int vml_report_command(int argc, char **argv);

/*
 * Compares two recordings, or windows of the history.  Judges: 0 no change or improvement,
 * 1 regression, 2 usage or failure, 3 no answer, 4 a file of a newer version. (diff.c)
 */
int vml_diff_command(int argc, char **argv);
/* What is wrong, by name, here or in a recording; exit status: vmalock diagnose --help. (diagnose.c) */
int vml_diagnose_command(int argc, char **argv);
/*
 * Records this host into a file, until a command ends, a signal comes or time is over; with a
 * command the exit status is its own, or 125 to 127 as of env(1). (record.c)
 */
int vml_record_command(int argc, char **argv);
/* A short recording with what doctor says, to hand over; with --redact without names. (record.c) */
int vml_snapshot_command(int argc, char **argv);
/* The JSON Schema of what others print. (schema.c) */
int vml_schema_command(int argc, char **argv);

/*
 * Stdout is flushed: EXIT_OK, or EXIT_FAILED after a line on stderr, also when @err, of what was written
 * to it, is not 0. (written.c)
 */
int command_written(int err);

#endif
