//! How each command is handled.

use std::sync::Arc;

use super::gates::waiting_text;
use super::operations::{Form, Goal, Row};
use super::process::Process;
use super::stop_order::StopReason;
use super::{Effect, Effects, Ending, ReadFor, Supervisor, Turn};
use crate::events::Event;
use crate::model::graph::{ProcessGraph, ProcessNode};
use crate::model::{
    BatchLimits, Command, EventType, Fault, FaultCode, Namespec, ProcessDetails, ProcessId, ProcessInfo,
    ProcessState, Reply, SignalRequest, Ticket, Wait,
};

impl Supervisor {
    pub(super) fn command(&mut self, turn: &Turn, ticket: Ticket, command: Command, out: &mut Effects) {
        if !self.allows_starts() && !command.is_taken_in_any_state() {
            return out.reply(ticket, Err(Fault::bare(FaultCode::ShutdownState)));
        }
        if self.operations.is_full() && may_wait(&command) {
            let text = "too many requests wait for processes; try again later";
            return out.reply(ticket, Err(Fault::about(FaultCode::Failed, text)));
        }
        match command {
            Command::GetIdentification => {
                out.reply(ticket, Ok(Reply::Text(self.identity.identifier.clone())))
            }
            Command::GetGroupNames => {
                let names = self.groups.iter().map(|group| group.name.to_string()).collect();
                out.reply(ticket, Ok(Reply::Names(names)));
            }
            Command::WriteLog(level, text) => {
                out.log(level, text);
                out.reply(ticket, Ok(Reply::Done));
            }
            Command::GetState => out.reply(ticket, Ok(Reply::State(self.state()))),
            Command::GetPid => out.reply(ticket, Ok(Reply::Pid(self.identity.pid))),
            Command::GetProcessInfo(name) => out.reply(ticket, self.process_info(turn, &name)),
            Command::GetAllProcessInfo => {
                out.reply(ticket, Ok(Reply::AllInfo(self.all_process_info(turn))));
            }
            Command::GetAllProcessDetails => {
                out.reply(ticket, Ok(Reply::AllDetails(self.all_process_info(turn))));
            }
            Command::GetProcessDetails(name) | Command::GetLaunch(name) => {
                out.reply(ticket, self.process_details(turn, &name))
            }
            Command::GetEvents { after, limit } => {
                out.reply(ticket, Ok(Reply::Events(self.events_after(after, limit))));
            }
            Command::GetGraph => out.reply(ticket, Ok(Reply::Graph(self.process_graph()))),
            Command::StartProcess(name, wait) => match self.find(&name) {
                Ok(Found::Process(id)) => self.start_one(turn, ticket, id, &name, wait, out),
                Ok(Found::Group(members)) => self.start_many(turn, ticket, members, wait, out),
                Err(fault) => out.reply(ticket, Err(fault)),
            },
            Command::StartProcessGroup(name, wait) => match self.group_members(&name) {
                Ok(members) => self.start_many(turn, ticket, members, wait, out),
                Err(fault) => out.reply(ticket, Err(fault)),
            },
            Command::StartAllProcesses(wait) => self.start_many(turn, ticket, self.by_priority(), wait, out),
            Command::StopProcess(name, wait) => match self.find(&name) {
                Ok(Found::Process(id)) => self.stop_one(turn, ticket, id, &name, wait, out),
                Ok(Found::Group(members)) => self.stop_many(turn, ticket, members, wait, out),
                Err(fault) => out.reply(ticket, Err(fault)),
            },
            Command::StopProcessGroup(name, wait) => match self.group_members(&name) {
                Ok(members) => self.stop_many(turn, ticket, members, wait, out),
                Err(fault) => out.reply(ticket, Err(fault)),
            },
            Command::StopAllProcesses(wait) => self.stop_many(turn, ticket, self.by_priority(), wait, out),
            Command::RestartRolling(name, limits) => match self.find(&name) {
                Ok(found) => self.restart_rolling(turn, ticket, (found.members(), limits), out),
                Err(fault) => out.reply(ticket, Err(fault)),
            },
            Command::RestartAllProcesses => {
                let limits = BatchLimits::ALL_AT_ONE_TIME;
                self.restart_rolling(turn, ticket, (self.by_priority(), limits), out);
            }
            Command::SignalProcess(name, signal) => match self.find(&name) {
                Ok(Found::Process(id)) => self.signal_one(turn, ticket, id, &name, signal, out),
                Ok(Found::Group(members)) => self.signal_many(turn, ticket, members, signal, out),
                Err(fault) => out.reply(ticket, Err(fault)),
            },
            Command::SignalProcessGroup(name, signal) => match self.group_members(&name) {
                Ok(members) => self.signal_many(turn, ticket, members, signal, out),
                Err(fault) => out.reply(ticket, Err(fault)),
            },
            Command::SignalAllProcesses(signal) => {
                self.signal_many(turn, ticket, self.by_priority(), signal, out)
            }
            Command::Shutdown => {
                out.reply(ticket, Ok(Reply::Done));
                self.shut_down(turn, Ending::Client, out);
            }
            Command::Restart => out.push(Effect::ReadSettings { purpose: ReadFor::Restart(Some(ticket)) }),
            Command::ReloadConfig => out.push(Effect::ReadSettings { purpose: ReadFor::Reread(ticket) }),
            Command::Update(group) => {
                out.push(Effect::ReadSettings { purpose: ReadFor::Update { ticket, group } });
            }
            Command::GetDiff => out.push(Effect::ReadSettings { purpose: ReadFor::Diff(ticket) }),
            Command::Scale { program, processes } => self.ask_to_scale(ticket, program, processes, out),
            Command::AddProcessGroup(name) => self.add_configured(turn, ticket, &name, out),
            Command::RemoveProcessGroup(name) => {
                let removed = self.remove_active(&name, out);
                out.reply(ticket, removed.map(|()| Reply::Done));
            }
            Command::UpdateProcessGroup(name) => {
                self.forget_scaling(&name);
                self.update_group(turn, ticket, &name, out);
            }
            Command::ReadLog(log, reading) => self.read_log(ticket, log, reading, out),
            Command::FollowLog(log) => out.reply(ticket, self.log_to_follow(&log)),
            Command::ClearLog => out.push(Effect::ClearLog { ticket }),
            Command::ClearProcessLogs(name) => self.clear_logs_of(turn, ticket, &name, out),
            Command::ClearAllProcessLogs => self.clear_all_logs(turn, ticket, out),
            Command::SendStdin(name, text) => self.send_stdin(turn, ticket, &name, text, out),
            Command::SendRemoteEvent { kind, data } => {
                out.announce(EventType::RemoteCommunication, || Event::RemoteCommunication { kind, data });
                out.reply(ticket, Ok(Reply::Done));
            }
            Command::GetAllConfigInfo => out.reply(ticket, Ok(self.all_config())),
        }
    }

    fn process_info(&self, turn: &Turn, name: &Namespec) -> Result<Reply, Fault> {
        match self.find(name)? {
            Found::Process(id) => {
                let process = self.process(id).ok_or_else(|| bad_name(name))?;
                Ok(Reply::Info(Box::new(self.info(turn, process))))
            }
            Found::Group(_) => Err(bad_name(name)),
        }
    }

    fn process_details(&self, turn: &Turn, name: &Namespec) -> Result<Reply, Fault> {
        let Found::Process(id) = self.find(name)? else { return Err(bad_name(name)) };
        let process = self.process(id).ok_or_else(|| bad_name(name))?;
        let mut info = self.info(turn, process);
        info.listener = self.listener_states().get(&id).copied();
        let history = process.history.transitions().cloned().collect();
        let details = ProcessDetails { info, spec: Arc::clone(&process.spec), history };
        Ok(Reply::Details(Box::new(details)))
    }

    pub(super) fn info(&self, turn: &Turn, process: &Process) -> ProcessInfo {
        let mut info = process.info(turn);
        if process.is_waiting() {
            info.waiting_for = self.conditions.waiting_for(process.id, &process.spec);
            let text = waiting_text(&info.waiting_for);
            info.description = process.hook_in_place_of_state().unwrap_or(text);
        }
        let dependents = self.conditions.dependents(process.id).filter_map(|id| self.process(id));
        info.needed_by =
            dependents.filter(|dependent| dependent.pid().is_some()).map(Process::full_name).collect();
        info
    }

    fn process_graph(&self) -> ProcessGraph {
        let ids: Vec<_> = self.processes.sorted().map(|process| process.id).collect();
        let (edges, is_truncated) = self.conditions.edges(&ids);
        let nodes = self.processes.sorted().map(|process| ProcessNode {
            group: process.spec.group.to_string(),
            name: process.spec.name.to_string(),
            state: process.state(),
        });
        ProcessGraph { nodes: nodes.collect(), edges, is_truncated }
    }

    /// By group name, then process name, byte by byte.
    fn all_process_info(&self, turn: &Turn) -> Vec<ProcessInfo> {
        let listeners = self.listener_states();
        let info = |process: &Process| ProcessInfo {
            listener: listeners.get(&process.id).copied(),
            ..self.info(turn, process)
        };
        self.processes.sorted().map(info).collect()
    }

    fn start_one(
        &mut self,
        turn: &Turn,
        ticket: Ticket,
        id: ProcessId,
        name: &Namespec,
        wait: Wait,
        out: &mut Effects,
    ) {
        let row = Row { process: id, asked_as: name.text.clone(), goal: Goal::Checked(wait) };
        self.open_command(turn, ticket, Form::One, vec![row], out);
        out.push(Effect::Check { process: id });
    }

    /// All are spawned before any is awaited; processes that already run are skipped without a row.
    fn start_many(
        &mut self,
        turn: &Turn,
        ticket: Ticket,
        members: Vec<ProcessId>,
        wait: Wait,
        out: &mut Effects,
    ) {
        let mut rows = self.rows(&members, Goal::Checked(wait));
        rows.retain(|row| !self.state_of(row.process).is_running());
        let checks: Vec<_> = rows.iter().map(|row| Effect::Check { process: row.process }).collect();
        self.open_command(turn, ticket, Form::Many, rows, out);
        checks.into_iter().for_each(|check| out.push(check));
    }

    fn stop_one(
        &mut self,
        turn: &Turn,
        ticket: Ticket,
        id: ProcessId,
        name: &Namespec,
        wait: Wait,
        out: &mut Effects,
    ) {
        if !self.can_stop(id) {
            return out.reply(ticket, Err(Fault::about(FaultCode::NotRunning, name.text.clone())));
        }
        let row = Row { process: id, asked_as: name.text.clone(), goal: Goal::Stopped(wait) };
        self.open_command(turn, ticket, Form::One, vec![row], out);
        self.stop_in_order(turn, &[id], StopReason::Request(wait), out);
    }

    /// COMPAT: Supervisor signals in ascending order here too; its documentation promises this.
    fn stop_many(
        &mut self,
        turn: &Turn,
        ticket: Ticket,
        mut members: Vec<ProcessId>,
        wait: Wait,
        out: &mut Effects,
    ) {
        members.retain(|&id| self.can_stop(id));
        let rows = self.rows(&members, Goal::Stopped(wait));
        self.open_command(turn, ticket, Form::Many, rows, out);
        members.reverse();
        self.stop_in_order(turn, &members, StopReason::Request(wait), out);
    }

    pub(super) fn stop_process(&mut self, turn: &Turn, id: ProcessId, wait: Wait, out: &mut Effects) {
        self.with(id, |process| {
            process.stop(turn, out);
            if wait == Wait::Yes {
                process.report_stopping(turn, out);
            }
        });
        self.answer_before_hook(turn, id, out);
        self.changed(turn, id, None, out);
    }

    fn signal_one(
        &mut self,
        turn: &Turn,
        ticket: Ticket,
        id: ProcessId,
        name: &Namespec,
        signal: SignalRequest,
        out: &mut Effects,
    ) {
        let signal = match signal {
            Ok(signal) => signal,
            Err(text) => return out.reply(ticket, Err(Fault::about(FaultCode::BadSignal, text))),
        };
        if !self.can_be_signalled(id) {
            return out.reply(ticket, Err(Fault::about(FaultCode::NotRunning, name.text.clone())));
        }
        let row = Row { process: id, asked_as: name.text.clone(), goal: Goal::Signalled };
        self.open_command(turn, ticket, Form::One, vec![row], out);
        self.with(id, |process| process.signal(signal, out));
    }

    fn signal_many(
        &mut self,
        turn: &Turn,
        ticket: Ticket,
        mut members: Vec<ProcessId>,
        signal: SignalRequest,
        out: &mut Effects,
    ) {
        members.retain(|&id| self.can_be_signalled(id));
        let signal = match signal {
            Ok(signal) => signal,
            Err(text) => return out.reply(ticket, Ok(self.refuse_signal(&members, &text))),
        };
        let rows = self.rows(&members, Goal::Signalled);
        self.open_command(turn, ticket, Form::Many, rows, out);
        for id in members {
            self.with(id, |process| process.signal(signal, out));
        }
    }

    /// An unknown signal is a fault of each row, not of the whole command.
    fn refuse_signal(&self, members: &[ProcessId], text: &str) -> Reply {
        let refused = |process: &Process| process.bulk_row(Err(Fault::about(FaultCode::BadSignal, text)));
        Reply::Bulk(members.iter().filter_map(|id| self.process(*id)).map(refused).collect())
    }

    pub(super) fn rows(&self, members: &[ProcessId], goal: Goal) -> Vec<Row> {
        let processes = members.iter().filter_map(|id| self.process(*id));
        processes
            .map(|process| {
                let asked_as = Namespec::join(&process.spec.group, &process.spec.name);
                Row { process: process.id, asked_as, goal }
            })
            .collect()
    }

    pub(super) fn state_of(&self, id: ProcessId) -> ProcessState {
        self.process(id).map_or(ProcessState::Stopped, Process::state)
    }

    /// One that waits for others, or for its `pre_start`, is STARTING to clients and has no pid.
    fn can_be_signalled(&self, id: ProcessId) -> bool {
        self.process(id).is_some_and(|process| process.state().is_signallable() && process.pid().is_some())
    }

    /// Includes a process that has ended or is being stopped and would be started again by its restart policy or
    /// its schedule: it then stays down.
    pub(super) fn can_stop(&self, id: ProcessId) -> bool {
        let will_run = |process: &Process| {
            process.will_restart() || process.stops_before_another_start() || process.has_next_run()
        };
        self.process(id).is_some_and(|process| process.state().is_running() || will_run(process))
    }

    pub(super) fn find(&self, name: &Namespec) -> Result<Found, Fault> {
        let found = match &name.process {
            None => self.groups.named(&name.group).map(|group| Found::Group(self.members_by_priority(group))),
            Some(process) => self.processes.named(&name.group, process).map(|it| Found::Process(it.id)),
        };
        found.ok_or_else(|| bad_name(name))
    }

    pub(super) fn group_members(&self, name: &str) -> Result<Vec<ProcessId>, Fault> {
        let group = self.groups.named(name).ok_or_else(|| Fault::about(FaultCode::BadName, name))?;
        Ok(self.members_by_priority(group))
    }
}

/// Whether the answer may wait for processes. Signals and texts are handled at once.
fn may_wait(command: &Command) -> bool {
    use Command::{
        RestartAllProcesses, RestartRolling, Scale, StartAllProcesses, StartProcess, StartProcessGroup,
        StopAllProcesses, StopProcess, StopProcessGroup, Update, UpdateProcessGroup,
    };
    matches!(
        command,
        StartProcess(..)
            | StartProcessGroup(..)
            | StartAllProcesses(_)
            | StopProcess(..)
            | StopProcessGroup(..)
            | StopAllProcesses(_)
            | Update(_)
            | UpdateProcessGroup(_)
            | RestartRolling(..)
            | RestartAllProcesses
            | Scale { .. }
    )
}

pub(super) fn bad_name(name: &Namespec) -> Fault {
    Fault::about(FaultCode::BadName, name.text.clone())
}

pub(super) enum Found {
    Process(ProcessId),
    Group(Vec<ProcessId>),
}

impl Found {
    pub(super) fn members(self) -> Vec<ProcessId> {
        match self {
            Self::Process(process) => vec![process],
            Self::Group(members) => members,
        }
    }
}
