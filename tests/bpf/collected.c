/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * usage: collected numbers | text
 *
 * What a snapshot of this kernel says beside the counts, as one JSON object:
 * mappings of this process before and after it made 200 more, with the lines of
 * /proc/self/maps, the limit, and the kernel's own counters.  text: an exposition
 * of one second.
 */
#include <err.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "vmalock/export.h"
#include "vmalock/snapshot.h"
#include "vmalock/source.h"

#define MORE 200

static struct vml_snapshot *take(struct vml_source *source)
{
	struct vml_snapshot *s;
	int rc = vml_source_next(source, &s);

	if (rc)
		errx(1, "snapshot: %s", strerror(-rc));
	return s;
}

static uint32_t mappings(struct vml_source *source)
{
	struct vml_snapshot *s = take(source);
	const struct vml_rows *p = &s->rows[VML_PROCESS];
	uint32_t n = 0;

	for (size_t i = 0; i < p->n; i++)
		if (p->row[i].id.pid == (uint32_t)getpid())
			n = p->row[i].mappings;
	vml_snapshot_free(s);
	return n;
}

/* Without the page of vsyscall, which is no mapping of the process. */
static uint32_t lines_of_maps(void)
{
	FILE *f = fopen("/proc/self/maps", "r");
	char line[1024];
	uint32_t n = 0;

	if (!f)
		err(1, "/proc/self/maps");
	while (fgets(line, sizeof(line), f))
		n += !strstr(line, "[vsyscall]");
	fclose(f);
	return n;
}

static void map_more(void)
{
	size_t page = sysconf(_SC_PAGESIZE);
	char *p = mmap(NULL, MORE * page, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED)
		err(1, "mmap");
	for (size_t i = 0; i < MORE; i += 2) /* neighbours that differ are not merged */
		if (mprotect(p + i * page, page, PROT_READ | PROT_WRITE))
			err(1, "mprotect");
}

static void numbers(struct vml_source *source)
{
	uint32_t before = mappings(source), before_lines = lines_of_maps(), after, after_lines;
	struct vml_snapshot *s;

	map_more();
	after = mappings(source);
	after_lines = lines_of_maps();
	s = take(source);
	printf("{\"before\":%u,\"before_lines\":%u,\"after\":%u,\"after_lines\":%u,\"limit\":%u,\"known\":%s,"
	       "\"success\":%" PRIu64 "}\n",
	       before, before_lines, after, after_lines, s->host.max_mappings, s->kernel.known ? "true" : "false",
	       s->kernel.success);
	vml_snapshot_free(s);
}

static void text(struct vml_source *source)
{
	const struct vml_export_options o = { 0 };
	struct vml_snapshot *before = take(source), *after, *delta;
	struct vml_export *e;
	char *data;
	size_t n;

	sleep(1);
	after = take(source);
	if (vml_delta(before, after, &delta) || vml_export_new(&o, &e) || vml_export_add(e, delta) ||
	    vml_export_write(e, VML_EXPORT_TEXT, 0, &data, &n))
		errx(1, "exposition");
	fwrite(data, 1, n, stdout);
	free(data);
	vml_export_free(e);
	vml_snapshot_free(delta);
	vml_snapshot_free(before);
	vml_snapshot_free(after);
}

int main(int argc, char **argv)
{
	const struct vml_live_options o = { .stacks_over_ns = VML_STACKS_OFF };
	char error[VML_ERROR_MAX];
	struct vml_source *source;

	if (argc != 2 || (strcmp(argv[1], "numbers") != 0 && strcmp(argv[1], "text") != 0))
		errx(2, "usage: collected numbers | text");
	if (vml_live_open(&o, &source, error))
		errx(1, "%s", error);
	if (!strcmp(argv[1], "text"))
		text(source);
	else
		numbers(source);
	vml_source_close(source);
	return 0;
}
