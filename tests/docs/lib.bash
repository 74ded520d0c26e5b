# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# shellcheck shell=bash
#
# Runs the commands of a document as they are written, and looks for what it says of them.
#
#	```sh			each line is a command, run in order in one folder
#	<!-- see: ERE -->	after a block: a line of its output
#	<!-- status: N -->	after a block: the exit status of its last command (else 0)
#	<!-- unless: ERE -->	after a block: what must be seen needs not when a line says this: a host that
#				had other work can be why
#	<!-- left out -->	before a block: it is not run; the reason is written beside it
#
# A block of one vmalocktop is run in a terminal of 80x24.  After it come keys, in rows of a table;
# the last one ends the program:
#
#	| `KEY` | text <!-- see: ERE --> |	the key is pressed, and then a line of the screen
#
# There ERE has no '|', which ends a cell.  A load that is not possible on this kernel (exit status 4) leaves
# the rest of its block out, too.  $why has what was left out; a test that passed else is skipped for it.

load ../build
load ../tui/lib
load ../until
load ../native

FAKE=$BUILD/bin/vmalocktop # which tui/lib looks for and ends

setup()
{
	[ -z "$CANNOT" ] || skip "$CANNOT"
	dir=$(mktemp -d)
	export LC_ALL=C.UTF-8 PATH=$BUILD/bin:$PATH
	unset TZ
	cd "$BATS_TEST_TMPDIR"
}

teardown()
{
	end_all "${started[@]}"
	[ -z "${dir:-}" ] || close
	rm -rf "${dir:-}"
}

declare -ga started=() # in the background; bats has jobs of its own

# the tests are root already
sudo()
{
	"$@"
}

# steps DOCUMENT: a line each, of a kind, the line of the document, and a text
steps()
{
	awk '
		/^```sh$/ { inside = !out; skipped = out; out = 0; print "block\t" NR "\t" inside; next }
		/^```/ { inside = skipped = 0; next }
		inside && NF { print "run\t" NR "\t" $0; next }
		skipped { next }
		/^<!-- left out -->$/ { out = 1; next }
		/^<!-- (see|status|unless): .* -->$/ {
			kind = $2
			sub(/^<!-- [a-z]+: /, "")
			sub(/ -->$/, "")
			print substr(kind, 1, length(kind) - 1) "\t" NR "\t" $0
		}
		/^\| `[^`]*` \| .*<!-- see: .* --> \|$/ {
			key = $0
			sub(/^\| `/, "", key)
			sub(/`.*/, "", key)
			print "key\t" NR "\t" key
			sub(/.*<!-- see: /, "")
			sub(/ --> \|$/, "")
			print "see\t" NR "\t" $0
		}' "$1"
}

# ---- what is being done

status=0   # of the last command
expected=0 # which it should have
on_screen='' left_out='' why=''

# the load that was started last is not possible here
impossible()
{
	local rc=0
	[ "${!-}" ] && ! kill -0 "$!" 2>/dev/null || return
	wait "$!" || rc=$?
	[ $rc = 4 ] || return
	leave_out "$(head -n 1 output)"
}

leave_out()
{
	why+="${why:+; }${document##*/}:$line: $1"
	left_out=1 status=0 expected=0
}

wrong()
{
	! impossible || return 0
	fail "$document:$line: $1" || :
	if [ "$on_screen" ]; then screen; else tail -n 100 output; fi >&2
	return 1
}

# the block before is over
finish()
{
	if [ "$on_screen" ]; then
		see '^exit 0' || wrong 'the program is not over, or failed' || return
		close
		on_screen=''
	elif [ "$status" != "$expected" ]; then
		wrong "exit status $status" || return
	fi
	status=0 expected=0 left_out=''
}

run_line()
{
	# of the lines of a block only the last may end with another status
	[ "$status" = 0 ] || wrong "exit status $status before this" || return
	case $1 in
	'sudo vmalocktop' | 'vmalocktop -r '*)
		on_screen=1
		# shellcheck disable=SC2086
		start_command 80 24 env "PATH=$PATH" ${1#sudo }
		see '^> ' || wrong "no rows"
		;;
	*)
		eval "$1" >>output 2>&1 3>&- || status=$?
		[[ $1 != *' &' ]] || started+=("$!")
		;;
	esac
}

press()
{
	case $1 in
	Esc) keys Escape ;;
	*) keys "$1" ;;
	esac
}

look()
{
	if [ "$on_screen" ]; then
		see "$1" || wrong "not on the screen: $1"
	else
		grep -qE -- "$1" output || wrong "not in the output: $1"
	fi
}

# follow DOCUMENT: all of it; sets $commands and $looks, how many there were
follow()
{
	local kind line text
	document=$1 commands=0 looks=0
	while IFS=$'\t' read -r kind line text <&4; do
		case $kind in
		block)
			finish || return
			: >output
			;;
		run)
			commands=$((commands + 1))
			[ "$left_out" ] || run_line "$text" || return
			;;
		status) [ "$left_out" ] || expected=$text ;;
		unless) ! text=$(grep -m 1 -E -- "$text" output) || leave_out "$text" ;;
		key) press "$text" || return ;;
		see)
			looks=$((looks + 1))
			[ "$left_out" ] || look "$text" || return
			;;
		esac
	done 4< <(steps "$document")
	finish
}
