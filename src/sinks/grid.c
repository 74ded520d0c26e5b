// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include <errno.h>

#include <libsmartcols.h>

#include "vmalock/base.h"
#include "grid.h"

void vml_grid_open(struct vml_grid *g, FILE *out, bool utf8)
{
	*g = (struct vml_grid){ .table = scols_new_table(), .utf8 = utf8 };
	if (!g->table) {
		g->error = -ENOMEM;
		return;
	}
	g->error = scols_table_set_stream(g->table, out);
	/* a log has no width, and the text is clean already */
	scols_table_set_termforce(g->table, SCOLS_TERMFORCE_NEVER);
	scols_table_enable_noencoding(g->table, 1);
}

void vml_grid_column(struct vml_grid *g, const char *title, bool right)
{
	if (!g->error && !scols_table_new_column(g->table, title, 0, right ? SCOLS_FL_RIGHT : 0))
		g->error = -ENOMEM;
}

void vml_grid_row(struct vml_grid *g)
{
	if (g->error)
		return;
	g->column = 0;
	g->line = scols_table_new_line(g->table, NULL);
	if (!g->line)
		g->error = -ENOMEM;
}

void vml_grid_cell(struct vml_grid *g, const char *text)
{
	char ascii[VML_GRID_CELL];

	if (g->error)
		return;
	if (!g->utf8) {
		vml_text_fit(ascii, sizeof(ascii), text, vml_text_width(text), false, false);
		text = ascii;
	}
	g->error = scols_line_set_data(g->line, g->column++, text);
}

int vml_grid_print(struct vml_grid *g)
{
	int error = g->error;

	if (!error)
		error = scols_print_table(g->table);
	scols_unref_table(g->table);
	return error;
}
