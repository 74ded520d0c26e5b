# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# usage: awk -v program=PROGRAM -f values.awk -f fish.awk TABLES >COMPLETION
#
# The completion of a program for fish.

function quoted(s)
{
	gsub(/\\/, "\\\\", s)
	gsub(/'/, "\\'", s)
	return "'" s "'"
}

# when a page is meant
function condition(page)
{
	if (page == program)
		return program == "vmalock" ? " -n __fish_use_subcommand" : ""
	if (page == "vmalock-load-reason")
		return " -n '__fish_seen_subcommand_from load; and __fish_seen_subcommand_from reason'"
	if (page == "vmalock-load")
		return " -n '__fish_seen_subcommand_from load; and not __fish_seen_subcommand_from reason'"
	return " -n '__fish_seen_subcommand_from " substr(page, 9) "'"
}

function value(long, arg,    v)
{
	if (arg == "" || arg ~ /^\[/)
		return ""
	v = values(long, arg)
	if (v == "file")
		return " -r -F"
	if (v == "pid" || v == "user")
		return " -x -a '(__fish_complete_" v "s)'"
	return v == "" ? " -x" : " -x -a " quoted(v)
}

END {
	print "# completion of " program " for fish; made from its --help"
	print "complete -c " program " -f"
	for (i = 1; i <= nrows; i++) {
		split(row[i], f, FS)
		if (!is_of(f[1], program))
			continue
		start = "complete -c " program condition(f[1])
		if (f[2] == "word")
			print start " -a " f[3] " -d " quoted(f[4])
		if (f[2] != "option")
			continue
		shorts = ""
		for (k = 1; k <= length(f[3]); k++)
			shorts = shorts " -s " substr(f[3], k, 1)
		print start shorts " -l " f[4] value(f[4], f[5]) " -d " quoted(f[6])
	}
	if (program == "vmalock")
		print "complete -c vmalock -n '__fish_seen_subcommand_from report diff diagnose record' -F"
}
