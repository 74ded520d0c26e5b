#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# The n-th allocation or system call fails while this host is observed.

load ../bpf/lib
load lib

observe_calls=(bpf:ENOMEM bpf:EINVAL openat:EMFILE)
# what a sanitizer maps for itself must not fail
PLAIN=$(realpath "$BATS_TEST_DIRNAME/../..")/build

@test "vmalocktop" {
	fails 5 alloc "${observe_calls[@]}" -- -x -f 1,4 "$BUILD/bin/vmalocktop" -b -n 1 -d 0.1
	fails 2 alloc+ -- -x -f 1,4 "$BUILD/bin/vmalocktop" -b -n 1 -d 0.1
}

@test "vmalock record and snapshot" {
	fails 4 alloc bpf:ENOMEM -- -x -f 1,4 "$BUILD/bin/vmalock" record -t 0.1 -o r.vml
	fails 3 pwrite64:ENOSPC fsync,fdatasync:EIO -- -x "$BUILD/bin/vmalock" record -t 0.1 -o r.vml
	fails 3 alloc bpf:EPERM -- -x -f 1,4 "$BUILD/bin/vmalock" snapshot -t 0.1 -o r.vml
}

@test "vmalock doctor" {
	fails 4 alloc bpf:ENOMEM bpf:EINVAL -- -x -f 1,4 "$BUILD/bin/vmalock" doctor
}

@test "vmalock doctor --cost, when the kernel does not say what its programs did: no wrong usage" {
	local sweep=("$BUILD/tests/sweep" -w bpf:EINVAL -x -f 1,4) cost=("$BUILD/bin/vmalock" doctor --cost)
	[[ $("${sweep[@]}" -c 1 "${cost[@]}") =~ [0-9]+\ of\ ([0-9]+)\ tried ]]
	# the last calls are that
	"${sweep[@]}" -n $((BASH_REMATCH[1] - 2)) "${cost[@]}"
}

@test "vmalockd: start, an interval, end" {
	local says=(-x -f 1,4 -t 'serving metrics' -e level=error -e level=warn -e vmalockd:)
	fails 3 alloc bpf:EPERM openat:EMFILE -- "${says[@]}" "$BUILD/bin/vmalockd" --user root --seccomp off \
		-d 0.15 --history h.db --web.listen-address 127.0.0.1:0 --api-socket d.sock
}

@test "no memory to map" {
	[ -x "$PLAIN/bin/vmalocktop" ] || skip "$PLAIN is not built: calls of mmap that fail are not covered"
	fails 5 mmap:ENOMEM -- -x -f 1,4 "$PLAIN/bin/vmalocktop" -b -n 1 -d 0.1
}
