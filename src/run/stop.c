// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include <errno.h>
#include <signal.h>
#include <stddef.h>
#include <time.h>

#include "vmalock/base.h"
#include "stop.h"

static const int caught[] = { SIGINT, SIGTERM, SIGHUP, SIGQUIT };
static volatile sig_atomic_t stop, wake;
static int wake_signal;

static void on_signal(int sig)
{
	if (sig == wake_signal)
		wake = 1;
	else
		stop = 1;
}

static void catch_signal(int sig)
{
	struct sigaction sa = { .sa_handler = on_signal }; /* no SA_RESTART: a blocked write returns */

	sigemptyset(&sa.sa_mask);
	sigaction(sig, &sa, NULL);
}

void vml_stop_install(void)
{
	size_t i;

	for (i = 0; i < VML_ARRAY_SIZE(caught); i++)
		if (caught[i] != SIGHUP || signal(SIGHUP, SIG_IGN) != SIG_IGN) /* nohup(1) */
			catch_signal(caught[i]);
	signal(SIGPIPE, SIG_IGN);
}

void vml_stop_wake_on(int sig)
{
	wake_signal = sig;
	catch_signal(sig);
}

bool vml_stop_requested(void)
{
	return stop;
}

void vml_stop_forget(void)
{
	stop = 0;
}

bool vml_stop_woken(void)
{
	bool woken = wake;

	wake = 0;
	return woken;
}

static int wait_for(struct pollfd *fd, uint64_t deadline_ns, bool wakes)
{
	uint64_t now = vml_now_mono(), left = deadline_ns > now ? deadline_ns - now : 0;
	struct timespec ts = { .tv_sec = (time_t)(left / 1000000000U), .tv_nsec = (long)(left % 1000000000U) };
	sigset_t block, old;
	size_t i;
	int n, err;

	sigemptyset(&block);
	for (i = 0; i < VML_ARRAY_SIZE(caught); i++)
		sigaddset(&block, caught[i]);
	if (wake_signal)
		sigaddset(&block, wake_signal);
	sigprocmask(SIG_BLOCK, &block, &old);
	n = stop || (wakes && wake) ? 0 : ppoll(fd, fd ? 1 : 0, &ts, &old);
	err = errno;
	sigprocmask(SIG_SETMASK, &old, NULL);
	errno = err;
	return n;
}

int vml_stop_wait(struct pollfd *fd, uint64_t deadline_ns)
{
	return wait_for(fd, deadline_ns, true);
}

int vml_stop_wait_only(struct pollfd *fd, uint64_t deadline_ns)
{
	return wait_for(fd, deadline_ns, false);
}
