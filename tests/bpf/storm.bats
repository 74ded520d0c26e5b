#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# Processes that come and go as fast as they can, with pids that are given again; areas that
# are split and merged; a process with as many areas as it may have; a second vmalocktop, and
# others that are killed.  What is counted is what the loads say of themselves, to the unit.
#
# For STORM seconds (make storm: 120).

load lib

storm=${STORM:-6}
export BATS_TEST_TIMEOUT=$((180 + 10 * storm))
PATIENCE=$((60 + 3 * storm))

# The window of a storm is too long for jq at once.  What must hold in every line does ...
check_each_line()
{
	local wrong
	wrong=$(jq -c -L "$BATS_TEST_DIRNAME" 'include "questions"; violations, line_violations' \
		"$BATS_TEST_TMPDIR/$1.window") || fail "jq failed on the window of $1" || return
	[ -z "$wrong" ] || fail "identities that do not hold in $1: ${wrong:0:4000}"
}

# ... and of the rest these are kept, in the place of the window: loss, and the rows of the
# processes that are ours by their name or pid
reduce_window()
{
	local ours=$BATS_TEST_TMPDIR/ours
	jq -c --slurpfile loads <(cat "$BATS_TEST_TMPDIR"/*.report) '
		([$loads[].pid] + [0]) as $pids
		| def ours: select((.comm | startswith("storm-")) or (.pid as $p | $pids | index($p)));
		{time, loss, processes: [.processes[] | ours | {pid, start_ns, exec, comm, faults, exited}],
		 vmas: [.vmas[] | select(.pid as $p | $pids | index($p)) | {pid, kind, faults}]}' \
		"$BATS_TEST_TMPDIR/$1.window" >"$ours"
	mv "$ours" "$BATS_TEST_TMPDIR/$1.window"
}

# What a vmalocktop has loaded is gone when it is killed.
killed()
{
	local ids rc=0
	top_start k -j -d 0.2
	ids=$(all_ids "${pid_of[k]}")
	has_ids "$ids"
	kill -KILL "${pid_of[k]}"
	wait "${pid_of[k]}" || rc=$?
	unset 'pid_of[k]'
	[ $rc = 137 ]
	until_true 'nothing of it left' none_left "$ids"
}

# of both storms together
rates()
{
	jq -r -s '(map(.elapsed_ns) | max / 1e9) as $seconds
		| (map(.processes) | add / $seconds | round) as $processes | (map(.images) | add / $seconds | round) as $images
		| "\($processes) processes a second for \($seconds | round) s, which execve(2) replaced \($images) times a second"' \
		"$BATS_TEST_TMPDIR"/{forks,execs}.report
}

# all_done NAME...: the loads
all_done()
{
	local name
	for name in "$@"; do
		[ "$(lines "$name")" -ge 2 ] || return
	done
}

@test "a storm" {
	local name how areas kills=0 dir=$BATS_TEST_TMPDIR
	areas=$(($(cat /proc/sys/vm/max_map_count) - 500)) # less those of the program itself
	ln -s "$(realpath "$BUILD/tests/storm")" "$dir/storm-forks"
	ln -s "$(realpath "$BUILD/tests/storm")" "$dir/storm-execs"
	top_start a -j -d 0.5
	program_start forks "$dir/storm-forks" forks "$storm" "$dir/storm-forks"
	program_start execs "$dir/storm-execs" execs "$storm" "$dir/storm-execs"
	for name in shared replace mappings; do
		case $name in
		mappings) how=(--pages "$areas") ;;
		*) how=(-t 1 -w 1) ;;
		esac
		# after the processes: those are the storm
		program_start $name nice -n 19 "$BUILD/bin/vmalock" load $name "${how[@]}" --seconds "$storm" -j --handshake
	done
	top_start b -j -d 0.3 -p "${pid_of[shared]},${pid_of[replace]},${pid_of[mappings]}"
	window_open a
	window_open b
	for name in forks execs shared replace mappings; do
		echo go >&"${go_of[$name]}"
	done
	while [ $kills = 0 ] || ! all_done forks execs shared replace mappings; do
		killed
		kills=$((kills + 1))
	done
	for name in forks execs shared replace mappings; do
		until_said $name 2
	done
	sleep 7 # an end that was not seen is known after five seconds
	window_close a
	window_close b
	for name in forks execs shared replace mappings; do
		load_end $name
	done
	top_stop a
	top_stop b

	for name in a b; do
		check_each_line $name
		reduce_window $name
	done
	echo "# $(rates)" >&3
	echo "# $(jq -c '{children, images, reused, exceptions}' "$dir/forks.report")," \
		"$(jq -c '{children, images, reused, exceptions}' "$dir/execs.report"), killed: $kills," \
		"lost: $(ask a forks 'loss($lines)')" >&3
	[ "$(jq .reused "$dir/forks.report")" -gt 0 ] || echo '# no pid was given again' >&3

	equal a forks 'loss($lines) | [.thread_storage, .fault_unseen, .exec_mixed] | map(. // 0)' '[0, 0, 0]'
	# no more than there were, with those of others beside it
	[ "$(ask a forks 'loss($lines).exits_missed // 0')" -le "$(jq -s 'map(.processes + .images) | add' "$dir"/{forks,execs}.report)" ]
	# perf leaves a thread before its memory does (seen on 6.18): a fault while its tid is cleared is not in its
	# count, but in that of wait4(2)
	local at_exit=8
	for name in forks execs; do
		[ "$(jq .exceptions "$dir/$name.report")" != null ] || skip "perf_event_open(2) does not count page faults here: sums of the storm are not compared with its count"
		# all in rows of their own, or, where others fill the table of processes, in that of nobody
		expect a $name 'total($lines[].processes[] | select(.comm == "storm-'$name'" and .pid != $load.pid) | .faults) as $n
			| ($n >= $load.exceptions and $n <= ([$load.exceptions + '$at_exit', $load.faults] | min))
				or (loss($lines).process_map_full > 0 and $load.exceptions - $n > 0 and
				$load.exceptions - $n <= total($lines[].processes[] | select(.comm == "(untracked)") | .faults))' \
			'[$load.exceptions, $load.faults, total($lines[].processes[] | select(.comm == "storm-'$name'" and .pid != $load.pid) | .faults), loss($lines)]'
		echo "# $name: $(ask a $name '$load.exceptions - total($lines[].processes[]
			| select(.comm == "storm-'$name'" and .pid != $load.pid) | .faults)') of $(jq .exceptions "$dir/$name.report") faults in no row of their own" >&3
	done
	# by wait4(2) it is the same; of an image with a page for the arguments of execve(2)
	expect a forks "\$load.faults - \$load.exceptions | . >= 0 and . <= $at_exit" '[$load.exceptions, $load.faults]'
	# each child and each image has a row, and an end; children of children are in no number of the load
	local lost='((loss($lines).exits_missed // 0) + (loss($lines).process_map_full // 0))'
	ended() { echo '[$lines[].processes[] | select(.comm == "storm-'"$1"'" and .exited and .pid != $load.pid)] | length'; }
	expect a forks "($(ended forks)) as \$n | \$n >= \$load.children - $lost" "$(ended forks)"
	expect a execs "($(ended execs)) as \$n | \$load.children + \$load.images
		| \$n <= . and \$n >= . - $lost" "$(ended execs)"
	for name in shared replace mappings; do
		equal a $name 'process_sum($lines; $load.pid; "faults")' '$load.faults.total'
		equal b $name 'process_sum($lines; $load.pid; "faults")' '$load.faults.total'
		# those of too many areas are in no row of an area, or, of before the window, late in one
		expect a $name 'vma_sum($lines; $load.pid; "faults") - $load.faults.total
			| fabs <= (loss($lines).vma_map_full // 0)' \
			'vma_sum($lines; $load.pid; "faults")'
	done
}
