// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Prints the PID of a child as its parent on the host has it, as it sees it itself, and as vmalock finds it. */
#include <sched.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "collect/collect.h"

static int child(void)
{
	uint32_t found = 0;
	int err = pids_self(&found);

	printf("itself %d found %u error %d hosts %d\n", getpid(), found, err, pids_are_hosts());
	return fflush(stdout) ? 1 : 0;
}

int main(void)
{
	int status;
	pid_t pid;

	if (unshare(CLONE_NEWPID)) {
		perror("unshare");
		return 77;
	}
	pid = fork();
	if (!pid)
		_exit(child());
	if (pid < 0 || waitpid(pid, &status, 0) != pid || status)
		return 1;
	printf("host %d\n", pid);
	return 0;
}
