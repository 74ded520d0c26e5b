// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include <errno.h>
#include <limits.h>
#include <unistd.h>

#include "output.h"
#include "stop.h"

#define GRACE_MS 1000

/* Until standard output takes something: after a stop signal for GRACE_MS, or until the next signal. */
static bool wait_ready(struct vml_output *o)
{
	struct pollfd out = { .fd = STDOUT_FILENO, .events = POLLOUT };
	int ready = vml_stop_wait_only(&out, UINT64_MAX);

	if (ready <= 0 && vml_stop_requested()) {
		ready = poll(&out, 1, GRACE_MS);
		if (ready <= 0)
			o->error = -EINTR;
	}
	return ready > 0;
}

/* So many bytes as a pipe that is ready takes without blocking; 0 when it failed. */
static ssize_t write_some(struct vml_output *o, const char *buf, size_t size)
{
	ssize_t n = -1;

	while (!o->error && n < 0) {
		if (!wait_ready(o))
			continue;
		n = write(STDOUT_FILENO, buf, size < PIPE_BUF ? size : PIPE_BUF);
		if (n < 0 && errno != EINTR && errno != EAGAIN)
			o->error = -errno;
	}
	return n < 0 ? 0 : n;
}

static ssize_t write_all(void *cookie, const char *buf, size_t size)
{
	struct vml_output *o = cookie;
	size_t done = 0;

	while (done < size && !o->error)
		done += (size_t)write_some(o, buf + done, size - done);
	return o->error ? 0 : (ssize_t)size;
}

FILE *vml_output_open(struct vml_output *o)
{
	*o = (struct vml_output){ 0 };
	return fopencookie(o, "w", (cookie_io_functions_t){ .write = write_all });
}
