// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Children that write to pages nobody touched before, and exit. */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "load.h"

#define MAX_CHILDREN 10000 /* in the report */

static int wait_child(struct vml_load *l, bool record)
{
	struct rusage ru;
	int status;
	pid_t pid;

	while ((pid = wait4(-1, &status, 0, &ru)) < 0)
		if (errno != EINTR)
			return vml_load_fail(l, -errno, "cannot wait for a child");
	if (!WIFEXITED(status) || WEXITSTATUS(status))
		return vml_load_fail(l, -ECHILD, "child %d ended with status 0x%x", pid, status);
	if (!record)
		return 0;
	if (l->nchildren < l->max_children)
		l->child[l->nchildren] =
			(struct vml_load_child){ .pid = pid, .minor = ru.ru_minflt, .major = ru.ru_majflt };
	l->nchildren++;
	return 0;
}

static int fork_batch(struct vml_load *l, uint32_t n, bool rehearsal)
{
	uint32_t made, i;
	int err = 0;

	for (made = 0; made < n; made++) {
		pid_t pid = fork();

		if (pid < 0) {
			err = vml_load_fail(l, -errno, "cannot fork");
			break;
		}
		if (!pid) {
			vml_load_write_pages(l->memory, l->options.pages, l->page);
			_exit(0);
		}
	}
	for (i = 0; i < made; i++) {
		int e = wait_child(l, !rehearsal);

		err = err ? err : e;
	}
	l->bytes += rehearsal ? 0 : (uint64_t)made * l->options.pages * l->page;
	return err;
}

static int vfork_child(void *arg)
{
	struct vml_load *l = arg;

	vml_load_write_pages(l->memory, l->options.pages, l->page);
	return 0;
}

static int vfork_one(struct vml_load *l, bool rehearsal)
{
	size_t len = l->options.pages * l->page;
	pid_t pid;
	int err;

	/* as vfork(2), but with a stack of its own */
	pid = clone(vfork_child, l->stacks + VML_LOAD_STACK, CLONE_VM | CLONE_VFORK | SIGCHLD, l);
	if (pid < 0)
		return vml_load_fail(l, -errno, "cannot vfork");
	err = wait_child(l, !rehearsal);
	if (!err && len && madvise(l->memory, len, MADV_DONTNEED))
		err = vml_load_fail(l, -errno, "cannot drop pages");
	if (!rehearsal) {
		l->calls.madvise++;
		l->bytes += len;
	}
	return err;
}

/* The next pid the kernel gives is @pid, unless somebody else forks first. */
static int set_next_pid(struct vml_load *l, pid_t pid)
{
	char buf[16];
	int n = snprintf(buf, sizeof(buf), "%d", pid - 1);

	if (pwrite(l->fd, buf, n, 0) != n)
		return vml_load_fail(l, -errno, "cannot choose the next pid (kernel.ns_last_pid, needs root)");
	return 0;
}

/* *@want: the pid to have, 0 for any. Returns 1 when the child had another one and did nothing. */
static int fork_as(struct vml_load *l, pid_t *want, bool rehearsal)
{
	pid_t pid;
	int err = 0;

	if (*want)
		err = set_next_pid(l, *want);
	if (err)
		return err;
	pid = fork();
	if (pid < 0)
		return vml_load_fail(l, -errno, "cannot fork");
	if (!pid) {
		if (!*want || getpid() == *want)
			vml_load_write_pages(l->memory, l->options.pages, l->page);
		_exit(0);
	}
	if (!*want)
		*want = pid;
	err = wait_child(l, !rehearsal && pid == *want);
	if (!rehearsal && pid == *want)
		l->bytes += l->options.pages * l->page;
	return err ? err : pid != *want;
}

static int prepare(struct vml_load *l, uint64_t children)
{
	uint32_t i;

	l->deadline_ns = UINT64_MAX;
	l->max_children = children < MAX_CHILDREN ? children : MAX_CHILDREN;
	l->child = calloc(l->max_children + 1, sizeof(*l->child));
	if (!l->child)
		return vml_load_fail(l, -ENOMEM, "cannot keep %u children", l->max_children);
	/* written, so that it is there in the steady part */
	for (i = 0; i < l->max_children; i++)
		l->child[i].pid = -1;
	return vml_load_map(l, "anon", l->options.pages, &l->memory);
}

int vml_load_fork(struct vml_load *l)
{
	uint32_t i;
	int err;

	err = vml_load_allow_threads(l, l->options.threads);
	if (!err)
		err = prepare(l, (uint64_t)l->options.threads * l->options.rounds);
	if (!err)
		err = fork_batch(l, 1, true);
	if (!err)
		err = vml_load_begin(l);
	for (i = 0; !err && vml_load_more(l, i, false); i++)
		err = fork_batch(l, l->options.threads, false);
	if (!err)
		err = vml_load_end(l);
	vml_load_unmap(l, l->memory, l->options.pages);
	return err;
}

int vml_load_vfork(struct vml_load *l)
{
	uint32_t i;
	int err;

	err = prepare(l, l->options.rounds);
	if (!err)
		err = vml_load_stacks_map(l, 1);
	if (!err)
		err = vfork_one(l, true);
	if (!err)
		err = vml_load_begin(l);
	for (i = 0; !err && vml_load_more(l, i, false); i++)
		err = vfork_one(l, false);
	if (!err)
		err = vml_load_end(l);
	vml_load_stacks_unmap(l);
	vml_load_unmap(l, l->memory, l->options.pages);
	return err;
}

int vml_load_pidreuse(struct vml_load *l)
{
	pid_t want = 0;
	uint32_t tries = 0;
	int err;

	l->fd = open("/proc/sys/kernel/ns_last_pid", O_WRONLY | O_CLOEXEC);
	if (l->fd < 0)
		return vml_load_fail(l, errno == ENOENT ? -EOPNOTSUPP : -errno,
				     "cannot open /proc/sys/kernel/ns_last_pid (CONFIG_CHECKPOINT_RESTORE)");
	err = prepare(l, l->options.rounds);
	if (!err)
		err = fork_as(l, &want, true);
	want = 0;
	if (!err)
		err = vml_load_begin(l);
	while (!err && vml_load_more(l, l->nchildren, false)) {
		err = fork_as(l, &want, false);
		if (err > 0)
			err = ++tries < 1000 ? 0 : vml_load_fail(l, -EAGAIN, "others took pid %d 1000 times", want);
	}
	if (!err)
		err = vml_load_end(l);
	vml_load_unmap(l, l->memory, l->options.pages);
	close(l->fd);
	return err;
}
