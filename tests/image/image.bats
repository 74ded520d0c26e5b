#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# The container image, and the daemon in it as Kubernetes would start it.  Takes minutes and packages from
# a mirror: make check-image, not in make check.

bats_require_minimum_version 1.5.0
load ../until
export BATS_TEST_TIMEOUT=600

setup_file()
{
	local arch
	cd "$BATS_TEST_DIRNAME/../.." || return
	arch=$(uname -m)
	export ROOT=$BATS_FILE_TMPDIR/root
	deploy/image "$BATS_FILE_TMPDIR" "$arch=$BUILD/bin" || return
	# what a runtime would unpack: the one layer that the manifest names
	mkdir "$BATS_FILE_TMPDIR/oci" "$ROOT"
	tar -C "$BATS_FILE_TMPDIR/oci" -xf "$BATS_FILE_TMPDIR/vmalock.tar"
	tar -C "$ROOT" --xattrs --xattrs-include=security.capability --numeric-owner -xf "$(blob "$(manifest | jq -r '.layers[].digest')")"
}

setup()
{
	cd "$BATS_TEST_DIRNAME/../.." || return
}

blob()
{
	echo "$BATS_FILE_TMPDIR/oci/blobs/${1/://}"
}

# of the first image in the index, which may name a list of them
manifest()
{
	local file
	file=$(blob "$(jq -r '.manifests[0].digest' "$BATS_FILE_TMPDIR/oci/index.json")")
	jq -e .layers "$file" >/dev/null || file=$(blob "$(jq -r '.manifests[0].digest' "$file")")
	cat "$file"
}

# The rest as user 65532, in the root, with the capabilities $1 ("+bpf,+perfmon") to be had; chroot and setpriv
# need theirs before.  A runtime in a cluster leaves the same: capabilities.add of a container that is not root's.
in_image()
{
	local caps=$1
	shift
	exec unshare --mount sh -c 'mount -t proc proc "$ROOT/proc" && mount --rbind /sys "$ROOT/sys" && exec "$@"' sh \
		setpriv --inh-caps=-all --bounding-set="-all,+setuid,+setgid,+sys_chroot$caps" \
		chroot --userspec=65532:65532 "$ROOT" "$@"
}

@test "image: user 65532, vmalockd, its port" {
	run -0 jq -r '.architecture, .config.User, .config.Entrypoint[], .config.Cmd[], (.config.ExposedPorts | keys[])' \
		"$(blob "$(manifest | jq -r .config.digest)")"
	[ "$output" = "$(printf '%s\n' "$(dpkg --print-architecture)" 65532:65532 /usr/bin/vmalockd \
		--web.listen-address=:10862 --history=off --api-socket=off 10862/tcp)" ]
}

@test "image: three programs with capabilities, and nothing else to run" {
	run -0 find "$ROOT" -xdev -type f -perm /111 ! -name '*.so*' -printf '%P\n'
	[ "$(sort <<<"$output")" = "$(printf '%s\n' usr/bin/vmalock usr/bin/vmalockd usr/bin/vmalocktop)" ]
	run -0 getcap -r "$ROOT"
	[ "${#lines[@]}" = 3 ]
	[[ $output != *"=ep"* && ${lines[0]} == *" cap_syslog,cap_perfmon,cap_bpf=p" ]]
	[ -z "$(find "$ROOT" -xdev -type f -perm /6000)" ]
}

@test "image: the packages are known to dpkg" {
	run -0 dpkg-query --admindir="$ROOT/var/lib/dpkg" -W -f '${db:Status-Abbrev} ${Package} ${Architecture}\n' libc6 libgnutls30
	[ "$output" = "$(printf 'ii  %s %s\n' libc6 "$(dpkg --print-architecture)" libgnutls30 "$(dpkg --print-architecture)")" ]
	grep -q '^ID=debian$' "$ROOT/etc/os-release"
	[ -e "$ROOT/usr/share/doc/libc6/copyright" ]
}

@test "image: vmalockd runs as 65532, drops what it had, and is scraped" {
	local log=$BATS_TEST_TMPDIR/log address
	in_image ,+bpf,+perfmon,+syslog /usr/bin/vmalockd --web.listen-address=127.0.0.1:0 --history=off \
		--api-socket=off >"$log" 2>&1 3>&- &
	daemon=$!
	until_true vmalockd serves_or_ended
	address=$(sed -n 's/.*"serving metrics" address=\([^ ]*\).*/\1/p' "$log")
	[ "$address" ] || { cat "$log"; return 1; }
	curl -fsS -o "$BATS_TEST_TMPDIR/metrics" "http://$address/metrics"
	[ "$(awk '/^Cap(Prm|Eff|Inh|Amb)/ { print $2 }' "/proc/$daemon/status" | sort -u)" = 0000000000000000 ]
	[ "$(awk '/^Uid/ { print $2, $3, $4 }' "/proc/$daemon/status")" = "65532 65532 65532" ]
	kill "$daemon"
	wait "$daemon"
	grep -q 'msg="privileges dropped" capabilities_kept=none uid=65532' "$log" || { cat "$log"; return 1; }
	grep -q '^vmalock_faults_total{.*} [0-9]' "$BATS_TEST_TMPDIR/metrics"
	grep -q '^process_open_fds [1-9]' "$BATS_TEST_TMPDIR/metrics"
}

serves_or_ended()
{
	grep -qF 'msg="serving metrics"' "$BATS_TEST_TMPDIR/log" || ! kill -0 "$daemon" 2>/dev/null
}

teardown()
{
	[ ! "${daemon:-}" ] || kill -KILL "$daemon" 2>/dev/null || :
}

@test "image: without capabilities the program starts and says what is missing" {
	run -1 in_image '' /usr/bin/vmalockd --history=off --api-socket=off
	[[ $output == *"CAP_BPF and CAP_PERFMON are missing (you are uid 65532)"* ]]
	run -0 in_image ,+bpf,+perfmon,+syslog /usr/bin/vmalock doctor
	[[ $output == *"vmalockd keeps no privileges"* ]]
}
