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
	b->keys = calloc(room, key_size);
	b->values = calloc(room, value_size);
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

#define HIST_BYTES sizeof(__u32[VML_NLOCKSTATS][VML_HIST_BUCKETS])

int tasks_each(int iter_fd,
	       int (*each)(void *arg, const struct vml_task_record *r, const __u32 (*hist)[VML_HIST_BUCKETS]),
	       void *arg)
{
	static const size_t room = 256 << 10;
	size_t have = 0, at, need;
	struct vml_task_record r;
	ssize_t got;
	char *buf;
	int fd, err = 0;

	fd = bpf_iter_create(iter_fd);
	if (fd < 0)
		return fd;
	buf = malloc(room);
	if (!buf)
		err = -ENOMEM;
	while (!err) {
		got = read(fd, buf + have, room - have);
		if (got < 0 && (errno == EINTR || errno == EAGAIN))
			continue;
		if (got <= 0) {
			/* half a record would mean that both sides disagree on its size */
			err = got < 0 ? -errno : have ? -EPROTO : 0;
			break;
		}
		have += got;
		for (at = 0; !err && have - at >= sizeof(r); at += need) {
			memcpy(&r, buf + at, sizeof(r));
			need = sizeof(r) + (r.has_hist ? HIST_BYTES : 0);
			if (have - at < need)
				break;
			err = each(arg, &r, r.has_hist ? (const void *)(buf + at + sizeof(r)) : NULL);
		}
		memmove(buf, buf + at, have - at);
		have -= at;
	}
	free(buf);
	close(fd);
	return err;
}

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

uint64_t maps_bytes(const struct session *s)
{
	char path[64], line[128];
	unsigned long long n;
	uint64_t sum = 0;
	struct bpf_map *map;
	FILE *f;

	bpf_object__for_each_map(map, s->skel->obj) {
		snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", bpf_map__fd(map));
		f = fopen(path, "re");
		if (!f)
			return 0;
		while (fgets(line, sizeof(line), f))
			if (sscanf(line, "memlock: %llu", &n) == 1)
				sum += n;
		fclose(f);
	}
	return sum;
}
