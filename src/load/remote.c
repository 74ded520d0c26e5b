// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Each thread has a child process and reads memory there that nobody touched:
 * get_user_pages() faults it in, in this process, with no page fault exception.
 * The child only drops its pages when it is told to.
 */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "load.h"

#define BATCH 64 /* pages of one call */

struct vml_load_peer {
	pid_t pid;
	int fd; /* a byte to the child: drop; a byte back: done. 0 when there is no child */
};

static void peer_main(int fd, uint8_t *p, size_t len)
{
	char byte;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	while (read(fd, &byte, 1) == 1)
		if ((len && madvise(p, len, MADV_DONTNEED)) || write(fd, &byte, 1) != 1)
			break;
	_exit(0);
}

static int peer_start(struct vml_load *l, uint32_t i)
{
	size_t len = l->options.pages * l->page;
	int fd[2];
	pid_t pid;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fd))
		return vml_load_fail(l, -errno, "cannot talk to a child");
	pid = fork();
	if (!pid) {
		/* the end of file is for those who are the only writer */
		for (uint32_t k = 0; k < i; k++)
			close(l->peer[k].fd);
		close(fd[0]);
		peer_main(fd[1], l->memory + i * len, len);
	}
	close(fd[1]);
	if (pid < 0) {
		close(fd[0]);
		return vml_load_fail(l, -errno, "cannot fork");
	}
	l->peer[i] = (struct vml_load_peer){ .pid = pid, .fd = fd[0] };
	return 0;
}

int vml_load_remote_open(struct vml_load *l)
{
	uint32_t i;
	int err;

	l->peer = calloc(l->options.threads + 1UL, sizeof(*l->peer));
	if (!l->peer)
		return vml_load_fail(l, -ENOMEM, "cannot keep %u children", l->options.threads);
	err = vml_load_slices_open(l);
	for (i = 0; !err && i < l->options.threads; i++)
		err = peer_start(l, i);
	return err;
}

/* One byte of each page; 0, or a negative errno. */
static int read_peer(struct vml_load_worker *w, const struct vml_load_peer *peer, uint8_t *p, uint64_t pages)
{
	struct iovec there[BATCH], here;
	uint8_t bytes[BATCH];
	uint64_t at, n;

	for (at = 0; at < pages; at += n) {
		for (n = 0; n < BATCH && at + n < pages; n++)
			there[n] = (struct iovec){ .iov_base = p + (at + n) * w->load->page, .iov_len = 1 };
		here = (struct iovec){ .iov_base = bytes, .iov_len = n };
		w->calls.process_vm_readv++;
		if (process_vm_readv(peer->pid, &here, 1, there, n, 0) != (ssize_t)n)
			return errno ? -errno : -EIO;
		w->did[VML_DID_GUP] += n;
		w->bytes += n;
	}
	return 0;
}

void vml_load_remote(struct vml_load_worker *w, bool rehearsal)
{
	struct vml_load *l = w->load;
	const struct vml_load_peer *peer = &l->peer[w->index];
	char byte = 0;
	uint32_t i;

	for (i = 0; !w->error && vml_load_more(l, i, rehearsal); i++) {
		w->error = read_peer(w, peer, vml_load_slice(w), vml_load_pages(l, rehearsal));
		if (!w->error && (write(peer->fd, &byte, 1) != 1 || read(peer->fd, &byte, 1) != 1))
			w->error = -EPIPE;
	}
}

void vml_load_remote_close(struct vml_load *l)
{
	uint32_t i;

	for (i = 0; l->peer && i < l->options.threads && l->peer[i].pid; i++) {
		close(l->peer[i].fd);
		while (waitpid(l->peer[i].pid, NULL, 0) < 0 && errno == EINTR)
			;
	}
	free(l->peer);
	vml_load_slices_close(l);
}
