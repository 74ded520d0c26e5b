#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# The files of deploy/: what can be said of them without a server.

bats_require_minimum_version 1.5.0

setup()
{
	cd "$BATS_TEST_DIRNAME/../.." || return
}

@test "recording rules and alerts are valid" {
	promtool check rules deploy/prometheus/rules.yml deploy/prometheus/alerts.yml
	promtool check config --syntax-only deploy/prometheus/scrape.yml
}

@test "every rule has a test, and passes it" {
	local name
	for name in $(sed -n 's/^ *- \(record\|alert\): //p' deploy/prometheus/rules.yml deploy/prometheus/alerts.yml); do
		grep -q "$name" deploy/prometheus/tests.yml || { echo "no test of $name"; return 1; }
	done
	promtool test rules deploy/prometheus/tests.yml
}

@test "every alert has its runbook" {
	local name
	for name in $(sed -n 's/^ *- alert: //p' deploy/prometheus/alerts.yml); do
		grep -qx "## $name" docs/runbooks.md || { echo "no runbook of $name"; return 1; }
		grep -q "docs/runbooks.md#${name,,}\$" deploy/prometheus/alerts.yml || { echo "no link to it"; return 1; }
	done
}

@test "dashboards are JSON, each panel has a title and an expression" {
	local f
	for f in deploy/grafana/*.json; do
		jq -e '(.uid | startswith("vmalock-")) and ([.panels[] | select(.type != "row")
			| .title != "" and (.targets | length > 0) and all(.targets[]; .expr != "")] | length > 5 and all)
			and ([.panels[].id] | length == (unique | length))' "$f" >/dev/null || { echo "$f"; return 1; }
	done
}

# what "kubectl kustomize" made of $1, as JSON documents
rendered()
{
	kubectl kustomize "deploy/kubernetes/$1" 2>/dev/null |
		python3 -c 'import json, sys, yaml
for d in yaml.safe_load_all(sys.stdin): print(json.dumps(d))'
}

@test "kubernetes: the daemon set has what vmalockd needs and nothing more" {
	rendered base >"$BATS_TEST_TMPDIR/base"
	run -0 jq -r 'select(.kind == "DaemonSet") | .metadata.namespace, (.spec.template.spec
		| .hostPID, .automountServiceAccountToken, .securityContext.seccompProfile.type, .securityContext.runAsUser,
		  (.volumes == null), (.containers[0]
			| .securityContext.readOnlyRootFilesystem, (.securityContext.capabilities | .drop[], .add[]),
			  (.ports[0] | .containerPort, .hostPort), (.resources | .limits.memory != null and .requests.cpu != null),
			  .readinessProbe.httpGet.path, .livenessProbe.httpGet.path))' "$BATS_TEST_TMPDIR/base"
	[ "$output" = "$(printf '%s\n' vmalock true false RuntimeDefault 65532 true true ALL BPF PERFMON SYSLOG 10862 null true /-/ready /-/healthy)" ]
	# a selector that does not find its own pods is refused by the server
	jq -se '.[] | select(.kind == "DaemonSet") | .spec | .selector.matchLabels == .template.metadata.labels' "$BATS_TEST_TMPDIR/base"
}

@test "kubernetes: the user of the image, and arguments that its entry takes" {
	[ "$(sed -n 's/^USER //p' deploy/Containerfile)" = 65532:65532 ]
	[ "$(sed -n 's/^ENTRYPOINT //p' deploy/Containerfile)" = '["/usr/bin/vmalockd"]' ]
	rendered base >"$BATS_TEST_TMPDIR/base"
	run -0 jq -r 'select(.kind == "DaemonSet") | .spec.template.spec | .securityContext.runAsGroup, .hostPID,
		(.containers[0] | .command, .securityContext.allowPrivilegeEscalation)' "$BATS_TEST_TMPDIR/base"
	[ "$output" = "$(printf '%s\n' 65532 true null true)" ]
}

@test "kubernetes: the overlay adds a history, and nothing else" {
	rendered overlays/history >"$BATS_TEST_TMPDIR/history"
	run -0 jq -r 'select(.kind == "DaemonSet") | .spec.template.spec | .volumes[].hostPath.path, (.containers[0]
		| .volumeMounts[].mountPath, (.args | map(select(startswith("--history"))) | .[]))' "$BATS_TEST_TMPDIR/history"
	[ "$output" = "$(printf '%s\n' /var/lib/vmalock /var/lib/vmalock --history=/var/lib/vmalock/history.db)" ]
}

# The questions of docs/fleet.md, as rules.  A line by itself is one, unless the
# block goes on with an operator or is indented.
@test "what docs/fleet.md asks is PromQL" {
	awk '/^```$/ { inside = !inside; if (!inside && q != "") { print q; q = "" } ; next }
		inside && /^[\/*)} ]/ { q = q " " $0; next }
		inside { if (q != "") print q; q = $0 }' docs/fleet.md |
		python3 -c 'import json, sys
print(json.dumps({"groups": [{"name": "fleet", "rules": [
	{"record": "q%d" % i, "expr": line} for i, line in enumerate(sys.stdin.read().splitlines())]}]}))' \
			>"$BATS_TEST_TMPDIR/fleet.yml"
	run -0 promtool check rules "$BATS_TEST_TMPDIR/fleet.yml"
	[[ $output == *"11 rules found"* ]] || { echo "$output"; return 1; }
}
