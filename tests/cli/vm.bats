#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# tests/vm/run without a virtual machine, and tests/vm/fetch without a mirror.

bats_require_minimum_version 1.5.0
load ../until

setup()
{
	command -v busybox >/dev/null && command -v cpio >/dev/null || skip "busybox and cpio are not installed"
	tree=$BATS_TEST_TMPDIR/tree
	mkdir -p "$tree"/{tests,bin,build/bin,build/tests,build/vm/cache}
	cp -r "$BATS_TEST_DIRNAME/../vm" "$tree/tests"
	cp "$(type -P true)" "$tree/build/bin/vmalock"
	cp "$(type -P true)" "$tree/build/tests/around"
	# a kernel that is there, and a machine that never ends
	printf '#!/bin/sh\necho "$0"\n' >"$tree/tests/vm/fetch"
	printf '#!/bin/bash\necho $$ >>"%s/machines"\nexec sleep 1000\n' "$tree" >"$tree/bin/qemu-system-x86_64"
	cp "$tree/bin/qemu-system-x86_64" "$tree/bin/qemu-system-aarch64"
	chmod +x "$tree/tests/vm/fetch" "$tree"/bin/*
	: >"$tree/machines"
}

teardown()
{
	local pid
	while read -r pid; do
		kill "$pid" 2>/dev/null || :
	done <"$tree/machines"
}

machines()
{
	[ "$(wc -l <"$tree/machines")" = "$1" ]
}

gone()
{
	local pid
	while read -r pid; do
		! kill -0 "$pid" 2>/dev/null || return
	done <"$tree/machines"
}

@test "a run that is killed leaves no machine" {
	local names status=0
	mapfile -t names < <(awk -v arch="$(uname -m)" '!/^#/ && $2 == arch { print $1 }' "$tree/tests/vm/kernels" | head -n 2)
	env -u VM_RESULTS PATH="$tree/bin:$PATH" MAKE=true BUILD=build VM_CACHE="$tree/build/vm/cache" \
		"$tree/tests/vm/run" "${names[@]}" >"$tree/out" 2>&1 3>&- &
	pid=$!
	until_true "two machines" machines 2
	kill "$pid"
	wait "$pid" || status=$?
	[ "$status" = 130 ] || { cat "$tree/out"; return 1; }
	until_true "no machine" gone
}

# machine N TEXT [REPORT]: the first N boots end with TEXT on the console and REPORT, each later one
# with a whole report
machine()
{
	cat >"$tree/bin/qemu-system-x86_64" <<-END
		#!/bin/bash
		echo boot >>"$tree/boots"
		report=\$(printf '%s\n' "\$@" | sed -n 's,^file:\(.*/report\)\$,\1,p')
		echo "up 5.0" >"\$report"
		if [ "\$(wc -l <"$tree/boots")" -le $1 ]; then
			printf '%s\r\n' 'a line before' '$2' 'RAX: 1'
			printf '${3:-}' >>"\$report"
		else
			printf 'status 0\nend\n' >>"\$report"
		fi
	END
}

boot_it()
{
	mkdir -p "$tree/root"
	run -"$1" env PATH="$tree/bin:$PATH" "$tree/tests/vm/boot" x86_64 "$tree/kernel" "$tree/root" "$tree/out" true
}

@test "a breakpoint that the emulator kept is no result: it boots again" {
	machine 2 '[   22.6] Oops: int3: 0000 [#1] PREEMPT SMP NOPTI'
	boot_it 0
	grep -x boots=3 "$tree/out.run"
	[ -e "$tree/out.console-1" ] && [ -e "$tree/out.console-2" ]
	run -0 "$tree/tests/vm/judge" 6.12 "$tree/out" 0
	[[ $output == *"ok 2 the first boot # skip "*"booted 3 times"* ]]
}

@test "also where it was the end of a process only" {
	machine 1 'Oops: int3: 0000 [#1] SMP' 'status 0\nend\n'
	boot_it 0
	grep -x boots=2 "$tree/out.run"
}

@test "files that did not come back whole are no result" {
	machine 1 '' 'status 0\n'
	boot_it 125
	grep -x boots=1 "$tree/out.run"
}

@test "who hangs before init is not waited for until the end" {
	machine 0 ''
	sed -i '2a [ -e "$0.again" ] || { >"$0.again"; exec sleep 1000; }' "$tree/bin/qemu-system-x86_64"
	# which does not end it
	printf '#!/bin/sh\nshift 3\nexec "$@"\n' >"$tree/bin/timeout"
	chmod +x "$tree/bin/timeout"
	mkdir -p "$tree/root"
	run -0 env PATH="$tree/bin:$PATH" "$tree/tests/vm/boot" -t 9 x86_64 "$tree/kernel" "$tree/root" "$tree/out" true
	grep -x boots=2 "$tree/out.run"
}

@test "but it does not boot for ever" {
	machine 9 'int3: 0000 [#1] SMP'
	boot_it 125
	grep -x boots=5 "$tree/out.run"
}

@test "any other crash is one, and is shown from its first line" {
	machine 1 'BUG: kernel NULL pointer dereference, address: 0000000000000008'
	boot_it 125
	grep -x boots=1 "$tree/out.run"
	run -0 "$tree/tests/vm/judge" 6.12 "$tree/out" 125
	[[ $output == *"it crashed"*"# BUG: kernel NULL pointer"*"# RAX: 1"* ]]
	[[ $output != *"a line before"* && $output != *"first boot"* ]]
}

# mirror RELEASE...: has these kernels; what the lists say of it is of the last update
mirror()
{
	local release dir=$tree/package
	rm -rf "$tree/pool" && mkdir -p "$tree/pool"
	for release in "$@"; do
		rm -rf "$dir" && mkdir -p "$dir"/{DEBIAN,boot}
		echo "$release" >"$dir/boot/vmlinuz-$release"
		printf 'Package: linux-image-%s\nVersion: 1\nArchitecture: amd64\nMaintainer: a <a@example.org>\nDescription: x\n' \
			"$release" >"$dir/DEBIAN/control"
		dpkg-deb -b "$dir" "$tree/pool/linux-image-$release.deb" >/dev/null
	done
	cp "$BATS_TEST_DIRNAME/../vm/fetch" "$tree/tests/vm/fetch"
	cat >"$tree/bin/apt-get" <<-END
		#!/bin/bash
		sources=\$(printf '%s\n' "\$@" | sed -n 's/^Dir::Etc::SourceParts=//p')/debian.sources
		case " \$* " in
		*' indextargets '*) echo 'Debian bookworm http://mirror.example/debian' ;;
		*' update '*)
			echo update >>"$tree/updates"
			for suite in \$(sed -n 's/^Suites: //p' "\$sources"); do
				! grep -qsx "\$suite" "$tree/gone" || { rc=100 &&
					echo "E: The repository 'http://mirror.example/debian \$suite Release' does not have a Release file."; }
			done
			grep -q '^Suites: *[a-z]' "\$sources" || { rc=100 && echo 'E: Malformed entry 1 (Suite)'; }
			[ -z "\${rc:-}" ] || exit \$rc
			cp "\$sources" "$tree/sources"
			ls "$tree/pool" | sed 's/\.deb\$//' >"$tree/lists"
			;;
		*' download '*) cp "$tree/pool/\${!#}.deb" . || { echo 'E: 404'; exit 100; } ;;
		esac
	END
	printf '#!/bin/sh\ncat "%s/lists"\n' "$tree" >"$tree/bin/apt-cache"
	chmod +x "$tree"/bin/apt-*
}

fetch()
{
	run -"$1" --separate-stderr env PATH="$tree/bin:$PATH" VM_CACHE="$tree/cache" "$tree/tests/vm/fetch" "${@:2}"
}

@test "lists that are older than the mirror are made again" {
	mirror 6.1.0-5-cloud-amd64
	fetch 0 6.1
	[ "$output" = "$tree/cache/kernels/6.1.0-5-cloud-amd64/vmlinuz" ]
	mirror 6.12.8-cloud-amd64
	echo linux-image-6.12.7-cloud-amd64 >"$tree/lists" # is gone from the mirror, and what is there is unknown
	fetch 0 6.12
	[ "$(cat "$output")" = 6.12.8-cloud-amd64 ]
	[ "$(wc -l <"$tree/updates")" = 2 ]
	# a kernel that there was none of
	mirror 7.0.1-cloud-amd64
	fetch 0 7.0 6.12
	[ "${lines[0]}" = "$tree/cache/kernels/7.0.1-cloud-amd64/vmlinuz" ]
	[ "${lines[1]}" = "$tree/cache/kernels/6.12.8-cloud-amd64/vmlinuz" ]
}

@test "a kernel of which half came is none" {
	mirror 6.1.0-5-cloud-amd64
	mkdir -p "$tree/cache/kernels/6.1.0-5-cloud-amd64.new/boot"
	echo half >"$tree/cache/kernels/6.1.0-5-cloud-amd64.new/boot/vmlinuz"
	fetch 0 6.1
	[ "$(cat "$output")" = 6.1.0-5-cloud-amd64 ]
	truncate -s 300 "$tree/pool/"*.deb
	rm -rf "$tree/cache/kernels"
	fetch 1 6.1
	[ "$(find "$tree/cache/kernels" -name 'vmlinuz*')" = "" ]
}

@test "a suite that is gone costs no other one" {
	printf '%s\n' bookworm-backports sid >"$tree/gone"
	mirror 6.1.0-5-cloud-amd64
	fetch 0 6.1
	grep -x 'Suites: bookworm trixie trixie-backports' "$tree/sources"
	[[ $stderr == *"http://mirror.example/debian has no sid any more"* ]]
	# but one that all are gone from is no mirror
	printf '%s\n' bookworm bookworm-backports trixie trixie-backports sid >"$tree/gone"
	rm -rf "$tree/cache"
	: >"$tree/updates"
	fetch 1 6.1 6.12
	[[ $stderr == *"apt-get update failed"* ]]
	[ "$(wc -l <"$tree/updates")" = 2 ] # with and without them; not again for another kernel
}
