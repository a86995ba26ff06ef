#!/usr/bin/env bash
# Makes an RPM package and prints its path.
#
#   rpm.sh BINARY ARCH FOLDER    ARCH as for tests/setup/static.sh; the package is written to FOLDER
#
# Environment: SOURCE_DATE_EPOCH, the time of all files; NOTICES, the folder with THIRD-PARTY-LICENSES.
set -euo pipefail
cd "$(dirname "$0")/.."

binary="$(realpath "$1")" folder="$3"
arch="${2/#armv7/armv7hl}"
version="$(sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml | head -n 1)"

work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
cat >"$work/sv.spec" <<SPEC
Name: sv
Version: $version
Release: 1
Summary: Process supervisor and container init that replaces Supervisor
License: MIT
# It has another program that is called sv.
Conflicts: runit

%description
sv starts the programs of a configuration and keeps them running, as PID 1 of a container or as an ordinary daemon. It reads the
configuration of Supervisor unchanged, serves its XML-RPC interface and web page, and is its own client.

%install
cd $PWD
DESTDIR=%{buildroot} PREFIX=/usr packaging/install.sh install $binary
install -m 644 ${NOTICES:?}/THIRD-PARTY-LICENSES %{buildroot}/usr/share/doc/sv/THIRD-PARTY-LICENSES
gzip -9n %{buildroot}/usr/share/man/man?/*

%files
/usr/bin/sv
/usr/lib/systemd/system/sv.service
/usr/share/man/man?/*
/usr/share/bash-completion/completions/sv
/usr/share/zsh/site-functions/_sv
/usr/share/fish/vendor_completions.d/sv.fish
%dir /usr/share/doc/sv
%doc /usr/share/doc/sv/*

# A supervisor that runs is not restarted by an upgrade, as that would restart all programs.
%post
[ ! -d /run/systemd/system ] || systemctl daemon-reload || :

%preun
[ \$1 -gt 0 ] || [ ! -d /run/systemd/system ] || systemctl --no-reload disable --now sv.service || :

%postun
[ ! -d /run/systemd/system ] || systemctl daemon-reload || :
SPEC

umask 022
rpmbuild -bb --quiet --target "$arch-linux" --define "_topdir $work" --define "_rpmdir $work/rpms" --define '_build_id_links none' \
    --define '__os_install_post %{nil}' --define 'debug_package %{nil}' --define '_buildhost reproducible' \
    --define 'use_source_date_epoch_as_buildtime 1' --define 'clamp_mtime_to_source_date_epoch 1' --define 'use_source_date_epoch 1' "$work/sv.spec" >&2
cp "$work/rpms/$arch"/*.rpm "$folder"
echo "$folder/sv-$version-1.$arch.rpm"
