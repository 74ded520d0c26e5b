# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# shellcheck shell=bash
#
# What the native tests share: vmalocktop -j in the background, loads that wait
# for their turn, and the lines in between.
#
#	top_start a -j -d 0.5 -l 0	# file a.out
#	load_start l faults -t 2	# is "ready" now and waits
#	window_open a			# every interval from now on began after "ready"
#	load_go l			# lets it work, returns when it is "done"
#	window_close a			# a.window: all lines up to two after "done"
#	load_end l			# l.report: the JSON object of the load
#	expect a l 'QUERY'		# jq, with $lines and $load; must be true
#
# Names are files in $BATS_TEST_TMPDIR.  Nothing waits longer than $PATIENCE
# seconds, and what was started is ended by its pid in teardown.

load ../build
load ../until
load ../native

declare -gA pid_of=() go_of=() first_of=()

setup()
{
	[ -z "$CANNOT" ] || skip "$CANNOT"
}

programs_end()
{
	end_all "${pid_of[@]}"
}

teardown()
{
	programs_end
}

# until_said NAME N: file NAME.out has N whole lines; its program must be alive
until_said()
{
	local name=$1 n=$2 end=$((SECONDS + PATIENCE))
	while [ "$(lines "$name")" -lt "$n" ]; do
		kill -0 "${pid_of[$name]}" 2>/dev/null || [ "$(lines "$name")" -ge "$n" ] ||
			fail "$name ended early: $(cat "$BATS_TEST_TMPDIR/$name.err")" || return
		[ $SECONDS -lt $end ] || fail "waited $PATIENCE s for line $n of $name" || return
		sleep 0.1
	done
}

lines()
{
	wc -l <"$BATS_TEST_TMPDIR/$1.out" 2>/dev/null || echo 0
}

# ---- vmalocktop

top_start()
{
	local name=$1
	shift
	# no lines of the one before
	: >"$BATS_TEST_TMPDIR/$name.out"
	"$BUILD/bin/vmalocktop" "$@" >"$BATS_TEST_TMPDIR/$name.out" 2>"$BATS_TEST_TMPDIR/$name.err" 3>&- &
	pid_of[$name]=$!
	until_said "$name" 1
}

top_stop()
{
	local pid=${pid_of[$1]} rc=0
	unset "pid_of[$1]"
	kill "$pid" || fail "$1 ended early: $(cat "$BATS_TEST_TMPDIR/$1.err")" || return
	wait "$pid" || rc=$?
	# 143 is death by our SIGTERM
	[ $rc = 0 ] || [ $rc = 143 ] || fail "$1: exit status $rc: $(cat "$BATS_TEST_TMPDIR/$1.err")"
}

# The sample of the next line may be older than now, that of the one after it is not.
window_open()
{
	until_said "$1" $(($(lines "$1") + 2)) || return
	first_of[$1]=$(($(lines "$1") + 1))
}

window_close()
{
	until_said "$1" $(($(lines "$1") + 2)) || return
	sed -n "${first_of[$1]},$(lines "$1")p" "$BATS_TEST_TMPDIR/$1.out" >"$BATS_TEST_TMPDIR/$1.window"
}

# ---- what it leaves behind

# all_ids PID: of programs, maps and links that it has open
all_ids()
{
	cat /proc/"$1"/fdinfo/* | awk '
		$1 ~ /^(prog|map|link)_id:$/ { kind = substr($1, 1, index($1, "_") - 1); id[kind] = id[kind] "," $2 }
		END { for (kind in id) printf "%s%s", n++ ? " " : "", kind ":" substr(id[kind], 2) }'
}

# none_left IDS: those of all_ids() are not there any more
none_left()
{
	local entry id
	for entry in $1; do
		for id in $(tr , ' ' <<<"${entry#*:}"); do
			! bpftool "${entry%%:*}" show id "$id" >/dev/null 2>&1 || return 1
		done
	done
}

# So many of each, at least.
has_ids()
{
	local kind
	for kind in prog map link; do
		[[ " $1" == *" $kind:"*,*,* ]] || fail "no $kind: $1" || return
	done
}

# ---- loads

# program_start NAME PROGRAM...: anything with the handshake
program_start()
{
	local name=$1 fd
	shift
	: >"$BATS_TEST_TMPDIR/$name.out"
	mkfifo "$BATS_TEST_TMPDIR/$name.in"
	exec {fd}<>"$BATS_TEST_TMPDIR/$name.in"
	"$@" <"$BATS_TEST_TMPDIR/$name.in" >"$BATS_TEST_TMPDIR/$name.out" 2>"$BATS_TEST_TMPDIR/$name.err" 3>&- &
	pid_of[$name]=$!
	go_of[$name]=$fd
	until_said "$name" 1
}

load_start()
{
	local name=$1
	shift
	program_start "$name" "$BUILD/bin/vmalock" load "$@" -j --handshake
}

# load_try NAME SCENARIO OPTIONS...: the same; exit status 4, and why in NAME.err, where the load is not
# possible here.  On a busy host that may be found at one start, and not at the one before.
load_try()
{
	local name=$1 rc=0
	load_start "$@" 2>/dev/null && return
	kill "${pid_of[$name]}" 2>/dev/null || :
	wait "${pid_of[$name]}" || rc=$?
	unset "pid_of[$name]"
	[ $rc = 4 ] || fail "$name: exit status $rc: $(cat "$BATS_TEST_TMPDIR/$name.err")" || return
	return 4
}

load_go()
{
	echo go >&"${go_of[$1]}"
	until_said "$1" 2
}

load_end()
{
	local pid=${pid_of[$1]} rc=0
	echo end >&"${go_of[$1]}"
	wait "$pid" || rc=$?
	unset "pid_of[$1]"
	[ $rc = 0 ] || fail "$1: exit status $rc: $(cat "$BATS_TEST_TMPDIR/$1.err")" || return
	sed -n '3p' "$BATS_TEST_TMPDIR/$1.out" >"$BATS_TEST_TMPDIR/$1.report"
}

# observe_program NAME PROGRAM...: the whole of it with top "a"
observe_program()
{
	top_start a -j -d 0.5 -l 0
	program_start "$@"
	window_open a
	load_go "$1"
	window_close a
	load_end "$1"
	top_stop a
	check_lines a
}

# observe NAME SCENARIO OPTIONS...
observe()
{
	local name=$1
	shift
	observe_program "$name" "$BUILD/bin/vmalock" load "$@" -j --handshake
}

# ---- questions

# ask TOP LOAD QUERY: the answer of jq to a question on the window
ask()
{
	jq -c -n -L "$BATS_TEST_DIRNAME" --slurpfile lines "$BATS_TEST_TMPDIR/$1.window" \
		--slurpfile loads "$BATS_TEST_TMPDIR/$2.report" \
		"include \"questions\"; \$loads[0] as \$load | $3"
}

# expect TOP LOAD QUERY [EVIDENCE]: must be true; what EVIDENCE answers is printed when it is not
expect()
{
	local answer
	answer=$(ask "$1" "$2" "$3") || fail "jq failed on: $3" || return
	[ "$answer" = true ] || {
		printf 'not true: %s\n' "$3"
		printf 'lines: %s\nload: %.2000s\n' "$(wc -l <"$BATS_TEST_TMPDIR/$1.window")" "$(cat "$BATS_TEST_TMPDIR/$2.report")"
		[ -z "${4:-}" ] || printf '%s = %.4000s\n' "$4" "$(ask "$1" "$2" "$4")"
		return 1
	}
}

# equal TOP LOAD A B: two queries have the same answer
equal()
{
	local a b
	a=$(ask "$1" "$2" "$3") && b=$(ask "$1" "$2" "$4") || fail "jq failed on: $3 or $4" || return
	[ "$a" = "$b" ] || fail "$(printf '%s\n  is %.2000s, but %s\n  is %.2000s\nload: %.2000s\n' "$3" "$a" "$4" "$b" \
		"$(cat "$BATS_TEST_TMPDIR/$2.report")")"
}

# What must hold in every line, whatever happens on the host.
check_lines()
{
	local wrong
	wrong=$(jq -c -n -L "$BATS_TEST_DIRNAME" --slurpfile lines "$BATS_TEST_TMPDIR/$1.window" \
		'include "questions"; $lines[] | violations, line_violations') || fail "jq failed on the window of $1" || return
	[ -z "$wrong" ] || fail "$(printf 'identities that do not hold:\n%.4000s\n' "$wrong")"
}
