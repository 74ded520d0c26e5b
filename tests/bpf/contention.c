// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * usage: contention FILE COMMAND [ARGUMENT...]
 *
 * Runs COMMAND and writes to FILE, when it has ended, how long threads slept
 * for the mmap_lock of their own process, by lock:contention_begin and _end:
 *
 *   {"processes":{"PID":{"read_waits":N,"read_wait_ns":N,"write_waits":N,
 *    "write_wait_ns":N,"gave_up":N},...},"lost":N,"missed_runs":N,"open":N}
 *
 * All processes of the host are in it, those of COMMAND by their pids.  Not in
 * it: waits in which a thread only span, and waits for the mmap_lock of another
 * process.  lost: found no place; missed_runs: of the BPF programs, skipped by
 * the kernel; open: waits that were not over.  Exit status: of COMMAND; 125
 * when it could not be observed.
 */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "contention.h"
#include "contention.skel.h"

#define CANNOT 125

/* Returns the exit status as a shell has it. */
static int run(char **argv)
{
	int status;
	pid_t pid = fork();

	if (pid < 0)
		return CANNOT;
	if (!pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		execvp(argv[0], argv);
		fprintf(stderr, "contention: cannot run %s: %s\n", argv[0], strerror(errno));
		_exit(127);
	}
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return CANNOT;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static unsigned long long missed_runs(struct bpf_program *prog)
{
	struct bpf_prog_info info = { 0 };
	__u32 len = sizeof(info);

	return bpf_obj_get_info_by_fd(bpf_program__fd(prog), &info, &len) ? 0 : info.recursion_misses;
}

static unsigned int entries(int map)
{
	__u32 key, *at = NULL;
	unsigned int n = 0;

	for (; !bpf_map_get_next_key(map, at, &key); at = &key)
		n++;
	return n;
}

static int report(FILE *f, struct contention *s)
{
	int map = bpf_map__fd(s->maps.processes);
	const char *comma = "";
	struct contention_waits c;
	__u32 pid, *at = NULL;

	fputs("{\"processes\":{", f);
	for (; !bpf_map_get_next_key(map, at, &pid); at = &pid) {
		if (bpf_map_lookup_elem(map, &pid, &c))
			continue;
		fprintf(f,
			"%s\"%u\":{\"read_waits\":%llu,\"read_wait_ns\":%llu,\"write_waits\":%llu,\"write_wait_ns\":%llu,"
			"\"gave_up\":%llu}",
			comma, pid, c.waits[CONTENTION_READ], c.wait_ns[CONTENTION_READ], c.waits[CONTENTION_WRITE],
			c.wait_ns[CONTENTION_WRITE], c.gave_up);
		comma = ",";
	}
	fprintf(f, "},\"lost\":%llu,\"missed_runs\":%llu,\"open\":%u}\n", (unsigned long long)s->bss->lost,
		missed_runs(s->progs.contention_begin) + missed_runs(s->progs.contention_end),
		entries(bpf_map__fd(s->maps.begun)));
	return fclose(f) ? -errno : 0;
}

int main(int argc, char **argv)
{
	struct contention *s;
	int status = CANNOT, err;
	FILE *f;

	if (argc < 3) {
		fputs("usage: contention FILE COMMAND [ARGUMENT...]\n", stderr);
		return 2;
	}
	/* COMMAND may read what it is told from stdin; it must not keep FILE */
	f = fopen(argv[1], "we");
	if (!f) {
		fprintf(stderr, "contention: cannot write %s: %s\n", argv[1], strerror(errno));
		return CANNOT;
	}
	libbpf_set_print(NULL);
	s = contention__open_and_load();
	err = s ? contention__attach(s) : -errno;
	if (err) {
		fprintf(stderr, "contention: cannot attach to lock:contention_begin and _end: %s\n", strerror(-err));
		fclose(f);
		goto out;
	}
	status = run(argv + 2);
	contention__detach(s);
	err = report(f, s);
	if (err) {
		fprintf(stderr, "contention: cannot write %s: %s\n", argv[1], strerror(-err));
		status = CANNOT;
	}
out:
	contention__destroy(s);
	return status;
}
