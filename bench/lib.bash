# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# shellcheck shell=bash
#
# What the measurements of this folder share.
#
#	spawn PROGRAM...	in the background; its id is $spawned
#	end ID...		by SIGTERM, and waits
#	until_line FILE TEXT ID	waits until FILE has a line with TEXT; 1: ID ended before
#	many_start P T A, many_touch, many_end	bench/many
#	daemon_start OPTIONS...	vmalockd, which serves on $address and $work/api; its id is $daemon
#	scrape NAME URL [HEADER]	appends the seconds that it took to $work/NAME.times
#	cpu ID, rss ID		CPU time in ns of all its threads; resident kB
#	sources			which version of what is measured this is
#	block NAME TABLE FILE	TABLE goes between the lines for it in FILE
#
# Sets $build and $work, a folder that is removed, with what was spawned, when the
# script ends.  The scripts run in the root of the repository.

build=${BUILD:-build}
work=$(mktemp -d) || exit
declare -A spawned_of=()
spawned='' daemon='' address='' many='' many_in=''

spawned_end()
{
	[ ${#spawned_of[@]} = 0 ] || kill "${!spawned_of[@]}" 2>/dev/null || :
	wait
	rm -rf "$work"
}
trap spawned_end EXIT
trap 'exit 130' INT TERM

# spawn_with SIGNAL PROGRAM...: SIGNAL is what it gets when this script is killed
spawn_with()
{
	setpriv --pdeathsig "$1" -- "${@:2}" <&0 &
	spawned=$!
	spawned_of[$spawned]=1
}

spawn()
{
	spawn_with KILL "$@"
}

end()
{
	local id
	kill "$@" 2>/dev/null
	for id in "$@"; do
		wait "$id" 2>/dev/null
		unset "spawned_of[$id]"
	done
}

until_line()
{
	until grep -qs -- "$2" "$1"; do
		kill -0 "$3" 2>/dev/null || grep -qs -- "$2" "$1" || return
		sleep 0.05
	done
}

# cpu ID: nanoseconds of all its threads, of those that ended, too
cpu()
{
	local stat tick
	tick=$(getconf CLK_TCK)
	stat=$(<"/proc/$1/stat") || return
	# shellcheck disable=SC2086
	set -- "$1" ${stat##*) }
	cat /proc/"$1"/task/*/schedstat 2>/dev/null | awk -v ticks=$((${13} + ${14})) -v tick="$tick" '{ sum += $1 }
		END { all = ticks * (1e9 / tick); printf "%.0f\n", (sum > all ? sum : all) }'
}

rss()
{
	awk '/^VmRSS/ { print $2 }' "/proc/$1/status"
}

# ---- threads and areas

# many_start PROCESSES THREADS AREAS; 1: not possible here, and $work/many.err has why
many_start()
{
	rm -f "$work/many.in" "$work/many.out"
	mkfifo "$work/many.in"
	exec {many_in}<>"$work/many.in"
	spawn "$build/bench/many" "$@" <"$work/many.in" >>"$work/many.out" 2>"$work/many.err"
	many=$spawned
	until_line "$work/many.out" ready "$many" || { many_end; return 1; }
}

# a fault in every area; returns when all are done
many_touch()
{
	: >"$work/many.out"
	echo >&"$many_in"
	until_line "$work/many.out" touched "$many"
}

many_end()
{
	end "$many"
	exec {many_in}>&-
}

# ---- the daemon

# 1: it did not start, and $work/log has why
daemon_start()
{
	rm -f "$work/log"
	spawn "$build/bin/vmalockd" --user root --api-socket "$work/api" --web.listen-address 127.0.0.1:0 "$@" 2>"$work/log"
	daemon=$spawned
	until_line "$work/log" '"serving metrics"' "$daemon" || return
	address=$(sed -n 's/.*"serving metrics" address=\([^ ]*\).*/\1/p' "$work/log")
}

# summary NAME: count and sum of vmalock_NAME of the daemon
summary()
{
	curl -s "http://$address/metrics" | awk -v name="vmalock_$1" '$1 == name "_count" { n = $2 } $1 == name "_sum" { sum = $2 }
		END { print n + 0, sum + 0 }'
}

# shellcheck disable=SC2034
protobuf='Accept: application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited'

scrape()
{
	curl -s -o "$work/body" -w '%{time_total}\n' ${3:+-H "$3"} "$2" >>"$work/$1.times" && wc -c <"$work/body" >"$work/$1.bytes"
}

# ---- results

# The commit that last changed what is measured; "unknown" without git.
sources()
{
	local git=(git -c safe.directory="$PWD") paths=(bpf include src tools vmlinux) commit
	commit=$("${git[@]}" log -1 --format=%h -- "${paths[@]}" 2>/dev/null)
	[ -z "$commit" ] || "${git[@]}" diff --quiet HEAD -- "${paths[@]}" || commit+=-dirty
	echo "${commit:-unknown}"
}

block()
{
	awk -v name="$1" -v table="$2" '
		$0 == "<!-- " name ": end -->" { skip = 0 }
		!skip
		$0 == "<!-- " name ": begin -->" { skip = 1; while ((getline line <table) > 0) print line }' "$3" >"$work/new" &&
		cat "$work/new" >"$3"
}
