/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The kernel's own view of waiting for mmap_lock: from lock:contention_begin,
 * which it passes only when it is about to sleep, to lock:contention_end.
 * Only for the lock of the process itself: the address of another one is not
 * to be told from those of other locks.
 */
#include "vmlinux.h"
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#include "contention.h"

#define LCB_F_READ 2
#define LCB_F_WRITE 4
#define LCB_F_PERCPU 16

struct begun {
	__u64 lock, ns;
	__u32 mode;
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 65536);
	__type(key, __u32); /* thread */
	__type(value, struct begun);
} begun SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 16384);
	__type(key, __u32); /* process */
	__type(value, struct contention_waits);
} processes SEC(".maps");

__u64 lost; /* waits that found no place in a map */

char LICENSE[] SEC("license") = "Dual BSD/GPL";

static struct contention_waits *process_of(__u32 pid)
{
	static const struct contention_waits none;
	struct contention_waits *p = bpf_map_lookup_elem(&processes, &pid);

	if (p)
		return p;
	bpf_map_update_elem(&processes, &pid, &none, BPF_NOEXIST);
	return bpf_map_lookup_elem(&processes, &pid);
}

SEC("tp_btf/contention_begin")
int BPF_PROG(contention_begin, void *lock, unsigned int flags)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct mm_struct *mm = task->mm;
	__u32 tid = task->pid;
	struct begun b = { .lock = (__u64)lock };

	/* spin locks and mutexes have neither flag */
	if (!(flags & (LCB_F_READ | LCB_F_WRITE)) || flags & LCB_F_PERCPU || !mm ||
	    lock != (void *)((__u64)mm + bpf_core_field_offset(struct mm_struct, mmap_lock)))
		return 0;
	b.mode = flags & LCB_F_WRITE ? CONTENTION_WRITE : CONTENTION_READ;
	b.ns = bpf_ktime_get_ns();
	if (bpf_map_update_elem(&begun, &tid, &b, BPF_ANY))
		__sync_fetch_and_add(&lost, 1);
	return 0;
}

SEC("tp_btf/contention_end")
int BPF_PROG(contention_end, void *lock, int ret)
{
	__u64 now = bpf_ktime_get_ns();
	struct task_struct *task = bpf_get_current_task_btf();
	__u32 tid = task->pid;
	struct begun *b = bpf_map_lookup_elem(&begun, &tid);
	struct contention_waits *p;
	__u32 mode;

	/* of a spin lock on the way to sleep, for one */
	if (!b || b->lock != (__u64)lock)
		return 0;
	p = process_of(task->tgid);
	if (p) {
		mode = b->mode & 1;
		__sync_fetch_and_add(&p->waits[mode], 1);
		__sync_fetch_and_add(&p->wait_ns[mode], now - b->ns);
		if (ret)
			__sync_fetch_and_add(&p->gave_up, 1);
	} else {
		__sync_fetch_and_add(&lost, 1);
	}
	bpf_map_delete_elem(&begun, &tid);
	return 0;
}
