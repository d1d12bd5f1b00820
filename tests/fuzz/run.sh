#!/usr/bin/env bash
# Builds the fuzz targets and has each look for so long at the most: bash tests/fuzz/run.sh [SECONDS] [TARGET...]
# Any Rust will do, and a C++ compiler for libFuzzer: the coverage comes from LLVM's pass, which needs no nightly toolchain as
# long as no sanitizer is asked for. The same runs and seed each time, so that all see a failure or none.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

seconds=${1:-8}
runs=200000
(($# == 0)) || runs=-1
shift || true
targets=("$@")
if ((${#targets[@]} == 0)); then
    for path in tests/fuzz/targets/*.rs; do targets+=("$(basename "$path" .rs)"); done
fi

# What cargo-fuzz sets, but for the sanitizer.
host=$(rustc --version --verbose | sed -n 's/^host: //p')
RUSTFLAGS='--cfg fuzzing -Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4'
RUSTFLAGS+=' -Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table'
RUSTFLAGS+=' -Cllvm-args=-sanitizer-coverage-trace-compares'
export RUSTFLAGS
# With --target the flags are kept away from build scripts and macros, which run without libFuzzer.
cargo build --locked --release --manifest-path tests/fuzz/Cargo.toml --target-dir target/fuzz --target "$host"

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
for target in "${targets[@]}"; do
    mkdir "$work/$target" # what is found meanwhile; the seeds stay as they are
    if ! "target/fuzz/$host/release/$target" -runs="$runs" -max_total_time="$seconds" -seed=1 -max_len=4096 -timeout=10 \
        -artifact_prefix="target/fuzz/$target-" "$work/$target" "tests/fuzz/seeds/$target" >"$work/log" 2>&1; then
        tail -n 60 "$work/log"
        echo "error: $target broke a rule; what did it is in target/fuzz/$target-*" >&2
        exit 1
    fi
    printf '%s: %s\n' "$target" "$(tail -n 1 "$work/log")"
done
