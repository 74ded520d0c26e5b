// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Who holds mmap_lock and who waits for it, as they measure it themselves. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "culprit.h"
#include "load.h"
#include "vmalock/base.h"

#define PAUSE_NS 100000 /* of a victim: without, they take the CPUs that the culprit needs */
#define SCRATCH_PAGES 16
#define ENOUGH_SHARE 15 /* % of the culprit's time that a victim must have waited */
#define MAX_REHEARSALS 10

int vml_load_blocking_open(struct vml_load *l, uint32_t culprits)
{
	uint32_t victims = l->options.threads + l->options.writers, i;
	struct vml_load_blocking *b;
	size_t len = sizeof(*b) + culprits * sizeof(b->culprit[0]) + victims * sizeof(b->victim[0]);

	if (l->scenario->hold && !victims)
		return vml_load_fail(l, -EINVAL, "nobody to hold up: -t and -w are 0");
	b = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	if (b == MAP_FAILED)
		return vml_load_fail(l, -errno, "cannot keep %u threads", victims);
	b->len = len;
	b->nculprits = culprits;
	b->nvictims = victims;
	b->victim = (struct vml_load_victim *)&b->culprit[culprits];
	for (i = 0; i < culprits; i++)
		b->culprit[i].schedstat = -1;
	l->blocking = b;
	return 0;
}

void vml_load_blocking_free(struct vml_load *l)
{
	if (l->blocking)
		munmap(l->blocking, l->blocking->len);
	l->blocking = NULL;
}

void vml_load_blocking_reset(struct vml_load *l)
{
	struct vml_load_blocking *b = l->blocking;
	uint32_t i;

	for (i = 0; i < b->nculprits; i++) {
		struct vml_load_culprit *c = &b->culprit[i];

		atomic_store(&c->calls, 0);
		atomic_store(&c->clock, 0);
		c->call_ns = c->cpu_ns = c->runnable_ns = 0;
	}
	for (i = 0; i < b->nvictims; i++)
		b->victim[i] = (struct vml_load_victim){ .tid = b->victim[i].tid, .does = b->victim[i].does };
}

unsigned int vml_load_blocking_share(const struct vml_load *l)
{
	const struct vml_load_blocking *b = l->blocking;
	uint64_t most = 0;
	uint32_t i;

	for (i = 0; i < b->nvictims; i++)
		if (b->victim[i].covered_ns > most)
			most = b->victim[i].covered_ns;
	return b->culprit[0].call_ns ? most * 100 / b->culprit[0].call_ns : 0;
}

bool vml_load_rehearse_more(const struct vml_load *l, uint32_t round)
{
	return !round || (round < MAX_REHEARSALS && vml_load_blocking_share(l) < ENOUGH_SHARE);
}

int vml_load_blocking_check(struct vml_load *l, const char *why)
{
	const struct vml_load_culprit *c = &l->blocking->culprit[0];

	if (vml_load_blocking_share(l) >= ENOUGH_SHARE)
		return 0;
	if (!c->write && !l->options.writers)
		return vml_load_fail(l, -EINVAL, "a reader holds up nobody until there is a writer, and -w is 0");
	return vml_load_fail(l, -EOPNOTSUPP, "nobody waited for the %s in %s%s",
			     c->pid == getpid() ? "thread" : "other process", c->what, why);
}

/* ---- the culprit */

static uint64_t cpu_now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (uint64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

/* Time this thread was runnable and did not run; false when the kernel does not count it. */
static bool run_delay(const struct vml_load_culprit *c, uint64_t *ret_ns)
{
	char text[96], *at;
	ssize_t n = pread(c->schedstat, text, sizeof(text) - 1, 0);

	*ret_ns = 0;
	if (n <= 0)
		return false;
	text[n] = 0;
	/* time on CPU, run_delay, how often it got a CPU; "0 0 0" without CONFIG_SCHED_INFO */
	strtoull(text, &at, 10);
	*ret_ns = strtoull(at, &at, 10);
	return strtoull(at, NULL, 10);
}

void vml_load_culprit_is_me(struct vml_load_culprit *c, bool split)
{
	uint64_t now;

	c->pid = getpid();
	c->tid = syscall(SYS_gettid);
	if (split && c->schedstat < 0)
		c->schedstat = open("/proc/thread-self/schedstat", O_RDONLY | O_CLOEXEC);
	c->split = c->schedstat >= 0 && run_delay(c, &now);
}

void vml_load_culprit_leave(struct vml_load_culprit *c)
{
	if (c->schedstat >= 0)
		close(c->schedstat);
	c->schedstat = -1;
}

void vml_load_call_begin(struct vml_load_culprit *c)
{
	uint64_t total = atomic_load(&c->clock) >> 1;

	if (c->schedstat >= 0) {
		struct rusage ru;

		getrusage(RUSAGE_THREAD, &ru);
		c->start_faults = ru.ru_minflt + ru.ru_majflt;
	}
	if (c->split) {
		run_delay(c, &c->start_runnable_ns);
		c->start_cpu_ns = cpu_now();
	}
	c->start_ns = vml_now_mono();
	atomic_fetch_add(&c->calls, 1);
	atomic_store(&c->clock, (c->start_ns - total) << 1 | 1);
}

void vml_load_call_end(struct vml_load_culprit *c)
{
	uint64_t took = vml_now_mono() - c->start_ns, runnable;

	c->call_ns += took;
	atomic_store(&c->clock, c->call_ns << 1);
	atomic_fetch_add(&c->ended, 1);
	if (!c->split)
		return;
	c->cpu_ns += cpu_now() - c->start_cpu_ns;
	run_delay(c, &runnable);
	c->runnable_ns += runnable - c->start_runnable_ns;
}

uint64_t vml_load_sleeping_ns(const struct vml_load_culprit *c)
{
	uint64_t awake = c->cpu_ns + c->runnable_ns;

	return c->call_ns > awake ? c->call_ns - awake : 0;
}

static bool in_call(const struct vml_load_culprit *c)
{
	return atomic_load(&c->clock) & 1;
}

/* /proc/PID/task/TID/stat takes no mmap_lock; 0 when the thread is gone. */
static uint64_t faults_of(pid_t pid, pid_t tid)
{
	unsigned long minor = 0, major = 0;
	char path[64], text[512], *at;
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/task/%d/stat", pid, tid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return 0;
	n = read(fd, text, sizeof(text) - 1);
	close(fd);
	if (n <= 0)
		return 0;
	text[n] = 0;
	/* the name may have anything in it */
	at = strrchr(text, ')');
	if (!at || sscanf(at, ") %*c %*d %*d %*d %*d %*d %*u %lu %*u %lu", &minor, &major) != 2)
		return 0;
	return minor + major;
}

bool vml_load_call_is_under_way(const struct vml_load_culprit *c)
{
	return in_call(c) && faults_of(c->pid, c->tid) > c->start_faults && in_call(c);
}

void vml_load_pause(uint64_t ns)
{
	const struct timespec t = { .tv_sec = ns / 1000000000, .tv_nsec = ns % 1000000000 };

	nanosleep(&t, NULL);
}

/* ---- victims */

static uint64_t in_calls_until(const struct vml_load *l, uint64_t now)
{
	uint64_t clock;

	if (l->blocking->nculprits != 1)
		return 0;
	clock = atomic_load(&l->blocking->culprit[0].clock);
	/* it may have begun after @now was taken */
	if (clock & 1)
		return now > clock >> 1 ? now - (clock >> 1) : 0;
	return clock >> 1;
}

static long sleeps(void)
{
	struct rusage ru;

	getrusage(RUSAGE_THREAD, &ru);
	return ru.ru_nvcsw;
}

void vml_load_victim_step(struct vml_load_worker *w, const char *does, void (*step)(struct vml_load_worker *w))
{
	struct vml_load *l = w->load;
	struct vml_load_victim *v = &l->blocking->victim[w->index];
	uint64_t start, end, covered_from, covered_to, covered;
	long before = sleeps();

	v->does = does;
	if (!v->tid)
		v->tid = syscall(SYS_gettid);
	start = vml_now_mono();
	covered_from = in_calls_until(l, start);
	step(w);
	end = vml_now_mono();
	covered_to = in_calls_until(l, end);
	if (sleeps() == before)
		return;
	v->waits++;
	v->blocked_ns += end - start;
	if (end - start > v->longest_ns)
		v->longest_ns = end - start;
	covered = covered_to > covered_from ? covered_to - covered_from : 0;
	v->covered_ns += covered < end - start ? covered : end - start;
}

int vml_load_victims_open(struct vml_load *l)
{
	l->fd = open("/dev/zero", O_RDONLY | O_CLOEXEC);
	if (l->fd < 0)
		return vml_load_fail(l, -errno, "cannot open /dev/zero");
	return vml_load_map(l, "victims", (uint64_t)l->options.threads * VML_LOAD_VICTIM_PAGES, &l->rest);
}

void vml_load_victims_close(struct vml_load *l)
{
	vml_load_unmap(l, l->rest, (uint64_t)l->options.threads * VML_LOAD_VICTIM_PAGES);
	if (l->fd >= 0)
		close(l->fd);
	l->fd = -1;
}

void vml_load_victim_read(struct vml_load_worker *w)
{
	struct vml_load *l = w->load;
	size_t len = VML_LOAD_VICTIM_PAGES * l->page;
	uint8_t *mine = l->rest + w->index * len;
	uint64_t at = w->calls.read++ % VML_LOAD_VICTIM_PAGES;

	/* on old kernels this waits for mmap_lock too */
	if (!at)
		vml_load_drop(w, mine, len);
	if (read(l->fd, mine + at * l->page, 1) != 1)
		w->error = -errno;
	w->bytes += l->page;
}

void vml_load_victim(struct vml_load_worker *w, bool rehearsal)
{
	(void)rehearsal;
	vml_load_victim_step(w, "read", vml_load_victim_read);
	vml_load_pause(PAUSE_NS);
}

void vml_load_victim_map(struct vml_load_worker *w)
{
	size_t len = SCRATCH_PAGES * w->load->page;
	void *p = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED || munmap(p, len))
		w->error = -errno;
	w->calls.mmap++;
	w->calls.munmap++;
}

void vml_load_victim_change(struct vml_load_worker *w)
{
	vml_load_victim_step(w, "mmap, munmap", vml_load_victim_map);
	vml_load_pause(PAUSE_NS);
}
