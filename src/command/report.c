// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* vmalock report: one interval of this host, said once. */
#include <argp.h>
#include <errno.h>
#include <langinfo.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "command.h"
#include "vmalock/base.h"
#include "vmalock/sink.h"
#include "vmalock/source.h"

enum { EXIT_OK, EXIT_FAILED, EXIT_USAGE, EXIT_UNSUPPORTED = 4 };
enum { KEY_FOLDED = 0x100, KEY_CGROUP, KEY_STACKS_OVER, KEY_USER_STACKS, KEY_BACKEND };

#define TIME_NS 10000000000ULL
#define LOOK_NS 500000000ULL
#define ROWS 20

struct report {
	struct vml_live_options live;
	struct vml_filter filter;
	uint64_t time_ns;
	bool folded, json;
};

static const struct argp_option options[] = {
	{ "time", 't', "SECONDS", 0, "How long to observe (default 10)", 0 },
	{ "folded", KEY_FOLDED, NULL, 0, "Stacks of who held mmap_lock, as flame graph tools take them: ns of blame",
	  0 },
	{ "json", 'j', NULL, 0, "As one JSON object", 0 },
	{ "pid", 'p', "PID[,PID]", 0, "Only these, by host or container pid", 0 },
	{ "cgroup", KEY_CGROUP, "PATH", 0, "Only those in this cgroup or below it", 0 },
	{ "stacks-over", KEY_STACKS_OVER, "TIME", 0,
	  "Keep the stack of a holder when somebody was waiting for more of the hold: 500us, 1ms, 2s (default 1ms)",
	  0 },
	{ "user-stacks", KEY_USER_STACKS, NULL, 0, "Also its stack in the program: reads the program's /proc/PID/maps",
	  0 },
	{ "backend", KEY_BACKEND, "NAME", 0, "The kernel hooks: auto, fentry, kprobe, tracepoint (auto)", 0 },
	{ 0 },
};

static error_t wrong(const char *option, const char *what, const char *arg)
{
	fprintf(stderr, "vmalock report: %s: %s, not '%s'\n", option, what, arg);
	return EINVAL;
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct report *r = state->input;
	uint32_t *pids;

	switch (key) {
	case ARGP_KEY_INIT:
		state->err_stream = NULL;
		return 0;
	case 't':
		return vml_parse_seconds(arg, &r->time_ns) ? wrong("-t", "seconds, 0.001 to 86400", arg) : 0;
	case KEY_FOLDED:
		r->folded = true;
		return 0;
	case 'j':
		r->json = true;
		return 0;
	case 'p':
		if (vml_parse_pids(arg, &pids, &r->filter.npids))
			return wrong("-p", "process ids with commas between them", arg);
		free((void *)r->filter.pids);
		r->filter.pids = pids;
		return 0;
	case KEY_CGROUP:
		r->filter.cgroup = arg;
		return *arg == '/' ? 0 : wrong("--cgroup", "a path that begins with /", arg);
	case KEY_STACKS_OVER:
		return vml_parse_duration(arg, &r->live.stacks_over_ns)
			       ? wrong("--stacks-over", "a time as 500us, 1ms or 2s", arg)
			       : 0;
	case KEY_USER_STACKS:
		r->live.user_stacks = true;
		return 0;
	case KEY_BACKEND:
		r->live.backend = arg;
		return 0;
	case ARGP_KEY_ARG:
		fprintf(stderr, "vmalock report: unexpected argument '%s'\n", arg);
		return EINVAL;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static void rest(uint64_t ns)
{
	struct timespec t = { .tv_sec = (time_t)(ns / 1000000000), .tv_nsec = (long)(ns % 1000000000) };

	while (clock_nanosleep(CLOCK_MONOTONIC, 0, &t, &t) == EINTR)
		;
}

static int say(struct vml_snapshot *delta, const struct report *r)
{
	const struct vml_view view = {
		.scope = VML_PROCESS,
		.limit = r->json ? UINT32_MAX : ROWS,
		.utf8 = !strcmp(nl_langinfo(CODESET), "UTF-8"),
	};
	int err = vml_select(delta, &r->filter);

	if (err)
		return err;
	if (r->folded)
		err = vml_folded_stacks_write(stdout, delta);
	else
		err = r->json ? vml_json_write(stdout, delta, &view) : vml_table_write(stdout, delta, &view);
	return err ? err : fflush(stdout) ? -errno : 0;
}

/*
 * What happens from now on: in one interval; stacks in many, since the names in a
 * stack are those of a process that lives, and tools add up lines that are alike.
 */
static int observe(struct vml_source *src, const struct report *r)
{
	uint64_t end = vml_now_mono() + r->time_ns, step = r->folded ? LOOK_NS : r->time_ns, now;
	struct vml_snapshot *before, *after, *delta;
	int err = vml_source_next(src, &before);

	if (err)
		return err;
	while (!err && (now = vml_now_mono()) < end) {
		rest(end - now < step ? end - now : step);
		err = vml_source_next(src, &after);
		if (err)
			break;
		err = vml_delta(before, after, &delta);
		vml_snapshot_free(before);
		before = after;
		if (err)
			break;
		err = say(delta, r);
		vml_snapshot_free(delta);
	}
	vml_snapshot_free(before);
	return err;
}

static int run(const struct report *r)
{
	char error[VML_ERROR_MAX] = "";
	struct vml_source *src;
	int err = vml_live_open(&r->live, &src, error);

	if (err) {
		fprintf(stderr, "vmalock report: %s\n", error);
		return err == -EOPNOTSUPP ? EXIT_UNSUPPORTED : err == -EINVAL ? EXIT_USAGE : EXIT_FAILED;
	}
	err = observe(src, r);
	vml_source_close(src);
	if (err)
		fprintf(stderr, "vmalock report: cannot report: %s\n", strerror(-err));
	return err ? EXIT_FAILED : EXIT_OK;
}

int vml_report_command(int argc, char **argv)
{
	static const struct argp argp = {
		.options = options,
		.parser = parse,
		.doc = "Observe this host for some seconds and say what was seen.\v"
		       "Example:\n"
		       "  sudo vmalock report --folded -t 30 | flamegraph.pl --countname ns >held.svg\n"
		       "\n"
		       "Exit status: 0 ok, 1 failure, 2 usage, 4 this kernel cannot be observed.",
	};
	struct report r = { .time_ns = TIME_NS };
	int status;

	argv[0] = "vmalock report";
	status = argp_parse(&argp, argc, argv, 0, NULL, &r) ? EXIT_USAGE : run(&r);
	free((void *)r.filter.pids);
	return status;
}
