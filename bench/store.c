// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * What recordings and the history cost: time of an append, bytes an hour.
 *
 *	build/bench/store [INTERVALS]
 *
 * On an invented host whose threads all change in each interval of a second, spread
 * over processes of 10 threads; as many VMAs.  Prints a table for docs/recording.md.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "../tests/fixtures/world.h"
#include "vmalock/base.h"
#include "vmalock/store.h"

#define SECOND 1000000000ULL

struct run {
	const char *what;
	bool history, no_sync;
	uint32_t threads, busy, rows;
};

static int by_size(const void *a, const void *b)
{
	const double *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

static double cpu_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static double ms(uint64_t from)
{
	return (double)(vml_now_mono() - from) / 1e6;
}

static struct vml_snapshot *next_delta(struct world *w, struct vml_snapshot **prev)
{
	struct vml_snapshot *cur, *delta = NULL;

	world_step(w, SECOND);
	cur = world_snapshot(w);
	if (cur && vml_delta(*prev, cur, &delta))
		delta = NULL;
	vml_snapshot_free(*prev);
	*prev = cur;
	return delta;
}

static double file_size(const char *path)
{
	struct stat st;

	return stat(path, &st) ? 0 : (double)st.st_size;
}

static double read_ms(const char *path)
{
	char error[VML_ERROR_MAX];
	struct vml_snapshot *d;
	struct vml_reader *r;
	uint64_t from;
	double t;

	if (vml_reader_open(path, &r, error))
		return -1;
	from = vml_now_mono();
	t = vml_reader_delta(r, 0, &d) ? -1 : ms(from);
	if (t >= 0)
		vml_snapshot_free(d);
	vml_reader_close(r);
	return t;
}

static int measure(const struct run *run, const char *folder, int intervals)
{
	const struct world_options wo = {
		.seed = 1, .processes = run->threads / 10, .threads = 10, .busy = run->busy, .stacks = 4
	};
	const struct vml_store_options o = { .rows = run->rows, .no_sync = run->no_sync };
	struct world *world = world_new(&wo);
	struct vml_snapshot *prev = world_snapshot(world);
	double *t = calloc((size_t)intervals, sizeof(*t)), *cpu = calloc((size_t)intervals, sizeof(*cpu));
	char path[512], error[VML_ERROR_MAX] = "";
	struct vml_store *w = NULL;
	int i, err;

	snprintf(path, sizeof(path), "%s/store", folder);
	err = run->history ? vml_history_open(path, &o, &w, error) : vml_recording_create(path, &o, &w, error);
	for (i = 0; i < intervals && !err; i++) {
		struct vml_snapshot *d = next_delta(world, &prev);
		uint64_t from = vml_now_mono();
		double used = cpu_ms();

		err = d ? vml_store_append(w, d) : -1;
		if (!err && run->history)
			err = vml_history_tidy(w, 0);
		t[i] = ms(from);
		cpu[i] = cpu_ms() - used;
		vml_snapshot_free(d);
	}
	vml_store_close(w);
	qsort(t, (size_t)intervals, sizeof(*t), by_size);
	qsort(cpu, (size_t)intervals, sizeof(*cpu), by_size);
	if (err)
		fprintf(stderr, "store: %s: %d %s\n", run->what, err, error);
	else
		printf("| %s | %u | %u | %.1f | %.1f | %.1f | %.0f | %.1f |\n", run->what,
		       run->threads * run->busy / 100, run->rows, cpu[intervals / 2], t[intervals / 2],
		       t[intervals * 99 / 100], file_size(path) / intervals * 3600 / 1e6, read_ms(path));
	fflush(stdout);
	unlink(path);
	vml_snapshot_free(prev);
	world_free(world);
	free(t);
	free(cpu);
	return err;
}

int main(int argc, char **argv)
{
	static const struct run runs[] = {
		{ "recording, synced", false, false, 100, 100, 0 },
		{ "recording", false, true, 100, 100, 0 },
		{ "recording", false, true, 1000, 100, 0 },
		{ "recording", false, true, 10000, 100, 0 },
		{ "recording", false, true, 10000, 100, 200 },
		{ "history, synced", true, false, 1000, 100, VML_HISTORY_ROWS },
		{ "history", true, true, 1000, 100, VML_HISTORY_ROWS },
		{ "history", true, true, 10000, 100, VML_HISTORY_ROWS },
		{ "history", true, true, 10000, 10, VML_HISTORY_ROWS },
	};
	const char *tmp = getenv("TMPDIR");
	int intervals = argc > 1 ? atoi(argv[1]) : 60, err = 0;
	char folder[256];
	size_t i;

	if (intervals < 2)
		intervals = 2;
	snprintf(folder, sizeof(folder), "%s/vmalock-bench-XXXXXX", tmp && *tmp ? tmp : P_tmpdir);
	if (!mkdtemp(folder)) {
		perror(folder);
		return 1;
	}
	puts("| what | threads that change a second | rows a scope (0: all) | CPU ms an append | ms an append, median | 99 % | "
	     "MB an hour | ms to read one |\n| --- | --- | --- | --- | --- | --- | --- | --- |");
	for (i = 0; i < VML_ARRAY_SIZE(runs) && !err; i++)
		err = measure(&runs[i], folder, intervals);
	rmdir(folder);
	return err != 0;
}
