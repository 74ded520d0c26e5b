// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * usage: takers readv | thread | ptrace | userfaultfd | kill | sleep
 *
 * A load with the handshake of `vmalock load` that takes the mmap_lock of others:
 *
 *   readv        process_vm_readv(2) of memory that its target did not touch
 *   thread       the same by a thread that ends before "done"
 *   ptrace       PTRACE_PEEKDATA of a thread of its target
 *   userfaultfd  UFFDIO_REGISTER on a descriptor of its target, as a monitor does
 *   kill         targets hold their own lock, and are killed while others of their
 *                threads wait for it
 *   sleep        one read of /proc/PID/smaps of a target that sleeps all the time,
 *                since long before "ready"
 *
 * Targets are children, one after another; the threads of each map and unmap.  The
 * report: {"pid":taker,"targets":[PID,...],"culprits":[{"pid":taker,"tid":taker}]}.
 */
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "load/load.h"

#define TARGETS 8
#define THREADS 3
#define TAKES 20000
#define PAGES 512UL

struct target {
	pid_t pid, thread; /* a thread that sleeps */
	int uffd; /* of the target */
	uint8_t *memory;
};

static struct target target[TARGETS];
static int ntargets;
static pid_t taker;
static struct vml_load load = { .options.handshake = true };
static size_t len;

static void must(int err)
{
	if (err)
		errx(1, "%s", *load.error ? load.error : strerror(-err));
}

static uint8_t *map(size_t n)
{
	uint8_t *p = mmap(NULL, n, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED)
		err(1, "mmap");
	return p;
}

/* ---- in the target */

static void *change(void *arg)
{
	(void)arg;
	for (;;)
		munmap(map(load.page), load.page);
	return NULL;
}

/* Holds mmap_lock for read most of the time. */
static void *populate(void *arg)
{
	for (;;) {
		madvise(arg, 16 * len, MADV_POPULATE_WRITE);
		madvise(arg, 16 * len, MADV_DONTNEED);
	}
	return NULL;
}

static void *rest(void *arg)
{
	pid_t tid = gettid();

	if (write(*(int *)arg, &tid, sizeof(tid)) != sizeof(tid))
		err(1, "write");
	for (;;)
		pause();
	return NULL;
}

static void start(void *(*work)(void *), void *arg)
{
	pthread_t thread;

	must(-pthread_create(&thread, NULL, work, arg));
}

static void be_target(const char *how, struct target *t, int fd)
{
	struct uffdio_api api = { .api = UFFD_API };

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	t->pid = getpid();
	t->memory = map(len);
	if (!strcmp(how, "userfaultfd")) {
		t->uffd = (int)syscall(SYS_userfaultfd, O_CLOEXEC);
		if (t->uffd < 0 || ioctl(t->uffd, UFFDIO_API, &api))
			err(1, "userfaultfd");
	}
	if (write(fd, t, sizeof(*t)) != sizeof(*t))
		err(1, "write");
	if (!strcmp(how, "kill"))
		start(populate, map(16 * len));
	for (int i = 0; i < THREADS && strcmp(how, "sleep") != 0; i++)
		start(change, NULL);
	rest(&fd);
}

/* ---- in the taker */

static struct target make_target(const char *how)
{
	struct target t;
	pid_t tid;
	int fd[2];

	if (pipe(fd))
		err(1, "pipe");
	t.pid = fork();
	if (!t.pid)
		be_target(how, &t, fd[1]);
	if (read(fd[0], &t, sizeof(t)) != sizeof(t) || read(fd[0], &tid, sizeof(tid)) != sizeof(tid))
		errx(1, "a target ended");
	t.thread = tid;
	close(fd[0]);
	close(fd[1]);
	return t;
}

static void end_target(const struct target *t)
{
	int status;

	kill(t->pid, SIGKILL);
	if (waitpid(t->pid, &status, 0) != t->pid || !WIFSIGNALED(status))
		errx(1, "a target ended by itself");
}

static void take_readv(const struct target *t)
{
	static uint8_t bytes[PAGES];
	struct iovec here = { bytes, PAGES }, there[PAGES];

	for (size_t i = 0; i < PAGES; i++)
		there[i] = (struct iovec){ t->memory + i * load.page, 1 };
	for (int i = 0; i < TAKES / (int)PAGES; i++)
		if (process_vm_readv(t->pid, &here, 1, there, PAGES, 0) != (ssize_t)PAGES)
			err(1, "process_vm_readv");
}

static void take_ptrace(const struct target *t)
{
	if (ptrace(PTRACE_SEIZE, t->thread, 0, 0) || ptrace(PTRACE_INTERRUPT, t->thread, 0, 0) ||
	    waitpid(t->thread, NULL, __WALL) != t->thread)
		err(1, "ptrace");
	for (int i = 0; i < TAKES; i++) {
		errno = 0;
		ptrace(PTRACE_PEEKDATA, t->thread, t->memory, 0);
		if (errno)
			err(1, "PTRACE_PEEKDATA");
	}
	ptrace(PTRACE_DETACH, t->thread, 0, 0);
}

static void take_userfaultfd(const struct target *t)
{
	struct uffdio_register r = { .range = { (uintptr_t)t->memory, len }, .mode = UFFDIO_REGISTER_MODE_MISSING };
	int process = (int)syscall(SYS_pidfd_open, t->pid, 0);
	int fd = process < 0 ? -1 : (int)syscall(SYS_pidfd_getfd, process, t->uffd, 0);

	if (fd < 0)
		err(1, "pidfd_getfd");
	for (int i = 0; i < TAKES / 4; i++)
		if (ioctl(fd, UFFDIO_REGISTER, &r) || ioctl(fd, UFFDIO_UNREGISTER, &r.range))
			err(1, "UFFDIO_REGISTER");
	close(fd);
	close(process);
}

static void take_smaps(const struct target *t)
{
	char path[64], text[4096];
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/smaps", t->pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		err(1, "%s", path);
	while (read(fd, text, sizeof(text)) > 0)
		;
	close(fd);
}

static void let_wait(const struct target *t)
{
	(void)t;
	usleep(30000);
}

static const struct how {
	const char *name;
	void (*take)(const struct target *t);
} table[] = {
	{ "readv", take_readv },
	{ "thread", take_readv },
	{ "ptrace", take_ptrace },
	{ "userfaultfd", take_userfaultfd },
	{ "kill", let_wait },
	{ "sleep", take_smaps },
	{},
};

static void *take_all(void *arg)
{
	const struct how *how = arg;

	taker = gettid();
	for (ntargets = 0; ntargets < TARGETS && how->take != take_smaps; ntargets++) {
		target[ntargets] = make_target(how->name);
		how->take(&target[ntargets]);
		end_target(&target[ntargets]);
	}
	return NULL;
}

static void report(void)
{
	printf("{\"pid\":%d,\"culprits\":[{\"pid\":%d,\"tid\":%d}],\"targets\":[", getpid(), getpid(), taker);
	for (int i = 0; i < ntargets; i++)
		printf("%s%d", i ? "," : "", target[i].pid);
	printf("]}\n");
}

int main(int argc, char **argv)
{
	const struct how *how = table;
	pthread_t thread;

	while (argc == 2 && how->name && strcmp(how->name, argv[1]) != 0)
		how++;
	if (argc != 2 || !how->name)
		errx(2, "usage: takers readv | thread | ptrace | userfaultfd | kill | sleep");
	load.page = sysconf(_SC_PAGESIZE);
	len = PAGES * load.page;
	if (how->take == take_smaps)
		target[0] = make_target(how->name);
	must(vml_load_begin(&load));
	if (!strcmp(how->name, "thread")) {
		must(-pthread_create(&thread, NULL, take_all, (void *)how));
		pthread_join(thread, NULL);
	} else {
		take_all((void *)how);
	}
	if (how->take == take_smaps)
		how->take(&target[ntargets++]);
	must(vml_load_end(&load));
	report();
	if (how->take == take_smaps)
		end_target(&target[0]);
	return 0;
}
