/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * usage: many PROCESSES THREADS AREAS
 *
 * PROCESSES with THREADS each, all of which have AREAS memory areas of their own (0: one of
 * the process, for all of them) and take one page fault in four seconds, in one area after
 * the other.  Prints "ready" when all run.  For each line of its input there is a fault in
 * every area, then it prints "touched"; it ends when its input does.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define PAGE 4096
#define PAGES 16 /* of an area */
#define STACK (32 << 10)
#define FAULT_SECONDS 4 /* between two of a thread: a machine must be able to run them all */

struct thread {
	unsigned int index, areas;
	char *memory; /* its areas, side by side */
};

static void fail(const char *what)
{
	perror(what);
	exit(1);
}

/* Areas that are used up are emptied. */
static void *fault(void *arg)
{
	const struct timespec pause = { .tv_sec = FAULT_SECONDS };
	struct timespec begin = { .tv_nsec = 0 };
	struct thread *t = arg;
	size_t n = 0, area = (size_t)PAGES * PAGE;

	begin.tv_sec = t->index % FAULT_SECONDS; /* not all at once */
	begin.tv_nsec = t->index * 7919L % 1000 * 1000000;
	nanosleep(&begin, NULL);
	for (;; n++) {
		char *a = t->memory + n % t->areas * area;

		if (n / t->areas && n / t->areas % PAGES == 0)
			madvise(a, area, MADV_DONTNEED);
		*(volatile char *)(a + n / t->areas % PAGES * PAGE) = 1;
		nanosleep(&pause, NULL);
	}
	return NULL;
}

/* Areas that adjoin differ in what is allowed, or the kernel would make them one. */
static char *map(size_t areas, int apart)
{
	size_t area = (size_t)PAGES * PAGE, i;
	char *p = mmap(NULL, areas * area, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (p == MAP_FAILED)
		fail("mmap");
	madvise(p, areas * area, MADV_NOHUGEPAGE);
	for (i = 0; apart && i < areas; i += 2)
		if (mprotect(p + i * area, area, PROT_READ | PROT_WRITE | PROT_EXEC))
			fail("mprotect");
	return p;
}

/* In the last page of each area; its thread may be there, too. */
static void touch(char *memory, size_t areas)
{
	size_t i, area = (size_t)PAGES * PAGE;

	for (i = 0; i < areas; i++) {
		char *page = memory + i * area + area - PAGE;

		madvise(page, PAGE, MADV_DONTNEED);
		*(volatile char *)page = 1;
	}
}

static void touch_for_ever(char *memory, size_t areas, int ready)
{
	sigset_t signals;
	int got;

	sigemptyset(&signals);
	sigaddset(&signals, SIGUSR1);
	for (;;) {
		if (write(ready, "", 1) != 1)
			fail("ready");
		sigwait(&signals, &got);
		touch(memory, areas);
	}
}

static void process(unsigned int threads, unsigned int areas, int ready)
{
	unsigned int each = areas ?: 1;
	char *memory = map((size_t)threads * each, areas != 0);
	char *stacks = mmap(NULL, (size_t)threads * STACK, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_STACK, -1, 0);
	struct thread *t = calloc(threads, sizeof(*t));
	pthread_attr_t attr;
	pthread_t id;
	unsigned int i;
	int err;

	if (stacks == MAP_FAILED || !t)
		fail("memory");
	pthread_attr_init(&attr);
	for (i = 0; i < threads; i++) {
		t[i] = (struct thread){ i, each, memory + (size_t)i * each * PAGES * PAGE };
		pthread_attr_setstack(&attr, stacks + (size_t)i * STACK, STACK);
		err = pthread_create(&id, &attr, fault, &t[i]);
		if (err) {
			errno = err;
			fail("pthread_create");
		}
	}
	touch_for_ever(memory, (size_t)threads * each, ready);
}

/* Each process says that it is ready. */
static void await(int ready, unsigned int n, const char *what)
{
	char c;

	while (n--)
		if (read(ready, &c, 1) != 1)
			fail("a process ended");
	puts(what);
	fflush(stdout);
}

/* It has said why. */
static void child_ended(int signal)
{
	(void)signal;
	_exit(1);
}

int main(int argc, char **argv)
{
	unsigned int n = argc == 4 ? strtoul(argv[1], NULL, 10) : 0, i;
	sigset_t touch;
	int ready[2];
	pid_t *pid;
	char c;

	if (!n || !strtoul(argv[2], NULL, 10)) {
		fprintf(stderr, "usage: many PROCESSES THREADS AREAS\n");
		return 2;
	}
	pid = calloc(n, sizeof(*pid));
	if (!pid || pipe(ready))
		fail("pipe");
	signal(SIGCHLD, child_ended);
	sigemptyset(&touch); /* of all threads to come; one waits for it */
	sigaddset(&touch, SIGUSR1);
	sigprocmask(SIG_BLOCK, &touch, NULL);
	for (i = 0; i < n; i++) {
		pid[i] = fork();
		if (pid[i] < 0)
			fail("fork");
		if (!pid[i]) {
			close(ready[0]);
			prctl(PR_SET_PDEATHSIG, SIGKILL);
			process(strtoul(argv[2], NULL, 10), strtoul(argv[3], NULL, 10), ready[1]);
		}
	}
	close(ready[1]);
	await(ready[0], n, "ready");
	while (read(STDIN_FILENO, &c, 1) > 0) {
		if (c != '\n')
			continue;
		for (i = 0; i < n; i++)
			kill(pid[i], SIGUSR1);
		await(ready[0], n, "touched");
	}
	return 0; /* PR_SET_PDEATHSIG ends the others */
}
