// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "load.h"
#include "vmalock/base.h"

void vml_load_region_add(struct vml_load *l, const char *name, const uint8_t *p, uint64_t pages)
{
	if (l->nregions < VML_LOAD_REGIONS)
		l->region[l->nregions++] = (struct vml_load_region){
			.name = name,
			.start = (uintptr_t)p,
			.end = (uintptr_t)p + pages * l->page,
		};
}

int vml_load_map(struct vml_load *l, const char *name, uint64_t pages, uint8_t **ret)
{
	size_t len = pages * l->page;
	uint8_t *p;

	if (pages > SIZE_MAX / 2 / l->page)
		return vml_load_fail(l, -ENOMEM, "cannot map %llu pages", (unsigned long long)pages);
	p = mmap(NULL, len + 2 * l->page, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (p == MAP_FAILED)
		return vml_load_fail(l, -errno, "cannot map %llu pages", (unsigned long long)pages);
	if (len && mprotect(p + l->page, len, PROT_READ | PROT_WRITE)) {
		int err = vml_load_fail(l, -errno, "cannot use %llu pages", (unsigned long long)pages);

		munmap(p, len + 2 * l->page);
		return err;
	}
	/* EINVAL on kernels without huge pages */
	if (len)
		madvise(p + l->page, len, MADV_NOHUGEPAGE);
	*ret = p + l->page;
	vml_load_region_add(l, name, *ret, pages);
	return 0;
}

void vml_load_unmap(struct vml_load *l, uint8_t *p, uint64_t pages)
{
	if (p)
		munmap(p - l->page, (pages + 2) * l->page);
}

/* The shadow memory of ASan would fault as well. */
#define ONLY_THESE __attribute__((noinline, no_sanitize("address")))

ONLY_THESE void vml_load_write_pages(uint8_t *p, uint64_t pages, size_t page)
{
	volatile uint8_t *v = p;
	uint64_t i;

	for (i = 0; i < pages; i++)
		v[i * page] = 1;
}

ONLY_THESE void vml_load_read_pages(const uint8_t *p, uint64_t pages, size_t page)
{
	const volatile uint8_t *v = p;
	uint64_t i;

	for (i = 0; i < pages; i++)
		(void)v[i * page];
}

bool vml_load_write_slept(uint8_t *p)
{
	struct rusage before, after;

	getrusage(RUSAGE_THREAD, &before);
	vml_load_write_pages(p, 1, 1);
	getrusage(RUSAGE_THREAD, &after);
	return after.ru_nvcsw != before.ru_nvcsw;
}

void vml_load_drop(struct vml_load_worker *w, uint8_t *p, size_t len)
{
	if (len && madvise(p, len, MADV_DONTNEED))
		w->error = -errno;
	w->calls.madvise++;
}

/* ---- a slice for each thread */

static uint64_t all_slices(const struct vml_load *l)
{
	return (uint64_t)l->options.threads * l->options.pages;
}

int vml_load_slices_open(struct vml_load *l)
{
	return vml_load_map(l, "anon", all_slices(l), &l->memory);
}

void vml_load_slices_close(struct vml_load *l)
{
	vml_load_unmap(l, l->memory, all_slices(l));
}

uint8_t *vml_load_slice(const struct vml_load_worker *w)
{
	const struct vml_load *l = w->load;

	return l->memory + (uint64_t)w->index * l->options.pages * l->page;
}

uint64_t vml_load_pages(const struct vml_load *l, bool rehearsal)
{
	return rehearsal && l->options.pages ? 1 : l->options.pages;
}

/* ---- huge pages */

#define THP "/sys/kernel/mm/transparent_hugepage/"

static bool thp_is_never(void)
{
	char text[64] = "";
	int fd = open(THP "enabled", O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return true;
	if (read(fd, text, sizeof(text) - 1) <= 0)
		text[0] = 0;
	close(fd);
	return strstr(text, "[never]") || !*text;
}

size_t vml_load_thp_enable(void)
{
	uint64_t size;

	if (thp_is_never() || vml_load_read_number(THP "hpage_pmd_size", &size))
		return 0;
	prctl(PR_SET_THP_DISABLE, 0, 0, 0, 0);
	return size;
}

int vml_load_map_aligned(struct vml_load *l, const char *name, size_t len, size_t align, uint8_t **ret)
{
	uintptr_t at;
	void *p;

	/* all of it stays mapped, inaccessible but for the middle */
	l->memory_len = len + 2 * align;
	p = mmap(NULL, l->memory_len, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (p == MAP_FAILED)
		return vml_load_fail(l, -errno, "cannot map %zu bytes", l->memory_len);
	l->rest = p;
	at = ((uintptr_t)p / align + 1) * align;
	if (len && mprotect((void *)at, len, PROT_READ | PROT_WRITE))
		return vml_load_fail(l, -errno, "cannot use %zu bytes", len);
	*ret = (uint8_t *)at;
	vml_load_region_add(l, name, *ret, len / l->page);
	return 0;
}

/* ---- numbers of the host */

int vml_load_read_number(const char *path, uint64_t *ret)
{
	unsigned long long v;
	FILE *f = fopen(path, "re");
	int n;

	if (!f)
		return -errno;
	n = fscanf(f, "%llu", &v);
	fclose(f);
	if (n != 1)
		return -EINVAL;
	*ret = v;
	return 0;
}

int vml_load_write_text(const char *path, const char *text)
{
	size_t len = strlen(text);
	int fd = open(path, O_WRONLY | O_CLOEXEC), err = 0;

	if (fd < 0)
		return -errno;
	if (write(fd, text, len) != (ssize_t)len)
		err = -errno;
	close(fd);
	return err;
}
