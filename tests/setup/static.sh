#!/usr/bin/env bash
# Builds the static release binary and prints its path as the only line on standard output.
set -euo pipefail
cd "$(dirname "$0")/../.."

arch="$(uname -m)"
target="$arch-unknown-linux-musl"
target_dir="${CARGO_TARGET_DIR:-target}"

have_target() {
    [ -d "$(rustc --print sysroot)/lib/rustlib/$1/lib" ]
}

if ! have_target "$target" && command -v rustup >/dev/null; then
    rustup target add "$target" >&2 || true
fi
if ! have_target "$target"; then
    # Linked with glibc's static archive instead: larger, but as self-contained, since users are looked up
    # in /etc/passwd and never through NSS.
    target="$arch-unknown-linux-gnu"
    export RUSTFLAGS="${RUSTFLAGS:-} -C target-feature=+crt-static"
    echo "the musl target cannot be had: building a static glibc binary instead" >&2
fi

cargo build --release --locked --bin sv --target "$target" >&2
binary="$target_dir/$target/release/sv"
case "$binary" in
/*) echo "$binary" ;;
*) echo "$PWD/$binary" ;;
esac
