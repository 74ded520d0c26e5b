/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include <linux/bpf.h> /* struct bpf_spin_lock */
#include <linux/types.h>

#include "unit.h"
#include "vmalock/abi.h"

/* In the order of the headers, so that a new value without a name fails to compile or to match. */
static const char *const reason[] = {
	[VML_NO_VMA] = "no_vma",
	[VML_STACK_GROWTH] = "stack_growth",
	[VML_WRITE_LOCKED] = "write_locked",
	[VML_BUSY] = "busy",
	[VML_WRONG_MM] = "wrong_mm",
	[VML_RANGE_MOVED] = "range_moved",
	[VML_RACED] = "raced",
	[VML_NO_MAP_PAGES] = "no_map_pages",
	[VML_ANON_VMA] = "anon_vma",
	[VML_FOLIO_LOCKED] = "folio_locked",
	[VML_FILE_IO] = "file_io",
	[VML_USERFAULTFD] = "userfaultfd",
	[VML_DEVICE_PRIVATE] = "device_private",
	[VML_KILLED] = "killed",
	[VML_KERNEL_MODE] = "kernel_mode",
};

static const char *const hist[] = {
	[VML_MMAP_READ_WAIT] = "mmap_read_wait",
	[VML_MMAP_WRITE_WAIT] = "mmap_write_wait",
	[VML_MMAP_READ_HOLD] = "mmap_read_hold",
	[VML_MMAP_WRITE_HOLD] = "mmap_write_hold",
	[VML_VMA_WRITE_WAIT] = "vma_write_wait",
	[VML_SERVE_HIT] = "serve_hit",
	[VML_SERVE_RETRY] = "serve_retry",
	[VML_SERVE_ABORT] = "serve_abort",
	[VML_SERVE_BYPASS] = "serve_bypass",
	[VML_IN_USERFAULTFD] = "userfaultfd",
	[VML_IN_PAGE_IO] = "page_io",
};

static const char *const caller[] = {
	[VML_CALLER_FAULT] = "fault",	  [VML_CALLER_USERFAULTFD] = "userfaultfd",
	[VML_CALLER_MADVISE] = "madvise", [VML_CALLER_PROC] = "proc",
	[VML_CALLER_BINDER] = "binder",	  [VML_CALLER_TCP] = "tcp",
	[VML_CALLER_DAMON] = "damon",	  [VML_CALLER_BPF] = "bpf",
	[VML_CALLER_OTHER] = "other",
};

static const struct {
	const char *key, *title;
	enum vml_unit unit;
} metric[] = {
	[VML_FAULTS] = { "faults", "FAULTS", VML_UNIT_COUNT },
	[VML_FAULTS_USER] = { "faults_user", "USER", VML_UNIT_COUNT },
	[VML_FAULTS_KERNEL] = { "faults_kernel", "KERNEL", VML_UNIT_COUNT },
	[VML_HITS] = { "hits", "HITS", VML_UNIT_COUNT },
	[VML_ABORTS] = { "aborts", "ABORTS", VML_UNIT_COUNT },
	[VML_RETRIES] = { "retries", "RETRIES", VML_UNIT_COUNT },
	[VML_MISSES] = { "misses", "MISSES", VML_UNIT_COUNT },
	[VML_BYPASSES] = { "bypasses", "BYPASS", VML_UNIT_COUNT },
	[VML_FALLBACKS] = { "fallbacks", "FALLBACK", VML_UNIT_COUNT },
	[VML_WAIT_NS] = { "wait_ns", "WAIT", VML_UNIT_NS },
	[VML_MMAP_READ_WAIT_NS] = { "mmap_read_wait_ns", "RD WAIT", VML_UNIT_NS },
	[VML_MMAP_WRITE_WAIT_NS] = { "mmap_write_wait_ns", "WR WAIT", VML_UNIT_NS },
	[VML_MMAP_READ_HOLD_NS] = { "mmap_read_hold_ns", "RD HOLD", VML_UNIT_NS },
	[VML_MMAP_WRITE_HOLD_NS] = { "mmap_write_hold_ns", "WR HOLD", VML_UNIT_NS },
	[VML_LOCK_FAILED] = { "lock_failed", "FAILED", VML_UNIT_COUNT },
	[VML_VMA_WRITE_WAIT_NS] = { "vma_write_wait_ns", "VMA WAIT", VML_UNIT_NS },
	[VML_VMA_WRITE_READERS] = { "vma_write_readers", "READERS", VML_UNIT_COUNT },
	[VML_SERVE_NS] = { "serve_ns", "SERVE", VML_UNIT_NS },
	[VML_USERFAULTFD_NS] = { "userfaultfd_ns", "UFFD", VML_UNIT_NS },
	[VML_PAGE_IO_NS] = { "page_io_ns", "PAGE IO", VML_UNIT_NS },
	[VML_BLAMED_NS] = { "blamed_ns", "BLAMED", VML_UNIT_NS },
	[VML_UNATTRIBUTED_NS] = { "unattributed_ns", "HANDOVER", VML_UNIT_NS },
	[VML_HANDOVER_RUNQUEUE_NS] = { "handover_runqueue_ns", "NO CPU", VML_UNIT_NS },
	[VML_HANDOVER_WAKEUP_NS] = { "handover_wakeup_ns", "WAKEUP", VML_UNIT_NS },
	[VML_AVOIDABLE_NS] = { "avoidable_ns", "AVOIDABLE", VML_UNIT_NS },
	[VML_FOREIGN_NS] = { "foreign_ns", "FOREIGN", VML_UNIT_NS },
	[VML_VICTIMS] = { "victims", "VICTIMS", VML_UNIT_COUNT },
	[VML_HOLDS] = { "holds", "HOLDS", VML_UNIT_COUNT },
	[VML_HOLD_NS] = { "hold_ns", "HELD", VML_UNIT_NS },
	[VML_ON_CPU_NS] = { "on_cpu_ns", "ON CPU", VML_UNIT_NS },
	[VML_RUNNABLE_NS] = { "runnable_ns", "RUNQ", VML_UNIT_NS },
	[VML_SLEEP_NS] = { "sleep_ns", "SLEEP", VML_UNIT_NS },
	[VML_RECLAIM_NS] = { "reclaim_ns", "RECLAIM", VML_UNIT_NS },
	[VML_IO_NS] = { "io_ns", "IO", VML_UNIT_NS },
	[VML_SWAP_NS] = { "swap_ns", "SWAP", VML_UNIT_NS },
};

_Static_assert(VML_ARRAY_SIZE(reason) == VML_NREASONS, "each reason has a name here");
_Static_assert(VML_ARRAY_SIZE(hist) == VML_NTIMES, "each histogram has a name here");
_Static_assert(VML_ARRAY_SIZE(caller) == VML_NCALLERS, "each caller has a name here");
_Static_assert(VML_NTIMES == VML_HISTS, "snapshot.h has as many histograms as abi.h");
_Static_assert(VML_KERNEL_MODE == VML_NREASONS - 1, "src/model/metric.c knows bypasses by that");
_Static_assert(VML_CALLER_FAULT == 0, "src/sinks/parts.c tells others by that");
_Static_assert(VML_CAUSE(VML_BUSY, 1) == VML_REASON_INDEX(VML_BUSY, VML_EXACT), "one index of reasons");
_Static_assert(VML_MMAP_READ_WAIT == 0, "src/model/column.c reads hist[0]");
_Static_assert(VML_ARRAY_SIZE(metric) == VML_NMETRICS, "each metric has a name here");

static void assert_sentence(const char *s)
{
	assert_non_null(s);
	assert_true(strlen(s) > 20 && strlen(s) < 120);
	assert_int_equal(s[strlen(s) - 1], '.');
	assert_true(s[0] >= 'A' && s[0] <= 'Z');
}

static void reasons(void **state)
{
	unsigned int i;

	(void)state;
	assert_int_equal(vml_reason_count(), VML_NREASONS);
	for (i = 0; i < VML_NREASONS; i++) {
		assert_string_equal(vml_reason_name(i), reason[i]);
		assert_sentence(vml_reason_help(i));
	}
	assert_null(vml_reason_name(VML_NREASONS));
	assert_null(vml_reason_help(VML_NREASONS));
	assert_null(vml_reason_name(UINT32_MAX));
	assert_int_equal(VML_REASON_INDEX(VML_WRITE_LOCKED, VML_EXACT), 5);
}

static void hists(void **state)
{
	unsigned int i;

	(void)state;
	for (i = 0; i < VML_HISTS; i++)
		assert_string_equal(vml_hist_name(i), hist[i]);
	assert_null(vml_hist_name(VML_HISTS));
}

static void callers(void **state)
{
	unsigned int i;

	(void)state;
	for (i = 0; i < VML_NCALLERS; i++)
		assert_string_equal(vml_caller_name(i), caller[i]);
	assert_null(vml_caller_name(VML_NCALLERS));
}

static void metrics(void **state)
{
	const struct vml_metric_info *info;
	unsigned int i;

	(void)state;
	for (i = 0; i < VML_NMETRICS; i++) {
		info = vml_metric_info(i);
		assert_string_equal(info->key, metric[i].key);
		assert_string_equal(info->title, metric[i].title);
		assert_int_equal(info->unit, metric[i].unit);
		assert_sentence(info->help);
		/* keys end in their unit */
		assert_int_equal(info->unit == VML_UNIT_NS, !strcmp(info->key + strlen(info->key) - 3, "_ns"));
	}
	assert_null(vml_metric_info(VML_NMETRICS));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reasons),
		cmocka_unit_test(hists),
		cmocka_unit_test(callers),
		cmocka_unit_test(metrics),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
