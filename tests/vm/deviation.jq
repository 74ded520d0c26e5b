# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# Markdown from the results of tests/vm/judge: how far the sessions that saw the same
# run of a load agree.

def row: "| " + join(" | ") + " |";
def signed: if . > 0 then "+\(.)" else "\(.)" end;
def percent($of): if . == 0 then "0" elif $of == 0 then "-" else (. * 10000 / $of | round / 100 | signed) + " %" end;
def list: to_entries | sort_by(-(.value | fabs)) | map("\(.key) \(.value | signed)") | join(", ");
def losses: to_entries | map("\(.key | sub("recursion_misses_"; "misses of ")) \(.value)") | join(", ");
def title: "\(.release) \(.machine)" + if .lockdown != "none" then ", lockdown=\(.lockdown)" else "" end
	+ if .vma_lock_stats then " (oracle)" else "" end;

# Not inferred: how often two agreed to the unit.
def agreement($ref):
	group_by(.of)[] | (.[0].of) as $of
	| ([.[] | select(.equal)] | length) as $n
	| "`\($of)` and `\($ref)` counted the same hits, aborts, retries and bypasses in \($n) of \(length) loads"
	+ if $n < length then "; in " + ([.[] | select(.equal | not) | "\(.load) they differ by \(.differ | list)"
		+ if .unseen > 0 then " (\(.unseen) events unseen)" elif .untold > 0 then " (\(.untold) not told)" else "" end] | join(", ")) else "" end + ".";

.[] | select(.release) | . as $kernel
| [.compared[] | select(.classes != [])] | sort_by(-(.group | length))
| select(. != [])
| "", "### \($kernel | title)",
  (.[] | .reference as $ref
	| "",
	  ([.classes[] | select(.of | startswith("tracepoint"))] | select(. != [])
		| (["load", "`\($ref)`", "`\(.[0].of)`", "deviation", "by reason"] | row), (["---", "--:", "--:", "--:", "---"] | row),
		  (.[] | .reference as $of | (.fallbacks - $of) as $more
			| [.load, $of, .fallbacks, ($more | percent($of)),
				if $more == 0 then "" else (.reasons | list) + (if .unseen > 0 then "; \(.loss | losses)" else "" end) end]
			| map(tostring) | row), ""),
	  ((.group | split("+") | length) as $n | [.classes[] | select(.of | startswith("tracepoint") | not)]
		| (if $n == 2 then "By themselves " else "" end) + agreement($ref), ""))
