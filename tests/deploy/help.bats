#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# Manual pages and completions: what the programs say of themselves, complete and in the right form.

bats_require_minimum_version 1.5.0

commands='doctor record snapshot report diff diagnose load schema'

export BUILD=${BUILD:-build}

setup_file()
{
	make BUILD="$BUILD" --no-print-directory help-files >/dev/null
}

# the long options in the --help of "$@", as a user sees it; hidden ones are not there
long_options()
{
	"$BUILD"/bin/"$@" | grep -oE '^ +(-., )*--[a-z0-9.-]+' | grep -oE -e '--[a-z0-9.-]+' | sort -u
}

# PAGE COMMAND..., one line each
each_page()
{
	local c
	echo vmalocktop.8 vmalocktop --help
	echo vmalockd.8 vmalockd --help
	for c in $commands; do
		echo "vmalock-$c.1" vmalock "$c" --help
	done
}

# the candidates of bash for a command line that ends in what is to be completed
bash_offers()
{
	bash --norc -c '
		. "$1"
		shift
		COMP_WORDS=("$@") COMP_CWORD=$(($# - 1))
		_${COMP_WORDS[0]}
		printf "%s\n" "${COMPREPLY[@]}"' - "$BUILD/help/$1.bash" "$@" 2>&1 | sort
}

fish_offers()
{
	HOME=$BATS_TEST_TMPDIR fish --no-config -c "source $BUILD/help/${1%% *}.fish; complete -C '$1'" | cut -f 1 | sort
}

@test "the commands of vmalock are those of this test" {
	run -0 "$BUILD/bin/vmalock" help
	[ "$(awk '/Commands:$/ { on = 1 } on && /^  [a-z]/ && $1 != "help" { print $1 } /^.vmalock COMMAND/ { exit }' \
		<<<"$output" | xargs)" = "$commands" ]
}

@test "every option of --help is in the manual page" {
	local page command option n=0
	while read -r page command; do
		mandoc -T ascii "$BUILD/man/$page" | col -b >"$BATS_TEST_TMPDIR/page"
		# shellcheck disable=SC2086
		for option in $(long_options $command); do
			n=$((n + 1))
			grep -qE -- "^     (-., )*$option([=[ ]|$)" "$BATS_TEST_TMPDIR/page" ||
				{ echo "$page: no $option"; return 1; }
		done
	done < <(each_page)
	[ $n -gt 80 ]
}

@test "each --help has examples, and the manual page has them" {
	local page command example n
	while read -r page command; do
		mandoc -T ascii "$BUILD/man/$page" | col -b | tr -s '[:space:]' ' ' >"$BATS_TEST_TMPDIR/page"
		n=0
		# shellcheck disable=SC2086
		while read -r example; do
			n=$((n + 1))
			grep -qF -- "$(tr -s ' ' <<<"$example")" "$BATS_TEST_TMPDIR/page" || { echo "$page: no '$example'"; return 1; }
		done < <("$BUILD"/bin/$command | sed -n '/^Examples:$/,/^$/s/^  //p')
		[ $n -ge 2 ] || { echo "$command: $n examples"; return 1; }
	done < <(each_page)
}

@test "the manual pages have no fault that mandoc knows of" {
	local page
	for page in "$BUILD"/man/*; do
		# pages that are not installed here, or not in its database, are none
		run mandoc -T lint "$page"
		output=$(grep -v -e 'STYLE: referenced manual not found' -e 'mandoc: outdated mandoc.db' <<<"$output" || :)
		[ -z "$output" ] || { echo "$output"; return 1; }
		mandoc -T ascii "$page" | col -b >"$BATS_TEST_TMPDIR/page"
		for section in NAME SYNOPSIS DESCRIPTION OPTIONS 'EXIT STATUS' 'SEE ALSO'; do
			grep -qx "$section" "$BATS_TEST_TMPDIR/page" || [ "${page##*/},$section" = vmalock.1,OPTIONS ] ||
				{ echo "$page: no $section"; return 1; }
		done
	done
}

@test "every page that a page names is there" {
	local name section
	while read -r name section; do
		[ "$name" = systemctl ] || [ -e "$BUILD/man/$name.$section" ] || { echo "$name($section)"; return 1; }
	done < <(sed -n 's/^\.Xr \([^ ]*\) \([0-9]\).*/\1 \2/p' "$BUILD"/man/* | sort -u)
}

@test "every option of --help is in each completion" {
	local page command program option words n=0
	while read -r page command; do
		read -ra words <<<"$command"
		program=${words[0]}
		unset 'words[-1]'
		bash_offers "${words[@]}" -- >"$BATS_TEST_TMPDIR/bash"
		fish_offers "${words[*]} --" >"$BATS_TEST_TMPDIR/fish"
		# shellcheck disable=SC2086
		for option in $(long_options $command); do
			n=$((n + 1))
			grep -qxE -- "$option=?" "$BATS_TEST_TMPDIR/bash" || { echo "bash: $command: no $option"; return 1; }
			grep -qxE -- "$option=?" "$BATS_TEST_TMPDIR/fish" || { echo "fish: $command: no $option"; return 1; }
			grep -qE -- "['{,]$option(=-?)?[[}]" "$BUILD/help/$program.zsh" ||
				{ echo "zsh: $command: no $option"; return 1; }
		done
	done < <(each_page)
	[ $n -gt 80 ]
}

@test "bash completes commands, options, and what they take" {
	touch "$BATS_TEST_TMPDIR/run.vml"
	[ "$(bash_offers vmalock re | xargs)" = 'record report' ]
	[ "$(bash_offers vmalock record --hi | xargs)" = '--hindsight-memory= --hindsight=' ]
	[ "$(bash_offers vmalocktop --backend = fe)" = fentry ]
	[ "$(bash_offers vmalocktop --backend k)" = kprobe ]
	[ "$(bash_offers vmalocktop -b -s read_w | xargs)" = 'read_wait read_wait_p99' ]
	[ "$(bash_offers vmalocktop -u roo)" = root ]
	[ "$(bash_offers vmalocktop -p $$)" = $$ ] || bash_offers vmalocktop -p $$ | grep -qx $$
	[ "$(bash_offers vmalocktop -r "$BATS_TEST_TMPDIR/ru")" = "$BATS_TEST_TMPDIR/run.vml" ]
	[ "$(bash_offers vmalock report "$BATS_TEST_TMPDIR/ru")" = "$BATS_TEST_TMPDIR/run.vml" ]
	[ "$(bash_offers vmalock load shar)" = shared ]
	[ "$(bash_offers vmalock load reason no_ | xargs)" = 'no_map_pages no_vma' ]
	[ "$(bash_offers vmalock load reason busy --th)" = --threads= ]
	bash_offers vmalock record -- ls | grep -qx ls
	# an option whose value may be left out takes no next word
	[ "$(bash_offers vmalocktop --connect --ba | xargs)" = '--backend= --batch' ]
	[ -z "$(bash_offers vmalocktop -n '')" ]
}

@test "fish completes the same" {
	[ "$(fish_offers 'vmalock re' | xargs)" = 'record report' ]
	[ "$(fish_offers 'vmalocktop --backend=fe')" = --backend=fentry ]
	[ "$(fish_offers 'vmalock load shar')" = shared ]
	[ "$(fish_offers 'vmalock load reason no_' | xargs)" = 'no_map_pages no_vma' ]
	[ "$(fish_offers 'vmalock record --hi' | xargs)" = '--hindsight --hindsight-memory' ]
}

@test "zsh completes in a terminal of its own" {
	mkdir "$BATS_TEST_TMPDIR/functions"
	for p in vmalock vmalockd vmalocktop; do
		cp "$BUILD/help/$p.zsh" "$BATS_TEST_TMPDIR/functions/_$p"
	done
	zsh_offers()
	{
		zsh -f -c '
			zmodload zsh/zpty
			zpty shell "zsh -f -i"
			zpty -w shell "PS1= ; fpath=($1 \$fpath); autoload -U compinit; compinit -u -D; stty cols 200; echo READY"
			while zpty -r shell line && [[ $line != READY* ]]; do :; done
			zpty -n -w shell "$2"$'"'\\t\\t'"'
			zpty -r -m shell text "*$3*" && print found
			zpty -d shell' - "$BATS_TEST_TMPDIR/functions" "$1" "$2"
	}
	[ "$(zsh_offers 'vmalock dia' 'vmalock diagnose')" = found ]
	[ "$(zsh_offers 'vmalocktop --backend=f' 'entry')" = found ]
	[ "$(zsh_offers 'vmalock load pidre' 'pidreuse')" = found ]
	[ "$(zsh_offers 'vmalockd --seccomp=k' 'ill')" = found ]
}

@test "the values that completions offer are in the text of their options" {
	local page shorts long arg text value n=0
	declare -A of
	while read -r long text; do
		of[$long]=$text
	done < <(sed -n 's/^\tof\["\([^"]*\)"\] = "\([^"]* [^"]*\)"$/\1 \2/p' packaging/help/values.awk)
	[ ${#of[@]} = 9 ]
	while IFS='|' read -r page shorts long arg text; do
		for value in ${of[$long]:-}; do
			n=$((n + 1))
			# numbers: where a scale begins
			[[ " $text " == *[\ \(]"$value"[\ ,\;\):]* ]] || { echo "$page --$long: no $value in '$text'"; return 1; }
		done
	done < <(awk -F '\t' '$2 == "option" { print $1 "|" $3 "|" $4 "|" $5 "|" $6 }' "$BUILD/help/tables")
	[ $n -gt 30 ]
}
