/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef VMALOCK_FUZZ_DELTA_H
#define VMALOCK_FUZZ_DELTA_H
/*
 * A host on which everything happens, and on which everybody has the names and numbers that the input says.  Names are
 * any bytes, as a process may call itself, its files and its cgroups: they come in as from BPF maps, by
 * src/collect/identity.c.
 */
#include <linux/types.h>

#include "collect/collect.h"
#include "fixtures/world.h"
#include "fuzz/input.h"
#include "vmalock/base.h"

#define NAMES 4 /* of a kind */
#define NAMES_FUNCTION 600 /* bytes of a function's */

struct names {
	const char *comm[NAMES], *path[NAMES], *cgroup[NAMES], *function[NAMES], *host;
};

/* ---- in place of the maps that have paths */

static struct vml_path names_path;

int bpf_map_lookup_elem(int fd, const void *key, void *value);
int bpf_map_lookup_elem(int fd, const void *key, void *value)
{
	(void)fd, (void)key;
	memcpy(value, &names_path, sizeof(names_path));
	return 0;
}

static inline const char *names_read_path(struct fuzz_input *in, struct vml_arena *a)
{
	uint64_t n = fuzz_take(in, 2);
	char *cleaned;
	const char *copy;

	memset(&names_path, 0, sizeof(names_path));
	names_path.truncated = n >> 15;
	fuzz_fill(in, names_path.text, n % (sizeof(names_path.text) + 1));
	cleaned = identity_path(-1, NULL);
	copy = cleaned ? vml_arena_strdup(a, cleaned) : NULL;
	fuzz_must(copy != NULL);
	free(cleaned);
	return copy;
}

static inline const char *names_read_comm(struct fuzz_input *in, struct vml_arena *a)
{
	char comm[16] = "";
	const char *copy;

	fuzz_fill(in, comm, fuzz_take(in, 1) % (sizeof(comm) + 1));
	copy = identity_comm(a, comm);
	fuzz_must(copy != NULL);
	return copy;
}

static inline const char *names_read_function(struct fuzz_input *in, struct vml_arena *a)
{
	char text[NAMES_FUNCTION], clean[4 * NAMES_FUNCTION + 1];
	uint64_t n = fuzz_take(in, 2) % (sizeof(text) + 1);
	const char *copy;

	fuzz_fill(in, text, n);
	vml_text_clean(clean, sizeof(clean), text, n);
	copy = vml_arena_strdup(a, clean);
	fuzz_must(copy != NULL);
	return copy;
}

static inline struct names names_read(struct fuzz_input *in, struct vml_arena *a)
{
	struct names n;

	for (int i = 0; i < NAMES; i++) {
		n.comm[i] = names_read_comm(in, a);
		n.cgroup[i] = names_read_path(in, a);
		n.path[i] = names_read_path(in, a);
		n.function[i] = names_read_function(in, a);
	}
	n.host = names_read_comm(in, a);
	return n;
}

/* ---- who has them */

static inline void names_give_row(const struct names *n, enum vml_scope scope, struct vml_row *r, size_t i)
{
	r->comm = n->comm[i % NAMES];
	r->cgroup = n->cgroup[i % NAMES];
	if (scope == VML_VMA)
		r->area.name = n->path[i % NAMES];
	if (scope != VML_BLOCKER)
		return;
	r->target = n->comm[(i + 1) % NAMES];
	r->target_cgroup = n->cgroup[(i + 1) % NAMES];
	r->victim_cgroup = n->cgroup[(i + 2) % NAMES];
	if (i % 2) /* of a thread of the kernel */
		r->context = n->comm[(i + 2) % NAMES];
}

static inline void names_give_stack(const struct names *n, struct vml_snapshot *s, struct vml_stack *x, size_t i)
{
	struct vml_frame *frame = vml_arena_copy(s->arena, x->frame, x->nframes * sizeof(*frame));

	fuzz_must(frame != NULL);
	x->comm = n->comm[i % NAMES];
	for (uint32_t k = 0; k < x->nframes; k++) {
		if (*frame[k].function)
			frame[k].function = n->function[(i + k) % NAMES];
		if (*frame[k].file)
			frame[k].file = n->path[(i + k) % NAMES];
	}
	x->frame = frame;
}

static inline void names_give(const struct names *n, struct vml_snapshot *s)
{
	for (int scope = 0; scope < VML_NSCOPES; scope++)
		for (size_t i = 0; i < s->rows[scope].n; i++)
			names_give_row(n, (enum vml_scope)scope, &s->rows[scope].row[i], i);
	for (size_t i = 0; i < s->nstack; i++)
		names_give_stack(n, s, &s->stack[i], i);
	for (size_t i = 0; i < s->nstall; i++) {
		struct vml_stall *x = &s->stall[i];

		x->comm = n->comm[0];
		if (x->held)
			x->holder_comm = x->context = n->comm[1];
	}
	s->host.name = n->host;
}

/* ---- what is counted */

static inline void delta_row_number(struct vml_row *r, unsigned int which, uint64_t v)
{
	if (which < VML_NMETRICS)
		r->value[which] = v;
	else if (which == VML_NMETRICS)
		r->area.end = v;
	else if (which == VML_NMETRICS + 1)
		r->area.inode = v;
	else if (which == VML_NMETRICS + 2)
		r->area.offset = v;
	else if (which == VML_NMETRICS + 3)
		r->hist[v % VML_HISTS].sum_ns = v;
	else if (which == VML_NMETRICS + 4)
		r->hist[v % VML_HISTS].max_ns = v;
	else
		r->threads = (uint32_t)v;
}

/* One of those that there is one of. */
static inline void delta_other_number(struct vml_snapshot *d, unsigned int which, uint64_t v)
{
	uint64_t *const number[] = {
		&d->interval_ns,
		&d->duty.attached_ns,
		&d->duty.of_ns,
		&d->duty.extrapolated,
		&d->duty.borrowed,
		&d->duty.held,
		&d->duty.unknown,
		&d->self.bpf_cost_ns,
		&d->self.cpu_ns,
		&d->self.rss_bytes,
		&d->self.map_bytes,
		&d->self.maps_read,
		&d->loss[0].count,
		&d->lookup[0].lookups,
		&d->lookup[0].aborts,
		&d->lookup[0].misses,
		&d->stall[0].wait_ns,
		&d->stall[0].hold_ns,
		&d->stack[0].holds,
		&d->stack[0].hold_ns,
		&d->stack[0].blamed_ns,
		&d->hist[0].sum_ns,
		&d->hist[1].max_ns,
		&d->have[which % VML_NSCOPES],
		&d->total[which % VML_NMETRICS],
	};

	*number[which % VML_ARRAY_SIZE(number)] = v;
}

/* Which one, in how many bytes it is, and the number. */
static inline void delta_number(struct fuzz_input *in, struct vml_snapshot *d)
{
	unsigned int where = (unsigned int)fuzz_take(in, 1), which = (unsigned int)fuzz_take(in, 1);
	uint64_t v = fuzz_take(in, (unsigned int)fuzz_take(in, 1) % 9);
	struct vml_rows *rows = &d->rows[where % VML_NSCOPES];

	if (where & 0x80 || !rows->n)
		delta_other_number(d, which, v);
	else
		delta_row_number(&rows->row[where / VML_NSCOPES % rows->n], which % (VML_NMETRICS + 6), v);
}

static inline void delta_numbers(struct fuzz_input *in, struct vml_snapshot *d)
{
	for (int n = (int)fuzz_take(in, 1); n; n--)
		delta_number(in, d);
	if (!d->interval_ns || d->interval_ns > d->boot_ns) /* it began after the boot */
		d->interval_ns = 1;
	for (int scope = 0; scope < VML_NSCOPES; scope++)
		d->have[scope] &= VML_METRIC_BIT(VML_NMETRICS) - 1;
	if (d->duty.attached_ns > d->duty.of_ns)
		d->duty.attached_ns = d->duty.of_ns;
}

/* ---- the host */

#define DELTA_SECONDS 4

/* What is counted since the beginning, after @second of them: made once, it is the same in each run. */
static inline const struct vml_snapshot *delta_host(unsigned int second)
{
	const struct world_options o = { .seed = 6, .processes = 2, .threads = 2, .busy = 80, .stacks = 2 };
	static struct vml_snapshot *made[DELTA_SECONDS + 1];
	struct world *w;

	fuzz_must(second <= DELTA_SECONDS);
	if (made[second])
		return made[second];
	w = world_new(&o);
	fuzz_must(w != NULL);
	for (unsigned int i = 0; i <= DELTA_SECONDS; i++) {
		made[i] = world_snapshot(w);
		fuzz_must(made[i] != NULL);
		world_step(w, 1000000000);
	}
	world_free(w);
	return made[second];
}

/* What has names, in an arena of its own; the rest is that of @of, which stays. */
static inline struct vml_snapshot *delta_copy(const struct vml_snapshot *of)
{
	struct vml_snapshot *s = vml_snapshot_new();
	struct vml_arena *a = s ? s->arena : NULL;

	fuzz_must(s != NULL);
	*s = *of;
	s->arena = a;
	for (int scope = 0; scope < VML_NSCOPES; scope++) {
		struct vml_rows *rows = &s->rows[scope];

		rows->row = vml_arena_copy(a, rows->row, rows->n * sizeof(*rows->row));
		fuzz_must(rows->row != NULL);
	}
	s->stack = vml_arena_copy(a, s->stack, s->nstack * sizeof(*s->stack));
	s->stall = vml_arena_copy(a, s->stall, s->nstall * sizeof(*s->stall));
	fuzz_must(s->stack && s->stall);
	return s;
}

/* The same with names. */
static inline struct vml_snapshot *delta_second(unsigned int second, struct fuzz_input *in)
{
	struct vml_snapshot *s = delta_copy(delta_host(second));
	struct names n = names_read(in, s->arena);

	names_give(&n, s);
	return s;
}

/* What happened in a second, with names and numbers; the caller frees it. */
static inline struct vml_snapshot *delta_read(unsigned int second, struct fuzz_input *in)
{
	struct vml_snapshot *s = delta_second(second, in), *d = NULL;

	fuzz_must(!vml_delta(delta_host(second - 1), s, &d));
	delta_numbers(in, d);
	vml_snapshot_free(s);
	return d;
}

#endif
