// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * What growing and trimming heaps do to threads that fault.  `shared`: the
 * faulters share one VMA, and the writers take away and give back access to
 * its tail, which splits and merges that VMA, and map and unmap memory beside
 * it.  `churn`: the writers map, touch and unmap memory of their own.
 * `replace`: they map fresh memory over what is faulted, so that the VMA of a
 * lookup may be gone before it is locked.
 */
#include <errno.h>
#include <sys/mman.h>

#include "load.h"

#define TAIL_PAGES 256 /* of each writer; present, so that mprotect has work to do under the lock */
#define LONG_TAIL_PAGES 4096
#define SCRATCH_PAGES 16

/* Pages of the tail of each writer. */
static uint64_t tail_pages(const struct vml_load *l)
{
	if (l->scenario->did & VML_LOAD_DID(PROVOKED))
		return LONG_TAIL_PAGES;
	return l->scenario->change == vml_load_shared_change ? TAIL_PAGES : 0;
}

static uint64_t faulted_pages(const struct vml_load *l)
{
	return (uint64_t)l->options.threads * l->options.pages;
}

/* For write_locked: each page alone, to see which of them waited. */
static void touch(struct vml_load_worker *w, uint64_t pages)
{
	const struct vml_load *l = w->load;
	uint64_t i;

	if (!(l->scenario->did & VML_LOAD_DID(PROVOKED))) {
		vml_load_write_pages(vml_load_slice(w), pages, l->page);
		return;
	}
	for (i = 0; i < pages; i++)
		w->did[VML_DID_PROVOKED] += vml_load_write_slept(vml_load_slice(w) + i * l->page);
}

void vml_load_shared(struct vml_load_worker *w, bool rehearsal)
{
	struct vml_load *l = w->load;
	uint64_t pages = vml_load_pages(l, rehearsal);
	uint32_t i;

	for (i = 0; !w->error && vml_load_more(l, i, rehearsal); i++) {
		touch(w, pages);
		w->bytes += pages * l->page;
		vml_load_drop(w, vml_load_slice(w), pages * l->page);
	}
}

static int protect(struct vml_load_worker *w, uint8_t *p, int prot)
{
	struct vml_load *l = w->load;

	w->calls.mprotect++;
	return mprotect(p, tail_pages(l) * l->page, prot) ? -errno : 0;
}

static int map_touch_unmap(struct vml_load_worker *w, uint64_t pages, uint64_t touched)
{
	size_t len = pages * w->load->page;
	void *p;

	p = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (p == MAP_FAILED)
		return -errno;
	w->calls.mmap++;
	vml_load_write_pages(p, touched, w->load->page);
	w->bytes += touched * w->load->page;
	w->calls.munmap++;
	return munmap(p, len) ? -errno : 0;
}

void vml_load_shared_change(struct vml_load_worker *w)
{
	struct vml_load *l = w->load;
	uint8_t *tail = l->memory + faulted_pages(l) * l->page +
			(uint64_t)(w->index - l->options.threads) * tail_pages(l) * l->page;

	w->error = protect(w, tail, PROT_NONE);
	if (!w->error)
		w->error = protect(w, tail, PROT_READ | PROT_WRITE);
	if (!w->error)
		w->error = map_touch_unmap(w, SCRATCH_PAGES, 0);
}

void vml_load_churn_change(struct vml_load_worker *w)
{
	w->error = map_touch_unmap(w, SCRATCH_PAGES, SCRATCH_PAGES);
}

void vml_load_replace_change(struct vml_load_worker *w)
{
	struct vml_load *l = w->load;
	size_t len = l->options.pages * l->page;
	uint64_t at = l->options.threads ? w->did[VML_DID_ATTEMPTS]++ % l->options.threads * len : 0;
	void *p;

	if (!faulted_pages(l))
		return;
	/* one step for those who fault: there is always something mapped */
	p = mmap(l->memory + at, len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
	if (p == MAP_FAILED)
		w->error = -errno;
	w->calls.mmap++;
}

int vml_load_shared_open(struct vml_load *l)
{
	uint64_t tails = l->options.writers * tail_pages(l);
	int err;

	err = vml_load_map(l, "shared", faulted_pages(l) + tails, &l->memory);
	if (!err)
		vml_load_write_pages(l->memory + faulted_pages(l) * l->page, tails, l->page);
	return err;
}

void vml_load_shared_close(struct vml_load *l)
{
	vml_load_unmap(l, l->memory, faulted_pages(l) + l->options.writers * tail_pages(l));
}
