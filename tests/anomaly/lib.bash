# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# shellcheck shell=bash
#
# What the anomaly tests share.
#
#	fails 30 alloc alloc+ openat:EMFILE -- [OPTION...] PROGRAM ARGS...
#
# Each of these with 30 of the n there are, the same 30 as long as there are as many n; with
# ANOMALIES=400 another 400 each time, with ANOMALIES=all every n.
# Options are those of sweep.c.  What was tried is said in TAP.

export TZ=UTC LC_ALL=C
export ASAN_OPTIONS=${ASAN_OPTIONS:-exitcode=99} UBSAN_OPTIONS=${UBSAN_OPTIONS:-print_stacktrace=1:exitcode=99}
export BATS_TEST_TIMEOUT=600
[ -z "${ANOMALIES:-}" ] || BATS_TEST_TIMEOUT=86400

fails()
{
	local count=(-c "$1" -s 1) kinds=() kind rc=0 said wrong=0
	shift
	case ${ANOMALIES:-} in
	'') ;;
	all) count=() ;;
	*) count=(-c "$ANOMALIES") ;;
	esac
	while [ "$1" != -- ]; do
		kinds+=("$1")
		shift
	done
	shift
	for kind in "${kinds[@]}"; do
		said=$("$BUILD/tests/sweep" "${count[@]}" -w "$kind" "$@") || rc=$?
		echo "# ${said##*$'\n'}" >&3
		[ $rc = 0 ] || {
			printf '%s\n' "$said"
			wrong=1
			rc=0
		}
	done
	return $wrong
}
