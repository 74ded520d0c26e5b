#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# The command line of vmalock; no root needed.

bats_require_minimum_version 1.5.0

BUILD=${BUILD:-build}
[[ $BUILD == /* ]] || BUILD=$BATS_TEST_DIRNAME/../../$BUILD
vmalock=$BUILD/bin/vmalock

# usage_error TEXT ARGS...: exit 2, nothing on stdout, one line on stderr that has TEXT
usage_error()
{
	local text=$1
	shift
	run -2 --separate-stderr "$vmalock" "$@"
	[ -z "$output" ] || { echo "stdout: $output"; return 1; }
	[ "${#stderr_lines[@]}" = 1 ] || { echo "stderr: $stderr"; return 1; }
	[[ $stderr == vmalock* && $stderr == *"$text"* ]] || { echo "stderr: $stderr"; return 1; }
}

# report ARGS...: the JSON object of a load
report()
{
	run -0 --separate-stderr "$vmalock" load "$@" -j
	[ "${#lines[@]}" = 1 ]
	[ -z "$stderr" ] || { echo "stderr: $stderr"; return 1; }
	echo "$output"
}

# says QUERY VALUE: of the last report
says()
{
	local is
	is=$(jq -c "$1" <<<"$output")
	[ "$is" = "$2" ] || { echo "$1 is $is, should be $2"; return 1; }
}

@test "alone: the five commands one would type next" {
	run -0 --separate-stderr "$vmalock"
	[ "${#lines[@]}" = 5 ]
	[ -z "$stderr" ]
	for line in "${lines[@]}"; do
		[[ $line =~ ^(sudo )?vmalock ]]
	done
}

@test "help names every command that there is, and each has help" {
	run -0 --separate-stderr "$vmalock" --help
	[ -z "$stderr" ]
	[ "$(awk '/Commands:/ { on = 1; next } on && /^  / { print $1 } on && /^.vmalock/ { exit }' <<<"$output" | tr '\n' ' ')" = 'doctor load schema help ' ]
	long=$output
	run -0 "$vmalock" help
	[ "$output" = "$long" ]
	run -0 "$vmalock" -h
	[ "$output" = "$long" ]
	for command in doctor load schema; do
		run -0 --separate-stderr "$vmalock" $command --help
		[[ ${lines[0]} == "Usage: vmalock $command"* ]]
		[ -z "$stderr" ]
	done
}

@test "--version" {
	run -0 "$vmalock" --version
	[[ $output =~ ^vmalock\ [0-9]+\.[0-9]+\.[0-9]+$ ]]
}

@test "usage errors: exit 2 and one line" {
	usage_error "command 'frobnicate'" frobnicate
	usage_error "option '--frobnicate'" --frobnicate
	usage_error "--frobnicate" doctor --frobnicate
	usage_error "'now'" doctor now
	usage_error "--btf" doctor --btf
	usage_error "'x'" schema x
	usage_error "scenario 'frobnicate'" load frobnicate
	usage_error "option '-t'" load -t 3
	usage_error "--frobnicate" load faults --frobnicate
	usage_error "'more'" load faults more
	usage_error "'x'" load faults -t x
	usage_error "'-1'" load faults --rounds=-1
	usage_error "'4294967296'" load faults --rounds 4294967296
	usage_error "'0'" load faults --seconds 0
	usage_error "'9x'" load faults --seconds 9x
	# an option of other scenarios
	usage_error "--writers" load faults --writers 1
	usage_error "--file" load kernel --file x
	usage_error "-- 't'" load exec -t 1
}

@test "commands that are planned are unknown" {
	for command in record report diff diagnose snapshot; do
		usage_error "command '$command'" $command
	done
}

@test "doctor --backend with a backend that is none: one line" {
	usage_error "frobnicate" doctor --backend frobnicate
}

@test "a stdout that is full is a failure in one line" {
	[ -w /dev/full ] || skip "no /dev/full"
	for args in '' help --version schema load 'load faults -r 1' 'load faults -r 1 -j'; do
		# shellcheck disable=SC2016,SC2086
		run -1 --separate-stderr bash -c '"$@" >/dev/full' - "$vmalock" $args
		[ "${#stderr_lines[@]}" = 1 ] || { echo "$args: $stderr"; return 1; }
	done
}

@test "schema is JSON Schema 2020-12" {
	run -0 --separate-stderr "$vmalock" schema
	[ -z "$stderr" ]
	says '."$schema"' '"https://json-schema.org/draft/2020-12/schema"'
	says '[.. | objects | .properties? // empty | select(has("processes"))] | length' 1
	says '[.. | objects | .properties? // empty | select(has("processes"))][0]
		| has("schema") and has("totals") and has("threads") and has("vmas") and has("reasons") and has("loss") and has("self")' true
}

@test "load alone lists the scenarios, and each has help" {
	run -0 --separate-stderr "$vmalock" load
	[ -z "$stderr" ]
	local scenarios
	scenarios=$(awk '/Scenarios:/ { on = 1; next } /^Examples:/ { exit } on && NF { print $1 }' <<<"$output")
	[ "$(tr '\n' ' ' <<<"$scenarios")" = 'faults shared kernel file threads shortlived exec fork vfork pidreuse ' ]
	for s in $scenarios; do
		run -0 --separate-stderr "$vmalock" load "$s" --help
		[[ ${lines[0]} == "Usage: vmalock load $s"* ]]
		[[ $output == *--json* && $output != *--step* ]]
		[ -z "$stderr" ]
	done
}

@test "load faults: pages x rounds x threads" {
	report faults -t 3 -r 7 --pages 50
	says '[.scenario, .threads, .pages]' '["faults",3,50]'
	says .faults.total 1050
	says .calls '{"mmap":0,"munmap":0,"mprotect":0,"madvise":21,"read":0}'
	says '.bytes / 1050' "$(getconf PAGESIZE)"
	says '.seconds > 0' true
	report faults -r 0
	says .faults.total 0
	report faults -t 0
	says .faults.total 0
}

@test "load kernel: a fault for each page that read(2) fills" {
	report kernel -t 2 -r 5 --pages 40
	says .faults.total 400
	says .calls.madvise 10
	says '.calls.read >= 10' true
}

@test "load shared: faulters and writers" {
	report shared -t 2 -w 2 -r 20 --pages 30
	says '.faults.total >= 1200' true
	says '.calls | .mmap == .munmap and .mprotect == 2 * .mmap and .mmap >= 2' true
	says .calls.madvise 40
}

@test "load file: the file is named while it is mapped, and removed" {
	report file -t 2 -r 3 --pages 20 --file "$BATS_TEST_TMPDIR/the \"file\""
	says .file "$(jq -n --arg p "$BATS_TEST_TMPDIR/the \"file\"" '$p')"
	says '[.regions[].name]' '["read","copy","shared"]'
	# at least: shared and copy once a page, read once a round and thread
	says '.faults.total >= 2 * 3 * (20 + 20 + 1)' true
	[ ! -e "$BATS_TEST_TMPDIR/the \"file\"" ]
	TMPDIR=$BATS_TEST_TMPDIR report file -r 1
	[ -z "$(find "$BATS_TEST_TMPDIR" -name 'vmalock-load*')" ]
}

@test "load file: a file that exists is not touched" {
	echo precious >"$BATS_TEST_TMPDIR/mine"
	run -1 --separate-stderr "$vmalock" load file --file "$BATS_TEST_TMPDIR/mine"
	[ "${#stderr_lines[@]}" = 1 ]
	[[ $stderr == *"$BATS_TEST_TMPDIR/mine"* ]]
	[ "$(cat "$BATS_TEST_TMPDIR/mine")" = precious ]
}

@test "load threads and shortlived" {
	report threads -t 200 --pages 3
	says .faults.total 600
	report shortlived -r 500 -t 16
	says '.faults.total >= 500' true
	says .threads 16
}

@test "load exec, fork and vfork: images and children" {
	report exec -r 2 --pages 100
	says .images 3
	says '.faults.total >= 600' true
	report fork -t 3 -r 4 --pages 60
	says '[.children[].pid] | unique | length' 12
	says '[.children[].faults.total] | min >= 60' true
	report vfork -r 4 --pages 60
	says '[.children[].faults.total] | min >= 60' true
}

@test "load: --seconds ends it" {
	report faults --seconds 0.1
	says '.faults.total > 0' true
	report faults -r 3 -t 1 --pages 1 --seconds 3600
	says .faults.total 3
}

@test "load as text: one line" {
	run -0 --separate-stderr "$vmalock" load faults -t 2 -r 2 --pages 10
	[ "${#lines[@]}" = 1 ]
	[ -z "$stderr" ]
	[[ $output == 'faults: pid '*', 2 threads: 40 faults (40 minor, 0 major), 4 madvise, '* ]]
}

@test "load --handshake: ready, done, report, each after a line" {
	run -0 --separate-stderr "$vmalock" load faults -t 2 -r 2 --pages 10 -j --handshake <<<$'go\nend'
	[ "${lines[0]}" = ready ]
	[ "${lines[1]}" = "done" ]
	[ "${#lines[@]}" = 3 ]
	jq -e '.faults.total == 40' <<<"${lines[2]}"
	# so does the end of file
	run -0 "$vmalock" load faults -t 2 -r 2 --handshake </dev/null
	[ "${#lines[@]}" = 3 ]
}
