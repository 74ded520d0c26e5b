// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Live: the screen, or text or JSON in intervals. */
#include <errno.h>
#include <langinfo.h>
#include <locale.h>
#include <stdio.h>
#include <string.h>

#include "vmalock/base.h"
#include "vmalock/sink.h"
#include "vmalock/snapshot.h"
#include "vmalock/source.h"
#include "../src/tui/options.h"
#include "../src/tui/output.h"
#include "../src/tui/stop.h"
#include "../src/tui/tui.h"

enum { EXIT_OK, EXIT_FAILED, EXIT_USAGE, EXIT_UNSUPPORTED = 4 };

static int write_delta(FILE *out, struct vml_snapshot *delta, const struct vml_top_options *o)
{
	struct vml_view view = {
		.scope = o->view.threads ? VML_THREAD : VML_PROCESS,
		.sort = o->view.sort,
		.limit = o->view.limit,
		.utf8 = !strcmp(nl_langinfo(CODESET), "UTF-8"),
	};
	int err = vml_select(delta, &o->view.filter);

	if (!err)
		err = o->json ? vml_json_write(out, delta, &view) : vml_table_write(out, delta, &view);
	if (!err && !o->json)
		fputc('\n', out);
	if (!err && fflush(out))
		err = -errno;
	return err;
}

/* Takes over @prev, the baseline. */
static int print_intervals(FILE *out, struct vml_source *src, const struct vml_top_options *o,
			   struct vml_snapshot *prev)
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
		err = write_delta(out, delta, o);
		vml_snapshot_free(delta);
		n++;
	}
	vml_snapshot_free(prev);
	return err;
}

static int run_batch(struct vml_source *src, const struct vml_top_options *o, char error[VML_ERROR_MAX])
{
	struct vml_snapshot *baseline;
	struct vml_output output;
	FILE *out = vml_output_open(&output);
	int err = -ENOMEM;

	vml_stop_install();
	if (out)
		err = vml_source_next(src, &baseline);
	if (!err)
		err = print_intervals(out, src, o, baseline);
	if (out)
		fclose(out);
	if (err && output.error)
		err = output.error; /* better than the -EIO of a sink */
	/* an end, a reader that has seen enough, or a signal */
	if (err == -ENODATA || err == -EPIPE || vml_stop_requested())
		return 0;
	if (err)
		snprintf(error, VML_ERROR_MAX, "cannot %s: %s", output.error ? "write the output" : "take a snapshot",
			 strerror(-err));
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
