#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# What a snapshot has beside the counts, and an exposition made of real ones.

load lib

@test "mappings: as many as /proc/PID/maps has lines" {
	"$BUILD/tests/collected" numbers >"$BATS_TEST_TMPDIR/numbers"
	cat "$BATS_TEST_TMPDIR/numbers"
	jq -e '.before == .before_lines and .after == .after_lines and .after >= .before + 199' "$BATS_TEST_TMPDIR/numbers"
	jq -e --argjson limit "$(</proc/sys/vm/max_map_count)" '.limit == $limit' "$BATS_TEST_TMPDIR/numbers"
}

@test "the kernel's own counters: known where /proc/vmstat has them" {
	"$BUILD/tests/collected" numbers >"$BATS_TEST_TMPDIR/numbers"
	cat "$BATS_TEST_TMPDIR/numbers"
	if grep -q '^vma_lock_success ' /proc/vmstat; then
		jq -e '.known and .success > 0' "$BATS_TEST_TMPDIR/numbers"
	else
		jq -e '.known == false and .success == 0' "$BATS_TEST_TMPDIR/numbers"
	fi
}

@test "an exposition of this host: promtool finds nothing, sums agree" {
	command -v promtool >/dev/null || skip 'promtool is not installed'
	"$BUILD/tests/collected" text >"$BATS_TEST_TMPDIR/text"
	run -0 promtool check metrics <"$BATS_TEST_TMPDIR/text"
	[ "$output" = "" ]
	grep -v '^#' "$BATS_TEST_TMPDIR/text" | awk '
		{ n++ }
		/^vmalock_exported_series / { series = $NF }
		/^vmalock_process_mappings_max/ { mappings += $NF > 5 }
		/^vmalock_faults_total/ { faults += $NF }
		END { exit !(n == series && mappings && faults) }'
}
