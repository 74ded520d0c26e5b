// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* From the session to a snapshot, all but its rows: the words of the model, and nothing but them. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <bpf/libbpf.h>

#include "collect.h"
#include "vmalock.skel.h"
#include "vmalock/base.h"

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
	if (user && vml_caps_has(c, VML_CAP_PER_VMA_LOCK)) /* an outcome is of a fault that was seen to begin */
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

static const char *const causes[VML_NLOSS] = {
	[VML_LOSS_THREAD_STORAGE] = "thread_storage",
	[VML_LOSS_PROCESS_MAP_FULL] = "process_map_full",
	[VML_LOSS_VMA_MAP_FULL] = "vma_map_full",
	[VML_LOSS_WALK_FAILED] = "walk_failed",
	[VML_LOSS_FILE_MAP_FULL] = "file_map_full",
	[VML_LOSS_CGROUP_MAP_FULL] = "cgroup_map_full",
	[VML_LOSS_EXIT_RECORDS] = "exit_records",
	[VML_LOSS_LOCK_INFLIGHT] = "lock_inflight_at_start",
	[VML_LOSS_LOCK_UNMATCHED] = "lock_unmatched",
	[VML_LOSS_LOCK_SLOTS] = "lock_slots",
	[VML_LOSS_STACK_FAILED] = "stack_failed",
	[VML_LOSS_KERNEL_FAULT_UNSERVED] = "kernel_fault_unserved",
	[VML_LOSS_MAX_RACE] = "max_race",
	[VML_LOSS_EXEC_MIXED] = "exec_mixed",
	[VML_LOSS_RETURN_UNSEEN] = "return_unseen",
	[VML_LOSS_FAULT_UNSEEN] = "fault_unseen",
	[VML_LOSS_TIME_MAP_FULL] = "time_map_full",
	[VML_LOSS_LOCK_NESTED] = "lock_nested",
	[VML_LOSS_LEDGER_MAP_FULL] = "ledger_map_full",
	[VML_LOSS_LEDGER_HEALED] = "ledger_healed",
	[VML_LOSS_LEDGER_STALE] = "ledger_stale",
	[VML_LOSS_BLOCKER_MAP_FULL] = "blocker_map_full",
	[VML_LOSS_HOLDER_STACK] = "holder_stack",
};

#define MISSES "recursion_misses_"
#define PROGRAMS_MAX 64

static void add_loss(struct vml_snapshot *s, const char *cause, uint64_t count)
{
	s->loss[s->nloss++] = (struct vml_loss){ cause, vml_loss_help(cause), count };
}

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
		add_loss(m->s, copy, n);
}

static int fill_losses(struct vml_snapshot *s, const struct session *session, const uint64_t counter[VML_NCOUNTERS],
		       const struct tables *t)
{
	struct misses m = { .s = s, .room = VML_NLOSS + 4 + PROGRAMS_MAX };
	int err;

	s->loss = vml_arena_alloc(s->arena, m.room * sizeof(*s->loss));
	if (!s->loss)
		return -ENOMEM;
	for (size_t i = 0; i < VML_NLOSS; i++)
		add_loss(s, causes[i], counter[i]);
	add_loss(s, "exits_missed", t->exits_missed);
	if (session->nperf) {
		add_loss(s, "page_fault_events_skipped", t->perf_skipped);
		add_loss(s, "page_fault_events_late", session->perf_late);
	}
	if (session->duty.possible)
		add_loss(s, "hooks_not_attached", session->duty.failed);
	err = session_misses(session, add_miss, &m);
	return err ? err : m.err;
}

/* ---- ourselves */

static uint64_t sum_of(const uint64_t *base, size_t n)
{
	uint64_t sum = 0;

	while (n--)
		sum += base[n];
	return sum;
}

static void fill_duty(struct vml_duty *ret, const struct duty *d, const struct tables *t, const uint64_t total[NBASE])
{
	if (!d->possible)
		return;
	ret->step = d->step;
	ret->attached_ns = d->attached_ns;
	ret->of_ns = d->of_ns;
	ret->extrapolated = sum_of(&total[BASE_UNSEEN], NOUTCOMES);
	ret->borrowed = total[BASE_BORROWED];
	ret->held = t->held;
	ret->unknown = total[BASE_UNKNOWN];
}

/*
 * Runs, from what the programs count.  The three on mmap_lock count together; those on
 * the slow paths of a fault do not count, and are left out.
 */
static int fill_programs(struct vml_snapshot *s, const struct session *session, const uint64_t total[NBASE],
			 uint64_t perf_runs)
{
	uint64_t user = sum_of(total, BASE_BYPASSES), kernel = total[BASE_BYPASSES] + total[BASE_UNSERVED];
	struct vml_program *p = vml_arena_alloc(s->arena, 3 * sizeof(*p));

	if (!p)
		return -ENOMEM;
	s->program = p;
	if (session->nperf)
		*p++ = (struct vml_program){ "perf_page_fault", perf_runs };
	*p++ = (struct vml_program){ "tp_mmap_lock", total[BASE_LOCK_EVENTS] };
	if (session->fault_tracepoint) {
		*p++ = (struct vml_program){ "tp_page_fault_kernel", kernel };
		*p++ = (struct vml_program){ "tp_page_fault_user", user };
	}
	s->nprogram = p - s->program;
	return 0;
}

/* What was run since the pass before costs what a run costs now. */
static void fill_cost(struct vml_snapshot *s, const struct cost *c, struct tables *t, const uint64_t total[NBASE])
{
	uint64_t hot = sum_of(total, NOUTCOMES) + total[BASE_UNSERVED];
	uint64_t faults = hot + sum_of(&total[BASE_UNSEEN], NOUTCOMES) + total[BASE_UNKNOWN] + t->held;

	s->self.bpf_runs = hot + total[BASE_LOCK_EVENTS];
	s->self.bpf_cost_known = c->known;
	s->self.bpf_calibrations = c->times;
	if (!c->known)
		return;
	t->hot_ns += (hot - t->hot_runs) * c->more.fault_ns;
	t->lock_ns += (total[BASE_LOCK_EVENTS] - t->lock_runs) * c->event_ns;
	if (faults > t->faults) { /* what is held may turn out to have been seen */
		t->full_ns += (faults - t->faults) * c->more.fault_ns;
		t->faults = faults;
	}
	t->hot_runs = hot;
	t->lock_runs = total[BASE_LOCK_EVENTS];
	s->self.bpf_hot_ns = (uint64_t)t->hot_ns;
	s->self.bpf_cost_ns = (uint64_t)(t->hot_ns + t->lock_ns);
	s->self.bpf_full_ns = (uint64_t)t->full_ns;
}

/* ---- memory of maps */

static int fill_maps(struct vml_snapshot *s, const struct session *session, const struct tables *t)
{
	const char *threads = bpf_map__name(session->skel->maps.threads);
	struct vml_map *map = vml_arena_alloc(s->arena, t->nmap * sizeof(*map));

	if (!map)
		return -ENOMEM;
	for (size_t i = 0; i < t->nmap; i++) {
		map[i] = (struct vml_map){ vml_arena_strdup(s->arena, t->map[i].name), t->map[i].bytes };
		if (!map[i].name)
			return -ENOMEM;
		/* the kernel does not say what it keeps with the tasks */
		if (!strcmp(map[i].name, threads))
			map[i].bytes += t->threads.index.n * sizeof(struct vml_thread);
		s->self.map_bytes += map[i].bytes;
	}
	s->map = t->nmap ? map : NULL;
	s->nmap = t->nmap;
	return 0;
}

int snapshot_fill(struct vml_snapshot *s, const struct session *session, struct tables *t)
{
	uint64_t counter[VML_NCOUNTERS] = {}, total[NBASE];
	int err;

	s->caps = vml_arena_copy(s->arena, &session->caps, sizeof(session->caps));
	if (!s->caps)
		return -ENOMEM;
	fill_have(s, &session->caps);
	err = host_read(s->arena, &s->host);
	if (!err)
		err = rows_sum(s, t, total);
	if (!err)
		err = blame_fill_stalls(s, t);
	if (!err)
		err = counters_read(bpf_map__fd(session->skel->maps.counters), counter);
	if (!err)
		err = fill_losses(s, session, counter, t);
	if (!err)
		err = fill_lookups(s, session);
	if (!err)
		err = fill_programs(s, session, total, counter[VML_COUNTER_PERF_RUNS]);
	if (err)
		return err;
	if (vml_caps_has(&session->caps, VML_CAP_VMSTAT))
		host_kernel_counts(&s->kernel);
	self_read(&s->self);
	s->self.from_bpf = true;
	s->self.map_limit_bytes = session->memory_bytes;
	s->self.evicted_rows = t->evicted;
	s->self.evicted_known = true;
	s->self.ledger_error_ns = t->ledger_error_ns;
	s->self.foreign_mmap_locks = counter[VML_COUNTER_FOREIGN];
	fill_duty(&s->duty, &session->duty, t, total);
	fill_cost(s, &session->cost, t, total);
	return fill_maps(s, session, t);
}
