#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# The hooks on every fault for a part of the time, or not at all: what is exact then, what is
# extrapolated and says so, and what is not there.

load lib

# duty_start STEP: lines of build/tests/duty in file a, at that step from the first one on
duty_start()
{
	program_start a "$BUILD/tests/duty" 0.5
	duty_say "$1"
}

# duty_say COMMAND: done when it is
duty_say()
{
	local n
	n=$(grep -c "^$1: " "$BATS_TEST_TMPDIR/a.err" || :)
	echo "$1" >&"${go_of[a]}"
	until_true "the answer to $1" duty_answered "$1" "$n"
	[ "$(tail -n 1 "$BATS_TEST_TMPDIR/a.err")" = "$1: ok" ] || fail "$(tail -n 1 "$BATS_TEST_TMPDIR/a.err")"
}

duty_answered()
{
	[ "$(grep -c "^$1: " "$BATS_TEST_TMPDIR/a.err")" -gt "$2" ]
}

# duty_observe NAME SCENARIO...: one load, from before it to after it
duty_observe()
{
	local name=$1
	shift
	load_start "$name" "$@"
	window_open a
	load_go "$name"
	window_close a
	load_end "$name"
}

# duty_compare NAME SCENARIO...: the same of a and truth, from before its process begins until it is
# gone: what was held is counted then, also of its beginning
duty_compare()
{
	local name=$1 pages
	shift
	window_open a
	window_open truth
	load_start "$name" "$@"
	load_go "$name"
	load_end "$name"
	window_close a
	window_close truth
	check_known "$name"
	equal a "$name" '[of($lines; "processes"; $load.pid) | select(.exited)] | last | .exited' true
	# execve(2) has pages of the new stack, those of the environment, by get_user_pages(), which only tasks count
	pages=$(($(env | wc -c) / $(getconf PAGESIZE) + 16))
	expect a "$name" "process_sum(\$lines; \$load.pid; \"faults\")
			- $(ask truth "$name" 'process_sum($lines; $load.pid; "faults")') | . >= 0 and . <= $pages" \
		"[process_sum(\$lines; \$load.pid; \"faults\"), $(ask truth "$name" 'process_sum($lines; $load.pid; "faults")')]"
	equal a "$name" 'thread_sum($lines; $load.pid; "faults")' 'process_sum($lines; $load.pid; "faults")'
	expect a "$name" 'attached($lines) | . > 0 and . < 1' '[$lines[].backend.duty]'
}

# duty_truth: lines of a program whose hooks stay, each about as long as those of 1/4 are attached
duty_truth()
{
	top_start truth -j -d 0.25 -l 0
}

# check_estimate NAME KEY: what a extrapolated is what truth counted, but for what sampling allows
check_estimate()
{
	local f answer
	f=$(ask a "$1" 'attached($lines)')
	answer=$(jq -c -n -L "$BATS_TEST_DIRNAME" --slurpfile lines "$BATS_TEST_TMPDIR/a.window" \
		--slurpfile truth "$BATS_TEST_TMPDIR/truth.window" --slurpfile loads "$BATS_TEST_TMPDIR/$1.report" \
		--argjson f "$f" --arg key "$2" 'include "questions"; $loads[0].pid as $pid
			| process_sum($truth; $pid; $key) as $is | process_sum($lines; $pid; $key) as $says
			| sampling_error($truth; $pid; $key; $f) as $error
			| {$f, $says, $is, $error, faults: $loads[0].faults.total, ok: ($says - $is | fabs <= $error)}')
	echo "$1 $2: $answer"
	[ "$(jq .ok <<<"$answer")" = true ]
}

# duty_line QUERY: is it true of the newest line?
duty_line()
{
	tail -n 1 "$BATS_TEST_TMPDIR/a.out" | jq -e "$1" >/dev/null
}

# what must hold in every line where outcomes are known
check_known()
{
	check_lines a
	equal a "$1" '[$lines[].backend.unknown_faults] | unique' '[0]'
}

@test "off: faults are those of getrusage, by process and thread; outcomes and areas are not there" {
	duty_start off
	duty_observe l faults -t 4 -r 50 --pages 100
	equal a l '[$lines[].backend | {duty, duty_step}] | unique' '[{"duty": 0, "duty_step": "off"}]'
	equal a l 'process_sum($lines; $load.pid; "faults")' '$load.faults.total'
	equal a l 'thread_sum($lines; $load.pid; "faults")' '$load.faults.total'
	equal a l '[of($lines; "threads"; $load.pid)] | group_by(.tid) | map(map(.faults) | add) | sort' '[0, 5000, 5000, 5000, 5000]'
	# of the lines in which anybody faulted
	expect a l '[$lines[] | select(.backend.unknown_faults > 0)] | length > 0'
	equal a l '[$lines[] | select(.backend.unknown_faults > 0) | (.totals, .processes[], .threads[]) | keys[]]
		| map(select(. == ("hits", "fallbacks", "bypasses", "aborts", "retries", "faults_user", "faults_kernel"))) | unique' '[]'
	equal a l '[$lines[] | select(.backend.unknown_faults > 0) | .vmas[] | has("faults")] | unique | map(select(.))' '[]'
	equal a l '[$lines[] | select(.backend.unknown_faults > 0) | has("reasons")] | unique' '[false]'
	equal a l 'total($lines[].backend.extrapolated_faults)' 0
}

@test "off: waits, holds and blame are there, and add up" {
	duty_start off
	duty_observe l shared -t 4 -w 1 -r 300 --pages 100
	expect a l 'process_sum($lines; $load.pid; "faults") == $load.faults.total' 'process_sum($lines; $load.pid; "faults")'
	expect a l 'process_sum($lines; $load.pid; "mmap_read_wait_ns") > 0'
	expect a l 'process_sum($lines; $load.pid; "mmap_write_hold_ns") > 0'
	equal a l 'total($lines[].totals.wait_ns)' 'total($lines[].totals | .blamed_ns + .unattributed_ns)'
	equal a l '[$lines[].self.ledger_error_ns] | unique' '[0]'
	# a fault that was not seen to begin is no loss, and is given no reason
	equal a l 'loss($lines) | [.fault_unseen, .kernel_fault_unserved, .lock_unmatched]' '[null, null, null]'
	equal a l '[$lines[] | select(.backend.unknown_faults > 0) | has("reasons")] | unique' '[false]'
}

@test "1/4: extrapolated faults are those of getrusage, and are marked" {
	duty_start 1/4
	duty_truth
	duty_compare l faults -t 2 --seconds 6
	expect a l 'total($lines[].backend.extrapolated_faults) > 0'
	equal a l '[$lines[].backend | select(.duty < 1) | .exact | select(.)] | length' 0
	check_estimate l hits
	# its areas get their shares of what it gets, of the same samples
	equal a l 'vma_sum($lines; $load.pid; "faults") <= process_sum($lines; $load.pid; "faults")' true
	equal a l 'vma_sum($lines; $load.pid; "faults") > process_sum($lines; $load.pid; "faults") / 2' true
}

@test "1/4: faults in kernel mode, extrapolated as such; their reason is not called exact" {
	duty_start 1/4
	duty_truth
	duty_compare l kernel -t 1 --seconds 5
	check_estimate l bypasses
	equal a l 'reason_sum($lines; $load.pid; "kernel_mode")' 'process_sum($lines; $load.pid; "bypasses")'
	# those that were not seen are inferred; a line with the hooks always there has none of them
	expect a l 'total(of($lines; "reasons"; $load.pid) | select(.reason == "kernel_mode" and .certainty == "inferred") | .count) > 0' \
		'[of($lines; "reasons"; $load.pid)]'
	equal a l 'loss($lines).kernel_fault_unserved' null
}

@test "the share of fallbacks at 1/4 is that of the same load seen whole, and nothing stale is counted" {
	duty_start 1/4
	duty_truth
	duty_compare m shared -t 2 -w 1 --seconds 8
	expect truth m 'process_sum($lines; $load.pid; "fallbacks") > 0'
	check_estimate m fallbacks
	equal a m 'loss($lines) | [.fault_unseen, .kernel_fault_unserved]' '[null, null]'
}

@test "a process that ends before enough of it was seen: every fault is counted, once, and marked" {
	duty_start 1/16
	duty_observe l fork -r 20 --pages 50
	check_known l
	equal a l '$load.children | map([.pid, .faults.total]) | sort' \
		'[$load.children[].pid] as $p | [$lines[].processes[] | select(.pid as $q | $p | index($q))]
			| group_by(.pid) | map([.[0].pid, (map(.faults) | add)]) | sort'
	expect a l 'total($lines[].backend.borrowed_faults) > 0'
	equal a l '[$lines[].backend | select(.borrowed_faults > .extrapolated_faults)] | length' 0
}

@test "what a fault costs is measured again, with the hooks away and back: no count is lost" {
	program_start a "$BUILD/tests/duty" 0.5 1
	load_start l faults -t 2 --seconds 6
	window_open a
	load_go l
	window_close a
	load_end l
	check_known l
	expect a l 'total($lines[].self.bpf_calibrations) > 1' '[$lines[].self.bpf_calibrations]'
	# five times away in each; the step is 1 all the time
	equal a l '[$lines[].backend.duty_step] | unique' '["1"]'
	equal a l '[$lines[] | select(.self.bpf_calibrations > 0 and .backend.duty >= 1)] | length' 0
	equal a l '[$lines[] | select(.self.bpf_calibrations == 0 and .backend.duty < 1)] | length' 0
	# its own faults, of ten samples each: half of them seen
	expect a l "process_sum(\$lines; ${pid_of[a]}; \"faults\") >= total(\$lines[].self.bpf_calibrations) * 5 * 32 * 64"
	equal a l '[$lines[].backend.held_faults] | unique' '[0]'
	expect a l '[$lines[].self | select(.bpf_cost_ns == null or .bpf_cost_ns <= 0)] == []' '[$lines[].self.bpf_cost_ns]'
	# when the hooks go or come a thread may be in a fault that only one of both counts has
	expect a l 'process_sum($lines; $load.pid; "faults") - $load.faults.total | fabs
		<= 2 * 10 * total($lines[].self.bpf_calibrations)' \
		'[process_sum($lines; $load.pid; "faults"), $load.faults.total, total($lines[].self.bpf_calibrations)]'
}

@test "back to 1: everything is exact again, to the unit" {
	duty_start off
	duty_observe l shared -t 2 -r 50 --pages 100
	duty_say 1/8
	duty_observe m faults -t 2 --seconds 2
	duty_say 1
	duty_observe n shared -t 4 -w 1 -r 200 --pages 100
	check_known n
	equal a n '[$lines[].backend | {duty, duty_step, extrapolated_faults}] | unique' \
		'[{"duty": 1, "duty_step": "1", "extrapolated_faults": 0}]'
	for key in process_sum thread_sum vma_sum; do
		equal a n "$key(\$lines; \$load.pid; \"faults\")" '$load.faults.total'
	done
	equal a n 'total(of($lines; "reasons"; $load.pid).count)' 'process_sum($lines; $load.pid; "fallbacks")'
}

@test "threads that were idle before the hooks went away are counted, too" {
	program_start a "$BUILD/tests/duty" 0.5
	load_start l faults -t 3 -r 20 --pages 100
	until_said a $(($(lines a) + 2))
	duty_say off
	window_open a
	load_go l
	window_close a
	load_end l
	equal a l 'thread_sum($lines; $load.pid; "faults")' '3 * 20 * 100'
}

@test "processes that come and go while the hooks are away: every fault of theirs" {
	duty_start off
	duty_observe l fork -r 40 --pages 50
	equal a l '$load.children | length' 40
	expect a l 'total($load.children[].faults.total) > 40 * 50'
	equal a l '$load.children | map([.pid, .faults.total]) | sort' \
		'[$load.children[].pid] as $p | [$lines[].processes[] | select(.pid as $q | $p | index($q))]
			| group_by(.pid) | map([.[0].pid, (map(.faults) | add)]) | sort'
}

@test "the hooks come back when all capabilities are gone" {
	duty_start 1
	duty_say drop
	duty_say off
	duty_say 1
	duty_observe l faults -t 2 -r 50 --pages 100
	equal a l '[$lines[].backend.duty] | unique' '[1]'
	equal a l 'process_sum($lines; $load.pid; "hits") >= 9990' true
	equal a l 'process_sum($lines; $load.pid; "faults")' '$load.faults.total'
	equal a l 'loss($lines).hooks_not_attached' null
	# and go and come again and again
	duty_say 1/2
	until_true "hooks that are away" duty_line '.backend.duty < 1'
	until_true "hooks that are back" duty_line '.backend.duty > 0'
	until_true "hooks that are away again" duty_line '.backend.duty < 1'
	duty_say 1
	until_true "hooks that stay" duty_line '.backend.duty == 1'
	duty_observe n faults -t 2 -r 50 --pages 100
	equal a n 'loss($lines).hooks_not_attached' null
	equal a n 'process_sum($lines; $load.pid; "faults")' '$load.faults.total'
}

@test "--max-overhead: the guard takes the hooks away by itself, and says so" {
	top_start a -j -d 0.5 -l 0 --max-overhead 0.01
	duty_line '.backend.duty_step == "1"'
	load_start l faults -t 2 --seconds 10
	window_open a
	load_go l
	until_true "a guard that says off" duty_line '.backend.duty_step == "off" and .backend.duty == 0'
	window_close a
	load_end l
	# at a change of the step a thread is in a fault that only one of both counts has
	expect a l 'process_sum($lines; $load.pid; "faults") - $load.faults.total | fabs
			<= 2 * ([$lines[].backend.duty_step] | unique | length)' \
		'[process_sum($lines; $load.pid; "faults"), $load.faults.total, [$lines[].backend.duty_step]]'
	expect a l '$lines[0].self.bpf_cost_ns > 0'
}
