// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* What all pages have: escaping, elements, tables, the frame. */
#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <string.h>

#include "html.h"
#include "html_style.h"
#include "parts.h"
#include "vmalock/base.h"

void html_raw(FILE *out, const char *markup)
{
	fputs(markup, out);
}

void html_text(FILE *out, const char *text)
{
	for (; *text; text++) {
		switch (*text) {
		case '&':
			fputs("&amp;", out);
			break;
		case '<':
			fputs("&lt;", out);
			break;
		case '>':
			fputs("&gt;", out);
			break;
		case '"':
			fputs("&quot;", out);
			break;
		case '\'':
			fputs("&#39;", out);
			break;
		default:
			/* a reader cleans what it reads; this is for what did not pass it */
			putc((unsigned char)*text < 0x20 || *text == 0x7f ? '?' : *text, out);
		}
	}
}

static void text_va(FILE *out, const char *fmt, va_list ap)
{
	char buf[4096];

	vml_text_vprintf(buf, sizeof(buf), fmt, ap);
	html_text(out, buf);
}

void html_textf(FILE *out, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	text_va(out, fmt, ap);
	va_end(ap);
}

static void open_tag(FILE *out, const char *tag)
{
	fprintf(out, "<%s>", tag);
}

static void close_tag(FILE *out, const char *tag)
{
	fprintf(out, "</%.*s>", (int)strcspn(tag, " "), tag);
}

void html_el(FILE *out, const char *tag, const char *text)
{
	open_tag(out, tag);
	html_text(out, text);
	close_tag(out, tag);
}

void html_elf(FILE *out, const char *tag, const char *fmt, ...)
{
	va_list ap;

	open_tag(out, tag);
	va_start(ap, fmt);
	text_va(out, fmt, ap);
	va_end(ap);
	close_tag(out, tag);
}

void html_attr(FILE *out, const char *name, const char *value)
{
	fprintf(out, " %s=\"", name);
	html_text(out, value);
	putc('"', out);
}

/* ---- the frame */

void html_begin(FILE *out, const char *title)
{
	html_raw(out, "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\n"
		      "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; "
		      "style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'\">\n"
		      "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
		      "<meta name=\"color-scheme\" content=\"light dark\">\n"
		      "<meta name=\"referrer\" content=\"no-referrer\">\n"
		      "<meta name=\"generator\" content=\"vmalock " VML_VERSION "\">\n");
	html_el(out, "title", title);
	html_raw(out, "\n<style>\n");
	html_raw(out, html_style);
	html_raw(out, "</style></head>\n<body><main>\n");
	html_el(out, "h1", title);
	html_raw(out, "\n");
}

int html_end(FILE *out)
{
	html_raw(out, "</main>\n<footer>Made by vmalock " VML_VERSION
		      ". A value that could not be seen is \"-\"; it is never shown as 0.</footer>\n</body></html>\n");
	return ferror(out) ? -EIO : 0;
}

void html_section(FILE *out, const char *id, const char *title)
{
	html_raw(out, "<section");
	html_attr(out, "id", id);
	html_raw(out, ">");
	html_el(out, "h2", title);
	html_raw(out, "\n");
}

void html_section_end(FILE *out)
{
	html_raw(out, "</section>\n");
}

/* ---- tables */

static bool is_number(const char *head)
{
	return *head == '#';
}

static const char *head_text(const char *head)
{
	return head + is_number(head);
}

void html_table(struct html_table *t, FILE *out, const char *caption, const char *const *head)
{
	*t = (struct html_table){ .out = out, .head = head };
	html_raw(out, "<table>");
	if (caption)
		html_el(out, "caption", caption);
	html_raw(out, "<thead><tr>");
	for (; *head; head++)
		html_el(out, is_number(*head) ? "th scope=\"col\" class=\"n\"" : "th scope=\"col\"", head_text(*head));
	html_raw(out, "</tr></thead>\n<tbody>\n");
}

void html_row(struct html_table *t)
{
	t->column = 0;
	html_raw(t->out, "<tr>");
}

static void open_cell(struct html_table *t)
{
	const char *head = t->head[t->column++];

	html_raw(t->out, is_number(head) ? "<td class=\"n\"" : "<td");
	html_attr(t->out, "data-h", head_text(head));
	html_raw(t->out, ">");
}

void html_cell(struct html_table *t, const char *text)
{
	open_cell(t);
	html_text(t->out, text);
	html_raw(t->out, "</td>");
}

void html_cellf(struct html_table *t, const char *fmt, ...)
{
	va_list ap;

	open_cell(t);
	va_start(ap, fmt);
	text_va(t->out, fmt, ap);
	va_end(ap);
	html_raw(t->out, "</td>");
}

void html_row_end(struct html_table *t)
{
	html_raw(t->out, "</tr>\n");
}

void html_table_end(struct html_table *t)
{
	html_raw(t->out, "</tbody></table>\n");
}

char *html_ns(char *buf, size_t n, double ns)
{
	if (ns < 0)
		snprintf(buf, n, "-");
	else if (!isfinite(ns))
		snprintf(buf, n, ">128 s");
	else
		vml_fmt_spaced(vml_fmt_ns(buf, n, ns), n);
	return buf;
}
