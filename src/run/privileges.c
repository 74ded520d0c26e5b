// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include <errno.h>
#include <grp.h>
#include <libgen.h>
#include <limits.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <sys/capability.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "vmalock/base.h"
#include "privileges.h"

static const cap_value_t bpf_caps[] = { CAP_BPF, CAP_PERFMON };
static const cap_value_t start_caps[] = { CAP_BPF, CAP_PERFMON, CAP_SYSLOG };
static const cap_value_t stack_caps[] = { CAP_SYS_PTRACE, CAP_DAC_READ_SEARCH };

static int fail(char error[VML_ERROR_MAX], int err, const char *what, const char *on)
{
	snprintf(error, VML_ERROR_MAX, "cannot %s%s: %s", what, on, strerror(-err));
	return err;
}

int privileges_become(const char *user, char error[VML_ERROR_MAX])
{
	const struct passwd *pw;

	if (geteuid() || !user)
		return 0;
	pw = getpwnam(user);
	if (!pw) {
		snprintf(error, VML_ERROR_MAX, "no user '%s'", user);
		return -ENOENT;
	}
	if (prctl(PR_SET_KEEPCAPS, 1) || initgroups(user, pw->pw_gid) ||
	    setresgid(pw->pw_gid, pw->pw_gid, pw->pw_gid) || setresuid(pw->pw_uid, pw->pw_uid, pw->pw_uid))
		return fail(error, -errno, "become user ", user);
	/* another uid makes /proc/self root's: we could not count our own descriptors */
	if (prctl(PR_SET_DUMPABLE, 1))
		return fail(error, -errno, "keep /proc/self readable", "");
	return 0;
}

int privileges_make_dir(const char *path, const char *user, char error[VML_ERROR_MAX])
{
	const struct passwd *pw = !geteuid() && user ? getpwnam(user) : NULL;
	char copy[PATH_MAX], *dir;

	snprintf(copy, sizeof(copy), "%s", path);
	dir = dirname(copy);
	if (mkdir(dir, 0750))
		return errno == EEXIST ? 0 : fail(error, -errno, "make the folder ", dir);
	if (pw && lchown(dir, pw->pw_uid, pw->pw_gid))
		return fail(error, -errno, "give away the folder ", dir);
	return 0;
}

/* ---- capabilities */

static int set_flag(cap_flag_t flag, const cap_value_t *keep, int n)
{
	cap_t caps = cap_get_proc();
	int err = 0;

	if (!caps || cap_clear_flag(caps, flag) || (n && cap_set_flag(caps, flag, n, keep, CAP_SET)) ||
	    cap_set_proc(caps))
		err = -errno;
	cap_free(caps);
	return err;
}

/* Those of @wanted that may be had. */
static int permitted(const cap_value_t *wanted, int n, cap_value_t *ret)
{
	cap_t caps = cap_get_proc();
	cap_flag_value_t is;
	int i, found = 0;

	for (i = 0; caps && i < n; i++)
		if (!cap_get_flag(caps, wanted[i], CAP_PERMITTED, &is) && is == CAP_SET)
			ret[found++] = wanted[i];
	cap_free(caps);
	return found;
}

/* How many of @keep, of which @n are there, @works needs; what it said last. */
static int try_without(cap_value_t *keep, int *n, int (*works)(void *arg), void *arg)
{
	static const struct {
		int first, n;
	} trial[] = { { 0, 0 }, { 0, 1 }, { 1, 1 }, { 0, 2 } };
	int base = *n, err = 0;
	size_t i;

	for (i = 0; i < VML_ARRAY_SIZE(trial); i++) {
		*n = base + permitted(bpf_caps + trial[i].first, trial[i].n, keep + base);
		err = set_flag(CAP_EFFECTIVE, keep, *n);
		if (!err)
			err = works(arg);
		if (err != -EPERM && err != -EACCES)
			break;
	}
	return err;
}

static void name_kept(const cap_value_t *keep, int n, char text[64])
{
	size_t len = 0;
	char *name;
	int i;

	snprintf(text, 64, "none");
	for (i = 0; i < n && len < 64; i++) {
		name = cap_to_name(keep[i]);
		len += (size_t)snprintf(text + len, 64 - len, "%s%s", len ? " " : "", name ? name : "?");
		cap_free(name);
	}
}

void privileges_raise(void)
{
	cap_value_t have[VML_ARRAY_SIZE(start_caps)];
	cap_t caps = cap_get_proc();
	int n = permitted(start_caps, VML_ARRAY_SIZE(start_caps), have);

	/* a program with file capabilities has a /proc/self that is root's: we could not count our own descriptors */
	if (caps && n && !cap_set_flag(caps, CAP_EFFECTIVE, n, have, CAP_SET) && !cap_set_proc(caps))
		prctl(PR_SET_DUMPABLE, 1);
	cap_free(caps);
}

int privileges_try(int (*works)(void *arg), void *arg, char ret_kept[64])
{
	cap_value_t keep[VML_ARRAY_SIZE(bpf_caps)];
	cap_t before = cap_get_proc();
	int n = 0, err;

	if (!before)
		return -errno;
	err = try_without(keep, &n, works, arg);
	if (!err)
		name_kept(keep, n, ret_kept);
	if (cap_set_proc(before) && !err)
		err = -errno;
	cap_free(before);
	return err;
}

/* Needs CAP_SETPCAP, which only root has; with no_new_privs it means nothing any more. */
static void empty_bounding_set(void)
{
	const cap_value_t wanted = CAP_SETPCAP;
	cap_value_t may, c;

	if (!permitted(&wanted, 1, &may) || set_flag(CAP_EFFECTIVE, &may, 1))
		return;
	for (c = 0; cap_get_bound(c) >= 0; c++)
		cap_drop_bound(c);
}

/* In every set. */
static int drop_all_but(const cap_value_t *keep, int n)
{
	cap_t caps = cap_init();
	int err = 0;

	if (!caps)
		return -errno;
	if (cap_reset_ambient() ||
	    (n && (cap_set_flag(caps, CAP_PERMITTED, n, keep, CAP_SET) ||
		   cap_set_flag(caps, CAP_EFFECTIVE, n, keep, CAP_SET))) ||
	    cap_set_proc(caps))
		err = -errno;
	cap_free(caps);
	return err;
}

int privileges_drop(bool user_stacks, int (*works)(void *arg), void *arg, char ret_kept[64], char error[VML_ERROR_MAX])
{
	cap_value_t keep[VML_ARRAY_SIZE(stack_caps) + VML_ARRAY_SIZE(bpf_caps)];
	int n = 0, err;

	if (user_stacks)
		n = permitted(stack_caps, VML_ARRAY_SIZE(stack_caps), keep);
	empty_bounding_set();
	err = try_without(keep, &n, works, arg);
	if (err)
		return fail(error, err, "take a snapshot", "");
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
		return fail(error, -errno, "set no_new_privs", "");
	err = drop_all_but(keep, n);
	if (err)
		return fail(error, err, "drop capabilities", "");
	name_kept(keep, n, ret_kept);
	return 0;
}
