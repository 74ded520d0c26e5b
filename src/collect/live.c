// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * The live source: passes over maps and threads (pass.c), made to snapshots or to deltas of
 * what changed.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "collect.h"
#include "vmalock.skel.h"
#include "vmalock/base.h"

struct live {
	struct vml_source source; /* first */
	struct collector c;
	/* of the last delta, without rows; at first when it was opened, and nothing else */
	struct vml_snapshot *rest;
	bool whole; /* the rows in the tables are those of that time */
};

static struct live *to_live(struct vml_source *s)
{
	return (struct live *)s;
}

/* All but the rows. */
static int take(struct live *l, struct vml_snapshot **ret)
{
	struct vml_clocks now = vml_now_clocks();
	struct vml_snapshot *s;
	int64_t skipped;
	int err;

	err = collect_pass(&l->c);
	if (err)
		return err;
	if (l->c.t.pass % 16 == 1)
		l->c.t.nmap = maps_bytes(&l->c.session, l->c.t.map);
	skipped = perf_look(&l->c.session);
	if (skipped > (int64_t)l->c.t.perf_skipped)
		l->c.t.perf_skipped = skipped;
	s = vml_snapshot_new();
	if (!s)
		return -ENOMEM;
	s->boot_ns = now.boot_ns;
	s->real_ns = now.real_ns;
	duty_account(&l->c.session.duty);
	err = snapshot_fill(s, &l->c.session, &l->c.t);
	if (!err)
		err = stacks_fill(s, l->c.stacks, &l->c.session);
	if (err)
		vml_snapshot_free(s);
	else
		*ret = s;
	return err;
}

static int live_next(struct vml_source *source, struct vml_snapshot **ret)
{
	struct live *l = to_live(source);
	struct vml_snapshot *s = NULL;
	int err = take(l, &s);

	if (!err)
		err = rows_fill(s, &l->c.t, l->c.t.pass);
	if (err) {
		vml_snapshot_free(s);
		return err;
	}
	rows_reported(&l->c.t, l->c.t.pass);
	*ret = s;
	return 0;
}

static int live_next_delta(struct vml_source *source, struct vml_snapshot **ret)
{
	struct vml_snapshot *rest = NULL, *d = NULL;
	struct live *l = to_live(source);
	int err = take(l, &rest);

	if (!err && ret)
		err = vml_delta_rest(l->rest, rest, &d);
	if (!err && ret)
		err = rows_fill_delta(d, &l->c.t, l->c.t.pass);
	l->whole = !err;
	if (err) {
		vml_snapshot_free(d);
		vml_snapshot_free(rest);
		return err;
	}
	rows_reported(&l->c.t, l->c.t.pass);
	rows_forget(&l->c.t);
	vml_snapshot_free(l->rest);
	l->rest = rest;
	if (ret)
		*ret = d;
	return 0;
}

static int live_peek(struct vml_source *source, struct vml_snapshot **ret)
{
	struct live *l = to_live(source);
	struct vml_snapshot *s = NULL;
	int err = l->whole ? vml_snapshot_rest(l->rest, &s) : -EAGAIN;

	if (!err)
		err = rows_fill(s, &l->c.t, l->c.t.pass);
	if (err)
		vml_snapshot_free(s);
	else
		*ret = s;
	return err;
}

static const struct vml_snapshot *live_rest(const struct vml_source *source)
{
	return ((const struct live *)source)->rest;
}

static void live_close(struct vml_source *source)
{
	struct live *l = to_live(source);

	stacks_close(l->c.stacks);
	collect_end(&l->c);
	session_close(&l->c.session);
	table_free(&l->c.t.processes);
	table_free(&l->c.t.threads);
	table_free(&l->c.t.vmas);
	table_free(&l->c.t.blockers);
	free(l->c.t.goes_on);
	free(l->c.t.host);
	free(l->c.t.retired.cell);
	vml_snapshot_free(l->rest);
	free(l);
}

static const struct vml_caps *live_caps(const struct vml_source *source)
{
	return &((const struct live *)source)->c.session.caps;
}

static int live_set_duty(struct vml_source *source, unsigned int step)
{
	return duty_set(&to_live(source)->c.session, step);
}

static int64_t live_tick(struct vml_source *source)
{
	return duty_tick(&to_live(source)->c.session);
}

static const struct vml_source_ops live_ops = {
	.next = live_next,
	.next_delta = live_next_delta,
	.peek = live_peek,
	.rest = live_rest,
	.close = live_close,
	.caps = live_caps,
	.set_duty = live_set_duty,
	.tick = live_tick,
};

static int live_start(const struct vml_live_options *o, bool calibrate, struct live **ret, char error[VML_ERROR_MAX])
{
	struct live *l = calloc(1, sizeof(*l));
	int err;

	*ret = l;
	if (!l) {
		snprintf(error, VML_ERROR_MAX, "out of memory");
		return -ENOMEM;
	}
	l->source.ops = &live_ops;
	err = session_open(&l->c.session, o, calibrate, error);
	if (err)
		return err;
	l->rest = vml_snapshot_new();
	err = l->rest ? stacks_open(&l->c.stacks) : -ENOMEM;
	if (err) {
		snprintf(error, VML_ERROR_MAX, "out of memory");
		return -ENOMEM;
	}
	l->rest->boot_ns = vml_now_boot();
	err = collect_begin(&l->c);
	return err ? caps_explain(err, "map the ring of exited threads", error) : 0;
}

int vml_live_open(const struct vml_live_options *o, struct vml_source **ret, char error[VML_ERROR_MAX])
{
	struct live *l;
	int err = live_start(o, true, &l, error);

	if (err && l)
		live_close(&l->source);
	if (!err)
		*ret = &l->source;
	return err;
}

/* So many sources, one after the other: the host is not equally quiet all the time. */
#define COST_SESSIONS 5

static int compare_cost(const void *a, const void *b)
{
	const struct cost *x = a, *y = b;

	return (x->more.fault_ns > y->more.fault_ns) - (x->more.fault_ns < y->more.fault_ns);
}

int vml_live_cost(const struct vml_live_options *o, bool stats, struct vml_cost *ret, char error[VML_ERROR_MAX])
{
	struct cost cost[COST_SESSIONS];
	size_t n = 0;
	struct session s;
	int err = 0;

	*ret = (struct vml_cost){};
	for (size_t i = 0; i < COST_SESSIONS && !err; i++) {
		err = session_open(&s, o, true, error);
		if (err)
			return err;
		if (s.cost.known)
			cost[n++] = s.cost;
		if (stats && i + 1 == COST_SESSIONS)
			err = cost_stats(&s, ret);
		session_close(&s);
	}
	if (n) {
		const struct cost *c = &cost[n / 2];

		qsort(cost, n, sizeof(*cost), compare_cost); /* c is the median then */
		ret->fault_ns = c->more.fault_ns;
		ret->pair_ns = c->more.pair_ns;
		ret->lock_event_ns = c->event_ns;
		ret->bare_fault_ns = c->without.fault_ns;
		ret->bare_pair_ns = c->without.pair_ns;
	}
	return err ? caps_explain(err, "read what the kernel says of the programs", error) : 0;
}

const char *vml_live_libbpf(void)
{
	return libbpf_version_string() + 1; /* "v1.1" */
}

int vml_live_probe(const struct vml_live_options *o, void (*more)(struct vml_source *s, struct vml_caps *caps),
		   struct vml_caps *caps, char error[VML_ERROR_MAX])
{
	struct live *l;
	bool multi;
	int err = live_start(o, false, &l, error);

	if (!l)
		return err;
	*caps = l->c.session.caps;
	if (!err && more)
		more(&l->source, caps);
	live_close(&l->source);
	caps_from_vmstat(caps);
	if (caps->cap[VML_CAP_FENTRY].state == VML_CAP_UNKNOWN)
		caps_try_fentry(caps, NULL);
	if (caps->cap[VML_CAP_KPROBE].state == VML_CAP_UNKNOWN)
		caps_try_kprobe(caps, &multi);
	return err;
}
