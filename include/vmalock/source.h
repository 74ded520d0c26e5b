/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef VMALOCK_SOURCE_H
#define VMALOCK_SOURCE_H
/*
 * Where snapshots come from.  open, next, close; the live source (src/collect)
 * is the only one that needs privileges, a database is another.
 */
#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "vmalock/base.h"

struct vml_snapshot;
struct vml_caps;

struct vml_source {
	const struct vml_source_ops *ops;
};

struct vml_source_ops {
	/*
	 * A new snapshot of everything since open; the caller frees it.  The
	 * first one is the baseline and may hold rows already.
	 * -ENOMEM, -ENODATA at the end of a finite source, or what the kernel said.  Of a
	 * source that others feed also, and it may be asked again:
	 *   -EAGAIN   nothing is newer than the last one yet: in a moment
	 *   -ENOTCONN who feeds it does not answer (vml_source_why()): in a second
	 *   -ESTALE   who feeds it began anew: now, and the next one is a baseline again
	 */
	int (*next)(struct vml_source *s, struct vml_snapshot **ret);
	/* Frees @s; detaches whatever it attached. */
	void (*close)(struct vml_source *s);
	/* What can be seen; lives as long as @s. */
	const struct vml_caps *(*caps)(const struct vml_source *s);
	/* The two below; NULL: there are no hooks to detach. */
	int (*set_duty)(struct vml_source *s, unsigned int step);
	int64_t (*tick)(struct vml_source *s);
	/* NULL: there is no more to say than the errno. */
	const char *(*why)(const struct vml_source *s);
	/* The three below; NULL: it has only whole snapshots. */
	int (*next_delta)(struct vml_source *s, struct vml_snapshot **ret);
	int (*peek)(struct vml_source *s, struct vml_snapshot **ret);
	const struct vml_snapshot *(*rest)(const struct vml_source *s);
};

static inline int vml_source_next(struct vml_source *s, struct vml_snapshot **ret)
{
	return s->ops->next(s, ret);
}

/*
 * Instead of next, for who asks for nothing else: what changed since the last one that did
 * not fail, or since open, as vml_delta() has it, but without the threads, VMAs and blockers that did not
 * change.  Costs what these are, not what all rows are.  @ret NULL: to begin with now; what changed
 * until then nobody wants to know.  The errors of next; -EOPNOTSUPP
 */
static inline int vml_source_next_delta(struct vml_source *s, struct vml_snapshot **ret)
{
	return s->ops->next_delta ? s->ops->next_delta(s, ret) : -EOPNOTSUPP;
}

/*
 * The snapshot that the last delta ended, made from memory alone; from any thread, but not while
 * another one is in this source. -EAGAIN: there was none, or one failed since; -ENOMEM
 */
static inline int vml_source_peek(struct vml_source *s, struct vml_snapshot **ret)
{
	return s->ops->peek ? s->ops->peek(s, ret) : -EOPNOTSUPP;
}

/*
 * That snapshot without its rows, until the next delta; before the first one nothing but
 * the time when it was opened.
 */
static inline const struct vml_snapshot *vml_source_rest(const struct vml_source *s)
{
	return s->ops->rest(s);
}

static inline void vml_source_close(struct vml_source *s)
{
	if (s)
		s->ops->close(s);
}

static inline const struct vml_caps *vml_source_caps(const struct vml_source *s)
{
	return s->ops->caps(s);
}

/*
 * The hooks on every fault are attached for a part of the time from now on: @step is an
 * enum vml_duty_step (guard.h).  What is not seen is extrapolated, and the snapshots
 * say so (struct vml_duty).  Needs no capability once the source is open.
 * -EOPNOTSUPP: opened without `guard`, in the exact detail, or without such hooks;
 * -EINVAL: there is no such step; or what the kernel said.
 */
static inline int vml_source_set_duty(struct vml_source *s, unsigned int step)
{
	return s->ops->set_duty ? s->ops->set_duty(s, step) : -EOPNOTSUPP;
}

/*
 * Attaches or detaches the hooks when it is time to, and calibrates now and then.
 * Returns the ns until it wants to be called again: call it at least then, from the
 * thread that calls next; INT64_MAX: only after the next set_duty.  Late calls make
 * the share of time another one than that of the step, not the numbers wrong.
 */
static inline int64_t vml_source_tick(struct vml_source *s)
{
	return s->ops->tick ? s->ops->tick(s) : INT64_MAX;
}

/* What next() failed of, in one line; "" when it says nothing. */
static inline const char *vml_source_why(const struct vml_source *s)
{
	return s->ops->why ? s->ops->why(s) : "";
}

/* ---- the live source (src/collect/live.c) */

#define VML_STACKS_OVER_NS 1000000ULL
#define VML_STACKS_OFF UINT64_MAX
#define VML_MEMORY_BYTES (64ULL << 20)

struct vml_live_options {
	const char *backend; /* NULL or "auto", "fentry", "kprobe", "tracepoint" */
	const char *detail; /* NULL or "default", "exact" */
	const char *btf_path; /* NULL: /sys/kernel/btf/vmlinux */
	uint64_t memory_bytes; /* the maps take no more, but for the storage of threads; 0: VML_MEMORY_BYTES */
	/*
	 * The stack of a holder is kept when somebody waited for longer than this while
	 * it held mmap_lock.  0: VML_STACKS_OVER_NS; VML_STACKS_OFF: never.
	 */
	uint64_t stacks_over_ns;
	bool user_stacks; /* of the program, too: reads its /proc/PID/maps, once */
	/*
	 * set_duty will be called: the faults that tasks count themselves are kept, too, and
	 * what a fault costs is calibrated again and again, for which the hooks on every fault
	 * are away for some milliseconds.
	 */
	bool guard;
	uint64_t calibrate_ns; /* how often; 0: every VML_CALIBRATE_NS */
};
#define VML_CALIBRATE_NS 600000000000ULL

#define VML_SOURCE_AGAIN_NS 100000000ULL /* a moment, after -EAGAIN */

/*
 * From the command line (src/model/live_options.c).  -EINVAL, and in @error one line:
 * "--backend: auto, tracepoint, fentry or kprobe, not 'x'".
 */
int vml_live_set_backend(struct vml_live_options *o, const char *arg, char error[VML_ERROR_MAX]);
int vml_live_set_detail(struct vml_live_options *o, const char *arg, char error[VML_ERROR_MAX]);
/* A time, or off. */
int vml_live_set_stacks_over(struct vml_live_options *o, const char *arg, char error[VML_ERROR_MAX]);
/* A size, as 32M. */
int vml_live_set_memory(struct vml_live_options *o, const char *arg, char error[VML_ERROR_MAX]);
/* Percent, as a share of the CPU time of all CPUs: the budget of a guard (guard.h), which it asks for. */
int vml_live_set_max_overhead(struct vml_live_options *o, const char *arg, double *ret_share,
			      char error[VML_ERROR_MAX]);

/*
 * Loads and attaches the BPF programs and starts counting.  On failure
 * returns a negative errno and leaves in @error one line that says what failed,
 * on what, why, and what to do:
 *   -EPERM       privileges are missing
 *   -EOPNOTSUPP  this kernel cannot be observed (exit code 4)
 *   -EINVAL      an option is not possible here
 */
int vml_live_open(const struct vml_live_options *o, struct vml_source **ret, char error[VML_ERROR_MAX]);

/*
 * The same trials without keeping anything: what doctor prints.  Fills @caps
 * also when nothing works; returns the error vml_live_open() would.  @more, which may be NULL,
 * tries what it likes with the source, before that is closed, and may add to @caps.
 */
int vml_live_probe(const struct vml_live_options *o, void (*more)(struct vml_source *s, struct vml_caps *caps),
		   struct vml_caps *caps, char error[VML_ERROR_MAX]);

/*
 * Refuses -p with a PID of the container that this process is in, where that has PIDs of its own:
 * -EINVAL and one line.  Rows have the host's.  (src/collect/pids.c)
 */
int vml_live_check_pids(const uint32_t *pids, size_t n, char error[VML_ERROR_MAX]);

/* Version of the library that loads them: "1.1". */
const char *vml_live_libbpf(void);

/* What the programs cost here, on top of the kernel without them; ns of CPU time. */
struct vml_cost {
	double fault_ns; /* a fault on the area of the one before; 0: not known */
	double lock_event_ns; /* one of the three events of mmap_lock; 0: not known */
	double pair_ns; /* a pair of mmap and munmap that nobody else wants the lock for */
	double bare_fault_ns, bare_pair_ns; /* the same without programs: the whole */
	/* doctor --cost: the kernel's own statistics over a second; 0 runs: not allowed, or nothing ran */
	uint64_t stats_runs, stats_ns;
};

/*
 * Opens a source, calibrates it at length and closes it.  @stats: also asks the kernel
 * for run-time statistics of BPF programs for one second, which makes each run of every
 * BPF program of the host slower that long, and needs CAP_SYS_ADMIN.
 * The errors of vml_live_open().
 */
int vml_live_cost(const struct vml_live_options *o, bool stats, struct vml_cost *ret, char error[VML_ERROR_MAX]);

#endif
