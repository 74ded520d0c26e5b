// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Processes: who they are, learnt when they are first seen so that it is known
 * when they are gone, and what their dead threads have counted.
 */
#include "core.bpf.h"
#include "compat.bpf.h"
#include "path.bpf.h"

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, VML_MAX_ROWS);
	__type(key, struct vml_proc_key);
	__type(value, struct vml_proc_value);
} processes SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, VML_MAX_CGROUPS);
	__type(key, __u64);
	__type(value, struct vml_path);
} cgroups SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, VML_EXIT_RING_BYTES);
} exits SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct vml_path);
} process_scratch SEC(".maps");

static const struct vml_proc_value empty_process;

#define CGROUP_HIERARCHIES 16
#define SYSTEMD_AS_U64 0x00646d6574737973ULL /* "systemd" on little-endian machines: all that are supported */

struct cgroup_search {
	struct list_head *head, *pos;
	struct cgroup *found;
};

/* 1: found, or the end of the list. */
static long cgroup_next(__u32 i, struct cgroup_search *s)
{
	struct list_head *pos = s->pos;
	struct cgrp_cset_link *link;
	struct cgroup_root *root;
	struct cgroup *cgrp;
	char name[8] __attribute__((aligned(8))) = {};

	if (pos == s->head || !pos)
		return 1;
	link = (void *)pos - bpf_core_field_offset(struct cgrp_cset_link, cgrp_link);
	cgrp = BPF_CORE_READ(link, cgrp);
	root = BPF_CORE_READ(cgrp, root);
	bpf_probe_read_kernel_str(name, sizeof(name), &root->name);
	if (*(__u64 *)name == SYSTEMD_AS_U64) {
		s->found = cgrp;
		return 1;
	}
	s->pos = BPF_CORE_READ(pos, next);
	return 0;
}

/* The cgroup of name=systemd: v1, without a controller, found by name. */
static __always_inline struct cgroup *cgroup_systemd(struct css_set *set)
{
	struct list_head *head = &set->cgrp_links;
	struct cgroup_search s = { .head = head, .pos = BPF_CORE_READ(head, next) };

	bpf_loop(CGROUP_HIERARCHIES, cgroup_next, &s, 0);
	return s.found;
}

static __always_inline struct cgroup *cgroup_of(struct css_set *set, int subsys)
{
	struct cgroup_subsys_state *css = NULL;

	bpf_probe_read_kernel(&css, sizeof(css), &set->subsys[subsys]);
	return css ? BPF_CORE_READ(css, cgroup) : NULL;
}

static __always_inline bool cgroup_is_below_root(struct cgroup *cgrp)
{
	return cgrp && BPF_CORE_READ(cgrp, level) > 0;
}

/*
 * v2 when the task is below its root, else memory, pids, name=systemd of v1;
 * the v2 root when it is in no group at all.
 */
static __noinline struct cgroup *cgroup_choose(struct css_set *set)
{
	struct cgroup *v2 = BPF_CORE_READ(set, dfl_cgrp), *cgrp;

	if (cgroup_is_below_root(v2))
		return v2;
	if (bpf_core_enum_value_exists(enum cgroup_subsys_id, memory_cgrp_id)) {
		cgrp = cgroup_of(set, bpf_core_enum_value(enum cgroup_subsys_id, memory_cgrp_id));
		if (cgroup_is_below_root(cgrp))
			return cgrp;
	}
	if (bpf_core_enum_value_exists(enum cgroup_subsys_id, pids_cgrp_id)) {
		cgrp = cgroup_of(set, bpf_core_enum_value(enum cgroup_subsys_id, pids_cgrp_id));
		if (cgroup_is_below_root(cgrp))
			return cgrp;
	}
	cgrp = cgroup_systemd(set);
	return cgroup_is_below_root(cgrp) ? cgrp : v2;
}

struct cgroup_walk {
	struct kernfs_node *kn;
	struct vml_path *path;
	bool whole;
};

/* Adds a component; 1: the end. */
static long cgroup_up(__u32 i, struct cgroup_walk *w)
{
	struct kernfs_node *kn = w->kn;

	w->kn = compat_kernfs_parent(kn);
	/* the root has no name */
	w->whole = !w->kn || !path_add(w->path, BPF_CORE_READ(kn, name));
	return w->whole;
}

static __noinline int cgroup_learn(__u64 id, struct kernfs_node *kn)
{
	struct cgroup_walk w = { .kn = kn };
	struct vml_path *path;
	__u32 zero = 0;

	if (bpf_map_lookup_elem(&cgroups, &id))
		return 0;
	path = bpf_map_lookup_elem(&process_scratch, &zero);
	if (!path)
		return 0;
	w.path = path;
	path_begin(path);
	bpf_loop(VML_PATH_DEPTH, cgroup_up, &w, 0);
	if (!w.whole)
		path->truncated = 1;
	path_end(path);
	if (bpf_map_update_elem(&cgroups, &id, path, BPF_NOEXIST) && !bpf_map_lookup_elem(&cgroups, &id))
		core_lose(VML_LOSS_CGROUP_MAP_FULL);
	return 0;
}

__hidden __u64 process_cgroup(struct task_struct *task)
{
	struct css_set *set;
	struct cgroup *cgrp;
	struct kernfs_node *kn;
	__u64 id;

	if (!can_read_names)
		return 0;
	set = BPF_CORE_READ(task, cgroups);
	cgrp = set ? cgroup_choose(set) : NULL;
	kn = cgrp ? BPF_CORE_READ(cgrp, kn) : NULL;
	if (!kn)
		return 0;
	/* ids of two v1 hierarchies collide: the root of kernfs tells them apart */
	id = BPF_CORE_READ(kn, id) ^ (__u64)(__u32)BPF_CORE_READ(cgrp, root, hierarchy_id) << 56;
	cgroup_learn(id, kn);
	return id;
}

__hidden __u32 process_ns_pid(struct task_struct *task)
{
	__u32 nr = task->tgid, level;
	struct upid upid = {};
	struct pid *pid;

	/* or the compiler merges this load with that of upid.nr, which the verifier refuses */
	asm volatile("" : "+r"(nr));
	if (!can_read_names)
		return nr;
	/* probe-read: with a pointer that it knows, the verifier of 6.1 allows no arithmetic */
	pid = BPF_CORE_READ(task, group_leader, thread_pid);
	level = BPF_CORE_READ(pid, level);
	if (level == 0 || level > 32)
		return nr;
	bpf_probe_read_kernel(&upid, sizeof(upid),
			      (void *)pid + bpf_core_field_offset(struct pid, numbers) +
				      level * bpf_core_type_size(struct upid));
	return upid.nr;
}

static __always_inline struct vml_proc_value *process_untracked(void)
{
	struct vml_proc_key key = {};

	return bpf_map_lookup_elem(&processes, &key);
}

/*
 * What the verifier of 6.2 and later knows to be a pointer of the kernel, and what is followed
 * from there, takes it four searches of all types of the kernel, a millisecond, at each place in
 * each program.  It knows nothing of what is probed, which takes a few ns more, once in the life
 * of a thread; where that is refused (lockdown=confidentiality) the start takes longer.
 */
#define FOLLOW(from, ...) (can_read_names ? BPF_CORE_READ(from, __VA_ARGS__) : FOLLOW_PLAIN(from, __VA_ARGS__))
#define FOLLOW_PLAIN(from, pointer, field) ((from)->pointer->field)

static __always_inline void process_describe(struct task_struct *task, struct vml_proc_value *p)
{
	if (can_read_names)
		BPF_CORE_READ_INTO(&p->comm, task, group_leader, comm);
	else
		task_comm(p->comm, task->group_leader);
	p->comm[sizeof(p->comm) - 1] = '\0';
	p->uid = FOLLOW(task, cred, uid.val);
	p->ns_pid = process_ns_pid(task);
	p->cgroup_id = process_cgroup(task);
}

__hidden int process_identify(struct task_struct *task, struct vml_thread *th)
{
	struct vml_proc_key *key = &th->row.proc;

	key->start_ns = FOLLOW(task, group_leader, start_boottime);
	key->pid = task->tgid;
	key->exec = task->self_exec_id;
	th->start_ns = task->start_boottime;
	th->tid = task->pid;
	return 0;
}

__hidden int process_join(struct task_struct *task, struct vml_thread *th)
{
	struct vml_proc_key *key = &th->row.proc;
	struct vml_proc_value *p;
	__u32 joined, was;

	process_identify(task, th);
	p = bpf_map_lookup_elem(&processes, key);
	if (!p) {
		row_add(&processes, key, &empty_process, rows_limit);
		p = bpf_map_lookup_elem(&processes, key);
		if (p)
			process_describe(task, p);
		else
			core_lose(VML_LOSS_PROCESS_MAP_FULL);
	}
	/* the first decides, and for good: else what it counted would be in two rows one day */
	joined = p ? VML_JOINED : VML_JOINED_NOBODY;
	was = __sync_val_compare_and_swap(&th->joined, VML_JOINED_NOT_YET, joined);
	if (p && was == VML_JOINED_NOT_YET)
		__sync_fetch_and_add(&p->live, 1);
	if ((was ?: joined) == VML_JOINED_NOBODY)
		__builtin_memset(key, 0, sizeof(*key));
	return 0;
}

__hidden int process_know(struct task_struct *task, struct vml_proc_key *key)
{
	struct vml_proc_value *p = bpf_map_lookup_elem(&processes, key);

	if (p)
		return 0;
	row_add(&processes, key, &empty_process, rows_limit);
	p = bpf_map_lookup_elem(&processes, key);
	if (!p)
		return core_lose(VML_LOSS_PROCESS_MAP_FULL);
	process_describe(task, p);
	return 0;
}

struct hist_pair {
	struct vml_proc_value *to;
	struct vml_thread *from;
};

static long hist_add(__u32 i, struct hist_pair *h)
{
	if (i < VML_NLOCKSTATS * VML_HIST_BUCKETS)
		core_atomic_add32(&h->to->hist[0][0] + i, (&h->from->hist[0][0])[i]);
	return 0;
}

static __noinline int process_add(struct vml_proc_value *p, struct vml_thread *th)
{
	struct hist_pair h = { .to = p, .from = th };

	/* fallbacks before the faults they are part of: see tasks.bpf.c */
	core_atomic_add(&p->count.fallbacks, th->count.fallbacks);
	core_atomic_add(&p->count.aborts, th->count.aborts);
	core_atomic_add(&p->count.retries, th->count.retries);
	core_atomic_add(&p->count.bypasses, th->count.bypasses);
	core_atomic_add(&p->count.misses, th->count.misses);
	core_atomic_add(&p->count.faults_user, th->count.faults_user);
	core_atomic_add(&p->count.faults_kernel, th->count.faults_kernel);
	core_atomic_add(&p->lock_events, th->lock_events);
	core_atomic_add(&p->lock_failed, th->lock_failed);
	core_atomic_add(&p->write_readers, th->write_readers);
	for (int i = 0; i < VML_NLOCKSTATS; i++) {
		core_atomic_add(&p->lock[i].count, th->lock[i].count);
		core_atomic_add(&p->lock[i].sum_ns, th->lock[i].sum_ns);
		core_atomic_max(&p->lock[i].max_ns, th->lock[i].max_ns);
	}
	for (int i = 0; i < VML_NCAUSES; i++)
		core_atomic_add32(&p->reason[i], th->reason[i]);
	bpf_loop(VML_NLOCKSTATS * VML_HIST_BUCKETS, hist_add, &h, 0);
	return 0;
}

/* A row of its own for a thread that ends inside an interval. */
static __noinline int exit_record(struct task_struct *task, struct vml_thread *th, struct vml_proc_value *p)
{
	struct vml_task_record *r = bpf_ringbuf_reserve(&exits, sizeof(*r), 0);

	if (!r) {
		core_lose(VML_LOSS_EXIT_RECORDS);
		return 0;
	}
	r->proc = th->row.proc;
	r->start_ns = th->start_ns;
	r->cgroup_id = p->cgroup_id;
	r->tid = th->tid;
	r->uid = p->uid;
	r->ns_pid = p->ns_pid;
	r->threads = 0;
	r->leader = th->tid == th->row.proc.pid;
	r->exited = 1;
	r->has_hist = 0;
	r->folded = 0;
	r->mappings = 0;
	r->torn = 0;
	__builtin_memset(r->pad, 0, sizeof(r->pad));
	__builtin_memset(&r->now, 0, sizeof(r->now));
	task_comm(r->comm, task);
	r->row = th->row;
	r->count = th->count;
	r->pending = th->pending;
	r->task_faults = core_task_faults(task) - th->task_faults;
	r->lock_events = th->lock_events;
	r->lock_failed = th->lock_failed;
	r->write_readers = th->write_readers;
	for (int i = 0; i < VML_NLOCKSTATS; i++)
		r->lock[i] = th->lock[i];
	for (int i = 0; i < VML_NCAUSES; i++)
		r->reason[i] = th->reason[i];
	bpf_ringbuf_submit(r, BPF_RB_NO_WAKEUP);
	return 0;
}

/* What is left of a thread after its numbers went to the process. */
static __noinline int thread_clear(struct vml_thread *th)
{
	__u64 *words = (__u64 *)&th->lock_events;

	__builtin_memset(&th->count, 0, sizeof(th->count));
	/* the rest of the struct is numbers, to its end */
	for (int i = 0; i < (sizeof(*th) - offsetof(struct vml_thread, lock_events)) / 8; i++)
		*(volatile __u64 *)&words[i] = 0; /* or it becomes a memset() that BPF does not have */
	return 0;
}

static __noinline int process_fold(struct task_struct *task, struct vml_thread *th, bool record)
{
	struct vml_proc_value *p = bpf_map_lookup_elem(&processes, &th->row.proc);

	if (p && record && th->joined == VML_JOINED)
		exit_record(task, th, p);
	if (!p)
		p = process_untracked();
	if (!p)
		return 0;
	process_add(p, th);
	/* last: a reader in between must not take them for faults that were not seen */
	core_atomic_add(&p->task_faults, core_task_faults(task) - th->task_faults);
	th->task_faults = core_task_faults(task);
	return 0;
}

/* No next fault will notice that this one asked for no lock, or was not seen to. */
static __always_inline void last_fault_ends(struct vml_thread *th)
{
	if (VML_FAULT_STATE(th->fault) == VML_FAULT_KERNEL) {
		core_fault_unserved(th);
		vma_flush(th);
	}
	th->fault = VML_FAULT_NONE;
}

/* @task begins to exit. */
static __noinline int process_end(struct task_struct *task, struct vml_thread *th)
{
	struct vml_proc_value *p = bpf_map_lookup_elem(&processes, &th->row.proc);

	if (!p || th->joined != VML_JOINED)
		return 0;
	if (task->pid == task->tgid) /* the last name it gave itself */
		task_comm(p->comm, task);
	/* the last one: its end, as any, may not be seen */
	if (!task->signal->live.counter)
		p->exited = 1;
	return 0;
}

__hidden int process_exit(struct task_struct *task, struct vml_thread *th)
{
	last_fault_ends(th);
	th->folded = 1; /* out of the iterator's sight before its numbers appear elsewhere */
	barrier_memory();
	process_fold(task, th, true);
	process_end(task, th);
	return thread_clear(th);
}

__hidden int process_leave(struct task_struct *task, struct vml_thread *th, bool image_ends)
{
	struct vml_proc_value *p;

	last_fault_ends(th);
	process_fold(task, th, !th->folded);
	if (th->joined != VML_JOINED) /* its process may have got a row since, for another thread */
		process_identify(task, th);
	p = bpf_map_lookup_elem(&processes, &th->row.proc);
	if (!p)
		return 0;
	if (image_ends)
		p->exited = 1;
	if (th->joined == VML_JOINED)
		__sync_fetch_and_sub(&p->live, 1);
	return 0;
}

__hidden int process_add_ledger(struct vml_proc_key *owner, struct vml_ledger_sum *sum)
{
	struct vml_proc_value *p = bpf_map_lookup_elem(&processes, owner);

	if (!p)
		p = process_untracked();
	if (!p)
		return 0;
	core_atomic_add(&p->ledger.waited_ns, sum->waited_ns);
	core_atomic_add(&p->ledger.blamed_ns, sum->blamed_ns);
	core_atomic_add(&p->ledger.avoidable_ns, sum->avoidable_ns);
	core_atomic_add(&p->ledger.handover_ns, sum->handover_ns);
	core_atomic_add(&p->ledger.runqueue_ns, sum->runqueue_ns);
	core_atomic_add((__u64 *)&p->ledger.error_ns, sum->error_ns);
	return 0;
}
