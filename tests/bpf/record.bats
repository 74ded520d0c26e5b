#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# vmalock record and vmalock snapshot on this host.  Options and errors: tests/cli/record.bats.

load lib

# with a name that nothing else has
secret=$BATS_TEST_TMPDIR/clandestine

setup()
{
	[ -z "$CANNOT" ] || skip "$CANNOT"
	BUILD=$(realpath "$BUILD")
	cd "$BATS_TEST_TMPDIR"
}

# recorded FILE ARGS...: a load by its command line, whose report is load.json
recorded()
{
	local file=$1
	shift
	"$BUILD/bin/vmalock" record -d 0.5 -o "$file" "$@" >live 2>err
}

@test "a command is in its recording, to the last fault; what was printed is what is in the file" {
	local rc=0 pid total said
	recorded a.vml -j --stacks-over 1us --user-stacks -- \
		sh -c '"$@" >load.json; exit 5' sh "$BUILD/bin/vmalock" load shared -t 2 --seconds 2 -j || rc=$?
	[ $rc = 5 ] || fail "exit status $rc: $(cat err)"
	pid=$(jq .pid load.json) total=$(jq .faults.total load.json)
	[ "$total" -gt 1000 ] || fail "$total faults"
	# it is gone at the end, which is said, too
	said=$(sqlite3 a.vml "SELECT sum(faults) >= $total, max(exited) FROM processes WHERE pid = $pid")
	[ "$said" = '1|1' ] || fail "$total faults: $(sqlite3 a.vml "SELECT sum(faults), max(exited) FROM processes WHERE pid = $pid
		UNION ALL SELECT cause, count FROM losses")"
	[ "$(sqlite3 a.vml "SELECT count(*) > 20, sum(help = '') FROM cause")" = '1|0' ]
	[ "$(sqlite3 a.vml 'SELECT count(*) FROM interval')" = "$(wc -l <live)" ] || fail "$(wc -l <live) lines"
	said=$(jq -c -s '[(map(.stacks | length) | add), (map(.totals.wait_ns) | add)]' live)
	[ "$(jq '.[0] > 0' <<<"$said")" = true ] || fail "stacks, ns waited: $said"
	"$BUILD/tests/replayed" a.vml >again
	cmp live again || fail "$(diff <(head -n 1 live | jq -S .) <(head -n 1 again | jq -S .) | head -50)"
	[[ $(tail -n 1 err) == "vmalock record: a.vml: $(wc -l <live) intervals, "* ]] || fail "$(cat err)"
}

@test "killed in the middle, every interval it had said is there" {
	"$BUILD/bin/vmalock" record -j -d 0.2 -o k.vml >k.out 2>k.err 3>&- &
	pid_of[k]=$!
	until_said k 4
	kill -KILL "${pid_of[k]}"
	wait "${pid_of[k]}" || :
	unset "pid_of[k]"
	local n=$(lines k)
	"$BUILD/tests/replayed" k.vml >again
	[ "$(wc -l <again)" -ge "$n" ] && [ "$(wc -l <again)" -le $((n + 1)) ] || fail "$(wc -l <again) of $n"
	cmp <(head -n "$n" k.out) <(head -n "$n" again)
	[ "$(sqlite3 k.vml 'PRAGMA integrity_check')" = ok ]
}

@test "without privileges it says what vmalocktop says" {
	chmod 777 .
	local as=(setpriv --reuid 65534 --regid 65534 --clear-groups)
	"${as[@]}" test -x "$BUILD/bin/vmalock" || skip "others cannot read $BUILD"
	run -1 --separate-stderr "${as[@]}" "$BUILD/bin/vmalocktop" -b -n 1
	local said=${stderr#vmalocktop: }
	run -1 --separate-stderr "${as[@]}" "$BUILD/bin/vmalock" record -t 1 -o a.vml
	[ "$stderr" = "vmalock record: $said" ] || fail "$stderr"
	[ ! -e a.vml ]
}

@test "--hindsight writes what came before a stall" {
	# a reader that holds for long, a writer behind it, and faults behind that
	recorded h --hindsight 2 --stall 5ms -- "$BUILD/bin/vmalock" load convoy --seconds 3
	local files=(h-*.vml)
	[ -e "${files[0]}" ] || fail "$(cat err)" || return
	[ "$(sqlite3 "${files[0]}" "SELECT max(max_ns) >= 5e6 OR max(b.upper_ns) > 5e6 FROM histogram h
		JOIN buckets b ON b.interval = h.interval AND b.scope = 'host' AND b.histogram LIKE '%wait'")" = 1 ]
	[ "$(sqlite3 "${files[0]}" 'SELECT count(*) FROM event')" = 1 ] # the start: it has no gaps
}

@test "a redacted snapshot has no name of a program, its files, or this host" {
	local name
	cp "$BUILD/bin/vmalock" "$secret"
	program_start l "$secret" load shared -t 2 --seconds 120 -j --handshake
	echo go >&"${go_of[l]}"
	"$BUILD/bin/vmalock" record -t 1 --stacks-over 100us --user-stacks -o plain.vml
	"$BUILD/bin/vmalock" snapshot -t 1 --stacks-over 100us --user-stacks -o secret.vml --redact
	for name in clandestine libc.so "$(cat /proc/sys/kernel/random/boot_id)"; do
		grep -qaF -- "$name" plain.vml || fail "$name is not even in the plain one"
		! grep -qaF -- "$name" secret.vml || fail "$name is in the redacted one"
	done
	# the host's may be a word of ours
	[ "$(sqlite3 secret.vml 'SELECT DISTINCT host FROM config')" = host-1 ]
	[ "$(sqlite3 secret.vml 'SELECT count(*) FROM string WHERE text LIKE "/%" AND text NOT LIKE "/cgroup-%" AND text != "/"')" = 0 ] ||
		fail "$(sqlite3 secret.vml 'SELECT text FROM string WHERE text LIKE "/%"')"
	[ "$(sqlite3 secret.vml 'SELECT count(*) > 0 FROM blockers')" = 1 ]
	[ "$(sqlite3 secret.vml "SELECT text FROM info WHERE name = 'doctor'" | jq -r .backend.name)" = \
		"$(sqlite3 secret.vml 'SELECT DISTINCT backend FROM config')" ]
}
