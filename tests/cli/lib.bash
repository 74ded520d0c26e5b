# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# shellcheck shell=bash
# What tests of a command share, for what `run --separate-stderr` left.

load ../build

# says QUERY VALUE: of the JSON
says()
{
	local is
	is=$(jq -c "$1" <<<"$output")
	[ "$is" = "$2" ] || { echo "$1 is $is, should be $2"; return 1; }
}

# complains NAME TEXT: nothing but one line on stderr, which begins with NAME and has TEXT
complains()
{
	[ -z "$output" ] || { echo "stdout: $output"; return 1; }
	[ "${#stderr_lines[@]}" = 1 ] || { echo "stderr: $stderr"; return 1; }
	[[ $stderr == "$1"* && $stderr == *"$2"* ]] || { echo "stderr: $stderr"; return 1; }
}

# recording NAME KEY=VALUE...: $BATS_TEST_TMPDIR/NAME, of an invented load (recording.c)
recording()
{
	"$BUILD/tests/recording" "$BATS_TEST_TMPDIR/$1" "${@:2}"
}
