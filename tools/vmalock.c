// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* vmalock: one program, a table of commands. */
#include <argp.h>
#include <locale.h>
#include <stdio.h>
#include <string.h>

#include "../src/command/command.h"
#include "../src/load/load.h"
#include "../src/run/privileges.h"
#include "vmalock/base.h"

struct command {
	const char *name, *args, *help;
	/* argv[0] is the name of the command; returns the exit status */
	int (*run)(int argc, char **argv);
};

static int help(int argc, char **argv);
static int version(int argc, char **argv);

static const struct command commands[] = {
	{ "doctor", "[OPTION...]", "what can be observed on this host", vml_doctor_command },
	{ "record", "[OPTION...] [-- COMMAND...]", "what happens on this host, into a file", vml_record_command },
	{ "snapshot", "[OPTION...]", "a short recording with what doctor says, to hand over", vml_snapshot_command },
	{ "report", "[OPTION...] [FILE]", "what is in a recording or the history, or seen now; --html: a page",
	  vml_report_command },
	{ "diff", "A B [OPTION...]", "whether one recording is worse than another, and why", vml_diff_command },
	{ "diagnose", "[OPTION...] [FILE]", "what is wrong, by name, on this host or in a recording",
	  vml_diagnose_command },
	{ "load", "SCENARIO [OPTION...]", "make page faults and mmap_lock traffic on purpose", vml_load_command },
	{ "schema", "[interval|diff|diagnose]", "the JSON Schema of vmalocktop -j, of diff -j, of diagnose -j",
	  vml_schema_command },
	{ "help", "", "this text", help },
	{ "--help", NULL, NULL, help },
	{ "-h", NULL, NULL, help },
	{ "-?", NULL, NULL, help },
	{ "--version", NULL, NULL, version },
	{ "-V", NULL, NULL, version },
};

static int help(int argc, char **argv)
{
	unsigned int i;

	(void)argc;
	(void)argv;
	puts("Usage: vmalock COMMAND [OPTION...]\n"
	     "Who holds up page faults: tools around vmalocktop.  Commands:\n");
	for (i = 0; i < VML_ARRAY_SIZE(commands); i++)
		if (commands[i].help)
			printf("  %-8s %-36s %s\n", commands[i].name, commands[i].args, commands[i].help);
	puts("\n'vmalock COMMAND --help' has the options of a command.\n"
	     "Exit status: 0 ok, 1 failure, 2 usage, 4 unsupported on this host; of diff: its --help.\n\n"
	     "Examples:\n"
	     "  sudo vmalock doctor\n"
	     "  sudo vmalock record -- make -j8\n"
	     "  vmalock load shared --seconds 30");
	return command_written(0);
}

static int version(int argc, char **argv)
{
	(void)argc;
	(void)argv;
	puts("vmalock " VML_VERSION);
	return command_written(0);
}

static int what_next(void)
{
	puts("sudo vmalocktop                     watch page faults and who holds them up\n"
	     "sudo vmalocktop -b -n 3             the same as text, three times\n"
	     "sudo vmalock doctor                 what can be observed on this host, and what not\n"
	     "vmalock load shared --seconds 30    make contention to look at\n"
	     "vmalock help                        all commands");
	return command_written(0);
}

int main(int argc, char **argv)
{
	unsigned int i;

	setlocale(LC_CTYPE, ""); /* not LC_NUMERIC: numbers have a point, for who reads them next */
	argp_err_exit_status = EXIT_USAGE;
	privileges_raise();
	if (argc < 2)
		return what_next();
	for (i = 0; i < VML_ARRAY_SIZE(commands); i++)
		if (!strcmp(argv[1], commands[i].name))
			return commands[i].run(argc - 1, argv + 1);
	fprintf(stderr, "vmalock: unknown %s '%s'; 'vmalock help' lists the commands\n",
		argv[1][0] == '-' ? "option" : "command", argv[1]);
	return EXIT_USAGE;
}
