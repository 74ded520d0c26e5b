// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Durations that are not those of mmap_lock: serving a fault, waiting for a
 * userfaultfd monitor or for a page, by process; write-locking a VMA that has
 * readers, by thread and VMA.
 */
#include "core.bpf.h"
#include "compat.bpf.h"

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, VML_MAX_ROWS);
	__type(key, struct vml_proc_key);
	__type(value, struct vml_times_value);
} times SEC(".maps");

static const struct vml_times_value no_times;

__noinline int time_spent(struct vml_thread *th, __u32 which, __u64 ns)
{
	__u32 i = core_hist_index(ns), t = which - VML_NLOCKSTATS;
	struct vml_times_value *v;
	struct vml_proc_key key;

	if (!th)
		return 0;
	key = th->row.proc;
	v = bpf_map_lookup_elem(&times, &key);
	if (!v) {
		row_add(&times, &key, &no_times, ROWS_LIMIT_OTHERS);
		v = bpf_map_lookup_elem(&times, &key);
	}
	if (!v)
		return core_lose(VML_LOSS_TIME_MAP_FULL);
	/* or the compiler checks before and scales what it did not check */
	asm volatile("" : "+r"(t), "+r"(i));
	if (t >= VML_NPROCTIMES || i >= VML_HIST_BUCKETS)
		return 0;
	core_atomic_add(&v->sum[t].count, 1);
	core_atomic_add(&v->sum[t].sum_ns, ns);
	core_atomic_max(&v->sum[t].max_ns, ns);
	core_atomic_add32(&v->hist[t][i], 1);
	return 0;
}

/* ---- functions that wait for something else than a lock */

__hidden int core_time_enter(__u32 which)
{
	struct vml_thread *th;
	__u64 *since;

	if (!enabled)
		return 0;
	th = core_thread(bpf_get_current_task_btf());
	if (!th)
		return 0;
	since = which == VML_IN_USERFAULTFD ? &th->uffd_ns : &th->io_ns;
	if (*since) /* the last one was left and not seen to be */
		core_lose(VML_LOSS_RETURN_UNSEEN);
	*since = bpf_ktime_get_ns();
	return 0;
}

__hidden int core_time_exit(__u32 which, bool spent)
{
	struct vml_thread *th;
	__u64 *since, then;

	if (!enabled)
		return 0;
	th = bpf_task_storage_get(&threads, bpf_get_current_task_btf(), NULL, 0);
	if (!th)
		return 0;
	since = which == VML_IN_USERFAULTFD ? &th->uffd_ns : &th->io_ns;
	then = *since;
	*since = 0;
	if (then && spent)
		time_spent(th, which, core_since(bpf_ktime_get_ns(), then));
	return 0;
}

/* ---- write locks of VMAs */

static __noinline int write_begin(struct vml_thread *th, __u64 vma, __u32 readers)
{
	th->write_vma = vma;
	th->write_found = readers;
	th->write_ns = bpf_ktime_get_ns();
	return 0;
}

static __noinline int write_end(struct vml_thread *th)
{
	__u64 ns = core_since(bpf_ktime_get_ns(), th->write_ns);

	th->lock_events++;
	th->write_readers += th->write_found;
	core_account(th, VML_VMA_WRITE_WAIT, ns);
	vma_write_wait(th, ns);
	blame_vma_readers(&th->row.proc, ns);
	th->write_vma = 0;
	return 0;
}

__hidden int core_vma_write_enter(__u64 vma)
{
	struct vml_thread *th;
	__u32 readers;

	if (!enabled)
		return 0;
	readers = vma_readers(vma);
	if (likely(!readers))
		return 0;
	th = core_thread(bpf_get_current_task_btf());
	return th ? write_begin(th, vma, readers) : 0;
}

__hidden int core_vma_write_exit(void)
{
	struct vml_thread *th;

	if (!enabled)
		return 0;
	th = bpf_task_storage_get(&threads, bpf_get_current_task_btf(), NULL, 0);
	return th && th->write_vma ? write_end(th) : 0;
}

#define LCB_F_WRITE 4

/* Does the task hold mmap_lock of its own mm for write? */
static __always_inline bool holds_for_write(struct vml_thread *th, __u64 mm)
{
	for (int i = 0; i < VML_SLOTS; i++)
		if (th->slot[i].mm == mm)
			return th->slot[i].hold.since_ns && th->slot[i].hold_write;
	return false;
}

__hidden int core_rwsem_begin(__u64 sem, __u32 flags)
{
	struct task_struct *task;
	struct pt_regs *regs;
	struct vml_thread *th;
	__u32 readers = 0;
	__u64 vma, at;

	if (!enabled || !(flags & LCB_F_WRITE))
		return 0;
	task = bpf_get_current_task_btf();
	th = bpf_task_storage_get(&threads, task, NULL, 0);
	if (!th || !task->mm || !holds_for_write(th, (__u64)task->mm))
		return 0;
	/* near what the system call changes; what takes no address changes everything */
	regs = (void *)bpf_task_pt_regs(task);
	at = compat_syscall_arg0(regs);
	if (compat_entry(regs) == VML_NO_SYSCALL || at >> 56)
		at = 0;
	th->vma_mm = (__u64)task->mm;
	th->vma_len = 0;
	vma = vma_of_rwsem(*(volatile __u64 *)&th->vma_mm, sem, at, &readers);
	if (!vma)
		return 0; /* of a file or an anon_vma */
	th->write_sem = sem;
	return write_begin(th, vma, readers);
}

__hidden int core_rwsem_end(__u64 sem)
{
	struct vml_thread *th;

	if (!enabled)
		return 0;
	th = bpf_task_storage_get(&threads, bpf_get_current_task_btf(), NULL, 0);
	return th && th->write_vma && th->write_sem == sem ? write_end(th) : 0;
}
