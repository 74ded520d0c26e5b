# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# shellcheck shell=bash
# Where the programs are, in $BUILD: a whole path, for tests that work in folders of their own.

bats_require_minimum_version 1.5.0

BUILD=${BUILD:-build}
[[ $BUILD == /* ]] || BUILD=$(realpath "$BATS_TEST_DIRNAME/../../$BUILD")
