#!/usr/bin/env bash
# Builds the documents as a book and prints its path. In the repository they are in several folders, so that links work on
# the pages of a repository too; mdBook wants them below one, so they are copied there with their links adapted.
set -euo pipefail
cd "$(dirname "$0")/.."

MDBOOK_VERSION=0.5.4
mdbook="${SV_MDBOOK_BIN:-target/mdbook/bin}/mdbook"

if [ "$("$mdbook" --version 2>/dev/null)" != "mdbook v$MDBOOK_VERSION" ]; then
    cargo install --quiet --locked --root target/mdbook --no-default-features --features search "mdbook@$MDBOOK_VERSION" >&2
    mdbook=target/mdbook/bin/mdbook
fi

source=target/book-src
rm -rf "$source"
mkdir -p "$source"
cp docs/*.{md,png,svg} ./*.md "$source"
cp -r examples "$source"
install -D -m 644 tests/vm/README.md "$source/tests/vm/README.md"
sed -i -E 's#\]\(docs/#](#g; s#\]\(\.\./(examples|tests|[A-Z]+\.md)#](\1#g' "$source"/*.md
sed -i 's#](../../docs/#](../../#g' "$source"/examples/*/README.md
# mdBook makes a README the index of its folder, and leaves links to it as they are.
find "$source" -name '*.md' ! -name SUMMARY.md -exec sed -i -E 's#(\]\([^)]*)README\.md#\1index.md#g' {} +

"$mdbook" build >&2
echo target/book/index.html
