/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef VMALOCK_RUN_STOP_H
#define VMALOCK_RUN_STOP_H
/*
 * An orderly end by SIGINT, SIGTERM, SIGHUP or SIGQUIT, for loops that sleep.  The
 * signals interrupt what blocks, also a write to a full pipe.
 */
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>

/* Catches the signals, but SIGHUP when it is ignored already, and ignores SIGPIPE. */
void vml_stop_install(void);
bool vml_stop_requested(void);
/* As if none had come: the next one asks anew. */
void vml_stop_forget(void);
/* Catches @sig, too, which asks for something else: true once for all that came since the last call. */
void vml_stop_wake_on(int sig);
bool vml_stop_woken(void);
/*
 * Sleeps until @deadline_ns of CLOCK_MONOTONIC, an event of @fd (may be NULL)
 * or any caught signal; no signal is lost between test and sleep.  What
 * ppoll(2) returns.
 */
int vml_stop_wait(struct pollfd *fd, uint64_t deadline_ns);
/* The same where nobody asks vml_stop_woken(): what came of that signal before the call does not end the sleep. */
int vml_stop_wait_only(struct pollfd *fd, uint64_t deadline_ns);

#endif
