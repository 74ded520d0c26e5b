#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# 10,000 threads, alive at once and one after another: all counted, nothing lost.

load lib

# Other processes may change their mappings while they fault; ours does not.  Linux
# 6.18 does not tell of the end of some threads (core_exit in bpf/core.bpf.h): then
# what they did while they exited is missing, which is no fault.
nothing_lost()
{
	equal a l 'loss($lines) | del(.walk_failed, .exits_missed)' '{}'
	equal a l '[of($lines; "vmas"; $load.pid) | select(.kind == "unknown" or .kind == "none")]' '[]'
}

@test "10,000 threads alive at once that fault once each" {
	observe l threads -t 10000
	equal a l '$load.faults.total' 10000
	nothing_lost
	equal a l '[process_sum($lines; $load.pid; "faults"), thread_sum($lines; $load.pid; "faults"), vma_sum($lines; $load.pid; "faults")]' \
		'[10000, 10000, 10000]'
	equal a l '[of($lines; "threads"; $load.pid) | select(.faults > 0) | {tid, faults}]
		| [length, (unique_by(.tid) | length), (map(.faults) | max)]' '[10000, 10000, 1]'
	equal a l '[of($lines; "processes"; $load.pid).threads] | unique' '[10001]'
}

@test "10,000 threads that live for one fault" {
	observe l shortlived -r 10000 -t 64
	expect a l '$load.faults.total >= 10000'
	nothing_lost
	equal a l '[process_sum($lines; $load.pid; "faults"), thread_sum($lines; $load.pid; "faults"), vma_sum($lines; $load.pid; "faults")]' \
		'[$load.faults.total, $load.faults.total, $load.faults.total]'
	# each is there once, with its end
	equal a l '[of($lines; "threads"; $load.pid) | select(.exited) | [.tid, .tid_start_ns]]
		| [length, (unique | length)]' '[10000, 10000]'
	# its fault may lie in the interval before the one it ended in
	expect a l '[of($lines; "threads"; $load.pid)] | group_by([.tid, .tid_start_ns])
		| map(select(any(.[]; .exited)) | map(.faults) | add) | min >= 1'
}
