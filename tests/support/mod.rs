//! A supervisor in a folder of its own, for tests that drive the real binary and real children.
//!
//! Nothing here sleeps and hopes: every wait names what it waits for, looks until it is there, and fails
//! at a deadline with the activity log in its message. Whatever a test started is killed when its
//! [`Sandbox`] goes, grandchildren and orphans too.
//!
//! The binary under test is the one cargo built; `SV_TEST_BIN` names another one, and
//! `SV_TEST_REFERENCE=<folder>` runs the same tests against the `supervisord` and `supervisorctl` there.
#![allow(
    dead_code,
    unreachable_pub,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "each test crate uses its part of this module, and a helper that fails is a test that fails"
)]

pub mod browser;
pub mod client;
pub mod container;
pub mod peers;
pub mod terminal;
pub mod vm;
pub mod wire;

use std::ffi::OsString;
use std::fs;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, Once};
use std::time::{Duration, Instant, SystemTime};

use nix::sys::signal::SigSet;
use rustix::process::{Pid, Signal, kill_process};

/// How long any one thing may take. Generous: it bounds a broken test, not a slow machine.
pub const TIMEOUT: Duration = Duration::from_secs(30);

/// The sections that every configuration of ours starts with: all files in the configuration's folder.
pub const HEAD: &str = "\
[supervisord]
logfile=%(here)s/supervisord.log
pidfile=%(here)s/supervisord.pid
childlogdir=%(here)s

[unix_http_server]
file=%(here)s/supervisor.sock

[rpcinterface:supervisor]
supervisor.rpcinterface_factory=supervisor.rpcinterface:make_main_rpcinterface

[supervisorctl]
serverurl=unix://%(here)s/supervisor.sock

";

/// A listener in Perl. It writes each event to the file of its first argument, as it came, and says that it is done. With a second
/// argument it counts characters, as a listener does that reads text.
pub const REPORT: &str = r#"
$| = 1;
binmode(STDIN, $ARGV[1] ? ':utf8' : ':raw');
while (1) {
    print "READY\n";
    my $header = <STDIN>;
    exit unless defined $header;
    my ($length) = $header =~ / len:(\d+)$/;
    read(STDIN, my $payload, $length) if $length;
    open(my $file, '>>', $ARGV[0]) or die;
    binmode($file, $ARGV[1] ? ':utf8' : ':raw');
    print $file $header, $payload, "\n--\n";
    close($file);
    print "RESULT 2\nOK";
}
"#;

/// The name of the variable that marks all that a sandbox started.
const MARK: &str = "SV_TEST_SANDBOX";

/// A temporary folder with a configuration, and the supervisor that runs it once it is started.
#[derive(Debug)]
pub struct Sandbox {
    dir: PathBuf,
    config: PathBuf,
    environment: Vec<(OsString, OsString)>,
    supervisor: Vec<OsString>,
    child: Option<Child>,
    terminal: Arc<Mutex<Vec<u8>>>,
}

impl Sandbox {
    /// A folder with `config` as its `supervisord.conf`; nothing runs yet.
    pub fn new(config: &str) -> Self {
        let sandbox = Self::empty();
        fs::write(&sandbox.config, config).unwrap();
        sandbox
    }

    /// Like [`Sandbox::new`], with [`HEAD`] in front of the sections of `programs`.
    pub fn with_programs(programs: &str) -> Self {
        Self::new(&format!("{HEAD}{programs}"))
    }

    /// A copy of a folder of `examples/`, so that `%(here)s` is private to the test.
    pub fn from_example(name: &str) -> Self {
        let sandbox = Self::empty();
        let from = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples").join(name);
        copy_folder(&from, &sandbox.dir);
        sandbox
    }

    fn empty() -> Self {
        shed_inherited_signals();
        static SERIAL: AtomicU32 = AtomicU32::new(0);
        let serial = SERIAL.fetch_add(1, Ordering::Relaxed);
        // Short, because a unix socket's path has to fit in 107 bytes.
        let dir = std::env::temp_dir().join(format!("sv-{}-{serial}", std::process::id()));
        fs::create_dir(&dir).unwrap();
        // Daemons that drop their privileges have to get in.
        fs::set_permissions(&dir, fs::Permissions::from_mode(0o755)).unwrap();
        Sandbox {
            config: dir.join("supervisord.conf"),
            dir,
            environment: Vec::new(),
            supervisor: Vec::new(),
            child: None,
            terminal: Arc::default(),
        }
    }

    /// Sets a variable in the environment of the supervisor and of its clients.
    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.environment.push((name.into(), value.into()));
        self
    }

    /// Has another supervisor run it: a program, its name, and what stands before `-c`.
    pub fn run_by(mut self, program: &Path, name: &str, words: &[&str]) -> Self {
        let words = words.iter().map(OsString::from);
        self.supervisor = [program.into(), name.into()].into_iter().chain(words).collect();
        self
    }

    /// Starts the supervisor and waits until its client gets an answer.
    pub fn start(mut self) -> Self {
        self.spawn();
        self.wait_ready();
        self
    }

    /// Starts the supervisor without waiting for anything.
    pub fn spawn(&mut self) {
        let mut command = self.supervisor_command();
        self.dress(&mut command);
        self.spawn_as(command);
    }

    /// Starts a supervisor with a command line of the test's own, as from [`Sandbox::program`].
    pub fn spawn_as(&mut self, mut command: Command) {
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        self.collect(child.stdout.take().unwrap());
        self.collect(child.stderr.take().unwrap());
        self.child = Some(child);
    }

    /// Runs the supervisor to its end, for configurations with which it does not get far.
    pub fn run_to_end(&mut self) -> Output {
        let mut command = self.supervisor_command();
        self.dress(&mut command);
        let output = command.stdin(Stdio::null()).output().unwrap();
        let everything = [output.stdout, output.stderr].concat();
        Output { status: output.status, stdout: everything, stderr: Vec::new() }
    }

    /// A command for one of Supervisor's programs, by a link of its name in the folder's `bin`.
    pub fn program(&self, name: &str) -> Command {
        let path = match reference_under_test() {
            Some(folder) => folder.join(name),
            None => self.link(name),
        };
        let mut command = Command::new(path);
        self.dress(&mut command);
        command.stdin(Stdio::null());
        command
    }

    fn link(&self, name: &str) -> PathBuf {
        let folder = self.dir.join("bin");
        fs::create_dir_all(&folder).unwrap();
        let link = folder.join(name);
        if !link.exists() {
            std::os::unix::fs::symlink(binary(), &link).unwrap();
        }
        link
    }

    /// Waits until the supervisor answers its client.
    pub fn wait_ready(&mut self) {
        self.wait("the supervisor to answer", |sandbox| {
            let ended = sandbox.child.as_mut().and_then(|child| child.try_wait().unwrap());
            assert!(ended.is_none(), "the supervisor ended: {ended:?}\n{}", sandbox.story());
            // `pid` without a name is the cheapest question that needs the whole way through.
            sandbox.ctl(&["pid"]).success.then_some(())
        });
    }

    fn supervisor_command(&self) -> Command {
        let [program, name, words @ ..] = self.supervisor.as_slice() else {
            return supervisor_command(&self.config);
        };
        let mut command = Command::new(program);
        command.arg0(name).args(words).arg("-c").arg(&self.config);
        command
    }

    fn dress(&self, command: &mut Command) {
        command.env(MARK, &self.dir).current_dir(&self.dir);
        // Where a supervisor without a configured server listens: not where others do, and clients look here first.
        command.env("XDG_RUNTIME_DIR", &self.dir);
        // What the tests' own machine sets must not reach into the configuration search or the logs.
        command.env_remove("SUPERVISOR_ENABLED").env_remove("SUPERVISOR_SERVER_URL");
        for (name, value) in &self.environment {
            command.env(name, value);
        }
    }

    fn collect(&self, mut from: impl Read + Send + 'static) {
        let terminal = Arc::clone(&self.terminal);
        std::thread::spawn(move || {
            let mut buffer = [0; 8192];
            while let Ok(length @ 1..) = from.read(&mut buffer) {
                terminal.lock().unwrap().extend_from_slice(&buffer[..length]);
            }
        });
    }

    /// The folder.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// The configuration file.
    pub fn config(&self) -> &Path {
        &self.config
    }

    /// A path in the folder.
    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }

    /// What runs in this folder has its mark, by which it is found in the end.
    pub fn marked(&self, mut command: Command) -> Command {
        self.dress(&mut command);
        command
    }

    /// What a file of the folder holds now; nothing when it is not there.
    pub fn file(&self, name: &str) -> String {
        String::from_utf8_lossy(&fs::read(self.path(name)).unwrap_or_default()).into_owned()
    }

    /// Writes a file of the folder.
    pub fn write(&self, name: &str, text: &str) {
        fs::write(self.path(name), text).unwrap();
    }

    /// Replaces text in a file of the folder, which has to be there.
    pub fn replace(&self, name: &str, old: &str, new: &str) {
        let text = self.file(name);
        assert!(text.contains(old), "{name} does not contain {old:?}");
        self.write(name, &text.replace(old, new));
    }

    /// What the supervisor wrote to its standard output and standard error so far.
    pub fn terminal(&self) -> String {
        String::from_utf8_lossy(&self.terminal.lock().unwrap()).into_owned()
    }

    /// The activity log: the supervisor's own lines, from its log file and, before there is one, from its terminal.
    pub fn log(&self) -> String {
        let file = ["supervisord.log", "run/supervisord.log"].map(|name| self.file(name)).concat();
        if file.is_empty() { self.terminal() } else { file }
    }

    /// Everything that is known about what happened, for the message of a failure.
    pub fn story(&self) -> String {
        format!("--- terminal\n{}--- log\n{}", self.terminal(), self.log())
    }

    /// The supervisor's process id.
    pub fn supervisor_pid(&self) -> Pid {
        let child = self.child.as_ref().expect("the supervisor is not started");
        Pid::from_raw(i32::try_from(child.id()).unwrap()).unwrap()
    }

    /// Sends the supervisor a signal.
    pub fn signal(&self, signal: Signal) {
        kill_process(self.supervisor_pid(), signal).unwrap();
    }

    /// Runs the client with these arguments and gives its answer.
    pub fn ctl(&self, arguments: &[&str]) -> Answer {
        let mut command = client_command(&self.config);
        self.dress(&mut command);
        let output = command.args(arguments).stdin(Stdio::null()).output().unwrap();
        Answer {
            success: output.status.success(),
            code: output.status.code(),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    /// The state of a process as `status` prints it; `None` while there is no answer.
    pub fn state(&self, name: &str) -> Option<String> {
        let answer = self.ctl(&["status", name]);
        let line = answer.stdout.lines().find(|line| line.split_whitespace().next() == Some(name))?;
        line.split_whitespace().nth(1).map(str::to_owned)
    }

    /// The process id of a running process; `None` while it has none.
    pub fn pid(&self, name: &str) -> Option<Pid> {
        let answer = self.ctl(&["pid", name]);
        answer.stdout.trim().parse().ok().filter(|raw| *raw > 0).and_then(Pid::from_raw)
    }

    /// Waits until the process is in the state.
    pub fn wait_state(&mut self, name: &str, state: &str) {
        self.wait(&format!("{name} to be {state}"), |sandbox| {
            (sandbox.state(name).as_deref() == Some(state)).then_some(())
        });
    }

    /// Waits until the activity log contains the text.
    pub fn wait_log(&mut self, text: &str) {
        self.wait(&format!("{text:?} in the log"), |sandbox| sandbox.log().contains(text).then_some(()));
    }

    /// Waits until the supervisor's terminal contains the text.
    pub fn wait_terminal(&mut self, text: &str) {
        self.wait(&format!("{text:?} on the terminal"), |sandbox| {
            sandbox.terminal().contains(text).then_some(())
        });
    }

    /// Waits until a file of the folder contains the text.
    pub fn wait_file(&mut self, name: &str, text: &str) {
        self.wait(&format!("{text:?} in {name}"), |sandbox| sandbox.file(name).contains(text).then_some(()));
    }

    /// Waits until the supervisor has ended.
    pub fn wait_exit(&mut self) -> ExitStatus {
        let status = self.wait("the supervisor to end", |sandbox| {
            sandbox.child.as_mut().expect("the supervisor is not started").try_wait().unwrap()
        });
        self.child = None;
        status
    }

    /// Waits until `look` finds what it looks for; panics with the whole story when it does not in time.
    pub fn wait<T>(&mut self, what: &str, mut look: impl FnMut(&mut Self) -> Option<T>) -> T {
        let deadline = Instant::now() + TIMEOUT;
        loop {
            if let Some(found) = look(self) {
                return found;
            }
            assert!(Instant::now() < deadline, "waited in vain for {what}\n{}", self.story());
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            // nginx and redis write their titles over their environment, so that the mark below would not find them.
            kill_with_descendants(&mut child);
        }
        let mark = format!("{MARK}={}", self.dir.display());
        let deadline = Instant::now() + TIMEOUT;
        // Until none is left, for a process may fork while it is looked for.
        while kill_marked(&mark) > 0 && Instant::now() < deadline {
            std::thread::sleep(Duration::from_millis(5));
        }
        _ = fs::remove_dir_all(&self.dir);
    }
}

/// What a client run gave.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// Whether the exit status was zero.
    pub success: bool,
    /// The exit status; `None` after a signal.
    pub code: Option<i32>,
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
}

/// Whatever started the tests (`nohup`, a shell's `&`, a CI runner) may ignore or block signals, and exec keeps both. From
/// here on the children of this thread start with nothing ignored and nothing blocked. For the tests themselves nothing
/// changes: what was ignored has a handler that does nothing, which exec replaces by the default. SIGPIPE is the standard
/// library's own affair: it ignores it here and restores it in children.
pub fn shed_inherited_signals() {
    static IGNORED: Once = Once::new();
    IGNORED.call_once(|| {
        let status = fs::read_to_string("/proc/self/status").unwrap();
        let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:")).unwrap();
        let ignored = u64::from_str_radix(ignored.trim(), 16).unwrap();
        let numbers = (1..32).filter(|number| ignored & (1 << (number - 1)) != 0);
        for number in numbers.filter(|number| *number != Signal::PIPE.as_raw()) {
            signal_hook::flag::register(number, Arc::new(AtomicBool::new(false))).unwrap();
        }
    });
    SigSet::empty().thread_set_mask().unwrap();
}

/// The binary that cargo built, or the one that `SV_TEST_BIN` names.
pub fn binary() -> PathBuf {
    shed_inherited_signals();
    std::env::var_os("SV_TEST_BIN").map_or_else(|| env!("CARGO_BIN_EXE_sv").into(), PathBuf::from)
}

/// The folder of the reference's programs, when the tests are to run against it.
pub fn reference_under_test() -> Option<PathBuf> {
    std::env::var_os("SV_TEST_REFERENCE").map(PathBuf::from)
}

/// The folder of the reference as a peer: `SV_REFERENCE_BIN`, or where `make setup` puts it.
pub fn reference_bin() -> Option<PathBuf> {
    let folder = std::env::var_os("SV_REFERENCE_BIN")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("target/reference/bin"), PathBuf::from);
    folder.join("supervisord").exists().then_some(folder)
}

/// The static binary: `SV_STATIC_BIN`, or where `make static` leaves it, unless the sources have changed since.
pub fn static_binary() -> Option<PathBuf> {
    if let Some(path) = std::env::var_os("SV_STATIC_BIN") {
        return Some(path.into());
    }
    // This test runs from <target>/<profile>/deps.
    let exe = std::env::current_exe().ok()?;
    let target = exe.ancestors().nth(3)?;
    ["musl", "gnu"]
        .map(|libc| target.join(format!("{}-unknown-linux-{libc}/release/sv", std::env::consts::ARCH)))
        .into_iter()
        .find(|path| {
            path.exists() && modified(path) >= newest(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"))
        })
}

fn modified(path: &Path) -> SystemTime {
    fs::metadata(path).and_then(|metadata| metadata.modified()).unwrap()
}

/// When the youngest file of a folder was written.
fn newest(folder: &Path) -> SystemTime {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.map(|path| if path.is_dir() { newest(&path) } else { modified(&path) }).max().unwrap()
}

/// Whether a test can run. A missing requirement skips it with one line, or fails it if `CI` is set.
pub fn have(what: &str, there: bool) -> bool {
    if !there {
        assert!(std::env::var_os("CI").is_none(), "{what} is missing, and with CI set nothing may be");
        // Not eprintln!, which the test harness keeps to itself when a test passes.
        _ = writeln!(std::io::stderr(), "skipped: {what} is missing (make setup)");
    }
    there
}

/// A port that was free a moment ago.
pub fn free_port() -> u16 {
    let [port] = free_ports();
    port
}

/// Several of them, each another one.
pub fn free_ports<const N: usize>() -> [u16; N] {
    let listeners = [(); N].map(|()| TcpListener::bind("127.0.0.1:0").unwrap());
    listeners.map(|listener| listener.local_addr().unwrap().port())
}

fn supervisor_command(config: &Path) -> Command {
    let mut command = match reference_under_test() {
        Some(folder) => {
            let mut command = Command::new(folder.join("supervisord"));
            command.arg("-n");
            command
        }
        None => {
            let mut command = Command::new(binary());
            command.arg("run");
            command
        }
    };
    command.arg("-c").arg(config);
    command
}

fn client_command(config: &Path) -> Command {
    let program = reference_under_test().map_or_else(binary, |folder| folder.join("supervisorctl"));
    let mut command = Command::new(program);
    command.arg("-c").arg(config);
    command
}

/// Copies a folder recursively, except for files that a manual run has left there.
pub fn copy_folder(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            // What an earlier run by hand left there is not part of the example.
            if entry.file_name() == "run" {
                fs::create_dir_all(target).unwrap();
            } else {
                copy_folder(&entry.path(), &target);
            }
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}

/// Kills a process and everything below it. The descendants are collected first, since they lose their parent.
pub fn kill_with_descendants(child: &mut Child) {
    let family = descendants(child.id());
    _ = child.kill();
    _ = child.wait();
    family.into_iter().for_each(kill);
}

/// All processes below this one, by their parents as they are now.
pub fn descendants(root: u32) -> Vec<u32> {
    let parents: Vec<(u32, u32)> = processes().filter_map(|pid| Some((pid, parent(pid)?))).collect();
    let mut family = vec![root];
    let mut next = 0;
    while let Some(&current) = family.get(next) {
        next += 1;
        family.extend(parents.iter().filter(|(_, parent)| *parent == current).map(|(pid, _)| *pid));
    }
    family.remove(0);
    family
}

fn processes() -> impl Iterator<Item = u32> {
    let entries = fs::read_dir("/proc").unwrap();
    entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
}

/// `None` once it is gone.
pub fn parent(pid: u32) -> Option<u32> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name stands in parentheses and may hold anything, parentheses too: proc_pid_stat(5).
    stat.rsplit_once(')')?.1.split_whitespace().nth(1)?.parse().ok()
}

fn kill(pid: u32) {
    if let Some(pid) = i32::try_from(pid).ok().and_then(Pid::from_raw) {
        _ = kill_process(pid, Signal::KILL);
    }
}

fn kill_marked(mark: &str) -> usize {
    let marked: Vec<u32> = processes()
        .filter(|pid| {
            let environment = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
            environment.split(|byte| *byte == 0).any(|entry| entry == mark.as_bytes())
        })
        .collect();
    marked.iter().copied().for_each(kill);
    marked.len()
}
