/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What an observer adds to a page fault, and to a pair of mmap(2) and munmap(2).
 *
 * One process on one CPU faults in 4 KiB anonymous pages, and maps and unmaps one
 * (nobody else wants the lock), in rounds: without an observer, with one, without, with the next, and so on.  What an observer
 * adds in a round is its time less the mean of the rounds without one just
 * before and after it, so that a machine that gets slower or faster does not
 * count.  Printed are medians over the rounds.  No time is judged here.
 */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "empty.skel.h"
#include "vmalock/base.h"
#include "vmalock/snapshot.h"
#include "vmalock/source.h"

#define PAGES 512 /* faulted in between two madvise() calls: few enough to stay in the caches */
#define MAX_ROUNDS 1000
#define MAX_PASSES 2048

enum { ONE_VMA, MANY_VMAS, PAIR, NWORKLOADS };
enum { EMPTY, VMALOCK, BPFTRACE, NOBSERVERS };

static const char *const observer_names[NOBSERVERS] = { "empty", "vmalock", "bpftrace" };
static const char *const workload_names[NWORKLOADS] = { "one_vma", "many_vmas", "mmap_munmap" };

struct series {
	double v[NOBSERVERS * MAX_ROUNDS];
	int n;
};

struct bench {
	/* asked for */
	int rounds, faults, vmas, cpu;
	const char *script, *json;
	/* state */
	double busy; /* load average at the start */
	int others; /* BPF programs that were on the fault tracepoint before us */
	unsigned char *region[PAIR];
	cpu_set_t all_cpus;
	struct empty *empty;
	struct vml_source *source;
	pid_t bpftrace;
	int bpftrace_out;
	/* results */
	struct series bare[NWORKLOADS], added[NOBSERVERS][NWORKLOADS];
	char error[NOBSERVERS][VML_ERROR_MAX]; /* why there is no result */
	long missed[NOBSERVERS]; /* faults an observer should have counted and did not; -1: does not count */
};

/* ---- samples */

static void series_add(struct series *s, double v)
{
	if (s->n < (int)VML_ARRAY_SIZE(s->v))
		s->v[s->n++] = v;
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

/* After sorting; @q of 0.5 is the median. */
static double quantile(struct series *s, double q)
{
	double at = q * (s->n - 1), part = at - (int)at;
	int i = (int)at;

	qsort(s->v, s->n, sizeof(s->v[0]), compare);
	return i + 1 < s->n ? s->v[i] * (1 - part) + s->v[i + 1] * part : s->v[i];
}

static double median(struct series *s)
{
	return quantile(s, 0.5);
}

/* ---- the faults */

/* @vmas neighbours that cannot merge, as every other one has another flag. */
static unsigned char *map_region(int vmas)
{
	size_t size = (size_t)PAGES * 4096, part = size / vmas;
	unsigned char *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED || madvise(p, size, MADV_NOHUGEPAGE))
		return NULL;
	for (int i = 0; vmas > 1 && i < vmas; i += 2)
		if (madvise(p + i * part, part, MADV_DONTDUMP))
			return NULL;
	return p;
}

/* Time of this thread alone: what other programs do on the CPU does not count. */
static double cpu_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return t.tv_sec * 1e9 + t.tv_nsec;
}

/* Each page once; each fault in another VMA than the one before.  Returns ns of a fault. */
static double touch(unsigned char *p, int vmas)
{
	size_t part = (size_t)PAGES / vmas * 4096;
	double start = cpu_ns(), ns;

	for (size_t page = 0; page < part; page += 4096)
		for (int v = 0; v < vmas; v++)
			*(volatile unsigned char *)(p + v * part + page) = 1;
	ns = (cpu_ns() - start) / PAGES;
	madvise(p, (size_t)PAGES * 4096, MADV_DONTNEED);
	return ns;
}

/* Returns ns of mmap(2) and munmap(2) of a page that is never touched. */
static double map_and_unmap(void)
{
	double start = cpu_ns();

	for (int i = 0; i < PAGES; i++)
		munmap(mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), 4096);
	return (cpu_ns() - start) / PAGES;
}

/* ns of one, the median of the passes of a round; *made grows by the faults. */
static double measure(const struct bench *b, int workload, long *made)
{
	unsigned char *p = workload == PAIR ? NULL : b->region[workload];
	int vmas = workload == ONE_VMA ? 1 : b->vmas;
	struct series pass = { .n = 0 };

	if (workload == PAIR) {
		map_and_unmap();
		for (int n = 0; n < b->faults; n += PAGES)
			series_add(&pass, map_and_unmap());
		return median(&pass);
	}

	touch(p, vmas); /* warms caches and the observer's maps, not timed */
	for (int n = 0; n < b->faults; n += PAGES)
		series_add(&pass, touch(p, vmas));
	*made += b->faults + PAGES;
	return median(&pass);
}

/* Each touched page must be one fault, or the numbers mean something else. */
static bool one_fault_a_page(struct bench *b)
{
	struct rusage before, after;
	long made = 0;

	getrusage(RUSAGE_SELF, &before);
	for (int w = 0; w < NWORKLOADS; w++)
		measure(b, w, &made);
	getrusage(RUSAGE_SELF, &after);
	made -= after.ru_minflt - before.ru_minflt;
	return labs(made) < 100;
}

/* ---- the observers: on() returns 0 or leaves a reason; off() the faults it counted, -1: it does not count */

static int empty_on(struct bench *b, char *error)
{
	int err;

	b->empty = empty__open_and_load();
	if (!b->empty) {
		snprintf(error, VML_ERROR_MAX, "cannot load a program: %s", strerror(errno));
		return -errno;
	}
	err = empty__attach(b->empty);
	if (err)
		snprintf(error, VML_ERROR_MAX, "cannot attach: %s", strerror(-err));
	return err;
}

static long empty_off(struct bench *b)
{
	empty__destroy(b->empty);
	b->empty = NULL;
	return -1;
}

static int vmalock_on(struct bench *b, char *error)
{
	struct vml_live_options o = { 0 };

	return vml_live_open(&o, &b->source, error);
}

static long vmalock_off(struct bench *b)
{
	struct vml_snapshot *s = NULL;
	long counted = 0;

	if (b->source && !vml_source_next(b->source, &s)) {
		for (size_t i = 0; i < s->rows[VML_THREAD].n; i++)
			if (s->rows[VML_THREAD].row[i].id.tid == (uint32_t)gettid())
				counted += s->rows[VML_THREAD].row[i].value[VML_FAULTS_USER];
		vml_snapshot_free(s);
	}
	vml_source_close(b->source);
	b->source = NULL;
	return counted;
}

static void bpftrace_exec(const struct bench *b, int out)
{
	int null = open("/dev/null", O_WRONLY);

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	sched_setaffinity(0, sizeof(b->all_cpus), &b->all_cpus);
	/* a private tracefs where the host has not mounted one */
	if (access("/sys/kernel/tracing/events", F_OK) && !unshare(CLONE_NEWNS) &&
	    !mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL))
		mount("tracefs", "/sys/kernel/tracing", "tracefs", 0, NULL);
	dup2(out, STDOUT_FILENO);
	dup2(null, STDERR_FILENO);
	execlp("bpftrace", "bpftrace", "-B", "line", b->script, NULL);
	_exit(127);
}

/* Reads until both ends of the script are attached; false when that did not happen. */
static bool bpftrace_attached(struct bench *b)
{
	char buf[4096];
	size_t n = 0;
	ssize_t got;
	struct pollfd p = { .fd = b->bpftrace_out, .events = POLLIN };

	while (n < sizeof(buf) - 1 && poll(&p, 1, 30000) > 0) {
		got = read(p.fd, buf + n, sizeof(buf) - 1 - n);
		if (got <= 0)
			return false;
		n += got;
		buf[n] = 0;
		if (strstr(buf, "attached first\n") && strstr(buf, "attached last\n"))
			return true;
	}
	return false;
}

static int bpftrace_on(struct bench *b, char *error)
{
	int fd[2];

	if (pipe2(fd, O_CLOEXEC)) {
		snprintf(error, VML_ERROR_MAX, "pipe: %s", strerror(errno));
		return -errno;
	}
	b->bpftrace_out = fd[0];
	b->bpftrace = fork();
	if (b->bpftrace == 0)
		bpftrace_exec(b, fd[1]);
	close(fd[1]);
	if (!bpftrace_attached(b)) {
		snprintf(error, VML_ERROR_MAX, "bpftrace %s did not attach: is it installed? (run it by hand)",
			 b->script);
		return -ENOENT;
	}
	return 0;
}

/* At SIGINT it prints its maps: "@faults[TID]: COUNT". */
static long bpftrace_off(struct bench *b)
{
	FILE *out = fdopen(b->bpftrace_out, "r");
	long counted = 0, n;
	char *line = NULL;
	size_t size = 0;
	int tid;

	if (b->bpftrace > 0)
		kill(b->bpftrace, SIGINT);
	while (out && getline(&line, &size, out) > 0)
		if (sscanf(line, "@faults[%d]: %ld", &tid, &n) == 2 && tid == gettid())
			counted = n;
	free(line);
	if (out)
		fclose(out);
	if (b->bpftrace > 0)
		waitpid(b->bpftrace, NULL, 0);
	b->bpftrace = 0;
	return counted;
}

static const struct observer {
	int every; /* how many rounds: bpftrace takes long to start */
	int workloads; /* the first so many are comparable: the script does not look at mmap_lock */
	int (*on)(struct bench *b, char *error);
	long (*off)(struct bench *b);
} observers[NOBSERVERS] = {
	[EMPTY] = { .every = 1, .workloads = NWORKLOADS, .on = empty_on, .off = empty_off },
	[VMALOCK] = { .every = 1, .workloads = NWORKLOADS, .on = vmalock_on, .off = vmalock_off },
	[BPFTRACE] = { .every = 4, .workloads = PAIR, .on = bpftrace_on, .off = bpftrace_off },
};

/* ---- rounds */

/* Without, with observer @o, without; *before is of the first and becomes that of the last. */
static void observe(struct bench *b, int o, double before[NWORKLOADS])
{
	double with[NWORKLOADS], after;
	long made = 0, none = 0, counted;

	if (b->error[o][0])
		return;
	if (observers[o].on(b, b->error[o])) {
		observers[o].off(b);
		return;
	}
	for (int w = 0; w < NWORKLOADS; w++)
		with[w] = measure(b, w, &made);
	counted = observers[o].off(b);
	if (counted < 0)
		b->missed[o] = -1;
	else if (counted < made)
		b->missed[o] += made - counted;
	for (int w = 0; w < NWORKLOADS; w++) {
		after = measure(b, w, &none);
		series_add(&b->bare[w], after);
		if (w < observers[o].workloads)
			series_add(&b->added[o][w], with[w] - (before[w] + after) / 2);
		before[w] = after;
	}
}

static void run(struct bench *b)
{
	double before[NWORKLOADS];
	long none = 0;

	for (int w = 0; w < NWORKLOADS; w++)
		before[w] = measure(b, w, &none);
	for (int r = 0; r < b->rounds; r++) {
		for (int i = 0; i < NOBSERVERS; i++) {
			int o = (r + i) % NOBSERVERS;

			if (r % observers[o].every == 0)
				observe(b, o, before);
		}
		if (isatty(STDERR_FILENO))
			fprintf(stderr, "\rround %d of %d%s", r + 1, b->rounds, r + 1 == b->rounds ? "\n" : "");
	}
}

/* ---- results */

static void print_row(const char *name, struct series s[NWORKLOADS])
{
	printf("%-22s", name);
	for (int w = 0; w < NWORKLOADS; w++) {
		char quartiles[64] = "";

		if (s[w].n)
			snprintf(quartiles, sizeof(quartiles), "%.0f (%.0f..%.0f)", median(&s[w]),
				 quantile(&s[w], 0.25), quantile(&s[w], 0.75));
		printf("  %-22s", s[w].n ? quartiles : "-");
	}
	putchar('\n');
}

static void print_ratio(struct bench *b, const char *name, int over)
{
	printf("%-22s", name);
	for (int w = 0; w < NWORKLOADS; w++) {
		struct series *x = &b->added[VMALOCK][w], *y = &b->added[over][w];

		if (x->n && y->n && median(y) >= 1)
			printf("  %-22.2f", median(x) / median(y));
		else
			printf("  %-22s", "-");
	}
	putchar('\n');
}

static void print_table(struct bench *b, const struct utsname *u)
{
	printf("ns per 4 KiB anonymous fault, or pair of calls: median (quartiles) of %d rounds of %d, CPU %d, %s %s\n\n",
	       b->rounds, b->faults, b->cpu, u->release, u->machine);
	printf("%-22s  %-22s  %-22s  %-22s\n", "", "one VMA", "changing among many", "mmap and munmap");
	print_row("without", b->bare);
	print_row("added by empty program", b->added[EMPTY]);
	print_row("added by vmalock", b->added[VMALOCK]);
	print_row("added by bpftrace", b->added[BPFTRACE]);
	print_ratio(b, "vmalock / empty", EMPTY);
	print_ratio(b, "vmalock / bpftrace", BPFTRACE);
	for (int o = 0; o < NOBSERVERS; o++) {
		if (b->error[o][0])
			printf("%s: %s\n", observer_names[o], b->error[o]);
		if (b->missed[o] > 0)
			printf("%s: did not count %ld of the faults\n", observer_names[o], b->missed[o]);
	}
}

/* One object; what was not measured is absent. */
static void print_json(FILE *f, struct bench *b, const struct utsname *u)
{
	fprintf(f,
		"{\"kernel\": \"%s\", \"machine\": \"%s\", \"cpu\": %d, \"rounds\": %d, \"faults\": %d, \"vmas\": %d",
		u->release, u->machine, b->cpu, b->rounds, b->faults, b->vmas);
	for (int w = 0; w < NWORKLOADS; w++) {
		fprintf(f, ", \"%s\": {\"bare_ns\": %.1f", workload_names[w], median(&b->bare[w]));
		for (int o = 0; o < NOBSERVERS; o++)
			if (b->added[o][w].n)
				fprintf(f, ", \"%s_added_ns\": %.1f", observer_names[o], median(&b->added[o][w]));
		for (int o = 0; o < NOBSERVERS; o++)
			if (o != VMALOCK && b->added[o][w].n && b->added[VMALOCK][w].n && median(&b->added[o][w]) >= 1)
				fprintf(f, ", \"vmalock_per_%s\": %.3f", observer_names[o],
					median(&b->added[VMALOCK][w]) / median(&b->added[o][w]));
		fputc('}', f);
	}
	for (int o = 0; o < NOBSERVERS; o++)
		if (!b->error[o][0] && b->missed[o] >= 0)
			fprintf(f, ", \"%s_missed_faults\": %ld", observer_names[o], b->missed[o]);
	fputs("}\n", f);
}

static int print_results(struct bench *b)
{
	struct utsname u;
	FILE *f;

	uname(&u);
	if (b->busy > 0.5)
		fprintf(stderr, "hotpath: other programs were running (load %.1f): the numbers are rough\n", b->busy);
	if (b->others)
		fprintf(stderr, "hotpath: %d other BPF programs are on page_fault_user: they are in all numbers\n",
			b->others);
	if (!b->json || strcmp(b->json, "-"))
		print_table(b, &u);
	if (!b->json)
		return 0;
	f = strcmp(b->json, "-") ? fopen(b->json, "w") : stdout;
	if (!f) {
		fprintf(stderr, "hotpath: cannot write %s: %s\n", b->json, strerror(errno));
		return 1;
	}
	print_json(f, b, &u);
	return f != stdout && fclose(f) ? 1 : 0;
}

/* ---- start */

/* Programs of others on the fault tracepoint: they are in every number. */
static int other_observers(void)
{
	char name[64];
	__u32 id = 0;
	int n = 0;

	while (!bpf_link_get_next_id(id, &id)) {
		struct bpf_link_info info = { .raw_tracepoint = { .tp_name = (uintptr_t)name,
								  .tp_name_len = sizeof(name) } };
		__u32 len = sizeof(info);
		int fd = bpf_link_get_fd_by_id(id);

		if (fd < 0)
			continue;
		if (!bpf_obj_get_info_by_fd(fd, &info, &len) && info.type == BPF_LINK_TYPE_RAW_TRACEPOINT &&
		    !strcmp(name, "page_fault_user"))
			n++;
		close(fd);
	}
	return n;
}

static const char usage[] =
	"usage: hotpath [--rounds N] [--faults N] [--vmas N] [--cpu N] [--script FILE] [--json FILE]\n"
	"Prints what vmalock, an empty BPF program and a bpftrace script add to a page fault,\n"
	"and to a pair of mmap and munmap.\n"
	"  --rounds N     with and without each observer, of bpftrace a quarter (60)\n"
	"  --faults N     in each round (32768)\n"
	"  --vmas N       a power of two, among which faults change (256)\n"
	"  --cpu N        where to run (the last one)\n"
	"  --script FILE  of bpftrace (bench/hotpath.bt)\n"
	"  --json FILE    the same numbers as one JSON object; - prints only that\n";

static bool parse(int argc, char **argv, struct bench *b)
{
	static const struct option options[] = {
		{ "rounds", required_argument, NULL, 'r' }, { "faults", required_argument, NULL, 'f' },
		{ "vmas", required_argument, NULL, 'v' },   { "cpu", required_argument, NULL, 'c' },
		{ "script", required_argument, NULL, 's' }, { "json", required_argument, NULL, 'j' },
		{ "help", no_argument, NULL, 'h' },	    { NULL, 0, NULL, 0 },
	};
	uint32_t n;
	int c;

	while ((c = getopt_long(argc, argv, "h", options, NULL)) != -1) {
		if (c == 's') {
			b->script = optarg;
		} else if (c == 'j') {
			b->json = optarg;
		} else if (c == 'r' && !vml_parse_u32(optarg, 1, MAX_ROUNDS, &n)) {
			b->rounds = n;
		} else if (c == 'f' && !vml_parse_u32(optarg, PAGES, PAGES * MAX_PASSES, &n)) {
			b->faults = n / PAGES * PAGES;
		} else if (c == 'v' && !vml_parse_u32(optarg, 2, PAGES, &n) && !(n & (n - 1))) {
			b->vmas = n;
		} else if (c == 'c' && !vml_parse_u32(optarg, 0, CPU_SETSIZE - 1, &n)) {
			b->cpu = n;
		} else {
			return false;
		}
	}
	return optind == argc;
}

static int setup(struct bench *b)
{
	cpu_set_t one;

	libbpf_set_print(NULL);
	getloadavg(&b->busy, 1);
	b->others = other_observers();
	sched_getaffinity(0, sizeof(b->all_cpus), &b->all_cpus);
	if (b->cpu < 0)
		for (int i = 0; i < CPU_SETSIZE; i++)
			if (CPU_ISSET(i, &b->all_cpus))
				b->cpu = i;
	CPU_ZERO(&one);
	CPU_SET(b->cpu, &one);
	if (sched_setaffinity(0, sizeof(one), &one)) {
		fprintf(stderr, "hotpath: cannot run on CPU %d: %s\n", b->cpu, strerror(errno));
		return -1;
	}
	b->region[ONE_VMA] = map_region(1);
	b->region[MANY_VMAS] = map_region(b->vmas);
	if (!b->region[ONE_VMA] || !b->region[MANY_VMAS]) {
		fprintf(stderr, "hotpath: cannot map memory: %s\n", strerror(errno));
		return -1;
	}
	if (!one_fault_a_page(b)) {
		fprintf(stderr, "hotpath: touching a page is not one fault here; nothing can be measured\n");
		return -1;
	}
	return 0;
}

int main(int argc, char **argv)
{
	static struct bench b = {
		.rounds = 60, .faults = 64 * PAGES, .vmas = 256, .cpu = -1, .script = "bench/hotpath.bt"
	};

	if (!parse(argc, argv, &b)) {
		fputs(usage, stderr);
		return 2;
	}
	if (setup(&b))
		return 1;
	run(&b);
	return print_results(&b);
}
