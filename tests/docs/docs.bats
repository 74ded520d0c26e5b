#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# Documents fit together: links lead somewhere, the index has all of them, options that they name exist.

load ../build

setup()
{
	cd "$BATS_TEST_DIRNAME/../.."
	documents=(README.md CHANGELOG.md CONTRIBUTING.md docs/*.md)
}

# anchors FILE: those of its headings, as they are made of them: small letters, no punctuation, '-' for spaces
anchors()
{
	awk '/^```/ { code = !code } !code && /^#+ /' "$1" | sed 's/^#* //' | tr '[:upper:]' '[:lower:]' |
		sed 's/[^a-z0-9 _-]//g; s/ /-/g'
}

@test "each link leads to a file, and to a heading that it has" {
	local file link target anchor n=0
	while IFS=$'\t' read -r file link; do
		n=$((n + 1))
		[[ $link != *://* ]] || continue
		target=${link%%#*} anchor=${link#"$target"}
		target=${target:+$(dirname "$file")/$target}
		target=${target:-$file}
		[ -e "$target" ] || { echo "$file: $link: no such file"; return 1; }
		[ -z "$anchor" ] || anchors "$target" | grep -qxF -- "${anchor#?}" ||
			{ echo "$file: $link: no such heading"; return 1; }
	done < <(for file in "${documents[@]}"; do
		grep -oE '\]\([^)]+\)' "$file" | sed -E "s|^..(.*).\$|$file\t\1|"
	done)
	[ $n -gt 40 ]
}

@test "the index in README has every document" {
	local page
	for page in docs/*.md; do
		sed -n '/^## Documents/,/^## /p' README.md | grep -qF "]($page)" || { echo "not in it: $page"; return 1; }
	done
}

@test "docs/architecture.md has every folder of src, and every program of bpf; README has the folders" {
	local dir program
	for dir in src/*/; do
		grep -qE "\`${dir%/}/?\`" docs/architecture.md || { echo "architecture: no $dir"; return 1; }
		grep -qF "\`$dir\`" README.md || { echo "README: no $dir"; return 1; }
	done
	for program in bpf/*.bpf.c; do
		program=${program#bpf/}
		grep -qE "\`(bpf/)?(${program%.bpf.c}|$program)\`" docs/architecture.md || { echo "no $program"; return 1; }
	done
}

# said PROGRAM [COMMAND]: its long options
said()
{
	"$BUILD"/bin/"$@" --help | grep -oE -e '--[a-z0-9.-]+' | sort -u
}

@test "options that documents name are options" {
	local option
	{
		said vmalocktop
		said vmalockd
		for command in doctor record snapshot report diff diagnose load schema; do
			said vmalock $command
		done
	} | sort -u >"$BATS_TEST_TMPDIR/options"
	[ "$(wc -l <"$BATS_TEST_TMPDIR/options")" -gt 60 ]
	others='--now|--all|--countname|--rounds|--faults|--scope|--pid' # of systemctl, skopeo, flamegraph.pl, docker, bench
	for option in $(grep -ohE '(^|[ `(])--[a-z][a-z0-9.-]*[a-z0-9]' "${documents[@]}" | grep -oE -e '--.*' | sort -u); do
		grep -qxF -- "$option" "$BATS_TEST_TMPDIR/options" || [[ $option =~ ^($others)$ ]] ||
			{ echo "no option: $option, in $(grep -lF -- "$option" "${documents[@]}")"; return 1; }
	done
}
