# SPDX-License-Identifier: Apache-2.0
# What is inside: the third-party parts, as lines of text (for the binary and its manifest), as SPDX document, and their
# licences. All from vendor/pins and the sources themselves. Read by build.sh.

parts=(musl bearssl cjson)

# Set title, licence, licence_text (a file) and copyright of NAME; version, file, sha256 and url of the release of upstream's that
# it is; same_sources, which archive has the same; and its patches.
look_up_part() { # NAME
    local other other_sha256

    case $1 in
    musl) title=musl licence_text=COPYRIGHT ;;
    bearssl) title=BearSSL licence_text=LICENSE.txt ;;
    cjson) title=cJSON licence_text=LICENSE ;;
    esac
    licence=MIT
    licence_text=$(source_directory "$1")/$licence_text
    copyright=$(grep -m 1 -o 'Copyright.*' "$licence_text")
    read -r _ version _ < <(taken_pin "$1")
    read -r _ _ file sha256 url < <(pins "$1" | awk -v version="$version" '$2 == version')
    same_sources="As released"
    if read -r _ _ other other_sha256 _ < <(pins "$1" | awk -v version="$version" -v not="$sha256" '$2 == version && $4 != not'); then
        same_sources="The same sources as in $other, SHA-256 $other_sha256"
    fi
    find_patches "$1"
}

# One line a part, then the compiler. Neither quotes nor backslashes: they become a C string.
describe_parts() {
    local name patch patches

    for name in "${parts[@]}"; do
        look_up_part "$name"
        printf '%s %s, %s, SHA-256 %s' "$title" "$version" "$licence" "$sha256"
        for patch in "${patches[@]}"; do
            patch=${patch#vendor/"$name"/}
            printf ', patch %s' "${patch%.patch}"
        done
        echo
    done
    echo "compiled by $("$CC" --version | head -n 1)"
}

copy_licences() { # FOLDER
    local name patches

    for name in "${parts[@]}"; do
        look_up_part "$name"
        cp "$licence_text" "$1/LICENSE.$name"
    done
}

# ---------------------------------------------------------------- SPDX 2.3

# As vendor/sbom.spdx.json.in has it: what stands between "@each KIND" and "@end" is there for each of that kind.
write_sbom() { # BINARY
    local line kind= text= name title licence licence_text copyright version file sha256 url same_sources patches compiler
    local sha1 program_sha1 program_sha256 created own_version

    compiler=$("$CC" --version | head -n 1)
    read -r program_sha1 _ < <(sha1sum <"$1")
    read -r program_sha256 _ < <(sha256sum <"$1")
    created=$(date --utc --date="@$(source_date)" +%Y-%m-%dT%H:%M:%SZ)
    own_version=$(version)
    while IFS= read -r line; do
        case $line in
        "@each "*) kind=${line#@each } text= ;;
        @end) "each_$kind" "$text"; kind= ;;
        *) [ -n "$kind" ] && text+=$line$'\n' || fill "$line"$'\n' ;;
        esac
    done <vendor/sbom.spdx.json.in
}

# Print TEXT with the variables' values in the place of their names: @sha256@.
fill() { # TEXT
    local rest=$1

    while [[ $rest =~ ^([^@]*)@([a-z0-9_]+)@(.*)$ ]]; do
        printf '%s%s' "${BASH_REMATCH[1]}" "${!BASH_REMATCH[2]}"
        rest=${BASH_REMATCH[3]}
    done
    printf '%s' "$rest"
}

each_part() { # TEXT
    for name in "${parts[@]}"; do
        look_up_part "$name"
        fill "$1"
    done
}

each_patch() { # TEXT
    local patch id

    for name in "${parts[@]}"; do
        look_up_part "$name"
        for patch in "${patches[@]}"; do
            id=${patch#vendor/}
            id=${id//\//-}
            read -r sha1 _ < <(sha1sum <"$patch")
            read -r sha256 _ < <(sha256sum <"$patch")
            fill "$1"
        done
    done
}

# The compiler's own library has what the machine lacks, such as division on armhf. The linker's map tells.
each_libgcc() { # TEXT
    if grep -q '/libgcc\.a(' "$out/map"; then
        version=$("$CC" -dumpfullversion)
        fill "$1"
    fi
}
