/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include <errno.h>
#include <search.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "model.h"
#include "vmalock/base.h"

/* ---- names and their placeholders */

enum word { WORD_COMM, WORD_CGROUP, WORD_FILE, WORD_FUNCTION, WORD_HOST, WORD_BOOT, NWORDS };

static const char *const prefix[NWORDS] = { "comm", "cgroup", "file", "function", "host", "boot" };

struct named {
	const char *name;
	char placeholder[24];
};

struct vml_redaction {
	struct vml_arena *arena;
	void *root[NWORDS];
	unsigned int n[NWORDS];
};

static void in_arena(void *item)
{
	(void)item;
}

struct vml_redaction *vml_redaction_new(void)
{
	struct vml_redaction *r = calloc(1, sizeof(*r));

	if (!r)
		return NULL;
	r->arena = vml_arena_new();
	if (r->arena)
		return r;
	free(r);
	return NULL;
}

void vml_redaction_free(struct vml_redaction *r)
{
	int i;

	if (!r)
		return;
	for (i = 0; i < NWORDS; i++)
		tdestroy(r->root[i], in_arena);
	vml_arena_free(r->arena);
	free(r);
}

static int compare(const void *a, const void *b)
{
	return strcmp(((const struct named *)a)->name, ((const struct named *)b)->name);
}

static const char *placeholder(struct vml_redaction *r, enum word w, const char *name)
{
	const struct named key = { .name = name };
	struct named *const *found = tfind(&key, &r->root[w], compare), *e;

	if (found)
		return (*found)->placeholder;
	e = vml_arena_alloc(r->arena, sizeof(*e));
	if (!e)
		return NULL;
	e->name = vml_arena_strdup(r->arena, name);
	snprintf(e->placeholder, sizeof(e->placeholder), "%s-%u", prefix[w], ++r->n[w]);
	return e->name && tsearch(e, &r->root[w], compare) ? e->placeholder : NULL;
}

const char *vml_redact_file(struct vml_redaction *r, const char *path)
{
	return placeholder(r, WORD_FILE, path);
}

/* Name by name: what is below what can still be told. */
static char *redact_path(struct vml_redaction *r, struct vml_arena *a, const char *path)
{
	size_t len = 0, size = 2 + strlen(path) * sizeof(((struct named *)0)->placeholder);
	char *ret = vml_arena_alloc(a, size), *copy = vml_arena_strdup(a, path), *at, *name;

	if (!ret || !copy)
		return NULL;
	for (name = strtok_r(copy, "/", &at); name; name = strtok_r(NULL, "/", &at)) {
		const char *p = placeholder(r, WORD_CGROUP, name);

		if (!p)
			return NULL;
		len += (size_t)snprintf(ret + len, size - len, "/%s", p);
	}
	if (!len)
		strcpy(ret, "/");
	return ret;
}

const char *vml_redact_cgroup(struct vml_redaction *r, const char *path)
{
	return redact_path(r, r->arena, path);
}

bool vml_is_redacted(const struct vml_snapshot *s)
{
	const char *boot = s->host.boot_id;
	size_t n = strlen(prefix[WORD_BOOT]), digits;

	if (strncmp(boot, prefix[WORD_BOOT], n) != 0 || boot[n] != '-')
		return false;
	/* that of a kernel is a UUID */
	digits = strspn(boot + n + 1, "0123456789");
	return digits && !boot[n + 1 + digits];
}

/* ---- a delta; each of these: -ENOMEM */

/* Placeholders are copied: deltas outlive a redaction. */
static int replace(struct vml_redaction *r, struct vml_arena *a, enum word w, const char **text)
{
	const char *p;

	if (!*text || !**text)
		return 0;
	p = placeholder(r, w, *text);
	*text = p ? vml_arena_strdup(a, p) : NULL;
	if (*text)
		return 0;
	*text = "";
	return -ENOMEM;
}

static int replace_path(struct vml_redaction *r, struct vml_arena *a, const char **text)
{
	if (!*text || !**text)
		return 0;
	*text = redact_path(r, a, *text);
	if (*text)
		return 0;
	*text = "";
	return -ENOMEM;
}

/* "(untracked)", "(rest)": nobody's name. */
static int replace_comm(struct vml_redaction *r, struct vml_arena *a, uint32_t pid, const char **comm)
{
	return pid ? replace(r, a, WORD_COMM, comm) : 0;
}

static int redact_row(struct vml_redaction *r, struct vml_arena *a, enum vml_scope scope, struct vml_row *row)
{
	int err = replace_comm(r, a, row->id.pid, &row->comm);

	if (!err)
		err = replace_path(r, a, &row->cgroup);
	if (!err && scope == VML_VMA && !strcmp(row->area.kind, "file"))
		err = replace(r, a, WORD_FILE, &row->area.name);
	if (err || scope != VML_BLOCKER)
		return err;
	err = replace_comm(r, a, row->id.target.pid, &row->target);
	if (!err)
		err = replace_path(r, a, &row->target_cgroup);
	return err ? err : replace_path(r, a, &row->victim_cgroup);
}

/* "[vdso]" and "[anon]" are names of the kernel's, or ours; "[anon:NAME]" is one of the program's. */
static bool is_name(const char *file)
{
	return *file && (*file != '[' || strchr(file, ':'));
}

static int redact_frames(struct vml_redaction *r, struct vml_arena *a, struct vml_stack *s)
{
	struct vml_frame *frame;
	uint32_t i;
	int err = 0;

	if (!s->nframes)
		return 0;
	frame = vml_arena_copy(a, s->frame, s->nframes * sizeof(*frame));
	if (!frame)
		return -ENOMEM;
	for (i = 0; i < s->nframes && !err; i++) {
		if (frame[i].kernel)
			continue;
		frame[i].build_id = "";
		err = replace(r, a, WORD_FUNCTION, &frame[i].function);
		if (!err && is_name(frame[i].file))
			err = replace(r, a, WORD_FILE, &frame[i].file);
	}
	s->frame = frame;
	return err;
}

static int redact_details(struct vml_redaction *r, struct vml_snapshot *d)
{
	size_t i;
	int err = 0;

	for (i = 0; i < d->nstall && !err; i++) {
		err = replace_comm(r, d->arena, d->stall[i].id.pid, &d->stall[i].comm);
		if (!err)
			err = replace_comm(r, d->arena, d->stall[i].holder.pid, &d->stall[i].holder_comm);
	}
	for (i = 0; i < d->nstack && !err; i++) {
		err = replace_comm(r, d->arena, d->stack[i].id.pid, &d->stack[i].comm);
		if (!err)
			err = redact_frames(r, d->arena, &d->stack[i]);
	}
	return err;
}

int vml_redact(struct vml_redaction *r, struct vml_snapshot *d)
{
	int scope, err = replace(r, d->arena, WORD_HOST, &d->host.name);
	size_t i;

	if (!err)
		err = replace(r, d->arena, WORD_BOOT, &d->host.boot_id);
	for (scope = 0; scope < VML_NSCOPES && !err; scope++)
		for (i = 0; i < d->rows[scope].n && !err; i++)
			err = redact_row(r, d->arena, scope, &d->rows[scope].row[i]);
	return err ? err : redact_details(r, d);
}
