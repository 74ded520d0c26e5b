/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Snapshots as the bytes of a recording, and what a snapshot takes over of one that is left out. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "store.h"

#define STEPS 6

static const struct world_options mortal = {
	.seed = 5, .processes = 30, .threads = 3, .busy = 50, .mortal = true, .stacks = 6
};

static char *to_bytes(const struct vml_snapshot *s, size_t *ret_n)
{
	struct vml_snapshot dressed = *s;
	char *bytes = NULL;
	FILE *f = open_memstream(&bytes, ret_n);

	assert_non_null(f);
	dressed.interval_ns = s->boot_ns - 1;
	assert_int_equal(vml_recording_write(f, &dressed), 0);
	fclose(f);
	return bytes;
}

static struct vml_snapshot *there_and_back(const struct vml_snapshot *s)
{
	char error[VML_ERROR_MAX];
	struct vml_reader *r = NULL;
	struct vml_snapshot *ret = NULL;
	size_t n;
	char *bytes = to_bytes(s, &n);

	assert_int_equal(vml_reader_open_bytes(bytes, n, "bytes", &r, error), 0);
	free(bytes);
	assert_int_equal(unit_count(r), 1);
	assert_int_equal(vml_reader_delta(r, 0, &ret), 0);
	vml_reader_close(r);
	assert_int_equal(ret->interval_ns, s->boot_ns - 1);
	ret->interval_ns = 0;
	return ret;
}

static void deltas_are_those_of_the_snapshots(void **state)
{
	struct world *w = world_new(&mortal);
	struct vml_snapshot *s = world_snapshot(w), *read = there_and_back(s), *next, *next_read, *here, *there;
	size_t rows = 0, stacks = 0;
	int i;

	(void)state;
	for (i = 0; i < STEPS; i++) {
		world_step(w, UNIT_SECOND);
		next = world_snapshot(w);
		/* outcomes of one interval are not known: those of the others are, all the same */
		next->duty = (struct vml_duty){ .attached_ns = next->boot_ns / 2, .of_ns = next->boot_ns };
		next->duty.unknown = i >= 2 ? 7 : 0;
		next_read = there_and_back(next);
		here = unit_delta(s, next);
		there = unit_delta(read, next_read);
		unit_same(here, there);
		assert_int_equal(there->have[VML_PROCESS], here->have[VML_PROCESS]);
		assert_int_equal(there->have_reasons, i != 2);
		rows += there->rows[VML_BLOCKER].n;
		stacks += there->nstack;
		unit_free(here, there, NULL);
		unit_free(s, read, NULL);
		s = next;
		read = next_read;
	}
	assert_true(rows && stacks);
	unit_free(s, read, NULL);
	world_free(w);
}

/* What ends in the second of three intervals is in a delta over all of them. */
static void what_is_left_out_is_carried(void **state)
{
	struct world *w = world_new(&mortal);
	struct vml_snapshot *first = world_snapshot(w), *prev = first, *cur = NULL, *step, *whole;
	struct vml_sum *sum = vml_sum_new();
	struct vml_snapshot *expected;
	size_t last, i;

	(void)state;
	for (i = 0; i < STEPS; i++) {
		world_step(w, UNIT_SECOND);
		cur = world_snapshot(w);
		last = cur->rows[VML_THREAD].n;
		step = unit_delta(i ? prev : first, cur);
		assert_int_equal(vml_sum_add(sum, step), 0);
		vml_snapshot_free(step);
		if (prev != first) {
			assert_int_equal(vml_carry(cur, prev), 0);
			vml_snapshot_free(prev);
		}
		prev = cur;
	}
	assert_true(cur->rows[VML_THREAD].n > last); /* some have ended */
	whole = unit_delta(first, cur);
	assert_int_equal(vml_sum_end(sum, &expected), 0);
	unit_same(expected, whole);
	unit_free(first, cur, whole);
	vml_snapshot_free(expected);
	world_free(w);
}

static void refuse(const char *bytes, size_t n, int err, const char *why)
{
	char error[VML_ERROR_MAX];
	struct vml_reader *r = NULL;

	assert_int_equal(vml_reader_open_bytes(bytes, n, "there", &r, error), err);
	assert_null(r);
	if (strncmp(error, "cannot read there: ", 19) != 0 || !strstr(error, why))
		fail_msg("%s", error);
}

static void other_bytes_are_refused(void **state)
{
	struct world *w = world_new(&mortal);
	struct vml_snapshot *s = world_snapshot(w);
	size_t n, i;
	char *bytes = to_bytes(s, &n);

	(void)state;
	refuse("", 0, -EBADMSG, "damaged");
	refuse("no recording", 12, -EBADMSG, "damaged");
	refuse(bytes, n / 2, -EBADMSG, "damaged");
	bytes[18] = bytes[19] = 2; /* with a log beside it */
	refuse(bytes, n, -EBADMSG, "damaged");
	bytes[18] = bytes[19] = 1;
	bytes[63]++; /* user_version, see SQLite's file format */
	refuse(bytes, n, -EOPNOTSUPP, "newer version");
	for (i = 0; i < 4096 && i < n; i++)
		bytes[i] = (char)(i * 7);
	refuse(bytes, n, -EBADMSG, "damaged");
	free(bytes);
	vml_snapshot_free(s);
	world_free(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(deltas_are_those_of_the_snapshots),
		cmocka_unit_test(what_is_left_out_is_carried),
		cmocka_unit_test(other_bytes_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
