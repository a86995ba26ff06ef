#!/usr/bin/env bash
# Builds the tests and runs their binaries, TEST_JOBS (one more than there are processors) at a time, as most of them wait most
# of the time. What a binary prints is shown when it has ended; with failures, their names come last, and the exit status is 1.
set -euo pipefail
cd "$(dirname "$0")/.."

# These take longest: started last, they would run alone in the end.
first=(api vm recipes compat_server live_page compat_ctl examples)

cargo test --locked --workspace --no-run

logs="$(mktemp -d)"
trap 'rm -rf "$logs"' EXIT
export logs

run() {
    local name="${1#--*=}"
    local log="$logs/$name"
    local begin="$SECONDS" result=passed
    cargo test --locked --no-fail-fast "$@" >"$log" 2>&1 || result=FAILED
    # One write for each binary, so that those that end together do not mix.
    printf '%s\n' "$(sed '/^$/d' "$log")" "tests: $name $result in $((SECONDS - begin)) s"
    [ "$result" = passed ] || mv "$log" "$log.failed"
}
export -f run

others="$(for file in tests/*.rs; do basename "$file" .rs; done | grep -vxF "$(printf '%s\n' "${first[@]}")")"
{
    printf -- '--test=%s\n' "${first[@]}"
    echo --lib
    echo --package=sv-lines
    printf -- '--test=%s\n' $others
    echo --bins
    echo --doc
} | xargs -P "${TEST_JOBS:-$(($(nproc) + 1))}" -n 1 bash -c 'run "$@"' run

failed="$(cd "$logs" && for log in *.failed; do [ ! -e "$log" ] || basename -- "$log" .failed; done)"
[ -z "$failed" ] || { echo "tests: FAILED:" $failed && exit 1; }
