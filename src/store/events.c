/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include <errno.h>
#include <string.h>

#include "db.h"
#include "vmalock/base.h"

#define MS 1000000ULL

static const char *const names[VML_NEVENTS] = {
	[VML_EVENT_START] = "start",	       [VML_EVENT_GAP] = "gap",
	[VML_EVENT_REBOOT] = "reboot",	       [VML_EVENT_SUSPEND] = "suspend",
	[VML_EVENT_CLOCK_STEP] = "clock_step", [VML_EVENT_SET_ASIDE] = "set_aside",
	[VML_EVENT_MIGRATED] = "migrated",     [VML_EVENT_TRIMMED] = "trimmed",
};

const char *vml_event_name(unsigned int kind)
{
	return kind < VML_NEVENTS ? names[kind] : NULL;
}

static int64_t difference(uint64_t a, uint64_t b)
{
	return (int64_t)(a - b);
}

/*
 * NTP slews by at most 500 ppm, so a clock that was off by twice that was set; the two clocks may
 * not be of quite the same instant (vml_now_clocks()).
 */
static bool is_step(int64_t step, uint64_t elapsed)
{
	uint64_t far = (uint64_t)(step < 0 ? -step : step);

	return far > 100 * MS && far > elapsed / 1000;
}

uint64_t stamp_slept(void)
{
	struct vml_clocks now = vml_now_clocks();

	return now.boot_ns - now.mono_ns;
}

size_t stamp_compare(const struct stamp *prev, const struct stamp *next, uint64_t interval_ns,
		     struct vml_event ret[STAMP_EVENTS])
{
	uint64_t elapsed = next->boot_ns - prev->boot_ns, begin = next->boot_ns - interval_ns;
	struct vml_event e = { .real_ns = next->real_ns, .boot_ns = next->boot_ns, .text = "" };
	int64_t slept, step;
	size_t n = 0;

	if (!prev->known)
		return 0;
	if (strcmp(prev->boot_id, next->boot_id) != 0) {
		e.kind = VML_EVENT_REBOOT;
		e.ns = difference(next->real_ns, prev->real_ns);
		ret[n++] = e;
		return n;
	}
	if (begin > prev->boot_ns) {
		e.kind = VML_EVENT_GAP;
		e.ns = difference(begin, prev->boot_ns);
		ret[n++] = e;
	}
	slept = difference(next->slept_ns, prev->slept_ns);
	if (slept > (int64_t)(10 * MS)) {
		e.kind = VML_EVENT_SUSPEND;
		e.ns = slept;
		ret[n++] = e;
	}
	step = difference(next->real_ns, prev->real_ns) - (int64_t)elapsed;
	if (is_step(step, elapsed)) {
		e.kind = VML_EVENT_CLOCK_STEP;
		e.ns = step;
		ret[n++] = e;
	}
	return n;
}

int event_put(sqlite3 *h, int64_t interval, const struct vml_event *e)
{
	sqlite3_stmt *st = NULL;
	int err = db_prepare(
		h, &st, "INSERT INTO event (interval, kind, real_ns, boot_ns, ns, text) VALUES (?, ?, ?, ?, ?, ?)");

	if (err)
		return err;
	db_bind(st, 1, (uint64_t)interval);
	db_bind_text(st, 2, vml_event_name(e->kind));
	db_bind(st, 3, e->real_ns);
	db_bind(st, 4, e->boot_ns);
	db_bind(st, 5, (uint64_t)e->ns);
	db_bind_text(st, 6, e->text);
	err = db_run(st);
	sqlite3_finalize(st);
	return err;
}
