// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include <errno.h>
#include <signal.h>
#include <stddef.h>
#include <time.h>

#include "vmalock/base.h"
#include "stop.h"

static const int caught[] = { SIGINT, SIGTERM, SIGHUP, SIGQUIT };
static volatile sig_atomic_t stop;

static void on_signal(int sig)
{
	(void)sig;
	stop = 1;
}

void vml_stop_install(void)
{
	struct sigaction sa = { .sa_handler = on_signal }; /* no SA_RESTART: a blocked write returns */
	size_t i;

	sigemptyset(&sa.sa_mask);
	for (i = 0; i < VML_ARRAY_SIZE(caught); i++)
		sigaction(caught[i], &sa, NULL);
	sa.sa_handler = SIG_IGN;
	sigaction(SIGPIPE, &sa, NULL);
}

bool vml_stop_requested(void)
{
	return stop;
}

int vml_stop_wait(struct pollfd *fd, uint64_t deadline_ns)
{
	uint64_t now = vml_now_mono(), left = deadline_ns > now ? deadline_ns - now : 0;
	struct timespec ts = { .tv_sec = (time_t)(left / 1000000000U), .tv_nsec = (long)(left % 1000000000U) };
	sigset_t block, old;
	size_t i;
	int n, err;

	sigemptyset(&block);
	for (i = 0; i < VML_ARRAY_SIZE(caught); i++)
		sigaddset(&block, caught[i]);
	sigprocmask(SIG_BLOCK, &block, &old);
	n = stop ? 0 : ppoll(fd, fd ? 1 : 0, &ts, &old);
	err = errno;
	sigprocmask(SIG_SETMASK, &old, NULL);
	errno = err;
	return n;
}

uint64_t vml_next_beat(uint64_t due_ns, uint64_t interval_ns)
{
	uint64_t now = vml_now_mono(), next = due_ns + interval_ns;

	return next > now ? next : now + interval_ns - (now - due_ns) % interval_ns;
}
