// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * From an address to a VMA and its row, without a lock: mirrors
 * mtree_range_walk() of lib/maple_tree.c (same in 6.1 .. 7.3).  Every pointer may
 * be stale, so a VMA is believed only if it names this mm and covers the address.
 */
#include "core.bpf.h"
#include "compat.bpf.h"
#include "path.bpf.h"

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, VML_MAX_VMAS);
	__type(key, struct vml_vma_key);
	__type(value, struct vml_vma_value);
} vmas SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, VML_MAX_FILES);
	__type(key, struct vml_file_key);
	__type(value, struct vml_path);
} files SEC(".maps");

#define WALK_DEPTH 16 /* 65,530 mappings need 9 or 10 */

struct scratch {
	struct vml_vma_value value;
	struct vml_path path;
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct scratch);
} vma_scratch SEC(".maps");

const volatile __u32 have_rdonly_cast;

static __always_inline struct scratch *scratch_get(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&vma_scratch, &zero);
}

/* ---- the walk */

enum walk_result { WALK_FOUND, WALK_NONE, WALK_DEAD, WALK_ERROR, WALK_DOWN };

struct walk {
	__u64 entry; /* what the slot holds */
	__u64 first, last; /* addresses of its range */
};

static __always_inline bool is_node(__u64 entry)
{
	return (entry & 3) == 2 && entry > 4096;
}

/*
 * The slot of node @n whose range covers @index: the first whose pivot is not
 * below it, else the last one in use (@end).  Offsets must be constants for the
 * verifier, so the search is a tree of branches; each load of kernel memory is
 * eight instructions, and this way four are enough.  Leaves the slot in entry and
 * narrows first and last, which are those of the node.
 */
#define SLOT_AT(n, i) entry = (__u64)(n)->slot[i];
#define SLOT_SPLIT(n, i, low, high)                                         \
	{                                                                   \
		__u64 pivot = (i) < end ? (__u64)(n)->pivot[i] : node_last; \
		if (pivot >= index) {                                       \
			last = pivot;                                       \
			low                                                 \
		} else {                                                    \
			first = pivot + 1;                                  \
			high                                                \
		}                                                           \
	}
#define SLOT_2(n, i) SLOT_SPLIT(n, i, SLOT_AT(n, i), SLOT_AT(n, (i) + 1))
#define SLOT_4(n, i) SLOT_SPLIT(n, (i) + 1, SLOT_2(n, i), SLOT_2(n, (i) + 2))
#define SLOT_8(n, i) SLOT_SPLIT(n, (i) + 3, SLOT_4(n, i), SLOT_4(n, (i) + 4))
#define SLOT_10(n) SLOT_SPLIT(n, 7, SLOT_8(n, 0), SLOT_2(n, 8))
#define SLOT_16(n) SLOT_SPLIT(n, 7, SLOT_8(n, 0), SLOT_8(n, 8))

/*
 * One level down: from the node in w->entry, which ends at w->last, to the slot
 * that covers @index.  WALK_DOWN while there is more.  A global function: the
 * verifier checks it once, not once for every way that leads to a call.
 */
__noinline int vma_walk_step(struct walk *w, __u64 index)
{
	__u64 node, type, end, entry = 0, first, last, node_last;

	if (!w || !have_rdonly_cast)
		return WALK_ERROR;
	node = w->entry & ~255ULL;
	type = (w->entry >> 3) & 15;
	first = w->first;
	last = node_last = w->last;
	if (type == maple_arange_64) {
		struct maple_arange_64 *n = AS(maple_arange_64, node);

		end = n->meta.end;
		SLOT_10(n);
	} else if (type == maple_leaf_64 || type == maple_range_64) {
		struct maple_range_64 *n = AS(maple_range_64, node);

		/* ma_data_end(); meta overlays the last slot, as which the verifier would read it */
		end = n->pivot[14] ? (n->pivot[14] == node_last ? 14 : 15)
				   : AS(maple_metadata, node + bpf_core_field_offset(struct maple_range_64, meta))->end;
		SLOT_16(n);
	} else {
		return WALK_ERROR;
	}
	w->entry = entry;
	w->first = first;
	w->last = last;
	/* a node that was replaced points to itself: what was read may be torn */
	if (((__u64)AS(maple_arange_64, node)->parent & ~255ULL) == node)
		return WALK_DEAD;
	if (type != maple_leaf_64)
		return WALK_DOWN;
	return !entry || (entry & 3) == 2 ? WALK_NONE : WALK_FOUND;
}

/* The last node of a walk: the next one may begin there while nobody wrote. */
struct leaf {
	__u64 entry, first, last;
};

static __always_inline int walk_once(__u64 mm, __u64 index, struct walk *w, struct leaf *leaf)
{
	int r = WALK_DOWN;

	w->entry = (__u64)AS(mm_struct, mm)->mm_mt.ma_root;
	w->first = 0;
	w->last = ~0ULL;
	if (!is_node(w->entry))
		return WALK_NONE;
	for (int depth = 0; depth < WALK_DEPTH; depth++) {
		leaf->entry = w->entry;
		leaf->first = w->first;
		leaf->last = w->last;
		r = vma_walk_step(w, index);
		if (r != WALK_DOWN)
			break;
	}
	return r == WALK_DOWN ? WALK_ERROR : r;
}

/* A VMA as it was read; belongs to the mm and covers what was looked for. */
struct found {
	__u64 vma, start, end, flags, file;
	__u64 last; /* last address of the gap when there is none */
	struct leaf leaf; /* in: where to begin, if @index is there; out: where it ended */
};

static __always_inline bool vma_read(__u64 addr, __u64 mm, struct found *f)
{
	struct vm_area_struct *v = AS(vm_area_struct, addr);

	f->vma = addr;
	f->start = v->vm_start;
	f->end = v->vm_end;
	f->flags = v->vm_flags;
	f->file = (__u64)v->vm_file;
	return (__u64)v->vm_mm == mm;
}

/* The VMA of @mm at @index.  Global, as above. */
__noinline int vma_walk(__u64 mm, __u64 index, struct found *f)
{
	struct walk w = {};
	int r = WALK_ERROR;

	if (!f || !have_rdonly_cast)
		return WALK_ERROR;
	if (f->leaf.entry && index - f->leaf.first <= f->leaf.last - f->leaf.first) {
		w.entry = f->leaf.entry;
		w.first = f->leaf.first;
		w.last = f->leaf.last;
		if (vma_walk_step(&w, index) == WALK_FOUND && vma_read(w.entry, mm, f) && index >= f->start &&
		    index < f->end)
			return WALK_FOUND;
	}
	for (int i = 0; i < 3; i++) {
		r = walk_once(mm, index, &w, &f->leaf);
		f->last = w.last;
		if (r == WALK_NONE || r == WALK_ERROR)
			break;
		if (r == WALK_FOUND && vma_read(w.entry, mm, f) && index >= f->start && index < f->end)
			break;
		r = WALK_ERROR; /* it changed under us: again */
	}
	return r;
}

/* ---- rows */

static __always_inline __u64 found_anchor(const struct found *f)
{
	return f->flags & VM_GROWSDOWN ? f->end : f->start;
}

/* The path of @file from the root of its mount namespace's tree, if it is new. */
static __noinline int file_learn(struct scratch *sc, __u64 file_addr, const struct vml_file_key *key)
{
	struct file *file = (void *)file_addr;
	struct dentry *dentry, *parent;
	struct vfsmount *vfsmnt;
	struct mount *mnt, *up;

	if (!can_read_names || bpf_map_lookup_elem(&files, key))
		return 0;
	dentry = BPF_CORE_READ(file, f_path.dentry);
	vfsmnt = BPF_CORE_READ(file, f_path.mnt);
	mnt = (void *)vfsmnt - bpf_core_field_offset(struct mount, mnt);
	path_begin(&sc->path);
	for (int i = 0; i < VML_PATH_DEPTH; i++) {
		parent = BPF_CORE_READ(dentry, d_parent);
		if (dentry == BPF_CORE_READ(mnt, mnt.mnt_root)) {
			up = BPF_CORE_READ(mnt, mnt_parent);
			if (up == mnt || !up)
				goto done;
			dentry = BPF_CORE_READ(mnt, mnt_mountpoint);
			mnt = up;
			continue;
		}
		if (!path_add(&sc->path, BPF_CORE_READ(dentry, d_name.name)))
			goto done;
		if (dentry == parent) /* memfd, SYSV shm: no directory */
			goto done;
		dentry = parent;
	}
	sc->path.truncated = 1;
done:
	path_end(&sc->path);
	if (bpf_map_update_elem(&files, key, &sc->path, BPF_NOEXIST) && !bpf_map_lookup_elem(&files, key))
		core_lose(VML_LOSS_FILE_MAP_FULL);
	return 0;
}

static __noinline __u32 vma_kind(__u64 mm_addr, const struct found *f, bool file, bool ops)
{
	struct mm_struct *mm = AS(mm_struct, mm_addr);
	__u64 stack = mm->start_stack;

	if (file)
		return VML_VMA_FILE;
	if ((f->start <= stack && stack <= f->end) || f->flags & VM_GROWSDOWN)
		return VML_VMA_STACK;
	if (f->start < mm->brk && f->end > mm->start_brk)
		return VML_VMA_HEAP;
	if (f->start == (__u64)mm->context.vdso)
		return VML_VMA_VDSO;
	return ops ? VML_VMA_SPECIAL : VML_VMA_ANON;
}

static __always_inline int vma_describe(struct scratch *sc, __u64 mm, const struct found *f, struct vml_vma_value *v)
{
	struct vm_area_struct *vma = AS(vm_area_struct, f->vma);

	v->start = f->start;
	v->end = f->end;
	v->flags = f->flags;
	v->pgoff = vma->vm_pgoff;
	v->file_cookie = f->file;
	v->file.inode = 0;
	v->file.dev = 0;
	if (f->file) {
		struct inode *inode = AS(file, f->file)->f_inode;

		v->file.inode = inode->i_ino;
		v->file.dev = inode->i_sb->s_dev;
		file_learn(sc, f->file, &v->file);
	}
	v->kind = vma_kind(mm, f, f->file != 0, vma->vm_ops != NULL);
	return 0;
}

/* Where counts go when the map is full; made by the loader. */
static __always_inline struct vml_vma_value *row_of_untracked(void)
{
	struct vml_vma_key key = {};

	return bpf_map_lookup_elem(&vmas, &key);
}

/* A row for @key; @f NULL: no VMA, @kind says why. */
static __noinline struct vml_vma_value *row_new(const struct vml_vma_key *key, __u64 mm, const struct found *f,
						__u32 kind)
{
	struct scratch *sc = scratch_get();
	struct vml_vma_value *v;

	if (!sc)
		return NULL;
	/* the scratch value has zero counts: nobody writes them there */
	v = &sc->value;
	v->start = v->end = v->flags = v->pgoff = v->file_cookie = 0;
	v->file.inode = 0;
	v->file.dev = 0;
	v->kind = kind;
	if (f)
		vma_describe(sc, mm, f, v);
	bpf_map_update_elem(&vmas, key, v, BPF_NOEXIST);
	return bpf_map_lookup_elem(&vmas, key);
}

/* The row exists and describes the VMA as it is now.  Global, as above. */
__noinline int vma_row_ensure(const struct vml_vma_key *key, __u64 mm, const struct found *f, __u32 kind)
{
	struct vml_vma_value *v;
	struct scratch *sc;

	if (!key || !have_rdonly_cast)
		return 0;
	v = bpf_map_lookup_elem(&vmas, key);
	if (!v) {
		row_new(key, mm, f, kind);
		return 0;
	}
	if (!f || (v->end == f->end && v->flags == f->flags && v->start == f->start && v->file_cookie == f->file))
		return 0;
	sc = scratch_get();
	if (sc)
		vma_describe(sc, mm, f, v);
	return 0;
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

/* ---- why a fault fell back */

__hidden bool vma_held_still(struct vml_thread *th, struct mm_struct *mm)
{
	__u32 seq = compat_mm_seq(mm);

	return th->vma_len && seq == th->vma_seq && !compat_mm_writer(mm, seq);
}

static __always_inline bool always_retries(__u64 vma, __u64 flags)
{
	struct vm_operations_struct *ops = (void *)AS(vm_area_struct, vma)->vm_ops;

	return ops && !(flags & VM_HUGETLB) && !AS(vm_operations_struct, ops)->map_pages;
}

__hidden bool vma_always_retries(struct vml_thread *th)
{
	return have_rdonly_cast && th->vma && always_retries(th->vma, th->vma_flags);
}

/* The lookup found a VMA and was refused, or may have been: by what is still there. */
static __always_inline __u32 refusal_cause(struct vml_thread *th, __u64 vma, __u32 seq, bool written, bool exact)
{
	__u32 vma_seq = compat_vma_seq(vma);

	/* write-locked now, or in a hold that ended since */
	if (vma_seq == seq || (written && vma_seq - th->vma_seq < seq - th->vma_seq))
		return VML_CAUSE(VML_WRITE_LOCKED, exact);
	if (compat_vma_busy(vma))
		return VML_CAUSE(VML_BUSY, exact);
	/* refused all the same, and the last writer of all had locked this VMA */
	if (exact && seq - vma_seq == 1)
		return VML_CAUSE(VML_WRITE_LOCKED, 0);
	return VML_NCAUSES;
}

/* The lock was given up by itself: by what the mapping is. */
static __always_inline __u32 retry_cause(struct vml_thread *th, const struct found *f, bool written, bool exact)
{
	if (th->trylock_failed)
		return VML_CAUSE(VML_ANON_VMA, 0);
	if (always_retries(f->vma, f->flags))
		return VML_CAUSE(VML_NO_MAP_PAGES, exact);
	if (f->flags & VM_UFFD)
		return VML_CAUSE(VML_USERFAULTFD, 0);
	if (!written && f->file)
		return VML_CAUSE(VML_FILE_IO, 0);
	return VML_CAUSE(VML_RACED, 0);
}

/* A VML_CAUSE(); VML_NCAUSES: without VMA locks nothing fell back. */
static __always_inline __u32 vma_cause(struct vml_thread *th, struct mm_struct *mm, __u32 outcome)
{
	__u32 seq = compat_mm_seq(mm), cause = VML_NCAUSES;
	struct found f = {};
	__u64 mm_addr;
	bool written;

	if (!have_rdonly_cast || !compat_has_vma_lock())
		return VML_NCAUSES;
	/* somebody held mmap_lock for write since the fault looked, or holds it */
	written = seq != th->vma_seq || compat_mm_writer(mm, seq);
	mm_addr = *(volatile __u64 *)&th->vma_mm;
	/* still nothing there after the lookup: then it found nothing either */
	if (th->lookup < VML_NREASONS)
		return VML_CAUSE(th->lookup, outcome == OUTCOME_ABORT &&
						     (!written || vma_walk(mm_addr, th->fault_addr, &f) == WALK_NONE));
	/* the VMA may be another one by now: split, merged */
	switch (vma_walk(mm_addr, th->fault_addr, &f)) {
	case WALK_FOUND:
		break;
	case WALK_NONE:
		return VML_CAUSE(VML_RANGE_MOVED, 0);
	default:
		/* a writer is changing it, and it locks a VMA before it changes it */
		return VML_CAUSE(written ? VML_WRITE_LOCKED : VML_RACED, 0);
	}
	if (outcome != OUTCOME_RETRY)
		cause = refusal_cause(th, f.vma, seq, written, outcome == OUTCOME_ABORT);
	if (cause < VML_NCAUSES)
		return cause;
	if (outcome == OUTCOME_ABORT)
		return VML_CAUSE(VML_RACED, 0);
	return retry_cause(th, &f, written, outcome == OUTCOME_RETRY);
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

__noinline int vma_explain(struct vml_thread *th, __u32 outcome)
{
	struct mm_struct *mm = bpf_get_current_task_btf()->mm;

	return th && mm ? vma_reason(th, vma_cause(th, mm, outcome)) : 0;
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

__hidden __u32 vma_readers(__u64 vma)
{
	return have_rdonly_cast ? compat_vma_readers(vma) : 0;
}

#define RWSEM_SEARCH 64

__noinline __u64 vma_of_rwsem(__u64 mm, __u64 sem, __u64 at, __u32 *ret_readers)
{
	struct found f = {};

	if (!have_rdonly_cast || !ret_readers || !compat_vma_lock_is_rwsem())
		return 0;
	for (int i = 0; i < RWSEM_SEARCH; i++) {
		int r = vma_walk(mm, at, &f);

		if (r == WALK_FOUND) {
			if (compat_vma_rwsem(f.vma) == sem) {
				*ret_readers = compat_rwsem_readers(sem);
				return f.vma;
			}
			at = f.end;
		} else if (r == WALK_NONE && f.last != ~0ULL) {
			at = f.last + 1;
		} else {
			break;
		}
	}
	return 0;
}
