/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Makes recordings of invented loads: recording FILE [KEY=VALUE...]
 *
 * A process "worker" faults, falls back and waits as the keys say, another one,
 * "quiet", does a tenth of it and never changes.  Who holds the lock is a thread of
 * "worker" in munmap.  Each interval differs from the one before by +-10 %, the same
 * in each run; keys and their defaults are in struct invented.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vmalock/base.h"
#include "vmalock/caps.h"
#include "vmalock/snapshot.h"
#include "vmalock/store.h"

#define SECOND 1000000000ULL

static struct invented {
	double intervals, at, seed; /* how many, each of a second, from UNIX time on */
	double faults, share; /* a second, and how many of them fall back */
	double wait, hold; /* ns of each fallback */
	double cpus, lost, pid, wild; /* wild: in one interval the waits are so many times as long */
	double history; /* 1: as a history, to which more can be added */
	double redact; /* 1: as vmalock snapshot --redact makes it */
	double more; /* intervals at the end that fall back 1.5 times as often */
	const char *backend, *comm, *cgroup, *area;
} in = { .intervals = 30,
	 .at = 1767225600,
	 .seed = 1,
	 .faults = 20000,
	 .share = 0.02,
	 .wait = 20000,
	 .hold = 10000,
	 .cpus = 4,
	 .pid = 100,
	 .wild = 1,
	 .backend = "tracepoint",
	 .comm = "worker",
	 .cgroup = "/system.slice/worker.service",
	 .area = "/var/lib/worker/data" };

static const struct {
	const char *key;
	double *number;
	const char **text;
} keys[] = {
	{ "intervals", &in.intervals, NULL }, { "at", &in.at, NULL },
	{ "seed", &in.seed, NULL },	      { "faults", &in.faults, NULL },
	{ "share", &in.share, NULL },	      { "wait", &in.wait, NULL },
	{ "hold", &in.hold, NULL },	      { "cpus", &in.cpus, NULL },
	{ "lost", &in.lost, NULL },	      { "pid", &in.pid, NULL },
	{ "wild", &in.wild, NULL },	      { "history", &in.history, NULL },
	{ "more", &in.more, NULL },	      { "redact", &in.redact, NULL },
	{ "backend", NULL, &in.backend },     { "comm", NULL, &in.comm },
	{ "cgroup", NULL, &in.cgroup },	      { "area", NULL, &in.area },
};

static int set(const char *arg)
{
	const char *value = strchr(arg, '=');
	size_t i;

	for (i = 0; value && i < VML_ARRAY_SIZE(keys); i++) {
		if (strncmp(keys[i].key, arg, (size_t)(value - arg)) != 0 || keys[i].key[value - arg])
			continue;
		if (keys[i].text)
			*keys[i].text = value + 1;
		else
			*keys[i].number = strtod(value + 1, NULL);
		return 0;
	}
	return -EINVAL;
}

static double around(double mean)
{
	static uint64_t x;

	if (!x)
		x = 0x2545f4914f6cdd1dULL * (uint64_t)(in.seed + 1);
	x ^= x >> 12;
	x ^= x << 25;
	x ^= x >> 27;
	return mean * (0.9 + 0.2 * (double)(x * 2685821657736338717ULL >> 11) / 9007199254740992.0);
}

/* ---- one interval */

static char *clean(struct vml_arena *a, const char *s)
{
	char buf[4096];

	vml_text_clean(buf, sizeof(buf), s, strlen(s));
	return vml_arena_strdup(a, buf);
}

static struct vml_row *row(struct vml_snapshot *d, enum vml_scope scope, uint32_t pid, const char *comm,
			   const char *cgroup)
{
	struct vml_row *r = &d->rows[scope].row[d->rows[scope].n++];

	*r = (struct vml_row){ .id = { .pid = pid, .exec = 1, .start_ns = pid * SECOND },
			       .comm = clean(d->arena, comm),
			       .cgroup = clean(d->arena, cgroup),
			       .uid = 0,
			       .ns_pid = pid,
			       .area = { .kind = "", .name = "" } };
	return r;
}

static struct vml_tally reason(struct vml_snapshot *d, uint32_t index, uint64_t count)
{
	const struct vml_cell cell = { index, count };

	return (struct vml_tally){ .n = 1, .cell = vml_arena_copy(d->arena, &cell, sizeof(cell)) };
}

static uint32_t reason_index(const char *name)
{
	uint32_t i;

	for (i = 0; i < vml_reason_count() && strcmp(vml_reason_name(i), name) != 0; i++)
		;
	return VML_REASON_INDEX(i, VML_INFERRED);
}

static void count(uint64_t *v, double faults, double share, double wait, double hold)
{
	double fallbacks = around(faults * share);

	v[VML_FAULTS] = v[VML_FAULTS_USER] = (uint64_t)faults;
	v[VML_FALLBACKS] = (uint64_t)fallbacks;
	v[VML_HITS] = v[VML_FAULTS] - v[VML_FALLBACKS];
	v[VML_WAIT_NS] = v[VML_MMAP_READ_WAIT_NS] = (uint64_t)around(fallbacks * wait);
	v[VML_UNATTRIBUTED_NS] = v[VML_WAIT_NS] / 4;
	v[VML_BLAMED_NS] = v[VML_WAIT_NS] - v[VML_UNATTRIBUTED_NS];
	v[VML_MMAP_READ_HOLD_NS] = (uint64_t)around(fallbacks * hold);
	v[VML_MMAP_WRITE_HOLD_NS] = (uint64_t)around(fallbacks * hold);
}

static void area(struct vml_snapshot *d, const struct vml_row *process, const char *kind, const char *name)
{
	struct vml_row *r = row(d, VML_VMA, process->id.pid, "", "");

	r->comm = process->comm;
	r->cgroup = process->cgroup;
	r->id.anchor = 0x7f0000000000ULL;
	r->area = (struct vml_area){ .start = r->id.anchor,
				     .end = r->id.anchor + 0x100000,
				     .perms = "rw-p",
				     .kind = kind,
				     .name = clean(d->arena, name) };
	r->value[VML_FAULTS] = process->value[VML_FAULTS];
	r->value[VML_FALLBACKS] = process->value[VML_FALLBACKS];
	r->value[VML_WAIT_NS] = process->value[VML_WAIT_NS];
}

static void holder(struct vml_snapshot *d, const struct vml_row *process)
{
	struct vml_row *r = row(d, VML_BLOCKER, process->id.pid, "", "");

	r->comm = r->target = process->comm;
	r->cgroup = r->target_cgroup = process->cgroup;
	r->victim_cgroup = "";
	r->id.tid = r->id.pid + 1;
	r->id.tid_start_ns = r->id.start_ns;
	r->id.doing = 0x1000b;
	r->id.write = true;
	r->id.target = (struct vml_image){ r->id.pid, r->id.exec, r->id.start_ns };
	r->context = "munmap";
	r->lock = "mmap_write";
	r->value[VML_BLAMED_NS] = process->value[VML_BLAMED_NS];
	r->value[VML_HOLD_NS] = process->value[VML_MMAP_WRITE_HOLD_NS];
}

static void know(struct vml_snapshot *d)
{
	static const enum vml_metric task[] = { VML_FAULTS,
						VML_FAULTS_USER,
						VML_HITS,
						VML_FALLBACKS,
						VML_WAIT_NS,
						VML_MMAP_READ_WAIT_NS,
						VML_MMAP_READ_HOLD_NS,
						VML_MMAP_WRITE_HOLD_NS,
						VML_BLAMED_NS,
						VML_UNATTRIBUTED_NS };
	size_t i;

	for (i = 0; i < VML_ARRAY_SIZE(task); i++)
		d->have[VML_PROCESS] |= VML_METRIC_BIT(task[i]);
	d->have[VML_VMA] = VML_METRIC_BIT(VML_FAULTS) | VML_METRIC_BIT(VML_FALLBACKS) | VML_METRIC_BIT(VML_WAIT_NS);
	d->have[VML_BLOCKER] = VML_METRIC_BIT(VML_BLAMED_NS) | VML_METRIC_BIT(VML_HOLD_NS);
	d->have_reasons = true;
}

static void host(struct vml_snapshot *d)
{
	struct vml_caps *caps = vml_arena_alloc(d->arena, sizeof(*caps));
	int i;

	for (i = 0; i < VML_NCAPS; i++)
		caps->cap[i] = (struct vml_cap){ vml_cap_name(i), "", "", "", VML_CAP_YES, "" };
	snprintf(caps->backend, sizeof(caps->backend), "%s", in.backend);
	snprintf(caps->detail, sizeof(caps->detail), "default");
	d->caps = caps;
	d->host = (struct vml_host){ .name = "invented",
				     .boot_id = "boot",
				     .machine = "x86_64",
				     .kernel = "7.0.0",
				     .cpus = (uint32_t)in.cpus,
				     .page_size = 4096 };
}

static void add_loss(struct vml_snapshot *d)
{
	const struct vml_loss loss = { "thread_storage", "Events without task storage.", (uint64_t)in.lost };

	d->loss = vml_arena_copy(d->arena, &loss, sizeof(loss));
	d->nloss = 1;
}

static struct vml_snapshot *interval(int i)
{
	struct vml_snapshot *d = vml_snapshot_new();
	double share = in.share * (i >= (int)(in.intervals - in.more) ? 1.5 : 1);
	struct vml_row *worker, *quiet;
	int scope, m;

	for (scope = 0; scope < VML_NSCOPES; scope++)
		d->rows[scope].row = vml_arena_alloc(d->arena, 2 * sizeof(struct vml_row));
	d->interval_ns = SECOND;
	d->real_ns = (uint64_t)in.at * SECOND + (uint64_t)(i + 1) * SECOND;
	d->boot_ns = d->real_ns - 1700000000 * SECOND;
	host(d);
	know(d);
	add_loss(d);
	quiet = row(d, VML_PROCESS, 10, "quiet", "/system.slice/quiet.service");
	count(quiet->value, around(2000), 0.02, 20000, 10000);
	worker = row(d, VML_PROCESS, (uint32_t)in.pid, in.comm, in.cgroup);
	count(worker->value, around(in.faults), share, i == 5 ? in.wait * in.wild : in.wait, in.hold);
	quiet->reasons = reason(d, reason_index("anon_vma"), quiet->value[VML_FALLBACKS]);
	worker->reasons = reason(d, reason_index("write_locked"), worker->value[VML_FALLBACKS]);
	area(d, quiet, "heap", "[heap]");
	area(d, worker, "file", in.area);
	holder(d, worker);
	for (m = 0; m < VML_NMETRICS; m++)
		d->total[m] = quiet->value[m] + worker->value[m];
	d->reasons = (struct vml_tally){ 0 };
	if (vml_tally_add(d->arena, &quiet->reasons, &worker->reasons, &d->reasons)) {
		vml_snapshot_free(d);
		return NULL;
	}
	return d;
}

int main(int argc, char **argv)
{
	const struct vml_store_options o = { .options = "invented", .no_sync = true };
	char error[VML_ERROR_MAX] = "";
	struct vml_store *w = NULL;
	struct vml_redaction *r = NULL;
	struct vml_snapshot *d;
	int i, err;

	for (i = 2; i < argc; i++) {
		if (set(argv[i])) {
			fprintf(stderr, "recording: no such key: %s\n", argv[i]);
			return 2;
		}
	}
	if (argc < 2) {
		fputs("usage: recording FILE [KEY=VALUE...]\n", stderr);
		return 2;
	}
	if (in.redact > 0)
		r = vml_redaction_new();
	err = in.history > 0 ? vml_history_open(argv[1], &o, &w, error) : vml_recording_create(argv[1], &o, &w, error);
	for (i = 0; i < (int)in.intervals && !err; i++) {
		d = interval(i);
		err = d && (!in.redact || r) ? 0 : -ENOMEM;
		if (!err && r)
			err = vml_redact(r, d);
		if (!err)
			err = vml_store_append(w, d);
		vml_snapshot_free(d);
	}
	vml_redaction_free(r);
	err = vml_store_close(w) ?: err;
	if (err)
		fprintf(stderr, "recording: %s\n", *error ? error : strerror(-err));
	return err ? 1 : 0;
}
