// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * A thread that faults on 1000 pages in one instruction (rep lods) and stays in it over memory that is there
 * already, for as long as it takes: where it is says nothing then about whether its last fault is over.
 * Handshake of `vmalock load`; "done" when the kernel has counted all of its faults, the report has
 *
 *	{"pid": .., "tid": .., "faults": 1000, "inside": true: it still is in that instruction}
 *
 * Exit status 77: not a machine with such an instruction.
 */
#include <err.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#define PAGES 1000UL
#define PART (32UL << 20) /* one file, mapped again and again */
#define PARTS 512UL

#ifdef __x86_64__
static volatile pid_t tid;
static volatile int go, over;
static uint8_t *memory;
static size_t fresh;

static void *thread(void *arg)
{
	uint8_t *at = memory;
	size_t n = fresh + PARTS * PART;

	(void)arg;
	over = 0; /* its pages are there */
	tid = gettid();
	while (!go)
		;
	__asm__ volatile("rep lodsb" : "+S"(at), "+c"(n) : : "rax", "memory");
	over = 1;
	return NULL;
}

/* /proc/PID/stat has it in field 10, minor faults. */
static unsigned long faults_of(pid_t of)
{
	char path[64];
	unsigned long n;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/self/task/%d/stat", of);
	f = fopen(path, "re");
	if (!f || fscanf(f, "%*d %*s %*c %*d %*d %*d %*d %*d %*u %lu", &n) != 1)
		err(1, "%s", path);
	fclose(f);
	return n;
}

/* Fresh pages, and behind them what is there already. */
static void map_all(void)
{
	int fd = memfd_create("oneinsn", MFD_CLOEXEC);
	size_t i;

	fresh = PAGES * (size_t)sysconf(_SC_PAGESIZE);
	if (fd < 0 || ftruncate(fd, PART))
		err(1, "memfd_create");
	memory = mmap(NULL, fresh + PARTS * PART, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (memory == MAP_FAILED || madvise(memory, fresh, MADV_NOHUGEPAGE))
		err(1, "mmap");
	for (i = 0; i < PARTS; i++)
		if (mmap(memory + fresh + i * PART, PART, PROT_READ, MAP_SHARED | MAP_FIXED | MAP_POPULATE, fd, 0) ==
		    MAP_FAILED)
			err(1, "mmap");
	close(fd);
}

static void say_and_wait(const char *line)
{
	char answer[16];

	puts(line);
	fflush(stdout);
	if (!fgets(answer, sizeof(answer), stdin))
		exit(1);
}

int main(void)
{
	unsigned long before, faults;
	pthread_t t;

	map_all();
	if (pthread_create(&t, NULL, thread, NULL))
		errx(1, "no thread");
	while (!tid)
		usleep(1000);
	say_and_wait("ready");
	before = faults_of(tid);
	go = 1;
	while (faults_of(tid) - before < PAGES && !over)
		usleep(1000);
	say_and_wait("done");
	faults = faults_of(tid) - before;
	printf("{\"pid\":%d,\"tid\":%d,\"faults\":%lu,\"inside\":%s}\n", getpid(), tid, faults,
	       over ? "false" : "true");
	fflush(stdout);
	_exit(0);
}
#else
int main(void)
{
	fputs("no instruction here that fills or copies memory by itself\n", stderr);
	return 77;
}
#endif
