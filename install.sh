#!/bin/sh
# Builds and installs erp-plugin, and makes sure that this machine can build for wasm32-wasip2.
set -eu

usage() {
    cat <<'EOF'
Usage: ./install.sh [--prefix FOLDER] [--no-toolchain] [--binary FILE] [--demo]

  --prefix FOLDER   install to FOLDER/bin (default: cargo's own folder, usually ~/.cargo)
  --no-toolchain    do not look for wasm32-wasip2, and get nothing for it
  --binary FILE     use this erp-plugin, and build and install none
  --demo            afterwards, go the whole way once on the inventory plugin

What it downloads: crates from cargo's registry; and where no toolchain on this machine builds
wasm32-wasip2 and rustup cannot add it, about 140 MB of Debian packages (Debian and its children).
It can be interrupted at any point and run again. Nothing outside the prefix, this folder's target/,
rustup's own folder and the user's data and cache folders is touched.
EOF
}

say() { printf '%s\n' "$*" >&2; }
die() { printf 'install.sh: error: %s\n' "$1" >&2; exit "${2:-1}"; }

# Reports cargo's progress: one line for each stage, and those of cargo's own lines that are not progress.
watch_cargo() {
    reached=1
    stage 1 "small libraries" "usually 1 minute"
    while IFS= read -r line; do
        set -- $line
        case ${1:-} in
            Compiling)
                case $2 in
                    cranelift-codegen) stage 2 "the WebAssembly compiler, SQLite, TLS" "usually 2 to 4 minutes" ;;
                    erp-runtime) stage 3 "the engine, and the crates of erp-plugin" "usually 1 to 3 minutes" ;;
                    erp-plugin) stage 4 "the program" "usually 1 minute" ;;
                esac ;;
            Updating | Downloading | Downloaded | Locking | Installing | Finished | Replacing | Replaced | Installed | Adding) ;;
            warning: | '') ;;
            *) say "$line" ;;
        esac
    done
}

# Cargo compiles crates as they become ready, so a stage that has passed is not reported again.
stage() {
    [ "$1" = 1 ] || [ "$1" -gt "$reached" ] || return 0
    reached=$1
    seconds=$(($(date +%s) - started))
    say "$(printf '  %d:%02d  stage %s of 4: %s (%s)' $((seconds / 60)) $((seconds % 60)) "$1" "$2" "$3")"
}

prefix='' toolchain=yes binary='' demo=no
while [ $# -gt 0 ]; do
    case $1 in
        --prefix) [ $# -ge 2 ] || die "--prefix needs a folder" 2; prefix=$2; shift ;;
        --prefix=*) prefix=${1#*=} ;;
        --binary) [ $# -ge 2 ] || die "--binary needs a file" 2; binary=$2; shift ;;
        --binary=*) binary=${1#*=} ;;
        --no-toolchain) toolchain=no ;;
        --demo) demo=yes ;;
        -h | --help) usage; exit 0 ;;
        *) usage >&2; die "unknown argument: $1" 2 ;;
    esac
    shift
done

here=$(cd "$(dirname "$0")" && pwd)
started=$(date +%s)

if [ -z "$binary" ]; then
    command -v cargo >/dev/null 2>&1 || die "cargo is not on the PATH: install Rust with rustup first" 5
    command -v cc >/dev/null 2>&1 || die "there is no C compiler (cc), which SQLite needs: apt-get install gcc libc6-dev" 5
    root=${prefix:-${CARGO_INSTALL_ROOT:-${CARGO_HOME:-$HOME/.cargo}}}
    say "building erp-plugin: usually 4 to 8 minutes on two cores; what was built before is used again"
    failed=$(mktemp)
    # RUSTUP_AUTO_INSTALL=0: use only the toolchain that is installed.
    { RUSTUP_AUTO_INSTALL=0 CARGO_TERM_PROGRESS_WHEN=never CARGO_TERM_COLOR=never CARGO_TARGET_DIR="${CARGO_TARGET_DIR:-$here/target}" \
        cargo install --path "$here" --locked --force --root "$root" 2>&1 || echo "$?" >"$failed"; } | watch_cargo
    code=$(cat "$failed")
    rm -f "$failed"
    [ -z "$code" ] || die "erp-plugin could not be built; cargo's messages are above" 101
    binary=$root/bin/erp-plugin
    say "installed $binary ($("$binary" --version)) after $(($(date +%s) - started)) s"
    case ":$PATH:" in *":$root/bin:"*) ;; *) say "note: $root/bin is not on the PATH" ;; esac
fi

if [ "$toolchain" = yes ]; then
    # The binary embeds the same script: `erp-plugin doctor --fix` runs it too.
    sh "$here/src/erp-plugin/build/toolchain.sh"
fi
"$binary" doctor >&2

[ "$demo" = no ] || "$binary" demo
