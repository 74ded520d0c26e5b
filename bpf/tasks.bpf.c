// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * One pass over all threads: the iterator writes a struct vml_task_record for
 * each thread that has storage, followed by its histograms if they changed; and one over
 * the rows of VMAs, key and value of those that changed.
 */
#include "core.bpf.h"
#include "compat.bpf.h"

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct vml_task_record);
} task_scratch SEC(".maps");

/* What a thread begins with; all but who it is stays 0. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct vml_thread);
} adopted SEC(".maps");

#define READ_ONCE(x) (*(volatile typeof(x) *)&(x))

/* Made another one when the collector lost what it was told: everything is said again. */
__u32 emit_generation = 1;

/* @mark: of the numbers as they are. */
static __always_inline bool was_said(const struct vml_emitted *e, __u64 mark)
{
	return e->mark == mark && e->state == (emit_generation << 1 | 1);
}

static __always_inline void say(struct vml_emitted *e, __u64 mark)
{
	e->state = emit_generation << 1 | (e->mark == mark && e->state >> 1 == emit_generation);
	e->mark = mark;
}

/* Of marks that differ in one word only none are the same, as the factor is odd. */
static __always_inline __u64 mark_add(__u64 mark, __u64 word)
{
	return (mark ^ word) * 0x9e3779b97f4a7c15ULL;
}

static __always_inline __u64 mark_counts(__u64 mark, const struct vml_counts *c)
{
	mark = mark_add(mark, c->faults_user);
	mark = mark_add(mark, c->faults_kernel);
	mark = mark_add(mark, c->fallbacks);
	mark = mark_add(mark, c->aborts);
	mark = mark_add(mark, c->retries);
	mark = mark_add(mark, c->bypasses);
	return mark_add(mark, c->misses);
}

/* None of them falls. */
static __always_inline __u64 mark_reasons(__u64 mark, const __u32 reason[VML_NCAUSES])
{
	__u64 sum = 0;

	for (int i = 0; i < VML_NCAUSES; i++)
		sum += reason[i];
	return mark_add(mark, sum);
}

/*
 * The counts of a thread that may be running.  The order of reading, with the
 * order of writing in core.bpf.c and vma_row.bpf.c, keeps every result at or below
 * the truth: what moves is cleared before it is added, faults are read before
 * the fallbacks among them.
 *
 * Left out is the fault whose outcome is not known yet: a user fault while the task is
 * still where it faulted and has not counted it, a kernel-mode fault until it takes the
 * lock.  Where it is does not tell alone: the registers of a task in user mode are those
 * of when it last came to the kernel, by a fault long over, or by a tick in the same
 * instruction, which fills or copies memory (rep stos).  Nor does what the task counts:
 * that has no fault that failed.
 */
static __always_inline void read_counts(struct task_struct *task, struct vml_thread *th, struct vml_task_record *r)
{
	struct pt_regs *regs = (void *)bpf_task_pt_regs(task);
	__u32 fault, flushes = READ_ONCE(th->flushes);
	bool in_flight;

	/* before the counts of the same faults */
	r->task_faults = core_task_faults(task) - th->task_faults;
	r->torn = 0;
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
	in_flight = fault == VML_FAULT_USER && core_fault_watched(th) && compat_entry(regs) == VML_NO_SYSCALL &&
		    compat_ip(regs) == READ_ONCE(th->fault_ip) && core_task_faults(task) == READ_ONCE(th->fault_tasks);
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
		r->torn = 1;
		return;
	}
	/* pending may be of another row than was read, or vma_settle() may yet find its row */
	if (READ_ONCE(th->row.anchor) != r->row.anchor || r->row.anchor == VML_ANCHOR_UNKNOWN)
		r->row.anchor = 0;
	if (in_flight && r->pending.faults_user)
		r->pending.faults_user--;
	else if (fault == VML_FAULT_KERNEL && r->pending.faults_kernel)
		r->pending.faults_kernel--;
	else
		return;
	/* the task may have counted it already: then it would be taken for one that was not seen */
	if (r->task_faults)
		r->task_faults--;
}

/*
 * Threads that were never seen do fault unseen while the hooks are away.  What the storage
 * begins with is there as soon as it is: its thread may run and find it.
 */
static __noinline struct vml_thread *adopt(struct task_struct *task)
{
	struct vml_thread *th;
	__u32 zero = 0;

	if (!task->mm || task->flags & (PF_KTHREAD | PF_EXITING))
		return NULL;
	th = bpf_map_lookup_elem(&adopted, &zero);
	if (!th)
		return NULL;
	th->task_faults = task->start_boottime > enabled_ns ? 0 : core_task_faults(task);
	process_identify(task, th);
	th = bpf_task_storage_get(&threads, task, th, BPF_LOCAL_STORAGE_GET_F_CREATE);
	if (!th) {
		core_lose(VML_LOSS_THREAD_STORAGE);
		return NULL;
	}
	process_join(task, th);
	return th;
}

/* Counts and the reasons that belong to them.  False: the thread went on in between. */
static __noinline bool read_faults(struct task_struct *task, struct vml_thread *th, struct vml_task_record *r)
{
	struct vml_counts *p = &th->pending;

	read_counts(task, th, r);
	for (int i = 0; i < VML_NCAUSES; i++)
		r->reason[i] = READ_ONCE(th->reason[i]);
	barrier_memory();
	return r->torn ||
	       (READ_ONCE(p->fallbacks) == r->pending.fallbacks && READ_ONCE(p->aborts) == r->pending.aborts &&
		READ_ONCE(p->retries) == r->pending.retries && READ_ONCE(p->bypasses) == r->pending.bypasses);
}

/* What the record of a thread says of it. */
static __always_inline __u64 mark_thread(const struct vml_thread *th, const struct vml_task_record *r)
{
	__u64 mark = mark_reasons(mark_counts(mark_counts(0, &r->count), &r->pending), r->reason);

	for (int i = 0; i < VML_NLOCKSTATS; i++)
		mark = mark_add(mark, th->lock[i].count);
	mark = mark_add(mark, r->task_faults);
	mark = mark_add(mark, th->lock_events);
	mark = mark_add(mark, th->lock_failed);
	mark = mark_add(mark, th->write_readers);
	mark = mark_add(mark, r->row.anchor);
	return mark_add(mark, (__u64)r->proc.exec << 32 | r->proc.pid);
}

/*
 * The first thread of a process says also what the process is now: when it is gone, all do.
 * Waits and holds that go on grow.
 */
static __always_inline bool may_be_brief(struct task_struct *task, const struct vml_thread *th,
					 const struct vml_task_record *r)
{
	for (int i = 0; i < VML_SLOTS; i++)
		if (READ_ONCE(th->slot[i].mm))
			return false;
	return !r->leader && !r->torn && task->group_leader->mm;
}

SEC("iter/task")
int iter_tasks(struct bpf_iter__task *ctx)
{
	struct task_struct *task = ctx->task;
	struct seq_file *seq = ctx->meta->seq;
	struct vml_task_record *r;
	struct vml_thread *th;
	__u64 lock_events, mark;
	__u32 zero = 0;

	if (!task)
		return 0;
	th = bpf_task_storage_get(&threads, task, NULL, 0);
	if (!th && adopting)
		th = adopt(task);
	r = bpf_map_lookup_elem(&task_scratch, &zero);
	/* of one that is just being made it is not known who it is, and since when it counts */
	if (!th || !r || adopting == VML_ADOPT_ALL || READ_ONCE(th->joined) == VML_JOINED_NOT_YET)
		return 0;
	if (READ_ONCE(th->folded)) {
		r->proc = th->row.proc;
		r->folded = 1;
		r->same = 0;
		r->has_hist = 0;
		bpf_seq_write(seq, r, VML_TASK_BRIEF);
		return 0;
	}
	r->folded = 0;
	r->same = 0;
	r->proc = th->row.proc;
	r->start_ns = th->start_ns;
	r->tid = th->tid;
	r->leader = th->tid == th->row.proc.pid;
	r->exited = 0;
	if (!read_faults(task, th, r) && !read_faults(task, th, r))
		read_faults(task, th, r);
	mark = mark_thread(th, r);
	if (was_said(&th->emitted, mark) && may_be_brief(task, th, r)) {
		r->same = 1;
		r->has_hist = 0;
		bpf_seq_write(seq, r, VML_TASK_BRIEF);
		return 0;
	}
	r->uid = task->cred->uid.val;
	r->threads = task->signal->nr_threads;
	r->mappings = task->mm->map_count; /* 0 without an mm: the load of a NULL pointer's field reads 0 */
	r->cgroup_id = process_cgroup(task);
	r->ns_pid = process_ns_pid(task);
	task_comm(r->comm, task);
	lock_events = th->lock_events;
	barrier_memory();
	r->lock_events = lock_events;
	r->lock_failed = th->lock_failed;
	r->write_readers = th->write_readers;
	for (int i = 0; i < VML_NLOCKSTATS; i++)
		r->lock[i] = th->lock[i];
	barrier_memory(); /* what ends in between is in neither */
	lock_goes_on(task, th, r);
	/* those that were said are in vain when the generation changed */
	r->has_hist = lock_events != th->emitted_hists || (lock_events && th->emitted.state >> 1 != emit_generation);
	if (bpf_seq_write(seq, r, sizeof(*r)))
		return 0; /* the buffer is full: the task comes again */
	if (r->has_hist && bpf_seq_write(seq, th->hist, sizeof(th->hist)))
		return 0;
	th->emitted_hists = lock_events;
	say(&th->emitted, mark);
	return 0;
}

/* ---- rows of VMAs */

SEC("iter/bpf_map_elem")
int iter_vmas(struct bpf_iter__bpf_map_elem *ctx)
{
	struct seq_file *seq = ctx->meta->seq;
	struct vml_vma_value *v = ctx->value;
	struct vml_vma_key *key = ctx->key;
	__u64 mark;

	if (!key || !v)
		return 0;
	/* reasons come before what the thread has counted and not yet added to the row */
	mark = mark_reasons(mark_counts(0, &v->count), v->reason);
	mark = mark_add(mark, v->start);
	mark = mark_add(mark, v->end);
	mark = mark_add(mark, v->flags);
	mark = mark_add(mark, v->file_cookie);
	mark = mark_add(mark, v->pgoff);
	mark = mark_add(mark, v->wait.count);
	if (was_said(&v->emitted, mark) || bpf_seq_write(seq, key, sizeof(*key)) || bpf_seq_write(seq, v, sizeof(*v)))
		return 0;
	say(&v->emitted, mark);
	return 0;
}
