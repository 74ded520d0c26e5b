// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Who holds up whom: ledgers to their processes, rows of blockers, stalls that go on. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "collect.h"
#include "vmalock.skel.h"
#include "vmalock/base.h"

struct reader {
	struct tables *t;
	uint32_t pass;
	struct vmalock_bpf *skel;
};

static struct vml_image image(const struct vml_proc_key *k)
{
	return (struct vml_image){ .pid = k->pid, .exec = k->exec, .start_ns = k->start_ns };
}

static struct vml_id id_of_blocker(const struct vml_blocker_key *k)
{
	struct vml_id id = id_of_process(&k->proc);

	id.tid = k->tid;
	id.tid_start_ns = k->start_ns;
	id.doing = k->doing;
	id.write = k->write;
	id.target = image(&k->target);
	return id;
}

static bool readers_of_vmas(const struct vml_id *id)
{
	return VML_DOING_WHAT(id->doing) == VML_DOING_VMA_READ;
}

const char *blame_lock(const struct vml_id *id)
{
	return readers_of_vmas(id) ? "vma_read" : id->write ? "mmap_write" : "mmap_read";
}

/* Where its hold histogram is kept. */
static enum vml_time hold_of(const struct vml_id *id)
{
	return readers_of_vmas(id) ? VML_VMA_WRITE_WAIT : id->write ? VML_MMAP_WRITE_HOLD : VML_MMAP_READ_HOLD;
}

static int learn_victim(const struct tables *t, struct item *e, const struct vml_proc_key *victim)
{
	const struct vml_id id = id_of_process(victim);
	const struct item *process = victim->pid ? table_find(&t->processes, &id) : NULL;
	char *copy;

	if (!process || !process->cgroup || (e->victim_cgroup && !strcmp(e->victim_cgroup, process->cgroup)))
		return 0;
	copy = strdup(process->cgroup);
	if (!copy)
		return -ENOMEM;
	free(e->victim_cgroup);
	e->victim_cgroup = copy;
	return 0;
}

static int read_blocker(void *arg, const void *key, const void *value)
{
	const struct vml_id id = id_of_blocker(key);
	const struct vml_blocker_value *v = value;
	uint32_t cell[NCELLS_LOCKS] = {};
	struct reader *r = arg;
	struct reading *x;
	struct item *e;
	int err;

	e = table_read(&r->t->blockers, &id, false);
	if (!e)
		return -ENOMEM;
	x = e->reading;
	x->base[BASE_BLAMED] += v->blamed_ns;
	x->base[BASE_FOREIGN] += v->foreign_ns;
	x->base[BASE_AVOIDABLE] += v->avoidable_ns;
	x->base[BASE_VICTIMS] += v->victims;
	x->base[BASE_HOLDS] += v->hold.count;
	x->base[BASE_HOLD_NS] += v->hold.sum_ns;
	x->base[BASE_ON_CPU] += v->on_cpu_ns;
	x->base[BASE_RUNNABLE] += v->runnable_ns;
	x->base[BASE_SLEEP] += v->sleep_ns;
	x->base[BASE_RECLAIM] += v->reclaim_ns;
	x->base[BASE_IO] += v->io_ns;
	x->base[BASE_SWAP] += v->swap_ns;
	reading_add_times(x, hold_of(&id), &v->hold, 1);
	cells_add_hists(cell, hold_of(&id), &v->hold_hist, 1);
	err = item_raise_cells(e, cell, NCELLS_LOCKS, r->pass);
	if (!err)
		err = identity_text(&e->comm, v->comm, sizeof(v->comm));
	return err ? err : learn_victim(r->t, e, &v->victim);
}

int blame_read_blockers(struct tables *t, const struct session *s, uint32_t pass)
{
	struct reader r = { .t = t, .pass = pass };

	return map_each(bpf_map__fd(s->skel->maps.blockers), sizeof(struct vml_blocker_key),
			sizeof(struct vml_blocker_value), read_blocker, &r);
}

static int keep(struct tables *t, const struct vml_task_record *r)
{
	struct goes_on *g;
	size_t room;

	if (t->ngoes_on == t->goes_on_room) {
		room = t->goes_on_room ? 2 * t->goes_on_room : 64;
		g = reallocarray(t->goes_on, room, sizeof(*g));
		if (!g)
			return -ENOMEM;
		t->goes_on = g;
		t->goes_on_room = room;
	}
	g = &t->goes_on[t->ngoes_on++];
	g->id = id_of_process(&r->proc);
	g->id.tid = r->tid;
	g->id.tid_start_ns = r->start_ns;
	g->now = r->now;
	memcpy(g->comm, r->comm, sizeof(g->comm));
	return 0;
}

int blame_read_thread(struct tables *t, const struct vml_task_record *r)
{
	const struct vml_now *now = &r->now;
	struct vml_id id;
	struct item *e;
	int err;

	if (now->wait_ns >= VML_STALL_NS || (now->hold_ns && now->victims)) {
		err = keep(t, r);
		if (err)
			return err;
	}
	if (!now->hold_ns || !now->blamed_ns)
		return 0;
	id = id_of_blocker(&now->holds);
	e = table_read(&t->blockers, &id, false);
	if (!e)
		return -ENOMEM;
	e->reading->base[BASE_BLAMED] += now->blamed_ns;
	e->reading->base[BASE_FOREIGN] += now->foreign_ns;
	e->reading->base[BASE_AVOIDABLE] += now->avoidable_ns;
	return identity_text(&e->comm, r->comm, sizeof(r->comm));
}

static int read_ledger(void *arg, const void *key, const void *value)
{
	const struct vml_mm *m = value;
	const struct vml_id id = id_of_process(&m->owner);
	struct reader *r = arg;
	struct item *e;

	if (!m->owned) /* in fork or exec: its process is about to be known */
		return 0;
	e = table_find(&r->t->processes, &id);
	if (!e) /* younger than this pass's look at the processes */
		return 0;
	if (item_read(e, true))
		return -ENOMEM;
	/* the process is gone, and nobody saw the end of its memory: what it came to is kept by the row */
	if (e->reported && !m->ledger.waiting && !m->ledger.holding && m->ledger.now + LOST_NS < vml_now_mono())
		row_remove(r->skel, r->skel->maps.ledgers, key);
	else
		e->ledgers++;
	e->reading->base[BASE_BLAMED] += vml_ledger_blamed(&m->ledger);
	e->reading->base[BASE_AVOIDABLE] += vml_ledger_avoidable(&m->ledger);
	e->reading->base[BASE_HANDOVER] += m->ledger.handover_ns;
	e->reading->base[BASE_RUNQUEUE] += m->ledger.runqueue_ns;
	r->t->ledger_error_ns += llabs(vml_ledger_error(&m->ledger));
	return 0;
}

int blame_read_ledgers(struct tables *t, const struct session *s)
{
	struct reader r = { .t = t, .skel = s->skel };

	return map_each_locked(bpf_map__fd(s->skel->maps.ledgers), sizeof(__u64), sizeof(struct vml_mm), read_ledger,
			       &r);
}

/* ---- stalls */

static const char *const states[] = {
	[VML_TASK_RUNNING] = "running",
	[VML_TASK_RUNNABLE] = "runnable",
	[VML_TASK_SLEEPING] = "sleeping",
	[VML_TASK_BLOCKED] = "blocked",
};

static bool same_key(const struct vml_proc_key *a, const struct vml_proc_key *b)
{
	return a->pid == b->pid && a->exec == b->exec && a->start_ns == b->start_ns;
}

/* Who holds the lock of @target, with the most to answer for. */
static const struct goes_on *holder_of(const struct tables *t, const struct vml_proc_key *target)
{
	const struct goes_on *best = NULL;

	for (size_t i = 0; i < t->ngoes_on; i++) {
		const struct goes_on *g = &t->goes_on[i];

		if (g->now.hold_ns && target->pid && same_key(&g->now.holds.target, target) &&
		    (!best || g->now.blamed_ns > best->now.blamed_ns))
			best = g;
	}
	return best;
}

static int fill_stall(struct vml_arena *a, const struct tables *t, const struct goes_on *g, struct vml_stall *x)
{
	const struct goes_on *h = holder_of(t, &g->now.wait_target);
	char doing[DOING_MAX];

	*x = (struct vml_stall){
		.id = g->id,
		.comm = identity_comm(a, g->comm),
		.write = g->now.wait_write,
		.wait_ns = g->now.wait_ns,
		.target = image(&g->now.wait_target),
		.waiters = 1,
		.writers = g->now.wait_write,
		.holder_comm = "",
		.context = "",
		.state = "",
	};
	if (h) {
		x->held = true;
		x->holder = id_of_blocker(&h->now.holds);
		x->holder_comm = identity_comm(a, h->comm);
		if (!x->holder_comm)
			return -ENOMEM;
		x->context = vml_arena_strdup(a, doing_text(&x->holder, x->holder_comm, doing));
		x->state = states[h->now.state % VML_ARRAY_SIZE(states)];
		x->hold_ns = h->now.hold_ns;
	}
	return x->comm && x->context ? 0 : -ENOMEM;
}

/* One more, who does not wait longer than those before. */
static void add_waiter(struct vml_stall *x, const struct vml_now *now)
{
	x->waiters++;
	x->writers += now->wait_write;
	if (now->wait_write != x->write && !x->other_ns)
		x->other_ns = now->wait_ns;
}

static int longer_first(const void *a, const void *b)
{
	const struct goes_on *x = a, *y = b;

	return (x->now.wait_ns < y->now.wait_ns) - (x->now.wait_ns > y->now.wait_ns);
}

int blame_fill_stalls(struct vml_snapshot *s, const struct tables *t)
{
	size_t k;
	int err = 0;

	s->stall = vml_arena_alloc(s->arena, t->ngoes_on * sizeof(*s->stall));
	if (!s->stall)
		return -ENOMEM;
	if (t->ngoes_on)
		qsort(t->goes_on, t->ngoes_on, sizeof(*t->goes_on), longer_first);
	for (size_t i = 0; i < t->ngoes_on && !err; i++) {
		const struct goes_on *g = &t->goes_on[i];
		const struct vml_image target = image(&g->now.wait_target);

		if (g->now.wait_ns < VML_STALL_NS)
			break;
		for (k = 0; k < s->nstall; k++) {
			const struct vml_image *x = &s->stall[k].target;

			if (x->pid == target.pid && x->exec == target.exec && x->start_ns == target.start_ns)
				break;
		}
		if (k < s->nstall)
			add_waiter(&s->stall[k], &g->now);
		else
			err = fill_stall(s->arena, t, g, &s->stall[s->nstall++]);
	}
	return err;
}
