// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* vmalock schema: the JSON that others print. */
#include <argp.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "../run/argument.h"
#include "command.h"
#include "vmalock/base.h"
#include "vmalock/sink.h"

static const struct {
	const char *of;
	int (*write)(FILE *out);
} schemas[] = {
	{ "interval", vml_json_schema_write },
	{ "diff", vml_diff_schema_write },
	{ "diagnose", vml_diagnosis_schema_write },
};

/* @input: which of them */
static error_t parse(int key, char *arg, struct argp_state *state)
{
	unsigned int *which = state->input, i;

	if (key == ARGP_KEY_INIT) {
		state->err_stream = NULL;
		return 0;
	}
	if (key != ARGP_KEY_ARG)
		return ARGP_ERR_UNKNOWN;
	for (i = 0; i < VML_ARRAY_SIZE(schemas); i++)
		if (!state->arg_num && !strcmp(arg, schemas[i].of)) {
			*which = i;
			return 0;
		}
	return vml_argument_wrong(state, "one of interval, diff, diagnose, not '%s'", arg);
}

int vml_schema_command(int argc, char **argv)
{
	static const struct argp argp = {
		.parser = parse,
		.args_doc = "[interval|diff|diagnose]",
		.doc = "Print a JSON Schema: of an interval as vmalocktop -j prints it (default), of vmalock diff -j, or "
		       "of vmalock diagnose -j.\v"
		       "Examples:\n"
		       "  vmalock schema | jq '.properties | keys'\n"
		       "  vmalock schema diff >diff.schema.json",
	};
	unsigned int which = 0;
	error_t err;

	argv[0] = "vmalock schema";
	err = vml_arguments(&argp, argc, argv, 0, &which);
	if (err)
		return err == ENOMEM ? EXIT_FAILED : EXIT_USAGE;
	return command_written(schemas[which].write(stdout));
}
