#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# vmalock diagnose on recordings; no root needed.

load lib

setup()
{
	for kind in foreign healthy little nothing mappings unlimited calmed; do
		"$BUILD/tests/recorded" "$BATS_TEST_TMPDIR/$kind" $kind
	done
	cd "$BATS_TEST_TMPDIR"
}

diagnose()
{
	local status=$1
	shift
	run "-$status" --separate-stderr "$BUILD/bin/vmalock" diagnose "$@"
}

one_line()
{
	complains "vmalock diagnose: " "$1"
}

@test "a finding in JSON" {
	diagnose 0 -j foreign
	says '[.conclusive, .interval_ns, .backend]' '[true,5000000000,"tracepoint"]'
	says '[.findings[] | [.name, .confidence, .negative]]' '[["foreign_reader","high",false]]'
	says '.findings[0] | [.blocked_ns, .culprits, .process.pid, .process.comm]' '[4000000000,1,1200,"db"]'
	says '.findings[0].blockers | [.[] | [.pid, .tid, .context, .lock, .holds, .hold_ns, .blamed_ns]]' \
		'[[991,991,"pread64","mmap_read",20,1000000000,4000000000]]'
	says '.findings[0] | (.evidence | length >= 3) and (.do != "") and (.then | test("800ms"))' true
	says '[.not_judged[].name] | index("reclaim") != null and index("hot_area") != null and index("elsewhere") != null' true
}

@test "-j is what vmalock schema diagnose says: findings, none, nothing to go by" {
	"$BUILD/bin/vmalock" schema diagnose >schema.json
	for kind in foreign healthy little mappings unlimited calmed; do
		"$BUILD/bin/vmalock" diagnose -j $kind >$kind.json
	done
	"$BUILD/bin/vmalock" diagnose -j -p 4711 foreign >nobody.json
	[ "$(jq -c '[.conclusive, .findings]' nobody.json)" = '[false,[]]' ]
	run -0 jq -rf "$BATS_TEST_DIRNAME/schema.jq" --slurpfile schema schema.json ./[!s]*.json
	[ -z "$output" ] || { echo "$output"; return 1; }
	for spoil in 'del(.findings)' '.findings[0].name = "joy"' '.findings[0].confidence = "none"' 'del(.findings[0].do)' \
		'.findings[0].process.pid = "1"' 'del(.findings[0].blockers[0].pid)' '.findings[0].evidence = [1]' \
		'.not_judged[0].name = "healthy"' '.surprise = 1' '.interval_ns = -1'; do
		jq -c "$spoil" foreign.json >bad.json
		[ -n "$(jq -rf "$BATS_TEST_DIRNAME/schema.jq" --slurpfile schema schema.json bad.json)" ] ||
			{ echo "not found: $spoil"; return 1; }
	done
}

@test "windows of a recording and of a history" {
	# five seconds of it, then five that are healthy; @1795001000 is the end of the first
	diagnose 0 -j calmed --until @1795001004
	says '[.interval_ns, .findings[0].name]' '[5000000000,"foreign_reader"]'
	diagnose 0 -j calmed --since @1795001004
	says '[.interval_ns, [.findings[].name]]' '[5000000000,["healthy"]]'
	diagnose 0 -j calmed --since @1795001002 --until @1795001006
	says '[.interval_ns, .findings[0].blocked_ns]' '[4000000000,1600000000]'
	diagnose 0 -j foreign --since @1795001003
	says '[.interval_ns, .findings[0].blocked_ns]' '[1000000000,800000000]'
	diagnose 1 --fail-on high calmed --until @1795001004
	diagnose 0 --fail-on low calmed --since @1795001004
	diagnose 3 foreign --since @1795002000
	one_line "nothing of that time: it is from 2026-"
	diagnose 2 foreign --since @1795002000 --until @1795001000
	one_line "--since must be before"
	diagnose 2 foreign --until yesterday
	one_line --until
	diagnose 2 --since -10m -t 3
	one_line "--since and --until"
	diagnose 2 --since -10m --connect
	one_line "--since and --until"
	# without FILE it is the history, which need not be there
	[ -e /var/lib/vmalock/history.db ] || diagnose 2 --since -10m
	[ -e /var/lib/vmalock/history.db ] || one_line /var/lib/vmalock/history.db
}

@test "mappings near the limit of the host that was recorded" {
	diagnose 0 -j mappings
	says '[.findings[0] | .name, .confidence, .process.pid]' '["mapping_limit","high",1200]'
	says '.findings[0].evidence[0] | test("92 %")' true
	says '[.not_judged[].name] | index("mapping_limit")' null
	# the limit was not recorded: it is not that of this host
	diagnose 0 -j unlimited
	says '[.findings[].name] | index("mapping_limit")' null
	says '[.not_judged[] | select(.name == "mapping_limit") | .needs]' '["mappings per process and their limit"]'
	diagnose 0 -j healthy
	says '[.not_judged[] | select(.name == "mapping_limit") | .needs]' '["mappings per process and their limit"]'
	# another limit
	sqlite3 mappings "UPDATE config SET max_mappings = 1000000"
	diagnose 0 -j mappings
	says '[.findings[].name] | index("mapping_limit")' null
}

@test "a recording of a newer version is 4" {
	sqlite3 healthy 'PRAGMA user_version = 1000'
	diagnose 4 healthy
	one_line newer
}

@test "a finding in text; names of others do not write to the terminal" {
	diagnose 0 foreign
	[[ $output == *"1. foreign_reader: "*"(high)"* ]]
	[[ $output == *"   process   db (1200) /db"* ]]
	[[ $output == *"   blocked   800 ms a second"* ]]
	[[ $output == *"another process of /system.slice/agent.service) in pread64, mmap_read: 20 holds, 1.0s in all"* ]]
	[[ $output == *"not judged: reclaim: needs delay accounting"* ]]
	[[ $output != *$'\x1b'* ]]
}

@test "healthy, and a little" {
	diagnose 0 -j healthy
	says '[.findings[] | [.name, .confidence, .negative]]' '[["healthy","high",true]]'
	diagnose 0 -j little
	says '[.findings[] | [.name, .confidence]]' '[["foreign_reader","low"],["healthy","high"]]'
}

@test "--fail-on: 0 nothing, 1 found, 3 nothing can be said" {
	diagnose 1 --fail-on high foreign
	diagnose 1 --fail-on low little
	diagnose 0 --fail-on medium little
	diagnose 0 --fail-on low healthy
	# of another process there is nothing
	diagnose 3 --fail-on low -p 4711 foreign
	diagnose 0 -p 4711 foreign
	diagnose 3 nothing
	one_line "no intervals"
}

@test "-p and --cgroup choose" {
	diagnose 0 -j -p 1200 foreign
	says '[.findings[].name]' '["foreign_reader"]'
	diagnose 0 -j --cgroup /db foreign
	says '[.findings[].name]' '["foreign_reader"]'
	diagnose 0 -j --cgroup /other foreign
	says '[.findings, .conclusive]' '[[],false]'
}

@test "what prevents it is 2, in one line" {
	diagnose 2 there-is-no-such-file
	one_line there-is-no-such-file
	echo no database >text
	diagnose 2 text
	one_line text
	diagnose 2 --fail-on some
	one_line "low, medium or high"
	diagnose 2 foreign healthy
	one_line "one FILE"
	diagnose 2 -t 3 foreign
	one_line "not for a FILE"
	diagnose 2 -t 0
	one_line seconds
	diagnose 2 --cgroup x
	one_line "begins with /"
	diagnose 2 --backend frobnicate
	one_line frobnicate
	[ -w /dev/full ] || skip "no /dev/full"
	# shellcheck disable=SC2016
	run -2 --separate-stderr bash -c '"$@" >/dev/full' - "$BUILD/bin/vmalock" diagnose foreign
	one_line "cannot write"
}

@test "docs/diagnose.md has the table of the rules" {
	diagnose 0 --rules
	[ "${#lines[@]}" -gt 20 ]
	diff <(printf '%s\n' "$output") \
		<(sed -n '/<!-- rules: begin -->/,/<!-- rules: end -->/{/<!--/d;p}' "$BATS_TEST_DIRNAME/../../docs/diagnose.md")
}
