#!/usr/bin/env bash
# Makes the root file system of the virtual machine of `make vm-runtimes`: Debian with systemd, podman and crun, from its packages.
# What is there is not made again.
set -euo pipefail
cd "$(dirname "$0")/../.."

image="${SV_VM_RUNTIMES:-target/vm/runtimes.img}"
[ ! -e "$image" ] || exit 0
[ "$(id -u)" -eq 0 ] || { echo "setup: making $image takes root" >&2; exit 1; }
suite="$(. /etc/os-release && echo "${VERSION_CODENAME:-bookworm}")"
echo "setup: making $image: $suite with systemd, podman and crun"
mkdir -p "$(dirname "$image")"
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT

timeout 1200 mmdebstrap --quiet --variant=essential --include=systemd-sysv,dbus,podman,crun,catatonit,curl \
    --dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-exclude=/usr/share/locale/*' \
    --dpkgopt='path-exclude=/usr/share/man/*' "$suite" "$work/root"

# The second disk is an archive: what is tested, and the tests.
cat >"$work/root/etc/systemd/system/scenarios.service" <<'EOF'
[Service]
Type=oneshot
ExecStartPre=/bin/tar -C / -xf /dev/nvme1n1
ExecStart=/vm/driver.sh
StandardOutput=tty
StandardError=tty
TTYPath=/dev/console
TimeoutStartSec=infinity
EOF
ln -s ../scenarios.service "$work/root/etc/systemd/system/multi-user.target.wants/scenarios.service"
# No modules of the kernel are there for overlayfs, and no network but that of the machine.
mkdir -p "$work/root/etc/containers"
printf '[storage]\ndriver = "vfs"\nrunroot = "/run/containers/storage"\ngraphroot = "/var/lib/containers/storage"\n' \
    >"$work/root/etc/containers/storage.conf"
printf '[engine]\nruntime = "crun"\ncgroup_manager = "cgroupfs"\n' >"$work/root/etc/containers/containers.conf"
rm -rf "$work"/root/var/cache/apt/* "$work"/root/var/lib/apt/lists/*

mke2fs -q -t ext4 -d "$work/root" "$image.new" 1200M
mv "$image.new" "$image"
