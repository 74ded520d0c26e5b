#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# The load is the measure of the other tests: it says what it does, to the unit.

load lib

# no BPF here
setup_file()
{
	export CANNOT=''
}

# But for exec, and forkcow: what they do for the rehearsal is not over at "ready"; and
# for throttled, which finds out anew in each rehearsal whether this kernel throttles.
@test "with --handshake and nothing to do, no fault happens between ready and done" {
	for scenario in faults shared churn replace kernel file remote segv thp hugetlb userfaultfd swap \
		'threads -t 500' shortlived fork vfork pidreuse vmawrite madvise uffdio procmaps \
		convoy writers threadstarts mappings bigfork smaps starved pageio \
		reason\ {no_vma,stack_growth,write_locked,busy,range_moved,no_map_pages,anon_vma,folio_locked,file_io} \
		reason\ {userfaultfd,killed,kernel_mode}; do
		nothing_happens "$scenario"
	done
}

nothing_happens()
{
	local rc=0
	# shellcheck disable=SC2086
	load_try l $1 -r 0 || rc=$?
	if [ $rc = 4 ]; then
		echo "# left out: $(cat "$BATS_TEST_TMPDIR/l.err")" >&3
		rm "$BATS_TEST_TMPDIR"/l.*
		return
	fi
	[ $rc = 0 ]
	load_go l
	load_end l
	[ "$(jq '[.faults.total, .provoked // 0]' -c "$BATS_TEST_TMPDIR/l.report")" = '[0,0]' ] ||
		fail "$1: $(cat "$BATS_TEST_TMPDIR/l.report")"
	rm "$BATS_TEST_TMPDIR"/l.*
}

# A child shares the page until it is written to again: which of the load's own words
# lie before the edge of a page, and which behind it, is up to the length of the environment.
@test "no fault happens wherever the stack begins" {
	local pad n
	setarch -R true || skip 'setarch cannot fix addresses here: stacks that begin elsewhere are not tried'
	nothing_happens remote 3>"$BATS_TEST_TMPDIR/out"
	[ ! -s "$BATS_TEST_TMPDIR/out" ] || skip "$(cat "$BATS_TEST_TMPDIR/out")"
	pad=$(printf '%4096s' | tr ' ' x)
	for ((n = 0; n < 4096; n += 16)); do
		X=${pad:0:n} setarch -R "$BUILD/bin/vmalock" load remote -r 0 -j
	done >"$BATS_TEST_TMPDIR/reports"
	jq -s -e 'map(.faults.total) == [range(256) | 0]' "$BATS_TEST_TMPDIR/reports"
}

@test "threads are alive from ready until the end" {
	load_start l threads -t 300
	until_true "ready" grep -q ready "$BATS_TEST_TMPDIR/l.out"
	[ "$(find "/proc/${pid_of[l]}/task" -mindepth 1 -maxdepth 1 | wc -l)" = 301 ]
	load_go l
	[ "$(find "/proc/${pid_of[l]}/task" -mindepth 1 -maxdepth 1 | wc -l)" = 301 ]
	load_end l
	[ "$(jq .faults.total "$BATS_TEST_TMPDIR/l.report")" = 300 ]
}
