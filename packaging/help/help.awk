# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# usage: PROGRAM --help | awk -v page=PAGE -f help.awk      (see tables)
#
# What --help says, as records of fields with tabs between them:
#
#	PAGE option SHORTS LONG ARG TEXT    SHORTS: letters without "-"; ARG: "", NAME, or [NAME] when it may be left out
#	PAGE group TEXT                     the options that follow
#	PAGE word NAME TEXT                 a command, scenario or reason
#	PAGE example TEXT
#	PAGE status TEXT                    exit status

BEGIN { FS = OFS = "\t" }

function trim(s) { gsub(/^ +| +$/, "", s); return s }

# "-d, -i, --interval=SECONDS" or "--connect[=PATH]"
function option(left, text,    i, n, part, shorts, long, arg, at)
{
	n = split(left, part, /, +/)
	for (i = 1; i <= n; i++) {
		if (part[i] ~ /^-[^-]/) {
			shorts = shorts substr(part[i], 2, 1)
			arg = substr(part[i], 4)
			continue
		}
		long = substr(part[i], 3)
		arg = ""
		if ((at = match(long, /\[?=/))) {
			arg = substr(long, at)
			sub(/=/, "", arg)
			long = substr(long, 1, at - 1)
		}
	}
	print page, "option", shorts, long, arg, text
}

/Commands:$|Scenarios:$|Reasons:$/ { state = "words"; next }
/^Examples?:$/ { state = "examples"; next }
/^Options/ { state = ""; next }
/^Exit status: / { print page, "status", substr($0, 14); state = ""; next }
/^$/ { if (state == "words" && words || state == "examples") state = ""; next }

state == "words" {
	words++
	n = split(trim($0), part, /  +/)
	name = part[1]
	text = part[n]
	if (n == 1) {
		text = name
		sub(/^[^ ]+ +/, "", text)
	}
	sub(/ .*/, "", name)
	print page, "word", name, text
	next
}
state == "examples" { print page, "example", trim($0); next }
/^ +-/ { option(trim(substr($0, 1, 100)), trim(substr($0, 101))); next }
/^ [^ -].*:$/ { print page, "group", trim($0) }
