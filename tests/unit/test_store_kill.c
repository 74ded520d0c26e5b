/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* A writer is killed at random moments; what it was told to be written is there, once. */
#include <poll.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <time.h>

#include <sqlite3.h>

#include "store.h"

#ifdef __SANITIZE_ADDRESS__
#define ROUNDS 40 /* each takes three times as long, and finds what it finds in the first */
#else
#define ROUNDS 200
#endif

/* What the child says of each interval: before it is written, and after. */
struct said {
	uint64_t faults, rows;
	bool written;
};

/* What must be in the file. */
struct known {
	uint64_t intervals, faults, rows; /* confirmed */
	struct said last; /* not confirmed: there or not */
};

static uint64_t row_faults(const struct vml_snapshot *d, enum vml_scope scope)
{
	uint64_t sum = 0;
	size_t i;

	for (i = 0; i < d->rows[scope].n; i++)
		sum += d->rows[scope].row[i].value[VML_FAULTS_USER];
	return sum;
}

static const struct vml_store_options options = { .no_sync = true,
						  .rows = 4,
						  .level = { { 0, 20 * UNIT_SECOND },
							     { 5 * UNIT_SECOND, 60 * UNIT_SECOND },
							     { 20 * UNIT_SECOND, 1000000000 * UNIT_SECOND } } };

/* Writes until it is killed. */
static void write_for_ever(const char *path, int out, unsigned int round, bool history)
{
	const struct world_options wo = {
		.seed = round + 1, .processes = 6, .threads = 4, .busy = 60, .mortal = true, .stacks = 2
	};
	struct world *world = world_new(&wo);
	char error[VML_ERROR_MAX];
	struct vml_store *w = NULL;
	int err =
		history ? vml_history_open(path, &options, &w, error) : vml_recording_create(path, &options, &w, error);

	if (err || *error || write(out, "!", 1) != 1)
		_exit(1);
	world_step(world, (round + 1) * 100000 * UNIT_SECOND); /* later than all before */
	for (;;) {
		struct vml_snapshot *d = unit_world_delta(world, UNIT_SECOND);
		struct said s = { d->total[VML_FAULTS_USER], row_faults(d, VML_THREAD), false };

		if (write(out, &s, sizeof(s)) != sizeof(s) || vml_store_append(w, d))
			_exit(1);
		s.written = true;
		if (write(out, &s, sizeof(s)) != sizeof(s) || (history && vml_history_tidy(w, 0) < 0))
			_exit(1);
		vml_snapshot_free(d);
	}
}

static void listen_to(int in, struct known *k)
{
	struct said s;
	char begin;

	k->last = (struct said){ 0 };
	if (read(in, &begin, 1) != 1)
		return; /* killed before it began */
	while (read(in, &s, sizeof(s)) == sizeof(s)) {
		k->last = s;
		if (!s.written)
			continue;
		k->intervals++;
		k->faults += s.faults;
		k->rows += s.rows;
		k->last = (struct said){ 0 };
	}
}

/* Until the writer has said @n bytes, or ended: on a slow machine, too, some rounds get that far. */
static void wait_for_bytes(int in, int n)
{
	struct pollfd p = { .fd = in, .events = POLLIN };
	int have = 0;

	while (poll(&p, 1, -1) >= 0 && !(p.revents & POLLHUP) && !ioctl(in, FIONREAD, &have) && have < n)
		nanosleep(&(struct timespec){ .tv_nsec = 1000000 }, NULL);
}

static void run_and_kill(const char *path, unsigned int round, bool history, uint64_t *seed, struct known *k)
{
	struct timespec t = { .tv_nsec = (long)unit_below(seed, 40000000) };
	int fd[2], status;
	pid_t pid;

	assert_int_equal(pipe(fd), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (!pid) {
		close(fd[0]);
		write_for_ever(path, fd[1], round, history);
	}
	close(fd[1]);
	if (unit_below(seed, 2))
		wait_for_bytes(fd[0], 1 + 2 * sizeof(struct said)); /* an interval is written */
	nanosleep(&t, NULL);
	assert_int_equal(kill(pid, SIGKILL), 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	listen_to(fd[0], k);
	close(fd[0]);
}

static void check_integrity(const char *path)
{
	sqlite3_stmt *st = NULL;
	sqlite3 *h = NULL;

	assert_int_equal(sqlite3_open_v2(path, &h, SQLITE_OPEN_READWRITE, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_prepare_v2(h, "PRAGMA integrity_check", -1, &st, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_step(st), SQLITE_ROW);
	assert_string_equal((const char *)sqlite3_column_text(st, 0), "ok");
	sqlite3_finalize(st);
	sqlite3_close(h);
}

/* The last one may be there although nobody was told; then it is known from now on. */
static void check_sums(const char *path, struct known *k)
{
	struct vml_reader *r = unit_reader(path);
	const struct vml_reader_interval *i;
	struct vml_snapshot *all;
	uint64_t parts = 0;
	size_t n, x;

	i = vml_reader_intervals(r, &n);
	for (x = 0; x < n; x++) {
		parts += i[x].parts;
		assert_true(!x || i[x].boot_ns - i[x].interval_ns >= i[x - 1].boot_ns);
	}
	if (parts != k->intervals) {
		assert_int_equal(parts, k->intervals + 1);
		assert_int_not_equal(k->last.faults, 0);
		k->intervals++;
		k->faults += k->last.faults;
		k->rows += k->last.rows;
	}
	if (parts) {
		assert_int_equal(vml_reader_range(r, 0, n, &all), 0);
		assert_int_equal(all->total[VML_FAULTS_USER], k->faults);
		assert_int_equal(row_faults(all, VML_THREAD), k->rows);
		vml_snapshot_free(all);
	}
	vml_reader_close(r);
}

static void a_killed_recording_is_whole(void **state)
{
	uint64_t seed = 17;
	unsigned int round, with_some = 0;

	(void)state;
	for (round = 0; round < ROUNDS / 2; round++) {
		char *path = unit_path("killed"), error[VML_ERROR_MAX];
		struct known k = { 0 };
		struct vml_reader *r;

		run_and_kill(path, 0, false, &seed, &k);
		/* it may have died before there was a whole table */
		if (!vml_reader_open(path, &r, error)) {
			vml_reader_close(r);
			check_integrity(path);
			check_sums(path, &k);
		} else {
			assert_int_equal(k.intervals, 0);
		}
		with_some += k.intervals > 0;
		unit_unlink(path);
	}
	assert_true(with_some > ROUNDS / 8);
}

static void a_history_goes_on_where_it_was_killed(void **state)
{
	char *path = unit_path("history");
	struct known k = { 0 };
	uint64_t seed = 23;
	unsigned int round;

	(void)state;
	vml_store_close(unit_history(path, &options));
	for (round = 0; round < ROUNDS; round++) {
		run_and_kill(path, round, true, &seed, &k);
		check_sums(path, &k);
		if (round % 20 == 0)
			check_integrity(path);
	}
	check_integrity(path);
	assert_true(k.intervals > ROUNDS / 2);
	unit_unlink(path);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_killed_recording_is_whole),
		cmocka_unit_test(a_history_goes_on_where_it_was_killed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
