//! The participants: how each gets the same services, and how it is started, queried and stopped.

use std::fmt::Write as _;
use std::fs::{self, File};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::Signal;

use crate::arguments::Arguments;
use crate::{Outcome, proc};

/// A kind of supervisor or init.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Kind {
    Sv,
    /// `sv` as the init of one command.
    SvCommand,
    Supervisord,
    Runit,
    S6,
    Dinit,
    Nitro,
    Pitchfork,
    Tini,
    DumbInit,
    Catatonit,
}

const KINDS: [Kind; 11] = [
    Kind::Sv,
    Kind::SvCommand,
    Kind::Supervisord,
    Kind::Runit,
    Kind::S6,
    Kind::Dinit,
    Kind::Nitro,
    Kind::Pitchfork,
    Kind::Tini,
    Kind::DumbInit,
    Kind::Catatonit,
];

impl Kind {
    /// The name in the tables.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Kind::Sv => "sv",
            Kind::SvCommand => "sv --",
            Kind::Supervisord => "supervisord",
            Kind::Runit => "runit",
            Kind::S6 => "s6",
            Kind::Dinit => "dinit",
            Kind::Nitro => "nitro",
            Kind::Pitchfork => "pitchfork",
            Kind::Tini => "tini",
            Kind::DumbInit => "dumb-init",
            Kind::Catatonit => "catatonit",
        }
    }

    /// Whether it runs many services and restarts them; an init of one command has one child and ends with it.
    pub(crate) fn supervises(self) -> bool {
        !matches!(self, Kind::SvCommand | Kind::Tini | Kind::DumbInit | Kind::Catatonit)
    }

    /// The programs it consists of, the supervisor first.
    fn programs(self) -> &'static [&'static str] {
        match self {
            Kind::Sv | Kind::SvCommand => &["sv"],
            Kind::Supervisord => &["supervisord", "supervisorctl"],
            Kind::Runit => &["runsvdir", "runsv", "sv", "svlogd"],
            Kind::S6 => &["s6-svscan", "s6-supervise", "s6-svc", "s6-svstat", "s6-log"],
            Kind::Dinit => &["dinit", "dinitctl"],
            Kind::Nitro => &["nitro"],
            Kind::Pitchfork => &["pitchfork"],
            Kind::Tini => &["tini"],
            Kind::DumbInit => &["dumb-init"],
            Kind::Catatonit => &["catatonit"],
        }
    }
}

/// A supervisor that is installed.
pub(crate) struct Peer {
    pub(crate) kind: Kind,
    /// Where its programs are, in the order of [`Kind::programs`].
    pub(crate) programs: Vec<PathBuf>,
}

/// All that is installed and asked for; a line to the terminal for each that is not there.
pub(crate) fn installed(arguments: &Arguments) -> Vec<Peer> {
    let wanted =
        |kind: &Kind| arguments.peer.is_empty() || arguments.peer.iter().any(|name| name == kind.name());
    let mut peers = Vec::new();
    for kind in KINDS.into_iter().filter(wanted) {
        match find(kind) {
            Ok(programs) => {
                programs.iter().for_each(|program| write_back(program));
                peers.push(Peer { kind, programs });
            }
            Err(missing) => eprintln!("skipped: {} ({missing})", kind.name()),
        }
    }
    peers
}

/// Pages of a file that was just built count as dirty memory of who maps them, until they are on the disk.
fn write_back(program: &Path) {
    if let Ok(file) = File::open(program) {
        _ = file.sync_all();
    }
}

fn find(kind: Kind) -> Result<Vec<PathBuf>, String> {
    if matches!(kind, Kind::Sv | Kind::SvCommand) {
        return Ok(vec![ourselves()?]);
    }
    let folder = match kind {
        Kind::Supervisord => std::env::var_os("SV_REFERENCE_BIN").map(PathBuf::from),
        _ => None,
    };
    let find_one = |program: &&str| {
        let found = folder.as_ref().map_or_else(|| which(program), |folder| executable(folder.join(program)));
        found.ok_or_else(|| format!("{program} is not installed"))
    };
    kind.programs().iter().map(find_one).collect()
}

/// The static release binary, as figures of a debug build mean nothing.
fn ourselves() -> Result<PathBuf, String> {
    if let Some(path) = std::env::var_os("SV_STATIC_BIN").filter(|path| !path.is_empty()) {
        let shown = PathBuf::from(&path).display().to_string();
        return executable(path.into()).ok_or(format!("SV_STATIC_BIN={shown} is not a program"));
    }
    // This program runs from <target>/release/deps.
    let program = std::env::current_exe().unwrap_or_default();
    let target = program.ancestors().nth(3).unwrap_or(Path::new("target"));
    ["musl", "gnu"]
        .into_iter()
        .map(|libc| target.join(format!("{}-unknown-linux-{libc}/release/sv", std::env::consts::ARCH)))
        .find_map(executable)
        .ok_or_else(|| "there is no static binary: make static".to_owned())
}

fn which(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let system = ["/usr/local/sbin", "/usr/sbin", "/sbin"].map(PathBuf::from);
    std::env::split_paths(&path).chain(system).find_map(|folder| executable(folder.join(program)))
}

fn executable(path: PathBuf) -> Option<PathBuf> {
    let metadata = fs::metadata(&path).ok()?;
    (metadata.is_file() && metadata.permissions().mode() & 0o111 != 0).then_some(path)
}

/// A log is rotated at this size, which is Supervisor's default.
const LOG_BYTES_MAX: u64 = 50 << 20;

/// The number of rotated files that are kept where one is required: more than any subject fills.
const LOG_BACKUPS: u32 = 30;

/// How much was written to this folder for a log, rotated or not.
pub(crate) fn log_size(folder: &Path) -> u64 {
    let entries = fs::read_dir(folder).into_iter().flatten();
    let logs = entries.flatten().filter(|entry| {
        let name = entry.file_name();
        let name = name.to_string_lossy();
        name.starts_with("current") || name.starts_with('@')
    });
    logs.filter_map(|entry| Some(entry.metadata().ok()?.len())).sum()
}

/// A program to supervise.
#[derive(Clone)]
pub(crate) struct Service {
    pub(crate) name: String,
    /// Words without spaces.
    pub(crate) command: Vec<String>,
    /// The folder for its log; without one its output goes nowhere.
    pub(crate) log: Option<PathBuf>,
    /// How long it has to stay up to count as started.
    pub(crate) start_secs: u32,
}

impl Service {
    /// `count` services of one command.
    pub(crate) fn many(count: usize, command: &[&str], start_secs: u32) -> Vec<Self> {
        let command: Vec<String> = command.iter().map(|word| (*word).to_owned()).collect();
        (0..count)
            .map(|number| Service {
                name: format!("p{number}"),
                command: command.clone(),
                log: None,
                start_secs,
            })
            .collect()
    }
}

/// How a supervisor is started.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Seat {
    /// An ordinary process.
    Daemon,
    /// PID 1 of a PID namespace with its own /proc.
    PidOne,
}

/// A running supervisor. Dropping this kills it with all of its descendants.
pub(crate) struct Running<'a> {
    peer: &'a Peer,
    child: Child,
    dir: PathBuf,
    /// When it was started; its files were written before.
    pub(crate) began: Instant,
}

impl Peer {
    /// Writes the configuration of the services for this supervisor into an empty folder, and returns its command.
    pub(crate) fn command(&self, dir: &Path, services: &[Service]) -> Outcome<Vec<String>> {
        let supervisor = self.programs[0].display().to_string();
        let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
        Ok(match self.kind {
            Kind::Sv | Kind::Supervisord => {
                let config = dir.join("supervisord.conf");
                fs::write(&config, ini(dir, services)?)?;
                let mode = if self.kind == Kind::Sv { "run" } else { "-n" };
                words(&[&supervisor, mode, "-c", &config.display().to_string()])
            }
            Kind::Dinit => {
                dinit_files(dir, services)?;
                let (socket, services) = (dir.join("dinit.sock"), dir.join("services"));
                let (socket, services) = (socket.display().to_string(), services.display().to_string());
                words(&[&supervisor, "--quiet", "-p", &socket, "-d", &services])
            }
            Kind::Runit | Kind::S6 | Kind::Nitro => {
                let scan = dir.join("services");
                for service in services {
                    self.service_folder(&scan.join(&service.name), service)?;
                }
                words(&[&supervisor, &scan.display().to_string()])
            }
            Kind::Pitchfork => {
                fs::write(dir.join("config.toml"), pitchfork_config(services)?)?;
                let folders = pitchfork_folders(dir).map(|(name, folder)| format!("{name}={folder}"));
                let started = words(&[&supervisor, "supervisor", "run", "--boot", "--container"]);
                [words(&["env"]), folders.to_vec(), started].concat()
            }
            Kind::SvCommand | Kind::Tini | Kind::DumbInit | Kind::Catatonit => {
                let [service] = services else { return Err("an init of one child takes one service".into()) };
                let before = self.before_command().ok_or("not an init of one command")?;
                [before, service.command.clone()].concat()
            }
        })
    }

    /// What stands before a command whose init it is; `None` for those that supervise.
    pub(crate) fn before_command(&self) -> Option<Vec<String>> {
        (!self.kind.supervises()).then(|| vec![self.programs[0].display().to_string(), "--".to_owned()])
    }

    fn service_folder(&self, folder: &Path, service: &Service) -> Outcome<()> {
        let command = service.command.join(" ");
        let output = if service.log.is_some() { "" } else { " >/dev/null 2>&1" };
        script(&folder.join("run"), &format!("exec {command}{output}"))?;
        let Some(log) = &service.log else { return Ok(()) };
        fs::create_dir_all(log)?;
        let (logger, log) = (self.programs.last().ok_or("no logger")?.display(), log.display());
        // Both keep everything that is written: nothing is deleted, so that the sum of the sizes is what
        // arrived.
        match self.kind {
            Kind::Runit => {
                fs::write(format!("{log}/config"), format!("s{LOG_BYTES_MAX}\nn0\n"))?;
                script(&folder.join("log/run"), &format!("exec {logger} {log}"))
            }
            _ => script(&folder.join("log/run"), &format!("exec {logger} n1000 s{LOG_BYTES_MAX} {log}")),
        }
    }

    /// Whether it writes the output of its services into files, or has a program for that. nitro has none, and pitchfork
    /// keeps it in a database.
    pub(crate) fn writes_logs(&self) -> bool {
        !matches!(self.kind, Kind::Nitro | Kind::Pitchfork)
    }

    /// Whether it reads the INI dialect.
    pub(crate) fn reads_ini(&self) -> bool {
        matches!(self.kind, Kind::Sv | Kind::Supervisord)
    }

    /// Starts it with services whose sections have further options, for those that read the dialect.
    pub(crate) fn start_with(&self, dir: &Path, services: &[Service], options: &str) -> Outcome<Running<'_>> {
        self.start_edited(dir, services, |text| text.replace("startsecs=", &format!("{options}startsecs=")))
    }

    /// The same with an INI file that was changed.
    pub(crate) fn start_edited(
        &self,
        dir: &Path,
        services: &[Service],
        edit: impl Fn(&str) -> String,
    ) -> Outcome<Running<'_>> {
        let words = self.command(dir, services)?;
        let config = dir.join("supervisord.conf");
        let text = edit(&ini(dir, services)?);
        fs::write(config, text.replace("[supervisord]\n", "[supervisord]\nminfds=16384\n"))?;
        self.spawn(dir, &words, Seat::Daemon)
    }

    /// Starts it with these services. It is not awaited: that is what is measured.
    pub(crate) fn start(&self, dir: &Path, services: &[Service], seat: Seat) -> Outcome<Running<'_>> {
        let words = self.command(dir, services)?;
        self.spawn(dir, &words, seat)
    }

    fn spawn(&self, dir: &Path, words: &[String], seat: Seat) -> Outcome<Running<'_>> {
        let mut command = match seat {
            Seat::Daemon => Command::new(&words[0]),
            Seat::PidOne => {
                let mut command = Command::new("unshare");
                command.args(["--pid", "--fork", "--mount-proc", "--kill-child"]).arg(&words[0]);
                command
            }
        };
        command.args(&words[1..]).current_dir(dir).process_group(0);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(File::create(dir.join("stderr"))?);
        let began = Instant::now();
        let child = command.spawn().map_err(|error| format!("cannot start '{}': {error}", words[0]))?;
        Ok(Running { peer: self, child, dir: dir.to_owned(), began })
    }

    /// The client's command for `status` or `stop all`; `None` where there is no such single command.
    pub(crate) fn client(&self, dir: &Path, services: &[Service], what: Ask) -> Option<Command> {
        let folders = || services.iter().map(|service| dir.join("services").join(&service.name));
        let mut command;
        match self.kind {
            Kind::Sv | Kind::Supervisord => {
                // supervisord's client is its second program, ours is the first and only one.
                command = Command::new(self.programs.last()?);
                command.arg("-c").arg(dir.join("supervisord.conf"));
                match what {
                    Ask::Status => command.arg("status"),
                    Ask::StopAll => command.args(["stop", "all"]),
                    Ask::Pid => command.arg("pid"),
                };
            }
            Kind::Runit => {
                command = Command::new(&self.programs[2]);
                match what {
                    Ask::Status => command.arg("status"),
                    Ask::StopAll => command.args(["-w", "30", "stop"]),
                    Ask::Pid => return None,
                };
                command.args(folders());
            }
            Kind::Dinit => {
                command = Command::new(&self.programs[1]);
                command.arg("-p").arg(dir.join("dinit.sock"));
                match what {
                    Ask::Status => command.arg("list"),
                    // It stops one service and what depends on it, never all at once.
                    Ask::StopAll | Ask::Pid => return None,
                };
            }
            Kind::Pitchfork => {
                command = Command::new(&self.programs[0]);
                command.envs(pitchfork_folders(dir));
                match what {
                    Ask::Status => command.arg("list"),
                    Ask::StopAll => command.args(["stop", "--all"]),
                    Ask::Pid => return None,
                };
            }
            Kind::SvCommand | Kind::S6 | Kind::Nitro | Kind::Tini | Kind::DumbInit | Kind::Catatonit => {
                return None;
            }
        }
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        Some(command)
    }

    /// The signal by which it stops its services and ends.
    pub(crate) fn stop_signal(&self) -> Signal {
        // runsvdir(8): TERM leaves the services running, HUP takes them along.
        if self.kind == Kind::Runit { Signal::HUP } else { Signal::TERM }
    }
}

/// What a client is asked to do.
#[derive(Clone, Copy)]
pub(crate) enum Ask {
    Status,
    StopAll,
    /// The cheapest request.
    Pid,
}

impl Running<'_> {
    /// The supervisor's process id, seen from here.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// PID 1 of the namespace, seen from here; once it is there.
    pub(crate) fn pid_one(&self) -> Outcome<u32> {
        let deadline = Instant::now() + Duration::from_secs(5);
        while Instant::now() < deadline {
            if let Some(pid) = proc::children(self.child.id()).first() {
                return Ok(*pid);
            }
            thread::sleep(Duration::from_millis(1));
        }
        Err(self.failure("it did not start in a PID namespace"))
    }

    /// The processes that supervise: all below it but those of the services.
    pub(crate) fn supervising(&self, service: &str) -> Vec<u32> {
        let family = proc::family(self.pid()).into_iter();
        family
            .filter(|process| process.name != service && !process.zombie)
            .map(|process| process.pid)
            .collect()
    }

    /// The processes of the services, by their name in the process table.
    pub(crate) fn services(&self, service: &str) -> Vec<u32> {
        let family = proc::family(self.pid()).into_iter();
        family.filter(|process| process.name == service).map(|process| process.pid).collect()
    }

    /// Waits until so many services run.
    pub(crate) fn wait_services(&mut self, service: &str, count: usize) -> Outcome<()> {
        let deadline = Instant::now() + Duration::from_secs(30);
        while Instant::now() < deadline {
            if self.services(service).len() >= count {
                return Ok(());
            }
            if let Some(status) = self.child.try_wait()? {
                return Err(self.failure(&format!("it ended: {status}")));
            }
            thread::sleep(Duration::from_millis(20));
        }
        Err(self.failure(&format!("{} of {count} services run", self.services(service).len())))
    }

    /// An error with what the supervisor has printed.
    pub(crate) fn failure(&self, what: &str) -> Box<dyn std::error::Error> {
        let read = |name| fs::read_to_string(self.dir.join(name)).unwrap_or_default();
        let said = read("stderr") + &read("supervisord.log");
        let from = said.char_indices().rev().nth(2000).map_or(0, |(place, _)| place);
        format!("{}: {what}\n{}", self.peer.kind.name(), &said[from..]).into()
    }
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        // Until nothing is left: those below the supervisor become ours when it is gone.
        proc::kill_descendants();
        _ = self.child.wait();
    }
}

fn ini(dir: &Path, services: &[Service]) -> Outcome<String> {
    let dir = dir.display();
    let mut text = format!(
        "[supervisord]\nlogfile={dir}/supervisord.log\npidfile={dir}/supervisord.pid\nchildlogdir={dir}\n\
         [unix_http_server]\nfile={dir}/supervisor.sock\n\
         [rpcinterface:supervisor]\n\
         supervisor.rpcinterface_factory=supervisor.rpcinterface:make_main_rpcinterface\n\
         [supervisorctl]\nserverurl=unix://{dir}/supervisor.sock\n"
    );
    for service in services {
        let log = match &service.log {
            Some(folder) => {
                fs::create_dir_all(folder)?;
                format!(
                    "{}/current\nstdout_logfile_maxbytes={LOG_BYTES_MAX}\nstdout_logfile_backups={LOG_BACKUPS}",
                    folder.display()
                )
            }
            None => "NONE".to_owned(),
        };
        writeln!(
            text,
            "[program:{}]\ncommand={}\nstartsecs={}\nredirect_stderr=true\nstdout_logfile={log}",
            service.name,
            service.command.join(" "),
            service.start_secs
        )?;
    }
    Ok(text)
}

/// One file for each service, and one that waits for all of them.
fn dinit_files(dir: &Path, services: &[Service]) -> Outcome<()> {
    let folder = dir.join("services");
    fs::create_dir_all(&folder)?;
    let mut boot = "type = internal\n".to_owned();
    for service in services {
        let log = match &service.log {
            Some(folder) => {
                fs::create_dir_all(folder)?;
                format!("log-type = file\nlogfile = {}/current\n", folder.display())
            }
            None => String::new(),
        };
        let command = service.command.join(" ");
        // It would not restart a service for the fourth time within 10 seconds.
        let restart = "restart = true\nrestart-delay = 0\nrestart-limit-count = 0\n";
        let text = format!("type = process\ncommand = {command}\n{restart}{log}");
        fs::write(folder.join(&service.name), text)?;
        writeln!(boot, "waits-for = {}", service.name)?;
    }
    Ok(fs::write(folder.join("boot"), boot)?)
}

/// The variables by which it uses these folders instead of those of the user.
fn pitchfork_folders(dir: &Path) -> [(&'static str, String); 2] {
    let state = dir.join("state");
    [
        ("PITCHFORK_CONFIG_DIR", dir.display().to_string()),
        ("PITCHFORK_STATE_DIR", state.display().to_string()),
    ]
}

/// Each command is run by a shell, which it replaces.
fn pitchfork_config(services: &[Service]) -> Outcome<String> {
    let mut text = String::new();
    for service in services {
        let (name, command) = (&service.name, service.command.join(" "));
        writeln!(text, "[daemons.{name}]\nrun = \"exec {command}\"\nboot_start = true\nretry = true")?;
    }
    Ok(text)
}

fn script(path: &Path, line: &str) -> Outcome<()> {
    fs::create_dir_all(path.parent().ok_or("no folder")?)?;
    fs::write(path, format!("#!/bin/sh\n{line}\n"))?;
    Ok(fs::set_permissions(path, fs::Permissions::from_mode(0o755))?)
}
