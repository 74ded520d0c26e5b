#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# What vmalocktop counts is what the kernel did: compared with getrusage, to the unit.

load lib

# the process, its threads and its areas all have the faults of getrusage
every_scope_has_all()
{
	equal "$1" l 'process_sum($lines; $load.pid; "faults")' '$load.faults.total'
	equal "$1" l 'thread_sum($lines; $load.pid; "faults")' '$load.faults.total'
	equal "$1" l 'vma_sum($lines; $load.pid; "faults")' '$load.faults.total'
}

@test "faults in private memory: every one, and all hits" {
	observe l faults -t 4 -r 50 --pages 100
	equal a l '$load.faults.total' '4 * 50 * 100'
	every_scope_has_all a
	equal a l 'process_sum($lines; $load.pid; "faults_user")' 20000
	equal a l 'process_sum($lines; $load.pid; "bypasses")' 0
	# nobody changes the mappings; only an anon_vma to be made can need mmap_lock
	expect a l 'process_sum($lines; $load.pid; "hits") >= 19990' \
		'[of($lines; "reasons"; $load.pid)]'
	# one process, one image, five threads, four of which faulted 5,000 times
	equal a l '[of($lines; "processes"; $load.pid) | {start_ns, exec, comm}] | unique | length' 1
	equal a l '[of($lines; "threads"; $load.pid)] | group_by(.tid) | map(map(.faults) | add) | sort' '[0, 5000, 5000, 5000, 5000]'
	equal a l '[of($lines; "processes"; $load.pid).threads] | unique' '[5]'
	# in one area
	equal a l 'total(of($lines; "vmas"; $load.pid) | select(.start == $load.regions[0].start) | .faults)' 20000
	equal a l '[of($lines; "vmas"; $load.pid) | select(.faults > 0) | .end] | unique' '[$load.regions[0].end]'
}

@test "no faults: the row of a parked process stays at 0" {
	observe l faults -t 3 -r 0
	equal a l '$load.faults.total' 0
	every_scope_has_all a
	expect a l '[of($lines; "processes"; $load.pid)] | length == ($lines | length)' \
		'[of($lines; "processes"; $load.pid)]'
}

@test "a region shared with writers: fallbacks, waits, and nothing lost between the scopes" {
	observe l shared -t 4 -w 1 -r 300 --pages 100
	expect a l '$load.faults.total >= 120000'
	every_scope_has_all a
	expect a l 'process_sum($lines; $load.pid; "fallbacks") > 0'
	expect a l 'process_sum($lines; $load.pid; "mmap_read_wait_ns") > 0'
	expect a l 'process_sum($lines; $load.pid; "mmap_write_wait_ns") > 0'
	expect a l 'process_sum($lines; $load.pid; "mmap_write_hold_ns") > 0'
	equal a l 'process_sum($lines; $load.pid; "bypasses")' 0
	for key in hits fallbacks; do
		equal a l "thread_sum(\$lines; \$load.pid; \"$key\")" "process_sum(\$lines; \$load.pid; \"$key\")"
		equal a l "vma_sum(\$lines; \$load.pid; \"$key\")" "process_sum(\$lines; \$load.pid; \"$key\")"
	done
	equal a l 'thread_sum($lines; $load.pid; "wait_ns")' 'process_sum($lines; $load.pid; "wait_ns")'
	equal a l 'total(of($lines; "reasons"; $load.pid).count)' 'process_sum($lines; $load.pid; "fallbacks")'
	# The area is split and merged under the faults, but begins where it began.  A fault
	# whose area could not be found while it changed is in none, and that is counted.
	equal a l 'total(of($lines; "vmas"; $load.pid)
		| select(.start == $load.regions[0].start or .kind == "unknown") | .faults)' '$load.faults.total'
	expect a l 'total(of($lines; "vmas"; $load.pid) | select(.kind == "unknown") | .faults) as $unknown
		| $unknown == 0 or ($unknown < 20 and loss($lines).walk_failed > 0)' \
		'[loss($lines), [of($lines; "vmas"; $load.pid) | select(.start != $load.regions[0].start and .faults > 0)]]'
}

@test "read(2) into fresh memory: every fault in kernel mode, every one a bypass" {
	observe l kernel -t 2 -r 20 --pages 250
	equal a l '$load.faults.total' '2 * 20 * 250'
	every_scope_has_all a
	for key in faults_kernel bypasses fallbacks; do
		equal a l "process_sum(\$lines; \$load.pid; \"$key\")" 10000
	done
	equal a l 'process_sum($lines; $load.pid; "hits")' 0
	equal a l 'reason_sum($lines; $load.pid; "kernel_mode")' 10000
	equal a l '[of($lines; "reasons"; $load.pid).certainty] | unique' '["exact"]'
}

# Their own words are shared with each child, and faults are counted until the last one is: none comes after that.
@test "threads that fork: their process has the faults of getrusage" {
	observe l forkcow -t 2 -r 5 --pages 50
	expect a l '$load.faults.total >= 2 * 5 * 50 and $load.calls.fork == 10'
	equal a l 'process_sum($lines; $load.pid; "faults")' '$load.faults.total'
}

@test "file mappings: read, copy-on-write and shared write faults, each in its area" {
	observe l file -t 2 -r 20 --pages 128 --file "$BATS_TEST_TMPDIR/mapped"
	every_scope_has_all a
	# a shared page is written once a round; reads come with their neighbours
	equal a l 'total(of($lines; "vmas"; $load.pid) | select(.start == $load.regions[2].start) | .faults)' '2 * 20 * 128'
	equal a l '[$load.regions[].start] as $ours
		| total(of($lines; "vmas"; $load.pid) | select(.start as $s | $ours | index($s)) | .faults)' '$load.faults.total'
}

@test "two vmalocktop at once count the same" {
	top_start a -j -d 0.5 -l 0
	top_start b -j -d 0.3 -l 0
	load_start l shared -t 2 -r 100 --pages 100
	window_open a
	window_open b
	load_go l
	window_close a
	window_close b
	load_end l
	top_stop a
	top_stop b
	check_lines a
	check_lines b
	for top in a b; do
		every_scope_has_all $top
	done
	for key in hits fallbacks bypasses; do
		[ "$(ask a l "process_sum(\$lines; \$load.pid; \"$key\")")" = \
			"$(ask b l "process_sum(\$lines; \$load.pid; \"$key\")")" ] ||
			fail "$key: $(ask a l "process_sum(\$lines; \$load.pid; \"$key\")") and $(ask b l "process_sum(\$lines; \$load.pid; \"$key\")")"
	done
}

@test "several loads at once are not mixed up" {
	top_start a -j -d 0.5 -l 0
	load_start l faults -t 2 -r 100 --pages 100
	load_start m kernel -t 2 -r 40 --pages 100
	load_start n shared -t 2 -r 50 --pages 100
	window_open a
	for name in l m n; do
		echo go >&"${go_of[$name]}"
	done
	for name in l m n; do
		until_said $name 2
	done
	window_close a
	for name in l m n; do
		load_end $name
	done
	top_stop a
	check_lines a
	for name in l m n; do
		equal a $name 'process_sum($lines; $load.pid; "faults")' '$load.faults.total'
		equal a $name 'vma_sum($lines; $load.pid; "faults")' '$load.faults.total'
	done
}

@test "SIGUSR1 ends an interval at once" {
	"$BUILD/bin/vmalocktop" -j -d 600 -l 0 >"$BATS_TEST_TMPDIR/a.out" 2>"$BATS_TEST_TMPDIR/a.err" 3>&- &
	pid_of[a]=$!
	caught()
	{
		local mask
		mask=$(sed -n 's/^SigCgt:\t//p' "/proc/${pid_of[a]}/status") && [ $((0x$mask >> 9 & 1)) = 1 ]
	}
	until_true "SIGUSR1 to be caught" caught
	kill -USR1 "${pid_of[a]}"
	until_said a 1
	kill -USR1 "${pid_of[a]}"
	until_said a 2
	[ "$(jq -s 'map(.interval_ns) | length == 2 and all(. > 0 and . < 600e9)' "$BATS_TEST_TMPDIR/a.out")" = true ]
}
