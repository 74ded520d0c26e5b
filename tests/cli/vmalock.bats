#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# The command line of vmalock; no root needed.

load lib

vmalock=$BUILD/bin/vmalock

teardown()
{
	[ ! -e "$BATS_TEST_TMPDIR/device" ] || losetup -d "$(cat "$BATS_TEST_TMPDIR/device")"
}

# usage_error TEXT ARGS...: exit 2, nothing on stdout, one line on stderr that has TEXT
usage_error()
{
	local text=$1
	shift
	run -2 --separate-stderr "$vmalock" "$@"
	complains vmalock "$text"
}

# report ARGS...: the JSON object of a load
report()
{
	run -0 --separate-stderr "$vmalock" load "$@" -j
	[ "${#lines[@]}" = 1 ]
	[ -z "$stderr" ] || { echo "stderr: $stderr"; return 1; }
	echo "$output"
}

# report_or_skip ARGS...: the same, where the host may not be able to: exit 4 and one line that says why
report_or_skip()
{
	run --separate-stderr "$vmalock" load "$@" -j
	if [ "$status" = 4 ]; then
		[ -z "$output" ] && [ "${#stderr_lines[@]}" = 1 ] || { echo "stderr: $stderr"; return 1; }
		skip "$stderr"
	fi
	[ "$status" = 0 ] && [ "${#lines[@]}" = 1 ] && [ -z "$stderr" ] || { echo "$status: $output $stderr"; return 1; }
}

# listed TITLE: the first words of the lines below it in the last output
listed()
{
	awk -v title="$1" 'index($0, title ":") { on = 1; next } /^Options|^Examples:/ { exit } on && NF { print $1 }' <<<"$output"
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
	[ "$(awk '/Commands:/ { on = 1; next } on && /^  / { print $1 } on && /^.vmalock/ { exit }' <<<"$output" | tr '\n' ' ')" = 'doctor record snapshot report diff diagnose load schema help ' ]
	long=$output
	run -0 "$vmalock" help
	[ "$output" = "$long" ]
	run -0 "$vmalock" -h
	[ "$output" = "$long" ]
	for command in diff doctor load report schema; do
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
	usage_error "reason 'frobnicate'" load reason frobnicate
	usage_error "option '-t'" load reason -t 3
	usage_error "vmalock load reason busy" load reason busy --file x
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
	usage_error "'maps'" load smaps --by maps
	usage_error "--by" load convoy --by smaps
}

@test "a backend that is none: one line, the same of every command" {
	for command in doctor diagnose report record snapshot; do
		usage_error "vmalock $command: --backend: auto, tracepoint, fentry or kprobe, not 'frobnicate'" \
			$command --backend frobnicate
	done
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

@test "schema of diff and of diagnose, all with every key described" {
	for which in interval diff diagnose; do
		run -0 --separate-stderr "$vmalock" schema $which
		[ -z "$stderr" ]
		says '."$schema"' '"https://json-schema.org/draft/2020-12/schema"'
	done
	says '.title, (.properties | has("findings"))' $'"vmalock diagnosis"\ntrue'
	says '[.. | objects | select(has("properties")) | .properties[] | select(has("description") | not)]' '[]'
	run -0 "$vmalock" schema diff
	says '.title, .properties.verdict.enum' \
		$'"vmalock comparison"\n["no change","regression","improvement","inconclusive","not comparable"]'
	says '[.. | objects | select(has("properties")) | .properties[] | select(has("description") | not)]' '[]'
	usage_error "'diff'" schema interval diff
}

@test "load alone lists the scenarios, and each has help" {
	run -0 --separate-stderr "$vmalock" load
	[ -z "$stderr" ]
	local scenarios
	scenarios=$(listed Scenarios)
	[ "$(tr '\n' ' ' <<<"$scenarios")" = 'faults shared churn replace kernel file remote segv thp hugetlb userfaultfd forkcow swap threads shortlived exec fork vfork pidreuse vmawrite madvise uffdio procmaps convoy writers threadstarts mappings bigfork smaps throttled starved pageio all reason ' ]
	for s in $scenarios; do
		[ "$s" != reason ] || continue
		run -0 --separate-stderr "$vmalock" load "$s" --help
		[[ ${lines[0]} == "Usage: vmalock load $s"* ]]
		[[ $output == *--json* && $output != *--step* ]]
		[ -z "$stderr" ]
	done
}

@test "load reason alone lists the reasons, all of them, and each has help" {
	run -0 --separate-stderr "$vmalock" load reason
	[ -z "$stderr" ]
	local reasons
	reasons=$(listed Reasons)
	[ "$(tr '\n' ' ' <<<"$reasons")" = 'no_vma stack_growth write_locked busy range_moved wrong_mm raced no_map_pages anon_vma folio_locked file_io userfaultfd device_private killed kernel_mode ' ]
	for s in $reasons; do
		run -0 --separate-stderr "$vmalock" load reason "$s" --help
		[[ ${lines[0]} == "Usage: vmalock load reason $s"* ]]
		[ -z "$stderr" ]
	done
}

@test "load: options say what they are in this scenario" {
	run -0 "$vmalock" load swap --help
	[[ $(tr -s ' \n' ' ' <<<"$output") == *'block device that begins with zeros'* ]]
	run -0 "$vmalock" load thp --help
	[[ $(tr -s ' \n' ' ' <<<"$output") == *'Huge pages of each of them and each round (4)'* ]]
}

@test "load reason: what cannot be provoked says why and exits 4" {
	for s in wrong_mm raced device_private; do
		run -4 --separate-stderr "$vmalock" load reason $s -j
		[ -z "$output" ]
		[ "${#stderr_lines[@]}" = 1 ]
		[[ $stderr == "vmalock load reason $s: "* ]]
	done
}

@test "load faults: pages x rounds x threads" {
	report faults -t 3 -r 7 --pages 50
	says '[.scenario, .threads, .pages]' '["faults",3,50]'
	says .faults.total 1050
	says '.calls | map_values(select(. > 0))' '{"madvise":21}'
	says .did '{}'
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

@test "load churn and replace: what the writers touch is more, what they replace faults again" {
	report churn -t 2 -w 2 -r 20 --pages 30
	says '.calls | .mmap == .munmap and .mmap >= 2' true
	says '.faults.total == 2 * 20 * 30 + 16 * .calls.mmap' true
	report replace -t 2 -w 2 -r 20 --pages 30
	says '.faults.total >= 2 * 20 * 30' true
	says '.calls | .mmap >= 2 and .munmap == 0' true
}

@test "load remote: each page is a fault of get_user_pages()" {
	report_or_skip remote -t 2 -r 3 --pages 100
	says .did '{"gup":600}'
	says .faults.total 600
	# 64 pages are the most of one call
	says .calls.process_vm_readv 12
}

@test "load segv: as many of each kind as were asked for, and we live" {
	report segv -t 3 -r 2 --pages 20
	says .did '{"segv_readonly":120,"segv_hole":120}'
}

@test "load thp: one fault where there are many pages" {
	report_or_skip thp -t 2 -r 3 --pages 2
	says .did.huge 12
	says '.bytes / .did.huge > 100000' true
	# each area that the kernel had no huge page for is 512 faults
	says '.faults.total >= 12' true
}

@test "load hugetlb: one fault each, and the pool is as it was" {
	local before
	before=$(cat /proc/sys/vm/nr_hugepages)
	report_or_skip hugetlb -t 1 -r 3 --pages 2
	says '[.did.huge, .faults.total]' '[6,6]'
	[ "$(cat /proc/sys/vm/nr_hugepages)" = "$before" ]
}

@test "load userfaultfd and uffdio: faults that are resolved, pages without a fault" {
	report_or_skip userfaultfd -t 2 -r 3 --pages 50
	says '[.did.resolved, .faults.total]' '[300,300]'
	report uffdio -t 2 -r 3 --pages 50
	says '[.calls.ioctl, .faults.total]' '[300,0]'
}

@test "load forkcow: parent and child fault on each page" {
	report forkcow -t 2 -r 3 --pages 50
	says .calls.fork 6
	says '.faults.total >= 300' true
	says '.did.child_faults >= 300' true
}

# no_swap_at PATH: it is gone, and what it was on; "" is the swap the host had before
no_swap_at()
{
	[ -n "$1" ] || return 0
	! grep -qF "$1 " /proc/swaps && [ ! -e "$1" ]
}

@test "load swap: the pages come back, and the host has the swap it had" {
	TMPDIR=$BATS_TEST_TMPDIR report_or_skip swap -t 1 -r 2 --pages 50
	says '.did.swapped <= 100' true
	says '.faults.total >= 100 + .did.swapped' true
	no_swap_at "$(jq -r '.file // empty' <<<"$output")"
	[ -z "$(find "$BATS_TEST_TMPDIR" -name '*swap*')" ]
}

@test "load madvise and procmaps: calls and no fault" {
	report madvise -t 2 -r 3 --pages 50
	says '[.calls.madvise, .faults.total]' '[300,0]'
	report procmaps -t 2 -r 10
	says '[.calls.read >= 40, .bytes > 1000]' '[true,true]'
}

@test "load vmawrite: long faults beside short ones, and writers" {
	report vmawrite -t 4 -w 1 -r 2 --pages 2
	says '.did.huge' 8
	says '.calls.mprotect >= 2 and .calls.mprotect % 2 == 0' true
}

@test "load convoy, writers, smaps: culprits and victims" {
	report convoy -t 2 -r 2 --pages 8192
	says '[(.culprits | length), .culprits[0].calls, .culprits[0].what]' '[1,2,"madvise(MADV_POPULATE_WRITE)"]'
	says '[.victims[].does]' '["read","read","mmap, munmap"]'
	says '.culprits[0] | .calls > 0 and .call_ns > 0 and .pid > 0 and .tid != .pid' true
	report writers -t 1 -w 2 -r 2
	says '[.culprits[].mode]' '["write","write"]'
	says '.calls.mprotect == ([.culprits[].calls] | add)' true
	report_or_skip smaps --by clear_refs -t 1 -r 2
	says '[.culprits[0].pid != .pid, .culprits[0].calls, .culprits[0].mode]' '[true,2,"write"]'
}

@test "load convoy: the text names the culprit" {
	run -0 --separate-stderr "$vmalock" load convoy -t 2 -r 1
	[ "${#lines[@]}" = 1 ]
	[[ $output == *'; 1 call of 1 culprit took '*' waits '*'tid '*' in madvise(MADV_POPULATE_WRITE))' ]]
}

@test "load all: the sum of its parts, and what was left out" {
	report all -t 1 -r 2 --pages 16
	says '[.parts[].scenario] | length' 15
	says '[.parts[] | select(.left_out == null).scenario] | contains(["faults", "shared", "segv", "forkcow", "kernel"])' true
	says '.did | [.segv_readonly, .segv_hole]' '[32,32]'
	says '.did | [.gup, .resolved] - [0, 32]' '[]'
	says '[.regions[].of] | contains(["faults", "shared", "file"])' true
	# faults, shared, replace, kernel once a page; forkcow at least; file at least twice
	says '.faults.total >= 2 * 16 * 7' true
}

@test "load reason: what always falls back is counted exactly" {
	report reason no_vma -t 2 -r 3 --pages 40
	says '[.scenario, .reason, .exact, .provoked]' '["reason","no_vma",true,240]'
	report reason stack_growth -t 2 -r 3 --pages 40
	says '[.exact, .provoked, .faults.total]' '[true,240,240]'
	report reason kernel_mode -t 2 -r 3 --pages 40
	says '[.exact, .provoked, .faults.total]' '[true,240,240]'
	report_or_skip reason no_map_pages -r 3 --pages 40
	says '[.exact, .provoked, .faults.total >= 120]' '[true,120,true]'
}

@test "load reason userfaultfd, killed" {
	report_or_skip reason userfaultfd -t 2 -r 3 --pages 40
	says '[.exact, .provoked, .faults.total]' '[true,240,240]'
	report reason killed -t 3 -r 4
	says '[.exact, .provoked, .did.killed, .calls.fork]' '[true,12,12,4]'
}

@test "load reason: what is a race is counted as often as it must have happened" {
	for s in write_locked busy anon_vma range_moved; do
		report reason $s -r 3
		says '[.reason, .exact]' "[\"$s\",false]"
		says '.provoked >= 0 and .provoked <= .faults.total' true
	done
	says '.did.attempts > 0' true
}

@test "load reason file_io: each major fault" {
	TMPDIR=$BATS_TEST_TMPDIR report_or_skip reason file_io -t 1 -r 2 --pages 20
	says '.provoked == .faults.major and .provoked <= 40' true
}

@test "load reason folio_locked: waits for pages of a swap file, which is gone afterwards" {
	TMPDIR=$BATS_TEST_TMPDIR report_or_skip reason folio_locked -t 1 -r 2 --pages 50
	says '.did.swapped <= 100 and .provoked <= 100' true
	no_swap_at "$(jq -r '.file // empty' <<<"$output")"
}

@test "load: a device is only read, and only an empty one is swapped to" {
	[ "$(id -u)" = 0 ] || skip "needs root"
	local device before
	truncate -s 32M "$BATS_TEST_TMPDIR/disk"
	device=$(losetup -f --show "$BATS_TEST_TMPDIR/disk") || skip "no loop device"
	echo "$device" >"$BATS_TEST_TMPDIR/device"
	report reason file_io --file "$device" -t 1 -r 2 --pages 20
	says '[.provoked <= 40, .provoked == .faults.major]' '[true,true]'
	report reason folio_locked --file "$device" -t 1 -r 2 --pages 50
	says '[.reason, .file]' "[\"folio_locked\",\"$device\"]"
	echo precious | dd of="$device" conv=notrunc status=none
	before=$(cksum <"$device")
	run -4 --separate-stderr "$vmalock" load swap --file "$device"
	[ "${#stderr_lines[@]}" = 1 ]
	[[ $stderr == *"$device does not begin with zeros"* ]]
	[ "$(cksum <"$device")" = "$before" ]
}

@test "load swap that is killed leaves no swap behind" {
	[ "$(id -u)" = 0 ] || skip "swap needs root"
	[ "$(wc -l </proc/swaps)" = 1 ] || skip "this host has swap, which load uses"
	local pid i
	TMPDIR=$BATS_TEST_TMPDIR "$vmalock" load swap --seconds 60 3>&- >"$BATS_TEST_TMPDIR/out" 2>&1 &
	pid=$!
	for ((i = 0; i < 100; i++)); do
		[ "$(wc -l </proc/swaps)" = 1 ] || break
		kill -0 $pid 2>/dev/null || break
		sleep 0.1
	done
	if ! kill -KILL $pid 2>/dev/null; then
		wait $pid || [ $? = 4 ] || { cat "$BATS_TEST_TMPDIR/out"; return 1; }
		skip "$(cat "$BATS_TEST_TMPDIR/out")"
	fi
	wait $pid || :
	for ((i = 0; i < 100; i++)); do
		[ "$(wc -l </proc/swaps)" != 1 ] || return 0
		sleep 0.1
	done
	cat /proc/swaps
	return 1
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
	# on a busy host its threads run late
	report faults --seconds 2
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

@test "numbers have a point in every locale" {
	localedef -i de_DE -f UTF-8 "$BATS_TEST_TMPDIR/de_DE.UTF-8" || skip "no sources of locales (package locales): numbers in a German locale were not looked at"
	local german=(env LOCPATH="$BATS_TEST_TMPDIR" LC_ALL=de_DE.UTF-8)
	[ "$("${german[@]}" printf %.1f 2,5)" = 2,5 ]
	"${german[@]}" "$vmalock" load faults -r 1 -j | jq -e '.seconds > 0'
	run -0 --separate-stderr "${german[@]}" "$vmalock" load faults -r 1
	[[ $output =~ \ touched\ in\ [0-9]+\.[0-9]{3}\ s$ ]]
}

@test "load --handshake: ready, done, report, each after a line" {
	run -0 --separate-stderr "$vmalock" load faults -t 2 -r 2 --pages 10 -j --handshake <<<$'go\nend'
	[ "${lines[0]}" = ready ]
	[ "${lines[1]}" = "done" ]
	[ "${#lines[@]}" = 3 ]
	jq -e '.faults.total == 40' <<<"${lines[2]}"
	# also when both lines are there before it asks
	mkfifo "$BATS_TEST_TMPDIR/fifo"
	exec 5<>"$BATS_TEST_TMPDIR/fifo"
	printf 'go\nend\n' >&5
	run -0 --separate-stderr timeout 20 "$vmalock" load faults -r 0 --handshake <&5
	exec 5>&-
	[ "${#lines[@]}" = 3 ]
	# so does the end of file
	run -0 "$vmalock" load faults -t 2 -r 2 --handshake </dev/null
	[ "${#lines[@]}" = 3 ]
}
