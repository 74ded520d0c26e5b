/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Disks that are full or read-only, and files that may not grow. */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "store.h"

static const struct world_options small = { .seed = 3, .processes = 4, .threads = 3, .busy = 50, .stacks = 2 };
static const struct vml_store_options fast = { .no_sync = true };

/* In a child that may mount; 77: it may not. */
static void in_own_mounts(void (*run)(const char *folder))
{
	char *folder = unit_path("mount");
	int status;
	pid_t pid;

	assert_int_equal(mkdir(folder, 0700), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (!pid) {
		if (unshare(CLONE_NEWNS) || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) ||
		    mount("none", folder, "tmpfs", 0, "size=3m"))
			_exit(77);
		run(folder);
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	rmdir(folder);
	free(folder);
	if (WIFEXITED(status) && WEXITSTATUS(status) == 77) {
		print_message("no tmpfs can be mounted here: disks that are full or read-only are not covered\n");
		skip();
	}
	assert_int_equal(status, 0);
}

/* assert_*() of a child would go on in the parent's tests. */
#define NEED(x)                                                                           \
	do {                                                                              \
		if (!(x)) {                                                               \
			fprintf(stderr, "%s:%d: not true: %s\n", __FILE__, __LINE__, #x); \
			_exit(1);                                                         \
		}                                                                         \
	} while (0)

static void fill_disk(const char *name)
{
	static char block[4096];
	int fd = open(name, O_CREAT | O_WRONLY | O_APPEND, 0600);

	NEED(fd >= 0);
	while (write(fd, block, sizeof(block)) == sizeof(block))
		;
	NEED(errno == ENOSPC);
	close(fd);
}

static void full_and_empty_again(const char *folder)
{
	struct world *world = world_new(&small);
	char path[512], filler[512], error[VML_ERROR_MAX];
	struct vml_store_stats stats;
	const struct vml_event *e;
	struct vml_snapshot *d;
	struct vml_store *w;
	struct vml_reader *r;
	size_t n;
	int i, lost = 0;

	snprintf(path, sizeof(path), "%s/history", folder);
	snprintf(filler, sizeof(filler), "%s/filler", folder);
	NEED(!vml_history_open(path, &(struct vml_store_options){ 0 }, &w, error));
	for (i = 0; i < 30; i++) {
		if (i == 5)
			fill_disk(filler);
		if (i == 20)
			NEED(!unlink(filler));
		d = unit_world_delta(world, UNIT_SECOND);
		if (vml_store_append(w, d))
			lost++;
		else
			NEED(vml_history_tidy(w, 0) >= 0);
		vml_snapshot_free(d);
	}
	vml_store_stats(w, &stats);
	/* the last pages of the WAL may have had room for some */
	NEED(lost > 5 && lost <= 15 && stats.lost[VML_STORE_DISK_FULL] == (uint64_t)lost);
	NEED(stats.intervals == 30 - (uint64_t)lost);
	NEED(!vml_store_close(w));
	NEED(!vml_reader_open(path, &r, error));
	NEED(unit_count(r) == 30 - (size_t)lost);
	NEED(!vml_reader_events(r, 0, unit_count(r), &e, &n));
	NEED(n == 2 && e[1].kind == VML_EVENT_GAP && e[1].ns == lost * (int64_t)UNIT_SECOND);
	snprintf(filler, sizeof(filler), "%d intervals lost: disk_full", lost);
	NEED(!strcmp(e[1].text, filler));
	NEED(!unit_all(r, &d) && d->interval_ns == (30 - (uint64_t)lost) * UNIT_SECOND);
	vml_snapshot_free(d);
	vml_reader_close(r);
	world_free(world);
}

static void a_full_disk_loses_only_what_does_not_fit(void **state)
{
	(void)state;
	in_own_mounts(full_and_empty_again);
}

static void full_from_the_start(const char *folder)
{
	char path[512], filler[512], error[VML_ERROR_MAX];
	struct world *world = world_new(&small);
	struct vml_store *w = NULL;
	struct vml_snapshot *d;
	int err = 0, n;

	snprintf(path, sizeof(path), "%s/recording", folder);
	snprintf(filler, sizeof(filler), "%s/filler", folder);
	fill_disk(filler);
	NEED(vml_recording_create(path, &fast, &w, error) == -ENOSPC && strstr(error, "No space left"));
	NEED(access(path, F_OK));
	unlink(filler);
	/* until it is full by itself */
	NEED(!vml_recording_create(path, &fast, &w, error));
	for (n = 0; !err && n < 10000; n++) {
		d = unit_world_delta(world, UNIT_SECOND);
		err = vml_store_append(w, d);
		vml_snapshot_free(d);
	}
	NEED(err == -ENOSPC && n > 10);
	vml_store_close(w);
	{
		struct vml_reader *r;

		NEED(!vml_reader_open(path, &r, error));
		NEED(unit_count(r) == (size_t)n - 1);
		NEED(!unit_all(r, &d));
		vml_snapshot_free(d);
		vml_reader_close(r);
	}
	world_free(world);
}

static void a_full_disk_leaves_what_was_recorded(void **state)
{
	(void)state;
	in_own_mounts(full_from_the_start);
}

static void read_only_afterwards(const char *folder)
{
	struct world *world = world_new(&small);
	char path[512], error[VML_ERROR_MAX];
	struct vml_store *w = NULL;
	struct vml_reader *r;
	struct vml_snapshot *d = unit_world_delta(world, UNIT_SECOND);

	snprintf(path, sizeof(path), "%s/recording", folder);
	NEED(!vml_recording_create(path, &fast, &w, error));
	NEED(!vml_store_append(w, d) && !vml_store_close(w));
	NEED(!mount(NULL, folder, NULL, MS_REMOUNT | MS_RDONLY, NULL));
	NEED(vml_history_open(path, &fast, &w, error) == -EROFS && strstr(error, "Read-only"));
	NEED(!vml_reader_open(path, &r, error) && unit_count(r) == 1);
	vml_reader_close(r);
	snprintf(path, sizeof(path), "%s/other", folder);
	NEED(vml_recording_create(path, &fast, &w, error) == -EROFS && strstr(error, "Read-only"));
	vml_snapshot_free(d);
	world_free(world);
}

static void a_read_only_disk_is_said_and_read(void **state)
{
	(void)state;
	in_own_mounts(read_only_afterwards);
}

/* Without root: files may not grow beyond a size. */
static void a_limit_of_files_loses_intervals(void **state)
{
	char *path = unit_path("limit");
	struct vml_store *w = unit_recording(path, &fast);
	struct world *world = world_new(&small);
	struct vml_store_stats stats;
	struct rlimit before, limit;
	struct vml_reader *r;
	struct vml_snapshot *d;
	int i, err = 0;

	(void)state;
	signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
	limit = before;
	limit.rlim_cur = 500 << 10;
	for (i = 0; i < 3000 && !err; i++) {
		d = unit_world_delta(world, UNIT_SECOND);
		setrlimit(RLIMIT_FSIZE, &limit);
		err = vml_store_append(w, d);
		setrlimit(RLIMIT_FSIZE, &before);
		vml_snapshot_free(d);
	}
	/* SQLite does not always keep the EFBIG */
	assert_true(err == -EFBIG || err == -EIO);
	vml_store_stats(w, &stats);
	assert_int_equal(stats.lost[VML_STORE_DISK_FULL] + stats.lost[VML_STORE_IO], 1);
	d = unit_world_delta(world, UNIT_SECOND);
	assert_int_equal(vml_store_append(w, d), 0);
	vml_snapshot_free(d);
	vml_store_close(w);
	r = unit_reader(path);
	assert_int_equal(unit_count(r), i);
	vml_reader_close(r);
	world_free(world);
	unit_unlink(path);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_full_disk_loses_only_what_does_not_fit),
		cmocka_unit_test(a_full_disk_leaves_what_was_recorded),
		cmocka_unit_test(a_read_only_disk_is_said_and_read),
		cmocka_unit_test(a_limit_of_files_loses_intervals),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
