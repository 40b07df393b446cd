#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Builds, packs and tests the charm. "./build.sh help" lists the verbs.
set -euo pipefail
shopt -s nullglob globstar
export LC_ALL=C

cache=$(realpath -m "${LXD_INTEGRATOR_CACHE:-$(dirname "$0")/build/cache}")
cd "$(dirname "$0")"
root=$PWD

release=1.0.0
size_limit=262144 # bytes, of the binary and of the charm, on amd64
jobs=$(nproc)

usage() {
    cat <<'END'
usage: ./build.sh [--arch ARCH] [--bases RELEASES] [VERB [ARGUMENT...]]

  (none)                build the binary and pack the charm
  charm                 the same
  binary                only build the binary
  vendor                only bring and check the third-party sources (for a build without network)
  demo                  build, and show the main job against a throw-away LXD
  test                  all tests
  test unit [NAME]      unit tests, or one of them
  test bogo [ARGUMENT]  BoringSSL's TLS tests; arguments go to its runner
  test wycheproof       Wycheproof's test vectors
  test e2e [ARGUMENT]   end-to-end tests against a real LXD; arguments go to pytest
  lint                  clang-format, clang-tidy, cppcheck
  bench                 time and memory of a hook
  clean                 remove what was built; the cache of archives stays
  help                  this text

  --arch ARCH           build for arm64, armhf, ppc64el, riscv64 or s390x (this machine's)
  --bases RELEASES      Ubuntu releases that the charm may run on ("20.04 22.04 24.04")

  LXD_INTEGRATOR_CACHE  folder of third-party archives (build/cache)
  SOURCE_DATE_EPOCH     time of the files in the charm (the last commit's)
END
}

step() { printf '  %s\n' "$*" >&2; }
die() { printf 'build.sh: %s\n' "$*" >&2; exit 1; }
refuse() { printf 'build.sh: %s; see ./build.sh help\n' "$*" >&2; exit 2; }

. vendor/sources.sh
. vendor/libraries.sh

# One build at a time in this tree. What only reads the results runs unlocked.
lock_tree() {
    mkdir -p build
    exec {lock}>build/lock
    flock --nonblock "$lock" || { step "waiting for another build in this tree"; flock "$lock"; }
}
unlock_tree() { exec {lock}>&-; }

# ---------------------------------------------------------------- packages

build_packages=(gcc binutils make patch xz-utils zip curl ca-certificates)
[ ! -e .git ] || build_packages+=(git) # for the version

need_packages() { # PACKAGE...
    local missing

    mapfile -t missing < <(comm -23 <(printf '%s\n' "$@" | sort -u) \
        <(dpkg-query -W -f '${db:Status-Status} ${Package}\n' "$@" 2>/dev/null | sed -n 's/^installed //p' | sort -u))
    [ ${#missing[@]} -gt 0 ] || return 0
    [ "$(id -u)" = 0 ] || die "missing packages; run: sudo apt-get install --no-install-recommends ${missing[*]}"
    step "installing ${missing[*]}"
    export DEBIAN_FRONTEND=noninteractive
    { apt-get update -qq && apt-get install -y -qq --no-install-recommends "${missing[@]}"; } >/dev/null ||
        die "cannot install ${missing[*]}"
}

# ---------------------------------------------------------------- compiling

warnings=(-Wall -Wextra -Wpedantic -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wold-style-definition -Wwrite-strings
    -Wpointer-arith -Wformat=2 -Wvla -Wundef -Wduplicated-cond -Wno-format-truncation -Werror)

# Which machine is built for. Debian's name for it; the compiler for another one is a cross compiler.
choose_target() { # ARCH
    host=$(dpkg --print-architecture)
    arch=${1:-$host}
    case $arch in
    amd64) triplet=x86_64-linux-gnu ;;
    arm64) triplet=aarch64-linux-gnu ;;
    armhf) triplet=arm-linux-gnueabihf ;;
    ppc64el) triplet=powerpc64le-linux-gnu ;;
    riscv64) triplet=riscv64-linux-gnu ;;
    s390x) triplet=s390x-linux-gnu ;;
    *) refuse "no architecture '$arch'" ;;
    esac
    prefix=
    [ "$arch" = "$host" ] || prefix=$triplet-
    CC=${prefix}gcc AR=${prefix}ar RANLIB=${prefix}ranlib STRIP=${prefix}strip
    out=build/$arch
    [ -z "$prefix" ] || build_packages+=("gcc-${triplet//_/-}" "binutils-${triplet//_/-}")
}

# Git in this tree, whoever owns it; fails in a tree from an archive.
in_repository() { # ARGUMENT...
    [ -e .git ] && git -c safe.directory="$root" "$@"
}

version() {
    local commit

    if commit=$(in_repository describe --always --dirty --exclude '*'); then
        echo "$release+$commit"
    else
        echo "$release"
    fi
}

# Write stdin to FILE unless it holds just that already, so that its time says when it changed.
write_if_changed() { # FILE
    local text

    text=$(cat)
    mkdir -p "${1%/*}"
    [ -e "$1" ] && [ "$text" = "$(<"$1")" ] || printf '%s\n' "$text" >"$1"
}

# An object is fresh if it is newer than all that its dependency file names.
fresh() { # OBJECT FLAGS
    local file files

    [ -e "$1" ] && [ -e "${1%.o}.d" ] && [ "$1" -nt "$2" ] || return 1
    files=$(<"${1%.o}.d")
    files=${files#*:}
    for file in ${files//\\$'\n'/}; do
        [ -e "$file" ] && [ ! "$file" -nt "$1" ] || return 1
    done
}

# Compile each C file to FOLDER/<path>.o with the flags in FOLDER/flags, where its object is not fresh; set objects.
compile() { # FOLDER FILE...
    local folder=$1 flags=$1/flags file object stale=()

    shift
    objects=()
    for file; do
        object=$folder/${file%.c}.o
        objects+=("$object")
        fresh "$object" "$flags" && continue
        mkdir -p "${object%/*}"
        stale+=(-o "$object" "$file")
    done
    [ ${#stale[@]} -gt 0 ] || return 0
    step "compiling $((${#stale[@]} / 3)) files to $folder"
    printf '%s\0' "${stale[@]}" | xargs -0 -n 3 -P "$jobs" "$CC" "@$flags" -MMD -c
}

# ---------------------------------------------------------------- the binary

code_flags=(-std=c11 -Os -fPIE -ffunction-sections -fdata-sections -fstack-protector-strong -fno-asynchronous-unwind-tables
    "-ffile-prefix-map=$root=.")
library_flags=(-DBR_RDRAND=0 -DBR_USE_URANDOM=0 -DCJSON_NESTING_LIMIT=32)
source_flags=(-Isrc -D_GNU_SOURCE "${warnings[@]}")

verb_binary() {
    local binary=$out/lxd-integrator compiler_headers

    need_packages "${build_packages[@]}"
    compiler_headers=$("$CC" -print-file-name=include)
    third_party_flags=("${code_flags[@]}" -nostdinc -idirafter "$compiler_headers" "${library_flags[@]}")
    build_libraries "$arch" musl bearssl cjson

    printf '%q\n' "${code_flags[@]}" -nostdinc -isystem "$libraries/include" -idirafter "$compiler_headers" \
        "${source_flags[@]}" "-DVERSION=\"$(version)\"" | write_if_changed "$out/flags"
    compile "$out" src/**/*.c || die "compilation failed"
    # musl's start files and library in the place of gcc's.
    "$CC" -static-pie -nostdlib -Wl,--gc-sections,-z,relro,-z,now,-z,noexecstack,--build-id=none \
        -o "$binary.part" "$libraries"/lib/{rcrt1,crti}.o "${objects[@]}" -L"$libraries/lib" -lbearssl -lcjson -lc \
        "$("$CC" -print-libgcc-file-name)" "$libraries/lib/crtn.o"
    "$STRIP" --strip-all "$binary.part"
    mv "$binary.part" "$binary"
    check_size "$binary"
    write_manifest "$binary" >"$out/manifest"
}

check_size() { # FILE
    local size

    size=$(stat -c %s "$1")
    step "$1: $size bytes"
    [ "$arch" != amd64 ] || [ "$size" -le "$size_limit" ] || die "$1 is larger than $size_limit bytes"
}

# What the binary was made from.
write_manifest() { # BINARY
    local name patch

    echo "lxd-integrator $(version) for $arch, SHA-256 $(sha256sum <"$1" | cut -c -64)"
    "$CC" --version | head -n 1
    for name in bearssl cjson musl; do
        pins "$name" | awk '$5 == "distribution" { print $1, $2 ", patch level of Debian", $6 }'
        for patch in vendor/"$name"/*.patch; do
            sha256sum "$patch"
        done
    done
}

# ---------------------------------------------------------------- the charm

verb_charm() {
    local charm=build/lxd-integrator_$arch.charm folder=$out/charm base

    verb_binary
    rm -rf "$folder" "$charm.part"
    mkdir -p "$folder"
    cp charm/* LICENSE "$folder"
    rm -f "$folder/charmcraft.yaml" # for charmcraft alone
    cp "$out/lxd-integrator" "$folder/dispatch"
    version >"$folder/version"
    {
        echo "bases:"
        for base in $bases; do
            printf -- '- name: ubuntu\n  channel: "%s"\n  architectures: [%s]\n' "$base" "$arch"
        done
    } >"$folder/manifest.yaml"
    chmod 0644 "$folder"/*
    chmod 0755 "$folder/dispatch"
    touch --date="@$(source_date)" "$folder"/*
    (cd "$folder" && TZ=UTC zip -q -X -9 "$root/$charm.part" -- *)
    mv "$charm.part" "$charm"
    check_size "$charm"
}

# The commit's time; in a tree from an archive every file has it.
source_date() {
    if [ -n "${SOURCE_DATE_EPOCH:-}" ]; then
        echo "$SOURCE_DATE_EPOCH"
    else
        in_repository log -1 --format=%ct || stat -c %Y build.sh
    fi
}

. tests/suites.sh

# ---------------------------------------------------------------- other verbs

verb_test() { # [SUITE [ARGUMENT...]]
    local suite failed=()

    if [ $# -gt 0 ]; then
        [ "$(type -t "suite_$1")" = function ] || refuse "no test suite '$1'"
        "suite_$1" "${@:2}"
        return
    fi
    unlock_tree
    for suite in "${suites[@]}"; do
        step "$suite"
        ./build.sh test "$suite" || failed+=("$suite")
    done
    [ ${#failed[@]} = 0 ] || die "failed: ${failed[*]}"
    echo "passed: ${suites[*]}"
}

verb_lint() {
    suite_lint
}

verb_vendor() {
    local name

    need_packages "${build_packages[@]}"
    for name in bearssl cjson musl; do
        bring_source "$name"
        step "$name: $(source_directory "$name")"
    done
}

verb_demo() {
    run_python tests/e2e/demo.py "$@"
}

verb_bench() {
    run_python tests/bench/bench.py "$@"
}

verb_clean() {
    # An archive that was brought once may not be had again without a network.
    find build -mindepth 1 -maxdepth 1 ! -name cache ! -name lock -exec rm -rf {} +
}

verb_help() {
    usage
}

# ---------------------------------------------------------------- command line

wanted_arch=
bases="20.04 22.04 24.04"
while [ $# -gt 0 ]; do
    case $1 in
    --arch) [ $# -ge 2 ] || refuse "--arch needs an architecture"; wanted_arch=$2; shift 2 ;;
    --bases) [ $# -ge 2 ] || refuse "--bases needs a list of Ubuntu releases"; bases=$2; shift 2 ;;
    -h | --help) usage; exit ;;
    -*) refuse "no option '$1'" ;;
    *) break ;;
    esac
done
verb=${1:-charm}
shift $(($# > 0))
[ "$(type -t "verb_$verb")" = function ] || refuse "no verb '$verb'"
choose_target "$wanted_arch"
case $verb in
test | demo | bench) [ "$arch" = "$host" ] || refuse "$verb runs the binary, and this machine is $host" ;;
esac
lock_tree
"verb_$verb" "$@"
