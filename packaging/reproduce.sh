#!/usr/bin/env bash
# Builds the release of an architecture here and in a clone elsewhere, and compares all files byte by byte.
#
#   reproduce.sh [ARCH...]    aarch64 by default
set -euo pipefail
cd "$(dirname "$0")/.."

[ $# -gt 0 ] || set -- aarch64
if [ -n "$(git status --porcelain --untracked-files=no)" ]; then
    echo "there are changes that are not committed, which the clone would not have" >&2
    exit 1
fi
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
git clone --quiet . "$work/another/folder"
DIST_DIR="$work/first" packaging/dist.sh "$@" >/dev/null
(cd "$work/another/folder" && CARGO_TARGET_DIR="$work/target" DIST_DIR="$work/second" packaging/dist.sh "$@")
diff "$work/first/SHA256SUMS" "$work/second/SHA256SUMS" || { echo "the two builds differ" >&2 && exit 1; }
echo "both builds have the same bytes"
