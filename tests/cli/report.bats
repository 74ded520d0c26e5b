#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# vmalock report of recordings (recording.c, recorded.c, kept.c) and of the history.

load lib

vmalock=$BUILD/bin/vmalock

# 2026-01-01T00:00:00Z: recording.c begins then
AT=1767225600

# report STATUS ARGS...: of vmalock report in the folder of the recordings; one line on stderr or none
report()
{
	cd "$BATS_TEST_TMPDIR"
	run "-$1" --separate-stderr "$vmalock" report "${@:2}"
	[ "${#stderr_lines[@]}" -le 1 ] || { echo "stderr: $stderr"; return 1; }
}

setup()
{
	unset TZ
}

@test "text: verdict, where it is from, table" {
	recording a
	report 0 a
	[ "${lines[0]}" = 'healthy: 98.01 % of 21,948 faults/s hit; 8.9 ms/s waited for mmap_lock; reasons are inferred' ]
	[ "${lines[1]}" = 'file   a' ]
	[ "${lines[2]}" = 'time   2026-01-01T00:00:00+00:00 to 2026-01-01T00:00:30+00:00, 30 s observed in 30 intervals' ]
	[ "${lines[3]}" = 'host   invented, Linux 7.0.0 x86_64, 4 CPUs, tracepoint backend' ]
	[ "${lines[6]}" = 'event  2026-01-01T00:00:01+00:00 start: invented' ]
	[[ $output == *$'\n''PID '*$'\n''100 '*'worker'*$'\n'' 10 '*'quiet'*'BLOCKERS'*'munmap'*'write_locked inferred'* ]]
}

@test "times are local, with the offset, or UTC" {
	recording a
	TZ=CET-1CEST,M3.5.0,M10.5.0/3 report 0 a
	[[ ${lines[2]} == 'time   2026-01-01T01:00:00+01:00 to 2026-01-01T01:00:30+01:00, '* ]]
	TZ=CET-1CEST,M3.5.0,M10.5.0/3 report 0 --utc a
	[[ ${lines[2]} == 'time   2026-01-01T00:00:00Z to 2026-01-01T00:00:30Z, '* ]]
	# what it prints can be given back
	TZ=UTC5:30 report 0 --since 2025-12-31T18:30:10-05:30 --until 2025-12-31T18:30:20-05:30 a
	[[ ${lines[2]} == 'time   2025-12-31T18:30:10-05:30 to 2025-12-31T18:30:20-05:30, 10 s observed in 10 intervals' ]]
}

@test "--intervals is what was printed live, and they add up to the report" {
	"$BUILD/tests/kept" "$BATS_TEST_TMPDIR/live" >"$BATS_TEST_TMPDIR/live.json"
	report 0 -j --intervals live
	diff "$BATS_TEST_TMPDIR/live.json" - <<<"$output"
	intervals=$output
	report 0 -j live
	says '.interval_ns, .host.name, .backend.name' $'10000000000\n"fakehost"\n"tracepoint"'
	sum='. as $all | reduce range(1; length) as $i ($all[0].totals; with_entries(.value += $all[$i].totals[.key]))'
	[ "$(jq -cS .totals <<<"$output")" = "$(jq -s -cS "$sum" <<<"$intervals")" ]
	# rows and reasons of processes, too
	for rows in processes:faults processes:fallbacks threads:wait_ns vmas:faults blockers:blamed_ns reasons:count; do
		by="[.[].${rows%:*}[]] | group_by([.pid, .tid, .start_ns, .exec, .start, .reason, .certainty, .context, .lock]) |
			map([.[0].pid, .[0].tid, .[0].start, .[0].reason, .[0].context, (map(.${rows#*:}) | add)] | select(.[-1] > 0)) | sort"
		[ "$(jq -s -c "$by" <<<"$output")" = "$(jq -s -c "$by" <<<"$intervals")" ]
		[ "$(jq -s "$by | length" <<<"$output")" -gt 2 ]
	done
}

@test "windows that adjoin do not count anything twice" {
	recording a
	report 0 -j a
	whole=$(jq -cS .totals <<<"$output")
	parts=
	# in the middle of intervals and at their ends
	for window in "$AT $((AT + 7))" "$((AT + 7)) $((AT + 12)).5" "$((AT + 12)).5 $((AT + 20)).2" "$((AT + 20)).2 $((AT + 30))"; do
		report 0 -j a --since "@${window% *}" --until "@${window#* }"
		parts+=$output
	done
	[ "$(jq -s -c 'map(.interval_ns / 1e9)' <<<"$parts")" = '[7,6,7,10]' ]
	sum='. as $all | reduce range(1; length) as $i ($all[0].totals; with_entries(.value += $all[$i].totals[.key]))'
	[ "$(jq -s -cS "$sum" <<<"$parts")" = "$whole" ]
	[ "$(jq -s '[.[].totals.faults] | add' <<<"$parts")" = 658455 ]
}

@test "gaps are not time observed, and are told" {
	"$BUILD/tests/kept" "$BATS_TEST_TMPDIR/gap" blind=4 blind_for=60 >"$BATS_TEST_TMPDIR/live.json"
	report 0 gap
	[[ ${lines[2]} == *', 10 s observed in 10 intervals' ]]
	[[ $output == *$'\n''event  2025-03-01T12:01:05+00:00 gap: 60s without intervals'* ]]
	report 0 -j gap
	says .interval_ns 10000000000
	[ "$(jq .totals.faults <<<"$output")" = "$(jq -s 'map(.totals.faults) | add' "$BATS_TEST_TMPDIR/live.json")" ]
	# and the gap alone has nothing
	report 1 gap --since 2025-03-01T12:00:10Z --until 2025-03-01T12:01:00Z
	[ "$stderr" = 'vmalock report: gap has nothing of that time: it is from 2025-03-01T12:00:00+00:00 to 2025-03-01T12:01:10+00:00' ]
}

@test "stalls are of their time, not of now" {
	VML_FAKE_STATE=stalled "$BUILD/tests/kept" "$BATS_TEST_TMPDIR/stalls" intervals=3 >"$BATS_TEST_TMPDIR/live.json"
	jq -e '.stalls | length > 0' "$BATS_TEST_TMPDIR/live.json"
	report 0 stalls
	[[ ${lines[0]} != *stalled* ]]
	[[ $output == *$'\n''event  2025-03-01T12:00:01+00:00 stall: '*'threads wait for mmap_lock of java (2345)'* ]]
}

@test "which rows: -p, --cgroup, -H, -s, -l" {
	recording a
	report 0 -j -p 100 a
	says '[.processes[].comm], [.vmas[].pid], .totals.faults == .processes[0].faults' $'["worker"]\n[100]\ntrue'
	report 0 -j --cgroup /system.slice/quiet.service a
	says '[.processes[].comm]' '["quiet"]'
	report 0 -j -l 1 a
	says '[.processes[].pid], .totals.faults' $'[100]\n658455'
	report 0 -j -l 1 -s pid a
	says '[.processes[].pid]' '[10]'
	report 0 --intervals -p 10 a
	[ "${#lines[@]}" = 30 ]
	[ "$(jq -s -c '[.[].processes[].comm] | unique' <<<"$output")" = '["quiet"]' ]
	"$BUILD/tests/kept" "$BATS_TEST_TMPDIR/live" >/dev/null
	report 0 -H -l 3 live
	[[ $output == *$'\n'*' TID '* && $output == *ib_io_rd-1* ]]
	report 0 -l 2 live
	[ "$(awk '/^ *PID/ { on = 1; next } /^$/ { on = 0 } on' <<<"$output" | wc -l)" = 2 ]
}

@test "--folded: stacks of all intervals" {
	"$BUILD/tests/kept" "$BATS_TEST_TMPDIR/live" >"$BATS_TEST_TMPDIR/live.json"
	report 0 --folded live
	[ "$(jq -s '[.[].stacks[].blamed_ns] | add' "$BATS_TEST_TMPDIR/live.json")" = \
		"$(awk '{ sum += $NF } END { printf "%d", sum }' <<<"$output")" ]
	[[ $output == *';'*'_[k] '* ]]
}

@test "-o: into a file, which stays when there is nothing to write" {
	recording a
	report 0 -j a
	json=$output
	report 0 -j -o out.json a
	[ -z "$output" ]
	[ "$(cat out.json)" = "$json" ]
	report 1 -j -o out.json missing
	[ "$(cat out.json)" = "$json" ]
	report 1 -j -o none/out.json a
	[[ $stderr == 'vmalock report: cannot write to none/out.json: No such file or directory' ]]
	report 1 -j -o /dev/full a
	[[ $stderr == 'vmalock report: cannot write to /dev/full: '* ]]
}

@test "what cannot be read: one line, and which exit status" {
	recording a
	cd "$BATS_TEST_TMPDIR"
	recording empty intervals=0
	head -c 20000 a >cut
	echo text >text
	mkdir folder
	while IFS='|' read -r status text args; do
		# shellcheck disable=SC2086
		report "$status" $args
		[[ $stderr == "vmalock report: $text"* && -z $output ]] || { echo "$args: $stderr"; return 1; }
	done <<-'END'
		1|cannot read ./missing: No such file|missing
		1|cannot read ./cut: it is damaged, cut short|cut
		1|cannot read ./text: it is damaged, cut short, or not a recording|text
		1|cannot read ./folder: |folder
		1|empty holds no intervals|empty
		1|a has nothing of that time: it is from 2026-01-01T00:00:00+00:00 to 2026-01-01T00:00:30+00:00|a --since -1m
		2|--since: |--since yesterday
		2|--since and --until: the window ends before it begins|--since 02:00 --until 2020-01-01T00:00:00Z a
		2|one FILE, and not also 'b'|a b
		2|-t, --connect, --backend|a -t 5
		2|-t, --connect, --backend|a --connect
		2|-t, --connect, --backend|--since -10m --backend fentry
		2|--intervals|--intervals
		2|--json, --folded or --html, one of them|--folded -j a
		2|-s: |a -s nothing
		2|-l: |a -l x
		2|-p: |a -p x
		2|--cgroup: |a --cgroup x
	END
	sqlite3 a 'PRAGMA user_version = 1000'
	report 4 a
	[[ $stderr == 'vmalock report: cannot read ./a: it was written by a newer version'* ]]
	run -1 --separate-stderr bash -c '"$0" report "$1" >/dev/full' "$vmalock" "$BATS_TEST_TMPDIR/empty"
	recording b
	run -1 --separate-stderr bash -c '"$0" report "$1" >/dev/full' "$vmalock" "$BATS_TEST_TMPDIR/b"
	[[ $stderr == 'vmalock report: cannot write to stdout: '* ]]
}

@test "the history: root and the group, also while nobody writes it" {
	[ "$(id -u)" = 0 ] || skip 'needs root to be somebody else'
	unshare -m true || skip 'needs a mount namespace'
	cat >"$BATS_TEST_TMPDIR/within" <<-'END'
		set -e
		mount -t tmpfs none /var/lib
		mkdir -m 750 /var/lib/vmalock
		cp "$BUILD/bin/vmalock" /var/lib/program
		"$BUILD/tests/recording" /var/lib/vmalock/history.db history=1
		chmod 640 /var/lib/vmalock/history.db
		chgrp -R 4242 /var/lib/vmalock
		as() { setpriv --reuid=65534 --regid="$1" --clear-groups /var/lib/program report "${@:2}"; }
		as 4242 -j --since @1767225600 --until @1767225610
		as 65534 --since @1767225600 || echo "status $?"
		ls /var/lib/vmalock
	END
	BUILD=$BUILD run -0 --separate-stderr unshare -m bash "$BATS_TEST_TMPDIR/within"
	[ "$(head -n 1 <<<"$output" | jq .interval_ns)" = 10000000000 ]
	[ "$stderr" = 'vmalock report: cannot read /var/lib/vmalock/history.db: Permission denied; root and members of the group vmalock may' ]
	[ "${lines[*]:1}" = 'status 1 history.db' ] # nothing was left beside it
}

@test "text of processes and files is escaped" {
	recording $'a\e[2J' comm=$'\e[31mred\n' cgroup=$'/x/\xff' area=$'/tmp/"<script>'
	report 0 $'a\e[2J'
	[[ $output != *$'\e'* && $output == *'file   a\x1b[2J'* && $output == *'\x1b[31mred\x0a'* ]]
}
