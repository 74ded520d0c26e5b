// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* The command line of `vmalock load`. */
#include <argp.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "culprit.h"
#include "load.h"
#include "vmalock/base.h"

enum { KEY_PAGES = 0x100, KEY_SECONDS, KEY_FILE, KEY_HANDSHAKE, KEY_STEP, KEY_BY };

#define MAX_THREADS (1 << 22) /* the most pids there can be */
#define MAX_PAGES (1 << 28)

struct command {
	const struct vml_load_scenario *scenario;
	char name[64]; /* "vmalock load ..." */
	struct vml_load_options options;
	bool rounds_set;
};

static const struct argp_option options[] = {
	{ "threads", 't', "N", 0, "Threads that fault", 0 },
	{ "writers", 'w', "N", 0, "Threads that change mappings", 0 },
	{ "rounds", 'r', "N", 0, "Times that each of them does its work; 0: nothing happens", 0 },
	{ "pages", KEY_PAGES, "N", 0, "Pages of each of them and each round", 0 },
	{ "seconds", KEY_SECONDS, "S", 0, "Begin no new round after S seconds; without -r the only limit", 0 },
	{ "file", KEY_FILE, "PATH", 0, "File to create, map and remove again", 0 },
	{ "by", KEY_BY, "FILE", 0,
	  "What is read in /proc/PID: smaps (the usual), smaps_rollup, numa_maps, pagemap; clear_refs is written", 0 },
	{ "json", 'j', NULL, 0, "Report as one JSON object", 0 },
	{ "handshake", KEY_HANDSHAKE, NULL, 0,
	  "Say \"ready\", wait for a line on stdin, work, say \"done\", wait for a line, report", 0 },
	{ "step", KEY_STEP, "STATE", OPTION_HIDDEN, NULL, 0 },
	{ 0 },
};

static bool takes(const struct vml_load_scenario *s, int key)
{
	switch (key) {
	case 't':
		return s->takes & VML_TAKE_THREADS;
	case 'w':
		return s->takes & VML_TAKE_WRITERS;
	case 'r':
		return s->takes & VML_TAKE_ROUNDS;
	case KEY_PAGES:
		return s->takes & VML_TAKE_PAGES;
	case KEY_SECONDS:
		return s->takes & VML_TAKE_SECONDS;
	case KEY_FILE:
		return s->takes & VML_TAKE_FILE;
	case KEY_STEP:
		return s->takes & VML_TAKE_STEP;
	case KEY_BY:
		return s->takes & VML_TAKE_BY;
	default:
		return true;
	}
}

static uint32_t default_of(const struct vml_load_scenario *s, int key)
{
	switch (key) {
	case 't':
		return s->defaults.threads;
	case 'w':
		return s->defaults.writers;
	case 'r':
		return s->defaults.rounds;
	case KEY_PAGES:
		return s->defaults.pages;
	default:
		return 0;
	}
}

/* The options a scenario takes, with its words and defaults; @doc holds the texts. */
static void options_of(const struct vml_load_scenario *s, struct argp_option ret[VML_ARRAY_SIZE(options)],
		       char doc[VML_ARRAY_SIZE(options)][160])
{
	unsigned int i, n = 0;

	for (i = 0; i < VML_ARRAY_SIZE(options) - 1; i++) {
		const char *text = options[i].doc;

		if (!takes(s, options[i].key))
			continue;
		if (options[i].key == 't' && s->threads_help)
			text = s->threads_help;
		if (options[i].key == 'w' && s->writers_help)
			text = s->writers_help;
		if (options[i].key == 'r' && s->rounds_help)
			text = s->rounds_help;
		if (options[i].key == KEY_PAGES && s->pages_help)
			text = s->pages_help;
		if (options[i].key == KEY_FILE && s->file_help)
			text = s->file_help;
		ret[n] = options[i];
		ret[n].doc = text;
		if (default_of(s, options[i].key)) {
			snprintf(doc[n], sizeof(doc[n]), "%s (%u)", text, default_of(s, options[i].key));
			ret[n].doc = doc[n];
		}
		n++;
	}
	ret[n] = (struct argp_option){ 0 };
}

static int number(struct argp_state *state, const char *option, const char *arg, uint32_t max, uint32_t *ret)
{
	int err = vml_parse_u32(arg, 0, max, ret);

	if (err)
		fprintf(stderr, "%s: %s: '%s' is no number from 0 to %u\n", state->name, option, arg, max);
	return -err;
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct command *c = state->input;
	struct vml_load_options *o = &c->options;
	int err;

	switch (key) {
	case ARGP_KEY_INIT:
		/* the message of getopt is the one line; no "Try --help" after it */
		state->err_stream = NULL;
		return 0;
	case 't':
		return number(state, "--threads", arg, MAX_THREADS, &o->threads);
	case 'w':
		return number(state, "--writers", arg, MAX_THREADS, &o->writers);
	case 'r':
		c->rounds_set = true;
		return number(state, "--rounds", arg, UINT32_MAX, &o->rounds);
	case KEY_PAGES:
		return number(state, "--pages", arg, MAX_PAGES, &o->pages);
	case KEY_SECONDS:
		err = vml_parse_seconds(arg, &o->limit_ns);
		if (err)
			fprintf(stderr, "%s: --seconds: '%s' is no time from 0.001 to 86400\n", state->name, arg);
		return -err;
	case KEY_FILE:
		o->path = arg;
		return 0;
	case KEY_HANDSHAKE:
		o->handshake = true;
		return 0;
	case 'j':
		o->json = true;
		return 0;
	case KEY_STEP:
		o->step = arg;
		return 0;
	case KEY_BY:
		if (!vml_load_smaps_knows(arg)) {
			fprintf(stderr,
				"%s: --by: '%s' is none of smaps, smaps_rollup, numa_maps, pagemap, clear_refs\n",
				state->name, arg);
			return EINVAL;
		}
		o->by = arg;
		return 0;
	case ARGP_KEY_ARG:
		fprintf(stderr, "%s: unexpected argument '%s'\n", state->name, arg);
		return EINVAL;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static void list(FILE *out)
{
	static const struct argp all = { .options = options };
	static char name[] = "vmalock load";
	const struct vml_load_scenario *s;

	fputs("Usage: vmalock load SCENARIO [OPTION...]\n"
	      "Make page faults and mmap_lock traffic on purpose.  Scenarios:\n\n",
	      out);
	for (s = vml_load_scenarios; s->name; s++)
		fprintf(out, "  %-12s %s\n", s->name, s->help);
	fputs("  reason NAME  faults that fall back for that reason; 'vmalock load reason' lists them\n"
	      "\nOptions, where a scenario takes them:\n\n",
	      out);
	argp_help(&all, out, ARGP_HELP_LONG, name);
	fputs("\nExamples:\n"
	      "  vmalock load shared --seconds 30         contention to look at in vmalocktop\n"
	      "  vmalock load threads -t 10000 -j         one JSON object with what was done\n"
	      "  vmalock load reason no_map_pages -j      what was provoked, and how often\n"
	      "  vmalock load SCENARIO --help             options of a scenario\n",
	      out);
}

static void list_reasons(FILE *out)
{
	const struct vml_load_scenario *s;

	fputs("Usage: vmalock load reason NAME [OPTION...]\n"
	      "Make faults fall back to mmap_lock for one reason.  The report (--json) says how\n"
	      "often at least that happened.  Exit status 4: not possible here.  Reasons:\n\n",
	      out);
	for (s = vml_load_reasons; s->name; s++)
		fprintf(out, "  %-14s %s%s\n", s->name, s->help, s->never ? " (never)" : "");
	fputs("\nExamples:\n"
	      "  vmalock load reason busy --seconds 30    something to look at in vmalocktop\n"
	      "  vmalock load reason userfaultfd -j       one JSON object with what was provoked\n"
	      "  vmalock load reason NAME --help          options of a reason\n",
	      out);
}

static int run(const struct command *c)
{
	struct vml_load l = {
		.scenario = c->scenario,
		.options = c->options,
		.page = sysconf(_SC_PAGESIZE),
		.fd = -1,
	};
	int err;

	if (c->scenario->never) {
		fprintf(stderr, "%s: %s\n", c->name, c->scenario->never);
		return 4;
	}
	/* a page is a fault, also where huge pages are on for all */
	prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0);
	err = c->scenario->run ? c->scenario->run(&l) : vml_load_crew_run(&l);
	if (!err && vml_load_report(stdout, &l))
		err = vml_load_fail(&l, -EIO, "cannot write the report");
	if (err)
		fprintf(stderr, "%s: %s\n", c->name, l.error);
	free((void *)l.parts);
	free(l.child);
	vml_load_blocking_free(&l);
	return !err ? 0 : err == -EOPNOTSUPP ? 4 : 1;
}

static bool asks_for_help(int argc, char **argv)
{
	return argc < 2 || !strcmp(argv[1], "--help") || !strcmp(argv[1], "-?") || !strcmp(argv[1], "help");
}

static int help(void (*print)(FILE *out))
{
	int err;

	print(stdout);
	/* argp_help() flushes, too, and says nothing */
	err = fflush(stdout) ? errno : ferror(stdout) ? EIO : 0;
	if (!err)
		return 0;
	fprintf(stderr, "vmalock load: cannot write to stdout: %s\n", strerror(err));
	return 1;
}

int vml_load_command(int argc, char **argv)
{
	struct argp_option some[VML_ARRAY_SIZE(options)];
	char doc[VML_ARRAY_SIZE(options)][160];
	struct argp argp = { .options = some, .parser = parse };
	struct command c = { 0 };
	bool reason = false;
	error_t err;

	if (asks_for_help(argc, argv))
		return help(list);
	if (!strcmp(argv[1], "reason")) {
		reason = true;
		argc--;
		argv++;
		if (asks_for_help(argc, argv))
			return help(list_reasons);
	}
	c.scenario = vml_load_find(reason ? vml_load_reasons : vml_load_scenarios, argv[1]);
	if (!c.scenario) {
		fprintf(stderr, "vmalock load: unknown %s '%s'; 'vmalock load%s' lists what there is\n",
			argv[1][0] == '-' ? "option"
			: reason	  ? "reason"
					  : "scenario",
			argv[1], reason ? " reason" : "");
		return 2;
	}
	c.options = c.scenario->defaults;
	options_of(c.scenario, some, doc);
	snprintf(c.name, sizeof(c.name), "vmalock load %s%s", reason ? "reason " : "", c.scenario->name);
	argv[1] = c.name;
	argp.doc = c.scenario->help;
	err = argp_parse(&argp, argc - 1, argv + 1, 0, NULL, &c);
	if (err == ENOMEM)
		fprintf(stderr, "%s: out of memory\n", c.name);
	if (err)
		return err == ENOMEM ? 1 : 2;
	if (c.options.limit_ns && !c.rounds_set)
		c.options.rounds = UINT32_MAX;
	return run(&c);
}
