// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

#include "argument.h"

error_t vml_arguments(const struct argp *argp, int argc, char **argv, unsigned int flags, void *input)
{
	error_t err = argp_parse(argp, argc, argv, flags, NULL, input);

	if (err == ENOMEM)
		fprintf(stderr, "%s: out of memory\n", argv[0]);
	return err;
}

error_t vml_argument_wrong(const struct argp_state *state, const char *fmt, ...)
{
	va_list ap;

	fprintf(stderr, "%s: ", state->name);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
	return EINVAL;
}

error_t vml_argument_set(const struct argp_state *state, int err, const char *error)
{
	return err == -EINVAL ? vml_argument_wrong(state, "%s", error) : -err;
}

char *vml_optional_argument(char *arg, int argc, char **argv, int *next)
{
	if (!arg && *next < argc && *argv[*next] != '-')
		arg = argv[(*next)++];
	return arg;
}
