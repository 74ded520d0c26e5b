/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * How often `vmalock diff` is wrong, on deltas of a real load (bench/diff runs both).
 *
 *	pairs record FILE SECONDS	observes this host, an interval each second
 *	pairs rates A B [CGROUP]	100 pairs for each question, of the processes in it
 *
 * A pair is two samples, each drawn from the deltas of a recording in blocks of
 * consecutive intervals (moving-block bootstrap), so that what one second has to do
 * with the next stays.  It is compared as the command would.  Asked is:
 *	A, A	two samples of one recording: the noise within a run
 *	A, B	of two recordings of one load: with what differs from run to run
 *	+20 % fallbacks, twice the holds: the second sample is changed so
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "vmalock/base.h"
#include "vmalock/compare.h"
#include "vmalock/snapshot.h"
#include "vmalock/source.h"
#include "vmalock/store.h"

#define PAIRS 100
#define BLOCK 4 /* intervals drawn together */
#define SECOND 1000000000ULL

static int fail(const char *what, const char *error)
{
	fprintf(stderr, "pairs: %s: %s\n", what, error);
	return 1;
}

/* ---- record */

static int observe(struct vml_source *src, struct vml_store *w, int seconds)
{
	struct timespec at;
	struct vml_snapshot *before, *now, *delta;
	int err = vml_source_next(src, &before);

	if (err)
		return err;
	clock_gettime(CLOCK_MONOTONIC, &at);
	while (!err && seconds--) {
		at.tv_sec++;
		while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &at, NULL) == EINTR)
			;
		err = vml_source_next(src, &now);
		if (err)
			break;
		err = vml_delta(before, now, &delta);
		vml_snapshot_free(before);
		before = now;
		if (err)
			break;
		err = vml_store_append(w, delta);
		vml_snapshot_free(delta);
	}
	vml_snapshot_free(before);
	return err;
}

static int record(const char *path, int seconds)
{
	const struct vml_live_options live = { .stacks_over_ns = VML_STACKS_OFF };
	const struct vml_store_options o = { .options = "bench/diff", .replace = true, .no_sync = true };
	char error[VML_ERROR_MAX];
	struct vml_source *src;
	struct vml_store *w;
	int err;

	if (vml_live_open(&live, &src, error))
		return fail("cannot observe", error);
	if (vml_recording_create(path, &o, &w, error)) {
		vml_source_close(src);
		return fail("cannot record", error);
	}
	puts("observing");
	fflush(stdout);
	err = observe(src, w, seconds);
	vml_source_close(src);
	err = vml_store_close(w) ?: err;
	return err ? fail(path, strerror(-err)) : 0;
}

/* ---- samples */

static int load(const char *path, const struct vml_filter *f, struct vml_sample *s)
{
	char error[VML_ERROR_MAX];
	struct vml_snapshot *delta;
	struct vml_reader *r;
	size_t i, n;
	int err = vml_reader_open(path, &r, error);

	if (err)
		return fail("cannot read", error);
	vml_reader_intervals(r, &n);
	for (i = 0; i < n && !err; i++) {
		err = vml_reader_delta(r, i, &delta);
		if (err)
			break;
		err = vml_select(delta, f);
		if (!err)
			err = vml_sample_add(s, delta);
		vml_snapshot_free(delta);
	}
	vml_reader_close(r);
	return err ? fail(path, strerror(-err)) : 0;
}

static uint64_t any(uint64_t n)
{
	static uint64_t x = 0x9e3779b97f4a7c15ULL;

	x ^= x >> 12;
	x ^= x << 25;
	x ^= x >> 27;
	return x * 2685821657736338717ULL % n;
}

/* As many intervals as @from has, in blocks from anywhere in it. */
static void draw(const struct vml_sample *from, struct vml_sample *to, struct vml_beat *beat)
{
	size_t block = from->n < BLOCK ? from->n : BLOCK, at = 0, i;

	*to = *from;
	to->beat = beat;
	for (i = 0; i < from->n; i++) {
		if (i % block == 0)
			at = any(from->n - block + 1);
		beat[i] = from->beat[at + i % block];
	}
}

struct question {
	const char *what;
	bool other; /* the second sample is of B */
	double fallbacks, holds; /* its numbers, times */
	enum vml_verdict right;
};

static void ask(const struct question *q, const struct vml_sample *a, const struct vml_sample *b, struct vml_beat *beat)
{
	size_t room = a->n > b->n ? a->n : b->n, k;
	int i, said[VML_NOT_COMPARABLE + 1] = { 0 }, blame[VML_NMEASURES] = { 0 };

	for (i = 0; i < PAIRS; i++) {
		struct vml_comparison c;
		struct vml_sample x, y;

		draw(a, &x, beat);
		draw(q->other ? b : a, &y, beat + room);
		for (k = 0; k < y.n; k++) {
			y.beat[k].total[VML_FALLBACKS] *= q->fallbacks;
			y.beat[k].total[VML_MMAP_READ_HOLD_NS] *= q->holds;
			y.beat[k].total[VML_MMAP_WRITE_HOLD_NS] *= q->holds;
		}
		vml_compare(&x, &y, &c);
		said[c.verdict]++;
		for (k = 0; k < VML_NMEASURES; k++)
			blame[k] += c.measure[k].known && c.measure[k].verdict != VML_NO_CHANGE;
		if (c.verdict == VML_NOT_COMPARABLE && !i)
			fprintf(stderr, "pairs: %s\n", c.why_not[0]);
	}
	printf("| %s | %s | %d | %d | %d | %d | %d |", q->what, vml_verdict_name(q->right), said[q->right],
	       said[VML_REGRESSION], said[VML_IMPROVEMENT], said[VML_NO_CHANGE], said[VML_INCONCLUSIVE]);
	for (k = 0; k < VML_NMEASURES; k++)
		printf("%s%d", k ? ", " : " ", blame[k]);
	puts(" |");
}

static int rates(char **path, const char *cgroup)
{
	static const struct question questions[] = {
		{ "A, A", false, 1, 1, VML_NO_CHANGE },
		{ "A, A with 20 % more fallbacks", false, 1.2, 1, VML_REGRESSION },
		{ "A, A with twice the holds", false, 1, 2, VML_REGRESSION },
		{ "A, B", true, 1, 1, VML_NO_CHANGE },
		{ "A, B with 20 % more fallbacks", true, 1.2, 1, VML_REGRESSION },
		{ "A, B with twice the holds", true, 1, 2, VML_REGRESSION },
	};
	struct vml_sample a = { 0 }, b = { 0 };
	const struct vml_filter f = { .cgroup = cgroup };
	struct vml_beat *beat = NULL;
	size_t i;
	int status = 1;

	if (load(path[0], &f, &a) || load(path[1], &f, &b))
		goto out;
	beat = calloc(2 * (a.n > b.n ? a.n : b.n) + 1, sizeof(*beat));
	if (!beat || !a.n || !b.n)
		goto out;
	printf("A: %zu intervals, B: %zu\n\n", a.n, b.n);
	puts("| pair | right | of 100 | regression | improvement | no change | inconclusive | pairs in which a measure is not \"no change\" |\n"
	     "|---|---|---|---|---|---|---|---|");
	for (i = 0; i < VML_ARRAY_SIZE(questions); i++)
		ask(&questions[i], &a, &b, beat);
	status = 0;
out:
	free(beat);
	vml_sample_free(&a);
	vml_sample_free(&b);
	return status;
}

int main(int argc, char **argv)
{
	uint32_t seconds;

	if (argc == 4 && !strcmp(argv[1], "record") && !vml_parse_u32(argv[3], 1, 86400, &seconds))
		return record(argv[2], (int)seconds);
	if ((argc == 4 || argc == 5) && !strcmp(argv[1], "rates"))
		return rates(argv + 2, argc == 5 ? argv[4] : NULL);
	fputs("usage: pairs record FILE SECONDS | pairs rates A B [CGROUP]\n", stderr);
	return 2;
}
