// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include <errno.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "vmalock/base.h"
#include "canvas.h"

#define TEXT_MAX 2048

int tui_canvas_reset(struct tui_canvas *c, int rows, int cols)
{
	size_t i, n = (size_t)rows * (size_t)cols;

	if (rows != c->rows || cols != c->cols || !c->cell) {
		struct tui_cell *cell = reallocarray(c->cell, n ? n : 1, sizeof(*cell));

		if (!cell)
			return -ENOMEM;
		c->cell = cell;
		c->rows = rows;
		c->cols = cols;
	}
	for (i = 0; i < n; i++)
		c->cell[i] = (struct tui_cell){ .text = " " };
	c->cursor_row = c->cursor_col = -1;
	return 0;
}

void tui_canvas_free(struct tui_canvas *c)
{
	free(c->cell);
	*c = (struct tui_canvas){ 0 };
}

static struct tui_cell *cell_at(struct tui_canvas *c, int row, int col)
{
	if (row < 0 || row >= c->rows || col < 0 || col >= c->cols)
		return NULL;
	return &c->cell[(size_t)row * (size_t)c->cols + (size_t)col];
}

/* Bytes of the UTF-8 character at @s; the text is clean. */
static size_t char_bytes(const char *s)
{
	size_t n = 1;

	while (((unsigned char)s[n] & 0xc0) == 0x80)
		n++;
	return n;
}

static void combine(struct tui_cell *cell, const char *s, size_t n)
{
	size_t len = cell ? strlen(cell->text) : 0;

	if (cell && len && len + n < sizeof(cell->text)) {
		memcpy(cell->text + len, s, n);
		cell->text[len + n] = '\0';
	}
}

/* Returns the columns the character takes. */
static int put_char(struct tui_canvas *c, int row, int col, enum tui_style style, const char *s, size_t n)
{
	char one[8] = "";
	struct tui_cell *cell, *right;
	int width;

	memcpy(one, s, n < sizeof(one) ? n : sizeof(one) - 1);
	width = vml_text_width(one);
	if (width == 0) {
		combine(cell_at(c, row, col - 1), one, strlen(one));
		return 0;
	}
	cell = cell_at(c, row, col);
	right = width == 2 ? cell_at(c, row, col + 1) : NULL;
	if (cell && (width == 1 || right)) {
		memcpy(cell->text, one, sizeof(one));
		cell->style = style;
	}
	if (right)
		*right = (struct tui_cell){ .style = style };
	return width;
}

int tui_put(struct tui_canvas *c, int row, int col, enum tui_style style, const char *text)
{
	while (*text && col < c->cols) {
		size_t n = char_bytes(text);

		col += put_char(c, row, col, style, text, n);
		text += n;
	}
	return col;
}

int tui_printf(struct tui_canvas *c, int row, int col, enum tui_style style, const char *fmt, ...)
{
	char text[TEXT_MAX];
	va_list ap;

	va_start(ap, fmt);
	vml_text_vprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	return tui_put(c, row, col, style, text);
}

void tui_put_fit(struct tui_canvas *c, int row, int col, int width, bool right, enum tui_style style, const char *text)
{
	char fitted[TEXT_MAX];

	/* half of a number is another number */
	if (width <= 0 || (right && col + width > c->cols))
		return;
	vml_text_fit(fitted, sizeof(fitted), text, width, right, c->utf8);
	tui_put(c, row, col, style, fitted);
}

int tui_put_wrapped(struct tui_canvas *c, const struct tui_area *a, enum tui_style style, const char *text)
{
	int line = 0, column = 0;
	char word[256];

	while (line < a->rows && vml_text_word(&text, word, sizeof(word))) {
		int width = vml_text_width(word);

		if (column && column + 1 + width > a->cols) {
			line++;
			column = 0;
		}
		if (line >= a->rows)
			break;
		column += column ? 1 : 0;
		tui_put_fit(c, a->row + line, a->col + column, width < a->cols - column ? width : a->cols - column,
			    false, style, word);
		column += width;
	}
	return line + (column ? 1 : 0);
}

void tui_put_bar(struct tui_canvas *c, int row, int col, int width, double share)
{
	static const char *const eighth[] = { "", "▏", "▎", "▍", "▌", "▋", "▊", "▉" };
	int eighths = (int)(share * width * 8 + 0.5), i;

	if (share > 0 && !eighths)
		eighths = 1;
	if (!c->utf8) {
		for (i = 0; i < (eighths + 7) / 8 && i < width; i++)
			tui_put(c, row, col + i, TUI_BAR, "#");
		return;
	}
	for (i = 0; i < eighths / 8 && i < width; i++)
		tui_put(c, row, col + i, TUI_BAR, "█");
	if (i < width)
		tui_put(c, row, col + i, TUI_BAR, eighth[eighths % 8]);
}

void tui_style_row(struct tui_canvas *c, int row, enum tui_style style)
{
	struct tui_cell *cell;
	int col;

	for (col = 0; (cell = cell_at(c, row, col)); col++)
		cell->style = style;
}
