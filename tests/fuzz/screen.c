// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * The screen of vmalocktop: names of others, any bytes, any keys, any size.  It is drawn without a terminal, and
 * each line is as wide as the screen, of characters that a terminal shows and nothing else.
 *
 *	byte 0, 1	rows, columns
 *	byte 2		1: UTF-8
 *	then		the names of a second (delta.h), and keys: see screen_key()
 */
#include <locale.h>

#include "fuzz/input.h"
#include "fuzz/delta.h"
#include "tui/screen.h"

#define SCREEN_KEYS 60

/* What a row of the canvas says, and how wide that is. */
FUZZ_CHECK static void screen_row(const struct tui_canvas *c, int row)
{
	const struct tui_cell *cell = &c->cell[(size_t)row * (size_t)c->cols];
	char text[256 * TUI_CELL_BYTES];
	size_t n = 0;
	int width = 0;

	for (int col = 0; col < c->cols; col++) {
		size_t len = strnlen(cell[col].text, TUI_CELL_BYTES);

		fuzz_must(len < TUI_CELL_BYTES && n + len < sizeof(text) && cell[col].style < TUI_NSTYLES);
		fuzz_must(c->utf8 || len <= 1);
		memcpy(text + n, cell[col].text, len);
		n += len;
		width += len == 1 && cell[col].text[0] > 0 ? 1 : vml_text_width(cell[col].text);
	}
	fuzz_must_be_clean(text, n);
	fuzz_must(width == c->cols);
}

static void screen_draw(struct tui *t, struct tui_canvas *c, int rows, int cols)
{
	fuzz_must(!tui_canvas_reset(c, rows, cols) && !tui_draw(t, c));
	for (int row = 0; row < rows; row++)
		screen_row(c, row);
	fuzz_must(c->cursor_row < rows && c->cursor_col < cols);
}

/* ASCII, the special keys, any character.  Not what writes a file (w) and what asks for users (u). */
static int screen_key(struct fuzz_input *in)
{
	int key = (int)fuzz_take(in, 1);

	if (key >= 0xf0)
		return (int)(fuzz_take(in, 3) % TUI_KEY_SPECIAL);
	if (key >= 0x80)
		return TUI_KEY_SPECIAL + (key - 0x80) % (TUI_KEY_OTHER - TUI_KEY_SPECIAL + 1);
	return key == 'w' || key == 'u' ? TUI_KEY_ENTER : key;
}

/* As loop.c does. */
static void screen_keys(struct tui *t, struct tui_canvas *c, struct fuzz_input *in)
{
	int rows = c->rows, cols = c->cols;
	unsigned int second = 2;

	for (int i = 0; i < SCREEN_KEYS && in->at < in->end && !t->quit; i++) {
		if (*in->at == 0xff && second < DELTA_SECONDS) {
			in->at++;
			fuzz_must(!tui_data_add(t, delta_second(++second, in)));
		} else {
			fuzz_must(!tui_list_update(t) && !tui_key(t, screen_key(in)));
		}
		screen_draw(t, c, rows, cols);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct vml_tui_options o = { .interval_ns = 1000000000, .limit = UINT32_MAX };
	struct fuzz_input in = { data, data + size };
	int rows = 1 + (int)fuzz_take(&in, 1) % 50, cols = 1 + (int)fuzz_take(&in, 1);
	struct tui_canvas c = { .utf8 = fuzz_take(&in, 1) & 1 };
	struct tui *t;

	fuzz_must(setlocale(LC_CTYPE, "C.UTF-8") != NULL);
	t = tui_new(&o);
	fuzz_must(t != NULL);
	t->utf8 = c.utf8;
	fuzz_must(!tui_data_add(t, delta_second(1, &in)));
	screen_draw(t, &c, rows, cols);
	fuzz_must(!tui_data_add(t, delta_second(2, &in)));
	screen_draw(t, &c, rows, cols);
	screen_keys(t, &c, &in);
	tui_canvas_free(&c);
	tui_free(t);
	return 0;
}
