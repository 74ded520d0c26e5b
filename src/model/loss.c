/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What each cause of loss means.  The words are here, so that screens, metrics and
 * docs say the same; a snapshot of a recording has those of who recorded it.
 */
#include <string.h>

#include "model.h"
#include "vmalock/base.h"

enum weight {
	EVENTS, /* not counted, or not where they belong */
	DETAIL, /* all is counted: a row, a stack, a name or a maximum is missing */
	SPOILS, /* events that tell outcomes and reasons: others may have the wrong one now */
};

static const struct loss_word {
	const char *cause, *help; /* what ends in '_' is followed by the name of a program */
	enum weight weight;
} words[] = {
	{ "thread_storage", "Events of threads for which there was no storage.", EVENTS },
	{ "process_map_full", "Threads counted as (untracked): no room for their process.", EVENTS },
	{ "vma_map_full", "Faults counted in their process but in no VMA row, by groups.", DETAIL },
	{ "walk_failed", "Times a VMA could not be found, because it was being changed: row [unknown].", DETAIL },
	{ "file_map_full", "VMA rows without a file name.", DETAIL },
	{ "cgroup_map_full", "Processes without a cgroup path.", DETAIL },
	{ "exit_records", "Exited threads without a row; their process has their counts.", DETAIL },
	{ "exits_missed", "Threads whose end was not seen: what they did with mmap_lock while they exited is missing.",
	  EVENTS },
	{ "lock_inflight_at_start", "Waits and holds that began before the program.", EVENTS },
	{ "lock_unmatched", "mmap_lock events that fit no open wait or hold.", EVENTS },
	{ "lock_slots", "Threads in flight on more address spaces than are followed.", EVENTS },
	{ "lock_nested", "mmap_lock events inside the handling of another.", EVENTS },
	{ "stack_failed", "Faults counted as hits for lack of a kernel stack.", EVENTS },
	{ "kernel_fault_unserved", "Kernel-mode faults that never took mmap_lock.", EVENTS },
	{ "fault_unseen", "Fallbacks and bypasses of faults that were not seen to begin.", SPOILS },
	{ "return_unseen", "Functions whose return was not seen: too many were running at once.", SPOILS },
	{ "time_map_full", "Durations of faults without room for their process.", EVENTS },
	{ "max_race", "Maxima given up under contention.", DETAIL },
	{ "exec_mixed", "Execs whose earlier numbers stayed with the new program.", EVENTS },
	{ "ledger_map_full",
	  "mmap_lock events that no ledger had room for: waits are in the rows, and not in totals or blame.", EVENTS },
	{ "ledger_healed", "Holders of mmap_lock whose release was not seen; what they were charged is handover.",
	  EVENTS },
	{ "ledger_stale", "Releases of mmap_lock by holders that were counted as ledger_healed before.", EVENTS },
	{ "blocker_map_full", "Holds charged to (untracked): no room for the holder.", EVENTS },
	{ "holder_stack", "Stacks of holders that could not be kept.", DETAIL },
	{ "page_fault_events_skipped",
	  "Faults not counted: perf did not hand the event over, for it throttles or was busy.", EVENTS },
	{ "page_fault_events_late",
	  "Times a CPU was online without its event, for it had been offline: its faults until then are missing.",
	  EVENTS },
	{ "hooks_not_attached", "Times the hooks on every fault could not be attached again.", EVENTS },
	{ "missed_snapshots",
	  "Snapshots of vmalockd that were not fetched in time: what ended in them is in the totals only.", DETAIL },
	{ "recursion_misses_", "Events skipped because a program or kprobe was running on that CPU.", EVENTS },
};

/* The programs that tell outcomes and reasons. */
static const char *const telling[] = {
	"recursion_misses_fentry_",
	"recursion_misses_kprobe_",
	"recursion_misses_kretprobe_",
	"recursion_misses_tp_page_fault",
	"recursion_misses_tp_mmap_lock_acquire_returned",
};

static bool begins(const char *s, const char *with)
{
	return !strncmp(s, with, strlen(with));
}

static const struct loss_word *find(const char *cause)
{
	for (size_t i = 0; i < VML_ARRAY_SIZE(words); i++) {
		const char *word = words[i].cause;

		if (word[strlen(word) - 1] == '_' ? begins(cause, word) : !strcmp(cause, word))
			return &words[i];
	}
	return NULL;
}

const char *vml_loss_help(const char *cause)
{
	const struct loss_word *w = find(cause);

	return w ? w->help : "";
}

const char *vml_loss_cause(size_t i)
{
	return i < VML_ARRAY_SIZE(words) ? words[i].cause : NULL;
}

bool vml_loss_is_detail(const char *cause)
{
	const struct loss_word *w = find(cause);

	return w && w->weight == DETAIL;
}

bool vml_loss_spoils(const char *cause)
{
	const struct loss_word *w = find(cause);

	for (size_t i = 0; i < VML_ARRAY_SIZE(telling); i++)
		if (begins(cause, telling[i]))
			return true;
	return w && w->weight == SPOILS;
}
