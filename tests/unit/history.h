/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef VMALOCK_UNIT_HISTORY_H
#define VMALOCK_UNIT_HISTORY_H
/* Histories of an invented host, by clocks that only the test moves.  For one .c file. */
#include "store.h"

#define MINUTE (60 * UNIT_SECOND)
#define HOUR (60 * MINUTE)
#define BASE (1700000000 * UNIT_SECOND)

/* The clocks of the store: only sleep moves them, and losing the CPU.  They are read one after the other. */
static uint64_t slept_ns, lost_ns;
static unsigned int losing; /* the CPU after so many of the next readings */

uint64_t vml_now_mono(void)
{
	uint64_t ret = UNIT_SECOND + lost_ns + 5;

	if (losing) {
		losing--;
		lost_ns += UNIT_SECOND / 50;
	}
	return ret;
}

uint64_t vml_now_boot(void)
{
	return UNIT_SECOND + lost_ns + slept_ns;
}

uint64_t vml_now_real(void)
{
	return UNIT_SECOND + slept_ns;
}

static const struct world_options immortal = { .seed = 3, .processes = 4, .threads = 3, .busy = 50, .stacks = 2 };
static const struct world_options mortal = {
	.seed = 5, .processes = 8, .threads = 3, .busy = 60, .mortal = true, .stacks = 2
};

static void tidy_all(struct vml_store *w)
{
	int more = 1;

	while (more == 1) {
		more = vml_history_tidy(w, 0);
		assert_in_range(more, 0, 1);
	}
}

static void append_world(struct vml_store *w, struct world *world, uint64_t ns)
{
	struct vml_snapshot *d = unit_world_delta(world, ns);

	assert_int_equal(vml_store_append(w, d), 0);
	vml_snapshot_free(d);
}

static struct vml_snapshot *sum_of_all(struct vml_reader *r)
{
	struct vml_snapshot *ret = NULL;

	if (unit_all(r, &ret))
		fail_msg("%s", vml_reader_error(r));
	return ret;
}

/* Three levels: 1 s for 30 s, 10 s for 2 min, 1 min for 10 min. */
static const struct vml_store_options quick = {
	.no_sync = true, .level = { { 0, 30 * UNIT_SECOND }, { 10 * UNIT_SECOND, 2 * MINUTE }, { MINUTE, 10 * MINUTE } }
};

#endif
