// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#include "vmalock/base.h"
#include "notify.h"

void notify(enum notify_state state)
{
	switch (state) {
	case NOTIFY_READY:
		sd_notify(0, "READY=1");
		return;
	case NOTIFY_RELOADING:
		sd_notifyf(0, "RELOADING=1\nMONOTONIC_USEC=%" PRIu64, vml_now_mono() / 1000);
		return;
	case NOTIFY_STOPPING:
		sd_notify(0, "STOPPING=1");
		return;
	case NOTIFY_ALIVE:
		sd_notify(0, "WATCHDOG=1");
		return;
	}
}

uint64_t notify_alive_ns(void)
{
	uint64_t us;

	return sd_watchdog_enabled(0, &us) > 0 ? us * 1000 / 2 : 0;
}

bool notify_journal(void)
{
	const char *stream = getenv("JOURNAL_STREAM");
	unsigned long long dev, inode;
	struct stat st;

	/* the variable is inherited by what a shell of a unit starts with another stderr */
	return stream && sscanf(stream, "%llu:%llu", &dev, &inode) == 2 && !fstat(STDERR_FILENO, &st) &&
	       st.st_dev == dev && st.st_ino == inode;
}
