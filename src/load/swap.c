// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Pages that are written out and come back.  A host that has no swap gets some
 * while the load runs: compressed memory (zram), a file, or a block device that is
 * empty where swap begins.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/swap.h>
#include <time.h>
#include <unistd.h>

#include "load.h"

#ifndef MADV_PAGEOUT
#define MADV_PAGEOUT 21
#endif

#define MAX_TRIES 50 /* to have all pages of a round out */
#define MIN_BYTES (4UL << 20)
#define ZRAM_NEW "/sys/class/zram-control/hot_add"
#define ZRAM_END "/sys/class/zram-control/hot_remove"

/* What to undo. */
struct area {
	char path[256];
	char zram[24]; /* number; "" for a file */
	bool device; /* that was there before */
	size_t page;
};

/* The device is as empty as it was. */
static void wipe(const struct area *a)
{
	static const char zeros[1 << 16];
	int fd = open(a->path, O_WRONLY | O_CLOEXEC);

	if (fd < 0)
		return;
	if (write(fd, zeros, a->page) > 0)
		fsync(fd);
	close(fd);
}

static void swap_off(const void *arg)
{
	const struct area *a = arg;
	char reset[64];

	swapoff(a->path);
	if (a->device) {
		wipe(a);
		return;
	}
	if (!*a->zram) {
		unlink(a->path);
		return;
	}
	snprintf(reset, sizeof(reset), "/sys/block/zram%s/reset", a->zram);
	vml_load_write_text(reset, "1");
	vml_load_write_text(ZRAM_END, a->zram);
}

static bool host_has_swap(void)
{
	char line[256];
	FILE *f = fopen("/proc/swaps", "re");
	bool has;

	if (!f)
		return false;
	has = fgets(line, sizeof(line), f) && fgets(line, sizeof(line), f);
	fclose(f);
	return has;
}

/* Source: include/linux/swap.h union swap_header; what mkswap(8) writes. */
static int write_header(int fd, size_t page, uint64_t bytes)
{
	uint32_t info[] = { 1, bytes / page - 1, 0 };

	if (pwrite(fd, info, sizeof(info), 1024) != sizeof(info) || pwrite(fd, "SWAPSPACE2", 10, page - 10) != 10)
		return -EIO;
	return fsync(fd) ? -errno : 0;
}

static int use(const struct area *a)
{
	return swapon(a->path, 0) ? -errno : 0;
}

static int zram_new(struct vml_load *l, uint64_t bytes, struct area *a)
{
	char size[24], path[64];
	uint64_t id;
	int fd, err;

	err = vml_load_read_number(ZRAM_NEW, &id);
	if (err)
		return err;
	snprintf(a->zram, sizeof(a->zram), "%llu", (unsigned long long)id);
	snprintf(a->path, sizeof(a->path), "/dev/zram%s", a->zram);
	err = vml_load_undo_later(l, swap_off, a);
	if (err) {
		vml_load_write_text(ZRAM_END, a->zram);
		return err;
	}
	snprintf(path, sizeof(path), "/sys/block/zram%s/disksize", a->zram);
	snprintf(size, sizeof(size), "%llu", (unsigned long long)bytes);
	err = vml_load_write_text(path, size);
	if (err)
		return err;
	fd = open(a->path, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	err = write_header(fd, l->page, bytes);
	close(fd);
	return err ? err : use(a);
}

static int file_new(struct vml_load *l, uint64_t bytes, struct area *a)
{
	const char *dir = getenv("TMPDIR");
	int fd, err;

	if (l->options.path)
		snprintf(a->path, sizeof(a->path), "%s", l->options.path);
	else
		snprintf(a->path, sizeof(a->path), "%s/vmalock-swap-XXXXXX", dir && *dir ? dir : "/tmp");
	fd = l->options.path ? open(a->path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600)
			     : mkostemp(a->path, O_CLOEXEC);
	if (fd < 0)
		return -errno;
	err = vml_load_undo_later(l, swap_off, a);
	if (err)
		unlink(a->path);
	/* no holes; posix_fallocate(3) would write where the file system cannot */
	if (!err && fallocate(fd, 0, 0, bytes))
		err = -errno;
	if (!err)
		err = write_header(fd, l->page, bytes);
	close(fd);
	return err ? err : use(a);
}

/* Nothing is on it that anybody could miss. */
static int is_empty(int fd, size_t page)
{
	char text[1 << 16];
	size_t i;

	if (pread(fd, text, page, 0) != (ssize_t)page)
		return -EIO;
	for (i = 0; i < page; i++)
		if (text[i])
			return -ENOTEMPTY;
	return 0;
}

static int device_new(struct vml_load *l, uint64_t bytes, struct area *a)
{
	uint64_t size;
	int fd, err;

	*a = (struct area){ .device = true, .page = l->page };
	snprintf(a->path, sizeof(a->path), "%s", l->options.path);
	fd = open(a->path, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	err = ioctl(fd, BLKGETSIZE64, &size) ? -errno : is_empty(fd, l->page);
	if (!err)
		err = vml_load_undo_later(l, swap_off, a);
	if (!err)
		err = write_header(fd, l->page, bytes < size ? bytes : size);
	close(fd);
	return err ? err : use(a);
}

enum swap_kind {
	SWAP_ANY, /* what the host has, or memory (zram), or a file */
	SWAP_FILE, /* only a file: reading it back takes time */
};

/* Names in l->path what it made; nothing when the host had swap. */
static int swap_on(struct vml_load *l, enum swap_kind kind, uint64_t bytes)
{
	struct area a = { 0 };
	int err = -ENODEV;

	if (kind == SWAP_ANY && !l->options.path && host_has_swap())
		return 0;
	bytes = bytes < MIN_BYTES ? MIN_BYTES : bytes;
	if (geteuid())
		return vml_load_fail(l, -EOPNOTSUPP, "swap for the time of the load needs root");
	if (kind == SWAP_ANY && !l->options.path)
		err = zram_new(l, bytes, &a);
	if (err) {
		vml_load_undo_now(l);
		a = (struct area){ 0 };
		err = vml_load_is_device(l) ? device_new(l, bytes, &a) : file_new(l, bytes, &a);
	}
	if (err)
		vml_load_undo_now(l);
	if (err == -ENOTEMPTY)
		return vml_load_fail(l, -EOPNOTSUPP, "%s does not begin with zeros: something is on it", a.path);
	if (err)
		return vml_load_fail(
			l, -EOPNOTSUPP,
			"no swap%s, and none at %s (%s); try --file with a PATH on a disk, or an empty device",
			kind == SWAP_ANY ? " on this host, no zram" : "", a.path, strerror(-err));
	memcpy(l->path, a.path, sizeof(l->path));
	return 0;
}

/* ---- the scenario, and reason folio_locked */

static int open_kind(struct vml_load *l, enum swap_kind kind)
{
	uint64_t pages = (uint64_t)l->options.threads * l->options.pages;
	int err;

	err = swap_on(l, kind, 2 * pages * l->page);
	if (err)
		return err;
	return vml_load_slices_open(l);
}

int vml_load_swap_open(struct vml_load *l)
{
	return open_kind(l, SWAP_ANY);
}

int vml_load_swap_file_open(struct vml_load *l)
{
	return open_kind(l, SWAP_FILE);
}

/* Pages that are not in memory; all of them were written. */
static uint64_t away(struct vml_load_worker *w, uint8_t *p, uint64_t pages)
{
	size_t page = w->load->page;
	unsigned char there[256];
	uint64_t at, n, k, found = 0;

	for (at = 0; at < pages; at += n) {
		n = pages - at < sizeof(there) ? pages - at : sizeof(there);
		w->calls.mincore++;
		if (mincore(p + at * page, n * page, there)) {
			w->error = -errno;
			break;
		}
		for (k = 0; k < n; k++)
			found += !(there[k] & 1);
	}
	return found;
}

/*
 * A page that was written to a disk stays in memory, in the swap cache.  When
 * it is read once more and then paged out again, it is clean, and goes.
 */
static uint64_t page_out(struct vml_load_worker *w, uint8_t *p, uint64_t pages)
{
	const struct timespec a_little = { .tv_nsec = 2000000 };
	size_t page = w->load->page;
	uint64_t out = 0;
	int tries;

	for (tries = 0; !w->error && tries < MAX_TRIES; tries++) {
		if (tries) {
			nanosleep(&a_little, NULL);
			vml_load_read_pages(p, pages, page);
		}
		w->calls.madvise++;
		if (pages && madvise(p, pages * page, MADV_PAGEOUT))
			w->error = -errno;
		out = away(w, p, pages);
		if (out == pages)
			break;
	}
	return out;
}

void vml_load_swap(struct vml_load_worker *w, bool rehearsal)
{
	struct vml_load *l = w->load;
	uint64_t pages = vml_load_pages(l, rehearsal), k;
	uint8_t *slice = vml_load_slice(w);
	uint32_t i;

	for (i = 0; !w->error && vml_load_more(l, i, rehearsal); i++) {
		vml_load_write_pages(slice, pages, l->page);
		w->did[VML_DID_SWAPPED] += page_out(w, slice, pages);
		/* who sleeps here waits for the page */
		for (k = 0; k < pages; k++)
			w->did[VML_DID_PROVOKED] += vml_load_write_slept(slice + k * l->page);
		w->bytes += 2 * pages * l->page;
		vml_load_drop(w, slice, pages * l->page);
	}
}

void vml_load_swap_close(struct vml_load *l)
{
	vml_load_slices_close(l);
	vml_load_undo_now(l);
}
