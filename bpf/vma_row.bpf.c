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
	__uint(max_entries, VML_MAX_ROWS);
	__type(key, struct vml_vma_key);
	__type(value, struct vml_vma_value);
} vmas SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct vml_vma_value);
} row_scratch SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, VML_MAX_WRITE_WAITS);
	__type(key, struct vml_vma_key);
	__type(value, struct vml_write_wait);
} write_waits SEC(".maps");

static const struct vml_write_wait no_write_wait;

/*
 * Rows that are there and describe their VMA as it is: a mark of the key and of the
 * description, at a place that the key alone gives, so that there is one for a row at
 * most.  Who enters a row need not look it up then, which is a third of what a change
 * of VMAs would cost.  The collector clears it when it removed rows.
 */
#define KNOWN_BITS 14
__u64 known_rows[1 << KNOWN_BITS];

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
	row_add(&vmas, key, v, ROWS_LIMIT_OTHERS);
	return bpf_map_lookup_elem(&vmas, key);
}

/* The row exists and describes the VMA as it is now: false when there is no room.  Global, as vma_walk(). */
__noinline int vma_row_ensure(const struct vml_vma_key *key, __u64 mm, const struct found *f, __u32 kind)
{
	struct vml_vma_value *v;

	if (!key || !have_rdonly_cast)
		return false;
	v = bpf_map_lookup_elem(&vmas, key);
	if (!v)
		return row_new(key, mm, f, kind) != NULL;
	if (f && (v->end != f->end || v->flags != f->flags || v->start != f->start || v->file_cookie != f->file))
		vma_describe(mm, f, v);
	return true;
}

/* Marks that differ in one word only never become the same, as the factor is odd. */
static __always_inline __u64 mark_add(__u64 mark, __u64 word)
{
	return (mark ^ word) * 0x9e3779b97f4a7c15ULL;
}

/* The same for a VMA, which most of the time is known. */
static __always_inline void row_ensure(const struct vml_vma_key *key, __u64 mm, const struct found *f)
{
	__u64 mark = mark_add(mark_add(mark_add(0, key->proc.start_ns), (__u64)key->proc.exec << 32 | key->proc.pid),
			      key->anchor);
	__u64 *known = &known_rows[mark >> (64 - KNOWN_BITS)];

	mark = mark_add(mark_add(mark_add(mark_add(mark, f->start), f->end), f->flags), f->file);
	if (*known != mark && vma_row_ensure(key, mm, f, VML_VMA_UNKNOWN))
		*known = mark;
}

static __always_inline __u64 found_anchor(const struct found *f)
{
	return f->flags & VM_GROWSDOWN ? f->end : f->start;
}

/* ---- leaving a row */

/* The row that @th is in, or else that of the untracked; NULL: not even that. */
static __always_inline struct vml_vma_value *row_of(struct vml_thread *th)
{
	struct vml_vma_value *v = bpf_map_lookup_elem(&vmas, &th->row);

	if (likely(v))
		return v;
	v = row_new(&th->row, 0, NULL, VML_VMA_UNKNOWN);
	if (v)
		return v;
	core_lose(VML_LOSS_VMA_MAP_FULL);
	return row_of_untracked();
}

static __always_inline void counts_add(struct vml_counts *to, const struct vml_counts *c)
{
	core_atomic_add(&to->fallbacks, c->fallbacks);
	core_atomic_add(&to->aborts, c->aborts);
	core_atomic_add(&to->retries, c->retries);
	core_atomic_add(&to->bypasses, c->bypasses);
	core_atomic_add(&to->misses, c->misses);
	core_atomic_add(&to->faults_kernel, c->faults_kernel);
}

/* All that is not a user fault; most of the time there is nothing of it. */
static __always_inline __u64 others(const struct vml_counts *c)
{
	return c->faults_kernel | c->fallbacks | c->aborts | c->retries | c->bypasses | c->misses;
}

static __always_inline void flush_others(struct vml_thread *th, struct vml_vma_value *v)
{
	struct vml_counts c = th->pending;

	th->pending.faults_kernel = 0;
	th->pending.fallbacks = 0;
	th->pending.aborts = 0;
	th->pending.retries = 0;
	th->pending.bypasses = 0;
	th->pending.misses = 0;
	barrier_memory(); /* see struct vml_thread: a reader must not see a fault twice */
	th->count.fallbacks += c.fallbacks;
	th->count.aborts += c.aborts;
	th->count.retries += c.retries;
	th->count.bypasses += c.bypasses;
	th->count.misses += c.misses;
	barrier_memory(); /* and never faults without the fallbacks among them */
	th->count.faults_kernel += c.faults_kernel;
	if (v)
		counts_add(&v->count, &c);
}

__hidden int vma_flush(struct vml_thread *th)
{
	__u64 faults_user = th->pending.faults_user;
	bool more = others(&th->pending);
	struct vml_vma_value *v;

	if (!faults_user && !more)
		return 0;
	if (th->row.anchor == VML_ANCHOR_UNKNOWN)
		core_lose(VML_LOSS_WALK_FAILED);
	v = row_of(th);
	th->flushes++;
	barrier_memory();
	th->pending.faults_user = 0;
	barrier_memory();
	if (more)
		flush_others(th, v);
	barrier_memory();
	th->count.faults_user += faults_user;
	barrier_memory();
	th->flushes++;
	if (v)
		core_atomic_add(&v->count.faults_user, faults_user);
	return 0;
}

/* ---- entering a row */

/* False: a thread whose process has no row has none by area either, but that of the untracked. */
static __always_inline bool row_change(struct vml_thread *th, __u64 anchor)
{
	if (th->row.anchor == anchor)
		return true;
	vma_flush(th);
	if (unlikely(th->joined == VML_JOINED_NOBODY))
		return false;
	th->row.anchor = anchor;
	barrier_memory();
	return true;
}

static __always_inline void row_enter(struct vml_thread *th, __u64 mm, const struct found *f)
{
	if (row_change(th, found_anchor(f)))
		row_ensure(&th->row, mm, f);
}

/* No VMA: @kind says why. */
static __always_inline void row_enter_none(struct vml_thread *th, __u64 anchor, __u32 kind)
{
	if (row_change(th, anchor))
		vma_row_ensure(&th->row, 0, NULL, kind);
}

__hidden int vma_enter(struct vml_thread *th, struct mm_struct *mm, __u64 address)
{
	__u32 seq = compat_mm_seq(mm);
	struct found f = {};
	int r = WALK_ERROR;
	__u64 mm_addr;

	if (th->vma_mm != (__u64)mm || !compat_cache_holds(mm, th->vma_seq))
		th->leaf.entry = 0;
	th->vma_len = 0;
	th->vma_seq = seq;
	th->vma_mm = (__u64)mm;
	th->lookup = VML_NREASONS;
	if (!have_rdonly_cast)
		return 0;
	/* read back, because a global function takes a number, and mm is a pointer to the verifier */
	mm_addr = *(volatile __u64 *)&th->vma_mm;
	if (th->leaf.entry && address - th->leaf.first <= th->leaf.last - th->leaf.first)
		r = vma_walk_leaf(mm_addr, address, &th->leaf, &f);
	if (r != WALK_FOUND)
		r = vma_walk(mm_addr, address, &th->leaf, &f);
	if (r == WALK_FOUND) {
		th->vma = f.vma;
		th->vma_flags = f.flags;
		th->vma_file = f.file;
		row_enter(th, mm_addr, &f);
		barrier_memory();
		if (!compat_mm_writer(mm, seq) && compat_mm_seq(mm) == seq) {
			th->vma_start = f.start;
			th->vma_len = f.end - f.start;
		} else {
			th->leaf.entry = 0;
		}
		return 0;
	}
	th->vma = 0;
	th->vma_file = 0;
	if (r == WALK_NONE) {
		th->lookup = VML_NO_VMA;
		/* the next VMA above may be a stack that grows down to here */
		if (f.last != ~0ULL && vma_walk(mm_addr, f.last + 1, &th->leaf, &f) == WALK_FOUND &&
		    f.start > address && f.flags & VM_GROWSDOWN) {
			th->lookup = VML_STACK_GROWTH;
			row_enter(th, mm_addr, &f);
		} else {
			row_enter_none(th, VML_ANCHOR_NONE, VML_VMA_NONE);
		}
	} else {
		row_enter_none(th, VML_ANCHOR_UNKNOWN, VML_VMA_UNKNOWN);
	}
	th->leaf.entry = 0;
	return 0;
}

__hidden int vma_settle(struct vml_thread *th)
{
	struct vml_leaf leaf = {};
	struct found f = {};
	__u64 mm_addr;
	int r;

	if (likely(th->row.anchor != VML_ANCHOR_UNKNOWN) || th->pending.faults_user + th->pending.faults_kernel != 1)
		return 0;
	mm_addr = *(volatile __u64 *)&th->vma_mm;
	r = vma_walk(mm_addr, th->fault_addr, &leaf, &f);
	if (r == WALK_FOUND) {
		th->row.anchor = found_anchor(&f);
		row_ensure(&th->row, mm_addr, &f);
	} else if (r == WALK_NONE) {
		th->row.anchor = VML_ANCHOR_NONE;
		vma_row_ensure(&th->row, 0, NULL, VML_VMA_NONE);
	}
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
	struct vml_vma_key key = th->row; /* 6.1 takes no key from the memory that a global function was given */
	struct vml_vma_value *v = bpf_map_lookup_elem(&vmas, &key);
	__u32 i = core_hist_index(ns);

	if (!v || i >= VML_HIST_BUCKETS)
		return 0;
	core_atomic_add(&v->wait.count, 1);
	core_atomic_add(&v->wait.sum_ns, ns);
	core_atomic_max(&v->wait.max_ns, ns);
	core_atomic_add32(&v->wait_hist[i], 1);
	return 0;
}

static __noinline int write_wait_add(const struct vml_vma_key *key, __u64 ns, __u32 readers)
{
	struct vml_vma_key untracked = {};
	struct vml_write_wait *w = NULL;
	__u32 i = core_hist_index(ns);

	if (!key || i >= VML_HIST_BUCKETS)
		return 0;
	/* with the row of the VMA, which it goes with */
	if (bpf_map_lookup_elem(&vmas, key)) {
		w = bpf_map_lookup_elem(&write_waits, key);
		if (!w) {
			row_add(&write_waits, key, &no_write_wait, ROWS_LIMIT_OTHERS);
			w = bpf_map_lookup_elem(&write_waits, key);
		}
	}
	if (!w) {
		core_lose(VML_LOSS_VMA_MAP_FULL);
		w = bpf_map_lookup_elem(&write_waits, &untracked);
	}
	if (!w)
		return 0;
	core_atomic_add(&w->sum.count, 1);
	core_atomic_add(&w->sum.sum_ns, ns);
	core_atomic_max(&w->sum.max_ns, ns);
	core_atomic_add32(&w->hist[i], 1);
	core_atomic_add(&w->readers, readers);
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
	if (likely(th->joined == VML_JOINED)) {
		key.anchor = found_anchor(&f);
		row_ensure(&key, mm, &f);
	}
	return write_wait_add(&key, ns, th->write_found);
}
