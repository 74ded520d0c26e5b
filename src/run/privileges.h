/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef VMALOCK_RUN_PRIVILEGES_H
#define VMALOCK_RUN_PRIVILEGES_H
/*
 * How the daemon gives up what it no longer needs, and what others say of that.  Of the
 * calling thread, so before any other is started.
 *
 *	load the programs, bind the sockets
 *	privileges_become("vmalock", error);	root only
 *	open the history
 *	privileges_drop(...);
 *	filter_install(...);
 *	start threads
 *
 * Errors are negative errno, with one line in @error.
 */
#include <stdbool.h>
#include <stdint.h>

#include "vmalock/source.h"

/*
 * From root to @user, its group and its groups; nothing when not root, or when
 * @user is NULL.  Capabilities stay permitted until privileges_drop(), but are not
 * effective.  -ENOENT: no such user, and nothing was changed.
 */
int privileges_become(const char *user, char error[VML_ERROR_MAX]);
/* Makes the folder of @path, for @user when we are root; no error when it is there. */
int privileges_make_dir(const char *path, const char *user, char error[VML_ERROR_MAX]);

/*
 * Those of CAP_BPF, CAP_PERFMON and CAP_SYSLOG that are permitted become effective: an image gives them to its
 * programs as file capabilities, without which a container's user has none.  Nothing when that fails: what
 * needs them says so.
 */
void privileges_raise(void);

/*
 * What privileges_drop() would keep, into @ret_kept, by the same trial; the capabilities are
 * then what they were.  What @works said last.
 */
int privileges_try(int (*works)(void *arg), void *arg, char ret_kept[64]);

/*
 * Drops all capabilities for good, in every set, and sets no_new_privs.
 *
 * @works tries what will be needed with what is effective then: nothing at first.
 * When that fails with -EPERM it is tried again with CAP_BPF, CAP_PERFMON and both;
 * what it takes is kept.  @user_stacks: CAP_SYS_PTRACE and CAP_DAC_READ_SEARCH are
 * kept where they are there.
 * @ret_kept: "none", or "cap_sys_ptrace cap_dac_read_search".  What @works said
 * last, or what the kernel said.
 */
int privileges_drop(bool user_stacks, int (*works)(void *arg), void *arg, char ret_kept[64], char error[VML_ERROR_MAX]);

#endif
