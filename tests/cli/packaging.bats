#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# What make install lays out for systemd.

bats_require_minimum_version 1.5.0

setup()
{
	root=$BATS_TEST_TMPDIR/root
	make -C "$BATS_TEST_DIRNAME/../.." --no-print-directory install-data DESTDIR="$root" PREFIX=/usr >/dev/null
	units=$root/usr/lib/systemd/system
	# for systemd-analyze: a program that is there
	sed -i 's|/usr/bin/vmalockd|/bin/true|' "$units/vmalockd.service"
}

# right UNIT...: systemd says nothing of them; of what this host has beside them it may
right()
{
	run systemd-analyze verify --man=no "$@"
	! grep vmalockd <<<"$output"
}

@test "the units are right for systemd" {
	right "$units/vmalockd.service" "$units/vmalockd.socket"
	install -D -m 644 "$root/usr/share/doc/vmalock/symbols.conf" "$units/vmalockd.service.d/symbols.conf"
	right "$units/vmalockd.service"
	# it would be seen
	echo 'Nonsense=yes' >>"$units/vmalockd.service"
	! right "$units/vmalockd.service" || return 1
}

@test "the service has few privileges, as systemd counts them" {
	run -0 systemd-analyze security --offline=true --threshold=25 "$units/vmalockd.service"
	[[ $output == *"Overall exposure level for vmalockd.service: "*" OK"* ]]
	# three capabilities, and no others
	grep -qx 'AmbientCapabilities=CAP_BPF CAP_PERFMON CAP_SYSLOG' "$units/vmalockd.service"
	grep -qx 'CapabilityBoundingSet=CAP_BPF CAP_PERFMON CAP_SYSLOG' "$units/vmalockd.service"
	grep -qx 'User=vmalock' "$units/vmalockd.service"
	cat "$units/vmalockd.service" "$root/usr/share/doc/vmalock/symbols.conf" >"$BATS_TEST_TMPDIR/vmalockd.service"
	run -0 systemd-analyze security --offline=true --threshold=25 "$BATS_TEST_TMPDIR/vmalockd.service"
}

@test "the filter of the service lets through what our own filter needs and lets through" {
	local all call allowed
	# calls of a group, as this systemd has them
	group()
	{
		local name
		for name in $(systemd-analyze syscall-filter "$1" | sed -n '2,$s/^ *\([a-z0-9_@-]*\)$/\1/p'); do
			case $name in
			@*) group "$name" ;;
			*) echo "$name" ;;
			esac
		done
	}
	allowed=$(
		{
			group @system-service | sort -u | comm -23 - <({ group @privileged; group @resources; } | sort -u)
			group @chown
			printf '%s\n' bpf perf_event_open seccomp capset
		} | sort -u
	)
	all=$(sed -n '/^static const int allowed/,/^};/p' "$BATS_TEST_DIRNAME/../../src/daemon/filter.c" |
		grep -o 'SCMP_SYS([a-z0-9_]*)' | sed 's/.*(\(.*\))/\1/')
	[ "$(wc -l <<<"$all")" -gt 50 ]
	for call in $all socket ioctl prctl capget execve arch_prctl; do
		grep -qx "$call" <<<"$allowed" || { echo "$call is not allowed by the unit"; return 1; }
	done
}

@test "make install leaves options alone that were changed" {
	grep -qx 'ARGS=""' "$root/etc/default/vmalockd"
	echo 'ARGS="--max-overhead 2%"' >"$root/etc/default/vmalockd"
	make -C "$BATS_TEST_DIRNAME/../.." --no-print-directory install-data DESTDIR="$root" PREFIX=/usr >/dev/null
	[ "$(cat "$root/etc/default/vmalockd")" = 'ARGS="--max-overhead 2%"' ]
	grep -qx "ExecStart=/usr/bin/vmalockd \$ARGS" "$units/vmalockd.service"
}

@test "sysusers makes user and group" {
	mkdir -p "$root/etc"
	run -0 systemd-sysusers --root="$root" "$root/usr/lib/sysusers.d/vmalock.conf"
	grep -q '^vmalock:' "$root/etc/passwd"
	grep -q '^vmalock:[^:]*:[0-9]*:$' "$root/etc/group"
}
