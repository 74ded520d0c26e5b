/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef VMALOCK_TUI_OPTIONS_H
#define VMALOCK_TUI_OPTIONS_H
/* The command line of vmalocktop. */
#include "tui.h"

struct vml_top_options {
	struct vml_tui_options view; /* limit: the default of screen, text or JSON is filled in */
	struct vml_live_options live;
	bool batch, json;
};

enum vml_top_action {
	VML_TOP_RUN,
	VML_TOP_DONE, /* help or version was printed */
	VML_TOP_USAGE, /* wrong; one line on stderr says what */
};

/* Fills @ret; strings point into @argv. Free it in every case. */
enum vml_top_action vml_top_options_parse(int argc, char **argv, struct vml_top_options *ret);
void vml_top_options_free(struct vml_top_options *o);

/* A user by name or uid. -ENOENT */
int vml_user_parse(const char *text, uint32_t *ret_uid);

#endif
