// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Faults that were not seen because the hooks on every fault were away: how many they
 * are is what the tasks counted less what we did, and what became of them is taken from
 * those that were seen of the same process.
 *
 * The estimator, for each process: its faults that were seen are taken in samples of
 * SAMPLE_MIN or more, and a sample divides what was not seen from the sample before on,
 * until SAMPLE_NS after it.  So each time counts as much as was done in it, however long the hooks
 * were there.  Without a sample the faults are held: they are in no count, and none has
 * to be corrected when the sample comes.
 *
 * With the hooks there all the time nothing is added, whatever the tasks count: theirs is another
 * count (snapshot.h, struct vml_duty).  What is added stays, so that no count falls; when
 * more was seen than the tasks counted, the next passes add less.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "collect.h"
#include "vmalock/guard.h"

/*
 * The standard error of a share is then 0.5 / sqrt(128) = 4.4 % of the faults at most, of
 * faults that have nothing to do with each other.  Those of one time attached may; nothing in
 * one sample tells.  But samples follow each other, and their errors cancel as they add up.
 */
#define SAMPLE_MIN 128
/* For what is left in the end, so few are better than those of other processes: 12.5 %. */
#define REST_MIN 16
/* Each period has a time attached: so the next sample, of who faults as it did, is there by then. */
#define SAMPLE_NS (2 * VML_DUTY_PERIOD_NS)

/* How many of each outcome and reason. */
struct mix {
	uint64_t outcome[NOUTCOMES], outcomes; /* and their sum */
	uint64_t reason[VML_NREASONS], reasons; /* but kernel mode, which is an outcome */
};

struct samples {
	struct mix last; /* the sample in use */
	struct mix next; /* seen since then */
};

/* Where the outcomes of what is held come from in this pass. */
enum from { NOWHERE, OWN, PROCESS, HOST, UNKNOWN };
/* What became of the samples of a process in this pass; those of its areas go with them. */
enum turn { KEPT, RENEWED, MERGED };

struct unseen {
	uint64_t outcome[NOUTCOMES], unserved, tasks; /* so far, at the pass before */
	uint32_t reason[VML_NREASONS]; /* the same, modulo 2^32 */
	uint64_t debt; /* seen, but not counted by the task */
	uint64_t held; /* not seen, and not counted yet */
	uint64_t added; /* in this pass */
	uint64_t sampled_ns; /* when samples.last was complete */
	struct samples samples;
	int64_t owed[NOUTCOMES], owed_reason[VML_NREASONS], owed_area[2]; /* vml_apportion() */
	enum from from;
	enum turn turn;
};

struct sample_of_host {
	struct samples samples;
};

struct extrapolation {
	struct tables *t;
	struct duty *duty;
	uint64_t now;
	bool over; /* the hooks are back for good: nothing is held any longer */
	int err;
};

/* ---- what was seen since the pass before */

static void mix_add(struct mix *to, const struct mix *m)
{
	for (size_t k = 0; k < NOUTCOMES; k++)
		to->outcome[k] += m->outcome[k];
	for (size_t r = 0; r < VML_NREASONS; r++)
		to->reason[r] += m->reason[r];
	to->outcomes += m->outcomes;
	to->reasons += m->reasons;
}

static void mix_reasons(struct mix *m, struct unseen *u, const struct item *e)
{
	uint32_t raw[VML_NREASONS] = {}, d;

	for (uint32_t i = 0; i < e->ncells && e->cell[i].index < VML_NCAUSES; i++)
		raw[e->cell[i].index / 2] += e->cell[i].raw;
	for (size_t r = 0; r < VML_NREASONS; r++) {
		d = raw[r] - u->reason[r];
		u->reason[r] = raw[r];
		if (r == VML_KERNEL_MODE)
			continue;
		m->reason[r] = d;
		m->reasons += d;
	}
}

/* Of what the tasks counted, @seen were seen. */
static void hold(struct unseen *u, uint64_t tasks, uint64_t seen)
{
	uint64_t late;

	seen += u->debt;
	u->held += tasks > seen ? tasks - seen : 0;
	u->debt = seen > tasks ? seen - tasks : 0;
	late = u->debt < u->held ? u->debt : u->held;
	u->debt -= late;
	u->held -= late;
}

/* Brings e->unseen up to this pass; @ret: what was seen in it. */
static void look(struct item *e, struct extrapolation *x, struct mix *ret)
{
	struct unseen *u = e->unseen;
	uint64_t tasks, seen;

	*ret = (struct mix){};
	if (!u)
		e->unseen = u = calloc(1, sizeof(*u));
	if (!u) {
		x->err = -ENOMEM;
		return;
	}
	for (size_t k = 0; k < NOUTCOMES; k++) {
		ret->outcome[k] = e->base[k] - u->outcome[k];
		ret->outcomes += ret->outcome[k];
		u->outcome[k] = e->base[k];
	}
	mix_reasons(ret, u, e);
	seen = ret->outcomes + e->base[BASE_UNSERVED] - u->unserved;
	tasks = e->base[BASE_TASK_FAULTS] - u->tasks;
	u->unserved = e->base[BASE_UNSERVED];
	u->tasks = e->base[BASE_TASK_FAULTS];
	u->added = 0;
	u->turn = KEPT;
	mix_add(&u->samples.next, ret);
	if (x->duty->away)
		hold(u, tasks, seen);
	else
		u->debt = 0;
}

static void samples_renew(struct samples *s)
{
	s->last = s->next;
	s->next = (struct mix){};
}

static void samples_merge(struct samples *s)
{
	mix_add(&s->last, &s->next);
	s->next = (struct mix){};
}

static void sample(struct unseen *u, const struct extrapolation *x)
{
	if (u->samples.next.outcomes < SAMPLE_MIN)
		return;
	samples_renew(&u->samples);
	u->sampled_ns = x->now;
	u->turn = RENEWED;
}

static bool has_sample(const struct unseen *u, const struct extrapolation *x)
{
	return u->sampled_ns && x->now - u->sampled_ns <= SAMPLE_NS;
}

/* ---- where the outcomes come from */

static const struct mix *of_host(const struct extrapolation *x)
{
	const struct samples *s = &x->t->host->samples;

	return s->last.outcomes ? &s->last : &s->next;
}

/* Of what will have no sample any more; @process: what a thread is of. */
static enum from rest_of(struct unseen *u, const struct item *process, const struct extrapolation *x)
{
	samples_merge(&u->samples);
	u->turn = MERGED;
	if (u->samples.last.outcomes >= REST_MIN)
		return OWN;
	if (process && process->unseen->samples.last.outcomes >= REST_MIN)
		return PROCESS;
	return of_host(x)->outcomes ? HOST : UNKNOWN;
}

static void look_at_process(struct item *e, void *arg)
{
	struct extrapolation *x = arg;
	struct unseen *u;
	struct mix m;

	if (x->err)
		return;
	look(e, x, &m);
	if (x->err)
		return;
	mix_add(&x->t->host->samples.next, &m);
	u = e->unseen;
	sample(u, x);
	if (x->duty->step == VML_DUTY_OFF)
		u->from = UNKNOWN;
	else
		u->from = has_sample(u, x) ? OWN : NOWHERE;
}

/* Of @e, of @process, NULL when that has no row. */
static enum from from_of_thread(struct item *e, const struct item *process, const struct extrapolation *x)
{
	struct unseen *u = e->unseen;

	if (!u->held)
		return NOWHERE;
	if (x->duty->step == VML_DUTY_OFF)
		return UNKNOWN;
	if (has_sample(u, x))
		return OWN;
	if (process && process->unseen->from == OWN)
		return PROCESS;
	if (process && process->unseen->from == NOWHERE && !e->gone && !x->over)
		return NOWHERE;
	return rest_of(u, process, x);
}

/* ---- adding what was not seen */

static int add_reasons(struct item *e, uint64_t slow, const struct mix *own, const struct extrapolation *x)
{
	const struct mix *m = own->reasons ? own : of_host(x);
	uint64_t part[VML_NREASONS] = {};
	int err = 0;

	if (m->reasons)
		vml_apportion(slow, m->reason, VML_NREASONS, e->unseen->owed_reason, part);
	else
		part[VML_RACED] = slow;
	for (size_t r = 0; r < VML_NREASONS && !err; r++)
		err = item_add_cell(e, CELL_REASON(VML_CAUSE(r, 0)), part[r]);
	return err;
}

static int add(struct item *e, uint64_t n, const struct mix *m, const struct extrapolation *x)
{
	uint64_t part[NOUTCOMES], slow;
	int err;

	if (!n)
		return 0;
	if (item_remember(e))
		return -ENOMEM;
	e->changed = x->t->pass;
	e->unseen->added = n;
	vml_apportion(n, m->outcome, NOUTCOMES, e->unseen->owed, part);
	for (size_t k = 0; k < NOUTCOMES; k++)
		e->base[BASE_UNSEEN + k] += part[k];
	slow = part[BASE_FALLBACKS] + part[BASE_ABORTS] + part[BASE_RETRIES];
	err = slow ? add_reasons(e, slow, m, x) : 0;
	return err ? err : item_add_cell(e, CELL_REASON(VML_CAUSE(VML_KERNEL_MODE, 0)), part[BASE_BYPASSES]);
}

static int add_held(struct item *e, enum from from, const struct item *process, const struct extrapolation *x)
{
	uint64_t n = e->unseen->held;
	const struct mix *m;

	if (from == NOWHERE || !n)
		return 0;
	if (item_remember(e))
		return -ENOMEM;
	e->unseen->held = 0;
	switch (from) {
	case OWN:
		m = &e->unseen->samples.last;
		break;
	case PROCESS:
		m = &process->unseen->samples.last;
		break;
	case HOST:
		m = of_host(x);
		e->base[BASE_BORROWED] += n;
		break;
	default:
		e->base[BASE_UNKNOWN] += n;
		e->changed = x->t->pass;
		return 0;
	}
	return add(e, n, m, x);
}

static void add_to_process(struct item *e, void *arg)
{
	struct extrapolation *x = arg;
	struct unseen *u = e->unseen;

	if (x->err)
		return;
	if (u->held && u->from == NOWHERE && (e->gone || x->over))
		u->from = rest_of(u, NULL, x);
	x->err = add_held(e, u->from, NULL, x);
	x->t->held += u->held;
}

static void add_to_thread(struct item *e, void *arg)
{
	struct extrapolation *x = arg;
	const struct item *process;
	struct mix m;

	if (x->err)
		return;
	look(e, x, &m);
	if (x->err)
		return;
	sample(e->unseen, x);
	process = item_process(x->t, e);
	x->err = add_held(e, from_of_thread(e, process, x), process, x);
}

/* Areas have no count of their own: of what is added to their process, each has its share of the same sample. */
static void add_to_area(struct item *e, void *arg)
{
	struct extrapolation *x = arg;
	uint64_t share[2], part[2];
	const struct item *process;
	const struct unseen *p;
	struct unseen *u;
	struct mix m;

	if (x->err)
		return;
	look(e, x, &m);
	process = x->err ? NULL : item_process(x->t, e);
	if (!process)
		return;
	p = process->unseen;
	u = e->unseen;
	if (p->turn == RENEWED)
		samples_renew(&u->samples);
	else if (p->turn == MERGED)
		samples_merge(&u->samples);
	if (p->from != OWN || !p->added || !u->samples.last.outcomes)
		return;
	share[0] = u->samples.last.outcomes;
	if (share[0] > p->samples.last.outcomes)
		share[0] = p->samples.last.outcomes; /* it was read later */
	share[1] = p->samples.last.outcomes - share[0];
	vml_apportion(p->added, share, 2, u->owed_area, part);
	x->err = add(e, part[0], &u->samples.last, x);
}

int unseen_add(struct tables *t, struct duty *d, uint64_t now)
{
	struct extrapolation x = { .t = t, .duty = d, .now = now };

	if (!d->possible)
		return 0;
	if (!t->host)
		t->host = calloc(1, sizeof(*t->host));
	if (!t->host)
		return -ENOMEM;
	x.over = d->step == VML_DUTY_FULL && d->attached;
	t->held = 0;
	table_walk(&t->processes, look_at_process, &x);
	if (t->host->samples.next.outcomes >= SAMPLE_MIN)
		samples_renew(&t->host->samples);
	table_walk(&t->processes, add_to_process, &x);
	table_walk(&t->threads, add_to_thread, &x);
	table_walk(&t->vmas, add_to_area, &x);
	d->away = !x.over;
	return x.err;
}
