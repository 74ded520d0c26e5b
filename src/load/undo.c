// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * What a load changes on the host must not stay there when the load is killed.
 * A child reads from a pipe that nobody writes to: it wakes when we are gone.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "load.h"

struct vml_load_undo {
	pid_t pid;
	int fd;
};

static void wait_and_undo(const int fd[2], void (*undo)(const void *arg), const void *arg)
{
	char byte;

	/* ^C and a closed terminal are for the load */
	setsid();
	signal(SIGTERM, SIG_IGN);
	close(fd[1]);
	/* who reads what the load says must not wait for us */
	close(STDIN_FILENO);
	close(STDOUT_FILENO);
	while (read(fd[0], &byte, 1) < 0 && errno == EINTR)
		;
	undo(arg);
	_exit(0);
}

int vml_load_undo_later(struct vml_load *l, void (*undo)(const void *arg), const void *arg)
{
	struct vml_load_undo *u = calloc(1, sizeof(*u));
	int fd[2];

	if (!u)
		return vml_load_fail(l, -ENOMEM, "cannot prepare to undo");
	if (pipe2(fd, O_CLOEXEC)) {
		free(u);
		return vml_load_fail(l, -errno, "cannot prepare to undo");
	}
	u->pid = fork();
	if (!u->pid)
		wait_and_undo(fd, undo, arg);
	close(fd[0]);
	if (u->pid < 0) {
		close(fd[1]);
		free(u);
		return vml_load_fail(l, -errno, "cannot fork");
	}
	u->fd = fd[1];
	l->undo = u;
	return 0;
}

void vml_load_undo_now(struct vml_load *l)
{
	if (!l->undo)
		return;
	close(l->undo->fd);
	while (waitpid(l->undo->pid, NULL, 0) < 0 && errno == EINTR)
		;
	free(l->undo);
	l->undo = NULL;
}
