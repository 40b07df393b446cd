# SPDX-License-Identifier: Apache-2.0
# What BoGo and Wycheproof have in common: BoringSSL's source has both, if not the newest vectors. Read by bogo/run and
# wycheproof/run, which build.sh starts in the root of the tree with
#
#   CC               the compiler
#   TEST_FLAGS       a file of compiler flags, those of the unit tests
#   TEST_LIBRARIES   linker arguments: src/ without main.c, helpers of tests/unit, third-party libraries

step() { printf '  %s\n' "$*" >&2; }
die() { printf '%s: %s\n' "$0" "$*" >&2; exit 1; }

[ -n "${TEST_FLAGS:-}" ] || die "run it with ./build.sh test"
cache=$(realpath -m "${LXD_INTEGRATOR_CACHE:-build/cache}")

. vendor/sources.sh

bring_boringssl() {
    bring_source boringssl
    boringssl=$PWD/$(source_directory boringssl)/src
}

compile_test() { # PROGRAM FILE
    mkdir -p "${1%/*}"
    # shellcheck disable=SC2086 # several arguments
    "$CC" "@$TEST_FLAGS" -o "$1" "$2" $TEST_LIBRARIES || die "$2 does not compile"
}
