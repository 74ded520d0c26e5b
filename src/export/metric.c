/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include <string.h>

#include "export/metric.h"
#include "vmalock/base.h"
#include "vmalock/export.h"
#include "vmalock/snapshot.h"

#define LABELS(...)         \
	{                   \
		__VA_ARGS__ \
	}
#define M(id, n, t, u, l, h, ...) [id] = { .name = n, .type = t, .unit = u, .label = l, .help = h, __VA_ARGS__ }
#define NONE LABELS(0)
#define OF_VALUE(v) .value = 1 + VML_DAEMON_##v
#define OF_LIST(v) .list = 1 + VML_DAEMON_##v
#define ROWS .rows = true

const char *const metric_type_names[METRIC_TYPES] = {
	[COUNTER] = "counter",
	[GAUGE] = "gauge",
	[HISTOGRAM] = "histogram",
	[SUMMARY] = "summary",
};

/* clang-format off */
const struct metric metrics[NMETRICS] = {
	M(FAULTS, "vmalock_faults_total", COUNTER, "1", LABELS("cgroup", "mode", "path"),
	  "Page faults on user addresses, by processor mode and by the lock that served them.", ROWS),
	M(FALLBACKS, "vmalock_fallbacks_total", COUNTER, "1", LABELS("cgroup", "reason", "certainty"),
	  "Faults that took mmap_lock, by reason.", ROWS),
	M(ABORTS, "vmalock_vma_lock_aborts_total", COUNTER, "1", LABELS("cgroup"),
	  "Fault lookups that were refused the VMA lock.", ROWS),
	M(RETRIES, "vmalock_vma_lock_retries_total", COUNTER, "1", LABELS("cgroup"),
	  "Faults that returned VM_FAULT_RETRY under the VMA lock.", ROWS),
	M(MISSES, "vmalock_vma_lock_misses_total", COUNTER, "1", NONE,
	  "Lookups restarted because the VMA was detached under them.", 0),
	M(LOOKUPS, "vmalock_vma_lock_lookups_total", COUNTER, "1", LABELS("caller", "result"),
	  "VMA lock lookups by kernel caller (exact detail only).", 0),
	M(LOCK_WAIT, "vmalock_lock_wait_seconds", HISTOGRAM, "s", LABELS("cgroup", "lock"),
	  "Time from asking for a lock to having it or giving up.", ROWS),
	M(LOCK_HOLD, "vmalock_mmap_lock_hold_seconds", HISTOGRAM, "s", LABELS("mode"),
	  "Time from having mmap_lock to releasing it.", 0),
	M(FAULT_DURATION, "vmalock_fault_duration_seconds", HISTOGRAM, "s", LABELS("outcome"),
	  "Time to serve a page fault, by outcome.", 0),
	M(BLAMED, "vmalock_blamed_seconds_total", COUNTER, "s", LABELS("cgroup", "context"),
	  "Blocked time charged to holders, by cgroup of the holder and what it was doing.", ROWS),
	M(UNATTRIBUTED, "vmalock_unattributed_seconds_total", COUNTER, "s", NONE,
	  "Blocked time that no holder could be charged with.", 0),
	M(AVOIDABLE, "vmalock_avoidable_seconds_total", COUNTER, "s", LABELS("cgroup", "context"),
	  "Part of blamed time whose fault address lay outside the range the holder was changing.", ROWS),
	M(CROSS_CGROUP, "vmalock_cross_cgroup_blocked_seconds_total", COUNTER, "s", LABELS("cgroup"),
	  "Blocked time of a cgroup that was charged to holders outside it.", ROWS),
	M(HOLDER_STATE, "vmalock_holder_state_seconds_total", COUNTER, "s", LABELS("mode", "state"),
	  "Time holders that blocked somebody spent on CPU, runnable or sleeping.", 0),
	M(STALLED, "vmalock_stalled_threads", GAUGE, "1", LABELS("lock"),
	  "Threads that have been waiting longer than the stall threshold right now.", 0),
	M(LONGEST_WAIT, "vmalock_longest_current_wait_seconds", GAUGE, "s", LABELS("lock"),
	  "Longest wait still going on; 0 below the stall threshold.", 0),
	M(MAPPINGS, "vmalock_process_mappings_max", GAUGE, "1", LABELS("cgroup"),
	  "Mappings of the process that has most of them.", ROWS),
	M(MAPPINGS_LIMIT, "vmalock_process_mappings_limit", GAUGE, "1", NONE,
	  "The kernel's limit of mappings per process (vm.max_map_count).", 0),
	M(KERNEL_SUCCESS, "vmalock_kernel_vma_lock_success_total", COUNTER, "1", NONE,
	  "vma_lock_success of /proc/vmstat, where the kernel counts it.", 0),
	M(KERNEL_ABORT, "vmalock_kernel_vma_lock_abort_total", COUNTER, "1", NONE,
	  "vma_lock_abort of /proc/vmstat, where the kernel counts it.", 0),
	M(KERNEL_RETRY, "vmalock_kernel_vma_lock_retry_total", COUNTER, "1", NONE,
	  "vma_lock_retry of /proc/vmstat, where the kernel counts it.", 0),
	M(KERNEL_MISS, "vmalock_kernel_vma_lock_miss_total", COUNTER, "1", NONE,
	  "vma_lock_miss of /proc/vmstat, where the kernel counts it.", 0),
	M(CGROUP_INFO, "vmalock_cgroup_info", GAUGE, "1",
	  LABELS("cgroup", "path", "kind", "unit", "pod_uid", "container_id", "runtime"),
	  "1 for each cgroup that has series, with what is known about it.", 0),
	M(BUILD_INFO, "vmalock_build_info", GAUGE, "1", LABELS("version", "revision", "libbpf"),
	  "1, with the version of the program.", 0),
	M(BACKEND_INFO, "vmalock_backend_info", GAUGE, "1", LABELS("backend", "detail", "kernel"),
	  "1 for the backend in use.", 0),
	M(CAPABILITY, "vmalock_capability_available", GAUGE, "1", LABELS("capability"),
	  "1 if the capability is there, 0 if doctor says what is missing.", 0),
	M(UP, "vmalock_collector_up", GAUGE, "1", NONE, "1 if the last snapshot succeeded.", OF_VALUE(UP)),
	M(SNAPSHOT_TIME, "vmalock_last_snapshot_timestamp_seconds", GAUGE, "s", NONE,
	  "Unix time of the last successful snapshot.", OF_VALUE(SNAPSHOT_TIME)),
	M(SNAPSHOT_DURATION, "vmalock_snapshot_duration_seconds", SUMMARY, "s", NONE, "Time taken by snapshots.",
	  OF_VALUE(SNAPSHOT_SECONDS)),
	M(LOST, "vmalock_lost_events_total", COUNTER, "1", LABELS("cause"),
	  "What was lost, by cause.", OF_LIST(LOST)),
	M(LEDGER_ERROR, "vmalock_ledger_error_seconds", GAUGE, "s", NONE,
	  "Difference between waits and what was charged; not 0 is a bug.", 0),
	M(BPF_RUNS, "vmalock_bpf_program_runs_total", COUNTER, "1", LABELS("program"),
	  "Runs of each BPF program, counted by the program.", OF_LIST(BPF_RUNS)),
	M(BPF_SECONDS, "vmalock_bpf_overhead_seconds_total", COUNTER, "s", NONE,
	  "CPU time taken by the BPF programs, runs times calibrated cost.", OF_VALUE(BPF_SECONDS)),
	M(OVERHEAD, "vmalock_overhead_ratio", GAUGE, "ratio", NONE,
	  "CPU time taken by BPF programs and daemon, of all CPU time, over the last minute.", OF_VALUE(OVERHEAD)),
	M(OVERHEAD_LIMIT, "vmalock_overhead_limit_ratio", GAUGE, "ratio", NONE,
	  "The budget set with --max-overhead.", OF_VALUE(OVERHEAD_LIMIT)),
	M(DUTY, "vmalock_hot_path_duty_ratio", GAUGE, "ratio", NONE,
	  "Share of time the hooks on every fault are attached; below 1, counts by reason and VMA are extrapolated.",
	  OF_VALUE(DUTY)),
	M(MAP_BYTES, "vmalock_bpf_map_memory_bytes", GAUGE, "bytes", LABELS("map"), "Memory of each BPF map.",
	  OF_LIST(MAP_BYTES)),
	M(MAP_LIMIT, "vmalock_bpf_map_memory_limit_bytes", GAUGE, "bytes", NONE,
	  "The budget set with --memory, of all maps but the storage of threads.", OF_VALUE(MAP_LIMIT)),
	M(EVICTED, "vmalock_bpf_map_evicted_rows_total", COUNTER, "1", NONE,
	  "Rows of areas and blockers that made room for others.", OF_VALUE(EVICTED)),
	M(FOREIGN, "vmalock_foreign_mmap_locks_total", COUNTER, "1", NONE,
	  "mmap_lock acquisitions by this process on other processes; not 0 is a bug.", 0),
	M(SERIES, "vmalock_exported_series", GAUGE, "1", NONE, "Series in this exposition.", 0),
	M(SERIES_LIMIT, "vmalock_exported_series_limit", GAUGE, "1", NONE,
	  "The budget set with --series-budget.", 0),
	M(FOLDED, "vmalock_folded_cgroups", GAUGE, "1", NONE,
	  "Cgroups that are counted in cgroup=\"other\" for lack of budget.", 0),
	M(HISTORY_SIZE, "vmalock_history_size_bytes", GAUGE, "bytes", NONE, "Size of the history on disk.",
	  OF_VALUE(HISTORY_SIZE)),
	M(HISTORY_OLDEST, "vmalock_history_oldest_timestamp_seconds", GAUGE, "s", NONE,
	  "Unix time of the oldest interval in the history.", OF_VALUE(HISTORY_OLDEST)),
	M(HISTORY_LOST, "vmalock_history_lost_intervals_total", COUNTER, "1", LABELS("cause"),
	  "Intervals that could not be written to the history.", OF_LIST(HISTORY_LOST)),
	M(WEB_CONFIG_OK, "vmalock_web_config_ok", GAUGE, "1", NONE,
	  "1 if the web configuration file in force is the one on disk.", OF_VALUE(WEB_CONFIG_OK)),
	M(WEB_REQUESTS, "vmalock_web_requests_total", COUNTER, "1", LABELS("handler", "code"),
	  "HTTP requests answered.", OF_LIST(WEB_REQUESTS)),
	M(WEB_REJECTED, "vmalock_web_rejected_total", COUNTER, "1", LABELS("cause"),
	  "Connections and requests refused before a handler saw them.", OF_LIST(WEB_REJECTED)),
	M(CPU_SECONDS, "process_cpu_seconds_total", COUNTER, "s", NONE,
	  "Total user and system CPU time spent in seconds.", OF_VALUE(CPU_SECONDS)),
	M(RESIDENT, "process_resident_memory_bytes", GAUGE, "bytes", NONE, "Resident memory size in bytes.",
	  OF_VALUE(RESIDENT)),
	M(VIRTUAL, "process_virtual_memory_bytes", GAUGE, "bytes", NONE, "Virtual memory size in bytes.",
	  OF_VALUE(VIRTUAL)),
	M(FDS, "process_open_fds", GAUGE, "1", NONE, "Number of open file descriptors.", OF_VALUE(FDS)),
	M(MAX_FDS, "process_max_fds", GAUGE, "1", NONE, "Maximum number of open file descriptors.",
	  OF_VALUE(MAX_FDS)),
	M(START_TIME, "process_start_time_seconds", GAUGE, "s", NONE,
	  "Start time of the process since unix epoch in seconds.", OF_VALUE(START_TIME)),
};
/* clang-format on */

unsigned int metric_series(enum metric_id m)
{
	switch (metrics[m].type) {
	case HISTOGRAM:
		return CLASSIC_BOUNDS + 3; /* +Inf, sum, count */
	case SUMMARY:
		return 2;
	default:
		return 1;
	}
}

/* ---- label sets */

static const char *const fault_modes[SET_MODES] = { "user", "kernel" };
static const char *const paths[SET_PATHS] = { "vma", "mmap", "none", "unknown" };
const char *const lock_names[SET_LOCKS] = { "mmap_read", "mmap_write", "vma_write" };
const char *const mode_names[2] = { "read", "write" };

/* What holders do: vml_row.context.  The last one is all others. */
static const char *const contexts[SET_CONTEXTS] = {
	"page fault", /* in user mode */
	"kernel page fault", /* inside any system call */
	"mmap",
	"munmap",
	"mprotect",
	"mremap",
	"brk",
	"madvise",
	"clone",
	"clone3",
	"fork",
	"vfork",
	"execve",
	"exit",
	"read", /* of /proc/PID/smaps and the like */
	"pread64",
	"process_vm_readv",
	"process_vm_writev",
	"process_madvise",
	"ptrace",
	"mlock",
	"mbind",
	"move_pages",
	"ioctl",
	"futex",
	"prctl",
	"khugepaged",
	"io worker",
	"task work",
	"uprobe",
	"vma readers",
	"other",
};

enum metric_id set_metric(unsigned int set, const char *ret_value[2])
{
	ret_value[0] = ret_value[1] = NULL;
	if (set < SET_FALLBACKS) {
		ret_value[0] = fault_modes[(set - SET_FAULTS) / SET_PATHS];
		ret_value[1] = paths[(set - SET_FAULTS) % SET_PATHS];
		return FAULTS;
	}
	if (set < SET_ABORTS) {
		ret_value[0] = vml_reason_name((set - SET_FALLBACKS) / 2);
		ret_value[1] = (set - SET_FALLBACKS) % 2 == VML_EXACT ? "exact" : "inferred";
		return FALLBACKS;
	}
	if (set < SET_WAIT)
		return set == SET_ABORTS ? ABORTS : RETRIES;
	if (set < SET_BLAMED) {
		ret_value[0] = lock_names[set - SET_WAIT];
		return LOCK_WAIT;
	}
	if (set < SET_CROSS) {
		ret_value[0] = contexts[(set - SET_BLAMED) % SET_CONTEXTS];
		return set < SET_AVOIDABLE ? BLAMED : AVOIDABLE;
	}
	return CROSS_CGROUP;
}

bool set_is_time(unsigned int set)
{
	return set >= SET_WAIT;
}

unsigned int set_context(const char *context)
{
	static const char fault[] = ": page fault", other_abi[] = " (32-bit)";
	size_t n = strlen(context);
	unsigned int i;

	if (n > strlen(fault) && !strcmp(context + n - strlen(fault), fault))
		return 1;
	if (n > strlen(other_abi) && !strcmp(context + n - strlen(other_abi), other_abi))
		n -= strlen(other_abi);
	for (i = 0; i < SET_CONTEXTS - 1; i++)
		if (!strncmp(contexts[i], context, n) && !contexts[i][n])
			return i;
	return SET_CONTEXTS - 1;
}
