/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include <errno.h>
#include <linux/types.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vmalock/hist.h"
#include "vmalock/series.h"

_Static_assert(VML_SERIES_BUCKETS == VML_HIST_BUCKETS, "one geometry");

/* The two clocks of a delta are read one after the other. */
#define JITTER_NS 100000000ULL
/* Gaps make bins, too. Of a file whose clock goes to and fro the last bin has the rest. */
#define BINS_MAX (16 * VML_SERIES_BINS)

uint64_t vml_series_step(size_t n, uint64_t span_ns)
{
	return n <= VML_SERIES_BINS ? 0 : span_ns / VML_SERIES_BINS;
}

static struct vml_bin *new_bin(struct vml_series *s)
{
	if (s->n == s->room) {
		size_t room = s->room ? 2 * s->room : 64;
		struct vml_bin *more = realloc(s->bin, room * sizeof(*more));

		if (!more)
			return NULL;
		s->bin = more;
		s->room = room;
	}
	memset(&s->bin[s->n], 0, sizeof(s->bin[0]));
	return &s->bin[s->n++];
}

static bool later(uint64_t ns, uint64_t than_ns, uint64_t by_ns)
{
	return ns > than_ns && ns - than_ns > by_ns;
}

static bool is_gap(const struct vml_series *s, const struct vml_snapshot *d)
{
	uint64_t boot = d->boot_ns - d->interval_ns, real = d->real_ns - d->interval_ns;
	uint64_t allowed = s->step_ns > JITTER_NS ? s->step_ns : JITTER_NS;

	if (strncmp(s->boot_id, d->host.boot_id, sizeof(s->boot_id) - 1) != 0)
		return true;
	/* forth: nobody observed, or the clock was set; back: it was set, or a source reads badly */
	return later(boot, s->boot_ns, allowed) || later(real, s->real_ns, allowed) ||
	       later(s->real_ns, real, JITTER_NS);
}

/* The bin that @d belongs to. */
static struct vml_bin *bin_of(struct vml_series *s, const struct vml_snapshot *d)
{
	struct vml_bin *b = s->n ? &s->bin[s->n - 1] : NULL;
	bool gap = b && is_gap(s, d);

	if (b && !gap && s->step_ns && d->real_ns - b->from_ns <= s->step_ns)
		return b;
	if (s->n >= BINS_MAX)
		return b;
	b = new_bin(s);
	if (!b)
		return NULL;
	b->from_ns = d->real_ns - d->interval_ns;
	b->have = ~0ULL;
	b->gap = gap;
	return b;
}

static void add_hist(uint64_t *bucket, const struct vml_hist *h)
{
	uint32_t i;

	for (i = 0; i < h->bucket.n; i++)
		if (h->bucket.cell[i].index < VML_SERIES_BUCKETS)
			bucket[h->bucket.cell[i].index] += h->bucket.cell[i].count;
}

int vml_series_add(struct vml_series *s, const struct vml_snapshot *d)
{
	struct vml_bin *b;
	size_t i;

	if (!d->interval_ns || d->interval_ns > d->real_ns || d->interval_ns > d->boot_ns)
		return -EINVAL;
	b = bin_of(s, d);
	if (!b)
		return -ENOMEM;
	b->until_ns = d->real_ns;
	b->interval_ns += d->interval_ns;
	b->intervals++;
	b->have &= d->have[VML_PROCESS];
	for (i = 0; i < VML_NMETRICS; i++)
		b->total[i] += d->total[i];
	b->lost += vml_snapshot_lost(d);
	for (i = 0; i < VML_SERIES_HISTS; i++)
		add_hist(b->wait[i], &d->hist[i]);
	s->boot_ns = d->boot_ns;
	s->real_ns = d->real_ns;
	snprintf(s->boot_id, sizeof(s->boot_id), "%s", d->host.boot_id);
	return 0;
}

void vml_series_free(struct vml_series *s)
{
	free(s->bin);
	s->bin = NULL;
	s->n = s->room = 0;
}
