# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# Markdown from the results of tests/vm/judge, an array of them: what was run, and what did not pass.

def row: "| " + join(" | ") + " |";
def checks:
	.checks[], (.sessions[] | "`\(.backend):\(.detail)` " as $of | .checks[] | .name |= $of + .), .compared[].checks[];
def count($all; $verdict): [$all[] | select(.verdict == $verdict)] | length;
def groups: .sessions | group_by(.group) | map("\(.[0].group | gsub("[+]"; " + ")) (\(.[0].loads | length) loads)") | join("; ");

(["kernel", "machine", "lockdown", "sessions at once", "passed", "did not pass"] | row),
([range(6) | "---"] | row),
(.[] | select(.release) | [checks] as $all
	| [
		.release + (if .vma_lock_stats then " (oracle)" else "" end), .machine, .lockdown, groups,
		"\(count($all; "ok")) of \(count($all; "ok") + count($all; "FAIL"))",
		([$all[] | select(.verdict == "FAIL") | .name] | if . == [] then "-" else join("; ") end)
	  ]
	| row)
