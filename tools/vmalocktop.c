// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Live or of a file: on the screen, or in batches. */
#include <errno.h>
#include <locale.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "vmalock/base.h"
#include "vmalock/connect.h"
#include "vmalock/source.h"
#include "vmalock/store.h"
#include "../src/run/exit.h"
#include "../src/run/privileges.h"
#include "../src/run/stop.h"
#include "../src/tui/batch.h"
#include "../src/tui/options.h"
#include "../src/tui/tui.h"

#define KEY_PATIENCE_NS 200000000ULL

/* Behind what privileges are missing. */
static void add_hint(char error[VML_ERROR_MAX])
{
	size_t len = strlen(error);

	if (len && error[len - 1] == '.')
		len--;
	snprintf(error + len, VML_ERROR_MAX - len, ", or vmalocktop --connect: vmalockd is running.");
}

/* A key may wait for what is about to come anyway. */
static bool interrupted(uint64_t waited_ns)
{
	return vml_stop_requested() || (waited_ns > KEY_PATIENCE_NS && vml_tui_key_waits());
}

static int open_source(const struct vml_top_options *o, struct vml_source **ret, char error[VML_ERROR_MAX])
{
	int err;

	if (o->connect)
		return vml_connect_open(o->connect, interrupted, ret, error);
	err = vml_live_open(&o->live, ret, error);
	if (err == -EPERM && !access(VML_API_SOCKET, F_OK))
		add_hint(error);
	return err;
}

static int show_live(const struct vml_top_options *o, char error[VML_ERROR_MAX])
{
	struct vml_source *src = NULL;
	int err = open_source(o, &src, error);

	if (!err && o->view.duty) {
		err = vml_source_set_duty(src, o->view.duty);
		if (err)
			snprintf(error, VML_ERROR_MAX, "--duty: cannot detach the hooks on faults: %s", strerror(-err));
	}
	if (!err)
		err = o->batch || o->json ? vml_batch_run(src, NULL, o, error) : vml_tui_run(src, &o->view, error);
	vml_source_close(src);
	return err;
}

static int show_file(const struct vml_top_options *o, char error[VML_ERROR_MAX])
{
	struct vml_reader *r = NULL;
	int err = vml_reader_open(o->replay, &r, error);

	if (!err)
		err = o->batch || o->json ? vml_batch_run(NULL, r, o, error)
					  : vml_tui_replay(r, o->replay, &o->view, error);
	vml_reader_close(r);
	return err;
}

int main(int argc, char **argv)
{
	static const int action_exit[] = { [VML_DONE] = EXIT_OK, [VML_USAGE] = EXIT_USAGE, [VML_FAILED] = EXIT_FAILED };
	char error[VML_ERROR_MAX] = "";
	enum vml_action action;
	struct vml_top_options o;
	int err;

	setlocale(LC_CTYPE, "");
	action = vml_top_options_parse(argc, argv, &o);
	if (action != VML_RUN) {
		vml_top_options_free(&o);
		return action_exit[action];
	}
	privileges_raise();
	if (!o.replay && vml_live_check_pids(o.view.filter.pids, o.view.filter.npids, error)) {
		fprintf(stderr, "vmalocktop: %s\n", error);
		vml_top_options_free(&o);
		return EXIT_USAGE;
	}
	err = o.replay ? show_file(&o, error) : show_live(&o, error);
	vml_top_options_free(&o);
	if (!err)
		return EXIT_OK;
	fprintf(stderr, "vmalocktop: %s\n", error);
	return err == -EOPNOTSUPP ? EXIT_UNSUPPORTED : EXIT_FAILED;
}
