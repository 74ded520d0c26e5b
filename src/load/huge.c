// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Huge pages.  `thp` and `hugetlb`: one fault each, where 512 pages were.
 * `vmawrite`: zeroing one is the longest thing a fault does under the VMA
 * lock, so writers wait for it, and faults in small pages beside it meet a
 * writer that waits.
 */
#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "load.h"

#define SMALL_PAGES 8 /* of each thread that faults beside the long faults */
#define TAIL_PAGES 16 /* of each writer */

void vml_load_huge(struct vml_load_worker *w, bool rehearsal)
{
	struct vml_load *l = w->load;
	uint64_t pages = vml_load_pages(l, rehearsal);
	uint8_t *slice = l->memory + (uint64_t)w->index * l->options.pages * l->huge;
	size_t len = pages * l->huge;
	uint32_t i;

	for (i = 0; !w->error && vml_load_more(l, i, rehearsal); i++) {
		vml_load_write_pages(slice, len / l->page, l->page);
		w->did[VML_DID_HUGE] += pages;
		w->bytes += len;
		vml_load_drop(w, slice, len);
	}
}

static size_t all_slices(const struct vml_load *l)
{
	return (size_t)l->options.threads * l->options.pages * l->huge;
}

int vml_load_thp_open(struct vml_load *l)
{
	int err;

	l->huge = vml_load_thp_enable();
	if (!l->huge)
		return vml_load_fail(l, -EOPNOTSUPP, "no transparent huge pages: %senabled is 'never' or missing",
				     "/sys/kernel/mm/transparent_hugepage/");
	err = vml_load_map_aligned(l, "thp", all_slices(l), l->huge, &l->memory);
	if (!err && all_slices(l) && madvise(l->memory, all_slices(l), MADV_HUGEPAGE))
		err = vml_load_fail(l, -errno, "cannot allow huge pages");
	return err;
}

void vml_load_huge_close(struct vml_load *l)
{
	if (l->rest)
		munmap(l->rest, l->memory_len);
	vml_load_undo_now(l);
}

/* ---- hugetlb */

#define NR_HUGEPAGES "/proc/sys/vm/nr_hugepages"

static void take_away(const void *arg)
{
	const uint64_t *added = arg;
	char text[24];
	uint64_t now;

	if (vml_load_read_number(NR_HUGEPAGES, &now) || now < *added)
		return;
	snprintf(text, sizeof(text), "%llu", (unsigned long long)(now - *added));
	vml_load_write_text(NR_HUGEPAGES, text);
}

static uint64_t meminfo(const char *name)
{
	unsigned long long v = 0;
	char line[128], format[64];
	FILE *f = fopen("/proc/meminfo", "re");

	if (!f)
		return 0;
	snprintf(format, sizeof(format), "%s: %%llu", name);
	while (fgets(line, sizeof(line), f) && sscanf(line, format, &v) != 1)
		;
	fclose(f);
	return v;
}

static uint64_t pool_free(void)
{
	uint64_t free = meminfo("HugePages_Free"), reserved = meminfo("HugePages_Rsvd");

	return free > reserved ? free - reserved : 0;
}

/* The pool gets what it lacks, until we end. */
static int pool_fill(struct vml_load *l, uint64_t want)
{
	uint64_t free = pool_free(), now, added = want - free;
	char text[24];
	int err;

	if (free >= want)
		return 0;
	err = vml_load_read_number(NR_HUGEPAGES, &now);
	if (!err)
		err = vml_load_undo_later(l, take_away, &added);
	if (!err) {
		snprintf(text, sizeof(text), "%llu", (unsigned long long)(now + added));
		err = vml_load_write_text(NR_HUGEPAGES, text);
	}
	if (err)
		return vml_load_fail(l, -EOPNOTSUPP,
				     "%llu huge pages are missing, and " NR_HUGEPAGES " is not ours to raise",
				     (unsigned long long)added);
	free = pool_free();
	if (free < want)
		return vml_load_fail(l, -EOPNOTSUPP, "only %llu of %llu huge pages could be had",
				     (unsigned long long)free, (unsigned long long)want);
	return 0;
}

int vml_load_hugetlb_open(struct vml_load *l)
{
	size_t len;
	void *p;
	int err;

	l->huge = meminfo("Hugepagesize") << 10;
	if (!l->huge)
		return vml_load_fail(l, -EOPNOTSUPP, "this kernel has no hugetlb pages");
	len = all_slices(l);
	if (!len)
		return 0;
	err = pool_fill(l, len / l->huge);
	if (err)
		return err;
	p = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB, -1, 0);
	if (p == MAP_FAILED)
		return vml_load_fail(l, -errno, "cannot map %zu bytes of huge pages", len);
	l->memory = l->rest = p;
	l->memory_len = len;
	vml_load_region_add(l, "hugetlb", p, len / l->page);
	return 0;
}

/* ---- vmawrite: even threads fault long, odd threads short, writers change the end of their VMA */

static uint32_t longs(const struct vml_load *l)
{
	return (l->options.threads + 1) / 2;
}

static uint8_t *shorts_at(const struct vml_load *l)
{
	return l->memory + longs(l) * (size_t)l->options.pages * l->huge;
}

static uint8_t *tails_at(const struct vml_load *l)
{
	return shorts_at(l) + (size_t)l->options.threads / 2 * SMALL_PAGES * l->page;
}

int vml_load_vmawrite_open(struct vml_load *l)
{
	size_t tails = (size_t)l->options.writers * TAIL_PAGES * l->page, len;
	int err;

	l->huge = vml_load_thp_enable();
	if (!l->huge)
		l->huge = l->page; /* then no fault is long; threads share CPUs all the same */
	len = longs(l) * (size_t)l->options.pages * l->huge + (size_t)l->options.threads / 2 * SMALL_PAGES * l->page +
	      tails;
	err = vml_load_map_aligned(l, "shared", len, l->huge, &l->memory);
	if (err)
		return err;
	/* EINVAL on kernels without huge pages */
	if (len)
		madvise(l->memory, len, MADV_HUGEPAGE);
	vml_load_write_pages(tails_at(l), tails / l->page, l->page);
	atomic_store(&l->busy, longs(l));
	return 0;
}

static void fault_long(struct vml_load_worker *w, bool rehearsal)
{
	struct vml_load *l = w->load;
	uint64_t pages = vml_load_pages(l, rehearsal);
	uint8_t *slice = l->memory + w->index / 2 * (size_t)l->options.pages * l->huge;
	uint32_t i;

	for (i = 0; !w->error && vml_load_more(l, i, rehearsal); i++) {
		vml_load_write_pages(slice, pages, l->huge);
		w->did[VML_DID_HUGE] += l->huge > l->page ? pages : 0;
		w->bytes += pages * l->huge;
		vml_load_drop(w, slice, pages * l->huge);
	}
	if (!rehearsal)
		atomic_fetch_sub(&l->busy, 1);
}

static void fault_short(struct vml_load_worker *w, bool rehearsal)
{
	struct vml_load *l = w->load;
	uint8_t *slice = shorts_at(l) + (size_t)(w->index / 2) * SMALL_PAGES * l->page;
	uint32_t k;

	if (!rehearsal && !l->options.rounds)
		return;
	do {
		for (k = 0; k < SMALL_PAGES; k++)
			w->did[VML_DID_PROVOKED] += vml_load_write_slept(slice + k * l->page);
		w->bytes += SMALL_PAGES * l->page;
		vml_load_drop(w, slice, SMALL_PAGES * l->page);
	} while (!w->error && !rehearsal && atomic_load(&l->busy));
}

void vml_load_vmawrite(struct vml_load_worker *w, bool rehearsal)
{
	if (w->index % 2)
		fault_short(w, rehearsal);
	else
		fault_long(w, rehearsal);
}

void vml_load_vmawrite_change(struct vml_load_worker *w)
{
	struct vml_load *l = w->load;
	size_t len = TAIL_PAGES * l->page;
	uint8_t *tail = tails_at(l) + (w->index - l->options.threads) * len;

	w->calls.mprotect += 2;
	if (mprotect(tail, len, PROT_NONE) || mprotect(tail, len, PROT_READ | PROT_WRITE))
		w->error = -errno;
}
