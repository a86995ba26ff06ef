//! The actions of the links on the status page, with Supervisor's messages.

use crate::http::http_date;
use crate::model::{BatchLimits, BulkRow, Command, Fault, FaultCode, Namespec, Reply, Wait, Wall};

/// The maximum number of processes that a message names.
const NAMED_MAX: usize = 5;

#[derive(Clone, Debug, PartialEq)]
pub(super) enum PageAction {
    Refresh,
    StopAll,
    RestartAll,
    Start(Namespec),
    Stop(Namespec),
    Restart(Namespec),
    ClearLog(Namespec),
}

/// The progress of an action.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Progress {
    /// The number of commands so far.
    pub(super) asked: usize,
    /// The result of the last command.
    pub(super) last: Option<Result<Reply, Fault>>,
    /// The failures of bulk commands.
    failures: Vec<String>,
}

impl Progress {
    pub(super) fn take(&mut self, outcome: Result<Reply, Fault>) {
        if let Ok(Reply::Bulk(rows)) = &outcome {
            self.failures.extend(rows.iter().filter_map(failure));
        }
        self.last = Some(outcome);
    }

    fn fault(&self) -> Option<&Fault> {
        self.last.as_ref().and_then(|outcome| outcome.as_ref().err())
    }

    /// The failure of a command for one process.
    fn fault_of_one(&self) -> Option<&Fault> {
        match &self.last {
            Some(Ok(Reply::Bulk(rows))) => rows.iter().find_map(|row| row.outcome.as_ref().err()),
            _ => self.fault(),
        }
    }
}

fn failure(BulkRow { name, group, outcome }: &BulkRow) -> Option<String> {
    let fault = outcome.as_ref().err()?;
    Some(format!("{}: {}", Namespec::join(group, name), why_not_started(fault)))
}

impl PageAction {
    /// The action of this name. COMPAT: Supervisor answers others with a traceback in its log.
    pub(super) fn parse(name: &str, process: Option<&str>) -> Result<Self, String> {
        let of = match (name, process) {
            ("refresh", _) => return Ok(Self::Refresh),
            ("stopall", _) => return Ok(Self::StopAll),
            ("restartall", _) => return Ok(Self::RestartAll),
            ("start", _) => Self::Start,
            ("stop", _) => Self::Stop,
            ("restart", _) => Self::Restart,
            ("clearlog", _) => Self::ClearLog,
            _ => return Err(format!("There is no action '{name}'.")),
        };
        match process {
            Some(process) => Ok(of(Namespec::split(process))),
            None => Err(format!("The action '{name}' needs a process: processname is missing.")),
        }
    }

    pub(super) fn changes_something(&self) -> bool {
        *self != Self::Refresh
    }

    /// The label and effect of its link, if it stops everything.
    pub(super) fn stops_everything(&self) -> Option<(&'static str, &'static str)> {
        match self {
            Self::StopAll => Some(("Stop All", "This stops every process that runs.")),
            Self::RestartAll => {
                Some(("Restart All", "This stops every process that runs, then starts all programs."))
            }
            Self::Refresh | Self::Start(_) | Self::Stop(_) | Self::Restart(_) | Self::ClearLog(_) => None,
        }
    }

    fn process(&self) -> Option<&Namespec> {
        match self {
            Self::Refresh | Self::StopAll | Self::RestartAll => None,
            Self::Start(name) | Self::Stop(name) | Self::Restart(name) | Self::ClearLog(name) => Some(name),
        }
    }

    /// A whole group is not a process here.
    fn names_a_group(&self) -> bool {
        self.process().is_some_and(|name| name.process.is_none())
    }

    /// The next command.
    pub(super) fn command(&self, progress: &Progress) -> Option<Command> {
        if self.names_a_group() {
            return None;
        }
        match (self, progress.asked) {
            (Self::StopAll, 0) => Some(Command::StopAllProcesses(Wait::Yes)),
            (Self::RestartAll, 0) => Some(Command::RestartAllProcesses),
            (Self::Start(name), 0) => Some(Command::StartProcess(name.clone(), Wait::Yes)),
            (Self::Stop(name), 0) => Some(Command::StopProcess(name.clone(), Wait::Yes)),
            (Self::Restart(name), 0) => {
                Some(Command::RestartRolling(name.clone(), BatchLimits::ALL_AT_ONE_TIME))
            }
            (Self::ClearLog(name), 0) => Some(Command::ClearProcessLogs(name.clone())),
            _ => None,
        }
    }

    /// The result message.
    pub(super) fn message(&self, progress: &Progress, wall: Wall) -> String {
        let name = self.process().map_or("", |name| name.text.as_str());
        let is_unknown = progress.fault().is_some_and(|fault| fault.code == FaultCode::BadName);
        if is_unknown || self.names_a_group() {
            return format!("No such process named {name}");
        }
        let fault = if self.process().is_some() { progress.fault_of_one() } else { progress.fault() };
        match (self, fault) {
            (Self::Refresh, _) => format!("Page refreshed at {}", ctime(wall)),
            (Self::StopAll, None) => all_done("stopped", progress, wall),
            (Self::RestartAll, None) => all_done("restarted", progress, wall),
            (Self::Start(_), None) => format!("Process {name} started"),
            (Self::Stop(_), None) => format!("Process {name} stopped"),
            (Self::Restart(_), None) => format!("Process {name} restarted"),
            (Self::ClearLog(_), None) => format!("Log for {name} cleared"),
            (Self::Start(_), Some(fault)) => not_started(name, fault),
            // COMPAT: Supervisor reports a restart regardless of its result.
            (Self::Restart(_), Some(fault)) if start_failure(fault).is_some() => not_started(name, fault),
            (Self::StopAll | Self::RestartAll | Self::Stop(_) | Self::Restart(_), Some(fault))
            | (Self::ClearLog(_), Some(fault)) => unexpected(fault),
        }
    }
}

/// COMPAT: Supervisor reports success regardless of the results.
fn all_done(done: &str, progress: &Progress, wall: Wall) -> String {
    let at = ctime(wall);
    if progress.failures.is_empty() {
        return format!("All {done} at {at}");
    }
    let named = progress.failures.iter().take(NAMED_MAX).map(String::as_str).collect::<Vec<_>>().join(", ");
    match progress.failures.len().saturating_sub(NAMED_MAX) {
        0 => format!("Not all {done} at {at}: {named}"),
        more => format!("Not all {done} at {at}: {named}, and {more} more"),
    }
}

fn not_started(name: &str, fault: &Fault) -> String {
    format!("ERROR: Process {name}: {}", why_not_started(fault))
}

fn why_not_started(fault: &Fault) -> String {
    start_failure(fault).map_or_else(|| unexpected(fault), str::to_owned)
}

/// Supervisor's words for the failure of a start.
fn start_failure(fault: &Fault) -> Option<&'static str> {
    match fault.code {
        FaultCode::NoFile => Some("no such file"),
        FaultCode::NotExecutable => Some("file not executable"),
        FaultCode::AlreadyStarted => Some("already started"),
        FaultCode::SpawnError => Some("spawn error"),
        FaultCode::AbnormalTermination => Some("abnormal termination"),
        _ => None,
    }
}

pub(super) fn unexpected(fault: &Fault) -> String {
    format!("unexpected rpc fault [{}] {fault}", fault.code.number())
}

/// Local time in the form of ctime(3): `Sun Nov  6 08:49:37 1994`.
pub(super) fn ctime(wall: Wall) -> String {
    let date = http_date(wall.unix_secs() + i64::from(wall.utc_offset_secs));
    match date.split([',', ' ']).collect::<Vec<_>>()[..] {
        [weekday, _, day, month, year, clock, _] => {
            format!("{weekday} {month} {:>2} {clock} {year}", day.trim_start_matches('0'))
        }
        _ => date,
    }
}
