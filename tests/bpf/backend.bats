#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# Which backend runs, and what is said when one cannot.  The backends themselves
# are compared with the kernel's counters in tests/vm.

load lib

# possible NAME: doctor could attach such a program
possible()
{
	"$BUILD/bin/vmalock" doctor -j | jq -e --arg name "$1" 'any(.capabilities[]; .name == $name and .state == "yes")' >/dev/null
}

top()
{
	run --separate-stderr "$BUILD/bin/vmalocktop" -j -n 1 -d 0.2 "$@"
}

@test "auto takes the first backend that works" {
	local want=tracepoint
	! possible kprobe || want=kprobe
	! possible fentry || want=fentry
	top
	[ "$status" = 0 ]
	[ "$(jq -r .backend.name <<<"$output")" = $want ]
	[ "$(jq -r .backend.detail <<<"$output")" = default ]
}

@test "a backend that is asked for runs, or says what is in its way" {
	local name
	for name in fentry kprobe; do
		top --backend $name
		if possible $name; then
			[ "$status" = 0 ]
			[ "$(jq -r .backend.name <<<"$output")" = $name ]
		else
			[ "$status" = 4 ]
			[ -z "$output" ]
			[[ "$stderr" == "vmalocktop: backend $name is not possible here: "*" program "*lock_mm_and_find_vma*": "*. ]]
		fi
	done
	top --backend tracepoint
	[ "$status" = 0 ]
	[ "$(jq -r .backend.name <<<"$output")" = tracepoint ]
}

@test "the tracepoint backend has no exact detail, and knows what it does not see" {
	top --backend tracepoint --detail exact
	[ "$status" = 4 ]
	[[ "$stderr" == *"--detail exact needs the backend fentry or kprobe"* ]]
	top --backend tracepoint
	[ "$(jq -c '.totals | has("hits"), has("aborts"), has("retries"), has("misses")' <<<"$output" | tr '\n' ' ')" = 'true false false false ' ]
	[ "$(jq -c '.backend.capabilities | .outcome, .retry_reason, .lookups, .serve_time' <<<"$output" | tr '\n' ' ')" = 'false false false false ' ]
}

@test "the exact detail runs, or exits 4" {
	top --detail exact
	if possible fentry || possible kprobe; then
		[ "$status" = 0 ]
		[ "$(jq -r .backend.detail <<<"$output")" = exact ]
		jq -e '(.totals | has("aborts") and has("retries")) and has("lookups")' <<<"$output" >/dev/null
	else
		[ "$status" = 4 ]
		[[ "$stderr" == *"--detail exact needs the backend fentry or kprobe. vmalock doctor says what they lack here."* ]]
	fi
}
