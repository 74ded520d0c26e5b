// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Items by identity: maps are read in no order, and a walk down the tree of a table,
 * for each row, was a quarter of a pass.  Open addressing, never more than half full.
 * Identities are numbers of the kernel: nobody chooses them to make this slow.
 */
#include <errno.h>
#include <stdlib.h>

#include "table.h"

#define FIRST_ROOM 64 /* a power of two, as all that follow */

static uint64_t mix(uint64_t hash, uint64_t x)
{
	hash = (hash ^ x) * 0x9e3779b97f4a7c15ULL;
	return hash ^ hash >> 32;
}

static uint32_t hash_of(const struct vml_id *id)
{
	uint64_t hash = mix(id->start_ns, (uint64_t)id->pid << 32 | id->exec);

	hash = mix(hash, id->tid_start_ns);
	hash = mix(hash, (uint64_t)id->tid << 32 | id->doing);
	hash = mix(hash, id->anchor);
	hash = mix(hash, (uint64_t)id->target.pid << 32 | id->target.exec);
	return (uint32_t)mix(hash, id->target.start_ns + id->write);
}

struct item *index_find(const struct index *x, const struct vml_id *id)
{
	uint32_t hash = hash_of(id);
	size_t i;

	if (!x->room)
		return NULL;
	for (i = hash & (x->room - 1); x->slot[i].item; i = (i + 1) & (x->room - 1))
		if (x->slot[i].hash == hash && !vml_id_compare(&x->slot[i].item->id, id))
			return x->slot[i].item;
	return NULL;
}

static void put(struct index *x, struct item *e)
{
	size_t i = e->hash & (x->room - 1);

	while (x->slot[i].item)
		i = (i + 1) & (x->room - 1);
	x->slot[i] = (struct slot){ e, e->hash };
}

static int make_room(struct index *x, size_t room)
{
	struct index more = { .slot = calloc(room, sizeof(*more.slot)), .room = room };

	if (!more.slot)
		return -ENOMEM;
	for (size_t i = 0; i < x->room; i++)
		if (x->slot[i].item)
			put(&more, x->slot[i].item);
	free(x->slot);
	x->slot = more.slot;
	x->room = room;
	return 0;
}

int index_add(struct index *x, struct item *e)
{
	if (x->n >= x->room / 2 && make_room(x, x->room ? 2 * x->room : FIRST_ROOM))
		return -ENOMEM;
	e->hash = hash_of(&e->id);
	put(x, e);
	x->n++;
	return 0;
}

void index_remove(struct index *x, const struct item *e)
{
	size_t mask = x->room - 1, hole = e->hash & mask, i;

	while (x->slot[hole].item != e)
		hole = (hole + 1) & mask;
	/* who was pushed on from the hole, or from before it, moves into it */
	for (i = (hole + 1) & mask; x->slot[i].item; i = (i + 1) & mask) {
		if (((i - x->slot[i].hash) & mask) < ((i - hole) & mask))
			continue;
		x->slot[hole] = x->slot[i];
		hole = i;
	}
	x->slot[hole] = (struct slot){};
	x->n--;
	if (x->room > FIRST_ROOM && x->n < x->room / 16)
		make_room(x, x->room / 4); /* without memory it stays as it is */
}

void index_free(struct index *x)
{
	free(x->slot);
	*x = (struct index){ 0 };
}
