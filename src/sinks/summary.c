// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* The lines under the verdict, and what an empty table says. */
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "vmalock/base.h"
#include "vmalock/caps.h"
#include "vmalock/guard.h"
#include "vmalock/snapshot.h"
#include "vmalock/sink.h"
#include "parts.h"

struct line {
	char *buf;
	size_t n, len;
};

__attribute__((format(printf, 2, 3))) static void add(struct line *l, const char *fmt, ...)
{
	va_list ap;
	int len;

	va_start(ap, fmt);
	len = vml_text_vprintf(l->buf + l->len, l->n - l->len, fmt, ap);
	va_end(ap);
	if (len > 0)
		l->len = l->len + (size_t)len < l->n ? l->len + (size_t)len : l->n - 1;
}

static const char *separator(const struct line *l)
{
	return l->len ? ", " : "";
}

/* While the hooks on every fault come and go, or are gone. */
static void duty(struct line *l, const struct vml_snapshot *d)
{
	double ratio = vml_duty_ratio(d);
	char buf[32];

	if (ratio >= 1)
		return;
	if (d->duty.unknown) {
		add(l, ", duty %s: faults as tasks count them, outcomes unknown", vml_duty_name(d->duty.step));
		return;
	}
	if (d->duty.step)
		add(l, ", duty %s", vml_duty_name(d->duty.step));
	else /* it is back, or was calibrated */
		add(l, ", duty %s", vml_fmt_percent(buf, sizeof(buf), ratio));
	add(l, ": hits and reasons are extrapolated");
}

static void host_line(struct line *l, const struct vml_snapshot *d)
{
	add(l, "%s, Linux %s %s, %u %s", d->host.name, d->host.kernel, d->host.machine, d->host.cpus,
	    d->host.cpus == 1 ? "CPU" : "CPUs");
	if (!d->caps || !d->caps->backend[0])
		return;
	add(l, ", %s backend", d->caps->backend);
	if (strcmp(d->caps->detail, "default"))
		add(l, ", %s detail", d->caps->detail);
	duty(l, d);
}

static void rate(struct line *l, const struct vml_snapshot *d, enum vml_metric m, const char *before, const char *what)
{
	char buf[32];

	if (vml_knows(d, m))
		add(l, "%s%s %s", before, vml_fmt_count(buf, sizeof(buf), (double)d->total[m] / vml_seconds(d)), what);
	else
		add(l, "%s- %s", before, what);
}

static void rates_line(struct line *l, const struct vml_snapshot *d)
{
	char buf[32];

	rate(l, d, VML_FAULTS, "", "faults/s");
	rate(l, d, VML_HITS, ": ", "hits");
	if (vml_knows(d, VML_ABORTS)) { /* then the fallbacks are shown by what they are made of */
		rate(l, d, VML_ABORTS, ", ", "aborts");
		rate(l, d, VML_RETRIES, ", ", "retries");
		rate(l, d, VML_BYPASSES, ", ", "bypasses");
	} else {
		rate(l, d, VML_FALLBACKS, ", ", "fallbacks");
		rate(l, d, VML_BYPASSES, " (", "bypasses)");
	}
	add(l, "; ");
	if (vml_knows(d, VML_WAIT_NS))
		add(l, "%s/s waited", vml_fmt_ns(buf, sizeof(buf), (double)d->total[VML_WAIT_NS] / vml_seconds(d)));
	else
		add(l, "- waited");
}

static int more_lost(const void *a, const void *b)
{
	const struct vml_loss *const *x = a, *const *y = b;

	if ((*x)->count != (*y)->count)
		return (*x)->count < (*y)->count ? 1 : -1;
	return strcmp((*x)->cause, (*y)->cause);
}

static void loss_line(struct line *l, const struct vml_snapshot *d)
{
	const struct vml_loss **lost = calloc(d->nloss ? d->nloss : 1, sizeof(*lost));
	char buf[32];
	size_t i, n = 0;

	if (!lost) {
		add(l, "out of memory");
		return;
	}
	for (i = 0; i < d->nloss; i++)
		if (d->loss[i].count)
			lost[n++] = &d->loss[i];
	qsort(lost, n, sizeof(*lost), more_lost);
	for (i = 0; i < n; i++)
		add(l, "%s%s %s", separator(l), vml_grouped(buf, sizeof(buf), (double)lost[i]->count), lost[i]->cause);
	free(lost);
}

/* Of the usual sizes it fits 80 columns, behind "own cost: ". */
static void cost_line(struct line *l, const struct vml_snapshot *d)
{
	const struct vml_self *self = &d->self;
	char buf[32];

	add(l, "%s of a CPU", vml_fmt_percent(buf, sizeof(buf), (double)self->cpu_ns / 1e9 / vml_seconds(d)));
	add(l, ", %s RSS", vml_fmt_bytes(buf, sizeof(buf), (double)self->rss_bytes));
	if (!self->from_bpf)
		return;
	add(l, ", %s BPF runs/s", vml_fmt_count(buf, sizeof(buf), (double)self->bpf_runs / vml_seconds(d)));
	if (self->bpf_cost_known)
		add(l, " (~%s)", vml_fmt_percent(buf, sizeof(buf), (double)self->bpf_cost_ns / 1e9 / vml_seconds(d)));
	if (self->foreign_mmap_locks)
		add(l, ", %s foreign mmap_lock (a bug)",
		    vml_fmt_count(buf, sizeof(buf), (double)self->foreign_mmap_locks));
	/* last: 80 columns cut it first */
	if (self->map_bytes)
		add(l, ", %s", vml_fmt_bytes(buf, sizeof(buf), (double)self->map_bytes));
	if (self->map_bytes && self->map_limit_bytes)
		add(l, " of %s", vml_fmt_bytes(buf, sizeof(buf), (double)self->map_limit_bytes));
	if (self->map_bytes)
		add(l, " maps");
	if (self->evicted_rows)
		add(l, ", %s rows evicted", vml_fmt_count(buf, sizeof(buf), (double)self->evicted_rows));
}

char *vml_summary(const struct vml_snapshot *delta, enum vml_summary line, char *buf, size_t n)
{
	struct line l = { .buf = buf, .n = n };

	buf[0] = '\0';
	switch (line) {
	case VML_SUMMARY_HOST:
		host_line(&l, delta);
		break;
	case VML_SUMMARY_RATES:
		rates_line(&l, delta);
		break;
	case VML_SUMMARY_LOSS:
		loss_line(&l, delta);
		break;
	case VML_SUMMARY_COST:
		cost_line(&l, delta);
		break;
	}
	return buf;
}

/* Why nobody is to blame. */
static void no_blockers(const struct vml_snapshot *d, const char *seconds, char *buf, size_t n)
{
	char wait[32];

	if (!vml_blame_known(d)) {
		snprintf(buf, n, "Who holds mmap_lock cannot be seen on this host; vmalock doctor says why.");
		return;
	}
	vml_fmt_spaced(vml_fmt_ns(wait, sizeof(wait), (double)d->total[VML_UNATTRIBUTED_NS]), sizeof(wait));
	if (vml_knows(d, VML_UNATTRIBUTED_NS) && d->total[VML_UNATTRIBUTED_NS])
		snprintf(
			buf, n,
			"Nobody held up anybody in the last %s: the %s waited were handover, while the lock was free and "
			"its next owner on its way.",
			seconds, wait);
	else
		snprintf(buf, n, "Nobody%s waited for a lock that somebody held in the last %s.",
			 d->selected ? " of the selected" : "", seconds);
}

char *vml_empty_text(const struct vml_snapshot *d, enum vml_scope scope, char *buf, size_t n)
{
	static const char *const what[] = { "process", "thread", "memory area", "blocker" };
	char seconds[32];

	vml_fmt_spaced(vml_fmt_ns(seconds, sizeof(seconds), (double)d->interval_ns), sizeof(seconds));
	if (!d->interval_ns)
		snprintf(buf, n, "The first interval is not over yet.");
	else if (scope == VML_BLOCKER)
		no_blockers(d, seconds, buf, n);
	else if (scope == VML_VMA && d->caps && !vml_caps_has(d->caps, VML_CAP_VMA_IDENTITY))
		snprintf(buf, n, "Faults cannot be told apart by VMA on this host; vmalock doctor says why.");
	else if (!d->have[scope])
		snprintf(buf, n, "Nothing is known by %s on this host; vmalock doctor says why.", what[scope]);
	else
		snprintf(buf, n, "No %s%s had a page fault%s in the last %s.", d->selected ? "selected " : "",
			 what[scope], scope == VML_VMA ? "" : " or took mmap_lock", seconds);
	return buf;
}
