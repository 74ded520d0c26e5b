/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef VMALOCK_TUI_STOP_H
#define VMALOCK_TUI_STOP_H
/*
 * An orderly end by SIGINT, SIGTERM, SIGHUP or SIGQUIT, for loops that sleep.  The
 * signals interrupt what blocks, also a write to a full pipe.
 */
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>

/* Catches the signals and ignores SIGPIPE. */
void vml_stop_install(void);
bool vml_stop_requested(void);
/*
 * Sleeps until @deadline_ns of CLOCK_MONOTONIC, an event of @fd (may be NULL)
 * or any caught signal; no signal is lost between test and sleep.  What
 * ppoll(2) returns.
 */
int vml_stop_wait(struct pollfd *fd, uint64_t deadline_ns);

/*
 * When what was due at @due_ns is due again: on the beat of the clock, whatever
 * it took; beats that were missed are left out.
 */
uint64_t vml_next_beat(uint64_t due_ns, uint64_t interval_ns);

#endif
