#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# usage: vmlinux/gen.sh [BTF [RELEASE [ARCH]]]
#
# Writes vmlinux/ARCH/vmlinux.h, the kernel types the BPF programs are compiled
# against.  They are relocated at load time (CO-RE), so one file serves every
# kernel; a new one is needed only when a program uses a type that it lacks.
#
# BTF      file with the type information; default: the running kernel
# RELEASE  the kernel it came from, for the comment; default: the running kernel,
#          "unknown" for another file
# ARCH     as uname -m; default: this machine
#
# Of another machine, from a guest of tests/vm (ROOT: a folder with a static
# bin/busybox for it):
#
#	tests/vm/boot aarch64 "$(tests/vm/fetch newest-arm64)" ROOT OUT 'uname -r; cp /sys/kernel/btf/vmlinux /out'
#	vmlinux/gen.sh OUT/vmlinux "$(head -n 1 OUT.console)" aarch64
set -eu

running=/sys/kernel/btf/vmlinux
btf=${1:-$running}
if [ "$btf" = "$running" ]; then
	release=${2:-$(uname -r)}
else
	release=${2:-unknown}
fi
arch=${3:-$(uname -m)}
PATH=$PATH:/usr/sbin:/sbin

dir=$(dirname "$0")/$arch
new=$dir/vmlinux.h.new
mkdir -p "$dir"
trap 'rm -f "$new"' EXIT
{
	echo "/* Kernel types of $release ($arch), from its BTF by vmlinux/gen.sh.  Generated: do not edit. */"
	bpftool btf dump file "$btf" format c
} >"$new"
mv "$new" "$dir/vmlinux.h"
echo "$dir/vmlinux.h: $release, $(wc -l <"$dir/vmlinux.h") lines"
