#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# doctor on this host, and what it says when something is missing.

load lib

@test "doctor: observing works here" {
	run -0 --separate-stderr "$BUILD/bin/vmalock" doctor -j
	[ -z "$stderr" ]
	jq -e '.backend.name | IN("tracepoint", "fentry", "kprobe")' <<<"$output"
	run -0 --separate-stderr "$BUILD/bin/vmalock" doctor
	[ -z "$stderr" ]
	run -0 "$BUILD/bin/vmalock" doctor --backend tracepoint
	run -0 "$BUILD/bin/vmalock" doctor --backend auto
}

@test "doctor: what it promises for faults is what vmalocktop says of itself" {
	local says
	says=$("$BUILD/bin/vmalock" doctor -j | jq -cS '[.. | objects | select(.name? and .state?) | {key: .name, value: (.state | if type == "string" then . == "yes" else . end)}] | from_entries | with_entries(select(.value))')
	top_start a -j -d 0.5 -n 1
	[ "$(jq -cS '.backend.capabilities | with_entries(select(.value))' "$BATS_TEST_TMPDIR/a.out")" = "$says" ] ||
		fail "doctor: $says, vmalocktop: $(jq -cS .backend.capabilities "$BATS_TEST_TMPDIR/a.out")"
}

@test "doctor --cost: what was measured, in text and in JSON; nothing that was not" {
	run -0 --separate-stderr "$BUILD/bin/vmalock" doctor --cost -j
	[ -z "$stderr" ]
	# a fault and a pair without programs always take time; what the programs add is there or not known
	jq -e '.schema >= 1 and .bare_fault_ns > 0 and .bare_pair_ns > 0
		and ([.fault_ns, .pair_ns, .lock_event_ns] | all(. == null or . > 0))
		and (.lock_event_ns == null or (.pair_ns / .lock_event_ns | . > 3 and . < 20))' <<<"$output"
	jq -e 'if .stats_runs then .stats_runs >= 64 * 32 and .stats_ns > 0 else .stats_ns == null end' <<<"$output"
	run -0 --separate-stderr "$BUILD/bin/vmalock" doctor --cost
	[ -z "$stderr" ]
	[ "${#lines[@]}" = 5 ]
	[[ ${lines[1]} =~ ^\ \ a\ page\ fault\ in\ the\ area\ of\ the\ last\ +(\+[0-9]+\ ns,\ on\ top\ of\ [0-9]+\ ns|-)$ ]]
	[[ ${lines[4]} == "the kernel's statistics"* ]]
}

@test "without privileges: exit 1 and one line that says what is missing" {
	setpriv --reuid 65534 --clear-groups test -x "$BUILD/bin/vmalock" || skip "user 65534 cannot read $BUILD"
	run -1 --separate-stderr setpriv --reuid 65534 --clear-groups "$BUILD/bin/vmalock" doctor
	[ "${#stderr_lines[@]}" = 1 ]
	[[ $stderr == *CAP_BPF* && $stderr == *CAP_PERFMON* ]]
	run -1 --separate-stderr setpriv --reuid 65534 --clear-groups "$BUILD/bin/vmalocktop" -b -n 1
	[ "${#stderr_lines[@]}" = 1 ]
	[[ $stderr == *CAP_BPF* && $stderr == *CAP_PERFMON* ]]
}

@test "CAP_BPF and CAP_PERFMON are enough" {
	setpriv --reuid 65534 --clear-groups test -x "$BUILD/bin/vmalock" || skip "user 65534 cannot read $BUILD"
	local caps='+bpf,+perfmon'
	local as=(setpriv --reuid 65534 --clear-groups --inh-caps "$caps" --ambient-caps "$caps" --bounding-set "-all,$caps")
	"${as[@]}" true || skip "setpriv cannot hand over capabilities here"
	run -0 "${as[@]}" "$BUILD/bin/vmalock" doctor
	run -0 "${as[@]}" "$BUILD/bin/vmalocktop" -b -n 1 -d 0.2
}

@test "what vmalockd would keep: nothing, in text and JSON" {
	run -0 --separate-stderr "$BUILD/bin/vmalock" doctor
	[[ $output == *"vmalockd keeps no privileges"* && $output != *container* ]]
	run -0 --separate-stderr "$BUILD/bin/vmalock" doctor -j
	jq -e '.capabilities_kept == "none" and .pids == "host"' <<<"$output"
	# the same in a snapshot
	run -0 "$BUILD/bin/vmalock" snapshot -t 0.1 -o "$BATS_TEST_TMPDIR/s.vml"
	[ "$(sqlite3 "$BATS_TEST_TMPDIR/s.vml" "SELECT text ->> '$.capabilities_kept' FROM info WHERE name = 'doctor'")" = none ]
}

@test "a container with PIDs of its own: doctor says so, its own is found, -p of its PIDs is refused" {
	local container=(unshare --pid --fork --mount-proc) text
	"${container[@]}" true || skip "no PID namespace can be made here"
	run -0 --separate-stderr "${container[@]}" "$BUILD/bin/vmalock" doctor
	text=$(tr -s ' \n' ' ' <<<"$output")
	[[ $text == *"PIDs are the host's, this container has others: -p with a PID of the container is refused."* ]]
	run -0 --separate-stderr "${container[@]}" "$BUILD/bin/vmalock" doctor -j
	jq -e '.pids == "host, not container"' <<<"$output"
	run -2 --separate-stderr "${container[@]}" "$BUILD/bin/vmalocktop" -b -n 1 -p 1
	[ "${#stderr_lines[@]}" = 1 ]
	[[ $stderr == "vmalocktop: -p 1: that is a PID of this container, and "* ]]
	run -2 --separate-stderr "${container[@]}" "$BUILD/bin/vmalock" report -t 1 -p 1
	[[ $stderr == "vmalock report: -p 1: that is a PID of this container, and "* ]]
	run -2 --separate-stderr "${container[@]}" "$BUILD/bin/vmalock" diagnose -p 1
	[[ $stderr == "vmalock diagnose: -p 1: that is a PID of this container, and "* ]]
	# one of the host is taken: this shell
	run -0 --separate-stderr "${container[@]}" "$BUILD/bin/vmalocktop" -j -n 1 -d 0.2 -p $$
	[ -z "$stderr" ]

	run -0 "$BUILD/tests/pids"
	[[ ${lines[0]} =~ ^itself\ 1\ found\ ([0-9]+)\ error\ 0\ hosts\ 0$ ]]
	[ "${lines[1]}" = "host ${BASH_REMATCH[1]}" ]
}

@test "a BTF file that is not there: one line, and the file is named" {
	run --separate-stderr "$BUILD/bin/vmalock" doctor --btf /nonexistent/btf
	[ "$status" = 1 ] || [ "$status" = 2 ] || [ "$status" = 4 ]
	[ "${#stderr_lines[@]}" = 1 ]
	[[ $stderr == *'/nonexistent/btf'* ]]
}

@test "doctor: says the same in the C locale" {
	diff <(LC_ALL=C "$BUILD/bin/vmalock" doctor) <(LC_ALL=C.UTF-8 "$BUILD/bin/vmalock" doctor)
}

@test "--btf: the kernel's own file serves, what is no BTF is refused in one line" {
	run -0 "$BUILD/bin/vmalocktop" -b -n 1 -d 0.2 --btf /sys/kernel/btf/vmlinux
	echo 'no types here' >"$BATS_TEST_TMPDIR/bad"
	run -1 --separate-stderr "$BUILD/bin/vmalocktop" -b -n 1 --btf "$BATS_TEST_TMPDIR/bad"
	[ "${#stderr_lines[@]}" = 1 ]
	[[ $stderr == *"$BATS_TEST_TMPDIR/bad"* ]]
}

@test "types of a kernel without the tracepoints: exit 4 and one line" {
	echo 'struct mm_struct { int n; } mm;' | clang -target bpf -g -xc -c - -o "$BATS_TEST_TMPDIR/old.o"
	run -4 --separate-stderr "$BUILD/bin/vmalocktop" -b -n 1 --btf "$BATS_TEST_TMPDIR/old.o"
	[ "${#stderr_lines[@]}" = 1 ]
	[[ $stderr == *'cannot be observed'* ]]
	run -4 --separate-stderr "$BUILD/bin/vmalock" doctor --btf "$BATS_TEST_TMPDIR/old.o"
}
