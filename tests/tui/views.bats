#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# What each view looks like. UPDATE_SCREENS=1 bats tests/tui writes the screens anew: then look at them.

load lib

# all_views COLS ROWS NAME
all_views()
{
	local view
	start "$1" "$2"
	see '^> +1200 '
	see_screen "$3-1"
	for view in 2 3 4 5 6 7 8; do
		keys "$view"
		see_screen "$3-$view"
	done
}

@test "every view at 80x24" {
	all_views 80 24 80x24
}

@test "every view at 200x60" {
	all_views 200 60 200x60
}

@test "exact detail: who looks VMAs up, and all durations" {
	start 80 24 -- --backend fentry --detail exact
	see '^> +1200 '
	see '8 CPUs, fentry backend, exact detail'
	keys 4
	see '^  VMA LOOKUPS BY '
	see_screen exact-4
	keys 6
	see '^> read wait '
	see_screen exact-6
	keys End
	see '^> page I/O .* 18 '
	see 'TIMES/s serve bypass +TIMES/s page I/O'
	keys Up
	see '^> serve bypass '
	keys 1 Enter 4
	see 'write_locked +exact +190 '
	see_not LOOKUPS
	keys 6
	see 'VMA wait +32 '
	close
	start 200 60 -- --backend kprobe --detail exact
	see '^> +1200 '
	see_screen exact-200x60-1
	keys 6
	see_screen exact-200x60-6
}

@test "what a hook skipped makes reasons inferred" {
	start 80 24 VML_FAKE_SKIPPED=1 -- --backend fentry
	see 'lost: 7 recursion_misses_fentry_lock_mm_and_find_vma'
	keys 4
	see 'write_locked +inferred +193 '
	see 'kernel_mode +exact +326 '
}

@test "80x24 in the C locale is ASCII" {
	start 80 24 LC_ALL=C
	see '^> +1200 '
	keys 2
	see_screen c-2
	keys 3
	see_screen c-3
	keys 6
	see_screen c-6
	! screen | LC_ALL=C grep -q '[^ -~]'
}

@test "a monochrome terminal shows the same" {
	start 80 24 TERM=xterm-mono
	see_screen 80x24-1
	keys 6
	see_screen 80x24-6
}

@test "colours, and none with NO_COLOR" {
	start 80 24
	see '^> +1200 '
	screen -e | head -n 1 | grep -q $'\e\\[32m'
	close
	start 80 24 NO_COLOR=1
	see '^> +1200 '
	! screen -e | grep -qE $'\e\\[(3[0-7]|4[0-7]|[34]8;)'
	close
	start 80 24 NO_COLOR=
	see '^> +1200 '
	screen -e | head -n 1 | grep -q $'\e\\[32m'
}

@test "a terminal that cannot move its cursor gets batches" {
	start 200 60 TERM=dumb -- -n 1
	see '^exit 0'
	see '^healthy: '
	see '^DURATION '
}

@test "loss has a line of its own and is in the verdict" {
	start 80 24 VML_FAKE_LOSS=1
	see '^lost: 1,200 vma_map_full, 3 thread_storage'
	see_screen loss
	keys 7
	see '^Lost since counting began:$'
	see '^ +[0-9.]+k?  vma_map_full +Counted in the process, but in no VMA row\.$'
}

@test "empty views say why they are empty" {
	start 80 24 VML_FAKE_EMPTY=1
	see '^quiet: no page faults'
	see_screen empty-1
	keys 2
	see 'No thread had a page fault or took mmap_lock in the last 1.0 s'
	keys 3
	see 'No memory area had a page fault in the last 1.0 s'
	keys 4
	see 'No fault of the host took mmap_lock'
	keys 6
	see 'Nothing of the host took mmap_lock'
}

@test "the holder: what it held, where its time went, whom it held up, in which code" {
	start 80 24
	see '^> +1200 '
	keys 5
	see '^> +991 read '
	keys Enter
	see '^host > 991 metrics-agent in read '
	see_screen holder
	keys End
	see '^    metrics-.x1b.2Jagent.0x2a1b$'
	see_screen holder-end
	keys 6
	see '^> read hold +2 +29ms +29ms +29ms +31ms'
	see_not 'read wait'
	keys 4
	see 'write_locked +inferred +190 '
	keys 2
	see '^> +1201 +1200 .*ib_io_rd-1'
	keys 5
	see 'STACKS'
	keys Escape
	see '^> +991 read '
	keys Down Enter
	see 'munmap'
	see 'at least 80.00% of it: waits for addresses that it did not change'
	keys End
	see 'None: no hold that ended in this interval made anybody wait for longer than$'
	keys e Home
	see '^  blamed +30ms in 22 holds, longest 120us; 61 threads were waiting'
	keys Escape Down Down Enter
	see '^  who +ev.x1b.2J..il \(process 4242\) in process_vm_readv$'
	keys End
	see '250us of the blame is for other processes that waited, the last one of'
	close
	start 200 60 -- --backend fentry
	see '^> +1200 '
	keys 5 Enter
	see '^host > 991 metrics-agent in read '
	see_screen holder-200x60
	keys Escape F4
	text vma_read
	keys Enter Enter
	see '^  who +mysqld \(process 1200\) in vma readers'
	see 'areas of mysqld \(1200\), its own process, held to read, by faults in them'
}

@test "a stall is said first, as much of it as fits" {
	start 80 24 VML_FAKE_STATE=stalled
	see '^stalled now: 17 threads wait for java \(2345\), 3.2 s; held by metrics-agent \(991\)$'
	screen -e | head -n 1 | grep -q $'\e\\[[0-9;]*31m'
	keys 5
	see_screen stalled
	tm resize-window -x 160 -y 24
	see '^stalled now: 17 threads wait for mmap_lock of java \(2345\), longest 3.2 s; held by metrics-agent \(991\) in read, sleeping, for 3.3 s; 2 more locks'
	tm resize-window -x 100 -y 24
	see '^stalled now: 17 threads wait for java \(2345\), 3.2 s; held by metrics-agent \(991\) in read, sleeping$'
	tm resize-window -x 40 -y 8
	see_screen stalled-40x8
	keys Enter
	see_screen holder-40x8
	close
	start 130 24 VML_FAKE_STATE=stalled -- -p 1200
	see '^stalled now: 1 thread waits for mmap_lock of mysqld \(1200\), 250 ms; nobody is seen to hold it: its next owner may get no CPU$'
	close
	start 80 24 VML_FAKE_STATE=stalled -- -p 4242
	see '^stalled now: 2 threads wait for ev.x1b.2J..il \(4242\), 150 ms$'
}

@test "no blockers: the view says why, and so do stacks" {
	start 80 24 VML_FAKE_EMPTY=1
	see '^quiet: no page faults'
	keys 5
	see 'Nobody waited for a lock that somebody held in the last 1.0 s'
	see_screen empty-5
	close
	start 80 24 VML_FAKE_BLIND=1
	see '^> +1200 '
	keys 5
	see 'Who holds mmap_lock cannot be seen on this host; vmalock doctor says why'
	close
	start 80 24 -- -p 4242
	see '^> +4242 '
	keys 5
	see '^> +4242 process_vm_readv '
	keys 1 Enter 5
	see '^> +4242 process_vm_readv '
	close
	start 80 24 -- -u 0 -l 0
	see '^> +900 '
	keys 1 Enter 5
	see 'Nobody held up 900 sshd in this interval, nor was held up by it'
	close
	start 80 24 VML_FAKE_NO_STACKS=1
	see '^> +1200 '
	keys 5
	see '^> +991 read '
	keys Enter
	see 'HOLDER'
	keys End
	see 'Stacks of holders are not taken here'
}

@test "the verdict says what is wrong first" {
	start 80 24 VML_FAKE_STATE=falling
	see '^falling back: .* % of 12,671 faults/s took mmap_lock, most: write_locked'
	close
	start 80 24 VML_FAKE_STATE=waiting
	see '^waiting: 6.2 s per second for mmap_lock; 95.59 % of 12,671 faults/s hit'
	close
	start 80 24 VML_FAKE_STATE=starved
	see '^waiting: 6.2 s per second for mmap_lock, 84 % of it for a CPU, not for a holder$'
	tm resize-window -x 150 -y 24
	see '^waiting: 6.2 s per second for mmap_lock, 84 % of it while the next owner waited for a CPU \(starved, throttled or low priority\), not for a holder'
	close
	start 100 24 VML_FAKE_STATE=old
	see '^mmap_lock only: this kernel has no per-VMA locks, all of 12,671 faults/s take it'
	see '12.7k faults/s: - hits, '
}

@test "before the first interval is over it says so" {
	start 80 24 -- -d 600
	see 'the first interval is not over'
	see '^fakehost, Linux'
}

@test "a terminal of 20x5, and back" {
	start 80 24
	see_screen 80x24-1
	tm resize-window -x 20 -y 5
	see_screen 20x5
	keys 6
	see 'read wait'
	keys 1
	see_screen 20x5
	tm resize-window -x 59 -y 24
	see '^> +1200 '
	see_not 'F1 help'
	tm resize-window -x 60 -y 10
	see 'F1 help'
	tm resize-window -x 1 -y 1
	tm resize-window -x 80 -y 24
	see_screen 80x24-1
}
