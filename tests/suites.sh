# SPDX-License-Identifier: Apache-2.0
# The test suites: a function suite_NAME each, run by "./build.sh test NAME [ARGUMENT...]". Read by build.sh.

# What "./build.sh test" runs.
suites=(unit bogo wycheproof lint e2e)

unit_packages=("${build_packages[@]}" libc6-dev libcmocka-dev)
bogo_packages=("${unit_packages[@]}" golang-go golang-golang-x-crypto-dev)
e2e_packages=("${build_packages[@]}" libc6-dev iproute2 lxd lxd-client openssl python3 python3-cryptography python3-pylxd python3-pytest python3-yaml)
lint_packages=("${build_packages[@]}" clang-format clang-tidy cppcheck libc6-dev)

# ---------------------------------------------------------------- unit

before_cmocka=(-include stdarg.h -include stddef.h -include setjmp.h) # its header presupposes them
sanitizers=("-fsanitize=address,undefined" -fno-sanitize-recover=all -fno-omit-frame-pointer)

suite_unit() { # [NAME]
    local tests=(tests/unit/test_*.c) programs program passed=0 failed=0

    [ -z "${1:-}" ] || tests=("tests/unit/test_$1.c")
    [ -e "${tests[0]:-}" ] || die "there is no tests/unit/test_${1:-*}.c"
    need_packages "${unit_packages[@]}"
    # One test may run while another module does not compile; all tests may not.
    build_test_library || [ -n "${1:-}" ] || die "compilation failed"
    compile build/unit "${tests[@]}" || die "compilation failed"
    programs=("${objects[@]%.o}")
    printf '%s\0' "${programs[@]}" | xargs -0 -P "$jobs" -I {} "$CC" "${sanitizers[@]}" -o {} {}.o "${test_libraries[@]}" -lcmocka ||
        die "linking failed"
    printf '%s\0' "${programs[@]}" | xargs -0 -n 1 -P "$jobs" sh -c '"$0" >"$0.log" 2>&1; echo $? >"$0.status"'
    for program in "${programs[@]}"; do
        report_unit_test "$program"
    done
    echo "unit: $passed passed, $failed failed, in ${#programs[@]} programs"
    [ "$failed" = 0 ]
}

# An archive of src/ without main.c and of the helpers in tests/unit, with the sanitizers; an archive, so that a test
# which includes a module's .c file replaces that module. Sets test_libraries; fails if something does not compile.
build_test_library() {
    local archive=build/unit/libsrc.a file files=() status=0

    third_party_flags=(-O1 -g "${library_flags[@]}")
    build_libraries unit bearssl cjson
    printf '%q\n' -std=c11 -O1 -g "${sanitizers[@]}" "${source_flags[@]}" -Itests/unit -isystem "$libraries/include" \
        "${before_cmocka[@]}" '-DVERSION="test"' "-DVECTORS_DIR=\"$root/tests/vectors\"" | write_if_changed build/unit/flags
    for file in src/**/*.c tests/unit/*.c; do
        case $file in
        src/main.c | tests/unit/test_*) ;;
        *) files+=("$file") ;;
        esac
    done
    compile build/unit "${files[@]}" || status=1
    rm -f "$archive"
    find "${objects[@]}" -print0 2>/dev/null | xargs -0 "$AR" rcs "$archive"
    test_libraries=("$archive" "-L$libraries/lib" -lbearssl -lcjson)
    return "$status"
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
    run_with_test_library tests/bogo/run "$@"
}

suite_wycheproof() {
    need_packages "${unit_packages[@]}"
    run_with_test_library tests/wycheproof/run
}

run_with_test_library() { # SCRIPT [ARGUMENT...]
    build_test_library || die "compilation failed"
    CC=$CC TEST_FLAGS=build/unit/flags TEST_LIBRARIES="${test_libraries[*]}" LXD_INTEGRATOR_CACHE=$cache "$@"
}

# ---------------------------------------------------------------- end to end

suite_e2e() { # [PYTEST ARGUMENT...]
    run_python -m pytest tests/e2e "$@"
}

# The distribution's Python, whose packages these are, with the charm that was just built.
run_python() { # ARGUMENT...
    need_packages "${e2e_packages[@]}"
    verb_charm
    unlock_tree
    LXD_INTEGRATOR_CHARM=$root/build/lxd-integrator_$arch.charm LXD_INTEGRATOR_BINARY=$root/$out/lxd-integrator \
        PYTHONDONTWRITEBYTECODE=1 /usr/bin/python3 "$@"
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
    [ ${#failed[@]} = 0 ] || die "lint: ${failed[*]} found something"
    echo "lint: clean"
}
