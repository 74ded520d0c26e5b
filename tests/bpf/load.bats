#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# The load is the measure of the other tests: it says what it does, to the unit.

load lib

# no BPF here
setup_file()
{
	export CANNOT=''
}

@test "with --handshake and nothing to do, no fault happens between ready and done" {
	for scenario in faults shared kernel file 'threads -t 500' shortlived fork vfork; do
		# shellcheck disable=SC2086
		load_start l $scenario -r 0
		load_go l
		load_end l
		[ "$(jq .faults.total "$BATS_TEST_TMPDIR/l.report")" = 0 ] ||
			fail "$scenario: $(cat "$BATS_TEST_TMPDIR/l.report")"
		rm "$BATS_TEST_TMPDIR"/l.*
	done
}

@test "threads are alive from ready until the end" {
	load_start l threads -t 300
	[ "$(find "/proc/${pid_of[l]}/task" -mindepth 1 -maxdepth 1 | wc -l)" = 301 ]
	load_go l
	[ "$(find "/proc/${pid_of[l]}/task" -mindepth 1 -maxdepth 1 | wc -l)" = 301 ]
	load_end l
	[ "$(jq .faults.total "$BATS_TEST_TMPDIR/l.report")" = 300 ]
}
