// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Judges a delta by the table of rules. */
#include "diagnose.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vmalock/base.h"
#include "vmalock/compare.h"

#define TEXT_MAX 1024

static const char *const level_names[] = { "none", "low", "medium", "high" };

struct judge {
	struct vml_snapshot *delta;
	struct vml_diagnosis *diagnosis;
	const struct rule *rule; /* that is tried */
	bool *taken; /* rows of blockers that are explained */
	size_t room;
	bool measured; /* by some process: all that must hold is known */
	const char *needs; /* what was missing elsewhere; NULL */
	uint64_t lost;
	bool lossy;
	int error;
};

const char *vml_level_name(enum vml_level level)
{
	return level_names[level];
}

enum vml_level vml_level_parse(const char *name)
{
	enum vml_level l;

	for (l = VML_LOW; l <= VML_HIGH; l++)
		if (!strcmp(name, level_names[l]))
			return l;
	return VML_LEVEL_NONE;
}

static double per_second(const struct judge *j, double v)
{
	return v * 1e9 / (double)j->delta->interval_ns;
}

/* ---- findings */

static void add_line(struct judge *j, struct vml_lines *l, const char *text)
{
	const char *copy = vml_arena_strdup(j->delta->arena, text);

	if (!copy)
		j->error = -ENOMEM;
	else if (l->n < VML_FINDING_LINES)
		l->line[l->n++] = copy;
}

static struct vml_finding *add_finding(struct judge *j)
{
	struct vml_diagnosis *d = j->diagnosis;
	size_t room = j->room ? 2 * j->room : 16;
	struct vml_finding *more;

	if (d->n == j->room) {
		more = vml_arena_alloc(j->delta->arena, room * sizeof(*more));
		if (!more) {
			j->error = -ENOMEM;
			return NULL;
		}
		if (d->n)
			memcpy(more, d->finding, d->n * sizeof(*more));
		d->finding = more;
		j->room = room;
	}
	d->finding[d->n] = (struct vml_finding){ 0 };
	return &d->finding[d->n++];
}

static void say_culprit(struct judge *j, struct vml_finding *f, const struct vml_row *r)
{
	char text[TEXT_MAX], held[32], blamed[32];
	bool own = !f->process || r->id.pid == f->process->id.pid;

	vml_fmt_ns(held, sizeof(held), (double)r->value[VML_HOLD_NS]);
	vml_fmt_ns(blamed, sizeof(blamed), (double)r->value[VML_BLAMED_NS]);
	vml_text_printf(text, sizeof(text), "%s (%u%s%s%s) in %s, %s: %llu %s, %s in all, charged with %s", r->comm,
			r->id.tid ? r->id.tid : r->id.pid, own ? "" : ", another process",
			own || !*r->cgroup ? "" : " of ", own ? "" : r->cgroup, r->context, r->lock,
			(unsigned long long)r->value[VML_HOLDS], r->value[VML_HOLDS] == 1 ? "hold" : "holds", held,
			blamed);
	add_line(j, &f->evidence, text);
}

static void say_area(struct judge *j, struct vml_finding *f, const struct facts *facts)
{
	const struct vml_area *a = &facts->area->area;
	char text[TEXT_MAX];

	if (a->end)
		vml_text_printf(text, sizeof(text), "most of them in %s 0x%llx-0x%llx", *a->name ? a->name : a->kind,
				(unsigned long long)a->start, (unsigned long long)a->end);
	else
		snprintf(text, sizeof(text), "most of them where no area is");
	add_line(j, &f->evidence, text);
	f->area = facts->area;
}

static void say_change(struct judge *j, struct vml_finding *f, const struct facts *facts)
{
	char text[TEXT_MAX], part[32], all[32];
	double whole = (double)(f->process ? f->process->value[VML_BLAMED_NS] + f->process->value[VML_UNATTRIBUTED_NS]
					   : j->delta->total[VML_WAIT_NS]);

	if (f->blocked_ns) {
		vml_fmt_ns(part, sizeof(part), per_second(j, (double)f->blocked_ns));
		vml_fmt_ns(all, sizeof(all), per_second(j, whole));
		snprintf(text, sizeof(text), "%s: up to %s of the %s a second that is waited for this lock",
			 facts->rule->change, part, all);
	} else if (facts->rule->class == RULE_FAULTS) {
		snprintf(text, sizeof(text), "%s: up to %.0f of %.0f fallbacks a second", facts->rule->change,
			 per_second(j, (double)facts->reason_count),
			 per_second(j, (double)f->process->value[VML_FALLBACKS]));
	} else {
		snprintf(text, sizeof(text), "%s", facts->rule->change);
	}
	f->change = vml_arena_strdup(j->delta->arena, text);
	if (!f->change)
		j->error = -ENOMEM;
}

/* ---- one rule, one process */

/* All that must hold does; what is not known, where the rest holds, is what the rule needs. */
static bool must_hold(struct judge *j, const struct facts *f)
{
	const struct condition *c;
	const char *needs = NULL;
	bool holds = true;

	for (c = f->rule->condition; c->role; c++) {
		double v = c->role == MUST ? measure_value(f, c->measure) : 0;

		if (c->role != MUST)
			continue;
		if (isnan(v))
			needs = needs ? needs : measure_needs(c->measure);
		else
			holds &= c->below ? v < c->limit : v >= c->limit;
	}
	if (!needs)
		j->measured = true;
	else if (holds)
		j->needs = needs;
	return holds && !needs;
}

/* A later condition asks more of the same: it is said there, when that holds, too. */
static bool said_later(const struct condition *c, double v)
{
	const struct condition *more;

	for (more = c + 1; more->role; more++)
		if (more->measure == c->measure && more->role == SUPPORT && v >= more->limit)
			return true;
	return false;
}

/* Sorts what is known into evidence and its contrary, and says how sure that makes it. */
static enum vml_level weigh(struct judge *j, const struct facts *f, struct vml_finding *finding)
{
	enum vml_level level = VML_HIGH;
	const struct condition *c;
	bool against = false;
	char text[TEXT_MAX];

	for (c = f->rule->condition; c->role; c++) {
		double v = measure_value(f, c->measure);
		bool holds = c->below ? v < c->limit : v >= c->limit;

		if (isnan(v)) {
			if (c->role == SUPPORT) {
				add_line(j, &finding->unknown, condition_text(c, text, sizeof(text)));
				level = VML_MEDIUM;
			}
			continue;
		}
		measure_text(c->measure, v, c, text, sizeof(text));
		if (c->role == AGAINST) {
			against |= holds;
			if (holds)
				add_line(j, &finding->against, text);
		} else if (holds) {
			if (!said_later(c, v))
				add_line(j, &finding->evidence, text);
		} else {
			add_line(j, &finding->against, text);
			level = VML_MEDIUM;
		}
	}
	return against ? VML_MEDIUM : level;
}

static enum vml_level bound(struct judge *j, const struct facts *f, struct vml_finding *finding, enum vml_level level)
{
	bool faults = f->rule->class == RULE_FAULTS;
	bool light = measure_value(f, faults ? M_AREA_WAIT : M_COST) < VML_DIAGNOSE_WEIGHT * 1e9;
	char text[TEXT_MAX];

	/* many that wait little, or few that wait long */
	if (faults && measure_value(f, M_REASON) >= VML_DIAGNOSE_WEIGHT_FAULTS)
		light = false;
	if (f->rule->class != RULE_OTHER && light) {
		if (faults)
			snprintf(text, sizeof(text),
				 "of little weight: under %.0f %% of the faults, and under %.0f ms waited a second",
				 100 * VML_DIAGNOSE_WEIGHT_FAULTS, 1000 * VML_DIAGNOSE_WEIGHT);
		else
			snprintf(text, sizeof(text), "of little weight: under %.0f ms blocked a second",
				 1000 * VML_DIAGNOSE_WEIGHT);
		add_line(j, &finding->against, text);
		level = VML_LOW;
	}
	if (j->lossy && f->rule->class != RULE_OTHER) {
		snprintf(text, sizeof(text), "%llu events were lost", (unsigned long long)j->lost);
		add_line(j, &finding->against, text);
		level = level > VML_LOW ? level - 1 : level;
	}
	if (f->rule->most && level > f->rule->most)
		level = f->rule->most;
	return level < VML_LOW ? VML_LOW : level;
}

static void found(struct judge *j, struct facts *f)
{
	struct vml_finding *x = add_finding(j);
	size_t i;

	if (!x)
		return;
	x->name = f->rule->name;
	x->title = f->rule->title;
	x->todo = f->rule->todo;
	x->negative = f->rule->negative;
	x->process = f->process;
	x->culprits = f->culprits;
	x->stack = f->stack;
	x->blocked_ns = f->rule->negative ? 0 : f->sum.value[VML_BLAMED_NS];
	for (i = 0; i < VML_FINDING_ROWS && f->row[i]; i++)
		x->row[x->nrows++] = f->row[i];
	if (x->nrows)
		say_culprit(j, x, x->row[0]);
	x->level = bound(j, f, x, weigh(j, f, x));
	if (f->area)
		say_area(j, x, f);
	say_change(j, x, f);
}

/* ---- rules by their class */

static uint64_t count_reasons(const struct rule *rule, const struct vml_tally *t)
{
	uint64_t n = 0;
	uint32_t i;

	for (i = 0; i < t->n; i++)
		if (t->cell[i].index / 2 < 32 && rule->reasons & (1U << t->cell[i].index / 2))
			n += t->cell[i].count;
	return n;
}

/* The first VMA of the process, or what comes where it would be. */
static size_t first_area(const struct vml_rows *areas, const struct vml_row *process)
{
	size_t low = 0, high = areas->n, mid;

	while (low < high) {
		mid = low + (high - low) / 2;
		if (vml_id_compare(&areas->row[mid].id, &process->id) < 0)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

static void gather_reasons(struct facts *f)
{
	const struct vml_rows *areas = &f->delta->rows[VML_VMA];
	const struct vml_id *id = &f->process->id;
	size_t i;

	f->reason_count = count_reasons(f->rule, &f->process->reasons);
	if (!f->reason_count)
		return;
	for (i = first_area(areas, f->process); i < areas->n; i++) {
		const struct vml_row *r = &areas->row[i];
		uint64_t n = count_reasons(f->rule, &r->reasons);

		if (r->id.pid != id->pid || r->id.start_ns != id->start_ns || r->id.exec != id->exec)
			break;
		if (n > f->area_count) {
			f->area_count = n;
			f->area = r;
		}
	}
}

static void take(struct judge *j, const struct facts *f)
{
	const struct vml_rows *rows = &j->delta->rows[VML_BLOCKER];
	size_t i;

	for (i = 0; i < rows->n; i++)
		if (culprit_matches(j->delta, f->rule, f->process, &rows->row[i]))
			j->taken[i] = true;
}

static bool explained(const struct judge *j, const struct vml_row *process)
{
	const struct vml_diagnosis *d = j->diagnosis;
	size_t i;

	for (i = 0; j->rule->unless && i < d->n; i++)
		if (d->finding[i].process == process && !strcmp(d->finding[i].name, j->rule->unless))
			return true;
	return false;
}

static void try_rule(struct judge *j, const struct vml_row *process)
{
	const struct rule *r = j->rule;
	struct facts f = { .delta = j->delta, .rule = r, .process = process };

	if (r->class == RULE_WHAT || r->class == RULE_STATE) {
		facts_gather(&f, r->class == RULE_WHAT ? j->taken : NULL);
		if (!f.culprits)
			return;
	} else if (r->class == RULE_FAULTS) {
		gather_reasons(&f);
		if (j->delta->have_reasons && !f.reason_count)
			return;
	}
	if (!must_hold(j, &f) || explained(j, process))
		return;
	if (r->class == RULE_WHAT)
		take(j, &f);
	found(j, &f);
}

/* Somebody waits for its lock at all; of the others no row of blockers needs to be looked at. */
static bool waited_for(const struct judge *j, const struct vml_row *p)
{
	return per_second(j, (double)p->value[VML_BLAMED_NS]) >= VML_DIAGNOSE_LEAST * 1e9;
}

static void add_unjudged(struct judge *j)
{
	struct vml_diagnosis *d = j->diagnosis;

	if (!j->needs || j->measured)
		return;
	d->unjudged[d->nunjudged++] = (struct vml_unjudged){ j->rule->name, j->needs };
}

static void try_everywhere(struct judge *j)
{
	const struct vml_rows *rows = &j->delta->rows[VML_PROCESS];
	bool holders = j->rule->class == RULE_WHAT || j->rule->class == RULE_STATE;
	size_t i;

	j->measured = false;
	j->needs = NULL;
	if (j->rule->negative)
		try_rule(j, NULL);
	else if (holders && !(j->delta->have[VML_BLOCKER] & VML_METRIC_BIT(VML_BLAMED_NS)))
		j->needs = measure_needs(M_BLOCKED);
	else
		for (i = 0; i < rows->n && !j->error; i++)
			if (!holders || waited_for(j, &rows->row[i]))
				try_rule(j, &rows->row[i]);
	if (!rows->n && j->rule->class == RULE_FAULTS && !j->delta->have_reasons)
		j->needs = measure_needs(M_REASON);
	add_unjudged(j);
}

/* ---- healthy, or nothing to judge */

static void healthy(struct judge *j)
{
	const struct vml_snapshot *d = j->delta;
	bool faults = d->have[VML_PROCESS] & VML_METRIC_BIT(VML_FAULTS),
	     hits = faults && d->have[VML_PROCESS] & VML_METRIC_BIT(VML_HITS),
	     waits = d->have[VML_PROCESS] & VML_METRIC_BIT(VML_WAIT_NS);
	bool split = d->have[VML_PROCESS] & VML_METRIC_BIT(VML_HANDOVER_WAKEUP_NS);
	/* without the wake-ups: they have what an acquisition takes that nobody contended */
	uint64_t woken = split ? d->total[VML_HANDOVER_WAKEUP_NS] : 0, waited = d->total[VML_WAIT_NS];
	double wait = per_second(j, (double)(waited > woken ? waited - woken : 0)),
	       faulted = (double)d->total[VML_FAULTS];
	struct vml_finding *x;
	char text[TEXT_MAX], ns[32], share[32];
	size_t i;

	for (i = 0; i < j->diagnosis->n; i++)
		if (j->diagnosis->finding[i].negative || j->diagnosis->finding[i].level > VML_LOW)
			return;
	/* without a fault: asleep, or behind a holder from before the start, which cannot be charged */
	j->diagnosis->inconclusive = !waits || (faults && !(faulted > 0)) || j->lossy;
	if (j->diagnosis->inconclusive)
		return;
	/* something that no rule can name is not healthy either */
	if (wait >= VML_DIAGNOSE_WEIGHT * 1e9)
		return;
	x = add_finding(j);
	if (!x)
		return;
	x->name = VML_FINDING_HEALTHY;
	x->title = "these locks hold nobody up";
	x->negative = true;
	/* from so many faults on vmalock diff judges, too */
	x->level = hits && faulted >= VML_COMPARE_MIN_FAULTS ? VML_HIGH : VML_MEDIUM;
	vml_fmt_ns(ns, sizeof(ns), wait);
	snprintf(text, sizeof(text), "%s was waited for holders of mmap_lock or their CPU a second (under %.0f ms)", ns,
		 1000 * VML_DIAGNOSE_WEIGHT);
	add_line(j, &x->evidence, text);
	if (hits && faulted > 0) {
		snprintf(text, sizeof(text), "%s of %.0f faults a second hit",
			 vml_fmt_spaced(vml_fmt_percent(share, sizeof(share), (double)d->total[VML_HITS] / faulted),
					sizeof(share)),
			 per_second(j, faulted));
		add_line(j, &x->evidence, text);
	}
	x->todo = "Nothing.";
	x->change = "nothing";
}

static void look_for_losses(struct judge *j)
{
	const struct vml_snapshot *d = j->delta;
	double events = (double)d->total[VML_FAULTS];

	j->lost = vml_snapshot_lost(d);
	if (d->self.from_bpf)
		events = fmax(events, (double)d->self.bpf_runs);
	j->lossy = (double)j->lost > events * VML_COMPARE_MAX_LOSS;
}

static int worst_first(const void *a, const void *b)
{
	const struct vml_finding *x = a, *y = b;

	if (x->negative != y->negative)
		return x->negative ? 1 : -1;
	if (x->level != y->level)
		return x->level < y->level ? 1 : -1;
	if (x->blocked_ns != y->blocked_ns)
		return x->blocked_ns < y->blocked_ns ? 1 : -1;
	return strcmp(x->name, y->name);
}

int vml_diagnose(struct vml_snapshot *delta, struct vml_diagnosis *ret)
{
	size_t rules = 0, blockers = delta->rows[VML_BLOCKER].n;
	struct judge j = { .delta = delta, .diagnosis = ret };

	*ret = (struct vml_diagnosis){ 0 };
	if (!delta->interval_ns)
		return -EINVAL;
	while (diagnose_rules[rules].name)
		rules++;
	ret->unjudged = vml_arena_alloc(delta->arena, rules * sizeof(*ret->unjudged));
	j.taken = vml_arena_alloc(delta->arena, (blockers ? blockers : 1) * sizeof(*j.taken));
	if (!ret->unjudged || !j.taken)
		return -ENOMEM;
	look_for_losses(&j);
	for (j.rule = diagnose_rules; j.rule->name && !j.error; j.rule++)
		try_everywhere(&j);
	if (!j.error)
		healthy(&j);
	if (!j.error && ret->n)
		qsort(ret->finding, ret->n, sizeof(*ret->finding), worst_first);
	return j.error;
}

/* ---- the table, for people */

static void join(const struct rule *r, enum role role, char *buf, size_t n)
{
	const struct condition *c;
	char text[TEXT_MAX];
	size_t len = 0;

	*buf = '\0';
	for (c = r->condition; c->role; c++)
		if (c->role == role && len < n)
			len += (size_t)snprintf(buf + len, n - len, "%s%s", len ? "; " : "",
						condition_text(c, text, sizeof(text)));
}

bool vml_rule_info(size_t i, struct vml_rule_info *ret)
{
	size_t k;

	for (k = 0; k <= i; k++)
		if (!diagnose_rules[k].name)
			return false;
	*ret = (struct vml_rule_info){
		.name = diagnose_rules[i].name,
		.title = diagnose_rules[i].title,
		.todo = diagnose_rules[i].todo,
		.change = diagnose_rules[i].change,
		.negative = diagnose_rules[i].negative,
	};
	join(&diagnose_rules[i], MUST, ret->must, sizeof(ret->must));
	join(&diagnose_rules[i], SUPPORT, ret->support, sizeof(ret->support));
	join(&diagnose_rules[i], AGAINST, ret->against, sizeof(ret->against));
	return true;
}
