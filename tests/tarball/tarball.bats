#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# The archive for hosts without packages: what is in it, that it is made the same way twice, and its programs in
# virtual machines that have busybox and nothing else, or that and a C library.  Takes minutes: make check-tarball,
# not in make check.

bats_require_minimum_version 1.5.0
export BATS_TEST_TIMEOUT=1500 LC_ALL=C.UTF-8

setup_file()
{
	cd "$BATS_TEST_DIRNAME/../.." || return
	arch=$(uname -m)
	archive=$(echo "$BUILD"/tarball/vmalock-*-"$arch.tar.gz")
	name=$(basename "$archive" .tar.gz)
	export arch archive name TOP=$BATS_FILE_TMPDIR/$name
	tar -C "$BATS_FILE_TMPDIR" -xzf "$archive"
}

setup()
{
	cd "$BATS_TEST_DIRNAME/../.." || return
}

@test "the checksum is that of the archive" {
	(cd "$(dirname "$archive")" && sha256sum --check --strict "$name.tar.gz.sha256")
}

@test "the programs ask for a C library, and of others for what is in the archive" {
	local lib
	for program in vmalock vmalockd vmalocktop; do
		run -0 readelf -d "$TOP/bin/$program"
		for lib in $(sed -n 's/.*(NEEDED).*\[\(.*\)\]/\1/p' <<<"$output"); do
			case $lib in
			libc.so.6 | libm.so.6 | ld-linux*) [ -e "$TOP/lib/vmalock/libc/$lib" ] ;;
			*) [ -e "$TOP/lib/vmalock/$lib" ] ;;
			esac
		done
		echo "# $program: $(stat -c %s "$TOP/bin/$program") bytes;$(sed -n 's/.*(NEEDED).*\[\(.*\)\]/ \1/p' <<<"$output" | tr -d '\n')" >&3
		[[ $output == *'[$ORIGIN/../lib/vmalock]'* && $output == *PIE* && $output == *NOW* ]]
		run -0 readelf --wide --dyn-syms "$TOP/bin/$program"
		[[ $output == *__stack_chk_fail* ]]
	done
	# what the host's C library must have, as the README says
	glibc=$(cat "$TOP"/bin/* "$TOP"/lib/vmalock/*.so* | grep -a -o 'GLIBC_2\.[0-9.]*' | sort -Vu | tail -n 1)
	grep -q "(glibc ${glibc#GLIBC_})" "$TOP/README" || { echo "$glibc"; return 1; }
	run -0 ldd "$TOP/bin/vmalockd"
	[[ $output != *'not found'* ]]
}

@test "manual pages, completions, unit, licences are there; no file names the folder it was built in" {
	local file
	for file in README run share/man/man8/vmalocktop.8 share/man/man1/vmalock-record.1 share/bash-completion/completions/vmalocktop \
		share/zsh/site-functions/_vmalock share/fish/vendor_completions.d/vmalockd.fish lib/systemd/system/vmalockd.service \
		lib/sysusers.d/vmalock.conf etc/default/vmalockd share/doc/vmalock/LICENSE share/doc/vmalock/libraries/libc6; do
		[ -s "$TOP/$file" ] || { echo "no $file"; return 1; }
	done
	grep -qx "ExecStart=/opt/vmalock/bin/vmalockd \$ARGS" "$TOP/lib/systemd/system/vmalockd.service"
	run ! grep -rqF "$PWD" "$TOP"
}

@test "the same tree in another folder makes the same bytes" {
	local copy=$BATS_TEST_TMPDIR/copy
	# of what is here, committed or not
	mkdir "$copy"
	tar -c --exclude='./build*' . | tar -x -C "$copy"
	(cd "$copy" && make -j2 tarball-files TABLES="$OLDPWD/$BUILD/help/tables" >"$BATS_TEST_TMPDIR/log" 2>&1) || { tail "$BATS_TEST_TMPDIR/log"; return 1; }
	cmp "$copy/build/tarball/$name.tar.gz" "$archive"
}

# in_machine KERNEL ROOT OUT HOW: the programs, begun as HOW says
in_machine()
{
	local image
	image=$(tests/vm/fetch "$1" 2>"$BATS_TEST_TMPDIR/why") || skip "$(tail -n 1 "$BATS_TEST_TMPDIR/why")"
	cat >"$2/check" <<END
cd /$name || exit
printf '%s\n' 'root:x:0:0::/:/bin/sh' 'vmalock:x:65532:65532::/:/bin/sh' >/etc/passwd
echo 'vmalock:x:65532:' >/etc/group
export TMPDIR=/tmp
set -x
$4vmalocktop --version >/out/version || exit
$4vmalock doctor -j >/out/doctor.json || exit
$4vmalock load shared -t 2 -w 1 --seconds 600 >/out/load 2>&1 &
load=\$!
$4vmalocktop -b -n 1 -d 3 >/out/top.txt || exit
$4vmalocktop -j -n 1 -d 3 -u root >/out/top.json || exit
$4vmalock record -t 3 -o /out/recording.vml || exit
kill \$load
$4vmalock report -j /out/recording.vml >/out/report.json || exit
mkdir -p /run/vmalock /var/lib/vmalock
chown 65532:65532 /run/vmalock /var/lib/vmalock
$4vmalockd --web.listen-address=127.0.0.1:10862 >/out/log 2>&1 &
daemon=\$!
until wget -q -O /out/metrics http://127.0.0.1:10862/metrics; do kill -0 \$daemon || exit; sleep 1; done
grep '^Cap\|^Uid' /proc/\$daemon/status >/out/status
kill \$daemon
wait \$daemon || exit
$4vmalock report -j /var/lib/vmalock/history.db >/out/history.json
END
	tests/vm/boot -t 600 "$arch" "$image" "$2" "$3" 'sh /check'
}

# root DIR: busybox, and the archive as somebody has unpacked it
root()
{
	mkdir -p "$1/bin" "$1/etc" "$1/run"
	cp "$(command -v busybox)" "$1/bin/busybox"
	tar -C "$1" -xzf "$archive"
}

# worked OUT
worked()
{
	[ "$(cat "$1/version")" = "vmalocktop $(sed 's/vmalock-\(.*\)-[^-]*/\1/' <<<"$name")" ]
	jq -e '.schema and (.backend.name // .backend)' "$1/doctor.json"
	grep -q 'faults/s' "$1/top.txt"
	jq -e '.totals.faults > 100 and ([.processes[].comm] | index("vmalock"))' "$1/top.json"
	jq -e '.totals.faults > 100' "$1/report.json"
	jq -e '.totals.faults > 0' "$1/history.json"
	grep -q '^vmalock_faults_total{.*} [0-9]' "$1/metrics"
	grep -q 'msg="privileges dropped" capabilities_kept=none uid=65532' "$1/log"
	[ "$(awk '/^Cap(Prm|Eff|Inh|Amb)/ { print $2 }' "$1/status" | sort -u)" = 0000000000000000 ]
}

# run_on KERNEL HOW
run_on()
{
	local status=0
	root "$BATS_TEST_TMPDIR/root"
	[ "$2" = './run ' ] || {
		# the C library alone, and none of the archive's
		rm -r "$BATS_TEST_TMPDIR/root/$name/lib/vmalock/libc"
		for file in $(ldd "$(command -v cat)" "$TOP/bin/vmalockd" | awk '$2 == "=>" { print $3 } $1 ~ "^/lib.*/ld-" { print $1 }' |
			grep -E '/(libc|libm)\.so\.6$|/ld-linux' | sort -u); do
			mkdir -p "$BATS_TEST_TMPDIR/root${file%/*}"
			cp -L "$file" "$BATS_TEST_TMPDIR/root$file"
		done
	}
	in_machine "$1" "$BATS_TEST_TMPDIR/root" "$BATS_TEST_TMPDIR/out" "$2" || status=$?
	if [ $status != 0 ]; then
		echo "exit status $status"
		tail -n 30 "$BATS_TEST_TMPDIR/out.console"
		cat "$BATS_TEST_TMPDIR/out/log"
		return 1
	fi
	worked "$BATS_TEST_TMPDIR/out"
}

@test "nothing but a kernel and busybox: Linux 6.1" {
	run_on 6.1 './run '
}

@test "nothing but a kernel and busybox: the newest Linux" {
	run_on newest './run '
}

@test "a C library besides: Linux 6.1" {
	run_on 6.1 bin/
}

@test "a C library besides: the newest Linux" {
	run_on newest bin/
}
