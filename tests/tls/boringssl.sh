# SPDX-License-Identifier: Apache-2.0
# What BoGo and Wycheproof have in common: BoringSSL's source has both, if not the newest vectors. Read by bogo/run and
# wycheproof/run.

step() { printf '  %s\n' "$*" >&2; }
die() { printf '%s: %s\n' "$0" "$*" >&2; exit 1; }

cache=$(realpath -m "${LXD_INTEGRATOR_CACHE:-build/cache}")

. vendor/sources.sh

bring_boringssl() {
    bring_source boringssl
    boringssl=$PWD/$(source_directory boringssl)/src
}
