// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * From what BPF saw to names.  The only place where text of other processes
 * enters the program: what leaves is clean (base.h).
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <bpf/bpf.h>

#include "collect.h"
#include "vmalock/base.h"

#define VM_READ 0x1
#define VM_WRITE 0x2
#define VM_EXEC 0x4
#define VM_MAYSHARE 0x80

/* A byte takes at most four characters when it is cleaned. */
#define CLEAN_ROOM(n) (4 * (n) + 1)

int identity_text(char **dst, const char *src, size_t len)
{
	char clean[CLEAN_ROOM(64)], *copy;

	vml_text_clean(clean, sizeof(clean), src, len);
	if (*dst && !strcmp(*dst, clean))
		return 0;
	copy = strdup(clean);
	if (!copy)
		return -ENOMEM;
	free(*dst);
	*dst = copy;
	return 0;
}

const char *identity_comm(struct vml_arena *a, const char comm[16])
{
	char clean[CLEAN_ROOM(16)];

	vml_text_clean(clean, sizeof(clean), comm, 16);
	return vml_arena_strdup(a, clean);
}

/* "x\0lib\0usr\0\0" to "/usr/lib/x". */
static void join(const struct vml_path *p, char *out, size_t room)
{
	const char *part[VML_PATH_DEPTH + 1];
	size_t n = 0, at = 0, len;
	const char *end = p->text + sizeof(p->text);
	int w;

	for (const char *s = p->text; s < end && *s && n < VML_ARRAY_SIZE(part); s += len + 1) {
		len = strnlen(s, end - s);
		part[n++] = s;
	}
	out[0] = '\0';
	if (p->truncated)
		at = snprintf(out, room, "...");
	if (!n && !p->truncated)
		snprintf(out, room, "/");
	while (n--) {
		w = snprintf(out + at, room - at, "/%.*s", (int)strnlen(part[n], end - part[n]), part[n]);
		if (w < 0 || (size_t)w >= room - at)
			return;
		at += w;
	}
}

char *identity_path(int fd, const void *key)
{
	char joined[sizeof(((struct vml_path *)0)->text) + 8], clean[CLEAN_ROOM(sizeof(joined))];
	struct vml_path p;

	if (bpf_map_lookup_elem(fd, key, &p))
		return strdup("");
	join(&p, joined, sizeof(joined));
	vml_text_clean(clean, sizeof(clean), joined, sizeof(joined));
	return strdup(clean);
}

int identity_cgroup(struct item *e, int cgroups_fd, uint64_t id)
{
	char *path;

	if (e->cgroup && *e->cgroup && e->cgroup_id == id)
		return 0;
	path = identity_path(cgroups_fd, &id);
	if (!path)
		return -ENOMEM;
	free(e->cgroup);
	e->cgroup = path;
	e->cgroup_id = id;
	return 0;
}

static const struct {
	const char *kind, *name;
} kinds[VML_NVMA_KINDS] = {
	[VML_VMA_ANON] = { "anon", "[anon]" },	     [VML_VMA_FILE] = { "file", "" },
	[VML_VMA_HEAP] = { "heap", "[heap]" },	     [VML_VMA_STACK] = { "stack", "[stack]" },
	[VML_VMA_VDSO] = { "vdso", "[vdso]" },	     [VML_VMA_SPECIAL] = { "special", "[special]" },
	[VML_VMA_NONE] = { "none", "[no mapping]" }, [VML_VMA_UNKNOWN] = { "unknown", "[unknown]" },
};

static void perms(char out[5], uint64_t flags)
{
	out[0] = flags & VM_READ ? 'r' : '-';
	out[1] = flags & VM_WRITE ? 'w' : '-';
	out[2] = flags & VM_EXEC ? 'x' : '-';
	out[3] = flags & VM_MAYSHARE ? 's' : 'p';
	out[4] = '\0';
}

/* A file's name is asked for until it is known, and when it is another file; others have that of their kind. */
static bool is_named(const struct item *e, const struct vml_vma_value *v, uint32_t kind)
{
	if (!e->name)
		return false;
	return kind == VML_VMA_FILE ? *e->name && e->name_cookie == v->file_cookie : !strcmp(e->name, kinds[kind].name);
}

int identity_area(struct item *e, int files_fd, const struct vml_vma_value *v)
{
	uint32_t kind = v->kind < VML_NVMA_KINDS ? v->kind : VML_VMA_UNKNOWN;
	struct vml_area *a = &e->area;
	bool known = v->start || v->end;
	char *name;

	a->start = v->start;
	a->end = v->end;
	a->offset = v->file.inode ? v->pgoff * sysconf(_SC_PAGESIZE) : 0;
	a->inode = v->file.inode;
	a->dev_major = v->file.dev >> 20;
	a->dev_minor = v->file.dev & 0xfffff;
	a->kind = kinds[kind].kind;
	if (known)
		perms(a->perms, v->flags);
	else
		memset(a->perms, 0, sizeof(a->perms));
	if (is_named(e, v, kind))
		return 0;
	name = kind == VML_VMA_FILE ? identity_path(files_fd, &v->file) : strdup(kinds[kind].name);
	if (!name)
		return -ENOMEM;
	free(e->name);
	e->name = name;
	e->name_cookie = v->file_cookie;
	a->name = name;
	return 0;
}
