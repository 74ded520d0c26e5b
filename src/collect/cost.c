// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * What the programs cost: the same faults and mmap/munmap pairs of this process, with
 * and without them, in rounds.  They are counted as what they are, faults of this process.
 *
 * A round is timed by the CPU time of the thread, so that who else runs matters little;
 * interrupts and cold caches only make a round longer, so the lower quartile is taken.
 *
 * What is left is the pace of the CPU: its clock, its sibling, its other guests make all of
 * a sample slower by half for a second, and the programs make a fault slower by a twentieth.
 * So a sample has its pace, by work that no hook sees.  Samples of one pace are compared as
 * they are; of different paces the one without programs is scaled to the pace of the other,
 * which is right within some percent of the whole, and the median of several is taken.
 */
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "collect.h"
#include "vmalock.skel.h"
#include "vmalock/base.h"

#define PAGES 64
/* Fewer: the programs make a pair slower by half, a fault by a twentieth, and somebody waits for the screen. */
#define PAIRS 24
#define ROUNDS 32
/* Times the hooks go and come back for one calibration, when they are in use. */
#define TURNS 5
/* Paces that differ by no more than this part are the same. */
#define SAME_PACE 0.02
/* Samples at the start, in the hope of one of the same pace. */
#define TRIES 4
/* While the costs are not known it is measured again after so long; then twice as long each time. */
#define SOON_NS 1000000000ULL

static uint64_t cpu_now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return t.tv_sec * 1000000000ULL + t.tv_nsec;
}

static double faults_round(char *area, size_t page)
{
	uint64_t start;

	madvise(area, PAGES * page, MADV_DONTNEED);
	start = cpu_now();
	for (size_t i = 0; i < PAGES; i++)
		((volatile char *)area)[i * page] = 1;
	return (double)(cpu_now() - start) / PAGES;
}

static double pairs_round(size_t page)
{
	uint64_t start = cpu_now();

	for (size_t i = 0; i < PAIRS; i++) {
		void *p = mmap(NULL, page, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

		if (p != MAP_FAILED)
			munmap(p, page);
	}
	return (double)(cpu_now() - start) / PAIRS;
}

/* A page through a pipe: the kernel allocates it, copies and frees it. */
static double pace_round(const int fd[2], char *page, size_t size)
{
	uint64_t start = cpu_now();

	for (size_t i = 0; i < PAGES; i++)
		if (write(fd[1], page, size) < 0 || read(fd[0], page, size) < 0)
			return 0;
	return (double)(cpu_now() - start) / PAGES;
}

static int compare(const void *a, const void *b)
{
	const double *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

static double lower_quartile(double *v, size_t n)
{
	qsort(v, n, sizeof(*v), compare);
	return v[n / 4];
}

int cost_measure(struct sample *ret, bool pairs)
{
	size_t page = sysconf(_SC_PAGESIZE), size = PAGES * page;
	double fault[ROUNDS], pair[ROUNDS], pace[ROUNDS];
	char *area;
	int fd[2];

	if (pipe2(fd, O_CLOEXEC | O_NONBLOCK))
		return -errno;
	area = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (area == MAP_FAILED) {
		close(fd[0]);
		close(fd[1]);
		return -ENOMEM;
	}
	madvise(area, size, MADV_NOHUGEPAGE);
	faults_round(area, page); /* page tables are there from now on */
	for (size_t i = 0; i < ROUNDS; i++) {
		fault[i] = faults_round(area, page);
		pace[i] = pace_round(fd, area, page);
		if (pairs)
			pair[i] = pairs_round(page);
	}
	munmap(area, size);
	close(fd[0]);
	close(fd[1]);
	ret->fault_ns = lower_quartile(fault, ROUNDS);
	ret->pace_ns = lower_quartile(pace, ROUNDS);
	ret->pair_ns = pairs ? lower_quartile(pair, ROUNDS) : 0;
	return 0;
}

static bool same_pace(const struct sample *a, const struct sample *b)
{
	return fabs(a->pace_ns - b->pace_ns) <= SAME_PACE * a->pace_ns;
}

/* What @without would have been at the pace of @with. */
static struct sample at_pace_of(const struct sample *with, const struct sample *without)
{
	double scale = same_pace(without, with) || !without->pace_ns ? 1 : with->pace_ns / without->pace_ns;

	return (struct sample){ without->fault_ns * scale, without->pair_ns * scale, with->pace_ns };
}

/* ---- in a process of its own */

struct apart_result {
	struct sample sample; /* the last */
	int err;
	uint32_t pid; /* as the host has it */
};

/* A byte each way is a turn; an end of file says that the other is gone. */
static bool turn(int fd)
{
	char c;
	ssize_t n;

	do
		n = read(fd, &c, 1);
	while (n < 0 && errno == EINTR);
	return n == 1;
}

/* The other may be gone: that is an error and no signal. */
static int send_turn(int fd)
{
	return send(fd, "", 1, MSG_NOSIGNAL) == 1 ? 0 : -errno;
}

static void measure_when_asked(struct apart_result *r, int fd)
{
	int err = pids_self(&r->pid);

	while (turn(fd)) {
		r->err = err ? err : cost_measure(&r->sample, true);
		if (send_turn(fd))
			break;
	}
	syscall(SYS_exit_group, 0); /* nothing of the program is to be flushed or undone */
}

int cost_apart_begin(struct apart *a)
{
	int pair[2], err;

	*a = (struct apart){ .fd = -1 };
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair))
		return -errno;
	a->result = mmap(NULL, sizeof(*a->result), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (a->result == MAP_FAILED)
		a->result = NULL;
	a->pid = a->result ? fork() : -1;
	if (!a->pid) {
		close(pair[0]);
		measure_when_asked(a->result, pair[1]);
	}
	err = a->pid < 0 ? -errno : 0;
	close(pair[1]);
	a->fd = pair[0];
	if (err)
		cost_apart_end(a);
	return err;
}

int cost_apart_measure(struct apart *a, struct sample *ret)
{
	if (send_turn(a->fd) || !turn(a->fd))
		return -ECHILD;
	*ret = a->result->sample;
	a->host_pid = a->result->pid;
	return a->result->err;
}

void cost_apart_end(struct apart *a)
{
	if (a->fd >= 0)
		close(a->fd);
	while (a->pid > 0 && waitpid(a->pid, NULL, 0) < 0 && errno == EINTR)
		;
	if (a->result)
		munmap(a->result, sizeof(*a->result));
	*a = (struct apart){ .fd = -1 };
}

/* ---- from samples to costs */

/* A program that costs nothing was not measured. */
static double more(double with, double without)
{
	return with > without ? with - without : 0;
}

struct search {
	uint32_t pid;
	uint64_t events;
};

static int each_process(void *arg, const void *key, const void *value)
{
	struct search *s = arg;

	if (((const struct vml_proc_key *)key)->pid == s->pid)
		s->events = ((const struct vml_proc_value *)value)->lock_events;
	return 0;
}

/* Asks @a with the programs, until the pace is that of the sample without.  Counts in @ret_n. */
static int measure_with(struct session *s, struct apart *a, struct sample *ret, uint64_t *ret_n)
{
	int err = cost_apart_measure(a, ret);

	for (*ret_n = 1; *ret_n < TRIES && !err && !same_pace(&s->cost.without, ret); ++*ret_n)
		err = cost_apart_measure(a, ret);
	return err;
}

/* When to measure again: soon, while the cost of a fault is not known; that of an event is of the start. */
static void plan(struct cost *c)
{
	c->known = c->more.fault_ns > 0 && c->event_ns > 0;
	if (c->known || !c->event_ns)
		c->soon_ns = 0;
	else
		c->soon_ns = c->soon_ns ? c->soon_ns * 2 : SOON_NS;
	c->again_ns = vml_now_mono() + (c->soon_ns && c->soon_ns < c->period_ns ? c->soon_ns : c->period_ns);
}

/* Compares @a with the programs and without, and ends it. */
static void compare_apart(struct session *s, struct apart *a)
{
	struct cost *c = &s->cost;
	struct search search = {};
	struct sample with = {}, without;
	uint64_t n, events;
	int err = measure_with(s, a, &with, &n);

	search.pid = a->host_pid;
	cost_apart_end(a); /* what it did is in its process now */
	if (!err)
		err = map_each(bpf_map__fd(s->skel->maps.processes), sizeof(struct vml_proc_key),
			       sizeof(struct vml_proc_value), each_process, &search);
	if (err)
		return;
	without = at_pace_of(&with, &c->without);
	/* of a pair: its start and end had some, too */
	events = (search.events + n * ROUNDS * PAIRS / 2) / (n * ROUNDS * PAIRS);
	c->more.pair_ns = more(with.pair_ns, without.pair_ns);
	c->event_ns = events ? c->more.pair_ns / events : 0;
	c->more.fault_ns = more(with.fault_ns, without.fault_ns);
}

void cost_first(struct session *s, struct apart *a)
{
	compare_apart(s, a);
	s->cost.times++;
	plan(&s->cost);
}

/* The median of TURNS times with the hooks on every fault away and back. False: they could not be. */
static bool fault_by_turns(struct session *s, double *ret)
{
	struct sample without, with;
	double cost[TURNS];

	for (size_t i = 0; i < TURNS; i++) {
		duty_detach(s);
		if (cost_measure(&without, false) || duty_attach(s) || cost_measure(&with, false))
			return false;
		cost[i] = with.fault_ns - at_pace_of(&with, &without).fault_ns;
	}
	qsort(cost, TURNS, sizeof(*cost), compare);
	*ret = cost[TURNS / 2];
	return true;
}

/* The hooks on every fault only: without those on mmap_lock, waits and holds would be torn. */
static void fault_again(struct session *s)
{
	bool attached = s->duty.attached, measured;
	double cost;

	if (duty_adopt(s))
		return;
	measured = fault_by_turns(s, &cost);
	if (attached)
		duty_attach(s);
	else
		duty_detach(s);
	if (!measured)
		return;
	s->cost.times++;
	if (cost > 0)
		s->cost.more.fault_ns = cost;
}

/* Events of mmap_lock are not measured again: a new process would take a lock of its own before anybody sees it. */
void cost_again(struct session *s)
{
	fault_again(s);
	plan(&s->cost);
}

/* ---- the kernel's statistics */

static int sum_stats(const struct session *s, uint64_t *ret_runs, uint64_t *ret_ns)
{
	struct bpf_program *p;

	*ret_runs = *ret_ns = 0;
	bpf_object__for_each_program(p, s->skel->obj) {
		struct bpf_prog_info info = {};
		__u32 len = sizeof(info);
		int fd = bpf_program__fd(p);

		if (fd < 0 || bpf_program__type(p) == BPF_PROG_TYPE_UNSPEC)
			continue;
		if (bpf_obj_get_info_by_fd(fd, &info, &len))
			return -errno;
		*ret_runs += info.run_cnt;
		*ret_ns += info.run_time_ns;
	}
	return 0;
}

int cost_stats(const struct session *s, struct vml_cost *ret)
{
	uint64_t end = vml_now_mono() + 1000000000ULL;
	int fd = bpf_enable_stats(BPF_STATS_RUN_TIME), err;
	struct sample sample;

	if (fd < 0)
		return fd == -EPERM || fd == -EACCES ? 0 : fd;
	do { /* something to see, also on an idle host */
		err = cost_measure(&sample, true);
		usleep(50000);
	} while (!err && vml_now_mono() < end);
	if (!err)
		err = sum_stats(s, &ret->stats_runs, &ret->stats_ns);
	close(fd);
	return err;
}
