// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* vmalock report: what was seen in a recording or the history, or is seen now, said once. */
#include <argp.h>
#include <errno.h>
#include <langinfo.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../run/argument.h"
#include "command.h"
#include "report.h"
#include "vmalock/base.h"

enum {
	KEY_FOLDED = 0x100,
	KEY_CGROUP,
	KEY_STACKS_OVER,
	KEY_USER_STACKS,
	KEY_BACKEND,
	KEY_SINCE,
	KEY_UNTIL,
	KEY_UTC,
	KEY_INTERVALS,
	KEY_HTML,
	KEY_CONNECT,
};

#define ROWS 20

static const struct argp_option options[] = {
	{ NULL, 0, NULL, 0, "What is read:", 1 },
	{ "since", KEY_SINCE, "TIME", 0,
	  "What was from then on, of FILE or else of the history (" VML_HISTORY
	  "): 2026-03-01T02:00:00Z, 02:00, -10m, @1772330400",
	  1 },
	{ "until", KEY_UNTIL, "TIME", 0, "What was until then", 1 },
	{ "time", 't', "SECONDS", 0, "Without these, this host is observed: for how long (default 10)", 1 },
	{ "connect", KEY_CONNECT, "PATH", OPTION_ARG_OPTIONAL,
	  "What vmalockd sees in that time, by its socket, without root (" VML_API_SOCKET ")", 1 },
	{ "pid", 'p', "PID[,PID]", 0, "Only these, by host or container pid", 1 },
	{ "cgroup", KEY_CGROUP, "PATH", 0, "Only those in this cgroup or below it", 1 },

	{ NULL, 0, NULL, 0, "How it is said:", 2 },
	{ "json", 'j', NULL, 0, "As one JSON object", 2 },
	{ "intervals", KEY_INTERVALS, NULL, 0, "One JSON object an interval, as vmalocktop -j printed them", 2 },
	{ "folded", KEY_FOLDED, NULL, 0, "Stacks of who held mmap_lock, as flame graph tools take them: ns of blame",
	  2 },
	{ "html", KEY_HTML, NULL, 0, "As one HTML page with plots and findings", 2 },
	{ "output", 'o', "FILE", 0, "Into this file (default: stdout)", 2 },
	{ "threads", 'H', NULL, 0, "Threads instead of processes", 2 },
	{ "sort", 's', "KEY", 0, "Sort by this column (default fallbacks)", 2 },
	{ "rows", 'l', "ROWS", 0, "At most so many rows (default 20, JSON all that changed; 0: all)", 2 },
	{ "utc", KEY_UTC, NULL, 0, "Times in UTC instead of local time", 2 },

	{ NULL, 0, NULL, 0, "Observing this host:", 3 },
	{ "stacks-over", KEY_STACKS_OVER, "TIME", 0,
	  "Keep the stack of a holder when somebody was waiting for more of the hold: 500us, 1ms, 2s (default 1ms)",
	  3 },
	{ "user-stacks", KEY_USER_STACKS, NULL, 0, "Also its stack in the program: reads the program's /proc/PID/maps",
	  3 },
	{ "backend", KEY_BACKEND, "NAME", 0, "The kernel hooks: auto, fentry, kprobe, tracepoint (auto)", 3 },
	{ 0 },
};

/* ---- options */

static error_t parse_time(int key, const char *arg, struct argp_state *state)
{
	struct report *r = state->input;
	char error[VML_WHEN_ERROR];
	uint64_t *ns = key == KEY_SINCE ? &r->window.since_ns : &r->window.until_ns;

	if (key == 't')
		return vml_parse_seconds(arg, &r->time_ns)
			       ? vml_argument_wrong(state, "-t: seconds, 0.001 to 86400, not '%s'", arg)
			       : 0;
	if (vml_parse_when(arg, vml_now_real(), ns, error))
		return vml_argument_wrong(state, "--%s: %s", key == KEY_SINCE ? "since" : "until", error);
	r->window.path = r->window.path ? r->window.path : VML_HISTORY;
	return 0;
}

static error_t parse_form(int key, char *arg, struct argp_state *state)
{
	struct report *r = state->input;

	switch (key) {
	case 'j':
		r->json = true;
		return 0;
	case KEY_INTERVALS:
		r->intervals = true;
		return 0;
	case KEY_FOLDED:
		r->folded = true;
		return 0;
	case KEY_HTML:
		r->html = true;
		return 0;
	case KEY_UTC:
		r->utc = true;
		return 0;
	case 'o':
		r->output = arg;
		return 0;
	case 'H':
		r->view.scope = VML_THREAD;
		return 0;
	case 's':
		r->view.sort = arg;
		return 0;
	default:
		r->have_limit = true;
		return vml_parse_u32(arg, 0, UINT32_MAX, &r->view.limit)
			       ? vml_argument_wrong(state, "-l: a number of rows, not '%s'", arg)
			       : 0;
	}
}

static error_t parse_what(int key, char *arg, struct argp_state *state)
{
	struct report *r = state->input;
	char error[VML_ERROR_MAX];
	int err;

	switch (key) {
	case 'p':
		err = vml_filter_set_pids(&r->filter, arg, error);
		break;
	case KEY_CGROUP:
		err = vml_filter_set_cgroup(&r->filter, arg, error);
		break;
	case KEY_BACKEND:
		err = vml_live_set_backend(&r->live, arg, error);
		break;
	default:
		err = vml_live_set_stacks_over(&r->live, arg, error);
	}
	return vml_argument_set(state, err, error);
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct report *r = state->input;

	switch (key) {
	case ARGP_KEY_INIT:
		state->err_stream = NULL;
		return 0;
	case KEY_SINCE:
	case KEY_UNTIL:
	case 't':
		return parse_time(key, arg, state);
	case 'p':
	case KEY_CGROUP:
	case KEY_BACKEND:
	case KEY_STACKS_OVER:
		return parse_what(key, arg, state);
	case 'j':
	case KEY_INTERVALS:
	case KEY_FOLDED:
	case KEY_HTML:
	case KEY_UTC:
	case 'o':
	case 'H':
	case 's':
	case 'l':
		return parse_form(key, arg, state);
	case KEY_USER_STACKS:
		r->live.user_stacks = true;
		return 0;
	case KEY_CONNECT:
		arg = vml_optional_argument(arg, state->argc, state->argv, &state->next);
		r->connect = arg ? arg : VML_API_SOCKET;
		return 0;
	case ARGP_KEY_ARG:
		if (r->named)
			return vml_argument_wrong(state, "one FILE, and not also '%s'", arg);
		r->named = true;
		r->window.path = arg;
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

/* What the options mean together; NULL: nothing is wrong. */
static const char *contradiction(const struct report *r)
{
	const struct vml_live_options *live = &r->live;
	bool measuring = live->backend || live->user_stacks || live->stacks_over_ns;

	if (r->window.since_ns >= r->window.until_ns)
		return "--since and --until: the window ends before it begins";
	if (r->window.path && (r->time_ns || r->connect || measuring))
		return "-t, --connect, --backend, --stacks-over and --user-stacks are for this host, not for what was recorded";
	if (r->connect && measuring)
		return "--backend, --stacks-over and --user-stacks are for vmalockd, not with --connect";
	if (r->intervals && !r->window.path)
		return "--intervals: of which FILE, or --since when?";
	if ((r->json || r->intervals) + r->folded + r->html > 1)
		return "--json, --folded or --html, one of them";
	if (r->html && !r->output && isatty(STDOUT_FILENO))
		return "--html: into which file? -o FILE";
	return NULL;
}

static int check(struct report *r)
{
	const char *text = contradiction(r);
	bool known = !r->view.sort || vml_column_find(r->view.scope, r->view.sort);
	int scope;

	for (scope = 0; (r->json || r->intervals) && scope < VML_NSCOPES && !known; scope++)
		known = vml_column_find((enum vml_scope)scope, r->view.sort);
	if (text)
		fprintf(stderr, "vmalock report: %s\n", text);
	else if (!known)
		fprintf(stderr, "vmalock report: -s: a column of the table, not '%s'\n", r->view.sort);
	return text || !known ? EXIT_USAGE : EXIT_OK;
}

/* ---- saying */

int report_open(struct report *r)
{
	if (!r->out)
		r->out = r->output ? fopen(r->output, "we") : stdout;
	return r->out ? 0 : -errno;
}

int report_write(struct report *r, struct vml_snapshot *delta, const struct vml_period *period)
{
	struct vml_view view = r->view;
	int err = report_open(r);

	if (err)
		return err;
	view.period = period;
	view.utf8 = !strcmp(nl_langinfo(CODESET), "UTF-8");
	if (!r->have_limit)
		view.limit = r->json || r->intervals ? UINT32_MAX : ROWS;
	if (r->folded)
		return vml_folded_stacks_write(r->out, delta);
	if (r->json || r->intervals)
		return vml_json_write(r->out, delta, &view);
	return vml_table_write(r->out, delta, &view);
}

int report_cannot_write(const struct report *r, int err)
{
	fprintf(stderr, "vmalock report: cannot write to %s: %s\n", r->output ? r->output : "stdout", strerror(-err));
	return EXIT_FAILED;
}

int report_flush(struct report *r)
{
	return r->out && fflush(r->out) ? -errno : 0;
}

int vml_report_command(int argc, char **argv)
{
	static const struct argp argp = {
		.options = options,
		.parser = parse,
		.args_doc = "[FILE]",
		.doc = "Say what is in a recording, or in a part of the history, or what is seen on this host for some "
		       "seconds.\v"
		       "Examples:\n"
		       "  vmalock report --since 02:00 --until 02:10 --html -o report.html\n"
		       "  vmalock report -j run.vml | jq .totals\n"
		       "  vmalock report --connect -t 60          what vmalockd sees, without root\n"
		       "  sudo vmalock report --folded -t 30 | flamegraph.pl --countname ns >held.svg\n"
		       "\n"
		       "Exit status: 0 ok, 1 failure, 2 usage, 4 this kernel cannot be observed, or FILE is of a newer "
		       "version.",
	};
	struct report r = { .window.until_ns = UINT64_MAX };
	int status;
	error_t err;

	argv[0] = "vmalock report";
	err = vml_arguments(&argp, argc, argv, 0, &r);
	status = err == ENOMEM ? EXIT_FAILED : err ? EXIT_USAGE : check(&r);
	if (!status)
		status = r.window.path ? report_recorded(&r) : report_live(&r);
	if (r.output && r.out && fclose(r.out) && !status)
		status = report_cannot_write(&r, -errno);
	vml_filter_free(&r.filter);
	return status;
}
