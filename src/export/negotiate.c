/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What a scraper asks for: Accept of RFC 9110, 12.5.1. */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "vmalock/export.h"

struct part {
	const char *text;
	size_t len;
};

static struct part trim(struct part p)
{
	while (p.len && isspace((unsigned char)*p.text)) {
		p.text++;
		p.len--;
	}
	while (p.len && isspace((unsigned char)p.text[p.len - 1]))
		p.len--;
	return p;
}

/* What comes before @end in *@rest, which is moved behind it; quotes hide what they enclose. */
static struct part cut(struct part *rest, char end)
{
	struct part p = { rest->text, 0 };
	bool quoted = false;

	while (p.len < rest->len && (quoted || p.text[p.len] != end))
		quoted ^= p.text[p.len++] == '"';
	rest->text += p.len;
	rest->len -= p.len;
	if (rest->len) {
		rest->text++;
		rest->len--;
	}
	return trim(p);
}

static bool is(struct part p, const char *text)
{
	return p.len == strlen(text) && !strncasecmp(p.text, text, p.len);
}

static struct part unquote(struct part p)
{
	if (p.len >= 2 && *p.text == '"' && p.text[p.len - 1] == '"')
		return (struct part){ p.text + 1, p.len - 2 };
	return p;
}

/* "0.75" to 750; what is no q-value is 0. */
static int quality(struct part p)
{
	int q, digit = 100;

	if (!p.len || (*p.text != '0' && *p.text != '1') || p.len > 5 || (p.len > 1 && p.text[1] != '.'))
		return 0;
	q = *p.text == '1' ? 1000 : 0;
	for (size_t i = 2; i < p.len; i++, digit /= 10) {
		if (!isdigit((unsigned char)p.text[i]))
			return 0;
		q += (p.text[i] - '0') * digit;
	}
	return q > 1000 ? 0 : q;
}

struct wish {
	int protobuf, text, any; /* in thousandths; -1: not named */
};

static void raise_to(int *x, int q)
{
	if (q > *x)
		*x = q;
}

/* One of the types that are separated by commas. */
static void read_type(struct part p, struct wish *w)
{
	struct part type = cut(&p, ';');
	bool proto = false, delimited = false;
	int q = 1000;

	while (p.len) {
		struct part value = cut(&p, ';'), name = cut(&value, '=');

		value = unquote(trim(value));
		if (is(name, "q"))
			q = quality(value);
		else if (is(name, "proto"))
			proto = is(value, "io.prometheus.client.MetricFamily");
		else if (is(name, "encoding"))
			delimited = is(value, "delimited");
	}
	if (is(type, "application/vnd.google.protobuf") && proto && delimited)
		raise_to(&w->protobuf, q);
	else if (is(type, "text/plain") || is(type, "text/*"))
		raise_to(&w->text, q);
	else if (is(type, "*/*"))
		raise_to(&w->any, q);
}

enum vml_export_format vml_export_negotiate(const char *accept)
{
	struct part rest = { accept, accept ? strlen(accept) : 0 };
	struct wish w = { -1, -1, -1 };

	while (rest.len)
		read_type(cut(&rest, ','), &w);
	if (w.text < 0)
		w.text = w.any;
	return w.protobuf > 0 && w.protobuf > w.text ? VML_EXPORT_PROTOBUF : VML_EXPORT_TEXT;
}

const char *vml_export_content_type(enum vml_export_format f)
{
	return f == VML_EXPORT_PROTOBUF
		       ? "application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited"
		       : "text/plain; version=0.0.4; charset=utf-8";
}
