/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include <errno.h>
#include <linux/types.h>
#include <stdlib.h>
#include <string.h>

#include "db.h"
#include "vmalock/base.h"
#include "vmalock/caps.h"
#include "vmalock/hist.h"

/* ---- statements */

static void append_metrics(sqlite3_str *s, uint64_t metrics)
{
	int m;

	for (m = 0; m < VML_NMETRICS; m++)
		if (metrics & VML_METRIC_BIT(m))
			sqlite3_str_appendf(s, ", %s", vml_metric_info(m)->key);
}

static int prepare_insert(sqlite3 *h, sqlite3_stmt **ret, const char *table, const char *columns, int n,
			  uint64_t metrics)
{
	sqlite3_str *s = sqlite3_str_new(NULL);

	sqlite3_str_appendf(s, "INSERT INTO %s (%s", table, columns);
	append_metrics(s, metrics);
	sqlite3_str_appendall(s, ") VALUES (?");
	for (n += __builtin_popcountll(metrics); n > 1; n--)
		sqlite3_str_appendall(s, ", ?");
	sqlite3_str_appendall(s, ")");
	return db_prepare_str(h, ret, s);
}

#define INTERVAL_COLUMNS 32
#define INTERVAL_NAMES                                                                                                  \
	"id, config, level, parts, real_ns, boot_ns, interval_ns, running_ns, cpu_ns, rss_bytes, map_bytes, bpf_runs, " \
	"foreign_mmap_locks, ledger_error_ns, process_maps_read, bpf_cost_ns, bpf_hot_ns, bpf_full_ns, "                \
	"duty_attached_ns, duty_of_ns, duty_step, extrapolated_faults, borrowed_faults, held_faults, unknown_faults, "  \
	"vma_lock_success, vma_lock_abort, vma_lock_retry, vma_lock_miss, bpf_calibrations, evicted_rows, "             \
	"map_limit_bytes"

static int prepare_rows(struct put *p, sqlite3 *h)
{
	int scope, err = 0;

	for (scope = 0; scope < VML_NSCOPES && !err; scope++) {
		bool process = scope == VML_PROCESS;

		p->metrics[scope] = schema_metrics(scope);
		err = prepare_insert(h, &p->row[scope], schema_scopes[scope],
				     process ? "interval, subject, exited, threads, mappings"
					     : "interval, subject, exited",
				     process ? 5 : 3, p->metrics[scope]);
	}
	return err;
}

int put_open(struct put *p, sqlite3 *h)
{
	int err;

	*p = (struct put){ 0 };
	err = schema_words(h, "reason", vml_reason_name, p->reason_word, SCHEMA_WORDS);
	if (!err)
		err = schema_words(h, "histogram", vml_hist_name, p->hist_word, SCHEMA_WORDS);
	if (!err)
		err = prepare_insert(h, &p->interval, "interval", INTERVAL_NAMES, INTERVAL_COLUMNS,
				     schema_metrics(VML_PROCESS));
	if (!err)
		err = prepare_rows(p, h);
	if (!err)
		err = prepare_insert(h, &p->reason, "reason", "interval, subject, reason, exact, count", 5, 0);
	if (!err)
		err = prepare_insert(h, &p->histogram, "histogram",
				     "interval, subject, histogram, sum_ns, max_ns, buckets", 6, 0);
	if (!err)
		err = prepare_insert(h, &p->loss, "loss", "interval, cause, count", 3, 0);
	if (!err)
		err = prepare_insert(h, &p->lookup, "lookup", "interval, caller, lookups, aborts, misses", 5, 0);
	if (!err)
		err = prepare_insert(h, &p->stall, "stall",
				     "interval, boot_ns, position, subject, write, wait_ns, target_pid, "
				     "target_start_ns, target_exec, holder, state, hold_ns, waiters, writers, other_ns",
				     15, 0);
	if (!err)
		err = prepare_insert(h, &p->stack, "stack",
				     "interval, subject, \"key\", trace, holds, hold_ns, blamed_ns, max_ns", 8, 0);
	return err;
}

void put_close(struct put *p)
{
	int scope;

	sqlite3_finalize(p->interval);
	for (scope = 0; scope < VML_NSCOPES; scope++)
		sqlite3_finalize(p->row[scope]);
	sqlite3_finalize(p->reason);
	sqlite3_finalize(p->histogram);
	sqlite3_finalize(p->loss);
	sqlite3_finalize(p->lookup);
	sqlite3_finalize(p->stall);
	sqlite3_finalize(p->stack);
	*p = (struct put){ 0 };
}

/* ---- rows */

static void bind_metrics(sqlite3_stmt *st, int at, uint64_t metrics, uint64_t have, const uint64_t *value)
{
	int m;

	for (m = 0; m < VML_NMETRICS; m++)
		if (metrics & VML_METRIC_BIT(m))
			db_bind_known(st, at++, have & VML_METRIC_BIT(m), value[m]);
}

/* "[[k,count],...]" in @buf of BUCKETS_MAX. */
#define BUCKETS_MAX (VML_HIST_BUCKETS * 32)
static int buckets_text(char *buf, const struct vml_tally *t)
{
	int len = 0;
	uint32_t i;

	buf[len++] = '[';
	for (i = 0; i < t->n && i < VML_HIST_BUCKETS; i++)
		len += snprintf(buf + len, BUCKETS_MAX - (size_t)len, "%s[%d,%llu]", i ? "," : "",
				(int)t->cell[i].index + VML_HIST_FIRST_K, (unsigned long long)t->cell[i].count);
	buf[len++] = ']';
	return len;
}

static int put_hist(const struct put *p, int64_t interval, int64_t subject, unsigned int which,
		    const struct vml_hist *h)
{
	char buf[BUCKETS_MAX + 2];

	if (!h->bucket.n && !h->sum_ns && !h->max_ns)
		return 0;
	db_bind(p->histogram, 1, (uint64_t)interval);
	db_bind(p->histogram, 2, (uint64_t)subject);
	db_bind(p->histogram, 3, (uint64_t)p->hist_word[which]);
	db_bind(p->histogram, 4, h->sum_ns);
	db_bind_known(p->histogram, 5, h->max_ns, h->max_ns);
	sqlite3_bind_text(p->histogram, 6, buf, buckets_text(buf, &h->bucket), SQLITE_STATIC);
	return db_run(p->histogram);
}

/* Reasons and histograms of a row, or of the whole (@subject 0). */
static int put_details(const struct put *p, int64_t interval, int64_t subject, const struct vml_tally *reasons,
		       const struct vml_hist hist[VML_HISTS])
{
	unsigned int which;
	uint32_t i;
	int err = 0;

	for (i = 0; i < reasons->n && !err; i++) {
		uint32_t reason = reasons->cell[i].index / 2;

		if (reason >= vml_reason_count())
			continue;
		db_bind(p->reason, 1, (uint64_t)interval);
		db_bind(p->reason, 2, (uint64_t)subject);
		db_bind(p->reason, 3, (uint64_t)p->reason_word[reason]);
		db_bind(p->reason, 4, reasons->cell[i].index % 2);
		db_bind(p->reason, 5, reasons->cell[i].count);
		err = db_run(p->reason);
	}
	for (which = 0; which < VML_HISTS && !err; which++)
		err = put_hist(p, interval, subject, which, &hist[which]);
	return err;
}

static int put_row(struct put *p, struct dicts *d, int64_t interval, enum vml_scope scope, uint64_t have,
		   const struct vml_row *r)
{
	sqlite3_stmt *st = p->row[scope];
	int64_t subject;
	int at = 4, err = dict_row(d, scope, r, &subject);

	if (err)
		return err;
	db_bind(st, 1, (uint64_t)interval);
	db_bind(st, 2, (uint64_t)subject);
	db_bind_known(st, 3, r->exited, 1);
	if (scope == VML_PROCESS) {
		db_bind_known(st, at++, r->threads, r->threads);
		db_bind_known(st, at++, r->mappings, r->mappings);
	}
	bind_metrics(st, at, p->metrics[scope], have, r->value);
	err = db_run(st);
	return err ? err : put_details(p, interval, subject, &r->reasons, r->hist);
}

static void bind_duty(sqlite3_stmt *st, int at, const struct vml_duty *d)
{
	bool guarded = d->of_ns;

	db_bind_known(st, at, guarded, d->attached_ns);
	db_bind_known(st, at + 1, guarded, d->of_ns);
	db_bind_known(st, at + 2, guarded, d->step);
	db_bind_known(st, at + 3, guarded, d->extrapolated);
	db_bind_known(st, at + 4, guarded, d->borrowed);
	db_bind_known(st, at + 5, guarded, d->held);
	db_bind_known(st, at + 6, guarded, d->unknown);
}

static void bind_kernel(sqlite3_stmt *st, int at, const struct vml_kernel_counts *k)
{
	db_bind_known(st, at, k->known, k->success);
	db_bind_known(st, at + 1, k->known, k->abort);
	db_bind_known(st, at + 2, k->known, k->retry);
	db_bind_known(st, at + 3, k->known, k->miss);
}

static int put_interval_row(const struct put *p, const struct put_interval *i, const struct vml_snapshot *s)
{
	sqlite3_stmt *st = p->interval;
	bool bpf = s->self.from_bpf;

	db_bind(st, 1, (uint64_t)i->id);
	db_bind(st, 2, (uint64_t)i->config);
	db_bind(st, 3, i->level);
	db_bind(st, 4, i->parts);
	db_bind(st, 5, s->real_ns);
	db_bind(st, 6, s->boot_ns);
	db_bind(st, 7, s->interval_ns);
	db_bind(st, 8, i->running_ns);
	db_bind(st, 9, s->self.cpu_ns);
	db_bind(st, 10, s->self.rss_bytes);
	db_bind_known(st, 11, bpf && s->self.map_bytes, s->self.map_bytes);
	db_bind_known(st, 12, bpf, s->self.bpf_runs);
	db_bind_known(st, 13, bpf, s->self.foreign_mmap_locks);
	db_bind_known(st, 14, bpf, s->self.ledger_error_ns);
	db_bind_known(st, 15, bpf, s->self.maps_read);
	db_bind_known(st, 16, s->self.bpf_cost_known, s->self.bpf_cost_ns);
	db_bind_known(st, 17, s->self.bpf_cost_known, s->self.bpf_hot_ns);
	db_bind_known(st, 18, s->self.bpf_cost_known, s->self.bpf_full_ns);
	bind_duty(st, 19, &s->duty);
	bind_kernel(st, 26, &s->kernel);
	db_bind_known(st, 30, bpf, s->self.bpf_calibrations);
	db_bind_known(st, 31, bpf && s->self.evicted_known, s->self.evicted_rows);
	db_bind_known(st, 32, bpf && s->self.map_limit_bytes, s->self.map_limit_bytes);
	bind_metrics(st, INTERVAL_COLUMNS + 1, p->metrics[VML_PROCESS], s->have[VML_PROCESS], s->total);
	return db_run(st);
}

/* ---- the rest of a delta */

static int put_losses(const struct put *p, int64_t interval, const struct vml_snapshot *s)
{
	size_t i;
	int err = 0;

	for (i = 0; i < s->nloss && !err; i++) {
		if (!s->loss[i].count)
			continue;
		db_bind(p->loss, 1, (uint64_t)interval);
		db_bind(p->loss, 2, i);
		db_bind(p->loss, 3, s->loss[i].count);
		err = db_run(p->loss);
	}
	return err;
}

static int put_lookups(const struct put *p, int64_t interval, const struct vml_snapshot *s)
{
	size_t i;
	int err = 0;

	for (i = 0; i < s->nlookup && !err; i++) {
		const struct vml_lookup *l = &s->lookup[i];

		if (!l->lookups && !l->aborts && !l->misses)
			continue;
		db_bind(p->lookup, 1, (uint64_t)interval);
		db_bind(p->lookup, 2, i);
		db_bind(p->lookup, 3, l->lookups);
		db_bind(p->lookup, 4, l->aborts);
		db_bind(p->lookup, 5, l->misses);
		err = db_run(p->lookup);
	}
	return err;
}

static int put_stall(const struct put *p, struct dicts *d, const struct vml_stall *x)
{
	int64_t subject, holder = 0;
	int err = dict_actor(d, SUBJECT_STALL, &x->id, x->comm, NULL, &subject);

	if (!err && x->held)
		err = dict_actor(d, SUBJECT_STALL, &x->holder, x->holder_comm, x->context, &holder);
	if (err)
		return err;
	db_bind(p->stall, 4, (uint64_t)subject);
	db_bind(p->stall, 5, x->write);
	db_bind(p->stall, 6, x->wait_ns);
	db_bind(p->stall, 7, x->target.pid);
	db_bind(p->stall, 8, x->target.start_ns);
	db_bind(p->stall, 9, x->target.exec);
	db_bind_known(p->stall, 10, x->held, (uint64_t)holder);
	db_bind_text(p->stall, 11, x->state);
	db_bind(p->stall, 12, x->hold_ns);
	db_bind(p->stall, 13, x->waiters);
	db_bind_known(p->stall, 14, !x->unsplit, x->writers);
	db_bind_known(p->stall, 15, !x->unsplit, x->other_ns);
	return db_run(p->stall);
}

static int put_stalls(const struct put *p, struct dicts *d, int64_t interval, const struct vml_snapshot *s)
{
	size_t i;
	int err = 0;

	for (i = 0; i < s->nstall && !err; i++) {
		db_bind(p->stall, 1, (uint64_t)interval);
		db_bind(p->stall, 2, s->boot_ns);
		db_bind(p->stall, 3, i);
		err = put_stall(p, d, &s->stall[i]);
	}
	return err;
}

static int put_stack(const struct put *p, struct dicts *d, int64_t interval, const struct vml_stack *x)
{
	int64_t subject, trace;
	int err = dict_actor(d, SUBJECT_STACK, &x->id, x->comm, x->context, &subject);

	if (!err)
		err = dict_trace(d, x, &trace);
	if (err)
		return err;
	db_bind(p->stack, 1, (uint64_t)interval);
	db_bind(p->stack, 2, (uint64_t)subject);
	db_bind(p->stack, 3, x->key);
	db_bind(p->stack, 4, (uint64_t)trace);
	db_bind(p->stack, 5, x->holds);
	db_bind(p->stack, 6, x->hold_ns);
	db_bind(p->stack, 7, x->blamed_ns);
	db_bind_known(p->stack, 8, x->max_ns, x->max_ns);
	return db_run(p->stack);
}

static int put_shape(struct put *p, struct dicts *d, int64_t interval, const struct vml_snapshot *s,
		     const struct shape *shape)
{
	size_t i;
	int scope, err = 0;

	for (scope = 0; scope < VML_NSCOPES && !err; scope++)
		for (i = 0; i < shape->n[scope] && !err; i++)
			err = put_row(p, d, interval, scope, s->have[scope], shape->row[scope][i]);
	for (i = 0; i < shape->nstack && !err; i++)
		err = put_stack(p, d, interval, shape->stack[i]);
	return err;
}

int put_delta(struct put *p, struct dicts *d, const struct put_interval *i, const struct vml_snapshot *s, uint32_t rows)
{
	struct shape shape;
	int err = shape_make(&shape, s, rows);

	d->interval = i->id;
	d->level = i->level;
	if (!err)
		err = put_interval_row(p, i, s);
	if (!err)
		err = put_details(p, i->id, 0, &s->reasons, s->hist);
	if (!err)
		err = put_losses(p, i->id, s);
	if (!err)
		err = put_lookups(p, i->id, s);
	if (!err && i->stalls)
		err = put_stalls(p, d, i->id, s);
	if (!err)
		err = put_shape(p, d, i->id, s, &shape);
	shape_free(&shape);
	return err;
}
