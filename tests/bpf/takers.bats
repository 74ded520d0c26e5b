#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# Who takes the mmap_lock of others, waits that are killed, locks that another
# context releases: the cases of docs/blame.md that need a kernel.

load lib

# taken_by HOW CONTEXT LOCK: the taker is charged for its targets' waits, in these words
taken_by()
{
	local rows='[$lines[].blockers[] | select(.pid == $load.pid and (.target_pid | IN($load.targets[])) and .blamed_ns > 0)]'
	observe_program l "$BUILD/tests/takers" "$1"
	# several targets, one after another: each has its own rows
	expect a l "$rows | map(.target_pid) | unique | length >= 2" "$rows"
	equal a l "$rows | map([.context, .lock, .target_comm]) | unique" "[[\"$2\", \"$3\", \"takers\"]]"
	expect a l "$rows | map(.victims) | add > 0" "$rows"
	expect a l 'loss($lines) | [.lock_unmatched, .ledger_healed, .ledger_stale] | all(. == null)' 'loss($lines)'
}

@test "process_vm_readv: who reads is charged, by the call, for the lock of its target" {
	taken_by readv process_vm_readv mmap_read
}

@test "ptrace: the tracer is charged" {
	taken_by ptrace ptrace mmap_read
}

@test "userfaultfd: a monitor in another process is charged for what its ioctls hold" {
	taken_by userfaultfd ioctl mmap_write
}

@test "a blocker whose thread ended is shown as that, once, while its process goes on" {
	observe_program l "$BUILD/tests/takers" thread
	local rows='[$lines[].blockers[] | select(.tid == $load.culprits[0].tid)]'
	# rows about targets that are gone went before; a row stays for one line more, without a change
	expect a l "$rows | group_by([.target_pid, .context, .lock]) | map(map(.exited // false))
		| any(.[]; any) and all(.[]; map(select(.)) | length <= 1)" "$rows"
	equal a l '[of($lines; "processes"; $load.pid) | select(.exited)]' '[]'
}

# How many rows the map of blockers has for the lock of these processes.
blockers_of_targets()
{
	local id
	for id in $(sed -n 's/^map_id:[[:space:]]*//p' "/proc/${pid_of[a]}"/fdinfo/*); do
		[ "$(bpftool -j map show id "$id" | jq -r .name)" = blockers ] || continue
		bpftool -j map dump id "$id" | jq --slurpfile of "$BATS_TEST_TMPDIR/targets" \
			'[.[].formatted.key.target.pid | select(IN($of[0][]))] | length'
		return
	done
	fail "${pid_of[a]} has no map of blockers"
}

none_is_left()
{
	[ "$(blockers_of_targets)" = 0 ]
}

@test "a blocker that goes on keeps no rows of processes that are gone" {
	top_start a -j -d 0.3 -l 0
	program_start l "$BUILD/tests/takers" readv
	window_open a
	load_go l
	# the taker lives on until it is told to end
	window_close a
	jq -c -n --slurpfile lines "$BATS_TEST_TMPDIR/a.window" --argjson pid "${pid_of[l]}" \
		'[$lines[].blockers[] | select(.pid == $pid and .target_pid != $pid) | .target_pid] | unique' >"$BATS_TEST_TMPDIR/targets"
	[ "$(jq length "$BATS_TEST_TMPDIR/targets")" -ge 2 ] || fail "$(cat "$BATS_TEST_TMPDIR/targets")"
	until_true 'the end of rows of dead targets' none_is_left
	kill -0 "${pid_of[l]}"
	load_end l
	top_stop a
}

@test "waits that are killed end, and are charged" {
	observe_program l "$BUILD/tests/takers" kill
	targets='[$lines[].processes[] | select(.pid | IN($load.targets[]))]'
	expect a l "$targets | [.[] | select(.exited) | .pid] | unique | length == (\$load.targets | length)"
	expect a l "$targets | total(.[].lock_failed) >= 1" "$targets | map({pid, lock_failed})"
	expect a l "$targets"' | total(.[] | .blamed_ns + .unattributed_ns) as $charged | total(.[].wait_ns)
		| $charged > 0 and . <= $charged * 1.01 and . >= $charged * 0.99' "$targets"
	expect a l 'loss($lines) | [.lock_unmatched, .ledger_healed, .ledger_stale] | all(. == null)' 'loss($lines)'
	# nothing of them goes on
	equal a l '[$lines[-1].stalls[] | select(.target_pid | IN($load.targets[]))]' '[]'
}

@test "a process that did nothing has a row when another one takes its lock" {
	observe_program l "$BUILD/tests/takers" sleep
	expect a l '[$lines[].processes[] | select(.pid == $load.targets[0])]
		| length > 0 and all(.[]; .comm == "takers" and .faults == 0)
		and total(.[] | .blamed_ns + .unattributed_ns) > 0' '[$lines[].processes[] | select(.pid == $load.targets[0])]'
}

@test "a lock that another context releases leaves nobody waiting or holding" {
	observe_program l "$BUILD/tests/nonowner"
	expect a l '$load.stacks > 100'
	# what it is told by
	expect a l 'loss($lines) | (.lock_unmatched // 0) > 0' 'loss($lines)'
	# a wait that never ended would be a stall by now, a hold that never ended has blame and no end
	equal a l '[$lines[-1].stalls[] | select(.target_pid == $load.pid)]' '[]'
	equal a l '[$lines[-1].blockers[] | select(.target_pid == $load.pid and .blamed_ns > 0 and .holds == 0)]' '[]'
}
