/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "model.h"
#include "vmalock/base.h"

#define METRIC(id, metric_key, head, of, sentence, ...) \
	[id] = { .key = metric_key, .title = head, .unit = VML_UNIT_##of, .help = sentence },

static const struct vml_metric_info metric_table[VML_NMETRICS] = { MODEL_METRICS(METRIC) };

/*
 * By the enum vml_reason of abi.h, which src/model does not include;
 * tests/unit/test_names.c compares the two.
 */
static const struct reason {
	const char *name, *help;
} reason_table[] = {
	{ "no_vma",
	  "No mapping at the address: a stack that could not be seen to grow, or a crash; look for SIGSEGV." },
	{ "stack_growth", "Below a stack that grows down: normal for deep calls, once for each new page." },
	{ "write_locked", "The VMA was write-locked: look for threads that mmap, munmap, mprotect, fork or exec." },
	{ "busy",
	  "A writer was just waiting for the readers of the VMA to leave: look for mprotect and munmap of it." },
	{ "wrong_mm", "The VMA was freed and reused by another process during the lookup: rare and harmless." },
	{ "range_moved",
	  "The VMA changed during the lookup and no longer covered the address: look for munmap, mremap." },
	{ "raced", "The state had changed before it could be read: the cause is one of the others." },
	{ "no_map_pages",
	  "A mapping whose driver cannot be faulted under the VMA lock: every first touch falls back." },
	{ "anon_vma", "First write to an anonymous or private mapping while mmap_lock was busy: look for writers." },
	{ "folio_locked", "Another thread had the page locked: look for swap-in, migration and shared page I/O." },
	{ "file_io", "The file page was not in memory or not up to date: look at disk reads and page cache size." },
	{ "userfaultfd", "A userfaultfd monitor had to answer: look at the latency of the monitor." },
	{ "device_private", "The page was in the memory of a device and had to migrate back." },
	{ "killed", "A fatal signal came while waiting: the process was being killed." },
	{ "kernel_mode", "The kernel touched user memory (copy_to_user and the like): the VMA lock is never tried." },
};

static const char *const hist_table[VML_HISTS] = {
	"mmap_read_wait", "mmap_write_wait", "mmap_read_hold", "mmap_write_hold", "vma_write_wait", "serve_hit",
	"serve_retry",	  "serve_abort",     "serve_bypass",   "userfaultfd",	  "page_io",
};

/* By the enum vml_caller of abi.h. */
static const char *const caller_table[] = {
	"fault", "userfaultfd", "madvise", "proc", "binder", "tcp", "damon", "bpf", "other",
};

const struct vml_metric_info *vml_metric_info(enum vml_metric m)
{
	return (unsigned int)m < VML_NMETRICS ? &metric_table[m] : NULL;
}

unsigned int vml_reason_count(void)
{
	return VML_ARRAY_SIZE(reason_table);
}

const char *vml_reason_name(unsigned int reason)
{
	return reason < vml_reason_count() ? reason_table[reason].name : NULL;
}

const char *vml_reason_help(unsigned int reason)
{
	return reason < vml_reason_count() ? reason_table[reason].help : NULL;
}

const char *vml_hist_name(unsigned int which)
{
	return which < VML_HISTS ? hist_table[which] : NULL;
}

const char *vml_caller_name(unsigned int caller)
{
	return caller < VML_ARRAY_SIZE(caller_table) ? caller_table[caller] : NULL;
}

static uint32_t shown_index(uint32_t index, bool exact)
{
	const uint32_t bypass = VML_ARRAY_SIZE(reason_table) - 1; /* kernel_mode, the last */

	return exact || index / 2 == bypass ? index : VML_REASON_INDEX(index / 2, VML_INFERRED);
}

uint32_t vml_reasons_fold(const struct vml_tally *t, bool exact, struct vml_cell *ret)
{
	uint32_t i, n = 0;

	for (i = 0; i < t->n; i++) {
		uint32_t index = shown_index(t->cell[i].index, exact);

		/* both certainties of a reason are neighbours */
		if (n && ret[n - 1].index == index)
			ret[n - 1].count += t->cell[i].count;
		else
			ret[n++] = (struct vml_cell){ .index = index, .count = t->cell[i].count };
	}
	return n;
}
