# SPDX-License-Identifier: Apache-2.0
# Builds the third-party libraries, each once for a compiler, a set of flags and a source. Read by build.sh.

# Set libraries to the folder with lib/ and include/ of NAME... as built by CC with third_party_flags.
build_libraries() { # FOLDER NAME...
    local folder=$1 name key final

    shift
    for name; do
        bring_source "$name"
    done
    key=$({
        "$CC" --version
        echo "$CC ${third_party_flags[*]}"
        for name; do source_directory "$name"; done
        cat vendor/libraries.sh
    } | sha256sum)
    final=build/third-party/$folder-${key:0:12}
    libraries=$final
    [ ! -d "$final" ] || return 0
    libraries=$final.part
    rm -rf "$libraries"
    mkdir -p "$libraries/include" "$libraries/lib"
    for name; do
        step "building $name for $folder"
        "build_$name" "$(source_directory "$name")"
    done
    mv "$libraries" "$final"
    libraries=$final
}

build_musl() { # SOURCE
    local work=$libraries/musl

    mkdir "$work"
    (
        cd "$work"
        "../../../../$1/configure" --target="$triplet" --prefix= --disable-shared --disable-wrapper \
            CC="$CC" AR="$AR" RANLIB="$RANLIB" CFLAGS="-Os -fPIE -fstack-protector-strong ${machine_flags[*]}" >log 2>&1 &&
            make -j "$jobs" install DESTDIR=.. >>log 2>&1
    ) || die "musl does not build: see $work/log"
    rm -rf "$work"
}

# Where a handshake with P-384 spends its time. Optimised for speed they are 156 bytes larger on amd64, and a sixth of that
# time is saved: see tests/bench/README.md.
hot_bearssl=(codec/ccopy int/i31_{add,montmul,sub})

build_bearssl() { # SOURCE
    compile_library bearssl "$1"/inc "$1"/src "${hot_bearssl[@]}"
    cp "$1"/inc/*.h "$libraries/include"
}

build_cjson() { # SOURCE
    compile_library cjson "$1" "$1"/cJSON.c
    cp "$1"/cJSON.h "$libraries/include"
}

# Archive the objects of all C files below PATH, those of HOT (without .c) optimised for speed where others are for size.
compile_library() { # NAME INCLUDE PATH [HOT...]
    local objects=$libraries/$1 flags=$PWD/$libraries/flags hot

    mkdir "$objects"
    printf '%q ' "${third_party_flags[@]}" -I"$PWD/$libraries/include" -I"$PWD/$2" -I"$PWD/$3" >"$flags"
    find "$PWD/$3" -name '*.c' -print0 | sort -z | (cd "$objects" && xargs -0 -P "$jobs" -n 8 "$CC" -w -c "@$flags") ||
        die "$1 does not compile"
    for hot in "${@:4}"; do
        [[ " ${third_party_flags[*]} " != *" -Os "* ]] ||
            (cd "$objects" && "$CC" -w "@$flags" -O2 -c "$root/$3/$hot.c") || die "$1 does not compile"
    done
    "$AR" rcsD "$libraries/lib/lib$1.a" "$objects"/*.o
    rm -rf "$objects" "$flags"
}
