// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * usage: storm forks|execs SECONDS FILE
 *
 * A load with the handshake of `vmalock load`: processes that live for a moment, as
 * many as there can be, for SECONDS.  Their name is that of FILE, a link to this program.
 *
 *   forks  children that write to pages: by themselves; in a second thread; in the memory
 *          of their parent, as vfork(2) does; or after one of their own did
 *   execs  children that are replaced by this program, which writes to pages and is
 *          replaced again, and again
 *
 * Where it may, it makes the kernel give pids again that were given a moment ago
 * (kernel.ns_last_pid).  The report, of the children alone:
 *
 *   elapsed_ns  how long that took
 *   children    that were waited for, with theirs
 *   processes   those children, and theirs
 *   images      programs that they were replaced by
 *   reused      children that had the pid of an earlier one
 *   faults      by wait4(2); of `execs` with those for the arguments of execve(2), which the
 *               kernel writes through get_user_pages() and which are no exceptions
 *   exceptions  the same as the kernel counts them for perf(1); null: it does not here
 */
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/perf_event.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "load/load.h"

#define PAGES 16
#define AT_ONCE 8 /* children */
#define IMAGES 3 /* of a child */
#define WINDOW 64 /* children until pids are given again */
#define MAX_PID (1 << 22)

static struct vml_load load = { .options.handshake = true, .options.rounds = UINT32_MAX };
static char *file;
static int last_pid, all_events, own_events;
static uint64_t children, processes, images, reused, faults;
static pid_t first;
static uint8_t seen[MAX_PID / 8];
static uint8_t *stack; /* of the child in its parent's memory */

static void must(int err)
{
	if (err)
		errx(1, "%s", *load.error ? load.error : strerror(-err));
}

/* ---- lives of a child; as nobody hears it, a failure is its exit status */

static void write_some(uint64_t pages)
{
	vml_load_write_pages(load.memory, pages, load.page);
}

static void *in_thread(void *arg)
{
	write_some(PAGES / 2);
	return arg;
}

static int in_memory_of_parent(void *arg)
{
	(void)arg;
	write_some(PAGES / 2);
	return 0;
}

static void await_one(pid_t pid)
{
	int status;

	if (pid < 0 || waitpid(pid, &status, 0) != pid || status)
		_exit(2);
}

/* The child that is born as number @i has one of its own. */
static bool has_child(uint64_t i)
{
	return i % 4 >= 2;
}

static void live(uint64_t i)
{
	pthread_t thread;
	pid_t pid;

	switch (i % 4) {
	case 0:
		break;
	case 1:
		if (pthread_create(&thread, NULL, in_thread, NULL) || pthread_join(thread, NULL))
			_exit(2);
		break;
	case 2:
		await_one(clone(in_memory_of_parent, stack + VML_LOAD_STACK, CLONE_VM | CLONE_VFORK | SIGCHLD, NULL));
		break;
	case 3:
		pid = fork();
		if (!pid) {
			write_some(PAGES / 2);
			_exit(0);
		}
		await_one(pid);
	}
	write_some(1 + i % PAGES);
	_exit(0);
}

static void be_replaced(unsigned int times)
{
	char left[16];

	snprintf(left, sizeof(left), "%u", times);
	execl(file, file, "image", left, file, NULL);
	_exit(2);
}

/* One of those: storm image LEFT FILE */
static void image(char **argv)
{
	unsigned int left = (unsigned int)atoi(argv[2]);

	file = argv[3];
	must(vml_load_map(&load, "anon", PAGES, &load.memory));
	write_some(PAGES);
	if (left)
		be_replaced(left - 1);
	_exit(0);
}

/* ---- the parent */

static void give_pids_again(void)
{
	char text[16];
	int n = snprintf(text, sizeof(text), "%d", first - 1);

	if (last_pid >= 0 && first && pwrite(last_pid, text, (size_t)n, 0) != n)
		err(1, "kernel.ns_last_pid");
}

static void bear(bool execs, uint64_t i)
{
	pid_t pid = fork();

	if (pid < 0)
		err(1, "fork");
	if (!pid) {
		if (execs)
			be_replaced(IMAGES - 1);
		live(i);
	}
	first = first ? first : pid;
	processes += 1 + (!execs && has_child(i));
}

static void bury(bool execs)
{
	struct rusage ru;
	int status;
	pid_t pid = wait4(-1, &status, 0, &ru);

	if (pid < 0)
		err(1, "wait4");
	if (status)
		errx(1, "child %d ended with status 0x%x", pid, status);
	faults += (uint64_t)(ru.ru_minflt + ru.ru_majflt);
	reused += seen[pid / 8] >> pid % 8 & 1;
	seen[pid / 8] |= (uint8_t)(1 << pid % 8);
	children++;
	images += execs ? IMAGES : 0;
}

static void batch(bool execs)
{
	uint64_t i, n = children;

	for (i = 0; i < AT_ONCE; i++)
		bear(execs, n + i);
	for (i = 0; i < AT_ONCE; i++)
		bury(execs);
}

/* Page faults, of this process, or of its children, too; -1: the kernel does not count them for us. */
static int count_faults(bool inherit)
{
	struct perf_event_attr attr = {
		.type = PERF_TYPE_SOFTWARE,
		.size = sizeof(attr),
		.config = PERF_COUNT_SW_PAGE_FAULTS,
		.inherit = inherit,
	};

	return (int)syscall(SYS_perf_event_open, &attr, 0, -1, -1, PERF_FLAG_FD_CLOEXEC);
}

static uint64_t counted(int fd)
{
	uint64_t n = 0;

	if (fd >= 0 && read(fd, &n, sizeof(n)) != sizeof(n))
		err(1, "perf event");
	return n;
}

static void storm(bool execs)
{
	uint64_t all, own;

	batch(execs); /* a rehearsal */
	children = processes = images = reused = faults = 0;
	memset(seen, 0, sizeof(seen));
	first = 0;
	must(vml_load_begin(&load));
	all = counted(all_events);
	own = counted(own_events);
	while (vml_load_more(&load, 0, false)) {
		batch(execs);
		if (children % WINDOW == 0)
			give_pids_again();
	}
	all = counted(all_events) - all;
	own = counted(own_events) - own;
	must(vml_load_end(&load));
	printf("{\"pid\":%d,\"elapsed_ns\":%llu,\"children\":%llu,\"processes\":%llu,\"images\":%llu,\"reused\":%llu,"
	       "\"faults\":%llu,\"exceptions\":",
	       getpid(), (unsigned long long)(load.end_ns - load.start_ns), (unsigned long long)children,
	       (unsigned long long)processes, (unsigned long long)images, (unsigned long long)reused,
	       (unsigned long long)faults);
	if (all_events < 0 || own_events < 0)
		printf("null}\n");
	else
		printf("%llu}\n", (unsigned long long)(all - own));
}

int main(int argc, char **argv)
{
	load.page = (size_t)sysconf(_SC_PAGESIZE);
	prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0);
	if (argc == 4 && !strcmp(argv[1], "image"))
		image(argv);
	if (argc != 4 || (strcmp(argv[1], "forks") != 0 && strcmp(argv[1], "execs") != 0))
		errx(2, "usage: storm forks|execs SECONDS FILE");
	file = argv[3];
	load.options.limit_ns = strtoull(argv[2], NULL, 10) * 1000000000;
	prctl(PR_SET_NAME, strrchr(file, '/') ? strrchr(file, '/') + 1 : file);
	last_pid = open("/proc/sys/kernel/ns_last_pid", O_WRONLY | O_CLOEXEC);
	must(vml_load_map(&load, "anon", PAGES, &load.memory));
	must(vml_load_stacks_map(&load, 1));
	stack = load.stacks;
	all_events = count_faults(true);
	own_events = count_faults(false);
	storm(!strcmp(argv[1], "execs"));
	return 0;
}
