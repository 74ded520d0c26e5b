/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include <math.h>

#include "unit.h"

static const struct vml_column *column(enum vml_scope scope, const char *key)
{
	const struct vml_column *c = vml_column_find(scope, key);

	if (!c)
		fail_msg("no column %s", key);
	return c;
}

static void assert_cell(const struct vml_snapshot *s, enum vml_scope scope, const char *key, bool rate,
			const char *expected)
{
	char buf[64];

	assert_ptr_equal(vml_column_text(column(scope, key), s, scope, &s->rows[scope].row[0], rate, buf, sizeof(buf)),
			 buf);
	assert_string_equal(buf, expected);
}

static void assert_number(const struct vml_snapshot *s, enum vml_scope scope, const char *key, double expected)
{
	double v = -1;

	assert_true(vml_column_number(column(scope, key), s, scope, &s->rows[scope].row[0], &v));
	assert_true(v == expected);
}

static void assert_no_number(const struct vml_snapshot *s, enum vml_scope scope, const char *key)
{
	double v = -1;

	assert_false(vml_column_number(column(scope, key), s, scope, &s->rows[scope].row[0], &v));
	assert_true(v == -1);
}

/* Two seconds of a process. */
static struct vml_snapshot *sample(void)
{
	struct vml_snapshot *s = unit_snapshot(5);
	struct vml_row *r = unit_process(s, 4242);

	s->interval_ns = 2 * UNIT_SECOND;
	r->comm = "postgres";
	r->cgroup = "/system.slice/postgresql.service";
	r->uid = 105;
	r->ns_pid = 17;
	r->threads = 12;
	r->value[VML_FAULTS] = 24690;
	r->value[VML_FAULTS_USER] = 20000;
	r->value[VML_HITS] = 19994;
	r->value[VML_FALLBACKS] = 7;
	r->value[VML_WAIT_NS] = 24000000;
	r->value[VML_MMAP_READ_WAIT_NS] = 23000000;
	r->value[VML_MMAP_WRITE_HOLD_NS] = 3 * UNIT_SECOND;
	r->hist[0] = unit_hist(UNIT_TALLY(s, { 50, 98 }, { 90, 2 }), 23000000, 0);
	return s;
}

static void cells_of_a_process(void **state)
{
	struct vml_snapshot *s = sample();

	(void)state;
	assert_cell(s, VML_PROCESS, "pid", false, "4242");
	assert_cell(s, VML_PROCESS, "ns_pid", false, "17");
	assert_cell(s, VML_PROCESS, "uid", false, "105");
	assert_cell(s, VML_PROCESS, "threads", false, "12");
	assert_cell(s, VML_PROCESS, "comm", false, "postgres");
	assert_cell(s, VML_PROCESS, "cgroup", false, "/system.slice/postgresql.service");
	assert_cell(s, VML_PROCESS, "faults", false, "24.7k");
	assert_cell(s, VML_PROCESS, "fallbacks", false, "7");
	assert_cell(s, VML_PROCESS, "bypasses", false, "0");
	assert_cell(s, VML_PROCESS, "hit_ratio", false, "99.97%");
	assert_cell(s, VML_PROCESS, "wait", false, "24ms");
	assert_cell(s, VML_PROCESS, "write_hold", false, "3.0s");
	assert_cell(s, VML_PROCESS, "write_wait", false, "0");
	assert_cell(s, VML_PROCESS, "read_wait_p99", false, "320ms");
	assert_number(s, VML_PROCESS, "faults", 24690);
	assert_number(s, VML_PROCESS, "pid", 4242);
	assert_number(s, VML_PROCESS, "hit_ratio", 19994 / 20000.0);
	assert_no_number(s, VML_PROCESS, "comm");
	vml_snapshot_free(s);
}

/* Counts and times per second; ids, ratios, quantiles and gauges as they are. */
static void rates(void **state)
{
	struct vml_snapshot *s = sample();

	(void)state;
	assert_cell(s, VML_PROCESS, "faults", true, "12.3k");
	assert_cell(s, VML_PROCESS, "fallbacks", true, "3.5");
	assert_cell(s, VML_PROCESS, "wait", true, "12ms");
	assert_cell(s, VML_PROCESS, "write_hold", true, "1.5s");
	assert_cell(s, VML_PROCESS, "pid", true, "4242");
	assert_cell(s, VML_PROCESS, "threads", true, "12");
	assert_cell(s, VML_PROCESS, "hit_ratio", true, "99.97%");
	assert_cell(s, VML_PROCESS, "read_wait_p99", true, "320ms");
	/* a snapshot has no interval: nothing to divide by */
	s->interval_ns = 0;
	assert_cell(s, VML_PROCESS, "faults", true, "24.7k");
	vml_snapshot_free(s);
}

static void absent_is_a_dash(void **state)
{
	struct vml_snapshot *s = sample();
	struct vml_row *r = s->rows[VML_PROCESS].row;

	(void)state;
	s->have[VML_PROCESS] &= ~(VML_METRIC_BIT(VML_HITS) | VML_METRIC_BIT(VML_ABORTS));
	assert_cell(s, VML_PROCESS, "aborts", false, "-");
	assert_cell(s, VML_PROCESS, "aborts", true, "-");
	assert_no_number(s, VML_PROCESS, "aborts");
	assert_cell(s, VML_PROCESS, "hit_ratio", false, "-");
	assert_no_number(s, VML_PROCESS, "hit_ratio");
	s->have[VML_PROCESS] |= VML_METRIC_BIT(VML_HITS);
	assert_cell(s, VML_PROCESS, "hit_ratio", false, "99.97%");
	s->have[VML_PROCESS] &= ~VML_METRIC_BIT(VML_FAULTS_USER);
	assert_cell(s, VML_PROCESS, "hit_ratio", false, "-");
	s->have[VML_PROCESS] |= VML_METRIC_BIT(VML_FAULTS_USER);
	r->value[VML_FAULTS_USER] = r->value[VML_HITS] = 0;
	assert_cell(s, VML_PROCESS, "hit_ratio", false, "-");
	r->value[VML_FAULTS_USER] = 5;
	assert_cell(s, VML_PROCESS, "hit_ratio", false, "0%");
	r->hist[0] = (struct vml_hist){ 0 };
	assert_cell(s, VML_PROCESS, "read_wait_p99", false, "-");
	r->uid = UINT32_MAX;
	assert_cell(s, VML_PROCESS, "uid", false, "-");
	r->threads = 0;
	assert_cell(s, VML_PROCESS, "threads", false, "-");
	r->cgroup = r->comm = "";
	assert_cell(s, VML_PROCESS, "cgroup", false, "-");
	assert_cell(s, VML_PROCESS, "comm", false, "-");
	vml_snapshot_free(s);
}

static void cells_of_a_thread_and_a_vma(void **state)
{
	struct vml_snapshot *s = unit_snapshot(1);
	struct vml_row *v;

	(void)state;
	unit_thread(s, 10, 12);
	assert_cell(s, VML_THREAD, "tid", false, "12");
	assert_cell(s, VML_THREAD, "pid", false, "10");
	v = unit_vma(s, 10, 0x7f1234567000);
	v->area.name = "/usr/lib/libc.so.6";
	assert_cell(s, VML_VMA, "start", false, "7f1234567000");
	assert_cell(s, VML_VMA, "size", false, "8.0K");
	assert_cell(s, VML_VMA, "perms", false, "rw-p");
	assert_cell(s, VML_VMA, "kind", false, "anon");
	assert_cell(s, VML_VMA, "name", false, "/usr/lib/libc.so.6");
	assert_cell(s, VML_VMA, "comm", false, "comm");
	v->area = (struct vml_area){ .kind = "unknown", .name = "" };
	assert_cell(s, VML_VMA, "start", false, "-");
	assert_cell(s, VML_VMA, "size", false, "-");
	assert_cell(s, VML_VMA, "perms", false, "-");
	assert_cell(s, VML_VMA, "name", false, "-");
	assert_no_number(s, VML_VMA, "start");
	vml_snapshot_free(s);
}

/* Not every holder is a known thread, and the number of nobody is no 0. */
static void cells_of_a_blocker(void **state)
{
	struct vml_snapshot *s = unit_snapshot(1);
	struct vml_row *r = unit_row(s, VML_BLOCKER, 7);

	(void)state;
	s->have[VML_BLOCKER] = VML_METRIC_BIT(VML_BLAMED_NS);
	s->interval_ns = UNIT_SECOND;
	r->context = "vma readers";
	r->lock = "vma_read";
	r->target = "";
	r->value[VML_BLAMED_NS] = 5000000;
	assert_cell(s, VML_BLOCKER, "tid", true, "-");
	assert_cell(s, VML_BLOCKER, "pid", true, "7");
	assert_cell(s, VML_BLOCKER, "context", true, "vma readers");
	assert_cell(s, VML_BLOCKER, "lock", true, "vma_read");
	assert_cell(s, VML_BLOCKER, "target", true, "-");
	assert_cell(s, VML_BLOCKER, "blamed", true, "5.0ms");
	assert_cell(s, VML_BLOCKER, "io", true, "-");
	assert_cell(s, VML_BLOCKER, "longest", true, "-");
	r->id.tid = 9;
	r->hist[3] = unit_hist(UNIT_TALLY(s, { 50, 1 }), 400, 400);
	assert_cell(s, VML_BLOCKER, "tid", true, "9");
	assert_cell(s, VML_BLOCKER, "longest", true, "400ns");
	vml_snapshot_free(s);
}

static void text_is_cut_between_characters(void **state)
{
	struct vml_snapshot *s = unit_snapshot(1);
	const struct vml_column *c = column(VML_PROCESS, "comm");
	char buf[5];

	(void)state;
	unit_process(s, 1)->comm = "aéé";
	vml_column_text(c, s, VML_PROCESS, s->rows[VML_PROCESS].row, false, buf, 5);
	assert_string_equal(buf, "aé");
	s->rows[VML_PROCESS].row[0].comm = "日本";
	vml_column_text(c, s, VML_PROCESS, s->rows[VML_PROCESS].row, false, buf, 3);
	assert_string_equal(buf, "");
	vml_column_text(c, s, VML_PROCESS, s->rows[VML_PROCESS].row, false, buf, 1);
	assert_string_equal(buf, "");
	vml_snapshot_free(s);
}

/* "pid", "uid", not "avoidable" */
static bool is_an_id(const char *key)
{
	size_t n = strlen(key);

	return n > 2 && !strcmp(key + n - 2, "id");
}

/* Keys are unique in a scope, every column is found by its own, and is wide enough for its head. */
static void tables_are_sound(void **state)
{
	const struct vml_column *const *c, *const *d;
	enum vml_scope scope;
	int width;

	(void)state;
	for (scope = 0; scope < VML_NSCOPES; scope++) {
		for (c = vml_columns(scope); *c; c++) {
			assert_true((*c)->scopes & 1U << scope);
			assert_ptr_equal(vml_column_find(scope, (*c)->key), *c);
			assert_int_equal((*c)->help[strlen((*c)->help) - 1], '.');
			width = (*c)->width;
			assert_true(!width || (int)strlen((*c)->title) <= width);
			/* only the last one takes the rest of the line */
			assert_int_equal(!width, !c[1]);
			assert_int_equal((*c)->ascending, (*c)->unit == VML_UNIT_TEXT ||
								  (*c)->unit == VML_UNIT_ADDRESS ||
								  is_an_id((*c)->key));
			for (d = vml_columns(scope); d < c; d++) {
				assert_string_not_equal((*d)->key, (*c)->key);
				assert_string_not_equal((*d)->title, (*c)->title);
			}
		}
	}
}

/* The columns that are there at 80, with at least 16 for the last; column.c says so. */
static void what_fits_80_columns(void **state)
{
	static const struct {
		enum vml_scope scope;
		const char *keys, *last;
	} t[] = {
		{ VML_PROCESS, "pid faults hit_ratio fallbacks bypasses read_wait write_wait read_hold ", "comm" },
		{ VML_THREAD, "tid pid faults hit_ratio fallbacks bypasses read_wait write_wait ", "comm" },
		{ VML_VMA, "pid start size perms faults hit_ratio fallbacks wait ", "name" },
		{ VML_BLOCKER, "tid context blamed longest victims avoidable ", "comm" },
	};
	const struct vml_column *const *c;
	char keys[256];
	int left;
	size_t i;

	(void)state;
	for (i = 0; i < VML_ARRAY_SIZE(t); i++) {
		left = 80;
		keys[0] = 0;
		for (c = vml_columns(t[i].scope); left - (*c)->width - 1 >= 16 && (*c)->width; c++) {
			left -= (*c)->width + 1;
			strcat(strcat(keys, (*c)->key), " ");
		}
		assert_string_equal(keys, t[i].keys);
		while (c[1])
			c++;
		assert_string_equal((*c)->key, t[i].last);
	}
}

static void every_metric_is_a_key(void **state)
{
	enum { P = 1 << VML_PROCESS, T = 1 << VML_THREAD, V = 1 << VML_VMA, B = 1 << VML_BLOCKER };
	static const unsigned int scopes[VML_NMETRICS] = {
		[VML_FAULTS] = P | T | V,
		[VML_FAULTS_USER] = P | T | V,
		[VML_FAULTS_KERNEL] = P | T | V,
		[VML_HITS] = P | T | V,
		[VML_ABORTS] = P | T | V,
		[VML_RETRIES] = P | T | V,
		[VML_MISSES] = P | T | V,
		[VML_BYPASSES] = P | T | V,
		[VML_FALLBACKS] = P | T | V,
		[VML_WAIT_NS] = P | T | V,
		[VML_MMAP_READ_WAIT_NS] = P | T,
		[VML_MMAP_WRITE_WAIT_NS] = P | T,
		[VML_MMAP_READ_HOLD_NS] = P | T,
		[VML_MMAP_WRITE_HOLD_NS] = P | T,
		[VML_LOCK_FAILED] = P | T,
		[VML_VMA_WRITE_WAIT_NS] = P | T | V,
		[VML_VMA_WRITE_READERS] = P | T | V,
		[VML_SERVE_NS] = P,
		[VML_USERFAULTFD_NS] = P,
		[VML_PAGE_IO_NS] = P,
		[VML_BLAMED_NS] = P | B,
		[VML_UNATTRIBUTED_NS] = P,
		[VML_HANDOVER_RUNQUEUE_NS] = P,
		[VML_HANDOVER_WAKEUP_NS] = P,
		[VML_AVOIDABLE_NS] = P | B,
		[VML_FOREIGN_NS] = B,
		[VML_VICTIMS] = B,
		[VML_HOLDS] = B,
		[VML_HOLD_NS] = B,
		[VML_ON_CPU_NS] = B,
		[VML_RUNNABLE_NS] = B,
		[VML_SLEEP_NS] = B,
		[VML_RECLAIM_NS] = B,
		[VML_IO_NS] = B,
		[VML_SWAP_NS] = B,
	};
	const struct vml_metric_info *info;
	const struct vml_column *c;
	unsigned int scope;
	int m;

	(void)state;
	for (m = 0; m < VML_NMETRICS; m++) {
		info = vml_metric_info(m);
		assert_true(scopes[m]);
		for (scope = 0; scope < VML_NSCOPES; scope++) {
			if (!(scopes[m] & 1U << scope)) {
				assert_null(vml_column_find(scope, info->key));
				continue;
			}
			c = column(scope, info->key);
			assert_int_equal(c->metric, m);
			assert_int_equal(c->unit, info->unit);
			assert_string_equal(c->title, info->title);
			assert_string_equal(c->help, info->help);
			assert_ptr_equal(column(scope, c->key), c);
		}
	}
	assert_null(vml_column_find(VML_PROCESS, "start"));
	assert_null(vml_column_find(VML_PROCESS, "tid"));
	assert_null(vml_column_find(VML_PROCESS, "nonsense"));
	assert_null(vml_column_find(VML_PROCESS, ""));
	assert_null(vml_column_find(VML_THREAD, "threads"));
}

/* No cell is wider than its column says, but text, and counts that no machine reaches. */
static void numbers_fit_their_columns(void **state)
{
	struct vml_snapshot *s = unit_snapshot(1);
	const struct vml_column *const *c;
	struct vml_row *r = unit_process(s, 4194304);
	uint64_t seed = 1;
	char buf[64];
	int i, m;

	(void)state;
	s->interval_ns = UNIT_SECOND / 3;
	r->uid = UINT32_MAX - 1;
	r->threads = 4194304;
	for (i = 0; i < 3000; i++) {
		for (m = 0; m < VML_NMETRICS; m++)
			r->value[m] = unit_random(&seed) >> (4 + unit_below(&seed, 60));
		r->value[VML_FAULTS_USER] = r->value[VML_HITS] + r->value[VML_FALLBACKS];
		for (c = vml_columns(VML_PROCESS); *c; c++) {
			vml_column_text(*c, s, VML_PROCESS, r, i & 1, buf, sizeof(buf));
			if ((*c)->width && (int)strlen(buf) > (*c)->width)
				fail_msg("%s: %s", (*c)->key, buf);
		}
	}
	vml_snapshot_free(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(cells_of_a_process),	 cmocka_unit_test(rates),
		cmocka_unit_test(absent_is_a_dash),	 cmocka_unit_test(cells_of_a_thread_and_a_vma),
		cmocka_unit_test(cells_of_a_blocker),	 cmocka_unit_test(text_is_cut_between_characters),
		cmocka_unit_test(tables_are_sound),	 cmocka_unit_test(what_fits_80_columns),
		cmocka_unit_test(every_metric_is_a_key), cmocka_unit_test(numbers_fit_their_columns),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
