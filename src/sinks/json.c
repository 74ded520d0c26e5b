// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * One JSON object a delta, on one line.  Rows are made, written and freed one
 * by one: a host has tens of thousands, and a tree of them all would be larger
 * than the rest of the program.
 */
#include <errno.h>
#include <linux/types.h>
#include <stdlib.h>
#include <string.h>

#include "vmalock/base.h"
#include "vmalock/caps.h"
#include "vmalock/guard.h"
#include "vmalock/hist.h"
#include "vmalock/sink.h"
#include "keys.h"
#include "parts.h"

/* ---- brackets and commas; errors stick */

struct writer {
	FILE *out;
	bool comma;
	int error;
	char *text; /* of one value */
	size_t size;
};

static void put_comma(struct writer *w)
{
	if (w->comma)
		fputc(',', w->out);
	w->comma = true;
}

static void put_key(struct writer *w, const char *key)
{
	put_comma(w);
	fprintf(w->out, "\"%s\":", key);
}

static void put_open(struct writer *w, char bracket)
{
	fputc(bracket, w->out);
	w->comma = false;
}

static void put_close(struct writer *w, char bracket)
{
	fputc(bracket, w->out);
	w->comma = true;
}

#define TEXT_SIZE 4096 /* a row needs some hundred bytes */

/* json_dumpf() would write each bracket and each name by itself: a third of all that a delta costs. */
static int put_text(struct writer *w, const json_t *value)
{
	size_t n = json_dumpb(value, w->text, w->size, JSON_COMPACT | JSON_ENCODE_ANY);

	if (n > w->size) {
		size_t size = n > TEXT_SIZE ? n : TEXT_SIZE;
		char *text = realloc(w->text, size);

		if (!text)
			return -ENOMEM;
		w->text = text;
		w->size = size;
		n = json_dumpb(value, w->text, w->size, JSON_COMPACT | JSON_ENCODE_ANY);
	}
	return n && fwrite(w->text, 1, n, w->out) == n ? 0 : -EIO;
}

/* Writes and frees @value. */
static void put_value(struct writer *w, json_t *value)
{
	int err = value ? put_text(w, value) : -ENOMEM;

	w->error = w->error ? w->error : err;
	json_decref(value);
}

/* Adds @value unless it is null; a failure leaves *obj NULL. */
static void set(json_t **obj, const char *key, json_t *value)
{
	if (value && json_is_null(value))
		return;
	if (*obj && json_object_set_new(*obj, key, value)) {
		json_decref(*obj);
		*obj = NULL;
	} else if (!*obj) {
		json_decref(value);
	}
}

/* ---- the parts */

static void set_metrics(json_t **obj, const uint64_t value[VML_NMETRICS], uint64_t have)
{
	unsigned int m;

	for (m = 0; m < VML_NMETRICS; m++)
		if (have & VML_METRIC_BIT(m))
			set(obj, vml_metric_info(m)->key, vml_json_u64(value[m]));
}

static void set_row_keys(json_t **obj, const struct vml_row *row, enum vml_scope scope, bool identity)
{
	const struct vml_row_key *k;

	for (k = vml_row_keys; k->key; k++)
		if (k->scopes & ON(scope) && (k->identity || !identity))
			set(obj, k->key, k->get(row));
}

static json_t *object_of(const struct vml_snapshot_key *keys, const struct vml_snapshot *d)
{
	json_t *obj = json_object();

	for (; keys->key; keys++)
		set(&obj, keys->key, keys->get(d));
	return obj;
}

static void set_duty(json_t **obj, const struct vml_snapshot *d)
{
	double ratio = vml_duty_ratio(d);

	set(obj, "duty", ratio < 1 ? json_real(ratio) : json_integer(1));
	if (!d->duty.of_ns)
		return;
	set(obj, "duty_step", json_string(vml_duty_name(d->duty.step)));
	set(obj, "extrapolated_faults", vml_json_u64(d->duty.extrapolated));
	set(obj, "borrowed_faults", vml_json_u64(d->duty.borrowed));
	set(obj, "held_faults", vml_json_u64(d->duty.held));
	set(obj, "unknown_faults", vml_json_u64(d->duty.unknown));
}

static json_t *backend_object(const struct vml_snapshot *d)
{
	json_t *obj = json_object(), *has = json_object();
	const struct vml_caps *caps = d->caps;
	unsigned int i;

	if (!caps) {
		json_decref(has);
		return obj;
	}
	for (i = 0; i < VML_NCAPS; i++)
		if (caps->cap[i].state != VML_CAP_UNKNOWN)
			set(&has, caps->cap[i].name, json_boolean(caps->cap[i].state == VML_CAP_YES));
	set(&obj, "name", json_string(caps->backend));
	set(&obj, "detail", json_string(caps->detail));
	if (vml_caps_has(caps, VML_CAP_OUTCOME))
		set(&obj, "exact", json_boolean(vml_snapshot_exact(d)));
	set_duty(&obj, d);
	set(&obj, "capabilities", has);
	return obj;
}

static json_t *totals_object(const struct vml_snapshot *d)
{
	json_t *obj = json_object();

	set_metrics(&obj, d->total, d->have[VML_PROCESS]);
	return obj;
}

static json_t *loss_object(const struct vml_snapshot *d)
{
	json_t *obj = json_object();
	size_t i;

	for (i = 0; i < d->nloss; i++)
		set(&obj, d->loss[i].cause, vml_json_u64(d->loss[i].count));
	return obj;
}

static json_t *bucket_array(const struct vml_tally *t)
{
	json_t *all = json_array();
	uint32_t i;

	for (i = 0; all && i < t->n; i++) {
		json_t *pair;

		if (!t->cell[i].index) /* the zero bucket has a key of its own */
			continue;
		pair = json_pack("[i,o]", (int)t->cell[i].index + VML_HIST_FIRST_K, vml_json_u64(t->cell[i].count));
		if (!pair || json_array_append_new(all, pair)) {
			json_decref(all);
			all = NULL;
		}
	}
	return all;
}

/* @row: NULL for the whole host. */
static json_t *histogram_object(const struct vml_row *row, enum vml_scope scope, unsigned int which,
				const struct vml_hist *h)
{
	json_t *obj = json_object();

	set(&obj, "scope", json_string(row ? vml_scope_names[scope] : "host"));
	if (row)
		set_row_keys(&obj, row, scope, true);
	set(&obj, "lock", json_string(vml_hist_name(which)));
	set(&obj, "schema", json_integer(VML_HIST_SCHEMA));
	set(&obj, "zero_count", vml_json_u64(vml_tally_get(&h->bucket, 0)));
	set(&obj, "buckets", bucket_array(&h->bucket));
	set(&obj, "sum_ns", vml_json_u64(h->sum_ns));
	set(&obj, "count", vml_json_u64(h->count));
	if (h->max_ns)
		set(&obj, "max_ns", vml_json_u64(h->max_ns));
	return obj;
}

/* ---- the arrays */

struct ranked {
	const struct vml_row **row;
	size_t n;
};

static void put_rows(struct writer *w, const struct vml_snapshot *d, enum vml_scope scope, const struct ranked *rows)
{
	size_t i;

	put_key(w, vml_scope_keys[scope]);
	put_open(w, '[');
	for (i = 0; i < rows->n && !w->error; i++) {
		json_t *obj = json_object();

		set_row_keys(&obj, rows->row[i], scope, false);
		set_metrics(&obj, rows->row[i]->value, d->have[scope]);
		put_comma(w);
		put_value(w, obj);
	}
	put_close(w, ']');
}

static void put_reason(struct writer *w, const struct vml_row *row, const struct vml_cell *cell)
{
	const char *name = vml_reason_name(cell->index / 2);
	json_t *obj = json_object();

	set_row_keys(&obj, row, VML_PROCESS, true);
	set(&obj, "reason", json_string(name ? name : "unknown"));
	set(&obj, "certainty", json_string(cell->index % 2 == VML_EXACT ? "exact" : "inferred"));
	set(&obj, "count", vml_json_u64(cell->count));
	put_comma(w);
	put_value(w, obj);
}

/* Of all processes, whatever the limit, so that they add up to the fallbacks of totals. */
static void put_reasons(struct writer *w, const struct vml_snapshot *d)
{
	struct vml_cell *cell;
	uint32_t k, n;
	size_t i;

	put_key(w, "reasons");
	put_open(w, '[');
	for (i = 0; i < d->rows[VML_PROCESS].n && !w->error; i++) {
		const struct vml_row *row = &d->rows[VML_PROCESS].row[i];

		if (!row->reasons.n)
			continue;
		w->error = vml_reasons_rank(d, &row->reasons, &cell, &n);
		if (w->error)
			break;
		for (k = 0; k < n; k++)
			put_reason(w, row, &cell[k]);
		free(cell);
	}
	put_close(w, ']');
}

static void put_lookups(struct writer *w, const struct vml_snapshot *d, bool all)
{
	bool misses = d->caps && vml_caps_has(d->caps, VML_CAP_MISSES);
	size_t i;

	put_key(w, "lookups");
	put_open(w, '[');
	for (i = 0; i < d->nlookup; i++) {
		const struct vml_lookup *l = &d->lookup[i];
		json_t *obj;

		if (!all && !l->lookups && !l->aborts && !l->misses)
			continue;
		obj = json_object();
		set(&obj, "caller", json_string(l->caller));
		set(&obj, "lookups", vml_json_u64(l->lookups));
		set(&obj, "aborts", vml_json_u64(l->aborts));
		if (misses)
			set(&obj, "misses", vml_json_u64(l->misses));
		put_comma(w);
		put_value(w, obj);
	}
	put_close(w, ']');
}

static void put_cgroups(struct writer *w, struct vml_snapshot *d)
{
	struct vml_cgroup_blame *pair;
	size_t i, n;

	put_key(w, "cgroups");
	put_open(w, '[');
	w->error = w->error ? w->error : vml_cgroup_blame(d, &pair, &n);
	for (i = 0; !w->error && i < n; i++) {
		put_comma(w);
		put_value(w, json_pack("{s:s,s:s,s:o}", "victim", pair[i].victim, "blocker", pair[i].blocker,
				       "blamed_ns", vml_json_u64(pair[i].blamed_ns)));
	}
	put_close(w, ']');
}

static void put_stalls(struct writer *w, const struct vml_snapshot *d)
{
	size_t i;

	put_key(w, "stalls");
	put_open(w, '[');
	for (i = 0; i < d->nstall; i++) {
		const struct vml_stall *x = &d->stall[i];
		json_t *obj =
			json_pack("{s:I,s:I,s:s,s:s,s:o,s:I}", "tid", (json_int_t)x->id.tid, "pid",
				  (json_int_t)x->id.pid, "comm", x->comm, "lock", x->write ? "mmap_write" : "mmap_read",
				  "wait_ns", vml_json_u64(x->wait_ns), "waiters", (json_int_t)x->waiters);

		if (x->target.pid)
			set(&obj, "target_pid", json_integer(x->target.pid));
		if (x->held) {
			set(&obj, "holder_tid", json_integer(x->holder.tid));
			set(&obj, "holder_pid", json_integer(x->holder.pid));
			set(&obj, "holder_comm", json_string(x->holder_comm));
			set(&obj, "context", json_string(x->context));
			set(&obj, "state", json_string(x->state));
			set(&obj, "hold_ns", vml_json_u64(x->hold_ns));
		}
		put_comma(w);
		put_value(w, obj);
	}
	put_close(w, ']');
}

/* The files that the frames are of, each once. */
static json_t *modules_of(const struct vml_stack *s)
{
	json_t *all = json_array();
	uint32_t i, j;

	for (i = 0; i < s->nframes; i++) {
		const struct vml_frame *f = &s->frame[i];
		json_t *module;

		for (j = 0; j < i && strcmp(s->frame[j].file, f->file); j++)
			;
		if (j < i || !*f->file)
			continue;
		module = json_pack("{s:s}", "file", f->file);
		if (*f->build_id)
			set(&module, "build_id", json_string(f->build_id));
		vml_json_append(&all, module);
	}
	return all;
}

static void put_stacks(struct writer *w, const struct vml_snapshot *d)
{
	uint32_t f;
	size_t i;

	put_key(w, "stacks");
	put_open(w, '[');
	for (i = 0; i < d->nstack && !w->error; i++) {
		const struct vml_stack *x = &d->stack[i];
		const struct vml_row row = { .id = x->id };
		json_t *obj = json_object(), *frames = json_array();
		char text[512];

		for (f = 0; f < x->nframes; f++)
			vml_json_append(&frames, json_string(vml_frame_text(&x->frame[f], text, sizeof(text))));
		set_row_keys(&obj, &row, VML_THREAD, true);
		set(&obj, "comm", json_string(x->comm));
		set(&obj, "context", json_string(x->context));
		set(&obj, "frames", frames);
		set(&obj, "kernel_frames", json_integer(x->nkernel));
		set(&obj, "modules", modules_of(x));
		set(&obj, "holds", vml_json_u64(x->holds));
		set(&obj, "hold_ns", vml_json_u64(x->hold_ns));
		set(&obj, "blamed_ns", vml_json_u64(x->blamed_ns));
		put_comma(w);
		put_value(w, obj);
	}
	put_close(w, ']');
}

static void put_histograms(struct writer *w, const struct vml_snapshot *d, const struct ranked rows[VML_NSCOPES])
{
	unsigned int scope, h;
	size_t i;

	put_key(w, "histograms");
	put_open(w, '[');
	for (h = 0; h < VML_HISTS; h++) {
		if (!vml_knows(d, vml_hist_metrics[h]))
			continue;
		put_comma(w);
		put_value(w, histogram_object(NULL, VML_PROCESS, h, &d->hist[h]));
	}
	for (scope = 0; scope < VML_NSCOPES; scope++)
		for (i = 0; i < rows[scope].n && !w->error; i++)
			for (h = 0; h < VML_HISTS; h++) {
				if (!rows[scope].row[i]->hist[h].count)
					continue;
				put_comma(w);
				put_value(w,
					  histogram_object(rows[scope].row[i], scope, h, &rows[scope].row[i]->hist[h]));
			}
	put_close(w, ']');
}

int vml_json_write(FILE *out, struct vml_snapshot *delta, const struct vml_view *view)
{
	struct writer w = { .out = out };
	struct ranked rows[VML_NSCOPES];
	const struct vml_snapshot_key *k;
	unsigned int scope;
	int err;

	for (scope = 0; scope < VML_NSCOPES; scope++) {
		err = vml_view_rank(delta, view, scope, &rows[scope].row, &rows[scope].n);
		if (err)
			return err;
	}
	put_open(&w, '{');
	for (k = vml_top_keys; k->key; k++) {
		put_key(&w, k->key);
		put_value(&w, k->get(delta));
	}
	put_key(&w, "host");
	put_value(&w, object_of(vml_host_keys, delta));
	put_key(&w, "backend");
	put_value(&w, backend_object(delta));
	put_key(&w, "totals");
	put_value(&w, totals_object(delta));
	for (scope = 0; scope < VML_NSCOPES; scope++)
		if (scope != VML_BLOCKER || vml_blame_known(delta))
			put_rows(&w, delta, scope, &rows[scope]);
	if (delta->have_reasons)
		put_reasons(&w, delta);
	if (delta->lookup)
		put_lookups(&w, delta, view->limit == 0);
	if (vml_blame_known(delta)) {
		put_cgroups(&w, delta);
		put_stalls(&w, delta);
	}
	if (delta->stack)
		put_stacks(&w, delta);
	put_histograms(&w, delta, rows);
	put_key(&w, "loss");
	put_value(&w, loss_object(delta));
	put_key(&w, "self");
	put_value(&w, object_of(vml_self_keys, delta));
	put_close(&w, '}');
	fputc('\n', out);
	free(w.text);
	return w.error ? w.error : ferror(out) ? -EIO : 0;
}
