// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * The layout is the kernel's (kernel/bpf/ringbuf.c): a page with the position of the
 * reader, one with that of the writers, and the data, which follow once more, so that
 * no record is in two parts.
 */
#include <errno.h>
#include <linux/bpf.h>
#include <sys/mman.h>
#include <unistd.h>

#include "collect.h"
#include "vmalock/base.h"

#define HEADER_MASK (BPF_RINGBUF_BUSY_BIT | BPF_RINGBUF_DISCARD_BIT)

int ring_open(struct ring *r, int fd, size_t bytes)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	void *p = mmap(NULL, page, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	if (p == MAP_FAILED)
		return -errno;
	*r = (struct ring){ .fd = fd, .bytes = bytes, .page = page, .read = p };
	p = mmap(NULL, page, PROT_READ, MAP_SHARED, fd, (off_t)page);
	if (p == MAP_FAILED) {
		int err = -errno;

		ring_close(r);
		return err;
	}
	r->written = p;
	return 0;
}

void ring_close(struct ring *r)
{
	if (r->read)
		munmap(r->read, r->page);
	if (r->written)
		munmap(r->written, r->page);
	*r = (struct ring){};
}

/* Calls @each with what is complete in @n bytes at @data; returns how many bytes were. */
static size_t read_records(char *data, size_t n, ring_each *each, void *arg, int *ret_err)
{
	size_t at = 0;

	while (at < n && !*ret_err) {
		uint32_t len = __atomic_load_n((uint32_t *)(data + at), __ATOMIC_ACQUIRE);
		size_t size = len & ~HEADER_MASK;

		if (len & BPF_RINGBUF_BUSY_BIT)
			break; /* being written: next time */
		if (!(len & BPF_RINGBUF_DISCARD_BIT))
			*ret_err = each(arg, data + at + BPF_RINGBUF_HDR_SZ, size);
		at += (BPF_RINGBUF_HDR_SZ + size + 7) & ~(size_t)7;
	}
	return at;
}

int ring_read(struct ring *r, ring_each *each, void *arg)
{
	unsigned long from = *r->read, n = __atomic_load_n(r->written, __ATOMIC_ACQUIRE) - from;
	size_t at = from & (r->bytes - 1), skip = at & (r->page - 1);
	size_t done;
	void *p;
	int err = 0;

	if (!n)
		return 0;
	p = mmap(NULL, skip + n, PROT_READ, MAP_SHARED, r->fd, (off_t)(2 * r->page + at - skip));
	if (p == MAP_FAILED)
		return -errno;
	done = read_records((char *)p + skip, n, each, arg, &err);
	munmap(p, skip + n);
	__atomic_store_n(r->read, from + done, __ATOMIC_RELEASE);
	return err;
}
