// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * A cgroup with a quota of CPU time, at the top of the hierarchy that has the
 * cpu controller (version 1 or 2), where it is in nobody's way.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "culprit.h"
#include "load.h"

#define LEAVE_NS 10000000 /* a process that was killed is still in its cgroup for a moment */
#define MAX_LEAVES 500

struct vml_load_cgroup {
	char root[192]; /* where the hierarchy is mounted */
	char path[256];
	int version;
	bool enabled; /* the cpu controller, by us */
};

static bool has_word(const char *list, const char *word)
{
	size_t n = strlen(word);
	const char *p = list;

	while ((p = strstr(p, word))) {
		bool begins = p == list || strchr(" ,", p[-1]), ends = !p[n] || strchr(" ,\n", p[n]);

		if (begins && ends)
			return true;
		p += n;
	}
	return false;
}

/* Source: proc_pid_mountinfo(5): the type and the options of the super block follow " - ". */
static void find_mounts(char v1[192], char v2[192])
{
	char line[4096], at[192], type[32], options[512];
	FILE *f = fopen("/proc/self/mountinfo", "re");

	*v1 = *v2 = 0;
	if (!f)
		return;
	while (fgets(line, sizeof(line), f)) {
		const char *dash = strstr(line, " - ");

		if (!dash || sscanf(line, "%*s %*s %*s %*s %191s", at) != 1 ||
		    sscanf(dash, " - %31s %*s %511s", type, options) != 2)
			continue;
		if (!*v1 && !strcmp(type, "cgroup") && has_word(options, "cpu"))
			strcpy(v1, at);
		if (!*v2 && !strcmp(type, "cgroup2"))
			strcpy(v2, at);
	}
	fclose(f);
}

static bool file_has(const char *dir, const char *name, const char *word)
{
	char path[320], text[512] = "";
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	f = fopen(path, "re");
	if (!f)
		return false;
	if (!fgets(text, sizeof(text), f))
		*text = 0;
	fclose(f);
	return has_word(text, word);
}

static int write_in(const char *dir, const char *name, const char *text)
{
	char path[320];

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	return vml_load_write_text(path, text);
}

static void leave_nothing(const void *arg)
{
	const struct vml_load_cgroup *g = arg;
	int i;

	for (i = 0; i < MAX_LEAVES && rmdir(g->path) && errno == EBUSY; i++)
		vml_load_pause(LEAVE_NS);
	if (g->enabled)
		write_in(g->root, "cgroup.subtree_control", "-cpu");
}

static int set_quota(const struct vml_load_cgroup *g, uint32_t quota_us, uint32_t period_us)
{
	char text[32];
	int err;

	if (g->version == 2) {
		snprintf(text, sizeof(text), "%u %u", quota_us, period_us);
		return write_in(g->path, "cpu.max", text);
	}
	snprintf(text, sizeof(text), "%u", period_us);
	err = write_in(g->path, "cpu.cfs_period_us", text);
	snprintf(text, sizeof(text), "%u", quota_us);
	return err ? err : write_in(g->path, "cpu.cfs_quota_us", text);
}

static int choose(struct vml_load *l, struct vml_load_cgroup *g)
{
	char v1[192], v2[192];
	int n;

	find_mounts(v1, v2);
	g->version = *v1 ? 1 : 2;
	snprintf(g->root, sizeof(g->root), "%s", *v1 ? v1 : v2);
	if (!*g->root)
		return vml_load_fail(l, -EOPNOTSUPP, "no cgroup hierarchy is mounted here");
	if (g->version == 2 && !file_has(g->root, "cgroup.controllers", "cpu"))
		return vml_load_fail(l, -EOPNOTSUPP, "no hierarchy of cgroups here has the cpu controller");
	n = snprintf(g->path, sizeof(g->path), "%s/vmalock-load-%d", g->root, getpid());
	return n < (int)sizeof(g->path) ? 0 : vml_load_fail(l, -ENAMETOOLONG, "cannot use %s", g->root);
}

int vml_load_cgroup_open(struct vml_load *l, uint32_t quota_us, uint32_t period_us)
{
	struct vml_load_cgroup *g = calloc(1, sizeof(*g));
	int err;

	l->cgroup = g;
	if (!g)
		return vml_load_fail(l, -ENOMEM, "cannot keep a cgroup");
	err = choose(l, g);
	if (err)
		return err;
	g->enabled = g->version == 2 && !file_has(g->root, "cgroup.subtree_control", "cpu");
	/* who undoes has a copy of *g as it is now */
	err = vml_load_undo_later(l, leave_nothing, g);
	if (err)
		return err;
	if (mkdir(g->path, 0755))
		return vml_load_fail(l, -EOPNOTSUPP,
				     "cannot create %s (%s); needs root and a cgroup file system that can be written",
				     g->path, strerror(errno));
	if (g->enabled)
		err = write_in(g->root, "cgroup.subtree_control", "+cpu");
	if (!err)
		err = set_quota(g, quota_us, period_us);
	if (err)
		return vml_load_fail(l, -EOPNOTSUPP, "%s takes no quota of CPU time (%s)", g->path, strerror(-err));
	return 0;
}

int vml_load_cgroup_enter(struct vml_load *l, pid_t pid)
{
	char text[16];
	int err;

	snprintf(text, sizeof(text), "%d", pid);
	err = write_in(l->cgroup->path, "cgroup.procs", text);
	return err ? vml_load_fail(l, -EOPNOTSUPP, "%s takes no process (%s)", l->cgroup->path, strerror(-err)) : 0;
}

void vml_load_cgroup_close(struct vml_load *l)
{
	vml_load_undo_now(l);
	free(l->cgroup);
	l->cgroup = NULL;
}
