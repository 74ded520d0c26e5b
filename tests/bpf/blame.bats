#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# Who is charged for waits, with culprits that are known.  Shares, never times.

load lib

# blamed SCENARIO ARGUMENT...: observes it from before its start to after its end
blamed()
{
	local rc=0
	top_start a -j -d 0.5 -l 0
	window_open a
	"$BUILD/bin/vmalock" load "$@" -j >"$BATS_TEST_TMPDIR/l.report" 2>"$BATS_TEST_TMPDIR/said" || rc=$?
	window_close a
	top_stop a
	[ $rc != 4 ] || skip "$(cat "$BATS_TEST_TMPDIR/said")"
	[ $rc = 0 ] || fail "$1: exit status $rc: $(cat "$BATS_TEST_TMPDIR/said")"
	check_lines a
	all_is_charged
}

# Nothing is waited for any more: what the rows say is what the ledgers say.
all_is_charged()
{
	expect a l 'loss($lines) | [.ledger_healed, .ledger_stale, .ledger_map_full, .blocker_map_full] | all(. == null)' \
		'loss($lines)'
	expect a l 'process_sum($lines; $load.pid; "blamed_ns") == blame($lines; $load.pid)' \
		'[process_sum($lines; $load.pid; "blamed_ns"), blame($lines; $load.pid)]'
	# Who waits for whose lock differs a little: fork and exec take the locks of new address spaces, and
	# a culprit its own, a few hundred ns each: 0.3 to 13 us in all where 0.7 to 48 s were waited for.
	expect a l '(process_sum($lines; $load.pid; "blamed_ns") + process_sum($lines; $load.pid; "unattributed_ns")) as $waits
		| [$load.pid, ($load.culprits // [])[].pid] | unique | total(.[] as $pid | process_sum($lines; $pid; "wait_ns"))
		| . - $waits | fabs <= $waits * 0.001 + 1000000' \
		'[process_sum($lines; $load.pid; "blamed_ns"), process_sum($lines; $load.pid; "unattributed_ns"),
		  process_sum($lines; $load.pid; "wait_ns")]'
	expect a l '[$lines[] | .blockers[] | select(.avoidable_ns > .blamed_ns or .foreign_ns > .blamed_ns)] == []'
	expect a l 'part($lines; $load.pid; true; "hold_ns") == part($lines; $load.pid; true; "on_cpu_ns")
		+ part($lines; $load.pid; true; "runnable_ns") + part($lines; $load.pid; true; "sleep_ns")'
}

@test "convoy: the reader pays for the writer and for all behind it" {
	blamed convoy -t 8 -r 20
	expect a l 'share($lines; $load.pid; .tid == $load.culprits[0].tid and .context == "madvise"
		and .lock == "mmap_read") >= 0.95' '[blockers_of($lines; $load.pid) | {tid, context, lock, blamed_ns}]'
	expect a l 'share($lines; $load.pid; .lock == "mmap_write") <= 0.05'
	# what was waited for was elsewhere, and still nothing is avoidable: a reader changes nothing
	expect a l 'part($lines; $load.pid; .tid == $load.culprits[0].tid; "avoidable_ns") == 0'
	expect a l '[blockers_of($lines; $load.pid) | select(.tid == $load.culprits[0].tid) | .victims] | add >= 8 * 10'
}

@test "convoy: stacks of the holder are those of its code" {
	blamed convoy -t 8 -r 20
	expect a l '[$lines[].stacks[] | select(.tid == $load.culprits[0].tid)] | length > 0
		and all(.[]; .context == "madvise" and .blamed_ns > 0 and .holds > 0
			and (.frames | any(. == "do_madvise" or . == "madvise_unlock" or . == "madvise_populate"))
			and (.frames[0] | startswith("bpf_") | not))' '[$lines[].stacks[]]'
	expect a l '[$lines[].stacks[].frames[] | select(test("0xffff|ffffffff"))] == []'
	expect a l '([$lines[].stacks[] | select(.tid == $load.culprits[0].tid) | .blamed_ns] | add)
		<= blame($lines; $load.pid; .tid == $load.culprits[0].tid)'
}

@test "writers: short holds of many threads, charged to their mprotect" {
	blamed writers -t 4 -w 4 -r 200
	expect a l 'share($lines; $load.pid; .context == "mprotect" and .lock == "mmap_write") >= 0.8' \
		'[blockers_of($lines; $load.pid) | {tid, context, lock, blamed_ns}]'
	# each changes its own page, others wait for other pages
	expect a l 'part($lines; $load.pid; .context == "mprotect"; "avoidable_ns") > 0'
	expect a l '[$load.culprits[].tid] as $tids | share($lines; $load.pid; .context == "mprotect" and (.tid | IN($tids[]))) >= 0.8'
}

@test "bigfork: fork(2) is charged, and its child with nothing of it" {
	blamed bigfork -r 20
	expect a l 'share($lines; $load.pid; .tid == $load.culprits[0].tid and (.context | IN("clone", "fork"))
		and .lock == "mmap_write") >= 0.7' '[blockers_of($lines; $load.pid) | {tid, context, lock, blamed_ns}]'
	# fork copies all mappings: nothing is outside
	expect a l 'part($lines; $load.pid; .context | IN("clone", "fork"); "avoidable_ns") == 0'
}

@test "smaps: the process that reads is charged, not the one that is read" {
	blamed smaps -r 200
	expect a l 'share($lines; $load.pid; .pid == $load.culprits[0].pid and .lock == "mmap_read") >= 0.3' \
		'[blockers_of($lines; $load.pid) | {pid, tid, context, lock, blamed_ns}]'
	expect a l '[blockers_of($lines; $load.pid) | select(.pid == $load.culprits[0].pid) | .context]
		| unique | all(.[]; IN("read", "pread64"))'
	expect a l '[blockers_of($lines; $load.pid) | select(.pid == $load.culprits[0].pid and .blamed_ns > 0) | .target_comm] | unique == ["vmalock"]'
}

@test "starved: the holder was waiting for a CPU" {
	blamed starved -r 5
	expect a l 'share($lines; $load.pid; .tid == $load.culprits[0].tid and .context == "madvise") >= 0.9' \
		'[blockers_of($lines; $load.pid) | {tid, context, lock, blamed_ns}]'
	expect a l 'part($lines; $load.pid; .tid == $load.culprits[0].tid; "runnable_ns")
		>= part($lines; $load.pid; .tid == $load.culprits[0].tid; "hold_ns") * 0.5' \
		'[blockers_of($lines; $load.pid) | {hold_ns, on_cpu_ns, runnable_ns, sleep_ns}]'
}

@test "throttled: the holder had no CPU time left" {
	blamed throttled -r 10
	expect a l 'share($lines; $load.pid; .pid == $load.culprits[0].pid) >= 0.5' \
		'[blockers_of($lines; $load.pid) | {pid, context, lock, blamed_ns}]'
	expect a l 'part($lines; $load.pid; .pid == $load.culprits[0].pid; "runnable_ns")
		>= part($lines; $load.pid; .pid == $load.culprits[0].pid; "hold_ns") * 0.5'
}

@test "pageio: the holder slept" {
	blamed pageio -r 10
	expect a l 'share($lines; $load.pid; .pid == $load.culprits[0].pid and .lock == "mmap_read") >= 0.3' \
		'[blockers_of($lines; $load.pid) | {pid, context, lock, blamed_ns}]'
	expect a l 'part($lines; $load.pid; .pid == $load.culprits[0].pid; "sleep_ns")
		>= part($lines; $load.pid; .pid == $load.culprits[0].pid; "on_cpu_ns")' \
		'[blockers_of($lines; $load.pid) | {hold_ns, on_cpu_ns, runnable_ns, sleep_ns}]'
}

@test "what goes on is charged before it is over, and shown as a stall" {
	local rc=0
	# a hold of 0.2 s is a stall for its second half: shorter intervals end in there
	top_start a -j -d 0.05 -l 0
	load_try l starved -r 3 || rc=$?
	[ $rc != 4 ] || skip "$(cat "$BATS_TEST_TMPDIR/l.err")"
	[ $rc = 0 ]
	window_open a
	load_go l
	window_close a
	load_end l
	top_stop a
	check_lines a
	expect a l '[$lines[].stalls[] | select(.target_pid == $load.pid and .holder_tid == $load.culprits[0].tid)]
		| length > 0 and all(.[]; .wait_ns >= 100000000 and .hold_ns > 0 and .waiters >= 1 and .context == "madvise")' \
		'[$lines[].stalls[]]'
	# a hold that is not over counts as blame, not as a hold
	expect a l '[$lines[] | .blockers[] | select(.tid == $load.culprits[0].tid and .holds == 0 and .blamed_ns > 0)] | length > 0'
}

@test "waits that slept are as long as the kernel says, within 1 %" {
	local load rc
	for load in 'convoy -t 8 -r 20' 'starved -r 3'; do
		top_start a -j -d 0.5 -l 0
		window_open a
		rc=0
		# shellcheck disable=SC2086
		"$BUILD/tests/contention" "$BATS_TEST_TMPDIR/k" "$BUILD/bin/vmalock" load $load -j \
			>"$BATS_TEST_TMPDIR/l.report" 2>"$BATS_TEST_TMPDIR/said" || rc=$?
		[ $rc != 4 ] || skip "$(cat "$BATS_TEST_TMPDIR/said")"
		[ $rc = 0 ] || fail "$load: exit status $rc: $(cat "$BATS_TEST_TMPDIR/said")"
		window_close a
		top_stop a
		jq -c --slurpfile k "$BATS_TEST_TMPDIR/k" '. + {kernel: $k[0]}' "$BATS_TEST_TMPDIR/l.report" >"$BATS_TEST_TMPDIR/both"
		mv "$BATS_TEST_TMPDIR/both" "$BATS_TEST_TMPDIR/l.report"
		expect a l '$load.kernel | .lost == 0 and .missed_runs == 0'
		expect a l '($load.kernel.processes["\($load.pid)"] | .read_wait_ns + .write_wait_ns) as $kernel
			| process_sum($lines; $load.pid; "wait_ns") / $kernel | . > 0.99 and . < 1.01' \
			'[$load.kernel.processes["\($load.pid)"], process_sum($lines; $load.pid; "wait_ns")]'
	done
}

@test "a thousand threads on one lock, and two hundred processes at once" {
	local pids=() i
	blamed shared -t 1000 -w 2 -r 3 --pages 16
	expect a l 'loss($lines) | [.thread_storage, .process_map_full, .lock_slots, .lock_unmatched] | all(. == null)' 'loss($lines)'
	top_start b -j -d 0.5 -l 0
	window_open b
	for i in $(seq 200); do
		"$BUILD/bin/vmalock" load shared -t 2 -w 1 -r 2 --pages 16 -j >"$BATS_TEST_TMPDIR/many.$i" 3>&- &
		pids+=($!)
	done
	wait "${pids[@]}"
	window_close b
	top_stop b
	check_lines b
	jq -s '{pids: map(.pid)}' "$BATS_TEST_TMPDIR"/many.* >"$BATS_TEST_TMPDIR/m.report"
	expect b m '($load.pids | length) == 200 and (loss($lines) | [.ledger_map_full, .ledger_healed, .lock_unmatched] | all(. == null))' \
		'loss($lines)'
	expect b m '[$lines[].processes[] | select(.pid | IN($load.pids[])) | .pid] | unique | length == 200'
	expect b m '([$lines[].totals.blamed_ns] | add) == ([$lines[].blockers[] | select(.lock != "vma_read") | .blamed_ns] | add // 0)' \
		'[([$lines[].totals.blamed_ns] | add), ([$lines[].blockers[] | select(.lock != "vma_read") | .blamed_ns] | add)]'
}

@test "report --folded: the stacks of the holder, as flame graph tools read them" {
	"$BUILD/bin/vmalock" report --folded -t 6 --user-stacks --stacks-over 100us \
		>"$BATS_TEST_TMPDIR/folded" 2>"$BATS_TEST_TMPDIR/said" 3>&- &
	pid_of[report]=$!
	until_true 'the programs of vmalock report' attached "${pid_of[report]}"
	"$BUILD/bin/vmalock" load convoy -t 8 -r 30 >/dev/null
	wait "${pid_of[report]}" || fail "$(cat "$BATS_TEST_TMPDIR/said")"
	unset "pid_of[report]"
	grep -q '^vmalock;.*do_madvise_\[k\].* [1-9][0-9]*$' "$BATS_TEST_TMPDIR/folded" || fail "$(head -n 5 "$BATS_TEST_TMPDIR/folded")"
	# the program's own frames are resolved while it lives
	grep -q '^vmalock;[^;]*madvise;' "$BATS_TEST_TMPDIR/folded" || fail "$(head -n 5 "$BATS_TEST_TMPDIR/folded")"
	! grep -vE '^[^; ]+(;[^; ]+)+ [0-9]+$' "$BATS_TEST_TMPDIR/folded"
}

# Its baseline is taken: the iterator's link is there, and it sleeps.
attached()
{
	ls -l "/proc/$1/fd" 2>/dev/null | grep -q 'bpf.link' && grep -q 'State:.S' "/proc/$1/status"
}

@test "stacks that are not asked for are not taken" {
	top_start a -j -d 0.5 -l 0 --stacks-over off
	window_open a
	"$BUILD/bin/vmalock" load convoy -t 8 -r 10 -j >"$BATS_TEST_TMPDIR/l.report"
	window_close a
	top_stop a
	expect a l 'all($lines[]; has("stacks") | not) and blame($lines; $load.pid) > 0'
	expect a l 'total($lines[] | .self.process_maps_read) == 0'
}

@test "a holder from before the start is not known, and no wait is lost" {
	program_start l "$BUILD/bin/vmalock" load starved -r 40 -j --handshake
	echo go >&"${go_of[l]}"
	sleep 1
	top_start a -j -d 0.3 -l 0
	window_open a
	until_said a $(($(lines a) + 6))
	window_close a
	kill "${pid_of[l]}"
	wait "${pid_of[l]}" || :
	unset "pid_of[l]"
	top_stop a
	jq -n '{}' >"$BATS_TEST_TMPDIR/l.report"
	check_lines a
	expect a l 'loss($lines) | [.ledger_map_full, .blocker_map_full] | all(. == null)' 'loss($lines)'
}

@test "who reads the memory of the observer makes no loss of the observer's own locks" {
	local lost
	top_start a -j -d 0.3 -l 0
	until_said a 1
	head -c 1 "/proc/${pid_of[a]}/cmdline" >"$BATS_TEST_TMPDIR/read"
	[ -s "$BATS_TEST_TMPDIR/read" ]
	until_said a 4
	top_stop a
	lost=$(head -n 4 "$BATS_TEST_TMPDIR/a.out" | jq -s 'map(.loss.ledger_stale) | add')
	[ "$lost" = 0 ] || fail "$lost releases of locks whose holds had been forgotten"
}
