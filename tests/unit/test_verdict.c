/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include <locale.h>
#include <wchar.h>

#include "unit.h"
#include "vmalock/sink.h"

#define MS 1000000ULL

/* One second in which one process waited, with the ledger's say on it. */
static struct vml_snapshot *waited(uint64_t wait, uint64_t handover, uint64_t runqueue)
{
	struct vml_snapshot *s = unit_snapshot(5);

	s->interval_ns = UNIT_SECOND;
	s->have[VML_PROCESS] = VML_METRIC_BIT(VML_FAULTS) | VML_METRIC_BIT(VML_HITS) | VML_METRIC_BIT(VML_WAIT_NS) |
			       VML_METRIC_BIT(VML_BLAMED_NS) | VML_METRIC_BIT(VML_UNATTRIBUTED_NS) |
			       VML_METRIC_BIT(VML_HANDOVER_RUNQUEUE_NS);
	s->total[VML_FAULTS] = s->total[VML_HITS] = 100;
	s->total[VML_WAIT_NS] = wait;
	s->total[VML_BLAMED_NS] = wait - handover;
	s->total[VML_UNATTRIBUTED_NS] = handover;
	s->total[VML_HANDOVER_RUNQUEUE_NS] = runqueue;
	return s;
}

static void assert_verdict(const struct vml_snapshot *s, size_t n, const char *expected)
{
	char buf[512];

	vml_verdict(s, buf, n);
	assert_string_equal(buf, expected);
}

#define LONG_STARVED " while the next owner waited for a CPU (starved, throttled or low priority), not for a holder"

static void owners_without_a_cpu(void **state)
{
	struct vml_snapshot *s = waited(1000 * MS, 800 * MS, 700 * MS);

	(void)state;
	assert_verdict(s, 512,
		       "waiting: 1.0 s per second for mmap_lock, 70 % of it" LONG_STARVED
		       "; 100 % of 100 faults/s hit");
	assert_verdict(s, 81, "waiting: 1.0 s per second for mmap_lock, 70 % of it for a CPU, not for a holder");
	vml_snapshot_free(s);
	/* healthy, and worth a word */
	s = waited(100 * MS, 90 * MS, 60 * MS);
	assert_verdict(s, 512,
		       "healthy: 100 % of 100 faults/s hit; 100 ms/s waited for mmap_lock, 60 % of it" LONG_STARVED);
	vml_snapshot_free(s);
}

/* Tasks count their faults themselves; it is not that the kernel has no locks of areas. */
static void hooks_are_off(void **state)
{
	struct vml_snapshot *s = waited(0, 0, 0);

	(void)state;
	s->have[VML_PROCESS] &= ~VML_METRIC_BIT(VML_HITS);
	s->duty.unknown = true;
	assert_verdict(s, 512, "fault hooks off: 100 faults/s");
	vml_snapshot_free(s);
}

/* Half of all waits behind one thread, and not what readers of areas are charged with. */
static void who_most_are_behind(void **state)
{
	struct vml_snapshot *s = waited(1000 * MS, 100 * MS, 0);
	struct vml_row row[] = {
		{ .id = { .pid = 7, .tid = 9 },
		  .comm = "agent",
		  .context = "read",
		  .value = { [VML_BLAMED_NS] = 501 * MS } },
		{ .id = { .pid = 8 },
		  .comm = "areas",
		  .context = "vma readers",
		  .value = { [VML_BLAMED_NS] = 900 * MS } },
	};

	(void)state;
	s->rows[VML_BLOCKER] = (struct vml_rows){ row, 2 };
	assert_verdict(s, 512,
		       "waiting: 1.0 s per second for mmap_lock, mostly behind agent (9) in read; "
		       "100 % of 100 faults/s hit");
	row[0].value[VML_BLAMED_NS] = 500 * MS;
	assert_verdict(s, 512, "waiting: 1.0 s per second for mmap_lock; 100 % of 100 faults/s hit");
	s->rows[VML_BLOCKER].n = 0;
	vml_snapshot_free(s);
}

/* Each limit by itself keeps it silent. */
static void not_every_handover_is_a_lack_of_cpus(void **state)
{
	static const uint64_t part[][3] = {
		{ 1000, 500, 500 }, /* holders had half of it */
		{ 1000, 900, 450 }, /* half of the handover is waking up */
		{ 50, 50, 50 }, /* next to nothing */
		{ 1000, 0, 0 },
	};
	struct vml_snapshot *s;
	char buf[512];
	size_t i;

	(void)state;
	for (i = 0; i < VML_ARRAY_SIZE(part); i++) {
		s = waited(part[i][0] * MS, part[i][1] * MS, part[i][2] * MS);
		vml_verdict(s, buf, sizeof(buf));
		assert_null(strstr(buf, "CPU"));
		vml_snapshot_free(s);
	}
	s = waited(1000 * MS, 900 * MS, 900 * MS);
	s->have[VML_PROCESS] &= ~VML_METRIC_BIT(VML_HANDOVER_RUNQUEUE_NS);
	vml_verdict(s, buf, sizeof(buf));
	assert_null(strstr(buf, "CPU"));
	vml_snapshot_free(s);
}

static void add_stall(struct vml_snapshot *s, struct vml_stall *x)
{
	*x = (struct vml_stall){
		.id = { .pid = 2345, .tid = 2351 },
		.comm = "worker",
		.wait_ns = 3200 * MS,
		.target = { .pid = 2345 },
		.held = true,
		.holder = { .pid = 991, .tid = 992 },
		.holder_comm = "z\303\274rich\346\227\245\346\234\254",
		.context = "read",
		.state = "sleeping",
		.hold_ns = 3300 * MS,
		.waiters = 17,
	};
	s->stall = x;
	s->nstall = 1;
}

static bool is_utf8_end(const char *s)
{
	mbstate_t state = { 0 };

	return mbsrtowcs(NULL, &s, 0, &state) != (size_t)-1;
}

static void stalls_fit(void **state)
{
	struct vml_snapshot *s = waited(1000 * MS, 0, 0);
	struct vml_row *p = unit_process(s, 2345);
	struct vml_stall x;
	char buf[512];
	size_t n;

	(void)state;
	add_stall(s, &x);
	x.target.start_ns = p->id.start_ns;
	x.target.exec = p->id.exec;
	p->comm = "jav\303\244";
	assert_int_equal(vml_health(s), VML_STALLED);
	/* what is cut is cut between characters */
	for (n = 1; n < sizeof(buf); n++) {
		memset(buf, 'x', sizeof(buf));
		vml_verdict(s, buf, n);
		assert_true(strlen(buf) < n);
		assert_true(is_utf8_end(buf));
	}
	assert_verdict(s, 41, "stalled now: jav\303\244 (2345), 17 threads");
	assert_verdict(s, 60, "stalled now: 17 threads wait for jav\303\244 (2345), 3.2 s");
	x.held = false;
	assert_verdict(s, 81, "stalled now: 17 threads wait for jav\303\244 (2345), 3.2 s; no holder is seen");
	/* a process without a row has no name */
	x.target.pid = 1;
	x.waiters = 1;
	assert_verdict(s, 60, "stalled now: 1 thread waits for process (1), 3.2 s");
	/* before there is an interval, nothing is known to go on */
	s->interval_ns = 0;
	assert_verdict(s, 81, "counting since now; the first interval is not over");
	vml_snapshot_free(s);
}

static void why_there_are_no_blockers(void **state)
{
	struct vml_snapshot *s = waited(1000 * MS, 1000 * MS, 0);
	char buf[256];

	(void)state;
	s->have[VML_BLOCKER] = 0;
	assert_string_equal(vml_empty_text(s, VML_BLOCKER, buf, sizeof(buf)),
			    "Who holds mmap_lock cannot be seen on this host; vmalock doctor says why.");
	s->have[VML_BLOCKER] = VML_METRIC_BIT(VML_BLAMED_NS);
	assert_string_equal(
		vml_empty_text(s, VML_BLOCKER, buf, sizeof(buf)),
		"Nobody held up anybody in the last 1.0 s: the 1.0 s waited were handover, while the lock was "
		"free and its next owner on its way.");
	s->total[VML_UNATTRIBUTED_NS] = 0;
	assert_string_equal(vml_empty_text(s, VML_BLOCKER, buf, sizeof(buf)),
			    "Nobody waited for a lock that somebody held in the last 1.0 s.");
	s->selected = 1;
	assert_string_equal(vml_empty_text(s, VML_BLOCKER, buf, sizeof(buf)),
			    "Nobody of the selected waited for a lock that somebody held in the last 1.0 s.");
	vml_snapshot_free(s);
}

/* What the lines of the head take on a screen of 80 columns, with numbers as long as they usually are. */
static void lines_of_80_columns(void **state)
{
	struct vml_snapshot *s = waited(110 * MS, 0, 0);
	char buf[256];

	(void)state;
	s->have[VML_PROCESS] |= VML_METRIC_BIT(VML_FALLBACKS) | VML_METRIC_BIT(VML_BYPASSES);
	s->total[VML_FAULTS] = 41100;
	s->total[VML_HITS] = 37950;
	s->total[VML_FALLBACKS] = 3150;
	s->total[VML_BYPASSES] = 3110;
	assert_string_equal(vml_summary(s, VML_SUMMARY_RATES, buf, sizeof(buf)),
			    "41.1k faults/s: 38.0k hits, 3.15k fallbacks (3.11k bypasses); 110ms/s waited");
	s->self = (struct vml_self){
		.from_bpf = true,
		.cpu_ns = 129 * MS + MS / 2,
		.rss_bytes = 131 << 20,
		.bpf_runs = 60300,
		.bpf_cost_ns = 135 * MS + MS / 2,
		.bpf_cost_known = true,
		.map_bytes = 24 << 20,
		.map_limit_bytes = 64 << 20,
	};
	assert_string_equal(vml_summary(s, VML_SUMMARY_COST, buf, sizeof(buf)),
			    "12.95% of a CPU, 131M RSS, 60.3k BPF runs/s (~13.55%), 24M of 64M maps");
	assert_true(strlen("own cost: ") + strlen(buf) <= 80);
	vml_snapshot_free(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(owners_without_a_cpu), cmocka_unit_test(lines_of_80_columns),
		cmocka_unit_test(who_most_are_behind),	cmocka_unit_test(not_every_handover_is_a_lack_of_cpus),
		cmocka_unit_test(stalls_fit),		cmocka_unit_test(why_there_are_no_blockers),
		cmocka_unit_test(hooks_are_off),
	};

	setlocale(LC_ALL, "C.UTF-8");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
