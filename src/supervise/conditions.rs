//! Conditions: which ones each process meets for its dependents, and how many members of each prerequisite meet it.
//!
//! A [`ConditionState`] is derived from the state of a process and kept in the index of all processes. Whenever one
//! changes, the tallies of the prerequisites that the process is a member of are adjusted, and the dependents of a
//! prerequisite are looked at when a fact that they depend on has changed. So the cost is linear in what changed.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

use super::desired::RunTarget;
use super::process::{Process, State};
use super::{Effects, Supervisor};
use crate::model::graph::{Graph, Need, Prerequisite, ProcessEdge, Unknown};
use crate::model::{Condition, ExitStatus, ProcessId, ProcessSpec};

/// Dependents looked at for the answer about one process: a thousand processes may each have a thousand of them.
const DEPENDENTS_SHOWN_MAX: usize = 64;

/// Edges of the graph for clients: between two programs with a thousand processes each there are a million.
const EDGES_MAX: usize = 16_384;

/// The part of a process's state that matters to other processes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct ConditionState {
    is_started: bool,
    is_ready: bool,
    is_healthy: bool,
    is_done: bool,
    has_exited: bool,
    /// FATAL, or EXITED without a restart: it changes nothing by itself any more.
    has_ended: bool,
    /// Nothing of it runs or is about to run.
    is_down: bool,
    /// It is up, and is stopping or about to be stopped.
    is_going_down: bool,
}

impl ConditionState {
    fn holds(self, condition: Condition) -> bool {
        match condition {
            Condition::Started => self.is_started,
            Condition::Ready => self.is_ready,
            Condition::Healthy => self.is_healthy,
            Condition::Done => self.is_done,
            Condition::Exited => self.has_exited,
        }
    }

    fn has_failed(self, condition: Condition) -> bool {
        self.has_ended && !self.holds(condition)
    }

    fn may_hold_later(self, condition: Condition) -> bool {
        !self.holds(condition) && !self.is_down
    }
}

/// Counts of the members of a prerequisite.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Tally {
    /// Members that do not hold the condition.
    missing: usize,
    /// Of these, the ones that may still meet it without a request.
    coming: usize,
    /// Of these, the ones that have failed.
    failed: usize,
}

impl Tally {
    /// What a dependent may learn from it.
    fn says(self) -> (bool, bool, bool) {
        (self.missing > 0, self.coming > 0, self.failed > 0)
    }

    fn count(&mut self, state: ConditionState, condition: Condition, apply: fn(&mut usize)) {
        for (is_counted, count) in [
            (!state.holds(condition), &mut self.missing),
            (state.may_hold_later(condition), &mut self.coming),
            (state.has_failed(condition), &mut self.failed),
        ] {
            if is_counted {
                apply(count);
            }
        }
    }
}

/// Whether a process may be spawned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Gate {
    Open,
    Closed,
    /// A member of this prerequisite has failed.
    Failed {
        prerequisite: usize,
    },
}

/// The graph of the active processes, with the counts of its prerequisites.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Conditions {
    graph: Graph,
    /// The processes of the nodes, in ascending order.
    ids: Vec<ProcessId>,
    /// Names that no active process has, because their group was removed.
    unknown: Vec<Unknown>,
    tallies: Vec<Tally>,
    /// Of each node.
    states: Vec<ConditionState>,
    /// Of each node, whether what it depends on has to wait with its stop: it is going down, or it is not up
    /// and something that depends on it is.
    is_blocking: Vec<bool>,
    /// Of each prerequisite, its dependents that are blocking.
    blocking: Vec<usize>,
    /// The graph was just built, so any process may wait for something else now.
    is_new: bool,
}

impl Conditions {
    /// Of processes in the order of their ids.
    fn of<'a>(processes: impl Iterator<Item = &'a Process>) -> Self {
        let processes: Vec<_> = processes.collect();
        let specs: Vec<&ProcessSpec> = processes.iter().map(|process| &*process.spec).collect();
        let (graph, mut unknown) = Graph::of(&specs);
        let is_required = |unknown: &Unknown| {
            let entry = specs[unknown.node].dependencies().nth(unknown.entry);
            entry.is_some_and(|(dependency, _)| !dependency.is_optional)
        };
        unknown.retain(is_required);
        if graph.is_empty() && unknown.is_empty() {
            return Self { is_new: true, ..Self::default() };
        }
        let ids: Vec<_> = processes.iter().map(|process| process.id).collect();
        let prerequisites = graph.prerequisites().len();
        let mut conditions = Self {
            graph,
            ids,
            unknown,
            tallies: vec![Tally::default(); prerequisites],
            states: processes.iter().map(|process| process.condition_state()).collect(),
            is_blocking: vec![false; processes.len()],
            blocking: vec![0; prerequisites],
            is_new: true,
        };
        for node in 0..processes.len() {
            conditions.count(node, conditions.states[node], |count| *count += 1);
            conditions.update_blocking(node);
        }
        conditions
    }

    pub(super) fn is_empty(&self) -> bool {
        self.ids.is_empty()
    }

    fn node(&self, id: ProcessId) -> Option<usize> {
        self.ids.binary_search(&id).ok()
    }

    /// Which of these processes depends on which, and whether there are more than [`EDGES_MAX`] such edges.
    pub(super) fn edges(&self, processes: &[ProcessId]) -> (Vec<ProcessEdge>, bool) {
        let positions: HashMap<_, _> = processes.iter().enumerate().map(|(at, id)| (*id, at)).collect();
        let position = |node: usize| positions.get(self.ids.get(node)?).copied();
        let mut edges = Vec::new();
        let nodes = processes.iter().enumerate().filter_map(|(at, id)| Some((at, self.node(*id)?)));
        for (from, node) in nodes {
            for need in self.graph.needs(node) {
                let Prerequisite { condition, members, .. } = &self.graph.prerequisites()[need.prerequisite];
                for &member in members {
                    if edges.len() >= EDGES_MAX {
                        return (edges, true);
                    }
                    let (holds, condition) = (self.states[member].holds(*condition), *condition);
                    let Need { is_optional, is_binding, .. } = *need;
                    let edge = |to| ProcessEdge { from, to, condition, is_optional, is_binding, holds };
                    edges.extend(position(member).map(edge));
                }
            }
        }
        (edges, false)
    }

    fn count(&mut self, node: usize, state: ConditionState, apply: fn(&mut usize)) {
        for prerequisite in self.graph.memberships(node) {
            self.tallies[*prerequisite].count(
                state,
                self.graph.prerequisites()[*prerequisite].condition,
                apply,
            );
        }
    }

    /// Returns the nodes whose stop no longer has to wait. A node that is not up passes on what its
    /// dependents require: a job that is done still orders the two processes on either side of it.
    fn update_blocking(&mut self, changed: usize) -> Vec<usize> {
        let (mut queue, mut freed) = (vec![changed], Vec::new());
        while let Some(node) = queue.pop() {
            let ConditionState { is_started, is_going_down, .. } = self.states[node];
            let has_blocking = self.graph.memberships(node).iter().any(|it| self.blocking[*it] > 0);
            let is_blocking = is_going_down || !is_started && has_blocking;
            if std::mem::replace(&mut self.is_blocking[node], is_blocking) == is_blocking {
                continue;
            }
            for Need { prerequisite, .. } in self.graph.needs(node) {
                let count = &mut self.blocking[*prerequisite];
                let before = *count;
                *count = if is_blocking { before + 1 } else { before - 1 };
                let members = &self.graph.prerequisites()[*prerequisite].members;
                if (before == 0) != (*count == 0) {
                    queue.extend(members);
                    freed.extend(members.iter().filter(|_| !is_blocking));
                }
            }
        }
        freed
    }

    /// Records a change; returns the processes that it may affect.
    pub(super) fn changed(
        &mut self,
        id: ProcessId,
        old: ConditionState,
        new: ConditionState,
    ) -> Vec<ProcessId> {
        let Some(node) = self.node(id) else { return Vec::new() };
        let before = self.facts(node);
        self.count(node, old, |count| *count -= 1);
        self.count(node, new, |count| *count += 1);
        self.states[node] = new;
        let mut concerned = self.update_blocking(node);
        for (prerequisite, _) in
            before.into_iter().zip(self.facts(node)).filter(|(old, new)| old != new).map(|(old, _)| old)
        {
            concerned.extend(&self.graph.prerequisites()[prerequisite].dependents);
        }
        concerned.into_iter().map(|node| self.ids[node]).collect()
    }

    /// The state of each prerequisite that a node is a member of.
    fn facts(&self, node: usize) -> Vec<(usize, (bool, bool, bool))> {
        let memberships = self.graph.memberships(node).iter();
        memberships.map(|prerequisite| (*prerequisite, self.tallies[*prerequisite].says())).collect()
    }

    /// Whether a process may be spawned.
    pub(super) fn gate(&self, id: ProcessId) -> Gate {
        let Some(node) = self.node(id) else { return Gate::Open };
        let needs = self.graph.needs(node);
        let failed =
            needs.iter().find(|need| !need.is_optional && self.tallies[need.prerequisite].failed > 0);
        if let Some(Need { prerequisite, .. }) = failed {
            return Gate::Failed { prerequisite: *prerequisite };
        }
        if needs.iter().any(|need| self.is_waited_for(*need)) || self.needs_unknown(node) {
            return Gate::Closed;
        }
        Gate::Open
    }

    fn is_waited_for(&self, need: Need) -> bool {
        let Tally { missing, coming, .. } = self.tallies[need.prerequisite];
        if need.is_optional { coming > 0 } else { missing > 0 }
    }

    fn needs_unknown(&self, node: usize) -> bool {
        self.unknown.iter().any(|unknown| unknown.node == node)
    }

    /// What a process waits for, as its configuration writes it: `db (ready)`, `cache (started)`.
    pub(super) fn waiting_for(&self, id: ProcessId, spec: &ProcessSpec) -> Vec<String> {
        let Some(node) = self.node(id) else { return Vec::new() };
        let needs = self.graph.needs(node).iter().filter(|need| self.is_waited_for(**need));
        let prerequisites = needs.map(|need| &self.graph.prerequisites()[need.prerequisite]);
        let known =
            prerequisites.map(|prerequisite| format!("{} ({})", prerequisite.name, prerequisite.condition));
        let unknown = self.unknown.iter().filter(|unknown| unknown.node == node);
        let unknown = unknown.filter_map(|unknown| spec.dependencies().nth(unknown.entry));
        let unknown = unknown.map(|(dependency, _)| format!("{} (not active)", dependency.name));
        known.chain(unknown).collect()
    }

    /// Whether the configuration binds a process to a condition that is lost.
    pub(super) fn is_unbound(&self, id: ProcessId) -> bool {
        let Some(node) = self.node(id) else { return false };
        let needs = self.graph.needs(node);
        needs.iter().any(|need| need.is_binding && self.tallies[need.prerequisite].missing > 0)
    }

    /// The processes that a waiting process needs and that do not meet their conditions.
    pub(super) fn missing_members(&self, id: ProcessId) -> Vec<ProcessId> {
        let Some(node) = self.node(id) else { return Vec::new() };
        let needs = self.graph.needs(node).iter().filter(|need| !need.is_optional);
        let prerequisites = needs.filter(|need| self.tallies[need.prerequisite].missing > 0);
        let members = prerequisites.flat_map(|need| &self.graph.prerequisites()[need.prerequisite].members);
        members.map(|member| self.ids[*member]).collect()
    }

    /// The first member of a prerequisite that has failed.
    pub(super) fn failed_member(&self, prerequisite: usize) -> Option<ProcessId> {
        let it = self.graph.prerequisites().get(prerequisite)?;
        let failed = it.members.iter().find(|node| self.states[**node].has_failed(it.condition));
        failed.map(|node| self.ids[*node])
    }

    /// Processes that depend on this one, [`DEPENDENTS_SHOWN_MAX`] at most.
    pub(super) fn dependents(&self, id: ProcessId) -> impl Iterator<Item = ProcessId> {
        let memberships = self.node(id).map_or(&[][..], |node| self.graph.memberships(node));
        let prerequisites = memberships.iter().map(|prerequisite| &self.graph.prerequisites()[*prerequisite]);
        let nodes = prerequisites.flat_map(|it| &it.dependents).copied();
        let mut nodes: Vec<usize> = nodes.take(DEPENDENTS_SHOWN_MAX).collect();
        nodes.sort_unstable();
        nodes.dedup();
        nodes.into_iter().map(|node| self.ids[node])
    }

    /// Whether the stop of a process has to wait for direct or indirect dependents that are going down.
    pub(super) fn has_dependents_going_down(&self, id: ProcessId) -> bool {
        let Some(node) = self.node(id) else { return false };
        self.graph.memberships(node).iter().any(|prerequisite| self.blocking[*prerequisite] > 0)
    }
}

impl Process {
    pub(super) fn condition_state(&self) -> ConditionState {
        let has_pid = self.pid().is_some();
        let is_ending = has_pid || self.has_open_post_stop();
        let is_up = self.is_pending();
        let is_stopping = matches!(self.state, State::Stopping { .. });
        let is_going_down = is_up
            && (is_stopping
                || is_ending
                    && (self.desired.target == RunTarget::Down
                        || self.is_losing_its_binding
                        || self.is_to_stop_unhealthy()));
        let is_ready = matches!(self.state, State::Running { .. }) && !is_going_down;
        let has_exited = matches!(self.state, State::Exited { restart_at: None });
        ConditionState {
            is_started: has_pid && !is_going_down,
            is_ready,
            is_healthy: is_ready && self.is_healthy(),
            is_done: has_exited && self.exit_status.is_some_and(|status: ExitStatus| self.expects(status)),
            has_exited,
            has_ended: has_exited || matches!(self.state, State::Fatal),
            is_down: self.state().is_stopped()
                && !self.will_restart()
                && (self.is_introduced || !self.spec.autostart),
            is_going_down,
        }
    }
}

impl Supervisor {
    /// Must be called whenever processes are added, removed or changed in place.
    pub(super) fn rebuild_conditions(&mut self) {
        if self.conditions.is_empty() && self.processes.iter().all(|process| process.spec.is_independent()) {
            return;
        }
        self.conditions = Conditions::of(self.processes.iter());
        let mut ranks: Vec<i64> = self.processes.iter().map(|process| process.group_priority).collect();
        self.conditions.graph.raise_ranks(&mut ranks);
        let ids: Vec<_> = self.processes.iter().map(|process| process.id).collect();
        for (id, rank) in ids.into_iter().zip(ranks) {
            if self.process(id).is_some_and(|process| process.stop_rank != rank) {
                self.with(id, |process| process.stop_rank = rank);
            }
        }
        self.processes.record_changes(!self.conditions.is_empty());
    }

    /// Records what has changed and queues the processes that it may affect.
    pub(super) fn note_changes(&mut self, out: &mut Effects) {
        if std::mem::take(&mut self.conditions.is_new) {
            let waits = |process: &&Process| {
                !process.spec.is_independent() || process.is_waiting() || process.has_failed_dependency
            };
            out.to_look_at.extend(self.processes.iter().filter(waits).map(|process| process.id));
            out.to_look_at.extend(self.deferred_stops.keys());
        }
        for (id, old, new) in self.processes.take_changes() {
            out.to_look_at.extend(self.conditions.changed(id, old, new));
            out.to_look_at.extend(self.deferred_stops.contains_key(&id).then_some(id));
        }
    }
}

#[cfg(test)]
impl Supervisor {
    /// Asserts that the incremental counts equal a full count.
    pub(super) fn assert_conditions_are_in_step(&self) {
        let counted = Conditions::of(self.processes.iter());
        assert_eq!(self.conditions.tallies, counted.tallies, "{:?}", self.conditions.graph);
        assert_eq!(self.conditions.blocking, counted.blocking);
        assert_eq!(self.conditions.states, counted.states);
    }
}
