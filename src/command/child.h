/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef VMALOCK_COMMAND_CHILD_H
#define VMALOCK_COMMAND_CHILD_H
/*
 * A command that begins when everything is ready: it is forked early, before there is
 * anything to inherit, and waits.  It runs as the caller does, with the caller's signals
 * and files.
 */
#include <stdbool.h>
#include <sys/types.h>

struct child {
	pid_t pid; /* 0: there is none */
	int fd; /* readable when it has ended; -1: none */
	int go; /* one byte: run; closed: do not */
	int failed; /* the errno of exec comes from here */
	int status; /* of waitpid(), when ended */
	bool ended;
};

/* Whether there is a program of that name, as execvp(3) looks for it; its negative errno. */
int child_find(const char *name);
/* Negative errno: it cannot be forked. */
int child_prepare(struct child *c, char *const *argv);
/* Runs it.  A positive errno: what exec says; it is gone then. */
int child_go(struct child *c);
/* True when it has ended. Does not wait. */
bool child_ended(struct child *c);
/* Asks it to end: SIGTERM. */
void child_terminate(struct child *c);
/* The exit status as a shell has it: 128 + N when signal N killed it. Ended children only. */
int child_status(const struct child *c);
/* One that was not run does not run any more; one that runs goes on. */
void child_close(struct child *c);

#endif
