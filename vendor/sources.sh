# SPDX-License-Identifier: Apache-2.0
# Brings third-party sources as vendor/pins has them. Read by build.sh, which provides cache, step and die.

# The pins of NAME: the project's, then the cache's own.
pins() { # NAME
    awk -v name="$1" '$1 == name' vendor/pins
    [ ! -e "$cache/pins" ] || awk -v name="$1" '$1 == name' "$cache/pins"
}

# The first pin of NAME whose archive is in the cache.
cached_pin() { # NAME
    local pin fields

    while read -r pin; do
        read -ra fields <<<"$pin"
        [ ! -e "$cache/${fields[2]}" ] || { echo "$pin"; return; }
    done < <(pins "$1")
    return 1
}

# Where the patched source of NAME is, once it was brought: other pins or patches give another folder.
source_directory() { # NAME
    local key

    key=$({ pins "$1"; cached_pin "$1-patches" || true; cat /dev/null vendor/"$1"/*.patch; } | sha256sum)
    echo "build/source/$1-${key:0:12}"
}

# Leave the source of NAME in its source_directory: the archive, the distribution's patches on it, and ours on those.
bring_source() { # NAME
    local directory patches= patch

    if [ -n "$(pins "$1-patches")" ]; then
        find_archive "$1-patches"
        patches=$source_archive
    fi
    directory=$(source_directory "$1")
    [ ! -d "$directory" ] || return 0
    find_archive "$1"
    rm -rf "$directory.part"
    unpack "$source_archive" "$directory.part"
    if [ -n "$patches" ]; then
        unpack "$patches" "$directory.part/debian"
        while read -r patch; do
            apply_patch "$directory.part" "$directory.part/debian/patches/$patch"
        done < <(sed 's/[[:space:]]*#.*//; /^$/d' "$directory.part/debian/patches/series")
    fi
    for patch in vendor/"$1"/*.patch; do
        apply_patch "$directory.part" "$patch"
    done
    mv "$directory.part" "$directory"
}

unpack() { # ARCHIVE DIRECTORY
    mkdir -p "$2"
    tar -xf "$1" -C "$2" --strip-components=1 --no-same-owner
}

apply_patch() { # DIRECTORY PATCH
    patch --quiet --strip=1 --directory="$1" <"$2" || die "$2 does not apply"
}

# Set source_archive to a checked archive of NAME in the cache, fetching it where there is none.
find_archive() { # NAME
    local pin version file sha256 from level

    if pin=$(cached_pin "$1"); then
        read -r _ version file sha256 from level <<<"$pin"
        source_archive=$cache/$file
        check_archive "$source_archive" "$sha256"
        grep -qxF "$pin" "$cache/pins" 2>/dev/null &&
            step "note: $file is newer than what vendor/pins has; apt vouched for it when it was fetched"
        return 0
    fi
    mkdir -p "$cache"
    while read -r _ version file sha256 from level; do
        source_archive=$cache/$file
        if [ "$from" = distribution ]; then
            fetch_from_distribution "${1%-patches}" "$version" "$file" "$level" || continue
        else
            fetch_from_upstream "$from" || continue
        fi
        check_archive "$source_archive.part" "$sha256"
        mv "$source_archive.part" "$source_archive"
        return
    done < <(pins "$1")
    if [[ $1 = *-patches ]] && adopt_newer_patches "$1"; then
        return
    fi
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
        --output "$source_archive.part" "$1" || { step "  not to be had there"; return 1; }
}

# The archive of a VERSION comes with all its levels, a level's patches with that level only.
fetch_from_distribution() { # PACKAGE VERSION FILE LEVEL
    local newest

    step "fetching $3 from the distribution"
    refresh_source_lists
    newest=$(newest_level "$1" "$2")
    [ -n "$newest" ] || { step "  the distribution has no $1 $2"; return 1; }
    [ "$newest" = "$4" ] || step "  note: the distribution is at $1 $newest, vendor/pins at $4: see whether it has a new patch"
    download_level "$1" "$4" || download_level "$1" "$newest"
    # A copy: of a mirror on this machine apt gives a symbolic link.
    cp "build/apt/$1/$3" "$source_archive.part" 2>/dev/null || { step "  download failed"; return 1; }
}

# Take the patches that the distribution has in the place of those which are pinned, and pin them in the cache. Sets source_archive.
adopt_newer_patches() { # NAME
    local package=${1%-patches} version newest files

    refresh_source_lists
    read -r _ version _ < <(pins "$1")
    newest=$(newest_level "$package" "$version")
    [ -n "$newest" ] && download_level "$package" "$newest" || return 1
    files=("build/apt/$package/${package}_${newest#*:}".debian.tar.*)
    [ ${#files[@]} = 1 ] || return 1
    source_archive=$cache/${files[0]##*/}
    cp "${files[0]}" "$source_archive"
    echo "$1 $version ${source_archive##*/} $(sha256sum <"$source_archive" | cut -c -64) distribution $newest" >>"$cache/pins"
    step "note: the distribution replaced the patches of $package in vendor/pins by $newest: this build takes these"
}

# ---------------------------------------------------------------- the distribution

newest_level() { # PACKAGE VERSION
    # Lines such as "Version: 1.7.15-1+deb12u4" for every suite.
    apt-cache "${apt_options[@]}" showsrc --only-source "$1" 2>/dev/null |
        awk -v version="$2" '$1 == "Version:" && ($2 == version || index($2, version "-") == 1 || index($2, version "+") == 1) { print $2 }' |
        sort -uV | tail -n 1
}

# Apt downloads only what it can authenticate.
download_level() { # PACKAGE LEVEL
    mkdir -p "build/apt/$1"
    (cd "build/apt/$1" && apt-get "${apt_options[@]}" source --download-only --only-source "$1=$2") >/dev/null 2>&1
}

# Package lists of the distribution's sources, beside the machine's own.
refresh_source_lists() {
    local apt=$PWD/build/apt

    [ -z "${apt_options+set}" ] || return 0
    apt_options=(-qq -o Dir::Etc::SourceList=/dev/null -o "Dir::Etc::SourceParts=$apt/sources" -o "Dir::State::Lists=$apt/lists"
        -o "Dir::Cache=$apt/cache" -o APT::Sandbox::User=root -o Acquire::Retries=1 -o Acquire::http::Timeout=15 -o Acquire::https::Timeout=15)
    rm -rf "$apt"
    mkdir -p "$apt/sources" "$apt/lists/partial" "$apt/cache/archives/partial"
    configure_sources "$apt/sources"
    # A source without source packages fails here; what the others gave is used all the same.
    apt-get "${apt_options[@]}" update >/dev/null 2>&1 || true
}

# The machine's own configuration, in both formats, asking for source packages.
configure_sources() { # FOLDER
    local file

    for file in /etc/apt/sources.list /etc/apt/sources.list.d/*.list; do
        [ ! -r "$file" ] || sed -n 's/^[[:space:]]*deb[[:space:]]/deb-src /p' "$file" >"$1/${file##*/}.list"
    done
    for file in /etc/apt/sources.list.d/*.sources; do
        [ ! -r "$file" ] || sed 's/^Types:.*/Types: deb-src/I' "$file" >"$1/${file##*/}"
    done
}
