/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include <stdlib.h>
#include <string.h>

#include "vmalock/base.h"

#ifndef __has_feature
#define __has_feature(x) 0
#endif

#if defined(__SANITIZE_ADDRESS__) || __has_feature(address_sanitizer)
/* a block for each allocation, so that the sanitizer sees where each ends */
#define FIRST_BLOCK 0
#else
#define FIRST_BLOCK (16 << 10)
#endif
#define LAST_BLOCK (1 << 20)
#define ALIGN _Alignof(max_align_t)

struct block {
	struct block *next;
	size_t used, size; /* of data */
	max_align_t data[];
};

struct vml_arena {
	struct block *head;
	size_t next_size;
	size_t bytes;
};

bool vml_arena_exhausted(size_t size);

/* Weak: tests/unit replaces it to make the n-th allocation fail. */
__attribute__((weak)) bool vml_arena_exhausted(size_t size)
{
	return size > PTRDIFF_MAX / 2;
}

struct vml_arena *vml_arena_new(void)
{
	struct vml_arena *a;

	if (vml_arena_exhausted(sizeof(*a)))
		return NULL;
	a = calloc(1, sizeof(*a));
	if (!a)
		return NULL;
	a->next_size = FIRST_BLOCK;
	a->bytes = sizeof(*a);
	return a;
}

void vml_arena_free(struct vml_arena *a)
{
	struct block *b, *next;

	if (!a)
		return;
	for (b = a->head; b; b = next) {
		next = b->next;
		free(b);
	}
	free(a);
}

static struct block *add_block(struct vml_arena *a, size_t size)
{
	bool own = size > a->next_size / 4;
	struct block *b;

	if (!own)
		size = a->next_size;
	b = calloc(1, sizeof(*b) + size);
	if (!b)
		return NULL;
	b->size = size;
	a->bytes += sizeof(*b) + size;
	if (own && a->head) {
		/* behind the head, whose rest stays in use */
		b->next = a->head->next;
		a->head->next = b;
		return b;
	}
	b->next = a->head;
	a->head = b;
	if (!own && a->next_size < LAST_BLOCK)
		a->next_size *= 2;
	return b;
}

void *vml_arena_alloc(struct vml_arena *a, size_t size)
{
	struct block *b = a->head;
	void *p;

	if (vml_arena_exhausted(size) || size > PTRDIFF_MAX / 2)
		return NULL;
	size = ((size ? size : 1) + ALIGN - 1) / ALIGN * ALIGN;
	if (!b || b->size - b->used < size) {
		b = add_block(a, size);
		if (!b)
			return NULL;
	}
	p = (char *)b->data + b->used;
	b->used += size;
	return p;
}

void *vml_arena_copy(struct vml_arena *a, const void *p, size_t len)
{
	void *copy = vml_arena_alloc(a, len);

	if (copy && len)
		memcpy(copy, p, len);
	return copy;
}

char *vml_arena_strdup(struct vml_arena *a, const char *s)
{
	return vml_arena_copy(a, s, strlen(s) + 1);
}

size_t vml_arena_bytes(const struct vml_arena *a)
{
	return a->bytes;
}
