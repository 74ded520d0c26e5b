# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# Markdown from the results of tests/vm/judge: what `vmalock load reason` provoked, and
# how often each backend counted that reason.

def row: "| " + join(" | ") + " |";
def title: "\(.release) \(.machine)" + if .lockdown != "none" then ", lockdown=\(.lockdown)" else "" end
	+ if .vma_lock_stats then " (oracle)" else "" end;

# The most detailed session of each backend that worked.
def best: map(select(.state == "works")) | group_by(.backend) | map(sort_by(.detail == "exact") | last)
	| sort_by({tracepoint: 0, fentry: 1, kprobe: 2}[.backend]);

def provoked: if .exact then "\(.count)" else "≥ \(.count)" end;
def seen: if .seen == [] then "0" else [.seen[] | "\(.count) \(.certainty)"] | join(", ") end;

.[] | select(.release) | . as $kernel
| (.sessions | best) as $sessions
| ([$sessions[].loads[] | select(.provoked) | .load] | unique) as $loads
| select($loads != [])
| "", "### \($kernel | title)", "",
  (["reason", "provoked", ($sessions[] | "`\(.backend)`")] | row), (["---", "--:", ($sessions[] | "--:")] | row),
  ($loads[] as $load
	| [$sessions[] | first(.loads[] | select(.load == $load) | .provoked) // null] as $p
	| ([$p[] | select(.)] | first) as $one
	| [$one.reason, ($one | provoked), ($p[] | if . then seen else "-" end)] | row)
