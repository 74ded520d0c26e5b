# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# Judges what clock() of guest/record left.
#
#	$times		[when it began, the earliest that the clock was set to], seconds since 1970
#	$ended		[{key: NAME, value: {status, said}}], of each program
#	$load		what the load said of itself
#	$kept		{FILE: {intervals: [{boot_ns, real_ns, interval_ns}], events: [{kind, ns}]}}
#	$tolds		[{FILE: [what report --intervals printed]}]
#	$before $after	metrics as text
#
# Result: [{name, verdict, why}]

def verdict($name; problems): [problems] as $p
	| {name: "clock: \($name)", verdict: (if $p == [] then "ok" else "FAIL" end), why: ($p[:10] | join("; "))};

# How far it was set each time, but for the time in between: the least step is an hour.
def steps: $times as [$now, $early] | [3600, -90000, 86400 + $early - $now, $now - $early];

def counters: [splits("\n") | select(test("^[^#]*_total[{ ]")) | capture("^(?<key>.*) (?<value>[^ ]*)$") | .value |= tonumber]
	| from_entries;

$tolds[0] as $told |
# Of the load's own image, and of the rows that a history has no room for, which may have it, too:
# the shell before it has few, and an interval may be long, with many that ended in it.
def rows_of($file): [$told[$file][].processes[]];
def faults_of($file): [rows_of($file)[] | select(.pid == $load.pid)] | (map(.exec) | max) as $last
	| map(select(.exec == $last) | .faults) | add // 0;
def rest_of($file): [rows_of($file)[] | select(.pid == 0 and .comm == "(rest)") | .faults] | add // 0;

[
	verdict("all end well"; $ended[] | select(.value.status != 0) | "\(.key): exit status \(.value.status): \(.value.said)"),
	($kept | to_entries[] | .key as $file | .value
		| verdict("\($file) has no gap";
			(.intervals | range(1; length) as $i | select(.[$i].boot_ns - .[$i].interval_ns != .[$i - 1].boot_ns)
				| "interval \($i) begins \(.[$i].boot_ns - .[$i].interval_ns - .[$i - 1].boot_ns) ns after the one before"),
			(.events[] | select(.kind | IN("start", "clock_step") | not) | "event \(.kind)")),
		  verdict("\($file) has each step";
			[.events[] | select(.kind == "clock_step") | .ns / 1e9] as $is
			| select(($is | length) != 4 or any(range(4); $is[.] - steps[.] | fabs > 1800)) | "\($is) s, not \(steps)"),
		  verdict("\($file) has intervals as long as they were";
			(.intervals[] | select(.interval_ns <= 0 or .interval_ns > 1800e9 or .interval_ns > .real_ns) | tojson))),
	($told | to_entries[] | .key as $file
		| verdict("the report of \($file) has them all";
			select((.value | length) != ($kept[$file].intervals | length) or .value == [])
			| "\(.value | length), not \($kept[$file].intervals | length)"),
		  verdict("nothing in the report of \($file) is negative";
			# the index of a bucket is
			.value[] | paths(numbers) as $p | select($p[0] != "histograms" and getpath($p) < 0) | "\($p | join(".")): \(getpath($p))")),
	verdict("both counted the load";
		("record.vml", "history.db") as $file | faults_of($file) as $n | rest_of($file) as $rest
		| select(if $rest == 0 then $n != faults_of("record.vml") or $n < $load.faults.total
			else $n > faults_of("record.vml") or $n + $rest < faults_of("record.vml") end)
		| "\($file): \($n) faults, \($rest) of the rest, the load \($load.faults.total)"),
	verdict("no counter falls";
		($before | counters) as $was | ($after | counters) as $is
		| (select($was == {}) | "there are none"),
		  ($was | keys[] | select($is[.] == null or $is[.] < $was[.]) | "\(.): \($was[.]), then \($is[.])"))
]
