/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include <errno.h>
#include <math.h>

#include "model/model.h"
#include "unit.h"
#include "vmalock/base.h"
#include "vmalock/compare.h"

#define WRITE_LOCKED 2
#define BUSY 3

static void name(struct vml_row *r, const char *comm, const char *cgroup)
{
	r->comm = comm;
	r->cgroup = cgroup;
}

static struct vml_snapshot *delta(uint64_t faults)
{
	struct vml_snapshot *d = unit_snapshot(5);

	d->interval_ns = UNIT_SECOND;
	d->total[VML_FAULTS] = faults;
	return d;
}

static void process(struct vml_snapshot *d, uint32_t pid, const char *comm, const char *cgroup, enum vml_metric m,
		    uint64_t value)
{
	struct vml_row *r = unit_process(d, pid);

	name(r, comm, cgroup);
	r->value[m] = value;
	d->total[m] += value;
}

static void blocker(struct vml_snapshot *d, uint32_t pid, const char *comm, const char *context, const char *lock,
		    uint64_t blamed, uint64_t hold)
{
	struct vml_row *r = unit_row(d, VML_BLOCKER, pid);

	name(r, comm, "/x");
	r->context = context;
	r->lock = lock;
	r->value[VML_BLAMED_NS] = blamed;
	r->value[VML_HOLD_NS] = hold;
}

/* Only @m changed, as the totals say. */
static struct vml_comparison changed(enum vml_measure m, enum vml_verdict v, double a, double b)
{
	struct vml_comparison c = { .verdict = v };

	c.measure[m] = (struct vml_measured){ .known = true, .a = a, .b = b, .verdict = v, .weighty = true };
	return c;
}

static void assert_moved(const struct vml_moved *m, enum vml_mover by, const char *comm, const char *what,
			 const char *text, double a, double b, double share)
{
	assert_int_equal(m->by, by);
	assert_string_equal(m->comm, comm);
	assert_string_equal(m->what, what);
	assert_string_equal(m->name, text);
	assert_true(unit_near(m->a, a, 1e-12) || (a == 0 && m->a == 0));
	assert_true(unit_near(m->b, b, 1e-12) || (b == 0 && m->b == 0));
	assert_true(unit_near(m->share, share, 1e-9));
}

/* Two of one name are one, with other pids; the largest difference is first; what is equal is not there. */
static void by_name(void **state)
{
	struct vml_snapshot *a = delta(1000), *b = delta(2000);
	struct vml_comparison c = changed(VML_FALLBACKS_PER_FAULT, VML_REGRESSION, 0.04, 0.09);
	struct vml_moved *m;
	size_t n;

	(void)state;
	process(a, 10, "web", "/x", VML_FALLBACKS, 10);
	process(a, 11, "web", "/x", VML_FALLBACKS, 10);
	process(a, 12, "same", "/x", VML_FALLBACKS, 5);
	process(a, 13, "gone", "/x", VML_FALLBACKS, 15);
	process(b, 20, "web", "/x", VML_FALLBACKS, 100);
	process(b, 21, "web", "/y", VML_FALLBACKS, 20);
	process(b, 22, "same", "/x", VML_FALLBACKS, 10);
	process(b, 23, "web", "/x", VML_FALLBACKS, 50);
	a->have_reasons = false;
	a->have[VML_VMA] = 0;
	assert_int_equal(vml_explain(a, b, &c, 0, &m, &n), 0);
	assert_int_equal(n, 3);
	assert_moved(&m[0], VML_BY_PROCESS, "web", "", "", 0.02, 0.075, 1.1);
	assert_string_equal(m[0].cgroup, "/x");
	assert_moved(&m[1], VML_BY_PROCESS, "gone", "", "", 0.015, 0, -0.3);
	assert_moved(&m[2], VML_BY_PROCESS, "web", "", "", 0, 0.01, 0.2);
	assert_string_equal(m[2].cgroup, "/y");
	free(m);
	assert_int_equal(vml_explain(a, b, &c, 1, &m, &n), 0);
	assert_int_equal(n, 1);
	assert_string_equal(m[0].comm, "web");
	free(m);
	unit_free(a, b, NULL);
}

/* Of one run: numbers in names are left out where only one sample has the name, and there is another half. */
static void by_name_without_numbers(void **state)
{
	static const char old[] =
		"/system.slice/docker-0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef.scope";
	static const char new[] =
		"/system.slice/docker-fedcba9876543210fedcba9876543210fedcba9876543210fedcba9876543210.scope";
	struct vml_snapshot *a = delta(1000), *b = delta(1000);
	struct vml_comparison c = changed(VML_FALLBACKS_PER_FAULT, VML_REGRESSION, 0.06, 0.13);
	struct vml_moved *m;
	size_t n;

	(void)state;
	process(a, 10, "web", old, VML_FALLBACKS, 10);
	process(b, 20, "web", new, VML_FALLBACKS, 60);
	/* both have it: it is told apart from the others of its kind */
	process(a, 11, "job-1", "/x", VML_FALLBACKS, 20);
	process(b, 21, "job-1", "/x", VML_FALLBACKS, 10);
	process(a, 12, "job-2", "/x", VML_FALLBACKS, 10);
	process(b, 22, "job-3", "/x", VML_FALLBACKS, 15);
	process(b, 23, "job-4", "/x", VML_FALLBACKS, 15);
	/* no other half: as it is */
	process(a, 14, "web", "/user.slice/user-1000.slice/session-3.scope", VML_FALLBACKS, 25);
	process(b, 24, "web", "/user.slice/user-1001.slice/session-4.scope", VML_FALLBACKS, 30);
	a->have_reasons = false;
	a->have[VML_VMA] = 0;
	assert_int_equal(vml_explain(a, b, &c, 0, &m, &n), 0);
	assert_int_equal(n, 5);
	assert_moved(&m[0], VML_BY_PROCESS, "web", "", "", 0.01, 0.06, 0.05 / 0.07);
	assert_string_equal(m[0].cgroup, "/system.slice/docker-*.scope");
	assert_moved(&m[1], VML_BY_PROCESS, "web", "", "", 0, 0.03, 0.03 / 0.07);
	assert_string_equal(m[1].cgroup, "/user.slice/user-1001.slice/session-4.scope");
	assert_moved(&m[3], VML_BY_PROCESS, "job-*", "", "", 0.01, 0.03, 0.02 / 0.07);
	assert_moved(&m[2], VML_BY_PROCESS, "web", "", "", 0.025, 0, -0.025 / 0.07);
	assert_moved(&m[4], VML_BY_PROCESS, "job-1", "", "", 0.02, 0.01, -0.01 / 0.07);
	free(m);
	unit_free(a, b, NULL);
}

static void numbers_in_names(void **state)
{
	static const char *const names[][2] = {
		{ "", "" },
		{ "web", "web" },
		{ "job-12/3", "job-*/*" },
		{ "deadbeef", "deadbeef" },
		{ "dead4bee", "*" },
		{ "libc.so.6", "libc.so.*" },
		{ "/user.slice/user-1000.slice/user@1000.service/app-7.scope",
		  "/user.slice/user-1000.slice/user@1000.service/app-*.scope" },
		{ "/kubepods.slice/kubepods-pod01234567_89ab_cdef_0123_456789abcdef.slice",
		  "/kubepods.slice/kubepods-pod*.slice" },
		{ "/kubepods/pod01234567-89ab-cdef-0123-456789abcdef/x", "/kubepods/pod*/x" },
		{ "/system.slice/run-r0123456789abcdef.scope", "/system.slice/run-r*.scope" },
		/* escapes: of a control character, of systemd */
		{ "\\x1b7", "\\x1b*" },
		{ "qemu\\\\x2d12.scope", "qemu\\\\x2d*.scope" },
	};
	char to[128];
	size_t i;

	(void)state;
	for (i = 0; i < VML_ARRAY_SIZE(names); i++) {
		model_name_fold(to, names[i][0]);
		assert_string_equal(to, names[i][1]);
	}
}

static void reasons_and_areas(void **state)
{
	struct vml_snapshot *a = delta(100), *b = delta(100);
	struct vml_comparison c = changed(VML_FALLBACKS_PER_FAULT, VML_REGRESSION, 0.1, 0.3);
	struct vml_moved *m;
	struct vml_row *r;
	size_t n;

	(void)state;
	a->reasons = UNIT_TALLY(a, { VML_REASON_INDEX(WRITE_LOCKED, VML_EXACT), 10 });
	b->reasons = UNIT_TALLY(b, { VML_REASON_INDEX(WRITE_LOCKED, VML_EXACT), 20 },
				{ VML_REASON_INDEX(BUSY, VML_INFERRED), 10 });
	r = unit_vma(a, 1, 0x1000);
	name(r, "web", "/x");
	r->value[VML_FALLBACKS] = 10;
	r = unit_vma(b, 2, 0x5000);
	name(r, "web", "/x");
	r->area.kind = "heap";
	r->area.name = "[heap]";
	r->value[VML_FALLBACKS] = 30;
	assert_int_equal(vml_explain(a, b, &c, 0, &m, &n), 0);
	assert_int_equal(n, 4);
	assert_moved(&m[0], VML_BY_VMA, "web", "heap", "[heap]", 0, 0.3, 1.5);
	assert_moved(&m[1], VML_BY_VMA, "web", "anon", "[anon]", 0.1, 0, -0.5);
	assert_moved(&m[2], VML_BY_REASON, "", "busy", "inferred", 0, 0.1, 0.5);
	assert_moved(&m[3], VML_BY_REASON, "", "write_locked", "exact", 0.1, 0.2, 0.5);
	free(m);
	unit_free(a, b, NULL);
}

/* Who was waited for: by what it did, and how it held; what nobody is charged with is there, too. */
static void holders(void **state)
{
	struct vml_snapshot *a = delta(100), *b = delta(100);
	struct vml_comparison c = changed(VML_WAIT_PER_FAULT, VML_REGRESSION, 100, 200);
	struct vml_moved *m;
	size_t n;

	(void)state;
	a->have[VML_PROCESS] = a->have[VML_VMA] = 0;
	blocker(a, 1, "web", "munmap", "mmap_write", 9000, 500);
	blocker(b, 1, "web", "munmap", "mmap_write", 15000, 700);
	blocker(b, 2, "ps", "read", "mmap_read", 3000, 3000);
	blocker(b, 3, "", "", "vma_read", 7777, 0);
	a->total[VML_UNATTRIBUTED_NS] = 1000;
	b->total[VML_UNATTRIBUTED_NS] = 2000;
	assert_int_equal(vml_explain(a, b, &c, 0, &m, &n), 0);
	assert_int_equal(n, 3);
	assert_moved(&m[0], VML_BY_HOLDER, "web", "munmap", "mmap_write", 90, 150, 0.6);
	assert_moved(&m[1], VML_BY_HOLDER, "ps", "read", "mmap_read", 0, 30, 0.3);
	assert_moved(&m[2], VML_BY_HOLDER, "", "handover", "", 10, 20, 0.1);
	free(m);

	/* how long they held, not what for */
	c = changed(VML_WRITE_HOLD_PER_FAULT, VML_IMPROVEMENT, 10, 6);
	assert_int_equal(vml_explain(b, a, &c, 0, &m, &n), 0);
	assert_int_equal(n, 1);
	assert_moved(&m[0], VML_BY_HOLDER, "web", "munmap", "mmap_write", 7, 5, 0.5);
	free(m);
	c = changed(VML_VMA_WRITE_WAIT_PER_FAULT, VML_REGRESSION, 0, 77.77);
	assert_int_equal(vml_explain(a, b, &c, 0, &m, &n), 0);
	assert_int_equal(n, 1);
	assert_moved(&m[0], VML_BY_HOLDER, "", "", "vma_read", 0, 77.77, 1);
	free(m);
	unit_free(a, b, NULL);
}

/* What did not change is not explained, nor what cannot be told. */
static void only_what_changed(void **state)
{
	static const enum vml_verdict verdicts[] = { VML_NO_CHANGE, VML_INCONCLUSIVE, VML_NOT_COMPARABLE };
	struct vml_snapshot *a = delta(100), *b = delta(100);
	struct vml_comparison c;
	struct vml_moved *m;
	size_t i, n;

	(void)state;
	process(a, 1, "web", "/x", VML_FALLBACKS, 10);
	process(b, 1, "web", "/x", VML_FALLBACKS, 20);
	for (i = 0; i < VML_ARRAY_SIZE(verdicts); i++) {
		c = changed(VML_FALLBACKS_PER_FAULT, verdicts[i], 0.1, 0.2);
		assert_int_equal(vml_explain(a, b, &c, 0, &m, &n), 0);
		assert_int_equal(n, 0);
		free(m);
	}
	c = changed(VML_FALLBACKS_PER_FAULT, VML_REGRESSION, 0.1, 0.2);
	c.measure[VML_FALLBACKS_PER_FAULT].known = false;
	assert_int_equal(vml_explain(a, b, &c, 0, &m, &n), 0);
	assert_int_equal(n, 0);
	free(m);
	unit_free(a, b, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(by_name),	    cmocka_unit_test(by_name_without_numbers),
		cmocka_unit_test(numbers_in_names), cmocka_unit_test(reasons_and_areas),
		cmocka_unit_test(holders),	    cmocka_unit_test(only_what_changed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
