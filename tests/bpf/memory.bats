#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# The budget of the maps: more areas than there is room for.

load lib

# touch N: for the Nth time there is a fault in every area, in which nothing happens for a while afterwards
touch_all()
{
	echo >&"${go_of[many]}"
	until_said many $(($1 + 1))
	sleep 2.5
}

@test "areas in which nothing happens make room; no fault is lost; the maps take no more than --memory" {
	local i limit=$((25 << 20))
	top_start a -j -d 0.2 -l 0 --memory 25M
	program_start many "$BUILD/bench/many" 2 2 800
	window_open a
	for i in 1 2 3; do
		touch_all $i
	done
	window_close a
	top_stop a
	check_lines a
	echo '{}' >"$BATS_TEST_TMPDIR/many.report"
	equal a many '[$lines[].self.map_limit_bytes] | unique' "[$limit]"
	# the storage of threads is not in it
	expect a many '[$lines[] | select(.self.map_bytes == null or .self.map_bytes > '"$limit"' + 4096 * (.threads | length))] == []' \
		'[$lines[] | [.self.map_bytes, (.threads | length)]]'
	# 3200 areas, and room for 2800 with those of other processes
	expect a many 'total($lines[].self.evicted_rows) > 200' '[$lines[].self.evicted_rows]'
	expect a many 'loss($lines).vma_map_full > 0' 'loss($lines)'
	# what is in no row is in that of those without one
	expect a many 'def ours: select(.comm == "many");
		([$lines[].processes[] | ours] | map(.pid) | unique) as $pids
		| total($lines[].processes[] | ours | count("faults")) as $all
		| total($lines[].vmas[] | select(.pid as $p | $pids | index($p)) | count("faults")) as $rows
		| total($lines[].vmas[] | select(.pid == 0) | count("faults")) as $none
		| ($pids | length) == 3 and $all >= 3 * 3200 and $rows <= $all and $all <= $rows + $none and $rows > 0' \
		'([$lines[].processes[] | select(.comm == "many").pid] | unique) as $p | [$p,
			([$lines[].processes[] | select(.comm == "many").faults] | add), ([$lines[].vmas[] | select(.pid as $q | $p | index($q)).faults] | add),
			([$lines[].vmas[] | select(.pid == 0).faults] | add)]'
}

none_is_left()
{
	tail -n 1 "$BATS_TEST_TMPDIR/a.out" | jq -e '[.processes[] | select(.comm == "many")] == []' >/dev/null
}

@test "more processes than there is room for: what is in no row of theirs is in that of nobody, once, and none stays" {
	local least
	run "$BUILD/bin/vmalocktop" -j -n 1 --memory 4M
	[[ $output =~ need\ ([0-9]+)\ M ]] || fail "$output"
	least=${BASH_REMATCH[1]}
	top_start a -j -d 0.5 -l 0 --memory "$least"M
	window_open a
	program_start many "$BUILD/bench/many" 700 1 200
	touch_all 1
	kill "${pid_of[many]}"
	wait "${pid_of[many]}" || :
	unset 'pid_of[many]'
	until_true "no row of them" none_is_left # those whose end was not seen stay for more than five seconds
	window_close a
	top_stop a
	check_lines a
	echo '{}' >"$BATS_TEST_TMPDIR/many.report"
	expect a many 'def ours: select(.comm == "many");
		([$lines[].processes[] | ours.pid] | unique | length) as $rows
		| total($lines[].processes[] | select(.pid == 0) | count("faults")) as $none
		| loss($lines).process_map_full > 0 and $rows < 701 and $none >= (701 - $rows) * 200' \
		'[([$lines[].processes[] | select(.comm == "many").pid] | unique | length),
			([$lines[].processes[] | select(.pid == 0).faults // 0] | add), loss($lines)]'
	# the others have ended
	equal a many '[$lines[].processes[] | select(.comm == "many" and .exited).pid] | length' \
		"$(ask a many '[$lines[].processes[] | select(.comm == "many").pid] | unique | length')"
	equal a many '[$lines[-1].processes[] | select(.comm == "many")]' '[]'
}
