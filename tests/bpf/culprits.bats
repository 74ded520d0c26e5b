#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# Loads with a known culprit: what they say of themselves hangs together, and the
# kernel and vmalocktop see the same.  Shares, never times.

load lib

# say SCENARIO ARGUMENT...: what it reports; skips where it is not possible
say()
{
	local rc=0
	"$BUILD/bin/vmalock" load "$@" -j >"$BATS_TEST_TMPDIR/report" 2>"$BATS_TEST_TMPDIR/said" || rc=$?
	if [ $rc = 4 ]; then
		[ "$(wc -l <"$BATS_TEST_TMPDIR/said")" = 1 ] && [ ! -s "$BATS_TEST_TMPDIR/report" ] || fail "$1: no reason given"
		skip "$(cat "$BATS_TEST_TMPDIR/said")"
	fi
	[ $rc = 0 ] || fail "$1: exit status $rc: $(cat "$BATS_TEST_TMPDIR/said")"
}

# true_of QUERY: of the report; the words are defined below
words='
	def blocked: [.victims[].blocked_ns] | add;
	def covered: [.victims[].covered_ns] | add;
	def held: [.culprits[].call_ns] | add;
	def most(f): [.victims[] | f] | max;
	def waits(does): [.victims[] | select(.does | startswith(does)) | .waits] | add;
'
true_of()
{
	[ "$(jq "$words $1" "$BATS_TEST_TMPDIR/report")" = true ] || fail "not true: $1: $(cat "$BATS_TEST_TMPDIR/report")"
}

# One culprit did so many calls, and they are why the others waited.
one_culprit()
{
	true_of "(.culprits | length) == 1 and .culprits[0].call == \"$1\" and .culprits[0].mode == \"$2\""
	true_of '. as $l | all(.victims[]; .pid == $l.pid and .tid > 0 and .tid != $l.culprits[0].tid)'
	true_of 'all(.victims[]; .covered_ns <= .blocked_ns and .longest_ns <= .blocked_ns)'
	true_of "covered >= blocked * $3"
	true_of "most(.covered_ns) >= held * $4"
}

own_thread()
{
	true_of '.culprits[0].pid == .pid'
}

other_process()
{
	true_of '.culprits[0].pid != .pid'
}

@test "convoy: all wait for the reader, one writer for each of its holds" {
	say convoy -t 8 -r 10
	one_culprit madvise read 0.75 0.5
	own_thread
	true_of '.culprits[0].calls == 10 and waits("read") >= 40 and waits("mmap") >= 5'
	# at most one pair of calls for each hold
	true_of '.calls.mmap <= 10 and .calls.munmap == .calls.mmap'
}

@test "convoy: vmalocktop sees a long hold for read and a short one for write" {
	observe l convoy -t 8 -r 10
	expect a l 'process_sum($lines; $load.pid; "mmap_write_hold_ns") < process_sum($lines; $load.pid; "mmap_read_hold_ns") / 10'
	# It holds the lock only in its calls, and runs in them only with the lock: but for their first and last
	# instructions.  What else is in a call is waiting, for the lock before it or, when it has woken all who
	# waited, for a CPU after it: 1 to 3 % of the call, and half of it when others keep the CPUs busy.
	expect a l '$load.culprits[0] as $c | total(of($lines; "threads"; $load.pid) | select(.tid == $c.tid) | .mmap_read_hold_ns)
		| . <= $c.call_ns and . >= $c.cpu_ns * 0.95' \
		'[of($lines; "threads"; $load.pid) | select(.tid == $load.culprits[0].tid) | .mmap_read_hold_ns]'
	expect a l '([$load.victims[].blocked_ns] | add) as $blocked
		| process_sum($lines; $load.pid; "mmap_read_wait_ns") + process_sum($lines; $load.pid; "mmap_write_wait_ns")
		| . > $blocked * 0.8 and . < $blocked * 1.25' 'process_sum($lines; $load.pid; "mmap_read_wait_ns")'
}

@test "writers: many culprits, each with many calls, and who faults waits" {
	say writers -t 4 -w 4 -r 100
	true_of '(.culprits | length) == 4 and all(.culprits[]; .call == "mprotect" and .mode == "write" and .calls > 0)'
	true_of '([.culprits[].calls] | add) == .calls.mprotect and .faults.total >= 4 * 100 * 64'
	true_of 'waits("read") > 0 and waits("mprotect") > 0 and all(.victims[]; has("covered_ns") | not)'
}

@test "bigfork: who faults and who maps waits for fork(2)" {
	say bigfork -r 10
	one_culprit clone write 0.5 0.15
	own_thread
	true_of '.culprits[0].calls == 10 and .calls.fork == 10 and .did.child_faults > 0'
}

@test "smaps: another process is the culprit" {
	say smaps -r 20
	one_culprit read read 0.5 0.15
	other_process
	true_of '.culprits[0].calls >= 20'
}

@test "smaps: the same by other files of /proc/PID" {
	local by
	for by in smaps_rollup numa_maps pagemap; do
		[ -e /proc/self/$by ] || continue
		say smaps --by $by -r 20
		one_culprit read read 0.3 0.15
		other_process
	done
	say smaps --by clear_refs -r 20
	one_culprit write write 0.5 0.15
	true_of '.culprits[0].calls == 20'
}

@test "starved: the culprit is runnable while it holds" {
	say starved -r 3
	one_culprit madvise read 0.75 0.5
	own_thread
	true_of '.culprits[0].calls == 3 and .culprits[0].runnable_ns >= held * 0.5'
}

@test "throttled: the culprit has no CPU time left while it holds, and its cgroup is gone afterwards" {
	local rc=0
	"$BUILD/bin/vmalock" load throttled -r 5 -j >/dev/null 2>&1 || rc=$?
	[ $rc = 0 ] || [ $rc = 4 ]
	[ -z "$(cgroups_left)" ]
	say throttled -r 5
	one_culprit pwrite64 write 0.5 0.5
	other_process
	true_of '.culprits[0].runnable_ns >= held * 0.5'
}

@test "throttled: where there can be no cgroup, exit 4 and the reason" {
	run -4 --separate-stderr setpriv --reuid 65534 --clear-groups "$BUILD/bin/vmalock" load throttled
	[[ $stderr == 'vmalock load throttled: '*cgroup* ]]
	[ -z "$output" ]
	# shellcheck disable=SC2016
	run -4 --separate-stderr unshare --mount --propagation private \
		sh -c 'umount -l /sys/fs/cgroup && exec "$0" load throttled' "$BUILD/bin/vmalock"
	[[ $stderr == 'vmalock load throttled: no cgroup hierarchy is mounted here' ]]
	[ -z "$output" ]
}

cgroups_left()
{
	find /sys/fs/cgroup -maxdepth 2 -name 'vmalock-load-*' -type d 2>/dev/null
}

@test "pageio: the culprit sleeps while it holds" {
	say pageio -r 5
	one_culprit pread64 read 0.5 0.15
	other_process
	true_of '.culprits[0].calls == 5 * 64 and .did.away > 0 and .culprits[0].sleeping_ns >= .culprits[0].cpu_ns'
}

@test "a file that cannot leave memory: exit 4 and the reason" {
	mountpoint -q /dev/shm || skip 'no memory file system at /dev/shm'
	run -4 --separate-stderr "$BUILD/bin/vmalock" load pageio --file "/dev/shm/vmalock-$$"
	[ -z "$output" ]
	[[ $stderr == 'vmalock load pageio: '*'stays in memory'* ]]
	[ ! -e "/dev/shm/vmalock-$$" ]
}

@test "nobody to wait, or nothing to wait for: no success" {
	run -1 --separate-stderr "$BUILD/bin/vmalock" load convoy -t 0 -w 0
	[[ $stderr == *'-t and -w are 0'* ]]
	run -1 --separate-stderr "$BUILD/bin/vmalock" load convoy -w 0
	[[ $stderr == *'-w is 0'* ]]
	run -4 --separate-stderr "$BUILD/bin/vmalock" load convoy --pages 0
	[[ $stderr == *'nobody waited'*'--pages'* ]]
}

gone()
{
	local pid
	for pid in "$@"; do
		! kill -0 "$pid" 2>/dev/null || return
	done
}

no_cgroups()
{
	[ -z "$(cgroups_left)" ]
}

@test "a load that is killed leaves no children and no cgroup" {
	local s children rc
	for s in smaps starved pageio throttled; do
		rc=0
		load_try $s $s || rc=$?
		[ $rc != 4 ] || continue
		[ $rc = 0 ]
		children=$(pgrep -P "${pid_of[$s]}")
		[ "$children" ]
		kill -9 "${pid_of[$s]}"
		wait "${pid_of[$s]}" || :
		unset "pid_of[$s]"
		# shellcheck disable=SC2086
		until_true "the end of the children of $s" gone $children
	done
	# in the middle of what it does before "ready"
	"$BUILD/bin/vmalock" load throttled >/dev/null 2>&1 3>&- &
	pid_of[t]=$!
	until_true 'a cgroup, or the end' has_cgroup_or_ended
	kill -9 "${pid_of[t]}" 2>/dev/null || :
	wait "${pid_of[t]}" || :
	unset "pid_of[t]"
	until_true 'no cgroup' no_cgroups
}

has_cgroup_or_ended()
{
	! no_cgroups || ! kill -0 "${pid_of[t]}" 2>/dev/null
}

# ---- the kernel's own view

# contend SCENARIO ARGUMENT...: report and contention, of the same run
contend()
{
	local rc=0
	"$BUILD/tests/contention" "$BATS_TEST_TMPDIR/contention" "$BUILD/bin/vmalock" load "$@" -j \
		>"$BATS_TEST_TMPDIR/report" 2>"$BATS_TEST_TMPDIR/said" || rc=$?
	[ $rc != 125 ] || skip "$(cat "$BATS_TEST_TMPDIR/said")"
	[ $rc = 0 ] || fail "$1: exit status $rc: $(cat "$BATS_TEST_TMPDIR/said")"
	jq -c -n --slurpfile k "$BATS_TEST_TMPDIR/contention" --slurpfile l "$BATS_TEST_TMPDIR/report" \
		'$l[0] + {kernel: $k[0], own: ($k[0].processes[$l[0].pid | tostring]
			// {read_waits: 0, read_wait_ns: 0, write_waits: 0, write_wait_ns: 0, gave_up: 0})}' \
		>"$BATS_TEST_TMPDIR/both"
	mv "$BATS_TEST_TMPDIR/both" "$BATS_TEST_TMPDIR/report"
	true_of '.kernel.lost == 0'
}

# The rehearsal is in the kernel's numbers and not in the report.
@test "the kernel counts the waits that victims slept in" {
	contend convoy -t 8 -r 10
	true_of '.own.read_waits + .kernel.missed_runs >= waits("read")'
	true_of '.own.write_waits + .kernel.missed_runs >= waits("mmap")'
	# these rest between two steps: what a step takes is the wait
	true_of '.own.read_wait_ns + .own.write_wait_ns >= blocked * 0.7 and .own.gave_up == 0'
	contend writers -t 4 -w 4 -r 100
	true_of '.own.read_waits + .kernel.missed_runs >= waits("read")'
	true_of '.own.write_waits + .kernel.missed_runs >= waits("mprotect")'
}

@test "the kernel counts no wait where there is no contention" {
	contend faults -t 1 -r 20
	true_of '.own.read_waits == 0 and .own.write_waits <= 2'
}
