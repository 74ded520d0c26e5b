# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# Judges one session of guest/record: a backend with a detail, and its loads.
#
#	$session	"fentry:exact"
#	$must		"tracepoint,fentry": backends that have to work
#	$tops		[{status, said} of vmalocktop]
#	$lines		what it printed
#	$runs		[{load, status, said, out}], out: what around printed, or null
#
# Result: {backend, detail, state, said, capabilities, checks: [{name, verdict, why}], loads},
# where verdict is "ok", "FAIL" or "skip", and loads what compare.jq and the tables need:
# [{load, scenario, quiet, totals, reasons: [{reason, certainty, count}], loss, unseen, provoked}];
# left_out: [{load, said}] of those that said why they cannot be made there.

# What each backend is for; where the kernel has no per-VMA lock only the first.
def expected($backend; $detail):
	["faults_user", "faults_kernel", "mmap_lock", "task_iterator"]
	+ if $lines[0].backend.capabilities.per_vma_lock | not then []
	  elif $backend == "tracepoint" then ["vma_identity", "fault_context"]
	  else ["vma_identity", "outcome", "retry_reason", "vma_write", "userfaultfd_time", "page_io_time"]
		+ if $detail == "exact" then ["lookups", "serve_time"] else [] end
		# where it calls mas_walk is read from the text of the kernel; on arm64 6.12 refuses a kprobe
		# there, for it takes the load-acquire (LDAR) before it for an exclusive load
		+ if $detail == "exact" and $lines[0].backend.capabilities.names
			and ($lines[0] | .host.machine != "aarch64" or (.kernel | startswith("6.") | not))
		  then ["misses"] else [] end
	  end;

def total(f): reduce f as $x (0; . + $x);

def ok($name): {$name, verdict: "ok", why: ""};
def skip($name; $why): {$name, verdict: "skip", $why};
# @problems: an array of texts
def verdict($name; problems): [problems] as $p
	| {$name, verdict: (if $p == [] then "ok" else "FAIL" end), why: ($p[:10] | join("; "))};
def differ($what; $is; $should): select($is != $should) | "\($what): \($is), not \($should)";

# What programs that did not run could not count: the only excuse for a difference.
# Those that only measure times, or that only another backend listens to, are none.
def skipped: startswith("recursion_misses");
def excuse:
	IN("kernel_fault_unserved", "fault_unseen", "return_unseen", "stack_failed", "page_fault_events_skipped")
	or (skipped and (test("mas_walk|vma_start_write|contention|sched_process|iter_tasks|mmap_lock_acquire|mmap_lock_released") | not)
		and (($session | startswith("tracepoint")) or (test("mmap_lock") | not)));
# Every fault that falls back enters lock_mm_and_find_vma (but one that is killed): a session
# that counts fallbacks there lost no more of them than runs of that program, or the fault itself.
# A kernel-mode fault that was not seen to be served counts when its thread's next fault
# or end shows that: in this load's lines or in those of the next.
def excuse_fault: startswith("recursion_misses_tp_page_fault") or . == "page_fault_events_skipped"
	or . == "kernel_fault_unserved"
	# what would have seen it ask: it is held back until then
	or (skipped and (test("lock_mm_and_find_vma")
		or (test("mmap_lock_start_locking") and ($session | startswith("tracepoint")))))
	or ($lines[0].host.machine == "aarch64" and skipped and test("handle_mm_fault|lock_vma_under_rcu"));
def excuse_fallback: excuse_fault or . == "fault_unseen"
	or (skipped and test("lock_mm_and_find_vma"));
def losses($lines; key): total($lines[].loss | to_entries[] | select(.key | key) | .value);
# Where faults are events of a CPU, one that comes back has none until the next sample.
def late($lines): losses($lines; . == "page_fault_events_late");
def unseen($lines): if late($lines) > 0 then infinite else losses($lines; excuse) end;
# Nothing is called exact there.
def lossy: losses([.]; excuse or skipped) > 0;
def differ_more($what; $is; $should; $unseen):
	select($is - $should | fabs > $unseen) | differ("\($what) (\($unseen) unseen)"; $is; $should);

# ---- what holds in every line, as far as it is known here

# The counters of a sample are read one after another: what happened between is in one
# of them and in the next line of the other.
def identities($unseen):
	. as $line
	| ((.processes[], .threads[]) | {who: "\(.comm) \(.pid)"} + .), ({who: "totals"} + .totals)
	| . as $row
	| (select(has("hits")) | differ_more("\($line.time) \(.who): hits + fallbacks"; .hits + .fallbacks; .faults; $unseen)),
	  (select(has("faults_user") and has("faults_kernel"))
		| differ("\($line.time) \(.who): user + kernel"; .faults_user + .faults_kernel; .faults)),
	  (select(has("bypasses") and has("fallbacks") and .bypasses > .fallbacks) | "\($line.time) \(.who): more bypasses than fallbacks");
# What was lost before the first line is in none, and its fault may be in the first.
def identities_of_lines:
	range($lines | length) as $i
	| (if $i > 0 then unseen($lines[$i - 1:$i + 2]) else infinite end) as $unseen
	| $lines[$i] | identities($unseen);

def line_identities:
	. as $line
	| (.totals | keys[] | select(. != "wait_ns")) as $key
	| differ("\(.time) sum of processes[].\($key)"; total(.processes[][$key] // 0); .totals[$key]);

# The ledgers of one instant agree, whatever was skipped.
def ledgers:
	.time as $time
	| (.totals
		| differ("\($time) totals.wait_ns, of blamed + unattributed"; .wait_ns; .blamed_ns + .unattributed_ns),
		  (select(has("handover_runqueue_ns"))
			| differ("\($time) totals.unattributed_ns, of its parts"; .unattributed_ns; .handover_runqueue_ns + .handover_wakeup_ns))),
	  differ("\($time) self.ledger_error_ns"; .self.ledger_error_ns; 0);

def foreign:
	select(.self.foreign_mmap_locks != null)
	| differ("\(.time) self.foreign_mmap_locks"; .self.foreign_mmap_locks; 0);

# Since Linux 6.7 the kernel tells what a kprobe skipped.  Before that there is no number, not 0.
def kernel: [$lines[0].kernel | scan("[0-9]+") | tonumber][:2];
def kprobes_tell: kernel >= [6, 7];
def of_kprobes: startswith("recursion_misses_kprobe_") or startswith("recursion_misses_kretprobe_");
def skipped_by_kprobes:
	select($lines[0].backend.name == "kprobe")
	| any($lines[0].loss | keys[]; of_kprobes) as $told
	| verdict("it says what kprobes skipped, where the kernel does"; differ("told"; $told; kprobes_tell));

# ---- one load

# A parent that forks write-protects its own memory while it measures itself.
def pids: .load | if .children then [.children[].pid] else [.pid] end;

# Exceptions that the load made, by its own account; null when it cannot know.
def made:
	.load
	| if .culprits or (.scenario | IN("swap", "forkcow", "exec", "all", "reason")) then null
	  elif .children then total(.children[].faults.total)
	  else .faults.total + (.did.segv_readonly // 0) + (.did.segv_hole // 0) - (.did.gup // 0)
	  end;

def capabilities: $lines[0].backend.capabilities // {};

def faults_checked($name; $window):
	. as $out | made as $made
	| if $window[0].totals | has("faults") | not then skip("\($name): faults"; "this backend does not see them here")
	  elif late($window) > 0 then skip("\($name): faults"; "\(late($window)) times a CPU had no event, which vmalocktop says")
	  elif $made == null then empty
	  else
		pids as $pids
		# a thread's last fault that was not seen to be served counts in the next load's lines
		| (unseen($window) + if losses($window; . == "kernel_fault_unserved") > 0 then $out.load.threads // 1 else 0 end) as $unseen
		| verdict("\($name): faults";
			(("processes", "threads", "vmas") as $scope
				| select($window[0] | has($scope))
				# rows of areas end with their process
				| select($scope != "vmas" or (capabilities.vma_identity and $out.load.children == null))
				| differ_more("sum of \($scope)[].faults";
					total($window[][$scope][] | select(.pid as $p | $pids | index($p)) | .faults); $made; $unseen)),
			(select($out.load.scenario == "kernel" and ($window[0].totals | has("bypasses")))
				| differ_more("bypasses"; total($window[].processes[] | select(.pid == $out.load.pid) | .bypasses); $made; $unseen)))
	  end;

# `load reason`: what it provoked was given that reason, by a backend that knows.  Where
# the load knows only that it waited, it says which other reason that may have been,
# and a lookup may always have been too late to see why.
def reason_checked($name; $window):
	.load as $load
	| if $load.scenario != "reason" or $window[0].backend.detail != "exact"
		or (capabilities.retry_reason and capabilities.per_vma_lock | not) then empty
	  else
		[$load.reason, if $load.exact then empty else $load.also // empty, "raced" end] as $reasons
		# in a line that lost something an exact reason is called inferred; who is killed is a child
		| total($window[] | lossy as $less | .reasons[]?
			| select((.pid == $load.pid or $load.reason == "killed") and (.reason as $r | $reasons | index($r))
				and (.certainty == "exact" or ($load.exact | not) or $less)) | .count)
		| . as $count | unseen($window) as $unseen
		| verdict("\($name): that reason";
			if $load.exact then differ_more("faults with it"; $count; $load.provoked; $unseen)
			else
				(select($count + $unseen < $load.provoked) | "faults with it: \($count), not at least \($load.provoked)"),
				# a race: it is among them, but one that is too rare
				(select($load.reason != "range_moved" and $load.provoked > 0 and $unseen == 0
					and all($window[].reasons[]?; .pid != $load.pid or .reason != $load.reason))
				| "none, of at least \($load.provoked)")
			end)
	  end;

# Of loads with a culprit: the least share of the blame for the load's lock that is its.
# In writers those who fault hold the lock, too, and are charged by the writers that wait for them: natively
# with less than 0.2, in emulation with 0.5 to 0.71.  Both together have nearly all.
def culprit_shares: {convoy: 0.95, writers: 0.2, bigfork: 0.5, smaps: 0.2, starved: 0.8, throttled: 0.5, pageio: 0.3};
# What its holds were, for the most part; compared with its time on a CPU or with all of it.  A host
# that is busy makes the guest's CPU slow, which is time on it: then with what the load says of its calls.
def culprit_waits: {starved: "runnable_ns", throttled: "runnable_ns", pageio: "sleep_ns"};
def least_waited($load; $what):
	total($load.culprits[] | .call_ns // 0) as $calls
	| total($load.culprits[] | .[{runnable_ns: "runnable_ns", sleep_ns: "sleeping_ns"}[$what]] // 0) as $waited
	| if $calls > 0 and $waited > 0 then [0.4, 0.8 * $waited / $calls] | min else 0.4 end;
# A release that was skipped leaves a second holder recorded until its thread's next event: at
# most through one hold of the culprit, which is charged with half of that.  Another one makes it
# a third, so with R of them over N holds alike, at worst spread evenly, N / (N + R) is left.  An
# acquisition of the culprit's own that was skipped costs no more, while others were seen.
def left_of($holds; $skipped): if $skipped == 0 then 1 else $holds / ($holds + $skipped) end;
def blame_checked($name; $window):
	.load as $load
	| culprit_shares[$load.scenario] as $least
	# since 7.2 who reads smaps locks areas, not the whole
	| select($least != null and ($load.culprits[0].what == "smaps" and kernel >= [7, 2] | not))
	| [$window[].blockers[] | select(.target_pid == $load.pid and .lock != "vma_read")] as $all
	| [$all[] | select(.tid as $tid | any($load.culprits[]; .tid == $tid))] as $its
	# what does not fit afterwards, and what was put right
	| losses($window; test("misses_tp_mmap_lock|lock_(unmatched|nested|slots)|ledger_")) as $lost
	| losses($window; test("misses_tp_mmap_lock|lock_nested|lock_slots")) as $skipped
	| total($all[].blamed_ns) as $blamed
	| total($load.culprits[].calls) as $holds
	| ($least * left_of($holds; $skipped)) as $left
	| ($all | group_by(.tid) | max_by(total(.[].blamed_ns))) as $most
	# who holds for so long has others asleep behind it, unless the host let none of them run: the load makes
	# sure of that before (vml_load_blocking_share()), and says what it was
	| ($load.victims // [] | map(.covered_ns // 0) | max // 0) as $covered
	| total($load.culprits[].call_ns // 0) as $calls
	| if culprit_waits[$load.scenario] != null and $covered * 2 < $calls then
		skip("\($name): the culprit is charged";
			"somebody waited for \($covered) of its \($calls) ns, as the load says")
	# its only hold may be one that was not seen from its beginning to its end
	elif $holds < 2 and $skipped > 0 then skip("\($name): the culprit is charged";
		"it held once, and the kernel skipped \($skipped) events of the lock") else verdict("\($name): the culprit is charged\(if $skipped > 0 then " (\($skipped) events skipped)" else "" end)";
		(select($blamed == 0) | "nobody is"),
		# who changes and who faults; the rest is what starts and ends the load
		(select($load.scenario == "writers" and $skipped == 0)
			| total($all[] | select(.tid as $tid | any($load.culprits[], $load.victims[]; .tid == $tid)) | .blamed_ns) as $both
			| select($both < $blamed * 0.95) | "\($both) of \($blamed) ns to those who change or fault"),
		(select($blamed > 0 and total($its[].blamed_ns) < $blamed * $left)
			| "\(total($its[].blamed_ns)) of \($blamed) ns, not \($left)"),
		(select($blamed > 0 and $least > 0.5 and all($load.culprits[]; .tid != $most[0].tid))
			| "most is charged to \($most[0].tid): \(total($most[].blamed_ns)) of \($blamed) ns"),
		(culprit_waits[$load.scenario] | values as $what
			| select(capabilities.run_delay)
			# who sleeps may have to wait for a CPU afterwards: that is the host's other work
			| total($its[] | .hold_ns - if $what == "sleep_ns" then .runnable_ns else 0 end) as $of
			| select(total($its[][$what]) < $of * least_waited($load; $what))
			| "\($what) \(total($its[][$what])) of \($of) ns"),
		# what it slept for was its page: guest/record turns delay accounting on
		(select($load.scenario == "pageio" and total($its[] | .io_ns // 0) < total($its[].sleep_ns) * 0.5)
			| "io_ns \(total($its[] | .io_ns // 0)) of \(total($its[].sleep_ns)) ns"),
		(select($lost == 0)
			| differ("blame of blockers[]"; $blamed; total($window[].processes[] | select(.pid == $load.pid) | .blamed_ns))))
	  end
	+ {blame: {share: (if $blamed > 0 then total($its[].blamed_ns) / $blamed else null end), $skipped, $left}};

# Rows and ledgers have seen the same waits: what is charged for the load's lock is what it waited.
def waits_checked($name; $window):
	.load as $load
	| select(.before.quiet and .after.quiet and losses($window; test("misses_tp_mmap_lock|lock_|ledger_")) == 0)
	# it waits for the lock of the process that it reads, or for that of each child it makes
	| select(($load.scenario | IN("remote", "fork") | not) and ($load.calls.fork // 0) == 0)
	| [$load.pid, ($load.culprits // [])[].pid] | unique as $pids
	| total($window[].processes[] | select(.pid as $p | $pids | index($p)) | .wait_ns) as $waits
	| total($window[].processes[] | select(.pid == $load.pid) | .blamed_ns + .unattributed_ns) as $charged
	| verdict("\($name): what it waited for is charged"; differ_more("ns"; $waits; $charged; 500000 + $charged / 50));

# A write lock of an area that waited is charged to the faults that read-locked it, to the nanosecond.
def readers_checked($name; $window):
	.load as $load
	| select(capabilities.vma_write and .before.quiet and .after.quiet)
	| total($window[].processes[] | select(.pid == $load.pid) | .vma_write_wait_ns // 0) as $waited
	| total($window[].blockers[] | select(.pid == $load.pid and .lock == "vma_read") | .blamed_ns) as $charged
	| select($waited + $charged > 0)
	| verdict("\($name): readers of areas are charged"; differ("ns"; $charged; $waited));

# A return is not seen when its kretprobe had no room for it: the kernel counts that too.
def returns_checked($name; $window):
	losses($window; . == "return_unseen") as $unseen
	| select($unseen > 0 and $lines[0].backend.name == "kprobe" and kprobes_tell)
	| losses($window; startswith("recursion_misses_kretprobe_")) as $skipped
	| verdict("\($name): returns that were not seen";
		select($unseen > $skipped) | "\($unseen), and kretprobes skipped only \($skipped)");

def kernel_counted:
	.before.vmstat as $before
	| .after.vmstat | with_entries(select(.key | startswith("vma_lock_")) | .value -= $before[.key]);

def kernel_checked($name; $window):
	kernel_counted as $kernel
	| if $kernel == {} or ($window[0].totals | has("hits") | not) then empty
	  elif $window[0].backend.detail != "exact" then
		# told apart only in sum: each abort or retry is a fallback, but not those of other callers
		($kernel.vma_lock_abort + $kernel.vma_lock_retry) as $refused
		| total($window[].totals | .fallbacks - .bypasses) as $fallbacks
		| ok("\($name): the kernel counted \($refused) aborts and retries, here are \($fallbacks) fallbacks")
		+ {fallbacks: $fallbacks, refused: $refused}
	  else
		{
			vma_lock_success: total($window[].totals.hits),
			vma_lock_retry: total($window[].totals.retries),
			vma_lock_abort: total($window[].lookups[].aborts),
			vma_lock_miss: (if capabilities.misses then total($window[].lookups[].misses) else null end)
		} | del(.[] | nulls) | . as $ours
		| (unseen($window) + losses($window; test("misses_call_mas_walk"))) as $unseen
		| verdict("\($name): the kernel's own counters";
			$ours | keys[] | . as $key | differ_more($key; $ours[$key]; $kernel[$key]; $unseen))
		+ {$kernel, $ours, $unseen}
	  end;

# What was counted is what faults_checked() and the others say; a line was made while the CPU was away.
def unplugged_checked($name; $window):
	select(.unplugged != null)
	| verdict("\($name): a CPU goes and comes back \(.unplugged) times";
		differ("host.cpus"; [$window[].host.cpus] | unique; [1, 2]));

# Processes that had the same PID, one after the other, are as many processes.
def fewpids_checked($name; $window):
	select($name | startswith("fewpids-"))
	| [.load.children[].pid] as $children | ($children | unique) as $pids
	| ([$window[].processes[] | select(.pid as $p | $pids | index($p)) | [.pid, .start_ns]] | unique | length) as $rows
	| verdict("\($name): \($children | length) processes with \($pids | length) PIDs";
		(select($pids | length == ($children | length)) | "no PID was given again"),
		differ_more("rows"; $rows; $children | length; unseen($window)));

def window: .before.time as $from | .after.time as $to | [$lines[] | select(.time > $from and .time <= $to)];

def load_checked:
	.load as $name
	| if $name | startswith("never-") then verdict($name; select(.status != 4 or .said == "") | "exit status \(.status): \(.said)")
	  elif .status == 4 then skip($name; .said)
	  elif .status != 0 or .out == null then verdict($name; "exit status \(.status): \(.said)")
	  else
		.out
		| window as $window
		| if $window == [] then verdict($name; "no line of vmalocktop between \(.before.time) and \(.after.time)")
		  else
			verdict("\($name): a quiet moment before and after"; select(.before.quiet and .after.quiet | not) | "there was none"),
			faults_checked($name; $window), reason_checked($name; $window),
			unplugged_checked($name; $window), fewpids_checked($name; $window), returns_checked($name; $window), kernel_checked($name; $window),
			blame_checked($name; $window), waits_checked($name; $window), readers_checked($name; $window)
		  end
	  end;

# What the tables and comparisons need of a load that ran.
def summed:
	select(.status == 0 and .out != null)
	| .load as $name | .out
	| window as $window
	| select($window != [])
	| {
		load: $name, scenario: .load.scenario, quiet: (.before.quiet and .after.quiet),
		totals: (reduce ($window[].totals | to_entries[]) as $e ({}; .[$e.key] += $e.value)),
		reasons: [[$window[].reasons[]?] | group_by([.reason, .certainty])[]
			| {reason: .[0].reason, certainty: .[0].certainty, count: total(.[].count)}],
		loss: (reduce ($window[].loss | to_entries[] | select(.value > 0)) as $e ({}; .[$e.key] += $e.value)),
		unseen: unseen($window), unseen_faults: (if late($window) > 0 then infinite else losses($window; excuse_fault) end),
		unseen_fallbacks: (if late($window) > 0 then infinite else losses($window; excuse_fallback) end)
	  }
	+ if .load.scenario == "reason" then
		.load as $load
		| {provoked: {
			reason: $load.reason, exact: $load.exact, count: $load.provoked,
			# who is killed is a child
			seen: [[$window[].reasons[]? | select(.reason == $load.reason and (.pid == $load.pid or $load.reason == "killed"))]
				| group_by(.certainty)[] | {certainty: .[0].certainty, count: total(.[].count)}],
			# where a wait may have had another reason
			other: (if $load.exact then [] else
				[[$window[].reasons[]? | select(.pid == $load.pid and (.reason | IN($load.also, "raced")))]
				| group_by(.reason)[] | {reason: .[0].reason, count: total(.[].count)}] end)
		  }}
	  else {} end;

# ---- the session

($session | split(":")) as [$backend, $detail]
| {$backend, $detail, said: $tops[0].said, capabilities: capabilities}
+ if ($lines | length) > 0 then
	{
		state: "works",
		checks: [
			verdict("vmalocktop ends well"; select($tops[0].status | IN(0, 143) | not) | "exit status \($tops[0].status): \($tops[0].said)"),
			verdict("it is that backend"; $lines[0].backend | differ("backend"; .name; $backend), differ("detail"; .detail; $detail)),
			verdict("it sees what it is for"; expected($backend; $detail)[] | select(capabilities[.] != true)),
			skipped_by_kprobes,
			verdict("sums in every line"; identities_of_lines, ($lines[] | line_identities)),
			verdict("ledgers in every line"; $lines[] | ledgers),
			verdict("no mmap_lock of another process taken"; $lines[] | foreign),
			($runs[] | load_checked)
		],
		loads: [$runs[] | summed],
		left_out: [$runs[] | select(.status == 4) | {load, said}]
	}
  elif $must | split(",") | index($backend) then
	{state: "failed", checks: [verdict("vmalocktop"; "exit status \($tops[0].status): \($tops[0].said)")]}
  elif $tops[0].status == 4 then
	{state: "refused", checks: [skip("vmalocktop"; $tops[0].said)]}
  else
	{state: "failed", checks: [verdict("vmalocktop"; "exit status \($tops[0].status): \($tops[0].said)")]}
  end
