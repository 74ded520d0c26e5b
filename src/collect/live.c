// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * The live source: one pass over maps and threads, one snapshot.
 *
 * Order of a pass: rows of processes, of blockers, of VMAs, threads, ledgers,
 * records of threads that ended.  What moves must be looked for where it goes to before it is looked
 * for where it comes from, or it is seen twice; missed once, it is there in the
 * next pass (collect.h):
 *	threads after processes	an exiting thread adds its numbers to its process
 *	threads after VMAs	a thread adds what is pending to the row of its VMA
 *	VMAs after processes	a process that is seen as exited had given all to its
 *				VMAs before; the rows, shown for the last time, are complete
 *	threads after blockers	a hold that goes on is its thread's, one that ended its row's
 *	ledgers after processes	the ledger of an mm that is gone is its process's
 * A process is the sum of its row and of its threads, a VMA that of its row and
 * of what is pending; so their readings wait in the entry until all are seen.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "collect.h"
#include "vmalock.skel.h"
#include "vmalock/base.h"

/* Rows of VMAs that did not change for so many passes make room when the map is nearly full. */
#define IDLE_PASSES 60
/* A thread that was not seen for so many passes is gone: the ring had no room for its record. */
#define LOST_PASSES 5

struct live {
	struct vml_source source; /* first */
	struct session session;
	struct ring_buffer *exits;
	struct stacks *stacks;
	struct tables t;
	uint32_t pass;
	uint64_t now; /* of the pass, CLOCK_MONOTONIC */
	uint32_t max_vmas;
	int err; /* first error inside a callback */
};

static struct live *to_live(struct vml_source *s)
{
	return (struct live *)s;
}

static struct vml_proc_key process_key(const struct vml_id *id)
{
	return (struct vml_proc_key){ .pid = id->pid, .exec = id->exec, .start_ns = id->start_ns };
}

static bool is_untracked(const struct vml_id *id)
{
	return !id->pid && !id->start_ns;
}

/* ---- reading: processes */

static int set_cgroup(struct live *l, struct item *e, uint64_t id)
{
	char *path;

	if (e->cgroup && *e->cgroup && e->cgroup_id == id)
		return 0;
	path = identity_path(bpf_map__fd(l->session.skel->maps.cgroups), &id);
	if (!path)
		return -ENOMEM;
	free(e->cgroup);
	e->cgroup = path;
	e->cgroup_id = id;
	return 0;
}

static int read_process(void *arg, const void *key, const void *value)
{
	const struct vml_id id = id_of_process(key);
	const struct vml_proc_value *v = value;
	struct live *l = arg;
	struct item *e;
	int err;

	e = table_read(&l->t.processes, &id, true);
	if (!e)
		return -ENOMEM;
	reading_add_counts(e->reading, &v->count);
	e->reading->base[BASE_LOCK_EVENTS] += v->lock_events;
	e->reading->base[BASE_LOCK_FAILED] += v->lock_failed;
	e->reading->base[BASE_WRITE_READERS] += v->write_readers;
	e->reading->base[BASE_BLAMED] += v->ledger.blamed_ns;
	e->reading->base[BASE_AVOIDABLE] += v->ledger.avoidable_ns;
	e->reading->base[BASE_HANDOVER] += v->ledger.handover_ns;
	e->reading->base[BASE_RUNQUEUE] += v->ledger.runqueue_ns;
	l->t.ledger_error_ns += llabs(v->ledger.error_ns);
	reading_add_times(e->reading, 0, v->lock, VML_NLOCKSTATS);
	cells_add_hists(e->reading_cell, 0, v->hist, VML_NLOCKSTATS);
	cells_add_reasons(e->reading_cell, v->reason);
	e->live = v->live;
	e->ledgers = 0;
	e->alive = 0;
	e->gone = v->exited && v->live <= e->lost;
	e->threads = 0;
	if (e->seen && !e->gone)
		return 0; /* its threads know better */
	e->uid = v->uid;
	e->ns_pid = v->ns_pid;
	err = identity_text(&e->comm, v->comm, sizeof(v->comm));
	return err ? err : set_cgroup(l, e, v->cgroup_id);
}

/* What only processes have; their rows are there already. */
static int read_times(void *arg, const void *key, const void *value)
{
	const struct vml_id id = id_of_process(key);
	const struct vml_times_value *v = value;
	struct live *l = arg;
	struct item *e;

	e = table_find(&l->t.processes, &id);
	if (!e) /* younger than this pass's look at the processes */
		return 0;
	if (item_read(e, true))
		return -ENOMEM;
	reading_add_times(e->reading, VML_NLOCKSTATS, v->sum, VML_NPROCTIMES);
	cells_add_hists(e->reading_cell, VML_NLOCKSTATS, v->hist, VML_NPROCTIMES);
	return 0;
}

/* ---- reading: VMAs */

static int read_vma(void *arg, const void *key, const void *value)
{
	const struct vml_id id = id_of_vma(key);
	const struct vml_vma_value *v = value;
	uint32_t cell[NCELLS_LOCKS] = {};
	struct live *l = arg;
	struct item *e;
	int err;

	e = table_read(&l->t.vmas, &id, false);
	if (!e)
		return -ENOMEM;
	reading_add_counts(e->reading, &v->count);
	reading_add_times(e->reading, VML_MMAP_READ_WAIT, &v->wait, 1);
	reading_add_times(e->reading, VML_VMA_WRITE_WAIT, &v->write_wait, 1);
	e->reading->base[BASE_WRITE_READERS] += v->write_readers;
	/* its cells have no other part: no need to keep them until the end of the pass */
	cells_add_hists(cell, VML_MMAP_READ_WAIT, &v->wait_hist, 1);
	cells_add_hists(cell, VML_VMA_WRITE_WAIT, &v->write_wait_hist, 1);
	cells_add_reasons(cell, v->reason);
	err = item_raise_cells(e, cell, NCELLS_LOCKS, l->pass);
	return err ? err : identity_area(e, bpf_map__fd(l->session.skel->maps.files), v);
}

/* What a thread has counted in its current VMA and not yet added to the row. */
static int add_pending(struct live *l, const struct vml_task_record *t)
{
	struct vml_id id = id_of_vma(&t->row);
	struct item *e;

	if (!id.anchor)
		return 0;
	e = table_find(&l->t.vmas, &id);
	if (!e) /* the row is younger than this pass's look at the map */
		return 0;
	if (item_read(e, false))
		return -ENOMEM;
	reading_add_counts(e->reading, &t->pending);
	return 0;
}

/* ---- reading: threads */

static int raise_thread(struct live *l, const struct vml_task_record *t, const __u32 (*hist)[VML_HIST_BUCKETS],
			struct item **ret)
{
	uint32_t cell[NCELLS_LOCKS], n = hist ? NCELLS_LOCKS : CELL(0, 0); /* reasons come first */
	struct vml_id id = id_of_process(&t->proc);
	struct reading r = {};
	struct item *e;
	int err;

	id.tid = t->tid;
	id.tid_start_ns = t->start_ns;
	e = table_get(&l->t.threads, &id);
	if (!e)
		return -ENOMEM;
	reading_add_record(&r, t);
	memset(cell, 0, n * sizeof(*cell));
	cells_add_reasons(cell, t->reason);
	if (hist)
		cells_add_hists(cell, 0, hist, VML_NLOCKSTATS);
	e->uid = t->uid;
	e->ns_pid = t->ns_pid;
	e->gone = t->exited;
	item_raise(e, &r, l->pass);
	err = identity_text(&e->comm, t->comm, sizeof(t->comm));
	*ret = e;
	return err ? err : item_raise_cells(e, cell, n, l->pass);
}

static int read_thread(void *arg, const struct vml_task_record *t, const __u32 (*hist)[VML_HIST_BUCKETS])
{
	const struct vml_id id = id_of_process(&t->proc);
	struct item *thread, *process;
	struct live *l = arg;
	int err;

	if (t->folded) {
		process = table_find(&l->t.processes, &id);
		if (process)
			process->alive++;
		return 0;
	}
	err = raise_thread(l, t, hist, &thread);
	if (err)
		return err;
	process = table_read(&l->t.processes, &id, true);
	if (!process)
		return -ENOMEM;
	reading_add_record(process->reading, t);
	item_add_cells(thread, process->reading_cell);
	process->gone = false;
	process->alive++;
	process->uid = t->uid;
	process->ns_pid = t->ns_pid;
	process->threads = t->threads;
	err = set_cgroup(l, process, t->cgroup_id);
	if (!err && (t->leader || !process->comm))
		err = identity_text(&process->comm, t->comm, sizeof(t->comm));
	if (!err)
		err = blame_read_thread(&l->t, t);
	return err ? err : add_pending(l, t);
}

static int read_exit(void *arg, void *data, size_t size)
{
	struct item *thread;
	struct live *l = arg;

	if (size >= sizeof(struct vml_task_record))
		l->err = raise_thread(l, data, NULL, &thread);
	return l->err;
}

static void settle(struct item *e, void *arg)
{
	struct live *l = arg;

	if (!l->err)
		l->err = item_settle(e, l->pass);
}

static void count_missed(struct item *e, void *arg)
{
	struct live *l = arg;

	l->t.exits_missed += missed_exits(e, l->now);
}

/* ---- retiring: rows of what is gone, after it was shown once */

struct sweep {
	struct live *live;
	struct item **item;
	size_t n, room;
	uint32_t idle; /* VMAs: retire also what is idle for so long; 0: do not */
};

static void sweep_add(struct sweep *s, struct item *e)
{
	if (s->n < s->room)
		s->item[s->n++] = e;
}

static void find_dead_process(struct item *e, void *arg)
{
	if (e->reported && !e->ledgers)
		sweep_add(arg, e);
}

static void find_dead_thread(struct item *e, void *arg)
{
	struct sweep *s = arg;

	if (e->reported || s->live->pass - e->seen > LOST_PASSES)
		sweep_add(s, e);
}

static void find_dead_vma(struct item *e, void *arg)
{
	struct vml_id id = { .pid = e->id.pid, .exec = e->id.exec, .start_ns = e->id.start_ns };
	struct sweep *s = arg;
	struct item *p = table_find(&s->live->t.processes, &id);

	if (is_untracked(&e->id))
		return;
	/* without a row of its process: that is gone, or younger than the last look at the processes */
	e->orphaned = p ? 0 : e->orphaned + 1;
	if (e->orphaned > 1 || (p && p->reported) || (s->idle && s->live->pass - e->changed > s->idle))
		sweep_add(s, e);
}

/*
 * Its thread, or for readers of VMAs its process, has no row any more: it was shown
 * for the last time in the pass before, so what it was charged last is in this row.
 */
static void find_dead_blocker(struct item *e, void *arg)
{
	struct vml_id id = { .pid = e->id.pid, .exec = e->id.exec, .start_ns = e->id.start_ns };
	struct sweep *s = arg;
	struct tables *t = &s->live->t;

	if (is_untracked(&e->id))
		return;
	if (e->id.tid) {
		id.tid = e->id.tid;
		id.tid_start_ns = e->id.tid_start_ns;
	}
	if (!table_find(e->id.tid ? &t->threads : &t->processes, &id)) {
		sweep_add(s, e);
		return;
	}
	/* or it is about the lock of a process that is gone; one that is too young to have a row is not */
	id = (struct vml_id){ .pid = e->id.target.pid, .exec = e->id.target.exec, .start_ns = e->id.target.start_ns };
	e->orphaned = !id.pid || table_find(&t->processes, &id) ? 0 : e->orphaned + 1;
	if (e->orphaned > 1 && s->live->pass - e->changed > 1)
		sweep_add(s, e);
}

static int sweep(struct live *l, struct table *t, void (*find)(struct item *, void *), uint32_t idle,
		 void (*retire)(struct live *, struct item *))
{
	struct sweep s = { .live = l, .room = t->n, .idle = idle };

	s.item = calloc(t->n + 1, sizeof(struct item *));
	if (!s.item)
		return -ENOMEM;
	table_walk(t, find, &s);
	for (size_t i = 0; i < s.n; i++) {
		if (retire)
			retire(l, s.item[i]);
		table_remove(t, s.item[i]);
	}
	free(s.item);
	return 0;
}

static void retire_process(struct live *l, struct item *e)
{
	struct vml_proc_key key = process_key(&e->id);

	bpf_map_delete_elem(bpf_map__fd(l->session.skel->maps.processes), &key);
	bpf_map_delete_elem(bpf_map__fd(l->session.skel->maps.times), &key);
	if (item_retire(&l->t.retired, e))
		l->err = -ENOMEM;
}

static void retire_vma(struct live *l, struct item *e)
{
	struct vml_vma_key key = { .proc = process_key(&e->id), .anchor = e->id.anchor };

	bpf_map_delete_elem(bpf_map__fd(l->session.skel->maps.vmas), &key);
}

static void retire_blocker(struct live *l, struct item *e)
{
	const struct vml_image *i = &e->id.target;
	struct vml_blocker_key key = {
		.proc = process_key(&e->id),
		.start_ns = e->id.tid_start_ns,
		.tid = e->id.tid,
		.doing = e->id.doing,
		.target = { .pid = i->pid, .exec = i->exec, .start_ns = i->start_ns },
		.write = e->id.write,
	};

	bpf_map_delete_elem(bpf_map__fd(l->session.skel->maps.blockers), &key);
}

static int retire(struct live *l)
{
	uint32_t vmas = l->t.vmas.n, idle = vmas > l->max_vmas / 4 * 3 ? IDLE_PASSES : 0;
	int err;

	/* blockers and VMAs first: they ask for their thread and process */
	err = sweep(l, &l->t.blockers, find_dead_blocker, 0, retire_blocker);
	if (!err)
		err = sweep(l, &l->t.vmas, find_dead_vma, idle, retire_vma);
	if (l->t.vmas.n < vmas) /* the core must not believe that they are still there */
		memset(l->session.skel->bss->known_rows, 0, sizeof(l->session.skel->bss->known_rows));
	if (!err)
		err = sweep(l, &l->t.threads, find_dead_thread, 0, NULL);
	if (!err)
		err = sweep(l, &l->t.processes, find_dead_process, 0, retire_process);
	return err ? err : l->err;
}

/* ---- one pass */

static int pass(struct live *l)
{
	struct vmalock_bpf *skel = l->session.skel;
	int err;

	l->pass++;
	l->now = vml_now_mono();
	l->err = 0;
	l->t.ngoes_on = 0;
	l->t.ledger_error_ns = 0;
	err = retire(l);
	if (!err)
		err = map_each(bpf_map__fd(skel->maps.processes), sizeof(struct vml_proc_key),
			       sizeof(struct vml_proc_value), read_process, l);
	if (!err)
		err = blame_read_blockers(&l->t, &l->session, l->pass);
	if (!err)
		err = map_each(bpf_map__fd(skel->maps.vmas), sizeof(struct vml_vma_key), sizeof(struct vml_vma_value),
			       read_vma, l);
	if (!err)
		err = tasks_each(l->session.iter_fd, read_thread, l);
	if (!err)
		err = map_each(bpf_map__fd(skel->maps.times), sizeof(struct vml_proc_key),
			       sizeof(struct vml_times_value), read_times, l);
	if (!err)
		err = blame_read_ledgers(&l->t, &l->session);
	if (!err)
		ring_buffer__consume(l->exits);
	if (!err)
		err = stacks_read(l->stacks, &l->session, &l->t);
	table_walk(&l->t.vmas, settle, l);
	table_walk(&l->t.blockers, settle, l);
	table_walk(&l->t.processes, settle, l);
	if (!err)
		table_walk(&l->t.processes, count_missed, l);
	return err ? err : l->err;
}

static int live_next(struct vml_source *source, struct vml_snapshot **ret)
{
	struct live *l = to_live(source);
	struct vml_snapshot *s;
	int64_t skipped;
	int err;

	err = pass(l);
	if (err)
		return err;
	if (l->pass % 16 == 1)
		l->t.map_bytes = maps_bytes(&l->session);
	skipped = hooks_perf_skipped(&l->session);
	if (skipped > (int64_t)l->t.perf_skipped)
		l->t.perf_skipped = skipped;
	s = vml_snapshot_new();
	if (!s)
		return -ENOMEM;
	err = snapshot_fill(s, &l->session, &l->t);
	if (!err)
		err = stacks_fill(s, l->stacks, &l->session);
	if (err) {
		vml_snapshot_free(s);
		return err;
	}
	*ret = s;
	return 0;
}

static void live_close(struct vml_source *source)
{
	struct live *l = to_live(source);

	ring_buffer__free(l->exits);
	stacks_close(l->stacks);
	session_close(&l->session);
	table_free(&l->t.processes);
	table_free(&l->t.threads);
	table_free(&l->t.vmas);
	table_free(&l->t.blockers);
	free(l->t.goes_on);
	free(l->t.retired.cell);
	free(l);
}

static const struct vml_caps *live_caps(const struct vml_source *source)
{
	return &((const struct live *)source)->session.caps;
}

static const struct vml_source_ops live_ops = {
	.next = live_next,
	.close = live_close,
	.caps = live_caps,
};

int vml_live_open(const struct vml_live_options *o, struct vml_source **ret, char error[VML_ERROR_MAX])
{
	struct live *l = calloc(1, sizeof(*l));
	int err;

	if (!l) {
		snprintf(error, VML_ERROR_MAX, "out of memory");
		return -ENOMEM;
	}
	l->source.ops = &live_ops;
	err = session_open(&l->session, o, error);
	if (err) {
		free(l);
		return err;
	}
	err = stacks_open(&l->stacks);
	if (err) {
		snprintf(error, VML_ERROR_MAX, "out of memory");
		live_close(&l->source);
		return err;
	}
	l->max_vmas = bpf_map__max_entries(l->session.skel->maps.vmas);
	l->exits = ring_buffer__new(bpf_map__fd(l->session.skel->maps.exits), read_exit, l, NULL);
	if (!l->exits) {
		err = -errno;
		caps_explain(err, "map the ring of exited threads", error);
		live_close(&l->source);
		return err;
	}
	*ret = &l->source;
	return 0;
}

int vml_live_probe(const struct vml_live_options *o, struct vml_caps *caps, char error[VML_ERROR_MAX])
{
	struct session s;
	int err;

	bool multi;

	err = session_open(&s, o, error);
	if (!err)
		session_close(&s);
	caps_from_vmstat(&s.caps);
	if (s.caps.cap[VML_CAP_FENTRY].state == VML_CAP_UNKNOWN)
		caps_try_fentry(&s.caps);
	if (s.caps.cap[VML_CAP_KPROBE].state == VML_CAP_UNKNOWN)
		caps_try_kprobe(&s.caps, &multi);
	*caps = s.caps;
	return err;
}
