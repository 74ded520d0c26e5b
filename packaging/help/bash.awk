# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# usage: awk -v program=PROGRAM -f values.awk -f bash.awk TABLES >COMPLETION
#
# The completion of a program for bash: what to offer, by command and option, and below it the same
# code for each program.

function case_of(pattern, text)
{
	printf "\t%s) REPLY='%s' ;;\n", pattern, text
}

# the words that begin with "-", or the commands, of each page
function offered(    i, k, page, options, words)
{
	print fn "_offered()\n{\n\tcase $1 in"
	for (i = 1; i <= nrows; i++) {
		split(row[i], f, FS)
		if (!is_of(f[1], program))
			continue
		if (!(f[1] in seen)) {
			seen[f[1]] = 1
			page[++npages] = f[1]
		}
		if (f[2] == "option") {
			for (k = 1; k <= length(f[3]); k++)
				options[f[1]] = options[f[1]] " -" substr(f[3], k, 1)
			options[f[1]] = options[f[1]] " --" f[4] (f[5] != "" && f[5] !~ /^\[/ ? "=" : "")
		} else if (f[2] == "word")
			words[f[1]] = words[f[1]] " " f[3]
	}
	for (i = 1; i <= npages; i++) {
		case_of(page[i] ":name", page[i])
		case_of(page[i] ":options", substr(options[page[i]], 2))
		case_of(page[i] ":words", substr(words[page[i]], 2))
	}
	print "\t*) REPLY='' ;;\n\tesac\n}\n"
}

# what the value of an option is; none: it takes none
function kinds(    i, k, pattern, value)
{
	print fn "_value()\n{\n\tcase $1 in"
	for (i = 1; i <= nrows; i++) {
		split(row[i], f, FS)
		if (!is_of(f[1], program) || f[2] != "option")
			continue
		pattern = f[1] ":--" f[4]
		for (k = 1; k <= length(f[3]); k++)
			pattern = pattern "|" f[1] ":-" substr(f[3], k, 1)
		value = values(f[4], f[5])
		if (f[5] ~ /^\[/)
			value = "optional " value
		else
			value = f[5] == "" ? "none" : "takes " value
		case_of(pattern, value)
	}
	print "\t*) REPLY='none' ;;\n\tesac\n}\n"
}

END {
	fn = "_" program
	print "# completion of " program " for bash; made from its --help"
	offered()
	kinds()
	while ((getline line <code) > 0) {
		gsub(/@FN@/, fn, line)
		gsub(/@PROGRAM@/, program, line)
		print line
	}
}
