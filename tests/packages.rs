//! What is released besides the binary: packages are made, installed, upgraded and removed for real, in a root of Debian's own
//! packages, and `make install` is undone by `make uninstall`.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a helper that fails is a test that fails")]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;

mod support;
use support::{Sandbox, have, static_binary};

/// 2026-01-01, for files of a package.
const EPOCH: &str = "1767225600";

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn is_installed(program: &str) -> bool {
    have(program, Command::new(program).arg("--version").output().is_ok())
}

/// What a command, which has to succeed, writes to standard error, and after that to standard output.
fn output(command: &mut Command) -> String {
    let Output { status, stdout, stderr } =
        command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let all = [stderr, stdout].concat();
    assert!(status.success(), "{command:?}: {}", String::from_utf8_lossy(&all));
    String::from_utf8(all).unwrap()
}

/// A script of `packaging`, with what it needs in the environment.
fn packaging(script: &str) -> Command {
    let mut command = Command::new(root().join("packaging").join(script));
    command.current_dir(root()).env("SOURCE_DATE_EPOCH", EPOCH);
    command
}

/// Makes a package of this machine's architecture in the folder of the sandbox.
fn package(sandbox: &Sandbox, script: &str, binary: &Path) -> PathBuf {
    sandbox.write("THIRD-PARTY-LICENSES", "the licenses\n");
    let mut command = packaging(script);
    command.arg(binary).arg(std::env::consts::ARCH).arg(sandbox.dir()).env("NOTICES", sandbox.dir());
    PathBuf::from(output(&mut command).lines().last().unwrap())
}

/// The static binary, or a line that says that it is missing.
fn released() -> Option<PathBuf> {
    let binary = static_binary();
    have("a static binary of these sources (make static)", binary.is_some()).then_some(binary).flatten()
}

/// All files and links below a folder, except those that change whatever dpkg does.
fn files(folder: &Path) -> BTreeSet<String> {
    let all = output(Command::new("find").arg(folder).args(["!", "-type", "d", "-printf", "%P\n"]));
    let changes = |path: &str| {
        path.starts_with("var/log/") || path.starts_with("var/lib/dpkg/") || path.starts_with("var/cache/")
    };
    all.lines().filter(|path| !changes(path)).map(str::to_owned).collect()
}

/// A root of Debian's essential packages, in which commands run by chroot(2).
struct Debian {
    root: PathBuf,
}

impl Debian {
    fn new(sandbox: &Sandbox) -> Option<Self> {
        let bases = std::env::var_os("SV_BASES").map_or_else(|| root().join("target/bases"), PathBuf::from);
        let archive = bases.join("debian.tar");
        let is_root = rustix::process::getuid().is_root();
        if !have("root", is_root) || !have(&format!("the base {}", archive.display()), archive.exists()) {
            return None;
        }
        let folder = sandbox.path("debian");
        fs::create_dir(&folder).unwrap();
        output(Command::new("tar").arg("-xf").arg(archive).arg("-C").arg(&folder).arg("--exclude=./dev/*"));
        // Scripts of packages write to it.
        fs::write(folder.join("dev/null"), "").unwrap();
        Some(Self { root: folder })
    }

    fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new("chroot");
        command.arg(&self.root).args(words).env("DEBIAN_FRONTEND", "noninteractive").env("LC_ALL", "C.UTF-8");
        command
    }

    fn run(&self, words: &[&str]) -> String {
        output(&mut self.command(words))
    }

    /// Installs a package that lies outside of the root.
    fn install(&self, package: &Path) -> String {
        fs::copy(package, self.root.join("package.deb")).unwrap();
        let said = self.run(&["dpkg", "--install", "/package.deb"]);
        fs::remove_file(self.root.join("package.deb")).unwrap();
        said
    }
}

/// The same package with other lines in its control file.
fn changed(sandbox: &Sandbox, package: &Path, name: &str, change: impl Fn(&str) -> String) -> PathBuf {
    let (tree, target) = (sandbox.path(&format!("{name}.tree")), sandbox.path(&format!("{name}.deb")));
    output(Command::new("dpkg-deb").arg("-R").arg(package).arg(&tree));
    let control = tree.join("DEBIAN/control");
    fs::write(&control, change(&fs::read_to_string(&control).unwrap())).unwrap();
    output(Command::new("dpkg-deb").args(["--root-owner-group", "-b"]).args([&tree, &target]));
    target
}

#[test]
fn a_debian_package_is_installed_upgraded_and_leaves_nothing_behind() {
    let sandbox = Sandbox::new("");
    let (Some(binary), Some(debian)) = (released(), Debian::new(&sandbox)) else { return };
    let package = package(&sandbox, "deb.sh", &binary);
    let before = files(&debian.root);

    debian.install(&package);
    assert!(debian.run(&["sv", "--version"]).starts_with(&format!("sv {} ", env!("CARGO_PKG_VERSION"))));
    assert_eq!(debian.run(&["supervisord", "--version"]).trim(), "4.3.0");
    assert!(debian.run(&["echo_supervisord_conf"]).starts_with("; Sample supervisor config file."));
    assert!(debian.run(&["supervisorctl", "help"]).contains("default commands"));
    assert!(debian.run(&["update-alternatives", "--query", "supervisord"]).contains("Value: /usr/bin/sv\n"));
    debian.run(&["dpkg", "--verify", "sv"]);

    // As systemd does when it is enabled by hand; an upgrade keeps that.
    output(
        debian.command(&["deb-systemd-helper", "enable", "sv.service"]).env("DPKG_MAINTSCRIPT_PACKAGE", "sv"),
    );
    let link = debian.root.join("etc/systemd/system/multi-user.target.wants/sv.service");
    assert!(link.is_symlink());
    let next = changed(&sandbox, &package, "next", |text| text.replace("\nVersion: ", "\nVersion: 1"));
    debian.install(&next);
    assert!(debian.run(&["dpkg-query", "-W", "sv"]).contains(&format!("1{}", env!("CARGO_PKG_VERSION"))));
    assert_eq!(debian.run(&["supervisord", "--version"]).trim(), "4.3.0");
    assert!(link.is_symlink());

    debian.run(&["dpkg", "--remove", "sv"]);
    assert!(!debian.command(&["supervisord", "--version"]).output().unwrap().status.success());
    debian.run(&["dpkg", "--purge", "sv"]);
    assert_eq!(before, files(&debian.root));
}

#[test]
fn a_debian_package_refuses_runit_and_leaves_the_files_of_supervisor_alone() {
    let sandbox = Sandbox::new("");
    let (Some(binary), Some(debian)) = (released(), Debian::new(&sandbox)) else { return };
    let package = package(&sandbox, "deb.sh", &binary);
    // In place of the package of Supervisor: the files that matter.
    let other = |name: &str, files: &[&str]| {
        let tree = sandbox.path(name);
        fs::create_dir_all(tree.join("usr/bin")).unwrap();
        for file in files {
            fs::write(tree.join("usr/bin").join(file), "#!/bin/sh\necho theirs\n").unwrap();
            output(Command::new("chmod").arg("755").arg(tree.join("usr/bin").join(file)));
        }
        fs::create_dir(tree.join("DEBIAN")).unwrap();
        let control = format!(
            "Package: {name}\nVersion: 1\nArchitecture: all\nMaintainer: t <t@localhost>\nDescription: x\n"
        );
        fs::write(tree.join("DEBIAN/control"), control).unwrap();
        let target = sandbox.path(&format!("{name}.deb"));
        output(Command::new("dpkg-deb").args(["--root-owner-group", "-b"]).args([&tree, &target]));
        target
    };
    debian.install(&other("supervisor", &["supervisord", "supervisorctl"]));
    debian.install(&package);
    assert_eq!(debian.run(&["supervisord"]), "theirs\n");
    assert_eq!(debian.run(&["supervisorctl"]), "theirs\n");
    debian.run(&["sv", "--version"]);
    debian.run(&["dpkg", "--remove", "supervisor"]);
    debian.run(&["update-alternatives", "--auto", "supervisord"]);
    assert_eq!(debian.run(&["supervisord", "--version"]).trim(), "4.3.0");

    fs::copy(other("runit", &["runsv"]), debian.root.join("runit.deb")).unwrap();
    let refused = debian.command(&["dpkg", "--install", "/runit.deb"]).output().unwrap();
    assert!(!refused.status.success());
    assert!(String::from_utf8_lossy(&refused.stderr).contains("conflicting packages"), "{refused:?}");
}

#[test]
fn lintian_has_no_complaint_about_the_debian_package() {
    let Some(binary) = released().filter(|_| is_installed("lintian")) else { return };
    let sandbox = Sandbox::new("");
    let package = package(&sandbox, "deb.sh", &binary);
    let mut lintian = Command::new("lintian");
    lintian.args(["--allow-root", "--fail-on=error,warning", "--tag-display-limit=0"]);
    lintian.env("TMPDIR", sandbox.dir());
    assert_eq!(output(lintian.arg(package)), "");
}

#[test]
fn an_rpm_package_is_installed_and_removed() {
    let Some(binary) = released().filter(|_| is_installed("rpmbuild")) else { return };
    let sandbox = Sandbox::new("");
    let package = package(&sandbox, "rpm.sh", &binary);
    let root = sandbox.path("root");
    let rpm = |words: &[&str]| output(Command::new("rpm").arg("--root").arg(&root).args(words));
    fs::create_dir(&root).unwrap();
    // Without a shell in there, no script of a package runs.
    rpm(&["--install", "--nodeps", "--noscripts", "--ignorearch", package.to_str().unwrap()]);
    assert!(output(Command::new(root.join("usr/bin/sv")).arg("--version")).starts_with("sv "));
    rpm(&["--verify", "--nodeps", "sv"]);
    assert!(rpm(&["--query", "--conflicts", "sv"]).contains("runit"));
    rpm(&["--erase", "--nodeps", "--noscripts", "sv"]);
    assert!(!root.join("usr/bin/sv").exists() && !root.join("usr/share/doc/sv").exists());
}

#[test]
fn uninstall_removes_what_install_has_installed() {
    let sandbox = Sandbox::new("");
    let make = |target: &str, names: &str| {
        let mut make = Command::new("make");
        make.current_dir(root()).args(["-s", target, "PREFIX=/opt/it", "BIN=/bin/true"]);
        output(make.arg(format!("NAMES={names}")).arg(format!("DESTDIR={}", sandbox.path("root").display())))
    };
    let there = sandbox.path("root/opt/it");
    fs::create_dir_all(there.join("bin")).unwrap();
    fs::write(there.join("bin/supervisord"), "theirs").unwrap();
    let said = make("install", "supervisord supervisorctl");
    assert!(said.contains("/opt/it/bin/supervisord' exists"), "{said}");
    assert_eq!(fs::read_link(there.join("bin/supervisorctl")).unwrap(), Path::new("sv"));
    let unit = fs::read_to_string(there.join("lib/systemd/system/sv.service")).unwrap();
    assert!(unit.contains("\nExecStart=/opt/it/bin/sv run\n"), "{unit}");
    assert!(files(&there).len() > 10);
    make("uninstall", "");
    assert_eq!(files(&there), BTreeSet::from(["bin/supervisord".to_owned()]));
}

#[test]
fn the_unit_is_valid() {
    if !is_installed("systemd-analyze") {
        return;
    }
    let sandbox = Sandbox::new("");
    let unit = fs::read_to_string(root().join("packaging/sv.service")).unwrap();
    fs::create_dir(sandbox.path("bin")).unwrap();
    sandbox.write("bin/sv", "");
    output(Command::new("chmod").arg("755").arg(sandbox.path("bin/sv")));
    sandbox.write("sv.service", &unit.replace("@BINDIR@", sandbox.path("bin").to_str().unwrap()));
    let mut verify = Command::new("systemd-analyze");
    verify.args(["verify", "--man=no"]).arg(sandbox.path("sv.service"));
    assert_eq!(output(&mut verify), "");
}

/// The standard output of a command that must succeed. On standard error cargo may say that it waits for another cargo.
fn written(command: &mut Command) -> String {
    let done = command.output().unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    String::from_utf8(done.stdout).unwrap()
}

#[test]
fn the_bill_of_materials_names_every_package() {
    let bill: Value = serde_json::from_str(&written(packaging("dependencies.py").arg("sbom"))).unwrap();
    assert_eq!(bill["metadata"]["timestamp"], "2026-01-01T00:00:00Z");
    let components = bill["components"].as_array().unwrap();
    let names: BTreeSet<&str> = components.iter().map(|it| it["name"].as_str().unwrap()).collect();
    let lock = fs::read_to_string(root().join("Cargo.lock")).unwrap();
    let locked: BTreeSet<&str> = lock
        .lines()
        .filter_map(|line| line.strip_prefix("name = \"")?.strip_suffix('"'))
        // Of other systems, and of this project.
        .filter(|name| !name.starts_with("windows-") && !["sv", "sv-lines"].contains(name))
        .collect();
    let expected = locked.iter().copied().chain(["musl", "rust-std"]).collect();
    assert_eq!(names, expected);
    let scope = |name: &str| components.iter().find(|it| it["name"] == name).unwrap()["scope"].as_str();
    assert_eq!((scope("rustix"), scope("clap_derive")), (Some("required"), Some("excluded")));

    let licenses = written(packaging("dependencies.py").arg("licenses"));
    assert!(licenses.contains("\n  rustix ") && !licenses.contains("\n  clap_derive "));
    assert!(licenses.contains("Rich Felker"));
}

#[test]
fn the_page_of_licenses_is_up_to_date() {
    let page = written(packaging("dependencies.py").arg("page"));
    let path = root().join("docs/licenses.md");
    assert!(
        fs::read_to_string(&path).unwrap() == page,
        "write docs/licenses.md again: packaging/dependencies.py page >docs/licenses.md"
    );
}

/// The target directory that the static binary was built in: with it `dist.sh` has nothing to compile.
fn target_of(binary: &Path) -> Option<&Path> {
    let target = binary.ancestors().nth(3)?;
    let musl = format!("{}-unknown-linux-musl", std::env::consts::ARCH);
    binary.strip_prefix(target.join(musl)).ok().map(|_| target)
}

#[test]
fn a_release_is_made_checked_and_unpacked() {
    let Some(binary) = released() else { return };
    let target = target_of(&binary);
    if !have("the target directory of the static binary", target.is_some()) {
        return;
    }
    let sandbox = Sandbox::new("");
    let (dist, arch) = (sandbox.path("dist"), std::env::consts::ARCH);
    let mut script = packaging("dist.sh");
    output(script.arg(arch).env("DIST_DIR", &dist).env("CARGO_TARGET_DIR", target.unwrap()));

    let name = format!("sv-{}-{arch}-linux", env!("CARGO_PKG_VERSION"));
    let sums = fs::read_to_string(dist.join("SHA256SUMS")).unwrap();
    let listed: BTreeSet<&str> = sums.lines().filter_map(|line| line.split_whitespace().nth(1)).collect();
    let made = files(&dist);
    let others: BTreeSet<&str> =
        made.iter().map(String::as_str).filter(|file| *file != "SHA256SUMS").collect();
    assert_eq!(listed, others);
    assert!(listed.contains(format!("{name}.tar.gz").as_str()), "{listed:?}");
    let mut check = Command::new("sha256sum");
    output(check.args(["--check", "--ignore-missing", "SHA256SUMS"]).current_dir(&dist));

    let root = sandbox.path("local");
    fs::create_dir(&root).unwrap();
    let mut tar = Command::new("tar");
    tar.arg("-xzf").arg(dist.join(format!("{name}.tar.gz"))).arg("-C").arg(&root).arg("--strip-components=1");
    output(&mut tar);
    let printed = output(Command::new(root.join("bin/sv")).arg("--version"));
    assert!(printed.starts_with(&format!("sv {}", env!("CARGO_PKG_VERSION"))), "{printed}");
    assert!(root.join("share/doc/sv/THIRD-PARTY-LICENSES").exists());
}

/// GitHub reads it only when a tag is pushed.
#[test]
fn the_release_workflow_is_valid() {
    let folder = std::env::var_os("SV_KUBERNETES_BIN");
    let python = folder.map_or_else(|| root().join("target/kubernetes/bin"), PathBuf::from).join("python");
    if !have("a reader of YAML, which comes with kubernetes-validate", python.exists()) {
        return;
    }
    let mut reader = Command::new(python);
    reader.arg("tests/kubernetes/to_json.py").arg(".github/workflows/release.yml").current_dir(root());
    let workflow: Value = serde_json::from_str(&output(&mut reader)).unwrap();
    let jobs = workflow[0]["jobs"].as_object().unwrap();
    let makefile = fs::read_to_string(root().join("Makefile")).unwrap();
    let mut called = BTreeSet::new();
    for (name, job) in jobs {
        assert!(job["runs-on"].is_string() && job["timeout-minutes"].is_number(), "{name}");
        let needs = job["needs"].as_array().map_or(&[][..], Vec::as_slice);
        assert!(needs.iter().all(|needed| jobs.contains_key(needed.as_str().unwrap())), "{name}: {needs:?}");
        let steps = job["steps"].as_array().unwrap();
        assert_eq!(steps[0]["uses"], "actions/checkout@v4", "{name}");
        for step in &steps[1..] {
            let script = step["run"].as_str().unwrap_or_else(|| panic!("{name}: {step}"));
            output(Command::new("bash").args(["-n", "-c", script]));
            for line in script.lines() {
                if let Some(words) = line.trim().strip_prefix("make ") {
                    called.insert(words.split_whitespace().next().unwrap().to_owned());
                }
            }
        }
    }
    for target in &called {
        assert!(makefile.contains(&format!("\n{target}:")), "there is no target '{target}'");
    }
    let expected = ["deny", "dist", "dist-check", "setup", "test-arch"].map(str::to_owned);
    assert_eq!(called, BTreeSet::from(expected));
    let archs = serde_json::json!(["x86_64", "aarch64", "armv7", "riscv64"]);
    assert_eq!(jobs["test-arch"]["strategy"]["matrix"]["arch"], archs);
}
