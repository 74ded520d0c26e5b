/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What a scrape and an interval cost: CPU time of this thread, median of many.
 *
 * 1,000 cgroups with 10 processes each; in every interval one in ten processes had
 * faults and waits.  As many series as the default budget lets there be.
 */
#include <linux/types.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "vmalock/base.h"
#include "vmalock/export.h"
#include "vmalock/hist.h"
#include "vmalock/snapshot.h"

#define CGROUPS 1000
#define EACH 10
#define INTERVALS 400
#define SECOND_NS 1000000000ULL

static struct vml_row process[CGROUPS * EACH];
static char path[CGROUPS][64];

static uint64_t cpu_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return t.tv_sec * SECOND_NS + t.tv_nsec;
}

static void make_world(void)
{
	for (size_t i = 0; i < CGROUPS * EACH; i++) {
		snprintf(path[i / EACH], sizeof(path[0]), "/system.slice/service-number-%zu.service", i / EACH);
		process[i] = (struct vml_row){ .id = { .pid = i + 1 },
					       .comm = "worker",
					       .cgroup = path[i / EACH],
					       .area = { .kind = "", .name = "" } };
	}
}

/* Process @i in an interval: some of everything that a row may have. */
static void make_busy(struct vml_snapshot *d, struct vml_row *r, size_t i)
{
	struct vml_cell *reason = vml_arena_alloc(d->arena, 3 * sizeof(*reason));

	r->value[VML_HITS] = 1000 + i % 97;
	r->value[VML_FAULTS_USER] = r->value[VML_HITS] + 20;
	r->value[VML_FAULTS_KERNEL] = r->value[VML_BYPASSES] = 7;
	r->value[VML_FALLBACKS] = 27;
	r->value[VML_ABORTS] = 12;
	r->value[VML_RETRIES] = 8;
	for (int k = 0; reason && k < 3; k++)
		reason[k] = (struct vml_cell){ VML_REASON_INDEX(k, VML_EXACT) + 2 * (i % 3), 9 };
	r->reasons = (struct vml_tally){ reason ? 3 : 0, reason };
	for (int h = 0; h < 5; h += h == 1 ? 3 : 1) { /* the waits */
		struct vml_cell *cell = vml_arena_alloc(d->arena, 8 * sizeof(*cell));

		for (uint32_t b = 0; cell && b < 8; b++)
			cell[b] = (struct vml_cell){ 30 + (i + 5 * b) % 40 + 5 * b, 1 + b };
		r->hist[h] = (struct vml_hist){ .bucket = { cell ? 8 : 0, cell }, .count = 36, .sum_ns = 1000000 + i };
	}
}

static struct vml_snapshot *make_delta(uint64_t n)
{
	struct vml_snapshot *d = vml_snapshot_new();

	if (!d)
		return NULL;
	d->boot_ns = (1000 + n) * SECOND_NS;
	d->interval_ns = SECOND_NS;
	d->have_reasons = true;
	for (int i = 0; i < VML_NSCOPES; i++)
		d->have[i] = VML_METRIC_BIT(VML_NMETRICS) - 1;
	for (size_t i = n % 10; i < CGROUPS * EACH; i += 10)
		make_busy(d, &process[i], i);
	d->rows[VML_PROCESS] = (struct vml_rows){ process, CGROUPS * EACH };
	return d;
}

static void rest(uint64_t n)
{
	for (size_t i = n % 10; i < CGROUPS * EACH; i += 10) {
		memset(process[i].value, 0, sizeof(process[i].value));
		memset(process[i].hist, 0, sizeof(process[i].hist));
		process[i].reasons = (struct vml_tally){ 0 };
	}
}

static int by_value(const void *a, const void *b)
{
	const uint64_t *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

static void print(const char *what, uint64_t ns[INTERVALS], size_t bytes)
{
	qsort(ns, INTERVALS, sizeof(*ns), by_value);
	printf("%-28s %8.3f ms, p99 %8.3f ms", what, ns[INTERVALS / 2] / 1e6, ns[INTERVALS * 99 / 100] / 1e6);
	if (bytes)
		printf(", %zu bytes", bytes);
	printf("\n");
}

static uint64_t series_of(const char *text)
{
	const char *line = strstr(text, "\nvmalock_exported_series ");

	return line ? strtoull(line + strlen("\nvmalock_exported_series "), NULL, 10) : 0;
}

int main(void)
{
	static uint64_t add[INTERVALS], write[2][INTERVALS];
	const struct vml_export_options options = { 0 };
	size_t n, bytes[2] = { 0 };
	struct vml_export *e;
	uint64_t series = 0;
	char *data;

	if (vml_export_new(&options, &e))
		return 1;
	make_world();
	for (uint64_t i = 0; i < INTERVALS; i++) {
		struct vml_snapshot *d = make_delta(i);
		uint64_t at = cpu_ns();

		if (!d || vml_export_add(e, d))
			return 1;
		add[i] = cpu_ns() - at;
		vml_snapshot_free(d);
		rest(i);
		for (int f = VML_EXPORT_TEXT; f <= VML_EXPORT_PROTOBUF; f++) {
			at = cpu_ns();
			if (vml_export_write(e, f, 0, &data, &n))
				return 1;
			write[f][i] = cpu_ns() - at;
			bytes[f] = n;
			if (f == VML_EXPORT_TEXT)
				series = series_of(data);
			free(data);
		}
	}
	printf("%d processes in %d cgroups, %llu series\n", CGROUPS * EACH, CGROUPS, (unsigned long long)series);
	print("interval", add, 0);
	print("scrape, text", write[VML_EXPORT_TEXT], bytes[VML_EXPORT_TEXT]);
	print("scrape, protobuf", write[VML_EXPORT_PROTOBUF], bytes[VML_EXPORT_PROTOBUF]);
	vml_export_free(e);
	return 0;
}
