#!/usr/bin/env bash
# Builds the fuzz targets and runs each for FUZZ_SECS seconds (10), starting from the corpus in this folder,
# as many at a time as there are processors.
#
# These are libFuzzer's binaries, but built here and not by cargo-fuzz: its sanitizers need a nightly
# compiler and find what safe code cannot do, and building it takes longer than running the targets. The
# flags for coverage are the ones that it uses. `cargo fuzz run -s none ini` works as well.
set -euo pipefail
cd "$(dirname "$0")"

target="$(rustc -vV | sed -n 's/^host: //p')"
target_dir="${CARGO_TARGET_DIR:-../target}/fuzz"
coverage="-Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
-Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table \
-Cllvm-args=-sanitizer-coverage-trace-compares -Ccodegen-units=1 --cfg fuzzing"

# With --target, the flags do not apply to build scripts.
RUSTFLAGS="$coverage" cargo build --release --locked --target "$target" --target-dir "$target_dir"

run() {
    local name="$1"
    shift
    local found="$target_dir/corpus/$name" crashes="$target_dir/crashes/" log="$target_dir/$name.log"
    mkdir -p "$found" "$crashes"
    # libFuzzer adds new inputs to the first folder, and writes an input that shows a bug to the crashes.
    if ! "$target_dir/$target/release/$name" -max_total_time="${FUZZ_SECS:-10}" -seed=1 -max_len=4096 \
        -timeout=10 -rss_limit_mb=2048 -print_final_stats=1 -artifact_prefix="$crashes" -dict="$name.dict" \
        "$found" "corpus/$name" "$@" >"$log" 2>&1; then
        tail -n 50 "$log" >&2
        echo "fuzz: $name fails" >&2
        exit 1
    fi
    echo "fuzz: $name passes, $(sed -n 's/^stat::number_of_executed_units: //p' "$log") inputs"
}

export target target_dir
export -f run
xargs -L 1 -P "$(nproc)" bash -c 'run "$@"' run <<'TARGETS'
ini ../tests/compat
expand
http
xmlrpc
listener
TARGETS
