# SPDX-License-Identifier: Apache-2.0
# Brings third-party sources as vendor/pins has them. Read by build.sh, which provides cache, step and die.

pins() { # NAME
    awk -v name="$1" '$1 == name' vendor/pins
}

# Where the patched source of NAME is, or will be: another pin or patch gives another folder.
source_directory() { # NAME
    local key

    key=$({ pins "$1"; cat /dev/null vendor/"$1"/*.patch; } | sha256sum)
    echo "build/source/$1-${key:0:12}"
}

# Leave the patched source of NAME in its source_directory.
bring_source() { # NAME
    local directory patch

    directory=$(source_directory "$1")
    [ ! -d "$directory" ] || return 0
    find_archive "$1"
    rm -rf "$directory.part"
    mkdir -p "$directory.part"
    tar -xf "$archive" -C "$directory.part" --strip-components=1 --no-same-owner
    for patch in vendor/"$1"/*.patch; do
        patch --quiet --strip=1 --directory="$directory.part" <"$patch" || die "$patch does not apply to $archive"
    done
    mv "$directory.part" "$directory"
}

# Set archive to a checked archive of NAME in the cache, fetching it where there is none.
find_archive() { # NAME
    local version file sha256 from level

    while read -r _ version file sha256 from level; do
        archive=$cache/$file
        if [ -e "$archive" ]; then
            check_archive "$archive" "$sha256"
            return
        fi
    done < <(pins "$1")

    mkdir -p "$cache"
    while read -r _ version file sha256 from level; do
        archive=$cache/$file
        if [ "$from" = distribution ]; then
            fetch_from_distribution "$1" "$version" "$file" "$level" || continue
        else
            fetch_from_upstream "$from" || continue
        fi
        check_archive "$archive.part" "$sha256"
        mv "$archive.part" "$archive"
        return
    done < <(pins "$1")
    die "no source of $1: put $(pins "$1" | awk '{ printf "%s%s", or, $3; or = " or " }') into $cache"
}

check_archive() { # FILE SHA256
    local got

    got=$(sha256sum <"$1")
    got=${got%% *}
    [ "$got" = "$2" ] || die "$1 has the wrong SHA-256: expected $2, got $got"
}

fetch_from_upstream() { # URL
    step "fetching $1"
    curl --fail --silent --location --connect-timeout 5 --speed-limit 1024 --speed-time 15 \
        --output "$archive.part" "$1" || { step "  not to be had there"; return 1; }
}

fetch_from_distribution() { # NAME VERSION FILE LEVEL
    local newest folder=$PWD/build/apt/$1

    step "fetching $3 from the distribution"
    refresh_source_lists
    # Lines such as "Version: 1.7.15-1+deb12u4" for every suite; the newest of our upstream version.
    newest=$(apt-cache "${apt_options[@]}" showsrc --only-source "$1" 2>/dev/null |
        awk -v version="$2" '$1 == "Version:" && ($2 == version || index($2, version "-") == 1 || index($2, version "+") == 1) { print $2 }' |
        sort -uV | tail -n 1)
    [ -n "$newest" ] || { step "  the distribution has no $1 $2"; return 1; }
    [ "$newest" = "$4" ] || step "  note: the distribution is at $1 $newest, vendor/$1 at $4: see whether it has a new patch"
    mkdir -p "$folder"
    (cd "$folder" && apt-get "${apt_options[@]}" source --download-only --only-source "$1=$newest") >/dev/null 2>&1 &&
        mv "$folder/$3" "$archive.part" || { step "  download failed"; return 1; }
}

# Package lists of the distribution's sources, from the machine's own configuration (both formats), without touching it.
refresh_source_lists() {
    local apt=$PWD/build/apt file

    [ -z "${apt_options+set}" ] || return 0
    apt_options=(-qq -o Dir::Etc::SourceList=/dev/null -o "Dir::Etc::SourceParts=$apt/sources" -o "Dir::State::Lists=$apt/lists"
        -o "Dir::Cache=$apt/cache" -o APT::Sandbox::User=root -o Acquire::Retries=1 -o Acquire::http::Timeout=15 -o Acquire::https::Timeout=15)
    rm -rf "$apt"
    mkdir -p "$apt/sources" "$apt/lists/partial" "$apt/cache/archives/partial"
    for file in /etc/apt/sources.list /etc/apt/sources.list.d/*.list; do
        [ ! -r "$file" ] || sed -n 's/^[[:space:]]*deb[[:space:]]/deb-src /p' "$file" >"$apt/sources/${file##*/}.list"
    done
    for file in /etc/apt/sources.list.d/*.sources; do
        [ ! -r "$file" ] || sed 's/^Types:.*/Types: deb-src/I' "$file" >"$apt/sources/${file##*/}"
    done
    # A source without source packages fails here; what the others gave is used all the same.
    apt-get "${apt_options[@]}" update >/dev/null 2>&1 || true
}
