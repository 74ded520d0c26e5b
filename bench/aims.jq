# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# What the numbers should be: of the results of bench/run, each with what it is.

# $value at most $limit; null: not measured, for lack of $of
def aim($aim; $value; $unit; $limit; $of):
	{$aim, $unit, $limit}
	+ if $value == null then {why: "not measured: \($of)"} else {$value, met: ($value <= $limit)} end;

# how many times as much, when there is anything to compare with
def times($b): if . != null and $b != null and $b >= 1 then . / $b else null end;

def added($name): first(.parts.hotpath.observers[]? | select(.name == $name) | .added_ns.one_vma.p50) // null;
def instructions($name): first(.instructions.observers[]? | select(.name == $name) | .added["one area"]) // null;
def threads($n): first(.parts.scale.threads[]? | select(.asked == $n and .why == null)) // {};

def aims:
	. as $r | added("empty tracepoint programs") as $floor | threads(10000) as $many
	| [
	  ([.parts.hotpath.observers[]? | select(.kind == "vmalock" and .added_ns) | .name] | if . == [] then ["tracepoint"] else . end)[] as $b
	  | ($r | added($b)) as $ns
	  | aim("fault in one area, `\($b)`: to the empty programs"; $ns | times($floor); "times"; 1.5; "hotpath, or the programs are below 1 ns"),
	    aim("fault in one area, `\($b)`: to bpftrace"; $ns | times($r | added("bpftrace")); "times"; 0.5; "hotpath, bpftrace"),
	    aim("fault in one area, `\($b)`: to perf record"; $ns | times($r | added("perf record")); "times"; 0.1; "hotpath, perf record")
	  ] + [
	  (("tracepoint", "fentry", "kprobe") as $b
	  | aim("instructions of such a fault, `\($b)`: to the empty program";
		$r | instructions("vmalock, `\($b)`") | times($r | instructions("empty tracepoint program")); "times"; 1.5; "make bench-instructions")),
	  aim("least duty: added to such a fault"; [$r.parts.duty.steps[]? | select(.duty != "off") | .added] | min; "%"; 1; "duty"),
	  aim("10,000 threads: a whole snapshot"; $many.snapshot_ms.p50; "ms"; 15; "scale"),
	  aim("10,000 threads: an interval read by vmalockd"; $many.vmalockd.snapshot_mean_ms; "ms"; 15; "scale"),
	  aim("10,000 threads: vmalocktop, resident"; $many.vmalocktop.rss_mb; "MB"; 40; "scale"),
	  aim("10,000 threads: vmalockd, resident"; $many.vmalockd.rss_mb; "MB"; 40; "scale"),
	  aim("10,000 threads: 99 % of the scrapes"; $many.vmalockd.text.p99_ms; "ms"; 20; "scale"),
	  aim("a snapshot grows with threads to the power of"; $r.parts.scale.fits.threads.snapshot_ms.exponent; ""; 1.1; "scale"),
	  aim("a snapshot grows with areas to the power of"; $r.parts.scale.fits.vmas.snapshot_ms.exponent; ""; 1.1; "scale"),
	  aim("start to the first screen"; $r.parts.start.screen_ms.p50; "ms"; 300; "start"),
	  aim("start to the first line of -b"; $r.parts.start.batch_ms.p50; "ms"; 300; "start"),
	  (("vmalocktop", "vmalockd", "vmalock") as $name
	   | aim("\($name), stripped"; first($r.parts.size.programs[]? | select(.name == $name) | .stripped_bytes / 1e6) // null; "MB"; 1.5; "size"))
	  ];
