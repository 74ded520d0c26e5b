// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * usage: lives leader-exits | thread-execs
 *
 * Loads with the handshake of `vmalock load`, in which a process outlives its
 * first thread:
 *
 *   leader-exits   the first thread ends before "ready", another one faults on
 *                  1000 pages; the report has the faults by getrusage
 *   thread-execs   another thread than the first faults on 1000 pages and
 *                  executes this program again, which faults on 2000 pages; the
 *                  kernel gives that thread the tid of the first, which had
 *                  faulted on 3000 pages before "ready"
 */
#include <err.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "load/load.h"

#define PAGES 1000

static struct vml_load load = { .options.handshake = true };

static void must(int err)
{
	if (err)
		errx(1, "%s", *load.error ? load.error : strerror(-err));
}

static void report(void)
{
	long n = load.after.ru_minflt - load.before.ru_minflt + load.after.ru_majflt - load.before.ru_majflt;

	printf("{\"pid\":%d,\"faults\":{\"total\":%ld}}\n", getpid(), n);
	exit(0);
}

static bool leader_is_zombie(void)
{
	char path[64], text[256] = "";
	FILE *f;

	snprintf(path, sizeof(path), "/proc/self/task/%d/stat", getpid());
	f = fopen(path, "re");
	if (f) {
		if (!fgets(text, sizeof(text), f))
			*text = 0;
		fclose(f);
	}
	return strstr(text, ") Z ");
}

static void *outlive(void *arg)
{
	uint8_t *memory;

	(void)arg;
	while (!leader_is_zombie())
		usleep(1000);
	must(vml_load_map(&load, "anon", PAGES + 1, &memory));
	vml_load_write_pages(memory + PAGES * load.page, 1, load.page);
	must(vml_load_begin(&load));
	vml_load_write_pages(memory, PAGES, load.page);
	must(vml_load_end(&load));
	report();
	return NULL;
}

static void *execute(void *arg)
{
	uint8_t *memory;

	must(vml_load_map(&load, "anon", PAGES, &memory));
	must(vml_load_begin(&load));
	vml_load_write_pages(memory, PAGES, load.page);
	execl("/proc/self/exe", arg, "thread-execs", "again", NULL);
	err(1, "execve");
}

static void again(void)
{
	uint8_t *memory;

	must(vml_load_map(&load, "anon", 2 * PAGES, &memory));
	vml_load_write_pages(memory, 2 * PAGES, load.page);
	must(vml_load_end(&load));
	report();
}

int main(int argc, char **argv)
{
	pthread_t thread;
	uint8_t *memory;

	load.page = sysconf(_SC_PAGESIZE);
	prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0);
	if (argc == 3)
		again();
	if (argc != 2)
		errx(2, "usage: lives leader-exits | thread-execs");
	/* the first thread has a past that is not the other's */
	must(vml_load_map(&load, "past", 3 * PAGES, &memory));
	vml_load_write_pages(memory, 3 * PAGES, load.page);
	must(-pthread_create(&thread, NULL, strcmp(argv[1], "leader-exits") ? execute : outlive, argv[0]));
	if (!strcmp(argv[1], "leader-exits"))
		syscall(SYS_exit, 0); /* this thread only */
	pthread_join(thread, NULL);
	return 1;
}
