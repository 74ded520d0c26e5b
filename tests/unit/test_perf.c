/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The n-th perf_event_open(2), or attaching to the n-th event, fails.  Here the kernel has no say: the
 * events are files, and links own them, as those of libbpf do.
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "collect/collect.h"
#include "unit.h"
#include "vmalock.skel.h"

#define CPUS 4

struct bpf_link {
	int fd;
};

static struct {
	struct session session;
	int cpus, away; /* negative: none */
	int fails, links_fail; /* the n-th; 0: none */
	int error;
	int opened, linked; /* so often */
	int events, links; /* that there are */
} t;

/* ---- in the place of libbpf's, and of one of the C library's */

int libbpf_num_possible_cpus(void)
{
	return t.cpus;
}

long syscall(long number, ...)
{
	long a[6];
	va_list list;

	va_start(list, number);
	for (size_t i = 0; i < 6; i++)
		a[i] = va_arg(list, long);
	va_end(list);
	if (number != SYS_perf_event_open) {
		long (*real)(long, ...) = (long (*)(long, ...))dlsym(RTLD_NEXT, "syscall");

		return real(number, a[0], a[1], a[2], a[3], a[4], a[5]);
	}
	if ((int)a[2] == t.away) {
		errno = ENODEV;
		return -1;
	}
	if (++t.opened == t.fails) {
		errno = t.error;
		return -1;
	}
	t.events++;
	return open("/dev/null", O_RDONLY | O_CLOEXEC);
}

struct bpf_link *bpf_program__attach_perf_event(const struct bpf_program *program, int fd)
{
	struct bpf_link *link;

	(void)program;
	if (++t.linked == t.links_fail) {
		errno = t.error;
		return NULL;
	}
	link = malloc(sizeof(*link));
	link->fd = fd;
	t.links++;
	return link;
}

int bpf_link__destroy(struct bpf_link *link)
{
	if (!link)
		return 0;
	assert_int_equal(close(link->fd), 0);
	free(link);
	t.links--;
	t.events--;
	return 0;
}

/* ---- */

static int set_up(void **state)
{
	(void)state;
	memset(&t, 0, sizeof(t));
	t.cpus = CPUS;
	t.away = -1;
	t.session.skel = calloc(1, sizeof(*t.session.skel));
	return t.session.skel ? 0 : -1;
}

static int tear_down(void **state)
{
	(void)state;
	perf_detach(&t.session);
	assert_int_equal(t.events, 0);
	assert_int_equal(t.links, 0);
	free(t.session.skel);
	return 0;
}

/* The descriptor that would be given next: the same again when all were closed. */
static int next_fd(void)
{
	int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);

	assert_true(fd >= 0);
	close(fd);
	return fd;
}

static void fails_as(int error)
{
	int before = next_fd();

	t.opened = t.linked = 0;
	assert_int_equal(perf_attach(&t.session), -error);
	assert_null(t.session.perf);
	assert_int_equal(t.session.nperf, 0);
	assert_int_equal(t.links, 0);
	assert_int_equal(next_fd(), before);
	t.events = 0; /* one without a link, which was closed as well */
}

static void works(int cpus)
{
	t.opened = t.linked = 0;
	assert_int_equal(perf_attach(&t.session), 0);
	assert_int_equal(t.session.nperf, CPUS);
	assert_int_equal(t.links, cpus);
	assert_int_equal(t.events, cpus);
}

static void opening_fails(void **state)
{
	static const int errors[] = { EMFILE, EACCES, EINVAL, ENOMEM };

	(void)state;
	for (size_t i = 0; i < VML_ARRAY_SIZE(errors); i++) {
		t.error = errors[i];
		for (t.fails = 1; t.fails <= CPUS; t.fails++)
			fails_as(t.error);
	}
	works(CPUS); /* the fifth is that of nobody */
}

static void attaching_fails(void **state)
{
	(void)state;
	t.error = ENOMEM;
	for (t.links_fail = 1; t.links_fail <= CPUS; t.links_fail++)
		fails_as(ENOMEM);
	works(CPUS);
}

static void a_cpu_that_is_away_has_none(void **state)
{
	(void)state;
	t.away = 2;
	works(CPUS - 1);
	assert_int_equal(t.session.perf[2].fd, -1);
	assert_null(t.session.perf[2].link);
	perf_detach(&t.session);
	assert_int_equal(t.links, 0);
	t.error = EMFILE;
	t.fails = 3; /* of those that are there, the last */
	fails_as(EMFILE);
}

static void nobody_knows_how_many_cpus(void **state)
{
	(void)state;
	t.cpus = -ENOENT;
	fails_as(ENOENT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(opening_fails, set_up, tear_down),
		cmocka_unit_test_setup_teardown(attaching_fails, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_cpu_that_is_away_has_none, set_up, tear_down),
		cmocka_unit_test_setup_teardown(nobody_knows_how_many_cpus, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
