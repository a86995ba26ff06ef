#!/usr/bin/env bash
# Builds the static release binary and prints its path as the only line on standard output.
#
#   static.sh [ARCH]    x86_64, aarch64, armv7 or riscv64, or Docker's name for it; by default that of this machine
#
# It is linked with musl by the linker of the Rust toolchain, so no cross compiler is needed. It holds no path of this machine:
# the same sources and toolchain give the same bytes in any folder.
set -euo pipefail
cd "$(dirname "$0")/../.."

arch="${1:-$(uname -m)}"
case "$arch" in
x86_64 | amd64) musl=x86_64-unknown-linux-musl gnu=x86_64-unknown-linux-gnu gcc=x86_64-linux-gnu-gcc ;;
aarch64 | arm64) musl=aarch64-unknown-linux-musl gnu=aarch64-unknown-linux-gnu gcc=aarch64-linux-gnu-gcc ;;
armv7 | armv7l | arm | arm/v7) musl=armv7-unknown-linux-musleabihf gnu=armv7-unknown-linux-gnueabihf gcc=arm-linux-gnueabihf-gcc ;;
riscv64) musl=riscv64gc-unknown-linux-musl gnu=riscv64gc-unknown-linux-gnu gcc=riscv64-linux-gnu-gcc ;;
*) echo "unknown architecture '$arch': x86_64, aarch64, armv7 and riscv64 are known" >&2 && exit 2 ;;
esac

sysroot="$(rustc --print sysroot)"

have_target() {
    [ -d "$sysroot/lib/rustlib/$1/lib" ] || { command -v rustup >/dev/null && RUST_BACKTRACE=0 rustup target add "$1" >&2; }
}

target="$musl"
linker=rust-lld
# Static is Rust's default for musl, but not on riscv64. With frame pointers a profiler can follow calls, and the tables for
# unwinding are shorter by a third, as they need not describe each push.
flags=(-C target-feature=+crt-static -C force-frame-pointers=yes)
if ! have_target "$musl"; then
    # Linked with glibc's static archive instead: larger, but as self-contained, since users are looked up
    # in /etc/passwd and never through NSS.
    target="$gnu"
    linker="$gcc"
    echo "the target $musl cannot be had: building a static glibc binary instead" >&2
    have_target "$gnu"
    command -v "$gcc" >/dev/null || { echo "it takes '$gcc', which Debian has in the package gcc-${gcc%-gcc}" >&2 && exit 1; }
fi
variable="CARGO_TARGET_$(tr a-z- A-Z_ <<<"$target")_LINKER"
export "$variable=${!variable:-$linker}"

target_dir="$(mkdir -p "${CARGO_TARGET_DIR:-target}" && cd "${CARGO_TARGET_DIR:-target}" && pwd)"
# Of two prefixes that match, the last one counts.
for mapping in "$PWD=/sv" "$target_dir=/target" "${CARGO_HOME:-$HOME/.cargo}=/cargo" \
    "$sysroot/lib/rustlib/src/rust=/rustc/$(rustc -vV | sed -n 's/^commit-hash: //p')"; do
    flags+=("--remap-path-prefix=$mapping")
done
# At fixed addresses, as Rust links for the other architectures: 108 KiB of tables that a position-independent binary relocates would
# be private memory of each process. RUSTFLAGS may say otherwise, as the last of two values counts.
read -ra others <<<"${RUSTFLAGS:-}"
flags=(-C relocation-model=static ${others[@]+"${others[@]}"} "${flags[@]}")
# Separated like this, paths may contain spaces.
CARGO_ENCODED_RUSTFLAGS="$(IFS=$'\x1f' && echo "${flags[*]}")"
export CARGO_ENCODED_RUSTFLAGS

cargo build --release --locked --bin sv --target "$target" >&2
echo "$target_dir/$target/release/sv"
