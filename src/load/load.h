/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef VMALOCK_LOAD_H
#define VMALOCK_LOAD_H
/*
 * `vmalock load SCENARIO`: makes known page faults and mmap_lock traffic on
 * purpose.  The tests compare what vmalock sees with what the load says of
 * itself; users try the tools on it.
 *
 * A scenario sets up, runs its steady part between vml_load_begin() and
 * vml_load_end(), and cleans up.  Only the steady part is reported: faults are
 * the difference of getrusage(RUSAGE_SELF), calls are counted where they are
 * made.
 *
 * Handshake (--handshake), for tests that must be exact:
 *
 *	load			who drives it
 *	sets up, rehearses
 *	"ready\n" to stdout
 *	reads stdin		attaches; writes a line
 *	getrusage
 *	steady part
 *	getrusage
 *	"done\n" to stdout
 *	reads stdin		takes its last sample; writes a line
 *	prints the report
 *
 * End of file counts as a line.  Threads are created before "ready" and stay
 * parked in futex(2) after "done", except where their life is the scenario.
 *
 * What makes the numbers exact.  Between the two blocking reads there is no
 * page fault outside the two getrusage calls: everything the steady part
 * executes and writes (code, stacks, PLT entries, clock, report) was executed
 * and written once before "ready", on pages of its own.  Inside, nothing is
 * counted in rusage that is no page fault exception: no get_user_pages()
 * (mlock, MAP_POPULATE, O_DIRECT, process_vm_*, futex on absent pages) and no
 * signals.  Huge pages are off for the whole process.  Where a scenario is not
 * exact in this sense, it is its purpose and its report says how often:
 *
 *	exec		the kernel writes the arguments of execve through get_user_pages()
 *	remote		rusage counts faults of get_user_pages(), which are no exceptions
 *	segv		exceptions that end in a signal are not in rusage
 *	thp		huge pages are on, for its own regions
 *	forkcow		fork(2) makes stacks and data copy-on-write as well
 *	swap		swap-in under get_user_pages() and the like is in rusage
 *
 * What a scenario changes on the host (swap, huge pages) is undone when it
 * ends, however it ends (undo.c).
 */
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/types.h>

/* The command: options, run, report.  Returns the exit status: 0, 1, 2, 4. (command.c) */
int vml_load_command(int argc, char **argv);

/* ---- what a scenario can be told */

enum vml_load_take {
	VML_TAKE_THREADS = 1 << 0,
	VML_TAKE_ROUNDS = 1 << 1,
	VML_TAKE_PAGES = 1 << 2,
	VML_TAKE_WRITERS = 1 << 3,
	VML_TAKE_FILE = 1 << 4,
	VML_TAKE_SECONDS = 1 << 5,
	VML_TAKE_STEP = 1 << 6, /* hidden: from one image to the next */
	VML_TAKE_BY = 1 << 7,
};

struct vml_load_options {
	uint32_t threads; /* 0 is possible for none */
	uint32_t rounds; /* 0: set up and do nothing */
	uint32_t pages; /* a thread and round */
	uint32_t writers; /* threads that change mappings */
	uint64_t limit_ns; /* no new round begins after that long; 0: no limit */
	const char *path; /* NULL: a file without name in $TMPDIR */
	const char *by; /* of `smaps`: the file in /proc/PID */
	bool handshake;
	bool json;
	const char *step; /* of `exec`: what the image before says; NULL in the first */
};

struct vml_load;
struct vml_load_worker;

/* The work of a thread; @rehearsal: once before "ready", one round of one page. */
typedef void (*vml_load_body)(struct vml_load_worker *w, bool rehearsal);

struct vml_load_scenario {
	const char *name;
	const char *help; /* one line */
	/* what -t, -r, --pages count and --file names here; NULL: the usual */
	const char *threads_help, *rounds_help, *pages_help, *file_help, *writers_help;
	unsigned int takes; /* enum vml_load_take */
	unsigned int did; /* 1 << enum vml_load_did: what it counts besides faults and calls */
	struct vml_load_options defaults;
	/*
	 * Threads that do their work at once, the usual kind.  open() prepares what
	 * they work on, close() takes what open() left half-made.  Each of the first
	 * options.threads of the crew does @body; each of options.writers does @change
	 * again and again until the others are done.
	 *
	 * open() and run(): negative errno with l->error set; -EOPNOTSUPP: not
	 * possible on this host, and the error says what is missing.
	 */
	int (*open)(struct vml_load *l);
	vml_load_body body;
	void (*change)(struct vml_load_worker *w);
	void (*close)(struct vml_load *l);
	/*
	 * Or one thread more does its rounds in @hold, and the others do @body and
	 * @change, one step at a time, until it is done, in the rehearsal too; @check
	 * says after the rehearsal whether it did what it is for (culprit.h).
	 */
	void (*hold)(struct vml_load_worker *w, bool rehearsal);
	int (*check)(struct vml_load *l);
	/* Or all of it. */
	int (*run)(struct vml_load *l);
	/* Of `reason`: also seen while it runs; NULL: only that reason. */
	const char *also;
	/* VML_DID_PROVOKED is how often it happened, not only how often at least */
	bool exact;
	/* Not possible anywhere, and why; NULL: it is. */
	const char *never;
};

/* Ended by name NULL. (scenario.c, reason.c) */
extern const struct vml_load_scenario vml_load_scenarios[];
extern const struct vml_load_scenario vml_load_reasons[]; /* `vmalock load reason NAME` */
const struct vml_load_scenario *vml_load_find(const struct vml_load_scenario *table, const char *name);

/* ---- one run */

/* System calls, by the names of the report. */
#define VML_LOAD_CALLS(X)   \
	X(mmap)             \
	X(munmap)           \
	X(mprotect)         \
	X(madvise)          \
	X(mincore)          \
	X(read)             \
	X(process_vm_readv) \
	X(ioctl)            \
	X(fork)

struct vml_load_calls {
#define X(name) uint64_t name;
	VML_LOAD_CALLS(X)
#undef X
};

/* What else was done that others can count too; "did" in the report. */
enum vml_load_did {
	VML_DID_PROVOKED, /* faults that fell back for the reason, at least */
	VML_DID_GUP, /* pages faulted in by get_user_pages() */
	VML_DID_SEGV_READONLY, /* SIGSEGV: write to memory that is read-only */
	VML_DID_SEGV_HOLE, /* SIGSEGV: nothing is mapped there */
	VML_DID_HUGE, /* huge areas that were written for the first time */
	VML_DID_RESOLVED, /* userfaultfd: faults the monitor resolved */
	VML_DID_SWAPPED, /* pages found in swap and not in memory before they were touched */
	VML_DID_CHILD_FAULTS, /* of children, from wait4(2) */
	VML_DID_KILLED, /* threads killed in their fault */
	VML_DID_AWAY, /* pages of a file that were not in memory before they were read */
	VML_DID_ATTEMPTS, /* tries of something that only sometimes succeeds */
	VML_DID_COUNT,
};
#define VML_LOAD_DID(x) (1U << VML_DID_##x)

/* What was done with memory that the report can be compared with. */
struct vml_load_region {
	const char *name;
	const char *of; /* the part of `all`, else NULL */
	uint64_t start, end;
};
#define VML_LOAD_REGIONS 32

struct vml_load_child {
	pid_t pid;
	uint64_t minor, major; /* of its whole life, from wait4(2) */
};

struct vml_load_worker {
	struct vml_load *load;
	uint32_t index;
	int error; /* negative errno of what failed in the body */
	pthread_t thread;
	struct vml_load_calls calls;
	uint64_t did[VML_DID_COUNT];
	uint64_t bytes;
};

struct vml_load {
	const struct vml_load_scenario *scenario;
	struct vml_load_options options;
	size_t page;
	char error[256];

	/* the report */
	struct rusage before, after;
	char done[6]; /* "done\n", where no fault is needed to write it */
	uint64_t start_ns, end_ns; /* CLOCK_MONOTONIC */
	struct vml_load_calls calls;
	uint64_t did[VML_DID_COUNT];
	uint64_t bytes; /* touched, or read */
	struct vml_load_region region[VML_LOAD_REGIONS];
	unsigned int nregions;
	struct vml_load_child *child;
	uint32_t nchildren; /* all; child[] has the first max_children */
	uint32_t max_children;
	uint32_t images; /* of `exec` */
	char path[256];
	const struct vml_load_part *parts; /* of `all` */
	unsigned int nparts;

	uint64_t deadline_ns; /* UINT64_MAX: none */

	/* crew.c */
	struct vml_load_worker *worker;
	uint32_t crew, created;
	_Atomic uint32_t faulters; /* of options.threads, still at it */
	uint8_t *stacks;
	size_t stacks_len;
	_Atomic uint32_t phase, parked, finished;
	_Atomic bool held_out; /* hold() is done */

	/* of the scenarios */
	uint8_t *memory, *copy, *rest; /* what is faulted */
	size_t memory_len; /* where it is not a multiple of the options */
	size_t huge; /* bytes of a huge page */
	_Atomic uint32_t busy; /* threads that others wait for */
	int fd;
	int file; /* of `pageio`, where fd is what the victims read; 0: none */
	bool unlink; /* path, when fd is closed */
	struct vml_load_peer *peer; /* of `remote` */
	struct vml_load_uffd *uffd;
	int cpu; /* of `starved`: where the holder is */
	struct vml_load_undo *undo;
	struct vml_load_blocking *blocking; /* culprit.h; also in the report */
	struct vml_load_ward *ward; /* culprits that are processes */
	struct vml_load_cgroup *cgroup;
};

/* Sets l->error to the formatted text and strerror(-@err); returns @err. No strerror for -EOPNOTSUPP: the text says why. */
int vml_load_fail(struct vml_load *l, int err, const char *what, ...) __attribute__((format(printf, 3, 4)));

/* ---- the steady part (steady.c) */

/* Says ready and waits when there is a handshake, then takes rusage and time. */
int vml_load_begin(struct vml_load *l);
/* Takes time and rusage, then says done and waits. */
int vml_load_end(struct vml_load *l);
/* True when round @round (from 0) is to be done. */
bool vml_load_more(const struct vml_load *l, uint32_t round, bool rehearsal);

/* ---- memory (memory.c) */

/*
 * @pages of private anonymous memory between two inaccessible pages, so that
 * it is a VMA of its own; recorded as region @name.  Unmapped by
 * vml_load_unmap(), which takes NULL.
 */
int vml_load_map(struct vml_load *l, const char *name, uint64_t pages, uint8_t **ret);
void vml_load_unmap(struct vml_load *l, uint8_t *p, uint64_t pages);
void vml_load_region_add(struct vml_load *l, const char *name, const uint8_t *p, uint64_t pages);
/* Writes, or reads, one byte of each page. */
void vml_load_write_pages(uint8_t *p, uint64_t pages, size_t page);
void vml_load_read_pages(const uint8_t *p, uint64_t pages, size_t page);
/*
 * Writes one byte.  True when the thread slept in that: on memory that needs
 * nothing else to wait for, it waited for mmap_lock.  False says nothing.
 */
bool vml_load_write_slept(uint8_t *p);
/* madvise(MADV_DONTNEED), counted; its error is the worker's. */
void vml_load_drop(struct vml_load_worker *w, uint8_t *p, size_t len);

/* open() and close() of scenarios with options.pages of l->memory for each thread, and where a thread's are. */
int vml_load_slices_open(struct vml_load *l);
void vml_load_slices_close(struct vml_load *l);
uint8_t *vml_load_slice(const struct vml_load_worker *w);
/* As many pages as the body of a thread touches in a round. */
uint64_t vml_load_pages(const struct vml_load *l, bool rehearsal);

/* The size of a huge page in bytes; 0 when there are none. The process may have them again afterwards. */
size_t vml_load_thp_enable(void);
/* @len bytes where huge pages are allowed, aligned to @align, between inaccessible pages. */
int vml_load_map_aligned(struct vml_load *l, const char *name, size_t len, size_t align, uint8_t **ret);

/* The first number in a file of /proc or /sys. */
int vml_load_read_number(const char *path, uint64_t *ret);
int vml_load_write_text(const char *path, const char *text);

/* ---- threads that wait for the steady part (crew.c) */

/* open, all threads rehearse and park, begin, work, end, close. */
int vml_load_crew_run(struct vml_load *l);
/* The same in steps, for several crews at once.  Start: opens, creates, rehearses. */
int vml_load_crew_start(struct vml_load *l);
void vml_load_crew_go(struct vml_load *l);
/* Until all are done. */
void vml_load_crew_wait(struct vml_load *l);
/* Sums up what they did; the first error of a body, which has no way to print. */
int vml_load_crew_sum(struct vml_load *l);
/* Ends and joins them, closes; what vml_load_crew_start() left half-made is fine. */
void vml_load_crew_stop(struct vml_load *l);
/* Raises what limits the number of threads; fails when @n cannot be. */
int vml_load_allow_threads(struct vml_load *l, uint32_t n);
/* One mapping for @n stacks, and attributes that take stack @i of it. */
int vml_load_stacks_map(struct vml_load *l, uint32_t n);
void vml_load_stacks_unmap(struct vml_load *l);
int vml_load_stack_use(struct vml_load *l, uint32_t i, pthread_attr_t *attr);
#define VML_LOAD_STACK (256UL << 10)

/* ---- userfaultfd and a thread that resolves its faults (uffd.c) */

/* Faults on missing pages of [p, p + len) wait, and nobody resolves them. */
int vml_load_uffd_register(struct vml_load *l, uint8_t *p, size_t len);
/* Until one more thread waits in a fault; only without monitor. */
int vml_load_uffd_wait_fault(struct vml_load *l);
/* After a half-made open, too. */
void vml_load_uffd_close(struct vml_load *l);

/* ---- what must be undone on the host, however this ends (undo.c) */

/*
 * A child waits until this process ends, or vml_load_undo_now(), and calls
 * @undo with @arg: what the child does sees memory as it was when this
 * function was called.
 */
int vml_load_undo_later(struct vml_load *l, void (*undo)(const void *arg), const void *arg);
void vml_load_undo_now(struct vml_load *l);

/* ---- a file to map (file.c) */

/* Creates options.path, or a file without name in $TMPDIR, with @pages; l->fd, l->path. */
int vml_load_file_create(struct vml_load *l, uint64_t pages);
void vml_load_file_remove(struct vml_load *l);
/* options.path is a block device that is there already. */
bool vml_load_is_device(const struct vml_load *l);
/* It, to be read only; l->fd, l->path.  -EOPNOTSUPP: it has less than @pages. */
int vml_load_device_open(struct vml_load *l, uint64_t pages);

/* ---- scenarios: open, body, change, close, or run */

void vml_load_faults(struct vml_load_worker *w, bool rehearsal); /* faults.c; also `threads` */
int vml_load_kernel_open(struct vml_load *l);
void vml_load_kernel(struct vml_load_worker *w, bool rehearsal);
void vml_load_kernel_close(struct vml_load *l);
void vml_load_madvise(struct vml_load_worker *w, bool rehearsal);
int vml_load_procmaps_open(struct vml_load *l);
void vml_load_nothing_close(struct vml_load *l);
void vml_load_procmaps(struct vml_load_worker *w, bool rehearsal);

int vml_load_shared_open(struct vml_load *l); /* shared.c; also `churn`, `replace`, reason write_locked */
void vml_load_shared(struct vml_load_worker *w, bool rehearsal);
void vml_load_shared_change(struct vml_load_worker *w);
void vml_load_churn_change(struct vml_load_worker *w);
void vml_load_replace_change(struct vml_load_worker *w);
void vml_load_shared_close(struct vml_load *l);

int vml_load_file_open(struct vml_load *l); /* file.c */
void vml_load_file(struct vml_load_worker *w, bool rehearsal);
void vml_load_file_close(struct vml_load *l);

int vml_load_remote_open(struct vml_load *l); /* remote.c */
void vml_load_remote(struct vml_load_worker *w, bool rehearsal);
void vml_load_remote_close(struct vml_load *l);

int vml_load_hole_open(struct vml_load *l); /* segv.c */
int vml_load_segv_open(struct vml_load *l);
void vml_load_segv(struct vml_load_worker *w, bool rehearsal);
void vml_load_hole(struct vml_load_worker *w, bool rehearsal);
void vml_load_segv_close(struct vml_load *l);

int vml_load_thp_open(struct vml_load *l); /* huge.c */
void vml_load_huge(struct vml_load_worker *w, bool rehearsal);
void vml_load_huge_close(struct vml_load *l);
int vml_load_hugetlb_open(struct vml_load *l);
int vml_load_vmawrite_open(struct vml_load *l);
void vml_load_vmawrite(struct vml_load_worker *w, bool rehearsal);
void vml_load_vmawrite_change(struct vml_load_worker *w);

int vml_load_userfaultfd_open(struct vml_load *l); /* uffd.c */
void vml_load_userfaultfd(struct vml_load_worker *w, bool rehearsal);
void vml_load_userfaultfd_close(struct vml_load *l);
int vml_load_uffdio_open(struct vml_load *l);
void vml_load_uffdio(struct vml_load_worker *w, bool rehearsal);

int vml_load_swap_open(struct vml_load *l); /* swap.c */
int vml_load_swap_file_open(struct vml_load *l);
void vml_load_swap(struct vml_load_worker *w, bool rehearsal);
void vml_load_swap_close(struct vml_load *l);

int vml_load_forkcow_open(struct vml_load *l); /* forkcow.c */
void vml_load_forkcow(struct vml_load_worker *w, bool rehearsal);
int vml_load_bigfork_open(struct vml_load *l);
void vml_load_bigfork(struct vml_load_worker *w, bool rehearsal);
int vml_load_bigfork_check(struct vml_load *l);
void vml_load_bigfork_close(struct vml_load *l);

int vml_load_convoy_open(struct vml_load *l); /* convoy.c */
void vml_load_convoy(struct vml_load_worker *w, bool rehearsal);
void vml_load_convoy_change(struct vml_load_worker *w);
int vml_load_convoy_check(struct vml_load *l);
void vml_load_convoy_close(struct vml_load *l);
int vml_load_writers_open(struct vml_load *l);
void vml_load_writers(struct vml_load_worker *w, bool rehearsal);
void vml_load_writers_change(struct vml_load_worker *w);
void vml_load_writers_close(struct vml_load *l);

int vml_load_starved_open(struct vml_load *l); /* starved.c */
void vml_load_starved(struct vml_load_worker *w, bool rehearsal);
int vml_load_starved_check(struct vml_load *l);
void vml_load_starved_close(struct vml_load *l);
int vml_load_throttled_open(struct vml_load *l);
int vml_load_throttled_check(struct vml_load *l);
void vml_load_throttled_close(struct vml_load *l);

int vml_load_smaps_open(struct vml_load *l); /* smaps.c */
bool vml_load_smaps_knows(const char *by);
int vml_load_smaps_check(struct vml_load *l);
void vml_load_smaps_close(struct vml_load *l);

int vml_load_pageio_open(struct vml_load *l); /* pageio.c */
void vml_load_pageio(struct vml_load_worker *w, bool rehearsal);
int vml_load_pageio_check(struct vml_load *l);
void vml_load_pageio_close(struct vml_load *l);

void vml_load_threadstarts_change(struct vml_load_worker *w); /* starts.c */
int vml_load_mappings_open(struct vml_load *l);
void vml_load_mappings(struct vml_load_worker *w, bool rehearsal);
void vml_load_mappings_close(struct vml_load *l);

int vml_load_shortlived(struct vml_load *l); /* shortlived.c */
int vml_load_exec(struct vml_load *l); /* exec.c */
int vml_load_fork(struct vml_load *l); /* fork.c */
int vml_load_vfork(struct vml_load *l);
int vml_load_pidreuse(struct vml_load *l);
int vml_load_killed(struct vml_load *l); /* killed.c */
int vml_load_all(struct vml_load *l); /* all.c */

/* What `all` ran, or why not. */
struct vml_load_part {
	struct vml_load load;
	bool left_out; /* load.error says why */
};

/* ---- the report (report.c): one line of text, or one JSON object. -EIO */
int vml_load_report(FILE *out, const struct vml_load *l);

#endif
