/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef VMALOCK_COLLECT_H
#define VMALOCK_COLLECT_H
/*
 * Inside src/collect: from maps to a snapshot.  Nothing here is seen outside.
 *
 *	caps.c     what the host offers           session.c  choose a backend, load, detach
 *	hooks.c    every program: what it shows, and attaching it
 *	perf.c     the one on an event of each CPU
 *	maps.c     reading maps and the iterator  table.c    rows that only grow
 *	index.c    rows by identity
 *	callsite.c where a kernel function calls    kallsyms.c addresses of functions
 *	linkinfo.c what kprobes skipped
 *	identity.c names from what BPF saw        host.c     the host, and ourselves
 *	live.c     the source                      pass.c    one pass
 *	memory.c   a budget for the maps           missed.c  threads whose end was not seen
 *	blame.c    ledgers, blockers, stalls       doing.c   what a holder does, in words
 *	stacks.c   stacks of holders
 *	rows.c     tables to rows, and what changed in them
 *	fill.c     the rest of a snapshot            symbols*.c stacks as text (symbols.h)
 *	duty.c     hooks on every fault come and go  unseen.c   faults without them
 *	cost.c     what the programs cost          pids.c     whether a PID is the host's, too
 *	ring.c     reading a ring buffer of BPF
 */
#include <linux/bpf.h> /* struct bpf_spin_lock */
#include <linux/types.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <time.h>

#include "vmalock/abi.h"
#include "vmalock/caps.h"
#include "vmalock/snapshot.h"
#include "vmalock/source.h"
#include "table.h"

struct vmalock_bpf;
struct bpf_link;
struct btf;

/* ---- caps.c */

/* The running kernel's types. */
#define CAPS_BTF_PATH "/sys/kernel/btf/vmlinux"

/* Texts of all capabilities, state unknown. */
void caps_init(struct vml_caps *c);
__attribute__((format(printf, 4, 5))) void caps_set(struct vml_caps *c, enum vml_cap_id id, enum vml_cap_state state,
						    const char *how, ...);
/*
 * What BTF alone tells.  @btf_path NULL: the running kernel's.  The errors of
 * vml_live_open(); -EOPNOTSUPP when a kernel without mmap_lock tracepoints.
 * @ret: the types, for btf__free(); NULL on error.
 */
int caps_from_btf(struct vml_caps *c, const char *btf_path, struct btf **ret, char error[VML_ERROR_MAX]);
bool caps_btf_function(const struct btf *btf, const char *name);
/* Before 6.15: write locks of VMAs are seen by the contention tracepoints. */
bool caps_vma_lock_is_rwsem(const struct btf *btf);
/*
 * What only a trial tells: trampolines, kprobes and whether strings of the
 * kernel may be read.  Each loads and attaches a program of its own, once.
 */
/* @btf: the running kernel's own types; NULL: they are read. */
void caps_try_fentry(struct vml_caps *c, const struct btf *btf);
/*
 * @ret_multi: only kprobe.multi can be attached (lockdown=confidentiality).  It is
 * the cheaper one, but the second choice: a 7.3 kernel of a small configuration
 * jumped to NULL when a function got its second kprobe.multi.
 */
void caps_try_kprobe(struct vml_caps *c, bool *ret_multi);
void caps_try_names(struct vml_caps *c);
void caps_from_vmstat(struct vml_caps *c);
/* This process may open perf events of a CPU. */
bool caps_perfmon(void);
/*
 * Fills @error for a failed bpf(2): which privilege is missing, or what refuses.
 * Returns @err; -EIO for -EINVAL, which is of options: what the kernel refuses is no wrong usage.
 */
int caps_explain(int err, const char *what, char error[VML_ERROR_MAX]);

/* ---- pids.c */

/* False: this process is in a PID namespace of its own. True also when that cannot be told. */
bool pids_are_hosts(void);
/* The PID of this process as the host has it, which takes CAP_BPF and CAP_PERFMON when we have another. */
int pids_self(uint32_t *ret);

/* ---- session.c */

#define HOOKS_MAX 64

/* How long the hooks on every fault are attached, and were so far (duty.c). */
struct duty {
	bool possible; /* there are such hooks, and they may go */
	bool attached;
	bool away; /* they were not attached at some time since the last pass, or need not have been */
	unsigned int step; /* enum vml_duty_step */
	uint32_t number; /* of the time they are, or were last, attached */
	uint64_t attached_ns, of_ns, accounted_ns; /* up to accounted_ns, CLOCK_MONOTONIC */
	uint64_t period_ns, on_ns, off_ns; /* the current period begins, and they are attached between */
	uint64_t failed; /* times they could not be attached again */
	uint64_t seed;
};

/* What the programs cost, in ns (cost.c). */
struct sample {
	double fault_ns, pair_ns; /* a fault; a pair of mmap and munmap */
	double pace_ns; /* work that no program sees: samples of about the same are comparable */
};
struct cost {
	bool known;
	struct sample without; /* programs: the whole */
	struct sample more; /* with them */
	double event_ns; /* of mmap_lock */
	uint64_t period_ns; /* between calibrations */
	uint64_t times; /* calibrated so far, whatever came out */
	uint64_t again_ns; /* CLOCK_MONOTONIC of the next calibration */
	uint64_t soon_ns; /* how long after the one before; 0: period_ns */
};

/* The software event page-faults of a CPU (perf.c). */
struct cpu_event {
	struct bpf_link *link; /* owns fd */
	int fd; /* -1: there is none */
	uint64_t count, running_ns; /* as they were read last */
};

enum backend { BACKEND_TRACEPOINT, BACKEND_FENTRY, BACKEND_KPROBE, NBACKENDS };

struct session {
	struct btf *btf; /* while it is being opened */
	struct vmalock_bpf *skel;
	struct bpf_link *tasks_link, *vmas_link, *link[HOOKS_MAX]; /* of the iterators; of hooks */
	struct cpu_event *perf; /* by CPU */
	size_t nperf; /* CPUs that there may be; 0: there are no such events */
	uint64_t perf_closed; /* what those counted that are closed */
	uint64_t perf_late; /* times that a CPU was there without its event */
	int64_t perf_before; /* events less runs when counting began */
	bool dropped[HOOKS_MAX]; /* programs that do not load here */
	bool resting[HOOKS_MAX]; /* programs that were attached, and will be again */
	enum backend backend;
	bool exact; /* the exact detail */
	bool multi; /* kprobes are kprobe.multi */
	bool fault_tracepoint; /* the kernel has page_fault_user */
	bool calibrate; /* at the start */
	struct duty duty;
	struct cost cost;
	uint64_t memory_bytes; /* budget of the maps */
	struct vml_caps caps;
};

/*
 * Chooses a backend, loads, attaches what can be attached, enables counting.  @calibrate:
 * also finds out what the programs cost, which takes some 20 ms.
 */
int session_open(struct session *s, const struct vml_live_options *o, bool calibrate, char error[VML_ERROR_MAX]);
void session_close(struct session *s);
/* What the faults are begun by when no tracepoint does it: the handler (fentry, kprobe). */
bool session_faults_by_handler(const struct session *s);
/*
 * Runs of each program that the kernel skipped: @each(name, count).  Not of those for
 * which it does not tell all of them.
 */
int session_misses(const struct session *s, void (*each)(void *arg, const char *program, uint64_t n), void *arg);

/* ---- hooks.c */

/* Tells libbpf which programs to load, and how kprobes attach. */
void hooks_choose(struct session *s);
/* The program called @name does not load: go on without it, and without what it shows. False: unknown. */
bool hooks_drop(struct session *s, const char *name, int err);
/* Attaches what was loaded. -EOPNOTSUPP when nothing is left of the backend. */
int hooks_attach(struct session *s);
void hooks_detach(struct session *s);
/*
 * The hooks on every fault alone, those that were attached at first.  There are none in
 * the exact detail, where more than a few slow programs would have to go with them.
 */
bool hooks_have_hot(const struct session *s);
int hooks_attach_hot(struct session *s);
void hooks_detach_hot(struct session *s);
/*
 * Adds to @n what the kprobe of the program called @name skipped by itself; nothing for
 * programs without one.  False: it is not known.
 */
bool hooks_add_missed(const struct session *s, const char *name, uint64_t *n);

/* ---- perf.c */

/* An event on every CPU that is online now. */
int perf_attach(struct session *s);
void perf_detach(struct session *s);
void perf_enable(struct session *s);
void perf_disable(struct session *s);
/*
 * Once a pass.  Software events so far less runs of the program on them: those that perf did not
 * hand over.  A CPU that was away, or is new, gets an event; without the privilege for it
 * perf_late rises with each pass.
 */
int64_t perf_look(struct session *s);

/* ---- duty.c: for set_duty and tick of source.h */

int duty_set(struct session *s, unsigned int step);
int64_t duty_tick(struct session *s);
/* The hooks on every fault are attached now: their programs may count. */
void duty_watch(struct session *s);
/* At once, whatever the step. */
int duty_attach(struct session *s);
void duty_detach(struct session *s);
/* Before the hooks go for the first time: threads that did nothing so far are counted from now on. */
int duty_adopt(struct session *s);
/* Brings the times up to now. */
void duty_account(struct duty *d);

/* ---- cost.c */

/* One sample, of this process; without pairs when not @pairs. */
int cost_measure(struct sample *ret, bool pairs);
/*
 * The same in a process of its own, which has a ledger (this one has none): it waits, and
 * takes a sample each time that it is asked.  It is there before the
 * programs are: a fork takes the lock of the new process.  All but begin take a struct
 * that is over or never began; begin leaves one like that when it fails.
 */
struct apart_result;
struct apart {
	int pid; /* 0: none */
	uint32_t host_pid; /* the same as BPF programs know it, once it has measured */
	int fd;
	struct apart_result *result;
};
int cost_apart_begin(struct apart *a);
int cost_apart_measure(struct apart *a, struct sample *ret);
void cost_apart_end(struct apart *a);
/*
 * What the programs cost at the start: @a measures with them, cost.without is its sample
 * without them.  Ends @a.
 */
void cost_first(struct session *s, struct apart *a);
/* The kernel's own statistics of our programs, for a second; none when it does not allow it. */
int cost_stats(const struct session *s, struct vml_cost *ret);
/* What a fault costs now: detaches and attaches. */
void cost_again(struct session *s);

/* ---- memory.c */

struct bpf_map;

/*
 * Before they are made: the maps are to take no more than @bytes, but for the storage of
 * threads.  -E2BIG, with a line in @error: they need more.
 */
int memory_limit(struct vmalock_bpf *skel, uint64_t bytes, char error[VML_ERROR_MAX]);
/* A row in a map where they come and go; all that user space adds or removes is counted by these. -errno */
int row_put(struct vmalock_bpf *skel, const struct bpf_map *map, const void *key, const void *value);
/* False: it is there still. */
bool row_remove(struct vmalock_bpf *skel, const struct bpf_map *map, const void *key);
/* When little room is left: marks the rows to remove, item.evict. -ENOMEM */
int memory_make_room(struct tables *t, const struct vmalock_bpf *skel);

/* ---- maps.c */

/* Calls @each for every entry of a hash map. -errno of the kernel, or what @each returned. */
int map_each(int fd, size_t key_size, size_t value_size, int (*each)(void *arg, const void *key, const void *value),
	     void *arg);
/* The same of a map whose values have a spin lock, each read under it. */
int map_each_locked(int fd, size_t key_size, size_t value_size,
		    int (*each)(void *arg, const void *key, const void *value), void *arg);
/*
 * One pass of the iterator over tasks; @hist NULL when unchanged.  A record that is folded or the same has
 * nothing behind VML_TASK_BRIEF.  When a pass fails, what it had said was in vain: the generation is to change.
 */
int tasks_each(int iter_fd,
	       int (*each)(void *arg, const struct vml_task_record *r, const __u32 (*hist)[VML_HIST_BUCKETS]),
	       void *arg);
/* The same of the rows of VMAs that changed; one may come twice. */
int vmas_each(int iter_fd, int (*each)(void *arg, const struct vml_vma_key *key, const struct vml_vma_value *value),
	      void *arg);
/* Sum over CPUs of all counters / of the lookups of each caller. */
int counters_read(int fd, uint64_t sum[VML_NCOUNTERS]);
int lookups_read(int fd, struct vml_lookups sum[VML_NCALLERS]);
/* Memory of each map as the kernel says, with names of the skeleton.  Returns how many; 0: not known. */
size_t maps_bytes(const struct session *s, struct vml_map map[MAPS_MAX]);

/* ---- blame.c */

/* Rows of blockers, from their map. */
int blame_read_blockers(struct tables *t, const struct session *s, uint32_t pass);
/* What goes on for a thread: its hold so far is its row's, its wait may be a stall. */
int blame_read_thread(struct tables *t, const struct vml_task_record *r);
/* What the ledgers say, to their processes; after these were read. */
int blame_read_ledgers(struct tables *t, const struct session *s);
/* Stalls of this pass. -ENOMEM */
int blame_fill_stalls(struct vml_snapshot *s, const struct tables *t);
/* "mmap_read", "mmap_write", "vma_read" */
const char *blame_lock(const struct vml_id *blocker);

/* ---- unseen.c */

/* After a pass at @now, CLOCK_MONOTONIC: adds what was not seen in it, or holds it. -ENOMEM */
int unseen_add(struct tables *t, struct duty *d, uint64_t now);

/* ---- stacks.c */

struct stacks;

int stacks_open(struct stacks **ret);
void stacks_close(struct stacks *s);
/* After the threads of a pass, and those that ended. */
int stacks_read(struct stacks *s, const struct session *session, const struct tables *t);
/* Fills snap->stack, with names. -ENOMEM */
int stacks_fill(struct vml_snapshot *snap, struct stacks *s, const struct session *session);

/* ---- doing.c */

/*
 * What a holder does, from the VML_DOING() of @id; @comm is its clean name.  The
 * set is small: threads of the kernel come by family.  Returns @buf.
 */
#define DOING_MAX 64
char *doing_text(const struct vml_id *id, const char *comm, char buf[DOING_MAX]);

/* ---- missed.c */

/* A thread that is neither alive nor freed for so long was freed unseen. */
#define LOST_NS 5000000000ULL

/* After a pass: how many threads of process @p are newly known to have ended unseen; p->lost has all of them. */
uint32_t missed_exits(struct item *p, uint64_t now);
/* vml_proc_value.live as a number of threads. */
uint32_t missed_live(uint32_t live);

/* ---- identity.c: hostile text becomes clean here */

/* Replaces *@dst by the clean form when it differs. -ENOMEM */
int identity_text(char **dst, const char *src, size_t len);
/* The name of a task, clean, in @a; NULL: out of memory. */
const char *identity_comm(struct vml_arena *a, const char comm[16]);
/* The path in map @fd under @key as text, "" when it is not there. NULL: out of memory. */
char *identity_path(int fd, const void *key);
/* The cgroup of a process, by its key in the map of cgroups. -ENOMEM */
int identity_cgroup(struct item *e, int cgroups_fd, uint64_t id);
/* Fills the entry of a VMA from its map value. -ENOMEM */
int identity_area(struct item *e, int files_fd, const struct vml_vma_value *v);

/* ---- ring.c: reads a BPF_MAP_TYPE_RINGBUF */

/*
 * Of it two pages are mapped, and when it is read those that have records.  libbpf maps
 * all of it twice: 16 MB of the one for exited threads, counted as memory of this process,
 * or, mapped for as long as it is read, 17 % of the CPU time of an idle host's interval.
 */
struct ring {
	int fd;
	size_t bytes, page;
	unsigned long *read, *written; /* positions; they only grow */
};

/* Negative: reading ends; what comes after this record comes again. */
typedef int ring_each(void *arg, const void *record, size_t n);

/* @bytes: max_entries of the map. -errno */
int ring_open(struct ring *r, int fd, size_t bytes);
/* Calls @each with the records that were complete when it began; returns its error, or -errno. */
int ring_read(struct ring *r, ring_each *each, void *arg);
/* Also what is zeroed. */
void ring_close(struct ring *r);

/* ---- pass.c */

struct collector {
	struct session session;
	struct ring exits; /* of threads */
	struct stacks *stacks;
	struct tables t;
	uint64_t now; /* of the pass, CLOCK_MONOTONIC */
	bool again; /* what the iterators say only once is to be said again */
	int err; /* first error inside a callback */
};

/*
 * Brings the tables up to now.  -ENOMEM, or what the kernel said: the tables may have a part of it, nothing
 * that is more than the truth, and the next pass has the rest.
 */
int collect_pass(struct collector *c);
/* Before the first pass. -errno */
int collect_begin(struct collector *c);
void collect_end(struct collector *c);

/* ---- fill.c */

/* Everything but the rows and the arena, which @s has. -ENOMEM, or what the kernel said. */
int snapshot_fill(struct vml_snapshot *s, const struct session *session, struct tables *t);

/* ---- host.c */

/* Delay accounting is on: the kernel keeps times of reclaim, block IO and swap. */
bool host_delay_accounting(void);
/* The vma_lock_* lines of /proc/vmstat; known only when all four are there. */
void host_kernel_counts(struct vml_kernel_counts *ret);
/* The same of its text. */
void host_vmstat(FILE *f, struct vml_kernel_counts *ret);

int host_read(struct vml_arena *a, struct vml_host *h);
void self_read(struct vml_self *s);

/* ---- callsite.c */

/*
 * Offset in @function of its only call of @callee.  -ENOENT: there is none, or more
 * than one; or why kallsyms or the text of the kernel cannot be read.
 */
int callsite_find(const char *function, const char *callee, uint64_t *ret_offset);

/* ---- linkinfo.c */

/* Runs that the kprobe behind @link skipped. -EOPNOTSUPP: not a kprobe, or Linux before 6.7. */
int link_missed(const struct bpf_link *link, uint64_t *ret);

/* ---- kallsyms.c */

/* [start, end) of a kernel function. -ENOENT, -EACCES when addresses are hidden. */
int kallsyms_range(const char *name, uint64_t *ret_start, uint64_t *ret_end);
/* Address of a variable. -ENOENT also without CONFIG_KALLSYMS_ALL; -EACCES. */
int kallsyms_data(const char *name, uint64_t *ret);

#endif
