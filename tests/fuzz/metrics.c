// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Names of others, any bytes, in metrics: the text is what its format says, and protobuf, read again, has the same
 * series in the same order, with the same labels and numbers.
 *
 *	byte 0		1: by comm, too; 2: of two intervals
 *	then		names and numbers, see delta.h
 */
#include <inttypes.h>
#include <math.h>

#include "fuzz/input.h"
#include "fuzz/delta.h"
#include "metricfamily.pb-c.h"
#include "vmalock/cgroup.h"
#include "vmalock/export.h"

/* Where in the text the next series begins, and from whom its names are. */
struct metrics {
	const char *text;
	struct vml_snapshot *delta[2];
};

/* ---- a series in the text: NAME{LABEL="VALUE",...} NUMBER */

/* Behind the label at @at, which begins with @separator. */
FUZZ_CHECK static const char *metrics_label(const char *at, char separator, const char *name, const char *value)
{
	fuzz_must(*at == separator && !strncmp(at + 1, name, strlen(name)));
	at += 1 + strlen(name);
	fuzz_must(at[0] == '=' && at[1] == '"');
	for (at += 2; *at != '"'; at++, value++) {
		fuzz_must(*at && *at != '\n');
		if (*at == '\\')
			fuzz_must(*++at == '\\' || *at == '"'); /* no line end is left in a name */
		fuzz_must(*value == *at);
	}
	fuzz_must(!*value);
	return at + 1;
}

/* The next one is that of @m with that number; @le: also a label. */
FUZZ_CHECK static void metrics_series(struct metrics *x, const char *name, const char *suffix, const Prom__Metric *m,
				      const char *le, double number)
{
	const char *at = x->text;
	char *end, separator = '{';
	double v;

	while (*at == '#')
		at = strchr(at, '\n') + 1;
	fuzz_must(!strncmp(at, name, strlen(name)) && !strncmp(at + strlen(name), suffix, strlen(suffix)));
	at += strlen(name) + strlen(suffix);
	for (size_t i = 0; i < m->n_label; i++, separator = ',')
		at = metrics_label(at, separator, m->label[i]->name, m->label[i]->value);
	if (le) {
		at = metrics_label(at, separator, "le", le);
		separator = ',';
	}
	if (separator == ',')
		fuzz_must(*at++ == '}');
	fuzz_must(*at == ' ');
	v = strtod(at + 1, &end);
	fuzz_must(end > at + 1 && *end == '\n' && (v == number || (isnan(v) && isnan(number))));
	x->text = end + 1;
}

/* ---- protobuf */

FUZZ_CHECK static void metrics_histogram(struct metrics *x, const char *name, const Prom__Metric *m)
{
	const Prom__Histogram *h = m->histogram;
	char le[32];

	for (size_t i = 0; i < h->n_bucket; i++) {
		snprintf(le, sizeof(le), "%.15g", h->bucket[i]->upper_bound);
		metrics_series(x, name, "_bucket", m, le, (double)h->bucket[i]->cumulative_count);
	}
	metrics_series(x, name, "_bucket", m, "+Inf", (double)h->sample_count);
	metrics_series(x, name, "_sum", m, NULL, h->sample_sum);
	metrics_series(x, name, "_count", m, NULL, (double)h->sample_count);
}

/* Somebody is in that cgroup; a word of ours stands for all others and for those of whom it is not known. */
FUZZ_CHECK static bool metrics_has_cgroup(const struct vml_snapshot *d, const char *name)
{
	struct vml_cgroup c;

	if (!strcmp(name, "other") || !strcmp(name, "unknown"))
		return true;
	for (int scope = 0; d && scope < VML_NSCOPES; scope++)
		for (size_t i = 0; i < d->rows[scope].n; i++) {
			vml_cgroup_parse(d->rows[scope].row[i].cgroup, &c);
			if (!strcmp(c.name, name))
				return true;
		}
	return false;
}

FUZZ_CHECK static void metrics_metric(struct metrics *x, const Prom__Family *f, const Prom__Metric *m)
{
	const char *cgroup = m->n_label && !strcmp(m->label[0]->name, "cgroup") ? m->label[0]->value : "other";

	fuzz_must(!!m->counter + !!m->gauge + !!m->summary + !!m->histogram == 1);
	if (m->histogram) {
		metrics_histogram(x, f->name, m);
	} else if (m->summary) {
		metrics_series(x, f->name, "_sum", m, NULL, m->summary->sample_sum);
		metrics_series(x, f->name, "_count", m, NULL, (double)m->summary->sample_count);
	} else {
		metrics_series(x, f->name, "", m, NULL, m->counter ? m->counter->value : m->gauge->value);
	}
	fuzz_must(metrics_has_cgroup(x->delta[0], cgroup) || metrics_has_cgroup(x->delta[1], cgroup));
}

/* The next message of the stream, which is behind its length. */
FUZZ_CHECK static Prom__Family *metrics_family(struct fuzz_input *in)
{
	unsigned int shift = 0;
	Prom__Family *f;
	uint64_t n = 0;
	uint8_t byte;

	do {
		fuzz_must(in->at < in->end && shift < 64);
		byte = *in->at++;
		n |= (uint64_t)(byte & 0x7f) << shift;
		shift += 7;
	} while (byte & 0x80);
	fuzz_must(n <= (uint64_t)(in->end - in->at));
	f = prom__family__unpack(NULL, n, in->at);
	fuzz_must(f && f->name && *f->name && f->n_metric);
	in->at += n;
	return f;
}

FUZZ_CHECK static void metrics_clean(const char *text)
{
	for (const char *end; *text; text = end + 1) {
		end = strchr(text, '\n');
		fuzz_must(end != NULL);
		fuzz_must_be_clean(text, (size_t)(end - text));
	}
}

static void metrics_compare(struct metrics *x, struct vml_export *e)
{
	char *text = NULL, *bytes = NULL;
	struct fuzz_input in;
	size_t n;

	fuzz_must(!vml_export_write(e, VML_EXPORT_TEXT, 0, &text, &n) && strlen(text) == n);
	fuzz_must(!vml_export_write(e, VML_EXPORT_PROTOBUF, 0, &bytes, &n));
	metrics_clean(text);
	in = (struct fuzz_input){ (const uint8_t *)bytes, (const uint8_t *)bytes + n };
	x->text = text;
	while (in.at < in.end) {
		Prom__Family *f = metrics_family(&in);

		for (size_t i = 0; i < f->n_metric; i++)
			metrics_metric(x, f, f->metric[i]);
		prom__family__free_unpacked(f, NULL);
	}
	fuzz_must(!*x->text);
	free(text);
	free(bytes);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_input in = { data, data + size };
	unsigned int how = (unsigned int)fuzz_take(&in, 1);
	const struct vml_export_options o = { .comm = how & 1 };
	struct metrics x = { 0 };
	struct vml_export *e = NULL;

	fuzz_must(!vml_export_new(&o, &e));
	for (unsigned int i = 0; i < 1 + (how >> 1 & 1); i++) {
		x.delta[i] = delta_read(2 + 2 * i, &in);
		fuzz_must(!vml_export_add(e, x.delta[i]));
	}
	metrics_compare(&x, e);
	vml_export_free(e);
	vml_snapshot_free(x.delta[0]);
	vml_snapshot_free(x.delta[1]);
	return 0;
}
