/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef VMALOCK_TUI_OPTIONS_H
#define VMALOCK_TUI_OPTIONS_H
/* The command line of vmalocktop. */
#include "../run/command_line.h"
#include "tui.h"

struct vml_top_options {
	struct vml_tui_options view; /* limit: the default of screen, text or JSON is filled in */
	struct vml_live_options live;
	const char *replay; /* a file; NULL: this host */
	const char *connect; /* the socket of a daemon; NULL: this program observes */
	bool batch, json;
};

/* Fills @ret; strings point into @argv. Free it in every case. */
enum vml_action vml_top_options_parse(int argc, char **argv, struct vml_top_options *ret);
void vml_top_options_free(struct vml_top_options *o);

/* A user by name or uid. -ENOENT */
int vml_user_parse(const char *text, uint32_t *ret_uid);

#endif
