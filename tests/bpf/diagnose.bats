#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# vmalock diagnose on this host: loads whose pathology is known.  All of them, at three
# intensities: bench/diagnose.

load lib

# diagnosed NAME LOAD...: findings of the load's process while it goes on, in $BATS_TEST_TMPDIR/found
diagnosed()
{
	local name=$1 rc=0
	shift
	load_try l "$@" -r 1000000 --seconds 120 || rc=$?
	[ $rc != 4 ] || skip "$(cat "$BATS_TEST_TMPDIR/l.err")"
	[ $rc = 0 ]
	echo go >&"${go_of[l]}"
	"$BUILD/bin/vmalock" diagnose -j -t 3 -p "${pid_of[l]}" >"$BATS_TEST_TMPDIR/found"
	jq -e --arg name "$name" '.findings | any(.name == $name and .confidence != "low")' "$BATS_TEST_TMPDIR/found" ||
		fail "$name is not among $(cat "$BATS_TEST_TMPDIR/found")"
}

@test "another process reads smaps" {
	diagnosed foreign_reader smaps -t 4
	jq -e --argjson pid "${pid_of[l]}" '.findings[] | select(.name == "foreign_reader")
		| .process.pid == $pid and .blockers[0].pid != $pid and .blockers[0].lock == "mmap_read"' \
		"$BATS_TEST_TMPDIR/found"
}

@test "fork of a large process" {
	diagnosed fork bigfork -t 4
	jq -e '.findings[] | select(.name == "fork") | .blockers[0].context | IN("clone", "fork")' "$BATS_TEST_TMPDIR/found"
}

@test "a storm of mprotect" {
	diagnosed mapping_storm writers -t 4 -w 8
}

@test "mappings near the limit" {
	diagnosed mapping_limit mappings --pages 62000
}

@test "stacks that grow" {
	diagnosed stack_growth reason stack_growth
}

@test "a load that only hits is healthy" {
	diagnosed healthy faults
	jq -e 'all(.findings[]; .negative or .confidence == "low")' "$BATS_TEST_TMPDIR/found"
}
