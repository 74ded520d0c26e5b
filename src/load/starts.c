// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * `threadstarts`: threads are started all the time, each on a stack that is
 * mapped for it, protected (the guard) and unmapped, while others fault.
 * `mappings`: a process that has very many areas, and does little with them.
 */
#include <errno.h>
#include <pthread.h>
#include <sys/mman.h>

#include "culprit.h"
#include "load.h"

#define BIG_STACK (64UL << 20) /* over the 40 MiB of stacks that glibc keeps: unmapped at the end of its thread */
#define PAUSE_NS 10000000

static void *nothing(void *arg)
{
	return arg;
}

/* One thread from begin to end: mmap, mprotect, clone, munmap. */
void vml_load_threadstarts_change(struct vml_load_worker *w)
{
	pthread_attr_t attr;
	pthread_t thread;
	int err;

	err = -pthread_attr_init(&attr);
	if (!err)
		err = -pthread_attr_setstacksize(&attr, BIG_STACK);
	if (!err)
		err = -pthread_create(&thread, &attr, nothing, NULL);
	if (!err)
		err = -pthread_join(thread, NULL);
	if (!err)
		w->did[VML_DID_ATTEMPTS]++;
	w->error = err;
	pthread_attr_destroy(&attr);
}

/* ---- mappings */

/* Every second page is protected, so each page is an area of its own. */
int vml_load_mappings_open(struct vml_load *l)
{
	uint64_t i, n = l->options.pages;
	int err = n < 2 ? vml_load_fail(l, -EINVAL, "at least 2 --pages") : vml_load_map(l, "areas", n, &l->memory);

	for (i = 0; !err && i < n; i += 2)
		if (mprotect(l->memory + i * l->page, l->page, PROT_READ))
			err = errno == ENOMEM
				      ? vml_load_fail(
						l, -EOPNOTSUPP,
						"%llu mappings are more than vm.max_map_count lets a process have",
						(unsigned long long)n)
				      : vml_load_fail(l, -errno, "cannot split memory");
	return err;
}

void vml_load_mappings(struct vml_load_worker *w, bool rehearsal)
{
	struct vml_load *l = w->load;
	uint32_t i;

	for (i = 0; !w->error && vml_load_more(l, i, rehearsal); i++) {
		/* the second page is writable */
		vml_load_write_pages(l->memory + l->page, 1, l->page);
		w->bytes += l->page;
		vml_load_drop(w, l->memory + l->page, l->page);
		vml_load_pause(PAUSE_NS);
	}
}

void vml_load_mappings_close(struct vml_load *l)
{
	vml_load_unmap(l, l->memory, l->options.pages);
}
