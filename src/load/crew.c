// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Threads that rehearse, park, work and park again.  They are held by futexes
 * in memory that is there, so waiting and waking neither fault nor pin pages.
 */
#include <errno.h>
#include <limits.h>
#include <linux/futex.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "culprit.h"
#include "load.h"

enum { PHASE_REHEARSE, PHASE_WORK, PHASE_LEAVE };

static void futex_wait(_Atomic uint32_t *word, uint32_t value)
{
	syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, value, NULL);
}

static void futex_wake_all(_Atomic uint32_t *word)
{
	syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, INT_MAX);
}

static void wait_for(_Atomic uint32_t *word, uint32_t at_least)
{
	uint32_t v;

	while ((v = atomic_load(word)) < at_least)
		futex_wait(word, v);
}

static void arrive(_Atomic uint32_t *count, uint32_t all)
{
	if (atomic_fetch_add(count, 1) + 1 == all)
		futex_wake_all(count);
}

static void set_phase(struct vml_load *l, uint32_t phase)
{
	atomic_store(&l->phase, phase);
	futex_wake_all(&l->phase);
}

/* Who does something again and again: until when. */
static bool goes_on(const struct vml_load *l, bool rehearsal)
{
	if (l->scenario->hold)
		return !atomic_load(&l->held_out);
	return !rehearsal && atomic_load(&l->faulters);
}

/* One thread holds, the others do a step at a time until it is done. */
static void work_beside_holder(struct vml_load_worker *w, bool rehearsal)
{
	struct vml_load *l = w->load;

	if (w->index + 1 == l->crew) {
		l->scenario->hold(w, rehearsal);
		atomic_store(&l->held_out, true);
		return;
	}
	while (!w->error && goes_on(l, rehearsal))
		if (w->index < l->options.threads)
			l->scenario->body(w, rehearsal);
		else
			l->scenario->change(w);
}

static void work(struct vml_load_worker *w, bool rehearsal)
{
	struct vml_load *l = w->load;

	if (l->scenario->hold) {
		if (rehearsal || l->options.rounds)
			work_beside_holder(w, rehearsal);
		return;
	}
	if (w->index < l->options.threads) {
		l->scenario->body(w, rehearsal);
		if (!rehearsal)
			atomic_fetch_sub(&l->faulters, 1);
		return;
	}
	/* --rounds 0 means that nothing happens */
	if (!rehearsal && !l->options.rounds)
		return;
	do
		l->scenario->change(w);
	while (!w->error && goes_on(l, rehearsal));
}

static void *worker_main(void *arg)
{
	struct vml_load_worker *w = arg;
	struct vml_load *l = w->load;

	work(w, true);
	w->calls = (struct vml_load_calls){ 0 };
	memset(w->did, 0, sizeof(w->did));
	w->bytes = 0;
	/* another thread may have forked: its page is ours before futex(2) sets it */
	errno = 0;
	arrive(&l->parked, l->crew);
	wait_for(&l->phase, PHASE_WORK);
	if (atomic_load(&l->phase) == PHASE_WORK) {
		work(w, false);
		arrive(&l->finished, l->crew);
		wait_for(&l->phase, PHASE_LEAVE);
	}
	return NULL;
}

int vml_load_allow_threads(struct vml_load *l, uint32_t n)
{
	rlim_t want = (rlim_t)n + 64;
	struct rlimit r;

	if (getrlimit(RLIMIT_NPROC, &r) || r.rlim_cur == RLIM_INFINITY || r.rlim_cur >= want)
		return 0;
	r.rlim_cur = r.rlim_max == RLIM_INFINITY || r.rlim_max >= want ? want : r.rlim_max;
	setrlimit(RLIMIT_NPROC, &r);
	/* the limit does not bind root */
	if (r.rlim_cur < want && geteuid() != 0)
		return vml_load_fail(l, -EAGAIN, "%u threads are above the limit of processes, %llu (ulimit -u)", n,
				     (unsigned long long)r.rlim_cur);
	return 0;
}

int vml_load_stacks_map(struct vml_load *l, uint32_t n)
{
	size_t len = n * VML_LOAD_STACK;
	void *p;

	/* one VMA for all: 10,000 stacks with guard pages are 20,000 of at most 65,530 */
	p = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_STACK, -1, 0);
	if (p == MAP_FAILED)
		return vml_load_fail(l, -errno, "cannot map %u stacks", n);
	madvise(p, len, MADV_NOHUGEPAGE);
	l->stacks = p;
	l->stacks_len = len;
	return 0;
}

void vml_load_stacks_unmap(struct vml_load *l)
{
	if (l->stacks)
		munmap(l->stacks, l->stacks_len);
	l->stacks = NULL;
}

int vml_load_stack_use(struct vml_load *l, uint32_t i, pthread_attr_t *attr)
{
	return -pthread_attr_setstack(attr, l->stacks + i * VML_LOAD_STACK, VML_LOAD_STACK);
}

static int create_all(struct vml_load *l)
{
	pthread_attr_t attr;
	int err;

	err = -pthread_attr_init(&attr);
	if (err)
		return vml_load_fail(l, err, "cannot prepare threads");
	while (!err && l->created < l->crew) {
		struct vml_load_worker *w = &l->worker[l->created];

		*w = (struct vml_load_worker){ .load = l, .index = l->created };
		err = vml_load_stack_use(l, l->created, &attr);
		if (!err)
			err = -pthread_create(&w->thread, &attr, worker_main, w);
		if (err)
			vml_load_fail(l, err, "cannot create thread %u of %u (ulimit -u, pids.max, kernel.threads-max)",
				      l->created + 1, l->crew);
		else
			l->created++;
	}
	pthread_attr_destroy(&attr);
	return err;
}

/* The first error of a body, which has no way to print. */
static int crew_error(struct vml_load *l)
{
	uint32_t i;

	for (i = 0; i < l->crew; i++)
		if (l->worker[i].error)
			return vml_load_fail(l, l->worker[i].error, "thread %u failed", i);
	return 0;
}

static int start_threads(struct vml_load *l, uint32_t n)
{
	int err;

	l->crew = n;
	if (!n)
		return 0;
	err = vml_load_allow_threads(l, n);
	if (err)
		return err;
	l->worker = calloc(n, sizeof(*l->worker));
	if (!l->worker)
		return vml_load_fail(l, -ENOMEM, "cannot keep %u threads", n);
	err = vml_load_stacks_map(l, n);
	if (!err)
		err = create_all(l);
	if (err)
		return err;
	wait_for(&l->parked, n);
	return crew_error(l);
}

int vml_load_crew_start(struct vml_load *l)
{
	int err;

	l->deadline_ns = UINT64_MAX;
	atomic_store(&l->faulters, l->options.threads);
	err = l->scenario->open(l);
	if (!err)
		err = start_threads(l, l->options.threads + (l->scenario->change ? l->options.writers : 0) +
					       (l->scenario->hold ? 1 : 0));
	if (!err && l->scenario->check)
		err = l->scenario->check(l);
	if (!err && l->blocking)
		vml_load_blocking_reset(l);
	return err;
}

void vml_load_crew_go(struct vml_load *l)
{
	atomic_store(&l->held_out, false);
	set_phase(l, PHASE_WORK);
}

int vml_load_crew_sum(struct vml_load *l)
{
	uint32_t i, k;

	for (i = 0; i < l->crew; i++) {
		const struct vml_load_worker *w = &l->worker[i];

#define X(name) l->calls.name += w->calls.name;
		VML_LOAD_CALLS(X)
#undef X
		for (k = 0; k < VML_DID_COUNT; k++)
			l->did[k] += w->did[k];
		l->bytes += w->bytes;
	}
	return crew_error(l);
}

void vml_load_crew_wait(struct vml_load *l)
{
	wait_for(&l->finished, l->crew);
}

void vml_load_crew_stop(struct vml_load *l)
{
	uint32_t i;

	/* when not all could be created, nobody ends the rehearsal */
	atomic_store(&l->held_out, true);
	set_phase(l, PHASE_LEAVE);
	for (i = 0; i < l->created; i++)
		pthread_join(l->worker[i].thread, NULL);
	vml_load_stacks_unmap(l);
	free(l->worker);
	l->worker = NULL;
	l->created = l->crew = 0;
	l->scenario->close(l);
}

int vml_load_crew_run(struct vml_load *l)
{
	int err, e;

	err = vml_load_crew_start(l);
	if (!err) {
		/* what main does at the edges, once before it counts */
		futex_wake_all(&l->finished);
		wait_for(&l->finished, 0);
		err = vml_load_begin(l);
	}
	if (!err) {
		vml_load_crew_go(l);
		vml_load_crew_wait(l);
		err = vml_load_end(l);
		e = vml_load_crew_sum(l);
		err = err ? err : e;
	}
	vml_load_crew_stop(l);
	return err;
}
