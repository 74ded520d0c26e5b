#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# Clients that are broken, greedy, slow or many.

load lib

# resident [FIELD]: of the server, in kB
resident()
{
	awk -v f="${1:-VmRSS}:" '$1 == f { print $2 }' "/proc/$server/status"
}

# code_of TEXT: what printf(1) makes of it is sent; the first answer's code, or "closed"
code_of()
{
	# shellcheck disable=SC2059
	printf "$1" | raw | tr -d '\r\0' | awk 'NR == 1 && /^HTTP/ { code = $2 } END { print code ? code : "closed" }'
}

# idle_start NAME ARGS...: web_idle; idle_open NAME: how many are open
idle_start()
{
	local name=$1
	shift
	mkfifo "$dir/$name.in"
	exec {fd}<>"$dir/$name.in"
	"$BUILD/tests/web_idle" "$@" <"$dir/$name.in" >"$dir/$name.out" 2>&1 3>&- &
	helpers+=($!)
	until_true "$name" grep -q '^opened' "$dir/$name.out"
}

idle_open()
{
	local out=$dir/$1.out n
	n=$(wc -l <"$out")
	more() { [ "$(wc -l <"$out")" -gt "$n" ]; }
	echo >"$dir/$1.in"
	until_true "an answer of $1" more
	tail -n 1 "$out" | cut -d' ' -f2
}

@test "malformed requests" {
	server_start -l 127.0.0.1:0
	h='Host: x\r\n'
	same "$(code_of "GET / HTTP/1.1\r\n${h}Connection: close\r\n\r\n")" 200
	same "$(code_of 'GET / HTTP/1.0\r\n\r\n')" 200
	# without a version there is no answer that would be understood
	same "$(code_of 'GARBAGE\r\n\r\n')" closed
	same "$(code_of '\x16\x03\x01\x00\x05hello\r\n\r\n')" closed
	until_true 'two closed ones' counted 2 rejected malformed
	same "$(code_of "GET / HTTP/3.0\r\n$h\r\n")" 505
	same "$(code_of "GET / FTP/1.1\r\n$h\r\n")" 400
	same "$(code_of 'GET / HTTP/1.1\r\n\r\n')" 400
	same "$(code_of "GET / HTTP/1.1\r\n${h}Host: y\r\n\r\n")" 400
	same "$(code_of "GET / HTTP/1.1\r\n${h}no colon\r\n\r\n")" 400
	same "$(code_of "GET / HTTP/1.1\r\n${h}Content-Length: -1\r\n\r\n")" 400
	same "$(code_of "GET / HTTP/1.1\r\n${h}Content-Length: 99999999999999999999\r\n\r\n")" 413
	same "$(code_of "GET / HTTP/1.1\r\n${h}Content-Length: 0\r\nContent-Length: 5\r\n\r\nabcde")" 400
	same "$(code_of "GET / HTTP/1.1\r\n${h}Transfer-Encoding: chunked\r\n\r\n5\r\nabcde\r\n0\r\n\r\n")" 413
	same "$(code_of "GET / HTTP/1.1\r\n${h}Transfer-Encoding: other\r\n\r\nGET /local HTTP/1.1\r\n\r\n")" 413
	same "$(code_of "GET /%%00 HTTP/1.1\r\n$h\r\n")" 400
	same "$(code_of "GET /echo?q=a%%00b HTTP/1.1\r\n$h\r\n")" 400
	same "$(code_of "GET http://x/ HTTP/1.1\r\n$h\r\n")" 400
	same "$(code_of "GET * HTTP/1.1\r\n$h\r\n")" 400
	same "$(code_of "GET //../.. HTTP/1.1\r\n${h}Connection: close\r\n\r\n")" 404
	until_true 'the others' counted 16 rejected malformed
	same "$(get /)" hello
	server_end
}

@test "no byte of a body becomes a request" {
	server_start -l 127.0.0.1:0
	inner='GET /nope HTTP/1.1\r\nHost: x\r\n\r\n'
	h='GET / HTTP/1.1\r\nHost: x\r\n'
	for headers in "Content-Length: ${#inner}" 'Content-Length: 1' 'Transfer-Encoding: chunked' \
		'Transfer-Encoding: chunked\r\nContent-Length: 3' 'Transfer-Encoding:\tchunked' \
		'Content-Length: 0\r\nContent-Length: 40' 'Content-Length: 5, 5'; do
		# shellcheck disable=SC2059
		printf "$h$headers\r\n\r\n$inner$inner" | raw >"$dir/answer"
		same "$(grep -ac '^HTTP/1.1 404' "$dir/answer")" 0
	done
	same "$(counter requests other 404)" 0
	server_end
}

@test "huge requests" {
	server_start -l 127.0.0.1:0
	before=$(resident)
	long=$(printf '%040000d' 1)
	for ((i = 0; i < 50; i++)); do
		same "$(code_of "GET /$long HTTP/1.1\r\nHost: x\r\n\r\n")" 414
		same "$(code_of "GET / HTTP/1.1\r\nHost: x\r\nX-A: $long\r\n\r\n")" 431
	done
	headers=''
	for ((i = 0; i < 3000; i++)); do
		headers+="X-$i: y\r\n"
	done
	same "$(code_of "GET / HTTP/1.1\r\nHost: x\r\n$headers\r\n")" 431
	same "$(counter requests other 414)" 50
	same "$(counter requests other 431)" 51
	same "$(counter rejected malformed)" 101
	# 8 kB of headers, as of a browser with cookies, are none
	same "$(get / -H "Cookie: ${long:0:8000}")" hello
	[ $(($(resident) - before)) -lt 8192 ]
	server_end
}

@test "1,000 idle connections of one address: another one is served" {
	server_start -l 127.0.0.1:0
	same "$(get /)" hello
	before=$(resident)
	idle_start idle 1000 "$port" 127.0.0.1
	for ((i = 0; i < 10; i++)); do
		same "$(get / --interface 127.0.0.2)" hello
	done
	until_true 'those over the limit' counted 968 rejected address_limit
	[ "$(idle_open idle)" -le 32 ]
	[ $(($(resident VmHWM) - before)) -lt 16384 ]
	# nothing was ever sent on them: no timeout is counted, they end
	all_closed() { [ "$(idle_open idle)" = 0 ]; }
	until_true 'idle connections to end' all_closed
	same "$(get /)" hello
	same "$(counter rejected timeout)" 0
	server_end
}

@test "slow senders: of a request line, of headers, of nothing after a request" {
	server_start -l 127.0.0.1:0
	# dribble FIRST REST: FIRST, then REST again and again, until the server closes
	dribble()
	{
		local fd
		exec {fd}<>"/dev/tcp/127.0.0.1/$port"
		# shellcheck disable=SC2059
		printf "$1" >&"$fd"
		{ while printf "$2" >&"$fd"; do sleep 0.5; done; } 2>/dev/null &
		cat <&"$fd" >"$3"
		kill $! 2>/dev/null || :
	}
	dribble 'GET /' a "$dir/line" &
	a=$!
	dribble 'GET / HTTP/1.1\r\nHost: x\r\n' 'X: y\r\n' "$dir/headers" &
	b=$!
	dribble 'GET / HTTP/1.1\r\nHost: x\r\n\r\n' '' "$dir/after" &
	c=$!
	wait "$a" "$b" "$c"
	[ ! -s "$dir/line" ]
	[ ! -s "$dir/headers" ]
	same "$(tail -n 1 "$dir/after")" hello
	same "$(counter rejected timeout)" 2
	same "$(get /)" hello
	server_end
}

@test "answers that are not taken" {
	server_start -l 127.0.0.1:0
	request=$'GET /large?bytes=12000000 HTTP/1.1\r\nHost: x\r\n\r\n'
	before=$(resident)
	idle_start greedy 20 "$port" 127.0.0.1 "$request"
	answered() { [ $(($(counter requests /large 200) + $(counter requests /large 503))) = 20 ]; }
	until_true 'twenty answers' answered
	# one large answer is possible, more of one address are not
	same "$(counter requests /large 200)" 1
	same "$(counter rejected busy)" 19
	same "$(get /)" hello
	same "$(get_code '/large?bytes=1000000')" 503
	same "$(get '/large?bytes=1000000' --interface 127.0.0.2 | wc -c)" 1000000
	[ $(($(resident VmHWM) - before)) -lt 65536 ]
	server_end
}
