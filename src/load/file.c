// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Three mappings of one file in the page cache: a private one that is read, a
 * private one that is read and written (copy-on-write, with and without a page
 * that was mapped before), a shared one that is written.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "load.h"

void vml_load_file(struct vml_load_worker *w, bool rehearsal)
{
	struct vml_load *l = w->load;
	uint64_t pages = vml_load_pages(l, rehearsal);
	size_t at = w->index * (uint64_t)l->options.pages * l->page, len = pages * l->page;
	uint32_t i;

	for (i = 0; !w->error && vml_load_more(l, i, rehearsal); i++) {
		vml_load_read_pages(l->rest + at, pages, l->page);
		vml_load_drop(w, l->rest + at, len);
		/* every second page is mapped first; the kernel maps its neighbours around it */
		vml_load_read_pages(l->copy + at, pages / 2, 2 * l->page);
		vml_load_write_pages(l->copy + at, pages, l->page);
		vml_load_drop(w, l->copy + at, len);
		vml_load_write_pages(l->memory + at, pages, l->page);
		vml_load_drop(w, l->memory + at, len);
		w->bytes += 3 * len;
	}
}

static int open_file(struct vml_load *l)
{
	const char *dir = getenv("TMPDIR");

	if (l->options.path) {
		snprintf(l->path, sizeof(l->path), "%s", l->options.path);
		if (strcmp(l->path, l->options.path))
			return vml_load_fail(l, -ENAMETOOLONG, "cannot use %s", l->path);
		l->fd = open(l->path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	} else {
		snprintf(l->path, sizeof(l->path), "%s/vmalock-load-XXXXXX", dir && *dir ? dir : "/tmp");
		l->fd = mkostemp(l->path, O_CLOEXEC);
		/* nothing is left behind, however this ends */
		if (l->fd >= 0)
			unlink(l->path);
	}
	l->unlink = l->fd >= 0 && l->options.path;
	return l->fd < 0 ? vml_load_fail(l, -errno, "cannot create %s", l->path) : 0;
}

static int fill(struct vml_load *l, uint64_t pages)
{
	char page[1 << 16]; /* the largest page there is */
	uint64_t i;

	memset(page, 'v', sizeof(page));
	for (i = 0; i < pages; i++) {
		ssize_t n = write(l->fd, page, l->page);

		if (n != (ssize_t)l->page)
			return vml_load_fail(l, n < 0 ? -errno : -ENOSPC, "cannot write %s", l->path);
	}
	return 0;
}

static int map(struct vml_load *l, const char *name, uint64_t pages, int prot, int flags, uint8_t **ret)
{
	void *p = mmap(NULL, pages * l->page, prot, flags, l->fd, 0);

	if (p == MAP_FAILED)
		return vml_load_fail(l, -errno, "cannot map %s", l->path);
	/* huge pages of the page cache would be mapped whole */
	madvise(p, pages * l->page, MADV_NOHUGEPAGE);
	*ret = p;
	vml_load_region_add(l, name, p, pages);
	return 0;
}

static uint64_t file_pages(const struct vml_load *l)
{
	return (uint64_t)l->options.threads * l->options.pages;
}

bool vml_load_is_device(const struct vml_load *l)
{
	struct stat st;

	return l->options.path && !stat(l->options.path, &st) && S_ISBLK(st.st_mode);
}

int vml_load_device_open(struct vml_load *l, uint64_t pages)
{
	uint64_t size = 0;

	snprintf(l->path, sizeof(l->path), "%s", l->options.path);
	l->fd = open(l->path, O_RDONLY | O_CLOEXEC);
	if (l->fd < 0 || ioctl(l->fd, BLKGETSIZE64, &size))
		return vml_load_fail(l, -errno, "cannot read %s", l->path);
	if (size < pages * l->page)
		return vml_load_fail(l, -EOPNOTSUPP, "%s has less than %llu pages", l->path, (unsigned long long)pages);
	return 0;
}

int vml_load_file_create(struct vml_load *l, uint64_t pages)
{
	int err;

	if (!pages)
		return vml_load_fail(l, -EINVAL, "an empty file cannot be mapped");
	err = open_file(l);
	return err ? err : fill(l, pages);
}

void vml_load_file_remove(struct vml_load *l)
{
	if (l->fd < 0)
		return;
	close(l->fd);
	if (l->unlink)
		unlink(l->path);
	l->fd = -1;
}

int vml_load_file_open(struct vml_load *l)
{
	uint64_t pages = file_pages(l);
	int err;

	err = vml_load_file_create(l, pages);
	if (!err)
		err = map(l, "read", pages, PROT_READ, MAP_PRIVATE, &l->rest);
	if (!err)
		err = map(l, "copy", pages, PROT_READ | PROT_WRITE, MAP_PRIVATE, &l->copy);
	if (!err)
		err = map(l, "shared", pages, PROT_READ | PROT_WRITE, MAP_SHARED, &l->memory);
	return err;
}

void vml_load_file_close(struct vml_load *l)
{
	uint8_t *const p[] = { l->rest, l->copy, l->memory };
	unsigned int i;

	for (i = 0; i < 3; i++)
		if (p[i])
			munmap(p[i], file_pages(l) * l->page);
	vml_load_file_remove(l);
}
