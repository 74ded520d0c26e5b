/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef VMALOCK_SINKS_HTML_H
#define VMALOCK_SINKS_HTML_H
/*
 * HTML pages: one file, no script, nothing from the network (html.c).
 *
 * Text is escaped in one place, html_text(), which all others but html_raw() go through;
 * html_raw() is for literals of these files alone.  Failed writes stick to the stream.
 * Numbers in coordinates are integers: a locale may have another decimal point.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

struct vml_snapshot;

/* From <!DOCTYPE> to <main>; @title is also the head line. */
void html_begin(FILE *out, const char *title);
/* From </main> to the end. -EIO: any of it could not be written */
int html_end(FILE *out);

void html_raw(FILE *out, const char *markup);
/* Escaped for content and for attributes in quotes. */
void html_text(FILE *out, const char *text);
__attribute__((format(printf, 2, 3))) void html_textf(FILE *out, const char *fmt, ...);

/* <TAG>text</TAG>; @tag may have literal attributes behind it: "p class=\"x\"". */
void html_el(FILE *out, const char *tag, const char *text);
__attribute__((format(printf, 3, 4))) void html_elf(FILE *out, const char *tag, const char *fmt, ...);
/* ` NAME="value"`, inside a tag. */
void html_attr(FILE *out, const char *name, const char *value);

/* A section with a head line, of which a link can be made. */
void html_section(FILE *out, const char *id, const char *title);
void html_section_end(FILE *out);

/*
 * Tables.  On a narrow screen each row is a list, and each cell has its head before it.
 * The heads are those of the last html_table(), cells follow from left to right.
 */
struct html_table {
	FILE *out;
	const char *const *head; /* ended by NULL; of numbers "#TITLE" */
	size_t column;
};
void html_table(struct html_table *t, FILE *out, const char *caption, const char *const *head);
void html_row(struct html_table *t);
void html_cell(struct html_table *t, const char *text);
__attribute__((format(printf, 2, 3))) void html_cellf(struct html_table *t, const char *fmt, ...);
void html_row_end(struct html_table *t);
void html_table_end(struct html_table *t);

/* A duration, "12 ms"; what is below 0 is "-", what is not finite ">128 s". Returns @buf. */
char *html_ns(char *buf, size_t n, double ns);

#endif
