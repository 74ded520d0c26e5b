// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * The program on the software event page-faults, which is an event for each CPU.
 *
 * A CPU that goes offline takes its event with it: the descriptor stays, but when the CPU
 * comes back nothing is counted by it.  Its time running stands still then, which
 * is how it is noticed.
 */
#include <errno.h>
#include <linux/perf_event.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "collect.h"
#include "vmalock.skel.h"

static void event_close(struct cpu_event *e)
{
	bpf_link__destroy(e->link);
	*e = (struct cpu_event){ .fd = -1 };
}

/* -ENODEV: a CPU that may be there is not. */
static int event_open(struct session *s, size_t cpu)
{
	struct perf_event_attr attr = {
		.type = PERF_TYPE_SOFTWARE,
		.config = PERF_COUNT_SW_PAGE_FAULTS,
		.size = sizeof(attr),
		.sample_period = 1,
		.read_format = PERF_FORMAT_TOTAL_TIME_RUNNING,
	};
	struct cpu_event *e = &s->perf[cpu];
	int fd = (int)syscall(SYS_perf_event_open, &attr, -1, (int)cpu, -1, PERF_FLAG_FD_CLOEXEC), err;

	if (fd < 0)
		return -errno;
	e->link = bpf_program__attach_perf_event(s->skel->progs.perf_page_fault, fd);
	if (!e->link) {
		err = -errno;
		close(fd);
		return err;
	}
	e->fd = fd;
	return 0;
}

int perf_attach(struct session *s)
{
	int cpus = libbpf_num_possible_cpus(), err;

	if (cpus < 0)
		return cpus;
	s->perf = calloc(cpus, sizeof(*s->perf));
	if (!s->perf)
		return -ENOMEM;
	s->nperf = cpus;
	for (size_t cpu = 0; cpu < s->nperf; cpu++)
		s->perf[cpu].fd = -1;
	for (size_t cpu = 0; cpu < s->nperf; cpu++) {
		err = event_open(s, cpu);
		if (err && err != -ENODEV) {
			perf_detach(s);
			return err;
		}
	}
	return 0;
}

/* Whose CPU is away, or was. */
static void event_retire(struct session *s, struct cpu_event *e)
{
	s->perf_closed += e->count;
	event_close(e);
}

void perf_enable(struct session *s)
{
	for (size_t cpu = 0; cpu < s->nperf; cpu++)
		if (s->perf[cpu].fd >= 0 && ioctl(s->perf[cpu].fd, PERF_EVENT_IOC_ENABLE, 0))
			event_retire(s, &s->perf[cpu]);
}

void perf_disable(struct session *s)
{
	for (size_t cpu = 0; cpu < s->nperf; cpu++)
		if (s->perf[cpu].fd >= 0)
			ioctl(s->perf[cpu].fd, PERF_EVENT_IOC_DISABLE, 0);
}

void perf_detach(struct session *s)
{
	for (size_t cpu = 0; cpu < s->nperf; cpu++)
		event_close(&s->perf[cpu]);
	free(s->perf);
	s->perf = NULL;
	s->nperf = 0;
}

/* Its count becomes what it is now. False: nothing is counted by it any more. */
static bool event_read(struct cpu_event *e)
{
	struct {
		uint64_t count, running_ns;
	} now;
	bool runs;

	if (read(e->fd, &now, sizeof(now)) != sizeof(now))
		return false;
	runs = now.running_ns > e->running_ns;
	e->count = now.count;
	e->running_ns = now.running_ns;
	return runs;
}

/* Events for CPUs that are back, or new; @running have one. */
static void renew(struct session *s, size_t running)
{
	long online = sysconf(_SC_NPROCESSORS_ONLN);

	if (online < 0 || (size_t)online <= running)
		return;
	if (!caps_perfmon()) { /* the daemon's filter of system calls does not expect the attempt */
		s->perf_late += online - running;
		return;
	}
	for (size_t cpu = 0; cpu < s->nperf; cpu++)
		if (s->perf[cpu].fd < 0 && event_open(s, cpu) != -ENODEV)
			s->perf_late++;
}

/* How many CPUs have an event that runs; the others lose theirs. */
static size_t read_all(struct session *s)
{
	size_t running = 0;

	for (size_t cpu = 0; cpu < s->nperf; cpu++) {
		struct cpu_event *e = &s->perf[cpu];

		if (e->fd < 0)
			continue;
		if (event_read(e))
			running++;
		else if (s->duty.attached)
			event_retire(s, e);
	}
	return running;
}

int64_t perf_look(struct session *s)
{
	uint64_t counter[VML_NCOUNTERS] = {}, events;
	/* the events first: what comes in between is never taken for skipped */
	size_t running = read_all(s);

	if (!s->nperf || counters_read(bpf_map__fd(s->skel->maps.counters), counter))
		return 0;
	events = s->perf_closed;
	for (size_t cpu = 0; cpu < s->nperf; cpu++)
		events += s->perf[cpu].count;
	if (s->duty.attached)
		renew(s, running);
	return (int64_t)(events - counter[VML_COUNTER_PERF_RUNS]) - s->perf_before;
}
