/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The columns: what the screen, the text tables, the sort keys and the help know.
 *
 * Display order is order of importance.  A sink shows the columns from the
 * first on for as long as they fit, one space between them, and always the
 * last one, whose width 0 means the rest of the line (the command, or the name
 * of a VMA): so at 80 columns
 *
 *	processes	PID FAULTS HIT% FALLBACK BYPASS RD WAIT WR WAIT RD HOLD   COMMAND
 *	threads		TID PID FAULTS HIT% FALLBACK BYPASS RD WAIT WR WAIT   COMMAND
 *	VMAs		PID START SIZE PERM FAULTS HIT% FALLBACK WAIT   NAME
 *	blockers	TID DOING BLAMED LONGEST VICTIMS AVOIDABLE   COMMAND
 *
 * each leave at least 16 for the last.  What only a wider screen shows follows
 * from there.  Every metric that a scope can have is a sort key of it, shown or not.
 *
 * Addresses are written as in /proc/PID/maps, without 0x.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "model.h"
#include "vmalock/base.h"

enum field {
	FIELD_METRIC,
	FIELD_PID,
	FIELD_TID,
	FIELD_NS_PID,
	FIELD_UID,
	FIELD_THREADS,
	FIELD_COMMAND,
	FIELD_CGROUP,
	FIELD_START,
	FIELD_SIZE,
	FIELD_PERMS,
	FIELD_KIND,
	FIELD_NAME,
	FIELD_OWNER, /* FIELD_COMMAND where it is not the last */
	FIELD_HIT_RATIO,
	FIELD_READ_WAIT_P99,
	FIELD_CONTEXT,
	FIELD_LOCK,
	FIELD_TARGET,
	FIELD_LONGEST,
	NFIELDS,
};

#define METRIC(id, metric_key, head, of, sentence, column_key, columns, where) \
	[id] = { .key = column_key,                                            \
		 .title = head,                                                \
		 .help = sentence,                                             \
		 .unit = VML_UNIT_##of,                                        \
		 .scopes = where,                                              \
		 .width = columns,                                             \
		 .metric = id,                                                 \
		 .field = FIELD_METRIC },

static const struct vml_column metric_column[VML_NMETRICS] = { MODEL_METRICS(METRIC) };

#define FIELD(id, column_key, head, columns, of, where, sorts_up, sentence) \
	[id] = { .key = column_key,                                         \
		 .title = head,                                             \
		 .help = sentence,                                          \
		 .unit = VML_UNIT_##of,                                     \
		 .scopes = where,                                           \
		 .width = columns,                                          \
		 .metric = -1,                                              \
		 .ascending = sorts_up,                                     \
		 .field = id }

#define PROCESS (1U << VML_PROCESS)
#define THREAD (1U << VML_THREAD)
#define VMA (1U << VML_VMA)
#define BLOCKER (1U << VML_BLOCKER)

static const struct vml_column field_column[NFIELDS] = {
	FIELD(FIELD_PID, "pid", "PID", 7, COUNT, SCOPE_ALL, true, "Process id."),
	FIELD(FIELD_TID, "tid", "TID", 7, COUNT, THREAD | BLOCKER, true, "Thread id."),
	FIELD(FIELD_NS_PID, "ns_pid", "NSPID", 7, COUNT, SCOPE_ALL, true, "Process id in the process's own namespace."),
	FIELD(FIELD_UID, "uid", "UID", 10, COUNT, SCOPE_ALL, true, "User id."),
	FIELD(FIELD_THREADS, "threads", "THREADS", 7, COUNT, PROCESS, false, "Threads the process has now."),
	FIELD(FIELD_COMMAND, "comm", "COMMAND", 0, TEXT, SCOPE_TASKS | BLOCKER, true, "Name of the process or thread."),
	FIELD(FIELD_CGROUP, "cgroup", "CGROUP", 32, TEXT, SCOPE_ALL, true, "Control group, from the host's root."),
	FIELD(FIELD_START, "start", "START", 12, ADDRESS, VMA, true, "First address of the VMA."),
	FIELD(FIELD_SIZE, "size", "SIZE", 5, BYTES, VMA, false, "Size of the VMA."),
	FIELD(FIELD_PERMS, "perms", "PERM", 4, TEXT, VMA, true, "Permissions, as in /proc/PID/maps."),
	FIELD(FIELD_KIND, "kind", "KIND", 7, TEXT, VMA, true, "What is mapped: anon, file, heap, stack, ..."),
	FIELD(FIELD_NAME, "name", "NAME", 0, TEXT, VMA, true, "File that is mapped, or what else it is."),
	FIELD(FIELD_OWNER, "comm", "COMMAND", 15, TEXT, VMA, true, "Name of the process."),
	FIELD(FIELD_HIT_RATIO, "hit_ratio", "HIT%", 7, RATIO, SCOPE_FAULTS, false,
	      "Share of the user-mode faults that were served under the VMA lock."),
	FIELD(FIELD_READ_WAIT_P99, "read_wait_p99", "RD P99", 7, NS, SCOPE_FAULTS, false,
	      "99 of 100 waits to read-lock mmap_lock were not longer (within 9 %)."),
	FIELD(FIELD_CONTEXT, "context", "DOING", 16, TEXT, BLOCKER, true,
	      "What the holder does: system call, page fault, kernel thread, exit, ..."),
	FIELD(FIELD_LOCK, "lock", "LOCK", 10, TEXT, BLOCKER, true, "How it holds: mmap_read, mmap_write, vma_read."),
	FIELD(FIELD_TARGET, "target", "WHOSE LOCK", 15, TEXT, BLOCKER, true, "Process whose lock it is."),
	FIELD(FIELD_LONGEST, "longest", "LONGEST", 7, NS, BLOCKER, false,
	      "Longest of the holds (within 9 % when it was not in this interval)."),
};

#define M(id) &metric_column[VML_##id]
#define F(id) &field_column[FIELD_##id]

/* clang-format off */
static const struct vml_column *const display[VML_NSCOPES][32] = {
	[VML_PROCESS] = { F(PID), M(FAULTS), F(HIT_RATIO), M(FALLBACKS), M(BYPASSES), M(MMAP_READ_WAIT_NS),
			  M(MMAP_WRITE_WAIT_NS), M(MMAP_READ_HOLD_NS), M(MMAP_WRITE_HOLD_NS), F(READ_WAIT_P99),
			  M(BLAMED_NS), M(UNATTRIBUTED_NS), M(ABORTS), M(RETRIES), M(VMA_WRITE_WAIT_NS), F(THREADS),
			  F(CGROUP), M(HANDOVER_RUNQUEUE_NS), M(HANDOVER_WAKEUP_NS), M(SERVE_NS), M(PAGE_IO_NS),
			  M(USERFAULTFD_NS), M(MISSES), M(VMA_WRITE_READERS), M(LOCK_FAILED), F(UID), F(COMMAND), NULL },
	[VML_THREAD] = { F(TID), F(PID), M(FAULTS), F(HIT_RATIO), M(FALLBACKS), M(BYPASSES), M(MMAP_READ_WAIT_NS),
			 M(MMAP_WRITE_WAIT_NS), M(MMAP_READ_HOLD_NS), M(MMAP_WRITE_HOLD_NS), F(READ_WAIT_P99),
			 M(ABORTS), M(RETRIES), M(VMA_WRITE_WAIT_NS), F(CGROUP), M(MISSES), M(VMA_WRITE_READERS),
			 M(LOCK_FAILED), F(UID), F(COMMAND), NULL },
	[VML_VMA] = { F(PID), F(START), F(SIZE), F(PERMS), M(FAULTS), F(HIT_RATIO), M(FALLBACKS), M(WAIT_NS),
		      M(BYPASSES), F(KIND), F(OWNER), F(READ_WAIT_P99), M(ABORTS), M(RETRIES), M(VMA_WRITE_WAIT_NS),
		      M(MISSES), M(VMA_WRITE_READERS), F(CGROUP), F(NAME), NULL },
	[VML_BLOCKER] = { F(TID), F(CONTEXT), M(BLAMED_NS), F(LONGEST), M(VICTIMS), M(AVOIDABLE_NS), F(LOCK), M(HOLDS),
			  M(ON_CPU_NS), M(RUNNABLE_NS), M(SLEEP_NS), F(TARGET), M(HOLD_NS), F(PID), M(FOREIGN_NS), M(IO_NS),
			  M(RECLAIM_NS), M(SWAP_NS), F(CGROUP), F(COMMAND), NULL },
};
/* clang-format on */

const struct vml_column *const *vml_columns(enum vml_scope scope)
{
	return display[scope];
}

const struct vml_column *vml_column_find(enum vml_scope scope, const char *key)
{
	const struct vml_column *c;
	int i;

	for (i = 0; i < VML_NMETRICS; i++) {
		c = &metric_column[i];
		if (c->scopes & 1U << scope && (!strcmp(c->key, key) || !strcmp(vml_metric_info(i)->key, key)))
			return c;
	}
	for (i = FIELD_METRIC + 1; i < NFIELDS; i++) {
		c = &field_column[i];
		if (c->scopes & 1U << scope && !strcmp(c->key, key))
			return c;
	}
	return NULL;
}

static bool known(const struct vml_snapshot *s, enum vml_scope scope, int metric)
{
	return s->have[scope] & VML_METRIC_BIT(metric);
}

static bool number(double v, bool is_known, double *ret)
{
	if (is_known)
		*ret = v;
	return is_known;
}

static bool hit_ratio(const struct vml_snapshot *s, enum vml_scope scope, const struct vml_row *r, double *ret)
{
	double user = (double)r->value[VML_FAULTS_USER];
	bool both = known(s, scope, VML_HITS) && known(s, scope, VML_FAULTS_USER);

	return number(user ? (double)r->value[VML_HITS] / user : 0, both && user, ret);
}

/* hist[0] is mmap_read_wait in every scope; tests/unit/test_names.c holds it. */
static bool read_wait_p99(const struct vml_row *r, double *ret)
{
	double ns = vml_hist_quantile(&r->hist[0], 0.99);

	return number(ns, ns >= 0, ret);
}

/* The hold histogram of a blocker is that of its mode: fill.c. */
static bool longest(const struct vml_row *r, double *ret)
{
	double ns = -1;
	int i;

	for (i = 0; i < VML_HISTS; i++) {
		double max = vml_hist_max_bound(&r->hist[i]);

		if (max > ns)
			ns = max;
	}
	return number(ns, ns >= 0, ret);
}

bool vml_column_number(const struct vml_column *c, const struct vml_snapshot *s, enum vml_scope scope,
		       const struct vml_row *r, double *ret)
{
	bool has_address = r->area.start || r->area.end;

	switch (c->field) {
	case FIELD_METRIC:
		return number((double)r->value[c->metric], known(s, scope, c->metric), ret);
	case FIELD_PID:
		return number(r->id.pid, true, ret);
	case FIELD_TID:
		return number(r->id.tid, r->id.tid, ret); /* of a blocker it may not be known */
	case FIELD_NS_PID:
		return number(r->ns_pid, true, ret);
	case FIELD_UID:
		return number(r->uid, r->uid != UINT32_MAX, ret);
	case FIELD_THREADS:
		return number(r->threads, r->threads, ret);
	case FIELD_START:
		return number((double)r->area.start, has_address, ret);
	case FIELD_SIZE:
		return number((double)(r->area.end - r->area.start), has_address, ret);
	case FIELD_HIT_RATIO:
		return hit_ratio(s, scope, r, ret);
	case FIELD_READ_WAIT_P99:
		return read_wait_p99(r, ret);
	case FIELD_LONGEST:
		return longest(r, ret);
	default:
		return false;
	}
}

static const char *text_of(const struct vml_column *c, const struct vml_row *r)
{
	switch (c->field) {
	case FIELD_COMMAND:
	case FIELD_OWNER:
		return r->comm;
	case FIELD_CGROUP:
		return r->cgroup;
	case FIELD_PERMS:
		return r->area.perms;
	case FIELD_KIND:
		return r->area.kind;
	case FIELD_NAME:
		return r->area.name;
	case FIELD_CONTEXT:
		return r->context;
	case FIELD_LOCK:
		return r->lock;
	case FIELD_TARGET:
		return r->target;
	default:
		return NULL;
	}
}

const char *vml_column_string(const struct vml_column *c, const struct vml_row *r)
{
	const char *text = text_of(c, r);

	return text && *text ? text : NULL;
}

static char *put_number(const struct vml_column *c, double v, char *buf, size_t n)
{
	switch (c->unit) {
	case VML_UNIT_NS:
		return vml_fmt_ns(buf, n, v);
	case VML_UNIT_BYTES:
		return vml_fmt_bytes(buf, n, v);
	case VML_UNIT_RATIO:
		return vml_fmt_percent(buf, n, v);
	case VML_UNIT_ADDRESS:
		snprintf(buf, n, "%" PRIx64, (uint64_t)v);
		return buf;
	default:
		break;
	}
	if (c->metric >= 0)
		return vml_fmt_count(buf, n, v);
	/* ids, and gauges that are small */
	snprintf(buf, n, "%.0f", v);
	return buf;
}

char *vml_column_text(const struct vml_column *c, const struct vml_snapshot *s, enum vml_scope scope,
		      const struct vml_row *r, bool rate, char *buf, size_t n)
{
	const char *text = vml_column_string(c, r);
	double v;

	if (text) {
		vml_text_copy(buf, n, text);
		return buf;
	}
	if (!vml_column_number(c, s, scope, r, &v)) {
		snprintf(buf, n, "-");
		return buf;
	}
	/* what is measured grows with time; ids, ratios, sizes and quantiles do not */
	if (rate && c->metric >= 0 && s->interval_ns)
		v /= (double)s->interval_ns / 1e9;
	return put_number(c, v, buf, n);
}
