# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# shellcheck shell=bash
#
# What the tests of the HTTP server share: build/tests/web_server in the background.
#
#	server_start -l 127.0.0.1:0	# its addresses: $tcp (the first one), $port, $local
#	get /echo			# the body; get_code: the code alone
#	counter requests / 200		# one number of its page /counters
#	server_end			# must end with status 0
#
# Files are in $dir, which everybody may enter: some clients are other users.

load ../build
load ../until

# bcrypt of "secret" by each of its names, of "other"; no bcrypt
HASH_A='$2a$04$vmalockvmalockvmalockutQ8rFFG/wJMHSNa12CRJE.TnFpjbf3u'
HASH_B='$2b$04$vmalockvmalockvmalockutQ8rFFG/wJMHSNa12CRJE.TnFpjbf3u'
HASH_Y='$2y$04$vmalockvmalockvmalockutQ8rFFG/wJMHSNa12CRJE.TnFpjbf3u'
HASH_OTHER='$2b$04$vmalockvmalockvmalocku.fhcB9WoUuNNGewnYZWtFKqo72s/Ici'
HASH_DES='abNANd1rDfiNc'

setup()
{
	dir=$(mktemp -d)
	chmod 755 "$dir"
	local=$dir/server.sock
	server=''
	helpers=()
}

teardown()
{
	# shellcheck disable=SC2086
	end_all $server "${helpers[@]}"
	[ ! -s "$dir/err" ] || tail -n 20 "$dir/err" | sed 's/^/server: /'
	rm -rf "$dir"
}

is_ready()
{
	kill -0 "$server" 2>/dev/null || fail "the server ended: $(cat "$dir/err")" || exit 1
	grep -qs '^ready$' "$dir/out"
}

# server_run COMMAND...: a web_server, however it is started
server_run()
{
	# the one before has said "ready" there
	: >"$dir/out"
	# what AddressSanitizer keeps of freed memory would count as resident
	ASAN_OPTIONS=${ASAN_OPTIONS:-}:quarantine_size_mb=1 WEB_HOLD=$dir/hold "$@" >"$dir/out" 2>"$dir/err" 3>&- &
	server=$!
	until_true 'the server' is_ready
	tcp=$(awk '$3 == "tcp" { print $2; exit }' "$dir/out")
	port=${tcp##*:}
}

server_start()
{
	server_run "$BUILD/tests/web_server" -u "$local" "$@"
}

server_end()
{
	local pid=$server rc=0
	server=''
	kill "$pid"
	wait "$pid" || rc=$?
	[ $rc = 0 ] || fail "the server ended with status $rc: $(cat "$dir/err")"
}

# refused TEXT ARGS...: web_server ends with status 1 and one line that has TEXT, and nothing else
refused()
{
	local text=$1
	shift
	run -1 --separate-stderr timeout "$PATIENCE" "$BUILD/tests/web_server" "$@"
	[ -z "$output" ] || fail "stdout: $output" || return
	[ "${#stderr_lines[@]}" = 1 ] && [[ $stderr == *"$text"* ]] || fail "said: $stderr"
}

# ---- clients

get()
{
	local path=$1
	shift
	curl -sS -m "$PATIENCE" "$@" "http://$tcp$path"
}

get_code()
{
	local path=$1
	shift
	get "$path" -o /dev/null -w '%{http_code}' "$@"
}

gets()
{
	local path=$1
	shift
	curl -sS -m "$PATIENCE" --cacert "$dir/ca.pem" "$@" "https://$tcp$path"
}

gets_code()
{
	local path=$1
	shift
	gets "$path" -o /dev/null -w '%{http_code}' "$@"
}

get_local()
{
	local path=$1
	shift
	curl -sS -m "$PATIENCE" --unix-socket "$local" "$@" "http://local$path"
}

# raw: stdin as it is, what comes back until the server closes
raw()
{
	local fd
	exec {fd}<>"/dev/tcp/127.0.0.1/$port"
	cat >&"$fd"
	timeout "$PATIENCE" cat <&"$fd"
	exec {fd}>&-
}

# counter WHAT...: 0 when it is not there, as for requests that never came
counter()
{
	get_local /counters | awk -v what="$* " 'index($0, what) == 1 { n = $NF } END { print n + 0 }'
}

# counted N WHAT...: for what is counted when the connection has ended
counted()
{
	local n=$1
	shift
	[ "$(counter "$@")" = "$n" ]
}

same()
{
	[ "$1" = "$2" ] || fail "is '$1', should be '$2'"
}

# ---- certificates, made once for a file

# ca NAME
ca()
{
	openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj "/CN=$1" \
		-keyout "$BATS_FILE_TMPDIR/$1.key" -out "$BATS_FILE_TMPDIR/$1.pem" 2>/dev/null
}

# certificate NAME CA SUBJECT_ALT_NAMES [USE]
certificate()
{
	local f=$BATS_FILE_TMPDIR/$1
	openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj "/CN=$1" \
		-keyout "$f.key" -out "$f.csr" 2>/dev/null
	printf 'subjectAltName=%s\nextendedKeyUsage=%s\n' "$3" "${4:-serverAuth,clientAuth}" >"$f.ext"
	openssl x509 -req -in "$f.csr" -CA "$BATS_FILE_TMPDIR/$2.pem" -CAkey "$BATS_FILE_TMPDIR/$2.key" \
		-CAcreateserial -days 2 -out "$f.pem" -extfile "$f.ext" 2>/dev/null
}
