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
 * signals.  Huge pages are off for the whole process.  Not exact in this sense
 * is only `exec`: the kernel writes the arguments of execve through
 * get_user_pages().
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
};

struct vml_load_options {
	uint32_t threads; /* 0 is possible for none */
	uint32_t rounds; /* 0: set up and do nothing */
	uint32_t pages; /* a thread and round */
	uint32_t writers; /* threads that change mappings */
	uint64_t limit_ns; /* no new round begins after that long; 0: no limit */
	const char *path; /* NULL: a file without name in $TMPDIR */
	bool handshake;
	bool json;
	const char *step; /* of `exec`: what the image before says; NULL in the first */
};

struct vml_load;

struct vml_load_scenario {
	const char *name;
	const char *help; /* one line */
	const char *threads_help, *rounds_help; /* what -t and -r count here; NULL: the usual */
	unsigned int takes; /* enum vml_load_take */
	struct vml_load_options defaults;
	/* Negative errno with l->error set; -EOPNOTSUPP: not possible on this host. */
	int (*run)(struct vml_load *l);
};

/* Ended by name NULL. (scenario.c) */
extern const struct vml_load_scenario vml_load_scenarios[];
const struct vml_load_scenario *vml_load_find(const char *name);

/* ---- one run */

struct vml_load_calls {
	uint64_t mmap, munmap, mprotect, madvise, read;
};

/* What was done with memory that the report can be compared with. */
struct vml_load_region {
	const char *name;
	uint64_t start, end;
};
#define VML_LOAD_REGIONS 4

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
	uint64_t bytes;
};

/* The work of a thread; @rehearsal: once before "ready", one round of one page. */
typedef void (*vml_load_body)(struct vml_load_worker *w, bool rehearsal);

struct vml_load {
	const struct vml_load_scenario *scenario;
	struct vml_load_options options;
	size_t page;
	char error[256];

	/* the report */
	struct rusage before, after;
	uint64_t start_ns, end_ns; /* CLOCK_MONOTONIC */
	struct vml_load_calls calls;
	uint64_t bytes; /* touched, or read */
	struct vml_load_region region[VML_LOAD_REGIONS];
	unsigned int nregions;
	struct vml_load_child *child;
	uint32_t nchildren; /* all; child[] has the first max_children */
	uint32_t max_children;
	uint32_t images; /* of `exec` */
	char path[256];

	uint64_t deadline_ns; /* UINT64_MAX: none */

	/* crew.c */
	vml_load_body body;
	struct vml_load_worker *worker;
	uint32_t crew, created;
	uint8_t *stacks;
	size_t stacks_len;
	_Atomic uint32_t phase, parked, finished;

	/* of the scenarios */
	uint8_t *memory, *copy, *rest; /* what is faulted */
	_Atomic uint32_t faulters; /* `shared`: still at it */
	int fd;
};

/* Sets l->error to the formatted text and strerror(-@err); returns @err. */
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

/* ---- threads that wait for the steady part (crew.c) */

/* Creates @n threads, lets each rehearse @body, returns when all are parked. */
int vml_load_crew_start(struct vml_load *l, uint32_t n, vml_load_body body);
/* Begin, let all work, wait for all, end; sums up what they did. */
int vml_load_crew_work(struct vml_load *l);
/* Ends and joins them; what vml_load_crew_start() left half-made is fine. */
void vml_load_crew_stop(struct vml_load *l);
/* Raises what limits the number of threads; fails when @n cannot be. */
int vml_load_allow_threads(struct vml_load *l, uint32_t n);
/* One mapping for @n stacks, and attributes that take stack @i of it. */
int vml_load_stacks_map(struct vml_load *l, uint32_t n);
int vml_load_stack_use(struct vml_load *l, uint32_t i, pthread_attr_t *attr);
#define VML_LOAD_STACK (256UL << 10)

/* ---- scenarios */

int vml_load_faults(struct vml_load *l); /* faults.c; also `threads` */
int vml_load_kernel(struct vml_load *l); /* faults.c */
int vml_load_shared(struct vml_load *l); /* shared.c */
int vml_load_file(struct vml_load *l); /* file.c */
int vml_load_shortlived(struct vml_load *l); /* shortlived.c */
int vml_load_exec(struct vml_load *l); /* exec.c */
int vml_load_fork(struct vml_load *l); /* fork.c */
int vml_load_vfork(struct vml_load *l);
int vml_load_pidreuse(struct vml_load *l);

/* ---- the report (report.c): one line of text, or one JSON object. -EIO */
int vml_load_report(FILE *out, const struct vml_load *l);

#endif
