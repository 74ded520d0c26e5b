// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* The numbers that rules are about, and how they are said. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "diagnose.h"
#include "vmalock/base.h"

#define BIT(m) VML_METRIC_BIT(m)

enum unit { SHARE, RATE, TIME, TIME_RATE, NUMBER };

static const struct {
	const char *what; /* of conditions */
	const char *said; /* %s: the value */
	enum unit unit;
	const char *needs;
} measures[M_NMEASURES] = {
	[M_BLOCKED] = { "time charged to the holders", "they are charged with %s of blocked time", TIME_RATE, "blame" },
	[M_COST] = { "time charged to the holders, with the handover after them",
		     "with the handover after them they cost %s", TIME_RATE, "blame" },
	[M_SHARE] = { "share of the blame for this lock", "%s of what all holders of this lock are charged with", SHARE,
		      "blame" },
	[M_HOLD_MEAN] = { "mean hold", "a hold lasted %s on average", TIME, "blame" },
	[M_HOLD_LONGEST] = { "longest hold", "the longest hold lasted %s", TIME, "blame" },
	[M_RUNNABLE] = { "part of the holds waiting for a CPU", "%s of the hold time the holder waited for a CPU",
			 SHARE, "sched_info of tasks (CONFIG_SCHED_INFO)" },
	[M_SLEEP] = { "part of the holds asleep, of the time it did not wait for a CPU",
		      "the holder slept for %s of the hold time in which it did not wait for a CPU", SHARE,
		      "sched_info of tasks (CONFIG_SCHED_INFO)" },
	[M_RECLAIM] = { "part of the holds in reclaim or compaction", "%s of the hold time was reclaim or compaction",
			SHARE, "delay accounting (sysctl kernel.task_delayacct=1)" },
	[M_DISK] = { "part of the holds waiting for disk or swap", "%s of the hold time was input from disk or swap",
		     SHARE, "delay accounting (sysctl kernel.task_delayacct=1)" },
	[M_FOREIGN_WAITS] = { "part of the blame for waits of other processes",
			      "%s of the blame is for other processes", SHARE, "blame" },
	[M_STACK] = { "part of the blame with stacks that shows such a function",
		      "%s of the blame with a stack shows such a function", SHARE, "stacks of holders over 1 ms" },
	[M_READERS] = { "part of the waits that is to read", "%s of the time its threads waited was to read", SHARE,
			"mmap_lock tracepoints" },
	[M_WRITTEN] = { "part of the interval held for writing", "its threads held it for writing %s of the time",
			SHARE, "mmap_lock tracepoints" },
	[M_NEW_THREADS] = { "new threads", "%s threads were started", RATE, "threads" },
	[M_WRITES_PER_THREAD] = { "write holds for each new thread", "%s write holds for each new thread", NUMBER,
				  "threads" },
	[M_WAIT] = { "waits for this lock", "%s was waited for this lock", TIME_RATE, "the ledger of mmap_lock" },
	[M_HANDOVER] = { "part of the waits in which nobody held it", "%s of that while nobody held it", SHARE,
			 "the ledger of mmap_lock" },
	[M_NO_CPU] = { "part of the handover in which the next owner waited for a CPU",
		       "%s of the handover while the next owner waited for a CPU", SHARE,
		       "sched_info of tasks (CONFIG_SCHED_INFO)" },
	[M_REASON] = { "such fallbacks, of the faults", "%s of its faults fell back for this", SHARE,
		       "reasons of fallbacks" },
	[M_REASON_RATE] = { "such fallbacks", "%s faults fell back for this", RATE, "reasons of fallbacks" },
	[M_REASON_COUNT] = { "number of such fallbacks", "%s faults fell back for this", NUMBER,
			     "reasons of fallbacks" },
	[M_REASON_SHARE] = { "such fallbacks, of all fallbacks", "%s of its fallbacks are of this kind", SHARE,
			     "reasons of fallbacks" },
	[M_AREA] = { "part of such fallbacks in that area", "%s of such fallbacks are in that area", SHARE,
		     "faults by VMA" },
	[M_AREA_WAIT] = { "waits of faults in that area", "faults in that area waited %s", TIME_RATE, "faults by VMA" },
	[M_SERVE] = { "time in faults", "faults took %s", TIME_RATE, "--detail exact (fentry, kprobe)" },
	[M_SERVE_WAIT] = { "part of it waiting for mmap_lock", "%s of that waiting for mmap_lock", SHARE,
			   "--detail exact (fentry, kprobe)" },
	[M_MAPPINGS] = { "mappings, of the limit", "it has %s of the mappings a process may have", SHARE,
			 "mappings per process and their limit" },
};

/* ---- values */

static bool knows(const struct vml_snapshot *d, enum vml_scope scope, uint64_t bits)
{
	return (d->have[scope] & bits) == bits;
}

static double ratio(double part, double whole)
{
	return whole > 0 ? part / whole : NAN;
}

static double rate(const struct facts *f, double v)
{
	return v * 1e9 / (double)f->delta->interval_ns;
}

static double of(const struct facts *f, enum vml_metric m)
{
	return f->process ? (double)f->process->value[m] : (double)f->delta->total[m];
}

static double rate_of(const struct facts *f, enum vml_metric m)
{
	return knows(f->delta, VML_PROCESS, BIT(m)) ? rate(f, of(f, m)) : NAN;
}

static double ratio_of(const struct facts *f, enum vml_metric part, enum vml_metric whole)
{
	return knows(f->delta, VML_PROCESS, BIT(part) | BIT(whole)) ? ratio(of(f, part), of(f, whole)) : NAN;
}

static bool same_image(const struct vml_image *i, const struct vml_id *id)
{
	return i->pid == id->pid && i->start_ns == id->start_ns && i->exec == id->exec;
}

/* The stall at the lock of the process, whose holder is among the culprits; NULL. */
static const struct vml_stall *stall_of(const struct facts *f)
{
	const struct vml_snapshot *d = f->delta;
	size_t i, k;

	for (i = 0; i < d->nstall; i++)
		if (f->process && d->stall[i].held && same_image(&d->stall[i].target, &f->process->id))
			for (k = 0; k < VML_ARRAY_SIZE(f->row) && f->row[k]; k++)
				if (f->row[k]->id.tid == d->stall[i].holder.tid)
					return &d->stall[i];
	return NULL;
}

/* A part of the holds, or of what is left of them without @less; of one that goes on only its state is known. */
static double split(const struct facts *f, uint64_t bits, double part, uint64_t less, bool in_state)
{
	if (!knows(f->delta, VML_BLOCKER, bits))
		return NAN;
	if (!f->sum.value[VML_HOLD_NS] && stall_of(f))
		return in_state;
	return ratio(part, (double)(f->sum.value[VML_HOLD_NS] - less));
}

static bool stalled_in(const struct facts *f, const char *state, const char * or)
{
	const struct vml_stall *x = stall_of(f);

	return x && (!strcmp(x->state, state) || !strcmp(x->state, or));
}

static double longest(const struct facts *f)
{
	const struct vml_stall *x = stall_of(f);
	double ns = (double)f->longest_ns;

	return x && (double)x->hold_ns > ns ? (double)x->hold_ns : ns;
}

static double new_threads(const struct facts *f)
{
	const struct vml_snapshot *d = f->delta;
	uint64_t since = d->boot_ns > d->interval_ns ? d->boot_ns - d->interval_ns : 0;
	const struct vml_rows *rows = &d->rows[VML_THREAD];
	double n = 0;
	size_t i;

	if (!d->have[VML_THREAD] || !f->process)
		return NAN;
	for (i = 0; i < rows->n; i++) {
		const struct vml_id *id = &rows->row[i].id;

		/* the first thread of a process is no thread start */
		n += id->pid == f->process->id.pid && id->start_ns == f->process->id.start_ns && id->tid != id->pid &&
		     id->tid_start_ns > since;
	}
	return n;
}

static double reason_ratio(const struct facts *f, double part, double whole)
{
	return f->delta->have_reasons ? ratio(part, whole) : NAN;
}

/*
 * Where CPUs are short, most of the waiting is for the next owner to run.  Each handover follows a
 * hold that somebody waited for, so it is shared out as the blame is.  Not the wake-ups: they have
 * what an acquisition takes that nobody contended.
 */
static double cost(const struct facts *f)
{
	bool known = knows(f->delta, VML_PROCESS, BIT(VML_HANDOVER_RUNQUEUE_NS));
	double blamed = (double)f->sum.value[VML_BLAMED_NS], all = of(f, VML_BLAMED_NS);

	return rate(f, blamed + (known && all > 0 ? of(f, VML_HANDOVER_RUNQUEUE_NS) * blamed / all : 0));
}

static double of_culprits(const struct facts *f, enum measure m)
{
	const uint64_t *v = f->sum.value;

	if (!knows(f->delta, VML_BLOCKER, BIT(VML_BLAMED_NS)))
		return NAN;
	switch (m) {
	case M_BLOCKED:
		return rate(f, (double)v[VML_BLAMED_NS]);
	case M_SHARE:
		return ratio((double)v[VML_BLAMED_NS], of(f, VML_BLAMED_NS));
	case M_COST:
		return cost(f);
	case M_HOLD_MEAN:
		return ratio((double)v[VML_HOLD_NS], (double)v[VML_HOLDS]);
	case M_HOLD_LONGEST:
		return longest(f);
	case M_RUNNABLE:
		return split(f, BIT(VML_RUNNABLE_NS), (double)v[VML_RUNNABLE_NS], 0,
			     stalled_in(f, "runnable", "runnable"));
	case M_SLEEP:
		return split(f, BIT(VML_SLEEP_NS), (double)v[VML_SLEEP_NS], v[VML_RUNNABLE_NS],
			     stalled_in(f, "sleeping", "blocked"));
	case M_RECLAIM:
		return split(f, BIT(VML_RECLAIM_NS), (double)v[VML_RECLAIM_NS], 0, false);
	case M_DISK:
		return split(f, BIT(VML_IO_NS) | BIT(VML_SWAP_NS), (double)(v[VML_IO_NS] + v[VML_SWAP_NS]), 0, false);
	case M_FOREIGN_WAITS:
		return ratio((double)v[VML_FOREIGN_NS], (double)v[VML_BLAMED_NS]);
	default: /* M_STACK */
		return f->delta->stack ? ratio((double)f->stack_matched_ns, (double)f->stack_blamed_ns) : NAN;
	}
}

static double of_threads(const struct facts *f, enum measure m)
{
	double n = new_threads(f);

	if (m == M_NEW_THREADS)
		return rate(f, n);
	/* 3: mmap_write_hold */
	return f->process ? ratio((double)f->process->hist[3].count, n) : NAN;
}

static double of_reasons(const struct facts *f, enum measure m)
{
	double n = (double)f->reason_count;

	switch (m) {
	case M_REASON:
		return reason_ratio(f, n, of(f, VML_FAULTS));
	case M_REASON_RATE:
		return f->delta->have_reasons ? rate(f, n) : NAN;
	case M_REASON_COUNT:
		return f->delta->have_reasons ? n : NAN;
	case M_REASON_SHARE:
		return reason_ratio(f, n, of(f, VML_FALLBACKS));
	case M_AREA_WAIT:
		return knows(f->delta, VML_VMA, BIT(VML_WAIT_NS))
			       ? rate(f, f->area ? (double)f->area->value[VML_WAIT_NS] : 0)
			       : NAN;
	default: /* M_AREA */
		return f->delta->have[VML_VMA] ? reason_ratio(f, (double)f->area_count, n) : NAN;
	}
}

double measure_value(const struct facts *f, enum measure m)
{
	const uint64_t waits = BIT(VML_MMAP_READ_WAIT_NS) | BIT(VML_MMAP_WRITE_WAIT_NS);
	double wait = of(f, VML_BLAMED_NS) + of(f, VML_UNATTRIBUTED_NS);

	switch (m) {
	case M_READERS:
		return knows(f->delta, VML_PROCESS, waits)
			       ? ratio(of(f, VML_MMAP_READ_WAIT_NS),
				       of(f, VML_MMAP_READ_WAIT_NS) + of(f, VML_MMAP_WRITE_WAIT_NS))
			       : NAN;
	case M_WRITTEN:
		return rate_of(f, VML_MMAP_WRITE_HOLD_NS) / 1e9;
	case M_NEW_THREADS:
	case M_WRITES_PER_THREAD:
		return of_threads(f, m);
	case M_WAIT:
		return knows(f->delta, VML_PROCESS, BIT(VML_BLAMED_NS)) ? rate(f, wait) : NAN;
	case M_HANDOVER:
		return knows(f->delta, VML_PROCESS, BIT(VML_UNATTRIBUTED_NS)) ? ratio(of(f, VML_UNATTRIBUTED_NS), wait)
									      : NAN;
	case M_NO_CPU:
		return ratio_of(f, VML_HANDOVER_RUNQUEUE_NS, VML_UNATTRIBUTED_NS);
	case M_REASON:
	case M_REASON_RATE:
	case M_REASON_COUNT:
	case M_REASON_SHARE:
	case M_AREA:
	case M_AREA_WAIT:
		return of_reasons(f, m);
	case M_SERVE:
		return rate_of(f, VML_SERVE_NS);
	case M_SERVE_WAIT:
		return ratio_of(f, VML_MMAP_READ_WAIT_NS, VML_SERVE_NS);
	case M_MAPPINGS:
		return f->process && f->process->mappings ? ratio(f->process->mappings, f->delta->host.max_mappings)
							  : NAN;
	default:
		return of_culprits(f, m);
	}
}

/* ---- in words */

static char *value_text(enum unit unit, double v, char *buf, size_t n)
{
	char text[32];

	switch (unit) {
	case SHARE:
		if (v < 0.01 && v > 0)
			snprintf(buf, n, "%.1g %%", 100 * v);
		else
			vml_fmt_whole_percent(buf, n, v);
		break;
	case RATE:
		snprintf(buf, n, v < 10 ? "%.1f/s" : "%.0f/s", v);
		break;
	case TIME:
		vml_fmt_ns(buf, n, v);
		break;
	case TIME_RATE:
		snprintf(buf, n, "%s/s", vml_fmt_ns(text, sizeof(text), v));
		break;
	case NUMBER:
		snprintf(buf, n, v < 10 && v != floor(v) ? "%.1f" : "%.0f", v);
		break;
	}
	return buf;
}

char *measure_text(enum measure m, double value, const struct condition *c, char *buf, size_t n)
{
	char text[48], limit[48];
	int len;

	value_text(measures[m].unit, value, text, sizeof(text));
	value_text(measures[m].unit, c->limit, limit, sizeof(limit));
	len = snprintf(buf, n, measures[m].said, text);
	if (len > 0 && (size_t)len < n)
		snprintf(buf + len, n - (size_t)len, " (%s %s)", c->below ? "under" : "from", limit);
	return buf;
}

char *condition_text(const struct condition *c, char *buf, size_t n)
{
	char limit[48];

	value_text(measures[c->measure].unit, c->limit, limit, sizeof(limit));
	snprintf(buf, n, "%s %s %s", measures[c->measure].what, c->below ? "under" : "from", limit);
	return buf;
}

const char *measure_needs(enum measure m)
{
	return measures[m].needs;
}

/* ---- culprits */

/* System calls of 32-bit programs have a suffix. */
static bool listed(const char *const *list, const char *word)
{
	size_t n = strcspn(word, "(");

	if (word[n] && !strcmp(word + n, "(32-bit)") && n)
		n--;
	else
		n = strlen(word);
	for (; list && *list; list++)
		if (!strncmp(*list, word, n) && !(*list)[n])
			return true;
	return false;
}

static bool shows(const char *const *functions, const struct vml_stack *s)
{
	uint32_t i;

	for (; functions && *functions; functions++)
		for (i = 0; i < s->nkernel; i++)
			if (!strncmp(s->frame[i].function, *functions, strlen(*functions)))
				return true;
	return false;
}

/* Of the same thread, doing the same. */
static bool is_of(const struct vml_stack *s, const struct vml_row *r)
{
	return s->id.pid == r->id.pid && s->id.start_ns == r->id.start_ns && s->id.tid == r->id.tid &&
	       s->id.tid_start_ns == r->id.tid_start_ns && s->id.doing == r->id.doing;
}

static bool shown_by_stack(const struct vml_snapshot *d, const struct rule *rule, const struct vml_row *r)
{
	size_t i;

	for (i = 0; rule->who.function && i < d->nstack; i++)
		if (is_of(&d->stack[i], r) && shows(rule->who.function, &d->stack[i]))
			return true;
	return false;
}

static bool changes(const struct vml_row *r)
{
	static const char *const downgrade[] = { "munmap", "mremap", "brk", NULL };

	return r->id.write || listed(downgrade, r->context);
}

bool culprit_matches(const struct vml_snapshot *d, const struct rule *rule, const struct vml_row *process,
		     const struct vml_row *r)
{
	const struct culprits *w = &rule->who;
	bool own = r->id.pid == process->id.pid && r->id.start_ns == process->id.start_ns;

	/* who reads VMAs is charged outside the ledger of mmap_lock */
	if (!same_image(&r->id.target, &process->id) || !r->value[VML_BLAMED_NS] || !strcmp(r->lock, "vma_read"))
		return false;
	if ((w->mode == MODE_READ && changes(r)) || (w->mode == MODE_CHANGE && !changes(r)))
		return false;
	if (w->long_holds && r->value[VML_HOLDS] && r->value[VML_HOLD_NS] / r->value[VML_HOLDS] < LONG_HOLD_NS)
		return false;
	if ((w->origin == FROM_OWN && !own) || (w->origin == FROM_FOREIGN && own))
		return false;
	if (!w->context)
		return !w->function || shown_by_stack(d, rule, r);
	return listed(w->context, r->context) || shown_by_stack(d, rule, r);
}

static void add_stacks(struct facts *f, const struct vml_row *r)
{
	const struct vml_snapshot *d = f->delta;
	size_t i;

	for (i = 0; i < d->nstack; i++) {
		const struct vml_stack *s = &d->stack[i];
		bool shown;

		if (!s->blamed_ns || !is_of(s, r))
			continue;
		shown = shows(f->rule->who.function, s);
		f->stack_blamed_ns += s->blamed_ns;
		f->stack_matched_ns += shown ? s->blamed_ns : 0;
		if (!f->stack || s->blamed_ns > f->stack->blamed_ns)
			f->stack = s;
	}
}

/* Keeps the rows with most blame, in order. */
static void keep(struct facts *f, const struct vml_row *r)
{
	size_t i;

	for (i = 0; i < VML_ARRAY_SIZE(f->row); i++) {
		const struct vml_row *was = f->row[i];

		if (was && was->value[VML_BLAMED_NS] >= r->value[VML_BLAMED_NS])
			continue;
		f->row[i] = r;
		if (!was)
			return;
		r = was;
	}
}

void facts_gather(struct facts *f, const bool *taken)
{
	const struct vml_rows *rows = &f->delta->rows[VML_BLOCKER];
	size_t i;
	int m;

	for (i = 0; i < rows->n; i++) {
		const struct vml_row *r = &rows->row[i];
		double most;

		if ((taken && taken[i]) || !culprit_matches(f->delta, f->rule, f->process, r))
			continue;
		for (m = 0; m < VML_NMETRICS; m++)
			f->sum.value[m] += r->value[m];
		most = vml_hist_max_bound(&r->hist[r->id.write ? 3 : 2]); /* mmap_write_hold, mmap_read_hold */
		if (isfinite(most) && most > (double)f->longest_ns)
			f->longest_ns = (uint64_t)most;
		f->culprits++;
		keep(f, r);
		add_stacks(f, r);
	}
}
