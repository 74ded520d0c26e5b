/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Instructions that an observer adds to a page fault; runs in the guest of
 * bench/instructions, where the time stamp counter counts instructions.
 *
 * One thread makes faults of one kind, in rounds, until the last rounds agree; their
 * median counts.  What an observer adds is the difference to the same without it,
 * measured just before.  Prints a table in Markdown.
 */
#include <bpf/libbpf.h>
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include "idle.skel.h"
#include "vmalock/base.h"
#include "vmalock/snapshot.h"
#include "vmalock/source.h"

#define PAGE 4096
#define PAGES 1024 /* of a region: so many that the allocator's refills are in each round alike */
#define AREAS 256
#define AROUND 16 /* pages that a fault on the page cache maps */
#define AGREE 7 /* rounds */
#define TOLERANCE 0.002
#define MAX_ROUNDS 400

static uint64_t instructions(void)
{
#if defined(__x86_64__)
	return __builtin_ia32_rdtsc();
#else
	return 0;
#endif
}

/* Does the counter count instructions here?  Not on a real processor.  The fewest: others may run. */
static bool counts_instructions(void)
{
	uint64_t fewest = UINT64_MAX;

	for (int i = 0; i < 9; i++) {
		uint64_t loops = 10000, start = instructions();

#if defined(__x86_64__)
		asm volatile("1: dec %0; jnz 1b" : "+r"(loops));
#endif
		start = instructions() - start;
		if (start < fewest)
			fewest = start;
	}
	return fewest >= 20000 && fewest < 20100;
}

/* ---- the faults */

static unsigned char *memory(void *at, int protection, int flags, int fd)
{
	size_t size = PAGES * PAGE * (fd < 0 ? 1 : AROUND);
	unsigned char *p = mmap(at, size, protection, MAP_PRIVATE | flags, fd, 0);

	return p == MAP_FAILED || madvise(p, size, MADV_NOHUGEPAGE) ? NULL : p;
}

/* AREAS neighbours that cannot merge, as every other one has another flag. */
static unsigned char *memory_in_areas(void *at)
{
	unsigned char *p = memory(at, PROT_READ | PROT_WRITE, MAP_ANONYMOUS | (at ? MAP_FIXED : 0), -1);
	size_t area = PAGES / AREAS * PAGE;

	for (size_t i = 0; p && i < AREAS; i += 2)
		if (madvise(p + i * area, area, MADV_DONTDUMP))
			return NULL;
	return p;
}

static unsigned char *map_one(void)
{
	return memory(NULL, PROT_READ | PROT_WRITE, MAP_ANONYMOUS, -1);
}

static unsigned char *map_areas(void)
{
	return memory_in_areas(NULL);
}

static unsigned char *map_file(void)
{
	int fd = memfd_create("pages", 0);
	unsigned char page[PAGE] = { 1 };

	for (int i = 0; i < PAGES * AROUND; i++)
		if (write(fd, page, PAGE) != PAGE)
			return NULL;
	return memory(NULL, PROT_READ, 0, fd);
}

static void write_in_order(unsigned char *p)
{
	for (size_t i = 0; i < PAGES; i++)
		*(volatile unsigned char *)(p + i * PAGE) = 1;
}

static void write_in_turn(unsigned char *p)
{
	size_t area = PAGES / AREAS * PAGE;

	for (size_t offset = 0; offset < area; offset += PAGE)
		for (size_t i = 0; i < AREAS; i++)
			*(volatile unsigned char *)(p + i * area + offset) = 1;
}

static void write_first_of_areas(unsigned char *p)
{
	for (size_t i = 0; i < AREAS; i++)
		*(volatile unsigned char *)(p + i * (PAGES / AREAS) * PAGE) = 1;
}

static void read_zeroes(unsigned char *p)
{
	static int fd = -1;

	if (fd < 0)
		fd = open("/dev/zero", O_RDONLY);
	if (read(fd, p, PAGES * PAGE) != PAGES * PAGE)
		perror("instructions: /dev/zero");
}

static void read_in_order(unsigned char *p)
{
	for (size_t i = 0; i < PAGES; i++)
		(void)*(volatile unsigned char *)(p + i * AROUND * PAGE);
}

static void drop(unsigned char *p)
{
	madvise(p, PAGES * PAGE, MADV_DONTNEED);
}

static void drop_file(unsigned char *p)
{
	madvise(p, PAGES * AROUND * PAGE, MADV_DONTNEED);
}

static void map_areas_again(unsigned char *p)
{
	munmap(p, PAGES * PAGE);
	memory_in_areas(p);
	usleep(100000); /* the old ones are freed after a grace period, and not in the next round */
}

/* A round is make(); again() makes the next one possible, and is not counted. */
static const struct workload {
	const char *name;
	int faults;
	unsigned char *(*map)(void);
	void (*make)(unsigned char *p);
	void (*again)(unsigned char *p);
} workloads[] = {
	{ "one area", PAGES, map_one, write_in_order, drop },
	{ "changing among 256 areas", PAGES, map_areas, write_in_turn, drop },
	{ "in read(2)", PAGES, map_one, read_zeroes, drop },
	{ "page cache", PAGES, map_file, read_in_order, drop_file },
	{ "first of an area", AREAS, map_areas, write_first_of_areas, map_areas_again },
};
#define NWORKLOADS VML_ARRAY_SIZE(workloads)

static unsigned char *region[NWORKLOADS];

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

/* Instructions of a fault; *made grows by the faults. */
static double measure(size_t w, long *made)
{
	const struct workload *load = &workloads[w];
	double last[AGREE], sorted[AGREE];
	uint64_t start;

	for (int round = 0; round < MAX_ROUNDS; round++) {
		start = instructions();
		load->make(region[w]);
		last[round % AGREE] = (double)(instructions() - start) / load->faults;
		load->again(region[w]);
		*made += load->faults;
		memcpy(sorted, last, sizeof(sorted));
		qsort(sorted, AGREE, sizeof(sorted[0]), compare);
		if (round >= AGREE && sorted[AGREE - 1] - sorted[0] <= TOLERANCE * sorted[0])
			return sorted[AGREE / 2];
	}
	fprintf(stderr, "instructions: %s: the rounds do not agree: %.1f..%.1f\n", load->name, sorted[0],
		sorted[AGREE - 1]);
	return sorted[AGREE / 2];
}

/* Each touched page must be one fault, or the numbers mean something else. */
static bool one_fault_a_page(size_t w)
{
	struct rusage before, after;
	long made = 0;

	getrusage(RUSAGE_SELF, &before);
	measure(w, &made);
	getrusage(RUSAGE_SELF, &after);
	made -= after.ru_minflt - before.ru_minflt;
	if (labs(made) > 16)
		fprintf(stderr, "instructions: %s: %ld faults are missing\n", workloads[w].name, made);
	return labs(made) <= 16;
}

/* ---- the observers */

static const struct observer {
	const char *name;
	const char *program; /* those of idle.bpf.c begin so; NULL: vmalock */
	struct vml_live_options options;
} observers[] = {
	{ "empty tracepoint program", "tracepoint_", {} },
	{ "tracepoint program with a counter in the thread's storage", "storage_", {} },
	{ "empty fexit program, `handle_mm_fault`", "fexit_", {} },
	{ "empty kprobe program, `lock_vma_under_rcu`", "kprobe_", {} },
	{ "vmalock, `tracepoint`", NULL, { .backend = "tracepoint" } },
	{ "vmalock, `fentry`", NULL, { .backend = "fentry" } },
	{ "vmalock, `fentry`, exact", NULL, { .backend = "fentry", .detail = "exact" } },
	{ "vmalock, `kprobe`", NULL, { .backend = "kprobe" } },
	{ "vmalock, `kprobe`, exact", NULL, { .backend = "kprobe", .detail = "exact" } },
};
#define NOBSERVERS VML_ARRAY_SIZE(observers)

static struct idle *idle;
static struct vml_source *source;

static int idle_on(const char *prefix)
{
	struct bpf_program *p;
	int err;

	idle = idle__open();
	if (!idle)
		return -errno;
	bpf_object__for_each_program(p, idle->obj)
		bpf_program__set_autoload(p, !strncmp(bpf_program__name(p), prefix, strlen(prefix)));
	err = idle__load(idle);
	return err ? err : idle__attach(idle);
}

static bool on(const struct observer *o)
{
	char error[VML_ERROR_MAX] = "";
	int err = o->program ? idle_on(o->program) : vml_live_open(&o->options, &source, error);

	if (err)
		fprintf(stderr, "instructions: %s: %s\n", o->name, error[0] ? error : strerror(-err));
	return !err;
}

/* What vmalock counted of this thread; -1: no snapshot. */
static long counted(void)
{
	struct vml_snapshot *s;
	long n = 0;

	if (vml_source_next(source, &s))
		return -1;
	for (size_t i = 0; i < s->rows[VML_THREAD].n; i++)
		if (s->rows[VML_THREAD].row[i].id.tid == (uint32_t)gettid())
			n += s->rows[VML_THREAD].row[i].value[VML_FAULTS_USER] +
			     s->rows[VML_THREAD].row[i].value[VML_FAULTS_KERNEL];
	vml_snapshot_free(s);
	return n;
}

static bool off(const struct observer *o, long made)
{
	long seen = source ? counted() : made;

	idle__destroy(idle);
	idle = NULL;
	vml_source_close(source);
	source = NULL;
	if (seen < made)
		fprintf(stderr, "instructions: %s: %ld of %ld faults were counted\n", o->name, seen, made);
	return seen >= made;
}

/* ---- results */

static double bare_min[NWORKLOADS], bare_max[NWORKLOADS];

static double measure_bare(size_t w)
{
	long made = 0;
	double n = measure(w, &made);

	if (!bare_min[w] || n < bare_min[w])
		bare_min[w] = n;
	if (n > bare_max[w])
		bare_max[w] = n;
	return n;
}

static bool measure_observer(const struct observer *o)
{
	double bare[NWORKLOADS], with[NWORKLOADS];
	long made = 0;

	for (size_t w = 0; w < NWORKLOADS; w++)
		bare[w] = measure_bare(w);
	if (!on(o)) {
		off(o, 0);
		return false;
	}
	for (size_t w = 0; w < NWORKLOADS; w++)
		with[w] = measure(w, &made);
	if (!off(o, made))
		return false;
	printf("| %s |", o->name);
	for (size_t w = 0; w < NWORKLOADS; w++)
		printf(" %ld |", lround(with[w] - bare[w]));
	putchar('\n');
	return true;
}

static void print_head(void)
{
	printf("| added by |");
	for (size_t w = 0; w < NWORKLOADS; w++)
		printf(" %s |", workloads[w].name);
	printf("\n|---|");
	for (size_t w = 0; w < NWORKLOADS; w++)
		printf("---|");
	putchar('\n');
}

static void print_bare(void)
{
	printf("| (the fault itself, least and most) |");
	for (size_t w = 0; w < NWORKLOADS; w++)
		printf(" %.0f, %.0f |", bare_min[w], bare_max[w]);
	putchar('\n');
}

/* Only observers whose name has the argument in it, when there is one. */
int main(int argc, char **argv)
{
	bool ok = true;

	if (!counts_instructions()) {
		fputs("instructions: the counter of this processor counts time; run bench/instructions\n", stderr);
		return 4;
	}
	libbpf_set_print(NULL);
	sleep(5); /* the kernel tests its cryptography when it has booted; a sleep costs no time here */
	for (size_t w = 0; w < NWORKLOADS; w++) {
		region[w] = workloads[w].map();
		if (!region[w]) {
			perror("instructions: memory");
			return 1;
		}
		if (!one_fault_a_page(w))
			return 1;
	}
	print_head();
	for (size_t i = 0; i < NOBSERVERS; i++)
		if (argc < 2 || strstr(observers[i].name, argv[1]))
			ok = measure_observer(&observers[i]) && ok;
	print_bare();
	return !ok;
}
