# SPDX-License-Identifier: Apache-2.0
# The same bytes elsewhere: the verbs reproduce and container. Read by build.sh.

# ---------------------------------------------------------------- another build on this machine

# Build again in another folder, later, by another user with another umask and environment, from a bundle and without
# a network; and compare. What is not possible here is said and left out.
verb_reproduce() {
    local copy

    need_packages faketime
    verb_charm
    copy=$(mktemp -d "${TMPDIR:-/tmp}/lxd-integrator-reproduce-XXXXXX")
    trap 'rm -rf "$copy"' EXIT
    copy_tree "$copy"
    write_bundle "$copy/bundle.tar"
    tar -xf "$copy/bundle.tar" -C "$copy"
    find "$copy" -exec touch --no-dereference --date=2001-02-03 {} +
    touch --reference=build.sh "$copy/build.sh" # whose date is the charm's in a tree from an archive
    step "building $arch in $copy"
    in_other_circumstances "$copy" ./build.sh --arch "$arch" --bases "$bases" ||
        die "$arch cannot be built in other circumstances"
    compare_with "$copy/build" "$arch/lxd-integrator" "lxd-integrator_$arch.charm"
    rm -rf "$copy"
    trap - EXIT
}

copy_tree() { # DIRECTORY
    tar -c --exclude=./build . | tar -x -C "$1"
}

in_other_circumstances() { # DIRECTORY COMMAND...
    local circumstances=(env -i "PATH=$PATH" HOME=/nonexistent TZ=Asia/Tokyo LANG=tr_TR.UTF-8 NO_FAKE_STAT=1 faketime "+400 days")
    if [ "$(id -u)" = 0 ]; then
        chown -R 65534:65534 "$1"
        circumstances=(setpriv --reuid=65534 --regid=65534 --clear-groups "${circumstances[@]}")
    else
        tests/skip "a build by another user" "only root can do that"
    fi
    if unshare --net true 2>/dev/null; then
        circumstances=(unshare --net "${circumstances[@]}")
    elif unshare --user --map-current-user --net true 2>/dev/null; then
        circumstances=(unshare --user --map-current-user --net "${circumstances[@]}")
    else
        tests/skip "a build without network" "this machine permits no network namespace"
    fi
    (cd "$1" && umask 077 && "${circumstances[@]}" "${@:2}")
}

compare_with() { # BUILD FILE...
    local file

    for file in "${@:2}"; do
        cmp "build/$file" "$1/$file" || die "build/$file is not reproducible"
        echo "identical: $(sha256sum "build/$file")"
    done
}

# ---------------------------------------------------------------- a build in a container

# The Debian release that the published charms are built in, wherever that is.
published_release() {
    sed -n 's/^ARG BASE=debian://p' Dockerfile.build
}

# As "podman build -f Dockerfile.build" does, but on a base that is made here from this machine's package sources. On the same
# release the bytes must be those that are built without a container; another one has another compiler.
verb_container() {
    local work=$root/build/container base target problem=

    [ "$(id -u)" = 0 ] || die "container: debootstrap needs root"
    need_packages buildah debootstrap
    base=$(published_release)
    rm -rf "$work"
    mkdir -p "$work"
    buildah=(buildah --root "$work/storage" --runroot "$work/run" --storage-driver vfs)
    make_container_base "$base" "$work/base"
    step "building ${targets[*]} in a container of Debian's $base"
    target=${targets[0]}
    [ ${#targets[@]} = 1 ] || target=all
    "${buildah[@]}" build --isolation chroot --network host --build-arg BASE=localhost/base --build-arg ARCH="$target" \
        --file Dockerfile.build --output "$work/output" . >"$work/log" 2>&1 || die "Dockerfile.build fails: see $work/log"
    "${buildah[@]}" rmi --all --force >"$work/log" 2>&1
    rm -rf "$work/storage" "$work/run"
    for target in "${targets[@]}"; do
        if [ "$(own_release)" = "$base" ]; then
            choose_target "$target"
            verb_charm
            compare_with "$work/output" "lxd-integrator_$target.charm"
        else
            echo "of Debian's $base, so not compared: $(sha256sum "build/container/output/lxd-integrator_$target.charm")"
        fi
    done
}

make_container_base() { # RELEASE FOLDER
    local container

    make_root "$1" "$2" || die "container: $problem"
    container=$("${buildah[@]}" from scratch)
    "${buildah[@]}" add --quiet "$container" "$2" / >"$2.log"
    "${buildah[@]}" commit --quiet --rm "$container" localhost/base >"$2.log"
    rm -rf "$2"
}
