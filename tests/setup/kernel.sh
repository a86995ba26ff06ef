#!/usr/bin/env bash
# Unpacks the kernel of Debian's cloud images and its modules for the virtual machines of tests/vm: it is not installed, so neither
# /boot nor the bootloader of this machine changes. What is there is not fetched again.
set -euo pipefail
cd "$(dirname "$0")/../.."

kernel="${SV_VM_KERNEL:-target/vm/vmlinuz}"
modules="$(dirname "$kernel")/modules"
[ ! -e "$kernel" ] || [ ! -e "$modules" ] || exit 0
[ "$(uname -m)" = x86_64 ] || { echo "setup: the virtual machines of the tests are only made for x86_64" >&2; exit 1; }

# The package of that name only depends on that of the current version.
package="$(apt-cache depends --important linux-image-cloud-amd64 | sed -n 's/^ *Depends: //p' | head -n 1)"
[ -n "$package" ] || { echo "setup: there is no linux-image-cloud-amd64 here" >&2; exit 1; }
echo "setup: unpacking $package into $(dirname "$kernel")"
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
(cd "$work" && apt-get download -qq -o APT::Sandbox::User=root "$package")
dpkg-deb --fsys-tarfile "$work"/*.deb | tar -x -C "$work" --wildcards './boot/vmlinuz-*' './lib/modules/*'
mkdir -p "$(dirname "$kernel")"
rm -rf "$modules"
mv "$work/lib/modules" "$modules.new"
mv "$work"/boot/vmlinuz-* "$kernel.new"
mv "$kernel.new" "$kernel"
# Last: both are there if this is.
mv "$modules.new" "$modules"
