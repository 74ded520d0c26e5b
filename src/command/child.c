// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "child.h"

/* The forked process: waits for the byte, then is another program. */
static void become(char *const *argv, int go, int failed)
{
	int error;
	char byte;

	if (read(go, &byte, 1) != 1)
		_exit(0);
	execvp(argv[0], argv);
	error = errno;
	if (write(failed, &error, sizeof(error)) < 0)
		_exit(126);
	_exit(error == ENOENT ? 127 : 126);
}

int child_prepare(struct child *c, char *const *argv)
{
	int go[2], failed[2], err;

	*c = (struct child){ .fd = -1, .go = -1, .failed = -1 };
	if (pipe2(go, O_CLOEXEC))
		return -errno;
	if (pipe2(failed, O_CLOEXEC)) {
		err = -errno;
		close(go[0]);
		close(go[1]);
		return err;
	}
	c->pid = fork();
	if (!c->pid) {
		close(go[1]);
		become(argv, go[0], failed[1]);
	}
	err = c->pid < 0 ? -errno : 0;
	close(go[0]);
	close(failed[1]);
	c->go = go[1];
	c->failed = failed[0];
	if (!err) {
		c->fd = pidfd_open(c->pid, 0);
		err = c->fd < 0 ? -errno : 0;
	} else {
		c->pid = 0;
	}
	if (err)
		child_close(c);
	return err;
}

static int runnable(const char *file)
{
	struct stat st;

	if (stat(file, &st))
		return -errno;
	if (!S_ISREG(st.st_mode))
		return -EACCES;
	return faccessat(AT_FDCWD, file, X_OK, AT_EACCESS) ? -errno : 0;
}

int child_find(const char *name)
{
	const char *at = getenv("PATH"), *end;
	int found, err = -ENOENT;
	char *file;

	if (!*name || strchr(name, '/'))
		return runnable(name);
	for (at = at ? at : "/bin:/usr/bin";; at = end + 1) {
		end = strchrnul(at, ':');
		if (asprintf(&file, "%.*s%s%s", (int)(end - at), at, end > at ? "/" : "", name) < 0)
			return -ENOMEM;
		found = runnable(file);
		free(file);
		if (!found)
			return 0;
		err = found == -EACCES ? found : err;
		if (!*end)
			return err;
	}
}

static void close_one(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

int child_go(struct child *c)
{
	int error = 0;
	ssize_t n;

	/* one that was killed meanwhile does not read: that is its status, and no failure of ours */
	n = write(c->go, "", 1);
	close_one(&c->go);
	if (n == 1)
		do {
			n = read(c->failed, &error, sizeof(error)); /* 0 when the program runs */
		} while (n < 0 && errno == EINTR);
	close_one(&c->failed);
	if (n != sizeof(error))
		return 0;
	waitpid(c->pid, &c->status, 0);
	c->ended = true;
	return error;
}

bool child_ended(struct child *c)
{
	if (!c->ended)
		c->ended = waitpid(c->pid, &c->status, WNOHANG) == c->pid;
	return c->ended;
}

void child_terminate(struct child *c)
{
	if (!c->ended)
		kill(c->pid, SIGTERM);
}

int child_status(const struct child *c)
{
	return WIFEXITED(c->status) ? WEXITSTATUS(c->status) : 128 + WTERMSIG(c->status);
}

void child_close(struct child *c)
{
	bool waits = c->go >= 0;

	if (!c->pid)
		return;
	close_one(&c->go);
	if (waits && !c->ended)
		waitpid(c->pid, &c->status, 0);
	close_one(&c->failed);
	close_one(&c->fd);
}
