# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# Markdown from the results of tests/vm/judge: what `vmalock load reason` provoked, and
# how often each backend counted that reason.

def row: "| " + join(" | ") + " |";
def title: "\(.release) \(.machine)" + if .lockdown != "none" then ", lockdown=\(.lockdown)" else "" end
	+ if .vma_lock_stats then " (oracle)" else "" end;

# The most detailed session of each backend that worked, of those that saw the same run:
# the one that most of them saw.
def best: group_by(.group) | max_by(length) // [] | map(select(.state == "works")) | group_by(.backend) | map(sort_by(.detail == "exact") | last)
	| sort_by({tracepoint: 0, fentry: 1, kprobe: 2}[.backend]);

def provoked: if .exact then "\(.count)" else "≥ \(.count)" end;
def seen:
	(if .seen == [] then "0" else [.seen[] | "\(.count) \(.certainty)"] | join(", ") end)
	+ if (.other // []) == [] then "" else "; " + ([.other[] | "\(.reason) \(.count)"] | join(", ")) end;

# What said why it cannot be made, by the beginning of its name.
def left_out($kind): [.sessions[].left_out[]? | select(.load | startswith($kind))
	| {reason: (.load | ltrimstr($kind)), why: (.said | sub("^.*?: "; "") | sub("[. ]*$"; ""))}] | unique;

# Provoked, or why not.
def rows($sessions):
	([$sessions[].loads[] | select(.provoked) | .load] | unique[]) as $load
	| [$sessions[] | first(.loads[] | select(.load == $load) | .provoked) // null] as $p
	| ([$p[] | select(.)] | first) as $one
	| [$one.reason, ($one | provoked), ($p[] | if . then seen else "-" end)] | row;

[.[] | select(.release)] as $ran
| ([$ran[] | left_out("never-")[]] | unique | select(. != [])
	| "", "Never provoked:", "", (.[] | "- `\(.reason)`: \(.why).")),
($ran[] | . as $kernel
| (.sessions | best) as $sessions
| select(any($sessions[]; .capabilities.per_vma_lock) and any($sessions[].loads[]; .provoked))
| "", "### \($kernel | title)", "",
  (["reason", "provoked", ($sessions[] | "`\(.backend)`")] | row), (["---", "--:", ($sessions[] | "--:")] | row),
  rows($sessions),
  (left_out("reason-") | select(. != []) | "", "Not here: " + (map("`\(.reason)` (\(.why))") | join(", ")) + "."))
