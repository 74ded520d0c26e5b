#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# vmalock record and vmalock snapshot, on an invented source; no root needed, but for full and read-only disks.

load ../build
load ../until

vmalock=$BUILD/tests/vmalock-fake

setup()
{
	[ -x "$vmalock" ] || skip "$vmalock is not built"
	unset "${!VML_FAKE_@}"
	export LC_ALL=C.UTF-8
	mkdir "$BATS_TEST_TMPDIR/files"
	cd "$BATS_TEST_TMPDIR/files"
	pid=
}

teardown()
{
	[ -z "$pid" ] || kill -KILL "$pid" 2>/dev/null || :
}

# record STATUS ARGS...: nothing on stdout, one line on stderr
record()
{
	local status=$1
	shift
	run "-$status" --separate-stderr "$vmalock" record -d 0.01 "$@"
	[ -z "$output" ] || fail "stdout: $output" || return
	[ "${#stderr_lines[@]}" = 1 ] || fail "stderr: $stderr"
}

# refuse STATUS TEXT ARGS...: and no file is made
refuse()
{
	local text=$2
	record "$1" "${@:3}"
	[[ $stderr == "vmalock record: "*"$text"* ]] || fail "stderr: $stderr" || return
	[ -z "$(find . -name '*.vml*')" ] || fail "files: $(ls)"
}

sql()
{
	sqlite3 "$1" "$2"
}

# in_background ARGS...: record with $pid; a hang-up ends it, also when these tests run under nohup
in_background()
{
	: >out 2>err # the one before wrote there, and this one empties them when it gets to run
	env --default-signal=HUP "$vmalock" record "$@" >out 2>err 3>&- &
	pid=$!
}

# ends STATUS: what was started
ends()
{
	local rc=0
	wait "$pid" || rc=$?
	pid=
	[ $rc = "$1" ] || fail "exit status $rc: $(cat err)"
}

intervals_of()
{
	sql "$1" 'SELECT count(*) FROM interval' 2>/dev/null || echo 0
}

has_intervals()
{
	[ -e "$1" ] && [ "$(intervals_of "$1")" -ge "$2" ]
}

# ---- a recording

@test "a file, and one line that says so" {
	record 0 -t 0.2 -o a.vml --stacks-over 2ms
	[[ $stderr =~ ^vmalock\ record:\ a.vml:\ [0-9]+\ intervals?,\ [0-9.]+[KM]\;\ nothing\ lost$ ]] || fail "$stderr"
	[ "$(stat -c %a a.vml)" = 600 ]
	[ "$(ls)" = a.vml ]
	[ "$(sql a.vml 'SELECT host, kernel, backend, options FROM config')" = \
		"fakehost|6.12.0-fake|tracepoint|vmalock record -d 0.01 -t 0.2 -o a.vml --stacks-over 2ms" ]
	[ "$(sql a.vml 'PRAGMA application_id; PRAGMA user_version; PRAGMA integrity_check' | paste -sd' ')" = "1447903564 1 ok" ]
	[ "$(sql a.vml "SELECT kind, text FROM event")" = "start|vmalock record -d 0.01 -t 0.2 -o a.vml --stacks-over 2ms" ]
	# one second of the invented host each
	[ "$(sql a.vml 'SELECT DISTINCT interval_ns FROM interval')" = 1000000000 ]
}

@test "the default name: host and time" {
	record 0 -t 0.02
	[[ $(ls) =~ ^vmalock-[A-Za-z0-9._-]+-20[0-9]{6}T[0-9]{6}Z\.vml$ ]] || fail "$(ls)"
}

# replayed ARGS...: what was printed when it was written is what is in the file
replayed()
{
	run -0 --separate-stderr "$vmalock" record -j -d 0.01 -t 0.1 --force -o r.vml "$@"
	[ "${#lines[@]}" -ge 2 ] || fail "$stderr" || return
	diff <(printf '%s\n' "$output") <("$BUILD/tests/replayed" r.vml) >&2 || fail "$* ${!VML_FAKE_@}"
}

@test "what is in the file is what -j printed" {
	replayed
	[ "$(jq -s 'map(.processes | length) | min > 0' <<<"$output")" = true ]
	replayed --backend fentry --detail exact
	replayed -p 4242
	replayed --cgroup /system.slice
	VML_FAKE_STATE=stalled replayed
	VML_FAKE_STATE=old replayed
	VML_FAKE_EXIT=1 VML_FAKE_LOSS=1 VML_FAKE_MAX=1 replayed --backend kprobe
	VML_FAKE_EMPTY=1 replayed
	VML_FAKE_BLIND=1 replayed
}

@test "-p and --cgroup: the totals are those of what was chosen, and the file says so" {
	record 0 -t 0.05 -o all.vml
	local name=$(sql all.vml "SELECT cgroup FROM processes WHERE cgroup NOT NULL LIMIT 1")
	record 0 -t 0.05 -o some.vml --cgroup "$name"
	[ "$(sql all.vml 'SELECT selected FROM config')" = 0 ]
	[ "$(sql some.vml 'SELECT selected FROM config')" = 1 ]
	[ "$(sql some.vml "SELECT count(*) FROM processes WHERE cgroup != '$name'")" = 0 ]
	[ "$(sql some.vml 'SELECT sum(faults) FROM interval')" = "$(sql some.vml 'SELECT sum(faults) FROM process')" ]
}

@test "-l: the rows that waited most, and one for the rest; sums stay exact" {
	record 0 -t 0.05 -o all.vml
	record 0 -t 0.05 -o few.vml -l 2
	[ "$(sql few.vml 'SELECT max(n) FROM (SELECT count(*) AS n FROM process GROUP BY interval)')" = 3 ]
	[ "$(sql few.vml "SELECT count(*) > 0 FROM who WHERE comm = '(rest)'")" = 1 ]
	local q='SELECT sum(faults), sum(wait_ns) FROM process WHERE interval = 1'
	[ "$(sql few.vml "$q")" = "$(sql all.vml "$q")" ]
}

@test "a reader of -j that has seen enough does not end the recording" {
	"$vmalock" record -j -d 0.01 -t 0.5 -o a.vml 2>err | head -n 1 >first
	[ "$(wc -l <first)" = 1 ]
	[ "$(intervals_of a.vml)" -gt 1 ]
	[[ $(cat err) == *"nothing lost" ]]
}

@test "on a terminal one line is rewritten" {
	run -0 script -qec "stty cols 100; $vmalock record -d 0.01 -t 0.2 -o a.vml" /dev/null
	[[ $output == *$'\r1 s, 1 interval, '[0-9]*'; '*' faults/s, '*' fallbacks/s, longest wait '* ]] || fail "$output"
	[[ $output == *$'\rvmalock record: a.vml: '* ]] || fail "$output"
}

# ---- the end

@test "a signal ends it with the interval that had begun" {
	local sig
	for sig in TERM INT HUP; do
		in_background -d 100 -o $sig.vml
		until_true "$sig.vml" test -e $sig.vml
		sleep 0.2
		# a background job ignores SIGINT, but for who catches it
		kill -$sig "$pid"
		ends 0
		[ "$(intervals_of $sig.vml)" = 1 ]
	done
}

@test "under nohup a hang-up does not end it" {
	(trap '' HUP && exec "$vmalock" record -d 0.05 -o a.vml) 2>err 3>&- &
	pid=$!
	until_true "an interval" has_intervals a.vml 1
	kill -HUP "$pid"
	local n=$(intervals_of a.vml)
	until_true "more intervals" has_intervals a.vml $((n + 2))
	kill "$pid"
	ends 0
}

@test "killed, it leaves every interval it had said" {
	"$vmalock" record -j -d 0.01 -o k.vml >out 2>err 3>&- &
	pid=$!
	until_true "intervals" has_intervals k.vml 5
	kill -KILL "$pid"
	wait "$pid" || :
	pid=
	local n=$(wc -l <out) # the last may be a part
	"$BUILD/tests/replayed" k.vml >again
	[ "$(wc -l <again)" -ge "$n" ] || fail "$(wc -l <again) of $n"
	[ "$(wc -l <again)" -le $((n + 1)) ]
	diff <(head -n "$n" out) <(head -n "$n" again) >&2
	[ "$(sql k.vml 'PRAGMA integrity_check')" = ok ]
}

@test "what cannot be observed any more ends it; what was written stays" {
	VML_FAKE_NEXT_ERROR=3 run -1 --separate-stderr "$vmalock" record -d 0.01 -t 5 -o a.vml
	[[ ${stderr_lines[0]} == "vmalock record: cannot go on observing: Input/output error" ]]
	[[ ${stderr_lines[1]} == "vmalock record: a.vml: 1 interval, "* ]]
	[ "$(intervals_of a.vml)" = 1 ]
	VML_FAKE_END=3 record 0 -t 5 -o b.vml
	[ "$(intervals_of b.vml)" = 2 ]
}

# ---- a command

@test "a command: its exit status, 126, 127, 125 as of env" {
	local status
	for status in 0 1 3; do
		record $status -o s$status.vml -- sh -c "sleep 0.05; exit $status"
		[ "$(intervals_of s$status.vml)" -ge 1 ]
	done
	record 143 -o k.vml -- sh -c 'kill -TERM $$'
	rm -- *.vml
	refuse 127 "cannot run ./none: No such file or directory" -o a.vml -- ./none
	refuse 126 "cannot run /: Permission denied" -o a.vml -- /
	refuse 125 "-t: not with a COMMAND" -t 1 -- true
	refuse 125 "missing/a.vml: No such file or directory" -o missing/a.vml -- touch ran
	VML_FAKE_ERROR=perm refuse 125 "CAP_BPF and CAP_PERFMON are missing" -- touch ran
	VML_FAKE_ERROR=unsupported refuse 125 "no mmap_lock tracepoints" -- touch ran
	VML_FAKE_NEXT_ERROR=1 refuse 125 "cannot take a snapshot" -- touch ran
	[ ! -e ran ]
}

@test "a command has arguments, files and signals of the caller" {
	# what is ignored before is ignored there, what is not is not
	run -0 --separate-stderr "$vmalock" record -o a.vml -- sh -c 'cat; printf "%s\n" "$@"; grep SigIgn /proc/self/status' sh -x 'a b' <<<input
	[ "${lines[0]} ${lines[1]} ${lines[2]}" = "input -x a b" ]
	[ "${lines[3]}" = "$(grep SigIgn /proc/self/status)" ]
	[[ $(sql a.vml 'SELECT options FROM config') == "vmalock record -o a.vml -- sh -c cat; "* ]]
}

@test "SIGTERM ends the command, and is recorded until it has" {
	in_background -d 0.05 -o a.vml -- sh -c 'trap "sleep 0.2; touch ended; exit 7" TERM; touch began; while :; do sleep 0.05; done'
	until_true began test -e began
	kill "$pid"
	ends 7
	[ -e ended ]
	[ "$(intervals_of a.vml)" -ge 3 ]
}

@test "a failure of ours does not end the command" {
	VML_FAKE_NEXT_ERROR=2 run -125 --separate-stderr "$vmalock" record -d 0.01 -o a.vml -- sh -c 'sleep 0.2; touch ended'
	[ -e ended ]
	[[ ${stderr_lines[0]} == *"cannot go on observing"* ]]
}

# ---- what goes wrong is one line

@test "wrong usage" {
	refuse 2 "a command comes after --" true
	refuse 2 "-t: seconds, 0.001 to 86400, not '0'" -t 0
	refuse 2 "seconds" -d x
	refuse 2 "-l: a number of rows" -l x
	refuse 2 "process ids" -p x
	refuse 2 "begins with /" --cgroup x
	refuse 2 "--backend: auto, tracepoint, fentry or kprobe, not 'x'" --backend x
	refuse 2 "--detail: default or exact" --detail x
	refuse 2 "--stacks-over: a time" --stacks-over x
	refuse 2 "--max-overhead: percent, 0.01 to 100, not '0'" --max-overhead 0
	refuse 2 "--memory: a size from 4M on, not '1K'" --memory 1K
	refuse 2 "not with --detail exact" --max-overhead 1 --detail exact
	refuse 2 "frobnicate" --frobnicate
	refuse 2 "-o: a file" -o ''
	refuse 2 "--hindsight: a time" --hindsight 2h
	refuse 2 "--hindsight: a time" --hindsight 61m
	refuse 2 "less than an interval" --hindsight 1 -d 2
	refuse 2 "never replaces" --hindsight 10 --force
	refuse 2 "belong to --hindsight" --stall 1s
	refuse 2 "--stall: a time" --hindsight 10 --stall 5
	refuse 2 "--hindsight-memory: bytes" --hindsight 10 --hindsight-memory 1
}

@test "what cannot be observed is said as vmalocktop says it" {
	VML_FAKE_ERROR=perm run -1 --separate-stderr "$BUILD/tests/vmalocktop-fake" -b -n 1
	local said=${stderr#vmalocktop: }
	VML_FAKE_ERROR=perm refuse 1 "$said" -o a.vml
	VML_FAKE_ERROR=unsupported refuse 4 "no mmap_lock tracepoints" -o a.vml
	VML_FAKE_ERROR=backend refuse 2 "cannot be used here" --backend fentry -o a.vml
}

@test "a file that is there is not replaced without --force, and nothing else ever" {
	echo precious >a
	record 1 -t 0.02 -o a
	[[ $stderr == "vmalock record: cannot record to a: the file exists; --force replaces it" ]]
	[ "$(cat a)" = precious ]
	mkdir folder
	record 1 -t 0.02 -o folder
	[[ $stderr == *"cannot record to folder: it is there, and not a file" ]]
	record 1 -t 0.02 -o folder --force
	[[ $stderr == *"cannot record to folder: it is there, and not a file" ]]
	record 1 -t 0.02 -o missing/a
	[[ $stderr == *"cannot record to missing/a: No such file or directory" ]]
	record 1 -t 0.02 -o a/b
	[[ $stderr == *"cannot record to a/b: Not a directory" ]]
	# only what could be observed takes the place of a file
	VML_FAKE_ERROR=perm record 1 -o a --force
	[ "$(cat a)" = precious ]
	record 127 -o a --force -- ./none
	record 127 -o a --force -- no-such-command
	record 126 -o a --force -- ./folder
	[ "$(cat a)" = precious ]
	record 0 -t 0.02 -o a --force
	has_intervals a 1
}

# own_mounts SCRIPT: in mounts of its own, with vmalock as $1
own_mounts()
{
	unshare -rm true 2>/dev/null || skip "no mounts of our own"
	run --separate-stderr unshare -rm bash -c "$1" - "$vmalock"
}

@test "no permission" {
	mkdir closed
	if [ "$(id -u)" = 0 ]; then
		chmod 755 . .. ../..
		run -1 --separate-stderr setpriv --reuid 65534 --regid 65534 --clear-groups "$vmalock" record -t 0.02 -o closed/a.vml
	else
		chmod 555 closed
		run -1 --separate-stderr "$vmalock" record -t 0.02 -o closed/a.vml
	fi
	[[ $stderr == "vmalock record: cannot record to closed/a.vml: Permission denied" ]] || fail "$stderr"
}

@test "a read-only disk" {
	own_mounts 'mkdir m && mount -t tmpfs -o ro none m && "$1" record -t 0.02 -o m/a.vml'
	[ "$status" = 1 ]
	[[ $stderr == "vmalock record: cannot record to m/a.vml: Read-only file system" ]] || fail "$stderr"
}

@test "a disk that is full from the start" {
	own_mounts 'mkdir m && mount -t tmpfs -o size=64k none m && "$1" record -t 0.02 -o m/a.vml; rc=$?; ls m; exit $rc'
	[ "$status" = 1 ] && [ -z "$output" ]
	[[ $stderr == "vmalock record: cannot record to m/a.vml: No space left on device" ]] || fail "$stderr"
}

@test "a disk that gets full: it goes on, and says what is lost" {
	own_mounts 'mkdir m && mount -t tmpfs -o size=1m none m
		"$1" record -d 0.02 -o m/a.vml 2>err & pid=$!
		n=1
		more() { [ "$(sqlite3 -readonly m/a.vml "SELECT count(*) FROM interval" 2>/dev/null || echo 0)" -gt $n ]; }
		until more; do kill -0 $pid || exit; sleep 0.05; done
		cat /dev/zero >m/filler 2>/dev/null
		until grep -q "cannot keep" err; do kill -0 $pid || exit; sleep 0.05; done
		n=$(sqlite3 -readonly m/a.vml "SELECT count(*) FROM interval")
		rm m/filler
		until more; do kill -0 $pid || exit; sleep 0.05; done
		kill $pid; wait $pid; echo $?; cat err >&2
		sqlite3 m/a.vml "PRAGMA integrity_check; SELECT count(*) FROM interval;
			SELECT count(*) FROM event WHERE kind = '\''gap'\'' AND text LIKE '\''% lost: disk_full'\''"'
	# the last pages of the WAL may have room for some between those that are lost
	[[ "${lines[0]} ${lines[1]} ${lines[3]}" == "1 ok "[1-9]* ]] || fail "$output $stderr"
	[[ ${stderr_lines[0]} == "vmalock record: cannot keep this interval: No space left on device; going on" ]] || fail "$stderr"
	[[ ${stderr_lines[-1]} =~ ^"vmalock record: m/a.vml: ${lines[2]} intervals, "[0-9.]+[KM]"; lost: "[0-9]+" interval"s?" (disk_full)"$ ]] ||
		fail "$stderr"
}

# ---- hindsight

# printed N: so many intervals are over, of what was started with -j
printed()
{
	[ "$(wc -l <out)" -ge "$1" ]
}

files()
{
	find . -name 'h-*.vml' | wc -l
}

# said N: so many lines on stderr, one for each file
said()
{
	[ "$(wc -l <err)" -ge "$1" ]
}

@test "--hindsight writes the last seconds on SIGUSR1, into new files, and goes on" {
	# its clock has a second for each interval
	in_background -j -d 0.02 --hindsight 10 --stall off -o h.vml
	until_true "more than ten intervals" printed 20
	[ "$(files)" = 0 ]
	kill -USR1 "$pid"
	until_true "the first file" said 1
	# at once for the second time: when ten seconds have passed since the first
	kill -USR1 "$pid"
	until_true "the second file" said 2
	kill "$pid"
	ends 0
	[ "$(files)" = 2 ]
	local a b
	a=$(ls -tr h-*.vml | head -n 1) b=$(ls -tr h-*.vml | tail -n 1)
	[ "$(intervals_of "$a")" = 10 ]
	[ "$(intervals_of "$b")" = 10 ]
	[ "$(sql "$a" 'SELECT max(boot_ns) FROM interval')" -le "$(sql "$b" 'SELECT min(boot_ns - interval_ns) FROM interval')" ]
	[[ $(head -n 1 err) == "vmalock record: ./"*": 10 intervals, "*"; nothing lost" || \
		$(head -n 1 err) == "vmalock record: h-"*": 10 intervals, "*"; nothing lost" ]] || fail "$(cat err)"
}

@test "--hindsight writes after a stall, once per that time" {
	export VML_FAKE_STATE=stalled
	in_background -d 0.02 --hindsight 20 --stall 100ms -o h
	until_true "two files" said 2
	kill "$pid"
	ends 0
	local f
	for f in h-*.vml; do
		[ "$(intervals_of "$f")" -le 20 ] || fail "$f: $(intervals_of "$f")"
		[ "$(sql "$f" 'SELECT count(*) > 0 FROM stalls')" = 1 ]
	done
	# only what was asked for before the end comes earlier
	[ "$(for f in h-*.vml; do sql "$f" 'SELECT max(boot_ns) / 1000000000 FROM interval'; done | sort -n |
		awk 'NR > 1 && $1 - last < 20 { early++ } { last = $1 } END { print early + 0 }')" -le 1 ]
	# nobody waits for so long
	unset VML_FAKE_STATE
	in_background -j -d 0.02 --hindsight 5 --stall 10s -o quiet
	until_true "many intervals" printed 20
	kill "$pid"
	ends 0
	[ -z "$(find . -name 'quiet*')" ]
}

@test "--hindsight replays what it printed, and what it keeps is bounded" {
	in_background -j -d 0.02 --hindsight 60m --stall off -o h
	until_true "ten lines" printed 10
	kill -USR1 "$pid"
	until_true "a file" said 1
	kill "$pid"
	ends 0
	"$BUILD/tests/replayed" h-*.vml >again
	diff again <(head -n "$(wc -l <again)" out) >&2
	[ "$(wc -l <again)" -ge 10 ]
	rm h-*.vml
	in_background -j -d 0.005 --hindsight 60m --hindsight-memory 1M --stall off -o h
	until_true "more than 1M" printed 60
	kill -USR1 "$pid"
	until_true "a file" said 1
	kill "$pid"
	ends 0
	[[ $(cat err) == *"fewer than asked for: --hindsight-memory is too little; nothing lost" ]] || fail "$(cat err)"
}

@test "--hindsight says at once where it cannot write" {
	refuse 1 "cannot record to missing: No such file or directory" --hindsight 10 -o missing/h
}

# ---- snapshot

@test "a snapshot has what doctor says" {
	run -0 --separate-stderr "$vmalock" snapshot -t 0.05 -d 0.01 -o s.vml
	[[ $stderr == "vmalock snapshot: s.vml: "*"; nothing lost" ]]
	has_intervals s.vml 1
	diff <(sql s.vml "SELECT text FROM info WHERE name = 'doctor'" | sed '/^$/d') <("$vmalock" doctor --json) >&2
	[ "$(sql s.vml "SELECT text ->> '$.backend.name' FROM info")" = tracepoint ]
}

@test "a snapshot where nothing can be observed has what doctor says, too" {
	VML_FAKE_ERROR=unsupported run -4 --separate-stderr "$vmalock" snapshot -o s.vml
	[[ ${stderr_lines[0]} == "vmalock snapshot: this kernel (5.10.0) has no mmap_lock tracepoints"* ]]
	[[ ${stderr_lines[1]} == "vmalock snapshot: s.vml has only what doctor says" ]]
	[ "$(sql s.vml "SELECT json_array_length(text -> '$.capabilities') > 10 FROM info")" = 1 ]
	[ "$(intervals_of s.vml)" = 0 ]
	run -2 --separate-stderr "$vmalock" snapshot -o s2.vml unexpected
	[ ! -e s2.vml ]
}

# names FILE.json: every name of somebody or something that is in it, a line each; a kernel thread is
# what it does
names()
{
	jq -r '([.blockers[]?.context] | unique) as $doing | .host.name, .host.boot_id,
		(.processes[], .threads[], .blockers[]? | .comm, .target_comm),
		(.processes[], .blockers[]? | .cgroup | select(.) | split("/")[]),
		(.cgroups[]? | .victim, .blocker | split("/")[]),
		(.vmas[] | select(.kind == "file") | .name),
		(.stalls[]? | .comm, .holder_comm),
		(.stacks[]? | .comm, .modules[].file, (.frames[.kernel_frames:][])) |
		select(. and (IN($doing[]) | not))' "$1" |
		sed 's/+0x[0-9a-f]*$//' | grep -vxE '|\(untracked\)|\[.*\]' | sort -u
}

@test "--redact: no name is left anywhere in the file" {
	export VML_FAKE_STATE=stalled
	run -0 --separate-stderr "$vmalock" record -j -d 0.01 -t 0.1 -o plain.vml
	printf '%s\n' "$output" >plain.json
	run -0 --separate-stderr "$vmalock" snapshot --redact -d 0.01 -t 0.1 -o secret.vml --cgroup /
	names plain.json >names
	printf '%s\n' secret.vml "$BATS_TEST_TMPDIR" >>names
	[ "$(wc -l <names)" -gt 20 ] || fail "$(cat names)"
	local name
	while read -r name; do
		grep -qaF -- "$name" plain.vml || [[ $name == secret.vml || $name == "$BATS_TEST_TMPDIR" ]] ||
			fail "$name is not even in the plain one" || return
		! grep -qaF -- "$name" secret.vml || fail "'$name' is in the redacted file" || return
	done <names
	# the command line is in the file, too, with what was overruled
	run -2 --separate-stderr "$vmalock" snapshot --redact -o one.vml -o two.vml
	[ "$stderr" = "vmalock snapshot: --redact: -o and --cgroup once each" ]
	run -2 --separate-stderr "$vmalock" snapshot --cgroup /one --cgroup /two --redact -o two.vml
	[ "$stderr" = "vmalock snapshot: --redact: -o and --cgroup once each" ]
	[ ! -e two.vml ]
}

@test "--redact: rows can still be told apart, joined and added up" {
	export VML_FAKE_STATE=stalled
	run -0 --separate-stderr "$vmalock" record -d 0.01 -t 0.1 -o plain.vml
	run -0 --separate-stderr "$vmalock" snapshot --redact -d 0.01 -t 0.1 -o secret.vml
	[ "$(sql secret.vml 'SELECT host, boot_id, kernel, options FROM config')" = \
		"host-1|boot-1|6.12.0-fake|vmalock snapshot --redact -d 0.01 -t 0.1 -o file-1" ]
	local q
	for q in 'SELECT pid, tid, context, lock, start, "end", target_pid, scope FROM who ORDER BY 1, 2, 3, 4, 5, 6, 7, 8' \
		'SELECT count(DISTINCT comm), count(DISTINCT cgroup), count(DISTINCT name), count(DISTINCT target) FROM who' \
		'SELECT faults, wait_ns, blamed_ns FROM interval WHERE id = 1' \
		"SELECT function FROM frames f JOIN trace t ON t.id = f.trace WHERE depth < kernel_frames AND interval = 1 ORDER BY 1" \
		'SELECT a.pid, b.pid FROM processes a JOIN blockers b ON a.comm = b.target AND a.interval = b.interval WHERE a.interval = 1 ORDER BY 1, 2'; do
		diff <(sql plain.vml "$q") <(sql secret.vml "$q") >&2 || fail "$q" || return
	done
	[ "$(sql secret.vml "SELECT count(*) FROM who WHERE comm NOT LIKE 'comm-%' AND comm != '(untracked)'")" = 0 ]
	[ "$(sql secret.vml "SELECT count(*) FROM who WHERE cgroup NOT LIKE '/cgroup-%' AND cgroup != '/'")" = 0 ]
	[ "$(sql secret.vml "SELECT count(*) > 0 FROM who WHERE cgroup LIKE '/cgroup-%/cgroup-%'")" = 1 ]
}
