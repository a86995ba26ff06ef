//! Virtual machines: Debian's kernel with an initramfs of busybox and the static binary, which is PID 1 there.
//!
//! `tests/vm/README.md` describes what runs in a machine and how its results get out.

use std::fs::{self, File, Permissions};
use std::io::Write;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;
use std::thread::sleep;
use std::time::{Duration, Instant};

use super::container::static_busybox;
use super::{have, static_binary};

/// How long a machine may run. Booting takes five seconds on an idle machine, and many times that on a busy one.
const TIMEOUT: Duration = Duration::from_secs(420);

/// The same for one with systemd, podman and crun.
const RUNTIMES_TIMEOUT: Duration = Duration::from_secs(1200);

/// How many of the last lines of the console a failed test shows.
const CONSOLE_LINES_SHOWN: usize = 60;

/// The parameters of the kernel in all machines. The emulated timer is late on a busy machine, which must not be a panic.
const KERNEL_PARAMETERS: &str = "console=ttyS0 quiet panic=-1 no_timer_check";

/// What a machine has left when it has ended.
pub struct EndedMachine {
    /// Everything on the console: what the kernel and `sv` wrote, each line without its carriage return.
    pub console: String,
    /// The exit status of PID 1 as the kernel reports it: `None` if it did not exit.
    pub exit_status: Option<i32>,
}

/// Runs the scenarios of a suite, a file in `tests/vm/suites`, in a machine of their own, and asserts that each succeeds.
/// `None`: something for it is missing on this machine.
pub fn run_suite(name: &str) -> Option<EndedMachine> {
    let (sv, busybox, kernel) = (static_binary(), static_busybox(), kernel());
    let there = have("qemu-system-x86_64", find_program("qemu-system-x86_64"))
        && have("a static binary of these sources (make static)", sv.is_some())
        && have("a static busybox", busybox.is_some())
        && have("the kernel of Debian's cloud images", kernel.is_some());
    if !there {
        return None;
    }
    let suite = suite_text(name);
    let folder = tempfolder(name);
    fs::write(folder.join("initramfs"), initramfs(&sv?, &busybox?, &suite)).unwrap();
    let options = ["-m", "384", "-append", KERNEL_PARAMETERS, "-initrd", "initramfs"].map(str::to_owned);
    Some(Machine::start(folder, &kernel?, &options).wait(&suite, TIMEOUT))
}

/// Runs the scenarios of the suite `runtimes` in a machine with the root file system that `tests/setup/runtimes.sh` makes. Its
/// second disk is an archive with what is tested and the tests.
pub fn run_runtimes() -> Option<EndedMachine> {
    let (sv, busybox, kernel, root) =
        (static_binary(), static_busybox(), kernel(), made("SV_VM_RUNTIMES", "runtimes.img"));
    let there = have("qemu-system-x86_64", find_program("qemu-system-x86_64"))
        && have("a static binary of these sources (make static)", sv.is_some())
        && have("a static busybox", busybox.is_some())
        && have("the kernel of Debian's cloud images", kernel.is_some())
        && have("a root file system with podman (tests/setup/runtimes.sh)", root.is_some());
    if !there {
        return None;
    }
    let suite = suite_text("runtimes");
    let folder = tempfolder("runtimes");
    let files = folder.join("files");
    copy_guest(&files.join("vm"), &suite);
    fs::copy(sv.as_ref()?, files.join("sv")).unwrap();
    fs::create_dir_all(files.join("scratch/sv.d")).unwrap();
    fs::create_dir_all(files.join("usr/bin")).unwrap();
    symlink("/sv", files.join("usr/bin/sv")).unwrap();
    container_root(&folder.join("container"), &sv?, &busybox?);
    archive(&folder.join("container"), &files.join("vm/image.tar"));
    let repository = Path::new(env!("CARGO_MANIFEST_DIR"));
    let unit = fs::read_to_string(repository.join("packaging/sv.service")).unwrap();
    fs::write(files.join("vm/sv.service"), unit.replace("@BINDIR@", "/usr/bin")).unwrap();
    fs::create_dir(files.join("vm/kubernetes")).unwrap();
    for manifest in ["web.yaml", "sidecar.yaml"] {
        let from = repository.join("examples/kubernetes").join(manifest);
        fs::copy(from, files.join("vm/kubernetes").join(manifest)).unwrap();
    }
    archive(&files, &folder.join("disk"));
    let options = [
        "-m".to_owned(),
        "1536".to_owned(),
        "-append".to_owned(),
        format!("{KERNEL_PARAMETERS} root=/dev/nvme0n1 rw systemd.show_status=false"),
        "-drive".to_owned(),
        format!("file={},if=none,id=root,format=raw,snapshot=on", root?.display()),
        "-drive".to_owned(),
        "file=disk,if=none,id=files,format=raw,snapshot=on".to_owned(),
        "-device".to_owned(),
        "nvme,drive=root,serial=root".to_owned(),
        "-device".to_owned(),
        "nvme,drive=files,serial=files".to_owned(),
    ];
    Some(Machine::start(folder, &kernel?, &options).wait(&suite, RUNTIMES_TIMEOUT))
}

fn suite_text(name: &str) -> String {
    fs::read_to_string(folder().join("suites").join(format!("{name}.sh"))).unwrap()
}

fn copy_guest(into: &Path, suite: &str) {
    fs::create_dir_all(into).unwrap();
    for entry in fs::read_dir(folder().join("guest")).unwrap() {
        let entry = entry.unwrap();
        fs::copy(entry.path(), into.join(entry.file_name())).unwrap();
    }
    fs::write(into.join("suite.sh"), suite).unwrap();
}

/// The configuration of the image: an orphan, and something to read for a second container.
const CONTAINER_CONFIG: &str = r#"
[supervisord]
logfile=/dev/null
[unix_http_server]
file=/run/supervisor.sock
[program:sleeper]
command=/bin/sleep 100000
startsecs=0
[program:chatty]
command=/bin/sh -c "while sleep 1; do echo a line of chatty; done"
startsecs=0
[program:parent]
command=/bin/sh -c "sh -c 'sleep 100000 & echo $! >/run/orphan'; sleep 100000"
startsecs=0
"#;

/// The root of an image like that of `docker/pid1.Dockerfile`, with a program.
fn container_root(root: &Path, sv: &Path, busybox: &Path) {
    for folder in ["app", "bin", "dev", "etc", "proc", "run", "sys", "tmp", "var/log"] {
        fs::create_dir_all(root.join(folder)).unwrap();
    }
    // podman gives a file system in memory the mode of the image's folder, and Kubernetes makes it writable for all.
    fs::set_permissions(root.join("run"), Permissions::from_mode(0o1777)).unwrap();
    fs::copy(sv, root.join("sv")).unwrap();
    fs::copy(busybox, root.join("bin/busybox")).unwrap();
    for applet in applets(busybox) {
        symlink("busybox", root.join("bin").join(applet)).unwrap();
    }
    fs::write(root.join("etc/supervisord.conf"), CONTAINER_CONFIG).unwrap();
    fs::write(root.join("etc/passwd"), "root:x:0:0:root:/:/bin/sh\n").unwrap();
    // The programs of examples/kubernetes.
    fs::write(root.join("app/index.html"), "hello from web\n").unwrap();
    script(&root.join("app/web"), "exec httpd -f -p 8080 -h /app");
    script(&root.join("app/worker"), "exec sleep 100000");
    // podman runs an HTTP probe as `curl -f URL` in the container.
    script(&root.join("bin/curl"), "exec wget -q -O /dev/null \"$2\"");
}

fn script(path: &Path, command: &str) {
    fs::write(path, format!("#!/bin/sh\n{command}\n")).unwrap();
    fs::set_permissions(path, Permissions::from_mode(0o755)).unwrap();
}

/// All owned by root.
fn archive(root: &Path, to: &Path) {
    let made = Command::new("tar")
        .args(["--owner=0", "--group=0", "-cf"])
        .arg(to)
        .arg("-C")
        .arg(root)
        .arg(".")
        .status();
    assert!(made.unwrap().success());
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vm")
}

fn tempfolder(name: &str) -> PathBuf {
    let folder = std::env::temp_dir().join(format!("sv-vm-{}-{name}", std::process::id()));
    fs::create_dir_all(&folder).unwrap();
    folder
}

fn find_program(name: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|folder| folder.join(name).exists())
}

fn kernel() -> Option<PathBuf> {
    made("SV_VM_KERNEL", "vmlinuz")
}

/// What a variable names, or what the set-up has left in `target/vm`.
fn made(variable: &str, file: &str) -> Option<PathBuf> {
    let default = || Path::new(env!("CARGO_MANIFEST_DIR")).join("target/vm").join(file);
    let path = std::env::var_os(variable).map_or_else(default, PathBuf::from);
    path.exists().then_some(path)
}

fn applets(busybox: &Path) -> Vec<String> {
    let listed = Command::new(busybox).arg("--list").output().unwrap();
    let listed = String::from_utf8(listed.stdout).unwrap();
    listed.lines().filter(|applet| *applet != "busybox").map(str::to_owned).collect()
}

/// A running machine, which is killed and whose files are removed when this is dropped.
struct Machine {
    qemu: Child,
    folder: PathBuf,
    /// How many lines of the results have been read.
    results_read: usize,
}

impl Machine {
    fn start(folder: PathBuf, kernel: &Path, options: &[String]) -> Self {
        // Emulated even where there is /dev/kvm, so that it is the same everywhere: within other machines KVM may hang.
        let qemu = Command::new("qemu-system-x86_64")
            .args(["-machine", "pc,accel=tcg", "-smp", "2", "-nodefaults", "-no-user-config"])
            .args(["-display", "none", "-no-reboot", "-kernel"])
            .arg(kernel)
            .args(["-serial", "file:console", "-serial", "file:results", "-monitor", "stdio"])
            .args(options)
            .current_dir(&folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(File::create(folder.join("errors")).unwrap())
            .spawn()
            .unwrap();
        Self { qemu, folder, results_read: 0 }
    }

    fn wait(mut self, suite: &str, timeout: Duration) -> EndedMachine {
        let began = Instant::now();
        let deadline = began + timeout;
        loop {
            // Asked first: after the end of qemu nothing is written any more.
            let ended = self.qemu.try_wait().unwrap();
            self.obey();
            if let Some(status) = ended {
                assert!(status.success(), "qemu: {status}: {}", self.text("errors"));
                break;
            }
            assert!(
                Instant::now() < deadline,
                "the machine has not ended in {timeout:?}\nresults:\n{}\nconsole:\n{}",
                self.text("results"),
                last_lines(&self.text("console"))
            );
            sleep(Duration::from_millis(50));
        }
        show_durations(began.elapsed());
        let console = self.text("console");
        check_results(&self.text("results"), suite, &console);
        EndedMachine { exit_status: exit_status(&console), console }
    }

    /// Passes the commands for qemu's monitor on that the machine has asked for.
    fn obey(&mut self) {
        let results = self.text("results");
        // The last line may not be complete yet.
        let complete = results.matches('\n').count();
        for line in results.lines().take(complete).skip(self.results_read) {
            if let Some(command) = line.strip_prefix("monitor ") {
                let stdin = self.qemu.stdin.as_mut().unwrap();
                writeln!(stdin, "{command}").unwrap();
            }
        }
        self.results_read = complete;
    }

    fn text(&self, file: &str) -> String {
        let bytes = fs::read(self.folder.join(file)).unwrap_or_default();
        String::from_utf8_lossy(&bytes).replace('\r', "")
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        _ = self.qemu.kill();
        _ = self.qemu.wait();
        _ = fs::remove_dir_all(&self.folder);
    }
}

/// Prints how many machines have ended in this process, and the sum of their durations, with this one.
fn show_durations(duration: Duration) {
    static MACHINES: Mutex<(u32, Duration)> = Mutex::new((0, Duration::ZERO));
    let mut machines = MACHINES.lock().unwrap();
    machines.0 += 1;
    machines.1 += duration;
    // Not by a macro, whose output is captured.
    _ = writeln!(std::io::stderr(), "vm: {} machines in {} s", machines.0, machines.1.as_secs());
}

fn last_lines(text: &str) -> String {
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(CONSOLE_LINES_SHOWN)..].join("\n")
}

/// Asserts that every scenario of the suite has run and succeeded.
fn check_results(results: &str, suite: &str, console: &str) {
    let scenarios =
        suite.lines().filter_map(|line| line.strip_suffix("() {")).filter(|name| name.starts_with("test_"));
    let missing: Vec<&str> =
        scenarios.filter(|name| !results.lines().any(|line| line == format!("ok {name}"))).collect();
    assert!(
        missing.is_empty() && !results.contains("not ok finish"),
        "failed or not run: {missing:?}\nresults:\n{results}\nconsole:\n{}",
        last_lines(console)
    );
}

/// What the kernel says when PID 1 exits, which it does not survive.
fn exit_status(console: &str) -> Option<i32> {
    let (_, status) = console.split_once("Attempted to kill init! exitcode=0x")?;
    let wait_status = i32::from_str_radix(status.get(..8)?, 16).unwrap();
    assert_eq!(wait_status & 0x7f, 0, "a signal has ended PID 1:\n{}", last_lines(console));
    Some(wait_status >> 8)
}

fn initramfs(sv: &Path, busybox: &Path, suite: &str) -> Vec<u8> {
    let mut archive = Archive::default();
    for path in ["bin", "dev", "etc", "proc", "root", "run", "scratch", "sys", "tmp", "var", "var/log", "vm"]
    {
        archive.add(path, 0o040_755, &[]);
    }
    archive.device("dev/console", 5, 1);
    archive.device("dev/null", 1, 3);
    archive.add("sv", 0o100_755, &fs::read(sv).unwrap());
    archive.add("bin/sv", 0o120_777, b"/sv");
    archive.add("bin/busybox", 0o100_755, &fs::read(busybox).unwrap());
    for applet in applets(busybox) {
        archive.add(&format!("bin/{applet}"), 0o120_777, b"busybox");
    }
    for entry in fs::read_dir(folder().join("guest")).unwrap() {
        let file = entry.unwrap().path();
        let name = file.file_name().unwrap().to_str().unwrap();
        archive.add(&format!("vm/{name}"), 0o100_755, &fs::read(&file).unwrap());
    }
    archive.add("vm/suite.sh", 0o100_755, suite.as_bytes());
    archive.add("vm/noisy-neighbour", 0o040_755, &[]);
    archive.add("vm/noisy-neighbour/run", 0o040_755, &[]);
    archive.add("vm/noisy-neighbour/www", 0o040_755, &[]);
    let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/noisy-neighbour");
    for file in ["supervisord.conf", "page.sh", "report.sh", "www/index.html"] {
        archive.add(&format!("vm/noisy-neighbour/{file}"), 0o100_644, &fs::read(example.join(file)).unwrap());
    }
    archive.add("init", 0o120_777, b"/vm/init.sh");
    archive.finish()
}

/// A cpio archive in the format "newc", which the kernel unpacks as the first root file system. Written here, as device
/// nodes take root elsewhere: the kernel's Documentation/driver-api/early-userspace/buffer-format.rst.
#[derive(Default)]
struct Archive {
    bytes: Vec<u8>,
    entries: u32,
}

impl Archive {
    /// Adds a file, a folder or, with its target as content, a symbolic link. `mode` is that of stat(2).
    fn add(&mut self, path: &str, mode: u32, content: &[u8]) {
        self.entry(path, mode, content, (0, 0));
    }

    fn device(&mut self, path: &str, major: u32, minor: u32) {
        self.entry(path, 0o020_666, &[], (major, minor));
    }

    fn entry(&mut self, path: &str, mode: u32, content: &[u8], device: (u32, u32)) {
        self.entries += 1;
        let size = u32::try_from(content.len()).unwrap();
        let name_size = u32::try_from(path.len() + 1).unwrap();
        // ino, mode, uid, gid, nlink, mtime, filesize, dev, rdev, namesize, check
        let fields = [self.entries, mode, 0, 0, 1, 0, size, 0, 0, device.0, device.1, name_size, 0]
            .map(|n| format!("{n:08x}"));
        self.bytes.extend_from_slice(format!("070701{}{path}\0", fields.concat()).as_bytes());
        self.pad();
        self.bytes.extend_from_slice(content);
        self.pad();
    }

    fn pad(&mut self) {
        self.bytes.resize(self.bytes.len().next_multiple_of(4), 0);
    }

    fn finish(mut self) -> Vec<u8> {
        self.add("TRAILER!!!", 0, &[]);
        self.bytes
    }
}
