# SPDX-License-Identifier: Apache-2.0
# What is inside: the third-party parts, as lines of text (for the binary and its manifest), as SPDX document, and their
# licences. All from vendor/pins and the sources themselves. Read by build.sh.

parts=(musl bearssl cjson)

# Set title, licence and licence_text (a file) of NAME; and from its pins version, file, sha256, url (the upstream
# archive), equal, equal_sha256 and level (the distribution's archive of the same sources).
look_up_part() { # NAME
    case $1 in
    musl) title=musl licence_text=COPYRIGHT ;;
    bearssl) title=BearSSL licence_text=LICENSE.txt ;;
    cjson) title=cJSON licence_text=LICENSE ;;
    esac
    licence=MIT
    licence_text=$(source_directory "$1")/$licence_text
    read -r _ version file sha256 url < <(pins "$1")
    read -r _ _ equal equal_sha256 _ level < <(pins "$1" | grep ' distribution ')
}

# Set patches, patches_sha256 and level to what the distribution puts on top of NAME; fails if that is nothing.
look_up_patches() { # NAME
    local pin

    pin=$(cached_pin "$1-patches") || return 1
    read -r _ _ patches patches_sha256 _ level <<<"$pin"
}

# One line a part, then the compiler. Neither quotes nor backslashes: they become a C string.
describe_parts() {
    local name patch

    for name in "${parts[@]}"; do
        look_up_part "$name"
        printf '%s %s, %s, SHA-256 %s' "$title" "$version" "$licence" "$sha256"
        if look_up_patches "$name"; then
            printf ', patches of Debian %s, SHA-256 %s' "$level" "$patches_sha256"
        else
            printf ', as Debian %s' "$level"
        fi
        for patch in vendor/"$name"/*.patch; do
            patch=${patch##*/}
            printf ', our patch %s' "${patch%.patch}"
        done
        echo
    done
    echo "compiled by $("$CC" --version | head -n 1)"
}

copy_licences() { # FOLDER
    local name

    for name in "${parts[@]}"; do
        look_up_part "$name"
        cp "$licence_text" "$1/LICENSE.$name"
    done
}

# ---------------------------------------------------------------- SPDX 2.3

checksum() { # ALGORITHM VALUE
    printf '{"algorithm": "%s", "checksumValue": "%s"}' "$1" "$2"
}

file_checksums() { # FILE
    printf '[%s, %s]' "$(checksum SHA1 "$(sha1sum <"$1" | cut -c -40)")" "$(checksum SHA256 "$(sha256sum <"$1" | cut -c -64)")"
}

write_sbom() { # BINARY
    local name patch packages=() files=() relations=()

    spdx_own_part "$1"
    for name in "${parts[@]}"; do
        look_up_part "$name"
        spdx_part
        if look_up_patches "$name"; then
            spdx_distribution_patches
        fi
        for patch in vendor/"$name"/*.patch; do
            spdx_patch
        done
    done
    ! uses_libgcc || spdx_libgcc
    cat <<END
{
  "spdxVersion": "SPDX-2.3",
  "dataLicense": "CC0-1.0",
  "SPDXID": "SPDXRef-DOCUMENT",
  "name": "lxd-integrator_$arch",
  "documentNamespace": "https://spdx.org/spdxdocs/lxd-integrator_$arch-$(sha256sum <"$1" | cut -c -64)",
  "creationInfo": {
    "created": "$(date --utc --date="@$(source_date)" +%Y-%m-%dT%H:%M:%SZ)",
    "creators": ["Tool: build.sh-$release"]
  },
  "packages": [$(join_items "${packages[@]}")
  ],
  "files": [$(join_items "${files[@]}")
  ],
  "relationships": [$(join_items "${relations[@]}")
  ]
}
END
}

join_items() { # ITEM...
    local separator=

    for item; do
        printf '%s\n    %s' "$separator" "$item"
        separator=,
    done
}

relate() { # ELEMENT TYPE ELEMENT
    relations+=("{\"spdxElementId\": \"SPDXRef-$1\", \"relationshipType\": \"$2\", \"relatedSpdxElement\": \"SPDXRef-$3\"}")
}

spdx_own_part() { # BINARY
    packages+=("{
      \"SPDXID\": \"SPDXRef-lxd-integrator\",
      \"name\": \"lxd-integrator\",
      \"versionInfo\": \"$(version)\",
      \"primaryPackagePurpose\": \"APPLICATION\",
      \"downloadLocation\": \"NOASSERTION\",
      \"filesAnalyzed\": false,
      \"licenseConcluded\": \"Apache-2.0\",
      \"licenseDeclared\": \"Apache-2.0\",
      \"copyrightText\": \"NOASSERTION\"
    }")
    files+=("{
      \"SPDXID\": \"SPDXRef-dispatch\",
      \"fileName\": \"./dispatch\",
      \"fileTypes\": [\"BINARY\"],
      \"checksums\": $(file_checksums "$1"),
      \"licenseConcluded\": \"Apache-2.0 AND MIT\",
      \"copyrightText\": \"NOASSERTION\"
    }")
    relate DOCUMENT DESCRIBES lxd-integrator
    relate lxd-integrator CONTAINS dispatch
}

spdx_part() {
    packages+=("{
      \"SPDXID\": \"SPDXRef-$name\",
      \"name\": \"$title\",
      \"versionInfo\": \"$version\",
      \"primaryPackagePurpose\": \"LIBRARY\",
      \"packageFileName\": \"$file\",
      \"downloadLocation\": \"$url\",
      \"checksums\": [$(checksum SHA256 "$sha256")],
      \"sourceInfo\": \"The same sources as in Debian's $equal of $level, SHA-256 $equal_sha256\",
      \"filesAnalyzed\": false,
      \"licenseConcluded\": \"$licence\",
      \"licenseDeclared\": \"$licence\",
      \"copyrightText\": \"$(grep -m 1 -o 'Copyright.*' "$licence_text")\"
    }")
    relate dispatch STATIC_LINK "$name"
}

spdx_distribution_patches() {
    packages+=("{
      \"SPDXID\": \"SPDXRef-$name-patches\",
      \"name\": \"Debian's patches of $title\",
      \"versionInfo\": \"$level\",
      \"primaryPackagePurpose\": \"ARCHIVE\",
      \"packageFileName\": \"$patches\",
      \"downloadLocation\": \"NOASSERTION\",
      \"checksums\": [$(checksum SHA256 "$patches_sha256")],
      \"filesAnalyzed\": false,
      \"licenseConcluded\": \"NOASSERTION\",
      \"licenseDeclared\": \"NOASSERTION\",
      \"copyrightText\": \"NOASSERTION\"
    }")
    relate "$name-patches" PATCH_APPLIED "$name"
}

spdx_patch() {
    local id=${patch#vendor/}

    id=${id//\//-}
    files+=("{
      \"SPDXID\": \"SPDXRef-$id\",
      \"fileName\": \"./$patch\",
      \"fileTypes\": [\"SOURCE\"],
      \"checksums\": $(file_checksums "$patch"),
      \"licenseConcluded\": \"$licence\",
      \"copyrightText\": \"NOASSERTION\"
    }")
    relate "$id" PATCH_APPLIED "$name"
}

# The compiler's own library has what the machine lacks, such as division on armhf. The linker's map tells.
uses_libgcc() {
    grep -q '/libgcc\.a(' "$out/map"
}

spdx_libgcc() {
    packages+=("{
      \"SPDXID\": \"SPDXRef-libgcc\",
      \"name\": \"libgcc\",
      \"versionInfo\": \"$("$CC" -dumpfullversion)\",
      \"primaryPackagePurpose\": \"LIBRARY\",
      \"downloadLocation\": \"NOASSERTION\",
      \"comment\": \"$("$CC" --version | head -n 1)\",
      \"filesAnalyzed\": false,
      \"licenseConcluded\": \"GPL-3.0-or-later WITH GCC-exception-3.1\",
      \"licenseDeclared\": \"GPL-3.0-or-later WITH GCC-exception-3.1\",
      \"copyrightText\": \"NOASSERTION\"
    }")
    relate dispatch STATIC_LINK libgcc
}
