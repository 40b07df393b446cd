# SPDX-License-Identifier: Apache-2.0
# Root directories of Debian releases, made with debootstrap from this machine's own mirror. Read by build.sh.

own_release() {
    (. /etc/os-release && echo "${VERSION_CODENAME:-unknown}")
}

# The package sources of Debian's RELEASE: this machine's, with the release's name in the place of its own. None where
# this machine is no Debian, or has no package lists.
debian_sources() { # RELEASE
    apt-get indextargets --format 'deb $(REPO_URI) $(RELEASE) $(COMPONENT)' 'Created-By: Packages' 'Origin: Debian' 2>/dev/null |
        sort -u | sed "s/ $(own_release)\b/ $1/"
}

# Leave a minimal system of Debian's RELEASE in FOLDER, as it is before anything is installed; set problem where that cannot
# be. The cache keeps it.
make_root() { # RELEASE FOLDER
    local kept=$cache/root-$1-$host.tar sources mirror

    rm -rf --one-file-system "$2"
    mkdir -p "$2" "$cache"
    if [ ! -e "$kept" ]; then
        sources=$(debian_sources "$1")
        mirror=$(awk -v release="$1" '$3 == release { print $2; exit }' <<<"$sources")
        [ -n "$mirror" ] || { problem="apt knows no mirror of Debian here"; return 1; }
        step "making a root of Debian's $1 from $mirror"
        debootstrap --variant=minbase "$1" "$2" "$mirror" >"$2.log" 2>&1 || { problem="debootstrap fails: see $2.log"; return 1; }
        echo "$sources" >"$2/etc/apt/sources.list"
        tar -cf "$kept.part" --one-file-system -C "$2" .
        mv "$kept.part" "$kept"
        return
    fi
    tar -xpf "$kept" -C "$2"
}
