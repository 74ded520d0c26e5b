/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What an observer adds to a page fault, and to a pair of mmap(2) and munmap(2).
 *
 * One process on one CPU faults in 4 KiB anonymous pages, and maps and unmaps one
 * (nobody else wants the lock), in rounds: without an observer, with one, without, with
 * the next, and so on.  What an observer adds in a round is its time less the mean of the
 * rounds without one just before and after it, so that a machine that gets slower or
 * faster does not count.  No time is judged here.
 *
 * Prints one JSON object; NS is {"one_vma": [..], "many_vmas": [..], "mmap_munmap": [..]},
 * the median of each round:
 *
 *	rounds, faults, vmas, cpu	as asked for
 *	others		BPF programs of others on the fault tracepoint: they are in every number
 *	bare_ns		NS without an observer
 *	observers[]	name, kind ("floor": programs that do nothing; "vmalock"; "tool") and
 *		added_ns	NS
 *		missed_faults	that it should have counted; absent: it does not say
 *		said		by a tool, at its end
 *		why		there is no result
 */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <jansson.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "empty.skel.h"
#include "idle.skel.h"
#include "vmalock/base.h"
#include "vmalock/snapshot.h"
#include "vmalock/source.h"

#define PAGES 512 /* faulted in between two madvise() calls: few enough to stay in the caches */
#define MAX_ROUNDS 1000
#define MAX_PASSES 2048
#define MAX_OBSERVERS 16

enum { ONE_VMA, MANY_VMAS, PAIR, NWORKLOADS };

static const char *const workload_names[NWORKLOADS] = { "one_vma", "many_vmas", "mmap_munmap" };

struct series {
	double *v;
	int n;
};

struct bench;

struct observer {
	const char *name, *kind;
	int every; /* how many rounds: tools take long to start */
	/* 0, or leaves a reason in why */
	int (*on)(struct bench *b, struct observer *o);
	/* the faults of this thread that it counted; -1: it does not say */
	long (*off)(struct bench *b, struct observer *o);
	const char *prefix; /* of the names of idle programs */
	struct vml_live_options options;
	const char *command;
	/* results */
	struct series added[NWORKLOADS];
	char why[VML_ERROR_MAX], said[VML_ERROR_MAX];
	long missed;
};

struct bench {
	/* asked for */
	int rounds, faults, vmas, cpu;
	struct observer observer[MAX_OBSERVERS];
	int nobservers;
	/* state */
	int others; /* BPF programs that were on the fault tracepoint before us */
	unsigned char *region[PAIR];
	cpu_set_t all_cpus;
	struct empty *empty;
	struct idle *idle;
	struct vml_source *source;
	pid_t tool;
	FILE *tool_out;
	/* results */
	struct series bare[NWORKLOADS];
};

/* ---- samples */

static void series_add(struct series *s, double v)
{
	if (!(s->n & (s->n - 1))) /* full: 0, or a power of two */
		s->v = realloc(s->v, (s->n ? 2 * s->n : 1) * sizeof(*s->v));
	if (!s->v)
		abort();
	s->v[s->n++] = v;
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static double median(struct series *s)
{
	int i = s->n / 2;

	qsort(s->v, s->n, sizeof(s->v[0]), compare);
	return s->n % 2 ? s->v[i] : (s->v[i - 1] + s->v[i]) / 2;
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
	static struct series pass;

	pass.n = 0;
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

/* ---- programs that do nothing */

static int empty_on(struct bench *b, struct observer *o)
{
	int err;

	b->empty = empty__open_and_load();
	err = b->empty ? empty__attach(b->empty) : -errno;
	if (err)
		snprintf(o->why, sizeof(o->why), "cannot load or attach: %s", strerror(-err));
	return err;
}

static long empty_off(struct bench *b, struct observer *o)
{
	(void)o;
	empty__destroy(b->empty);
	b->empty = NULL;
	return -1;
}

static int idle_on(struct bench *b, struct observer *o)
{
	struct bpf_program *p;
	int err;

	b->idle = idle__open();
	if (b->idle)
		bpf_object__for_each_program(p, b->idle->obj)
			bpf_program__set_autoload(p, !strncmp(bpf_program__name(p), o->prefix, strlen(o->prefix)));
	err = b->idle ? idle__load(b->idle) : -errno;
	if (!err)
		err = idle__attach(b->idle);
	if (err)
		snprintf(o->why, sizeof(o->why), "cannot load or attach: %s", strerror(-err));
	return err;
}

static long idle_off(struct bench *b, struct observer *o)
{
	(void)o;
	idle__destroy(b->idle);
	b->idle = NULL;
	return -1;
}

/* ---- vmalock */

static int vmalock_on(struct bench *b, struct observer *o)
{
	return vml_live_open(&o->options, &b->source, o->why);
}

static long vmalock_off(struct bench *b, struct observer *o)
{
	struct vml_snapshot *s = NULL;
	long counted = 0;

	(void)o;
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

/* ---- tools: a command that says "attached" or why not, and at SIGTERM ends with "counted N" or what it has to say */

static void tool_exec(const struct bench *b, const struct observer *o, int out)
{
	char tid[16], command[512];

	prctl(PR_SET_PDEATHSIG, SIGTERM);
	sched_setaffinity(0, sizeof(b->all_cpus), &b->all_cpus);
	snprintf(tid, sizeof(tid), "%d", getppid());
	setenv("HOTPATH_TID", tid, 1);
	dup2(out, STDOUT_FILENO);
	snprintf(command, sizeof(command), "exec %s", o->command); /* the signal must not end at a shell */
	execl("/bin/sh", "sh", "-c", command, NULL);
	_exit(127);
}

/* One line without its end; false at the end of what is said. */
static bool tool_line(struct bench *b, char line[VML_ERROR_MAX])
{
	if (!b->tool_out || !fgets(line, VML_ERROR_MAX, b->tool_out))
		return false;
	line[strcspn(line, "\n")] = '\0';
	return true;
}

static int tool_on(struct bench *b, struct observer *o)
{
	int fd[2];

	if (pipe2(fd, O_CLOEXEC)) {
		snprintf(o->why, sizeof(o->why), "pipe: %s", strerror(errno));
		return -errno;
	}
	b->tool_out = fdopen(fd[0], "r");
	b->tool = fork();
	if (b->tool == 0)
		tool_exec(b, o, fd[1]);
	close(fd[1]);
	if (!tool_line(b, o->why))
		snprintf(o->why, sizeof(o->why), "%s said nothing", o->command);
	if (strcmp(o->why, "attached"))
		return -ENOENT;
	o->why[0] = '\0';
	return 0;
}

static long tool_off(struct bench *b, struct observer *o)
{
	long counted = -1;
	char line[VML_ERROR_MAX];

	if (b->tool > 0)
		kill(b->tool, SIGTERM);
	while (tool_line(b, line))
		if (sscanf(line, "counted %ld", &counted) != 1)
			snprintf(o->said, sizeof(o->said), "%s", line);
	if (b->tool_out)
		fclose(b->tool_out);
	b->tool_out = NULL;
	if (b->tool > 0)
		waitpid(b->tool, NULL, 0);
	b->tool = 0;
	return counted;
}

static const struct observer own[] = {
	{ .name = "empty tracepoint programs", .kind = "floor", .every = 1, .on = empty_on, .off = empty_off },
	{ .name = "empty fexit program",
	  .kind = "floor",
	  .every = 1,
	  .on = idle_on,
	  .off = idle_off,
	  .prefix = "fexit_" },
	{ .name = "empty kprobe program",
	  .kind = "floor",
	  .every = 1,
	  .on = idle_on,
	  .off = idle_off,
	  .prefix = "kprobe_" },
#define VMALOCK(label, ...)                                                                                      \
	{                                                                                                        \
		.name = label, .kind = "vmalock", .every = 1, .on = vmalock_on, .off = vmalock_off, .options = { \
			__VA_ARGS__                                                                              \
		}                                                                                                \
	}
	VMALOCK("tracepoint", .backend = "tracepoint"),
	VMALOCK("fentry", .backend = "fentry"),
	VMALOCK("fentry, exact", .backend = "fentry", .detail = "exact"),
	VMALOCK("kprobe", .backend = "kprobe"),
	VMALOCK("kprobe, exact", .backend = "kprobe", .detail = "exact"),
};

/* ---- rounds */

/* Without, with observer @o, without; *before is of the first and becomes that of the last. */
static void observe(struct bench *b, struct observer *o, double before[NWORKLOADS])
{
	double with[NWORKLOADS], after;
	long made = 0, none = 0, counted;

	if (o->why[0])
		return;
	if (o->on(b, o)) {
		o->off(b, o);
		return;
	}
	for (int w = 0; w < NWORKLOADS; w++)
		with[w] = measure(b, w, &made);
	counted = o->off(b, o);
	if (counted < 0)
		o->missed = -1;
	else if (counted < made)
		o->missed += made - counted;
	for (int w = 0; w < NWORKLOADS; w++) {
		after = measure(b, w, &none);
		series_add(&b->bare[w], after);
		series_add(&o->added[w], with[w] - (before[w] + after) / 2);
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
		for (int i = 0; i < b->nobservers; i++) {
			struct observer *o = &b->observer[(r + i) % b->nobservers];

			if (r % o->every == 0)
				observe(b, o, before);
		}
		if (isatty(STDERR_FILENO))
			fprintf(stderr, "\rround %d of %d%s", r + 1, b->rounds, r + 1 == b->rounds ? "\n" : "");
	}
}

/* ---- results */

static json_t *numbers(const struct series s[NWORKLOADS])
{
	json_t *all = json_object();

	for (int w = 0; w < NWORKLOADS; w++) {
		json_t *list = json_array();

		for (int i = 0; i < s[w].n; i++)
			json_array_append_new(list, json_real(s[w].v[i]));
		json_object_set_new(all, workload_names[w], list);
	}
	return all;
}

/* Said by others, may be anything. */
static void set_text(json_t *obj, const char *key, const char *text)
{
	char clean[VML_ERROR_MAX];

	vml_text_clean(clean, sizeof(clean), text, strlen(text));
	if (*clean)
		json_object_set_new(obj, key, json_string(clean));
}

static json_t *result(const struct observer *o)
{
	json_t *obj = json_pack("{ss ss}", "name", o->name, "kind", o->kind);

	set_text(obj, "why", o->why);
	set_text(obj, "said", o->said);
	if (!o->why[0])
		json_object_set_new(obj, "added_ns", numbers(o->added));
	if (!o->why[0] && o->missed >= 0)
		json_object_set_new(obj, "missed_faults", json_integer(o->missed));
	return obj;
}

static int print(const struct bench *b)
{
	json_t *list = json_array(), *all;
	int err;

	for (int i = 0; i < b->nobservers; i++)
		json_array_append_new(list, result(&b->observer[i]));
	all = json_pack("{si si si si si so so}", "rounds", b->rounds, "faults", b->faults, "vmas", b->vmas, "cpu",
			b->cpu, "others", b->others, "bare_ns", numbers(b->bare), "observers", list);
	err = !all || json_dumpf(all, stdout, JSON_COMPACT | JSON_REAL_PRECISION(6)) || putchar('\n') == EOF;
	json_decref(all);
	return err;
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
	"usage: hotpath [--rounds N] [--faults N] [--vmas N] [--cpu N] [--with NAME,EVERY,COMMAND]...\n"
	"Prints, as JSON, what vmalock, BPF programs that do nothing and other tools add to a page\n"
	"fault, and to a pair of mmap and munmap.\n"
	"  --rounds N     with and without each observer (60)\n"
	"  --faults N     in each round (32768)\n"
	"  --vmas N       a power of two, among which faults change (256)\n"
	"  --cpu N        where to run (the last one)\n"
	"  --with NAME,EVERY,COMMAND\n"
	"                 another observer, every so many rounds (see bench/observer)\n";

/* NAME,EVERY,COMMAND */
static bool add_tool(struct bench *b, char *arg)
{
	char *name = strsep(&arg, ","), *every = strsep(&arg, ",");
	uint32_t n;

	if (!arg || b->nobservers == MAX_OBSERVERS || vml_parse_u32(every, 1, MAX_ROUNDS, &n))
		return false;
	b->observer[b->nobservers++] = (struct observer){
		.name = name, .kind = "tool", .every = (int)n, .on = tool_on, .off = tool_off, .command = arg
	};
	return true;
}

static bool parse(int argc, char **argv, struct bench *b)
{
	static const struct option options[] = {
		{ "rounds", required_argument, NULL, 'r' },
		{ "faults", required_argument, NULL, 'f' },
		{ "vmas", required_argument, NULL, 'v' },
		{ "cpu", required_argument, NULL, 'c' },
		{ "with", required_argument, NULL, 'w' },
		{ "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 },
	};
	uint32_t n;
	int c;

	while ((c = getopt_long(argc, argv, "h", options, NULL)) != -1) {
		if (c == 'r' && !vml_parse_u32(optarg, 1, MAX_ROUNDS, &n)) {
			b->rounds = n;
		} else if (c == 'f' && !vml_parse_u32(optarg, PAGES, PAGES * MAX_PASSES, &n)) {
			b->faults = n / PAGES * PAGES;
		} else if (c == 'v' && !vml_parse_u32(optarg, 2, PAGES, &n) && !(n & (n - 1))) {
			b->vmas = n;
		} else if (c == 'c' && !vml_parse_u32(optarg, 0, CPU_SETSIZE - 1, &n)) {
			b->cpu = n;
		} else if (c != 'w' || !add_tool(b, optarg)) {
			return false;
		}
	}
	return optind == argc;
}

static int setup(struct bench *b)
{
	cpu_set_t one;

	libbpf_set_print(NULL);
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
	static struct bench b = { .rounds = 60, .faults = 64 * PAGES, .vmas = 256, .cpu = -1 };

	memcpy(b.observer, own, sizeof(own));
	b.nobservers = VML_ARRAY_SIZE(own);
	if (!parse(argc, argv, &b)) {
		fputs(usage, stderr);
		return 2;
	}
	if (setup(&b))
		return 1;
	run(&b);
	return print(&b);
}
