/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Text format 0.0.4. */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "export/gather.h"
#include "export/state.h"

/* The shortest text that reads as the same number. */
static void put_number(FILE *out, double v)
{
	char buf[32];

	if (v == trunc(v) && fabs(v) < 1e15) {
		fprintf(out, "%lld\n", (long long)v);
		return;
	}
	for (int digits = 15; digits <= 17; digits++) {
		snprintf(buf, sizeof(buf), "%.*g", digits, v);
		if (strtod(buf, NULL) == v)
			break;
	}
	fprintf(out, "%s\n", buf);
}

static void put_escaped(FILE *out, const char *s, bool quotes)
{
	for (; *s; s++) {
		if (*s == '\n')
			fputs_unlocked("\\n", out);
		else if (*s == '\\' || (quotes && *s == '"')) {
			putc_unlocked('\\', out);
			putc_unlocked(*s, out);
		} else
			putc_unlocked(*s, out);
	}
}

static void put_label(FILE *out, const char *name, const char *value, char *separator)
{
	if (!value || !*value)
		return;
	putc_unlocked(*separator, out);
	*separator = ',';
	fputs_unlocked(name, out);
	fputs_unlocked("=\"", out);
	put_escaped(out, value, true);
	putc_unlocked('"', out);
}

/* Name and labels of a series, and the space before its value. */
static void put_series(FILE *out, const struct metric *m, const char *suffix, const struct sample *s, const char *le)
{
	char separator = '{';

	fputs_unlocked(m->name, out);
	fputs_unlocked(suffix, out);
	for (int i = 0; i < METRIC_LABELS && m->label[i]; i++)
		put_label(out, m->label[i], s->value[i], &separator);
	put_label(out, "comm", s->comm, &separator);
	put_label(out, "le", le, &separator);
	fputs_unlocked(separator == ',' ? "} " : " ", out);
}

static void put_hist(FILE *out, const struct metric *m, const struct sample *s)
{
	uint64_t below = 0;
	char le[32];
	int next = 0;

	for (int i = 0; i < CLASSIC_BOUNDS; i++) {
		for (; next <= CLASSIC_BUCKET(i); next++)
			below += s->hist->bucket[next];
		snprintf(le, sizeof(le), "%.15g", ldexp(1, CLASSIC_EXPONENT(i)));
		put_series(out, m, "_bucket", s, le);
		put_number(out, below);
	}
	for (; next < VML_HIST_BUCKETS; next++)
		below += s->hist->bucket[next];
	put_series(out, m, "_bucket", s, "+Inf");
	put_number(out, below);
	put_series(out, m, "_sum", s, NULL);
	put_number(out, s->hist->sum_ns / 1e9);
	put_series(out, m, "_count", s, NULL);
	put_number(out, below);
}

static void put_sample(FILE *out, const struct metric *m, const struct sample *s)
{
	switch (m->type) {
	case HISTOGRAM:
		put_hist(out, m, s);
		break;
	case SUMMARY:
		put_series(out, m, "_sum", s, NULL);
		put_number(out, s->number);
		put_series(out, m, "_count", s, NULL);
		put_number(out, s->count);
		break;
	default:
		put_series(out, m, "", s, NULL);
		put_number(out, s->number);
	}
}

static void put_family(FILE *out, const struct metric *m, const struct family *f)
{
	fprintf(out, "# HELP %s ", m->name);
	put_escaped(out, m->help, false);
	fprintf(out, "\n# TYPE %s %s\n", m->name, metric_type_names[m->type]);
	for (size_t i = 0; i < f->n; i++)
		put_sample(out, m, &f->sample[i]);
}

int text_write(const struct exposition *x, char **ret, size_t *ret_n)
{
	char *text = NULL;
	size_t n = 0;
	FILE *out = open_memstream(&text, &n);

	if (!out)
		return -ENOMEM;
	for (int m = 0; m < NMETRICS; m++)
		if (x->family[m].n)
			put_family(out, &metrics[m], &x->family[m]);
	if (vml_text_close(out, &text))
		return -ENOMEM;
	*ret = text;
	*ret_n = n;
	return 0;
}
