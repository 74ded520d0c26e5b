#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# A real Prometheus scrapes a real vmalockd under load: what is read back through PromQL
# equals the daemon's JSON, with classic and with native histograms.

load lib
load ../cli/daemon

setup()
{
	[ -z "$CANNOT" ] || skip "$CANNOT"
	vmalockd=("$BUILD/bin/vmalockd" --user root --history off --max-overhead off -d 4)
}

teardown()
{
	programs_end
	daemons_end
}

# prometheus_start OPTIONS...: scrapes daemon d once a second
prometheus_start()
{
	local port
	cat >"$BATS_TEST_TMPDIR/prometheus.yml" <<-END
		global: {scrape_interval: 1s, scrape_timeout: 1s, evaluation_interval: 1s}
		rule_files: ["$PWD/deploy/prometheus/rules.yml", "$PWD/deploy/prometheus/alerts.yml"]
		scrape_configs:
		- job_name: vmalock
		  static_configs: [{targets: ["${address_of[d]}"]}]
	END
	promtool check config "$BATS_TEST_TMPDIR/prometheus.yml"
	# a port that is free now; who takes it meanwhile makes Prometheus end, and the test say so
	for port in $(shuf -n 20 -i 20000-30000); do
		(exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null || break
	done
	prometheus --config.file="$BATS_TEST_TMPDIR/prometheus.yml" --storage.tsdb.path="$BATS_TEST_TMPDIR/tsdb" \
		--web.listen-address="127.0.0.1:$port" --log.level=warn "$@" 2>"$BATS_TEST_TMPDIR/prometheus.err" 3>&- &
	pid_of[prometheus]=$!
	prometheus=http://127.0.0.1:$port
	until_true 'Prometheus' curl -sf -o /dev/null "$prometheus/-/ready" || fail "$(cat "$BATS_TEST_TMPDIR/prometheus.err")"
	until_true 'the target' eval '[ "$(query up)" = 1 ]'
}

# query PROMQL: the value of its only series, now or at $at
query()
{
	curl -sf --data-urlencode "query=$1" ${at:+-d "time=$at"} "$prometheus/api/v1/query" | jq -r '.data.result | if length == 1 then .[0].value[1] else "\(length) series" end'
}

# equals PROMQL JQ: now, of what was counted so far
equals()
{
	local is should
	is=$(query "$1")
	should=$(jq -r "$2" "$BATS_TEST_TMPDIR/j")
	[ "$is" = "$should" ] || { echo "$1 is $is, $2 is $should" >"$BATS_TEST_TMPDIR/differs"; return 1; }
}

# close_to PROMQL JQ: the same for seconds, which are no integers
close_to()
{
	awk -v is="$(query "$1")" -v should="$(jq -r "$2" "$BATS_TEST_TMPDIR/j")" \
		'BEGIN { d = is - should; exit !(is + 0 == is && d < 1e-6 * should + 1e-9 && -d < 1e-6 * should + 1e-9) }' ||
		{ echo "$1 is $(query "$1"), $2 is $(jq -r "$2" "$BATS_TEST_TMPDIR/j")" >"$BATS_TEST_TMPDIR/differs"; return 1; }
}

# The waits of both modes for mmap_lock that the JSON has, as one histogram: [[upper bound in seconds, count]].
waits='[.histograms[] | select(.scope == "host" and (.lock | IN("mmap_read_wait", "mmap_write_wait")))] as $h
	| [$h[].buckets[]] | group_by(.[0]) | map([pow(2; .[0][0] / 4), (map(.[1]) | add)])'
wait_count='[.histograms[] | select(.scope == "host" and (.lock | IN("mmap_read_wait", "mmap_write_wait"))) | .count] | add'
# quantile_of Q: the least and the most that this quantile can be: the bounds of the buckets of the waits before
# and after it
quantile_of()
{
	jq -r --argjson q "$1" "$waits"' | (map(.[1]) | add) as $n
		| reduce .[] as [$top, $count] ({seen: 0};
			.seen += $count
			| if .low == null and .seen >= $q * $n - 1 then .low = $top / pow(2; 1 / 4) else . end
			| if .high == null and .seen >= ([$q * $n + 1, $n] | min) then .high = $top else . end)
		| "\(.low) \(.high)"' "$BATS_TEST_TMPDIR/j"
}

# in_bucket PROMQL Q FACTOR: the quantile that Prometheus finds in buckets that are wider by FACTOR
in_bucket()
{
	local is low high
	is=$(query "histogram_quantile($2, $1)")
	read -r low high <<<"$(quantile_of "$2")"
	awk -v is="$is" -v low="$low" -v high="$high" -v f="$3" \
		'BEGIN { exit !(is + 0 == is && low > 0 && is >= low / f * 0.999999 && is <= high * f * 1.000001) }' ||
		{ echo "histogram_quantile($2, $1) is $is, should be from $low to $high" >"$BATS_TEST_TMPDIR/differs"; return 1; }
}

# reads_back COUNT BUCKETS FACTOR: Prometheus has scraped, of one interval, what the JSON says; false while it was
# not yet, and while something is held back until a new series was scraped
reads_back()
{
	local at= seconds
	api d snapshot >"$BATS_TEST_TMPDIR/j"
	# of what Prometheus has, that of this interval; it keeps milliseconds
	seconds=$(jq -r '.time | (.[:19] + "Z" | fromdate) + ("0" + .[19:29] | tonumber)' "$BATS_TEST_TMPDIR/j")
	until_true 'the scrape of an interval' eval \
		"[ \"\$(query 'vmalock_last_snapshot_timestamp_seconds >= $seconds - 0.001')\" != '0 series' ]" || return
	at=$(query "timestamp(abs(vmalock_last_snapshot_timestamp_seconds - $seconds) < 0.001)")
	[ "$at" != '0 series' ] || return # the next came before it was scraped
	equals 'sum(vmalock_faults_total)' .totals.faults &&
		equals 'sum(vmalock_faults_total{path="vma"})' .totals.hits &&
		equals 'sum(vmalock_faults_total{path="mmap"})' .totals.fallbacks &&
		equals 'sum(vmalock_faults_total{mode="kernel"})' .totals.faults_kernel &&
		equals 'sum(vmalock_fallbacks_total)' .totals.fallbacks &&
		equals "$1" "$wait_count" &&
		close_to 'sum(vmalock_blamed_seconds_total) + sum(vmalock_unattributed_seconds_total)' \
			'(.totals.blamed_ns + .totals.unattributed_ns) / 1e9' &&
		in_bucket "$2" 0.5 "$3" &&
		in_bucket "$2" 0.9 "$3"
}

# scraped COUNT BUCKETS FACTOR: under load, and when it is over
scraped()
{
	"$BUILD/bin/vmalock" load shared -t 4 --seconds 20 >/dev/null 3>&- &
	pid_of[load]=$!
	until_true 'the same numbers under load' reads_back "$@" || fail "$(cat "$BATS_TEST_TMPDIR/differs")" || return
	wait "${pid_of[load]}" || return
	unset 'pid_of[load]'
	until_true 'the same numbers' reads_back "$@" || fail "$(cat "$BATS_TEST_TMPDIR/differs")" || return
	[ "$(jq .totals.faults "$BATS_TEST_TMPDIR/j")" -gt 10000 ]
	[ "$(jq "$wait_count" "$BATS_TEST_TMPDIR/j")" -gt 100 ]
	[ "$(query vmalock_collector_up)" = 1 ]
}

@test "Prometheus reads back what the daemon counted: text, classic histograms" {
	daemon_start d "${vmalockd[@]}"
	prometheus_start
	# the 13 classic bounds are apart by a factor of four
	scraped 'sum(vmalock_lock_wait_seconds_count{lock=~"mmap_.*"})' \
		'sum by (le) (vmalock_lock_wait_seconds_bucket{lock=~"mmap_.*"})' 4
	[ "$(query 'count(vmalock_lock_wait_seconds_bucket{le="+Inf"}) > 0')" -gt 0 ]
	daemon_stop d
}

@test "Prometheus reads back what the daemon counted: protobuf, native histograms" {
	daemon_start d "${vmalockd[@]}"
	prometheus_start --enable-feature=native-histograms
	# schema 2: the buckets are those of the JSON
	scraped 'histogram_count(sum(vmalock_lock_wait_seconds{lock=~"mmap_.*"}))' \
		'sum(vmalock_lock_wait_seconds{lock=~"mmap_.*"})' 1
	# stored native only
	[ "$(query 'count(vmalock_lock_wait_seconds_bucket)')" = '0 series' ]
	daemon_stop d
}

# What no load shows here, each with the reason.
without_data()
{
	case $1 in
	*vma_lock_aborts*|*vma_lock_retries*) echo "the tracepoint backend does not tell aborts and retries" ;;
	*lost_events*) echo "nothing was lost" ;;
	*cross_cgroup*) echo "all loads are in one cgroup" ;;
	*) return 1 ;;
	esac
}

# has_data PROMQL: one series at least
has_data()
{
	[ "$(curl -sf --data-urlencode "query=$1" "$prometheus/api/v1/query" | jq '.data.result | length')" -gt 0 ] 2>/dev/null
}

# every_panel: its expressions have data, when the metrics behind them are there
every_panel()
{
	local file title expr n=0
	while IFS=$'\t' read -r file title expr; do
		expr=${expr//'$__rate_interval'/20s} expr=${expr//'$job'/.*} expr=${expr//'$instance'/.*}
		n=$((n + 1))
		! has_data "$expr" || continue
		without_data "$expr" | sed "s|^|# not covered, $title: |" >&3
		[ "${PIPESTATUS[0]}" = 0 ] || until_true "data of $file, $title: $expr" has_data "$expr" || return
	done < <(jq -r '.panels[] | .title as $title | .targets[]? | [input_filename, $title, .expr] | @tsv' deploy/grafana/*.json)
	[ $n -gt 40 ]
}

# with_panels OPTIONS...
with_panels()
{
	daemon_start d "$BUILD/bin/vmalockd" --user root --history off --max-overhead 50% -d 1
	prometheus_start "$@"
	"$BUILD/bin/vmalock" load shared -t 4 --seconds 120 >/dev/null 3>&- &
	pid_of[load]=$!
	"$BUILD/bin/vmalock" load smaps -r 100000 --seconds 120 >/dev/null 3>&- &
	pid_of[smaps]=$!
	every_panel
	daemon_stop d
}

@test "every expression of every dashboard has data: classic histograms" {
	with_panels
}

@test "every expression of every dashboard has data: native histograms" {
	with_panels --enable-feature=native-histograms
}
