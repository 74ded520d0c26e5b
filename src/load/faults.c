// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Threads that fault in slices of their own, or take locks there without a fault. */
#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "load.h"

void vml_load_faults(struct vml_load_worker *w, bool rehearsal)
{
	struct vml_load *l = w->load;
	uint64_t pages = vml_load_pages(l, rehearsal);
	uint32_t i;

	for (i = 0; !w->error && vml_load_more(l, i, rehearsal); i++) {
		vml_load_write_pages(vml_load_slice(w), pages, l->page);
		w->bytes += pages * l->page;
		vml_load_drop(w, vml_load_slice(w), pages * l->page);
	}
}

/* ---- kernel: the faults of read(2) */

/* Not read(3): ASan would look at the shadow of these pages, and fault. */
static ssize_t read_once(struct vml_load_worker *w, int fd, uint8_t *p, size_t len)
{
	ssize_t n = syscall(SYS_read, fd, p, len);

	w->calls.read++;
	if (n < 0)
		w->error = -errno;
	return n;
}

void vml_load_kernel(struct vml_load_worker *w, bool rehearsal)
{
	struct vml_load *l = w->load;
	size_t len = vml_load_pages(l, rehearsal) * l->page, done;
	uint32_t i;

	for (i = 0; !w->error && vml_load_more(l, i, rehearsal); i++) {
		for (done = 0; done < len;) {
			ssize_t n = read_once(w, l->fd, vml_load_slice(w) + done, len - done);

			if (n <= 0) {
				w->error = n ? w->error : -EIO;
				return;
			}
			done += n;
		}
		w->bytes += done;
		w->did[VML_DID_PROVOKED] += done / l->page;
		vml_load_drop(w, vml_load_slice(w), len);
	}
}

int vml_load_kernel_open(struct vml_load *l)
{
	l->fd = open("/dev/zero", O_RDONLY | O_CLOEXEC);
	if (l->fd < 0)
		return vml_load_fail(l, -errno, "cannot open /dev/zero");
	return vml_load_slices_open(l);
}

void vml_load_kernel_close(struct vml_load *l)
{
	vml_load_slices_close(l);
	if (l->fd >= 0)
		close(l->fd);
}

/* ---- madvise: the VMA lock of a system call, on pages that are not there */

void vml_load_madvise(struct vml_load_worker *w, bool rehearsal)
{
	struct vml_load *l = w->load;
	uint64_t pages = vml_load_pages(l, rehearsal), k;
	uint32_t i;

	for (i = 0; !w->error && vml_load_more(l, i, rehearsal); i++)
		for (k = 0; !w->error && k < pages; k++)
			vml_load_drop(w, vml_load_slice(w) + k * l->page, l->page);
}

/* ---- procmaps: readers of /proc/self/maps, next to faults */

void vml_load_procmaps(struct vml_load_worker *w, bool rehearsal)
{
	struct vml_load *l = w->load;
	uint8_t buf[4096];
	uint32_t i;
	ssize_t n;
	int fd;

	for (i = 0; !w->error && vml_load_more(l, i, rehearsal); i++) {
		fd = open("/proc/self/maps", O_RDONLY | O_CLOEXEC);
		if (fd < 0) {
			w->error = -errno;
			return;
		}
		while ((n = read_once(w, fd, buf, sizeof(buf))) > 0)
			w->bytes += n;
		close(fd);
	}
}

int vml_load_procmaps_open(struct vml_load *l)
{
	if (access("/proc/self/maps", R_OK))
		return vml_load_fail(l, -EOPNOTSUPP, "cannot read /proc/self/maps");
	return 0;
}

void vml_load_nothing_close(struct vml_load *l)
{
	(void)l;
}
