#!/usr/bin/env python3
"""Writes what the binary is made of, from `cargo metadata` and Cargo.lock, on standard output.

    dependencies.py licenses    the notices of all crates that are linked, for THIRD-PARTY-LICENSES
    dependencies.py page        the list of all crates with their licences, for docs/licenses.md
    dependencies.py sbom        a bill of materials in JSON (CycloneDX 1.5), with the crates that only the build needs

All are the same for all architectures of a release. The time in the last is SOURCE_DATE_EPOCH.
"""

import datetime
import hashlib
import json
import os
import pathlib
import re
import subprocess
import sys
import tomllib
import uuid

ROOT = pathlib.Path(__file__).resolve().parent.parent
TARGETS = [
    "x86_64-unknown-linux-musl",
    "aarch64-unknown-linux-musl",
    "armv7-unknown-linux-musleabihf",
    "riscv64gc-unknown-linux-musl",
]
# Linked into every static binary, and no crate of ours: both come with the compiler.
RUNTIME = [
    ("rust-std", "MIT OR Apache-2.0", "https://github.com/rust-lang/rust"),
    ("musl", "MIT", "https://musl.libc.org"),
]


def compiler():
    """The version of the compiler, which has to be the same to reproduce a release."""
    return subprocess.run(["rustc", "--version"], check=True, stdout=subprocess.PIPE, text=True).stdout.split()[1]


def metadata():
    platforms = [word for target in TARGETS for word in ("--filter-platform", target)]
    command = ["cargo", "metadata", "--locked", "--format-version", "1", *platforms]
    return json.loads(subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE).stdout)


class Crates:
    """The graph of dependencies: `linked` reach the binary, `needed` also those that run at build time."""

    def __init__(self, found):
        self.packages = {package["id"]: package for package in found["packages"]}
        self.nodes = {node["id"]: node for node in found["resolve"]["nodes"]}
        self.root = found["resolve"]["root"]
        self.linked = self.reach(lambda id, kinds: None in kinds and not self.is_macro(id))
        self.needed = self.reach(lambda id, kinds: kinds != {"dev"})

    def is_macro(self, id):
        return any("proc-macro" in target["kind"] for target in self.packages[id]["targets"])

    def dependencies(self, id, follow):
        for edge in self.nodes[id]["deps"]:
            if follow(edge["pkg"], {kind["kind"] for kind in edge["dep_kinds"]}):
                yield edge["pkg"]

    def reach(self, follow):
        reached, waiting = set(), [self.root]
        while waiting:
            for id in self.dependencies(waiting.pop(), follow):
                if id not in reached:
                    reached.add(id)
                    waiting.append(id)
        # Crates of this project have no source.
        return {id for id in reached if self.packages[id]["source"]}

    def sorted(self, ids):
        return sorted((self.packages[id] for id in ids), key=lambda package: (package["name"], package["version"]))


def expression(package):
    """The licence as an SPDX expression: old manifests write a slash for OR."""
    return re.sub(r"\s*/\s*", " OR ", package["license"])


def notices(package):
    """The texts of the licence that we use: MIT where it is offered, or else everything that is there."""
    folder = pathlib.Path(package["manifest_path"]).parent
    named = re.compile(r"(un)?licen[cs]e|copying|notice", re.IGNORECASE)
    files = sorted(file for file in folder.iterdir() if named.match(file.name) and file.is_file())
    needs_all = " AND " in package["license"]
    mit = [file for file in files if re.search(r"MIT", file.name)]
    chosen = mit if mit and not needs_all else files
    if not chosen:
        sys.exit(f"'{folder}' has no text of its licence, {package['license']}")
    return [file.read_text(encoding="utf-8").strip() for file in chosen]


def licenses(crates):
    line = "=" * 100
    print("The binary `sv` is under the licence in LICENSE. It contains these libraries, under the licences below.\n")
    linked = crates.sorted(crates.linked)
    for package in linked:
        print(f"  {package['name']} {package['version']}: {expression(package)}")
    for name, license, url in RUNTIME:
        print(f"  {name}: {license} ({url})")
    runtime = (ROOT / "packaging/runtime-licenses.txt").read_text(encoding="utf-8").strip()
    # Crates of one author often have the same text.
    texts = {}
    for package in linked:
        for text in notices(package):
            texts.setdefault(text, []).append(f"{package['name']} {package['version']}")
    for text, names in [*texts.items(), (runtime, ["the standard library of Rust and the C library"])]:
        print(f"\n{line}\n{', '.join(names)}\n{line}\n\n{text}")


def page(crates):
    def table(rows):
        print("| name | version | license | source |\n|---|---|---|---|")
        for row in rows:
            print(f"| {' | '.join(row)} |")

    def row(package):
        return package["name"], package["version"], expression(package), package["repository"] or "crates.io"

    print(
        """# Licenses of the dependencies

Written by `packaging/dependencies.py page` from `Cargo.lock`. The license of `sv` itself is @. `THIRD-PARTY-LICENSES` in a
package has the texts, and `sv-VERSION.cdx.json` in a release is the bill of materials. `make deny` refuses dependencies with
licenses that `deny.toml` does not list.

## In the binary
""".replace("@", expression(crates.packages[crates.root]))
    )
    table(map(row, crates.sorted(crates.linked)))
    print("\nThese come with the compiler and are linked into every static binary:\n")
    table((name, "that of the compiler", license, url) for name, license, url in RUNTIME)
    print("\n## For the build only\n\nThey run at build time, and no part of them is in the binary.\n")
    table(map(row, crates.sorted(crates.needed - crates.linked)))


def sbom(crates):
    lock = (ROOT / "Cargo.lock").read_bytes()
    checksums = {
        (package["name"], package["version"]): package.get("checksum")
        for package in tomllib.loads(lock.decode())["package"]
    }

    def purl(package):
        return f"pkg:cargo/{package['name']}@{package['version'].replace('+', '%2B')}"

    def component(package):
        of = {
            "type": "library",
            "bom-ref": purl(package),
            "name": package["name"],
            "version": package["version"],
            "scope": "required" if package["id"] in crates.linked else "excluded",
            "licenses": [{"expression": expression(package)}],
            "purl": purl(package),
        }
        if checksum := checksums[package["name"], package["version"]]:
            of["hashes"] = [{"alg": "SHA-256", "content": checksum}]
        if url := package["repository"]:
            of["externalReferences"] = [{"type": "vcs", "url": url}]
        return of

    root = crates.packages[crates.root]
    needed = crates.sorted(crates.needed)
    runtime = [
        {
            "type": "library",
            "bom-ref": name,
            "name": name,
            "version": f"of Rust {compiler()}",
            "scope": "required",
            "licenses": [{"expression": license}],
            "externalReferences": [{"type": "website", "url": url}],
        }
        for name, license, url in RUNTIME
    ]

    def depends_on(package):
        ids = crates.dependencies(package["id"], lambda id, _: id in crates.needed)
        of = sorted({purl(crates.packages[id]) for id in ids})
        return of + [part["bom-ref"] for part in runtime] if package is root else of

    time = datetime.datetime.fromtimestamp(int(os.environ["SOURCE_DATE_EPOCH"]), datetime.timezone.utc)
    of = {
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "serialNumber": f"urn:uuid:{uuid.uuid5(uuid.NAMESPACE_URL, purl(root) + hashlib.sha256(lock).hexdigest())}",
        "version": 1,
        "metadata": {
            "timestamp": time.isoformat().replace("+00:00", "Z"),
            "component": {
                "type": "application",
                "bom-ref": purl(root),
                "name": root["name"],
                "version": root["version"],
                "description": root["description"],
                "licenses": [{"expression": expression(root)}],
                "purl": purl(root),
            },
        },
        "components": [component(package) for package in needed] + runtime,
        "dependencies": [
            {"ref": purl(package), "dependsOn": depends_on(package)} for package in [root, *needed]
        ],
    }
    print(json.dumps(of, indent=2, ensure_ascii=False))


def main():
    writers = {"licenses": licenses, "page": page, "sbom": sbom}
    if len(sys.argv) != 2 or sys.argv[1] not in writers:
        sys.exit(__doc__)
    writers[sys.argv[1]](Crates(metadata()))


main()
