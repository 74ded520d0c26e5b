#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# vmalockd on an invented source; no root needed.

load lib
load daemon

setup()
{
	invented_daemon
	history=$BATS_TEST_TMPDIR/history.db
	quick=("${fake[@]}" -d 0.05 --history "$history")
}

teardown()
{
	daemons_end
}

# usage_error TEXT ARGS...: exit 2 and one line on stderr that has TEXT
usage_error()
{
	local text=$1
	shift
	run -2 --separate-stderr "$BUILD/tests/vmalockd-fake" "$@"
	complains "vmalockd: " "$text"
}

# refused STATUS TEXT ARGS...: does not start; the line that says why is the only error
refused()
{
	local status=$1 text=$2
	shift 2
	run -"$status" --separate-stderr timeout "$PATIENCE" "${quick[@]}" --web.listen-address 127.0.0.1:0 \
		--api-socket "$BATS_TEST_TMPDIR/refused.sock" "$@"
	[ -z "$output" ] || { echo "stdout: $output"; return 1; }
	[ "$(grep -c '^level=error' <<<"$stderr")" = 1 ] || { echo "stderr: $stderr"; return 1; }
	[[ ${stderr_lines[-1]} == "level=error msg="*"$text"* ]] || { echo "stderr: $stderr"; return 1; }
	[ ! -e "$BATS_TEST_TMPDIR/refused.sock" ] || { echo "the socket is left"; return 1; }
}

# ---- the command line

@test "--help has the options and examples" {
	run -0 --separate-stderr "$BUILD/tests/vmalockd-fake" --help
	[ -z "$stderr" ]
	for option in --web.listen-address --web.telemetry-path --web.config.file --web.systemd-socket --web.enable-api \
		--web.labels --log.level --log.format --series-budget --series-churn --max-overhead --memory --history \
		--api-socket -d, --backend --detail --stacks-over --user-stacks --user --seccomp --version; do
		[[ $output == *"$option"* ]] || { echo "no $option"; return 1; }
	done
	[[ $output == *Examples:* && $output == */etc/default/vmalockd* && $output == *"Exit status:"* ]]
}

@test "--version is one line" {
	run -0 --separate-stderr "$BUILD/tests/vmalockd-fake" --version
	[[ $output =~ ^vmalockd\ [0-9]+\.[0-9]+\.[0-9]+$ ]]
}

@test "wrong options: exit 2 and one line" {
	usage_error "--nonsense" --nonsense
	usage_error "unexpected argument 'extra'" extra
	usage_error "-d" -d 0
	usage_error "-i" -i abc
	usage_error "--web.telemetry-path" --web.telemetry-path metrics
	usage_error "--web.telemetry-path" --web.telemetry-path /
	usage_error "--web.labels" --web.labels pid
	usage_error "--log.level" --log.level loud
	usage_error "--log.format" --log.format xml
	usage_error "--series-budget" --series-budget 10
	usage_error "--series-churn" --series-churn -1
	usage_error "--max-overhead" --max-overhead 0
	usage_error "--max-overhead" --max-overhead 101%
	usage_error "--memory" --memory 1K
	usage_error "--memory" --memory much
	usage_error "--history-size" --history-size 1
	usage_error "--history" --history ''
	usage_error "--api-socket" --api-socket ''
	usage_error "--backend" --backend magic
	usage_error "--detail" --detail magic
	usage_error "--stacks-over" --stacks-over 1
	usage_error "--seccomp" --seccomp maybe
	usage_error "one of them" --web.systemd-socket --web.listen-address :1
	usage_error "at most 16" $(printf -- '--web.listen-address :%d ' {1..17})
}

# ---- starts that fail

@test "failures of the source: exit 1, and 4 when the kernel cannot be observed" {
	VML_FAKE_ERROR=perm refused 1 "cannot load BPF programs: CAP_BPF and CAP_PERFMON are missing"
	VML_FAKE_ERROR=unsupported refused 4 "Linux 6.1 or newer is needed"
	VML_FAKE_NEXT_ERROR=1 refused 1 "cannot take a snapshot: Input/output error"
}

@test "addresses: in use, unknown, nonsense" {
	daemon_start d "${quick[@]}"
	refused 1 "${address_of[d]}" --web.listen-address "${address_of[d]}" --history off
	refused 1 "d.sock" --api-socket "$BATS_TEST_TMPDIR/d.sock" --history off
	refused 2 "127.0.0.1:99999" --web.listen-address 127.0.0.1:99999
	refused 2 "nonsense" --web.listen-address nonsense
	daemon_stop d
}

@test "a history that cannot be had: one line; one that another daemon writes, too" {
	refused 1 "/nonexistent/history.db" --history /nonexistent/history.db
	daemon_start d "${quick[@]}"
	refused 1 "$history"
	daemon_stop d
}

@test "the API on TCP needs authentication" {
	refused 2 "--web.enable-api needs" --web.enable-api
	printf 'basic_auth_users:\n  me: %s\n' \
		'$2b$04$YQb0r8Jq4Ei/9yq2qYmUxOtnZkVC5ycUTFNPxyJbXGgYQ2cqMmlHW' >"$BATS_TEST_TMPDIR/web.yml"
	daemon_start d "${quick[@]}" --web.enable-api --web.config.file "$BATS_TEST_TMPDIR/web.yml"
	[ "$(status d /api/v1/snapshot)" = 401 ]
	[ "$(status d /metrics)" = 401 ]
	api d snapshot | jq -e '.totals.faults > 0'
	daemon_stop d
}

@test "a web configuration that is wrong: one line" {
	echo 'nonsense: 1' >"$BATS_TEST_TMPDIR/web.yml"
	refused 2 "web.yml" --web.config.file "$BATS_TEST_TMPDIR/web.yml"
	refused 1 "/nonexistent.yml" --web.config.file /nonexistent.yml
}

@test "--user: one that is not there" {
	[ "$(id -u)" = 0 ] || skip "only root becomes somebody else"
	refused 1 "no user 'no-such-user'" --user no-such-user
}

# ---- what is served

@test "metrics, health, the page that leads to them, and nothing else" {
	daemon_start d "${quick[@]}"
	[ "$(status d /metrics)" = 200 ]
	[ "$(tcp d /metrics -o /dev/null -w '%{content_type}')" = 'text/plain; version=0.0.4; charset=utf-8' ]
	tcp d /metrics | promtool check metrics
	[ "$(tcp d /-/healthy)" = 'vmalockd is healthy.' ]
	[ "$(tcp d /-/ready)" = 'vmalockd is ready.' ]
	tcp d / | grep -qF '<a href="/metrics">'
	[ "$(status d /nothing)" = 404 ]
	[ "$(status d /api/v1/snapshot)" = 404 ]
	[ "$(status d /api/v1/delta)" = 404 ]
	[ "$(status d /metrics -X POST)" = 405 ]
	daemon_stop d
	said d 'msg=ended'
	[ ! -e "$BATS_TEST_TMPDIR/d.sock" ]
}

@test "--web.telemetry-path" {
	daemon_start d "${quick[@]}" --web.telemetry-path /m/x
	[ "$(status d /metrics)" = 404 ]
	tcp d /m/x | grep -q '^vmalock_build_info{'
	tcp d / | grep -qF '<a href="/m/x">'
	daemon_stop d
}

@test "protobuf when the scraper asks" {
	daemon_start d "${quick[@]}"
	[[ $(tcp d /metrics -o /dev/null -w '%{content_type}' -H \
		'Accept: application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited') == \
		application/vnd.google.protobuf* ]]
	daemon_stop d
}

@test "the API: what vmalocktop -j prints, since the start and of the last interval" {
	daemon_start d "${quick[@]}"
	until_true 'five snapshots' eval '[ "$(api d snapshot | jq .interval_ns)" -gt 5000000000 ]'
	api d delta >"$BATS_TEST_TMPDIR/delta"
	# an interval of the invented host is a second, and the same happens in each
	"$BUILD/tests/vmalocktop-fake" -j -n 1 -d 0.01 >"$BATS_TEST_TMPDIR/top"
	diff <(jq -S 'del(.time, .stalls)' "$BATS_TEST_TMPDIR/top") <(jq -S 'del(.time, .stalls)' "$BATS_TEST_TMPDIR/delta")
	[ "$(api d delta -o /dev/null -w '%{content_type}')" = application/json ]
	[ "$(api d nothing -o /dev/null -w '%{http_code}')" = 404 ]
	daemon_stop d
}

@test "metrics equal the JSON of the same moment" {
	local faults waited
	VML_FAKE_END=7 daemon_start d "${quick[@]}"
	until_true 'the last snapshot' eval '[ "$(status d /-/ready)" = 503 ]'
	tcp d /metrics >"$BATS_TEST_TMPDIR/m"
	api d snapshot >"$BATS_TEST_TMPDIR/j"
	faults=$(jq .totals.faults "$BATS_TEST_TMPDIR/j")
	[ "$faults" = $((7 * 12671)) ]
	[ "$(sum "$BATS_TEST_TMPDIR/m" vmalock_faults_total)" = "$faults" ]
	[ "$(sum "$BATS_TEST_TMPDIR/m" vmalock_faults_total 'path="vma"')" = "$(jq .totals.hits "$BATS_TEST_TMPDIR/j")" ]
	[ "$(sum "$BATS_TEST_TMPDIR/m" vmalock_faults_total 'mode="kernel"')" = \
		"$(jq .totals.faults_kernel "$BATS_TEST_TMPDIR/j")" ]
	[ "$(sum "$BATS_TEST_TMPDIR/m" vmalock_fallbacks_total)" = "$(jq .totals.fallbacks "$BATS_TEST_TMPDIR/j")" ]
	waited=$(jq '.totals | .blamed_ns + .unattributed_ns' "$BATS_TEST_TMPDIR/j")
	[ "$(awk -v a="$(sum "$BATS_TEST_TMPDIR/m" vmalock_blamed_seconds_total)" \
		-v b="$(sum "$BATS_TEST_TMPDIR/m" vmalock_unattributed_seconds_total)" \
		-v ns="$waited" 'BEGIN { print (a + b > ns / 1e9 * 0.999999 && a + b < ns / 1e9 * 1.000001) }')" = 1 ]
	[ "$(sum "$BATS_TEST_TMPDIR/m" vmalock_snapshot_duration_seconds_count)" = 7 ]
	[ "$(sum "$BATS_TEST_TMPDIR/m" vmalock_collector_up)" = 0 ]
	daemon_stop d
}

@test "a snapshot that fails: collector_up 0, not ready, one line; and it goes on" {
	VML_FAKE_NEXT_ERROR=5 daemon_start d "${quick[@]}"
	until_true 'the failure' eval '[ "$(status d /-/ready)" = 503 ]'
	[ "$(tcp d /-/healthy)" = 'vmalockd is healthy.' ]
	tcp d /metrics | grep -qx 'vmalock_collector_up 0'
	sleep 0.5
	[ "$(grep -c 'msg="cannot take a snapshot" error="Input/output error"' "$BATS_TEST_TMPDIR/d.log")" = 1 ]
	daemon_stop d
	# how often it was held back is said at the end
	grep -qE 'msg="cannot take a snapshot" .*repeated=[0-9]+' "$BATS_TEST_TMPDIR/d.log"

	VML_FAKE_NEXT_ERROR=3 VML_FAKE_NEXT_ERRORS=4 daemon_start e "${quick[@]}" --history off
	until_true 'the failure' said e 'cannot take a snapshot'
	until_true 'the end of it' eval '[ "$(tcp e /-/ready)" = "vmalockd is ready." ]'
	tcp e /metrics >"$BATS_TEST_TMPDIR/m"
	grep -qx 'vmalock_collector_up 1' "$BATS_TEST_TMPDIR/m"
	# nothing is lost or counted twice
	[ $(($(sum "$BATS_TEST_TMPDIR/m" vmalock_faults_total) % 12671)) = 0 ]
	daemon_stop e
}

@test "the history is written, and goes on after a restart" {
	local before
	daemon_start d "${quick[@]}"
	until_true 'intervals' eval '[ "$(api d snapshot | jq .interval_ns)" -gt 5000000000 ]'
	daemon_stop d
	[ -s "$history" ]
	[ "$(stat -c %a "$history")" = 640 ]
	before=$(stat -c %s "$history")
	daemon_start e "${quick[@]}"
	until_true 'the size' eval '[ "$(sum <(tcp e /metrics) vmalock_history_size_bytes)" != none ]'
	[ "$(sum <(tcp e /metrics) vmalock_history_size_bytes)" -gt 0 ]
	[ "$(sum <(tcp e /metrics) vmalock_history_lost_intervals_total)" = 0 ]
	daemon_stop e
	[ "$(stat -c %s "$history")" -ge "$before" ]
	daemon_start f "${quick[@]}" --history off
	[ "$(sum <(tcp f /metrics) vmalock_history_size_bytes)" = none ]
	daemon_stop f
}

# ---- what it says

@test "the log: logfmt or JSON, from a level on, with priorities for the journal" {
	daemon_start d "${quick[@]}"
	daemon_stop d
	run -1 grep -vE '^level=(info|warn) msg=' "$BATS_TEST_TMPDIR/d.log"
	said d 'level=info msg="backend chosen" backend=tracepoint detail=default'
	said d 'level=info msg="privileges dropped" capabilities_kept=none'
	# what is seen of other processes is not said
	run -1 grep -iE 'mysqld|java|il$|agent' "$BATS_TEST_TMPDIR/d.log"

	run --separate-stderr timeout "$PATIENCE" "${quick[@]}" --log.format json --history /nonexistent/h
	jq -es 'all(.level and .msg) and .[-1].level == "error"' <<<"$stderr"

	run --separate-stderr timeout "$PATIENCE" "${quick[@]}" --log.level error --history /nonexistent/h
	[ "${#stderr_lines[@]}" = 1 ]

	JOURNAL_STREAM=1:1 run --separate-stderr timeout "$PATIENCE" "${quick[@]}" --history /nonexistent/h
	[[ ${stderr_lines[0]} == level=* ]]
	: >"$BATS_TEST_TMPDIR/j.log"
	JOURNAL_STREAM=$(stat -c %d:%i "$BATS_TEST_TMPDIR/j.log") timeout "$PATIENCE" "${quick[@]}" \
		--history /nonexistent/h 2>>"$BATS_TEST_TMPDIR/j.log" || [ $? = 1 ]
	grep -q '^<6>level=info' "$BATS_TEST_TMPDIR/j.log"
	grep -q '^<3>level=error' "$BATS_TEST_TMPDIR/j.log"
}

# ---- signals and systemd

@test "SIGTERM and SIGINT end it, SIGHUP reads the web configuration again" {
	echo '{}' >"$BATS_TEST_TMPDIR/web.yml"
	daemon_start d "${quick[@]}" --web.config.file "$BATS_TEST_TMPDIR/web.yml"
	tcp d /metrics | grep -qx 'vmalock_web_config_ok 1'
	echo 'nonsense: 1' >"$BATS_TEST_TMPDIR/web.yml"
	kill -HUP "${daemon_of[d]}"
	until_true 'the reload' said d 'msg="web configuration read again" ok=no'
	until_true 'the metric' eval 'tcp d /metrics | grep -qx "vmalock_web_config_ok 0"'
	echo '{}' >"$BATS_TEST_TMPDIR/web.yml"
	kill -HUP "${daemon_of[d]}"
	until_true 'the metric' eval 'tcp d /metrics | grep -qx "vmalock_web_config_ok 1"'
	kill -INT "${daemon_of[d]}"
	daemon_wait d
	said d msg=ended
}

@test "systemd hears when it is ready, alive, reloading and stopping" {
	local at=$BATS_TEST_TMPDIR/notify
	"$BUILD/tests/notified" "$at" >"$BATS_TEST_TMPDIR/heard" 3>&- &
	local listener=$!
	until_true 'the listener' test -S "$at"
	NOTIFY_SOCKET=$at WATCHDOG_USEC=200000 daemon_start d "${quick[@]}" -d 60
	until_true READY grep -qx 'READY=1' "$BATS_TEST_TMPDIR/heard"
	# twice, though no interval ends: the beat is its own
	until_true 'two beats' eval '[ "$(grep -cx WATCHDOG=1 "$BATS_TEST_TMPDIR/heard")" -ge 2 ]'
	kill -HUP "${daemon_of[d]}"
	until_true RELOADING grep -qE '^RELOADING=1 MONOTONIC_USEC=[0-9]+$' "$BATS_TEST_TMPDIR/heard"
	daemon_stop d
	until_true STOPPING grep -qx 'STOPPING=1' "$BATS_TEST_TMPDIR/heard"
	kill "$listener"
	wait "$listener" || :
}
