#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# vmalocktop --connect, and what vmalockd serves it.

load lib
load daemon

setup()
{
	invented_daemon
	fake+=(--history off)
	socket=$BATS_TEST_TMPDIR/d.sock
	top=("$BUILD/tests/vmalocktop-fake")
}

teardown()
{
	daemons_end
	[ -z "${pid:-}" ] || kill "$pid" 2>/dev/null || :
}

# refused STATUS TEXT [COMMAND...]: vmalocktop says one line that has TEXT, and nothing else
refused()
{
	run "-$1" --separate-stderr timeout "$PATIENCE" "${@:3}" "${top[@]}" -b -n 1 --connect="$socket"
	complains "vmalocktop: cannot connect to $socket: " "$2"
}

# what is at the socket that is not vmalockd ends; the next one may have its place
answering_end()
{
	kill "$pid"
	wait "$pid" || :
	pid=
	rm "$BATS_TEST_TMPDIR/answering" # the next one writes it when it gets to run
}

# answering FILE [TYPE]: something at the socket that is not vmalockd
answering()
{
	"$BUILD/tests/answering" "$socket" "$@" >"$BATS_TEST_TMPDIR/answering" 3>&- &
	pid=$!
	until_true answering grep -q ready "$BATS_TEST_TMPDIR/answering"
}

@test "JSON and text are those of vmalocktop that observes itself" {
	# an interval long enough for none to be missed on a busy host
	daemon_start d "${fake[@]}" -d 1
	"${top[@]}" -j -n 2 -d 0.01 --backend tracepoint >"$BATS_TEST_TMPDIR/own"
	"${top[@]}" -j -n 2 -d 0.01 --connect "$socket" >"$BATS_TEST_TMPDIR/theirs"
	# the invented host does the same every second; what differs is when it was seen, what is lost on the way
	# and by how much the maxima grew
	same='del(.time, .loss.missed_snapshots)'
	diff <(jq -S "$same" "$BATS_TEST_TMPDIR/own") <(jq -S "$same" "$BATS_TEST_TMPDIR/theirs")
	run -0 jq -s '[.[].interval_ns, .[].loss.missed_snapshots]' -c "$BATS_TEST_TMPDIR/theirs"
	[ "$output" = '[1000000000,1000000000,0,0]' ]
	run -0 "${top[@]}" -b -n 1 -p 1200 --connect="$socket"
	[[ $output == *"of the selected processes only"* && $output == *mysqld* && $output != *java* ]]
	daemon_stop d
}

@test "an interval longer than the daemon's is the sum of its own" {
	daemon_start d "${fake[@]}" -d 0.2
	run -0 "${top[@]}" -j -n 2 -d 1 --connect "$socket"
	[ "$(jq -sc 'map(.interval_ns >= 2000000000 and .interval_ns % 1000000000 == 0
		and .totals.faults == ([.processes[].faults] | add)) | all' <<<"$output")" = true ]
	daemon_stop d
}

@test "an interval shorter than the daemon's waits for the next snapshot" {
	daemon_start d "${fake[@]}" -d 1
	run -0 "${top[@]}" -j -n 3 -d 0.01 --connect "$socket"
	[ "$(jq -sc '[.[].interval_ns]' <<<"$output")" = '[1000000000,1000000000,1000000000]' ]
	[ "$(jq -r .time <<<"$output" | sort -u | wc -l)" = 3 ]
	daemon_stop d
}

@test "the recording: its type, 204 when there is none that is newer, 400, 503" {
	daemon_start d "${fake[@]}" -d 60
	api d recording -o "$BATS_TEST_TMPDIR/r.db" -D "$BATS_TEST_TMPDIR/head"
	tr -d '\r' <"$BATS_TEST_TMPDIR/head" | grep -qx 'Content-Type: application/vnd.sqlite3; snapshot=1; interval_ns=60000000000'
	[ "$(sqlite3 "$BATS_TEST_TMPDIR/r.db" 'PRAGMA integrity_check; SELECT count(*) FROM interval')" = $'ok\n1' ]
	boot=$(sqlite3 "$BATS_TEST_TMPDIR/r.db" 'SELECT boot_ns FROM interval')
	[ "$(api d "recording?after=$boot" -w '%{http_code} %{size_download}')" = '204 0' ]
	[ "$(api d "recording?after=$((boot - 1))" -o /dev/null -w '%{http_code}')" = 200 ]
	[ "$(api d "recording?after=x" -o /dev/null -w '%{http_code}')" = 400 ]
	[ "$(tcp d /api/v1/recording -o /dev/null -w '%{http_code}')" = 404 ]
	run -0 "$BUILD/tests/vmalocktop-fake" -r "$BATS_TEST_TMPDIR/r.db" -j
	[ "$(jq -S .totals <<<"$output")" = "$(api d snapshot | jq -S .totals)" ]
	daemon_stop d
}

@test "no daemon, one that ended, one that has no snapshot" {
	refused 1 "there is no such socket; is vmalockd running?"
	python3 -c 'import socket, sys; socket.socket(socket.AF_UNIX).bind(sys.argv[1])' "$socket"
	refused 1 "vmalockd has ended"
	rm "$socket"
	VML_FAKE_NEXT_ERROR=2 daemon_start d "${fake[@]}" -d 0.05
	until_true "not ready" said d "cannot take a snapshot"
	refused 1 "vmalockd is busy or has no snapshot (the last snapshot failed); try again"
	daemon_stop d
}

@test "not in the group" {
	[ "$(id -u)" = 0 ] || skip "only root can become somebody else"
	chmod 711 "$BATS_RUN_TMPDIR" "$(dirname "$BATS_TEST_TMPDIR")" "$BATS_TEST_TMPDIR"
	daemon_start d "${fake[@]}"
	refused 1 "not allowed for uid 65534; its group, vmalock, and root may" setpriv --reuid 65534 --clear-groups
	chmod 666 "$socket" # the daemon asks who it is
	refused 1 "not allowed for uid 65534; its group, vmalock, and root may" setpriv --reuid 65534 --clear-groups
	daemon_stop d
}

@test "what answers is something else, older, or newer" {
	echo "no recording" >"$BATS_TEST_TMPDIR/text"
	answering "$BATS_TEST_TMPDIR/text"
	refused 1 "what answers there is not vmalockd: that is no recording"
	"$BUILD/tests/recording" "$BATS_TEST_TMPDIR/r.db" intervals=1
	cp "$BATS_TEST_TMPDIR/r.db" "$BATS_TEST_TMPDIR/text"
	sqlite3 "$BATS_TEST_TMPDIR/text" 'PRAGMA user_version = 2'
	refused 4 "vmalockd is newer than this program (schema 1): upgrade vmalock"
	answering_end
	answering "$BATS_TEST_TMPDIR/r.db" text/plain
	refused 1 "what answers there is not vmalockd (text/plain)"
	answering_end
	# 404: no such page
	"$BUILD/tests/web_server" -u "$socket" >"$BATS_TEST_TMPDIR/answering" 3>&- &
	pid=$!
	until_true web_server grep -q ready "$BATS_TEST_TMPDIR/answering"
	refused 1 "older than this program, or not vmalockd: upgrade it"
}

@test "a daemon that ends ends the output, with a line that says so" {
	daemon_start d "${fake[@]}" -d 0.05
	"${top[@]}" -j -d 0.01 --connect "$socket" >"$BATS_TEST_TMPDIR/out" 2>"$BATS_TEST_TMPDIR/err" 3>&- &
	pid=$!
	until_true "three lines" eval '[ "$(wc -l <"$BATS_TEST_TMPDIR/out")" -ge 3 ]'
	daemon_stop d
	status=0
	wait "$pid" || status=$?
	pid=
	[ "$status" = 1 ] && [ "$(wc -l <"$BATS_TEST_TMPDIR/err")" = 1 ]
	grep -q "^vmalocktop: cannot connect to $socket: " "$BATS_TEST_TMPDIR/err"
}

@test "wrong options, and the hint for those without privileges" {
	run -2 --separate-stderr "${top[@]}" --connect --backend fentry
	[[ $stderr == "vmalocktop: --backend: not with --connect, as vmalockd observes; give it to vmalockd"* ]]
	run -2 --separate-stderr "${top[@]}" --connect -r file
	[[ $stderr == "vmalocktop: -r, --connect: one of them"* ]]
	run -2 --separate-stderr "${top[@]}" --connect a b
	[[ $stderr == "vmalocktop: unexpected argument 'b'"* ]]
	# a /run of our own, with a socket in it
	VML_FAKE_ERROR=perm run -1 --separate-stderr unshare -rm sh -c '
		mount -t tmpfs none /run && mkdir /run/vmalock && : >/run/vmalock/api.sock && exec "$@"' - "${top[@]}" -b
	[ "$stderr" = "vmalocktop: cannot load BPF programs: CAP_BPF and CAP_PERFMON are missing (you are uid 1000). Use sudo, or vmalocktop --connect: vmalockd is running." ]
}

@test "vmalock diagnose --connect" {
	local diagnose=("$BUILD/bin/vmalock" diagnose)
	daemon_start d "${fake[@]}" -d 0.2
	run -0 "${diagnose[@]}" --connect="$socket" -t 1.5 -j
	# whole seconds of the invented host, of all its processes
	[ "$(jq -c '[.interval_ns >= 1000000000, .interval_ns % 1000000000, (.findings | length > 0)]' <<<"$output")" = '[true,0,true]' ]
	run -0 "${diagnose[@]}" --connect "$socket" -t 0.7
	ln -s "$socket" "$BATS_TEST_TMPDIR/d e.sock"
	run -0 "${diagnose[@]}" -t 0.7 --connect "$BATS_TEST_TMPDIR/d e.sock"
	run -2 --separate-stderr "${diagnose[@]}" "$BATS_TEST_TMPDIR/r.db" --connect
	[[ $stderr == "vmalock diagnose: -t, --connect, "* ]]
	daemon_stop d
	run -2 --separate-stderr "${diagnose[@]}" --connect="$socket" -t 1
	[[ $stderr == "vmalock diagnose: cannot connect to $socket: there is no such socket"* ]]
	daemon_start d "${fake[@]}" -d 60
	run -2 --separate-stderr "${diagnose[@]}" --connect="$socket" -t 0.1
	[[ $stderr == "vmalock diagnose: vmalockd took no snapshot in that time"* ]]
	daemon_stop d
	run -2 --separate-stderr "${diagnose[@]}" --connect --backend fentry
	[[ $stderr == "vmalock diagnose: --backend and --detail are for vmalockd, not with --connect" ]]
}

# What happens in a second of the invented host is the same each time.
@test "vmalock report --connect: the daemon's own numbers, as JSON, text, stacks and a page" {
	local report=("$BUILD/bin/vmalock" report --connect="$socket") sum times='def times($n): map_values(. * $n);'
	daemon_start d "${fake[@]}" -d 0.2
	until_true "an interval" eval 'api d delta | jq -e ".interval_ns > 0"'
	api d delta >"$BATS_TEST_TMPDIR/delta"
	run -0 "${report[@]}" -t 1.1 -j
	seconds=$(jq '.interval_ns / 1e9' <<<"$output")
	[[ $seconds =~ ^[1-9][0-9]*$ ]]
	[ "$(jq -cS .totals <<<"$output")" = "$(jq -cS "$times .totals | times($seconds)" "$BATS_TEST_TMPDIR/delta")" ]
	rows="[.processes, .threads, .vmas | map([.pid, .tid, .comm, .faults * \$n, .fallbacks * \$n, .wait_ns * \$n]) | sort]"
	[ "$(jq -c --argjson n 1 "$rows" <<<"$output")" = "$(jq -c --argjson n "$seconds" "$rows" "$BATS_TEST_TMPDIR/delta")" ]
	[ "$(jq '.processes | length' <<<"$output")" -gt 2 ]

	run -0 "${report[@]}" -t 0.7 -j -p 1200
	[ "$(jq -c '[.processes[].comm], .totals.faults == .processes[0].faults' <<<"$output")" = $'["mysqld"]\ntrue' ]
	run -0 "${report[@]}" -t 0.7 -H
	[[ $output == *$'\n'*' TID '* && $output == *ib_io_rd-1* ]]

	# each interval's blame of stacks is whole times that of a second
	run -0 "${report[@]}" -t 1.1 --folded
	one=$(jq '[.stacks[].blamed_ns] | add' "$BATS_TEST_TMPDIR/delta")
	sum=$(awk '{ sum += $NF } END { printf "%d", sum }' <<<"$output")
	[ "$one" -gt 0 ] && [ "$sum" -gt 0 ] && [ $((sum % one)) = 0 ]

	run -0 "${report[@]}" -t 1.1 --html -o "$BATS_TEST_TMPDIR/page.html"
	grep -q mysqld "$BATS_TEST_TMPDIR/page.html"
	[[ $(<"$BATS_TEST_TMPDIR/page.html") =~ \<dt\>observed\</dt\>[[:space:]]*\<dd\>([0-9]+)[.0-9]*.?'s in '([0-9]+)' intervals' ]] ||
		{ grep -A2 observed "$BATS_TEST_TMPDIR/page.html"; return 1; }
	[ "${BASH_REMATCH[1]}" -ge 2 ] && [ "${BASH_REMATCH[2]}" -ge 2 ]
	daemon_stop d
}

@test "vmalock report --connect: what cannot be, in one line, and its exit status" {
	local report=("$BUILD/bin/vmalock" report)
	run -1 --separate-stderr "${report[@]}" --connect="$socket" -t 1
	[[ -z $output && $stderr == "vmalock report: cannot connect to $socket: there is no such socket"* ]]
	daemon_start d "${fake[@]}" -d 60
	run -1 --separate-stderr "${report[@]}" --connect="$socket" -t 0.1 -o "$BATS_TEST_TMPDIR/none"
	[ "$stderr" = "vmalock report: vmalockd took no snapshot in that time: -t must be longer than its interval" ]
	[ ! -e "$BATS_TEST_TMPDIR/none" ]
	if [ "$(id -u)" = 0 ]; then # only root can become somebody else
		chmod 711 "$BATS_RUN_TMPDIR" "$(dirname "$BATS_TEST_TMPDIR")" "$BATS_TEST_TMPDIR"
		run -1 --separate-stderr setpriv --reuid 65534 --clear-groups "${report[@]}" --connect="$socket" -t 1
		[[ $stderr == "vmalock report: cannot connect to $socket: not allowed for uid 65534"* ]]
	fi
	daemon_stop d
	daemon_start d "${fake[@]}" -d 0.2
	run -1 --separate-stderr "${report[@]}" --connect="$socket" -t 0.7 -o /dev/full
	[ "$stderr" = "vmalock report: cannot write to /dev/full: No space left on device" ]
	daemon_stop d
	"$BUILD/tests/recording" "$BATS_TEST_TMPDIR/r.db" intervals=1
	sqlite3 "$BATS_TEST_TMPDIR/r.db" 'PRAGMA user_version = 2'
	answering "$BATS_TEST_TMPDIR/r.db"
	run -4 --separate-stderr "${report[@]}" --connect="$socket" -t 1
	[[ $stderr == "vmalock report: cannot connect to $socket: vmalockd is newer"* ]]
	run -2 --separate-stderr "${report[@]}" --connect --backend fentry
	[ "$stderr" = "vmalock report: --backend, --stacks-over and --user-stacks are for vmalockd, not with --connect" ]
	run -2 --separate-stderr "${report[@]}" "$BATS_TEST_TMPDIR/r.db" --connect
	[[ $stderr == "vmalock report: -t, --connect, "* ]]
	run -1 --separate-stderr "${report[@]}" --connect "$BATS_TEST_TMPDIR/none" -t 1
	[[ $stderr == "vmalock report: cannot connect to $BATS_TEST_TMPDIR/none: there is no such socket"* ]]
}
