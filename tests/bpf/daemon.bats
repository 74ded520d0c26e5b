#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# vmalockd on this kernel: what it counts, what it may, what it leaves behind.

load lib
load ../cli/daemon

# the last two tests take SOAK seconds when it is set (make soak)
export BATS_TEST_TIMEOUT=$((300 + 2 * ${SOAK:-0}))

# as one would be started by hand; the guard is a test of its own
setup()
{
	[ -z "$CANNOT" ] || skip "$CANNOT"
	# the daemon becomes a user who must find his files
	chmod 711 "$BATS_RUN_TMPDIR" "$(dirname "$BATS_TEST_TMPDIR")" "$BATS_TEST_TMPDIR"
	state=$BATS_TEST_TMPDIR/state
	install -d -o nobody "$state"
	vmalockd=("$BUILD/bin/vmalockd" --user nobody --seccomp kill --history "$state/history.db" --max-overhead off)
	nm "$BUILD/bin/vmalockd" | grep -q __asan_init && vmalockd+=(--seccomp off)
	by_hand=("${vmalockd[@]}" -d 0.5)
}

teardown()
{
	programs_end
	daemons_end
}

# of_all_threads NAME FIELD: its values in /proc, each once
of_all_threads()
{
	sed -n "s/^$2:[[:space:]]*//p" /proc/"${daemon_of[$1]}"/task/*/status | sort -u
}

# history SQL: what the one that daemon d has closed says
history()
{
	sqlite3 "$state/history.db" "$1"
}

# faults_of NAME PID: of that process since the start, as the API has them
faults_of()
{
	api "$1" snapshot | jq "[.processes[] | select(.pid == $2) | .faults] | add // 0"
}

@test "privileges: another user, no capability, no new ones, a filter; and it counts" {
	local load
	daemon_start d "${by_hand[@]}"
	[ "$(of_all_threads d Threads)" -gt 1 ]
	[ "$(of_all_threads d Uid)" = "$(printf '65534\t65534\t65534\t65534')" ]
	for set in CapInh CapPrm CapEff CapBnd CapAmb; do
		[ "$(of_all_threads d $set)" = 0000000000000000 ] || fail "$set: $(of_all_threads d $set)"
	done
	[ "$(of_all_threads d NoNewPrivs)" = 1 ]
	nm "$BUILD/bin/vmalockd" | grep -q __asan_init || [ "$(of_all_threads d Seccomp)" = 2 ]
	said d 'capabilities_kept=none uid=65534'
	load_start l faults -t 2
	load_go l
	load=${pid_of[l]}
	until_true 'its faults' eval '[ "$(faults_of d '"$load"')" -ge 1000 ]'
	load_end l
	daemon_stop d
}

@test "privileges: as the unit starts it, with three capabilities; names of the kernel are known" {
	local caps='+bpf,+perfmon,+syslog' frames
	setpriv --reuid 65534 --clear-groups test -x "$BUILD/bin/vmalockd" || skip "user 65534 cannot read $BUILD"
	chown nobody "$BATS_TEST_TMPDIR"
	daemon_start d setpriv --reuid 65534 --regid 65534 --clear-groups --inh-caps "$caps" --ambient-caps "$caps" \
		--bounding-set "-all,$caps" "${by_hand[@]}" --stacks-over 1us
	for set in CapInh CapPrm CapEff CapAmb; do
		[ "$(of_all_threads d $set)" = 0000000000000000 ] || fail "$set: $(of_all_threads d $set)"
	done
	[ "$(of_all_threads d NoNewPrivs)" = 1 ]
	"$BUILD/bin/vmalock" load shared -t 4 --seconds 2 >/dev/null
	# first looked up long after CAP_SYSLOG was dropped
	until_true 'a stack' eval 'frames=$(api d snapshot | jq -c "[.stacks[].frames[]] | unique") && [ "$frames" != "[]" ]'
	[[ $frames == *'_[k]'* || $frames == *do_* || $frames == *sys_* ]] || fail "frames: $frames"
	daemon_stop d
}

@test "privileges: without any, one line that says which" {
	setpriv --reuid 65534 --clear-groups test -x "$BUILD/bin/vmalockd" || skip "user 65534 cannot read $BUILD"
	chown nobody "$BATS_TEST_TMPDIR"
	run -1 --separate-stderr setpriv --reuid 65534 --clear-groups --bounding-set -all timeout 60 "${by_hand[@]}" \
		--web.listen-address 127.0.0.1:0 --api-socket "$BATS_TEST_TMPDIR/x.sock"
	[ "$(grep -c '^level=error' <<<"$stderr")" = 1 ]
	[[ $stderr == *CAP_BPF* && $stderr == *CAP_PERFMON* ]]
}

# vmalocktop and the API have the same interval, in files t and j.
same_delta()
{
	"$BUILD/bin/vmalocktop" --connect "$BATS_TEST_TMPDIR/d.sock" -j -n 1 -d 0.1 >"$BATS_TEST_TMPDIR/t" || return
	api d delta >"$BATS_TEST_TMPDIR/j"
	[ "$(jq .time "$BATS_TEST_TMPDIR/t")" = "$(jq .time "$BATS_TEST_TMPDIR/j")" ]
}

@test "vmalocktop --connect shows what the daemon counts, without privileges" {
	local same='del(.loss.missed_snapshots, .self.bpf_calibrations)' different
	daemon_start d "${vmalockd[@]}" -d 2
	"$BUILD/bin/vmalock" load shared -t 4 --seconds 20 >/dev/null 3>&- &
	pid_of[x]=$!
	until_true 'the same interval' same_delta
	cd "$BATS_TEST_TMPDIR"
	[ "$(jq '.totals.fallbacks > 0 and .loss.missed_snapshots == 0' t)" = true ]
	# all of it, but for the loss that only the way can have, and what recordings leave out
	different=$(diff <(jq -S "$same" t) <(jq -S "$same" j)) || fail "$different"
	daemon_stop d
}

# Metrics and JSON of the same interval, in files m and j.
same_interval()
{
	tcp d /metrics >"$BATS_TEST_TMPDIR/m"
	api d snapshot >"$BATS_TEST_TMPDIR/j"
	tcp d /metrics >"$BATS_TEST_TMPDIR/m2"
	[ "$(sum "$BATS_TEST_TMPDIR/m" vmalock_snapshot_duration_seconds_count)" = \
		"$(sum "$BATS_TEST_TMPDIR/m2" vmalock_snapshot_duration_seconds_count)" ]
}

# Everything was scraped that a new series holds back, so that sums are equal.
equal_sums()
{
	same_interval || return
	local m=$BATS_TEST_TMPDIR/m j=$BATS_TEST_TMPDIR/j
	[ "$(sum "$m" vmalock_faults_total)" = "$(jq .totals.faults "$j")" ] || return
	[ "$(sum "$m" vmalock_faults_total 'path="vma"')" = "$(jq .totals.hits "$j")" ] || return
	[ "$(sum "$m" vmalock_faults_total 'path="mmap"')" = "$(jq .totals.fallbacks "$j")" ] || return
	[ "$(sum "$m" vmalock_faults_total 'mode="kernel"')" = "$(jq .totals.faults_kernel "$j")" ] || return
	[ "$(sum "$m" vmalock_fallbacks_total)" = "$(jq .totals.fallbacks "$j")" ]
}

@test "metrics equal the JSON, under load and after it" {
	daemon_start d "${vmalockd[@]}" -d 2
	"$BUILD/bin/vmalock" load shared -t 4 --seconds 8 >/dev/null 3>&- &
	pid_of[x]=$!
	until_true 'equal sums under load' equal_sums
	wait "${pid_of[x]}"
	unset 'pid_of[x]'
	until_true 'equal sums' equal_sums
	[ "$(jq .totals.faults "$BATS_TEST_TMPDIR/j")" -gt 10000 ]
	tcp d /metrics | promtool check metrics
	[ "$(sum "$BATS_TEST_TMPDIR/m" vmalock_ledger_error_seconds)" = 0 ]
	[ "$(sum "$BATS_TEST_TMPDIR/m" vmalock_foreign_mmap_locks_total)" = 0 ]
	[ "$(sum "$BATS_TEST_TMPDIR/m" vmalock_exported_series)" -le "$(sum "$BATS_TEST_TMPDIR/m" vmalock_exported_series_limit)" ]
	daemon_stop d
}

@test "programs, maps and links are gone after the end, and after SIGKILL" {
	local ids rc=0
	daemon_start d "${by_hand[@]}"
	ids=$(all_ids "${daemon_of[d]}")
	has_ids "$ids"
	daemon_stop d
	until_true 'nothing left' none_left "$ids"
	daemon_start d "${by_hand[@]}"
	ids=$(all_ids "${daemon_of[d]}")
	has_ids "$ids"
	kill -KILL "${daemon_of[d]}"
	daemon_wait d || rc=$?
	[ "$rc" = 137 ]
	until_true 'nothing left' none_left "$ids"
	# the socket of the killed one is in nobody's way, and its history goes on
	daemon_start d "${by_hand[@]}"
	api d snapshot | jq -e '.totals.faults >= 0'
	daemon_stop d
}

@test "stopped for a while: one long interval, nothing lost, no wrong rates" {
	local load intervals faults total
	daemon_start d "${by_hand[@]}"
	load_start l faults -t 2
	load=${pid_of[l]}
	until_true 'the process' eval '[ "$(faults_of d '"$load"')" -gt 0 ]'
	kill -STOP "${daemon_of[d]}"
	load_go l
	sleep 8
	kill -CONT "${daemon_of[d]}"
	sleep 2
	load_end l
	faults=$(jq .faults.total "$BATS_TEST_TMPDIR/l.report")
	[ "$faults" -gt 1000 ]
	total=$(api d snapshot | jq .totals.faults)
	daemon_stop d
	intervals=$BATS_TEST_TMPDIR/intervals
	"$BUILD/bin/vmalock" report "$state/history.db" --intervals >"$intervals"
	# a long interval has it all, and knows how long it was; nothing is made up for
	jq -es --argjson faults "$faults" '[.[] | select(.interval_ns > 7000000000) | .totals.faults] | add >= $faults / 2' \
		"$intervals"
	# two may be short: the one back to the beat, and the last, which ends with the daemon
	jq -es 'map(.interval_ns | select(. <= 7000000000)) | length > 2 and length <= add / 500000000 + 2' "$intervals"
	# nothing that was not observed
	[ "$(history "SELECT count(*) FROM event WHERE kind != 'start'")" = 0 ]
	[ "$(history 'SELECT sum(faults) FROM interval')" -ge "$total" ]
}

@test "UTC is set forward and back: two events in the history, no gap" {
	local step=$BATS_TEST_TMPDIR/step
	! nm "$BUILD/bin/vmalockd" | grep -q __asan_init || skip "ASan wants to be the first that is preloaded"
	# for the daemon alone, while the file is there
	gcc -shared -fPIC -o "$step.so" -x c - <<-END
		#include <sys/syscall.h>
		#include <time.h>
		#include <unistd.h>
		int clock_gettime(clockid_t id, struct timespec *t)
		{
			long err = syscall(SYS_clock_gettime, id, t);
			if (!err && id == CLOCK_REALTIME && !access("$step", F_OK))
				t->tv_sec += 3600;
			return (int)err;
		}
	END
	daemon_start d env LD_PRELOAD="$step.so" "${by_hand[@]}"
	sleep 1
	touch "$step"
	sleep 2
	rm "$step"
	sleep 2
	daemon_stop d
	[ "$(history "SELECT kind FROM event WHERE kind != 'start'")" = $'clock_step\nclock_step' ]
	[ "$(history "SELECT count(*) FROM event WHERE ns BETWEEN 3599000000000 AND 3601000000000")" = 1 ]
	[ "$(history "SELECT count(*) FROM event WHERE ns BETWEEN -3601000000000 AND -3599000000000")" = 1 ]
	# its intervals are by a clock that was not set
	[ "$(history 'SELECT max(interval_ns) < 1000000000000 FROM interval')" = 1 ]
}

@test "--memory: the maps take no more, however many processes there are" {
	run -2 --separate-stderr timeout 60 "${by_hand[@]}" --web.listen-address 127.0.0.1:0 \
		--api-socket "$BATS_TEST_TMPDIR/x.sock" --memory 5M
	[[ $stderr == *"--memory: the maps need "*" M at least"* ]]
	daemon_start d "${by_hand[@]}" --memory 32M
	"$BUILD/bin/vmalock" load fork --seconds 4 >/dev/null
	sleep 1
	tcp d /metrics >"$BATS_TEST_TMPDIR/m"
	[ "$(sum "$BATS_TEST_TMPDIR/m" vmalock_bpf_map_memory_limit_bytes)" = $((32 << 20)) ]
	# but for the storage of threads
	[ "$(grep -v 'map="threads"' "$BATS_TEST_TMPDIR/m" >"$BATS_TEST_TMPDIR/n"; sum "$BATS_TEST_TMPDIR/n" vmalock_bpf_map_memory_bytes)" -le $((32 << 20)) ]
	[ "$(sum "$BATS_TEST_TMPDIR/m" vmalock_bpf_map_evicted_rows_total)" -ge 0 ]
	# each map by its name: the ring has its 8 MB, and the rows of processes take memory
	[ "$(sum "$BATS_TEST_TMPDIR/m" vmalock_bpf_map_memory_bytes 'map="exits"')" -ge $((8 << 20)) ]
	[ "$(sum "$BATS_TEST_TMPDIR/m" vmalock_bpf_map_memory_bytes 'map="processes"')" -gt 4096 ]
	[ "$(sum "$BATS_TEST_TMPDIR/m" vmalock_bpf_map_memory_bytes 'map="all"')" = none ]
	daemon_stop d
}

# ---- cgroups that come and go

# The least of some seconds without load, in kB: what was needed for the load only is given back then.
rss_at_rest()
{
	for _ in {1..16}; do
		sleep 0.5
		awk '/^VmRSS/ { print $2 }' /proc/"${daemon_of[d]}"/status
	done | sort -n | head -n 1
}

# Where the daemon sees the cgroups of processes.
cgroup_root()
{
	[ -e /sys/fs/cgroup/cgroup.procs ] && echo /sys/fs/cgroup || echo /sys/fs/cgroup/memory
}

series_within_limit()
{
	tcp d /metrics >"$BATS_TEST_TMPDIR/m" || return
	[ "$(sum "$BATS_TEST_TMPDIR/m" vmalock_exported_series)" -le \
		"$(sum "$BATS_TEST_TMPDIR/m" vmalock_exported_series_limit)" ]
}

@test "cgroups with ten processes each come and go: sums exact, series and memory within their budget" {
	local root cgroups faults before waves=(200 50 5)
	root=$(cgroup_root)
	[ -w "$root" ] || skip "cgroups cannot be made in $root"
	[ -z "${SOAK:-}" ] || waves=(1000 100 "$SOAK")
	daemon_start d "${vmalockd[@]}" -d 1
	before=$(api d snapshot | jq .totals.faults)
	"$BUILD/tests/cgroups" "$root" "${waves[@]}" >"$BATS_TEST_TMPDIR/waves" 3>&- &
	pid_of[x]=$!
	while kill -0 "${pid_of[x]}" 2>/dev/null; do
		series_within_limit
		sleep 0.5
	done
	wait "${pid_of[x]}"
	unset 'pid_of[x]'
	read -r cgroups faults <"$BATS_TEST_TMPDIR/waves"
	[ "$cgroups" -ge "${waves[0]}" ]
	until_true 'equal sums' equal_sums
	# getrusage(2) has the faults of the processes, which are gone
	[ $(($(jq .totals.faults "$BATS_TEST_TMPDIR/j") - before)) -ge "$faults" ]
	[ "$(sum "$BATS_TEST_TMPDIR/m" vmalock_ledger_error_seconds)" = 0 ]
	[ -z "$(find "$root" -maxdepth 1 -name 'vmalock-wave-*')" ]
	nm "$BUILD/bin/vmalockd" | grep -q __asan_init || [ "$(rss_at_rest)" -le 65536 ]
	daemon_stop d
}

# ---- for long

# With the rest of the host as it is: loads of all kinds come and go.
changing_load()
{
	local end=$((SECONDS + $1)) kind
	while [ $SECONDS -lt $end ]; do
		for kind in "shared -t 4" "shortlived -t 2" "forkcow" "faults -t 4"; do
			# shellcheck disable=SC2086
			"$BUILD/bin/vmalock" load $kind --seconds 2 >/dev/null || return
			tcp d /metrics >/dev/null || return
			api d delta >/dev/null || return
		done
	done
}

# Without those that are open for a moment.
fds_at_rest()
{
	for _ in {1..10}; do
		sleep 0.2
		ls /proc/"${daemon_of[d]}"/fd | wc -l
	done | sort -n | head -n 1
}

@test "two minutes under changing load: memory flat, no descriptor more" {
	local rss_before rss_after fds_before fds_after
	daemon_start d "${by_hand[@]}"
	changing_load 30
	rss_before=$(rss_at_rest)
	fds_before=$(fds_at_rest)
	changing_load "${SOAK:-74}"
	rss_after=$(rss_at_rest)
	fds_after=$(fds_at_rest)
	echo "rss $rss_before -> $rss_after kB, descriptors $fds_before -> $fds_after"
	[ "$rss_after" -le $((rss_before + rss_before / 10 + 2048)) ]
	[ "$fds_after" -le "$fds_before" ]
	tcp d /metrics >"$BATS_TEST_TMPDIR/m"
	[ "$(sum "$BATS_TEST_TMPDIR/m" vmalock_history_lost_intervals_total)" = 0 ]
	[ "$(sum "$BATS_TEST_TMPDIR/m" vmalock_collector_up)" = 1 ]
	run -1 grep -E '^level=error' "$BATS_TEST_TMPDIR/d.log"
	daemon_stop d
}
