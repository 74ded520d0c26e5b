// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * `convoy`: a thread holds mmap_lock for read as long as it takes to fault in
 * a large region.  That stops no other reader, until one writer queues behind
 * it: then all who fault queue behind the writer, who itself needs the lock
 * for microseconds.
 * `writers`: no hold is long, but there are many.
 */
#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include "culprit.h"
#include "load.h"

#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23
#endif

#define POLL_NS 100000

int vml_load_convoy_open(struct vml_load *l)
{
	int err;

	if (madvise(NULL, 0, MADV_POPULATE_WRITE))
		return vml_load_fail(l, -EOPNOTSUPP, "this kernel has no MADV_POPULATE_WRITE (Linux 5.14)");
	err = vml_load_blocking_open(l, 1);
	if (err)
		return err;
	l->blocking->culprit[0].call = "madvise";
	l->blocking->culprit[0].what = "madvise(MADV_POPULATE_WRITE)";
	err = vml_load_map(l, "populated", l->options.pages, &l->memory);
	return err ? err : vml_load_victims_open(l);
}

void vml_load_convoy(struct vml_load_worker *w, bool rehearsal)
{
	struct vml_load *l = w->load;
	struct vml_load_culprit *c = &l->blocking->culprit[0];
	size_t len = l->options.pages * l->page;
	uint32_t i;

	if (rehearsal)
		vml_load_culprit_is_me(c, true);
	for (i = 0; !w->error && (rehearsal ? vml_load_rehearse_more(l, i) : vml_load_more(l, i, false)); i++) {
		vml_load_call_begin(c);
		if (len && madvise(l->memory, len, MADV_POPULATE_WRITE))
			w->error = -errno;
		vml_load_call_end(c);
		w->calls.madvise++;
		w->bytes += len;
		vml_load_drop(w, l->memory, len);
	}
	if (!rehearsal)
		vml_load_culprit_leave(c);
}

/* One writer for each hold, and only when it is under way. */
void vml_load_convoy_change(struct vml_load_worker *w)
{
	struct vml_load *l = w->load;
	const struct vml_load_culprit *c = &l->blocking->culprit[0];
	uint64_t call = atomic_load(&c->calls);

	if (w->did[VML_DID_ATTEMPTS] == call || !vml_load_call_is_under_way(c)) {
		vml_load_pause(POLL_NS);
		return;
	}
	vml_load_victim_step(w, "mmap, munmap", vml_load_victim_map);
	w->did[VML_DID_ATTEMPTS] = call;
}

int vml_load_convoy_check(struct vml_load *l)
{
	return vml_load_blocking_check(l, "; more --pages make it longer");
}

void vml_load_convoy_close(struct vml_load *l)
{
	vml_load_unmap(l, l->memory, l->options.pages);
	vml_load_victims_close(l);
}

/* ---- writers */

int vml_load_writers_open(struct vml_load *l)
{
	uint32_t i;
	int err;

	err = vml_load_blocking_open(l, l->options.writers);
	for (i = 0; !err && i < l->options.writers; i++) {
		l->blocking->culprit[i].call = "mprotect";
		l->blocking->culprit[i].what = "mprotect(2) of one page";
		l->blocking->culprit[i].write = true;
	}
	if (!err)
		err = vml_load_map(l, "protected", l->options.writers * 2ULL, &l->memory);
	return err ? err : vml_load_victims_open(l);
}

void vml_load_writers(struct vml_load_worker *w, bool rehearsal)
{
	struct vml_load *l = w->load;
	uint64_t pages = vml_load_pages(l, rehearsal), k;
	uint32_t i;

	for (i = 0; !w->error && vml_load_more(l, i, rehearsal); i++)
		for (k = 0; !w->error && k < pages; k++)
			vml_load_victim_step(w, "read", vml_load_victim_read);
}

static void protect(struct vml_load_worker *w)
{
	struct vml_load *l = w->load;
	uint32_t i = w->index - l->options.threads;
	int prot = w->calls.mprotect++ % 2 ? PROT_READ | PROT_WRITE : PROT_READ;
	struct vml_load_culprit *c = &l->blocking->culprit[i];

	vml_load_call_begin(c);
	/* every second page: no two of them are neighbours that merge */
	if (mprotect(l->memory + 2 * i * l->page, l->page, prot))
		w->error = -errno;
	vml_load_call_end(c);
}

void vml_load_writers_change(struct vml_load_worker *w)
{
	struct vml_load_culprit *c = &w->load->blocking->culprit[w->index - w->load->options.threads];

	if (!c->tid)
		vml_load_culprit_is_me(c, false);
	vml_load_victim_step(w, "mprotect", protect);
}

void vml_load_writers_close(struct vml_load *l)
{
	vml_load_unmap(l, l->memory, l->options.writers * 2ULL);
	vml_load_victims_close(l);
}
