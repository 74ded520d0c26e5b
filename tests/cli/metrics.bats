#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# What Prometheus' own tool says of an exposition.
bats_require_minimum_version 1.5.0

setup()
{
	export LC_ALL=C.UTF-8 VML_FAKE_STATE=stalled
	exposition=$BUILD/tests/exposition
}

@test "promtool check metrics finds nothing" {
	"$exposition" --text >"$BATS_TEST_TMPDIR/text"
	run -0 promtool check metrics <"$BATS_TEST_TMPDIR/text"
	[ "$output" = "" ]
	COMM=1 "$exposition" --text >"$BATS_TEST_TMPDIR/text"
	run -0 promtool check metrics <"$BATS_TEST_TMPDIR/text"
	[ "$output" = "" ]
}

@test "every metric of docs/metrics.md is there, once" {
	"$exposition" --text >"$BATS_TEST_TMPDIR/text"
	diff <(sed -n '/^## /q; s/^| `\([a-z_]*\)` | [a-z]* | .* |$/\1/p' docs/metrics.md) \
		<(sed -n 's/^# TYPE \([a-z_]*\) [a-z]*$/\1/p' "$BATS_TEST_TMPDIR/text")
	[ "$(grep -c '^# HELP ' "$BATS_TEST_TMPDIR/text")" = 55 ]
}

@test "exported_series is the number of lines" {
	run -0 "$exposition" --text
	[ "$(grep -vc '^#' <<<"$output")" = "$(sed -n 's/^vmalock_exported_series //p' <<<"$output")" ]
}
