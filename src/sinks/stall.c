// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* A stall that goes on, in a sentence that fits. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "vmalock/base.h"
#include "vmalock/snapshot.h"
#include "parts.h"

#define SENTENCE_MAX 512 /* names are short: TASK_COMM_LEN, escaped, and names of system calls */

/* What a sentence says besides who waits for whose lock. */
enum {
	IN_WORDS = 1, /* "for mmap_lock of java, longest 3.2 s" instead of "for java, 3.2 s" */
	HOLDER = 2,
	LONGEST = 4,
	DOING = 8,
	STATE = 16,
	SINCE = 32,
	OTHERS = 64, /* stalls */
	BRIEF = 128, /* less than that */
};

static const char *process_name(const struct vml_snapshot *d, const struct vml_image *i)
{
	struct vml_id id = { .pid = i->pid, .exec = i->exec, .start_ns = i->start_ns };
	const struct vml_row *r = vml_rows_find(&d->rows[VML_PROCESS], &id);

	return r && *r->comm ? r->comm : "process";
}

struct line {
	char *buf;
	size_t n, len;
};

__attribute__((format(printf, 2, 3))) static void add(struct line *l, const char *fmt, ...)
{
	size_t room = l->n > l->len ? l->n - l->len : 0;
	va_list ap;
	int len;

	va_start(ap, fmt);
	len = vsnprintf(room ? l->buf + l->len : NULL, room, fmt, ap);
	va_end(ap);
	l->len += len > 0 ? (size_t)len : 0;
}

static void add_holder(struct line *l, const struct vml_stall *x, unsigned int what)
{
	char time[32];

	if (!x->held) {
		/* a handover that takes so long: what it waits for is not known before it has the lock */
		add(l, what & DOING ? "; nobody is seen to hold it: its next owner may get no CPU"
				    : "; no holder is seen");
		return;
	}
	add(l, "; held by %s (%u)", x->holder_comm, x->holder.tid ? x->holder.tid : x->holder.pid);
	if (what & DOING)
		add(l, " in %s", x->context);
	if (what & STATE)
		add(l, ", %s", x->state);
	if (what & SINCE)
		add(l, ", for %s", vml_fmt_spaced(vml_fmt_ns(time, sizeof(time), (double)x->hold_ns), sizeof(time)));
}

static size_t sentence(const struct vml_snapshot *d, unsigned int what, char *buf, size_t n)
{
	const struct vml_stall *x = &d->stall[0];
	struct line l = { .buf = buf, .n = n };
	char time[32];

	if (what & BRIEF) {
		add(&l, "stalled now: %s (%u), %u %s", process_name(d, &x->target), x->target.pid, x->waiters,
		    x->waiters == 1 ? "thread" : "threads");
		return l.len;
	}
	add(&l, "stalled now: %u %s for %s%s (%u)", x->waiters, x->waiters == 1 ? "thread waits" : "threads wait",
	    what & IN_WORDS ? "mmap_lock of " : "", process_name(d, &x->target), x->target.pid);
	if (what & LONGEST)
		add(&l, "%s %s", what & IN_WORDS && x->waiters > 1 ? ", longest" : ",",
		    vml_fmt_spaced(vml_fmt_ns(time, sizeof(time), (double)x->wait_ns), sizeof(time)));
	if (what & HOLDER)
		add_holder(&l, x, what);
	if (what & OTHERS && d->nstall > 1)
		add(&l, "; %zu more %s", d->nstall - 1, d->nstall == 2 ? "lock" : "locks");
	return l.len;
}

size_t vml_stall_text(const struct vml_snapshot *d, char *buf, size_t n)
{
	/* the first that fits; what the holder does goes last but for how long it takes, and then who it is */
	static const unsigned int forms[] = {
		IN_WORDS | LONGEST | HOLDER | DOING | STATE | SINCE | OTHERS,
		LONGEST | HOLDER | DOING | STATE | SINCE | OTHERS,
		LONGEST | HOLDER | DOING | STATE | SINCE,
		LONGEST | HOLDER | DOING | STATE,
		LONGEST | HOLDER | DOING,
		LONGEST | HOLDER,
		HOLDER,
		LONGEST,
		0,
		BRIEF,
	};
	char text[SENTENCE_MAX];
	size_t i, len;

	if (n > sizeof(text))
		n = sizeof(text);
	len = n;
	for (i = 0; i < VML_ARRAY_SIZE(forms) && len >= n; i++)
		len = sentence(d, forms[i], text, sizeof(text));
	return vml_text_copy(buf, n, text);
}
