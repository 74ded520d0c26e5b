// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * What each duty step adds to the worst case: a process that does nothing but fault in
 * one area.  It runs all the time; without a source and at each step in turn, so that
 * what else the host does falls on all of them.
 *
 * A host that does anything else is louder than a hook that is there for an eighth of
 * the time.  So the lower quartile of many short runs of faults is taken, without a
 * source, at duty 1 and at duty off; of the steps between, in which there are both kinds
 * of runs, the share of faults that the hooks saw, and that of what they add at duty 1.
 *
 * usage: duty [ROUNDS [SECONDS]]	rounds of all steps (4), seconds a step (2)
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "vmalock/base.h"
#include "vmalock/guard.h"
#include "vmalock/snapshot.h"
#include "vmalock/source.h"

#define PAGES 256
#define NONE VML_NDUTY_STEPS
#define OPENING (NONE + 1) /* neither with nor without */
#define PHASES (OPENING + 1)

#define SAMPLES 65536
/* What the process that faults says of each phase: of each of its runs, what a fault took. */
struct shared {
	volatile unsigned int phase;
	volatile uint32_t runs[PHASES];
	float fault_ns[PHASES][SAMPLES];
};

/* What the source says of a step, in all rounds. */
struct step {
	double hot_ns, full_ns; /* as in struct vml_self */
	double own; /* CPU time of this process, in seconds a second */
};

static uint64_t cpu_now(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	return t.tv_sec * 1000000000ULL + t.tv_nsec;
}

static void fault_for_ever(struct shared *s)
{
	size_t page = sysconf(_SC_PAGESIZE), size = PAGES * page;
	char *area = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	madvise(area, size, MADV_NOHUGEPAGE);
	for (;;) {
		unsigned int phase = s->phase;
		uint64_t start = cpu_now(CLOCK_THREAD_CPUTIME_ID);

		for (size_t i = 0; i < PAGES; i++)
			((volatile char *)area)[i * page] = 1;
		start = cpu_now(CLOCK_THREAD_CPUTIME_ID) - start;
		if (phase == s->phase) {
			s->fault_ns[phase][s->runs[phase] % SAMPLES] = (float)start / PAGES;
			s->runs[phase]++;
		}
		madvise(area, size, MADV_DONTNEED);
	}
}

/* Adds what @from has with @sign to @step. */
static int add_costs(struct vml_source *from, struct step *step, int sign)
{
	struct vml_snapshot *snapshot;
	int err = vml_source_next(from, &snapshot);

	if (err)
		return err;
	step->hot_ns += sign * (double)snapshot->self.bpf_hot_ns;
	step->full_ns += sign * (double)snapshot->self.bpf_full_ns;
	vml_snapshot_free(snapshot);
	return 0;
}

static int run_step(struct vml_source *src, struct shared *s, unsigned int phase, uint64_t ns, struct step *step)
{
	uint64_t end = vml_now_mono() + ns, own = cpu_now(CLOCK_PROCESS_CPUTIME_ID), now;
	int err = vml_source_set_duty(src, phase);

	if (!err)
		err = add_costs(src, step, -1);
	s->phase = phase;
	while (!err && (now = vml_now_mono()) < end) {
		int64_t due = vml_source_tick(src);

		usleep((due < (int64_t)(end - now) ? due : (int64_t)(end - now)) / 1000);
	}
	s->phase = OPENING;
	if (!err)
		err = add_costs(src, step, 1);
	step->own += (double)(cpu_now(CLOCK_PROCESS_CPUTIME_ID) - own) / ns;
	return err;
}

static int run_round(struct shared *s, uint64_t ns, struct step steps[PHASES], char error[VML_ERROR_MAX])
{
	struct vml_live_options o = { .guard = true };
	struct vml_source *src = NULL;
	int err;

	s->phase = NONE;
	usleep(ns / 1000);
	s->phase = OPENING;
	err = vml_live_open(&o, &src, error);
	for (unsigned int step = 0; !err && step < VML_NDUTY_STEPS; step++) {
		err = run_step(src, s, step, ns, &steps[step]);
		if (err)
			snprintf(error, VML_ERROR_MAX, "duty %s: %s", vml_duty_name(step), strerror(-err));
	}
	vml_source_close(src);
	return err;
}

static int compare(const void *a, const void *b)
{
	const float *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

static double lower_quartile(struct shared *s, unsigned int phase)
{
	uint32_t n = s->runs[phase] < SAMPLES ? s->runs[phase] : SAMPLES;

	qsort(s->fault_ns[phase], n, sizeof(float), compare);
	return n ? s->fault_ns[phase][n / 4] : 0;
}

/* Percent that a fault takes longer in @phase than without a source. */
static double added(struct shared *s, unsigned int phase, double bare_ns)
{
	return 100 * (lower_quartile(s, phase) / bare_ns - 1);
}

static void print(struct shared *s, const struct step *steps, int rounds)
{
	double bare = lower_quartile(s, NONE), full = added(s, VML_DUTY_FULL, bare), seen;

	printf("a fault without vmalock: %.0f ns\n\nduty   faults seen    added   own CPU\n", bare);
	for (unsigned int p = 0; p < VML_NDUTY_STEPS; p++) {
		seen = steps[p].full_ns > 0 ? steps[p].hot_ns / steps[p].full_ns : 0;
		printf("%-5s %11.2f %% %6.2f %% %7.2f %%\n", vml_duty_name(p), 100 * seen,
		       p == VML_DUTY_OFF ? added(s, p, bare) : seen * full, 100 * steps[p].own / rounds);
	}
}

int main(int argc, char **argv)
{
	int rounds = argc > 1 ? atoi(argv[1]) : 4, seconds = argc > 2 ? atoi(argv[2]) : 2, err = 0;
	struct shared *s = mmap(NULL, sizeof(*s), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	struct step steps[PHASES] = {};
	char error[VML_ERROR_MAX] = "";
	pid_t child;

	if (s == MAP_FAILED || rounds < 1 || seconds < 1) {
		fprintf(stderr, "usage: duty [ROUNDS [SECONDS]]\n");
		return 2;
	}
	child = fork();
	if (!child)
		fault_for_ever(s);
	for (int i = 0; i < rounds && !err; i++)
		err = run_round(s, seconds * 1000000000ULL, steps, error);
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
	if (err) {
		fprintf(stderr, "duty: %s\n", error);
		return 1;
	}
	print(s, steps, rounds);
	return 0;
}
