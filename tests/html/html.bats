#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# Pages of vmalock report --html and diff --html: their text, and what a browser makes of them.

bats_require_minimum_version 1.5.0

# Each page is opened once, 360 px and 1000 px wide, by frame.html, which says what it finds.
PAGES=(kept many hostile nothing diff same broken)

setup_file()
{
	export BUILD=$(realpath "${BUILD:-build}")
	cd "$BATS_FILE_TMPDIR"
	unset TZ
	make_recordings
	make_pages
	if command -v chromium >/dev/null; then
		look_at_pages
	fi
}

make_recordings()
{
	local hostile=(comm='<script>alert(1)</script>' cgroup="/it's/\"x\"&y" area="/tmp/\"'><img src=x>/data")

	"$BUILD/tests/kept" kept.vml random=7 intervals=60 blind=22 >kept.json
	"$BUILD/tests/recording" many.vml intervals=1000
	"$BUILD/tests/recording" a.vml
	"$BUILD/tests/recording" hostile.vml seed=2 share=0.03 "${hostile[@]}"
	VML_FAKE_EMPTY=1 VML_FAKE_BLIND=1 "$BUILD/tests/kept" nothing.vml intervals=2 >nothing.json
}

make_pages()
{
	local name

	for name in kept many hostile nothing; do
		"$BUILD/bin/vmalock" report --html -o $name.html $name.vml
	done
	"$BUILD/bin/vmalock" diff --html -o diff.html a.vml hostile.vml || [ $? = 1 ]
	"$BUILD/bin/vmalock" diff --html -o same.html a.vml a.vml
	# what must be seen when a page is wrong
	sed 's|<main>|<main><p style="width:2000px;max-width:none">wide</p><script>alert(1)</script><img src="http://example.org/x.png">|' \
		hostile.html >broken.html
}

look_at_pages()
{
	local all

	cp "$BATS_TEST_DIRNAME/frame.html" .
	all=$(printf ',%s.html' "${PAGES[@]}")
	timeout 110 chromium --headless=new --no-sandbox --disable-gpu --user-data-dir="$PWD/profile" \
		--allow-file-access-from-files --host-resolver-rules='MAP * ~NOTFOUND' --disable-background-networking \
		--no-first-run --disable-component-update --disable-sync --enable-logging=stderr \
		--virtual-time-budget=30000 --dump-dom "file://$PWD/frame.html#${all:1}" >dump.html 2>log || true
	sed -n 's/.*id="result">\([^<]*\)<.*/\1/p' dump.html | base64 -d >looks.json
}

need_browser()
{
	command -v chromium >/dev/null || skip 'needs chromium'
	[ -s "$BATS_FILE_TMPDIR/looks.json" ] || { tail -n 20 "$BATS_FILE_TMPDIR/log"; return 1; }
}

# looks QUERY VALUE: of what the browser found
looks()
{
	local is
	is=$(jq -c "$1" "$BATS_FILE_TMPDIR/looks.json")
	[ "$is" = "$2" ] || { echo "$1 is $is, should be $2"; return 1; }
}

setup()
{
	cd "$BATS_FILE_TMPDIR"
}

@test "a page names nothing outside itself, has no script, and a policy that forbids both" {
	for name in kept many hostile nothing diff same; do
		grep -q "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'" $name.html
		[ "$(grep -ciE '<(script|img|link|iframe|object|form|base|svg[^>]* on)|javascript:|@import| (src|on[a-z]+)="' $name.html)" = 0 ]
		[ "$(grep -oE 'href="[^"]*"' $name.html | grep -vc 'href="#[a-z]*"')" = 0 ]
		[ "$(grep -oE 'url\(|https?:' $name.html | wc -l)" = 0 ]
		# no address of the kernel
		[ "$(grep -cE 'ffff[0-9a-f]{12}' $name.html)" = 0 ]
	done
}

@test "text of processes, paths and cgroups is text" {
	[ "$(grep -c '&lt;script&gt;alert(1)&lt;/script&gt;' hostile.html)" -gt 3 ]
	grep -q '/it&#39;s/&quot;x&quot;&amp;y' hostile.html
	grep -q '/tmp/&quot;&#39;&gt;&lt;img src=x&gt;/data' hostile.html
	grep -q '&lt;script&gt;' diff.html
	need_browser
	looks '[.[] | select(.name != "broken.html") | .scripts, .images, .bold] | add' 0
	for name in hostile diff; do
		looks "[.[] | select(.name == \"$name.html\") | .text | contains(\"<script>alert(1)</script>\", \"/it's/\\\"x\\\"&y\")] | all" true
	done
	looks '[.[] | select(.name == "hostile.html") | .text | contains("/tmp/\"'"'"'><img src=x>/data")] | all' true
}

@test "the numbers are those of the recording" {
	"$BUILD/bin/vmalock" report -j hostile.vml >hostile.json
	rate=$(jq -r '.totals.fallbacks / (.interval_ns / 1e9) | floor' hostile.json)
	grep -q "fallbacks: $rate on average, most " hostile.html
	grep -q '2026-01-01T00:00:00+00:00 to 2026-01-01T00:00:30+00:00' hostile.html
	# bins add up: losses of each are those of the whole
	lost=$(jq -s 'map(.loss | add) | add' kept.json)
	[ "$lost" -gt 0 ]
	[ "$(grep -o '"#\?Events lost">[0-9,]*' kept.html | tr -d ',' | awk -F '>' '{ sum += $2 } END { print sum }')" = "$lost" ]
	grep -q "<dt>lost</dt><dd>$lost recursion_misses_tp_page_fault_user</dd>" kept.html
	# unknown is not 0
	grep -q 'bypasses: cannot be seen on this host' hostile.html
	grep -q 'No fault in an area\|cannot be told apart\|Nothing is known by memory area\|No memory area had' nothing.html
}

@test "many intervals become bins, of whole intervals" {
	grep -q '1000 intervals are drawn as 200 bins' many.html
	[ "$(grep -c 'data-h="Observed">5.0 s<' many.html)" = 200 ]
	grep -q 'Each interval is drawn by itself: 60 of them' kept.html
}

@test "the name of a reason is on one line" {
	need_browser
	looks '[.[] | select(.name == "kept.html") | .reasons > 2] | all' true
	looks '[.[].broken_names] | add' 0
}

@test "what a page has: sections, plots, their words" {
	need_browser
	looks '[.[] | select(.name == "kept.html")][0].sections' \
		'["findings","time","areas","blockers","cgroups","reasons","processes","times","losses","doctor"]'
	looks '[.[] | select(.name == "kept.html")][0] | .plots, .unnamed, (.blocks > 5), (.heat >= 7), (.figures[0:5] | length)' \
		$'9\n0\ntrue\ntrue\n5'
	# lines take the width there is
	looks '[.[] | select(.name == "kept.html" and .width == 1000) | .lines[] | . > 850] | all' true
	looks '[.[] | select(.name == "kept.html" and .width == 360) | .lines[] | . > 200 and . < 330] | all' true
	looks '[.[] | select(.name == "diff.html") | .dots, .whiskers]' '[4,4,4,4]'
	looks '[.[] | select(.name == "diff.html")][0].sections' '["measures","moved"]'
	looks '[.[] | select(.name == "same.html")][0].sections' '["measures"]'
}

@test "a gap is a gap in each plot over time, and events and losses are marked" {
	need_browser
	looks '[.[] | select(.name == "kept.html") | .gaps]' '[5,5]'
	looks '[.[] | select(.name == "kept.html") | .lost > 0 and .events > 0] | all' true
	looks '[.[] | select(.name == "hostile.html") | .gaps, .lost, .events]' '[0,0,0,0,0,0]'
}

@test "nothing is as wide as to scroll sideways" {
	need_browser
	looks '[.[] | select(.name != "broken.html" and .scroll_width > .width) | .name, .sticks_out]' '[]'
	looks '[.[] | select(.name != "broken.html") | .sticks_out[]]' '[]'
	# it would be seen
	looks '[.[] | select(.name == "broken.html") | .scroll_width > .width] | all' true
}

@test "no request, and no word on the console" {
	need_browser
	looks '[.[] | select(.name != "broken.html") | .resources[]]' '[]'
	grep CONSOLE log | grep -v 'broken\.html' && return 1
	# they would be seen
	grep CONSOLE log | grep -q 'broken\.html'
}

@test "options: where to, and what not together" {
	run -2 --separate-stderr "$BUILD/bin/vmalock" report --html -j kept.vml
	[ "$stderr" = 'vmalock report: --json, --folded or --html, one of them' ]
	run -2 --separate-stderr "$BUILD/bin/vmalock" diff --html -j a.vml a.vml
	[ "$stderr" = 'vmalock diff: --json or --html, one of them' ]
	run -1 --separate-stderr "$BUILD/bin/vmalock" report --html -o /dev/full kept.vml
	[[ $stderr == 'vmalock report: cannot write to /dev/full: '* ]]
	run -2 --separate-stderr "$BUILD/bin/vmalock" diff --html -o none/x a.vml a.vml
	[[ $stderr == 'vmalock diff: cannot write to none/x: '* ]]
	"$BUILD/bin/vmalock" report --html kept.vml >out.html
	cmp out.html kept.html
}
