// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * One pass over all threads: the iterator writes a struct vml_task_record for
 * each thread that has storage, followed by its histograms if they changed.
 */
#include "core.bpf.h"
#include "compat.bpf.h"

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct vml_task_record);
} task_scratch SEC(".maps");

#define READ_ONCE(x) (*(volatile typeof(x) *)&(x))

/*
 * The counts of a thread that may be running.  The order of reading, with the
 * order of writing in core.bpf.c and vma_row.bpf.c, keeps every result at or below
 * the truth: what moves is cleared before it is added, faults are read before
 * the fallbacks among them.
 *
 * Left out is the fault whose outcome is not known yet: a user fault while the
 * task is still where it faulted, a kernel-mode fault until it takes the lock.
 */
static __always_inline void read_counts(struct task_struct *task, struct vml_thread *th, struct vml_task_record *r)
{
	struct pt_regs *regs = (void *)bpf_task_pt_regs(task);
	__u32 fault, flushes = READ_ONCE(th->flushes);
	bool in_flight;

	barrier_memory();
	r->count.faults_user = READ_ONCE(th->count.faults_user);
	r->count.faults_kernel = READ_ONCE(th->count.faults_kernel);
	r->count.fallbacks = READ_ONCE(th->count.fallbacks);
	r->count.aborts = READ_ONCE(th->count.aborts);
	r->count.retries = READ_ONCE(th->count.retries);
	r->count.bypasses = READ_ONCE(th->count.bypasses);
	r->count.misses = READ_ONCE(th->count.misses);
	r->row = th->row;
	barrier_memory();
	r->pending.faults_user = READ_ONCE(th->pending.faults_user);
	r->pending.faults_kernel = READ_ONCE(th->pending.faults_kernel);
	fault = VML_FAULT_STATE(READ_ONCE(th->fault));
	barrier_memory();
	/* before the outcomes: a fault that is over now has its outcome there */
	in_flight = fault == VML_FAULT_USER && compat_entry(regs) == VML_NO_SYSCALL &&
		    compat_ip(regs) == READ_ONCE(th->fault_ip);
	barrier_memory();
	r->pending.fallbacks = READ_ONCE(th->pending.fallbacks);
	r->pending.aborts = READ_ONCE(th->pending.aborts);
	r->pending.retries = READ_ONCE(th->pending.retries);
	r->pending.bypasses = READ_ONCE(th->pending.bypasses);
	r->pending.misses = READ_ONCE(th->pending.misses);
	barrier_memory();
	if (flushes & 1 || READ_ONCE(th->flushes) != flushes) {
		/* it was on its way to the row meanwhile: faults and fallbacks may not belong together */
		__builtin_memset(&r->pending, 0, sizeof(r->pending));
		return;
	}
	/* pending may be of another row than was read, or vma_settle() may yet find its row */
	if (READ_ONCE(th->row.anchor) != r->row.anchor || r->row.anchor == VML_ANCHOR_UNKNOWN)
		r->row.anchor = 0;
	if (in_flight && r->pending.faults_user)
		r->pending.faults_user--;
	else if (fault == VML_FAULT_KERNEL && r->pending.faults_kernel)
		r->pending.faults_kernel--;
}

SEC("iter/task")
int iter_tasks(struct bpf_iter__task *ctx)
{
	struct task_struct *task = ctx->task;
	struct seq_file *seq = ctx->meta->seq;
	struct vml_task_record *r;
	struct vml_thread *th;
	__u64 lock_events;
	__u32 zero = 0;

	if (!task)
		return 0;
	th = bpf_task_storage_get(&threads, task, NULL, 0);
	r = bpf_map_lookup_elem(&task_scratch, &zero);
	if (!th || !r)
		return 0;
	if (READ_ONCE(th->folded)) {
		r->proc = th->row.proc;
		r->folded = 1;
		r->has_hist = 0;
		bpf_seq_write(seq, r, sizeof(*r));
		return 0;
	}
	r->folded = 0;
	r->proc = th->row.proc;
	r->start_ns = th->start_ns;
	r->tid = th->tid;
	r->leader = th->tid == th->row.proc.pid;
	r->exited = 0;
	r->uid = task->cred->uid.val;
	r->threads = task->signal->nr_threads;
	r->cgroup_id = process_cgroup(task);
	r->ns_pid = process_ns_pid(task);
	task_comm(r->comm, task);
	read_counts(task, th, r);
	lock_events = th->lock_events;
	barrier_memory();
	r->lock_events = lock_events;
	r->lock_failed = th->lock_failed;
	r->write_readers = th->write_readers;
	for (int i = 0; i < VML_NLOCKSTATS; i++)
		r->lock[i] = th->lock[i];
	barrier_memory(); /* what ends in between is in neither */
	lock_goes_on(task, th, r);
	for (int i = 0; i < VML_NCAUSES; i++)
		r->reason[i] = th->reason[i];
	r->has_hist = lock_events != th->emitted;
	if (bpf_seq_write(seq, r, sizeof(*r)))
		return 0; /* the buffer is full: the task comes again */
	if (r->has_hist && !bpf_seq_write(seq, th->hist, sizeof(th->hist)))
		th->emitted = lock_events;
	return 0;
}
