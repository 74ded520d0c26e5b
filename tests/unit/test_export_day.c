/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * A day of 1,000 cgroups with 10 processes each, which come and go, in deltas of
 * 45 seconds, under the eyes of two scrapers.  What increase() makes of what
 * they saw is what happened on the host, and memory does not grow.
 */
#include <malloc.h>
#include <pthread.h>
#include <stdatomic.h>

#include "export.h"

UNIT_OUT_OF_MEMORY

#define CGROUPS 1000
#define EACH 10
#define STEP 45 /* seconds of a delta */
#ifdef __SANITIZE_ADDRESS__
#define DAY (6 * 3600) /* a night: it takes five times as long */
#else
#define DAY (24 * 3600)
#endif
#define ACTIVE 300 /* processes in a delta */
#define DYING 8 /* cgroups in a delta */

/* ---- a scraper, with the arithmetic of increase() */

static const char *const names[] = {
	"vmalock_faults_total{",
	"vmalock_fallbacks_total{",
	"vmalock_vma_lock_aborts_total{",
	"vmalock_lock_wait_seconds_count{",
	"vmalock_lock_wait_seconds_sum{",
	"vmalock_blamed_seconds_total{",
	"vmalock_cross_cgroup_blocked_seconds_total{",
};
enum { FAULTS, FALLBACKS, ABORTS, WAITS, WAIT_SUM, BLAMED, CROSS, NAMES };

#define SEEN (1 << 18)
struct scraper {
	uint64_t id;
	double increase[NAMES];
	size_t n;
	struct seen {
		uint64_t hash;
		double last;
		uint32_t visit;
	} seen[SEEN];
	uint32_t visits;
	size_t most;
};

static uint64_t hash_of(const char *s)
{
	uint64_t hash = 0xcbf29ce484222325ULL;

	for (; *s; s++)
		hash = (hash ^ (unsigned char)*s) * 0x100000001b3ULL;
	return hash;
}

static struct seen *seen_of(struct scraper *s, uint64_t hash)
{
	size_t i = hash % SEEN;

	while (s->seen[i].hash && s->seen[i].hash != hash)
		i = (i + 1) % SEEN;
	return &s->seen[i];
}

static int name_of(const char *series)
{
	for (int i = 0; i < NAMES; i++)
		if (!strncmp(series, names[i], strlen(names[i])))
			return i;
	return -1;
}

static void see(struct scraper *s, const struct export_line *l)
{
	int name = name_of(l->series);
	struct seen *seen;

	if (name < 0)
		return;
	seen = seen_of(s, hash_of(l->series));
	if (!seen->hash) { /* increase() begins with the first sample */
		*seen = (struct seen){ hash_of(l->series), l->value, s->visits };
		assert_true(++s->n < SEEN / 2);
		return;
	}
	if (l->value < seen->last && seen->visit == s->visits - 1)
		fail_msg("%s fell from %.17g to %.17g", l->series, seen->last, l->value);
	s->increase[name] += l->value < seen->last ? l->value : l->value - seen->last;
	seen->last = l->value;
	seen->visit = s->visits;
}

static void scrape(struct scraper *s, struct vml_export *e)
{
	struct export_text x = export_read(e, s->id);

	s->visits++;
	export_assert(&x, "vmalock_exported_series", x.n);
	assert_true(x.n <= VML_EXPORT_BUDGET);
	for (size_t i = 0; i < x.n; i++)
		see(s, &x.line[i]);
	if (x.n > s->most)
		s->most = x.n;
	export_text_free(&x);
}

/* ---- the host */

struct world {
	struct vml_row process[CGROUPS * EACH];
	struct vml_row blocker[ACTIVE];
	char path[CGROUPS][64];
	uint64_t total[VML_NMETRICS];
	uint64_t waits, cross_ns;
	uint32_t active[ACTIVE], nactive, made;
	uint64_t seed;
};

static void make_cgroup(struct world *w, uint32_t c)
{
	snprintf(w->path[c], sizeof(w->path[c]), "/system.slice/job-%u.service", w->made++);
	for (uint32_t i = c * EACH; i < (c + 1) * EACH; i++)
		w->process[i] = (struct vml_row){ .id = { .pid = i + 1, .exec = w->made, .start_ns = w->made },
						  .comm = "job",
						  .cgroup = w->path[c],
						  .area = { .kind = "", .name = "" } };
}

static void be_active(struct world *w, struct vml_snapshot *d, uint32_t i)
{
	/* few cgroups are busy; which ones changes by the hour */
	uint64_t busy =
		unit_below(&w->seed, 1 + 100000 / (1 + (i / EACH + d->boot_ns / (3600 * UNIT_SECOND)) % CGROUPS));
	struct vml_row *r = &w->process[i], *b = &w->blocker[w->nactive];
	const uint64_t hits = 1 + busy, slow = busy / 10, ns = 1000 + 10 * busy;

	if (vml_row_changed(r)) /* drawn twice */
		return;
	w->active[w->nactive++] = i;
	r->value[VML_HITS] = hits;
	r->value[VML_FAULTS_USER] = hits + slow;
	r->value[VML_FALLBACKS] = r->value[VML_ABORTS] = slow;
	if (slow) {
		r->reasons = UNIT_TALLY(d, { VML_REASON_INDEX(unit_below(&w->seed, 14), i % 2), slow });
		r->hist[H_READ_WAIT] = export_hist(d, ns, slow);
	}
	for (int m = 0; m < VML_NMETRICS; m++)
		w->total[m] += r->value[m];
	w->waits += slow;
	w->total[VML_WAIT_NS] += r->hist[H_READ_WAIT].sum_ns;
	/* all of it is charged to somebody in another cgroup */
	*b = (struct vml_row){ .id = { .pid = w->nactive, .tid = w->nactive, .start_ns = 1 },
			       .comm = "holder",
			       .cgroup = w->path[(i / EACH + 1) % CGROUPS],
			       .context = i % 3 ? "munmap" : "read",
			       .lock = "mmap_write",
			       .target = "job",
			       .target_cgroup = r->cgroup,
			       .victim_cgroup = "",
			       .area = { .kind = "", .name = "" } };
	b->value[VML_BLAMED_NS] = r->hist[H_READ_WAIT].sum_ns;
	w->cross_ns += r->hist[H_READ_WAIT].sum_ns;
}

static void rest(struct world *w)
{
	for (uint32_t i = 0; i < w->nactive; i++) {
		struct vml_row *r = &w->process[w->active[i]];

		memset(r->value, 0, sizeof(r->value));
		r->hist[H_READ_WAIT] = (struct vml_hist){ 0 };
		r->reasons = (struct vml_tally){ 0 };
	}
	w->nactive = 0;
}

static void happen(struct world *w, struct vml_export *e, uint64_t second, uint32_t active)
{
	struct vml_snapshot *d = vml_snapshot_new();

	assert_non_null(d);
	d->boot_ns = second * UNIT_SECOND;
	d->interval_ns = STEP * UNIT_SECOND;
	d->have_reasons = true;
	for (int i = 0; i < VML_NSCOPES; i++)
		d->have[i] = VML_METRIC_BIT(VML_NMETRICS) - 1;
	for (uint32_t i = 0; i < active; i++)
		be_active(w, d, unit_below(&w->seed, CGROUPS * EACH));
	d->rows[VML_PROCESS] = (struct vml_rows){ w->process, CGROUPS * EACH };
	d->rows[VML_BLOCKER] = (struct vml_rows){ w->blocker, w->nactive };
	assert_int_equal(vml_export_add(e, d), 0);
	vml_snapshot_free(d);
	rest(w);
}

static void compare(const struct scraper *s, const struct world *w)
{
	const double host[NAMES] = {
		[FAULTS] = w->total[VML_FAULTS_USER],
		[FALLBACKS] = w->total[VML_FALLBACKS],
		[ABORTS] = w->total[VML_ABORTS],
		[WAITS] = w->waits,
		[WAIT_SUM] = w->total[VML_WAIT_NS] / 1e9,
		[BLAMED] = w->total[VML_WAIT_NS] / 1e9,
		[CROSS] = w->cross_ns / 1e9,
	};

	for (int i = 0; i < NAMES; i++)
		if (!unit_near(s->increase[i], host[i], i < WAIT_SUM ? 1e-15 : 1e-9))
			fail_msg("scraper %d: %s} %.17g, not %.17g", (int)s->id, names[i], s->increase[i], host[i]);
}

static void a_day(void **state)
{
	static struct world w = { .seed = 20240229 };
	static struct scraper often = { .id = 1 }, seldom = { .id = 2 };
	struct vml_export *e = export_new(0, 0, false);
	size_t in_use = 0;
	uint64_t t;

	(void)state;
	for (uint32_t c = 0; c < CGROUPS; c++)
		make_cgroup(&w, c);
	happen(&w, e, 1000, ACTIVE);
	scrape(&often, e);
	scrape(&seldom, e);
	memset(w.total, 0, sizeof(w.total)); /* from now on */
	w.waits = w.cross_ns = 0;
	for (t = STEP; t <= DAY; t += STEP) {
		for (int i = 0; i < DYING; i++)
			make_cgroup(&w, unit_below(&w.seed, CGROUPS));
		happen(&w, e, 1000 + t, ACTIVE);
		scrape(&often, e);
		if (t % (2 * STEP) == 0)
			scrape(&seldom, e);
		if (t == 2 * 3600)
			in_use = mallinfo2().uordblks;
	}
	for (; t <= DAY + 5 * MINUTE; t += STEP) { /* what is held back comes */
		happen(&w, e, 1000 + t, 0);
		scrape(&often, e);
		scrape(&seldom, e);
	}
	compare(&often, &w);
	compare(&seldom, &w);
	assert_true(w.made >= CGROUPS + DAY / STEP * DYING && often.most > 1500);
	assert_true(mallinfo2().uordblks <= in_use + (1 << 20));
	print_message("%zu series at most, %zu in all, %zu KiB in use after 2 h, %zu at the end\n", often.most, often.n,
		      in_use >> 10, (size_t)mallinfo2().uordblks >> 10);
	vml_export_free(e);
}

/* ---- one writer, several readers at once */

static atomic_bool over;

static void *reader(void *arg)
{
	struct vml_export *e = arg;
	enum vml_export_format f = VML_EXPORT_TEXT;
	double before = 0, now;
	char *text;
	size_t n;

	while (!over) {
		struct export_text x = export_read(e, (uintptr_t)&x);

		now = export_sum(&x, "vmalock_faults_total{", "");
		/* the whole of a delta or nothing of it; what is new may be held back */
		assert_true(now >= before);
		export_assert(&x, "vmalock_exported_series", x.n);
		before = now;
		export_text_free(&x);
		f = VML_EXPORT_PROTOBUF;
		assert_int_equal(vml_export_write(e, f, 0, &text, &n), 0);
		assert_true(n > 100);
		free(text);
	}
	return NULL;
}

static void at_once(void **state)
{
	struct vml_export *e = export_new(0, 0, false);
	struct export_text x;
	pthread_t thread[3];
	struct vml_daemon daemon;

	(void)state;
	vml_daemon_init(&daemon);
	daemon.version = "0";
	over = false;
	for (int i = 0; i < 3; i++)
		assert_int_equal(pthread_create(&thread[i], NULL, reader, e), 0);
	for (uint64_t t = 1; t <= 300; t++) {
		struct vml_snapshot *d = export_delta(1000 + t);

		for (uint32_t p = 1; p <= 20; p++)
			export_process(d, p, "/system.slice/a.service", p, p % 3, 1);
		export_process(d, 50, t % 100 < 50 ? "/b" : "/c", 5, 0, 0);
		export_add(e, d);
		daemon.value[VML_DAEMON_SNAPSHOTS] = t;
		assert_int_equal(vml_export_daemon(e, &daemon), 0);
	}
	over = true;
	for (int i = 0; i < 3; i++)
		pthread_join(thread[i], NULL);
	export_add(e, export_delta(1000 + 1000));
	x = export_read(e, 0);
	assert_true(export_sum(&x, "vmalock_faults_total{", "") == 300 * (210 + 21 + 20 + 5));
	export_text_free(&x);
	vml_export_free(e);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_day),
		cmocka_unit_test(at_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
