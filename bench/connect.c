// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * What vmalocktop --connect costs for each snapshot: the daemon, which makes a recording
 * of all its rows, and the program, which reads it and takes the delta.  Prints the table of
 * docs/daemon.md.
 */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "../tests/fixtures/world.h"
#include "vmalock/store.h"

#define ROUNDS 5

static double cpu_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static struct vml_snapshot *read_back(const char *bytes, size_t n)
{
	char error[VML_ERROR_MAX];
	struct vml_snapshot *s = NULL;
	struct vml_reader *r;

	if (vml_reader_open_bytes(bytes, n, "bytes", &r, error))
		return NULL;
	if (vml_reader_delta(r, 0, &s))
		s = NULL;
	else
		s->interval_ns = 0;
	vml_reader_close(r);
	return s;
}

static int measure(uint32_t threads)
{
	const struct world_options o = {
		.seed = 1, .processes = threads / 10, .threads = 10, .busy = 100, .stacks = 50
	};
	struct world *w = world_new(&o);
	double from, made = 0, read = 0;
	struct vml_snapshot *prev = NULL, *cur, *delta;
	char *bytes = NULL;
	size_t n = 0, rows = 0;
	int i, scope;

	for (i = 0; w && i <= ROUNDS; i++) {
		struct vml_snapshot *s;
		FILE *f = open_memstream(&bytes, &n);

		world_step(w, 1000000000);
		s = world_snapshot(w);
		if (!s || !f)
			return 1;
		s->interval_ns = s->boot_ns - 1;
		from = cpu_ms();
		if (vml_recording_write(f, s) || fclose(f))
			return 1;
		made += cpu_ms() - from;
		for (rows = 0, scope = 0; scope < VML_NSCOPES; scope++)
			rows += s->rows[scope].n;
		vml_snapshot_free(s);
		from = cpu_ms();
		cur = read_back(bytes, n);
		if (!cur || (prev && vml_delta(prev, cur, &delta)))
			return 1;
		read += cpu_ms() - from;
		free(bytes);
		if (prev)
			vml_snapshot_free(delta);
		vml_snapshot_free(prev);
		prev = cur;
	}
	vml_snapshot_free(prev);
	world_free(w);
	printf("| %u | %zu | %.0f | %.1f | %.1f |\n", threads, rows, (double)n / 1e3, made / (ROUNDS + 1),
	       read / (ROUNDS + 1));
	return 0;
}

int main(void)
{
	static const uint32_t threads[] = { 100, 450, 1000, 4500 };
	size_t i;
	int err = 0;

	puts("| threads | rows | kB | CPU ms of vmalockd | CPU ms of vmalocktop |\n| --- | --- | --- | --- | --- |");
	for (i = 0; i < sizeof(threads) / sizeof(*threads) && !err; i++)
		err = measure(threads[i]);
	return err;
}
