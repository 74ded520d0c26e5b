// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "collect.h"
#include "vmalock/base.h"
#include "vmalock.skel.h"

#define BATCH 1024

struct batch {
	void *keys, *values;
	uint32_t room;
};

static int batch_alloc(struct batch *b, uint32_t room, size_t key_size, size_t value_size)
{
	free(b->keys);
	free(b->values);
	b->keys = malloc(room * key_size); /* not cleared: most of it is not used */
	b->values = malloc(room * value_size);
	b->room = room;
	return b->keys && b->values ? 0 : -ENOMEM;
}

static int read_all(int fd, size_t key_size, size_t value_size, uint64_t flags,
		    int (*each)(void *arg, const void *key, const void *value), void *arg)
{
	LIBBPF_OPTS(bpf_map_batch_opts, opts, .elem_flags = flags);
	struct batch b = {};
	uint32_t token, next, n;
	bool first = true;
	int err, got;

	err = batch_alloc(&b, BATCH, key_size, value_size);
	while (!err) {
		n = b.room;
		got = bpf_map_lookup_batch(fd, first ? NULL : &token, &next, b.keys, b.values, &n, &opts);
		if (got == -ENOSPC) { /* one hash bucket holds more than the room */
			err = batch_alloc(&b, b.room * 2, key_size, value_size);
			continue;
		}
		if (got && got != -ENOENT) {
			err = got;
			break;
		}
		for (uint32_t i = 0; i < n && !err; i++)
			err = each(arg, (char *)b.keys + i * key_size, (char *)b.values + i * value_size);
		if (got == -ENOENT)
			break;
		token = next;
		first = false;
	}
	free(b.keys);
	free(b.values);
	return err;
}

int map_each(int fd, size_t key_size, size_t value_size, int (*each)(void *arg, const void *key, const void *value),
	     void *arg)
{
	return read_all(fd, key_size, value_size, 0, each, arg);
}

int map_each_locked(int fd, size_t key_size, size_t value_size,
		    int (*each)(void *arg, const void *key, const void *value), void *arg)
{
	return read_all(fd, key_size, value_size, BPF_F_LOCK, each, arg);
}

/* ---- iterators */

/* The longest that @consume is to find whole at the beginning of what was read. */
#define STREAM_ROOM (256U << 10)

/*
 * All that the iterator says.  @consume takes what is whole from the beginning of it, and says how
 * much that was.  -EPROTO: something is left in the end, so both sides disagree on its size.
 */
static int read_stream(int iter_fd, int (*consume)(void *arg, const char *at, size_t have, size_t *ret_used), void *arg)
{
	char *buf = malloc(STREAM_ROOM);
	size_t have = 0, used;
	ssize_t got;
	int fd, err = 0;

	fd = bpf_iter_create(iter_fd);
	if (fd < 0 || !buf) {
		free(buf);
		if (fd >= 0)
			close(fd);
		return fd < 0 ? fd : -ENOMEM;
	}
	while (!err) {
		got = read(fd, buf + have, STREAM_ROOM - have);
		if (got < 0 && (errno == EINTR || errno == EAGAIN))
			continue;
		if (got <= 0) {
			err = got < 0 ? -errno : have ? -EPROTO : 0;
			break;
		}
		have += got;
		err = consume(arg, buf, have, &used);
		memmove(buf, buf + used, have - used);
		have -= used;
	}
	free(buf);
	close(fd);
	return err;
}

#define HIST_BYTES sizeof(__u32[VML_NLOCKSTATS][VML_HIST_BUCKETS])

struct tasks {
	int (*each)(void *arg, const struct vml_task_record *r, const __u32 (*hist)[VML_HIST_BUCKETS]);
	void *arg;
};

static int consume_tasks(void *arg, const char *at, size_t have, size_t *ret_used)
{
	const struct tasks *t = arg;
	struct vml_task_record r;
	size_t used = 0, need;
	bool brief;
	int err = 0;

	for (; !err && have - used >= VML_TASK_BRIEF; used += need) {
		memcpy(&r, at + used, VML_TASK_BRIEF);
		brief = r.same || r.folded;
		need = brief ? VML_TASK_BRIEF : sizeof(r) + (r.has_hist ? HIST_BYTES : 0);
		if (have - used < need)
			break;
		if (!brief)
			memcpy(&r, at + used, sizeof(r));
		err = t->each(t->arg, &r, r.has_hist ? (const void *)(at + used + sizeof(r)) : NULL);
	}
	*ret_used = used;
	return err;
}

int tasks_each(int iter_fd,
	       int (*each)(void *arg, const struct vml_task_record *r, const __u32 (*hist)[VML_HIST_BUCKETS]),
	       void *arg)
{
	struct tasks t = { each, arg };

	return read_stream(iter_fd, consume_tasks, &t);
}

struct vmas {
	int (*each)(void *arg, const struct vml_vma_key *key, const struct vml_vma_value *value);
	void *arg;
};

static int consume_vmas(void *arg, const char *at, size_t have, size_t *ret_used)
{
	const struct vmas *v = arg;
	struct {
		struct vml_vma_key key;
		struct vml_vma_value value;
	} x;
	size_t used = 0;
	int err = 0;

	for (; !err && have - used >= sizeof(x); used += sizeof(x)) {
		memcpy(&x, at + used, sizeof(x));
		err = v->each(v->arg, &x.key, &x.value);
	}
	*ret_used = used;
	return err;
}

int vmas_each(int iter_fd, int (*each)(void *arg, const struct vml_vma_key *key, const struct vml_vma_value *value),
	      void *arg)
{
	struct vmas v = { each, arg };

	return read_stream(iter_fd, consume_vmas, &v);
}

/* ---- sums over CPUs */

/* Of a per-CPU array: @n entries of @words counters each, every one summed over the CPUs. */
static int percpu_read(int fd, uint32_t n, size_t words, void *sum)
{
	int cpus = libbpf_num_possible_cpus(), err = 0;
	uint64_t *v, word;

	if (cpus < 0)
		return cpus;
	v = calloc(cpus, words * sizeof(*v));
	if (!v)
		return -ENOMEM;
	for (uint32_t i = 0; i < n && !err; i++) {
		err = bpf_map_lookup_elem(fd, &i, v);
		for (size_t w = 0; w < words && !err; w++) {
			word = 0;
			for (int cpu = 0; cpu < cpus; cpu++)
				word += v[cpu * words + w];
			memcpy((char *)sum + (i * words + w) * sizeof(word), &word, sizeof(word));
		}
	}
	free(v);
	return err;
}

int counters_read(int fd, uint64_t sum[VML_NCOUNTERS])
{
	return percpu_read(fd, VML_NCOUNTERS, 1, sum);
}

int lookups_read(int fd, struct vml_lookups sum[VML_NCALLERS])
{
	_Static_assert(sizeof(*sum) == 3 * sizeof(uint64_t), "counters and nothing else");
	return percpu_read(fd, VML_NCALLERS, 3, sum);
}

/* From /proc, which needs no privilege. */
static bool map_memlock(const struct bpf_map *map, uint64_t *ret)
{
	char path[64], line[128];
	unsigned long long n = 0;
	bool found = false;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", bpf_map__fd(map));
	f = fopen(path, "re");
	if (!f)
		return false;
	while (!found && fgets(line, sizeof(line), f))
		found = sscanf(line, "memlock: %llu", &n) == 1;
	fclose(f);
	*ret = n;
	return found;
}

size_t maps_bytes(const struct session *s, struct vml_map ret[MAPS_MAX])
{
	struct bpf_map *map;
	size_t n = 0;

	bpf_object__for_each_map(map, s->skel->obj) {
		if (n == MAPS_MAX || !map_memlock(map, &ret[n].bytes))
			return 0;
		ret[n++].name = bpf_map__name(map);
	}
	return n;
}
