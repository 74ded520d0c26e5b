// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include <errno.h>
#include <limits.h>
#include <unistd.h>

#include "output.h"
#include "stop.h"

/* So many bytes as a pipe that is ready takes without blocking; 0 when it failed. */
static ssize_t write_some(struct vml_output *o, const char *buf, size_t size)
{
	struct pollfd out = { .fd = STDOUT_FILENO, .events = POLLOUT };
	ssize_t n = -1;

	while (!o->error && n < 0) {
		if (vml_stop_requested())
			o->error = -EINTR;
		else if (vml_stop_wait(&out, UINT64_MAX) > 0)
			n = write(STDOUT_FILENO, buf, size < PIPE_BUF ? size : PIPE_BUF);
		if (n < 0 && !o->error && errno != EINTR && errno != EAGAIN)
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
