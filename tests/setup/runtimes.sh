#!/usr/bin/env bash
# Makes the root file system of the virtual machine of `make vm-runtimes` from Debian's packages: systemd, podman and crun, with the
# modules of the kernel that tests/setup/kernel.sh unpacks. It is made again when this script or the modules are newer.
set -euo pipefail
script="$(realpath "$0")"
cd "$(dirname "$0")/../.."

image="${SV_VM_RUNTIMES:-target/vm/runtimes.img}"
modules="$(dirname "${SV_VM_KERNEL:-target/vm/vmlinuz}")/modules"
[ "$script" -nt "$image" ] || [ "$modules" -nt "$image" ] || exit 0
[ "$(id -u)" -eq 0 ] || { echo "setup: making $image takes root" >&2; exit 1; }
# trixie: the podman of bookworm knows neither `emptyDir` in memory nor a `subPath`.
suite=trixie
echo "setup: making $image: $suite with systemd, podman and crun"
mkdir -p "$(dirname "$image")"
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT

timeout 1200 mmdebstrap --quiet --variant=essential \
    --include=systemd-sysv,dbus,kmod,podman,crun,catatonit,netavark,nftables,curl \
    --dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-exclude=/usr/share/locale/*' \
    --dpkgopt='path-exclude=/usr/share/man/*' "$suite" "$work/root"

# The second disk is an archive: what is tested, and the tests.
cat >"$work/root/etc/systemd/system/scenarios.service" <<'UNIT'
[Service]
Type=oneshot
ExecStartPre=/bin/tar -C / -xf /dev/nvme1n1
ExecStart=/vm/driver.sh
StandardOutput=tty
StandardError=tty
TTYPath=/dev/console
TimeoutStartSec=infinity
UNIT
ln -s ../scenarios.service "$work/root/etc/systemd/system/multi-user.target.wants/scenarios.service"

cp -r "$modules" "$work/root/usr/lib/modules"
for version in "$modules"/*; do
    chroot "$work/root" depmod "$(basename "$version")"
done
rm -rf "$work"/root/var/cache/apt/* "$work"/root/var/lib/apt/lists/*

mke2fs -q -t ext4 -d "$work/root" "$image.new" 1500M
mv "$image.new" "$image"
