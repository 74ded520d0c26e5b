// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Doctor and help: text that is scrolled. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vmalock/base.h"
#include "vmalock/sink.h"
#include "vmalock/source.h"
#include "screen.h"

#define LINE_MAX_BYTES 1024

/* Where the text of "  KEY   text" begins: continued lines are indented to there. */
static int hanging_indent(const char *line, int cols)
{
	const char *p, *text = line;

	for (p = line; (p = strstr(p, "  ")); text = p)
		p += strspn(p, " ");
	return text - line < cols / 2 ? (int)(text - line) : 2;
}

size_t tui_text_piece(const char *s, int cols)
{
	char part[LINE_MAX_BYTES];
	size_t len = 0, best = 0;

	while (s[len] && len + 1 < sizeof(part)) {
		size_t word = len + strspn(s + len, " ");

		word += strcspn(s + word, " ");
		if (word >= sizeof(part))
			break;
		memcpy(part, s, word);
		part[word] = '\0';
		if (vml_text_width(part) > cols)
			break;
		best = len = word;
	}
	return best ? best : strlen(s);
}

/* A line in as many lines as it needs, from line @at of the screen on; returns how many. */
static int put_line(struct tui_canvas *c, const struct tui_area *a, int at, const char *line)
{
	int indent = 0, n = 0, hang = hanging_indent(line, a->cols);
	char part[LINE_MAX_BYTES];

	do {
		size_t len = tui_text_piece(line, a->cols - indent);

		if (len >= sizeof(part))
			len = sizeof(part) - 1;
		memcpy(part, line, len);
		part[len] = '\0';
		if (at + n >= 0 && at + n < a->rows)
			tui_put_fit(c, a->row + at + n, a->col + indent, a->cols - indent, false, TUI_PLAIN, part);
		line += len;
		line += strspn(line, " ");
		indent = hang;
		n++;
	} while (*line);
	return n;
}

static int put_text(struct tui_canvas *c, const struct tui_area *a, int at, char *text)
{
	char *line, *end;
	int n = 0;

	for (line = text; (end = strchr(line, '\n')); line = end + 1) {
		*end = '\0';
		n += put_line(c, a, at + n, line);
		*end = '\n';
	}
	return n;
}

/* The cursor is the first line that is shown. */
static void draw_text(struct tui *t, struct tui_canvas *c, const struct tui_area *a, char *text)
{
	struct tui_area nowhere = { .cols = a->cols };
	struct tui_cursor *cursor = tui_cursor(t);
	int lines = put_text(c, &nowhere, 0, text);

	t->page = a->rows;
	t->nrows = lines > a->rows ? (size_t)(lines - a->rows) + 1 : 1;
	if (cursor->at >= t->nrows)
		cursor->at = t->nrows - 1;
	put_text(c, a, -(int)cursor->at, text);
}

/* The line "lost:" has those of one interval, and goes with it. */
static void write_losses(FILE *f, const struct vml_snapshot *s, bool interval)
{
	bool any = false;
	char count[32];

	for (size_t i = 0; s && i < s->nloss; i++) {
		if (!s->loss[i].count)
			continue;
		if (!any)
			fprintf(f, "Lost %s:\n", interval ? "in this interval" : "since counting began");
		any = true;
		fprintf(f, "  %10s  %-22s  %s\n", vml_fmt_count(count, sizeof(count), (double)s->loss[i].count),
			s->loss[i].cause, s->loss[i].help);
	}
	if (any)
		fputc('\n', f);
}

void tui_draw_doctor(struct tui *t, struct tui_canvas *c, const struct tui_area *a)
{
	char *text = NULL;
	size_t size;
	FILE *f = open_memstream(&text, &size);
	const struct vml_snapshot *s = tui_shown(t);

	if (!f)
		return;
	if (t->replay)
		fprintf(f, "As it was on %s when this was recorded%s\n\n", s->host.name,
			s->caps ? ":" : " is not known.");
	write_losses(f, tui_counted(t), t->replay);
	if (s->caps)
		vml_doctor_write(f, s->caps, c->utf8);
	if (!vml_text_close(f, &text))
		draw_text(t, c, a, text);
	free(text);
}

static bool has_column(enum vml_scope scope, const struct vml_column *c)
{
	const struct vml_column *const *column;

	for (column = vml_columns(scope); *column; column++)
		if (*column == c)
			return true;
	return false;
}

/* The columns of @scope that no scope before it has. */
static void write_columns(FILE *f, const char *head, enum vml_scope scope)
{
	const struct vml_column *const *column;
	unsigned int before;

	fprintf(f, "\n%s\n", head);
	for (column = vml_columns(scope); *column; column++) {
		for (before = 0; before < scope && !has_column(before, *column);)
			before++;
		if (before == scope)
			fprintf(f, "  %-10s %-14s %s\n", (*column)->title, (*column)->key, (*column)->help);
	}
}

static void write_help(FILE *f)
{
	const struct tui_binding *b;
	unsigned int i;

	fputs("KEYS\n", f);
	for (b = tui_bindings; b->keys; b++)
		fprintf(f, "  %-22s %s\n", b->keys, b->help);
	fputs("\nWORDS\n"
	      "  hit       the fault was served wholly under the lock of its VMA\n"
	      "  fallback  the fault took mmap_lock, which the whole process shares\n"
	      "  bypass    a fallback in kernel mode: it never tries the lock of the VMA\n"
	      "  abort     a fallback that was refused the lock of the VMA\n"
	      "  retry     a fallback that had the lock of the VMA and gave it up\n"
	      "  exact     seen; inferred: concluded from the state of the VMA\n"
	      "  wait      time from asking for mmap_lock to having it\n"
	      "  hold      time from having mmap_lock to releasing it\n"
	      "  VMA wait  time a writer waits for the readers of a VMA to leave\n"
	      "  blame     time waited that is charged to who held the lock then\n"
	      "  handover  time waited while nobody held it: the next owner was on its way\n"
	      "  serve     time from a fault to the end of its handler\n"
	      "  lost      not counted, or not where it belongs (D says what each cause means)\n"
	      "  -         cannot be seen here; never the same as 0 (D says why)\n",
	      f);
	write_columns(f, "COLUMNS, with their name for -s", VML_PROCESS);
	write_columns(f, "MORE COLUMNS OF THREADS", VML_THREAD);
	write_columns(f, "MORE COLUMNS OF VMAS", VML_VMA);
	write_columns(f, "MORE COLUMNS OF BLOCKERS", VML_BLOCKER);
	fputs("\nREASONS\n", f);
	for (i = 0; i < vml_reason_count(); i++)
		fprintf(f, "  %-15s %s\n", vml_reason_name(i), vml_reason_help(i));
}

void tui_draw_help(struct tui *t, struct tui_canvas *c, const struct tui_area *a)
{
	char *text = NULL;
	size_t size;
	FILE *f = open_memstream(&text, &size);

	if (!f)
		return;
	write_help(f);
	if (!vml_text_close(f, &text))
		draw_text(t, c, a, text);
	free(text);
}
