/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "unit.h"
#include "vmalock/cgroup.h"

#define ID "5d41402abc4b2a76b9719d911017c5925d41402abc4b2a76b9719d911017c592"
#define POD "6e9dcbcf-1a2b-4c3d-9e8f-0123456789ab"
#define POD_ "6e9dcbcf_1a2b_4c3d_9e8f_0123456789ab"
#define NO_POD "00000000-1a2b-4c3d-9e8f-0123456789ax"
#define STATIC "a1b2c3d4e5f60718293a4b5c6d7e8f90"

static const struct {
	const char *path, *name, *kind, *unit, *pod_uid, *container_id, *runtime, *stands; /* NULL: the path */
} each[] = {
	{ "", "unknown", "unknown", "", "", "", "", "" },
	{ "/", "/", "root", "", "", "", "", NULL },
	/* systemd */
	{ "/init.scope", "init.scope", "scope", "init.scope", "", "", "", NULL },
	{ "/system.slice", "system.slice", "slice", "system.slice", "", "", "", NULL },
	{ "/system.slice/ssh.service", "ssh.service", "service", "ssh.service", "", "", "", NULL },
	{ "/system.slice/system-getty.slice/getty@tty1.service", "getty@tty1.service", "service", "getty@tty1.service",
	  "", "", "", NULL },
	{ "/system.slice/dbus-:1.2-org.gnome@0.service", "dbus-:1.2-org.gnome@0.service", "service",
	  "dbus-:1.2-org.gnome@0.service", "", "", "", NULL },
	{ "/system.slice/mysql.service/payload/x.service", "mysql.service", "service", "mysql.service", "", "", "",
	  "/system.slice/mysql.service" },
	{ "/system.slice/dev-sda1.swap", "dev-sda1.swap", "unit", "dev-sda1.swap", "", "", "", NULL },
	{ "/user.slice", "user.slice", "slice", "user.slice", "", "", "", NULL },
	/* users */
	{ "/user.slice/user-1000.slice/session-3.scope", "user-1000.slice", "user", "user-1000.slice", "", "", "",
	  "/user.slice/user-1000.slice" },
	{ "/user.slice/user-1000.slice/user@1000.service/app.slice/app-x.scope", "user-1000.slice", "user",
	  "user-1000.slice", "", "", "", "/user.slice/user-1000.slice" },
	{ "/user.slice/user-x.slice/session-3.scope", "session-3.scope", "scope", "session-3.scope", "", "", "", NULL },
	/* docker */
	{ "/system.slice/docker-" ID ".scope", "docker:5d41402abc4b", "container", "", "", ID, "docker", NULL },
	{ "/docker/" ID, "docker:5d41402abc4b", "container", "", "", ID, "docker", NULL },
	{ "/docker/" ID "/system.slice/cron.service", "docker:5d41402abc4b", "container", "", "", ID, "docker",
	  "/docker/" ID },
	{ "/docker/short", "/docker/short", "path", "", "", "", "", NULL },
	{ "/system.slice/docker.service", "docker.service", "service", "docker.service", "", "", "", NULL },
	/* containerd, with the systemd driver, with cgroupfs, and with the one told the other's paths */
	{ "/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod" POD_ ".slice/cri-containerd-" ID ".scope",
	  "containerd:5d41402abc4b", "container", "", POD, ID, "containerd", NULL },
	{ "/kubepods.slice/kubepods-pod" POD_ ".slice/cri-containerd-" ID ".scope/init", "containerd:5d41402abc4b",
	  "container", "", POD, ID, "containerd",
	  "/kubepods.slice/kubepods-pod" POD_ ".slice/cri-containerd-" ID ".scope" },
	{ "/kubepods/burstable/pod" POD "/" ID, "cri:5d41402abc4b", "container", "", POD, ID, "cri", NULL },
	{ "/kubepods/pod" POD "/pod" NO_POD, "pod:" POD, "pod", "", POD, "", "", "/kubepods/pod" POD },
	{ "/pod" NO_POD, "/pod" NO_POD, "path", "", "", "", "", NULL },
	{ "/kubepods/pod" STATIC "/" ID, "cri:5d41402abc4b", "container", "", STATIC, ID, "cri", NULL },
	{ "/system.slice/containerd.service/kubepods-besteffort-pod" POD_ ".slice:cri-containerd:" ID,
	  "containerd:5d41402abc4b", "container", "", POD, ID, "containerd", NULL },
	{ "/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod" POD_ ".slice", "pod:" POD, "pod", "", POD,
	  "", "", NULL },
	/* a node that is a container itself */
	{ "/docker/" ID "/kubelet/kubepods/besteffort/pod" POD
	  "/abcdef012345abcdef012345abcdef01abcdef012345abcdef012345"
	  "abcdef01",
	  "cri:abcdef012345", "container", "", POD, "abcdef012345abcdef012345abcdef01abcdef012345abcdef012345abcdef01",
	  "cri", NULL },
	/* CRI-O */
	{ "/kubepods.slice/kubepods-pod" POD_ ".slice/crio-" ID ".scope/container", "crio:5d41402abc4b", "container",
	  "", POD, ID, "crio", "/kubepods.slice/kubepods-pod" POD_ ".slice/crio-" ID ".scope" },
	{ "/kubepods/besteffort/pod" POD "/crio-" ID, "crio:5d41402abc4b", "container", "", POD, ID, "crio", NULL },
	/* podman: as root, and of a user */
	{ "/machine.slice/libpod-" ID ".scope/container", "podman:5d41402abc4b", "container", "", "", ID, "podman",
	  "/machine.slice/libpod-" ID ".scope" },
	{ "/libpod_parent/libpod-" ID, "podman:5d41402abc4b", "container", "", "", ID, "podman", NULL },
	{ "/user.slice/user-1000.slice/user@1000.service/user.slice/libpod-" ID ".scope", "podman:5d41402abc4b",
	  "container", "", "", ID, "podman", NULL },
	/* LXC */
	{ "/lxc/101/ns/system.slice/ssh.service", "lxc:101", "container", "", "", "101", "lxc", "/lxc/101" },
	{ "/lxc.payload/web", "lxc:web", "container", "", "", "web", "lxc", NULL },
	{ "/lxc.payload.web/system.slice/ssh.service", "lxc:web", "container", "", "", "web", "lxc",
	  "/lxc.payload.web" },
	{ "/lxc.payload.web/docker/" ID, "docker:5d41402abc4b", "container", "", "", ID, "docker", NULL },
	/* nspawn, and a virtual machine */
	{ "/machine.slice/machine-deb.scope/payload/init.scope", "nspawn:deb", "container", "", "", "deb", "nspawn",
	  "/machine.slice/machine-deb.scope" },
	{ "/machine.slice/systemd-nspawn@deb.service/payload", "nspawn:deb", "container", "", "", "deb", "nspawn",
	  "/machine.slice/systemd-nspawn@deb.service" },
	{ "/machine.slice/machine-qemu\\\\x2d1\\\\x2dvm.scope", "qemu:1\\\\x2dvm", "container", "", "", "1\\\\x2dvm",
	  "qemu", NULL },
	/* others */
	{ "/ecs/task/" ID, "container:5d41402abc4b", "container", "", "", ID, "container", NULL },
	{ "/batch/job 7/step", "/batch/job 7/step", "path", "", "", "", "", NULL },
	{ "//a//b/", "//a//b/", "path", "", "", "", "", NULL },
	{ "/.service/.scope", "/.service/.scope", "path", "", "", "", "", NULL },
	/* nobody may call himself what is said of many */
	{ "other", "/other", "path", "", "", "", "", "other" },
	{ "unknown", "/unknown", "path", "", "", "", "", "unknown" },
	{ "/docker-" ID ".scopes", "/docker-" ID ".scopes", "path", "", "", "", "", NULL },
};

static void paths(void **state)
{
	struct vml_cgroup c;

	(void)state;
	for (size_t i = 0; i < VML_ARRAY_SIZE(each); i++) {
		vml_cgroup_parse(each[i].path, &c);
		assert_string_equal(c.name, each[i].name);
		assert_string_equal(c.kind, each[i].kind);
		assert_string_equal(c.unit, each[i].unit);
		assert_string_equal(c.pod_uid, each[i].pod_uid);
		assert_string_equal(c.container_id, each[i].container_id);
		assert_string_equal(c.runtime, each[i].runtime);
		assert_string_equal(c.path, each[i].stands ? each[i].stands : each[i].path);
	}
}

/* What is too long is cut between characters, and what was different still is. */
static void too_long(void **state)
{
	struct vml_cgroup a, b;
	char path[4096], other[4096], *at;

	(void)state;
	memset(path, 'x', sizeof(path));
	path[0] = '/';
	path[sizeof(path) - 1] = '\0';
	memcpy(other, path, sizeof(path));
	other[4000] = 'y';
	vml_cgroup_parse(path, &a);
	vml_cgroup_parse(other, &b);
	assert_int_equal(strlen(a.name), VML_CGROUP_TEXT - 1);
	assert_string_not_equal(a.name, b.name);
	assert_memory_equal(a.name, path, VML_CGROUP_TEXT - 1 - 17);
	assert_int_equal(a.name[VML_CGROUP_TEXT - 1 - 17], '~');

	for (at = path + 2; at + 2 < path + sizeof(path); at += 2)
		memcpy(at, "\303\274", 2); /* u with two dots */
	path[1] = 'x';
	vml_cgroup_parse(path, &a);
	assert_int_equal(strlen(a.name), VML_CGROUP_TEXT - 1);
	path[1] = '\303'; /* now the characters begin at odd places */
	memmove(path + 1, path + 2, sizeof(path) - 2);
	vml_cgroup_parse(path, &a);
	at = strchr(a.name, '~');
	assert_non_null(at);
	assert_int_equal((unsigned char)at[-2], 0303);
	assert_int_equal((unsigned char)at[-1], 0274);
}

/* The '/' before a path without one has no room of its own. */
static void too_long_with_the_slash(void **state)
{
	char path[VML_CGROUP_TEXT], name[VML_CGROUP_TEXT];
	struct vml_cgroup c;

	(void)state;
	memset(path, 'x', sizeof(path));
	memcpy(path, "...", 3);
	memcpy(path + VML_CGROUP_TEXT - 3, "\303\274", 3);
	vml_cgroup_parse(path, &c);
	snprintf(name, sizeof(name), "/%.*s", VML_CGROUP_TEXT - 3, path);
	assert_string_equal(c.name, name);
	assert_string_equal(c.path, path);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(paths),
		cmocka_unit_test(too_long),
		cmocka_unit_test(too_long_with_the_slash),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
