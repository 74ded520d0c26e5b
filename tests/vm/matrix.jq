# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# Markdown from the results of tests/vm/judge, an array of them.

# Column, and what must have been there for it.
def columns: [
	["faults", ["faults_user"]],
	["hits, fallbacks", ["faults_user", "per_vma_lock", "fault_context"]],
	["areas", ["faults_user", "vma_identity"]],
	["waits for mmap_lock", ["mmap_lock"]],
	["aborts, retries", ["outcome", "per_vma_lock"]],
	["exact reasons", ["retry_reason", "per_vma_lock"]],
	["waits for VMA locks", ["vma_write"]],
	["all lookups", ["lookups"]]
];

def cell: if . then "yes" else "-" end;
def row: "| " + join(" | ") + " |";
def count($verdict): [.checks[] | select(.verdict == $verdict)] | length;
def short: capture("^(?<v>[0-9]+\\.[0-9]+)").v;

# The most detailed session of each backend, and of those the one with the most tests.
def best: group_by(.backend) | map(sort_by([.detail == "exact", (.checks | length)]) | last);

def kernels: [.[].release | short] | unique_by(split(".") | map(tonumber)) | join(", ");

map(select(.release)) as $ran
| [$ran[] | select(.vma_lock_stats | not) | . as $kernel | .sessions | best[]
	| . as $session
	| {
		release: $kernel.release, machine: $kernel.machine, lockdown: $kernel.lockdown, backend,
		cells: [columns[] | .[1] as $needs | $session.state == "works" and all($needs[]; $session.capabilities[.] == true)],
		passed: count("ok"), failed: count("FAIL"), state
	  }]
| group_by([.machine != "x86_64", ({none: 0, integrity: 1, confidentiality: 2}[.lockdown]), ({tracepoint: 0, fentry: 1, kprobe: 2}[.backend]), .cells, .state])
| (["kernels", "machine", "lockdown", "backend", columns[][0], "tests passed"] | row),
  ([range(5 + (columns | length)) | "---"] | row),
  (.[] | [kernels, .[0].machine, .[0].lockdown, "`\(.[0].backend)`"]
	+ (if .[0].state == "works" then [.[0].cells[] | cell] else [columns[] | "-"] end)
	+ [if .[0].state == "works" then "\(map(.passed) | add) of \(map(.passed + .failed) | add)" elif .[0].state == "failed" then "failed" else "not possible" end]
	| row),
  ([$ran[] | select(.vma_lock_stats) | .release as $release | .sessions | best[] | select(.detail == "exact")
	| [.checks[] | select(.kernel)] as $compared | select($compared != [])
	| {$release, backend, equal: ([$compared[] | select(.verdict == "ok")] | length), of: ($compared | length)}]
   | select(. != [])
   | "", ("With `--detail exact`, hits, retries, aborts and (where they are seen) misses were compared with the kernel's own `vma_lock_*` counters: "
	+ (map("\(.backend) on \(.release): equal in \(.equal) of \(.of) kinds of load") | join("; "))
	+ ". Equal: apart by no more than the runs of programs that the kernel skipped, which are counted."))
