#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# A file on the screen: vmalocktop -r.

load lib

RECORDING=$(dirname "$FAKE")/recording

# record KEY=VALUE...: from 2026-01-01T00:00:00Z on, a second each
record()
{
	"$RECORDING" "$dir/load.db" "$@"
}

# replay COLS ROWS OPTION...: in a time zone that is not UTC
replay()
{
	start "$1" "$2" TZ=CET-1 -- -r "$dir/load.db" "${@:3}"
}

# faults N: of the host, per second, as the line of rates has them in interval N
faults()
{
	"$FAKE" -r "$dir/load.db" -b | grep -m "$1" '^rates' | tail -n 1 | sed 's/^rates *\([^,]*\),.*/\1/'
}

shows_interval()
{
	shows "^replay load.db $1/$2 2026-01-01 01:00:$3 \+01:00" && shows "^$(faults "$1"),"
}

see_interval()
{
	eventually shows_interval "$@"
}

@test "steps, ends and edges" {
	record intervals=12
	replay 80 24
	see_interval 1 12 01
	keys '['
	keys ']'
	see_interval 2 12 02
	keys Right
	see_interval 3 12 03
	keys Left
	see_interval 2 12 02
	keys G
	see_interval 12 12 12
	see '  the end'
	keys ']'
	see_interval 12 12 12
	keys g
	see_interval 1 12 01
	see 'over 1.0s  per second'
}

@test "W is where most is waited, J goes to a time and says what is not there" {
	record intervals=12 wild=50
	replay 80 24
	see_interval 1 12 01
	keys W
	see_interval 6 12 06
	keys J
	see '^time '
	text 01:00:08
	keys Enter
	see_interval 9 12 09
	keys J
	text 2026-01-01T00:00:03.5Z
	keys Enter
	see_interval 4 12 04
	keys J
	text -10s
	keys Enter
	see_interval 3 12 03
	keys J
	text 01:00:12
	keys Enter
	see_interval 12 12 12
	see 'that is behind the end'
	keys J
	text noon
	keys Enter
	see '^not a time: "noon" .as 14:03:07, '
	shows_interval 12 12 12
}

@test "plays to the end, faster and slower, and stops when told" {
	record intervals=12
	replay 80 24
	see_interval 1 12 01
	keys '+' Space
	see '  (playing, 2x|at the end, waiting for more)$'
	see_interval 12 12 12
	see 'at the end, waiting for more'
	keys Space
	see '  the end'
	keys g '-' '-' '-'
	see_interval 1 12 01
	see '^Space plays 1/4x$'
	keys '['
	see '^this is the first interval$'
	keys Space
	see 'playing, 1/4x'
	keys Space
	see_not playing
}

@test "-n plays so many steps and ends" {
	record intervals=12
	replay 80 24 -n 4
	see '^exit 0'
}

@test "S adds up from the first interval on: what -b says of each, counted" {
	record intervals=20
	sum=$("$FAKE" -r "$dir/load.db" -j -n 7 | jq -s 'map(.processes[] | select(.pid == 100).fallbacks) | add')
	replay 80 24
	see_interval 1 20 01
	keys S e J
	text 01:00:06
	keys Enter
	see 'sum of 7.0s  counts'
	see "^> +100 .* $(awk -v n="$sum" 'BEGIN { printf n < 9995 ? "%.2fk" : "%.1fk", n / 1000 }') "
	keys G '[' '[' '['
	see '^replay load.db 17/20'
	see 'sum of 17s  counts'
	keys S
	see 'over 1.0s  counts'
}

@test "gaps are said, and what is added meanwhile is followed" {
	record intervals=3 history=1
	record intervals=2 history=1 at=1767225663
	replay 100 24
	see_interval 1 5 01
	keys ']' ']' ']'
	see '^replay load.db 4/5 2026-01-01 01:01:04 \+01:00; after a gap of 60s: restart$'
	keys Space
	see '5/5 .*waiting for more'
	record intervals=2 history=1 at=1767225665
	see '7/7 .*waiting for more'
	keys Space
	record intervals=1 history=1 at=1767225667
	see '^replay load.db 7/8 '
}

@test "all views have what was recorded; the doctor says when" {
	record intervals=3
	replay 80 24
	see_interval 1 3 01
	keys 3
	see '/worker/data$'
	keys 4
	see 'write_locked +inferred'
	keys 5
	see 'munmap'
	keys 2
	see 'Nothing is known by thread on this host'
	keys 7
	see '^As it was on invented when this was recorded'
	keys D '?'
	see '^KEYS'
}

@test "small screens, and keys that are for recordings only" {
	record intervals=3
	replay 60 10
	see_interval 1 3 01
	see '^> +100 '
	tm resize-window -x 40 -y 6
	see '^replay load.db 1/3 2026-01-01 01:00:01'
	see '^> +100 '
	keys q
	see '^exit 0'
	close
	start 80 24
	see '^> +1200 '
	keys ']'
	see 'this key is for recordings: vmalocktop -r FILE'
}

@test "a file in which nothing is recorded is one line" {
	record intervals=0
	replay 80 24
	see '^exit 1'
	grep -q '^vmalocktop: .*load.db: nothing is recorded in it$' "$dir/stderr"
}
