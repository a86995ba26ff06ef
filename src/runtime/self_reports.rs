//! Reports of processes about themselves: systemd's notify protocol, and s6's newline on a descriptor.
//!
//! A process has a separate socket or pipe for each run. So a report belongs to that run, even if the helper
//! that has sent it is gone when it is read, and unread reports of an earlier run are ignored. Both are read
//! before the end of the process is reported, and then closed.

use std::ffi::{CStr, OsString};
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;

use super::{Children, Shell, Source, Sources};
use crate::model::{
    HealthCheck, LogLevel, Notification, Pid, ProcessId, ProcessSpec, ReadyCheck, SortedMap, UserId,
};
use crate::notify::{MESSAGE_BYTES_MAX, Message};
use crate::supervise::Input;
use crate::sys::children::is_descendant;
use crate::sys::descriptors::Descriptors;
use crate::sys::notify_socket::{NotifyFolder, NotifySender, NotifySocket};
use crate::sys::output::read_ready;
use crate::sys::poller::{Interest, Poller};
use crate::sys::users::own_id;

/// The maximum number of messages of one process that are read in a turn.
const MESSAGES_PER_TURN: usize = 64;

/// Where the folder for sockets is created: the first location that allows it.
const BASES: [&str; 2] = ["/run", "/tmp"];

const ROOT: UserId = 0;

const READ: Interest = Interest { read: true, write: false };

const SOCKET_VARIABLE: &str = "NOTIFY_SOCKET";
const WATCHDOG_VARIABLE: &str = "WATCHDOG_USEC";

/// The process that is to report.
pub(super) const WATCHDOG_PID_VARIABLE: &CStr = c"WATCHDOG_PID";

/// The channels through which one process reports.
#[derive(Debug, Default)]
pub(super) struct SelfReport {
    notify: Option<NotifySocket>,
    /// With their descriptor numbers in the process.
    pipes: Vec<(u16, OwnedFd)>,
    /// `health=notify`: the interval in which it must report.
    watchdog_micros: Option<u128>,
    token: u64,
    /// The pid of the process.
    pid: Option<Pid>,
    /// The readiness checks of the process when it was started.
    checks: Vec<ReadyCheck>,
    /// A message of an unrelated process was rejected, which was logged.
    has_refused: bool,
}

/// The channels of all live processes.
#[derive(Debug, Default)]
pub(super) struct SelfReports {
    live: SortedMap<ProcessId, Box<SelfReport>>,
    /// Created on first use. Without one, the kernel chooses the names of sockets.
    folder: Option<NotifyFolder>,
    sockets_made: u64,
}

impl SelfReports {
    /// Prepares the channels of a process that is about to start, adding the ends of its pipes to its
    /// descriptors.
    ///
    /// # Errors
    /// EMFILE, ENFILE; the error of bind(2).
    pub(super) fn prepare(
        &mut self,
        spec: &ProcessSpec,
        mut descriptors: Descriptors,
    ) -> io::Result<(SelfReport, Descriptors)> {
        let checks = spec.lifecycle.readiness.as_ref().map_or_else(Vec::new, |ready| ready.checks.clone());
        let mut report = SelfReport::default();
        for check in &checks {
            match check {
                ReadyCheck::Notify if report.notify.is_none() => report.notify = Some(self.socket()?),
                ReadyCheck::Fd(number) if report.pipes.iter().all(|(known, _)| known != number) => {
                    let read;
                    (descriptors, read) = descriptors.with_pipe((*number).into())?;
                    report.pipes.push((*number, read));
                }
                ReadyCheck::Notify
                | ReadyCheck::Fd(_)
                | ReadyCheck::StartSecs
                | ReadyCheck::Probe(_)
                | ReadyCheck::File(_)
                | ReadyCheck::Log(_) => {}
            }
        }
        if let Some(health) =
            spec.lifecycle.health.as_ref().filter(|health| health.check == HealthCheck::Notify)
        {
            report.watchdog_micros = Some(health.interval.as_micros());
            if report.notify.is_none() {
                report.notify = Some(self.socket()?);
            }
        }
        report.checks = checks;
        Ok((report, descriptors))
    }

    fn socket(&mut self) -> io::Result<NotifySocket> {
        if self.folder.is_none() {
            self.folder = BASES.iter().find_map(|base| NotifyFolder::make_in(Path::new(base)).ok());
        }
        self.sockets_made += 1;
        let path = self.folder.as_ref().map(|folder| folder.join(&format!("{}.sock", self.sockets_made)));
        // The folder may have been removed.
        path.and_then(|path| NotifySocket::at(path).ok()).map_or_else(NotifySocket::without_file, Ok)
    }

    /// The process was started.
    pub(super) fn add(
        &mut self,
        (process, pid): (ProcessId, Pid),
        mut report: SelfReport,
        (poller, sources): (&Poller, &mut Sources),
    ) -> io::Result<()> {
        if report.notify.is_none() && report.pipes.is_empty() {
            return Ok(());
        }
        report.pid = Some(pid);
        report.token = sources.add(Source::SelfReport(process));
        let watched = report.watch(poller);
        self.live.insert(process, Box::new(report));
        watched
    }

    /// Closes the channels of a process that is gone.
    fn remove(&mut self, process: ProcessId, sources: &mut Sources) {
        if let Some(report) = self.live.remove(&process) {
            sources.remove(report.token);
        }
    }
}

impl SelfReport {
    /// The environment variables with the address of the socket.
    pub(super) fn variables(&self) -> impl Iterator<Item = (OsString, OsString)> {
        let socket = self.notify.iter().map(|socket| (SOCKET_VARIABLE, socket.address().to_owned()));
        let watchdog = self.watchdog_micros.iter().map(|micros| (WATCHDOG_VARIABLE, micros.to_string()));
        socket.chain(watchdog).map(|(name, value)| (name.into(), value.into()))
    }

    /// Whether `WATCHDOG_PID` is set: the watchdog is not for what the process starts.
    pub(super) fn has_watchdog(&self) -> bool {
        self.watchdog_micros.is_some()
    }

    fn watch(&self, poller: &Poller) -> io::Result<()> {
        if let Some(socket) = &self.notify {
            poller.add(socket, self.token, READ)?;
        }
        self.pipes.iter().try_for_each(|(_, pipe)| poller.add(pipe, self.token, READ))
    }
}

/// The result of reading the pipe of a descriptor.
enum PipeOutcome {
    Newline,
    Closed,
    NothingYet,
}

/// Like s6, ignores everything before the newline, and neither reads nor keeps anything after it.
fn read_pipe(pipe: &OwnedFd, buffer: &mut [u8]) -> PipeOutcome {
    match read_ready(pipe, buffer) {
        Ok(Some(0)) | Err(_) => PipeOutcome::Closed,
        Ok(Some(count)) if buffer[..count].contains(&b'\n') => PipeOutcome::Newline,
        Ok(Some(_) | None) => PipeOutcome::NothingYet,
    }
}

impl Children {
    /// Whether a process belongs to a program that reports: to what we have started, or to its main process.
    fn is_of_program(&self, pid: Pid, process: ProcessId) -> bool {
        let leader = self.self_reports.live.get(&process).and_then(|report| report.pid);
        leader.is_some_and(|leader| is_descendant(pid, leader)) || self.main.is_descendant_of(pid, process)
    }
}

impl Shell {
    /// Reads the reports of a process.
    pub(super) fn take_self_reports(&mut self, process: ProcessId) {
        self.take_messages(process);
        self.take_newlines(process, true);
    }

    /// A process is dead: its last reports are read before its end is reported.
    pub(super) fn end_self_reports(&mut self, process: ProcessId) {
        self.take_messages(process);
        self.take_newlines(process, false);
        self.children.self_reports.remove(process, &mut self.sources);
    }

    fn take_newlines(&mut self, process: ProcessId, is_alive: bool) {
        let Some(report) = self.children.self_reports.live.get_mut(&process) else { return };
        let (mut ready, mut closed) = (Vec::new(), Vec::new());
        for (number, pipe) in &report.pipes {
            match read_pipe(pipe, &mut self.buffer) {
                PipeOutcome::Newline => ready.push(*number),
                PipeOutcome::Closed => closed.push(*number),
                PipeOutcome::NothingYet => {}
            }
        }
        report.pipes.retain(|(number, _)| !ready.contains(number) && !closed.contains(number));
        let name = self.core.spec(process).map_or_else(String::new, |spec| spec.name.to_string());
        for number in closed.into_iter().filter(|_| is_alive) {
            let text = format!("{name} has closed descriptor {number} without reporting that it is ready");
            self.log(LogLevel::Warn, &text);
        }
        for number in ready {
            self.ready_reported(process, &ReadyCheck::Fd(number));
        }
    }

    fn take_messages(&mut self, process: ProcessId) {
        for _ in 0..MESSAGES_PER_TURN {
            let Some(report) = self.children.self_reports.live.get_mut(&process) else { return };
            let Some(socket) = &report.notify else { return };
            // One byte more, to detect a message that is too long.
            let buffer = &mut self.buffer[..=MESSAGE_BYTES_MAX];
            let datagram = match socket.receive(buffer) {
                Ok(Some(datagram)) => datagram,
                Ok(None) => return,
                Err(error) => {
                    // Otherwise the event would repeat forever.
                    self.poller.remove(socket.as_fd());
                    let text = format!("cannot read the notifications of a program: {error}");
                    self.log(LogLevel::Warn, &text);
                    return;
                }
            };
            let leader = report.pid;
            let message = Message::parse(&buffer[..datagram.length], datagram.descriptors.len());
            if !self.is_entitled(process, datagram.sender) {
                self.ignore_message(process, datagram.sender);
                continue;
            }
            let Some(Message::Notifications(mut notifications)) = message else { continue };
            if let Some(leader) = leader {
                notifications.retain(|notification| match notification {
                    Notification::MainPid(pid) => self.follow_main_process(process, leader, *pid),
                    _ => true,
                });
            }
            if !notifications.is_empty() {
                let is_ready = notifications.contains(&Notification::Ready);
                self.feed(Input::Notified { process, notifications });
                if is_ready {
                    self.ready_reported(process, &ReadyCheck::Notify);
                }
            }
            // Descriptors are closed here: that of a barrier after everything before it was processed.
        }
    }

    /// A readiness check holds: finds its index among those of the process.
    fn ready_reported(&mut self, process: ProcessId, reported: &ReadyCheck) {
        let Some(report) = self.children.self_reports.live.get(&process) else { return };
        let Some(pid) = report.pid else { return };
        let checks = report.checks.iter().enumerate();
        let places: Vec<_> = checks.filter(|(_, check)| *check == reported).map(|(place, _)| place).collect();
        places.into_iter().for_each(|check| self.feed(Input::ReadyReported { process, pid, check }));
    }

    /// Whether a sender belongs to the process. A sender of root, our own user or the process's user does, as
    /// it may have exited by now; a sender of another user only if it is the process itself or a descendant,
    /// as when an entry point or a worker has changed its user. A process of another container does not.
    fn is_entitled(&self, process: ProcessId, sender: Option<NotifySender>) -> bool {
        let Some(NotifySender { user, pid: Some(pid) }) = sender else { return false };
        let spec = self.core.spec(process);
        let is_users = spec.and_then(|spec| spec.user.as_ref()).is_some_and(|it| it.uid == user);
        user == ROOT || user == own_id() || is_users || self.children.is_of_program(pid, process)
    }

    fn ignore_message(&mut self, process: ProcessId, sender: Option<NotifySender>) {
        let report = self.children.self_reports.live.get_mut(&process);
        if report.is_none_or(|report| std::mem::replace(&mut report.has_refused, true)) {
            return;
        }
        let name = self.core.spec(process).map_or("", |spec| &spec.name);
        let (user, pid) = sender.map_or((0, Pid(0)), |it| (it.user, it.pid.unwrap_or(Pid(0))));
        let text =
            format!("a notification for {name} is ignored: pid {pid} of user {user} does not belong to it");
        self.log(LogLevel::Warn, &text);
    }
}
