#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# The screen of what vmalockd sees: vmalocktop --connect.

load lib
load ../cli/daemon

serve()
{
	local fake=("$(dirname "$FAKE")/vmalockd-fake" --user root --history off)
	nm "${fake[0]}" | grep -q __asan_init && fake+=(--seccomp off)
	daemon_start d "${fake[@]}" -d 0.2
}

@test "all views; a daemon that ends and comes back is said, what was seen stays" {
	serve
	start 160 24 -- --connect="$BATS_TEST_TMPDIR/d.sock"
	see '^host  .* vmalockd, over 1.0s  per second'
	see '^> +1200 .* mysqld$'
	keys 5
	see '^> +991 .* metrics-agent$'
	keys Enter
	see 'mmap_lock of mysqld .1200., held to read'
	keys Escape 7
	see '^tracepoint backend'
	keys 1
	daemon_stop d
	see '^cannot connect to .*d.sock: there' # cut where the folder has a long name
	see '^> +1200 .* mysqld$'
	serve
	see 'vmalockd was started anew'
	see_not 'cannot connect'
	see '^> +1200 .* mysqld$'
	keys q
	see '^exit 0'
	daemon_stop d
}
