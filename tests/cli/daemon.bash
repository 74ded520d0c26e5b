# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# shellcheck shell=bash
#
# What tests of vmalockd share: daemons in the background, each with a free port, a
# socket and a log of its own.
#
#	daemon_start d PROGRAM OPTIONS...	# waits until it serves; log in d.log
#	tcp d /metrics				# what it answers there
#	api d snapshot				# the JSON of its socket
#	daemon_stop d				# by SIGTERM; must end with 0
#
# What was started is ended by its pid in daemons_end, which teardown calls.

load ../until

declare -gA daemon_of=() address_of=()

# invented_daemon: sets $fake to vmalockd on an invented source, which stays who it is, and which a call that
# its filter forgot ends.  Sanitizers make calls of their own: with them it has no filter.
invented_daemon()
{
	unset "${!VML_FAKE_@}" NOTIFY_SOCKET WATCHDOG_USEC WATCHDOG_PID JOURNAL_STREAM
	export LC_ALL=C.UTF-8
	fake=("$BUILD/tests/vmalockd-fake" --user root --seccomp kill)
	! nm "$BUILD/tests/vmalockd-fake" | grep -q __asan_init || fake+=(--seccomp off)
}

# said NAME TEXT: a line of its log has TEXT
said()
{
	grep -qF -- "$2" "$BATS_TEST_TMPDIR/$1.log"
}

serves_or_ended()
{
	said "$1" 'msg="serving metrics"' || ! kill -0 "${daemon_of[$1]}" 2>/dev/null
}

daemon_start()
{
	local name=$1
	shift
	# the one before has said there that it serves
	: >"$BATS_TEST_TMPDIR/$name.log"
	"$@" --web.listen-address 127.0.0.1:0 --api-socket "$BATS_TEST_TMPDIR/$name.sock" \
		2>"$BATS_TEST_TMPDIR/$name.log" 3>&- &
	daemon_of[$name]=$!
	until_true "$name" serves_or_ended "$name" || return
	said "$name" 'msg="serving metrics"' || { cat "$BATS_TEST_TMPDIR/$name.log"; return 1; }
	address_of[$name]=$(sed -n 's/.*"serving metrics" address=\([^ ]*\).*/\1/p' "$BATS_TEST_TMPDIR/$name.log")
}

# daemon_wait NAME: its exit status
daemon_wait()
{
	local rc=0
	wait "${daemon_of[$1]}" || rc=$?
	unset "daemon_of[$1]"
	return $rc
}

daemon_stop()
{
	kill "${daemon_of[$1]}" && daemon_wait "$1" || { echo "$1: exit status $?"; cat "$BATS_TEST_TMPDIR/$1.log"; return 1; }
}

daemons_end()
{
	local name
	for name in "${!daemon_of[@]}"; do
		kill -CONT "${daemon_of[$name]}" 2>/dev/null || :
		kill -KILL "${daemon_of[$name]}" 2>/dev/null || :
		wait "${daemon_of[$name]}" 2>/dev/null || :
	done
}

tcp()
{
	curl -sS --max-time "$PATIENCE" "${@:3}" "http://${address_of[$1]}$2"
}

api()
{
	curl -sS --max-time "$PATIENCE" --unix-socket "$BATS_TEST_TMPDIR/$1.sock" "${@:3}" "http://local/api/v1/$2"
}

# status NAME PATH CURL-OPTIONS...: of the answer on TCP
status()
{
	tcp "$1" "$2" -o /dev/null -w '%{http_code}' "${@:3}"
}

# sum FILE NAME [LABEL]: of the series of NAME, of those with LABEL in their braces
sum()
{
	awk -v name="$2" -v label="${3:-}" '
		/^#/ { next }
		{ i = index($0, "{"); n = i ? substr($0, 1, i - 1) : $1 }
		n == name && (label == "" || index($0, label)) { s += $NF; seen = 1 }
		END { if (!seen) print "none"; else printf "%.9g\n", s }' "$1"
}
