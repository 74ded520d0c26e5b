// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* vmalock: one program, a table of commands. */
#include <argp.h>
#include <errno.h>
#include <langinfo.h>
#include <locale.h>
#include <stdio.h>
#include <string.h>

#include "../src/command/command.h"
#include "../src/load/load.h"
#include "vmalock/base.h"
#include "vmalock/caps.h"
#include "vmalock/sink.h"
#include "vmalock/source.h"

enum { EXIT_OK, EXIT_FAILED, EXIT_USAGE, EXIT_UNSUPPORTED = 4 };

struct command {
	const char *name, *args, *help;
	/* argv[0] is the name of the command; returns the exit status */
	int (*run)(int argc, char **argv);
};

/* ---- doctor */

enum { KEY_BTF = 0x100, KEY_BACKEND, KEY_DETAIL };

struct doctor {
	struct vml_live_options live;
	bool json;
};

static const struct argp_option doctor_options[] = {
	{ "json", 'j', NULL, 0, "Report as one JSON object", 0 },
	{ "btf", KEY_BTF, "FILE", 0, "Type information of the kernel (/sys/kernel/btf/vmlinux)", 0 },
	{ "backend", KEY_BACKEND, "NAME", 0, "Backend to try: auto, fentry, kprobe, tracepoint (auto)", 0 },
	{ "detail", KEY_DETAIL, "NAME", 0, "Detail to try: default, exact (default)", 0 },
	{ 0 },
};

static error_t doctor_parse(int key, char *arg, struct argp_state *state)
{
	struct doctor *d = state->input;

	switch (key) {
	case ARGP_KEY_INIT:
		/* the message of getopt is the one line; no "Try --help" after it */
		state->err_stream = NULL;
		return 0;
	case 'j':
		d->json = true;
		return 0;
	case KEY_BTF:
		d->live.btf_path = arg;
		return 0;
	case KEY_BACKEND:
		d->live.backend = arg;
		return 0;
	case KEY_DETAIL:
		d->live.detail = arg;
		if (!strcmp(arg, "default") || !strcmp(arg, "exact"))
			return 0;
		fprintf(stderr, "%s: --detail: default or exact, not '%s'\n", state->name, arg);
		return EINVAL;
	case ARGP_KEY_ARG:
		fprintf(stderr, "%s: unexpected argument '%s'\n", state->name, arg);
		return EINVAL;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static int written(int err)
{
	if (!err && !fflush(stdout))
		return EXIT_OK;
	fprintf(stderr, "vmalock: cannot write to stdout: %s\n", strerror(err ? -err : errno));
	return EXIT_FAILED;
}

static int doctor(int argc, char **argv)
{
	static const struct argp argp = {
		.options = doctor_options,
		.parser = doctor_parse,
		.doc = "Say what can be observed on this host, how that was found out, and what is lost.\v"
		       "Exit status: 0 observing works, 1 it does not (permissions, failure), 2 usage, "
		       "4 this kernel cannot be observed.",
	};
	bool utf8 = !strcmp(nl_langinfo(CODESET), "UTF-8");
	char error[VML_ERROR_MAX] = "";
	struct vml_caps caps = { 0 };
	struct doctor d = { 0 };
	int err, status;

	argv[0] = "vmalock doctor";
	if (argp_parse(&argp, argc, argv, 0, NULL, &d))
		return EXIT_USAGE;
	err = vml_live_probe(&d.live, &caps, error);
	if (err == -EINVAL) {
		fprintf(stderr, "vmalock doctor: %s\n", error);
		return EXIT_USAGE;
	}
	status = written(d.json ? vml_doctor_json_write(stdout, &caps) : vml_doctor_write(stdout, &caps, utf8));
	if (!err || status)
		return status;
	fprintf(stderr, "vmalock doctor: %s\n", error);
	return err == -EOPNOTSUPP ? EXIT_UNSUPPORTED : EXIT_FAILED;
}

/* ---- the other commands */

static int load(int argc, char **argv)
{
	return vml_load_command(argc, argv);
}

static int schema(int argc, char **argv)
{
	static const struct argp argp = { .parser = doctor_parse, .doc = "Print the JSON Schema of vmalocktop -j." };
	struct doctor none = { 0 };

	argv[0] = "vmalock schema";
	if (argp_parse(&argp, argc, argv, 0, NULL, &none))
		return EXIT_USAGE;
	return written(vml_json_schema_write(stdout));
}

static int help(int argc, char **argv);
static int version(int argc, char **argv);

static const struct command commands[] = {
	{ "doctor", "[OPTION...]", "what can be observed on this host", doctor },
	{ "report", "[OPTION...]", "what is seen in some seconds; --folded: stacks for flame graphs",
	  vml_report_command },
	{ "load", "SCENARIO [OPTION...]", "make page faults and mmap_lock traffic on purpose", load },
	{ "schema", "", "the JSON Schema of vmalocktop -j", schema },
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
	     "Exit status: 0 ok, 1 failure, 2 usage, 4 unsupported on this host.\n\n"
	     "Examples:\n"
	     "  sudo vmalock doctor\n"
	     "  vmalock load shared --seconds 30");
	return written(0);
}

static int version(int argc, char **argv)
{
	(void)argc;
	(void)argv;
	puts("vmalock " VML_VERSION);
	return written(0);
}

static int what_next(void)
{
	puts("sudo vmalocktop                     watch page faults and who holds them up\n"
	     "sudo vmalocktop -b -n 3             the same as text, three times\n"
	     "sudo vmalock doctor                 what can be observed on this host, and what not\n"
	     "vmalock load shared --seconds 30    make contention to look at\n"
	     "vmalock help                        all commands");
	return written(0);
}

int main(int argc, char **argv)
{
	unsigned int i;

	setlocale(LC_ALL, "");
	argp_err_exit_status = EXIT_USAGE;
	if (argc < 2)
		return what_next();
	for (i = 0; i < VML_ARRAY_SIZE(commands); i++)
		if (!strcmp(argv[1], commands[i].name))
			return commands[i].run(argc - 1, argv + 1);
	fprintf(stderr, "vmalock: unknown %s '%s'; 'vmalock help' lists the commands\n",
		argv[1][0] == '-' ? "option" : "command", argv[1]);
	return EXIT_USAGE;
}
