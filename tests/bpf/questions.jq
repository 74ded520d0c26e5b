# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# Words for questions on lines of vmalocktop -j (see lib.bash).

# A count that must be there: absent is not zero.
def count($key): if .[$key] == null then error("no \($key) in \(tostring[:300])") else .[$key] end;

def total(f): reduce f as $x (0; . + $x);

# Sums over the lines of a window, for the process of a load.
def of($lines; $scope; $pid): $lines[] | .[$scope][] | select(.pid == $pid);
def process_sum($lines; $pid; $key): total(of($lines; "processes"; $pid) | count($key));
def thread_sum($lines; $pid; $key): total(of($lines; "threads"; $pid) | count($key));
def vma_sum($lines; $pid; $key): total(of($lines; "vmas"; $pid) | count($key));
def reason_sum($lines; $pid; $reason): total(of($lines; "reasons"; $pid) | select(.reason == $reason) | .count);

def loss($lines): [$lines[] | .loss | to_entries[]] | group_by(.key)
	| map({key: .[0].key, value: (map(.value) | add)}) | map(select(.value != 0)) | from_entries;

def wrong($what; $is; $should): select($is != $should) | {time, what: $what, is: $is, should: $should};

# Identities of one line; none may be printed.
def violations:
	. as $line
	| (.processes[], .threads[], .totals) as $row
	| ($line | wrong("faults = hits + fallbacks of \($row | if .pid then {pid, tid, comm} else "totals" end)";
		$row.faults; ($row | count("hits") + count("fallbacks")))),
	  ($line | wrong("faults = user + kernel of \($row | if .pid then {pid, tid, comm} else "totals" end)";
		$row.faults; ($row | count("faults_user") + count("faults_kernel")))),
	  ($line | select(($row | count("bypasses") + (.aborts // 0) + (.retries // 0)) > $row.fallbacks)
		| {time, what: "aborts + retries + bypasses > fallbacks", $row});

# The same, once a line.
def line_violations:
	. as $line
	| ((["faults", "faults_user", "faults_kernel", "hits", "bypasses", "fallbacks", "mmap_read_wait_ns",
	     "mmap_write_wait_ns", "mmap_read_hold_ns", "mmap_write_hold_ns", "lock_failed", "blamed_ns",
	     "unattributed_ns", "handover_runqueue_ns", "handover_wakeup_ns"][],
	    # what only some backends see
	    (["aborts", "retries", "misses", "vma_write_wait_ns", "vma_write_readers", "serve_ns", "userfaultfd_ns",
	      "page_io_ns"][] | select(in($line.totals))))
	   as $key
	   | $line | wrong("totals.\($key) = sum of processes[]";
		(.totals | count($key)); total(.processes[] | count($key)))),
	  # the ledgers, at one instant
	  ($line | wrong("totals.wait_ns = blamed + unattributed"; .totals.wait_ns;
		.totals.blamed_ns + .totals.unattributed_ns)),
	  ($line | wrong("totals.unattributed_ns = its two parts"; .totals.unattributed_ns;
		.totals.handover_runqueue_ns + .totals.handover_wakeup_ns)),
	  ($line | wrong("self.ledger_error_ns"; .self.ledger_error_ns; 0)),
	  ($line | wrong("self.foreign_mmap_locks"; .self.foreign_mmap_locks; 0)),
	  ($line | wrong("sum of reasons[] = totals.fallbacks"; total(.reasons[].count); .totals.fallbacks));

# Blame for mmap_lock of the process of a load; f: of which blockers.
def blockers_of($lines; $pid): $lines[] | .blockers[] | select(.target_pid == $pid and .lock != "vma_read");
def blame($lines; $pid; f): total(blockers_of($lines; $pid) | select(f) | count("blamed_ns"));
def blame($lines; $pid): blame($lines; $pid; true);
# The share of it.
def share($lines; $pid; f): blame($lines; $pid; f) / blame($lines; $pid);
# A part of the time of those holds.
def part($lines; $pid; f; $key): total(blockers_of($lines; $pid) | select(f) | count($key));

# Sampling: how much of the time of a window the hooks on every fault were attached.
def attached($lines): total($lines[] | .backend.duty * .interval_ns) / total($lines[].interval_ns);

# How far the count $key of a process may be off when it is extrapolated from the share $f of the
# time: five standard errors.  $lines are of another program that saw all, in intervals about as
# long as the hooks of the first were attached at once, which are the clusters: residuals e = y - R x
# of the count y from what the share R of the whole gives for the x faults of the interval.
#
#	variance of a total by ratio, from the share f of the clusters: (1 - f) / f * sum of e^2
#	twice that, as one time attached may stand for as much as two periods
#
# Faults that depend on each other for longer or shorter than an interval: the sum of e^2 is the
# same when they do not, and larger for longer intervals when they do.  One more for rounding.
def sampling_error($lines; $pid; $key; $f):
	[of($lines; "processes"; $pid)] as $bins
	| (total($bins[] | count($key)) / total($bins[].faults)) as $ratio
	| 5 * (2 * (1 - $f) / $f * total($bins[] | (count($key) - $ratio * .faults) | . * .)
		* ($bins | length) / (($bins | length) - 1) | sqrt) + 1;
