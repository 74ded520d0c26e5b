// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * `vmalock load reason NAME`: one way for each reason to fall back to
 * mmap_lock.  What "provoked" counts is known without looking at the kernel:
 * how often the thing was done where it always falls back, or how often a
 * thread slept in a fault that has nothing else to wait for.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "load.h"

#define HELD_PAGES 4096 /* whose protection changes while mmap_lock is held */

/* ---- stack_growth: a mapping that grows down, one page at a time */

static size_t growth_room(const struct vml_load *l)
{
	/* the lowest page is never unmapped: nothing grows towards memory in use */
	return (l->options.pages + 2) * l->page;
}

static int growth_open(struct vml_load *l)
{
	/* reserved, so that nobody else is put where it grows */
	size_t len = l->options.threads * growth_room(l);
	void *p = mmap(NULL, len + l->page, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (p == MAP_FAILED)
		return vml_load_fail(l, -errno, "cannot map %zu bytes", len);
	l->memory = p;
	l->memory_len = len + l->page;
	vml_load_region_add(l, "stack", l->memory, len / l->page);
	return 0;
}

static void *map_at(struct vml_load_worker *w, uint8_t *p, size_t len, int prot, int flags)
{
	void *q = mmap(p, len, prot, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED | flags, -1, 0);

	w->calls.mmap++;
	if (q == MAP_FAILED)
		w->error = -errno;
	return q;
}

static void growth(struct vml_load_worker *w, bool rehearsal)
{
	struct vml_load *l = w->load;
	size_t room = growth_room(l);
	uint8_t *bottom = l->memory + w->index * room + l->page, *top = bottom + room - 2 * l->page;
	uint64_t pages = vml_load_pages(l, rehearsal), k;
	uint32_t i;

	for (i = 0; !w->error && vml_load_more(l, i, rehearsal); i++) {
		w->calls.munmap++;
		if (munmap(bottom, room - l->page))
			w->error = -errno;
		else
			map_at(w, top, l->page, PROT_READ | PROT_WRITE, MAP_GROWSDOWN);
		for (k = 1; !w->error && k <= pages; k++)
			vml_load_write_pages(top - k * l->page, 1, 1);
		w->did[VML_DID_PROVOKED] += pages;
		w->bytes += pages * l->page;
		map_at(w, bottom, room - l->page, PROT_NONE, 0);
	}
}

static void memory_close(struct vml_load *l)
{
	if (l->memory)
		munmap(l->memory, l->memory_len);
}

/* ---- no_map_pages: the vDSO has ->fault and no ->map_pages, on every kernel */

static int vdso_open(struct vml_load *l)
{
	l->memory = (uint8_t *)getauxval(AT_SYSINFO_EHDR);
	if (!l->memory)
		return vml_load_fail(l, -EOPNOTSUPP, "this process has no vDSO (vdso=0)");
	vml_load_region_add(l, "vdso", l->memory, 1);
	return 0;
}

static void vdso(struct vml_load_worker *w, bool rehearsal)
{
	struct vml_load *l = w->load;
	uint64_t pages = vml_load_pages(l, rehearsal), k;
	uint32_t i;

	/* the clock runs in there: one thread, and none between these two */
	for (i = 0; !w->error && vml_load_more(l, i, rehearsal); i++)
		for (k = 0; !w->error && k < pages; k++) {
			vml_load_drop(w, l->memory, l->page);
			vml_load_read_pages(l->memory, 1, 1);
			w->did[VML_DID_PROVOKED]++;
		}
}

/* ---- anon_vma: first faults in fresh VMAs, while another VMA changes under mmap_lock */

static size_t fresh_len(const struct vml_load *l)
{
	return 2UL * l->options.pages * l->page;
}

static int anon_vma_open(struct vml_load *l)
{
	uint64_t held = l->options.writers * (uint64_t)HELD_PAGES;
	int err;

	err = vml_load_map(l, "fresh", 2ULL * l->options.threads * l->options.pages, &l->memory);
	if (!err)
		err = vml_load_map(l, "held", held, &l->rest);
	if (!err)
		vml_load_write_pages(l->rest, held, l->page);
	return err;
}

static void anon_vma(struct vml_load_worker *w, bool rehearsal)
{
	struct vml_load *l = w->load;
	uint64_t pages = vml_load_pages(l, rehearsal), k;
	uint8_t *mine = l->memory + w->index * fresh_len(l);
	uint32_t i;

	for (i = 0; !w->error && vml_load_more(l, i, rehearsal); i++) {
		/* every second page is a VMA of its own, and nobody wrote there */
		if (fresh_len(l))
			map_at(w, mine, fresh_len(l), PROT_NONE, 0);
		for (k = 0; !w->error && k < pages; k++) {
			w->calls.mprotect++;
			if (mprotect(mine + 2 * k * l->page, l->page, PROT_READ | PROT_WRITE))
				w->error = -errno;
		}
		for (k = 0; !w->error && k < pages; k++)
			w->did[VML_DID_PROVOKED] += vml_load_write_slept(mine + 2 * k * l->page);
		w->bytes += pages * l->page;
	}
}

static void anon_vma_change(struct vml_load_worker *w)
{
	struct vml_load *l = w->load;
	size_t len = HELD_PAGES * l->page;
	uint8_t *mine = l->rest + (w->index - l->options.threads) * len;

	w->calls.mprotect += 2;
	if (mprotect(mine, len, PROT_READ) || mprotect(mine, len, PROT_READ | PROT_WRITE))
		w->error = -errno;
}

static void anon_vma_close(struct vml_load *l)
{
	vml_load_unmap(l, l->memory, 2ULL * l->options.threads * l->options.pages);
	vml_load_unmap(l, l->rest, l->options.writers * (uint64_t)HELD_PAGES);
}

/* ---- file_io: pages of a file that are not in the page cache */

static int cold_file_open(struct vml_load *l, uint64_t pages)
{
	struct statfs fs;
	int err;

	err = vml_load_file_create(l, pages);
	if (err)
		return err;
	if (!fstatfs(l->fd, &fs) && (fs.f_type == TMPFS_MAGIC || fs.f_type == RAMFS_MAGIC))
		return vml_load_fail(l, -EOPNOTSUPP,
				     "%s is in memory, nothing is read; try --file with a PATH on a disk, or a device",
				     l->path);
	return fsync(l->fd) ? vml_load_fail(l, -errno, "cannot write %s", l->path) : 0;
}

static int file_io_open(struct vml_load *l)
{
	uint64_t pages = (uint64_t)l->options.threads * l->options.pages;
	void *p;
	int err;

	err = vml_load_is_device(l) ? vml_load_device_open(l, pages) : cold_file_open(l, pages);
	if (err)
		return err;
	p = mmap(NULL, pages * l->page, PROT_READ, MAP_SHARED, l->fd, 0);
	if (p == MAP_FAILED)
		return vml_load_fail(l, -errno, "cannot map %s", l->path);
	l->memory = p;
	l->memory_len = pages * l->page;
	/* each page for itself */
	madvise(p, l->memory_len, MADV_RANDOM);
	vml_load_region_add(l, "cold", p, pages);
	return 0;
}

static void file_io(struct vml_load_worker *w, bool rehearsal)
{
	struct vml_load *l = w->load;
	uint64_t pages = vml_load_pages(l, rehearsal);
	size_t len = pages * l->page;
	struct rusage before, after;
	uint32_t i;

	for (i = 0; !w->error && vml_load_more(l, i, rehearsal); i++) {
		vml_load_drop(w, vml_load_slice(w), len);
		w->error = -posix_fadvise(l->fd, vml_load_slice(w) - l->memory, len, POSIX_FADV_DONTNEED);
		getrusage(RUSAGE_THREAD, &before);
		vml_load_read_pages(vml_load_slice(w), pages, l->page);
		getrusage(RUSAGE_THREAD, &after);
		w->did[VML_DID_PROVOKED] += after.ru_majflt - before.ru_majflt;
		w->bytes += len;
	}
}

static void file_io_close(struct vml_load *l)
{
	memory_close(l);
	vml_load_file_remove(l);
}

/* ---- range_moved: the VMA is split and merged where others fault, with no change in what they may do */

static void split_change(struct vml_load_worker *w)
{
	struct vml_load *l = w->load;
	uint64_t pages = (uint64_t)l->options.threads * l->options.pages;
	uint64_t first = w->did[VML_DID_ATTEMPTS]++ % (pages ? pages : 1);

	if (!pages)
		return;
	w->calls.madvise += 2;
	if (madvise(l->memory + first * l->page, l->page, MADV_DONTDUMP) ||
	    madvise(l->memory + first * l->page, l->page, MADV_DODUMP))
		w->error = -errno;
}

/* ---- the table */

#define USUAL (VML_TAKE_THREADS | VML_TAKE_ROUNDS | VML_TAKE_PAGES | VML_TAKE_SECONDS)
#define PROVOKED VML_LOAD_DID(PROVOKED)

const struct vml_load_scenario vml_load_reasons[] = {
	{
		.name = "no_vma",
		.help = "nothing is mapped at the address: SIGSEGV, handled",
		.takes = USUAL,
		.did = PROVOKED,
		.defaults = { .threads = 2, .rounds = 20, .pages = 50 },
		.open = vml_load_hole_open,
		.body = vml_load_hole,
		.close = vml_load_segv_close,
		.exact = true,
	},
	{
		.name = "stack_growth",
		.help = "writes below a mapping that grows down, as stacks do",
		.takes = USUAL,
		.did = PROVOKED,
		.defaults = { .threads = 2, .rounds = 20, .pages = 50 },
		.open = growth_open,
		.body = growth,
		.close = memory_close,
		.exact = true,
	},
	{
		.name = "write_locked",
		.help = "faults in a VMA whose other end a writer protects, which takes long",
		.takes = USUAL | VML_TAKE_WRITERS,
		.did = PROVOKED,
		.defaults = { .threads = 2, .writers = 1, .rounds = 100, .pages = 64 },
		.open = vml_load_shared_open,
		.body = vml_load_shared,
		.change = vml_load_shared_change,
		.close = vml_load_shared_close,
		.also = "busy",
	},
	{
		.name = "busy",
		.help = "faults in a VMA where a writer waits for long faults of others",
		.pages_help = "Huge pages of each thread that faults long, and each round",
		.takes = USUAL | VML_TAKE_WRITERS,
		.did = PROVOKED | VML_LOAD_DID(HUGE),
		.defaults = { .threads = 4, .writers = 1, .rounds = 20, .pages = 8 },
		.open = vml_load_vmawrite_open,
		.body = vml_load_vmawrite,
		.change = vml_load_vmawrite_change,
		.close = vml_load_huge_close,
		.also = "write_locked",
	},
	{
		.name = "range_moved",
		.help = "faults where the VMA is split and merged; a rare race, which may not happen at all",
		.takes = USUAL | VML_TAKE_WRITERS,
		.did = PROVOKED | VML_LOAD_DID(ATTEMPTS),
		.defaults = { .threads = 2, .writers = 1, .rounds = 200, .pages = 64 },
		.open = vml_load_slices_open,
		.body = vml_load_faults,
		.change = split_change,
		.close = vml_load_slices_close,
		.also = "write_locked",
	},
	{
		.name = "wrong_mm",
		.help = "a VMA that was freed and used again by another process",
		.never =
			"needs a VMA to be freed and used again between two instructions of the kernel; try `vmalock load replace`",
	},
	{
		.name = "raced",
		.help = "a lookup that failed and left no trace",
		.never = "what failed and left no trace cannot be made on purpose; try `vmalock load shared`",
	},
	{
		.name = "no_map_pages",
		.help = "drops and reads a page of the vDSO, whose operations cannot fault under the VMA lock",
		.pages_help = "Faults of each round",
		.takes = VML_TAKE_ROUNDS | VML_TAKE_PAGES | VML_TAKE_SECONDS,
		.did = PROVOKED,
		.defaults = { .threads = 1, .rounds = 20, .pages = 50 },
		.open = vdso_open,
		.body = vdso,
		.close = vml_load_nothing_close,
		.exact = true,
	},
	{
		.name = "anon_vma",
		.help = "first writes to fresh VMAs, while mmap_lock is held for another one",
		.pages_help = "Fresh VMAs of each of them and each round",
		.takes = USUAL | VML_TAKE_WRITERS,
		.did = PROVOKED,
		.defaults = { .threads = 2, .writers = 1, .rounds = 40, .pages = 64 },
		.open = anon_vma_open,
		.body = anon_vma,
		.change = anon_vma_change,
		.close = anon_vma_close,
	},
	{
		.name = "folio_locked",
		.help = "pages that come back from a swap file, which it makes for the time (root, a disk)",
		.file_help = "File to create for swap and remove again, or a block device that begins with zeros",
		.takes = USUAL | VML_TAKE_FILE,
		.did = PROVOKED | VML_LOAD_DID(SWAPPED),
		.defaults = { .threads = 2, .rounds = 5, .pages = 256 },
		.open = vml_load_swap_file_open,
		.body = vml_load_swap,
		.close = vml_load_swap_close,
	},
	{
		.name = "file_io",
		.help = "reads pages of a file that are not in the page cache (a disk)",
		.file_help = "File to create, map and remove again, or a block device, which is only read",
		.takes = USUAL | VML_TAKE_FILE,
		.did = PROVOKED,
		.defaults = { .threads = 2, .rounds = 5, .pages = 64 },
		.open = file_io_open,
		.body = file_io,
		.close = file_io_close,
	},
	{
		.name = "userfaultfd",
		.help = "faults that a thread resolves through userfaultfd",
		.takes = USUAL,
		.did = PROVOKED,
		.defaults = { .threads = 2, .rounds = 20, .pages = 50 },
		.open = vml_load_userfaultfd_open,
		.body = vml_load_userfaultfd,
		.close = vml_load_userfaultfd_close,
		.exact = true,
	},
	{
		.name = "device_private",
		.help = "memory that was moved to a device",
		.never = "needs a device with memory of its own (a GPU) and its driver",
	},
	{
		.name = "killed",
		.help = "processes that are killed while their threads wait in a fault (userfaultfd)",
		.rounds_help = "Processes, one after another",
		.takes = VML_TAKE_THREADS | VML_TAKE_ROUNDS | VML_TAKE_SECONDS,
		.did = PROVOKED | VML_LOAD_DID(KILLED),
		.defaults = { .threads = 2, .rounds = 10 },
		.run = vml_load_killed,
		.also = "userfaultfd",
		.exact = true,
	},
	{
		.name = "kernel_mode",
		.help = "read(2) into fresh memory",
		.takes = USUAL,
		.did = PROVOKED,
		.defaults = { .threads = 1, .rounds = 20, .pages = 50 },
		.open = vml_load_kernel_open,
		.body = vml_load_kernel,
		.close = vml_load_kernel_close,
		.exact = true,
	},
	{ .name = NULL },
};
