#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# What the HTTP server answers, and where it listens.

load lib

@test "pages, codes and counters" {
	server_start -l 127.0.0.1:0
	same "$(get /)" hello
	same "$(get_code /nope)" 404
	same "$(get_code /fail)" 500
	same "$(get /fail)" 'Internal Server Error'
	same "$(get_code '/fail?status=418')" 418
	same "$(get '/echo?q=a%20b&q=c' -H 'Accept: text/plain' -H 'Accept: */*;q=0.1')" $'accept=text/plain, */*;q=0.1\nq=a b'
	same "$(get /echo -H Accept:)" $'accept=\nq=(none)'
	same "$(get /slow)" slow
	run -0 get / -I
	[[ $output == 'HTTP/1.1 200 OK'* && $output == *'Content-Type: text/plain; version=0.0.4'* ]]
	[[ $output == *'Content-Length: 6'* && $output != *hello* ]]
	same "$(counter requests / 200)" 2
	same "$(counter requests /echo 200)" 2
	same "$(counter requests /slow 200)" 1
	same "$(counter requests /fail 500)" 2
	same "$(counter requests /fail 418)" 1
	same "$(counter requests other 404)" 1
	same "$(get_local /counters | awk '/^rejected/ { n += $3 } END { print n }')" 0
	same "$(counter config_ok)" 1
	# the error is in the log and not in the answer
	grep -q '^<3>/fail could not be rendered: Input/output error$' "$dir/err"
	server_end
}

@test "only GET and HEAD" {
	server_start -l 127.0.0.1:0
	for method in POST PUT DELETE OPTIONS TRACE PATCH BREW; do
		same "$(get_code / -X $method)" 405
	done
	[[ $(get / -X POST -i) == *'Allow: GET, HEAD'* ]]
	same "$(counter rejected method)" 8
	same "$(get_code / -d body)" 413
	same "$(get_code / -X GET -H 'Transfer-Encoding: chunked' -d body)" 413
	same "$(counter rejected malformed)" 2
	same "$(get /)" hello
	server_end
}

@test "compressed when the client takes it" {
	server_start -l 127.0.0.1:0
	plain=$(get '/large?bytes=300000' | sha256sum)
	same "$(get '/large?bytes=300000' --compressed | sha256sum)" "$plain"
	for takes in gzip 'deflate, gzip;q=0.5' '*'; do
		get '/large?bytes=300000' -H "Accept-Encoding: $takes" >"$dir/body"
		same "$(gzip -dc <"$dir/body" | sha256sum)" "$plain"
		[ "$(stat -c %s "$dir/body")" -lt 100000 ]
	done
	for takes in identity 'gzip;q=0' 'gzip; q=0.0, deflate' gzipped; do
		same "$(get '/large?bytes=300000' -H "Accept-Encoding: $takes" | sha256sum)" "$plain"
	done
	server_end
}

@test "a connection is kept, and requests may come before the answers" {
	server_start -l 127.0.0.1:0
	run -0 get / -v "http://$tcp/echo" "http://$tcp/slow"
	same "$(grep -c '^\* Re-using existing connection' <<<"$output")" 2
	request='GET %s HTTP/1.1\r\nHost: x\r\n\r\n'
	# shellcheck disable=SC2059
	printf "$request$request$request${request%'\r\n'}Connection: close\r\n\r\n" '/echo?q=1' /slow '/echo?q=2' /nope |
		raw | tr -d '\r' >"$dir/answers"
	same "$(grep -E '^(HTTP|q=|slow|Not)' "$dir/answers" | tr '\n' ' ')" \
		'HTTP/1.1 200 OK q=1 HTTP/1.1 200 OK slow HTTP/1.1 200 OK q=2 HTTP/1.1 404 Not Found Not Found '
	server_end
}

@test "a slow page holds up no other" {
	touch "$dir/hold"
	server_start -l 127.0.0.1:0
	get /slow >"$dir/slow" &
	helpers+=($!)
	until_true 'the slow page' grep -q '^slow begins$' "$dir/err"
	for ((i = 0; i < 20; i++)); do
		same "$(get /)" hello
	done
	[ ! -s "$dir/slow" ]
	rm "$dir/hold"
	wait "${helpers[0]}"
	same "$(cat "$dir/slow")" slow
	server_end
}

@test "ends while pages are rendered" {
	touch "$dir/hold"
	server_start -l 127.0.0.1:0
	for ((i = 0; i < 3; i++)); do
		get /slow >"$dir/slow$i" 2>&1 &
		helpers+=($!)
	done
	until_true 'the slow page' grep -q '^slow begins$' "$dir/err"
	kill "$server"
	until_true 'the end to begin' grep -q '^stops$' "$dir/err"
	# the end waits for the page, and begins no other
	sleep 0.5
	kill -0 "$server"
	rm "$dir/hold"
	wait "$server"
	server=''
	for pid in "${helpers[@]}"; do
		run ! wait "$pid"
	done
	same "$(cat "$dir"/slow? | grep -c '^slow$')" 0
	same "$(grep -c '^slow begins$' "$dir/err")" 1
}

@test "IPv6, both families, several addresses" {
	grep -qs '^0*1 ' /proc/net/if_inet6 || skip 'this host has no IPv6'
	server_start -l '[::1]:0' -l :0 -l 127.0.0.2:0 -l localhost:0
	same "$(get / -g)" hello
	mapfile -t where < <(awk '$3 == "tcp" { print $2 }' "$dir/out")
	same "${#where[@]}" 4
	[[ ${where[0]} == '[::1]:'* && ${where[1]} == '[::]:'* && ${where[2]} == 127.0.0.2:* && ${where[3]} == 127.0.0.1:* ]]
	same "$(curl -sS "http://127.0.0.1:${where[1]##*:}/")" hello
	same "$(curl -sSg "http://[::1]:${where[1]##*:}/")" hello
	same "$(curl -sS "http://${where[2]}/")" hello
	same "$(curl -sS "http://${where[3]}/")" hello
	server_end
}

@test "addresses that are none, and ports in use: one line" {
	for address in 127.0.0.1 127.0.0.1: ::1:80 '[::1' '[::1]80' '[127.0.0.1]:80' 127.0.0.1:65536 127.0.0.1:http ''; do
		refused "'$address' is no address to listen on" -l "$address"
	done
	refused 'cannot listen on 192.0.2.1:0: Cannot assign requested address' -l 192.0.2.1:0
	refused 'cannot listen on no.such.name.invalid:80: ' -l no.such.name.invalid:80
	refused 'there is no address to listen on'
	server_start -l 127.0.0.1:0
	refused "cannot listen on $tcp: the port is in use; --web.listen-address takes another one" -l "$tcp"
	refused "cannot listen on $local: it is in use" -u "$local"
	same "$(get /)" hello
	same "$(get_local /)" hello
	server_end
}

@test "local socket: pages of its own, a name left over, a file that is none" {
	server_start -l 127.0.0.1:0
	same "$(get_local /local)" local
	same "$(get_local /api)" api
	same "$(get_code /local)" 404
	same "$(get_code /api)" 403
	same "$(counter rejected authentication)" 1
	same "$(stat -c %a "$local")" 600
	kill -KILL "$server"
	wait "$server" || :
	[ -S "$local" ]
	server_start
	same "$(get_local /local)" local
	server_end
	[ ! -e "$local" ]
	echo data >"$local"
	refused "cannot listen on $local: it is in use" -u "$local"
	same "$(cat "$local")" data
	refused 'the path must have 1 to 107 characters' -u "$dir/$(printf '%0120d' 1)"
	refused 'No such file or directory' -u "$dir/none/server.sock"
}

@test "local socket: root, the server's user and members of the group, nobody else" {
	[ "$(id -u)" = 0 ] || skip 'needs root, to be other users'
	gid=$(getent group games | cut -d: -f3)
	as() { setpriv --reuid 65534 --regid "$1" "${@:2}"; }
	outsider() { as 65534 --clear-groups "$@"; }
	member() { as 65534 --groups "$gid" "$@"; }
	first() { as "$gid" --clear-groups "$@"; }
	server_start -g games
	same "$(stat -c '%a %G' "$local")" '660 games'
	same "$(get_local /local)" local
	for who in member first; do
		same "$($who curl -sS --unix-socket "$local" http://x/local)" local
	done
	# 7: the kernel refuses the connection
	run -7 outsider curl -sS --unix-socket "$local" http://x/local
	same "$(counter rejected peer)" 0
	# the second lock: whoever opened the file's mode
	chmod 666 "$local"
	run ! outsider curl -sS --unix-socket "$local" http://x/local
	[[ $output != *local$'\n'* ]]
	same "$(counter rejected peer)" 1
	same "$(member curl -sS --unix-socket "$local" http://x/local)" local
	server_end

	server_start -g no-such-group
	grep -q '^<4>group no-such-group is not known here' "$dir/err"
	same "$(stat -c %a "$local")" 600
	same "$(get_local /local)" local
	server_end
}

@test "sockets from systemd" {
	server_run "$BUILD/tests/web_handover" tcp "$local" -- "$BUILD/tests/web_server" -s -g games
	same "$(get /)" hello
	same "$(get_code /local)" 404
	same "$(get_local /local)" local
	if [ "$(id -u)" = 0 ]; then
		run ! setpriv --reuid 65534 --regid 65534 --clear-groups curl -sS --unix-socket "$local" http://x/local
		same "$(counter rejected peer)" 1
	fi
	server_end
	# they belong to systemd
	[ -S "$local" ]
	refused 'systemd has handed over no socket' -s
	run -1 "$BUILD/tests/web_handover" file -- "$BUILD/tests/web_server" -s
	same "$output" 'descriptor 3 from systemd is no socket'
	run -1 "$BUILD/tests/web_handover" tcp datagram -- "$BUILD/tests/web_server" -s
	same "$output" 'descriptor 4 from systemd is no listening stream socket; Accept=no is needed'
	LISTEN_PID=1 LISTEN_FDS=1 refused 'systemd has handed over no socket' -s
}
