// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* vmalock diagnose: what is wrong, by name, on this host, in a recording or in the history. */
#include <argp.h>
#include <errno.h>
#include <langinfo.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../run/argument.h"
#include "command.h"
#include "observing.h"
#include "vmalock/base.h"
#include "vmalock/connect.h"
#include "vmalock/diagnose.h"
#include "vmalock/sink.h"
#include "window.h"

/* As all commands that judge: 2 is anything that prevented it. */
enum { EXIT_NOTHING, EXIT_FOUND, EXIT_PREVENTED, EXIT_INCONCLUSIVE };
enum { KEY_CGROUP = 0x100, KEY_FAIL_ON, KEY_BACKEND, KEY_DETAIL, KEY_RULES, KEY_CONNECT, KEY_SINCE, KEY_UNTIL };

#define TIME_NS 10000000000ULL
#define STEP_NS 500000000ULL

struct diagnose {
	struct vml_live_options live;
	struct vml_filter filter;
	uint64_t time_ns; /* 0: not said */
	struct vml_window window; /* a recording or the history; path NULL: of neither */
	uint64_t now_ns;
	const char *connect; /* the socket of vmalockd; NULL: this program observes */
	enum vml_level fail_on;
	bool json, rules;
};

static const struct argp_option options[] = {
	{ "time", 't', "SECONDS", 0, "How long to observe (default 10)", 0 },
	{ "json", 'j', NULL, 0, "As one JSON object", 0 },
	{ "pid", 'p', "PID[,PID]", 0, "Only these, by host or container pid", 0 },
	{ "cgroup", KEY_CGROUP, "PATH", 0, "Only those in this cgroup or below it", 0 },
	{ "fail-on", KEY_FAIL_ON, "LEVEL", 0,
	  "Exit with 1 when a finding is at least so sure: low, medium, high; with 3 when nothing can be said", 0 },
	{ "since", KEY_SINCE, "TIME", 0,
	  "Only what was from then on: 2026-03-01T02:00:00Z, 02:00, -10m, @1772330400; without FILE: of the history",
	  0 },
	{ "until", KEY_UNTIL, "TIME", 0, "Only what was until then", 0 },
	{ "backend", KEY_BACKEND, "NAME", 0, "The kernel hooks: auto, fentry, kprobe, tracepoint (auto)", 0 },
	{ "detail", KEY_DETAIL, "NAME", 0, "Detail: default, exact (default)", 0 },
	{ "connect", KEY_CONNECT, "PATH", OPTION_ARG_OPTIONAL,
	  "What vmalockd sees, by its socket, without root (" VML_API_SOCKET ")", 0 },
	{ "rules", KEY_RULES, NULL, 0, "Print the table of findings instead", 0 },
	{ 0 },
};

static error_t parse_when(int key, const char *arg, struct argp_state *state)
{
	struct diagnose *d = state->input;
	char error[VML_WHEN_ERROR];

	if (!d->window.path)
		d->window.path = VML_HISTORY;
	if (!vml_parse_when(arg, d->now_ns, key == KEY_SINCE ? &d->window.since_ns : &d->window.until_ns, error))
		return 0;
	return vml_argument_wrong(state, "%s: %s", key == KEY_SINCE ? "--since" : "--until", error);
}

static error_t parse_what(int key, const char *arg, struct argp_state *state)
{
	struct diagnose *d = state->input;
	char error[VML_ERROR_MAX];
	int err;

	switch (key) {
	case 'p':
		err = vml_filter_set_pids(&d->filter, arg, error);
		break;
	case KEY_CGROUP:
		err = vml_filter_set_cgroup(&d->filter, arg, error);
		break;
	case KEY_BACKEND:
		err = vml_live_set_backend(&d->live, arg, error);
		break;
	default:
		err = vml_live_set_detail(&d->live, arg, error);
	}
	return vml_argument_set(state, err, error);
}

static error_t together(const struct diagnose *d, const struct argp_state *state)
{
	if (d->window.since_ns >= d->window.until_ns)
		return vml_argument_wrong(state, "--since must be before --until");
	if (d->window.path && (d->time_ns || d->connect || d->live.backend || d->live.detail))
		return vml_argument_wrong(state,
					  "-t, --connect, --backend and --detail are for this host now, not for a "
					  "FILE or --since and --until");
	if (d->connect && (d->live.backend || d->live.detail))
		return vml_argument_wrong(state, "--backend and --detail are for vmalockd, not with --connect");
	return 0;
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct diagnose *d = state->input;

	switch (key) {
	case ARGP_KEY_INIT:
		state->err_stream = NULL;
		return 0;
	case 't':
		return vml_parse_seconds(arg, &d->time_ns)
			       ? vml_argument_wrong(state, "-t: seconds, 0.001 to 86400, not '%s'", arg)
			       : 0;
	case 'j':
		d->json = true;
		return 0;
	case 'p':
	case KEY_CGROUP:
	case KEY_BACKEND:
	case KEY_DETAIL:
		return parse_what(key, arg, state);
	case KEY_FAIL_ON:
		d->fail_on = vml_level_parse(arg);
		return d->fail_on ? 0 : vml_argument_wrong(state, "--fail-on: low, medium or high, not '%s'", arg);
	case KEY_RULES:
		d->rules = true;
		return 0;
	case KEY_CONNECT:
		arg = vml_optional_argument(arg, state->argc, state->argv, &state->next);
		d->connect = arg ? arg : VML_API_SOCKET;
		return 0;
	case KEY_SINCE:
	case KEY_UNTIL:
		return parse_when(key, arg, state);
	case ARGP_KEY_ARG:
		if (state->arg_num)
			return vml_argument_wrong(state, "one FILE, and not also '%s'", arg);
		d->window.path = arg;
		return 0;
	case ARGP_KEY_END:
		return together(d, state);
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

/* ---- the delta; negative errno with @error set */

static int add(void *arg, struct vml_snapshot *delta)
{
	return vml_sum_add(arg, delta);
}

/* In many steps: what is left of threads that ended has room for so many only. */
static int from_host(const struct diagnose *d, struct vml_snapshot **ret, char error[VML_ERROR_MAX])
{
	struct observing o = { .live = d->live, .filter = d->filter, .connect = d->connect, .interval_ns = STEP_NS };
	struct vml_sum *sum;
	struct vml_source *src;
	int err = observing_open(&o, &src, error);

	if (err)
		return err;
	o.filter = (struct vml_filter){ 0 }; /* say() selects */
	sum = vml_sum_new();
	snprintf(error, VML_ERROR_MAX, "cannot observe: %s", strerror(ENOMEM));
	err = sum ? observing_for(src, &o, d->time_ns ? d->time_ns : TIME_NS, add, sum, error) : -ENOMEM;
	vml_source_close(src);
	if (!err)
		return vml_sum_end(sum, ret);
	vml_sum_free(sum);
	return err;
}

static int from_file(struct diagnose *d, struct vml_snapshot **ret, char error[VML_ERROR_MAX])
{
	static const struct vml_filter everything; /* say() selects */
	struct vml_window *w = &d->window;
	struct vml_sum *sum;
	int err;

	w->filter = &everything;
	err = vml_window_open(w, error);
	if (err)
		return err;
	sum = vml_sum_new();
	err = sum ? vml_window_read(w, add, sum, error) : -ENOMEM;
	if (!err)
		err = vml_sum_end(sum, ret);
	else
		vml_sum_free(sum);
	if (err == -ENODATA)
		vml_window_say_empty(w, false, error);
	else if (err && !*error)
		snprintf(error, VML_ERROR_MAX, "cannot read %s: %s", w->name, strerror(-err));
	vml_window_close(w);
	return err;
}

/* ---- the verdict */

static int status_of(const struct vml_diagnosis *x, enum vml_level fail_on)
{
	size_t i;

	if (!fail_on)
		return EXIT_NOTHING;
	for (i = 0; i < x->n; i++)
		if (!x->finding[i].negative && x->finding[i].level >= fail_on)
			return EXIT_FOUND;
	return x->inconclusive ? EXIT_INCONCLUSIVE : EXIT_NOTHING;
}

static int say(struct vml_snapshot *delta, const struct diagnose *d)
{
	struct vml_diagnosis x;
	int err = vml_select(delta, &d->filter);

	if (!err)
		err = vml_diagnose(delta, &x);
	if (!err)
		err = d->json ? vml_diagnosis_json_write(stdout, delta, &x)
			      : vml_diagnosis_write(stdout, delta, &x, !strcmp(nl_langinfo(CODESET), "UTF-8"));
	if (!err && fflush(stdout))
		err = -errno;
	if (!err)
		return status_of(&x, d->fail_on);
	fprintf(stderr, "vmalock diagnose: cannot write what was found: %s\n", strerror(-err));
	return EXIT_PREVENTED;
}

static int run(struct diagnose *d)
{
	char error[VML_ERROR_MAX] = "";
	struct vml_snapshot *delta;
	int err, status;

	if (d->rules)
		return vml_rules_write(stdout) || fflush(stdout) ? EXIT_PREVENTED : EXIT_NOTHING;
	err = d->window.path ? from_file(d, &delta, error) : from_host(d, &delta, error);
	if (err) {
		fprintf(stderr, "vmalock diagnose: %s\n", error);
		return err == -EOPNOTSUPP		   ? EXIT_UNSUPPORTED
		       : err == -ENODATA && d->window.path ? EXIT_INCONCLUSIVE
							   : EXIT_PREVENTED;
	}
	status = say(delta, d);
	vml_snapshot_free(delta);
	return status;
}

int vml_diagnose_command(int argc, char **argv)
{
	static const struct argp argp = {
		.options = options,
		.parser = parse,
		.args_doc = "[FILE]",
		.doc = "Say what is wrong, by name: on this host for some seconds, in a recording, or in the history "
		       "of vmalockd.\v"
		       "Examples:\n"
		       "  sudo vmalock diagnose -t 30 --fail-on medium || echo look at it\n"
		       "  vmalock diagnose --connect              what vmalockd sees, without root\n"
		       "  vmalock diagnose --since 02:00 --until 02:10\n"
		       "\n"
		       "Exit status: 0 nothing, or without --fail-on; 1 a finding at least as sure as --fail-on; 2 usage, "
		       "failure; 3 nothing can be said (with --fail-on, or nothing recorded then); 4 this kernel cannot be "
		       "observed, or a FILE of a newer version.",
	};
	struct diagnose d = { .window.until_ns = UINT64_MAX, .now_ns = vml_now_real() };
	int status;

	argv[0] = "vmalock diagnose";
	status = vml_arguments(&argp, argc, argv, 0, &d) ? EXIT_PREVENTED : run(&d);
	vml_filter_free(&d.filter);
	return status;
}
