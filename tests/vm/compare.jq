# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# Compares the sessions of one group, which saw the same run of the loads: each with
# the most exact of them.  Input: what judge.jq made of each; $group: their names.
#
# Result: {group, reference, checks, classes: [{load, reference: {..}, backend, detail, ..}]}

def verdict($name; problems): [problems] as $p
	| {$name, verdict: (if $p == [] then "ok" else "FAIL" end), why: ($p[:10] | join("; "))};
def session: "\(.backend):\(.detail)";

# Counted as fallback without telling which: only the default detail does that.
def untold: (.fallbacks // 0) - (.aborts // 0) - (.retries // 0) - (.bypasses // 0);

# Which reasons were counted more or less often than by the reference, in total.
def by_reason: reduce .reasons[] as $r ({}; .[$r.reason] += $r.count);
def reasons_differ($ref):
	by_reason as $mine | ($ref | by_reason) as $theirs
	| [($mine + $theirs | keys[]) as $key | (($mine[$key] // 0) - ($theirs[$key] // 0)) as $more
		| select($more != 0) | {key: $key, value: $more}] | from_entries;

# By how much each of them differs.
def differ($ref):
	.totals as $mine
	| [("hits", "aborts", "retries", "bypasses") as $key
		| select(($mine | has($key)) and ($ref.totals | has($key)))
		| ($mine[$key] - $ref.totals[$key]) as $more | select($more != 0) | {key: $key, value: $more}] | from_entries;

def lost_by($ref): reduce (.loss, $ref.loss | to_entries[]) as $e ({}; .[$e.key] += $e.value);

def class($ref):
	differ($ref) as $differ
	| {
		load, fallbacks: .totals.fallbacks, reference: $ref.totals.fallbacks, unseen: (.unseen + $ref.unseen),
		untold: (.totals | untold), $differ, equal: ($differ == {}), loss: lost_by($ref), reasons: reasons_differ($ref)
	  };

def beyond($ref; $key; $unseen):
	(.totals[$key] - $ref.totals[$key]) as $more
	| select($more | fabs > $unseen) | "\($key): \($more) more (\($unseen) unseen)";

# A session of the other exact backends counts the same, but for what programs that did
# not run could not see, and what the default detail does not tell.
def equal($ref):
	(.unseen + $ref.unseen) as $unseen | (.totals | untold) as $untold
	| beyond($ref; "faults"; .unseen_faults + $ref.unseen_faults),
	  # who is killed in a fault retries and asks for no lock
	  beyond($ref; "fallbacks"; if .load == "reason-killed" then $unseen else .unseen_fallbacks + $ref.unseen_fallbacks end),
	  (differ($ref) | to_entries[]
		| select(.value > $unseen or -.value > $unseen + (if .key | IN("aborts", "retries") then $untold else 0 end))
		| "\(.key): \(.value) more (\($unseen) unseen, \($untold) not told)");

# Fallbacks that the tracepoint backend infers need no further bound: on kernels that do
# not preempt (6.12 to 6.18) they were equal to the unit in every load, and on others
# (7.0, 7.3, the oracles) never further away than what both counted as unseen.  Only a
# fault that ends with its thread's death tells nobody whether it had asked for the lock:
# one a thread that was killed.
def inferred($ref):
	beyond($ref; "faults"; .unseen_faults + $ref.unseen_faults),
	beyond($ref; "fallbacks"; .unseen + $ref.unseen + (if .load == "reason-killed" then .provoked.count else 0 end));

[.[] | select(.state == "works")] as $works
| ([$works[] | select(session == "fentry:exact")] + [$works[] | select(session == "kprobe:exact")] | first) as $ref
| if $ref == null or ($works | length) < 2 then {$group, reference: null, checks: [], classes: []}
  else
	($ref.loads | INDEX(.load)) as $theirs
	| [$works[] | select(session != ($ref | session)) | . as $other | .loads[] | select($theirs[.load] and (.totals | has("fallbacks")))
		| . + {of: ($other | session), backend: $other.backend, reference: $theirs[.load]}] as $pairs
	| {
		$group, reference: ($ref | session),
		checks: [$pairs[] | .reference as $r
			| verdict("\(.load): \(.of) counts as \($ref | session) does";
				if .backend == "tracepoint" then inferred($r) else equal($r) end)],
		classes: [$pairs[] | .reference as $r | {of} + class($r)]
	  }
  end
