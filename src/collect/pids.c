// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* BPF programs know PIDs as the host has them; in a container this process may not. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include <bpf/bpf.h>

#include "collect.h"
#include "vmalock/base.h"

#define HOST_PID_NAMESPACE 0xeffffffc /* PROC_PID_INIT_INO: its inode on every kernel */

bool pids_are_hosts(void)
{
	struct stat st;

	return stat("/proc/self/ns/pid", &st) || st.st_ino == HOST_PID_NAMESPACE;
}

/* By a program that is run once: nothing in /proc tells. */
int pids_self(uint32_t *ret)
{
	static const struct bpf_insn tgid[] = {
		{ .code = BPF_JMP | BPF_CALL, .imm = BPF_FUNC_get_current_pid_tgid },
		{ .code = BPF_ALU64 | BPF_RSH, .dst_reg = BPF_REG_0, .imm = 32 },
		{ .code = BPF_JMP | BPF_EXIT },
	};
	LIBBPF_OPTS(bpf_prog_load_opts, opts, .prog_flags = BPF_F_SLEEPABLE);
	LIBBPF_OPTS(bpf_test_run_opts, run);
	int fd, err;

	if (pids_are_hosts()) {
		*ret = (uint32_t)getpid();
		return 0;
	}
	fd = bpf_prog_load(BPF_PROG_TYPE_SYSCALL, "host_pid", "GPL", tgid, VML_ARRAY_SIZE(tgid), &opts);
	if (fd < 0)
		return fd;
	err = bpf_prog_test_run_opts(fd, &run);
	close(fd);
	if (!err)
		*ret = run.retval;
	return err;
}

int vml_live_check_pids(const uint32_t *pids, size_t n, char error[VML_ERROR_MAX])
{
	size_t i;

	for (i = 0; i < n && !pids_are_hosts(); i++) {
		if (kill((pid_t)pids[i], 0) && errno == ESRCH)
			continue;
		snprintf(error, VML_ERROR_MAX,
			 "-p %u: that is a PID of this container, and processes are known by the host's PIDs here: "
			 "take one of those, or share the host's PIDs with the container (hostPID: true, --pid=host)",
			 pids[i]);
		return -EINVAL;
	}
	return 0;
}
