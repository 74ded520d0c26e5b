/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * usage: cgroups DIR CGROUPS ALIVE SECONDS
 *
 * Makes CGROUPS in DIR, ALIVE at a time; each has 10 processes that fault and end,
 * and is removed.  Again and again until SECONDS have passed, at least once.  Prints
 * how many cgroups there were and how many faults their processes took, by getrusage(2).
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define PROCESSES 10
#define FAULTS 20
#define ALIVE_MAX 1000

static unsigned long long faults;

static void fail(const char *what)
{
	perror(what);
	exit(1);
}

static void path_of(char path[512], const char *dir, unsigned long n, const char *file)
{
	snprintf(path, 512, "%s/vmalock-wave-%d-%lu%s", dir, getpid(), n, file);
}

/* In the cgroup from before its first fault on; stays until @hold is closed. */
static void child(int procs, int hold)
{
	volatile char *p;
	char c;
	int i;

	if (write(procs, "0", 1) != 1)
		_exit(1);
	p = mmap(NULL, FAULTS * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (p == MAP_FAILED)
		_exit(1);
	for (i = 0; i < FAULTS; i++)
		p[i * 4096L] = 1;
	_exit(read(hold, &c, 1) != 0);
}

static void begin(const char *dir, unsigned long n, const int hold[2])
{
	char path[512];
	int procs, i;
	pid_t pid;

	path_of(path, dir, n, "");
	if (mkdir(path, 0755))
		fail(path);
	path_of(path, dir, n, "/cgroup.procs");
	procs = open(path, O_WRONLY | O_CLOEXEC);
	if (procs < 0)
		fail(path);
	for (i = 0; i < PROCESSES; i++) {
		pid = fork();
		if (pid < 0)
			fail("fork");
		if (!pid) {
			close(hold[1]);
			child(procs, hold[0]);
		}
	}
	close(procs);
}

static void end(unsigned long processes)
{
	struct rusage u;
	int status;

	while (processes--) {
		if (wait4(-1, &status, 0, &u) < 0 || status)
			fail("a process");
		faults += (unsigned long long)(u.ru_minflt + u.ru_majflt);
	}
}

/* A process that was waited for is still in its cgroup for a moment. */
static void clear(const char *dir, unsigned long first, unsigned long n)
{
	const struct timespec moment = { .tv_nsec = 1000000 };
	char path[512];
	int tries;

	while (n--) {
		path_of(path, dir, first + n, "");
		for (tries = 0; rmdir(path); tries++) {
			if (errno != EBUSY || tries > 10000)
				fail(path);
			nanosleep(&moment, NULL);
		}
	}
}

static void wave(const char *dir, unsigned long first, unsigned long alive)
{
	unsigned long i;
	int hold[2];

	if (pipe2(hold, O_CLOEXEC))
		fail("pipe");
	for (i = 0; i < alive; i++)
		begin(dir, first + i, hold);
	close(hold[1]);
	close(hold[0]);
	end(alive * PROCESSES);
	clear(dir, first, alive);
}

int main(int argc, char **argv)
{
	unsigned long cgroups = argc == 5 ? strtoul(argv[2], NULL, 10) : 0, alive, seconds, n = 0, i;
	time_t begun = time(NULL);

	alive = cgroups ? strtoul(argv[3], NULL, 10) : 0;
	if (!alive || alive > ALIVE_MAX || cgroups % alive) {
		fprintf(stderr, "usage: cgroups DIR CGROUPS ALIVE SECONDS\n");
		return 2;
	}
	seconds = strtoul(argv[4], NULL, 10);
	do {
		for (i = 0; i < cgroups; i += alive, n += alive)
			wave(argv[1], n, alive);
	} while (time(NULL) - begun < (time_t)seconds);
	printf("%lu %llu\n", n, faults);
	return 0;
}
