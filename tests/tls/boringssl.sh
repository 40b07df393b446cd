# SPDX-License-Identifier: Apache-2.0
# What BoGo and Wycheproof have in common: BoringSSL's source has both, if not the newest vectors. Read by bogo/run and
# wycheproof/run.

step() { printf '  %s\n' "$*" >&2; }
die() { printf '%s: %s\n' "$0" "$*" >&2; exit 1; }

cache=$(realpath -m "${LXD_INTEGRATOR_CACHE:-build/cache}")

. vendor/sources.sh

# In the place of vendor/pins: these are for tests only. The newest that Debian has in any suite, whichever this machine has.
pins() {
    cat <<'END' | awk -v name="$1" '$1 == name'
android-platform-external-boringssl 14.0.0+r45 android-platform-external-boringssl_14.0.0+r45.orig.tar.xz f9223e8c15ad5d9e3f1cd50861f4c272658864661e2332bea5d60952aa0930cd pool/main/a/android-platform-external-boringssl
wycheproof 0.0~git20260625.ee7b4f7 wycheproof_0.0~git20260625.ee7b4f7.orig.tar.gz ad2ec605fc92601112de2fd1bc91b658a83a8a59421c5589773877285c37e74b pool/main/w/wycheproof
END
}

fetch_from_upstream() { # FOLDER, of the pool on a mirror that this machine's apt knows; the SHA-256 says whether it is the one
    local mirror

    for mirror in $(apt-get indextargets --format '$(REPO_URI)' | sort -u); do
        step "fetching ${source_archive##*/} from $mirror"
        curl --fail --silent --location --connect-timeout 5 --speed-limit 1024 --speed-time 15 \
            --output "$source_archive.part" "${mirror%/}/$1/${source_archive##*/}" && return
    done
    return 1
}

bring_boringssl() {
    bring_source android-platform-external-boringssl
    boringssl=$PWD/$(source_directory android-platform-external-boringssl)/src
}
