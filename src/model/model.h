/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef VMALOCK_MODEL_H
#define VMALOCK_MODEL_H
/*
 * Private to src/model: the words of a metric and of its column, said once.
 *
 * X(metric, key, title, unit, help; column key, width, scopes)
 *
 * The column key is what a user types after -s; the metric key works there too.
 * A width holds the title and the longest text of the unit ("4.56M", "350ms").
 * Scopes: where the metric has a meaning; whether it is known is vml_snapshot.have.
 */
#include "vmalock/compare.h"
#include "vmalock/snapshot.h"

#define SCOPE_PROCESS (1U << VML_PROCESS)
#define SCOPE_TASKS (1U << VML_PROCESS | 1U << VML_THREAD)
#define SCOPE_BLOCKER (1U << VML_BLOCKER)
#define SCOPE_FAULTS (SCOPE_TASKS | 1U << VML_VMA)
#define SCOPE_ALL (SCOPE_FAULTS | SCOPE_BLOCKER)

#define MODEL_METRICS(X)                                                                                               \
	X(VML_FAULTS, "faults", "FAULTS", COUNT, "Page faults on user addresses: hits and fallbacks.", "faults", 6,    \
	  SCOPE_FAULTS)                                                                                                \
	X(VML_FAULTS_USER, "faults_user", "USER", COUNT, "Page faults that began in user mode.", "user", 6,            \
	  SCOPE_FAULTS)                                                                                                \
	X(VML_FAULTS_KERNEL, "faults_kernel", "KERNEL", COUNT,                                                         \
	  "Page faults on user addresses that began in kernel mode.", "kernel", 6, SCOPE_FAULTS)                       \
	X(VML_HITS, "hits", "HITS", COUNT, "User-mode faults served wholly under the VMA lock.", "hits", 6,            \
	  SCOPE_FAULTS)                                                                                                \
	X(VML_ABORTS, "aborts", "ABORTS", COUNT,                                                                       \
	  "Faults whose lookup was refused the VMA lock, so that mmap_lock was taken.", "aborts", 6, SCOPE_FAULTS)     \
	X(VML_RETRIES, "retries", "RETRIES", COUNT, "Faults that had the VMA lock and gave it up (VM_FAULT_RETRY).",   \
	  "retries", 7, SCOPE_FAULTS)                                                                                  \
	X(VML_MISSES, "misses", "MISSES", COUNT, "Lookups that began again because the VMA was detached under them.",  \
	  "misses", 6, SCOPE_FAULTS)                                                                                   \
	X(VML_BYPASSES, "bypasses", "BYPASS", COUNT,                                                                   \
	  "Kernel-mode faults: they take mmap_lock without trying the VMA lock.", "bypasses", 6, SCOPE_FAULTS)         \
	X(VML_FALLBACKS, "fallbacks", "FALLBACK", COUNT, "Faults that took mmap_lock, with the bypasses.",             \
	  "fallbacks", 8, SCOPE_FAULTS)                                                                                \
	X(VML_WAIT_NS, "wait_ns", "WAIT", NS,                                                                          \
	  "Time spent waiting for mmap_lock, to read and to write; of a VMA: to read, in its faults.", "wait", 7,      \
	  SCOPE_FAULTS)                                                                                                \
	X(VML_MMAP_READ_WAIT_NS, "mmap_read_wait_ns", "RD WAIT", NS, "Time spent waiting to read-lock mmap_lock.",     \
	  "read_wait", 7, SCOPE_TASKS)                                                                                 \
	X(VML_MMAP_WRITE_WAIT_NS, "mmap_write_wait_ns", "WR WAIT", NS, "Time spent waiting to write-lock mmap_lock.",  \
	  "write_wait", 7, SCOPE_TASKS)                                                                                \
	X(VML_MMAP_READ_HOLD_NS, "mmap_read_hold_ns", "RD HOLD", NS, "Time mmap_lock was held for reading.",           \
	  "read_hold", 7, SCOPE_TASKS)                                                                                 \
	X(VML_MMAP_WRITE_HOLD_NS, "mmap_write_hold_ns", "WR HOLD", NS, "Time mmap_lock was held for writing.",         \
	  "write_hold", 7, SCOPE_TASKS)                                                                                \
	X(VML_LOCK_FAILED, "lock_failed", "FAILED", COUNT,                                                             \
	  "Times mmap_lock was asked for and not got: trylocks that failed, killed waits.", "failed", 6, SCOPE_TASKS)  \
	X(VML_VMA_WRITE_WAIT_NS, "vma_write_wait_ns", "VMA WAIT", NS,                                                  \
	  "Time spent write-locking VMAs that had readers.", "vma_wait", 8, SCOPE_FAULTS)                              \
	X(VML_VMA_WRITE_READERS, "vma_write_readers", "READERS", COUNT,                                                \
	  "Readers that write locks of VMAs found and waited for.", "vma_readers", 7, SCOPE_FAULTS)                    \
	X(VML_SERVE_NS, "serve_ns", "SERVE", NS, "Time faults took, from the exception to the end of the handler.",    \
	  "serve", 7, SCOPE_PROCESS)                                                                                   \
	X(VML_USERFAULTFD_NS, "userfaultfd_ns", "UFFD", NS, "Time faults waited for a userfaultfd monitor.",           \
	  "userfaultfd", 7, SCOPE_PROCESS)                                                                             \
	X(VML_PAGE_IO_NS, "page_io_ns", "PAGE IO", NS, "Time faults waited for pages to be read from disk or swap.",   \
	  "page_io", 7, SCOPE_PROCESS)                                                                                 \
	X(VML_BLAMED_NS, "blamed_ns", "BLAMED", NS,                                                                    \
	  "Time others waited that is charged to who held the lock; of a process: for its mmap_lock.", "blamed", 7,    \
	  SCOPE_PROCESS | SCOPE_BLOCKER)                                                                               \
	X(VML_UNATTRIBUTED_NS, "unattributed_ns", "HANDOVER", NS,                                                      \
	  "Time waited for the process's mmap_lock while nobody held it: the next owner was on its way.", "handover",  \
	  8, SCOPE_PROCESS)                                                                                            \
	X(VML_HANDOVER_RUNQUEUE_NS, "handover_runqueue_ns", "NO CPU", NS,                                              \
	  "The part of the handover in which the next owner waited for a CPU: starved, throttled, low priority.",      \
	  "no_cpu", 7, SCOPE_PROCESS)                                                                                  \
	X(VML_HANDOVER_WAKEUP_NS, "handover_wakeup_ns", "WAKEUP", NS,                                                  \
	  "The part of the handover in which the next owner was being woken, or took the lock.", "wakeup", 7,          \
	  SCOPE_PROCESS)                                                                                               \
	X(VML_AVOIDABLE_NS, "avoidable_ns", "AVOIDABLE", NS,                                                           \
	  "The part of the blame, at least, for waits that wanted nothing of what the holder changed.", "avoidable",   \
	  9, SCOPE_PROCESS | SCOPE_BLOCKER)                                                                            \
	X(VML_FOREIGN_NS, "foreign_ns", "FOREIGN", NS,                                                                 \
	  "The part of the blame for waits of other processes than the one whose lock it is.", "foreign", 7,           \
	  SCOPE_BLOCKER)                                                                                               \
	X(VML_VICTIMS, "victims", "VICTIMS", COUNT, "Threads that were waiting when the holder let go.", "victims", 7, \
	  SCOPE_BLOCKER)                                                                                               \
	X(VML_HOLDS, "holds", "HOLDS", COUNT, "Holds of the lock that made somebody wait.", "holds", 6, SCOPE_BLOCKER) \
	X(VML_HOLD_NS, "hold_ns", "HELD", NS, "How long these lasted.", "held", 7, SCOPE_BLOCKER)                      \
	X(VML_ON_CPU_NS, "on_cpu_ns", "ON CPU", NS, "The part of the holds in which the holder ran.", "on_cpu", 7,     \
	  SCOPE_BLOCKER)                                                                                               \
	X(VML_RUNNABLE_NS, "runnable_ns", "RUNQ", NS, "The part of the holds in which the holder waited for a CPU.",   \
	  "runnable", 7, SCOPE_BLOCKER)                                                                                \
	X(VML_SLEEP_NS, "sleep_ns", "SLEEP", NS, "The part of the holds in which the holder slept.", "sleep", 7,       \
	  SCOPE_BLOCKER)                                                                                               \
	X(VML_RECLAIM_NS, "reclaim_ns", "RECLAIM", NS, "The part of the holds in memory reclaim and compaction.",      \
	  "reclaim", 7, SCOPE_BLOCKER)                                                                                 \
	X(VML_IO_NS, "io_ns", "IO", NS, "The part of the holds waiting for block devices.", "io", 7, SCOPE_BLOCKER)    \
	X(VML_SWAP_NS, "swap_ns", "SWAP", NS, "The part of the holds waiting for swap and thrashing pages.", "swap",   \
	  7, SCOPE_BLOCKER)

/*
 * Copies into the arena of a delta, which outlives what it was made of (copy.c).
 * The first ones replace what they point to.  -ENOMEM
 */
int model_keep(struct vml_arena *a, const char **s);
int model_keep_texts(struct vml_arena *a, struct vml_row *r, enum vml_scope scope);
int model_keep_stack(struct vml_arena *a, struct vml_stack *s);
/* The same (keep.c). */
int model_keep_tally(struct vml_arena *a, struct vml_tally *t);
int model_keep_hists(struct vml_arena *a, struct vml_hist hist[VML_HISTS]);
int model_copy_stalls(struct vml_snapshot *d, const struct vml_snapshot *cur);
int model_copy_host(struct vml_snapshot *d, const struct vml_host *host);
int model_copy_caps(struct vml_snapshot *d, const struct vml_caps *caps);

/*
 * The maximum of both histograms, 0 when it is not known: where only one maximum is, it is that of
 * both if the other cannot be over it.
 */
uint64_t model_hist_max(const struct vml_hist *x, const struct vml_hist *y);

/* By id and key. */
int model_stack_compare(const struct vml_stack *a, const struct vml_stack *b);

/* What it divides by the faults (compare.c). */
enum vml_metric model_measure_metric(enum vml_measure m);

/*
 * The clean text @name with '*' for each number (name.c): digits, 8 and more hex digits of which one is no letter,
 * UUIDs.  Escapes stay, as does the uid in user-1000.slice.  @dst has room for as many bytes as @name takes.
 */
void model_name_fold(char *dst, const char *name);

/* The text behind a cell; NULL when it is unknown or a number. */
const char *vml_column_string(const struct vml_column *c, const struct vml_row *r);

#endif
