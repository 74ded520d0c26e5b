// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Holders that could run and do not get a CPU.
 *
 * `starved`: a thread of the lowest priority holds mmap_lock and others keep
 * its CPU busy: an inversion of priorities.
 * `throttled`: a process in a cgroup without CPU time left holds the mmap_lock
 * of ours.  Since Linux 6.18 nobody is throttled inside the kernel.
 *
 * A hog begins only when the hold is under way, ends after HOG_NS and then
 * gives the holder its priority back, so all of it ends whatever else runs.
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <sys/mman.h>
#include <string.h>
#include <unistd.h>

#include "culprit.h"
#include "load.h"
#include "vmalock/base.h"

#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23
#endif

#define HOG_NS 200000000ULL
#define BEGINS_NS 1000000000ULL /* patience for the first fault of a hold */
#define POLL_NS 200000
#define RUNNABLE_SHARE 50 /* % of the culprit's calls, else it is not what this is for */

static int pin_to(pid_t tid, int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	return sched_setaffinity(tid, sizeof(set), &set) ? -errno : 0;
}

/* The last CPU we may use; the others, if any, are for the victims. */
static int choose_cpu(struct vml_load *l, cpu_set_t *ret_others)
{
	int cpu;

	if (sched_getaffinity(0, sizeof(*ret_others), ret_others))
		return vml_load_fail(l, -errno, "cannot ask for CPUs");
	for (cpu = CPU_SETSIZE - 1; cpu > 0 && !CPU_ISSET(cpu, ret_others); cpu--)
		;
	if (CPU_COUNT(ret_others) > 1)
		CPU_CLR(cpu, ret_others);
	return cpu;
}

static int set_policy(pid_t tid, int policy)
{
	const struct sched_param none = { 0 };

	return sched_setscheduler(tid, policy, &none) ? -errno : 0;
}

/* In the child, which is on the CPU of the holder and is asked before each of its calls. */
static int hog(struct vml_load *l, struct vml_load_culprit *c)
{
	static uint64_t asked;
	uint64_t end = vml_now_mono() + BEGINS_NS;

	(void)l;
	asked++;
	while (atomic_load(&c->ended) < asked && !vml_load_call_is_under_way(c) && vml_now_mono() < end)
		vml_load_pause(POLL_NS);
	end = vml_now_mono() + HOG_NS;
	while (atomic_load(&c->ended) < asked && vml_now_mono() < end)
		;
	/* only root may; for others the holder ends with what CPU time is left over */
	set_policy(c->tid, SCHED_OTHER);
	return 0;
}

static int prepare_hog(struct vml_load *l)
{
	return pin_to(0, l->cpu);
}

int vml_load_starved_open(struct vml_load *l)
{
	static const struct vml_load_foreign hogs = { .prepare = prepare_hog, .hold = hog };
	cpu_set_t others;
	int err;

	if (madvise(NULL, 0, MADV_POPULATE_WRITE))
		return vml_load_fail(l, -EOPNOTSUPP, "this kernel has no MADV_POPULATE_WRITE (Linux 5.14)");
	err = choose_cpu(l, &others);
	if (err < 0)
		return err;
	l->cpu = err;
	err = vml_load_blocking_open(l, 1);
	if (!err)
		err = vml_load_foreign_open(l, &hogs);
	if (err)
		return err;
	l->blocking->culprit[0].call = "madvise";
	l->blocking->culprit[0].what = "madvise(MADV_POPULATE_WRITE)";
	/* inherited by the threads that are made now */
	if (sched_setaffinity(0, sizeof(others), &others))
		return vml_load_fail(l, -errno, "cannot choose CPUs");
	err = vml_load_map(l, "populated", l->options.pages, &l->memory);
	return err ? err : vml_load_victims_open(l);
}

static void hold_starving(struct vml_load_worker *w, struct vml_load_culprit *c)
{
	struct vml_load *l = w->load;
	size_t len = l->options.pages * l->page;
	int err;

	w->error = vml_load_foreign_ask(l);
	if (!w->error)
		w->error = set_policy(0, SCHED_IDLE);
	vml_load_call_begin(c);
	if (len && madvise(l->memory, len, MADV_POPULATE_WRITE))
		w->error = -errno;
	vml_load_call_end(c);
	w->calls.madvise++;
	w->bytes += len;
	err = vml_load_foreign_answer(l);
	set_policy(0, SCHED_OTHER);
	w->error = w->error ? w->error : err;
	vml_load_drop(w, l->memory, len);
}

void vml_load_starved(struct vml_load_worker *w, bool rehearsal)
{
	struct vml_load *l = w->load;
	struct vml_load_culprit *c = &l->blocking->culprit[0];
	uint32_t i;

	if (rehearsal) {
		vml_load_culprit_is_me(c, true);
		w->error = pin_to(0, l->cpu);
	}
	for (i = 0; !w->error && (rehearsal ? vml_load_rehearse_more(l, i) : vml_load_more(l, i, false)); i++)
		hold_starving(w, c);
	if (!rehearsal)
		vml_load_culprit_leave(c);
}

/* Kept from its CPU for less than it needs it. */
static bool too_long(const struct vml_load *l)
{
	const struct vml_load_culprit *c = &l->blocking->culprit[0];

	return c->cpu_ns > atomic_load(&c->calls) * HOG_NS;
}

static bool mostly_runnable(const struct vml_load *l)
{
	const struct vml_load_culprit *c = &l->blocking->culprit[0];
	uint64_t off_cpu = c->call_ns > c->cpu_ns ? c->call_ns - c->cpu_ns : 0;
	/* it may have waited for its CPU before and after its calls, too */
	uint64_t runnable = c->runnable_ns < off_cpu ? c->runnable_ns : off_cpu;

	/* without the file nobody knows */
	return !c->split || runnable >= c->call_ns * RUNNABLE_SHARE / 100;
}

int vml_load_starved_check(struct vml_load *l)
{
	if (!mostly_runnable(l))
		return vml_load_fail(l, -EOPNOTSUPP, "the holder got its CPU all the same; %s --pages make its hold %s",
				     too_long(l) ? "fewer" : "more", too_long(l) ? "shorter" : "longer");
	/* others wait for as long as it holds */
	if (vml_load_blocking_share(l) < RUNNABLE_SHARE)
		return vml_load_fail(l, -EOPNOTSUPP,
				     "the holder waited for its CPU while it did not hold: the host has other work");
	return vml_load_blocking_check(l, "");
}

void vml_load_starved_close(struct vml_load *l)
{
	vml_load_foreign_close(l);
	vml_load_unmap(l, l->memory, l->options.pages);
	vml_load_victims_close(l);
}

/* ---- throttled */

#define PERIOD_US 100000U
#define QUOTA_US 10000U
#define THROTTLED_SHARE 60 /* % of the culprit's calls that somebody waits; near 100 where it works */

static int open_clear_refs(struct vml_load *l)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/clear_refs", getppid());
	l->fd = open(path, O_WRONLY | O_CLOEXEC);
	return l->fd < 0 ? -errno : 0;
}

#define NOT_WHILE_IT_HOLDS                                                                                  \
	"the holder is not throttled while it holds: since Linux 6.18 a task is throttled only on its way " \
	"back to user mode; see starved"

/*
 * The function that does that is there: how long victims wait does not
 * tell it on a machine with other work.  Names can be read when addresses cannot.
 */
static bool throttles_on_return(void)
{
	FILE *f = fopen("/proc/kallsyms", "re");
	bool found = false;
	char line[1024];

	if (!f)
		return false;
	while (!found && fgets(line, sizeof(line), f))
		found = strstr(line, " throttle_cfs_rq_work\n") != NULL;
	fclose(f);
	return found;
}

/* As often as it takes to use the CPU time of a period. */
static int clear_for_a_period(struct vml_load *l, struct vml_load_culprit *c)
{
	uint64_t end = vml_now_mono() + PERIOD_US * 1000ULL;
	ssize_t n;

	do {
		vml_load_call_begin(c);
		n = pwrite(l->fd, "1", 1, 0);
		vml_load_call_end(c);
	} while (n == 1 && vml_now_mono() < end);
	return n == 1 ? 0 : -errno;
}

int vml_load_throttled_open(struct vml_load *l)
{
	static const struct vml_load_foreign clear_refs = { .call = "pwrite64",
							    .what = "clear_refs",
							    .write = true,
							    .prepare = open_clear_refs,
							    .hold = clear_for_a_period };
	int err;

	if (access("/proc/self/clear_refs", W_OK))
		return vml_load_fail(l, -EOPNOTSUPP,
				     "this kernel has no /proc/PID/clear_refs (CONFIG_PROC_PAGE_MONITOR)");
	err = vml_load_cgroup_open(l, QUOTA_US, PERIOD_US);
	if (!err && throttles_on_return())
		err = vml_load_fail(l, -EOPNOTSUPP, NOT_WHILE_IT_HOLDS);
	if (!err)
		err = vml_load_blocking_open(l, 1);
	if (!err)
		err = vml_load_map(l, "populated", l->options.pages, &l->memory);
	if (!err)
		err = vml_load_foreign_open(l, &clear_refs);
	if (!err)
		err = vml_load_cgroup_enter(l, l->blocking->culprit[0].pid);
	if (err)
		return err;
	vml_load_write_pages(l->memory, l->options.pages, l->page);
	return vml_load_victims_open(l);
}

int vml_load_throttled_check(struct vml_load *l)
{
	/*
	 * Its own clocks cannot tell: on its way back from the call it is throttled
	 * before it can read them.  Others wait for as long as it holds.
	 */
	if (vml_load_blocking_share(l) < THROTTLED_SHARE)
		return vml_load_fail(l, -EOPNOTSUPP, NOT_WHILE_IT_HOLDS);
	return 0;
}

void vml_load_throttled_close(struct vml_load *l)
{
	vml_load_foreign_close(l);
	vml_load_unmap(l, l->memory, l->options.pages);
	vml_load_victims_close(l);
	vml_load_cgroup_close(l);
}
