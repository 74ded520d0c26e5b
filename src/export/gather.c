/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "export/gather.h"
#include "export/state.h"
#include "vmalock/base.h"

/* ---- samples */

static int grow(struct exposition *x, struct family *f)
{
	size_t room = f->room ? 2 * f->room : 8;
	struct sample *more = vml_arena_alloc(x->arena, room * sizeof(*more));

	if (!more)
		return -ENOMEM;
	if (f->n)
		memcpy(more, f->sample, f->n * sizeof(*more));
	f->sample = more;
	f->room = room;
	return 0;
}

/* Never NULL: out of memory it is one that nobody sees. */
static struct sample *add(struct exposition *x, enum metric_id m)
{
	struct family *f = &x->family[m];

	x->series += metric_series(m);
	x->scratch = (struct sample){ 0 };
	if (!x->arena || x->err)
		return &x->scratch;
	if (f->n == f->room && grow(x, f)) {
		x->err = -ENOMEM;
		return &x->scratch;
	}
	return &f->sample[f->n++];
}

static void add_number(struct exposition *x, enum metric_id m, double number)
{
	add(x, m)->number = number;
}

static void add_by(struct exposition *x, enum metric_id m, const char *label, double number)
{
	struct sample *s = add(x, m);

	s->value[0] = label;
	s->number = number;
}

static void add_by_two(struct exposition *x, enum metric_id m, const char *a, const char *b, double number)
{
	struct sample *s = add(x, m);

	s->value[0] = a;
	s->value[1] = b;
	s->number = number;
}

/* A copy that lives as long as the exposition. */
static const char *keep(struct exposition *x, const char *text)
{
	const char *copy = x->arena ? vml_arena_strdup(x->arena, text) : text;

	if (!copy)
		x->err = -ENOMEM;
	return copy ? copy : "";
}

static const struct dense *keep_hist(struct exposition *x, const struct dense *d)
{
	const struct dense *copy = x->arena ? vml_arena_copy(x->arena, d, sizeof(*d)) : d;

	if (!copy)
		x->err = -ENOMEM;
	return copy ? copy : d;
}

static void add_hist(struct exposition *x, enum metric_id m, const char *label, const struct dense *d)
{
	struct sample *s = add(x, m);

	s->value[0] = label;
	s->hist = keep_hist(x, d);
}

static double seconds(uint64_t ns)
{
	return ns / 1e9;
}

/* ---- what has no cgroup */

static bool has(const struct host *h, enum vml_metric m)
{
	return h->have[VML_PROCESS] & VML_METRIC_BIT(m);
}

static void gather_times(struct exposition *x, const struct host *h)
{
	static const char *const outcomes[OUTCOMES] = { "hit", "retry", "fallback" };

	if (has(h, VML_MMAP_READ_HOLD_NS))
		add_hist(x, LOCK_HOLD, mode_names[0], &h->hold[0]);
	if (has(h, VML_MMAP_WRITE_HOLD_NS))
		add_hist(x, LOCK_HOLD, mode_names[1], &h->hold[1]);
	for (int i = 0; i < OUTCOMES && has(h, VML_SERVE_NS); i++)
		add_hist(x, FAULT_DURATION, outcomes[i], &h->serve[i]);
}

static void gather_lookups(struct exposition *x, const struct host *h)
{
	static const char *const results[LOOKUP_RESULTS] = { "hit", "abort", "miss" };

	for (int i = 0; i < LOOKUP_CALLERS && vml_caller_name(i); i++)
		for (int k = 0; k < LOOKUP_RESULTS; k++)
			add_by_two(x, LOOKUPS, vml_caller_name(i), results[k], h->lookup[i][k]);
}

static void gather_blame(struct exposition *x, const struct host *h)
{
	static const char *const states[HOLDER_STATES] = { "on_cpu", "runnable", "sleeping" };
	static const enum vml_metric metric[HOLDER_STATES] = { VML_ON_CPU_NS, VML_RUNNABLE_NS, VML_SLEEP_NS };

	if (has(h, VML_UNATTRIBUTED_NS))
		add_number(x, UNATTRIBUTED, seconds(h->unattributed_ns));
	for (int mode = 0; mode < 2; mode++)
		for (int i = 0; i < HOLDER_STATES; i++)
			if (h->have[VML_BLOCKER] & VML_METRIC_BIT(metric[i]))
				add_by_two(x, HOLDER_STATE, mode_names[mode], states[i], seconds(h->state_ns[mode][i]));
	for (int mode = 0; mode < 2 && h->blame_known; mode++) {
		add_by(x, STALLED, lock_names[mode], h->stalled[mode]);
		add_by(x, LONGEST_WAIT, lock_names[mode], seconds(h->longest_ns[mode]));
	}
}

static void gather_caps(struct exposition *x, const struct host *h)
{
	struct sample *s = add(x, BACKEND_INFO);

	s->value[0] = keep(x, h->backend);
	s->value[1] = keep(x, h->detail);
	s->value[2] = keep(x, h->kernel_release);
	s->number = 1;
	for (int i = 0; i < VML_NCAPS; i++)
		if (h->cap[i].state != VML_CAP_UNKNOWN)
			add_by(x, CAPABILITY, keep(x, h->cap[i].name), h->cap[i].state == VML_CAP_YES);
}

static void gather_host(struct exposition *x, const struct host *h)
{
	static const enum metric_id kernel[KERNEL_COUNTS] = { KERNEL_SUCCESS, KERNEL_ABORT, KERNEL_RETRY, KERNEL_MISS };

	if (!h->any)
		return;
	gather_times(x, h);
	if (has(h, VML_MISSES))
		add_number(x, MISSES, h->misses);
	if (h->lookups_known)
		gather_lookups(x, h);
	gather_blame(x, h);
	if (h->max_mappings)
		add_number(x, MAPPINGS_LIMIT, h->max_mappings);
	for (int i = 0; i < KERNEL_COUNTS && h->kernel_known; i++)
		add_number(x, kernel[i], h->kernel[i]);
	if (h->caps_known)
		gather_caps(x, h);
	for (size_t i = 0; i < h->nloss; i++)
		add_by(x, LOST, keep(x, h->loss[i].cause), h->loss[i].count);
	if (h->from_bpf) {
		add_number(x, LEDGER_ERROR, seconds(h->ledger_error_ns));
		add_number(x, FOREIGN, h->foreign);
	}
}

/* ---- what only the daemon knows */

/* A loss that deltas have, too. */
static struct sample *find_by(struct exposition *x, enum metric_id m, const char *label)
{
	struct family *f = &x->family[m];

	for (size_t i = 0; i < f->n; i++)
		if (!strcmp(f->sample[i].value[0], label))
			return &f->sample[i];
	return NULL;
}

static void gather_list(struct exposition *x, enum metric_id m, const struct vml_daemon *d)
{
	int list = metrics[m].list - 1;

	for (size_t i = 0; i < d->list[list].n; i++) {
		const struct vml_daemon_item *item = &d->list[list].item[i];
		const char *second = item->label[1];
		struct sample *same = m == LOST ? find_by(x, m, item->label[0]) : NULL;

		if (same)
			same->number += item->value;
		else
			add_by_two(x, m, keep(x, item->label[0]), second ? keep(x, second) : NULL, item->value);
	}
}

static void gather_daemon(struct exposition *x, const struct vml_daemon *d)
{
	struct sample *s;

	for (int m = 0; m < NMETRICS; m++) {
		if (metrics[m].list)
			gather_list(x, m, d);
		if (!metrics[m].value || isnan(d->value[metrics[m].value - 1]))
			continue;
		s = add(x, m);
		s->number = d->value[metrics[m].value - 1];
		if (m == SNAPSHOT_DURATION && !isnan(d->value[VML_DAEMON_SNAPSHOTS]))
			s->count = (uint64_t)d->value[VML_DAEMON_SNAPSHOTS];
	}
	if (!d->version)
		return;
	s = add(x, BUILD_INFO);
	s->value[0] = keep(x, d->version);
	s->value[1] = d->revision ? keep(x, d->revision) : NULL;
	s->value[2] = d->libbpf ? keep(x, d->libbpf) : NULL;
	s->number = 1;
}

static void gather_fixed(struct exposition *x, const struct vml_export *e)
{
	gather_host(x, &e->host);
	gather_daemon(x, &e->daemon);
	add_number(x, SERIES_LIMIT, e->options.series_budget);
	add_number(x, FOLDED, e->folded);
	add_number(x, SERIES, 0); /* the last: what it says is known then */
}

uint64_t gather_fixed_series(const struct vml_export *e)
{
	struct exposition x = { 0 };

	gather_fixed(&x, e);
	return x.series;
}

/* ---- rows */

static void gather_series(struct exposition *x, const struct series *s, const char *cgroup, const char *comm)
{
	const char *value[2];
	enum metric_id m = set_metric(s->set, value);
	struct sample *to = add(x, m);

	to->value[0] = cgroup;
	to->value[1] = value[0];
	to->value[2] = value[1];
	to->comm = comm;
	if (s->hist)
		to->hist = keep_hist(x, s->hist);
	else
		to->number = set_is_time(s->set) ? seconds(s->value) : s->value;
}

static void gather_info(struct exposition *x, const struct row *r, const char *cgroup)
{
	struct sample *s = add(x, CGROUP_INFO);

	s->value[0] = cgroup;
	s->value[1] = keep(x, r->path);
	s->value[2] = keep(x, r->kind);
	s->value[3] = keep(x, r->unit);
	s->value[4] = keep(x, r->pod_uid);
	s->value[5] = keep(x, r->container_id);
	s->value[6] = keep(x, r->runtime);
	s->number = 1;
}

static void gather_row(struct exposition *x, const struct row *r, bool first)
{
	const char *cgroup, *comm;

	cgroup = keep(x, r->cgroup);
	comm = *r->comm ? keep(x, r->comm) : NULL;
	for (unsigned int set = 0; set < NSETS && r->at; set++)
		if (r->at[set])
			gather_series(x, &r->series[r->at[set] - 1], cgroup, comm);
	if (r->mappings) {
		struct sample *s = add(x, MAPPINGS);

		s->value[0] = cgroup;
		s->comm = comm;
		s->number = r->mappings;
	}
	if (first && *r->kind)
		gather_info(x, r, cgroup);
}

static int by_label(const void *a, const void *b)
{
	const struct row *x = *(struct row *const *)a, *y = *(struct row *const *)b;
	int c = strcmp(x->cgroup, y->cgroup);

	return c ? c : strcmp(x->comm, y->comm);
}

static void gather_rows(struct exposition *x, const struct vml_export *e)
{
	const struct row **row = vml_arena_alloc(x->arena, (e->nrows + 1) * sizeof(struct row *));
	size_t n = 0;

	if (!row) {
		x->err = -ENOMEM;
		return;
	}
	for (size_t i = 0; i < e->nrows; i++)
		if (e->rows[i]->state != ROW_FOLDED)
			row[n++] = e->rows[i];
	qsort(row, n, sizeof(struct row *), by_label);
	for (size_t i = 0; i < n; i++)
		gather_row(x, row[i], !i || strcmp(row[i - 1]->cgroup, row[i]->cgroup) != 0);
	gather_row(x, &e->other, false);
}

int gather(struct vml_export *e, struct exposition *x)
{
	struct sample *series;

	*x = (struct exposition){ .arena = vml_arena_new() };
	if (!x->arena)
		return -ENOMEM;
	gather_rows(x, e);
	gather_fixed(x, e);
	if (x->err)
		return x->err;
	series = &x->family[SERIES].sample[0];
	series->number = x->series;
	return 0;
}
