#!/usr/bin/env bash
# Makes what takes the place of base images where no registry can be reached, from Debian's packages alone:
# archives in target/bases, which tests/recipes.rs imports. What is there is not made again.
#
#   debian      the essential packages, installed and configured, without documentation: as debian:*-slim
#   distroless  glibc, certificates, time zones and users, and no shell: as the distroless base image
#   supervisor  the files of Debian's own package of Supervisor, without Python: what an image with it has in addition
#   alpine      busybox and the loader of musl, which is Alpine's libc; none of its packages
set -euo pipefail
cd "$(dirname "$0")/../.."

bases="${SV_BASES:-target/bases}"
suite="$(. /etc/os-release && echo "${VERSION_CODENAME:-bookworm}")"
mkdir -p "$bases"
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
# It becomes the root of images, which every user may enter.
chmod 755 "$work"

# Packs a folder as the archive of that name, all at once.
pack() {
    tar -C "$work/$1" --numeric-owner --owner=0 --group=0 -cf "$bases/$1.tar.new" .
    mv "$bases/$1.tar.new" "$bases/$1.tar"
}

# Unpacks these packages, without running anything of them.
unpack() {
    local into="$work/$1" package
    shift
    mkdir -p "$into" "$work/debs"
    for package in "$@"; do
        (cd "$work/debs" && apt-get download -qq -o APT::Sandbox::User=root "$package" && dpkg-deb -x "${package}"_*.deb "$into")
    done
}

users() {
    printf 'root:x:0:0:root:/root:/sbin/nologin\nnobody:x:65534:65534:nobody:/nonexistent:/sbin/nologin\n' >"$1/etc/passwd"
    printf 'nonroot:x:65532:65532:nonroot:/home/nonroot:/sbin/nologin\n' >>"$1/etc/passwd"
    printf 'root:x:0:\nnogroup:x:65534:\nnonroot:x:65532:\n' >"$1/etc/group"
}

if [ ! -f "$bases/debian.tar" ]; then
    echo "setup: making $bases/debian.tar: $suite with its essential packages"
    timeout 300 mmdebstrap --quiet --variant=essential --dpkgopt='path-exclude=/usr/share/doc/*' \
        --dpkgopt='path-exclude=/usr/share/locale/*' --dpkgopt='path-exclude=/usr/share/man/*' \
        "$suite" "$work/debian.tar"
    mv "$work/debian.tar" "$bases/debian.tar"
fi

if [ ! -f "$bases/distroless.tar" ]; then
    echo "setup: making $bases/distroless.tar"
    unpack distroless base-files netbase tzdata ca-certificates libc6 libssl3
    users "$work/distroless"
    # What the package does when it is installed.
    mkdir -p "$work/distroless/etc/ssl/certs" "$work/distroless/home/nonroot"
    cat "$work"/distroless/usr/share/ca-certificates/mozilla/*.crt >"$work/distroless/etc/ssl/certs/ca-certificates.crt"
    rm -rf "$work"/distroless/usr/share/{doc,man,lintian}
    pack distroless
fi

if [ ! -f "$bases/supervisor.tar" ]; then
    echo "setup: making $bases/supervisor.tar"
    unpack supervisor supervisor
    # /lib is a link in the image that it is added to.
    rm -rf "$work"/supervisor/{lib,usr/lib,usr/share}
    pack supervisor
fi

if [ ! -f "$bases/alpine.tar" ]; then
    echo "setup: making $bases/alpine.tar"
    unpack alpine musl busybox-static
    mkdir -p "$work/alpine"/{etc,run,tmp,var/log,proc,dev,sys,usr/sbin,sbin,lib}
    users "$work/alpine"
    for applet in $("$work/alpine/bin/busybox" --list); do
        [ -e "$work/alpine/bin/$applet" ] || ln -s busybox "$work/alpine/bin/$applet"
    done
    rm -rf "$work/alpine/usr/share"
    pack alpine
fi
