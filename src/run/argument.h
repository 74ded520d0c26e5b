/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef VMALOCK_RUN_ARGUMENT_H
#define VMALOCK_RUN_ARGUMENT_H

#include <argp.h>

/*
 * argp_parse(3) of a parser that says what it refuses.  argp says nothing when memory is short, nor does the parser:
 * then the line is printed here.  0; ENOMEM: no wrong usage, but a failure; else what the parser returned.
 */
error_t vml_arguments(const struct argp *argp, int argc, char **argv, unsigned int flags, void *input);

/* One line on stderr in the name of the command that is being parsed. Returns EINVAL. */
__attribute__((format(printf, 2, 3))) error_t vml_argument_wrong(const struct argp_state *state, const char *fmt, ...);
/* What vml_filter_set_..() and vml_live_set_..() returned, with their line in @error, as a parser says it. */
error_t vml_argument_set(const struct argp_state *state, int err, const char *error);

/*
 * The argument of an option that may be without: @arg ("--option=ARG"), or when that is NULL @argv[*@next] if it
 * does not begin with "-" ("--option ARG"), which argp would take for one of the program; then *@next is moved
 * behind it.  NULL: none.
 */
char *vml_optional_argument(char *arg, int argc, char **argv, int *next);

#endif
