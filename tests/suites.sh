# SPDX-License-Identifier: Apache-2.0
# The test suites: a function suite_NAME each, run by "./build.sh test NAME [ARGUMENT...]", which begins with the packages that
# the suite needs. What a suite cannot do on this machine it tells tests/skip. Read by build.sh.

# What "./build.sh test" runs, and what of it on a charm for another machine than this.
suites=(unit bogo wycheproof p384 peers x509 fuzz constant_time lint e2e incus names ecosystem sources reproduce emulated elsewhere)
foreign_suites=(unit e2e)

test_packages=("${build_packages[@]}" libc6-dev libcmocka-dev)

# ---------------------------------------------------------------- unit

suite_unit() { # [NAME]
    local tests=(tests/unit/test_*.c) variant=unit folder=build/unit

    if [ "$arch" = "$host" ]; then
        need_packages "${test_packages[@]}"
    else
        need_packages "${build_packages[@]}" "${cross_packages[@]}" "${emulator_packages[@]}"
        variant=emulated folder=build/unit-$arch
        # The kernel would confine the emulator, not what it runs.
        tests=("${tests[@]/#tests\/unit\/test_sandbox.c/}")
    fi
    [ -z "${1:-}" ] || tests=("tests/unit/test_$1.c")
    [ -e "${tests[0]}" ] || die "there is no ${tests[0]}"
    # shellcheck disable=SC2206 # names without blanks; none in the place of what was left out
    tests=(${tests[@]%.c})
    compile "$variant" "${tests[@]/#/"$folder/"}"
    printf '%s\0' "${tests[@]/#/"$folder/"}" |
        xargs -0 -P "$jobs" -I {} sh -c '"$@" >"$0.log" 2>&1; echo "exit status $?" >>"$0.log"' {} "${emulator[@]}" {}
    report_unit_tests "${tests[@]/#/"$folder/"}"
}

# cmocka prints "[  PASSED  ] 3 test(s)." for a group of tests, and "[  FAILED  ] 1 test(s)" too where there are some. A program
# has failed as well if it died, a sanitizer stopped it, or it tested nothing.
report_unit_tests() { # PROGRAM...
    awk '
        FNR == 1 { ok = bad = 0; text = "" }
        { text = text $0 "\n" }
        /^\[  PASSED  \]/ { ok += $4 }
        /^\[  FAILED  \] [0-9]+ test/ { bad += $4 }
        /^exit status / {
            if (bad == 0 && ($3 != 0 || ok == 0))
                bad = 1
            name = FILENAME
            sub(/.*test_/, "", name)
            sub(/\.log$/, "", name)
            if (bad)
                printf "%s  %-20s %4d passed, %d FAILED (output in %s)\n", text, name, ok, bad, FILENAME
            else
                printf "  %-20s %4d passed\n", name, ok
            passed += ok
            failed += bad
            programs++
        }
        END {
            printf "unit: %d passed, %d failed, in %d programs\n", passed, failed, programs
            exit failed != 0 || programs != ARGC - 1
        }' "${@/%/.log}"
}

# ---------------------------------------------------------------- TLS and cryptography beside others'

suite_bogo() { # [ARGUMENT...]
    need_packages "${test_packages[@]}" golang-go golang-golang-x-crypto-dev
    compile unit build/unit/tests/tls/bogo/shim
    LXD_INTEGRATOR_CACHE=$cache tests/tls/bogo/run "$@"
}

suite_wycheproof() {
    need_packages "${test_packages[@]}" golang-go python3
    compile unit build/unit/tests/tls/wycheproof/{wycheproof,nist}
    LXD_INTEGRATOR_CACHE=$cache tests/tls/wycheproof/run
}

suite_p384() { # [STEPS [SEED [BEARSSL_STEPS]]]
    need_packages "${test_packages[@]}" clang libssl-dev python3
    compile plain build/plain/tests/p384/compare
    if [ $# -gt 0 ]; then
        build/plain/tests/p384/compare "$1" "${2:-1}" "${3:-0}"
        return
    fi
    src/ec/make_p384_table | cmp - src/ec/ec_p384_table.h || die "src/ec/ec_p384_table.h is another table than its script writes"
    echo "  the table is what its script writes"
    clang -std=c11 -O2 -Wall -Wextra -Werror -Wno-bit-int-extension -Isrc -o build/plain/tests/p384/every tests/p384/every.c
    build/plain/tests/p384/every
    build/plain/tests/p384/compare 5000 1 100
    compile unit build/unit/tests/p384/compare
    ASAN_OPTIONS=detect_leaks=0 build/unit/tests/p384/compare 500 2 10 # OpenSSL's objects live as long as the program
}

suite_peers() {
    need_packages "${test_packages[@]}" gnutls-bin golang-go openssl python3
    compile unit build/unit/tests/tls/peers/client
    LXD_INTEGRATOR_CACHE=$cache tests/tls/peers/run
}

suite_x509() {
    need_packages "${test_packages[@]}" libssl-dev python3 python3-cryptography
    compile unit build/unit/tests/x509/judge
    compile plain build/plain/tests/x509/{judge,openssl}
    LXD_INTEGRATOR_CACHE=$cache tests/x509/run
}

# ---------------------------------------------------------------- fuzzing

fuzz_inputs=50000 # of each target, and
fuzz_seconds=10   # for that long at most

# No allocation may be as large as an input says: the largest that is due is a response of 16 MiB in a growing buffer.
fuzz_options=(-timeout=10 -malloc_limit_mb=64 -print_final_stats=1)

suite_fuzz() { # [corpus | TARGET [SECONDS]]
    local targets=(tests/fuzz/fuzz_*.c)

    need_packages "${test_packages[@]}" clang libclang-rt-dev python3 python3-cryptography
    if [ "${1:-}" = corpus ]; then
        compile unit build/unit/tests/fuzz/sessions{,_unprotected}
        tests/fuzz/make_corpus
        return
    fi
    targets=("${targets[@]#tests/fuzz/fuzz_}")
    targets=("${targets[@]%.c}")
    [ -z "${1:-}" ] || [ -e "tests/fuzz/fuzz_$1.c" ] || die "there is no tests/fuzz/fuzz_$1.c"
    [ -z "${1:-}" ] || targets=("$1")
    compile fuzz "${targets[@]/#/build/fuzz/tests/fuzz/fuzz_}"
    unlock_tree
    if [ $# -gt 0 ]; then
        mkdir -p "build/fuzz/corpus/$1"
        "build/fuzz/tests/fuzz/fuzz_$1" "${fuzz_options[@]}" "-max_total_time=${2:-60}" "-artifact_prefix=build/fuzz/$1-" \
            "build/fuzz/corpus/$1" "tests/fuzz/corpus/$1"
        return
    fi
    run_fuzz_targets "${targets[@]}"
}

# Every target, always from the committed inputs on: what is found goes elsewhere.
run_fuzz_targets() { # TARGET...
    local target log failed=() found=build/fuzz/found

    rm -rf "$found"
    mkdir -p "${@/#/"$found/"}"
    printf '%s\0' "$@" | xargs -0 -P "$jobs" -I {} sh -c '"$0" "$@" >"$0.log" 2>&1; echo $? >"$0.status"' \
        build/fuzz/tests/fuzz/fuzz_{} "${fuzz_options[@]}" -seed=1 "-runs=$fuzz_inputs" "-max_total_time=$fuzz_seconds" \
        "-artifact_prefix=build/fuzz/{}-" "$found/{}" "tests/fuzz/corpus/{}"
    for target; do
        log=build/fuzz/tests/fuzz/fuzz_$target.log
        if [ "$(<"${log%.log}.status")" = 0 ] && grep -q '^#.*DONE ' "$log"; then
            awk -v name="$target" '/^#.*DONE / { sub("#", ""); printf "  %-20s %8d inputs, coverage %d\n", name, $1, $4 }' "$log"
        else
            tail -n 40 "$log"
            printf '  %-20s FAILED (output in %s)\n' "$target" "$log"
            failed+=("$target")
        fi
    done
    echo "fuzz: $(($# - ${#failed[@]})) passed, ${#failed[@]} failed"
    [ ${#failed[@]} = 0 ]
}

# ---------------------------------------------------------------- constant time

# Compiled as the binary is: the compiler decides too whether a branch depends on a secret.
suite_constant_time() {
    local folder=build/plain/tests/tls/constant_time

    need_packages "${test_packages[@]}" valgrind
    compile plain "$folder"/{constant_time,counted}
    valgrind --quiet --log-file="$folder/log" --suppressions=tests/tls/constant_time/valgrind.supp \
        "$folder/constant_time" || { cat "$folder/log"; return 1; }
    count_instructions "$folder"
    tests/tls/constant_time/divisions "$folder" "-I$(source_directory bearssl)/inc"
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

# ---------------------------------------------------------------- end to end

e2e_packages=("${build_packages[@]}" libc6-dev golang-go iproute2 openssl python3 python3-cryptography python3-pytest
    python3-pytest-xdist python3-yaml strace)

suite_e2e() { # [PYTEST ARGUMENT...]
    local files=(tests/e2e)

    # In an emulator, what the charm says and does; other files measure its process, watch it or kill it.
    [ "$arch" = "$host" ] || files=(tests/e2e/test_{charm,command_line,credentials,relations,server_identity}.py)
    run_python -m pytest --numprocesses=2 --dist=loadfile "${files[@]}" "$@"
}

# The core of the end-to-end tests against Incus, each kind of thing once; with --all every test of what it has in common
# with LXD. How Juju is reached has nothing to do with the server: one way will do.
suite_incus() { # [--all] [PYTEST ARGUMENT...]
    local marked=(-m core) folder=build/incus version status

    need_packages "${e2e_packages[@]}"
    version=$(tests/e2e/bring_incus "$cache/incus-$(. /etc/os-release && echo "$VERSION_ID")" "$folder") || {
        status=$?
        [ "$status" = 3 ] || die "Incus cannot be unpacked"
        tests/skip incus "there is none to be had here"
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
    local alone=(unshare --net --mount --uts --propagation private env PYTHONDONTWRITEBYTECODE=1)

    need_packages "${test_packages[@]}" "${e2e_packages[@]}" dnsmasq-base haproxy libc-bin nginx-light squid tinyproxy unbound util-linux
    if [ "${1:-lookups}" = lookups ]; then
        compile unit build/unit/tests/names/lookup
        "${alone[@]}" sh -c 'ip link set lo up && exec /usr/bin/python3 tests/names/compare.py "$@"' sh \
            build/unit/tests/names/lookup "${@:2}"
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

    need_packages "${e2e_packages[@]}" python3-venv
    verb_charm
    unlock_tree
    python=$(/usr/bin/python3 tests/ecosystem/tools.py)
    LXD_INTEGRATOR_CACHE=$cache LXD_INTEGRATOR_CHARM=$root/build/lxd-integrator_$arch.charm PYTHONDONTWRITEBYTECODE=1 \
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

    need_packages "${build_packages[@]}" clang-format clang-tidy cppcheck libc6-dev
    step "gcc -fanalyzer"
    (compile lint build/lint/all) || failed+=(-fanalyzer)
    unlock_tree
    flags=(-Isrc "-I$(source_directory bearssl)/inc" "-I$(source_directory cjson)" -D_GNU_SOURCE '-DVERSION="lint"')
    step "clang-format"
    clang-format --dry-run -Werror src/**/*.[ch] tests/**/*.[ch] || failed+=(clang-format)
    step "clang-tidy"
    printf '%s\0' "${sources[@]}" | xargs -0 -P "$jobs" -I {} clang-tidy --quiet {} -- -std=c11 "${flags[@]}" 2>/dev/null ||
        failed+=(clang-tidy)
    step "cppcheck"
    # It does not define what a compiler does, such as the machine.
    cppcheck --quiet --std=c11 --enable=warning,performance,portability --inline-suppr --error-exitcode=1 -j "$jobs" \
        --suppress="*:build/source/*" --suppress=normalCheckLevelMaxBranches "${flags[@]}" "-D__$(uname -m)__" "${sources[@]}" || failed+=(cppcheck)
    [ ${#failed[@]} = 0 ] || die "lint: ${failed[*]} found something"
    echo "lint: clean"
}
