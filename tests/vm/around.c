// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * usage: around [-u ONLINE] PID:FILE... -- PROGRAM...
 *
 * Runs a load with the handshake of src/load/load.h while vmalocktop -j, process PID,
 * appends to each FILE, and prints one JSON object: /proc/vmstat before and after, when
 * that was, whether it was quiet then, and the load's report.
 *
 * vmstat is read at a quiet moment: from before the sample that each vmalocktop
 * took last until after the one that it takes next, nobody had a fault (our own
 * memory is locked).  So what vmstat counts from then on is what is in the lines
 * from then on, of all of them.
 *
 * -u: while the load works, the CPU whose file in sysfs is ONLINE is taken away and given
 * back, again and again, and each vmalocktop takes a sample without it and one with it;
 * "unplugged" in the object says how often.  Exit status 4: this kernel has no such file.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static const char *const keys[] = { "pgfault",	      "pgmajfault",	"vma_lock_success",
				    "vma_lock_abort", "vma_lock_retry", "vma_lock_miss" };
#define PGFAULT 0
#define NKEYS (sizeof(keys) / sizeof(keys[0]))

struct reading {
	char time[48]; /* as vmalocktop writes it: texts compare like times */
	int64_t value[NKEYS]; /* -1: not in this kernel */
	bool quiet;
};

#define MAX_TOPS 8
#define MAX_WAITS 40 /* for a quiet moment */
#define HEAD 256 /* of a line: its time is there */

struct top {
	pid_t pid;
	int fd;
	char head[HEAD + 1]; /* of the line that is read */
	size_t n;
	bool sampled; /* since it was asked to */
};

static char buffer[1 << 16];
static char report[1 << 20];
static struct top tops[MAX_TOPS];
static int ntops;
static const char *online; /* NULL: all CPUs stay */
static unsigned int unplugged;

static int fail(const char *what)
{
	fprintf(stderr, "around: %s: %s\n", what, strerror(errno));
	return -1;
}

static void nap(long ms)
{
	nanosleep(&(struct timespec){ .tv_nsec = ms * 1000000 }, NULL);
}

/* As vmalocktop writes times, which compare as text. */
static void now(char *ret, size_t size)
{
	struct timespec ts;
	struct tm tm;
	size_t n;

	clock_gettime(CLOCK_REALTIME, &ts);
	gmtime_r(&ts.tv_sec, &tm);
	n = strftime(ret, size, "%Y-%m-%dT%H:%M:%S", &tm);
	snprintf(ret + n, size - n, ".%09ldZ", ts.tv_nsec);
}

/* Reads what was appended: is there a line of a sample after @asked? */
static int lines_read(struct top *t, const char *asked)
{
	static const char key[] = "\"time\":\"";
	ssize_t got = read(t->fd, buffer, sizeof(buffer));

	if (got < 0)
		return fail("read");
	for (ssize_t i = 0; i < got; i++) {
		if (buffer[i] != '\n') {
			if (t->n < HEAD)
				t->head[t->n++] = buffer[i];
			continue;
		}
		t->head[t->n] = 0;
		t->n = 0;
		/* of the first there may be only the end */
		const char *time = t->head[0] == '{' ? strstr(t->head, key) : NULL;

		t->sampled |= time && strncmp(time + sizeof(key) - 1, asked, strlen(asked)) > 0;
	}
	return 0;
}

/* Lets each take a sample now.  A minute is long even for a slow guest. */
static int sample(void)
{
	int tries, waiting = ntops;
	char asked[48];

	now(asked, sizeof(asked));
	for (int i = 0; i < ntops; i++) {
		tops[i].sampled = false;
		if (kill(tops[i].pid, SIGUSR1))
			return fail("vmalocktop is gone");
	}
	for (tries = 0; waiting; tries++) {
		if (tries > 12000) {
			errno = ETIMEDOUT;
			return fail("no more lines from vmalocktop");
		}
		nap(5);
		waiting = 0;
		for (int i = 0; i < ntops; i++) {
			if (lines_read(&tops[i], asked))
				return -1;
			waiting += !tops[i].sampled;
		}
	}
	return 0;
}

static int take(int vmstat, struct reading *r)
{
	ssize_t got = pread(vmstat, buffer, sizeof(buffer) - 1, 0);
	size_t n;

	if (got < 0)
		return fail("/proc/vmstat");
	buffer[got] = 0;
	now(r->time, sizeof(r->time));
	for (size_t k = 0; k < NKEYS; k++) {
		const char *line = buffer;

		r->value[k] = -1;
		n = strlen(keys[k]);
		for (; line; line = strchr(line, '\n') ? strchr(line, '\n') + 1 : NULL)
			if (!strncmp(line, keys[k], n) && line[n] == ' ')
				r->value[k] = strtoll(line + n, NULL, 10);
	}
	return 0;
}

/* Takes a reading at a quiet moment; after some waits for one the last that there was. */
static int take_quiet(int vmstat, struct reading *r)
{
	struct reading before, after;

	if (take(vmstat, &before) || sample() || take(vmstat, r))
		return -1;
	for (int waits = 0; waits < MAX_WAITS; waits++) {
		if (sample() || take(vmstat, &after))
			return -1;
		r->quiet = before.value[PGFAULT] == after.value[PGFAULT];
		if (r->quiet)
			break;
		before = *r;
		*r = after;
	}
	return 0;
}

static void print(const char *name, const struct reading *r)
{
	const char *comma = "";

	printf("\"%s\":{\"time\":\"%s\",\"quiet\":%s,\"vmstat\":{", name, r->time, r->quiet ? "true" : "false");
	for (size_t k = 0; k < NKEYS; k++) {
		if (r->value[k] < 0)
			continue;
		printf("%s\"%s\":%" PRId64, comma, keys[k], r->value[k]);
		comma = ",";
	}
	printf("}}");
}

/* One line from the load, without its end. */
static int listen_for(int fd, char *line, size_t size)
{
	size_t n = 0;
	ssize_t got;

	while (n < size - 1) {
		got = read(fd, line + n, 1);
		if (got < 0)
			return fail("reading from the load");
		if (!got || line[n] == '\n')
			break;
		n++;
	}
	line[n] = 0;
	return n ? 0 : -1;
}

static int tell(int fd)
{
	return write(fd, "\n", 1) == 1 ? 0 : fail("writing to the load");
}

static int set_online(const char *value)
{
	int fd = open(online, O_WRONLY | O_CLOEXEC);
	int err = fd < 0 || write(fd, value, 1) != 1 ? fail(online) : 0;

	if (fd >= 0)
		close(fd);
	return err;
}

/* Until the load says something. */
static int unplug(int fd)
{
	struct pollfd said = { .fd = fd, .events = POLLIN };
	int n = 0, err;

	while (!n) {
		err = set_online("0") || sample();
		/* also when it failed: others are to have the CPU */
		if (set_online("1") || err || sample())
			return -1;
		unplugged++;
		n = poll(&said, 1, 0);
	}
	return n < 0 ? fail("poll") : 0;
}

static int run(int vmstat, int in, int out)
{
	struct reading before, after;

	/* once to know the way: what the first time touches is resident then */
	if (take(vmstat, &before) || take(vmstat, &after))
		return -1;
	if (listen_for(out, report, sizeof(report))) /* "ready" */
		return -1;
	if (take_quiet(vmstat, &before) || tell(in) || (online && unplug(out)))
		return -1;
	if (listen_for(out, report, sizeof(report))) /* "done" */
		return -1;
	if (take_quiet(vmstat, &after) || tell(in))
		return -1;
	if (listen_for(out, report, sizeof(report)))
		return -1;
	printf("{");
	print("before", &before);
	printf(",");
	print("after", &after);
	if (online)
		printf(",\"unplugged\":%u", unplugged);
	printf(",\"load\":%s}\n", report);
	return 0;
}

/* The number of files before "--"; -1: usage or error. */
static int open_tops(int argc, char **argv)
{
	int i;

	for (i = 1; i < argc - 1 && strcmp(argv[i], "--"); i++) {
		if (i > MAX_TOPS)
			return -1;
		char *file = strchr(argv[i], ':');

		if (!file)
			return -1;
		tops[i - 1].pid = atoi(argv[i]);
		tops[i - 1].fd = open(file + 1, O_RDONLY | O_CLOEXEC);
		if (tops[i - 1].fd < 0 || lseek(tops[i - 1].fd, 0, SEEK_END) < 0)
			return fail(file + 1);
	}
	return i > 1 && i < argc - 1 ? i - 1 : -1;
}

int main(int argc, char **argv)
{
	int in[2], out[2], vmstat, status, rc;
	pid_t pid;

	if (argc > 2 && !strcmp(argv[1], "-u")) {
		online = argv[2];
		argv += 2;
		argc -= 2;
	}
	if (online && access(online, W_OK)) {
		fprintf(stderr, "around: %s: this kernel takes no CPU away\n", online);
		return 4;
	}
	ntops = open_tops(argc, argv);
	if (ntops < 0)
		return 2;
	argv += ntops + 2;
	vmstat = open("/proc/vmstat", O_RDONLY | O_CLOEXEC);
	if (vmstat < 0 || pipe2(in, O_CLOEXEC) || pipe2(out, O_CLOEXEC))
		return fail("/proc/vmstat"), 1;
	pid = fork();
	if (!pid) {
		dup2(in[0], 0);
		dup2(out[1], 1);
		alarm(240); /* also ends what it becomes */
		execv(argv[0], argv);
		_exit(127);
	}
	close(in[0]);
	close(out[1]);
	if (pid < 0 || mlockall(MCL_CURRENT | MCL_FUTURE))
		return fail("fork and mlockall"), 1;
	rc = run(vmstat, in[1], out[0]);
	/* after an error of ours it reads the end of file and ends by itself */
	close(in[1]);
	while (rc && read(out[0], buffer, sizeof(buffer)) > 0)
		;
	if (waitpid(pid, &status, 0) != pid)
		return fail("waitpid"), 1;
	if (status)
		return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
	return rc ? 1 : 0;
}
