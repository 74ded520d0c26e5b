// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * What growing and trimming heaps do to threads that fault: the faulters share
 * one VMA, and the writers take away and give back access to its tail, which
 * splits and merges that VMA, and map and unmap memory beside it.
 */
#include <errno.h>
#include <sys/mman.h>

#include "load.h"

#define TAIL_PAGES 256 /* of each writer; present, so that mprotect has work to do under the lock */
#define SCRATCH_PAGES 16

static void fault(struct vml_load_worker *w, bool rehearsal)
{
	struct vml_load *l = w->load;
	uint64_t pages = l->options.pages;
	uint8_t *slice = l->memory + w->index * pages * l->page;
	uint32_t i;

	if (rehearsal && pages)
		pages = 1;
	for (i = 0; !w->error && vml_load_more(l, i, rehearsal); i++) {
		vml_load_write_pages(slice, pages, l->page);
		w->bytes += pages * l->page;
		if (pages && madvise(slice, pages * l->page, MADV_DONTNEED))
			w->error = -errno;
		w->calls.madvise++;
	}
}

static int protect(struct vml_load_worker *w, uint8_t *p, int prot)
{
	w->calls.mprotect++;
	return mprotect(p, TAIL_PAGES * w->load->page, prot) ? -errno : 0;
}

static int map_unmap(struct vml_load_worker *w)
{
	size_t len = SCRATCH_PAGES * w->load->page;
	void *p;

	p = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (p == MAP_FAILED)
		return -errno;
	w->calls.mmap++;
	w->calls.munmap++;
	return munmap(p, len) ? -errno : 0;
}

static void change(struct vml_load_worker *w, bool rehearsal)
{
	struct vml_load *l = w->load;
	uint8_t *tail = l->memory + (uint64_t)l->options.threads * l->options.pages * l->page +
			(uint64_t)(w->index - l->options.threads) * TAIL_PAGES * l->page;

	do {
		w->error = protect(w, tail, PROT_NONE);
		if (!w->error)
			w->error = protect(w, tail, PROT_READ | PROT_WRITE);
		if (!w->error)
			w->error = map_unmap(w);
	} while (!w->error && !rehearsal && atomic_load(&l->faulters));
}

static void body(struct vml_load_worker *w, bool rehearsal)
{
	struct vml_load *l = w->load;

	if (w->index >= l->options.threads) {
		/* --rounds 0 means that nothing happens */
		if (rehearsal || l->options.rounds)
			change(w, rehearsal);
		return;
	}
	fault(w, rehearsal);
	if (!rehearsal)
		atomic_fetch_sub(&l->faulters, 1);
}

int vml_load_shared(struct vml_load *l)
{
	uint64_t faulted = (uint64_t)l->options.threads * l->options.pages;
	uint64_t tails = (uint64_t)l->options.writers * TAIL_PAGES;
	int err;

	atomic_store(&l->faulters, l->options.threads);
	err = vml_load_map(l, "shared", faulted + tails, &l->memory);
	if (!err) {
		vml_load_write_pages(l->memory + faulted * l->page, tails, l->page);
		err = vml_load_crew_start(l, l->options.threads + l->options.writers, body);
	}
	if (!err)
		err = vml_load_crew_work(l);
	vml_load_crew_stop(l);
	vml_load_unmap(l, l->memory, faulted + tails);
	return err;
}
