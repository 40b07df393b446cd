# SPDX-License-Identifier: Apache-2.0
# What BoGo and Wycheproof have in common: both come with BoringSSL's source. Read by tests/bogo/run and
# tests/wycheproof/run, which build.sh starts in the root of the tree with
#
#   CC               the compiler
#   TEST_FLAGS       a file of compiler flags, those of the unit tests
#   TEST_LIBRARIES   linker arguments: src/ without main.c, helpers of tests/unit, third-party libraries

step() { printf '  %s\n' "$*" >&2; }
die() { printf '%s: %s\n' "$0" "$*" >&2; exit 1; }

[ -n "${TEST_FLAGS:-}" ] || die "run it with ./build.sh test"
cache=$(realpath -m "${LXD_INTEGRATOR_CACHE:-build/cache}")

. vendor/sources.sh

pins() { # in the place of vendor/pins: this is for tests only
    echo "android-platform-external-boringssl 13.0.0+r24 android-platform-external-boringssl_13.0.0+r24.orig.tar.xz" \
        "583b7aeee1fca68b8244d086cea6fca23bd19d517bd63f0b9de714e048f92a7d distribution 13.0.0+r24-2"
}

bring_source android-platform-external-boringssl
boringssl=$PWD/$(source_directory android-platform-external-boringssl)/src

compile_test() { # PROGRAM FILE
    mkdir -p "${1%/*}"
    # shellcheck disable=SC2086 # several arguments
    "$CC" "@$TEST_FLAGS" -o "$1" "$2" $TEST_LIBRARIES || die "$2 does not compile"
}
