/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef VMALOCK_DAEMON_NOTIFY_H
#define VMALOCK_DAEMON_NOTIFY_H
/* What systemd is told (sd_notify(3)); nothing when it did not start us. */
#include <stdbool.h>
#include <stdint.h>

enum notify_state { NOTIFY_READY, NOTIFY_RELOADING, NOTIFY_STOPPING, NOTIFY_ALIVE };

void notify(enum notify_state state);
/* NOTIFY_ALIVE is expected at least every so many ns; 0: never. */
uint64_t notify_alive_ns(void);
/* Standard error goes to the journal, which takes a priority before each line. */
bool notify_journal(void);

#endif
