#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# What bench/run computes and prints; that it runs with BPF programs is in tests/bpf/bench.bats.

bats_require_minimum_version 1.5.0

setup()
{
	cd "$BATS_TEST_DIRNAME/../.."
	command -v jq >/dev/null || skip "jq is not installed: what bench/run computes is not covered"
}

# is QUERY: true with the functions of bench/
is()
{
	[ "$(jq -n -L bench "include \"stats\"; $1")" = true ] || { jq -cn -L bench "include \"stats\"; $1"; return 1; }
}

@test "quantiles are interpolated, of nothing there are none" {
	is '[4, 1, 3, 2] | spread == {n: 4, p25: 1.75, p50: 2.5, p75: 3.25}'
	is '[7] | spread == {n: 1, p25: 7, p50: 7, p75: 7}'
	is '[] | quantile(0.5) == null'
	is '[range(101)] | [quantile(0), quantile(0.99), quantile(1)] == [0, 99, 100]'
}

@test "a line through sizes, and the power with which they grow" {
	is '[[100, 12], [1000, 102], [10000, 1002]] | fit | .points == 3 and (.slope * 1e9 | round) == 1e8 and (.intercept * 1e6 | round) == 2e6
		and .r2 > 0.999999 and .exponent < 1 and .exponent > 0.98'
	is '[[10, 100], [100, 10000]] | fit | (.exponent * 1e6 | round) == 2e6'
	# what was not measured is no point
	is '[[1, 5], [2, null], [null, 3]] | fit == null'
	is '[[1, 5], [2, 5], [3, null]] | fit | .points == 2 and .slope == 0'
}

# what bench/run has before the aims
results()
{
	cat <<-'END'
		{"schema": 1, "time": "2026-01-02T03:04:05Z", "seconds": 1, "sources": "abc", "quick": false, "load": 0,
		 "host": {"kernel": "6.18", "machine": "x86_64", "model": "any", "cpus": 2, "memory_mb": 100},
		 "instructions": {"why": "not run"},
		 "parts": {
		  "hotpath": {"rounds": 1, "faults": 512, "vmas": 256, "cpu": 0, "others": 0,
		   "bare_ns": {"one_vma": {"n": 1, "p25": 1000, "p50": 1000, "p75": 1000}},
		   "observers": [
		    {"name": "empty tracepoint programs", "kind": "floor", "added_ns": {"one_vma": {"n": 1, "p25": 40, "p50": 40, "p75": 40}}},
		    {"name": "tracepoint", "kind": "vmalock", "missed_faults": 0, "added_ns": {"one_vma": {"n": 1, "p25": 50, "p50": 50, "p75": 50}}},
		    {"name": "fentry", "kind": "vmalock", "why": "refused | `x`"},
		    {"name": "bpftrace", "kind": "tool", "missed_faults": 3, "added_ns": {"one_vma": {"n": 1, "p25": 80, "p50": 80, "p75": 80}}},
		    {"name": "perf record", "kind": "tool", "why": "not installed"}]},
		  "duty": {"why": "it failed"},
		  "size": {"programs": [{"name": "vmalocktop", "bytes": 3000000, "stripped_bytes": 1500000},
		   {"name": "vmalockd", "bytes": 3000000, "stripped_bytes": 1500001}]}}}
	END
}

@test "aims are met, missed, or not measured, and that is said" {
	results | jq -L bench 'include "aims"; aims' >"$BATS_TEST_TMPDIR/aims"
	met()
	{
		[ "$(jq -c --arg aim "$1" '.[] | select(.aim == $aim) | [.value, .met]' "$BATS_TEST_TMPDIR/aims")" = "$2" ] ||
			{ jq -c --arg aim "$1" '.[] | select(.aim | startswith($aim))' "$BATS_TEST_TMPDIR/aims"; return 1; }
	}
	met 'fault in one area, `tracepoint`: to the empty programs' '[1.25,true]'
	met 'fault in one area, `tracepoint`: to bpftrace' '[0.625,false]'
	met 'fault in one area, `tracepoint`: to perf record' '[null,null]'
	met 'least duty: added to such a fault' '[null,null]'
	met 'vmalocktop, stripped' '[1.5,true]'
	met 'vmalockd, stripped' '[1.500001,false]'
	met 'vmalock, stripped' '[null,null]'
	# each once, and without a value there is a reason
	[ "$(jq '(map(.aim) | length == (unique | length)) and all(.[]; (.why == null) == (.met != null))' "$BATS_TEST_TMPDIR/aims")" = true ]
}

@test "the tables have what could not be measured, too" {
	results | jq -L bench 'include "aims"; .aims = aims' | jq -r -L bench 'include "tables"; tables' >"$BATS_TEST_TMPDIR/tables"
	has()
	{
		grep -qxF -- "$1" "$BATS_TEST_TMPDIR/tables" || { cat "$BATS_TEST_TMPDIR/tables"; return 1; }
	}
	has '| (without) | 1000 (1000..1000) | - | - |'
	has '| vmalock, `tracepoint` | 50 (50..50) | - | - |'
	has '| vmalock, `fentry` | does not run here: refused x  |  |  |'
	has '| bpftrace, did not count 3 faults | 80 (80..80) | - | - |'
	has '| perf record | does not run here: not installed |  |  |'
	has '| empty tracepoint programs | 1.25 | - | - |'
	has '| fault in one area, `tracepoint`: to bpftrace | 0.5 times | 0.63 times | **missed** |'
	has 'Not measured: it failed'
	has 'Instructions of a fault, in emulation: not run.'
}

@test "the table of instructions is read back" {
	sed -n '/instructions: begin/,/instructions: end/p' docs/cost.md | jq -R -s --arg sources s --arg kernel k -f bench/instructions.jq >"$BATS_TEST_TMPDIR/json"
	[ "$(jq -c '[.sources, .kernel, (.observers | length), (.observers[0].added | keys | length)]' "$BATS_TEST_TMPDIR/json")" = '["s","k",9,5]' ]
	grep -qF "| empty tracepoint program | $(jq '.observers[0].added["one area"]' "$BATS_TEST_TMPDIR/json") |" docs/cost.md
}

@test "sizes, without root: JSON, tables, and the block of a document" {
	printf 'before\n<!-- bench: begin -->\nold\n<!-- bench: end -->\nafter\n' >"$BATS_TEST_TMPDIR/doc"
	run --separate-stderr -0 bench/run -q -j "$BATS_TEST_TMPDIR/json" -d "$BATS_TEST_TMPDIR/doc" size
	[ "$(sed -n '2p;$p' "$BATS_TEST_TMPDIR/doc" | paste -sd ' ')" = '<!-- bench: begin --> after' ]
	[ "$(sed '1,2d' "$BATS_TEST_TMPDIR/doc" | head -n -2)" = "$output" ]
	! grep -q old "$BATS_TEST_TMPDIR/doc"
	[ "$(jq -c keys "$BATS_TEST_TMPDIR/json")" = '["aims","host","instructions","load","parts","quick","schema","seconds","sources","time"]' ]
	[ "$(jq -c '.parts | keys' "$BATS_TEST_TMPDIR/json")" = '["size"]' ]
	[ "$(jq -c '[.parts.size.programs[] | select(.stripped_bytes > 0 and .stripped_bytes < .bytes) | .name]' "$BATS_TEST_TMPDIR/json")" = \
		'["vmalocktop","vmalockd","vmalock"]' ]
}

@test "the document of make bench has the lines for its block" {
	grep -qx "<!-- bench: begin -->" docs/bench.md
	grep -qx "<!-- bench: end -->" docs/bench.md
	grep -q "bench/run .*-d docs/bench.md" Makefile
}

@test "wrong usage ends with 2 and says why" {
	run -2 bench/run nothing
	[[ $output == *"there is no part 'nothing'"* ]]
	run -2 bench/run -d /dev/null size
	[[ $output == *"/dev/null has no lines for the block"* ]]
	run -2 bench/observer nothing
	[[ $output == "usage: bench/observer "* ]]
}
