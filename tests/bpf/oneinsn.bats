#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# A thread that is still where it faulted long after the fault: bpf/tasks.bpf.c, read_counts().

load lib

@test "a thread that stays in the instruction that faulted has all its faults in the next snapshot" {
	[ "$(uname -m)" = x86_64 ] || skip "only x86_64 has instructions that go on for that long"
	top_start a -j -d 0.3 -l 0
	program_start l "$BUILD/tests/oneinsn"
	window_open a
	load_go l
	window_close a
	load_end l
	top_stop a
	equal a l '[$load.inside, $load.faults]' '[true, 1000]'
	equal a l 'total(of($lines; "threads"; $load.pid) | select(.tid == $load.tid) | .faults)' '$load.faults'
}
