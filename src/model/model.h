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
#include "vmalock/snapshot.h"

#define SCOPE_PROCESS (1U << VML_PROCESS)
#define SCOPE_TASKS (1U << VML_PROCESS | 1U << VML_THREAD)
#define SCOPE_ALL (SCOPE_TASKS | 1U << VML_VMA)

#define MODEL_METRICS(X)                                                                                               \
	X(VML_FAULTS, "faults", "FAULTS", COUNT, "Page faults on user addresses: hits and fallbacks.", "faults", 6,    \
	  SCOPE_ALL)                                                                                                   \
	X(VML_FAULTS_USER, "faults_user", "USER", COUNT, "Page faults that began in user mode.", "user", 6, SCOPE_ALL) \
	X(VML_FAULTS_KERNEL, "faults_kernel", "KERNEL", COUNT,                                                         \
	  "Page faults on user addresses that began in kernel mode.", "kernel", 6, SCOPE_ALL)                          \
	X(VML_HITS, "hits", "HITS", COUNT, "User-mode faults served wholly under the VMA lock.", "hits", 6, SCOPE_ALL) \
	X(VML_ABORTS, "aborts", "ABORTS", COUNT,                                                                       \
	  "Faults whose lookup was refused the VMA lock, so that mmap_lock was taken.", "aborts", 6, SCOPE_ALL)        \
	X(VML_RETRIES, "retries", "RETRIES", COUNT, "Faults that had the VMA lock and gave it up (VM_FAULT_RETRY).",   \
	  "retries", 7, SCOPE_ALL)                                                                                     \
	X(VML_MISSES, "misses", "MISSES", COUNT, "Lookups that began again because the VMA was detached under them.",  \
	  "misses", 6, SCOPE_ALL)                                                                                      \
	X(VML_BYPASSES, "bypasses", "BYPASS", COUNT,                                                                   \
	  "Kernel-mode faults: they take mmap_lock without trying the VMA lock.", "bypasses", 6, SCOPE_ALL)            \
	X(VML_FALLBACKS, "fallbacks", "FALLBACK", COUNT, "Faults that took mmap_lock, with the bypasses.",             \
	  "fallbacks", 8, SCOPE_ALL)                                                                                   \
	X(VML_WAIT_NS, "wait_ns", "WAIT", NS,                                                                          \
	  "Time spent waiting for mmap_lock, to read and to write; of a VMA: to read, in its faults.", "wait", 7,      \
	  SCOPE_ALL)                                                                                                   \
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
	  "Time spent write-locking VMAs that had readers.", "vma_wait", 8, SCOPE_ALL)                                 \
	X(VML_VMA_WRITE_READERS, "vma_write_readers", "READERS", COUNT,                                                \
	  "Readers that write locks of VMAs found and waited for.", "vma_readers", 7, SCOPE_ALL)                       \
	X(VML_SERVE_NS, "serve_ns", "SERVE", NS, "Time faults took, from the exception to the end of the handler.",    \
	  "serve", 7, SCOPE_PROCESS)                                                                                   \
	X(VML_USERFAULTFD_NS, "userfaultfd_ns", "UFFD", NS, "Time faults waited for a userfaultfd monitor.",           \
	  "userfaultfd", 7, SCOPE_PROCESS)                                                                             \
	X(VML_PAGE_IO_NS, "page_io_ns", "PAGE IO", NS, "Time faults waited for pages to be read from disk or swap.",   \
	  "page_io", 7, SCOPE_PROCESS)

/* The text behind a cell; NULL when it is unknown or a number. */
const char *vml_column_string(const struct vml_column *c, const struct vml_row *r);

#endif
