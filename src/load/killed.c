// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Processes that are killed while their threads wait inside a fault, for a
 * userfaultfd that nobody answers.  That each of them is there is known: the
 * kernel said so through the descriptor.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "load.h"

static void *fault(void *arg)
{
	vml_load_write_pages(arg, 1, 1);
	return NULL;
}

/* In the child: says one byte when all its threads wait, or ends. */
static int victims(struct vml_load *l, int fd)
{
	pthread_t thread;
	uint32_t i;

	if (vml_load_uffd_register(l, l->memory, l->options.threads * l->page))
		return 1;
	for (i = 0; i < l->options.threads; i++)
		if (pthread_create(&thread, NULL, fault, l->memory + i * l->page))
			return 1;
	for (i = 0; i < l->options.threads; i++)
		if (vml_load_uffd_wait_fault(l))
			return 1;
	if (write(fd, "", 1) != 1)
		return 1;
	for (;;)
		pause();
}

/* @fd: to hear from the child */
static int kill_one(struct vml_load *l, pid_t pid, int fd)
{
	char byte;
	ssize_t n;
	int status;

	while ((n = read(fd, &byte, 1)) < 0 && errno == EINTR)
		;
	kill(pid, SIGKILL);
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	if (n != 1 || !WIFSIGNALED(status))
		return vml_load_fail(l, -ECHILD, "child %d ended with status 0x%x", pid, status);
	return 0;
}

static int one(struct vml_load *l, bool rehearsal)
{
	int fd[2], err;
	pid_t pid;

	if (pipe2(fd, O_CLOEXEC))
		return vml_load_fail(l, -errno, "cannot open a pipe");
	pid = fork();
	if (!pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		_exit(victims(l, fd[1]));
	}
	close(fd[1]);
	err = pid < 0 ? vml_load_fail(l, -errno, "cannot fork") : kill_one(l, pid, fd[0]);
	close(fd[0]);
	if (!err && !rehearsal) {
		l->calls.fork++;
		l->did[VML_DID_KILLED] += l->options.threads;
		l->did[VML_DID_PROVOKED] += l->options.threads;
	}
	return err;
}

int vml_load_killed(struct vml_load *l)
{
	uint64_t pages = l->options.threads;
	uint32_t i;
	int err;

	l->deadline_ns = UINT64_MAX;
	/*
	 * One page more, which is there: the area has an anon_vma then.  Without it
	 * two threads at once may give the VMA lock up for that, before userfaultfd.
	 */
	err = vml_load_map(l, "anon", pages + 1, &l->memory);
	if (!err)
		vml_load_write_pages(l->memory + pages * l->page, 1, 1);
	/* whether userfaultfd is allowed at all is asked here, where it can be said */
	if (!err)
		err = vml_load_uffd_register(l, l->memory, 0);
	vml_load_uffd_close(l);
	if (!err)
		err = one(l, true);
	if (!err)
		err = vml_load_begin(l);
	for (i = 0; !err && vml_load_more(l, i, false); i++)
		err = one(l, false);
	if (!err)
		err = vml_load_end(l);
	vml_load_unmap(l, l->memory, pages + 1);
	return err;
}
