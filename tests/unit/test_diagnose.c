/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* How findings are judged: weight, certainty, order, what is not known; the rules are in test_diagnose_rules.c. */
#include <errno.h>

#include "diagnose.h"
#include "vmalock/sink.h"

UNIT_OUT_OF_MEMORY

static void healthy(void **state)
{
	struct vml_diagnosis d;
	struct vml_snapshot *s = diagnosed(NULL, 0, &d);

	(void)state;
	assert_int_equal(d.n, 1);
	assert_string_equal(d.finding[0].name, "healthy");
	assert_int_equal(d.finding[0].level, VML_HIGH);
	assert_true(d.finding[0].negative);
	assert_false(d.inconclusive);
	vml_snapshot_free(s);
	/* a little waiting is healthy, and still said */
	s = quiet();
	hold(s, (struct hold){ "munmap", true, PID, 100, 100, 1, 0, 0 });
	assert_int_equal(vml_diagnose(s, &d), 0);
	assert_int_equal(d.n, 2);
	assert_string_equal(d.finding[0].name, "mapping_storm");
	assert_int_equal(d.finding[0].level, VML_LOW);
	assert_string_equal(d.finding[1].name, "healthy");
	vml_snapshot_free(s);
}

/* Under 1 ms a second it is not even said; from 50 ms on it has weight. */
static void weights(void **state)
{
	static const struct {
		uint64_t blamed_ms;
		int level; /* -1: none */
	} at[] = { { 9, -1 }, { 10, VML_LOW }, { 499, VML_LOW }, { 500, VML_HIGH } };
	struct vml_diagnosis d;
	size_t i;

	(void)state;
	for (i = 0; i < VML_ARRAY_SIZE(at); i++) {
		struct vml_snapshot *s = quiet();
		const struct vml_finding *f;

		hold(s, (struct hold){ "munmap", true, PID, at[i].blamed_ms, 3000, 1, 0, 0 });
		assert_int_equal(vml_diagnose(s, &d), 0);
		f = find(&d, "mapping_storm");
		assert_int_equal(f ? (int)f->level : -1, at[i].level);
		if (f)
			assert_int_equal(f->blocked_ns, at[i].blamed_ms * MS);
		vml_snapshot_free(s);
	}
}

static bool unjudged(const struct vml_diagnosis *d, const char *name)
{
	size_t i;

	for (i = 0; i < d->nunjudged; i++)
		if (!strcmp(d->unjudged[i].name, name))
			return true;
	return false;
}

/* What the source does not know is no 0: the rule is not judged, or less sure. */
static void absent_is_not_zero(void **state)
{
	struct vml_snapshot *s = quiet();
	struct vml_diagnosis d;

	(void)state;
	reclaim(s, 2);
	s->have[VML_BLOCKER] &= ~VML_METRIC_BIT(VML_RECLAIM_NS);
	assert_int_equal(vml_diagnose(s, &d), 0);
	assert_null(find(&d, "reclaim"));
	assert_true(unjudged(&d, "reclaim"));
	vml_snapshot_free(s);

	s = quiet();
	io_under_lock(s, 2);
	assert_int_equal(vml_diagnose(s, &d), 0);
	assert_int_equal(find(&d, "io_under_lock")->level, VML_HIGH);
	s->have[VML_BLOCKER] &= ~VML_METRIC_BIT(VML_IO_NS);
	assert_int_equal(vml_diagnose(s, &d), 0);
	assert_int_equal(find(&d, "io_under_lock")->level, VML_MEDIUM);
	assert_int_equal(find(&d, "io_under_lock")->unknown.n, 1);
	s->have[VML_BLOCKER] = 0;
	assert_int_equal(vml_diagnose(s, &d), 0);
	assert_null(find(&d, "io_under_lock"));
	assert_true(unjudged(&d, "io_under_lock") && unjudged(&d, "convoy") && unjudged(&d, "fork"));
	vml_snapshot_free(s);

	s = quiet();
	hot_area(s, 2);
	s->have_reasons = false;
	assert_int_equal(vml_diagnose(s, &d), 0);
	assert_null(find(&d, "hot_area"));
	assert_true(unjudged(&d, "hot_area"));
	vml_snapshot_free(s);

	s = quiet();
	mapping_limit(s, 2);
	assert_int_equal(vml_diagnose(s, &d), 0);
	assert_false(unjudged(&d, "mapping_limit"));
	s->host.max_mappings = 0;
	assert_int_equal(vml_diagnose(s, &d), 0);
	assert_null(find(&d, "mapping_limit"));
	assert_true(unjudged(&d, "mapping_limit"));
	vml_snapshot_free(s);
}

static void nothing_to_judge(void **state)
{
	struct vml_snapshot *s = quiet();
	struct vml_diagnosis d;

	(void)state;
	s->have[VML_PROCESS] = 0;
	assert_int_equal(vml_diagnose(s, &d), 0);
	assert_true(d.inconclusive);
	assert_int_equal(d.n, 0);
	vml_snapshot_free(s);
	s = quiet();
	s->total[VML_FAULTS] = 0;
	assert_int_equal(vml_diagnose(s, &d), 0);
	assert_true(d.inconclusive);
	s->interval_ns = 0;
	assert_int_equal(vml_diagnose(s, &d), -EINVAL);
	vml_snapshot_free(s);
}

/* More than 1 % of the events are missing: less sure, and nothing is called healthy. */
static void losses(void **state)
{
	struct vml_loss few[] = { { "lock_unmatched", "", 1000 }, { "exit_records", "", 99999 } },
			many[] = { { "lock_unmatched", "", 1001 }, { "exit_records", "", 0 } };
	struct vml_snapshot *s = quiet();
	struct vml_diagnosis d;

	(void)state;
	unit_set_loss(s, few, 2);
	assert_int_equal(vml_diagnose(s, &d), 0);
	assert_non_null(find(&d, "healthy"));
	unit_set_loss(s, many, 2);
	assert_int_equal(vml_diagnose(s, &d), 0);
	assert_null(find(&d, "healthy"));
	assert_true(d.inconclusive);
	foreign_reader(s, 2);
	assert_int_equal(vml_diagnose(s, &d), 0);
	assert_int_equal(find(&d, "foreign_reader")->level, VML_MEDIUM);
	assert_int_equal(find(&d, "foreign_reader")->against.n, 1);
	vml_snapshot_free(s);
}

/* A row is explained once by what its holder does; what is left is nobody's. */
static void explained_once(void **state)
{
	struct vml_snapshot *s = quiet();
	const struct vml_finding *f;
	struct vml_diagnosis d;

	(void)state;
	hold(s, (struct hold){ "clone", true, PID, 1000, 10, 50, 0, 0 });
	hold(s, (struct hold){ "shmat", true, PID, 600, 10, 1, 0, 0 });
	assert_int_equal(vml_diagnose(s, &d), 0);
	assert_int_equal(d.n, 2);
	assert_string_equal(d.finding[0].name, "fork");
	f = &d.finding[1];
	assert_string_equal(f->name, "other_holder");
	assert_int_equal(f->level, VML_LOW);
	assert_int_equal(f->blocked_ns, 600 * MS);
	assert_int_equal(f->culprits, 1);
	assert_string_equal(f->row[0]->context, "shmat");
	vml_snapshot_free(s);
}

/* fork write-locks all areas: that one is faulted most says nothing of it. */
static void fork_explains_areas(void **state)
{
	struct vml_snapshot *s = quiet();
	struct vml_diagnosis d;

	(void)state;
	hot_area(s, 1);
	assert_int_equal(vml_diagnose(s, &d), 0);
	assert_non_null(find(&d, "hot_area"));
	hold(s, (struct hold){ "clone", true, PID, 1000, 10, 50, 0, 0 });
	assert_int_equal(vml_diagnose(s, &d), 0);
	assert_int_equal(d.n, 1);
	assert_string_equal(d.finding[0].name, "fork");
	vml_snapshot_free(s);
}

static void worst_first(void **state)
{
	struct vml_snapshot *s = quiet();
	struct vml_diagnosis d;

	(void)state;
	hold(s, (struct hold){ "clone", true, PID, 1000, 10, 50, 0, 0 });
	hold(s, (struct hold){ "read", false, OTHER, 6000, 10, 50, 0, 0 });
	no_cpu(s, 2);
	s->total[VML_WAIT_NS] = 3000 * MS;
	assert_int_equal(vml_diagnose(s, &d), 0);
	assert_int_equal(d.n, 2); /* the handover is less than half of the waits with what is blamed */
	assert_string_equal(d.finding[0].name, "foreign_reader");
	assert_string_equal(d.finding[1].name, "fork");
	assert_int_equal(d.finding[0].level, VML_HIGH);
	assert_int_equal(d.finding[1].level, VML_MEDIUM); /* a seventh of the blame */
	vml_snapshot_free(s);
}

/* A hold that is not over has a state and no split. */
static void goes_on(void **state)
{
	struct vml_snapshot *s = quiet();
	struct vml_row *r = hold(s, (struct hold){ "madvise", false, PID, 9000, 0, 0, 0, 0 });
	struct vml_stall x = {
		.target = r->id.target, .held = true, .holder = r->id, .state = "blocked", .hold_ns = 9000 * MS
	};
	struct vml_diagnosis d;

	(void)state;
	s->stall = &x;
	s->nstall = 1;
	assert_int_equal(vml_diagnose(s, &d), 0);
	assert_non_null(find(&d, "io_under_lock"));
	assert_null(find(&d, "starved_holder"));
	x.state = "runnable";
	assert_int_equal(vml_diagnose(s, &d), 0);
	assert_null(find(&d, "io_under_lock"));
	assert_non_null(find(&d, "starved_holder"));
	vml_snapshot_free(s);
}

static void levels(void **state)
{
	(void)state;
	assert_int_equal(vml_level_parse("high"), VML_HIGH);
	assert_int_equal(vml_level_parse("low"), VML_LOW);
	assert_int_equal(vml_level_parse("none"), VML_LEVEL_NONE);
	assert_int_equal(vml_level_parse("higher"), VML_LEVEL_NONE);
	assert_string_equal(vml_level_name(VML_MEDIUM), "medium");
}

/* Sentences are cut between the characters of long names, or no JSON could be made of them. */
static void long_names(void **state)
{
	char name[1600];
	unsigned int odd;

	(void)state;
	for (odd = 0; odd < 2; odd++) {
		struct vml_snapshot *s = quiet();
		struct vml_diagnosis d;
		char *text = NULL;
		size_t n;
		FILE *f = open_memstream(&text, &n);

		assert_non_null(f);
		memset(name, '/', sizeof(name));
		for (n = 1 + odd; n + 2 < sizeof(name); n += 2)
			memcpy(name + n, "\303\251", 2);
		name[n] = '\0';
		foreign_reader(s, 2);
		s->rows[VML_BLOCKER].row[0].cgroup = name;
		fall_back(s, reason_of("write_locked"), 50000, 50000);
		s->rows[VML_VMA].row[0].area.name = name;
		assert_int_equal(vml_diagnose(s, &d), 0);
		assert_non_null(strstr(find(&d, "foreign_reader")->evidence.line[0], "/\303\251\303\251"));
		assert_int_equal(vml_diagnosis_json_write(f, s, &d), 0);
		assert_int_equal(fclose(f), 0);
		free(text);
		vml_snapshot_free(s);
	}
}

/* Any allocation may fail: -ENOMEM, and never a finding half made. */
static void out_of_memory(void **state)
{
	struct vml_diagnosis d;
	int err = -ENOMEM;
	long n;

	(void)state;
	for (n = 0; err; n++) {
		struct vml_snapshot *s = quiet();

		foreign_reader(s, 2);
		mapping_limit(s, 2);
		unit_allocations = n;
		err = vml_diagnose(s, &d);
		unit_allocations = -1;
		assert_true(!err || err == -ENOMEM);
		vml_snapshot_free(s);
	}
	assert_true(n > 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(healthy),
		cmocka_unit_test(weights),
		cmocka_unit_test(absent_is_not_zero),
		cmocka_unit_test(nothing_to_judge),
		cmocka_unit_test(losses),
		cmocka_unit_test(explained_once),
		cmocka_unit_test(fork_explains_areas),
		cmocka_unit_test(worst_first),
		cmocka_unit_test(goes_on),
		cmocka_unit_test(levels),
		cmocka_unit_test(long_names),
		cmocka_unit_test(out_of_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
