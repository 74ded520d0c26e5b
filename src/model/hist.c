/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include <errno.h>
#include <linux/types.h>

#include "model.h"
#include "vmalock/base.h"
#include "vmalock/hist.h"

double vml_hist_upper(uint32_t i)
{
	/* 2^(0/4), 2^(1/4), 2^(2/4), 2^(3/4) and the octaves, which are exact */
	static const long double quarter[] = { 1.0L, 1.189207115002721066717L, 1.414213562373095048802L,
					       1.681792830507429086062L };
	const uint32_t zero = -VML_HIST_FIRST_K; /* the bound of one second */
	long double ns;

	if (i >= VML_HIST_BOUNDS)
		return __builtin_inf();
	ns = quarter[i % 4] * 1e9L;
	return i < zero ? ns / (1U << (zero - i + 3) / 4) : ns * (1U << (i - zero) / 4);
}

double vml_hist_lower(uint32_t i)
{
	return i ? vml_hist_upper(i - 1) : 0;
}

/* The geometric middle, or the inner bound where there is no other. */
static double middle(uint32_t i)
{
	static const double eighth = 1.0905077326652577; /* 2^(1/8) */

	if (!i)
		return vml_hist_upper(0);
	return i >= VML_HIST_BOUNDS ? vml_hist_lower(VML_HIST_BOUNDS) : vml_hist_lower(i) * eighth;
}

double vml_hist_quantile(const struct vml_hist *h, double q)
{
	const struct vml_tally *t = &h->bucket;
	uint64_t rank, seen = 0;
	double wanted, ns;
	uint32_t i;

	if (!t->n)
		return -1;
	/* the smallest rank that is not below q * count, as ceil() without libm */
	wanted = q * (double)vml_tally_sum(t);
	rank = (uint64_t)wanted;
	rank += (double)rank < wanted;
	for (i = 0; i < t->n - 1; i++) {
		seen += t->cell[i].count;
		if (seen >= rank)
			break;
	}
	ns = middle(t->cell[i].index);
	return h->max_ns && ns > (double)h->max_ns ? (double)h->max_ns : ns;
}

double vml_hist_max_bound(const struct vml_hist *h)
{
	double upper;

	if (!h->bucket.n)
		return -1;
	upper = vml_hist_upper(h->bucket.cell[h->bucket.n - 1].index);
	return h->max_ns && (double)h->max_ns < upper ? (double)h->max_ns : upper;
}

uint64_t model_hist_max(const struct vml_hist *x, const struct vml_hist *y)
{
	if (!x->bucket.n || !y->bucket.n)
		return x->bucket.n ? x->max_ns : y->max_ns;
	if (x->max_ns && y->max_ns)
		return x->max_ns > y->max_ns ? x->max_ns : y->max_ns;
	if (x->max_ns)
		return (double)x->max_ns >= vml_hist_max_bound(y) ? x->max_ns : 0;
	return y->max_ns && (double)y->max_ns >= vml_hist_max_bound(x) ? y->max_ns : 0;
}

int vml_hist_add(struct vml_arena *a, const struct vml_hist *x, const struct vml_hist *y, struct vml_hist *ret)
{
	struct vml_hist h = { .sum_ns = x->sum_ns + y->sum_ns, .max_ns = model_hist_max(x, y) };
	int err = vml_tally_add(a, &x->bucket, &y->bucket, &h.bucket);

	if (err)
		return err;
	h.count = vml_tally_sum(&h.bucket);
	*ret = h;
	return 0;
}

/* A maximum that fell is one of a new count (reset), and as exact as one that grew. */
static uint64_t max_change(const struct vml_hist *prev, const struct vml_hist *cur)
{
	if (prev->max_ns || !prev->bucket.n)
		return cur->max_ns != prev->max_ns ? cur->max_ns : 0;
	return (double)cur->max_ns > vml_hist_max_bound(prev) ? cur->max_ns : 0;
}

int vml_hist_delta(struct vml_arena *a, const struct vml_hist *prev, const struct vml_hist *cur, struct vml_hist *ret)
{
	struct vml_hist h = { .max_ns = max_change(prev, cur) };
	int err = vml_tally_delta(a, &prev->bucket, &cur->bucket, &h.bucket);

	if (err)
		return err;
	h.sum_ns = cur->sum_ns < prev->sum_ns ? cur->sum_ns : cur->sum_ns - prev->sum_ns;
	h.count = vml_tally_sum(&h.bucket);
	*ret = h;
	return 0;
}
