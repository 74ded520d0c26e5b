#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# tests/vm/run without a virtual machine.

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
