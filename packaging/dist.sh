#!/usr/bin/env bash
# Builds what is released into target/dist: for each architecture a tarball, a Debian package and an RPM package, and for all of
# them the bill of materials and the checksums. All files have the time of the commit, so that they can be reproduced.
#
#   dist.sh [ARCH...]    x86_64, aarch64, armv7, riscv64; all of them by default
#
# A tarball can be unpacked below /usr/local as it is. Packages whose tools are missing are left out, with a line that says so,
# unless CI is set.
set -euo pipefail
cd "$(dirname "$0")/.."

dist="${DIST_DIR:-${CARGO_TARGET_DIR:-target}/dist}"
version="$(sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml | head -n 1)"
: "${SOURCE_DATE_EPOCH:=$(git log -1 --format=%ct)}"
export SOURCE_DATE_EPOCH
umask 022
[ $# -gt 0 ] || set -- x86_64 aarch64 armv7 riscv64

rm -rf "$dist"
mkdir -p "$dist"
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
export NOTICES="$work"
packaging/dependencies.py licenses >"$work/THIRD-PARTY-LICENSES"
packaging/dependencies.py sbom >"$dist/sv-$version.cdx.json"

have() {
    command -v "$1" >/dev/null && return
    echo "$1 is missing: no $2 is made" >&2
    [ -z "${CI:-}" ] || exit 1
    false
}

for arch in "$@"; do
    binary="$(tests/setup/static.sh "$arch")"
    case "$binary" in
    *-musl*) ;;
    # Whoever distributes glibc linked statically has to make relinking possible.
    *) [ -n "${ALLOW_GLIBC:-}" ] || { echo "'$binary' is linked with glibc, which is not for release" >&2 && exit 1; } ;;
    esac
    name="sv-$version-$arch-linux"
    DESTDIR="$work/$name" PREFIX=/ packaging/install.sh install "$binary"
    # The unit is for where the tarball is meant to go.
    sed 's#@BINDIR@#/usr/local/bin#' packaging/sv.service >"$work/$name/lib/systemd/system/sv.service"
    install -m 644 "$work/THIRD-PARTY-LICENSES" "$work/$name/share/doc/sv/THIRD-PARTY-LICENSES"
    tar -C "$work" --sort=name --mtime="@$SOURCE_DATE_EPOCH" --owner=0 --group=0 --numeric-owner -c "$name" \
        | gzip -9n >"$dist/$name.tar.gz"
    ! have dpkg-deb "Debian package" || packaging/deb.sh "$binary" "$arch" "$dist" >/dev/null
    ! have rpmbuild "RPM package" || packaging/rpm.sh "$binary" "$arch" "$dist" >/dev/null
done
(cd "$dist" && sha256sum -- * >"$work/SHA256SUMS" && mv "$work/SHA256SUMS" .)
cat "$dist/SHA256SUMS"
