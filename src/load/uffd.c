// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * userfaultfd: faults that another thread resolves, and the ioctls it does that
 * with.  Only faults of user mode are asked for, which needs no privilege.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "load.h"

struct vml_load_uffd {
	int fd, stop[2];
	size_t page;
	uint8_t *start, *source; /* a page to copy */
	pthread_t thread;
	bool running;
};

/* One page is there afterwards; 0, or a negative errno. */
static int resolve(const struct vml_load_uffd *u, uint8_t *p)
{
	struct uffdio_copy copy = { .dst = (uintptr_t)p, .src = (uintptr_t)u->source, .len = u->page };
	struct uffdio_zeropage zero = { .range = { .start = (uintptr_t)p, .len = u->page } };
	bool odd = (p - u->start) / u->page % 2;

	if (odd ? ioctl(u->fd, UFFDIO_ZEROPAGE, &zero) : ioctl(u->fd, UFFDIO_COPY, &copy))
		return -errno;
	return 0;
}

static void *monitor(void *arg)
{
	const struct vml_load_uffd *u = arg;
	struct pollfd fds[] = { { .fd = u->fd, .events = POLLIN }, { .fd = u->stop[0], .events = POLLIN } };
	struct uffd_msg msg;
	uintptr_t address;

	for (;;) {
		if (poll(fds, 2, -1) < 0 && errno != EINTR)
			break;
		if (fds[1].revents)
			break;
		if (read(u->fd, &msg, sizeof(msg)) != sizeof(msg) || msg.event != UFFD_EVENT_PAGEFAULT)
			continue;
		address = msg.arg.pagefault.address / u->page * u->page;
		/* EAGAIN: the mapping is being changed; the fault comes back */
		while (resolve(u, (uint8_t *)address) == -EAGAIN)
			;
	}
	return NULL;
}

static int uffd_new(struct vml_load *l)
{
	struct uffdio_api api = { .api = UFFD_API };
	struct vml_load_uffd *u = l->uffd;

	u->fd = syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK | UFFD_USER_MODE_ONLY);
	if (u->fd < 0)
		return vml_load_fail(l, -EOPNOTSUPP, "userfaultfd is refused here (%s; CONFIG_USERFAULTFD, seccomp)",
				     strerror(errno));
	if (ioctl(u->fd, UFFDIO_API, &api))
		return vml_load_fail(l, -EOPNOTSUPP, "userfaultfd has another interface here (%s)", strerror(errno));
	return 0;
}

int vml_load_uffd_register(struct vml_load *l, uint8_t *p, size_t len)
{
	struct uffdio_register reg = {
		.range = { .start = (uintptr_t)p, .len = len },
		.mode = UFFDIO_REGISTER_MODE_MISSING,
	};
	struct vml_load_uffd *u = calloc(1, sizeof(*u));
	int err;

	if (!u)
		return vml_load_fail(l, -ENOMEM, "cannot use userfaultfd");
	*u = (struct vml_load_uffd){ .fd = -1, .stop = { -1, -1 }, .page = l->page, .start = p };
	l->uffd = u;
	u->source = aligned_alloc(l->page, l->page);
	if (!u->source)
		return vml_load_fail(l, -ENOMEM, "cannot use userfaultfd");
	vml_load_write_pages(u->source, 1, 1);
	err = uffd_new(l);
	if (!err && len && ioctl(u->fd, UFFDIO_REGISTER, &reg))
		err = vml_load_fail(l, -errno, "cannot register memory with userfaultfd");
	return err;
}

/* They go to the monitor: pages of even index are copied, others zero. */
static int uffd_open(struct vml_load *l, uint8_t *p, size_t len)
{
	struct vml_load_uffd *u;
	int err;

	err = vml_load_uffd_register(l, p, len);
	if (err)
		return err;
	u = l->uffd;
	if (pipe2(u->stop, O_CLOEXEC))
		return vml_load_fail(l, -errno, "cannot open a pipe");
	err = -pthread_create(&u->thread, NULL, monitor, u);
	if (err)
		return vml_load_fail(l, err, "cannot create the thread that resolves faults");
	u->running = true;
	return 0;
}

int vml_load_uffd_wait_fault(struct vml_load *l)
{
	struct pollfd fd = { .fd = l->uffd->fd, .events = POLLIN };
	struct uffd_msg msg;

	while (poll(&fd, 1, -1) < 0 && errno == EINTR)
		;
	return read(l->uffd->fd, &msg, sizeof(msg)) == sizeof(msg) ? 0 : -EIO;
}

void vml_load_uffd_close(struct vml_load *l)
{
	struct vml_load_uffd *u = l->uffd;

	if (!u)
		return;
	if (u->running) {
		close(u->stop[1]);
		u->stop[1] = -1;
		pthread_join(u->thread, NULL);
	}
	for (int i = 0; i < 2; i++)
		if (u->stop[i] >= 0)
			close(u->stop[i]);
	if (u->fd >= 0)
		close(u->fd);
	free(u->source);
	free(u);
	l->uffd = NULL;
}

/* ---- userfaultfd: faults that wait for the monitor */

static size_t all_slices(const struct vml_load *l)
{
	return (size_t)l->options.threads * l->options.pages * l->page;
}

int vml_load_userfaultfd_open(struct vml_load *l)
{
	int err;

	err = vml_load_slices_open(l);
	return err ? err : uffd_open(l, l->memory, all_slices(l));
}

void vml_load_userfaultfd(struct vml_load_worker *w, bool rehearsal)
{
	struct vml_load *l = w->load;
	uint64_t pages = vml_load_pages(l, rehearsal);
	uint32_t i;

	/* only reads: a write to the zero page would fault again */
	for (i = 0; !w->error && vml_load_more(l, i, rehearsal); i++) {
		vml_load_read_pages(vml_load_slice(w), pages, l->page);
		w->did[VML_DID_RESOLVED] += pages;
		w->did[VML_DID_PROVOKED] += pages;
		w->bytes += pages * l->page;
		vml_load_drop(w, vml_load_slice(w), pages * l->page);
	}
}

void vml_load_userfaultfd_close(struct vml_load *l)
{
	vml_load_uffd_close(l);
	vml_load_slices_close(l);
}

/* ---- uffdio: pages that appear by ioctl, without a fault */

int vml_load_uffdio_open(struct vml_load *l)
{
	int err;

	err = vml_load_slices_open(l);
	return err ? err : vml_load_uffd_register(l, l->memory, all_slices(l));
}

void vml_load_uffdio(struct vml_load_worker *w, bool rehearsal)
{
	struct vml_load *l = w->load;
	uint64_t pages = vml_load_pages(l, rehearsal), k;
	uint32_t i;

	for (i = 0; !w->error && vml_load_more(l, i, rehearsal); i++) {
		for (k = 0; !w->error && k < pages; k++) {
			w->calls.ioctl++;
			w->error = resolve(l->uffd, vml_load_slice(w) + k * l->page);
		}
		w->bytes += pages * l->page;
		vml_load_drop(w, vml_load_slice(w), pages * l->page);
	}
}
