// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include <inttypes.h>
#include <stdio.h>

#include "vmalock/base.h"
#include "keys.h"

const char *const vml_scope_keys[VML_NSCOPES] = { "processes", "threads", "vmas", "blockers" };
const char *const vml_scope_names[VML_NSCOPES] = { "process", "thread", "vma", "blocker" };

json_t *vml_json_u64(uint64_t v)
{
	return v <= INT64_MAX ? json_integer((json_int_t)v) : json_real((double)v);
}

static json_t *decimal(uint64_t v)
{
	char buf[32];

	snprintf(buf, sizeof(buf), "%" PRIu64, v);
	return json_string(buf);
}

static json_t *address(uint64_t v)
{
	char buf[32];

	snprintf(buf, sizeof(buf), "0x%" PRIx64, v);
	return json_string(buf);
}

/* ---- rows */

static json_t *row_pid(const struct vml_row *r)
{
	return json_integer(r->id.pid);
}

static json_t *row_ns_pid(const struct vml_row *r)
{
	return r->ns_pid != r->id.pid ? json_integer(r->ns_pid) : json_null();
}

static json_t *row_start_ns(const struct vml_row *r)
{
	return decimal(r->id.start_ns);
}

static json_t *row_exec(const struct vml_row *r)
{
	return json_integer(r->id.exec);
}

/* A blocker may be known by its process only. */
static json_t *row_tid(const struct vml_row *r)
{
	return r->id.tid ? json_integer(r->id.tid) : json_null();
}

static json_t *row_tid_start_ns(const struct vml_row *r)
{
	return r->id.tid ? decimal(r->id.tid_start_ns) : json_null();
}

static json_t *row_comm(const struct vml_row *r)
{
	return json_string(r->comm);
}

static json_t *row_cgroup(const struct vml_row *r)
{
	return vml_json_text(r->cgroup);
}

static json_t *row_threads(const struct vml_row *r)
{
	return r->threads ? json_integer(r->threads) : json_null();
}

static json_t *row_start(const struct vml_row *r)
{
	return r->area.end ? address(r->area.start) : json_null();
}

static json_t *row_end(const struct vml_row *r)
{
	return r->area.end ? address(r->area.end) : json_null();
}

static json_t *row_perms(const struct vml_row *r)
{
	return vml_json_text(r->area.perms);
}

static json_t *row_kind(const struct vml_row *r)
{
	return json_string(r->area.kind);
}

static json_t *row_name(const struct vml_row *r)
{
	return vml_json_text(r->area.name);
}

static json_t *row_dev(const struct vml_row *r)
{
	char buf[32];

	if (!r->area.inode)
		return json_null();
	snprintf(buf, sizeof(buf), "%u:%u", r->area.dev_major, r->area.dev_minor);
	return json_string(buf);
}

static json_t *row_inode(const struct vml_row *r)
{
	return r->area.inode ? vml_json_u64(r->area.inode) : json_null();
}

static json_t *row_offset(const struct vml_row *r)
{
	return r->area.inode ? vml_json_u64(r->area.offset) : json_null();
}

static json_t *row_context(const struct vml_row *r)
{
	return json_string(r->context);
}

static json_t *row_lock(const struct vml_row *r)
{
	return json_string(r->lock);
}

static json_t *row_target_pid(const struct vml_row *r)
{
	return r->id.target.pid ? json_integer(r->id.target.pid) : json_null();
}

static json_t *row_target_start_ns(const struct vml_row *r)
{
	return r->id.target.pid ? decimal(r->id.target.start_ns) : json_null();
}

static json_t *row_target_exec(const struct vml_row *r)
{
	return r->id.target.pid ? json_integer(r->id.target.exec) : json_null();
}

static json_t *row_target_comm(const struct vml_row *r)
{
	return vml_json_text(r->target);
}

static json_t *row_longest(const struct vml_row *r)
{
	const struct vml_column *c = vml_column_find(VML_BLOCKER, "longest");
	double ns;

	/* the last bucket has no bound */
	return vml_column_number(c, NULL, VML_BLOCKER, r, &ns) && ns < 0x1p64 ? vml_json_u64((uint64_t)ns)
									      : json_null();
}

static json_t *row_exited(const struct vml_row *r)
{
	return r->exited ? json_true() : json_null();
}

const struct vml_row_key vml_row_keys[] = {
	{ "tid", VML_JSON_INTEGER, ON(VML_THREAD), true, true, "Thread id in the initial pid namespace.", row_tid },
	{ "tid_start_ns", VML_JSON_DECIMAL, ON(VML_THREAD), true, true, "When the thread started, since boot.",
	  row_tid_start_ns },
	{ "tid", VML_JSON_INTEGER, ON(VML_BLOCKER), true, false, "Absent where only the process is known: vma_read.",
	  row_tid },
	{ "tid_start_ns", VML_JSON_DECIMAL, ON(VML_BLOCKER), true, false, "When the thread started, since boot.",
	  row_tid_start_ns },
	{ "pid", VML_JSON_INTEGER, EVERY_SCOPE, true, true, "Process id in the initial pid namespace.", row_pid },
	{ "ns_pid", VML_JSON_INTEGER, EVERY_SCOPE, false, false,
	  "Process id in the process's own pid namespace, where it differs.", row_ns_pid },
	{ "start_ns", VML_JSON_DECIMAL, EVERY_SCOPE, true, true, "When the process started, since boot.",
	  row_start_ns },
	{ "exec", VML_JSON_INTEGER, EVERY_SCOPE, true, true, "Changes with each execve; only equality means something.",
	  row_exec },
	{ "comm", VML_JSON_STRING, ON(VML_PROCESS) | ON(VML_THREAD) | ON(VML_BLOCKER), false, true,
	  "Name; control characters as \\xNN, a backslash as \\\\.", row_comm },
	{ "cgroup", VML_JSON_STRING, ON(VML_PROCESS) | ON(VML_BLOCKER), false, false, "Path from the host's root.",
	  row_cgroup },
	{ "threads", VML_JSON_INTEGER, ON(VML_PROCESS), false, false, "Threads alive at the end of the interval.",
	  row_threads },
	{ "start", VML_JSON_ADDRESS, ON(VML_VMA), true, false, "First address.", row_start },
	{ "end", VML_JSON_ADDRESS, ON(VML_VMA), true, false, "First address behind it.", row_end },
	{ "perms", VML_JSON_STRING, ON(VML_VMA), false, false, "As in /proc/PID/maps.", row_perms },
	{ "kind", VML_JSON_STRING, ON(VML_VMA), true, true,
	  "anon, file, heap, stack, vdso, special; none: no mapping there; unknown: could not be found.", row_kind },
	{ "name", VML_JSON_STRING, ON(VML_VMA), false, false, "File path, or what else it is: [heap], [stack], [anon].",
	  row_name },
	{ "dev", VML_JSON_STRING, ON(VML_VMA), false, false, "Device of the file, MAJOR:MINOR.", row_dev },
	{ "inode", VML_JSON_INTEGER, ON(VML_VMA), false, false, "Inode of the file.", row_inode },
	{ "offset", VML_JSON_INTEGER, ON(VML_VMA), false, false, "Bytes into the file at start.", row_offset },
	{ "context", VML_JSON_STRING, ON(VML_BLOCKER), true, true,
	  "What the holder did: a system call, \"page fault\", \"CALL: page fault\" inside a system call, exit, a "
	  "kernel thread's name, uprobe, ...",
	  row_context },
	{ "lock", VML_JSON_STRING, ON(VML_BLOCKER), true, true, "How it held: mmap_read, mmap_write or vma_read.",
	  row_lock },
	{ "target_pid", VML_JSON_INTEGER, ON(VML_BLOCKER), true, false, "Process whose lock it is.", row_target_pid },
	{ "target_start_ns", VML_JSON_DECIMAL, ON(VML_BLOCKER), true, false, "Of that process.", row_target_start_ns },
	{ "target_exec", VML_JSON_INTEGER, ON(VML_BLOCKER), true, false, "Of that process.", row_target_exec },
	{ "target_comm", VML_JSON_STRING, ON(VML_BLOCKER), false, false, "Of that process.", row_target_comm },
	{ "longest_ns", VML_JSON_INTEGER, ON(VML_BLOCKER), false, false,
	  "Longest of the holds; its bucket's bound when it is not known exactly.", row_longest },
	{ "exited", VML_JSON_BOOLEAN, EVERY_SCOPE, false, false, "True when it is gone: this is its last row.",
	  row_exited },
	{ NULL, 0, 0, false, false, NULL, NULL },
};

/* ---- top, host, self */

static json_t *top_schema(const struct vml_snapshot *d)
{
	(void)d;
	return json_integer(VML_JSON_SCHEMA);
}

static json_t *top_version(const struct vml_snapshot *d)
{
	(void)d;
	return json_string(VML_VERSION);
}

static json_t *top_kernel(const struct vml_snapshot *d)
{
	return json_string(d->host.kernel);
}

static json_t *top_time(const struct vml_snapshot *d)
{
	char buf[64];

	return json_string(vml_fmt_time(buf, sizeof(buf), d->real_ns));
}

static json_t *top_interval(const struct vml_snapshot *d)
{
	return vml_json_u64(d->interval_ns);
}

const struct vml_snapshot_key vml_top_keys[] = {
	{ "schema", VML_JSON_INTEGER, true, "Raised only when a key changes its meaning or goes.", top_schema },
	{ "version", VML_JSON_STRING, true, "Version of the program.", top_version },
	{ "kernel", VML_JSON_STRING, true, "Release of the running kernel.", top_kernel },
	{ "time", VML_JSON_TIME, true, "When the interval ended.", top_time },
	{ "interval_ns", VML_JSON_INTEGER, true, "Its length; every count is the change within it.", top_interval },
	{ NULL, 0, false, NULL, NULL },
};

static json_t *host_name(const struct vml_snapshot *d)
{
	return vml_json_text(d->host.name);
}

static json_t *host_boot_id(const struct vml_snapshot *d)
{
	return vml_json_text(d->host.boot_id);
}

static json_t *host_machine(const struct vml_snapshot *d)
{
	return vml_json_text(d->host.machine);
}

static json_t *host_cpus(const struct vml_snapshot *d)
{
	return d->host.cpus ? json_integer(d->host.cpus) : json_null();
}

static json_t *host_page_size(const struct vml_snapshot *d)
{
	return d->host.page_size ? json_integer(d->host.page_size) : json_null();
}

const struct vml_snapshot_key vml_host_keys[] = {
	{ "name", VML_JSON_STRING, false, "Host name.", host_name },
	{ "boot_id", VML_JSON_STRING, false, "/proc/sys/kernel/random/boot_id", host_boot_id },
	{ "machine", VML_JSON_STRING, false, "Processor architecture, as uname -m.", host_machine },
	{ "cpus", VML_JSON_INTEGER, false, "Processors online.", host_cpus },
	{ "page_size", VML_JSON_INTEGER, false, "Bytes.", host_page_size },
	{ NULL, 0, false, NULL, NULL },
};

static json_t *if_bpf(const struct vml_snapshot *d, uint64_t v)
{
	return d->self.from_bpf ? vml_json_u64(v) : json_null();
}

static json_t *self_foreign(const struct vml_snapshot *d)
{
	return if_bpf(d, d->self.foreign_mmap_locks);
}

static json_t *self_runs(const struct vml_snapshot *d)
{
	return if_bpf(d, d->self.bpf_runs);
}

static json_t *self_cost(const struct vml_snapshot *d)
{
	return d->self.bpf_cost_known ? vml_json_u64(d->self.bpf_cost_ns) : json_null();
}

static json_t *self_calibrations(const struct vml_snapshot *d)
{
	return if_bpf(d, d->self.bpf_calibrations);
}

static json_t *self_cpu(const struct vml_snapshot *d)
{
	return vml_json_u64(d->self.cpu_ns);
}

static json_t *self_rss(const struct vml_snapshot *d)
{
	return vml_json_u64(d->self.rss_bytes);
}

static json_t *self_maps(const struct vml_snapshot *d)
{
	return d->self.map_bytes ? if_bpf(d, d->self.map_bytes) : json_null();
}

static json_t *self_map_limit(const struct vml_snapshot *d)
{
	return d->self.map_limit_bytes ? if_bpf(d, d->self.map_limit_bytes) : json_null();
}

static json_t *self_evicted(const struct vml_snapshot *d)
{
	return d->self.evicted_known ? if_bpf(d, d->self.evicted_rows) : json_null();
}

static json_t *self_ledger(const struct vml_snapshot *d)
{
	return if_bpf(d, d->self.ledger_error_ns);
}

static json_t *self_maps_read(const struct vml_snapshot *d)
{
	return if_bpf(d, d->self.maps_read);
}

const struct vml_snapshot_key vml_self_keys[] = {
	{ "foreign_mmap_locks", VML_JSON_INTEGER, false,
	  "Times this process took mmap_lock of another; not 0 is a bug.", self_foreign },
	{ "ledger_error_ns", VML_JSON_INTEGER, false,
	  "Waits for mmap_lock less what was charged for them, over all locks; not 0 is a bug.", self_ledger },
	{ "process_maps_read", VML_JSON_INTEGER, false,
	  "Times /proc/PID/maps of a process was read, for the names in user stacks.", self_maps_read },
	{ "bpf_runs", VML_JSON_INTEGER, false, "Events that the BPF programs handled.", self_runs },
	{ "bpf_cost_ns", VML_JSON_INTEGER, false,
	  "CPU time of the BPF programs on faults and mmap_lock, estimated: their runs, each at what one cost when "
	  "it was calibrated. Those on slow paths of a fault are not in it.",
	  self_cost },
	{ "bpf_calibrations", VML_JSON_INTEGER, false, "Times it was measured what a run costs.", self_calibrations },
	{ "cpu_ns", VML_JSON_INTEGER, true, "User and system time of this process.", self_cpu },
	{ "rss_bytes", VML_JSON_INTEGER, true, "Resident memory of this process.", self_rss },
	{ "map_bytes", VML_JSON_INTEGER, false, "Memory of all BPF maps.", self_maps },
	{ "map_limit_bytes", VML_JSON_INTEGER, false, "What they may take, --memory: all but the storage of threads.",
	  self_map_limit },
	{ "evicted_rows", VML_JSON_INTEGER, false,
	  "Areas and blockers in which nothing happened any more, and whose rows made room for others, the least blocked "
	  "time first. Totals keep what they had; they begin anew when something happens in them.",
	  self_evicted },
	{ NULL, 0, false, NULL, NULL },
};
