// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * The rows of VMAs: which one a thread is in, and what goes there.  A thread adds
 * up by itself what happens in one VMA, and looks for rows only when it changes to
 * another one or waits.
 */
#include "vma.bpf.h"
#include "compat.bpf.h"

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, VML_MAX_VMAS);
	__type(key, struct vml_vma_key);
	__type(value, struct vml_vma_value);
} vmas SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct vml_vma_value);
} row_scratch SEC(".maps");

/* Where counts go when the map is full; made by the loader. */
static __always_inline struct vml_vma_value *row_of_untracked(void)
{
	struct vml_vma_key key = {};

	return bpf_map_lookup_elem(&vmas, &key);
}

/* A row for @key; @f NULL: no VMA, @kind says why. */
static __always_inline struct vml_vma_value *row_new(const struct vml_vma_key *key, __u64 mm, const struct found *f,
						     __u32 kind)
{
	struct vml_vma_value *v;
	__u32 zero = 0;

	/* the scratch value has zero counts: nobody writes them there */
	v = bpf_map_lookup_elem(&row_scratch, &zero);
	if (!v)
		return NULL;
	v->start = v->end = v->flags = v->pgoff = v->file_cookie = 0;
	v->file.inode = 0;
	v->file.dev = 0;
	v->kind = kind;
	if (f)
		vma_describe(mm, f, v);
	bpf_map_update_elem(&vmas, key, v, BPF_NOEXIST);
	return bpf_map_lookup_elem(&vmas, key);
}

/* The row exists and describes the VMA as it is now.  Global, as vma_walk(). */
__noinline int vma_row_ensure(const struct vml_vma_key *key, __u64 mm, const struct found *f, __u32 kind)
{
	struct vml_vma_value *v;

	if (!key || !have_rdonly_cast)
		return 0;
	v = bpf_map_lookup_elem(&vmas, key);
	if (!v)
		row_new(key, mm, f, kind);
	else if (f && (v->end != f->end || v->flags != f->flags || v->start != f->start || v->file_cookie != f->file))
		vma_describe(mm, f, v);
	return 0;
}

static __always_inline __u64 found_anchor(const struct found *f)
{
	return f->flags & VM_GROWSDOWN ? f->end : f->start;
}

static __always_inline void row_enter(struct vml_thread *th, __u64 mm, __u64 anchor, const struct found *f, __u32 kind)
{
	if (th->row.anchor != anchor) {
		vma_flush(th);
		th->row.anchor = anchor;
		barrier_memory();
	}
	vma_row_ensure(&th->row, mm, f, kind);
}

__hidden int vma_enter(struct vml_thread *th, struct mm_struct *mm, __u64 address)
{
	struct found f = {};
	__u64 mm_addr;
	__u32 seq;
	int r;

	if (th->leaf && th->vma_mm == (__u64)mm && compat_cache_holds(mm, th->vma_seq)) {
		f.leaf.entry = th->leaf;
		f.leaf.first = th->leaf_first;
		f.leaf.last = th->leaf_last;
	}
	th->leaf = 0;
	th->vma_len = 0;
	th->vma = 0;
	th->vma_is_file = 0;
	th->lookup = VML_NREASONS;
	seq = compat_mm_seq(mm);
	th->vma_seq = seq;
	th->vma_mm = (__u64)mm;
	if (!have_rdonly_cast)
		return 0;
	/* read back, because a global function takes a number, and mm is a pointer to the verifier */
	mm_addr = *(volatile __u64 *)&th->vma_mm;
	r = vma_walk(mm_addr, address, &f);
	if (r == WALK_FOUND) {
		th->vma = f.vma;
		th->vma_flags = f.flags;
		th->vma_is_file = f.file != 0;
		row_enter(th, mm_addr, found_anchor(&f), &f, VML_VMA_UNKNOWN);
		barrier_memory();
		if (!compat_mm_writer(mm, seq) && compat_mm_seq(mm) == seq) {
			th->vma_start = f.start;
			th->vma_len = f.end - f.start;
			th->leaf = f.leaf.entry;
			th->leaf_first = f.leaf.first;
			th->leaf_last = f.leaf.last;
		}
		return 0;
	}
	if (r == WALK_NONE) {
		th->lookup = VML_NO_VMA;
		/* the next VMA above may be a stack that grows down to here */
		if (f.last != ~0ULL && vma_walk(mm_addr, f.last + 1, &f) == WALK_FOUND && f.start > address &&
		    f.flags & VM_GROWSDOWN) {
			th->lookup = VML_STACK_GROWTH;
			row_enter(th, mm_addr, f.end, &f, VML_VMA_STACK);
			return 0;
		}
		row_enter(th, mm_addr, VML_ANCHOR_NONE, NULL, VML_VMA_NONE);
		return 0;
	}
	row_enter(th, mm_addr, VML_ANCHOR_UNKNOWN, NULL, VML_VMA_UNKNOWN);
	return 0;
}

__hidden int vma_settle(struct vml_thread *th)
{
	struct found f = {};
	__u64 mm_addr;
	int r;

	if (likely(th->row.anchor != VML_ANCHOR_UNKNOWN) || th->pending.faults_user + th->pending.faults_kernel != 1)
		return 0;
	mm_addr = *(volatile __u64 *)&th->vma_mm;
	r = vma_walk(mm_addr, th->fault_addr, &f);
	if (r == WALK_FOUND) {
		th->row.anchor = found_anchor(&f);
		vma_row_ensure(&th->row, mm_addr, &f, VML_VMA_UNKNOWN);
	} else if (r == WALK_NONE) {
		th->row.anchor = VML_ANCHOR_NONE;
		vma_row_ensure(&th->row, mm_addr, NULL, VML_VMA_NONE);
	}
	return 0;
}

/* All that is not a user fault; most of the time there is nothing of it. */
static __always_inline bool flush_others(struct vml_thread *th, const struct vml_counts *c)
{
	if (!(c->faults_kernel | c->fallbacks | c->aborts | c->retries | c->bypasses | c->misses))
		return false;
	th->pending.faults_kernel = 0;
	th->pending.fallbacks = 0;
	th->pending.aborts = 0;
	th->pending.retries = 0;
	th->pending.bypasses = 0;
	th->pending.misses = 0;
	barrier_memory(); /* see struct vml_thread: a reader must not see a fault twice */
	th->count.fallbacks += c->fallbacks;
	th->count.aborts += c->aborts;
	th->count.retries += c->retries;
	th->count.bypasses += c->bypasses;
	th->count.misses += c->misses;
	barrier_memory(); /* and never faults without the fallbacks among them */
	th->count.faults_kernel += c->faults_kernel;
	return true;
}

__hidden int vma_flush(struct vml_thread *th)
{
	struct vml_counts c = th->pending;
	struct vml_vma_value *v;
	bool others;

	if (!(c.faults_user | c.faults_kernel | c.fallbacks | c.aborts | c.retries | c.bypasses | c.misses))
		return 0;
	th->flushes++;
	barrier_memory();
	th->pending.faults_user = 0;
	barrier_memory();
	others = flush_others(th, &c);
	barrier_memory();
	th->count.faults_user += c.faults_user;
	barrier_memory();
	th->flushes++;
	if (th->row.anchor == VML_ANCHOR_UNKNOWN)
		core_lose(VML_LOSS_WALK_FAILED);
	v = bpf_map_lookup_elem(&vmas, &th->row);
	if (!v)
		v = row_new(&th->row, 0, NULL, VML_VMA_UNKNOWN);
	if (!v) {
		core_lose(VML_LOSS_VMA_MAP_FULL);
		v = row_of_untracked();
		if (!v)
			return 0;
	}
	if (others) {
		core_atomic_add(&v->count.fallbacks, c.fallbacks);
		core_atomic_add(&v->count.aborts, c.aborts);
		core_atomic_add(&v->count.retries, c.retries);
		core_atomic_add(&v->count.bypasses, c.bypasses);
		core_atomic_add(&v->count.misses, c.misses);
	}
	core_atomic_add(&v->count.faults_user, c.faults_user);
	if (others)
		core_atomic_add(&v->count.faults_kernel, c.faults_kernel);
	return 0;
}

__noinline int vma_reason(struct vml_thread *th, __u32 cause)
{
	struct vml_vma_value *v;
	struct vml_vma_key key;

	if (!th || cause >= VML_NCAUSES)
		return 0;
	th->trylock_failed = 0;
	th->reason[cause]++;
	key = th->row;
	v = bpf_map_lookup_elem(&vmas, &key);
	if (v)
		core_atomic_add32(&v->reason[cause], 1);
	return 0;
}

/* ---- waits */

__hidden int vma_wait(struct vml_thread *th, __u64 ns)
{
	struct vml_vma_value *v = bpf_map_lookup_elem(&vmas, &th->row);
	__u32 i = core_hist_index(ns);

	if (!v || i >= VML_HIST_BUCKETS)
		return 0;
	core_atomic_add(&v->wait.count, 1);
	core_atomic_add(&v->wait.sum_ns, ns);
	core_atomic_max(&v->wait.max_ns, ns);
	core_atomic_add32(&v->wait_hist[i], 1);
	return 0;
}

static __noinline int row_add_write_wait(const struct vml_vma_key *key, __u64 ns, __u32 readers)
{
	struct vml_vma_value *v = bpf_map_lookup_elem(&vmas, key);
	__u32 i = core_hist_index(ns);

	if (!v || i >= VML_HIST_BUCKETS)
		return 0;
	core_atomic_add(&v->write_wait.count, 1);
	core_atomic_add(&v->write_wait.sum_ns, ns);
	core_atomic_max(&v->write_wait.max_ns, ns);
	core_atomic_add32(&v->write_wait_hist[i], 1);
	core_atomic_add(&v->write_readers, readers);
	return 0;
}

__noinline int vma_write_wait(struct vml_thread *th, __u64 ns)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct vml_vma_key key;
	struct found f = {};
	__u64 mm;

	if (!th || !have_rdonly_cast || !th->write_vma)
		return 0;
	th->vma_mm = (__u64)task->mm; /* as a number; the cache of the last VMA goes */
	th->vma_len = 0;
	mm = *(volatile __u64 *)&th->vma_mm;
	/* of another mm (khugepaged writes others'): the thread has it, no row */
	if (!vma_read(th->write_vma, mm, &f))
		return 0;
	key = th->row;
	key.anchor = found_anchor(&f);
	vma_row_ensure(&key, mm, &f, VML_VMA_UNKNOWN);
	return row_add_write_wait(&key, ns, th->write_found);
}
