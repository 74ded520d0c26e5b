// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * From an address to a VMA, without a lock: mirrors mtree_range_walk() of
 * lib/maple_tree.c (same in 6.1 .. 7.3).  Every pointer may be stale, so a VMA is
 * believed only if it names this mm and covers the address.  And what such a VMA
 * tells: what it is, and why the kernel could not use its lock.
 */
#include "vma.bpf.h"
#include "compat.bpf.h"
#include "path.bpf.h"

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, VML_MAX_FILES);
	__type(key, struct vml_file_key);
	__type(value, struct vml_path);
} files SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct vml_path);
} file_scratch SEC(".maps");

const volatile __u32 have_rdonly_cast;

/* ---- the walk */

#define WALK_DEPTH 16 /* 65,530 mappings need 9 or 10 */
#define WALKS 3 /* while the tree changes under us */

static __always_inline bool is_node(__u64 entry)
{
	return (entry & 3) == 2 && entry > 4096;
}

static __always_inline __u32 node_type(__u64 entry)
{
	return entry >> 3 & 15;
}

/* A node that was replaced points to itself: what was read of it may be torn. */
static __always_inline bool node_is_dead(__u64 node)
{
	return ((__u64)AS(maple_arange_64, node)->parent & ~255ULL) == node;
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
 * One level down: from the inner node @at to its child that covers @index.  False
 * when it cannot be believed.  Inner nodes of the tree of an mm are all of one type.
 */
__noinline int vma_walk_down(struct vml_leaf *at, __u64 index)
{
	__u64 node, end, entry, first, last, node_last;
	struct maple_arange_64 *n;

	if (!at || !have_rdonly_cast || node_type(at->entry) != maple_arange_64)
		return false;
	node = at->entry & ~255ULL;
	first = at->first;
	last = node_last = at->last;
	n = AS(maple_arange_64, node);
	end = n->meta.end;
	SLOT_10(n);
	at->entry = entry;
	at->first = first;
	at->last = last;
	return !node_is_dead(node);
}

int vma_read(__u64 addr, __u64 mm, struct found *f)
{
	struct vm_area_struct *v;

	if (!f || !have_rdonly_cast)
		return false;
	v = AS(vm_area_struct, addr);
	f->vma = addr;
	f->start = v->vm_start;
	f->end = v->vm_end;
	f->flags = v->vm_flags;
	f->file = (__u64)v->vm_file;
	return (__u64)v->vm_mm == mm;
}

__noinline int vma_walk_leaf(__u64 mm, __u64 index, const struct vml_leaf *leaf, struct found *f)
{
	__u64 node, end, entry, first, last, node_last;
	struct maple_range_64 *n;

	if (!leaf || !f || !have_rdonly_cast)
		return WALK_ERROR;
	node = leaf->entry & ~255ULL;
	first = leaf->first;
	last = node_last = leaf->last;
	n = AS(maple_range_64, node);
	/* ma_data_end(); meta overlays the last slot, as which the verifier would read it */
	end = n->pivot[14];
	if (end)
		end = end == node_last ? 14 : 15;
	else
		end = AS(maple_metadata, node + bpf_core_field_offset(struct maple_range_64, meta))->end;
	SLOT_16(n);
	(void)first; /* of the slot: the VMA says it, and a gap is wanted for its end */
	if (node_is_dead(node))
		return WALK_ERROR;
	if (!entry || (entry & 3) == 2) {
		f->last = last;
		return WALK_NONE;
	}
	return vma_read(entry, mm, f) && index >= f->start && index < f->end ? WALK_FOUND : WALK_ERROR;
}

static __always_inline int walk_once(__u64 mm, __u64 index, struct vml_leaf *at, struct found *f)
{
	f->last = at->last = ~0ULL;
	at->first = 0;
	at->entry = (__u64)AS(mm_struct, mm)->mm_mt.ma_root;
	if (!is_node(at->entry))
		return WALK_NONE;
	for (int depth = 0; depth < WALK_DEPTH; depth++) {
		if (node_type(at->entry) == maple_leaf_64)
			return vma_walk_leaf(mm, index, at, f);
		if (!vma_walk_down(at, index))
			break;
	}
	return WALK_ERROR;
}

__noinline int vma_walk(__u64 mm, __u64 index, struct vml_leaf *leaf, struct found *f)
{
	int r = WALK_ERROR;

	if (!leaf || !f || !have_rdonly_cast)
		return WALK_ERROR;
	for (int i = 0; i < WALKS && r == WALK_ERROR; i++)
		r = walk_once(mm, index, leaf, f);
	return r;
}

/* ---- what it is */

struct file_walk {
	struct dentry *dentry;
	struct mount *mnt;
	struct vml_path *path;
	bool whole;
};

/* Adds a component, or steps from the root of a mount to where that is; 1: the end. */
static long file_up(__u32 i, struct file_walk *w)
{
	struct dentry *dentry = w->dentry, *parent = BPF_CORE_READ(dentry, d_parent);
	struct mount *mnt = w->mnt, *up;

	if (dentry == BPF_CORE_READ(mnt, mnt.mnt_root)) {
		up = BPF_CORE_READ(mnt, mnt_parent);
		w->whole = up == mnt || !up;
		w->dentry = BPF_CORE_READ(mnt, mnt_mountpoint);
		w->mnt = up;
		return w->whole;
	}
	/* the last: memfd, SYSV shm, which have no directory */
	w->whole = !path_add(w->path, BPF_CORE_READ(dentry, d_name.name)) || dentry == parent;
	w->dentry = parent;
	return w->whole;
}

/* The path of @file from the root of its mount namespace's tree, if it is new. */
static __noinline int file_learn(__u64 file_addr, const struct vml_file_key *key)
{
	struct file *file = (void *)file_addr;
	struct file_walk w = {};
	struct vml_path *path;
	struct vfsmount *mnt;
	__u32 zero = 0;

	if (!can_read_names || bpf_map_lookup_elem(&files, key))
		return 0;
	path = bpf_map_lookup_elem(&file_scratch, &zero);
	if (!path)
		return 0;
	mnt = BPF_CORE_READ(file, f_path.mnt);
	w.dentry = BPF_CORE_READ(file, f_path.dentry);
	w.mnt = (void *)mnt - bpf_core_field_offset(struct mount, mnt);
	w.path = path;
	path_begin(path);
	bpf_loop(VML_PATH_DEPTH, file_up, &w, 0);
	if (!w.whole)
		path->truncated = 1;
	path_end(path);
	if (bpf_map_update_elem(&files, key, path, BPF_NOEXIST) && !bpf_map_lookup_elem(&files, key))
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

__hidden int vma_describe(__u64 mm, const struct found *f, struct vml_vma_value *v)
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
		file_learn(f->file, &v->file);
	}
	v->kind = vma_kind(mm, f, f->file != 0, vma->vm_ops != NULL);
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
	struct vml_leaf leaf = {};
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
		return VML_CAUSE(th->lookup,
				 outcome == OUTCOME_ABORT &&
					 (!written || vma_walk(mm_addr, th->fault_addr, &leaf, &f) == WALK_NONE));
	/* the VMA may be another one by now: split, merged */
	switch (vma_walk(mm_addr, th->fault_addr, &leaf, &f)) {
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

__noinline int vma_explain(struct vml_thread *th, __u32 outcome)
{
	struct mm_struct *mm = bpf_get_current_task_btf()->mm;

	return th && mm ? vma_reason(th, vma_cause(th, mm, outcome)) : 0;
}

/* ---- its lock */

__hidden __u32 vma_readers(__u64 vma)
{
	return have_rdonly_cast ? compat_vma_readers(vma) : 0;
}

#define RWSEM_SEARCH 64

__noinline __u64 vma_of_rwsem(__u64 mm, __u64 sem, __u64 at, __u32 *ret_readers)
{
	struct vml_leaf leaf = {};
	struct found f = {};

	if (!have_rdonly_cast || !ret_readers || !compat_vma_lock_is_rwsem())
		return 0;
	for (int i = 0; i < RWSEM_SEARCH; i++) {
		int r = vma_walk(mm, at, &leaf, &f);

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
