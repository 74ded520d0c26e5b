/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What has no cgroup, added up; gauges as the last delta has them. */
#include <stdio.h>
#include <string.h>

#include "export/state.h"
#include "vmalock/base.h"

/* By number of vml_hist_name(). */
enum { MMAP_READ_HOLD = 2, MMAP_WRITE_HOLD, SERVE_HIT = 5, SERVE_RETRY, SERVE_ABORT, SERVE_BYPASS };

static void add_hists(struct host *h, const struct vml_hist *hist)
{
	dense_add(&h->hold[0], &hist[MMAP_READ_HOLD]);
	dense_add(&h->hold[1], &hist[MMAP_WRITE_HOLD]);
	dense_add(&h->serve[OUTCOME_HIT], &hist[SERVE_HIT]);
	dense_add(&h->serve[OUTCOME_RETRY], &hist[SERVE_RETRY]);
	dense_add(&h->serve[OUTCOME_FALLBACK], &hist[SERVE_ABORT]);
	dense_add(&h->serve[OUTCOME_FALLBACK], &hist[SERVE_BYPASS]);
}

static void add_holders(struct host *h, const struct vml_rows *blockers)
{
	for (size_t i = 0; i < blockers->n; i++) {
		const struct vml_row *r = &blockers->row[i];
		uint64_t *state = h->state_ns[r->id.write];

		state[STATE_ON_CPU] += r->value[VML_ON_CPU_NS];
		state[STATE_RUNNABLE] += r->value[VML_RUNNABLE_NS];
		state[STATE_SLEEPING] += r->value[VML_SLEEP_NS];
	}
}

static void add_lookups(struct host *h, const struct vml_snapshot *d)
{
	h->lookups_known = d->lookup;
	for (size_t i = 0; i < d->nlookup && i < LOOKUP_CALLERS; i++) {
		h->lookup[i][LOOKUP_HIT] += d->lookup[i].lookups - d->lookup[i].aborts;
		h->lookup[i][LOOKUP_ABORT] += d->lookup[i].aborts;
		h->lookup[i][LOOKUP_MISS] += d->lookup[i].misses;
	}
}

static void add_kernel(struct host *h, const struct vml_kernel_counts *k)
{
	h->kernel_known = k->known;
	if (!k->known)
		return;
	h->kernel[KNOWN_SUCCESS] += k->success;
	h->kernel[KNOWN_ABORT] += k->abort;
	h->kernel[KNOWN_RETRY] += k->retry;
	h->kernel[KNOWN_MISS] += k->miss;
}

static void raise_to(uint64_t *x, uint64_t v)
{
	if (v > *x)
		*x = v;
}

static void take_stalls(struct host *h, const struct vml_snapshot *d)
{
	memset(h->stalled, 0, sizeof(h->stalled));
	memset(h->longest_ns, 0, sizeof(h->longest_ns));
	for (size_t i = 0; i < d->nstall; i++) {
		const struct vml_stall *s = &d->stall[i];

		h->stalled[0] += s->waiters - s->writers;
		h->stalled[1] += s->writers;
		raise_to(&h->longest_ns[s->write], s->wait_ns);
		raise_to(&h->longest_ns[!s->write], s->other_ns);
	}
}

static void take_caps(struct host *h, const struct vml_snapshot *d)
{
	h->caps_known = d->caps;
	if (!d->caps)
		return;
	for (int i = 0; i < VML_NCAPS; i++) {
		snprintf(h->cap[i].name, sizeof(h->cap[i].name), "%s", d->caps->cap[i].name);
		h->cap[i].state = d->caps->cap[i].state;
	}
	memcpy(h->backend, d->caps->backend, sizeof(h->backend));
	memcpy(h->detail, d->caps->detail, sizeof(h->detail));
	snprintf(h->kernel_release, sizeof(h->kernel_release), "%s", d->host.kernel ? d->host.kernel : "");
}

/* The place of @cause; the last one is for all that find no other. */
static size_t loss_of(struct host *h, const char *cause)
{
	size_t i;

	for (i = 0; i < h->nloss; i++)
		if (!strncmp(h->loss[i].cause, cause, sizeof(h->loss[i].cause) - 1))
			return i;
	if (h->nloss == LOSSES)
		return LOSSES - 1;
	snprintf(h->loss[h->nloss].cause, sizeof(h->loss[0].cause), "%s", h->nloss == LOSSES - 1 ? "other" : cause);
	return h->nloss++;
}

void host_add(struct host *h, const struct vml_snapshot *d)
{
	h->any = true;
	memcpy(h->have, d->have, sizeof(h->have));
	add_hists(h, d->hist);
	add_holders(h, &d->rows[VML_BLOCKER]);
	add_lookups(h, d);
	add_kernel(h, &d->kernel);
	h->misses += d->total[VML_MISSES];
	h->unattributed_ns += d->total[VML_UNATTRIBUTED_NS];
	h->from_bpf = d->self.from_bpf;
	h->foreign += d->self.foreign_mmap_locks;
	h->ledger_error_ns = d->self.ledger_error_ns;
	h->blame_known = d->have[VML_BLOCKER];
	h->max_mappings = d->host.max_mappings;
	take_stalls(h, d);
	take_caps(h, d);
	for (size_t i = 0; i < d->nloss; i++)
		h->loss[loss_of(h, d->loss[i].cause)].count += d->loss[i].count;
}
