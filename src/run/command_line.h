/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef VMALOCK_RUN_COMMAND_LINE_H
#define VMALOCK_RUN_COMMAND_LINE_H
/*
 * The command line of a program that has no commands.  argp reads the options; its own
 * complaints take two lines, so its error stream is closed: getopt says what is wrong, in
 * one line, or we do.
 */
#include <argp.h>
#include <stdbool.h>

enum vml_action {
	VML_RUN,
	VML_DONE, /* help or version was printed */
	VML_USAGE, /* wrong; one line on stderr says what */
	VML_FAILED, /* out of memory; the same */
};

struct vml_command_line {
	const char *name; /* "vmalocktop" */
	enum vml_action action; /* VML_RUN at first */
	bool version;
};

/* "NAME: ... (see NAME --help)" on stderr; the action is VML_USAGE. Returns EINVAL. */
__attribute__((format(printf, 2, 3))) error_t vml_command_line_wrong(struct vml_command_line *p, const char *fmt, ...);
/* What each does with a key that it has no option for: help, version, the start, an argument. */
error_t vml_command_line_key(struct vml_command_line *p, int key, const char *arg, struct argp_state *state);
/* argp_parse(3) with @input; returns the action. */
enum vml_action vml_command_line_parse(struct vml_command_line *p, const struct argp *argp, int argc, char **argv,
				       void *input);

#endif
