// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Waits and holds that go on, for the iterator: their thread runs on another CPU meanwhile. */
#include "core.bpf.h"
#include "compat.bpf.h"

static __noinline __u8 task_state(struct task_struct *task)
{
	__u32 state = task->__state;

	if (!state)
		return compat_on_cpu(task) ? VML_TASK_RUNNING : VML_TASK_RUNNABLE;
	return state & 2 ? VML_TASK_BLOCKED : VML_TASK_SLEEPING; /* TASK_UNINTERRUPTIBLE */
}

static __noinline int slot_goes_on(struct task_struct *task, struct vml_thread *th, struct vml_slot *s,
				   struct vml_task_record *r)
{
	__u64 now = bpf_ktime_get_ns(), mm = s->mm, wait = 0;
	__u64 since = *(volatile __u64 *)&s->hold.since_ns;
	bool wait_write, hold_write;
	struct vml_blame b = {};
	struct vml_mm *m;
	__u32 doing;

	m = bpf_map_lookup_elem(&ledgers, &mm);
	if (!m)
		return 0;
	/* of that hold, if it is still the one when the ledger is locked */
	barrier_memory();
	doing = since ? blame_doing(task, th, s->context) : 0;
	barrier_memory();
	bpf_spin_lock(&m->lock);
	if (s->wait.since_ns && s->wait.id == m->ledger.id) {
		wait = vml_ledger_advance(&m->ledger, now) - s->wait.since_ns;
		/* who got the lock and waits for a CPU is the next owner */
		if (!m->ledger.holding && r->now.state == VML_TASK_RUNNABLE)
			vml_ledger_split(&m->ledger, ~0ULL >> 20);
	}
	if (since && s->hold.since_ns == since)
		vml_ledger_charge(&m->ledger, &s->hold, now, &b);
	wait_write = s->wait_write;
	hold_write = s->hold_write;
	bpf_spin_unlock(&m->lock);
	if (wait) {
		r->lock[wait_write ? VML_MMAP_WRITE_WAIT : VML_MMAP_READ_WAIT].sum_ns += wait;
		if (wait > r->now.wait_ns) {
			r->now.wait_ns = wait;
			r->now.wait_write = wait_write;
			r->now.wait_target = m->owner;
		}
	}
	if (b.hold_ns) {
		r->lock[hold_write ? VML_MMAP_WRITE_HOLD : VML_MMAP_READ_HOLD].sum_ns += b.hold_ns;
		if (!r->now.hold_ns || b.blamed_ns > r->now.blamed_ns) {
			r->now.hold_ns = b.hold_ns;
			r->now.blamed_ns = b.blamed_ns;
			r->now.foreign_ns = b.foreign_ns;
			r->now.avoidable_ns = b.avoidable_ns;
			r->now.victims = b.victims;
			r->now.holds.proc = th->row.proc;
			r->now.holds.start_ns = th->start_ns;
			r->now.holds.tid = th->tid;
			r->now.holds.doing = doing;
			r->now.holds.target = m->owner;
			r->now.holds.write = hold_write;
		}
	}
	return 0;
}

__hidden int lock_goes_on(struct task_struct *task, struct vml_thread *th, struct vml_task_record *r)
{
	r->now.wait_ns = 0;
	r->now.hold_ns = 0;
	r->now.blamed_ns = 0;
	r->now.state = task_state(task);
	for (int i = 0; i < VML_SLOTS; i++)
		if (*(volatile __u64 *)&th->slot[i].mm)
			slot_goes_on(task, th, &th->slot[i], r);
	return 0;
}
