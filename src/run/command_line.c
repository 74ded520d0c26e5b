// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

#include "argument.h"
#include "command_line.h"
#include "vmalock/base.h"

error_t vml_command_line_wrong(struct vml_command_line *p, const char *fmt, ...)
{
	va_list ap;

	p->action = VML_USAGE;
	fprintf(stderr, "%s: ", p->name);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fprintf(stderr, " (see %s --help)\n", p->name);
	return EINVAL;
}

error_t vml_command_line_key(struct vml_command_line *p, int key, const char *arg, struct argp_state *state)
{
	switch (key) {
	case ARGP_KEY_INIT:
		state->err_stream = NULL;
		return 0;
	case 'h':
	case 'V':
		p->action = VML_DONE;
		p->version = key == 'V';
		return ECANCELED; /* what follows does not matter */
	case ARGP_KEY_ARG:
		return vml_command_line_wrong(p, "unexpected argument '%s'", arg);
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

enum vml_action vml_command_line_parse(struct vml_command_line *p, const struct argp *argp, int argc, char **argv,
				       void *input)
{
	error_t err;

	if (argc)
		argv[0] = (char *)p->name; /* what getopt begins its line with */
	err = vml_arguments(argp, argc, argv, ARGP_NO_EXIT | ARGP_NO_HELP, input);
	if (p->action == VML_DONE && p->version)
		printf("%s %s\n", p->name, VML_VERSION);
	else if (p->action == VML_DONE)
		argp_help(argp, stdout, ARGP_HELP_SHORT_USAGE | ARGP_HELP_LONG | ARGP_HELP_DOC, (char *)p->name);
	else if (err)
		p->action = err == ENOMEM ? VML_FAILED : VML_USAGE;
	return p->action;
}
