//! Virtual machines: Debian's kernel with an initramfs of busybox and the static binary, which is PID 1 there.
//!
//! `tests/vm/README.md` describes what runs in a machine and how its results get out.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use super::container::static_busybox;
use super::{have, static_binary};

/// How long a machine may run. Booting takes five seconds on an idle machine, and many times that on a busy one.
const BOOT_TIMEOUT: Duration = Duration::from_secs(240);

/// How many of the last lines of the console a failed test shows.
const CONSOLE_LINES_SHOWN: usize = 60;

const MEMORY_MIB: u32 = 384;

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
    let suite = fs::read_to_string(folder().join("suites").join(format!("{name}.sh"))).unwrap();
    let folder = tempfolder(name);
    fs::write(folder.join("initramfs"), initramfs(&sv?, &busybox?, &suite)).unwrap();
    let machine = Machine::start(folder, &kernel?);
    let ended = machine.wait(&suite);
    Some(ended)
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

/// `SV_VM_KERNEL`, or where `make setup` unpacks it.
fn kernel() -> Option<PathBuf> {
    let unpacked = || Path::new(env!("CARGO_MANIFEST_DIR")).join("target/vm/vmlinuz");
    let path = std::env::var_os("SV_VM_KERNEL").map_or_else(unpacked, PathBuf::from);
    path.exists().then_some(path)
}

/// A running machine, which is killed and whose files are removed when this is dropped.
struct Machine {
    qemu: Child,
    folder: PathBuf,
    /// How many lines of the results have been read.
    results_read: usize,
}

impl Machine {
    fn start(folder: PathBuf, kernel: &Path) -> Self {
        // Emulated even where there is /dev/kvm, so that it is the same everywhere: within other machines KVM may hang.
        let qemu = Command::new("qemu-system-x86_64")
            .args(["-machine", "pc,accel=tcg", "-smp", "2", "-m", &MEMORY_MIB.to_string()])
            .args(["-nodefaults", "-no-user-config", "-display", "none", "-no-reboot"])
            .args(["-append", "console=ttyS0 quiet panic=-1 no_timer_check", "-kernel"])
            .arg(kernel)
            .args(["-initrd", "initramfs", "-serial", "file:console", "-serial", "file:results"])
            .args(["-monitor", "stdio"])
            .current_dir(&folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(File::create(folder.join("errors")).unwrap())
            .spawn()
            .unwrap();
        Self { qemu, folder, results_read: 0 }
    }

    fn wait(mut self, suite: &str) -> EndedMachine {
        let deadline = Instant::now() + BOOT_TIMEOUT;
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
                "the machine has not ended in {BOOT_TIMEOUT:?}\nresults:\n{}\nconsole:\n{}",
                self.text("results"),
                last_lines(&self.text("console"))
            );
            sleep(Duration::from_millis(50));
        }
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
        fs::remove_dir_all(&self.folder).unwrap();
    }
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
    let listed = Command::new(busybox).arg("--list").output().unwrap();
    for applet in String::from_utf8(listed.stdout).unwrap().lines().filter(|applet| *applet != "busybox") {
        archive.add(&format!("bin/{applet}"), 0o120_777, b"busybox");
    }
    for entry in fs::read_dir(folder().join("guest")).unwrap() {
        let file = entry.unwrap().path();
        let name = file.file_name().unwrap().to_str().unwrap();
        archive.add(&format!("vm/{name}"), 0o100_755, &fs::read(&file).unwrap());
    }
    archive.add("vm/suite.sh", 0o100_755, suite.as_bytes());
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
