#!/bin/sh
# Builds the fuzz targets with the stable compiler and runs each for SECONDS (default: 120):
#   fuzz/run.sh [SECONDS [TARGET…]]
# Findings are in target/fuzz/findings/<target>. If a target finds something, the script exits with 1. The corpora grow
# in target/fuzz/corpus, starting from fuzz/seeds.
set -eu
cd "$(dirname "$0")"
seconds=${1:-120}
[ $# = 0 ] || shift
[ $# != 0 ] || set -- strict_zip envelope manifest key_file scenario component
host=$(rustc -vV | sed -n 's/^host: //p')
out=$PWD/../target/fuzz
# The flags that cargo-fuzz sets on nightly, without the address sanitizer: it needs nightly, and our code is safe Rust.
flags='-Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 -Cllvm-args=-sanitizer-coverage-inline-8bit-counters'
flags="$flags -Cllvm-args=-sanitizer-coverage-pc-table -Cllvm-args=-sanitizer-coverage-trace-compares --cfg fuzzing"
RUSTUP_AUTO_INSTALL=0 RUSTFLAGS=$flags cargo build --release --locked --target "$host" --target-dir "$out/build"
failed=0
for target in "$@"; do
    mkdir -p "$out/corpus/$target" "$out/findings/$target"
    log=$out/$target.log
    echo "$target: $seconds s"
    "$out/build/$host/release/$target" "$out/corpus/$target" "seeds/$target" -max_total_time="$seconds" -timeout=10 \
        -rss_limit_mb=2048 -max_len=65536 -print_final_stats=1 -artifact_prefix="$out/findings/$target/" >"$log" 2>&1 || {
        failed=1
        echo "$target: a finding; see $log" >&2
    }
    grep -E 'stat::number_of_executed_units|stat::peak_rss_mb|SUMMARY' "$log" || true
done
exit $failed
