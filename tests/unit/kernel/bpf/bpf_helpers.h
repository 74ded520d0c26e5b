/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef VMALOCK_UNIT_BPF_HELPERS_H
#define VMALOCK_UNIT_BPF_HELPERS_H
/*
 * libbpf's header of this name, for user space: a clock and a current task that the
 * test sets, and maps that are lists.  Entries that are deleted stay readable, as
 * they do for a program that found them before.  For one .c file: it holds the state.
 */
#include <stdlib.h>
#include <string.h>

#define SEC(name)
#define __uint(name, val) int(*name)[val]
#define __type(name, val) typeof(val) *name
#define __ksym
#define __weak __attribute__((weak))
#define __hidden __attribute__((visibility("hidden")))
#define __noinline __attribute__((noinline))
#undef __always_inline
#define __always_inline inline __attribute__((always_inline))

#define FAKE_ENTRIES 4096

struct fake_entry {
	const void *map;
	void *key, *value; /* key NULL: deleted */
};

static struct {
	__u64 now;
	struct task_struct *current;
	struct fake_entry entry[FAKE_ENTRIES];
	size_t entries;
	const void *full; /* a map that takes nothing more */
	bool in_fault_handler;
	long stack; /* what bpf_get_stackid() returns */
	void (*locked)(void); /* called when a spin lock is taken: what another CPU did just before */
	__u32 spinning;
} fake;

static inline __u64 bpf_ktime_get_ns(void)
{
	return fake.now;
}

static inline struct task_struct *bpf_get_current_task_btf(void)
{
	return fake.current;
}

static inline long bpf_task_pt_regs(struct task_struct *task)
{
	return (long)&task->regs;
}

static inline __u32 bpf_get_smp_processor_id(void)
{
	return 0;
}

static inline long bpf_get_stackid(void *ctx, void *map, __u64 flags)
{
	(void)ctx, (void)map, (void)flags;
	return fake.stack;
}

static inline long bpf_get_stack(void *ctx, void *buf, __u32 size, __u64 flags)
{
	(void)ctx, (void)buf, (void)size, (void)flags;
	return -1;
}

static inline void bpf_spin_lock(struct bpf_spin_lock *lock)
{
	void (*locked)(void) = fake.locked;

	(void)lock;
	fake.locked = NULL;
	if (locked)
		locked();
	if (fake.spinning++)
		abort();
}

static inline void bpf_spin_unlock(struct bpf_spin_lock *lock)
{
	(void)lock;
	if (--fake.spinning)
		abort();
}

static inline struct fake_entry *fake_find(const void *map, const void *key, size_t size)
{
	for (size_t i = 0; i < fake.entries; i++)
		if (fake.entry[i].map == map && fake.entry[i].key && !memcmp(fake.entry[i].key, key, size))
			return &fake.entry[i];
	return NULL;
}

static inline struct fake_entry *fake_add(const void *map, const void *key, size_t size, size_t value)
{
	struct fake_entry *e;

	if (map == fake.full)
		return NULL;
	if (fake.entries == FAKE_ENTRIES)
		abort();
	e = &fake.entry[fake.entries++];
	e->map = map;
	e->key = calloc(1, size);
	e->value = calloc(1, value);
	memcpy(e->key, key, size);
	return e;
}

static inline void *fake_lookup(const void *map, bool array, const void *key, size_t size, size_t value)
{
	struct fake_entry *e = fake_find(map, key, size);

	if (!e && array)
		e = fake_add(map, key, size, value);
	return e ? e->value : NULL;
}

static inline long fake_update(const void *map, const void *key, size_t size, const void *from, size_t value,
			       __u64 flags)
{
	struct fake_entry *e = fake_find(map, key, size);

	if (e && flags == BPF_NOEXIST)
		return -1;
	if (!e)
		e = fake_add(map, key, size, value);
	if (!e)
		return -1;
	memcpy(e->value, from, value);
	return 0;
}

static inline long fake_delete(const void *map, const void *key, size_t size)
{
	struct fake_entry *e = fake_find(map, key, size);

	if (!e)
		return -1;
	free(e->key);
	e->key = NULL;
	return 0;
}

/* Forgets everything: a test begins. */
static inline void fake_reset(void)
{
	for (size_t i = 0; i < fake.entries; i++) {
		free(fake.entry[i].key);
		free(fake.entry[i].value);
	}
	memset(&fake, 0, sizeof(fake));
}

#define bpf_task_storage_get(map, task, init, flags) ((task)->storage)
#define FAKE_IS_ARRAY(map) (sizeof(*(map)->type) / sizeof(int) == BPF_MAP_TYPE_PERCPU_ARRAY)
#define bpf_map_lookup_elem(map, k) \
	fake_lookup((map), FAKE_IS_ARRAY(map), (k), sizeof(*(map)->key), sizeof(*(map)->value))
#define bpf_map_update_elem(map, k, v, flags) \
	fake_update((map), (k), sizeof(*(map)->key), (v), sizeof(*(map)->value), (flags))
#define bpf_map_delete_elem(map, k) fake_delete((map), (k), sizeof(*(map)->key))

#endif
