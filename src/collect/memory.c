// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * A budget for the maps.  Some take their memory when they are made.  In the others rows
 * come and go, and take of what is left as they need it: the programs add up what the
 * rows of all maps take, and make none beyond the limit.
 *
 * Rows that nothing happens in make room before that, the least blocked time first.  They
 * are in all totals already; when something happens in one again it begins anew.
 */
#include <errno.h>
#include <linux/bpf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "collect.h"
#include "vmalock.skel.h"
#include "vmalock/base.h"

#define BUCKET_BYTES 16 /* of a hash map; there are as many as entries, as a power of two */
#define ROWS_BYTES_MIN (1 << 20)

/* An eighth of what rows of areas and blockers may fill is made free when no more than these parts of it are. */
#define LITTLE 4
#define VERY_LITTLE 8
/* By removing rows that did not change for so many passes. */
#define IDLE_PASSES 60
#define IDLE_PASSES_VERY_LITTLE 5

/* ---- the budget */

static bool grows(const struct bpf_map *map)
{
	return bpf_map__type(map) == BPF_MAP_TYPE_HASH && bpf_map__map_flags(map) & BPF_F_NO_PREALLOC;
}

static uint64_t row_bytes(const struct bpf_map *map)
{
	return VML_ROW_BYTES(bpf_map__key_size(map) + bpf_map__value_size(map));
}

static uint64_t bucket_bytes(uint64_t entries)
{
	uint64_t n = 1;

	while (n < entries)
		n *= 2;
	return n * BUCKET_BYTES;
}

static uint64_t fixed_bytes(const struct bpf_map *map)
{
	uint64_t n = bpf_map__max_entries(map);
	int cpus = libbpf_num_possible_cpus();

	switch (bpf_map__type(map)) {
	case BPF_MAP_TYPE_TASK_STORAGE:
		return 0; /* with each thread; src/collect/fill.c shows it */
	case BPF_MAP_TYPE_RINGBUF:
		return n;
	case BPF_MAP_TYPE_LRU_HASH:
	case BPF_MAP_TYPE_STACK_TRACE:
		return n * (bpf_map__key_size(map) + bpf_map__value_size(map) + VML_ROW_OVERHEAD) + bucket_bytes(n);
	case BPF_MAP_TYPE_PERCPU_ARRAY:
		return n * bpf_map__value_size(map) * (cpus > 0 ? (uint64_t)cpus : 1);
	default:
		return n * bpf_map__value_size(map);
	}
}

/*
 * Most rows that @map can have when it has all it may have of @room: no more than processes where
 * it is one each.  No more than that: each pass looks into every bucket, also those of no row.
 */
static uint32_t entries_in(const struct vmalock_bpf *skel, const struct bpf_map *map, uint64_t room)
{
	bool of_processes = map == skel->maps.processes || map == skel->maps.times || map == skel->maps.ledgers;
	uint64_t n = of_processes ? room / row_bytes(skel->maps.processes) : VML_ROWS_OTHERS(room) / row_bytes(map);

	return n < bpf_map__max_entries(map) ? (uint32_t)n : bpf_map__max_entries(map);
}

int memory_limit(struct vmalock_bpf *skel, uint64_t bytes, char error[VML_ERROR_MAX])
{
	uint64_t fixed = 0, room;
	struct bpf_map *map;
	int err = 0;

	bpf_object__for_each_map(map, skel->obj) {
		if (bpf_map__autocreate(map) && !grows(map))
			fixed += fixed_bytes(map);
	}
	room = bytes > fixed ? bytes - fixed : 0;
	bpf_object__for_each_map(map, skel->obj) {
		if (bpf_map__autocreate(map) && grows(map))
			fixed += bucket_bytes(entries_in(skel, map, room));
	}
	if (bytes < fixed + ROWS_BYTES_MIN) {
		snprintf(error, VML_ERROR_MAX, "--memory: the maps need %llu M at least",
			 (unsigned long long)((fixed + ROWS_BYTES_MIN) >> 20) + 1);
		return -E2BIG;
	}
	bpf_object__for_each_map(map, skel->obj) {
		if (!err && bpf_map__autocreate(map) && grows(map))
			err = bpf_map__set_max_entries(map, entries_in(skel, map, room));
	}
	skel->rodata->rows_limit = bytes - fixed;
	return err;
}

/* ---- rows */

int row_put(struct vmalock_bpf *skel, const struct bpf_map *map, const void *key, const void *value)
{
	int err = bpf_map_update_elem(bpf_map__fd(map), key, value, BPF_NOEXIST);

	if (!err)
		__atomic_fetch_add(&skel->bss->rows_bytes, row_bytes(map), __ATOMIC_RELAXED);
	return err;
}

bool row_remove(struct vmalock_bpf *skel, const struct bpf_map *map, const void *key)
{
	int err = bpf_map_delete_elem(bpf_map__fd(map), key);

	if (!err)
		__atomic_fetch_sub(&skel->bss->rows_bytes, row_bytes(map), __ATOMIC_RELAXED);
	return !err || err == -ENOENT;
}

/* ---- making room */

struct candidates {
	struct tables *t;
	uint32_t idle; /* passes */
	struct item **item;
	size_t n;
};

/*
 * Not changed for so long; nor will what a thread that sleeps has not yet added to it make
 * a new row, which would count that again.
 */
static void add_idle(struct item *e, void *arg)
{
	struct candidates *c = arg;
	bool pending = c->t->pass - e->pending_in <= 1 && (e->pending.faults_user || e->pending.faults_kernel);
	bool untracked = !e->id.pid && !e->id.start_ns;

	if (c->t->pass - e->changed > c->idle && !pending && !untracked)
		c->item[c->n++] = e;
}

/* What others waited for a blocker, and what was waited in an area. */
static uint64_t blocked_ns(const struct item *e)
{
	return e->base[BASE_BLAMED] + e->base[BASE_SUM_NS + VML_MMAP_READ_WAIT] +
	       e->base[BASE_SUM_NS + VML_VMA_WRITE_WAIT];
}

static int compare_blocked(const void *a, const void *b)
{
	uint64_t x = blocked_ns(*(struct item *const *)a), y = blocked_ns(*(struct item *const *)b);

	return (x > y) - (x < y);
}

int memory_make_room(struct tables *t, const struct vmalock_bpf *skel)
{
	uint64_t limit = VML_ROWS_OTHERS(skel->rodata->rows_limit),
		 used = __atomic_load_n(&skel->bss->rows_bytes, __ATOMIC_RELAXED);
	uint64_t free_bytes = limit > used ? limit - used : 0, wanted = limit / 8, made = 0;
	struct candidates c = { .t = t, .idle = IDLE_PASSES };

	if (free_bytes > limit / LITTLE)
		return 0;
	if (free_bytes <= limit / VERY_LITTLE)
		c.idle = IDLE_PASSES_VERY_LITTLE;
	c.item = calloc(t->vmas.index.n + t->blockers.index.n + 1, sizeof(struct item *));
	if (!c.item)
		return -ENOMEM;
	table_walk(&t->vmas, add_idle, &c);
	table_walk(&t->blockers, add_idle, &c);
	if (c.n)
		qsort(c.item, c.n, sizeof(struct item *), compare_blocked);
	for (size_t i = 0; i < c.n && made < wanted; i++) {
		c.item[i]->evict = true;
		made += row_bytes(c.item[i]->table == &t->vmas ? skel->maps.vmas : skel->maps.blockers);
	}
	free(c.item);
	return 0;
}
