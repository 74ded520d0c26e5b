#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# The web configuration file: passwords, TLS, client certificates, reading it again.

load lib

setup_file()
{
	ca ca
	ca stranger
	certificate server ca DNS:localhost,IP:127.0.0.1
	certificate renewed ca DNS:localhost,IP:127.0.0.1
	certificate client ca DNS:scraper.example,IP:192.0.2.7
	certificate unnamed ca DNS:other.example
	certificate foreign stranger DNS:scraper.example
	certificate serving ca DNS:scraper.example serverAuth
}

# config LINE...: the file, with the certificates beside it; it replaces an older one at once, as editors do
config()
{
	cp "$BATS_FILE_TMPDIR"/*.pem "$BATS_FILE_TMPDIR"/*.key "$dir"
	printf '%s\n' "$@" >"$dir/web.yml.new"
	mv "$dir/web.yml.new" "$dir/web.yml"
}

tls_config()
{
	config 'tls_server_config:' '  cert_file: server.pem' '  key_file: server.key' "$@"
}

# client NAME CURL_ARGS...: the code with this certificate
client()
{
	local name=$1
	shift
	gets_code / --cert "$dir/$name.pem" --key "$dir/$name.key" "$@"
}

# wrong TEXT LINE...: a configuration that is refused at start
wrong()
{
	local text=$1
	shift
	config "$@"
	refused "$text" -l 127.0.0.1:0 -c "$dir/web.yml"
	[[ $stderr == "$dir/web.yml: "* ]] || fail "said: $stderr"
}

@test "passwords: right, wrong, missing, of nobody; everything is protected" {
	config 'basic_auth_users:' "  a: $HASH_A" "  b: $HASH_B" "  y: $HASH_Y" "  other: $HASH_OTHER"
	server_start -l 127.0.0.1:0 -c "$dir/web.yml"
	for user in a b y; do
		for ((i = 0; i < 3; i++)); do
			same "$(get / -u $user:secret)" hello
			same "$(get_code / -u $user:wrong)" 401
			same "$(get_code / -u $user:)" 401
		done
	done
	same "$(get / -u other:other)" hello
	same "$(get_code / -u other:secret)" 401
	same "$(get_code / -u nobody:secret)" 401
	same "$(get_code / -u nobody:secret)" 401
	same "$(get_code / -u :secret)" 401
	same "$(get_code /)" 401
	same "$(get_code /nope)" 401
	same "$(get_code / -X DELETE)" 401
	same "$(get_code / -H 'Authorization: Bearer a')" 401
	same "$(get_code / -H 'Authorization: Basic !!!!')" 401
	same "$(get_code / -H "Authorization: Basic $(printf nocolon | base64)")" 401
	same "$(get_code / -H "Authorization: Basic $(printf 'a:secret\0' | base64)x")" 401
	same "$(get_code / -u "a:$(printf '%05000d' 1)")" 401
	[[ $(get / -i) == *'WWW-Authenticate: Basic'* ]]
	same "$(get_code /nope -u a:secret)" 404
	same "$(get_code / -X DELETE -u a:secret)" 405
	# what asks for authentication has it
	same "$(get /api -u a:secret)" api
	same "$(get_local /)" hello
	same "$(counter requests / 200)" 11
	same "$(counter rejected authentication)" "$(get_local /counters | awk '$1 == "requests" && $3 == 401 { n += $4 } END { print n }')"
	same "$(counter authenticates)" 1
	run -1 grep -e secret -e '\$2' "$dir/err"
	server_end
}

@test "passwords are checked one at a time, and no other request waits for them" {
	config 'basic_auth_users:' "  a: $HASH_A"
	server_start -l 127.0.0.1:0 -c "$dir/web.yml"
	same "$(get / -u a:secret)" hello
	# 300 guesses push no right password out of what is remembered
	for ((i = 0; i < 10; i++)); do
		for ((k = 0; k < 30; k++)); do
			printf 'url = "http://%s/"\nuser = "a:guess-%d-%d"\noutput = /dev/null\n' "$tcp" $i $k
		done >"$dir/guess$i"
		curl -sS -w '%{http_code}\n' -K "$dir/guess$i" >"$dir/codes$i" &
		helpers+=($!)
	done
	for ((i = 0; i < 10; i++)); do
		same "$(get / -u a:secret)" hello
	done
	wait "${helpers[@]}"
	same "$(sort "$dir"/codes* | uniq -c | awk '{ print $1, $2 }')" '300 401'
	same "$(counter rejected authentication)" 300
	server_end
}

@test "hashes that are no bcrypt, keys and values that are unknown: one line, exit 1" {
	for hash in "$HASH_DES" '$6$abc$IdWKNKTJEb8LxY7CGg8YBXlvtfZzFw7Mp' '$1$abc$abc' "$HASH_B." "${HASH_B%?}" secret \
		'$2x$04$vmalockvmalockvmalockutQ8rFFG/wJMHSNa12CRJE.TnFpjbf3u' '$2b$04$vmalockvmalockvmalock:tQ8rFFG/wJMHSNa12CRJE.TnFpjbf3u'; do
		wrong "line 2: basic_auth_users: the hash of 'a' is none of bcrypt" 'basic_auth_users:' "  a: '$hash'"
		[[ $stderr != *"$hash"* ]]
	done
	wrong "has cost 31; 4 to 16 are possible" 'basic_auth_users:' "  a: ${HASH_B/04/31}"
	wrong "'a:b' cannot be a user's name" 'basic_auth_users:' "  'a:b': $HASH_B"
	wrong "line 3: 'a' is there twice" 'basic_auth_users:' "  a: $HASH_B" "  a: $HASH_A"
	wrong "line 1: unknown key 'basic_auth_user'" "basic_auth_user:"
	wrong "line 2: unknown key 'cert_fil'" 'tls_server_config:' '  cert_fil: x'
	wrong "unknown key 'header'" 'http_server_config:' '  header: {}'
	wrong "header 'Server' cannot be set" 'http_server_config:' '  headers:' '    Server: x'
	wrong "cannot have the value 'yes'" 'http_server_config:' '  headers:' '    X-Frame-Options: yes'
	wrong 'control characters cannot be sent' 'http_server_config:' '  headers:' '    X-XSS-Protection: "a\r\nB: c"'
	wrong 'true or false is expected here' 'http_server_config:' '  http2: 7'
	wrong "'1 apple' is no duration" 'rate_limit:' '  interval: 1 apple'
	wrong 'a list is expected here' 'tls_server_config:' '  cipher_suites: TLS_AES_128_GCM_SHA256'
	wrong 'keys with values are expected here' '- a'
	wrong 'keys with values are expected here' 'tls_server_config: [a]'
	wrong 'line 3: no YAML: ' 'tls_server_config: {' 'x'
	wrong 'more than one YAML document' '---' 'basic_auth_users: {}' '---' 'a: b'
	wrong 'one of cert_file and cert is needed' 'tls_server_config:' '  key_file: server.key'
	wrong 'one of key_file and key is needed' 'tls_server_config:' '  cert_file: server.pem'
	wrong "cannot read $dir/none.pem: No such file or directory" 'tls_server_config:' '  cert_file: none.pem' '  key_file: server.key'
	wrong 'certificate and key: ' 'tls_server_config:' '  cert_file: server.pem' '  key_file: client.key'
	wrong 'certificate and key: ' 'tls_server_config:' '  cert_file: server.key' '  key_file: server.key'
	both=('tls_server_config:' '  cert_file: server.pem' '  key_file: server.key')
	wrong "unknown client_auth_type 'Maybe'" "${both[@]}" '  client_auth_type: Maybe'
	wrong 'RequireAndVerifyClientCert needs client_ca_file' "${both[@]}" '  client_auth_type: RequireAndVerifyClientCert'
	wrong 'client_ca_file is of no use without client_auth_type' "${both[@]}" '  client_ca_file: ca.pem'
	wrong 'client_allowed_sans needs RequireAndVerifyClientCert' "${both[@]}" '  client_allowed_sans: [a]'
	wrong 'client_ca_file: ' "${both[@]}" '  client_auth_type: VerifyClientCertIfGiven' '  client_ca_file: server.key'
	wrong "unknown version 'TLS14'" "${both[@]}" '  min_version: TLS14'
	wrong 'only TLS12 and TLS13 are served' "${both[@]}" '  max_version: TLS11'
	wrong 'min_version is above max_version' "${both[@]}" '  min_version: TLS13' '  max_version: TLS12'
	wrong "unknown cipher suite 'TLS_NULL'" "${both[@]}" '  cipher_suites: [TLS_NULL]'
	wrong "unknown curve 'CurveP1'" "${both[@]}" '  curve_preferences: [CurveP1]'
	wrong 'no cipher suite is left' "${both[@]}" '  min_version: TLS13' '  cipher_suites: [TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA]'
	refused "cannot read $dir/none.yml: No such file or directory" -l 127.0.0.1:0 -c "$dir/none.yml"
	refused "cannot read $dir: no regular file" -l 127.0.0.1:0 -c "$dir"
}

@test "what the toolkit takes and means nothing here is said once" {
	tls_config '  min_version: TLS10' '  prefer_server_cipher_suites: false' '  cipher_suites: [TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256]' \
		'http_server_config:' '  http2: true' '  headers:' '    X-Frame-Options: deny' '    Strict-Transport-Security: max-age=31536000'
	server_start -l 127.0.0.1:0 -c "$dir/web.yml"
	same "$(grep -c '^<4>' "$dir/err")" 3
	grep -q '^<4>.*/web.yml: min_version TLS10: TLS12 is the lowest that is served$' "$dir/err"
	grep -q '^<4>.*/web.yml: http2 is not served: HTTP/1.1 is$' "$dir/err"
	grep -q '^<4>.*/web.yml: cipher_suites are taken apart' "$dir/err"
	run -0 gets / -i
	[[ $output == *$'\nX-Frame-Options: deny'* && $output == *$'\nStrict-Transport-Security: max-age=31536000'* ]]
	[[ $(gets /nope -i) == *$'\nX-Frame-Options: deny'* ]]
	server_end
	for text in '' '{}' '# nothing' 'tls_server_config:' 'tls_server_config: {}' 'basic_auth_users: ~' '---'; do
		config "$text"
		server_start -l 127.0.0.1:0 -c "$dir/web.yml"
		same "$(get /)" hello
		same "$(counter authenticates)" 0
		server_end
		run -1 grep '^<[34]>' "$dir/err"
	done
}

@test "TLS 1.2 and 1.3, nothing below, no plain HTTP" {
	tls_config
	server_start -l 127.0.0.1:0 -c "$dir/web.yml"
	grep -q ' tcp tls$' "$dir/out"
	same "$(gets /)" hello
	same "$(gets / --tls-max 1.2)" hello
	same "$(gets / --tlsv1.3)" hello
	run ! gets / --tls-max 1.1
	run -60 curl -sS "https://$tcp/"
	same "$(gets '/large?bytes=3000000' | wc -c)" 3000000
	run ! get /
	[[ $output != *hello* ]]
	until_true 'the sessions that were none' counted 3 rejected tls
	same "$(get_local /)" hello
	server_end
}

@test "versions, ciphers and curves" {
	# session ARGS...: what openssl agrees on
	session() { openssl s_client -connect "$tcp" -CAfile "$dir/ca.pem" "$@" </dev/null 2>&1; }
	tls_config '  max_version: TLS12'
	server_start -l 127.0.0.1:0 -c "$dir/web.yml"
	[[ $(session) == *'Protocol  : TLSv1.2'* ]]
	tls_config '  min_version: TLS13'
	run ! gets / --tls-max 1.2
	same "$(gets /)" hello
	tls_config '  max_version: TLS12' '  cipher_suites: [TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384]'
	[[ $(session) == *'Cipher    : ECDHE-ECDSA-AES256-GCM-SHA384'* ]]
	run ! gets / --ciphers ECDHE-ECDSA-AES128-GCM-SHA256
	tls_config '  max_version: TLS12' '  cipher_suites: [TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256, TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256]'
	[[ $(session -cipher ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-ECDSA-CHACHA20-POLY1305) == *'Cipher    : ECDHE-ECDSA-CHACHA20-POLY1305'* ]]
	tls_config '  max_version: TLS12' '  prefer_server_cipher_suites: false' '  cipher_suites: [TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256, TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256]'
	[[ $(session -cipher ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-ECDSA-CHACHA20-POLY1305) == *'Cipher    : ECDHE-ECDSA-AES128-GCM-SHA256'* ]]
	tls_config '  cipher_suites: [TLS_AES_256_GCM_SHA384]'
	[[ $(session) == *'TLS_AES_256_GCM_SHA384'* ]]
	tls_config '  curve_preferences: [CurveP384]'
	[[ $(session) == *'ECDH, secp384r1, 384 bits'* ]]
	run ! gets / --curves X25519
	same "$(counter config_ok)" 1
	server_end
}

@test "client certificates: every client_auth_type" {
	none() { gets_code /; }
	for type in NoClientCert RequestClientCert; do
		tls_config "  client_auth_type: $type"
		server_start -l 127.0.0.1:0 -c "$dir/web.yml"
		same "$(none)" 200
		same "$(client foreign)" 200
		same "$(counter authenticates)" 0
		same "$(gets_code /api)" 403
		server_end
	done
	for type in RequireAnyClientCert RequireClientCert; do
		tls_config "  client_auth_type: $type"
		server_start -l 127.0.0.1:0 -c "$dir/web.yml"
		same "$(none)" 403
		same "$(client foreign)" 200
		same "$(counter authenticates)" 0
		server_end
	done
	tls_config '  client_auth_type: VerifyClientCertIfGiven' '  client_ca_file: ca.pem'
	server_start -l 127.0.0.1:0 -c "$dir/web.yml"
	same "$(none)" 200
	same "$(client client)" 200
	same "$(client foreign)" 403
	same "$(counter authenticates)" 0
	server_end
	tls_config '  client_auth_type: RequireAndVerifyClientCert' '  client_ca_file: ca.pem'
	server_start -l 127.0.0.1:0 -c "$dir/web.yml"
	for version in 1.2 1.3; do
		same "$(gets_code / --tls-max $version)" 403
		same "$(client client --tls-max $version)" 200
		same "$(client unnamed --tls-max $version)" 200
		same "$(client foreign --tls-max $version)" 403
		same "$(client serving --tls-max $version)" 403
	done
	same "$(gets /)" 'Forbidden: a client certificate is required'
	same "$(gets /api --cert "$dir/client.pem" --key "$dir/client.key")" api
	same "$(counter authenticates)" 1
	same "$(counter rejected client_certificate)" 7
	server_end
	for name in scraper.example 192.0.2.7; do
		tls_config '  client_auth_type: RequireAndVerifyClientCert' '  client_ca_file: ca.pem' "  client_allowed_sans: [x, $name]"
		server_start -l 127.0.0.1:0 -c "$dir/web.yml"
		same "$(client client)" 200
		same "$(client unnamed)" 403
		same "$(none)" 403
		server_end
	done
}

@test "certificate and password together, inline certificates" {
	config 'tls_server_config:' '  client_auth_type: RequireAndVerifyClientCert' \
		"  cert: |" "$(sed 's/^/    /' "$BATS_FILE_TMPDIR/server.pem")" \
		"  key: |" "$(sed 's/^/    /' "$BATS_FILE_TMPDIR/server.key")" \
		"  client_ca: |" "$(sed 's/^/    /' "$BATS_FILE_TMPDIR/ca.pem")" \
		'basic_auth_users:' "  a: $HASH_A"
	server_start -l 127.0.0.1:0 -c "$dir/web.yml"
	same "$(gets_code /)" 403
	same "$(gets_code / -u a:secret)" 403
	same "$(client client)" 401
	same "$(client client -u a:wrong)" 401
	same "$(client client -u a:secret)" 200
	same "$(client foreign -u a:secret)" 403
	server_end
}

@test "read again when it changes: passwords, TLS on and off, renewed certificates" {
	config 'basic_auth_users:' "  a: $HASH_A"
	server_start -l 127.0.0.1:0 -c "$dir/web.yml"
	same "$(get / -u a:secret)" hello
	config 'basic_auth_users:' "  a: $HASH_OTHER"
	same "$(get_code / -u a:secret)" 401
	same "$(get / -u a:other)" hello
	tls_config
	same "$(gets /)" hello
	run ! get /
	serial() { openssl s_client -connect "$tcp" </dev/null 2>/dev/null | openssl x509 -noout -serial; }
	same "$(serial)" "$(openssl x509 -noout -serial -in "$dir/server.pem")"
	# only the files that it names
	cp "$dir/renewed.key" "$dir/server.key"
	cp "$dir/renewed.pem" "$dir/server.pem"
	same "$(serial)" "$(openssl x509 -noout -serial -in "$dir/renewed.pem")"
	same "$(gets /)" hello
	same "$(counter config_ok)" 1
	config
	same "$(get /)" hello
	run ! gets /
	server_end
}

@test "a change that is wrong leaves the old configuration in force, and says so once" {
	config 'basic_auth_users:' "  a: $HASH_A"
	server_start -l 127.0.0.1:0 -c "$dir/web.yml"
	config 'basic_auth_users:' "  a: $HASH_DES"
	for ((i = 0; i < 5; i++)); do
		same "$(get_code /)" 401
		same "$(get / -u a:secret)" hello
	done
	same "$(counter config_ok)" 0
	same "$(grep -c '^<3>' "$dir/err")" 1
	grep -q "^<3>$dir/web.yml: line 2: basic_auth_users: the hash of 'a' is none of bcrypt .*; the configuration read before stays in force$" "$dir/err"
	rm "$dir/web.yml"
	same "$(get_code /)" 401
	grep -q "^<3>cannot read $dir/web.yml: No such file or directory; " "$dir/err"
	same "$(counter config_ok)" 0
	config 'basic_auth_users:' "  a: $HASH_OTHER"
	same "$(get / -u a:other)" hello
	same "$(counter config_ok)" 1
	# the key of another certificate, as in the middle of a renewal
	tls_config
	same "$(gets /)" hello
	cp "$dir/renewed.pem" "$dir/server.pem"
	same "$(gets_code / -k)" 200
	same "$(counter config_ok)" 0
	cp "$dir/renewed.key" "$dir/server.key"
	same "$(gets /)" hello
	same "$(counter config_ok)" 1
	server_end
}

@test "without a request it is read again, too, and on SIGHUP" {
	config
	server_start -l 127.0.0.1:0 -c "$dir/web.yml"
	config 'nonsense: 1'
	until_true 'the error' grep -q "^<3>.*unknown key 'nonsense'" "$dir/err"
	config
	kill -HUP "$server"
	until_true 'the file to be read' grep -q '^<6>.*was read again$' "$dir/err"
	server_end
}

@test "connections that were made before a change of TLS are not kept" {
	tls_config '  client_auth_type: RequireAndVerifyClientCert' '  client_ca_file: ca.pem'
	server_start -l 127.0.0.1:0 -c "$dir/web.yml"
	mkfifo "$dir/in"
	openssl s_client -quiet -connect "$tcp" -CAfile "$dir/ca.pem" -cert "$dir/client.pem" -key "$dir/client.key" \
		<"$dir/in" >"$dir/answers" 2>/dev/null 3>&- &
	helpers+=($!)
	exec {fd}>"$dir/in"
	printf 'GET / HTTP/1.1\r\nHost: x\r\n\r\n' >&"$fd"
	until_true 'an answer' grep -q '^hello' "$dir/answers"
	tls_config '  client_auth_type: RequireAndVerifyClientCert' '  client_ca_file: stranger.pem'
	same "$(client client)" 403
	same "$(client foreign)" 200
	(printf 'GET /echo HTTP/1.1\r\nHost: x\r\n\r\n' >&"$fd") || :
	exec {fd}>&-
	wait "${helpers[0]}" || :
	same "$(grep -c '^HTTP/1.1 200' "$dir/answers")" 1
	server_end
}

@test "rate_limit" {
	config 'rate_limit:' '  interval: 1h' '  burst: 3'
	refused "'1h' is no duration" -l 127.0.0.1:0 -c "$dir/web.yml"
	config 'rate_limit:' '  interval: 86400s' '  burst: 3'
	server_start -l 127.0.0.1:0 -c "$dir/web.yml"
	for code in 200 200 200 429 429; do
		same "$(get_code /)" $code
	done
	same "$(counter rejected rate_limit)" 2
	same "$(get_local /)" hello
	server_end
}
