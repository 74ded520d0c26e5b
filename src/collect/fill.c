// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* From the tables to a snapshot: the words of the model, and nothing but them. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <bpf/libbpf.h>

#include "collect.h"
#include "vmalock.skel.h"
#include "vmalock/base.h"

struct fill {
	struct vml_snapshot *s;
	const struct table *processes;
	struct vml_rows *rows;
	enum vml_scope scope;
	uint64_t *total; /* sums of base, for processes */
	int err;
};

static void values(uint64_t value[VML_NMETRICS], const uint64_t base[NBASE])
{
	const uint64_t *sum = &base[BASE_SUM_NS];
	uint64_t slow = base[BASE_FALLBACKS] + base[BASE_ABORTS] + base[BASE_RETRIES];

	value[VML_HITS] = base[BASE_HITS];
	value[VML_ABORTS] = base[BASE_ABORTS];
	value[VML_RETRIES] = base[BASE_RETRIES];
	value[VML_MISSES] = base[BASE_MISSES];
	value[VML_FAULTS_USER] = base[BASE_HITS] + slow;
	value[VML_FAULTS_KERNEL] = base[BASE_BYPASSES] + base[BASE_UNSERVED];
	value[VML_FAULTS] = value[VML_FAULTS_USER] + value[VML_FAULTS_KERNEL];
	value[VML_BYPASSES] = base[BASE_BYPASSES];
	value[VML_FALLBACKS] = slow + base[BASE_BYPASSES];
	value[VML_MMAP_READ_WAIT_NS] = sum[VML_MMAP_READ_WAIT];
	value[VML_MMAP_WRITE_WAIT_NS] = sum[VML_MMAP_WRITE_WAIT];
	value[VML_WAIT_NS] = sum[VML_MMAP_READ_WAIT] + sum[VML_MMAP_WRITE_WAIT];
	value[VML_MMAP_READ_HOLD_NS] = sum[VML_MMAP_READ_HOLD];
	value[VML_MMAP_WRITE_HOLD_NS] = sum[VML_MMAP_WRITE_HOLD];
	value[VML_LOCK_FAILED] = base[BASE_LOCK_FAILED];
	value[VML_VMA_WRITE_WAIT_NS] = sum[VML_VMA_WRITE_WAIT];
	value[VML_VMA_WRITE_READERS] = base[BASE_WRITE_READERS];
	value[VML_SERVE_NS] = sum[VML_SERVE_HIT] + sum[VML_SERVE_RETRY] + sum[VML_SERVE_ABORT] + sum[VML_SERVE_BYPASS];
	value[VML_USERFAULTFD_NS] = sum[VML_IN_USERFAULTFD];
	value[VML_PAGE_IO_NS] = sum[VML_IN_PAGE_IO];
	value[VML_BLAMED_NS] = base[BASE_BLAMED];
	value[VML_UNATTRIBUTED_NS] = base[BASE_HANDOVER];
	value[VML_HANDOVER_RUNQUEUE_NS] = base[BASE_RUNQUEUE];
	value[VML_HANDOVER_WAKEUP_NS] = base[BASE_HANDOVER] - base[BASE_RUNQUEUE];
	value[VML_AVOIDABLE_NS] = base[BASE_AVOIDABLE];
	value[VML_FOREIGN_NS] = base[BASE_FOREIGN];
	value[VML_VICTIMS] = base[BASE_VICTIMS];
	value[VML_HOLDS] = base[BASE_HOLDS];
	value[VML_HOLD_NS] = base[BASE_HOLD_NS];
	value[VML_ON_CPU_NS] = base[BASE_ON_CPU];
	value[VML_RUNNABLE_NS] = base[BASE_RUNNABLE];
	value[VML_SLEEP_NS] = base[BASE_SLEEP];
	value[VML_RECLAIM_NS] = base[BASE_RECLAIM];
	value[VML_IO_NS] = base[BASE_IO];
	value[VML_SWAP_NS] = base[BASE_SWAP];
}

/* The cells from @first on, @n at most, as a tally; *@at is where they begin, and is moved behind them. */
static int range(struct vml_arena *a, const struct item *e, uint32_t *at, uint32_t first, uint32_t n,
		 struct vml_tally *ret)
{
	struct vml_cell *cell = NULL;
	uint32_t end = *at, used = 0;

	while (end < e->ncells && e->cell[end].index < first + n)
		used += e->cell[end++].sum != 0;
	if (used) {
		cell = vml_arena_alloc(a, used * sizeof(*cell));
		if (!cell)
			return -ENOMEM;
	}
	*ret = (struct vml_tally){ .n = used, .cell = cell };
	for (; *at < end; ++*at)
		if (e->cell[*at].sum)
			*cell++ = (struct vml_cell){ .index = e->cell[*at].index - first, .count = e->cell[*at].sum };
	return 0;
}

static int cells(struct vml_arena *a, const struct item *e, struct vml_hist hist[VML_HISTS], struct vml_tally *reasons)
{
	uint32_t at = 0;
	int err = range(a, e, &at, CELL_REASON(0), VML_NCAUSES, reasons);

	for (size_t i = 0; !err && i < VML_NTIMES; i++) {
		struct vml_hist *h = &hist[i];

		err = range(a, e, &at, CELL(i, 0), VML_HIST_BUCKETS, &h->bucket);
		h->count = vml_tally_sum(&h->bucket);
		h->sum_ns = e->base[BASE_SUM_NS + i];
		h->max_ns = e->max_ns[i];
	}
	return err;
}

_Static_assert(VML_HISTS == VML_NTIMES, "snapshot.h has the histograms of abi.h");
_Static_assert(VML_CAUSE(VML_BUSY, 1) == VML_REASON_INDEX(VML_BUSY, VML_EXACT), "one index of reasons");

static const char *text(struct vml_arena *a, const char *s)
{
	return s && *s ? vml_arena_strdup(a, s) : "";
}

static const struct item *process_of(const struct fill *f, const struct item *e)
{
	struct vml_id id = { .pid = e->id.pid, .exec = e->id.exec, .start_ns = e->id.start_ns };

	return f->scope == VML_PROCESS ? e : table_find(f->processes, &id);
}

static int fill_blocker(const struct fill *f, const struct item *e, const struct item *process, struct vml_row *row)
{
	const struct vml_image *i = &e->id.target;
	const struct vml_id id = { .pid = i->pid, .exec = i->exec, .start_ns = i->start_ns };
	const struct item *target = table_find(f->processes, &id);
	struct vml_arena *a = f->s->arena;
	char doing[DOING_MAX];

	if (!*row->comm && process)
		row->comm = text(a, process->comm);
	row->context = vml_arena_strdup(a, doing_text(&e->id, row->comm, doing));
	row->lock = blame_lock(&e->id);
	row->target = text(a, target ? target->comm : NULL);
	row->target_cgroup = text(a, target ? target->cgroup : NULL);
	row->victim_cgroup = text(a, e->victim_cgroup);
	return row->comm && row->context && row->target && row->target_cgroup && row->victim_cgroup ? 0 : -ENOMEM;
}

static int fill_row(struct fill *f, struct item *e, struct vml_row *row)
{
	const struct item *process = process_of(f, e);
	struct vml_arena *a = f->s->arena;
	int err;

	row->id = e->id;
	row->comm = text(a, f->scope == VML_VMA && process ? process->comm : e->comm);
	row->cgroup = text(a, process ? process->cgroup : NULL);
	row->uid = process ? process->uid : e->uid;
	row->ns_pid = process && process->ns_pid ? process->ns_pid : e->id.pid;
	row->threads = f->scope == VML_PROCESS ? e->threads : 0;
	/* once: a process may stay for the sake of its ledger */
	row->exited = f->scope == VML_VMA || f->scope == VML_BLOCKER ? process && process->gone && !process->reported
								     : e->gone && !e->reported;
	row->area = e->area;
	row->area.name = text(a, e->name);
	if (!row->area.kind)
		row->area.kind = "";
	if (f->scope == VML_BLOCKER && fill_blocker(f, e, process, row))
		return -ENOMEM;
	values(row->value, e->base);
	err = cells(a, e, row->hist, &row->reasons);
	return err ? err : row->comm && row->cgroup && row->area.name ? 0 : -ENOMEM;
}

static void each_item(struct item *e, void *arg)
{
	struct fill *f = arg;

	if (!f->err)
		f->err = fill_row(f, e, &f->rows->row[f->rows->n++]);
	if (f->scope == VML_PROCESS)
		for (size_t i = 0; i < NBASE; i++)
			f->total[i] += e->base[i];
	if (e->gone && (f->scope == VML_PROCESS || f->scope == VML_THREAD))
		e->reported = true;
}

static int fill_scope(struct fill *f, enum vml_scope scope, const struct table *t)
{
	f->scope = scope;
	f->rows = &f->s->rows[scope];
	f->rows->row = vml_arena_alloc(f->s->arena, t->n * sizeof(struct vml_row));
	if (!f->rows->row)
		return -ENOMEM;
	table_walk(t, each_item, f);
	return f->err;
}

/* Histograms and reasons of the whole: the rows and what is retired. */
static int fill_sums(struct vml_snapshot *s, const struct item *retired)
{
	const struct vml_rows *p = &s->rows[VML_PROCESS];
	uint64_t dense[VML_HIST_BUCKETS], reasons[VML_NCAUSES] = {};
	struct vml_hist gone[VML_HISTS] = {};
	struct vml_tally gone_reasons = {};
	int err;

	err = cells(s->arena, retired, gone, &gone_reasons);
	for (size_t i = 0; !err && i < VML_HISTS; i++) {
		struct vml_hist *h = &s->hist[i];

		memset(dense, 0, sizeof(dense));
		for (size_t k = 0; k <= p->n; k++) {
			const struct vml_hist *x = k < p->n ? &p->row[k].hist[i] : &gone[i];

			for (uint32_t c = 0; c < x->bucket.n; c++)
				dense[x->bucket.cell[c].index] += x->bucket.cell[c].count;
			h->count += x->count;
			h->sum_ns += x->sum_ns;
			if (x->max_ns > h->max_ns)
				h->max_ns = x->max_ns;
		}
		err = vml_tally_from(s->arena, dense, VML_HIST_BUCKETS, &h->bucket);
	}
	for (size_t k = 0; k <= p->n; k++) {
		const struct vml_tally *x = k < p->n ? &p->row[k].reasons : &gone_reasons;

		for (uint32_t c = 0; c < x->n; c++)
			reasons[x->cell[c].index] += x->cell[c].count;
	}
	return err ? err : vml_tally_from(s->arena, reasons, VML_NCAUSES, &s->reasons);
}

/* ---- what is known */

static uint64_t bit_if(const struct vml_caps *c, enum vml_cap_id cap, enum vml_metric m)
{
	return vml_caps_has(c, cap) ? VML_METRIC_BIT(m) : 0;
}

static void fill_have(struct vml_snapshot *s, const struct vml_caps *c)
{
	bool user = vml_caps_has(c, VML_CAP_FAULTS_USER), kernel = vml_caps_has(c, VML_CAP_FAULTS_KERNEL);
	bool outcome = vml_caps_has(c, VML_CAP_OUTCOME);
	bool fallbacks =
		user && vml_caps_has(c, VML_CAP_PER_VMA_LOCK) && (outcome || vml_caps_has(c, VML_CAP_FAULT_CONTEXT));
	uint64_t have = VML_METRIC_BIT(VML_WAIT_NS) | VML_METRIC_BIT(VML_MMAP_READ_WAIT_NS);

	if (user)
		have |= VML_METRIC_BIT(VML_FAULTS_USER);
	if (kernel)
		have |= VML_METRIC_BIT(VML_FAULTS_KERNEL) | VML_METRIC_BIT(VML_BYPASSES);
	if (user && kernel)
		have |= VML_METRIC_BIT(VML_FAULTS);
	if (fallbacks)
		have |= VML_METRIC_BIT(VML_HITS);
	if (fallbacks && kernel)
		have |= VML_METRIC_BIT(VML_FALLBACKS);
	if (vml_caps_has(c, VML_CAP_PER_VMA_LOCK))
		have |= bit_if(c, VML_CAP_OUTCOME, VML_ABORTS) | bit_if(c, VML_CAP_OUTCOME, VML_RETRIES);
	have |= bit_if(c, VML_CAP_MISSES, VML_MISSES) | bit_if(c, VML_CAP_VMA_WRITE, VML_VMA_WRITE_WAIT_NS) |
		bit_if(c, VML_CAP_VMA_WRITE, VML_VMA_WRITE_READERS);
	s->have[VML_VMA] = vml_caps_has(c, VML_CAP_VMA_IDENTITY) && user ? have : 0;
	have |= VML_METRIC_BIT(VML_MMAP_WRITE_WAIT_NS) | VML_METRIC_BIT(VML_MMAP_READ_HOLD_NS) |
		VML_METRIC_BIT(VML_MMAP_WRITE_HOLD_NS) | VML_METRIC_BIT(VML_LOCK_FAILED);
	s->have[VML_THREAD] = have;
	s->have[VML_PROCESS] = have | bit_if(c, VML_CAP_SERVE_TIME, VML_SERVE_NS) |
			       bit_if(c, VML_CAP_USERFAULTFD_TIME, VML_USERFAULTFD_NS) |
			       bit_if(c, VML_CAP_PAGE_IO_TIME, VML_PAGE_IO_NS);
	if (vml_caps_has(c, VML_CAP_MMAP_LOCK)) {
		s->have[VML_PROCESS] |= VML_METRIC_BIT(VML_BLAMED_NS) | VML_METRIC_BIT(VML_AVOIDABLE_NS) |
					VML_METRIC_BIT(VML_UNATTRIBUTED_NS) |
					bit_if(c, VML_CAP_RUN_DELAY, VML_HANDOVER_RUNQUEUE_NS) |
					bit_if(c, VML_CAP_RUN_DELAY, VML_HANDOVER_WAKEUP_NS);
		s->have[VML_BLOCKER] = VML_METRIC_BIT(VML_BLAMED_NS) | VML_METRIC_BIT(VML_AVOIDABLE_NS) |
				       VML_METRIC_BIT(VML_FOREIGN_NS) | VML_METRIC_BIT(VML_VICTIMS) |
				       VML_METRIC_BIT(VML_HOLDS) | VML_METRIC_BIT(VML_HOLD_NS) |
				       VML_METRIC_BIT(VML_ON_CPU_NS) | bit_if(c, VML_CAP_RUN_DELAY, VML_RUNNABLE_NS) |
				       bit_if(c, VML_CAP_RUN_DELAY, VML_SLEEP_NS);
		if (host_delay_accounting())
			s->have[VML_BLOCKER] |= VML_METRIC_BIT(VML_RECLAIM_NS) | VML_METRIC_BIT(VML_IO_NS) |
						VML_METRIC_BIT(VML_SWAP_NS);
	}
	s->have_reasons = fallbacks && vml_caps_has(c, VML_CAP_VMA_IDENTITY);
}

/* ---- who looks VMAs up */

static int fill_lookups(struct vml_snapshot *s, const struct session *session)
{
	struct vml_lookups sum[VML_NCALLERS];
	int err;

	if (!vml_caps_has(&session->caps, VML_CAP_LOOKUPS))
		return 0;
	err = lookups_read(bpf_map__fd(session->skel->maps.lookups), sum);
	if (err)
		return err;
	s->lookup = vml_arena_alloc(s->arena, VML_NCALLERS * sizeof(*s->lookup));
	if (!s->lookup)
		return -ENOMEM;
	for (size_t i = 0; i < VML_NCALLERS; i++)
		s->lookup[i] = (struct vml_lookup){ vml_caller_name(i), sum[i].lookups, sum[i].aborts, sum[i].misses };
	s->nlookup = VML_NCALLERS;
	return 0;
}

/* ---- losses */

static const struct {
	const char *cause, *help;
} causes[VML_NLOSS] = {
	[VML_LOSS_THREAD_STORAGE] = { "thread_storage", "Events of threads for which there was no storage." },
	[VML_LOSS_PROCESS_MAP_FULL] = { "process_map_full",
					"Threads counted as (untracked): no room for their process." },
	[VML_LOSS_VMA_MAP_FULL] = { "vma_map_full", "Faults counted in their process but in no VMA row, by groups." },
	[VML_LOSS_WALK_FAILED] = { "walk_failed",
				   "Times a VMA could not be found, because it was being changed: row [unknown]." },
	[VML_LOSS_FILE_MAP_FULL] = { "file_map_full", "VMA rows without a file name." },
	[VML_LOSS_CGROUP_MAP_FULL] = { "cgroup_map_full", "Processes without a cgroup path." },
	[VML_LOSS_EXIT_RECORDS] = { "exit_records", "Exited threads without a row; their process has their counts." },
	[VML_LOSS_LOCK_INFLIGHT] = { "lock_inflight_at_start", "Waits and holds that began before the program." },
	[VML_LOSS_LOCK_UNMATCHED] = { "lock_unmatched", "mmap_lock events that fit no open wait or hold." },
	[VML_LOSS_LOCK_SLOTS] = { "lock_slots", "Threads in flight on more address spaces than are followed." },
	[VML_LOSS_STACK_FAILED] = { "stack_failed", "Faults counted as hits for lack of a kernel stack." },
	[VML_LOSS_KERNEL_FAULT_UNSERVED] = { "kernel_fault_unserved", "Kernel-mode faults that never took mmap_lock." },
	[VML_LOSS_MAX_RACE] = { "max_race", "Maxima given up under contention." },
	[VML_LOSS_EXEC_MIXED] = { "exec_mixed", "Execs whose earlier numbers stayed with the new program." },
	[VML_LOSS_RETURN_UNSEEN] = { "return_unseen",
				     "Functions whose return was not seen: too many were running at once." },
	[VML_LOSS_FAULT_UNSEEN] = { "fault_unseen", "Fallbacks and bypasses of faults that were not seen to begin." },
	[VML_LOSS_TIME_MAP_FULL] = { "time_map_full", "Durations of faults without room for their process." },
	[VML_LOSS_LOCK_NESTED] = { "lock_nested", "mmap_lock events inside the handling of another." },
	[VML_LOSS_LEDGER_MAP_FULL] = { "ledger_map_full", "mmap_lock events that no ledger had room for: waits are "
							  "in the rows, and not in totals or blame." },
	[VML_LOSS_LEDGER_HEALED] = { "ledger_healed", "Holders of mmap_lock whose release was not seen; what they "
						      "were charged is handover." },
	[VML_LOSS_LEDGER_STALE] = { "ledger_stale", "Releases of mmap_lock after that." },
	[VML_LOSS_BLOCKER_MAP_FULL] = { "blocker_map_full", "Holds charged to (untracked): no room for the holder." },
	[VML_LOSS_HOLDER_STACK] = { "holder_stack", "Stacks of holders that could not be kept." },
};

#define MISSES "recursion_misses_"
#define PROGRAMS_MAX 64

struct misses {
	struct vml_snapshot *s;
	size_t room;
	int err;
};

static void add_miss(void *arg, const char *program, uint64_t n)
{
	struct misses *m = arg;
	char cause[64];
	char *copy;

	snprintf(cause, sizeof(cause), MISSES "%s", program);
	copy = vml_arena_strdup(m->s->arena, cause);
	if (!copy)
		m->err = -ENOMEM;
	else if (m->s->nloss < m->room)
		m->s->loss[m->s->nloss++] =
			(struct vml_loss){ copy, "Events skipped because a program or kprobe was running on that CPU.",
					   n };
}

static int fill_losses(struct vml_snapshot *s, const struct session *session, const uint64_t counter[VML_NCOUNTERS],
		       const struct tables *t)
{
	struct misses m = { .s = s, .room = VML_NLOSS + 2 + PROGRAMS_MAX };
	int err;

	s->loss = vml_arena_alloc(s->arena, m.room * sizeof(*s->loss));
	if (!s->loss)
		return -ENOMEM;
	for (size_t i = 0; i < VML_NLOSS; i++)
		s->loss[s->nloss++] = (struct vml_loss){ causes[i].cause, causes[i].help, counter[i] };
	s->loss[s->nloss++] = (struct vml_loss){
		"exits_missed",
		"Threads whose end was not seen: what they did with mmap_lock while they exited is missing.",
		t->exits_missed
	};
	if (session->nperf)
		s->loss[s->nloss++] = (struct vml_loss){
			"page_fault_events_skipped",
			"Faults not counted: perf did not hand the event over, for it throttles or was busy.",
			t->perf_skipped
		};
	err = session_misses(session, add_miss, &m);
	return err ? err : m.err;
}

int snapshot_fill(struct vml_snapshot *s, const struct session *session, const struct tables *t)
{
	uint64_t counter[VML_NCOUNTERS] = {}, total[NBASE];
	struct fill f = { .s = s, .processes = &t->processes, .total = total };
	int err;

	memcpy(total, t->retired.base, sizeof(total));
	s->boot_ns = vml_now_boot();
	s->real_ns = vml_now_real();
	s->caps = vml_arena_copy(s->arena, &session->caps, sizeof(session->caps));
	if (!s->caps)
		return -ENOMEM;
	fill_have(s, &session->caps);
	err = host_read(s->arena, &s->host);
	/* VMAs and threads first: they look at their processes, which are then marked as reported */
	if (!err)
		err = fill_scope(&f, VML_VMA, &t->vmas);
	if (!err)
		err = fill_scope(&f, VML_THREAD, &t->threads);
	if (!err)
		err = fill_scope(&f, VML_BLOCKER, &t->blockers);
	if (!err)
		err = fill_scope(&f, VML_PROCESS, &t->processes);
	if (!err)
		err = blame_fill_stalls(s, t);
	if (!err)
		err = fill_sums(s, &t->retired);
	if (!err)
		err = counters_read(bpf_map__fd(session->skel->maps.counters), counter);
	if (!err)
		err = fill_losses(s, session, counter, t);
	if (!err)
		err = fill_lookups(s, session);
	if (err)
		return err;
	values(s->total, total);
	vml_total_wait(s);
	self_read(&s->self);
	s->self.from_bpf = true;
	s->self.ledger_error_ns = t->ledger_error_ns;
	s->self.foreign_mmap_locks = counter[VML_COUNTER_FOREIGN];
	s->self.bpf_runs = s->total[VML_FAULTS] + total[BASE_LOCK_EVENTS];
	s->self.map_bytes = t->map_bytes + t->threads.n * sizeof(struct vml_thread);
	return 0;
}
