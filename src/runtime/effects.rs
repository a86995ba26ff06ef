//! Performs the effects of the core.

use std::collections::VecDeque;
use std::env;
use std::ffi::{NulError, OsStr};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;
use std::sync::Arc;

use super::Shell;
use super::children::not_spawned;
use super::self_reports::{SelfReport, WATCHDOG_PID_VARIABLE};
use crate::config::resolve;
use crate::launch::{self, Executable, OwnVariables};
use crate::model::{
    ChildId, Fault, FaultCode, LimitOption, LogLevel, LogTarget, Pid, ProcessId, ProcessSpec, Settings, User,
};
use crate::output::{Report, Wanted, make_auto_logs};
use crate::python::quote;
use crate::supervise::{
    Blame, Effect, Input, LeaderlessGroup, Members, NotSpawned, SendError, SpawnedProcess,
};
use crate::sys::attributes::Attributes;
use crate::sys::attributes::apply_in_place;
use crate::sys::descriptors::{Descriptors, Terminal};
use crate::sys::errno_name;
use crate::sys::files::make_owned_folder;
use crate::sys::groups::{LeaderFd, members_of};
use crate::sys::program::{InheritedVariables, Program};
use crate::sys::spawn::spawn;

impl Shell {
    /// Sends an input to the core and performs all resulting effects.
    pub(super) fn feed(&mut self, input: Input) {
        let mut effects = VecDeque::from(self.core.handle(self.now, input).all);
        while let Some(effect) = effects.pop_front() {
            if let Some(outcome) = self.carry_out(effect) {
                effects.extend(self.core.handle(self.now, outcome).all);
            }
        }
    }

    /// The result of an effect, if it is answered by an input.
    fn carry_out(&mut self, effect: Effect) -> Option<Input> {
        if self.resources.trees.must_signal_before(&effect) {
            self.resources.trees.signal_pending(&self.children);
        }
        match effect {
            Effect::Log { level, text } => self.log(level, &text),
            Effect::Spawn { process } => {
                let before = self.clock.now().mono;
                let outcome = self.spawn(process);
                let at = self.clock.now();
                self.children.spawn_times.observe(at.mono.since(before));
                return Some(Input::Spawned { process, at, outcome });
            }
            Effect::RunTask { child, task } => return self.run_task(child, task),
            Effect::CancelTask { child } => return self.runner.cancel(child, &mut self.sources),
            Effect::CheckFile { probe, path, timeout } => return self.check_file(probe, path, timeout),
            Effect::Probe { probe, target, timeout } => return self.run_probe(probe, target, timeout),
            Effect::Check { process } => {
                return Some(Input::Checked { process, outcome: self.check(process) });
            }
            Effect::Kill { process, pid, signal, target } => {
                let sent = self.send_to(process, pid, signal, target);
                let outcome = sent.map_err(|error| match error.raw_os_error() {
                    Some(nix::libc::ESRCH) => SendError::Gone(error.to_string()),
                    _ => SendError::Failed(error.to_string()),
                });
                return Some(Input::Sent { process, signal, outcome });
            }
            Effect::FindMembers { groups } => return Some(Input::MembersFound(self.find_members(&groups))),
            // Remaining members are found by the search that follows.
            Effect::KillMembers { group, signal } => {
                let except = self.already_signalled(group.process, group.leader, signal);
                self.resources.signal_members(group, signal, except, &self.children);
            }
            Effect::ForgetMembers { process } => self.children.forget_group(process),
            Effect::LookForOrphans { process, leader, age } => {
                return Some(Input::OrphansFound { process, leader, orphans: self.orphans(process, age) });
            }
            Effect::Reply { ticket, result } => self.answer(ticket, result),
            Effect::ReadSettings { purpose } => {
                let outcome = self.read_settings_for(&purpose);
                return Some(Input::SettingsRead { purpose, outcome });
            }
            Effect::ReadLog { ticket, of, range } => {
                self.flush_activity();
                return Some(Input::LogRead { ticket, outcome: self.read_log(of, range) });
            }
            Effect::ClearLog { ticket } => return Some(Input::LogRead { ticket, outcome: self.clear_log() }),
            Effect::ClearLogs { process } => {
                return Some(Input::LogsCleared { process, cleared: self.clear_logs(process).is_ok() });
            }
            Effect::WriteStdin { process, text } => {
                let outcome = self.write_stdin(process, text.as_bytes());
                return Some(Input::StdinTaken { process, outcome });
            }
            Effect::SendEvent { process, serial, bytes } => {
                let outcome = self.write_stdin(process, &bytes);
                return Some(Input::EventSent { process, serial, outcome });
            }
            Effect::MakeAutoLogs { process } => {
                let [stdout, stderr] = self.make_auto_logs(process);
                return Some(Input::AutoLogsMade { process, stdout, stderr });
            }
            Effect::ApplyLogLimits { process } => self.apply_log_options(process),
            Effect::MeasureMemory { process, pid } => {
                let bytes = Some(self.resources.memory(process, pid)?);
                return Some(Input::MemoryMeasured { process, pid, bytes });
            }
            Effect::ApplyLimits { process, pid, options } => self.apply_limits(process, pid, &options),
            Effect::TrySockets { ticket, group, sockets } => {
                let outcome = self.try_sockets(sockets.iter());
                return Some(Input::SocketsTried { ticket, group, outcome });
            }
            Effect::Print { channel, bytes } => {
                let report = self.output.print(channel, &bytes);
                self.handle_reports(report);
            }
            Effect::Forget { process } => {
                self.output.forget(process);
                self.resources.forget(process);
            }
            Effect::ReopenLogs => self.reopen_logs(),
            Effect::AllStopped(then) => self.all_stopped = Some(then),
        }
        None
    }

    /// The remaining members of these groups. One search serves all that are not empty.
    fn find_members(&self, groups: &[LeaderlessGroup]) -> Vec<(ProcessId, Members)> {
        let mut table = None;
        let known = |group: &LeaderlessGroup| {
            let found = self.resources.members_beyond_group(*group, &self.children, &mut table);
            let is_empty = || self.children.group(group.process, group.leader).is_empty();
            found.or_else(|| is_empty().then_some(Members::None))
        };
        let known: Vec<Option<Members>> = groups.iter().map(known).collect();
        let left = groups.iter().zip(&known).filter(|(_, known)| known.is_none());
        let left: Vec<Pid> = left.map(|(group, _)| group.leader).collect();
        let found = if left.is_empty() { Some(Vec::new()) } else { members_of(&left) };
        let searched = |leader: Pid| {
            let Some(found) = &found else { return Members::Unknown };
            let pids: Vec<_> =
                found.iter().filter(|(group, _)| *group == leader).map(|(_, pid)| *pid).collect();
            Members::of(pids)
        };
        let members = |(group, known): (&LeaderlessGroup, Option<Members>)| {
            (group.process, known.unwrap_or_else(|| searched(group.leader)))
        };
        groups.iter().zip(known).map(members).collect()
    }

    fn reopen_logs(&mut self) {
        self.log(LogLevel::Info, "supervisord logreopen");
        self.activity.reopen(self.output.destinations());
        let reports = self.output.reopen();
        self.restore_socket_files(true);
        self.handle_reports(reports);
    }

    fn make_auto_logs(&mut self, process: ProcessId) -> [Option<PathBuf>; 2] {
        let Some(spec) = self.core.spec(process) else { return [None, None] };
        let (made, warning) = make_auto_logs(&self.settings.daemon, spec);
        self.handle_reports(warning.map(Report::from));
        made
    }

    fn apply_log_options(&mut self, process: ProcessId) {
        self.measure_names();
        let Some(spec) = self.core.spec(process) else { return };
        let reports = self.output.apply_options(process, spec);
        self.handle_reports(reports);
    }

    fn apply_limits(&mut self, process: ProcessId, pid: Pid, options: &[LimitOption]) {
        let (of_cgroup, options): (Vec<_>, Vec<_>) = options.iter().partition(|option| option.is_of_cgroup());
        self.apply_cgroup_limits(process, &of_cgroup);
        let Some(spec) = self.core.spec(process) else { return };
        let (limits, name) = (spec.limits.as_deref(), &spec.name);
        let warning = |(option, error): (LimitOption, io::Error)| {
            format!("cannot apply {} to '{name}': {error}; its next start applies it", option.name())
        };
        // This one is the mark of its tree.
        let is_mark = |option: &LimitOption| spec.has_mark() && *option == LimitOption::RlimitLocks;
        let options: Vec<_> = options.into_iter().filter(|option| !is_mark(option)).collect();
        if options.is_empty() {
            return;
        }
        let groups = self.resources.groups();
        let warnings: Vec<_> =
            apply_in_place(pid, groups, limits, &options).into_iter().map(warning).collect();
        warnings.iter().for_each(|warning| self.log(LogLevel::Warn, warning));
    }

    fn check(&self, process: ProcessId) -> Result<(), Fault> {
        let spec = self.core.spec(process).ok_or_else(|| Fault::bare(FaultCode::BadName))?;
        resolve(spec, &self.host).map(|_| ())
    }

    /// Starts a process, with its socket if it has one. The error is in Supervisor's words.
    fn spawn(&mut self, process: ProcessId) -> Result<SpawnedProcess, NotSpawned> {
        self.hold_socket(process)?;
        let mut started = self.start(process);
        // A program is more important than idle connections.
        if started.as_ref().is_err_and(lacks_descriptors) && self.yield_descriptors(DESCRIPTORS_OF_A_START) {
            started = self.start(process);
        }
        if started.is_err() {
            self.release_socket(process);
        }
        started
    }

    fn start(&mut self, process: ProcessId) -> Result<SpawnedProcess, NotSpawned> {
        self.measure_names();
        let cgroup = self.cgroup_to_enter(process)?;
        let enters_surely = cgroup.as_ref().is_some_and(|entrance| entrance.is_required);
        let may_stay_out = cgroup.is_some() && !enters_surely;
        if cgroup.is_none() {
            self.report_missing_proc(process);
        }
        let spec = self.core.spec(process).ok_or_else(|| "there is no such process".to_owned())?;
        let trees = &mut self.resources.trees;
        let marked_limits = if enters_surely { None } else { trees.marked_limits(process, spec) };
        let targets = self.core.log_targets(process).unwrap_or([LogTarget::None, LogTarget::None]);
        let name = &spec.name;
        make_runtime_folders(spec)?;
        let executable = resolve(spec, &self.host).map_err(not_found)?;
        let user = spec.user.as_ref().map(|user| self.host.user_now(user));
        let stdin = self.sockets.stdin(process);
        let pipes = if spec.inherits_stdio {
            Descriptors::ours(Terminal::Foreground)
        } else {
            Descriptors::piped(stdin, spec.redirect_stderr)
        };
        let prepared = pipes.and_then(|pipes| self.children.self_reports.prepare(spec, pipes));
        let (self_report, pipes) = prepared.map_err(|error| no_pipes(name, &error))?;
        let (program, attributes) = self
            .program(spec, &executable, user, &self_report)
            .map_err(|_| format!("can't parse command {}: it contains a NUL byte", quote(&spec.command)))?;
        let is_listener = self.core.is_listener(process);
        let wanted = if is_listener { Wanted::Conversation } else { Wanted::Output };
        let manner = (wanted, self.settings.daemon.strict);
        let outlets = self.output.open(spec, manner, targets).map_err(|error| no_pipes(name, &error))?;
        let limits = marked_limits.as_ref().or(spec.limits.as_deref());
        let attributes = attributes.with_limits(limits).within(cgroup);
        let (pid, ends) = match spawn(&program, &attributes, pipes, &self.children.notes) {
            Ok(started) => started,
            Err(error) => {
                let text = no_fork(name, &error);
                self.output.close(outlets);
                return Err(text);
            }
        };
        // The whole group may have to be killed after its leader has died.
        let handle = if spec.kill_as_group || spec.kill_tree { LeaderFd::open(pid) } else { None };
        self.children.lead_group(process, handle);
        self.children.add(process, pid, ends.stdin);
        if may_stay_out {
            self.resources.cgroups.expect_entry(process, pid);
        }
        let watch = (&self.poller, &mut self.sources);
        let watched = self.children.self_reports.add((process, pid), self_report, watch);
        let outlets = (outlets, self.settings.daemon.strip_ansi);
        let (pipes, child) = ([ends.stdout, ends.stderr], ChildId::Process(process));
        let reports = self.output.add((child, process, pid), spec, pipes, outlets, &self.poller);
        self.handle_reports(reports);
        if let Err(error) = watched {
            self.log(LogLevel::Warn, &format!("cannot wait for what a program reports of itself: {error}"));
        }
        Ok(SpawnedProcess { pid, is_in_cgroup: enters_surely })
    }

    /// Measures the column of names, once for all processes that are added together.
    pub(super) fn measure_names(&mut self) {
        let (made, specs) = (self.core.processes_made(), self.core.specs());
        self.output.measure_names(made, specs, self.activity.is_shown());
    }

    fn program(
        &self,
        spec: &ProcessSpec,
        executable: &Executable,
        user: Option<Arc<User>>,
        self_report: &SelfReport,
    ) -> Result<(Program, Attributes), NulError> {
        let mut own = self.own_variables(spec);
        own.extend(self_report.variables().map(|(name, value)| (name.into(), Some(value.into()))));
        if self_report.has_watchdog() {
            own.remove(OsStr::from_bytes(WATCHDOG_PID_VARIABLE.to_bytes()));
        }
        let mut program = self.program_with(executable, &own)?;
        if self_report.has_watchdog() {
            program = program.with_own_pid(WATCHDOG_PID_VARIABLE);
        }
        Ok((program, Attributes::new(spec.directory.as_deref(), spec.umask, user)?))
    }

    /// The environment of a child, except what all inherit.
    pub(super) fn own_variables<'a>(&self, spec: &'a ProcessSpec) -> OwnVariables<'a> {
        let servers = self.settings.servers.iter().map(|server| &server.address);
        launch::own_variables(spec, launch::server_url(servers))
    }

    /// A program with these variables and the inherited ones.
    pub(super) fn program_with(
        &self,
        executable: &Executable,
        own: &OwnVariables<'_>,
    ) -> Result<Program, NulError> {
        let set = own.iter().filter_map(|(name, value)| Some((name, value.as_ref()?)));
        let program = Program::new(&executable.file, &executable.argv, set)?;
        Ok(program.inheriting(&self.inherited, |name| own.contains_key(name)))
    }
}

/// What children inherit of our environment.
pub(super) fn inherited_variables(settings: &Settings) -> Arc<InheritedVariables> {
    let ours: Vec<_> = env::vars_os().collect();
    let inherited = launch::inherited_variables(&ours, &settings.variables);
    Arc::new(InheritedVariables::new(inherited))
}

/// Creates the folders of `runtime_directory`.
pub(super) fn make_runtime_folders(spec: &ProcessSpec) -> Result<(), NotSpawned> {
    for path in &spec.lifecycle.runtime_directories {
        make_owned_folder(path, spec.user.as_deref()).map_err(|error| {
            let text = format!("cannot make '{}' (runtime_directory): {error}", path.display());
            not_spawned(text, &error)
        })?;
    }
    Ok(())
}

/// Why a command can't be executed, with the exit status of a shell.
pub(super) fn not_found(refusal: Fault) -> NotSpawned {
    let status = match refusal.code {
        FaultCode::NoFile => NotSpawned::NOT_FOUND,
        _ => NotSpawned::NOT_EXECUTABLE,
    };
    NotSpawned { text: refusal.detail.unwrap_or_default(), status, blame: Blame::Program }
}

/// Both ends of three pipes, and a log file for each stream.
const DESCRIPTORS_OF_A_START: usize = 8;

const TOO_MANY_FILES: &str = "too many open files to spawn";

fn lacks_descriptors(refusal: &NotSpawned) -> bool {
    refusal.text.starts_with(TOO_MANY_FILES)
}

fn no_pipes(name: &str, error: &io::Error) -> NotSpawned {
    let text = match error.raw_os_error() {
        Some(nix::libc::EMFILE) => format!("{TOO_MANY_FILES} '{name}'"),
        _ => format!("unknown error making dispatchers for '{name}': {}", errno_name(error)),
    };
    not_spawned(text, error)
}

fn no_fork(name: &str, error: &io::Error) -> NotSpawned {
    let text = match error.raw_os_error() {
        Some(nix::libc::EAGAIN) => format!("Too many processes in process table to spawn '{name}'"),
        _ => format!("unknown error during fork for '{name}': {}", errno_name(error)),
    };
    not_spawned(text, error)
}

/// The report of a child that could not execute its program.
pub(super) fn no_exec(name: &str, error: &io::Error) -> NotSpawned {
    not_spawned(format!("couldn't exec '{name}': {}", errno_name(error)), error)
}
