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

build_bearssl() { # SOURCE
    compile_library bearssl "$1"/inc "$1"/src
    cp "$1"/inc/*.h "$libraries/include"
}

build_cjson() { # SOURCE
    compile_library cjson "$1" "$1"/cJSON.c
    cp "$1"/cJSON.h "$libraries/include"
}

# Archive the objects of all C files below PATH.
compile_library() { # NAME INCLUDE PATH
    local objects=$libraries/$1 flags=$PWD/$libraries/flags

    mkdir "$objects"
    printf '%q ' "${third_party_flags[@]}" -I"$PWD/$libraries/include" -I"$PWD/$2" -I"$PWD/$3" >"$flags"
    find "$PWD/$3" -name '*.c' -print0 | sort -z | (cd "$objects" && xargs -0 -P "$jobs" -n 8 "$CC" -w -c "@$flags") ||
        die "$1 does not compile"
    "$AR" rcsD "$libraries/lib/lib$1.a" "$objects"/*.o
    rm -rf "$objects" "$flags"
}
