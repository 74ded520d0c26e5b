/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What is asked for, and that text and protobuf say the same. */
#include "export.h"
#include "metricfamily.pb-c.h"

UNIT_OUT_OF_MEMORY

/* ---- Accept */

static void negotiation(void **state)
{
	static const struct {
		const char *accept;
		enum vml_export_format format;
	} each[] = {
		{ NULL, VML_EXPORT_TEXT },
		{ "", VML_EXPORT_TEXT },
		{ "*/*", VML_EXPORT_TEXT },
		{ "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", VML_EXPORT_TEXT },
		/* Prometheus 2.42 with and without native histograms */
		{ "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited,"
		  "application/openmetrics-text;version=1.0.0;q=0.8,application/openmetrics-text;version=0.0.1;q=0.75,"
		  "text/plain;version=0.0.4;q=0.5,*/*;q=0.1",
		  VML_EXPORT_PROTOBUF },
		{ "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,"
		  "text/plain;version=0.0.4;q=0.5,*/*;q=0.1",
		  VML_EXPORT_TEXT },
		/* Prometheus 3 */
		{ "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited;q=0.6,"
		  "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.5,"
		  "text/plain;version=1.0.0;escaping=allow-utf-8;q=0.3,*/*;q=0.1",
		  VML_EXPORT_PROTOBUF },
		{ "application/openmetrics-text;version=1.0.0;q=0.6,text/plain;version=0.0.4;q=0.4,"
		  "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited;q=0.3",
		  VML_EXPORT_TEXT },
		/* another message, another encoding */
		{ "application/vnd.google.protobuf", VML_EXPORT_TEXT },
		{ "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=text",
		  VML_EXPORT_TEXT },
		{ "application/vnd.google.protobuf;proto=a.B;encoding=delimited", VML_EXPORT_TEXT },
		/* as it may be written */
		{ " Application/Vnd.Google.Protobuf ; Encoding = \"delimited\" ; "
		  "PROTO=\"io.prometheus.client.MetricFamily\" ; q=1.000 , text/plain;q=0.999",
		  VML_EXPORT_PROTOBUF },
		{ "text/plain;x=\"a,b;q=0\";q=0.2,application/vnd.google.protobuf;"
		  "proto=io.prometheus.client.MetricFamily;encoding=delimited;q=0.3",
		  VML_EXPORT_PROTOBUF },
		/* as much as text; not wanted at all; no q-value */
		{ "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited,text/*",
		  VML_EXPORT_TEXT },
		{ "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited;q=0",
		  VML_EXPORT_TEXT },
		{ "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited;q=2",
		  VML_EXPORT_TEXT },
		{ "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited;q=1.5",
		  VML_EXPORT_TEXT },
		{ "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited;q=0.x",
		  VML_EXPORT_TEXT },
		{ ",;,;=;\"", VML_EXPORT_TEXT },
	};

	(void)state;
	for (size_t i = 0; i < VML_ARRAY_SIZE(each); i++)
		if (vml_export_negotiate(each[i].accept) != each[i].format)
			fail_msg("%s", each[i].accept);
	assert_string_equal(vml_export_content_type(VML_EXPORT_TEXT), "text/plain; version=0.0.4; charset=utf-8");
	assert_non_null(strstr(vml_export_content_type(VML_EXPORT_PROTOBUF), "; encoding=delimited"));
}

/* ---- protobuf as text: the same series, in the same words */

struct out {
	FILE *f;
	const struct export_text *text;
	size_t series, hists;
};

static void labels_of(const Prom__Metric *m, const char *le, char *buf, size_t n)
{
	size_t used = 0;

	buf[0] = '\0';
	for (size_t i = 0; i < m->n_label + !!le; i++) {
		const char *name = i < m->n_label ? m->label[i]->name : "le",
			   *value = i < m->n_label ? m->label[i]->value : le;

		used += snprintf(buf + used, n - used, "%s%s=\"", used ? "," : "{", name);
		for (; *value; value++)
			used += snprintf(buf + used, n - used, "%s%.1s", strchr("\\\"", *value) ? "\\" : "",
					 *value == '\n' ? "n" : value);
		used += snprintf(buf + used, n - used, "\"");
	}
	if (used)
		snprintf(buf + used, n - used, "}");
}

static void same(struct out *o, const char *name, const char *suffix, const Prom__Metric *m, const char *le,
		 double value)
{
	char labels[2048], series[4096];

	labels_of(m, le, labels, sizeof(labels));
	snprintf(series, sizeof(series), "%s%s%s", name, suffix, labels);
	if (export_value(o->text, series) != value)
		fail_msg("%s: %.17g in protobuf, %.17g in text", series, value, export_value(o->text, series));
	o->series++;
}

/* Counts of native buckets by their index; the zero bucket is -96, as ours. */
#define NATIVE_MIN (-96)
static void expand(const Prom__Histogram *h, uint64_t count[VML_HIST_BUCKETS])
{
	int64_t n = 0;
	int index = 0;
	size_t at = 0;

	memset(count, 0, VML_HIST_BUCKETS * sizeof(*count));
	assert_int_equal(h->schema, 2);
	assert_true(h->zero_threshold == exp2(-24));
	count[0] = h->zero_count;
	for (size_t i = 0; i < h->n_positive_span; i++) {
		assert_true(i == 0 || h->positive_span[i]->offset > 0); /* runs are as long as they can be */
		index += h->positive_span[i]->offset;
		for (uint32_t k = 0; k < h->positive_span[i]->length; k++, index++) {
			n += h->positive_delta[at++];
			assert_true(n > 0 && index > NATIVE_MIN && index < NATIVE_MIN + VML_HIST_BUCKETS);
			count[index - NATIVE_MIN] = n;
		}
	}
	assert_int_equal(at, h->n_positive_delta);
}

static void same_hist(struct out *o, const char *name, const Prom__Metric *m)
{
	const Prom__Histogram *h = m->histogram;
	uint64_t count[VML_HIST_BUCKETS], sum = 0;
	char le[32];

	expand(h, count);
	assert_int_equal(h->n_bucket, 13);
	for (size_t i = 0; i < h->n_bucket; i++) {
		uint64_t below = 0;

		snprintf(le, sizeof(le), "%.15g", h->bucket[i]->upper_bound);
		same(o, name, "_bucket", m, le, h->bucket[i]->cumulative_count);
		/* the native buckets up to this bound hold as many: their bounds are 2^(k/4) */
		for (int k = 0; k < VML_HIST_BUCKETS && exp2((k + NATIVE_MIN) / 4.0) <= h->bucket[i]->upper_bound; k++)
			below += count[k];
		assert_int_equal(below, h->bucket[i]->cumulative_count);
	}
	for (int k = 0; k < VML_HIST_BUCKETS; k++)
		sum += count[k];
	assert_int_equal(sum, h->sample_count);
	same(o, name, "_bucket", m, "+Inf", h->sample_count);
	same(o, name, "_count", m, NULL, h->sample_count);
	same(o, name, "_sum", m, NULL, h->sample_sum);
	o->hists++;
}

static void same_metric(struct out *o, const Prom__Family *f, const Prom__Metric *m)
{
	switch (f->type) {
	case PROM__TYPE__COUNTER_TYPE:
		same(o, f->name, "", m, NULL, m->counter->value);
		break;
	case PROM__TYPE__GAUGE_TYPE:
		same(o, f->name, "", m, NULL, m->gauge->value);
		break;
	case PROM__TYPE__SUMMARY_TYPE:
		same(o, f->name, "_sum", m, NULL, m->summary->sample_sum);
		same(o, f->name, "_count", m, NULL, m->summary->sample_count);
		break;
	default:
		assert_int_equal(f->type, PROM__TYPE__HISTOGRAM_TYPE);
		same_hist(o, f->name, m);
	}
}

/* The next message of a delimited stream. */
static Prom__Family *next_family(const uint8_t **at, const uint8_t *end)
{
	Prom__Family *f;
	size_t n = 0;
	int shift = 0;

	do {
		assert_true(*at < end);
		n |= (size_t)(**at & 0x7f) << shift;
		shift += 7;
	} while (*(*at)++ & 0x80);
	assert_true(n <= (size_t)(end - *at));
	f = prom__family__unpack(NULL, n, *at);
	assert_non_null(f);
	*at += n;
	return f;
}

static struct vml_export *busy_host(void)
{
	struct vml_export *e = export_new(0, 0, true);
	struct vml_daemon daemon;

	for (uint64_t t = 100; t < 103; t++) {
		struct vml_snapshot *d = export_delta(t);
		struct vml_row *r;
		uint64_t seed = t;

		for (uint32_t p = 1; p <= 25; p++) {
			char *path = vml_arena_alloc(d->arena, 64);

			snprintf(path, 64, "/system.slice/u\"%u\\.service", p);
			r = export_process(d, p, path, 100 * p, p, p % 2);
			r->hist[H_WRITE_WAIT] = export_hist(d, 1ULL << unit_below(&seed, 40), p);
			r->hist[H_VMA_WAIT] = export_hist(d, unit_below(&seed, 100), 1);
			r->hist[H_READ_HOLD] = export_hist(d, p < 3 ? 200000000000ULL : p * MS, 1);
			export_blocker(d, p, path, "munmap", "/elsewhere", p * MS);
		}
		export_add(e, d);
	}
	vml_daemon_init(&daemon);
	for (int i = 0; i < VML_DAEMON_NVALUES; i++)
		daemon.value[i] = i + 0.1;
	assert_int_equal(vml_export_daemon(e, &daemon), 0);
	return e;
}

static void the_same_in_both(void **state)
{
	struct vml_export *e = busy_host();
	struct export_text x = export_read(e, 0);
	struct out o = { .text = &x };
	const uint8_t *at;
	char *data;
	size_t n;

	(void)state;
	assert_int_equal(vml_export_write(e, VML_EXPORT_PROTOBUF, 0, &data, &n), 0);
	for (at = (uint8_t *)data; at < (uint8_t *)data + n;) {
		Prom__Family *f = next_family(&at, (uint8_t *)data + n);

		assert_true(f->n_metric && *f->help);
		for (size_t i = 0; i < f->n_metric; i++)
			same_metric(&o, f, f->metric[i]);
		prom__family__free_unpacked(f, NULL);
	}
	assert_int_equal(o.series, x.n);
	assert_true(o.hists >= 25 * 3 && x.n > 1400);
	free(data);
	export_text_free(&x);
	vml_export_free(e);
}

/* ---- quantiles: classic buckets are four times as wide as true, native ones within 9.5 % */

static double classic_quantile(const Prom__Histogram *h, double q)
{
	double rank = q * h->sample_count, from = 0;
	uint64_t below = 0;

	for (size_t i = 0; i < h->n_bucket; i++) {
		const Prom__Bucket *b = h->bucket[i];

		if (b->cumulative_count >= rank)
			return from + (b->upper_bound - from) * (rank - below) / (b->cumulative_count - below);
		below = b->cumulative_count;
		from = b->upper_bound;
	}
	return from;
}

/* As Prometheus 2.42: linear within the bucket. */
static double native_quantile(const Prom__Histogram *h, double q)
{
	uint64_t count[VML_HIST_BUCKETS], below = 0;
	double rank = q * h->sample_count;
	int k;

	expand(h, count);
	for (k = 0; k < VML_HIST_BUCKETS - 1 && below + count[k] < rank; k++)
		below += count[k];
	return exp2((k - 1 + NATIVE_MIN) / 4.0) +
	       (exp2((k + NATIVE_MIN) / 4.0) - exp2((k - 1 + NATIVE_MIN) / 4.0)) * (rank - below) / count[k];
}

static int by_value(const void *a, const void *b)
{
	const uint64_t *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

#define WAITS 20000
static void quantiles(void **state)
{
	static const __u64 bound[VML_HIST_BOUNDS] = VML_HIST_BOUND_TABLE;
	static const double q[] = { 0.01, 0.1, 0.5, 0.9, 0.99, 0.999 };
	static uint64_t wait[WAITS];
	uint64_t dense[VML_HIST_BUCKETS] = { 0 }, seed = 7;
	struct vml_export *e = export_new(0, 0, false);
	struct vml_snapshot *d = export_delta(100);
	struct vml_row *r = export_process(d, 1, "/a", 1, 0, 0);
	struct vml_hist *h = &r->hist[H_READ_WAIT];
	bool found = false;
	char *data;
	size_t n;

	(void)state;
	for (int i = 0; i < WAITS; i++) { /* 2 us to 5 s */
		wait[i] = (uint64_t)(2000 * pow(2.5e6, unit_uniform(&seed)));
		dense[vml_hist_index(bound, wait[i])]++;
		h->sum_ns += wait[i];
	}
	assert_int_equal(vml_tally_from(d->arena, dense, VML_HIST_BUCKETS, &h->bucket), 0);
	h->count = WAITS;
	qsort(wait, WAITS, sizeof(*wait), by_value);
	export_add(e, d);
	assert_int_equal(vml_export_write(e, VML_EXPORT_PROTOBUF, 0, &data, &n), 0);
	for (const uint8_t *at = (uint8_t *)data; at < (uint8_t *)data + n;) {
		Prom__Family *f = next_family(&at, (uint8_t *)data + n);

		for (size_t i = 0; !strcmp(f->name, "vmalock_lock_wait_seconds") && i < VML_ARRAY_SIZE(q); i++) {
			double is = wait[(size_t)(q[i] * WAITS)] / 1e9;
			double native = native_quantile(f->metric[0]->histogram, q[i]);
			double classic = classic_quantile(f->metric[0]->histogram, q[i]);

			found = true;
			if (fabs(native / is - 1) > 0.19) /* 2^(1/4) */
				fail_msg("native %g: %g, not %g", q[i], native, is);
			if (classic / is > 4 || is / classic > 4)
				fail_msg("classic %g: %g, not %g", q[i], classic, is);
		}
		prom__family__free_unpacked(f, NULL);
	}
	assert_true(found);
	free(data);
	vml_export_free(e);
}

/* ---- docs/metrics.md is made of the table */

static void document(void **state)
{
	char *is = NULL, *file;
	size_t n = 0;
	FILE *out = open_memstream(&is, &n), *in;

	(void)state;
	assert_non_null(out);
	assert_int_equal(vml_export_doc_write(out), 0);
	fclose(out);
	file = calloc(1, n + 2);
	in = fopen("docs/metrics.md", "r");
	assert_true(file && in);
	assert_int_equal(fread(file, 1, n + 1, in), n);
	fclose(in);
	assert_string_equal(file, is); /* build/tests/exposition --doc >docs/metrics.md */
	free(file);
	free(is);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(negotiation),
		cmocka_unit_test(the_same_in_both),
		cmocka_unit_test(quantiles),
		cmocka_unit_test(document),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
