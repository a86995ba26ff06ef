//! Control groups of version 2: one for each program that needs one, below the cgroup that we were started in.
//!
//! ```text
//! BASE                  where we were started
//! └── sv-HASH           ours as long as we hold a lock on it
//!     ├── supervisor    ourselves, and programs without a cgroup of their own
//!     ├── p-web:web     a program
//!     └── …
//! ```
//!
//! The kernel lets a cgroup distribute memory, CPU time and processes to others only while no process is in it, so we
//! move into a cgroup of our own first. The lock makes sure that two supervisors never share a folder; the kernel
//! releases it even if we crash, and our successor finds what we have left. See cgroups(7) and the kernel's
//! Documentation/admin-guide/cgroup-v2.rst.

use std::fmt::Write as _;
use std::fs::{self, File};
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use nix::libc;
use rustix::fs::{FlockOperation, OFlags, fcntl_setfl, flock};

use super::files::read_file;
use super::kept::kept;
use super::{child, clone};
use crate::model::{LimitOption, Pid};

/// What is read of a file of cgroupfs, and of a list of mounts.
const FILE_BYTES_MAX: u64 = 1 << 20;

/// What is read of a file with a counter of kills. /proc/vmstat has a few KiB.
pub const COUNTER_BYTES_MAX: usize = 16 * 1024;

/// How many supervisors with the same configuration can be below one cgroup.
const FOLDERS_MAX: u32 = 16;

/// The maximum number of processes that move out of our cgroup with us.
const MOVED_MAX: usize = 4096;

/// The maximum number of cgroups that a program may have made below its own and that are looked at.
const NESTED_MAX: usize = 256;

/// The length of a cgroup's name, of which the kernel allows 255 bytes.
const NAME_BYTES_MAX: usize = 200;

/// The period of `cpu.max` in microseconds, which is the kernel's default.
const CPU_PERIOD: u64 = 100_000;

const SUPERVISOR: &str = "supervisor";

/// Our cgroup, our folder, and where we were started.
const GENERATIONS: usize = 3;

/// A part of the kernel that accounts for the processes of a cgroup.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[expect(missing_docs, reason = "the kernel's names")]
pub enum Controller {
    Memory,
    Cpu,
    Pids,
}

impl Controller {
    /// What an option needs.
    #[must_use]
    pub fn of(option: LimitOption) -> Option<Self> {
        match option {
            LimitOption::CgroupMemoryMax | LimitOption::CgroupMemoryHigh => Some(Self::Memory),
            LimitOption::CgroupCpuMax => Some(Self::Cpu),
            LimitOption::CgroupPidsMax => Some(Self::Pids),
            _ => None,
        }
    }

    /// As the kernel spells it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Memory => "memory",
            Self::Cpu => "cpu",
            Self::Pids => "pids",
        }
    }
}

/// Our folder. It is removed with everything in it by [`Self::leave`].
#[derive(Debug)]
pub struct Hierarchy {
    base: PathBuf,
    folder: PathBuf,
    /// The lock is released with the last copy of the descriptor.
    lock: OwnedFd,
    /// The controllers that we have enabled ourselves.
    switched_on: Vec<(PathBuf, Controller)>,
}

impl Hierarchy {
    /// Makes our folder, or takes that of a predecessor, and moves us into it. `id` is the same for supervisors that
    /// may succeed each other. `is_ours` decides which other processes move with us.
    ///
    /// # Errors
    /// Why there can be no cgroups, for people.
    pub fn set_up(id: &str, is_ours: &dyn Fn(Pid) -> bool) -> Result<Self, String> {
        let name = format!("sv-{:08x}", fnv1a(id.as_bytes()) >> 32);
        let current = own_cgroup()?;
        // After an exec of ours we are in it already.
        let inside = current.ancestors().nth(1).filter(|_| current.ends_with(SUPERVISOR));
        let inside = inside
            .filter(|it| it.file_name().is_some_and(|it| it.as_encoded_bytes().starts_with(name.as_bytes())));
        let base = inside.and_then(Path::parent).unwrap_or(&current).to_path_buf();
        let (folder, lock) = locked_folder(&base, &name)?;
        let leaf = folder.join(SUPERVISOR);
        make(&leaf).and_then(|()| join(&leaf, "0")).map_err(|error| unusable(&leaf, &error))?;
        if own_cgroup()? != leaf {
            return Err(format!("'{}' is not below the cgroup of this process", leaf.display()));
        }
        // What is left there is not ours, and makes the controllers unavailable.
        for pid in pids_in(&base).into_iter().take(MOVED_MAX).filter(|pid| is_ours(*pid)) {
            let _ = join(&leaf, &pid.to_string());
        }
        Ok(Self { base, folder, lock, switched_on: Vec::new() })
    }

    /// Makes a controller available to the cgroups of programs.
    ///
    /// # Errors
    /// Why it is not, for people.
    pub fn enable(&mut self, controller: Controller) -> Result<(), String> {
        let name = controller.name();
        let lists = |path: &Path, file: &str| {
            let known = read(&path.join(file)).unwrap_or_default();
            known.split_ascii_whitespace().any(|known| known == name)
        };
        if !lists(&self.base, "cgroup.controllers") {
            return Err(format!("'{}' does not have it", self.base.display()));
        }
        for path in [&self.base, &self.folder] {
            if lists(path, "cgroup.subtree_control") {
                continue;
            }
            write(&path.join("cgroup.subtree_control"), &format!("+{name}")).map_err(|error| {
                let why = match error.raw_os_error() {
                    Some(libc::EBUSY) => "other processes are in it".to_owned(),
                    _ => error.to_string(),
                };
                format!("'{}' cannot distribute it: {why}", path.display())
            })?;
            self.switched_on.push((path.clone(), controller));
        }
        Ok(())
    }

    /// Makes the cgroup of a program, or takes the one that it has left. What is still in that stays there.
    ///
    /// # Errors
    /// EACCES, EROFS, EAGAIN beyond cgroup.max.descendants.
    pub fn program(&self, full_name: &str) -> io::Result<Cgroup> {
        let cgroup = Cgroup { path: self.folder.join(program_name(full_name)) };
        let _ = cgroup.remove();
        make(&cgroup.path)?;
        Ok(cgroup)
    }

    /// Moves us back to where we were started, and removes our folder, unless other processes are left in it.
    pub fn leave(self) {
        for path in folders_in(&self.folder) {
            let _ = Cgroup { path }.remove();
        }
        for (path, controller) in self.switched_on.iter().rev() {
            let _ = write(&path.join("cgroup.subtree_control"), &format!("-{}", controller.name()));
        }
        if join(&self.base, "0").is_ok() {
            let _ = fs::remove_dir(self.folder.join(SUPERVISOR));
            let _ = fs::remove_dir(&self.folder);
        }
        drop(self.lock);
    }
}

/// The cgroup of a program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cgroup {
    path: PathBuf,
}

impl Cgroup {
    /// Its folder.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The file by which a child enters it: by writing `0`.
    ///
    /// # Errors
    /// EACCES, ENOENT.
    pub fn entrance(&self) -> io::Result<OwnedFd> {
        to_write(&self.path.join("cgroup.procs")).map(OwnedFd::from)
    }

    /// Sets a limit, or removes it. A limit below what is in use makes the kernel reclaim memory, which may take long:
    /// see [`Self::is_reclaimed_by`].
    ///
    /// # Errors
    /// ENOENT without the controller, EACCES.
    pub fn set_limit(&self, option: LimitOption, value: Option<u64>) -> io::Result<()> {
        let Some((file, text)) = limit_file(option, value) else { return Ok(()) };
        write(&self.path.join(file), &text)
    }

    /// Sets a limit in a child of ours, whose exit status is that of [`super::file_lookup::file_outcome`].
    ///
    /// # Errors
    /// ENOENT without the controller, EACCES; the errors of fork(2).
    pub fn set_limit_by_child(&self, option: LimitOption, value: Option<u64>) -> io::Result<Pid> {
        let Some((file, text)) = limit_file(option, value) else {
            return Err(io::ErrorKind::Unsupported.into());
        };
        let file = to_write(&self.path.join(file))?;
        // Recent kernels would not reclaim at all.
        fcntl_setfl(&file, OFlags::empty())?;
        clone::helper(&|| child::write_and_exit(&file, text.as_bytes()))
    }

    /// Whether setting this limit begins with reclaiming memory.
    #[must_use]
    pub fn is_reclaimed_by(&self, option: LimitOption, value: Option<u64>) -> bool {
        let is_memory = Controller::of(option) == Some(Controller::Memory);
        is_memory && value.is_some_and(|value| self.number("memory.current").is_some_and(|used| used > value))
    }

    /// The processes in it and in cgroups below it.
    #[must_use]
    pub fn pids(&self) -> Vec<Pid> {
        self.folders().iter().flat_map(|folder| pids_in(folder)).collect()
    }

    /// Its folder and those of the cgroups below it, each after its parent.
    fn folders(&self) -> Vec<PathBuf> {
        let (mut folders, mut next) = (vec![self.path.clone()], 0);
        while let Some(folder) = folders.get(next).cloned() {
            next += 1;
            let room = NESTED_MAX.saturating_sub(folders.len());
            folders.extend(folders_in(&folder).into_iter().take(room));
        }
        folders
    }

    /// Whether a process is in it or below it. Zombies do not count.
    #[must_use]
    pub fn is_populated(&self) -> bool {
        let events = read(&self.path.join("cgroup.events")).unwrap_or_default();
        events.lines().any(|line| line == "populated 1")
    }

    /// Kills everything in it, whatever it forks meanwhile.
    ///
    /// # Errors
    /// ENOENT before Linux 5.14.
    pub fn kill(&self) -> io::Result<()> {
        write(&self.path.join("cgroup.kill"), "1")
    }

    /// Removes it, if nothing is left in it. It may have been removed already.
    ///
    /// # Errors
    /// EBUSY.
    pub fn remove(&self) -> io::Result<()> {
        self.folders().iter().rev().try_for_each(|folder| match fs::remove_dir(folder) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            removed => removed,
        })
    }

    /// The memory in use, in bytes, without page cache that was not used lately: what kubelet calls the working set.
    /// `None` without the controller.
    #[must_use]
    pub fn memory(&self) -> Option<u64> {
        let used = self.number("memory.current")?;
        let stat = read(&self.path.join("memory.stat")).unwrap_or_default();
        Some(used.saturating_sub(value_of(&stat, "inactive_file").unwrap_or(0)))
    }

    /// How many of its processes the OOM killer has killed so far. `None` without the controller.
    #[must_use]
    pub fn oom_kills(&self) -> Option<u64> {
        value_of(&read(&self.path.join("memory.events")).ok()?, "oom_kill")
    }

    fn number(&self, file: &str) -> Option<u64> {
        read(&self.path.join(file)).ok()?.trim().parse().ok()
    }
}

/// How many processes of the container the OOM killer has killed so far: by the counter of the cgroup that we are in, of
/// either version, or in the root cgroup by that of the machine.
#[derive(Debug, Default)]
pub struct OomCounter {
    /// Kept open, as it is read after each end by a SIGKILL of others, before the restart.
    file: Option<File>,
    counts_programs: bool,
}

impl OomCounter {
    /// That of our current cgroup, or of the one that we were started in if ours does not count.
    #[must_use]
    pub fn of_our_cgroup() -> Self {
        let own = own_cgroup().unwrap_or_default();
        let ancestors = || own.ancestors().take(GENERATIONS);
        let leaf = own.join("memory.events");
        if own.ends_with(SUPERVISOR) && leaf.exists() {
            return Self { file: open_counter(leaf), counts_programs: false };
        }
        let v2 = ancestors().map(|path| path.join("memory.events")).find(|it| it.exists());
        let v1 = || {
            let file = own_cgroup_of("memory").ok()?.join("memory.oom_control");
            file.exists().then_some(file)
        };
        // The counter of the machine may count what is not ours unless we are in the root cgroup, which alone has no
        // such file, also in a namespace of cgroups.
        let is_root =
            |path: &Path| path.join("cgroup.procs").exists() && !path.join("cgroup.events").exists();
        let machine = || ancestors().any(is_root).then(|| PathBuf::from("/proc/vmstat"));
        Self { file: v2.or_else(v1).or_else(machine).and_then(open_counter), counts_programs: true }
    }

    /// Whether it also counts what is killed in cgroups of programs.
    #[must_use]
    pub fn counts_programs(&self) -> bool {
        self.counts_programs
    }

    /// Its present value, read into a buffer of at least [`COUNTER_BYTES_MAX`]. `None` if it can't be read.
    #[must_use]
    pub fn read(&self, buffer: &mut [u8]) -> Option<u64> {
        let (file, mut length) = (self.file.as_ref()?, 0);
        let text = buffer.get_mut(..COUNTER_BYTES_MAX)?;
        // The kernel may give a page at a time.
        while let count @ 1.. = file.read_at(&mut text[length..], length as u64).ok()? {
            length += count;
        }
        value_of(str::from_utf8(&text[..length]).ok()?, "oom_kill")
    }
}

fn open_counter(path: PathBuf) -> Option<File> {
    File::open(path).ok().map(|file| kept(file.into()).into())
}

/// The file of an option, and its text.
fn limit_file(option: LimitOption, value: Option<u64>) -> Option<(&'static str, String)> {
    let text = |value: Option<u64>| value.map_or("max".to_owned(), |value| value.to_string());
    Some(match option {
        LimitOption::CgroupMemoryMax => ("memory.max", text(value)),
        LimitOption::CgroupMemoryHigh => ("memory.high", text(value)),
        LimitOption::CgroupPidsMax => ("pids.max", text(value)),
        LimitOption::CgroupCpuMax => {
            let quota = value.map(|percent| percent.saturating_mul(CPU_PERIOD / 100));
            ("cpu.max", format!("{} {CPU_PERIOD}", text(quota)))
        }
        _ => return None,
    })
}

/// `p-web:worker_1`. What the kernel or a shell might not like is written in hexadecimal digits, so that no two
/// programs get the same name.
fn program_name(full_name: &str) -> String {
    let mut name = String::from("p-");
    for byte in full_name.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b':' | b'@' => {
                name.push(byte.into())
            }
            _ => {
                let _ = write!(name, "%{byte:02x}");
            }
        }
    }
    if name.len() > NAME_BYTES_MAX {
        name.truncate(NAME_BYTES_MAX);
        let _ = write!(name, "-{:016x}", fnv1a(full_name.as_bytes()));
    }
    name
}

/// A hash that does not depend on the version of anything.
fn fnv1a(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}

/// The first of our possible folders that no other supervisor has.
fn locked_folder(base: &Path, name: &str) -> Result<(PathBuf, OwnedFd), String> {
    for number in 0..FOLDERS_MAX {
        let suffix = if number == 0 { String::new() } else { format!("-{number}") };
        let folder = base.join(format!("{name}{suffix}"));
        let opened =
            make(&folder).and_then(|()| File::open(&folder)).map_err(|error| unusable(&folder, &error))?;
        if flock(&opened, FlockOperation::NonBlockingLockExclusive).is_ok() {
            return Ok((folder, opened.into()));
        }
    }
    Err(format!("other supervisors have all folders such as '{}'", base.join(name).display()))
}

fn unusable(path: &Path, error: &io::Error) -> String {
    format!("cannot use '{}': {error}", path.display())
}

/// The folder of the cgroup of version 2 that we are in.
fn own_cgroup() -> Result<PathBuf, String> {
    own_cgroup_of("")
}

/// The same for a controller of version 1, by its name; version 2 has no name.
fn own_cgroup_of(controller: &str) -> Result<PathBuf, String> {
    let text = |path: &str| read(Path::new(path)).map_err(|error| format!("cannot read '{path}': {error}"));
    let (cgroups, mounts) = (text("/proc/self/cgroup")?, text("/proc/self/mountinfo")?);
    let path = cgroup_path(&cgroups, controller).ok_or("the kernel has no cgroups of version 2")?;
    let mut mounts = mounts.lines().filter_map(|line| cgroup_mount(line, controller)).peekable();
    if mounts.peek().is_none() {
        return Err("no file system of cgroup version 2 is mounted".to_owned());
    }
    let found = mounts.find_map(|(root, point)| Some(point.join(below(path, &root)?)));
    found.ok_or_else(|| "the cgroup of this process is not below a mounted one".to_owned())
}

/// `0::/a` or, for a controller of version 1, `4:memory:/a`. See cgroups(7).
fn cgroup_path<'t>(text: &'t str, controller: &str) -> Option<&'t str> {
    text.lines().find_map(|line| {
        let (_, rest) = line.split_once(':')?;
        let (controllers, path) = rest.split_once(':')?;
        controllers.split(',').any(|known| known == controller).then_some(path)
    })
}

/// Root and mount point of a line of mountinfo, see proc_pid_mountinfo(5), if it is one of cgroups.
fn cgroup_mount(line: &str, controller: &str) -> Option<(String, PathBuf)> {
    let (before, after) = line.split_once(" - ")?;
    let mut fields = before.split(' ').skip(3).map(unescaped);
    let (root, point) = (fields.next()?, fields.next()?);
    let mut after = after.split(' ');
    let (kind, options) = (after.next()?, after.nth(1).unwrap_or_default());
    let is_it = match controller {
        "" => kind == "cgroup2",
        _ => kind == "cgroup" && options.split(',').any(|known| known == controller),
    };
    is_it.then(|| (root, PathBuf::from(point)))
}

/// `\040` as a space, and so on.
fn unescaped(text: &str) -> String {
    let mut parts = text.split('\\');
    let mut found = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        match part.get(..3).and_then(|digits| u8::from_str_radix(digits, 8).ok()) {
            Some(byte) => {
                found.push(byte.into());
                found.push_str(part.get(3..).unwrap_or_default());
            }
            None => {
                found.push('\\');
                found.push_str(part);
            }
        }
    }
    found
}

/// The path from a mount's root to a cgroup; `None` for one outside.
fn below<'p>(path: &'p str, root: &str) -> Option<&'p str> {
    let rest = path.strip_prefix(root.trim_end_matches('/'))?;
    let is_inside = (rest.is_empty() || rest.starts_with('/')) && !rest.split('/').any(|part| part == "..");
    is_inside.then(|| rest.trim_start_matches('/'))
}

fn make(folder: &Path) -> io::Result<()> {
    match fs::create_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        made => made,
    }
}

/// Moves a process to a cgroup. `0` is the writer itself.
///
/// # Errors
/// EACCES, EBUSY, ENOENT.
pub fn join(cgroup: &Path, pid: &str) -> io::Result<()> {
    write(&cgroup.join("cgroup.procs"), pid)
}

fn pids_in(cgroup: &Path) -> Vec<Pid> {
    let text = read(&cgroup.join("cgroup.procs")).unwrap_or_default();
    // 0 is a process of another pid namespace.
    text.lines().filter_map(|line| line.parse().ok().filter(|pid| *pid > 0).map(Pid)).collect()
}

fn folders_in(cgroup: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(cgroup).into_iter().flatten().flatten();
    entries.filter(|it| it.file_type().is_ok_and(|kind| kind.is_dir())).map(|it| it.path()).collect()
}

fn read(path: &Path) -> io::Result<String> {
    read_file(path, FILE_BYTES_MAX).map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
}

fn to_write(path: &Path) -> io::Result<File> {
    // Recent kernels do not reclaim memory for a limit before they return if the file is nonblocking.
    File::options().write(true).custom_flags(libc::O_NONBLOCK).open(path)
}

/// With one call: each write is a command of its own.
fn write(path: &Path, text: &str) -> io::Result<()> {
    rustix::io::write(to_write(path)?, text.as_bytes())?;
    Ok(())
}

/// The number after a name in a file with a pair in each line.
fn value_of(text: &str, name: &str) -> Option<u64> {
    text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' ')?.trim().parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_programs_are_safe_and_differ() {
        let names = ["web", "a:b", "a/b", "a%2fb", "..", "cgroup.procs", "a\nb", "ü", ""];
        let found: Vec<_> = names.iter().map(|name| program_name(name)).collect();
        assert_eq!(
            found,
            ["p-web", "p-a:b", "p-a%2fb", "p-a%252fb", "p-..", "p-cgroup.procs", "p-a%0ab", "p-%c3%bc", "p-"]
        );
        let long = |last: char| program_name(&format!("{}{last}", "ü".repeat(300)));
        assert!(long('a') != long('b') && long('a').len() < 255);
    }

    #[test]
    fn our_cgroup_is_found_in_what_the_kernel_lists() {
        let hybrid = "4:memory:/docker/1\n3:cpu,cpuacct:/\n0::/a/b\n";
        assert_eq!(cgroup_path(hybrid, ""), Some("/a/b"));
        assert_eq!(
            (cgroup_path(hybrid, "memory"), cgroup_path(hybrid, "cpu")),
            (Some("/docker/1"), Some("/"))
        );
        assert_eq!((cgroup_path("4:memory:/\n", ""), cgroup_path("", "")), (None, None));
        let v2 =
            r"29 23 0:26 /a /sys/fs/c\040group rw,nosuid shared:4 master:1 - cgroup2 cgroup2 rw,nsdelegate";
        assert_eq!(cgroup_mount(v2, ""), Some(("/a".to_owned(), PathBuf::from("/sys/fs/c group"))));
        let v1 = "36 30 0:31 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory";
        assert_eq!((cgroup_mount(v1, "").is_none(), cgroup_mount(v1, "memory").is_some()), (true, true));
        assert!(cgroup_mount("garbage", "").is_none() && cgroup_mount("1 2 3 - cgroup2", "").is_none());
        for (path, root, expected) in [
            ("/", "/", Some("")),
            ("/a/b", "/", Some("a/b")),
            ("/a/b", "/a", Some("b")),
            ("/a", "/a", Some("")),
            ("/ab", "/a", None),
            ("/../x", "/", None),
            ("/", "/..", None),
        ] {
            assert_eq!(below(path, root), expected, "{path} {root}");
        }
    }

    #[test]
    fn values_are_written_as_the_kernel_wants_them() {
        for (option, value, expected) in [
            (LimitOption::CgroupMemoryMax, Some(4096), Some(("memory.max", "4096"))),
            (LimitOption::CgroupMemoryHigh, None, Some(("memory.high", "max"))),
            (LimitOption::CgroupCpuMax, Some(150), Some(("cpu.max", "150000 100000"))),
            (LimitOption::CgroupCpuMax, None, Some(("cpu.max", "max 100000"))),
            (LimitOption::CgroupPidsMax, Some(7), Some(("pids.max", "7"))),
            (LimitOption::Nice, Some(7), None),
        ] {
            let found = limit_file(option, value);
            assert_eq!(found.as_ref().map(|(file, text)| (*file, text.as_str())), expected);
        }
    }

    #[test]
    fn a_child_that_writes_a_limit_keeps_nothing_else_open() {
        let (mut file, target) = io::pipe().unwrap();
        // Full, so that the write lasts until it is read.
        rustix::io::ioctl_fionbio(&target, true).unwrap();
        while rustix::io::write(&target, &[0; 4096]).is_ok() {}
        rustix::io::ioctl_fionbio(&target, false).unwrap();
        let (mut reader, other) = io::pipe().unwrap();
        let pid = clone::with_copied_memory(&|| child::write_and_exit(&target, b"max")).unwrap();
        drop((target, other));
        assert_eq!(io::Read::read(&mut reader, &mut [0]).unwrap(), 0);
        io::copy(&mut file, &mut io::sink()).unwrap();
        let status = nix::sys::wait::waitpid(nix::unistd::Pid::from_raw(pid.0), None).unwrap();
        assert!(matches!(status, nix::sys::wait::WaitStatus::Exited(_, 0)), "{status:?}");
    }

    #[test]
    fn what_a_program_has_made_in_its_cgroup_is_removed_with_it() {
        let base = super::super::scratch::Folder::new("cgroups");
        let folder = base.join("sv-1");
        let nested = |name: &str| fs::create_dir_all(folder.join(name).join("a/b"));
        nested("p-web").unwrap();
        fs::create_dir(folder.join(SUPERVISOR)).unwrap();
        fs::write(base.join("cgroup.procs"), "").unwrap();
        let lock = File::open(&folder).unwrap().into();
        let hierarchy =
            Hierarchy { base: base.join(""), folder: folder.clone(), lock, switched_on: Vec::new() };
        let web = hierarchy.program("web").unwrap();
        assert!(web.path == folder.join("p-web") && web.path.exists() && !web.path.join("a").exists());
        nested("p-web").unwrap();
        hierarchy.leave();
        assert!(!folder.exists());
    }

    #[test]
    fn counters_are_found_by_their_names() {
        let events = "low 0\noom 3\noom_kill 2\noom_group_kill 9\n";
        assert_eq!(
            (value_of(events, "oom_kill"), value_of(events, "oom"), value_of(events, "max")),
            (Some(2), Some(3), None)
        );
    }
}
