# SPDX-License-Identifier: Apache-2.0
# Brings third-party sources as vendor/pins has them. Read by build.sh, which provides cache, step and die.

pins() { # NAME
    awk -v name="$1" '$1 == name' vendor/pins
}

# The pin of NAME that is taken: the first whose archive is in the cache.
taken_pin() { # NAME
    local pin fields

    while read -r pin; do
        read -ra fields <<<"$pin"
        [ ! -e "$cache/${fields[2]}" ] || { echo "$pin"; return; }
    done < <(pins "$1")
    return 1
}

# Set patches to those of NAME as it is taken: what its version lacks, then ours.
find_patches() { # NAME
    local version

    patches=()
    read -r _ version _ < <(taken_pin "$1") || return 0
    patches=(vendor/"$1"/"$version"/*.patch vendor/"$1"/*.patch)
}

# Where the patched source of NAME is, once it was brought: another archive or other patches give another folder.
source_directory() { # NAME
    local key patches

    find_patches "$1"
    key=$({ taken_pin "$1" || true; cat /dev/null "${patches[@]}"; } | sha256sum)
    echo "build/source/$1-${key:0:12}"
}

# Leave the source of NAME, with our patches, in its source_directory.
bring_source() { # NAME
    local directory patch patches

    directory=$(source_directory "$1")
    if [ -d "$directory" ]; then
        tell_older "$1"
        return
    fi
    find_archive "$1"
    directory=$(source_directory "$1")
    rm -rf "$directory.part"
    mkdir -p "$directory.part"
    tar -xf "$source_archive" -C "$directory.part" --strip-components=1 --no-same-owner
    find_patches "$1"
    for patch in "${patches[@]}"; do
        patch --quiet --strip=1 --fuzz=0 --directory="$directory.part" <"$patch" || die "$patch does not apply"
    done
    mv "$directory.part" "$directory"
}

# Set source_archive to a checked archive of NAME in the cache, fetching it where there is none.
find_archive() { # NAME
    local pin file sha256 from

    if pin=$(taken_pin "$1"); then
        read -r _ _ file sha256 _ <<<"$pin"
        source_archive=$cache/$file
        is_archive "$source_archive" "$sha256" || die "$wrong; remove it"
        tell_older "$1"
        return
    fi
    mkdir -p "$cache"
    while read -r _ _ file sha256 from; do
        source_archive=$cache/$file
        fetch "$from" "$sha256" "$source_archive.part" || continue
        mv "$source_archive.part" "$source_archive"
        tell_older "$1"
        return
    done < <(pins "$1")
    die "no source of $1: put $(pins "$1" | awk '!seen[$3]++ { printf "%s%s (SHA-256 %s)", or, $3, $4; or = " or " }') into $cache"
}

# Say so where an older version of NAME is taken than the first of its pins.
tell_older() { # NAME
    local newest version file

    read -r _ newest _ < <(pins "$1")
    read -r _ version file _ < <(taken_pin "$1")
    [ "$version" = "$newest" ] ||
        step "note: this build takes $1 $version, for $newest was not to be had; to try again, remove $cache/$file"
}

is_archive() { # FILE SHA256; sets wrong to what is wrong with it
    local got

    got=$(sha256sum <"$1")
    wrong="$1 has the wrong SHA-256: expected $2, got ${got%% *}"
    [ "${got%% *}" = "$2" ]
}

# ---------------------------------------------------------------- from the network

fetch() { # FROM SHA256 FILE
    local mirror address addresses=("$1")

    if [[ $1 = pool/* ]]; then
        mapfile -t addresses < <(in_mirrors "$1")
    fi
    for address in "${addresses[@]}"; do
        step "fetching $address"
        rm -f "$3"
        if [[ $1 = pool/* ]]; then
            fetch_with_apt "$address" "$2" "$3"
        else
            curl --fail --silent --location --connect-timeout 5 --speed-limit 1024 --speed-time 15 --output "$3" "$address"
        fi || { step "  not to be had there"; continue; }
        is_archive "$3" "$2" && return
        step "  $wrong"
        rm -f "$3"
    done
    return 1
}

# With apt's proxies, certificates and ways to mirrors; it takes nothing that has another SHA-256.
fetch_with_apt() { # ADDRESS SHA256 FILE
    /usr/lib/apt/apt-helper -qq -o Acquire::Retries=1 -o Acquire::http::Timeout=15 -o Acquire::https::Timeout=15 \
        download-file "$1" "$3.apt" "SHA256:$2" </dev/null >/dev/null 2>&1 || return 1
    # A copy: of a mirror on this machine apt gives a symbolic link.
    cp "$3.apt" "$3"
    rm -f "$3.apt"
}

# The addresses of a file at the mirrors of this machine's apt. What is in Debian's main is in Ubuntu's universe.
in_mirrors() { # PATH
    local mirror id=

    id=$(. /etc/os-release && echo "${ID:-} ${ID_LIKE:-}") 2>/dev/null || true
    for mirror in $(mirrors); do
        case $id in
        *ubuntu*) echo "$mirror/${1/#pool\/main/pool/universe}" ;;
        *) echo "$mirror/$1" ;;
        esac
    done
}

# As apt would update its lists from them, whether it has or not.
mirrors() {
    apt-get -o Debug::NoLocking=1 --print-uris update 2>/dev/null | sed -n "s,^'\(.*\)/dists/.*,\1,p" | awk '!seen[$0]++'
}
