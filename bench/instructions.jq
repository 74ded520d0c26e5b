# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# The table of build/bench/instructions as an object; a row in brackets is not an observer.
[split("\n")[] | select(startswith("| ")) | split("|")[1:-1] | map(gsub("^ +| +$"; ""))]
| .[0][1:] as $columns
| {$sources, $kernel, observers: [.[1:][] | select(.[0] | startswith("(") | not)
	| {name: .[0], added: ([$columns, (.[1:] | map(tonumber))] | transpose | map({key: .[0], value: .[1]}) | from_entries)}]}
