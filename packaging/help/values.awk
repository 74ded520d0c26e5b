# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# What is known of the values of options, for the completions.  values() is one of
#
#	""          nothing: numbers, times, names of others
#	"file", "pid", "user"
#	WORDS       one of these, with a space between them

BEGIN {
	FS = OFS = "\t"
	of["backend"] = "auto fentry kprobe tracepoint"
	of["by"] = "smaps smaps_rollup numa_maps pagemap clear_refs"
	of["detail"] = "default exact"
	of["duty"] = "1 1/2 1/4 1/8 1/16 off"
	of["fail-on"] = "low medium high"
	of["log.format"] = "logfmt json"
	of["log.level"] = "debug info warn error"
	of["pid"] = "pid"
	of["seccomp"] = "errno kill off"
	of["user"] = "user"
	of["web.labels"] = "cgroup cgroup,comm"
	for (name in of)
		listed[name] = 1
}

function values(long, arg)
{
	if (long == "cgroup" || long == "web.telemetry-path")
		return "" # no path of a file
	if (long == "sort")
		return keys
	if (long in listed)
		return of[long]
	return arg ~ /FILE|PATH/ ? "file" : ""
}

$2 == "key" { keys = keys (keys == "" ? "" : " ") $3 }
$2 == "option" && $3 ~ /\?/ { gsub(/\?/, "", $3) } # -? is a pattern to shells
{ row[++nrows] = $0 }

# pages of a program: itself and its commands
function is_of(page, program)
{
	return page == program || program == "vmalock" && page ~ /^vmalock-/
}
