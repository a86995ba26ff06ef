//! Start-up: everything that may fail and end the program, in Supervisor's order, so that errors reach the
//! user that started it.

use std::env;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::io;
use std::mem;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::activity::Activity;
use super::children::Children;
use super::effects::inherited_variables;
use super::fastcgi::{SharedSockets, try_sockets};
use super::front_end::FrontEnd;
use super::notices::log_notices;
use super::pidfile::write_pid_file;
use super::resources::Resources;
use super::servers::{self, Opened, Servers};
use super::task_runner::TaskRunner;
use super::{Launch, READ_BYTES_MAX, Shell, Source, Sources, implicit};
use crate::config::{self, Machine};
use crate::host::Host;
use crate::model::{DaemonSettings, GroupSpec, LogLevel, Notice, Settings, User};
use crate::output::{Destinations, Outputs, clean_auto_logs};
use crate::supervise::{Identity, Supervisor};
use crate::sys::clock::Clock;
use crate::sys::limits::{Limit, Raised, open_files_max, raise};
use crate::sys::names::HostNames;
use crate::sys::poller::{Interest, Poller};
use crate::sys::process::{Side, become_subreaper, daemonize, ensure_reaping, is_pid_1, own_pid};
use crate::sys::signals::Signals;
use crate::sys::spawn_failures::ChildNotes;
use crate::sys::users::{become_user, is_root, own_id};
use crate::sys::{files, stderr};

/// The exit status of the process that has started a daemon.
const DONE: u8 = 0;

/// The exit status for all configuration and start-up errors.
const FAILED: u8 = 2;

const RUNS_AS_ROOT: &str = "Supervisor is running as root.  Privileges were not dropped because no user is \
    specified in the config file.  If you intend to run as root, you can set user=root in the config file to \
    avoid this message.";

/// Supervises until the last process has stopped. Returns the exit status.
#[must_use]
pub fn run(launch: Launch) -> u8 {
    let argv0 = launch.argv0.clone();
    match boot(launch) {
        Ok(Some(mut shell)) => {
            let ending = shell.live();
            if shell.has_exit_report(&ending) {
                shell.report_exit(&ending);
            }
            shell.remove_files();
            // The kernel frees the memory faster than we would, and closes the descriptors.
            mem::forget(shell);
            ending.status()
        }
        Ok(None) => DONE,
        Err(errors) => {
            let errors: String = errors.iter().map(|error| format!("Error: {error}\n")).collect();
            stderr::print(format!("{errors}For help, use {argv0} -h\n"));
            FAILED
        }
    }
}

/// Errors to print, one or more lines each.
type StartErrors = Vec<String>;

/// `None` in the process that has started a daemon. Its frame is large, and must not become a part of that of [`run`], in
/// which everything else happens.
#[inline(never)]
fn boot(launch: Launch) -> Result<Option<Box<Shell>>, StartErrors> {
    files::ensure_standard_descriptors().map_err(|error| one("cannot open '/dev/null'", &error))?;
    let inherited = files::inherited_descriptors();
    files::keep_inherited_descriptors_from_children();
    let host = Host::look_as_supervisor();
    let config_file = find_config(&launch, &host)?;
    let host = host.waiting_for(&config_file);
    let mut settings = prepare(&launch, &config_file, &host)?;
    let host = host.without_waiting();

    let mut output = Outputs::new(inherited, ident(&launch.argv0), open_files_max());
    let foreground = launch.is_in_foreground(&settings);
    let clock = Clock::local();
    output.begin_turn(clock.now());
    let echo = foreground && !settings.daemon.silent;
    let mut activity = open_activity(&mut settings, echo, &clock, output.destinations())?;
    // Before any resource of a running supervisor with the same configuration is touched.
    let mut names = HostNames::at_the_start();
    let mut opened = open_servers(&launch, &mut settings, &mut names)?;
    opened.extend(open_implicit_server(&launch, &mut settings, (&config_file, &host), &mut names)?);
    let sockets = settings.groups.iter().flat_map(GroupSpec::sockets);
    try_sockets(sockets, &[], &mut names).map_err(|text| vec![text])?;
    if !foreground {
        activity.log(LogLevel::Info, "daemonizing the supervisord process", output.destinations());
        activity.flush(output.destinations());
        match daemonize().map_err(|error| one("cannot become a daemon", &error))? {
            // The daemon owns the sockets now, so their files must not be removed here.
            Side::Starter => {
                mem::forget(opened);
                return Ok(None);
            }
            Side::Daemon => settle_as_daemon(&settings.daemon, &mut activity, output.destinations()),
        }
        activity = activity.without_echo();
        output.replace_standard_outputs();
    }
    for text in clean_auto_logs(&settings.daemon) {
        settings.notices.push(Notice { level: LogLevel::Warn, text });
    }

    let shell =
        enter_supervision(launch, config_file, (host, clock), settings, (output, activity), (opened, names));
    let mut shell = shell.map_err(|error| vec![format!("cannot begin to supervise: {error}")])?;
    shell.remember_own_log();
    shell.measure_names();
    log_notices(&mut shell);
    write_pid_file(&mut shell);
    Ok(Some(shell))
}

/// Reads the configuration, and applies user, directory and limits before anything is opened or created.
fn prepare(launch: &Launch, config_file: &Path, host: &Host) -> Result<Settings, StartErrors> {
    let settings = config::load_with_command(config_file, &launch.overrides, &launch.command, host);
    let mut settings = settings.map_err(|errors| {
        let mut shown = each(launch, &errors);
        let is_about_content = |error: &config::Error| {
            !matches!(error.kind, config::ErrorKind::File | config::ErrorKind::CommandLine)
        };
        // COMPAT: under our own name we also say that `sv check` shows the lines, and suggests names for unknown ones.
        if launch.foreground
            && errors.0.iter().all(is_about_content)
            && let Some(last) = shown.last_mut()
        {
            last.push_str(&format!("\nFor details, use `sv check {}`", config_file.display()));
        }
        shown
    })?;
    // COMPAT: `sv` warns, as it is probably a mistake.
    if launch.foreground && settings.groups.is_empty() {
        let text = format!(
            "{} has no programs: add [program:NAME] with a command, or [include] with files, and then `sv update`",
            config_file.display()
        );
        settings.notices.push(Notice { level: LogLevel::Warn, text });
    }
    become_configured_user(launch, &mut settings)?;
    raise_limits(&mut settings)?;
    if let Some(mask) = settings.daemon.umask {
        files::set_umask(mask);
    }
    Ok(settings)
}

/// The sender of syslog messages: our program name, as with openlog(3).
fn ident(argv0: &str) -> &str {
    argv0.rsplit('/').next().unwrap_or(argv0)
}

/// COMPAT: `sv` appends the remedy.
fn each(launch: &Launch, errors: &config::Errors) -> StartErrors {
    let shown = |error: &config::Error| if launch.foreground { error.plain() } else { error.to_string() };
    errors.0.iter().map(shown).collect()
}

/// That no configuration was found, and what to do: in a container nothing can be written first.
fn no_configuration(launch: &Launch, host: &Host) -> String {
    let paths = config::search_paths(&launch.argv0, &host.current_dir());
    let mut folders: Vec<String> = Vec::new();
    for path in paths.iter().filter(|path| path.ends_with(config::SUPERVISORD_CONF)) {
        let folder = path.parent().unwrap_or(path).display().to_string();
        if !folders.contains(&folder) {
            folders.push(folder);
        }
    }
    let remedy = if is_pid_1() {
        "copy one to /etc/supervisord.conf in the image, name one with -c FILE, or run a single command with -- COMMAND"
    } else if launch.command.is_empty() {
        "name one with `sv run FILE`, or let `sv init` write a first one"
    } else {
        "name one with `sv run FILE -- COMMAND`, or run the command alone with `sv -- COMMAND`"
    };
    format!("no supervisord.conf or supervisord.toml in {}: {remedy}", folders.join(", "))
}

fn one(what: &str, error: &io::Error) -> StartErrors {
    vec![format!("{what}: {error}")]
}

impl Launch {
    pub(super) fn is_in_foreground(&self, settings: &Settings) -> bool {
        self.foreground || settings.daemon.foreground || is_pid_1()
    }
}

fn find_config(launch: &Launch, host: &Host) -> Result<PathBuf, StartErrors> {
    let found = match &launch.config {
        Some(path) => Ok(path.clone()),
        None => {
            if is_root() && !is_pid_1() {
                stderr::print(
                    "warning: supervisord is running as root and it is searching for its configuration file in default \
                     locations (including its current working directory); you probably want to specify a \"-c\" argument \
                     specifying an absolute path to a configuration file for improved security.\n",
                );
            }
            config::find(&launch.argv0, host).map_err(|errors| {
                if launch.foreground { vec![no_configuration(launch, host)] } else { each(launch, &errors) }
            })
        }
    };
    // Resolved once: a restart finds it after we have changed our directory.
    found.map(|path| env::current_dir().map(|here| here.join(&path)).unwrap_or(path))
}

fn become_configured_user(launch: &Launch, settings: &mut Settings) -> Result<(), StartErrors> {
    let notice = match &settings.daemon.user {
        Some(user) => {
            become_user(user).map_err(|refused| vec![cannot_become(user, refused.text)])?;
            Some(Notice { level: LogLevel::Info, text: format!("Set uid to user {} succeeded", user.uid) })
        }
        // COMPAT: in a container root is the normal case, and as `sv` there is no need for this warning.
        None if is_root() && !is_pid_1() && !launch.foreground => {
            Some(Notice { level: LogLevel::Critical, text: RUNS_AS_ROOT.to_owned() })
        }
        None => None,
    };
    settings.notices.extend(notice);
    Ok(())
}

fn cannot_become(user: &User, why: &str) -> String {
    let User { name, uid, .. } = user;
    format!("{why}: uid {} cannot become {name} (uid {uid}), the user of [supervisord]", own_id())
}

/// A resource limit, with its names in the configuration and the kernel.
struct RequestedLimit {
    limit: Limit,
    name: &'static str,
    option: &'static str,
    things: &'static str,
    /// The names of the limit and of ourselves in Supervisor's text.
    shown: (&'static str, &'static str),
}

const FILES: RequestedLimit = RequestedLimit {
    limit: Limit::OpenFiles,
    name: "RLIMIT_NOFILE",
    option: "minfds",
    things: "file descriptors",
    shown: ("file descriptors", "process"),
};

const PROCESSES: RequestedLimit = RequestedLimit {
    limit: Limit::Processes,
    name: "RLIMIT_NPROC",
    option: "minprocs",
    things: "processes",
    shown: ("available processes", "program"),
};

impl RequestedLimit {
    /// COMPAT: Supervisor's text, with the actual limit; its own repeats the requested one.
    fn refused(&self, least: u64, hard: u64) -> String {
        let Self { option, things, shown: (wanted, us), .. } = self;
        format!(
            "The minimum number of {wanted} required to run this {us} is {least} as per the \"{option}\" \
             command-line argument or config file setting. The current environment will only allow you to open \
             {hard} {things}.  Either raise the number of usable {things} in your environment (see README.rst) or \
             lower the {option} setting in the config file to allow the {us} to start."
        )
    }
}

/// COMPAT: a configured limit that can't be set is an error; the defaults never prevent a start.
fn raise_limits(settings: &mut Settings) -> Result<(), StartErrors> {
    let daemon = &settings.daemon;
    let wishes = [
        (FILES, daemon.fds_min, daemon.fds_asked_for),
        (PROCESSES, daemon.processes_min, daemon.processes_asked_for),
    ];
    let mut notices = Vec::new();
    for (request, least, asked_for) in wishes {
        let RequestedLimit { name, option, .. } = request;
        match raise(request.limit, least) {
            Raised::Enough => {}
            Raised::Now => {
                let text = format!("Increased {name} limit to {least}");
                notices.push(Notice { level: LogLevel::Info, text });
            }
            Raised::UpTo(hard) if asked_for => return Err(vec![request.refused(least, hard)]),
            Raised::UpTo(hard) => {
                let text = format!("{name} is {hard}, which is less than the default {option} of {least}");
                notices.push(Notice { level: LogLevel::Debug, text });
            }
        }
    }
    settings.notices.extend(notices);
    Ok(())
}

/// Whether to continue without files of our own that can't be created.
///
/// COMPAT: if the file system doesn't let a container's init create its log file or a control socket
/// (`--read-only` without a tmpfs), that is a warning, and supervision continues. Supervisor exits, and so do
/// we with `strict`, or if we are not PID 1.
fn does_without(settings: &Settings) -> bool {
    is_pid_1() && !settings.daemon.strict
}

fn open_activity(
    settings: &mut Settings,
    echo: bool,
    clock: &Clock,
    destinations: &mut Destinations,
) -> Result<Activity, StartErrors> {
    let why = match Activity::open(&settings.daemon, echo, clock, destinations) {
        Ok(activity) => return Ok(activity),
        Err(why) => why,
    };
    if !does_without(settings) {
        return Err(vec![why]);
    }
    settings.daemon.log_file = None;
    let text = format!("{why}; going on without it (logfile=/dev/null in [supervisord] asks for none)");
    settings.notices.push(Notice { level: LogLevel::Warn, text });
    Activity::open(&settings.daemon, echo, clock, destinations).map_err(|why| vec![why])
}

/// A server that can't be opened and is not required is removed from the settings.
fn open_servers(
    launch: &Launch,
    settings: &mut Settings,
    names: &mut HostNames,
) -> Result<Vec<Opened>, StartErrors> {
    let mut opened = Vec::new();
    let control = std::mem::take(&mut settings.servers);
    for spec in control.into_iter().chain(std::mem::take(&mut settings.probe_servers)) {
        match servers::open(&spec, names, |path| stderr::print(format!("Unlinking stale socket {path}\n"))) {
            Ok(server) => opened.push(server),
            Err(refusal) if refusal.is_by_file_system() && does_without(settings) => {
                let text =
                    format!("{}; going on without [{}]", refusal.text(launch.foreground), spec.section);
                settings.notices.push(Notice { level: LogLevel::Warn, text });
                continue;
            }
            Err(refusal) => return Err(vec![refusal.text(launch.foreground)]),
        }
        if spec.is_for_probes { &mut settings.probe_servers } else { &mut settings.servers }.push(spec);
    }
    Ok(opened)
}

/// The control socket without a section.
fn open_implicit_server(
    launch: &Launch,
    settings: &mut Settings,
    (config_file, host): (&Path, &Host),
    names: &mut HostNames,
) -> Result<Option<Opened>, StartErrors> {
    let request = implicit::wanted(launch, settings, settings.servers.iter());
    // With a server of its own it is another instance: the addresses of servers are exclusive.
    let running =
        settings.servers.is_empty().then(|| implicit::running_supervisor(&request, config_file, host));
    if let Some(pid) = running.flatten() {
        let shown = launch.config.as_deref().unwrap_or(config_file).display();
        return Err(vec![format!(
            "a supervisor with pid {pid} runs this configuration already: `sv -c {shown} status` asks it, and \
             `sv -c {shown} shutdown` ends it. To run another one, set control_socket=PATH in its [supervisord]"
        )]);
    }
    match implicit::open(&request, config_file, host, names) {
        Ok(opened) => Ok(opened),
        // An explicitly configured path must exist as a socket.
        Err(text) if request.is_explicit() && !does_without(settings) => Err(vec![text]),
        Err(text) => {
            settings.notices.push(Notice { level: LogLevel::Warn, text });
            Ok(None)
        }
    }
}

/// The umask of a daemon that configures none.
const DAEMON_UMASK: u32 = 0o022;

fn settle_as_daemon(daemon: &DaemonSettings, activity: &mut Activity, destinations: &mut Destinations) {
    files::set_umask(daemon.umask.unwrap_or(DAEMON_UMASK));
    let Some(directory) = &daemon.directory else { return };
    let shown = directory.display();
    match env::set_current_dir(directory) {
        Ok(()) => activity.log(LogLevel::Info, &format!("set current directory: '{shown}'"), destinations),
        Err(error) => {
            activity.log(LogLevel::Critical, &format!("can't chdir into '{shown}': {error}"), destinations)
        }
    }
}

fn refused(what: &str, error: &io::Error) -> io::Error {
    io::Error::other(format!("cannot {what}: {error}; a seccomp profile may deny the system calls for it"))
}

/// From here on only a shutdown ends the process.
fn enter_supervision(
    launch: Launch,
    config_file: PathBuf,
    (host, clock): (Host, Clock),
    mut settings: Settings,
    (output, activity): (Outputs, Activity),
    (opened, names): (Vec<Opened>, HostNames),
) -> io::Result<Box<Shell>> {
    // A sandbox may deny essential system calls: better no supervisor than one that does nothing.
    ensure_reaping().map_err(|error| refused("wait for children", &error))?;
    let mut signals = Signals::take_over()?;
    signals.deliver(settings.daemon.rules.signals.keys().copied())?;
    let mut poller = Poller::new()?;
    poller.wait(Some(Duration::ZERO)).map(drop).map_err(|error| refused("wait for events", &error))?;
    let mut sources = Sources::default();
    let read = Interest { read: true, write: false };
    poller.add(signals.descriptor(), sources.add(Source::Signals), read)?;
    let child_notes = ChildNotes::new()
        .map_err(|error| io::Error::other(format!("cannot make a pipe for children: {error}")))?;
    poller.add(child_notes.descriptor(), sources.add(Source::ChildNotes), read)?;
    let mut servers = Servers::default();
    for opened in opened {
        servers.add(opened, &poller, &mut sources);
    }
    if !is_pid_1() {
        // If a sandbox denies it, orphans are adopted further up, as without us.
        let _ = become_subreaper();
    }
    let identity = Identity { identifier: settings.daemon.identifier.clone(), pid: own_pid() };
    signals.unblock()?;
    Ok(Box::new(Shell {
        launch,
        config_file,
        inherited: inherited_variables(&settings),
        host,
        began: clock.now().wall,
        now: clock.now(),
        clock,
        next_settings: None,
        core: Supervisor::new(identity, std::mem::take(&mut settings.groups))
            .under(settings.daemon.rules.clone())
            .seeded(RandomState::new().build_hasher().finish()),
        settings,
        poller,
        sources,
        signals,
        children: Children::new(child_notes),
        resources: Resources::default(),
        runner: TaskRunner::default(),
        sockets: SharedSockets::default(),
        host_names: names.without_waiting(),
        output,
        activity,
        front: FrontEnd::new(servers, open_files_max()),
        pid_file: None,
        buffer: vec![0; READ_BYTES_MAX].into_boxed_slice(),
        all_stopped: None,
    }))
}
