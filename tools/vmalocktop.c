// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Live: the screen, or text or JSON in intervals. */
#include <errno.h>
#include <langinfo.h>
#include <locale.h>
#include <poll.h>
#include <stdio.h>
#include <stdio_ext.h>
#include <string.h>
#include <unistd.h>

#include "vmalock/base.h"
#include "vmalock/sink.h"
#include "vmalock/snapshot.h"
#include "vmalock/source.h"
#include "../src/tui/options.h"
#include "../src/tui/stop.h"
#include "../src/tui/tui.h"

enum { EXIT_OK, EXIT_FAILED, EXIT_USAGE, EXIT_UNSUPPORTED = 4 };

static int write_delta(struct vml_snapshot *delta, const struct vml_top_options *o)
{
	struct vml_view view = {
		.scope = o->view.threads ? VML_THREAD : VML_PROCESS,
		.sort = o->view.sort,
		.limit = o->view.limit,
		.utf8 = !strcmp(nl_langinfo(CODESET), "UTF-8"),
	};
	int err = vml_select(delta, &o->view.filter);

	if (!err)
		err = o->json ? vml_json_write(stdout, delta, &view) : vml_table_write(stdout, delta, &view);
	if (!err && !o->json)
		fputc('\n', stdout);
	if (!err && fflush(stdout))
		err = -errno;
	return err;
}

static bool reader_is_gone(void)
{
	struct pollfd out = { .fd = STDOUT_FILENO };

	return poll(&out, 1, 0) == 1 && out.revents & (POLLERR | POLLHUP);
}

/* Takes over @prev, the baseline. */
static int print_intervals(struct vml_source *src, const struct vml_top_options *o, struct vml_snapshot *prev)
{
	uint64_t interval = o->view.interval_ns, beat = vml_now_mono() + interval;
	struct vml_snapshot *cur, *delta;
	uint32_t n = 0;
	int err = 0;

	while (!err && (!o->view.count || n < o->view.count)) {
		while (!vml_stop_requested() && vml_now_mono() < beat)
			vml_stop_wait(NULL, beat);
		if (vml_stop_requested())
			break;
		err = vml_source_next(src, &cur);
		if (err)
			break;
		beat = vml_next_beat(beat, interval);
		err = vml_delta(prev, cur, &delta);
		vml_snapshot_free(prev);
		prev = cur;
		if (err)
			break;
		err = write_delta(delta, o);
		vml_snapshot_free(delta);
		n++;
	}
	vml_snapshot_free(prev);
	return err;
}

static int run_batch(struct vml_source *src, const struct vml_top_options *o, char error[VML_ERROR_MAX])
{
	struct vml_snapshot *baseline;
	int err;

	vml_stop_install();
	err = vml_source_next(src, &baseline);
	if (!err)
		err = print_intervals(src, o, baseline);
	if (err)
		__fpurge(stdout); /* nobody reads it: do not try again at exit */
	if (err == -ENODATA || vml_stop_requested() || (err && reader_is_gone()))
		return 0;
	if (err)
		snprintf(error, VML_ERROR_MAX, "cannot print the interval: %s", strerror(-err));
	return err;
}

int main(int argc, char **argv)
{
	static const int action_exit[] = { [VML_TOP_DONE] = EXIT_OK, [VML_TOP_USAGE] = EXIT_USAGE };
	char error[VML_ERROR_MAX] = "";
	struct vml_source *src = NULL;
	enum vml_top_action action;
	struct vml_top_options o;
	int err;

	setlocale(LC_CTYPE, "");
	action = vml_top_options_parse(argc, argv, &o);
	if (action != VML_TOP_RUN) {
		vml_top_options_free(&o);
		return action_exit[action];
	}
	err = vml_live_open(&o.live, &src, error);
	if (!err)
		err = o.batch || o.json ? run_batch(src, &o, error) : vml_tui_run(src, &o.view, error);
	vml_source_close(src);
	vml_top_options_free(&o);
	if (!err)
		return EXIT_OK;
	fprintf(stderr, "vmalocktop: %s\n", error);
	return err == -EOPNOTSUPP ? EXIT_UNSUPPORTED : EXIT_FAILED;
}
