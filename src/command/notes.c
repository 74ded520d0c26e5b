// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "notes.h"
#include "vmalock/base.h"

/* ---- stalls */

static struct notes_stall *shortest(struct notes *n)
{
	struct notes_stall *min = &n->stall[0];
	size_t i;

	for (i = 1; i < n->nstalls; i++)
		if (n->stall[i].wait_ns < min->wait_ns)
			min = &n->stall[i];
	return min;
}

/* Where the stall is kept that @x is the same as, or which makes room for it; NULL: it is too short. */
static struct notes_stall *place(struct notes *n, const struct vml_stall *x)
{
	struct notes_stall *s;
	size_t i;

	for (i = 0; i < n->nstalls; i++) {
		s = &n->stall[i];
		if (!vml_id_compare(&s->id, &x->id))
			return s->wait_ns < x->wait_ns ? s : NULL;
	}
	if (n->nstalls < NOTES_STALLS)
		return &n->stall[n->nstalls++];
	n->dropped++;
	s = shortest(n);
	return s->wait_ns < x->wait_ns ? s : NULL;
}

void notes_stall(struct notes *n, const struct vml_snapshot *delta)
{
	struct notes_stall *s;
	char text[sizeof(s->text)];
	const char *what;

	if (!delta->nstall)
		return;
	s = place(n, &delta->stall[0]);
	if (!s)
		return;
	vml_stall_text(delta, text, sizeof(text));
	what = strchr(text, ':'); /* "stalled now: " */
	snprintf(s->text, sizeof(s->text), "%s", what ? what + 2 : text);
	s->id = delta->stall[0].id;
	s->wait_ns = delta->stall[0].wait_ns;
	s->real_ns = delta->real_ns;
}

/* ---- events */

static const char *event_text(struct vml_arena *a, const struct vml_event *e)
{
	char span[32], buf[512];

	vml_fmt_ns(span, sizeof(span), e->ns < 0 ? -(double)e->ns : (double)e->ns);
	switch (e->kind) {
	case VML_EVENT_GAP:
		snprintf(buf, sizeof(buf), "%s without intervals%s%s", span, *e->text ? ": " : "", e->text);
		break;
	case VML_EVENT_REBOOT:
		snprintf(buf, sizeof(buf), "what follows is of another boot, %s later by the clock", span);
		break;
	case VML_EVENT_SUSPEND:
		snprintf(buf, sizeof(buf), "the host slept for %s", span);
		break;
	case VML_EVENT_CLOCK_STEP:
		snprintf(buf, sizeof(buf), "the clock was set %s by %s", e->ns < 0 ? "back" : "forward", span);
		break;
	default:
		return vml_arena_strdup(a, e->text);
	}
	return vml_arena_strdup(a, buf);
}

static int add(struct notes *n, uint64_t real_ns, const char *kind, const char *text)
{
	n->note[n->n++] = (struct vml_note){ .real_ns = real_ns, .kind = kind, .text = text };
	return text ? 0 : -ENOMEM;
}

static int earlier(const void *a, const void *b)
{
	const struct vml_note *x = a, *y = b;

	return (x->real_ns > y->real_ns) - (x->real_ns < y->real_ns);
}

static int add_dropped(struct notes *n)
{
	uint64_t last = 0;
	char buf[80];
	size_t i;

	if (!n->dropped)
		return 0;
	for (i = 0; i < n->nstalls; i++)
		last = n->stall[i].real_ns > last ? n->stall[i].real_ns : last;
	snprintf(buf, sizeof(buf), "in %zu more intervals other threads were stalled", n->dropped);
	return add(n, last, "stall", vml_arena_strdup(n->arena, buf));
}

int notes_end(struct notes *n, struct vml_window *w)
{
	const struct vml_event *event = NULL;
	size_t i, nevents = 0;
	int err = 0;

	if (w && w->intervals)
		err = vml_reader_events(w->reader, w->first, w->last - w->first + 1, &event, &nevents);
	n->arena = vml_arena_new();
	if (n->arena)
		n->note = vml_arena_alloc(n->arena, (nevents + n->nstalls + 1) * sizeof(*n->note));
	if (!err && !n->note)
		err = -ENOMEM;
	for (i = 0; i < nevents && !err; i++)
		err = add(n, event[i].real_ns, vml_event_name(event[i].kind), event_text(n->arena, &event[i]));
	for (i = 0; i < n->nstalls && !err; i++)
		err = add(n, n->stall[i].real_ns, "stall", vml_arena_strdup(n->arena, n->stall[i].text));
	if (!err)
		err = add_dropped(n);
	if (!err)
		qsort(n->note, n->n, sizeof(*n->note), earlier);
	return err;
}

void notes_free(struct notes *n)
{
	vml_arena_free(n->arena);
}
