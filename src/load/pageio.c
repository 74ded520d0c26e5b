// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Another process reads, through /proc/PID/mem, pages of a file that we mapped
 * and that are not in memory.  A fault of ours would drop the lock before it
 * sleeps in the input; that of __access_remote_vm() may not, so its reader
 * sleeps with our mmap_lock, once for each page.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "culprit.h"
#include "load.h"

#define MAX_REHEARSALS 30
#define STRIDE 32 /* pages: reading around one brings in its neighbours, which takes longer */

static int open_mem(struct vml_load *l)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/mem", getppid());
	l->fd = open(path, O_RDONLY | O_CLOEXEC);
	return l->fd < 0 ? -errno : 0;
}

static uint64_t file_pages(const struct vml_load *l)
{
	return (uint64_t)l->options.pages * STRIDE;
}

static int read_pages(struct vml_load *l, struct vml_load_culprit *c)
{
	static char buf[1 << 16];
	uint64_t i;

	for (i = 0; i < l->options.pages; i++) {
		ssize_t n;

		vml_load_call_begin(c);
		n = pread(l->fd, buf, l->page, (off_t)(uintptr_t)(l->memory + i * STRIDE * l->page));
		vml_load_call_end(c);
		if (n != (ssize_t)l->page)
			return n < 0 ? -errno : -EIO;
	}
	return 0;
}

/* A new one over the old one: the kernel reads nothing ahead in an open file where that often was of no use. */
static int map_again(struct vml_load *l)
{
	size_t len = file_pages(l) * l->page;
	char path[64];
	void *p;
	int fd;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", l->file);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	p = mmap(l->memory, len, PROT_READ, MAP_PRIVATE | (l->memory ? MAP_FIXED : 0), fd, 0);
	close(fd);
	if (p == MAP_FAILED)
		return -errno;
	l->memory = p;
	return 0;
}

/* Counts the pages to be read that are not in memory then. */
static int put_out(struct vml_load *l, uint64_t *ret_away)
{
	unsigned char there;
	uint64_t i;
	int err;

	*ret_away = 0;
	/* what is mapped is not dropped; a new mapping has no pages */
	err = map_again(l);
	if (!err)
		err = -posix_fadvise(l->file, 0, 0, POSIX_FADV_DONTNEED);
	for (i = 0; !err && i < l->options.pages; i++) {
		if (mincore(l->memory + i * STRIDE * l->page, l->page, &there))
			err = -errno;
		*ret_away += !(there & 1);
	}
	return err;
}

int vml_load_pageio_open(struct vml_load *l)
{
	static const struct vml_load_foreign reader = {
		.call = "pread64", .what = "/proc/PID/mem", .prepare = open_mem, .hold = read_pages
	};
	uint64_t away;
	int err;

	err = vml_load_blocking_open(l, 1);
	if (!err)
		err = vml_load_is_device(l) ? vml_load_device_open(l, file_pages(l))
					    : vml_load_file_create(l, file_pages(l));
	if (err)
		return err;
	l->file = l->fd;
	l->fd = -1;
	err = fsync(l->file) ? -errno : put_out(l, &away);
	if (err)
		return vml_load_fail(l, err, "cannot drop %s from memory", l->path);
	vml_load_region_add(l, "file", l->memory, file_pages(l));
	if (away < l->options.pages / 2 + 1)
		return vml_load_fail(l, -EOPNOTSUPP,
				     "%s stays in memory: its file system has no disk; try --file with a PATH on one",
				     l->path);
	err = vml_load_foreign_open(l, &reader);
	return err ? err : vml_load_victims_open(l);
}

/* On a busy host the input may be there before a reader that waits for a CPU asks for it. */
static bool sleeps(const struct vml_load *l)
{
	const struct vml_load_culprit *c = &l->blocking->culprit[0];

	return !c->split || vml_load_sleeping_ns(c) >= c->cpu_ns;
}

static bool more(const struct vml_load *l, uint32_t round, bool rehearsal)
{
	if (!rehearsal)
		return vml_load_more(l, round, false);
	return vml_load_rehearse_more(l, round) || (round < MAX_REHEARSALS && !sleeps(l));
}

void vml_load_pageio(struct vml_load_worker *w, bool rehearsal)
{
	struct vml_load *l = w->load;
	uint64_t away;
	uint32_t i;

	for (i = 0; !w->error && more(l, i, rehearsal); i++) {
		w->error = put_out(l, &away);
		w->calls.mmap++;
		w->did[VML_DID_AWAY] += away;
		if (!w->error)
			w->error = vml_load_foreign_hold(l);
	}
}

int vml_load_pageio_check(struct vml_load *l)
{
	/* a memory file system below, or a disk as fast as memory */
	if (!sleeps(l))
		return vml_load_fail(l, -EOPNOTSUPP,
				     "input from %s is too fast to sleep in; try --file with a PATH on a disk",
				     l->path);
	return vml_load_blocking_check(l, "");
}

void vml_load_pageio_close(struct vml_load *l)
{
	vml_load_foreign_close(l);
	if (l->memory)
		munmap(l->memory, file_pages(l) * l->page);
	/* fd is what the victims read once the file has its own place */
	if (l->file) {
		vml_load_victims_close(l);
		l->fd = l->file;
	}
	vml_load_file_remove(l);
}
