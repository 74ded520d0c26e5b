#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# The n-th allocation or system call fails: what reads files, and what observes, on an
# invented source.  Programs that observe this host are in live.bats.

load ../build
load lib

# what a sanitizer maps for itself must not fail
PLAIN=$(realpath "$BATS_TEST_DIRNAME/../..")/build

setup_file()
{
	cd "$BATS_FILE_TMPDIR"
	for kind in foreign healthy calmed; do
		"$BUILD/tests/recorded" $kind $kind
	done
}

setup()
{
	unset "${!VML_FAKE_@}" NOTIFY_SOCKET WATCHDOG_USEC WATCHDOG_PID JOURNAL_STREAM
	foreign=$BATS_FILE_TMPDIR/foreign healthy=$BATS_FILE_TMPDIR/healthy calmed=$BATS_FILE_TMPDIR/calmed
	vmalock=$BUILD/bin/vmalock
	files=(openat:EMFILE openat:EACCES read:EIO pread64:EIO write:ENOSPC write:EIO)
}

@test "vmalock report" {
	fails 12 alloc alloc+ "${files[@]}" -- "$vmalock" report "$foreign"
	fails 12 alloc alloc+ -- "$vmalock" report -j -H -p 991,1200 "$foreign"
	fails 12 alloc alloc+ "${files[@]}" -- "$vmalock" report --html -o page.html "$calmed"
	fails 6 alloc -- "$vmalock" report --folded "$foreign"
	fails 6 alloc -- "$vmalock" report --intervals --since @0 "$calmed"
}

@test "vmalock diff" {
	fails 12 alloc alloc+ "${files[@]}" -- -f 2 "$vmalock" diff "$healthy" "$foreign"
	fails 8 alloc alloc+ -- -f 2 "$vmalock" diff -j -p 991,1200 "$healthy" "$foreign"
}

@test "vmalock diagnose" {
	fails 12 alloc alloc+ "${files[@]}" -- -f 2 "$vmalock" diagnose "$foreign"
	fails 8 alloc alloc+ -- -f 2 "$vmalock" diagnose -j -p 991,1200 "$foreign"
}

@test "vmalocktop -r" {
	fails 12 alloc alloc+ "${files[@]}" -- "$BUILD/bin/vmalocktop" -b -r "$foreign"
	fails 8 alloc -- "$BUILD/bin/vmalocktop" -j -p 991,1200 -r "$calmed"
}

@test "vmalocktop, of an invented host" {
	fails 12 alloc alloc+ write:ENOSPC -- "$BUILD/tests/vmalocktop-fake" -b -n 1 -d 0.01
}

@test "vmalock record, snapshot, report, diagnose, doctor, of an invented host" {
	local fake=$BUILD/tests/vmalock-fake
	fails 12 alloc alloc+ openat:EMFILE pwrite64:ENOSPC fsync,fdatasync:EIO ftruncate:EIO unlink:EACCES -- \
		"$fake" record -t 0.03 -d 0.01 -o r.vml
	fails 8 alloc alloc+ pwrite64:EIO -- "$fake" snapshot -t 0.03 -d 0.01 --redact -o r.vml
	fails 8 alloc alloc+ -- "$fake" report -t 0.03
	fails 8 alloc alloc+ -- -f 2 "$fake" diagnose -t 0.03
	fails 8 alloc alloc+ write:ENOSPC -- "$fake" doctor
	fails 8 alloc -- "$fake" doctor -j
}

@test "vmalock record with a command: its own status for a failure of ours" {
	fails 12 alloc openat:EMFILE clone:EAGAIN -- -f 125 "$BUILD/tests/vmalock-fake" record -d 0.01 -o r.vml -- sleep 0.02
}

@test "vmalockd, of an invented host: start, an interval, end" {
	local daemon=("$BUILD/tests/vmalockd-fake" --user root --seccomp off -d 0.15 --history h.db
		--web.listen-address 127.0.0.1:0 --api-socket d.sock)
	local says=(-x -t 'serving metrics' -e level=error -e level=warn -e vmalockd:)
	fails 12 alloc alloc+ openat:EMFILE pwrite64:ENOSPC fsync,fdatasync:EIO -- "${says[@]}" "${daemon[@]}"
	fails 6 alloc -- "${says[@]:0:3}" -e '"level":"error"' -e '"level":"warn"' -e vmalockd: "${daemon[@]}" --log.format json
}

@test "no memory to map" {
	[ -x "$PLAIN/tests/vmalockd-fake" ] || skip "$PLAIN is not built: calls of mmap that fail are not covered"
	fails 8 mmap:ENOMEM -- "$PLAIN/bin/vmalock" report "$calmed"
	fails 8 mmap:ENOMEM -- "$PLAIN/tests/vmalock-fake" record -t 0.03 -d 0.01 -o r.vml
	fails 8 mmap:ENOMEM -- -x -t 'serving metrics' -e level=error -e level=warn -e vmalockd: \
		"$PLAIN/tests/vmalockd-fake" --user root -d 0.15 --history h.db --web.listen-address 127.0.0.1:0 \
		--api-socket d.sock
}
