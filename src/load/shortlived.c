// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Threads that live for one fault.  They use few stacks again and again, so
 * that the stacks do not fault; what else their creation and end fault is
 * part of the steady part and in rusage.
 */
#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "load.h"

#define RING_PAGES (1UL << 14) /* used again after so many threads */

struct batch {
	struct vml_load *load;
	pthread_attr_t attr;
	pthread_t *thread;
	uint8_t **touch; /* what each thread writes to */
};

static void *live(void *arg)
{
	uint8_t **touch = arg;

	vml_load_write_pages(*touch, 1, 1);
	return NULL;
}

/* Returns how many lived. */
static int run_batch(struct batch *b, uint8_t *first, uint32_t n)
{
	struct vml_load *l = b->load;
	uint32_t made = 0;
	int err = 0;

	while (!err && made < n) {
		b->touch[made] = first + made * l->page;
		err = vml_load_stack_use(l, made, &b->attr);
		if (!err)
			err = -pthread_create(&b->thread[made], &b->attr, live, &b->touch[made]);
		if (!err)
			made++;
	}
	for (n = 0; n < made; n++)
		pthread_join(b->thread[n], NULL);
	return err ? vml_load_fail(l, err, "cannot create a thread (ulimit -u, pids.max)") : (int)made;
}

/* One batch more, on pages that are fresh. */
static int next_batch(struct batch *b, uint32_t done)
{
	struct vml_load *l = b->load;
	uint32_t at = done % RING_PAGES, n = l->options.threads;

	if (n > l->options.rounds - done)
		n = l->options.rounds - done;
	if (n > RING_PAGES - at)
		n = RING_PAGES - at;
	if (!at && done) {
		if (madvise(l->memory, RING_PAGES * l->page, MADV_DONTNEED))
			return vml_load_fail(l, -errno, "cannot drop pages");
		l->calls.madvise++;
	}
	return run_batch(b, l->memory + at * l->page, n);
}

static int run_all(struct batch *b)
{
	struct vml_load *l = b->load;
	uint32_t done = 0;
	int n;

	/* the rehearsal has pages of its own, behind the others */
	n = run_batch(b, l->memory + RING_PAGES * l->page, l->options.threads);
	if (n >= 0)
		n = vml_load_begin(l);
	while (n >= 0 && vml_load_more(l, done, false)) {
		n = next_batch(b, done);
		if (n > 0)
			done += n;
	}
	l->bytes = (uint64_t)done * l->page;
	return n < 0 ? n : vml_load_end(l);
}

int vml_load_shortlived(struct vml_load *l)
{
	uint32_t batch = l->options.threads;
	uint64_t pages = RING_PAGES + batch;
	struct batch b = { .load = l };
	int err;

	l->deadline_ns = UINT64_MAX;
	if (!batch)
		return vml_load_fail(l, -EINVAL, "no thread alive at once");
	err = vml_load_allow_threads(l, batch);
	if (err)
		return err;
	b.thread = calloc(batch, sizeof(*b.thread));
	b.touch = calloc(batch, sizeof(*b.touch));
	err = -pthread_attr_init(&b.attr);
	if (!b.thread || !b.touch || err) {
		err = vml_load_fail(l, -ENOMEM, "cannot keep %u threads", batch);
		goto out;
	}
	err = vml_load_map(l, "anon", pages, &l->memory);
	if (!err)
		err = vml_load_stacks_map(l, batch);
	if (!err)
		err = run_all(&b);
	vml_load_stacks_unmap(l);
	vml_load_unmap(l, l->memory, pages);
	pthread_attr_destroy(&b.attr);
out:
	free(b.thread);
	free(b.touch);
	return err;
}
