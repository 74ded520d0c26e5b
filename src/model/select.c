/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * A filter chooses processes; threads and VMAs go with theirs.  Nothing is
 * changed before everything is allocated, so a failure leaves the delta whole.
 */
#include <errno.h>
#include <linux/types.h>
#include <string.h>

#include "vmalock/base.h"
#include "vmalock/hist.h"
#include "vmalock/snapshot.h"

/* The filter with what was prepared once, and which process rows it keeps. */
struct selection {
	const struct vml_filter *f;
	const char *cgroup; /* as rows have it: clean; NULL: any */
	const struct vml_rows *process;
	bool *kept;
};

static bool pid_wanted(const struct vml_filter *f, const struct vml_row *r)
{
	size_t i;

	for (i = 0; i < f->npids; i++) {
		if (f->pids[i] == r->id.pid || f->pids[i] == r->ns_pid)
			return true;
	}
	return !f->npids;
}

/* "/a" and "/a/" hold "/a" and "/a/b", not "/ab"; "/" holds every known path. */
static bool is_below(const char *path, const char *top)
{
	size_t n = strlen(top);

	while (n && top[n - 1] == '/')
		n--;
	return *path && !strncmp(path, top, n) && (!path[n] || path[n] == '/');
}

static bool cgroup_wanted(const struct selection *s, const struct vml_row *r)
{
	if (!s->cgroup)
		return true;
	/* systemd has backslashes in its names: typed once in the kernel's form, copied in ours */
	return is_below(r->cgroup, s->cgroup) || is_below(r->cgroup, s->f->cgroup);
}

static bool row_wanted(const struct selection *s, const struct vml_row *r)
{
	if (s->f->by_uid && (r->uid == UINT32_MAX || r->uid != s->f->uid))
		return false;
	return pid_wanted(s->f, r) && cgroup_wanted(s, r);
}

static bool keeps_image(const struct selection *s, const struct vml_image *i, bool otherwise)
{
	struct vml_id id = { .pid = i->pid, .exec = i->exec, .start_ns = i->start_ns };
	const struct vml_row *p = vml_rows_find(s->process, &id);

	return p ? s->kept[p - s->process->row] : otherwise;
}

/*
 * Threads and VMAs: as their process, or by what they say themselves when it has no
 * row.  Blockers also with the process whose lock they held.
 */
static bool keeps(const struct selection *s, const struct vml_row *r)
{
	struct vml_image process = { .pid = r->id.pid, .exec = r->id.exec, .start_ns = r->id.start_ns };

	return keeps_image(s, &process, row_wanted(s, r)) || (r->id.target.pid && keeps_image(s, &r->id.target, false));
}

static int prepare(struct selection *s, struct vml_arena *a)
{
	size_t i, n;
	char *clean;

	if (s->f->cgroup) {
		n = strlen(s->f->cgroup);
		clean = vml_arena_alloc(a, 4 * n + 1);
		if (!clean)
			return -ENOMEM;
		vml_text_clean(clean, 4 * n + 1, s->f->cgroup, n);
		s->cgroup = clean;
	}
	s->kept = vml_arena_alloc(a, s->process->n * sizeof(*s->kept));
	if (!s->kept)
		return -ENOMEM;
	for (i = 0; i < s->process->n; i++)
		s->kept[i] = row_wanted(s, &s->process->row[i]);
	return 0;
}

/*
 * Sums over many rows.  Dense, as adding tallies pairwise would leave every
 * step in the arena.
 */
struct sum {
	uint64_t total[VML_NMETRICS];
	uint64_t *reasons; /* VML_REASON_INDEX() */
	uint32_t nreasons;
	struct {
		uint64_t bucket[VML_HIST_BUCKETS];
		uint64_t sum_ns;
		uint64_t max_ns; /* of those that know it */
		double bound; /* of those that do not */
	} hist[VML_HISTS];
};

static void sum_tally(uint64_t *dense, uint32_t n, const struct vml_tally *t)
{
	uint32_t i;

	for (i = 0; i < t->n; i++) {
		if (t->cell[i].index < n)
			dense[t->cell[i].index] += t->cell[i].count;
	}
}

static void sum_hist(struct sum *sum, int which, const struct vml_hist *h)
{
	double bound = h->max_ns ? 0 : vml_hist_max_bound(h);

	if (!h->bucket.n)
		return;
	sum_tally(sum->hist[which].bucket, VML_HIST_BUCKETS, &h->bucket);
	sum->hist[which].sum_ns += h->sum_ns;
	if (h->max_ns > sum->hist[which].max_ns)
		sum->hist[which].max_ns = h->max_ns;
	if (bound > sum->hist[which].bound)
		sum->hist[which].bound = bound;
}

static struct sum *sum_kept(const struct selection *s, struct vml_arena *a)
{
	struct sum *sum = vml_arena_alloc(a, sizeof(*sum));
	uint32_t n = 2 * vml_reason_count();
	size_t i;
	int j;

	if (!sum)
		return NULL;
	sum->reasons = vml_arena_alloc(a, n * sizeof(*sum->reasons));
	sum->nreasons = n;
	if (!sum->reasons)
		return NULL;
	for (i = 0; i < s->process->n; i++) {
		const struct vml_row *r = &s->process->row[i];

		if (!s->kept[i])
			continue;
		for (j = 0; j < VML_NMETRICS; j++)
			sum->total[j] += r->value[j];
		for (j = 0; j < VML_HISTS; j++)
			sum_hist(sum, j, &r->hist[j]);
		sum_tally(sum->reasons, n, &r->reasons);
	}
	return sum;
}

static int make_hists(struct vml_arena *a, const struct sum *sum, struct vml_hist hist[VML_HISTS])
{
	int i, err = 0;

	for (i = 0; i < VML_HISTS && !err; i++) {
		uint64_t max_ns = sum->hist[i].max_ns;

		err = vml_tally_from(a, sum->hist[i].bucket, VML_HIST_BUCKETS, &hist[i].bucket);
		hist[i].count = err ? 0 : vml_tally_sum(&hist[i].bucket);
		hist[i].sum_ns = sum->hist[i].sum_ns;
		/* as vml_hist_add(): known, if nobody who does not say can be over it */
		hist[i].max_ns = (double)max_ns >= sum->hist[i].bound ? max_ns : 0;
	}
	return err;
}

static void narrow(const struct selection *s, struct vml_rows *rows)
{
	size_t i, n = 0;

	for (i = 0; i < rows->n; i++) {
		if (keeps(s, &rows->row[i]))
			rows->row[n++] = rows->row[i];
	}
	rows->n = n;
}

static void narrow_stalls(const struct selection *s, struct vml_snapshot *snap)
{
	size_t i, n = 0;

	for (i = 0; i < snap->nstall; i++) {
		if (keeps_image(s, &snap->stall[i].target, false))
			snap->stall[n++] = snap->stall[i];
	}
	snap->nstall = n;
	for (i = 0, n = 0; i < snap->nstack; i++) {
		const struct vml_id *id = &snap->stack[i].id;
		struct vml_image holder = { .pid = id->pid, .exec = id->exec, .start_ns = id->start_ns };

		if (keeps_image(s, &holder, false))
			snap->stack[n++] = snap->stack[i];
	}
	snap->nstack = n;
}

/* The processes last: their threads and VMAs are looked up in them. */
static void narrow_all(const struct selection *s, struct vml_snapshot *snap)
{
	struct vml_rows *process = &snap->rows[VML_PROCESS];
	size_t i, n = 0;

	narrow(s, &snap->rows[VML_VMA]);
	narrow(s, &snap->rows[VML_THREAD]);
	narrow(s, &snap->rows[VML_BLOCKER]);
	narrow_stalls(s, snap);
	for (i = 0; i < process->n; i++) {
		if (s->kept[i])
			process->row[n++] = process->row[i];
	}
	process->n = n;
}

int vml_select(struct vml_snapshot *snap, const struct vml_filter *f)
{
	struct selection s = { .f = f, .process = &snap->rows[VML_PROCESS] };
	struct vml_hist hist[VML_HISTS] = { 0 };
	struct vml_tally reasons;
	struct sum *sum;
	int err;

	if (!f->npids && !f->by_uid && !f->cgroup)
		return 0;
	err = prepare(&s, snap->arena);
	if (err)
		return err;
	sum = sum_kept(&s, snap->arena);
	if (!sum)
		return -ENOMEM;
	err = vml_tally_from(snap->arena, sum->reasons, sum->nreasons, &reasons);
	if (!err)
		err = make_hists(snap->arena, sum, hist);
	if (err)
		return err;
	narrow_all(&s, snap);
	memcpy(snap->total, sum->total, sizeof(snap->total));
	vml_total_wait(snap);
	memcpy(snap->hist, hist, sizeof(snap->hist));
	snap->reasons = reasons;
	snap->selected = 1;
	return 0;
}
