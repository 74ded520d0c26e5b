// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * One pass over maps and threads.
 *
 * Order: rows of processes, of blockers, of VMAs, threads, ledgers,
 * records of threads that ended.  What moves must be looked for where it goes to before it is looked
 * for where it comes from, or it is seen twice; missed once, it is there in the
 * next pass:
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
#include <stdlib.h>
#include <string.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "collect.h"
#include "vmalock.skel.h"
#include "vmalock/base.h"

/* A thread that was not seen for so many passes is gone: the ring had no room for its record. */
#define LOST_PASSES 5

static struct vml_proc_key process_key(const struct vml_id *id)
{
	return (struct vml_proc_key){ .pid = id->pid, .exec = id->exec, .start_ns = id->start_ns };
}

/* Rows that stay: what nobody had room for. */
static bool is_untracked(const struct vml_id *id)
{
	return !id->pid && !id->tid;
}

/* ---- reading: processes */

static int read_process(void *arg, const void *key, const void *value)
{
	const struct vml_id id = id_of_process(key);
	const struct vml_proc_value *v = value;
	struct collector *c = arg;
	struct item *e;
	int err;

	e = table_read(&c->t.processes, &id, true);
	if (!e)
		return -ENOMEM;
	reading_add_counts(e->reading, &v->count);
	e->reading->base[BASE_TASK_FAULTS] += v->task_faults;
	e->reading->base[BASE_LOCK_EVENTS] += v->lock_events;
	e->reading->base[BASE_LOCK_FAILED] += v->lock_failed;
	e->reading->base[BASE_WRITE_READERS] += v->write_readers;
	e->reading->base[BASE_BLAMED] += v->ledger.blamed_ns;
	e->reading->base[BASE_AVOIDABLE] += v->ledger.avoidable_ns;
	e->reading->base[BASE_HANDOVER] += v->ledger.handover_ns;
	e->reading->base[BASE_RUNQUEUE] += v->ledger.runqueue_ns;
	c->t.ledger_error_ns += llabs(v->ledger.error_ns);
	reading_add_times(e->reading, 0, v->lock, VML_NLOCKSTATS);
	cells_add_hists(e->reading_cell, 0, v->hist, VML_NLOCKSTATS);
	cells_add_reasons(e->reading_cell, v->reason);
	e->live = missed_live(v->live);
	e->ledgers = 0;
	e->alive = 0;
	e->gone = v->exited && e->live <= e->lost;
	if (e->seen && !e->gone)
		return 0; /* its threads know better */
	e->uid = v->uid;
	e->ns_pid = v->ns_pid;
	err = identity_text(&e->comm, v->comm, sizeof(v->comm));
	return err ? err : identity_cgroup(e, bpf_map__fd(c->session.skel->maps.cgroups), v->cgroup_id);
}

/* What only processes have; their rows are there already. */
static int read_times(void *arg, const void *key, const void *value)
{
	const struct vml_id id = id_of_process(key);
	const struct vml_times_value *v = value;
	struct collector *c = arg;
	struct item *e;

	e = table_find(&c->t.processes, &id);
	if (!e) /* younger than this pass's look at the processes */
		return 0;
	if (item_read(e, true))
		return -ENOMEM;
	reading_add_times(e->reading, VML_NLOCKSTATS, v->sum, VML_NPROCTIMES);
	cells_add_hists(e->reading_cell, VML_NLOCKSTATS, v->hist, VML_NPROCTIMES);
	return 0;
}

/* ---- reading: VMAs */

static int read_vma(void *arg, const struct vml_vma_key *key, const struct vml_vma_value *v)
{
	const struct vml_id id = id_of_vma(key);
	uint32_t cell[NCELLS_LOCKS] = {};
	struct collector *c = arg;
	struct item *e;
	int err;

	e = table_get(&c->t.vmas, &id);
	if (!e || item_read(e, false))
		return -ENOMEM;
	e->row = v->count;
	if (e->seen == c->t.pass) /* rows came and went meanwhile: this one comes again */
		*e->reading = (struct reading){};
	e->seen = c->t.pass;
	reading_add_times(e->reading, VML_MMAP_READ_WAIT, &v->wait, 1);
	/* its cells have no other part: no need to keep them until the end of the pass */
	cells_add_hists(cell, VML_MMAP_READ_WAIT, &v->wait_hist, 1);
	cells_add_reasons(cell, v->reason);
	err = item_raise_cells(e, cell, NCELLS_LOCKS, c->t.pass);
	return err ? err : identity_area(e, bpf_map__fd(c->session.skel->maps.files), v);
}

/* What only some have; their rows are there already. */
static int read_write_wait(void *arg, const void *key, const void *value)
{
	const struct vml_id id = id_of_vma(key);
	const struct vml_write_wait *w = value;
	uint32_t cell[NCELLS_LOCKS] = {};
	struct collector *c = arg;
	struct item *e;

	e = table_find(&c->t.vmas, &id);
	if (!e) /* younger than this pass's look at the rows */
		return 0;
	if (item_read(e, false))
		return -ENOMEM;
	reading_add_times(e->reading, VML_VMA_WRITE_WAIT, &w->sum, 1);
	e->reading->base[BASE_WRITE_READERS] += w->readers;
	cells_add_hists(cell, VML_VMA_WRITE_WAIT, &w->hist, 1);
	return item_raise_cells(e, cell, NCELLS_LOCKS, c->t.pass);
}

static void counts_add(struct vml_counts *to, const struct vml_counts *c)
{
	to->faults_user += c->faults_user;
	to->faults_kernel += c->faults_kernel;
	to->fallbacks += c->fallbacks;
	to->aborts += c->aborts;
	to->retries += c->retries;
	to->bypasses += c->bypasses;
	to->misses += c->misses;
}

/*
 * What a thread has counted in its VMA and not yet added to the row.  @changed: that is another number
 * than in the pass before, or of another VMA.
 */
static int add_pending(struct collector *c, const struct item *thread, bool changed)
{
	struct item *e = thread->pending_of;

	if (!e)
		return 0;
	if (e->pending_in != c->t.pass)
		e->pending = (struct vml_counts){};
	e->pending_in = c->t.pass;
	counts_add(&e->pending, &thread->pending);
	return changed ? item_read(e, false) : 0;
}

static int learn_pending(struct collector *c, struct item *thread, const struct vml_task_record *t)
{
	struct vml_id id = id_of_vma(&t->row);

	thread->pending = t->pending;
	/* NULL also when the row is younger than this pass's look at the map; the record comes again */
	thread->pending_of = id.anchor ? table_find(&c->t.vmas, &id) : NULL;
	return add_pending(c, thread, true);
}

/* After the threads: the rows that changed, and those with threads that did. */
static void add_counts(struct collector *c)
{
	struct item *e;

	LIST_FOREACH(e, &c->t.vmas.reads, reads)
	{
		reading_add_counts(e->reading, &e->row);
		if (e->pending_in == c->t.pass)
			reading_add_counts(e->reading, &e->pending);
	}
}

/* ---- reading: threads */

static int raise_thread(struct collector *c, const struct vml_task_record *t, const __u32 (*hist)[VML_HIST_BUCKETS],
			struct item **ret)
{
	uint32_t cell[NCELLS_LOCKS], n = hist ? NCELLS_LOCKS : CELL(0, 0); /* reasons come first */
	struct vml_id id = id_of_process(&t->proc);
	struct reading r = {};
	struct item *e;
	int err;

	id.tid = t->tid;
	id.tid_start_ns = t->start_ns;
	e = table_get(&c->t.threads, &id);
	if (!e)
		return -ENOMEM;
	*ret = e;
	reading_add_record(&r, t);
	memset(cell, 0, n * sizeof(*cell));
	cells_add_reasons(cell, t->reason);
	if (hist)
		cells_add_hists(cell, 0, hist, VML_NLOCKSTATS);
	e->uid = t->uid;
	e->ns_pid = t->ns_pid;
	e->gone = t->exited;
	err = item_raise(e, &r, c->t.pass);
	if (!err)
		err = identity_text(&e->comm, t->comm, sizeof(t->comm));
	return err ? err : item_raise_cells(e, cell, n, c->t.pass);
}

static struct item *process_of_thread(struct collector *c, struct item *thread)
{
	const struct vml_id id = { .pid = thread->id.pid, .exec = thread->id.exec, .start_ns = thread->id.start_ns };
	struct item *process = item_process(&c->t, thread);

	if (!process)
		thread->process = process = table_get(&c->t.processes, &id);
	if (!process || item_read(process, true))
		return NULL;
	process->gone = false;
	process->alive++;
	return process;
}

/* A thread that is in sight, and nothing else is new of it. */
static int read_same(struct collector *c, const struct vml_task_record *t)
{
	struct vml_id id = id_of_process(&t->proc);
	struct item *thread, *process;

	id.tid = t->tid;
	id.tid_start_ns = t->start_ns;
	thread = table_find(&c->t.threads, &id);
	if (!thread) { /* it was lost from sight for so long that its row went */
		c->again = true;
		return 0;
	}
	thread->seen = c->t.pass;
	process = process_of_thread(c, thread);
	if (!process)
		return -ENOMEM;
	reading_add_thread(process->reading, thread);
	item_add_cells(thread, process->reading_cell);
	return add_pending(c, thread, false);
}

static int describe_process(struct collector *c, struct item *process, const struct vml_task_record *t)
{
	int err;

	process->uid = t->uid;
	process->ns_pid = t->ns_pid;
	process->threads = t->threads;
	if (t->mappings)
		process->mappings = t->mappings;
	err = identity_cgroup(process, bpf_map__fd(c->session.skel->maps.cgroups), t->cgroup_id);
	if (!err && (t->leader || !process->comm))
		err = identity_text(&process->comm, t->comm, sizeof(t->comm));
	return err;
}

static int read_thread(void *arg, const struct vml_task_record *t, const __u32 (*hist)[VML_HIST_BUCKETS])
{
	const struct vml_id id = id_of_process(&t->proc);
	struct item *thread, *process;
	struct collector *c = arg;
	int err;

	if (t->same)
		return read_same(c, t);
	if (t->folded) {
		process = table_find(&c->t.processes, &id);
		if (process)
			process->alive++;
		return 0;
	}
	err = raise_thread(c, t, hist, &thread);
	if (err)
		return err;
	process = process_of_thread(c, thread);
	if (!process)
		return -ENOMEM;
	reading_add_record(process->reading, t);
	if (t->torn) /* as of the counts that were seen whole */
		process->reading->base[BASE_TASK_FAULTS] += thread->base[BASE_TASK_FAULTS];
	item_add_cells(thread, process->reading_cell);
	if (!is_untracked(&process->id))
		err = describe_process(c, process, t);
	if (!err)
		err = blame_read_thread(&c->t, t);
	return err ? err : learn_pending(c, thread, t);
}

static int read_exit(void *arg, const void *data, size_t size)
{
	struct item *thread;
	struct collector *c = arg;

	if (size >= sizeof(struct vml_task_record))
		c->err = raise_thread(c, data, NULL, &thread);
	return c->err;
}

int collect_begin(struct collector *c)
{
	const struct bpf_map *exits = c->session.skel->maps.exits;

	return ring_open(&c->exits, bpf_map__fd(exits), bpf_map__max_entries(exits));
}

void collect_end(struct collector *c)
{
	ring_close(&c->exits);
}

static void count_missed(struct item *e, void *arg)
{
	struct collector *c = arg;

	c->t.exits_missed += missed_exits(e, c->now);
	if (!e->alive)
		e->threads = e->mappings = 0;
}

/* ---- retiring: rows of what is gone, after it was shown once */

struct sweep {
	struct collector *collector;
	struct item **item;
	size_t n, room;
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

	if (e->reported || s->collector->t.pass - e->seen > LOST_PASSES)
		sweep_add(s, e);
}

static void find_dead_vma(struct item *e, void *arg)
{
	struct sweep *s = arg;
	struct item *p;

	if (is_untracked(&e->id))
		return;
	p = item_process(&s->collector->t, e);
	if (item_orphaned(e, p) || (p && p->reported) || e->evict)
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
	struct tables *t = &s->collector->t;

	if (is_untracked(&e->id))
		return;
	if (e->id.tid) {
		id.tid = e->id.tid;
		id.tid_start_ns = e->id.tid_start_ns;
	}
	if (e->evict || !table_find(e->id.tid ? &t->threads : &t->processes, &id)) {
		sweep_add(s, e);
		return;
	}
	/* or it is about the lock of a process that is gone */
	id = (struct vml_id){ .pid = e->id.target.pid, .exec = e->id.target.exec, .start_ns = e->id.target.start_ns };
	if (id.pid && item_orphaned(e, table_find(&t->processes, &id)) && s->collector->t.pass - e->changed > 1)
		sweep_add(s, e);
}

/* Whose process find_dead_process() finds. */
static void leave_process(struct item *e, void *arg)
{
	const struct item *p = e->process;

	(void)arg;
	if (p && p->reported && !p->ledgers)
		e->process = NULL;
}

/* Whose VMA is marked as gone. */
static void leave_area(struct item *e, void *arg)
{
	(void)arg;
	if (e->pending_of && e->pending_of->gone)
		e->pending_of = NULL;
}

/* What @retire refuses stays, and is tried again in the next pass. */
static int sweep(struct collector *c, struct table *t, void (*find)(struct item *, void *),
		 bool (*retire)(struct collector *, struct item *))
{
	struct sweep s = { .collector = c, .room = t->index.n };

	s.item = calloc(t->index.n + 1, sizeof(struct item *));
	if (!s.item)
		return -ENOMEM;
	table_walk(t, find, &s);
	if (s.n && t == &c->t.processes) {
		table_walk(&c->t.threads, leave_process, NULL);
		table_walk(&c->t.vmas, leave_process, NULL);
		table_walk(&c->t.blockers, leave_process, NULL);
	}
	for (size_t i = 0; i < s.n && t == &c->t.vmas; i++)
		s.item[i]->gone = true;
	if (s.n && t == &c->t.vmas)
		table_walk(&c->t.threads, leave_area, NULL);
	for (size_t i = 0; i < s.n; i++) {
		if (!retire || retire(c, s.item[i]))
			table_remove(t, s.item[i]);
	}
	free(s.item);
	return 0;
}

/* Rows that are not removed would be read again, as new ones that counted all of it at once. */
static bool retire_process(struct collector *c, struct item *e)
{
	struct vmalock_bpf *skel = c->session.skel;
	struct vml_proc_key key = process_key(&e->id);

	if (!row_remove(skel, skel->maps.processes, &key) || !row_remove(skel, skel->maps.times, &key))
		return false;
	if (!item_retire(&c->t.retired, e))
		return true;
	c->err = -ENOMEM;
	return false;
}

/* What makes room has something new after all, which nobody has read yet. */
static bool vma_moved(struct vmalock_bpf *skel, const struct item *e, const struct vml_vma_key *key)
{
	struct vml_write_wait w = {};
	struct vml_vma_value v;
	int err = bpf_map_lookup_elem(bpf_map__fd(skel->maps.write_waits), key, &w);

	return (err && err != -ENOENT) || bpf_map_lookup_elem(bpf_map__fd(skel->maps.vmas), key, &v) ||
	       memcmp(&v.count, &e->row, sizeof(v.count)) ||
	       v.wait.sum_ns != e->base[BASE_SUM_NS + VML_MMAP_READ_WAIT] ||
	       w.sum.sum_ns != e->base[BASE_SUM_NS + VML_VMA_WRITE_WAIT];
}

static bool retire_vma(struct collector *c, struct item *e)
{
	struct vml_vma_key key = { .proc = process_key(&e->id), .anchor = e->id.anchor };
	struct vmalock_bpf *skel = c->session.skel;
	bool evict = e->evict;

	e->evict = false;
	e->gone = !(evict && vma_moved(skel, e, &key)) && row_remove(skel, skel->maps.write_waits, &key) &&
		  row_remove(skel, skel->maps.vmas, &key);
	c->t.evicted += evict && e->gone;
	return e->gone;
}

/* The same of a blocker; what is not in its row is of a hold that goes on. */
static bool blocker_moved(struct vmalock_bpf *skel, const struct item *e, const struct vml_blocker_key *key)
{
	struct vml_blocker_value v;

	return bpf_map_lookup_elem(bpf_map__fd(skel->maps.blockers), key, &v) || v.blamed_ns != e->base[BASE_BLAMED] ||
	       v.hold.count != e->base[BASE_HOLDS];
}

static bool retire_blocker(struct collector *c, struct item *e)
{
	struct vmalock_bpf *skel = c->session.skel;
	const struct vml_image *i = &e->id.target;
	struct vml_blocker_key key = {
		.proc = process_key(&e->id),
		.start_ns = e->id.tid_start_ns,
		.tid = e->id.tid,
		.doing = e->id.doing,
		.target = { .pid = i->pid, .exec = i->exec, .start_ns = i->start_ns },
		.write = e->id.write,
	};
	bool evict = e->evict, removed;

	e->evict = false;
	removed = !(evict && blocker_moved(skel, e, &key)) && row_remove(skel, skel->maps.blockers, &key);
	c->t.evicted += evict && removed;
	return removed;
}

static int retire(struct collector *c)
{
	uint32_t vmas = c->t.vmas.index.n;
	int err = memory_make_room(&c->t, c->session.skel);

	/* blockers and VMAs first: they ask for their thread and process */
	if (!err)
		err = sweep(c, &c->t.blockers, find_dead_blocker, retire_blocker);
	if (!err)
		err = sweep(c, &c->t.vmas, find_dead_vma, retire_vma);
	if (c->t.vmas.index.n < vmas) /* the core must not believe that they are still there */
		memset(c->session.skel->bss->known_rows, 0, sizeof(c->session.skel->bss->known_rows));
	if (!err)
		err = sweep(c, &c->t.threads, find_dead_thread, NULL);
	if (!err)
		err = sweep(c, &c->t.processes, find_dead_process, retire_process);
	return err ? err : c->err;
}

/* ---- one pass */

int collect_pass(struct collector *c)
{
	struct table *const whole[] = { &c->t.vmas, &c->t.blockers, &c->t.processes };
	struct vmalock_bpf *skel = c->session.skel;
	int err, settled;

	c->t.pass++;
	c->now = vml_now_mono();
	c->err = 0;
	c->t.ngoes_on = 0;
	c->t.ledger_error_ns = 0;
	err = retire(c);
	if (!err)
		err = map_each(bpf_map__fd(skel->maps.processes), sizeof(struct vml_proc_key),
			       sizeof(struct vml_proc_value), read_process, c);
	if (!err)
		err = blame_read_blockers(&c->t, &c->session, c->t.pass);
	if (!err)
		err = vmas_each(bpf_link__fd(c->session.vmas_link), read_vma, c);
	if (!err)
		err = map_each(bpf_map__fd(skel->maps.write_waits), sizeof(struct vml_vma_key),
			       sizeof(struct vml_write_wait), read_write_wait, c);
	if (!err)
		err = tasks_each(bpf_link__fd(c->session.tasks_link), read_thread, c);
	if (!err)
		err = map_each(bpf_map__fd(skel->maps.times), sizeof(struct vml_proc_key),
			       sizeof(struct vml_times_value), read_times, c);
	if (!err)
		err = blame_read_ledgers(&c->t, &c->session);
	if (!err)
		err = ring_read(&c->exits, read_exit, c);
	if (!err)
		err = stacks_read(c->stacks, &c->session, &c->t);
	add_counts(c);
	/* also what is not complete: nothing of it is more than the truth */
	for (size_t i = 0; i < VML_ARRAY_SIZE(whole); i++) {
		settled = table_settle(whole[i], c->t.pass);
		if (!err)
			err = settled;
	}
	if (!err)
		table_walk(&c->t.processes, count_missed, c);
	if (!err)
		err = c->err;
	if (!err)
		err = unseen_add(&c->t, &c->session.duty, c->now);
	if (err || c->again)
		skel->data->emit_generation++;
	c->again = false;
	return err;
}
