# SPDX-License-Identifier: Apache-2.0
# The test suites: a function suite_NAME each, run by "./build.sh test NAME [ARGUMENT...]". Read by build.sh.

# What "./build.sh test" runs, and what of it on a charm for another machine than this.
suites=(unit bogo wycheproof p384 peers x509 fuzz constant_time lint e2e incus names ecosystem sources reproduce emulated elsewhere)
foreign_suites=(unit e2e)

unit_packages=("${build_packages[@]}" libc6-dev libcmocka-dev)
bogo_packages=("${unit_packages[@]}" golang-go golang-golang-x-crypto-dev)
p384_packages=("${unit_packages[@]}" clang libssl-dev python3)
wycheproof_packages=("${unit_packages[@]}" curl golang-go python3)
peers_packages=("${unit_packages[@]}" curl gnutls-bin golang-go openssl python3)
x509_packages=("${unit_packages[@]}" libssl-dev python3 python3-cryptography)
constant_time_packages=("${unit_packages[@]}" valgrind)
fuzz_packages=("${unit_packages[@]}" clang libclang-rt-dev python3 python3-cryptography)
e2e_packages=("${build_packages[@]}" libc6-dev golang-go iproute2 openssl python3 python3-cryptography python3-pytest python3-yaml strace)
names_packages=("${e2e_packages[@]}" dnsmasq-base haproxy libc-bin nginx-light squid tinyproxy unbound util-linux)
ecosystem_packages=("${e2e_packages[@]}" python3-venv)
bench_packages=("${e2e_packages[@]}" curl dnsmasq-base libssl-dev valgrind)
lint_packages=("${build_packages[@]}" clang-format clang-tidy cppcheck libc6-dev)

# ---------------------------------------------------------------- unit

before_cmocka=(-include stdarg.h -include stddef.h -include setjmp.h) # its header presupposes them
sanitizers=("-fsanitize=address,undefined" -fno-sanitize-recover=all -fno-omit-frame-pointer)

suite_unit() { # [NAME]
    local tests=(tests/unit/test_*.c) programs program passed=0 failed=0

    [ -z "${1:-}" ] || tests=("tests/unit/test_$1.c")
    [ -e "${tests[0]:-}" ] || die "there is no tests/unit/test_${1:-*}.c"
    if [ "$arch" = "$host" ]; then
        need_packages "${unit_packages[@]}"
        # One test may run while another module does not compile; all tests may not.
        build_test_library || [ -n "${1:-}" ] || die "compilation failed"
        compile build/unit "${tests[@]}" || die "compilation failed"
        programs=("${objects[@]%.o}")
        printf '%s\0' "${programs[@]}" | xargs -0 -P "$jobs" -I {} "$CC" "${sanitizers[@]}" -o {} {}.o "${test_libraries[@]}" -lcmocka ||
            die "linking failed"
    else
        build_foreign_tests "build/unit-$arch" "${tests[@]}"
    fi
    printf '%s\0' "${programs[@]}" |
        xargs -0 -P "$jobs" -I {} sh -c '"$@" >"$0.log" 2>&1; echo $? >"$0.status"' {} "${emulator[@]}" {}
    for program in "${programs[@]}"; do
        report_unit_test "$program"
    done
    echo "unit: $passed passed, $failed failed, in ${#programs[@]} programs"
    [ "$failed" = 0 ]
}

# The unit tests' archive, with the sanitizers. Sets test_libraries; fails if something does not compile.
build_test_library() {
    third_party_flags=(-O1 -g "${library_flags[@]}")
    build_libraries unit bearssl cjson
    printf '%q\n' -std=c11 -O1 -g "${sanitizers[@]}" "${test_flags[@]}" -isystem "$libraries/include" |
        write_if_changed build/unit/flags
    archive_sources build/unit
}

test_flags=("${source_flags[@]}" -Itests/unit "${before_cmocka[@]}" '-DVERSION="test"' "-DVECTORS_DIR=\"$root/tests/vectors\"")

# An archive of src/ without main.c and of the helpers in tests/unit, as FOLDER/flags has it; an archive, so that a test
# which includes a module's .c file replaces that module. Sets test_libraries; fails if something does not compile.
archive_sources() { # FOLDER
    local archive=$1/libsrc.a file files=() status=0

    for file in src/**/*.c tests/unit/*.c; do
        case $file in
        src/main.c | tests/unit/test_*) ;;
        *) files+=("$file") ;;
        esac
    done
    compile "$1" "${files[@]}" || status=1
    rm -f "$archive"
    find "${objects[@]}" -print0 2>/dev/null | xargs -0 "$AR" rcs "$archive"
    test_libraries=("$archive" "-L$libraries/lib" -lbearssl -lcjson)
    return "$status"
}

# For another machine all is linked as the binary is, with musl; cmocka comes from its source. Sets programs.
build_foreign_tests() { # FOLDER FILE...
    local folder=$1 cmocka file files=() object

    for file in "${@:2}"; do
        # The kernel would confine the emulator, not what it runs.
        [ "$file" = tests/unit/test_sandbox.c ] || files+=("$file")
    done
    need_packages "${build_packages[@]}" "${cross_packages[@]}" "${emulator_packages[@]}"
    use_musl bearssl cjson
    bring_source cmocka
    cmocka=$(source_directory cmocka)
    # Its header would define uintptr_t.
    printf '%q\n' "${c_flags[@]}" -D_UINTPTR_T -include stdint.h "${test_flags[@]}" -isystem "$cmocka/include" |
        write_if_changed "$folder/flags"
    archive_sources "$folder" || die "compilation failed"
    compile "$folder" "${files[@]}" || die "compilation failed"
    "$CC" "@$folder/flags" -w -DHAVE_SIGNAL_H -DHAVE_STRUCT_TIMESPEC -c -o "$folder/cmocka.o" "$cmocka/src/cmocka.c" ||
        die "cmocka does not compile"
    for object in "${objects[@]}"; do
        link_with_musl "${object%.o}" "$object" "$folder/libsrc.a" "$folder/cmocka.o" || die "linking failed"
    done
    programs=("${objects[@]%.o}")
}

# cmocka prints "[  PASSED  ] 3 test(s)." for a group of tests, and "[  FAILED  ] 1 test(s)" too where there are some.
report_unit_test() { # PROGRAM; adds to passed and failed
    local name=${1##*/test_} status ok bad

    status=$(<"$1.status")
    ok=$(awk '/^\[  PASSED  \]/ { n += $4 } END { print n + 0 }' "$1.log")
    bad=$(awk '/^\[  FAILED  \] [0-9]+ test/ { n += $4 } END { print n + 0 }' "$1.log")
    # It died, a sanitizer stopped it, or it tested nothing.
    if [ "$bad" = 0 ] && { [ "$status" != 0 ] || [ "$ok" = 0 ]; }; then
        bad=1
    fi
    passed=$((passed + ok))
    failed=$((failed + bad))
    if [ "$bad" = 0 ]; then
        printf '  %-20s %4d passed\n' "$name" "$ok"
    else
        cat "$1.log"
        printf '  %-20s %4d passed, %d FAILED (exit status %s, output in %s)\n' "$name" "$ok" "$bad" "$status" "$1.log"
    fi
}

# ---------------------------------------------------------------- other people's tests of TLS and cryptography

suite_bogo() { # [ARGUMENT...]
    need_packages "${bogo_packages[@]}"
    run_with_test_library tests/tls/bogo/run "$@"
}

suite_wycheproof() {
    need_packages "${wycheproof_packages[@]}"
    run_with_test_library tests/tls/wycheproof/run
}

suite_p384() { # [STEPS [SEED [BEARSSL_STEPS]]]
    need_packages "${p384_packages[@]}"
    run_with_test_library tests/p384/run "$@"
}

run_with_test_library() { # SCRIPT [ARGUMENT...]
    build_test_library || die "compilation failed"
    CC=$CC TEST_FLAGS=build/unit/flags TEST_LIBRARIES="${test_libraries[*]}" LXD_INTEGRATOR_CACHE=$cache "$@"
}

# ---------------------------------------------------------------- servers of others

suite_peers() {
    need_packages "${peers_packages[@]}"
    run_with_test_library tests/tls/peers/run
}

# ---------------------------------------------------------------- chains of certificates

suite_x509() {
    need_packages "${x509_packages[@]}"
    run_with_test_library tests/x509/run
}

# ---------------------------------------------------------------- fuzzing

fuzz_inputs=50000 # of each target, and
fuzz_seconds=12   # for that long at most

suite_fuzz() { # [corpus | TARGET [SECONDS]]
    need_packages "${fuzz_packages[@]}"
    if [ "${1:-}" = corpus ]; then
        run_with_test_library tests/fuzz/make_corpus
        return
    fi
    [ -z "${1:-}" ] || [ -e "tests/fuzz/fuzz_$1.c" ] || die "there is no tests/fuzz/fuzz_$1.c"
    build_fuzz_targets
    unlock_tree
    if [ $# -gt 0 ]; then
        mkdir -p "build/fuzz/corpus/$1"
        "build/fuzz/$1" "${fuzz_options[@]}" "-max_total_time=${2:-60}" "-artifact_prefix=build/fuzz/$1-" \
            "build/fuzz/corpus/$1" "tests/fuzz/corpus/$1"
        return
    fi
    run_fuzz_targets
}

# No allocation may be as large as an input says: the largest that is due is a response of 16 MiB in a growing buffer.
fuzz_options=(-timeout=10 -malloc_limit_mb=64 -print_final_stats=1)

# Sets fuzz_targets to their names.
build_fuzz_targets() {
    local CC=clang target

    third_party_flags=(-O1 -g "-fsanitize=fuzzer-no-link,address" "${library_flags[@]}")
    build_libraries fuzz bearssl cjson
    printf '%q\n' -std=c11 -O1 -g "-fsanitize=fuzzer-no-link,address,undefined" -fno-sanitize-recover=all \
        -Wno-unknown-warning-option "${test_flags[@]}" -Itests/fuzz -isystem "$libraries/include" |
        write_if_changed build/fuzz/flags
    archive_sources build/fuzz || die "compilation failed"
    compile build/fuzz tests/fuzz/fuzz_*.c || die "compilation failed"
    fuzz_targets=()
    for target in "${objects[@]##*/fuzz_}"; do
        target=${target%.o}
        fuzz_targets+=("$target")
        "$CC" "-fsanitize=fuzzer,address,undefined" -o "build/fuzz/$target" "build/fuzz/tests/fuzz/fuzz_$target.o" \
            "${test_libraries[@]}" || die "$target does not link"
    done
}

# Every target, always from the committed inputs on: what is found goes elsewhere.
run_fuzz_targets() {
    local target log failed=() found=build/fuzz/found

    rm -rf "$found"
    mkdir -p "${fuzz_targets[@]/#/"$found/"}"
    printf '%s\0' "${fuzz_targets[@]}" | xargs -0 -P "$jobs" -I {} sh -c '"$0" "$@" >"$0.log" 2>&1; echo $? >"$0.status"' \
        build/fuzz/{} "${fuzz_options[@]}" -seed=1 "-runs=$fuzz_inputs" "-max_total_time=$fuzz_seconds" \
        "-artifact_prefix=build/fuzz/{}-" "$found/{}" "tests/fuzz/corpus/{}"
    for target in "${fuzz_targets[@]}"; do
        log=build/fuzz/$target.log
        if [ "$(<"build/fuzz/$target.status")" = 0 ] && grep -q '^#.*DONE ' "$log"; then
            awk -v name="$target" '/^#.*DONE / { sub("#", ""); printf "  %-20s %8d inputs, coverage %d\n", name, $1, $4 }' "$log"
        else
            tail -n 40 "$log"
            printf '  %-20s FAILED (output in %s)\n' "$target" "$log"
            failed+=("$target")
        fi
    done
    echo "fuzz: $((${#fuzz_targets[@]} - ${#failed[@]})) passed, ${#failed[@]} failed"
    [ ${#failed[@]} = 0 ]
}

# ---------------------------------------------------------------- constant time

# Compiled as the binary is: the compiler decides too whether a branch depends on a secret.
suite_constant_time() {
    local folder=build/constant_time

    need_packages "${constant_time_packages[@]}"
    third_party_flags=("${code_flags[@]}" -g "${library_flags[@]}")
    build_libraries constant_time bearssl cjson
    printf '%q\n' "${code_flags[@]}" -g "${test_flags[@]}" -Itests/tls/constant_time -isystem "$libraries/include" |
        write_if_changed "$folder/flags"
    archive_sources "$folder" || die "compilation failed"
    compile "$folder" tests/tls/constant_time/*.c || die "compilation failed"
    "$CC" -o "$folder/constant_time" "${objects[@]}" "${test_libraries[@]}" || die "linking failed"
    valgrind --quiet --log-file="$folder/log" --suppressions=tests/tls/constant_time/valgrind.supp \
        "$folder/constant_time" || { cat "$folder/log"; return 1; }
    compile "$folder" tests/tls/constant_time/counted/counted.c || die "compilation failed"
    "$CC" -o "$folder/counted" "${objects[@]}" "${test_libraries[@]}" || die "linking failed"
    count_instructions "$folder"
    tests/tls/constant_time/divisions "$folder" "${code_flags[@]}" "-I$libraries/include"
}

# Every input of an operation must take as many instructions as the others.
count_instructions() { # FOLDER
    rm -f "$1"/counts.*
    valgrind --quiet --tool=callgrind --callgrind-out-file="$1/counts" "$1/counted" || return 1
    awk '
        /^desc: Trigger: Client Request: / { sub(/.*: /, ""); warm = !sub(/, 0$/, ""); sub(/, [0-9]+$/, ""); operation = $0 }
        /^totals: / && operation != "" && warm {
            if (!(operation in count)) { count[operation] = $2; order[++operations] = operation }
            differs[operation] += count[operation] != $2
            inputs[operation]++
            operation = ""
        }
        END {
            for (i = 1; i <= operations; i++) {
                name = order[i]
                bad = differs[name] != 0 || inputs[name] < 6
                printf "  %-20s %9d instructions, whatever the input%s\n", name, count[name], bad ? ": FAILED" : ""
                failed += bad
            }
            if (operations != 8) { print "  of 8 operations " operations+0 " were counted: FAILED"; failed++ }
            exit failed != 0
        }' "$1"/counts.*
}

# ---------------------------------------------------------------- benchmark

# What the benchmark runs beside the charm's binary, each linked as that is.
build_bench() {
    local folder=build/bench code_flags=("${code_flags[@]}" -g) ours sandbox metered

    use_musl bearssl cjson
    printf '%q\n' "${c_flags[@]}" '-DVERSION="bench"' '-DPARTS=""' | write_if_changed "$folder/flags"
    compile "$folder" src/**/*.c tests/bench/*.c || die "compilation failed"
    link_with_musl "$folder/empty" "$folder/tests/bench/empty.o"
    ours=("$folder"/src/**/*.o)
    # For valgrind: with symbols, and with no sandbox around it.
    sandbox=$folder/src/base/sandbox.o
    link_with_musl "$folder/lxd-integrator" "${ours[@]/#"$sandbox"/"$folder/tests/bench/unconfined.o"}"
    # Tells where its time goes.
    metered=(tls_{start,input_done,read,write,close,wipe} socket connect send recv poll close)
    link_with_musl "$folder/metered" "${ours[@]}" "$folder/tests/bench/meter.o" "${metered[@]/#/-Wl,--wrap=}"
    # Without X25519MLKEM768, as it is and for valgrind.
    link_with_musl "$folder/small_hello" "${ours[@]}" "$folder/tests/bench/small_hello.o" -Wl,--wrap=tls_start
    link_with_musl "$folder/small_hello_valgrind" "${ours[@]/#"$sandbox"/"$folder/tests/bench/unconfined.o"}" \
        "$folder/tests/bench/small_hello.o" -Wl,--wrap=tls_start
    # The binary's P-384 and BearSSL's beside OpenSSL's, which needs glibc.
    "$CC" -std=c11 -O2 -D_GNU_SOURCE -Isrc -idirafter "$libraries/include" -o "$folder/p384_speed" tests/p384/speed.c \
        "$folder"/src/ec/*.o "$libraries/lib/libbearssl.a" -lcrypto || die "tests/p384/speed.c does not compile"
}

# ---------------------------------------------------------------- end to end

suite_e2e() { # [PYTEST ARGUMENT...]
    local files=(tests/e2e)

    # In an emulator, what the charm says and does; other files measure its process, watch it or kill it.
    [ "$arch" = "$host" ] || files=(tests/e2e/test_{charm,command_line,credentials,relations,server_identity}.py)
    run_python -m pytest "${files[@]}" "$@"
}

# The core of the end-to-end tests against Incus, each kind of thing once; with --all every test of what it has in common
# with LXD. How Juju is reached has nothing to do with the server: one way will do.
suite_incus() { # [--all] [PYTEST ARGUMENT...]
    local marked=(-m core) folder=build/incus version status

    need_packages "${e2e_packages[@]}"
    version=$(tests/e2e/bring_incus "$cache/incus-$(. /etc/os-release && echo "$VERSION_ID")" "$folder") || {
        status=$?
        [ "$status" = 3 ] || die "Incus cannot be unpacked"
        echo "incus: SKIPPED, there is none to be had here"
        return 0
    }
    step "Incus $version, unpacked in $folder"
    if [ "${1:-}" = --all ]; then
        marked=()
        shift
    fi
    LXD_INTEGRATOR_INCUS=$root/$folder run_python -m pytest -k "not exec" "${marked[@]}" \
        tests/e2e/test_{incus,relations,projects,https,trust_token,expiry,actions,refusals,left_behind,cluster}.py "$@"
}

# The end-to-end tests that can go on for longer.
suite_model() { # [SEED [EVENTS]]
    run_python tests/e2e/model_run.py "$@"
}
suite_kill() { # [PYTEST ARGUMENT...]
    run_python -m pytest tests/e2e/test_kill.py --all-system-calls "$@"
}

# LXD's programs, from Debian's packages or wherever they are.
need_lxd() {
    ! type -P lxd >/dev/null || ! type -P lxc >/dev/null || return 0
    (need_packages lxd lxd-client) ||
        die "the programs lxd and lxc are needed; Ubuntu has them as a snap: set PATH=/snap/lxd/current/bin:\$PATH and" \
            "LD_LIBRARY_PATH=/snap/lxd/current/lib for ./build.sh"
}

# The distribution's Python, whose packages these are, with the charms that were just built.
run_python() { # ARGUMENT...
    need_packages "${e2e_packages[@]}" "${emulator_packages[@]}"
    need_lxd
    want_packages python3-pylxd # not in Debian 13
    verb_requirer
    unlock_tree
    LXD_INTEGRATOR_CHARM=$root/build/lxd-integrator_$arch.charm LXD_INTEGRATOR_BINARY=$root/$out/lxd-integrator \
        LXD_REQUIRER_CHARM=$root/build/lxd-requirer_$arch.charm LXD_INTEGRATOR_EMULATOR=${emulator[*]} \
        PYTHONDONTWRITEBYTECODE=1 /usr/bin/python3 "$@"
}

# ---------------------------------------------------------------- names and the network

# In namespaces of its own: a network, files in /etc, a host name.
suite_names() { # [lookups [COUNT [SEED]] | charm [PYTEST ARGUMENT...]]
    local alone=(unshare --net --mount --uts --propagation private env PYTHONDONTWRITEBYTECODE=1) lookup=build/names/lookup

    need_packages "${unit_packages[@]}" "${names_packages[@]}"
    if [ "${1:-lookups}" = lookups ]; then
        build_test_library || die "compilation failed"
        compile build/unit tests/names/lookup.c || die "compilation failed"
        mkdir -p build/names
        "$CC" "${sanitizers[@]}" -o "$lookup" "${objects[@]}" "${test_libraries[@]}" || die "linking failed"
        "${alone[@]}" sh -c 'ip link set lo up && exec /usr/bin/python3 tests/names/compare.py "$@"' sh "$lookup" "${@:2}"
    fi
    if [ "${1:-charm}" = charm ]; then
        need_lxd
        verb_charm
        unlock_tree
        LXD_INTEGRATOR_CHARM=$root/build/lxd-integrator_$arch.charm LXD_INTEGRATOR_BINARY=$root/$out/lxd-integrator \
            "${alone[@]}" /usr/bin/python3 -m pytest -c tests/e2e/pytest.ini --rootdir tests/names tests/names "${@:2}"
    fi
}

# ---------------------------------------------------------------- tools of the ecosystem

suite_ecosystem() { # [PYTEST ARGUMENT...]
    local python

    need_packages "${ecosystem_packages[@]}"
    verb_charm
    unlock_tree
    python=$(/usr/bin/python3 tests/ecosystem/tools.py)
    LXD_INTEGRATOR_CHARM=$root/build/lxd-integrator_$arch.charm PYTHONDONTWRITEBYTECODE=1 \
        "$python" -m pytest -c tests/e2e/pytest.ini --rootdir tests/ecosystem -rs tests/ecosystem "$@"
}

# ---------------------------------------------------------------- the build

suite_sources() {
    need_packages "${build_packages[@]}"
    tests/build/sources/run
}

suite_reproduce() {
    verb_reproduce
}

# A part of "./build.sh --arch s390x test": of all machines this one differs most, its bytes go the other way. The rest,
# and the other machines, are for "./build.sh --arch all test".
suite_emulated() {
    unlock_tree
    ./build.sh --arch s390x test unit
    ./build.sh --arch s390x test e2e -k "agent and (logs_in or log_in)"
}

# ---------------------------------------------------------------- lint

suite_lint() {
    local sources=(src/**/*.c) flags failed=()

    need_packages "${lint_packages[@]}"
    third_party_flags=(-O1 -g "${library_flags[@]}")
    build_libraries unit bearssl cjson
    unlock_tree
    flags=(-Isrc "-I$libraries/include" -D_GNU_SOURCE '-DVERSION="lint"')
    step "clang-format"
    clang-format --dry-run -Werror src/**/*.[ch] tests/**/*.[ch] || failed+=(clang-format)
    step "clang-tidy"
    printf '%s\0' "${sources[@]}" | xargs -0 -P "$jobs" -I {} clang-tidy --quiet {} -- -std=c11 "${flags[@]}" 2>/dev/null ||
        failed+=(clang-tidy)
    step "cppcheck"
    # It does not define what a compiler does, such as the machine.
    cppcheck --quiet --std=c11 --enable=warning,performance,portability --inline-suppr --error-exitcode=1 -j "$jobs" \
        --suppress="*:$libraries/*" "${flags[@]}" "-D__$(uname -m)__" "${sources[@]}" || failed+=(cppcheck)
    step "gcc -fanalyzer"
    # What leaks is LeakSanitizer's to find: the analyzer takes every list for a leak.
    printf '%s\0' "${sources[@]}" | xargs -0 -P "$jobs" -n 1 "$CC" -std=c11 -Os -fanalyzer -Wno-analyzer-malloc-leak -Werror \
        "${flags[@]}" -c -o /dev/null || failed+=(-fanalyzer)
    [ ${#failed[@]} = 0 ] || die "lint: ${failed[*]} found something"
    echo "lint: clean"
}
