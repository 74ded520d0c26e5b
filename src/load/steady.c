// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * The edges of the steady part.  From the line that is read to the first
 * getrusage, and from the last one to the next read, nothing may fault.
 */
#include <errno.h>
#include <stdarg.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "load.h"
#include "vmalock/base.h"

int vml_load_fail(struct vml_load *l, int err, const char *what, ...)
{
	va_list ap;
	int n;

	va_start(ap, what);
	n = vsnprintf(l->error, sizeof(l->error), what, ap);
	va_end(ap);
	/* not possible: the text says why */
	if (err != -EOPNOTSUPP && n >= 0 && (size_t)n < sizeof(l->error))
		snprintf(l->error + n, sizeof(l->error) - n, ": %s", strerror(-err));
	return err;
}

/*
 * Not write(2) and read(2) of the C library: in a process with threads they note in the
 * thread's own block that they can be cancelled, on a page that a child may share.
 */
static int say(struct vml_load *l, const char *text, size_t len)
{
	long n;

	do
		n = syscall(SYS_write, STDOUT_FILENO, text, len);
	while (n < 0 && errno == EINTR);
	return n == (long)len ? 0 : vml_load_fail(l, n < 0 ? -errno : -EIO, "cannot write to stdout");
}

/* One byte at a time: what follows the line is the next line. */
static int wait_line(struct vml_load *l)
{
	char c = 0;
	long n;

	do
		n = syscall(SYS_read, STDIN_FILENO, &c, 1);
	while ((n < 0 && errno == EINTR) || (n > 0 && c != '\n'));
	return n < 0 ? vml_load_fail(l, -errno, "cannot read the line of the handshake") : 0;
}

static void take_begin(struct vml_load *l)
{
	getrusage(RUSAGE_SELF, &l->before);
	l->start_ns = vml_now_mono();
	l->deadline_ns = l->options.limit_ns ? l->start_ns + l->options.limit_ns : UINT64_MAX;
}

static void take_end(struct vml_load *l)
{
	l->end_ns = vml_now_mono();
	getrusage(RUSAGE_SELF, &l->after);
}

/* Nothing is overwritten: threads may have parked a moment ago.  Of an "or" with 0 compilers make a load. */
static void own_page(uint8_t *p)
{
	uint8_t is = __atomic_load_n(p, __ATOMIC_RELAXED);

	__atomic_compare_exchange_n(p, &is, is, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED);
}

/*
 * Pages that a child shares since fork() become ours again: those of @l, wherever
 * the stack put it, and that of errno, which futex(2) may set.
 */
static void own_pages(struct vml_load *l)
{
	uint8_t *p = (uint8_t *)l, *last = p + sizeof(*l) - 1;

	errno = 0;
	for (; p < last; p += l->page)
		own_page(p);
	own_page(last);
}

int vml_load_begin(struct vml_load *l)
{
	int err = 0;

	/* a rehearsal of the edges themselves */
	take_begin(l);
	take_end(l);
	own_pages(l);
	memcpy(l->done, "done\n", sizeof(l->done));
	if (l->options.handshake) {
		err = say(l, "ready\n", 6);
		if (!err)
			err = wait_line(l);
	}
	take_begin(l);
	return err;
}

int vml_load_end(struct vml_load *l)
{
	int err = 0;

	/* again: this may be another image than that of the beginning */
	memcpy(l->done, "done\n", sizeof(l->done));
	take_end(l);
	if (l->options.handshake) {
		err = say(l, l->done, 5);
		if (!err)
			err = wait_line(l);
	}
	return err;
}

bool vml_load_more(const struct vml_load *l, uint32_t round, bool rehearsal)
{
	/* the clock is read in the rehearsal too: its pages must be there */
	bool late = vml_now_mono() >= l->deadline_ns;

	return rehearsal ? round == 0 : round < l->options.rounds && !late;
}
