#!/usr/bin/env bash
# Makes a Debian package and prints its path.
#
#   deb.sh BINARY ARCH FOLDER    ARCH as for tests/setup/static.sh; the package is written to FOLDER
#
# Environment: SOURCE_DATE_EPOCH, the time of all files; NOTICES, the folder with THIRD-PARTY-LICENSES.
set -euo pipefail
cd "$(dirname "$0")/.."

binary="$1" folder="$3"
case "$2" in
x86_64) arch=amd64 ;;
aarch64) arch=arm64 ;;
armv7) arch=armhf ;;
riscv64) arch=riscv64 ;;
*) echo "unknown architecture '$2'" >&2 && exit 2 ;;
esac
version="$(sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml | head -n 1)"
maintainer="$(git log -1 --format='%aN <%aE>' 2>/dev/null || echo 'sv <root@localhost>')"

tree="$(mktemp -d)"
trap 'rm -rf "$tree"' EXIT
chmod 755 "$tree"
umask 022
DESTDIR="$tree" PREFIX=/usr ZSH_COMPLETIONS=share/zsh/vendor-completions packaging/install.sh install "$binary"

# Supervisor's own package has manual pages of these names: ours get there by alternatives.
mv "$tree/usr/share/man/man8/supervisord.8" "$tree/usr/share/man/man8/sv-supervisord.8"
mv "$tree/usr/share/man/man1/supervisorctl.1" "$tree/usr/share/man/man1/sv-supervisorctl.1"
gzip -9n "$tree"/usr/share/man/man?/*

doc="$tree/usr/share/doc/sv"
rm "$doc/LICENSE" "$doc/CHANGELOG.md"
gzip -9n <CHANGELOG.md >"$doc/NEWS.gz"
{
    printf 'Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/\nUpstream-Name: sv\n'
    printf 'Comment: The licenses of the libraries in the binary are in /usr/share/doc/sv/THIRD-PARTY-LICENSES.gz.\n'
    printf '\nFiles: *\nCopyright: %s\nLicense: MIT\n' "$(sed -n 's/^Copyright (c) //p' LICENSE)"
    sed -n '/^Permission/,$s/^$/./;/^Permission/,$s/^/ /p' LICENSE
} >"$doc/copyright"
gzip -9n <"${NOTICES:?}/THIRD-PARTY-LICENSES" >"$doc/THIRD-PARTY-LICENSES.gz"
printf 'sv (%s) unstable; urgency=medium\n\n  * See /usr/share/doc/sv/NEWS.gz.\n\n -- %s  %s\n' \
    "$version" "$maintainer" "$(date -u -R -d "@${SOURCE_DATE_EPOCH:?}")" | gzip -9n >"$doc/changelog.gz"
install -D -m 644 packaging/deb/lintian-overrides "$tree/usr/share/lintian/overrides/sv"

mkdir "$tree/DEBIAN"
install -m 755 packaging/deb/{postinst,prerm,postrm} "$tree/DEBIAN"
(cd "$tree" && find usr -type f -print0 | LC_ALL=C sort -z | xargs -0 md5sum) >"$tree/DEBIAN/md5sums"
cat >"$tree/DEBIAN/control" <<CONTROL
Package: sv
Version: $version
Architecture: $arch
Maintainer: $maintainer
Installed-Size: $(du -sk --apparent-size "$tree/usr" | cut -f 1)
Section: admin
Priority: optional
Conflicts: runit
Description: process supervisor and container init that replaces Supervisor
 sv starts the programs of a configuration and keeps them running, as PID 1 of
 a container or as an ordinary daemon. It reads the configuration of Supervisor
 unchanged, serves its XML-RPC interface and web page, and is its own client.
 .
 The package runit has another program that is called sv.
CONTROL

find "$tree" -exec touch -h -d "@$SOURCE_DATE_EPOCH" {} +
dpkg-deb --root-owner-group -Zxz --build "$tree" "$folder/sv_${version}_$arch.deb" >/dev/null
echo "$folder/sv_${version}_$arch.deb"
