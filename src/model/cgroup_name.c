/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include <ctype.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "vmalock/base.h"
#include "vmalock/cgroup.h"

/* What stands between before and after. */
enum what {
	HEX, /* at least 12 hex digits */
	ID, /* 64 of them */
	NAME, /* anything */
};

/* One component of a path that is a container. */
struct rule {
	const char *parent; /* the component before; NULL: any */
	const char *before, *after;
	enum what what;
	const char *runtime;
};

/* The first that fits.  Slices ending in ":cri-containerd:ID" count as three components. */
static const struct rule rules[] = {
	{ NULL, "cri-containerd-", ".scope", HEX, "containerd" },
	{ "cri-containerd", "", "", HEX, "containerd" },
	{ NULL, "crio-conmon-", ".scope", HEX, "crio" },
	{ NULL, "crio-conmon-", "", HEX, "crio" },
	{ NULL, "crio-", ".scope", HEX, "crio" },
	{ NULL, "crio-", "", HEX, "crio" },
	{ NULL, "docker-", ".scope", HEX, "docker" },
	{ "docker", "", "", ID, "docker" },
	{ NULL, "libpod-conmon-", ".scope", HEX, "podman" },
	{ NULL, "libpod-conmon-", "", HEX, "podman" },
	{ NULL, "libpod-", ".scope", HEX, "podman" },
	{ NULL, "libpod-", "", HEX, "podman" },
	{ NULL, "nerdctl-", ".scope", HEX, "nerdctl" },
	{ NULL, "lxc.payload.", "", NAME, "lxc" },
	{ NULL, "lxc.monitor.", "", NAME, "lxc" },
	{ "lxc.payload", "", "", NAME, "lxc" },
	{ "lxc.monitor", "", "", NAME, "lxc" },
	{ "lxc", "", "", NAME, "lxc" },
	/* libvirt; its dash comes escaped, and the backslash twice once it is clean */
	{ NULL, "machine-qemu\\\\x2d", ".scope", NAME, "qemu" },
	{ NULL, "machine-qemu\\x2d", ".scope", NAME, "qemu" },
	{ NULL, "machine-", ".scope", NAME, "nspawn" },
	{ NULL, "systemd-nspawn@", ".service", NAME, "nspawn" },
	{ NULL, "", "", ID, "cri" }, /* in a pod; elsewhere "container" */
};

static const struct {
	const char *suffix, *kind;
} units[] = {
	{ ".service", "service" }, { ".scope", "scope" }, { ".slice", "slice" }, { ".socket", "unit" },
	{ ".mount", "unit" },	   { ".swap", "unit" },	  { ".device", "unit" },
};

/* A part of a path; not ended by NUL. */
struct part {
	const char *text;
	size_t len;
};

static bool is(const struct part *p, const char *text)
{
	return p->len == strlen(text) && !memcmp(p->text, text, p->len);
}

static bool begins(const struct part *p, const char *text)
{
	return p->len > strlen(text) && !memcmp(p->text, text, strlen(text));
}

static bool ends(const struct part *p, const char *text)
{
	size_t n = strlen(text);

	return p->len > n && !memcmp(p->text + p->len - n, text, n);
}

static bool all_hex(const struct part *p)
{
	for (size_t i = 0; i < p->len; i++)
		if (!isxdigit((unsigned char)p->text[i]))
			return false;
	return true;
}

static bool rule_fits(const struct rule *r, const struct part *parent, const struct part *p, struct part *ret_id)
{
	size_t before = strlen(r->before), after = strlen(r->after);

	if (r->parent && !is(parent, r->parent))
		return false;
	if ((before && !begins(p, r->before)) || (after && !ends(p, r->after)) || p->len <= before + after)
		return false;
	*ret_id = (struct part){ p->text + before, p->len - before - after };
	switch (r->what) {
	case HEX:
		return ret_id->len >= 12 && all_hex(ret_id);
	case ID:
		return ret_id->len == 64 && all_hex(ret_id);
	default:
		return true;
	}
}

static const struct rule *find_rule(const struct part *parent, const struct part *p, struct part *ret_id)
{
	for (size_t i = 0; i < VML_ARRAY_SIZE(rules); i++)
		if (rule_fits(&rules[i], parent, p, ret_id))
			return &rules[i];
	return NULL;
}

/* ---- texts */

static void copy(char dst[VML_CGROUP_TEXT], const struct part *p)
{
	size_t keep = VML_CGROUP_TEXT - 1 - 17;

	if (p->len < VML_CGROUP_TEXT) {
		memcpy(dst, p->text, p->len);
		dst[p->len] = '\0';
		return;
	}
	keep = vml_text_cut(p->text, keep);
	memcpy(dst, p->text, keep);
	snprintf(dst + keep, VML_CGROUP_TEXT - keep, "~%016llx",
		 (unsigned long long)vml_hash(VML_HASH_NOTHING, p->text, p->len));
}

/* The uid of a pod in "pod<uid>" or "kubepods-burstable-pod<uid>.slice". */
static bool pod_of(const struct part *p, char uid[40])
{
	struct part rest = *p;
	char text[40];

	if (ends(&rest, ".slice")) {
		rest.len -= strlen(".slice");
		if (!begins(&rest, "kubepods"))
			return false;
		while (rest.len > 4 && memcmp(rest.text, "-pod", 4) != 0) {
			rest.text++;
			rest.len--;
		}
		if (rest.len <= 4)
			return false;
		rest.text++;
		rest.len--;
	}
	if (!begins(&rest, "pod"))
		return false;
	rest.text += 3;
	rest.len -= 3;
	if (rest.len != 36 && rest.len != 32)
		return false;
	for (size_t i = 0; i < rest.len; i++) {
		char c = rest.text[i] == '_' ? '-' : rest.text[i];

		if (!isxdigit((unsigned char)c) && c != '-')
			return false;
		text[i] = c;
	}
	memcpy(uid, text, rest.len); /* nothing before all of it is one */
	uid[rest.len] = '\0';
	return true;
}

/* "user-1000.slice", and nothing deeper */
static bool is_user(const struct part *p)
{
	struct part rest = *p;

	if (!begins(&rest, "user-") || !ends(&rest, ".slice"))
		return false;
	rest.text += strlen("user-");
	rest.len -= strlen("user-.slice");
	for (size_t i = 0; i < rest.len; i++)
		if (!isdigit((unsigned char)rest.text[i]))
			return false;
	return rest.len;
}

static const char *unit_kind(const struct part *p)
{
	for (size_t i = 0; i < VML_ARRAY_SIZE(units); i++)
		if (ends(p, units[i].suffix))
			return units[i].kind;
	return NULL;
}

/* ---- the path */

/* What was found on the way down; len: of the path with it. */
struct found {
	const struct rule *container;
	struct part id;
	size_t container_len;
	size_t pod_len;
	struct part user;
	size_t user_len;
	struct part unit;
	const char *unit_kind;
	size_t unit_len;
};

static void look(struct found *f, struct vml_cgroup *ret, const struct part *parent, const struct part *p, size_t len)
{
	struct part id;
	const struct rule *r = find_rule(parent, p, &id);

	if (pod_of(p, ret->pod_uid)) {
		f->pod_len = len;
		f->container = NULL; /* of a node that is a container itself */
	}
	if (r) {
		f->container = r;
		f->id = id;
		f->container_len = len;
	}
	if (is_user(p)) {
		f->user = *p;
		f->user_len = len;
	}
	/* slices lead to the unit; what a service makes below itself is part of it */
	if (unit_kind(p) && (!f->unit_kind || !strcmp(f->unit_kind, "slice"))) {
		f->unit = *p;
		f->unit_kind = unit_kind(p);
		f->unit_len = len;
	}
}

static void take_container(struct vml_cgroup *ret, const struct found *f)
{
	bool plain = !f->container->parent && !*f->container->before;
	int digits = f->container->what == NAME ? VML_CGROUP_TEXT : 12;
	char text[32 + VML_CGROUP_TEXT];

	ret->kind = "container";
	ret->runtime = plain && !*ret->pod_uid ? "container" : f->container->runtime;
	copy(ret->container_id, &f->id);
	snprintf(text, sizeof(text), "%s:%.*s", ret->runtime, digits, ret->container_id);
	copy(ret->name, &(struct part){ text, strlen(text) });
}

/* Where the component that begins at @at ends. */
static const char *end_of(const char *at)
{
	const char *end = strchrnul(at, '/'), *slice = strstr(at, ".slice:");

	if (slice && slice < end)
		return slice + strlen(".slice");
	/* after such a slice; other names may have ':' in them */
	if (!strncmp(at, "cri-containerd:", strlen("cri-containerd:")))
		return at + strlen("cri-containerd");
	return end;
}

static size_t decide(struct vml_cgroup *ret, const struct found *f, size_t all)
{
	if (f->container) {
		take_container(ret, f);
		return f->container_len;
	}
	if (f->pod_len) {
		ret->kind = "pod";
		snprintf(ret->name, sizeof(ret->name), "pod:%s", ret->pod_uid);
		return f->pod_len;
	}
	if (f->user_len) {
		ret->kind = "user";
		copy(ret->unit, &f->user);
		copy(ret->name, &f->user);
		return f->user_len;
	}
	if (f->unit_kind) {
		ret->kind = f->unit_kind;
		copy(ret->unit, &f->unit);
		copy(ret->name, &f->unit);
		return f->unit_len;
	}
	return all;
}

void vml_cgroup_parse(const char *path, struct vml_cgroup *ret)
{
	struct part parent = { "", 0 }, p, whole = { path, strlen(path) };
	const char *at = path, *end;
	struct found f = { 0 };

	*ret = (struct vml_cgroup){ .name = "unknown", .kind = "unknown", .runtime = "" };
	if (!*path)
		return;
	for (; *at; at = *end ? end + 1 : end) {
		end = end_of(at);
		p = (struct part){ at, (size_t)(end - at) };
		if (!p.len)
			continue;
		look(&f, ret, &parent, &p, (size_t)(end - path));
		parent = p;
	}
	ret->kind = parent.len ? "path" : "root";
	whole.len = decide(ret, &f, whole.len);
	copy(ret->path, &whole);
	if (f.container || f.pod_len || f.user_len || f.unit_kind)
		return;
	copy(ret->name, &whole);
	if (*path != '/') /* "other" and "unknown" are not for everybody */
		vml_text_printf(ret->name, sizeof(ret->name), "/%s", ret->path);
}
