// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* The top line: what is seen, in words. */
#include <math.h>
#include <stdarg.h>

#include "vmalock/base.h"
#include "vmalock/caps.h"
#include "vmalock/snapshot.h"
#include "vmalock/sink.h"
#include "parts.h"

/* The limits of the alerts (deploy/prometheus/alerts.yml). */
#define FALLING_BACK_RATIO 0.2
#define FALLING_BACK_RATE 1000.0
#define WAITING_RATIO 0.5

/*
 * The lock is not what holds threads up when half of what they wait passes while
 * nobody holds it, and half of that while the next owner waits for a CPU: then no
 * holder that is made faster helps as much as CPU time would.  Below a tenth of
 * WAITING_RATIO nobody is held up enough for it to matter.
 */
#define HANDOVER_RATIO 0.5
#define NO_CPU_RATIO 0.5
#define NO_CPU_WAIT (WAITING_RATIO / 10)

struct sentence {
	char *buf;
	size_t n, len;
};

/* Adds a clause, or nothing where it does not fit, and says which; the first one is cut instead. */
__attribute__((format(printf, 2, 3))) static bool clause(struct sentence *s, const char *fmt, ...)
{
	size_t room = s->n - s->len;
	va_list ap;
	int len;

	va_start(ap, fmt);
	len = vml_text_vprintf(s->buf + s->len, room, fmt, ap);
	va_end(ap);
	if (len < 0 || ((size_t)len >= room && s->len)) {
		s->buf[s->len] = '\0';
		return false;
	}
	s->len += (size_t)len < room ? (size_t)len : room - 1;
	return true;
}

static bool no_vma_locks(const struct vml_snapshot *d)
{
	return d->caps && d->caps->cap[VML_CAP_PER_VMA_LOCK].state == VML_CAP_NO;
}

/* Bypasses are always exact: without them, no reason is. */
static bool all_inferred(const struct vml_snapshot *d)
{
	uint64_t exact = 0, inferred = 0;
	bool trusted = vml_snapshot_exact(d);
	uint32_t i;

	for (i = 0; i < d->reasons.n; i++) {
		const struct vml_cell *c = &d->reasons.cell[i];

		*(c->index % 2 == VML_EXACT ? &exact : &inferred) += c->count;
	}
	return trusted ? inferred && exact <= d->total[VML_BYPASSES] : inferred + exact > d->total[VML_BYPASSES];
}

static const char *main_reason(const struct vml_tally *reasons)
{
	const struct vml_cell *most = NULL;
	uint32_t i;

	for (i = 0; i < reasons->n; i++)
		if (!most || reasons->cell[i].count > most->count)
			most = &reasons->cell[i];
	return most ? vml_reason_name(most->index / 2) : NULL;
}

enum vml_health vml_health(const struct vml_snapshot *d)
{
	double seconds = vml_seconds(d), faults = (double)d->total[VML_FAULTS];
	double wait = (double)d->total[VML_WAIT_NS] / 1e9;

	if (seconds > 0 && d->nstall)
		return VML_STALLED;
	if (seconds > 0 && vml_knows(d, VML_WAIT_NS) && wait / seconds > WAITING_RATIO)
		return VML_WAITING;
	if (seconds > 0 && vml_knows(d, VML_FALLBACKS) && !no_vma_locks(d) && faults / seconds > FALLING_BACK_RATE &&
	    (double)d->total[VML_FALLBACKS] > faults * FALLING_BACK_RATIO)
		return VML_FALLING_BACK;
	if ((vml_knows(d, VML_FAULTS) && d->total[VML_FAULTS]) || (vml_knows(d, VML_WAIT_NS) && d->total[VML_WAIT_NS]))
		return VML_HEALTHY;
	return VML_QUIET;
}

/* How many faults, and what became of them. */
static void faults_text(const struct vml_snapshot *d, enum vml_health health, char *buf, size_t n)
{
	char rate[32], share[32];
	double faults = (double)d->total[VML_FAULTS];
	const char *reason = main_reason(&d->reasons);
	uint64_t part = d->total[health == VML_FALLING_BACK ? VML_FALLBACKS : VML_HITS];

	vml_grouped(rate, sizeof(rate), faults / vml_seconds(d));
	if (!vml_knows(d, VML_FAULTS)) {
		snprintf(buf, n, "page faults cannot be seen on this host");
		return;
	}
	if (!d->total[VML_FAULTS]) {
		snprintf(buf, n, "no page faults");
		return;
	}
	if (no_vma_locks(d)) {
		snprintf(buf, n, "this kernel has no per-VMA locks, all of %s faults/s take it", rate);
		return;
	}
	vml_fmt_spaced(vml_fmt_percent(share, sizeof(share), (double)part / faults), sizeof(share));
	if (health == VML_FALLING_BACK)
		snprintf(buf, n, "%s of %s faults/s took mmap_lock%s%s", share, rate, reason ? ", most: " : "",
			 reason ? reason : "");
	else if (vml_knows(d, VML_HITS))
		snprintf(buf, n, "%s of %s faults/s hit", share, rate);
	else
		snprintf(buf, n, "%s faults/s", rate);
}

static void loss_clause(struct sentence *s, const struct vml_snapshot *d)
{
	uint64_t lost = vml_snapshot_lost(d);
	char count[32];

	if (lost)
		clause(s, "; %s %s lost", vml_grouped(count, sizeof(count), (double)lost),
		       lost == 1 ? "event" : "events");
}

static bool starved(const struct vml_snapshot *d)
{
	double wait = (double)d->total[VML_WAIT_NS], handover = (double)d->total[VML_UNATTRIBUTED_NS];

	return vml_knows(d, VML_HANDOVER_RUNQUEUE_NS) && wait / 1e9 / vml_seconds(d) > NO_CPU_WAIT &&
	       handover > wait * HANDOVER_RATIO && (double)d->total[VML_HANDOVER_RUNQUEUE_NS] > handover * NO_CPU_RATIO;
}

/* Waits that are not for the lock; the short form where there is no room for the causes. */
static void starved_clause(struct sentence *s, const struct vml_snapshot *d)
{
	char share[32];

	if (!starved(d))
		return;
	vml_fmt_whole_percent(share, sizeof(share),
			      (double)d->total[VML_HANDOVER_RUNQUEUE_NS] / (double)d->total[VML_WAIT_NS]);
	if (!clause(s,
		    ", %s of it while the next owner waited for a CPU (starved, throttled or low priority), not for "
		    "a holder",
		    share))
		clause(s, ", %s of it for a CPU, not for a holder", share);
}

/* Half of all waits is one holder's doing: the others together are not worth a look before it. */
#define BLOCKER_RATIO 0.5

/* Who held the lock for most of the waits, and doing what. */
static void blocker_clause(struct sentence *s, const struct vml_snapshot *d)
{
	const struct vml_rows *rows = &d->rows[VML_BLOCKER];
	const struct vml_row *most = NULL;
	size_t i;

	for (i = 0; i < rows->n; i++) {
		/* what readers of areas are charged with is no wait for mmap_lock */
		if (rows->row[i].id.tid && (!most || rows->row[i].value[VML_BLAMED_NS] > most->value[VML_BLAMED_NS]))
			most = &rows->row[i];
	}
	if (most && (double)most->value[VML_BLAMED_NS] > (double)d->total[VML_WAIT_NS] * BLOCKER_RATIO)
		clause(s, ", mostly behind %s (%u) in %s", most->comm, most->id.tid, most->context);
}

static void wait_clause(struct sentence *s, const struct vml_snapshot *d)
{
	double longest = fmax(vml_hist_max_bound(&d->hist[0]), vml_hist_max_bound(&d->hist[1]));
	char wait[32], max[32];

	if (!vml_knows(d, VML_WAIT_NS) || !d->total[VML_WAIT_NS])
		return;
	vml_fmt_ns(wait, sizeof(wait), (double)d->total[VML_WAIT_NS] / vml_seconds(d));
	if (!clause(s, "; %s/s waited for mmap_lock", vml_fmt_spaced(wait, sizeof(wait))))
		return;
	starved_clause(s, d);
	if (longest > 0 && isfinite(longest))
		clause(s, ", longest %s", vml_fmt_spaced(vml_fmt_ns(max, sizeof(max), longest), sizeof(max)));
}

/* What the fallbacks are, where that can be told. */
static void fallbacks_clause(struct sentence *s, const struct vml_snapshot *d)
{
	static const struct {
		enum vml_metric part;
		const char *word;
	} what[] = { { VML_ABORTS, "refused" }, { VML_RETRIES, "given up" }, { VML_BYPASSES, "in kernel mode" } };
	double sum = (double)d->total[VML_FALLBACKS];
	char text[128] = "", share[32];
	size_t i, len = 0;

	if (!vml_knows(d, VML_ABORTS) || !vml_knows(d, VML_FALLBACKS) ||
	    !(d->total[VML_ABORTS] + d->total[VML_RETRIES]))
		return;
	for (i = 0; i < VML_ARRAY_SIZE(what); i++) {
		if (!d->total[what[i].part])
			continue;
		vml_fmt_whole_percent(share, sizeof(share), (double)d->total[what[i].part] / sum);
		len += (size_t)snprintf(text + len, sizeof(text) - len, "%s%s %s", len ? ", " : "", share,
					what[i].word);
	}
	clause(s, "; fallbacks: %s", text);
}

void vml_verdict(const struct vml_snapshot *d, char *buf, size_t n)
{
	static const char *const word[] = {
		[VML_QUIET] = "quiet",
		[VML_HEALTHY] = "healthy",
		[VML_FALLING_BACK] = "falling back",
	};
	enum vml_health health = vml_health(d);
	struct sentence s = { .buf = buf, .n = n };
	char faults[128], wait[32];

	if (!n)
		return;
	buf[0] = '\0';
	if (!d->interval_ns) {
		clause(&s, "counting since now; the first interval is not over");
		return;
	}
	faults_text(d, health, faults, sizeof(faults));
	vml_fmt_ns(wait, sizeof(wait), (double)d->total[VML_WAIT_NS] / vml_seconds(d));
	if (health == VML_STALLED) {
		s.len = vml_stall_text(d, buf, n);
	} else if (health == VML_WAITING) {
		clause(&s, "waiting: %s per second for mmap_lock", vml_fmt_spaced(wait, sizeof(wait)));
		starved_clause(&s, d);
		blocker_clause(&s, d);
		clause(&s, "; %s", faults);
	} else {
		clause(&s, "%s: %s",
		       no_vma_locks(d)	 ? "mmap_lock only"
		       : d->duty.unknown ? "fault hooks off"
					 : word[health],
		       faults);
	}
	loss_clause(&s, d);
	if (health != VML_WAITING)
		wait_clause(&s, d);
	if (d->selected)
		clause(&s, "; of the selected processes only");
	if (d->have_reasons && all_inferred(d))
		clause(&s, "; reasons are inferred");
	fallbacks_clause(&s, d);
}

void vml_verdict_past(const struct vml_snapshot *d, char *buf, size_t n)
{
	struct vml_snapshot past = *d;

	past.nstall = 0;
	vml_verdict(&past, buf, n);
}
