// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* vmalock doctor: what can be observed on this host, and what that costs. */
#include <argp.h>
#include <errno.h>
#include <langinfo.h>
#include <stdio.h>
#include <string.h>

#include "../run/argument.h"
#include "command.h"
#include "observing.h"
#include "vmalock/sink.h"

enum { KEY_BTF = 0x100, KEY_BACKEND, KEY_DETAIL, KEY_COST };

struct doctor {
	struct vml_live_options live;
	bool json, cost;
};

static const struct argp_option options[] = {
	{ "json", 'j', NULL, 0, "Report as one JSON object", 0 },
	{ "btf", KEY_BTF, "FILE", 0, "Type information of the kernel (/sys/kernel/btf/vmlinux)", 0 },
	{ "backend", KEY_BACKEND, "NAME", 0, "Backend to try: auto, fentry, kprobe, tracepoint (auto)", 0 },
	{ "detail", KEY_DETAIL, "NAME", 0, "Detail to try: default, exact (default)", 0 },
	{ "cost", KEY_COST, NULL, 0,
	  "Measure instead what observing costs here; for one second with the kernel's statistics of all BPF programs, "
	  "where that is allowed",
	  0 },
	{ 0 },
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct doctor *d = state->input;
	char error[VML_ERROR_MAX];

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
		return vml_argument_set(state, vml_live_set_backend(&d->live, arg, error), error);
	case KEY_COST:
		d->cost = true;
		return 0;
	case KEY_DETAIL:
		return vml_argument_set(state, vml_live_set_detail(&d->live, arg, error), error);
	case ARGP_KEY_ARG:
		return vml_argument_wrong(state, "unexpected argument '%s'", arg);
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static int say_cost(const struct doctor *d)
{
	char error[VML_ERROR_MAX] = "";
	struct vml_cost cost;
	int err = vml_live_cost(&d->live, true, &cost, error);

	if (err) {
		fprintf(stderr, "vmalock doctor: %s\n", error);
		return err == -EINVAL ? EXIT_USAGE : err == -EOPNOTSUPP ? EXIT_UNSUPPORTED : EXIT_FAILED;
	}
	return command_written(d->json ? vml_cost_json_write(stdout, &cost) : vml_cost_write(stdout, &cost));
}

int vml_doctor_command(int argc, char **argv)
{
	static const struct argp argp = {
		.options = options,
		.parser = parse,
		.doc = "Say what can be observed on this host, how that was found out, and what is lost.\v"
		       "Examples:\n"
		       "  sudo vmalock doctor\n"
		       "  sudo vmalock doctor --backend tracepoint -j | jq .\n"
		       "  sudo vmalock doctor --cost\n"
		       "\n"
		       "Exit status: 0 observing works, 1 it does not (permissions, failure), 2 usage, "
		       "4 this kernel cannot be observed.",
	};
	bool utf8 = !strcmp(nl_langinfo(CODESET), "UTF-8");
	char error[VML_ERROR_MAX] = "";
	struct vml_caps caps = { 0 };
	struct doctor d = { 0 };
	int err, status;

	argv[0] = "vmalock doctor";
	err = vml_arguments(&argp, argc, argv, 0, &d);
	if (err)
		return err == ENOMEM ? EXIT_FAILED : EXIT_USAGE;
	if (d.cost)
		return say_cost(&d);
	err = observing_probe(&d.live, &caps, error);
	if (err == -EINVAL) {
		fprintf(stderr, "vmalock doctor: %s\n", error);
		return EXIT_USAGE;
	}
	status = command_written(d.json ? vml_doctor_json_write(stdout, &caps) : vml_doctor_write(stdout, &caps, utf8));
	if (!err || status)
		return status;
	fprintf(stderr, "vmalock doctor: %s\n", error);
	return err == -EOPNOTSUPP ? EXIT_UNSUPPORTED : EXIT_FAILED;
}
