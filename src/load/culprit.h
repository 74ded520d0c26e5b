/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef VMALOCK_LOAD_CULPRIT_H
#define VMALOCK_LOAD_CULPRIT_H
/*
 * Scenarios with a known culprit: one thread, or process, holds mmap_lock and
 * the others wait.  Who, in which system call, and for how long is known
 * without looking at the kernel:
 *
 *   culprit   times its calls by CLOCK_MONOTONIC, and where that time went by
 *             its own CPU clock and the run_delay of /proc/.../schedstat.  It
 *             holds mmap_lock within these calls and nowhere else, though not
 *             from their first to their last instant.
 *   victim    times its steps, and counts one as a wait when it slept in it
 *             (getrusage: voluntary switches) on nothing but mmap_lock.  A wait
 *             ends when it runs again, so it includes waiting for a CPU.  A
 *             wait in which it only span is not counted.
 *   covered   the part of a wait during which a culprit was in its call;
 *             only where there is one culprit.
 *
 * All of it is in memory that is shared with the children.
 *
 * Scenarios with hold() need at least one victim: before "ready" the culprit
 * rehearses until they have waited for it, and when they do not, the scenario
 * is not possible here (exit status 4).
 */
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "load.h"

struct vml_load_culprit {
	pid_t pid, tid;
	const char *call; /* the system call */
	const char *what; /* the same with what matters of its arguments */
	bool write; /* how it has mmap_lock */
	bool split; /* cpu_ns and runnable_ns are there */
	_Atomic uint64_t calls; /* also of the one it is in */
	_Atomic uint64_t ended; /* calls, with those of the rehearsal */
	uint64_t call_ns; /* in them: on CPU, runnable, the rest asleep */
	uint64_t cpu_ns, runnable_ns;
	/*
	 * Time in its calls as a clock that others may read at any instant: time * 2
	 * between calls; (now - time) * 2 + 1 within one.
	 */
	_Atomic uint64_t clock;
	/* of the call it is in */
	uint64_t start_ns, start_cpu_ns, start_runnable_ns, start_faults;
	int schedstat; /* of the thread; -1: the kernel has none */
};

struct vml_load_victim {
	pid_t tid; /* of the process of the load */
	const char *does;
	uint64_t waits, blocked_ns, longest_ns, covered_ns;
};

struct vml_load_blocking {
	size_t len; /* of the mapping */
	uint32_t nculprits, nvictims;
	struct vml_load_victim *victim; /* by index of the worker */
	struct vml_load_culprit culprit[];
};

/* l->blocking, for @culprits and all threads that fault and change mappings. */
int vml_load_blocking_open(struct vml_load *l, uint32_t culprits);
void vml_load_blocking_free(struct vml_load *l);
/* Forgets what the rehearsal counted. */
void vml_load_blocking_reset(struct vml_load *l);
/* Percent of the culprit's calls that the victim which waited most was waiting. */
unsigned int vml_load_blocking_share(const struct vml_load *l);
/* The rehearsal of hold() goes on until somebody waited enough, but not for ever. */
bool vml_load_rehearse_more(const struct vml_load *l, uint32_t round);
/* Nobody waited enough: -EOPNOTSUPP with that and @why. */
int vml_load_blocking_check(struct vml_load *l, const char *why);

/* ---- the culprit, in its thread */

/* It is who calls this; @split: its calls are long enough to read a file at both ends. */
void vml_load_culprit_is_me(struct vml_load_culprit *c, bool split);
void vml_load_culprit_leave(struct vml_load_culprit *c);
void vml_load_call_begin(struct vml_load_culprit *c);
void vml_load_call_end(struct vml_load_culprit *c);
/* What is left of call_ns; never less than 0, since the clocks are read one after another. */
uint64_t vml_load_sleeping_ns(const struct vml_load_culprit *c);
/* In its call, and it has faulted there: of a call that faults in pages, it holds the lock.  Only of long calls. */
bool vml_load_call_is_under_way(const struct vml_load_culprit *c);
void vml_load_pause(uint64_t ns);

/* ---- victims: one step each; they go on until the culprit is done */

/* Does @step and counts it as a wait when it slept. */
void vml_load_victim_step(struct vml_load_worker *w, const char *does, void (*step)(struct vml_load_worker *w));
/* A page of its slice is filled by read(2), a fault that bypasses the VMA lock; then a pause. */
int vml_load_victims_open(struct vml_load *l);
void vml_load_victim(struct vml_load_worker *w, bool rehearsal);
void vml_load_victim_read(struct vml_load_worker *w);
/* mmap(2) and munmap(2) of memory that nobody touches; then a pause. */
void vml_load_victim_change(struct vml_load_worker *w);
void vml_load_victim_map(struct vml_load_worker *w);
void vml_load_victims_close(struct vml_load *l);
/* Pages of a victim that faults. */
#define VML_LOAD_VICTIM_PAGES 64U

/* ---- a culprit in another process (foreign.c) */

/*
 * A child of this process, forked now, which calls @hold with the culprit each
 * time vml_load_foreign_hold() asks for it.  @prepare once, in the child; both
 * return negative errno.  When @prepare fails, open does with -EOPNOTSUPP.  It
 * ends when the load does.
 */
struct vml_load_foreign {
	const char *call, *what; /* call NULL: the child is not the culprit, only helps */
	bool write;
	int (*prepare)(struct vml_load *l);
	int (*hold)(struct vml_load *l, struct vml_load_culprit *c);
};
int vml_load_foreign_open(struct vml_load *l, const struct vml_load_foreign *f);
int vml_load_foreign_hold(struct vml_load *l);
/* In two steps: what is between is done at the same time. */
int vml_load_foreign_ask(struct vml_load *l);
int vml_load_foreign_answer(struct vml_load *l);
void vml_load_foreign_close(struct vml_load *l);
/* hold() of a scenario: nothing but asking. */
void vml_load_foreign_rounds(struct vml_load_worker *w, bool rehearsal);

/* ---- a cgroup with little CPU time (cgroup.c) */

/* Creates it; removed when the load ends, however it ends. -EOPNOTSUPP: the error says why. */
int vml_load_cgroup_open(struct vml_load *l, uint32_t quota_us, uint32_t period_us);
int vml_load_cgroup_enter(struct vml_load *l, pid_t pid);
void vml_load_cgroup_close(struct vml_load *l);

#endif
