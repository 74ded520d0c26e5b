#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# vmalock diff, on recordings of invented loads (recording.c); no root needed.

load lib

vmalock=$BUILD/bin/vmalock

# diff STATUS ARGS...: of vmalock diff in the folder of the recordings; one line on stderr or none
diff()
{
	cd "$BATS_TEST_TMPDIR"
	run "-$1" --separate-stderr "$vmalock" diff "${@:2}"
	[ "${#stderr_lines[@]}" -le 1 ] || { echo "stderr: $stderr"; return 1; }
}

setup()
{
	unset TZ
	recording a
}

# as_schema FILE...: objects are what vmalock schema diff says, and nothing else
as_schema()
{
	"$vmalock" schema diff >schema
	run -0 jq -rf "$BATS_TEST_DIRNAME/schema.jq" --slurpfile schema schema "$@"
	[ -z "$output" ] || { echo "$output"; return 1; }
}

@test "-j is what vmalock schema diff says, of each verdict" {
	recording b seed=2 share=0.03
	recording noisy seed=2 wild=50
	recording other seed=2 cpus=8
	recording idle hold=0
	recording empty intervals=0
	cd "$BATS_TEST_TMPDIR"
	for with in a b noisy other idle empty; do
		# 0, 1 and 3 judge; 2 and 4 do not
		"$vmalock" diff -j -l 0 a $with >$with.json || [[ $? = [13] ]]
	done
	"$vmalock" diff -j -l 0 b a >better.json
	"$vmalock" diff -j -l 0 --cgroup /system.slice/worker.service idle a >new.json || [ $? = 1 ]
	[ "$(jq -r .verdict ./*.json | sort -u | paste -sd,)" = 'improvement,inconclusive,no change,not comparable,regression' ]
	as_schema ./*.json
	for spoil in 'del(.verdict)' '.verdict = "better"' '.a.from = "today"' 'del(.a.file)' '.measures[0].a = "1"' \
		'.measures[0].measure = "joy"' '.moved[0].by = 1' '.moved[0].surprise = 1' '.why_not = [1]' '.schema = "1"'; do
		jq -c "$spoil" b.json >bad.json
		[ -n "$(jq -rf "$BATS_TEST_DIRNAME/schema.jq" --slurpfile schema schema bad.json)" ] ||
			{ echo "not found: $spoil"; return 1; }
	done
}

@test "a service that was started again is one row: another pid, another id of its container" {
	local before=/system.slice/docker-$(printf '%064x' 7 | tr 0 a).scope after=/system.slice/docker-$(printf '%064x' 9 | tr 0 b).scope
	recording before cgroup="$before"
	recording after seed=2 pid=777 share=0.03 cgroup="$after"
	diff 1 -j before after
	says '[.moved[] | select(.measure == "fallbacks_per_fault" and .by == "process" and .comm == "worker")] | map([.cgroup, .a > 0, .b > .a])' \
		'[["/system.slice/docker-*.scope",true,true]]'
	# of the same path it is that one
	recording same seed=2 pid=777 share=0.03 cgroup="$before"
	diff 1 -j before same
	says '[.moved[] | select(.measure == "fallbacks_per_fault" and .by == "process" and .comm == "worker")] | map(.cgroup)' "[\"$before\"]"
}

@test "without names: measures are compared, and rows not joined by placeholders" {
	recording b seed=2 share=0.03
	recording hidden seed=2 share=0.03 redact=1
	diff 1 -j -l 0 a b
	local measures
	measures=$(jq -c '.measures' <<<"$output")
	says '[.a, .b] | map(.redacted)' '[false,false]'
	# A, B or both without names: the same numbers, and nobody's name
	recording other redact=1
	for pair in 'a hidden false true' 'other b true false' 'other hidden true true'; do
		read -r from to a b <<<"$pair"
		diff 1 -j -l 0 $from $to
		says .measures "$measures"
		says '[.a, .b] | map(.redacted)' "[$a,$b]"
		says '[.moved[] | .comm, .cgroup, .name] | unique' '[null]'
		says '[.moved[] | select(.measure == "fallbacks_per_fault") | [.by, .kind // .reason]]' \
			'[["vma","file"],["vma","heap"],["reason","write_locked"],["reason","anon_vma"]]'
		says '[.moved[] | select(.measure == "wait_ns_per_fault" and .by == "holder") | .context]' '["munmap","handover"]'
	done
	diff 1 other hidden
	[ "${lines[5]}" = 'A and B are without names (vmalock snapshot --redact): areas are joined by their kind, holders by what they did, processes not at all' ]
	[[ $output != *comm-* && $output != *'process '* ]]
	diff 1 a hidden
	[[ ${lines[5]} == 'B is without names '* ]]
}

@test "the same load, another process, twice the traffic: no change, exit 0" {
	recording b seed=2 pid=777 faults=40000
	diff 0 a b
	[ "${lines[0]}" = 'no change: every measure is within 10 %, or too small to matter' ]
	[[ ${lines[1]} == 'A  a: 30 s in 30 intervals, 2026-01-01T00:00:00+00:00 to 2026-01-01T00:00:30+00:00, '*' faults/s' ]]
	[ "${lines[2]}" = '   invented, Linux 7.0.0 x86_64, 4 CPUs, tracepoint backend' ]
	[[ ${lines[3]} == 'B  b: 30 s '* ]]
	# nothing moved, so nothing is explained
	[ "${#lines[@]}" = 11 ]
	diff 0 -j a b
	says .verdict '"no change"'
	says '.moved, .why_not' $'[]\n[]'
	says '[.measures[] | .verdict] | unique' '["no change"]'
}

@test "more fallbacks: regression, exit 1, and who, where and why" {
	recording b seed=2 pid=777 share=0.03
	diff 1 a b
	[[ ${lines[0]} == 'regression: fallbacks per fault +'*' % (+'*' % .. +'*' %), wait per fault +'* ]]
	[[ $output == *'process worker '*'vma     worker file '*'/var/lib/worker/data'*'reason  -      write_locked inferred '* ]]
	diff 1 -j a b
	says .verdict '"regression"'
	says '.measures[0] | .measure, .verdict, .matters' $'"fallbacks_per_fault"\n"regression"\ntrue'
	says '.measures[0] | .change > 0.4 and .change < 0.6 and .low > 0.1 and .low < .change and .change < .high and .p < 0.001' true
	# joined by name: the other pid is the same program, and first of each kind
	says '.moved | map(select(.measure == "fallbacks_per_fault" and .by == "process" and .comm == "worker")) | length' 1
	says '.moved[0] | .by, .comm, .cgroup, (.a < .b), (.share > 0.9 and .share < 1.1)' \
		$'"process"\n"worker"\n"/system.slice/worker.service"\ntrue\ntrue'
	says '[.moved[] | select(.measure == "fallbacks_per_fault" and .by == "vma")][0] | .kind, .name' $'"file"\n"/var/lib/worker/data"'
	says '[.moved[] | select(.measure == "fallbacks_per_fault" and .by == "reason")][0] | .reason, .certainty' \
		$'"write_locked"\n"inferred"'
	says '[.moved[] | select(.measure == "wait_ns_per_fault" and .by == "holder")] | map(.context)' '["munmap","handover"]'
	# processes add up to the change
	says '[.moved[] | select(.measure == "fallbacks_per_fault" and .by == "process") | .share] | add | . > 0.999 and . < 1.001' true
}

@test "the other way round: improvement, exit 0" {
	recording b seed=2 share=0.03
	diff 0 b a
	[[ ${lines[0]} == 'improvement: fallbacks per fault -'* ]]
}

@test "longer holds alone: who held" {
	recording b seed=2 hold=20000
	diff 1 -j a b
	says '[.measures[] | select(.verdict == "regression") | .measure]' \
		'["mmap_read_hold_ns_per_fault","mmap_write_hold_ns_per_fault"]'
	says '[.moved[] | select(.by == "holder")] | map([.comm, .context, .lock])' '[["worker","munmap","mmap_write"]]'
}

@test "what is in B alone has no ratio: new, and absent in JSON" {
	recording idle hold=0
	diff 1 --cgroup /system.slice/worker.service idle a
	[[ ${lines[0]} == 'regression: read hold per fault new, write hold per fault new' ]]
	diff 1 --cgroup /system.slice/worker.service -j idle a
	says '[.measures[] | select(.measure == "mmap_read_hold_ns_per_fault")][0] | .a, .b > 0, .verdict, has("change"), has("low"), has("high")' \
		$'0\ntrue\n"regression"\nfalse\nfalse\nfalse'
	diff 0 --cgroup /system.slice/worker.service a idle
	[[ ${lines[0]} == 'improvement: read hold per fault -100 %, write hold per fault -100 %' ]]
}

@test "the numbers of A and B are those of the recordings" {
	recording b seed=2 share=0.03
	diff 1 -j a b
	says '.a | .intervals, .interval_ns, .lost' $'30\n30000000000\n0'
	says '.a.host' '{"name":"invented","kernel":"7.0.0","machine":"x86_64","cpus":4,"page_size":4096}'
	says '.b | .file, .backend.name, .from, .until' \
		$'"b"\n"tracepoint"\n"2026-01-01T00:00:00.000000000Z"\n"2026-01-01T00:00:30.000000000Z"'
	# per fault times faults is per second times seconds
	says '.b.faults as $f | .measures[] | select(.measure == "fallbacks_per_fault") | (.b * $f - .b_per_second * 30) | fabs < 0.01' true
	says '.b.faults as $f | .measures[] | select(.measure == "wait_ns_per_fault") | (.b * $f / 1e9 - .b_per_second * 30) | fabs < 1e-5' true
	# not known here: absent, not 0
	says '[.measures[] | select(.measure == "vma_write_wait_ns_per_fault")]' '[]'
}

@test "noise: inconclusive, exit 3" {
	recording b seed=2 wild=50
	diff 3 a b
	[[ ${lines[0]} == 'inconclusive: wait per fault '*'('*' % .. '* ]]
}

@test "not comparable: exit 3, and why" {
	recording b seed=2 cpus=8
	diff 3 a b
	[ "${lines[0]}" = 'not comparable: A was made with 4 CPUs, B with 8' ]
	recording fentry seed=2 backend=fentry cpus=8
	diff 3 -j a fentry
	says .why_not '["A was made with 4 CPUs, B with 8","A was made by the tracepoint backend in default detail, B by fentry in default"]'
	says '.verdict, ([.measures[].verdict] | unique), .moved' $'"not comparable"\n["not comparable"]\n[]'
	recording short intervals=5
	diff 3 a short
	[ "${lines[0]}" = 'not comparable: B has 5 intervals with page faults, and 8 are needed' ]
	recording lossy lost=1000
	diff 3 a lossy
	[ "${lines[0]}" = 'not comparable: B lost 30000 events, more than 1 % of its page faults' ]
	recording empty intervals=0
	diff 3 a empty
	[ "${lines[0]}" = 'not comparable: B has no intervals' ]
	[ "${lines[3]}" = 'B  empty: no intervals' ]
	diff 3 -j a empty
	says '.b' '{"file":"empty","intervals":0}'
}

@test "windows of a history" {
	recording h history=1 intervals=60 more=30
	diff 1 --history h --a-until 2026-01-01T00:00:30Z --b-since 2026-01-01T00:00:30Z -j
	says '.verdict, .a.intervals, .b.intervals, .a.until, .b.from' \
		$'"regression"\n30\n30\n"2026-01-01T00:00:30.000000000Z"\n"2026-01-01T00:00:30.000000000Z"'
	diff 0 --history h --a-since @1767225600 --a-until @1767225615 --b-since @1767225615 --b-until @1767225630 -j
	says '.verdict, .a.intervals, .b.intervals' $'"no change"\n15\n15'
	diff 3 --history h --a-until @1767225600 --b-since @1767225615
	[[ ${lines[0]} == 'not comparable: A has no intervals'* ]]
	# of recordings, too
	recording r intervals=60 more=30
	diff 0 r r --b-until @1767225630 --a-until @1767225630
	diff 1 r r --a-until @1767225630 --b-since @1767225630
}

@test "only some processes: -p, --cgroup" {
	recording b seed=2 pid=777 share=0.03
	diff 1 -p 100,777 a b -j
	says '[.moved[].comm] | unique' '[null,"worker"]'
	# who did not change
	diff 0 -p 10 a b -j
	says '.verdict' '"no change"'
	says '.a.faults < 70000' true
	diff 0 --cgroup /system.slice/quiet.service a b
	diff 1 --cgroup /system.slice a b
	# nobody
	diff 3 -p 4242 a b
	[[ ${lines[0]} == 'not comparable: A has 0 intervals with page faults, and 8 are needed'* ]]
}

@test "-l: how many rows" {
	recording b seed=2 share=0.03 comm=other
	diff 1 -j -l 1 a b
	says '[.moved[] | select(.measure == "fallbacks_per_fault") | .by]' '["process","vma","reason"]'
	diff 1 -j -l 0 a b
	says '[.moved[] | select(.measure == "fallbacks_per_fault" and .by == "process")] | length' 3
}

@test "text of processes and files is escaped" {
	recording $'b\e[2J' seed=2 share=0.03 comm=$'\e[31mred\n' cgroup=$'/x/\xff' area=$'/tmp/"<script>'
	diff 1 a $'b\e[2J'
	[[ $output != *$'\e'* ]]
	[[ $output == *'B  b\x1b[2J: '* ]]
	[[ $output == *'\x1b[31mred\x0a'* && $output == *'/x/\xff'* && $output == *'/tmp/"<script>'* ]]
	diff 1 -j a $'b\e[2J'
	says '.b.file' '"b\\x1b[2J"'
	says '[.moved[] | select(.comm == "\\x1b[31mred\\x0a" and .cgroup == "/x/\\xff")] | length > 0' true
	says '[.moved[] | select(.name == "/tmp/\"<script>")] | length > 0' true
}

@test "--bisect: 125 instead of no answer, 128 instead of a failure" {
	recording b seed=2 share=0.03
	recording noisy seed=2 wild=50
	recording other seed=2 cpus=8
	diff 0 --bisect a a
	diff 1 --bisect a b
	diff 0 --bisect b a
	diff 125 --bisect a noisy
	diff 125 a other --bisect
	diff 128 --bisect a missing
	diff 128 a --frobnicate --bisect
	diff 128 -l x a b --bisect
}

@test "what prevents a judgement: exit 2 and one line" {
	recording b seed=2
	diff 2 a missing
	[[ $stderr == 'vmalock diff: '*missing* && -z $output ]]
	echo nonsense >"$BATS_TEST_TMPDIR/text"
	diff 2 text a
	[[ $stderr == 'vmalock diff: '*text* ]]
	while IFS='|' read -r text args; do
		# shellcheck disable=SC2086
		diff 2 $args
		[[ $stderr == 'vmalock diff: '*"$text"* && -z $output ]] || { echo "$args: $stderr"; return 1; }
	done <<-'END'
		Recordings A and B|
		name A and B|a
		no 'c'|a b c
		not both|--history a a b
		is A, and which is B|--history a
		is A, and which is B|--history a --a-since 02:00
		overlap|--history a --a-since -2h --b-since -1h
		ends before|--history a --a-since -1h --a-until -2h --b-since -1h
		--b-until|a b --b-until yesterday
		-p|-p x a b
		--cgroup|--cgroup x a b
		-l|-l -1 a b
	END
	run -2 --separate-stderr bash -c '"$0" diff "$1" "$1" >/dev/full' "$vmalock" "$BATS_TEST_TMPDIR/a"
	[ "${#stderr_lines[@]}" = 1 ] && [[ $stderr == 'vmalock diff: cannot write'* ]]
}

@test "a file of a newer version: exit 4 and one line" {
	recording b
	sqlite3 "$BATS_TEST_TMPDIR/b" 'PRAGMA user_version = 1000'
	diff 4 a b
	[[ $stderr == 'vmalock diff: '*newer* ]]
	diff 128 --bisect a b
}
