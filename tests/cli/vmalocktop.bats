#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# The command line of vmalocktop, on an invented source; no root needed.

load lib
load ../until

top=$BUILD/tests/vmalocktop-fake

setup()
{
	[ -x "$top" ] || skip "$top is not built"
	unset "${!VML_FAKE_@}"
	export LC_ALL=C.UTF-8
}

# usage_error TEXT ARGS...: exit 2, nothing on stdout, one line on stderr that has TEXT
usage_error()
{
	local text=$1
	shift
	run -2 --separate-stderr "$top" "$@"
	complains "vmalocktop: " "$text"
}

# json ARGS...: one object of one short interval
json()
{
	run -0 --separate-stderr "$top" -j -d 0.01 -n 1 "$@"
	[ "${#lines[@]}" = 1 ]
	[ -z "$stderr" ] || { echo "stderr: $stderr"; return 1; }
}

# text ARGS...: one batch
text()
{
	run -0 --separate-stderr "$top" -b -d 0.01 -n 1 "$@"
	[ -z "$stderr" ] || { echo "stderr: $stderr"; return 1; }
}

# column N: of the rows of the first table of the last batch
column()
{
	awk -v n="$1" 'rows && !NF { exit } rows { print $n } /COMMAND$/ { rows = 1 }' <<<"$output" | paste -sd' '
}

# blockers: the table of them, without its heads
blockers()
{
	awk 'rows && !NF { exit } rows > 1 { print } rows || /^BLOCKERS:/ { rows++ }' <<<"$output"
}

# ---- help, version, usage

@test "--help has the options and examples" {
	run -0 --separate-stderr "$top" --help
	[ -z "$stderr" ]
	for option in -b -d -i -H -j -l -n -p -s -u --backend --btf --cgroup --detail --version; do
		[[ $output == *"$option"* ]] || { echo "no $option"; return 1; }
	done
	[[ $output == *Examples:* ]]
	[[ $output == *"sudo vmalocktop -b -n 3"* ]]
	run -0 "$top" -h
	[[ $output == *Examples:* ]]
}

@test "--version is one line" {
	run -0 --separate-stderr "$top" --version
	[[ $output =~ ^vmalocktop\ [0-9]+\.[0-9]+\.[0-9]+$ ]]
	run -0 "$top" -V
	[[ $output =~ ^vmalocktop\ [0-9] ]]
}

@test "wrong options: exit 2 and one line" {
	usage_error "--nonsense" --nonsense
	usage_error "--memory: a size from 4M on, not 'much'" --memory much
	usage_error "'x'" -x
	usage_error "'d'" -d
	usage_error "-d" -d 0
	usage_error "-d" -d abc
	usage_error "-d" -d 1x
	usage_error "-d" -d -1
	usage_error "-i" -i 100000
	usage_error "-n" -n x
	usage_error "-n" -n -1
	usage_error "-l" -l x
	usage_error "-p" -p 1,x
	usage_error "-p" -p ""
	usage_error "-p" -p 1,,2
	usage_error "no user 'no-such-user'" -u no-such-user
	usage_error "begins with /" --cgroup system.slice
	usage_error "--backend" --backend magic
	usage_error "--detail" --detail magic
	usage_error "no column 'serve'" -b -H -s serve
	usage_error "unexpected argument 'extra'" extra
	usage_error "fallbacks" -b -s nonsense
	usage_error "no column 'tid'" -b -s tid
	usage_error "no column 'nonsense'" -j -s nonsense
	usage_error "ambiguous" --ba
}

@test "failures of the source: exit 1, and 4 when the kernel cannot be observed" {
	VML_FAKE_ERROR=perm run -1 --separate-stderr "$top" -b -n 1
	[ -z "$output" ]
	[ "$stderr" = "vmalocktop: cannot load BPF programs: CAP_BPF and CAP_PERFMON are missing (you are uid 1000). Use sudo." ]
	VML_FAKE_ERROR=unsupported run -4 --separate-stderr "$top" -j -n 1
	[ -z "$output" ]
	[ "${#stderr_lines[@]}" = 1 ]
	[[ $stderr == "vmalocktop: this kernel "* ]]
	VML_FAKE_ERROR=backend run -1 --separate-stderr "$top" -b -n 1 --backend fentry
	[ "${#stderr_lines[@]}" = 1 ]
	[[ $stderr == "vmalocktop: "*fentry* ]]
	VML_FAKE_NEXT_ERROR=1 run -1 --separate-stderr "$top" -b -n 1
	[ "$stderr" = "vmalocktop: cannot take a snapshot: Input/output error" ]
	VML_FAKE_NEXT_ERROR=3 run -1 --separate-stderr "$top" -b -d 0.01 -n 5
	[ "${#stderr_lines[@]}" = 1 ]
	[ "$(grep -c '^healthy:' <<<"$output")" = 1 ]
}

# ---- batches

@test "-b: verdict, header, table, reasons, times" {
	text
	[[ ${lines[0]} == "healthy: 95.59 % of 12,671 faults/s hit; "* ]]
	[[ ${lines[0]} == *"reasons are inferred" ]]
	[[ ${lines[1]} == "time   2025-03-01T12:00:01.123456789Z, over 1.0 s" ]]
	[[ ${lines[2]} == "host   fakehost, Linux 6.12.0-fake x86_64, 8 CPUs, tracepoint backend" ]]
	[[ ${lines[3]} == "rates  12.7k faults/s: 12.1k hits, 559 fallbacks (326 bypasses); 150ms/s waited" ]]
	[[ ${lines[4]} == "cost   1.20% of a CPU, 14M RSS, 20.0k BPF runs/s, 22M of 64M maps" ]]
	[ "$(column 1)" = "1200 2345 4242" ]
	grep -qE '^write_locked +inferred +193 +34.53% ' <<<"$output"
	grep -qE '^read wait +559 +520ns +110us +900us +16ms$' <<<"$output"
	! grep -q '^lost' <<<"$output"
}

@test "-b: who held up whom, with most to answer for first" {
	text
	[ "$(blockers | awk '{ print $1 }' | paste -sd' ')" = "991 1200 2350 4242 1201" ]
	blockers | head -n 1 | grep -qE '^ *991 read +62ms +31ms +4 +0 mmap_read +2 +12ms +6.2ms +43ms mysqld +62ms +991 +0 +36ms +- +- +/system.slice/metrics-agent.service +metrics-agent$'
	blockers | grep -qF 'ev\x1b[2J\\il'
	text -s pid -l 2
	[ "$(column 1)" = "1200 2345" ]
	[ "$(blockers | awk '{ print $1 }' | paste -sd' ')" = "991 1200" ]
	text -l 0
	[ "$(blockers | wc -l)" = 6 ]
	text --backend fentry -l 0
	blockers | grep -qE '^ *- vma readers '
	text -p 7
	[ "$(blockers | awk '{ print $1 }' | paste -sd' ')" = "2350 4242 55" ]
	text -p 900
	[ -z "$(blockers)" ]
	VML_FAKE_BLIND=1 text
	! grep -q BLOCKERS <<<"$output"
	[ "$(column 1)" = "1200 2345 4242" ]
	VML_FAKE_EMPTY=1 text
	! grep -q BLOCKERS <<<"$output"
}

@test "-b: a stall that goes on, and owners without a CPU, are the verdict" {
	VML_FAKE_STATE=stalled text
	[[ ${lines[0]} == "stalled now: 17 threads wait for mmap_lock of java (2345), longest 3.2 s; held by metrics-agent (991) in read, sleeping, for 3.3 s; 2 more locks; "* ]]
	VML_FAKE_STATE=stalled text -p 1200
	[[ ${lines[0]} == "stalled now: 1 thread waits for mmap_lock of mysqld (1200), 250 ms; nobody is seen to hold it: its next owner may get no CPU; "* ]]
	VML_FAKE_STATE=stalled text -p 4242
	[[ ${lines[0]} == 'stalled now: 2 threads wait for mmap_lock of ev\x1b[2J\\il (4242), longest 150 ms; held by ev\x1b[2J\\il (4242) in fork, running, for 150 ms; '* ]]
	VML_FAKE_STATE=stalled text -p 900
	[[ ${lines[0]} == "quiet: "* ]]
	VML_FAKE_STATE=starved text
	[[ ${lines[0]} == "waiting: 6.2 s per second for mmap_lock, 84 % of it while the next owner waited for a CPU (starved, throttled or low priority), not for a holder; 95.59 % of 12,671 faults/s hit; "* ]]
	# waiting alone says nothing of CPUs: most of it is charged to holders
	VML_FAKE_STATE=waiting text
	[[ ${lines[0]} == "waiting: 6.2 s per second for mmap_lock; 95.59 % of 12,671 faults/s hit; "* ]]
}

@test "-b: what fentry and kprobe see, and what exact detail adds" {
	text --backend fentry
	[[ ${lines[0]} == "healthy: 95.59 % of 12,671 faults/s hit; "*"; fallbacks: 38 % refused, 3 % given up, 58 % in kernel mode" ]]
	[[ ${lines[2]} == *", 8 CPUs, fentry backend" ]]
	[[ ${lines[3]} == "rates  12.7k faults/s: 12.1k hits, 215 aborts, 18 retries, 326 bypasses; 150ms/s waited" ]]
	grep -qE '^write_locked +exact +193 ' <<<"$output"
	grep -qE '^stack_growth +inferred +9 ' <<<"$output"
	grep -qE '^VMA wait +37 ' <<<"$output"
	grep -qE '^page I/O +18 ' <<<"$output"
	! grep -qE '^(serve|VMA LOOKUPS)' <<<"$output"
	text --backend fentry -s vma_wait
	[ "$(column 1)" = "1200 2345 4242" ]
	text --backend kprobe --detail exact -s serve_ns
	[[ ${lines[2]} == *", kprobe backend, exact detail" ]]
	grep -qE '^serve hit +12.1k ' <<<"$output"
	grep -qE '^VMA LOOKUPS BY +LOOKUPS/s +ABORTS/s +MISSES/s$' <<<"$output"
	grep -qE '^fault +12.3k +215 +10$' <<<"$output"
	grep -qE '^madvise +40 +2 +0$' <<<"$output"
	! grep -qE '^binder ' <<<"$output"
}

@test "nothing is called exact while a hook that outcomes come from skips events" {
	VML_FAKE_SKIPPED=1 text --backend fentry
	[[ ${lines[0]} == *"; 7 events lost; "*"reasons are inferred"* ]]
	grep -qE '^write_locked +inferred +193 ' <<<"$output"
	grep -qE '^kernel_mode +exact +326 ' <<<"$output"
	VML_FAKE_SKIPPED=1 json --backend fentry
	says .backend.exact false
	says '[.reasons[] | select(.certainty == "exact") | .reason] | unique' '["kernel_mode"]'
	says '[.reasons[].count] | add' 559
	says '.reasons | length == (unique_by([.pid, .reason]) | length)' true
	json --backend fentry
	says .backend.exact true
	says '[.reasons[] | select(.certainty == "exact") | .count] | add' 550
}

@test "without -b too, when the output is no terminal" {
	run -0 --separate-stderr "$top" -d 0.01 -n 1
	[[ ${lines[0]} == healthy:* ]]
}

@test "-n prints so many batches; a source that ends ends it" {
	run -0 --separate-stderr "$top" -b -d 0.01 -n 3
	[ "$(grep -c '^healthy:' <<<"$output")" = 3 ]
	[ "$(grep -c '^time ' <<<"$output")" = 3 ]
	grep -q 'T12:00:03' <<<"$output"
	VML_FAKE_END=3 run -0 --separate-stderr "$top" -b -d 0.01
	[ "$(grep -c '^healthy:' <<<"$output")" = 2 ]
	[ -z "$stderr" ]
}

@test "-l, -s, -H, -p, -u, --cgroup" {
	text -l 1
	[ "$(column 1)" = 1200 ]
	text -l 0
	[ "$(column 1)" = "1200 2345 4242 900" ]
	text -s pid -l 2
	[ "$(column 1)" = "1200 2345" ]
	text -s write_hold
	[ "$(column 1)" = "2345 1200 4242" ]
	text -s mmap_write_hold_ns
	[ "$(column 1)" = "2345 1200 4242" ]
	text -H -l 3
	[ "$(column 1)" = "1201 1200 1202" ]
	text -p 4242,7
	[ "$(column 1)" = "2345 4242" ]
	[[ ${lines[0]} == *"of 2,507 faults/s hit"*"selected processes only"* ]]
	text -u nobody
	[ "$(column 1)" = 1200 ]
	text -u 1000
	[ "$(column 1)" = "2345 4242" ]
	text --cgroup /system.slice
	[ "$(column 1)" = 1200 ]
	text -p 900
	[[ ${lines[0]} == "quiet: no page faults"* ]]
	grep -q '^No selected process had a page fault' <<<"$output"
}

@test "loss has a line; nothing at all says so" {
	VML_FAKE_LOSS=1 text
	[[ ${lines[0]} == *"; 3 events lost"* ]]
	grep -q '^lost   1,200 vma_map_full, 3 thread_storage$' <<<"$output"
	VML_FAKE_EMPTY=1 text
	[ "${lines[0]}" = "quiet: no page faults" ]
	grep -q '^No process had a page fault or took mmap_lock in the last 1.0 s.$' <<<"$output"
}

@test "text from other processes is escaped, and ASCII in the C locale" {
	text -H
	[[ $output == *'ev\x1b[2J\\il'* ]]
	[[ $output == *zürich日本* ]]
	LC_ALL=C text -H
	[[ $output == *'z?rich??'* ]]
	! LC_ALL=C grep -q '[^ -~]' <<<"$output"
}

# catches PID: it runs, and has handlers of SIGINT and SIGTERM
catches()
{
	[ "/proc/$1/exe" -ef "$top" ] && (( ($(sed -n 's/^SigCgt:[[:space:]]*/0x/p' "/proc/$1/status") & 0x4002) == 0x4002))
}

@test "SIGTERM and SIGINT end it with 0" {
	local signal pid
	for signal in TERM INT; do
		# a background job ignores SIGINT, but for who catches it
		"$top" -b -d 600 >"$BATS_TEST_TMPDIR/out" 2>&1 3>&- &
		pid=$!
		until_true "its handlers" catches "$pid"
		kill -s "$signal" "$pid"
		wait "$pid"
		[ ! -s "$BATS_TEST_TMPDIR/out" ]
	done
}

@test "SIGTERM ends it also while nobody reads what it prints" {
	mkfifo "$BATS_TEST_TMPDIR/pipe"
	sleep 60 3<>"$BATS_TEST_TMPDIR/pipe" & # keeps it open
	reader=$!
	"$top" -j -d 0.001 -l 0 >"$BATS_TEST_TMPDIR/pipe" 3<>"$BATS_TEST_TMPDIR/pipe" &
	writer=$!
	blocked()
	{
		grep -q pipe_write "/proc/$writer/wchan"
	}
	for ((i = 0; i < 50; i++)); do
		! blocked || break
		sleep 0.1
	done
	kill -TERM "$writer"
	wait "$writer"
	kill "$reader"
}

@test "a reader that goes away ends it quietly" {
	for format in -b -j; do
		run -0 --separate-stderr bash -o pipefail -c '"$0" "$1" -d 0.01 -l 0 | head -n 1 >/dev/null' "$top" "$format"
		[ -z "$stderr" ]
	done
}

@test "a full disk is a failure" {
	[ -w /dev/full ] || skip "no /dev/full"
	for format in -b -j; do
		run -1 --separate-stderr bash -c '"$0" "$1" -d 0.01 -n 2 >/dev/full' "$top" "$format"
		[ "$stderr" = "vmalocktop: cannot write the output: No space left on device" ]
	done
}

# ---- JSON

@test "-j: one object a line, what the schema says and nothing else" {
	[ -x "$BUILD/bin/vmalock" ] || skip "no vmalock"
	"$BUILD/bin/vmalock" schema >"$BATS_TEST_TMPDIR/schema.json"
	for world in VML_FAKE_LOSS=1 VML_FAKE_MAX=1 VML_FAKE_EXIT=1 VML_FAKE_EMPTY=1 VML_FAKE_SKIPPED=1 VML_FAKE_BLIND=1 \
		VML_FAKE_NO_STACKS=1 VML_FAKE_STATE=stalled VML_FAKE_STATE=starved; do
		for how in '--backend tracepoint' '--backend fentry' '--backend kprobe --detail exact'; do
			# shellcheck disable=SC2086
			env $world "$top" -j -d 0.01 -n 3 -l 0 $how >"$BATS_TEST_TMPDIR/out.json"
			[ "$(wc -l <"$BATS_TEST_TMPDIR/out.json")" = 3 ]
			run -0 jq -rf "$BATS_TEST_DIRNAME/schema.jq" --slurpfile schema "$BATS_TEST_TMPDIR/schema.json" \
				"$BATS_TEST_TMPDIR/out.json"
			[ -z "$output" ] || { echo "$output"; return 1; }
		done
	done
}

@test "the validator of the test above finds what is wrong" {
	[ -x "$BUILD/bin/vmalock" ] || skip "no vmalock"
	"$BUILD/bin/vmalock" schema >"$BATS_TEST_TMPDIR/schema.json"
	VML_FAKE_STATE=stalled json --backend fentry --detail exact
	for spoil in 'del(.blockers[0].context)' '.stalls[0].state = "dead"' 'del(.cgroups[0].victim)' '.stacks[0].frames[0] = 1'  '.lookups[0].caller = "nobody"' 'del(.lookups[0].aborts)' '.backend.exact = 1' \
		'.histograms[0].lock = "serve"' 'del(.host)' '.totals.hits = "1"' '.surprise = 1' '.processes[0].start_ns = 5' 'del(.vmas[0].kind)' \
		'.histograms[0].buckets[0] = [1]' '.reasons[0].certainty = "perhaps"' '.schema = 2'; do
		jq -c "$spoil" <<<"$output" >"$BATS_TEST_TMPDIR/bad.json"
		found=$(jq -rf "$BATS_TEST_DIRNAME/schema.jq" --slurpfile schema "$BATS_TEST_TMPDIR/schema.json" \
			"$BATS_TEST_TMPDIR/bad.json")
		[ -n "$found" ] || { echo "not found: $spoil"; return 1; }
	done
}

@test "-j: shape and exact values" {
	json
	says .schema 1
	says .interval_ns 1000000000
	says .time '"2025-03-01T12:00:01.123456789Z"'
	says .kernel '"6.12.0-fake"'
	says '.host | [.name, .cpus, .page_size]' '["fakehost",8,4096]'
	says '.backend | [.name, .detail, .duty, .capabilities.fentry, .capabilities.bpf]' '["tracepoint","default",1,false,true]'
	says '.backend.capabilities | has("vmstat")' false
	says '.totals | [.faults, .faults_user, .faults_kernel, .hits, .bypasses, .fallbacks]' '[12671,12345,326,12112,326,559]'
	says '.totals | .wait_ns == .mmap_read_wait_ns + .mmap_write_wait_ns' true
	says '[.processes[].pid]' '[1200,2345,4242]'
	says '.processes[0] | [.start_ns, .exec, .comm, .cgroup, .threads, .faults]' \
		'["11200003600",1,"mysqld","/system.slice/mysql.service",3,10164]'
	says '.processes[1].ns_pid' 7
	says '.processes[0] | has("ns_pid")' false
	says '[.threads[0] | .tid, .tid_start_ns, .pid, .start_ns, .comm]' '[1201,"11201003603",1200,"11200003600","ib_io_rd-1"]'
	says '.vmas[0] | [.start, .end, .perms, .kind, .name]' '["0x7f2a00000000","0x7f2a40000000","rw-p","anon","[anon:innodb]"]'
	says '.vmas[1] | [.dev, .inode, .offset]' '["8:1",1835021,155648]'
	says '.vmas[] | select(.kind == "none") | has("start"), has("name"), has("dev")' $'false\nfalse\nfalse'
	says '.self | [.foreign_mmap_locks, .bpf_runs, .cpu_ns]' '[0,20000,12000000]'
	says .loss '{"thread_storage":0,"vma_map_full":0,"recursion_misses_tp_page_fault_user":0}'
}

@test "-j: sums agree" {
	json
	says '[.processes[].faults] | add' 12671
	says '[.threads[].fallbacks] | add' 559
	says '[.reasons[].count] | add' 559
	says '[.reasons[] | select(.reason == "kernel_mode") | .certainty] | unique' '["exact"]'
	says '[.histograms[] | select(.count != .zero_count + ([.buckets[][1]] | add // 0))]' '[]'
	says '[.histograms[] | select(.scope == "host") | .lock]' '["mmap_read_wait","mmap_write_wait","mmap_read_hold","mmap_write_hold"]'
	says '[.histograms[] | select(.scope == "host" and .lock == "mmap_read_wait") | .sum_ns] | add' \
		"$(jq .totals.mmap_read_wait_ns <<<"$output")"
	# 14 ms are in the bucket that ends at 2^(-24/4) s = 15.6 ms
	says '.histograms[0] | [.schema, .buckets[-1], .count]' '[2,[-24,4],559]'
	says '.histograms[0] | has("max_ns")' false
	says '[.histograms[] | .scope] | unique' '["blocker","host","process","thread","vma"]'
	VML_FAKE_MAX=1 json
	says '.histograms[0].max_ns' 14000002
}

@test "-j: what fentry sees, and what exact detail adds" {
	json --backend fentry
	says '.backend | [.name, .detail, .exact]' '["fentry","default",true]'
	says '.totals | [.hits, .aborts, .retries, .bypasses, .fallbacks]' '[12112,215,18,326,559]'
	says '.totals | [.vma_write_wait_ns, .vma_write_readers, .userfaultfd_ns, .page_io_ns]' '[3195000,46,0,7020000]'
	says '.totals | has("misses"), has("serve_ns")' $'false\nfalse'
	says 'has("lookups")' false
	says '[.threads[] | .aborts + .retries] | add' 233
	says '.threads[0] | has("page_io_ns")' false
	says '[.vmas[] | .vma_write_wait_ns] | add' 3150000
	says '[.histograms[] | select(.scope == "host") | .lock]' \
		'["mmap_read_wait","mmap_write_wait","mmap_read_hold","mmap_write_hold","vma_write_wait","userfaultfd","page_io"]'
	says '[.histograms[] | select(.lock == "page_io" and .scope == "process") | [.pid, .count]]' '[[1200,18]]'
	json --backend fentry --detail exact
	says .backend.detail '"exact"'
	says '.totals | [.misses, .serve_ns]' '[10,27223000]'
	says '[.histograms[] | select(.scope == "host" and (.lock | startswith("serve_"))) | [.lock, .count]]' \
		'[["serve_hit",12112],["serve_retry",18],["serve_abort",215],["serve_bypass",326]]'
	says .lookups '[{"caller":"fault","lookups":12345,"aborts":215,"misses":10},{"caller":"madvise","lookups":40,"aborts":2,"misses":0},{"caller":"proc","lookups":12,"aborts":0,"misses":1}]'
	json --backend fentry --detail exact -l 0 -p 7
	says '.lookups | length' 9
	says '.lookups[0].lookups' 12345
}

@test "-j: what is unknown is absent" {
	json
	says '.totals | has("aborts"), has("retries"), has("misses"), has("blamed_ns")' $'false\nfalse\nfalse\ntrue'
	says '.totals | has("vma_write_wait_ns"), has("serve_ns"), has("page_io_ns")' $'false\nfalse\nfalse'
	says '.backend | has("exact")' false
	says 'has("blockers"), has("stacks"), has("lookups")' $'true\ntrue\nfalse'
	says '[.blockers[] | has("reclaim_ns"), has("io_ns")] | unique' '[false,true]'
	VML_FAKE_BLIND=1 json
	says '.totals | has("blamed_ns"), has("unattributed_ns"), has("handover_runqueue_ns")' $'false\nfalse\nfalse'
	says 'has("blockers"), has("cgroups"), has("stalls"), has("stacks")' $'false\nfalse\nfalse\nfalse'
	VML_FAKE_NO_STACKS=1 json
	says 'has("blockers"), has("stacks")' $'true\nfalse'
	# known, and nobody: that is not absent
	VML_FAKE_EMPTY=1 json
	says '[.blockers, .cgroups, .stalls]' '[[],[],[]]'
	VML_FAKE_STATE=old json
	says '.totals | has("hits")' false
	says '.backend.capabilities.per_vma_lock' false
}

@test "-j: blame, and that it adds up to the waits" {
	json
	says '.totals | [.wait_ns, .blamed_ns, .unattributed_ns, .handover_runqueue_ns, .handover_wakeup_ns]' \
		'[153955020,98200000,55755020,16726506,39028514]'
	says '.totals | .wait_ns == .blamed_ns + .unattributed_ns' true
	says '[.processes[] | .wait_ns == .blamed_ns + .unattributed_ns] | unique' '[true]'
	says '[.processes[] | .unattributed_ns == .handover_runqueue_ns + .handover_wakeup_ns] | unique' '[true]'
	says '[.blockers[].blamed_ns] | add' 98200000
	says '[.blockers[].tid]' '[991,1200,2350,4242,1201,55]'
	says '.blockers[0] | [.pid, .comm, .cgroup, .context, .lock, .target_pid, .target_comm]' \
		'[991,"metrics-agent","/system.slice/metrics-agent.service","read","mmap_read",1200,"mysqld"]'
	says '.blockers[0] | [.holds, .hold_ns, .on_cpu_ns, .runnable_ns, .sleep_ns, .io_ns, .blamed_ns, .avoidable_ns, .victims]' \
		'[2,62000000,12400000,6200000,43400000,36000000,62000000,0,4]'
	says '.blockers[1] | [.context, .lock, .blamed_ns, .avoidable_ns, .longest_ns]' '["munmap","mmap_write",30000000,24000000,122070]'
	says '.blockers[3] | [.comm, .context, .foreign_ns]' '["ev\\x1b[2J\\\\il","process_vm_readv",250000]'
	says '[.blockers[] | .on_cpu_ns + .runnable_ns + .sleep_ns == .hold_ns] | unique' '[true]'
	says '[.histograms[] | select(.scope == "blocker" and .tid == 991) | [.lock, .count, .sum_ns]]' '[["mmap_read_hold",2,62000000]]'
	says '[.cgroups[].blamed_ns] | add' 98200000
	says '.cgroups[0]' '{"victim":"/system.slice/mysql.service","blocker":"/system.slice/metrics-agent.service","blamed_ns":62000000}'
	says '.cgroups[-1]' '{"victim":"/system.slice/metrics-agent.service","blocker":"/user.slice/user-1000.slice","blamed_ns":250000}'
	says .stalls '[]'
	VML_FAKE_MAX=1 json
	says '.blockers[0].longest_ns' 31000002
	# readers of areas hold no mmap_lock: they are blockers, and in no ledger
	json --backend fentry
	says '[.blockers[] | select(.lock == "vma_read") | [.pid, has("tid"), .context, .blamed_ns]]' '[[1200,false,"vma readers",3150000]]'
	says .totals.blamed_ns 98200000
	json -l 1 -s blamed
	says '[.blockers[].tid]' '[991]'
	json -p 7
	says '[.blockers[] | .target_pid] | unique' '[2345]'
}

@test "-j: stalls that go on, and stacks of holders" {
	VML_FAKE_STATE=stalled json
	says '.stalls | length' 3
	says '.stalls[0]' '{"tid":2351,"pid":2345,"comm":"http-nio-8080-e","lock":"mmap_read","wait_ns":3200000000,"waiters":17,"target_pid":2345,"holder_tid":991,"holder_pid":991,"holder_comm":"metrics-agent","context":"read","state":"sleeping","hold_ns":3300000000}'
	says '.stalls[1]' '{"tid":1202,"pid":1200,"comm":"connection","lock":"mmap_write","wait_ns":250000000,"waiters":1,"target_pid":1200}'
	says '.stalls[2].holder_comm' '"ev\\x1b[2J\\\\il"'
	says '[.stacks[] | [.tid, .comm, .context, .kernel_frames, .holds, .hold_ns, .blamed_ns]]' \
		'[[991,"metrics-agent","read",5,1,60000000,60000000],[991,"metrics-agent","read",2,1,2000000,2000000]]'
	says '.stacks[0].frames' '["smaps_pte_range","walk_page_vma","show_smap","seq_read_iter","do_syscall_64","read","metrics-\\x1b[2Jagent+0x2a1b","[unknown]"]'
	VML_FAKE_STATE=stalled json -p 1200
	says '[.stalls[].target_pid]' '[1200]'
}

@test "-j: limits and sorting leave the totals alone" {
	json -l 1 -s faults
	says '[(.processes, .threads, .vmas) | length]' '[1,1,1]'
	says '.totals.faults' 12671
	says '[.reasons[].count] | add' 559
	json -l 0
	says '[.processes[].pid]' '[1200,2345,4242,900]'
	says '.processes[3].faults' 0
	json -s start
	says '.vmas[0].kind' '"heap"'
	json -p 7
	says '[.processes[].pid]' '[2345]'
	says '.totals.faults' 2412
}

@test "-j: a process that exits has its last row, and is counted once" {
	VML_FAKE_EXIT=1 run -0 --separate-stderr "$top" -j -d 0.01 -n 2
	one=${lines[0]} two=${lines[1]}
	[ "$(jq -c '.processes[] | select(.pid == 5000) | [.exited, .faults]' <<<"$one")" = '[true,50]' ]
	[ "$(jq -c '[.processes[] | select(.exited)] | length' <<<"$two")" = 0 ]
	[ "$(jq .totals.faults <<<"$one")" = 12721 ]
	[ "$(jq .totals.faults <<<"$two")" = 12671 ]
}

@test "-j: hostile names are escaped once" {
	json
	says '.processes[2].comm' '"ev\\x1b[2J\\\\il"'
	says '[.vmas[] | select(.pid == 4242) | .name]' '["/tmp/\\x1b]0;title\\x07ü"]'
	! LC_ALL=C grep -q $'[\x01-\x1f\x7f]' <<<"$output"
}

# ---- -r

@test "-r: each interval of a file, selected and sorted as a live one; -n so many" {
	local file=$BATS_TEST_TMPDIR/load.db
	"$BUILD/tests/recording" "$file" intervals=5 wild=9
	run -0 --separate-stderr "$top" -r "$file" -j
	[ -z "$stderr" ] && [ "${#lines[@]}" = 5 ]
	[ "$(jq -sc '[.[].time[17:19]]' <<<"$output")" = '["01","02","03","04","05"]' ]
	# sums of the file are sums of what is printed
	[ "$(jq -s 'map(.totals.wait_ns) | add' <<<"$output")" = "$(sqlite3 "$file" 'SELECT sum(wait_ns) FROM interval')" ]
	run -0 --separate-stderr "$top" -r "$file" -b -n 2 -p 10
	[ "$(grep -c '^time ' <<<"$output")" = 2 ]
	[[ $output == *quiet* && $output != *worker.service* ]]
}

@test "-r: a file that is not there, no recording, cut, of a newer version, empty; options that are for live" {
	local dir=$BATS_TEST_TMPDIR
	one_line()
	{
		run "-$1" --separate-stderr "$top" "${@:3}"
		[ -z "$output" ] && [ "${#stderr_lines[@]}" = 1 ] || { echo "$output$stderr"; return 1; }
		[[ $stderr == "vmalocktop: "*"$2"* ]] || { echo "$stderr"; return 1; }
	}
	one_line 1 "cannot read $dir/none: No such file or directory" -b -r "$dir/none"
	one_line 1 "cannot read $dir: Is a directory" -b -r "$dir"
	echo text >"$dir/text"
	one_line 1 "cannot read $dir/text: it is damaged, cut short, or not a recording" -b -r "$dir/text"
	"$BUILD/tests/recording" "$dir/load.db" intervals=3
	head -c 20000 "$dir/load.db" >"$dir/cut"
	one_line 1 "cannot read $dir/cut: it is damaged" -j -r "$dir/cut"
	sqlite3 "$dir/load.db" 'PRAGMA user_version = 2'
	one_line 4 "written by a newer version of vmalock: upgrade this one" -j -r "$dir/load.db"
	"$BUILD/tests/recording" "$dir/empty.db" intervals=0
	run -0 --separate-stderr "$top" -j -r "$dir/empty.db"
	[ -z "$output$stderr" ]
	one_line 2 "--backend: not with -r, which shows what was observed before" -r "$dir/load.db" --backend fentry
	one_line 2 "--duty: not with -r" -r "$dir/load.db" --duty off
}
