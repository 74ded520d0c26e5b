# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# A terminal of our own for each test: tmux on a socket in a directory of ours.

load ../build

FAKE=$BUILD/tests/vmalocktop-fake
SCREENS=$BATS_TEST_DIRNAME/screens

setup()
{
	[ -x "$FAKE" ] || skip "$FAKE is not built"
	unset NO_COLOR "${!VML_FAKE_@}"
	dir=$(mktemp -d)
	export LC_ALL=C.UTF-8
}

teardown()
{
	[ -z "${dir:-}" ] || close
	rm -rf "${dir:-}"
}

terminal=0
tm()
{
	tmux -u -S "$dir/socket$terminal" -f /dev/null "$@"
}

# The end of a terminal and of what still runs in it. Not by SIGHUP: a leak
# sanitizer that is interrupted at exit hangs for ever.
close()
{
	local pid
	pid=$(cat "$dir/pid" 2>/dev/null) || :
	if [ "$pid" ] && [ "/proc/$pid/exe" -ef "$FAKE" ]; then
		kill -KILL "$pid"
	fi
	rm -f "$dir/pid"
	tm kill-server 2>/dev/null || :
	terminal=$((terminal + 1))
}

# start COLS ROWS [NAME=VALUE...] [-- OPTION...]: the program in a terminal
start()
{
	local size=("$1" "$2") env=()
	shift 2
	while [ $# -gt 0 ] && [ "$1" != -- ]; do
		env+=("$1")
		shift
	done
	[ $# -eq 0 ] || shift
	start_command "${size[@]}" env "${env[@]}" "$FAKE" -d 0.2 "$@"
}

# start_command COLS ROWS WORDS...: after it the screen says "exit N", and the terminal's
# settings before and after are in $dir/before and $dir/after.
start_command()
{
	local cols=$1 rows=$2
	shift 2
	cat >"$dir/run" <<-END
		trap : INT HUP # not ignored: a child would inherit that
		stty -a | grep -v '^speed' >'$dir/before'
		(
			echo \$BASHPID >'$dir/pid'
			exec$(printf ' %q' "$@") 2>'$dir/stderr'
		)
		status=\$?
		stty -a | grep -v '^speed' >'$dir/after'
		echo "exit \$status"
		rm '$dir/pid'
		exec cat
	END
	tm new-session -d -x "$cols" -y "$rows" "bash '$dir/run'"
}

# What is on the screen; with -e its colours too.
screen()
{
	tm capture-pane -p "$@"
}

keys()
{
	tm send-keys "$@"
}

text()
{
	tm send-keys -l -- "$1"
}

# Tries COMMAND for as long as a slow machine may need.
eventually()
{
	local i
	for ((i = 0; i < 300; i++)); do
		! "$@" || return 0
		sleep 0.1
	done
	echo "never: $*"
	screen
	return 1
}

shows()
{
	screen | grep -qE -- "$1"
}

shows_not()
{
	! screen | grep -qE -- "$1"
}

see()
{
	eventually shows "$1"
}

see_not()
{
	eventually shows_not "$1"
}

# The rows of a table, without the lines around them: what begins with "> " or "  ".
rows()
{
	screen | grep -E '^(> |  ) *[0-9]+ '
}

selected()
{
	screen | grep -qE "^> .*$1"
}

is_screen()
{
	screen | cmp -s - "$1"
}

# The screen is exactly that of the file. UPDATE_SCREENS=1 writes the file instead.
see_screen()
{
	local file=$SCREENS/$1.txt
	if [ "${UPDATE_SCREENS:-}" ]; then
		sleep 1
		screen >"$file"
	fi
	eventually is_screen "$file" || {
		screen | diff -u "$file" -
		return 1
	}
}
