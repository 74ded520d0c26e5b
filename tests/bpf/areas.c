// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * usage: areas FILE [COMM]
 *
 * A load for the tests of names: with the handshake of `vmalock load` it faults
 * on 10 pages of the heap, 20 of the growing stack, 30 of anonymous memory and
 * 40 of FILE, mapped private and created here, under the name COMM.  Its report
 * is one JSON object: pid, faults by getrusage, pages of each area.
 */
#include <err.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "load/load.h"

enum { HEAP = 10, STACK = 20, ANON = 30, FILE_PAGES = 40 };
#define STACK_BELOW 200 /* pages: below what the kernel maps at exec */

/* One write each, from the top down; each page is below the VMA as it is then. */
__attribute__((noinline, no_sanitize("address"))) static void grow_stack(uintptr_t from, unsigned int pages,
									 size_t page)
{
	unsigned int i;

	for (i = 1; i <= pages; i++)
		*(volatile uint8_t *)(from - i * page) = 1;
}

static uint8_t *map_file(const char *path, unsigned int pages, size_t page)
{
	int fd = open(path, O_RDWR | O_CREAT | O_EXCL, 0600);
	uint8_t *p;

	if (fd < 0 || ftruncate(fd, pages * page))
		err(1, "%s", path);
	p = mmap(NULL, pages * page, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
	if (p == MAP_FAILED)
		err(1, "mmap %s", path);
	close(fd);
	return p;
}

int main(int argc, char **argv)
{
	struct vml_load l = { .options.handshake = true, .page = sysconf(_SC_PAGESIZE) };
	uintptr_t stack = ((uintptr_t)&l & -l.page) - STACK_BELOW * l.page;
	uint8_t *heap, *anon, *file;

	if (argc < 2)
		errx(2, "usage: areas FILE [COMM]");
	prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0);
	if (argc > 2 && prctl(PR_SET_NAME, argv[2]))
		err(1, "prctl");
	heap = sbrk((HEAP + 2) * l.page);
	if (heap == (void *)-1)
		err(1, "sbrk");
	heap = (uint8_t *)(((uintptr_t)heap + l.page - 1) & -l.page);
	if (vml_load_map(&l, "anon", ANON + 1, &anon))
		errx(1, "%s", l.error);
	file = map_file(argv[1], FILE_PAGES + 1, l.page);

	/* rehearsal, on a page of each that is not used again */
	vml_load_write_pages(heap + HEAP * l.page, 1, l.page);
	vml_load_write_pages(anon + ANON * l.page, 1, l.page);
	vml_load_write_pages(file + FILE_PAGES * l.page, 1, l.page);
	grow_stack(stack, 1, l.page);

	if (vml_load_begin(&l))
		errx(1, "%s", l.error);
	vml_load_write_pages(heap, HEAP, l.page);
	vml_load_write_pages(anon, ANON, l.page);
	vml_load_write_pages(file, FILE_PAGES, l.page);
	grow_stack(stack - l.page, STACK, l.page);
	if (vml_load_end(&l))
		errx(1, "%s", l.error);

	printf("{\"pid\":%d,\"faults\":{\"total\":%ld},\"heap\":%d,\"stack\":%d,\"anon\":%d,\"file\":%d,"
	       "\"anon_start\":\"0x%" PRIxPTR "\"}\n",
	       getpid(), l.after.ru_minflt - l.before.ru_minflt + l.after.ru_majflt - l.before.ru_majflt, HEAP, STACK,
	       ANON, FILE_PAGES, (uintptr_t)anon);
	unlink(argv[1]);
	return 0;
}
