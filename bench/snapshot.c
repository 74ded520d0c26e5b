// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * How long a snapshot takes, with what lives on this host.
 *
 * usage: snapshot COUNT MEMORY
 *
 * Observes with MEMORY (64M) for the maps, prints "observing" and waits for a line of input.
 * Then takes COUNT snapshots, five a second, and prints one JSON object:
 *
 *	snapshots[]: snapshot_ns, snapshot_cpu_ns, delta_ns (from the one before), processes, threads, vmas
 *	vma_map_full: faults without a row of their area, since the start
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "vmalock/base.h"
#include "vmalock/snapshot.h"
#include "vmalock/source.h"

#define PAUSE_US 200000

static uint64_t cpu_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (uint64_t)t.tv_sec * 1000000000ULL + (uint64_t)t.tv_nsec;
}

static uint64_t loss(const struct vml_snapshot *s, const char *cause)
{
	for (size_t i = 0; i < s->nloss; i++)
		if (!strcmp(s->loss[i].cause, cause))
			return s->loss[i].count;
	return 0;
}

/* Frees *prev, which becomes the new one. */
static int measure(struct vml_source *src, struct vml_snapshot **prev, bool first)
{
	uint64_t begin = vml_now_mono(), cpu = cpu_ns(), taken, used, compared;
	struct vml_snapshot *s, *delta;
	int err = vml_source_next(src, &s);

	if (err)
		return err;
	used = cpu_ns() - cpu;
	taken = vml_now_mono();
	err = vml_delta(*prev, s, &delta);
	compared = vml_now_mono();
	vml_snapshot_free(*prev);
	*prev = s;
	if (err)
		return err;
	vml_snapshot_free(delta);
	printf("%s{\"snapshot_ns\":%llu,\"snapshot_cpu_ns\":%llu,\"delta_ns\":%llu,\"processes\":%zu,\"threads\":%zu,\"vmas\":%zu}",
	       first ? "" : ",", (unsigned long long)(taken - begin), (unsigned long long)used,
	       (unsigned long long)(compared - taken), s->rows[VML_PROCESS].n, s->rows[VML_THREAD].n,
	       s->rows[VML_VMA].n);
	return 0;
}

static int measure_all(struct vml_source *src, uint32_t count)
{
	struct vml_snapshot *prev;
	int err = vml_source_next(src, &prev);

	if (err)
		return err;
	printf("{\"snapshots\":[");
	for (uint32_t i = 0; i < count && !err; i++) {
		usleep(PAUSE_US);
		err = measure(src, &prev, !i);
	}
	printf("],\"vma_map_full\":%llu}\n", (unsigned long long)loss(prev, "vma_map_full"));
	vml_snapshot_free(prev);
	return err;
}

int main(int argc, char **argv)
{
	struct vml_live_options o = { 0 };
	char error[VML_ERROR_MAX] = "";
	struct vml_source *src;
	uint32_t count;
	int err;

	if (argc != 3 || vml_parse_u32(argv[1], 1, 100000, &count) || vml_live_set_memory(&o, argv[2], error)) {
		fputs("usage: snapshot COUNT MEMORY\n", stderr);
		return 2;
	}
	if (vml_live_open(&o, &src, error)) {
		fprintf(stderr, "snapshot: %s\n", error);
		return 1;
	}
	puts("observing");
	fflush(stdout);
	err = getchar() == EOF ? -ECANCELED : measure_all(src, count);
	vml_source_close(src);
	if (err)
		fprintf(stderr, "snapshot: cannot take a snapshot: %s\n", strerror(-err));
	return err != 0;
}
