// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include <errno.h>
#include <sys/mman.h>

#include "load.h"

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
