#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# bench/run on this kernel: what its parts say, not how much it is.

load lib

setup()
{
	[ -z "$CANNOT" ] || skip "$CANNOT"
	cd "$BATS_TEST_DIRNAME/../.."
}

@test "start: three times, in the JSON that bench/run describes" {
	BUILD=$BUILD run --separate-stderr -0 bench/run -q -j "$BATS_TEST_TMPDIR/json" start
	[[ $output == *"| the first screen of \`vmalocktop\` |"* ]]
	[ "$(jq '.schema == 1 and .quick and (.aims | length > 10) and (.parts | keys == ["start"])
		and (.parts.start | [.exec_ms, .batch_ms, .screen_ms] | all(.n == 3 and .p25 > 0 and .p25 <= .p50 and .p50 <= .p90))' "$BATS_TEST_TMPDIR/json")" = true ] ||
		{ cat "$BATS_TEST_TMPDIR/json"; return 1; }
}

@test "hotpath: every observer has numbers of its rounds, or a reason" {
	cat >"$BATS_TEST_TMPDIR/tool" <<-'END'
		#!/bin/sh
		echo attached
		trap 'echo "counted $HOTPATH_TID"; echo lost some; exit' TERM
		while :; do sleep 0.1; done
	END
	chmod +x "$BATS_TEST_TMPDIR/tool"
	"$BUILD/bench/hotpath" --rounds 2 --faults 512 --with "counts,2,$BATS_TEST_TMPDIR/tool" \
		--with 'refuses,1,echo not here' --with 'silent,1,:' >"$BATS_TEST_TMPDIR/json"
	[ "$(jq '. as $all | ["one_vma", "many_vmas", "mmap_munmap"] as $loads
		| .rounds == 2 and .faults == 512 and ([.observers[] | select(.added_ns) | .added_ns.one_vma | length] | add) == (.bare_ns.one_vma | length)
		and all(.bare_ns[]; all(. > 0))
		and all(.observers[]; if .why then .added_ns == null else .added_ns | keys - $loads == [] and (map(length) | unique | length) == 1 end)
		and (.observers | map({key: .name, value: .}) | from_entries
			| ."empty tracepoint programs".kind == "floor"
			and .tracepoint.kind == "vmalock" and .tracepoint.missed_faults == 0 and (.tracepoint.added_ns.one_vma | length) == 2
			and (.counts.added_ns.one_vma | length) == 1 and .counts.said == "lost some" and (.counts | has("missed_faults"))
			and .refuses.why == "not here" and (.silent.why | endswith("said nothing")))' "$BATS_TEST_TMPDIR/json")" = true ] ||
		{ cat "$BATS_TEST_TMPDIR/json"; return 1; }
}

@test "snapshot and many: threads and areas have rows, of as many as there is room for" {
	program_start many "$BUILD/bench/many" 2 5 20
	program_start snapshot "$BUILD/bench/snapshot" 2 64M
	echo >&"${go_of[many]}"
	until_said many 2
	echo >&"${go_of[snapshot]}"
	until_said snapshot 2
	[ "$(sed -n 2p "$BATS_TEST_TMPDIR/many.out")" = touched ]
	[ "$(sed -n 2p "$BATS_TEST_TMPDIR/snapshot.out" | jq '(.snapshots | length) == 2
		and all(.snapshots[]; .snapshot_ns > 0 and .delta_ns > 0 and .vmas >= 200 and .threads >= 2 and .processes >= 2)')" = true ] ||
		{ cat "$BATS_TEST_TMPDIR/snapshot.out"; return 1; }
}
