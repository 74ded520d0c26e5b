// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Threads that fault in slices of their own, from user mode or from read(2). */
#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "load.h"

static void drop(struct vml_load_worker *w, uint8_t *p, size_t len)
{
	if (len && madvise(p, len, MADV_DONTNEED))
		w->error = -errno;
	w->calls.madvise++;
}

static void faults_body(struct vml_load_worker *w, bool rehearsal)
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
		drop(w, slice, pages * l->page);
	}
}

static void kernel_body(struct vml_load_worker *w, bool rehearsal)
{
	struct vml_load *l = w->load;
	uint64_t pages = l->options.pages;
	uint8_t *slice = l->memory + w->index * pages * l->page;
	size_t len = (rehearsal && pages ? 1 : pages) * l->page, done;
	uint32_t i;

	for (i = 0; !w->error && vml_load_more(l, i, rehearsal); i++) {
		for (done = 0; done < len;) {
			/* not read(3): ASan would look at the shadow of these pages, and fault */
			ssize_t n = syscall(SYS_read, l->fd, slice + done, len - done);

			w->calls.read++;
			if (n <= 0) {
				w->error = n ? -errno : -EIO;
				break;
			}
			done += n;
		}
		w->bytes += done;
		drop(w, slice, len);
	}
}

static int run(struct vml_load *l, vml_load_body body)
{
	uint64_t pages = (uint64_t)l->options.threads * l->options.pages;
	int err;

	err = vml_load_map(l, "anon", pages, &l->memory);
	if (!err)
		err = vml_load_crew_start(l, l->options.threads, body);
	if (!err)
		err = vml_load_crew_work(l);
	vml_load_crew_stop(l);
	vml_load_unmap(l, l->memory, pages);
	return err;
}

int vml_load_faults(struct vml_load *l)
{
	return run(l, faults_body);
}

int vml_load_kernel(struct vml_load *l)
{
	int err;

	l->fd = open("/dev/zero", O_RDONLY | O_CLOEXEC);
	if (l->fd < 0)
		return vml_load_fail(l, -errno, "cannot open /dev/zero");
	err = run(l, kernel_body);
	close(l->fd);
	return err;
}
