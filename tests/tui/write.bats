#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# Key w: the last minute as a recording.

load lib

vmalock=$BUILD/bin/vmalock

# written N: the status line names the N-th file, which is there then
written()
{
	see '^wrote vmalock-[^ ]*[.]vml: the last [0-9]+ s$'
	files=("$dir"/folder/vmalock-*.vml)
	[ "${#files[@]}" = "$1" ] && shows "^wrote ${files[$1 - 1]##*/}: the last "
}

# seconds FILE: of the invented host that are in it, a second each; its sums are those of so many
seconds()
{
	local n
	n=$("$vmalock" report --intervals "$1" | jq -s 'map(.interval_ns == 1000000000) | if all then length else error end')
	[ "$("$vmalock" report -j "$1" | jq -cS '[.interval_ns, .totals]')" = \
		"$(jq -cS --argjson n "$n" '[.interval_ns * $n, (.totals | map_values(. * $n))]' <<<"$one")" ] || return 1
	echo "$n"
}

# a folder that becomes the current one, and one interval as -j prints it, of all processes
folder()
{
	one=$("$FAKE" -j -n 1 -d 0.01)
	mkdir "$dir/folder"
	cd "$dir/folder"
}

@test "w writes what the screen saw, of all processes, again and again, also while paused" {
	local first more
	folder
	start 100 24 -- -p 1200
	see '^> +1200 '
	keys w
	written 1
	first=$(seconds "${files[0]}")
	[ "$first" -ge 1 ]
	cp "${files[0]}" "$dir/copy"
	# what is kept is not used up, and what comes while it is paused is kept
	keys p
	sleep 1
	keys w
	written 2
	cmp "${files[0]}" "$dir/copy"
	more=$(seconds "${files[1]}")
	[ "$more" -gt "$first" ]
	[ "$("$vmalock" report -j "${files[1]}" | jq '.processes | length')" = "$(jq '.processes | length' <<<"$one")" ]
	[ "$(stat -c %a "${files[1]}")" = 600 ]
	keys p
	see '^> +1200 '
	keys q
	see '^exit 0'
	[ "$(ls)" = "$(basename -a "${files[@]}")" ]
}

# of the last file; its name has the second, or a number
a_minute()
{
	local file
	keys w
	see '^wrote .*: the last'
	for file in "$dir"/folder/vmalock-*.vml; do
		[ "$(sqlite3 "$file" 'SELECT count(*) FROM interval')" != 60 ] || return 0
	done
	return 1
}

@test "w writes no more than the last minute" {
	local file
	folder
	start 100 24 -- -d 0.02
	see '^> +1200 '
	eventually a_minute
	sleep 1 # seconds of that host go by meanwhile
	keys w
	see '^wrote .*: the last 60 s$'
	keys q
	see '^exit 0'
	for file in *.vml; do
		[ "$(seconds "$file")" -le 60 ]
	done
}

@test "w when there is nothing to write, no folder, or a recording already" {
	folder
	start 100 24 VML_FAKE_END=1
	see '1 processes'
	keys w
	see 'nothing to write yet: the first interval is not over'
	close
	start 100 24
	see '^> +1200 '
	rmdir "$dir/folder"
	keys w
	see '^cannot .*vmalock-.*[.]vml: No such file or directory'
	keys q
	see '^exit 0'
	cd "$dir"
	"$(dirname "$FAKE")/recording" "$dir/r.db"
	start 100 24 -- -r "$dir/r.db"
	see ' 1/30 '
	keys w
	see 'this key is for what is seen now; this is a recording already'
}
