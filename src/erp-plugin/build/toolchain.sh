#!/bin/sh
# Makes sure that wasm32-wasip2 can be built. `install.sh` and `erp-plugin doctor --fix` run this very
# file. In this order: a toolchain that can do it already is used; `rustup target add`; and where
# rustup cannot download, on Debian and its children, a toolchain put together from Debian's packages and
# linked into rustup. The last way needs no root and leaves apt's own set-up, the installed packages
# and the other toolchains alone. It can be interrupted at any point and run again.
#
#   ERP_PLUGIN_TOOLCHAIN_DIR    the toolchain's folder (its neighbours <dir>.work, <dir>.lock are ours too)
#   ERP_PLUGIN_TOOLCHAIN_NAME   the name under which rustup knows it
#   ERP_PLUGIN_TOOLCHAIN_JOBS   cores for the one build of std
#   ERP_PLUGIN_TOOLCHAIN_WASI_SUITES  where to look for wasi-libc, in this order (trixie-backports has thread stubs)
#   ERP_PLUGIN_TOOLCHAIN_KEEP   1: keep the downloaded packages in <dir>.work/debs
#   ERP_PLUGIN_TOOLCHAIN_FROM   debian: go the last way at once
set -eu
umask 022
# rustup installs a missing toolchain unasked, even to answer a question. Never from here.
export RUSTUP_AUTO_INSTALL=0

target=wasm32-wasip2
folder=${ERP_PLUGIN_TOOLCHAIN_DIR:-${XDG_DATA_HOME:-$HOME/.local/share}/erp-plugin/toolchain}
name=${ERP_PLUGIN_TOOLCHAIN_NAME:-erp-plugin-wasm}
jobs=${ERP_PLUGIN_TOOLCHAIN_JOBS:-$(nproc 2>/dev/null || echo 1)}

say() { printf 'toolchain: %s\n' "$*" >&2; }
die() { printf 'toolchain: error: %s\n' "$1" >&2; shift; for hint; do printf '  %s\n' "$hint" >&2; done; exit 1; }
megabytes() { du -sm "$1" 2>/dev/null | cut -f1; }
seconds() { date +%s; }

main() {
    case $folder in /*) ;; *) folder=$PWD/$folder ;; esac
    rustup_home=${RUSTUP_HOME:-$HOME/.rustup}
    work=$folder.work       # downloads and apt's private state: survive an interruption
    debs=$work/debs
    # Fixed, on the toolchain's own filesystem. Fixed because crate ids depend on it: built anew under
    # the same path, std gets the same ids, and Cargo's old artifacts stay good (else E0460).
    staging=$folder.staging

    command -v rustup >/dev/null 2>&1 ||
        die "rustup is not on the PATH" "Install it, then run this again; without rustup nothing can be linked."
    if [ "${ERP_PLUGIN_TOOLCHAIN_FROM:-}" != debian ] && [ ! -e "$folder/.complete" ]; then
        if has_target; then
            say "the active toolchain builds for $target already"
            return
        fi
        say "asking rustup for $target"
        answer=$(RUST_BACKTRACE=0 timeout 120 rustup target add "$target" 2>&1) || answer="failed: $answer"
        if has_target; then
            say "done: rustup has added $target"
            return
        fi
        say "rustup cannot add it ($(printf '%s\n' "$answer" | sed -n 's/.*error: //p' | head -n 1)); taking Debian's packages instead"
    fi

    require_tools
    mkdir -p "$(dirname "$folder")"
    take_lock
    find_rustup_host

    if [ -e "$folder/.complete" ]; then
        say "$folder is complete: $(cat "$folder/.complete")"
        borrow "$folder"
    else
        make_work_folder
        choose_packages
        download_packages
        unpack
        build_std
        drop_needless
        check_build staged
        publish
    fi
    link
    check_build linked
    tidy
    say "done: cargo +$name build --release --target $target"
}

# ---------------------------------------------------------------------------------- what is there

# The active toolchain holds a std for the target, and the linker that makes components.
has_target() {
    ls "$(rustc --print target-libdir --target "$target" 2>/dev/null)"/libstd-*.rlib >/dev/null 2>&1
}

require_tools() {
    for tool in apt-get apt-cache apt-config dpkg dpkg-deb dpkg-query; do
        command -v "$tool" >/dev/null 2>&1 ||
            die "$tool is missing: this way needs Debian's packages" \
                "Elsewhere use: rustup target add $target"
    done
    [ -r /etc/os-release ] || die "/etc/os-release is missing: which Debian is this?"
    codename=$(. /etc/os-release && printf %s "${VERSION_CODENAME:-}")
    distribution=$(. /etc/os-release && printf %s "${ID:-}")
    family=$(. /etc/os-release && printf %s "${ID_LIKE:-}")
    case " $distribution $family " in *" debian "*) ;; *) codename= ;; esac
    [ -n "$codename" ] ||
        die "this way needs Debian's own packages; here is '$distribution'" "Use: rustup target add $target"
    wasi_suites=${ERP_PLUGIN_TOOLCHAIN_WASI_SUITES:-"trixie-backports $codename-backports trixie sid"}
    architecture=$(dpkg --print-architecture)
    case $architecture in
        amd64) host=x86_64-unknown-linux-gnu ;;
        arm64) host=aarch64-unknown-linux-gnu ;;
        *) die "architecture $architecture is not provided for (amd64 and arm64 are)" ;;
    esac
    command -v cc >/dev/null 2>&1 ||
        say "warning: no C compiler ('cc'): crates with build scripts or procedural macros will not build (apt install gcc libc6-dev)"
}

take_lock() {
    exec 9>"$folder.lock"
    if command -v flock >/dev/null 2>&1; then
        flock -n 9 || die "another run is at work on $folder"
    fi
}

# A rustup toolchain gives cargo and the linkers. Asked from / and with a clean environment, so that
# neither a rust-toolchain.toml nor RUSTUP_TOOLCHAIN answers in its place.
find_rustup_host() {
    borrowed=
    for candidate in stable "" $(cd / && rustup toolchain list 2>/dev/null | sed 's/ .*//'); do
        [ "$candidate" != "$name" ] || continue
        rustc=$(cd / && unset RUSTUP_TOOLCHAIN && \
            rustup which ${candidate:+--toolchain "$candidate"} rustc 2>/dev/null) || continue
        root=${rustc%/bin/rustc}
        if [ -x "$root/bin/cargo" ] &&
           [ -x "$root/lib/rustlib/$host/bin/rust-lld" ] &&
           [ -x "$root/lib/rustlib/$host/bin/wasm-component-ld" ]; then
            borrowed=$root
            break
        fi
    done
    [ -n "$borrowed" ] ||
        die "no rustup toolchain for $host holds cargo, rust-lld and wasm-component-ld" \
            "Install one: rustup toolchain install stable --profile minimal"
    say "cargo and linkers: $borrowed"
}

# ------------------------------------------------------------------------- apt, without its set-up

make_work_folder() {
    mkdir -p "$debs" "$work/apt"
    cat >"$work/apt.conf" <<EOF
// Private to $folder. Given with -c, so read after the machine's own: proxies and certificates hold,
// pins, hooks (which write to /var/cache/apt) and a default release do not. No package counts as
// installed, or apt would choose versions that it has no source for.
Dir::Etc::sourcelist "/dev/null";
Dir::State::status "/dev/null";
Dir::Etc::preferences "/dev/null";
Dir::Etc::preferencesparts "/dev/null";
APT::Default-Release "";
Acquire::Languages "none";
Acquire::Retries "2";
Acquire::IndexTargets::deb::DEP-11::DefaultEnabled "false";
Acquire::http::Timeout "30";
Acquire::https::Timeout "30";
Dpkg::Use-Pty "false";
#clear APT::Update::Pre-Invoke;
#clear APT::Update::Post-Invoke;
#clear APT::Update::Post-Invoke-Success;
EOF
    # What is downloaded is signed and hashed; the sandbox user could not write into a home folder.
    [ "$(id -u)" != 0 ] || echo 'APT::Sandbox::User "root";' >>"$work/apt.conf"
}

# apt <area> <program> <arguments...>: each area has its own sources, lists and cache.
apt() {
    apt_area=$work/apt/$1; apt_program=$2; shift 2
    mkdir -p "$apt_area/sources" "$apt_area/state/lists/partial" "$apt_area/cache/archives/partial"
    "$apt_program" -c "$work/apt.conf" -o Dir::Etc::sourceparts="$apt_area/sources" \
        -o Dir::State="$apt_area/state" -o Dir::Cache="$apt_area/cache" "$@"
}

# write_sources <area> <regular expression> [<suite>]: the machine's sources whose suite matches,
# one-line and deb822 alike, with all their options (Signed-By, also an inline key); with <suite>, the
# same addresses but that suite. Fails where none matches.
write_sources() {
    ws_folder=$work/apt/$1/sources; ws_match=$2; ws_suite=${3:-}
    mkdir -p "$ws_folder"
    eval "$(apt-config shell ws_list Dir::Etc::sourcelist/f ws_parts Dir::Etc::sourceparts/d)"
    set -- ; for ws_file in "$ws_list" "$ws_parts"/*.list; do [ ! -r "$ws_file" ] || set -- "$@" "$ws_file"; done
    [ $# = 0 ] || awk -v match_suite="$ws_match" -v new_suite="$ws_suite" '
        /^[ \t]*deb[ \t]/ {
            sub(/#.*/, ""); sub(/^[ \t]*deb[ \t]+/, ""); options = ""
            if (match($0, /^\[[^]]*\][ \t]*/)) { options = substr($0, 1, RLENGTH); $0 = substr($0, RLENGTH + 1) }
            if ($1 ~ /^cdrom:/ || $2 !~ ("^(" match_suite ")$") || !(" " $0 " " ~ /[ \t]main[ \t]/)) next
            print "deb " options $1 " " (new_suite == "" ? $2 : new_suite) " main"
        }' "$@" >>"$ws_folder/one-line.list"
    set -- ; for ws_file in "$ws_parts"/*.sources; do [ ! -r "$ws_file" ] || set -- "$@" "$ws_file"; done
    [ $# = 0 ] || awk -v match_suite="$ws_match" -v new_suite="$ws_suite" '
        function flush(   i, n, words, wanted) {
            n = split(suites, words, /[ \t\n]+/); wanted = ""
            for (i = 1; i <= n; i++) if (words[i] ~ ("^(" match_suite ")$")) wanted = wanted " " words[i]
            if (wanted != "" && new_suite != "") wanted = " " new_suite
            if (wanted != "" && enabled && (" " types " ") ~ /[ \t\n]deb[ \t\n]/ &&
                (" " components " ") ~ /[ \t\n]main[ \t\n]/ && rest !~ /\n[Uu][Rr][Ii][Ss]:[ \t]*cdrom:/)
                printf "Types: deb\nSuites:%s\nComponents: main%s\n\n", wanted, rest
            suites = types = components = rest = ""; enabled = 1; field = ""
        }
        BEGIN { enabled = 1 }
        FNR == 1 && NR > 1 { flush() }
        { sub(/\r$/, "") }
        /^#/ { next }
        /^[ \t]*$/ { flush(); next }
        /^[ \t]/ { value = $0 }
        /^[^ \t]/ { field = tolower(substr($0, 1, index($0, ":") - 1)); value = substr($0, index($0, ":") + 1) }
        field == "suites" { suites = suites " " value; next }
        field == "types" { types = types " " value; next }
        field == "components" { components = components " " value; next }
        field == "enabled" { enabled = (tolower(value) !~ /^[ \t]*(no|false|without|off|disable)[ \t]*$/); next }
        field == "architectures" || field == "targets" || field == "languages" || field == "pdiffs" { next }
        { rest = rest "\n" $0 }
        END { flush() }' "$@" >>"$ws_folder/deb822.sources"
    for ws_file in "$ws_folder"/*; do [ -s "$ws_file" ] || rm -f "$ws_file"; done
    [ -n "$(ls "$ws_folder")" ]
}

forget_area() { rm -rf "${work:?}/apt/$1"; }

# What counts is whether a package is offered then: a foreign repository that calls its suite "stable"
# too may fail. Its complaints are kept for the case that nothing is found.
update_area() { apt "$1" apt-get -qq update >"$work/$1.log" 2>&1 || true; }

candidate() { # <area> <package>: the version that apt offers, or nothing
    apt "$1" apt-cache policy "$2" | sed -n 's/^  Candidate: //p' | grep -v '^(none)$' || true
}

# ---------------------------------------------------------------------------- which packages, where

choose_packages() {
    started=$(seconds)
    release="$codename|stable|oldstable|oldoldstable"
    say "reading the package lists (private copies)"
    # Security alone holds rustc and LLVM, in 0.4 MB of lists. The whole release (9 MB) is read only
    # where security does not do: not configured, or libraries of LLVM's missing on this machine.
    rust_is_chosen=
    for reach in "[^/]*(-security|/updates)" "($release)(-updates|-security|/updates)?"; do
        forget_area rust
        write_sources rust "$reach" || continue
        update_area rust
        choose_rust && rust_is_chosen=1 && break
    done
    [ -n "$rust_is_chosen" ] || {
        cat "$work/rust.log" >&2 2>/dev/null || true
        die "apt's sources on this machine offer no complete rustc-web of 1.96 or newer${rust_version:+ (but $rust_version)}" \
            "Wanted: suites $codename and $codename-security of a Debian mirror (see $(apt-config shell d Dir::Etc::sourceparts/d | cut -d= -f2))." \
            "On Debian 13 and later: apt install rustc libstd-rust-dev-wasm32"
    }
    choose_wasi_libc
    say "chosen: rustc $rust_version, $llvm, wasi-libc $wasi_version ($wasi_suite), $(( $(seconds) - started )) s"
}

choose_rust() {
    rust_version=$(candidate rust rustc-web)
    [ -n "$rust_version" ] || return 1
    # 1.85 (bookworm itself, where security is not configured) ships std's sources without their dependencies.
    dpkg --compare-versions "$rust_version" ge 1.96 || return 1
    [ "$(candidate rust rust-web-src)" = "$rust_version" ] || return 1
    # libstd-rust-web-1.96 and libllvm22: their names carry versions, so follow the dependencies.
    rust_library=$(depends_on rust libstd-rust-web-dev 'libstd-rust-web-[0-9.]*' | head -n 1)
    [ -n "$rust_library" ] || return 1
    llvm=$(depends_on rust "$rust_library" 'libllvm[0-9]*' | head -n 1)
    [ -n "$llvm" ] && [ -n "$(candidate rust "$llvm")" ] || return 1
    llvm_needs=
    gather_needs "$llvm" || return 1
    rust_packages="rustc-web=$rust_version libstd-rust-web-dev=$rust_version $rust_library=$rust_version rust-web-src=$rust_version $llvm $llvm_needs"
}

# Libraries that LLVM wants and this machine lacks (libz3 and libxml2 on a slim image); they go into the
# toolchain's folder. Asked of dpkg one by one: apt's solver answers nothing where any package is broken.
gather_needs() { # <package>: adds to llvm_needs; fails where a needed package is not to be had
    for need in $(depends_on rust "$1" '.*' | tr -d '<>'); do
        case " $llvm_needs " in *" $need "*) continue ;; esac
        case $(dpkg-query -W -f '${db:Status-Abbrev}' "$need:$architecture" 2>/dev/null) in ii*) continue ;; esac
        [ -n "$(candidate rust "$need")" ] || return 1
        llvm_needs="$llvm_needs $need"
        gather_needs "$need" || return 1
    done
}

depends_on() { # <area> <package> <pattern>
    apt "$1" apt-cache depends --important "$2" | sed -n "s/^ *|\{0,1\}Depends: \($3\)\$/\1/p"
}

# An `all` package of three files: any suite's will do whose copy knows wasip2 (bookworm's does not).
# Only trixie-backports' and later hold the pthread stubs that a crate naming std::thread::spawn links to.
choose_wasi_libc() {
    for wasi_suite in $wasi_suites; do
        forget_area wasi
        # Configured here, take that; else the release's own mirror with another suite.
        write_sources wasi "$wasi_suite" || write_sources wasi "$release" "$wasi_suite" || continue
        update_area wasi
        wasi_version=$(candidate wasi wasi-libc)
        [ -n "$wasi_version" ] || continue
        # Only its list of files tells, so it is fetched here.
        fetch wasi "wasi-libc=$wasi_version" || continue
        dpkg-deb --fsys-tarfile "$(deb_of wasi-libc)" | tar -t | grep "usr/lib/$target/libc.a" >/dev/null || continue
        dpkg-deb --fsys-tarfile "$(deb_of wasi-libc)" | tar -xO "./usr/lib/$target/libc.a" | grep -a pthread_join >/dev/null ||
            say "note: wasi-libc $wasi_version has no thread stubs: crates that call std::thread::spawn will not link"
        return 0
    done
    cat "$work/wasi.log" >&2
    die "no wasi-libc for $target within reach" \
        "Tried the suites $wasi_suites of this machine's mirror."
}

download_packages() {
    started=$(seconds)
    fetch rust $rust_packages || die "the download stopped; run this again, it resumes"
    say "all packages are there, $(( $(seconds) - started )) s"
}

# fetch <area> <package[=version]...>: into $debs, whole and with the hashes of apt's signed lists.
fetch() {
    fetch_area=$1; shift
    # From an empty folder, since apt leaves out what it finds, and goes by its size alone.
    rm -rf "$work/empty"; mkdir "$work/empty"
    (cd "$work/empty" && apt "$fetch_area" apt-get download --print-uris "$@") |
        sed -n "s/^'.*' \([^ ]*\) \([0-9]*\) SHA\(256\|512\):\([0-9a-f]*\)\$/\1 \2 \3 \4/p" >"$work/$fetch_area.list"
    [ "$(grep -c . "$work/$fetch_area.list")" = $# ] || return 1
    count=0 bytes=0
    while read -r file size kind hash; do
        got=0; [ ! -f "$debs/$file" ] || got=$(wc -c <"$debs/$file")
        if [ "$got" -ge "$size" ] && ! is_whole "$file" "$kind" "$hash"; then rm "$debs/$file"; got=0; fi
        [ "$got" = "$size" ] || { count=$(( count + 1 )); bytes=$(( bytes + size - got )); }
    done <"$work/$fetch_area.list"
    [ "$count" = 0 ] || say "downloading $(( (bytes + 999999) / 1000000 )) MB: $(cut -d' ' -f1 "$work/$fetch_area.list" | cut -d_ -f1 | tr '\n' ' ')"
    # Resumes parts. Also where nothing is missing: it costs nothing.
    (cd "$debs" && apt "$fetch_area" apt-get -qq download "$@" >&2) || return 1
    while read -r file size kind hash; do
        is_whole "$file" "$kind" "$hash" || { rm -f "$debs/$file"; return 1; }
    done <"$work/$fetch_area.list"
}

is_whole() { # <file> <256|512> <hash>
    [ "$("sha${2}sum" "$debs/$1" | cut -d' ' -f1)" = "$3" ]
}

deb_of() { # <package>: its file, of the version fetched last
    printf '%s/%s\n' "$debs" "$(cat "$work/rust.list" "$work/wasi.list" 2>/dev/null | sed -n "s/^\($1_[^ ]*\) .*/\1/p")"
}

# ------------------------------------------------------------------------------------ put together

unpack() {
    started=$(seconds)
    rm -rf "$staging"
    mkdir -p "$staging/bin" "$staging/lib/rustlib/src/rust" "$staging/lib/rustlib/$target/lib/self-contained"
    # Only what serves is written: 0.4 GB instead of 0.9.
    extract rustc-web --strip-components=2 -C "$staging" --wildcards './usr/bin/*'
    extract "$rust_library" --strip-components=4 -C "$staging/lib" --wildcards './usr/lib/*-linux-gnu*/librustc_driver-*.so'
    extract libstd-rust-web-dev --strip-components=3 -C "$staging/lib" "./usr/lib/rustlib/$host"
    extract rust-web-src --strip-components=4 -C "$staging/lib/rustlib/src/rust" --wildcards './usr/src/rustc-*/library'
    for package in $llvm $llvm_needs; do
        extract "$package" --transform='s,.*/,,' -C "$staging/lib" --wildcards '*/lib*.so.*'
    done
    extract wasi-libc --strip-components=4 \
        -C "$staging/lib/rustlib/$target/lib/self-contained" \
        "./usr/lib/$target/crt1-command.o" "./usr/lib/$target/crt1-reactor.o" "./usr/lib/$target/libc.a"
    # Debian strips prebuilt archives, wit-bindgen's build script copies one. It holds glue for exports
    # and async tasks that std does not use: cabi_realloc is std's own (sys/pal/wasi). So an empty one serves.
    for source in "$staging"/lib/rustlib/src/rust/library/vendor/wit-bindgen-*/src/rt; do
        archive=$source/libwit_bindgen_cabi.a
        [ ! -d "$source" ] || [ -e "$archive" ] || printf '!<arch>\n' >"$archive"
    done
    borrow "$staging"

    missing=$(LD_LIBRARY_PATH=$staging/lib ldd "$staging/bin/rustc" | sed -n 's/[ \t]*\(.*\) => not found/\1/p' | tr '\n' ' ')
    [ -z "$missing" ] || die "shared libraries are missing: $missing"
    compiler=$(LD_LIBRARY_PATH=$staging/lib "$staging/bin/rustc" --version) || die "the unpacked rustc does not run"
    say "unpacked $compiler: $(megabytes "$staging/lib") MB, $(( $(seconds) - started )) s"
}

# Again at each run: the toolchain that was borrowed from may have been uninstalled.
borrow() { # <toolchain folder>
    ln -sfn "$borrowed/bin/cargo" "$1/bin/cargo"
    # The folder, not its files: rust-lld finds its LLVM relative to where it really lies.
    ln -sfn "$borrowed/lib/rustlib/$host/bin" "$1/lib/rustlib/$host/bin"
}

extract() { # <package> <tar arguments...>
    deb=$(deb_of "$1"); shift
    dpkg-deb --fsys-tarfile "$deb" | tar -x --no-same-owner "$@"
}

# Runs cargo with the staged rustc and nothing of the user's: no environment (RUSTFLAGS, CARGO_*,
# RUSTC_WRAPPER...), no ~/.cargo/config.toml (a CARGO_HOME of its own, and started from /, since cargo
# looks for .cargo/config.toml in each parent of the current folder), no network.
staged_cargo() {
    (cd / && env -i PATH="$PATH" HOME="$work/home" CARGO_HOME="$work/cargo-home" CARGO_NET_OFFLINE=true \
        CARGO_TARGET_DIR="$work/target" LD_LIBRARY_PATH="$staging/lib" RUSTC="$staging/bin/rustc" \
        ${encoded_flags:+CARGO_ENCODED_RUSTFLAGS="$encoded_flags"} ${bootstrap:+RUSTC_BOOTSTRAP=1} \
        "$staging/bin/cargo" "$@")
}

build_std() {
    started=$(seconds)
    say "building std for $target on $jobs core(s)"
    rm -rf "$work/std" "$work/target"; mkdir -p "$work/std/src" "$work/home" "$work/cargo-home"
    : >"$work/std/src/lib.rs"
    cat >"$work/std/Cargo.toml" <<EOF
[package]
name = "std-for-wasip2"
edition = "2021"
[lib]
crate-type = ["cdylib"]
# As upstream's "dist" profile.
[profile.release]
codegen-units = 1
[workspace]
EOF
    # Bitcode, or plugins with \`lto = true\` do not link. The remapping keeps this folder's name out of
    # every plugin. Encoded, since a folder's name may hold a space.
    separator=$(printf '\037')
    encoded_flags="-Cembed-bitcode=yes${separator}--remap-path-prefix=$staging/lib/rustlib/src/rust=/rustc/$(printf %s "$compiler" | cut -d' ' -f2)"
    bootstrap=1
    # std's own dependencies lie beside it, but cargo would ask crates.io for them unless told so.
    staged_cargo build --quiet --release -j "$jobs" --target "$target" --manifest-path "$work/std/Cargo.toml" \
        --config "source.crates-io.replace-with='std'" \
        --config "source.std.directory='$staging/lib/rustlib/src/rust/library/vendor'" \
        -Z build-std=std,panic_abort,proc_macro,test >&2 || die "std does not build"
    encoded_flags= bootstrap=
    # The .rlib files alone: they hold the .rmeta files, another 80 MB.
    for file in "$work/target/$target/release/deps"/lib*.rlib; do
        case ${file##*/} in libstd_for_wasip2*) ;; *) cp "$file" "$staging/lib/rustlib/$target/lib/" ;; esac
    done
    ls "$staging/lib/rustlib/$target/lib"/libstd-*.rlib >/dev/null 2>&1 || die "std was built but is not where expected"
    say "built std: $(megabytes "$staging/lib/rustlib/$target") MB, $(( $(seconds) - started )) s"
}

drop_needless() {
    [ -z "${ERP_PLUGIN_TOOLCHAIN_NO_DROP:-}" ] || return 0
    before=$(megabytes "$staging/lib")
    rm -rf "$staging/lib/rustlib/src" "$work/target" "$work/std"
    say "dropped std's sources: $before MB to $(megabytes "$staging/lib") MB"
}

publish() {
    printf '%s, std for %s with wasi-libc %s\n' "$compiler" "$target" "$wasi_version" >"$staging/.complete"
    # No .complete means a folder that is not whole, or not ours.
    if [ -e "$folder" ]; then
        [ -x "$folder/bin/rustc" ] || [ -z "$(ls -A "$folder")" ] || die "$folder exists and is no toolchain; move it away"
        rm -rf "$folder"
    fi
    mv "$staging" "$folder"
}

# ------------------------------------------------------------------------------------- link, check

link() {
    if [ -d "$rustup_home/toolchains/$name" ] && [ ! -L "$rustup_home/toolchains/$name" ]; then
        die "rustup has an installed toolchain named '$name'; choose another ERP_PLUGIN_TOOLCHAIN_NAME"
    fi
    (cd / && rustup --quiet toolchain link "$name" "$folder")
}

# check_build staged|linked: a trivial crate, plain and with LTO, must become a component.
check_build() {
    mode=$1
    started=$(seconds)
    crate=$work/check
    rm -rf "$crate" "$work/target"; mkdir -p "$crate/src" "$work/home" "$work/cargo-home"
    printf '[package]\nname = "check"\nedition = "2021"\n[lib]\ncrate-type = ["cdylib"]\n[profile.lto]\ninherits = "release"\nlto = true\nopt-level = "s"\n[workspace]\n' >"$crate/Cargo.toml"
    printf '#[no_mangle]\npub extern "C" fn check() {\n    println!("{:?}", std::env::args().collect::<Vec<_>>());\n}\n' >"$crate/src/lib.rs"
    sizes=
    for profile in release lto; do
        set -- build --quiet --offline --profile "$profile" --target "$target" --manifest-path "$crate/Cargo.toml"
        if [ "$mode" = staged ]; then staged_cargo "$@" >&2; else linked_cargo "$@" >&2; fi ||
            die "the $mode toolchain cannot build a trivial crate (profile $profile)" \
                "If 'cargo' on the PATH is not rustup's, put rustup's first (~/.cargo/bin); else remove $folder and run this again."
        wasm=$work/target/$target/$profile/check.wasm
        # A component, not a core module: version 13, layer 1.
        [ "$(od -An -tx1 -N8 "$wasm" | tr -d ' \n')" = 0061736d0d000100 ] || die "$wasm is no component"
        sizes="$sizes $profile $(wc -c <"$wasm") bytes,"
    done
    rm -rf "$crate" "$work/target"
    say "checked ($mode):$sizes $(( $(seconds) - started )) s"
}

# As staged_cargo, but as users will call it: by rustup's proxy. `rustup run` would not tell that the
# cargo on the PATH is another, or that rustc there is.
linked_cargo() {
    (cd / && env -i PATH="$PATH" HOME="$work/home" RUSTUP_HOME="$rustup_home" RUSTUP_AUTO_INSTALL=0 \
        CARGO_HOME="$work/cargo-home" CARGO_TARGET_DIR="$work/target" cargo "+$name" "$@")
}

tidy() {
    [ -n "${ERP_PLUGIN_TOOLCHAIN_KEEP:-}" ] && return 0
    rm -rf "$work" "$staging"
}

main "$@"
