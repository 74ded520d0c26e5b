// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* vmalock diff: was it better before? */
#include <argp.h>
#include <errno.h>
#include <langinfo.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../run/argument.h"
#include "command.h"
#include "vmalock/base.h"
#include "vmalock/compare.h"
#include "vmalock/sink.h"
#include "window.h"

/* As grep and diff do; git bisect run takes 125 as "cannot be tested" and ends from 128 on. */
enum { EXIT_NOTHING, EXIT_WORSE, EXIT_PREVENTED, EXIT_NO_ANSWER };
enum { BISECT_SKIP = 125, BISECT_ABORT = 128 };
enum {
	KEY_CGROUP = 0x100,
	KEY_BISECT,
	KEY_HISTORY,
	KEY_A_SINCE,
	KEY_A_UNTIL,
	KEY_B_SINCE,
	KEY_B_UNTIL,
	KEY_HTML,
	KEY_UTC
};

#define ROWS 5

/* One of the two: what is asked for, and what was read. */
struct side {
	struct vml_window window;
	struct vml_sample sample;
	struct vml_sum *adding;
	struct vml_snapshot *sum; /* NULL: no interval */
};

struct diff {
	struct side side[2];
	int files;
	const char *history;
	bool windows; /* any was given */
	uint64_t now_ns;
	struct vml_filter filter;
	uint32_t rows;
	const char *output; /* NULL: stdout */
	bool json, html, bisect, utc;
};

/* ---- options */

static const struct argp_option options[] = {
	{ "history", KEY_HISTORY, "FILE", 0, "A and B are windows of this history (default " VML_HISTORY ")", 0 },
	{ "a-since", KEY_A_SINCE, "TIME", 0,
	  "Only what was from then on: 2026-03-01T02:00:00Z, 02:00, -10m, @1772330400", 0 },
	{ "a-until", KEY_A_UNTIL, "TIME", 0, "Only what was until then", 0 },
	{ "b-since", KEY_B_SINCE, "TIME", 0, "The same for B", 0 },
	{ "b-until", KEY_B_UNTIL, "TIME", 0, "The same for B", 0 },
	{ "pid", 'p', "PID[,PID]", 0, "Only these: that in A and that in B, by host or container pid", 0 },
	{ "cgroup", KEY_CGROUP, "PATH", 0, "Only those in this cgroup or below it", 0 },
	{ "rows", 'l', "ROWS", 0, "How many of what moved to show of each kind (default 5; 0: all)", 0 },
	{ "json", 'j', NULL, 0, "As one JSON object", 0 },
	{ "html", KEY_HTML, NULL, 0, "As one HTML page", 0 },
	{ "output", 'o', "FILE", 0, "Into this file (default: stdout)", 0 },
	{ "utc", KEY_UTC, NULL, 0, "Times in UTC instead of local time", 0 },
	{ "bisect", KEY_BISECT, NULL, 0, "Exit status for git bisect run: 125 no answer, 128 failure", 0 },
	{ 0 },
};

static error_t parse_window(int key, const char *arg, struct argp_state *state)
{
	static const char *const names[] = { "--a-since", "--a-until", "--b-since", "--b-until" };
	struct diff *d = state->input;
	struct vml_window *w = &d->side[(key - KEY_A_SINCE) / 2].window;
	char error[VML_WHEN_ERROR];

	d->windows = true;
	if (!vml_parse_when(arg, d->now_ns, (key - KEY_A_SINCE) % 2 ? &w->until_ns : &w->since_ns, error))
		return 0;
	return vml_argument_wrong(state, "%s: %s", names[key - KEY_A_SINCE], error);
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct diff *d = state->input;
	char error[VML_ERROR_MAX];

	switch (key) {
	case ARGP_KEY_INIT:
		state->err_stream = NULL;
		return 0;
	case KEY_HISTORY:
		d->history = arg;
		return 0;
	case KEY_A_SINCE:
	case KEY_A_UNTIL:
	case KEY_B_SINCE:
	case KEY_B_UNTIL:
		return parse_window(key, arg, state);
	case 'p':
		return vml_argument_set(state, vml_filter_set_pids(&d->filter, arg, error), error);
	case KEY_CGROUP:
		return vml_argument_set(state, vml_filter_set_cgroup(&d->filter, arg, error), error);
	case 'l':
		return vml_parse_u32(arg, 0, UINT32_MAX, &d->rows)
			       ? vml_argument_wrong(state, "-l: a number of rows, not '%s'", arg)
			       : 0;
	case 'j':
		d->json = true;
		return 0;
	case KEY_HTML:
		d->html = true;
		return 0;
	case 'o':
		d->output = arg;
		return 0;
	case KEY_UTC:
		d->utc = true;
		return 0;
	case KEY_BISECT:
		d->bisect = true;
		return 0;
	case ARGP_KEY_ARG:
		if (d->files == 2)
			return vml_argument_wrong(state, "two recordings, A and B, and no '%s'", arg);
		d->side[d->files++].window.path = arg;
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static bool is_part(const struct vml_window *w)
{
	return w->since_ns || w->until_ns != UINT64_MAX;
}

/* What the options mean together. */
static const char *contradiction(const struct diff *d)
{
	const struct vml_window *a = &d->side[0].window, *b = &d->side[1].window;

	if (d->json && d->html)
		return "--json or --html, one of them";
	if (d->html && !d->output && isatty(STDOUT_FILENO))
		return "--html: into which file? -o FILE";
	if (a->since_ns >= a->until_ns || b->since_ns >= b->until_ns)
		return "a window ends before it begins";
	if (d->files == 2)
		return d->history ? "recordings A and B, or --history, not both" : NULL;
	if (d->files == 1)
		return "one recording: name A and B";
	if (!d->history && !d->windows)
		return "what is to be compared? Recordings A and B, or --history with windows";
	if (!is_part(a) || !is_part(b))
		return "which part of the history is A, and which is B? --a-since, --a-until, --b-since, --b-until";
	if (a->since_ns < b->until_ns && b->since_ns < a->until_ns)
		return "the windows of A and B overlap";
	return NULL;
}

/* ---- reading */

static void forget(struct side *s)
{
	vml_sample_free(&s->sample);
	vml_sum_free(s->adding);
	vml_snapshot_free(s->sum);
}

static int take(void *arg, struct vml_snapshot *delta)
{
	struct side *s = arg;
	int err = vml_sample_add(&s->sample, delta);

	return err ? err : vml_sum_add(s->adding, delta);
}

static int read_side(struct side *s, char error[VML_ERROR_MAX])
{
	int err = vml_window_open(&s->window, error);

	if (err)
		return err;
	s->adding = vml_sum_new();
	err = s->adding ? vml_window_read(&s->window, take, s, error) : -ENOMEM;
	vml_window_close(&s->window);
	if (!err) {
		err = vml_sum_end(s->adding, &s->sum);
		s->adding = NULL;
		if (err == -ENODATA)
			return 0;
	}
	if (err && !*error)
		snprintf(error, VML_ERROR_MAX, "cannot read %s: %s", s->window.name, strerror(-err));
	return err;
}

/* ---- the answer */

static int say(const struct diff *d, const struct vml_comparison *c, const struct vml_moved *moved, size_t n)
{
	struct vml_diff out = { .comparison = c, .moved = moved, .nmoved = n, .utc = d->utc };
	FILE *f;
	int i, err;

	for (i = 0; i < 2; i++) {
		const struct side *s = &d->side[i];

		out.side[i] = (struct vml_diff_side){ .name = s->window.name,
						      .sum = s->sum,
						      .intervals = s->window.intervals,
						      .from_ns = s->window.from_ns,
						      .until_ns = s->window.to_ns };
	}
	f = d->output ? fopen(d->output, "we") : stdout;
	if (!f)
		return -errno;
	err = d->json	? vml_diff_json_write(f, &out)
	      : d->html ? vml_diff_html_write(f, &out)
			: vml_diff_write(f, &out, !strcmp(nl_langinfo(CODESET), "UTF-8"));
	if ((f == stdout ? fflush(f) : fclose(f)) && !err)
		err = -errno;
	return err;
}

static int status_of(enum vml_verdict v)
{
	switch (v) {
	case VML_REGRESSION:
		return EXIT_WORSE;
	case VML_INCONCLUSIVE:
	case VML_NOT_COMPARABLE:
		return EXIT_NO_ANSWER;
	default:
		return EXIT_NOTHING;
	}
}

static int judge(const struct diff *d)
{
	struct vml_moved *moved = NULL;
	struct vml_comparison c;
	size_t n = 0;
	int err = 0;

	vml_compare(&d->side[0].sample, &d->side[1].sample, &c);
	if (d->side[0].sum && d->side[1].sum)
		err = vml_explain(d->side[0].sum, d->side[1].sum, &c, d->rows, &moved, &n);
	if (!err)
		err = say(d, &c, moved, n);
	free(moved);
	if (!err)
		return status_of(c.verdict);
	fprintf(stderr, "vmalock diff: cannot write to %s: %s\n", d->output ? d->output : "stdout", strerror(-err));
	return EXIT_PREVENTED;
}

static int run(struct diff *d)
{
	const char *wrong_together = contradiction(d);
	char error[VML_ERROR_MAX] = "";
	int i, err;

	if (wrong_together) {
		fprintf(stderr, "vmalock diff: %s\n", wrong_together);
		return EXIT_PREVENTED;
	}
	for (i = 0; i < 2; i++) {
		struct side *s = &d->side[i];

		if (!d->files)
			s->window.path = d->history ? d->history : VML_HISTORY;
		s->window.filter = &d->filter;
		err = read_side(s, error);
		if (err) {
			fprintf(stderr, "vmalock diff: %s\n", error);
			return err == -EOPNOTSUPP ? EXIT_UNSUPPORTED : EXIT_PREVENTED;
		}
	}
	return judge(d);
}

static int ends(int status, bool bisect)
{
	if (!bisect || status == EXIT_NOTHING || status == EXIT_WORSE)
		return status;
	return status == EXIT_NO_ANSWER ? BISECT_SKIP : BISECT_ABORT;
}

int vml_diff_command(int argc, char **argv)
{
	static const struct argp argp = {
		.options = options,
		.parser = parse,
		.args_doc = "A B",
		.doc = "Compare two recordings, or two windows of the history: what changed, how sure that is, and who "
		       "did it.\v"
		       "Examples:\n"
		       "  vmalock diff before.vml after.vml\n"
		       "  vmalock diff --a-since -25h --a-until -24h --b-since -1h\n"
		       "\n"
		       "Exit status: 0 no change or an improvement, 1 regression, 2 usage or failure, 3 inconclusive or "
		       "not comparable, 4 a file of a newer version.  With --bisect 125 instead of 3, 128 instead of "
		       "2 and 4.",
	};
	struct diff d = { .side = { { .window.until_ns = UINT64_MAX }, { .window.until_ns = UINT64_MAX } },
			  .now_ns = vml_now_real(),
			  .rows = ROWS };
	int i, status;

	/* it says how an error in the options before it ends, too */
	for (i = 1; i < argc && strcmp(argv[i], "--") != 0; i++)
		d.bisect |= !strcmp(argv[i], "--bisect");
	argv[0] = "vmalock diff";
	status = vml_arguments(&argp, argc, argv, 0, &d) ? EXIT_PREVENTED : run(&d);
	vml_filter_free(&d.filter);
	for (i = 0; i < 2; i++)
		forget(&d.side[i]);
	return ends(status, d.bisect);
}
