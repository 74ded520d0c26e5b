#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# What the keys do.

load lib

first_row()
{
	rows | head -n 1 | grep -qE "$1"
}

@test "help by F1, ? and h, and back" {
	start 80 24
	see '^> +1200 '
	for key in F1 '?' h; do
		keys "$key"
		see '^KEYS'
		keys "$key"
		see '^> +1200 '
	done
	keys D
	see '^tracepoint backend'
	keys Escape
	see '^> +1200 '
}

@test "Tab and Shift-Tab go through the views" {
	start 80 24
	see '^> +1200 '
	keys Tab
	see '^ +TID '
	keys Tab
	see '^ +PID +START'
	keys BTab BTab BTab
	see '^KEYS'
}

@test "arrows, j, k, Home and End select" {
	start 80 24
	see '^> +1200 '
	keys Down
	eventually selected java
	keys j
	eventually selected 4242
	keys j j j
	eventually selected 4242
	keys Up
	eventually selected java
	keys k k k
	eventually selected mysqld
	keys End
	eventually selected 4242
	keys Home
	eventually selected mysqld
	keys NPage
	eventually selected 4242
	keys PPage
	eventually selected mysqld
}

@test "Enter goes in to threads and their histogram, Backspace and Esc go out" {
	start 100 24
	see '^> +1200 '
	keys Down Enter
	see '^host > 2345 java '
	eventually selected 'java'
	[ "$(rows | wc -l)" = 3 ]
	keys 3
	see '\[stack\]'
	[ "$(rows | wc -l)" = 2 ]
	keys 4
	see 'stack_growth +inferred +9 '
	see_not write_locked.*193
	keys 6
	see 'write wait +30 '
	keys 2
	see 'GC Thread#0'
	keys End Enter
	see '^host > 2345 java > thread 2350 GC Thread#0 '
	see 'write wait +30 '
	keys BSpace
	see '^host > 2345 java '
	eventually selected 'GC Thread#0'
	keys Escape
	see '^host  '
	eventually selected java
	keys Escape
	eventually selected java
}

@test "Enter on a VMA shows how long its faults waited" {
	start 100 24
	see '^> +1200 '
	keys 3
	see 'innodb'
	keys Enter
	see '^host > 7f2a00000000 \[anon:innodb\]'
	see 'read wait +180 '
	see 'write wait +- '
}

@test "< and > sort by the columns beside, I inverts" {
	start 100 24
	see 'by FALLBACK '
	keys '<'
	see 'by HIT% '
	eventually first_row java
	keys '>' '>'
	see 'by BYPASS '
	keys '>' '>'
	see 'by WR WAIT '
	eventually first_row mysqld
	keys I
	see 'by WR WAIT inverted'
	eventually first_row 4242
	keys I
	see 'by WR WAIT  '
	eventually first_row mysqld
}

@test "F6 has a list of columns to sort by" {
	start 80 24
	see '^> +1200 '
	keys F6
	see '^> FALLBACK '
	see_screen sort
	keys Home Enter
	see 'by PID '
	eventually first_row '1200'
	keys F6 End Enter
	see 'by COMMAND '
	eventually first_row 'ev.x1b'
	keys F6 Escape
	see 'by COMMAND '
}

@test "F4 and backslash filter rows while one types; Esc shows all again" {
	start 80 24
	see '^> +1200 '
	keys F4
	text jav
	see '^only rows with: jav'
	eventually selected java
	[ "$(rows | wc -l)" = 1 ]
	keys Enter
	see 'with "jav"'
	keys '\'
	see '^only rows with: jav'
	keys C-u
	text nothing-has-this
	see 'No row contains "nothing-has-this"'
	keys Escape
	see '^> +1200 '
	[ "$(rows | wc -l)" = 3 ]
	keys F4
	text kubepods
	keys Enter
	eventually selected java
	keys Escape
	see '^> +1200 '
}

@test "/ finds a row, n the next one" {
	start 80 24
	see '^> +1200 '
	keys 2 /
	text MYSQL.service
	keys Enter
	eventually selected '1200 +1200'
	keys n
	eventually selected 1202
	keys n
	eventually selected 1201
	keys /
	text zzz
	keys BSpace Enter
	see 'no row contains "zz"'
	eventually selected 1201
}

@test "u shows one user's processes, by name and by uid" {
	start 80 24
	see '^> +1200 '
	keys u
	text nobody
	keys Enter
	see 'user nobody'
	see '^selected '
	[ "$(rows | wc -l)" = 1 ]
	see '^healthy: .* of 10,164 faults/s hit'
	keys u
	text 1000
	keys Enter
	see 'user 1000'
	eventually selected java
	keys u
	text no-such-user
	keys Enter
	see 'no user "no-such-user"'
	keys u Enter
	see '^host '
	[ "$(rows | wc -l)" = 3 ]
	keys u
	text 12345
	keys Enter
	see 'No process of user 12345 had a page fault'
}

@test "80 columns have room for all that was chosen" {
	start 80 24
	see '^> +1200 '
	keys u
	text nobody
	keys Enter
	see 'user nobody  every 200ms  per second  by FALLBACK  1/1$'
	keys F I
	see '^selected +user nobody  following  by FALLBACK inverted  1/1$'
	keys I F
	see 'user nobody  every 200ms  per second  by FALLBACK  1/1$'
}

@test "c adds processes up by cgroup, Enter goes into one" {
	start 100 24
	see '^> +1200 '
	keys c
	see '^host, by cgroup'
	see 'mysql.service \(1 process\)'
	keys Down Enter
	see '^host > /kubepods.slice/cri-containerd-0123456789ab.scope '
	see '^> +2345 '
	[ "$(rows | wc -l)" = 1 ]
	keys 6
	see 'write wait +30 '
	keys 2
	see 'GC Thread#0'
	keys Escape
	see '^host, by cgroup'
	keys c
	see '^> +2345 |^> +1200 '
}

@test "blockers are found, filtered, sorted and followed as other rows" {
	start 100 24
	see '^> +1200 '
	keys Tab Tab Tab Tab
	see '^> +991 read '
	see 'by BLAMED  1/6'
	keys Tab BTab /
	text 'GC Thr'
	keys Enter
	eventually selected 'mprotect'
	keys F
	see following
	keys F6 Home Enter
	see 'by TID '
	eventually first_row '55 khugepaged'
	eventually selected 'mprotect'
	keys F '<'
	see 'by COMMAND '
	keys F4
	text MUNMAP
	see 'with "MUNMAP"'
	[ "$(rows | wc -l)" = 1 ]
	eventually selected 'mysqld'
	keys C-u
	text java
	eventually selected 'mprotect'
	keys Escape 1 Escape
	see '^> +1200 '
	keys Down Enter 5
	see '^host > 2345 java '
	see 'khugepaged'
	[ "$(rows | wc -l)" = 3 ]
	keys Enter
	see '^host > 2345 java > '
	see HOLDER
	keys Escape Escape
	see '^host  '
}

@test "e shows counts instead of rates" {
	start 100 24
	see 'per second'
	keys e
	see '  counts  '
	keys 4
	see ' FAULTS  '
	keys e
	see 'FAULTS/s'
}

@test "Z and p stop the picture and let it go on" {
	start 80 24 VML_FAKE_SWAP=1
	see '^> +1200 '
	keys Z
	see PAUSED
	one=$(rows)
	for i in 1 2 3 4 5 6 7 8; do
		[ "$(rows)" = "$one" ]
		sleep 0.1
	done
	keys I
	see inverted
	keys I p
	see_not PAUSED
	is_other() { [ "$(rows)" != "$one" ]; }
	eventually is_other
}

@test "F follows a row when the order changes" {
	start 80 24 VML_FAKE_SWAP=1
	see '^> +1200 '
	keys Z
	see PAUSED
	if ! first_row java; then
		keys Down
	fi
	eventually selected java
	keys F p
	see following
	up='' down=''
	for ((i = 0; i < 300 && ${#up} + ${#down} < 2; i++)); do
		picture=$(rows)
		grep -qE '^> .*java' <<<"$picture"
		case $(head -n 1 <<<"$picture") in
		*java) up=1 ;;
		*) down=1 ;;
		esac
		sleep 0.05
	done
	[ "$up$down" = 11 ]
	# a row that nothing happens to stays while it is followed
	keys F
	see_not following
	keys 4 F
	see '^no row is selected that could be followed$'
	see_not following
}

@test "H shows threads, and processes again" {
	start 80 24
	see '^> +1200 '
	keys H
	see '^ +TID '
	keys H
	see '^ +PID FAULTS'
}

@test "d takes another interval and refuses nonsense" {
	start 80 24
	see 'every 200ms'
	keys d
	see '^interval in seconds:'
	text 0.5
	keys Enter
	see 'every 500ms'
	keys d
	text x
	keys Enter
	see 'not an interval: "x"'
	see 'every 500ms'
}

@test "q and F10 quit and leave the terminal as it was" {
	for key in q F10; do
		start 80 24
		see '^> +1200 '
		keys "$key"
		see '^exit 0'
		see_not '1200'
		diff "$dir/before" "$dir/after"
		[ ! -s "$dir/stderr" ]
		close
	done
}

@test "SIGINT, SIGTERM, SIGHUP and SIGQUIT end it and leave the terminal as it was" {
	for signal in INT TERM HUP QUIT; do
		start 80 24
		see '^> +1200 '
		kill -s "$signal" "$(cat "$dir/pid")"
		see '^exit 0'
		see_not '1200'
		diff "$dir/before" "$dir/after"
		[ ! -s "$dir/stderr" ]
		close
	done
	start 80 24
	see '^> +1200 '
	keys C-c
	see '^exit 0'
}

@test "a snapshot that fails ends it with one line after the screen is gone" {
	start 80 24 VML_FAKE_NEXT_ERROR=3
	see '^exit 1'
	diff "$dir/before" "$dir/after"
	[ "$(cat "$dir/stderr")" = 'vmalocktop: cannot take a snapshot: Input/output error' ]
}

@test "a source that ends leaves its last picture" {
	start 80 24 VML_FAKE_END=3
	see '^> +1200 '
	keys 2
	see '^ +TID '
	keys q
	see '^exit 0'
}

@test "-n ends after so many updates" {
	start 80 24 -- -n 2
	see '^exit 0'
	diff "$dir/before" "$dir/after"
}

@test "-H, -s, -l, -p and -u begin the screen so" {
	start 100 24 -- -H -s faults -l 2
	see '^> +1200 +1200 '
	see 'by FAULTS +1/2'
	close
	start 100 24 -- -p 7
	see '^selected '
	see '^> +2345 '
	see '1/1'
	close
	start 100 24 -- -l 0
	see '1/4'
	keys End
	eventually selected sshd
}

@test "a key that does nothing here says so" {
	start 80 24
	see '^> +1200 '
	text x
	see '^this key does nothing; \? has those that do'
	text n
	see '^nothing was looked for: / does'
	for view in 4 6 7 8; do
		text "$view"
		see_not '^this key'
		for key in '<' F6 F4 / n I; do
			keys "$key"
			see '^this key is for rows of views 1, 2, 3 and 5'
			keys Home
			see_not '^this key'
		done
	done
	text 4
	keys Enter
	see '^no row is selected that has more to show'
}

@test "half of a number is not shown" {
	start 40 10
	see '^> +1200 '
	text 6
	see '^  DURATION       TIMES/s      P50$'
	see '^> read wait  .*ns$'
	text 4
	see '^  REASON          CERTAINTY FAULTS/s$'
	see '^> kernel_mode     exact          326$'
}
