# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# usage: awk -v program=PROGRAM -f values.awk -f zsh.awk TABLES >COMPLETION
#
# The completion of a program for zsh.

function quoted(s)
{
	gsub(/'/, "'\\''", s)
	return s
}

function text(s)
{
	gsub(/\\/, "\\\\", s)
	gsub(/[][]/, "\\\\&", s)
	return quoted(s)
}

function action(long, arg,    v)
{
	v = values(long, arg)
	if (v == "file")
		return "_files"
	if (v == "pid" || v == "user")
		return "_" v "s"
	return v == "" ? " " : "(" v ")"
}

# one argument of _arguments: '(-d --interval)'{-d+,--interval=}'[text]:SECONDS:action'
function spec(shorts, long, arg, what,    k, all, names, after, tail)
{
	after = arg == "" ? "" : arg ~ /^\[/ ? "=-" : "="
	names = "--" long after
	all = "--" long
	for (k = 1; k <= length(shorts); k++) {
		names = "-" substr(shorts, k, 1) (arg == "" ? "" : "+") "," names
		all = "-" substr(shorts, k, 1) " " all
	}
	if (arg != "") {
		tail = (arg ~ /^\[/ ? "::" : ":")
		gsub(/[][]/, "", arg)
		gsub(/:/, "\\:", arg)
		tail = tail quoted(arg) ":" action(long, arg)
	}
	if (shorts == "")
		return "'" names "[" text(what) "]" tail "'"
	return "'(" all ")'{" names "}'[" text(what) "]" tail "'"
}

# the arguments of _arguments for a page
function specs(page, indent,    i, s)
{
	for (i = 1; i <= nrows; i++) {
		split(row[i], f, FS)
		if (f[1] == page && f[2] == "option")
			s = s " \\\n" indent spec(f[3], f[4], f[5], f[6])
	}
	return s
}

function words(page,    i, s)
{
	for (i = 1; i <= nrows; i++) {
		split(row[i], f, FS)
		if (f[1] == page && f[2] == "word")
			s = s "\n\t'" f[3] ":" quoted(f[4]) "'"
	}
	return s
}

function commands(    i)
{
	print "local -a commands=(" words(program) "\n)"
	print "local -a scenarios=(" words(program "-load") "\n)"
	print "local -a reasons=(" words(program "-load-reason") "\n)"
	print "local curcontext=$curcontext state line"
	print "_arguments -C '1:command:->command' '*::argument:->argument'"
	print "case $state in"
	print "command) _describe command commands ;;"
	print "argument)"
	print "\tcase $words[1] in"
	for (i = 1; i <= nrows; i++) {
		split(row[i], f, FS)
		if (f[1] == program && f[2] == "word" && f[3] != "help")
			command(f[3])
	}
	print "\tesac\n\t;;\nesac"
}

function command(name,    files)
{
	print "\t" name ")"
	if (name == "load") {
		print "\t\tif [[ $words[2] == reason ]]; then"
		print "\t\t\tlocal -a scenarios=($reasons)\n\t\t\tshift words; (( CURRENT-- ))\n\t\tfi"
		files = " '1:what:{_describe what scenarios}'"
	} else
		files = name == "record" ? " '*::: :_normal'" : " '*:file:_files'"
	print "\t\t_arguments -s -S" specs(program "-" name, "\t\t\t") " \\\n\t\t\t" substr(files, 2)
	print "\t\t;;"
}

END {
	print "#compdef " program
	print "# made from its --help"
	if (program == "vmalock")
		commands()
	else
		print "_arguments -s -S" specs(program, "\t")
}
