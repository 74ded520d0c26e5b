// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * sweep -w WHAT [OPTION...] PROGRAM [ARG...]: runs a program again and again; each time
 * another one of its allocations or system calls fails, and it must say so and end well.
 *
 *	WHAT	alloc		the n-th allocation
 *		alloc+		the n-th and all later ones
 *		CALL[,CALL]:ERROR	the n-th of these system calls: fsync,fdatasync:EIO
 *
 *	-c COUNT	so many n, spread over all; default: every n
 *	-s SEED		which ones; default: another each time, and it is printed
 *	-n N		only this one, with where it was and all that the program says
 *	-f STATUS	exit status of a failure; default 1. Several: 1,4
 *	-e TEXT		lines of stderr that say what failed have it, or that of another -e; default: all lines
 *	-t TEXT		SIGTERM to the program 0.2 s after its stderr has TEXT
 *	-x		stdout is another one each time
 *
 * Each time the program runs in an empty folder of its own.
 *
 * The program is run once as it is: what it prints then, how it ends then, and how many
 * calls that were.  With a failure it must
 *
 *	- end with STATUS and say why, in one line more than without it (alloc+: at least one), or
 *	- end as without it: with the same stdout, and no line more, or one that says what is missing
 *
 * or be ended by the C library, which has no other answer for want of thread-local memory, all
 * within a minute, not by a signal, and without word of a sanitizer.  Counted is what comes
 * between the begin and the end of main(); write(2) to stderr does not fail.  Exit status: 0
 * all did, 1 some did not, 2 it could not be tried.
 */
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <getopt.h>
#include <poll.h>
#include <seccomp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/pidfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "nth.h"

#define PATIENCE_NS 60000000000ULL
#define BEFORE_TERM_NS 200000000ULL
#define MAX_CALLS 8
#define MAX_LINES 4
#define SANITIZER 99 /* exit status, see tests/run */

struct sweep {
	char **argv; /* of the program */
	const char *what;
	int call[MAX_CALLS], ncalls, error; /* none: allocations */
	bool onwards, any_stdout, verbose;
	uint64_t count, seed, only;
	const char *statuses, *term_after, *line[MAX_LINES];
	unsigned int nlines;
	char folder[4096];
	struct nth *nth;
	int nth_fd, out, err; /* memory; the latter two stand for stdout and stderr */
	struct seccomp_notif *req;
	struct seccomp_notif_resp *resp;
};

struct run {
	uint64_t n; /* what is to fail; 0: nothing */
	uint64_t seen; /* calls of the kind */
	bool hangs, by_libc;
	int status; /* of waitpid(2) */
	size_t lines; /* of stderr that count */
	uint64_t hash; /* of stdout */
};

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

/* ---- the program */

static void send_fd(int socket, int fd)
{
	char control[CMSG_SPACE(sizeof(fd))] = "", byte = 0;
	struct iovec iov = { &byte, 1 };
	struct msghdr m = {
		.msg_iov = &iov, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof(control)
	};
	struct cmsghdr *c = CMSG_FIRSTHDR(&m);

	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(sizeof(fd));
	memcpy(CMSG_DATA(c), &fd, sizeof(fd));
	if (sendmsg(socket, &m, 0) != 1)
		_exit(SANITIZER);
}

static int received_fd(int socket)
{
	int fd = -1;
	char control[CMSG_SPACE(sizeof(fd))], byte;
	struct iovec iov = { &byte, 1 };
	struct msghdr m = {
		.msg_iov = &iov, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof(control)
	};

	if (recvmsg(socket, &m, MSG_CMSG_CLOEXEC) == 1 && CMSG_FIRSTHDR(&m))
		memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&m)), sizeof(fd));
	return fd;
}

/* In the child: its calls ask who has the descriptor that is sent. */
static void be_supervised(const struct sweep *s, int socket)
{
	scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_ALLOW);
	int i, err = ctx ? 0 : -ENOMEM;

	for (i = 0; !err && i < s->ncalls; i++)
		err = seccomp_rule_add(ctx, SCMP_ACT_NOTIFY, s->call[i], 0);
	if (!err)
		err = seccomp_load(ctx);
	if (err)
		_exit(SANITIZER);
	send_fd(socket, seccomp_notify_fd(ctx));
	close(seccomp_notify_fd(ctx));
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *at)
{
	(void)st;
	(void)type;
	return at->level ? remove(path) : 0;
}

static void empty(const struct sweep *s)
{
	if (nftw(s->folder, remove_one, 16, FTW_DEPTH | FTW_PHYS))
		err(2, "%s", s->folder);
}

static pid_t start(const struct sweep *s, int *ret_notify)
{
	int pair[2], null;
	pid_t pid;

	if (ftruncate(s->out, 0) || ftruncate(s->err, 0))
		err(2, "ftruncate");
	lseek(s->out, 0, SEEK_SET);
	lseek(s->err, 0, SEEK_SET);
	empty(s);
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair))
		err(2, "socketpair");
	pid = fork();
	if (pid < 0)
		err(2, "fork");
	if (!pid) {
		null = open("/dev/null", O_RDONLY | O_CLOEXEC);
		dup2(null, 0);
		dup2(s->out, 1);
		dup2(s->err, 2);
		if (chdir(s->folder))
			_exit(SANITIZER);
		if (s->ncalls)
			be_supervised(s, pair[1]);
		execvp(s->argv[0], s->argv);
		_exit(SANITIZER);
	}
	close(pair[1]);
	*ret_notify = s->ncalls ? received_fd(pair[0]) : -1;
	close(pair[0]);
	if (s->ncalls && *ret_notify < 0)
		errx(2, "no seccomp filter with user notification here");
	return pid;
}

/* One call that waits for what we say. */
static void answer(const struct sweep *s, struct run *r, int notify)
{
	const struct seccomp_data *d = &s->req->data;
	bool fails = false;

	memset(s->req, 0, sizeof(*s->req));
	if (seccomp_notify_receive(notify, s->req))
		return; /* killed meanwhile */
	if (s->nth->armed && !(d->nr == SCMP_SYS(write) && d->args[0] == 2))
		fails = ++r->seen == r->n;
	if (fails && s->verbose) {
		char *name = seccomp_syscall_resolve_num_arch(SCMP_ARCH_NATIVE, d->nr);

		fprintf(stderr, "sweep: %s(0x%llx, 0x%llx, 0x%llx) fails\n", name ? name : "?",
			(unsigned long long)d->args[0], (unsigned long long)d->args[1], (unsigned long long)d->args[2]);
		free(name);
	}
	memset(s->resp, 0, sizeof(*s->resp));
	s->resp->id = s->req->id;
	s->resp->error = fails ? -s->error : 0;
	s->resp->flags = fails ? 0 : SECCOMP_USER_NOTIF_FLAG_CONTINUE;
	seccomp_notify_respond(notify, s->resp);
}

/* What is in @fd, for a string; free it. */
static char *text_of(int fd, size_t *ret_n)
{
	struct stat st;
	char *text;

	if (fstat(fd, &st) || !(text = calloc(1, (size_t)st.st_size + 1)))
		err(2, "memory");
	*ret_n = (size_t)pread(fd, text, (size_t)st.st_size, 0);
	return text;
}

static bool said(const struct sweep *s, const char *what)
{
	size_t n;
	char *text = text_of(s->err, &n);
	bool found = strstr(text, what);

	free(text);
	return found;
}

/* Until the program ended.  What else runs under its filter then is its child, and must have ended, too. */
static void supervise(const struct sweep *s, struct run *r, pid_t pid, int notify)
{
	uint64_t begin = now_ns(), term_ns = 0;
	struct pollfd p[2] = { { .fd = pidfd_open(pid, 0), .events = POLLIN }, { .fd = notify, .events = POLLIN } };

	if (p[0].fd < 0)
		err(2, "pidfd_open");
	while (!p[0].revents) {
		if (poll(p, 2, s->term_after || notify < 0 ? 20 : 1000) < 0 && errno != EINTR)
			err(2, "poll");
		if (p[1].revents & POLLIN)
			answer(s, r, notify);
		else if (p[1].revents)
			p[1].fd = -1;
		if (s->term_after && !term_ns && said(s, s->term_after))
			term_ns = now_ns() + BEFORE_TERM_NS;
		if (term_ns && now_ns() >= term_ns) {
			kill(pid, SIGTERM);
			term_ns = UINT64_MAX;
		}
		if (now_ns() - begin > PATIENCE_NS && !r->hangs) {
			r->hangs = true;
			kill(pid, SIGKILL);
		}
	}
	close(p[0].fd);
}

static bool counts(const struct sweep *s, const char *line)
{
	unsigned int i;

	for (i = 0; i < s->nlines; i++)
		if (strstr(line, s->line[i]))
			return true;
	return !s->nlines && *line;
}

/* Takes @text apart. */
static size_t lines_of(const struct sweep *s, char *text)
{
	size_t n = 0;
	char *line;

	while ((line = strsep(&text, "\n")))
		n += counts(s, line);
	return n;
}

static struct run run(const struct sweep *s, uint64_t n)
{
	struct run r = { .n = n, .hash = 14695981039346656037ULL };
	int notify;
	size_t len, i;
	char *text;
	pid_t pid;

	*s->nth = (struct nth){ .alloc = s->ncalls ? 0 : n, .onwards = s->onwards, .trace = s->verbose };
	pid = start(s, &notify);
	supervise(s, &r, pid, notify);
	if (waitpid(pid, &r.status, 0) != pid)
		err(2, "waitpid");
	if (notify >= 0)
		close(notify);
	if (!s->ncalls)
		r.seen = s->nth->allocs;
	text = text_of(s->err, &len);
	r.by_libc = strstr(text, "cannot allocate memory for thread-local data: ABORT");
	r.lines = lines_of(s, text);
	free(text);
	text = text_of(s->out, &len);
	for (i = 0; i < len; i++) /* FNV-1a */
		r.hash = (r.hash ^ (uint8_t)text[i]) * 1099511628211ULL;
	free(text);
	return r;
}

/* ---- whether that was right */

static bool may_end_with(const struct sweep *s, int status)
{
	const char *at = s->statuses;
	char *end;

	for (;; at = end + 1) {
		if (strtol(at, &end, 10) == status)
			return true;
		if (*end != ',')
			return false;
	}
}

/* NULL: it was. */
static const char *wrong(const struct sweep *s, const struct run *whole, const struct run *r)
{
	int status = WEXITSTATUS(r->status);

	if (r->hangs)
		return "does not end";
	if (!WIFEXITED(r->status))
		return "killed by a signal";
	if (status == SANITIZER)
		return "a sanitizer speaks";
	if (status == 127 && r->by_libc)
		return NULL;
	if (status != WEXITSTATUS(whole->status)) {
		if (!may_end_with(s, status))
			return "not the exit status of a failure";
		if (r->lines == 0)
			return "fails and says nothing";
	} else if (!s->any_stdout && r->hash != whole->hash && r->lines == whole->lines) {
		return "prints something else and does not say so";
	}
	/* without any memory more than one thing can fail */
	return r->lines > whole->lines + 1 && !s->onwards ? "says it more than once" : NULL;
}

static void show(const struct sweep *s, const struct run *r, const char *why)
{
	size_t len;
	char *text = text_of(s->err, &len);

	printf("%s %s %s: n = %llu of %llu: %s (%s %d)\n", s->argv[0], s->argv[1] ? s->argv[1] : "", s->what,
	       (unsigned long long)r->n, (unsigned long long)r->seen, why,
	       WIFEXITED(r->status) ? "exit status" : "signal",
	       WIFEXITED(r->status) ? WEXITSTATUS(r->status) : WTERMSIG(r->status));
	printf("%.*s\n", s->verbose ? (int)len : 6000, text);
	free(text);
}

/* ---- all of them */

static uint64_t mixed(uint64_t x) /* splitmix64 */
{
	x += 0x9e3779b97f4a7c15ULL;
	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9ULL;
	x = (x ^ x >> 27) * 0x94d049bb133111ebULL;
	return x ^ x >> 31;
}

/* The @i-th of @count that lie between 1 and @all, one in each of as many equal parts. */
static uint64_t chosen(const struct sweep *s, uint64_t i, uint64_t count, uint64_t all)
{
	uint64_t from = all * i / count, to = all * (i + 1) / count;

	return from + 1 + mixed(s->seed + i) % (to - from);
}

static int sweep(const struct sweep *s)
{
	struct run whole = run(s, 0), r;
	uint64_t i, count, tried = 0, ends = 0, bad = 0;
	const char *why;

	if (!WIFEXITED(whole.status) || WEXITSTATUS(whole.status) == SANITIZER || whole.hangs || !s->nth->allocs) {
		show(s, &whole, "does not work as it is");
		return 2;
	}
	count = s->count && s->count < whole.seen ? s->count : whole.seen;
	for (i = 0; i < count; i++) {
		r = run(s, s->only ? s->only : chosen(s, i, count, whole.seen));
		if (r.seen < r.n && s->count && r.seen) /* there were fewer this time, and none failed */
			r = run(s, 1 + mixed(s->seed + i) % r.seen);
		if (r.seen < r.n)
			continue;
		tried++;
		ends += r.status != whole.status;
		why = wrong(s, &whole, &r);
		bad += why != NULL;
		if (why || s->verbose)
			show(s, &r, why ? why : "right");
		if (s->only)
			break;
	}
	printf("%s %s %s: %llu of %llu tried (seed %llu), %llu end it, %llu wrong\n", s->argv[0],
	       s->argv[1] ? s->argv[1] : "", s->what, (unsigned long long)tried, (unsigned long long)whole.seen,
	       (unsigned long long)s->seed, (unsigned long long)ends, (unsigned long long)bad);
	return bad ? 1 : 0;
}

/* ---- options */

static int error_of(const char *name)
{
	const char *known;
	int i;

	for (i = 1; i < 4096; i++)
		if ((known = strerrorname_np(i)) && !strcmp(known, name))
			return i;
	errx(2, "no error '%s'", name);
}

static void parse_calls(struct sweep *s, const char *what)
{
	char *copy = strdup(what), *colon = copy ? strchr(copy, ':') : NULL, *name, *rest = copy;

	if (!colon)
		errx(2, "alloc, alloc+ or CALL:ERROR, not '%s'", what);
	*colon = '\0';
	s->error = error_of(colon + 1);
	while ((name = strsep(&rest, ",")) && s->ncalls < MAX_CALLS) {
		s->call[s->ncalls] = seccomp_syscall_resolve_name(name);
		if (s->call[s->ncalls++] == __NR_SCMP_ERROR)
			errx(2, "no system call '%s'", name);
	}
	free(copy);
}

static void parse(struct sweep *s, int argc, char **argv)
{
	int c;

	while ((c = getopt(argc, argv, "+w:c:s:n:f:e:t:x")) != -1) {
		switch (c) {
		case 'w':
			s->what = optarg;
			break;
		case 'c':
			s->count = strtoull(optarg, NULL, 10);
			break;
		case 's':
			s->seed = strtoull(optarg, NULL, 10);
			break;
		case 'n':
			s->only = strtoull(optarg, NULL, 10);
			s->verbose = true;
			break;
		case 'f':
			s->statuses = optarg;
			break;
		case 'e':
			if (s->nlines == MAX_LINES)
				errx(2, "-e: not so often");
			s->line[s->nlines++] = optarg;
			break;
		case 't':
			s->term_after = optarg;
			break;
		case 'x':
			s->any_stdout = true;
			break;
		default:
			exit(2);
		}
	}
	if (argc == optind || !s->what)
		errx(2, "usage: sweep -w WHAT [OPTION...] PROGRAM [ARG...]");
	s->argv = argv + optind;
	s->onwards = !strcmp(s->what, "alloc+");
	if (strcmp(s->what, "alloc") != 0 && !s->onwards)
		parse_calls(s, s->what);
}

static void prepare(struct sweep *s)
{
	char self[4000] = "", preload[4096], fd[16], options[4096];
	const char *asan = getenv("ASAN_OPTIONS"), *tmp = getenv("TMPDIR");

	snprintf(s->folder, sizeof(s->folder), "%s/sweep-XXXXXX", tmp ? tmp : "/tmp");
	if (!mkdtemp(s->folder))
		err(2, "%s", s->folder);

	s->nth_fd = memfd_create("nth", 0); /* goes to the program */
	s->out = memfd_create("out", MFD_CLOEXEC);
	s->err = memfd_create("err", MFD_CLOEXEC);
	if (s->nth_fd < 0 || s->out < 0 || s->err < 0 || ftruncate(s->nth_fd, sizeof(*s->nth)))
		err(2, "memfd_create");
	s->nth = mmap(NULL, sizeof(*s->nth), PROT_READ | PROT_WRITE, MAP_SHARED, s->nth_fd, 0);
	if (s->nth == MAP_FAILED || (s->ncalls && seccomp_notify_alloc(&s->req, &s->resp)))
		err(2, "memory");
	if (readlink("/proc/self/exe", self, sizeof(self) - 1) < 0)
		err(2, "/proc/self/exe");
	snprintf(preload, sizeof(preload), "%.*snth.so", (int)(strrchr(self, '/') + 1 - self), self);
	snprintf(fd, sizeof(fd), "%d", s->nth_fd);
	snprintf(options, sizeof(options), "%s:verify_asan_link_order=0:exitcode=%d", asan ? asan : "", SANITIZER);
	setenv("ASAN_OPTIONS", options, 1);
	setenv("LD_PRELOAD", preload, 1);
	setenv("NTH_FD", fd, 1);
}

int main(int argc, char **argv)
{
	struct sweep s = { .statuses = "1", .seed = now_ns() % 1000000 };
	int status;

	setlinebuf(stdout);
	parse(&s, argc, argv);
	prepare(&s);
	status = sweep(&s);
	empty(&s);
	rmdir(s.folder);
	if (s.req)
		seccomp_notify_free(s.req, s.resp);
	return status;
}
