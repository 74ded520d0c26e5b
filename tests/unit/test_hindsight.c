// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* The files of vmalock record --hindsight (src/command/hindsight.c). */
#include <fcntl.h>
#include <glob.h>
#include <signal.h>
#include <unistd.h>

#include "../../src/command/record.h"
#include "../../src/run/stop.h"
#include "unit.h"
#include "vmalock/store.h"

#define INTERVALS 5

static struct vml_loss loss = { "cause", "", 0 };

static void add(struct hindsight *h, uint64_t n)
{
	struct vml_snapshot *d = vml_snapshot_new();

	assert_non_null(d);
	d->real_ns = (1700000000 + n) * UNIT_SECOND;
	d->boot_ns = (1000 + n) * UNIT_SECOND;
	d->interval_ns = UNIT_SECOND;
	loss.count = n;
	d->loss = &loss;
	d->nloss = 1;
	assert_int_equal(hindsight_add(h, d), 0);
	vml_snapshot_free(d);
}

struct files {
	char base[512], said[1024];
	struct record o;
	struct progress progress;
	int stderr_before, fd;
};

static struct hindsight *begin(struct files *f, uint64_t keep_ns)
{
	*f = (struct files){
		.o = { .name = "t", .hindsight_ns = keep_ns, .hindsight_bytes = 1 << 20, .stall_ns = UINT64_MAX }
	};
	snprintf(f->base, sizeof(f->base), "%s/hindsight-%d", unit_folder(), getpid());
	vml_stop_install();
	vml_stop_forget();
	progress_init(&f->progress, &f->o);
	f->stderr_before = dup(STDERR_FILENO);
	f->fd = open(unit_folder(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	dup2(f->fd, STDERR_FILENO);
	return hindsight_new(&f->o, f->base, &f->progress);
}

/* The intervals that the only file has, or -1: there is none. What was said is in f->said. */
static int end(struct files *f)
{
	struct vml_reader *r;
	char pattern[600], error[VML_ERROR_MAX];
	glob_t g;
	size_t n = 0;
	int found;

	dup2(f->stderr_before, STDERR_FILENO);
	close(f->stderr_before);
	assert_true(pread(f->fd, f->said, sizeof(f->said) - 1, 0) > 0);
	close(f->fd);
	vml_stop_forget();
	snprintf(pattern, sizeof(pattern), "%s-*.vml", f->base);
	found = glob(pattern, 0, NULL, &g);
	if (!found) {
		assert_int_equal(g.gl_pathc, 1);
		assert_int_equal(vml_reader_open(g.gl_pathv[0], &r, error), 0);
		vml_reader_intervals(r, &n);
		vml_reader_close(r);
		unlink(g.gl_pathv[0]);
	}
	globfree(&g);
	return found ? -1 : (int)n;
}

static void losses_are_those_of_the_file(void **state)
{
	struct files f;
	struct hindsight *h = begin(&f, INTERVALS * UNIT_SECOND);
	uint64_t n;
	bool ok;

	(void)state;
	for (n = 1; n <= 20; n++)
		add(h, n);
	hindsight_ask(h);
	ok = hindsight_end(h);
	assert_int_equal(end(&f), INTERVALS);
	assert_true(ok);
	/* 16 + .. + 20 */
	assert_non_null(strstr(f.said, "lost: 90 events\n"));
}

static void a_signal_ends_the_writing(void **state)
{
	struct files f;
	struct hindsight *h = begin(&f, 100 * UNIT_SECOND);
	uint64_t n;
	bool ok;

	(void)state;
	for (n = 1; n < INTERVALS; n++)
		add(h, n);
	hindsight_ask(h);
	add(h, n);
	hindsight_write(h);
	raise(SIGTERM);
	ok = hindsight_end(h);
	assert_int_equal(end(&f), 1);
	assert_false(ok);
	assert_non_null(strstr(f.said, "1 interval, "));
	assert_non_null(strstr(f.said, ", cut short by a signal; lost: 1 event\n"));
}

static void a_signal_comes_before_the_file(void **state)
{
	struct files f;
	struct hindsight *h = begin(&f, 100 * UNIT_SECOND);
	bool ok;

	(void)state;
	add(h, 1);
	hindsight_ask(h);
	raise(SIGTERM);
	ok = hindsight_end(h);
	assert_int_equal(end(&f), -1);
	assert_false(ok);
	assert_string_equal(f.said, "t: a signal came before what was asked for last was written\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(losses_are_those_of_the_file),
		cmocka_unit_test(a_signal_ends_the_writing),
		cmocka_unit_test(a_signal_comes_before_the_file),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
