#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# The Debian packages: what is in them, and installing, upgrading, removing and purging them in a system
# that has nothing else.  Takes minutes and a mirror of packages: make check-deb, not in make check.

bats_require_minimum_version 1.5.0
load ../until
export BATS_TEST_TIMEOUT=900 LC_ALL=C.UTF-8

setup_file()
{
	cd "$BATS_TEST_DIRNAME/../.." || return
	arch=$(dpkg --print-architecture)
	version=$(dpkg-parsechangelog -S Version)
	export arch version ROOT=$BATS_FILE_TMPDIR/root new=$BATS_FILE_TMPDIR/new old=$BATS_FILE_TMPDIR/old
	mkdir "$new" "$old"
	cp "$BUILD/deb/"*"_${version}_$arch".{deb,changes,buildinfo} "$new"
	# the same programs, as an earlier version
	packaging/deb "$BUILD/deb" "$arch" "$version~before" >"$BATS_FILE_TMPDIR/log" 2>&1 ||
		{ tail -n 20 "$BATS_FILE_TMPDIR/log"; return 1; }
	mv "$BUILD/deb/"*"_$version~before_"* "$old"

	packaging/chroot "$ROOT"
	mount -t proc proc "$ROOT/proc"
	mount --bind /sys "$ROOT/sys"
	mkdir "$ROOT/new" "$ROOT/old"
	cp "$new"/*.deb "$ROOT/new"
	cp "$old"/*.deb "$ROOT/old"
	# what they depend on first: what that leaves when it is purged is not ours
	for deb in "$new"/vmalock_*.deb "$new"/vmalock-daemon_*.deb; do
		dpkg-deb -f "$deb" Depends
	done >"$BATS_FILE_TMPDIR/depends"
	{
		inside apt-get -q update && inside apt-get -q --yes --no-install-recommends satisfy "$(paste -s -d , "$BATS_FILE_TMPDIR/depends")"
	} >"$BATS_FILE_TMPDIR/log" 2>&1 || { tail -n 20 "$BATS_FILE_TMPDIR/log"; return 1; }
	files >"$BATS_FILE_TMPDIR/files"
}

teardown_file()
{
	umount "$ROOT/sys" "$ROOT/proc"
}

setup()
{
	cd "$BATS_TEST_DIRNAME/../.." || return
}

inside()
{
	env -u TMPDIR DEBIAN_FRONTEND=noninteractive chroot "$ROOT" "$@"
}

# names of all files but those in which dpkg and apt keep what was, and copies of /etc/passwd and its like
files()
{
	(cd "$ROOT" && find . -xdev \( -path ./var/cache -o -path ./var/lib/apt -o -path ./var/log -o -path ./var/lib/dpkg \
		-o -path ./new -o -path ./old \) -prune -o ! -path './etc/*-' -print) | sort
}

@test "lintian finds no error" {
	run -0 lintian --allow-root --fail-on error "$new"/*.changes
	echo "$output"
}

# hardened DEB...: and no program is larger than it may be
hardened()
{
	local program root=$BATS_TEST_TMPDIR/root deb
	for deb; do
		dpkg-deb -x "$deb" "$root"
	done
	for program in vmalock vmalockd vmalocktop; do
		run -0 readelf --wide --file-header --program-headers --dynamic --dyn-syms "$root/usr/bin/$program"
		grep -q 'Type: *DYN' <<<"$output"
		grep -q 'FLAGS_1).*NOW.*PIE' <<<"$output"
		grep -q '^ *GNU_RELRO ' <<<"$output"
		grep -q '^ *GNU_STACK .* RW ' <<<"$output"
		grep -q ' __stack_chk_fail@' <<<"$output"
		grep -q ' __fprintf_chk@' <<<"$output"
		echo "# $program: $(stat -c %s "$root/usr/bin/$program") bytes" >&3
		[ "$(stat -c %s "$root/usr/bin/$program")" -le 1500000 ]
	done
}

@test "programs are position independent, relocated read-only at once, with stack protector and fortified calls" {
	hardened "$new"/vmalock_*.deb "$new"/vmalock-daemon_*.deb
}

@test "packages of the other machine, when they were made, are as these" {
	other=$(find "$BUILD/deb" -maxdepth 1 -name "*_${version}_*.changes" ! -name "*_$arch.changes")
	[ "$other" ] || skip "only packages of $arch are in $BUILD/deb"
	run -0 lintian --allow-root --fail-on error "$other"
	other=${other##*_}
	other=${other%.changes}
	hardened "$BUILD/deb/"vmalock{,-daemon}"_${version}_$other.deb"
	for program in vmalock vmalockd vmalocktop; do
		run -0 readelf -h "$BATS_TEST_TMPDIR/root/usr/bin/$program"
		case $other in
		arm64) grep -q 'Machine: *AArch64' <<<"$output" ;;
		amd64) grep -q 'Machine: .*X86-64' <<<"$output" ;;
		*) false ;;
		esac
	done
}

@test "version of the package and of the programs are the same" {
	for deb in "$new"/vmalock_*.deb "$new"/vmalock-daemon_*.deb; do
		[ "$(dpkg-deb -f "$deb" Version)" = "$version" ]
	done
	[ "$("$BUILD/bin/vmalocktop" --version)" = "vmalocktop $version" ]
}

@test "an earlier version is installed in a clean system" {
	inside sh -c 'apt-get -q install --yes --no-install-recommends /old/vmalock_*.deb /old/vmalock-daemon_*.deb'
	[ "$(inside dpkg-query -W -f '${Status} ${Version}' vmalock)" = "install ok installed $version~before" ]
	inside getent passwd vmalock | grep -q ':/var/lib/vmalock:'
	[ "$(inside getent group vmalock | cut -d : -f 4)" = '' ]
}

@test "what an administrator changed stays when it is upgraded" {
	sed -i 's/^ARGS=.*/ARGS="--max-overhead 2%"/' "$ROOT/etc/default/vmalockd"
	mkdir -p "$ROOT/var/lib/vmalock" && echo kept >"$ROOT/var/lib/vmalock/history.db"
	inside sh -c 'apt-get -q install --yes --no-install-recommends /new/vmalock_*.deb /new/vmalock-daemon_*.deb'
	[ "$(inside dpkg-query -W -f '${Status} ${Version}' vmalock-daemon)" = "install ok installed $version" ]
	grep -qx 'ARGS="--max-overhead 2%"' "$ROOT/etc/default/vmalockd"
	[ "$(inside dpkg-query -W -f '${Conffiles}' vmalock-daemon | awk '{ print $1 }' | xargs)" = /etc/default/vmalockd ]
}

@test "the programs run" {
	[ "$(inside vmalock --version)" = "vmalock $version" ]
	run -0 inside vmalock doctor
	[[ $output == *tracepoint* ]]
	run -0 inside vmalocktop -b -n 1 -d 0.2
	[[ $output == *' backend'* && $output == *COMMAND* ]]
	[ "$(inside vmalockd --version)" = "vmalockd $version" ]
	inside vmalock schema | jq -e .properties.totals >/dev/null
}

answers()
{
	curl -sf http://127.0.0.1:"$1"/metrics >"$BATS_TEST_TMPDIR/metrics" && grep -q '^vmalock_faults_total.* [1-9]' "$BATS_TEST_TMPDIR/metrics"
}

@test "the daemon of the package runs as its user" {
	port=10962
	chroot "$ROOT" /usr/bin/vmalockd --web.listen-address 127.0.0.1:$port --history off --api-socket off -d 0.2 \
		>"$BATS_TEST_TMPDIR/log" 2>&1 3>&- &
	daemon=$!
	until_true "metrics" answers $port || { cat "$BATS_TEST_TMPDIR/log"; end_all $daemon; return 1; }
	user=$(awk '$1 == "Uid:" { print $2 }' /proc/$daemon/status)
	end_all $daemon
	[ "$user" = "$(inside id -u vmalock)" ]
	grep -q "^vmalock_build_info{.*version=\"$version\"" "$BATS_TEST_TMPDIR/metrics"
}

@test "remove leaves history, options and user, purge does not" {
	inside apt-get -q remove --yes vmalock vmalock-daemon
	[ ! -e "$ROOT/usr/bin/vmalockd" ] && [ ! -e "$ROOT/usr/bin/vmalocktop" ]
	grep -q kept "$ROOT/var/lib/vmalock/history.db"
	[ -e "$ROOT/etc/default/vmalockd" ]
	inside getent passwd vmalock
	inside apt-get -q purge --yes vmalock vmalock-daemon
	[ ! -e "$ROOT/var/lib/vmalock" ] && [ ! -e "$ROOT/etc/default/vmalockd" ]
	run ! inside getent passwd vmalock
	files >"$BATS_TEST_TMPDIR/files"
	diff "$BATS_FILE_TMPDIR/files" "$BATS_TEST_TMPDIR/files"
}
