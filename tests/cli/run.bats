#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# tests/run: what fails is run once more, and that is said.

bats_require_minimum_version 1.5.0

setup()
{
	tree=$BATS_TEST_TMPDIR/tree
	mkdir -p "$tree/tests/vm"
	cp "$BATS_TEST_DIRNAME/../run" "$tree/tests"
	cd "$tree"
}

# program NAME TIMES: a test program that fails so many times; NAME.times has how often it was run
program()
{
	: >"$1.c"
	mkdir -p build/tests
	cat >"build/tests/$1" <<-EOF
		#!/bin/bash
		echo >>$1.times
		echo 1..3
		echo ok 1 always
		[ "\$(wc -l <$1.times)" -gt $2 ] || echo -n 'not '
		echo ok 2 at last
		echo ok 3 never \# skip for a reason
	EOF
	chmod +x "build/tests/$1"
}

# tests_run ARGS...: its lines without how long steps took
tests_run()
{
	run env -u SECOND_TRIES "${with[@]}" tests/run "$@"
	mapfile -t lines < <(sed '/^  [0-9]* s$/d; /^        /d' <<<"$output")
	printf '%s\n' "${lines[@]}"
}

says()
{
	[ "$(printf '%s\n' "${lines[@]}")" = "$(cat)" ]
}

@test "what fails once is run again, and both are said" {
	program some 1
	tests_run some.c
	[ "$status" = 0 ]
	says <<-'EOF'
		some.c
		  once  unit/some: at last
		  ok    unit/some: 2 passed, 0 failed, 1 skipped
		  skip  unit/some: never: for a reason
		failed once: unit/some: at last
		2 passed, 0 failed, 1 skipped
	EOF
	[ "$(wc -l <some.times)" = 2 ]
}

@test "what fails again has failed" {
	program some 2
	tests_run some.c
	[ "$status" = 1 ]
	says <<-'EOF'
		some.c
		  once  unit/some: at last
		  FAIL  unit/some: 1 passed, 1 failed, 1 skipped
		  FAIL  unit/some: at last
		  skip  unit/some: never: for a reason
		failed once: unit/some: at last
		1 passed, 1 failed, 1 skipped
	EOF
	[ "$(wc -l <some.times)" = 2 ]
}

@test "no more than two are run again, and none when none is to be" {
	for name in a b c; do
		program $name 1
	done
	tests_run a.c b.c c.c
	[ "$status" = 1 ]
	[ "${lines[-1]}" = '5 passed, 1 failed, 3 skipped' ]
	[ "$(cat ./*.times | wc -l)" = 5 ]
	rm ./*.times
	with=(SECOND_TRIES=0)
	tests_run a.c b.c c.c
	[ "$status" = 1 ]
	[ "${lines[-1]}" = '3 passed, 3 failed, 3 skipped' ]
	[ "$(cat ./*.times | wc -l)" = 3 ]
}

@test "what a sanitizer finds, or a crash, is not tried again" {
	local said
	for said in 'ERROR: AddressSanitizer: heap-use-after-free' 'x.c:1:2: runtime error: overflow' 'Segmentation fault'; do
		rm -f some.times
		program some 1
		sed -i "2i echo '# $said'" build/tests/some
		tests_run some.c
		[ "$status" = 1 ]
		[ "${lines[-1]}" = '1 passed, 1 failed, 1 skipped' ]
		[ "$(wc -l <some.times)" = 1 ]
	done
}

# guests TIMES: b fails so many times; a file each has what it was called with
guests()
{
	cat >tests/vm/run <<-EOF
		#!/bin/bash
		echo "\$*: \${VM_LOADS-none}" >>calls
		if [ "\$2" = fast ]; then names='a b c'; else names=\$2; fi
		mkdir -p results
		for name in \$names; do
			echo 'ok 1 reported' >results/\$name.tap
			if [ \$name = b ] && [ \$(wc -l <calls) -le $1 ]; then
				mkdir results/b
				echo 'not ok 2 counted' >>results/b.tap
			fi
			echo results/\$name.tap
		done
		! grep -q '^not' results/*.tap
	EOF
	chmod +x tests/vm/run
}

@test "a guest that fails is booted again when no other is, and what it left is kept" {
	guests 1
	tests_run vm
	[ "$status" = 0 ]
	says <<-'EOF'
		vm
		  ok    vm/a: 1 passed, 0 failed, 0 skipped
		  ok    vm/c: 1 passed, 0 failed, 0 skipped
		  once  vm/b: counted
		  ok    vm/b: 1 passed, 0 failed, 0 skipped
		failed once: vm/b: counted
		3 passed, 0 failed, 0 skipped
	EOF
	[ "$(cat calls)" = $'-p fast: none\n-p b: fast' ]
	[ -d results/b-once ]
	grep -q '^not ok' results/b-once.tap
	guests 9
	rm -r calls results
	tests_run vm
	[ "$status" = 1 ]
	[ "${lines[-1]}" = '3 passed, 1 failed, 0 skipped' ]
}
