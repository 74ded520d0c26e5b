# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# shellcheck shell=bash
# What tests share that wait for programs; nothing waits longer than $PATIENCE seconds.

PATIENCE=${PATIENCE:-60}

fail()
{
	printf '%s\n' "$*" >&2
	return 1
}

# until_true WHAT COMMAND...: polls
until_true()
{
	local what=$1 end=$((SECONDS + PATIENCE))
	shift
	until "$@"; do
		[ $SECONDS -lt $end ] || fail "waited $PATIENCE s for $what" || return
		sleep 0.1
	done
}

# end_all PID...: by SIGTERM; those that are over already, too
end_all()
{
	local pid
	for pid in "$@"; do
		kill "$pid" 2>/dev/null || :
		wait "$pid" 2>/dev/null || :
	done
}
