// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* A culprit in another process: a child that holds our mmap_lock when it is told to. */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "culprit.h"
#include "load.h"

struct vml_load_ward {
	pid_t pid;
	int fd; /* a byte to the child: hold; an int back: 0 or negative errno */
};

static void ward_main(struct vml_load *l, const struct vml_load_foreign *f, int fd)
{
	struct vml_load_culprit *c = &l->blocking->culprit[0];
	char byte;
	int err;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	/* who reads what the load says must not wait for us */
	close(STDIN_FILENO);
	close(STDOUT_FILENO);
	if (f->call)
		vml_load_culprit_is_me(c, true);
	/* the first byte: our parent allows what prepare() does */
	if (read(fd, &byte, 1) != 1)
		_exit(0);
	err = f->prepare(l);
	while (write(fd, &err, sizeof(err)) == sizeof(err) && read(fd, &byte, 1) == 1)
		err = f->hold(l, c);
	_exit(0);
}

int vml_load_foreign_open(struct vml_load *l, const struct vml_load_foreign *f)
{
	struct vml_load_culprit *c = &l->blocking->culprit[0];
	int fd[2], err;

	l->ward = calloc(1, sizeof(*l->ward));
	if (!l->ward)
		return vml_load_fail(l, -ENOMEM, "cannot keep a child");
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fd))
		return vml_load_fail(l, -errno, "cannot talk to a child");
	l->ward->pid = fork();
	if (!l->ward->pid) {
		close(fd[0]);
		ward_main(l, f, fd[1]);
	}
	close(fd[1]);
	l->ward->fd = fd[0];
	if (l->ward->pid < 0)
		return vml_load_fail(l, -errno, "cannot fork");
	if (f->call) {
		c->call = f->call;
		c->what = f->what;
		c->write = f->write;
		c->pid = c->tid = l->ward->pid;
	}
	/* a child may not read the memory of its parent where Yama is on; EINVAL where it is not */
	prctl(PR_SET_PTRACER, l->ward->pid, 0, 0, 0);
	err = vml_load_foreign_hold(l);
	if (err)
		return vml_load_fail(l, -EOPNOTSUPP, "another process cannot do that to this one: %s", strerror(-err));
	return 0;
}

int vml_load_foreign_ask(struct vml_load *l)
{
	return write(l->ward->fd, "", 1) == 1 ? 0 : -EPIPE;
}

int vml_load_foreign_answer(struct vml_load *l)
{
	int err;

	return read(l->ward->fd, &err, sizeof(err)) == sizeof(err) ? err : -EPIPE;
}

int vml_load_foreign_hold(struct vml_load *l)
{
	int err = vml_load_foreign_ask(l);

	return err ? err : vml_load_foreign_answer(l);
}

void vml_load_foreign_rounds(struct vml_load_worker *w, bool rehearsal)
{
	struct vml_load *l = w->load;
	uint32_t i;

	for (i = 0; !w->error && (rehearsal ? vml_load_rehearse_more(l, i) : vml_load_more(l, i, false)); i++)
		w->error = vml_load_foreign_hold(l);
}

void vml_load_foreign_close(struct vml_load *l)
{
	if (!l->ward)
		return;
	close(l->ward->fd);
	if (l->ward->pid > 0) {
		/* it may be throttled: do not wait until it gets to read the end of file */
		kill(l->ward->pid, SIGKILL);
		while (waitpid(l->ward->pid, NULL, 0) < 0 && errno == EINTR)
			;
	}
	free(l->ward);
	l->ward = NULL;
}
