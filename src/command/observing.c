// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../run/argument.h"
#include "../run/guarded.h"
#include "../run/privileges.h"
#include "../run/stop.h"
#include "observing.h"
#include "vmalock/base.h"
#include "vmalock/connect.h"

/* ---- options */

enum { KEY_CGROUP = 0x400, KEY_BACKEND, KEY_DETAIL, KEY_STACKS_OVER, KEY_USER_STACKS, KEY_MAX_OVERHEAD, KEY_MEMORY };

static const struct argp_option options[] = {
	{ NULL, 0, NULL, 0, "What is observed:", 10 },
	{ "pid", 'p', "PID[,PID]", 0, "Only these processes, by host or container pid", 10 },
	{ "cgroup", KEY_CGROUP, "PATH", 0, "Only those in this cgroup or below it", 10 },
	{ "interval", 'd', "SECONDS", 0, "Length of an interval, 0.001 to 86400 (default 1)", 10 },
	{ NULL, 'i', NULL, OPTION_ALIAS, NULL, 10 },
	{ NULL, 0, NULL, 0, "How it is measured:", 11 },
	{ "backend", KEY_BACKEND, "NAME", 0, "The kernel hooks: auto, fentry, kprobe, tracepoint (auto)", 11 },
	{ "detail", KEY_DETAIL, "NAME", 0, "default, or exact: also misses, lookups and how long faults take", 11 },
	{ "stacks-over", KEY_STACKS_OVER, "TIME", 0,
	  "Keep the stack of a holder when somebody was waiting for more of the hold: 500us, 1ms, 2s; off (default 1ms)",
	  11 },
	{ "user-stacks", KEY_USER_STACKS, NULL, 0, "Also its stack in the program: reads the program's /proc/PID/maps",
	  11 },
	{ "max-overhead", KEY_MAX_OVERHEAD, "PERCENT", 0,
	  "Keep the cost of all this below PERCENT of the CPU time of the host (default: no limit)", 11 },
	{ "memory", KEY_MEMORY, "SIZE", 0,
	  "What all BPF maps may take, but for the storage of threads: 32M, 1G (default 64M)", 11 },
	{ 0 },
};

static error_t parse_measuring(int key, const char *arg, struct argp_state *state)
{
	struct observing *o = state->input;
	char error[VML_ERROR_MAX];
	int err;

	switch (key) {
	case KEY_BACKEND:
		err = vml_live_set_backend(&o->live, arg, error);
		break;
	case KEY_DETAIL:
		err = vml_live_set_detail(&o->live, arg, error);
		break;
	case KEY_STACKS_OVER:
		err = vml_live_set_stacks_over(&o->live, arg, error);
		break;
	case KEY_MEMORY:
		err = vml_live_set_memory(&o->live, arg, error);
		break;
	default:
		err = vml_live_set_max_overhead(&o->live, arg, &o->max_overhead, error);
	}
	return vml_argument_set(state, err, error);
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct observing *o = state->input;
	char error[VML_ERROR_MAX];

	switch (key) {
	case 'p':
		return vml_argument_set(state, vml_filter_set_pids(&o->filter, arg, error), error);
	case KEY_CGROUP:
		o->overruled |= o->filter.cgroup != NULL;
		return vml_argument_set(state, vml_filter_set_cgroup(&o->filter, arg, error), error);
	case 'd':
	case 'i':
		return vml_parse_seconds(arg, &o->interval_ns)
			       ? vml_argument_wrong(state, "-%c: seconds, 0.001 to 86400, not '%s'", key, arg)
			       : 0;
	case KEY_USER_STACKS:
		o->live.user_stacks = true;
		return 0;
	case KEY_BACKEND:
	case KEY_MEMORY:
	case KEY_DETAIL:
	case KEY_STACKS_OVER:
	case KEY_MAX_OVERHEAD:
		return parse_measuring(key, arg, state);
	case ARGP_KEY_END:
		if (o->live.guard && o->live.detail && *o->live.detail == 'e')
			return vml_argument_wrong(state, "--max-overhead: not with --detail exact, whose hooks stay");
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

const struct argp observing_argp = { .options = options, .parser = parse };

void observing_free(struct observing *o)
{
	vml_filter_free(&o->filter);
}

/* ---- the loop */

int observing_begin(struct observing_loop *l)
{
	int err;

	vml_guard_init(&l->guard, l->o->max_overhead);
	l->intervals = (struct vml_intervals){ .source = l->source, .guard = &l->guard };
	do {
		err = vml_intervals_begin(&l->intervals);
	} while (err == -EINTR);
	return err;
}

/* Until @deadline_ns; true: the last interval ends. */
static bool rest(const struct observing_loop *l, uint64_t deadline_ns)
{
	while (!l->over || !l->over(l->arg)) {
		uint64_t wake = vml_guarded_tick(l->source, deadline_ns);

		if (vml_now_mono() >= deadline_ns)
			return deadline_ns >= l->until_ns;
		if (!l->idle || !l->idle(l->arg))
			vml_stop_wait(l->fd, wake);
	}
	return true;
}

static int take(struct observing_loop *l)
{
	struct vml_snapshot *delta;
	int err;

	do {
		err = vml_intervals_next(&l->intervals, &delta);
	} while (err == -EINTR);
	if (err)
		return err == -EAGAIN ? 0 : err;
	err = vml_select(delta, &l->o->filter);
	if (!err)
		err = l->interval(l->arg, delta);
	vml_snapshot_free(delta);
	return err;
}

int observing_run(struct observing_loop *l)
{
	uint64_t beat = vml_now_mono() + l->o->interval_ns;
	bool last = false;
	int err = 0;

	while (!err && !last) {
		last = rest(l, beat < l->until_ns ? beat : l->until_ns);
		err = take(l);
		beat = vml_next_beat(beat, l->o->interval_ns);
	}
	vml_intervals_end(&l->intervals);
	return err == -ENODATA ? 0 : err;
}

/* ---- what doctor says */

static int one_snapshot(void *source)
{
	struct vml_snapshot *s = NULL;
	int err = vml_source_next(source, &s);

	vml_snapshot_free(s);
	return err;
}

/* As vmalockd does it at its start. */
static void try_without(struct vml_source *src, struct vml_caps *caps)
{
	if (privileges_try(one_snapshot, src, caps->kept))
		caps->kept[0] = '\0';
}

int observing_probe(const struct vml_live_options *o, struct vml_caps *ret, char error[VML_ERROR_MAX])
{
	return vml_live_probe(o, try_without, ret, error);
}

/* ---- for a report that is said once */

int observing_open(const struct observing *o, struct vml_source **ret, char error[VML_ERROR_MAX])
{
	int err;

	if (o->connect)
		return vml_connect_open(o->connect, NULL, ret, error);
	err = vml_live_check_pids(o->filter.pids, o->filter.npids, error);
	return err ? err : vml_live_open(&o->live, ret, error);
}

struct counted {
	int (*interval)(void *arg, struct vml_snapshot *delta);
	void *arg;
	bool any;
};

static int count(void *arg, struct vml_snapshot *delta)
{
	struct counted *c = arg;

	c->any = true;
	return c->interval(c->arg, delta);
}

static void explain(int err, struct vml_source *src, const struct observing *o, char error[VML_ERROR_MAX])
{
	if (err == -ENODATA && o->connect)
		snprintf(error, VML_ERROR_MAX,
			 "vmalockd took no snapshot in that time: -t must be longer than its interval");
	else if (err == -ESTALE)
		snprintf(error, VML_ERROR_MAX, "vmalockd was started anew meanwhile");
	else if (err == -ENOTCONN && *vml_source_why(src))
		snprintf(error, VML_ERROR_MAX, "%s", vml_source_why(src));
	else
		snprintf(error, VML_ERROR_MAX, "cannot observe: %s", strerror(-err));
}

int observing_for(struct vml_source *src, const struct observing *o, uint64_t ns,
		  int (*interval)(void *arg, struct vml_snapshot *delta), void *arg, char error[VML_ERROR_MAX])
{
	struct counted c = { .interval = interval, .arg = arg };
	struct observing_loop loop = { .source = src, .o = o, .interval = count, .arg = &c };
	int err = observing_begin(&loop);

	if (!err) {
		loop.until_ns = vml_now_mono() + ns;
		err = observing_run(&loop);
	}
	if (!err && !c.any)
		err = -ENODATA;
	if (err)
		explain(err, src, o, error);
	return err;
}
