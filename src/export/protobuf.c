/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Delimited MetricFamily messages, by protobuf-c. */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "export/gather.h"
#include "export/state.h"
#include "metricfamily.pb-c.h"
#include "vmalock/base.h"

/*
 * Index of the native bucket that is bucket 1 here: bounds are 2^(k/4) on both
 * sides, and the upper one names the bucket.  What is over the last bound goes
 * into the bucket above it; the last one of the format would read as 1.8e308 s.
 */
#define NATIVE_FIRST (VML_HIST_FIRST_K + 1)

static const Prom__Type types[] = {
	[COUNTER] = PROM__TYPE__COUNTER_TYPE,
	[GAUGE] = PROM__TYPE__GAUGE_TYPE,
	[HISTOGRAM] = PROM__TYPE__HISTOGRAM_TYPE,
	[SUMMARY] = PROM__TYPE__SUMMARY_TYPE,
};

/* ---- histograms */

static int make_classic(struct vml_arena *a, const struct dense *d, Prom__Histogram *h)
{
	Prom__Bucket *bucket = vml_arena_alloc(a, CLASSIC_BOUNDS * sizeof(*bucket));
	uint64_t below = 0;
	int next = 0;

	h->bucket = vml_arena_alloc(a, CLASSIC_BOUNDS * sizeof(Prom__Bucket *));
	if (!bucket || !h->bucket)
		return -ENOMEM;
	for (int i = 0; i < CLASSIC_BOUNDS; i++) {
		for (; next <= CLASSIC_BUCKET(i); next++)
			below += d->bucket[next];
		prom__bucket__init(&bucket[i]);
		bucket[i].has_cumulative_count = 1;
		bucket[i].cumulative_count = below;
		bucket[i].has_upper_bound = 1;
		bucket[i].upper_bound = ldexp(1, CLASSIC_EXPONENT(i));
		h->bucket[i] = &bucket[i];
	}
	h->n_bucket = CLASSIC_BOUNDS;
	return 0;
}

/* Buckets that are not empty: runs of them, and the change from one to the next. */
static int make_native(struct vml_arena *a, const struct dense *d, Prom__Histogram *h)
{
	Prom__Span *span = vml_arena_alloc(a, VML_HIST_BUCKETS * sizeof(*span));
	uint64_t before = 0;
	int end = 1; /* behind the run before */

	h->positive_span = vml_arena_alloc(a, VML_HIST_BUCKETS * sizeof(Prom__Span *));
	h->positive_delta = vml_arena_alloc(a, VML_HIST_BUCKETS * sizeof(int64_t));
	if (!span || !h->positive_span || !h->positive_delta)
		return -ENOMEM;
	for (int i = 1; i < VML_HIST_BUCKETS; i++) {
		if (!d->bucket[i])
			continue;
		if (!h->n_positive_span || end != i) {
			Prom__Span *s = &span[h->n_positive_span];

			prom__span__init(s);
			s->has_offset = s->has_length = 1;
			s->offset = h->n_positive_span ? i - end : NATIVE_FIRST + i - 1;
			h->positive_span[h->n_positive_span++] = s;
		}
		h->positive_span[h->n_positive_span - 1]->length++;
		h->positive_delta[h->n_positive_delta++] = (int64_t)(d->bucket[i] - before);
		before = d->bucket[i];
		end = i + 1;
	}
	h->has_schema = 1;
	h->schema = VML_HIST_SCHEMA;
	h->has_zero_threshold = 1;
	h->zero_threshold = ldexp(1, VML_HIST_FIRST_K / 4);
	h->has_zero_count = 1;
	h->zero_count = d->bucket[0];
	return 0;
}

static Prom__Histogram *make_hist(struct vml_arena *a, const struct dense *d)
{
	Prom__Histogram *h = vml_arena_alloc(a, sizeof(*h));

	if (!h)
		return NULL;
	prom__histogram__init(h);
	h->has_sample_count = h->has_sample_sum = 1;
	for (int i = 0; i < VML_HIST_BUCKETS; i++)
		h->sample_count += d->bucket[i];
	h->sample_sum = d->sum_ns / 1e9;
	return make_classic(a, d, h) || make_native(a, d, h) ? NULL : h;
}

/* ---- metrics */

static int add_label(struct vml_arena *a, Prom__Metric *to, const char *name, const char *value)
{
	Prom__Label *label;

	if (!value || !*value)
		return 0;
	label = vml_arena_alloc(a, sizeof(*label));
	if (!label)
		return -ENOMEM;
	prom__label__init(label);
	label->name = (char *)name;
	label->value = (char *)value;
	to->label[to->n_label++] = label;
	return 0;
}

static int make_labels(struct vml_arena *a, const struct metric *m, const struct sample *s, Prom__Metric *to)
{
	int err = 0;

	to->label = vml_arena_alloc(a, (METRIC_LABELS + 1) * sizeof(Prom__Label *));
	if (!to->label)
		return -ENOMEM;
	for (int i = 0; i < METRIC_LABELS && m->label[i] && !err; i++)
		err = add_label(a, to, m->label[i], s->value[i]);
	return err ? err : add_label(a, to, "comm", s->comm);
}

static Prom__Value *make_value(struct vml_arena *a, double number)
{
	Prom__Value *v = vml_arena_alloc(a, sizeof(*v));

	if (!v)
		return NULL;
	prom__value__init(v);
	v->has_value = 1;
	v->value = number;
	return v;
}

static Prom__Summary *make_summary(struct vml_arena *a, const struct sample *s)
{
	Prom__Summary *v = vml_arena_alloc(a, sizeof(*v));

	if (!v)
		return NULL;
	prom__summary__init(v);
	v->has_sample_count = v->has_sample_sum = 1;
	v->sample_count = s->count;
	v->sample_sum = s->number;
	return v;
}

static int make_metric(struct vml_arena *a, const struct metric *m, const struct sample *s, Prom__Metric *to)
{
	prom__metric__init(to);
	if (make_labels(a, m, s, to))
		return -ENOMEM;
	switch (m->type) {
	case COUNTER:
		return (to->counter = make_value(a, s->number)) ? 0 : -ENOMEM;
	case GAUGE:
		return (to->gauge = make_value(a, s->number)) ? 0 : -ENOMEM;
	case SUMMARY:
		return (to->summary = make_summary(a, s)) ? 0 : -ENOMEM;
	default:
		return (to->histogram = make_hist(a, s->hist)) ? 0 : -ENOMEM;
	}
}

static int make_family(struct vml_arena *a, const struct metric *m, const struct family *f, Prom__Family *to)
{
	Prom__Metric *metric = vml_arena_alloc(a, f->n * sizeof(*metric));
	int err = 0;

	prom__family__init(to);
	to->name = (char *)m->name;
	to->help = (char *)m->help;
	to->has_type = 1;
	to->type = types[m->type];
	to->metric = vml_arena_alloc(a, f->n * sizeof(Prom__Metric *));
	if (!metric || !to->metric)
		return -ENOMEM;
	for (size_t i = 0; i < f->n && !err; i++) {
		err = make_metric(a, m, &f->sample[i], &metric[i]);
		to->metric[i] = &metric[i];
	}
	to->n_metric = f->n;
	return err;
}

/* ---- the stream: each message behind its length */

struct stream {
	uint8_t *data;
	size_t n, room;
};

static int stream_room(struct stream *s, size_t more)
{
	size_t room = s->room ? s->room : 64 << 10;
	uint8_t *data;

	while (room - s->n < more)
		room *= 2;
	if (room == s->room)
		return 0;
	data = realloc(s->data, room);
	if (!data)
		return -ENOMEM;
	s->data = data;
	s->room = room;
	return 0;
}

static int stream_put(struct stream *s, const Prom__Family *f)
{
	size_t n = prom__family__get_packed_size(f), left = n;

	if (stream_room(s, n + 10))
		return -ENOMEM;
	for (; left >= 0x80; left >>= 7)
		s->data[s->n++] = 0x80 | (left & 0x7f);
	s->data[s->n++] = left;
	s->n += prom__family__pack(f, s->data + s->n);
	return 0;
}

int protobuf_write(const struct exposition *x, char **ret, size_t *ret_n)
{
	struct stream s = { 0 };
	Prom__Family family;
	int err = stream_room(&s, 1);

	for (int m = 0; m < NMETRICS && !err; m++) {
		if (!x->family[m].n)
			continue;
		err = make_family(x->arena, &metrics[m], &x->family[m], &family);
		if (!err)
			err = stream_put(&s, &family);
	}
	if (err) {
		free(s.data);
		return err;
	}
	*ret = (char *)s.data;
	*ret_n = s.n;
	return 0;
}
