/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef VMALOCK_UNIT_DIAGNOSE_H
#define VMALOCK_UNIT_DIAGNOSE_H
/* What the tests of diagnose share: invented deltas, and pathologies in them. */
#include "unit.h"
#include "vmalock/diagnose.h"

#define MS 1000000ULL
#define SECONDS 10
#define PID 7
#define OTHER 9

enum { READ_HOLD = 2, WRITE_HOLD = 3 };

/* ---- invented deltas: 10 s of process 7, which faults and does nothing wrong */

static inline struct vml_snapshot *quiet(void)
{
	struct vml_snapshot *s = unit_snapshot(1000 * UNIT_SECOND);
	struct vml_row *p = unit_process(s, PID);

	s->interval_ns = SECONDS * UNIT_SECOND;
	s->host.max_mappings = 65530;
	p->mappings = 100;
	p->value[VML_FAULTS] = s->total[VML_FAULTS] = 100000;
	p->value[VML_HITS] = s->total[VML_HITS] = 100000;
	return s;
}

static inline struct vml_row *process(struct vml_snapshot *s)
{
	return &s->rows[VML_PROCESS].row[0];
}

struct hold {
	const char *context;
	bool write;
	uint32_t pid; /* who */
	uint64_t blamed_ms, holds, each_ms;
	unsigned int runnable, sleep; /* percent */
};

static inline struct vml_row *hold(struct vml_snapshot *s, struct hold h)
{
	struct vml_row *r = unit_row(s, VML_BLOCKER, h.pid ? h.pid : PID), *p = process(s);
	uint64_t held = h.holds * h.each_ms * MS;

	r->id.tid = r->id.pid + (uint32_t)s->rows[VML_BLOCKER].n;
	r->id.doing = (uint32_t)s->rows[VML_BLOCKER].n;
	r->id.write = h.write;
	r->id.target = (struct vml_image){ .pid = PID, .start_ns = p->id.start_ns };
	r->context = h.context;
	r->lock = h.write ? "mmap_write" : "mmap_read";
	r->target = r->target_cgroup = r->victim_cgroup = "";
	r->value[VML_BLAMED_NS] = h.blamed_ms * MS;
	r->value[VML_HOLDS] = h.holds;
	r->value[VML_HOLD_NS] = held;
	r->value[VML_RUNNABLE_NS] = held / 100 * h.runnable;
	r->value[VML_SLEEP_NS] = held / 100 * h.sleep;
	r->value[VML_ON_CPU_NS] = held - r->value[VML_RUNNABLE_NS] - r->value[VML_SLEEP_NS];
	r->hist[h.write ? WRITE_HOLD : READ_HOLD] = (struct vml_hist){
		.bucket = UNIT_TALLY(s, { 120, h.holds }), .count = h.holds, .sum_ns = held, .max_ns = h.each_ms * MS
	};
	p->value[VML_BLAMED_NS] += h.blamed_ms * MS;
	p->value[VML_MMAP_READ_WAIT_NS] += h.blamed_ms * MS;
	p->value[VML_WAIT_NS] += h.blamed_ms * MS;
	s->total[VML_BLAMED_NS] += h.blamed_ms * MS;
	s->total[VML_WAIT_NS] += h.blamed_ms * MS;
	if (h.write)
		p->value[VML_MMAP_WRITE_HOLD_NS] += held;
	return r;
}

/* @n faults that fell back for @reason, @in_area of them in one area. */
static inline void fall_back(struct vml_snapshot *s, unsigned int reason, uint64_t n, uint64_t in_area)
{
	struct vml_row *area = unit_vma(s, PID, 0x10000);

	process(s)->reasons = UNIT_TALLY(s, { VML_REASON_INDEX(reason, VML_EXACT), n });
	process(s)->value[VML_FALLBACKS] = n;
	area->reasons = UNIT_TALLY(s, { VML_REASON_INDEX(reason, VML_EXACT), in_area });
}

static inline unsigned int reason_of(const char *name)
{
	unsigned int i;

	for (i = 0; i < vml_reason_count(); i++)
		if (!strcmp(vml_reason_name(i), name))
			return i;
	fail();
	return 0;
}

/* ---- pathologies: @x 1 and 2: it is there; 0: something close to it, which it is not */

static inline void foreign_reader(struct vml_snapshot *s, unsigned int x)
{
	hold(s, (struct hold){ "pread64", false, x ? OTHER : PID, x ? 800 * x : 800, 10, 50, 0, 0 });
}

static inline void reclaim(struct vml_snapshot *s, unsigned int x)
{
	struct vml_row *r = hold(s, (struct hold){ "mmap", true, PID, x ? 900 * x : 900, 10, 90, 0, 0 });

	r->value[VML_RECLAIM_NS] = r->value[VML_HOLD_NS] / 100 * (x ? 60 + 15 * x : 49);
}

static inline void io_under_lock(struct vml_snapshot *s, unsigned int x)
{
	struct vml_row *r =
		hold(s, (struct hold){ "page fault", false, PID, x ? 900 * x : 900, 10, 90, 0, x ? 50 * x : 49 });

	r->value[VML_IO_NS] = r->value[VML_HOLD_NS] / 100 * (x ? 50 * x : 49);
}

static inline void hot_area(struct vml_snapshot *s, unsigned int x)
{
	fall_back(s, reason_of(x == 2 ? "range_moved" : "write_locked"), 3000 * (x ? x : 1), x ? 2900 * x : 1400);
	s->rows[VML_VMA].row[0].value[VML_WAIT_NS] = 600 * MS;
}

static inline void mapping_limit(struct vml_snapshot *s, unsigned int x)
{
	process(s)->mappings = x ? 52000 + 6000 * x : 49000;
}

static inline void no_cpu(struct vml_snapshot *s, unsigned int x)
{
	s->total[VML_UNATTRIBUTED_NS] = (x ? x : 1) * 1000 * MS;
	s->total[VML_HANDOVER_RUNQUEUE_NS] = s->total[VML_UNATTRIBUTED_NS] / 100 * (x ? 80 : 49);
	s->total[VML_WAIT_NS] = s->total[VML_UNATTRIBUTED_NS];
}

/* ---- findings */

static inline const struct vml_finding *find(const struct vml_diagnosis *d, const char *name)
{
	size_t i;

	for (i = 0; i < d->n; i++)
		if (!strcmp(d->finding[i].name, name))
			return &d->finding[i];
	return NULL;
}

static inline struct vml_snapshot *diagnosed(void (*make)(struct vml_snapshot *s, unsigned int x), unsigned int x,
					     struct vml_diagnosis *d)
{
	struct vml_snapshot *s = quiet();

	if (make)
		make(s, x);
	assert_int_equal(vml_diagnose(s, d), 0);
	return s;
}

#endif
