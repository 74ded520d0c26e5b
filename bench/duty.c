// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * What each duty step adds to the worst case: a process that does nothing but fault in
 * one area.  It runs all the time; without a source and at each step in turn, so that
 * what else the host does falls on all of them.
 *
 * A host that does anything else is louder than a hook that is there for an eighth of
 * the time, and has slower minutes and faster ones.  So the lower quartile of many short
 * runs of faults is taken, without a source, at duty 1 and at duty off, each is compared
 * with the one without a source just before it, and the median of all rounds is said,
 * with its quartiles for who wants to know whether this host resolves it.  Of the steps
 * between, in which there are both kinds of runs, it is the share of faults that the hooks
 * saw, and that of what they add at duty 1.
 *
 * usage: duty [ROUNDS [MS]]	rounds of all steps (10), milliseconds a step (2000)
 */
#include <errno.h>
#include <inttypes.h>
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

#define ROUNDS_MAX 1000
#define SAMPLES 65536
/* What the process that faults says of each phase: of each of its runs, what a fault took. */
struct shared {
	volatile unsigned int phase;
	volatile uint32_t runs[PHASES];
	double fault_ns[PHASES][SAMPLES];
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
			s->fault_ns[phase][s->runs[phase] % SAMPLES] = (double)start / PAGES;
			s->runs[phase]++;
		}
		madvise(area, size, MADV_DONTNEED);
	}
}

/* Of one round: what a fault takes without a source, and how many percent more at each step. */
struct round {
	double bare_ns;
	double added[VML_NDUTY_STEPS];
};

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

static int compare(const void *a, const void *b)
{
	const double *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

/* The value with @share of the @n values below it; sorts them. */
static double quantile(double *values, size_t n, double share)
{
	qsort(values, n, sizeof(*values), compare);
	return n ? values[(size_t)(share * (n - 1) + 0.5)] : 0;
}

/* What a fault took in @phase of this round, and forgets it. */
static double take_fault_ns(struct shared *s, unsigned int phase)
{
	uint32_t n = s->runs[phase] < SAMPLES ? s->runs[phase] : SAMPLES;

	s->runs[phase] = 0;
	return quantile(s->fault_ns[phase], n, 0.25);
}

static int run_round(struct shared *s, uint64_t ns, struct step steps[VML_NDUTY_STEPS], struct round *r,
		     char error[VML_ERROR_MAX])
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
	/* the process is in OPENING, and writes no more of the others */
	r->bare_ns = take_fault_ns(s, NONE);
	for (unsigned int step = 0; !err && step < VML_NDUTY_STEPS; step++) {
		double fault_ns = take_fault_ns(s, step);

		if (r->bare_ns <= 0 || fault_ns <= 0) {
			snprintf(error, VML_ERROR_MAX, "no run of faults in %" PRIu64 " ms", ns / 1000000);
			err = -ETIME;
		}
		r->added[step] = 100 * (fault_ns / r->bare_ns - 1);
	}
	return err;
}

static void print(struct round *rounds, int n, const struct step *steps)
{
	double bare[ROUNDS_MAX], full[ROUNDS_MAX], off[ROUNDS_MAX], seen;

	for (int i = 0; i < n; i++) {
		bare[i] = rounds[i].bare_ns;
		full[i] = rounds[i].added[VML_DUTY_FULL];
		off[i] = rounds[i].added[VML_DUTY_OFF];
	}
	printf("a fault without vmalock: %.0f ns\n\nduty   faults seen    added (quartiles)        own CPU\n",
	       quantile(bare, n, 0.5));
	for (unsigned int p = 0; p < VML_NDUTY_STEPS; p++) {
		double *of = p == VML_DUTY_OFF ? off : full;

		seen = steps[p].full_ns > 0 ? steps[p].hot_ns / steps[p].full_ns : 0;
		double share = p == VML_DUTY_OFF ? 1 : seen;

		printf("%-5s %11.2f %% %6.2f %% %6.2f .. %5.2f %% %7.2f %%\n", vml_duty_name(p), 100 * seen,
		       share * quantile(of, n, 0.5), share * quantile(of, n, 0.25), share * quantile(of, n, 0.75),
		       100 * steps[p].own / n);
	}
}

int main(int argc, char **argv)
{
	int rounds = argc > 1 ? atoi(argv[1]) : 10, ms = argc > 2 ? atoi(argv[2]) : 2000, err = 0;
	struct shared *s = mmap(NULL, sizeof(*s), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	struct step steps[VML_NDUTY_STEPS] = {};
	struct round of[ROUNDS_MAX];
	char error[VML_ERROR_MAX] = "";
	pid_t child;

	if (s == MAP_FAILED || rounds < 1 || rounds > ROUNDS_MAX || ms < 1) {
		fprintf(stderr, "usage: duty [ROUNDS [MS]]	at most %d rounds\n", ROUNDS_MAX);
		return 2;
	}
	child = fork();
	if (!child)
		fault_for_ever(s);
	for (int i = 0; i < rounds && !err; i++)
		err = run_round(s, ms * 1000000ULL, steps, &of[i], error);
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
	if (err) {
		fprintf(stderr, "duty: %s\n", error);
		return 1;
	}
	print(of, rounds, steps);
	return 0;
}
