#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# The commands of docs/tour.md and docs/guide.md, as they are written, on this host.

load lib

docs=$(realpath "$BATS_TEST_DIRNAME/../../docs")

@test "the tour: each command, each key, and what it says to see" {
	follow "$docs/tour.md"
	[ "$commands" -ge 12 ]
	[ "$looks" -ge 20 ]
	[ -z "$why" ] || skip "$why"
}

@test "the guide: each load, and what is said of it" {
	follow "$docs/guide.md"
	[ "$commands" -ge 10 ]
	[ "$looks" -ge 5 ]
	[ -z "$why" ] || skip "$why"
}

# a test that cannot fail is none
@test "what a document says wrongly is found" {
	local n=0 text
	while IFS= read -r text; do
		n=$((n + 1))
		printf '%b' "$text" >wrong.md
		! follow wrong.md 2>/dev/null || { echo "not found: $text"; return 1; }
		on_screen='' status=0 expected=0
	done <<-'END'
		```sh\nfalse\n```\n
		```sh\nfalse\ntrue\n```\n
		```sh\ntrue\n```\n<!-- status: 1 -->\n
		```sh\necho one\n```\n<!-- see: two -->\n
		```sh\necho one\n```\n```sh\necho two\n```\n<!-- see: one -->\n
	END
	[ $n = 5 ]
	printf '```sh\necho one\nfalse\n```\n<!-- see: ^one$ -->\n<!-- status: 1 -->\n' >right.md
	follow right.md
	[ "$commands,$looks" = 2,1 ]
}

@test "a load that is not possible here is left out, and only that" {
	printf '```sh\nsh -c "echo cannot >&2; exit 4" &\nwhile kill -0 $!; do sleep 0.1; done; false\n```\n<!-- see: never -->\n' >four.md
	follow four.md
	[ "$why" = 'four.md:5: cannot' ]
	printf '```sh\nsh -c "exit 3" &\nwhile kill -0 $!; do sleep 0.1; done; false\n```\n' >three.md
	why=''
	! follow three.md 2>/dev/null || return 1
	[ -z "$why" ]
}

@test "what a busy host may be the reason for is left out when the output says so, and only then" {
	printf '```sh\necho busy; false\n```\n<!-- unless: ^bus -->\n<!-- see: never -->\n<!-- status: 3 -->\n' >busy.md
	follow busy.md
	[ "$why" = 'busy.md:4: busy' ]
	why=''
	printf '```sh\necho idle\n```\n<!-- unless: ^bus -->\n<!-- see: never -->\n' >idle.md
	! follow idle.md 2>/dev/null || return 1
	[ -z "$why" ]
}
