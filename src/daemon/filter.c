// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * The system calls of a running daemon, by what asks for them.  What was found by
 * strace under load is more than what the sources say: glibc, libmicrohttpd, SQLite
 * and GnuTLS make calls of their own, and newer ones make newer calls.
 */
#include <errno.h>
#include <linux/bpf.h>
#include <linux/perf_event.h>
#include <seccomp.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>

#include "vmalock/base.h"
#include "filter.h"

static const int allowed[] = {
	/* memory, threads, time */
	SCMP_SYS(brk),
	SCMP_SYS(mmap),
	SCMP_SYS(munmap),
	SCMP_SYS(mremap),
	SCMP_SYS(mprotect),
	SCMP_SYS(madvise),
	SCMP_SYS(futex),
	SCMP_SYS(futex_waitv),
	SCMP_SYS(clone3),
	SCMP_SYS(clone),
	SCMP_SYS(set_robust_list),
	SCMP_SYS(rseq),
	SCMP_SYS(exit),
	SCMP_SYS(exit_group),
	SCMP_SYS(sched_yield),
	SCMP_SYS(sched_getaffinity),
	SCMP_SYS(membarrier),
	SCMP_SYS(clock_gettime),
	SCMP_SYS(clock_nanosleep),
	SCMP_SYS(clock_getres),
	SCMP_SYS(gettimeofday),
	SCMP_SYS(nanosleep),
	SCMP_SYS(time),
	SCMP_SYS(getrandom),
	SCMP_SYS(restart_syscall),
	/* who we are */
	SCMP_SYS(getpid),
	SCMP_SYS(gettid),
	SCMP_SYS(getppid),
	SCMP_SYS(getuid),
	SCMP_SYS(geteuid),
	SCMP_SYS(getgid),
	SCMP_SYS(getegid),
	SCMP_SYS(getrusage),
	SCMP_SYS(uname),
	SCMP_SYS(sysinfo),
	SCMP_SYS(getcpu),
	SCMP_SYS(sched_getscheduler),
	SCMP_SYS(sched_getparam),
	/* signals */
	SCMP_SYS(rt_sigaction),
	SCMP_SYS(rt_sigprocmask),
	SCMP_SYS(rt_sigreturn),
	SCMP_SYS(rt_sigtimedwait),
	SCMP_SYS(sigaltstack),
	SCMP_SYS(tgkill),
	/* files: /proc, /sys, the history, the web configuration */
	SCMP_SYS(open),
	SCMP_SYS(openat),
	SCMP_SYS(close),
	SCMP_SYS(read),
	SCMP_SYS(readv),
	SCMP_SYS(pread64),
	SCMP_SYS(write),
	SCMP_SYS(writev),
	SCMP_SYS(pwrite64),
	SCMP_SYS(lseek),
	SCMP_SYS(fstat),
	SCMP_SYS(stat),
	SCMP_SYS(lstat),
	SCMP_SYS(newfstatat),
	SCMP_SYS(statx),
	SCMP_SYS(statfs),
	SCMP_SYS(fstatfs),
	SCMP_SYS(access),
	SCMP_SYS(faccessat),
	SCMP_SYS(faccessat2),
	SCMP_SYS(readlink),
	SCMP_SYS(readlinkat),
	SCMP_SYS(getcwd),
	SCMP_SYS(getdents64),
	SCMP_SYS(fcntl),
	SCMP_SYS(fsync),
	SCMP_SYS(fdatasync),
	SCMP_SYS(ftruncate),
	SCMP_SYS(fallocate),
	SCMP_SYS(unlink),
	SCMP_SYS(unlinkat),
	SCMP_SYS(rename),
	SCMP_SYS(renameat),
	SCMP_SYS(renameat2),
	SCMP_SYS(fchmod),
	SCMP_SYS(fchown),
	SCMP_SYS(dup),
	SCMP_SYS(pipe2),
	SCMP_SYS(prlimit64),
	SCMP_SYS(utimensat),
	/* connections that come in; connect() for sd_notify */
	SCMP_SYS(accept),
	SCMP_SYS(accept4),
	SCMP_SYS(recvfrom),
	SCMP_SYS(recvmsg),
	SCMP_SYS(sendto),
	SCMP_SYS(sendmsg),
	SCMP_SYS(sendfile),
	SCMP_SYS(shutdown),
	SCMP_SYS(getsockname),
	SCMP_SYS(getpeername),
	SCMP_SYS(getsockopt),
	SCMP_SYS(setsockopt),
	SCMP_SYS(connect),
	SCMP_SYS(epoll_create1),
	SCMP_SYS(epoll_create),
	SCMP_SYS(epoll_ctl),
	SCMP_SYS(epoll_wait),
	SCMP_SYS(epoll_pwait),
	SCMP_SYS(epoll_pwait2),
	SCMP_SYS(poll),
	SCMP_SYS(ppoll),
	SCMP_SYS(select),
	SCMP_SYS(pselect6),
	SCMP_SYS(eventfd2),
	SCMP_SYS(timerfd_create),
	SCMP_SYS(timerfd_settime),
};

/* Reading maps and threads, and switching hooks off and on; not: loading programs, making maps. */
static const unsigned int bpf_commands[] = {
	BPF_MAP_LOOKUP_ELEM,  BPF_MAP_UPDATE_ELEM, BPF_MAP_DELETE_ELEM,	   BPF_MAP_GET_NEXT_KEY,
	BPF_MAP_LOOKUP_BATCH, BPF_ITER_CREATE,	   BPF_OBJ_GET_INFO_BY_FD, BPF_RAW_TRACEPOINT_OPEN,
	BPF_LINK_CREATE,      BPF_LINK_UPDATE,	   BPF_LINK_DETACH,	   BPF_PROG_TEST_RUN,
};

/* Calls that are allowed when one argument is this. */
static const struct {
	int call;
	unsigned int argument;
	scmp_datum_t is;
} allowed_for[] = {
	{ SCMP_SYS(socket), 0, AF_UNIX }, /* sd_notify */
	{ SCMP_SYS(ioctl), 1, FIONREAD },
	{ SCMP_SYS(ioctl), 1, FIONBIO },
	{ SCMP_SYS(ioctl), 1, PERF_EVENT_IOC_ENABLE }, /* hooks that are perf events */
	{ SCMP_SYS(ioctl), 1, PERF_EVENT_IOC_DISABLE },
	{ SCMP_SYS(prctl), 0, PR_SET_NAME }, /* of threads */
	{ SCMP_SYS(prctl), 0, PR_SET_VMA }, /* of memory, by newer glibc */
};

/* SCMP_CMP() leaves a member out, of which clang warns. */
static struct scmp_arg_cmp equals(unsigned int argument, uint64_t value)
{
	return (struct scmp_arg_cmp){ .arg = argument, .op = SCMP_CMP_EQ, .datum_a = value };
}

static int add_rules(scmp_filter_ctx ctx)
{
	int err = 0;
	size_t i;

	for (i = 0; !err && i < VML_ARRAY_SIZE(allowed); i++) {
		err = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, allowed[i], 0);
		if (err == -EDOM) /* this architecture has no such call */
			err = 0;
	}
	for (i = 0; !err && i < VML_ARRAY_SIZE(allowed_for); i++)
		err = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, allowed_for[i].call, 1,
				       equals(allowed_for[i].argument, allowed_for[i].is));
	for (i = 0; !err && i < VML_ARRAY_SIZE(bpf_commands); i++)
		err = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(bpf), 1, equals(0, bpf_commands[i]));
	return err;
}

int filter_install(enum daemon_seccomp mode, char error[VML_ERROR_MAX])
{
	scmp_filter_ctx ctx;
	int err;

	if (mode == DAEMON_SECCOMP_OFF)
		return 0;
	ctx = seccomp_init(mode == DAEMON_SECCOMP_KILL ? SCMP_ACT_KILL_PROCESS : SCMP_ACT_ERRNO(EPERM));
	err = ctx ? seccomp_attr_set(ctx, SCMP_FLTATR_CTL_LOG, 1) : -ENOMEM;
	/* sorted by a tree instead of a list: map reads make thousands of calls a second */
	if (!err)
		err = seccomp_attr_set(ctx, SCMP_FLTATR_CTL_OPTIMIZE, 2);
	if (!err)
		err = add_rules(ctx);
	if (!err)
		err = seccomp_load(ctx);
	if (ctx)
		seccomp_release(ctx);
	if (err)
		snprintf(error, VML_ERROR_MAX, "cannot filter system calls: %s; --seccomp off goes without",
			 strerror(-err));
	return err;
}
