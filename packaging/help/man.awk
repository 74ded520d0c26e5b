# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# usage: awk -v page=PAGE -f man.awk TABLES man/PAGE.SECTION.in >PAGE.SECTION
#
# A manual page of prose in mdoc, and of what the program says of itself (TABLES: see tables).  Lines
# of the prose that stand for it:
#
#	@OPTIONS@         the options of the page
#	@WORDS PAGE@      the commands, scenarios or reasons of a page
#	@EXAMPLES@        examples
#	@STATUS@          exit status

BEGIN { FS = "\t" }

# text that is no macro, and what mdoc would take for more than text
function plain(s)
{
	gsub(/\\/, "\\e", s)
	gsub(/(^|[ (\/])-/, "&\001", s)
	gsub(/-\001/, "\\-", s)
	return s
}

function put(line)
{
	if (line ~ /^[.']/)
		line = "\\&" line
	print line
}

# lines of at most 78 characters, a new one for each sentence
function fill(s,    i, n, word, line)
{
	n = split(plain(s), word, / +/)
	for (i = 1; i <= n; i++) {
		if (line != "" && (length(line) + length(word[i]) > 77 || line ~ /[.?!]\)?$/)) {
			put(line)
			line = ""
		}
		line = line (line == "" ? "" : " ") word[i]
	}
	if (line != "")
		put(line)
}

# an argument of a macro, quoted where it would end it
function arg(s)
{
	gsub(/-/, "\\-", s)
	return s
}

# d, i, interval, SECONDS -> Fl d , Fl i , Fl \-interval Ns = Ns Ar SECONDS
function option(shorts, long, value,    i, s)
{
	for (i = 1; i <= length(shorts); i++)
		s = s (s == "" ? "" : " , ") "Fl " substr(shorts, i, 1)
	s = s (s == "" ? "" : " , ") "Fl \\-" arg(long)
	if (value ~ /^\[/)
		s = s " Ns Oo Ns = Ns Ar " substr(value, 2, length(value) - 2) " Oc"
	else if (value != "")
		s = s " Ns = Ns Ar " value
	return ".It " s
}

function options(    i, open)
{
	for (i = 1; i <= nrows; i++) {
		split(row[i], f, FS)
		if (f[1] != page)
			continue
		if (f[2] == "group") {
			if (open)
				print ".El"
			open = 0
			print ".Ss " substr(f[3], 1, length(f[3]) - 1)
		} else if (f[2] == "option") {
			if (!open)
				print ".Bl -tag -width Ds"
			open = 1
			print option(f[3], f[4], f[5])
			fill(f[6] ".")
		}
	}
	if (open)
		print ".El"
}

function words(of,    i, n)
{
	print ".Bl -tag -width Ds"
	for (i = 1; i <= nrows; i++) {
		split(row[i], f, FS)
		if (f[1] == of && f[2] == "word") {
			print ".It Cm " arg(f[3])
			fill(f[4] ".")
			n++
		}
	}
	print ".El"
	if (!n)
		failed = "no words of " of
}

function examples(    i, n)
{
	print ".Bd -literal"
	for (i = 1; i <= nrows; i++) {
		split(row[i], f, FS)
		if (f[1] == page && f[2] == "example") {
			put(plain(f[3]))
			n++
		}
	}
	print ".Ed"
	if (!n)
		failed = "no examples of " page
}

function status(    i)
{
	for (i = 1; i <= nrows; i++) {
		split(row[i], f, FS)
		if (f[1] == page && f[2] == "status") {
			fill(f[3])
			return
		}
	}
	failed = "no exit status of " page
}

NR == FNR { row[++nrows] = $0; next }
/^@OPTIONS@$/ { options(); next }
/^@WORDS .*@$/ { words(substr($0, 8, length($0) - 8)); next }
/^@EXAMPLES@$/ { examples(); next }
/^@STATUS@$/ { status(); next }
/^@/ { failed = "what is " $0 "?" }
{ print }
END {
	if (failed) {
		print "man.awk: " FILENAME ": " failed >"/dev/stderr"
		exit 1
	}
}
