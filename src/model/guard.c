// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "vmalock/base.h"
#include "vmalock/guard.h"
#include "vmalock/snapshot.h"

#define MINUTE_NS 60000000000ULL

static const char *const names[VML_NDUTY_STEPS] = { "1", "1/2", "1/4", "1/8", "1/16", "off" };

const char *vml_duty_name(unsigned int step)
{
	return step < VML_NDUTY_STEPS ? names[step] : NULL;
}

double vml_duty_share(unsigned int step)
{
	return step < VML_DUTY_OFF ? 1.0 / (1 << step) : 0;
}

static uint64_t change(uint64_t prev, uint64_t cur)
{
	return cur > prev ? cur - prev : 0;
}

void vml_guard_input(const struct vml_snapshot *prev, const struct vml_snapshot *cur, struct vml_guard_input *ret)
{
	const struct vml_self *before = &prev->self, *now = &cur->self;
	uint64_t all = change(before->bpf_cost_ns, now->bpf_cost_ns);

	*ret = (struct vml_guard_input){
		.interval_ns = change(prev->boot_ns, cur->boot_ns),
		.cpus = cur->host.cpus,
		.hot_ns = change(before->bpf_hot_ns, now->bpf_hot_ns),
		.cpu_ns = change(before->cpu_ns, now->cpu_ns),
		.full_ns = change(before->bpf_full_ns, now->bpf_full_ns),
		.known = before->bpf_cost_known && now->bpf_cost_known,
	};
	ret->other_ns = change(ret->hot_ns, all);
}

void vml_guard_init(struct vml_guard *g, double budget)
{
	*g = (struct vml_guard){ .budget = budget, .patience_ns = VML_GUARD_UP_NS };
}

/* ---- means */

/* Adds up the newest slots: all that began within @ns, one at least. */
static void sum(const struct vml_guard *g, uint64_t ns, struct vml_guard_interval *ret)
{
	uint32_t i;

	*ret = (struct vml_guard_interval){ 0 };
	for (i = g->nring; i > 0 && (!ret->time_ns || ret->time_ns + g->ring[i - 1].time_ns <= ns); i--) {
		const struct vml_guard_interval *x = &g->ring[i - 1];

		ret->time_ns += x->time_ns;
		ret->room_ns += x->room_ns;
		ret->spent_ns += x->spent_ns;
		ret->fixed_ns += x->fixed_ns;
		ret->full_ns += x->full_ns;
	}
}

static double of_room(double ns, const struct vml_guard_interval *s)
{
	return s->room_ns ? ns / (double)s->room_ns : 0;
}

/* What @step would have cost. */
static double expected(const struct vml_guard_interval *s, unsigned int step)
{
	return of_room((double)s->fixed_ns + (double)s->full_ns * vml_duty_share(step), s);
}

static void ring_add(struct vml_guard *g, const struct vml_guard_input *in)
{
	struct vml_guard_interval *x = g->nring ? &g->ring[g->nring - 1] : NULL;

	/* what comes after a change is not added to what was before */
	if (!x || x->time_ns >= VML_GUARD_SLOT_NS || !g->changed_ns) {
		if (g->nring == VML_GUARD_RING)
			memmove(&g->ring[0], &g->ring[1], sizeof(g->ring[0]) * --g->nring);
		x = &g->ring[g->nring++];
		*x = (struct vml_guard_interval){ 0 };
	}
	x->time_ns += in->interval_ns;
	x->room_ns += in->interval_ns * in->cpus;
	x->spent_ns += in->hot_ns + in->other_ns + in->cpu_ns;
	x->fixed_ns += in->other_ns + in->cpu_ns;
	x->full_ns += in->full_ns;
}

/* ---- steps */

__attribute__((format(printf, 3, 4))) static bool go(struct vml_guard *g, unsigned int step, const char *fmt, ...)
{
	va_list ap;
	int len;

	len = snprintf(g->why, sizeof(g->why),
		       "the hooks on every fault go from duty %s to %s: ", vml_duty_name(g->step), vml_duty_name(step));
	va_start(ap, fmt);
	vsnprintf(g->why + len, sizeof(g->why) - (size_t)len, fmt, ap);
	va_end(ap);
	g->step = step;
	g->changes++;
	g->changed_ns = 0;
	g->calm_ns = 0;
	return true;
}

static bool down(struct vml_guard *g, const struct vml_guard_interval *mean)
{
	double spent = of_room((double)mean->spent_ns, mean);
	unsigned int step = g->step + 1;

	while (step < VML_DUTY_OFF && expected(mean, step) > g->budget)
		step++;
	if (g->raised_ns)
		g->patience_ns = g->patience_ns < VML_GUARD_UP_MAX_NS / 2 ? g->patience_ns * 2 : VML_GUARD_UP_MAX_NS;
	g->raised_ns = 0;
	return go(g, step, "%.2f %% of the CPU time is over the budget of %.2f %%", 100 * spent, 100 * g->budget);
}

static bool up(struct vml_guard *g, const struct vml_guard_interval *mean)
{
	double cost = expected(mean, g->step - 1);

	g->raised_ns = 1;
	return go(g, g->step - 1, "it is expected to take %.2f %% of the CPU time, of a budget of %.2f %%", 100 * cost,
		  100 * g->budget);
}

static void remember(struct vml_guard *g, uint64_t ns)
{
	g->changed_ns += ns;
	if (!g->raised_ns)
		return;
	g->raised_ns += ns;
	if (g->raised_ns < VML_GUARD_REGRET_NS)
		return;
	g->raised_ns = 0;
	g->patience_ns = g->patience_ns / 2 > VML_GUARD_UP_NS ? g->patience_ns / 2 : VML_GUARD_UP_NS;
}

bool vml_guard_update(struct vml_guard *g, const struct vml_guard_input *in)
{
	struct vml_guard_interval mean;

	if (!in->known || !in->interval_ns || !in->cpus)
		return false;
	ring_add(g, in);
	sum(g, MINUTE_NS, &mean);
	g->ratio = of_room((double)mean.spent_ns, &mean);
	g->ratio_known = true;
	if (!(g->budget > 0))
		return false;
	remember(g, in->interval_ns);
	if (g->changed_ns < VML_GUARD_DOWN_NS)
		return false; /* the mean would be of the step before */
	sum(g, VML_GUARD_DOWN_NS, &mean);
	g->beyond = g->step == VML_DUTY_OFF && of_room((double)mean.spent_ns, &mean) > g->budget;
	if (g->step != VML_DUTY_OFF && of_room((double)mean.spent_ns, &mean) > g->budget)
		return down(g, &mean);
	if (g->step == VML_DUTY_FULL)
		return false;
	if (expected(&mean, g->step - 1) > VML_GUARD_UP_SHARE * g->budget) {
		g->calm_ns = 0;
		return false;
	}
	g->calm_ns += in->interval_ns;
	return g->calm_ns >= g->patience_ns ? up(g, &mean) : false;
}
