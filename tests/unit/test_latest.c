/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>

#include "../src/daemon/latest.h"
#include "unit.h"

/* A source whose only process has had as many faults as seconds. */
struct clock {
	struct vml_source source;
	uint64_t second, before; /* of the next delta; of the last */
	struct vml_snapshot rest;
};

static struct vml_snapshot *at(uint64_t second, uint64_t faults)
{
	struct vml_snapshot *s = vml_snapshot_new();
	struct vml_row *row;

	assert_non_null(s);
	row = vml_arena_alloc(s->arena, sizeof(*row));
	assert_non_null(row);
	*row = (struct vml_row){ .id.pid = 7, .comm = "seven", .cgroup = "", .value[VML_FAULTS] = faults };
	s->boot_ns = second * UNIT_SECOND;
	s->have[VML_PROCESS] = VML_METRIC_BIT(VML_FAULTS);
	s->rows[VML_PROCESS] = (struct vml_rows){ .row = row, .n = 1 };
	s->total[VML_FAULTS] = faults;
	return s;
}

static int clock_next_delta(struct vml_source *source, struct vml_snapshot **ret)
{
	struct clock *c = (struct clock *)source;

	if (!c->second)
		return -EIO;
	*ret = at(c->second, c->second - (c->before ? c->before : 0));
	(*ret)->interval_ns = c->second * UNIT_SECOND - c->rest.boot_ns;
	c->before = c->second;
	c->rest.boot_ns = c->second * UNIT_SECOND;
	return 0;
}

static int clock_peek(struct vml_source *source, struct vml_snapshot **ret)
{
	const struct clock *c = (const struct clock *)source;

	if (!c->before)
		return -EAGAIN;
	*ret = at(c->before, c->before);
	return 0;
}

static const struct vml_snapshot *clock_rest(const struct vml_source *source)
{
	return &((const struct clock *)source)->rest;
}

static const struct vml_source_ops clock_ops = {
	.next_delta = clock_next_delta,
	.peek = clock_peek,
	.rest = clock_rest,
};

/* Begins at @second. */
static struct latest *begin(struct clock *c, uint64_t second)
{
	struct latest *l;

	*c = (struct clock){ .source.ops = &clock_ops, .rest.boot_ns = second * UNIT_SECOND };
	assert_int_equal(latest_new(&c->source, &l), 0);
	return l;
}

static void next(struct latest *l, struct clock *c, uint64_t second)
{
	struct vml_snapshot *delta;

	c->second = second;
	assert_int_equal(latest_next(l, &delta), 0);
	assert_int_equal(delta->boot_ns, second * UNIT_SECOND);
	vml_snapshot_free(delta);
}

static void expect(struct latest *l, enum latest_what what, uint64_t faults, uint64_t seconds)
{
	struct vml_snapshot *delta;

	assert_int_equal(latest_delta(l, what, &delta), 0);
	assert_int_equal(delta->interval_ns, seconds * UNIT_SECOND);
	assert_int_equal(delta->total[VML_FAULTS], faults);
	assert_int_equal(delta->rows[VML_PROCESS].n, 1);
	assert_int_equal(delta->rows[VML_PROCESS].row[0].value[VML_FAULTS], faults);
	vml_snapshot_free(delta);
}

static void deltas(void **state)
{
	struct vml_snapshot *delta = NULL;
	struct clock c;
	struct latest *l = begin(&c, 2);

	(void)state;
	assert_int_equal(latest_delta(l, LATEST_ALL, &delta), -EAGAIN);
	assert_int_equal(latest_delta(l, LATEST_INTERVAL, &delta), -EAGAIN);
	assert_null(delta);
	next(l, &c, 5);
	expect(l, LATEST_ALL, 5, 3);
	expect(l, LATEST_INTERVAL, 5, 3);
	next(l, &c, 6);
	expect(l, LATEST_INTERVAL, 1, 1);
	expect(l, LATEST_ALL, 6, 4);
	next(l, &c, 10);
	expect(l, LATEST_INTERVAL, 4, 4);
	expect(l, LATEST_ALL, 10, 8);
	/* a delta that fails changes nothing */
	c.second = 0;
	assert_int_equal(latest_next(l, &delta), -EIO);
	assert_null(delta);
	expect(l, LATEST_INTERVAL, 4, 4);
	expect(l, LATEST_ALL, 10, 8);
	latest_free(l);
	latest_free(NULL);
}

/* Readers while snapshots come and go. */
static atomic_bool over;

static void *read_on(void *latest)
{
	struct vml_snapshot *delta;
	uint64_t last = 0;

	while (!over) {
		if (latest_delta(latest, LATEST_INTERVAL, &delta))
			return (void *)1;
		if (delta->total[VML_FAULTS] != 1 || delta->boot_ns < last)
			return (void *)2;
		last = delta->boot_ns;
		vml_snapshot_free(delta);
		if (latest_delta(latest, LATEST_ALL, &delta))
			return (void *)3;
		if (delta->total[VML_FAULTS] * UNIT_SECOND != delta->boot_ns || delta->boot_ns < last)
			return (void *)4;
		last = delta->boot_ns;
		vml_snapshot_free(delta);
	}
	return NULL;
}

static void threads(void **state)
{
	pthread_t reader[3];
	struct clock c;
	struct latest *l = begin(&c, 1);
	void *said;
	size_t i;

	(void)state;
	next(l, &c, 2);
	next(l, &c, 3);
	for (i = 0; i < VML_ARRAY_SIZE(reader); i++)
		assert_int_equal(pthread_create(&reader[i], NULL, read_on, l), 0);
	for (i = 4; i < 5000; i++)
		next(l, &c, i);
	over = true;
	for (i = 0; i < VML_ARRAY_SIZE(reader); i++) {
		assert_int_equal(pthread_join(reader[i], &said), 0);
		assert_null(said);
	}
	latest_free(l);
}

static int look(void *context, const struct vml_snapshot *s, uint64_t number)
{
	assert_int_equal(s->interval_ns, 4 * UNIT_SECOND);
	assert_int_equal(s->total[VML_FAULTS], 6);
	*(uint64_t *)context = number;
	return -EIO;
}

static void the_last_one_as_it_is(void **state)
{
	struct clock c;
	struct latest *l = begin(&c, 2);
	uint64_t number = 0;

	(void)state;
	assert_int_equal(latest_use(l, 0, look, &number), -EAGAIN);
	next(l, &c, 5);
	next(l, &c, 6);
	assert_int_equal(latest_use(l, 6 * UNIT_SECOND, look, &number), -ENODATA);
	assert_int_equal(number, 0);
	assert_int_equal(latest_use(l, 6 * UNIT_SECOND - 1, look, &number), -EIO);
	assert_int_equal(number, 2);
	latest_free(l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(deltas),
		cmocka_unit_test(the_last_one_as_it_is),
		cmocka_unit_test(threads),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
