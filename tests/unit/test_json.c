/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The JSON object of an interval (src/sinks/json.c): numbers that JSON readers cannot hold. */
#include <linux/types.h>

#include "unit.h"
#include "vmalock/hist.h"
#include "vmalock/sink.h"

#define TOO_LARGE (1ULL << 63)

static char *written(struct vml_snapshot *d)
{
	const struct vml_view view = { .limit = 0 };
	char *text = NULL;
	size_t n;
	FILE *f = open_memstream(&text, &n);

	assert_non_null(f);
	assert_int_equal(vml_json_write(f, d, &view), 0);
	assert_int_equal(fclose(f), 0);
	return text;
}

static void assert_has(const char *text, const char *what)
{
	if (!strstr(text, what))
		fail_msg("there is no %s in %s", what, text);
}

static struct vml_snapshot *delta(void)
{
	struct vml_snapshot *d = unit_snapshot(UNIT_SECOND);

	d->interval_ns = UNIT_SECOND;
	d->host = (struct vml_host){ .name = "h", .boot_id = "b", .machine = "m", .kernel = "k" };
	return d;
}

/* A key that is always there stays, and keeps its sign. */
static void what_is_over_2_63_is_a_real(void **state)
{
	struct vml_cell bucket = { .index = 64, .count = TOO_LARGE };
	struct vml_stall stall = {
		.id = { .tid = 4294967295U, .pid = 7 }, .comm = "w", .wait_ns = UINT64_MAX, .waiters = 4294967295U
	};
	struct vml_snapshot *d = delta();
	struct vml_row *r = unit_process(d, 7);
	char *text;

	(void)state;
	d->interval_ns = TOO_LARGE;
	d->stall = &stall;
	d->nstall = 1;
	r->value[VML_FAULTS] = TOO_LARGE;
	r->value[VML_HITS] = TOO_LARGE - 1;
	r->hist[0] = (struct vml_hist){ .bucket = { 1, &bucket }, .count = TOO_LARGE, .sum_ns = UINT64_MAX };
	text = written(d);
	assert_has(text, "\"interval_ns\":9.2233720368547758e18,");
	assert_has(text, "\"faults\":9.2233720368547758e18,");
	assert_has(text, "\"hits\":9223372036854775807,");
	assert_has(text, ",9.2233720368547758e18]]");
	assert_has(text, "\"sum_ns\":1.8446744073709552e19,");
	assert_has(text, "\"wait_ns\":1.8446744073709552e19,");
	assert_has(text, "\"tid\":4294967295,");
	assert_has(text, "\"waiters\":4294967295}");
	free(text);
	vml_snapshot_free(d);
}

static void a_hold_over_the_last_bound_has_no_length(void **state)
{
	struct vml_cell bucket = { .index = VML_HIST_BUCKETS - 1, .count = 1 };
	struct vml_snapshot *d = delta();
	struct vml_row *r = unit_row(d, VML_BLOCKER, 7);
	char *text;

	(void)state;
	r->context = "munmap";
	r->lock = "mmap_write";
	r->target = r->target_cgroup = r->victim_cgroup = "";
	r->value[VML_BLAMED_NS] = 1;
	r->hist[3] = (struct vml_hist){ .bucket = { 1, &bucket }, .count = 1, .sum_ns = 200 * UNIT_SECOND };
	text = written(d);
	assert_has(text, "\"context\":\"munmap\"");
	assert_null(strstr(text, "longest_ns"));
	free(text);
	r->hist[3].max_ns = 200 * UNIT_SECOND;
	text = written(d);
	assert_has(text, "\"longest_ns\":200000000000,");
	free(text);
	vml_snapshot_free(d);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_over_2_63_is_a_real),
		cmocka_unit_test(a_hold_over_the_last_bound_has_no_length),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
