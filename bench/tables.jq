# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# The results of bench/run as Markdown.

def fixed($digits): pow(10; $digits) as $f | . * $f | round / $f + 0 | tostring;
def number:
	if . == null then "-" else
	(if . < 0 then -. else . end) as $a | fixed(if $a >= 100 then 0 elif $a >= 10 then 1 elif $a >= 0.1 then 2 else 4 end) end;
# of a spread: the median and the quartiles
def range: if .p50 == null then "-" else "\(.p50 | number) (\(.p25 | number)..\(.p75 | number))" end;
# text of others in a cell
def cell: gsub("[|`<>]"; " ") | gsub("\\s+"; " ");
def row: "| \(join(" | ")) |";
def table($head): ($head | row), ($head | map("---") | row);
# a line for each, after a title; a part that failed has its reason
def part($name; $title; f): .parts[$name] as $p
	| if $p == null then empty else "", "### \($title)", "", ($p | if .why then "Not measured: \(.why | cell)" else f end) end;

def head:
	(if .quick then "**A quick run: these numbers mean nothing.**", "" else empty end),
	"Linux \(.host.kernel), \(.host.machine), \(.host.model | cell), \(.host.cpus) CPUs, \(.host.memory_mb) MB; sources \(.sources); \(.time), \(.seconds) s. Load when it began: \(.load).";

def aims_table:
	"", table(["aim", "at most", "here", ""]),
	(.aims[] | .unit as $unit | def of_unit: if $unit == "" then . else "\(.) \($unit)" end;
	 [.aim, ("\(.limit)" | of_unit), (if .why then "-" else .value | number | of_unit end),
		(if .why then .why elif .met then "met" else "**missed**" end)] | row);

def workloads: ["one_vma", "many_vmas", "mmap_munmap"];

def hotpath:
	. as $p | def title: if .kind == "vmalock" then "vmalock, `\(.name)`" else .name end;
	"ns of a 4 KiB anonymous fault, or of a pair of calls: median (quartiles), \(.rounds) rounds of \(.faults); of tools fewer."
	+ (if .others > 0 then " \(.others) other BPF programs were on the fault tracepoint and are in all numbers." else "" end), "",
	table(["added by", "fault in one area", "changing among \(.vmas)", "mmap and munmap"]),
	(["(without)"] + [.bare_ns[workloads[]] | range] | row),
	(.observers[] | if .why then [title, "does not run here: \(.why | cell)", "", ""]
		else [title + (if (.missed_faults // 0) > 0 then ", did not count \(.missed_faults) faults" else "" end)
			+ (if .said then ", \(.said | cell)" else "" end)] + [.added_ns[workloads[]] | range] end | row),
	(.observers[] | select(.kind == "vmalock" and .added_ns) | . as $v
	| "", table(["vmalock, `\(.name)`, to", "fault in one area", "changing among \($p.vmas)", "mmap and munmap"]),
	  ($p.observers[] | select(.kind != "vmalock" and .added_ns) | . as $o
	   | [.name] + [workloads[] as $w | ($o.added_ns[$w].p50) as $x
		| if $x != null and $x >= 1 then ($v.added_ns[$w].p50 / $x | number) else "-" end] | row));

def instructions:
	"", "### Instructions", "",
	(.instructions | if .why then "Instructions of a fault, in emulation: \(.why | cell)."
	else (first(.observers[] | select(.name == "empty tracepoint program")) // {added: {}}) as $floor
		| "Instructions added to a fault in one area (Linux \(.kernel), emulated; [cost.md](cost.md)):", "",
		table(["added by", "instructions", "to the empty tracepoint program"]),
		(.observers[] | .added["one area"] as $n
		 | [.name, ($n | number), (if ($floor.added["one area"] // 0) > 0 then ($n / $floor.added["one area"] | number) else "-" end)] | row) end);

def duty:
	"Added to a fault of \(.fault_ns) ns, one after the other in one area: median of the rounds (quartiles).", "",
	table(["duty", "faults seen", "added", "own CPU time, of one CPU"]),
	(.steps[] | [.duty, "\(.seen) %", "\(.added) (\(.quartiles | join(".."))) %", "\(.own_cpu) %"] | row);

def throughput:
	"Slower than in the same round without, median (quartiles); below 0: faster.", "",
	table(["program", "without", "with vmalocktop -b -d 1", "with vmalockd"]),
	(.programs[] | if .why then [.name, "does not run here: \(.why | cell)", "", ""]
		else [.name, "\(.off.speed | range) \(.unit)", "\(.vmalocktop.percent | range) %", "\(.vmalockd.percent | range) %"] end | row);

def start:
	table(["from the start to", "p50, ms", "p90, ms", "times"]),
	(["the end of `vmalocktop --version`", .exec_ms], ["the first line of `vmalocktop -b -d 0.001`", .batch_ms],
		["the first screen of `vmalocktop`", .screen_ms]
	 | [.[0], (.[1].p50 | number), (.[1].p90 | number), "\(.[1].n)"] | row);

def sizes($what):
	table([$what, "rows: processes, threads, areas", "snapshot, ms", "delta, ms", "vmalocktop: CPU ms an interval", "MB",
		"vmalockd: reading an interval, mean ms", "CPU ms an interval", "MB", "areas with a row", "scrape of text, p50, p99 ms", "of protobuf"]),
	(.[] | if .why then ["\(.asked)", "not possible here: \(.why | cell)"] + [range(10) | ""]
		else ["\(.asked)", "\(.rows.processes), \(.rows.threads), \(.rows.vmas)", (.snapshot_ms | range), (.delta_ms.p50 | number),
			(.vmalocktop.cpu_ms | number), (.vmalocktop.rss_mb | number), (.vmalockd.snapshot_mean_ms | number), (.vmalockd.cpu_ms | number), (.vmalockd.rss_mb | number),
			"\(.vmalockd.rows.vmas)" + (if .vmalockd.vma_map_full > 0 then ", no room for \(.vmalockd.vma_map_full) faults" else "" end),
			(.vmalockd | "\(.text.p50_ms | number), \(.text.p99_ms | number)", "\(.protobuf.p50_ms | number), \(.protobuf.p99_ms | number)")] end | row);

def fits:
	def line($what): to_entries[] | [$what, (.key | gsub("_"; " "))] + (.value | if . == null then ["-", "-", "-", "-"]
		else [(.slope * 1000 | number), (.intercept | number), (.r2 | number), (.exponent | number)] end) | row;
	"", "A line through the sizes: number = base + slope · rows. Exponent: of the growth between the two largest; 1 is linear, less is better.", "",
	table(["by", "number", "slope, of 1,000 rows", "base", "r²", "exponent"]),
	(.threads | line("threads")), (.vmas | line("areas"));

def scale:
	(.threads | sizes("threads")), "", (.vmas | sizes("areas")), "",
	"With --memory \(.memory.threads) for threads, the default, and \(.memory.vmas) for areas, so that all rows have room.", (.fits | fits);

def size:
	table(["program", "stripped, MB", "as built, MB"]),
	(.programs[] | [.name, (.stripped_bytes / 1e6 | number), (.bytes / 1e6 | number)] | row);

def tables:
	head, aims_table,
	part("hotpath"; "A fault, a pair of calls"; hotpath), instructions,
	part("duty"; "Duty"; duty), part("throughput"; "Programs"; throughput), part("start"; "Start"; start),
	part("scale"; "Many threads, many areas"; scale), part("size"; "Size"; size);
