#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# Who is who: exec, fork, vfork, a pid used again, hostile names, cgroups, areas.

load lib

@test "execve: each image has a row of its own" {
	observe l exec -r 4 --pages 1000
	equal a l '$load.images' 5
	# image i writes to (i + 1) * 1000 pages, and starting it faults less than 1000 times
	equal a l '[of($lines; "processes"; $load.pid)] | group_by(.exec) | map(map(.faults) | add / 1000 | floor) | sort' '[1, 2, 3, 4, 5]'
	equal a l '[of($lines; "processes"; $load.pid).start_ns] | unique | length' 1
	# so have its areas: each image faults in anonymous memory at most in one place that much
	equal a l '[of($lines; "vmas"; $load.pid) | select(.kind == "anon")] | group_by([.exec, .start])
		| map(map(.faults) | add) | map(select(. >= 1000)) | sort' '[1000, 2000, 3000, 4000, 5000]'
	# the images that were replaced are gone
	equal a l '[of($lines; "processes"; $load.pid) | select(.exited) | .exec] | unique | length' 4
}

@test "execve by another thread than the first: two images, one process" {
	observe_program l "$BUILD/tests/lives" thread-execs
	equal a l '[of($lines; "processes"; $load.pid)] | group_by(.exec) | map(map(.faults) | add / 1000 | floor) | sort' '[1, 2]'
	equal a l '[of($lines; "processes"; $load.pid).start_ns] | unique | length' 1
}

@test "execve by another thread than the first: no thread has the faults of another" {
	observe_program l "$BUILD/tests/lives" thread-execs
	equal a l 'thread_sum($lines; $load.pid; "faults")' 'process_sum($lines; $load.pid; "faults")'
	# 1000 by the one that then had another tid, 2000 by the new image, nothing of the past
	equal a l '[of($lines; "threads"; $load.pid)] | group_by([.exec, .tid]) | map(map(.faults) | add / 1000 | floor) | map(select(. > 0)) | sort' '[1, 2]'
}

@test "a process whose first thread ended is still there, and counted" {
	observe_program l "$BUILD/tests/lives" leader-exits
	equal a l '$load.faults.total' 1000
	equal a l '[process_sum($lines; $load.pid; "faults"), thread_sum($lines; $load.pid; "faults"), vma_sum($lines; $load.pid; "faults")]' \
		'[1000, 1000, 1000]'
	equal a l '[of($lines; "processes"; $load.pid).exited // false] | unique' '[false]'
}

children_have_their_own()
{
	# pid by pid, as wait4(2) said
	equal a l '[$load.children[] | [.pid, .faults.total]] | sort' \
		'[$load.children[].pid] as $pids | [$lines[].processes[] | select(.pid as $p | $pids | index($p))]
		| group_by(.pid) | map([.[0].pid, (map(.faults) | add)]) | sort'
	equal a l 'process_sum($lines; $load.pid; "faults")' '$load.faults.total'
	# each with its own start, later than its parent's, and an end
	equal a l '[$load.children[].pid] as $pids | [$lines[].processes[] | select(.pid as $p | $pids | index($p)) | {pid, start_ns}]
		| unique | length' '$load.children | length'
	equal a l '[$load.children[].pid] as $pids
		| [$lines[].processes[] | select(.exited and (.pid as $p | $pids | index($p))) | .pid] | unique | length' \
		'$load.children | length'
}

@test "fork: children have rows of their own, exact by wait4" {
	observe l fork -t 5 -r 10 --pages 100
	equal a l '$load.children | length' 50
	expect a l '[$load.children[].faults.total] | min >= 100'
	children_have_their_own
}

@test "vfork: a child in the memory of its parent is not its parent" {
	observe l vfork -r 10 --pages 100
	equal a l '$load.children | length' 10
	children_have_their_own
}

@test "a pid that is used again is another process" {
	[ -w /proc/sys/kernel/ns_last_pid ] || skip "no kernel.ns_last_pid here (CONFIG_CHECKPOINT_RESTORE): a pid cannot be chosen"
	observe l pidreuse -r 4 --pages 500
	equal a l '[$load.children[].pid] | unique | length' 1
	# in the order of their starts; a stranger may have had the pid in between
	equal a l '[of($lines; "processes"; $load.children[0].pid) | select(.comm == "vmalock")] | group_by(.start_ns) | map(map(.faults) | add)' \
		'[$load.children[].faults.total]'
}

# each of the loads has a row in the table of b
all_in_b()
{
	local i
	for i in "${!names[@]}"; do
		grep -q "^ *${pid_of[l$i]} " "$BATS_TEST_TMPDIR/b.out" || return
	done
}

@test "names that attack a terminal, JSON or UTF-8 do no harm" {
	local names=($'\e[31mred' $'a"b\\c\'' $'new\nline' $'bad\xff\xfe\x80' $'c1\xc2\x9b31m' $'bidi\xe2\x80\xae' $'tab\tdel\x7f' '<b>&{{x}}')
	local i
	top_start a -j -d 0.5 -l 0
	top_start b -b -d 0.5 -l 0
	for i in "${!names[@]}"; do
		program_start "l$i" "$BUILD/tests/areas" "$BATS_TEST_TMPDIR/file$i" "${names[$i]}"
	done
	window_open a
	for i in "${!names[@]}"; do
		load_go "l$i"
	done
	window_close a
	until_true "all rows in -b" all_in_b
	for i in "${!names[@]}"; do
		load_end "l$i"
	done
	top_stop a
	top_stop b

	for i in "${!names[@]}"; do
		equal a "l$i" 'process_sum($lines; $load.pid; "faults")' '$load.faults.total'
	done
	# as the contract of vml_text_clean() has it
	equal a l0 '[of($lines; "processes"; $load.pid).comm] | unique' '["\\x1b[31mred"]'
	equal a l1 '[of($lines; "processes"; $load.pid).comm] | unique' '["a\"b\\\\c\u0027"]'
	equal a l2 '[of($lines; "processes"; $load.pid).comm] | unique' '["new\\x0aline"]'
	equal a l3 '[of($lines; "processes"; $load.pid).comm] | unique' '["bad\\xff\\xfe\\x80"]'
	equal a l7 '[of($lines; "threads"; $load.pid).comm] | unique' '["<b>&{{x}}"]'
	for out in a b; do
		iconv -f UTF-8 -t UTF-8 "$BATS_TEST_TMPDIR/$out.out" >/dev/null || fail "$out is no UTF-8"
		# C0 but the ends of lines, DEL, C1 (in UTF-8), and U+202E
		run -1 env LC_ALL=C grep -naP '[\x00-\x09\x0b-\x1f\x7f]|\xc2[\x80-\x9f]|\xe2\x80\xae' "$BATS_TEST_TMPDIR/$out.out"
	done
}

@test "areas have the names of /proc/PID/maps, and their faults" {
	local pid file=$BATS_TEST_TMPDIR/a\ file.bin maps
	top_start a -j -d 0.5 -l 0
	program_start l "$BUILD/tests/areas" "$file"
	window_open a
	load_go l
	window_close a
	# our own child; vmalock itself never reads this
	pid=${pid_of[l]}
	maps=$(cat "/proc/$pid/maps")
	printf '%s\n' "$maps"
	load_end l
	top_stop a
	check_lines a

	equal a l '$load.faults.total' 100
	named() { echo "[of(\$lines; \"vmas\"; \$load.pid) | select($1)] | map(.faults) | add"; }
	equal a l "$(named '.kind == "heap" and .name == "[heap]" and .perms == "rw-p"')" 10
	equal a l "$(named '.kind == "stack" and .name == "[stack]"')" 20
	equal a l "$(named '.kind == "anon" and .name == "[anon]" and .start == $load.anon_start')" 30
	equal a l "$(named '.kind == "file" and (.name | endswith("a file.bin"))')" 40
	equal a l "$(named 'true')" 100
	# a stack that grew is one row
	equal a l '[of($lines; "vmas"; $load.pid) | select(.name == "[stack]" and .faults > 0) | .end] | unique | length' 1
	equal a l 'reason_sum($lines; $load.pid; "stack_growth")' 20

	# path, inode and range as the kernel's own list has them
	local range inode path
	read -r range _ _ _ inode path < <(grep 'a file.bin' <<<"$maps")
	equal a l '[of($lines; "vmas"; $load.pid) | select(.kind == "file" and .faults > 0) | [.name, .inode, .offset, .start, .end]] | unique' \
		"[[\"$path\", $inode, 0, \"0x${range%-*}\", \"0x${range#*-}\"]]"
}

@test "a process is in the cgroup that /proc says" {
	local self want dir
	[ "$(readlink /proc/self/ns/cgroup)" = 'cgroup:[4026531835]' ] ||
		skip "in a cgroup namespace: /proc/PID/cgroup has no paths from the host's root"
	top_start a -j -d 0.5 -l 0
	load_start l faults -r 10
	# a cgroup of its own, where one can be made
	dir=$(awk '$3 == "cgroup" && $4 ~ /(^|,)memory(,|$)/ { print $2; exit }' /proc/self/mounts)
	self=$(awk -F: '$2 == "memory" { print $3 }' /proc/self/cgroup)
	if [ -n "$dir" ] && mkdir "$dir$self/vmalock-test-$$" 2>/dev/null; then
		made=$dir$self/vmalock-test-$$
		echo "${pid_of[l]}" >"$made/cgroup.procs"
	fi
	window_open a
	load_go l
	window_close a
	# v2 unless it is the root, else the first of these of v1
	want=$(awk -F: '
		{ path = $0; sub(/^[^:]*:[^:]*:/, "", path); by[$2] = path }
		END {
			if (by[""] != "" && by[""] != "/") print by[""]
			else if ("memory" in by) print by["memory"]
			else if ("pids" in by) print by["pids"]
			else print by["name=systemd"]
		}' "/proc/${pid_of[l]}/cgroup")
	load_end l
	top_stop a
	[ -z "${made:-}" ] || rmdir "$made"
	printf 'made: %s\nwant: %s\n' "${made:-none}" "$want"
	equal a l '[of($lines; "processes"; $load.pid).cgroup] | unique' "[\"$want\"]"
}

@test "no kernel address leaves the program" {
	observe l shared -t 2 -r 20
	"$BUILD/bin/vmalocktop" -b -n 2 -d 0.5 -l 0 >"$BATS_TEST_TMPDIR/b.out"
	"$BUILD/bin/vmalock" doctor >"$BATS_TEST_TMPDIR/c.out"
	# also as decimal numbers: from 0xffff800000000000 on they begin with 184466
	run -1 env LC_ALL=C grep -naiEo '(ffff[89a-f][0-9a-f]{11}|18446[67][0-9]{14}).{0,20}' "$BATS_TEST_TMPDIR"/[abc].out
}
