#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# What make install copies, and where.

bats_require_minimum_version 1.5.0

export BUILD=${BUILD:-build}

setup_file()
{
	export root=$BATS_FILE_TMPDIR/root
	make BUILD="$BUILD" --no-print-directory install DESTDIR="$root" PREFIX=/usr >/dev/null
}

@test "make install copies these files, and no others" {
	local page
	{
		printf '%s\n' /etc/default/vmalockd \
			/usr/bin/{vmalock,vmalockd,vmalocktop} \
			/usr/lib/systemd/system/vmalockd.{service,socket} /usr/lib/sysusers.d/vmalock.conf \
			/usr/share/bash-completion/completions/{vmalock,vmalockd,vmalocktop} \
			/usr/share/fish/vendor_completions.d/{vmalock,vmalockd,vmalocktop}.fish \
			/usr/share/zsh/site-functions/_{vmalock,vmalockd,vmalocktop} \
			/usr/share/man/man1/vmalock{,-diagnose,-diff,-doctor,-load,-record,-report,-schema,-snapshot}.1 \
			/usr/share/man/man8/{vmalockd,vmalocktop}.8 \
			/usr/share/vmalock/grafana/{blame,host,overview}.json \
			/usr/share/vmalock/prometheus/{alerts,rules,scrape,tests}.yml \
			/usr/share/vmalock/kubernetes/base/{daemonset,kustomization,namespace}.yaml \
			/usr/share/vmalock/kubernetes/overlays/history/{history,kustomization}.yaml \
			/usr/share/doc/vmalock/{CHANGELOG.md,LICENSE,BSD-2-Clause.txt,GPL-2.0-only.txt,symbols.conf}
		for page in docs/*.md; do
			echo "/usr/share/doc/vmalock/${page#docs/}"
		done
	} | sort >"$BATS_TEST_TMPDIR/expected"
	find "$root" -type f -printf '/%P\n' | sort >"$BATS_TEST_TMPDIR/installed"
	diff "$BATS_TEST_TMPDIR/expected" "$BATS_TEST_TMPDIR/installed"
}

@test "programs can be executed by everybody, and nothing else can" {
	[ "$(find "$root" -type f -perm -111 -printf '%f\n' | sort | tr '\n' ' ')" = 'vmalock vmalockd vmalocktop ' ]
	[ -z "$(find "$root" -type f ! -perm -111 ! -perm 644)" ]
	run -0 "$root/usr/bin/vmalocktop" --version
	[[ $output == 'vmalocktop '[0-9]* ]]
}

@test "the unit starts the program that was installed, and names its manual page" {
	grep -qx "ExecStart=/usr/bin/vmalockd \$ARGS" "$root/usr/lib/systemd/system/vmalockd.service"
	grep -qx 'Documentation=man:vmalockd(8)' "$root/usr/lib/systemd/system/vmalockd.service"
	[ -z "$(grep -r '@[A-Z]*@' "$root/usr/lib" "$root/etc" "$root/usr/share/man" "$root/usr/share/fish" \
		"$root/usr/share/zsh" "$root/usr/share/bash-completion")" ]
}

@test "make refuses a BUILD that is not the name of one folder" {
	local name
	for name in '' ' ' 'a b'; do
		run -2 make BUILD="$name" --no-print-directory -n clean
		[ "${#lines[@]}" = 1 ]
		[[ $output =~ ^Makefile:[0-9]+:\ \*\*\*\ BUILD=\'"${name# }"\'\ is\ not\ the\ name\ of\ a\ folder ]]
	done
	run -2 env BUILD= make --no-print-directory -n clean
	[[ $output == *"BUILD='' is not the name of a folder"* ]]
}
