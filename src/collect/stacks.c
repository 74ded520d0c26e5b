// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Stacks of holders that made somebody wait for long: read in a pass, resolved when
 * a stack is first seen.  The kernel's map keeps a stack as long as we run, so its
 * id stands for it.
 */
#include <errno.h>
#include <search.h>
#include <stdlib.h>
#include <string.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "collect.h"
#include "symbols.h"
#include "vmalock.skel.h"
#include "vmalock/base.h"

#define NO_STACK UINT32_MAX

/* Frames of a stack, resolved: of the kernel by its id alone, of a program by process, too. */
struct resolved {
	struct vml_proc_key proc; /* all 0: the kernel */
	uint32_t id;
	uint32_t n;
	struct vml_frame *frame; /* in stacks.arena */
};

struct blamed {
	struct vml_stack_key key;
	struct vml_stack_value value;
};

struct list {
	struct blamed *entry; /* by in_order(), when the pass is over */
	size_t n, room;
};

struct stacks {
	struct vml_symbols *symbols;
	struct vml_arena *arena; /* of resolved frames */
	void *resolved; /* tsearch(3) of struct resolved, in arena */
	struct list now, before; /* of this pass, and of the one before */
};

int stacks_open(struct stacks **ret)
{
	struct stacks *s = calloc(1, sizeof(*s));
	int err;

	if (!s)
		return -ENOMEM;
	s->arena = vml_arena_new();
	err = s->arena ? vml_symbols_open(NULL, &s->symbols) : -ENOMEM;
	if (err) {
		stacks_close(s);
		return err;
	}
	*ret = s;
	return 0;
}

static void in_arena(void *resolved)
{
	(void)resolved;
}

void stacks_close(struct stacks *s)
{
	if (!s)
		return;
	tdestroy(s->resolved, in_arena);
	vml_symbols_close(s->symbols);
	vml_arena_free(s->arena);
	free(s->now.entry);
	free(s->before.entry);
	free(s);
}

static int add(void *arg, const void *key, const void *value)
{
	struct list *l = arg;
	struct blamed *e;
	size_t room;

	if (l->n == l->room) {
		room = l->room ? 2 * l->room : 64;
		e = reallocarray(l->entry, room, sizeof(*e));
		if (!e)
			return -ENOMEM;
		l->entry = e;
		l->room = room;
	}
	e = &l->entry[l->n++];
	memcpy(&e->key, key, sizeof(e->key));
	memcpy(&e->value, value, sizeof(e->value));
	return 0;
}

static struct vml_id id_of(const struct vml_stack_key *k)
{
	struct vml_id id = id_of_process(&k->proc);

	id.tid = k->tid;
	id.tid_start_ns = k->start_ns;
	return id;
}

static uint32_t key_of(const struct vml_stack_key *k)
{
	return (k->kernel & 0xffff) | k->user << 16; /* ids are below VML_MAX_STACKS */
}
_Static_assert(VML_MAX_STACKS <= 0xffff, "two ids in a key");

static int in_order(const void *x, const void *y)
{
	const struct blamed *a = x, *b = y;
	struct vml_id i = id_of(&a->key), j = id_of(&b->key);
	uint32_t k = key_of(&a->key), l = key_of(&b->key);
	int c;

	i.doing = a->key.doing;
	j.doing = b->key.doing;
	c = vml_id_compare(&i, &j);
	return c ? c : (k > l) - (k < l);
}

/* In @prev, which is in order: it was shown. */
static bool was_shown(const struct list *prev, const struct blamed *e)
{
	return prev->n && bsearch(e, prev->entry, prev->n, sizeof(*e), in_order);
}

int stacks_read(struct stacks *s, const struct session *session, const struct tables *t)
{
	int fd = bpf_map__fd(session->skel->maps.stack_blame), err;
	struct list prev = s->now;
	size_t used = 0;

	s->now = s->before;
	s->before = prev;
	s->now.n = 0;
	err = map_each(fd, sizeof(struct vml_stack_key), sizeof(struct vml_stack_value), add, &s->now);
	if (err)
		return err;
	for (size_t i = 0; i < s->now.n; i++) {
		const struct blamed *e = &s->now.entry[i];
		const struct vml_id id = id_of(&e->key);

		/* as a blocker: its thread was shown for the last time, and it, too */
		if (!table_find(&t->threads, &id) && was_shown(&s->before, e))
			row_remove(session->skel, session->skel->maps.stack_blame, &e->key);
		else
			s->now.entry[used++] = *e;
	}
	s->now.n = used;
	if (used)
		qsort(s->now.entry, used, sizeof(*s->now.entry), in_order);
	vml_symbols_trim(s->symbols);
	return 0;
}

/* ---- frames */

static int compare(const void *x, const void *y)
{
	const struct resolved *a = x, *b = y;

	if (a->id != b->id)
		return a->id < b->id ? -1 : 1;
	return memcmp(&a->proc, &b->proc, sizeof(a->proc));
}

/* Of the tracepoint and the programs on it: every stack begins with them. */
static bool is_observer(const struct vml_frame *f)
{
	static const char *const prefix[] = { "bpf_prog_", "bpf_trace_run", "__bpf_trace_", "__traceiter_",
					      "__mmap_lock_do_trace_" };

	for (size_t i = 0; i < VML_ARRAY_SIZE(prefix); i++)
		if (!strncmp(f->function, prefix[i], strlen(prefix[i])))
			return true;
	return false;
}

static int resolve_all(struct stacks *s, struct resolved *r, const uint64_t *ip)
{
	const struct vml_id id = id_of_process(&r->proc);
	int err = 0;

	while (r->n < VML_STACK_DEPTH && ip[r->n])
		r->n++;
	r->frame = vml_arena_alloc(s->arena, r->n * sizeof(*r->frame));
	if (!r->frame)
		return -ENOMEM;
	for (uint32_t i = 0; i < r->n && !err; i++)
		err = r->proc.pid ? vml_symbols_user(s->symbols, &id, ip[i], i, s->arena, &r->frame[i])
				  : vml_symbols_kernel(s->symbols, ip[i], i, s->arena, &r->frame[i]);
	while (!err && !r->proc.pid && r->n && is_observer(r->frame)) {
		r->frame++;
		r->n--;
	}
	return err;
}

/* @proc NULL: of the kernel. NULL: out of memory, or the stack is not there. */
static const struct resolved *resolve(struct stacks *s, int fd, const struct vml_proc_key *proc, uint32_t id)
{
	struct resolved want = { .id = id }, *r, *const * found;
	uint64_t ip[VML_STACK_DEPTH];

	if (proc)
		want.proc = *proc;
	found = tfind(&want, &s->resolved, compare);
	if (found)
		return *found;
	if (bpf_map_lookup_elem(fd, &id, ip))
		return NULL;
	r = vml_arena_copy(s->arena, &want, sizeof(want));
	if (!r || resolve_all(s, r, ip) || !tsearch(r, &s->resolved, compare))
		return NULL;
	return r;
}

static int fill_frames(struct stacks *s, int fd, const struct vml_stack_key *k, struct vml_arena *a,
		       struct vml_stack *ret)
{
	const struct resolved *kernel = k->kernel == NO_STACK ? NULL : resolve(s, fd, NULL, k->kernel);
	const struct resolved *user = k->user == NO_STACK ? NULL : resolve(s, fd, &k->proc, k->user);
	struct vml_frame *frame;

	ret->nkernel = kernel ? kernel->n : 0;
	ret->nframes = ret->nkernel + (user ? user->n : 0);
	frame = vml_arena_alloc(a, ret->nframes * sizeof(*frame));
	if (!frame)
		return -ENOMEM;
	if (kernel)
		memcpy(frame, kernel->frame, kernel->n * sizeof(*frame));
	if (user)
		memcpy(frame + ret->nkernel, user->frame, user->n * sizeof(*frame));
	for (uint32_t i = 0; i < ret->nframes; i++) {
		frame[i].function = vml_arena_strdup(a, frame[i].function);
		frame[i].file = vml_arena_strdup(a, frame[i].file);
		frame[i].build_id = vml_arena_strdup(a, frame[i].build_id);
		if (!frame[i].function || !frame[i].file || !frame[i].build_id)
			return -ENOMEM;
	}
	ret->frame = frame;
	return 0;
}

int stacks_fill(struct vml_snapshot *snap, struct stacks *s, const struct session *session)
{
	int fd = bpf_map__fd(session->skel->maps.stack_traces), err = 0;
	struct vml_symbols_stats stats;
	char doing[DOING_MAX];

	if (session->skel->data->stacks_over_ns == VML_STACKS_OFF)
		return 0; /* none is not the same as nobody looked */
	snap->stack = vml_arena_alloc(snap->arena, s->now.n * sizeof(*snap->stack));
	if (!snap->stack)
		return -ENOMEM;
	for (size_t i = 0; i < s->now.n && !err; i++) {
		const struct blamed *e = &s->now.entry[i];
		struct vml_stack *x = &snap->stack[i];

		*x = (struct vml_stack){
			.id = id_of(&e->key),
			.comm = identity_comm(snap->arena, e->value.comm),
			.key = key_of(&e->key),
			.holds = e->value.hold.count,
			.hold_ns = e->value.hold.sum_ns,
			.max_ns = e->value.hold.max_ns,
			.blamed_ns = e->value.blamed_ns,
		};
		x->id.doing = e->key.doing;
		if (!x->comm)
			return -ENOMEM;
		x->context = vml_arena_strdup(snap->arena, doing_text(&x->id, x->comm, doing));
		if (!x->context)
			return -ENOMEM;
		err = fill_frames(s, fd, &e->key, snap->arena, x);
	}
	snap->nstack = s->now.n;
	vml_symbols_stats(s->symbols, &stats);
	snap->self.maps_read = stats.maps_read;
	return err;
}
