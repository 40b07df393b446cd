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

# As "podman build -f Dockerfile.build" does, but on a base that is made here from this machine's package sources: with the
# same compiler the bytes must be the same.
verb_container() {
    local work=$root/build/container target

    need_packages buildah debootstrap
    [ "$(id -u)" = 0 ] || die "container: debootstrap needs root"
    for target in "${targets[@]}"; do
        choose_target "$target"
        verb_charm
    done
    rm -rf "$work"
    mkdir -p "$work"
    buildah=(buildah --root "$work/storage" --runroot "$work/run" --storage-driver vfs)
    make_container_base "$work/base"
    step "building ${targets[*]} in a container"
    [ ${#targets[@]} = 1 ] || target=all
    "${buildah[@]}" build --isolation chroot --network host --build-arg BASE=localhost/base --build-arg ARCH="$target" \
        --file Dockerfile.build --output "$work/output" . >"$work/log" 2>&1 || die "Dockerfile.build fails: see $work/log"
    "${buildah[@]}" rmi --all --force >"$work/log" 2>&1
    rm -rf "$work/storage" "$work/run"
    for target in "${targets[@]}"; do
        compare_with "$work/output" "lxd-integrator_$target.charm"
    done
}

make_container_base() { # FOLDER
    local codename sources container

    codename=$(. /etc/os-release && echo "$VERSION_CODENAME")
    sources=$(apt-get indextargets --format 'deb $(REPO_URI) $(RELEASE) $(COMPONENT)' 'Created-By: Packages' 'Origin: Debian' | sort -u)
    step "making a base of Debian's $codename"
    debootstrap --variant=minbase "$codename" "$1" "$(awk -v release="$codename" '$3 == release { print $2; exit }' <<<"$sources")" \
        >"$1.log" 2>&1 || die "debootstrap fails: see $1.log"
    echo "$sources" >"$1/etc/apt/sources.list"
    container=$("${buildah[@]}" from scratch)
    "${buildah[@]}" add --quiet "$container" "$1" / >"$1.log"
    "${buildah[@]}" commit --quiet --rm "$container" localhost/base >"$1.log"
    rm -rf "$1"
}
