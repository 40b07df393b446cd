#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Builds, packs and tests the charm. "./build.sh help" lists the verbs.
set -euo pipefail
shopt -s nullglob globstar
export LC_ALL=C
# What decides about the bytes is written here, not in the caller's environment.
unset CFLAGS CPPFLAGS LDFLAGS LIBCC CROSS_COMPILE CPATH C_INCLUDE_PATH LIBRARY_PATH COMPILER_PATH MAKEFLAGS ZIPOPT

cache=$(realpath -m "${LXD_INTEGRATOR_CACHE:-$(dirname "$0")/build/cache}")
cd "$(dirname "$0")"
root=$PWD
# Go is for tests alone: what they compile is compiled once, by the Go that is here.
export GOCACHE=${GOCACHE:-$root/build/go-cache} GOTOOLCHAIN=local

release=1.0.0
size_limit=327680 # bytes, of the binary and of the charm, on amd64, in the release of the published charms
architectures=(amd64 arm64 armhf ppc64el riscv64 s390x)
jobs=$(nproc)

usage() {
    cat <<'END'
usage: ./build.sh [--arch ARCH] [--bases RELEASES] [VERB [ARGUMENT...]]

  (none)                build the binary and pack the charm
  charm                 the same
  binary                only build the binary
  requirer              pack the example of a requirer as well
  vendor                only bring and check the third-party sources (for a build without network)
  vendor --bundle FILE  the same, and write all that such a build needs into one archive
  release               charms for all architectures, SBOMs, checksums and notes, in build/release
  demo [--cluster | --projects]
                        build, and show the main job against a throw-away LXD, a cluster that loses a member, or
                        a client that tries to leave its project
  test                  all suites but model and kill, which go on for as long as you like
  test unit [NAME]      unit tests, or one of them
  test bogo [ARGUMENT]  BoringSSL's TLS tests; arguments go to its runner
  test wycheproof       Wycheproof's and NIST's test vectors
  test p384 [STEPS [SEED [BEARSSL_STEPS]]]
                        P-384 against OpenSSL's; see tests/p384/README.md
  test peers            the TLS client against OpenSSL, GnuTLS and Go
  test x509             chains of certificates, judged by us, OpenSSL and Go
  test fuzz [TARGET [SECONDS]]
                        fuzzing, briefly, or of one target for longer; see tests/fuzz/README.md
  test constant_time    that no branch and no address depends on a secret
  test e2e [ARGUMENT]   end-to-end tests against a real LXD; arguments go to pytest
  test incus [--all]    the core of these tests against Incus, or all of it
  test names            names, proxies and what else is between a unit and LXD; see tests/names/README.md
  test ecosystem [ARGUMENT]
                        Juju's parsers, charmcraft, ops, Terraform; see tests/ecosystem/README.md; arguments go to pytest
  test model [SEED [EVENTS]]
                        random events on real LXDs, as many as you like; see tests/e2e/README.md
  test kill             the charm is killed at each of its system calls
  test emulated         a part of what "--arch s390x test" runs: unit tests and a few end-to-end tests
  test sources          how third-party archives are brought
  test reproduce, lint  what the verbs below do
  test elsewhere [--all]
                        demo, unit tests and end-to-end tests, some or all, on a fresh machine of the other
                        Debian release, which is made here
  reproduce             build again in other circumstances, without network, and compare
  container             build with Dockerfile.build in a container of the release that published charms come from, and
                        compare where this machine has that release
  lint                  clang-format, clang-tidy, cppcheck, gcc -fanalyzer
  bench [PART...]       what a hook costs: hooks, crowd, instructions, scale, fleet, p384, mlkem, names, lists and before; all of them if none is named; see tests/bench/README.md
  clean                 remove what was built; the cache of archives stays
  help                  this text

  --arch ARCH           build for amd64, arm64, armhf, ppc64el, riscv64, s390x or all (by default this machine's);
                        what is built for another machine runs in an emulator
  --bases RELEASES      Ubuntu releases that the charm may run on ("20.04 22.04 24.04")

  LXD_INTEGRATOR_CACHE  folder of third-party archives (build/cache)
  SOURCE_DATE_EPOCH     time of the files in the charm (the last commit's)
END
}

step() { printf '  %s\n' "$*" >&2; }
die() { printf 'build.sh: %s\n' "$*" >&2; exit 1; }
refuse() { printf 'build.sh: %s; see ./build.sh help\n' "$*" >&2; exit 2; }

. vendor/sources.sh
. vendor/inventory.sh

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

# Those of them that this machine's distribution has.
want_packages() { # PACKAGE...
    local package

    for package; do
        ! apt-cache show "$package" >/dev/null 2>&1 || need_packages "$package"
    done
}

# ---------------------------------------------------------------- compiling

# Which machine is built for, by Debian's name. For another one than this, a cross compiler compiles and qemu runs.
choose_target() { # ARCH
    arch=$1
    machine_flags= link_flags=
    case $arch in
    amd64) triplet=x86_64-linux-gnu qemu=qemu-x86_64 link_flags=-Wl,-z,pack-relative-relocs ;;
    arm64) triplet=aarch64-linux-gnu qemu=qemu-aarch64 ;;
    armhf) triplet=arm-linux-gnueabihf qemu=qemu-arm ;;
    ppc64el) triplet=powerpc64le-linux-gnu qemu=qemu-ppc64le machine_flags=-mlong-double-64 ;; # as musl has it
    riscv64) triplet=riscv64-linux-gnu qemu=qemu-riscv64 ;;
    s390x) triplet=s390x-linux-gnu qemu=qemu-s390x ;;
    *) refuse "no architecture '$arch'" ;;
    esac
    out=build/$arch
    prefix= emulator=() cross_packages=() emulator_packages=()
    if [ "$arch" != "$host" ]; then
        prefix=$triplet-
        emulator=("$qemu")
        cross_packages=("gcc-${triplet//_/-}" "binutils-${triplet//_/-}")
        emulator_packages=(qemu-user)
    fi
    CC=${prefix}gcc AR=${prefix}ar RANLIB=${prefix}ranlib STRIP=${prefix}strip
}

# Git in this tree, whoever owns it; fails in a tree from an archive.
in_repository() { # ARGUMENT...
    [ -e .git ] && git -c safe.directory="$root" "$@" 2>/dev/null
}

version() {
    local commit

    if commit=$(in_repository describe --always --abbrev=12 --dirty --exclude '*'); then
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

bring_parts() {
    local name

    for name in "${parts[@]}"; do
        bring_source "$name"
    done
}

# Make FILE... of a variant in src/Makefile. Warnings are errors, but not in what a user builds.
compile() { # VARIANT FILE...
    local name given=(CC="$CC" AR="$AR" RANLIB="$RANLIB" STRIP="$STRIP" arch="$arch" triplet="$triplet" machine_flags="$machine_flags"
        link_flags="$link_flags")

    bring_parts
    [ "$1" != emulated ] || bring_source cmocka
    for name in "${parts[@]}" cmocka; do
        given+=("$name=$(source_directory "$name")")
    done
    [ "$1" = release ] || given+=(WERROR=-Werror)
    step "making $2$([ $# = 2 ] || echo " and more")"
    make --silent --no-print-directory --jobs="$jobs" --file=src/Makefile variant="$1" "${given[@]}" "${@:2}" || die "compilation failed"
}

# ---------------------------------------------------------------- the binary

verb_binary() {
    local binary=$out/lxd-integrator

    need_packages "${build_packages[@]}" "${cross_packages[@]}"
    bring_parts
    printf '#define VERSION "%s"\n#define PARTS "%s"\n' "$(version)" "$(describe_parts | sed 's/$/\\n/' | tr -d '\n')" |
        write_if_changed "$out/version.h"
    compile release "$binary"
    check_size "$binary"
    {
        echo "lxd-integrator $(version) for $arch, SHA-256 $(sha256sum <"$binary" | cut -c -64)"
        describe_parts
    } >"$out/manifest"
    write_sbom "$binary" >"$out/sbom.spdx.json"
}

# The limit is about what is published: another release's compiler makes no build fail.
check_size() { # FILE
    local size

    size=$(stat -c %s "$1")
    step "$1: $size bytes"
    [ "$arch" = amd64 ] && [ "$size" -gt "$size_limit" ] || return 0
    [ "$(own_release)" != "$(published_release)" ] || die "$1 is larger than $size_limit bytes"
    step "note: that is more than the $size_limit bytes of what Debian's $(published_release) has compiled"
}

# ---------------------------------------------------------------- the charm

# What is packed lies in build/charm/ARCH.
verb_charm() {
    local folder=build/charm/$arch

    verb_binary
    rm -rf "$folder"
    mkdir -p "$folder"
    cp charm/{README.md,icon.svg} LICENSE "$out/sbom.spdx.json" "$folder"
    cp "$out/lxd-integrator" "$folder/dispatch"
    copy_licences "$folder"
    write_metadata >"$folder/metadata.yaml"
    write_config >"$folder/config.yaml"
    write_actions >"$folder/actions.yaml"
    write_manifest >"$folder/manifest.yaml"
    version >"$folder/version"
    pack "$folder" "build/lxd-integrator_$arch.charm"
}

pack() { # FOLDER CHARM
    chmod 0644 "$1"/*
    chmod 0755 "$1/dispatch"
    touch --date="@$(source_date)" "$1"/*
    rm -f "$2.part"
    (cd "$1" && TZ=UTC zip -q -X -9 "$root/$2.part" -- *)
    mv "$2.part" "$2"
    check_size "$2"
}

# The other end of the interface: a program of its own over the same library.
verb_requirer() {
    local folder=$out/requirer

    verb_charm
    compile release "$out/lxd-requirer"
    rm -rf "$folder"
    mkdir -p "$folder"
    cp "$out/lxd-requirer" "$folder/dispatch"
    cp "build/charm/$arch"/{manifest.yaml,version,LICENSE*} tests/requirer/*.yaml "$folder"
    write_assumes >>"$folder/metadata.yaml"
    pack "$folder" "build/lxd-requirer_$arch.charm"
}

# Juju's files are sections of charmcraft.yaml.
sections() { # NAME...
    awk -v names=" $* " '
        /^#/ { next }
        /^[a-z]/ { wanted = index(names, " " substr($1, 1, length($1) - 1) " ") }
        wanted && /^$/ { blank = "\n"; next }
        wanted { printf "%s%s\n", blank, $0; blank = "" }' charmcraft.yaml
}

# Charmhub's links have names of their own there, as charmcraft writes them.
write_metadata() {
    sections name title summary description provides peers | sed 's/^title:/display-name:/'
    write_assumes
    sections links | sed '1d; s/^  //; s/^documentation:/docs:/; s/^contact: *\(.*\)/maintainers: [\1]/'
}

# The Jujus that accept these bases. Before 3.3 Juju refuses a charm for a single base that it does not know; 24.04 is known
# from 2.9.50 and 3.1.9 on, 26.04 from 3.6.17 and 4.0.5 on.
write_assumes() {
    local oldest newest

    oldest=$(tr ' ' '\n' <<<"$bases" | sort -V | head -n 1)
    newest=$(tr ' ' '\n' <<<"$bases" | sort -V | tail -n 1)
    if [[ $oldest > 24.04 ]]; then
        printf '%s\n' assumes: '  - any-of:' '      - all-of: [juju >= 3.6.17, juju < 4.0]' '      - juju >= 4.0.5'
    elif [[ $newest > 24.04 ]]; then
        printf '%s\n' assumes: '  - juju >= 3.3'
    elif [[ $newest > 22.04 ]]; then
        sections assumes
    else
        printf '%s\n' assumes: '  - juju >= 2.9.23'
    fi
}

write_config() {
    sections config | sed '1d; s/^  //'
}

write_actions() {
    sections actions | sed '1d; s/^  //'
}

# The last three are what charmcraft 4.5 writes for Charmhub, of a dispatch that is no script.
write_manifest() {
    local base

    echo "bases:"
    for base in $bases; do
        printf -- '- name: ubuntu\n  channel: "%s"\n  architectures: [%s]\n' "$base" "$arch"
    done
    echo 'charmcraft-version: "4.5.0"'
    echo "charmcraft-started-at: \"$(date --utc --date="@$(source_date)" +%Y-%m-%dT%H:%M:%SZ)\""
    printf 'analysis:\n  attributes:\n  - {name: language, result: unknown}\n  - {name: framework, result: unknown}\n'
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
. tests/build/roots.sh
. tests/build/reproduce.sh
. tests/build/elsewhere.sh

# ---------------------------------------------------------------- other verbs

verb_test() { # [SUITE [ARGUMENT...]]
    local suite due=("${suites[@]}") failed=() seconds=() start

    [ "$arch" = "$host" ] || due=("${foreign_suites[@]}")
    if [ $# -gt 0 ]; then
        [ "$(type -t "suite_$1")" = function ] || refuse "no test suite '$1'"
        [ "$arch" = "$host" ] || [[ " ${foreign_suites[*]} " = *" $1 "* ]] || refuse "no test suite '$1' for $arch on $host"
        "suite_$1" "${@:2}"
        return
    fi
    unlock_tree
    rm -f build/skipped
    for suite in "${due[@]}"; do
        step "$suite"
        start=$SECONDS
        ./build.sh --arch "$arch" --bases "$bases" test "$suite" || failed+=("$suite")
        seconds+=("$suite $((SECONDS - start))")
    done
    printf '%s s\n' "${seconds[@]}" "all $SECONDS" | awk '{ printf "  %-14s %5d s\n", $1, $2 }'
    [ ! -s build/skipped ] || sed 's/^/  NOT TESTED: /' build/skipped
    [ ${#failed[@]} = 0 ] || die "failed: ${failed[*]}"
    echo "passed: ${due[*]}"
}

verb_lint() {
    suite_lint
}

verb_vendor() { # [--bundle FILE]
    local name

    need_packages "${build_packages[@]}"
    bring_parts
    for name in "${parts[@]}"; do
        step "$name: $(source_directory "$name")"
    done
    case ${1:-} in
    '') ;;
    --bundle) [ $# = 2 ] || refuse "--bundle needs a file"; write_bundle "$2" ;;
    *) refuse "vendor has no option '$1'" ;;
    esac
}

# For "tar -xf FILE" in a clone: the archives at their place in the cache, and build/packages, what to install before.
write_bundle() { # FILE
    local folder=build/bundle name

    rm -rf "$folder"
    mkdir -p "$folder/build/cache"
    for name in "${parts[@]}"; do
        find_archive "$name"
        cp "$source_archive" "$folder/build/cache"
    done
    for name in "${targets[@]}"; do
        choose_target "$name"
        printf '%s\n' "${build_packages[@]}" "${cross_packages[@]}"
    done | sort -u >"$folder/build/packages"
    tar -cf "$1" -C "$folder" --sort=name --owner=0 --group=0 --numeric-owner --mode=u=rwX,go=rX "--mtime=@$(source_date)" build
    step "$1: $(stat -c %s "$1") bytes"
}

verb_release() {
    local folder=build/release link target

    [[ $(version) != *-dirty ]] || step "note: this is a release of uncommitted changes"
    [ "$(own_release)" = "$(published_release)" ] ||
        step "note: published charms come from Debian's $(published_release); with this machine's compiler the bytes are others"
    for link in contact issues source; do
        grep -q "^  $link: ." charmcraft.yaml || step "note: Charmhub will show no $link: put the address under links in charmcraft.yaml"
    done
    rm -rf "$folder"
    mkdir -p "$folder"
    for target in "${architectures[@]}"; do
        choose_target "$target"
        verb_charm
        cp "build/lxd-integrator_$arch.charm" "$folder"
        cp "$out/sbom.spdx.json" "$folder/lxd-integrator_$arch.spdx.json"
    done
    awk -v heading="## [$release]" 'index($0, "## ") == 1 { wanted = index($0, heading) == 1 } wanted' CHANGELOG.md >"$folder/NOTES.md"
    [ -s "$folder/NOTES.md" ] || die "CHANGELOG.md has nothing on $release"
    (cd "$folder" && sha256sum -- * >SHA256SUMS)
    step "$folder: $(version)"
}

verb_demo() {
    run_python tests/e2e/demo.py "$@"
}

verb_bench() {
    [ "$arch" = "$host" ] || refuse "an emulator's time and memory say nothing on $arch"
    need_packages "${e2e_packages[@]}" curl dnsmasq-base libssl-dev valgrind
    compile bench build/bench/{empty,lxd-integrator,metered,small_hello,small_hello_valgrind}
    compile plain build/plain/tests/p384/speed
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

host=$(dpkg --print-architecture)
targets=("$host")
bases="20.04 22.04 24.04"
while [ $# -gt 0 ]; do
    case $1 in
    --arch) [ $# -ge 2 ] || refuse "--arch needs an architecture"; targets=("$2"); shift 2 ;;
    --bases) [ $# -ge 2 ] || refuse "--bases needs a list of Ubuntu releases"; bases=$2; shift 2 ;;
    -h | --help) usage; exit ;;
    -*) refuse "no option '$1'" ;;
    *) break ;;
    esac
done
[ "${targets[0]}" != all ] || targets=("${architectures[@]}")
verb=${1:-charm}
shift $(($# > 0))
[ "$(type -t "verb_$verb")" = function ] || refuse "no verb '$verb'"
[ "$verb" = help ] || lock_tree
case $verb in
vendor | container | release | lint | clean | help) # these look after the machines themselves, if they care
    choose_target "$host"
    "verb_$verb" "$@"
    ;;
*)
    for target in "${targets[@]}"; do
        choose_target "$target"
        "verb_$verb" "$@"
    done
    ;;
esac
