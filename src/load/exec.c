// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * One process, several images.  What an image must know of those before it
 * comes in the hidden option --step IMAGE:MINOR:MAJOR:START_NS, where the
 * numbers are those of vml_load_begin() in the first image; rusage goes on
 * over execve.
 */
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdlib.h>
#include <unistd.h>

#include "load.h"

static int resume(struct vml_load *l, uint32_t *ret_image)
{
	int end = 0;

	if (sscanf(l->options.step, "%" SCNu32 ":%ld:%ld:%" SCNu64 "%n", ret_image, &l->before.ru_minflt,
		   &l->before.ru_majflt, &l->start_ns, &end) != 4 ||
	    l->options.step[end])
		return vml_load_fail(l, -EINVAL, "--step %s", l->options.step);
	l->deadline_ns = UINT64_MAX;
	return 0;
}

static int next_image(struct vml_load *l, uint32_t image)
{
	char self[PATH_MAX], rounds[16], pages[16], step[96];
	char *argv[16], **a = argv;
	ssize_t n;

	n = readlink("/proc/self/exe", self, sizeof(self) - 1);
	if (n < 0)
		return vml_load_fail(l, -errno, "cannot read /proc/self/exe");
	self[n] = 0;
	snprintf(rounds, sizeof(rounds), "%" PRIu32, l->options.rounds);
	snprintf(pages, sizeof(pages), "%" PRIu32, l->options.pages);
	snprintf(step, sizeof(step), "%" PRIu32 ":%ld:%ld:%" PRIu64, image, l->before.ru_minflt, l->before.ru_majflt,
		 l->start_ns);
	*a++ = self;
	*a++ = "load";
	*a++ = "exec";
	*a++ = "--rounds";
	*a++ = rounds;
	*a++ = "--pages";
	*a++ = pages;
	*a++ = "--step";
	*a++ = step;
	if (l->options.handshake)
		*a++ = "--handshake";
	if (l->options.json)
		*a++ = "--json";
	*a = NULL;
	execv(self, argv);
	return vml_load_fail(l, -errno, "cannot execute %s", self);
}

int vml_load_exec(struct vml_load *l)
{
	uint64_t pages, i;
	uint32_t image = 0;
	int err;

	err = l->options.step ? resume(l, &image) : 0;
	if (err)
		return err;
	pages = (image + 1ULL) * l->options.pages;
	err = vml_load_map(l, "anon", pages, &l->memory);
	if (err)
		return err;
	if (!l->options.step)
		err = vml_load_begin(l);
	if (!err) {
		vml_load_write_pages(l->memory, pages, l->page);
		if (vml_load_more(l, image, false))
			err = next_image(l, image + 1); /* returns only when it failed */
	}
	l->images = image + 1;
	for (i = 1; i <= l->images; i++)
		l->bytes += i * l->options.pages * l->page;
	if (!err)
		err = vml_load_end(l);
	vml_load_unmap(l, l->memory, pages);
	return err;
}
