// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Samples, what is measured of them, and what is said of a change. */
#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vmalock/base.h"
#include "vmalock/caps.h"
#include "vmalock/compare.h"
#include "vmalock/snapshot.h"
#include "model.h"

_Static_assert(VML_NMETRICS <= VML_ARRAY_SIZE(((struct vml_beat *)0)->total), "a beat has room for all totals");

/* What each measure divides by the faults. */
static const struct {
	struct vml_measure_info info;
	enum vml_metric metric;
} measures[VML_NMEASURES] = {
	[VML_FALLBACKS_PER_FAULT] = { { "fallbacks_per_fault", "fallbacks per fault", false,
					"Share of page faults that took mmap_lock." },
				      VML_FALLBACKS },
	[VML_WAIT_PER_FAULT] = { { "wait_ns_per_fault", "wait per fault", true,
				   "Time that threads waited for mmap_lock, for each page fault." },
				 VML_WAIT_NS },
	[VML_READ_HOLD_PER_FAULT] = { { "mmap_read_hold_ns_per_fault", "read hold per fault", true,
					"Time that mmap_lock was held for read, for each page fault." },
				      VML_MMAP_READ_HOLD_NS },
	[VML_WRITE_HOLD_PER_FAULT] = { { "mmap_write_hold_ns_per_fault", "write hold per fault", true,
					 "Time that mmap_lock was held for write, for each page fault." },
				       VML_MMAP_WRITE_HOLD_NS },
	[VML_VMA_WRITE_WAIT_PER_FAULT] = { { "vma_write_wait_ns_per_fault", "VMA write wait per fault", true,
					     "Time that write-locking areas waited for their readers, for each fault." },
					   VML_VMA_WRITE_WAIT_NS },
};

enum vml_metric model_measure_metric(enum vml_measure m)
{
	return measures[m].metric;
}

const struct vml_measure_info *vml_measure_info(enum vml_measure m)
{
	return &measures[m].info;
}

const char *vml_verdict_name(enum vml_verdict v)
{
	static const char *const names[] = {
		[VML_NO_CHANGE] = "no change",		 [VML_REGRESSION] = "regression",
		[VML_IMPROVEMENT] = "improvement",	 [VML_INCONCLUSIVE] = "inconclusive",
		[VML_NOT_COMPARABLE] = "not comparable",
	};

	return names[v];
}

/* ---- samples */

static void take_host(struct vml_sample *s, const struct vml_snapshot *d)
{
	s->cpus = d->host.cpus;
	s->page_size = d->host.page_size;
	vml_text_printf(s->machine, sizeof(s->machine), "%s", d->host.machine ? d->host.machine : "");
	snprintf(s->backend, sizeof(s->backend), "%s", d->caps ? d->caps->backend : "");
	snprintf(s->detail, sizeof(s->detail), "%s", d->caps ? d->caps->detail : "");
}

static bool same_host(const struct vml_sample *s, const struct vml_snapshot *d)
{
	return s->cpus == d->host.cpus && s->page_size == d->host.page_size &&
	       !strcmp(s->machine, d->host.machine ? d->host.machine : "") &&
	       !strcmp(s->backend, d->caps ? d->caps->backend : "") &&
	       !strcmp(s->detail, d->caps ? d->caps->detail : "");
}

int vml_sample_add(struct vml_sample *s, const struct vml_snapshot *d)
{
	struct vml_beat *beat;
	size_t i;

	if (!d->interval_ns)
		return -EINVAL;
	if (s->n == s->room) {
		size_t room = s->room ? 2 * s->room : 64;

		beat = reallocarray(s->beat, room, sizeof(*beat));
		if (!beat)
			return -ENOMEM;
		s->beat = beat;
		s->room = room;
	}
	if (!s->n) {
		take_host(s, d);
		s->have = d->have[VML_PROCESS];
	}
	s->have &= d->have[VML_PROCESS];
	s->mixed |= !same_host(s, d);
	s->inexact |= !vml_snapshot_exact(d);
	s->interval_ns += d->interval_ns;
	s->lost += vml_snapshot_lost(d);
	beat = &s->beat[s->n++];
	beat->interval_ns = d->interval_ns;
	for (i = 0; i < VML_NMETRICS; i++)
		beat->total[i] = (double)d->total[i];
	return 0;
}

void vml_sample_free(struct vml_sample *s)
{
	free(s->beat);
	*s = (struct vml_sample){ 0 };
}

static double sum_of(const struct vml_sample *s, enum vml_metric m)
{
	double sum = 0;
	size_t i;

	for (i = 0; i < s->n; i++)
		sum += s->beat[i].total[m];
	return sum;
}

/* ---- blocks */

struct blocks {
	double faults[VML_COMPARE_BLOCKS];
	double amount[VML_COMPARE_BLOCKS];
	size_t n;
};

/*
 * Consecutive intervals, as many to each block as the others have, within one.  Blocks
 * without a fault say nothing of a share; what was waited in them goes to the next.
 */
static void cut(const struct vml_sample *s, enum vml_metric m, struct blocks *b)
{
	size_t want = s->n < VML_COMPARE_BLOCKS ? s->n : VML_COMPARE_BLOCKS, i, end;

	*b = (struct blocks){ 0 };
	for (i = 0, end = 1; i < s->n && b->n < VML_COMPARE_BLOCKS; i++) {
		b->faults[b->n] += s->beat[i].total[VML_FAULTS];
		b->amount[b->n] += s->beat[i].total[m];
		if ((i + 1) * want < end * s->n)
			continue;
		end++;
		b->n += b->faults[b->n] > 0;
	}
	if (b->n && b->n < VML_COMPARE_BLOCKS)
		b->amount[b->n - 1] += b->amount[b->n];
}

/* ---- one measure */

static enum vml_verdict judge(const struct vml_measured *m)
{
	static const double up = VML_COMPARE_MARGIN, down = -VML_COMPARE_MARGIN / (1 + VML_COMPARE_MARGIN);
	static const double blind_up = VML_COMPARE_BLIND, blind_down = -VML_COMPARE_BLIND / (1 + VML_COMPARE_BLIND);

	bool ranks = m->rank_p < 1 - VML_COMPARE_CONFIDENCE;

	if (!m->weighty)
		return VML_NO_CHANGE;
	if (m->change.low > up && ranks)
		return VML_REGRESSION;
	if (m->change.high < down && ranks)
		return VML_IMPROVEMENT;
	if (m->change.by > up || m->change.by < down || m->change.high > blind_up || m->change.low < blind_down)
		return VML_INCONCLUSIVE;
	return VML_NO_CHANGE;
}

/* By the ratio of each block. */
static double rank_p(const struct blocks *a, const struct blocks *b)
{
	double ratio[2][VML_COMPARE_BLOCKS];
	size_t i;

	for (i = 0; i < a->n; i++)
		ratio[0][i] = a->amount[i] / a->faults[i];
	for (i = 0; i < b->n; i++)
		ratio[1][i] = b->amount[i] / b->faults[i];
	return vml_rank_p(ratio[0], a->n, ratio[1], b->n);
}

static bool weighs(enum vml_measure k, double ratio, double per_second)
{
	return measures[k].info.time ? per_second >= VML_COMPARE_LEAST_TIME : ratio >= VML_COMPARE_LEAST_SHARE;
}

static void measure(enum vml_measure k, const struct vml_sample *a, const struct vml_sample *b, struct vml_measured *m)
{
	double unit = measures[k].info.time ? 0 : 1, scale = measures[k].info.time ? 1 : 1e9;
	struct vml_estimate ea, eb;
	struct blocks ba, bb;
	enum vml_metric metric = measures[k].metric;

	if (!(a->have & b->have & VML_METRIC_BIT(metric)))
		return;
	m->known = true;
	m->a_second = sum_of(a, metric) * scale / (double)a->interval_ns;
	m->b_second = sum_of(b, metric) * scale / (double)b->interval_ns;
	m->a = sum_of(a, metric) / sum_of(a, VML_FAULTS);
	m->b = sum_of(b, metric) / sum_of(b, VML_FAULTS);
	cut(a, metric, &ba);
	cut(b, metric, &bb);
	ea = vml_log_ratio(ba.amount, ba.faults, ba.n, unit);
	eb = vml_log_ratio(bb.amount, bb.faults, bb.n, unit);
	m->change = vml_log_change(&ea, &eb, VML_COMPARE_CONFIDENCE);
	m->rank_p = rank_p(&ba, &bb);
	m->weighty = weighs(k, m->a, m->a_second) || weighs(k, m->b, m->b_second);
	m->verdict = judge(m);
}

/* ---- what cannot be compared */

__attribute__((format(printf, 2, 3))) static void why_not(struct vml_comparison *c, const char *format, ...)
{
	va_list ap;

	if (c->nwhy == VML_COMPARE_WHY)
		return;
	va_start(ap, format);
	vml_text_vprintf(c->why_not[c->nwhy++], sizeof(c->why_not[0]), format, ap);
	va_end(ap);
}

static void check_sample(struct vml_comparison *c, const char *name, const struct vml_sample *s, size_t blocks)
{
	double faults = sum_of(s, VML_FAULTS);

	if (!s->n) {
		why_not(c, "%s has no intervals", name);
		return;
	}
	if (s->mixed)
		why_not(c, "%s was made on several hosts, or with several backends", name);
	if (!(s->have & VML_METRIC_BIT(VML_FAULTS))) {
		why_not(c, "%s does not know the page faults", name);
		return;
	}
	if (blocks < VML_COMPARE_MIN_BLOCKS)
		why_not(c, "%s has %zu intervals with page faults, and %d are needed", name, blocks,
			VML_COMPARE_MIN_BLOCKS);
	if (faults < VML_COMPARE_MIN_FAULTS)
		why_not(c, "%s has %.0f page faults, and %.0f are needed", name, faults, VML_COMPARE_MIN_FAULTS);
	if ((double)s->lost > VML_COMPARE_MAX_LOSS * faults)
		why_not(c, "%s lost %llu events, more than %.0f %% of its page faults", name,
			(unsigned long long)s->lost, 100 * VML_COMPARE_MAX_LOSS);
}

static void check_pair(struct vml_comparison *c, const struct vml_sample *a, const struct vml_sample *b)
{
	if (strcmp(a->machine, b->machine))
		why_not(c, "A was made on %s, B on %s", a->machine, b->machine);
	if (a->cpus != b->cpus)
		why_not(c, "A was made with %u CPUs, B with %u", a->cpus, b->cpus);
	if (a->page_size != b->page_size)
		why_not(c, "A has pages of %u bytes, B of %u", a->page_size, b->page_size);
	if (strcmp(a->backend, b->backend) || strcmp(a->detail, b->detail))
		why_not(c, "A was made by the %s backend in %s detail, B by %s in %s", a->backend, a->detail,
			b->backend, b->detail);
}

/* ---- the comparison */

static enum vml_verdict overall(const struct vml_comparison *c)
{
	/* the first of these that any measure has */
	static const enum vml_verdict order[] = { VML_REGRESSION, VML_IMPROVEMENT, VML_INCONCLUSIVE };
	size_t i, k;

	for (i = 0; i < VML_ARRAY_SIZE(order); i++)
		for (k = 0; k < VML_NMEASURES; k++)
			if (c->measure[k].known && c->measure[k].verdict == order[i])
				return order[i];
	return VML_NO_CHANGE;
}

void vml_compare(const struct vml_sample *a, const struct vml_sample *b, struct vml_comparison *ret)
{
	struct blocks blocks;
	int k;

	*ret = (struct vml_comparison){ .a_seconds = (double)a->interval_ns / 1e9,
					.b_seconds = (double)b->interval_ns / 1e9 };
	cut(a, VML_FAULTS, &blocks);
	ret->a_blocks = blocks.n;
	check_sample(ret, "A", a, blocks.n);
	cut(b, VML_FAULTS, &blocks);
	ret->b_blocks = blocks.n;
	check_sample(ret, "B", b, blocks.n);
	if (a->n && b->n)
		check_pair(ret, a, b);
	if (ret->a_seconds > 0)
		ret->a_faults_second = sum_of(a, VML_FAULTS) / ret->a_seconds;
	if (ret->b_seconds > 0)
		ret->b_faults_second = sum_of(b, VML_FAULTS) / ret->b_seconds;
	if (ret->a_blocks >= 2 && ret->b_blocks >= 2)
		for (k = 0; k < VML_NMEASURES; k++)
			measure((enum vml_measure)k, a, b, &ret->measure[k]);
	ret->verdict = ret->nwhy ? VML_NOT_COMPARABLE : overall(ret);
	for (k = 0; k < VML_NMEASURES && ret->nwhy; k++)
		ret->measure[k].verdict = VML_NOT_COMPARABLE;
}
