#!/usr/bin/env bash
# Builds the fuzz targets and runs each for some seconds over what is checked in; FUZZ_SECS says how many.
#
# These are libFuzzer's binaries, but built here and not by cargo-fuzz: its sanitizers need a nightly
# compiler and show what safe code can't do, and to build it takes longer than to run it. Its flags for
# coverage are those below. `cargo fuzz run -s none ini` works as well, for whoever has it.
set -euo pipefail
cd "$(dirname "$0")"

target="$(rustc -vV | sed -n 's/^host: //p')"
target_dir="${CARGO_TARGET_DIR:-../target}/fuzz"
coverage="-Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
-Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table \
-Cllvm-args=-sanitizer-coverage-trace-compares -Ccodegen-units=1 --cfg fuzzing"

# With a target named, the flags are not for build scripts.
RUSTFLAGS="$coverage" cargo build --release --locked --target "$target" --target-dir "$target_dir"

run() {
    local name="$1"
    shift
    local found="$target_dir/corpus/$name" crashes="$target_dir/crashes/" log="$target_dir/$name.log"
    mkdir -p "$found" "$crashes"
    # The first folder takes what is new; an input that shows a bug is put among the crashes and named.
    if ! "$target_dir/$target/release/$name" -max_total_time="${FUZZ_SECS:-10}" -seed=1 -max_len=4096 \
        -timeout=10 -rss_limit_mb=2048 -print_final_stats=1 -artifact_prefix="$crashes" -dict="$name.dict" \
        "$found" "corpus/$name" "$@" >"$log" 2>&1; then
        tail -n 50 "$log" >&2
        echo "fuzz: $name fails" >&2
        exit 1
    fi
    echo "fuzz: $name passes, $(sed -n 's/^stat::number_of_executed_units: //p' "$log") inputs"
}

run ini ../tests/compat
run expand
run http
run xmlrpc
run listener
