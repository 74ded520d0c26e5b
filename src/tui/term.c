// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* The terminal; the only file that knows ncurses. */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <curses.h>
#include <term.h>

#include "vmalock/base.h"
#include "screen.h"

static SCREEN *screen;
static attr_t style_attr[TUI_NSTYLES];

bool vml_tui_possible(void)
{
	int err;
	bool possible;

	if (!isatty(STDIN_FILENO) || !isatty(STDOUT_FILENO))
		return false;
	if (setupterm(NULL, STDOUT_FILENO, &err) != OK)
		return false;
	possible = cursor_address && clear_screen;
	del_curterm(cur_term);
	return possible;
}

static void set_styles(bool colour)
{
	static const short colours[] = { COLOR_GREEN, COLOR_YELLOW, COLOR_RED, COLOR_CYAN };
	size_t i;

	memset(style_attr, 0, sizeof(style_attr));
	style_attr[TUI_DIM] = A_DIM;
	style_attr[TUI_BOLD] = A_BOLD;
	style_attr[TUI_HEAD] = A_UNDERLINE;
	style_attr[TUI_HEAD_SORT] = A_UNDERLINE | A_BOLD;
	style_attr[TUI_TAB_ON] = A_REVERSE;
	style_attr[TUI_SELECTED] = A_REVERSE;
	style_attr[TUI_GOOD] = style_attr[TUI_WARN] = style_attr[TUI_BAD] = A_BOLD;
	if (!colour || !has_colors() || start_color() != OK)
		return;
	use_default_colors();
	for (i = 0; i < VML_ARRAY_SIZE(colours); i++)
		init_pair((short)(i + 1), colours[i], -1);
	style_attr[TUI_GOOD] |= COLOR_PAIR(1);
	style_attr[TUI_WARN] |= COLOR_PAIR(2);
	style_attr[TUI_BAD] |= COLOR_PAIR(3);
	style_attr[TUI_BAR] |= COLOR_PAIR(4);
	style_attr[TUI_HEAD_SORT] |= COLOR_PAIR(4);
}

int tui_term_open(bool colour)
{
	screen = newterm(NULL, stdout, stdin); /* initscr() would exit on failure */
	if (!screen)
		return -EIO;
	set_styles(colour);
	cbreak();
	noecho();
	nonl();
	keypad(stdscr, TRUE);
	nodelay(stdscr, TRUE);
	set_escdelay(25);
	return 0;
}

void tui_term_close(void)
{
	if (!screen)
		return;
	endwin();
	delscreen(screen);
	screen = NULL;
}

bool vml_tui_key_waits(void)
{
	struct pollfd in = { .fd = STDIN_FILENO, .events = POLLIN };

	return screen && poll(&in, 1, 0) > 0;
}

void tui_term_size(int *rows, int *cols)
{
	getmaxyx(stdscr, *rows, *cols);
}

/* A run of cells of one style. */
static int draw_run(const struct tui_canvas *c, int row, int col)
{
	const struct tui_cell *line = &c->cell[(size_t)row * (size_t)c->cols];
	enum tui_style style = line[col].style;
	int first = col;

	attrset((int)style_attr[style]);
	move(row, first);
	for (; col < c->cols && line[col].style == style; col++)
		addstr(line[col].text);
	return col;
}

void tui_term_draw(const struct tui_canvas *c)
{
	int row, col;

	erase();
	for (row = 0; row < c->rows; row++)
		for (col = 0; col < c->cols;)
			col = draw_run(c, row, col);
	attrset(A_NORMAL);
	curs_set(c->cursor_row >= 0 ? 1 : 0);
	move(c->cursor_row >= 0 ? c->cursor_row : c->rows - 1, c->cursor_row >= 0 ? c->cursor_col : 0);
	refresh();
}

int tui_term_key(void)
{
	static const struct {
		wint_t code;
		int key;
	} special[] = {
		{ KEY_UP, TUI_KEY_UP },		{ KEY_DOWN, TUI_KEY_DOWN },
		{ KEY_LEFT, TUI_KEY_LEFT },	{ KEY_RIGHT, TUI_KEY_RIGHT },
		{ KEY_PPAGE, TUI_KEY_PAGE_UP }, { KEY_NPAGE, TUI_KEY_PAGE_DOWN },
		{ KEY_HOME, TUI_KEY_HOME },	{ KEY_END, TUI_KEY_END },
		{ KEY_ENTER, TUI_KEY_ENTER },	{ KEY_BACKSPACE, TUI_KEY_BACKSPACE },
		{ KEY_BTAB, TUI_KEY_BACKTAB },	{ KEY_F(1), TUI_KEY_F1 },
		{ KEY_F(4), TUI_KEY_F4 },	{ KEY_F(6), TUI_KEY_F6 },
		{ KEY_F(10), TUI_KEY_F10 },	{ KEY_RESIZE, TUI_KEY_RESIZE },
	};
	wint_t code;
	size_t i;

	switch (get_wch(&code)) {
	case OK:
		break;
	case KEY_CODE_YES:
		for (i = 0; i < VML_ARRAY_SIZE(special); i++)
			if (special[i].code == code)
				return special[i].key;
		return TUI_KEY_OTHER;
	default:
		return TUI_KEY_NONE;
	}
	switch (code) {
	case '\r':
	case '\n':
		return TUI_KEY_ENTER;
	case '\t':
		return TUI_KEY_TAB;
	case '\b':
	case 0x7f:
		return TUI_KEY_BACKSPACE;
	case 0:
		return TUI_KEY_OTHER;
	default:
		return (int)code;
	}
}
