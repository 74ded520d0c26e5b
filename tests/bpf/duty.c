// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * vmalocktop -j -l 0 with the hooks on every fault under command, a line of input each:
 *
 *	STEP		1, 1/2, .. off: vml_source_set_duty()
 *	drop		drops all capabilities of this process, for ever
 *
 * What became of a command goes to standard error: "STEP: ok", or why not.
 * usage: duty SECONDS [SECONDS between calibrations]
 */
#include <errno.h>
#include <linux/capability.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "vmalock/base.h"
#include "vmalock/guard.h"
#include "vmalock/sink.h"
#include "vmalock/snapshot.h"
#include "vmalock/source.h"

static int drop(void)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[2] = {};

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) || syscall(SYS_capset, &header, data))
		return -errno;
	return 0;
}

static int command(struct vml_source *src, const char *word)
{
	unsigned int step = 0;

	if (!strcmp(word, "drop"))
		return drop();
	while (step < VML_NDUTY_STEPS && strcmp(word, vml_duty_name(step)))
		step++;
	return vml_source_set_duty(src, step);
}

static int read_command(struct vml_source *src)
{
	char word[16];
	int err;

	if (scanf("%15s", word) != 1)
		return -ENODATA;
	err = command(src, word);
	fprintf(stderr, "%s: %s\n", word, err ? strerror(-err) : "ok");
	return 0;
}

/* Until @end, or no more input. */
static int wait_until(struct vml_source *src, uint64_t end)
{
	struct pollfd in = { .fd = STDIN_FILENO, .events = POLLIN };
	uint64_t now;
	int64_t due;
	int err = 0;

	while (!err && (now = vml_now_mono()) < end) {
		due = vml_source_tick(src);
		if (due > (int64_t)(end - now))
			due = (int64_t)(end - now);
		if (poll(&in, 1, (int)(due / 1000000) + 1) > 0)
			err = read_command(src);
	}
	return err;
}

static int lines(struct vml_source *src, uint64_t interval_ns)
{
	struct vml_view view = { .scope = VML_PROCESS };
	struct vml_snapshot *prev, *cur, *delta;
	int err = vml_source_next(src, &prev);

	while (!err) {
		err = wait_until(src, vml_now_mono() + interval_ns);
		if (!err)
			err = vml_source_next(src, &cur);
		if (!err)
			err = vml_delta(prev, cur, &delta);
		if (err)
			return err;
		err = vml_json_write(stdout, delta, &view);
		fflush(stdout);
		vml_snapshot_free(delta);
		vml_snapshot_free(prev);
		prev = cur;
	}
	return err;
}

int main(int argc, char **argv)
{
	struct vml_live_options o = { .guard = true };
	char error[VML_ERROR_MAX] = "";
	struct vml_source *src;
	uint64_t interval;
	int err;

	setvbuf(stdin, NULL, _IONBF, 0); /* poll(2) knows of no buffer */
	if (argc < 2 || argc > 3 || vml_parse_seconds(argv[1], &interval) ||
	    (argc == 3 && vml_parse_seconds(argv[2], &o.calibrate_ns))) {
		fprintf(stderr, "usage: duty SECONDS [SECONDS]\n");
		return 2;
	}
	err = vml_live_open(&o, &src, error);
	if (err) {
		fprintf(stderr, "duty: %s\n", error);
		return 1;
	}
	err = lines(src, interval);
	vml_source_close(src);
	if (err && err != -ENODATA)
		fprintf(stderr, "duty: %s\n", strerror(-err));
	return err && err != -ENODATA;
}
