// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* vmalock record and vmalock snapshot: what happens on this host, into a file. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../run/argument.h"
#include "command.h"
#include "record.h"
#include "vmalock/base.h"

enum { KEY_FORCE = 0x100, KEY_HINDSIGHT, KEY_STALL, KEY_MEMORY, KEY_REDACT };

#define SECOND 1000000000ULL
#define SNAPSHOT_NS (10 * SECOND)
#define HINDSIGHT_MAX_NS (3600 * SECOND)
#define HINDSIGHT_BYTES (256ULL << 20)

/* What is read while argp runs. */
struct parse {
	struct record *o;
	bool redact, of_hindsight;
	bool overruled; /* -o was there more than once */
};

#define OUTPUT "output", 'o', "FILE", 0
#define FORCE "force", KEY_FORCE, NULL, 0, "Replace FILE when it is there", 1

static const struct argp_option record_options[] = {
	{ NULL, 0, NULL, 0, "What is written:", 1 },
	{ OUTPUT, "The recording (vmalock-HOST-TIME.vml); of --hindsight: what the names of its files begin with", 1 },
	{ FORCE },
	{ "time", 't', "SECONDS", 0, "End after so long (default: when COMMAND or SIGINT or SIGTERM ends it)", 1 },
	{ "rows", 'l', "ROWS", 0,
	  "At most ROWS processes, threads, areas and blockers each in an interval, those that waited most; the others are "
	  "added up in one row, so that sums stay exact (default 0: all)",
	  1 },
	{ "json", 'j', NULL, 0, "Also each interval as one JSON object on stdout, as vmalocktop -j", 1 },
	{ NULL, 0, NULL, 0, "Only what came before something happened:", 2 },
	{ "hindsight", KEY_HINDSIGHT, "TIME", 0,
	  "Keep the last TIME (60, 60s, 2m; at most 60m) in memory; write it into a new file on SIGUSR1 or after a stall, "
	  "at most once per TIME, and go on",
	  2 },
	{ "stall", KEY_STALL, "TIME", 0, "A stall is a wait for a lock of at least TIME: 20ms, 1s; off (default 1s)",
	  2 },
	{ "hindsight-memory", KEY_MEMORY, "SIZE", 0, "Keep at most so much (default 256M): the oldest go", 2 },
	{ 0 },
};

static const struct argp_option snapshot_options[] = {
	{ NULL, 0, NULL, 0, "What is written:", 1 },
	{ OUTPUT, "The recording (vmalock-HOST-TIME.vml)", 1 },
	{ FORCE },
	{ "redact", KEY_REDACT, NULL, 0,
	  "Without names of processes, cgroups, files, functions of programs and of the host: comm-1, file-3, ...", 1 },
	{ "time", 't', "SECONDS", 0, "Observe so long (default 10)", 1 },
	{ 0 },
};

/* "60", "60s", "2m" */
static int parse_hindsight(const char *arg, uint64_t *ret_ns)
{
	size_t len = strlen(arg);
	bool minutes = len && arg[len - 1] == 'm';
	char number[32];
	uint64_t ns;

	if (len && (minutes || arg[len - 1] == 's'))
		len--;
	if (snprintf(number, sizeof(number), "%.*s", (int)len, arg) >= (int)sizeof(number))
		return -EINVAL;
	if (vml_parse_seconds(number, &ns))
		return -EINVAL;
	*ret_ns = minutes ? 60 * ns : ns;
	return *ret_ns <= HINDSIGHT_MAX_NS ? 0 : -ERANGE;
}

static error_t parse_of_hindsight(int key, const char *arg, struct argp_state *state)
{
	struct parse *p = state->input;
	struct record *o = p->o;

	if (key == KEY_HINDSIGHT)
		return parse_hindsight(arg, &o->hindsight_ns)
			       ? vml_argument_wrong(state, "--hindsight: a time up to 60m, as 60, 60s or 2m, not '%s'",
						    arg)
			       : 0;
	p->of_hindsight = true;
	if (key == KEY_MEMORY)
		return vml_parse_bytes(arg, 1 << 20, 1ULL << 40, &o->hindsight_bytes)
			       ? vml_argument_wrong(state, "--hindsight-memory: bytes, as 64M, at least 1M, not '%s'",
						    arg)
			       : 0;
	if (!strcmp(arg, "off"))
		o->stall_ns = UINT64_MAX;
	else if (vml_parse_duration(arg, &o->stall_ns))
		return vml_argument_wrong(state, "--stall: a time as 20ms or 1s, or off, not '%s'", arg);
	return 0;
}

/* What the options mean together. */
static error_t settle(const struct parse *p, const struct argp_state *state)
{
	const struct record *o = p->o;

	if (o->command && o->time_ns)
		return vml_argument_wrong(state, "-t: not with a COMMAND, which ends the recording");
	if (p->redact && (p->overruled || o->observing.overruled)) /* it would be stored with the command line */
		return vml_argument_wrong(state, "--redact: -o and --cgroup once each");
	if (p->of_hindsight && !o->hindsight_ns)
		return vml_argument_wrong(state, "--stall and --hindsight-memory belong to --hindsight");
	if (o->hindsight_ns && o->force)
		return vml_argument_wrong(state, "--force: not with --hindsight, which never replaces a file");
	if (o->hindsight_ns && o->hindsight_ns < o->observing.interval_ns)
		return vml_argument_wrong(state, "--hindsight: less than an interval (-d)");
	return 0;
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct parse *p = state->input;

	switch (key) {
	case ARGP_KEY_INIT:
		state->err_stream = NULL;
		state->child_inputs[0] = &p->o->observing;
		return 0;
	case 'o':
		p->overruled |= p->o->path != NULL;
		p->o->path = arg;
		return *arg ? 0 : vml_argument_wrong(state, "-o: a file, not ''");
	case 't':
		return vml_parse_seconds(arg, &p->o->time_ns)
			       ? vml_argument_wrong(state, "-t: seconds, 0.001 to 86400, not '%s'", arg)
			       : 0;
	case 'l':
		return vml_parse_u32(arg, 0, UINT32_MAX, &p->o->rows)
			       ? vml_argument_wrong(state, "-l: a number of rows, not '%s'", arg)
			       : 0;
	case 'j':
		p->o->json = true;
		return 0;
	case KEY_FORCE:
		p->o->force = true;
		return 0;
	case KEY_REDACT:
		p->redact = true;
		return 0;
	case KEY_HINDSIGHT:
	case KEY_STALL:
	case KEY_MEMORY:
		return parse_of_hindsight(key, arg, state);
	case ARGP_KEY_ARG:
		if (p->o->snapshot)
			return vml_argument_wrong(state, "unexpected argument '%s'", arg);
		if (!state->quoted || state->next <= state->quoted)
			return vml_argument_wrong(state, "unexpected argument '%s'; a command comes after --", arg);
		p->o->command = state->argv + state->next - 1;
		state->next = state->argc;
		return 0;
	case ARGP_KEY_END:
		return settle(p, state);
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

/* ---- the command line, as it is stored */

/* @arg is an argument, or the end of one as in --output=FILE: from there on it is @by. */
static void write_word(FILE *f, const char *word, const char *arg, const char *by)
{
	if (arg && arg >= word && arg <= word + strlen(word))
		fprintf(f, " %.*s%s", (int)(arg - word), word, by);
	else
		fprintf(f, " %s", word);
}

/* Free it; NULL: out of memory. */
static char *command_line(const struct record *o, int argc, char **argv)
{
	const char *cgroup = o->redaction ? o->observing.filter.cgroup : NULL;
	const char *path = o->redaction ? o->path : NULL;
	const char *by = cgroup ? vml_redact_cgroup(o->redaction, cgroup) : "";
	const char *file = path ? vml_redact_file(o->redaction, path) : "";
	char *text = NULL, *clean = NULL;
	size_t size;
	FILE *f = by && file ? open_memstream(&text, &size) : NULL;
	int i;

	if (!f)
		return NULL;
	fputs(o->name, f);
	for (i = 1; i < argc; i++) {
		bool is_cgroup = cgroup && cgroup >= argv[i] && cgroup <= argv[i] + strlen(argv[i]);

		write_word(f, argv[i], is_cgroup ? cgroup : path, is_cgroup ? by : file);
	}
	if (!vml_text_close(f, &text))
		clean = malloc(4 * size + 1);
	if (clean)
		vml_text_clean(clean, 4 * size + 1, text, size);
	free(text);
	return clean;
}

/* ---- the commands */

static int run(struct record *o, const struct argp *argp, int argc, char **argv)
{
	struct parse p = { .o = o };
	int i, words = argc, status = EXIT_USAGE;
	char *text = NULL;
	error_t err;

	o->observing.interval_ns = SECOND;
	o->hindsight_bytes = HINDSIGHT_BYTES;
	o->stall_ns = SECOND;
	argv[0] = (char *)o->name;
	for (i = 1; i < argc && strcmp(argv[i], "--") != 0; i++)
		;
	if (i + 1 < argc) /* env(1) says so, too, where the status of a command is expected */
		status = EXIT_OWN;
	err = vml_arguments(argp, argc, argv, 0, &p);
	if (err == ENOMEM && status == EXIT_USAGE)
		status = EXIT_FAILED;
	if (err)
		goto out;
	if (p.redact)
		o->redaction = vml_redaction_new();
	if (!p.redact || o->redaction)
		o->options = text = command_line(o, words, argv);
	if (text) {
		status = recorder_run(o);
	} else {
		fprintf(stderr, "%s: out of memory\n", o->name);
		status = status == EXIT_USAGE ? EXIT_FAILED : status;
	}
out:
	vml_redaction_free(o->redaction);
	observing_free(&o->observing);
	free(text);
	return status;
}

int vml_record_command(int argc, char **argv)
{
	static const struct argp_child children[] = { { &observing_argp, 0, NULL, 0 }, { 0 } };
	static const struct argp argp = {
		.options = record_options,
		.parser = parse,
		.children = children,
		.args_doc = "[-- COMMAND ARGS...]",
		.doc = "Record what happens on this host into one file, until COMMAND, a signal or -t ends it.  All "
		       "processes are recorded unless -p or --cgroup say otherwise, also with a COMMAND: who holds it "
		       "up need not be one of its own.  COMMAND runs as who runs this.\v"
		       "Examples:\n"
		       "  sudo vmalock record -t 60 -o before.vml\n"
		       "  sudo vmalock record -- make -j8          while it runs\n"
		       "  sudo vmalock record --hindsight 60s --stall 100ms -o /var/tmp/stall\n"
		       "\n"
		       "Exit status: 0 ok, 1 failure, also when intervals were lost, 2 usage, 4 this kernel cannot be "
		       "observed.  With a COMMAND: its own, 128 + N when signal N killed it; 125 failure here, 126 it "
		       "cannot be run, 127 it is not there.",
	};
	struct record o = { .name = "vmalock record" };

	return run(&o, &argp, argc, argv);
}

int vml_snapshot_command(int argc, char **argv)
{
	static const struct argp_child children[] = { { &observing_argp, 0, NULL, 0 }, { 0 } };
	static const struct argp argp = {
		.options = snapshot_options,
		.parser = parse,
		.children = children,
		.doc = "Make one file for somebody else to look at: a short recording, and what vmalock doctor says.\v"
		       "Examples:\n"
		       "  sudo vmalock snapshot -o snapshot.vml\n"
		       "  sudo vmalock snapshot --redact -o snapshot.vml    without names\n"
		       "\n"
		       "Exit status: 0 ok, 1 failure, 2 usage, 4 this kernel cannot be observed; then, too, the file has "
		       "what doctor says.",
	};
	struct record o = { .name = "vmalock snapshot", .snapshot = true, .time_ns = SNAPSHOT_NS };

	return run(&o, &argp, argc, argv);
}
