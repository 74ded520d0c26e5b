# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# shellcheck shell=bash
# Of tests that observe this host: why that is not possible, in $CANNOT; "" when it is.

setup_file()
{
	local rc=0 said
	export CANNOT=''
	if [ "$(id -u)" != 0 ]; then
		CANNOT='loading BPF programs needs root'
		return
	fi
	said=$("$BUILD/bin/vmalock" doctor 2>&1 >/dev/null) || rc=$?
	[ $rc != 4 ] || CANNOT=$said
	[ $rc = 0 ] || [ $rc = 4 ] || fail "doctor: exit status $rc: $said"
}
