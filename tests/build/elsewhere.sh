# SPDX-License-Identifier: Apache-2.0
# On a fresh machine of the other Debian release that is promised: Debian 13 on 12, and 12 on 13 or anything else. Read by
# build.sh.

suite_elsewhere() { # [--all]
    local work=$root/build/elsewhere other=trixie problem= status=0

    [ "$(own_release)" != trixie ] || other=bookworm
    [ "$(id -u)" = 0 ] || { tests/skip elsewhere "only root can make a root directory"; return; }
    need_packages debootstrap util-linux
    unshare --mount --pid --fork true 2>/dev/null || { tests/skip elsewhere "no mount and PID namespaces here"; return; }
    trap 'rm -rf --one-file-system "$root/build/elsewhere/root"' EXIT
    make_root "$other" "$work/root" || { tests/skip elsewhere "$problem"; return; }
    furnish_root "$other" "$work/root"
    unlock_tree
    rm -rf "$work/log"
    mkdir -p "$work/log" "$work/root/log" "$cache/packages-$other/partial"
    unshare --mount --pid --fork --kill-child --propagation private tests/build/elsewhere/enter "$work/root" \
        "$work/log" /log "$cache/packages-$other" /var/cache/apt/archives \
        -- /lxd-integrator/tests/build/elsewhere/inside "$other" "$@" || status=$?
    [ "$status" != 77 ] || { tests/skip elsewhere "Debian's $other has no mirror that answers"; status=0; }
    return "$status"
}

# What a machine has beside its packages: this tree, names, the way to the mirror. No archive and no result of this machine's.
furnish_root() { # RELEASE FOLDER
    mkdir -p "$2/lxd-integrator"
    copy_tree "$2/lxd-integrator"
    cp /etc/resolv.conf /etc/hosts "$2/etc"
    apt-config dump | grep '^Acquire::.*Proxy' >"$2/etc/apt/apt.conf.d/90proxy" || true
    # Nothing is started when it is installed.
    printf '#!/bin/sh\nexit 101\n' >"$2/usr/sbin/policy-rc.d"
    chmod 0755 "$2/usr/sbin/policy-rc.d"
}
