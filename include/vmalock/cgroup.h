/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef VMALOCK_CGROUP_H
#define VMALOCK_CGROUP_H
/*
 * What the path of a cgroup says: which unit, container or user it is.
 *
 * Read from the path alone, by one table (src/model/cgroup_name.c): no runtime is
 * asked, and whoever may make cgroups may call them as he likes.  Pure.
 *
 *	path								name
 *	/system.slice/ssh.service					ssh.service
 *	/user.slice/user-1000.slice/session-3.scope			user-1000.slice
 *	/system.slice/docker-<64 hex>.scope, /docker/<64 hex>		docker:<12 hex>
 *	/kubepods.slice/.../cri-containerd-<64 hex>.scope		containerd:<12 hex>
 *	/kubepods/burstable/pod<uid>/<64 hex>				cri:<12 hex>
 *	/lxc.payload.web/system.slice/cron.service			lxc:web
 *	/some/thing/else						/some/thing/else
 *
 * The innermost container wins, then the user, then the unit; what is below it
 * is the same.
 */
#include <stddef.h>

/* Longer texts end in '~' and 16 hex digits of a hash of the whole. */
#define VML_CGROUP_TEXT 256

struct vml_cgroup {
	char name[VML_CGROUP_TEXT]; /* "unknown" when the path is "" */
	char path[VML_CGROUP_TEXT]; /* what of the path stands for it */
	/* "root", "service", "scope", "slice", "unit" (others of systemd), "user", "container", "pod", "path", "unknown" */
	const char *kind;
	char unit[VML_CGROUP_TEXT]; /* of systemd; "" */
	char pod_uid[40]; /* of Kubernetes, with dashes; "" */
	char container_id[VML_CGROUP_TEXT]; /* all its digits; of lxc, nspawn and qemu the name; "" */
	const char *runtime; /* "docker", "containerd", "crio", "podman", "cri" (not known which), ...; "" */
};

/* Parses @path, from the host's root; always succeeds. */
void vml_cgroup_parse(const char *path, struct vml_cgroup *ret);

#endif
