// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Another process reads what /proc says of our memory, as monitoring agents do. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "culprit.h"
#include "load.h"

#define AREAS 4 /* of the populated region: one read says all of them, in one hold */

static const struct vml_load_foreign files[] = {
	{ .call = "read", .what = "smaps" },
	{ .call = "read", .what = "smaps_rollup" },
	{ .call = "read", .what = "numa_maps" },
	{ .call = "read", .what = "pagemap" },
	{ .call = "write", .what = "clear_refs", .write = true },
};

static const struct vml_load_foreign *find(const char *by)
{
	unsigned int i;

	for (i = 0; i < sizeof(files) / sizeof(files[0]); i++)
		if (!strcmp(files[i].what, by))
			return &files[i];
	return NULL;
}

bool vml_load_smaps_knows(const char *by)
{
	return find(by);
}

static const char *by_of(const struct vml_load *l)
{
	return l->options.by ? l->options.by : "smaps";
}

/* In the child: l->fd is its own now. */
static int open_file(struct vml_load *l)
{
	const struct vml_load_foreign *f = find(by_of(l));
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/%s", getppid(), f->what);
	l->fd = open(path, (f->write ? O_WRONLY : O_RDONLY) | O_CLOEXEC);
	return l->fd < 0 ? -errno : 0;
}

static int read_all(struct vml_load *l, struct vml_load_culprit *c)
{
	static char buf[1 << 16];
	off_t at = 0, end = 0;
	ssize_t n;

	if (!strcmp(by_of(l), "pagemap")) {
		/* eight bytes for each page */
		at = (uintptr_t)l->memory / l->page * 8;
		end = at + (off_t)l->options.pages * 8;
	}
	do {
		size_t want = end && end - at < (off_t)sizeof(buf) ? (size_t)(end - at) : sizeof(buf);

		vml_load_call_begin(c);
		n = want ? pread(l->fd, buf, want, at) : 0;
		vml_load_call_end(c);
		at += n;
	} while (n > 0);
	return n < 0 ? -errno : 0;
}

static int write_once(struct vml_load *l, struct vml_load_culprit *c)
{
	ssize_t n;

	vml_load_call_begin(c);
	/* of all pages, that they were referenced */
	n = pwrite(l->fd, "1", 1, 0);
	vml_load_call_end(c);
	return n == 1 ? 0 : -errno;
}

int vml_load_smaps_open(struct vml_load *l)
{
	uint64_t pages = l->options.pages, i;
	struct vml_load_foreign f = *find(by_of(l));
	char path[64];
	int err;

	snprintf(path, sizeof(path), "/proc/self/%s", f.what);
	if (access(path, f.write ? W_OK : R_OK))
		return vml_load_fail(l, -EOPNOTSUPP, "cannot open %s: %s", path, strerror(errno));
	err = vml_load_blocking_open(l, 1);
	if (!err)
		err = vml_load_map(l, "populated", pages, &l->memory);
	if (err)
		return err;
	f.prepare = open_file;
	f.hold = f.write ? write_once : read_all;
	/* before there is anything that a child would share */
	err = vml_load_foreign_open(l, &f);
	if (err)
		return err;
	for (i = 0; i < AREAS; i += 2)
		if (pages / AREAS &&
		    madvise(l->memory + i * (pages / AREAS) * l->page, pages / AREAS * l->page, MADV_DONTDUMP))
			return vml_load_fail(l, -errno, "cannot split memory");
	vml_load_write_pages(l->memory, pages, l->page);
	return vml_load_victims_open(l);
}

int vml_load_smaps_check(struct vml_load *l)
{
	return vml_load_blocking_check(l,
				       ": it takes no mmap_lock for long here (smaps and numa_maps: since Linux 7.2); "
				       "try --by clear_refs, or more --pages");
}

void vml_load_smaps_close(struct vml_load *l)
{
	vml_load_foreign_close(l);
	vml_load_unmap(l, l->memory, l->options.pages);
	vml_load_victims_close(l);
}
