//! Members of a process group that outlive their leader.
//!
//! With `kill_tree` everything that a program has started counts as its group: it ends whenever the leader has ended.
//!
//! With `stopasgroup` or `killasgroup` a stop ends the whole group. The members that remain when the leader
//! is reaped keep the time that the stop gave them, then they are killed. A stop waits for them, but not
//! forever: members that SIGKILL does not end within a grace period are given up, with one log line that names the
//! pids. Zombies do not count as members, as nothing can be done about them. Members of a leader that ended by
//! itself are left alone until everything is stopped, as by Supervisor.
//!
//! The kernel does not reuse the number of a group as a pid while the group has members. So the number is
//! forgotten when no member is left, when another program of ours is started with this pid, and when the
//! process is started again.
//! COMPAT: Supervisor never sends anything to a group whose leader is dead.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::process::{Process, seconds};
use super::stopping::{GRACE_AFTER_KILL, KillTarget, Stop};
use super::{Effect, Effects, Supervisor, Turn};
use crate::model::{LogLevel, Mono, Pid, ProcessId, Signal};

/// How long to wait before looking again for members that a stop waits for. The end of one that is not our
/// child is not reported to us. Doubled each time, up to `LOOK_AGAIN_AFTER_MAX`.
const LOOK_AGAIN_AFTER: Duration = Duration::from_millis(50);

const LOOK_AGAIN_AFTER_MAX: Duration = Duration::from_secs(1);

/// How long to wait for more orphans to end before looking again: a search may have to read all of /proc.
const LOOK_AFTER_ORPHAN: Duration = Duration::from_millis(5);

/// How many pids the log line about members that were given up names.
const PIDS_NAMED_MAX: usize = 10;

/// What was found in a process group. Zombies do not count.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Members {
    /// None.
    None,
    /// These.
    Some(Vec<Pid>),
    /// The group exists, but without /proc it is unknown whether there are only zombies in it.
    Unknown,
}

impl Members {
    /// Those with these pids.
    #[must_use]
    pub fn of(pids: Vec<Pid>) -> Self {
        if pids.is_empty() { Self::None } else { Self::Some(pids) }
    }
}

impl fmt::Display for Members {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self::Some(pids) = self else { return f.write_str("pids unknown") };
        f.write_str(if pids.len() == 1 { "pid " } else { "pids " })?;
        let named: Vec<_> = pids.iter().take(PIDS_NAMED_MAX).map(Pid::to_string).collect();
        f.write_str(&named.join(", "))?;
        match pids.len().saturating_sub(PIDS_NAMED_MAX) {
            0 => Ok(()),
            more => write!(f, " and {more} more"),
        }
    }
}

/// Where members of a program are found whose leader was reaped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeaderlessGroup {
    /// Which program.
    pub process: ProcessId,
    /// The pid of its leader.
    pub leader: Pid,
    /// What its members are, never [`KillTarget::Process`].
    pub target: KillTarget,
}

/// The group of a leader that was reaped.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(super) struct RemainingGroup {
    leader: Pid,
    target: KillTarget,
    phase: Phase,
}

#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
enum Phase {
    /// Its leader ended by itself.
    LeftAlone {
        /// Whether a search has found members.
        is_known: bool,
    },
    /// It was asked to stop.
    Stopping {
        kill_at: Mono,
    },
    Killed {
        give_up_at: Mono,
    },
}

impl Phase {
    /// What is left of a stop when the leader is gone.
    fn of_stop(stop: Stop) -> Self {
        match stop.give_up_at {
            Some(give_up_at) => Self::Killed { give_up_at },
            None => Self::Stopping { kill_at: stop.kill_at },
        }
    }
}

/// When to look for members again.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(super) struct NextLook {
    at: Mono,
    pause: Duration,
}

impl Process {
    /// With `kill_tree` everything that the program has started has to end now, for whatever reason the program has ended.
    /// Called before a restart that follows at once, which kills what is left.
    pub(super) fn leave_tree(&mut self, turn: &Turn, leader: Option<Pid>, stop: Option<Stop>) {
        let Some(leader) = leader.filter(|_| self.spec.kill_tree) else { return };
        let phase = match stop {
            None => Phase::Stopping { kill_at: turn.now.mono.after(seconds(self.spec.stop_wait_secs)) },
            Some(stop) => Phase::of_stop(stop),
        };
        self.remain(leader, phase);
    }

    fn end_tree(&self, out: &mut Effects) {
        match self.remaining.as_ref().map(|group| group.phase) {
            Some(Phase::Stopping { .. }) => self.signal_members(self.spec.stop_signal, out),
            Some(Phase::Killed { .. }) => self.signal_members(Signal::KILL, out),
            Some(Phase::LeftAlone { .. }) | None => return,
        }
        out.look_for_members = true;
    }

    /// The leader, with this pid, was reaped; `stop` is the stop that was under way.
    pub(super) fn leave_members(&mut self, leader: Option<Pid>, stop: Option<Stop>, out: &mut Effects) {
        if self.is_starting() {
            return;
        }
        if self.spec.kill_tree {
            return self.end_tree(out);
        }
        let Some(leader) = leader.filter(|_| self.spec.kill_as_group) else {
            return out.push(Effect::ForgetMembers { process: self.id });
        };
        let phase = match stop {
            None => Phase::LeftAlone { is_known: false },
            Some(stop) => Phase::of_stop(stop),
        };
        self.remain(leader, phase);
        out.look_for_members = true;
    }

    /// An update of the options that decide what its members are does not concern them any more.
    fn remain(&mut self, leader: Pid, phase: Phase) {
        let target = self.kill_target();
        self.remaining = Some(Box::new(RemainingGroup { leader, target, phase }));
    }

    fn leaderless_group(&self) -> Option<LeaderlessGroup> {
        let RemainingGroup { leader, target, .. } = **self.remaining.as_ref()?;
        Some(LeaderlessGroup { process: self.id, leader, target })
    }

    fn signal_members(&self, signal: Signal, out: &mut Effects) {
        if let Some(group) = self.leaderless_group() {
            out.push(Effect::KillMembers { group, signal });
        }
    }

    pub(super) fn forget_members(&mut self, out: &mut Effects) {
        if self.remaining.take().is_some() {
            out.push(Effect::ForgetMembers { process: self.id });
        }
    }

    /// The process is started again: members that a stop has not ended yet must not block it.
    pub(super) fn clear_away_members(&mut self, out: &mut Effects) {
        if self.has_stopping_members() {
            self.signal_members(Signal::KILL, out);
        }
        self.forget_members(out);
    }

    /// Everything is stopped, so they are asked to stop, too.
    pub(super) fn stop_members(&mut self, turn: &Turn, out: &mut Effects) {
        if let Some(group) = &mut self.remaining
            && matches!(group.phase, Phase::LeftAlone { .. })
        {
            group.phase = Phase::Stopping { kill_at: turn.now.mono.after(seconds(self.spec.stop_wait_secs)) };
            self.signal_members(self.spec.stop_signal, out);
            out.look_for_members = true;
        }
    }

    /// Kills them, and gives up those that are left after this grace period.
    pub(super) fn kill_members(&mut self, turn: &Turn, grace: Duration, out: &mut Effects) {
        let Some(RemainingGroup { phase, .. }) = self.remaining.as_deref_mut() else { return };
        let latest = turn.now.mono.after(grace);
        if let Phase::Killed { give_up_at } = phase {
            *give_up_at = latest.min(*give_up_at);
            return;
        }
        *phase = Phase::Killed { give_up_at: latest };
        let text = format!("killing what is left of {} with SIGKILL", self.remains());
        out.log(LogLevel::Warn, text);
        self.signal_members(Signal::KILL, out);
        out.look_for_members = true;
    }

    /// Acts on the deadline of members. A last search decides whether any have to be given up.
    pub(super) fn members_time_passed(&mut self, turn: &Turn, out: &mut Effects) {
        match self.remaining.as_ref().map(|group| group.phase) {
            Some(Phase::Stopping { kill_at }) if turn.now.mono >= kill_at => {
                self.kill_members(turn, GRACE_AFTER_KILL, out);
            }
            Some(Phase::Killed { give_up_at }) if turn.now.mono >= give_up_at => out.look_for_members = true,
            Some(Phase::LeftAlone { .. } | Phase::Stopping { .. } | Phase::Killed { .. }) | None => {}
        }
    }

    pub(super) fn members_deadline(&self) -> Option<Mono> {
        match self.remaining.as_ref()?.phase {
            Phase::LeftAlone { .. } => None,
            Phase::Stopping { kill_at } => Some(kill_at),
            Phase::Killed { give_up_at } => Some(give_up_at),
        }
    }

    /// Whether a stop waits for them.
    pub(super) fn has_stopping_members(&self) -> bool {
        self.members_deadline().is_some()
    }

    /// Its group if that has to be looked at.
    fn group_to_look_at(&self) -> Option<LeaderlessGroup> {
        let is_known = matches!(self.remaining.as_ref()?.phase, Phase::LeftAlone { is_known: true });
        self.leaderless_group().filter(|_| !is_known)
    }

    fn members_found(&mut self, turn: &Turn, found: &Members, out: &mut Effects) {
        let Some(RemainingGroup { phase, target, .. }) = self.remaining.as_deref_mut() else { return };
        match phase {
            _ if *found == Members::None => self.forget_members(out),
            Phase::LeftAlone { is_known } => *is_known = true,
            Phase::Killed { give_up_at } if turn.now.mono >= *give_up_at => {
                let text = format!("giving up what is left of {} after SIGKILL: {found}", self.remains());
                out.log(LogLevel::Warn, text);
                self.forget_members(out);
            }
            // What was forked while the others were killed.
            Phase::Killed { .. } if *target != KillTarget::Group => self.signal_members(Signal::KILL, out),
            Phase::Stopping { .. } | Phase::Killed { .. } => {}
        }
    }

    fn remains(&self) -> String {
        let whole = match self.remaining.as_ref().map(|group| group.target) {
            Some(KillTarget::Cgroup) => "cgroup",
            Some(KillTarget::Tree) => "process tree",
            Some(KillTarget::Process | KillTarget::Group) | None => "group",
        };
        format!("the {whole} of '{}'", self.spec.name)
    }
}

impl Supervisor {
    /// An orphan was reaped that may have been the last member of a group that a stop waits for.
    pub(super) fn orphan_ended(&mut self, turn: &Turn) {
        if self.awaits_members() {
            let soon = turn.now.mono.after(LOOK_AFTER_ORPHAN);
            let at = self.next_look.map_or(soon, |look| look.at.min(soon));
            self.next_look = Some(NextLook { at, pause: LOOK_AGAIN_AFTER });
        }
    }

    /// Whether members have to be looked for at the end of this input.
    pub(super) fn schedule_look(&mut self, turn: &Turn, out: &mut Effects) {
        if std::mem::take(&mut out.look_for_members) {
            self.next_look = Some(NextLook { at: turn.now.mono, pause: LOOK_AGAIN_AFTER });
        }
    }

    pub(super) fn look_deadline(&self) -> Option<Mono> {
        self.next_look.map(|look| look.at)
    }

    /// Looks for the members of all awaited groups, if that is due.
    pub(super) fn look_for_members(&mut self, turn: &Turn, out: &mut Effects) {
        if out.look_for_members || self.look_deadline().is_some_and(|at| at <= turn.now.mono) {
            out.look_for_members = false;
            let groups = self.processes.with_members();
            let groups = groups.filter_map(Process::group_to_look_at);
            out.push(Effect::FindMembers { groups: groups.collect() });
        }
    }

    /// The outcome of `FindMembers`.
    pub(super) fn members_found(&mut self, turn: &Turn, found: &[(ProcessId, Members)], out: &mut Effects) {
        for (id, members) in found {
            self.with(*id, |process| process.members_found(turn, members, out));
            self.changed(turn, *id, None, out);
        }
        let pause = self.next_look.map_or(LOOK_AGAIN_AFTER, |look| look.pause);
        let again = NextLook {
            at: turn.now.mono.after(pause),
            pause: pause.saturating_mul(2).min(LOOK_AGAIN_AFTER_MAX),
        };
        self.next_look = self.awaits_members().then_some(again);
    }

    fn awaits_members(&self) -> bool {
        self.processes.with_members().any(Process::has_stopping_members)
    }

    /// Forgets any other group with this number: a program was started with this pid.
    pub(super) fn forget_group(&mut self, turn: &Turn, number: Pid, out: &mut Effects) {
        // A tree or a cgroup is not known by that number.
        let taken = |process: &&Process| {
            let group = process.remaining.as_ref();
            group.is_some_and(|group| group.leader == number && group.target == KillTarget::Group)
        };
        let ids: Vec<_> = self.processes.with_members().filter(taken).map(|process| process.id).collect();
        for id in ids {
            self.with(id, |process| process.forget_members(out));
            self.changed(turn, id, None, out);
        }
    }
}
