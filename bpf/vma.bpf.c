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

/*
 * The verifier lets a program load through such a pointer directly, at one
 * instruction instead of a call of bpf_probe_read_kernel() (measured on 256
 * VMAs in turn: the walk costs a third); a bad address reads as 0.  Kernels
 * without it (6.1) show no VMAs: have_rdonly_cast is set before the load.
 */
void *bpf_rdonly_cast(const void *obj, __u32 btf_id) __ksym __weak;
const volatile __u32 have_rdonly_cast;
#define AS(type, addr) ((struct type *)bpf_rdonly_cast((void *)(addr), bpf_core_type_id_kernel(struct type)))

static __always_inline struct scratch *scratch_get(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&vma_scratch, &zero);
}

/* ---- the walk */

enum walk_result { WALK_FOUND, WALK_NONE, WALK_DEAD, WALK_ERROR, WALK_DOWN };

struct walk {
	__u64 entry; /* what the slot holds */
	__u64 last; /* last address of its range */
};

static __always_inline bool is_node(__u64 entry)
{
	return (entry & 3) == 2 && entry > 4096;
}

/*
 * The slot of node @n whose range covers @index: the first whose pivot is not
 * below it, else the last one in use.  Offsets must be constants for the
 * verifier, so the loops are unrolled.
 */
#define SLOT_FIND(n, pivots, end, index, entry, hi)                            \
	_Pragma("clang loop unroll(full)") for (int i = 0; i <= (pivots); i++) \
	{                                                                      \
		if (i == (pivots) || (__u64)i >= (end)) {                      \
			(entry) = (__u64)(n)->slot[i];                         \
			break;                                                 \
		}                                                              \
		if ((n)->pivot[i] >= (index)) {                                \
			(hi) = (n)->pivot[i];                                  \
			(entry) = (__u64)(n)->slot[i];                         \
			break;                                                 \
		}                                                              \
	}

/*
 * One level down: from the node in w->entry, which ends at w->last, to the slot
 * that covers @index.  WALK_DOWN while there is more.  A global function: the
 * verifier checks it once, not once for every way that leads to a call.
 */
__noinline int vma_walk_step(struct walk *w, __u64 index)
{
	__u64 node, type, end, entry = 0, hi;

	if (!w || !have_rdonly_cast)
		return WALK_ERROR;
	node = w->entry & ~255ULL;
	type = (w->entry >> 3) & 15;
	hi = w->last;
	if (type == maple_arange_64) {
		struct maple_arange_64 *n = AS(maple_arange_64, node);

		end = n->meta.end;
		SLOT_FIND(n, 9, end, index, entry, hi);
	} else if (type == maple_leaf_64 || type == maple_range_64) {
		struct maple_range_64 *n = AS(maple_range_64, node);

		/* ma_data_end(); meta overlays the last slot, as which the verifier would read it */
		end = n->pivot[14] ? (n->pivot[14] == hi ? 14 : 15)
				   : AS(maple_metadata, node + bpf_core_field_offset(struct maple_range_64, meta))->end;
		SLOT_FIND(n, 15, end, index, entry, hi);
	} else {
		return WALK_ERROR;
	}
	w->entry = entry;
	w->last = hi;
	/* a node that was replaced points to itself: what was read may be torn */
	if (((__u64)AS(maple_arange_64, node)->parent & ~255ULL) == node)
		return WALK_DEAD;
	if (type != maple_leaf_64)
		return WALK_DOWN;
	return !entry || (entry & 3) == 2 ? WALK_NONE : WALK_FOUND;
}

static __always_inline int walk_once(__u64 mm, __u64 index, struct walk *w)
{
	int r = WALK_DOWN;

	w->entry = (__u64)AS(mm_struct, mm)->mm_mt.ma_root;
	w->last = ~0ULL;
	if (!is_node(w->entry))
		return WALK_NONE;
	for (int depth = 0; depth < WALK_DEPTH; depth++) {
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
	for (int i = 0; i < 3; i++) {
		r = walk_once(mm, index, &w);
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
static __noinline int file_learn(struct scratch *sc, struct file *file, const struct vml_file_key *key)
{
	struct dentry *dentry, *parent;
	struct vfsmount *vfsmnt;
	struct mount *mnt, *up;

	if (bpf_map_lookup_elem(&files, key))
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

static __noinline int vma_describe(struct scratch *sc, __u64 mm, const struct found *f, struct vml_vma_value *v)
{
	struct vm_area_struct *vma = (void *)f->vma;
	struct file *file = (void *)f->file;

	v->start = f->start;
	v->end = f->end;
	v->flags = f->flags;
	v->pgoff = BPF_CORE_READ(vma, vm_pgoff);
	v->file_cookie = (__u64)file;
	v->file.inode = 0;
	v->file.dev = 0;
	if (file) {
		v->file.inode = BPF_CORE_READ(file, f_inode, i_ino);
		v->file.dev = BPF_CORE_READ(file, f_inode, i_sb, s_dev);
		file_learn(sc, file, &v->file);
	}
	v->kind = vma_kind(mm, f, file != NULL, BPF_CORE_READ(vma, vm_ops) != NULL);
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

__hidden int vma_flush(struct vml_thread *th)
{
	struct vml_counts c = th->pending;
	struct vml_vma_value *v;

	if (!(c.faults_user | c.faults_kernel | c.fallbacks | c.bypasses))
		return 0;
	th->pending.faults_user = 0;
	th->pending.faults_kernel = 0;
	th->pending.fallbacks = 0;
	th->pending.bypasses = 0;
	barrier_memory(); /* see struct vml_thread: a reader must not see a fault twice */
	th->count.fallbacks += c.fallbacks;
	th->count.bypasses += c.bypasses;
	barrier_memory(); /* and never faults without the fallbacks among them */
	th->count.faults_user += c.faults_user;
	th->count.faults_kernel += c.faults_kernel;
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
	core_atomic_add(&v->count.fallbacks, c.fallbacks);
	core_atomic_add(&v->count.bypasses, c.bypasses);
	core_atomic_add(&v->count.faults_user, c.faults_user);
	core_atomic_add(&v->count.faults_kernel, c.faults_kernel);
	return 0;
}

/* ---- why a fault fell back, from what can still be seen; always inferred */

static __always_inline __u32 fallback_reason(struct vml_thread *th, struct mm_struct *mm)
{
	__u32 seq = compat_mm_seq(mm), vma_seq;
	struct vm_area_struct *vma;
	struct found f = {};
	__u64 mm_addr, ops;
	bool written;

	if (!have_rdonly_cast || !compat_has_vma_lock())
		return VML_NREASONS; /* without VMA locks nothing fell back */
	if (th->lookup < VML_NREASONS)
		return th->lookup;
	/* somebody held mmap_lock for write since the fault looked, or holds it */
	written = seq != th->vma_seq || compat_mm_writer(mm, seq);
	mm_addr = *(volatile __u64 *)&th->vma_mm;
	/* the VMA may be another one by now: split, merged */
	switch (vma_walk(mm_addr, th->fault_addr, &f)) {
	case WALK_FOUND:
		break;
	case WALK_NONE:
		return VML_RANGE_MOVED;
	default:
		/* a writer is changing it, and it locks a VMA before it changes it */
		return written ? VML_WRITE_LOCKED : VML_RACED;
	}
	vma_seq = compat_vma_seq(f.vma);
	/* write-locked now, or in a hold that ended since */
	if (vma_seq == seq || (written && vma_seq - th->vma_seq < seq - th->vma_seq))
		return VML_WRITE_LOCKED;
	if (compat_vma_busy(f.vma))
		return VML_BUSY;
	if (th->trylock_failed)
		return VML_ANON_VMA;
	vma = (void *)f.vma;
	ops = (__u64)BPF_CORE_READ(vma, vm_ops);
	if (ops && !(f.flags & VM_HUGETLB) && !BPF_CORE_READ(vma, vm_ops, map_pages))
		return VML_NO_MAP_PAGES;
	if (f.flags & VM_UFFD)
		return VML_USERFAULTFD;
	if (!written && f.file)
		return VML_FILE_IO;
	return VML_RACED;
}

__hidden int vma_fallback(struct vml_thread *th, struct mm_struct *mm)
{
	__u32 reason = fallback_reason(th, mm);
	struct vml_vma_value *v;

	th->trylock_failed = 0;
	if (reason >= VML_NREASONS)
		return 0;
	th->reason[reason]++;
	v = bpf_map_lookup_elem(&vmas, &th->row);
	if (v)
		core_atomic_add32(&v->reason[reason], 1);
	return 0;
}

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
