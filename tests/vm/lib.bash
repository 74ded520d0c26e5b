# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# shellcheck shell=bash
#
# What the programs of tests/vm share: folders, the list of kernels, and packages
# of Debian suites that this machine does not use itself.

VM_DIR=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd) || exit
VM_ROOT=${VM_DIR%/tests/vm}
# kernels, the arm64 system and package lists; may be kept between trees
VM_CACHE=${VM_CACHE:-$VM_ROOT/build/vm/cache}
VM_RESULTS=${VM_RESULTS:-$VM_ROOT/build/vm/results}

# problem TEXT: says it and fails
problem()
{
	printf '%s\n' "$*" >&2
	return 1
}

# locked NAME COMMAND...: one run at a time uses this part of the cache
locked()
{
	local lock=$VM_CACHE/lock-$1
	mkdir -p "$VM_CACHE" || return
	(
		flock -w 1800 9 || problem "another run holds $lock" || exit
		"${@:2}"
	) 9>"$lock"
}

# ---- the list

# kernel_names [SET]
kernel_names()
{
	awk -v set="${1:-}" '!/^#/ && NF && (set == "" || $5 == set) { print $1 }' "$VM_DIR/kernels"
}

# kernel_line NAME: sets arch, release, kind, set, must and append
# shellcheck disable=SC2034 # for the caller
kernel_line()
{
	local name
	while read -r name arch release kind set must append; do
		[ "$name" != "$1" ] || return 0
	done <"$VM_DIR/kernels"
	problem "no kernel '$1' in tests/vm/kernels"
}

# ---- packages

# debian_arch ARCH: its name in Debian
debian_arch()
{
	case $1 in
	x86_64) echo amd64 ;;
	aarch64) echo arm64 ;;
	*) problem "no kernels for $1 here" ;;
	esac
}

# apt_state DEB_ARCH: makes a state of apt of our own, which the functions below
# use.  The suites are others than the host's, the mirror is the host's.
apt_state()
{
	local state=$VM_CACHE/apt-$1 main security
	[ ! -e "$state/complete" ] || return 0
	# the next kernel is not to wait for the same mirror
	[ -z "$(find "$state/failed" -mmin -5 2>/dev/null)" ] ||
		problem "apt-get update failed minutes ago, see $state/log" || return
	command -v apt-get >/dev/null || problem 'no apt-get here, and the packages are Debian'\''s' || return
	main=$(debian_mirror '^[a-z]+$')
	security=$(debian_mirror '^[a-z]+-security$')
	[ -n "$main" ] || problem 'apt knows no Debian mirror here' || return
	rm -rf "$state"
	mkdir -p "$state"/{sources,lists/partial,cache/archives/partial}
	{
		stanza "$1" "$main" bookworm bookworm-backports trixie trixie-backports sid
		[ -z "$security" ] || stanza "$1" "$security" bookworm-security trixie-security
	} >"$state/sources/debian.sources"
	updated "$1" "$state" || { without_the_gone "$state" && updated "$1" "$state"; } ||
		problem "apt-get update failed, see $state/log" || touch "$state/failed"
	[ ! -e "$state/failed" ] && touch "$state/complete"
}

updated() { apt_get "$1" update >"$2/log" 2>&1 && ! grep -m 1 '^[EW]: ' "$2/log" >&2; }

# without_the_gone STATE: some day the mirror has a suite no more (404), which is to cost no other one
without_the_gone()
{
	local uri suite
	sed -nE "s/^E: The repository '(.*) (.*) Release' (does not|no longer) ha(ve|s) a Release file\.$/\1 \2/p" "$1/log" >"$1/gone"
	while read -r uri suite; do
		problem "$uri has no $suite any more"
		sed -i -E "/^Suites: /s/ $suite( |$)/\\1/" "$1/sources/debian.sources"
	done <"$1/gone"
	# nothing is left of some
	awk -v RS= -v ORS='\n\n' '!/\nSuites: *(\n|$)/' "$1/sources/debian.sources" >"$1/left"
	mv "$1/left" "$1/sources/debian.sources"
	[ -s "$1/gone" ]
}

# with_lists DEB_ARCH COMMAND...: and once more with new ones, when they are older than the mirror
with_lists()
{
	apt_state "$1" || return
	! "${@:2}" || return 0
	rm -f "$VM_CACHE/apt-$1/complete"
	apt_state "$1" && "${@:2}"
}

# debian_mirror SUITES: where the host's apt gets a suite that matches
debian_mirror()
{
	# shellcheck disable=SC2016 # apt's own variables
	apt-get indextargets --format '$(ORIGIN) $(CODENAME) $(REPO_URI)' 'Created-By: Packages' 2>/dev/null |
		awk -v suites="$1" '$1 == "Debian" && $2 ~ suites { print $3; exit }'
}

stanza()
{
	printf 'Types: deb\nArchitectures: %s\nURIs: %s\nSuites: %s\nComponents: main\n' "$1" "$2" "${*:3}"
	printf 'Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg\n\n'
}

apt_get() { apt_program apt-get "$@"; }
apt_cache() { apt_program apt-cache "$@"; }
apt_program()
{
	local state=$VM_CACHE/apt-$2
	timeout -k 5 900 "$1" -q -o APT::Architecture="$2" -o APT::Architectures="$2" -o APT::Sandbox::User= \
		-o Dir::Etc::SourceList=/dev/null -o Dir::Etc::SourceParts="$state/sources" \
		-o Dir::State::Lists="$state/lists" -o Dir::State::status=/dev/null -o Dir::Cache="$state/cache" \
		-o Acquire::Languages=none -o Acquire::Retries=3 "${@:3}"
}

# unpack_packages DEB_ARCH DIR PACKAGE...
unpack_packages()
{
	local debs=$2.debs deb rc=0
	rm -rf "$debs" "$2"
	mkdir -p "$debs" "$2"
	(cd "$debs" && apt_get "$1" download "${@:3}" >"$debs/log" 2>&1) ||
		problem "apt-get download: $(grep -m 1 '^E: ' "$debs/log" || echo failed)" || rc=1
	for deb in "$debs"/*.deb; do
		[ $rc != 0 ] || dpkg-deb -x "$deb" "$2" || rc=1
	done
	rm -rf "$debs"
	return $rc
}
