//! Main processes that programs name themselves by `MAINPID` of systemd's notify protocol: a daemon that has replaced
//! itself, or that a wrapper has started.
//!
//! From then on the main process is the program: signals are for it, and once the process that we have started, its
//! leader, has ended, we adopt it, and its end is that of the program. While the leader lives, the end of its main
//! process makes the leader the main process again. A handle of the kernel stands for the main process until it is
//! our child, as its parent may reap it at any time and its number may become another's.

use std::collections::BTreeMap;
use std::io;

use super::{Children, Shell, Source, Sources};
use crate::model::{ExitStatus, LogLevel, Notification, Pid, ProcessId, Signal};
use crate::supervise::{Input, KillTarget};
use crate::sys::children::{is_child, is_descendant};
use crate::sys::groups::{ProcessFd, signal_with_leader};
use crate::sys::poller::{Interest, Poller};

#[derive(Debug)]
struct MainProcess {
    pid: Pid,
    /// What we have started.
    leader: Pid,
    handle: ProcessFd,
    token: u64,
}

/// Those that were named, one of each process at most.
#[derive(Debug, Default)]
pub(super) struct MainProcesses {
    named: BTreeMap<ProcessId, MainProcess>,
}

impl MainProcesses {
    fn remove(&mut self, process: ProcessId, poller: &Poller, sources: &mut Sources) {
        if let Some(main) = self.named.remove(&process) {
            poller.remove(main.handle.as_fd());
            sources.remove(main.token);
        }
    }

    /// The main process that a program has named, if it is this one.
    fn get(&self, process: ProcessId, pid: Pid) -> Option<&MainProcess> {
        self.named.get(&process).filter(|main| main.pid == pid)
    }

    /// Whether a process is the main process of a program, or descends from it.
    pub(super) fn is_descendant_of(&self, pid: Pid, process: ProcessId) -> bool {
        self.named.get(&process).is_some_and(|main| is_descendant(pid, main.pid))
    }
}

impl Children {
    /// Adopts the main process of a program of which another process has ended, if it is our child by now.
    fn adopt_main_process(&mut self, process: ProcessId, ended: Pid) -> Option<Pid> {
        let pid = self.main.named.get(&process)?.pid;
        let is_adopted = pid != ended && is_child(pid);
        if is_adopted {
            self.adopt(pid, process);
        }
        is_adopted.then_some(pid)
    }
}

impl Shell {
    /// A program that was started with the pid `leader` names its main process. Returns whether the core is to know.
    pub(super) fn follow_main_process(&mut self, process: ProcessId, leader: Pid, pid: Pid) -> bool {
        let named = self.children.main.named.get(&process);
        let current = named.map_or(leader, |main| main.pid);
        if pid == current {
            return false;
        }
        if pid == leader && self.children.has_pid(leader) {
            self.children.main.remove(process, &self.poller, &mut self.sources);
            return true;
        }
        let handle = ProcessFd::open(pid);
        // Looked at once the handle is there, so that both mean the same process.
        let descends = is_descendant(pid, leader) || is_descendant(pid, current);
        let Some(handle) = handle.filter(|_| descends) else {
            let name = self.core.spec(process).map_or("", |spec| &spec.name);
            let why = if descends { "cannot be followed" } else { "does not descend from it" };
            let text = format!("{name} reports pid {pid} as its main process, which {why}: ignored");
            self.log(LogLevel::Warn, &text);
            return false;
        };
        self.children.main.remove(process, &self.poller, &mut self.sources);
        let token = self.sources.add(Source::MainProcess(process));
        // Without it, the end of a main process that is not our child yet is noticed with that of the leader.
        let _ = self.poller.add(handle.as_fd(), token, Interest { read: true, write: false });
        self.children.main.named.insert(process, MainProcess { pid, leader, handle, token });
        true
    }

    /// A main process has ended. If it is our child by now, it is reaped; if not, its leader lives and stands for the
    /// program again.
    pub(super) fn main_process_ended(&mut self, process: ProcessId) {
        let Some(MainProcess { pid, leader, handle, .. }) = self.children.main.named.get(&process) else {
            return;
        };
        // It would be reported again and again.
        self.poller.remove(handle.as_fd());
        let leader = *leader;
        if !self.children.has_pid(*pid) && self.children.has_pid(leader) {
            self.children.main.remove(process, &self.poller, &mut self.sources);
            self.feed(Input::Notified { process, notifications: vec![Notification::MainPid(leader)] });
        }
    }

    /// A child of ours was reaped. Returns whether the program continues as its main process, which we have adopted.
    pub(super) fn main_process_continues(
        &mut self,
        process: ProcessId,
        ended: Pid,
        status: ExitStatus,
    ) -> bool {
        self.take_self_reports(process);
        let Some(pid) = self.children.adopt_main_process(process, ended) else {
            self.children.main.remove(process, &self.poller, &mut self.sources);
            return false;
        };
        let name = self.core.spec(process).map_or("", |spec| &spec.name);
        let text = format!("{name}: pid {ended} has ended ({status}), its main process {pid} continues");
        self.log(LogLevel::Info, &text);
        true
    }

    /// Sends a signal to a process, and to everything else that it is to reach.
    pub(super) fn send_to(
        &mut self,
        process: ProcessId,
        pid: Pid,
        signal: Signal,
        target: KillTarget,
    ) -> io::Result<()> {
        let leader = self.children.main.get(process, pid).map_or(pid, |main| main.leader);
        let except = self.already_signalled(process, leader, signal);
        // One that the core does not know to be in its cgroup may have entered it since the last look.
        if matches!(target, KillTarget::Cgroup | KillTarget::Tree) {
            self.resources.signal_cgroup_of(process, &[leader, pid], signal, except);
        }
        if self.children.main.get(process, pid).is_none() {
            return match target {
                KillTarget::Process => crate::sys::process::send_signal(pid, signal, false),
                KillTarget::Group | KillTarget::Cgroup => signal_with_leader(pid, signal),
                KillTarget::Tree => self.resources.trees.signal_with_leader(process, pid, signal),
            };
        }
        if target == KillTarget::Tree {
            let to = (signal, except);
            self.resources.trees.signal_now((process, leader), &[leader, pid], to, &self.children);
        }
        let sent = self.children.main.get(process, pid).map_or(Ok(()), |main| main.handle.signal(signal));
        if target != KillTarget::Process {
            // The group is the leader's, and may be empty.
            let _ = if self.children.has_pid(leader) {
                signal_with_leader(leader, signal)
            } else {
                self.children.group(process, leader).signal(signal)
            };
        }
        sent
    }
}
